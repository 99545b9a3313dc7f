/* show, list, find, status, check: what the store holds, for people and for programs. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "input.h"
#include "members.h"
#include "message.h"
#include "record_csv.h"
#include "table.h"

enum { LIST_LIMIT_MAX = 10000, LIST_OFFSET_MAX = 1000000 };

static const char *const states[] = {"",       "draft",   "waiting", "accepted",
                                     "merged", "in_case", "refused"};
enum { STATE_COUNT = sizeof states / sizeof *states };

static const char *state_name(enum ocop_record_state state)
{
    return (unsigned)state < STATE_COUNT ? states[state] : "";
}

/* --- list and find --------------------------------------------------------------------------- */

static enum ocop_status read_state(struct session *s, int *out, struct ocop_error *err)
{
    const char *text = s->value[OPT_STATE];

    *out = 0;
    if (!text)
        return OCOP_OK;
    for (int i = 1; i < STATE_COUNT; i++)
        if (strcmp(states[i], text) == 0)
            *out = i;
    return *out ? OCOP_OK
                : command_usage(s, err,
                                "\"%s\" is no state; states are draft, waiting, accepted, merged, "
                                "in_case, refused",
                                text);
}

struct query_ids {
    struct ocop_id unit, product, producer;
};

static enum ocop_status read_query(struct session *s, struct query_ids *ids, struct ocop_query *q,
                                   struct ocop_error *err)
{
    const char *const *v = s->value;
    enum ocop_status st;

    *q = (struct ocop_query){.kind = s->word_count ? s->words[0] : v[OPT_KIND],
                             .unit = v[OPT_UNIT] ? &ids->unit : NULL,
                             .product = v[OPT_PRODUCT] ? &ids->product : NULL,
                             .producer = v[OPT_PRODUCER] ? &ids->producer : NULL,
                             .from_date = v[OPT_FROM],
                             .to_date = v[OPT_TO],
                             .text = v[OPT_TEXT],
                             .voided_too = v[OPT_VOIDED] != NULL};
    st = input_kind(q->kind, err);
    if (!st)
        st = read_state(s, &q->state, err);
    if (!st)
        st = input_number(s, OPT_LIMIT, 1, LIST_LIMIT_MAX, 0, &q->limit, err);
    if (!st)
        st = input_number(s, OPT_OFFSET, 0, LIST_OFFSET_MAX, 0, &q->offset, err);
    if (!st && q->unit)
        st = input_unit(s->store, v[OPT_UNIT], &ids->unit, err);
    if (!st && q->product)
        st = input_record(s->store, "product", v[OPT_PRODUCT], &ids->product, err);
    if (!st && q->producer)
        st = input_record(s->store, "producer", v[OPT_PRODUCER], &ids->producer, err);
    return st;
}

enum { ITEM_COLUMNS = 7 };
static const char *const item_titles[ITEM_COLUMNS] = {"id",  "kind",  "state",    "voided",
                                                      "day", "label", "unit_name"};

static void item_cells(const struct ocop_item *item, char *id, const char *out[ITEM_COLUMNS])
{
    out[0] = ocop_id_text(item->id, id);
    out[1] = item->kind;
    out[2] = state_name(item->state);
    out[3] = item->voided ? "true" : "false";
    out[4] = item->day;
    out[5] = item->label;
    out[6] = item->unit_name;
}

static void list_json(const struct ocop_list *list, struct out *o)
{
    const char *c[ITEM_COLUMNS];
    char id[OCOP_ID_TEXT_LEN + 1];

    out_str(o, "[");
    for (size_t i = 0; i < list->count; i++) {
        item_cells(&list->items[i], id, c);
        out_printf(o, "%s\n{\"id\":\"%s\",\"kind\":\"%s\",\"state\":\"%s\",\"voided\":%s,\"day\":",
                   i ? "," : "", c[0], c[1], c[2], c[3]);
        out_json(o, c[4]);
        out_str(o, ",\"label\":");
        out_json(o, c[5]);
        out_str(o, ",\"unitName\":");
        out_json(o, c[6]);
        out_str(o, "}");
    }
    out_str(o, list->count ? "\n]\n" : "]\n");
}

static void csv_line(const char *const *cells, struct out *o)
{
    for (size_t c = 0; c < ITEM_COLUMNS; c++) {
        out_put(o, ",", c > 0);
        out_csv(o, cells[c], true);
    }
    out_str(o, "\r\n");
}

static void list_csv(const struct ocop_list *list, struct out *o)
{
    const char *c[ITEM_COLUMNS];
    char id[OCOP_ID_TEXT_LEN + 1];

    csv_line(item_titles, o);
    for (size_t i = 0; i < list->count; i++) {
        item_cells(&list->items[i], id, c);
        csv_line(c, o);
    }
}

/* For people a voided record is one of another state. */
static void list_table(const struct ocop_list *list, struct out *o)
{
    static const char *const titles[] = {"id", "kind", "state", "day", "label", "unit"};
    struct table t = {.columns = sizeof titles / sizeof *titles};
    char id[OCOP_ID_TEXT_LEN + 1];

    if (list->count)
        table_row(&t, titles);
    for (size_t i = 0; i < list->count; i++) {
        const struct ocop_item *item = &list->items[i];
        char state[32];
        (void)snprintf(state, sizeof state, "%s%s", state_name(item->state),
                       item->voided ? ", voided" : "");
        const char *const cells[] = {
            ocop_id_text(item->id, id), item->kind, state, item->day, item->label, item->unit_name};
        table_row(&t, cells);
    }
    table_print(&t, 0, o);
    table_fini(&t);
}

enum ocop_status view_list(struct session *s, struct ocop_error *err)
{
    struct ocop_list *list = NULL;
    struct query_ids ids;
    struct ocop_query q;
    enum ocop_status st = read_query(s, &ids, &q, err);

    if (!st)
        st = ocop_find(s->store, &q, &list, err);
    if (st)
        return st;
    if (s->value[OPT_JSON])
        list_json(list, &s->out);
    else if (s->value[OPT_CSV])
        list_csv(list, &s->out);
    else
        list_table(list, &s->out);
    if (list->count == 0 && !s->value[OPT_JSON] && !s->value[OPT_CSV])
        command_note("no records");
    if (list->more)
        command_note("there are more records; go on with --offset %zu",
                     (size_t)q.offset + list->count);
    ocop_list_free(list);
    return OCOP_OK;
}

/* --- show and status ------------------------------------------------------------------------- */

static void pair(struct table *t, const char *name, const char *value)
{
    table_cell(t, name);
    table_cell(t, value);
}

/* State, draft, changes under way, reason. */
static void status_rows(const struct ocop_record_status *r, struct table *t)
{
    char text[OCOP_ERROR_FIELD_MAX + OCOP_ERROR_TEXT_MAX + 1200];

    (void)snprintf(text, sizeof text, "%s%s", state_name(r->state),
                   r->has_draft && r->state != OCOP_DRAFT ? ", with a draft on this device" : "");
    pair(t, "status:", text);
    if (r->version)
        (void)snprintf(text, sizeof text, "%" PRIu64, r->version);
    pair(t, "version:", r->version ? text : "not in the registry yet");
    if (r->waiting) {
        (void)snprintf(text, sizeof text, "%u not acknowledged yet", r->waiting);
        pair(t, "changes:", text);
    }
    if (*r->reason) {
        (void)snprintf(text, sizeof text, "%s%s%s", r->reason_field, *r->reason_field ? ": " : "",
                       r->reason);
        pair(t, "reason:", text);
    }
}

static void cases_text(const struct ocop_record_status *r, struct out *o)
{
    char id[OCOP_ID_TEXT_LEN + 1];

    for (size_t i = 0; i < r->case_count; i++) {
        const struct ocop_case *c = &r->cases[i];
        struct table t = {.columns = 2, .lines = true};
        out_printf(o, "\ncase %s (%s):\n", ocop_id_text(c->id, id), c->closed ? "closed" : "open");
        pair(&t, "field:", *c->field ? c->field : "voided");
        pair(&t, "base:", c->base);
        pair(&t, "theirs:", c->theirs);
        pair(&t, "mine:", c->mine);
        if (*c->resolution)
            pair(&t, "resolution:", c->resolution);
        table_print(&t, 2, o);
        table_fini(&t);
    }
}

enum ocop_status view_show(struct session *s, struct ocop_error *err)
{
    struct ocop_record_status *status = NULL;
    ProtobufCMessage *m = NULL;
    char *json = NULL;
    struct table t = {.columns = 2, .lines = true};
    struct ocop_id id;
    enum ocop_status st = input_record(s->store, NULL, s->words[0], &id, err);

    if (!st)
        st = ocop_load(s->store, &id, &m, err);
    if (!st && s->value[OPT_JSON]) {
        st = ocop_to_json(m, true, &json, err);
        if (!st)
            out_printf(&s->out, "%s\n", json);
        goto out;
    }
    if (!st && s->value[OPT_CSV]) {
        record_csv_titles(m->descriptor, &s->out);
        st = record_csv_line(m, &s->out, err);
        goto out;
    }
    if (!st)
        st = ocop_record_status(s->store, &id, &status, err);
    if (st)
        goto out;
    pair(&t, "kind:", status->kind);
    status_rows(status, &t);
    table_print(&t, 0, &s->out);
    cases_text(status, &s->out);
    out_str(&s->out, "\n");
    message_show(s->store, m, &s->out);
out:
    table_fini(&t);
    ocop_record_status_free(status);
    ocop_text_free(json);
    ocop_free(m);
    return st;
}

/* A value of a case is JSON text already; none is null. */
static void json_value(struct out *o, const char *name, const char *json)
{
    out_printf(o, ",\"%s\":%s", name, *json ? json : "null");
}

static void cases_json(const struct ocop_record_status *r, struct out *o)
{
    char id[OCOP_ID_TEXT_LEN + 1];

    out_str(o, "[");
    for (size_t i = 0; i < r->case_count; i++) {
        const struct ocop_case *c = &r->cases[i];
        out_printf(o, "%s{\"id\":\"%s\",\"closed\":%s,\"field\":", i ? "," : "",
                   ocop_id_text(c->id, id), c->closed ? "true" : "false");
        out_json(o, c->field);
        json_value(o, "base", c->base);
        json_value(o, "theirs", c->theirs);
        json_value(o, "mine", c->mine);
        out_str(o, ",\"resolution\":");
        out_json(o, c->resolution);
        out_str(o, "}");
    }
    out_str(o, "]");
}

static void record_status_members(const struct ocop_record_status *r, struct members *m)
{
    char id[OCOP_ID_TEXT_LEN + 1];
    struct out cases = {0};

    members_text(m, "id", ocop_id_text(r->id, id));
    members_text(m, "kind", r->kind);
    members_text(m, "state", state_name(r->state));
    members_truth(m, "draft", r->has_draft);
    members_number(m, "version", (int64_t)r->version);
    members_number(m, "waiting", r->waiting);
    members_text(m, "reason", r->reason);
    members_text(m, "reasonField", r->reason_field);
    cases_json(r, &cases);
    members_raw(m, "cases", out_text(&cases));
    out_fini(&cases);
}

static enum ocop_status record_status(struct session *s, struct ocop_error *err)
{
    struct ocop_record_status *status = NULL;
    struct table t = {.columns = 2, .lines = true};
    struct members m = {0};
    char text[OCOP_ID_TEXT_LEN + 1];
    struct ocop_id id;
    enum ocop_status st = input_record(s->store, NULL, s->words[0], &id, err);

    if (!st)
        st = ocop_record_status(s->store, &id, &status, err);
    if (st)
        return st;
    if (s->value[OPT_JSON] || s->value[OPT_CSV]) {
        record_status_members(status, &m);
        members_print(&m, s->value[OPT_CSV] != NULL, &s->out);
    } else {
        pair(&t, "id:", ocop_id_text(id, text));
        pair(&t, "kind:", status->kind);
        status_rows(status, &t);
        table_print(&t, 0, &s->out);
        cases_text(status, &s->out);
    }
    table_fini(&t);
    ocop_record_status_free(status);
    return OCOP_OK;
}

/* null before enrolment. */
static void id_member(struct members *m, const char *name, const struct ocop_id *id, bool known)
{
    char text[OCOP_ID_TEXT_LEN + 1];

    if (known)
        members_text(m, name, ocop_id_text(*id, text));
    else
        members_raw(m, name, "null");
}

static void store_status_members(const struct ocop_store_status *v, struct members *m)
{
    members_truth(m, "enrolled", v->enrolled);
    members_truth(m, "encrypted", v->encrypted);
    members_truth(m, "forked", v->forked);
    members_truth(m, "revoked", v->revoked);
    members_truth(m, "suspended", v->suspended);
    members_truth(m, "wiped", v->wiped);
    members_truth(m, "certified", v->certified);
    members_number(m, "certificateUntilMs", v->certificate_until_ms);
    members_number(m, "keysMadeMs", v->keys_made_ms);
    members_truth(m, "rekeying", v->rekeying);
    members_text(m, "stateText", v->state_text);
    members_number(m, "device", v->device_number);
    id_member(m, "replica", &v->replica, v->enrolled);
    id_member(m, "officer", &v->officer, v->enrolled);
    members_text(m, "officerName", v->officer_name);
    members_text(m, "server", v->server);
    members_number(m, "records", v->records);
    members_number(m, "drafts", v->drafts);
    members_number(m, "waiting", v->waiting);
    members_number(m, "filesWaiting", (int64_t)v->files_waiting);
    members_number(m, "filesWaitingBytes", (int64_t)v->files_waiting_bytes);
    members_number(m, "refused", v->refused);
    members_number(m, "cases", v->cases);
    members_number(m, "version", (int64_t)v->version);
    members_number(m, "lastSyncMs", v->last_sync_ms);
    members_number(m, "skewMs", v->skew_ms);
}

static void number_row(struct table *t, const char *name, uint64_t n)
{
    char text[24];

    (void)snprintf(text, sizeof text, "%" PRIu64, n);
    pair(t, name, text);
}

static void store_status_text(const struct session *s, const struct ocop_store_status *v,
                              struct out *o)
{
    struct table t = {.columns = 2};
    char text[64];

    pair(&t, "store:", s->path);
    pair(&t, "enrolled:",
         v->wiped       ? "wiped by the office; enrol it anew to start afresh"
         : v->revoked   ? "this device was revoked; ask the office"
         : v->suspended ? "suspended by the office; what is recorded waits"
         : !v->enrolled ? "no; enrol it with ocop enrol CODE"
         : v->forked    ? "this is a copy that waits for its new device number; sync"
                        : "yes");
    if (v->state_text[0])
        pair(&t, "office:", v->state_text);
    if (v->enrolled) {
        pair(&t, "server:", v->server);
        pair(&t, "officer:", v->officer_name);
        number_row(&t, "device:", v->device_number);
    }
    if (v->enrolled)
        pair(&t, "keys made:",
             v->rekeying       ? "new ones wait for the registry; sync"
             : v->keys_made_ms ? out_moment(v->keys_made_ms, text)
                               : "by an earlier program");
    if (v->certificate_until_ms)
        pair(&t, "certificate until:", out_moment(v->certificate_until_ms, text));
    pair(&t, "encrypted:", v->encrypted ? "yes" : "no; whoever has the file can read it");
    number_row(&t, "records:", v->records);
    number_row(&t, "drafts:", v->drafts);
    number_row(&t, "waiting:", v->waiting);
    if (v->files_waiting) {
        (void)snprintf(text, sizeof text, "%" PRIu64 " (%" PRIu64 " KiB)", v->files_waiting,
                       (v->files_waiting_bytes + 1023) / 1024);
        pair(&t, "files waiting:", text);
    }
    number_row(&t, "refused:", v->refused);
    number_row(&t, "cases:", v->cases);
    number_row(&t, "version:", v->version);
    pair(&t, "last sync:", v->last_sync_ms ? out_moment(v->last_sync_ms, text) : "never");
    if (v->last_sync_ms) {
        (void)snprintf(text, sizeof text, "%.1f s", (double)v->skew_ms / 1000.0);
        pair(&t, "clock skew:", text);
    }
    table_print(&t, 0, o);
    table_fini(&t);
}

enum ocop_status view_status(struct session *s, struct ocop_error *err)
{
    struct ocop_store_status v;
    struct members m = {0};
    enum ocop_status st;

    if (s->word_count)
        return record_status(s, err);
    st = ocop_store_status(s->store, &v, err);
    if (st)
        return st;
    if (s->value[OPT_JSON] || s->value[OPT_CSV]) {
        store_status_members(&v, &m);
        members_print(&m, s->value[OPT_CSV] != NULL, &s->out);
        return OCOP_OK;
    }
    store_status_text(s, &v, &s->out);
    return OCOP_OK;
}

/* --- check ----------------------------------------------------------------------------------- */

static void print_finding(void *user, const char *finding)
{
    struct out *o = user;

    out_plain(o, finding, false);
    out_str(o, "\n");
}

enum ocop_status view_check(struct session *s, struct ocop_error *err)
{
    unsigned findings = 0;
    enum ocop_status st = ocop_check(s->store, print_finding, &s->out, &findings, err);

    if (st)
        return st;
    if (findings)
        return command_fail(err, OCOP_EDAMAGED, NULL,
                            "%u findings; keep a copy of the file and ask the office", findings);
    out_str(&s->out, "the store is sound\n");
    return OCOP_OK;
}
