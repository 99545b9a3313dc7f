-- A signing key with the channel key that came with it and when the registry took both; a root that
-- took another's place. And since when the office wants a device to have other keys.
ALTER TABLE replica ADD COLUMN rekey_ms INTEGER;

DROP VIEW replica_sign_keys;
CREATE VIEW replica_sign_keys AS
    SELECT t.id AS record_id,
        (SELECT value FROM json_each(e.value) WHERE key = 'key') AS key,
        (SELECT value FROM json_each(e.value) WHERE key = 'fromSeq') AS from_seq,
        (SELECT value FROM json_each(e.value) WHERE key = 'signature') AS signature,
        (SELECT value FROM json_each(e.value) WHERE key = 'number') AS number,
        (SELECT value FROM json_each(e.value) WHERE key = 'channelKey') AS channel_key,
        (SELECT value FROM json_each(e.value) WHERE key = 'madeMs') AS made_ms,
        (SELECT value FROM json_each(e.value) WHERE key = 'root') AS root
    FROM replica AS t, json_each(t.sign_keys) AS e;
