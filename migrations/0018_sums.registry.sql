-- Sums of rows (proto/data/sum.h) of what no replay makes again: `ocopd verify` finds what is flipped
-- on the disk. In the log, hash and signature vouch for the body, and the sum for what it is filed
-- under.
ALTER TABLE log ADD COLUMN sum INTEGER NOT NULL DEFAULT 0;
ALTER TABLE meta ADD COLUMN sum INTEGER NOT NULL DEFAULT 0;
ALTER TABLE invitation ADD COLUMN sum INTEGER NOT NULL DEFAULT 0;
ALTER TABLE contact ADD COLUMN sum INTEGER NOT NULL DEFAULT 0;
ALTER TABLE quarantine ADD COLUMN sum INTEGER NOT NULL DEFAULT 0;
ALTER TABLE backup ADD COLUMN sum INTEGER NOT NULL DEFAULT 0;

UPDATE log SET sum = row_sum(version, replica, seq, received_ms, hash, signature);
UPDATE meta SET sum = row_sum(key, value);
UPDATE invitation SET sum = row_sum(
    token_hash, officer, scope, made_ms, expires_ms, replica, sign_key, channel_key, refused,
    used_ms, refused_ms, revoked_ms);
UPDATE contact SET sum = row_sum(replica, last_ms, skew_ms, waiting, schema, refused,
    exchange, program);
UPDATE quarantine SET sum = row_sum(replica, hash, received_ms, signature, body, seq);
UPDATE backup SET sum = row_sum(made_ms, version, path);
