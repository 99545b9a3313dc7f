/* The rules as this device can ask them: its code lists, the roles of its officer, the records it
 * has. Knows no outbox and no network. */
#include "packed.h"
#include "record_api.h"
#include "references.h"
#include "rights.h"
#include "sync.h"

enum { FIELD_LIST_CODE = 10, FIELD_LIST_ITEMS = 12, FIELD_ROLES = 15 };
enum { ITEM_FROM = 3, ITEM_TO = 4 };

/* --- code lists ------------------------------------------------------------------------------ */

void device_codes_forget(struct ocop_store *s)
{
    arena_reset(&s->codes.arena);
    s->codes.v = NULL;
    s->codes.count = 0;
    s->codes.loaded = false;
}

/* The elements of list `number`: they stand together. */
static struct fields elements(const struct fields *f, uint32_t number)
{
    struct fields out = {NULL, 0};

    for (size_t i = 0; i < f->count; i++) {
        if (f->v[i].number != number || f->v[i].type != VALUE_ELEMENT)
            continue;
        if (!out.v)
            out.v = &f->v[i];
        out.count++;
    }
    return out;
}

static enum ocop_status roles_load(struct ocop_store *s, struct ocop_error *err)
{
    struct codes *c = &s->codes;
    struct fields f;
    uint64_t version;
    enum ocop_status st = store_record_exists(s, KIND_OFFICER, &s->me.officer, &c->officer, err);

    if (!st && c->officer)
        st = store_record(s, KIND_OFFICER, &s->me.officer, &c->arena, &f, &version, err);
    c->roles = !st && c->officer ? elements(&f, FIELD_ROLES) : (struct fields){NULL, 0};
    return st;
}

static enum ocop_status codes_load(struct ocop_store *s, struct ocop_error *err)
{
    struct codes *c = &s->codes;
    struct id *ids = NULL;
    size_t count = 0;
    enum ocop_status st;

    if (c->loaded)
        return OCOP_OK;
    device_codes_forget(s);
    st = store_record_ids(s, KIND_CODE_LIST, NULL, &c->arena, &ids, &count, err);
    if (!st && !(c->v = arena_calloc(&c->arena, count + 1, sizeof *c->v)))
        st = err_nomem(err);
    for (size_t i = 0; !st && i < count; i++) {
        struct fields f;
        struct field *code;
        uint64_t version;
        st = store_record(s, KIND_CODE_LIST, &ids[i], &c->arena, &f, &version, err);
        if (st)
            break;
        code = fields_find(&f, FIELD_LIST_CODE, span_of(NULL, 0));
        if (!code)
            continue;
        c->v[c->count].code = code->bytes;
        c->v[c->count++].items = elements(&f, FIELD_LIST_ITEMS);
    }
    if (!st)
        st = roles_load(s, err);
    if (st)
        device_codes_forget(s);
    else
        c->loaded = true;
    return st;
}

static enum code_answer code_known(void *self, const char *list, struct span code, const char *day)
{
    const struct codes *c = self;
    enum code_answer answer = CODE_UNKNOWN_LIST;

    for (size_t i = 0; i < c->count; i++) {
        const struct field *item;
        if (!span_eq(c->v[i].code, span_str(list)))
            continue;
        answer = CODE_WRONG;
        item = fields_find(&c->v[i].items, FIELD_LIST_ITEMS, code);
        if (item && element_in_force(item->bytes, ITEM_FROM, ITEM_TO, day))
            return CODE_OK;
    }
    return answer;
}

enum ocop_status device_rules(struct ocop_store *s, const struct record *r, enum rules_stage stage,
                              struct ocop_error *err)
{
    struct rules_lookup lookup = {.code = code_known, .self = &s->codes};
    unsigned roles;
    bool told;
    enum ocop_status st = device_roles(s, &roles, err);

    if (st)
        return st;
    lookup.reading = rights_reading(roles);
    if (roles != ~0u)
        st = reply_reading(s, &s->arena, &told, &lookup.reading, err);
    if (st)
        return st;
    return rules_check(r->k, &r->f, stage, &lookup, err);
}

/* --- roles ----------------------------------------------------------------------------------- */

enum ocop_status device_roles(struct ocop_store *s, unsigned *out, struct ocop_error *err)
{
    enum { ROLE = 1 };
    const struct codes *c = &s->codes;
    struct field role;
    enum ocop_status st = codes_load(s, err);

    *out = ~0u;
    if (st || !c->officer)
        return st;
    *out = 0;
    for (size_t i = 0; i < c->roles.count; i++)
        *out |= element_get(c->roles.v[i].bytes, ROLE, &role) ? role_by_name(role.bytes) : 0;
    return OCOP_OK;
}

enum ocop_status device_permit(struct ocop_store *s, const struct kind *k, const struct change *c,
                               struct span maker, struct ocop_error *err)
{
    unsigned roles;
    bool own = c->verb == VERB_CREATE || span_eq(maker, id_span(&s->me.officer));
    enum ocop_status st = device_roles(s, &roles, err);

    if (st || roles == ~0u)
        return st;
    return rules_permit(k, c, roles, own, err);
}

/* --- sizes ----------------------------------------------------------------------------------- */

static size_t values_size(const struct fields *f)
{
    size_t bytes = 0;

    for (size_t i = 0; i < f->count; i++)
        bytes += f->v[i].op == FIELD_SET ? f->v[i].bytes.len : 0;
    return bytes;
}

/* Others may have added to the record too: the change is held against its own limit, and what
 * becomes of the record against what the registry would refuse. That it is too large already, with
 * what waits, says nothing against a change that adds nothing to it. */
enum ocop_status device_size(const struct change *c, const struct fields *before,
                             const struct fields *after, struct ocop_error *err)
{
    size_t says = 0;
    const size_t had = values_size(before), has = values_size(after);

    for (size_t i = 0; i < c->fields.count; i++)
        says += c->fields.v[i].op == FIELD_SET ? packed_size(&c->fields.v[i]) : 0;
    if (says > RECORD_BYTES_MAX)
        return err_set(err, OCOP_ELIMIT,
                       c->verb == VERB_CREATE
                           ? "the record has %zu bytes, the limit is %zu; shorten it"
                           : "the change has %zu bytes, the limit is %zu; make several",
                       says, RECORD_BYTES_MAX);
    if (c->verb == VERB_VOID)
        return OCOP_OK;
    if ((has > STATE_BYTES_MAX - STATE_SPARE && has > had) ||
        (after->count > FIELDS_MAX - FIELDS_SPARE && after->count > before->count))
        return err_set(err, OCOP_ELIMIT, "the record would become too large; shorten it");
    return OCOP_OK;
}

/* --- references ------------------------------------------------------------------------------ */

static enum ocop_status refers(struct ocop_store *s, const struct reference_walk *w,
                               struct ocop_error *err)
{
    char path[OCOP_ERROR_FIELD_MAX];
    bool there = false;
    enum ocop_status st = OCOP_OK;

    if (w->rule->lo != 0) {
        st = store_record_exists(s, (uint32_t)w->rule->lo, &w->target, &there, err);
    } else {
        uint32_t kind = 0;
        st = store_record_kind(s, &w->target, &kind, err);
        there = kind != 0;
    }
    if (!st && !there)
        st = store_stub_exists(s, &w->target, &there, err);
    if (st || there)
        return st;
    reference_path(w, path, sizeof path);
    return err_field(err, OCOP_EINVAL, path,
                     "%s names a record that is not on this device; choose one that is, or sync "
                     "first",
                     path);
}

enum ocop_status device_references(struct ocop_store *s, const struct kind *k,
                                   const struct change *c, struct ocop_error *err)
{
    struct reference_walk w = {.kind = k, .fields = &c->fields};
    enum ocop_status st = OCOP_OK;

    while (s->me.synced && !st && reference_next(&w))
        if (w.rule->lo != KIND_OFFICER || !id_eq(&w.target, &s->me.officer))
            st = refers(s, &w, err);
    return st;
}
