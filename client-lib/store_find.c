/* The questions of ocop_find, put together for each kind from the pieces at the top. Knows
 * rows and statements; nothing of words typed or of changes. */
#include "store_words.h"

#include <stdio.h>
#include <stdlib.h>

#include "text.h"

/* --- SQL ------------------------------------------------------------------------------------- */

/* Per kind, what a query can ask for and what it shows; NULL where the kind has none. */
enum relation { HAS_NONE, IS_IT, REFERS_TO_IT };
static const struct columns {
    const char *day, *label;
    enum relation producer, product;
    bool day_is_moment;
} columns[KIND_COUNT_PLUS_1] = {
    [KIND_UNIT] = {NULL, "t.name", HAS_NONE, HAS_NONE, false},
    [KIND_OFFICER] = {NULL, "t.name", HAS_NONE, HAS_NONE, false},
    [KIND_PRODUCER] = {NULL, "t.name", IS_IT, HAS_NONE, false},
    [KIND_PRODUCT] = {NULL, "t.name", REFERS_TO_IT, IS_IT, false},
    [KIND_CERTIFICATE] = {"t.issue_date", "t.certificate_no", REFERS_TO_IT, REFERS_TO_IT, false},
    [KIND_CHECKLIST] = {NULL, "t.code", HAS_NONE, HAS_NONE, false},
    [KIND_CODE_LIST] = {NULL, "t.code", HAS_NONE, HAS_NONE, false},
    [KIND_INSPECTION] = {"t.inspected_date", "coalesce(t.minutes_no, t.facility)", REFERS_TO_IT,
                         REFERS_TO_IT, false},
    [KIND_SAMPLE] = {"t.taken_ms", "coalesce(t.sample_code, t.place)", REFERS_TO_IT, REFERS_TO_IT,
                     true},
    [KIND_ENVIRONMENTAL_CHECK] = {"t.checked_date", "t.minutes_no", REFERS_TO_IT, HAS_NONE, false},
    [KIND_ATTACHMENT] = {"t.recorded_ms", "coalesce(t.caption, t.file_name, t.role)", HAS_NONE,
                         HAS_NONE, true},
};

#define FIND_HEAD                                                                                  \
    "SELECT t.n, t.id, coalesce(t.voided, 0), %s, coalesce(%s, ''), coalesce((SELECT name FROM "   \
    "unit WHERE unit.id = t.unit_id), ''), " STATE_OF("t.id") " AS status FROM %s AS t WHERE 1"
#define FIND_IT " AND t.id = ?%d"
#define FIND_FROM " AND %s >= ?4"
#define FIND_TO " AND %s <= ?5"
#define FIND_VALID " AND t.voided IS NOT 1"
#define FIND_THESE " AND t.n IN (SELECT value FROM json_each(?6))"
#define FIND_FOUND " AND found(t.n)"
#define FIND_STATE " AND status = ?7"
#define FIND_ORDER " ORDER BY %s DESC, t.n DESC LIMIT ?8"
#define UNITS_BELOW                                                                                \
    "WITH RECURSIVE below (id) AS (VALUES (?1) UNION "                                             \
    "SELECT unit.id FROM below JOIN unit ON unit.parent_id = below.id) SELECT id FROM below"
static const char *const find_among[] = {
    [OCOP_DRAFT] = " AND t.id IN (SELECT record FROM outbox)",
    [OCOP_WAITING] = " AND t.id IN (SELECT record FROM outbox)",
    [OCOP_ACCEPTED] = "",
    [OCOP_MERGED] = " AND t.id IN (SELECT record FROM own WHERE merged = 1)",
    [OCOP_IN_CASE] = " AND t.id IN (SELECT record FROM cases UNION SELECT other FROM cases)",
    [OCOP_REFUSED] = " AND t.id IN (SELECT record FROM outbox)",
};

/* --- what the index of words is asked ----------------------------------------------------------
 */

/* At most all words that are typed, a unit, a producer and a product. */
struct questions {
    struct wanted *v;
    size_t count;
    struct arena *arena;
};

static enum ocop_status want_one(struct questions *q, struct span word, struct ocop_error *err)
{
    struct span *any = arena_alloc(q->arena, sizeof *any);

    q->v = any ? arena_more(q->arena, q->v, q->count, sizeof *q->v) : NULL;
    if (!q->v)
        return err_nomem(err);
    *any = word;
    q->v[q->count++] = (struct wanted){any, 1};
    return OCOP_OK;
}

/* The word for what a record refers to; without one when memory is out. */
static struct span ref_word(struct arena *a, char what, struct span id)
{
    struct buf word;
    struct span out = {NULL, 0}, text;
    size_t at = 0;

    buf_init(&word, KIB(1));
    store_search_ref(&word, what, id);
    text = buf_span(&word);
    if (!word.failed && store_word_next(text, &at, &out))
        out.p = (const uint8_t *)arena_dup(a, out.p, out.len);
    buf_fini(&word);
    return out.p ? out : (struct span){NULL, 0};
}

static enum ocop_status want_ref(struct questions *q, char what, const struct id *id,
                                 struct ocop_error *err)
{
    struct span word = ref_word(q->arena, what, id_span(id));

    return word.p ? want_one(q, word, err) : err_nomem(err);
}

static int by_bytes(const void *one, const void *two)
{
    const struct span *a = one, *b = two;

    return span_cmp(*a, *b);
}

/* The unit or one of those below it. */
static enum ocop_status want_unit(struct ocop_store *s, struct questions *q, const struct id *unit,
                                  struct ocop_error *err)
{
    struct wanted w = {NULL, 0};
    sqlite3_stmt *st = NULL;
    bool row = true;
    enum ocop_status status = OCOP_OK;

    if (sqlite3_prepare_v2(s->db->sqlite, UNITS_BELOW, -1, &st, NULL) != SQLITE_OK)
        return db_error(s->db->sqlite, err, "preparing a statement");
    put_id(st, 1, unit);
    while (!(status = step(s, st, &row, err)) && row) {
        w.any = arena_more(q->arena, w.any, w.count, sizeof *w.any);
        if (w.any)
            w.any[w.count] = ref_word(q->arena, REF_UNIT, get_span(st, 0));
        if (!w.any || !w.any[w.count].p) {
            status = err_nomem(err);
            break;
        }
        w.count++;
    }
    (void)sqlite3_finalize(st);
    if (!status && w.count == 0) /* the unit itself is the first */
        status = damaged("the units below one", err);
    if (status)
        return status;
    qsort(w.any, w.count, sizeof *w.any, by_bytes);
    q->v = arena_more(q->arena, q->v, q->count, sizeof *q->v);
    if (!q->v)
        return err_nomem(err);
    q->v[q->count++] = w;
    return OCOP_OK;
}

static enum ocop_status questions_of(struct ocop_store *s, const struct find *f,
                                     struct questions *q, struct ocop_error *err)
{
    const struct columns *c = &columns[f->kind];
    struct span word;
    size_t at = 0;
    enum ocop_status st = OCOP_OK;

    while (!st && store_word_next(f->words, &at, &word))
        st = want_one(q, word, err);
    if (!st && f->unit)
        st = want_unit(s, q, f->unit, err);
    if (!st && f->producer && c->producer == REFERS_TO_IT)
        st = want_ref(q, REF_PRODUCER, f->producer, err);
    if (!st && f->product && c->product == REFERS_TO_IT)
        st = want_ref(q, REF_PRODUCT, f->product, err);
    return st;
}

/* found(n): has row n of the kind that is asked for all words? */
static void found(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    const struct db *db = sqlite3_user_data(ctx);

    (void)argc;
    sqlite3_result_int(ctx, db->hits && words_has(db->hits, sqlite3_value_int64(argv[0])));
}

enum ocop_status store_find_open(struct ocop_store *s, struct ocop_error *err)
{
    if (sqlite3_create_function_v2(s->db->sqlite, "found", 1, SQLITE_UTF8 | SQLITE_DIRECTONLY,
                                   s->db, found, NULL, NULL, NULL) != SQLITE_OK)
        return db_error(s->db->sqlite, err, "preparing to find");
    return OCOP_OK;
}

/* Few are looked up and sorted. Of many, the newest come up soon when all are walked past in their
 * order: one in `rows / found` counts. To look one up costs some ten times what a step does. */
static bool are_few(const struct word_hits *h, int limit)
{
    const double rows = (double)(h->blocks_looked + 1) * BLOCK_ROWS, found = (double)h->found;

    return 10 * found * found < rows * limit;
}

/* As "[7,9]". */
static void hits_json(const struct word_hits *h, struct buf *out)
{
    char sign = '[';

    for (size_t i = 0; i < h->count; i++)
        for (unsigned row = 0; row < BLOCK_ROWS; row++)
            if (block_has(&h->v[i].rows, row)) {
                buf_printf(out, "%c%lld", sign, (long long)h->v[i].block * BLOCK_ROWS + row);
                sign = ',';
            }
    buf_str(out, sign == '[' ? "[]" : "]");
}

/* --- find ------------------------------------------------------------------------------------ */

bool store_find_knows(uint32_t kind, bool product, bool producer, bool day)
{
    const struct columns *c = &columns[kind];

    return (!product || c->product) && (!producer || c->producer) && (!day || c->day);
}

/* `asked`: how the records that the index of words found come into the question. */
static void find_sql(const struct find *q, const struct columns *c, const char *asked,
                     struct buf *sql)
{
    const char *day = c->day ? c->day : "NULL";

    buf_printf(sql, FIND_HEAD, day, c->label, row_table(q->kind));
    if (q->producer && c->producer == IS_IT)
        buf_printf(sql, FIND_IT, 2);
    if (q->product && c->product == IS_IT)
        buf_printf(sql, FIND_IT, 3);
    if (q->from)
        buf_printf(sql, FIND_FROM, day);
    if (q->to)
        buf_printf(sql, FIND_TO, day);
    if (!q->voided_too)
        buf_str(sql, FIND_VALID);
    buf_str(sql, asked);
    if (q->state) {
        buf_str(sql, find_among[q->state]);
        buf_str(sql, FIND_STATE);
    }
    buf_printf(sql, FIND_ORDER, c->day ? c->day : "t.n");
}

static void find_bind(const struct find *q, const struct columns *c, sqlite3_stmt *st)
{
    if (q->producer && c->producer == IS_IT)
        put_id(st, 2, q->producer);
    if (q->product && c->product == IS_IT)
        put_id(st, 3, q->product);
    if (q->from && c->day_is_moment)
        put_int(st, 4, (uint64_t)q->from_ms);
    else if (q->from)
        put_text(st, 4, q->from);
    if (q->to && c->day_is_moment)
        put_int(st, 5, (uint64_t)(q->to_ms - 1));
    else if (q->to)
        put_text(st, 5, q->to);
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
    struct questions asked = {NULL, 0, a};
    struct word_hits hits = {NULL, 0, 0, 0};
    struct buf sql, these;
    bool row, few = false;
    enum ocop_status status = questions_of(s, q, &asked, err);

    *out = NULL;
    *count = 0;
    buf_init(&sql, KIB(16));
    buf_init(&these, MIB(8));
    if (!status && asked.count)
        status = store_search(s, q->kind, asked.v, asked.count, a, &hits, err);
    if (!status && asked.count && (few = are_few(&hits, q->limit)))
        hits_json(&hits, &these);
    find_sql(q, c, few ? FIND_THESE : asked.count ? FIND_FOUND : "", &sql);
    if (!status)
        status = these.failed ? err_nomem(err) : prepare(s, &sql, &st, err);
    if (!status)
        find_bind(q, c, st);
    if (!status && few)
        put_text(st, 6, buf_cstr(&these));
    s->db->hits = &hits;
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
    s->db->hits = NULL;
    buf_fini(&these);
    buf_fini(&sql);
    return status;
}
