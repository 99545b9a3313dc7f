/* The canonical dump: a line for each row, the same wherever the same records are. */
#include "row_impl.h"

#include <inttypes.h>

static void put_hex(struct buf *out, struct span s)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < s.len; i++) {
        buf_byte(out, (uint8_t)digits[s.p[i] >> 4]);
        buf_byte(out, (uint8_t)digits[s.p[i] & 15]);
    }
}

/* Quotes, backslashes and control characters are escaped, so that a row stays one line. */
static void put_quoted(struct buf *out, struct span s)
{
    buf_byte(out, '"');
    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] < 0x20) {
            buf_printf(out, "\\x%02x", s.p[i]);
            continue;
        }
        if (s.p[i] == '"' || s.p[i] == '\\')
            buf_byte(out, '\\');
        buf_byte(out, s.p[i]);
    }
    buf_byte(out, '"');
}

/* Columns that are NULL are left out, so that a column that a migration adds alters no dump. */
static void dump_line(const struct table *t, sqlite3_stmt *stmt, struct buf *out)
{
    buf_clear(out);
    buf_printf(out, "%s|", t->name);
    put_hex(out, rows_span(stmt, AT_ID));
    buf_printf(out, "|%lld|%lld", (long long)sqlite3_column_int64(stmt, AT_VERSION),
               (long long)sqlite3_column_int64(stmt, AT_BORN));
    for (int at = AT_ANCHOR; at <= AT_EXTRA; at++) {
        buf_byte(out, '|');
        put_hex(out, rows_span(stmt, at));
    }
    for (int at = AT_FIELDS; at < t->at_end; at++) {
        int type = sqlite3_column_type(stmt, at);
        if (type == SQLITE_NULL)
            continue;
        buf_byte(out, '|');
        buf_str(out, rows_column(t, at));
        buf_byte(out, '=');
        if (type == SQLITE_INTEGER) {
            buf_printf(out, "%lld", (long long)sqlite3_column_int64(stmt, at));
        } else if (type == SQLITE_TEXT) {
            put_quoted(out, rows_span(stmt, at));
        } else {
            buf_str(out, "x");
            put_hex(out, rows_span(stmt, at));
        }
    }
}

enum ocop_status row_dump(struct rows *r, uint32_t kind, row_dump_fn update, void *self,
                          struct ocop_error *err)
{
    const struct table *t = rows_table(r, kind);
    sqlite3_stmt *stmt = NULL;
    enum ocop_status status;
    int code = SQLITE_ROW;

    /* Kind 0 dumps the records of all unknown kinds, any other unknown number only its own. */
    buf_clear(&r->text);
    buf_printf(&r->text, "SELECT %s FROM \"%s\"", t->columns, t->name);
    if (!t->kind && kind != 0)
        buf_printf(&r->text, " WHERE kind=%" PRIu32, kind);
    buf_str(&r->text, " ORDER BY id");
    status = rows_prepare(r, t, &stmt, err);
    while (status == OCOP_OK && (code = sqlite3_step(stmt)) == SQLITE_ROW) {
        dump_line(t, stmt, &r->text);
        if (r->text.failed)
            status = err_nomem(err);
        else
            update(self, buf_span(&r->text));
    }
    if (status == OCOP_OK && code != SQLITE_DONE)
        status = rows_fail(r, t, "reading", err);
    (void)sqlite3_finalize(stmt);
    return status;
}
