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
CREATE INDEX attachment_unit ON attachment (unit_id);
CREATE INDEX attachment_day ON attachment (recorded_ms);

-- What the device knows of the contents that attachments name.
CREATE TABLE file (
    hash BLOB PRIMARY KEY,             -- BLAKE2b-256
    size INTEGER NOT NULL,
    here INTEGER NOT NULL,             -- 1: all of it is in the folder
    central INTEGER NOT NULL,          -- 1: the registry has said that it holds all of it
    wanted INTEGER NOT NULL,           -- 1: to be fetched from the registry
    done INTEGER NOT NULL,             -- bytes that have travelled, either way
    tried_ms INTEGER NOT NULL,         -- when they last did, or were to; 0: never
    sum INTEGER NOT NULL
) STRICT;
CREATE INDEX file_to_send ON file (size, hash) WHERE here = 1 AND central = 0;
CREATE INDEX file_to_fetch ON file (size, hash) WHERE here = 0 AND wanted = 1;
