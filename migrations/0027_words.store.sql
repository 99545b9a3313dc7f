-- The words that records are found by. FTS5 gathers every row of every word that begins as what was
-- typed before it joins them, which for words that stand in most records is most of a search. Here the
-- rows of a kind stand in blocks of 512, so that two words meet block by block.
DROP TABLE search;
CREATE TABLE words (
    kind INTEGER NOT NULL,
    block INTEGER NOT NULL,            -- n / 512
    word BLOB NOT NULL,                -- folded by text_fold (no diacritics); or what the row refers to
    rows BLOB NOT NULL,                -- which n % 512 have it: store_words.c
    PRIMARY KEY (kind, block, word)
) STRICT, WITHOUT ROWID;
-- What is there already is put in when the store is opened.
DELETE FROM searched;
INSERT INTO meta SELECT 'unsearched', x'01', row_sum('unsearched', x'01')
    WHERE EXISTS (SELECT 1 FROM meta);
-- Records with the same natural key are looked for by the registry alone.
DROP INDEX unit_code;
DROP INDEX producer_tax_code;
DROP INDEX product_product_code;
DROP INDEX certificate_certificate_no;
DROP INDEX inspection_minutes_no;
DROP INDEX sample_sample_code;
DROP INDEX environmental_check_minutes_no;
-- What a record refers to is one of its words, which go into their table 64 records at once: each of
-- these indexes had a page in every commit.
DROP INDEX inspection_unit;
DROP INDEX inspection_producer;
DROP INDEX inspection_product;
DROP INDEX sample_unit;
DROP INDEX sample_producer;
DROP INDEX sample_product;
DROP INDEX environmental_check_unit;
DROP INDEX environmental_check_producer;
DROP INDEX product_unit;
DROP INDEX product_producer;
DROP INDEX producer_unit;
DROP INDEX certificate_unit;
DROP INDEX certificate_producer;
DROP INDEX certificate_product;
DROP INDEX attachment_unit;
