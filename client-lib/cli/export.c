/* export: every record of a kind, or of all kinds, into one file that appears whole or not at all.
 * Knows no kind's fields. */
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "input.h"
#include "output.h"
#include "record_csv.h"

enum { PAGE_RECORDS = 1000 };

struct export
{
    FILE *file; /* stdout, or that of: */
    struct output output;
    struct out page;
    bool csv;
    size_t count; /* records of the kind at hand */
};

/* --- the file -------------------------------------------------------------------------------- */

static enum ocop_status cannot_write(const char *path, struct ocop_error *err)
{
    return command_fail(err, OCOP_EIO, NULL, "%s cannot be written: %m", path);
}

static enum ocop_status open_file(struct export *e, const char *path, struct ocop_error *err)
{
    enum ocop_status st = OCOP_OK;

    if (!path || strcmp(path, "-") == 0) {
        e->file = stdout;
        return OCOP_OK;
    }
    st = output_open(&e->output, path, err);
    e->file = e->output.file;
    return st;
}

static enum ocop_status write_page(struct export *e, struct ocop_error *err)
{
    if (e->page.failed)
        return command_fail(err, OCOP_ENOMEM, NULL, "out of memory");
    if (!out_write(&e->page, e->file))
        return cannot_write("the export", err);
    e->page.len = 0;
    return OCOP_OK;
}

static enum ocop_status close_file(struct export *e, const char *path, enum ocop_status st,
                                   struct ocop_error *err)
{
    if (e->file == stdout && fflush(e->file) != 0 && !st)
        st = cannot_write("the export", err);
    if (e->file != stdout)
        st = output_close(&e->output, path, st, err);
    out_fini(&e->page);
    return st;
}

/* --- records --------------------------------------------------------------------------------- */

static enum ocop_status json_record(struct export *e, const ProtobufCMessage *m,
                                    struct ocop_error *err)
{
    char *json = NULL;
    enum ocop_status st = ocop_to_json(m, false, &json, err);

    if (!st)
        out_printf(&e->page, "%s\n%s", e->count ? "," : "", json);
    ocop_text_free(json);
    return st;
}

static enum ocop_status export_page(struct session *s, struct export *e,
                                    const struct ocop_list *list, struct ocop_error *err)
{
    enum ocop_status st = OCOP_OK;

    for (size_t i = 0; !st && i < list->count; i++) {
        ProtobufCMessage *m = NULL;
        st = ocop_load(s->store, &list->items[i].id, &m, err);
        if (!st)
            st = e->csv ? record_csv_line(m, &e->page, err) : json_record(e, m, err);
        ocop_free(m);
        e->count++;
    }
    return st ? st : write_page(e, err);
}

static enum ocop_status export_kind(struct session *s, struct export *e, const char *kind,
                                    struct ocop_error *err)
{
    struct ocop_query q = {.kind = kind, .voided_too = true, .limit = PAGE_RECORDS};
    enum ocop_status st = OCOP_OK;
    bool more = true;

    e->count = 0;
    while (!st && more) {
        struct ocop_list *list = NULL;
        st = ocop_find(s->store, &q, &list, err);
        if (st)
            break;
        st = export_page(s, e, list, err);
        more = list->more;
        q.offset += PAGE_RECORDS;
        ocop_list_free(list);
    }
    return st;
}

static enum ocop_status export_json(struct session *s, struct export *e, struct ocop_error *err)
{
    bool all = strcmp(s->words[0], "all") == 0;
    enum ocop_status st = OCOP_OK;

    out_str(&e->page, all ? "{" : "[");
    if (!all)
        st = export_kind(s, e, s->words[0], err);
    for (size_t i = 0; all && !st && input_kinds[i]; i++) {
        out_printf(&e->page, "%s\n\"%s\":[", i ? "," : "", input_kinds[i]);
        st = export_kind(s, e, input_kinds[i], err);
        out_str(&e->page, "]");
    }
    out_str(&e->page, all ? "\n}\n" : "\n]\n");
    return st ? st : write_page(e, err);
}

static enum ocop_status export_csv(struct session *s, struct export *e, struct ocop_error *err)
{
    ProtobufCMessage *empty = NULL; /* titles stand where there is no record too */
    enum ocop_status st = ocop_from_json(s->store, s->words[0], NULL, "{}", &empty, err);

    if (!st)
        record_csv_titles(empty->descriptor, &e->page);
    ocop_free(empty);
    return st ? st : export_kind(s, e, s->words[0], err);
}

enum ocop_status export_run(struct session *s, struct ocop_error *err)
{
    const char *path = s->value[OPT_OUTPUT];
    struct export e = {.csv = s->value[OPT_CSV] != NULL};
    enum ocop_status st;

    if (e.csv == (s->value[OPT_JSON] != NULL))
        return command_usage(s, err, "give one of --json and --csv");
    if (e.csv && strcmp(s->words[0], "all") == 0)
        return command_usage(s, err, "a CSV file holds one kind; name it, or use --json");
    st = input_kind(strcmp(s->words[0], "all") == 0 ? NULL : s->words[0], err);
    if (!st)
        st = open_file(&e, path, err);
    if (!st)
        st = e.csv ? export_csv(s, &e, err) : export_json(s, &e, err);
    return close_file(&e, path, st, err);
}
