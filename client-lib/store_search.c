/* The words that records are found by, and when they go into the index of them. Each word of a
 * record lies on another page of the index, so new rows wait: of each kind, those up to a number
 * (table searched) are in the index, and the few above it are read through by whoever searches.
 * Knows no query but for its words. */
#include "store_words.h"

/* --- SQL ------------------------------------------------------------------------------------- */

#define MOVE                                                                                       \
    "INSERT INTO searched (kind, n, sum) VALUES (?1, ?2, row_sum(?1, ?2)) "                        \
    "ON CONFLICT (kind) DO UPDATE SET n = excluded.n, sum = excluded.sum"
static const char *const search_questions[SEARCH_QUESTIONS] = {
    [SEARCH_UP_TO] = "SELECT n FROM searched WHERE kind = ?1",
    [SEARCH_MOVE] = MOVE,
};
#define UNSEARCHED "SELECT 1 FROM meta WHERE key = 'unsearched'"
#define SEARCHED "DELETE FROM meta WHERE key = 'unsearched'"
#define LAST_ROW "SELECT max(n) FROM %s"
#define ROWS_BETWEEN "SELECT id, n FROM %s WHERE n > %lld AND n <= %lld ORDER BY n"

static enum ocop_status ask(struct ocop_store *s, enum search_question q, sqlite3_stmt **out,
                            struct ocop_error *err)
{
    return prepared(s, &s->db->search[q], search_questions[q], out, err);
}

/* --- words ----------------------------------------------------------------------------------- */

static bool is_word(uint8_t c)
{
    return c >= 0x80 || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool store_word_next(struct span text, size_t *at, struct span *word)
{
    while (*at < text.len && !is_word(text.p[*at]))
        ++*at;
    const size_t from = *at;
    while (*at < text.len && is_word(text.p[*at]))
        ++*at;
    *word = span_of(text.p + from, *at - from);
    return word->len > 0;
}

/* With what waits here over it a record may have more than a page holds: it is found by the words
 * that there is room for. One too large is no reason to save, find or take in nothing any more. */
static void add_text(struct buf *out, struct span text)
{
    if (out->len + FOLD_GROWTH_MAX * text.len + SEARCH_REFS_MAX >= SEARCH_TEXT_MAX)
        return;
    buf_byte(out, ' ');
    text_fold(out, text);
}

static void list_text(struct buf *out, const struct field_rule *list, struct span element)
{
    struct field v;

    for (const struct field_rule *r = list->items; r && r->number; r++) {
        if (!(r->flags & FIELD_SEARCH) || !element_get(element, r->number, &v) ||
            v.type != VALUE_BYTES)
            continue;
        add_text(out, v.bytes);
    }
}

/* Texts are folded: none has a capital letter. Seven bits in each byte, so that it is a word. */
void store_search_ref(struct buf *out, char what, struct span id)
{
    uint32_t bits = 0;
    int count = 0;

    buf_byte(out, ' ');
    buf_byte(out, (uint8_t)what);
    for (size_t i = 0; i < id.len; i++) {
        bits = bits << 8 | id.p[i];
        for (count += 8; count >= 7; count -= 7)
            buf_byte(out, (uint8_t)(0x80 | (bits >> (count - 7) & 0x7f)));
    }
    if (count)
        buf_byte(out, (uint8_t)(0x80 | (bits << (7 - count) & 0x7f)));
}

static void ref_text(struct buf *out, const struct field_rule *r, const struct field *v)
{
    if (v->type != VALUE_BYTES || v->bytes.len != ID_LEN)
        return;
    if (v->number == FIELD_UNIT)
        store_search_ref(out, REF_UNIT, v->bytes);
    else if (strcmp(r->desc->name, "producer_id") == 0)
        store_search_ref(out, REF_PRODUCER, v->bytes);
    else if (strcmp(r->desc->name, "product_id") == 0)
        store_search_ref(out, REF_PRODUCT, v->bytes);
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
            add_text(out, v->bytes);
        } else {
            ref_text(out, r, v);
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

    *n = db->open ? db->searched[kind] : UNASKED;
    if (*n != UNASKED)
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

static void move(struct db *db, uint32_t kind, int64_t n)
{
    db->searched[kind] = n;
    db->searched_moves[kind] = true;
}

void store_searched_forget(struct db *db)
{
    words_forget(db);
    for (size_t k = 0; k < KIND_COUNT_PLUS_1; k++)
        db->searched[k] = UNASKED;
    memset(db->searched_moves, 0, sizeof db->searched_moves);
    db->searches_all = false;
}

enum ocop_status store_searched_write(struct ocop_store *s, struct ocop_error *err)
{
    struct db *db = s->db;
    sqlite3_stmt *st = NULL;
    enum ocop_status status = words_write(s, err);

    for (uint32_t k = 0; !status && k < KIND_COUNT_PLUS_1; k++) {
        /* Its words stay until it is made anew: to clear them takes room on the disk, which a save
         * may not have, and pages that can be read. */
        if (db->words_damaged[k])
            move(db, k, SEARCH_VOID);
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

static bool any_damaged(const struct db *db)
{
    bool any = false;

    for (uint32_t k = 0; k < KIND_COUNT_PLUS_1; k++)
        any |= db->words_damaged[k];
    return any;
}

bool store_search_again(const struct ocop_store *s)
{
    return s->db->words_unread;
}

/* If it fails, whoever meets the damage next tries it again. */
void store_search_void(struct ocop_store *s)
{
    enum ocop_status st;

    if (!any_damaged(s->db))
        return;
    (void)sqlite3_busy_timeout(s->db->sqlite, 0);
    st = db_exec(s->db->sqlite, "BEGIN IMMEDIATE", NULL);
    if (!st)
        st = store_searched_write(s, NULL);
    if (!st)
        st = db_exec(s->db->sqlite, "COMMIT", NULL);
    if (!st)
        memset(s->db->words_damaged, 0, sizeof s->db->words_damaged);
    else if (!sqlite3_get_autocommit(s->db->sqlite))
        (void)sqlite3_exec(s->db->sqlite, "ROLLBACK", NULL, NULL, NULL);
    (void)sqlite3_busy_timeout(s->db->sqlite, BUSY_TIMEOUT_MS);
}

/* --- putting in and taking out ---------------------------------------------------------------- */

static enum ocop_status note(struct ocop_store *s, uint32_t kind, int64_t n, const struct buf *text,
                             bool gone, struct ocop_error *err)
{
    return text->failed ? err_nomem(err) : words_note(s, kind, n, buf_span(text), gone, err);
}

typedef enum ocop_status row_fn(struct ocop_store *s, uint32_t kind, int64_t n,
                                const struct buf *text, void *self, struct ocop_error *err);

/* ocop_check names it; it shall not keep others from being saved and found. */
static bool is_skipped(struct ocop_store *s, uint32_t kind, int64_t n, enum ocop_status loaded)
{
    if (loaded != OCOP_EDAMAGED && loaded != OCOP_EPROTO && loaded != OCOP_ELIMIT)
        return false;
    env_log(s->env, ENV_WARN, "record_unreadable", "kind=%u n=%lld", kind, (long long)n);
    return true;
}

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
        struct ocop_error why = {0};
        struct fields f;
        struct row_meta meta;
        struct id id;
        status = get_id(st, 0, &id) ? row_load(s->db->rows, kind, &id, &a, &f, &meta, &why)
                                    : damaged("an id", &why);
        if (is_skipped(s, kind, sqlite3_column_int64(st, 1), status)) {
            status = OCOP_OK;
        } else if (status) {
            if (err)
                *err = why;
        } else {
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
    return note(s, kind, n, text, false, err);
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
    if (up_to == SEARCH_VOID)
        return OCOP_OK;
    if (n > up_to) {
        if (!db->searches_all && n - up_to < SEARCH_WAITING_MAX)
            return OCOP_OK;
        /* An index that was not made when the store was opened: not in the middle of a save. */
        if (n - up_to > 2 * SEARCH_WAITING_MAX)
            return OCOP_OK;
        if (n - up_to > 1)
            st = each_row(s, kind, up_to, n - 1, put_row, NULL, err);
        if (st)
            return st;
        move(db, kind, n);
    }
    store_search_text(k, f, &db->new_text);
    return note(s, kind, n, &db->new_text, false, err);
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
    st = note(s, kind, n, &db->old_text, true, err);
    return st ? st : note(s, kind, n, &db->new_text, false, err);
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
    return note(s, kind, n, &s->db->old_text, true, err);
}

/* --- rows that wait, so many that they were never put in ------------------------------------- */

static enum ocop_status rows_waiting(struct ocop_store *s, uint32_t kind, int64_t *from,
                                     int64_t *last, struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    struct buf sql;
    enum ocop_status status;

    *last = 0;
    buf_init(&sql, KIB(4));
    buf_printf(&sql, LAST_ROW, row_table(kind));
    status = prepare(s, &sql, &st, err);
    if (!status)
        status = one_number(s, st, last, err);
    if (!status)
        status = store_searched(s, kind, from, err);
    (void)sqlite3_finalize(st);
    buf_fini(&sql);
    return status;
}

static enum ocop_status put_kind(struct ocop_store *s, uint32_t kind, struct ocop_error *err)
{
    int64_t from = 0, last = 0;
    enum ocop_status st = rows_waiting(s, kind, &from, &last, err);

    if (!st && from == SEARCH_VOID) {
        st = words_clear(s, kind, err);
        from = 0;
        move(s->db, kind, 0);
    }
    if (st || last <= from)
        return st;
    st = each_row(s, kind, from, last, put_row, NULL, err);
    if (!st)
        move(s->db, kind, last);
    return st;
}

static enum ocop_status is_marked(struct ocop_store *s, bool *out, struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    int64_t marked = 0;
    enum ocop_status status = OCOP_OK;

    if (sqlite3_prepare_v2(s->db->sqlite, UNSEARCHED, -1, &st, NULL) != SQLITE_OK)
        status = db_error(s->db->sqlite, err, "reading what is in the search index");
    if (!status)
        status = one_number(s, st, &marked, err);
    (void)sqlite3_finalize(st);
    *out = marked != 0;
    return status;
}

/* A store from before the index says so; one whose index was damaged has rows that wait. */
static enum ocop_status is_behind(struct ocop_store *s, bool *out, struct ocop_error *err)
{
    int64_t from = 0, last = 0;
    enum ocop_status st = is_marked(s, out, err);

    for (size_t i = 0; !st && !*out && i < kind_count(); i++) {
        st = rows_waiting(s, kind_at(i)->number, &from, &last, err);
        *out = from == SEARCH_VOID || last - from >= SEARCH_WAITING_MAX;
    }
    return st;
}

/* `anew`: its table too, which could not be cleared. */
static enum ocop_status put_all(struct ocop_store *s, bool anew, struct ocop_error *err)
{
    bool behind = false;
    enum ocop_status st = store_begin(s, err);

    if (st)
        return st;
    st = is_behind(s, &behind, err); /* another process may have been here first */
    if (!st && behind && anew)
        st = words_anew(s, err);
    for (uint32_t k = 0; !st && behind && anew && k < KIND_COUNT_PLUS_1; k++)
        move(s->db, k, 0);
    for (size_t i = 0; !st && behind && i < kind_count(); i++)
        st = put_kind(s, kind_at(i)->number, err);
    if (!st)
        st = db_exec(s->db->sqlite, SEARCHED, err);
    if (!st)
        st = store_commit(s, err);
    if (st && !store_rollback(s))
        st = err_set(err, OCOP_EBROKEN, "the store cannot be rolled back; open it again");
    return st;
}

/* Everything is found without the index too, so that nobody waits for it and nothing fails. */
enum ocop_status store_search_first(struct ocop_store *s, struct ocop_error *err)
{
    struct ocop_error why = {0};
    bool behind;
    enum ocop_status st = is_behind(s, &behind, err);

    if (st || !behind)
        return st;
    (void)sqlite3_busy_timeout(s->db->sqlite, 0);
    st = put_all(s, false, &why);
    if (st == OCOP_EDAMAGED)
        st = put_all(s, true, &why);
    (void)sqlite3_busy_timeout(s->db->sqlite, BUSY_TIMEOUT_MS);
    if (st)
        env_log(s->env, ENV_WARN, "search_index_not_made", "status=%s", err_name(st));
    memset(s->db->words_damaged, 0, sizeof s->db->words_damaged);
    if (st == OCOP_EBROKEN && err)
        *err = why;
    return st == OCOP_EBROKEN ? st : OCOP_OK;
}

/* --- who has all words ------------------------------------------------------------------------ */

static bool has_wanted(struct span text, const struct wanted *w)
{
    struct span word;

    for (size_t at = 0; store_word_next(text, &at, &word);)
        if (words_want(w, word))
            return true;
    return false;
}

struct waiting {
    const struct wanted *wanted;
    size_t count;
    struct arena *arena;
    struct word_hits *hits;
};

static enum ocop_status match_row(struct ocop_store *s, uint32_t kind, int64_t n,
                                  const struct buf *text, void *self, struct ocop_error *err)
{
    const struct waiting *w = self;

    (void)s, (void)kind;
    if (text->failed)
        return err_nomem(err);
    for (size_t i = 0; i < w->count; i++)
        if (!has_wanted(buf_span(text), &w->wanted[i]))
            return OCOP_OK;
    return words_hit(w->hits, n, w->arena, err);
}

enum ocop_status store_search(struct ocop_store *s, uint32_t kind, const struct wanted *wanted,
                              size_t count, struct arena *a, struct word_hits *out,
                              struct ocop_error *err)
{
    struct waiting w = {wanted, count, a, out};
    int64_t up_to = 0;
    enum ocop_status st = store_searched(s, kind, &up_to, err);

    if (!st)
        st = words_find(s, kind, up_to, wanted, count, a, out, err);
    if (!st)
        st = each_row(s, kind, s->db->words_damaged[kind] ? SEARCH_VOID : up_to, INT64_MAX,
                      match_row, &w, err);
    return st;
}
