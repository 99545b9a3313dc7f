/* What sync.c and its neighbours share: sealing, requests, replies. */
#ifndef CLIENT_SYNC_H
#define CLIENT_SYNC_H

#include "store.h"
#include "sync.pb-c.h"

#define OCOP_VERSION_TEXT "0.1.0"
enum { OCOP_VERSION_NUMBER = 0x000100 }; /* the same for the registry */

/** The status that a reply as a whole carries, with its text. */
OCOP_MUST_USE enum ocop_status sync_reply_status(const Ocop__Sync__Reply *reply,
                                                 struct ocop_error *err);

/** Store what an enrolment says; inside a transaction (client.c). */
OCOP_MUST_USE enum ocop_status
client_enrolment(struct ocop_store *s, const Ocop__Sync__Enrolment *e, struct ocop_error *err);

/** Keep a certificate of this store's replica; inside a transaction (client.c). */
OCOP_MUST_USE enum ocop_status client_certificate(struct ocop_store *s,
                                                  const Ocop__Sync__Sealed *sealed, struct arena *a,
                                                  struct ocop_error *err);

/** The same for the first replica of its line, where one is kept. */
OCOP_MUST_USE enum ocop_status client_certificate_first(struct ocop_store *s,
                                                        const Ocop__Sync__Sealed *sealed,
                                                        struct arena *a, struct ocop_error *err);

/** Trust a root that the one trusted now has signed, and so on; inside a transaction. */
OCOP_MUST_USE enum ocop_status client_roots(struct ocop_store *s, Ocop__Sync__RootKey *const *roots,
                                            size_t count, struct arena *a, struct ocop_error *err);

/** Pin another key of the server if the root signed it and it is newer; inside a transaction. */
OCOP_MUST_USE enum ocop_status client_server_key(struct ocop_store *s,
                                                 const Ocop__Sync__ChannelKey *c, struct arena *a,
                                                 struct ocop_error *err);

/* A wipe as the office ordered it. */
struct wipe_order {
    const char *reason;
    bool now;         /* nothing is waited for */
    uint64_t settled; /* contents that are not waited for: travel.h */
};

/* What is to be sent before. */
struct wipe_waits {
    bool changes;
    uint64_t files;
};

/** Wipe the store, with the lock. May be cut short: the next sync, enrolment or ocop_open ends it
 *  (wipe.c). When something is in *waits, nothing has changed. */
OCOP_MUST_USE enum ocop_status wipe_store(struct ocop_store *s, const struct wipe_order *order,
                                          struct wipe_waits *waits, struct ocop_error *err);
/** What is left of one that was begun, if one was: the rows, and the files, whose key is gone. With
 *  the lock, when it is known what is stored. As long as it fails the wipe counts as begun, and is
 *  told to nobody. */
OCOP_MUST_USE enum ocop_status wipe_finish(struct ocop_store *s, struct ocop_error *err);
/** OCOP_EWIPED with what was said of it. */
enum ocop_status wipe_status(const struct ocop_store *s, struct ocop_error *err);

/** Seal one change-set of ready changes within the budget, inside a transaction (seal.c). *sealed
 *  false: nothing was ready. A change too large for any set is refused here. */
OCOP_MUST_USE enum ocop_status seal_one(struct ocop_store *s, struct arena *a, bool *sealed,
                                        struct ocop_error *err);

/** Can the change be sealed at all? OCOP_ELIMIT. To be asked when it is saved: its author can still
 *  make it in parts. */
OCOP_MUST_USE enum ocop_status seal_try(const struct ocop_store *s, const struct change *c,
                                        struct ocop_error *err);

/** Take a reply, in one transaction that the caller began (reply.c). */
struct reply_result {
    bool progress;           /* something was acknowledged, received or changed */
    bool again;              /* something must be asked for that the reply does not speak of */
    bool unsealed;           /* a set was refused as a whole; its changes are ready again */
    enum ocop_status failed; /* what the reply took is stored, but the sync cannot go on */
    char text[200];          /* why */
};
OCOP_MUST_USE enum ocop_status reply_apply(struct ocop_store *s, const Ocop__Sync__SyncReply *reply,
                                           struct arena *a, struct ocop_sync_summary *sum,
                                           struct reply_result *result, struct ocop_error *err);

/** What the registry, when it was last asked, let the officer read (enum reading, rights.h). Where
 *  all is about to be asked for anew, *told is false and *out what everybody may read (reply.c). */
OCOP_MUST_USE enum ocop_status reply_reading(struct ocop_store *s, struct arena *a, bool *told,
                                             unsigned *out, struct ocop_error *err);

/** Take only what a reply says of this device's keys; where it says that all else is refused. In a
 *  transaction (reply.c). */
OCOP_MUST_USE enum ocop_status reply_take_keys(struct ocop_store *s,
                                               const Ocop__Sync__SyncReply *reply, struct arena *a,
                                               struct ocop_error *err);

/** What the officer sees of a record = base + changes over it; written to its row (pending.c). */
OCOP_MUST_USE enum ocop_status pending_show(struct ocop_store *s, uint32_t kind,
                                            const struct id *record, struct arena *a,
                                            struct ocop_error *err);

/** Base + changes over it, all or without the draft. *there false: no such record. `rows`: the
 *  changes, whether counted or not. */
OCOP_MUST_USE enum ocop_status pending_state(struct ocop_store *s, uint32_t kind,
                                             const struct id *record, bool with_draft,
                                             struct arena *a, struct outbox_rows *rows, bool *there,
                                             struct fields *out, uint64_t *version,
                                             struct ocop_error *err);

/** Read a change of the outbox; one that cannot be read means a damaged store. */
OCOP_MUST_USE enum ocop_status pending_change(const struct outbox_row *row, struct arena *a,
                                              struct change *out, struct ocop_error *err);

/** Unpack a reply; NULL when it is malformed or nested deeper than NESTING_MAX (protobuf-c recurses
 *  without a limit, and a server may be hostile). */
Ocop__Sync__Reply *reply_unpack(struct span message, ProtobufCAllocator *allocator);

#endif
