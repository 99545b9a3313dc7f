/* What the store can say of a record and of itself. Knows no SQL. */
#include <stdio.h>
#include <stdlib.h>

#include "store.h"

/* The caller's status with the memory of all it points to. */
struct answer {
    struct ocop_record_status status; /* first: what the caller holds */
    struct arena arena;
};

static enum ocop_status fill_cases(struct ocop_store *s, const struct id *id, struct answer *out,
                                   struct ocop_error *err)
{
    struct case_row *rows;
    size_t count;
    enum ocop_status st = store_cases_of(s, id, &out->arena, &rows, &count, err);

    if (st)
        return st;
    out->status.cases = arena_calloc(&out->arena, count + 1, sizeof *out->status.cases);
    if (!out->status.cases)
        return err_nomem(err);
    out->status.case_count = count;
    for (size_t i = 0; i < count; i++) {
        struct ocop_case *c = &out->status.cases[i];
        memcpy(c->id.b, rows[i].id.b, ID_LEN);
        c->field = rows[i].field;
        c->base = rows[i].base;
        c->theirs = rows[i].theirs;
        c->mine = rows[i].mine;
        c->closed = rows[i].resolution != NULL;
        c->resolution = rows[i].resolution ? rows[i].resolution : "";
    }
    return OCOP_OK;
}

static enum ocop_status fill_changes(struct ocop_store *s, const struct id *id, struct answer *out,
                                     struct ocop_error *err)
{
    struct outbox_rows rows;
    enum ocop_status st = store_outbox_of(s, id, &out->arena, &rows, err);
    struct ocop_record_status *o = &out->status;

    for (size_t i = 0; !st && i < rows.count; i++) {
        const struct outbox_row *r = &rows.v[i];
        o->has_draft = o->has_draft || r->state == OUTBOX_DRAFT;
        o->waiting +=
            r->state == OUTBOX_READY || r->state == OUTBOX_SEALED || r->state == OUTBOX_WAITING;
        /* Why it was refused matters more than what it waits for. */
        if (r->state == OUTBOX_REFUSED || (r->state == OUTBOX_WAITING && !*o->reason)) {
            o->reason = r->reason;
            o->reason_field = r->field;
        }
    }
    return st;
}

/* The kind of a record that left the device, while a change of it is in the outbox; 0: none is. */
static enum ocop_status kind_of_left(struct ocop_store *s, const struct id *id, struct arena *a,
                                     uint32_t *kind, struct ocop_error *err)
{
    struct outbox_rows rows;
    enum ocop_status st = store_outbox_of(s, id, a, &rows, err);

    *kind = !st && rows.count > 0 ? rows.v[0].kind : 0;
    return st;
}

static enum ocop_status fill(struct ocop_store *s, const struct id *id, struct answer *out,
                             struct ocop_error *err)
{
    uint32_t kind;
    struct fields f;
    uint64_t version = 0, own_version;
    bool there;
    bool own, merged;
    int state;
    enum ocop_status st = store_record_kind(s, id, &kind, err);

    there = kind != 0;
    if (!st && !there)
        st = kind_of_left(s, id, &out->arena, &kind, err);
    if (st)
        return st;
    if (!kind_by_number(kind))
        return err_set(err, OCOP_ENOTFOUND, "there is no such record on this device");
    memcpy(out->status.id.b, id->b, ID_LEN);
    out->status.kind = kind_by_number(kind)->name;
    out->status.reason = out->status.reason_field = "";
    if (there)
        st = store_record(s, kind, id, &out->arena, &f, &version, err);
    if (!st)
        st = store_own(s, id, &own, &merged, &own_version, err);
    if (!st)
        st = store_state(s, id, &state, err);
    if (st)
        return st;
    out->status.version = version > own_version ? version : own_version;
    out->status.state = (enum ocop_record_state)state;
    st = fill_changes(s, id, out, err);
    return st ? st : fill_cases(s, id, out, err);
}

enum ocop_status ocop_record_status(struct ocop_store *s, const struct ocop_id *id,
                                    struct ocop_record_status **out, struct ocop_error *err)
{
    struct answer *answer;
    struct id record;
    enum ocop_status st;

    *out = NULL;
    if (!id)
        return err_set(err, OCOP_EINVAL, "no id was given");
    answer = calloc(1, sizeof *answer);
    if (!answer)
        return err_nomem(err);
    memcpy(record.b, id->b, ID_LEN);
    arena_init(&answer->arena, ARENA_SAVE_MAX);
    st = client_read(s, err);
    if (!st) {
        st = fill(s, &record, answer, err);
        client_read_end(s);
    }
    if (st)
        ocop_record_status_free(&answer->status);
    else
        *out = &answer->status;
    return st;
}

void ocop_record_status_free(struct ocop_record_status *status)
{
    struct answer *answer = (struct answer *)(void *)status;

    if (!answer)
        return;
    arena_fini(&answer->arena);
    free(answer);
}

enum ocop_status ocop_store_status(struct ocop_store *s, struct ocop_store_status *out,
                                   struct ocop_error *err)
{
    const struct identity *me;
    struct store_counts counts;
    uint64_t version = 0;
    bool seen;
    enum ocop_status st;

    memset(out, 0, sizeof *out);
    st = client_read(s, err);
    if (st)
        return st;
    me = &s->me;
    st = store_counts(s, &counts, err);
    if (!st)
        st = store_meta_int(s, "seen", &s->arena, &seen, &version, err);
    if (!st)
        st = store_files_owed(s, &out->files_waiting, &out->files_waiting_bytes, err);
    if (st)
        goto out;
    out->enrolled = me->enrolled;
    out->encrypted = store_secret(s).len > 0;
    out->forked = me->forked;
    out->revoked = me->revoked;
    out->suspended = me->suspended;
    out->wiped = me->wiped != WIPED_NOT;
    out->certified = me->certificate != 0;
    out->certificate_until_ms = me->certificate ? me->certificate_until_ms : 0;
    out->keys_made_ms = me->keys_made_ms;
    out->rekeying = me->rekeying;
    (void)snprintf(out->state_text, sizeof out->state_text, "%s",
                   me->revoked || me->suspended || me->wiped ? me->state_reason : "");
    out->device_number = me->number;
    memcpy(out->replica.b, me->replica.b, ID_LEN);
    memcpy(out->officer.b, me->officer.b, ID_LEN);
    (void)snprintf(out->officer_name, sizeof out->officer_name, "%s", me->officer_name);
    (void)snprintf(out->server, sizeof out->server, "%s", me->server);
    out->drafts = counts.drafts;
    out->waiting = counts.waiting;
    out->refused = counts.refused;
    out->cases = counts.cases;
    out->records = counts.records;
    out->version = version;
    out->last_sync_ms = me->last_sync_ms;
    out->skew_ms = me->skew_ms;
out:
    client_read_end(s);
    return st;
}
