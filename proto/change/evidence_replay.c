/* What the changes did to the record and its attachments, value by value, by the outcomes and cases
 * that the registry states. What comes out must be what it says it holds. */
#include "evidence.h"

#include <inttypes.h>

#include "bounds.h"

struct replaying {
    struct evidence_checking *c;
    struct evidence_change **waiting; /* before their record, in the order of the log */
    size_t waiting_count;
};

static enum outcome_code code_of(const struct evidence_change *ch)
{
    return ch->outcome ? (enum outcome_code)ch->outcome->code : OUTCOME_APPLIED;
}

static bool stands_before(const struct evidence_change *ch,
                          const Ocop__Evidence__EvidenceOutcome *o)
{
    return ch->set->in->version < o->version ||
           (ch->set->in->version == o->version && ch->index < o->index);
}

/* Both stand in the order of the log. */
static void outcomes_tie(struct evidence_checking *c)
{
    const Ocop__Evidence__Bundle *b = c->e->bundle;
    size_t at = 0;
    for (size_t i = 0; i < b->n_outcomes; i++) {
        const Ocop__Evidence__EvidenceOutcome *o = b->outcomes[i];
        while (at < c->e->change_count && stands_before(&c->e->changes[at], o))
            at++;
        struct evidence_change *ch = at < c->e->change_count ? &c->e->changes[at] : NULL;
        if (ch && ch->set->in->version == o->version && ch->index == o->index &&
            o->code <= OUTCOME_CASE && !ch->outcome)
            ch->outcome = o;
        else
            evidence_found(c, "version %" PRIu64 ": an outcome of no change of the record",
                           o->version);
    }
}

/* A change stands in a case by its outcome if and only if the bundle tells of a case of it. */
static void cases_tie(struct evidence_checking *c)
{
    const struct evidence *e = c->e;
    for (size_t n = 0; n < e->change_count; n++) {
        const struct evidence_change *ch = &e->changes[n];
        bool told = false;
        for (size_t i = 0; i < e->case_count && !told; i++)
            told = e->cases[i].in->version == ch->set->in->version &&
                   e->cases[i].in->index == ch->index;
        if (told != (code_of(ch) == OUTCOME_CASE))
            evidence_found(c, "version %" PRIu64 ": its outcome and its cases do not agree",
                           ch->set->in->version);
    }
}

struct evidence_state *evidence_state_of(struct evidence_checking *c, uint32_t kind,
                                         const struct id *id)
{
    struct evidence_state **s = &c->e->states;
    while (*s && ((*s)->kind != kind || !id_eq(&(*s)->id, id)))
        s = &(*s)->next;
    if (!*s && (*s = arena_calloc(c->a, 1, sizeof **s))) {
        (*s)->kind = kind;
        (*s)->id = *id;
    }
    return *s;
}

/* Does a case hold this value of the change back? One about the whole change holds all. */
static bool in_case(const struct evidence *e, const struct evidence_change *ch,
                    const struct field *f)
{
    for (size_t i = 0; i < e->case_count; i++) {
        const Ocop__Evidence__EvidenceCase *k = e->cases[i].in;
        if (k->version != ch->set->in->version || k->index != ch->index ||
            k->cause == CASE_COLLISION)
            continue;
        if (k->cause != CASE_FIELD ||
            (k->number == f->number && span_eq(f->key, span_of(k->element.data, k->element.len))))
            return true;
    }
    return false;
}

static bool same_value(const struct field *mine, const struct field *held)
{
    const bool gone = !held || held->op == FIELD_CLEAR;
    return gone ? mine->op == FIELD_CLEAR : mine->op == FIELD_SET && field_value_equal(mine, held);
}

static enum evidence_fate fate_of(const struct evidence *e, const struct evidence_change *ch,
                                  const struct field *f, const struct field *before)
{
    switch (code_of(ch)) {
    case OUTCOME_REFUSED:
        return FATE_REFUSED;
    case OUTCOME_WAITING:
        return FATE_WAITING;
    case OUTCOME_CASE:
        if (in_case(e, ch, f))
            return FATE_CASE;
        break;
    default:
        break;
    }
    if (before && field_follows(ch->c.kind, f->number))
        return FATE_SAME; /* made again: where it lies is not its author's to say */
    return same_value(f, before) ? FATE_SAME : FATE_TAKEN;
}

static const struct field *scalar(const struct evidence_state *s, uint32_t number)
{
    const struct field *f = fields_find(&s->fields, number, span_of(NULL, 0));
    return f && f->op == FIELD_SET ? f : NULL;
}

/* The states are in the order in which they were spoken of: the kinds have an order of their own.
 */
static struct evidence_state *present(struct evidence_checking *c, const struct kind *k,
                                      const struct id *id)
{
    for (struct evidence_state *o = c->e->states; kind_attachable(k) && o; o = o->next)
        if (o->kind == k->number && o->present && id_eq(&o->id, id))
            return o;
    return NULL;
}

static enum ocop_status put(struct evidence_checking *c, struct evidence_state *attachment,
                            const struct field *unit, uint64_t version)
{
    const struct field *own = scalar(attachment, FIELD_UNIT);
    const struct fields one = {(struct field *)(uintptr_t)unit, 1};
    if (own && field_value_equal(own, unit))
        return OCOP_OK;
    return fields_apply(&attachment->fields, &one, version, false, c->a, &attachment->fields,
                        c->err);
}

/* A new attachment lies where its record lies: of several of one id where the one does that lies
 * where its author wrote, else the first in the order of kinds. */
static enum ocop_status place(struct evidence_checking *c, struct evidence_state *s,
                              uint64_t version)
{
    const struct field *of = scalar(s, ATTACHMENT_RECORD), *wrote = scalar(s, FIELD_UNIT),
                       *unit = NULL;
    struct id id;
    if (!of || !wrote || !id_from(of->bytes, &id))
        return OCOP_OK;
    for (size_t i = 0; i < kind_count(); i++) {
        const struct evidence_state *record = present(c, kind_at(i), &id);
        const struct field *lies = record ? scalar(record, FIELD_UNIT) : NULL;
        if (lies && field_value_equal(lies, wrote))
            return OCOP_OK;
        unit = unit ? unit : lies;
    }
    return unit ? put(c, s, unit, version) : OCOP_OK;
}

/* The unit of a record was set. What lay where it did follows; what was attached before there was
 * any record of the id goes where it came. `from` NULL: it came now. */
static enum ocop_status lead(struct evidence_checking *c, const struct evidence_state *s,
                             const struct field *from, uint64_t version)
{
    const struct field *unit = scalar(s, FIELD_UNIT);
    enum ocop_status st = OCOP_OK;
    for (size_t i = 0; !from && i < kind_count(); i++)
        if (kind_at(i)->number != s->kind && present(c, kind_at(i), &s->id))
            return OCOP_OK;
    for (struct evidence_state *o = c->e->states; st == OCOP_OK && unit && o; o = o->next) {
        const struct field *of = scalar(o, ATTACHMENT_RECORD), *own = scalar(o, FIELD_UNIT);
        if (o->kind != KIND_ATTACHMENT || !o->present || !of ||
            !span_eq(of->bytes, id_span(&s->id)) ||
            (from && !(own && field_value_equal(own, from))))
            continue;
        st = put(c, o, unit, version);
    }
    return st;
}

/* The unit of `s` was set; it was `from`. */
static enum ocop_status lie_together(struct evidence_checking *c, struct evidence_state *s,
                                     const struct field *from, uint64_t version)
{
    if (s->kind == KIND_ATTACHMENT)
        return from ? OCOP_OK : place(c, s, version);
    return kind_attachable(kind_by_number(s->kind)) ? lead(c, s, from, version) : OCOP_OK;
}

/* `there`: the change meets its record; else its values come to nothing, whatever its outcome. */
static enum ocop_status take(struct evidence_checking *c, struct evidence_change *ch,
                             struct evidence_state *s, bool there)
{
    const struct fields *in = &ch->c.fields;
    struct fields taken = {arena_calloc(c->a, in->count + 1, sizeof *taken.v), 0};
    ch->values = arena_calloc(c->a, in->count + 1, sizeof *ch->values);
    if (!taken.v || !ch->values)
        return err_nomem(c->err);
    for (size_t i = 0; i < in->count; i++) {
        struct evidence_value *v = &ch->values[i];
        v->after = &in->v[i];
        v->before = fields_find(&s->fields, v->after->number, v->after->key);
        v->fate = there ? fate_of(c->e, ch, v->after, v->before) : FATE_WAITING;
        if (v->fate == FATE_TAKEN)
            taken.v[taken.count++] = *v->after;
    }
    if (taken.count && code_of(ch) == OUTCOME_EQUAL)
        evidence_found(c, "version %" PRIu64 ": it is said to change nothing, and does",
                       ch->set->in->version);
    const struct field *from = scalar(s, FIELD_UNIT);
    enum ocop_status st =
        fields_apply(&s->fields, &taken, ch->set->in->version, false, c->a, &s->fields, c->err);
    if (st == OCOP_OK && fields_find(&taken, FIELD_UNIT, span_of(NULL, 0)))
        st = lie_together(c, s, from, ch->set->in->version);
    const struct field *rule_set = fields_find(&s->fields, FIELD_RULE_SET, span_of(NULL, 0));
    ch->rule_set = rule_set ? rule_set->bytes : span_of(NULL, 0);
    return st;
}

static enum ocop_status wake(struct replaying *r, struct evidence_state *s)
{
    enum ocop_status st = OCOP_OK;
    size_t kept = 0;
    for (size_t i = 0; st == OCOP_OK && i < r->waiting_count; i++) {
        if (r->waiting[i]->c.kind == s->kind && id_eq(&r->waiting[i]->c.record, &s->id))
            st = take(r->c, r->waiting[i], s, true);
        else
            r->waiting[kept++] = r->waiting[i];
    }
    r->waiting_count = kept;
    return st;
}

static enum ocop_status follow(struct replaying *r, struct evidence_change *ch)
{
    struct evidence_state *s = evidence_state_of(r->c, ch->c.kind, &ch->c.record);
    if (!s)
        return err_nomem(r->c->err);
    const bool known = ch->c.verb >= VERB_CREATE && ch->c.verb <= VERB_VOID;
    if (s->present || !known)
        return take(r->c, ch, s, true);
    if (ch->c.verb != VERB_CREATE) {
        ch->waited = true;
        r->waiting[r->waiting_count++] = ch;
        return OCOP_OK;
    }
    s->present = code_of(ch) != OUTCOME_REFUSED;
    enum ocop_status st = take(r->c, ch, s, true);
    return st == OCOP_OK && s->present ? wake(r, s) : st;
}

/* --- what the registry holds ---------------------------------------------------------------------
 */

static bool same_fields(const struct fields *a, const struct fields *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (field_cmp(&a->v[i], &b->v[i]) != 0 || !field_value_equal(&a->v[i], &b->v[i]))
            return false;
    return true;
}

/* Is it a state in its one form, and nothing but one? */
static enum ocop_status is_state(struct evidence_checking *c, const struct change *held,
                                 struct span in, bool *out)
{
    const struct change plain = {
        .kind = held->kind, .verb = VERB_STATE, .record = held->record, .fields = held->fields};
    struct buf b;
    buf_init(&b, EVIDENCE_INFLATED_MAX);
    enum ocop_status st = change_pack(&plain, &b, c->err);
    *out = st == OCOP_OK && span_eq(buf_span(&b), in);
    if (st == OCOP_OK && b.failed)
        st = err_nomem(c->err);
    buf_fini(&b);
    return st;
}

static enum ocop_status state_compare(struct evidence_checking *c, const ProtobufCBinaryData *in,
                                      size_t *matched)
{
    struct change held;
    bool plain;
    const struct span packed = span_of(in->data, in->len);
    enum ocop_status st = change_unpack(packed, c->a, &held, NULL);
    if (st == OCOP_ENOMEM)
        return err_nomem(c->err);
    if (st == OCOP_OK) {
        const struct evidence_state *s = evidence_state_of(c, held.kind, &held.record);
        if (!s)
            return err_nomem(c->err);
        st = is_state(c, &held, packed, &plain);
        if (st != OCOP_OK)
            return st;
        if (plain && evidence_tells_of(c->e, &held.record) && s->present &&
            same_fields(&s->fields, &held.fields)) {
            ++*matched;
            return OCOP_OK;
        }
    }
    evidence_found(c, "what the registry holds of the record is not what these changes give");
    return OCOP_OK;
}

static enum ocop_status states_compare(struct evidence_checking *c)
{
    const Ocop__Evidence__Bundle *b = c->e->bundle;
    size_t matched = 0, present = 0;
    enum ocop_status st = OCOP_OK;
    const size_t before = c->e->finding_count;
    for (size_t i = 0; st == OCOP_OK && i < b->n_states; i++)
        st = state_compare(c, &b->states[i], &matched);
    for (const struct evidence_state *s = c->e->states; s; s = s->next)
        present += s->present;
    if (st == OCOP_OK && matched != present && c->e->finding_count == before)
        evidence_found(c, "the registry does not hold the record that these changes give");
    return st;
}

enum ocop_status evidence_replay(struct evidence_checking *c)
{
    struct evidence *e = c->e;
    struct replaying r = {.c = c};
    enum ocop_status st = OCOP_OK;
    r.waiting = arena_calloc(c->a, e->change_count + 1, sizeof(struct evidence_change *));
    if (!r.waiting)
        return err_nomem(c->err);
    outcomes_tie(c);
    cases_tie(c);
    for (size_t i = 0; st == OCOP_OK && i < e->change_count; i++)
        st = follow(&r, &e->changes[i]);
    for (size_t i = 0; st == OCOP_OK && i < r.waiting_count; i++) {
        struct evidence_state *s =
            evidence_state_of(c, r.waiting[i]->c.kind, &r.waiting[i]->c.record);
        st = s ? take(c, r.waiting[i], s, false) : err_nomem(c->err);
    }
    return st == OCOP_OK ? states_compare(c) : st;
}
