/* Sealing and opening change-sets. The one owner of libsodium's signatures and hashes. */
#include "changeset.h"

#include <sodium.h>

#include "bounds.h"
#include "packed.h"
#include "tight.h"
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

/* In two steps, so that a chain can be proven by heads alone, without telling what they head. */
static void set_hash(struct span head, const uint8_t changes_hash[HASH_LEN], uint8_t out[HASH_LEN])
{
    crypto_generichash_state state;
    crypto_generichash_init(&state, NULL, 0, HASH_LEN);
    crypto_generichash_update(&state, head.p, head.len);
    crypto_generichash_update(&state, changes_hash, HASH_LEN);
    crypto_generichash_final(&state, out, HASH_LEN);
}

static void body_hash(struct span body, size_t head_len, struct change_set *out)
{
    out->head = span_of(body.p, head_len);
    hash_bytes(span_of(body.p + head_len, body.len - head_len), out->changes_hash);
    set_hash(out->head, out->changes_hash, out->hash);
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

/* zlib of the body, in the arena. */
static enum ocop_status body_deflate(struct span body, struct arena *a, struct span *out,
                                     struct ocop_error *err)
{
    struct buf zipped;
    buf_init(&zipped, SET_BODY_BYTES_MAX + KIB(64));
    enum ocop_status st = zip_deflate(body, 9, &zipped, err);
    if (st == OCOP_OK) {
        const char *copy = arena_dup(a, zipped.p, zipped.len);
        *out = span_of(copy, zipped.len);
        st = copy ? OCOP_OK : err_nomem(err);
    }
    buf_fini(&zipped);
    return st;
}

/* The changes as columns: in their tight form if they are few. */
static enum ocop_status changes_fill(const struct changes *changes, Ocop__Sync__ChangeSet *m,
                                     Ocop__Sync__Columns *columns, struct arena *a,
                                     struct ocop_error *err)
{
    struct span tight;
    enum ocop_status st = columns_encode(changes, a, columns, err);
    m->changes = columns;
    if (st != OCOP_OK || ocop__sync__columns__get_packed_size(columns) > TIGHT_ITEMS_MAX)
        return st;
    st = tight_write(columns, a, &tight, err);
    m->changes = NULL;
    m->has_tight = 1;
    m->tight = binary(tight.p, tight.len);
    return st;
}

enum ocop_status changeset_seal(struct change_set *set, const struct sign_key *key, struct arena *a,
                                struct sealed *out, struct ocop_error *err)
{
    Ocop__Sync__ChangeSet m;
    Ocop__Sync__Columns columns;
    *out = (struct sealed){0};
    message_fill(set, &m);
    size_t head_len = ocop__sync__change_set__get_packed_size(&m);
    enum ocop_status st = changes_fill(&set->changes, &m, &columns, a, err);
    if (st != OCOP_OK)
        return st;
    m.has_given_up = set->given_up.len > 0;
    m.given_up = binary(set->given_up.p, set->given_up.len);
    size_t len = ocop__sync__change_set__get_packed_size(&m);
    if (len > SET_BODY_BYTES_MAX)
        return err_set(err, OCOP_ELIMIT, "a change-set of %zu bytes is too large", len);
    uint8_t *body = arena_alloc(a, len);
    if (!body)
        return err_nomem(err);
    ocop__sync__change_set__pack(&m, body);
    body_hash(span_of(body, len), head_len, set);
    out->body = span_of(body, len);
    if (!m.has_tight) /* deflate would only add to it */
        st = body_deflate(span_of(body, len), a, &out->body, err);
    if (st != OCOP_OK)
        return st;
    memcpy(out->hash, set->hash, HASH_LEN);
    if (crypto_sign_detached(out->signature, NULL, set->hash, HASH_LEN, key->secret) != 0)
        return err_set(err, OCOP_EBROKEN, "libsodium did not sign the change-set; report this");
    return OCOP_OK;
}

/* Numbers of the body's members, see sync.proto. */
enum body_member {
    BODY_REPLICA = 1,
    BODY_SEQ,
    BODY_PREV_HASH,
    BODY_TIME,
    BODY_SCHEMA,
    BODY_LINEAGE,
    BODY_PREDECESSOR,
    BODY_PREDECESSOR_SEQ,
    BODY_PREDECESSOR_HASH,
    BODY_CHANGES,
    BODY_TIGHT,
    BODY_GIVEN_UP
};

/* How a plain body begins, since its members stand in ascending order. No zlib stream does. */
enum { BODY_FIRST = BODY_REPLICA << 3 | PACKED_BYTES };

static bool exactly(struct span in, void *out, size_t len)
{
    if (in.len != len)
        return false;
    memcpy(out, in.p, len);
    return true;
}

static bool member_read(const struct field *f, struct change_set *out)
{
    bool is_int = f->type == VALUE_INT;
    switch (f->number) {
    case BODY_REPLICA:
        return exactly(f->bytes, out->replica.b, ID_LEN);
    case BODY_SEQ:
        out->seq = (uint64_t)f->i;
        return is_int && f->i > 0;
    case BODY_PREV_HASH:
        return exactly(f->bytes, out->prev_hash, HASH_LEN);
    case BODY_TIME:
        out->device_time_ms = f->i;
        return is_int;
    case BODY_SCHEMA:
        out->schema = (uint32_t)f->i;
        return is_int && f->i >= 0 && f->i <= UINT32_MAX;
    case BODY_LINEAGE:
        return exactly(f->bytes, out->lineage.b, ID_LEN);
    case BODY_PREDECESSOR:
        return exactly(f->bytes, out->predecessor.b, ID_LEN);
    case BODY_PREDECESSOR_SEQ:
        out->predecessor_seq = (uint64_t)f->i;
        return is_int && f->i >= 0;
    case BODY_PREDECESSOR_HASH:
        return exactly(f->bytes, out->predecessor_hash, HASH_LEN);
    case BODY_CHANGES:
    case BODY_TIGHT:
        out->columns = f->bytes;
        out->tight = f->number == BODY_TIGHT;
        return !is_int;
    case BODY_GIVEN_UP:
        out->given_up = f->bytes;
        return !is_int && f->bytes.len <= GENERATIONS_MAX * ID_LEN && f->bytes.len % ID_LEN == 0;
    default:
        return true; /* a newer writer's; the hash covers it, nothing here depends on it */
    }
}

/* Members stand once and in ascending order, so that reading the header alone and reading all can
 * never disagree. *head_len: where the first of the changes' members begins. */
static enum ocop_status members_read(struct span body, struct change_set *out, uint32_t *seen,
                                     size_t *head_len, struct ocop_error *err)
{
    struct field f;
    uint32_t last = 0;
    size_t at = 0;
    int more;
    *seen = 0;
    *head_len = 0;
    while ((more = message_next(body, &at, &f)) > 0) {
        if (f.number <= last || !member_read(&f, out))
            return err_set(err, OCOP_EPROTO, "member %u of the change-set is malformed", f.number);
        last = f.number;
        *seen |= f.number <= BODY_TIGHT ? UINT32_C(1) << f.number : 0;
        if (f.number < BODY_CHANGES)
            *head_len = at;
    }
    return more < 0 ? err_set(err, OCOP_EPROTO, "the change-set is cut") : OCOP_OK;
}

/* The header, and where the changes stand: of a link none, of a body one form of them. */
static enum ocop_status body_read(struct span body, bool link, struct change_set *out,
                                  size_t *head_len, struct ocop_error *err)
{
    uint32_t seen, needed = 1u << BODY_REPLICA | 1u << BODY_SEQ;
    uint32_t continues = 1u << BODY_PREDECESSOR | 1u << BODY_PREDECESSOR_HASH;
    enum ocop_status st = members_read(body, out, &seen, head_len, err);
    if (st != OCOP_OK)
        return st;
    bool chained = seen >> BODY_PREV_HASH & 1;
    bool columns = seen >> BODY_CHANGES & 1, tight = seen >> BODY_TIGHT & 1;
    bool form = link ? *head_len == body.len : columns != tight;
    if ((seen & needed) != needed || !form || chained != (out->seq > 1) ||
        ((seen & continues) && (seen & continues) != continues))
        return err_set(err, OCOP_EPROTO, "the header of the change-set is cut or incomplete");
    return OCOP_OK;
}

enum ocop_status changeset_decode(struct change_set *set, struct arena *a, struct ocop_error *err)
{
    ProtobufCAllocator from_arena = arena_allocator(a);
    struct span packed = set->columns;
    Ocop__Sync__Columns *columns;
    if (set->tight) {
        enum ocop_status st = tight_read(packed, a, &columns, err);
        return st == OCOP_OK ? columns_decode(columns, a, &set->changes, err) : st;
    }
    if (!columns_shallow(packed, NULL, 0))
        return err_set(err, OCOP_EPROTO, "the columns are malformed, or nested more than %d deep",
                       NESTING_MAX);
    columns = ocop__sync__columns__unpack(&from_arena, packed.len, packed.p);
    if (columns)
        return columns_decode(columns, a, &set->changes, err);
    if (a->full) /* protobuf-c does not say which it was */
        return err_nomem(err);
    return err_set(err, OCOP_EPROTO, "the columns are not a well-formed message");
}

enum ocop_status changeset_peek(struct span body, struct arena *a, struct change_set *out,
                                struct ocop_error *err)
{
    struct span inflated = body;
    struct change_set set = {0};
    size_t head_len;
    enum ocop_status st = OCOP_OK;
    *out = set;
    if (body.len == 0 || body.p[0] != BODY_FIRST)
        st = zip_inflate(body, SET_BODY_BYTES_MAX, a, &inflated, err);
    if (st == OCOP_OK)
        st = body_read(inflated, false, &set, &head_len, err);
    if (st != OCOP_OK)
        return st;
    body_hash(inflated, head_len, &set);
    *out = set;
    return OCOP_OK;
}

enum ocop_status changeset_link(struct span head, const uint8_t changes_hash[HASH_LEN],
                                struct change_set *out, struct ocop_error *err)
{
    struct change_set set = {.head = head};
    size_t head_len;
    *out = (struct change_set){0};
    enum ocop_status st = body_read(head, true, &set, &head_len, err);
    if (st != OCOP_OK)
        return st;
    memcpy(set.changes_hash, changes_hash, HASH_LEN);
    set_hash(head, changes_hash, set.hash);
    *out = set;
    return OCOP_OK;
}

enum ocop_status changeset_open(struct span body, struct arena *a, struct change_set *out,
                                struct ocop_error *err)
{
    enum ocop_status st = changeset_peek(body, a, out, err);
    if (st == OCOP_OK)
        st = changeset_decode(out, a, err);
    if (st != OCOP_OK)
        *out = (struct change_set){0};
    return st;
}

enum ocop_status changeset_verify(const uint8_t hash[HASH_LEN],
                                  const uint8_t signature[SIGNATURE_LEN],
                                  const uint8_t public_key[SIGN_PUBLIC_LEN], struct ocop_error *err)
{
    if (crypto_sign_verify_detached(signature, hash, HASH_LEN, public_key) == 0)
        return OCOP_OK;
    return err_set(err, OCOP_EAUTH, "the signature of the change-set is not its author's");
}

/* What is signed of a bundle: its subject before its hash, so that it is never taken for the hash
 * of a set. */
#define STATEMENT "ocop evidence"
enum { STATEMENT_LEN = sizeof STATEMENT - 1 };

static void statement_bytes(struct span head, struct span body,
                            uint8_t out[STATEMENT_LEN + HASH_LEN])
{
    crypto_generichash_state state;
    memcpy(out, STATEMENT, STATEMENT_LEN);
    crypto_generichash_init(&state, NULL, 0, HASH_LEN);
    crypto_generichash_update(&state, head.p, head.len);
    crypto_generichash_update(&state, body.p, body.len);
    crypto_generichash_final(&state, out + STATEMENT_LEN, HASH_LEN);
}

enum ocop_status statement_sign(struct span head, struct span body, const struct sign_key *key,
                                uint8_t signature[SIGNATURE_LEN], struct ocop_error *err)
{
    uint8_t bytes[STATEMENT_LEN + HASH_LEN];
    statement_bytes(head, body, bytes);
    if (crypto_sign_detached(signature, NULL, bytes, sizeof bytes, key->secret) != 0)
        return err_set(err, OCOP_EBROKEN, "libsodium did not sign the bundle; report this");
    return OCOP_OK;
}

enum ocop_status statement_verify(struct span head, struct span body,
                                  const uint8_t public_key[SIGN_PUBLIC_LEN],
                                  const uint8_t signature[SIGNATURE_LEN], struct ocop_error *err)
{
    uint8_t bytes[STATEMENT_LEN + HASH_LEN];
    statement_bytes(head, body, bytes);
    if (crypto_sign_verify_detached(signature, bytes, sizeof bytes, public_key) == 0)
        return OCOP_OK;
    return err_set(err, OCOP_EAUTH,
                   "the registry's signature does not cover this file: it was altered");
}

/* --- words for keys ------------------------------------------------------------------------------
 */

enum { WORD_CONTEXT = 64, WORD_BYTES = WORD_CONTEXT + HASH_LEN };

/* The context, filled up with zeros, and the hash of the text. */
static void word_bytes(const char *context, struct span text, uint8_t out[WORD_BYTES])
{
    memset(out, 0, WORD_CONTEXT);
    memcpy(out, context, strnlen(context, WORD_CONTEXT));
    hash_bytes(text, out + WORD_CONTEXT);
}

void word_sign(const char *context, struct span text, const struct sign_key *key,
               uint8_t signature[SIGNATURE_LEN])
{
    uint8_t bytes[WORD_BYTES];

    word_bytes(context, text, bytes);
    crypto_sign_detached(signature, NULL, bytes, sizeof bytes, key->secret);
}

bool word_holds(const char *context, struct span text, const uint8_t signer[SIGN_PUBLIC_LEN],
                const uint8_t signature[SIGNATURE_LEN])
{
    uint8_t bytes[WORD_BYTES];

    word_bytes(context, text, bytes);
    return crypto_sign_verify_detached(signature, bytes, sizeof bytes, signer) == 0;
}

static void put_number(uint8_t out[8], uint64_t number)
{
    for (int i = 0; i < 8; i++)
        out[i] = (uint8_t)(number >> (56 - 8 * i));
}

#define SIGNER "ocop signer"
enum { VOUCHED_LEN = SIGN_PUBLIC_LEN + 8 };

static void vouched_text(const uint8_t key[SIGN_PUBLIC_LEN], uint64_t number,
                         uint8_t out[VOUCHED_LEN])
{
    memcpy(out, key, SIGN_PUBLIC_LEN);
    put_number(out + SIGN_PUBLIC_LEN, number);
}

void sign_key_vouch(const struct sign_key *root, const uint8_t key[SIGN_PUBLIC_LEN],
                    uint64_t number, uint8_t signature[SIGNATURE_LEN])
{
    uint8_t text[VOUCHED_LEN];

    vouched_text(key, number, text);
    word_sign(SIGNER, span_of(text, sizeof text), root, signature);
}

bool sign_key_vouched(const uint8_t root[SIGN_PUBLIC_LEN], const uint8_t key[SIGN_PUBLIC_LEN],
                      uint64_t number, const uint8_t signature[SIGNATURE_LEN])
{
    uint8_t text[VOUCHED_LEN];

    vouched_text(key, number, text);
    return word_holds(SIGNER, span_of(text, sizeof text), root, signature);
}

bool key_place_read(struct span element, struct key_place *out)
{
    struct field from, number = {.i = 0}, root = {.i = 0};

    *out = (struct key_place){0};
    (void)element_get(element, 7, &root);
    if (root.i || !element_get(element, 2, &from) || from.i < 1)
        return false;
    (void)element_get(element, 4, &number);
    *out = (struct key_place){(uint64_t)from.i, (uint64_t)number.i};
    return true;
}

bool key_place_better(const struct key_place *k, uint64_t seq, const struct key_place *best)
{
    return k->from_seq <= seq && (!best || k->from_seq > best->from_seq ||
                                  (k->from_seq == best->from_seq && k->number >= best->number));
}

#define REKEY "ocop rekey"
enum { REKEY_LEN = ID_LEN + 8 + SIGN_PUBLIC_LEN + 32 };

static void rekey_text(const struct rekey *k, uint8_t out[REKEY_LEN])
{
    memcpy(out, k->replica.b, ID_LEN);
    put_number(out + ID_LEN, k->from_seq);
    memcpy(out + ID_LEN + 8, k->sign_key, SIGN_PUBLIC_LEN);
    memcpy(out + ID_LEN + 8 + SIGN_PUBLIC_LEN, k->channel_key, sizeof k->channel_key);
}

void rekey_sign(const struct rekey *k, const struct sign_key *key, uint8_t signature[SIGNATURE_LEN])
{
    uint8_t text[REKEY_LEN];

    rekey_text(k, text);
    word_sign(REKEY, span_of(text, sizeof text), key, signature);
}

bool rekey_signed(const struct rekey *k, const uint8_t signer[SIGN_PUBLIC_LEN],
                  const uint8_t signature[SIGNATURE_LEN])
{
    uint8_t text[REKEY_LEN];

    rekey_text(k, text);
    return word_holds(REKEY, span_of(text, sizeof text), signer, signature);
}
