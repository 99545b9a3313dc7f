/* Which replicas their device goes on for under another name. */
#ifndef SERVER_GIVEN_UP_H
#define SERVER_GIVEN_UP_H

#include "noise.h"
#include "registry.h"

/** Does a replica of the device with this key go on for `replica`? Reads the first set of each. */
OCOP_MUST_USE enum ocop_status given_up(struct registry *r,
                                        const uint8_t channel_key[CHANNEL_KEY_LEN],
                                        const struct id *replica, bool *out,
                                        struct ocop_error *err);

#endif
