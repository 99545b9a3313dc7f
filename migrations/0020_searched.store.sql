-- Of each kind, up to which row the search index goes. The few rows above wait for it: to put one
-- record in was most of the work of a save. What is there already is in it.
CREATE TABLE searched (
    kind INTEGER PRIMARY KEY,
    n INTEGER NOT NULL,
    sum INTEGER NOT NULL
) STRICT;
INSERT INTO searched SELECT kind, n, row_sum(kind, n) FROM (
    SELECT 1 AS kind, max(n) AS n FROM unit UNION ALL
    SELECT 2, max(n) FROM officer UNION ALL
    SELECT 3, max(n) FROM producer UNION ALL
    SELECT 4, max(n) FROM product UNION ALL
    SELECT 5, max(n) FROM certificate UNION ALL
    SELECT 6, max(n) FROM checklist UNION ALL
    SELECT 7, max(n) FROM code_list UNION ALL
    SELECT 8, max(n) FROM inspection UNION ALL
    SELECT 9, max(n) FROM sample UNION ALL
    SELECT 10, max(n) FROM environmental_check UNION ALL
    SELECT 11, max(n) FROM replica UNION ALL
    SELECT 12, max(n) FROM registry
) WHERE n IS NOT NULL;
