-- That the registry's office has removed a content, and that it keeps those of a record in any event.
ALTER TABLE attachment ADD COLUMN removed_ms INTEGER;
ALTER TABLE attachment ADD COLUMN removed_by BLOB;
ALTER TABLE attachment ADD COLUMN removed_reason TEXT;
ALTER TABLE attachment ADD COLUMN hold_reason TEXT;
