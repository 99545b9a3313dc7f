/* What the registry holds of a device, told where its history and the device's may differ. */
#ifndef SERVER_KNOWN_H
#define SERVER_KNOWN_H

#include "registry.h"
#include "sync.pb-c.h"

/** Put every replica with this channel key into reply->known, with the hashes of its last sets.
 *  `own`, whose last set on the device is `last_seq`, is told from there down: what the device
 *  never made tells it nothing. None when no replica has the key. */
OCOP_MUST_USE enum ocop_status known_put(struct registry *r, const uint8_t channel_key[32],
                                         const struct id *own, uint64_t last_seq, struct arena *a,
                                         Ocop__Sync__SyncReply *reply, struct ocop_error *err);

#endif
