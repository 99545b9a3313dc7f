/* What each officer did, as the officer knows it: what was on the screen, what the call said. The
 * registry's log is held against it at the end. Knows nothing of what the library stores but what
 * it shows. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "bounds.h"
#include "sim.h"
#include "sync.h"

/* --- copies ------------------------------------------------------------------------------------
 */

static struct fields fields_copy(struct arena *a, const struct fields *f)
{
    struct fields out = {arena_calloc(a, f->count + 1, sizeof *out.v), f->count};
    CHECK(out.v);
    for (size_t i = 0; i < f->count; i++) {
        out.v[i] = f->v[i];
        out.v[i].key = span_of(arena_dup(a, f->v[i].key.p, f->v[i].key.len), f->v[i].key.len);
        out.v[i].bytes =
            span_of(arena_dup(a, f->v[i].bytes.p, f->v[i].bytes.len), f->v[i].bytes.len);
        CHECK(out.v[i].key.p && out.v[i].bytes.p);
    }
    return out;
}

/* What this device shows of a record. */
struct shown {
    bool there;
    bool pending, draft; /* changes that the registry has not answered; a draft */
    bool refused;        /* its creation was: what is done to it is to a new record */
    struct fields f;
    uint64_t version;
};

static struct shown show_now(struct device *d, uint32_t kind, const struct id *record,
                             bool with_draft)
{
    struct outbox_rows rows = {NULL, 0};
    struct arena *work = &d->sim->work;
    struct shown out = {.there = false};
    struct fields f;
    struct change c;
    if (!d->store || d->node.disk.dead ||
        pending_state(d->store, kind, record, with_draft, work, &rows, &out.there, &f, &out.version,
                      NULL) != OCOP_OK)
        return (struct shown){.there = false};
    for (size_t i = 0; i < rows.count; i++) {
        *(rows.v[i].state == OUTBOX_DRAFT ? &out.draft : &out.pending) = true;
        out.refused = out.refused || (rows.v[i].state == OUTBOX_REFUSED &&
                                      pending_change(&rows.v[i], work, &c, NULL) == OCOP_OK &&
                                      c.verb == VERB_CREATE);
    }
    if (out.there)
        out.f = fields_copy(&d->sim->arena, &f);
    return out;
}

/* Looking is no act: the disk fails nothing of it. */
static struct shown show(struct device *d, uint32_t kind, const struct id *record, bool with_draft)
{
    struct disk *k = &d->node.disk;
    const struct disk was = *k;
    k->crash_in = k->fail_in = 0;
    struct shown out = show_now(d, kind, record, with_draft);
    k->crash_in = was.crash_in;
    k->fail_in = was.fail_in;
    return out;
}

/* --- drafts ------------------------------------------------------------------------------------
 */

static struct draft_seen *draft_find(struct device *d, const struct id *record)
{
    struct draft_seen *s = d->drafts;
    while (s && !id_eq(&s->record, record))
        s = s->next;
    return s;
}

void model_forget_draft(struct device *d, const struct id *record)
{
    struct draft_seen **at = &d->drafts;
    while (*at && !id_eq(&(*at)->record, record))
        at = &(*at)->next;
    if (*at)
        *at = (*at)->next;
}

/* A draft was saved: what was on the screen when each of its fields was first edited. */
static void draft_saved(struct act *a, bool unsure)
{
    struct device *d = a->d;
    struct arena *arena = &d->sim->arena;
    struct draft_seen *old = draft_find(d, &a->sub.record), *fresh;
    struct fields diff, seen;
    struct shown now = show(d, a->sub.kind, &a->sub.record, true);
    fresh = arena_calloc(arena, 1, sizeof *fresh);
    CHECK(fresh);
    *fresh = (struct draft_seen){
        .record = a->sub.record, .version = a->sub.seen, .unsure = unsure || (old && old->unsure)};
    CHECK(fields_diff(&now.f, &a->sub.before, 0, arena, &diff, NULL) == OCOP_OK);
    seen = fields_copy(arena, &diff); /* what leads back to before */
    for (size_t i = 0; old && i < seen.count; i++) {
        const struct field *earlier = fields_find(&old->seen, seen.v[i].number, seen.v[i].key);
        if (earlier)
            seen.v[i] = *earlier;
    }
    if (old)
        model_forget_draft(d, &a->sub.record);
    fresh->seen = seen;
    if (!now.draft && !unsure)
        return; /* nothing differed: the draft is gone */
    fresh->next = d->drafts;
    d->drafts = fresh;
}

/* --- acts --------------------------------------------------------------------------------------
 */

void act_begin(struct act *a, struct device *d, uint32_t kind, const struct id *record,
               uint8_t verb)
{
    struct sim *s = d->sim;
    struct shown is = show(d, kind, record, false);
    *a = (struct act){.d = d, .there = is.there && !is.refused, .had_draft = is.draft};
    a->sub = (struct submission){.device = d->index, .step = s->step, .kind = kind, .verb = verb};
    a->sub.record = *record;
    if (!a->there)
        a->sub.verb = VERB_CREATE; /* whatever it is called: there is nothing yet to change */
    else if (verb != VERB_CREATE)
        snprintf(a->sub.token, sizeof a->sub.token, "t%u", ++s->token);
    a->sub.seen = is.version;
    a->sub.clean = !is.pending && !is.draft;
    if (a->there)
        a->sub.before = is.f;
    a->shown = show(d, kind, record, true).f;
}

static struct submission *submission_add(struct sim *s)
{
    struct submissions *v = &s->submissions;
    if (v->count == v->room) {
        v->room = v->room ? v->room * 2 : 256;
        v->v = realloc(v->v, v->room * sizeof *v->v);
        CHECK(v->v);
    }
    return &v->v[v->count++];
}

/* An older program has not changed what only newer ones know: fields, and fields of elements, as
 * they were on its screen, a draft from before they came included. */
static void strange_kept(const struct act *a, const struct fields *now, const struct fields *diff)
{
    const struct kind *kind = kind_by_number(a->sub.kind);
    for (size_t i = 0; i < diff->count; i++) {
        const struct field *f = &diff->v[i];
        const struct field *was = fields_find(&a->shown, f->number, f->key);
        const struct field *is = fields_find(now, f->number, f->key);
        struct field x, y;
        bool had = was && was->op == FIELD_SET && was->type == VALUE_ELEMENT &&
                   element_get(was->bytes, SUBFIELD_NEWER, &x);
        bool has = is && is->op == FIELD_SET && is->type == VALUE_ELEMENT &&
                   element_get(is->bytes, SUBFIELD_NEWER, &y);
        if (!kind_field(kind, f->number) || (is && is->op == FIELD_SET && had != has))
            sim_fail(a->d->sim, "strange",
                     "device %u changed field %u of what its program does not know", a->d->index,
                     f->number);
    }
}

/* What the call changed, by what the screen shows now. */
static void act_content(struct act *a)
{
    struct sim *s = a->d->sim;
    struct shown now = show(a->d, a->sub.kind, &a->sub.record, false);
    struct fields diff;
    if (!now.there)
        return;
    CHECK(fields_diff(&a->sub.before, &now.f, 0, &s->arena, &diff, NULL) == OCOP_OK);
    if (a->sub.verb == VERB_AMEND && !a->d->node.newer && !a->d->tainted)
        strange_kept(a, &now.f, &diff);
    a->sub.fields = fields_copy(&s->arena, &diff);
}

/* On failure what is stored is unchanged. */
static void act_failed(struct act *a, enum ocop_status st)
{
    struct fields diff;
    if (!a->d->store)
        return;
    struct shown now = show(a->d, a->sub.kind, &a->sub.record, true);
    CHECK(fields_diff(&a->shown, &now.f, 0, &a->d->sim->work, &diff, NULL) == OCOP_OK);
    if (diff.count)
        sim_fail(a->d->sim, "unchanged", "device %u: a call returned %s and changed %zu fields",
                 a->d->index, err_name(st), diff.count);
}

/* Drafts that a call took with it override what was on the screen. */
static void act_draft(struct act *a)
{
    struct draft_seen *draft = draft_find(a->d, &a->sub.record);
    if (!draft || !a->had_draft)
        return;
    if (draft->unsure)
        a->sub.fields.count = 0;
    CHECK(fields_apply(&a->sub.before, &draft->seen, 0, true, &a->d->sim->arena, &a->sub.before,
                       NULL) == OCOP_OK);
}

void act_end(struct act *a, enum ocop_status st, bool submits)
{
    struct device *d = a->d;
    bool dead = d->node.disk.dead;
    bool unsure = dead || st == OCOP_EDB || st == OCOP_EBROKEN || st == OCOP_EIO;
    static const char *const verbs[] = {"", "create", "amend", "add", "void"};
    char id[ID_TEXT_LEN + 1];
    sim_trace(d->sim, "device %u %s %s %s of %s (seen at %" PRIu64 "): %s%s", d->index,
              submits ? "submits" : "saves", verbs[a->sub.verb], a->sub.token,
              id_text(a->sub.record, id), a->sub.seen, err_name(st), dead ? ", goes down" : "");
    if (st != OCOP_OK && !unsure)
        act_failed(a, st);
    if (!submits) {
        if (st == OCOP_OK || unsure)
            draft_saved(a, unsure);
        return;
    }
    if (st != OCOP_OK && !unsure)
        return;
    files_submitted(d, &a->sub.record, unsure);
    if (!unsure) {
        act_content(a);
        if (a->sub.fields.count == 0) {
            model_forget_draft(d, &a->sub.record);
            return; /* nothing differed, nothing was submitted */
        }
        act_draft(a);
    }
    a->sub.acknowledged = !unsure;
    struct draft_seen *draft = draft_find(d, &a->sub.record);
    if (draft && unsure)
        draft->unsure = true;
    else if (a->sub.verb != VERB_ADD)
        model_forget_draft(d, &a->sub.record);
    *submission_add(d->sim) = a->sub;
}

/* --- copies of stores --------------------------------------------------------------------------
 */

void model_copied(struct sim *s, struct device *d)
{
    d->tainted = true;
    for (size_t i = 0; i < s->submissions.count; i++)
        if (s->devices[s->submissions.v[i].device].family == d->family)
            s->submissions.v[i].twice = true;
}

void model_older(struct sim *s, struct device *d, size_t submissions)
{
    model_copied(s, d);
    for (size_t i = submissions; i < s->submissions.count; i++)
        if (s->submissions.v[i].device == d->index)
            s->submissions.v[i].excused = true;
    for (struct draft_seen *draft = d->drafts; draft; draft = draft->next)
        draft->unsure = true;
}
