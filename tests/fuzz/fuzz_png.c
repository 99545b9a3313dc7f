/* A PNG as anybody may send it, made smaller as the maker of thumbnails does it. Out there it may
 * only read and write when it does so; here it must not even crash. */
#include <png.h>

#include "feed.h"
#include "fuzz.h"
#include "thumbnail/png_rows.h"

enum { OUT_BYTES_MAX = 1 << 20 };

/* Who decodes ends soon and frees nothing; here there is a next input. The linker puts these before
 * libpng. */
static png_structp reading;
static png_infop info;

png_structp __real_png_create_read_struct(png_const_charp version, png_voidp self,
                                          png_error_ptr on_error, png_error_ptr on_warning);
png_infop __real_png_create_info_struct(png_const_structrp png);
png_structp __wrap_png_create_read_struct(png_const_charp version, png_voidp self,
                                          png_error_ptr on_error, png_error_ptr on_warning);
png_infop __wrap_png_create_info_struct(png_const_structrp png);

png_structp __wrap_png_create_read_struct(png_const_charp version, png_voidp self,
                                          png_error_ptr on_error, png_error_ptr on_warning)
{
    reading = __real_png_create_read_struct(version, self, on_error, on_warning);
    if (reading) /* what is behind a wrong sum is to be met */
        png_set_crc_action(reading, PNG_CRC_QUIET_USE, PNG_CRC_QUIET_USE);
    return reading;
}

png_infop __wrap_png_create_info_struct(png_const_structrp png)
{
    return info = __real_png_create_info_struct(png);
}

static bool scale(struct feed *feed, unsigned side, struct buf *out)
{
    const struct picture_in in = {feed, next};
    const struct picture_want want = {side, 60, true, false};
    struct picture_done done;
    struct picture_rows rows;
    enum ocop_status st = png_rows_begin(&in, &rows);

    if (st == OCOP_OK)
        st = picture_scale_rows(&rows, &(struct picture_out){out, put}, &want, &done, NULL);
    CHECK(st == OCOP_OK || st == OCOP_EDAMAGED || st == OCOP_ENOMEM || st == OCOP_ELIMIT);
    if (st != OCOP_OK || done.state == PICTURE_ODD)
        return false;
    CHECK(done.state == PICTURE_MADE && done.width > 0 && done.width <= side && done.height > 0 &&
          done.height <= side);
    return true;
}

/* The first byte says how it is asked for; the picture is behind it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct feed feed;
    struct buf out, again;

    if (size == 0)
        return 0;
    feed = (struct feed){span_of(data + 1, size - 1), 1 + (data[0] & 31u) * 40};
    buf_init(&out, OUT_BYTES_MAX);
    buf_init(&again, OUT_BYTES_MAX);
    if (scale(&feed, 16 + (data[0] >> 5) * 30u, &out)) { /* what is made is a photo */
        struct feed made = {buf_span(&out), 1000};
        struct picture_done done;
        const struct picture_want small = {16, 60, true, false};
        CHECK(picture_scale(&(struct picture_in){&made, next}, &(struct picture_out){&again, put},
                            &small, &done, NULL) == OCOP_OK);
        CHECK(done.state != PICTURE_ODD);
    }
    png_destroy_read_struct(&reading, &info, NULL);
    buf_fini(&out);
    buf_fini(&again);
    return 0;
}
