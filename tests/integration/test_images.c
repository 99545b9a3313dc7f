/* Photos scaled down on their way into a store: what is kept, what its record says, and that no
 * picture, however odd, is refused. */
#include "test.h"

#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "camera.h"
#include "exif.h"
#include "picture.h"
#include "records.pb-c.h"
#include "store.h"
#include "world.h"

/* Between the library and its pictures: see the Makefile. */
static struct world *watched; /* NULL: nobody watches */
static unsigned scaled;

enum ocop_status __real_picture_scale(const struct picture_in *in, const struct picture_out *out,
                                      const struct picture_want *want, struct picture_done *done,
                                      struct ocop_error *err);
enum ocop_status __wrap_picture_scale(const struct picture_in *in, const struct picture_out *out,
                                      const struct picture_want *want, struct picture_done *done,
                                      struct ocop_error *err);
enum ocop_status __wrap_picture_scale(const struct picture_in *in, const struct picture_out *out,
                                      const struct picture_want *want, struct picture_done *done,
                                      struct ocop_error *err)
{
    scaled++;
    if (watched) {
        assert_int_equal(pthread_mutex_trylock(&watched->stores[1]->lock), 0);
        pthread_mutex_unlock(&watched->stores[1]->lock);
        world_inspect(watched, 1, "pass");
    }
    return __real_picture_scale(in, out, want, done, err);
}

/* --- what the tests share --------------------------------------------------------------------- */

static int open_world(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    world_open(w);
    world_enrol(w, 1);
    world_sync(w, 1);
    watched = NULL;
    scaled = 0;
    *state = w;
    return 0;
}

static int close_world(void **state)
{
    world_close(*state);
    free(*state);
    return 0;
}

static void set(struct world *w, struct ocop_image_settings how)
{
    struct ocop_error err = {0};
    must(ocop_set_image_settings(w->stores[1], &how, &err), &err);
}

static struct span shot(const struct camera *c)
{
    size_t len;
    const uint8_t *photo = camera_photo(c, &len);
    return span_of(photo, len);
}

static void forget(struct span photo)
{
    free((void *)(uintptr_t)photo.p);
}

static struct ocop_id attach(struct world *w, struct ocop_id record, struct span photo,
                             const char *role)
{
    struct ocop_error err = {0};
    struct ocop_id out;
    const struct ocop_attachment a = {
        .bytes = photo.p, .len = photo.len, .name = "IMG_1.jpg", .role = role};
    must(ocop_attach(w->stores[1], &record, &a, &out, &err), &err);
    return out;
}

/* The content of an attachment, in the world's arena; held against its record. */
static struct span content(struct world *w, struct ocop_id id, uint8_t original[HASH_LEN])
{
    struct ocop_error err = {0};
    ProtobufCMessage *m;
    uint8_t hash[HASH_LEN];
    size_t got;
    must(ocop_load(w->stores[1], &id, &m, &err), &err);
    const Ocop__Attachment *r = (Ocop__Attachment *)m;
    uint8_t *bytes = arena_alloc(&w->arena, (size_t)r->size + 1);
    must(ocop_file_read(w->stores[1], &id, 0, bytes, (size_t)r->size + 1, &got, &err), &err);
    assert_int_equal(got, r->size);
    hash_bytes(span_of(bytes, got), hash);
    assert_memory_equal(r->hash.data, hash, HASH_LEN);
    memset(original, 0, HASH_LEN);
    if (r->has_original_hash)
        memcpy(original, r->original_hash.data, HASH_LEN);
    ocop_free(m);
    return span_of(bytes, got);
}

/* It was kept byte for byte, and its record says of no other. */
static void expect_as_it_was(struct world *w, struct ocop_id id, struct span photo)
{
    static const uint8_t none[HASH_LEN];
    uint8_t original[HASH_LEN];
    assert_true(span_eq(content(w, id, original), photo));
    assert_memory_equal(original, none, HASH_LEN);
}

static size_t count_files(struct world *w, struct ocop_id record)
{
    struct ocop_error err = {0};
    struct ocop_file_list *list;
    must(ocop_files(w->stores[1], &record, &list, &err), &err);
    const size_t count = list->count;
    ocop_file_list_free(list);
    return count;
}

/* Files below FILE.blobs: those with their name; what is half written must not be there. */
static unsigned in_folder(struct world *w)
{
    char path[512], below[800];
    unsigned count = 0;
    snprintf(path, sizeof path, "%s/1.ocop.blobs", w->dir);
    DIR *dir = opendir(path);
    for (struct dirent *e; dir && (e = readdir(dir));) {
        if (e->d_name[0] == '.')
            continue;
        snprintf(below, sizeof below, "%s/%s", path, e->d_name);
        DIR *inner = opendir(below);
        for (struct dirent *f; inner && (f = readdir(inner));) {
            count += f->d_name[0] != '.';
            if (f->d_name[0] != '.' && strcmp(e->d_name, "new") == 0)
                fail_msg("%s is left", f->d_name);
        }
        closedir(inner);
    }
    if (dir)
        closedir(dir);
    return count;
}

static void expect_sound(struct world *w)
{
    struct ocop_error err = {0};
    unsigned findings;
    must(ocop_check(w->stores[1], NULL, NULL, &findings, &err), &err);
    assert_int_equal(findings, 0);
}

/* --- scaled ------------------------------------------------------------------------------------
 */

static void a_photo_is_kept_as_it_comes_until_the_store_says_otherwise(void **state)
{
    struct world *w = *state;
    struct span photo = shot(&(struct camera){.width = 3000, .height = 2000});
    expect_as_it_was(w, attach(w, world_inspect(w, 1, "pass"), photo, "photo"), photo);
    assert_int_equal(scaled, 0);
    forget(photo);
}

static void a_large_photo_becomes_smaller_and_says_of_what_it_was_made(void **state)
{
    struct world *w = *state;
    uint8_t original[HASH_LEN], hash[HASH_LEN];
    struct camera_seen seen;
    struct exif e;
    struct span photo =
        shot(&(struct camera){.width = 3000, .height = 2000, .exif = camera_exif()});
    set(w, (struct ocop_image_settings){.side_max = 1024, .quality = 80});
    struct ocop_id record = world_inspect(w, 1, "pass"), id = attach(w, record, photo, "photo");
    struct span kept = content(w, id, original);
    hash_bytes(photo, hash);
    assert_memory_equal(original, hash, HASH_LEN);
    assert_true(kept.len < photo.len / 4);
    assert_true(camera_look(kept, &seen));
    assert_int_equal(seen.width, 1024);
    assert_int_equal(seen.height, 683);
    assert_true(exif_read(span_of(seen.exif, seen.exif_len), &e));
    assert_int_equal(e.orientation, 6);
    assert_true(e.has_place);
    /* The same photo twice is one content, as without scaling. */
    struct ocop_id again = attach(w, record, photo, "photo");
    assert_true(span_eq(content(w, again, original), kept));
    assert_int_equal(in_folder(w), 1);
    assert_int_equal(count_files(w, record), 2);
    expect_sound(w);
    assert_int_equal(world_sync(w, 1).files_sent, 1);
    assert_int_equal(world_count(w, "SELECT count(*) FROM attachment WHERE original_hash NOTNULL"),
                     2);
    forget(photo);
}

static void recording_goes_on_while_a_photo_is_scaled(void **state)
{
    struct world *w = *state;
    struct span photo = shot(&(struct camera){.width = 1000, .height = 800});
    set(w, (struct ocop_image_settings){.side_max = 320, .quality = 80});
    struct ocop_id record = world_inspect(w, 1, "pass");
    watched = w;
    attach(w, record, photo, "photo");
    assert_int_equal(scaled, 1);
    assert_int_equal(world_sync(w, 1).applied, 3);
    forget(photo);
}

static void the_original_is_kept_besides_when_that_is_wanted(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct ocop_file_list *list;
    uint8_t original[HASH_LEN];
    struct span photo = shot(&(struct camera){.width = 3000, .height = 2000});
    set(w, (struct ocop_image_settings){.side_max = 640, .quality = 70, .keep_original = true});
    struct ocop_id record = world_inspect(w, 1, "pass"), id = attach(w, record, photo, "photo");
    assert_true(content(w, id, original).len < photo.len);
    must(ocop_files(w->stores[1], &record, &list, &err), &err);
    assert_int_equal(list->count, 2);
    const unsigned other = memcmp(&list->files[0].id, &id, sizeof id) == 0;
    assert_memory_equal(list->files[other].hash, original, HASH_LEN);
    expect_as_it_was(w, list->files[other].id, photo);
    ocop_file_list_free(list);
    assert_int_equal(in_folder(w), 2);
    expect_sound(w);
    assert_int_equal(world_sync(w, 1).files_sent, 2);
    forget(photo);
}

static void what_the_camera_noted_stays_behind_even_of_a_small_one(void **state)
{
    struct world *w = *state;
    uint8_t original[HASH_LEN];
    struct camera_seen seen;
    struct exif e;
    struct span photo = shot(&(struct camera){.width = 400, .height = 300, .exif = camera_exif()});
    set(w, (struct ocop_image_settings){.side_max = 1024, .quality = 80, .strip = true});
    struct ocop_id record = world_inspect(w, 1, "pass");
    struct span kept = content(w, attach(w, record, photo, "photo"), original);
    assert_true(camera_look(kept, &seen));
    assert_int_equal(seen.width, 400);
    assert_true(exif_read(span_of(seen.exif, seen.exif_len), &e));
    assert_int_equal(e.orientation, 6);
    assert_string_equal(e.taken, "");
    assert_false(e.has_place);
    forget(photo);
}

/* What cannot be decoded, what is no photo by its role, what is no JPEG, and what is not to be
 * scaled at all. */
static void nothing_that_the_camera_noted_goes_on_in_any_image(void **state)
{
    struct world *w = *state;
    struct camera c = {.width = 800, .height = 600, .exif = camera_exif()}, print = c;
    print.form = CAMERA_PRINT;
    struct span photo = shot(&c), four = shot(&print), cut = span_of(photo.p, photo.len / 2);
    const struct {
        struct span in;
        const char *role;
    } cases[] = {{photo, "photo"},        {cut, "photo"},          {four, "photo"},
                 {photo, "document"},     {camera_png(), "photo"}, {camera_png(), "other"},
                 {camera_webp(), "photo"}};
    for (unsigned side = 0; side <= 1024; side += 1024) {
        set(w, (struct ocop_image_settings){.side_max = side, .quality = 80, .strip = true});
        struct ocop_id record = world_inspect(w, 1, "pass");
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            uint8_t original[HASH_LEN], hash[HASH_LEN];
            assert_true(camera_told(cases[i].in, "SECRET"));
            struct span kept = content(w, attach(w, record, cases[i].in, cases[i].role), original);
            if (camera_told(kept, "SECRET") || camera_told(kept, "2026:08"))
                fail_msg("case %zu, side %u: what the camera noted goes on", i, side);
            hash_bytes(cases[i].in, hash);
            assert_memory_equal(original, hash, HASH_LEN);
        }
    }
    expect_sound(w);
    forget(photo);
    forget(four);
}

static void an_original_that_is_kept_is_stripped_too(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct ocop_file_list *list;
    uint8_t original[HASH_LEN], hash[HASH_LEN];
    struct camera_seen seen;
    struct span photo =
        shot(&(struct camera){.width = 2000, .height = 1500, .exif = camera_exif()});
    set(w, (struct ocop_image_settings){
               .side_max = 640, .quality = 70, .strip = true, .keep_original = true});
    struct ocop_id record = world_inspect(w, 1, "pass");
    attach(w, record, photo, "photo");
    must(ocop_files(w->stores[1], &record, &list, &err), &err);
    assert_int_equal(list->count, 2);
    hash_bytes(photo, hash);
    unsigned large = 0;
    for (size_t i = 0; i < 2; i++) {
        struct span kept = content(w, list->files[i].id, original);
        assert_false(camera_told(kept, "SECRET"));
        assert_memory_equal(original, hash, HASH_LEN);
        assert_true(camera_look(kept, &seen));
        large += seen.width == 2000;
    }
    assert_int_equal(large, 1);
    ocop_file_list_free(list);
    assert_int_equal(in_folder(w), 2);
    expect_sound(w);
    forget(photo);
}

/* Encoded anew until nothing changes by that; in the world's arena. */
static struct span settled(struct world *w, struct ocop_id record)
{
    uint8_t original[HASH_LEN];
    struct span photo = shot(&(struct camera){.width = 64, .height = 64}), was = photo, is = was;
    set(w, (struct ocop_image_settings){.side_max = 640, .quality = 80, .strip = true});
    for (unsigned n = 0; n < 30; n++) {
        was = is;
        is = content(w, attach(w, record, was, "photo"), original);
    }
    assert_true(span_eq(was, is));
    forget(photo);
    return is;
}

static void an_original_that_comes_out_as_it_was_is_not_attached_twice(void **state)
{
    static const uint8_t note[] = "\xff\xd8\xff\xfe\0\10SECRET";
    struct world *w = *state;
    uint8_t original[HASH_LEN], hash[HASH_LEN], noted[8192];
    struct ocop_id first = world_inspect(w, 1, "pass"), second = world_inspect(w, 1, "pass");
    const struct span photo = settled(w, world_inspect(w, 1, "pass"));
    assert_true(photo.len + sizeof note < sizeof noted);
    memcpy(noted, note, sizeof note - 1);
    memcpy(noted + sizeof note - 1, photo.p + 2, photo.len - 2);
    const struct span in = span_of(noted, photo.len + sizeof note - 3);
    set(w, (struct ocop_image_settings){
               .side_max = 640, .quality = 80, .strip = true, .keep_original = true});
    expect_as_it_was(w, attach(w, first, photo, "photo"), photo);
    assert_int_equal(count_files(w, first), 1);
    assert_true(span_eq(content(w, attach(w, second, in, "photo"), original), photo));
    assert_int_equal(count_files(w, second), 1);
    hash_bytes(in, hash);
    assert_memory_equal(original, hash, HASH_LEN);
    expect_sound(w);
}

static void what_cannot_be_stripped_is_refused_and_the_setting_is_named(void **state)
{
    static const struct {
        const char *role, *bytes;
        size_t len;
    } bad[] = {{"photo",
                "\0\0\0\x18"
                "ftypheic",
                12},
               {"photo", "GIF89a", 6},
               {"document", "II*\0", 4},
               {"photo",
                "\0\0\0\x18"
                "ftypmsf1",
                12},
               {"document", "\0\0\0\x0cJXL \r\n\x87\n", 12},
               {"other", "8BPS\0\1", 6},
               {"other", "<!-- drawn --><!DOCTYPE svg><svg>SECRET</svg>", 45},
               {"signature", "<svg><metadata>SECRET</metadata></svg>", 38},
               {"photo", "\xff\xd8\xff\0", 4},
               {"photo", "\xff\xd8\xff\xd9\xff\xd8\xff\xda\0\6\0\0\0\0PICTURE\xff\xd9", 23}},
      good[] = {{"document", "%PDF-1.7 SECRET", 15}, {"other", "SECRET", 6}};
    const struct ocop_strokes strokes = {
        .strokes = &(struct ocop_stroke){&(struct ocop_point){.x = 1, .y = 2}, 1}, .count = 1};
    struct world *w = *state;
    struct ocop_error err = {0};
    struct ocop_id out, record = world_inspect(w, 1, "pass");
    set(w, (struct ocop_image_settings){.quality = 80, .strip = true});
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const struct ocop_attachment a = {
            .bytes = bad[i].bytes, .len = bad[i].len, .role = bad[i].role};
        assert_int_equal(ocop_attach(w->stores[1], &record, &a, &out, &err), OCOP_EINVAL);
        assert_string_equal(err.field, "strip");
    }
    assert_int_equal(in_folder(w), 0);
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct span in = span_of((const uint8_t *)good[i].bytes, good[i].len);
        expect_as_it_was(w, attach(w, record, in, good[i].role), in);
    }
    must(ocop_attach_strokes(w->stores[1], &record, &strokes, NULL, &out, &err), &err);
}

/* A child is killed at any moment of it: then there is the photo with its original, or neither, and
 * nothing lies about. */
static void a_killed_program_leaves_a_photo_with_its_original_or_neither(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    char path[128];
    unsigned killed = 0, removed;
    struct ocop_id record = world_inspect(w, 1, "pass");
    set(w, (struct ocop_image_settings){.side_max = 640, .quality = 80, .keep_original = true});
    ocop_close(w->stores[1]);
    w->stores[1] = NULL;
    snprintf(path, sizeof path, "%s/1.ocop", w->dir);
    for (unsigned n = 0; n < 20; n++) {
        struct span photo =
            shot(&(struct camera){.width = 1200, .height = 900, .seed = (uint8_t)n});
        const struct ocop_attachment a = {.bytes = photo.p, .len = photo.len, .role = "photo"};
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            struct ocop_store *s;
            struct ocop_id out;
            if (ocop_open(path, NULL, &s, NULL) != OCOP_OK)
                _exit(1);
            _exit(ocop_attach(s, &record, &a, &out, NULL) == OCOP_OK ? 0 : 1);
        }
        const struct timespec later = {0, (long)n * 2000000};
        nanosleep(&later, NULL);
        kill(child, SIGKILL);
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        killed += WIFSIGNALED(status);
        must(
            ocop_open(path, &(struct ocop_options){.link = &w->links[1].link}, &w->stores[1], &err),
            &err);
        must(ocop_files_sweep(w->stores[1], &removed, &err), &err);
        const size_t kept = count_files(w, record);
        assert_int_equal(kept % 2, 0);
        assert_int_equal(in_folder(w), kept);
        expect_sound(w);
        forget(photo);
        if (n < 19) {
            ocop_close(w->stores[1]);
            w->stores[1] = NULL;
        }
    }
    assert_true(killed > 0);
}

/* --- not scaled --------------------------------------------------------------------------------
 */

static void what_is_small_or_odd_or_a_paper_is_kept_as_it_is(void **state)
{
    struct world *w = *state;
    struct ocop_id record = world_inspect(w, 1, "pass");
    static const uint8_t png[40] = "\x89PNG\r\n\x1a\n";
    set(w, (struct ocop_image_settings){.side_max = 640, .quality = 80});
    const struct {
        struct camera camera;
        const char *role;
        unsigned cut; /* hundredths of it that are there */
    } cases[] = {
        {{.width = 640, .height = 480}, "photo", 100},
        {{.width = 2000, .height = 1500}, "document", 100},
        {{.width = 2000, .height = 1500, .seed = 1}, "laboratory_report", 100},
        {{.width = 2000, .height = 1500}, "photo", 60},
        {{.width = 2000, .height = 1500, .form = CAMERA_PRINT}, "photo", 100},
        {{.width = 2000, .height = 1500, .form = CAMERA_MANY_SCANS}, "photo", 100},
        {{.width = 6000, .height = 4000, .form = CAMERA_PROGRESSIVE}, "photo", 100},
        {{.width = 700, .height = 500, .quality = 5}, "photo", 100}, /* it would become larger */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct span photo = shot(&cases[i].camera), part = photo;
        part.len = photo.len * cases[i].cut / 100;
        expect_as_it_was(w, attach(w, record, part, cases[i].role), part);
        forget(photo);
    }
    expect_as_it_was(w, attach(w, record, span_of(png, sizeof png), "photo"),
                     span_of(png, sizeof png));
    assert_int_equal(in_folder(w), sizeof cases / sizeof *cases + 1);
    expect_sound(w);
}

static void what_is_no_photo_is_refused_as_ever(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct ocop_id out, record = world_inspect(w, 1, "pass");
    set(w, (struct ocop_image_settings){.side_max = 640, .quality = 80});
    const struct ocop_attachment text = {.bytes = "Biên bản", .len = 11, .role = "photo"};
    assert_int_equal(ocop_attach(w->stores[1], &record, &text, &out, &err), OCOP_EINVAL);
    assert_string_equal(err.field, "role");
    const struct ocop_attachment lie = {
        .bytes = "GIF89a..", .len = 8, .role = "photo", .media_type = "image/jpeg"};
    assert_int_equal(ocop_attach(w->stores[1], &record, &lie, &out, &err), OCOP_EINVAL);
    assert_string_equal(err.field, "media_type");
    assert_int_equal(scaled, 0);
    assert_int_equal(in_folder(w), 0);
}

/* The limit of one file is that of what is kept. */
static void a_photo_may_be_too_large_before_it_is_scaled(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct ocop_id out, record = world_inspect(w, 1, "pass");
    struct ocop_file_limits limits = {100000, 200000, 400000};
    struct span photo = shot(&(struct camera){.width = 3000, .height = 2000});
    const struct ocop_attachment a = {
        .bytes = photo.p, .len = photo.len, .role = "photo", .name = "a.jpg"};
    assert_true(photo.len > limits.store_bytes);
    must(ocop_set_file_limits(w->stores[1], &limits, &err), &err);
    assert_int_equal(ocop_attach(w->stores[1], &record, &a, &out, &err), OCOP_ELIMIT);
    set(w, (struct ocop_image_settings){.side_max = 640, .quality = 80});
    must(ocop_attach(w->stores[1], &record, &a, &out, &err), &err);
    set(w, (struct ocop_image_settings){.side_max = 2900, .quality = 95});
    assert_int_equal(ocop_attach(w->stores[1], &record, &a, &out, &err), OCOP_ELIMIT);
    assert_string_equal(err.field, "bytes");
    set(w, (struct ocop_image_settings){.side_max = 640, .quality = 70, .keep_original = true});
    assert_int_equal(ocop_attach(w->stores[1], &record, &a, &out, &err), OCOP_ELIMIT);
    assert_int_equal(in_folder(w), 1);
    assert_int_equal(count_files(w, record), 1);
    forget(photo);
}

static void the_limit_is_that_of_an_image_without_its_notes(void **state)
{
    static const uint8_t head[] = "\x89PNG\r\n\x1a\n\0\0\0\15IHDR\0\0\0\1\0\0\0\1\10\0\0\0\0crc."
                                  "\0\2\0\0tEXt",
                         tail[] = "crc.\0\0\0\15IDAT\x78\1\1\2\0\xfd\xff\0P\0R\0Qcrc."
                                  "\0\0\0\0IENDcrc.";
    enum { NOTE = 0x20000 };
    static uint8_t png[sizeof head + NOTE + sizeof tail];
    struct world *w = *state;
    struct ocop_error err = {0};
    struct ocop_id out, record = world_inspect(w, 1, "pass");
    const struct ocop_file_limits limits = {100000, 200000, 400000};
    const struct ocop_attachment a = {
        .bytes = png, .len = sizeof head + NOTE + sizeof tail - 2, .role = "photo"};
    memcpy(png, head, sizeof head - 1);
    memcpy(png + sizeof head - 1 + NOTE, tail, sizeof tail - 1);
    camera_png_sums(png, a.len);
    must(ocop_set_file_limits(w->stores[1], &limits, &err), &err);
    set(w, (struct ocop_image_settings){.side_max = 640, .quality = 80});
    assert_int_equal(ocop_attach(w->stores[1], &record, &a, &out, &err), OCOP_ELIMIT);
    set(w, (struct ocop_image_settings){.side_max = 640, .quality = 80, .strip = true});
    must(ocop_attach(w->stores[1], &record, &a, &out, &err), &err);
}

/* --- settings ----------------------------------------------------------------------------------
 */

static void settings_are_the_store_s_and_refused_by_name(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct ocop_image_settings how;
    must(ocop_get_image_settings(w->stores[1], &how, &err), &err);
    assert_true(how.side_max == 0 && how.quality == 80 && !how.strip && !how.keep_original);
    set(w, (struct ocop_image_settings){2048, 75, true, true});
    world_relink(w, 1, &w->links[1].link);
    must(ocop_get_image_settings(w->stores[1], &how, &err), &err);
    assert_true(how.side_max == 2048 && how.quality == 75 && how.strip && how.keep_original);
    const struct {
        struct ocop_image_settings how;
        const char *field;
    } bad[] = {{{.side_max = 319, .quality = 80}, "side_max"},
               {{.side_max = 8193, .quality = 80}, "side_max"},
               {{.side_max = 640, .quality = 29}, "quality"},
               {{.side_max = 640, .quality = 101}, "quality"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(ocop_set_image_settings(w->stores[1], &bad[i].how, &err), OCOP_ELIMIT);
        assert_string_equal(err.field, bad[i].field);
    }
    must(ocop_get_image_settings(w->stores[1], &how, &err), &err);
    assert_int_equal(how.side_max, 2048);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)
    const struct CMUnitTest tests[] = {
        TEST(a_photo_is_kept_as_it_comes_until_the_store_says_otherwise),
        TEST(a_large_photo_becomes_smaller_and_says_of_what_it_was_made),
        TEST(recording_goes_on_while_a_photo_is_scaled),
        TEST(the_original_is_kept_besides_when_that_is_wanted),
        TEST(what_the_camera_noted_stays_behind_even_of_a_small_one),
        TEST(nothing_that_the_camera_noted_goes_on_in_any_image),
        TEST(an_original_that_is_kept_is_stripped_too),
        TEST(an_original_that_comes_out_as_it_was_is_not_attached_twice),
        TEST(what_cannot_be_stripped_is_refused_and_the_setting_is_named),
        TEST(a_killed_program_leaves_a_photo_with_its_original_or_neither),
        TEST(what_is_small_or_odd_or_a_paper_is_kept_as_it_is),
        TEST(what_is_no_photo_is_refused_as_ever),
        TEST(a_photo_may_be_too_large_before_it_is_scaled),
        TEST(the_limit_is_that_of_an_image_without_its_notes),
        TEST(settings_are_the_store_s_and_refused_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
