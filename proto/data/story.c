/* Evidence as lines for people. Decides nothing: what holds and what does not, evidence_check has
 * found. */
#include "story.h"

#include <inttypes.h>

#include "bounds.h"
#include "json.h"
#include "shown.h"
#include "text.h"

const char *story_verb(uint8_t verb)
{
    static const char *const names[] = {"unknown verb", "create", "amend", "add", "void"};

    return names[verb <= VERB_VOID ? verb : 0];
}

const char *story_outcome(const Ocop__Evidence__EvidenceOutcome *o)
{
    static const char *const names[] = {
        "applied", "equal",    "waiting", "applied, refers to a record that is not there yet",
        "refused", "in a case"};

    if (!o)
        return names[0];
    return o->code < sizeof names / sizeof *names ? names[o->code] : "?";
}

const char *story_cause(uint32_t cause)
{
    static const char *const names[] = {"?", "field", "void", "collision", "invalid"};

    return names[cause < sizeof names / sizeof *names ? cause : 0];
}

const char *story_fate(enum evidence_fate fate)
{
    static const char *const names[] = {"taken", "same", "case", "refused", "waiting"};

    return names[fate];
}

const char *story_path(uint32_t kind, const struct field *f, char *out, size_t room)
{
    return field_path(kind_by_number(kind), f, out, room);
}

enum ocop_status story_value(uint32_t kind, const struct field *f, struct buf *out,
                             struct ocop_error *err)
{
    const struct kind *k = kind_by_number(kind);
    const size_t from = out->len;

    if (!f || f->op != FIELD_SET) {
        buf_str(out, "null");
        return OCOP_OK;
    }
    enum ocop_status st = k ? json_value(k, f, out, err) : OCOP_EPROTO;
    if (st == OCOP_ENOMEM || st == OCOP_ELIMIT)
        return st;
    if (st == OCOP_OK && text_is_utf8(span_of(out->p + from, out->len - from)))
        return OCOP_OK;
    out->len = from; /* the registry refuses such; a set may hold it all the same */
    buf_str(out, k ? "\"(malformed)\"" : "\"(of a newer program)\"");
    return OCOP_OK;
}

struct span story_label(const struct evidence *e, const struct kind **kind)
{
    const struct evidence_state *s = e->states;

    while (s && !id_eq(&s->id, &e->record))
        s = s->next;
    *kind = kind_by_number(s ? s->kind : 0);
    for (size_t i = 0; s && *kind && i < s->fields.count; i++) {
        const struct field_rule *rule = kind_field(*kind, s->fields.v[i].number);
        if (rule && (rule->flags & FIELD_LABEL))
            return s->fields.v[i].bytes;
    }
    return span_of(NULL, 0);
}

const Ocop__Evidence__EvidenceInvitation *story_invitation(const struct evidence *e,
                                                           const struct id *replica)
{
    for (size_t i = 0; i < e->bundle->n_invitations; i++)
        if (span_eq(story_span(&e->bundle->invitations[i]->replica), id_span(replica)))
            return e->bundle->invitations[i];
    return NULL;
}

/* --- pieces of lines -----------------------------------------------------------------------------
 */

struct telling {
    const struct evidence *e;
    struct buf *out;
    struct ocop_error *err;
};

static void say(struct telling *t, const char *text)
{
    buf_str(t->out, text);
}

static void say_str(struct telling *t, const char *text)
{
    shown_text(t->out, span_str(text));
}

static void say_id(struct telling *t, struct span s)
{
    struct id id;
    char text[ID_TEXT_LEN + 1];

    say(t, id_from(s, &id) ? id_text(id, text) : "?");
}

static void say_moment(struct telling *t, int64_t ms)
{
    char text[17];

    say(t, ms > 0 ? text_moment(ms, text) : "-");
}

static void say_hex(struct telling *t, struct span s, size_t most)
{
    for (size_t i = 0; i < s.len && i < most; i++)
        buf_printf(t->out, "%02x", s.p[i]);
}

/* "Nguyễn Thị Lan (Chi cục ...)", or the id of one whose name is not told. */
static void say_officer(struct telling *t, const struct id *id, uint64_t version)
{
    const Ocop__Evidence__EvidenceName *n = evidence_name(t->e, id, version);

    if (!n && id_is_zero(id)) {
        say(t, "nobody");
        return;
    }
    if (!n) {
        say_id(t, id_span(id));
        return;
    }
    say_str(t, n->label);
    if (n->agency) {
        say(t, " (");
        say_str(t, n->agency);
        say(t, ")");
    }
}

static void say_replica(struct telling *t, const struct evidence_set *set)
{
    const struct evidence_replica *r = set->replica;

    if (set->own)
        say(t, "the registry itself");
    else if (!r)
        say_id(t, id_span(&set->head.replica));
    else if (span_eq(r->type, span_str("device")))
        buf_printf(t->out, "device %" PRIu32, r->number);
    else
        shown_text(t->out, r->type);
}

static const char *good(bool yes)
{
    return yes ? "good" : "BAD";
}

/* --- who signed ----------------------------------------------------------------------------------
 */

static void tell_replica(struct telling *t, const struct evidence_replica *r)
{
    const bool device = span_eq(r->type, span_str("device"));
    const Ocop__Evidence__EvidenceInvitation *in = story_invitation(t->e, &r->id);

    if (device)
        buf_printf(t->out, "device %" PRIu32, r->number);
    else
        shown_text(t->out, r->type);
    if (r->name.len) {
        say(t, " \"");
        shown_text(t->out, r->name);
        say(t, "\"");
    }
    say(t, " (replica ");
    say_id(t, id_span(&r->id));
    say(t, ")\n    [registry] enrolled ");
    say_moment(t, r->enrolled_ms);
    buf_printf(t->out, " at version %" PRIu64 ", for ", r->enrolled_version);
    say_officer(t, &r->officer, r->enrolled_version);
    if (in) {
        struct id officer = {{0}};
        id_from(story_span(&in->officer), &officer);
        say(t, "\n    [registry] by invitation ");
        say_hex(t, story_span(&in->token_hash), 4);
        say(t, " of ");
        say_moment(t, in->made_ms);
        say(t, ", good until ");
        say_moment(t, in->expires_ms);
        say(t, ", for ");
        say_officer(t, &officer, r->enrolled_version);
    }
    if (r->revoked_version) {
        say(t, "\n    [registry] revoked ");
        say_moment(t, r->revoked_ms);
        buf_printf(t->out, " at version %" PRIu64 ": ", r->revoked_version);
        shown_text(t->out, r->revoked_reason);
    }
    if (!id_is_zero(&r->predecessor)) {
        say(t, "\n    continues replica ");
        say_id(t, id_span(&r->predecessor));
        buf_printf(t->out, " behind its set %" PRIu64, r->predecessor_seq);
    }
    if (r->links)
        buf_printf(t->out, "\n    chain of %" PRIu64 " sets, %" PRIu64 " of them shown whole: %s",
                   r->links, r->shown, good(r->chain_good));
    say(t, "\n");
}

static void tell_registry(struct telling *t)
{
    const Ocop__Evidence__Bundle *b = t->e->bundle;

    say(t, "registry \"");
    say_str(t, b->registry_name);
    say(t, "\" (replica ");
    say_id(t, story_span(&b->registry));
    say(t, "), lineage ");
    say_id(t, story_span(&b->lineage));
    say(t, "\n    root key ");
    say_hex(t, span_of(t->e->root_key, SIGN_PUBLIC_LEN), SIGN_PUBLIC_LEN);
    buf_printf(t->out, "\n    [registry] its log ended at version %" PRIu64 " on ",
               b->head_version);
    say_moment(t, b->made_ms);
    say(t, ", with hash ");
    say_hex(t, story_span(&b->head_hash), HASH_LEN);
    say(t, "\n");
}

/* --- changes -------------------------------------------------------------------------------------
 */

/* Who alone can have made the signature: a device keeps its key; those of imports and of reviewers'
 * sessions the registry makes itself. */
static const char *proof(const struct evidence_change *ch)
{
    const struct evidence_replica *r = ch->set->replica;

    return r && !ch->set->own && span_eq(r->type, span_str("device")) ? "[signed]" : "[registry]";
}

/* What a value refers to. */
static void say_name(struct telling *t, const struct field *f, uint64_t version)
{
    struct id id;
    const Ocop__Evidence__EvidenceName *n =
        f->type == VALUE_BYTES && id_from(f->bytes, &id) ? evidence_name(t->e, &id, version) : NULL;

    if (!n)
        return;
    say(t, " [registry: ");
    say_str(t, n->label);
    say(t, "]");
}

static enum ocop_status tell_value(struct telling *t, const struct evidence_change *ch,
                                   const struct evidence_value *v)
{
    static const char *const ends[] = {"", " (as it was)", " (in a case)", " (refused)",
                                       " (waiting)"};
    char path[160];
    struct buf value;

    say(t, "    ");
    say_str(t, story_path(ch->c.kind, v->after, path, sizeof path));
    say(t, ": ");
    buf_init(&value, MIB(1));
    enum ocop_status st = story_value(ch->c.kind, v->before, &value, t->err);
    shown_text(t->out, buf_span(&value));
    buf_clear(&value);
    if (st == OCOP_OK)
        st = story_value(ch->c.kind, v->after, &value, t->err);
    say(t, " -> ");
    shown_text(t->out, buf_span(&value));
    say_name(t, v->after, ch->set->in->version);
    say(t, ends[v->fate]);
    if (v->after->base)
        buf_printf(t->out, ", having seen version %" PRIu64, v->after->base);
    say(t, "\n");
    buf_fini(&value);
    return st;
}

static void tell_clocks(struct telling *t, const struct evidence_change *ch)
{
    const int64_t received = ch->set->in->received_ms, sealed = ch->set->head.device_time_ms;

    buf_printf(t->out, "\n    %s by its own clock: recorded ", proof(ch));
    say_moment(t, ch->c.device_time_ms);
    say(t, ", sealed ");
    say_moment(t, sealed);
    say(t, "\n    [registry] received ");
    say_moment(t, received);
    /* A set is sealed when there is a connection, so that this bounds what the clock was wrong by.
     */
    if (sealed > 0 && sealed < received + INT64_C(1000) * 86400 * 36500)
        buf_printf(t->out, " by the registry's clock, %" PRId64 " s after it was sealed",
                   (received - sealed) / 1000);
}

static void tell_outcome(struct telling *t, const struct evidence_change *ch)
{
    const Ocop__Evidence__EvidenceOutcome *o = ch->outcome;

    buf_printf(t->out, "\n    [registry] outcome: %s", story_outcome(o));
    if (o && o->field) {
        say(t, ", ");
        say_str(t, o->field);
    }
    if (o && o->text) {
        say(t, ": ");
        say_str(t, o->text);
    }
    if (ch->waited && !(o && o->code == OUTCOME_WAITING))
        say(t, " (when its record came)");
    say(t, "\n");
}

static enum ocop_status tell_change(struct telling *t, const struct evidence_change *ch)
{
    const struct kind *k = kind_by_number(ch->c.kind);
    enum ocop_status st = OCOP_OK;

    buf_printf(t->out, "version %" PRIu64 ": %s %s", ch->set->in->version, story_verb(ch->c.verb),
               k ? k->name : "(kind of a newer program)");
    if (!id_eq(&ch->c.record, &t->e->record)) {
        say(t, " ");
        say_id(t, id_span(&ch->c.record));
    }
    say(t, "\n    by ");
    say_officer(t, &ch->c.author, ch->set->in->version);
    say(t, " on ");
    say_replica(t, ch->set);
    buf_printf(t->out, ", change %" PRIu32 " of its set %" PRIu64 ": signature %s, chain %s",
               ch->index + 1, ch->set->head.seq, good(ch->set->signature_good),
               good(ch->set->chain_good));
    tell_clocks(t, ch);
    if (ch->c.reason.len) {
        buf_printf(t->out, "\n    %s reason: ", proof(ch));
        shown_text(t->out, ch->c.reason);
    }
    if (ch->c.case_id.len) {
        buf_printf(t->out, "\n    %s decides case ", proof(ch));
        say_id(t, ch->c.case_id);
    }
    if (ch->rule_set.len) {
        say(t, "\n    rule set: ");
        shown_text(t->out, ch->rule_set);
    }
    tell_outcome(t, ch);
    for (size_t i = 0; st == OCOP_OK && i < ch->c.fields.count; i++)
        st = tell_value(t, ch, &ch->values[i]);
    return st;
}

static void tell_case(struct telling *t, const struct evidence_case *c)
{
    const Ocop__Evidence__EvidenceCase *in = c->in;
    const struct field f = {.number = in->number, .key = story_span(&in->element)};
    char path[160];
    struct id by = {{0}};

    say(t, "[registry] case ");
    say_id(t, story_span(&in->id));
    buf_printf(t->out, ", %s, ", story_cause(in->cause));
    say_str(t, story_path(in->kind, &f, path, sizeof path));
    buf_printf(t->out, ": opened at version %" PRIu64 " by change %" PRIu32 " of version %" PRIu64,
               in->opened_version, in->index + 1, in->version);
    if (in->has_other) {
        say(t, ", against record ");
        say_id(t, story_span(&in->other));
    }
    say(t, "\n    before ");
    say_str(t, in->base_value);
    say(t, "; the registry's ");
    say_str(t, in->theirs);
    say(t, "; the change's ");
    say_str(t, in->mine);
    if (!in->has_closed_version) {
        say(t, "\n    open\n");
        return;
    }
    buf_printf(t->out, "\n    resolved at version %" PRIu64 " (", in->closed_version);
    say_str(t, in->resolution);
    say(t, ")");
    if (in->has_decided_by) {
        id_from(story_span(&in->decided_by), &by);
        say(t, " by ");
        say_officer(t, &by, in->closed_version);
        say(t, ", ");
        say_moment(t, in->decided_ms);
        say(t, ", reason: ");
        say_str(t, in->reason);
        say(t, c->decision ? "; see the change that decides it" : "; by the registry's word");
    }
    say(t, "\n");
}

/* --- contents of attachments ---------------------------------------------------------------------
 */

const char *story_carried(const struct evidence_file *f)
{
    switch (f->carried) {
    case CARRIED_WHOLE:
        return "whole";
    case CARRIED_DAMAGED:
        return "damaged";
    case CARRIED_CUT:
        return "missing";
    default:
        return NULL;
    }
}

struct span story_file_text(const struct evidence_file *f, uint32_t number)
{
    const struct fields *fields = f->held ? &f->held->fields : f->made ? &f->made->c.fields : NULL;
    const struct field *v = fields ? fields_find(fields, number, span_of(NULL, 0)) : NULL;

    return v && v->op == FIELD_SET && v->type == VALUE_BYTES ? v->bytes : span_of(NULL, 0);
}

static void say_part(struct telling *t, const struct evidence_file *f)
{
    buf_printf(t->out, "[registry] on its way: %" PRIu64 " of %" PRIu64 " KiB, last tried ",
               f->in->done / 1024, (f->size + 1023) / 1024);
    say_moment(t, f->in->tried_ms);
}

static void say_content(struct telling *t, const struct evidence_file *f)
{
    static const char *const states[] = {
        [0] = "BAD: what there is of the content is not said",
        [EVIDENCE_FILE_CARRIED] = "the content is in the bundle, and was not looked at",
        [EVIDENCE_FILE_LEFT_OUT] = "[registry] the registry has the content",
        [EVIDENCE_FILE_COMING] = "",
        [EVIDENCE_FILE_MISSING] = "[registry] on its way: nothing of the content came yet",
        [EVIDENCE_FILE_DAMAGED] =
            "[registry] what the registry had of the content is damaged or lost",
        [EVIDENCE_FILE_REMOVED] = "[registry] the content was removed, as the attachment says",
        [EVIDENCE_FILE_REFUSED] = "[registry] the attachment was refused"};
    static const char *const found[] = {
        [CARRIED_UNREAD] = "",
        [CARRIED_WHOLE] = "whole: the content in the bundle has this hash",
        [CARRIED_DAMAGED] = "BAD: the content in the bundle has another hash",
        [CARRIED_CUT] = "BAD: missing, the bundle ends before its end"};
    const size_t state = f->in->state < sizeof states / sizeof *states ? f->in->state : 0;

    if (f->carried != CARRIED_UNREAD)
        say(t, found[f->carried]);
    else if (state == EVIDENCE_FILE_COMING)
        say_part(t, f);
    else
        say(t, states[state]);
}

static void tell_file(struct telling *t, const struct evidence_file *f)
{
    const struct span caption = story_file_text(f, ATTACHMENT_CAPTION);

    say(t, "file ");
    say_id(t, id_span(&f->id));
    say(t, ": ");
    shown_text(t->out, story_file_text(f, ATTACHMENT_ROLE));
    if (caption.len) {
        say(t, " \"");
        shown_text(t->out, caption);
        say(t, "\"");
    }
    say(t, ", ");
    shown_text(t->out, story_file_text(f, ATTACHMENT_MEDIA_TYPE));
    buf_printf(t->out, ", %" PRIu64 " bytes\n    %s BLAKE2b-256 of the content: ", f->size,
               f->made ? proof(f->made) : "[registry]");
    say_hex(t, f->hash, f->hash.len);
    say(t, "\n    ");
    say_content(t, f);
    if (f->written) {
        say(t, "\n    written to ");
        say_str(t, f->written);
    }
    say(t, "\n");
}

/* --- all of it -----------------------------------------------------------------------------------
 */

static void tell_head(struct telling *t)
{
    const struct kind *k;
    const struct span label = story_label(t->e, &k);

    buf_printf(t->out, "%s ", k ? k->name : "record");
    say_id(t, id_span(&t->e->record));
    say(t, " ");
    shown_text(t->out, label);
    say(t, "\n[signed]: proven by a key that only the device has. [registry]: the registry's word, "
           "under "
           "its root key.\n");
    tell_registry(t);
}

static void tell_end(struct telling *t)
{
    const struct evidence *e = t->e;

    for (size_t i = 0; i < e->finding_count && i < EVIDENCE_FINDINGS_MAX; i++) {
        say(t, "BAD: ");
        say_str(t, e->findings[i]);
        say(t, "\n");
    }
    buf_printf(t->out, "%s: %zu signatures and %zu links of chains checked; ",
               e->finding_count ? "BAD" : "good", e->signatures, e->links);
    if (e->finding_count)
        buf_printf(t->out, "%zu things do not hold\n", e->finding_count);
    else
        buf_printf(t->out, "what the registry holds follows from its %zu changes\n",
                   e->change_count);
}

enum ocop_status story_text(const struct evidence *e, struct buf *out, struct ocop_error *err)
{
    struct telling t = {e, out, err};
    struct id registry = {{0}};
    enum ocop_status st = OCOP_OK;

    id_from(story_span(&e->bundle->registry), &registry);
    tell_head(&t);
    for (const struct evidence_replica *r = e->replicas; r; r = r->next)
        if (!id_eq(&r->id, &registry))
            tell_replica(&t, r);
    for (size_t i = 0; st == OCOP_OK && i < e->change_count; i++)
        st = tell_change(&t, &e->changes[i]);
    for (size_t i = 0; i < e->case_count; i++)
        tell_case(&t, &e->cases[i]);
    for (size_t i = 0; i < e->file_count; i++)
        tell_file(&t, &e->files[i]);
    tell_end(&t);
    if (st == OCOP_OK && out->failed)
        st = out->full ? err_set(err, OCOP_ELIMIT, "the story is too long") : err_nomem(err);
    return st;
}
