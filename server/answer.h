/* One request while it is being answered. */
#ifndef SERVER_ANSWER_H
#define SERVER_ANSWER_H

#include "arena.h"
#include "contact.h"
#include "exchange.h"
#include "noise.h"
#include "tell.h"

struct work {
    struct registry *r;
    const struct server_keys *keys;
    size_t channels; /* of the keys, that are accepted now */
    struct job *job;
    struct noise noise;
    struct arena arena;
    Ocop__Sync__Request *request;
    Ocop__Sync__Reply reply; /* until it is packed */
    struct buf packed;
    struct telling tell;
    uint8_t sender[CHANNEL_KEY_LEN], ephemeral[CHANNEL_KEY_LEN];
    bool opened, writes;
    bool heard; /* of a device: `contact` is what it told */
    struct contact contact;
    bool parted;   /* a set that does not continue its replica's chain here */
    bool enrolled; /* the sender is a device of ours */
    struct ocop_error err;
};

/** Failures of memory and disk are ours: the device is asked to come again. */
bool answer_failed(enum ocop_status st);

/** Fill w->reply.sync and w->tell. The caller has a savepoint around it.
 *  @return what the device is told; w->err says it in words */
OCOP_MUST_USE enum ocop_status answer_sync(struct work *w, const Ocop__Sync__SyncRequest *in);

/** The root keys that follow the one trusted, and their proofs. */
enum ocop_status answer_roots(struct work *w, uint64_t trusted, Ocop__Sync__RootKey ***out,
                              size_t *count);

#endif
