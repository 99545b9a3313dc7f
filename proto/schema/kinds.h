/* The kinds: which message, which table, and the rules of each field. One line per field. */
#ifndef SCHEMA_KINDS_H
#define SCHEMA_KINDS_H

#include <protobuf-c/protobuf-c.h>

#include "id.h"

enum { SCHEMA_VERSION = 1, EPOCH = 1 };

enum kind_number {
    KIND_UNIT = 1,
    KIND_OFFICER,
    KIND_PRODUCER,
    KIND_PRODUCT,
    KIND_CERTIFICATE,
    KIND_CHECKLIST,
    KIND_CODE_LIST,
    KIND_INSPECTION,
    KIND_SAMPLE,
    KIND_ENVIRONMENTAL_CHECK,
    KIND_REPLICA,
    KIND_REGISTRY,
    KIND_ATTACHMENT,
    KIND_COUNT_PLUS_1
};

/* Fields that every kind has. */
enum common_field {
    FIELD_ID = 1,
    FIELD_UNIT = 2,
    FIELD_OFFICER = 3,
    FIELD_RECORDED_MS = 4,
    FIELD_RULE_SET = 5,
    FIELD_VOIDED = 6,
    FIELD_VOID_REASON = 7,
    FIELD_KIND_FIRST = 10
};

/* Of an attachment, whose content is looked for by them. */
enum attachment_field {
    ATTACHMENT_RECORD = 10,
    ATTACHMENT_ROLE,
    ATTACHMENT_CAPTION,
    ATTACHMENT_TAKEN_MS,
    ATTACHMENT_LAT_E6,
    ATTACHMENT_LON_E6,
    ATTACHMENT_MEDIA_TYPE,
    ATTACHMENT_SIZE,
    ATTACHMENT_HASH,
    ATTACHMENT_FILE_NAME,
    ATTACHMENT_ORIGINAL_HASH,
    ATTACHMENT_REMOVED_MS = 30,
    ATTACHMENT_REMOVED_BY,
    ATTACHMENT_REMOVED_REASON,
    ATTACHMENT_HOLD_REASON
};

enum merge_rule { MERGE_HOLD, MERGE_LAST, MERGE_UNION, MERGE_CENTRAL };

enum field_check {
    CHECK_NONE,
    CHECK_TEXT, /* one line, at most hi bytes */
    CHECK_NOTE, /* several lines, at most hi bytes */
    CHECK_CODE, /* a code of list `arg`, in effect on the record's day */
    CHECK_DATE,
    CHECK_DECIMAL, /* not negative unless lo < 0 */
    CHECK_RANGE,   /* lo..hi */
    CHECK_REF,     /* id of a record of kind lo (0: any) */
    CHECK_BYTES,   /* exactly hi bytes or, where lo is not 0, from lo to hi */
    CHECK_LIST     /* elements as of `items`, at most hi */
};

enum field_flag {
    FIELD_REQUIRED = 1, /* at submit */
    FIELD_OPEN = 2,     /* a list that others add to (verb add) */
    FIELD_NATURAL = 4,  /* natural key: a collision is a case */
    FIELD_SEARCH = 8,   /* its text is found by free text */
    FIELD_LABEL = 16,   /* names the record where one line must do */
    FIELD_PAPER = 32,   /* paper number, given by the library at submission */
    FIELD_FIXED = 64,   /* never amended, but by the office */
    FIELD_SEALED = 128, /* nor by the office: what was recorded, by whom and when */
    FIELD_BOUND = 256   /* likewise: it goes where its record goes */
};

struct field_rule {
    uint32_t number;
    enum merge_rule merge;
    unsigned flags;
    enum field_check check;
    int64_t lo, hi;
    const char *arg;                      /* code list; paper number's prefix when FIELD_PAPER */
    const struct field_rule *items;       /* rules of a list's elements, ends with number 0 */
    const ProtobufCFieldDescriptor *desc; /* filled in by kinds_init; NULL in element rules */
};

/* `first` must not be after `second`, compared as dates, or as moments where both are. */
struct date_order {
    uint32_t
        list; /* 0: both are fields of the record; else `second` is one of this list's elements */
    bool within; /* `first` is one of the same element, not of the record */
    uint32_t first, second;
    const char *text;
};

/* A role's bit, see roles below. */
enum role {
    ROLE_INSPECTOR = 1,
    ROLE_SAMPLER = 2,
    ROLE_LABORATORY = 4,
    ROLE_ENVIRONMENT = 8,
    ROLE_EVALUATOR = 16,
    ROLE_RECONCILER = 32,
    ROLE_REGISTRAR = 64,
    ROLE_VIEWER = 128,
    ROLE_ADMINISTRATOR = 256,
    ROLE_REGISTRY = 512 /* the registry itself and its imports */
};

struct kind {
    uint32_t number;
    const char *name;  /* "inspection" */
    const char *table; /* the same as the name */
    const char *title_vi;
    const ProtobufCMessageDescriptor *desc;
    struct field_rule *fields; /* by number, ends with number 0; common ones included */
    size_t field_count;
    const struct date_order *orders;  /* ends with first == 0 */
    bool reference;                   /* no unit: goes to every device it applies to */
    bool local_only;                  /* never leaves the registry (replica) */
    uint32_t day_field;               /* the date by which rules are chosen; 0: recorded_ms */
    uint64_t guarded;                 /* fields with rights of their own (rights.h), by number */
    struct field_rule *by_number[64]; /* NULL where there is none */
};

/** NULL when unknown. Thread-safe after kinds_init. */
const struct kind *kind_by_number(uint32_t number);
const struct kind *kind_by_name(const char *name);
const struct kind *kind_by_descriptor(const ProtobufCMessageDescriptor *desc);

/** The i-th kind, 0 to count-1. */
const struct kind *kind_at(size_t i);
size_t kind_count(void);

/** Ties rules to descriptors; CHECKs that they match. Idempotent; call once before threads. */
void kinds_init(void);

/** NULL when unknown to this program. */
static inline const struct field_rule *kind_field(const struct kind *k, uint32_t number)
{
    return number < 64 ? k->by_number[number] : NULL;
}
/** May something be attached to a record of this kind? NULL, a kind that is unknown: no. Such an
 *  attachment lies where its record lies. */
static inline bool kind_attachable(const struct kind *k)
{
    return k && !k->reference && !k->local_only && k->number != KIND_ATTACHMENT;
}
/** Does the field follow from another record, so that its value is nobody's work? */
static inline bool field_follows(uint32_t kind, uint32_t number)
{
    return kind == KIND_ATTACHMENT && number == FIELD_UNIT;
}
const struct field_rule *kind_field_by_name(const struct kind *k, const char *name);
const struct field_rule *rule_item(const struct field_rule *list, uint32_t number);
static inline bool rule_is_list(const struct field_rule *r)
{
    return r->check == CHECK_LIST;
}
static inline bool rule_is_int(const struct field_rule *r)
{
    return r->desc->type == PROTOBUF_C_TYPE_INT32 || r->desc->type == PROTOBUF_C_TYPE_INT64 ||
           r->desc->type == PROTOBUF_C_TYPE_BOOL;
}

/** Role by name ("inspector"), 0 when unknown; and the name of one role. */
unsigned role_by_name(struct span name);
const char *role_name(unsigned role);

#endif
