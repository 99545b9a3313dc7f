/* SQL that answers people and keeps the file; nothing here takes part in applying the log. */
#include "query.h"

#include <stdio.h>
#include <unistd.h>

#include "again.h"
#include "bounds.h"
#include "migrate.h"
#include "sum.h"

enum { NAME_BYTES = 160, FILES_PAGE = 64 };
enum { COPY_STEP_PAGES = 256, COPY_BUSY_TRIES = 600, COPY_BUSY_MS = 50 };

static const char *const sql_undecided =
    "voided IS NOT 1 AND unit_id IN (SELECT record_id FROM unit_successors WHERE extent = 'split'"
    " GROUP BY record_id HAVING count(*) > 1)";
static const char *const sql_contact =
    "SELECT coalesce(last_ms, 0), coalesce(skew_ms, 0), coalesce(waiting, 0), coalesce(schema, 0),"
    " coalesce(program, 0), last_ms IS NOT NULL, (SELECT count(*) FROM outcome AS o JOIN log AS l"
    " ON l.version = o.version WHERE l.replica = ?1 AND o.code = 4),"
    " (SELECT count(*) FROM quarantine AS q WHERE q.replica = ?1),"
    " (SELECT coalesce(sum(i.refused), 0) FROM invitation AS i WHERE i.replica = ?1)"
    " FROM (SELECT 1) LEFT JOIN contact ON replica = ?1";
#define INVITATION_ID "lower(substr(hex(token_hash), 1, 8))"
static const char *const sql_invitations =
    "SELECT " INVITATION_ID ", officer, replica, scope, made_ms, expires_ms, used_ms, refused_ms,"
    " revoked_ms, refused FROM invitation ORDER BY made_ms, token_hash";
static const char *const sql_invitation_revoke =
    "UPDATE invitation SET revoked_ms = ?2, sum = row_sum(token_hash, officer, scope, made_ms, "
    "expires_ms, replica, sign_key, channel_key, refused, used_ms, refused_ms, ?2) "
    "WHERE " INVITATION_ID " = ?1 AND replica IS NULL"
    " AND revoked_ms = 0";
static const char *const sql_invitation_there =
    "SELECT count(*) FROM invitation WHERE " INVITATION_ID " = ?1";
#define SQL_FILES(condition)                                                                       \
    "SELECT a.id, a.record_id, coalesce(a.role, ''), coalesce(a.media_type, ''),"                  \
    " coalesce(a.caption, ''), coalesce(o.name, ''), a.size, a.hash, coalesce(p.number, 0),"       \
    " coalesce(l.received_ms, 0), a.n, a.version, coalesce(a.removed_ms, 0),"                      \
    " coalesce(b.name, ''), coalesce(a.removed_reason, ''), coalesce(a.hold_reason, ''),"          \
    " coalesce((SELECT since_ms FROM lacking WHERE hash = a.hash), 0), a.officer_id"               \
    " FROM attachment AS a LEFT JOIN log AS l ON l.version = a.born"                               \
    " LEFT JOIN replica AS p ON p.id = l.replica LEFT JOIN officer AS o ON o.id = a.officer_id"    \
    " LEFT JOIN officer AS b ON b.id = a.removed_by"                                               \
    " WHERE " condition " AND length(a.hash) = 32 AND a.n > ?2 ORDER BY a.n LIMIT ?3"
static const char *const sql_files = SQL_FILES("?1 IS NULL");
static const char *const sql_files_of_record = SQL_FILES("a.record_id = ?1");
static const char *const sql_files_of_hash = SQL_FILES("a.hash = ?1");
static const char *const sql_file_named =
    "SELECT EXISTS (SELECT 1 FROM attachment WHERE hash = ?1 AND removed_ms IS NULL)";
static const char *const sql_file_removed =
    "SELECT EXISTS (SELECT 1 FROM attachment WHERE hash = ?1 AND removed_ms IS NOT NULL)";
static const char *const sql_integrity = "PRAGMA integrity_check(1)";
static const char *const sql_backup_made =
    "INSERT INTO backup (made_ms, version, path, sum) VALUES (?1, ?2, ?3, row_sum(?1, ?2, ?3))";
static const char *const sql_backups = "SELECT path FROM backup GROUP BY path "
                                       "ORDER BY max(made_ms) DESC";
static const char *const sql_attach = "ATTACH DATABASE ?1 AS source";
static const char *const sql_detach = "DETACH DATABASE source";
static const char *const sql_copy_own =
    "BEGIN;" /* not IMMEDIATE, which would lock the source too */
    "INSERT INTO main.invitation SELECT * FROM source.invitation;"
    "INSERT INTO main.contact SELECT * FROM source.contact;"
    "INSERT INTO main.quarantine SELECT * FROM source.quarantine;"
    "INSERT INTO main.backup SELECT * FROM source.backup;"
    "INSERT INTO main.brought SELECT * FROM source.brought;"
    "INSERT INTO main.lacking SELECT * FROM source.lacking;"
    "INSERT OR IGNORE INTO main.meta SELECT * FROM source.meta WHERE key = 'number_floor';"
    "COMMIT";
static const char *const sql_invitations_used =
    "BEGIN;"
    "UPDATE main.invitation AS i SET replica = u.replica, sign_key = u.sign_key,"
    " channel_key = u.channel_key FROM source.invitation AS u"
    " WHERE u.token_hash = i.token_hash AND i.replica IS NULL AND u.replica IS NOT NULL;"
    "UPDATE main.invitation AS i SET refused = max(i.refused, u.refused),"
    " refused_ms = max(i.refused_ms, u.refused_ms), revoked_ms = max(i.revoked_ms, u.revoked_ms),"
    " used_ms = max(i.used_ms, u.used_ms)"
    " FROM source.invitation AS u WHERE u.token_hash = i.token_hash;"
    "UPDATE main.invitation SET sum = row_sum(token_hash, officer, scope, made_ms, expires_ms, "
    "replica, sign_key, channel_key, refused, used_ms, refused_ms, revoked_ms);"
    "COMMIT";
static const char *const sql_snapshot = "BEGIN; SELECT count(*) FROM sqlite_schema";
static const char *const sql_one_file = "PRAGMA journal_mode = DELETE";

static enum ocop_status prepare(sqlite3 *db, const char *sql, sqlite3_stmt **out,
                                struct ocop_error *err)
{
    if (sqlite3_prepare_v2(db, sql, -1, out, NULL) != SQLITE_OK)
        return db_error(db, err, "prepare a question");
    return OCOP_OK;
}

static const char *text_at(sqlite3_stmt *s, int at)
{
    const char *text = (const char *)sqlite3_column_text(s, at);
    return text ? text : "";
}

static void read_file(sqlite3_stmt *s, struct query_file *f)
{
    *f = (struct query_file){.role = text_at(s, 2),
                             .media_type = text_at(s, 3),
                             .caption = text_at(s, 4),
                             .officer = text_at(s, 5),
                             .size = (uint64_t)sqlite3_column_int64(s, 6),
                             .device = (uint32_t)sqlite3_column_int64(s, 8),
                             .received_ms = sqlite3_column_int64(s, 9),
                             .version = (uint64_t)sqlite3_column_int64(s, 11),
                             .removed_ms = sqlite3_column_int64(s, 12),
                             .removed_by = text_at(s, 13),
                             .removed_reason = text_at(s, 14),
                             .hold_reason = text_at(s, 15),
                             .lacking_ms = sqlite3_column_int64(s, 16)};
    memcpy(f->hash, sqlite3_column_blob(s, 7), FILE_HASH_LEN);
    (void)id_from(span_of(sqlite3_column_blob(s, 0), (size_t)sqlite3_column_bytes(s, 0)), &f->id);
    (void)id_from(span_of(sqlite3_column_blob(s, 1), (size_t)sqlite3_column_bytes(s, 1)),
                  &f->record);
    (void)id_from(span_of(sqlite3_column_blob(s, 17), (size_t)sqlite3_column_bytes(s, 17)), &f->by);
}

/* Page by page: what is done for each may take long, and a question that stays open keeps the
 * registry's log from being emptied. */
static enum ocop_status files_where(struct registry *r, const char *sql, struct span is,
                                    query_file_fn fn, void *self, struct ocop_error *err)
{
    sqlite3_stmt *s = NULL;
    sqlite3_int64 last = 0;
    int code = SQLITE_ROW, rows = FILES_PAGE;
    enum ocop_status st = prepare(r->db, sql, &s, err);
    for (; st == OCOP_OK && rows == FILES_PAGE; sqlite3_reset(s)) {
        if (is.len)
            sqlite3_bind_blob(s, 1, is.p, (int)is.len, SQLITE_STATIC);
        sqlite3_bind_int64(s, 2, last);
        sqlite3_bind_int64(s, 3, FILES_PAGE);
        for (rows = 0; st == OCOP_OK && (code = sqlite3_step(s)) == SQLITE_ROW; rows++) {
            struct query_file f;
            read_file(s, &f);
            last = sqlite3_column_int64(s, 10);
            st = fn(self, &f, err);
        }
        if (st == OCOP_OK && code != SQLITE_DONE)
            st = db_error(r->db, err, "list attachments");
    }
    sqlite3_finalize(s);
    return st;
}

enum ocop_status query_files(struct registry *r, const struct id *record, query_file_fn fn,
                             void *self, struct ocop_error *err)
{
    return record ? files_where(r, sql_files_of_record, id_span(record), fn, self, err)
                  : files_where(r, sql_files, span_of(NULL, 0), fn, self, err);
}

enum ocop_status query_files_of(struct registry *r, const uint8_t hash[FILE_HASH_LEN],
                                query_file_fn fn, void *self, struct ocop_error *err)
{
    return files_where(r, sql_files_of_hash, span_of(hash, FILE_HASH_LEN), fn, self, err);
}

static enum ocop_status file_asked(struct registry *r, const char *sql,
                                   const uint8_t hash[FILE_HASH_LEN], bool *out,
                                   struct ocop_error *err)
{
    sqlite3_stmt *s = NULL;
    enum ocop_status st = prepare(r->db, sql, &s, err);
    *out = false;
    if (st != OCOP_OK)
        return st;
    sqlite3_bind_blob(s, 1, hash, FILE_HASH_LEN, SQLITE_STATIC);
    if (sqlite3_step(s) == SQLITE_ROW)
        *out = sqlite3_column_int(s, 0) != 0;
    else
        st = db_error(r->db, err, "look for an attachment");
    sqlite3_finalize(s);
    return st;
}

enum ocop_status query_file_named(struct registry *r, const uint8_t hash[FILE_HASH_LEN], bool *out,
                                  struct ocop_error *err)
{
    return file_asked(r, sql_file_named, hash, out, err);
}

enum ocop_status query_file_removed(struct registry *r, const uint8_t hash[FILE_HASH_LEN],
                                    bool *out, struct ocop_error *err)
{
    return file_asked(r, sql_file_removed, hash, out, err);
}

/* Records of a kind that fulfil a condition, oldest first. */
static enum ocop_status records_where(struct registry *r, uint32_t kind, const char *condition,
                                      query_record_fn fn, void *self, struct ocop_error *err)
{
    sqlite3_stmt *stmt = NULL;
    struct arena scratch;
    struct buf sql;
    int step = SQLITE_DONE;

    arena_init(&scratch, ARENA_REQUEST_MAX);
    buf_init(&sql, KIB(16));
    buf_printf(&sql, "SELECT %s FROM \"%s\" WHERE %s ORDER BY n", row_columns(r->rows, kind),
               row_table(kind), condition);
    enum ocop_status st = sql.failed ? err_nomem(err) : prepare(r->db, buf_cstr(&sql), &stmt, err);
    while (st == OCOP_OK && (step = sqlite3_step(stmt)) == SQLITE_ROW) {
        struct query_record record;
        arena_reset(&scratch);
        st = row_read(r->rows, kind, stmt, 0, &scratch, &record.id, &record.fields, &record.meta,
                      err);
        if (st == OCOP_OK)
            st = fn(self, &record, err);
    }
    if (st == OCOP_OK && step != SQLITE_DONE)
        st = db_error(r->db, err, "list records");
    sqlite3_finalize(stmt);
    buf_fini(&sql);
    arena_fini(&scratch);
    return st;
}

enum ocop_status query_records(struct registry *r, uint32_t kind, query_record_fn fn, void *self,
                               struct ocop_error *err)
{
    return records_where(r, kind, "true", fn, self, err);
}

enum ocop_status query_undecided(struct registry *r, uint32_t kind, query_record_fn fn, void *self,
                                 struct ocop_error *err)
{
    return records_where(r, kind, sql_undecided, fn, self, err);
}

enum ocop_status query_count(struct registry *r, uint32_t kind, uint64_t *out,
                             struct ocop_error *err)
{
    sqlite3_stmt *stmt = NULL;
    char sql[100];

    *out = 0;
    snprintf(sql, sizeof sql, "SELECT count(*) FROM \"%s\"", row_table(kind));
    enum ocop_status st = prepare(r->db, sql, &stmt, err);
    if (st == OCOP_OK && sqlite3_step(stmt) != SQLITE_ROW)
        st = db_error(r->db, err, "count records");
    if (st == OCOP_OK)
        *out = (uint64_t)sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    return st;
}

enum ocop_status query_contact(struct registry *r, const struct id *replica,
                               struct query_contact *out, struct ocop_error *err)
{
    sqlite3_stmt *stmt = NULL;

    *out = (struct query_contact){0};
    enum ocop_status st = prepare(r->db, sql_contact, &stmt, err);
    if (st != OCOP_OK)
        return st;
    sqlite3_bind_blob(stmt, 1, replica->b, ID_LEN, SQLITE_STATIC);
    const int step = sqlite3_step(stmt);
    if (step == SQLITE_ROW) {
        out->last_ms = sqlite3_column_int64(stmt, 0);
        out->skew_ms = sqlite3_column_int64(stmt, 1);
        out->waiting = (uint32_t)sqlite3_column_int64(stmt, 2);
        out->schema = (uint32_t)sqlite3_column_int64(stmt, 3);
        out->program = (uint32_t)sqlite3_column_int64(stmt, 4);
        out->known = sqlite3_column_int(stmt, 5);
        out->refused = (uint64_t)sqlite3_column_int64(stmt, 6);
        out->aside = (uint64_t)sqlite3_column_int64(stmt, 7);
        out->tried = (uint64_t)sqlite3_column_int64(stmt, 8);
    } else {
        st = db_error(r->db, err, "read what a device told");
    }
    sqlite3_finalize(stmt);
    return st;
}

static void invitation_read(sqlite3_stmt *stmt, struct query_invitation *out)
{
    const char *id = (const char *)sqlite3_column_text(stmt, 0);

    *out = (struct query_invitation){.made_ms = sqlite3_column_int64(stmt, 4),
                                     .expires_ms = sqlite3_column_int64(stmt, 5),
                                     .used_ms = sqlite3_column_int64(stmt, 6),
                                     .refused_ms = sqlite3_column_int64(stmt, 7),
                                     .revoked_ms = sqlite3_column_int64(stmt, 8),
                                     .refused = (uint64_t)sqlite3_column_int64(stmt, 9)};
    snprintf(out->id, sizeof out->id, "%s", id ? id : "");
    id_from(span_of(sqlite3_column_blob(stmt, 1), (size_t)sqlite3_column_bytes(stmt, 1)),
            &out->officer);
    id_from(span_of(sqlite3_column_blob(stmt, 2), (size_t)sqlite3_column_bytes(stmt, 2)),
            &out->replica);
    out->scope = sqlite3_column_blob(stmt, 3);
    out->scope_count = out->scope ? (size_t)sqlite3_column_bytes(stmt, 3) / ID_LEN : 0;
}

enum ocop_status query_invitations(struct registry *r, query_invitation_fn fn, void *self,
                                   struct ocop_error *err)
{
    sqlite3_stmt *stmt = NULL;
    int step = SQLITE_DONE;

    enum ocop_status st = prepare(r->db, sql_invitations, &stmt, err);
    while (st == OCOP_OK && (step = sqlite3_step(stmt)) == SQLITE_ROW) {
        struct query_invitation row;
        invitation_read(stmt, &row);
        st = fn(self, &row, err);
    }
    if (st == OCOP_OK && step != SQLITE_DONE)
        st = db_error(r->db, err, "list invitations");
    sqlite3_finalize(stmt);
    return st;
}

enum ocop_status query_invitation_revoke(struct registry *r, const char *id, int64_t now_ms,
                                         struct ocop_error *err)
{
    sqlite3_stmt *stmt = NULL;
    int64_t there = 0;

    enum ocop_status st = prepare(r->db, sql_invitation_there, &stmt, err);
    if (st == OCOP_OK)
        sqlite3_bind_text(stmt, 1, id, -1, SQLITE_STATIC);
    if (st == OCOP_OK && sqlite3_step(stmt) != SQLITE_ROW)
        st = db_error(r->db, err, "look for an invitation");
    if (st == OCOP_OK)
        there = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    if (st == OCOP_OK && there == 0)
        st = err_set(err, OCOP_ENOTFOUND,
                     "there is no invitation %.20s; `ocopd invitations` lists them", id);
    if (st != OCOP_OK)
        return st;
    st = prepare(r->db, sql_invitation_revoke, &stmt, err);
    if (st != OCOP_OK)
        return st;
    sqlite3_bind_text(stmt, 1, id, -1, SQLITE_STATIC);
    sqlite3_bind_int64(stmt, 2, now_ms);
    if (sqlite3_step(stmt) != SQLITE_DONE)
        st = db_error(r->db, err, "take an invitation back");
    else if (sqlite3_changes(r->db) == 0)
        st = err_set(err, OCOP_ESTATE,
                     "invitation %.20s is used or was taken back; to take a device's rights, "
                     "revoke the device",
                     id);
    sqlite3_finalize(stmt);
    return st;
}

static void keep_first(void *self, const char *name)
{
    char *first = self;

    if (!*first)
        snprintf(first, NAME_BYTES, "%s", name);
}

enum ocop_status query_integrity(struct registry *r, struct ocop_error *err)
{
    sqlite3_stmt *stmt = NULL;

    enum ocop_status st = prepare(r->db, sql_integrity, &stmt, err);
    if (st == OCOP_OK && sqlite3_step(stmt) != SQLITE_ROW)
        st = db_error(r->db, err, "check the file");
    if (st == OCOP_OK) {
        const char *found = (const char *)sqlite3_column_text(stmt, 0);
        if (!found || strcmp(found, "ok") != 0)
            st = err_set(err, OCOP_EDAMAGED, "%s is damaged: %.200s; restore a backup or rebuild",
                         r->path, found ? found : "no answer");
    }
    sqlite3_finalize(stmt);
    char name[NAME_BYTES] = "";
    if (st == OCOP_OK)
        st = migrate_check(r->db, MIGRATE_REGISTRY, keep_first, name, err);
    if (st == OCOP_OK && *name)
        st = err_set(err, OCOP_EDAMAGED,
                     "%s is not defined as this program defines it; `ocopd rebuild` makes a sound "
                     "file",
                     name);
    return st;
}

static const struct again sources[] = {
    {"meta", "who this registry is stands nowhere else: restore a backup"},
    {"invitation", "revoke what was enrolled by it and invite again"},
    {"contact", "the next sync of that device writes it anew"},
    {"quarantine", "what a revoked device pushed is in its own store, and in backups"},
    {"backup", "a note of a backup that was made; look for its file"},
    {"brought", "who has the content shows so again before he is given it"},
    {"lacking", "`ocopd files verify --mend` notes anew what is not there"},
    {"", "restore a backup; devices send again what it lacks"}, /* the log's */
};

static enum ocop_status sums_of(struct registry *r, const struct sum_table *t,
                                struct ocop_error *err)
{
    char row[NAME_BYTES] = "";

    enum ocop_status st = sum_check(r->db, t, keep_first, row, err);
    if (st == OCOP_OK && *row)
        st = err_set(err, OCOP_EDAMAGED, "%s is not what was written; %s", row,
                     again_from(sources, row));
    return st;
}

enum ocop_status query_sums(struct registry *r, enum query_sums what, struct ocop_error *err)
{
    enum ocop_status st = OCOP_OK;

    for (const struct sum_table *t = registry_summed; st == OCOP_OK && t->name; t++)
        if ((what == QUERY_SUMS_LOG) == (strcmp(t->name, "log") == 0))
            st = sums_of(r, t, err);
    return st;
}

enum ocop_status query_backup_made(struct registry *r, int64_t made_ms, uint64_t version,
                                   const char *path, struct ocop_error *err)
{
    sqlite3_stmt *stmt = NULL;

    enum ocop_status st = prepare(r->db, sql_backup_made, &stmt, err);
    if (st != OCOP_OK)
        return st;
    sqlite3_bind_int64(stmt, 1, made_ms);
    sqlite3_bind_int64(stmt, 2, (sqlite3_int64)version);
    sqlite3_bind_text(stmt, 3, path, -1, SQLITE_STATIC);
    if (sqlite3_step(stmt) != SQLITE_DONE)
        st = db_error(r->db, err, "note the backup");
    sqlite3_finalize(stmt);
    return st;
}

enum ocop_status query_backups(struct registry *r, query_backup_fn fn, void *self,
                               struct ocop_error *err)
{
    sqlite3_stmt *stmt = NULL;
    int step = SQLITE_DONE;

    enum ocop_status st = prepare(r->db, sql_backups, &stmt, err);
    while (st == OCOP_OK && (step = sqlite3_step(stmt)) == SQLITE_ROW) {
        const char *path = (const char *)sqlite3_column_text(stmt, 0);
        st = path ? fn(self, path, err) : err_nomem(err);
    }
    if (st == OCOP_OK && step != SQLITE_DONE)
        st = db_error(r->db, err, "list the backups");
    sqlite3_finalize(stmt);
    return st;
}

/* Run `sql` with another registry beside this one, as schema "source". */
static enum ocop_status beside(struct registry *to, const char *from_path, const char *sql,
                               struct ocop_error *err)
{
    sqlite3_stmt *stmt = NULL;

    enum ocop_status st = prepare(to->db, sql_attach, &stmt, err);
    if (st != OCOP_OK)
        return st;
    sqlite3_bind_text(stmt, 1, from_path, -1, SQLITE_STATIC);
    if (sqlite3_step(stmt) != SQLITE_DONE)
        st = db_error(to->db, err, "open the other registry");
    sqlite3_finalize(stmt);
    if (st != OCOP_OK)
        return st;
    st = db_exec(to->db, sql, err);
    if (st != OCOP_OK && !sqlite3_get_autocommit(to->db))
        sqlite3_exec(to->db, "ROLLBACK", NULL, NULL, NULL);
    const enum ocop_status detached = db_exec(to->db, sql_detach, st == OCOP_OK ? err : NULL);
    return st != OCOP_OK ? st : detached;
}

enum ocop_status query_copy_own(struct registry *to, const char *from_path, struct ocop_error *err)
{
    return beside(to, from_path, sql_copy_own, err);
}

size_t query_changed(struct registry *r)
{
    return (size_t)sqlite3_changes(r->db);
}

enum ocop_status query_invitations_used(struct registry *to, const char *from_path,
                                        struct ocop_error *err)
{
    return beside(to, from_path, sql_invitations_used, err);
}

static enum ocop_status copy_steps(sqlite3 *from, sqlite3 *to, struct ocop_error *err)
{
    enum ocop_status st = OCOP_OK;
    int step, busy = 0;

    sqlite3_backup *backup = sqlite3_backup_init(to, "main", from, "main");
    if (!backup)
        return db_error(to, err, "begin the copy");
    do {
        step = sqlite3_backup_step(backup, COPY_STEP_PAGES);
        if (step == SQLITE_BUSY || step == SQLITE_LOCKED) {
            sqlite3_sleep(COPY_BUSY_MS);
            busy++;
        }
    } while (step == SQLITE_OK ||
             ((step == SQLITE_BUSY || step == SQLITE_LOCKED) && busy < COPY_BUSY_TRIES));
    if (sqlite3_backup_finish(backup) != SQLITE_OK)
        st = db_error(to, err, "copy the registry");
    else if (step != SQLITE_DONE)
        st = err_set(err, OCOP_EBUSY, "the registry stayed busy; try the copy again");
    return st;
}

enum ocop_status query_copy_file(const char *from, const char *path, struct ocop_error *err)
{
    sqlite3 *source = NULL, *copy = NULL;

    enum ocop_status st = db_open(from, false, true, NULL, &source, err);
    /* A read transaction pins one state: without it the copy starts over whenever a server
     * commits, and beside a busy one it would never end. */
    if (st == OCOP_OK)
        st = db_exec(source, sql_snapshot, err);
    if (st == OCOP_OK)
        st = db_open(path, true, false, NULL, &copy, err);
    if (st == OCOP_OK)
        st = copy_steps(source, copy, err);
    sqlite3_close(copy);
    sqlite3_close(source);
    return st;
}

enum ocop_status query_one_file(const char *path, struct ocop_error *err)
{
    sqlite3 *db = NULL;

    enum ocop_status st = db_open(path, false, false, NULL, &db, err);
    if (st == OCOP_OK)
        st = db_exec(db, sql_one_file, err);
    sqlite3_close(db);
    return st;
}
