/* Applying an accepted change-set: the registry as a function of the log. Every change gets an
 * outcome of its own and none stops those behind it. Everything here depends on the log alone
 * (the set, its position, its time of receipt), so that replay gives the same registry. */
#include <inttypes.h>
#include <stdio.h>

#include "bounds.h"
#include "cache.h"
#include "feed.h"
#include "ingest.h"
#include "json.h"
#include "references.h"
#include "registry_stmts.h"

enum { ANCESTORS_MAX = 16 };

struct ancestor {
    struct id replica;
    uint64_t last_seq; /* its sets up to here are the author's own */
};

/* One change on its way into the registry. */
struct apply {
    struct registry *r;
    struct arena *a;
    struct ocop_error *err;
    const struct change_set *set;
    uint64_t version;     /* being applied now */
    uint64_t set_version; /* position of the set: earlier when the change waited */
    uint32_t index;
    const struct change *change;
    const struct kind *kind; /* NULL: unknown to this program */
    uint64_t born;           /* version at which the record came */
    struct replica_info replica;
    unsigned roles;
    struct ancestor ancestors[ANCESTORS_MAX];
    size_t ancestor_count;
    struct id unit_seen; /* a unit that is known to lie in the scope */
    bool scope_dirty, waiting_any, dangling_any;
    bool beyond; /* it altered a record that it did not create */
    enum outcome_code outcome;
    struct ocop_error why;
};

static enum ocop_status step_done(struct apply *p, sqlite3_stmt *s, const char *doing)
{
    int rc = sqlite3_step(s);
    sqlite3_reset(s);
    return rc == SQLITE_DONE ? OCOP_OK : db_error(p->r->db, p->err, doing);
}

static void bind_span(sqlite3_stmt *s, int at, struct span v)
{
    sqlite3_bind_blob64(s, at, v.p ? (const void *)v.p : "", v.len, SQLITE_STATIC);
}

static void bind_text(sqlite3_stmt *s, int at, struct span v)
{
    sqlite3_bind_text64(s, at, v.p ? (const char *)v.p : "", v.len, SQLITE_STATIC, SQLITE_UTF8);
}

static enum ocop_status outcome_refused(struct apply *p)
{
    p->outcome = OUTCOME_REFUSED;
    return OCOP_OK;
}

static enum ocop_status refuse(struct apply *p, const char *field, const char *text)
{
    err_field(&p->why, OCOP_EPERM, field, "%s", text);
    return outcome_refused(p);
}

/* A check that failed: the author's fault becomes a refusal, ours stays a failure. */
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
    if (p->outcome == OUTCOME_APPLIED && p->version == p->set_version)
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
    return step_done(p, s, "storing an outcome");
}

/* --- whose version -------------------------------------------------------------------------------
 */

static enum ocop_status ancestors_load(struct apply *p)
{
    struct replica_info info = p->replica;
    p->ancestor_count = 0;
    while (!id_is_zero(&info.predecessor) && p->ancestor_count < ANCESTORS_MAX) {
        struct ancestor *an = &p->ancestors[p->ancestor_count++];
        *an = (struct ancestor){info.predecessor, info.predecessor_seq};
        enum ocop_status st = registry_replica(p->r, &an->replica, &info, p->err);
        if (st != OCOP_OK)
            return st;
    }
    return OCOP_OK;
}

/* Was the set at `version` made by this change's author, or by what it continues? */
static bool made_by_author(void *self, uint64_t version)
{
    struct apply *p = self;
    struct id replica = {{0}};
    uint64_t seq = 0;
    if (version == p->set_version)
        return true;
    sqlite3_stmt *s = registry_stmt(p->r, SQL_LOG_REPLICA, NULL);
    if (!s)
        return false;
    sqlite3_bind_int64(s, 1, (sqlite3_int64)version);
    if (sqlite3_step(s) == SQLITE_ROW) {
        id_from(span_of(sqlite3_column_blob(s, 0), (size_t)sqlite3_column_bytes(s, 0)), &replica);
        seq = (uint64_t)sqlite3_column_int64(s, 1);
    }
    sqlite3_reset(s);
    if (id_eq(&replica, &p->set->replica))
        return true;
    for (size_t i = 0; i < p->ancestor_count; i++)
        if (id_eq(&replica, &p->ancestors[i].replica) && seq <= p->ancestors[i].last_seq)
            return true;
    return false;
}

/* --- references ----------------------------------------------------------------------------------
 */

static enum ocop_status dangling_add(struct apply *p, const struct reference_walk *w)
{
    sqlite3_stmt *s = registry_stmt(p->r, SQL_DANGLING_ADD, p->err);
    if (!s)
        return OCOP_EDB;
    bind_span(s, 1, id_span(&w->target));
    sqlite3_bind_int64(s, 2, (sqlite3_int64)p->set_version);
    sqlite3_bind_int64(s, 3, p->index);
    sqlite3_bind_int64(s, 4, w->field->number);
    bind_span(s, 5, id_span(&p->change->record));
    sqlite3_bind_int64(s, 6, p->change->kind);
    p->dangling_any = true;
    return step_done(p, s, "noting a reference");
}

/* References that lead nowhere yet: the change applies, and says what it waits for. */
static enum ocop_status check_references(struct apply *p, const struct fields *applied)
{
    struct reference_walk w = {.kind = p->kind, .fields = applied};
    char path[OCOP_ERROR_FIELD_MAX];
    while (reference_next(&w)) {
        bool there = true;
        enum ocop_status st = cache_exists(p->r, (uint32_t)w.rule->lo, &w.target, &there, p->err);
        if (st == OCOP_OK && !there)
            st = dangling_add(p, &w);
        if (st != OCOP_OK)
            return st;
        if (!there && p->outcome == OUTCOME_APPLIED) {
            p->outcome = OUTCOME_DANGLING;
            err_field(&p->why, OCOP_ENOTFOUND, reference_path(&w, path, sizeof path),
                      "refers to a record that is not in the registry yet");
        }
    }
    return OCOP_OK;
}

/* The record that others waited for has come: references to it dangle no more. */
static enum ocop_status settle_references(struct apply *p, const struct id *target)
{
    struct pending {
        uint64_t version;
        uint32_t index;
    } *found = NULL;
    size_t count = 0, room = 0;
    sqlite3_stmt *s = registry_stmt(p->r, SQL_DANGLING_OF, p->err);
    if (!s)
        return OCOP_EDB;
    bind_span(s, 1, id_span(target));
    while (sqlite3_step(s) == SQLITE_ROW) {
        if (count == room) {
            struct pending *more = arena_calloc(p->a, room * 2 + 8, sizeof *more);
            if (!more) {
                sqlite3_reset(s);
                return err_nomem(p->err);
            }
            if (count)
                memcpy(more, found, count * sizeof *more);
            found = more;
            room = room * 2 + 8;
        }
        found[count++] = (struct pending){(uint64_t)sqlite3_column_int64(s, 0),
                                          (uint32_t)sqlite3_column_int64(s, 1)};
    }
    sqlite3_reset(s);
    if (count == 0)
        return OCOP_OK;
    s = registry_stmt(p->r, SQL_DANGLING_DROP, p->err);
    if (!s)
        return OCOP_EDB;
    bind_span(s, 1, id_span(target));
    enum ocop_status st = step_done(p, s, "settling references");
    for (size_t i = 0; st == OCOP_OK && i < count; i++) {
        s = registry_stmt(p->r, SQL_DANGLING_SETTLE, p->err);
        if (!s)
            return OCOP_EDB;
        sqlite3_bind_int64(s, 1, (sqlite3_int64)found[i].version);
        sqlite3_bind_int64(s, 2, found[i].index);
        sqlite3_bind_int64(s, 3, (sqlite3_int64)p->version);
        st = step_done(p, s, "settling an outcome");
    }
    return st;
}

/* --- cases ---------------------------------------------------------------------------------------
 */

static enum ocop_status value_json(struct apply *p, const struct field *f, struct span *out)
{
    struct buf b;
    buf_init(&b, KIB(256));
    enum ocop_status st = OCOP_OK;
    if (f && f->op == FIELD_SET)
        st = json_value(p->kind, f, &b, p->err);
    else
        buf_str(&b, "null");
    char *copy = st == OCOP_OK && !b.failed ? arena_dup(p->a, b.p, b.len) : NULL;
    *out = span_of(copy, copy ? b.len : 0);
    buf_fini(&b);
    return st != OCOP_OK ? st : copy ? OCOP_OK : err_nomem(p->err);
}

/* A ChangeRow that holds one field, or the whole change when `f` is NULL. */
static enum ocop_status value_pack(struct apply *p, const struct field *f, struct span *out)
{
    struct change one = *p->change;
    struct field copy;
    struct buf b;
    if (f) {
        copy = *f;
        one.fields = (struct fields){&copy, 1};
    }
    buf_init(&b, KIB(256));
    enum ocop_status st = change_pack(&one, &b, p->err);
    char *bytes = st == OCOP_OK && !b.failed ? arena_dup(p->a, b.p, b.len) : NULL;
    *out = span_of(bytes, bytes ? b.len : 0);
    buf_fini(&b);
    return st != OCOP_OK ? st : bytes ? OCOP_OK : err_nomem(p->err);
}

static enum ocop_status history_value(struct apply *p, sqlite3_stmt *s, const struct field **out)
{
    struct change old;
    size_t len = (size_t)sqlite3_column_bytes(s, 1);
    char *copy = arena_dup(p->a, sqlite3_column_blob(s, 1), len);
    enum ocop_status st =
        copy ? change_unpack(span_of(copy, len), p->a, &old, p->err) : err_nomem(p->err);
    if (st == OCOP_OK && old.fields.count == 1)
        *out = old.fields.v;
    return st;
}

/* The value that the author had seen: the one before the first change of another that came after
 * both the base and the author's own last change, which the author knows without being told.
 *
 *   version   10 A: pass    12 A: fail    13 B: conditional    A again, base 10 -> base is "fail"
 */
static enum ocop_status base_json(struct apply *p, const struct field *mine,
                                  const struct field *theirs, struct span *out)
{
    bool seen = theirs && (theirs->base <= mine->base || made_by_author(p, theirs->base));
    const struct field *base = seen ? theirs : NULL;
    sqlite3_stmt *s = registry_stmt(p->r, SQL_HISTORY_SINCE, p->err);
    if (!s)
        return OCOP_EDB;
    bind_span(s, 1, id_span(&p->change->record));
    sqlite3_bind_int64(s, 2, mine->number);
    bind_span(s, 3, mine->key);
    sqlite3_bind_int64(s, 4, (sqlite3_int64)mine->base);
    enum ocop_status st = OCOP_OK;
    bool back_to_birth = true; /* every value since was unseen */
    while (st == OCOP_OK && sqlite3_step(s) == SQLITE_ROW) {
        back_to_birth = !made_by_author(p, (uint64_t)sqlite3_column_int64(s, 0));
        if (!back_to_birth)
            break;
        st = history_value(p, s, &base);
    }
    sqlite3_reset(s);
    if (back_to_birth && !seen && p->born > mine->base && !made_by_author(p, p->born))
        base = NULL; /* the author wrote before the record came */
    return st == OCOP_OK ? value_json(p, base, out) : st;
}

static enum ocop_status case_open(struct apply *p, enum case_cause cause, const struct field *mine,
                                  const struct field *theirs, const struct id *other)
{
    struct span base, theirs_text, mine_text, mine_value;
    struct id none = {{0}};
    struct id id =
        case_id(p->set->hash, p->index, mine->number, mine->key, cause, other ? *other : none);
    bool whole = cause == CASE_VOID || cause == CASE_INVALID;
    enum ocop_status st = base_json(p, mine, theirs, &base);
    if (st == OCOP_OK)
        st = value_json(p, theirs, &theirs_text);
    if (st == OCOP_OK)
        st = value_json(p, mine, &mine_text);
    if (st == OCOP_OK)
        st = value_pack(p, whole ? NULL : mine, &mine_value);
    sqlite3_stmt *s = st == OCOP_OK ? registry_stmt(p->r, SQL_CASE_OPEN, p->err) : NULL;
    if (!s)
        return st == OCOP_OK ? OCOP_EDB : st;
    bind_span(s, 1, id_span(&id));
    sqlite3_bind_int64(s, 2, p->change->kind);
    bind_span(s, 3, id_span(&p->change->record));
    sqlite3_bind_int(s, 4, (int)cause);
    sqlite3_bind_int64(s, 5, mine->number);
    bind_span(s, 6, mine->key);
    if (other)
        bind_span(s, 7, id_span(other));
    else
        sqlite3_bind_null(s, 7);
    sqlite3_bind_int64(s, 8, (sqlite3_int64)mine->base);
    sqlite3_bind_int64(s, 9, theirs ? (sqlite3_int64)theirs->base : 0);
    bind_text(s, 10, base);
    bind_text(s, 11, theirs_text);
    bind_text(s, 12, mine_text);
    bind_span(s, 13, mine_value);
    sqlite3_bind_int64(s, 14, (sqlite3_int64)p->version);
    sqlite3_bind_int64(s, 15, p->index);
    p->outcome = OUTCOME_CASE;
    return step_done(p, s, "opening a case");
}

/* `other`: the second record of a collision, len 0 where there is none. Who receives only that one
 * must hear of it too. */
static enum ocop_status case_close(struct apply *p, struct span id, const char *resolution,
                                   struct span other)
{
    struct id second;
    sqlite3_stmt *s = registry_stmt(p->r, SQL_CASE_CLOSE, p->err);
    if (!s)
        return OCOP_EDB;
    bind_span(s, 1, id);
    sqlite3_bind_int64(s, 2, (sqlite3_int64)p->version);
    sqlite3_bind_text(s, 3, resolution, -1, SQLITE_STATIC);
    enum ocop_status st = step_done(p, s, "closing a case");
    if (st != OCOP_OK || !id_from(other, &second))
        return st;
    return row_touch(p->r->rows, p->change->kind, &second, p->version, p->err);
}

/* Close the case that this change resolves, and others of the record that became moot because the
 * registry now holds what they asked for. */
static enum ocop_status cases_settle(struct apply *p, const struct fields *state, bool resolves)
{
    struct span agreed[64], other = {NULL, 0};
    size_t count = 0;
    sqlite3_stmt *s = registry_stmt(p->r, SQL_CASES_OPEN_OF, p->err);
    if (!s)
        return OCOP_EDB;
    bind_span(s, 1, id_span(&p->change->record));
    const char *resolution = p->change->fields.count ? "value" : "theirs";
    enum ocop_status st = OCOP_OK;
    while (st == OCOP_OK && count < 64 && sqlite3_step(s) == SQLITE_ROW) {
        struct change mine = {0};
        struct span id = span_of(sqlite3_column_blob(s, 0), ID_LEN);
        size_t len = (size_t)sqlite3_column_bytes(s, 4);
        char *copy = arena_dup(p->a, sqlite3_column_blob(s, 4), len);
        st = copy ? change_unpack(span_of(copy, len), p->a, &mine, p->err) : err_nomem(p->err);
        if (st == OCOP_OK && resolves && span_eq(id, p->change->case_id)) {
            size_t other_len = (size_t)sqlite3_column_bytes(s, 5);
            other = span_of(arena_dup(p->a, sqlite3_column_blob(s, 5), other_len), other_len);
        }
        if (st != OCOP_OK || sqlite3_column_int(s, 1) == CASE_COLLISION)
            continue;
        bool same = mine.fields.count > 0;
        for (size_t i = 0; i < mine.fields.count && same; i++) {
            const struct field *m = &mine.fields.v[i];
            const struct field *now = fields_find(state, m->number, m->key);
            bool gone = !now || now->op == FIELD_CLEAR;
            same = gone ? m->op == FIELD_CLEAR : m->op == FIELD_SET && field_value_equal(m, now);
        }
        if (resolves && span_eq(id, p->change->case_id))
            resolution = same && p->change->fields.count ? "mine" : resolution;
        else if (same && (agreed[count] = span_of(arena_dup(p->a, id.p, ID_LEN), ID_LEN)).p)
            count++;
    }
    sqlite3_reset(s);
    for (size_t i = 0; st == OCOP_OK && i < count; i++)
        st = case_close(p, agreed[i], "agreed", span_of(NULL, 0));
    if (st == OCOP_OK && resolves)
        st = case_close(p, p->change->case_id, resolution, other);
    return st;
}

/* Two records with one natural key. Both stand; a person decides. */
static enum ocop_status check_collisions(struct apply *p, const struct fields *applied)
{
    for (size_t i = 0; p->kind && i < applied->count; i++) {
        const struct field *f = &applied->v[i];
        const struct field_rule *r = kind_field(p->kind, f->number);
        struct id other[4];
        size_t count = 0;
        if (!r || !(r->flags & FIELD_NATURAL) || f->op != FIELD_SET || f->bytes.len == 0 ||
            p->kind->number == KIND_UNIT) /* unit codes recur between periods */
            continue;
        enum ocop_status st = row_same_key(p->r->rows, p->change->kind, f->number, f->bytes,
                                           &p->change->record, other, 4, &count, p->err);
        for (size_t n = 0; st == OCOP_OK && n < count; n++) {
            p->beyond = true;
            st = case_open(p, CASE_COLLISION, f, f, &other[n]);
            if (st == OCOP_OK)
                st = row_touch(p->r->rows, p->change->kind, &other[n], p->version, p->err);
        }
        if (st != OCOP_OK)
            return st;
    }
    return OCOP_OK;
}

/* --- permission ----------------------------------------------------------------------------------
 */

static const struct field *get(const struct fields *f, uint32_t number)
{
    const struct field *v = fields_find(f, number, span_of(NULL, 0));
    return v && v->op == FIELD_SET ? v : NULL;
}

/* Is the record's unit, before and after the change, one that this device may write? */
static enum ocop_status check_scope(struct apply *p, const struct fields *record)
{
    bool inside = true;
    struct id unit = {{0}};
    const struct field *f = get(record, FIELD_UNIT);
    if (!p->kind || p->kind->reference || strcmp(p->replica.type, "device") != 0)
        return OCOP_OK;
    if (!f || !id_from(f->bytes, &unit))
        return refuse(p, "unit_id", "is missing");
    if (id_eq(&unit, &p->unit_seen))
        return OCOP_OK;
    enum ocop_status st = scope_has(p->r, &p->set->replica, &unit, &inside, p->err);
    if (st != OCOP_OK)
        return st;
    if (!inside)
        return refuse(p, "unit_id", "lies outside the units of this device");
    p->unit_seen = unit;
    return OCOP_OK;
}

static enum ocop_status check_author(struct apply *p, const struct fields *state, bool creates)
{
    bool device = strcmp(p->replica.type, "device") == 0;
    const struct field *officer = get(creates ? &p->change->fields : state, FIELD_OFFICER);
    bool own = officer && span_eq(officer->bytes, id_span(&p->replica.officer));
    if (device && !id_eq(&p->change->author, &p->replica.officer))
        return refuse(p, "", "the author is not the officer of this device");
    if (device && creates && !own)
        return refuse(p, "officer_id", "is not the officer of this device");
    if (p->change->case_id.len &&
        !(p->roles & (ROLE_RECONCILER | ROLE_ADMINISTRATOR | ROLE_REGISTRY)))
        return refuse(p, "", "only central staff may resolve a case");
    if (!p->kind)
        return OCOP_OK;
    return judged(p, rules_permit(p->kind, p->change, p->roles, own, &p->why));
}

static enum ocop_status check_rules(struct apply *p, const struct fields *record)
{
    struct rules_lookup lookup = {cache_code, p->r};
    if (!p->kind)
        return OCOP_OK;
    return judged(p, rules_check(p->kind, record, RULES_SUBMIT, &lookup, &p->why));
}

/* --- the change itself ---------------------------------------------------------------------------
 */

static void note_kind(struct apply *p)
{
    cache_note(p->r, &p->change->record);
    if (p->change->kind == KIND_UNIT || p->change->kind == KIND_REPLICA)
        p->scope_dirty = true;
    if (p->change->kind == KIND_CODE_LIST)
        cache_codes_changed(p->r);
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

static enum ocop_status waiting_apply(struct apply *p, const struct id *record);

/* *exists: a record of this id is there already, and nothing was done. */
static enum ocop_status create(struct apply *p, bool *exists)
{
    struct fields record;
    *exists = false;
    enum ocop_status st = fields_at(p, &record);
    if (st == OCOP_OK)
        st = check_author(p, &record, true);
    if (st == OCOP_OK && p->outcome == OUTCOME_APPLIED)
        st = check_scope(p, &record);
    if (st == OCOP_OK && p->outcome == OUTCOME_APPLIED)
        st = check_rules(p, &record);
    if (st != OCOP_OK || p->outcome != OUTCOME_APPLIED)
        return st;
    struct row_meta meta = {.version = p->version,
                            .born = p->version,
                            .anchor = scope_anchor(p->r, p->change->kind, &record)};
    st = row_insert(p->r->rows, p->change->kind, &p->change->record, &record, &meta, NULL, p->err);
    if (st == OCOP_ESTATE) {
        *exists = true;
        return OCOP_OK;
    }
    p->born = p->version;
    if (st == OCOP_OK) {
        note_kind(p);
        st = check_references(p, &record);
    }
    if (st == OCOP_OK)
        st = check_collisions(p, &record);
    if (st == OCOP_OK && p->dangling_any)
        st = settle_references(p, &p->change->record);
    return st;
}

static enum ocop_status wait_for_record(struct apply *p)
{
    p->outcome = OUTCOME_WAITING;
    err_field(&p->why, OCOP_ENOTFOUND, "", "the record it changes is not in the registry yet");
    sqlite3_stmt *s = registry_stmt(p->r, SQL_WAITING_ADD, p->err);
    if (!s)
        return OCOP_EDB;
    sqlite3_bind_int64(s, 1, (sqlite3_int64)p->set_version);
    sqlite3_bind_int64(s, 2, p->index);
    bind_span(s, 3, id_span(&p->change->record));
    sqlite3_bind_int64(s, 4, p->change->kind);
    p->waiting_any = true;
    return step_done(p, s, "putting a change to wait");
}

/* Keep what is replaced: a later case shows it as its base. */
static enum ocop_status history_keep(struct apply *p, const struct fields *state,
                                     const struct fields *applied)
{
    for (size_t i = 0; i < applied->count; i++) {
        const struct field *f = &applied->v[i];
        const struct field *old = fields_find(state, f->number, f->key);
        struct field none = {
            .number = f->number, .op = FIELD_CLEAR, .type = f->type, .key = f->key};
        struct span value;
        enum ocop_status st = value_pack(p, old ? old : &none, &value);
        sqlite3_stmt *s = st == OCOP_OK ? registry_stmt(p->r, SQL_HISTORY_ADD, p->err) : NULL;
        if (!s)
            return st == OCOP_OK ? OCOP_EDB : st;
        bind_span(s, 1, id_span(&p->change->record));
        sqlite3_bind_int64(s, 2, f->number);
        bind_span(s, 3, f->key);
        sqlite3_bind_int64(s, 4, (sqlite3_int64)p->version);
        bind_span(s, 5, value);
        st = step_done(p, s, "keeping a value");
        if (st != OCOP_OK)
            return st;
    }
    return OCOP_OK;
}

static enum ocop_status departure_note(struct apply *p, const struct id *anchor)
{
    sqlite3_stmt *s = registry_stmt(p->r, SQL_DEPARTURE_ADD, p->err);
    if (!s)
        return OCOP_EDB;
    bind_span(s, 1, id_span(anchor));
    sqlite3_bind_int64(s, 2, (sqlite3_int64)p->version);
    sqlite3_bind_int64(s, 3, p->change->kind);
    bind_span(s, 4, id_span(&p->change->record));
    return step_done(p, s, "noting a departure");
}

static enum ocop_status store_merged(struct apply *p, const struct fields *state,
                                     struct merge_out *merged, struct row_meta *meta)
{
    struct id anchor = scope_anchor(p->r, p->change->kind, &merged->state);
    enum ocop_status st = history_keep(p, state, &merged->applied);
    if (st == OCOP_OK && !id_eq(&anchor, &meta->anchor))
        st = departure_note(p, &meta->anchor);
    meta->version = p->version;
    meta->anchor = anchor;
    if (st == OCOP_OK)
        st = row_update(p->r->rows, p->change->kind, &p->change->record, &merged->state, meta,
                        p->err);
    if (st == OCOP_OK)
        st = check_references(p, &merged->applied);
    if (st == OCOP_OK)
        st = check_collisions(p, &merged->applied);
    note_kind(p);
    return st;
}

static bool saw_all(struct apply *p, const struct fields *state)
{
    for (size_t i = 0; i < state->count; i++)
        if (state->v[i].base > p->change->base && !made_by_author(p, state->v[i].base))
            return false;
    return true;
}

/* The merged record breaks a rule. If the author had seen everything it is the author's doing;
 * else two valid edits do not fit together, and a person must see both. */
static enum ocop_status invalid_merge(struct apply *p, const struct fields *state,
                                      const struct merge_out *merged)
{
    if (saw_all(p, state) || merged->applied.count == 0)
        return OCOP_OK; /* stays refused */
    const struct field *mine = &merged->applied.v[0];
    return case_open(p, CASE_INVALID, mine, fields_find(state, mine->number, mine->key), NULL);
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

static enum ocop_status change_existing(struct apply *p)
{
    struct fields state;
    struct row_meta meta;
    struct merge_out merged;
    p->beyond = true;
    enum ocop_status st =
        row_load(p->r->rows, p->change->kind, &p->change->record, p->a, &state, &meta, p->err);
    if (st == OCOP_ENOTFOUND)
        return wait_for_record(p);
    p->born = meta.born;
    if (st == OCOP_OK)
        st = check_author(p, &state, false);
    if (st == OCOP_OK && p->outcome == OUTCOME_APPLIED)
        st = check_scope(p, &state);
    if (st != OCOP_OK || p->outcome != OUTCOME_APPLIED)
        return st;
    struct merge_in in = {p->kind, &state, p->change, p->version, made_by_author, p};
    st = merge_change(&in, p->a, &merged, p->err);
    if (st == OCOP_OK && merged.applied.count) {
        st = check_scope(p, &merged.state);
        if (st == OCOP_OK && p->outcome != OUTCOME_APPLIED)
            return OCOP_OK; /* moved out of the device's units: nobody else's doing */
        if (st == OCOP_OK)
            st = check_rules(p, &merged.state);
        if (st == OCOP_OK && p->outcome != OUTCOME_APPLIED)
            return invalid_merge(p, &state, &merged);
    }
    return st == OCOP_OK ? finish_merge(p, &state, &merged, &meta) : st;
}

static enum ocop_status apply_change(struct apply *p)
{
    bool exists = true;
    enum ocop_status st = OCOP_OK;
    p->outcome = OUTCOME_APPLIED;
    p->why = (struct ocop_error){0};
    p->kind = kind_by_number(p->change->kind);
    if (p->change->verb < VERB_CREATE || p->change->verb > VERB_VOID)
        st = refuse(p, "", "the verb is unknown to this registry");
    else if (p->change->verb == VERB_CREATE)
        st = create(p, &exists);
    bool created = p->change->verb == VERB_CREATE && !exists;
    if (st == OCOP_OK && exists && p->outcome == OUTCOME_APPLIED)
        st = change_existing(p);
    if (st == OCOP_OK)
        st = outcome_store(p);
    if (st == OCOP_OK && created && p->waiting_any && p->outcome != OUTCOME_REFUSED)
        st = waiting_apply(p, &p->change->record);
    return st;
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
        *limit = lineage_shared(v, count, p->set->lineage);
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

static enum ocop_status any(struct apply *p, int which, bool *out)
{
    sqlite3_stmt *s = registry_stmt(p->r, which, p->err);
    if (!s)
        return OCOP_EDB;
    *out = sqlite3_step(s) == SQLITE_ROW && sqlite3_column_int(s, 0);
    sqlite3_reset(s);
    return OCOP_OK;
}

static enum ocop_status begin(struct apply *p, int64_t received_ms)
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
    if (st == OCOP_OK)
        st = ancestors_load(p);
    if (st == OCOP_OK)
        st = any(p, SQL_WAITING_ANY, &p->waiting_any);
    if (st == OCOP_OK)
        st = any(p, SQL_DANGLING_ANY, &p->dangling_any);
    return st == OCOP_OK ? clamp_bases(p) : st;
}

/* The changes that waited for `record`, in the order of the log. */
static enum ocop_status waiting_apply(struct apply *p, const struct id *record)
{
    enum ocop_status st = OCOP_OK;
    for (;;) {
        sqlite3_stmt *s = registry_stmt(p->r, SQL_WAITING_OF, p->err);
        if (!s)
            return OCOP_EDB;
        bind_span(s, 1, id_span(record));
        if (sqlite3_step(s) != SQLITE_ROW) {
            sqlite3_reset(s);
            return OCOP_OK;
        }
        p->beyond = true;
        uint64_t version = (uint64_t)sqlite3_column_int64(s, 0);
        uint32_t index = (uint32_t)sqlite3_column_int64(s, 1);
        sqlite3_reset(s);
        s = registry_stmt(p->r, SQL_WAITING_DROP, p->err);
        if (!s)
            return OCOP_EDB;
        sqlite3_bind_int64(s, 1, (sqlite3_int64)version);
        sqlite3_bind_int64(s, 2, index);
        st = step_done(p, s, "waking a change");

        struct log_entry e;
        struct change_set set;
        struct apply late = {.r = p->r,
                             .a = p->a,
                             .err = p->err,
                             .set = &set,
                             .version = p->version,
                             .set_version = version,
                             .index = index};
        if (st == OCOP_OK)
            st = log_read(p->r, version, &e, p->err);
        if (st == OCOP_OK)
            st = changeset_open(e.body, p->a, &set, p->err);
        if (st == OCOP_OK)
            st = begin(&late, e.received_ms);
        if (st == OCOP_OK && index < set.changes.count) {
            late.change = &set.changes.v[index];
            st = apply_change(&late);
            p->scope_dirty |= late.scope_dirty;
        }
        if (st != OCOP_OK)
            return st;
    }
}

enum ocop_status apply_set(struct registry *r, const struct change_set *set, uint64_t version,
                           int64_t received_ms, struct arena *a, struct ocop_error *err)
{
    struct apply p = {
        .r = r, .a = a, .err = err, .set = set, .version = version, .set_version = version};
    enum ocop_status st = begin(&p, received_ms);
    for (uint32_t i = 0; st == OCOP_OK && i < set->changes.count; i++) {
        p.index = i;
        p.change = &set->changes.v[i];
        st = apply_change(&p);
    }
    if (st == OCOP_OK && p.scope_dirty)
        st = scope_update(r, version, a, err);
    else if (st == OCOP_OK && !p.beyond)
        cache_note_plain(r, version);
    return st;
}
