-- The store's own tables.

CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- Changes not acknowledged yet, and those that were refused.
CREATE TABLE outbox (
    n INTEGER PRIMARY KEY,             -- in the order of submission
    record BLOB NOT NULL,
    kind INTEGER NOT NULL,
    state INTEGER NOT NULL,            -- 1 draft, 2 ready, 3 sealed, 4 refused, 5 waiting at the registry
    seq INTEGER,                       -- of the set it was sealed in
    idx INTEGER,
    change BLOB NOT NULL,              -- ChangeRow
    reason TEXT,                       -- why it was refused, or what it waits for
    field TEXT
) STRICT;
CREATE INDEX outbox_record ON outbox (record, n);
CREATE INDEX outbox_set ON outbox (seq, idx) WHERE seq IS NOT NULL;

-- Sealed change-sets; kept after their acknowledgement, since a restored registry may ask again.
CREATE TABLE sealed (
    replica BLOB NOT NULL,
    seq INTEGER NOT NULL,
    hash BLOB NOT NULL,
    signature BLOB NOT NULL,
    body BLOB NOT NULL,
    acked INTEGER NOT NULL,            -- 0, or the version the registry gave it
    PRIMARY KEY (replica, seq)
) STRICT;

-- The registry's state of records that have changes of this device over them.
CREATE TABLE base (
    record BLOB PRIMARY KEY,
    kind INTEGER NOT NULL,
    version INTEGER NOT NULL,
    born INTEGER NOT NULL,
    fields BLOB                        -- ChangeRow; NULL: not in the registry
) STRICT, WITHOUT ROWID;

-- Records of which the registry took a change of this device, and cases. A record that is in neither
-- table nor in the outbox is accepted as it is.
CREATE TABLE own (
    record BLOB PRIMARY KEY,
    kind INTEGER NOT NULL,
    merged INTEGER NOT NULL,           -- others changed it after this device did
    version INTEGER NOT NULL           -- of this device's last change that the registry took; 0: none
) STRICT, WITHOUT ROWID;
CREATE TABLE cases (
    id BLOB PRIMARY KEY,
    kind INTEGER NOT NULL,
    record BLOB NOT NULL,
    cause INTEGER NOT NULL,
    field TEXT NOT NULL,
    base TEXT NOT NULL,
    theirs TEXT NOT NULL,
    mine TEXT NOT NULL,
    other BLOB,
    resolution TEXT                    -- NULL: open
) STRICT, WITHOUT ROWID;
CREATE INDEX cases_record ON cases (record);
CREATE INDEX cases_other ON cases (other) WHERE other IS NOT NULL;

-- Names of records outside the scope.
CREATE TABLE stub (
    id BLOB PRIMARY KEY,
    kind INTEGER NOT NULL,
    label TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- While a store reads everything again: what it has not met yet.
CREATE TABLE unseen (
    record BLOB PRIMARY KEY,
    kind INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Counters of paper numbers.
CREATE TABLE counter (
    name TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Free text: rowid = n * 64 + kind of the record, text folded by text_fold (no diacritics). Words
-- are asked for one by one, so neither positions nor sizes are kept.
CREATE VIRTUAL TABLE search USING fts5(
    text, content='', detail='none', columnsize=0, tokenize='ascii');

-- What people look for.
CREATE INDEX inspection_unit ON inspection (unit_id, inspected_date);
CREATE INDEX inspection_producer ON inspection (producer_id);
CREATE INDEX inspection_product ON inspection (product_id);
CREATE INDEX inspection_day ON inspection (inspected_date);
CREATE INDEX sample_unit ON sample (unit_id, taken_ms);
CREATE INDEX sample_producer ON sample (producer_id);
CREATE INDEX sample_product ON sample (product_id);
CREATE INDEX environmental_check_unit ON environmental_check (unit_id, checked_date);
CREATE INDEX environmental_check_producer ON environmental_check (producer_id);
CREATE INDEX product_unit ON product (unit_id);
CREATE INDEX product_producer ON product (producer_id);
CREATE INDEX producer_unit ON producer (unit_id);
CREATE INDEX certificate_product ON certificate (product_id);
CREATE INDEX code_list_code ON code_list (code);
