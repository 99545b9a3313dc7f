/* Sums of rows. Knows SQLite; knows nothing of what the tables mean. */
#include "sum.h"

#include <stdio.h>
#include <string.h>

#include "bounds.h"
#include "buf.h"
#include "migrate.h"
#include "row.h"

/* --- the sum --------------------------------------------------------------------------------- */

uint64_t sum_word(uint64_t sum, uint64_t word)
{
    sum = (sum ^ word) * UINT64_C(0x9e3779b97f4a7c15);
    return sum ^ sum >> 32;
}

uint64_t sum_bytes(uint64_t sum, const void *bytes, size_t len)
{
    const uint8_t *p = bytes;
    uint64_t word;

    for (; len >= sizeof word; p += sizeof word, len -= sizeof word) {
        memcpy(&word, p, sizeof word);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
        word = __builtin_bswap64(word); /* a file may be read on another machine */
#endif
        sum = sum_word(sum, word);
    }
    word = 0;
    for (size_t i = 0; i < len; i++)
        word |= (uint64_t)p[i] << 8 * i;
    return len ? sum_word(sum, word) : sum;
}

static void row_sum(sqlite3_context *context, int count, sqlite3_value **values)
{
    uint64_t h = 0;

    for (int i = 0; i < count; i++) {
        const int type = sqlite3_value_type(values[i]);
        if (type == SQLITE_NULL)
            continue;
        if (type == SQLITE_INTEGER) {
            h = sum_word(h, (uint64_t)i << 8 | (uint64_t)type);
            h = sum_word(h, (uint64_t)sqlite3_value_int64(values[i]));
            continue;
        }
        const void *p = type == SQLITE_BLOB ? sqlite3_value_blob(values[i])
                                            : (const void *)sqlite3_value_text(values[i]);
        const size_t len = (size_t)sqlite3_value_bytes(values[i]);
        if (len && !p) {
            sqlite3_result_error_nomem(context);
            return;
        }
        h = sum_word(h, (uint64_t)len << 32 | (uint64_t)i << 8 | (uint64_t)type);
        h = sum_bytes(h, p, len);
    }
    sqlite3_result_int64(context, (sqlite3_int64)h);
}

enum ocop_status sum_open(sqlite3 *db, struct ocop_error *err)
{
    const int flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS;

    if (sqlite3_create_function(db, "row_sum", -1, flags, NULL, row_sum, NULL, NULL) != SQLITE_OK)
        return db_error(db, err, "summing rows");
    return OCOP_OK;
}

/* --- check ----------------------------------------------------------------------------------- */

static enum ocop_status each_wrong(sqlite3 *db, const struct sum_table *t, const char *sql,
                                   sum_found_fn found, void *self, struct ocop_error *err)
{
    sqlite3_stmt *stmt = NULL;
    int code = SQLITE_ROW;
    char row[200];
    enum ocop_status st = OCOP_OK;

    if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK)
        st = db_error(db, err, "checking the sums of rows");
    while (!st && (code = sqlite3_step(stmt)) == SQLITE_ROW) {
        const char *key = (const char *)sqlite3_column_text(stmt, 0);
        (void)snprintf(row, sizeof row, "%s %s", t->name, key ? key : "");
        found(self, row);
    }
    if (!st && code != SQLITE_DONE)
        st = db_error(db, err, "checking the sums of rows");
    (void)sqlite3_finalize(stmt);
    return st;
}

enum ocop_status sum_check(sqlite3 *db, const struct sum_table *t, sum_found_fn found, void *self,
                           struct ocop_error *err)
{
    struct buf sql;
    enum ocop_status st;

    buf_init(&sql, KIB(4));
    buf_printf(&sql, "SELECT quote(%s) FROM \"%s\" WHERE sum IS NOT row_sum(%s)", t->key, t->name,
               t->columns);
    st = sql.failed ? err_nomem(err) : each_wrong(db, t, buf_cstr(&sql), found, self, err);
    buf_fini(&sql);
    return st;
}
