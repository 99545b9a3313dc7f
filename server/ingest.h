/* Accepting a sealed change-set (its envelope) and applying it (its changes). */
#ifndef SERVER_INGEST_H
#define SERVER_INGEST_H

#include "log.h"

struct set_result {
    enum set_code code;
    uint64_t seq, version;
    char text[OCOP_ERROR_TEXT_MAX];
    bool enrolled_successor; /* a fork's new replica was enrolled with this set */
};

/** Check the envelope, append, apply. Inside a transaction; the caller makes a savepoint, and
 *  rolls back to it when this returns anything but OCOP_OK (then nothing may be said of the set
 *  but "send it again"). `channel_key`: the sender's; sets of other replicas than the sender's own
 *  are refused. NULL for the registry's own sets.
 *  Refusals are OCOP_OK with result->code. */
OCOP_MUST_USE enum ocop_status ingest_set(struct registry *r, struct span body,
                                          const uint8_t *signature, const uint8_t *channel_key,
                                          int64_t received_ms, struct arena *a,
                                          struct set_result *result, struct ocop_error *err);

/** Apply an accepted set: never vetoes. Used by ingest_set and by replay alike. Writes records,
 *  outcomes, cases, waiting changes, departures, scopes. */
OCOP_MUST_USE enum ocop_status apply_set(struct registry *r, const struct change_set *set,
                                         uint64_t version, int64_t received_ms, struct arena *a,
                                         struct ocop_error *err);

/** Stored outcomes of one set, all but OUTCOME_APPLIED; appended to `out` (arena). */
struct outcome_row {
    uint32_t index;
    enum outcome_code code;
    const char *text, *field;
};
OCOP_MUST_USE enum ocop_status outcomes_of(struct registry *r, uint64_t version, struct arena *a,
                                           struct outcome_row **out, size_t *count,
                                           struct ocop_error *err);

/** A server-side author: makes a replica (type "import" or "review"), enrols it by a set of the
 *  registry's own, and seals, appends and applies its changes as sets 1, 2, ... In the caller's
 *  transaction. */
struct author {
    struct registry *r;
    struct id replica;
    struct id officer;
    struct sign_key key;
    uint64_t seq;
    uint8_t prev_hash[HASH_LEN];
};
OCOP_MUST_USE enum ocop_status author_begin(struct registry *r, const struct server_keys *keys,
                                            const char *type, const char *name,
                                            const struct id *officer, struct author *out,
                                            struct ocop_error *err);
/** Seal and apply one set of changes. *version: its position. Outcomes by outcomes_of. */
OCOP_MUST_USE enum ocop_status author_write(struct author *au, const struct changes *changes,
                                            struct arena *a, uint64_t *version,
                                            struct ocop_error *err);
void author_end(struct author *au);

/** The registry itself as an author: enrolments, revocations, lineages. */
OCOP_MUST_USE enum ocop_status author_registry(struct registry *r, const struct server_keys *keys,
                                               struct author *out, struct ocop_error *err);
#endif
