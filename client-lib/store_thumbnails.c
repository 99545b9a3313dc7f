/* The questions about thumbnails. Knows rows, and nothing of what is on them. */
#include "store_sql.h"

enum ocop_status store_thumbnail(struct ocop_store *s, const uint8_t hash[FILE_HASH_LEN],
                                 struct arena *a, struct thumbnail_row *out, struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    bool row;
    enum ocop_status status = store_ask(s, Q_THUMBNAIL, &st, err);

    *out = (struct thumbnail_row){.state = THUMBNAIL_UNKNOWN};
    memcpy(out->hash, hash, FILE_HASH_LEN);
    if (status)
        return status;
    put_bytes(st, 1, span_of(hash, FILE_HASH_LEN));
    status = step(s, st, &row, err);
    if (!status && row) {
        out->state = (enum thumbnail_state)sqlite3_column_int(st, 0);
        out->at_ms = sqlite3_column_int64(st, 2);
        if (a && !get_bytes(st, 1, a, &out->image))
            status = err_nomem(err);
    }
    done(st);
    return status;
}

enum ocop_status store_thumbnail_put(struct ocop_store *s, const struct thumbnail_row *row,
                                     struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    enum ocop_status status = store_ask(s, Q_THUMBNAIL_PUT, &st, err);

    if (status)
        return status;
    put_bytes(st, 1, span_of(row->hash, FILE_HASH_LEN));
    put_int(st, 2, (uint64_t)row->state);
    put_bytes(st, 3, row->image);
    put_int(st, 4, (uint64_t)row->at_ms);
    return run(s, st, err);
}

enum ocop_status store_thumbnail_again(struct ocop_store *s, const uint8_t hash[FILE_HASH_LEN],
                                       struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    enum ocop_status status = store_ask(s, Q_THUMBNAIL_AGAIN, &st, err);

    if (status)
        return status;
    put_bytes(st, 1, span_of(hash, FILE_HASH_LEN));
    return run(s, st, err);
}

enum ocop_status store_thumbnail_again_of(struct ocop_store *s, const struct id *attachment,
                                          struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    enum ocop_status status = store_ask(s, Q_THUMBNAIL_AGAIN_OF, &st, err);

    if (status)
        return status;
    put_id(st, 1, attachment);
    return run(s, st, err);
}

enum ocop_status store_thumbnails_wanted(struct ocop_store *s, int64_t now_ms, struct arena *a,
                                         struct file_row **out, size_t *count,
                                         struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    bool row = true;
    enum ocop_status status = store_ask(s, Q_THUMBNAILS_WANTED, &st, err);

    *out = NULL;
    *count = 0;
    if (!status)
        put_int(st, 1, (uint64_t)now_ms);
    while (!status && row) {
        struct span hash;
        status = step(s, st, &row, err);
        if (status || !row)
            break;
        *out = arena_more(a, *out, *count, sizeof **out);
        if (!*out || !get_bytes(st, 0, a, &hash)) {
            status = err_nomem(err);
        } else if (hash.len == FILE_HASH_LEN) {
            struct file_row *f = &(*out)[(*count)++];
            *f = (struct file_row){.size = (uint64_t)sqlite3_column_int64(st, 1)};
            memcpy(f->hash, hash.p, FILE_HASH_LEN);
        }
    }
    done(st);
    return status;
}

enum ocop_status store_thumbnails_trim(struct ocop_store *s, struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    enum ocop_status status = store_ask(s, Q_THUMBNAILS_TRIM, &st, err);

    if (status)
        return status;
    put_int(st, 1, THUMBNAILS_KEPT_MAX);
    return run(s, st, err);
}

enum ocop_status store_thumbnails_left(struct ocop_store *s, struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    enum ocop_status status = store_ask(s, Q_THUMBNAILS_LEFT, &st, err);

    return status ? status : run(s, st, err);
}
