/* What must hold: a little of it after every step, all of it when everything is quiet. */
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "bounds.h"
#include "oracle.h"
#include "query.h"
#include "replay.h"
#include "rights.h"
#include "store.h"
#include "stories.h"

enum { STORIES_MAX = 8 }; /* of records that are told, of those of a run */

/* --- after every step ---------------------------------------------------------------------------
 */

/* "Synced" is never shown for what the registry has not: each set that this store says was
 * acknowledged is in the log, under that version. */
static enum ocop_status acknowledged_is_there(void *self, struct id replica,
                                              const struct sealed_row *row, struct ocop_error *err)
{
    struct device *d = self;
    struct sim *s = d->sim;
    struct log_entry e;
    (void)err;
    if (!row->acked)
        return OCOP_OK;
    enum ocop_status st = log_find(s->registry, &replica, row->seq, &e, NULL);
    if (st == OCOP_ENOTFOUND || (st == OCOP_OK && memcmp(e.hash, row->set.hash, HASH_LEN) != 0))
        sim_fail(s, "acknowledged", "device %u shows set %" PRIu64 " as taken, the log lacks it",
                 d->index, row->seq);
    if (st == OCOP_OK && row->acked != e.version && row->acked != 1 && s->restores == 0)
        sim_fail(s, "acknowledged",
                 "device %u: set %" PRIu64 " as version %" PRIu64 ", it is %" PRIu64, d->index,
                 row->seq, row->acked, e.version);
    return OCOP_OK;
}

/* Within one lineage and one life of a store, sequence and cursor only grow. */
static void device_check(struct device *d)
{
    struct sim *s = d->sim;
    struct ocop_store_status status;
    if (!d->used || !d->store || d->node.disk.dead || d->busy)
        return;
    if (d->looked == d->node.disk.operations)
        return; /* nothing was written since */
    if (ocop_store_status(d->store, &status, NULL) != OCOP_OK)
        return;
    struct id replica, lineage = d->store->me.lineage;
    d->looked = d->node.disk.operations;
    memcpy(replica.b, status.replica.b, ID_LEN);
    if (id_eq(&replica, &d->replica) && id_eq(&lineage, &d->lineage)) {
        if (status.version < d->cursor)
            sim_fail(s, "backwards", "the cursor of device %u went from %" PRIu64 " to %" PRIu64,
                     d->index, d->cursor, status.version);
        /* What was sealed by a key of before, and nobody took, is sealed again. */
        if (d->store->me.seq < d->seq &&
            memcmp(d->channel_key, d->store->me.channel.public_key, CHANNEL_KEY_LEN) == 0)
            sim_fail(s, "backwards", "the sequence of device %u went from %" PRIu64 " to %" PRIu64,
                     d->index, d->seq, d->store->me.seq);
    }
    d->replica = replica;
    d->continues = d->store->me.predecessor;
    d->lineage = lineage;
    d->rekeying = d->store->me.rekeying;
    d->cursor = status.version;
    d->seq = d->store->me.seq;
    d->sim->figures.rekeyed +=
        d->channel_key[0] && /* or, seldom, a key that begins so */
        memcmp(d->channel_key, d->store->me.channel.public_key, CHANNEL_KEY_LEN) != 0;
    memcpy(d->channel_key, d->store->me.channel.public_key, CHANNEL_KEY_LEN);
    if (s->registry && !s->server.disk.dead && !d->unknown &&
        id_eq(&lineage, &s->registry->lineage))
        CHECK(store_sealed_each(d->store, acknowledged_is_there, d, NULL) != OCOP_EDAMAGED);
    files_step(d);
}

void check_step(struct sim *s)
{
    uint64_t version;
    if (s->registry && !s->server.disk.dead &&
        registry_version(s->registry, &version, NULL) == OCOP_OK) {
        if (id_eq(&s->lineage, &s->registry->lineage) && version < s->version)
            sim_fail(s, "backwards", "the log went from version %" PRIu64 " to %" PRIu64,
                     s->version, version);
        s->version = version;
        s->lineage = s->registry->lineage;
    }
    for (unsigned i = 0; i < SIM_DEVICES_MAX; i++)
        device_check(&s->devices[i]);
}

/* --- becoming quiet ----------------------------------------------------------------------------
 */

static bool syncs(const struct device *d)
{
    return d->used && !d->revoked;
}

/* A revocation whose writing failed may have been written or not. */
static void revocations(struct sim *s)
{
    for (unsigned i = 0; i < SIM_DEVICES_MAX; i++) {
        struct device *d = &s->devices[i];
        struct replica_info info;
        if (!d->used || !d->revoked)
            continue;
        CHECK(registry_replica(s->registry, &d->replica, &info, NULL) == OCOP_OK);
        if (info.known && (info.state == DEVICE_ACTIVE || info.state == DEVICE_SUSPENDED))
            d->revoked = false;
    }
}

/* All sync until none has anything to say. */
static void settle(struct sim *s)
{
    enum { ROUNDS_MAX = 25 };
    bool quiet = false;
    for (unsigned round = 0; !quiet; round++) {
        if (round == ROUNDS_MAX)
            sim_fail(s, "quiet", "after %d rounds there is still something to say", ROUNDS_MAX);
        unsigned before = s->said;
        for (unsigned i = 0; i < SIM_DEVICES_MAX; i++) {
            if (!syncs(&s->devices[i]))
                continue;
            (void)device_sync(s, &s->devices[i], NULL);
            check_step(s);
        }
        quiet = s->said == before;
    }
}

static void quiesce(struct sim *s)
{
    sim_trace(s, "all faults end");
    s->faults = 0;
    s->quiet = true;
    s->server.disk.crash_in = s->server.disk.fail_in = 0;
    s->server.disk.fail_count = 0;
    CHECK(server_up(s));
    for (unsigned i = 0; i < SIM_DEVICES_MAX; i++) {
        s->devices[i].node.disk.crash_in = s->devices[i].node.disk.fail_in = 0;
        s->devices[i].node.disk.fail_count = 0;
        if (s->devices[i].used)
            CHECK(device_up(&s->devices[i]));
    }
    check_step(s);
    revocations(s);
    office_resumes(
        s); /* before: what it refuses to a suspended device is not repeated when it comes again */
    for (unsigned i = 0; i < SIM_RECORDED_MAX; i++)
        net_repeat(s, i); /* what was still on its way arrives */
    office_introduces_root(s);
    (void)office_mends(s);
    centre_thumbs_at_the_end(s);
    settle(s);
    if (office_mends(s)) /* what was damaged while no record named it */
        settle(s);
}

/* --- stores ------------------------------------------------------------------------------------
 */

/* The registry's state of a record as the store has it. */
static bool stored(struct device *d, const struct kept *k, struct fields *out)
{
    struct outbox_rows rows;
    uint64_t version;
    bool found = false;
    if (store_outbox_of(d->store, &k->id, &d->sim->work, &rows, NULL) != OCOP_OK)
        return false;
    if (rows.count) {
        CHECK(store_base(d->store, &k->id, &d->sim->work, &found, out, &version, NULL) == OCOP_OK);
        return found;
    }
    if (store_record_exists(d->store, k->kind, &k->id, &found, NULL) != OCOP_OK || !found)
        return false;
    return store_record(d->store, k->kind, &k->id, &d->sim->work, out, &version, NULL) == OCOP_OK;
}

static void stored_equals(struct device *d, const struct oracle *o, const struct kept *k)
{
    unsigned reading = oracle_reading(o, &d->replica);
    const struct kind *kind = kind_by_number(k->kind);
    const char *name = kind ? kind->name : "unknown";
    struct fields f;
    size_t want = 0;
    char id[ID_TEXT_LEN + 1], path[160];
    if (!stored(d, k, &f))
        sim_fail(d->sim, "store", "device %u lacks %s %s of version %" PRIu64, d->index, name,
                 id_text(k->id, id), k->version);
    for (const struct path *p = k->paths; p; p = p->next) {
        const struct field *is = fields_find(&f, p->number, p->key);
        if (p->now->value.op != FIELD_SET || !rights_field_readable(kind, p->number, reading))
            continue;
        want++;
        if (!is || !field_value_equal(is, &p->now->value))
            sim_fail(d->sim, "store",
                     "device %u has another %s of %s %s than the registry since %" PRIu64, d->index,
                     field_path(kind, &p->now->value, path, sizeof path), name, id_text(k->id, id),
                     p->now->version);
    }
    if (f.count != want)
        sim_fail(d->sim, "store", "device %u has %zu fields of %s %s, the registry %zu", d->index,
                 f.count, name, id_text(k->id, id), want);
}

/* Nothing that left the scope stays, but for what the officer has not sent or was refused. */
static void nothing_else_of(struct device *d, const struct oracle *o, uint32_t kind)
{
    struct id *ids = NULL;
    size_t count = 0;
    CHECK(store_record_ids(d->store, kind, NULL, &d->sim->work, &ids, &count, NULL) == OCOP_OK);
    for (size_t n = 0; n < count; n++) {
        const struct kept *k = oracle_record(o, kind, &ids[n]);
        bool pending = false;
        char id[ID_TEXT_LEN + 1];
        CHECK(store_outbox_has(d->store, &ids[n], &pending, NULL) == OCOP_OK);
        if (!pending && (!k || !oracle_receives(o, &d->replica, k)))
            sim_fail(d->sim, "store", "device %u still has %s of kind %u, which %s", d->index,
                     id_text(ids[n], id), kind,
                     k ? "is outside its scope" : "the registry does not have");
    }
}

static void nothing_else(struct device *d, const struct oracle *o)
{
    for (size_t i = 0; i < kind_count(); i++)
        nothing_else_of(d, o, kind_at(i)->number);
    if (d->sim->strange.kind)
        nothing_else_of(d, o, d->sim->strange.kind);
}

static void cases_equal(struct device *d, const struct oracle *o, const struct kept *k)
{
    struct case_row *rows;
    size_t count;
    char id[ID_TEXT_LEN + 1], other[ID_TEXT_LEN + 1];
    CHECK(store_cases_of(d->store, &k->id, &d->sim->work, &rows, &count, NULL) == OCOP_OK);
    for (const struct opened *c = o->cases; c; c = c->next) {
        size_t i = 0;
        if ((c->record != k && !id_eq(&c->other, &k->id)) ||
            !rights_field_readable(kind_by_number(c->record->kind), c->mine.number,
                                   oracle_reading(o, &d->replica)))
            continue;
        while (i < count && !id_eq(&rows[i].id, &c->id))
            i++;
        if (i == count && !c->closed)
            sim_fail(d->sim, "store",
                     "device %u does not know case %s, cause %d of %" PRIu64 ", of its record %s%s",
                     d->index, id_text(c->id, id), (int)c->cause, c->version, id_text(k->id, other),
                     c->record == k ? "" : ", the other one");
        if (i < count && (rows[i].resolution != NULL) != (c->closed != 0))
            sim_fail(d->sim, "store", "device %u: case %s is %s in the registry", d->index,
                     id_text(c->id, id), c->closed ? "closed" : "open");
    }
    for (size_t i = 0; i < count; i++) {
        const struct opened *c = o->cases;
        while (c && !id_eq(&c->id, &rows[i].id))
            c = c->next;
        if (!c && !rows[i].resolution)
            sim_fail(d->sim, "store", "device %u shows case %s, the registry has none", d->index,
                     id_text(rows[i].id, id));
    }
}

static void found(void *self, const char *finding)
{
    struct device *d = self;
    sim_trace(d->sim, "device %u: %s", d->index, finding);
    d->files_findings += strncmp(finding, "file ", 5) == 0;
}

/* When all is quiet nothing is left to be sent, and no draft is there that nobody made. */
static void queue_check(struct device *d)
{
    unsigned count[OUTBOX_WAITING + 1] = {0}, drafts = 0;
    for (const struct draft_seen *draft = d->drafts; draft; draft = draft->next)
        drafts++;
    CHECK(store_outbox_count(d->store, count, NULL) == OCOP_OK);
    if (count[OUTBOX_READY] || count[OUTBOX_SEALED])
        sim_fail(d->sim, "queue", "device %u has %u changes to seal and %u to send", d->index,
                 count[OUTBOX_READY], count[OUTBOX_SEALED]);
    if (count[OUTBOX_DRAFT] > drafts && !d->tainted)
        sim_fail(d->sim, "queue", "device %u has %u drafts, its officer made %u", d->index,
                 count[OUTBOX_DRAFT], drafts);
}

static void store_check(struct device *d, const struct oracle *o)
{
    struct ocop_store_status status;
    struct ocop_error err = {0};
    unsigned findings = 0;
    CHECK(ocop_store_status(d->store, &status, &err) == OCOP_OK);
    memcpy(d->replica.b, status.replica.b, ID_LEN);
    if (!id_eq(&d->store->me.lineage, &d->sim->registry->lineage))
        sim_fail(d->sim, "store", "device %u is of another lineage", d->index);
    for (const struct kept *k = o->records; k; k = k->next) {
        if (!oracle_receives(o, &d->replica, k))
            continue;
        stored_equals(d, o, k);
        cases_equal(d, o, k);
        arena_reset(&d->sim->work);
    }
    nothing_else(d, o);
    queue_check(d);
    files_before_check(d);
    enum ocop_status st = ocop_check(d->store, found, d, &findings, &err);
    if (d->bare || d->rubbish)
        findings -= d->files_findings;
    if (st != OCOP_OK || findings)
        sim_fail(d->sim, "store", "device %u: the check says %s, %u findings", d->index,
                 err_name(st), findings);
    arena_reset(&d->sim->work);
}

/* --- the log against what officers did ---------------------------------------------------------
 */

static bool same_content(const struct change *c, const struct submission *sub)
{
    if (sub->fields.count == 0)
        return true; /* nobody knows what it was to say */
    if (c->fields.count != sub->fields.count)
        return false;
    for (size_t i = 0; i < c->fields.count; i++) {
        const struct field *f = &c->fields.v[i], *g = &sub->fields.v[i];
        if (field_cmp(f, g) != 0 || f->op != g->op ||
            (f->op == FIELD_SET && !field_value_equal(f, g)))
            return false;
    }
    return true;
}

/* A creation that was refused, or that a disk failed, may have been submitted again. First comes
 * one that may still be in the log, then one that says the same, then one that may, then one that
 * no older state of its store can have taken back. */
static int likely(const struct submission *sub, const struct change *c)
{
    const bool unknown = sub->fields.count == 0, same = !unknown && same_content(c, sub);
    return (sub->found && !sub->twice ? 0 : 32) + (unknown || same ? 16 : 0) + (same ? 8 : 0) +
           (sub->excused ? 0 : 4) + (sub->acknowledged ? 2 : 0) + (sub->found ? 0 : 1);
}

static struct submission *submission_of(struct sim *s, const struct change *c)
{
    struct submission *found = NULL;
    for (size_t i = 0; i < s->submissions.count; i++) {
        struct submission *sub = &s->submissions.v[i];
        if (sub->verb != c->verb ||
            (id_is_zero(&sub->record) ? !files_named(sub, c) : !id_eq(&sub->record, &c->record)))
            continue;
        if (c->verb != VERB_CREATE && !span_eq(c->reason, span_str(sub->token)))
            continue;
        if (!found || likely(sub, c) > likely(found, c))
            found = sub;
    }
    return found;
}

/* What the change was based on, a base of a lost history being the place where it parted. */
static uint64_t based_on(const struct entry *e, const struct submission *sub, const struct path *p)
{
    const struct field *f = fields_find(&e->set.changes.v[sub->index].fields, p->number, p->key);
    return f ? f->base : 0;
}

/* A value that stood and was another's is replaced: its author must have had it on the screen, or,
 * after a restore, what came after it and was lost. */
static void not_unseen(struct oracle *o, const struct entry *e, const struct submission *sub,
                       const struct kept *k, const struct path *p)
{
    const struct kind *kind = kind_by_number(k->kind);
    const struct field_rule *rule = kind ? kind_field(kind, p->number) : NULL;
    char path[160];
    for (const struct told *t = p->now; t; t = t->before) {
        if (!id_eq(&t->replica, &e->set.replica) || t->seq != e->set.seq || !t->before ||
            t->version != sub->version || t->index != sub->index)
            continue;
        const struct field *was = fields_find(&sub->before, p->number, p->key);
        const struct field *stood = &t->before->value;
        const struct kept *who = oracle_record(o, KIND_REPLICA, &t->before->replica);
        const struct kept *me = oracle_record(o, KIND_REPLICA, &e->set.replica);
        const struct field *a = who ? kept_get(who, 14, span_of(NULL, 0)) : NULL;
        const struct field *b = me ? kept_get(me, 14, span_of(NULL, 0)) : NULL;
        enum merge_rule merge = rule ? rule->merge : MERGE_HOLD;
        bool mine = a && b && span_eq(a->bytes, b->bytes); /* the same device's channel key */
        bool gone = stood->op != FIELD_SET, absent = !was || was->op != FIELD_SET;
        if (o->sim->restores && t->before->version <= based_on(e, sub, p))
            continue;
        if (mine || merge == MERGE_LAST || merge == MERGE_UNION || (gone && absent) ||
            (!gone && !absent && field_value_equal(stood, was)))
            continue;
        sim_fail(o->sim, "overwritten",
                 "%s of a %s: %s (device %u) replaced what version %" PRIu64
                 " had set and nobody had seen",
                 field_path(kind, stood, path, sizeof path), kind->name, sub->token, sub->device,
                 t->before->version);
    }
}

/* Nothing is taken in of a device that may not send, as the log had it by then. */
static void may_send(const struct oracle *o, const struct entry *e, uint64_t version)
{
    const struct kept *who = oracle_record(o, KIND_REPLICA, &e->set.replica);
    const struct told *state = NULL;
    for (const struct path *p = who ? who->paths : NULL; p && !state; p = p->next)
        for (state = p->number == REPLICA_STATE ? p->now : NULL;
             state && state->version >= version;)
            state = state->before;
    if (!state || span_eq(state->value.bytes, span_str("active")) ||
        span_eq(state->value.bytes, span_str("wipe")))
        return;
    sim_fail(o->sim, "revoked", "version %" PRIu64 " is of a device that was %.*s at %" PRIu64,
             version, (int)state->value.bytes.len, (const char *)state->value.bytes.p,
             state->version);
}

/* Of a store and its copy each may have brought, under one name and in histories of which the last
 * restore joined none to the other, what the other one then brings under a second name. */
static bool may_be_twice(const struct sim *s, const struct submission *sub)
{
    return sub->twice || (s->devices[sub->device].tainted && s->restores > 1);
}

static void change_check(struct oracle *o, uint64_t version, uint32_t index)
{
    struct sim *s = o->sim;
    const struct entry *e = &o->log[version - 1];
    const struct change *c = &e->set.changes.v[index];
    struct submission *sub = submission_of(s, c);
    if (!sub)
        sim_fail(s, "invented", "%" PRIu64 ".%u was never submitted", version, index);
    sub->at = version;
    sub->version = e->decided[index].changed;
    sub->index = index;
    if (++sub->found > 1 && !may_be_twice(s, sub))
        sim_fail(s, "twice", "%s of device %u is in the log %u times, last at %" PRIu64 ".%u",
                 *sub->token ? sub->token : "a creation", sub->device, sub->found, version, index);
    if (!sub->acknowledged || sub->fields.count == 0)
        return;
    if (!same_content(c, sub) && !(c->verb == VERB_CREATE && sub->found > 1))
        sim_fail(s, "altered", "%s of device %u says something else in the log, %" PRIu64 ".%u",
                 *sub->token ? sub->token : "a creation", sub->device, version, index);
    if (sub->clean && s->restores == 0 && c->verb != VERB_CREATE) {
        for (size_t i = 0; i < c->fields.count; i++)
            if (c->fields.v[i].base != sub->seen)
                sim_fail(s, "base", "%s of device %u: based on %" PRIu64 ", seen was %" PRIu64,
                         sub->token, sub->device, c->fields.v[i].base, sub->seen);
        for (const struct opened *k = o->cases; k; k = k->next)
            if (k->cause == CASE_FIELD && k->version == version && k->index == index &&
                k->theirs_version <= sub->seen)
                sim_fail(s, "needless", "%s of device %u opened a case against what it had seen",
                         sub->token, sub->device);
    }
    const struct kept *k = oracle_record(o, c->kind, &c->record);
    for (const struct path *p = k ? k->paths : NULL; p; p = p->next)
        not_unseen(o, e, sub, k, p);
}

/* Of a submission nobody knows what it says: one of those that were counted for another of the
 * record, more often than that was submitted there, or than it must have come, may be this. */
static void found_elsewhere(struct sim *s, struct submission *sub)
{
    for (size_t i = 0; i < s->submissions.count && !sub->found; i++) {
        struct submission *other = &s->submissions.v[i];
        if (other == sub || other->found < (other->excused ? 1 : 2) || other->verb != sub->verb ||
            s->devices[other->device].family != s->devices[sub->device].family ||
            !id_eq(&other->record, &sub->record))
            continue;
        other->found--;
        sub->found = 1;
        sub->at = other->at;
        sub->index = other->index;
        sub->version = other->version;
    }
}

static void log_check(struct oracle *o)
{
    struct sim *s = o->sim;
    for (uint64_t v = 1; v <= o->count; v++) {
        const struct entry *e = &o->log[v - 1];
        const struct kept *who = oracle_record(o, KIND_REPLICA, &e->set.replica);
        const struct field *type = who ? kept_get(who, 10, span_of(NULL, 0)) : NULL;
        if (!type || !span_eq(type->bytes, span_str("device")))
            continue;
        may_send(o, e, v);
        for (uint32_t i = 0; i < e->set.changes.count; i++)
            change_check(o, v, i);
    }
    for (size_t i = 0; i < s->submissions.count; i++) {
        struct submission *sub = &s->submissions.v[i];
        if (!sub->found && sub->fields.count == 0)
            found_elsewhere(s, sub);
        if (sub->acknowledged && !sub->found && !sub->excused && !s->devices[sub->device].revoked)
            sim_fail(s, "lost", "%s of device %u, submitted at step %u, is not in the log",
                     *sub->token ? sub->token : "a creation", sub->device, sub->step);
    }
}

/* A draft that a store and its copy both held was submitted in both: which of them a creation in
 * the log is of, nobody can say. */
static bool of_either_copy(const struct sim *s, const struct submission *sub)
{
    for (size_t i = 0; i < s->submissions.count && sub->verb == VERB_CREATE; i++) {
        const struct submission *other = &s->submissions.v[i];
        if (other->verb == VERB_CREATE && other->device != sub->device &&
            id_eq(&other->record, &sub->record))
            return true;
    }
    return false;
}

/* The last thing an officer did to a record was refused, or waits: the record says so. */
static void told_so(struct oracle *o)
{
    struct sim *s = o->sim;
    for (size_t i = 0; i < s->submissions.count; i++) {
        const struct submission *sub = &s->submissions.v[i];
        const struct device *d = &s->devices[sub->device];
        struct ocop_record_status *status;
        struct ocop_id id;
        bool last = sub->found > 0 && !sub->twice && !sub->dropped && !d->revoked &&
                    !of_either_copy(s, sub);
        for (size_t n = i + 1; n < s->submissions.count; n++)
            last = last && !(s->submissions.v[n].device == sub->device &&
                             id_eq(&s->submissions.v[n].record, &sub->record));
        if (!last)
            continue;
        enum outcome_code code = o->log[sub->at - 1].decided[sub->index].code;
        if (code != OUTCOME_REFUSED && code != OUTCOME_WAITING)
            continue;
        memcpy(id.b, sub->record.b, ID_LEN);
        if (ocop_record_status(d->store, &id, &status, NULL) != OCOP_OK)
            sim_fail(s, "untold", "device %u has nothing of a change that was refused", d->index);
        if ((code == OUTCOME_REFUSED && (status->state != OCOP_REFUSED || !*status->reason)) ||
            (code == OUTCOME_WAITING && !status->waiting))
            sim_fail(s, "untold", "device %u shows state %d for %s, its outcome is %d", d->index,
                     status->state, *sub->token ? sub->token : "a creation", (int)code);
        ocop_record_status_free(status);
    }
}

/* --- the registry itself -----------------------------------------------------------------------
 */

/* Repeating any exchange changes nothing. */
static void repeat_all(struct sim *s)
{
    uint8_t before[HASH_LEN], after[HASH_LEN];
    CHECK(registry_dump(s->registry, NULL, NULL, before, NULL) == OCOP_OK);
    for (unsigned i = 0; i < SIM_RECORDED_MAX; i++)
        net_repeat(s, i);
    CHECK(registry_dump(s->registry, NULL, NULL, after, NULL) == OCOP_OK);
    if (memcmp(before, after, HASH_LEN) != 0)
        sim_fail(s, "repeated", "old requests, repeated, changed the registry");
}

static void registry_check(struct sim *s)
{
    struct replay_result result;
    struct ocop_error err = {0};
    char scratch[DISK_PATH_MAX + 32], why[400];
    size_t told;
    snprintf(scratch, sizeof scratch, "%s/again.db", s->server.disk.dir);
    if (replay_check(s->registry, s->keys.root.public_key, &result, &err) != OCOP_OK)
        sim_fail(s, "log", "%s", err.text);
    template_put(scratch, true);
    if (query_sums(s->registry, QUERY_SUMS_OWN, &err) != OCOP_OK ||
        query_sums(s->registry, QUERY_SUMS_LOG, &err) != OCOP_OK)
        sim_fail(s, "sums", "%s", err.text);
    if (replay_compare(s->registry, scratch, &result, &err) != OCOP_OK)
        sim_fail(s, "replay", "%s", err.text);
    if (!stories_hold(s->registry, STORIES_MAX, &told, why, sizeof why))
        sim_fail(s, "evidence", "%s", why);
    CHECK(told > 0);
}

void check_all(struct sim *s)
{
    struct oracle o;
    struct arena a;
    quiesce(s);
    arena_init(&a, MIB(512));
    repeat_all(s);
    registry_check(s);
    oracle_run(&o, s, &a);
    oracle_compare(&o);
    log_check(&o);
    for (unsigned i = 0; i < SIM_DEVICES_MAX; i++)
        if (syncs(&s->devices[i]))
            store_check(&s->devices[i], &o);
    told_so(&o);
    files_check_all(&o);
    arena_fini(&a);
}
