/* What a registry has lost, or has another of: a registry restored from a backup, a store that was
 * copied, and both at once. Whatever the registry does not hold is put back into the outbox, each
 * change in its old place, and sent again. Knows no SQL and no link. */
#include <inttypes.h>

#include "changeset.h"
#include "record_api.h"
#include "taking.h"

/* This store's replica and those that it continues, newest first. */
struct line {
    struct id v[GENERATIONS_MAX];
    size_t count;
};

/* --- one set -----------------------------------------------------------------------------------
 */

/* An amendment that comes back has what is seen now as its base, until the registry's state is read
 * again; a creation has none. */
static enum ocop_status put_base(struct taking *t, const struct change *c, struct ocop_error *err)
{
    struct ocop_store *s = t->s;
    struct fields f;
    uint64_t version;
    bool found, there;
    enum ocop_status st;

    if (c->verb == VERB_CREATE) /* what others made of the record since is lost with it */
        return store_base_delete(s, &c->record, err);
    arena_reset(&t->work);
    st = store_base(s, &c->record, &t->work, &found, &f, &version, err);
    if (st || found)
        return st;
    st = store_record_exists(s, c->kind, &c->record, &there, err);
    if (!st && there)
        st = store_record(s, c->kind, &c->record, &t->work, &f, &version, err);
    return st || !there ? st : store_base_put(s, c->kind, &c->record, &f, version, err);
}

/* The record with the change over it: the registry may have lost it, and never show it again. */
static enum ocop_status show_again(struct taking *t, const struct change *c, struct ocop_error *err)
{
    struct fields f;
    uint64_t version;
    bool found = c->verb == VERB_CREATE;
    enum ocop_status st = OCOP_OK;

    arena_reset(&t->work);
    if (!found)
        st = store_base(t->s, &c->record, &t->work, &found, &f, &version, err);
    return st || !found ? st : pending_show(t->s, c->kind, &c->record, &t->work, err);
}

/* One change of a set that is to be sent again: where it still stands in the outbox, refused or
 * not, it only waits again; where it was settled, it comes back, before all that was submitted
 * later. A refusal is lost with the history that it was spoken in, and with it the evidence of the
 * change. */
static enum ocop_status put_back(struct taking *t, const struct change *c, int64_t seq,
                                 uint32_t index, struct ocop_error *err)
{
    struct ocop_store *s = t->s;
    struct outbox_row row;
    bool found, refused;
    enum ocop_status st;

    arena_reset(&t->work);
    st = store_outbox_one(s, seq, index, &c->record, &t->work, &found, &row, err);
    if (st)
        return st;
    refused = found && row.state == OUTBOX_REFUSED;
    if (!found || c->verb == VERB_CREATE)
        st = put_base(t, c, err);
    if (!st)
        st = found ? store_outbox_settled(s, row.n, OUTBOX_SEALED, "", "", err)
                   : store_outbox_put_back(s, c, seq, index, err);
    if (!st)
        st = show_again(t, c, err);
    /* What was attached while it stood refused was to go with it. */
    return st || !refused || c->verb != VERB_CREATE || c->kind == KIND_ATTACHMENT
               ? st
               : attach_follow(s, &c->record, err);
}

/* The last changes first, since each is put before all others. */
static enum ocop_status set_put_back(struct taking *t, const struct sealed_row *row, int64_t sign,
                                     struct ocop_error *err)
{
    struct change_set set;
    enum ocop_status st = changeset_open(row->set.body, &t->late, &set, err);
    uint64_t shared;

    if (st)
        return st;
    shared = id_eq(&set.lineage, &t->s->me.lineage) ? UINT64_MAX : taking_shared(t, set.lineage);
    for (size_t i = set.changes.count; !st && i-- > 0;) {
        taking_clamp(&set.changes.v[i], shared);
        st = put_back(t, &set.changes.v[i], sign * (int64_t)row->seq, (uint32_t)i, err);
    }
    return st;
}

/* The sets of a replica from its last down to `from`. Those of earlier replicas stand in the outbox
 * with their sequence negative. `acked`: only those that were acknowledged. */
static enum ocop_status sets_put_back(struct taking *t, const struct id *replica, uint64_t from,
                                      bool acked, struct ocop_error *err)
{
    int64_t sign = id_eq(replica, &t->s->me.replica) ? 1 : -1;
    uint64_t below = INT64_MAX;
    bool found = true;
    enum ocop_status st = OCOP_OK;

    while (!st && found && below > from) {
        struct sealed_row row;
        arena_reset(&t->late);
        st = store_sealed_below(t->s, replica, below, &t->late, &found, &row, err);
        if (st || !found || row.seq < from)
            break;
        below = row.seq;
        if (!acked || row.acked) {
            st = set_put_back(t, &row, sign, err);
            t->result->progress = true;
        }
    }
    return st;
}

/* The last set that was acknowledged in a history that this one continues. What only a lost one
 * acknowledged is in this one too where an older backup was the wrong one and a later one took its
 * place; it may have been judged otherwise, and is asked about again. */
static enum ocop_status judged_here(struct taking *t, uint64_t *acked, struct ocop_error *err)
{
    uint8_t hash[HASH_LEN];
    uint64_t version;
    bool found = t->elsewhere;
    const uint64_t told = *acked;
    enum ocop_status st = OCOP_OK;

    while (!st && found && *acked > 0) {
        st = store_sealed_acked(t->s, &t->s->me.replica, *acked, &found, &version, hash, err);
        found = found && (!version || version > t->shared); /* or was not acknowledged at all */
        *acked -= found;
    }
    return st || *acked == told ? st : store_meta_set(t->s, "asked_anew", span_of("\1", 1), err);
}

enum ocop_status lost_heard(struct taking *t, struct ocop_error *err)
{
    struct span asked;
    size_t unacked = 0;
    enum ocop_status st = store_meta(t->s, "asked_anew", t->arena, &asked, err);

    if (st || asked.len != 1 || asked.p[0] != 1)
        return st;
    st = store_sealed_unacked_count(t->s, &t->s->me.replica, &unacked, err);
    if (st || unacked)
        return st;
    t->reset = t->result->again = true;
    return store_meta_set(t->s, "asked_anew", span_of("\0", 1), err);
}

enum ocop_status lost_sets(struct taking *t, uint64_t acked, struct ocop_error *err)
{
    struct ocop_store *s = t->s;
    enum ocop_status st = judged_here(t, &acked, err);

    if (!st)
        st = sets_put_back(t, &s->me.replica, acked + 1, true, err);
    return st ? st : store_sealed_unack(s, &s->me.replica, acked, err);
}

/* --- the line ----------------------------------------------------------------------------------
 */

/* Each replica names its predecessor in its first set. */
static enum ocop_status line_read(struct taking *t, struct line *out, struct ocop_error *err)
{
    struct ocop_store *s = t->s;
    struct id next = s->me.predecessor;
    enum ocop_status st = OCOP_OK;

    out->v[0] = s->me.replica;
    out->count = 1;
    while (!st && !id_is_zero(&next) && out->count < GENERATIONS_MAX) {
        struct sealed_row row;
        struct change_set first;
        bool found;
        out->v[out->count++] = next;
        arena_reset(&t->late);
        st = store_sealed_below(s, &next, 2, &t->late, &found, &row, err);
        if (st || !found)
            return st;
        st = changeset_peek(row.set.body, &t->late, &first, err);
        next = first.predecessor;
    }
    return st;
}

/* The version behind which only a lost history told of sets under names before this one, until all
 * has been read again. */
static const char unmet_above[] = "unmet_above";

/* Has the record left the device with its unit? Then it is no wonder that it is not shown. */
static enum ocop_status went_with_its_unit(struct ocop_store *s, const struct kind *k,
                                           const struct id *record, const struct fields *f,
                                           bool *out, struct ocop_error *err)
{
    const struct field *of = fields_find(f, FIELD_UNIT, span_of(NULL, 0));
    struct id unit;
    enum ocop_status st = OCOP_OK;

    *out = false;
    if (of && id_from(of->bytes, &unit))
        st = store_unseen_has(s, &unit, out, err);
    if (st || *out)
        return st;
    st = device_scope(s, k, record, f, f, err);
    *out = st == OCOP_EPERM;
    return *out ? OCOP_OK : st;
}

/* One record as it stands here. Only what its officer made: of what others made he keeps nothing.
 */
static enum ocop_status keep_refused(struct taking *t, uint32_t kind, const struct id *record,
                                     struct ocop_error *err)
{
    struct ocop_store *s = t->s;
    struct change c = {
        .kind = kind, .verb = VERB_CREATE, .record = *record, .author = s->me.officer};
    struct outbox_rows rows = {NULL, 0};
    const struct kind *k = kind_by_number(kind);
    const struct field *maker;
    uint64_t version;
    bool gone;
    enum ocop_status st = store_outbox_of(s, record, &t->work, &rows, err);

    if (st || rows.count || !k) /* what waits here stays as it is */
        return st;
    st = store_record(s, kind, record, &t->work, &c.fields, &version, err);
    maker = st ? NULL : fields_find(&c.fields, FIELD_OFFICER, span_of(NULL, 0));
    if (st || !maker || !span_eq(maker->bytes, id_span(&s->me.officer)))
        return st;
    st = went_with_its_unit(s, k, record, &c.fields, &gone, err);
    if (st || gone)
        return st;
    taking_clamp(&c, 0);
    c.device_time_ms = env_now_ms(s->env);
    st = store_outbox_add(s, &c, OUTBOX_REFUSED, err);
    if (!st)
        st = store_outbox_of(s, record, &t->work, &rows, err);
    t->sum->refused++;
    return st ? st
              : store_outbox_settled(s, rows.v[0].n, OUTBOX_REFUSED,
                                     "the registry, as it was restored, does not show this record; "
                                     "submit it again, or discard it",
                                     "", err);
}

enum ocop_status lost_doubt(struct taking *t, struct ocop_error *err)
{
    uint64_t above;
    bool known;
    enum ocop_status st = store_meta_int(t->s, unmet_above, t->arena, &known, &above, err);

    /* one may be known where it was restored again before all was read */
    if (st || id_is_zero(&t->s->me.predecessor) || (known && above < t->shared))
        return st;
    return store_meta_set_int(t->s, unmet_above, t->shared, err);
}

enum ocop_status lost_unmet(struct taking *t, struct ocop_error *err)
{
    struct outbox_row *v = NULL;
    uint64_t above;
    size_t count = 0;
    bool known;
    enum ocop_status st = store_meta_int(t->s, unmet_above, t->arena, &known, &above, err);

    if (st || !known)
        return st;
    device_scope_forget(t->s);
    st = store_unseen_own(t->s, above, t->arena, &v, &count, err);
    for (size_t i = 0; !st && i < count; i++) {
        arena_reset(&t->work);
        st = keep_refused(t, v[i].kind, &v[i].record, err);
    }
    return st ? st : store_meta_set(t->s, unmet_above, span_of(NULL, 0), err);
}

/* Make `seq` the last sealed set of this replica. */
static enum ocop_status go_back_to(struct taking *t, uint64_t seq, const uint8_t hash[HASH_LEN],
                                   struct ocop_error *err)
{
    struct ocop_store *s = t->s;
    enum ocop_status st = store_meta_set_int(s, "seq", seq, err);

    if (!st)
        st = store_meta_set(s, "prev_hash", span_of(hash, HASH_LEN), err);
    s->me.seq = seq;
    memcpy(s->me.prev_hash, hash, HASH_LEN);
    return st;
}

static enum ocop_status hash_of(struct taking *t, const struct id *replica, uint64_t seq,
                                uint8_t hash[HASH_LEN], struct ocop_error *err)
{
    uint64_t acked;
    bool found = true;
    enum ocop_status st = OCOP_OK;

    memset(hash, 0, HASH_LEN);
    if (seq > 0)
        st = store_sealed_acked(t->s, replica, seq, &found, &acked, hash, err);
    return st || found ? st
                       : taking_malformed("it speaks of a change-set that was never sealed", err);
}

enum ocop_status lost_unseal(struct taking *t, uint64_t seq, struct ocop_error *err)
{
    struct ocop_store *s = t->s;
    uint8_t hash[HASH_LEN];
    uint64_t acked;
    bool found;
    enum ocop_status st = store_sealed_acked(s, &s->me.replica, seq, &found, &acked, hash, err);

    if (st || !found || acked)
        return st;
    st = hash_of(t, &s->me.replica, seq - 1, hash, err);
    if (!st)
        st = store_outbox_unseal(s, seq, err);
    if (!st)
        st = store_sealed_drop(s, &s->me.replica, seq, err);
    if (!st)
        st = go_back_to(t, seq - 1, hash, err);
    if (!st)
        st = store_meta_set_int(s, "budget", 1, err); /* one change at a time */
    t->result->unsealed = t->result->progress = true;
    return st;
}

/* --- forks -------------------------------------------------------------------------------------
 */

/* The new replica has none yet; that of the first in the line is kept. */
static enum ocop_status certificate_put_by(struct taking *t, struct ocop_error *err)
{
    struct ocop_store *s = t->s;
    struct span first, own = {NULL, 0};
    enum ocop_status st = store_meta(s, "certificate_first", &t->work, &first, err);

    if (!st && first.len == 0)
        st = store_meta(s, "certificate", &t->work, &own, err);
    if (!st && own.len)
        st = store_meta_set(s, "certificate_first", own, err);
    return st;
}

/* What the registry knows nothing of, and might still hear of by a request that was on its way: its
 * changes come under the new name. The oldest are forgotten first. */
static enum ocop_status give_up(struct taking *t, const struct id *v, size_t count,
                                struct ocop_error *err)
{
    struct identity *me = &t->s->me;

    while (count > 0) {
        if (me->given_up_count == GENERATIONS_MAX)
            memmove(me->given_up, me->given_up + 1, --me->given_up_count * sizeof *me->given_up);
        me->given_up[me->given_up_count++] = v[--count];
    }
    return store_meta_set(t->s, "given_up", span_of(me->given_up, me->given_up_count * ID_LEN),
                          err);
}

static enum ocop_status succeed(struct taking *t, const struct id *from, uint64_t seq,
                                const uint8_t hash[HASH_LEN], struct ocop_error *err)
{
    static const uint8_t none[HASH_LEN] = {0};
    struct ocop_store *s = t->s;
    struct id fresh;
    enum ocop_status st = store_meta_set(s, "predecessor", id_span(from), err);

    id_source_init(&s->ids, s->env);
    fresh = id_next(&s->ids, s->env);
    if (!st)
        st = store_meta_set_int(s, "predecessor_seq", seq, err);
    if (!st)
        st = store_meta_set(s, "predecessor_hash", span_of(hash, HASH_LEN), err);
    if (!st)
        st = store_meta_set(s, "replica", id_span(&fresh), err);
    if (!st)
        st = store_meta_set_int(s, "forked", 1, err);
    s->me.replica = fresh;
    if (!st)
        st = certificate_put_by(t, err);
    if (!st)
        st = go_back_to(t, 0, none, err);
    /* The scope may have become smaller under the old id, and the new one was never told: all is
     * read again. What the registry does not have is in the outbox. */
    t->reset = true;
    t->forked = t->sum->forked = t->result->progress = t->result->again = true;
    return st ? st : store_identity(s, err);
}

/*  the registry:  ... 7  8'            8' came from another copy of this store
 *  this store:    ... 7  8  9          -> a new replica, predecessor (this one, 7, its hash):
 *  the new replica:   1  2             the changes of 8 and 9, their bases kept
 *
 *  the registry:  A/1                  restored: A/2, and B that continued A behind it, are lost
 *  this store:    A/1  A/2  B/1  B/2   -> a new replica C, predecessor (A, 1, its hash):
 *  the new one:   C/1 ...              the changes of A/2, B/1 and B/2, in this order */
enum ocop_status lost_fork(struct taking *t, const struct id *from, uint64_t seq,
                           struct ocop_error *err)
{
    struct ocop_store *s = t->s;
    struct line line;
    struct id behind = *from;
    uint8_t hash[HASH_LEN];
    bool reached = false;
    size_t unknown = 0;
    enum ocop_status st = OCOP_OK;

    if (t->forked)
        return OCOP_OK;
    if (seq == 0)
        return taking_malformed("a fork without a place", err);
    if (seq == 1 && id_eq(from, &s->me.replica) && !id_is_zero(&s->me.predecessor)) {
        behind = s->me.predecessor; /* nobody may ever have heard of this one */
        seq = s->me.predecessor_seq + 1;
        memcpy(hash, s->me.predecessor_hash, HASH_LEN);
    } else {
        st = hash_of(t, &behind, seq - 1, hash, err);
    }
    if (!st)
        st = line_read(t, &line, err);
    while (!st && unknown < line.count && !id_eq(&line.v[unknown], from))
        unknown++;
    for (size_t i = 0; !st && !reached && i < line.count; i++) {
        reached = id_eq(&line.v[i], &behind);
        st = sets_put_back(t, &line.v[i], reached ? seq : 1, false, err);
        if (!st)
            st = store_sealed_drop(s, &line.v[i], reached ? seq : 1, err);
    }
    if (!st)
        st = give_up(t, line.v, unknown, err);
    if (!st)
        st = store_outbox_reseal(s, err);
    return st ? st : succeed(t, &behind, seq - 1, hash, err);
}

/* The last set that the registry and this store have alike, as far as the registry told; *told is
 * false when it has more than it told, and none of that is known here. */
static enum ocop_status common_of(struct taking *t, const Ocop__Sync__Known *k,
                                  const struct id *replica, uint64_t *common, bool *told,
                                  struct ocop_error *err)
{
    *common = 0;
    *told = k->acked_seq == 0;
    for (size_t i = 0; !*told && i < k->n_chain && i < k->chain_seq; i++) {
        uint64_t seq = k->chain_seq - i, acked;
        uint8_t hash[HASH_LEN];
        bool found;
        enum ocop_status st = store_sealed_acked(t->s, replica, seq, &found, &acked, hash, err);
        if (st)
            return st;
        if (found && span_eq(span_of(hash, HASH_LEN), span_of(k->chain[i].data, k->chain[i].len))) {
            *common = seq;
            *told = true;
        }
    }
    *told = *told || k->n_chain >= k->chain_seq;
    return OCOP_OK;
}

/* What was sealed and not acknowledged may be another set than the registry's of that number: the
 * last one up to *seq that was. */
static enum ocop_status acknowledged_below(struct taking *t, uint64_t *seq, struct ocop_error *err)
{
    uint64_t acked = 0;
    enum ocop_status st = OCOP_OK;

    for (; !st && *seq > 0 && !acked; *seq -= !acked) {
        uint8_t hash[HASH_LEN];
        bool found;
        st = store_sealed_acked(t->s, &t->s->me.replica, *seq, &found, &acked, hash, err);
        acked = found ? acked : 0;
    }
    return st;
}

static const Ocop__Sync__Known *known_of(const Ocop__Sync__SyncReply *r, const struct id *replica)
{
    for (size_t i = 0; i < r->n_known; i++) {
        struct id id;
        if (taking_id(&r->known[i]->replica, &id) && id_eq(&id, replica))
            return r->known[i];
    }
    return NULL;
}

enum ocop_status lost_known(struct taking *t, struct ocop_error *err)
{
    const Ocop__Sync__SyncReply *r = t->reply;
    const Ocop__Sync__Known *k = NULL;
    struct line line;
    uint64_t common;
    size_t i = 0;
    bool told;
    enum ocop_status st;

    if (r->n_known == 0)
        return OCOP_OK;
    st = line_read(t, &line, err);
    while (!st && i < line.count && !(k = known_of(r, &line.v[i])))
        i++;
    if (!st && !k) {
        taking_fail(t, OCOP_ENOTENROLLED,
                    "the registry does not know this device any more; ask its office for a new "
                    "invitation and enrol again");
        return OCOP_OK;
    }
    if (!st)
        st = common_of(t, k, &line.v[i], &common, &told, err);
    if (st || (i == 0 && told && common == k->acked_seq))
        return st;
    if (i == 0 && !told && r->fork_seq) { /* it parted further back than was told */
        common = r->fork_seq - 1;
        st = acknowledged_below(t, &common, err);
    }
    return st ? st : lost_fork(t, &line.v[i], common + 1, err);
}
