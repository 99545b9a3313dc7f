/* import, show, log, export, cases, case: reading and correcting what the registry holds. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "cases.h"
#include "command.h"
#include "evidence_make.h"
#include "import.h"
#include "show.h"
#include "show_files.h"

static void print_result(FILE *out, const struct import_result *result, bool dry_run)
{
    fprintf(out, "%s%zu lines: %zu new, %zu changed, %zu as they were, %zu wrong",
            dry_run ? "dry run, nothing written: " : "", result->rows, result->created,
            result->amended, result->same, result->wrong);
    if (result->cases)
        fprintf(out, ", %zu in cases (see `ocopd cases`)", result->cases);
    if (result->version)
        fprintf(out, "; version %llu", (unsigned long long)result->version);
    fputc('\n', out);
}

enum ocop_status command_import(const struct invocation *in, struct ocop_error *err)
{
    const enum import_what what = import_by_name(in->operands[0]);
    const struct import_options options = {.path = in->operands[1],
                                           .from = command_value(in, "--from"),
                                           .to = command_value(in, "--to"),
                                           .mapping = command_value(in, "--mapping"),
                                           .skip_bad = command_has(in, "--skip-bad"),
                                           .dry_run = command_has(in, "--dry-run"),
                                           .ignore_columns = command_has(in, "--ignore-columns"),
                                           .errors = stderr};
    struct import_result result;
    struct registry *r = NULL;
    struct server_keys keys;

    memset(&keys, 0, sizeof keys);
    if (what == IMPORT_COUNT)
        return err_set(err, OCOP_EINVAL,
                       "\"%.40s\" is not units, officers, producers, products or certificates",
                       in->operands[0]);
    enum ocop_status st = command_open(in, &r, err);
    if (st == OCOP_OK)
        st = command_keys(in, &keys, err);
    if (st == OCOP_OK)
        st = import_run(r, &keys, what, &options, &result, err);
    if (st == OCOP_OK)
        print_result(in->out, &result, options.dry_run);
    keys_wipe(&keys);
    registry_close(r);
    return st;
}

enum ocop_status command_show(const struct invocation *in, struct ocop_error *err)
{
    const struct kind *k = NULL;
    struct registry *r = NULL;
    struct id id;
    const bool json = command_has(in, "--json");
    const enum show_form form = json ? SHOW_JSON : command_has(in, "--csv") ? SHOW_CSV : SHOW_LINES;

    enum ocop_status st = command_open(in, &r, err);
    if (st != OCOP_OK)
        return st;
    if (in->operand_count > 0)
        k = kind_by_name(in->operands[0]);
    if (in->operand_count == 0)
        st = show_counts(r, in->out, err);
    else if (!k)
        st = err_set(err, OCOP_EINVAL, "\"%.40s\" is no kind; `ocopd show` lists them",
                     in->operands[0]);
    else if (in->operand_count == 1)
        st = show_kind(r, k->number, form, in->out, err);
    else
        st = show_find(r, k->number, in->operands[1], &id, err);
    if (st == OCOP_OK && k && in->operand_count == 2)
        st = show_record(r, k->number, &id, json, in->out, err);
    if (st == OCOP_OK && k && in->operand_count == 2 && !json)
        st = show_attached(r, &id, in->out, err);
    registry_close(r);
    return st;
}

/* The record of an id that people give. */
static enum ocop_status record_of(const char *text, struct id *out, struct ocop_error *err)
{
    if (id_parse(text, out))
        return OCOP_OK;
    return err_set(err, OCOP_EINVAL, "\"%.60s\" is no record's id; `ocopd show KIND` lists them",
                   text);
}

static enum ocop_status story(const struct invocation *in, struct registry *r,
                              const struct id *record, struct ocop_error *err)
{
    struct server_keys keys;

    memset(&keys, 0, sizeof keys);
    /* A copy can be read where the keys are not. */
    const bool with_root = command_keys(in, &keys, NULL) == OCOP_OK;
    enum ocop_status st = show_story(r, record, with_root ? keys.roots.key[0] : NULL,
                                     command_has(in, "--json"), in->out, err);
    keys_wipe(&keys);
    return st;
}

enum ocop_status command_log(const struct invocation *in, struct ocop_error *err)
{
    struct registry *r = NULL;
    uint64_t from, limit;
    struct id record;
    enum ocop_status st = OCOP_OK;

    if (in->operand_count > 0 && (strcmp(in->operands[0], "show") != 0 || in->operand_count != 2))
        return err_set(err, OCOP_EINVAL, "log takes nothing, or show and the id of a record");
    if (in->operand_count == 0 && command_has(in, "--json"))
        return err_set(err, OCOP_EINVAL, "--json goes with log show RECORD");
    if (in->operand_count)
        st = record_of(in->operands[1], &record, err);
    if (st == OCOP_OK)
        st = command_number(in, "--from", 1, 1, INT64_MAX, &from, err);
    if (st == OCOP_OK)
        st = command_number(in, "--limit", 100, 1, INT64_MAX, &limit, err);
    if (st == OCOP_OK)
        st = command_open(in, &r, err);
    if (st != OCOP_OK)
        return st;
    st = in->operand_count ? story(in, r, &record, err) : show_log(r, from, limit, in->out, err);
    registry_close(r);
    return st;
}

/* Evidence is the root's word, which is not here. */
static enum ocop_status root_from_elsewhere(const struct invocation *in, struct server_keys *keys,
                                            struct ocop_error *err)
{
    const char *path = command_value(in, "--root");
    uint8_t pinned[SIGN_PUBLIC_LEN];

    if (!path)
        return err_set(err, OCOP_ESTATE,
                       "the root is kept elsewhere, and evidence is its word; say --root FILE");
    memcpy(pinned, keys->root.public_key, sizeof pinned);
    enum ocop_status st = keys_load_root(path, &keys->root, err);
    if (st == OCOP_OK && memcmp(pinned, keys->root.public_key, sizeof pinned) != 0)
        st = err_set(err, OCOP_EAUTH, "%.200s holds the root of another registry", path);
    return st;
}

static enum ocop_status export(const struct invocation *in, const struct id *record, FILE *out,
                               struct ocop_error *err) {
    struct registry *r = NULL; struct server_keys keys;
    struct evidence_carry carry = {.bytes_max = UINT64_MAX};
    uint64_t mib;

    memset(&keys, 0, sizeof keys);
    enum ocop_status st = command_number(in, "--files-max", 0, 0, UINT32_MAX, &mib, err);
    if (command_value(in, "--files-max")) carry.bytes_max = mib << 20;
    if (st == OCOP_OK) st = command_open(in, &r, err);
    if (st == OCOP_OK) st = command_keys(in, &keys, err);
    if (st == OCOP_OK && !keys.has_root) st = root_from_elsewhere(in, &keys, err);
    if (st == OCOP_OK) st = evidence_export(r, &keys.root, record, &carry, out, err);
    keys_wipe(&keys);
    registry_close(r);
    return st;
}

/* By it evidence is checked where the registry is not. */
static enum ocop_status export_root_key(const struct invocation *in, struct ocop_error *err)
{
    struct server_keys keys;

    memset(&keys, 0, sizeof keys);
    enum ocop_status st = command_keys(in, &keys, err);
    for (size_t i = 0; st == OCOP_OK && i < SIGN_PUBLIC_LEN; i++)
        fprintf(in->out, "%02x", keys.root.public_key[i]);
    if (st == OCOP_OK)
        fputc('\n', in->out);
    keys_wipe(&keys);
    return st;
}

enum ocop_status command_export(const struct invocation *in, struct ocop_error *err)
{
    const char *path = command_value(in, "--out");
    struct id record;

    if (strcmp(in->operands[0], "root-key") == 0 && in->operand_count == 1 && !path)
        return export_root_key(in, err);
    if (strcmp(in->operands[0], "evidence") != 0 || in->operand_count != 2)
        return err_set(err, OCOP_EINVAL,
                       "export takes evidence and the id of a record, or root-key");
    enum ocop_status st = record_of(in->operands[1], &record, err);
    if (st != OCOP_OK || !path)
        return st == OCOP_OK ? export(in, &record, in->out, err) : st;
    FILE *out = fopen(path, "wxe");
    if (!out)
        return err_set(err, errno == EEXIST ? OCOP_ESTATE : OCOP_EIO, "%.200s: %m", path);
    st = export(in, &record, out, err);
    if (fclose(out) != 0 && st == OCOP_OK)
        st = err_set(err, OCOP_EIO, "%.200s cannot be written: %m", path);
    if (st != OCOP_OK)
        unlink(path);
    return st;
}

enum ocop_status command_cases(const struct invocation *in, struct ocop_error *err)
{
    struct registry *r = NULL;

    enum ocop_status st = command_open(in, &r, err);
    if (st == OCOP_OK)
        st = show_cases(r, command_has(in, "--all"), command_has(in, "--json"), in->out, err);
    registry_close(r);
    return st;
}

static enum ocop_status resolve(const struct invocation *in, struct registry *r,
                                const struct id *id, struct ocop_error *err)
{
    const char *take = command_value(in, "--take"), *value = command_value(in, "--value");
    const char *reason = command_value(in, "--reason"), *officer = command_value(in, "--officer");
    enum case_take what = TAKE_VALUE;
    struct server_keys keys;
    struct id who;

    memset(&keys, 0, sizeof keys);
    if (!take == !value)
        return err_set(err, OCOP_EINVAL, "say either --take theirs, --take mine or --value JSON");
    if (take && strcmp(take, "theirs") != 0 && strcmp(take, "mine") != 0)
        return err_set(err, OCOP_EINVAL, "--take is theirs or mine");
    if (take)
        what = take[0] == 't' ? TAKE_THEIRS : TAKE_MINE;
    if (!reason || !reason[0])
        return err_set(err, OCOP_EINVAL, "a decision needs --reason");
    enum ocop_status st =
        officer ? show_find(r, KIND_OFFICER, officer, &who, err) : case_decider(r, &who, err);
    if (st == OCOP_OK)
        st = command_keys(in, &keys, err);
    if (st == OCOP_OK)
        st = case_resolve(r, &keys, id, what, value, reason, &who, err);
    keys_wipe(&keys);
    return st;
}

enum ocop_status command_case(const struct invocation *in, struct ocop_error *err)
{
    const bool show = strcmp(in->operands[0], "show") == 0;
    struct registry *r = NULL;
    struct id id;

    if (!show && strcmp(in->operands[0], "resolve") != 0)
        return err_set(err, OCOP_EINVAL, "case takes show or resolve");
    if (!id_parse(in->operands[1], &id))
        return err_set(err, OCOP_EINVAL, "\"%.60s\" is no case's id; `ocopd cases` lists them",
                       in->operands[1]);
    enum ocop_status st = command_open(in, &r, err);
    if (st == OCOP_OK && !show)
        st = resolve(in, r, &id, err);
    if (st == OCOP_OK)
        st = show_case(r, &id, in->out, err);
    registry_close(r);
    return st;
}
