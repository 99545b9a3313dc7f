/* rights, roles, scope: who may do what, where. */
#include <string.h>

#include "assign.h"
#include "bounds.h"
#include "cache.h"
#include "command.h"
#include "feed.h"
#include "rights.h"
#include "show.h"
#include "text.h"

/* --- rights: the table of the program as text; docs/security.md holds the same
 * ---------------------- */

static void print_roles(FILE *out, unsigned roles)
{
    const char *between = "";
    for (unsigned role = 1; role <= ROLE_REGISTRY; role <<= 1) {
        if (!(roles & role))
            continue;
        fprintf(out, "%s%s", between, role_name(role));
        between = ", ";
    }
    fputs(roles ? "" : "-", out);
}

static void print_reading(FILE *out, unsigned reading)
{
    static const char *const names[] = {"lists", "master", "field", "samples", "contacts"};
    const char *between = "";
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (!(reading >> i & 1))
            continue;
        fprintf(out, "%s%s", between, names[i]);
        between = ", ";
    }
    fputs(reading ? "" : "-", out);
}

static void print_kinds(FILE *out)
{
    const struct rights *may;
    fputs(
        "| kind | part | create | amend | add | void | resolve |\n|---|---|---|---|---|---|---|\n",
        out);
    for (size_t i = 0; (may = rights_at(i)) != NULL; i++) {
        const unsigned acts[] = {may->create, may->amend, may->add, may->void_, may->resolve};
        fprintf(out, "| %s | ", kind_by_number(may->kind)->name);
        print_reading(out, may->read);
        for (size_t n = 0; n < sizeof acts / sizeof *acts; n++) {
            fputs(" | ", out);
            print_roles(out, acts[n]);
        }
        fputs(" |\n", out);
    }
}

static void print_fields(FILE *out)
{
    const struct field_rights *may;
    fputs("\n| field | part besides | written by |\n|---|---|---|\n", out);
    for (size_t i = 0; (may = field_rights_at(i)) != NULL; i++) {
        const struct kind *k = kind_by_number(may->kind);
        fprintf(out, "| %s.%s | ", k->name, kind_field(k, may->number)->desc->name);
        print_reading(out, may->read);
        fputs(" | ", out);
        if (may->write)
            print_roles(out, may->write);
        else
            fputs("as its kind", out);
        fputs(" |\n", out);
    }
}

enum ocop_status command_rights(const struct invocation *in, struct ocop_error *err)
{
    (void)err;
    kinds_init();
    fputs("| role | reads |\n|---|---|\n", in->out);
    for (unsigned role = 1; role <= ROLE_REGISTRY; role <<= 1) {
        fprintf(in->out, "| %s | ", role_name(role));
        print_reading(in->out, rights_reading(role));
        fputs(" |\n", in->out);
    }
    fputs("| none in force | ", in->out);
    print_reading(in->out, rights_reading(0));
    fputs(" |\n\n", in->out);
    print_kinds(in->out);
    print_fields(in->out);
    return OCOP_OK;
}

/* --- roles, scope
 * ----------------------------------------------------------------------------------- */

static enum ocop_status need_reason(const struct invocation *in, const char **reason,
                                    struct ocop_error *err)
{
    *reason = command_value(in, "--reason");
    if (!*reason || !(*reason)[0] || strlen(*reason) > REASON_BYTES_MAX)
        return err_set(err, OCOP_EINVAL,
                       "%s needs --reason, of at most %d bytes; it stays in the log",
                       in->command->name, REASON_BYTES_MAX);
    return OCOP_OK;
}

enum ocop_status command_roles(const struct invocation *in, struct ocop_error *err)
{
    struct registry *r = NULL;
    struct server_keys keys = {0};
    struct id officer;
    const char *reason;
    enum ocop_status st = need_reason(in, &reason, err);

    if (st == OCOP_OK)
        st = command_open(in, &r, err);
    if (st == OCOP_OK)
        st = command_keys(in, &keys, err);
    if (st == OCOP_OK)
        st = show_find(r, KIND_OFFICER, in->operands[0], &officer, err);
    if (st == OCOP_OK)
        st = assign_roles(r, &keys, &officer, in->operands[1], reason, err);
    if (st == OCOP_OK)
        fprintf(in->out, "roles of %s: %s\n", in->operands[0],
                in->operands[1][0] ? in->operands[1] : "none");
    keys_wipe(&keys);
    registry_close(r);
    return st;
}

/* Is there a record of this id that lies in a unit? */
static enum ocop_status assignable(struct registry *r, const struct id *id, bool *out,
                                   struct ocop_error *err)
{
    struct id anchor = scope_record(*id);
    enum ocop_status st = OCOP_OK;
    *out = false;
    for (size_t i = 0; st == OCOP_OK && !*out && i < kind_count(); i++) {
        const struct kind *k = kind_at(i);
        if (!k->reference && scope_is_record(&anchor))
            st = cache_exists(r, k->number, id, out, err);
    }
    return st;
}

/* "ID,ID" to ids of records that are there; "none" to none. */
static enum ocop_status find_records(struct registry *r, const char *text, struct id *out,
                                     size_t *count, struct ocop_error *err)
{
    enum ocop_status st = OCOP_OK;
    *count = 0;
    if (strcmp(text, "none") == 0)
        return OCOP_OK;
    while (st == OCOP_OK && *text) {
        const size_t len = strcspn(text, ",");
        char word[ID_TEXT_LEN + 1] = "";
        bool there = false;
        if (len == ID_TEXT_LEN)
            memcpy(word, text, len);
        if (*count == SCOPE_RECORDS_MAX)
            return err_set(err, OCOP_ELIMIT, "more than %d single records", SCOPE_RECORDS_MAX);
        if (id_parse(word, &out[*count]))
            st = assignable(r, &out[*count], &there, err);
        if (st == OCOP_OK && !there)
            st = err_set(err, OCOP_ENOTFOUND, "\"%.*s\" is not the id of a record with a unit",
                         (int)(len > 60 ? 60 : len), text);
        ++*count;
        text += len + (text[len] == ',');
    }
    return st;
}

static enum ocop_status scope_set(const struct invocation *in, struct registry *r,
                                  const struct server_keys *keys, const char *reason,
                                  struct ocop_error *err)
{
    const char *codes = command_value(in, "--unit"), *ids = command_value(in, "--record");
    const char *from = command_value(in, "--from");
    struct id device, units[SCOPE_UNITS_MAX], records[SCOPE_RECORDS_MAX];
    struct assignment to = {0};
    char today[11];

    text_day_of(env_now_ms(in->env), today);
    if (!codes && !ids)
        return err_set(err, OCOP_EINVAL, "scope needs --unit, --record, or both");
    if (from && !text_is_date(span_str(from)))
        return err_set(err, OCOP_EINVAL, "--from \"%.40s\" is not a date such as 2025-07-01", from);
    enum ocop_status st = command_device(r, in->operands[0], &device, err);
    if (st == OCOP_OK && codes)
        st = command_units(r, codes, from ? from : today, units, &to.unit_count, err);
    if (st == OCOP_OK && ids)
        st = find_records(r, ids, records, &to.record_count, err);
    to.units = codes ? units : NULL;
    to.records = ids ? records : NULL;
    return st == OCOP_OK ? assign_scope(r, keys, &device, &to, reason, err) : st;
}

enum ocop_status command_scope(const struct invocation *in, struct ocop_error *err)
{
    struct registry *r = NULL;
    struct server_keys keys = {0};
    const char *reason;
    enum ocop_status st = need_reason(in, &reason, err);

    if (st == OCOP_OK)
        st = command_open(in, &r, err);
    if (st == OCOP_OK)
        st = command_keys(in, &keys, err);
    if (st == OCOP_OK)
        st = scope_set(in, r, &keys, reason, err);
    if (st == OCOP_OK)
        fprintf(in->out, "device %s has its new scope; it learns of it with its next sync\n",
                in->operands[0]);
    keys_wipe(&keys);
    registry_close(r);
    return st;
}
