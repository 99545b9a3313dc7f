/* Steps: what officers do on their devices, and what befalls machines. Everything is drawn so that
 * contradictions are common: few records, few fields, few values. */
#include <stdio.h>

#include "bounds.h"
#include "record_api.h"
#include "sim.h"

/* --- drawing -----------------------------------------------------------------------------------
 */

struct device *device_drawn(struct sim *s)
{
    struct device *d = &s->devices[chance_below(&s->chance, SIM_DEVICES_MAX)];
    for (unsigned i = 0; i < SIM_DEVICES_MAX && !d->used; i++)
        d = &s->devices[(d->index + 1 + i) % SIM_DEVICES_MAX];
    return d->used ? d : NULL;
}

void record_note(struct sim *s, uint32_t kind, const struct id *id)
{
    for (unsigned i = 0; i < s->record_count; i++)
        if (id_eq(&s->records[i].id, id))
            return;
    if (s->record_count < SIM_RECORDS_MAX)
        s->records[s->record_count++] = (struct known_record){kind, *id};
}

const struct known_record *record_drawn(struct sim *s)
{
    if (s->record_count == 0)
        return NULL;
    unsigned recent = s->record_count < 8 ? s->record_count : 8;
    if (chance_percent(&s->chance, 60))
        return &s->records[s->record_count - 1 - chance_below(&s->chance, recent)];
    return &s->records[chance_below(&s->chance, s->record_count)];
}

static const char *id_of_kind(struct sim *s, uint32_t kind, char *out)
{
    for (unsigned n = 0; n < 30; n++) {
        const struct known_record *r = record_drawn(s);
        if (r && r->kind == kind)
            return id_text(r->id, out);
    }
    for (unsigned i = 0; i < s->record_count; i++)
        if (s->records[i].kind == kind)
            return id_text(s->records[i].id, out);
    return "";
}

static const char *unit_drawn(struct sim *s, char *out)
{
    return id_text(s->units[2 + chance_below(&s->chance, s->unit_count - 2)], out);
}

/* Mostly one that the device has; an eighth of all may be anywhere. */
static const char *unit_of(struct device *d, char *out)
{
    struct sim *s = d->sim;
    for (unsigned n = 0; n < 30 && !chance_percent(&s->chance, 12); n++) {
        unsigned u = 2 + chance_below(&s->chance, s->unit_count - 2);
        if (d->scope >> u & 1 || d->scope & 3) /* a province has them all, or may */
            return id_text(s->units[u], out);
    }
    return unit_drawn(s, out);
}

/* --- what can be edited ------------------------------------------------------------------------
 */

/* %u: a value that nobody else uses; else one of a few, apart by '|'. */
static const struct edit {
    uint32_t kind;
    const char *text;
} edits[] = {
    {KIND_INSPECTION, "conclusion=pass|conclusion=fail|conclusion=conditional"},
    {KIND_INSPECTION, "conclusion=pass|conclusion=fail|conclusion=conditional"},
    {KIND_INSPECTION, "score=10|score=50|score=90"},
    {KIND_INSPECTION, "notes=v%u"},
    {KIND_INSPECTION, "notes=v%u|notes="},
    {KIND_INSPECTION, "lot_code=v%u"},
    {KIND_INSPECTION, "decision_date=2020-01-01|decision_date=2026-08-01|decision_date="},
    {KIND_INSPECTION, "inspected_date=2026-07-25|inspected_date=2026-08-20"},
    {KIND_INSPECTION, "answers[NC.1].answer=pass|answers[NC.1].answer=fail|answers[NC.1]="},
    {KIND_INSPECTION, "answers[PL.1].remark=v%u|answers[PL.1]="},
    {KIND_INSPECTION, "follow_up_required=true|follow_up_required=false"},
    {KIND_SAMPLE, "quantity=1.5|quantity=2.25"},
    {KIND_SAMPLE, "place=v%u"},
    {KIND_SAMPLE, "parameters[Pb].method=v%u|parameters[Pb]="},
    {KIND_SAMPLE, "parameters[Cd].method=A|parameters[Cd].method=B|parameters[Cd]="},
    {KIND_PRODUCER, "representative=v%u"},
    {KIND_PRODUCER, "representative=An|representative=Binh"},
    {KIND_PRODUCER, "phone=v%u"},
    {KIND_PRODUCER, "phone=v%u|phone="},
    {KIND_PRODUCER, "tax_code=4001|tax_code=4002|tax_code=4003|tax_code="},
    {KIND_PRODUCER, "notes=v%u"},
    {KIND_PRODUCT, "packaging=v%u"},
    {KIND_PRODUCT, "product_code=68-1|product_code=68-2|product_code="},
    {KIND_PRODUCT, "notes=v%u|notes="},
    {KIND_PRODUCT, "stars=4"},
};
enum { EDITS = sizeof edits / sizeof *edits };

static enum ocop_status edit(struct device *d, uint32_t kind, ProtobufCMessage **m)
{
    struct sim *s = d->sim;
    char text[200], unit[ID_TEXT_LEN + 1], choice[100];
    const struct edit *e;
    do
        e = &edits[chance_below(&s->chance, EDITS)];
    while (e->kind != kind);
    if ((s->faults & FAULT_SCOPE) && chance_percent(&s->chance, 6)) {
        snprintf(text, sizeof text, "unit_id=%s", unit_drawn(s, unit));
        return ocop_set_text(d->store, m, text, NULL);
    }
    unsigned n = 1;
    for (const char *p = e->text; *p; p++)
        n += *p == '|';
    const char *at = e->text;
    for (unsigned skip = chance_below(&s->chance, n); skip; at++)
        skip -= *at == '|';
    snprintf(choice, sizeof choice, "%.*s", (int)strcspn(at, "|"), at);
    char *number = strstr(choice, "%u");
    if (number)
        snprintf(number, sizeof choice - (size_t)(number - choice), "%u", ++s->token);
    sim_trace(s, "device %u edits %s", d->index, choice);
    return ocop_set_text(d->store, m, choice, NULL);
}

static bool has_edits(uint32_t kind)
{
    for (unsigned i = 0; i < EDITS; i++)
        if (edits[i].kind == kind)
            return true;
    return false;
}

/* --- acts of an officer ------------------------------------------------------------------------
 */

static bool message_id(struct device *d, const ProtobufCMessage *m, struct id *out)
{
    struct record r;
    if (record_read(m, &d->sim->work, &r, NULL) != OCOP_OK)
        return false;
    *out = r.id;
    return true;
}

static void creates(struct device *d)
{
    static const char *const kinds[] = {"inspection",          "inspection", "sample", "sample",
                                        "environmental_check", "producer",   "product"};
    static const struct {
        const char *kind, *set;
    } sets[] = {{"inspection", "inspection_type=planned"},
                {"inspection", "conclusion=pass"},
                {"inspection", "score=50"},
                {"inspection", "answers[NC.1].answer=pass"},
                {"inspection", "answers[PL.1].answer=na"},
                {"environmental_check", "inspection_type=planned"},
                {"environmental_check", "conclusion=pass"},
                {"sample", "taken_ms=1785000000000"},
                {"sample", "place=kho"},
                {"sample", "state=khô"},
                {"sample", "quantity=1.5"},
                {"sample", "quantity_unit=kg"},
                {"sample", "parameters[Cd].method=A"},
                {"producer", "name=HTX"},
                {"producer", "producer_type=cooperative"},
                {"product", "name=Cà phê"}};
    struct sim *s = d->sim;
    const char *kind = kinds[chance_below(&s->chance, sizeof kinds / sizeof *kinds)];
    char text[100], id[ID_TEXT_LEN + 1];
    ProtobufCMessage *m = NULL;
    struct id record;
    struct act act;
    if (ocop_new(d->store, kind, &m, NULL) != OCOP_OK)
        return;
    snprintf(text, sizeof text, "unit_id=%s", unit_of(d, id));
    enum ocop_status st = ocop_set_text(d->store, &m, text, NULL);
    snprintf(text, sizeof text, "producer_id=%s", id_of_kind(s, KIND_PRODUCER, id));
    if (st == OCOP_OK && strcmp(kind, "producer") != 0)
        st = ocop_set_text(d->store, &m, text, NULL);
    snprintf(text, sizeof text, "product_id=%s", id_of_kind(s, KIND_PRODUCT, id));
    if (st == OCOP_OK && strcmp(kind, "sample") == 0)
        st = ocop_set_text(d->store, &m, text, NULL);
    for (size_t i = 0; st == OCOP_OK && i < sizeof sets / sizeof *sets; i++)
        if (strcmp(sets[i].kind, kind) == 0)
            st = ocop_set_text(d->store, &m, sets[i].set, NULL);
    newer_edits(d, &m);
    if (st == OCOP_OK && message_id(d, m, &record)) {
        bool submits = chance_percent(&s->chance, 75);
        struct ocop_error err = {0};
        act_begin(&act, d, kind_by_name(kind)->number, &record, VERB_CREATE);
        sim_trace(s, "device %u: new %s %s", d->index, kind, id_text(record, id));
        st = submits ? ocop_submit(d->store, m, &err) : ocop_save(d->store, m, &err);
        if (st != OCOP_OK)
            sim_trace(s, "  %s: %s", err.field, err.text);
        act_end(&act, st, submits);
        record_note(s, kind_by_name(kind)->number, &record);
    }
    ocop_free(m);
}

static void amends(struct device *d)
{
    struct sim *s = d->sim;
    const struct known_record *r = record_drawn(s);
    ProtobufCMessage *m = NULL;
    struct ocop_id id;
    struct act act;
    if (!r || !has_edits(r->kind))
        return;
    memcpy(id.b, r->id.b, ID_LEN);
    if (ocop_load(d->store, &id, &m, NULL) != OCOP_OK)
        return;
    enum ocop_status st = edit(d, r->kind, &m);
    if (st == OCOP_OK && chance_percent(&s->chance, 30))
        st = edit(d, r->kind, &m);
    newer_edits(d, &m);
    if (st == OCOP_OK) {
        bool submits = chance_percent(&s->chance, 80);
        act_begin(&act, d, r->kind, &r->id, VERB_AMEND);
        st = submits ? ocop_amend(d->store, m, act.sub.token, NULL) : ocop_save(d->store, m, NULL);
        act_end(&act, st, submits);
    }
    ocop_free(m);
}

static void submits_draft(struct device *d)
{
    struct sim *s = d->sim;
    struct draft_seen *draft = d->drafts;
    struct ocop_id id;
    struct act act;
    for (unsigned n = chance_below(&s->chance, 3); draft && n > 0; n--)
        draft = draft->next ? draft->next : draft;
    if (!draft)
        return;
    memcpy(id.b, draft->record.b, ID_LEN);
    uint32_t kind = KIND_ATTACHMENT;
    for (unsigned i = 0; i < s->record_count; i++)
        if (id_eq(&s->records[i].id, &draft->record))
            kind = s->records[i].kind;
    act_begin(&act, d, kind, &draft->record, VERB_AMEND);
    act_end(&act, ocop_submit_draft(d->store, &id, act.sub.token, NULL), true);
}

static void adds(struct device *d)
{
    struct sim *s = d->sim;
    const struct known_record *r = record_drawn(s);
    Ocop__CustodyStep step = OCOP__CUSTODY_STEP__INIT;
    Ocop__Finding finding = OCOP__FINDING__INIT;
    char from[] = "An", to[] = "Binh", severity[] = "minor", what[24];
    struct ocop_id id;
    struct act act;
    if (!r || (r->kind != KIND_SAMPLE && r->kind != KIND_INSPECTION))
        return;
    memcpy(id.b, r->id.b, ID_LEN);
    act_begin(&act, d, r->kind, &r->id, VERB_ADD);
    snprintf(what, sizeof what, "v%u", ++s->token);
    step.from_holder = from;
    step.to_holder = to;
    step.has_at_ms = 1;
    step.at_ms = 1785000000000 + s->token;
    finding.description = what;
    finding.severity = severity;
    bool sample = r->kind == KIND_SAMPLE;
    act_end(&act,
            ocop_add(d->store, &id, sample ? "custody" : "findings",
                     sample ? &step.base : &finding.base, act.sub.token, NULL),
            true);
}

static void voids(struct device *d)
{
    const struct known_record *r = record_drawn(d->sim);
    struct ocop_id id;
    struct act act;
    if (!r || (r->kind != KIND_SAMPLE && r->kind != KIND_INSPECTION))
        return;
    memcpy(id.b, r->id.b, ID_LEN);
    act_begin(&act, d, r->kind, &r->id, VERB_VOID);
    if (!act.there)
        return; /* what was never submitted, or refused, would be discarded */
    act_end(&act, ocop_void(d->store, &id, act.sub.token, NULL), true);
}

/* What was refused is sent once more: it may then stand twice in the log. */
static void resends(struct device *d)
{
    struct sim *s = d->sim;
    const struct known_record *r = record_drawn(s);
    struct ocop_id id;
    if (!r)
        return;
    memcpy(id.b, r->id.b, ID_LEN);
    enum ocop_status st = ocop_resend(d->store, &id, NULL);
    if (st == OCOP_ESTATE || st == OCOP_ENOTFOUND)
        return;
    sim_trace(s, "device %u sends again what was refused: %s", d->index, err_name(st));
    for (size_t i = 0; i < s->submissions.count; i++)
        if (id_eq(&s->submissions.v[i].record, &r->id))
            s->submissions.v[i].twice = true;
    /* With a record goes what was attached to it since. */
    files_submitted(d, &r->id, st != OCOP_OK || d->node.disk.dead);
}

/* What was refused of a record may be gone. */
static void dropped(struct sim *s, const struct id *record)
{
    for (size_t i = 0; i < s->submissions.count; i++)
        if (id_eq(&s->submissions.v[i].record, record))
            s->submissions.v[i].dropped = true;
}

/* With a record that never was goes what is attached to it; a copy of the store may have that and
 * not its content. */
static void dropped_with(struct device *d, const struct ocop_id *id)
{
    struct sim *s = d->sim;
    struct ocop_record_status *status = NULL;
    const bool stays = ocop_record_status(d->store, id, &status, NULL) == OCOP_OK;
    ocop_record_status_free(status);
    for (unsigned i = 0; !stays && i < s->attached_count; i++) {
        struct attached *a = &s->attached[i];
        const bool with = memcmp(a->record.b, id->b, ID_LEN) == 0;
        if (with)
            dropped(s, &a->id);
        a->excused |= d->tainted && (with || memcmp(a->id.b, id->b, ID_LEN) == 0);
    }
}

static void discards(struct device *d)
{
    const struct known_record *r = record_drawn(d->sim);
    struct draft_seen *draft = d->drafts;
    struct ocop_id id;
    if (!r)
        return;
    while (draft && !id_eq(&draft->record, &r->id))
        draft = draft->next;
    if (!draft)
        return;
    memcpy(id.b, r->id.b, ID_LEN);
    enum ocop_status st = ocop_discard(d->store, &id, NULL);
    sim_trace(d->sim, "device %u discards its draft: %s", d->index, err_name(st));
    dropped_with(d, &id);
    if (st == OCOP_OK && !d->node.disk.dead && !draft->unsure) {
        model_forget_draft(d, &r->id);
        return;
    }
    draft->unsure = true; /* where there was none, it discarded what was refused */
    dropped(d->sim, &r->id);
}

/* A device whose store is not, and was not, another's too: whose copies would have the old keys,
 * and be nobody's. */
static void rekeys(struct device *d)
{
    struct sim *s = d->sim;
    if (d->tainted || d->revoked)
        return;
    enum ocop_status st = ocop_rekey_device(d->store, NULL);
    sim_trace(s, "device %u makes new keys: %s", d->index, err_name(st));
    d->rekeying = true;
    d->keys_unsure = d->keys_unsure || st != OCOP_OK;
    for (unsigned i = 0; i < SIM_COPIES_MAX; i++)
        s->copies[i].used = s->copies[i].used && s->copies[i].device != d->index;
}

void officer_acts(struct sim *s, struct device *d)
{
    static void (*const acts[])(struct device *) = {
        creates, creates,       amends,        amends, amends,  amends,   amends, amends, adds,
        voids,   submits_draft, submits_draft, adds,   resends, discards, amends, rekeys};
    if (!device_up(d) || !d->enrolled)
        return;
    if (s->files && chance_percent(&s->chance, s->files_percent))
        files_act(d);
    else
        acts[chance_below(&s->chance, sizeof acts / sizeof *acts)](d);
    arena_reset(&s->work);
    device_reap(d);
}

/* A day far from any network: more than a set, or a page, holds when they are narrow. */
static void day_of_work(struct sim *s, struct device *d)
{
    for (unsigned n = 5 + chance_below(&s->chance, 12); n > 0; n--) {
        if (device_up(d) && d->enrolled)
            creates(d);
        arena_reset(&s->work);
        device_reap(d);
    }
}

/* --- syncing -----------------------------------------------------------------------------------
 */

/* Statuses that a sync may come back with while things go wrong; each must have a cause. */
static bool may_return(struct device *d, enum ocop_status st)
{
    const struct sim *s = d->sim;
    switch (st) {
    case OCOP_OK:
        return true;
    case OCOP_ENET:
    case OCOP_ETIMEOUT:
        return s->faults & (FAULT_NET | FAULT_CRASH | FAULT_DISK);
    case OCOP_EPROTO:
    case OCOP_EAUTH:
        /* cut, corrupted, another's; an invitation that a restore lost */
        return (s->faults & FAULT_NET) || (!d->enrolled && s->restores > 0);
    case OCOP_ELIMIT: /* a disk that is full of files */
        return s->files && (s->faults & FAULT_DISK);
    case OCOP_EBUSY: /* besides: it is to be wiped, and has contents that may not go now */
        return (d->revoked && s->files) || (s->faults & (FAULT_CRASH | FAULT_DISK));
    case OCOP_EDB:
    case OCOP_EBROKEN:
    case OCOP_EIO:
        return s->faults & (FAULT_CRASH | FAULT_DISK);
    case OCOP_EREVOKED:
    case OCOP_EWIPED:
        return d->revoked;
    case OCOP_ESUSPENDED:
        return d->suspended;
    case OCOP_ENOTENROLLED:
        return s->restores > 0 || d->revoked; /* a copy of a revoked device continues nobody */
    default:
        return false;
    }
}

static enum ocop_status enrol(struct device *d, struct ocop_error *err)
{
    enum ocop_status st = ocop_enrol(d->store, d->code, "sim", err);
    if (st == OCOP_OK && !d->node.disk.dead)
        d->enrolled = true;
    else if (st == OCOP_ESTATE) /* an earlier answer came and the machine went down with it */
        d->enrolled = true;
    return st == OCOP_ESTATE ? OCOP_OK : st;
}

enum ocop_status device_sync(struct sim *s, struct device *d, struct ocop_sync_summary *sum)
{
    struct ocop_sync_summary mine = {0};
    struct ocop_sync_options options = {.max_round_trips = (s->faults & FAULT_NET) &&
                                                                   chance_percent(&s->chance, 20)
                                                               ? 1 + chance_below(&s->chance, 2)
                                                               : 0};
    struct ocop_error err = {0};
    const unsigned number = ++s->syncs;
    bool alone = true;
    for (unsigned i = 0; i < SIM_DEVICES_MAX; i++)
        alone = alone && !s->devices[i].busy;
    files_policy(s, &options);
    if (!device_up(d))
        return OCOP_EDB;
    if (d->unknown && !d->revoked && device_invite(d)) /* "ask its office for a new invitation" */
        d->enrolled = d->unknown = false;
    d->busy = true;
    struct call call = call_begin(&d->node);
    enum ocop_status st = d->enrolled ? OCOP_OK : enrol(d, &err);
    if (st == OCOP_OK)
        st = ocop_sync(d->store, &options, &mine, &err);
    call_end(&d->node, &call);
    d->busy = false;
    sim_trace(s,
              "device %u syncs: %s %s (%u trips, %u pushed, %u refused, %u cases, %u pulled, "
              "files %u up %u down %u left)%s",
              d->index, err_name(st), st ? err.text : "", mine.round_trips, mine.pushed,
              mine.refused, mine.in_case, mine.pulled, mine.files_sent, mine.files_received,
              mine.files_left, mine.forked ? " forked" : "");
    s->figures.forks += mine.forked;
    s->said += mine.pushed + mine.pulled + mine.departed + mine.forked + mine.files_sent +
               mine.files_received + (st || !mine.complete);
    if (!d->node.disk.dead && !may_return(d, st))
        sim_fail(s, "status", "device %u: a sync returned %s: %s", d->index, err_name(st),
                 err.text);
    if (st == OCOP_ENOTENROLLED || (st == OCOP_EAUTH && !d->enrolled && s->restores > 0))
        d->unknown = true; /* the backup has neither device nor invitation */
    if (mine.departed)     /* with its record goes what is at the centre */
        files_let_go(d);
    if (mine.files_received && d->store && !d->node.disk.dead)
        files_came(d, alone && s->syncs == number);
    if (st == OCOP_EBROKEN && !d->node.disk.dead)
        device_down(d, false);
    device_reap(d);
    if (sum)
        *sum = mine;
    return st;
}

/* --- what befalls machines ---------------------------------------------------------------------
 */

static struct node *node_drawn(struct sim *s)
{
    struct device *d = device_drawn(s);
    return !d || chance_percent(&s->chance, 40) ? &s->server : &d->node;
}

/* A machine will go down in the middle of one of its next operations. */
static void crash_ahead(struct sim *s)
{
    struct node *n = node_drawn(s);
    n->disk.crash_in = 1 + chance_below(&s->chance, chance_percent(&s->chance, 50) ? 12 : 80);
}

static void crash_now(struct sim *s)
{
    struct device *d = device_drawn(s);
    bool power = (s->faults & FAULT_POWER) && chance_percent(&s->chance, 50);
    if (chance_percent(&s->chance, 30) && s->registry)
        server_down(s, power);
    else if (d && d->store)
        device_down(d, power);
}

static void disk_fails(struct sim *s)
{
    struct disk *k = &node_drawn(s)->disk;
    k->fail_in = 1 + chance_below(&s->chance, 30);
    k->fail_count = chance_percent(&s->chance, 70) ? 1 : 1 + chance_below(&s->chance, 20);
    k->fails_reading = chance_percent(&s->chance, 30);
    k->full = chance_percent(&s->chance, 50);
}

static void clock_jumps(struct sim *s)
{
    static const int64_t by[] = {0, 5, 3600, 86400, 31557600, 315576000};
    struct node *n = node_drawn(s);
    int64_t skew = by[chance_below(&s->chance, 6)] * 1000;
    n->skew_ms = chance_percent(&s->chance, 50) ? skew : -skew;
    sim_trace(s, "a clock is wrong by %lld s", (long long)(n->skew_ms / 1000));
}

static struct copy *copy_drawn(struct sim *s, unsigned device)
{
    struct copy *c = &s->copies[chance_below(&s->chance, SIM_COPIES_MAX)];
    return c->used && c->device == device ? c : NULL;
}

/* The file is copied, put by, put back, or comes to life on a second device. */
static void store_copied(struct sim *s)
{
    struct device *d = device_drawn(s);
    /* Of two that share new keys which the registry has not taken yet, one only can bring them. */
    if (!d || d->busy || !d->enrolled || d->rekeying || d->keys_unsure)
        return;
    struct copy *c = copy_drawn(s, d->index);
    if (c && chance_percent(&s->chance, 60)) {
        if (d->store)
            device_down(d, false);
        if (d->store)
            return;
        sim_trace(s, "device %u is what it was before", d->index);
        store_copy(s, c->path, d->path, true);
        files_older(d, c);
        disk_settle(&d->node.disk);
        model_older(s, d, c->submissions);
        d->seq = d->cursor = 0;
        return;
    }
    c = &s->copies[chance_below(&s->chance, SIM_COPIES_MAX)];
    *c = (struct copy){.used = true, .device = d->index, .submissions = s->submissions.count};
    c->attached = s->attached_count;
    c->bare = d->bare;
    snprintf(c->path, sizeof c->path, "%s/copy-%u", s->server.disk.dir, (unsigned)(c - s->copies));
    store_copy(s, d->path, c->path, true);
    c->files = s->files && chance_percent(&s->chance, 70);
    files_copied(s, d->path, c->path, c->files);
    sim_trace(s, "the store of device %u is copied", d->index);
    if (!chance_percent(&s->chance, 40))
        return;
    struct device *clone = device_clone(d, c->path);
    if (!clone)
        return;
    files_copied(s, c->path, clone->path, c->files);
    clone->bare = !c->files || c->bare;
    sim_trace(s, "device %u is a copy of device %u", clone->index, d->index);
}

static void time_passes(struct sim *s)
{
    s->now_ms += (int64_t)chance_below(&s->chance, 30 * 24) * 3600000;
}

/* --- a step ------------------------------------------------------------------------------------
 */

static void befalls(struct sim *s)
{
    switch (chance_below(&s->chance, 10)) {
    case 0:
    case 1:
        if (s->faults & FAULT_CRASH)
            crash_ahead(s);
        break;
    case 2:
        if (s->faults & FAULT_CRASH)
            crash_now(s);
        break;
    case 3:
        if (s->faults & FAULT_DISK)
            disk_fails(s);
        break;
    case 4:
        if (s->faults & FAULT_CLOCK)
            clock_jumps(s);
        break;
    case 5:
    case 6:
        if (s->faults & FAULT_NET)
            net_repeat(s, chance_below(&s->chance, SIM_RECORDED_MAX));
        break;
    case 7:
        if (s->faults & FAULT_COPY)
            store_copied(s);
        break;
    case 8:
        if (s->faults & FAULT_RESTORE)
            chance_percent(&s->chance, 60) ? office_backs_up(s) : office_restores(s);
        break;
    default:
        time_passes(s);
    }
}

void step_take(struct sim *s)
{
    struct device *d = device_drawn(s);
    unsigned what = chance_below(&s->chance, 100);
    s->now_ms += 1000 + chance_below(&s->chance, 1800000);
    if (what < 1 && d)
        day_of_work(s, d);
    else if (what < 45 && d)
        officer_acts(s, d);
    else if (what < 72 && d)
        (void)device_sync(s, d, NULL);
    else if (what < 80)
        office_acts(s);
    else if (what < 85)
        office_resolves(s);
    else
        befalls(s);
    server_reap(s);
}
