-- That the registry's office has removed a content, and that it keeps those of a record in any event.
ALTER TABLE attachment ADD COLUMN removed_ms INTEGER;
ALTER TABLE attachment ADD COLUMN removed_by BLOB;
ALTER TABLE attachment ADD COLUMN removed_reason TEXT;
ALTER TABLE attachment ADD COLUMN hold_reason TEXT;

-- Contents that were here whole and are not any more: devices that have them are asked for them. This
-- node's own, not in the log.
CREATE TABLE lacking (
    hash BLOB PRIMARY KEY,             -- BLAKE2b-256
    size INTEGER NOT NULL,
    since_ms INTEGER NOT NULL,         -- when that was found
    sum INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
