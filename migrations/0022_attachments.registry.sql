-- Photos, signatures and documents: what is recorded of each. Content is kept beside the database, by
-- its hash.
CREATE TABLE attachment (
    n INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
    version INTEGER NOT NULL,
    born INTEGER NOT NULL,
    anchor BLOB,
    versions BLOB,
    extra BLOB,
    unit_id BLOB,
    officer_id BLOB,
    recorded_ms INTEGER,
    rule_set TEXT,
    voided INTEGER,
    void_reason TEXT,
    record_id BLOB,
    role TEXT,
    caption TEXT,
    taken_ms INTEGER,
    lat_e6 INTEGER,
    lon_e6 INTEGER,
    media_type TEXT,
    size INTEGER,
    hash BLOB,
    file_name TEXT
) STRICT;
CREATE INDEX attachment_hash ON attachment (hash);
CREATE INDEX attachment_record ON attachment (record_id);
CREATE INDEX attachment_feed ON attachment (anchor, version, id);
CREATE INDEX attachment_version ON attachment (version);

-- Who has shown to have which content: only through those may others have it. This node's own, not in
-- the log.
CREATE TABLE brought (
    hash BLOB NOT NULL,                -- BLAKE2b-256 of a content that is here whole
    officer BLOB NOT NULL,             -- who sent it, or proved to have it
    at_ms INTEGER NOT NULL,
    sum INTEGER NOT NULL,
    PRIMARY KEY (hash, officer)
) STRICT, WITHOUT ROWID;
