/* The index of words: table words, what a transaction is going to write into it, and who has all
 * words of a question. Knows no kinds and no records, only which row of which kind. */
#include "store_words.h"

#include <stdlib.h>

/* --- SQL ------------------------------------------------------------------------------------- */

static const char *const words_questions[WORDS_QUESTIONS] = {
    [WORDS_GET] = "SELECT rows FROM words WHERE kind = ?1 AND block = ?2 AND word = ?3",
    [WORDS_PUT] = "INSERT INTO words (kind, block, word, rows) VALUES (?1, ?2, ?3, ?4) "
                  "ON CONFLICT (kind, block, word) DO UPDATE SET rows = excluded.rows",
    [WORDS_DROP] = "DELETE FROM words WHERE kind = ?1 AND block = ?2 AND word = ?3",
    [WORDS_BLOCK] = "SELECT block FROM words WHERE kind = ?1 AND block > ?2 ORDER BY block LIMIT 1",
    [WORDS_FROM] = "SELECT word, rows FROM words WHERE kind = ?1 AND block = ?2 AND word >= ?3 "
                   "ORDER BY word",
    [WORDS_CLEAR] = "DELETE FROM words WHERE kind = ?1 AND block >= ?2",
};
/* Of the table, when it cannot be cleared. */
#define DEFINED "SELECT sql FROM sqlite_schema WHERE name = 'words'"
#define DROP "DROP TABLE words"

static enum ocop_status ask(struct ocop_store *s, enum words_question q, uint32_t kind,
                            int64_t block, sqlite3_stmt **out, struct ocop_error *err)
{
    enum ocop_status status = prepared(s, &s->db->word[q], words_questions[q], out, err);

    if (status)
        return status;
    put_int(*out, 1, kind);
    put_int(*out, 2, (uint64_t)block);
    return OCOP_OK;
}

/* The index is made of the records, so that it is damaged fails neither a save nor a search: with
 * the end of the transaction the index of the kind is void, and it is made anew (store_search.c).
 * What met a page that SQLite cannot read is done once more, without the index. */
static void found_damaged(struct ocop_store *s, uint32_t kind)
{
    if (!s->db->words_damaged[kind])
        env_log(s->env, ENV_WARN, "search_index_damaged", "kind=%u", kind);
    s->db->words_damaged[kind] = true;
}

/* A page of the table that cannot be read is damage of the index, not of the store. */
static enum ocop_status index_only(struct ocop_store *s, uint32_t kind, enum ocop_status st)
{
    if (st != OCOP_EDAMAGED)
        return st;
    found_damaged(s, kind);
    s->db->words_unread = true;
    return OCOP_OK;
}

/* --- made anew ------------------------------------------------------------------------------- */

enum ocop_status words_clear(struct ocop_store *s, uint32_t kind, struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    enum ocop_status status = ask(s, WORDS_CLEAR, kind, INT64_MIN, &st, err);

    return status ? status : run(s, st, err);
}

enum ocop_status words_anew(struct ocop_store *s, struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    struct buf sql;
    bool row = false;
    enum ocop_status status = OCOP_OK;

    buf_init(&sql, KIB(4));
    if (sqlite3_prepare_v2(s->db->sqlite, DEFINED, -1, &st, NULL) != SQLITE_OK)
        status = db_error(s->db->sqlite, err, "reading the schema");
    if (!status)
        status = step(s, st, &row, err);
    if (!status && row)
        buf_str(&sql, (const char *)sqlite3_column_text(st, 0));
    (void)sqlite3_finalize(st);
    if (!status && (!row || sql.failed))
        status = row ? err_nomem(err) : damaged("the search index", err);
    if (!status)
        status = db_exec(s->db->sqlite, DROP, err);
    if (!status)
        status = db_exec(s->db->sqlite, buf_cstr(&sql), err);
    buf_fini(&sql);
    return status;
}

/* --- a block's rows -------------------------------------------------------------------------- */

bool block_read(struct span packed, struct block_rows *out)
{
    int row = -1;
    bool between = true; /* a row has just been read: none, or one */

    memset(out, 0, sizeof *out);
    for (size_t i = 0; i < packed.len; i++) {
        between = packed.p[i] != 0;
        row += between ? packed.p[i] : UINT8_MAX;
        if (row >= BLOCK_ROWS)
            return false;
        if (between)
            out->part[row / BLOCK_BITS] |= UINT64_C(1) << row % BLOCK_BITS;
    }
    return packed.len > 0 && between;
}

/* Returns its length. */
static size_t block_pack(const struct block_rows *rows, uint8_t out[BLOCK_ROWS])
{
    size_t len = 0;
    int last = -1;

    for (int part = 0; part < BLOCK_PARTS; part++) {
        for (uint64_t left = rows->part[part]; left; left &= left - 1) {
            const int row = part * BLOCK_BITS + __builtin_ctzll(left);
            int gap = row - last;
            for (; gap > UINT8_MAX; gap -= UINT8_MAX)
                out[len++] = 0;
            out[len++] = (uint8_t)gap;
            last = row;
        }
    }
    return len;
}

static bool block_is_empty(const struct block_rows *rows)
{
    uint64_t any = 0;

    for (int i = 0; i < BLOCK_PARTS; i++)
        any |= rows->part[i];
    return !any;
}

/* --- what is going to be written ------------------------------------------------------------- */

enum { BUCKETS = 4096, NOTED_BYTES_MAX = MIB(1) };

/* A word in a block: which rows will have it, and which no more. */
struct noted_word {
    struct noted_word *next; /* in its bucket */
    struct block_rows here, gone;
    int64_t block;
    uint32_t kind, hash;
    struct span word;
};

struct noted {
    struct arena arena;
    size_t count;
    struct noted_word *bucket[BUCKETS];
};

void words_fini(struct db *db)
{
    if (db->noted)
        arena_fini(&db->noted->arena);
    free(db->noted);
    db->noted = NULL;
}

void words_forget(struct db *db)
{
    struct noted *noted = db->noted;

    if (!noted || noted->count == 0)
        return;
    arena_reset(&noted->arena);
    memset(noted->bucket, 0, sizeof noted->bucket);
    noted->count = 0;
}

static struct noted *noted_of(struct db *db)
{
    if (db->noted)
        return db->noted;
    db->noted = calloc(1, sizeof *db->noted);
    if (db->noted)
        arena_init(&db->noted->arena, ARENA_SAVE_MAX);
    return db->noted;
}

static struct noted_word *noted_word(struct noted *noted, uint32_t kind, int64_t block,
                                     struct span word)
{
    uint32_t h = kind * 31 + (uint32_t)block;
    struct noted_word *w;

    for (size_t i = 0; i < word.len; i++)
        h = (h ^ word.p[i]) * UINT32_C(0x01000193);
    for (w = noted->bucket[h % BUCKETS]; w; w = w->next)
        if (w->hash == h && w->block == block && w->kind == kind && span_eq(w->word, word))
            return w;
    w = arena_calloc(&noted->arena, 1, sizeof *w);
    if (w)
        w->word = span_of(arena_dup(&noted->arena, word.p, word.len), word.len);
    if (!w || !w->word.p)
        return NULL;
    w->kind = kind;
    w->block = block;
    w->hash = h;
    w->next = noted->bucket[h % BUCKETS];
    noted->bucket[h % BUCKETS] = w;
    noted->count++;
    return w;
}

enum ocop_status words_note(struct ocop_store *s, uint32_t kind, int64_t n, struct span text,
                            bool gone, struct ocop_error *err)
{
    const unsigned row = (unsigned)(n % BLOCK_ROWS);
    const uint64_t bit = UINT64_C(1) << row % BLOCK_BITS;
    struct noted *noted = noted_of(s->db);
    struct span word;
    size_t at = 0;
    enum ocop_status st = OCOP_OK;

    if (!noted)
        return err_nomem(err);
    if (n < 0)
        return damaged("the number of a row", err);
    while (!st && store_word_next(text, &at, &word)) {
        struct noted_word *w = noted_word(noted, kind, n / BLOCK_ROWS, word);
        if (!w)
            return err_nomem(err);
        uint64_t *here = &w->here.part[row / BLOCK_BITS], *not = &w->gone.part[row / BLOCK_BITS];
        *here = gone ? *here & ~bit : *here | bit;
        *not = gone ? *not | bit : *not &~bit;
        if (noted->arena.used > NOTED_BYTES_MAX)
            st = words_write(s, err);
    }
    return st;
}

static int by_key(const void *one, const void *two)
{
    const struct noted_word *const *a = one, *const *b = two;

    if ((*a)->kind != (*b)->kind)
        return (*a)->kind < (*b)->kind ? -1 : 1;
    if ((*a)->block != (*b)->block)
        return (*a)->block < (*b)->block ? -1 : 1;
    return span_cmp((*a)->word, (*b)->word);
}

static enum ocop_status write_word(struct ocop_store *s, const struct noted_word *w,
                                   struct ocop_error *err)
{
    struct block_rows rows = {{0}};
    uint8_t packed[BLOCK_ROWS];
    sqlite3_stmt *st = NULL;
    bool there = false, sound = true;
    enum ocop_status status;

    if (s->db->words_damaged[w->kind])
        return OCOP_OK;
    status = ask(s, WORDS_GET, w->kind, w->block, &st, err);
    if (status)
        return status;
    put_bytes(st, 3, w->word);
    status = step(s, st, &there, err);
    if (!status && there)
        sound = block_read(get_span(st, 0), &rows);
    done(st);
    if (!sound) {
        found_damaged(s, w->kind);
        return OCOP_OK;
    }
    for (int i = 0; i < BLOCK_PARTS; i++)
        rows.part[i] = (rows.part[i] & ~w->gone.part[i]) | w->here.part[i];
    const bool empty = block_is_empty(&rows);
    if (status || (empty && !there))
        return status;
    status = ask(s, empty ? WORDS_DROP : WORDS_PUT, w->kind, w->block, &st, err);
    if (status)
        return status;
    put_bytes(st, 3, w->word);
    if (!empty)
        put_bytes(st, 4, span_of(packed, block_pack(&rows, packed)));
    return run(s, st, err);
}

/* SQLite writes nothing any more once it has met a damaged page. */
static enum ocop_status unwritable(struct ocop_store *s, struct ocop_error *err)
{
    env_log(s->env, ENV_WARN, "search_index_damaged", "kind=all");
    s->db->words_unread = true;
    for (uint32_t k = 1; k < KIND_COUNT_PLUS_1; k++)
        s->db->words_damaged[k] = true;
    return err_set(err, OCOP_EBUSY,
                   "the search index is damaged and was set aside, nothing else is; try again");
}

enum ocop_status words_write(struct ocop_store *s, struct ocop_error *err)
{
    struct noted *noted = s->db->noted;
    struct noted_word **all;
    size_t count = 0;
    enum ocop_status st = OCOP_OK;

    if (!noted || noted->count == 0)
        return OCOP_OK;
    all = arena_alloc(&noted->arena, noted->count * sizeof *all);
    if (!all)
        return err_nomem(err);
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct noted_word *w = noted->bucket[i]; w; w = w->next)
            all[count++] = w;
    /* In the order of the table: each of its pages is met once. */
    qsort(all, count, sizeof *all, by_key);
    for (size_t i = 0; !st && i < count; i++)
        st = write_word(s, all[i], err);
    if (st == OCOP_EDAMAGED)
        st = unwritable(s, err);
    if (!st)
        words_forget(s->db);
    return st;
}

/* --- who has them ---------------------------------------------------------------------------- */

static enum ocop_status next_block(struct ocop_store *s, uint32_t kind, int64_t *block, bool *found,
                                   struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    enum ocop_status status = ask(s, WORDS_BLOCK, kind, *block, &st, err);

    *found = false;
    if (status)
        return status;
    status = step(s, st, found, err);
    if (!status && *found)
        *block = sqlite3_column_int64(st, 0);
    done(st);
    return status;
}

static int by_bytes(const void *one, const void *two)
{
    const struct span *a = one, *b = two;

    return span_cmp(*a, *b);
}

bool words_want(const struct wanted *w, struct span word)
{
    if (w->count != 1)
        return bsearch(&word, w->any, w->count, sizeof word, by_bytes) != NULL;
    return word.len >= w->any->len && memcmp(word.p, w->any->p, w->any->len) == 0;
}

/* Of `rows`, those that have what is wanted. */
static enum ocop_status keep_wanted(struct ocop_store *s, uint32_t kind, int64_t block,
                                    const struct wanted *w, struct block_rows *rows,
                                    struct ocop_error *err)
{
    struct block_rows any = {{0}}, one;
    sqlite3_stmt *st = NULL;
    bool row = true;
    enum ocop_status status = ask(s, WORDS_FROM, kind, block, &st, err);

    if (status)
        return status;
    put_bytes(st, 3, w->any[0]);
    while (!(status = step(s, st, &row, err)) && row) {
        const struct span word = get_span(st, 0);
        if (!words_want(w, word)) {
            if (w->count == 1 || span_cmp(word, w->any[w->count - 1]) > 0)
                break;
            continue;
        }
        if (!block_read(get_span(st, 1), &one)) {
            found_damaged(s, kind);
            break;
        }
        for (int i = 0; i < BLOCK_PARTS; i++)
            any.part[i] |= one.part[i];
    }
    done(st);
    for (int i = 0; i < BLOCK_PARTS; i++)
        rows->part[i] &= any.part[i];
    return status;
}

static enum ocop_status block_add(struct word_hits *hits, int64_t block,
                                  const struct block_rows *rows, struct arena *a,
                                  struct ocop_error *err)
{
    hits->v = arena_more(a, hits->v, hits->count, sizeof *hits->v);
    if (!hits->v)
        return err_nomem(err);
    hits->v[hits->count++] = (struct word_block){block, *rows};
    for (int i = 0; i < BLOCK_PARTS; i++)
        hits->found += (size_t)__builtin_popcountll(rows->part[i]);
    return OCOP_OK;
}

/* Rows of the block up to `up_to` of all. */
static struct block_rows rows_up_to(int64_t block, int64_t up_to)
{
    struct block_rows out = {{0}};

    for (int64_t row = 0; row < BLOCK_ROWS && block * BLOCK_ROWS + row <= up_to; row++)
        out.part[row / BLOCK_BITS] |= UINT64_C(1) << row % BLOCK_BITS;
    return out;
}

enum ocop_status words_find(struct ocop_store *s, uint32_t kind, int64_t up_to,
                            const struct wanted *wanted, size_t count, struct arena *a,
                            struct word_hits *out, struct ocop_error *err)
{
    int64_t block = -1;
    bool more = true;
    enum ocop_status st = OCOP_OK;

    memset(out, 0, sizeof *out);
    while (!st && more && up_to > 0 && !s->db->words_damaged[kind]) {
        st = index_only(s, kind, next_block(s, kind, &block, &more, err));
        more = more && block <= up_to / BLOCK_ROWS;
        if (st || !more)
            break;
        struct block_rows rows = rows_up_to(block, up_to);
        out->blocks_looked++;
        for (size_t i = 0; !st && i < count && !block_is_empty(&rows); i++)
            st = index_only(s, kind, keep_wanted(s, kind, block, &wanted[i], &rows, err));
        if (!st && !block_is_empty(&rows))
            st = block_add(out, block, &rows, a, err);
    }
    if (s->db->words_damaged[kind])
        memset(out, 0, sizeof *out);
    return st;
}

enum ocop_status words_hit(struct word_hits *hits, int64_t n, struct arena *a,
                           struct ocop_error *err)
{
    const struct block_rows none = {{0}};
    const unsigned row = (unsigned)(n % BLOCK_ROWS);
    enum ocop_status st = OCOP_OK;

    if (hits->count == 0 || hits->v[hits->count - 1].block != n / BLOCK_ROWS)
        st = block_add(hits, n / BLOCK_ROWS, &none, a, err);
    if (st)
        return st;
    hits->v[hits->count - 1].rows.part[row / BLOCK_BITS] |= UINT64_C(1) << row % BLOCK_BITS;
    hits->found++;
    return OCOP_OK;
}

bool words_has(const struct word_hits *hits, int64_t n)
{
    size_t low = 0, high = hits->count;

    while (low < high) {
        const size_t mid = (low + high) / 2;
        if (hits->v[mid].block < n / BLOCK_ROWS)
            low = mid + 1;
        else
            high = mid;
    }
    return n >= 0 && low < hits->count && hits->v[low].block == n / BLOCK_ROWS &&
           block_has(&hits->v[low].rows, (unsigned)(n % BLOCK_ROWS));
}
