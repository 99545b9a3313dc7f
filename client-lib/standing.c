/* What a change is laid over: the record as it stands, and what its officer had seen of it. Knows
 * no rules and no SQL. */
#include "record_api.h"
#include "sync.h"

enum ocop_status standing_read(struct ocop_store *s, const struct kind *k, const struct id *id,
                               struct standing *out, struct ocop_error *err)
{
    struct change c;
    enum ocop_status st;

    memset(out, 0, sizeof *out);
    st = pending_state(s, k->number, id, false, &s->arena, &out->rows, &out->there, &out->f,
                       &out->version, err);
    out->seen = out->version;
    for (size_t i = 0; !st && i < out->rows.count; i++) {
        const struct outbox_row *row = &out->rows.v[i];
        if (row->state != OUTBOX_DRAFT && row->state != OUTBOX_REFUSED)
            continue;
        st = pending_change(row, &s->arena, &c, err);
        if (st)
            break;
        if (row->state == OUTBOX_DRAFT) {
            out->draft = row;
        } else if (c.verb == VERB_CREATE) {
            out->refused = true;
        }
    }
    return st;
}

bool standing_is_new(const struct standing *b)
{
    return !b->there || b->refused;
}

/* The version that each field was based on: as seen when it was first edited in a change that the
 * registry has not answered yet, draft included; else as seen when the record was loaded; else as
 * seen now. The lowest of these holds: it claims to have seen least.
 *
 *   saw 5, edited "score" -> base 5;  pulled 8;  edited "score" again -> still 5: nobody has shown
 *   that the officer agrees with what came at 8;  edited "notes" for the first time -> 8 */
enum ocop_status standing_bases(struct ocop_store *s, const struct standing *b, struct change *c,
                                struct ocop_error *err)
{
    enum ocop_status st = OCOP_OK;

    c->base = b->seen;
    for (size_t f = 0; f < c->fields.count; f++) {
        struct field *v = &c->fields.v[f];
        const struct field *e = fields_find(&b->edits, v->number, v->key);
        v->base = e ? e->base : b->version;
    }
    for (size_t i = 0; !st && i < b->rows.count; i++) {
        struct change earlier;
        if (b->rows.v[i].state == OUTBOX_REFUSED)
            continue;
        st = pending_change(&b->rows.v[i], &s->arena, &earlier, err);
        for (size_t f = 0; !st && f < c->fields.count; f++) {
            struct field *v = &c->fields.v[f];
            const struct field *e = fields_find(&earlier.fields, v->number, v->key);
            if (e && e->base < v->base)
                v->base = e->base;
        }
    }
    return st;
}

/* --- what was loaded ------------------------------------------------------------------------- */

/* Put one path into what was seen: at `base` or, where it stands already, at the lower of both.
 * There is room for one more. */
static void see_path(struct fields *f, size_t sorted, const struct field *v)
{
    struct fields before = {f->v, sorted};
    struct field *seen = fields_find(&before, v->number, v->key);

    if (!seen)
        f->v[f->count++] = (struct field){.number = v->number,
                                          .op = FIELD_CLEAR,
                                          .type = v->type,
                                          .key = v->key,
                                          .base = v->base};
    else if (v->base < seen->base)
        seen->base = v->base;
}

/* The record as it stands, each path with the version at which its officer saw it: that of the
 * record, or the one at which a pending change first edited it. What such a change cleared, and
 * what the draft added, is a marker. */
static enum ocop_status see_pending(struct ocop_store *s, const struct standing *b,
                                    struct fields *out, struct ocop_error *err)
{
    size_t room = 0; /* kept from change to change: there may be hundreds */
    enum ocop_status st = OCOP_OK;

    *out = b->f;
    for (size_t f = 0; f < out->count; f++)
        out->v[f].base = b->version;
    for (size_t i = 0; !st && i < b->rows.count; i++) {
        struct change c;
        size_t sorted = out->count;
        if (b->rows.v[i].state == OUTBOX_REFUSED)
            continue;
        st = pending_change(&b->rows.v[i], &s->arena, &c, err);
        if (st)
            break;
        if (sorted + c.fields.count > room) {
            struct field *v;
            room = 2 * (sorted + c.fields.count);
            v = arena_alloc(&s->arena, room * sizeof *v);
            if (!v)
                return err_nomem(err);
            if (sorted)
                memcpy(v, out->v, sorted * sizeof *v);
            out->v = v;
        }
        for (size_t f = 0; f < c.fields.count; f++)
            see_path(out, sorted, &c.fields.v[f]);
        (void)fields_sort(out); /* a change has no path twice */
    }
    return st;
}

/* Let a loaded record carry what its officer sees. One that was never submitted is the officer's
 * own as a whole, and there is nothing to hold it against. */
enum ocop_status standing_see(struct ocop_store *s, struct record *r, const struct standing *b,
                              struct ocop_error *err)
{
    struct seen seen = {.lineage = s->me.lineage};
    enum ocop_status st = OCOP_OK;

    seen.state.kind = r->k->number;
    seen.state.verb = VERB_STATE;
    seen.state.record = r->id;
    seen.state.base = b->version;
    if (!standing_is_new(b))
        st = see_pending(s, b, &seen.state.fields, err);
    return st ? st : record_see(r, &seen, &s->arena, err);
}

/* The version at which the value of an edit's path was seen. Versions of another history say
 * nothing: there only what still stands as it was seen counts as seen. */
static uint64_t seen_at(const struct ocop_store *s, const struct seen *seen,
                        const struct standing *b, const struct field *edit)
{
    const struct field *then = fields_find(&seen->state.fields, edit->number, edit->key);
    const struct field *now = fields_find(&b->f, edit->number, edit->key);
    bool was = then && then->op == FIELD_SET;

    if (id_eq(&seen->lineage, &s->me.lineage))
        return then ? then->base : seen->state.base;
    return was == (now != NULL) && (!was || field_value_equal(then, now)) ? b->version : 0;
}

/*   loaded:   A  B  C      the officer edits B -> X
 *   stands:   A  B' C'     what came since
 *   becomes:  A  X  C'     B -> X, based on the version at which B was seen: a case; C' stays
 *
 * A message made by hand is the whole record as it shall be, based on what stands. */
enum ocop_status standing_lay(struct ocop_store *s, struct record *r, struct standing *b,
                              struct ocop_error *err)
{
    struct seen seen;
    bool known;
    enum ocop_status st = record_seen(r, &s->arena, &known, &seen, err);

    if (st || !known)
        return st;
    if (standing_is_new(b))
        return b->refused || seen.state.fields.count == 0
                   ? OCOP_OK
                   : err_set(err, OCOP_ENOTFOUND,
                             "the record has left this device since it was loaded");
    st = fields_diff(&seen.state.fields, &r->f, 0, &s->arena, &b->edits, err);
    b->seen = b->version;
    for (size_t i = 0; !st && i < b->edits.count; i++) {
        struct field *e = &b->edits.v[i];
        e->base = seen_at(s, &seen, b, e);
        if (e->base < b->seen)
            b->seen = e->base;
    }
    return st ? st : fields_apply(&b->f, &b->edits, b->version, false, &s->arena, &r->f, err);
}
