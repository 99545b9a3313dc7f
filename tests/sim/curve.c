/* Curves of straw. Points of X25519 and signatures of Ed25519 are a quarter of a run's time, and
 * what they are worth is asked elsewhere; most runs take hashes in their place that behave alike:
 * both ends come to one secret, a changed key or message to another. The linker puts these between
 * (see SIM in the Makefile); one run in 25 has the true ones. */
#include <sodium.h>
#include <string.h>

#include "sim.h"

int __real_crypto_scalarmult_curve25519(uint8_t *out, const uint8_t *secret, const uint8_t *peer);
int __real_crypto_scalarmult_curve25519_base(uint8_t *out, const uint8_t *secret);
int __real_crypto_sign_detached(uint8_t *out, unsigned long long *len, const uint8_t *message,
                                unsigned long long message_len, const uint8_t *secret);
int __real_crypto_sign_verify_detached(const uint8_t *signature, const uint8_t *message,
                                       unsigned long long message_len, const uint8_t *public_key);

int __wrap_crypto_scalarmult_curve25519(uint8_t *out, const uint8_t *secret, const uint8_t *peer);
int __wrap_crypto_scalarmult_curve25519_base(uint8_t *out, const uint8_t *secret);
int __wrap_crypto_sign_detached(uint8_t *out, unsigned long long *len, const uint8_t *message,
                                unsigned long long message_len, const uint8_t *secret);
int __wrap_crypto_sign_verify_detached(const uint8_t *signature, const uint8_t *message,
                                       unsigned long long message_len, const uint8_t *public_key);

enum { POINT = 32, SIGNATURE = 64, SEED = 32 };

static bool straw;

void curve_choose(bool of_straw)
{
    straw = of_straw;
}

int __wrap_crypto_scalarmult_curve25519_base(uint8_t *out, const uint8_t *secret)
{
    return straw ? crypto_generichash(out, POINT, secret, POINT, NULL, 0)
                 : __real_crypto_scalarmult_curve25519_base(out, secret);
}

/* The hash of both public keys, in one order for both ends. */
int __wrap_crypto_scalarmult_curve25519(uint8_t *out, const uint8_t *secret, const uint8_t *peer)
{
    uint8_t own[POINT], both[2 * POINT];
    if (!straw)
        return __real_crypto_scalarmult_curve25519(out, secret, peer);
    if (sodium_is_zero(peer, POINT))
        return -1;
    crypto_generichash(own, POINT, secret, POINT, NULL, 0);
    bool first = memcmp(own, peer, POINT) < 0;
    memcpy(both, first ? own : peer, POINT);
    memcpy(both + POINT, first ? peer : own, POINT);
    return crypto_generichash(out, POINT, both, sizeof both, NULL, 0);
}

/* A secret key of Ed25519 ends with its public key. */
int __wrap_crypto_sign_detached(uint8_t *out, unsigned long long *len, const uint8_t *message,
                                unsigned long long message_len, const uint8_t *secret)
{
    if (!straw)
        return __real_crypto_sign_detached(out, len, message, message_len, secret);
    if (len)
        *len = SIGNATURE;
    return crypto_generichash(out, SIGNATURE, message, message_len, secret + SEED, POINT);
}

int __wrap_crypto_sign_verify_detached(const uint8_t *signature, const uint8_t *message,
                                       unsigned long long message_len, const uint8_t *public_key)
{
    uint8_t want[SIGNATURE];
    if (!straw)
        return __real_crypto_sign_verify_detached(signature, message, message_len, public_key);
    crypto_generichash(want, SIGNATURE, message, message_len, public_key, POINT);
    return sodium_memcmp(want, signature, SIGNATURE);
}
