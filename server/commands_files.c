/* files: what is attached, what is missing, what is damaged and where it is to be had again, and
 * what need not be kept. */
#include <inttypes.h>

#include "cases.h"
#include "command.h"
#include "retain.h"
#include "show.h"
#include "show_files.h"
#include "thumbs_all.h"
#include "verify_files.h"

static enum ocop_status list(const struct invocation *in, struct registry *r,
                             struct ocop_error *err)
{
    struct show_files what = {.missing = command_has(in, "--missing"),
                              .by_device = command_has(in, "--by-device"),
                              .json = command_has(in, "--json")};
    const char *record = command_value(in, "--record");
    struct id id;
    uint64_t device;
    enum ocop_status st = command_number(in, "--device", 0, 1, UINT32_MAX, &device, err);
    if (st == OCOP_OK && record && !id_parse(record, &id))
        st = err_set(err, OCOP_EINVAL, "\"%.60s\" is no record's id", record);
    what.device = (uint32_t)device;
    what.record = record ? &id : NULL;
    return st != OCOP_OK ? st : show_files(r, &what, in->out, err);
}

static enum ocop_status verify(const struct invocation *in, struct registry *r,
                               struct ocop_error *err)
{
    struct files_found found;
    struct thumbs_found thumbs;
    const bool mend = command_has(in, "--mend");
    enum ocop_status st = files_verify(r, mend, in->out, &found, err);
    if (st != OCOP_OK)
        return st;
    fprintf(in->out,
            "%" PRIu64 " attachments read: %" PRIu64 " missing, %" PRIu64 " of them lost, %" PRIu64
            " damaged; %" PRIu64 " contents orphaned\n",
            found.read, found.missing, found.lost, found.damaged, found.orphaned);
    if (mend)
        fprintf(in->out, "%" PRIu64 " taken from backups, %" PRIu64 " asked of devices\n",
                found.from_backups, found.asked);
    st = thumbs_verify(r, false, &thumbs, err);
    if (st != OCOP_OK)
        return st;
    fprintf(in->out, "%" PRIu64 " thumbnails, %" PRIu64 " of them of files that are not here\n",
            thumbs.there + thumbs.loose, thumbs.loose);
    if (found.failed)
        return err_set(err, OCOP_EIO, "%" PRIu64 " damaged contents could not be mended, see above",
                       found.failed);
    return found.damaged + found.lost && !mend
               ? err_set(err, OCOP_EDAMAGED,
                         "%" PRIu64 " contents are not here as their devices sent them; --mend "
                         "takes them from backups or asks devices for them",
                         found.damaged + found.lost)
               : OCOP_OK;
}

static enum ocop_status thumbnails(const struct invocation *in, struct registry *r,
                                   struct ocop_error *err)
{
    struct thumbs_found found;
    enum ocop_status st = thumbs_make(r, in->config.value[CONFIG_THUMBNAILER], &found, err);
    if (st == OCOP_OK)
        fprintf(in->out,
                "%" PRIu64 " thumbnails made, %" PRIu64 " there before; %" PRIu64
                " files have none, %" PRIu64 " not yet\n",
                found.made, found.there, found.none, found.not_yet);
    return st;
}

static enum ocop_status sweep(const struct invocation *in, struct registry *r,
                              struct ocop_error *err)
{
    struct files_swept swept;
    struct thumbs_found thumbs = {0};
    uint64_t days;
    enum ocop_status st = command_number(in, "--parts-older", 0, 1, 36500, &days, err);
    if (st == OCOP_OK)
        st = registry_begin(r, err);
    if (st != OCOP_OK)
        return st;
    st = files_sweep(r, (unsigned)days, command_has(in, "--restored"), in->out, &swept, err);
    registry_rollback(r); /* nothing was written but files */
    if (st == OCOP_OK)    /* which can be made again: nobody is kept out for them */
        st = thumbs_verify(r, true, &thumbs, err);
    if (st == OCOP_OK)
        fprintf(in->out,
                "%" PRIu64 " contents removed, %" PRIu64 " parts emptied (%" PRIu64
                " KiB)\n%" PRIu64 " thumbnails removed\n",
                swept.removed, swept.emptied, swept.bytes / 1024, thumbs.loose);
    if (st == OCOP_OK && swept.spared)
        fprintf(in->out,
                "%" PRIu64
                " contents kept that none names: this registry was restored, and a device "
                "that has not synced since may name them; `--restored` removes them\n",
                swept.spared);
    if (st == OCOP_OK && swept.failed)
        st = err_set(err, OCOP_EIO, "%" PRIu64 " files could not be removed, see above",
                     swept.failed);
    return st;
}

/* --- what may go, what must stay ----------------------------------------------------------------
 */

static void tell_retained(FILE *out, const struct retained *f, bool dry_run)
{
    fprintf(out,
            "%" PRIu64 " contents %s (%" PRIu64 " KiB); kept: %" PRIu64 " too recent, %" PRIu64
            " in an open case, %" PRIu64 " held, %" PRIu64 " of records that are not here, %" PRIu64
            " that others need\n",
            f->removed, dry_run ? "would go" : "removed", f->bytes / 1024, f->recent, f->in_case,
            f->held, f->dangling, f->shared);
    if (f->more)
        fputs("there are more: run it again\n", out);
}

static enum ocop_status terms_of(const struct invocation *in, struct registry *r,
                                 struct retain_terms *out, struct ocop_error *err)
{
    const char *kind = command_value(in, "--kind"), *officer = command_value(in, "--officer");
    const struct kind *k = kind ? kind_by_name(kind) : NULL;
    uint64_t days;
    *out = (struct retain_terms){.role = command_value(in, "--role"),
                                 .kind = k ? k->number : 0,
                                 .dry_run = command_has(in, "--dry-run"),
                                 .reason = command_value(in, "--reason")};
    enum ocop_status st = command_number(in, "--older-than", 0, 1, 36500, &days, err);
    out->days = (unsigned)days;
    if (st == OCOP_OK && !days)
        st = err_set(err, OCOP_EINVAL, "retain needs --older-than: days");
    if (st == OCOP_OK && kind && !k)
        st = err_set(err, OCOP_EINVAL, "\"%.40s\" is no kind; `ocopd show` lists them", kind);
    if (st == OCOP_OK && !out->dry_run && !(out->reason && *out->reason))
        st = err_set(err, OCOP_EINVAL,
                     "retain needs --reason, which stays in the log; or --dry-run");
    if (st == OCOP_OK && !out->dry_run)
        st = officer ? show_find(r, KIND_OFFICER, officer, &out->officer, err)
                     : case_decider(r, &out->officer, err);
    return st;
}

static enum ocop_status retain(const struct invocation *in, struct registry *r,
                               struct ocop_error *err)
{
    struct server_keys keys;
    struct retain_terms terms;
    struct retained found;

    memset(&keys, 0, sizeof keys);
    enum ocop_status st = terms_of(in, r, &terms, err);
    if (st == OCOP_OK && !terms.dry_run)
        st = command_keys(in, &keys, err);
    if (st == OCOP_OK)
        st = files_retain(r, &keys, &terms, in->out, &found, err);
    if (st == OCOP_OK)
        tell_retained(in->out, &found, terms.dry_run);
    if (st == OCOP_OK && found.left)
        st = err_set(err, OCOP_EIO,
                     "%" PRIu64 " contents could not be removed, see above: `ocopd files sweep`",
                     found.left);
    keys_wipe(&keys);
    return st;
}

static enum ocop_status keep(const struct invocation *in, struct registry *r, const char *reason,
                             struct ocop_error *err)
{
    struct server_keys keys;
    struct id record;
    size_t count;

    if (in->operand_count != 2 || !id_parse(in->operands[1], &record))
        return err_set(err, OCOP_EINVAL, "files %s takes the id of a record", in->operands[0]);
    memset(&keys, 0, sizeof keys);
    enum ocop_status st = command_keys(in, &keys, err);
    if (st == OCOP_OK)
        st = files_hold(r, &keys, &record, reason, &count, err);
    if (st == OCOP_OK)
        fprintf(in->out, "%zu attachments: %s\n", count,
                reason ? "their contents stay until `ocopd files release`" : "not held any more");
    keys_wipe(&keys);
    return st;
}

static enum ocop_status hold(const struct invocation *in, struct registry *r,
                             struct ocop_error *err)
{
    const char *reason = command_value(in, "--reason");
    if (!reason || !*reason)
        return err_set(err, OCOP_EINVAL, "files hold needs --reason, which stays in the log");
    return keep(in, r, reason, err);
}

static enum ocop_status release(const struct invocation *in, struct registry *r,
                                struct ocop_error *err)
{
    return keep(in, r, NULL, err);
}

enum ocop_status command_files(const struct invocation *in, struct ocop_error *err)
{
    static const struct {
        const char *name;
        enum ocop_status (*run)(const struct invocation *in, struct registry *r,
                                struct ocop_error *err);
        size_t operands;
    } acts[] = {{"list", list, 1},
                {"verify", verify, 1},
                {"sweep", sweep, 1},
                {"retain", retain, 1},
                {"hold", hold, 2},
                {"release", release, 2},
                {"thumbnails", thumbnails, 1}};
    const char *name = in->operand_count ? in->operands[0] : "list";
    struct registry *r = NULL;
    for (size_t i = 0; i < sizeof acts / sizeof *acts; i++) {
        if (strcmp(acts[i].name, name) != 0 || in->operand_count > acts[i].operands)
            continue;
        enum ocop_status st = command_open(in, &r, err);
        if (st == OCOP_OK)
            st = acts[i].run(in, r, err);
        registry_close(r);
        return st;
    }
    return err_set(
        err, OCOP_EINVAL,
        "files takes list, verify, sweep, retain, thumbnails, or hold or release and a record");
}
