/* Applying an accepted change-set: the registry as a function of the log. Every change gets an
 * outcome of its own and none stops those behind it. Everything here depends on the log alone
 * (the set, its position, its time of receipt), so that replay gives the same registry. */
#include "apply.h"

#include <stdio.h>

#include "bounds.h"
#include "cache.h"
#include "feed.h"
#include "ingest.h"
#include "registry_stmts.h"

static enum ocop_status outcome_refused(struct apply *p)
{
    p->outcome = OUTCOME_REFUSED;
    return OCOP_OK;
}

enum ocop_status apply_refuse(struct apply *p, const char *field, const char *text)
{
    err_field(&p->why, OCOP_EPERM, field, "%s", text);
    return outcome_refused(p);
}

/* A check that failed: the author's fault becomes a refusal, ours stays a failure. It fills `why`.
 */
static enum ocop_status judged(struct apply *p, enum ocop_status st)
{
    if (st == OCOP_EINVAL || st == OCOP_ELIMIT || st == OCOP_EPERM || st == OCOP_EPROTO)
        return outcome_refused(p);
    if (st != OCOP_OK && p->err)
        *p->err = p->why;
    return st;
}

static enum ocop_status outcome_store(struct apply *p)
{
    /* "Applied" is stored only where it replaces an earlier outcome of a change that waited. */
    if (p->outcome == OUTCOME_APPLIED && !p->woken)
        return OCOP_OK;
    sqlite3_stmt *s = registry_stmt(p->r, SQL_OUTCOME_SET, p->err);
    if (!s)
        return OCOP_EDB;
    bool told = p->outcome != OUTCOME_APPLIED && p->why.text[0];
    sqlite3_bind_int64(s, 1, (sqlite3_int64)p->set_version);
    sqlite3_bind_int64(s, 2, p->index);
    sqlite3_bind_int(s, 3, (int)p->outcome);
    if (told) {
        sqlite3_bind_text(s, 4, p->why.field, -1, SQLITE_STATIC);
        sqlite3_bind_text(s, 5, p->why.text, -1, SQLITE_STATIC);
    } else {
        sqlite3_bind_null(s, 4);
        sqlite3_bind_null(s, 5);
    }
    sqlite3_bind_int64(s, 6, (sqlite3_int64)p->version);
    bind_span(s, 7, id_span(&p->set->replica));
    sqlite3_bind_int64(s, 8, (sqlite3_int64)p->set->seq);
    bind_span(s, 9, id_span(&p->change->record));
    return registry_done(p->r, s, "storing an outcome", p->err);
}

/* --- permission ----------------------------------------------------------------------------------
 */

static const struct field *get(const struct fields *f, uint32_t number)
{
    const struct field *v = fields_find(f, number, span_of(NULL, 0));
    return v && v->op == FIELD_SET ? v : NULL;
}

/* A record that is assigned to the device by itself may stay where it lies. */
static enum ocop_status check_assigned(struct apply *p, const struct id *unit, bool *inside)
{
    *inside = id_eq(unit, &p->unit_assigned);
    if (*inside || !id_is_zero(&p->unit_assigned))
        return OCOP_OK;
    enum ocop_status st =
        scope_has_record(p->r, &p->set->replica, &p->change->record, inside, p->err);
    if (*inside)
        p->unit_assigned = *unit;
    return st;
}

/* Is the record's unit, before and after the change, one that this device may write? */
static enum ocop_status check_scope(struct apply *p, const struct fields *record)
{
    bool inside = true;
    struct id unit = {{0}};
    const struct field *f = get(record, FIELD_UNIT);
    if ((p->kind && p->kind->reference) || strcmp(p->replica.type, "device") != 0)
        return OCOP_OK;
    if (!f || !id_from(f->bytes, &unit)) /* a kind of later programs may go to nobody */
        return p->kind ? apply_refuse(p, "unit_id", "is missing") : OCOP_OK;
    if (id_eq(&unit, &p->unit_seen))
        return OCOP_OK;
    enum ocop_status st = scope_has(p->r, &p->set->replica, &unit, &inside, p->err);
    if (st == OCOP_OK && inside)
        p->unit_seen = unit;
    if (st == OCOP_OK && !inside)
        st = check_assigned(p, &unit, &inside);
    if (st == OCOP_OK && !inside)
        return apply_refuse(p, "unit_id", "lies outside the units of this device");
    return st;
}

static enum ocop_status check_author(struct apply *p, const struct fields *state, bool creates)
{
    bool device = strcmp(p->replica.type, "device") == 0;
    const struct field *officer = get(creates ? &p->change->fields : state, FIELD_OFFICER);
    bool own = officer && span_eq(officer->bytes, id_span(&p->replica.officer));
    if (device && !id_eq(&p->change->author, &p->replica.officer))
        return apply_refuse(p, "", "the author is not the officer of this device");
    if (device && creates && !own)
        return apply_refuse(p, "officer_id", "is not the officer of this device");
    if (!p->kind)
        return p->change->case_id.len && !(p->roles & (ROLE_RECONCILER | ROLE_ADMINISTRATOR))
                   ? apply_refuse(p, "", "only central staff may resolve a case")
                   : OCOP_OK;
    return judged(p, rules_permit(p->kind, p->change, p->roles, own, &p->why));
}

static enum ocop_status check_rules(struct apply *p, const struct fields *record)
{
    struct rules_lookup lookup = {.code = cache_code, .self = p->r};
    if (!p->kind)
        return OCOP_OK;
    enum ocop_status st = cache_codes_load(p->r, p->err);
    if (st != OCOP_OK)
        return st; /* ours, and no reason to refuse or to accept */
    return judged(p, rules_check(p->kind, record, RULES_SUBMIT, &lookup, &p->why));
}

/* Many may add to one record, each within the limits of a change. What it has become must still fit
 * a row and a page, where nobody could leave it out. Voiding is let go further than all else: what
 * has grown too large can still be put right. */
static enum ocop_status check_size(struct apply *p, const struct fields *record)
{
    bool voids = p->change->verb == VERB_VOID;
    size_t bytes = voids ? 0 : STATE_SPARE, count = record->count + (voids ? 0 : FIELDS_SPARE);
    size_t items = 0, unknown = 0;
    for (size_t i = 0; i < record->count; i++) {
        const struct field *f = &record->v[i];
        bool first = i == 0 || f[-1].number != f->number;
        bytes += f->op == FIELD_SET ? f->bytes.len : 0;
        unknown += first && f->number > FIELD_NUMBER_KNOWN_MAX;
        items = first ? 1 : items + 1;
        if (items > LIST_ITEMS_MAX)
            return apply_refuse(p, "", "one of the record's lists would have too many elements");
    }
    if (bytes > STATE_BYTES_MAX || count > FIELDS_MAX)
        return apply_refuse(p, "", "the record would become too large");
    if (unknown > FIELDS_UNKNOWN_MAX)
        return apply_refuse(p, "",
                            "the record has too many fields that this registry does not know");
    return OCOP_OK;
}

/* --- the change itself ---------------------------------------------------------------------------
 */

static void note_kind(struct apply *p)
{
    cache_note(p->r, p->change->kind, &p->change->record);
    if (p->change->kind == KIND_UNIT || p->change->kind == KIND_REPLICA)
        p->fx->scope_dirty = true;
    if (p->change->kind == KIND_CODE_LIST)
        cache_codes_changed(p->r);
    if (p->change->kind == KIND_OFFICER)
        cache_officer_changed(p->r, &p->change->record);
}

/* Give the fields of a new record their version as "last changed at". */
static enum ocop_status fields_at(struct apply *p, struct fields *out)
{
    const struct fields *in = &p->change->fields;
    out->v = arena_calloc(p->a, in->count + 1, sizeof *out->v);
    out->count = 0;
    if (!out->v)
        return err_nomem(p->err);
    for (size_t i = 0; i < in->count; i++) {
        if (in->v[i].op != FIELD_SET)
            continue;
        out->v[out->count] = in->v[i];
        out->v[out->count++].base = p->version;
    }
    return OCOP_OK;
}

/* What a new record has to do with others. `moved`: its unit is not the one that its author wrote.
 */
static enum ocop_status settle_created(struct apply *p, const struct fields *record, bool moved)
{
    enum ocop_status st = OCOP_OK;
    note_kind(p);
    if (moved)
        st = attached_note(p, record);
    if (st == OCOP_OK)
        st = check_references(p, record);
    if (st == OCOP_OK)
        st = check_collisions(p, record);
    if (st == OCOP_OK && p->fx->dangling_any)
        st = settle_references(p, &p->change->record);
    if (st == OCOP_OK && p->fx->dangling_any)
        st = attached_meet(p, record);
    return st;
}

/* *exists: a record of this id is there already, and nothing was done. */
static enum ocop_status create(struct apply *p, bool *exists)
{
    struct fields record;
    bool moved = false;
    *exists = false;
    enum ocop_status st = fields_at(p, &record);
    if (st == OCOP_OK)
        st = attached_place(p, &record, &moved);
    if (st == OCOP_OK)
        st = check_author(p, &record, true);
    if (st == OCOP_OK && p->outcome == OUTCOME_APPLIED)
        st = check_scope(p, &record);
    if (st == OCOP_OK && p->outcome == OUTCOME_APPLIED)
        st = check_rules(p, &record);
    if (st == OCOP_OK && p->outcome == OUTCOME_APPLIED)
        st = check_size(p, &record);
    if (st != OCOP_OK || p->outcome != OUTCOME_APPLIED)
        return st;
    struct row_meta meta = {.version = p->version, .born = p->version};
    st = scope_anchor(p->r, p->change->kind, &record, &meta.anchor, p->err);
    if (st != OCOP_OK)
        return st;
    st = row_insert(p->r->rows, p->change->kind, &p->change->record, &record, &meta, NULL, &p->why);
    *exists = st == OCOP_ESTATE;
    if (*exists)
        return OCOP_OK;
    st = judged(p, st);
    if (st != OCOP_OK || p->outcome != OUTCOME_APPLIED)
        return st;
    p->born = p->version;
    return settle_created(p, &record, moved);
}

enum ocop_status departure_note(struct apply *p, const struct id *anchor)
{
    sqlite3_stmt *s = registry_stmt(p->r, SQL_DEPARTURE_ADD, p->err);
    if (!s)
        return OCOP_EDB;
    bind_span(s, 1, id_span(anchor));
    sqlite3_bind_int64(s, 2, (sqlite3_int64)p->version);
    sqlite3_bind_int64(s, 3, p->change->kind);
    bind_span(s, 4, id_span(&p->change->record));
    return registry_done(p->r, s, "noting a departure", p->err);
}

/* A record that was voided is one again, with all its keys. */
static bool comes_back(const struct fields *state, const struct fields *applied)
{
    const struct field *before = get(state, FIELD_VOIDED);
    const struct field *voided = fields_find(applied, FIELD_VOIDED, span_of(NULL, 0));
    return before && before->i && voided && (voided->op == FIELD_CLEAR || voided->i == 0);
}

static enum ocop_status store_merged(struct apply *p, const struct fields *state,
                                     struct merge_out *merged, struct row_meta *meta)
{
    struct id before = meta->anchor;
    enum ocop_status st =
        scope_anchor(p->r, p->change->kind, &merged->state, &meta->anchor, p->err);
    meta->version = p->version;
    if (st == OCOP_OK)
        st = judged(p, row_update(p->r->rows, p->change->kind, &p->change->record, &merged->state,
                                  meta, &p->why));
    if (st != OCOP_OK || p->outcome != OUTCOME_APPLIED)
        return st;
    st = history_keep(p, state, &merged->applied);
    if (st == OCOP_OK)
        st = authors_note(p, state, &merged->applied);
    if (st == OCOP_OK && !id_eq(&before, &meta->anchor))
        st = departure_note(p, &before);
    if (st == OCOP_OK)
        st = check_references(p, &merged->applied);
    if (st == OCOP_OK)
        st = check_collisions(p, comes_back(state, &merged->applied) ? &merged->state
                                                                     : &merged->applied);
    if (st == OCOP_OK)
        st = attached_follow(p, state, &merged->applied);
    note_kind(p);
    return st;
}

/* Who may resolve cases of a record may do so by a change of that record. */
static enum ocop_status check_case(struct apply *p)
{
    bool is_of = true;
    enum ocop_status st = p->change->case_id.len ? case_is_of(p, &is_of) : OCOP_OK;
    return st == OCOP_OK && !is_of
               ? apply_refuse(p, "", "the case that it names is not one of this record")
               : st;
}

/* The merged record breaks a rule. If the author had seen everything it is the author's doing;
 * else two valid edits do not fit together, and a person must see both. */
static enum ocop_status invalid_merge(struct apply *p, const struct fields *state,
                                      const struct merge_out *merged)
{
    bool seen = merged->applied.count == 0;
    const struct ocop_error why = p->why;
    enum ocop_status st = seen ? OCOP_OK : saw_all(p, state, &seen);
    if (st != OCOP_OK || seen)
        return st; /* stays refused */
    p->outcome = OUTCOME_CASE;
    st = cases_room(p, 1);
    if (st != OCOP_OK || p->outcome == OUTCOME_REFUSED)
        return st;
    p->why = why;
    const struct field *mine = &merged->applied.v[0];
    st = case_open(p, CASE_INVALID, mine, fields_find(state, mine->number, mine->key), NULL);
    /* the case is news of the record, for who has seen it already */
    return st == OCOP_OK
               ? row_touch(p->r->rows, p->change->kind, &p->change->record, p->version, p->err)
               : st;
}

static enum ocop_status conflicts_open(struct apply *p, const struct merge_out *merged)
{
    enum ocop_status st = OCOP_OK;
    for (size_t i = 0; st == OCOP_OK && i < merged->conflict_count; i++)
        st = case_open(p, merged->conflicts[i].cause, &merged->conflicts[i].mine,
                       merged->conflicts[i].theirs, NULL);
    return st;
}

static enum ocop_status finish_merge(struct apply *p, const struct fields *state,
                                     struct merge_out *merged, struct row_meta *meta)
{
    bool resolves = p->change->case_id.len == ID_LEN;
    enum ocop_status st = OCOP_OK;
    if (merged->applied.count)
        st = store_merged(p, state, merged, meta);
    if (st == OCOP_OK && p->outcome == OUTCOME_REFUSED)
        return st;
    if (st == OCOP_OK)
        st = conflicts_open(p, merged);
    if (st == OCOP_OK && (merged->applied.count || resolves))
        st = cases_settle(p, &merged->state, resolves && merged->conflict_count == 0);
    if (st == OCOP_OK && !merged->applied.count && (merged->conflict_count || resolves))
        st = row_touch(p->r->rows, p->change->kind, &p->change->record, p->version, p->err);
    if (st == OCOP_OK && merged->equal && !resolves)
        p->outcome = OUTCOME_EQUAL;
    return st;
}

static enum ocop_status merge_existing(struct apply *p, const struct fields *state,
                                       struct row_meta *meta)
{
    struct merge_out merged = {.conflict_count = 0};
    struct merge_in in = {p->kind, state, p->change, p->version, own_value, p};
    enum ocop_status st = merge_change(&in, p->a, &merged, p->err);
    const size_t cases = merged.conflict_count + collisions_most(p, &merged.applied);
    if (st == OCOP_OK && cases &&
        !p->change->case_id.len) /* who resolves one is not kept from it */
        st = cases_room(p, cases);
    if (st == OCOP_OK && p->outcome == OUTCOME_APPLIED && merged.applied.count) {
        st = check_scope(p, &merged.state);
        if (st == OCOP_OK && p->outcome != OUTCOME_APPLIED)
            return OCOP_OK; /* moved out of the device's units: nobody else's doing */
        if (st == OCOP_OK)
            st = check_rules(p, &merged.state);
        if (st == OCOP_OK && p->outcome != OUTCOME_APPLIED)
            return invalid_merge(p, state, &merged);
        if (st == OCOP_OK)
            st = check_size(p, &merged.state);
        if (st == OCOP_OK && p->outcome == OUTCOME_APPLIED)
            st = attached_check(p, state, &merged.applied);
    }
    if (st != OCOP_OK || p->outcome != OUTCOME_APPLIED)
        return st;
    return finish_merge(p, state, &merged, meta);
}

static enum ocop_status change_existing(struct apply *p)
{
    struct fields state;
    struct row_meta meta;
    p->fx->beyond = true;
    enum ocop_status st =
        row_load(p->r->rows, p->change->kind, &p->change->record, p->a, &state, &meta, p->err);
    if (st == OCOP_ENOTFOUND)
        return wait_for_record(p);
    p->born = meta.born;
    if (st == OCOP_OK)
        st = check_author(p, &state, false);
    if (st == OCOP_OK && p->outcome == OUTCOME_APPLIED)
        st = check_scope(p, &state);
    if (st == OCOP_OK && p->outcome == OUTCOME_APPLIED)
        st = check_case(p);
    if (st != OCOP_OK || p->outcome != OUTCOME_APPLIED)
        return st;
    return merge_existing(p, &state, &meta);
}

/* A creation of what is there amends it, as far as it differs. Who creates has seen nothing,
 * whatever bases it names; its own versions are no others' all the same. */
static enum ocop_status create_existing(struct apply *p)
{
    struct fields state;
    struct row_meta meta;
    const struct change *created = p->change;
    struct change amended = *created;
    struct field *v = arena_calloc(p->a, created->fields.count + 1, sizeof *v);
    if (!v)
        return err_nomem(p->err);
    enum ocop_status st =
        row_load(p->r->rows, created->kind, &created->record, p->a, &state, &meta, p->err);
    if (st != OCOP_OK)
        return st;
    amended.verb = VERB_AMEND;
    amended.base = 0;
    amended.fields = (struct fields){v, 0};
    for (size_t i = 0; i < created->fields.count; i++) {
        const struct field *f = &created->fields.v[i],
                           *old = fields_find(&state, f->number, f->key);
        bool gone = !old || old->op == FIELD_CLEAR;
        if (field_follows(created->kind, f->number) ||
            (gone ? f->op == FIELD_CLEAR : f->op == FIELD_SET && field_value_equal(f, old)))
            continue;
        v[amended.fields.count] = *f;
        v[amended.fields.count++].base = 0;
    }
    if (amended.fields.count == 0 && !created->case_id.len) {
        p->outcome = OUTCOME_EQUAL;
        return OCOP_OK;
    }
    p->change = &amended;
    st = change_existing(p);
    p->change = created;
    return st;
}

/* *created: the record is there by this change. */
static enum ocop_status apply_one(struct apply *p, bool *created)
{
    bool exists = false;
    *created = false;
    p->outcome = OUTCOME_APPLIED;
    p->unit_assigned = (struct id){{0}};
    p->why = (struct ocop_error){0};
    p->kind = kind_by_number(p->change->kind);
    if (p->change->verb < VERB_CREATE || p->change->verb > VERB_VOID)
        return apply_refuse(p, "", "the verb is unknown to this registry");
    /* What one device sends must not hold up all others; what had waited is not of this set. */
    if (p->fx->looked_at > CASES_LOOKED_AT_MAX && !p->woken)
        return apply_refuse(p, "",
                            "too many changes of records with many open cases were sent at "
                            "once; submit it again");
    if (p->change->verb != VERB_CREATE)
        return change_existing(p);
    enum ocop_status st = create(p, &exists);
    *created = st == OCOP_OK && !exists && p->outcome != OUTCOME_REFUSED;
    return st == OCOP_OK && exists ? create_existing(p) : st;
}

static enum ocop_status apply_change(struct apply *p, bool *created)
{
    enum ocop_status st = apply_one(p, created);
    return st == OCOP_OK ? outcome_store(p) : st;
}

/* --- sets ----------------------------------------------------------------------------------------
 */

/* A base from a history that was lost counts as the version where the histories parted. */
static enum ocop_status shared_of(struct apply *p, uint64_t *limit)
{
    struct lineage *v;
    size_t count;
    *limit = UINT64_MAX;
    if (id_is_zero(&p->set->lineage) || id_eq(&p->set->lineage, &p->r->lineage))
        return OCOP_OK;
    enum ocop_status st = lineages_of(p->r, p->a, &v, &count, p->err);
    if (st == OCOP_OK)
        *limit = lineage_shared(v, count, p->r->lineage, p->set->lineage);
    return st;
}

/* Nobody has seen what comes later in the log than the set: such a base is none. */
static uint64_t base_within(const struct apply *p, uint64_t base, uint64_t limit)
{
    if (base > limit)
        return limit;
    return base < p->set_version ? base : 0;
}

static enum ocop_status clamp_bases(struct apply *p)
{
    uint64_t limit;
    enum ocop_status st = shared_of(p, &limit);
    for (size_t i = 0; st == OCOP_OK && i < p->set->changes.count; i++) {
        struct change *c = &p->set->changes.v[i];
        c->base = base_within(p, c->base, limit);
        for (size_t f = 0; f < c->fields.count; f++)
            c->fields.v[f].base = base_within(p, c->fields.v[f].base, limit);
    }
    return st;
}

static enum ocop_status effects_begin(struct registry *r, struct effects *fx,
                                      struct ocop_error *err)
{
    bool row;
    memset(fx, 0, sizeof *fx);
    arena_init(&fx->past_arena, ARENA_CHANGE_MAX);
    sqlite3_stmt *s = registry_stmt(r, SQL_APPLY_ANY, err);
    if (!s)
        return OCOP_EDB;
    enum ocop_status st = registry_row(r, s, "asking what waits", &row, err);
    if (st != OCOP_OK)
        return st;
    fx->waiting_any = row && sqlite3_column_int(s, 0);
    fx->dangling_any = row && sqlite3_column_int(s, 1);
    fx->late_any = row && sqlite3_column_int(s, 2);
    sqlite3_reset(s);
    return OCOP_OK;
}

/* Who the author is and was, at the time of receipt of its set. */
static enum ocop_status author_load(struct apply *p, int64_t received_ms)
{
    enum ocop_status st = registry_replica(p->r, &p->set->replica, &p->replica, p->err);
    p->roles = p->replica.roles;
    /* The registry's own first set creates the record of its author. */
    if (st == OCOP_OK && !p->replica.known) {
        p->roles = ROLE_REGISTRY;
        snprintf(p->replica.type, sizeof p->replica.type, "registry");
    } else if (st == OCOP_OK && !p->roles) {
        st = cache_roles(p->r, &p->replica.officer, received_ms, &p->roles, p->err);
    }
    return st == OCOP_OK ? ancestors_load(p) : st;
}

/* The changes that waited for the record that p has created, in the order of the log. */
static enum ocop_status waiting_apply(struct apply *p)
{
    struct arena a; /* of one of them after the other */
    enum ocop_status st = OCOP_OK;
    bool found = true;
    arena_init(&a, ARENA_CHANGE_MAX);
    while (st == OCOP_OK && found) {
        struct waiting w;
        bool created;
        arena_reset(&a);
        st = waiting_take(p, &a, &w, &found);
        if (st != OCOP_OK || !found)
            break;
        struct apply late = {.r = p->r,
                             .a = &a,
                             .err = p->err,
                             .fx = p->fx,
                             .set = &w.set,
                             .version = p->version,
                             .set_version = w.set_version,
                             .index = w.index,
                             .change = &w.change,
                             .woken = true};
        p->fx->beyond = true;
        st = author_load(&late, w.received_ms);
        if (st == OCOP_OK)
            st = apply_change(&late, &created);
    }
    if (st == OCOP_ENOMEM && a.full)
        st = err_set(p->err, OCOP_ELIMIT, "a change that waited needs too much memory");
    arena_fini(&a);
    return st;
}

enum ocop_status apply_set(struct registry *r, const struct change_set *set, uint64_t version,
                           int64_t received_ms, struct arena *a, struct ocop_error *err)
{
    struct effects fx;
    struct arena one;
    struct apply p = {.r = r,
                      .a = a,
                      .err = err,
                      .fx = &fx,
                      .set = set,
                      .version = version,
                      .set_version = version};
    arena_init(&one, ARENA_CHANGE_MAX);
    enum ocop_status st = effects_begin(r, &fx, err);
    if (st == OCOP_OK)
        st = author_load(&p, received_ms);
    if (st == OCOP_OK)
        st = clamp_bases(&p);
    p.a = &one;
    for (uint32_t i = 0; st == OCOP_OK && i < set->changes.count; i++) {
        bool created;
        arena_reset(&one);
        p.index = i;
        p.change = &set->changes.v[i];
        st = apply_change(&p, &created);
        if (st == OCOP_OK && created && fx.waiting_any)
            st = waiting_apply(&p);
    }
    if (st == OCOP_ENOMEM && (one.full || fx.past_arena.full))
        st = err_set(err, OCOP_ELIMIT, "a change of the set needs too much memory");
    arena_fini(&one);
    arena_fini(&fx.past_arena);
    if (st == OCOP_OK && fx.scope_dirty)
        st = scope_update(r, version, a, err);
    else if (st == OCOP_OK && !fx.beyond)
        cache_note_plain(r, version);
    return st;
}
