/* The contents of attachments travel, after the records: travel.c. */
#ifndef CLIENT_TRAVEL_H
#define CLIENT_TRAVEL_H

#include "sync.h"

struct travel_options {
    const char *server; /* its address */
    struct link *link;  /* connected; stays the caller's */
    const struct ocop_sync_options *sync;
    struct ocop_sync_summary *sum;
    bool up_only;      /* nothing is fetched */
    uint64_t *settled; /* may be NULL: of what is still to be sent, that which never can be */
};

/** Has this sync made all its round trips? Then nothing goes, and what was to go is counted. */
static inline bool travel_spent(const struct travel_options *o)
{
    return o->sync->max_round_trips && o->sum->round_trips >= o->sync->max_round_trips;
}

/** With the lock: is there a content to be sent? */
bool travel_waits(struct ocop_store *s);

/** Send what the registry lacks and fetch what was asked for, smallest first, until nothing is left
 * or the caller's policy says enough. Without the lock. What cannot go now is left for another
 * sync, and holds up nothing else.
 *  @return OCOP_OK; OCOP_ENET, OCOP_ETIMEOUT, OCOP_ECANCELLED, OCOP_EBUSY and what a reply can say
 * of the device: then what came before stands */
OCOP_MUST_USE enum ocop_status travel_files(struct ocop_store *s, const struct travel_options *o,
                                            struct ocop_error *err);

/* What travel.c and thumbnails.c share; all but the first in travel_message.c. */

/** With the first lane, before any file: what was asked for of thumbnails. As travel_files. */
OCOP_MUST_USE enum ocop_status
thumbnails_fetch(struct ocop_store *s, const struct travel_options *o, struct ocop_error *err);
/** Seal a request about files; `noise` is for its reply. Takes the lock for a moment. */
OCOP_MUST_USE enum ocop_status travel_seal(struct ocop_store *s, Ocop__Sync__FilesRequest *files,
                                           struct arena *a, struct noise *noise, struct buf *frame,
                                           struct ocop_error *err);
/** Open its reply, in `a`. What the reply says of the device is the status. */
OCOP_MUST_USE enum ocop_status travel_opened(const struct travel_options *o, struct noise *noise,
                                             struct span answer, struct arena *a,
                                             Ocop__Sync__FilesReply **out, struct ocop_error *err);
/** Progress. OCOP_ECANCELLED. */
OCOP_MUST_USE enum ocop_status travel_tell(struct ocop_store *s, const struct travel_options *o,
                                           const char *doing, struct ocop_error *err);
int travel_timeout_ms(const struct travel_options *o);

#endif
