/* The store's database: all SQL of the client stands in the tables at the top, and each question
 * is a function with a name. Knows rows and statements; decides nothing about changes or syncs. */
#include "store_db.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "text.h"

/* --- SQL ------------------------------------------------------------------------------------- */

#define OUTBOX_COLUMNS                                                                             \
    "n, record, kind, state, seq, idx, change, reason, field, "                                    \
    "sum IS NOT row_sum(record, kind, state, seq, idx, change, reason, field)"

/* Each row's sum is written with it (sum.h): of the columns of store_summed in their order. */
#define OUTBOX_SUM(state, seq, idx, change, reason, field)                                         \
    "sum = row_sum(record, kind, " state ", " seq ", " idx ", " change ", " reason ", " field ")"
#define OUTBOX_SUM_READY OUTBOX_SUM("2", "NULL", "NULL", "change", "NULL", "NULL")
#define SEALED_SUM(acked) "sum = row_sum(replica, seq, hash, " acked ")"
#define BASE_SUM(version, fields, departed)                                                        \
    "sum = row_sum(record, kind, " version ", born, " fields ", " departed ")"

enum question {
    Q_DATA_VERSION,
    Q_META,
    Q_META_ALL,
    Q_META_SET,
    Q_SUM_PUT,
    Q_SUM_DROP,
    Q_OUTBOX_ADD,
    Q_OUTBOX_OF,
    Q_OUTBOX_HAS,
    Q_OUTBOX_READY,
    Q_OUTBOX_OF_SET,
    Q_OUTBOX_ONE,
    Q_OUTBOX_PUT_BACK,
    Q_OUTBOX_RESEAL,
    Q_OUTBOX_ALL,
    Q_OUTBOX_SEALED,
    Q_OUTBOX_SETTLED,
    Q_OUTBOX_REWRITE,
    Q_OUTBOX_RESEND,
    Q_OUTBOX_DELETE,
    Q_OUTBOX_UNSEAL,
    Q_OUTBOX_DISOWN,
    Q_OUTBOX_COUNT,
    Q_SEALED_ADD,
    Q_SEALED_UNACKED,
    Q_SEALED_UNACKED_COUNT,
    Q_SEALED_ONE,
    Q_SEALED_ACK,
    Q_SEALED_UNACK,
    Q_SEALED_DROP,
    Q_SEALED_BELOW,
    Q_SEALED_EACH,
    Q_BASE,
    Q_BASE_PUT,
    Q_BASE_DELETE,
    Q_BASE_DEPART,
    Q_BASE_DEPARTED,
    Q_BASE_CLAMP,
    Q_BASE_ORPHANS,
    Q_OWN,
    Q_OWN_ANY,
    Q_OWN_MERGED,
    Q_OWN_TAKEN,
    Q_CASE_PUT,
    Q_CASE_DELETE,
    Q_CASES_OF,
    Q_CASES_ANY_OPEN,
    Q_CASES_FORGET,
    Q_STUB_PUT,
    Q_STUB_EXISTS,
    Q_COUNTER,
    Q_COUNTER_PUT,
    Q_UNSEEN_CLEAR,
    Q_UNSEEN_MET,
    Q_UNSEEN_SOME,
    Q_UNKNOWN_ALL,
    Q_STATE,
    Q_COUNTS,
    Q_COUNT
};

static const char *const questions[Q_COUNT] = {
    [Q_DATA_VERSION] = "PRAGMA data_version",
    [Q_META] = "SELECT value FROM meta WHERE key = ?1",
    [Q_META_ALL] = "SELECT key, value FROM meta",
    [Q_META_SET] = "INSERT INTO meta (key, value, sum) VALUES (?1, ?2, row_sum(?1, ?2)) "
                   "ON CONFLICT (key) DO UPDATE SET value = excluded.value, sum = excluded.sum",
    [Q_SUM_PUT] = "INSERT OR REPLACE INTO sums (row, sum) VALUES (?1, ?2)",
    [Q_SUM_DROP] = "DELETE FROM sums WHERE row = ?1",
    [Q_OUTBOX_ADD] = "INSERT INTO outbox (record, kind, state, change, sum) VALUES "
                     "(?1, ?2, ?3, ?4, row_sum(?1, ?2, ?3, NULL, NULL, ?4))",
    [Q_OUTBOX_OF] = "SELECT " OUTBOX_COLUMNS " FROM outbox WHERE record = ?1 ORDER BY state = 1, n",
    [Q_OUTBOX_HAS] = "SELECT 1 FROM outbox WHERE record = ?1 LIMIT 1",
    [Q_OUTBOX_READY] = "SELECT " OUTBOX_COLUMNS " FROM outbox WHERE state = 2 ORDER BY n LIMIT ?1",
    [Q_OUTBOX_OF_SET] = "SELECT " OUTBOX_COLUMNS " FROM outbox WHERE seq = ?1 ORDER BY idx",
    [Q_OUTBOX_ONE] = "SELECT " OUTBOX_COLUMNS " FROM outbox WHERE seq = ?1 AND idx = ?2 "
                     "AND (?3 IS NULL OR record = ?3)",
    [Q_OUTBOX_PUT_BACK] = "INSERT INTO outbox (n, record, kind, state, change, seq, idx, sum) "
                          "VALUES ((SELECT coalesce(min(n), 1) - 1 FROM outbox), ?1, ?2, 3, ?3, "
                          "?4, ?5, row_sum(?1, ?2, 3, ?4, ?5, ?3))",
    [Q_OUTBOX_RESEAL] = "UPDATE outbox SET state = 2, seq = NULL, idx = NULL, reason = NULL, "
                        "field = NULL, " OUTBOX_SUM_READY " WHERE state IN (3, 5)",
    [Q_OUTBOX_ALL] = "SELECT " OUTBOX_COLUMNS " FROM outbox ORDER BY n",
    [Q_OUTBOX_SEALED] = "UPDATE outbox SET state = 3, seq = ?2, idx = ?3, " OUTBOX_SUM(
        "3", "?2", "?3", "change", "reason", "field") " WHERE n = ?1",
    [Q_OUTBOX_SETTLED] = "UPDATE outbox SET state = ?2, reason = ?3, field = ?4, " OUTBOX_SUM(
        "?2", "seq", "idx", "change", "?3", "?4") " WHERE n = ?1",
    [Q_OUTBOX_REWRITE] = "UPDATE outbox SET change = ?2, " OUTBOX_SUM(
        "state", "seq", "idx", "?2", "reason", "field") " WHERE n = ?1",
    [Q_OUTBOX_RESEND] = "UPDATE outbox SET state = 2, seq = NULL, idx = NULL, reason = NULL, "
                        "field = NULL, " OUTBOX_SUM_READY " WHERE n = ?1",
    [Q_OUTBOX_DELETE] = "DELETE FROM outbox WHERE n = ?1",
    [Q_OUTBOX_UNSEAL] = "UPDATE outbox SET state = 2, seq = NULL, idx = NULL, " OUTBOX_SUM(
        "2", "NULL", "NULL", "change", "reason", "field") " WHERE seq >= ?1 AND state = 3",
    [Q_OUTBOX_DISOWN] = "UPDATE outbox SET seq = -seq, " OUTBOX_SUM(
        "state", "-seq", "idx", "change", "reason", "field") " WHERE seq > 0 AND state = 4",
    [Q_OUTBOX_COUNT] = "SELECT state, count(*) FROM outbox GROUP BY state",
    [Q_SEALED_ADD] = "INSERT INTO sealed (replica, seq, hash, signature, body, acked, sum) "
                     "VALUES (?1, ?2, ?3, ?4, ?5, 0, row_sum(?1, ?2, ?3, 0))",
    [Q_SEALED_UNACKED] = "SELECT replica, seq, hash, signature, body, acked FROM sealed "
                         "WHERE acked = 0 AND replica = ?1 ORDER BY seq LIMIT ?2",
    [Q_SEALED_UNACKED_COUNT] = "SELECT count(*) FROM sealed WHERE acked = 0 AND replica = ?1",
    [Q_SEALED_ONE] = "SELECT acked, hash FROM sealed WHERE replica = ?1 AND seq = ?2",
    [Q_SEALED_ACK] =
        "UPDATE sealed SET acked = ?3, " SEALED_SUM("?3") " WHERE replica = ?1 AND seq = ?2",
    [Q_SEALED_UNACK] = "UPDATE sealed SET acked = 0, " SEALED_SUM(
        "0") " WHERE replica = ?1 AND seq > ?2 AND acked > 0",
    [Q_SEALED_DROP] = "DELETE FROM sealed WHERE replica = ?1 AND seq >= ?2",
    [Q_SEALED_BELOW] = "SELECT replica, seq, hash, signature, body, acked FROM sealed "
                       "WHERE replica = ?1 AND seq < ?2 ORDER BY seq DESC LIMIT 1",
    [Q_SEALED_EACH] = "SELECT replica, seq, hash, signature, body, acked FROM sealed "
                      "ORDER BY replica, seq",
    [Q_BASE] = "SELECT version, fields FROM base WHERE record = ?1",
    [Q_BASE_PUT] = "INSERT INTO base (record, kind, version, born, fields, sum) "
                   "VALUES (?1, ?2, ?3, ?3, ?4, row_sum(?1, ?2, ?3, ?3, ?4, 0)) "
                   "ON CONFLICT (record) DO UPDATE SET version = excluded.version, fields = "
                   "excluded.fields, " BASE_SUM("excluded.version", "excluded.fields", "departed"),
    [Q_BASE_DELETE] = "DELETE FROM base WHERE record = ?1",
    [Q_BASE_DEPART] =
        "UPDATE base SET departed = ?2, " BASE_SUM("version", "fields", "?2") " WHERE record = ?1",
    [Q_BASE_DEPARTED] = "SELECT kind FROM base WHERE record = ?1 AND departed = 1",
    [Q_BASE_CLAMP] = "UPDATE base SET version = min(version, ?1), departed = 0, " BASE_SUM(
        "min(version, ?1)", "fields", "0") " WHERE version > ?1 OR departed = 1",
    [Q_BASE_ORPHANS] = "SELECT count(*) FROM base WHERE NOT EXISTS "
                       "(SELECT 1 FROM outbox WHERE outbox.record = base.record)",
    [Q_OWN] = "SELECT merged, version FROM own WHERE record = ?1",
    [Q_OWN_ANY] = "SELECT 1 FROM own LIMIT 1",
    [Q_OWN_MERGED] =
        "UPDATE own SET merged = 1, sum = row_sum(record, kind, 1, version) WHERE record = ?1",
    [Q_OWN_TAKEN] = "INSERT INTO own (record, kind, merged, version, sum) VALUES (?1, ?2, 0, ?3, "
                    "row_sum(?1, ?2, 0, ?3)) "
                    "ON CONFLICT (record) DO UPDATE SET version = max(version, excluded.version), "
                    "sum = row_sum(record, kind, merged, max(version, excluded.version))",
    [Q_CASE_PUT] =
        "INSERT INTO cases (id, kind, record, cause, field, base, theirs, mine, other, resolution, "
        "sum) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, row_sum(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, "
        "?9, ?10)) ON CONFLICT (id) DO UPDATE "
        "SET base = excluded.base, theirs = excluded.theirs, mine = excluded.mine, "
        "other = excluded.other, resolution = excluded.resolution, sum = row_sum(id, kind, record, "
        "cause, field, "
        "excluded.base, excluded.theirs, excluded.mine, excluded.other, excluded.resolution)",
    [Q_CASE_DELETE] = "DELETE FROM cases WHERE id = ?1",
    [Q_CASES_OF] = "SELECT id, kind, record, cause, field, base, theirs, mine, other, resolution "
                   "FROM cases WHERE record = ?1 OR other = ?1 ORDER BY resolution IS NOT NULL, id",
    [Q_CASES_FORGET] = "UPDATE cases SET resolution = '', sum = row_sum(id, kind, record, cause, "
                       "field, base, theirs, mine, other, '') WHERE resolution IS NULL",
    [Q_CASES_ANY_OPEN] = "SELECT 1 FROM cases WHERE resolution IS NULL LIMIT 1",
    [Q_STUB_PUT] =
        "INSERT INTO stub (id, kind, label, sum) VALUES (?1, ?2, ?3, row_sum(?1, ?2, ?3)) "
        "ON CONFLICT (id) DO UPDATE SET kind = excluded.kind, label = excluded.label, sum = "
        "excluded.sum",
    [Q_STUB_EXISTS] = "SELECT 1 FROM stub WHERE id = ?1",
    /* Two questions: one with RETURNING takes three times as long as both. */
    [Q_COUNTER] = "SELECT value FROM counter WHERE name = ?1",
    [Q_COUNTER_PUT] = "INSERT INTO counter (name, value, sum) VALUES (?1, ?2, row_sum(?1, ?2)) "
                      "ON CONFLICT (name) DO UPDATE SET value = excluded.value, sum = excluded.sum",
    [Q_UNSEEN_CLEAR] = "DELETE FROM unseen",
    [Q_UNSEEN_MET] = "DELETE FROM unseen WHERE record = ?1",
    [Q_UNSEEN_SOME] = "SELECT record, kind FROM unseen LIMIT 500",
    [Q_UNKNOWN_ALL] = "SELECT id, kind FROM unknown_kind",
    [Q_STATE] = "SELECT " STATE_OF("?1"),
    [Q_COUNTS] = "SELECT (SELECT count(*) FROM producer) + (SELECT count(*) FROM product) + "
                 "(SELECT count(*) FROM certificate) + (SELECT count(*) FROM inspection) + "
                 "(SELECT count(*) FROM sample) + (SELECT count(*) FROM environmental_check) + "
                 "(SELECT count(*) FROM unknown_kind), "
                 "(SELECT count(*) FROM cases WHERE resolution IS NULL)",
};

/* Statements about one kind's table are put together from these pieces and row_table(). */
#define IDS_OF_UNIT "SELECT id FROM %s WHERE unit_id = ?1"
#define IDS_OF_ALL "SELECT id FROM %s"
#define CLAMP "UPDATE @ SET version = ?1, born = min(born, ?1) WHERE version > ?1"
/* Before it: by how much the versions move, as store_record_sum counts them. */
#define CLAMP_SUMS                                                                                 \
    "UPDATE sums SET sum = sum + (SELECT ?1 - version + 3 * (min(born, ?1) - born) FROM @ "        \
    "WHERE n = row / 64) WHERE row IN (SELECT n * 64 + # FROM @ WHERE version > ?1)"
#define UNSEEN_MARK                                                                                \
    "INSERT INTO unseen (record, kind, sum) SELECT id, $, row_sum(id, $) FROM @ "                  \
    "WHERE ?1 OR id NOT IN (SELECT record FROM own)"

_Static_assert((int)Q_COUNT <= (int)QUESTIONS_MAX, "every question has room for its statement");

/* --- questions ------------------------------------------------------------------------------- */

static enum ocop_status ask(struct ocop_store *s, enum question q, sqlite3_stmt **out,
                            struct ocop_error *err)
{
    return prepared(s, &s->db->stmt[q], questions[q], out, err);
}

/* --- open and close -------------------------------------------------------------------------- */

/* SQLite rolls back by itself when it meets a failing disk, even while reading, and what is written
 * after that would commit alone, statement by statement. Only store_commit commits. */
static int refuses_commit(void *self)
{
    const struct db *db = self;

    return db->open;
}

const struct sum_table store_summed[] = {
    {"meta", "key", "key, value"},
    {"outbox", "n", "record, kind, state, seq, idx, change, reason, field"},
    {"sealed", "seq", "replica, seq, hash, acked"},
    {"base", "record", "record, kind, version, born, fields, departed"},
    {"own", "record", "record, kind, merged, version"},
    {"cases", "id", "id, kind, record, cause, field, base, theirs, mine, other, resolution"},
    {"stub", "id", "id, kind, label"},
    {"unseen", "record", "record, kind"},
    {"counter", "name", "name, value"},
    {"searched", "kind", "kind, n"},
    {NULL, NULL, NULL},
};

enum ocop_status store_open(struct ocop_store *s, const char *path, bool must_exist,
                            const char *vfs, struct span secret, struct ocop_error *err)
{
    struct db *db;
    enum ocop_status st;

    if (must_exist && !vfs && access(path, F_OK) != 0)
        return err_set(err, OCOP_ENOTFOUND, "there is no store at %s", path);
    db = calloc(1, sizeof *db);
    if (!db)
        return err_nomem(err);
    buf_init(&db->old_text, SEARCH_TEXT_MAX);
    buf_init(&db->new_text, SEARCH_TEXT_MAX);
    s->db = db;
    st = db_open_keyed(path, !must_exist, false, vfs, secret, &db->key, &db->sqlite, err);
    if (!st)
        st = migrate(db->sqlite, MIGRATE_STORE, NULL, err);
    if (!st)
        (void)sqlite3_commit_hook(db->sqlite, refuses_commit, db);
    if (!st)
        st = rows_open(db->sqlite, &db->rows, err);
    if (!st)
        st = store_sum_first(s, err);
    if (st)
        store_close(s);
    else
        store_key_tidy(path);
    return st;
}

void store_close(struct ocop_store *s)
{
    if (!s->db)
        return;
    for (int q = 0; q < Q_COUNT; q++)
        (void)sqlite3_finalize(s->db->stmt[q]);
    for (int q = 0; q < SEARCH_QUESTIONS; q++)
        (void)sqlite3_finalize(s->db->search[q]);
    rows_close(s->db->rows);
    (void)sqlite3_close(s->db->sqlite);
    cipher_key_wipe(&s->db->key);
    buf_fini(&s->db->old_text);
    buf_fini(&s->db->new_text);
    free(s->db);
    s->db = NULL;
}

const char *store_path(struct ocop_store *s)
{
    return sqlite3_db_filename(s->db->sqlite, "main");
}

const char *store_vfs(struct ocop_store *s)
{
    sqlite3_vfs *vfs = NULL;

    return sqlite3_file_control(s->db->sqlite, "main", SQLITE_FCNTL_VFS_POINTER, &vfs) == SQLITE_OK
               ? vfs->zName
               : NULL;
}

enum ocop_status store_begin(struct ocop_store *s, struct ocop_error *err)
{
    enum ocop_status st;

    if (s->db->stale)
        store_search_refresh(s->db);
    st = db_exec(s->db->sqlite, "BEGIN IMMEDIATE", err);
    s->db->open = !st;
    store_searched_forget(s->db);
    return st;
}

enum ocop_status store_begin_read(struct ocop_store *s, struct ocop_error *err)
{
    return db_exec(s->db->sqlite, "BEGIN", err);
}

enum ocop_status store_commit(struct ocop_store *s, struct ocop_error *err)
{
    enum ocop_status st = store_searched_write(s, err);

    if (st)
        return st;
    s->db->open = false;
    return db_exec(s->db->sqlite, "COMMIT", err);
}

bool store_rollback(struct ocop_store *s)
{
    s->db->open = false;
    /* A failing disk may have rolled back by itself. */
    if (sqlite3_get_autocommit(s->db->sqlite))
        s->db->stale = true;
    if (!sqlite3_get_autocommit(s->db->sqlite))
        (void)sqlite3_exec(s->db->sqlite, "ROLLBACK", NULL, NULL, NULL);
    return sqlite3_get_autocommit(s->db->sqlite) != 0;
}

enum ocop_status store_overtaken(struct ocop_store *s, bool *out, struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    int64_t version = 0;
    enum ocop_status status = ask(s, Q_DATA_VERSION, &st, err);

    if (!status)
        status = one_number(s, st, &version, err);
    *out = !status && version != s->db->data_version;
    if (!status)
        s->db->data_version = version;
    return status;
}

/* --- meta ------------------------------------------------------------------------------------ */

enum ocop_status store_meta(struct ocop_store *s, const char *key, struct arena *a,
                            struct span *out, struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    bool row;
    enum ocop_status status = ask(s, Q_META, &st, err);

    *out = (struct span){NULL, 0};
    if (status)
        return status;
    put_text(st, 1, key);
    status = step(s, st, &row, err);
    if (!status && row && !get_bytes(st, 0, a, out))
        status = err_nomem(err);
    done(st);
    return status;
}

enum ocop_status store_meta_set(struct ocop_store *s, const char *key, struct span value,
                                struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    enum ocop_status status = ask(s, Q_META_SET, &st, err);

    if (status)
        return status;
    put_text(st, 1, key);
    put_bytes(st, 2, value);
    return run(s, st, err);
}

enum ocop_status store_meta_set_int(struct ocop_store *s, const char *key, uint64_t value,
                                    struct ocop_error *err)
{
    uint8_t b[8];

    for (int i = 0; i < 8; i++)
        b[i] = (uint8_t)(value >> (56 - 8 * i));
    return store_meta_set(s, key, span_of(b, sizeof b), err);
}

enum ocop_status store_seen(struct ocop_store *s, struct arena *a, uint64_t *version,
                            struct ocop_error *err)
{
    struct span v;
    enum ocop_status st = store_meta(s, "seen", a, &v, err);

    *version = 0;
    for (size_t i = 0; !st && i < v.len && i < 8; i++)
        *version = *version << 8 | v.p[i];
    return st;
}

enum ocop_status store_identity(struct ocop_store *s, struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    bool row = true;
    struct identity *me = &s->me;
    enum ocop_status status = ask(s, Q_META_ALL, &st, err);

    if (status)
        return status;
    memset(me, 0, sizeof *me);
    me->budget = SET_SEALED_BYTES_START;
    (void)snprintf(me->rule_set, sizeof me->rule_set, "ocop-26-2026");
    for (;;) {
        status = step(s, st, &row, err);
        if (status || !row)
            break;
        const char *key = (const char *)sqlite3_column_text(st, 0);
        const void *value = sqlite3_column_blob(st, 1);
        if (!identity_key(me, key ? key : "",
                          span_of(value, (size_t)sqlite3_column_bytes(st, 1)))) {
            status = damaged("what it knows about itself", err);
            break;
        }
    }
    done(st);
    return status;
}

/* --- records --------------------------------------------------------------------------------- */

enum ocop_status store_record(struct ocop_store *s, uint32_t kind, const struct id *id,
                              struct arena *a, struct fields *out, uint64_t *version,
                              struct ocop_error *err)
{
    struct row_meta meta = {0};
    enum ocop_status st = row_load(s->db->rows, kind, id, a, out, &meta, err);

    *version = st ? 0 : meta.version;
    return st;
}

enum ocop_status store_sum_put(struct ocop_store *s, uint32_t kind, const struct id *id,
                               const struct fields *f, int64_t n, const struct row_meta *meta,
                               struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    enum ocop_status status = ask(s, Q_SUM_PUT, &st, err);

    if (status)
        return status;
    put_int(st, 1, (uint64_t)store_row_key(kind, n));
    put_int(st, 2, store_record_sum(kind, id, f, meta));
    return run(s, st, err);
}

static enum ocop_status sum_drop(struct ocop_store *s, uint32_t kind, int64_t n,
                                 struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    enum ocop_status status = ask(s, Q_SUM_DROP, &st, err);

    if (status)
        return status;
    put_int(st, 1, (uint64_t)store_row_key(kind, n));
    return run(s, st, err);
}

/* The row is there: replace it, and its words where they differ. */
static enum ocop_status record_replace(struct ocop_store *s, uint32_t kind, const struct id *id,
                                       const struct fields *f, struct row_meta *meta,
                                       struct ocop_error *err)
{
    struct db *db = s->db;
    struct row_meta old_meta;
    struct fields old;
    struct arena a;
    enum ocop_status st;

    arena_init(&a, ARENA_SAVE_MAX);
    st = row_load(db->rows, kind, id, &a, &old, &old_meta, err);
    if (!st)
        st = row_update(db->rows, kind, id, f, meta, err);
    if (!st)
        st = store_sum_put(s, kind, id, f, old_meta.n, meta, err);
    if (!st)
        st = store_search_replace(s, kind, old_meta.n, &old, f, err);
    arena_fini(&a);
    return st;
}

enum ocop_status store_record_put(struct ocop_store *s, uint32_t kind, const struct id *id,
                                  struct fields *f, uint64_t version, struct ocop_error *err)
{
    struct row_meta meta = {.version = version, .born = version};
    struct ocop_error why = {0};
    enum ocop_status st;
    int64_t n = 0;

    /* The device merges nothing, so it keeps no version per field. */
    for (size_t i = 0; i < f->count; i++)
        f->v[i].base = version;
    st = row_insert(s->db->rows, kind, id, f, &meta, &n, &why);
    if (st == OCOP_ESTATE)
        return record_replace(s, kind, id, f, &meta, err);
    if (st) {
        if (err)
            *err = why;
        return st;
    }
    st = store_sum_put(s, kind, id, f, n, &meta, err);
    return st ? st : store_search_put(s, kind, n, f, err);
}

/* The cases of a record that goes go with it: nobody will tell how they end, and a record that
 * comes again brings its own. One between two records stays while the other one does. */
static enum ocop_status cases_leave(struct ocop_store *s, uint32_t kind, const struct id *record,
                                    struct arena *a, struct ocop_error *err)
{
    struct case_row *v;
    size_t count;
    enum ocop_status status = store_cases_of(s, record, a, &v, &count, err);

    for (size_t i = 0; !status && i < count; i++) {
        const struct id *other = id_eq(&v[i].record, record) ? &v[i].other : &v[i].record;
        bool stays = false;
        sqlite3_stmt *st = NULL;
        if (!id_is_zero(other))
            status = row_exists(s->db->rows, kind, other, &stays, err);
        if (!status && !stays)
            status = ask(s, Q_CASE_DELETE, &st, err);
        if (status || stays)
            continue;
        put_id(st, 1, &v[i].id);
        status = run(s, st, err);
    }
    return status;
}

enum ocop_status store_record_delete(struct ocop_store *s, uint32_t kind, const struct id *id,
                                     struct ocop_error *err)
{
    struct db *db = s->db;
    struct row_meta meta;
    struct fields old;
    struct arena a;
    bool there = false;
    enum ocop_status st = row_exists(db->rows, kind, id, &there, err);

    if (st || !there)
        return st;
    arena_init(&a, ARENA_SAVE_MAX);
    st = row_load(db->rows, kind, id, &a, &old, &meta, err);
    if (!st)
        st = store_search_drop(s, kind, meta.n, &old, err);
    if (!st)
        st = cases_leave(s, kind, id, &a, err);
    if (!st)
        st = sum_drop(s, kind, meta.n, err);
    if (!st)
        st = row_delete(db->rows, kind, id, err);
    arena_fini(&a);
    return st;
}

enum ocop_status store_record_exists(struct ocop_store *s, uint32_t kind, const struct id *id,
                                     bool *out, struct ocop_error *err)
{
    return row_exists(s->db->rows, kind, id, out, err);
}

enum ocop_status store_record_kind(struct ocop_store *s, const struct id *id, uint32_t *kind,
                                   struct ocop_error *err)
{
    *kind = 0;
    for (uint32_t k = (uint32_t)kind_count(); k >= 1; k--) {
        bool there = false;
        enum ocop_status st = row_exists(s->db->rows, k, id, &there, err);
        if (st)
            return st;
        if (there) {
            *kind = k;
            return OCOP_OK;
        }
    }
    return OCOP_OK;
}

enum ocop_status store_record_ids(struct ocop_store *s, uint32_t kind, const struct id *unit,
                                  struct arena *a, struct id **out, size_t *count,
                                  struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    struct buf sql;
    bool row;
    enum ocop_status status;

    *out = NULL;
    *count = 0;
    buf_init(&sql, KIB(4));
    buf_printf(&sql, unit ? IDS_OF_UNIT : IDS_OF_ALL, row_table(kind));
    status = prepare(s, &sql, &st, err);
    if (!status && unit)
        put_id(st, 1, unit);
    while (!status) {
        status = step(s, st, &row, err);
        if (status || !row)
            break;
        *out = grow(a, *out, *count, sizeof **out);
        if (!*out)
            status = err_nomem(err);
        else if (!get_id(st, 0, &(*out)[*count]))
            status = damaged("an id", err);
        else
            ++*count;
    }
    (void)sqlite3_finalize(st);
    buf_fini(&sql);
    return status;
}

/* Run SQL in which @ stands for a kind's table, # for its number in keys of sums, and $ for that of
 * its records; ?1 is `value`. Table 0 has the records of all kinds that are unknown here. */
static enum ocop_status in_table(struct ocop_store *s, const char *text, uint32_t kind,
                                 uint64_t value, struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    struct buf sql;
    enum ocop_status status;

    buf_init(&sql, KIB(4));
    for (const char *c = text; *c; c++)
        if (*c == '@')
            buf_str(&sql, row_table(kind));
        else if (*c == '$' && kind == 0)
            buf_str(&sql, "kind");
        else if (*c == '#' || *c == '$')
            buf_printf(&sql, "%" PRIu32, kind);
        else
            buf_byte(&sql, (uint8_t)*c);
    status = prepare(s, &sql, &st, err);
    if (!status) {
        if (sqlite3_bind_parameter_count(st) > 0)
            put_int(st, 1, value);
        status = run(s, st, err);
    }
    (void)sqlite3_finalize(st);
    buf_fini(&sql);
    return status;
}

enum ocop_status store_record_clamp(struct ocop_store *s, uint64_t version, struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    enum ocop_status status = OCOP_OK;

    for (uint32_t k = 0; !status && k <= kind_count(); k++) {
        status = in_table(s, CLAMP_SUMS, k, version, err);
        if (!status)
            status = in_table(s, CLAMP, k, version, err);
    }
    if (!status)
        status = ask(s, Q_BASE_CLAMP, &st, err);
    if (status)
        return status;
    put_int(st, 1, version);
    return run(s, st, err);
}

/* --- outbox ---------------------------------------------------------------------------------- */

static enum ocop_status pack(const struct change *c, struct buf *out, struct ocop_error *err)
{
    enum ocop_status st;

    buf_init(out, MIB(1));
    st = change_pack(c, out, err);
    if (!st && out->failed)
        st = err_nomem(err);
    return st;
}

enum ocop_status store_outbox_add(struct ocop_store *s, const struct change *c,
                                  enum outbox_state state, struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    struct buf packed;
    enum ocop_status status = pack(c, &packed, err);

    if (!status)
        status = ask(s, Q_OUTBOX_ADD, &st, err);
    if (!status) {
        put_id(st, 1, &c->record);
        put_int(st, 2, c->kind);
        put_int(st, 3, state);
        put_bytes(st, 4, buf_span(&packed));
        status = run(s, st, err);
    }
    buf_fini(&packed);
    return status;
}

static enum ocop_status outbox_row(sqlite3_stmt *st, struct arena *a, struct outbox_row *out,
                                   struct ocop_error *err)
{
    int64_t state = sqlite3_column_int64(st, 3);

    memset(out, 0, sizeof *out);
    out->n = sqlite3_column_int64(st, 0);
    if (!get_id(st, 1, &out->record) || state < OUTBOX_DRAFT || state > OUTBOX_WAITING)
        return damaged("a change of the outbox", err);
    out->kind = (uint32_t)sqlite3_column_int64(st, 2);
    out->state = (enum outbox_state)state;
    out->seq = sqlite3_column_int64(st, 4) > 0 ? (uint64_t)sqlite3_column_int64(st, 4) : 0;
    out->idx = (uint32_t)sqlite3_column_int64(st, 5);
    out->sound = !sqlite3_column_int(st, 9);
    out->reason = get_text(st, 7, a);
    out->field = get_text(st, 8, a);
    if (!get_bytes(st, 6, a, &out->change) || !out->reason || !out->field)
        return err_nomem(err);
    return OCOP_OK;
}

/* All rows of a statement; or, with `bytes`, as many as make that much. */
static enum ocop_status outbox_rows(struct ocop_store *s, sqlite3_stmt *st, size_t bytes,
                                    struct arena *a, struct outbox_rows *out,
                                    struct ocop_error *err)
{
    enum ocop_status status = OCOP_OK;
    size_t total = 0;

    *out = (struct outbox_rows){NULL, 0};
    while (!status) {
        bool row;
        status = step(s, st, &row, err);
        if (status || !row)
            break;
        total += (size_t)sqlite3_column_bytes(st, 6);
        if (out->count > 0 && total > bytes)
            break;
        out->v = grow(a, out->v, out->count, sizeof *out->v);
        if (!out->v)
            status = err_nomem(err);
        else
            status = outbox_row(st, a, &out->v[out->count], err);
        if (!status)
            out->count++;
    }
    done(st);
    return status;
}

enum ocop_status store_outbox_of(struct ocop_store *s, const struct id *record, struct arena *a,
                                 struct outbox_rows *out, struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    enum ocop_status status = ask(s, Q_OUTBOX_OF, &st, err);

    if (status)
        return status;
    put_id(st, 1, record);
    return outbox_rows(s, st, SIZE_MAX, a, out, err);
}

/* Is there a row at all, with `id` as the only parameter? */
static enum ocop_status any(struct ocop_store *s, enum question q, const struct id *id, bool *out,
                            struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    enum ocop_status status = ask(s, q, &st, err);

    *out = false;
    if (status)
        return status;
    put_id(st, 1, id);
    status = step(s, st, out, err);
    done(st);
    return status;
}

enum ocop_status store_outbox_has(struct ocop_store *s, const struct id *record, bool *out,
                                  struct ocop_error *err)
{
    return any(s, Q_OUTBOX_HAS, record, out, err);
}

enum ocop_status store_outbox_ready(struct ocop_store *s, size_t max, size_t bytes, struct arena *a,
                                    struct outbox_rows *out, struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    enum ocop_status status = ask(s, Q_OUTBOX_READY, &st, err);

    if (status)
        return status;
    put_int(st, 1, max);
    return outbox_rows(s, st, bytes, a, out, err);
}

enum ocop_status store_outbox_of_set(struct ocop_store *s, uint64_t seq, struct arena *a,
                                     struct outbox_rows *out, struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    enum ocop_status status = ask(s, Q_OUTBOX_OF_SET, &st, err);

    if (status)
        return status;
    put_int(st, 1, seq);
    return outbox_rows(s, st, SIZE_MAX, a, out, err);
}

enum ocop_status store_outbox_one(struct ocop_store *s, int64_t seq, uint32_t idx,
                                  const struct id *record, struct arena *a, bool *found,
                                  struct outbox_row *out, struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    struct outbox_rows rows;
    enum ocop_status status = ask(s, Q_OUTBOX_ONE, &st, err);

    *found = false;
    if (status)
        return status;
    (void)sqlite3_bind_int64(st, 1, seq);
    put_int(st, 2, idx);
    if (record)
        put_id(st, 3, record);
    else
        (void)sqlite3_bind_null(st, 3);
    status = outbox_rows(s, st, SIZE_MAX, a, &rows, err);
    if (!status && rows.count > 0) {
        *out = rows.v[0];
        *found = true;
    }
    return status;
}

enum ocop_status store_outbox_put_back(struct ocop_store *s, const struct change *c, int64_t seq,
                                       uint32_t idx, struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    struct buf packed;
    enum ocop_status status = pack(c, &packed, err);

    if (!status)
        status = ask(s, Q_OUTBOX_PUT_BACK, &st, err);
    if (!status) {
        put_id(st, 1, &c->record);
        put_int(st, 2, c->kind);
        put_bytes(st, 3, buf_span(&packed));
        (void)sqlite3_bind_int64(st, 4, seq);
        put_int(st, 5, idx);
        status = run(s, st, err);
    }
    buf_fini(&packed);
    return status;
}

enum ocop_status store_outbox_all(struct ocop_store *s, struct arena *a, struct outbox_rows *out,
                                  struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    enum ocop_status status = ask(s, Q_OUTBOX_ALL, &st, err);

    return status ? status : outbox_rows(s, st, SIZE_MAX, a, out, err);
}

enum ocop_status store_outbox_sealed(struct ocop_store *s, int64_t n, uint64_t seq, uint32_t idx,
                                     struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    enum ocop_status status = ask(s, Q_OUTBOX_SEALED, &st, err);

    if (status)
        return status;
    put_int(st, 1, (uint64_t)n);
    put_int(st, 2, seq);
    put_int(st, 3, idx);
    return run(s, st, err);
}

enum ocop_status store_outbox_settled(struct ocop_store *s, int64_t n, enum outbox_state state,
                                      const char *reason, const char *field, struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    enum ocop_status status = ask(s, Q_OUTBOX_SETTLED, &st, err);

    if (status)
        return status;
    put_int(st, 1, (uint64_t)n);
    put_int(st, 2, state);
    put_text(st, 3, reason);
    put_text(st, 4, field);
    return run(s, st, err);
}

enum ocop_status store_outbox_rewrite(struct ocop_store *s, int64_t n, const struct change *c,
                                      struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    struct buf packed;
    enum ocop_status status = pack(c, &packed, err);

    if (!status)
        status = ask(s, Q_OUTBOX_REWRITE, &st, err);
    if (!status) {
        put_int(st, 1, (uint64_t)n);
        put_bytes(st, 2, buf_span(&packed));
        status = run(s, st, err);
    }
    buf_fini(&packed);
    return status;
}

/* A statement with one number and no rows. */
static enum ocop_status run_int(struct ocop_store *s, enum question q, uint64_t v,
                                struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    enum ocop_status status = ask(s, q, &st, err);

    if (status)
        return status;
    put_int(st, 1, v);
    return run(s, st, err);
}

/* A statement with one id (and a number) and no rows. */
static enum ocop_status run_id(struct ocop_store *s, enum question q, const struct id *id,
                               uint64_t v, struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    enum ocop_status status = ask(s, q, &st, err);

    if (status)
        return status;
    put_id(st, 1, id);
    if (sqlite3_bind_parameter_count(st) > 1)
        put_int(st, 2, v);
    return run(s, st, err);
}

enum ocop_status store_outbox_delete(struct ocop_store *s, int64_t n, struct ocop_error *err)
{
    return run_int(s, Q_OUTBOX_DELETE, (uint64_t)n, err);
}

enum ocop_status store_outbox_resend(struct ocop_store *s, int64_t n, struct ocop_error *err)
{
    return run_int(s, Q_OUTBOX_RESEND, (uint64_t)n, err);
}

enum ocop_status store_outbox_unseal(struct ocop_store *s, uint64_t seq, struct ocop_error *err)
{
    return run_int(s, Q_OUTBOX_UNSEAL, seq, err);
}

enum ocop_status store_outbox_reseal(struct ocop_store *s, struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    enum ocop_status status = ask(s, Q_OUTBOX_RESEAL, &st, err);

    if (!status)
        status = run(s, st, err);
    if (!status)
        status = ask(s, Q_OUTBOX_DISOWN, &st, err);
    return status ? status : run(s, st, err);
}

enum ocop_status store_outbox_count(struct ocop_store *s, unsigned count[6], struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    bool row = true;
    enum ocop_status status = ask(s, Q_OUTBOX_COUNT, &st, err);

    memset(count, 0, 6 * sizeof *count);
    if (status)
        return status;
    while (!(status = step(s, st, &row, err)) && row) {
        int64_t state = sqlite3_column_int64(st, 0);
        if (state >= OUTBOX_DRAFT && state <= OUTBOX_WAITING)
            count[state] = (unsigned)sqlite3_column_int64(st, 1);
    }
    done(st);
    return status;
}

/* --- sealed sets ----------------------------------------------------------------------------- */

enum ocop_status store_sealed_add(struct ocop_store *s, const struct id *replica, uint64_t seq,
                                  const struct sealed *set, struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    enum ocop_status status = ask(s, Q_SEALED_ADD, &st, err);

    if (status)
        return status;
    put_id(st, 1, replica);
    put_int(st, 2, seq);
    put_bytes(st, 3, span_of(set->hash, HASH_LEN));
    put_bytes(st, 4, span_of(set->signature, SIGNATURE_LEN));
    put_bytes(st, 5, set->body);
    return run(s, st, err);
}

static enum ocop_status sealed_row(sqlite3_stmt *st, struct arena *a, struct id *replica,
                                   struct sealed_row *out, struct ocop_error *err)
{
    struct span hash, signature;

    out->seq = (uint64_t)sqlite3_column_int64(st, 1);
    out->acked = (uint64_t)sqlite3_column_int64(st, 5);
    if (!get_bytes(st, 2, a, &hash) || !get_bytes(st, 3, a, &signature) ||
        !get_bytes(st, 4, a, &out->set.body))
        return err_nomem(err);
    if (!get_id(st, 0, replica) || hash.len != HASH_LEN || signature.len != SIGNATURE_LEN)
        return damaged("a sealed change-set", err);
    memcpy(out->set.hash, hash.p, HASH_LEN);
    memcpy(out->set.signature, signature.p, SIGNATURE_LEN);
    return OCOP_OK;
}

enum ocop_status store_sealed_unacked(struct ocop_store *s, const struct id *replica, size_t max,
                                      size_t bytes, struct arena *a, struct sealed_row **out,
                                      size_t *count, struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    struct id of;
    bool row;
    size_t total = 0;
    enum ocop_status status = ask(s, Q_SEALED_UNACKED, &st, err);

    *out = NULL;
    *count = 0;
    if (status)
        return status;
    put_id(st, 1, replica);
    put_int(st, 2, max);
    while (!(status = step(s, st, &row, err)) && row) {
        total += (size_t)sqlite3_column_bytes(st, 4) + SIGNATURE_LEN + 16;
        if (*count > 0 && total > bytes)
            break;
        *out = grow(a, *out, *count, sizeof **out);
        if (!*out)
            status = err_nomem(err);
        else
            status = sealed_row(st, a, &of, &(*out)[*count], err);
        if (status)
            break;
        ++*count;
    }
    done(st);
    return status;
}

enum ocop_status store_sealed_unacked_count(struct ocop_store *s, const struct id *replica,
                                            size_t *count, struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    bool row;
    enum ocop_status status = ask(s, Q_SEALED_UNACKED_COUNT, &st, err);

    *count = 0;
    if (status)
        return status;
    put_id(st, 1, replica);
    status = step(s, st, &row, err);
    if (!status && row)
        *count = (size_t)sqlite3_column_int64(st, 0);
    done(st);
    return status;
}

enum ocop_status store_sealed_acked(struct ocop_store *s, const struct id *replica, uint64_t seq,
                                    bool *found, uint64_t *version, uint8_t hash[HASH_LEN],
                                    struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    enum ocop_status status = ask(s, Q_SEALED_ONE, &st, err);

    *found = false;
    *version = 0;
    memset(hash, 0, HASH_LEN);
    if (status)
        return status;
    put_id(st, 1, replica);
    put_int(st, 2, seq);
    status = step(s, st, found, err);
    if (!status && *found) {
        const void *p = sqlite3_column_blob(st, 1);
        *version = (uint64_t)sqlite3_column_int64(st, 0);
        if (p && sqlite3_column_bytes(st, 1) == HASH_LEN)
            memcpy(hash, p, HASH_LEN);
        else
            status = damaged("a sealed change-set's hash", err);
    }
    done(st);
    return status;
}

enum ocop_status store_sealed_ack(struct ocop_store *s, const struct id *replica, uint64_t seq,
                                  uint64_t version, struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    enum ocop_status status = ask(s, Q_SEALED_ACK, &st, err);

    if (status)
        return status;
    put_id(st, 1, replica);
    put_int(st, 2, seq);
    put_int(st, 3, version);
    return run(s, st, err);
}

enum ocop_status store_sealed_unack(struct ocop_store *s, const struct id *replica, uint64_t seq,
                                    struct ocop_error *err)
{
    return run_id(s, Q_SEALED_UNACK, replica, seq, err);
}

enum ocop_status store_sealed_drop(struct ocop_store *s, const struct id *replica, uint64_t seq,
                                   struct ocop_error *err)
{
    return run_id(s, Q_SEALED_DROP, replica, seq, err);
}

enum ocop_status store_sealed_below(struct ocop_store *s, const struct id *replica, uint64_t below,
                                    struct arena *a, bool *found, struct sealed_row *out,
                                    struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    struct id of;
    enum ocop_status status = ask(s, Q_SEALED_BELOW, &st, err);

    *found = false;
    if (status)
        return status;
    put_id(st, 1, replica);
    put_int(st, 2, below);
    status = step(s, st, found, err);
    if (!status && *found)
        status = sealed_row(st, a, &of, out, err);
    done(st);
    return status;
}

enum ocop_status store_sealed_each(struct ocop_store *s, store_sealed_fn each, void *self,
                                   struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    struct arena a;
    bool row;
    enum ocop_status status = ask(s, Q_SEALED_EACH, &st, err);

    if (status)
        return status;
    arena_init(&a, MIB(1));
    while (!(status = step(s, st, &row, err)) && row) {
        struct sealed_row r;
        struct id replica;
        arena_reset(&a);
        status = sealed_row(st, &a, &replica, &r, err);
        if (!status)
            status = each(self, replica, &r, err);
        if (status)
            break;
    }
    done(st);
    arena_fini(&a);
    return status;
}

/* --- base, own, cases, stubs, counters ------------------------------------------------------- */

enum ocop_status store_base(struct ocop_store *s, const struct id *record, struct arena *a,
                            bool *found, struct fields *out, uint64_t *version,
                            struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    struct span packed = {NULL, 0};
    struct change c;
    bool row;
    enum ocop_status status = ask(s, Q_BASE, &st, err);

    *found = false;
    *out = (struct fields){NULL, 0};
    *version = 0;
    if (status)
        return status;
    put_id(st, 1, record);
    status = step(s, st, &row, err);
    if (!status && row && sqlite3_column_type(st, 1) != SQLITE_NULL) {
        *version = (uint64_t)sqlite3_column_int64(st, 0);
        *found = true;
        if (!get_bytes(st, 1, a, &packed))
            status = err_nomem(err);
    }
    done(st);
    if (status || !*found)
        return status;
    status = change_unpack(packed, a, &c, err);
    if (!status)
        *out = c.fields;
    return status;
}

enum ocop_status store_base_put(struct ocop_store *s, uint32_t kind, const struct id *record,
                                const struct fields *f, uint64_t version, struct ocop_error *err)
{
    struct change c = {.kind = kind, .verb = VERB_STATE, .record = *record, .base = version};
    sqlite3_stmt *st = NULL;
    struct buf packed;
    enum ocop_status status;

    c.fields = *f;
    for (size_t i = 0; i < f->count; i++)
        f->v[i].base = version;
    status = pack(&c, &packed, err);
    if (!status)
        status = ask(s, Q_BASE_PUT, &st, err);
    if (!status) {
        put_id(st, 1, record);
        put_int(st, 2, kind);
        put_int(st, 3, version);
        put_bytes(st, 4, buf_span(&packed));
        status = run(s, st, err);
    }
    buf_fini(&packed);
    return status;
}

enum ocop_status store_base_depart(struct ocop_store *s, const struct id *record, bool departed,
                                   struct ocop_error *err)
{
    return run_id(s, Q_BASE_DEPART, record, departed, err);
}

enum ocop_status store_base_delete(struct ocop_store *s, const struct id *record,
                                   struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    int64_t kind = 0;
    enum ocop_status status = ask(s, Q_BASE_DEPARTED, &st, err);

    if (status)
        return status;
    put_id(st, 1, record);
    status = one_number(s, st, &kind, err);
    if (!status && kind)
        status = store_record_delete(s, (uint32_t)kind, record, err);
    return status ? status : run_id(s, Q_BASE_DELETE, record, 0, err);
}

enum ocop_status store_base_orphans(struct ocop_store *s, unsigned *count, struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    int64_t n = 0;
    enum ocop_status status = ask(s, Q_BASE_ORPHANS, &st, err);

    if (!status)
        status = one_number(s, st, &n, err);
    *count = (unsigned)n;
    return status;
}

enum ocop_status store_own(struct ocop_store *s, const struct id *record, bool *own, bool *merged,
                           uint64_t *version, struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    enum ocop_status status = ask(s, Q_OWN, &st, err);

    *own = *merged = false;
    *version = 0;
    if (status)
        return status;
    put_id(st, 1, record);
    status = step(s, st, own, err);
    if (!status && *own) {
        *merged = sqlite3_column_int64(st, 0) != 0;
        *version = (uint64_t)sqlite3_column_int64(st, 1);
    }
    done(st);
    return status;
}

enum ocop_status store_own_any(struct ocop_store *s, bool *out, struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    enum ocop_status status = ask(s, Q_OWN_ANY, &st, err);

    *out = false;
    if (status)
        return status;
    status = step(s, st, out, err);
    done(st);
    return status;
}

enum ocop_status store_own_merged(struct ocop_store *s, const struct id *record,
                                  struct ocop_error *err)
{
    return run_id(s, Q_OWN_MERGED, record, 0, err);
}

enum ocop_status store_own_taken(struct ocop_store *s, uint32_t kind, const struct id *record,
                                 uint64_t version, struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    enum ocop_status status = ask(s, Q_OWN_TAKEN, &st, err);

    if (status)
        return status;
    put_id(st, 1, record);
    put_int(st, 2, kind);
    put_int(st, 3, version);
    return run(s, st, err);
}

enum ocop_status store_case_put(struct ocop_store *s, const struct case_row *row,
                                struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    enum ocop_status status = ask(s, Q_CASE_PUT, &st, err);

    if (status)
        return status;
    put_id(st, 1, &row->id);
    put_int(st, 2, row->kind);
    put_id(st, 3, &row->record);
    put_int(st, 4, row->cause);
    put_text(st, 5, row->field);
    put_text(st, 6, row->base);
    put_text(st, 7, row->theirs);
    put_text(st, 8, row->mine);
    if (!id_is_zero(&row->other))
        put_id(st, 9, &row->other);
    if (row->resolution)
        put_text(st, 10, row->resolution);
    return run(s, st, err);
}

static enum ocop_status case_row(sqlite3_stmt *st, struct arena *a, struct case_row *out,
                                 struct ocop_error *err)
{
    memset(out, 0, sizeof *out);
    if (!get_id(st, 0, &out->id) || !get_id(st, 2, &out->record))
        return damaged("a case", err);
    (void)get_id(st, 8, &out->other);
    out->kind = (uint32_t)sqlite3_column_int64(st, 1);
    out->cause = (uint32_t)sqlite3_column_int64(st, 3);
    out->field = get_text(st, 4, a);
    out->base = get_text(st, 5, a);
    out->theirs = get_text(st, 6, a);
    out->mine = get_text(st, 7, a);
    if (sqlite3_column_type(st, 9) != SQLITE_NULL && !(out->resolution = get_text(st, 9, a)))
        return err_nomem(err);
    if (!out->field || !out->base || !out->theirs || !out->mine)
        return err_nomem(err);
    return OCOP_OK;
}

enum ocop_status store_cases_of(struct ocop_store *s, const struct id *record, struct arena *a,
                                struct case_row **out, size_t *count, struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    bool row;
    enum ocop_status status = ask(s, Q_CASES_OF, &st, err);

    *out = NULL;
    *count = 0;
    if (status)
        return status;
    put_id(st, 1, record);
    while (!(status = step(s, st, &row, err)) && row) {
        *out = grow(a, *out, *count, sizeof **out);
        if (!*out)
            status = err_nomem(err);
        else
            status = case_row(st, a, &(*out)[*count], err);
        if (status)
            break;
        ++*count;
    }
    done(st);
    return status;
}

enum ocop_status store_cases_forget(struct ocop_store *s, struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    enum ocop_status status = ask(s, Q_CASES_FORGET, &st, err);

    return status ? status : run(s, st, err);
}

enum ocop_status store_cases_any_open(struct ocop_store *s, bool *out, struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    enum ocop_status status = ask(s, Q_CASES_ANY_OPEN, &st, err);

    *out = false;
    if (status)
        return status;
    status = step(s, st, out, err);
    done(st);
    return status;
}

enum ocop_status store_stub_put(struct ocop_store *s, uint32_t kind, const struct id *id,
                                struct span label, struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    enum ocop_status status = ask(s, Q_STUB_PUT, &st, err);

    if (status)
        return status;
    put_id(st, 1, id);
    put_int(st, 2, kind);
    (void)sqlite3_bind_text64(st, 3, label.len ? (const char *)label.p : "", label.len,
                              SQLITE_STATIC, SQLITE_UTF8);
    return run(s, st, err);
}

enum ocop_status store_stub_exists(struct ocop_store *s, const struct id *id, bool *out,
                                   struct ocop_error *err)
{
    return any(s, Q_STUB_EXISTS, id, out, err);
}

enum ocop_status store_counter_next(struct ocop_store *s, const char *name, uint64_t *out,
                                    struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    int64_t last = 0;
    enum ocop_status status = ask(s, Q_COUNTER, &st, err);

    *out = 0;
    if (!status) {
        put_text(st, 1, name);
        status = one_number(s, st, &last, err);
    }
    if (!status)
        status = ask(s, Q_COUNTER_PUT, &st, err);
    if (status)
        return status;
    *out = (uint64_t)last + 1;
    put_text(st, 1, name);
    put_int(st, 2, *out);
    return run(s, st, err);
}

/* --- reading everything again ---------------------------------------------------------------- */

enum ocop_status store_unseen_mark(struct ocop_store *s, bool own_too, struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    enum ocop_status status = ask(s, Q_UNSEEN_CLEAR, &st, err);

    if (!status)
        status = run(s, st, err);
    for (uint32_t k = 0; !status && k <= kind_count(); k++)
        status = in_table(s, UNSEEN_MARK, k, own_too, err);
    return status;
}

enum ocop_status store_unseen_met(struct ocop_store *s, const struct id *record,
                                  struct ocop_error *err)
{
    return run_id(s, Q_UNSEEN_MET, record, 0, err);
}

/* Records with their kinds. */
static enum ocop_status records_of(struct ocop_store *s, enum question q, struct arena *a,
                                   struct outbox_row **out, size_t *count, struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    bool row;
    enum ocop_status status = ask(s, q, &st, err);

    *out = NULL;
    *count = 0;
    if (status)
        return status;
    while (!(status = step(s, st, &row, err)) && row) {
        *out = grow(a, *out, *count, sizeof **out);
        if (!*out || !get_id(st, 0, &(*out)[*count].record)) {
            status = *out ? damaged("an id", err) : err_nomem(err);
            break;
        }
        (*out)[(*count)++].kind = (uint32_t)sqlite3_column_int64(st, 1);
    }
    done(st);
    return status;
}

enum ocop_status store_unknown_records(struct ocop_store *s, struct arena *a,
                                       struct outbox_row **out, size_t *count,
                                       struct ocop_error *err)
{
    return records_of(s, Q_UNKNOWN_ALL, a, out, count, err);
}

enum ocop_status store_unseen_sweep(struct ocop_store *s, struct arena *a, unsigned *count,
                                    struct ocop_error *err)
{
    enum ocop_status status = OCOP_OK;

    *count = 0;
    while (!status) {
        struct outbox_row *v;
        size_t n;
        arena_reset(a);
        status = records_of(s, Q_UNSEEN_SOME, a, &v, &n, err);
        if (status || n == 0)
            break;
        for (size_t i = 0; !status && i < n; i++) {
            bool pending;
            status = store_outbox_has(s, &v[i].record, &pending, err);
            if (!status && pending) {
                status = store_base_depart(s, &v[i].record, true, err);
            } else if (!status) {
                status = store_record_delete(s, v[i].kind, &v[i].record, err);
                ++*count;
            }
            if (!status)
                status = store_unseen_met(s, &v[i].record, err);
        }
    }
    return status;
}

/* --- status, check --------------------------------------------------------------------------- */

enum ocop_status store_state(struct ocop_store *s, const struct id *record, int *out,
                             struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    int64_t n = 0;
    enum ocop_status status = ask(s, Q_STATE, &st, err);

    if (!status) {
        put_id(st, 1, record);
        status = one_number(s, st, &n, err);
    }
    *out = (int)n;
    return status;
}

enum ocop_status store_counts(struct ocop_store *s, struct store_counts *out,
                              struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    unsigned count[6];
    bool row;
    enum ocop_status status = ask(s, Q_COUNTS, &st, err);

    memset(out, 0, sizeof *out);
    if (status)
        return status;
    status = step(s, st, &row, err);
    if (!status && row) {
        out->records = (unsigned)sqlite3_column_int64(st, 0);
        out->cases = (unsigned)sqlite3_column_int64(st, 1);
    }
    done(st);
    if (!status)
        status = store_outbox_count(s, count, err);
    if (status)
        return status;
    out->drafts = count[OUTBOX_DRAFT];
    out->waiting = count[OUTBOX_READY] + count[OUTBOX_SEALED] + count[OUTBOX_WAITING];
    out->refused = count[OUTBOX_REFUSED];
    return OCOP_OK;
}
