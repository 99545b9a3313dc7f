/* A device whose requests a test composes: what no client of ours would send. */
#ifndef TEST_HAND_H
#define TEST_HAND_H

#include "frame.h"
#include "invitation.h"
#include "world.h"

struct hand {
    struct channel_key channel;
    struct sign_key sign;
    struct id replica, officer;
    uint64_t seq;
    uint8_t prev[HASH_LEN];
    struct invitation invitation;
};

void hand_must(enum ocop_status st, const struct ocop_error *err);

/** Seal a request's bytes into a frame, in the world's arena. */
struct span hand_frame(struct world *w, struct hand *h, struct noise *n, struct span message);

/** The reply lies in `a`; NULL when there was none. */
Ocop__Sync__Reply *hand_ask(struct world *w, struct hand *h, const Ocop__Sync__Request *request,
                            struct arena *a);

void hand_new(struct world *w, struct hand *h, struct id officer);

void hand_invite(struct world *w, struct hand *h, struct invitation *inv);

Ocop__Sync__Reply *hand_redeem(struct world *w, struct hand *h, struct invitation *inv);

/** A device of the officer of the world's device `n`, enrolled for the first commune. */
void hand_enrol(struct world *w, struct hand *h, unsigned n);

Ocop__Sync__Sealed *hand_seal(struct world *w, struct hand *h, struct change *changes,
                              size_t count);

Ocop__Sync__Reply *hand_sync(struct world *w, struct hand *h, Ocop__Sync__Sealed **sets,
                             size_t count, Ocop__Sync__Cursor *cursor);

/** Push one set that must be accepted. */
Ocop__Sync__SyncReply *hand_push(struct world *w, struct hand *h, struct change *changes,
                                 size_t count);

struct field hand_text(uint32_t number, const char *s);

struct field hand_ref(uint32_t number, const struct id *id);

void *hand_many(struct world *w, size_t count, size_t size);

struct change hand_change(struct hand *h, uint32_t kind, enum verb verb, struct id id,
                          struct field *v, size_t count);

#endif
