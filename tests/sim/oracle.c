/* The merge rule of design section 7, written anew over plain lists. The text of the design is
 * quoted where it is decided. */
#include "oracle.h"
#include "rights.h"

#include <stdio.h>

#include "bounds.h"
#include "text.h"

enum { ROLES = 15, LINEAGES = 12, FORK_VERSION = 3, PARENT = 2 };

/* One change being judged. */
struct judged {
    struct oracle *o;
    struct entry *e;
    uint64_t set_version, version;
    uint32_t index;
    const struct change *c;
    const struct kind *kind;
    const struct kept *author; /* the replica's record; NULL: the registry's first set */
    unsigned roles;
    bool device;
    struct id officer;
    enum outcome_code code;
};

/* --- what is kept ------------------------------------------------------------------------------
 */

struct kept *oracle_record(const struct oracle *o, uint32_t kind, const struct id *id)
{
    struct kept *k = o->records;
    while (k && !(k->kind == kind && id_eq(&k->id, id)))
        k = k->next;
    return k;
}

static struct path *path_find(const struct kept *k, uint32_t number, struct span key)
{
    struct path *p = k->paths;
    while (p && !(p->number == number && span_eq(p->key, key)))
        p = p->next;
    return p;
}

const struct field *kept_get(const struct kept *k, uint32_t number, struct span key)
{
    const struct path *p = path_find(k, number, key);
    return p && p->now->value.op == FIELD_SET ? &p->now->value : NULL;
}

static const struct field *scalar(const struct kept *k, uint32_t number)
{
    return kept_get(k, number, span_of(NULL, 0));
}

static void *fresh(struct oracle *o, size_t size)
{
    void *p = arena_calloc(o->a, 1, size);
    CHECK(p);
    return p;
}

static void tell(struct judged *j, struct kept *k, const struct field *f)
{
    struct path *p = path_find(k, f->number, f->key);
    struct told *t = fresh(j->o, sizeof *t);
    if (!p) {
        p = fresh(j->o, sizeof *p);
        p->number = f->number;
        p->key = f->key;
        p->next = k->paths;
        k->paths = p;
    }
    *t = (struct told){.before = p->now,
                       .value = *f,
                       .version = j->version,
                       .replica = j->e->set.replica,
                       .follows = k->kind == KIND_ATTACHMENT && f->number == FIELD_UNIT,
                       .seq = j->e->set.seq,
                       .index = j->index};
    p->now = t;
    k->version = j->version;
}

/* Its values as fields in order, `over` put over them. */
static struct fields as_fields(struct oracle *o, const struct kept *k, const struct fields *over)
{
    struct fields f, out;
    size_t count = 0;
    for (const struct path *p = k->paths; p; p = p->next)
        count++;
    f.v = arena_calloc(o->a, count + 1, sizeof *f.v);
    f.count = 0;
    CHECK(f.v);
    for (const struct path *p = k->paths; p; p = p->next)
        if (p->now->value.op == FIELD_SET)
            f.v[f.count++] = p->now->value;
    CHECK(fields_sort(&f));
    CHECK(fields_apply(&f, over, 0, false, o->a, &out, NULL) == OCOP_OK);
    return out;
}

/* --- who ---------------------------------------------------------------------------------------
 */

static bool in_force(struct span element, uint32_t from, uint32_t to, const char *day)
{
    struct field f;
    if (element_get(element, from, &f) && f.bytes.len && span_cmp(f.bytes, span_str(day)) > 0)
        return false;
    return !(element_get(element, to, &f) && f.bytes.len && span_cmp(f.bytes, span_str(day)) < 0);
}

static unsigned roles_of(const struct oracle *o, const struct id *officer, int64_t at_ms)
{
    const struct kept *k = oracle_record(o, KIND_OFFICER, officer);
    char day[11];
    unsigned roles = 0;
    text_day_of(at_ms, day);
    for (const struct path *p = k ? k->paths : NULL; p; p = p->next)
        if (p->number == ROLES && p->now->value.op == FIELD_SET &&
            in_force(p->now->value.bytes, 2, 3, day))
            roles |= role_by_name(p->key);
    return roles;
}

unsigned oracle_reading(const struct oracle *o, const struct id *replica)
{
    const struct kept *k = oracle_record(o, KIND_REPLICA, replica);
    const struct field *officer = k ? scalar(k, FIELD_OFFICER) : NULL;
    struct id id = {{0}};
    if (officer)
        id_from(officer->bytes, &id);
    return rights_reading(roles_of(o, &id, env_now_ms(o->r->env)));
}

static void author_find(struct judged *j)
{
    const struct field *type, *officer;
    j->author = oracle_record(j->o, KIND_REPLICA, &j->e->set.replica);
    type = j->author ? scalar(j->author, REPLICA_TYPE) : NULL;
    officer = j->author ? scalar(j->author, FIELD_OFFICER) : NULL;
    j->device = type && span_eq(type->bytes, span_str("device"));
    if (officer)
        id_from(officer->bytes, &j->officer);
    if (!type || span_eq(type->bytes, span_str("registry")) ||
        span_eq(type->bytes, span_str("import")))
        j->roles = ROLE_REGISTRY;
    else
        j->roles = roles_of(j->o, &j->officer, j->e->received_ms);
}

/* "v was made by the same replica or its predecessor" */
static bool own(const struct judged *j, const struct told *t)
{
    const struct kept *k = j->author;
    struct id at = j->e->set.replica;
    uint64_t last = UINT64_MAX;
    for (unsigned depth = 0; depth < 17; depth++) {
        if (id_eq(&t->replica, &at) && t->seq <= last)
            return true;
        const struct field *p = k ? scalar(k, REPLICA_PREDECESSOR) : NULL;
        const struct field *seq = k ? scalar(k, REPLICA_PREDECESSOR_SEQ) : NULL;
        if (!p || !id_from(p->bytes, &at))
            return false;
        last = seq ? (uint64_t)seq->i : 0;
        k = oracle_record(j->o, KIND_REPLICA, &at);
    }
    return false;
}

static bool unseen(const struct judged *j, const struct told *t, uint64_t base)
{
    return t && !t->follows && t->version > base && !own(j, t);
}

/* One element of the registry's record; false when there is none. */
static bool lineage_of(const struct kept *g, const struct id *id, struct id *parent, uint64_t *fork)
{
    const struct path *p = path_find(g, LINEAGES, id_span(id));
    struct field f;
    if (!p)
        return false;
    *fork = element_get(p->now->value.bytes, FORK_VERSION, &f) ? (uint64_t)f.i : 0;
    memset(parent, 0, sizeof *parent);
    if (element_get(p->now->value.bytes, PARENT, &f))
        id_from(f.bytes, parent);
    return true;
}

/* "a base from the lost history counts as the fork": that of the first of the two lineages that
 * left what both came from. */
static uint64_t base_limit(const struct oracle *o, const struct id *lineage)
{
    const struct kept *g = o->records;
    struct id from = *lineage, parent;
    uint64_t low = UINT64_MAX, fork;
    while (g && g->kind != KIND_REGISTRY)
        g = g->next;
    if (!g || id_is_zero(lineage))
        return low;
    while (lineage_of(g, &from, &parent, &fork)) {
        struct id at = o->lineage, above;
        uint64_t shared = low, left;
        while (!id_eq(&at, &from) && lineage_of(g, &at, &above, &left)) {
            shared = left < shared ? left : shared;
            at = above;
        }
        if (id_eq(&at, &from))
            return shared;
        low = fork < low ? fork : low;
        from = parent;
    }
    return 0; /* a lineage that this registry never was, nor knew of */
}

/* NULL: nobody here knows the kind or the field. */
static const struct field_rule *rule_of(const struct judged *j, uint32_t number)
{
    return j->kind ? kind_field(j->kind, number) : NULL;
}

/* --- may it ------------------------------------------------------------------------------------
 */

static enum code_answer code_known(void *self, const char *list, struct span code, const char *day)
{
    const struct oracle *o = self;
    enum code_answer answer = CODE_UNKNOWN_LIST;
    for (const struct kept *k = o->records; k; k = k->next) {
        const struct field *name = k->kind == KIND_CODE_LIST ? scalar(k, 10) : NULL;
        if (!name || !span_eq(name->bytes, span_str(list)))
            continue;
        const struct field *item = kept_get(k, 12, code);
        answer = item && in_force(item->bytes, 3, 4, day) ? CODE_OK : CODE_WRONG;
    }
    return answer;
}

static bool valid(const struct judged *j, const struct fields *f)
{
    const struct rules_lookup lookup = {.code = code_known, .self = j->o};
    return !j->kind || rules_check(j->kind, f, RULES_SUBMIT, &lookup, NULL) == OCOP_OK;
}

static bool permitted(const struct judged *j, const struct field *maker, bool creates)
{
    bool mine = maker && span_eq(maker->bytes, id_span(&j->officer));
    if (j->device && !id_eq(&j->c->author, &j->officer))
        return false;
    if (j->device && creates && !mine)
        return false;
    if (!j->kind && j->c->case_id.len &&
        !(j->roles & (ROLE_RECONCILER | ROLE_ADMINISTRATOR | ROLE_REGISTRY)))
        return false;
    return !j->kind || rules_permit(j->kind, j->c, j->roles, mine, NULL) == OCOP_OK;
}

static bool in_scope(const struct judged *j, const struct field *unit)
{
    struct id id;
    if (!j->device || (j->kind && j->kind->reference))
        return true;
    return unit && id_from(unit->bytes, &id) && oracle_in_scope(j->o, &j->e->set.replica, &id);
}

/* --- what follows from a change that took effect ------------------------------------------------
 */

/* One reference: what it leads to is there, or the change says that it waits for it. */
static void refers(struct judged *j, const struct kept *k, uint32_t number,
                   const struct field_rule *r, struct span value)
{
    struct id target;
    if (!id_from(value, &target))
        return;
    for (const struct kept *t = j->o->records; t; t = t->next)
        if ((r->lo == 0 || t->kind == (uint32_t)r->lo) && id_eq(&t->id, &target))
            return;
    if (j->code == OUTCOME_APPLIED)
        j->code = OUTCOME_DANGLING;
    for (const struct dangles *d = j->o->dangling; d; d = d->next)
        if (d->version == j->set_version && d->index == j->index && d->field == number &&
            id_eq(&d->target, &target))
            return; /* two elements of a list */
    struct dangles *d = fresh(j->o, sizeof *d);
    *d = (struct dangles){j->o->dangling, target, k->id, number, j->set_version, j->index, false};
    j->o->dangling = d;
    j->e->decided[j->index].dangling++;
}

static void references(struct judged *j, const struct kept *k, const struct fields *applied)
{
    for (size_t i = 0; i < applied->count; i++) {
        const struct field *f = &applied->v[i];
        const struct field_rule *r = rule_of(j, f->number);
        if (!r || f->op != FIELD_SET)
            continue;
        if (r->check == CHECK_REF)
            refers(j, k, f->number, r, f->bytes);
        for (const struct field_rule *item = r->items; item && item->number; item++) {
            struct field v;
            if (item->check == CHECK_REF && element_get(f->bytes, item->number, &v))
                refers(j, k, f->number, item, v.bytes);
        }
    }
}

static struct opened *case_open(struct judged *j, enum case_cause cause, struct kept *k,
                                const struct field *mine, uint64_t theirs, const struct id *other)
{
    struct opened *c = fresh(j->o, sizeof *c);
    *c = (struct opened){.next = j->o->cases,
                         .cause = cause,
                         .record = k,
                         .mine = *mine,
                         .theirs_version = theirs,
                         .version = j->version,
                         .index = j->index,
                         .other = other ? *other : (struct id){{0}}};
    c->id = case_id(j->e->set.hash, j->index, mine->number, mine->key, cause, c->other);
    for (const struct opened *twice = j->o->cases; twice; twice = twice->next)
        if (id_eq(&twice->id, &c->id))
            return c; /* opened before: the same contradiction */
    j->o->cases = c;
    j->code = OUTCOME_CASE;
    return c;
}

static void collisions(struct judged *j, struct kept *k, const struct fields *applied)
{
    for (size_t i = 0; i < applied->count; i++) {
        const struct field *f = &applied->v[i];
        const struct field_rule *r = rule_of(j, f->number);
        if (!r || !(r->flags & FIELD_NATURAL) || f->op != FIELD_SET || f->bytes.len == 0 ||
            k->kind == KIND_UNIT)
            continue;
        unsigned met = 0;
        for (struct kept *other = j->o->records; other; other = other->next) {
            const struct field *v = other->kind == k->kind ? scalar(other, f->number) : NULL;
            const struct field *voided = scalar(other, FIELD_VOIDED);
            if (other == k || !v || !span_eq(v->bytes, f->bytes) || (voided && voided->i))
                continue;
            (void)case_open(j, CASE_COLLISION, k, f, 0, &other->id);
            other->version = j->version;
            met++;
        }
        if (met > 4) /* the registry names four at most */
            sim_fail(j->o->sim, "oracle", "%u records with one number: draw from a larger pool",
                     met);
    }
}

static bool holds_now(const struct kept *k, const struct fields *asked)
{
    for (size_t i = 0; i < asked->count; i++) {
        const struct field *m = &asked->v[i], *now = kept_get(k, m->number, m->key);
        if (!now ? m->op != FIELD_CLEAR : m->op != FIELD_SET || !field_value_equal(m, now))
            return false;
    }
    return asked->count > 0;
}

/* "closed too when the registry comes to hold what it asked for" */
static void settle(struct judged *j, const struct kept *k)
{
    for (struct opened *c = j->o->cases; c; c = c->next)
        if (c->record == k && !c->closed && c->cause != CASE_COLLISION && holds_now(k, &c->asked))
            c->closed = j->version;
}

static void wake(struct oracle *o, const struct change *created, uint64_t version);

static void arrives(struct judged *j, const struct id *id)
{
    for (struct dangles *d = j->o->dangling; d; d = d->next) {
        if (d->done || !id_eq(&d->target, id))
            continue;
        d->done = true;
        struct decided *of = &j->o->log[d->version - 1].decided[d->index];
        if (--of->dangling == 0 && of->code == OUTCOME_DANGLING) {
            of->code = OUTCOME_APPLIED;
            of->changed = j->version;
        }
    }
}

/* --- the change --------------------------------------------------------------------------------
 */

static void refuse(struct judged *j)
{
    j->code = OUTCOME_REFUSED;
}

static const struct field *nth(const struct fields *f, uint32_t number)
{
    const struct field *v = fields_find(f, number, span_of(NULL, 0));
    return v && v->op == FIELD_SET ? v : NULL;
}

/* "an attachment lies where its record lies": does this record take its attachments along? */
static bool takes_along(const struct kept *k)
{
    const struct kind *kind = kind_by_number(k->kind);
    return kind && !kind->reference && k->kind != KIND_ATTACHMENT && scalar(k, FIELD_UNIT);
}

/* All that is attached to the record lies in its unit from now on. */
static void along(struct judged *j, const struct kept *k)
{
    for (struct kept *t = takes_along(k) ? j->o->records : NULL; t; t = t->next) {
        const struct field *of = t->kind == KIND_ATTACHMENT ? scalar(t, ATTACHMENT_RECORD) : NULL;
        const struct field *unit = scalar(k, FIELD_UNIT);
        if (of && span_eq(of->bytes, id_span(&k->id)) &&
            !field_value_equal(scalar(t, FIELD_UNIT), unit))
            tell(j, t, unit);
    }
}

/* A new attachment as if its author had known where its record lies. */
static void joins(struct judged *j)
{
    const struct field *of = nth(&j->c->fields, ATTACHMENT_RECORD);
    const struct kept *k = j->o->records;
    struct change *c = fresh(j->o, sizeof *c);
    while (k && !(of && takes_along(k) && span_eq(of->bytes, id_span(&k->id))))
        k = k->next;
    if (!k || !nth(&j->c->fields, FIELD_UNIT))
        return;
    *c = *j->c;
    c->fields.v = (struct field *)(void *)arena_dup(j->o->a, (const void *)j->c->fields.v,
                                                    j->c->fields.count * sizeof *c->fields.v);
    CHECK(c->fields.v);
    for (size_t i = 0; i < c->fields.count; i++)
        if (c->fields.v[i].number == FIELD_UNIT)
            c->fields.v[i] = *scalar(k, FIELD_UNIT);
    j->c = c;
}

/* "create, record not there: insert" */
static void insert(struct judged *j)
{
    struct kept *k = fresh(j->o, sizeof *k);
    k->kind = j->c->kind;
    k->id = j->c->record;
    k->born = j->version;
    for (size_t i = 0; i < j->c->fields.count; i++)
        if (j->c->fields.v[i].op == FIELD_SET)
            tell(j, k, &j->c->fields.v[i]);
    k->version = j->version;
    k->next = j->o->records;
    j->o->records = k;
    references(j, k, &j->c->fields);
    collisions(j, k, &j->c->fields);
    arrives(j, &k->id);
    along(j, k);
}

/* What the author had seen: what stood at the base, or what the author said itself since. */
static const struct field *value_seen(const struct judged *j, const struct path *p, uint64_t base)
{
    const struct told *t = p ? p->now : NULL;
    while (t && unseen(j, t, base))
        t = t->before;
    return t && t->value.op == FIELD_SET ? &t->value : NULL;
}

/* "v > b and they differ, by the field's rule". True: taken; *hold: into a case. */
static bool takes(const struct judged *j, const struct kept *k, const struct field *mine,
                  bool *hold)
{
    const struct path *p = path_find(k, mine->number, mine->key);
    const struct told *t = p ? p->now : NULL;
    const struct field_rule *r = rule_of(j, mine->number);
    enum merge_rule merge = r ? r->merge : MERGE_HOLD; /* "hold (the default ...)" */
    bool there = t && t->value.op == FIELD_SET, sets = mine->op == FIELD_SET;
    *hold = false;
    if (!there && !sets)
        return false;
    if (there && sets && field_value_equal(mine, &t->value))
        return false; /* "nothing to do" */
    if (!unseen(j, t, mine->base) || merge == MERGE_LAST)
        return true;
    if (merge == MERGE_UNION && sets && !there)
        return true; /* "what anyone put in stays in" */
    *hold = true;
    return false;
}

static struct field void_field(bool set)
{
    return (struct field){.number = FIELD_VOIDED, .op = FIELD_SET, .type = VALUE_INT, .i = set};
}

/* "edit against void: a case", of the whole change */
static bool against_void(struct judged *j, struct kept *k)
{
    const struct path *v = path_find(k, FIELD_VOIDED, span_of(NULL, 0));
    bool voided = v && v->now->value.op == FIELD_SET && v->now->value.i;
    bool meets = false;
    if (j->c->verb == VERB_VOID && !voided)
        for (const struct path *p = k->paths; p; p = p->next)
            meets = meets || unseen(j, p->now, j->c->base);
    else if (j->c->verb != VERB_VOID)
        meets = voided && unseen(j, v->now, j->c->base);
    if (!meets)
        return false;
    struct field mine = void_field(j->c->verb == VERB_VOID);
    case_open(j, CASE_VOID, k, &mine, 0, NULL)->asked = j->c->fields;
    k->version = j->version;
    return true;
}

static bool saw_all(const struct judged *j, const struct kept *k)
{
    for (const struct path *p = k->paths; p; p = p->next)
        if (unseen(j, p->now, j->c->base))
            return false;
    return true;
}

static void merge(struct judged *j, struct kept *k)
{
    const struct fields *f = &j->c->fields;
    struct fields applied = {arena_calloc(j->o->a, f->count + 1, sizeof *f->v), 0};
    struct fields held = {arena_calloc(j->o->a, f->count + 1, sizeof *f->v), 0};
    bool resolves = j->c->case_id.len == ID_LEN, hold;
    CHECK(applied.v && held.v);
    if (against_void(j, k))
        return;
    for (size_t i = 0; i < f->count; i++) {
        if (takes(j, k, &f->v[i], &hold))
            applied.v[applied.count++] = f->v[i];
        else if (hold)
            held.v[held.count++] = f->v[i];
    }
    struct fields after = as_fields(j->o, k, &applied);
    if (applied.count && !in_scope(j, nth(&after, FIELD_UNIT))) {
        refuse(j); /* "not allowed by scope: that change is refused" */
        return;
    }
    if (applied.count && !valid(j, &after)) {
        if (saw_all(j, k)) {
            refuse(j);
            return;
        }
        /* "two valid edits that merge into an invalid record: a case", which is news of the record
         */
        case_open(j, CASE_INVALID, k, &applied.v[0], 0, NULL)->asked = *f;
        k->version = j->version;
        return;
    }
    for (size_t i = 0; i < held.count; i++) {
        const struct path *p = path_find(k, held.v[i].number, held.v[i].key);
        struct opened *c = case_open(j, CASE_FIELD, k, &held.v[i], p->now->version, NULL);
        c->asked = (struct fields){&held.v[i], 1};
        c->base = value_seen(j, p, held.v[i].base);
        c->theirs = p->now->value.op == FIELD_SET ? &p->now->value : NULL;
    }
    for (size_t i = 0; i < applied.count; i++)
        tell(j, k, &applied.v[i]);
    if (nth(&applied, FIELD_UNIT))
        along(j, k);
    references(j, k, &applied);
    collisions(j, k, &applied);
    if (applied.count || resolves)
        settle(j, k);
    if (resolves && held.count == 0)
        for (struct opened *c = j->o->cases; c; c = c->next)
            if (!c->closed && span_eq(id_span(&c->id), j->c->case_id)) {
                struct kept *other = oracle_record(j->o, c->record->kind, &c->other);
                c->closed = j->version;
                if (other)
                    other->version = j->version;
            }
    if (held.count || resolves)
        k->version = j->version;
    if (!applied.count && !held.count && !resolves)
        j->code = OUTCOME_EQUAL;
}

/* "create, record there: each field": as an amendment of what differs, by one who has seen nothing.
 * False when nothing does. */
static bool amends(struct judged *j, const struct kept *k)
{
    struct change *c = fresh(j->o, sizeof *c);
    const struct fields *f = &j->c->fields;
    *c = *j->c;
    c->verb = VERB_AMEND;
    c->base = 0;
    c->fields = (struct fields){arena_calloc(j->o->a, f->count + 1, sizeof *f->v), 0};
    CHECK(c->fields.v);
    for (size_t i = 0; i < f->count; i++) {
        const struct field *now = kept_get(k, f->v[i].number, f->v[i].key);
        if (now ? f->v[i].op == FIELD_SET && field_value_equal(&f->v[i], now)
                : f->v[i].op == FIELD_CLEAR)
            continue;
        if (k->kind == KIND_ATTACHMENT && f->v[i].number == FIELD_UNIT)
            continue; /* where it lies is not its author's to say */
        c->fields.v[c->fields.count] = f->v[i];
        c->fields.v[c->fields.count++].base = 0;
    }
    j->c = c;
    return c->fields.count > 0;
}

static void judge(struct judged *j)
{
    struct kept *k = oracle_record(j->o, j->c->kind, &j->c->record);
    bool creates = j->c->verb == VERB_CREATE, made = creates && !k;
    j->code = OUTCOME_APPLIED;
    j->kind = kind_by_number(j->c->kind);
    if (creates && j->c->kind == KIND_ATTACHMENT)
        joins(j);
    if (!creates && !k) { /* "it waits, visibly, and applies when the record comes" */
        struct waits *w = fresh(j->o, sizeof *w);
        *w = (struct waits){j->o->waiting, j->set_version, j->index,
                            j->c->record,  j->c->kind,     false};
        j->o->waiting = w;
        j->code = OUTCOME_WAITING;
    } else if (creates &&
               (!permitted(j, nth(&j->c->fields, FIELD_OFFICER), true) ||
                !in_scope(j, nth(&j->c->fields, FIELD_UNIT)) || !valid(j, &j->c->fields))) {
        refuse(j);
    } else if (!k) {
        insert(j);
    } else if (creates && !amends(j, k)) {
        j->code = OUTCOME_EQUAL;
    } else if (!permitted(j, scalar(k, FIELD_OFFICER), false) ||
               !in_scope(j, scalar(k, FIELD_UNIT))) {
        refuse(j);
    } else {
        merge(j, k);
    }
    if (j->c->kind == KIND_UNIT || j->c->kind == KIND_REPLICA)
        j->o->scopes_dirty = true;
    struct decided *d = &j->e->decided[j->index];
    d->code = j->code;
    d->changed = j->version;
    if (made && j->code != OUTCOME_REFUSED)
        wake(j->o, j->c, j->version);
}

/* The changes that waited for a record, in the order of the log. */
static void wake(struct oracle *o, const struct change *created, uint64_t version)
{
    for (;;) {
        struct waits *first = NULL;
        for (struct waits *w = o->waiting; w; w = w->next)
            if (!w->done && id_eq(&w->record, &created->record) && w->kind == created->kind &&
                (!first || w->version < first->version ||
                 (w->version == first->version && w->index < first->index)))
                first = w;
        if (!first)
            return;
        first->done = true;
        struct judged j = {.o = o,
                           .e = &o->log[first->version - 1],
                           .set_version = first->version,
                           .version = version,
                           .index = first->index};
        j.c = &j.e->set.changes.v[j.index];
        author_find(&j);
        judge(&j);
    }
}

/* --- the log -----------------------------------------------------------------------------------
 */

static void entry_read(struct oracle *o, uint64_t version)
{
    struct entry *e = &o->log[version - 1];
    struct log_entry raw;
    struct ocop_error err = {0};
    if (log_read(o->r, version, &raw, &err) != OCOP_OK)
        sim_fail(o->sim, "log", "version %llu: %s", (unsigned long long)version, err.text);
    if (changeset_open(raw.body, o->a, &e->set, &err) != OCOP_OK)
        sim_fail(o->sim, "log", "version %llu cannot be opened: %s", (unsigned long long)version,
                 err.text);
    e->received_ms = raw.received_ms;
    e->decided = arena_calloc(o->a, e->set.changes.count + 1, sizeof *e->decided);
    CHECK(e->decided);
}

/* Of the lineages that a set of the registry's names, the last is the present one. */
static void lineage_begins(struct oracle *o, const struct change *c)
{
    for (size_t i = 0; c->kind == KIND_REGISTRY && i < c->fields.count; i++)
        if (c->fields.v[i].number == LINEAGES && c->fields.v[i].op == FIELD_SET)
            id_from(c->fields.v[i].key, &o->lineage);
}

static void entry_judge(struct oracle *o, uint64_t version)
{
    struct judged j = {
        .o = o, .e = &o->log[version - 1], .set_version = version, .version = version};
    bool own = id_eq(&j.e->set.replica, &o->self);
    if (own)
        o->lineage = j.e->set.lineage;
    uint64_t limit = base_limit(o, &j.e->set.lineage);
    author_find(&j);
    for (size_t i = 0; i < j.e->set.changes.count; i++) {
        struct change *c = &j.e->set.changes.v[i];
        c->base = c->base < limit ? c->base : limit;
        for (size_t f = 0; f < c->fields.count; f++)
            if (c->fields.v[f].base > limit)
                c->fields.v[f].base = limit;
    }
    for (j.index = 0; j.index < j.e->set.changes.count; j.index++) {
        j.c = &j.e->set.changes.v[j.index];
        judge(&j);
    }
    for (size_t i = 0; own && i < j.e->set.changes.count; i++)
        lineage_begins(o, &j.e->set.changes.v[i]);
    if (o->scopes_dirty)
        oracle_scopes(o);
    o->scopes_dirty = false;
}

void oracle_run(struct oracle *o, struct sim *s, struct arena *a)
{
    *o = (struct oracle){.sim = s, .r = s->registry, .a = a, .self = s->registry->self};
    CHECK(registry_version(o->r, &o->count, NULL) == OCOP_OK);
    o->log = arena_calloc(a, (size_t)o->count + 1, sizeof *o->log);
    CHECK(o->log);
    for (uint64_t v = 1; v <= o->count; v++)
        entry_read(o, v);
    for (uint64_t v = 1; v <= o->count; v++)
        entry_judge(o, v);
}
