/* The words that records are found by, and the index of them. To put one record into the index was
 * most of the work of a save, since each commit writes what the index holds out as a tree of its
 * own. So new rows wait: of each kind, those up to a number (table searched) are in the index, and
 * the few above it are read through by whoever searches. Knows no query but for its words. */
#include "store_db.h"

#include <ctype.h>

#include "text.h"

/* --- SQL ------------------------------------------------------------------------------------- */

#define MOVE                                                                                       \
    "INSERT INTO searched (kind, n, sum) VALUES (?1, ?2, row_sum(?1, ?2)) "                        \
    "ON CONFLICT (kind) DO UPDATE SET n = excluded.n, sum = excluded.sum"
static const char *const search_questions[SEARCH_QUESTIONS] = {
    [SEARCH_PUT] = "INSERT INTO search (rowid, text) VALUES (?1, ?2)",
    [SEARCH_DELETE] = "INSERT INTO search (search, rowid, text) VALUES ('delete', ?1, ?2)",
    [SEARCH_UP_TO] = "SELECT n FROM searched WHERE kind = ?1",
    [SEARCH_MOVE] = MOVE,
};
#define TOUCH "BEGIN; INSERT INTO search (rowid, text) VALUES (-1, 'x')"
#define ROWS_BETWEEN "SELECT id, n FROM %s WHERE n > %lld AND n <= %lld ORDER BY n"

static enum ocop_status ask(struct ocop_store *s, enum search_question q, sqlite3_stmt **out,
                            struct ocop_error *err)
{
    return prepared(s, &s->db->search[q], search_questions[q], out, err);
}

/* --- words ----------------------------------------------------------------------------------- */

bool store_search_is_word(uint8_t c)
{
    return c >= 0x80 || isalnum(c);
}

static void list_text(struct buf *out, const struct field_rule *list, struct span element)
{
    struct field v;

    for (const struct field_rule *r = list->items; r && r->number; r++) {
        if (!(r->flags & FIELD_SEARCH) || !element_get(element, r->number, &v) ||
            v.type != VALUE_BYTES)
            continue;
        buf_byte(out, ' ');
        text_fold(out, v.bytes);
    }
}

void store_search_text(const struct kind *k, const struct fields *f, struct buf *out)
{
    buf_clear(out);
    for (size_t i = 0; k && i < f->count; i++) {
        const struct field *v = &f->v[i];
        const struct field_rule *r = kind_field(k, v->number);
        if (!r || v->op != FIELD_SET)
            continue;
        if (rule_is_list(r) && v->type == VALUE_ELEMENT) {
            list_text(out, r, v->bytes);
        } else if ((r->flags & (FIELD_SEARCH | FIELD_LABEL)) && v->type == VALUE_BYTES) {
            buf_byte(out, ' ');
            text_fold(out, v->bytes);
        }
    }
}

/* --- what is in the index -------------------------------------------------------------------- */

int64_t store_row_key(uint32_t kind, int64_t n)
{
    return n * KIND_BITS + (kind_by_number(kind) ? (int64_t)kind : 0);
}

enum ocop_status store_searched(struct ocop_store *s, uint32_t kind, int64_t *n,
                                struct ocop_error *err)
{
    struct db *db = s->db;
    sqlite3_stmt *st = NULL;
    enum ocop_status status;

    *n = db->open ? db->searched[kind] : -1;
    if (*n >= 0)
        return OCOP_OK;
    status = ask(s, SEARCH_UP_TO, &st, err);
    if (status)
        return status;
    put_int(st, 1, kind);
    status = one_number(s, st, n, err);
    if (!status)
        db->searched[kind] = *n;
    return status;
}

void store_searched_forget(struct db *db)
{
    for (size_t k = 0; k < KIND_COUNT_PLUS_1; k++)
        db->searched[k] = -1;
    memset(db->searched_moves, 0, sizeof db->searched_moves);
    db->searches_all = false;
}

static void move(struct db *db, uint32_t kind, int64_t n)
{
    db->searched[kind] = n;
    db->searched_moves[kind] = true;
}

enum ocop_status store_searched_write(struct ocop_store *s, struct ocop_error *err)
{
    struct db *db = s->db;
    sqlite3_stmt *st = NULL;
    enum ocop_status status = OCOP_OK;

    for (uint32_t k = 0; !status && k < KIND_COUNT_PLUS_1; k++) {
        if (!db->searched_moves[k])
            continue;
        status = ask(s, SEARCH_MOVE, &st, err);
        if (status)
            return status;
        put_int(st, 1, k);
        put_int(st, 2, (uint64_t)db->searched[k]);
        status = run(s, st, err);
        db->searched_moves[k] = false;
    }
    return status;
}

/* When SQLite rolled back by itself, in the middle of a write of the index's own, the index goes on
 * with counts of what is gone, and calls the file damaged later. It reads them anew after a
 * transaction that it took part in. */
void store_search_refresh(struct db *db)
{
    bool touched = sqlite3_exec(db->sqlite, TOUCH, NULL, NULL, NULL) == SQLITE_OK;

    if (!sqlite3_get_autocommit(db->sqlite) &&
        sqlite3_exec(db->sqlite, "ROLLBACK", NULL, NULL, NULL) == SQLITE_OK && touched)
        db->stale = false;
}

/* --- putting in and taking out ---------------------------------------------------------------- */

static enum ocop_status write(struct ocop_store *s, enum search_question q, uint32_t kind,
                              int64_t n, const struct buf *text, struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    enum ocop_status status;

    if (text->failed)
        return err_nomem(err);
    if (text->len == 0)
        return OCOP_OK;
    status = ask(s, q, &st, err);
    if (status)
        return status;
    put_int(st, 1, (uint64_t)store_row_key(kind, n));
    (void)sqlite3_bind_text64(st, 2, (const char *)text->p, text->len, SQLITE_STATIC, SQLITE_UTF8);
    return run(s, st, err);
}

typedef enum ocop_status row_fn(struct ocop_store *s, uint32_t kind, int64_t n,
                                const struct buf *text, void *self, struct ocop_error *err);

/* The words of each row of the kind above `from` up to `to`. */
static enum ocop_status each_row(struct ocop_store *s, uint32_t kind, int64_t from, int64_t to,
                                 row_fn *fn, void *self, struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    struct buf sql, text;
    struct arena a;
    enum ocop_status status;
    bool row = true;

    buf_init(&sql, KIB(4));
    buf_init(&text, SEARCH_TEXT_MAX);
    arena_init(&a, ARENA_SAVE_MAX);
    buf_printf(&sql, ROWS_BETWEEN, row_table(kind), (long long)from, (long long)to);
    status = prepare(s, &sql, &st, err);
    while (!status && !(status = step(s, st, &row, err)) && row) {
        struct fields f;
        struct row_meta meta;
        struct id id;
        if (!get_id(st, 0, &id))
            status = damaged("an id", err);
        if (!status)
            status = row_load(s->db->rows, kind, &id, &a, &f, &meta, err);
        if (!status) {
            store_search_text(kind_by_number(kind), &f, &text);
            status = fn(s, kind, meta.n, &text, self, err);
        }
        arena_reset(&a);
    }
    (void)sqlite3_finalize(st);
    arena_fini(&a);
    buf_fini(&text);
    buf_fini(&sql);
    return status;
}

static enum ocop_status put_row(struct ocop_store *s, uint32_t kind, int64_t n,
                                const struct buf *text, void *self, struct ocop_error *err)
{
    (void)self;
    return write(s, SEARCH_PUT, kind, n, text, err);
}

void store_search_expect(struct ocop_store *s, size_t records)
{
    s->db->searches_all = records >= SEARCH_WAITING_MAX;
}

enum ocop_status store_search_put(struct ocop_store *s, uint32_t kind, int64_t n,
                                  const struct fields *f, struct ocop_error *err)
{
    struct db *db = s->db;
    const struct kind *k = kind_by_number(kind);
    int64_t up_to = 0;
    enum ocop_status st = k ? store_searched(s, kind, &up_to, err) : OCOP_OK;

    if (st || !k)
        return st;
    if (n > up_to) {
        if (!db->searches_all && n - up_to < SEARCH_WAITING_MAX)
            return OCOP_OK;
        if (n - up_to > 1)
            st = each_row(s, kind, up_to, n - 1, put_row, NULL, err);
        if (st)
            return st;
        move(db, kind, n);
    }
    store_search_text(k, f, &db->new_text);
    return write(s, SEARCH_PUT, kind, n, &db->new_text, err);
}

enum ocop_status store_search_replace(struct ocop_store *s, uint32_t kind, int64_t n,
                                      const struct fields *old, const struct fields *f,
                                      struct ocop_error *err)
{
    struct db *db = s->db;
    const struct kind *k = kind_by_number(kind);
    int64_t up_to = 0;
    enum ocop_status st = k ? store_searched(s, kind, &up_to, err) : OCOP_OK;

    if (st || !k || n > up_to)
        return st;
    store_search_text(k, old, &db->old_text);
    store_search_text(k, f, &db->new_text);
    if (!db->old_text.failed && span_eq(buf_span(&db->old_text), buf_span(&db->new_text)))
        return OCOP_OK;
    st = write(s, SEARCH_DELETE, kind, n, &db->old_text, err);
    return st ? st : write(s, SEARCH_PUT, kind, n, &db->new_text, err);
}

enum ocop_status store_search_drop(struct ocop_store *s, uint32_t kind, int64_t n,
                                   const struct fields *old, struct ocop_error *err)
{
    const struct kind *k = kind_by_number(kind);
    int64_t up_to = 0;
    enum ocop_status st = k ? store_searched(s, kind, &up_to, err) : OCOP_OK;

    if (st || !k || n > up_to)
        return st;
    store_search_text(k, old, &s->db->old_text);
    return write(s, SEARCH_DELETE, kind, n, &s->db->old_text, err);
}

/* --- rows that wait --------------------------------------------------------------------------- */

/* Has the text a word that begins like this? */
static bool has_word(struct span text, struct span prefix)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!store_search_is_word(text.p[i]) || (i && store_search_is_word(text.p[i - 1])))
            continue;
        if (text.len - i >= prefix.len && memcmp(text.p + i, prefix.p, prefix.len) == 0)
            return true;
    }
    return false;
}

struct waiting {
    const char *match;
    struct buf *out;
};

/* Of a match ("hoa"* "lac"*), all words must be there. */
static enum ocop_status match_row(struct ocop_store *s, uint32_t kind, int64_t n,
                                  const struct buf *text, void *self, struct ocop_error *err)
{
    const struct waiting *w = self;

    (void)s, (void)kind;
    if (text->failed)
        return err_nomem(err);
    for (const char *word = strchr(w->match, '"'); word; word = strchr(word, '"')) {
        const size_t len = strcspn(++word, "\"");
        if (!has_word(buf_span(text), span_of(word, len)))
            return OCOP_OK;
        word += len + 1;
    }
    buf_printf(w->out, "%c%lld", w->out->len ? ',' : '[', (long long)n);
    return w->out->failed ? err_nomem(err) : OCOP_OK;
}

enum ocop_status store_search_waiting(struct ocop_store *s, uint32_t kind, const char *match,
                                      struct buf *out, struct ocop_error *err)
{
    struct waiting w = {match, out};
    int64_t up_to = 0;
    enum ocop_status st = store_searched(s, kind, &up_to, err);

    buf_clear(out);
    if (!st)
        st = each_row(s, kind, up_to, INT64_MAX, match_row, &w, err);
    if (out->len)
        buf_byte(out, ']');
    return st;
}
