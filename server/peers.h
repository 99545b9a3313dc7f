/* Devices that were served lately: the secret that the server's static key and theirs share, which
 * is the same in every handshake and costs a scalar multiplication. docs/decisions/0010.
 *
 * No lock: many may look while nobody notes. */
#ifndef SERVER_PEERS_H
#define SERVER_PEERS_H

#include "err.h"
#include "noise.h"

struct peers;

OCOP_MUST_USE enum ocop_status peers_open(struct peers **out, struct ocop_error *err);
/** Wipes all. NULL is fine. */
void peers_close(struct peers *p);

/** For frame_open_request; good as long as `p`. NULL for NULL. */
const struct noise_known *peers_known(const struct peers *p);

/** Remember a device. Only for those that the registry knows: a stranger must not push them out.
 *  NULL is fine. */
void peers_note(struct peers *p, const uint8_t own[CHANNEL_KEY_LEN],
                const uint8_t peer[CHANNEL_KEY_LEN], const uint8_t shared[CHANNEL_KEY_LEN]);

#endif
