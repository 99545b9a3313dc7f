/* Decoding, averaging and encoding, a row at a time. Of a large photo libjpeg decodes no more than
 * the eighth, quarter or half that is needed. What it finds strange, however little, ends it: half
 * of a picture under the name of the whole would be no evidence. Knows no file. */
#include "picture.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

/* jpeglib.h needs stdio.h before it. */
#include <jerror.h>
#include <jpeglib.h>

#include "exif.h"

enum {
    SEGMENT_MAX = 65533,          /* bytes in one of a JPEG's segments */
    OUT_BYTES = 16 * 1024,        /* put at once */
    DECODER_MEMORY_MAX = 10 << 20 /* for pictures that cannot be decoded row by row */
};

struct job {
    jmp_buf failed;
    const struct picture_in *in;
    const struct picture_rows *rows; /* NULL: it is a JPEG, out of `in` */
    const struct picture_out *out;
    const struct picture_want *want;
    struct picture_done *done;
    struct ocop_error *err;
    enum ocop_status status; /* of `in` and `out` */
    struct jpeg_decompress_struct from;
    struct jpeg_compress_struct to;
    struct jpeg_error_mgr errors;
    struct jpeg_source_mgr source;
    struct jpeg_destination_mgr sink;
    struct jpeg_progress_mgr progress;
    struct exif exif;
    bool exif_known;
    size_t icc_len; /* of the profile of its colours; 0: none */
    uint8_t icc[SEGMENT_MAX], segment[SEGMENT_MAX];
    uint8_t room[OUT_BYTES];
    /* What was decoded of it. */
    unsigned from_width, from_height, parts; /* parts: numbers a pixel has */
    J_COLOR_SPACE colours;
    /* The picture to be made. */
    unsigned width, height;
    uint8_t *row, *line; /* a row as decoded; as made */
    uint32_t *sums;      /* of the row that is being made */
    unsigned filled;     /* how much of it there is, in parts of the decoded height */
};

/* --- ends ------------------------------------------------------------------------------------ */

static _Noreturn void odd(struct job *j, const char *why)
{
    (void)snprintf(j->done->why, sizeof j->done->why, "%s", why);
    longjmp(j->failed, 1);
}

static _Noreturn void on_error(j_common_ptr c)
{
    struct job *j = c->client_data;

    if (c->err->msg_code == JERR_OUT_OF_MEMORY) {
        j->status = err_nomem(j->err);
        longjmp(j->failed, 1);
    }
    if (c->err->msg_code == JERR_NO_BACKING_STORE)
        odd(j, "it cannot be decoded in as little memory as it may take");
    c->err->format_message(c, (char *)j->segment);
    odd(j, (const char *)j->segment);
}

static void on_message(j_common_ptr c, int level)
{
    if (level < 0)
        on_error(c);
}

static void on_progress(j_common_ptr c)
{
    struct job *j = c->client_data;

    if (j->from.input_scan_number > PICTURE_SCANS_MAX)
        odd(j, "it has more scans than any picture needs");
}

/* --- from where ------------------------------------------------------------------------------ */

static void nothing_yet(j_decompress_ptr d)
{
    (void)d;
}

static boolean more(j_decompress_ptr d)
{
    struct job *j = d->client_data;
    struct span part = {NULL, 0};

    j->status = j->in->next(j->in->self, &part, j->err);
    if (j->status)
        longjmp(j->failed, 1);
    if (part.len == 0)
        odd(j, "it ends before the picture does");
    d->src->next_input_byte = part.p;
    d->src->bytes_in_buffer = part.len;
    return TRUE;
}

static void skip(j_decompress_ptr d, long count)
{
    while (count > 0 && (size_t)count > d->src->bytes_in_buffer) {
        count -= (long)d->src->bytes_in_buffer;
        (void)more(d);
    }
    if (count > 0) {
        d->src->next_input_byte += count;
        d->src->bytes_in_buffer -= (size_t)count;
    }
}

static unsigned next_byte(j_decompress_ptr d)
{
    if (d->src->bytes_in_buffer == 0)
        (void)more(d);
    d->src->bytes_in_buffer--;
    return *d->src->next_input_byte++;
}

/* All of a segment, into j->segment. */
static size_t read_segment(j_decompress_ptr d)
{
    struct job *j = d->client_data;
    size_t len = next_byte(d) << 8;

    len |= next_byte(d);
    if (len < 2)
        odd(j, "a segment of it has no length");
    len -= 2;
    for (size_t i = 0; i < len; i++)
        j->segment[i] = (uint8_t)next_byte(d);
    return len;
}

static boolean on_exif(j_decompress_ptr d)
{
    struct job *j = d->client_data;
    size_t len = read_segment(d);

    if (!j->exif_known) /* the first one counts, as it does elsewhere */
        j->exif_known = exif_read(span_of(j->segment, len), &j->exif);
    return TRUE;
}

/* Without it colours would be others than its camera meant. */
static boolean on_icc(j_decompress_ptr d)
{
    static const char label[] = "ICC_PROFILE";
    struct job *j = d->client_data;
    size_t len = read_segment(d);

    if (len < sizeof label + 2 || memcmp(j->segment, label, sizeof label) != 0)
        return TRUE;
    if (j->icc_len || j->segment[sizeof label + 1] != 1)
        odd(j, "the profile of its colours has several parts");
    memcpy(j->icc, j->segment, len);
    j->icc_len = len;
    return TRUE;
}

/* --- where to -------------------------------------------------------------------------------- */

static void put(struct job *j, size_t len)
{
    j->status = j->out->put(j->out->self, span_of(j->room, len), j->err);
    if (j->status)
        longjmp(j->failed, 1);
    j->sink.next_output_byte = j->room;
    j->sink.free_in_buffer = sizeof j->room;
}

static void sink_begin(j_compress_ptr c)
{
    struct job *j = c->client_data;

    j->sink.next_output_byte = j->room;
    j->sink.free_in_buffer = sizeof j->room;
}

static boolean sink_full(j_compress_ptr c)
{
    put(c->client_data, OUT_BYTES);
    return TRUE;
}

static void sink_end(j_compress_ptr c)
{
    struct job *j = c->client_data;

    if (j->sink.free_in_buffer < sizeof j->room)
        put(j, sizeof j->room - j->sink.free_in_buffer);
}

/* --- the picture ----------------------------------------------------------------------------- */

static void report_to(struct job *j)
{
    j->from.err = j->to.err = jpeg_std_error(&j->errors);
    j->from.client_data = j->to.client_data = j;
    j->errors.error_exit = on_error;
    j->errors.emit_message = on_message;
}

static void look(struct job *j)
{
    struct jpeg_decompress_struct *d = &j->from;

    jpeg_create_decompress(d);
    j->source = (struct jpeg_source_mgr){.init_source = nothing_yet,
                                         .fill_input_buffer = more,
                                         .skip_input_data = skip,
                                         .resync_to_restart = jpeg_resync_to_restart,
                                         .term_source = nothing_yet};
    d->src = &j->source;
    j->progress.progress_monitor = on_progress;
    d->progress = &j->progress;
    d->mem->max_memory_to_use = DECODER_MEMORY_MAX;
    jpeg_set_marker_processor(d, JPEG_APP0 + 1, on_exif);
    jpeg_set_marker_processor(d, JPEG_APP0 + 2, on_icc);
    (void)jpeg_read_header(d, TRUE);
}

/* How large the picture will be. */
static void plan(struct job *j, unsigned w, unsigned h)
{
    const unsigned longest = w > h ? w : h, shortest = w > h ? h : w;
    unsigned side = j->want->side_max < longest ? j->want->side_max : longest;
    unsigned other = (unsigned)(((uint64_t)shortest * side + longest / 2) / longest);

    if ((uint64_t)w * h > PICTURE_PIXELS_MAX)
        odd(j, "it has more pixels than any camera makes");
    other = other ? other : 1;
    j->width = w > h ? side : other;
    j->height = w > h ? other : side;
}

/* Of a JPEG as little is decoded as has enough pixels. */
static void begin_from(struct job *j)
{
    struct jpeg_decompress_struct *d = &j->from;
    const unsigned longest = d->image_width > d->image_height ? d->image_width : d->image_height;
    const unsigned side = j->width > j->height ? j->width : j->height;

    d->scale_denom = 8;
    for (d->scale_num = 8; d->scale_num > 1 && longest * (d->scale_num / 2) / 8 >= side;)
        d->scale_num /= 2;
    d->dct_method = JDCT_ISLOW; /* the same everywhere */
    switch (d->jpeg_color_space) {
    case JCS_GRAYSCALE:
    case JCS_YCbCr:
    case JCS_RGB:
        d->out_color_space = d->jpeg_color_space;
        break;
    default:
        odd(j, "its colours are those of print");
    }
    (void)jpeg_start_decompress(d);
    j->from_width = d->output_width;
    j->from_height = d->output_height;
    j->parts = (unsigned)d->output_components;
    j->colours = d->out_color_space;
}

static void begin_rows(struct job *j)
{
    j->from_width = j->rows->width;
    j->from_height = j->rows->height;
    j->parts = j->rows->parts;
    j->colours = j->parts == 1 ? JCS_GRAYSCALE : JCS_RGB;
}

static void read_row(struct job *j)
{
    if (!j->rows) {
        (void)jpeg_read_scanlines(&j->from, (JSAMPARRAY)&j->row, 1);
        return;
    }
    j->status = j->rows->next(j->rows->self, j->row, j->err);
    if (j->status)
        longjmp(j->failed, 1);
}

static void begin_to(struct job *j)
{
    struct jpeg_compress_struct *c = &j->to;
    uint8_t exif[EXIF_WRITTEN_MAX];
    size_t len = exif_write(&j->exif, j->want->bare, exif);

    jpeg_create_compress(c);
    j->sink = (struct jpeg_destination_mgr){.init_destination = sink_begin,
                                            .empty_output_buffer = sink_full,
                                            .term_destination = sink_end};
    c->dest = &j->sink;
    c->image_width = j->width;
    c->image_height = j->height;
    c->input_components = (int)j->parts;
    c->in_color_space = j->colours;
    jpeg_set_defaults(c);
    jpeg_set_quality(c, (int)j->want->quality, TRUE);
    c->dct_method = JDCT_ISLOW;
    jpeg_start_compress(c, TRUE);
    if (len)
        jpeg_write_marker(c, JPEG_APP0 + 1, exif, (unsigned)len);
    if (j->icc_len && !j->want->no_profile)
        jpeg_write_marker(c, JPEG_APP0 + 2, j->icc, (unsigned)j->icc_len);
}

/* Each number of j->line is the mean of what it covers in j->row: all in whole numbers, in which
 * the one is as many units wide as the other has pixels. No sum passes 255 times 65,500. */
static void narrow(struct job *j)
{
    const unsigned from = j->from_width, parts = j->parts;
    const uint8_t *in = j->row;
    uint8_t *out = j->line;
    uint32_t sum[4] = {0};
    unsigned filled = 0;

    for (unsigned x = 0; x < from; x++, in += parts) {
        for (unsigned left = j->width; left > 0;) {
            unsigned take = left < from - filled ? left : from - filled;
            for (unsigned p = 0; p < parts; p++)
                sum[p] += take * in[p];
            left -= take;
            filled += take;
            if (filled < from)
                continue;
            for (unsigned p = 0; p < parts; p++) {
                *out++ = (uint8_t)((sum[p] + from / 2) / from);
                sum[p] = 0;
            }
            filled = 0;
        }
    }
}

/* The same downwards; a row goes out as soon as it is whole. */
static void lower(struct job *j)
{
    const unsigned from = j->from_height, count = j->width * j->parts;

    for (unsigned left = j->height; left > 0;) {
        unsigned take = left < from - j->filled ? left : from - j->filled;
        for (unsigned i = 0; i < count; i++)
            j->sums[i] += take * j->line[i];
        left -= take;
        j->filled += take;
        if (j->filled < from)
            continue;
        for (unsigned i = 0; i < count; i++)
            j->row[i] = (uint8_t)((j->sums[i] + from / 2) / from);
        memset(j->sums, 0, count * sizeof *j->sums);
        j->filled = 0;
        (void)jpeg_write_scanlines(&j->to, (JSAMPARRAY)&j->row, 1);
    }
}

static void make(struct job *j)
{
    if (j->rows)
        begin_rows(j);
    else
        begin_from(j);
    if (j->parts > 4 || j->from_width < j->width || j->from_height < j->height)
        odd(j, "it has a form that no picture has");
    j->row = malloc((size_t)j->from_width * j->parts);
    j->line = malloc((size_t)j->width * j->parts);
    j->sums = calloc((size_t)j->width * j->parts, sizeof *j->sums);
    if (!j->row || !j->line || !j->sums) {
        j->status = err_nomem(j->err);
        longjmp(j->failed, 1);
    }
    begin_to(j);
    for (unsigned y = 0; y < j->from_height; y++) {
        read_row(j);
        narrow(j);
        lower(j);
    }
    jpeg_finish_compress(&j->to);
}

/* What the jump goes back to holds nothing of its own. */
static void run(struct job *j)
{
    if (setjmp(j->failed) != 0)
        return;
    report_to(j);
    if (j->rows) {
        plan(j, j->rows->width, j->rows->height);
    } else {
        look(j);
        plan(j, j->from.image_width, j->from.image_height);
        j->done->state = PICTURE_FITS;
        if (!j->want->bare && j->width == j->from.image_width && j->height == j->from.image_height)
            return;
        j->done->state = PICTURE_ODD;
    }
    make(j);
    j->done->state = PICTURE_MADE;
    j->done->width = j->width;
    j->done->height = j->height;
}

/* Of a JPEG out of `in`, or of `rows`. */
static enum ocop_status scale(const struct picture_in *in, const struct picture_rows *rows,
                              const struct picture_out *out, const struct picture_want *want,
                              struct picture_done *done, struct ocop_error *err)
{
    struct job *j = calloc(1, sizeof *j);
    enum ocop_status st;

    *done = (struct picture_done){.state = PICTURE_ODD};
    if (!j)
        return err_nomem(err);
    j->in = in;
    j->rows = rows;
    j->out = out;
    j->want = want;
    j->done = done;
    j->err = err;
    run(j);
    st = j->status;
    jpeg_destroy_compress(&j->to);
    jpeg_destroy_decompress(&j->from);
    free(j->row);
    free(j->line);
    free(j->sums);
    free(j);
    return st;
}

enum ocop_status picture_scale(const struct picture_in *in, const struct picture_out *out,
                               const struct picture_want *want, struct picture_done *done,
                               struct ocop_error *err)
{
    return scale(in, NULL, out, want, done, err);
}

enum ocop_status picture_scale_rows(const struct picture_rows *rows, const struct picture_out *out,
                                    const struct picture_want *want, struct picture_done *done,
                                    struct ocop_error *err)
{
    return scale(NULL, rows, out, want, done, err);
}
