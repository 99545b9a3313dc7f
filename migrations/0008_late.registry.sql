-- A change that waited for its record is applied at the version of the set that brought the record.
-- Whose it is, the version alone does not say any more.

-- Values that were written so: the field or element that changed at `version` was in truth changed
-- by the set at `set_version`.
CREATE TABLE late (
    record BLOB NOT NULL,
    field INTEGER NOT NULL,
    element BLOB NOT NULL,
    version INTEGER NOT NULL,
    set_version INTEGER NOT NULL,
    PRIMARY KEY (record, field, element, version)
) STRICT, WITHOUT ROWID;

-- A case belongs to the change (set_version, idx), whenever it was opened.
ALTER TABLE cases ADD COLUMN set_version INTEGER NOT NULL DEFAULT 0;
UPDATE cases SET set_version = opened_version;
DROP INDEX cases_opened;
CREATE INDEX cases_opened ON cases (opened_version);
CREATE INDEX cases_set ON cases (set_version, idx);

-- The change itself waits (a ChangeRow with the bases that count), so that its set need not be
-- opened again for each of them. By record and kind: one id may be of two kinds.
ALTER TABLE waiting ADD COLUMN change BLOB NOT NULL DEFAULT x'';
DROP INDEX waiting_record;
CREATE INDEX waiting_record ON waiting (record, kind, version, idx);
