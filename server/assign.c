/* Roles of officers and scopes of devices, amended in the registry's own name: lists of a record
 * are put in the place of those that stand, and what differs becomes a change. Knows no SQL. */
#include "assign.h"

#include "bounds.h"
#include "json.h"
#include "own.h"
#include "text.h"

enum { OFFICER_ROLES = 15, TEXT_MAX = KIB(16) };

/* One record on its way to its amendment. */
struct amendment {
    struct registry *r;
    const struct kind *k;
    struct id id;
    struct arena *a;
    struct fields before, after;
    struct row_meta meta;
};

static enum ocop_status amend_begin(struct amendment *m, struct ocop_error *err)
{
    enum ocop_status st =
        row_load(m->r->rows, m->k->number, &m->id, m->a, &m->before, &m->meta, err);
    m->after = m->before;
    return st;
}

/* The list `number` shall be as this JSON object has it: {"roles": [...]}. */
static enum ocop_status amend_list(struct amendment *m, uint32_t number, struct span json,
                                   struct ocop_error *err)
{
    struct fields list;
    struct id none;
    size_t n = 0;
    enum ocop_status st = json_to_fields(m->k, json, NULL, m->r->env, m->a, &none, &list, err);
    struct field *v =
        st == OCOP_OK ? arena_calloc(m->a, m->after.count + list.count + 1, sizeof *v) : NULL;
    if (!v)
        return st == OCOP_OK ? err_nomem(err) : st;
    for (size_t i = 0; i < m->after.count; i++)
        if (m->after.v[i].number != number)
            v[n++] = m->after.v[i];
    for (size_t i = 0; i < list.count; i++)
        v[n++] = list.v[i];
    m->after = (struct fields){v, n};
    fields_sort(&m->after);
    return OCOP_OK;
}

static enum ocop_status amend_write(struct amendment *m, const struct server_keys *keys,
                                    const char *reason, struct ocop_error *err)
{
    struct change c = {.kind = m->k->number,
                       .verb = VERB_AMEND,
                       .record = m->id,
                       .device_time_ms = env_now_ms(m->r->env),
                       .base = m->meta.version,
                       .reason = span_str(reason)};
    enum ocop_status st = fields_diff(&m->before, &m->after, m->meta.version, m->a, &c.fields, err);
    if (st == OCOP_OK && c.fields.count == 0)
        return err_set(err, OCOP_ESTATE, "that is how it is already");
    return st == OCOP_OK ? own_write(m->r, keys, &c, 1, m->a, err) : st;
}

static enum ocop_status committed(struct registry *r, enum ocop_status st, struct ocop_error *err)
{
    if (st == OCOP_OK)
        st = registry_commit(r, err);
    if (st != OCOP_OK)
        registry_rollback(r);
    return st;
}

/* --- roles --- */

/* "sampler:2026-01-01:2026-12-31" to {"role":"sampler","fromDate":...}. */
static enum ocop_status put_role(struct span word, struct buf *json, struct ocop_error *err)
{
    static const char *const names[] = {"role", "fromDate", "toDate"};
    size_t at = 0, part = 0;
    buf_byte(json, '{');
    while (at <= word.len && part < 3) {
        size_t len = 0;
        while (at + len < word.len && word.p[at + len] != ':')
            len++;
        struct span s = span_of(word.p + at, len);
        if (part == 0 && !role_by_name(s))
            return err_set(err, OCOP_EINVAL, "\"%.*s\" is not a role such as inspector or sampler",
                           (int)(len > 60 ? 60 : len), (const char *)s.p);
        if (part > 0 && len > 0 && !text_is_date(s))
            return err_set(err, OCOP_EINVAL, "\"%.*s\" is not a date such as 2026-01-31",
                           (int)(len > 60 ? 60 : len), (const char *)s.p);
        if (len > 0) /* a role's name and a day need no quoting */
            buf_printf(json, "%s\"%s\":\"%.*s\"", part ? "," : "", names[part], (int)len,
                       (const char *)s.p);
        at += len + 1;
        part++;
    }
    buf_byte(json, '}');
    if (at <= word.len)
        return err_set(err, OCOP_EINVAL, "a role is NAME or NAME:FROM:TO");
    return OCOP_OK;
}

static enum ocop_status roles_json(const char *roles, struct buf *json, struct ocop_error *err)
{
    enum ocop_status st = OCOP_OK;
    bool first = true;
    buf_str(json, "{\"roles\":[");
    while (st == OCOP_OK && *roles) {
        size_t len = strcspn(roles, ",");
        if (len && !first)
            buf_byte(json, ',');
        if (len)
            st = put_role(span_of(roles, len), json, err);
        first = first && len == 0;
        roles += len + (roles[len] == ',');
    }
    buf_str(json, "]}");
    return st == OCOP_OK && json->failed ? err_set(err, OCOP_ELIMIT, "too many roles") : st;
}

enum ocop_status assign_roles(struct registry *r, const struct server_keys *keys,
                              const struct id *officer, const char *roles, const char *reason,
                              struct ocop_error *err)
{
    struct arena a;
    struct buf json;
    struct amendment m = {.r = r, .k = kind_by_number(KIND_OFFICER), .id = *officer, .a = &a};
    enum ocop_status st = registry_begin(r, err);
    if (st != OCOP_OK)
        return st;
    arena_init(&a, ARENA_REQUEST_MAX);
    buf_init(&json, TEXT_MAX);
    st = roles_json(roles, &json, err);
    if (st == OCOP_OK)
        st = amend_begin(&m, err);
    if (st == OCOP_OK)
        st = amend_list(&m, OFFICER_ROLES, buf_span(&json), err);
    if (st == OCOP_OK)
        st = amend_write(&m, keys, reason, err);
    buf_fini(&json);
    arena_fini(&a);
    return committed(r, st, err);
}

/* --- scope --- */

static void ids_json(const char *list, const char *member, const struct id *ids, size_t count,
                     struct buf *json)
{
    char text[ID_TEXT_LEN + 1];
    buf_clear(json);
    buf_printf(json, "{\"%s\":[", list);
    for (size_t i = 0; i < count; i++)
        buf_printf(json, "%s{\"%s\":\"%s\"}", i ? "," : "", member, id_text(ids[i], text));
    buf_str(json, "]}");
}

static enum ocop_status scope_amend(struct amendment *m, const struct assignment *to,
                                    struct ocop_error *err)
{
    struct buf json;
    enum ocop_status st = amend_begin(m, err);
    buf_init(&json, TEXT_MAX);
    if (st == OCOP_OK && to->units) {
        ids_json("scope", "unitId", to->units, to->unit_count, &json);
        st = json.failed ? err_nomem(err) : amend_list(m, REPLICA_SCOPE, buf_span(&json), err);
    }
    if (st == OCOP_OK && to->records) {
        ids_json("records", "assignedId", to->records, to->record_count, &json);
        st = json.failed ? err_nomem(err) : amend_list(m, REPLICA_RECORDS, buf_span(&json), err);
    }
    buf_fini(&json);
    bool left = false;
    for (size_t i = 0; i < m->after.count; i++)
        left = left || m->after.v[i].number == REPLICA_SCOPE ||
               m->after.v[i].number == REPLICA_RECORDS;
    if (st == OCOP_OK && !left)
        st = err_set(err, OCOP_EINVAL, "a device has at least one unit or record; else revoke it");
    return st;
}

enum ocop_status assign_scope(struct registry *r, const struct server_keys *keys,
                              const struct id *replica, const struct assignment *assignment,
                              const char *reason, struct ocop_error *err)
{
    struct arena a;
    struct replica_info info;
    struct amendment m = {.r = r, .k = kind_by_number(KIND_REPLICA), .a = &a};
    enum ocop_status st = registry_begin(r, err);
    if (st != OCOP_OK)
        return st;
    arena_init(&a, ARENA_REQUEST_MAX);
    st = registry_replica(r, replica, &info, err);
    if (st == OCOP_OK && (!info.known || strcmp(info.type, "device") != 0))
        st = err_set(err, OCOP_ENOTFOUND, "no such device");
    if (st == OCOP_OK && info.revoked)
        st = err_set(err, OCOP_ESTATE, "this device is revoked");
    if (st == OCOP_OK) /* what a fork left behind is not used any more */
        st = registry_replica_by_channel(r, info.channel_key, &m.id, err);
    if (st == OCOP_OK)
        st = scope_amend(&m, assignment, err);
    if (st == OCOP_OK)
        st = amend_write(&m, keys, reason, err);
    arena_fini(&a);
    return committed(r, st, err);
}

/* --- the unit of a record --- */

enum ocop_status assign_unit(struct registry *r, const struct server_keys *keys, uint32_t kind,
                             const struct id *record, const struct id *unit, const char *reason,
                             struct ocop_error *err)
{
    struct arena a;
    struct amendment m = {.r = r, .k = kind_by_number(kind), .id = *record, .a = &a};
    enum ocop_status st = registry_begin(r, err);
    if (st != OCOP_OK)
        return st;
    arena_init(&a, ARENA_REQUEST_MAX);
    st = amend_begin(&m, err);
    struct field *v = NULL;
    if (st == OCOP_OK && !(v = arena_calloc(&a, m.before.count + 1, sizeof *v)))
        st = err_nomem(err);
    for (size_t i = 0; st == OCOP_OK && i < m.before.count; i++) {
        v[i] = m.before.v[i];
        if (v[i].number == FIELD_UNIT && v[i].op == FIELD_SET)
            v[i].bytes = id_span(unit);
    }
    m.after.v = v;
    if (st == OCOP_OK)
        st = amend_write(&m, keys, reason, err);
    arena_fini(&a);
    return committed(r, st, err);
}
