/* The server's core: request bytes to reply bytes. No socket, and no thread of its own. */
#ifndef SERVER_EXCHANGE_H
#define SERVER_EXCHANGE_H

#include "bounds.h"
#include "buf.h"
#include "keys.h"
#include "registry.h"

struct job {
    struct span frame;                /* in; borrowed */
    uint32_t busy_ms;                 /* in: not 0: do nothing, and have it come back in this time
                                         or up to twice as long */
    bool crowded;                     /* in: others wait: have it send and read less at once */
    bool later;                       /* out: there was no room for it: nothing was done, give it
                                         to a later batch. Never the first that is not busy */
    struct buf reply;                 /* out; empty: send nothing */
    enum ocop_status status;          /* for the log */
    struct id replica;                /* who it was, zero when unknown */
    uint32_t sets, changes, outcomes; /* pushed, and those that are not simply applied */
    size_t records;                   /* sent */
    uint64_t hashed;                  /* bytes of contents, to answer it */
    uint64_t moved;                   /* attachments, with the records that it moved */
};

/** What serving it has cost besides its request, in bytes as turns count them. */
static inline size_t job_cost(const struct job *job)
{
    return job->reply.len + (size_t)(job->hashed / HASHED_PER_BYTE + job->moved * MOVED_BYTES);
}

/** Answer a batch. All writes share one transaction, each request has its savepoint; replies are
 *  filled after the commit. When the commit fails, every reply that reported a write becomes
 *  "busy, send again". Never fails as a whole. What all requests take together in memory, in
 *  replies and in hashing of contents is bounded, by leaving some for later.
 *
 *  What needs no database is done by r->crew, and r->peers spares some of it; without them the
 *  answers are the same, made by the caller alone and in order. */
void exchange_batch(struct registry *r, const struct server_keys *keys, struct job *jobs,
                    size_t count);

#endif
