/* Whatever a PNG holds, grey or colours of 8 bits come out, a row at a time. One that is interlaced
 * would have to be held as a whole, and is not decoded. What shines through is laid on white. */
#include "png_rows.h"

#include <png.h>
#include <setjmp.h>
#include <string.h>

enum { CHUNKS_MAX = 100, CHUNK_BYTES_MAX = 1 << 20 };

struct png_reading {
    const struct picture_in *in;
    struct span left;
    enum ocop_status status; /* why it failed */
    png_structp png;
    png_infop info;
};

/* Nothing is said, and no time of day is asked for. */
static void on_warning(png_structp png, png_const_charp text)
{
    (void)png, (void)text;
}

static _Noreturn void on_error(png_structp png, png_const_charp text)
{
    (void)text;
    png_longjmp(png, 1);
}

static void on_read(png_structp png, png_bytep out, size_t len)
{
    struct png_reading *r = png_get_io_ptr(png);

    while (len > 0) {
        size_t n = len < r->left.len ? len : r->left.len;
        if (n == 0) {
            r->status = r->in->next(r->in->self, &r->left, NULL);
            if (r->status == OCOP_OK && r->left.len == 0)
                r->status = OCOP_EDAMAGED;
            if (r->status != OCOP_OK)
                png_error(png, "no more");
            continue;
        }
        memcpy(out, r->left.p, n);
        r->left = span_of(r->left.p + n, r->left.len - n);
        out += n;
        len -= n;
    }
}

/* Before the header is read. What the library may take for pieces that show nothing is little. */
static void limit(struct png_reading *r)
{
    png_set_user_limits(r->png, PNG_SIDE_MAX, PNG_SIDE_MAX);
    png_set_chunk_cache_max(r->png, CHUNKS_MAX);
    png_set_chunk_malloc_max(r->png, CHUNK_BYTES_MAX);
    png_set_keep_unknown_chunks(r->png, PNG_HANDLE_CHUNK_NEVER, NULL, -1);
    png_set_read_fn(r->png, r, on_read);
}

/* Of any depth and form. */
static void ask_for_rows(struct png_reading *r)
{
    const png_color_16 white = {0, 255, 255, 255, 255};

    png_set_expand(r->png);
    png_set_scale_16(r->png);
    png_set_background(r->png, &white, PNG_BACKGROUND_GAMMA_SCREEN, 0, 1.0);
    png_read_update_info(r->png, r->info);
}

static enum ocop_status next(void *self, uint8_t *row, struct ocop_error *err)
{
    struct png_reading *r = self;

    (void)err;
    if (setjmp(png_jmpbuf(r->png)) != 0)
        return r->status != OCOP_OK ? r->status : OCOP_EDAMAGED;
    png_read_row(r->png, row, NULL);
    return OCOP_OK;
}

static enum ocop_status begin(struct png_reading *r, struct picture_rows *out)
{
    if (setjmp(png_jmpbuf(r->png)) != 0)
        return r->status != OCOP_OK ? r->status : OCOP_EDAMAGED;
    limit(r);
    png_read_info(r->png, r->info);
    if (png_get_interlace_type(r->png, r->info) != PNG_INTERLACE_NONE)
        return OCOP_EDAMAGED;
    ask_for_rows(r);
    *out = (struct picture_rows){.width = png_get_image_width(r->png, r->info),
                                 .height = png_get_image_height(r->png, r->info),
                                 .parts = png_get_channels(r->png, r->info),
                                 .self = r,
                                 .next = next};
    return out->parts == 1 || out->parts == 3 ? OCOP_OK : OCOP_EDAMAGED;
}

enum ocop_status png_rows_begin(const struct picture_in *in, struct picture_rows *out)
{
    static struct png_reading r;

    r = (struct png_reading){.in = in};
    r.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, NULL, on_error, on_warning);
    r.info = r.png ? png_create_info_struct(r.png) : NULL;
    return r.info ? begin(&r, out) : OCOP_ENOMEM;
}
