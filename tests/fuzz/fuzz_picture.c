/* A JPEG as any camera, or anybody, may make it: it is made smaller or left, and what was made is
 * one that can be made smaller again. And any image without what its camera noted, of which there
 * is then nothing more to be taken out. */
#include "feed.h"
#include "fuzz.h"
#include "strip.h"
#include "zip.h"

enum { OUT_BYTES_MAX = 1 << 20 };

static enum picture_state scale(struct span in, size_t part, unsigned side, bool bare,
                                struct buf *out)
{
    struct feed feed = {in, part};
    struct picture_done done;
    const struct picture_want want = {side, 60, bare, false};
    enum ocop_status st = picture_scale(&(struct picture_in){&feed, next},
                                        &(struct picture_out){out, put}, &want, &done, NULL);

    CHECK(st == OCOP_OK || st == OCOP_ELIMIT);
    if (st != OCOP_OK)
        return PICTURE_ODD;
    CHECK(done.state != PICTURE_MADE ||
          (done.width > 0 && done.width <= side && done.height > 0 && done.height <= side));
    CHECK(done.state != PICTURE_ODD || done.why[0]);
    return done.state;
}

static enum picture_state strip(const char *type, struct span in, size_t part, struct buf *out)
{
    struct feed look = {in, part}, make = look;
    struct strip_done done;

    CHECK(strip_image(type, &(struct picture_in){&look, next}, NULL, &done, NULL) == OCOP_OK);
    CHECK((done.state == PICTURE_ODD) == (done.why != NULL));
    if (done.state != PICTURE_MADE || !out)
        return done.state;
    const uint64_t bytes = done.bytes;
    CHECK(strip_image(type, &(struct picture_in){&make, next}, &(struct picture_out){out, put},
                      &done, NULL) == OCOP_OK);
    CHECK(done.state == PICTURE_MADE && done.bytes == bytes && out->len == bytes);
    return done.state;
}

static void strip_one(const char *type, struct span in, size_t part)
{
    struct buf out;

    buf_init(&out, OUT_BYTES_MAX);
    if (in.len < OUT_BYTES_MAX / 2 && strip(type, in, part, &out) == PICTURE_MADE)
        CHECK(strip(type, buf_span(&out), 1000, NULL) == PICTURE_FITS);
    buf_fini(&out);
}

/* With the sums of its chunks set right: of what is changed at random none is. */
static void strip_summed(struct span in, size_t part)
{
    struct buf png;

    buf_init(&png, OUT_BYTES_MAX);
    buf_put(&png, in.p, in.len);
    for (size_t at = 8; !png.failed && at + 12 <= png.len;) {
        const uint8_t *p = png.p + at;
        const size_t len = (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
        if (len > png.len - at - 12)
            break;
        const uint32_t sum = zip_crc(0, span_of(p + 4, 4 + len));
        for (size_t i = 0; i < 4; i++)
            png.p[at + 8 + len + i] = (uint8_t)(sum >> (24 - 8 * i));
        at += 12 + len;
    }
    if (!png.failed)
        strip_one("image/png", buf_span(&png), part);
    buf_fini(&png);
}

static void strip_all(struct span in, size_t part)
{
    static const char *const types[] = {"image/jpeg", "image/png", "image/webp"};

    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        strip_one(types[i], in, part);
    strip_summed(in, part);
}

/* The first byte says how it is asked for; the picture is behind it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf out, again;
    struct span in;

    if (size == 0)
        return 0;
    in = span_of(data + 1, size - 1);
    strip_all(in, 1 + (data[0] & 31u) * 40);
    buf_init(&out, OUT_BYTES_MAX);
    buf_init(&again, OUT_BYTES_MAX);
    if (scale(in, 1 + (data[0] & 31u) * 40, 16 + (data[0] >> 6) * 30u, (data[0] & 32) != 0, &out) ==
        PICTURE_MADE)
        CHECK(scale(buf_span(&out), 1000, 16, true, &again) == PICTURE_MADE);
    buf_fini(&out);
    buf_fini(&again);
    return 0;
}
