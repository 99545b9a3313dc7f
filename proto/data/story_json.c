/* Evidence as one JSON object. */
#include "story.h"

#include <inttypes.h>

#include "bounds.h"
#include "shown.h"

struct writing {
    const struct evidence *e;
    struct buf *out;
    struct ocop_error *err;
};

static void put_name(struct writing *w, const char *name)
{
    const uint8_t last = w->out->len ? w->out->p[w->out->len - 1] : '{';

    buf_printf(w->out, "%s\"%s\":", last == '{' ? "" : ",", name);
}

static void put_text(struct writing *w, const char *name, struct span text)
{
    put_name(w, name);
    shown_json(w->out, text);
}

static void put_str(struct writing *w, const char *name, const char *text)
{
    if (text)
        put_text(w, name, span_str(text));
}

static void put_id(struct writing *w, const char *name, struct span s)
{
    struct id id;
    char text[ID_TEXT_LEN + 1];

    put_name(w, name);
    buf_printf(w->out, "\"%s\"", id_from(s, &id) ? id_text(id, text) : "");
}

static void put_hex(struct writing *w, const char *name, struct span s)
{
    put_name(w, name);
    buf_byte(w->out, '"');
    for (size_t i = 0; i < s.len; i++)
        buf_printf(w->out, "%02x", s.p[i]);
    buf_byte(w->out, '"');
}

static void put_bool(struct writing *w, const char *name, bool yes)
{
    put_name(w, name);
    buf_str(w->out, yes ? "true" : "false");
}

static void put_number(struct writing *w, const char *name, uint64_t n)
{
    put_name(w, name);
    buf_printf(w->out, "%" PRIu64, n);
}

static void put_ms(struct writing *w, const char *name, int64_t ms)
{
    put_name(w, name);
    buf_printf(w->out, "%" PRId64, ms);
}

static void put_officer(struct writing *w, const char *name, const struct id *id, uint64_t version)
{
    const Ocop__Evidence__EvidenceName *n = evidence_name(w->e, id, version);

    put_name(w, name);
    buf_byte(w->out, '{');
    put_id(w, "id", id_span(id));
    put_str(w, "name", n ? n->label : NULL);
    put_str(w, "agency", n ? n->agency : NULL);
    buf_byte(w->out, '}');
}

static void put_replica(struct writing *w, const struct evidence_replica *r)
{
    const Ocop__Evidence__EvidenceInvitation *in = story_invitation(w->e, &r->id);
    struct id officer = {{0}};

    buf_byte(w->out, '{');
    put_id(w, "replica", id_span(&r->id));
    put_text(w, "type", r->type);
    put_number(w, "number", r->number);
    put_text(w, "name", r->name);
    put_officer(w, "officer", &r->officer, r->enrolled_version);
    put_number(w, "enrolledVersion", r->enrolled_version);
    put_ms(w, "enrolledMs", r->enrolled_ms);
    if (in) {
        id_from(story_span(&in->officer), &officer);
        put_name(w, "invitation");
        buf_byte(w->out, '{');
        put_hex(w, "tokenHash", story_span(&in->token_hash));
        put_officer(w, "officer", &officer, r->enrolled_version);
        put_ms(w, "madeMs", in->made_ms);
        put_ms(w, "expiresMs", in->expires_ms);
        buf_byte(w->out, '}');
    }
    put_number(w, "revokedVersion", r->revoked_version);
    put_ms(w, "revokedMs", r->revoked_ms);
    put_text(w, "revokedReason", r->revoked_reason);
    if (!id_is_zero(&r->predecessor)) {
        put_id(w, "predecessor", id_span(&r->predecessor));
        put_number(w, "predecessorSeq", r->predecessor_seq);
    }
    put_number(w, "sets", r->links);
    put_number(w, "setsShown", r->shown);
    put_bool(w, "chainGood", r->chain_good || !r->links);
    buf_byte(w->out, '}');
}

static enum ocop_status put_value(struct writing *w, uint32_t kind, const struct field *f)
{
    struct buf value;

    buf_init(&value, MIB(1));
    enum ocop_status st = story_value(kind, f, &value, w->err);
    shown_json_value(w->out, buf_span(&value));
    buf_fini(&value);
    return st;
}

static enum ocop_status put_values(struct writing *w, const struct evidence_change *ch)
{
    char path[160];
    enum ocop_status st = OCOP_OK;

    put_name(w, "values");
    buf_byte(w->out, '[');
    for (size_t i = 0; st == OCOP_OK && i < ch->c.fields.count; i++) {
        const struct evidence_value *v = &ch->values[i];
        buf_str(w->out, i ? ",{" : "{");
        put_str(w, "field", story_path(ch->c.kind, v->after, path, sizeof path));
        put_name(w, "before");
        st = put_value(w, ch->c.kind, v->before);
        put_name(w, "after");
        if (st == OCOP_OK)
            st = put_value(w, ch->c.kind, v->after);
        put_str(w, "fate", story_fate(v->fate));
        put_number(w, "seenVersion", v->after->base);
        buf_byte(w->out, '}');
    }
    buf_byte(w->out, ']');
    return st;
}

static enum ocop_status put_change(struct writing *w, const struct evidence_change *ch)
{
    const struct kind *k = kind_by_number(ch->c.kind);

    buf_byte(w->out, '{');
    put_number(w, "version", ch->set->in->version);
    put_number(w, "index", ch->index);
    put_str(w, "kind", k ? k->name : "unknown");
    put_id(w, "record", id_span(&ch->c.record)); /* it, or an attachment of it */
    put_str(w, "verb", story_verb(ch->c.verb));
    put_officer(w, "author", &ch->c.author, ch->set->in->version);
    put_id(w, "replica", id_span(&ch->set->head.replica));
    put_number(w, "seq", ch->set->head.seq);
    put_ms(w, "deviceMs", ch->c.device_time_ms);
    put_ms(w, "sealedMs", ch->set->head.device_time_ms);
    put_ms(w, "receivedMs", ch->set->in->received_ms);
    put_bool(w, "signatureGood", ch->set->signature_good);
    put_bool(w, "chainGood", ch->set->chain_good);
    put_text(w, "reason", ch->c.reason);
    put_text(w, "ruleSet", ch->rule_set);
    if (ch->c.case_id.len)
        put_id(w, "decides", ch->c.case_id);
    put_str(w, "outcome", story_outcome(ch->outcome));
    put_str(w, "outcomeField", ch->outcome ? ch->outcome->field : NULL);
    put_str(w, "outcomeText", ch->outcome ? ch->outcome->text : NULL);
    put_bool(w, "waited", ch->waited);
    enum ocop_status st = put_values(w, ch);
    buf_byte(w->out, '}');
    return st;
}

static void put_case(struct writing *w, const struct evidence_case *c)
{
    const Ocop__Evidence__EvidenceCase *in = c->in;
    const struct field f = {.number = in->number, .key = story_span(&in->element)};
    char path[160];
    struct id by;

    buf_byte(w->out, '{');
    put_id(w, "id", story_span(&in->id));
    put_str(w, "cause", story_cause(in->cause));
    put_id(w, "record", story_span(&in->record));
    put_str(w, "field", story_path(in->kind, &f, path, sizeof path));
    if (in->has_other)
        put_id(w, "other", story_span(&in->other));
    put_number(w, "version", in->version);
    put_number(w, "index", in->index);
    put_number(w, "openedVersion", in->opened_version);
    put_str(w, "base", in->base_value); /* JSON text, as text */
    put_str(w, "theirs", in->theirs);
    put_str(w, "mine", in->mine);
    put_number(w, "closedVersion", in->closed_version);
    put_str(w, "resolution", in->resolution);
    if (in->has_decided_by && id_from(story_span(&in->decided_by), &by)) {
        put_officer(w, "decidedBy", &by, in->closed_version);
        put_ms(w, "decidedMs", in->decided_ms);
        put_str(w, "reason", in->reason);
    }
    put_bool(w, "decisionShown", c->decision != NULL);
    buf_byte(w->out, '}');
}

static void put_file(struct writing *w, const struct evidence_file *f)
{
    static const char *const states[] = {"unknown", "carried", "left_out", "coming",
                                         "missing", "damaged", "removed",  "refused"};
    const char *carried = story_carried(f);

    buf_byte(w->out, '{');
    put_id(w, "attachment", id_span(&f->id));
    put_text(w, "role", story_file_text(f, ATTACHMENT_ROLE));
    put_text(w, "caption", story_file_text(f, ATTACHMENT_CAPTION));
    put_text(w, "mediaType", story_file_text(f, ATTACHMENT_MEDIA_TYPE));
    put_number(w, "size", f->size);
    put_hex(w, "hash", f->hash);
    put_str(w, "state", states[f->in->state < sizeof states / sizeof *states ? f->in->state : 0]);
    if (f->in->state == EVIDENCE_FILE_COMING) {
        put_number(w, "done", f->in->done);
        put_ms(w, "triedMs", f->in->tried_ms);
    }
    put_str(w, "content", carried);
    put_str(w, "writtenTo", f->written);
    buf_byte(w->out, '}');
}

static void put_head(struct writing *w)
{
    const Ocop__Evidence__Bundle *b = w->e->bundle;
    const struct kind *k;
    const struct span label = story_label(w->e, &k);

    put_id(w, "record", id_span(&w->e->record));
    put_str(w, "kind", k ? k->name : "unknown");
    put_text(w, "label", label);
    put_str(w, "registry", b->registry_name);
    put_id(w, "lineage", story_span(&b->lineage));
    put_hex(w, "rootKey", span_of(w->e->root_key, SIGN_PUBLIC_LEN));
    put_ms(w, "madeMs", b->made_ms);
    put_number(w, "headVersion", b->head_version);
    put_hex(w, "headHash", story_span(&b->head_hash));
}

static void put_findings(struct writing *w)
{
    put_name(w, "findings");
    buf_byte(w->out, '[');
    for (size_t i = 0; i < w->e->finding_count && i < EVIDENCE_FINDINGS_MAX; i++) {
        buf_str(w->out, i ? "," : "");
        shown_json(w->out, span_str(w->e->findings[i]));
    }
    buf_byte(w->out, ']');
}

enum ocop_status story_json(const struct evidence *e, struct buf *out, struct ocop_error *err)
{
    struct writing w = {e, out, err};
    enum ocop_status st = OCOP_OK;

    buf_byte(out, '{');
    put_head(&w);
    put_name(&w, "replicas");
    buf_byte(out, '[');
    for (const struct evidence_replica *r = e->replicas; r; r = r->next) {
        buf_str(out, r == e->replicas ? "" : ",");
        put_replica(&w, r);
    }
    buf_byte(out, ']');
    put_name(&w, "changes");
    buf_byte(out, '[');
    for (size_t i = 0; st == OCOP_OK && i < e->change_count; i++) {
        buf_str(out, i ? ",\n" : "\n");
        st = put_change(&w, &e->changes[i]);
    }
    buf_byte(out, ']');
    put_name(&w, "cases");
    buf_byte(out, '[');
    for (size_t i = 0; i < e->case_count; i++) {
        buf_str(out, i ? "," : "");
        put_case(&w, &e->cases[i]);
    }
    buf_byte(out, ']');
    put_name(&w, "files");
    buf_byte(out, '[');
    for (size_t i = 0; i < e->file_count; i++) {
        buf_str(out, i ? "," : "");
        put_file(&w, &e->files[i]);
    }
    buf_byte(out, ']');
    put_findings(&w);
    put_number(&w, "signatures", e->signatures);
    put_number(&w, "links", e->links);
    put_bool(&w, "good", e->finding_count == 0);
    buf_str(out, "}\n");
    if (st == OCOP_OK && out->failed)
        st = out->full ? err_set(err, OCOP_ELIMIT, "the story is too long") : err_nomem(err);
    return st;
}
