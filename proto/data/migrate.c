/* Opening a database and bringing it to this program's schema. Knows SQLite and the embedded
 * migrations; knows nothing of kinds, records or what the tables mean. */
#include "migrate.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "past.h"
#include "row.h"
#include "sum.h"

/* What this program writes into the header of its files: "OCPR" and "OCPS". */
enum { APPLICATION_REGISTRY = 0x4f435052, APPLICATION_STORE = 0x4f435053 };

enum ocop_status db_error(sqlite3 *db, struct ocop_error *err, const char *doing)
{
    /* sqlite3_open_v2 gives no handle at all when it has no memory for one. */
    int code = db ? sqlite3_extended_errcode(db) : SQLITE_NOMEM;
    const char *says = db ? sqlite3_errmsg(db) : "";

    if (code == SQLITE_IOERR_NOMEM)
        return err_nomem(err);
    if (code == SQLITE_IOERR_SHMSIZE) /* the file beside the log finds no room */
        code = SQLITE_FULL;
    if (code == SQLITE_READONLY_DBMOVED) /* as a change of its key does */
        return err_set(err, OCOP_EBUSY, "%s: another program has just replaced the file; try again",
                       doing);
    switch (code & 0xff) {
    case SQLITE_NOMEM:
        return err_nomem(err);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return err_set(err, OCOP_EBUSY, "%s: the database is in use by another program; try again",
                       doing);
    case SQLITE_FULL:
        return err_set(err, OCOP_EDB, "%s: disk is full; free some space and try again", doing);
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
        return err_set(err, OCOP_EDAMAGED,
                       "%s: the file is damaged or not a database (%s); restore it from a backup",
                       doing, says);
    case SQLITE_READONLY:
    case SQLITE_PERM:
        return err_set(err, OCOP_EDB,
                       "%s: the file or its directory is read-only; check their permissions",
                       doing);
    case SQLITE_CANTOPEN:
        return err_set(err, OCOP_EDB,
                       "%s: the file cannot be opened; check that it and its directory exist and "
                       "may be read and written",
                       doing);
    case SQLITE_IOERR:
        return err_set(err, OCOP_EDB, "%s: the disk failed (%s, code %d); check it", doing, says,
                       code);
    default:
        return err_set(err, OCOP_EDB, "%s: %s (code %d)", doing, says, code);
    }
}

enum ocop_status db_exec(sqlite3 *db, const char *sql, struct ocop_error *err)
{
    char doing[64];

    if (sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK)
        return OCOP_OK;
    /* The beginning of the statement says enough; its values are never in it. */
    (void)snprintf(doing, sizeof doing, "%.*s", (int)strcspn(sql, "\n"), sql);
    return db_error(db, err, doing);
}

static enum ocop_status configure(sqlite3 *db, bool read_only, const char *doing,
                                  struct ocop_error *err)
{
    static const struct {
        int op, value;
    } config[] = {
        {SQLITE_DBCONFIG_DQS_DDL, 0},     {SQLITE_DBCONFIG_DQS_DML, 0},
        {SQLITE_DBCONFIG_DEFENSIVE, 1},   {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0},
        {SQLITE_DBCONFIG_ENABLE_FKEY, 1},
    };
    /* Counting reads the file's header, so a file that is no database fails here. Nothing is
     * written: whose database it is shows later. */
    static const char pragmas[] = "PRAGMA mmap_size=0; PRAGMA cache_size=-8192;"
                                  "PRAGMA synchronous=FULL; SELECT count(*) FROM sqlite_schema";

    (void)sqlite3_extended_result_codes(db, 1);
    (void)sqlite3_busy_timeout(db, BUSY_TIMEOUT_MS);
    for (size_t i = 0; i < sizeof config / sizeof *config; i++)
        if (sqlite3_db_config(db, config[i].op, config[i].value, (int *)NULL) != SQLITE_OK)
            return err_set(err, OCOP_EDB, "%s: this SQLite lacks setting %d; install 3.37 or newer",
                           doing, config[i].op);
    if (sqlite3_exec(db, pragmas, NULL, NULL, NULL) != SQLITE_OK)
        return db_error(db, err, doing);
    /* SQLite opens what it may not write for reading and fails much later. */
    if (!read_only && sqlite3_db_readonly(db, "main") == 1)
        return err_set(err, OCOP_EDB, "%s: the file is read-only; check its permissions", doing);
    return OCOP_OK;
}

/* A new file is its owner's alone: SQLite makes one that all may read, unless the process asks its
 * umask not to. Where this fails SQLite says why. */
static void make_private(const char *path)
{
    const int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (fd >= 0)
        (void)close(fd);
}

enum ocop_status db_open_keyed(const char *path, bool create, bool read_only, const char *vfs,
                               struct span secret, struct cipher_key *key, sqlite3 **out,
                               struct ocop_error *err)
{
    int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    sqlite3 *db = NULL;
    char doing[224], name[64];
    enum ocop_status status = cipher_check(secret, err);

    *out = NULL;
    key->set = false;
    if (status != OCOP_OK)
        return status;
    (void)snprintf(doing, sizeof doing, "opening %s", path);
    if (read_only)
        flags |= SQLITE_OPEN_READONLY;
    else
        flags |= SQLITE_OPEN_READWRITE | (create ? SQLITE_OPEN_CREATE : 0);
    if (create && !vfs && strcmp(path, ":memory:") != 0)
        make_private(path);
    if (secret.len)
        vfs = cipher_vfs(vfs, name, sizeof name);
    if (sqlite3_open_v2(path, &db, flags, vfs) != SQLITE_OK)
        status = db_error(db, err, doing);
    if (status == OCOP_OK)
        status = cipher_unlock(db, path, secret, key, err);
    if (status == OCOP_OK)
        status = configure(db, read_only, doing, err);
    if (status != OCOP_OK) {
        (void)sqlite3_close(db);
        cipher_key_wipe(key);
        return status;
    }
    *out = db;
    return OCOP_OK;
}

enum ocop_status db_open(const char *path, bool create, bool read_only, const char *vfs,
                         sqlite3 **out, struct ocop_error *err)
{
    struct cipher_key none;

    return db_open_keyed(path, create, read_only, vfs, (struct span){NULL, 0}, &none, out, err);
}

static enum ocop_status read_number(sqlite3 *db, const char *sql, int64_t *out,
                                    struct ocop_error *err)
{
    enum ocop_status status = OCOP_OK;
    sqlite3_stmt *stmt = NULL;

    *out = 0;
    if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK ||
        sqlite3_step(stmt) != SQLITE_ROW)
        status = db_error(db, err, "reading the schema's version");
    else
        *out = sqlite3_column_int64(stmt, 0);
    (void)sqlite3_finalize(stmt);
    return status;
}

/* Is the file ours, and which migration ran last in it? */
static enum ocop_status read_version(sqlite3 *db, enum migrate_side side, int64_t *version,
                                     struct ocop_error *err)
{
    int64_t want = side == MIGRATE_REGISTRY ? APPLICATION_REGISTRY : APPLICATION_STORE;
    int64_t other = side == MIGRATE_REGISTRY ? APPLICATION_STORE : APPLICATION_REGISTRY;
    int64_t application = 0, tables = 0, newest = 0;
    enum ocop_status status = read_number(db, "PRAGMA application_id", &application, err);

    if (status == OCOP_OK)
        status = read_number(db, "PRAGMA user_version", version, err);
    if (status == OCOP_OK)
        status = read_number(db, "SELECT count(*) FROM sqlite_schema", &tables, err);
    if (status != OCOP_OK)
        return status;
    if (application == other)
        return err_set(err, OCOP_EDAMAGED, "the file is %s, not %s; choose the other file",
                       other == APPLICATION_STORE ? "a device's store" : "a registry",
                       other == APPLICATION_STORE ? "a registry" : "a device's store");
    if (application != want && (application != 0 || tables != 0 || *version != 0))
        return err_set(err, OCOP_EDAMAGED,
                       "the file is a database of another program; choose another file");
    for (const struct migration *m = migrations; m->number; m++)
        if (m->sides & (int)side)
            newest = m->number;
    if (*version > newest)
        return err_set(err, OCOP_EVERSION,
                       "the file has schema %" PRId64 ", this program knows up to %" PRId64
                       "; install the newer program",
                       *version, newest);
    return OCOP_OK;
}

/* One migration in one transaction. Another process may have run it meanwhile, so what was read
 * before the lock is read again under it. */
static enum ocop_status run(sqlite3 *db, enum migrate_side side, const struct migration *m,
                            int *applied, struct ocop_error *err)
{
    int application = side == MIGRATE_REGISTRY ? APPLICATION_REGISTRY : APPLICATION_STORE;
    char doing[96], stamp[96];
    int64_t version = 0;
    enum ocop_status status = db_exec(db, "BEGIN IMMEDIATE", err);

    if (status != OCOP_OK)
        return status;
    status = read_version(db, side, &version, err);
    if (status != OCOP_OK || version >= m->number)
        goto out;
    (void)snprintf(doing, sizeof doing, "migration %s", m->name);
    (void)snprintf(stamp, sizeof stamp, "PRAGMA application_id=%d; PRAGMA user_version=%d",
                   application, m->number);
    if (sqlite3_exec(db, m->sql, NULL, NULL, NULL) != SQLITE_OK ||
        sqlite3_exec(db, stamp, NULL, NULL, NULL) != SQLITE_OK ||
        sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) != SQLITE_OK)
        status = db_error(db, err, doing);
    else
        ++*applied;
out:
    if (!sqlite3_get_autocommit(db))
        (void)sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    return status;
}

/* A program that was killed in its commit may have left a transaction in the log that never reached
 * the disk. SQLite shows it to us, we may tell others of it, and then a power cut would undo it. So
 * it is made safe first, as a checkpoint does; there is nothing to do after a clean end. */
static enum ocop_status settle(sqlite3 *db, struct ocop_error *err)
{
    const int code = sqlite3_exec(db, "PRAGMA wal_checkpoint(PASSIVE)", NULL, NULL, NULL);

    /* The log is synced before it is copied: for the copy a full disk may have no room. */
    return code == SQLITE_OK || (code & 0xff) == SQLITE_FULL
               ? OCOP_OK
               : db_error(db, err, "making the log safe");
}

enum ocop_status migrate(sqlite3 *db, enum migrate_side side, int *applied, struct ocop_error *err)
{
    int64_t version = 0;
    int count = 0;
    enum ocop_status status = sum_open(db, err);

    if (status == OCOP_OK)
        status = past_open(db, err);
    if (status == OCOP_OK)
        status = read_version(db, side, &version, err);
    /* A phone's flash is written a page at a time and for each save anew; a registry's commits hold
     * many records. Of a file that has pages already this changes nothing. */
    if (status == OCOP_OK && side == MIGRATE_STORE && version == 0)
        status = db_exec(db, "PRAGMA page_size=2048", err);
    /* Only now, since this writes into the file: it is ours, and not a newer program's. The answer
     * is not asked for: a VFS without shared memory keeps its rollback journal, as durable. */
    if (status == OCOP_OK &&
        sqlite3_exec(db, "PRAGMA journal_mode=WAL", NULL, NULL, NULL) != SQLITE_OK)
        status = db_error(db, err, "choosing the journal");
    if (status == OCOP_OK)
        status = settle(db, err);
    for (const struct migration *m = migrations; status == OCOP_OK && m->number; m++)
        if ((m->sides & (int)side) && m->number > version)
            status = run(db, side, m, &count, err);
    if (applied)
        *applied = count;
    return status;
}

/* --- check ----------------------------------------------------------------------------------- */

/* What a schema holds, one row each: its name, and all that is said of it. Roots of trees differ.
 */
static const char *const sql_schema = "SELECT name, type || ' ' || tbl_name || ' ' || "
                                      "coalesce(sql, '') FROM sqlite_schema ORDER BY name";

static int step_name(sqlite3_stmt *stmt, const char **name, const char **text)
{
    int code = sqlite3_step(stmt);

    *name = code == SQLITE_ROW ? (const char *)sqlite3_column_text(stmt, 0) : NULL;
    *text = code == SQLITE_ROW ? (const char *)sqlite3_column_text(stmt, 1) : NULL;
    return code == SQLITE_ROW || code == SQLITE_DONE ? SQLITE_OK : code;
}

/* Two lists in order of names, side by side. */
static int compare(sqlite3_stmt *is, sqlite3_stmt *must,
                   void (*found)(void *self, const char *name), void *self)
{
    const char *name = NULL, *text = NULL, *must_name = NULL, *must_text = NULL;
    int code = step_name(is, &name, &text);

    if (code == SQLITE_OK)
        code = step_name(must, &must_name, &must_text);
    while (code == SQLITE_OK && (name || must_name)) {
        const int order = !name ? 1 : !must_name ? -1 : strcmp(name, must_name);
        if (order != 0)
            found(self, order < 0 ? name : must_name);
        else if (!text || !must_text || strcmp(text, must_text) != 0)
            found(self, name);
        if (order <= 0)
            code = step_name(is, &name, &text);
        if (order >= 0 && code == SQLITE_OK)
            code = step_name(must, &must_name, &must_text);
    }
    return code;
}

static uint64_t digest_text(uint64_t h, const char *text)
{
    do
        h = (h ^ (uint8_t)*text) * UINT64_C(0x100000001b3);
    while (*text++);
    return h;
}

/* One number for all of a list; 0 is none. */
static enum ocop_status digest(sqlite3 *db, uint64_t *out, struct ocop_error *err)
{
    enum ocop_status status = OCOP_OK;
    sqlite3_stmt *stmt = NULL;
    const char *name = "", *text;
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    int code = sqlite3_prepare_v2(db, sql_schema, -1, &stmt, NULL);

    while (code == SQLITE_OK && name && (code = step_name(stmt, &name, &text)) == SQLITE_OK && name)
        h = digest_text(digest_text(h, name), text ? text : "");
    if (code != SQLITE_OK)
        status = db_error(db, err, "reading the schema");
    (void)sqlite3_finalize(stmt);
    *out = h ? h : 1;
    return status;
}

enum ocop_status migrate_check(sqlite3 *db, enum migrate_side side,
                               void (*found)(void *self, const char *name), void *self,
                               struct ocop_error *err)
{
    static _Atomic uint64_t known[MIGRATE_STORE + 1]; /* what it is once all have run */
    sqlite3_stmt *is = NULL, *must = NULL;
    sqlite3 *fresh = NULL;
    uint64_t here, wanted;
    enum ocop_status status = digest(db, &here, err);

    if (status != OCOP_OK || here == known[side])
        return status;
    status = db_open(":memory:", true, false, NULL, &fresh, err);
    if (status == OCOP_OK)
        status = migrate(fresh, side, NULL, err);
    if (status == OCOP_OK)
        status = digest(fresh, &wanted, err);
    if (status == OCOP_OK)
        known[side] = wanted;
    if (status == OCOP_OK && here != wanted) {
        if (sqlite3_prepare_v2(fresh, sql_schema, -1, &must, NULL) != SQLITE_OK)
            status = db_error(fresh, err, "reading the schema");
        else if (sqlite3_prepare_v2(db, sql_schema, -1, &is, NULL) != SQLITE_OK ||
                 compare(is, must, found, self) != SQLITE_OK)
            status = db_error(db, err, "reading the schema");
    }
    (void)sqlite3_finalize(is);
    (void)sqlite3_finalize(must);
    (void)sqlite3_close(fresh);
    return status;
}
