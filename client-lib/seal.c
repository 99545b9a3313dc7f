/* Sealing: ready changes become one numbered, signed change-set that never changes again. Called
 * only when there is a connection. Knows the outbox; nothing of requests. */
#include "sync.h"

/* Compressed columns are a small part of the changes row-wise; more is never worth reading. */
enum { PACKED_PER_SEALED = 12 };

/* A change of no more fields and bytes than these fits a set, whatever it holds. */
enum { SURE_FIELDS = LIST_ITEMS_MAX, SURE_BYTES = SET_SEALED_BYTES_MAX - 12 * 1024 };

#define DAMAGED                                                                                    \
    "the change was damaged on this device before it was sent; look at the record, discard the "   \
    "change and make it again"
#define TOO_LARGE "the change is too large to be sent; make it in several parts"

static enum ocop_status unpack(const struct outbox_rows *rows, size_t count, struct arena *a,
                               struct changes *out, struct ocop_error *err)
{
    enum ocop_status st = OCOP_OK;

    out->count = count;
    out->v = arena_calloc(a, count + 1, sizeof *out->v);
    if (!out->v)
        return err_nomem(err);
    for (size_t i = 0; !st && i < count; i++)
        st = pending_change(&rows->v[i], a, &out->v[i], err);
    return st;
}

static void fill_header(const struct ocop_store *s, struct change_set *set)
{
    const struct identity *me = &s->me;

    memset(set, 0, sizeof *set);
    set->replica = me->replica;
    set->seq = me->seq + 1;
    memcpy(set->prev_hash, me->prev_hash, HASH_LEN);
    set->device_time_ms = env_now_ms(s->env);
    set->schema = SCHEMA_VERSION;
    set->lineage = me->lineage;
    if (set->seq == 1 && !id_is_zero(&me->predecessor)) {
        set->predecessor = me->predecessor;
        set->predecessor_seq = me->predecessor_seq;
        memcpy(set->predecessor_hash, me->predecessor_hash, HASH_LEN);
        set->given_up = span_of(me->given_up, me->given_up_count * ID_LEN);
    }
}

/* Is it the changes that cannot be sealed, and not memory or the disk? */
static bool unsealable(enum ocop_status st)
{
    return st == OCOP_ELIMIT || st == OCOP_EINVAL;
}

/* Seal as many of the rows as fit the budget, but one at least. *count: how many. */
static enum ocop_status seal_within(struct ocop_store *s, const struct outbox_rows *rows,
                                    struct arena *a, size_t *count, struct change_set *set,
                                    struct sealed *out, struct ocop_error *err)
{
    size_t budget = (size_t)s->me.budget;
    enum ocop_status st;

    for (*count = rows->count;; arena_reset(a)) {
        fill_header(s, set);
        st = unpack(rows, *count, a, &set->changes, err);
        if (!st)
            st = changeset_seal(set, &s->me.sign, a, out, err);
        if (unsealable(st) && *count > 1) {
            *count /= 2;
            continue;
        }
        if (st || *count <= 1 || out->body.len <= budget)
            return st;
        /* Sets of similar changes shrink in proportion; a little less saves another round. */
        size_t fits = *count * budget / out->body.len * 9 / 10;
        *count = fits == 0 ? 1 : fits;
    }
}

static enum ocop_status store_set(struct ocop_store *s, const struct outbox_rows *rows,
                                  size_t count, const struct change_set *set,
                                  const struct sealed *sealed, struct ocop_error *err)
{
    enum ocop_status st = store_sealed_add(s, &set->replica, set->seq, sealed, err);

    for (size_t i = 0; !st && i < count; i++)
        st = store_outbox_sealed(s, rows->v[i].n, set->seq, (uint32_t)i, err);
    if (!st)
        st = store_meta_set_int(s, "seq", set->seq, err);
    if (!st)
        st = store_meta_set(s, "prev_hash", span_of(sealed->hash, HASH_LEN), err);
    if (!st) {
        s->me.seq = set->seq;
        memcpy(s->me.prev_hash, sealed->hash, HASH_LEN);
    }
    return st;
}

/* A successor introduces itself by its first set, and has one even when it has nothing to say: till
 * then the registry does not know it, and it may number no paper. */
static bool introduces(const struct ocop_store *s)
{
    return s->me.forked && s->me.seq == 0;
}

enum ocop_status seal_try(const struct ocop_store *s, const struct change *c,
                          struct ocop_error *err)
{
    struct change change = *c;
    struct change_set set;
    struct sealed out;
    struct arena a;
    size_t bytes = 0;
    enum ocop_status st;

    for (size_t i = 0; i < c->fields.count; i++)
        bytes += c->fields.v[i].bytes.len + c->fields.v[i].key.len;
    if (c->fields.count <= SURE_FIELDS && bytes <= SURE_BYTES)
        return OCOP_OK;
    arena_init(&a, ARENA_REQUEST_MAX);
    fill_header(s, &set);
    set.changes = (struct changes){&change, 1};
    st = changeset_seal(&set, &s->me.sign, &a, &out, err);
    if (st == OCOP_ELIMIT || (!st && out.body.len > SET_SEALED_BYTES_MAX))
        st = err_set(err, OCOP_ELIMIT, TOO_LARGE);
    arena_fini(&a);
    return st;
}

/* One change that no request can carry: it must not stand before the others for ever. */
static enum ocop_status refuse(struct ocop_store *s, const struct outbox_row *row, const char *why,
                               struct arena *a, struct ocop_error *err)
{
    enum ocop_status st = store_outbox_settled(s, row->n, OUTBOX_REFUSED, why, "", err);

    return st ? st : pending_show(s, row->kind, &row->record, a, err);
}

/* A change that is not what was written must not be signed. */
static enum ocop_status refuse_damaged(struct ocop_store *s, const struct outbox_rows *rows,
                                       struct arena *a, bool *found, struct ocop_error *err)
{
    struct ocop_error why = {0};
    enum ocop_status st = OCOP_OK;

    *found = false;
    for (size_t i = 0; !st && i < rows->count; i++) {
        if (rows->v[i].sound)
            continue;
        *found = true;
        st = refuse(s, &rows->v[i], DAMAGED, a, &why);
        if (st == OCOP_EDAMAGED)
            st = OCOP_OK; /* nor can it be shown: its record stays as it is */
    }
    if (st && err)
        *err = why;
    return st;
}

enum ocop_status seal_one(struct ocop_store *s, struct arena *a, bool *sealed,
                          struct ocop_error *err)
{
    struct outbox_rows rows;
    struct change_set set;
    struct sealed out;
    struct arena attempt;
    struct ocop_error why = {0};
    size_t count = 0;
    enum ocop_status st;

    *sealed = false;
    st = store_outbox_ready(s, SET_CHANGES_MAX, (size_t)s->me.budget * PACKED_PER_SEALED, a, &rows,
                            err);
    if (!st)
        st = refuse_damaged(s, &rows, a, sealed, err);
    if (st || *sealed || (rows.count == 0 && !introduces(s)))
        return st;
    arena_init(&attempt, ARENA_REQUEST_MAX);
    st = seal_within(s, &rows, &attempt, &count, &set, &out, &why);
    if (unsealable(st) && count == 1)
        st = refuse(s, &rows.v[0], st == OCOP_ELIMIT ? TOO_LARGE : why.text, a, err);
    else if (!st && count > 0 && out.body.len > SET_SEALED_BYTES_MAX)
        st = refuse(s, &rows.v[0], TOO_LARGE, a, err);
    else if (!st)
        st = store_set(s, &rows, count, &set, &out, err);
    else if (err)
        *err = why;
    *sealed = !st;
    arena_fini(&attempt);
    return st;
}
