/* What the office decides of people and devices after they were enrolled: roles, scope. */
#ifndef SERVER_ASSIGN_H
#define SERVER_ASSIGN_H

#include "enrol.h"

/** Give an officer these roles and no others: "inspector,sampler:2026-01-01:2026-12-31", each with
 * the days of its validity where it has any; "" takes all. In a transaction of its own.
 *  @return OCOP_EINVAL for what is no role or no day, OCOP_ENOTFOUND */
OCOP_MUST_USE enum ocop_status assign_roles(struct registry *r, const struct server_keys *keys,
                                            const struct id *officer, const char *roles,
                                            const char *reason, struct ocop_error *err);

struct assignment {
    const struct id *units; /* NULL: as they are */
    size_t unit_count;
    const struct id *records; /* the same */
    size_t record_count;
};

/** Give a device this scope, whichever of its replicas is named. In a transaction of its own; the
 *  device learns of it with its next sync. @return OCOP_ENOTFOUND, OCOP_ESTATE when it is revoked,
 *  OCOP_EINVAL when it is left with nothing */
OCOP_MUST_USE enum ocop_status assign_scope(struct registry *r, const struct server_keys *keys,
                                            const struct id *replica,
                                            const struct assignment *assignment, const char *reason,
                                            struct ocop_error *err);
/** Say in which unit a record lies now: after its commune was split, say. In a transaction of its
 * own.
 *  @return OCOP_ENOTFOUND, OCOP_ESTATE when it lies there already, OCOP_EINVAL when it has no unit
 */
OCOP_MUST_USE enum ocop_status assign_unit(struct registry *r, const struct server_keys *keys,
                                           uint32_t kind, const struct id *record,
                                           const struct id *unit, const char *reason,
                                           struct ocop_error *err);
#endif
