-- Single records that a device receives beside those of its units.
ALTER TABLE replica ADD COLUMN records TEXT;

CREATE VIEW replica_records AS
    SELECT t.id AS record_id,
        (SELECT value FROM json_each(e.value) WHERE key = 'assignedId') AS assigned_id
    FROM replica AS t, json_each(t.records) AS e;
