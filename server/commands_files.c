/* files: what is attached, what is missing, and what nobody needs any more. */
#include <inttypes.h>

#include "command.h"
#include "show_files.h"
#include "thumbs_all.h"

static enum ocop_status list(const struct invocation *in, struct registry *r,
                             struct ocop_error *err)
{
    struct show_files what = {.missing = command_has(in, "--missing"),
                              .json = command_has(in, "--json")};
    uint64_t device;
    enum ocop_status st = command_number(in, "--device", 0, 1, UINT32_MAX, &device, err);
    what.device = (uint32_t)device;
    return st != OCOP_OK ? st : show_files(r, &what, in->out, err);
}

static enum ocop_status verify(const struct invocation *in, struct registry *r,
                               struct ocop_error *err)
{
    struct files_found found;
    struct thumbs_found thumbs;
    enum ocop_status st = files_verify(r, in->out, &found, err);
    if (st != OCOP_OK)
        return st;
    fprintf(in->out,
            "%" PRIu64 " attachments read: %" PRIu64 " missing, %" PRIu64 " damaged; %" PRIu64
            " contents orphaned\n",
            found.read, found.missing, found.damaged, found.orphaned);
    st = thumbs_verify(r, false, &thumbs, err);
    if (st != OCOP_OK)
        return st;
    fprintf(in->out, "%" PRIu64 " thumbnails, %" PRIu64 " of them of files that are not here\n",
            thumbs.there + thumbs.loose, thumbs.loose);
    return found.damaged
               ? err_set(err, OCOP_EDAMAGED, "%" PRIu64 " contents are not what their devices sent",
                         found.damaged)
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
    struct files_found found = {0};
    struct thumbs_found thumbs = {0};
    enum ocop_status st = registry_begin(r, err);
    if (st != OCOP_OK)
        return st;
    st = files_sweep(r, in->out, &found, err);
    if (st == OCOP_OK)
        st = thumbs_verify(r, true, &thumbs, err);
    registry_rollback(r); /* nothing was written but files */
    if (st == OCOP_OK)
        fprintf(in->out, "%" PRIu64 " contents removed\n%" PRIu64 " thumbnails removed\n",
                found.orphaned, thumbs.loose);
    return st;
}

enum ocop_status command_files(const struct invocation *in, struct ocop_error *err)
{
    static const struct {
        const char *name;
        enum ocop_status (*run)(const struct invocation *in, struct registry *r,
                                struct ocop_error *err);
    } acts[] = {{"list", list}, {"verify", verify}, {"sweep", sweep}, {"thumbnails", thumbnails}};
    const char *name = in->operand_count ? in->operands[0] : "list";
    struct registry *r = NULL;
    for (size_t i = 0; i < sizeof acts / sizeof *acts; i++) {
        if (strcmp(acts[i].name, name) != 0)
            continue;
        enum ocop_status st = command_open(in, &r, err);
        if (st == OCOP_OK)
            st = acts[i].run(in, r, err);
        registry_close(r);
        return st;
    }
    return err_set(err, OCOP_EINVAL, "files takes list, verify, sweep or thumbnails");
}
