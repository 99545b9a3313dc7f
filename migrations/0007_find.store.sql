-- Every question of ocop_find goes through an index, and the newest of a kind come off one by day.
CREATE INDEX sample_day ON sample (taken_ms);
CREATE INDEX environmental_check_day ON environmental_check (checked_date);
CREATE INDEX certificate_unit ON certificate (unit_id);
CREATE INDEX certificate_producer ON certificate (producer_id);
CREATE INDEX certificate_day ON certificate (issue_date);
CREATE INDEX unit_parent ON unit (parent_id);
