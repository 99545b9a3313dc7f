-- What a device tells of itself: the number of its last request, so that a replayed one moves
-- nothing, and its program.
ALTER TABLE contact ADD COLUMN exchange INTEGER NOT NULL DEFAULT 0;
ALTER TABLE contact ADD COLUMN program INTEGER NOT NULL DEFAULT 0;

-- What was put aside of a suspended device is taken in in its order.
ALTER TABLE quarantine ADD COLUMN seq INTEGER NOT NULL DEFAULT 0;

-- Who tried an invitation that was not theirs, and when it was taken back.
ALTER TABLE invitation ADD COLUMN used_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE invitation ADD COLUMN refused_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE invitation ADD COLUMN revoked_ms INTEGER NOT NULL DEFAULT 0;
