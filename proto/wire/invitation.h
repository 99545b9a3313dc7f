/* An invitation: what a device must know to enrol, as text that a person can type or scan.
 *
 * The text is base32 (RFC 4648, no padding) in groups of five with '-' between them. Under it lie
 * the message Invitation of sync.proto and the first 4 bytes of its BLAKE2b-256. Reading ignores
 * case, spaces and hyphens and takes 0, 1 and 8 for O, I and B, which base32 does not have. */
#ifndef WIRE_INVITATION_H
#define WIRE_INVITATION_H

#include "buf.h"
#include "err.h"
#include "noise.h"

enum {
    INVITATION_ROOT_LEN = 32,   /* Ed25519 public */
    INVITATION_SECRET_LEN = 64, /* Ed25519 secret, as libsodium keeps it */
    INVITATION_SIGNATURE_LEN = 64,
    INVITATION_TOKEN_MAX = 32,
    INVITATION_ADDRESS_MAX = 255,
    INVITATION_TEXT_MAX = 2048
};

struct invitation {
    uint8_t root_key[INVITATION_ROOT_LEN];               /* pins the registry */
    uint64_t root_number;                                /* how many it had before; 0: none */
    uint8_t channel_key[CHANNEL_KEY_LEN];                /* the server's X25519 key */
    uint64_t channel_number;                             /* of that key; rising, 0 at first */
    uint8_t channel_signature[INVITATION_SIGNATURE_LEN]; /* the root's, over both */
    char address[INVITATION_ADDRESS_MAX + 1];
    uint8_t token[INVITATION_TOKEN_MAX];
    size_t token_len;
    int64_t expires_ms;
};

/** The root's signature over "ocop channel", a channel key and, unless it is 0, its number (8
 * bytes, big-endian); and whether it is. */
void invitation_sign(const uint8_t root_secret[INVITATION_SECRET_LEN],
                     const uint8_t channel_key[CHANNEL_KEY_LEN], uint64_t number,
                     uint8_t signature[INVITATION_SIGNATURE_LEN]);
bool invitation_signed(const uint8_t root_key[INVITATION_ROOT_LEN],
                       const uint8_t channel_key[CHANNEL_KEY_LEN], uint64_t number,
                       const uint8_t signature[INVITATION_SIGNATURE_LEN]);

/** Append the text. @return OCOP_EINVAL no address or token, OCOP_ENOMEM */
OCOP_MUST_USE enum ocop_status invitation_encode(const struct invitation *in, struct buf *out,
                                                 struct ocop_error *err);

/** Read the text; the signature is checked.
 *  @return OCOP_EINVAL mistyped or damaged, OCOP_EAUTH the channel key is not the root's */
OCOP_MUST_USE enum ocop_status invitation_decode(const char *text, struct invitation *out,
                                                 struct ocop_error *err);

#endif
