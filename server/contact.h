/* What each device told when it was last heard of: evidence for the office, no input of merging. */
#ifndef SERVER_CONTACT_H
#define SERVER_CONTACT_H

#include "registry.h"

struct contact {
    struct id replica;
    int64_t now_ms, device_ms;
    uint32_t waiting, schema, program;
    uint64_t exchange;  /* number of the request, by the device's count; 0: it does not count */
    uint32_t unsettled; /* outcomes of this request that are not "applied" */
    bool accepted;      /* it brought a set that was not here before, so that it is no replay */
};

/** Note it. A replayed request moves nothing: its number is not above the last. In a transaction.
 */
OCOP_MUST_USE enum ocop_status contact_write(struct registry *r, const struct contact *c,
                                             struct ocop_error *err);

#endif
