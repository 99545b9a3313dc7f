/* The server's core: request bytes to reply bytes. No socket, and no thread of its own. */
#ifndef SERVER_EXCHANGE_H
#define SERVER_EXCHANGE_H

#include "buf.h"
#include "keys.h"
#include "registry.h"

struct job {
    struct span frame;                /* in; borrowed */
    struct buf reply;                 /* out; empty: send nothing */
    enum ocop_status status;          /* for the log */
    struct id replica;                /* who it was, zero when unknown */
    uint32_t sets, changes, outcomes; /* pushed, and those that are not simply applied */
    size_t records;                   /* sent */
};

/** Answer a batch. All writes share one transaction, each request has its savepoint; replies are
 *  filled after the commit. When the commit fails, every reply that reported a write becomes
 *  "busy, send again". Never fails as a whole.
 *
 *  What needs no database is done by r->crew, and r->peers spares some of it; without them the
 *  answers are the same, made by the caller alone and in order. */
void exchange_batch(struct registry *r, const struct server_keys *keys, struct job *jobs,
                    size_t count);

#endif
