/* Attachments and where their contents are: as lines, as JSON; all read and held against what names
 * them. What is on its way is told from the folder alone. */
#include "show_files.h"

#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "query.h"
#include "show.h"
#include "text.h"

static const char *const state_names[] = {"whole", "coming", "missing"};

enum ocop_status content_find(struct registry *r, const uint8_t hash[FILE_HASH_LEN], uint64_t size,
                              struct content_found *out, struct ocop_error *err)
{
    struct content_part p;
    struct stat info;
    bool there;
    enum ocop_status st = content_there(&r->blobs, hash, size, &there, err);
    *out = (struct content_found){.state = there ? CONTENT_WHOLE : CONTENT_MISSING};
    if (st != OCOP_OK || there) {
        out->done = there ? size : 0;
        return st;
    }
    st = content_part_open(&r->blobs, hash, size, false, &p, err);
    if (st == OCOP_ENOTFOUND || st == OCOP_EINVAL)
        return OCOP_OK;
    if (st == OCOP_OK) {
        out->state = CONTENT_COMING;
        out->done = content_part_bytes(&p);
        if (stat(p.path, &info) == 0)
            out->tried_ms = (int64_t)info.st_mtim.tv_sec * 1000;
    }
    content_part_close(&p);
    return st;
}

/* "whole, 120 KiB"; "43 of 120 KiB, last tried 05/08/2026 14:03". */
static void show_state(FILE *out, const struct query_file *f, const struct content_found *c)
{
    const uint64_t kib = (f->size + 1023) / 1024;
    if (c->state == CONTENT_WHOLE)
        fprintf(out, "whole, %" PRIu64 " KiB", kib);
    else if (c->state == CONTENT_MISSING)
        fprintf(out, "0 of %" PRIu64 " KiB, nothing came yet", kib);
    else
        fprintf(out, "%" PRIu64 " of %" PRIu64 " KiB, last tried ", c->done / 1024, kib);
    if (c->state == CONTENT_COMING)
        show_moment(out, c->tried_ms);
}

struct files {
    struct registry *r;
    const struct show_files *what;
    FILE *out;
    size_t count;
    bool brief; /* below a record */
};

static void file_line(const struct files *l, const struct query_file *f,
                      const struct content_found *c)
{
    char id[ID_TEXT_LEN + 1];
    if (l->brief) {
        fprintf(l->out, "  attached %s: ", id_text(f->id, id));
        show_str(l->out, f->role);
        fprintf(l->out, ", ");
        show_str(l->out, *f->caption ? f->caption : f->media_type);
        fputs(": ", l->out);
        show_state(l->out, f, c);
        fputc('\n', l->out);
        return;
    }
    fprintf(l->out, "%s\t", id_text(f->id, id));
    fprintf(l->out, "%s\t", id_text(f->record, id));
    show_str(l->out, f->role);
    fputc('\t', l->out);
    show_str(l->out, f->media_type);
    fprintf(l->out, "\tdevice %" PRIu32 "\t", f->device);
    show_str(l->out, f->officer);
    fputc('\t', l->out);
    show_moment(l->out, f->received_ms);
    fprintf(l->out, "\t%" PRId64 " days\t", (env_now_ms(l->r->env) - f->received_ms) / 86400000);
    show_state(l->out, f, c);
    fputc('\n', l->out);
}

static void file_json(const struct files *l, const struct query_file *f,
                      const struct content_found *c)
{
    char id[ID_TEXT_LEN + 1], hash[CONTENT_NAME_LEN + 1];
    fprintf(l->out, "%s{\"id\":\"%s\"", l->count > 1 ? ",\n" : "", id_text(f->id, id));
    fprintf(l->out, ",\"recordId\":\"%s\",\"role\":", id_text(f->record, id));
    show_json_text(l->out, span_str(f->role));
    fputs(",\"mediaType\":", l->out);
    show_json_text(l->out, span_str(f->media_type));
    fputs(",\"caption\":", l->out);
    show_json_text(l->out, span_str(f->caption));
    fputs(",\"officerName\":", l->out);
    show_json_text(l->out, span_str(f->officer));
    fprintf(l->out,
            ",\"device\":%" PRIu32 ",\"receivedMs\":%" PRId64 ",\"size\":%" PRIu64
            ",\"hash\":\"%s\",\"state\":\"%s\",\"done\":%" PRIu64 ",\"triedMs\":%" PRId64 "}",
            f->device, f->received_ms, f->size, content_name(f->hash, hash), state_names[c->state],
            c->done, c->tried_ms);
}

static enum ocop_status on_file(void *self, const struct query_file *f, struct ocop_error *err)
{
    struct files *l = self;
    struct content_found c;
    if (l->what->device && f->device != l->what->device)
        return OCOP_OK;
    enum ocop_status st = content_find(l->r, f->hash, f->size, &c, err);
    if (st != OCOP_OK || (l->what->missing && c.state == CONTENT_WHOLE))
        return st;
    l->count++;
    if (l->what->json)
        file_json(l, f, &c);
    else
        file_line(l, f, &c);
    return OCOP_OK;
}

enum ocop_status show_files(struct registry *r, const struct show_files *what, FILE *out,
                            struct ocop_error *err)
{
    struct files l = {.r = r, .what = what, .out = out};
    if (what->json)
        fputc('[', out);
    enum ocop_status st = query_files(r, NULL, on_file, &l, err);
    if (what->json)
        fputs("]\n", out);
    return st;
}

enum ocop_status show_attached(struct registry *r, const struct id *record, FILE *out,
                               struct ocop_error *err)
{
    const struct show_files all = {.missing = false};
    struct files l = {.r = r, .what = &all, .out = out, .brief = true};
    return query_files(r, record, on_file, &l, err);
}

/* --- all of them read ------------------------------------------------------------------------- */

struct reading {
    struct registry *r;
    FILE *out;
    struct files_found *found;
    bool remove;
};

/* Each content once: the rows come by hash. */
static enum ocop_status read_one(void *self, const struct query_file *f, struct ocop_error *err)
{
    struct reading *v = self;
    char id[ID_TEXT_LEN + 1];
    struct ocop_error why = {0};
    enum ocop_status st = content_check(&v->r->blobs, f->hash, f->size, &why);
    v->found->read++;
    if (st != OCOP_ENOTFOUND && st != OCOP_EDAMAGED) {
        if (st != OCOP_OK && err)
            *err = why;
        return st;
    }
    v->found->missing += st == OCOP_ENOTFOUND;
    v->found->damaged += st == OCOP_EDAMAGED;
    fprintf(v->out, "%s\tattachment %s\tdevice %" PRIu32 "\t",
            st == OCOP_ENOTFOUND ? "missing" : "damaged", id_text(f->id, id), f->device);
    show_str(v->out, f->officer);
    fputs(st == OCOP_ENOTFOUND ? "\tits device has not brought it yet\n"
                               : "\tput it back from a backup\n",
          v->out);
    return OCOP_OK;
}

static enum ocop_status orphan(void *self, const uint8_t hash[FILE_HASH_LEN],
                               struct ocop_error *err)
{
    struct reading *v = self;
    char name[CONTENT_NAME_LEN + 1];
    bool named;
    enum ocop_status st = query_file_named(v->r, hash, &named, err);
    if (st != OCOP_OK || named)
        return st;
    v->found->orphaned++;
    fprintf(v->out, "%s\t%s\tno attachment names it\n", v->remove ? "removed" : "orphaned",
            content_name(hash, name));
    return v->remove ? content_remove(&v->r->blobs, hash, err) : OCOP_OK;
}

enum ocop_status files_verify(struct registry *r, FILE *out, struct files_found *found,
                              struct ocop_error *err)
{
    struct reading v = {.r = r, .out = out, .found = found};
    *found = (struct files_found){0};
    enum ocop_status st = query_files(r, NULL, read_one, &v, err);
    return st != OCOP_OK ? st : content_each(&r->blobs, orphan, &v, err);
}

enum ocop_status files_sweep(struct registry *r, FILE *out, struct files_found *found,
                             struct ocop_error *err)
{
    struct reading v = {.r = r, .out = out, .found = found, .remove = true};
    *found = (struct files_found){0};
    return content_each(&r->blobs, orphan, &v, err);
}
