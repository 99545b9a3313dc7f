/* What a camera noted, taken out of images piece by piece: what goes, that the picture stays byte
 * for byte, and what becomes of pieces that lie. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>

#include "buf.h"
#include "camera.h"
#include "exif.h"
#include "strip.h"
#include "zip.h"

struct feed {
    struct span in;
    size_t at, part, fails_at; /* bytes given at once; where it fails, 0 nowhere */
    struct buf *out;
    size_t room; /* bytes that may be put; 0: any */
};

static enum ocop_status next(void *self, struct span *part, struct ocop_error *err)
{
    struct feed *f = self;
    const size_t left = f->in.len - f->at;
    if (f->fails_at && f->at >= f->fails_at)
        return err_set(err, OCOP_EIO, "the disk is gone");
    *part = span_of(f->in.p + f->at, left < f->part ? left : f->part);
    f->at += part->len;
    return OCOP_OK;
}

static enum ocop_status put(void *self, struct span bytes, struct ocop_error *err)
{
    struct feed *f = self;
    if (f->room && f->out->len + bytes.len > f->room)
        return err_set(err, OCOP_ELIMIT, "the disk is full");
    buf_put(f->out, bytes.p, bytes.len);
    return OCOP_OK;
}

/* Look first, then make, as the library does; what was made has nothing more that is to go. */
static enum picture_state stripped(const char *type, struct span in, size_t part, struct buf *out)
{
    struct ocop_error err = {0};
    struct strip_done done, again;
    struct feed look = {.in = in, .part = part}, make = {.in = in, .part = part, .out = out};
    buf_init(out, 64 << 20);
    assert_int_equal(strip_image(type, &(struct picture_in){&look, next}, NULL, &done, &err),
                     OCOP_OK);
    if (done.state != PICTURE_MADE)
        return done.state;
    assert_int_equal(strip_image(type, &(struct picture_in){&make, next},
                                 &(struct picture_out){&make, put}, &done, &err),
                     OCOP_OK);
    assert_int_equal(done.bytes, out->len);
    look = (struct feed){.in = buf_span(out), .part = part};
    assert_int_equal(strip_image(type, &(struct picture_in){&look, next}, NULL, &again, &err),
                     OCOP_OK);
    assert_int_equal(again.state, PICTURE_FITS);
    return done.state;
}

/* --- JPEG ------------------------------------------------------------------------------------ */

/* A photo with these bytes put in behind its first two, and at its end. */
static struct span photo_with(const struct camera *c, struct span pieces, struct span behind,
                              struct buf *out)
{
    size_t len;
    uint8_t *photo = camera_photo(c, &len);
    buf_init(out, 64 << 20);
    buf_put(out, photo, 2);
    buf_put(out, pieces.p, pieces.len);
    buf_put(out, photo + 2, len - 2);
    buf_put(out, behind.p, behind.len);
    free(photo);
    return buf_span(out);
}

static const uint8_t pieces[] = "\xff\xe1\0\x25http://ns.adobe.com/xap/1.0/\0SECRET"
                                "\xff\xed\0\x16Photoshop 3.0\0SECRET"
                                "\xff\xe0\0\xcJFXXSECRET"
                                "\xff\xe2\0\xcMPF\0SECRET"
                                "\xff\xff\xff\xef\0\x8SECRET"
                                "\xff\xfe\0\x8SECRET";
#define PIECES span_of(pieces, sizeof pieces - 1)

static void of_a_jpeg_only_the_picture_stays_and_which_side_is_up(void **state)
{
    static const enum camera_form forms[] = {CAMERA_BASELINE, CAMERA_PROGRESSIVE, CAMERA_PRINT,
                                             CAMERA_MANY_SCANS};
    static const size_t parts[] = {1, 7, 4096, 1 << 20};
    (void)state;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        struct camera c = {.width = 300, .height = 200, .form = forms[i]}, noted = c;
        struct buf in, out, plain, clean;
        struct exif e;
        noted.exif = camera_exif();
        noted.icc = span_of("ICC_PROFILE\0\1\1colours", 21);
        photo_with(&noted, PIECES, span_str("SECRET"), &in);
        assert_int_equal(stripped("image/jpeg", buf_span(&in), parts[i], &out), PICTURE_MADE);
        assert_true(camera_told(buf_span(&in), "SECRET"));
        assert_false(camera_told(buf_span(&out), "SECRET"));
        assert_true(camera_told(buf_span(&out), "colours"));
        struct camera_seen seen;
        if (forms[i] != CAMERA_PRINT) {
            assert_true(camera_look(buf_span(&out), &seen));
            assert_true(exif_read(span_of(seen.exif, seen.exif_len), &e));
            assert_int_equal(e.orientation, 6);
            assert_false(e.has_place);
            assert_string_equal(e.taken, "");
        }
        /* The picture itself is that of the same camera without notes. */
        photo_with(&c, span_of(NULL, 0), span_of(NULL, 0), &plain);
        (void)stripped("image/jpeg", buf_span(&plain), 100, &clean);
        const struct span want = clean.len ? buf_span(&clean) : buf_span(&plain);
        assert_true(out.len > want.len);
        for (size_t tail = want.len / 2; tail > 0; tail--)
            assert_int_equal(out.p[out.len - tail], want.p[want.len - tail]);
        buf_fini(&in);
        buf_fini(&out);
        buf_fini(&plain);
        buf_fini(&clean);
    }
}

static void of_a_jpeg_s_pieces_as_much_stays_as_is_laid_down_and_once(void **state)
{
    static const uint8_t many[] = "\xff\x02\0\10SECRET"
                                  "\xff\x01"
                                  "\xff\xc8\0\10SECRET"
                                  "\xff\xf0\0\10SECRET"
                                  "\xff\xe0\0\26JFIF\0\1\1\0\0\1\0\1\2\1SECRET"
                                  "\xff\xe0\0\20JFIF\0SECRETSEC"
                                  "\xff\xe0\0\15JFIF\0SECRET"
                                  "\xff\xee\0\24"
                                  "Adobe\0d\0\0\0\0\1SECRET"
                                  "\xff\xee\0\16"
                                  "AdobeSECRETS",
                         want[] = "\xff\xd8\xff\xe0\0\20JFIF\0\1\1\0\0\1\0\1\0\0"
                                  "\xff\xee\0\16"
                                  "Adobe\0d\0\0\0\0\1\xff\xdb";
    struct camera_seen seen;
    struct buf in, out;
    (void)state;
    photo_with(&(struct camera){.width = 300, .height = 200}, span_of(many, sizeof many - 1),
               span_of(NULL, 0), &in);
    assert_int_equal(stripped("image/jpeg", buf_span(&in), 100, &out), PICTURE_MADE);
    assert_true(out.len > sizeof want);
    assert_memory_equal(out.p, want, sizeof want - 1);
    assert_true(camera_look(buf_span(&out), &seen));
    buf_fini(&in);
    buf_fini(&out);
}

static void what_has_nothing_to_go_is_left_alone(void **state)
{
    struct buf in, out;
    (void)state;
    photo_with(&(struct camera){.width = 300, .height = 200}, span_of(NULL, 0), span_of(NULL, 0),
               &in);
    assert_int_equal(stripped("image/jpeg", buf_span(&in), 100, &out), PICTURE_FITS);
    buf_fini(&in);
    buf_fini(&out);
}

/* Cut anywhere: what there is of the picture stays, nothing of the notes does. */
static void of_a_jpeg_that_is_cut_no_note_stays(void **state)
{
    struct buf in, out;
    (void)state;
    photo_with(&(struct camera){.width = 60, .height = 40, .exif = camera_exif()}, PIECES,
               span_str("SECRET"), &in);
    for (size_t len = 2; len < in.len; len++) {
        (void)stripped("image/jpeg", span_of(in.p, len), 33, &out);
        assert_false(camera_told(buf_span(&out), "SECR"));
        assert_false(camera_told(buf_span(&out), "2026:08"));
        buf_fini(&out);
    }
    buf_fini(&in);
}

/* Bytes put where the coded picture ends, or a part of it: before each marker behind its first
 * scan, and behind all when there is no last one. */
static void what_stands_behind_the_coded_picture_goes(void **state)
{
    static const enum camera_form forms[] = {CAMERA_BASELINE, CAMERA_PROGRESSIVE, CAMERA_MANY_SCANS,
                                             CAMERA_GREY, CAMERA_PRINT};
    (void)state;
    for (size_t i = 0; i < 2 * 2 * sizeof forms / sizeof *forms; i++) {
        struct camera c = {.width = 8 * (unsigned)i + 3,
                           .height = 60,
                           .form = forms[i / 4],
                           .noise = i % 2,
                           .restart = i / 2 % 2 * 3};
        size_t len, marks = 0;
        bool coded = false;
        uint8_t *photo = camera_photo(&c, &len);
        for (unsigned ends = 0; ends < 2; ends++) {
            struct buf in, out;
            buf_init(&in, 64 << 20);
            for (size_t at = 0; at < len - 2 * ends; at++) {
                const uint8_t mark = photo[at] == 0xff && at + 1 < len ? photo[at + 1] : 0;
                if (coded && mark)
                    buf_str(&in, "SECRET");
                marks += coded && mark;
                coded = mark ? mark == 0xda || (coded && mark >= 0xd0 && mark <= 0xd7) : coded;
                buf_byte(&in, photo[at]);
            }
            if (ends)
                buf_str(&in, "SECRETSECRETSECRET");
            assert_int_equal(stripped("image/jpeg", buf_span(&in), 100 + i, &out), PICTURE_MADE);
            assert_int_equal(out.len, len - 2 * ends);
            assert_memory_equal(out.p, photo, out.len);
            buf_fini(&in);
            buf_fini(&out);
        }
        assert_true(marks >= (c.restart ? 5 : 1));
        free(photo);
    }
}

/* --- the others ------------------------------------------------------------------------------ */

static void of_png_and_webp_only_what_shows_the_picture_stays(void **state)
{
    /* With the byte that ends the literal: it makes the length of its last piece even. */
    static const uint8_t webp[] = "RIFF\44\0\0\0WEBPVP8X\12\0\0\0\x10\0\0\0\0\0\0\0\0\0"
                                  "VP8 \5\0\0\0PIXEL";
    static uint8_t png[] = "\x89PNG\r\n\x1a\n"
                           "\0\0\0\15IHDR\0\0\0\1\0\0\0\1\10\0\0\0\0crc."
                           "\0\0\0\15IDAT\x78\1\1\2\0\xfd\xff\0P\0R\0Qcrc."
                           "\0\0\0\0IENDcrc.";
    const struct {
        const char *type;
        struct span in, want;
    } cases[] = {{"image/png", camera_png(), span_of(png, sizeof png - 1)},
                 {"image/webp", camera_webp(), span_of(webp, sizeof webp)}};
    (void)state;
    camera_png_sums(png, sizeof png - 1);
    for (size_t i = 0; i < 2; i++)
        for (size_t part = 1; part < 100; part++) {
            struct buf out;
            assert_int_equal(stripped(cases[i].type, cases[i].in, part, &out), PICTURE_MADE);
            assert_int_equal(out.len, cases[i].want.len);
            assert_memory_equal(out.p, cases[i].want.p, out.len);
            buf_fini(&out);
            /* and of a part of it, no note */
            (void)stripped(cases[i].type, span_of(cases[i].in.p, part), 5, &out);
            assert_false(camera_told(buf_span(&out), "SEC"));
            buf_fini(&out);
        }
}

static void of_a_png_s_chunks_those_stay_that_have_their_length_and_once(void **state)
{
#define PNG_HEAD "\x89PNG\r\n\x1a\n\0\0\0\15IHDR\0\0\0\1\0\0\0\1\10\0\0\0\0crc."
#define PNG_TAIL                                                                                   \
    "\0\0\0\6IDAT\x78\1\1\2\0\xfd"                                                                 \
    "crc.\0\0\0\7IDAT\xff\0P\0R\0Qcrc.\0\0\0\0IENDcrc."
    static uint8_t png[] = PNG_HEAD "\0\0\0\4gAMAgammcrc."
                                    "\0\0\0\4gAMASECRcrc."
                                    "\0\0\0\17pHYs123456789SECRETcrc."
                                    "\0\0\0\6sRGBSECRETcrc."
                                    "\0\0\0\14bKGDSECRETSECRETcrc." PNG_TAIL,
                   want[] = PNG_HEAD "\0\0\0\4gAMAgammcrc." PNG_TAIL;
    struct buf out;
    (void)state;
    camera_png_sums(png, sizeof png - 1);
    camera_png_sums(want, sizeof want - 1);
    assert_int_equal(stripped("image/png", span_of(png, sizeof png - 1), 10, &out), PICTURE_MADE);
    assert_int_equal(out.len, sizeof want - 1);
    assert_memory_equal(out.p, want, sizeof want - 1);
    buf_fini(&out);
}

static void put_chunk(struct buf *out, const char *name, const void *bytes, size_t len)
{
    uint8_t number[4];
    struct buf named;
    buf_init(&named, 64 << 20);
    buf_str(&named, name);
    buf_put(&named, bytes, len);
    const uint32_t crc = zip_crc(0, buf_span(&named));
    for (unsigned i = 0; i < 4; i++)
        number[i] = (uint8_t)(len >> (24 - 8 * i));
    buf_put(out, number, 4);
    buf_put(out, named.p, named.len);
    for (unsigned i = 0; i < 4; i++)
        number[i] = (uint8_t)(crc >> (24 - 8 * i));
    buf_put(out, number, 4);
    buf_fini(&named);
}

/* A PNG with a profile, whose pixels are compressed by themselves; cut into chunks of `part`. */
static void png_with(struct span ihdr, struct span profile, struct span pixels, size_t part,
                     struct buf *out)
{
    buf_init(out, 64 << 20);
    buf_put(out, "\x89PNG\r\n\x1a\n", 8);
    put_chunk(out, "IHDR", ihdr.p, ihdr.len);
    if (profile.len)
        put_chunk(out, "iCCP", profile.p, profile.len);
    for (size_t at = 0; at < pixels.len; at += part)
        put_chunk(out, "IDAT", pixels.p + at, pixels.len - at < part ? pixels.len - at : part);
    put_chunk(out, "IEND", NULL, 0);
}

static void deflated(size_t len, const char *behind, struct buf *out)
{
    uint8_t *rows = calloc(1, len);
    buf_init(out, 64 << 20);
    assert_int_equal(zip_deflate(span_of(rows, len), 6, out, NULL), OCOP_OK);
    buf_str(out, behind);
    free(rows);
}

/* 33 by 21 pixels of each form; the last rows, compressed, end in the midst of a chunk. */
static void what_stands_behind_the_pixels_of_a_png_goes(void **state)
{
    static const struct {
        uint8_t depth, form, interlaced;
        size_t rows;
    } cases[] = {{1, 0, 0, 21 * 6},
                 {8, 2, 0, 21 * 100},
                 {4, 3, 0, 21 * 18},
                 {16, 4, 0, 21 * 133},
                 {16, 6, 0, 21 * 265},
                 /* 5x3 + 4x3 + 9x3 + 8x6 + 17x5 + 16x11 + 33x10 pixels, each row with its filter */
                 {8, 0, 1, 693 + 41}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const uint8_t ihdr[13] = {
            0, 0, 0, 33, 0, 0, 0, 21, cases[i].depth, cases[i].form, 0, 0, cases[i].interlaced};
        struct buf pixels, more, plain, in, out;
        deflated(cases[i].rows, "", &pixels);
        deflated(cases[i].rows, "SECRETSECRETSECRETSECRET", &more);
        png_with(span_of(ihdr, 13), span_of(NULL, 0), buf_span(&pixels), pixels.len, &plain);
        assert_int_equal(stripped("image/png", buf_span(&plain), 10, &out), PICTURE_FITS);
        for (size_t part = pixels.len; part < more.len; part += 5) {
            png_with(span_of(ihdr, 13), span_of(NULL, 0), buf_span(&more), part, &in);
            assert_int_equal(stripped("image/png", buf_span(&in), 10, &out), PICTURE_MADE);
            assert_int_equal(out.len, plain.len);
            assert_memory_equal(out.p, plain.p, out.len);
            buf_fini(&out);
            /* What is cut off stays so. */
            (void)stripped("image/png", span_of(in.p, 50), 10, &out);
            buf_fini(&in);
            buf_fini(&out);
        }
        buf_fini(&plain);
        buf_fini(&pixels);
        buf_fini(&more);
        deflated(cases[i].rows + 1, "", &more);
        png_with(span_of(ihdr, 13), span_of(NULL, 0), buf_span(&more), more.len, &in);
        assert_int_equal(stripped("image/png", buf_span(&in), 10, &out), PICTURE_ODD);
        buf_fini(&in);
        buf_fini(&more);
    }
}

/* A picture of two rows with a profile of this stream: as it was, or as without the profile. */
static void profile_goes(struct span stream, size_t part, bool goes)
{
    static const uint8_t ihdr[13] = {0, 0, 0, 1, 0, 0, 0, 1, 8, 0, 0, 0, 0};
    struct buf pixels, profile, in, plain, out;
    deflated(2, "", &pixels);
    buf_init(&profile, 1 << 20);
    buf_put(&profile, "sRGB\0", 6);
    buf_put(&profile, stream.p, stream.len);
    png_with(span_of(ihdr, 13), buf_span(&profile), buf_span(&pixels), 100, &in);
    png_with(span_of(ihdr, 13), span_of(NULL, 0), buf_span(&pixels), 100, &plain);
    assert_int_equal(stripped("image/png", buf_span(&in), part, &out),
                     goes ? PICTURE_MADE : PICTURE_FITS);
    if (goes) {
        assert_int_equal(out.len, plain.len);
        assert_memory_equal(out.p, plain.p, out.len);
    }
    buf_fini(&out);
    buf_fini(&in);
    buf_fini(&plain);
    buf_fini(&pixels);
    buf_fini(&profile);
}

static void a_profile_of_a_png_stays_when_nothing_stands_behind_it(void **state)
{
    struct buf stream;
    (void)state;
    buf_init(&stream, 1 << 20);
    assert_int_equal(zip_deflate(span_str("red green blue"), 6, &stream, NULL), OCOP_OK);
    profile_goes(buf_span(&stream), 10, false);
    buf_str(&stream, "SECRET");
    profile_goes(buf_span(&stream), 10, true);
    buf_fini(&stream);
}

/* Some bits of each chunk's sum: a decoder would refuse the picture, or leave that chunk out. Of
 * what goes anyhow nobody asks. */
static void a_png_that_is_damaged_by_its_sums_is_refused(void **state)
{
    static const uint8_t ihdr[13] = {0, 0, 0, 33, 0, 0, 0, 21, 8, 2, 0, 0, 0},
                         gamma[4] = {0, 1, 2, 3};
    static const uint32_t least = 12; /* bytes of a chunk */
    struct buf pixels, in, out;
    unsigned kept = 0, gone = 0;
    (void)state;
    deflated(21 * 100, "SECRET", &pixels); /* of the last chunk a part stays */
    png_with(span_of(ihdr, 13), span_of(NULL, 0), buf_span(&pixels), pixels.len / 3 + 1, &in);
    in.len -= least; /* the end comes behind the others */
    put_chunk(&in, "gAMA", gamma, 4);
    put_chunk(&in, "tEXt", "k\0SECRET", 8);
    put_chunk(&in, "IEND", NULL, 0);
    for (size_t at = 8, len; at < in.len; at += least + len) {
        const bool goes = memcmp(in.p + at + 4, "tEXt", 4) == 0;
        len = (size_t)in.p[at + 2] << 8 | in.p[at + 3];
        for (size_t bit = 0; bit < 32; bit += 5) {
            in.p[at + 8 + len + bit / 8] ^= (uint8_t)(1u << bit % 8);
            assert_int_equal(stripped("image/png", buf_span(&in), 10, &out),
                             goes ? PICTURE_MADE : PICTURE_ODD);
            in.p[at + 8 + len + bit / 8] ^= (uint8_t)(1u << bit % 8);
            buf_fini(&out);
        }
        kept += !goes;
        gone += goes;
    }
    assert_true(kept == 6 && gone == 1);
    assert_int_equal(stripped("image/png", buf_span(&in), 10, &out), PICTURE_MADE);
    buf_fini(&out);
    buf_fini(&in);
    buf_fini(&pixels);
}

static uint64_t most_made; /* of what was followed */

enum ocop_status __real_zip_follow(struct zip_follow *f, struct span in, size_t *used,
                                   uint64_t *made, bool *ended, struct ocop_error *err);
enum ocop_status __wrap_zip_follow(struct zip_follow *f, struct span in, size_t *used,
                                   uint64_t *made, bool *ended, struct ocop_error *err);

enum ocop_status __wrap_zip_follow(struct zip_follow *f, struct span in, size_t *used,
                                   uint64_t *made, bool *ended, struct ocop_error *err)
{
    const enum ocop_status st = __real_zip_follow(f, in, used, made, ended, err);
    most_made = *made > most_made ? *made : most_made;
    return st;
}

/* No profile is so large: it is not followed to its end, and goes. */
static void a_profile_of_a_png_that_grows_without_end_goes(void **state)
{
    static const size_t sizes[] = {16 << 20, (16 << 20) + 1, 64 << 20};
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct buf zeros;
        deflated(sizes[i], "", &zeros);
        most_made = 0;
        profile_goes(buf_span(&zeros), 4096, i > 0);
        assert_in_range(most_made, 16 << 20, 24 << 20);
        buf_fini(&zeros);
    }
}

struct piece {
    const char *type, *bytes;
    size_t len;
};

/* @return why it is refused, as it must be, also when its sums are right */
static const char *odd(const struct piece *p)
{
    struct strip_done done;
    uint8_t *bytes = malloc(p->len);
    struct feed f = {.in = span_of(bytes, p->len), .part = 9};
    memcpy(bytes, p->bytes, p->len);
    if (strcmp(p->type, "image/png") == 0)
        camera_png_sums(bytes, p->len);
    assert_int_equal(strip_image(p->type, &(struct picture_in){&f, next}, NULL, &done, NULL),
                     OCOP_OK);
    free(bytes);
    assert_int_equal(done.state, PICTURE_ODD);
    assert_non_null(done.why);
    return done.why;
}

static void where_pieces_cannot_be_told_apart_it_is_said(void **state)
{
    static const struct piece cases[] = {
#define SCAN "\xff\xda\0\10\1\1\0\0\77\0PICTURE\xff\xd9"
#define CASE(type, bytes) {type, bytes, sizeof(bytes) - 1}
        CASE("image/jpeg", "\xff\xd8no marker"),
        CASE("image/jpeg", "\xff\xd8\xff\xe1\0\1"),
        CASE("image/jpeg", "\xff\xd8\xff\xd8\0\2"),
        CASE("image/jpeg", "\xff\xd8\xff\0\0\2"),
        CASE("image/png", "\x89PNG\r\n\x1a\n\xff\0\0\0eXIf"),
        CASE("image/png", "\x89PNG\r\n\x1a\n\0\0\0\4CgBI"),
        CASE("image/png",
             "\x89PNG\r\n\x1a\n\0\0\0\15IHDR\0\0\xff\xff\0\0\xff\xff\10\0\0\0\0crc." PNG_TAIL),
        CASE("image/png",
             "\x89PNG\r\n\x1a\n\0\0\0\15IHDR\0\0\x36\xb0\0\0\x3a\x98\20\6\0\0\0crc." PNG_TAIL),
        CASE("image/png", PNG_HEAD "\0\0\0\10acTL\0\0\0\2\0\0\0\0crc." PNG_TAIL),
        CASE("image/webp", "RIFF\x20\0\0\0WEBPANMF\2\0\0\0"),
        /* They have more than they can hold. */
        CASE("image/jpeg", "\xff\xd8\xff\xdd\0\12\0\1SECRET" SCAN),
        CASE("image/jpeg", "\xff\xd8\xff\xdc\0\12\0\1SECRET" SCAN),
        CASE("image/jpeg", "\xff\xd8\xff\xcc\0\11SECRETS" SCAN),
        CASE("image/jpeg", "\xff\xd8\xff\xc0\0\21\10\0\1\0\1\1\1\21\0SECRET" SCAN),
        CASE("image/jpeg", "\xff\xd8\xff\xc0\0\10SECRET" SCAN),
        CASE("image/jpeg", "\xff\xd8\xff\xdb\0\10SECRET" SCAN),
        CASE("image/jpeg", "\xff\xd8\xff\xc4\0\33\0\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\7SECRETS" SCAN),
        CASE("image/jpeg", "\xff\xd8\xff\xda\0\16\1\1\0\0\77\0SECRETPICTURE"),
        CASE("image/png", "\x89PNG\r\n\x1a\n\0\0\0\23IHDR1234567890123SECRETcrc." PNG_TAIL),
        CASE("image/png", PNG_HEAD PNG_HEAD PNG_TAIL),
        CASE("image/png", PNG_HEAD "\0\0\0\1IDAT.crc.\0\0\0\6IENDSECRETcrc."),
        CASE("image/webp",
             "RIFF\50\0\0\0WEBPVP8X\20\0\0\0\0\0\0\0\0\0\0\0\0\0SECRETVP8 \4\0\0\0PICT"),
        /* It would be another length in the file that it is copied into. */
        CASE("image/webp", "RIFF\x40\0\0\0WEBPVP8 \4\0\0\0PICTVP8X\12\0\0\0\0\0\3"),
        CASE("image/heic", "\0\0\0\x18"
                           "ftypheic"),
        CASE("image/gif", "GIF89a"),
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (strstr(odd(&cases[i]), "shows no") || strstr(odd(&cases[i]), "another sum"))
            fail_msg("case %zu", i);
}

/* What ends before its picture, by what it says of itself: nothing of it would be left. */
static void what_shows_no_picture_is_not_made_into_nothing(void **state)
{
    static const struct piece cases[] = {
        CASE("image/jpeg", "\xff\xd8\xff\xd9\xff\xd8\xff\xda\0\6\0\0\0\0PICTURE\xff\xd9"),
        CASE("image/jpeg",
             "\xff\xd8\xff\xda\0\6\0\0\0\0\xff\xd9\xff\xd8\xff\xda\0\6\0\0\0\0PICTURE"),
        CASE("image/jpeg", "\xff\xd8\xff\xe1\xff\xff\xff\xda\0\6\0\0\0\0PICTURE\xff\xd9"),
        CASE("image/png", "\x89PNG\r\n\x1a\n\x7f\xff\xff\xfftEXt\0\0\0\1IDATPcrc."),
        CASE("image/png", "\x89PNG\r\n\x1a\n\0\0\0\0IDATcrc.\0\0\0\0IENDcrc."),
        CASE("image/webp", "RIFF\0\0\0\0WEBPVP8 \4\0\0\0PICT"),
        CASE("image/webp", "RIFF\xff\xff\xff\xffWEBPEXIF\xff\xff\xff\xffVP8 \4\0\0\0PICT"),
        CASE("image/webp", "RIFF\x10\0\0\0WEBPALPH\4\0\0\0PICT"),
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (strcmp(odd(&cases[i]), "it shows no picture") != 0)
            fail_msg("case %zu", i);
}

/* 270 KB that would be gone through for minutes: each scan is a run of blocks that have nothing. */
static void more_scans_than_a_picture_needs_are_not_followed(void **state)
{
    enum { SIDE = 10000, BLOCKS = (SIDE / 8) * (SIDE / 8), RUN = 16384, SCANS = 126 };
    static const uint8_t head[] = "\xff\xd8\xff\xc2\0\13\10\x27\x10\x27\x10\1\1\x11\0"
                                  "\xff\xc4\0\24\x10\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\xe0";
    static const uint8_t runs[(BLOCKS / RUN + 1) * 15 / 8 + 2];
    struct buf in;
    (void)state;
    buf_init(&in, 1 << 20);
    buf_put(&in, head, sizeof head - 1);
    for (unsigned i = 0; i < SCANS; i++) {
        const uint8_t k = (uint8_t)(1 + i / 2), bits = i % 2 ? 0x10 : 0x01;
        const uint8_t sos[10] = {0xff, 0xda, 0, 8, 1, 1, 0, k, k, bits};
        buf_put(&in, sos, sizeof sos);
        buf_put(&in, runs, sizeof runs);
    }
    const struct piece bomb = {"image/jpeg", (const char *)in.p, in.len};
    assert_non_null(strstr(odd(&bomb), "more scans"));
    buf_fini(&in);
}

static void a_failure_of_either_end_is_given_back(void **state)
{
    struct ocop_error err = {0};
    struct buf in, out;
    (void)state;
    photo_with(&(struct camera){.width = 400, .height = 400, .noise = true}, PIECES,
               span_of(NULL, 0), &in);
    buf_init(&out, 64 << 20);
    for (size_t at = 1; at < in.len; at += 997) {
        struct strip_done done = {.bytes = 0};
        struct feed f = {.in = buf_span(&in), .part = 100, .fails_at = at, .out = &out};
        assert_int_equal(
            strip_image("image/jpeg", &(struct picture_in){&f, next}, NULL, &done, &err), OCOP_EIO);
        assert_int_equal(done.state, PICTURE_ODD);
    }
    struct strip_done done = {.bytes = 0};
    struct feed f = {.in = buf_span(&in), .part = 100, .out = &out, .room = 20000};
    assert_int_equal(strip_image("image/jpeg", &(struct picture_in){&f, next},
                                 &(struct picture_out){&f, put}, &done, &err),
                     OCOP_ELIMIT);
    buf_fini(&in);
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_a_jpeg_only_the_picture_stays_and_which_side_is_up),
        cmocka_unit_test(of_a_jpeg_s_pieces_as_much_stays_as_is_laid_down_and_once),
        cmocka_unit_test(what_has_nothing_to_go_is_left_alone),
        cmocka_unit_test(of_a_jpeg_that_is_cut_no_note_stays),
        cmocka_unit_test(what_stands_behind_the_coded_picture_goes),
        cmocka_unit_test(of_png_and_webp_only_what_shows_the_picture_stays),
        cmocka_unit_test(of_a_png_s_chunks_those_stay_that_have_their_length_and_once),
        cmocka_unit_test(what_stands_behind_the_pixels_of_a_png_goes),
        cmocka_unit_test(a_png_that_is_damaged_by_its_sums_is_refused),
        cmocka_unit_test(a_profile_of_a_png_stays_when_nothing_stands_behind_it),
        cmocka_unit_test(a_profile_of_a_png_that_grows_without_end_goes),
        cmocka_unit_test(where_pieces_cannot_be_told_apart_it_is_said),
        cmocka_unit_test(what_shows_no_picture_is_not_made_into_nothing),
        cmocka_unit_test(more_scans_than_a_picture_needs_are_not_followed),
        cmocka_unit_test(a_failure_of_either_end_is_given_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
