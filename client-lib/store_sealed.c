/* Sealed change-sets, acknowledged or not: the device's own evidence, and what is sent again when a
 * registry has lost it. */
#include "store_sql.h"

enum ocop_status store_sealed_add(struct ocop_store *s, const struct id *replica, uint64_t seq,
                                  const struct sealed *set, struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    enum ocop_status status = store_ask(s, Q_SEALED_ADD, &st, err);

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
    enum ocop_status status = store_ask(s, Q_SEALED_UNACKED, &st, err);

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
        *out = arena_more(a, *out, *count, sizeof **out);
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
    enum ocop_status status = store_ask(s, Q_SEALED_UNACKED_COUNT, &st, err);

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
    enum ocop_status status = store_ask(s, Q_SEALED_ONE, &st, err);

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
    enum ocop_status status = store_ask(s, Q_SEALED_ACK, &st, err);

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
    return store_run_id(s, Q_SEALED_UNACK, replica, seq, err);
}

enum ocop_status store_sealed_drop(struct ocop_store *s, const struct id *replica, uint64_t seq,
                                   struct ocop_error *err)
{
    return store_run_id(s, Q_SEALED_DROP, replica, seq, err);
}

enum ocop_status store_sealed_below(struct ocop_store *s, const struct id *replica, uint64_t below,
                                    struct arena *a, bool *found, struct sealed_row *out,
                                    struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    struct id of;
    enum ocop_status status = store_ask(s, Q_SEALED_BELOW, &st, err);

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
    enum ocop_status status = store_ask(s, Q_SEALED_EACH, &st, err);

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
