/* The registry as design section 7 describes it, worked out from the log a second time and by other
 * means: plain lists, no database, no versions packed anywhere. What it shares with the product is
 * the reading of a change-set, whether a record is valid and what a role may do. */
#ifndef SIM_ORACLE_H
#define SIM_ORACLE_H

#include "sim.h"

/* One field or element, with everything it ever held. */
struct told {
    struct told *before;
    struct field value; /* op CLEAR: it was removed */
    uint64_t version;   /* since when */
    struct id replica;  /* who said so */
    bool follows;       /* it is nobody's word: it follows from another record */
    uint64_t seq;
    uint32_t index;
};

struct path {
    struct path *next;
    uint32_t number;
    struct span key;
    struct told *now;
};

struct kept {
    struct kept *next;
    uint32_t kind;
    struct id id;
    uint64_t version, born;
    struct path *paths;
};

struct decided {
    enum outcome_code code;
    uint64_t changed; /* version at which it got this code */
    unsigned dangling;
};

struct entry {
    struct change_set set;
    int64_t received_ms;
    struct decided *decided; /* one each change */
};

struct opened {
    struct opened *next;
    enum case_cause cause;
    struct kept *record;
    struct field mine;
    uint64_t theirs_version, version, closed;
    uint32_t index;
    struct id other;
    struct fields asked; /* what would settle it */
    const struct field *base, *theirs;
    struct id id; /* of the case in the registry that is this one */
};

struct waits {
    struct waits *next;
    uint64_t version;
    uint32_t index;
    struct id record;
    uint32_t kind;
    bool done;
};

struct dangles {
    struct dangles *next;
    struct id target, record;
    uint32_t field;
    uint64_t version;
    uint32_t index;
    bool done;
};

struct seen_by { /* the scope of a device: units, as of the last set that touched scopes */
    struct seen_by *next;
    struct id replica;
    struct id units[SIM_UNITS_MAX + 4];
    size_t count;
};

struct oracle {
    struct sim *sim;
    struct registry *r;
    struct arena *a;
    struct entry *log; /* [version - 1] */
    uint64_t count;
    struct kept *records;
    struct opened *cases;
    struct waits *waiting;
    struct dangles *dangling;
    struct seen_by *scopes;
    struct id self;
    struct id lineage; /* in which the next set is taken in */
    bool scopes_dirty;
};

/** Work out the whole log of the registry. */
void oracle_run(struct oracle *o, struct sim *s, struct arena *a);
/** Hold the registry's tables against it. */
void oracle_compare(struct oracle *o);

struct kept *oracle_record(const struct oracle *o, uint32_t kind, const struct id *id);
/** What it holds now; NULL: nothing, or removed. */
const struct field *kept_get(const struct kept *k, uint32_t number, struct span key);

/** When everything is quiet: every attachment's content (files.c). */
void files_check_all(struct oracle *o);

/* --- oracle_scope.c */

/** After a set that touched units or devices. */
void oracle_scopes(struct oracle *o);
bool oracle_in_scope(const struct oracle *o, const struct id *replica, const struct id *unit);
/** What the officer of a device may read now: enum reading. */
unsigned oracle_reading(const struct oracle *o, const struct id *replica);
/** Does a device receive this record? */
bool oracle_receives(const struct oracle *o, const struct id *replica, const struct kept *k);

#endif
