/* What the files of the store share: its connection, and the small change of SQLite statements.
 * Knows no tables but for the state of a record. */
#ifndef CLIENT_STORE_DB_H
#define CLIENT_STORE_DB_H

#include "migrate.h"
#include "row.h"
#include "store.h"
#include "sum.h"
#include "text.h"

/* The state of a record, as enum ocop_record_state: what needs attention first. */
#define STATE_OF(id)                                                                               \
    "CASE WHEN EXISTS (SELECT 1 FROM outbox WHERE record = " id " AND state = 4) THEN 6 "          \
    "WHEN EXISTS (SELECT 1 FROM cases WHERE record = " id " AND resolution IS NULL) THEN 5 "       \
    "WHEN EXISTS (SELECT 1 FROM cases WHERE other = " id " AND resolution IS NULL) THEN 5 "        \
    "WHEN EXISTS (SELECT 1 FROM outbox WHERE record = " id " AND state <> 1) THEN 2 "              \
    "WHEN EXISTS (SELECT 1 FROM outbox WHERE record = " id ") THEN 1 "                             \
    "WHEN EXISTS (SELECT 1 FROM own WHERE record = " id " AND merged = 1) THEN 4 ELSE 3 END"

enum { QUESTIONS_MAX = 128, SEARCH_TEXT_MAX = MIB(3), SEARCH_REFS_MAX = 256 };
_Static_assert(FOLD_GROWTH_MAX *STATE_BYTES_MAX + SEARCH_REFS_MAX <= SEARCH_TEXT_MAX,
               "a record that a page holds is found by all of its words");
/* So many new rows of a kind may wait for the search index. */
enum { SEARCH_WAITING_MAX = 64 };
/* In table searched, for a row: the kind's words say nothing until they are made anew; in memory,
 * that nobody has asked yet. */
enum { SEARCH_VOID = -1, UNASKED = -2 };
enum search_question { SEARCH_UP_TO, SEARCH_MOVE, SEARCH_QUESTIONS };
enum words_question {
    WORDS_GET,
    WORDS_PUT,
    WORDS_DROP,
    WORDS_BLOCK,
    WORDS_FROM,
    WORDS_CLEAR,
    WORDS_QUESTIONS
};

struct word_hits;
struct wanted;
struct noted;

struct db {
    sqlite3 *sqlite;
    struct cipher_key key;
    bool open; /* between store_begin and the decision to commit or to roll back */
    struct rows *rows;
    struct buf old_text, new_text;     /* of search; kept for their memory */
    int64_t data_version;              /* SQLite's own, of the file as last asked for */
    sqlite3_stmt *stmt[QUESTIONS_MAX]; /* by question, see store_sql.h */
    sqlite3_stmt *search[SEARCH_QUESTIONS];
    sqlite3_stmt *word[WORDS_QUESTIONS];
    struct noted *noted;          /* words of this transaction, see store_words.c */
    const struct word_hits *hits; /* of the question that is being asked, for found() */
    /* By kind, in this transaction: up to which row the index goes, or UNASKED; it moved; and rows
     * are put in at once. */
    int64_t searched[KIND_COUNT_PLUS_1];
    bool searched_moves[KIND_COUNT_PLUS_1];
    bool searches_all;
    bool words_damaged[KIND_COUNT_PLUS_1]; /* found by whoever wrote or searched; until a commit
                                              says so */
    bool words_unread; /* in this transaction, or the one that just ended: a page of the index
                          cannot be read, and nothing is written, or of an encrypted file read,
                          after that */
};

/** Remove what an interrupted change of key left beside the file, which is open. */
void store_key_tidy(const char *path);

enum { KIND_BITS = 64 }; /* in keys of sums, beside n */
_Static_assert((int)KIND_COUNT_PLUS_1 <= (int)KIND_BITS,
               "a kind fits beside n in the key of a sum");

/** Take one row of table meta; false when it cannot be what its key says (store_identity.c). */
bool identity_key(struct identity *me, const char *key, struct span v);
/** Number of a record in table sums. Kinds that are unknown here have one
 * table, and no number. */
int64_t store_row_key(uint32_t kind, int64_t n);
/** The tables beside those of the kinds, and how their rows are summed; ends without a name. */
extern const struct sum_table store_summed[];
/** What the sum of a record must be. */
uint64_t store_record_sum(uint32_t kind, const struct id *id, const struct fields *f,
                          const struct row_meta *meta);
OCOP_MUST_USE enum ocop_status store_sum_put(struct ocop_store *s, uint32_t kind,
                                             const struct id *id, const struct fields *f, int64_t n,
                                             const struct row_meta *meta, struct ocop_error *err);
/** Sum all records of a store that is older than the sums. */
OCOP_MUST_USE enum ocop_status store_sum_first(struct ocop_store *s, struct ocop_error *err);

/* --- store_search.c --- */

/** Up to which row of the kind the index goes. */
OCOP_MUST_USE enum ocop_status store_searched(struct ocop_store *s, uint32_t kind, int64_t *n,
                                              struct ocop_error *err);
/** At the beginning of a transaction. */
void store_searched_forget(struct db *db);
/** Say, in a transaction of its own, of which kinds the index was found damaged. */
void store_search_void(struct ocop_store *s);
/** A row is new; has other fields; goes. */
OCOP_MUST_USE enum ocop_status store_search_put(struct ocop_store *s, uint32_t kind, int64_t n,
                                                const struct fields *f, struct ocop_error *err);
OCOP_MUST_USE enum ocop_status store_search_replace(struct ocop_store *s, uint32_t kind, int64_t n,
                                                    const struct fields *old,
                                                    const struct fields *f, struct ocop_error *err);
OCOP_MUST_USE enum ocop_status store_search_drop(struct ocop_store *s, uint32_t kind, int64_t n,
                                                 const struct fields *old, struct ocop_error *err);
/** A word that no text has, for what a record refers to. */
void store_search_ref(struct buf *out, char what, struct span id);
enum { REF_UNIT = 'U', REF_PRODUCER = 'P', REF_PRODUCT = 'R' };
/** Rows that have all of `wanted`, those that wait for the index too. */
OCOP_MUST_USE enum ocop_status store_search(struct ocop_store *s, uint32_t kind,
                                            const struct wanted *wanted, size_t count,
                                            struct arena *a, struct word_hits *out,
                                            struct ocop_error *err);
/** Put all records of a store that is older than the index into it. */
OCOP_MUST_USE enum ocop_status store_search_first(struct ocop_store *s, struct ocop_error *err);

/** Give the connection what the questions of ocop_find need. */
OCOP_MUST_USE enum ocop_status store_find_open(struct ocop_store *s, struct ocop_error *err);

/* --- statements ------------------------------------------------------------------------------ */

static inline void put_bytes(sqlite3_stmt *st, int at, struct span v)
{
    /* Binding fails only for memory or a wrong index; the step then fails with the same code. */
    (void)sqlite3_bind_blob64(st, at, v.len ? (const void *)v.p : "", v.len, SQLITE_STATIC);
}

static inline void put_id(sqlite3_stmt *st, int at, const struct id *id)
{
    put_bytes(st, at, id_span(id));
}

static inline void put_int(sqlite3_stmt *st, int at, uint64_t v)
{
    (void)sqlite3_bind_int64(st, at, (sqlite3_int64)v);
}

static inline void put_text(sqlite3_stmt *st, int at, const char *v)
{
    (void)sqlite3_bind_text(st, at, v, -1, SQLITE_STATIC);
}

/* The statement of a slot, prepared when it is first asked for. */
static inline enum ocop_status prepared(struct ocop_store *s, sqlite3_stmt **slot, const char *sql,
                                        sqlite3_stmt **out, struct ocop_error *err)
{
    if (!*slot && sqlite3_prepare_v3(s->db->sqlite, sql, -1, SQLITE_PREPARE_PERSISTENT, slot,
                                     NULL) != SQLITE_OK)
        return db_error(s->db->sqlite, err, "preparing a statement");
    *out = *slot;
    return OCOP_OK;
}

static inline void done(sqlite3_stmt *st)
{
    (void)sqlite3_reset(st);
    (void)sqlite3_clear_bindings(st);
}

/* One row or none. The caller calls done(). */
static inline enum ocop_status step(struct ocop_store *s, sqlite3_stmt *st, bool *row,
                                    struct ocop_error *err)
{
    int code = sqlite3_step(st);

    *row = code == SQLITE_ROW;
    if (code == SQLITE_ROW || code == SQLITE_DONE)
        return OCOP_OK;
    return db_error(s->db->sqlite, err, "the store");
}

/* A statement without rows, and the end of it. */
static inline enum ocop_status run(struct ocop_store *s, sqlite3_stmt *st, struct ocop_error *err)
{
    bool row;
    enum ocop_status status = step(s, st, &row, err);

    done(st);
    return status;
}

/* The only number of a statement's only row. */
static inline enum ocop_status one_number(struct ocop_store *s, sqlite3_stmt *st, int64_t *out,
                                          struct ocop_error *err)
{
    bool row;
    enum ocop_status status = step(s, st, &row, err);

    *out = !status && row ? sqlite3_column_int64(st, 0) : 0;
    done(st);
    return status;
}

/* Prepare what was put together for one kind; the caller finalises. */
static inline enum ocop_status prepare(struct ocop_store *s, struct buf *sql, sqlite3_stmt **out,
                                       struct ocop_error *err)
{
    *out = NULL;
    if (sql->failed)
        return err_nomem(err);
    if (sqlite3_prepare_v2(s->db->sqlite, buf_cstr(sql), -1, out, NULL) != SQLITE_OK)
        return db_error(s->db->sqlite, err, "preparing a statement");
    return OCOP_OK;
}

static inline bool get_id(sqlite3_stmt *st, int at, struct id *out)
{
    const void *p = sqlite3_column_blob(st, at);

    memset(out, 0, sizeof *out);
    return id_from(span_of(p, (size_t)sqlite3_column_bytes(st, at)), out);
}

/* Until the statement's next step. */
static inline struct span get_span(sqlite3_stmt *st, int at)
{
    const void *p = sqlite3_column_blob(st, at);

    return span_of(p, (size_t)sqlite3_column_bytes(st, at));
}

static inline bool get_bytes(sqlite3_stmt *st, int at, struct arena *a, struct span *out)
{
    const void *p = sqlite3_column_blob(st, at);
    size_t len = (size_t)sqlite3_column_bytes(st, at);
    char *copy = arena_dup(a, p ? p : "", len);

    *out = span_of(copy, copy ? len : 0);
    return copy != NULL;
}

/* "" for NULL. */
static inline const char *get_text(sqlite3_stmt *st, int at, struct arena *a)
{
    const void *p = sqlite3_column_text(st, at);

    return arena_dup(a, p ? p : "", p ? (size_t)sqlite3_column_bytes(st, at) : 0);
}

static inline enum ocop_status damaged(const char *what, struct ocop_error *err)
{
    return err_set(err, OCOP_EDAMAGED,
                   "the store is damaged: %s; check it and restore it from a backup", what);
}

#endif
