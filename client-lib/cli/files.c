/* attach, files, fetch: photos, signatures and documents. Knows neither where they lie nor what
 * they hold. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "input.h"
#include "output.h"
#include "table.h"

enum { PART_BYTES = 64 * 1024 };

/* --- attach ---------------------------------------------------------------------------------- */

/* Degrees with at most six decimals, as millionths: exact, which a double would not be. */
static bool degrees(const char **text, int32_t most, int32_t *out)
{
    char *end;
    double v;

    errno = 0;
    v = strtod(*text, &end);
    if (errno || end == *text || !(v >= -most && v <= most))
        return false;
    *out = (int32_t)(v * 1e6 + (v < 0 ? -0.5 : 0.5));
    *text = end;
    return true;
}

static enum ocop_status read_place(struct session *s, struct ocop_attachment *a,
                                   struct ocop_error *err)
{
    const char *text = s->value[OPT_PLACE];

    if (!text)
        return OCOP_OK;
    a->has_place = degrees(&text, 90, &a->lat_e6) && *text++ == ',' &&
                   degrees(&text, 180, &a->lon_e6) && !*text;
    return a->has_place ? OCOP_OK
                        : command_usage(s, err, "\"%s\" is no place such as 12.4489,107.6301",
                                        s->value[OPT_PLACE]);
}

/* Without --role a photo is tried first: the library knows what is an image. */
static enum ocop_status attach(struct session *s, const struct ocop_id *record,
                               struct ocop_attachment *a, struct ocop_id *out,
                               struct ocop_error *err)
{
    enum ocop_status st;

    a->role = s->value[OPT_ROLE] ? s->value[OPT_ROLE] : "photo";
    st = ocop_attach(s->store, record, a, out, err);
    if (st != OCOP_EINVAL || strcmp(err->field, "role") != 0 || s->value[OPT_ROLE] || !a->path)
        return st;
    a->role = "document";
    return ocop_attach(s->store, record, a, out, err);
}

/* *line: behind what was read. False when it is not as it should be. */
static bool read_number(const char **line, int32_t *out)
{
    char *end;
    long v;

    errno = 0;
    v = strtol(*line, &end, 10);
    if (errno || end == *line || v < INT32_MIN || v > INT32_MAX)
        return false;
    *out = (int32_t)v;
    *line = end;
    return true;
}

/* One stroke, of which each point has at least five bytes: `points` has room for that many. */
static bool read_stroke(const char *line, struct ocop_point *points, size_t *count)
{
    for (*count = 0; *line; ++*count) {
        struct ocop_point *p = &points[*count];
        int32_t ms;
        if (!read_number(&line, &p->x) || *line++ != ',' || !read_number(&line, &p->y) ||
            *line++ != ',' || !read_number(&line, &ms) || ms < 0)
            return false;
        p->t_ms = (uint32_t)ms;
        line += strspn(line, " \t\r");
    }
    return true;
}

/* The text is cut into lines; an empty one is no stroke. */
static enum ocop_status read_strokes(struct session *s, char *text, struct ocop_point *points,
                                     struct ocop_stroke *strokes, size_t *count,
                                     struct ocop_error *err)
{
    *count = 0;
    for (char *line = text, *next; line; line = next) {
        next = strchr(line, '\n');
        if (next)
            *next++ = 0;
        line += strspn(line, " \t\r");
        if (!*line)
            continue;
        struct ocop_stroke *stroke = &strokes[(*count)++];
        stroke->points = points;
        if (!read_stroke(line, points, &stroke->count))
            return command_usage(s, err, "\"%.40s\" is no stroke such as 10,20,0 12,25,16", line);
        points += stroke->count;
    }
    return OCOP_OK;
}

static enum ocop_status attach_strokes(struct session *s, const struct ocop_id *record,
                                       struct ocop_attachment *a, struct ocop_id *out,
                                       struct ocop_error *err)
{
    struct out text = {0};
    enum ocop_status st = input_file(a->path ? a->path : "-", &text, err);
    const size_t room = text.len / 2 + 1;
    struct ocop_point *points = st ? NULL : calloc(room, sizeof *points);
    struct ocop_stroke *strokes = st ? NULL : calloc(room, sizeof *strokes);
    struct ocop_strokes all = {strokes, 0};

    if (!st && (!points || !strokes))
        st = command_fail(err, OCOP_ENOMEM, NULL, "out of memory");
    if (!st && points && strokes && *out_text(&text)) /* it has an end now */
        st = read_strokes(s, text.p, points, strokes, &all.count, err);
    a->role = s->value[OPT_ROLE];
    if (!st)
        st = ocop_attach_strokes(s->store, record, &all, a, out, err);
    free(points);
    free(strokes);
    out_fini(&text);
    return st;
}

enum ocop_status file_attach(struct session *s, struct ocop_error *err)
{
    struct ocop_attachment a = {.fd = STDIN_FILENO};
    struct ocop_id record, id;
    char text[OCOP_ID_TEXT_LEN + 1];
    enum ocop_status st = input_record(s->store, NULL, s->words[0], &record, err);

    a.path = strcmp(s->words[1], "-") == 0 ? NULL : s->words[1];
    a.name = s->value[OPT_NAME];
    a.caption = s->value[OPT_CAPTION];
    if (!a.path && !s->value[OPT_ROLE] && !s->value[OPT_STROKES])
        return command_usage(s, err, "say with --role what stdin is");
    if (!st)
        st = read_place(s, &a, err);
    if (!st)
        st = s->value[OPT_STROKES] ? attach_strokes(s, &record, &a, &id, err)
                                   : attach(s, &record, &a, &id, err);
    if (!st)
        out_printf(&s->out, "%s\n", ocop_id_text(id, text));
    return st;
}

/* --- files ----------------------------------------------------------------------------------- */

static const char *const state_names[] = {
    [OCOP_FILE_DRAFT] = "draft",       [OCOP_FILE_WAITING] = "waiting",
    [OCOP_FILE_STORED] = "stored",     [OCOP_FILE_ABSENT] = "absent",
    [OCOP_FILE_FETCHING] = "fetching", [OCOP_FILE_REMOVED] = "removed"};

enum { CELLS = 10 };
static const char *const titles[CELLS] = {"id",   "record_id", "role",  "media_type", "size",
                                          "name", "caption",   "state", "done",       "text"};

/* The cells of a line, in the order of `titles`; the texts they need are in `room`. */
struct line {
    char id[OCOP_ID_TEXT_LEN + 1], record[OCOP_ID_TEXT_LEN + 1], size[24], done[24];
    const char *cells[CELLS];
};

static void line_fill(const struct ocop_file *f, struct line *l)
{
    (void)snprintf(l->size, sizeof l->size, "%" PRIu64, f->size);
    (void)snprintf(l->done, sizeof l->done, "%" PRIu64, f->done);
    const char *cells[CELLS] = {ocop_id_text(f->id, l->id),
                                ocop_id_text(f->record, l->record),
                                f->role,
                                f->media_type,
                                l->size,
                                f->name,
                                f->caption,
                                state_names[f->state],
                                l->done,
                                f->text};
    memcpy(l->cells, cells, sizeof cells);
}

static void print_json(const struct ocop_file_list *list, struct out *o)
{
    struct line l;

    out_str(o, "[");
    for (size_t i = 0; i < list->count; i++) {
        line_fill(&list->files[i], &l);
        out_str(o, i ? ",\n {" : "\n {");
        for (size_t c = 0; c < CELLS; c++) {
            out_printf(o, "%s\"%s\": ", c ? ", " : "", titles[c]);
            if (l.cells[c] == l.size || l.cells[c] == l.done)
                out_str(o, l.cells[c]);
            else
                out_json(o, l.cells[c]);
        }
        out_str(o, "}");
    }
    out_str(o, list->count ? "\n]\n" : "]\n");
}

static void print_csv(const struct ocop_file_list *list, struct out *o)
{
    struct line l;

    for (size_t c = 0; c < CELLS; c++)
        out_printf(o, "%s%s", c ? "," : "", titles[c]);
    out_str(o, "\r\n");
    for (size_t i = 0; i < list->count; i++) {
        line_fill(&list->files[i], &l);
        for (size_t c = 0; c < CELLS; c++) {
            out_str(o, c ? "," : "");
            out_csv(o, l.cells[c], l.cells[c] != l.size && l.cells[c] != l.done);
        }
        out_str(o, "\r\n");
    }
}

static void print_table(const struct ocop_file_list *list, struct out *o)
{
    struct table t = {.columns = 5};
    struct line l;

    for (size_t i = 0; i < list->count; i++) {
        const struct ocop_file *f = &list->files[i];
        line_fill(f, &l);
        table_row(&t, (const char *const[]){l.id, f->role, f->media_type,
                                            *f->caption ? f->caption : f->name, f->text});
    }
    table_print(&t, 0, o);
    table_fini(&t);
}

enum ocop_status file_list(struct session *s, struct ocop_error *err)
{
    struct ocop_file_list *list = NULL;
    struct ocop_id record;
    unsigned removed = 0;
    int keep;
    enum ocop_status st = input_number(s, OPT_KEEP, 0, 1 << 30, 0, &keep, err);

    if (!st && s->value[OPT_SWEEP])
        st = ocop_files_sweep(s->store, &removed, err);
    if (removed)
        command_note("%u files removed that no record names", removed);
    if (!st && s->value[OPT_KEEP])
        st = ocop_files_keep(s->store, (uint64_t)keep << 20, &removed, err);
    if (!st && s->value[OPT_KEEP])
        command_note("%u files let go", removed);
    if (!st && s->word_count)
        st = input_record(s->store, NULL, s->words[0], &record, err);
    if (!st)
        st = ocop_files(s->store, s->word_count ? &record : NULL, &list, err);
    if (st)
        return st;
    if (s->value[OPT_JSON])
        print_json(list, &s->out);
    else if (s->value[OPT_CSV])
        print_csv(list, &s->out);
    else
        print_table(list, &s->out);
    if (list->more)
        command_note("there are more");
    ocop_file_list_free(list);
    return OCOP_OK;
}

/* --- images ---------------------------------------------------------------------------------- */

enum ocop_status file_images(struct session *s, struct ocop_error *err)
{
    struct ocop_image_settings how;
    int side, quality;
    enum ocop_status st = input_number(s, OPT_SIDE, 0, OCOP_IMAGE_SIDE_MAX, 0, &side, err);

    if (!st)
        st = input_number(s, OPT_QUALITY, OCOP_IMAGE_QUALITY_MIN, OCOP_IMAGE_QUALITY_MAX,
                          OCOP_IMAGE_QUALITY_DEFAULT, &quality, err);
    if (!st && (s->value[OPT_SIDE] || s->value[OPT_QUALITY] || s->value[OPT_STRIP] ||
                s->value[OPT_ORIGINALS])) {
        how = (struct ocop_image_settings){(uint32_t)side, (uint32_t)quality,
                                           s->value[OPT_STRIP] != NULL,
                                           s->value[OPT_ORIGINALS] != NULL};
        st = ocop_set_image_settings(s->store, &how, err);
    }
    if (!st)
        st = ocop_get_image_settings(s->store, &how, err);
    if (st)
        return st;
    if (how.side_max == 0)
        out_str(&s->out, "photos are kept as they come");
    else
        out_printf(&s->out, "photos are scaled down to %" PRIu32 " pixels, quality %" PRIu32 "%s",
                   how.side_max, how.quality,
                   how.keep_original ? "; the originals are attached besides" : "");
    out_printf(&s->out, "%s\n", how.strip ? "; time and place are left out of all images" : "");
    return OCOP_OK;
}

/* --- fetch ----------------------------------------------------------------------------------- */

static enum ocop_status write_thumbnail(struct session *s, const struct ocop_id *id, FILE *f,
                                        const char *path, struct ocop_error *err)
{
    uint8_t image[OCOP_THUMBNAIL_BYTES_MAX];
    size_t len;
    enum ocop_status st = ocop_thumbnail_read(s->store, id, image, &len, err);

    if (!st && (fwrite(image, 1, len, f) != len || fflush(f) != 0))
        st = command_fail(err, OCOP_EIO, NULL, "%s cannot be written: %m", path);
    return st;
}

static enum ocop_status write_file(struct session *s, const struct ocop_id *id, FILE *f,
                                   const char *path, struct ocop_error *err)
{
    char *part = malloc(PART_BYTES);
    uint64_t at = 0;
    size_t got = PART_BYTES;
    enum ocop_status st = part ? OCOP_OK : command_fail(err, OCOP_ENOMEM, NULL, "out of memory");

    while (!st && got == PART_BYTES) {
        st = ocop_file_read(s->store, id, at, part, PART_BYTES, &got, err);
        if (!st && fwrite(part, 1, got, f) != got)
            st = command_fail(err, OCOP_EIO, NULL, "%s cannot be written: %m", path);
        at += got;
    }
    if (!st && fflush(f) != 0)
        st = command_fail(err, OCOP_EIO, NULL, "%s cannot be written: %m", path);
    free(part);
    return st;
}

static enum ocop_status write_to(struct session *s, const struct ocop_id *id, const char *path,
                                 struct ocop_error *err)
{
    struct output o;
    enum ocop_status st = output_open(&o, path, err);

    if (!st)
        st = s->value[OPT_THUMBNAIL] ? write_thumbnail(s, id, o.file, path, err)
                                     : write_file(s, id, o.file, path, err);
    return output_close(&o, path, st, err);
}

/* What is not here is asked for, and nothing else of files travels with it. */
static enum ocop_status bring(struct session *s, const struct ocop_id *id, struct ocop_error *err)
{
    struct ocop_sync_options options = {.files_of = id};
    struct ocop_sync_summary sum;
    char byte;
    size_t got;
    enum ocop_status st = ocop_file_read(s->store, id, 0, &byte, 1, &got, err);

    if (st != OCOP_ENOTFOUND)
        return st;
    st = ocop_fetch(s->store, id, err);
    if (!st)
        st = ocop_sync(s->store, &options, &sum, err);
    if (!st && sum.files_received == 0)
        st = command_fail(err, OCOP_ENOTFOUND, NULL,
                          "the registry does not have the file yet, or not for this device");
    return st;
}

static enum ocop_status bring_thumbnail(struct session *s, const struct ocop_id *id,
                                        struct ocop_error *err)
{
    struct ocop_sync_options options = {.files_of = id};
    struct ocop_sync_summary sum;
    uint8_t image[OCOP_THUMBNAIL_BYTES_MAX];
    size_t len;
    unsigned wanted;
    enum ocop_status st = ocop_thumbnail_read(s->store, id, image, &len, err);

    if (st != OCOP_ENOTFOUND)
        return st;
    st = ocop_fetch_thumbnails(s->store, id, &wanted, err);
    if (!st && !wanted)
        st = command_fail(err, OCOP_ENOTFOUND, NULL, "only a JPEG or PNG has a thumbnail");
    return st ? st : ocop_sync(s->store, &options, &sum, err);
}

enum ocop_status file_fetch(struct session *s, struct ocop_error *err)
{
    const char *path = s->value[OPT_OUTPUT];
    struct ocop_id id;
    enum ocop_status st = input_record(s->store, "attachment", s->words[0], &id, err);

    if (!st && !(path && strcmp(path, "-") != 0) && isatty(STDOUT_FILENO))
        return command_usage(s, err, "a file is not for a terminal; give --output FILE");
    if (!st)
        st = s->value[OPT_THUMBNAIL] ? bring_thumbnail(s, &id, err) : bring(s, &id, err);
    if (st)
        return st;
    if (path && strcmp(path, "-") != 0)
        return write_to(s, &id, path, err);
    return s->value[OPT_THUMBNAIL] ? write_thumbnail(s, &id, stdout, "stdout", err)
                                   : write_file(s, &id, stdout, "stdout", err);
}
