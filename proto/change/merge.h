/* The merge rule: one change against one record's state. No database, no clock. */
#ifndef CHANGE_MERGE_H
#define CHANGE_MERGE_H

#include "change.h"

enum outcome_code {
    OUTCOME_APPLIED = 0,
    OUTCOME_EQUAL = 1,    /* the registry held these values already */
    OUTCOME_WAITING = 2,  /* the record it changes is not there yet */
    OUTCOME_DANGLING = 3, /* applied; it refers to something that is not there yet */
    OUTCOME_REFUSED = 4,
    OUTCOME_CASE = 5 /* at least one value stands in a case; the rest applied */
};

enum set_code {
    SET_ACCEPTED = 0,
    SET_DUPLICATE = 1, /* accepted earlier; same outcomes */
    SET_FORK = 2,      /* another set has this sequence */
    SET_GAP = 3,       /* an earlier sequence is missing */
    SET_CHAIN = 4,     /* does not continue the replica's last set */
    SET_SIGNATURE = 5,
    SET_MALFORMED = 6,
    SET_TOO_LARGE = 7,
    SET_UNKNOWN_REPLICA = 8,
    SET_REVOKED = 9,
    SET_RETRY = 10,    /* the registry could not store it now; send it again */
    SET_SUSPENDED = 11 /* kept aside until the office lets the device go on */
};

enum case_cause {
    CASE_FIELD = 1,     /* two values for one field */
    CASE_VOID = 2,      /* an edit against a void */
    CASE_COLLISION = 3, /* two records with one natural key */
    CASE_INVALID = 4    /* two valid edits merge into an invalid record */
};

/** Was the registry's present value of a path written by the author of this change, or what it
 *  continues? A failure ends the merge. */
typedef enum ocop_status (*merge_own_fn)(void *self, const struct field *theirs, bool *own);

struct merge_in {
    const struct kind *kind;    /* NULL: unknown kind; every field holds */
    const struct fields *state; /* the record, markers included; base = last changed at */
    const struct change *change;
    uint64_t version; /* of the change-set being applied */
    merge_own_fn own;
    void *own_self;
};

struct conflict {
    enum case_cause cause;
    struct field mine;          /* the change's; op CLEAR when it clears */
    const struct field *theirs; /* the registry's; NULL when it has none */
};

struct merge_out {
    struct fields state;   /* after the change, markers included */
    struct fields applied; /* what took effect */
    struct conflict *conflicts;
    size_t conflict_count;
    bool equal; /* nothing took effect and nothing conflicts */
};

/** Three-way merge by path as design section 7 says. Field rules of who may write are not asked
 *  here. @return OCOP_ENOMEM, or what `own` failed with */
OCOP_MUST_USE enum ocop_status merge_change(const struct merge_in *in, struct arena *a,
                                            struct merge_out *out, struct ocop_error *err);

/** Id of a case: a hash of what caused it. `other` is zero but for collisions. */
struct id case_id(const uint8_t set_hash[32], uint32_t index, uint32_t number, struct span key,
                  enum case_cause cause, struct id other);

#endif
