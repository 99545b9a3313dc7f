/* The store's database: its connection, its transactions, and what it knows about itself. Knows
 * rows and statements; decides nothing about changes or syncs. */
#include "store_sql.h"
#include "store_words.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

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
    {"file", "hash", "hash, size, here, central, wanted, done, tried_ms"},
    {"thumbnail", "hash", "hash, state, image, at_ms"},
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
        st = store_find_open(s, err);
    if (!st)
        st = store_sum_first(s, err);
    if (!st)
        st = store_search_first(s, err);
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
    for (int q = 0; q < WORDS_QUESTIONS; q++)
        (void)sqlite3_finalize(s->db->word[q]);
    words_fini(s->db);
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
    enum ocop_status st = db_exec(s->db->sqlite, "BEGIN IMMEDIATE", err);

    s->db->words_unread = false;
    s->db->open = !st;
    store_searched_forget(s->db);
    return st;
}

enum ocop_status store_begin_read(struct ocop_store *s, struct ocop_error *err)
{
    s->db->words_unread = false;
    return db_exec(s->db->sqlite, "BEGIN", err);
}

enum ocop_status store_commit(struct ocop_store *s, struct ocop_error *err)
{
    enum ocop_status st = store_searched_write(s, err);

    if (st)
        return st;
    s->db->open = false;
    st = db_exec(s->db->sqlite, "COMMIT", err);
    if (!st)
        memset(s->db->words_damaged, 0, sizeof s->db->words_damaged);
    return st;
}

bool store_rollback(struct ocop_store *s)
{
    s->db->open = false;
    store_searched_forget(s->db);
    /* A failing disk may have rolled back by itself. */
    if (!sqlite3_get_autocommit(s->db->sqlite))
        (void)sqlite3_exec(s->db->sqlite, "ROLLBACK", NULL, NULL, NULL);
    if (sqlite3_get_autocommit(s->db->sqlite))
        store_search_void(s);
    return sqlite3_get_autocommit(s->db->sqlite) != 0;
}

enum ocop_status store_overtaken(struct ocop_store *s, bool *out, struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    int64_t version = 0;
    enum ocop_status status = store_ask(s, Q_DATA_VERSION, &st, err);

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
    enum ocop_status status = store_ask(s, Q_META, &st, err);

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
    enum ocop_status status = store_ask(s, Q_META_SET, &st, err);

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

enum ocop_status store_meta_int(struct ocop_store *s, const char *key, struct arena *a, bool *found,
                                uint64_t *out, struct ocop_error *err)
{
    struct span v;
    enum ocop_status st = store_meta(s, key, a, &v, err);

    *found = !st && v.len == sizeof *out;
    *out = 0;
    for (size_t i = 0; *found && i < v.len; i++)
        *out = *out << 8 | v.p[i];
    return st;
}

enum ocop_status store_identity(struct ocop_store *s, struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    bool row = true;
    struct identity *me = &s->me;
    enum ocop_status status = store_ask(s, Q_META_ALL, &st, err);

    if (status)
        return status;
    memset(me, 0, sizeof *me);
    me->budget = SET_SEALED_BYTES_START;
    me->files = (struct ocop_file_limits){FILE_BYTES_DEFAULT, RECORD_FILES_BYTES_DEFAULT,
                                          STORE_FILES_BYTES_DEFAULT};
    me->images = (struct ocop_image_settings){.quality = OCOP_IMAGE_QUALITY_DEFAULT};
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
