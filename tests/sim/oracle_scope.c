/* Who receives what, from design section 8: the units of a scope with all that is below them, all
 * that took them over, and what all of these took over; of the units themselves, those of the same
 * provinces; officers, code lists and checklists go to everyone. */
#include "oracle.h"
#include "rights.h"

enum { UNIT_LEVEL = 12, UNIT_PARENT = 13, UNIT_SUCCESSORS = 16, SCOPE_UNITS = 15, STATE = 16 };

static bool ref(const struct kept *k, uint32_t number, struct id *out)
{
    const struct field *f = kept_get(k, number, span_of(NULL, 0));
    return f && id_from(f->bytes, out);
}

static bool has(const struct seen_by *s, const struct id *unit)
{
    for (size_t i = 0; i < s->count; i++)
        if (id_eq(&s->units[i], unit))
            return true;
    return false;
}

static void enter(struct seen_by *s, const struct id *unit)
{
    CHECK(s->count < sizeof s->units / sizeof *s->units);
    s->units[s->count++] = *unit;
}

/* Add what one more look at all units finds; false when nothing was added. */
static bool spread(const struct oracle *o, struct seen_by *s)
{
    size_t before = s->count;
    for (const struct kept *k = o->records; k; k = k->next) {
        struct id parent;
        if (k->kind != KIND_UNIT)
            continue;
        bool in = ref(k, UNIT_PARENT, &parent) && has(s, &parent);
        for (const struct kept *old = o->records; old && !in; old = old->next)
            in = old->kind == KIND_UNIT && has(s, &old->id) &&
                 kept_get(old, UNIT_SUCCESSORS, id_span(&k->id));
        if (in && !has(s, &k->id))
            enter(s, &k->id);
    }
    return s->count > before;
}

/* Then what these took over, "since its records are of the same places; but not what else became of
 * that". */
static bool spread_back(const struct oracle *o, struct seen_by *s)
{
    size_t before = s->count;
    for (const struct kept *old = o->records; old; old = old->next) {
        bool in = false;
        for (size_t i = 0; old->kind == KIND_UNIT && i < s->count && !in; i++)
            in = kept_get(old, UNIT_SUCCESSORS, id_span(&s->units[i]));
        if (in && !has(s, &old->id))
            enter(s, &old->id);
    }
    return s->count > before;
}

void oracle_scopes(struct oracle *o)
{
    o->scopes = NULL;
    for (const struct kept *k = o->records; k; k = k->next) {
        const struct field *type = kept_get(k, 10, span_of(NULL, 0));
        const struct field *state = kept_get(k, STATE, span_of(NULL, 0));
        if (k->kind != KIND_REPLICA || !type || !span_eq(type->bytes, span_str("device")))
            continue;
        struct seen_by *s = arena_calloc(o->a, 1, sizeof *s);
        CHECK(s);
        s->replica = k->id;
        s->next = o->scopes;
        o->scopes = s;
        if (!state || !(span_eq(state->bytes, span_str("active")) ||
                        span_eq(state->bytes, span_str("suspended")) ||
                        span_eq(state->bytes, span_str("wipe"))))
            continue; /* one that waits keeps its scope, one that is to be wiped sends first */
        for (const struct path *p = k->paths; p; p = p->next) {
            struct id unit;
            if (p->number == SCOPE_UNITS && p->now->value.op == FIELD_SET &&
                id_from(p->key, &unit) && oracle_record(o, KIND_UNIT, &unit))
                s->units[s->count++] = unit;
        }
        while (spread(o, s))
            ;
        while (spread_back(o, s))
            ;
    }
}

static const struct seen_by *scope_of(const struct oracle *o, const struct id *replica)
{
    const struct seen_by *s = o->scopes;
    while (s && !id_eq(&s->replica, replica))
        s = s->next;
    return s;
}

bool oracle_in_scope(const struct oracle *o, const struct id *replica, const struct id *unit)
{
    const struct seen_by *s = scope_of(o, replica);
    return s && has(s, unit);
}

static struct id province_of(const struct oracle *o, struct id unit)
{
    for (unsigned depth = 0; depth < 8; depth++) {
        const struct kept *k = oracle_record(o, KIND_UNIT, &unit);
        struct id parent;
        if (!k || !ref(k, UNIT_PARENT, &parent) || !oracle_record(o, KIND_UNIT, &parent))
            break;
        unit = parent;
    }
    return unit;
}

bool oracle_receives(const struct oracle *o, const struct id *replica, const struct kept *k)
{
    const struct kind *kind = kind_by_number(k->kind);
    const struct seen_by *s = scope_of(o, replica);
    struct id unit;
    if (!s || (kind && kind->local_only) || !rights_kind_readable(kind, oracle_reading(o, replica)))
        return false;
    if (k->kind == KIND_UNIT) {
        struct id province = province_of(o, k->id);
        for (size_t i = 0; i < s->count; i++) {
            struct id mine = province_of(o, s->units[i]);
            if (id_eq(&mine, &province))
                return true;
        }
        return false;
    }
    if (kind && kind->reference)
        return true;
    return ref(k, FIELD_UNIT, &unit) && has(s, &unit);
}
