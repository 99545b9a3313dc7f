/* The questions about attachments and their contents. Knows rows; neither files nor what travels.
 */
#include "store_sql.h"

/* --- contents -------------------------------------------------------------------------------- */

enum { WANTED = 1, WANTED_ASKED = 2 }; /* in its row, where 0 is neither */

/* Columns of a content from `at` on; its hash stands at `hash_at`. */
static bool get_file(sqlite3_stmt *st, int hash_at, int at, struct file_row *out)
{
    const void *hash = sqlite3_column_blob(st, hash_at);

    *out = (struct file_row){.size = (uint64_t)sqlite3_column_int64(st, at),
                             .here = sqlite3_column_int(st, at + 1) != 0,
                             .central = sqlite3_column_int(st, at + 2) != 0,
                             .wanted = sqlite3_column_int(st, at + 3) != 0,
                             .asked = sqlite3_column_int(st, at + 3) == WANTED_ASKED,
                             .done = (uint64_t)sqlite3_column_int64(st, at + 4),
                             .tried_ms = sqlite3_column_int64(st, at + 5)};
    if (!hash || sqlite3_column_bytes(st, hash_at) != FILE_HASH_LEN)
        return false;
    memcpy(out->hash, hash, FILE_HASH_LEN);
    return true;
}

enum ocop_status store_file(struct ocop_store *s, const uint8_t hash[FILE_HASH_LEN], bool *found,
                            struct file_row *out, struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    enum ocop_status status = store_ask(s, Q_FILE_GET, &st, err);

    *found = false;
    if (status)
        return status;
    put_bytes(st, 1, span_of(hash, FILE_HASH_LEN));
    status = step(s, st, found, err);
    if (!status && *found && !get_file(st, 0, 1, out))
        status = damaged("a row of table file", err);
    done(st);
    return status;
}

enum ocop_status store_file_put(struct ocop_store *s, const struct file_row *row,
                                struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    enum ocop_status status = store_ask(s, Q_FILE_PUT, &st, err);

    if (status)
        return status;
    put_bytes(st, 1, span_of(row->hash, FILE_HASH_LEN));
    put_int(st, 2, row->size);
    put_int(st, 3, row->here);
    put_int(st, 4, row->central);
    put_int(st, 5, !row->wanted ? 0 : row->asked && row->here ? WANTED_ASKED : WANTED);
    put_int(st, 6, row->done);
    put_int(st, 7, (uint64_t)row->tried_ms);
    status = run(s, st, err);
    return status || !row->central ? status : store_thumbnail_again(s, row->hash, err);
}

enum ocop_status store_file_delete(struct ocop_store *s, const uint8_t hash[FILE_HASH_LEN],
                                   struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    enum ocop_status status = store_ask(s, Q_FILE_DELETE, &st, err);

    if (status)
        return status;
    put_bytes(st, 1, span_of(hash, FILE_HASH_LEN));
    return run(s, st, err);
}

static enum ocop_status get_files(struct ocop_store *s, sqlite3_stmt *st, struct arena *a,
                                  struct file_row **out, size_t *count, struct ocop_error *err)
{
    bool row;
    enum ocop_status status = OCOP_OK;

    while (!status) {
        status = step(s, st, &row, err);
        if (status || !row)
            break;
        *out = arena_more(a, *out, *count, sizeof **out);
        if (!*out)
            status = err_nomem(err);
        else if (!get_file(st, 0, 1, &(*out)[*count]))
            status = damaged("a row of table file", err);
        else
            ++*count;
    }
    done(st);
    return status;
}

static enum ocop_status all_files(struct ocop_store *s, enum question q, struct arena *a,
                                  struct file_row **out, size_t *count, struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    enum ocop_status status = store_ask(s, q, &st, err);

    *out = NULL;
    *count = 0;
    return status ? status : get_files(s, st, a, out, count, err);
}

enum ocop_status store_files_here(struct ocop_store *s, struct arena *a, struct file_row **out,
                                  size_t *count, struct ocop_error *err)
{
    return all_files(s, Q_FILES_HERE, a, out, count, err);
}

enum ocop_status store_files_spare(struct ocop_store *s, struct arena *a, struct file_row **out,
                                   size_t *count, struct ocop_error *err)
{
    return all_files(s, Q_FILES_SPARE, a, out, count, err);
}

enum ocop_status store_files_left(struct ocop_store *s, struct arena *a, struct file_row **out,
                                  size_t *count, struct ocop_error *err)
{
    return all_files(s, Q_FILES_LEFT, a, out, count, err);
}

enum ocop_status store_files_moving(struct ocop_store *s, bool down, const struct id *of,
                                    struct arena *a, struct file_row **out, size_t *count,
                                    struct ocop_error *err)
{
    enum { AT_ONCE = 4096 };
    sqlite3_stmt *st = NULL;
    enum ocop_status status = store_ask(s, down ? Q_FILES_TO_FETCH : Q_FILES_TO_SEND, &st, err);

    *out = NULL;
    *count = 0;
    if (status)
        return status;
    if (of)
        put_id(st, 1, of);
    put_int(st, 2, AT_ONCE);
    return get_files(s, st, a, out, count, err);
}

/* What a question says in one number; `hash`: of which content, NULL where it asks of none. */
static enum ocop_status number_of(struct ocop_store *s, enum question q, const uint8_t *hash,
                                  int64_t *out, struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    enum ocop_status status = store_ask(s, q, &st, err);

    *out = 0;
    if (status)
        return status;
    if (hash)
        put_bytes(st, 1, span_of(hash, FILE_HASH_LEN));
    return one_number(s, st, out, err);
}

static enum ocop_status count_of(struct ocop_store *s, enum question q, uint64_t *count,
                                 struct ocop_error *err)
{
    int64_t n;
    enum ocop_status status = number_of(s, q, NULL, &n, err);

    *count = (uint64_t)n;
    return status;
}

enum ocop_status store_files_to_send(struct ocop_store *s, uint64_t *count, struct ocop_error *err)
{
    return count_of(s, Q_FILES_TO_SEND_COUNT, count, err);
}

enum ocop_status store_files_never_sent(struct ocop_store *s, uint64_t *count,
                                        struct ocop_error *err)
{
    return count_of(s, Q_FILES_NEVER_SENT, count, err);
}

enum ocop_status store_files_doubt(struct ocop_store *s, struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    enum ocop_status status = store_ask(s, Q_FILES_DOUBT, &st, err);

    return status ? status : run(s, st, err);
}

enum ocop_status store_file_removed(struct ocop_store *s, const struct id *attachment,
                                    struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    enum ocop_status status = store_ask(s, Q_FILE_REMOVED, &st, err);

    if (status)
        return status;
    put_id(st, 1, attachment);
    return run(s, st, err);
}

static enum ocop_status of_hash(struct ocop_store *s, enum question q,
                                const uint8_t hash[FILE_HASH_LEN], bool *out,
                                struct ocop_error *err)
{
    int64_t n;
    enum ocop_status status = number_of(s, q, hash, &n, err);

    *out = n != 0;
    return status;
}

enum ocop_status store_file_named(struct ocop_store *s, const uint8_t hash[FILE_HASH_LEN],
                                  bool *out, struct ocop_error *err)
{
    return of_hash(s, Q_FILE_NAMED, hash, out, err);
}

enum ocop_status store_file_own(struct ocop_store *s, const uint8_t hash[FILE_HASH_LEN], bool *out,
                                struct ocop_error *err)
{
    return of_hash(s, Q_FILE_OWN, hash, out, err);
}

enum ocop_status store_file_gone(struct ocop_store *s, const uint8_t hash[FILE_HASH_LEN], bool *out,
                                 struct ocop_error *err)
{
    return of_hash(s, Q_FILE_GONE, hash, out, err);
}

enum ocop_status store_files_owed(struct ocop_store *s, uint64_t *count, uint64_t *bytes,
                                  struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    bool row;
    enum ocop_status status = store_ask(s, Q_FILES_OWED, &st, err);

    *count = *bytes = 0;
    if (status)
        return status;
    status = step(s, st, &row, err);
    if (!status && row) {
        *count = (uint64_t)sqlite3_column_int64(st, 0);
        *bytes = (uint64_t)sqlite3_column_int64(st, 1);
    }
    done(st);
    return status;
}

enum ocop_status store_file_bytes(struct ocop_store *s, const struct id *record,
                                  const uint8_t hash[FILE_HASH_LEN], uint64_t *of_record,
                                  uint64_t *of_store, uint64_t *count, struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    bool row;
    enum ocop_status status = store_ask(s, Q_FILE_BYTES, &st, err);

    *of_record = *of_store = *count = 0;
    if (status)
        return status;
    put_id(st, 1, record);
    put_bytes(st, 2, span_of(hash, FILE_HASH_LEN));
    status = step(s, st, &row, err);
    if (!status && row) {
        *of_record = (uint64_t)sqlite3_column_int64(st, 0);
        *of_store = (uint64_t)sqlite3_column_int64(st, 1);
        *count = (uint64_t)sqlite3_column_int64(st, 2);
    }
    done(st);
    return status;
}

/* --- attachments ----------------------------------------------------------------------------- */

/* False when it names no content: a newer program may know why. */
static bool get_attachment(sqlite3_stmt *st, struct arena *a, struct attachment_row *out,
                           struct ocop_error *err, enum ocop_status *status)
{
    memset(out, 0, sizeof *out);
    if (!get_id(st, 0, &out->id) || !get_file(st, 6, 7, &out->file))
        return false;
    (void)get_id(st, 1, &out->record);
    out->role = get_text(st, 2, a);
    out->caption = get_text(st, 3, a);
    out->media_type = get_text(st, 4, a);
    out->name = get_text(st, 5, a);
    out->state = sqlite3_column_int(st, 13);
    out->drafted = sqlite3_column_int(st, 14) != 0;
    out->removed_ms = sqlite3_column_int64(st, 15);
    out->removed_reason = get_text(st, 16, a);
    if (!out->role || !out->caption || !out->media_type || !out->name || !out->removed_reason)
        *status = err_nomem(err);
    return true;
}

enum ocop_status store_attachments(struct ocop_store *s, const struct id *record, size_t max,
                                   struct arena *a, struct attachment_row **out, size_t *count,
                                   struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    bool row;
    enum ocop_status status = store_ask(s, Q_ATTACHMENTS, &st, err);

    *out = NULL;
    *count = 0;
    if (status)
        return status;
    if (record)
        put_id(st, 1, record);
    put_int(st, 2, max);
    while (!status) {
        status = step(s, st, &row, err);
        if (status || !row)
            break;
        *out = arena_more(a, *out, *count, sizeof **out);
        if (!*out)
            status = err_nomem(err);
        else if (get_attachment(st, a, &(*out)[*count], err, &status))
            ++*count;
    }
    done(st);
    return status;
}

enum ocop_status store_attachment(struct ocop_store *s, const struct id *id, struct arena *a,
                                  struct attachment_row *out, struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    bool row;
    enum ocop_status status = store_ask(s, Q_ATTACHMENT_ONE, &st, err);

    if (status)
        return status;
    put_id(st, 1, id);
    status = step(s, st, &row, err);
    if (!status && (!row || !get_attachment(st, a, out, err, &status)))
        status = err_set(err, OCOP_ENOTFOUND, "there is no such attachment on this device");
    done(st);
    return status;
}
