/* Noise_IK_25519_ChaChaPoly_SHA256 on libsodium's primitives. */
#ifndef WIRE_NOISE_H
#define WIRE_NOISE_H

#include <stdbool.h>

#include "env.h"
#include "err.h"
#include "span.h"

enum {
    CHANNEL_KEY_LEN = 32,
    NOISE_TAG_LEN = 16,
    NOISE_MSG1_OVERHEAD = 96,
    NOISE_MSG2_OVERHEAD = 48
};

struct channel_key {
    uint8_t secret[CHANNEL_KEY_LEN];
    uint8_t public_key[CHANNEL_KEY_LEN];
};

/** What is known of peers met before: the secret that two static keys share is the same in every
 *  handshake of theirs. `find` fills `shared` or says that it does not know it. */
struct noise_known {
    bool (*find)(const void *self, const uint8_t own[CHANNEL_KEY_LEN],
                 const uint8_t peer[CHANNEL_KEY_LEN], uint8_t shared[CHANNEL_KEY_LEN]);
    const void *self;
};

struct noise { /* one handshake; wipe with noise_fini */
    uint8_t ck[32], h[32], k[32];
    uint64_t n;
    int has_key, initiator, step;
    struct channel_key s, e;
    uint8_t rs[32], re[32];
    uint8_t ss[32];                     /* a responder's, from message 1 to message 2 */
    const struct noise_known *known;    /* NULL: nothing; borrowed */
    uint8_t send_key[32], recv_key[32]; /* after message 2 */
    uint64_t send_n, recv_n;
};

void channel_key_new(struct channel_key *key, const struct env *env);
void channel_key_from_secret(struct channel_key *key, const uint8_t secret[CHANNEL_KEY_LEN]);
void channel_key_wipe(struct channel_key *key);

/** `remote`: the responder's static key for an initiator, NULL for a responder. */
void noise_init(struct noise *n, int initiator, const struct channel_key *own,
                const uint8_t *remote, struct span prologue);
/** Only for vectors and the simulator: the ephemeral key that would else be drawn. */
void noise_set_ephemeral(struct noise *n, const uint8_t secret[CHANNEL_KEY_LEN]);
void noise_fini(struct noise *n);

/** Responder, after message 1: do now what of message 2 does not depend on its payload, with this
 *  ephemeral key, which must be a fresh random one. Without it noise_write does all, and draws the
 *  key itself. @return OCOP_EAUTH, OCOP_ESTATE */
OCOP_MUST_USE enum ocop_status
noise_prepare(struct noise *n, const uint8_t ephemeral[CHANNEL_KEY_LEN], struct ocop_error *err);

/** Next handshake or transport message. out has room for payload.len + overhead (96, 48, 16).
 *  @return OCOP_ELIMIT when the payload is too long for one Noise message */
OCOP_MUST_USE enum ocop_status noise_write(struct noise *n, const struct env *env,
                                           struct span payload, uint8_t *out, size_t *out_len,
                                           struct ocop_error *err);

/** Read one. out has room for message.len.
 *  @return OCOP_EAUTH when it is not authentic; the handshake is then over */
OCOP_MUST_USE enum ocop_status noise_read(struct noise *n, struct span message, uint8_t *out,
                                          size_t *out_len, struct ocop_error *err);

#endif
