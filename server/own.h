/* Records that the registry writes itself: put together field by field, written as a set of its own
 * replica. */
#ifndef SERVER_OWN_H
#define SERVER_OWN_H

#include "bounds.h"
#include "ingest.h"
#include "keys.h"

/** A record being composed. Zero it first; what is put in is borrowed until it is written. */
struct own_draft {
    struct field v[SCOPE_UNITS_MAX + SCOPE_RECORDS_MAX + SIGN_KEYS_MAX + 32];
    struct fields f;
};

void own_bytes(struct own_draft *d, uint32_t number, struct span s);
void own_int(struct own_draft *d, uint32_t number, int64_t i);
void own_clear(struct own_draft *d, uint32_t number, enum value_type type);
/** An element of packed protobuf, its key in it as field 1. @return OCOP_ELIMIT no room */
OCOP_MUST_USE enum ocop_status own_element(struct own_draft *d, uint32_t number, struct span key,
                                           struct span packed, struct ocop_error *err);
/** An element that consists of its key, an id. */
OCOP_MUST_USE enum ocop_status own_key_element(struct own_draft *d, uint32_t number,
                                               const struct id *key, struct arena *a,
                                               struct ocop_error *err);

/** An element of Replica.sign_keys. */
struct own_key {
    const uint8_t *key;
    uint64_t from_seq;
    const uint8_t *signature; /* the root's; NULL under a device's */
    uint64_t number;
    const uint8_t *channel_key; /* of a device; NULL under the registry's own */
    int64_t made_ms;
    bool root; /* of the registry: signed by the one before it, and signs no sets */
};
OCOP_MUST_USE enum ocop_status own_sign_key(struct own_draft *d, const struct own_key *k,
                                            struct arena *a, struct ocop_error *err);

/** The change that it makes; `base`: the version that the writer has seen, 0 for a creation. */
struct change own_change(struct own_draft *d, uint32_t kind, enum verb verb, struct id record,
                         uint64_t base, int64_t now);

/** Write changes of the registry's own. Inside a transaction. A refusal of any is a failure. */
OCOP_MUST_USE enum ocop_status own_write(struct registry *r, const struct server_keys *keys,
                                         struct change *changes, size_t count, struct arena *a,
                                         struct ocop_error *err);

#endif
