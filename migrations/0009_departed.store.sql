-- A record that left the scope while changes of this device were over it goes with the last of them.
ALTER TABLE base ADD COLUMN departed INTEGER NOT NULL DEFAULT 0;
