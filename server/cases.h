/* Cases: listed, shown, resolved. */
#ifndef SERVER_CASES_H
#define SERVER_CASES_H

#include "ingest.h"
#include "keys.h"

struct case_row {
    struct id id;
    uint32_t kind;
    struct id record;
    enum case_cause cause;
    uint32_t number; /* field; 0 for a void */
    struct span key;
    struct id other;                         /* the other record of a collision */
    uint64_t opened_version, closed_version; /* 0: open */
    uint64_t theirs_version, base_version;
    uint64_t set_version; /* of the change that it is about: before opened_version if that waited */
    uint32_t change_index;
    const char *base, *theirs, *mine;                /* JSON text; "null" when not set */
    struct id theirs_author, mine_author;            /* officers */
    int64_t theirs_time_ms, mine_time_ms, opened_ms; /* device times; receipt */
    const char *theirs_reason, *mine_reason;         /* theirs: NULL when it is not known */
    const char *resolution;                          /* "theirs", "mine", "value", "agreed" */
};
OCOP_MUST_USE enum ocop_status case_load(struct registry *r, const struct id *id, struct arena *a,
                                         struct case_row *out, struct ocop_error *err);
/** Its row alone: no authors, times and reasons, which stand in the log. */
OCOP_MUST_USE enum ocop_status case_load_row(struct registry *r, const struct id *id,
                                             struct arena *a, struct case_row *out,
                                             struct ocop_error *err);
typedef enum ocop_status (*case_fn)(void *self, const struct case_row *c, struct ocop_error *err);
OCOP_MUST_USE enum ocop_status case_each(struct registry *r, bool open_only, case_fn fn, void *self,
                                         struct ocop_error *err);

/** May this officer decide today: resolve a case, drop contents?
 *  @return OCOP_ENOTFOUND no such officer, OCOP_EPERM voided, or neither reconciler nor
 * administrator */
OCOP_MUST_USE enum ocop_status case_may_decide(struct registry *r, const struct id *officer,
                                               struct ocop_error *err);
/** The only officer who may decide today: reconciler or administrator.
 *  @return OCOP_EINVAL naming them when there are several, OCOP_ENOTFOUND when there is none */
OCOP_MUST_USE enum ocop_status case_decider(struct registry *r, struct id *out,
                                            struct ocop_error *err);

enum case_take { TAKE_THEIRS, TAKE_MINE, TAKE_VALUE };
/** Resolve by an ordinary change of a reviewer's session. `value`: JSON text for TAKE_VALUE.
 *  @return OCOP_ESTATE when closed already, OCOP_EINVAL bad value */
OCOP_MUST_USE enum ocop_status case_resolve(struct registry *r, const struct server_keys *keys,
                                            const struct id *id, enum case_take take,
                                            const char *value, const char *reason,
                                            const struct id *officer, struct ocop_error *err);
#endif
