/* A device that was copied, or whose sets a restore lost, sees by the hashes of its sets here where
 * the two histories part. Knows no socket and decides nothing. */
#include "known.h"

#include "bounds.h"
#include "log.h"
#include "registry_stmts.h"

static bool put(struct arena *a, const void *p, size_t len, ProtobufCBinaryData *out)
{
    *out = (ProtobufCBinaryData){len, (uint8_t *)arena_dup(a, p, len)};
    return out->data != NULL;
}

static enum ocop_status chain_put(struct registry *r, const struct id *replica, struct arena *a,
                                  Ocop__Sync__Known *k, struct ocop_error *err)
{
    k->chain = arena_calloc(a, CHAIN_HASHES_MAX, sizeof *k->chain);
    if (!k->chain)
        return err_nomem(err);
    for (uint64_t seq = k->chain_seq; seq > 0 && k->n_chain < CHAIN_HASHES_MAX; seq--) {
        struct log_entry e;
        enum ocop_status st = log_find(r, replica, seq, &e, err);
        if (st != OCOP_OK)
            return st == OCOP_ENOTFOUND ? OCOP_OK : st;
        if (!put(a, e.hash, HASH_LEN, &k->chain[k->n_chain++]))
            return err_nomem(err);
    }
    return OCOP_OK;
}

static enum ocop_status one_put(struct registry *r, const struct id *replica, uint64_t last_seq,
                                struct arena *a, Ocop__Sync__SyncReply *reply,
                                struct ocop_error *err)
{
    struct replica_info info;
    enum ocop_status st = registry_replica(r, replica, &info, err);
    Ocop__Sync__Known *k = arena_calloc(a, 1, sizeof *k);
    if (st != OCOP_OK || !k)
        return st != OCOP_OK ? st : err_nomem(err);
    ocop__sync__known__init(k);
    k->has_replica = k->has_acked_seq = k->has_chain_seq = 1;
    k->acked_seq = info.acked_seq;
    k->chain_seq = last_seq < info.acked_seq ? last_seq : info.acked_seq;
    if (!put(a, replica->b, ID_LEN, &k->replica))
        return err_nomem(err);
    reply->known[reply->n_known++] = k;
    return chain_put(r, replica, a, k, err);
}

enum ocop_status known_put(struct registry *r, const uint8_t channel_key[32], const struct id *own,
                           uint64_t last_seq, struct arena *a, Ocop__Sync__SyncReply *reply,
                           struct ocop_error *err)
{
    struct id ids[KNOWN_MAX];
    size_t count = 0;
    int rc = SQLITE_DONE;
    sqlite3_stmt *s = registry_stmt(r, SQL_REPLICAS_OF_CHANNEL, err);
    if (!s)
        return OCOP_EDB;
    sqlite3_bind_blob(s, 1, channel_key, 32, SQLITE_STATIC);
    sqlite3_bind_int(s, 2, KNOWN_MAX);
    while (count < KNOWN_MAX && (rc = sqlite3_step(s)) == SQLITE_ROW)
        count += id_from(span_of(sqlite3_column_blob(s, 0), (size_t)sqlite3_column_bytes(s, 0)),
                         &ids[count]);
    enum ocop_status st = rc == SQLITE_ROW || rc == SQLITE_DONE
                              ? OCOP_OK
                              : db_error(r->db, err, "reading the replicas of a device");
    sqlite3_reset(s);
    reply->known = arena_calloc(a, count + 1, sizeof *reply->known);
    if (st == OCOP_OK && !reply->known)
        st = err_nomem(err);
    for (size_t i = 0; st == OCOP_OK && i < count; i++)
        st = one_put(r, &ids[i], id_eq(&ids[i], own) ? last_seq : UINT64_MAX, a, reply, err);
    return st;
}
