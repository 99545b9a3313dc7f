/* What became of the change-sets that were sent: each change settles, waits, is refused or stands
 * in a case; a set that was not taken is sealed anew, or parts this store from another copy of it.
 */
#include <stdio.h>

#include "lineage.h"
#include "taking.h"

/* --- lineage --------------------------------------------------------------------------------- */

uint64_t taking_shared(const struct taking *t, struct id from)
{
    const Ocop__Sync__SyncReply *r = t->reply;
    size_t count = 0;
    struct id now = {{0}};
    struct lineage *v = arena_calloc(t->arena, r->n_lineages + 1, sizeof *v);

    for (size_t i = 0; v && i < r->n_lineages; i++) {
        struct lineage *l = &v[count];
        *l = (struct lineage){.fork_version = r->lineages[i]->fork_version};
        (void)taking_id(&r->lineages[i]->parent, &l->parent); /* the first has none */
        count += taking_id(&r->lineages[i]->lineage, &l->id);
    }
    (void)taking_id(&r->lineage, &now);
    return v ? lineage_shared(v, count, now, from) : 0;
}

void taking_clamp(struct change *c, uint64_t shared)
{
    c->base = c->base > shared ? shared : c->base;
    for (size_t f = 0; f < c->fields.count; f++)
        if (c->fields.v[f].base > shared)
            c->fields.v[f].base = shared;
}

/* Changes of the outbox were based on versions of the lost history. Those that are sealed too: they
 * may have to be sealed again, in the new lineage. */
static enum ocop_status clamp_outbox(struct taking *t, uint64_t shared, struct ocop_error *err)
{
    struct outbox_rows rows;
    enum ocop_status st = store_outbox_all(t->s, t->arena, &rows, err);

    for (size_t i = 0; !st && i < rows.count; i++) {
        struct change c;
        arena_reset(&t->work);
        st = pending_change(&rows.v[i], &t->work, &c, err);
        if (st)
            break;
        taking_clamp(&c, shared);
        st = store_outbox_rewrite(t->s, rows.v[i].n, &c, err);
    }
    return st;
}

enum ocop_status taking_lineage(struct taking *t, struct ocop_error *err)
{
    struct id lineage;
    enum ocop_status st = OCOP_OK;

    if (!t->reply->has_lineage)
        return OCOP_OK;
    if (!taking_id(&t->reply->lineage, &lineage))
        return taking_malformed("its lineage", err);
    if (id_eq(&lineage, &t->s->me.lineage))
        return OCOP_OK;
    if (!id_is_zero(&t->s->me.lineage)) {
        t->shared = taking_shared(t, t->s->me.lineage);
        t->elsewhere = t->result->progress = true;
        st = store_record_clamp(t->s, t->shared, err);
        if (!st)
            st = clamp_outbox(t, t->shared, err);
        /* A position in the lost history is none in this one, even where nothing more is said. */
        if (!st)
            st = store_meta_set(t->s, "cursor", span_of(NULL, 0), err);
        if (!st)
            st = store_meta_set_int(t->s, "seen", 0, err);
        if (!st)
            st = store_cases_forget(t->s, err); /* those that stand are told again */
        if (!st)
            st = store_files_doubt(t->s, err);
        if (!st)
            st = lost_doubt(t, err);
    }
    t->s->me.lineage = lineage;
    return st ? st : store_meta_set(t->s, "lineage", id_span(&lineage), err);
}

/* --- outcomes -------------------------------------------------------------------------------- */

static const Ocop__Sync__Outcome *outcome_of(const Ocop__Sync__SyncReply *r, uint64_t seq,
                                             uint32_t index)
{
    for (size_t i = 0; i < r->n_outcomes; i++)
        if (r->outcomes[i]->seq == seq && r->outcomes[i]->index == index)
            return r->outcomes[i];
    return NULL;
}

static bool opened_by(const Ocop__Sync__Outcome *o, const struct id *id)
{
    for (size_t i = 0; i < o->n_cases; i++) {
        struct id of;
        if (taking_id(&o->cases[i], &of) && id_eq(&of, id))
            return true;
    }
    return false;
}

/* Does a case that this change opened hold the field back? Others of the record do not matter. */
static bool held(const struct taking *t, const Ocop__Sync__Outcome *o, const struct change *c,
                 const struct field *f)
{
    const struct kind *k = kind_by_number(c->kind);
    char path[160];

    (void)field_path(k, f, path, sizeof path);
    for (size_t i = 0; i < t->reply->n_cases; i++) {
        const Ocop__Sync__CaseNote *note = t->reply->cases[i];
        struct id id;
        if (!taking_id(&note->id, &id) || !opened_by(o, &id) || note->cause == CASE_COLLISION)
            continue;
        if (note->cause != CASE_FIELD) /* then nothing of the change was taken */
            return true;
        if (strcmp(taking_text(note->field), path) == 0)
            return true;
    }
    return false;
}

/* The registry told of the record as it was behind this change, before it told what came of it: a
 * reply was lost, and all is read anew. Then the base is what the registry has. */
static enum ocop_status effect_is_in_base(struct taking *t, const struct outbox_row *row,
                                          struct fields *base, uint64_t version, bool more,
                                          struct ocop_error *err)
{
    enum ocop_status st;

    if (more)
        return pending_show(t->s, row->kind, &row->record, &t->work, err);
    st = store_record_put(t->s, row->kind, &row->record, base, version, err);
    return st ? st : store_base_delete(t->s, &row->record, err);
}

/* The registry took the change (but for what a case holds back), at version `at` of its log: it
 * becomes part of the base. Where nothing else is pending there is no base to keep: the row is the
 * registry's state. `o` may be NULL: applied as it was. */
static enum ocop_status take_effect(struct taking *t, const struct outbox_row *row,
                                    struct change *c, const Ocop__Sync__Outcome *o, uint64_t at,
                                    struct ocop_error *err)
{
    struct ocop_store *s = t->s;
    bool in_case = o && o->code == OUTCOME_CASE;
    struct outbox_rows left;
    struct fields base;
    uint64_t version;
    bool found, known, again;
    size_t kept = 0;
    enum ocop_status st = store_outbox_delete(s, row->n, err);

    /* Nobody tells a device of what it made itself, once the registry has told of that kind. */
    if (!st && t->rereading && c->verb == VERB_CREATE)
        st = store_unseen_met(s, &row->record, err);
    if (!st)
        st = store_outbox_of(s, &row->record, &t->work, &left, err);
    if (!st)
        st = store_base(s, &row->record, &t->work, &found, &base, &version, err);
    if (st)
        return st;
    known = found || c->verb == VERB_CREATE;
    /* Where an attachment lies that was made again says the registry alone. */
    again = found && c->verb == VERB_CREATE && c->kind == KIND_ATTACHMENT;
    if (found && at && version >= at)
        return effect_is_in_base(t, row, &base, version, left.count > 0, err);
    /* What waited came behind what it waited for, be that recorded later: it stands over it. */
    if (left.count == 0 && !in_case && !again && row->state != OUTBOX_WAITING)
        return store_base_delete(s, &row->record, err);
    for (size_t i = 0; i < c->fields.count; i++)
        if ((!in_case || !held(t, o, c, &c->fields.v[i])) &&
            !(again && c->fields.v[i].number == FIELD_UNIT))
            c->fields.v[kept++] = c->fields.v[i];
    c->fields.count = kept;
    if (known)
        st = fields_apply(&base, &c->fields, version, false, &t->work, &base, err);
    if (!st && known && left.count == 0)
        st = store_record_put(s, row->kind, &row->record, &base, version, err);
    if (!st && left.count == 0)
        return store_base_delete(s, &row->record, err);
    if (!st && known)
        st = store_base_put(s, row->kind, &row->record, &base, version, err);
    /* Not known: there is no base that it could become part of, so it is shown no more. */
    return st || (known && !in_case) ? st : pending_show(s, row->kind, &row->record, &t->work, err);
}

static enum ocop_status settle(struct taking *t, const struct outbox_row *row,
                               const Ocop__Sync__Outcome *o, uint64_t version,
                               struct ocop_error *err)
{
    struct ocop_store *s = t->s;
    uint32_t code = o ? o->code : OUTCOME_APPLIED;
    struct change c;
    enum ocop_status st;

    arena_reset(&t->work);
    st = pending_change(row, &t->work, &c, err);
    if (!st && code != OUTCOME_REFUSED && code != OUTCOME_WAITING)
        st = store_own_taken(s, row->kind, &row->record, version, err);
    if (st)
        return st;
    switch (code) {
    case OUTCOME_WAITING:
        t->sum->waiting++;
        return store_outbox_settled(s, row->n, OUTBOX_WAITING, taking_text(o->text),
                                    taking_text(o->field), err);
    case OUTCOME_REFUSED:
        t->sum->refused++;
        st = store_outbox_settled(s, row->n, OUTBOX_REFUSED, taking_text(o->text),
                                  taking_text(o->field), err);
        return st ? st : pending_show(s, row->kind, &row->record, &t->work, err);
    case OUTCOME_CASE:
        t->sum->in_case++;
        return take_effect(t, row, &c, o, version, err);
    case OUTCOME_EQUAL:
        t->sum->equal++;
        return take_effect(t, row, &c, o, version, err);
    case OUTCOME_APPLIED:
    case OUTCOME_DANGLING:
        t->sum->applied++;
        return take_effect(t, row, &c, o, version, err);
    default:
        return taking_malformed("an outcome that this program does not know", err);
    }
}

/* Outcomes of sets below `before`, for this record or any: what waits there has its answer now. One
 * that waited and ended within this reply has two, the second of which counts. */
static enum ocop_status take_late_outcomes(struct taking *t, const struct id *record,
                                           uint64_t before, struct ocop_error *err)
{
    bool more = true;
    enum ocop_status st = record ? store_outbox_has(t->s, record, &more, err) : OCOP_OK;

    for (size_t i = 0; !st && more && i < t->reply->n_outcomes; i++) {
        const Ocop__Sync__Outcome *o = t->reply->outcomes[i];
        struct outbox_row row;
        bool found;
        if (o->code == OUTCOME_WAITING || o->seq >= before)
            continue;
        arena_reset(&t->late);
        st = store_outbox_one(t->s, (int64_t)o->seq, o->index, record, &t->late, &found, &row, err);
        if (st || !found || row.state != OUTBOX_WAITING)
            continue;
        st = settle(t, &row, o, 0, err);
        t->result->progress = true;
    }
    return st;
}

static enum ocop_status acknowledge(struct taking *t, const Ocop__Sync__SetOutcome *o,
                                    struct ocop_error *err)
{
    struct ocop_store *s = t->s;
    uint8_t hash[HASH_LEN];
    struct outbox_rows rows;
    uint64_t acked, before;
    bool found, follows;
    enum ocop_status st = store_sealed_acked(s, &s->me.replica, o->seq, &found, &acked, hash, err);

    if (st || !found || acked)
        return st;
    /* What is dropped with a set that the registry will not take is only what it has not taken. */
    st = store_sealed_acked(s, &s->me.replica, o->seq - 1, &follows, &before, hash, err);
    if (!st && follows && !before)
        return taking_malformed("it has a change-set without the one before it", err);
    if (!st)
        st = store_sealed_ack(s, &s->me.replica, o->seq, o->version ? o->version : 1, err);
    if (!st)
        st = store_outbox_of_set(s, o->seq, t->arena, &rows, err);
    for (size_t i = 0; !st && i < rows.count; i++) {
        if (rows.v[i].state != OUTBOX_SEALED)
            continue; /* settled before; said again after a restored registry */
        t->sum->pushed++;
        st = settle(t, &rows.v[i], outcome_of(t->reply, o->seq, rows.v[i].idx), o->version, err);
        if (!st && t->reply->n_outcomes) /* what waited comes behind it, before what follows */
            st = take_late_outcomes(t, &rows.v[i].record, o->seq, err);
    }
    t->result->progress = true;
    return st;
}

/* --- sets that were not taken ---------------------------------------------------------------- */

void taking_fail(struct taking *t, enum ocop_status status, const char *text)
{
    t->result->failed = status;
    (void)snprintf(t->result->text, sizeof t->result->text, "%s", text);
}

/* A change that makes its set one that the registry can never take is refused alone. */
static enum ocop_status take_unseal(struct taking *t, const Ocop__Sync__SetOutcome *o,
                                    struct ocop_error *err)
{
    struct outbox_rows rows;
    enum ocop_status st = OCOP_OK;

    if (t->result->unsealed)
        return OCOP_OK;
    st = store_outbox_of_set(t->s, o->seq, t->arena, &rows, err);
    if (!st && rows.count == 1) {
        Ocop__Sync__Outcome refused = OCOP__SYNC__OUTCOME__INIT;
        refused.code = OUTCOME_REFUSED;
        refused.text = o->text;
        st = settle(t, &rows.v[0], &refused, 0, err);
    }
    return st ? st : lost_unseal(t, o->seq, err);
}

/* A set by a key of before: in the history in which it was sealed the new one came later than in
 * this. It is sealed again by the one that both have, and so is what follows it. */
static enum ocop_status take_signature(struct taking *t, const Ocop__Sync__SetOutcome *o,
                                       struct ocop_error *err)
{
    const struct identity *me = &t->s->me;
    struct sealed_row row = {.seq = 0};
    bool found;
    enum ocop_status st;

    arena_reset(&t->late);
    st = store_sealed_below(t->s, &me->replica, o->seq + 1, &t->late, &found, &row, err);
    if (st || t->result->unsealed)
        return st;
    if (!found || row.seq != o->seq || row.acked ||
        changeset_verify(row.set.hash, row.set.signature, me->sign.public_key, NULL) == OCOP_OK)
        taking_fail(t, OCOP_EAUTH,
                    "the registry has another key for this device; ask for a new invitation");
    for (uint64_t seq = me->seq; !st && !t->result->failed && seq >= o->seq; seq--)
        st = lost_unseal(t, seq, err);
    return st;
}

/* A set that the registry has another of, or that does not continue what it has. */
static enum ocop_status take_parting(struct taking *t, const Ocop__Sync__SetOutcome *o,
                                     struct ocop_error *err)
{
    enum ocop_status st = lost_known(t, err);

    if (st || t->forked)
        return st;
    if (o->code == SET_FORK)
        return lost_fork(t, &t->s->me.replica, t->reply->fork_seq ? t->reply->fork_seq : o->seq,
                         err);
    taking_fail(t, OCOP_EDAMAGED,
                "this store's change-sets do not continue those of the registry; check the store");
    return OCOP_OK;
}

static enum ocop_status take_set(struct taking *t, const Ocop__Sync__SetOutcome *o,
                                 struct ocop_error *err)
{
    switch (o->code) {
    case SET_ACCEPTED:
    case SET_DUPLICATE:
        return acknowledge(t, o, err);
    case SET_FORK:
    case SET_CHAIN:
        return take_parting(t, o, err);
    case SET_MALFORMED:
    case SET_TOO_LARGE:
        return take_unseal(t, o, err);
    case SET_SIGNATURE:
        return take_signature(t, o, err);
    case SET_UNKNOWN_REPLICA:
        taking_fail(t, OCOP_ENOTENROLLED,
                    "the registry does not know this device; ask its office for a new invitation");
        return OCOP_OK;
    case SET_REVOKED:
        t->s->me.revoked = true;
        taking_fail(t, OCOP_EREVOKED, "this device was revoked; nothing on it was deleted");
        return store_meta_set_int(t->s, "revoked", 1, err);
    case SET_SUSPENDED:
        t->s->me.suspended = true;
        taking_fail(t, OCOP_ESUSPENDED, "the office suspended this device; what is recorded waits");
        return store_meta_set_int(t->s, "suspended", 1, err);
    default: /* SET_GAP, SET_RETRY, and what a newer server may say: it is sent again */
        return OCOP_OK;
    }
}

/* The registry has sets that this store never made. Where the two part is known when it has told of
 * each that this store did make: one may be another than the registry's of the same number. */
static enum ocop_status take_foreign(struct taking *t, struct ocop_error *err)
{
    size_t unacked;
    const struct id *me = &t->s->me.replica;
    enum ocop_status st = store_sealed_unacked_count(t->s, me, &unacked, err);

    return st || unacked ? st : lost_fork(t, me, t->reply->fork_seq, err);
}

enum ocop_status taking_sets(struct taking *t, struct ocop_error *err)
{
    enum ocop_status st = OCOP_OK;

    if (t->reply->has_acked_seq)
        st = lost_sets(t, t->reply->acked_seq, err);
    for (size_t i = 0; !st && i < t->reply->n_sets; i++)
        st = take_set(t, t->reply->sets[i], err);
    if (!st && !t->forked)
        st = lost_known(t, err);
    if (!st && t->reply->fork_seq && !t->forked)
        st = take_foreign(t, err);
    if (!st && !t->forked)
        st = lost_heard(t, err);
    if (!st && !t->forked)
        st = take_late_outcomes(t, NULL, UINT64_MAX, err);
    return st;
}
