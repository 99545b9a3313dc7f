-- Fields that the minutes of an inspection, of a sampling and of an environmental check ask for.

ALTER TABLE inspection ADD COLUMN plan_item TEXT;
ALTER TABLE inspection ADD COLUMN basis TEXT;
ALTER TABLE inspection ADD COLUMN goods TEXT;
ALTER TABLE inspection ADD COLUMN capacity TEXT;
ALTER TABLE inspection ADD COLUMN worker_count INTEGER;
ALTER TABLE inspection ADD COLUMN market TEXT;
ALTER TABLE inspection ADD COLUMN sampled INTEGER;
ALTER TABLE inspection ADD COLUMN follow_up_scope TEXT;
ALTER TABLE inspection ADD COLUMN follow_up_result TEXT;
ALTER TABLE sample ADD COLUMN lot_origin TEXT;
ALTER TABLE sample ADD COLUMN supplier TEXT;
ALTER TABLE sample ADD COLUMN manufacturer TEXT;
ALTER TABLE sample ADD COLUMN environmental_check_id BLOB;
ALTER TABLE environmental_check ADD COLUMN facility TEXT;
ALTER TABLE environmental_check ADD COLUMN plan_no TEXT;
ALTER TABLE environmental_check ADD COLUMN recommendations TEXT;
