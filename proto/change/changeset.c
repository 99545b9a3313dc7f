/* Sealing and opening change-sets. The one owner of libsodium's signatures and hashes. */
#include "changeset.h"

#include <sodium.h>

#include "bounds.h"
#include "zip.h"

void sign_key_new(struct sign_key *key, const struct env *env)
{
    uint8_t seed[crypto_sign_SEEDBYTES];
    env_random(env, seed, sizeof seed);
    crypto_sign_seed_keypair(key->public_key, key->secret, seed);
    sodium_memzero(seed, sizeof seed);
}

void sign_key_wipe(struct sign_key *key)
{
    sodium_memzero(key, sizeof *key);
}

void hash_bytes(struct span s, uint8_t out[HASH_LEN])
{
    crypto_generichash(out, HASH_LEN, s.p, s.len, NULL, 0);
}

static ProtobufCBinaryData binary(const uint8_t *p, size_t len)
{
    return (ProtobufCBinaryData){len, (uint8_t *)(uintptr_t)p};
}

static void message_fill(const struct change_set *set, Ocop__Sync__ChangeSet *m)
{
    ocop__sync__change_set__init(m);
    m->has_replica = 1;
    m->replica = binary(set->replica.b, ID_LEN);
    m->has_seq = 1;
    m->seq = set->seq;
    m->has_prev_hash = set->seq > 1;
    m->prev_hash = binary(set->prev_hash, HASH_LEN);
    m->has_device_time_ms = 1;
    m->device_time_ms = set->device_time_ms;
    m->has_schema = 1;
    m->schema = set->schema;
    m->has_lineage = !id_is_zero(&set->lineage);
    m->lineage = binary(set->lineage.b, ID_LEN);
    if (id_is_zero(&set->predecessor))
        return;
    m->has_predecessor = m->has_predecessor_seq = m->has_predecessor_hash = 1;
    m->predecessor = binary(set->predecessor.b, ID_LEN);
    m->predecessor_seq = set->predecessor_seq;
    m->predecessor_hash = binary(set->predecessor_hash, HASH_LEN);
}

enum ocop_status changeset_seal(struct change_set *set, const struct sign_key *key, struct arena *a,
                                struct sealed *out, struct ocop_error *err)
{
    Ocop__Sync__ChangeSet m;
    Ocop__Sync__Columns columns;
    struct buf zipped;
    *out = (struct sealed){0};
    message_fill(set, &m);
    enum ocop_status st = columns_encode(&set->changes, a, &columns, err);
    if (st != OCOP_OK)
        return st;
    m.changes = &columns;
    size_t len = ocop__sync__change_set__get_packed_size(&m);
    if (len > SET_BODY_BYTES_MAX)
        return err_set(err, OCOP_ELIMIT, "a change-set of %zu bytes is too large", len);
    uint8_t *body = arena_alloc(a, len);
    if (!body)
        return err_nomem(err);
    ocop__sync__change_set__pack(&m, body);
    hash_bytes(span_of(body, len), set->hash);
    memcpy(out->hash, set->hash, HASH_LEN);
    crypto_sign_detached(out->signature, NULL, set->hash, HASH_LEN, key->secret);
    buf_init(&zipped, SET_BODY_BYTES_MAX + KIB(64));
    st = zip_deflate(span_of(body, len), 9, &zipped, err);
    void *copy = st == OCOP_OK ? arena_dup(a, zipped.p, zipped.len) : NULL;
    out->body = span_of(copy, copy ? zipped.len : 0);
    buf_fini(&zipped);
    return st != OCOP_OK ? st : copy ? OCOP_OK : err_nomem(err);
}

/* Bytes of a fixed length; absent is allowed and gives zeros. */
static bool fixed(bool has, ProtobufCBinaryData in, uint8_t *out, size_t len)
{
    memset(out, 0, len);
    if (!has)
        return true;
    if (in.len != len)
        return false;
    memcpy(out, in.data, len);
    return true;
}

static enum ocop_status header_read(const Ocop__Sync__ChangeSet *m, struct change_set *out,
                                    struct ocop_error *err)
{
    bool ok =
        m->has_replica && m->has_seq && m->seq > 0 && m->seq <= INT64_MAX &&
        fixed(m->has_replica, m->replica, out->replica.b, ID_LEN) &&
        fixed(m->has_prev_hash, m->prev_hash, out->prev_hash, HASH_LEN) &&
        fixed(m->has_lineage, m->lineage, out->lineage.b, ID_LEN) &&
        fixed(m->has_predecessor, m->predecessor, out->predecessor.b, ID_LEN) &&
        fixed(m->has_predecessor_hash, m->predecessor_hash, out->predecessor_hash, HASH_LEN) &&
        (m->seq > 1 || !m->has_prev_hash);
    if (!ok)
        return err_set(err, OCOP_EPROTO, "the header of the change-set is malformed");
    out->seq = m->seq;
    out->device_time_ms = m->device_time_ms;
    out->schema = m->schema;
    out->predecessor_seq = m->predecessor_seq;
    return OCOP_OK;
}

static enum ocop_status open_body(struct span body, struct arena *a, struct change_set *out,
                                  bool whole, struct ocop_error *err)
{
    struct span inflated;
    *out = (struct change_set){0};
    enum ocop_status st = zip_inflate(body, SET_BODY_BYTES_MAX, a, &inflated, err);
    if (st != OCOP_OK)
        return st;
    hash_bytes(inflated, out->hash);
    ProtobufCAllocator from_arena = arena_allocator(a);
    if (!whole) {
        /* The changes are by far the largest part and stand last: stop before them. */
        size_t at = 0, header = 0;
        uint64_t tag, v;
        while (span_varint(inflated, &at, &tag) && tag >> 3 < 10 &&
               span_varint(inflated, &at, &v)) {
            if ((tag & 7) == 2)
                at = v > inflated.len - at ? inflated.len : at + (size_t)v;
            header = at;
        }
        inflated.len = header;
    }
    Ocop__Sync__ChangeSet *m =
        ocop__sync__change_set__unpack(&from_arena, inflated.len, inflated.p);
    if (!m)
        return err_set(err, OCOP_EPROTO, "the change-set is not a well-formed message");
    st = header_read(m, out, err);
    if (st == OCOP_OK && whole && !m->changes)
        st = err_set(err, OCOP_EPROTO, "the change-set holds no changes");
    if (st == OCOP_OK && whole)
        st = columns_decode(m->changes, a, &out->changes, err);
    return st;
}

enum ocop_status changeset_open(struct span body, struct arena *a, struct change_set *out,
                                struct ocop_error *err)
{
    return open_body(body, a, out, true, err);
}

enum ocop_status changeset_peek(struct span body, struct arena *a, struct change_set *out,
                                struct ocop_error *err)
{
    return open_body(body, a, out, false, err);
}

enum ocop_status changeset_verify(const uint8_t hash[HASH_LEN],
                                  const uint8_t signature[SIGNATURE_LEN],
                                  const uint8_t public_key[SIGN_PUBLIC_LEN], struct ocop_error *err)
{
    if (crypto_sign_verify_detached(signature, hash, HASH_LEN, public_key) == 0)
        return OCOP_OK;
    return err_set(err, OCOP_EAUTH, "the signature of the change-set is not its author's");
}
