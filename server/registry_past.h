/* What the tables know of one record's past: so that nobody reads the whole log for it. */
#ifndef SERVER_REGISTRY_PAST_H
#define SERVER_REGISTRY_PAST_H

#include "registry.h"

/** Versions of all sets with a change of this record, whatever came of it, in rising order, and
 *  some more that have none: those at which a case of it closed, or at which a change that had
 *  waited was applied. In the arena; 0 of them: the log has none. */
OCOP_MUST_USE enum ocop_status past_versions(struct registry *r, const struct id *record,
                                             struct arena *a, uint64_t **out, size_t *count,
                                             struct ocop_error *err);

/** Ids of the cases of a record, those among them in which it is the other of a collision, as they
 *  were opened. In the arena. */
OCOP_MUST_USE enum ocop_status past_cases(struct registry *r, const struct id *record,
                                          struct arena *a, struct id **out, size_t *count,
                                          struct ocop_error *err);

/** The value that a field (no list) had behind `version`; *found is false when it had none. */
OCOP_MUST_USE enum ocop_status past_value(struct registry *r, uint32_t kind,
                                          const struct id *record, uint32_t field, uint64_t version,
                                          struct arena *a, struct field *out, bool *found,
                                          struct ocop_error *err);

struct past_invitation {
    struct span token_hash; /* len 0: none is known */
    struct id officer;
    int64_t made_ms, expires_ms;
};
/** The invitation by which a device was enrolled, as far as this node knows. */
OCOP_MUST_USE enum ocop_status past_invitation(struct registry *r, const struct id *replica,
                                               struct arena *a, struct past_invitation *out,
                                               struct ocop_error *err);

/** Give outcomes of before migration 13 their record, from the log. Called when a registry is
 *  opened; in a transaction of its own, and none when there are no such. */
OCOP_MUST_USE enum ocop_status past_fill(struct registry *r, struct ocop_error *err);

#endif
