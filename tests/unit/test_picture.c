/* Photos made smaller: what is to be seen on them, what of their EXIF goes on, and what becomes of
 * all that is no photo, though it says so. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "buf.h"
#include "camera.h"
#include "exif.h"
#include "picture.h"

enum { PART = 1000 }; /* bytes given at once */

struct scaling {
    struct span in;
    size_t at, fails_at; /* bytes; 0: never */
    struct buf out;
    size_t room; /* bytes that may be put; 0: any */
    struct picture_done done;
    struct ocop_error err;
};

static enum ocop_status next(void *self, struct span *part, struct ocop_error *err)
{
    struct scaling *s = self;
    if (s->fails_at && s->at >= s->fails_at)
        return err_set(err, OCOP_EIO, "the disk is gone");
    *part = span_of(s->in.p + s->at, s->in.len - s->at < PART ? s->in.len - s->at : PART);
    s->at += part->len;
    return OCOP_OK;
}

static enum ocop_status put(void *self, struct span bytes, struct ocop_error *err)
{
    struct scaling *s = self;
    if (s->room && s->out.len + bytes.len > s->room)
        return err_set(err, OCOP_ELIMIT, "the disk is full");
    buf_put(&s->out, bytes.p, bytes.len);
    return OCOP_OK;
}

/* Where these bytes stand first; its length: nowhere. */
static size_t find(struct span in, const void *bytes, size_t len)
{
    for (size_t at = 0; at + len <= in.len; at++)
        if (memcmp(in.p + at, bytes, len) == 0)
            return at;
    return in.len;
}

static enum ocop_status scale(struct scaling *s, unsigned side, bool bare)
{
    const struct picture_want want = {side, 80, bare, false};
    buf_init(&s->out, 64 << 20);
    return picture_scale(&(struct picture_in){s, next}, &(struct picture_out){s, put}, &want,
                         &s->done, &s->err);
}

/* Scale what this camera makes, and look at it. */
static struct camera_seen made(const struct camera *c, unsigned side, bool bare)
{
    struct scaling s = {0};
    struct camera_seen seen;
    size_t len;
    uint8_t *photo = camera_photo(c, &len);
    s.in = span_of(photo, len);
    assert_int_equal(scale(&s, side, bare), OCOP_OK);
    if (s.done.state != PICTURE_MADE)
        fail_msg("%d: %s", (int)s.done.state, s.done.why);
    assert_true(camera_look(buf_span(&s.out), &seen));
    assert_int_equal(seen.width, s.done.width);
    assert_int_equal(seen.height, s.done.height);
    buf_fini(&s.out);
    free(photo);
    return seen;
}

static void a_photo_becomes_as_small_as_is_asked_and_shows_the_same(void **state)
{
    static const struct {
        struct camera camera;
        unsigned side, width, height;
    } cases[] = {
        {{.width = 3000, .height = 2000}, 1024, 1024, 683},
        {{.width = 2000, .height = 3000}, 1024, 683, 1024},
        {{.width = 1600, .height = 1200, .form = CAMERA_PROGRESSIVE}, 799, 799, 599},
        {{.width = 1600, .height = 1200, .form = CAMERA_GREY}, 200, 200, 150},
        {{.width = 1025, .height = 1024}, 1024, 1024, 1023},
        {{.width = 9000, .height = 20}, 320, 320, 1},
        {{.width = 17, .height = 17}, 16, 16, 16},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct camera_seen seen = made(&cases[i].camera, cases[i].side, false);
        assert_int_equal(seen.width, cases[i].width);
        assert_int_equal(seen.height, cases[i].height);
        /* 40 to 200 and up to 15 of noise: the means of the outer quarters */
        assert_in_range(seen.left, 60, 75);
        assert_in_range(seen.right, 180, 195);
    }
}

static void what_was_fine_becomes_its_mean(void **state)
{
    (void)state;
    struct camera_seen seen =
        made(&(struct camera){.width = 512, .height = 512, .quality = 100, .checkered = true}, 256,
             false);
    assert_in_range(seen.darkest, 124, 130);
    assert_in_range(seen.brightest, 124, 130);
    seen = made(&(struct camera){.width = 513, .height = 300, .quality = 100, .checkered = true},
                320, false);
    assert_true(seen.darkest > 0 && seen.brightest < 255);
}

static void the_same_photo_gives_the_same_bytes(void **state)
{
    (void)state;
    struct scaling s[2] = {{.at = 0}, {.at = 0}};
    size_t len;
    uint8_t *photo = camera_photo(&(struct camera){.width = 900, .height = 700}, &len);
    for (int i = 0; i < 2; i++) {
        s[i].in = span_of(photo, len);
        assert_int_equal(scale(&s[i], 500, false), OCOP_OK);
    }
    assert_true(s[0].out.len > 1000);
    assert_true(span_eq(buf_span(&s[0].out), buf_span(&s[1].out)));
    buf_fini(&s[0].out);
    buf_fini(&s[1].out);
    free(photo);
}

static void what_is_small_enough_is_left_alone_unless_something_is_to_go(void **state)
{
    (void)state;
    struct scaling s = {0};
    size_t len;
    const struct camera c = {.width = 320, .height = 200, .exif = camera_exif()};
    uint8_t *photo = camera_photo(&c, &len);
    s.in = span_of(photo, len);
    assert_int_equal(scale(&s, 320, false), OCOP_OK);
    assert_int_equal(s.done.state, PICTURE_FITS);
    assert_int_equal(s.out.len, 0);
    buf_fini(&s.out);
    free(photo);
    assert_int_equal(made(&c, 320, true).width, 320);
    assert_int_equal(made(&c, 8000, true).width, 320); /* nothing is made larger */
}

/* --- what it says of itself ----------------------------------------------------------------------
 */

static void time_place_and_which_side_is_up_go_on(void **state)
{
    (void)state;
    struct exif e;
    struct camera_seen seen =
        made(&(struct camera){.width = 900, .height = 600, .exif = camera_exif()}, 320, false);
    assert_true(exif_read(span_of(seen.exif, seen.exif_len), &e));
    assert_int_equal(e.orientation, 6);
    assert_string_equal(e.taken, "2026:08:05 14:03:00");
    assert_string_equal(e.zone, "+07:00");
    assert_true(e.has_place);
    assert_int_equal(e.north, 'N');
    assert_int_equal(e.east, 'E');
    assert_int_equal(e.latitude[0].over, 12);
    assert_int_equal(e.latitude[2].over, 5604);
    assert_int_equal(e.latitude[2].under, 100);
    assert_int_equal(e.longitude[0].over, 107);
    assert_int_equal(find(span_of(seen.exif, seen.exif_len), "SECRET", 6), seen.exif_len);
}

static void time_and_place_stay_behind_when_that_is_wanted(void **state)
{
    (void)state;
    struct exif e;
    struct camera_seen seen =
        made(&(struct camera){.width = 900, .height = 600, .exif = camera_exif()}, 320, true);
    assert_true(exif_read(span_of(seen.exif, seen.exif_len), &e));
    assert_int_equal(e.orientation, 6);
    assert_string_equal(e.taken, "");
    assert_false(e.has_place);
    assert_int_equal(find(span_of(seen.exif, seen.exif_len), "2026", 4), seen.exif_len);
    assert_int_equal(made(&(struct camera){.width = 900, .height = 600}, 320, true).exif_len, 0);
}

static void the_profile_of_its_colours_goes_on_when_it_is_in_one_piece(void **state)
{
    (void)state;
    struct scaling s = {0};
    size_t len;
    static const char one[] = "ICC_PROFILE\0\1\1of a camera",
                      two[] = "ICC_PROFILE\0\1\2of a camera";
    struct camera c = {.width = 900, .height = 600, .icc = span_of(one, sizeof one)};
    struct camera_seen seen = made(&c, 320, false);
    assert_int_equal(seen.icc_len, sizeof one);
    assert_memory_equal(seen.icc, one, sizeof one);
    c.icc = span_of(two, sizeof two);
    uint8_t *photo = camera_photo(&c, &len);
    s.in = span_of(photo, len);
    assert_int_equal(scale(&s, 320, false), OCOP_OK);
    assert_int_equal(s.done.state, PICTURE_ODD);
    buf_fini(&s.out);
    free(photo);
}

/* Every byte of it set to what hurts most, and every length: it ends, and what is read is what was
 * there or nothing. */
static void exif_that_lies_is_left_out(void **state)
{
    (void)state;
    const struct span good = camera_exif();
    static const uint8_t bad[] = {0, 1, 0x7f, 0x80, 0xff};
    struct exif e;
    uint8_t *copy = malloc(good.len), written[EXIF_WRITTEN_MAX];
    unsigned read = 0;
    for (size_t len = 0; len < good.len; len++) {
        uint8_t *cut = malloc(len ? len : 1); /* its end is the end of the heap's block */
        memcpy(cut, good.p, len);
        if (exif_read(span_of(cut, len), &e))
            assert_false(e.has_place);
        free(cut);
    }
    for (size_t i = 0; i < good.len; i++)
        for (size_t b = 0; b < sizeof bad; b++) {
            memcpy(copy, good.p, good.len);
            copy[i] = bad[b];
            read += exif_read(span_of(copy, good.len), &e);
            assert_true(exif_write(&e, false, written) <= sizeof written);
            assert_true(e.orientation <= 8);
        }
    assert_true(read > good.len);
    /* A directory that is its own, and one of more entries than there are. */
    memcpy(copy, good.p, good.len);
    memcpy(copy + 6 + 62, "\0\0\0\10", 4);
    assert_true(exif_read(span_of(copy, good.len), &e));
    assert_false(e.has_place);
    assert_int_equal(e.orientation, 6);
    memcpy(copy + 6 + 8, "\1\377", 2);
    assert_true(exif_read(span_of(copy, good.len), &e));
    assert_int_equal(e.orientation, 6);
    free(copy);
}

/* --- what is no photo ---------------------------------------------------------------------------
 */

static void expect_odd(struct span in, const char *why)
{
    struct scaling s = {.in = in};
    assert_int_equal(scale(&s, 320, false), OCOP_OK);
    if (s.done.state != PICTURE_ODD || !strstr(s.done.why, why))
        fail_msg("%d: \"%s\" instead of \"%s\"", (int)s.done.state, s.done.why, why);
    buf_fini(&s.out);
}

static void what_cannot_be_decoded_is_said_and_nothing_is_made(void **state)
{
    (void)state;
    static const struct {
        struct camera camera;
        const char *why;
    } cases[] = {
        {{.width = 700, .height = 500, .form = CAMERA_MANY_SCANS}, "more scans"},
        {{.width = 700, .height = 500, .form = CAMERA_PRINT}, "those of print"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t len;
        uint8_t *photo = camera_photo(&cases[i].camera, &len);
        expect_odd(span_of(photo, len), cases[i].why);
        free(photo);
    }
    expect_odd(span_of("\xff\xd8\xff\xe0JFIF\1\2\3", 11), "ends before");
    expect_odd(span_of("\xff\xd8\xff\xe1\0\1", 6), "no length");
    expect_odd(span_of("\x89PNG\r\n\x1a\n", 8), "Not a JPEG");
    expect_odd(span_of(NULL, 0), "ends before");
}

/* Where its width and height stand. */
static uint8_t *frame_of(uint8_t *photo, size_t len)
{
    const size_t at = find(span_of(photo, len), "\xff\xc0", 2);
    assert_true(at < len);
    return photo + at + 5;
}

static void one_that_is_cut_or_of_another_size_is_no_photo(void **state)
{
    (void)state;
    size_t len;
    uint8_t *photo = camera_photo(&(struct camera){.width = 700, .height = 500}, &len);
    for (size_t part = 1; part < 8; part++)
        expect_odd(span_of(photo, len * part / 8), "ends before");
    uint8_t *frame = frame_of(photo, len);
    memcpy(frame, "\xff\xdc\xff\xdc", 4); /* 65,500 by 65,500 */
    expect_odd(span_of(photo, len), "more pixels");
    memcpy(frame, "\0\0\0\0", 4);
    expect_odd(span_of(photo, len), "");
    memcpy(frame, "\x3a\x98\x3a\x98", 4); /* 15,000 by 15,000 fit, and are not there */
    expect_odd(span_of(photo, len), "");
    memcpy(frame, "\x01\xf4\x02\xbc", 4);
    memcpy(photo + len / 2, "\xff\xd9", 2); /* its end: half a picture, and no error */
    expect_odd(span_of(photo, len), "premature end");
    free(photo);
}

static void a_failure_of_either_end_is_given_back(void **state)
{
    (void)state;
    struct scaling s = {.fails_at = 20000};
    size_t len;
    uint8_t *photo = camera_photo(&(struct camera){.width = 2000, .height = 1500}, &len);
    s.in = span_of(photo, len);
    assert_int_equal(scale(&s, 1600, false), OCOP_EIO);
    assert_string_equal(s.err.text, "the disk is gone");
    buf_fini(&s.out);
    s = (struct scaling){.in = span_of(photo, len), .room = 20000};
    assert_int_equal(scale(&s, 1600, false), OCOP_ELIMIT);
    assert_string_equal(s.err.text, "the disk is full");
    buf_fini(&s.out);
    free(photo);
}

/* --- memory ------------------------------------------------------------------------------------
 */

static enum ocop_status drop(void *self, struct span bytes, struct ocop_error *err)
{
    (void)self, (void)bytes, (void)err;
    return OCOP_OK;
}

static enum ocop_status from_file(void *self, struct span *part, struct ocop_error *err)
{
    static uint8_t block[16384];
    (void)err;
    *part = span_of(block, fread(block, 1, sizeof block, self));
    return OCOP_OK;
}

static void write_photo(const char *path, const struct camera *c)
{
    size_t len;
    uint8_t *photo = camera_photo(c, &len);
    FILE *f = fopen(path, "wb");
    assert_int_equal(fwrite(photo, 1, len, f), len);
    fclose(f);
    free(photo);
}

/* What a process needs for it beyond what it had, in KiB; -1 when it is not `expected`. */
static long growth(const char *path, enum picture_state expected)
{
    struct rusage before, after;
    struct picture_done done;
    struct ocop_error err;
    FILE *f = fopen(path, "rb");
    getrusage(RUSAGE_SELF, &before);
    enum ocop_status st =
        picture_scale(&(struct picture_in){f, from_file}, &(struct picture_out){NULL, drop},
                      &(struct picture_want){2048, 80, false, false}, &done, &err);
    getrusage(RUSAGE_SELF, &after);
    fclose(f);
    return st || done.state != expected ? -1 : after.ru_maxrss - before.ru_maxrss;
}

/* In a process of its own, since one that has had much memory hides what it takes again. */
static void expect_little_memory(const struct camera *c, enum picture_state expected)
{
    char path[64];
    int ends[2], status;
    long kib = -1;
    snprintf(path, sizeof path, "/tmp/ocop-picture-%d.jpg", (int)getpid());
    pid_t maker = fork();
    if (maker == 0) {
        write_photo(path, c);
        _exit(0);
    }
    assert_int_equal(waitpid(maker, &status, 0), maker);
    assert_int_equal(status, 0);
    assert_int_equal(pipe(ends), 0);
    pid_t scaler = fork();
    if (scaler == 0) {
        kib = growth(path, expected);
        _exit(write(ends[1], &kib, sizeof kib) != sizeof kib);
    }
    assert_int_equal(read(ends[0], &kib, sizeof kib), sizeof kib);
    assert_int_equal(waitpid(scaler, &status, 0), scaler);
    close(ends[0]);
    close(ends[1]);
    remove(path);
    print_message("%u x %u: %ld KiB\n", c->width, c->height, kib);
    assert_in_range(kib, 0, PICTURE_MEMORY_MAX / 1024);
}

static void fifty_megapixels_take_less_than_16_mib(void **state)
{
    (void)state;
    expect_little_memory(&(struct camera){.width = 8160, .height = 6144}, PICTURE_MADE);
    expect_little_memory(&(struct camera){.width = 65500, .height = 600}, PICTURE_MADE);
    /* All of a progressive one is in memory at once; a large one is not decoded. */
    expect_little_memory(
        &(struct camera){.width = 2300, .height = 1400, .form = CAMERA_PROGRESSIVE}, PICTURE_MADE);
    expect_little_memory(
        &(struct camera){.width = 6000, .height = 4000, .form = CAMERA_PROGRESSIVE}, PICTURE_ODD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_photo_becomes_as_small_as_is_asked_and_shows_the_same),
        cmocka_unit_test(what_was_fine_becomes_its_mean),
        cmocka_unit_test(the_same_photo_gives_the_same_bytes),
        cmocka_unit_test(what_is_small_enough_is_left_alone_unless_something_is_to_go),
        cmocka_unit_test(time_place_and_which_side_is_up_go_on),
        cmocka_unit_test(time_and_place_stay_behind_when_that_is_wanted),
        cmocka_unit_test(the_profile_of_its_colours_goes_on_when_it_is_in_one_piece),
        cmocka_unit_test(exif_that_lies_is_left_out),
        cmocka_unit_test(what_cannot_be_decoded_is_said_and_nothing_is_made),
        cmocka_unit_test(one_that_is_cut_or_of_another_size_is_no_photo),
        cmocka_unit_test(a_failure_of_either_end_is_given_back),
        cmocka_unit_test(fifty_megapixels_take_less_than_16_mib),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
