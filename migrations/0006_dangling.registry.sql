-- Every change that refers to a record that is not there waits for it on its own: one row per record
-- and field let a later change hide an earlier one, whose outcome was then never settled.

CREATE TABLE dangling_new (
    target BLOB NOT NULL,
    version INTEGER NOT NULL,
    idx INTEGER NOT NULL,
    field INTEGER NOT NULL,            -- the list, where an element refers
    record BLOB NOT NULL,
    kind INTEGER NOT NULL,
    PRIMARY KEY (target, version, idx, field)
) STRICT, WITHOUT ROWID;
INSERT INTO dangling_new SELECT target, version, idx, field, record, kind FROM dangling;
DROP TABLE dangling;
ALTER TABLE dangling_new RENAME TO dangling;
