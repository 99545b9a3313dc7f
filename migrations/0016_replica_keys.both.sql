-- The signing keys of a replica with the sequence from which each holds; none: the one of the record
-- holds for all. And the certificate by which it was enrolled again after a restore.
ALTER TABLE replica ADD COLUMN sign_keys TEXT;
ALTER TABLE replica ADD COLUMN certificate BLOB;

CREATE VIEW replica_sign_keys AS
    SELECT t.id AS record_id,
        (SELECT value FROM json_each(e.value) WHERE key = 'key') AS key,
        (SELECT value FROM json_each(e.value) WHERE key = 'fromSeq') AS from_seq,
        (SELECT value FROM json_each(e.value) WHERE key = 'signature') AS signature,
        (SELECT value FROM json_each(e.value) WHERE key = 'number') AS number
    FROM replica AS t, json_each(t.sign_keys) AS e;
