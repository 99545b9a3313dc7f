/* invite, devices, revoke, suspend, resume: who may write. */
#include <stdlib.h>
#include <string.h>

#include "bounds.h"
#include "command.h"
#include "enrol.h"
#include "import.h"
#include "import_index.h"
#include "qr.h"
#include "query.h"
#include "rekey.h"
#include "show.h"
#include "states.h"
#include "text.h"

static bool has_unit(const struct id *v, size_t count, const struct id *unit)
{
    for (size_t i = 0; i < count; i++)
        if (id_eq(&v[i], unit))
            return true;
    return false;
}

/* "26734,26737" to ids of the units in force on a day, each once. */
enum ocop_status command_units(struct registry *r, const char *codes, const char *day,
                               struct id *out, size_t *count, struct ocop_error *err)
{
    struct import_index x;
    struct arena a;

    *count = 0;
    arena_init(&a, MIB(256));
    enum ocop_status st = index_init(&x, &a, err);
    if (st == OCOP_OK)
        st = index_load(&x, r, KIND_UNIT, err);
    while (st == OCOP_OK && *codes) {
        const size_t len = strcspn(codes, ",");
        const struct index_entry *e = index_unit(&x, span_of(codes, len), day);
        if (!e)
            st = err_set(err, OCOP_ENOTFOUND, "no unit with the code \"%.*s\" is in force on %s",
                         (int)(len < 40 ? len : 40), codes, day);
        else if (*count == SCOPE_UNITS_MAX)
            st =
                err_set(err, OCOP_ELIMIT, "more than %d units; name a larger one", SCOPE_UNITS_MAX);
        else if (!has_unit(out, *count, &e->id))
            out[(*count)++] = e->id;
        codes += len + (codes[len] == ',');
    }
    arena_fini(&a);
    return st;
}

static enum ocop_status find_officer(const struct invocation *in, struct registry *r,
                                     const struct server_keys *keys, struct id *out,
                                     struct ocop_error *err)
{
    const char *known = command_value(in, "--officer"), *made = command_value(in, "--new-officer");
    const char *role = command_value(in, "--role"), *agency = command_value(in, "--agency");

    if (!known == !made)
        return err_set(err, OCOP_EINVAL, "say either --officer or --new-officer");
    if (known && (role || agency))
        return err_set(err, OCOP_EINVAL, "--role and --agency are for --new-officer");
    if (known)
        return show_find(r, KIND_OFFICER, known, out, err);
    if (!role)
        return err_set(err, OCOP_EINVAL, "a new officer needs --role, such as inspector,sampler");
    return import_officer(r, keys, made, agency, role, out, err);
}

static enum ocop_status invite(const struct invocation *in, struct registry *r,
                               const struct server_keys *keys, struct arena *a,
                               struct ocop_error *err)
{
    const char *units = command_value(in, "--unit"), *from = command_value(in, "--from");
    struct id scope[SCOPE_UNITS_MAX];
    struct invitation_terms terms = {.scope = scope};
    const char *listen[CONFIG_LISTEN_MAX] = {NULL}, *code;
    char storage[CONFIG_VALUE_MAX], today[11], until[17];
    uint64_t days;

    config_listen(&in->config, storage, listen);
    terms.address =
        in->config.value[CONFIG_ADDRESS][0] ? in->config.value[CONFIG_ADDRESS] : listen[0];
    text_day_of(env_now_ms(in->env), today);
    if (!units || !units[0])
        return err_set(err, OCOP_EINVAL, "invite needs --unit with the codes of the scope");
    if (from && !text_is_date(span_str(from)))
        return err_set(err, OCOP_EINVAL, "--from \"%.40s\" is not a date such as 2025-07-01", from);
    char id[INVITATION_ID_LEN + 1];
    enum ocop_status st = command_number(in, "--days", 7, 1, 90, &days, err);
    if (st == OCOP_OK)
        st = command_units(r, units, from ? from : today, scope, &terms.scope_count, err);
    if (st == OCOP_OK)
        st = find_officer(in, r, keys, &terms.officer, err);
    terms.expires_ms = env_now_ms(in->env) + (int64_t)days * 24 * 3600 * 1000;
    if (st == OCOP_OK)
        st = invite_make(r, keys, &terms, a, &code, err);
    if (st == OCOP_OK)
        st = invite_id(code, id, err);
    if (st != OCOP_OK)
        return st;
    fprintf(in->out, "%s\n", code);
    if (!command_has(in, "--no-qr"))
        st = qr_print(code, in->out, err);
    fprintf(in->out, "invitation %s, for one device, at %s, until %s\n", id, terms.address,
            text_moment(terms.expires_ms, until));
    return st;
}

enum ocop_status command_invite(const struct invocation *in, struct ocop_error *err)
{
    struct registry *r = NULL;
    struct server_keys keys;
    struct arena a;

    memset(&keys, 0, sizeof keys);
    arena_init(&a, MIB(16));
    enum ocop_status st = command_open(in, &r, err);
    if (st == OCOP_OK)
        st = command_keys(in, &keys, err);
    if (st == OCOP_OK)
        st = invite(in, r, &keys, &a, err);
    keys_wipe(&keys);
    registry_close(r);
    arena_fini(&a);
    return st;
}

enum ocop_status command_devices(const struct invocation *in, struct ocop_error *err)
{
    struct registry *r = NULL;
    int64_t before = INT64_MAX;
    uint64_t days = 0;

    enum ocop_status st = command_number(in, "--silent", 0, 1, 36500, &days, err);
    if (days)
        before = env_now_ms(in->env) - (int64_t)days * 24 * 3600 * 1000;
    if (st == OCOP_OK)
        st = command_open(in, &r, err);
    if (st == OCOP_OK)
        st = show_devices(r, command_has(in, "--json"), before, in->out, err);
    registry_close(r);
    return st;
}

enum ocop_status command_invitations(const struct invocation *in, struct ocop_error *err)
{
    struct registry *r = NULL;

    if (in->operand_count > 0 && (in->operand_count != 2 || strcmp(in->operands[0], "revoke") != 0))
        return err_set(err, OCOP_EINVAL,
                       "say `ocopd invitations`, or `ocopd invitations revoke ID`");
    enum ocop_status st = command_open(in, &r, err);
    if (st == OCOP_OK && in->operand_count == 2) {
        st = query_invitation_revoke(r, in->operands[1], env_now_ms(in->env), err);
        if (st == OCOP_OK)
            fprintf(in->out, "took invitation %s back\n", in->operands[1]);
    } else if (st == OCOP_OK) {
        st = show_invitations(r, command_has(in, "--json"), in->out, err);
    }
    registry_close(r);
    return st;
}

struct numbered {
    int64_t number;
    struct id id;
    bool found;
};

static enum ocop_status match_number(void *self, const struct query_record *record,
                                     struct ocop_error *err)
{
    struct numbered *n = self;
    const struct field *f = fields_find(&record->fields, 11, span_of(NULL, 0));
    (void)err;

    if (f && f->op == FIELD_SET && f->i == n->number) {
        n->id = record->id;
        n->found = true;
    }
    return OCOP_OK;
}

enum ocop_status command_device(struct registry *r, const char *text, struct id *out,
                                struct ocop_error *err)
{
    struct numbered n = {0};
    struct replica_info info;
    char *end;

    enum ocop_status st = OCOP_OK;
    if (!id_parse(text, out)) {
        n.number = strtoll(text, &end, 10);
        if (end == text || *end || n.number <= 0)
            return err_set(err, OCOP_EINVAL, "\"%.60s\" is neither a device's number nor its id",
                           text);
        st = query_records(r, KIND_REPLICA, match_number, &n, err);
        *out = n.id;
    }
    if (st == OCOP_OK)
        st = registry_replica(r, out, &info, err);
    if (st == OCOP_OK && (!info.known || strcmp(info.type, "device") != 0))
        st = err_set(err, OCOP_ENOTFOUND, "there is no device %.60s; `ocopd devices` lists them",
                     text);
    return st;
}

/* What a command does to a device, besides the state that it gives. */
struct verdict {
    enum device_state state;
    const char *name, *done;
    bool take_aside; /* what was put aside comes in */
};

static enum ocop_status pass(struct registry *r, const struct server_keys *keys,
                             const struct verdict *v, const struct id *id, const char *reason,
                             struct kept_aside *aside, struct ocop_error *err)
{
    enum ocop_status st = registry_begin(r, err);

    if (st != OCOP_OK)
        return st;
    st = device_state_set(r, keys, id, v->state, reason, err);
    if (st == OCOP_OK && v->take_aside)
        st = device_take_aside(r, id, aside, err);
    if (st == OCOP_OK)
        return registry_commit(r, err);
    registry_rollback(r);
    return st;
}

static enum ocop_status judge(const struct invocation *in, const struct verdict *v,
                              struct ocop_error *err)
{
    const char *reason = command_value(in, "--reason");
    struct registry *r = NULL;
    struct server_keys keys;
    struct kept_aside aside = {0};
    struct id id;

    memset(&keys, 0, sizeof keys);
    if (!reason || !reason[0])
        return err_set(err, OCOP_EINVAL, "%s needs --reason; it is shown on the device", v->name);
    enum ocop_status st = command_open(in, &r, err);
    if (st == OCOP_OK)
        st = command_device(r, in->operands[0], &id, err);
    if (st == OCOP_OK)
        st = command_keys(in, &keys, err);
    if (st == OCOP_OK)
        r->keys = &keys; /* a set that was put aside may be a successor's first */
    if (st == OCOP_OK)
        st = pass(r, &keys, v, &id, reason, &aside, err);
    if (st == OCOP_OK)
        fprintf(in->out, "%s %s\n", v->done, in->operands[0]);
    if (st == OCOP_OK && aside.taken + aside.left > 0)
        fprintf(in->out, "of what it had sent %zu change-sets are taken in, %zu stay aside\n",
                aside.taken, aside.left);
    keys_wipe(&keys);
    registry_close(r);
    return st;
}

enum ocop_status command_revoke(const struct invocation *in, struct ocop_error *err)
{
    static const struct verdict v = {DEVICE_REVOKED, "revoke", "revoked device", false};

    return judge(in, &v, err);
}

enum ocop_status command_wipe(const struct invocation *in, struct ocop_error *err)
{
    static const struct verdict after = {DEVICE_WIPE, "wipe",
                                         "to be wiped when all is sent: device", true},
                                now = {DEVICE_WIPE_NOW, "wipe", "to be wiped at once: device",
                                       false};

    return judge(in, command_has(in, "--now") ? &now : &after, err);
}

enum ocop_status command_suspend(const struct invocation *in, struct ocop_error *err)
{
    static const struct verdict v = {DEVICE_SUSPENDED, "suspend", "suspended device", false};

    return judge(in, &v, err);
}

enum ocop_status command_resume(const struct invocation *in, struct ocop_error *err)
{
    static const struct verdict v = {DEVICE_ACTIVE, "resume", "resumed device", true};

    return judge(in, &v, err);
}

static enum ocop_status ask(struct registry *r, const struct server_keys *keys, const struct id *id,
                            const char *reason, struct ocop_error *err)
{
    enum ocop_status st = registry_begin(r, err);

    if (st != OCOP_OK)
        return st;
    st = rekey_ask(r, keys, id, reason, err);
    if (st == OCOP_OK)
        return registry_commit(r, err);
    registry_rollback(r);
    return st;
}

enum ocop_status command_rekey_device(const struct invocation *in, struct ocop_error *err)
{
    const char *reason = command_value(in, "--reason");
    struct registry *r = NULL;
    struct server_keys keys;
    struct id id;

    memset(&keys, 0, sizeof keys);
    if (!reason || !reason[0])
        return err_set(err, OCOP_EINVAL, "rekey-device needs --reason; it stands in the log");
    enum ocop_status st = command_open(in, &r, err);
    if (st == OCOP_OK)
        st = command_device(r, in->operands[0], &id, err);
    if (st == OCOP_OK)
        st = command_keys(in, &keys, err);
    if (st == OCOP_OK)
        st = ask(r, &keys, &id, reason, err);
    if (st == OCOP_OK)
        fprintf(in->out, "device %s is asked for new keys at its next sync\n", in->operands[0]);
    keys_wipe(&keys);
    registry_close(r);
    return st;
}
