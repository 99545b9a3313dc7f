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
        st = fields_apply(out, &c.fields, *version, false, a, out, err);
        *there = true;
    }
    return st;
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
