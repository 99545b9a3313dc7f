/* Changes over a record: what stands in the registry, what the officer sees. Knows the outbox and
 * the base; nothing of rules, of sealing or of the network. */
#include "sync.h"

enum ocop_status pending_change(const struct outbox_row *row, struct arena *a, struct change *out,
                                struct ocop_error *err)
{
    enum ocop_status st = change_unpack(row->change, a, out, err);

    if (st == OCOP_EPROTO || st == OCOP_ELIMIT || (!st && !id_eq(&out->record, &row->record)))
        return err_set(err, OCOP_EDAMAGED,
                       "the store is damaged: a change of the outbox cannot be read; check it and "
                       "restore it from a backup");
    return st;
}

/* A record may have been changed hundreds of times since the last sync. One change after the other
 * is laid over it in two places in turn, so that all take no more room than one. */
struct layers {
    struct arena place[2];
    bool turn;
};

static void layers_init(struct layers *l)
{
    arena_init(&l->place[0], ARENA_SAVE_MAX);
    arena_init(&l->place[1], ARENA_SAVE_MAX);
    l->turn = false;
}

static enum ocop_status layers_put(struct layers *l, const struct fields *change, uint64_t version,
                                   struct fields *out, struct ocop_error *err)
{
    struct arena *to = &l->place[l->turn];

    arena_reset(to);
    l->turn = !l->turn;
    return fields_apply(out, change, version, false, to, out, err);
}

/* What came of it goes into the caller's arena. */
static enum ocop_status layers_fini(struct layers *l, enum ocop_status st, struct arena *a,
                                    struct fields *out, struct ocop_error *err)
{
    if (!st && out->count) {
        out->v = (struct field *)(void *)arena_dup(a, out->v, out->count * sizeof *out->v);
        if (!out->v)
            st = err_nomem(err);
    }
    if (st || !out->count)
        *out = (struct fields){NULL, 0};
    arena_fini(&l->place[0]);
    arena_fini(&l->place[1]);
    return st;
}

/*   base:   registry's state        -- absent for a record that the registry does not have
 *     + submitted changes, in order -- refused ones left out, but for the creation itself,
 *                                      without which there would be nothing to look at
 *     + the draft                   -- when asked for
 *   = what the officer sees */
enum ocop_status pending_state(struct ocop_store *s, uint32_t kind, const struct id *record,
                               bool with_draft, struct arena *a, struct outbox_rows *rows,
                               bool *there, struct fields *out, uint64_t *version,
                               struct ocop_error *err)
{
    struct layers layers;
    bool registered = false;
    enum ocop_status st = store_outbox_of(s, record, a, rows, err);

    *there = false;
    *version = 0;
    *out = (struct fields){NULL, 0};
    if (st)
        return st;
    if (rows->count == 0) {
        st = store_record_exists(s, kind, record, there, err);
        return st || !*there ? st : store_record(s, kind, record, a, out, version, err);
    }
    st = store_base(s, record, a, &registered, out, version, err);
    *there = registered;
    layers_init(&layers);
    for (size_t i = 0; !st && i < rows->count; i++) {
        const struct outbox_row *row = &rows->v[i];
        struct change c;
        if (row->state == OUTBOX_DRAFT && !with_draft)
            continue;
        st = pending_change(row, a, &c, err);
        if (st || (row->state == OUTBOX_REFUSED && (c.verb != VERB_CREATE || registered)))
            continue;
        if (c.verb == VERB_CREATE && !registered)
            out->count = 0; /* the whole record, whatever was refused or waits before it */
        st = layers_put(&layers, &c.fields, *version, out, err);
        *there = true;
    }
    return layers_fini(&layers, st, a, out, err);
}

enum ocop_status pending_show(struct ocop_store *s, uint32_t kind, const struct id *record,
                              struct arena *a, struct ocop_error *err)
{
    struct outbox_rows rows;
    struct fields f;
    uint64_t version;
    bool there;
    enum ocop_status st = pending_state(s, kind, record, true, a, &rows, &there, &f, &version, err);

    if (st)
        return st;
    return there ? store_record_put(s, kind, record, &f, version, err)
                 : store_record_delete(s, kind, record, err);
}
