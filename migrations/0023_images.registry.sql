-- What a scaled image was made of: the hash of the photo as the camera left it.
ALTER TABLE attachment ADD COLUMN original_hash BLOB;
