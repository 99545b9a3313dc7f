-- What happened to one record is found without reading the log: what took effect by `history`, what
-- did not by the record of its outcome. Outcomes of before get theirs when the registry is next
-- opened (server/registry_past.c): only the log knows it.
ALTER TABLE outcome ADD COLUMN record BLOB NOT NULL DEFAULT x'';
CREATE INDEX outcome_record ON outcome (record, version);
CREATE INDEX cases_other ON cases (other) WHERE other IS NOT NULL;
CREATE INDEX invitation_replica ON invitation (replica) WHERE replica IS NOT NULL;
