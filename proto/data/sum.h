/* A sum of every row that nothing else vouches for: what is flipped on the disk, or written behind
 * our back, no longer agrees with it. It stands in a column `sum` of the row and is written by the
 * statement that writes the row: by no trigger, since SQLite then opens a savepoint for each
 * statement. Rows that are older than the sums got theirs from the migration. (Records of a store
 * are summed as fields: see store_record_sum.) */
#ifndef DATA_SUM_H
#define DATA_SUM_H

#include <sqlite3.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"

/** Put a word, or bytes, into a sum that began as 0. Each step is a bijection: sums of things that
 *  differ in one word differ. It is no secret and no signature; it finds accidents. */
uint64_t sum_word(uint64_t sum, uint64_t word);
uint64_t sum_bytes(uint64_t sum, const void *p, size_t len);

/** Give the connection the function row_sum, as `migrate` does. NULLs do not count and the others
 * count by their place, so that a new column alters no sum. */
OCOP_MUST_USE enum ocop_status sum_open(sqlite3 *db, struct ocop_error *err);

struct sum_table {
    const char *name;
    const char *key;     /* the column that findings name a row by */
    const char *columns; /* that row_sum is given; new ones come last */
};

/** One row that is not what was written: "outbox 3". */
typedef void (*sum_found_fn)(void *self, const char *row);

/** Look at every row of the table. */
OCOP_MUST_USE enum ocop_status sum_check(sqlite3 *db, const struct sum_table *t, sum_found_fn found,
                                         void *self, struct ocop_error *err);

#endif
