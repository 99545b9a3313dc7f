/* The questions of ocop_find, put together for each kind from the pieces at the top. Knows
 * rows and statements; nothing of words typed or of changes. */
#include "store_db.h"

#include <stdio.h>

#include "text.h"

/* --- SQL ------------------------------------------------------------------------------------- */

/* Per kind, what a query can ask for and what it shows; NULL where the kind has none. */
static const struct columns {
    const char *day, *label, *producer, *product;
    bool day_is_moment;
} columns[KIND_COUNT_PLUS_1] = {
    [KIND_UNIT] = {NULL, "t.name", NULL, NULL, false},
    [KIND_OFFICER] = {NULL, "t.name", NULL, NULL, false},
    [KIND_PRODUCER] = {NULL, "t.name", "t.id", NULL, false},
    [KIND_PRODUCT] = {NULL, "t.name", "t.producer_id", "t.id", false},
    [KIND_CERTIFICATE] = {"t.issue_date", "t.certificate_no", "t.producer_id", "t.product_id",
                          false},
    [KIND_CHECKLIST] = {NULL, "t.code", NULL, NULL, false},
    [KIND_CODE_LIST] = {NULL, "t.code", NULL, NULL, false},
    [KIND_INSPECTION] = {"t.inspected_date", "coalesce(t.minutes_no, t.facility)", "t.producer_id",
                         "t.product_id", false},
    [KIND_SAMPLE] = {"t.taken_ms", "coalesce(t.sample_code, t.place)", "t.producer_id",
                     "t.product_id", true},
    [KIND_ENVIRONMENTAL_CHECK] = {"t.checked_date", "t.minutes_no", "t.producer_id", NULL, false},
    [KIND_ATTACHMENT] = {"t.recorded_ms", "coalesce(t.caption, t.file_name, t.role)", NULL, NULL,
                         true},
};

#define FIND_HEAD                                                                                  \
    "SELECT t.n, t.id, coalesce(t.voided, 0), %s, coalesce(%s, ''), coalesce((SELECT name FROM "   \
    "unit WHERE unit.id = t.unit_id), ''), " STATE_OF("t.id") " AS status FROM %s AS t WHERE 1"
#define FIND_UNIT                                                                                  \
    " AND t.unit_id IN (WITH RECURSIVE below (id) AS (VALUES (?1) UNION "                          \
    "SELECT unit.id FROM below JOIN unit ON unit.parent_id = below.id) SELECT id FROM below)"
#define FIND_PRODUCER " AND %s = ?2"
#define FIND_PRODUCT " AND %s = ?3"
#define FIND_FROM " AND %s >= ?4"
#define FIND_TO " AND %s <= ?5"
#define FIND_VALID " AND t.voided IS NOT 1"
#define FIND_TEXT                                                                                  \
    " AND t.n IN (SELECT rowid / 64 FROM search WHERE search MATCH ?6 "                            \
    "AND rowid %% 64 = %d%s)"
#define FIND_WAITING " UNION ALL SELECT value FROM json_each(?9)"
#define FIND_STATE " AND status = ?7"
#define FIND_ORDER " ORDER BY %s DESC, t.n DESC LIMIT ?8"
static const char *const find_among[] = {
    [OCOP_DRAFT] = " AND t.id IN (SELECT record FROM outbox)",
    [OCOP_WAITING] = " AND t.id IN (SELECT record FROM outbox)",
    [OCOP_ACCEPTED] = "",
    [OCOP_MERGED] = " AND t.id IN (SELECT record FROM own WHERE merged = 1)",
    [OCOP_IN_CASE] = " AND t.id IN (SELECT record FROM cases UNION SELECT other FROM cases)",
    [OCOP_REFUSED] = " AND t.id IN (SELECT record FROM outbox)",
};

/* --- find ------------------------------------------------------------------------------------ */

bool store_find_knows(uint32_t kind, bool product, bool producer, bool day)
{
    const struct columns *c = &columns[kind];

    return (!product || c->product) && (!producer || c->producer) && (!day || c->day);
}

static void find_sql(const struct find *q, const struct columns *c, bool waiting, struct buf *sql)
{
    const char *day = c->day ? c->day : "NULL";

    buf_printf(sql, FIND_HEAD, day, c->label, row_table(q->kind));
    if (q->unit)
        buf_str(sql, FIND_UNIT);
    if (q->producer)
        buf_printf(sql, FIND_PRODUCER, c->producer);
    if (q->product)
        buf_printf(sql, FIND_PRODUCT, c->product);
    if (q->from)
        buf_printf(sql, FIND_FROM, day);
    if (q->to)
        buf_printf(sql, FIND_TO, day);
    if (!q->voided_too)
        buf_str(sql, FIND_VALID);
    if (q->match)
        buf_printf(sql, FIND_TEXT, (int)q->kind, waiting ? FIND_WAITING : "");
    if (q->state) {
        buf_str(sql, find_among[q->state]);
        buf_str(sql, FIND_STATE);
    }
    buf_printf(sql, FIND_ORDER, c->day ? c->day : "t.n");
}

static void find_bind(const struct find *q, const struct columns *c, sqlite3_stmt *st)
{
    if (q->unit)
        put_id(st, 1, q->unit);
    if (q->producer)
        put_id(st, 2, q->producer);
    if (q->product)
        put_id(st, 3, q->product);
    if (q->from && c->day_is_moment)
        put_int(st, 4, (uint64_t)q->from_ms);
    else if (q->from)
        put_text(st, 4, q->from);
    if (q->to && c->day_is_moment)
        put_int(st, 5, (uint64_t)(q->to_ms - 1));
    else if (q->to)
        put_text(st, 5, q->to);
    if (q->match)
        put_text(st, 6, q->match);
    if (q->state)
        put_int(st, 7, (uint64_t)q->state);
    put_int(st, 8, (uint64_t)q->limit);
}

static enum ocop_status find_row(sqlite3_stmt *st, const struct find *q, const struct columns *c,
                                 struct arena *a, struct find_row *out, struct ocop_error *err)
{
    memset(out, 0, sizeof *out);
    out->kind = q->kind;
    out->n = sqlite3_column_int64(st, 0);
    if (!get_id(st, 1, &out->id))
        return damaged("an id", err);
    out->voided = sqlite3_column_int64(st, 2) != 0;
    if (sqlite3_column_type(st, 3) != SQLITE_NULL) {
        if (c->day_is_moment) {
            out->moment = sqlite3_column_int64(st, 3);
            text_day_of(out->moment, out->day);
        } else {
            (void)snprintf(out->day, sizeof out->day, "%s",
                           (const char *)sqlite3_column_text(st, 3));
        }
    }
    out->label = get_text(st, 4, a);
    out->unit_name = get_text(st, 5, a);
    out->state = sqlite3_column_int(st, 6);
    return out->label && out->unit_name ? OCOP_OK : err_nomem(err);
}

enum ocop_status store_find(struct ocop_store *s, const struct find *q, struct arena *a,
                            struct find_row **out, size_t *count, struct ocop_error *err)
{
    const struct columns *c = &columns[q->kind];
    sqlite3_stmt *st = NULL;
    struct buf sql, waiting;
    bool row;
    enum ocop_status status = OCOP_OK;

    *out = NULL;
    *count = 0;
    buf_init(&sql, KIB(16));
    buf_init(&waiting, KIB(16));
    if (q->match)
        status = store_search_waiting(s, q->kind, q->match, &waiting, err);
    find_sql(q, c, waiting.len > 0, &sql);
    if (!status)
        status = prepare(s, &sql, &st, err);
    if (!status)
        find_bind(q, c, st);
    if (!status && waiting.len > 0)
        put_text(st, 9, buf_cstr(&waiting));
    while (!status) {
        status = step(s, st, &row, err);
        if (status || !row)
            break;
        *out = arena_more(a, *out, *count, sizeof **out);
        if (!*out)
            status = err_nomem(err);
        else
            status = find_row(st, q, c, a, &(*out)[*count], err);
        if (!status)
            ++*count;
    }
    (void)sqlite3_finalize(st);
    buf_fini(&waiting);
    buf_fini(&sql);
    return status;
}
