/* The registry's database: opening, transactions, statements, and the questions about replicas and
 * meta that several files ask. Every SQL text of the server stands in registry_core_sql.h and
 * registry_sql.h, but for what row.c composes. Knows no socket and no wire. */
#include "registry.h"

#include <stdio.h>
#include <stdlib.h>

#include <sodium.h>

#include "bounds.h"
#include "cache.h"
#include "feed.h"
#include "json.h"
#include "migrate.h"
#include "registry_past.h"
#include "registry_stmts.h"
#include "sum.h"
#include "text.h"

enum { SOON_MS = 20 };

static const char *const sql_texts[] = {
#define X(name, text) text,
    REGISTRY_CORE_SQL(X) REGISTRY_SQL(X)
#undef X
};

struct registry_open_parts {
    struct registry r;
    sqlite3_stmt *stmts[SQL_COUNT];
    sqlite3_int64 data_version;
    bool open; /* between registry_begin and the decision to commit or to roll back */
};

static struct registry_open_parts *parts(struct registry *r)
{
    return (struct registry_open_parts *)r; /* r is its first member */
}

static enum ocop_status load_id(struct registry *r, const char *key, struct id *out,
                                struct ocop_error *err)
{
    struct arena a;
    struct span value;
    arena_init(&a, 4096);
    enum ocop_status st = registry_meta_get(r, key, &a, &value, err);
    if (st == OCOP_OK && !id_from(value, out))
        st = err_set(err, OCOP_EDAMAGED, "meta value %s has the wrong length", key);
    if (st == OCOP_ENOTFOUND)
        st = OCOP_OK; /* before genesis */
    arena_fini(&a);
    return st;
}

/* One of the statements that begin and end transactions. */
static enum ocop_status control(struct registry *r, int which, struct ocop_error *err)
{
    sqlite3_stmt *s = registry_stmt(r, which, err);
    if (!s)
        return OCOP_EDB;
    int rc = sqlite3_step(s);
    enum ocop_status st = rc == SQLITE_DONE || rc == SQLITE_ROW
                              ? OCOP_OK
                              : db_error(r->db, err, "the registry's transaction");
    sqlite3_reset(s);
    return st;
}

static enum ocop_status control_prepare(struct registry *r, struct ocop_error *err)
{
    for (int which = SQL_BEGIN; which <= SQL_DATA_VERSION; which++)
        if (!registry_stmt(r, which, err))
            return OCOP_EDB;
    return OCOP_OK;
}

/* SQLite rolls back by itself when it meets a failing disk, even while reading, and what is written
 * after that would commit alone, statement by statement. Only registry_commit commits. */
static int refuses_commit(void *self)
{
    const struct registry_open_parts *p = self;
    return p->open;
}

/* Outcomes follow the rules of the epoch in which they are given. Those of a later epoch are not
 * known to this program: it would go on by rules that are not the registry's any more. */
static enum ocop_status check_epoch(struct registry *r, struct ocop_error *err)
{
    bool row;
    sqlite3_stmt *s = registry_stmt(r, SQL_EPOCH, err);
    if (!s)
        return OCOP_EDB;
    enum ocop_status st = registry_row(r, s, "reading the epoch", &row, err);
    long long epoch = st == OCOP_OK && row ? sqlite3_column_int64(s, 0) : 0;
    sqlite3_reset(s);
    if (st == OCOP_OK && epoch > EPOCH)
        st = err_set(err, OCOP_EVERSION,
                     "the registry is kept by the rules of epoch %lld, this program knows those up "
                     "to %d; install a newer one",
                     epoch, EPOCH);
    return st;
}

/* As the statements that write them sum them. Of the log, hash and signature vouch for the body. */
const struct sum_table registry_summed[] = {
    {"log", "version", "version, replica, seq, received_ms, hash, signature"},
    {"meta", "key", "key, value"},
    {"invitation", "token_hash",
     "token_hash, officer, scope, made_ms, expires_ms, replica, sign_key, channel_key, refused, "
     "used_ms, refused_ms, revoked_ms"},
    {"contact", "replica",
     "replica, last_ms, skew_ms, waiting, schema, refused, exchange, program"},
    {"quarantine", "replica", "replica, hash, received_ms, signature, body, seq"},
    {"backup", "path", "made_ms, version, path"},
    {"brought", "hash", "hash, officer, at_ms"},
    {"lacking", "hash", "hash, since_ms"},
    {NULL, NULL, NULL},
};

static enum ocop_status registry_prepare(struct registry *r, struct ocop_error *err)
{
    enum ocop_status st = migrate(r->db, MIGRATE_REGISTRY, NULL, err);
    (void)sqlite3_commit_hook(r->db, refuses_commit, parts(r));
    /* Each set has a savepoint; what it would restore, a set's pages, need not go to a file. */
    if (st == OCOP_OK)
        st = db_exec(r->db, "PRAGMA temp_store=MEMORY", err);
    if (st == OCOP_OK)
        st = rows_open(r->db, &r->rows, err);
    if (st == OCOP_OK)
        st = control_prepare(r, err);
    if (st == OCOP_OK)
        st = cache_open(r, &r->cache, err);
    if (st == OCOP_OK)
        st = load_id(r, "self", &r->self, err);
    if (st == OCOP_OK)
        st = load_id(r, "lineage", &r->lineage, err);
    if (st == OCOP_OK)
        st = check_epoch(r, err);
    if (st == OCOP_OK)
        st = past_fill(r, err);
    return st;
}

enum ocop_status registry_open(const char *path, bool create, const struct env *env,
                               const char *vfs, struct registry **out, struct ocop_error *err)
{
    *out = NULL;
    kinds_init();
    struct registry_open_parts *p = calloc(1, sizeof *p);
    if (!p)
        return err_nomem(err);
    p->r.env = env;
    p->data_version = -1;
    snprintf(p->r.path, sizeof p->r.path, "%s", path);
    id_source_init(&p->r.ids, env);
    char blobs[sizeof p->r.path + 8];
    snprintf(blobs, sizeof blobs, "%s.blobs", p->r.path);
    enum ocop_status st = content_dir_init(&p->r.blobs, blobs, NULL, env, err);
    if (st == OCOP_OK)
        st = db_open(path, create, false, vfs, &p->r.db, err);
    if (st == OCOP_OK)
        st = registry_prepare(&p->r, err);
    if (st != OCOP_OK) {
        registry_close(&p->r);
        return st;
    }
    *out = &p->r;
    return OCOP_OK;
}

void registry_close(struct registry *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < SQL_COUNT; i++)
        sqlite3_finalize(parts(r)->stmts[i]);
    feed_close(r);
    cache_close(r->cache);
    rows_close(r->rows);
    sqlite3_close(r->db);
    free(parts(r));
}

sqlite3_stmt *registry_stmt(struct registry *r, int which, struct ocop_error *err)
{
    sqlite3_stmt **s = &parts(r)->stmts[which];
    if (!*s && sqlite3_prepare_v3(r->db, sql_texts[which], -1, SQLITE_PREPARE_PERSISTENT, s,
                                  NULL) != SQLITE_OK) {
        db_error(r->db, err, "preparing a statement");
        return NULL;
    }
    sqlite3_reset(*s);
    return *s;
}

enum ocop_status registry_row(struct registry *r, sqlite3_stmt *s, const char *doing, bool *row,
                              struct ocop_error *err)
{
    int rc = sqlite3_step(s);
    *row = rc == SQLITE_ROW;
    if (*row)
        return OCOP_OK;
    sqlite3_reset(s);
    return rc == SQLITE_DONE ? OCOP_OK : db_error(r->db, err, doing);
}

enum ocop_status registry_done(struct registry *r, sqlite3_stmt *s, const char *doing,
                               struct ocop_error *err)
{
    int rc = sqlite3_step(s);
    sqlite3_reset(s);
    return rc == SQLITE_DONE ? OCOP_OK : db_error(r->db, err, doing);
}

/* --- transactions ------------------------------------------------------------------------------
 */

static enum ocop_status data_version(struct registry *r, struct ocop_error *err)
{
    sqlite3_stmt *s = registry_stmt(r, SQL_DATA_VERSION, err);
    if (!s || sqlite3_step(s) != SQLITE_ROW)
        return s ? db_error(r->db, err, "reading the data version") : OCOP_EDB;
    sqlite3_int64 now = sqlite3_column_int64(s, 0);
    sqlite3_reset(s);
    if (now != parts(r)->data_version)
        cache_forget(r->cache); /* another process has written: an import, a backup */
    parts(r)->data_version = now;
    return OCOP_OK;
}

static enum ocop_status begin(struct registry *r, int which, struct ocop_error *err)
{
    if (!sqlite3_get_autocommit(r->db))
        registry_rollback(r); /* what a failing disk did not let go of before */
    enum ocop_status st = control(r, which, err);
    if (st != OCOP_OK)
        return st;
    parts(r)->open = true;
    st = data_version(r, err);
    if (st != OCOP_OK)
        registry_rollback(r);
    return st;
}

enum ocop_status registry_begin(struct registry *r, struct ocop_error *err)
{
    return begin(r, SQL_BEGIN_WRITING, err);
}

enum ocop_status registry_begin_soon(struct registry *r, struct ocop_error *err)
{
    (void)sqlite3_busy_timeout(r->db, SOON_MS);
    enum ocop_status st = registry_begin(r, err);
    (void)sqlite3_busy_timeout(r->db, BUSY_TIMEOUT_MS);
    return st;
}

enum ocop_status registry_begin_read(struct registry *r, struct ocop_error *err)
{
    return begin(r, SQL_BEGIN, err);
}

/* A statement that was not stepped to its end would keep its snapshot beyond the transaction, and
 * the next one would not see what other processes wrote. */
static void statements_reset(struct registry *r)
{
    for (sqlite3_stmt *s = NULL; (s = sqlite3_next_stmt(r->db, s)) != NULL;)
        if (sqlite3_stmt_busy(s))
            sqlite3_reset(s);
}

enum ocop_status registry_commit(struct registry *r, struct ocop_error *err)
{
    statements_reset(r);
    parts(r)->open = false;
    enum ocop_status st = control(r, SQL_COMMIT, err);
    if (st != OCOP_OK)
        registry_rollback(r);
    return st;
}

void registry_rollback(struct registry *r)
{
    statements_reset(r);
    /* Where even this fails, registry_begin tries again, and nothing is committed before. */
    if (!sqlite3_get_autocommit(r->db) && control(r, SQL_ROLLBACK, NULL) != OCOP_OK)
        env_log(r->env, ENV_ERROR, "rollback_failed", "code=%d", sqlite3_extended_errcode(r->db));
    parts(r)->open = false;
    cache_forget(r->cache);
}

bool registry_rolled_back(const struct registry *r)
{
    return sqlite3_get_autocommit(r->db);
}

enum ocop_status registry_savepoint(struct registry *r, struct ocop_error *err)
{
    if (registry_rolled_back(r))
        return err_set(err, OCOP_EDB, "the transaction was rolled back; send again");
    return control(r, SQL_SAVEPOINT, err);
}

enum ocop_status registry_release(struct registry *r, struct ocop_error *err)
{
    return control(r, SQL_RELEASE, err);
}

void registry_rollback_to(struct registry *r)
{
    bool open = !sqlite3_get_autocommit(r->db);
    /* What cannot be taken back alone must not be committed with its neighbours. */
    if (open &&
        (control(r, SQL_ROLLBACK_TO, NULL) != OCOP_OK || control(r, SQL_RELEASE, NULL) != OCOP_OK))
        registry_rollback(r);
    cache_forget(r->cache);
}

/* --- questions -----------------------------------------------------------------------------------
 */

static bool column_id(sqlite3_stmt *s, int column, struct id *out)
{
    memset(out, 0, sizeof *out);
    return id_from(span_of(sqlite3_column_blob(s, column), (size_t)sqlite3_column_bytes(s, column)),
                   out);
}

static void column_copy(sqlite3_stmt *s, int column, uint8_t *out, size_t len)
{
    memset(out, 0, len);
    if ((size_t)sqlite3_column_bytes(s, column) == len)
        memcpy(out, sqlite3_column_blob(s, column), len);
}

const char *const device_state_names[DEVICE_STATES] = {
    [DEVICE_ACTIVE] = "active",     [DEVICE_SUSPENDED] = "suspended", [DEVICE_WIPE] = "wipe",
    [DEVICE_WIPE_NOW] = "wipe_now", [DEVICE_WIPED] = "wiped",         [DEVICE_REVOKED] = "revoked"};

enum device_state device_state_of(const char *name)
{
    for (int i = 0; name && i < DEVICE_STATES; i++)
        if (strcmp(device_state_names[i], name) == 0)
            return (enum device_state)i;
    return DEVICE_REVOKED;
}

static enum ocop_status replica_read(sqlite3_stmt *s, struct replica_info *out)
{
    const char *type = (const char *)sqlite3_column_text(s, 1);
    const char *state = (const char *)sqlite3_column_text(s, 6);
    out->known = true;
    out->version = (uint64_t)sqlite3_column_int64(s, 0);
    snprintf(out->type, sizeof out->type, "%s", type ? type : "");
    out->number = (uint32_t)sqlite3_column_int64(s, 2);
    column_id(s, 3, &out->officer);
    column_copy(s, 4, out->sign_key, sizeof out->sign_key);
    column_copy(s, 5, out->channel_key, sizeof out->channel_key);
    out->state = device_state_of(state);
    out->revoked = out->state == DEVICE_REVOKED || out->state == DEVICE_WIPED;
    column_id(s, 7, &out->predecessor);
    out->predecessor_seq = (uint64_t)sqlite3_column_int64(s, 8);
    out->rekeyed = sqlite3_column_int(s, 9);
    out->rekey_ms = sqlite3_column_int64(s, 10);
    return OCOP_OK;
}

static enum ocop_status replica_chain(struct registry *r, const struct id *replica,
                                      struct replica_info *out, struct ocop_error *err)
{
    sqlite3_stmt *s = registry_stmt(r, SQL_CHAIN_GET, err);
    if (!s)
        return OCOP_EDB;
    sqlite3_bind_blob(s, 1, replica->b, ID_LEN, SQLITE_STATIC);
    int rc = sqlite3_step(s);
    if (rc == SQLITE_ROW) {
        out->acked_seq = (uint64_t)sqlite3_column_int64(s, 0);
        column_copy(s, 1, out->acked_hash, HASH_LEN);
    }
    sqlite3_reset(s);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? OCOP_OK
                                                 : db_error(r->db, err, "reading a chain");
}

enum ocop_status registry_replica(struct registry *r, const struct id *replica,
                                  struct replica_info *out, struct ocop_error *err)
{
    *out = (struct replica_info){0};
    sqlite3_stmt *s = registry_stmt(r, SQL_REPLICA, err);
    if (!s)
        return OCOP_EDB;
    sqlite3_bind_blob(s, 1, replica->b, ID_LEN, SQLITE_STATIC);
    int rc = sqlite3_step(s);
    if (rc == SQLITE_ROW)
        replica_read(s, out);
    sqlite3_reset(s);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        return db_error(r->db, err, "reading a replica");
    if (strcmp(out->type, "registry") == 0 || strcmp(out->type, "import") == 0)
        out->roles = ROLE_REGISTRY;
    return replica_chain(r, replica, out, err);
}

enum ocop_status registry_replica_by_channel(struct registry *r, const uint8_t key[32],
                                             struct id *out, struct ocop_error *err)
{
    sqlite3_stmt *s = registry_stmt(r, SQL_REPLICA_BY_CHANNEL, err);
    if (!s)
        return OCOP_EDB;
    sqlite3_bind_blob(s, 1, key, 32, SQLITE_STATIC);
    int rc = sqlite3_step(s);
    if (rc == SQLITE_ROW)
        column_id(s, 0, out);
    sqlite3_reset(s);
    if (rc == SQLITE_DONE)
        return err_set(err, OCOP_ENOTFOUND, "this device is not enrolled here");
    return rc == SQLITE_ROW ? OCOP_OK : db_error(r->db, err, "reading a replica");
}

enum ocop_status registry_version(struct registry *r, uint64_t *out, struct ocop_error *err)
{
    sqlite3_stmt *s = registry_stmt(r, SQL_LOG_LAST, err);
    *out = 0;
    if (!s)
        return OCOP_EDB;
    if (sqlite3_step(s) != SQLITE_ROW)
        return db_error(r->db, err, "reading the log's end");
    *out = (uint64_t)sqlite3_column_int64(s, 0);
    sqlite3_reset(s);
    return OCOP_OK;
}

static struct lineage lineage_read(const struct field *element)
{
    struct lineage out = {.fork_version = 0};
    struct field f;
    id_from(element->key, &out.id);
    if (element_get(element->bytes, 2, &f))
        id_from(f.bytes, &out.parent);
    if (element_get(element->bytes, 3, &f))
        out.fork_version = (uint64_t)f.i;
    return out;
}

enum ocop_status lineages_of(struct registry *r, struct arena *a, struct lineage **out,
                             size_t *count, struct ocop_error *err)
{
    const struct field_rule *rule = kind_field_by_name(kind_by_number(KIND_REGISTRY), "lineages");
    struct fields list = {0};
    sqlite3_stmt *s = registry_stmt(r, SQL_LINEAGES, err);
    bool row = false;
    enum ocop_status st = s ? registry_row(r, s, "reading the lineages", &row, err) : OCOP_EDB;
    *count = 0;
    if (st == OCOP_OK && row && sqlite3_column_bytes(s, 0))
        st = json_list_read(rule,
                            span_of(sqlite3_column_text(s, 0), (size_t)sqlite3_column_bytes(s, 0)),
                            a, &list, err);
    *out = arena_calloc(a, list.count + 1, sizeof **out);
    if (st == OCOP_OK && !*out)
        st = err_nomem(err);
    for (size_t i = 0; st == OCOP_OK && i < list.count; i++)
        (*out)[(*count)++] = lineage_read(&list.v[i]);
    if (s)
        sqlite3_reset(s);
    return st;
}

enum ocop_status registry_meta_get(struct registry *r, const char *key, struct arena *a,
                                   struct span *out, struct ocop_error *err)
{
    sqlite3_stmt *s = registry_stmt(r, SQL_META_GET, err);
    *out = span_of(NULL, 0);
    if (!s)
        return OCOP_EDB;
    sqlite3_bind_text(s, 1, key, -1, SQLITE_STATIC);
    enum ocop_status st = OCOP_OK;
    int rc = sqlite3_step(s);
    if (rc == SQLITE_ROW) {
        size_t len = (size_t)sqlite3_column_bytes(s, 0);
        void *copy = arena_dup(a, sqlite3_column_blob(s, 0), len);
        *out = span_of(copy, copy ? len : 0);
        st = copy ? OCOP_OK : err_nomem(err);
    } else {
        st = rc == SQLITE_DONE ? OCOP_ENOTFOUND : db_error(r->db, err, "reading meta");
    }
    sqlite3_reset(s);
    return st;
}

enum ocop_status registry_meta_set(struct registry *r, const char *key, struct span value,
                                   struct ocop_error *err)
{
    sqlite3_stmt *s = registry_stmt(r, SQL_META_SET, err);
    if (!s)
        return OCOP_EDB;
    sqlite3_bind_text(s, 1, key, -1, SQLITE_STATIC);
    sqlite3_bind_blob(s, 2, value.p ? (const void *)value.p : "", (int)value.len, SQLITE_STATIC);
    int rc = sqlite3_step(s);
    sqlite3_reset(s);
    if (rc != SQLITE_DONE)
        return db_error(r->db, err, "writing meta");
    if (strcmp(key, "self") == 0)
        id_from(value, &r->self);
    if (strcmp(key, "lineage") == 0)
        id_from(value, &r->lineage);
    return OCOP_OK;
}

/* --- canonical dump ------------------------------------------------------------------------------
 */

/* Derived tables that are no kinds, in an order that is part of the dump. */
static const char *const derived[] = {
    "SELECT 'outcome', * FROM outcome ORDER BY version, idx",
    "SELECT 'waiting', * FROM waiting ORDER BY version, idx",
    "SELECT 'dangling', * FROM dangling ORDER BY target, version, idx, field",
    "SELECT 'late', * FROM late ORDER BY record, field, element, version",
    "SELECT 'cases', * FROM cases ORDER BY id",
    "SELECT 'chain', * FROM chain ORDER BY replica",
    "SELECT 'history', * FROM history ORDER BY record, field, element, version",
    "SELECT 'scope', * FROM scope ORDER BY replica, anchor",
    "SELECT 'scope_left', * FROM scope_left ORDER BY replica, anchor",
    "SELECT 'departure', * FROM departure ORDER BY anchor, version, kind, id",
};

struct dumper {
    crypto_generichash_state hash;
    row_dump_fn line;
    void *self;
};

static void dump_line(void *self, struct span line)
{
    struct dumper *d = self;
    crypto_generichash_update(&d->hash, line.p, line.len);
    crypto_generichash_update(&d->hash, (const uint8_t *)"\n", 1);
    if (d->line)
        d->line(d->self, line);
}

static void dump_value(struct buf *b, sqlite3_stmt *s, int column)
{
    buf_byte(b, '|');
    const uint8_t *p = sqlite3_column_blob(s, column);
    int len = sqlite3_column_bytes(s, column);
    switch (sqlite3_column_type(s, column)) {
    case SQLITE_INTEGER:
        buf_printf(b, "%lld", sqlite3_column_int64(s, column));
        break;
    case SQLITE_NULL:
        buf_str(b, "-");
        break;
    default:
        for (int i = 0; i < len; i++)
            buf_printf(b, "%02x", p[i]);
    }
}

static enum ocop_status dump_query(struct registry *r, const char *sql, struct dumper *d,
                                   struct ocop_error *err)
{
    sqlite3_stmt *s = NULL;
    struct buf b;
    buf_init(&b, MIB(64));
    int rc = sqlite3_prepare_v2(r->db, sql, -1, &s, NULL);
    while (rc == SQLITE_OK && (rc = sqlite3_step(s)) == SQLITE_ROW) {
        buf_clear(&b);
        buf_str(&b, (const char *)sqlite3_column_text(s, 0));
        for (int i = 1; i < sqlite3_column_count(s); i++)
            dump_value(&b, s, i);
        dump_line(d, buf_span(&b));
        rc = b.failed ? SQLITE_NOMEM : SQLITE_OK;
    }
    buf_fini(&b);
    enum ocop_status st =
        rc == SQLITE_DONE ? OCOP_OK : db_error(r->db, err, "dumping the registry");
    sqlite3_finalize(s);
    return st;
}

enum ocop_status registry_dump(struct registry *r, row_dump_fn line, void *self,
                               uint8_t hash[HASH_LEN], struct ocop_error *err)
{
    struct dumper d = {.line = line, .self = self};
    enum ocop_status st = OCOP_OK;
    crypto_generichash_init(&d.hash, NULL, 0, HASH_LEN);
    for (size_t i = 0; st == OCOP_OK && i < kind_count(); i++)
        st = row_dump(r->rows, kind_at(i)->number, dump_line, &d, err);
    if (st == OCOP_OK)
        st = row_dump(r->rows, 0, dump_line, &d, err); /* table unknown_kind */
    for (size_t i = 0; st == OCOP_OK && i < sizeof derived / sizeof *derived; i++)
        st = dump_query(r, derived[i], &d, err);
    crypto_generichash_final(&d.hash, hash, HASH_LEN);
    return st;
}
