/* Noise_IK_25519_ChaChaPoly_SHA256: two handshake messages, then transport messages both ways.
 *
 *     <- s
 *     ...
 *     -> e, es, s, ss
 *     <- e, ee, se
 *
 * Held to the published vectors. Knows no frames and no protobuf. */
#include "noise.h"

#include <sodium.h>

#include "bounds.h"

/* Handshake messages done, but for STEP_PREPARED: a responder's second one lacks only its payload.
 */
enum { STEP_PREPARED = 4, STEP_OVER = 3, STEP_TRANSPORT = 2 };
enum { HASH_BYTES = 32, NONCE_BYTES = 12 };

static const char protocol[] = "Noise_IK_25519_ChaChaPoly_SHA256";

_Static_assert(sizeof protocol - 1 == HASH_BYTES, "the name is the first hash, without hashing");
_Static_assert(CHANNEL_KEY_LEN == crypto_scalarmult_curve25519_BYTES &&
                   CHANNEL_KEY_LEN == crypto_scalarmult_curve25519_SCALARBYTES,
               "X25519 keys");
_Static_assert(NOISE_TAG_LEN == crypto_aead_chacha20poly1305_ietf_ABYTES &&
                   NONCE_BYTES == crypto_aead_chacha20poly1305_ietf_NPUBBYTES &&
                   HASH_BYTES == crypto_aead_chacha20poly1305_ietf_KEYBYTES,
               "ChaChaPoly");
_Static_assert(HASH_BYTES == crypto_hash_sha256_BYTES &&
                   HASH_BYTES == crypto_auth_hmacsha256_KEYBYTES,
               "SHA256");
_Static_assert(NOISE_MSG1_OVERHEAD == 2 * CHANNEL_KEY_LEN + 2 * NOISE_TAG_LEN &&
                   NOISE_MSG2_OVERHEAD == CHANNEL_KEY_LEN + NOISE_TAG_LEN,
               "what the patterns add");

/* --- keys --- */

void channel_key_from_secret(struct channel_key *key, const uint8_t secret[CHANNEL_KEY_LEN])
{
    memcpy(key->secret, secret, CHANNEL_KEY_LEN);
    /* Fails only for a secret that is not clamped; this primitive clamps. */
    CHECK(crypto_scalarmult_curve25519_base(key->public_key, key->secret) == 0);
}

void channel_key_new(struct channel_key *key, const struct env *env)
{
    uint8_t secret[CHANNEL_KEY_LEN];

    env_random(env, secret, sizeof secret);
    channel_key_from_secret(key, secret);
    sodium_memzero(secret, sizeof secret);
}

void channel_key_wipe(struct channel_key *key)
{
    sodium_memzero(key, sizeof *key);
}

/* --- the symmetric state: ck, h, k, n --- */

static void mix_hash(struct noise *n, const void *p, size_t len)
{
    crypto_hash_sha256_state state;

    crypto_hash_sha256_init(&state);
    crypto_hash_sha256_update(&state, n->h, sizeof n->h);
    if (len)
        crypto_hash_sha256_update(&state, p, len);
    crypto_hash_sha256_final(&state, n->h);
}

static void hmac(uint8_t out[HASH_BYTES], const uint8_t key[HASH_BYTES], const uint8_t *p,
                 size_t len)
{
    crypto_auth_hmacsha256_state state;

    crypto_auth_hmacsha256_init(&state, key, HASH_BYTES);
    if (len)
        crypto_auth_hmacsha256_update(&state, p, len);
    crypto_auth_hmacsha256_final(&state, out);
    sodium_memzero(&state, sizeof state);
}

/* HKDF with two outputs. `first` may be `ck` itself. */
static void hkdf(const uint8_t ck[HASH_BYTES], const uint8_t *input, size_t len,
                 uint8_t first[HASH_BYTES], uint8_t second[HASH_BYTES])
{
    uint8_t temp[HASH_BYTES], chain[HASH_BYTES + 1] = {1};

    hmac(temp, ck, input, len);
    hmac(chain, temp, chain, 1);
    memcpy(first, chain, HASH_BYTES);
    chain[HASH_BYTES] = 2;
    hmac(second, temp, chain, sizeof chain);
    sodium_memzero(temp, sizeof temp);
    sodium_memzero(chain, sizeof chain);
}

static void mix_shared(struct noise *n, const uint8_t shared[CHANNEL_KEY_LEN])
{
    hkdf(n->ck, shared, CHANNEL_KEY_LEN, n->ck, n->k);
    n->n = 0;
    n->has_key = 1;
}

/* Mix the secret that `own` and `peer` share. False for a peer whose point gives zero with every
 * secret: it would take the secrecy out of the channel. */
OCOP_MUST_USE static bool mix_dh(struct noise *n, const struct channel_key *own,
                                 const uint8_t peer[CHANNEL_KEY_LEN])
{
    uint8_t shared[CHANNEL_KEY_LEN];
    bool ok = crypto_scalarmult_curve25519(shared, own->secret, peer) == 0;

    if (ok)
        mix_shared(n, shared);
    sodium_memzero(shared, sizeof shared);
    return ok;
}

/* A responder's secret between the static keys, which may be known from an earlier handshake. */
OCOP_MUST_USE static bool mix_static(struct noise *n)
{
    bool known = n->known && n->known->find(n->known->self, n->s.public_key, n->rs, n->ss);

    if (!known && crypto_scalarmult_curve25519(n->ss, n->s.secret, n->rs) != 0)
        return false;
    mix_shared(n, n->ss);
    return true;
}

static void nonce_bytes(uint64_t counter, uint8_t out[NONCE_BYTES])
{
    memset(out, 0, 4);
    for (int i = 0; i < 8; i++)
        out[4 + i] = (uint8_t)(counter >> (8 * i));
}

static void seal(const uint8_t key[HASH_BYTES], uint64_t counter, struct span ad, struct span plain,
                 uint8_t *out)
{
    uint8_t nonce[NONCE_BYTES];

    nonce_bytes(counter, nonce);
    crypto_aead_chacha20poly1305_ietf_encrypt(out, NULL, plain.p, plain.len, ad.p, ad.len, NULL,
                                              nonce, key);
}

OCOP_MUST_USE static bool unseal(const uint8_t key[HASH_BYTES], uint64_t counter, struct span ad,
                                 struct span sealed, uint8_t *out)
{
    uint8_t nonce[NONCE_BYTES];

    nonce_bytes(counter, nonce);
    return crypto_aead_chacha20poly1305_ietf_decrypt(out, NULL, NULL, sealed.p, sealed.len, ad.p,
                                                     ad.len, nonce, key) == 0;
}

/* Every encryption of IK's handshake comes after a DH, so there is always a key. */
static void encrypt_and_hash(struct noise *n, struct span plain, uint8_t *out)
{
    CHECK(n->has_key);
    seal(n->k, n->n++, span_of(n->h, sizeof n->h), plain, out);
    mix_hash(n, out, plain.len + NOISE_TAG_LEN);
}

OCOP_MUST_USE static bool decrypt_and_hash(struct noise *n, struct span sealed, uint8_t *out)
{
    uint8_t before[HASH_BYTES];

    CHECK(n->has_key);
    memcpy(before, n->h, sizeof before);
    mix_hash(n, sealed.p, sealed.len); /* first: `out` may be where `sealed` is */
    return unseal(n->k, n->n++, span_of(before, sizeof before), sealed, out);
}

/* The handshake is done: one key for each direction, and nothing else is kept but h. */
static void split(struct noise *n)
{
    uint8_t first[HASH_BYTES], second[HASH_BYTES];

    hkdf(n->ck, NULL, 0, first, second);
    memcpy(n->send_key, n->initiator ? first : second, sizeof n->send_key);
    memcpy(n->recv_key, n->initiator ? second : first, sizeof n->recv_key);
    n->send_n = n->recv_n = 0;
    n->step = STEP_TRANSPORT;
    n->has_key = 0;
    sodium_memzero(first, sizeof first);
    sodium_memzero(second, sizeof second);
    sodium_memzero(n->ck, sizeof n->ck);
    sodium_memzero(n->k, sizeof n->k);
    channel_key_wipe(&n->e);
    sodium_memzero(n->s.secret, sizeof n->s.secret);
    sodium_memzero(n->ss, sizeof n->ss);
}

/* --- a handshake --- */

void noise_init(struct noise *n, int initiator, const struct channel_key *own,
                const uint8_t *remote, struct span prologue)
{
    memset(n, 0, sizeof *n);
    n->initiator = initiator != 0;
    n->s = *own;
    memcpy(n->h, protocol, sizeof n->h);
    memcpy(n->ck, protocol, sizeof n->ck);
    mix_hash(n, prologue.p, prologue.len);
    if (n->initiator) {
        CHECK(remote);
        memcpy(n->rs, remote, sizeof n->rs);
        mix_hash(n, n->rs, sizeof n->rs);
    } else {
        mix_hash(n, n->s.public_key, sizeof n->s.public_key);
    }
}

void noise_set_ephemeral(struct noise *n, const uint8_t secret[CHANNEL_KEY_LEN])
{
    channel_key_from_secret(&n->e, secret);
}

void noise_fini(struct noise *n)
{
    sodium_memzero(n, sizeof *n);
    n->step = STEP_OVER;
}

static enum ocop_status not_now(struct ocop_error *err)
{
    return err_set(err, OCOP_ESTATE,
                   "no Noise message is due in this direction; start again with "
                   "a new handshake");
}

static enum ocop_status refuse(struct noise *n, struct ocop_error *err, const char *what)
{
    noise_fini(n);
    return err_set(err, OCOP_EAUTH, "%s; check that both ends hold the right keys", what);
}

static void draw_ephemeral(struct noise *n, const struct env *env)
{
    if (sodium_is_zero(n->e.public_key, sizeof n->e.public_key)) /* not set beforehand */
        channel_key_new(&n->e, env);
}

static uint8_t *write_ephemeral(struct noise *n, uint8_t *out)
{
    memcpy(out, n->e.public_key, CHANNEL_KEY_LEN);
    return out + CHANNEL_KEY_LEN;
}

static enum ocop_status write_first(struct noise *n, const struct env *env, struct span payload,
                                    uint8_t *out, struct ocop_error *err)
{
    draw_ephemeral(n, env);
    mix_hash(n, n->e.public_key, CHANNEL_KEY_LEN);
    out = write_ephemeral(n, out);
    if (!mix_dh(n, &n->e, n->rs))
        return refuse(n, err, "the server's channel key is no usable point");
    encrypt_and_hash(n, span_of(n->s.public_key, CHANNEL_KEY_LEN), out);
    out += CHANNEL_KEY_LEN + NOISE_TAG_LEN;
    if (!mix_dh(n, &n->s, n->rs))
        return refuse(n, err, "the server's channel key is no usable point");
    encrypt_and_hash(n, payload, out);
    n->step = 1;
    return OCOP_OK;
}

/* All of message 2 that comes before its payload. */
static enum ocop_status begin_second(struct noise *n, struct ocop_error *err)
{
    mix_hash(n, n->e.public_key, CHANNEL_KEY_LEN);
    if (!mix_dh(n, &n->e, n->re) || !mix_dh(n, &n->e, n->rs))
        return refuse(n, err, "the client's channel key is no usable point");
    n->step = STEP_PREPARED;
    return OCOP_OK;
}

enum ocop_status noise_prepare(struct noise *n, const uint8_t ephemeral[CHANNEL_KEY_LEN],
                               struct ocop_error *err)
{
    if (n->initiator || n->step != 1)
        return not_now(err);
    noise_set_ephemeral(n, ephemeral);
    return begin_second(n, err);
}

static enum ocop_status write_second(struct noise *n, const struct env *env, struct span payload,
                                     uint8_t *out, struct ocop_error *err)
{
    if (n->step != STEP_PREPARED) {
        draw_ephemeral(n, env);
        enum ocop_status st = begin_second(n, err);
        if (st)
            return st;
    }
    encrypt_and_hash(n, payload, write_ephemeral(n, out));
    split(n);
    return OCOP_OK;
}

static enum ocop_status write_transport(struct noise *n, struct span payload, uint8_t *out,
                                        struct ocop_error *err)
{
    if (n->send_n == UINT64_MAX)
        return err_set(err, OCOP_ELIMIT, "this channel has sent all it may; open a new one");
    seal(n->send_key, n->send_n++, span_of(NULL, 0), payload, out);
    return OCOP_OK;
}

enum ocop_status noise_write(struct noise *n, const struct env *env, struct span payload,
                             uint8_t *out, size_t *out_len, struct ocop_error *err)
{
    bool first = n->initiator && n->step == 0;
    bool second = !n->initiator && (n->step == 1 || n->step == STEP_PREPARED);
    size_t overhead = first ? NOISE_MSG1_OVERHEAD : second ? NOISE_MSG2_OVERHEAD : NOISE_TAG_LEN;
    enum ocop_status st;

    *out_len = 0;
    if (!first && !second && n->step != STEP_TRANSPORT)
        return not_now(err);
    if (payload.len > NOISE_MESSAGE_MAX - overhead)
        return err_set(err, OCOP_ELIMIT, "%zu bytes do not fit one Noise message of at most %d",
                       payload.len, NOISE_MESSAGE_MAX);
    if (first)
        st = write_first(n, env, payload, out, err);
    else if (second)
        st = write_second(n, env, payload, out, err);
    else
        st = write_transport(n, payload, out, err);
    if (!st)
        *out_len = payload.len + overhead;
    return st;
}

static void read_ephemeral(struct noise *n, const uint8_t *in)
{
    memcpy(n->re, in, CHANNEL_KEY_LEN);
    mix_hash(n, in, CHANNEL_KEY_LEN);
}

static enum ocop_status read_first(struct noise *n, struct span in, uint8_t *out,
                                   struct ocop_error *err)
{
    enum { SEALED_KEY = CHANNEL_KEY_LEN + NOISE_TAG_LEN };

    read_ephemeral(n, in.p);
    if (!mix_dh(n, &n->s, n->re) ||
        !decrypt_and_hash(n, span_of(in.p + CHANNEL_KEY_LEN, SEALED_KEY), n->rs) ||
        !mix_static(n) ||
        !decrypt_and_hash(
            n, span_of(in.p + CHANNEL_KEY_LEN + SEALED_KEY, in.len - CHANNEL_KEY_LEN - SEALED_KEY),
            out))
        return refuse(n, err, "the request is not authentic");
    n->step = 1;
    return OCOP_OK;
}

static enum ocop_status read_second(struct noise *n, struct span in, uint8_t *out,
                                    struct ocop_error *err)
{
    read_ephemeral(n, in.p);
    if (!mix_dh(n, &n->e, n->re) || !mix_dh(n, &n->s, n->re) ||
        !decrypt_and_hash(n, span_of(in.p + CHANNEL_KEY_LEN, in.len - CHANNEL_KEY_LEN), out))
        return refuse(n, err, "the reply is not authentic");
    split(n);
    return OCOP_OK;
}

static enum ocop_status read_transport(struct noise *n, struct span in, uint8_t *out,
                                       struct ocop_error *err)
{
    if (n->recv_n == UINT64_MAX || !unseal(n->recv_key, n->recv_n, span_of(NULL, 0), in, out))
        return refuse(n, err, "a part of the message is not authentic");
    n->recv_n++;
    return OCOP_OK;
}

enum ocop_status noise_read(struct noise *n, struct span message, uint8_t *out, size_t *out_len,
                            struct ocop_error *err)
{
    bool first = !n->initiator && n->step == 0, second = n->initiator && n->step == 1;
    size_t overhead = first ? NOISE_MSG1_OVERHEAD : second ? NOISE_MSG2_OVERHEAD : NOISE_TAG_LEN;
    enum ocop_status st;

    *out_len = 0;
    if (!first && !second && n->step != STEP_TRANSPORT)
        return not_now(err);
    if (message.len < overhead || message.len > NOISE_MESSAGE_MAX)
        return refuse(n, err, "the message has no possible length");
    if (first)
        st = read_first(n, message, out, err);
    else if (second)
        st = read_second(n, message, out, err);
    else
        st = read_transport(n, message, out, err);
    if (!st)
        *out_len = message.len - overhead;
    return st;
}
