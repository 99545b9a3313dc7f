-- Of what is lacking the hash is enough: its size is what those say that name it, and who says a wrong
-- one keeps nobody from being asked.
CREATE TABLE lacking_now (
    hash BLOB PRIMARY KEY,             -- BLAKE2b-256
    since_ms INTEGER NOT NULL,         -- when that was found
    sum INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO lacking_now SELECT hash, since_ms, row_sum(hash, since_ms) FROM lacking;
DROP TABLE lacking;
ALTER TABLE lacking_now RENAME TO lacking;
