/* What ocop_check asks the database itself: is the file whole, is each row what was written, is the
 * search index that of the records? All statements stand at the top. */
#include <stdio.h>
#include <stdlib.h>

#include "migrate.h"
#include "store_words.h"

#define CHECK_FILE "PRAGMA integrity_check"
#define RECORDS "SELECT id FROM %s"
#define RECORDS_UNKNOWN "SELECT id, kind FROM %s"
#define SUM_OF "SELECT sum FROM sums WHERE row = ?1"
#define SUMS_COUNT "SELECT count(*) FROM sums"
#define UNSUMMED "SELECT 1 FROM meta WHERE key = 'unsummed'"
#define SUMMED "DELETE FROM meta WHERE key = 'unsummed'"
#define WORDS "SELECT kind, block, word, rows FROM words"
#define WORD "SELECT rows FROM words WHERE kind = ?1 AND block = ?2 AND word = ?3"

/* --- sums of records ----------------------------------------------------------------------------
 */

/* The two versions are added at the end, so that SQL can move them (CLAMP_SUMS of store.c). Of what
 * was changed later than the record was born, the difference counts: on a device there is none. */
uint64_t store_record_sum(uint32_t kind, const struct id *id, const struct fields *f,
                          const struct row_meta *meta)
{
    uint64_t h = sum_bytes(sum_word(0, kind), id->b, ID_LEN);

    h = sum_bytes(h, meta->anchor.b, ID_LEN);
    for (size_t i = 0; i < f->count; i++) {
        const struct field *v = &f->v[i];
        h = sum_word(h, (uint64_t)v->number << 32 | (uint64_t)v->op << 16 | v->type);
        h = sum_word(h, v->base - meta->born);
        h = sum_bytes(sum_word(h, v->key.len), v->key.p, v->key.len);
        if (v->type == VALUE_INT)
            h = sum_word(h, (uint64_t)v->i);
        else
            h = sum_bytes(sum_word(h, v->bytes.len), v->bytes.p, v->bytes.len);
    }
    return (h & UINT64_C(0xffffffffffff)) + meta->version + 3 * meta->born;
}

/* One number of the first row; `none` when there is no row. */
static enum ocop_status number(struct ocop_store *s, const char *sql, int64_t key, int64_t none,
                               int64_t *out, struct ocop_error *err)
{
    sqlite3 *db = s->db->sqlite;
    sqlite3_stmt *st = NULL;
    int code = sqlite3_prepare_v2(db, sql, -1, &st, NULL);

    *out = none;
    if (code == SQLITE_OK && sqlite3_bind_parameter_count(st) > 0)
        code = sqlite3_bind_int64(st, 1, key);
    if (code == SQLITE_OK && (code = sqlite3_step(st)) == SQLITE_ROW)
        *out = sqlite3_column_int64(st, 0);
    (void)sqlite3_finalize(st);
    return code == SQLITE_ROW || code == SQLITE_DONE ? OCOP_OK
                                                     : db_error(db, err, "reading the sums");
}

/* Every record of the store, of kinds that nobody here knows too. */
typedef enum ocop_status record_fn(struct ocop_store *s, uint32_t kind, const struct id *id,
                                   void *self, struct ocop_error *err);

static enum ocop_status each_record(struct ocop_store *s, record_fn *fn, void *self,
                                    struct ocop_error *err)
{
    sqlite3 *db = s->db->sqlite;
    sqlite3_stmt *st = NULL;
    char sql[120];
    struct id id;
    int code = SQLITE_DONE;
    enum ocop_status status = OCOP_OK;

    for (uint32_t k = 0; !status && k <= kind_count(); k++) {
        (void)snprintf(sql, sizeof sql, k ? RECORDS : RECORDS_UNKNOWN, row_table(k));
        code = sqlite3_prepare_v2(db, sql, -1, &st, NULL);
        while (code == SQLITE_OK && !status && (code = sqlite3_step(st)) == SQLITE_ROW) {
            (void)id_from(span_of(sqlite3_column_blob(st, 0), (size_t)sqlite3_column_bytes(st, 0)),
                          &id);
            status = fn(s, k ? k : (uint32_t)sqlite3_column_int64(st, 1), &id, self, err);
            code = SQLITE_OK;
        }
        if (!status && code != SQLITE_DONE)
            status = db_error(db, err, "reading the records");
        (void)sqlite3_finalize(st);
        st = NULL;
    }
    return status;
}

static enum ocop_status sum_one(struct ocop_store *s, uint32_t kind, const struct id *id,
                                void *self, struct ocop_error *err)
{
    struct row_meta meta;
    struct fields f;
    struct arena a;
    enum ocop_status st;

    (void)self;
    arena_init(&a, ARENA_SAVE_MAX);
    st = row_load(s->db->rows, kind, id, &a, &f, &meta, err);
    if (!st)
        st = store_sum_put(s, kind, id, &f, meta.n, &meta, err);
    arena_fini(&a);
    return st;
}

enum ocop_status store_sum_first(struct ocop_store *s, struct ocop_error *err)
{
    int64_t unsummed = 0;
    enum ocop_status st = number(s, UNSUMMED, 0, 0, &unsummed, err);

    if (st || !unsummed)
        return st;
    st = store_begin(s, err);
    if (st)
        return st;
    st = number(s, UNSUMMED, 0, 0, &unsummed, err); /* another process may have been here first */
    if (!st && unsummed)
        st = each_record(s, sum_one, NULL, err);
    if (!st)
        st = db_exec(s->db->sqlite, SUMMED, err);
    if (!st)
        st = store_commit(s, err);
    if (st)
        (void)store_rollback(s);
    return st;
}

/* --- words --------------------------------------------------------------------------------------
 */

/* A sum of what (word, record) pairs there are, in any order. */
static void words_add(struct store_words *w, const void *word, size_t len, int64_t rowid)
{
    const uint8_t *p = word;
    uint64_t h = (uint64_t)rowid * UINT64_C(0x9e3779b97f4a7c15);

    for (size_t i = 0; i < len; i++)
        h = (h ^ p[i]) * UINT64_C(0x100000001b3);
    w->count++;
    w->sum += h ^ h >> 32;
}

static int word_cmp(const void *one, const void *two)
{
    const struct span *a = one, *b = two;

    return span_cmp(*a, *b);
}

/* The words of a text, each once. */
static enum ocop_status split(struct span text, struct arena *a, struct span **out, size_t *count,
                              struct ocop_error *err)
{
    struct span word;
    size_t n = 0, kept = 0, at = 0;

    while (store_word_next(text, &at, &word))
        n++;
    *out = arena_alloc(a, (n + 1) * sizeof **out);
    if (!*out)
        return err_nomem(err);
    for (at = n = 0; store_word_next(text, &at, &word); n++)
        (*out)[n] = word;
    qsort(*out, n, sizeof **out, word_cmp);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || !span_eq((*out)[i], (*out)[kept - 1]))
            (*out)[kept++] = (*out)[i];
    *count = kept;
    return OCOP_OK;
}

/* Nothing of a row that waits for the index. */
static enum ocop_status words_of(struct ocop_store *s, uint32_t kind, int64_t n,
                                 const struct fields *f, struct arena *a, struct store_words *out,
                                 struct ocop_error *err)
{
    struct span *words = NULL;
    struct buf text;
    size_t count = 0;
    int64_t up_to = 0;
    enum ocop_status st = OCOP_OK;

    if (kind_by_number(kind))
        st = store_searched(s, kind, &up_to, err);
    if (st || n > up_to)
        return st;
    buf_init(&text, SEARCH_TEXT_MAX);
    store_search_text(kind_by_number(kind), f, &text);
    st = text.failed ? err_nomem(err) : split(buf_span(&text), a, &words, &count, err);
    for (size_t i = 0; !st && i < count; i++)
        words_add(out, words[i].p, words[i].len, store_row_key(kind, n));
    buf_fini(&text);
    return st;
}

void store_words_wrong(struct ocop_store *s)
{
    for (uint32_t k = 1; k < KIND_COUNT_PLUS_1; k++)
        s->db->words_damaged[k] = true;
}

/* A void index holds nothing. */
static enum ocop_status up_to_of(struct ocop_store *s, int64_t up_to[KIND_COUNT_PLUS_1],
                                 struct ocop_error *err)
{
    enum ocop_status st = OCOP_OK;

    for (uint32_t k = 1; !st && k < KIND_COUNT_PLUS_1; k++)
        st = store_searched(s, k, &up_to[k], err);
    return st;
}

enum ocop_status store_words_held(struct ocop_store *s, struct store_words *out, bool *sound,
                                  struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    struct block_rows rows;
    int64_t up_to[KIND_COUNT_PLUS_1] = {0};
    int code;
    enum ocop_status status = up_to_of(s, up_to, err);

    *out = (struct store_words){0, 0};
    *sound = true;
    if (status)
        return status;
    code = sqlite3_prepare_v2(s->db->sqlite, WORDS, -1, &st, NULL);
    while (st && (code = sqlite3_step(st)) == SQLITE_ROW) {
        const int64_t kind = sqlite3_column_int64(st, 0), block = sqlite3_column_int64(st, 1);
        const struct span word = get_span(st, 2);
        if (kind > 0 && kind < KIND_COUNT_PLUS_1 && up_to[kind] == SEARCH_VOID)
            continue;
        *sound &= kind > 0 && kind < KIND_COUNT_PLUS_1 && block >= 0 &&
                  block <= INT64_MAX / BLOCK_ROWS / KIND_BITS - 1 &&
                  block_read(get_span(st, 3), &rows);
        for (unsigned row = 0; *sound && row < BLOCK_ROWS; row++)
            if (block_has(&rows, row))
                words_add(out, word.p, word.len,
                          store_row_key((uint32_t)kind, block * BLOCK_ROWS + row));
    }
    if (code != SQLITE_DONE)
        status = db_error(s->db->sqlite, err, "reading the search index");
    if (status == OCOP_EDAMAGED) {
        *sound = false;
        status = OCOP_OK;
    }
    (void)sqlite3_finalize(st);
    return status;
}

static enum ocop_status has_word(struct ocop_store *s, sqlite3_stmt *st, struct span word,
                                 int64_t n, bool *out, struct ocop_error *err)
{
    struct block_rows rows;
    enum ocop_status status;

    put_int(st, 2, (uint64_t)(n / BLOCK_ROWS));
    put_bytes(st, 3, word);
    status = step(s, st, out, err);
    if (!status && *out)
        *out = block_read(get_span(st, 0), &rows) && block_has(&rows, (unsigned)(n % BLOCK_ROWS));
    (void)sqlite3_reset(st);
    return status;
}

enum ocop_status store_words_found(struct ocop_store *s, uint32_t kind, const struct id *id,
                                   struct arena *a, bool *out, struct ocop_error *err)
{
    struct row_meta meta;
    struct fields f;
    struct span *words = NULL;
    struct buf text;
    size_t count = 0;
    int64_t up_to = 0;
    sqlite3_stmt *st = NULL;
    enum ocop_status status = row_load(s->db->rows, kind, id, a, &f, &meta, err);

    *out = true;
    if (!status)
        status = store_searched(s, kind, &up_to, err);
    if (status || meta.n > up_to)
        return status;
    buf_init(&text, SEARCH_TEXT_MAX);
    store_search_text(kind_by_number(kind), &f, &text);
    status = text.failed ? err_nomem(err) : split(buf_span(&text), a, &words, &count, err);
    if (!status && sqlite3_prepare_v2(s->db->sqlite, WORD, -1, &st, NULL) != SQLITE_OK)
        status = db_error(s->db->sqlite, err, "reading the search index");
    if (!status)
        put_int(st, 1, kind);
    for (size_t i = 0; !status && *out && i < count; i++)
        status = has_word(s, st, words[i], meta.n, out, err);
    (void)sqlite3_finalize(st);
    buf_fini(&text);
    return status;
}

struct record_check {
    void (*found)(void *self, const char *row);
    void *self;
    struct store_words *words;
    int64_t records, unread;
    struct arena arena;
};

/* One that was listed just now and is not found by its kind and id is damaged too. */
static bool is_unreadable(enum ocop_status st)
{
    return st == OCOP_EDAMAGED || st == OCOP_EPROTO || st == OCOP_ELIMIT || st == OCOP_ENOTFOUND;
}

static enum ocop_status check_record(struct ocop_store *s, uint32_t kind, const struct id *id,
                                     void *self, struct ocop_error *err)
{
    struct record_check *c = self;
    struct row_meta meta = {.n = 0};
    struct fields f = {NULL, 0};
    int64_t sum = 0;
    char row[120], name[ID_TEXT_LEN + 1];
    enum ocop_status st;

    c->records++;
    arena_reset(&c->arena);
    st = row_load(s->db->rows, kind, id, &c->arena, &f, &meta, err);
    if (!st)
        st = number(s, SUM_OF, store_row_key(kind, meta.n), 0, &sum, err);
    if (!st)
        st = words_of(s, kind, meta.n, &f, &c->arena, c->words, err);
    if (is_unreadable(st))
        c->unread++;
    else if (st || (uint64_t)sum == store_record_sum(kind, id, &f, &meta))
        return st;
    (void)snprintf(row, sizeof row, "%s %s", row_table(kind), id_text(*id, name));
    c->found(c->self, row);
    return OCOP_OK;
}

enum ocop_status store_sums(struct ocop_store *s, void (*found)(void *self, const char *row),
                            void *self, struct store_words *words, bool *all,
                            struct ocop_error *err)
{
    struct record_check c = {.found = found, .self = self, .words = words};
    int64_t sums = 0;
    enum ocop_status st;

    arena_init(&c.arena, ARENA_REQUEST_MAX);
    st = each_record(s, check_record, &c, err);
    for (size_t i = 0; !st && store_summed[i].name; i++)
        st = sum_check(s->db->sqlite, &store_summed[i], found, self, err);
    if (!st)
        st = number(s, SUMS_COUNT, 0, 0, &sums, err);
    if (!st && sums > c.records)
        found(self, "sums");
    *all = c.unread == 0;
    arena_fini(&c.arena);
    return st;
}

struct schema_check {
    void (*each)(void *self, const char *line);
    void *self;
};

static void found_in_schema(void *self, const char *name)
{
    const struct schema_check *c = self;
    char line[160];

    (void)snprintf(line, sizeof line, "%.80s is not defined as this program defines it", name);
    c->each(c->self, line);
}

enum ocop_status store_integrity(struct ocop_store *s, void (*each)(void *self, const char *line),
                                 void *self, struct ocop_error *err)
{
    sqlite3 *db = s->db->sqlite;
    sqlite3_stmt *st = NULL;
    int code = sqlite3_prepare_v2(db, CHECK_FILE, -1, &st, NULL);
    enum ocop_status status = OCOP_OK;

    while (st && (code = sqlite3_step(st)) == SQLITE_ROW) {
        const char *line = (const char *)sqlite3_column_text(st, 0);
        if (line && strcmp(line, "ok") != 0)
            each(self, line);
    }
    if (code != SQLITE_DONE)
        status = db_error(db, err, "checking the file");
    (void)sqlite3_finalize(st);
    return status ? status
                  : migrate_check(db, MIGRATE_STORE, found_in_schema,
                                  &(struct schema_check){each, self}, err);
}
