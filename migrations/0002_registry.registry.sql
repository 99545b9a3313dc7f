-- The registry's own tables.

CREATE TABLE log (
    version INTEGER PRIMARY KEY,
    replica BLOB NOT NULL,
    seq INTEGER NOT NULL,
    received_ms INTEGER NOT NULL,
    hash BLOB NOT NULL,
    signature BLOB NOT NULL,
    body BLOB NOT NULL,
    UNIQUE (replica, seq)
) STRICT;

-- Derived from the log --------------------------------------------------------------------------

-- Outcomes other than "applied".
CREATE TABLE outcome (
    version INTEGER NOT NULL,
    idx INTEGER NOT NULL,
    code INTEGER NOT NULL,
    field TEXT,
    text TEXT,
    changed_version INTEGER NOT NULL,  -- when it got this code: later than version when it waited
    replica BLOB NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (version, idx)
) STRICT, WITHOUT ROWID;
CREATE INDEX outcome_changed ON outcome (replica, changed_version) WHERE changed_version > version;

-- Changes that wait for their record.
CREATE TABLE waiting (
    version INTEGER NOT NULL,
    idx INTEGER NOT NULL,
    record BLOB NOT NULL,
    kind INTEGER NOT NULL,
    PRIMARY KEY (version, idx)
) STRICT, WITHOUT ROWID;
CREATE INDEX waiting_record ON waiting (record);

-- References to records that are not there yet.
CREATE TABLE dangling (
    target BLOB NOT NULL,
    record BLOB NOT NULL,
    kind INTEGER NOT NULL,
    field INTEGER NOT NULL,
    version INTEGER NOT NULL,
    idx INTEGER NOT NULL,
    PRIMARY KEY (target, record, field)
) STRICT, WITHOUT ROWID;

-- "case" is a word of SQL.
CREATE TABLE cases (
    id BLOB PRIMARY KEY,
    kind INTEGER NOT NULL,
    record BLOB NOT NULL,
    cause INTEGER NOT NULL,
    field INTEGER NOT NULL,
    element BLOB NOT NULL,
    other BLOB,
    base_version INTEGER NOT NULL,
    theirs_version INTEGER NOT NULL,
    base TEXT NOT NULL,
    theirs TEXT NOT NULL,
    mine TEXT NOT NULL,
    mine_value BLOB NOT NULL,          -- a ChangeRow with the one field, to apply it
    opened_version INTEGER NOT NULL,
    idx INTEGER NOT NULL,
    closed_version INTEGER,
    resolution TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX cases_record ON cases (record);
CREATE INDEX cases_open ON cases (record) WHERE closed_version IS NULL;
CREATE INDEX cases_closed ON cases (closed_version) WHERE closed_version IS NOT NULL;
CREATE INDEX cases_opened ON cases (opened_version, idx);

-- The last set of each replica that is in the log.
CREATE TABLE chain (
    replica BLOB PRIMARY KEY,
    seq INTEGER NOT NULL,
    hash BLOB NOT NULL,
    version INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The history of values that were replaced: what a case shows as base.
CREATE TABLE history (
    record BLOB NOT NULL,
    field INTEGER NOT NULL,
    element BLOB NOT NULL,
    version INTEGER NOT NULL,          -- until when (exclusive) the value stood
    value BLOB NOT NULL,               -- a ChangeRow with the one field
    PRIMARY KEY (record, field, element, version)
) STRICT, WITHOUT ROWID;

-- Scope of each device, expanded to anchors, with the version since which it holds.
CREATE TABLE scope (
    replica BLOB NOT NULL,
    anchor BLOB NOT NULL,
    since INTEGER NOT NULL,
    PRIMARY KEY (replica, anchor)
) STRICT, WITHOUT ROWID;
CREATE INDEX scope_since ON scope (replica, since);
CREATE TABLE scope_left (
    replica BLOB NOT NULL,
    anchor BLOB NOT NULL,
    version INTEGER NOT NULL,
    PRIMARY KEY (replica, anchor)
) STRICT, WITHOUT ROWID;

-- Records that left an anchor.
CREATE TABLE departure (
    anchor BLOB NOT NULL,
    version INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    id BLOB NOT NULL,
    PRIMARY KEY (anchor, version, kind, id)
) STRICT, WITHOUT ROWID;

-- This node's own -----------------------------------------------------------------------------------

CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE invitation (
    token_hash BLOB PRIMARY KEY,
    officer BLOB NOT NULL,
    scope BLOB NOT NULL,               -- unit ids, one after the other
    made_ms INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL,
    replica BLOB,
    sign_key BLOB,
    channel_key BLOB,
    refused INTEGER NOT NULL DEFAULT 0 -- how often another device tried it
) STRICT, WITHOUT ROWID;

-- What each device told when it was last heard of. Evidence, never an input of merging.
CREATE TABLE contact (
    replica BLOB PRIMARY KEY,
    last_ms INTEGER NOT NULL,
    skew_ms INTEGER NOT NULL,
    waiting INTEGER NOT NULL,
    schema INTEGER NOT NULL,
    refused INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What revoked devices still push: kept for a person to judge.
CREATE TABLE quarantine (
    replica BLOB NOT NULL,
    hash BLOB NOT NULL,
    received_ms INTEGER NOT NULL,
    signature BLOB NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (replica, hash)
) STRICT, WITHOUT ROWID;

CREATE TABLE backup (
    made_ms INTEGER NOT NULL,
    version INTEGER NOT NULL,
    path TEXT NOT NULL
) STRICT;

-- The feed: by anchor and by version.
CREATE INDEX unit_feed ON unit (anchor, version, id);
CREATE INDEX unit_version ON unit (version);
CREATE INDEX officer_feed ON officer (anchor, version, id);
CREATE INDEX officer_version ON officer (version);
CREATE INDEX producer_feed ON producer (anchor, version, id);
CREATE INDEX producer_version ON producer (version);
CREATE INDEX product_feed ON product (anchor, version, id);
CREATE INDEX product_version ON product (version);
CREATE INDEX certificate_feed ON certificate (anchor, version, id);
CREATE INDEX certificate_version ON certificate (version);
CREATE INDEX checklist_feed ON checklist (anchor, version, id);
CREATE INDEX checklist_version ON checklist (version);
CREATE INDEX code_list_feed ON code_list (anchor, version, id);
CREATE INDEX code_list_version ON code_list (version);
CREATE INDEX inspection_feed ON inspection (anchor, version, id);
CREATE INDEX inspection_version ON inspection (version);
CREATE INDEX sample_feed ON sample (anchor, version, id);
CREATE INDEX sample_version ON sample (version);
CREATE INDEX environmental_check_feed ON environmental_check (anchor, version, id);
CREATE INDEX environmental_check_version ON environmental_check (version);
CREATE INDEX replica_feed ON replica (anchor, version, id);
CREATE INDEX replica_version ON replica (version);
CREATE INDEX registry_feed ON registry (anchor, version, id);
CREATE INDEX registry_version ON registry (version);
CREATE INDEX unknown_kind_feed ON unknown_kind (anchor, version, id);
CREATE INDEX unknown_kind_version ON unknown_kind (version);
CREATE INDEX replica_channel ON replica (channel_key);
CREATE INDEX unit_parent ON unit (parent_id);
CREATE INDEX code_list_code ON code_list (code);
CREATE INDEX unit_level ON unit (level);
