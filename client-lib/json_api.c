/* Records as JSON and as "field=value", for the command line and the binding. Knows no database. */
#include <stdlib.h>

#include "json.h"
#include "record_api.h"

void ocop_text_free(char *text)
{
    free(text);
}

enum ocop_status ocop_to_json(const ProtobufCMessage *record, bool pretty, char **out,
                              struct ocop_error *err)
{
    struct record r;
    struct arena a;
    struct buf text;
    enum ocop_status st;

    *out = NULL;
    client_init();
    arena_init(&a, ARENA_SAVE_MAX);
    buf_init(&text, MIB(4));
    st = record_read(record, &a, &r, err);
    if (!st)
        st = json_from_fields(r.k, &r.id, &r.f, pretty, &text, err);
    if (!st) {
        const char *s = buf_cstr(&text);
        *out = text.failed ? NULL : strdup(s);
        if (!*out)
            st = err_nomem(err);
    }
    buf_fini(&text);
    arena_fini(&a);
    return st;
}

/* The members of `over` in place of those of `base`; a list is one member. */
static enum ocop_status lay_over(const struct record *base, const struct fields *over,
                                 struct arena *a, struct fields *out, struct ocop_error *err)
{
    struct fields kept = {NULL, 0};

    kept.v = arena_alloc(a, (base->f.count + 1) * sizeof *kept.v);
    if (!kept.v)
        return err_nomem(err);
    for (size_t i = 0; i < base->f.count; i++) {
        bool replaced = false;
        for (size_t o = 0; o < over->count; o++)
            replaced = replaced || over->v[o].number == base->f.v[i].number;
        if (!replaced)
            kept.v[kept.count++] = base->f.v[i];
    }
    return fields_apply(&kept, over, 0, false, a, out, err);
}

static enum ocop_status from_json(struct ocop_store *s, const struct kind *k,
                                  const ProtobufCMessage *base, const char *json,
                                  ProtobufCMessage **out, struct ocop_error *err)
{
    struct record r = {0}, b = {0};
    struct fields over;
    struct id id;
    enum ocop_status st = OCOP_OK;

    if (base)
        st = record_read(base, &s->arena, &b, err);
    if (!st && base && b.k != k)
        st = err_set(err, OCOP_EINVAL, "the base is of kind %s, not %s", b.k->name, k->name);
    if (!st)
        st = json_to_fields(k, span_str(json), &s->ids, s->env, &s->arena, &id, &over, err);
    if (!st && base && !id_is_zero(&id) && !id_eq(&id, &b.id))
        st = err_field(err, OCOP_EINVAL, "id", "the JSON is of another record than the base");
    if (!st)
        st = lay_over(&b, &over, &s->arena, &r.f, err);
    if (st)
        return st;
    r.k = k;
    r.seen = b.seen;
    r.id = base ? b.id : id;
    if (id_is_zero(&r.id))
        r.id = id_next(&s->ids, s->env);
    return record_write(&r, out, err);
}

enum ocop_status ocop_from_json(struct ocop_store *s, const char *kind,
                                const ProtobufCMessage *base, const char *json,
                                ProtobufCMessage **out, struct ocop_error *err)
{
    const struct kind *k;
    enum ocop_status st;

    *out = NULL;
    k = kind_by_name(kind);
    if (!k || k->local_only)
        return err_set(err, OCOP_ENOTFOUND, "there is no kind of record of this name");
    if (!json)
        return err_set(err, OCOP_EINVAL, "no JSON was given");
    st = client_enter(s, err);
    if (st)
        return st;
    st = from_json(s, k, base, json, out, err);
    client_leave(s);
    return st;
}

enum ocop_status ocop_set_text(struct ocop_store *s, ProtobufCMessage **record,
                               const char *assignment, struct ocop_error *err)
{
    struct record r;
    ProtobufCMessage *changed = NULL;
    enum ocop_status st = client_enter(s, err);

    if (st)
        return st;
    st = record_read(*record, &s->arena, &r, err);
    if (!st)
        st =
            json_set_text(r.k, assignment ? assignment : "", &s->ids, s->env, &s->arena, &r.f, err);
    if (!st)
        st = record_write(&r, &changed, err);
    if (!st) {
        ocop_free(*record);
        *record = changed;
    }
    client_leave(s);
    return st;
}
