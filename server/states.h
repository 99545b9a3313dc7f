/* What the office lets a device do: go on, wait, or nothing any more. */
#ifndef SERVER_STATES_H
#define SERVER_STATES_H

#include "ingest.h"
#include "keys.h"

/** Put a device, that is this replica and all others that have its keys, into a state. The reason
 * is shown on the device. In a transaction.
 *  @return OCOP_ENOTFOUND no such device; OCOP_ESTATE it cannot come there from where it is: err
 *          says what it is */
OCOP_MUST_USE enum ocop_status device_state_set(struct registry *r, const struct server_keys *keys,
                                                const struct id *replica, enum device_state state,
                                                const char *reason, struct ocop_error *err);

/** Why the device is in its state; "" when nothing was said. In the arena. */
OCOP_MUST_USE enum ocop_status device_reason(struct registry *r, const struct id *replica,
                                             struct arena *a, const char **out,
                                             struct ocop_error *err);

struct kept_aside {
    size_t taken; /* sets that are in the log now */
    size_t left;  /* those that do not fit in: still aside */
};
/** Take in what a device pushed while it was suspended, each set as of when it came. In a
 *  transaction. */
OCOP_MUST_USE enum ocop_status device_take_aside(struct registry *r, const struct id *replica,
                                                 struct kept_aside *out, struct ocop_error *err);

#endif
