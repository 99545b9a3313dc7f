/* A change and its parts, in memory. Everything here borrows from an arena. */
#ifndef CHANGE_CHANGE_H
#define CHANGE_CHANGE_H

#include "arena.h"
#include "buf.h"
#include "err.h"
#include "kinds.h"

enum verb {
    VERB_CREATE = 1,
    VERB_AMEND = 2,
    VERB_ADD = 3,
    VERB_VOID = 4,
    /* Only in replies: what the registry holds. */
    VERB_STATE = 16, /* the whole record */
    VERB_DELTA = 17, /* the fields that changed */
    VERB_STUB = 18   /* only what names a record outside the scope */
};

enum value_type { VALUE_INT = 1, VALUE_BYTES = 2, VALUE_ELEMENT = 3 };
enum field_op { FIELD_SET = 1, FIELD_CLEAR = 2 };

/* One field, or one element of a list. The path (number, key) names it; fields of a record or a
 * change stand in the order of their paths and no path stands twice. */
struct field {
    uint32_t number;
    uint8_t op;        /* enum field_op; in a record's state FIELD_CLEAR marks a removed element */
    uint8_t type;      /* enum value_type */
    struct span key;   /* element's key; len 0 for a scalar */
    int64_t i;         /* VALUE_INT; bool as 0 or 1 */
    struct span bytes; /* VALUE_BYTES: text or bytes. VALUE_ELEMENT: packed, key included */
    uint64_t base;     /* in a change: the version it was based on. In a state: last changed at */
};

struct fields {
    struct field *v;
    size_t count;
};

struct change {
    uint32_t kind;
    uint8_t verb; /* enum verb */
    struct id record;
    struct id author; /* the officer */
    int64_t device_time_ms;
    struct span reason;
    struct span case_id; /* 16 bytes when the change resolves a case, else len 0 */
    uint64_t base;       /* the base most of its fields share; fields carry their own */
    struct fields fields;
};

/** Compare paths. */
int field_cmp(const struct field *a, const struct field *b);

/** Find a path; NULL if not there. */
struct field *fields_find(const struct fields *f, uint32_t number, struct span key);

/** Sort by path; false when one stands twice. */
bool fields_sort(struct fields *f);

/** Equal values; text after NFC, elements field by field likewise. Both sides of one path. */
bool field_value_equal(const struct field *a, const struct field *b);

/* --- packed protobuf <-> fields (record.c) ------------------------------------------------ */

/** Read one message of a kind (NULL kind: all fields by wire type) into fields sorted by path.
 *  Unknown fields are kept with their wire type. Field 1 (id) is not among the fields; it goes to
 *  *id. Repeated fields unknown to `k` are refused unless equal numbers differ in key.
 *  @return OCOP_EPROTO when malformed, OCOP_ELIMIT beyond limits, OCOP_ENOMEM. */
OCOP_MUST_USE enum ocop_status record_unpack(const struct kind *k, struct span packed,
                                             struct arena *a, struct id *id, struct fields *out,
                                             struct ocop_error *err);

/** Write fields (FIELD_CLEAR ones left out) and the id as one canonical message. */
OCOP_MUST_USE enum ocop_status record_pack(const struct id *id, const struct fields *f,
                                           struct buf *out, struct ocop_error *err);

/** Key of a packed element: its field 1. Len 0 when it has none. */
struct span element_key(struct span packed);

/** One field of a packed element; false when not there. For integers .i, for bytes .bytes. */
bool element_get(struct span packed, uint32_t number, struct field *out);

/** What turns `from` into `to`: FIELD_SET and FIELD_CLEAR by path, values borrowed from `to`.
 *  Each gets `base`. */
OCOP_MUST_USE enum ocop_status fields_diff(const struct fields *from, const struct fields *to,
                                           uint64_t base, struct arena *a, struct fields *out,
                                           struct ocop_error *err);

/** Put `change` over `state`: result sorted; a cleared path is left out (or kept as FIELD_CLEAR
 *  marker when `markers`). The base of a changed path becomes `version`. */
OCOP_MUST_USE enum ocop_status fields_apply(const struct fields *state, const struct fields *change,
                                            uint64_t version, bool markers, struct arena *a,
                                            struct fields *out, struct ocop_error *err);

/* --- one change row-wise (ChangeRow of sync.proto) ------------------------------------------ */

OCOP_MUST_USE enum ocop_status change_pack(const struct change *c, struct buf *out,
                                           struct ocop_error *err);
OCOP_MUST_USE enum ocop_status change_unpack(struct span packed, struct arena *a,
                                             struct change *out, struct ocop_error *err);

/** "conclusion", "answers[NC.1]", "findings[0197...]" for errors, cases and the console. */
const char *field_path(const struct kind *k, const struct field *f, char *out, size_t room);

#endif
