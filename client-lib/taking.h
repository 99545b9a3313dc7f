/* What reply.c and lost.c share while one reply is taken. */
#ifndef CLIENT_TAKING_H
#define CLIENT_TAKING_H

#include "sync.h"

struct taking {
    struct ocop_store *s;
    const Ocop__Sync__SyncReply *reply;
    struct arena *arena; /* of the decoded page */
    struct arena work;   /* of one record */
    struct arena late;   /* of one change that waited, or of one set that was lost */
    struct ocop_sync_summary *sum;
    struct reply_result *result;
    bool elsewhere;  /* the registry has another history than the one read so far ... */
    uint64_t shared; /* ... from behind this version on */
    bool pending;    /* the outbox is not empty */
    bool owns;       /* some records here are of this device */
    bool rereading;  /* everything is read again */
    bool cases;      /* the store knows open cases */
    bool forked;     /* by this reply */
    bool reset;      /* the cursor is forgotten */
};

bool taking_id(const ProtobufCBinaryData *b, struct id *out);
OCOP_MUST_USE enum ocop_status taking_malformed(const char *what, struct ocop_error *err);

/** "" for none. */
const char *taking_text(const char *s);

/* --- reply_sets.c ---------------------------------------------------------------------------- */

/** Is this a registry with another history than the one that was read so far? Then bases of what
 *  that one alone had are clamped. */
OCOP_MUST_USE enum ocop_status taking_lineage(struct taking *t, struct ocop_error *err);

/** Acknowledgements, outcomes, forks. */
OCOP_MUST_USE enum ocop_status taking_sets(struct taking *t, struct ocop_error *err);

/** What the reply took is stored, but the sync cannot go on: why. */
void taking_fail(struct taking *t, enum ocop_status status, const char *text);

/** The last version that history `from` shares with the server's; 0, which is safe, when it cannot
 *  be told. */
uint64_t taking_shared(const struct taking *t, struct id from);

/** Bases above `shared` are of a lost history: they count as its end. */
void taking_clamp(struct change *c, uint64_t shared);

/* --- lost.c: what a registry has lost, or has another of, is put back and sent again ------------
 */

/** The registry holds the sets of this replica up to `acked` only: what was acknowledged beyond
 *  waits again, each change in its old place. */
OCOP_MUST_USE enum ocop_status lost_sets(struct taking *t, uint64_t acked, struct ocop_error *err);

/** The registry has another history. What only the lost one acknowledged, of sets under names that
 *  this replica continues, nobody tells this name how it was judged in this one. */
OCOP_MUST_USE enum ocop_status lost_doubt(struct taking *t, struct ocop_error *err);
/** All was read anew. Of that, the records that the registry does not show are kept as refused, for
 *  their officer to decide; the others that were not met go. */
OCOP_MUST_USE enum ocop_status lost_unmet(struct taking *t, struct ocop_error *err);

/** What was asked about again has been answered: all is read anew once, since of a record that was
 *  waiting for its answer nobody told that it is not for this device. */
OCOP_MUST_USE enum ocop_status lost_heard(struct taking *t, struct ocop_error *err);

/** Compare what the registry knows of this device with what it sent; fork where they part. */
OCOP_MUST_USE enum ocop_status lost_known(struct taking *t, struct ocop_error *err);

/** Go on under a new replica id behind set `seq` - 1 of `from`, which is this replica or one that
 * it continues. All that was sealed later is sealed again, in its old order. */
OCOP_MUST_USE enum ocop_status lost_fork(struct taking *t, const struct id *from, uint64_t seq,
                                         struct ocop_error *err);

/** The registry will never take set `seq`; its number is free again (docs/decisions/0008). */
OCOP_MUST_USE enum ocop_status lost_unseal(struct taking *t, uint64_t seq, struct ocop_error *err);

#endif
