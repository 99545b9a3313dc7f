-- What a scaled image was made of: the hash of the photo as the camera left it.
ALTER TABLE attachment ADD COLUMN original_hash BLOB;

-- Small pictures of contents, made by the registry: so small that they are kept here.
CREATE TABLE thumbnail (
    hash BLOB PRIMARY KEY,             -- BLAKE2b-256 of the content that it is of
    state INTEGER NOT NULL,            -- 0 wanted, 1 here, 2 the registry has none of it
    image BLOB,                        -- a JPEG; NULL: not here
    at_ms INTEGER NOT NULL,            -- when it was asked for, or came
    sum INTEGER NOT NULL
) STRICT;
CREATE INDEX thumbnail_at ON thumbnail (state, at_ms);
