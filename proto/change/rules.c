/* Whether a record is valid and whether a change is allowed: the one place for both, on the device
 * at save and in the registry at apply. Knows the table of kinds; no database, no clock. */
#include "rules.h"

#include <inttypes.h>
#include <stdio.h>

#include "bounds.h"
#include "packed.h"
#include "rights.h"
#include "text.h"

struct checker {
    const struct kind *kind;
    const struct fields *record;
    enum rules_stage stage;
    const struct rules_lookup *lookup;
    struct ocop_error *err;
    const struct field *at; /* the field being checked, for its path in errors */
    struct field path;      /* stands for a field that is not there */
    char day[11];
};

static const char *sub_name(const struct checker *c, uint32_t number)
{
    const struct field_rule *list = kind_field(c->kind, c->at->number);
    const ProtobufCFieldDescriptor *d =
        list ? protobuf_c_message_descriptor_get_field(list->desc->descriptor, number) : NULL;
    return d ? d->name : "?";
}

/* An error that names the field: "findings[...].deadline_date". `sub` is 0 for a scalar. */
static enum ocop_status bad(struct checker *c, enum ocop_status status, uint32_t sub,
                            const char *text)
{
    char path[OCOP_ERROR_FIELD_MAX];
    field_path(c->kind, c->at, path, sizeof path);
    if (sub) {
        size_t used = strlen(path);
        snprintf(path + used, sizeof path - used, ".%s", sub_name(c, sub));
    }
    return err_field(c->err, status, path, "%s", text);
}

static enum ocop_status check_text(struct checker *c, const struct field_rule *r, uint32_t sub,
                                   struct span s)
{
    char text[96];
    if (s.len <= (size_t)r->hi && text_is_plain(s))
        return OCOP_OK;
    if (!text_is_utf8(s))
        return bad(c, OCOP_EINVAL, sub, "is not valid UTF-8");
    if (s.len > (size_t)r->hi) {
        snprintf(text, sizeof text, "is %zu bytes long, at most %" PRId64 " are allowed", s.len,
                 r->hi);
        return bad(c, OCOP_ELIMIT, sub, text);
    }
    if (!text_is_printable(s))
        return bad(c, OCOP_EINVAL, sub, "holds control characters");
    if (r->check == CHECK_TEXT && s.len && memchr(s.p, '\n', s.len))
        return bad(c, OCOP_EINVAL, sub, "must be one line");
    return OCOP_OK;
}

static enum ocop_status check_code(struct checker *c, const struct field_rule *r, uint32_t sub,
                                   struct span s)
{
    char text[160];
    enum ocop_status st = check_text(c, r, sub, s);
    if (st != OCOP_OK || !c->lookup || !c->lookup->code)
        return st;
    if (c->lookup->code(c->lookup->self, r->arg, s, c->day) != CODE_WRONG)
        return OCOP_OK;
    snprintf(text, sizeof text, "\"%.*s\" is not in code list %s on %s", (int)s.len,
             (const char *)s.p, r->arg, c->day);
    return bad(c, OCOP_EINVAL, sub, text);
}

static enum ocop_status check_bytes(struct checker *c, const struct field_rule *r, uint32_t sub,
                                    struct span s)
{
    size_t want = r->check == CHECK_REF ? ID_LEN : (size_t)r->hi;
    bool ranged = r->check == CHECK_BYTES && r->lo > 0;
    if (ranged ? s.len >= (size_t)r->lo && s.len <= want : s.len == want)
        return OCOP_OK;
    return bad(c, OCOP_EINVAL, sub,
               r->check == CHECK_REF ? "must be the id of a record" : "has the wrong length");
}

static enum ocop_status check_range(struct checker *c, const struct field_rule *r, uint32_t sub,
                                    int64_t v)
{
    char text[96];
    if (v >= r->lo && v <= r->hi)
        return OCOP_OK;
    snprintf(text, sizeof text, "is %" PRId64 ", allowed is %" PRId64 " to %" PRId64, v, r->lo,
             r->hi);
    return bad(c, OCOP_EINVAL, sub, text);
}

/* One value by its rule; `is_int` is what it came as. */
static enum ocop_status check_value(struct checker *c, const struct field_rule *r, uint32_t sub,
                                    bool is_int, int64_t i, struct span s)
{
    if (is_int != (r->check == CHECK_RANGE))
        return bad(c, OCOP_EINVAL, sub, "is of the wrong type");
    switch (r->check) {
    case CHECK_TEXT:
    case CHECK_NOTE:
        return check_text(c, r, sub, s);
    case CHECK_CODE:
        return check_code(c, r, sub, s);
    case CHECK_DATE:
        return text_is_date(s) ? OCOP_OK
                               : bad(c, OCOP_EINVAL, sub, "must be a date such as 2026-08-05");
    case CHECK_DECIMAL:
        if (!text_is_decimal(s))
            return bad(c, OCOP_EINVAL, sub, "must be a decimal number such as 5.25");
        return s.p && r->lo >= 0 && s.p[0] == '-' ? bad(c, OCOP_EINVAL, sub, "must not be negative")
                                                  : OCOP_OK;
    case CHECK_RANGE:
        return check_range(c, r, sub, i);
    case CHECK_REF:
    case CHECK_BYTES:
        return check_bytes(c, r, sub, s);
    case CHECK_NONE:
    case CHECK_LIST:
        break;
    }
    return OCOP_OK;
}

/* Walk the packed element once; what its rules do not name is carried unseen. */
static enum ocop_status check_element(struct checker *c, const struct field_rule *list)
{
    struct span s = c->at->bytes;
    uint64_t seen = 0;
    for (size_t at = 0; at < s.len;) {
        uint64_t tag, v;
        struct span bytes = {NULL, 0};
        if (!packed_varint(s, &at, &tag) || !packed_varint(s, &at, &v))
            return bad(c, OCOP_EINVAL, 0, "is not a well-formed element");
        if ((tag & 7) == 2) {
            if (v > s.len - at)
                return bad(c, OCOP_EINVAL, 0, "is not a well-formed element");
            bytes = span_of(s.p + at, (size_t)v);
            at += (size_t)v;
        } else if ((tag & 7) != 0) {
            return bad(c, OCOP_EINVAL, 0, "is not a well-formed element");
        }
        uint32_t number = (uint32_t)(tag >> 3);
        const struct field_rule *r = rule_item(list, number);
        if (!r)
            continue;
        enum ocop_status st = check_value(c, r, number, (tag & 7) == 0, (int64_t)v, bytes);
        if (st != OCOP_OK)
            return st;
        seen |= UINT64_C(1) << (number & 63);
    }
    for (const struct field_rule *r = list->items; r->number; r++)
        if ((r->flags & FIELD_REQUIRED) && !(seen >> r->number & 1) &&
            (r->number == 1 || c->stage == RULES_SUBMIT))
            return bad(c, OCOP_EINVAL, r->number, "is missing");
    return OCOP_OK;
}

static enum ocop_status check_field(struct checker *c, const struct field *f)
{
    const struct field_rule *r = kind_field(c->kind, f->number);
    c->at = f;
    if (!r || f->op == FIELD_CLEAR)
        return OCOP_OK; /* what this program does not know is judged by one that does */
    if (!rule_is_list(r)) {
        if (f->type == VALUE_ELEMENT)
            return bad(c, OCOP_EINVAL, 0, "is not a list");
        return check_value(c, r, 0, f->type == VALUE_INT, f->i, f->bytes);
    }
    if (f->type != VALUE_ELEMENT)
        return bad(c, OCOP_EINVAL, 0, "is a list");
    if (f->key.len == 0 || f->key.len > KEY_BYTES_MAX)
        return bad(c, OCOP_EINVAL, 1, "must be 1 to 64 bytes long");
    return check_element(c, r);
}

static const struct field *get(const struct fields *f, uint32_t number)
{
    const struct field *found = fields_find(f, number, span_of(NULL, 0));
    return found && found->op == FIELD_SET ? found : NULL;
}

/* A date, or the Vietnamese day of a moment; false when the value is neither. */
static bool day_of(const struct field *v, char *out)
{
    if (v->type == VALUE_INT) {
        text_day_of(v->i, out);
        return true;
    }
    if (v->bytes.len != 10)
        return false;
    memcpy(out, v->bytes.p, 10);
    out[10] = 0;
    return true;
}

static bool is_after(const struct field *first, const struct field *second)
{
    char a[11], b[11];
    if (first->type == VALUE_INT && second->type == VALUE_INT)
        return first->i > second->i;
    return day_of(first, a) && day_of(second, b) && strcmp(a, b) > 0;
}

static enum ocop_status check_order_of_elements(struct checker *c, const struct date_order *o)
{
    const struct field *of_record = o->within ? NULL : get(c->record, o->first);
    for (size_t i = 0; i < c->record->count; i++) {
        const struct field *e = &c->record->v[i];
        struct field first, second;
        if (e->number > o->list) /* they are sorted */
            break;
        if (e->number != o->list || e->op != FIELD_SET || e->type != VALUE_ELEMENT ||
            !element_get(e->bytes, o->second, &second))
            continue;
        const bool there = o->within ? element_get(e->bytes, o->first, &first) : of_record != NULL;
        if (!there || !is_after(o->within ? &first : of_record, &second))
            continue;
        c->at = e;
        return bad(c, OCOP_EINVAL, o->second, o->text);
    }
    return OCOP_OK;
}

static enum ocop_status check_orders(struct checker *c)
{
    enum ocop_status st = OCOP_OK;
    for (const struct date_order *o = c->kind->orders; st == OCOP_OK && o && o->first; o++) {
        const struct field *first = get(c->record, o->first), *second = get(c->record, o->second);
        if (o->list) {
            st = check_order_of_elements(c, o);
        } else if (first && second && is_after(first, second)) {
            c->at = second;
            st = bad(c, OCOP_EINVAL, 0, o->text);
        }
    }
    return st;
}

/* Required fields, and the length of lists. */
static enum ocop_status check_whole(struct checker *c)
{
    const struct field *v = get(c->record, FIELD_VOIDED);
    bool required = c->stage == RULES_SUBMIT && !(v && v->i);
    unsigned reading = c->lookup ? c->lookup->reading : 0;
    size_t at = 0;
    for (size_t i = 0; i < c->kind->field_count; i++) {
        const struct field_rule *r = &c->kind->fields[i];
        size_t count = 0;
        for (; at < c->record->count && c->record->v[at].number <= r->number; at++)
            count += c->record->v[at].number == r->number && c->record->v[at].op == FIELD_SET;
        bool long_list = rule_is_list(r) && count > (size_t)r->hi;
        bool missing = required && (r->flags & FIELD_REQUIRED) && count == 0 &&
                       (!reading || rights_field_readable(c->kind, r->number, reading));
        if (!long_list && (!missing || r->number == FIELD_ID))
            continue;
        c->path = (struct field){.number = r->number};
        c->at = &c->path;
        return long_list ? bad(c, OCOP_ELIMIT, 0, "has too many elements")
                         : bad(c, OCOP_EINVAL, 0, "is missing");
    }
    return OCOP_OK;
}

const char *rules_day(const struct kind *k, const struct fields *record, char *out)
{
    const struct field *day = k->day_field ? get(record, k->day_field) : NULL;
    if (day && day_of(day, out))
        return out;
    const struct field *recorded = get(record, FIELD_RECORDED_MS);
    return text_day_of(recorded ? recorded->i : 0, out);
}

enum ocop_status rules_check(const struct kind *k, const struct fields *record,
                             enum rules_stage stage, const struct rules_lookup *lookup,
                             struct ocop_error *err)
{
    struct checker c = {.kind = k, .record = record, .stage = stage, .lookup = lookup, .err = err};
    rules_day(k, record, c.day);
    for (size_t i = 0; i < record->count; i++) {
        enum ocop_status st = check_field(&c, &record->v[i]);
        if (st != OCOP_OK)
            return st;
    }
    enum ocop_status st = check_whole(&c);
    return st == OCOP_OK ? check_orders(&c) : st;
}

/* --- who may ---------------------------------------------------------------------------------- */

static enum ocop_status deny(const struct kind *k, const struct field *f, const char *text,
                             struct ocop_error *err)
{
    char path[OCOP_ERROR_FIELD_MAX] = "";
    if (f)
        field_path(k, f, path, sizeof path);
    return err_field(err, OCOP_EPERM, path, "%s", text);
}

static unsigned verb_roles(const struct rights *may, uint8_t verb)
{
    switch (verb) {
    case VERB_CREATE:
        return may->create;
    case VERB_AMEND:
        return may->amend;
    case VERB_ADD:
        return may->add;
    case VERB_VOID:
        return may->void_;
    default:
        return 0;
    }
}

static enum ocop_status permit_field(const struct kind *k, const struct change *c,
                                     const struct field *f, unsigned roles, bool office,
                                     struct ocop_error *err)
{
    const struct field_rule *r = kind_field(k, f->number);
    const struct field_rights *own = rights_of_field(k, f->number);
    bool void_field = f->number == FIELD_VOIDED || f->number == FIELD_VOID_REASON;
    if (void_field && c->verb != VERB_VOID && !(office && c->case_id.len))
        return deny(k, f, "is set by voiding only", err);
    if (!void_field && c->verb == VERB_VOID)
        return deny(k, f, "cannot be changed while voiding", err);
    if (!rights_field_readable(k, f->number, rights_reading(roles)))
        return deny(k, f, "is kept from this officer's roles", err);
    if (own && own->write && !(own->write & roles))
        return deny(k, f, "is not for this officer's roles to write", err);
    if (!r)
        return OCOP_OK;
    if (r->merge == MERGE_CENTRAL && !office)
        return deny(k, f, "is written by the registry only", err);
    if ((r->flags & FIELD_BOUND) && c->verb != VERB_CREATE)
        return deny(k, f,
                    "an attachment stays with its record and lies where that lies; if the record "
                    "has moved, load it anew",
                    err);
    if ((r->flags & FIELD_SEALED) && c->verb != VERB_CREATE)
        return deny(k, f, "stays as it was recorded; void the record and record it anew", err);
    if ((r->flags & FIELD_FIXED) && c->verb != VERB_CREATE && !office)
        return deny(k, f, "cannot be changed after submission", err);
    if (c->verb == VERB_ADD && (!(r->flags & FIELD_OPEN) || f->op != FIELD_SET))
        return deny(k, f, "is not a list that is open to additions", err);
    return OCOP_OK;
}

enum ocop_status rules_permit(const struct kind *k, const struct change *c, unsigned roles,
                              bool own, struct ocop_error *err)
{
    bool office = roles & (ROLE_REGISTRAR | ROLE_ADMINISTRATOR | ROLE_REGISTRY | ROLE_RECONCILER);
    bool field_record = k->number == KIND_INSPECTION || k->number == KIND_SAMPLE ||
                        k->number == KIND_ENVIRONMENTAL_CHECK || k->number == KIND_ATTACHMENT;
    char text[160];
    if (c->case_id.len && !(rights_of(k)->resolve & roles))
        return deny(k, NULL, "only central staff may resolve a case", err);
    if (!(verb_roles(rights_of(k), c->verb) & roles)) {
        snprintf(text, sizeof text, "this officer's roles do not allow this on a record of kind %s",
                 k->name);
        return deny(k, NULL, text, err);
    }
    if (field_record && !own && !office && (c->verb == VERB_AMEND || c->verb == VERB_VOID))
        return deny(k, NULL, "only the officer who recorded it, or central staff, may do this",
                    err);
    const struct field *voided = get(&c->fields, FIELD_VOIDED);
    if (c->verb == VERB_VOID && !(voided && voided->i == 1))
        return deny(k, voided, "voiding sets it, and nothing else", err);
    for (size_t i = 0; i < c->fields.count; i++) {
        enum ocop_status st = permit_field(k, c, &c->fields.v[i], roles, office, err);
        if (st != OCOP_OK)
            return st;
    }
    return OCOP_OK;
}

/* --- days ----------------------------------------------------------------------------------------
 */

bool day_within(struct span from, struct span to, const char *day)
{
    return !(from.len && span_cmp(span_str(day), from) < 0) &&
           !(to.len && span_cmp(span_str(day), to) > 0);
}

static struct span date_in(struct span element, uint32_t number)
{
    struct field f;
    return element_get(element, number, &f) ? f.bytes : span_of(NULL, 0);
}

bool element_in_force(struct span element, uint32_t from, uint32_t to, const char *day)
{
    return day_within(date_in(element, from), date_in(element, to), day);
}

unsigned role_on(struct span element, const char *day)
{
    enum { ROLE = 1, ROLE_FROM, ROLE_TO };
    struct field role;
    return element_in_force(element, ROLE_FROM, ROLE_TO, day) && element_get(element, ROLE, &role)
               ? role_by_name(role.bytes)
               : 0;
}
