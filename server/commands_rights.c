/* rights, roles, scope, undecided, move: who may do what, and where things lie. */
#include <string.h>

#include "assign.h"
#include "bounds.h"
#include "cache.h"
#include "command.h"
#include "feed.h"
#include "query.h"
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

typedef enum ocop_status (*act_fn)(const struct invocation *in, struct registry *r,
                                   const struct server_keys *keys, const char *reason,
                                   struct ocop_error *err);

/* What all of these have in common: a reason, the registry, its keys, and a line when it is done.
 */
static enum ocop_status with_keys(const struct invocation *in, act_fn act, const char *done,
                                  struct ocop_error *err)
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
        st = act(in, r, &keys, reason, err);
    if (st == OCOP_OK)
        fprintf(in->out, "%s\n", done);
    keys_wipe(&keys);
    registry_close(r);
    return st;
}

static enum ocop_status set_roles(const struct invocation *in, struct registry *r,
                                  const struct server_keys *keys, const char *reason,
                                  struct ocop_error *err)
{
    struct id officer;
    enum ocop_status st = show_find(r, KIND_OFFICER, in->operands[0], &officer, err);

    return st == OCOP_OK ? assign_roles(r, keys, &officer, in->operands[1], reason, err) : st;
}

enum ocop_status command_roles(const struct invocation *in, struct ocop_error *err)
{
    return with_keys(in, set_roles, "the officer has these roles now", err);
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
    return with_keys(in, scope_set,
                     "the device has its new scope; it learns of it with its next sync", err);
}

/* --- records of communes that were split
 * ------------------------------------------------------------ */

static const uint32_t lasting[] = {KIND_PRODUCER, KIND_PRODUCT, KIND_CERTIFICATE};
enum { UNIT_CODE = 10, UNIT_NAME = 11, UNIT_SUCCESSORS = 16 };

static void print_unit(FILE *out, const struct fields *f)
{
    static const struct span whole = {NULL, 0};
    const struct field *code = fields_find(f, UNIT_CODE, whole),
                       *name = fields_find(f, UNIT_NAME, whole);
    show_text(out, code ? code->bytes : whole);
    fputc(' ', out);
    show_text(out, name ? name->bytes : whole);
}

/* The unit that a record names, and what became of it: "24670 Xã A -> 24664 Xã B, 24667 Xã C". */
static enum ocop_status print_choice(struct registry *r, const struct fields *record, FILE *out,
                                     struct ocop_error *err)
{
    const struct field *unit = fields_find(record, FIELD_UNIT, span_of(NULL, 0));
    struct arena a;
    struct fields f, next;
    struct row_meta meta;
    struct id id = {{0}};
    const char *between = " -> ";

    if (unit)
        (void)id_from(unit->bytes, &id);
    arena_init(&a, MIB(4));
    enum ocop_status st = row_load(r->rows, KIND_UNIT, &id, &a, &f, &meta, err);
    if (st == OCOP_OK)
        print_unit(out, &f);
    for (size_t i = 0; st == OCOP_OK && i < f.count; i++) {
        if (f.v[i].number != UNIT_SUCCESSORS || f.v[i].op != FIELD_SET || !id_from(f.v[i].key, &id))
            continue;
        st = row_load(r->rows, KIND_UNIT, &id, &a, &next, &meta, err);
        fputs(between, out);
        if (st == OCOP_OK)
            print_unit(out, &next);
        between = ", ";
    }
    arena_fini(&a);
    return st;
}

static enum ocop_status print_undecided(void *self, const struct query_record *record,
                                        struct ocop_error *err)
{
    struct listing *l = self;
    char id[ID_TEXT_LEN + 1];

    l->count++;
    fprintf(l->out, "%s\t%s\t", kind_by_number(l->kind)->name, id_text(record->id, id));
    enum ocop_status st = show_label(l->r, l->kind, &record->id, l->out, err);
    fputc('\t', l->out);
    if (st == OCOP_OK)
        st = print_choice(l->r, &record->fields, l->out, err);
    fputc('\n', l->out);
    return st;
}

enum ocop_status command_undecided(const struct invocation *in, struct ocop_error *err)
{
    struct listing l = {.out = in->out};
    enum ocop_status st = command_open(in, &l.r, err);

    for (size_t i = 0; st == OCOP_OK && i < sizeof lasting / sizeof *lasting; i++) {
        l.kind = lasting[i];
        st = query_undecided(l.r, l.kind, print_undecided, &l, err);
    }
    if (st == OCOP_OK)
        fprintf(in->out, "%zu records lie in units that were split%s\n", l.count,
                l.count ? "; `ocopd move` says where each lies now" : "");
    registry_close(l.r);
    return st;
}

static enum ocop_status move(const struct invocation *in, struct registry *r,
                             const struct server_keys *keys, const char *reason,
                             struct ocop_error *err)
{
    const struct kind *k = kind_by_name(in->operands[0]);
    const char *code = command_value(in, "--unit");
    struct id record, units[SCOPE_UNITS_MAX];
    char today[11];
    size_t count;

    text_day_of(env_now_ms(in->env), today);
    if (!k || k->reference)
        return err_set(err, OCOP_EINVAL, "\"%.40s\" is not a kind of record that lies in a unit",
                       in->operands[0]);
    if (!code)
        return err_set(err, OCOP_EINVAL, "move needs --unit");
    enum ocop_status st = show_find(r, k->number, in->operands[1], &record, err);
    if (st == OCOP_OK)
        st = command_units(r, code, today, units, &count, err);
    if (st == OCOP_OK && count != 1)
        st = err_set(err, OCOP_EINVAL, "a record lies in one unit");
    return st == OCOP_OK ? assign_unit(r, keys, k->number, &record, &units[0], reason, err) : st;
}

enum ocop_status command_move(const struct invocation *in, struct ocop_error *err)
{
    return with_keys(in, move, "moved", err);
}
