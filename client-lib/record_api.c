/* new, save, submit, amend, add, void, discard, load: each is a change over what stands, stored in
 * one transaction with the row that the officer sees. Knows no SQL and no network. */
#include "record_api.h"

#include <inttypes.h>
#include <stdio.h>

#include "files.h"
#include "rights.h"
#include "sync.h"
#include "text.h"

static const struct field *scalar(const struct fields *f, uint32_t number)
{
    const struct field *v = fields_find(f, number, span_of(NULL, 0));

    return v && v->op == FIELD_SET ? v : NULL;
}

static enum ocop_status put_bytes(struct record *r, uint32_t number, struct span bytes,
                                  struct arena *a, struct ocop_error *err)
{
    struct field v = {.number = number, .op = FIELD_SET, .type = VALUE_BYTES};

    v.bytes = bytes;
    return record_put(r, &v, a, err);
}

static enum ocop_status put_int(struct record *r, uint32_t number, int64_t i, struct arena *a,
                                struct ocop_error *err)
{
    struct field v = {.number = number, .op = FIELD_SET, .type = VALUE_INT, .i = i};

    return record_put(r, &v, a, err);
}

/* --- new ------------------------------------------------------------------------------------- */

enum ocop_status record_need_enrolled(const struct ocop_store *s, struct ocop_error *err)
{
    if (s->me.wiped)
        return wipe_status(s, err);
    return s->me.enrolled
               ? OCOP_OK
               : err_set(err, OCOP_ENOTENROLLED,
                         "this store is not enrolled; enrol it with an invitation first");
}

/* What every record says of its making; given values stay. */
static enum ocop_status put_origin(struct ocop_store *s, struct record *r, struct ocop_error *err)
{
    const struct identity *me = &s->me;
    enum ocop_status st = OCOP_OK;

    if (!scalar(&r->f, FIELD_OFFICER))
        st = put_bytes(r, FIELD_OFFICER, id_span(&me->officer), &s->arena, err);
    if (!st && !scalar(&r->f, FIELD_RECORDED_MS))
        st = put_int(r, FIELD_RECORDED_MS, env_now_ms(s->env), &s->arena, err);
    if (!st && !scalar(&r->f, FIELD_RULE_SET))
        st = put_bytes(r, FIELD_RULE_SET, span_str(me->rule_set), &s->arena, err);
    return st;
}

/* An officer of one commune records nowhere else. */
static enum ocop_status put_only_unit(struct ocop_store *s, struct record *r,
                                      struct ocop_error *err)
{
    enum { FIELD_LEVEL = 12 };
    const struct id *unit = &s->me.scope[0];
    struct fields f;
    const struct field *level;
    uint64_t version;
    bool there;
    enum ocop_status st;

    if (s->me.scope_count != 1 || r->k->reference)
        return OCOP_OK;
    st = store_record_exists(s, KIND_UNIT, unit, &there, err);
    if (st || !there)
        return st;
    st = store_record(s, KIND_UNIT, unit, &s->arena, &f, &version, err);
    level = st ? NULL : scalar(&f, FIELD_LEVEL);
    if (!level || !span_eq(level->bytes, span_str("commune")))
        return st;
    return put_bytes(r, FIELD_UNIT, id_span(unit), &s->arena, err);
}

static enum ocop_status put_day(struct ocop_store *s, struct record *r, struct ocop_error *err)
{
    int64_t now = env_now_ms(s->env);
    const struct field_rule *day = kind_field(r->k, r->k->day_field);
    char *text;

    if (!r->k->day_field || !day)
        return OCOP_OK;
    if (rule_is_int(day))
        return put_int(r, day->number, now, &s->arena, err);
    text = arena_alloc(&s->arena, 11);
    if (!text)
        return err_nomem(err);
    return put_bytes(r, day->number, span_str(text_day_of(now, text)), &s->arena, err);
}

enum ocop_status ocop_new(struct ocop_store *s, const char *kind, ProtobufCMessage **out,
                          struct ocop_error *err)
{
    struct record r = {0};
    unsigned roles;
    enum ocop_status st;

    *out = NULL;
    r.k = kind_by_name(kind);
    if (!r.k || r.k->local_only)
        return err_set(err, OCOP_ENOTFOUND, "there is no kind of record of this name");
    st = client_read(s, err);
    if (st)
        return st;
    st = record_need_enrolled(s, err);
    if (!st)
        st = device_roles(s, &roles, err);
    if (!st && !(rights_of(r.k)->create & roles))
        st = err_set(err, OCOP_EPERM, "this officer's roles do not allow new records of kind %s",
                     r.k->name);
    if (st)
        goto out;
    r.id = id_next(&s->ids, s->env);
    st = put_origin(s, &r, err);
    if (!st)
        st = put_only_unit(s, &r, err);
    if (!st)
        st = put_day(s, &r, err);
    if (!st)
        st = record_write(&r, out, err);
out:
    client_read_end(s);
    return st;
}

/* --- checks ---------------------------------------------------------------------------------- */

bool record_voided(const struct fields *f)
{
    const struct field *v = scalar(f, FIELD_VOIDED);

    return v && v->i != 0;
}

static enum ocop_status check_reason(const char *reason, struct ocop_error *err)
{
    struct span r = span_str(reason);

    if (r.len == 0)
        return err_field(err, OCOP_EINVAL, "reason", "a reason is needed for this");
    if (r.len > REASON_BYTES_MAX)
        return err_field(err, OCOP_ELIMIT, "reason", "the reason has %zu bytes, the limit is %d",
                         r.len, REASON_BYTES_MAX);
    if (!text_is_utf8(r) || !text_is_printable(r))
        return err_field(err, OCOP_EINVAL, "reason", "the reason is not clean UTF-8 text");
    return OCOP_OK;
}

/* Paper numbers come at submission and from here only. */
static enum ocop_status check_paper(const struct record *r, const struct standing *b,
                                    struct ocop_error *err)
{
    for (size_t i = 0; i < r->k->field_count; i++) {
        const struct field_rule *rule = &r->k->fields[i];
        const struct field *given, *stored;
        if (!(rule->flags & FIELD_PAPER))
            continue;
        given = scalar(&r->f, rule->number);
        stored = scalar(&b->f, rule->number);
        if (given && !(stored && field_value_equal(given, stored)))
            return err_field(err, OCOP_EINVAL, rule->desc->name,
                             "%s is given at submission; leave it as it is", rule->desc->name);
    }
    return OCOP_OK;
}

static void begin_change(struct ocop_store *s, const struct record *r, enum verb verb,
                         const char *reason, struct change *out)
{
    memset(out, 0, sizeof *out);
    out->kind = r->k->number;
    out->verb = (uint8_t)verb;
    out->record = r->id;
    out->author = s->me.officer;
    out->device_time_ms = env_now_ms(s->env);
    out->reason = span_str(reason);
}

/* Fields of the change that makes `r` of what stands, with their bases; checked for permission. */
static enum ocop_status make_change(struct ocop_store *s, const struct record *r,
                                    const struct standing *b, enum verb verb, const char *reason,
                                    struct change *out, struct ocop_error *err)
{
    static const struct fields nothing = {NULL, 0};
    const struct field *maker = scalar(standing_is_new(b) ? &r->f : &b->f, FIELD_OFFICER);
    enum ocop_status st;

    begin_change(s, r, verb, reason, out);
    st = fields_diff(verb == VERB_CREATE ? &nothing : &b->f, &r->f, b->version, &s->arena,
                     &out->fields, err);
    if (!st)
        st = standing_bases(s, b, out, err);
    if (!st && out->fields.count > FIELDS_MAX)
        st = err_set(err, OCOP_ELIMIT, "one change of %zu fields, the limit is %d; make several",
                     out->fields.count, FIELDS_MAX);
    if (!st)
        st = device_size(out, standing_is_new(b) ? &nothing : &b->f, &r->f, err);
    if (!st)
        st = device_permit(s, r->k, out, maker ? maker->bytes : span_of(NULL, 0), err);
    if (!st)
        st = seal_try(s, out, err);
    return st ? st
              : device_scope(s, r->k, &r->id, standing_is_new(b) ? &nothing : &b->f, &r->f, err);
}

/* Does the new change say again all that the refused one said? Then its author has answered the
 * refusal; if not, what is not said again stays refused, visibly. */
static enum ocop_status answers(struct ocop_store *s, const struct change *c,
                                const struct outbox_row *refused, bool *out, struct ocop_error *err)
{
    struct change old;
    enum ocop_status st = pending_change(refused, &s->arena, &old, err);

    *out = !st;
    if (st || (old.verb == VERB_CREATE && c->verb == VERB_CREATE))
        return st;
    for (size_t i = 0; *out && i < old.fields.count; i++)
        *out = fields_find(&c->fields, old.fields.v[i].number, old.fields.v[i].key) != NULL;
    return OCOP_OK;
}

/* Store a change: the draft and the refused changes that it replaces go, the registry's state is
 * put by, and the row shows the result. Inside a transaction. */
static enum ocop_status store_change(struct ocop_store *s, const struct standing *b,
                                     const struct change *c, enum outbox_state state,
                                     bool keep_draft, struct ocop_error *err)
{
    enum ocop_status st = OCOP_OK;

    if (b->rows.count == 0 && b->there)
        st = store_base_put(s, c->kind, &c->record, &b->f, b->version, err);
    for (size_t i = 0; !st && i < b->rows.count; i++) {
        const struct outbox_row *row = &b->rows.v[i];
        bool gone = row->state == OUTBOX_DRAFT && !keep_draft;
        if (row->state == OUTBOX_REFUSED && state == OUTBOX_READY)
            st = answers(s, c, row, &gone, err);
        if (!st && gone)
            st = store_outbox_delete(s, row->n, err);
    }
    if (!st)
        st = store_outbox_add(s, c, state, err);
    if (kind_by_number(c->kind)->reference) { /* what rules look up may have changed */
        device_codes_forget(s);
        device_scope_forget(s);
    }
    return st;
}

/* Remove changes of a record: the draft, or the refused ones. The row shows what is left. With a
 * refused creation goes all that was to follow it: there is no record to amend. */
static enum ocop_status drop_changes(struct ocop_store *s, const struct kind *k,
                                     const struct id *id, const struct standing *b,
                                     enum outbox_state state, struct ocop_error *err)
{
    struct fields base;
    size_t left = b->rows.count;
    uint64_t version;
    bool found;
    enum ocop_status st = OCOP_OK;

    for (size_t i = 0; !st && i < b->rows.count; i++) {
        if (b->rows.v[i].state != state && !(state == OUTBOX_REFUSED && b->refused))
            continue;
        st = store_outbox_delete(s, b->rows.v[i].n, err);
        left--;
    }
    if (!st && left > 0)
        return pending_show(s, k->number, id, &s->arena, err);
    if (!st)
        st = store_base(s, id, &s->arena, &found, &base, &version, err);
    if (!st && found)
        st = store_record_put(s, k->number, id, &base, version, err);
    else if (!st)
        st = attach_delete(s, k, id, err);
    return st ? st : store_base_delete(s, id, err);
}

/* --- save ------------------------------------------------------------------------------------ */

/* Read, fill in and check what save, submit and amend take. */
static enum ocop_status take(struct ocop_store *s, const ProtobufCMessage *m,
                             enum rules_stage stage, struct record *r, struct standing *b,
                             struct ocop_error *err)
{
    enum ocop_status st = record_need_enrolled(s, err);

    if (!st)
        st = record_read(m, &s->arena, r, err);
    if (!st)
        st = standing_read(s, r->k, &r->id, b, err);
    if (st)
        return st;
    if (record_voided(&b->f))
        return err_set(err, OCOP_ESTATE, "the record is voided; it cannot be changed any more");
    if (standing_is_new(b))
        st = put_origin(s, r, err);
    if (!st)
        st = standing_lay(s, r, b, err);
    if (!st)
        st = check_paper(r, b, err);
    if (!st)
        st = device_rules(s, r, stage, err);
    return st;
}

/* A refused creation may yet be taken: sent again, or by a registry that was restored. Its draft is
 * an amendment, for a creation laid over it would say nothing of what it leaves out. */
static enum ocop_status amend_refused(struct ocop_store *s, const struct record *r,
                                      const struct standing *b, struct change *c,
                                      struct ocop_error *err)
{
    enum ocop_status st = fields_diff(&b->f, &r->f, b->version, &s->arena, &c->fields, err);

    c->verb = VERB_AMEND;
    return st ? st : standing_bases(s, b, c, err);
}

enum ocop_status record_api_save(struct ocop_store *s, const ProtobufCMessage *m,
                                 struct ocop_error *err)
{
    struct record r;
    struct standing b;
    struct change c;
    enum ocop_status st = take(s, m, RULES_DRAFT, &r, &b, err);

    if (!st)
        st = make_change(s, &r, &b, standing_is_new(&b) ? VERB_CREATE : VERB_AMEND, NULL, &c, err);
    if (!st && b.refused)
        st = amend_refused(s, &r, &b, &c, err);
    if (!st && c.fields.count == 0 && b.there && !b.draft)
        return OCOP_OK;
    if (st)
        return st;
    if (c.fields.count == 0 && b.there) {
        st = drop_changes(s, r.k, &r.id, &b, OUTBOX_DRAFT, err);
    } else {
        st = store_change(s, &b, &c, OUTBOX_DRAFT, false, err);
        if (!st)
            st = store_record_put(s, r.k->number, &r.id, &r.f, b.version, err);
    }
    return st;
}

enum ocop_status ocop_save(struct ocop_store *s, const ProtobufCMessage *record,
                           struct ocop_error *err)
{
    enum ocop_status st = client_write(s, err);

    if (!st)
        do
            st = record_api_save(s, record, err);
        while (client_write_again(s, &st, err));
    return st;
}

/* --- submit ---------------------------------------------------------------------------------- */

/* "BB-00123-2026-007-0004": the unit's code, the year in Vietnam, the device, and a counter. */
static enum ocop_status paper_number(struct ocop_store *s, struct record *r,
                                     const struct field_rule *rule, struct ocop_error *err)
{
    enum { FIELD_CODE = 10 };
    const struct field *unit = scalar(&r->f, FIELD_UNIT), *code = NULL;
    struct fields f;
    struct id id;
    char day[11], counter[80];
    const char *text;
    uint64_t version, n;
    bool there = false;
    enum ocop_status st = OCOP_OK;

    if (s->me.forked)
        return err_set(err, OCOP_ESTATE,
                       "this store is a copy that waits for its new device number; sync first");
    if (unit && id_from(unit->bytes, &id))
        st = store_record_exists(s, KIND_UNIT, &id, &there, err);
    if (!st && there)
        st = store_record(s, KIND_UNIT, &id, &s->arena, &f, &version, err);
    if (!st && there)
        code = scalar(&f, FIELD_CODE);
    text_day_of(env_now_ms(s->env), day);
    (void)snprintf(counter, sizeof counter, "%s-%.4s", rule->arg, day);
    if (!st)
        st = store_counter_next(s, counter, &n, err);
    if (st)
        return st;
    text = arena_printf(&s->arena, "%s-%.*s-%.4s-%03" PRIu32 "-%04" PRIu64, rule->arg,
                        code ? (int)code->bytes.len : 5,
                        code ? (const char *)code->bytes.p : "00000", day, s->me.number, n);
    return text ? put_bytes(r, rule->number, span_str(text), &s->arena, err) : err_nomem(err);
}

static enum ocop_status give_numbers(struct ocop_store *s, struct record *r, struct ocop_error *err)
{
    enum ocop_status st = OCOP_OK;

    for (size_t i = 0; !st && i < r->k->field_count; i++)
        if ((r->k->fields[i].flags & FIELD_PAPER) && !scalar(&r->f, r->k->fields[i].number))
            st = paper_number(s, r, &r->k->fields[i], err);
    return st;
}

/* What the changes that wait for the refused creation say together; what they clear is a marker.
 * *reason: the last that was given. */
static enum ocop_status waiting_say(struct ocop_store *s, const struct standing *b,
                                    struct fields *out, struct span *reason, struct ocop_error *err)
{
    enum ocop_status st = OCOP_OK;

    *out = (struct fields){NULL, 0};
    *reason = span_str("submitted again");
    for (size_t i = 0; !st && i < b->rows.count; i++) {
        const struct outbox_row *row = &b->rows.v[i];
        struct change c;
        if (row->state == OUTBOX_DRAFT || row->state == OUTBOX_REFUSED)
            continue;
        st = pending_change(row, &s->arena, &c, err);
        if (st || (c.verb != VERB_AMEND && c.verb != VERB_ADD))
            continue;
        st = fields_apply(out, &c.fields, 0, true, &s->arena, out, err);
        *reason = c.reason.len ? c.reason : *reason;
    }
    return st;
}

/* The registry lays what waits for a refused creation over the one that takes its place. What its
 * officer says now of the same is said behind that too. */
static enum ocop_status have_last_word(struct ocop_store *s, const struct record *r,
                                       const struct standing *b, struct ocop_error *err)
{
    struct change again;
    struct fields said;
    struct span reason;
    size_t kept = 0;
    enum ocop_status st = OCOP_OK;

    if (!b->refused)
        return OCOP_OK;
    st = waiting_say(s, b, &said, &reason, err);
    for (size_t i = 0; !st && i < said.count; i++) {
        struct field *f = &said.v[i];
        const struct field *now = fields_find(&r->f, f->number, f->key);
        if (now ? f->op == FIELD_SET && field_value_equal(f, now) : f->op == FIELD_CLEAR)
            continue;
        said.v[kept] = now ? *now : *f;
        said.v[kept].op = now ? FIELD_SET : FIELD_CLEAR;
        said.v[kept++].base = 0;
    }
    said.count = kept;
    if (st || kept == 0)
        return st;
    begin_change(s, r, VERB_AMEND, NULL, &again);
    again.reason = reason;
    again.fields = said;
    return store_outbox_add(s, &again, OUTBOX_READY, err);
}

enum ocop_status record_api_submit(struct ocop_store *s, const ProtobufCMessage *m,
                                   struct ocop_error *err)
{
    struct record r;
    struct standing b;
    struct change c;
    enum ocop_status st = take(s, m, RULES_SUBMIT, &r, &b, err);

    if (!st && !standing_is_new(&b))
        st = err_set(err, OCOP_ESTATE, "the record is submitted already; amend it instead");
    if (!st)
        st = make_change(s, &r, &b, VERB_CREATE, NULL, &c, err);
    if (!st)
        st = device_references(s, r.k, &c, err);
    if (st)
        return st;
    st = give_numbers(s, &r, err);
    c.fields = r.f; /* a creation is the whole record, numbers included */
    if (!st)
        st = device_size(&c, &b.f, &r.f, err);
    if (!st)
        st = standing_bases(s, &b, &c, err);
    if (!st)
        st = store_change(s, &b, &c, OUTBOX_READY, false, err);
    if (!st)
        st = have_last_word(s, &r, &b, err);
    if (!st)
        st = store_record_put(s, r.k->number, &r.id, &r.f, b.version, err);
    return st || r.k->number == KIND_ATTACHMENT ? st : attach_submit(s, &r.id, err);
}

enum ocop_status ocop_submit(struct ocop_store *s, const ProtobufCMessage *record,
                             struct ocop_error *err)
{
    enum ocop_status st = client_write(s, err);

    if (!st)
        do
            st = record_api_submit(s, record, err);
        while (client_write_again(s, &st, err));
    return st;
}

/* --- amend, add, void ------------------------------------------------------------------------ */

static enum ocop_status need_submitted(const struct standing *b, struct ocop_error *err)
{
    if (b->refused)
        return err_set(err, OCOP_ESTATE, "the record was refused; submit it again instead");
    if (b->there)
        return OCOP_OK;
    return b->draft
               ? err_set(err, OCOP_ESTATE, "the record is not submitted yet; submit it instead")
               : err_set(err, OCOP_ENOTFOUND, "there is no such record on this device");
}

static enum ocop_status amend(struct ocop_store *s, const ProtobufCMessage *m, const char *reason,
                              struct ocop_error *err)
{
    struct record r;
    struct standing b;
    struct change c;
    enum ocop_status st = check_reason(reason, err);

    if (!st)
        st = take(s, m, RULES_SUBMIT, &r, &b, err);
    if (!st)
        st = need_submitted(&b, err);
    if (!st)
        st = make_change(s, &r, &b, VERB_AMEND, reason, &c, err);
    if (!st)
        st = device_references(s, r.k, &c, err);
    if (!st && c.fields.count == 0 && !b.draft)
        return OCOP_OK;
    if (st)
        return st;
    if (c.fields.count == 0) {
        st = drop_changes(s, r.k, &r.id, &b, OUTBOX_DRAFT, err);
    } else {
        st = store_change(s, &b, &c, OUTBOX_READY, false, err);
        if (!st)
            st = store_record_put(s, r.k->number, &r.id, &r.f, b.version, err);
    }
    return st;
}

enum ocop_status ocop_amend(struct ocop_store *s, const ProtobufCMessage *record,
                            const char *reason, struct ocop_error *err)
{
    enum ocop_status st = client_write(s, err);

    if (!st)
        do
            st = amend(s, record, reason, err);
        while (client_write_again(s, &st, err));
    return st;
}

/* The record that an id names, as it stands. */
enum ocop_status record_standing(struct ocop_store *s, const struct ocop_id *id, struct record *r,
                                 struct standing *b, struct ocop_error *err)
{
    uint32_t kind = 0;
    enum ocop_status st = record_need_enrolled(s, err);

    memset(r, 0, sizeof *r);
    if (!st)
        memcpy(r->id.b, id->b, ID_LEN);
    if (!st)
        st = store_record_kind(s, &r->id, &kind, err);
    if (st)
        return st;
    r->k = kind_by_number(kind);
    if (!r->k || r->k->local_only)
        return err_set(err, OCOP_ENOTFOUND, "there is no such record on this device");
    return standing_read(s, r->k, &r->id, b, err);
}

/* One element as a field of list `rule`; without a key it gets one where keys are ids. */
static enum ocop_status element_field(struct ocop_store *s, const struct field_rule *rule,
                                      const ProtobufCMessage *element, struct field *out,
                                      struct ocop_error *err)
{
    const struct field_rule *key_rule = rule_item(rule, 1);
    size_t size = protobuf_c_message_get_packed_size(element);
    uint8_t *p;
    struct id key;

    if (size > RECORD_BYTES_MAX)
        return err_field(err, OCOP_ELIMIT, rule->desc->name, "the element has %zu bytes", size);
    p = arena_alloc(&s->arena, size + 2 + ID_LEN);
    if (!p)
        return err_nomem(err);
    memset(out, 0, sizeof *out);
    out->number = rule->number;
    out->op = FIELD_SET;
    out->type = VALUE_ELEMENT;
    out->bytes = span_of(p + 2 + ID_LEN, protobuf_c_message_pack(element, p + 2 + ID_LEN));
    out->key = element_key(out->bytes);
    if (out->key.len == 0 && key_rule && key_rule->check == CHECK_BYTES) {
        key = id_next(&s->ids, s->env);
        p[0] = 1 << 3 | 2; /* field 1, bytes */
        p[1] = ID_LEN;
        memcpy(p + 2, key.b, ID_LEN);
        out->bytes = span_of(p, out->bytes.len + 2 + ID_LEN);
        out->key = span_of(p + 2, ID_LEN);
    }
    if (out->key.len == 0)
        return err_field(err, OCOP_EINVAL, rule->desc->name, "the element has no key");
    return OCOP_OK;
}

static enum ocop_status add(struct ocop_store *s, const struct ocop_id *id, const char *list,
                            const ProtobufCMessage *element, const char *reason,
                            struct ocop_error *err)
{
    struct record r;
    struct standing b;
    struct change c;
    struct field v;
    const struct field_rule *rule;
    enum ocop_status st = record_standing(s, id, &r, &b, err);

    if (!st && reason && *reason)
        st = check_reason(reason, err);
    if (!st)
        st = need_submitted(&b, err);
    if (!st && record_voided(&b.f))
        st = err_set(err, OCOP_ESTATE, "the record is voided; it cannot be changed any more");
    if (st)
        return st;
    rule = kind_field_by_name(r.k, list ? list : "");
    if (!rule || !rule_is_list(rule) || !element || element->descriptor != rule->desc->descriptor)
        return err_set(err, OCOP_EINVAL, "this is not an element of a list of kind %s", r.k->name);
    if (!(rule->flags & FIELD_OPEN))
        return err_field(err, OCOP_EPERM, rule->desc->name, "the list is not open; amend instead");
    st = element_field(s, rule, element, &v, err);
    if (!st && fields_find(&b.f, v.number, v.key))
        st = err_field(err, OCOP_EINVAL, rule->desc->name, "the list has an element of this key");
    r.f = b.f;
    if (!st)
        st = record_put(&r, &v, &s->arena, err);
    if (!st)
        st = device_rules(s, &r, RULES_SUBMIT, err);
    if (!st)
        st = make_change(s, &r, &b, VERB_ADD, reason, &c, err);
    if (!st)
        st = device_references(s, r.k, &c, err);
    if (st)
        return st;
    st = store_change(s, &b, &c, OUTBOX_READY, true, err);
    if (!st)
        st = pending_show(s, r.k->number, &r.id, &s->arena, err);
    return st;
}

enum ocop_status ocop_add(struct ocop_store *s, const struct ocop_id *id, const char *list,
                          const ProtobufCMessage *element, const char *reason,
                          struct ocop_error *err)
{
    enum ocop_status st = client_write(s, err);

    if (!st)
        do
            st = add(s, id, list, element, reason, err);
        while (client_write_again(s, &st, err));
    return st;
}

static enum ocop_status void_record(struct ocop_store *s, const struct ocop_id *id,
                                    const char *reason, struct ocop_error *err)
{
    struct record r;
    struct standing b;
    struct change c;
    enum ocop_status st = record_standing(s, id, &r, &b, err);

    if (st)
        return st;
    if (standing_is_new(&b))
        return drop_changes(s, r.k, &r.id, &b, b.refused ? OUTBOX_REFUSED : OUTBOX_DRAFT, err);
    if (record_voided(&b.f))
        return err_set(err, OCOP_ESTATE, "the record is voided already");
    st = check_reason(reason, err);
    r.f = b.f;
    if (!st)
        st = put_int(&r, FIELD_VOIDED, 1, &s->arena, err);
    if (!st)
        st = put_bytes(&r, FIELD_VOID_REASON, span_str(reason), &s->arena, err);
    if (!st)
        st = make_change(s, &r, &b, VERB_VOID, reason, &c, err);
    if (st)
        return st;
    st = store_change(s, &b, &c, OUTBOX_READY, false, err);
    if (!st)
        st = store_record_put(s, r.k->number, &r.id, &r.f, b.version, err);
    return st;
}

enum ocop_status ocop_void(struct ocop_store *s, const struct ocop_id *id, const char *reason,
                           struct ocop_error *err)
{
    enum ocop_status st = client_write(s, err);

    if (!st)
        do
            st = void_record(s, id, reason, err);
        while (client_write_again(s, &st, err));
    return files_swept(s, st);
}

/* --- discard, resend, load ------------------------------------------------------------------- */

enum ocop_status record_api_discard(struct ocop_store *s, const struct ocop_id *id,
                                    struct ocop_error *err)
{
    struct record r;
    struct standing b;
    bool refused = false;
    enum ocop_status st = record_standing(s, id, &r, &b, err);

    for (size_t i = 0; !st && i < b.rows.count; i++)
        refused = refused || b.rows.v[i].state == OUTBOX_REFUSED;
    if (!st && !b.draft && !refused)
        st = err_set(err, OCOP_ENOTFOUND, "the record has no draft and nothing refused");
    if (st)
        return st;
    return drop_changes(s, r.k, &r.id, &b, b.draft ? OUTBOX_DRAFT : OUTBOX_REFUSED, err);
}

enum ocop_status ocop_discard(struct ocop_store *s, const struct ocop_id *id,
                              struct ocop_error *err)
{
    enum ocop_status st = client_write(s, err);

    if (!st)
        do
            st = record_api_discard(s, id, err);
        while (client_write_again(s, &st, err));
    return files_swept(s, st);
}

static enum ocop_status resend(struct ocop_store *s, const struct ocop_id *id,
                               struct ocop_error *err)
{
    struct record r;
    struct standing b;
    unsigned count = 0;
    enum ocop_status st = record_standing(s, id, &r, &b, err);

    for (size_t i = 0; !st && i < b.rows.count; i++) {
        if (b.rows.v[i].state != OUTBOX_REFUSED)
            continue;
        st = store_outbox_resend(s, b.rows.v[i].n, err);
        count++;
    }
    if (!st && count == 0)
        st = err_set(err, OCOP_ESTATE, "nothing of this record was refused");
    if (!st)
        st = pending_show(s, r.k->number, &r.id, &s->arena, err);
    /* What was attached while it stood refused was to go with it. */
    return st || !b.refused || r.k->number == KIND_ATTACHMENT ? st : attach_submit(s, &r.id, err);
}

enum ocop_status ocop_resend(struct ocop_store *s, const struct ocop_id *id, struct ocop_error *err)
{
    enum ocop_status st = client_write(s, err);

    if (!st)
        do
            st = resend(s, id, err);
        while (client_write_again(s, &st, err));
    return st;
}

/* Between client_read and client_read_end, in whose arena the record is. */
static enum ocop_status load(struct ocop_store *s, const struct ocop_id *id, struct record *r,
                             struct ocop_error *err)
{
    struct standing b;
    uint32_t kind = 0;
    uint64_t version;
    enum ocop_status st;

    memset(r, 0, sizeof *r);
    memcpy(r->id.b, id->b, ID_LEN);
    st = store_record_kind(s, &r->id, &kind, err);
    r->k = kind_by_number(kind);
    if (!st && !r->k)
        st = err_set(err, OCOP_ENOTFOUND, "there is no such record on this device");
    if (!st)
        st = store_record(s, kind, &r->id, &s->arena, &r->f, &version, err);
    if (!st)
        st = standing_read(s, r->k, &r->id, &b, err);
    return st ? st : standing_see(s, r, &b, err);
}

enum ocop_status ocop_load(struct ocop_store *s, const struct ocop_id *id, ProtobufCMessage **out,
                           struct ocop_error *err)
{
    struct record r;
    enum ocop_status st;

    *out = NULL;
    st = client_read(s, err);
    if (st)
        return st;
    st = load(s, id, &r, err);
    if (!st)
        st = record_write(&r, out, err);
    client_read_end(s);
    return st;
}

enum ocop_status ocop_load_packed(struct ocop_store *s, const struct ocop_id *id, char **out,
                                  size_t *len, const ProtobufCMessageDescriptor **desc,
                                  struct ocop_error *err)
{
    struct record r;
    struct buf packed;
    enum ocop_status st;

    *out = NULL;
    *len = 0;
    *desc = NULL;
    st = client_read(s, err);
    if (st)
        return st;
    buf_init(&packed, 0);
    st = load(s, id, &r, err);
    if (!st)
        st = record_packed(&r, &packed, err);
    if (!st) {
        *out = (char *)packed.p;
        *len = packed.len;
        *desc = r.k->desc;
    } else {
        buf_fini(&packed);
    }
    client_read_end(s);
    return st;
}

enum ocop_status record_api_submit_draft(struct ocop_store *s, const struct ocop_id *id,
                                         const char *reason, struct ocop_error *err)
{
    ProtobufCMessage *m = NULL;
    struct record r;
    struct standing b;
    enum ocop_status st = record_standing(s, id, &r, &b, err);

    if (!st && !b.draft)
        st = err_set(err, OCOP_ENOTFOUND, "the record has no draft");
    if (!st)
        st = load(s, id, &r, err); /* the row shows the draft */
    if (!st)
        st = record_write(&r, &m, err);
    if (!st)
        st = standing_is_new(&b) ? record_api_submit(s, m, err) : amend(s, m, reason, err);
    ocop_free(m);
    return st;
}

enum ocop_status ocop_submit_draft(struct ocop_store *s, const struct ocop_id *id,
                                   const char *reason, struct ocop_error *err)
{
    enum ocop_status st = client_write(s, err);

    if (!st)
        do
            st = record_api_submit_draft(s, id, reason, err);
        while (client_write_again(s, &st, err));
    return st;
}
