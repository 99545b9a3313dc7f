/* Making a store's file forget: keys first, then every row, then the file's free pages and its
 * journal. Knows no reason for it, and no network. */
#include "store_db.h"

#include <stdio.h>

/* --- SQL ------------------------------------------------------------------------------------- */

/* What is said to the officer, and by what he enrols anew. */
#define KEPT_LAST                                                                                  \
    "'wiped', 'state_reason', 'next_replica', 'next_sign_public', 'next_sign_secret', "            \
    "'next_channel_secret'"
/* What the last word to the server needs besides. */
#define KEPT                                                                                       \
    KEPT_LAST ", 'wipe_lost', 'replica', 'channel_secret', 'server', 'server_key', "               \
              "'server_key_number', 'root_key', 'root_number', 'exchange'"
#define TABLES                                                                                     \
    "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%' "             \
    "AND name <> 'meta'"

static const char sql_secure[] = "PRAGMA secure_delete = ON";
static const char sql_keys[] = "DELETE FROM meta WHERE key IN ('sign_secret', 'certificate', "
                               "'certificate_first', 'next_sign_public', 'next_sign_secret', "
                               "'next_channel_secret', 'rekeying', 'file_key')";
static const char sql_meta[] = "DELETE FROM meta WHERE key NOT IN (" KEPT ")";
static const char sql_last[] = "DELETE FROM meta WHERE key NOT IN (" KEPT_LAST ")";
static const char sql_forget[] = "DELETE FROM meta";
/* The file is written anew without what was in its free pages; then the journal is cut to nothing.
 */
static const char sql_anew[] = "VACUUM";
static const char sql_journal[] = "PRAGMA wal_checkpoint(TRUNCATE)";

/* --------------------------------------------------------------------------------------------- */

static enum ocop_status rows_forget(struct ocop_store *s, struct ocop_error *err)
{
    sqlite3 *db = s->db->sqlite;
    sqlite3_stmt *names = NULL;
    char sql[160];
    bool row = true;
    enum ocop_status st = OCOP_OK;

    if (sqlite3_prepare_v2(db, TABLES, -1, &names, NULL) != SQLITE_OK)
        return db_error(db, err, "listing the tables");
    while (!st && row) {
        st = step(s, names, &row, err);
        if (st || !row)
            break;
        (void)snprintf(sql, sizeof sql, "DELETE FROM \"%.100s\"",
                       (const char *)sqlite3_column_text(names, 0));
        st = db_exec(db, sql, err);
    }
    (void)sqlite3_finalize(names);
    return st ? st : db_exec(db, sql_meta, err);
}

/* As long as another connection reads what was there before, the file and its journal keep it; that
 * is no error to SQLite, which says so in a row. */
static enum ocop_status journal_cut(struct ocop_store *s, struct ocop_error *err)
{
    sqlite3 *db = s->db->sqlite;
    sqlite3_stmt *st = NULL;
    bool row = false, busy;
    enum ocop_status status;

    if (sqlite3_prepare_v2(db, sql_journal, -1, &st, NULL) != SQLITE_OK)
        return db_error(db, err, "cutting the journal");
    status = step(s, st, &row, err);
    busy = !status && row && sqlite3_column_int(st, 0) != 0;
    (void)sqlite3_finalize(st);
    if (!busy)
        return status;
    return err_set(err, OCOP_EBUSY,
                   "another program is reading this store, which is to be wiped and holds its "
                   "text until then; close that one, then try again");
}

enum ocop_status store_wipe_begin(struct ocop_store *s, const char *reason, unsigned lost,
                                  struct ocop_error *err)
{
    enum ocop_status st = db_exec(s->db->sqlite, sql_secure, err);

    if (!st)
        st = store_meta_set(s, "state_reason", span_str(reason), err);
    if (!st)
        st = store_meta_set_int(s, "wipe_lost", lost, err);
    if (!st)
        st = store_meta_set_int(s, "wiped", WIPED_BEGUN, err);
    if (!st)
        st = db_exec(s->db->sqlite, sql_keys, err);
    return st ? st : store_identity(s, err);
}

enum ocop_status store_wipe_rows(struct ocop_store *s, struct ocop_error *err)
{
    enum ocop_status st = db_exec(s->db->sqlite, sql_secure, err);

    if (!st)
        st = client_begin(s, err);
    if (st)
        return st;
    if (s->me.wiped != WIPED_BEGUN) /* but ended, or enrolled anew, by another process */
        return client_end(s, OCOP_OK, err);
    st = client_end(s, rows_forget(s, err), err);
    if (!st)
        st = db_exec(s->db->sqlite, sql_anew, err);
    return st ? st : journal_cut(s, err);
}

enum ocop_status store_wipe_done(struct ocop_store *s, struct ocop_error *err)
{
    enum ocop_status st = client_begin(s, err);

    if (st)
        return st;
    if (s->me.wiped == WIPED_BEGUN)
        st = store_meta_set_int(s, "wiped", WIPED_UNTOLD, err);
    return client_end(s, st ? st : store_identity(s, err), err);
}

enum ocop_status store_wipe_told(struct ocop_store *s, struct ocop_error *err)
{
    enum ocop_status st = db_exec(s->db->sqlite, sql_secure, err);

    if (!st)
        st = client_begin(s, err);
    if (st)
        return st;
    st = db_exec(s->db->sqlite, sql_last, err);
    if (!st)
        st = store_meta_set_int(s, "wiped", WIPED_TOLD, err);
    st = client_end(s, st ? st : store_identity(s, err), err);
    if (!st) /* beside a reader the journal goes when the last of them closes the store */
        (void)journal_cut(s, NULL);
    return st;
}

enum ocop_status store_wipe_over(struct ocop_store *s, struct ocop_error *err)
{
    enum ocop_status st = db_exec(s->db->sqlite, sql_secure, err);

    if (!st)
        st = db_exec(s->db->sqlite, sql_forget, err);
    return st ? st : store_identity(s, err);
}
