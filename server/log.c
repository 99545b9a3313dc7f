/* The log in SQLite. Narrow on purpose: append, read, find; another engine could stand here. */
#include "log.h"

#include "registry_stmts.h"

static enum ocop_status step_done(struct registry *r, sqlite3_stmt *s, const char *doing,
                                  struct ocop_error *err)
{
    int rc = sqlite3_step(s);
    sqlite3_reset(s);
    return rc == SQLITE_DONE ? OCOP_OK : db_error(r->db, err, doing);
}

static void bind_blob(sqlite3_stmt *s, int at, const void *p, size_t len)
{
    sqlite3_bind_blob64(s, at, p, len, SQLITE_STATIC);
}

static void entry_read(sqlite3_stmt *s, struct log_entry *out)
{
    out->version = (uint64_t)sqlite3_column_int64(s, 0);
    id_from(span_of(sqlite3_column_blob(s, 1), (size_t)sqlite3_column_bytes(s, 1)), &out->replica);
    out->seq = (uint64_t)sqlite3_column_int64(s, 2);
    out->received_ms = sqlite3_column_int64(s, 3);
    if (sqlite3_column_bytes(s, 4) == HASH_LEN)
        memcpy(out->hash, sqlite3_column_blob(s, 4), HASH_LEN);
    if (sqlite3_column_bytes(s, 5) == SIGNATURE_LEN)
        memcpy(out->signature, sqlite3_column_blob(s, 5), SIGNATURE_LEN);
}

enum ocop_status log_read(struct registry *r, uint64_t version, struct log_entry *out,
                          struct ocop_error *err)
{
    *out = (struct log_entry){0};
    sqlite3_stmt *s = registry_stmt(r, SQL_LOG_READ, err);
    if (!s)
        return OCOP_EDB;
    sqlite3_bind_int64(s, 1, (sqlite3_int64)version);
    int rc = sqlite3_step(s);
    if (rc == SQLITE_DONE)
        return err_set(err, OCOP_ENOTFOUND, "the log ends before version %llu",
                       (unsigned long long)version);
    if (rc != SQLITE_ROW)
        return db_error(r->db, err, "reading the log");
    entry_read(s, out);
    out->body = span_of(sqlite3_column_blob(s, 6), (size_t)sqlite3_column_bytes(s, 6));
    return OCOP_OK; /* reset by the next call: the body is borrowed until then */
}

enum ocop_status log_find(struct registry *r, const struct id *replica, uint64_t seq,
                          struct log_entry *out, struct ocop_error *err)
{
    *out = (struct log_entry){0};
    sqlite3_stmt *s = registry_stmt(r, SQL_LOG_FIND, err);
    if (!s)
        return OCOP_EDB;
    bind_blob(s, 1, replica->b, ID_LEN);
    sqlite3_bind_int64(s, 2, (sqlite3_int64)seq);
    int rc = sqlite3_step(s);
    if (rc == SQLITE_ROW)
        entry_read(s, out);
    sqlite3_reset(s);
    if (rc == SQLITE_DONE)
        return OCOP_ENOTFOUND;
    return rc == SQLITE_ROW ? OCOP_OK : db_error(r->db, err, "reading the log");
}

static enum ocop_status insert(struct registry *r, const struct change_set *set,
                               const struct sealed *sealed, int64_t received_ms, uint64_t version,
                               struct ocop_error *err)
{
    sqlite3_stmt *s = registry_stmt(r, SQL_LOG_APPEND, err);
    if (!s)
        return OCOP_EDB;
    sqlite3_bind_int64(s, 1, (sqlite3_int64)version);
    bind_blob(s, 2, set->replica.b, ID_LEN);
    sqlite3_bind_int64(s, 3, (sqlite3_int64)set->seq);
    sqlite3_bind_int64(s, 4, received_ms);
    bind_blob(s, 5, set->hash, HASH_LEN);
    bind_blob(s, 6, sealed->signature, SIGNATURE_LEN);
    bind_blob(s, 7, sealed->body.p, sealed->body.len);
    enum ocop_status st = step_done(r, s, "appending to the log", err);
    if (st != OCOP_OK)
        return st;
    s = registry_stmt(r, SQL_CHAIN_SET, err);
    if (!s)
        return OCOP_EDB;
    bind_blob(s, 1, set->replica.b, ID_LEN);
    sqlite3_bind_int64(s, 2, (sqlite3_int64)set->seq);
    bind_blob(s, 3, set->hash, HASH_LEN);
    sqlite3_bind_int64(s, 4, (sqlite3_int64)version);
    return step_done(r, s, "noting the end of a chain", err);
}

enum ocop_status log_append(struct registry *r, const struct change_set *set,
                            const struct sealed *sealed, int64_t received_ms,
                            enum log_answer *answer, uint64_t *version, struct ocop_error *err)
{
    struct log_entry there;
    enum ocop_status st = log_find(r, &set->replica, set->seq, &there, err);
    if (st == OCOP_OK) {
        *answer = memcmp(there.hash, set->hash, HASH_LEN) == 0 ? LOG_THERE : LOG_OTHER;
        *version = there.version;
        return OCOP_OK;
    }
    if (st != OCOP_ENOTFOUND)
        return st;
    st = registry_version(r, version, err);
    if (st != OCOP_OK)
        return st;
    CHECK(!registry_rolled_back(r)); /* the set and what it does are one transaction */
    ++*version;
    *answer = LOG_APPENDED;
    return insert(r, set, sealed, received_ms, *version, err);
}
