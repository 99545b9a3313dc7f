/* The contents of attachments travel, after the records: travel.c. */
#ifndef CLIENT_TRAVEL_H
#define CLIENT_TRAVEL_H

#include "sync.h"

struct travel_options {
    const char *server; /* its address */
    struct link *link;  /* connected; stays the caller's */
    const struct ocop_sync_options *sync;
    struct ocop_sync_summary *sum;
    bool up_only; /* nothing is fetched */
};

/** With the lock: is there a content to be sent? */
bool travel_waits(struct ocop_store *s);

/** Send what the registry lacks and fetch what was asked for, smallest first, until nothing is left
 * or the caller's policy says enough. Without the lock. What cannot go now is left for another
 * sync, and holds up nothing else.
 *  @return OCOP_OK; OCOP_ENET, OCOP_ETIMEOUT, OCOP_ECANCELLED, OCOP_EBUSY and what a reply can say
 * of the device: then what came before stands */
OCOP_MUST_USE enum ocop_status travel_files(struct ocop_store *s, const struct travel_options *o,
                                            struct ocop_error *err);

#endif
