/* Attachments and where their contents are: as lines, as JSON. What is on its way is told from the
 * folder alone. */
#include "show_files.h"

#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "query.h"
#include "show.h"
#include "text.h"

static const char *const state_names[] = {
    [CONTENT_WHOLE] = "whole", [CONTENT_COMING] = "coming",   [CONTENT_MISSING] = "missing",
    [CONTENT_LOST] = "lost",   [CONTENT_REMOVED] = "removed", [CONTENT_UNREAD] = "unreadable",
};

static enum ocop_status look(struct registry *r, const struct query_file *f,
                             struct content_found *out, struct ocop_error *err)
{
    const struct content_part_of of = content_part_of(f->hash, f->size, &f->by);
    struct content_part p;
    struct stat info;
    bool there;
    enum ocop_status st = content_there(&r->blobs, f->hash, f->size, &there, err);
    out->state = there ? CONTENT_WHOLE : f->lacking_ms ? CONTENT_LOST : CONTENT_MISSING;
    if (st != OCOP_OK || there) {
        out->done = there ? f->size : 0;
        return st;
    }
    st = content_part_open(&r->blobs, &of, false, &p, err);
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

enum ocop_status content_find(struct registry *r, const struct query_file *f,
                              struct content_found *out, struct ocop_error *err)
{
    struct ocop_error why = {0};
    *out = (struct content_found){.state = CONTENT_REMOVED};
    if (f->removed_ms)
        return OCOP_OK;
    enum ocop_status st = look(r, f, out, &why);
    if (content_fails_alone(&r->blobs, f->hash, st)) {
        *out = (struct content_found){.state = CONTENT_UNREAD};
        (void)snprintf(out->why, sizeof out->why, "%.*s", (int)sizeof out->why - 1, why.text);
        return OCOP_OK;
    }
    if (st != OCOP_OK && err)
        *err = why;
    return st;
}

/* "whole, 120 KiB"; "43 of 120 KiB, last tried 05/08/2026 14:03". */
static void show_state(FILE *out, const struct query_file *f, const struct content_found *c)
{
    const uint64_t kib = (f->size + 1023) / 1024;
    switch (c->state) {
    case CONTENT_WHOLE:
        fprintf(out, "whole, %" PRIu64 " KiB", kib);
        break;
    case CONTENT_COMING:
        fprintf(out, "%" PRIu64 " of %" PRIu64 " KiB, last tried ", c->done / 1024, kib);
        show_moment(out, c->tried_ms);
        break;
    case CONTENT_MISSING:
        fprintf(out, "0 of %" PRIu64 " KiB, nothing came yet", kib);
        break;
    case CONTENT_LOST:
        fprintf(out, "0 of %" PRIu64 " KiB, lost here and asked of devices since ", kib);
        show_moment(out, f->lacking_ms);
        break;
    case CONTENT_REMOVED:
        fputs("removed on ", out);
        show_moment(out, f->removed_ms);
        fputs(" by ", out);
        show_str(out, f->removed_by);
        fputs(": ", out);
        show_str(out, f->removed_reason);
        break;
    case CONTENT_UNREAD:
        fprintf(out, "cannot be read, %" PRIu64 " KiB: ", kib);
        show_str(out, c->why);
        break;
    }
    if (*f->hold_reason) {
        fputs(", held: ", out);
        show_str(out, f->hold_reason);
    }
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
    enum ocop_status st = content_find(l->r, f, &c, err);
    if (st != OCOP_OK ||
        (l->what->missing && (c.state == CONTENT_WHOLE || c.state == CONTENT_REMOVED)))
        return st;
    l->count++;
    if (l->what->json)
        file_json(l, f, &c);
    else
        file_line(l, f, &c);
    return OCOP_OK;
}

/* --- by device ----------------------------------------------------------------------------------
 */

/* What one device has still to bring. */
struct owing {
    uint32_t device; /* 0: of an import, say */
    const char *officer;
    uint64_t count, bytes, done;
    int64_t oldest_ms, tried_ms;
};

struct by_device {
    struct registry *r;
    const struct show_files *what;
    struct arena a;
    struct owing *v; /* by the device's number */
    size_t count;
};

static enum ocop_status on_owed(void *self, const struct query_file *f, struct ocop_error *err)
{
    struct by_device *l = self;
    struct content_found c;
    enum ocop_status st = content_find(l->r, f, &c, err);
    if (st != OCOP_OK || c.state == CONTENT_WHOLE || c.state == CONTENT_REMOVED ||
        (l->what->device && f->device != l->what->device))
        return st;
    for (; l->count <= f->device; l->count++) {
        l->v = arena_more(&l->a, l->v, l->count, sizeof *l->v);
        if (!l->v)
            return err_nomem(err);
        l->v[l->count] = (struct owing){.device = (uint32_t)l->count};
    }
    struct owing *o = &l->v[f->device];
    if (!o->officer && !(o->officer = arena_dup(&l->a, f->officer, strlen(f->officer))))
        return err_nomem(err);
    o->count++;
    o->bytes += f->size;
    o->done += c.done;
    if (!o->oldest_ms || f->received_ms < o->oldest_ms)
        o->oldest_ms = f->received_ms;
    if (c.tried_ms > o->tried_ms)
        o->tried_ms = c.tried_ms;
    return OCOP_OK;
}

static int by_age(const void *a, const void *b)
{
    const struct owing *x = a, *y = b;
    return (x->oldest_ms > y->oldest_ms) - (x->oldest_ms < y->oldest_ms);
}

static void owing_line(const struct by_device *l, const struct owing *o, FILE *out)
{
    fprintf(out, "device %" PRIu32 "\t", o->device);
    show_str(out, o->officer);
    fprintf(out, "\t%" PRIu64 " files\t%" PRIu64 " of %" PRIu64 " KiB\tsince ", o->count,
            o->done / 1024, (o->bytes + 1023) / 1024);
    show_moment(out, o->oldest_ms);
    fprintf(out, "\t%" PRId64 " days\t", (env_now_ms(l->r->env) - o->oldest_ms) / 86400000);
    if (o->tried_ms) {
        fputs("last tried ", out);
        show_moment(out, o->tried_ms);
    } else {
        fputs("nothing came yet", out);
    }
    fputc('\n', out);
}

static void owing_json(const struct owing *o, bool first, FILE *out)
{
    fprintf(out, "%s{\"device\":%" PRIu32 ",\"officerName\":", first ? "" : ",\n", o->device);
    show_json_text(out, span_str(o->officer));
    fprintf(out,
            ",\"files\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"done\":%" PRIu64
            ",\"oldestMs\":%" PRId64 ",\"triedMs\":%" PRId64 "}",
            o->count, o->bytes, o->done, o->oldest_ms, o->tried_ms);
}

static enum ocop_status show_by_device(struct registry *r, const struct show_files *what, FILE *out,
                                       struct ocop_error *err)
{
    struct by_device l = {.r = r, .what = what};
    size_t shown = 0;
    arena_init(&l.a, MIB(256));
    enum ocop_status st = query_files(r, what->record, on_owed, &l, err);
    if (st == OCOP_OK && l.count)
        qsort(l.v, l.count, sizeof *l.v, by_age);
    for (size_t i = 0; st == OCOP_OK && i < l.count; i++) {
        if (!l.v[i].count)
            continue;
        if (what->json)
            owing_json(&l.v[i], shown == 0, out);
        else
            owing_line(&l, &l.v[i], out);
        shown++;
    }
    arena_fini(&l.a);
    return st;
}

enum ocop_status show_files(struct registry *r, const struct show_files *what, FILE *out,
                            struct ocop_error *err)
{
    struct files l = {.r = r, .what = what, .out = out};
    if (what->json)
        fputc('[', out);
    enum ocop_status st = what->by_device ? show_by_device(r, what, out, err)
                                          : query_files(r, what->record, on_file, &l, err);
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
