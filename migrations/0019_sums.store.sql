-- Sums of rows (proto/data/sum.h): what is flipped on the disk is found by ocop_check. The tables of
-- the kinds have theirs in a table of its own, since a column more in each would cost every new store
-- as much as all other migrations together; SQLite reads the whole schema again for each. For the same
-- reason the small tables are made anew.

CREATE TABLE sums (
    row INTEGER PRIMARY KEY,           -- n * 64 + kind of the record, as in search
    sum INTEGER NOT NULL
) STRICT;

CREATE TEMP TABLE kept AS SELECT * FROM meta;
DROP TABLE meta;
CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value BLOB NOT NULL,
    sum INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO meta SELECT *, row_sum(key, value) FROM kept;
DROP TABLE kept;
-- The records of a store that is older than the sums are summed when it is opened.
INSERT INTO meta SELECT 'unsummed', x'01', row_sum('unsummed', x'01')
    WHERE EXISTS (SELECT 1 FROM meta);

CREATE TEMP TABLE kept AS SELECT * FROM outbox;
DROP TABLE outbox;
CREATE TABLE outbox (
    n INTEGER PRIMARY KEY,             -- in the order of submission
    record BLOB NOT NULL,
    kind INTEGER NOT NULL,
    state INTEGER NOT NULL,            -- 1 draft, 2 ready, 3 sealed, 4 refused, 5 waiting at the registry
    seq INTEGER,                       -- of the set it was sealed in
    idx INTEGER,
    change BLOB NOT NULL,              -- ChangeRow
    reason TEXT,                       -- why it was refused, or what it waits for
    field TEXT,
    sum INTEGER NOT NULL
) STRICT;
CREATE INDEX outbox_record ON outbox (record, n);
CREATE INDEX outbox_set ON outbox (seq, idx) WHERE seq IS NOT NULL;
INSERT INTO outbox SELECT *,
    row_sum(record, kind, state, seq, idx, change, reason, field) FROM kept;
DROP TABLE kept;

CREATE TEMP TABLE kept AS SELECT * FROM sealed;
DROP TABLE sealed;
CREATE TABLE sealed (
    replica BLOB NOT NULL,
    seq INTEGER NOT NULL,
    hash BLOB NOT NULL,
    signature BLOB NOT NULL,
    body BLOB NOT NULL,
    acked INTEGER NOT NULL,            -- 0, or the version the registry gave it
    sum INTEGER NOT NULL,                       -- of what hash and signature do not vouch for
    PRIMARY KEY (replica, seq)
) STRICT;
INSERT INTO sealed SELECT *, row_sum(replica, seq, hash, acked) FROM kept;
DROP TABLE kept;

CREATE TEMP TABLE kept AS SELECT * FROM base;
DROP TABLE base;
CREATE TABLE base (
    record BLOB PRIMARY KEY,
    kind INTEGER NOT NULL,
    version INTEGER NOT NULL,
    born INTEGER NOT NULL,
    fields BLOB,                       -- ChangeRow; NULL: not in the registry
    departed INTEGER NOT NULL DEFAULT 0,
    sum INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO base SELECT *, row_sum(record, kind, version, born, fields, departed) FROM kept;
DROP TABLE kept;

CREATE TEMP TABLE kept AS SELECT * FROM own;
DROP TABLE own;
CREATE TABLE own (
    record BLOB PRIMARY KEY,
    kind INTEGER NOT NULL,
    merged INTEGER NOT NULL,           -- others changed it after this device did
    version INTEGER NOT NULL,          -- of this device's last change that the registry took; 0: none
    sum INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO own SELECT *, row_sum(record, kind, merged, version) FROM kept;
DROP TABLE kept;

CREATE TEMP TABLE kept AS SELECT * FROM cases;
DROP TABLE cases;
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
    resolution TEXT,                   -- NULL: open
    sum INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX cases_record ON cases (record);
CREATE INDEX cases_other ON cases (other) WHERE other IS NOT NULL;
INSERT INTO cases SELECT *,
    row_sum(id, kind, record, cause, field, base, theirs, mine, other, resolution) FROM kept;
DROP TABLE kept;

CREATE TEMP TABLE kept AS SELECT * FROM stub;
DROP TABLE stub;
CREATE TABLE stub (
    id BLOB PRIMARY KEY,
    kind INTEGER NOT NULL,
    label TEXT NOT NULL,
    sum INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO stub SELECT *, row_sum(id, kind, label) FROM kept;
DROP TABLE kept;

CREATE TEMP TABLE kept AS SELECT * FROM unseen;
DROP TABLE unseen;
CREATE TABLE unseen (
    record BLOB PRIMARY KEY,
    kind INTEGER NOT NULL,
    sum INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO unseen SELECT *, row_sum(record, kind) FROM kept;
DROP TABLE kept;

CREATE TEMP TABLE kept AS SELECT * FROM counter;
DROP TABLE counter;
CREATE TABLE counter (
    name TEXT PRIMARY KEY,
    value INTEGER NOT NULL,
    sum INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO counter SELECT *, row_sum(name, value) FROM kept;
DROP TABLE kept;
