/* Which administrative units this device may write in: those of its scope with all that lies below
 * them and all that took over from them, and what these took over, as the registry reckons it
 * (docs/decisions/0009). A record of another
 * unit is refused when it is saved, not a week later when it is sent. Knows no SQL. */
#include <stdlib.h>

#include "record_api.h"

enum { UNIT_CODE = 10, UNIT_NAME = 11, UNIT_LEVEL = 12, UNIT_PARENT = 13, UNIT_SUCCESSORS = 16 };
enum { NAMED_MAX = 3 };

struct unit {
    struct id id, parent;
    struct fields record;
    bool in;
};

static int unit_cmp(const void *a, const void *b)
{
    return memcmp(a, b, ID_LEN); /* the id comes first */
}

static struct unit *unit_find(struct unit *v, size_t count, const struct id *id)
{
    return count ? bsearch(id, v, count, sizeof *v, unit_cmp) : NULL;
}

static struct span text_of(const struct fields *f, uint32_t number)
{
    const struct field *v = fields_find(f, number, span_of(NULL, 0));

    return v && v->op == FIELD_SET && v->type == VALUE_BYTES ? v->bytes : span_of(NULL, 0);
}

/* All units that this device has, by id. */
static enum ocop_status units_load(struct ocop_store *s, struct arena *a, struct unit **out,
                                   size_t *count, struct ocop_error *err)
{
    struct id *ids = NULL;
    uint64_t version;
    enum ocop_status st = store_record_ids(s, KIND_UNIT, NULL, a, &ids, count, err);

    if (!st && !(*out = arena_calloc(a, *count + 1, sizeof **out)))
        st = err_nomem(err);
    for (size_t i = 0; !st && i < *count; i++) {
        struct unit *u = &(*out)[i];
        u->id = ids[i];
        st = store_record(s, KIND_UNIT, &u->id, a, &u->record, &version, err);
        if (!st)
            (void)id_from(text_of(&u->record, UNIT_PARENT), &u->parent);
    }
    if (!st && *count)
        qsort(*out, *count, sizeof **out, unit_cmp);
    return st;
}

static bool enter(struct unit *u)
{
    bool entered = u && !u->in;

    if (entered)
        u->in = true;
    return entered;
}

/* The next successor of `u` that is here, from its field *at on; NULL when there is none left. */
static struct unit *successor(struct unit *v, size_t count, const struct unit *u, size_t *at)
{
    struct unit *next = NULL;
    struct id id;

    while (!next && *at < u->record.count) {
        const struct field *e = &u->record.v[(*at)++];
        if (e->number == UNIT_SUCCESSORS && e->op == FIELD_SET && id_from(e->key, &id))
            next = unit_find(v, count, &id);
    }
    return next;
}

/* One round: what lies below a unit that is in, or took over from it, is in too. */
static bool spread(struct unit *v, size_t count)
{
    struct unit *next;
    bool more = false;

    for (size_t i = 0; i < count; i++) {
        const struct unit *parent = unit_find(v, count, &v[i].parent);
        size_t at = 0;
        if (parent && parent->in)
            more = enter(&v[i]) || more;
        while (v[i].in && (next = successor(v, count, &v[i], &at)) != NULL)
            more = enter(next) || more;
    }
    return more;
}

/* One round back in time: what a unit that is in took over is in too. */
static bool spread_back(struct unit *v, size_t count)
{
    const struct unit *next;
    bool more = false;

    for (size_t i = 0; i < count; i++) {
        size_t at = 0;
        while (!v[i].in && (next = successor(v, count, &v[i], &at)) != NULL)
            more = (next->in && enter(&v[i])) || more;
    }
    return more;
}

void device_scope_forget(struct ocop_store *s)
{
    arena_reset(&s->reach.arena);
    s->reach.units = NULL;
    s->reach.count = 0;
    s->reach.loaded = s->reach.everywhere = false;
}

static enum ocop_status reach_load(struct ocop_store *s, struct ocop_error *err)
{
    struct reach *r = &s->reach;
    struct arena a; /* a whole country's units are more than a save has room for */
    struct unit *v = NULL;
    size_t count = 0;
    enum ocop_status st;

    if (r->loaded)
        return OCOP_OK;
    device_scope_forget(s);
    arena_init(&a, ARENA_REQUEST_MAX);
    st = units_load(s, &a, &v, &count, err);
    if (!st && !(r->units = arena_calloc(&r->arena, count + SCOPE_UNITS_MAX, sizeof *r->units)))
        st = err_nomem(err);
    if (st)
        goto out;
    for (size_t i = 0; i < s->me.scope_count; i++) {
        struct unit *u = unit_find(v, count, &s->me.scope[i]);
        if (!enter(u)) /* its record is not here */
            r->units[r->count++] = s->me.scope[i];
        r->everywhere =
            r->everywhere || (u && span_eq(text_of(&u->record, UNIT_LEVEL), span_str("country")));
    }
    while (spread(v, count))
        ;
    while (spread_back(v, count))
        ;
    for (size_t i = 0; i < count; i++)
        if (v[i].in)
            r->units[r->count++] = v[i].id;
    if (r->count)
        qsort(r->units, r->count, sizeof *r->units, unit_cmp);
    r->loaded = true;
out:
    arena_fini(&a);
    return st;
}

/* "Xã Đắk Mil (24670)", or the id of a unit that is not here. */
static enum ocop_status put_unit(struct ocop_store *s, const struct id *id, struct buf *out,
                                 struct ocop_error *err)
{
    struct fields f = {NULL, 0};
    struct span name, code;
    uint64_t version;
    bool there;
    char text[ID_TEXT_LEN + 1];
    enum ocop_status st = store_record_exists(s, KIND_UNIT, id, &there, err);

    if (!st && there)
        st = store_record(s, KIND_UNIT, id, &s->arena, &f, &version, err);
    name = text_of(&f, UNIT_NAME);
    code = text_of(&f, UNIT_CODE);
    if (name.len)
        buf_printf(out, "%.*s (%.*s)", (int)name.len, (const char *)name.p, (int)code.len,
                   (const char *)code.p);
    else
        buf_str(out, id_text(*id, text));
    return st;
}

static enum ocop_status refuse(struct ocop_store *s, const struct id *unit, struct ocop_error *err)
{
    struct buf b;
    enum ocop_status st;

    buf_init(&b, KIB(8));
    st = put_unit(s, unit, &b, err);
    buf_str(&b, " lies outside the units of this device: ");
    for (size_t i = 0; !st && i < s->me.scope_count && i < NAMED_MAX; i++) {
        buf_str(&b, i ? ", " : "");
        st = put_unit(s, &s->me.scope[i], &b, err);
    }
    if (!st && s->me.scope_count > NAMED_MAX)
        buf_printf(&b, " and %zu more", s->me.scope_count - NAMED_MAX);
    if (!st)
        st = b.failed ? err_nomem(err) : err_field(err, OCOP_EPERM, "unit_id", "%s", buf_cstr(&b));
    buf_fini(&b);
    return st;
}

static bool assigned(const struct ocop_store *s, const struct id *id)
{
    for (size_t i = 0; i < s->me.assigned_count; i++)
        if (id_eq(&s->me.assigned[i], id))
            return true;
    return false;
}

/* @param stays where the record may lie besides; zero: nowhere */
static enum ocop_status check_unit(struct ocop_store *s, const struct fields *record,
                                   const struct id *stays, struct ocop_error *err)
{
    struct id unit;

    if (!id_from(text_of(record, FIELD_UNIT), &unit) || id_eq(&unit, stays))
        return OCOP_OK;
    if (s->reach.count &&
        bsearch(&unit, s->reach.units, s->reach.count, sizeof unit, unit_cmp) != NULL)
        return OCOP_OK;
    return refuse(s, &unit, err);
}

enum ocop_status device_scope(struct ocop_store *s, const struct kind *k, const struct id *id,
                              const struct fields *before, const struct fields *after,
                              struct ocop_error *err)
{
    struct id stays = {{0}};
    enum ocop_status st;

    if (!s->me.synced || k->reference)
        return OCOP_OK;
    st = reach_load(s, err);
    if (st || s->reach.everywhere)
        return st;
    if (assigned(s, id))
        (void)id_from(text_of(before, FIELD_UNIT), &stays);
    st = check_unit(s, before, &stays, err);
    return st ? st : check_unit(s, after, &stays, err);
}
