/* Thumbnails: made by a process that can do nothing else, given to who may see the photo, and none
 * of it the worse for a maker that lies, dies or hangs. */
#include "test.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "camera.h"
#include "exif.h"
#include "office.h"
#include "store.h"
#include "thumbs.h"
#include "thumbs_all.h"
#include "world.h"

/* --- what the tests share --------------------------------------------------------------------- */

/* Beside ocopd, as an office has it. */
static const char *maker(void)
{
    static char path[PROCESS_PATH_MAX + 32];
    const char *ocopd = process_ocopd(), *slash = strrchr(ocopd, '/');
    snprintf(path, sizeof path, "%.*s/ocop-thumbnail", slash ? (int)(slash - ocopd) : 1,
             slash ? ocopd : ".");
    return path;
}

/* A maker of the test's own, in the world's folder. */
static const char *script(struct world *w, const char *lines)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/maker.sh", w->dir);
    FILE *f = fopen(path, "w");
    fprintf(f, "#!/bin/sh\n%s\n", lines);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(chmod(path, 0700), 0);
    return path;
}

static void employ(struct world *w, const char *path, const struct env *env)
{
    struct ocop_error err = {0};
    thumbs_close(w->registry->thumbs);
    must(thumbs_open(&w->registry->blobs, path, env, &w->registry->thumbs, &err), &err);
}

/* Two devices of one commune, and a maker. */
static int open_world(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    world_open(w);
    for (unsigned n = 0; n < 2; n++) {
        world_enrol(w, n);
        world_sync(w, n);
    }
    employ(w, maker(), env_system());
    *state = w;
    return 0;
}

static int close_world(void **state)
{
    struct world *w = *state;
    thumbs_close(w->registry->thumbs);
    w->registry->thumbs = NULL;
    world_close(w);
    free(w);
    return 0;
}

/* Until nothing is left to be made. */
static void work(struct world *w)
{
    while (thumbs_turn(w->registry->thumbs))
        sched_yield();
}

struct photo {
    struct ocop_id record, id;
    uint8_t hash[HASH_LEN];
};

/* Of device 1; the registry has it, and device 0 its record. The bytes are freed. */
static struct photo photo_of(struct world *w, uint8_t *bytes, size_t len)
{
    struct ocop_error err = {0};
    struct photo p;
    const struct ocop_attachment a = {
        .bytes = bytes, .len = len, .role = "photo", .name = "IMG_1.jpg"};
    p.record = world_inspect(w, 1, "pass");
    must(ocop_attach(w->stores[1], &p.record, &a, &p.id, &err), &err);
    hash_bytes(span_of(bytes, len), p.hash);
    free(bytes);
    assert_int_equal(world_sync(w, 1).files_sent, 1);
    world_sync(w, 0);
    return p;
}

/* `cut`: hundredths of it that are there. */
static struct photo photo(struct world *w, const struct camera *c, unsigned cut)
{
    size_t len;
    uint8_t *bytes = camera_photo(c, &len);
    return photo_of(w, bytes, len * cut / 100);
}

static unsigned want(struct world *w, unsigned n, struct ocop_id of)
{
    struct ocop_error err = {0};
    unsigned wanted;
    must(ocop_fetch_thumbnails(w->stores[n], &of, &wanted, &err), &err);
    return wanted;
}

static void expect_none(struct world *w, unsigned n, struct ocop_id id, const char *why)
{
    struct ocop_error err = {0};
    uint8_t image[OCOP_THUMBNAIL_BYTES_MAX];
    size_t len;
    assert_int_equal(ocop_thumbnail_read(w->stores[n], &id, image, &len, &err), OCOP_ENOTFOUND);
    if (!strstr(err.text, why))
        fail_msg("%s", err.text);
}

static struct camera_seen seen_on(struct world *w, unsigned n, struct ocop_id id)
{
    struct ocop_error err = {0};
    uint8_t image[OCOP_THUMBNAIL_BYTES_MAX];
    struct camera_seen seen;
    size_t len;
    must(ocop_thumbnail_read(w->stores[n], &id, image, &len, &err), &err);
    assert_true(camera_look(span_of(image, len), &seen));
    return seen;
}

static enum thumb_state look(struct world *w, const struct photo *p)
{
    struct ocop_error err = {0};
    enum thumb_state state;
    uint8_t image[OCOP_THUMBNAIL_BYTES_MAX];
    size_t len;
    must(thumbs_look(&w->registry->blobs, p->hash, &state, image, &len, &err), &err);
    assert_int_equal(len > 0, state == THUMB_HERE);
    return state;
}

/* --- the way of one ----------------------------------------------------------------------------
 */

static void a_device_gets_the_thumbnail_and_not_the_photo(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct exif e;
    size_t got;
    uint8_t byte;
    struct photo p =
        photo(w, &(struct camera){.width = 2000, .height = 1500, .exif = camera_exif()}, 100);
    work(w); /* it is made as soon as the photo is here */
    assert_int_equal(look(w, &p), THUMB_HERE);
    expect_none(w, 0, p.id, "not on this device");
    assert_int_equal(want(w, 0, p.record), 1);
    expect_none(w, 0, p.id, "not fetched yet");
    struct ocop_sync_summary sum = world_sync(w, 0);
    assert_int_equal(sum.thumbnails_received, 1);
    assert_int_equal(sum.files_received, 0);
    struct camera_seen seen = seen_on(w, 0, p.id);
    assert_int_equal(seen.width, 256);
    assert_int_equal(seen.height, 192);
    assert_true(seen.left < seen.right);
    assert_true(exif_read(span_of(seen.exif, seen.exif_len), &e));
    assert_int_equal(e.orientation, 6); /* shown as its photo is */
    assert_false(e.has_place);
    assert_int_equal(ocop_file_read(w->stores[0], &p.id, 0, &byte, 1, &got, &err), OCOP_ENOTFOUND);
    assert_int_equal(want(w, 0, p.id), 0);
    assert_int_equal(world_sync(w, 0).thumbnails_received, 0);
    unsigned findings;
    must(ocop_check(w->stores[0], NULL, NULL, &findings, &err), &err);
    assert_int_equal(findings, 0);
}

static void so_it_does_of_a_png(void **state)
{
    struct world *w = *state;
    size_t len;
    uint8_t *png =
        camera_screenshot(&(struct camera_png){1000, 800, PNG_RGB, 8, false, false}, &len);
    struct photo p = photo_of(w, png, len);
    work(w);
    assert_int_equal(want(w, 0, p.record), 1);
    assert_int_equal(world_sync(w, 0).thumbnails_received, 1);
    assert_int_equal(seen_on(w, 0, p.id).width, 256);
}

static void one_that_is_not_made_yet_comes_with_a_later_sync(void **state)
{
    struct world *w = *state;
    struct photo p = photo(w, &(struct camera){.width = 800, .height = 600}, 100);
    employ(w, maker(), env_system()); /* as after a restart: nothing is on its way */
    assert_int_equal(want(w, 0, p.id), 1);
    assert_int_equal(world_sync(w, 0).thumbnails_received, 0);
    work(w); /* that it was asked for was enough */
    assert_int_equal(world_sync(w, 0).thumbnails_received, 1);
    assert_int_equal(seen_on(w, 0, p.id).width, 256);
}

static void who_may_not_have_the_photo_gets_no_thumbnail(void **state)
{
    struct world *w = *state;
    struct photo p = photo(w, &(struct camera){.width = 800, .height = 600}, 100);
    work(w);
    /* Nobody has shown to have it: as when its hash was heard of. */
    assert_int_equal(sqlite3_exec(w->registry->db, "DELETE FROM brought", NULL, NULL, NULL),
                     SQLITE_OK);
    want(w, 0, p.id);
    struct ocop_sync_summary sum = world_sync(w, 0);
    assert_int_equal(sum.thumbnails_received, 0);
    assert_true(sum.bytes_received < 2000);
    expect_none(w, 0, p.id, "not fetched yet");
}

static void many_come_in_few_exchanges_and_the_last_are_kept(void **state)
{
    enum { PHOTOS = 20 };
    struct world *w = *state;
    struct ocop_error err = {0};
    struct photo p[PHOTOS];
    unsigned wanted;
    for (unsigned i = 0; i < PHOTOS; i++) {
        p[i] = photo(w, &(struct camera){.width = 300, .height = 200, .seed = (uint8_t)i}, 100);
        work(w);
    }
    must(ocop_fetch_thumbnails(w->stores[0], NULL, &wanted, &err), &err);
    assert_int_equal(wanted, PHOTOS);
    const unsigned before = w->links[0].exchanges;
    assert_int_equal(world_sync(w, 0).thumbnails_received, PHOTOS);
    assert_int_equal(w->links[0].exchanges - before, 1 + 2); /* sixteen, and the rest */
    seen_on(w, 0, p[0].id);
    /* More than are kept: who came first goes. */
    struct ocop_store *s = w->stores[0];
    must(store_begin(s, &err), &err);
    for (unsigned i = 0; i < THUMBNAILS_KEPT_MAX - 1; i++) {
        struct thumbnail_row row = {
            .state = THUMBNAIL_HERE, .image = span_str("x"), .at_ms = INT64_MAX};
        memcpy(row.hash, &i, sizeof i);
        must(store_thumbnail_put(s, &row, &err), &err);
    }
    must(store_thumbnails_trim(s, &err), &err);
    must(store_commit(s, &err), &err);
    unsigned here = 0;
    for (unsigned i = 0; i < PHOTOS; i++) {
        uint8_t image[OCOP_THUMBNAIL_BYTES_MAX];
        size_t len;
        here += ocop_thumbnail_read(s, &p[i].id, image, &len, &err) == OCOP_OK;
    }
    assert_int_equal(here, 1);
}

/* --- makers ------------------------------------------------------------------------------------
 */

static void what_is_no_picture_is_tried_once(void **state)
{
    struct world *w = *state;
    struct photo p = photo(w, &(struct camera){.width = 800, .height = 600}, 50);
    work(w);
    assert_int_equal(look(w, &p), THUMB_NONE);
    employ(w, script(w, "echo again >>again; exit 0"), env_system());
    thumbs_want(w->registry->thumbs, p.hash);
    assert_false(thumbs_turn(w->registry->thumbs));
    want(w, 0, p.id);
    world_sync(w, 0);
    expect_none(w, 0, p.id, "has no thumbnail of it");
    assert_int_equal(access("again", F_OK), -1);
}

static void a_maker_that_dies_lies_or_writes_too_much_is_tried_three_times(void **state)
{
    struct world *w = *state;
    static const char *const makers[] = {
        "kill -9 $$", "kill -31 $$",     "exit 1",
        "exit 0",     "echo no picture", "printf '\\377\\330\\377'; head -c 20000 /dev/zero",
    };
    for (unsigned i = 0; i < sizeof makers / sizeof *makers; i++) {
        struct ocop_error err = {0};
        employ(w, "/nowhere/ocop-thumbnail", env_system());
        struct photo p =
            photo(w, &(struct camera){.width = 300, .height = 200, .seed = (uint8_t)i}, 100);
        employ(w, script(w, makers[i]), env_system());
        for (unsigned tried = 0; tried < THUMBS_TRIES; tried++) {
            assert_int_equal(look(w, &p), THUMB_UNMADE);
            thumbs_want(w->registry->thumbs, p.hash);
            assert_true(thumbs_turn(w->registry->thumbs));
            work(w);
        }
        assert_int_equal(look(w, &p), THUMB_NONE);
        /* A later program may do better. */
        must(thumbs_forgive(&w->registry->blobs, &err), &err);
        employ(w, maker(), env_system());
        thumbs_want(w->registry->thumbs, p.hash);
        work(w);
        assert_int_equal(look(w, &p), THUMB_HERE);
    }
}

/* A clock that is a minute later each time that it is asked. */
static int64_t hasty_ms(void *self)
{
    return *(int64_t *)self += 60000;
}

static void a_maker_that_hangs_is_killed(void **state)
{
    struct world *w = *state;
    int64_t now = 0;
    struct env hasty = *env_system();
    hasty.mono_ms = hasty_ms;
    hasty.self = &now;
    employ(w, "/nowhere/ocop-thumbnail", env_system());
    struct photo p = photo(w, &(struct camera){.width = 300, .height = 200}, 100);
    employ(w, script(w, "exec sleep 1000"), &hasty);
    for (unsigned tried = 0; tried < THUMBS_TRIES; tried++) {
        thumbs_want(w->registry->thumbs, p.hash);
        work(w);
    }
    assert_int_equal(look(w, &p), THUMB_NONE);
}

static int64_t still_ms(void *self)
{
    return *(int64_t *)self;
}

/* No memory, a disk that fails: it rests a while, and says nothing against the picture. */
static void a_maker_that_could_not_is_asked_again_later(void **state)
{
    struct world *w = *state;
    int64_t now = 1000;
    struct env env = *env_system();
    env.mono_ms = still_ms;
    env.self = &now;
    employ(w, "/nowhere/ocop-thumbnail", env_system());
    struct photo p = photo(w, &(struct camera){.width = 300, .height = 200}, 100);
    struct photo q = photo(w, &(struct camera){.width = 300, .height = 200, .seed = 1}, 100);
    employ(w, script(w, "test -e $0.again || exit 5; printf '\\377\\330\\377'"), &env);
    for (unsigned day = 0; day < 5; day++) {
        thumbs_want(w->registry->thumbs, p.hash);
        assert_true(thumbs_turn(w->registry->thumbs));
        work(w);
        assert_int_equal(look(w, &p), THUMB_UNMADE);
        thumbs_want(w->registry->thumbs, p.hash);
        assert_false(thumbs_turn(w->registry->thumbs)); /* it rests */
        now += 86400000;
    }
    char again[160];
    snprintf(again, sizeof again, "%s/maker.sh.again", w->dir);
    thumbs_want(w->registry->thumbs, p.hash);
    work(w);
    fclose(fopen(again, "w"));
    thumbs_want(w->registry->thumbs, q.hash); /* others do not */
    work(w);
    assert_int_equal(look(w, &q), THUMB_HERE);
    now += 86400000;
    thumbs_want(w->registry->thumbs, p.hash);
    work(w);
    assert_int_equal(look(w, &p), THUMB_HERE);
}

/* A maker may say so of one picture each time, and the device asks with each sync. */
static void one_that_is_put_off_again_and_again_is_given_up(void **state)
{
    struct world *w = *state;
    int64_t now = 1000, rest = 600000;
    unsigned tried = 0;
    struct env env = *env_system();
    struct thumbs_found found;
    struct ocop_error err = {0};
    env.mono_ms = still_ms;
    env.self = &now;
    employ(w, "/nowhere/ocop-thumbnail", env_system());
    struct photo p = photo(w, &(struct camera){.width = 300, .height = 200}, 100);
    employ(w, script(w, "exit 5"), &env);
    for (; look(w, &p) == THUMB_UNMADE && tried < 100; tried++) {
        thumbs_want(w->registry->thumbs, p.hash);
        assert_true(thumbs_turn(w->registry->thumbs));
        work(w);
        now += rest - 1;
        thumbs_want(w->registry->thumbs, p.hash);
        assert_false(thumbs_turn(w->registry->thumbs)); /* it rests longer each time */
        now += 1;
        rest *= 2;
        if (tried % 2) /* also for who is started anew */
            employ(w, script(w, "exit 5"), &env);
    }
    assert_int_equal(tried, THUMBS_LATER_TRIES);
    want(w, 0, p.id);
    world_sync(w, 0);
    expect_none(w, 0, p.id, "has no thumbnail of it");
    /* Until the office asks. */
    must(thumbs_make(w->registry, maker(), &found, &err), &err);
    assert_int_equal(found.made, 1);
    assert_int_equal(look(w, &p), THUMB_HERE);
}

/* It can be made again, so nobody waits for the office to find it. */
static void a_thumbnail_that_is_damaged_is_made_anew(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct thumbs_found found;
    struct content_dir thumbs;
    char path[PATH_MAX], folder[PATH_MAX];
    uint8_t byte;
    struct photo p = photo(w, &(struct camera){.width = 300, .height = 200}, 100);
    work(w);
    snprintf(path, sizeof path, "%s/thumb", w->registry->blobs.path);
    must(content_dir_init(&thumbs, path, NULL, env_system(), &err), &err);
    content_path(&thumbs, p.hash, path, folder);
    for (unsigned how = 0; how < 6; how++) {
        assert_int_equal(look(w, &p), THUMB_HERE);
        const int fd = open(path, O_RDWR);
        const off_t len = lseek(fd, 0, SEEK_END), at = how == 0 ? 0 : how == 1 ? len / 2 : len - 1;
        assert_int_equal(pread(fd, &byte, 1, at), 1);
        byte ^= 1;
        if (how < 3)
            assert_int_equal(pwrite(fd, &byte, 1, at), 1);
        else
            assert_int_equal(ftruncate(fd, how == 3 ? len - 1 : how == 4 ? 0 : len + 20000), 0);
        assert_int_equal(close(fd), 0);
        assert_int_equal(look(w, &p), THUMB_UNMADE);
        if (how % 2) {
            must(thumbs_make(w->registry, maker(), &found, &err), &err);
            assert_int_equal(found.made, 1);
            continue;
        }
        want(w, 0, p.id);
        world_sync(w, 0);
        work(w);
    }
    world_sync(w, 0);
    assert_int_equal(seen_on(w, 0, p.id).width, 256);
}

/* A picture that took over the maker ends it as it likes: that stops none of the others. */
static void what_a_maker_says_of_the_machine_counts_until_it_has_made_one(void **state)
{
    static const char *const lines[] = {
        "test -e $0.ends && exit 4; printf '\\377\\330\\377'",
        "test -e $0.ends && exec /nowhere/else; printf '\\377\\330\\377'",
    };
    struct world *w = *state;
    int64_t now = 1000;
    char ends[160];
    struct env env = *env_system();
    env.mono_ms = still_ms;
    env.self = &now;
    snprintf(ends, sizeof ends, "%s/maker.sh.ends", w->dir);
    for (unsigned i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct photo of[3];
        employ(w, "/nowhere/ocop-thumbnail", env_system());
        for (unsigned n = 0; n < 3; n++)
            of[n] = photo(
                w, &(struct camera){.width = 300, .height = 200, .seed = (uint8_t)(3 * i + n)},
                100);
        employ(w, script(w, lines[i]), &env);
        for (unsigned n = 0; n < 3; n++) {
            if (n == 1)
                fclose(fopen(ends, "w"));
            thumbs_want(w->registry->thumbs, of[n].hash);
            work(w);
            remove(ends);
            assert_int_equal(look(w, &of[n]), n == 1 ? THUMB_UNMADE : THUMB_HERE);
        }
        now += 3600000;
        thumbs_want(w->registry->thumbs, of[1].hash);
        work(w);
        assert_int_equal(look(w, &of[1]), THUMB_HERE);
    }
}

static void who_started_us_may_ignore_the_end_of_children(void **state)
{
    struct world *w = *state;
    struct photo p = photo(w, &(struct camera){.width = 300, .height = 200}, 100);
    signal(SIGCHLD, SIG_IGN);
    employ(w, maker(), env_system());
    thumbs_want(w->registry->thumbs, p.hash);
    work(w);
    signal(SIGCHLD, SIG_DFL);
    assert_int_equal(look(w, &p), THUMB_HERE);
}

static void log_keep(void *self, enum env_level level, const char *line)
{
    (void)level;
    snprintf(self, 400, "%s", line);
}

static void a_program_that_is_not_found_is_said_to_be_so(void **state)
{
    static char said[400];
    struct world *w = *state;
    struct env env = *env_system();
    env.log = log_keep;
    env.self = said;
    struct photo p = photo(w, &(struct camera){.width = 300, .height = 200}, 100);
    employ(w, "/nowhere/ocop-thumbnail", &env);
    assert_non_null(strstr(said, "there is no ocop-thumbnail that can be run"));
    assert_non_null(strstr(said, "/nowhere/ocop-thumbnail"));
    employ(w, script(w, "exec /nowhere/else"), &env);
    *said = 0;
    thumbs_want(w->registry->thumbs, p.hash);
    work(w);
    assert_non_null(strstr(said, "there is no ocop-thumbnail that can be run"));
}

static void without_a_maker_nothing_is_made_and_nothing_fails(void **state)
{
    struct world *w = *state;
    employ(w, "/nowhere/ocop-thumbnail", env_system());
    struct photo p = photo(w, &(struct camera){.width = 300, .height = 200}, 100);
    assert_false(thumbs_turn(w->registry->thumbs));
    assert_int_equal(look(w, &p), THUMB_UNMADE);
    want(w, 0, p.id);
    assert_int_equal(world_sync(w, 0).thumbnails_received, 0);
    expect_none(w, 0, p.id, "not fetched yet");
    employ(w, script(w, "exit 4"), env_system()); /* it could not give up what it may do */
    thumbs_want(w->registry->thumbs, p.hash);
    work(w);
    thumbs_want(w->registry->thumbs, p.hash);
    assert_false(thumbs_turn(w->registry->thumbs));
    assert_int_equal(look(w, &p), THUMB_UNMADE);
}

/* --- the maker ---------------------------------------------------------------------------------
 */

/* The maker with this as its stdin; a descriptor to read what it writes. */
static pid_t start_maker(int in, int *out)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        dup2(in, 0);
        dup2(ends[1], 1);
        execl(maker(), maker(), (char *)NULL);
        _exit(126);
    }
    close(ends[1]);
    *out = ends[0];
    return child;
}

static bool says(const char *path, const char *text)
{
    char all[8192];
    FILE *f = fopen(path, "r");
    all[f ? fread(all, 1, sizeof all - 1, f) : 0] = 0;
    if (f)
        fclose(f);
    return strstr(all, text) != NULL;
}

static void the_maker_has_given_up_all_before_it_reads(void **state)
{
    char status[64], limits[64], fds[64];
    int in[2], out, code;
    (void)state;
    assert_int_equal(pipe(in), 0);
    pid_t child = start_maker(in[0], &out);
    snprintf(status, sizeof status, "/proc/%d/status", (int)child);
    snprintf(limits, sizeof limits, "/proc/%d/limits", (int)child);
    snprintf(fds, sizeof fds, "/proc/%d/fd/3", (int)child);
    while (!says(status, "Seccomp:\t1\n")) { /* strict: read, write, exit */
        assert_int_equal(waitpid(child, &code, WNOHANG), 0);
        sched_yield();
    }
    assert_true(says(status, "NoNewPrivs:\t1\n"));
    assert_false(says(status, "Uid:\t0\t"));
    assert_true(says(limits, "Max open files            0                    0 "));
    assert_true(says(limits, "Max cpu time              10                   10 "));
    assert_true(says(limits, "Max file size             15360                15360 "));
    assert_true(says(limits, "Max address space         100663296            100663296 "));
    assert_true(says(limits, "Max processes             0                    0 "));
    assert_int_equal(access(fds, F_OK), -1);
    close(in[1]);
    close(in[0]);
    assert_int_equal(waitpid(child, &code, 0), child);
    assert_true(WIFEXITED(code) && WEXITSTATUS(code) == 3);
    close(out);
}

/* How the maker ends with these. */
static int ends_with(int in, int out, rlim_t memory)
{
    int code;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        const struct rlimit most = {memory, memory};
        if (memory)
            setrlimit(RLIMIT_AS, &most);
        dup2(in, 0);
        dup2(out, 1);
        execl(maker(), maker(), (char *)NULL);
        _exit(126);
    }
    close(in);
    close(out);
    assert_int_equal(waitpid(child, &code, 0), child);
    return WIFEXITED(code) ? WEXITSTATUS(code) : -1;
}

static void the_maker_tells_a_machine_that_fails_from_a_picture(void **state)
{
    char path[64];
    size_t len;
    (void)state;
    uint8_t *photo = camera_photo(&(struct camera){.width = 300, .height = 200}, &len);
    snprintf(path, sizeof path, "/tmp/ocop-thumbs-%d.jpg", (int)getpid());
    FILE *f = fopen(path, "wb");
    assert_int_equal(fwrite(photo, 1, len, f), len);
    fclose(f);
    free(photo);
    const int null = O_WRONLY | O_CLOEXEC;
    assert_int_equal(ends_with(open(path, O_RDONLY), open("/dev/null", null), 0), 0);
    assert_int_equal(ends_with(open("/tmp", O_RDONLY), open("/dev/null", null), 0), 5);
    assert_int_equal(ends_with(open(path, O_RDONLY), open("/dev/full", null), 0), 5);
    assert_int_equal(ends_with(open(path, O_RDONLY), open("/dev/null", null), 20 << 20), 5);
    assert_int_equal(ends_with(open("/dev/null", O_RDONLY), open("/dev/null", null), 0), 3);
    remove(path);
}

/* What it makes of it, which is freed: the size of the thumbnail; 0: it said that it is odd. */
static size_t made_of_bytes(uint8_t *photo, size_t len, struct camera_seen *seen)
{
    char path[64];
    uint8_t image[2 * OCOP_THUMBNAIL_BYTES_MAX];
    size_t got;
    int code, out;
    snprintf(path, sizeof path, "/tmp/ocop-thumbs-%d.jpg", (int)getpid());
    FILE *f = fopen(path, "wb");
    assert_int_equal(fwrite(photo, 1, len, f), len);
    fclose(f);
    free(photo);
    int in = open(path, O_RDONLY);
    remove(path);
    pid_t child = start_maker(in, &out);
    close(in);
    f = fdopen(out, "rb");
    got = fread(image, 1, sizeof image, f);
    fclose(f);
    assert_int_equal(waitpid(child, &code, 0), child);
    assert_true(WIFEXITED(code));
    assert_int_equal(WEXITSTATUS(code), got ? 0 : 3);
    assert_int_equal(camera_look(span_of(image, got), seen), got > 0);
    return got;
}

static size_t made_of(const struct camera *c, struct camera_seen *seen)
{
    size_t len;
    uint8_t *photo = camera_photo(c, &len);
    return made_of_bytes(photo, len, seen);
}

static size_t made_of_png(const struct camera_png *c, unsigned cut, struct camera_seen *seen)
{
    size_t len;
    uint8_t *png = camera_screenshot(c, &len);
    return made_of_bytes(png, len * cut / 100, seen);
}

static void the_maker_makes_small_ones_of_png(void **state)
{
    static const struct camera_png forms[] = {
        {2000, 1500, PNG_RGB, 8, false, false},     {2000, 1500, PNG_RGB, 16, false, false},
        {2000, 1500, PNG_GREY, 8, false, false},    {2000, 1500, PNG_GREY, 16, false, false},
        {2000, 1500, PNG_PALETTE, 8, false, false}, {2000, 1500, PNG_ALPHA, 8, false, false},
        {8000, 6000, PNG_RGB, 8, false, false}};
    struct camera_seen seen;
    (void)state;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        assert_true(made_of_png(&forms[i], 100, &seen) > 0);
        assert_int_equal(seen.width, 256);
        assert_int_equal(seen.height, 192);
        assert_in_range(seen.left, 55, 65); /* 40 to 80 */
        assert_in_range(seen.right, 175, 185);
    }
    assert_true(made_of_png(&(struct camera_png){40, 30, PNG_ALPHA, 8, false, true}, 100, &seen));
    assert_int_equal(seen.width, 40);
    assert_true(seen.darkest > 250); /* what shines through is white */
    assert_int_equal(made_of_png(&forms[0], 60, &seen), 0);
    assert_int_equal(made_of_png(&(struct camera_png){40, 30, PNG_RGB, 8, true, false}, 100, &seen),
                     0);
    assert_int_equal(
        made_of_png(&(struct camera_png){40000, 1, PNG_RGB, 8, false, false}, 100, &seen), 0);
}

static void the_maker_makes_small_ones_of_all_that_it_decodes(void **state)
{
    struct camera_seen seen;
    (void)state;
    assert_true(made_of(&(struct camera){.width = 8160, .height = 6144}, &seen) > 0);
    assert_int_equal(seen.width, 256);
    assert_true(made_of(&(struct camera){.width = 2300, .height = 1400, .form = CAMERA_PROGRESSIVE},
                        &seen) > 0);
    assert_int_equal(seen.height, 156);
    assert_true(made_of(&(struct camera){.width = 100, .height = 80, .form = CAMERA_GREY}, &seen) >
                0);
    assert_int_equal(seen.width, 100);
    /* Noise is what costs most: it becomes smaller until it fits. */
    assert_in_range(
        made_of(&(struct camera){.width = 256, .height = 256, .quality = 100, .noise = true},
                &seen),
        1, OCOP_THUMBNAIL_BYTES_MAX);
    assert_true(seen.width < 256);
    /* A profile of its colours that leaves no room goes; the picture is as large as ever. */
    static uint8_t icc[OCOP_THUMBNAIL_BYTES_MAX] = "ICC_PROFILE\0\1\1";
    struct camera c = {.width = 600, .height = 400, .icc = span_of(icc, 500)};
    assert_true(made_of(&c, &seen) > 0);
    assert_int_equal(seen.icc_len, 500);
    c.icc.len = sizeof icc;
    assert_true(made_of(&c, &seen) > 0);
    assert_int_equal(seen.icc_len, 0);
    assert_int_equal(seen.width, 256);
    assert_int_equal(
        made_of(&(struct camera){.width = 6000, .height = 4000, .form = CAMERA_PROGRESSIVE}, &seen),
        0);
    assert_int_equal(
        made_of(&(struct camera){.width = 500, .height = 400, .form = CAMERA_PRINT}, &seen), 0);
}

/* --- the office --------------------------------------------------------------------------------
 */

static void a_sweep_removes_thumbnails_of_what_is_gone(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct thumbs_found found;
    struct photo p = photo(w, &(struct camera){.width = 300, .height = 200}, 100);
    struct photo gone = photo(w, &(struct camera){.width = 300, .height = 200, .seed = 1}, 100);
    work(w);
    must(thumbs_verify(w->registry, false, &found, &err), &err);
    assert_int_equal(found.there, 2);
    must(content_remove(&w->registry->blobs, gone.hash, &err), &err);
    must(thumbs_verify(w->registry, true, &found, &err), &err);
    assert_int_equal(found.there, 1);
    assert_int_equal(found.loose, 1);
    must(thumbs_verify(w->registry, false, &found, &err), &err);
    assert_int_equal(found.there, 1);
    assert_int_equal(found.loose, 0);
    assert_int_equal(look(w, &p), THUMB_HERE);
    must(thumbs_remove(&w->registry->blobs, p.hash, &err), &err);
    assert_int_equal(look(w, &p), THUMB_UNMADE);
    must(thumbs_make(w->registry, maker(), &found, &err), &err);
    assert_int_equal(found.made, 1);
    assert_int_equal(found.not_yet, 1);
    must(thumbs_make(w->registry, maker(), &found, &err), &err);
    assert_int_equal(found.made, 0);
    assert_int_equal(found.there, 1);
}

static void the_programs_do_all_of_it_and_ocopd_decodes_nothing(void **state)
{
    static struct office o;
    char record[40], id[40], other[40], path[PROCESS_PATH_MAX], text[PROCESS_PATH_MAX],
        command[PROCESS_PATH_MAX + 60];
    uint8_t image[1 << 16];
    struct camera_seen seen;
    size_t len;
    (void)state;
    office_open(&o);
    office_serve(&o, NULL, NULL);
    office_enrol(&o, "lan", "Lan", "24664");
    office_record(&o, "lan", "inspection", 0, "ảnh", record);
    uint8_t *photo = camera_photo(&(struct camera){.width = 1000, .height = 800}, &len);
    FILE *f = fopen(office_path(&o, "to.jpg", path), "wb");
    assert_int_equal(fwrite(photo, 1, len, f), len);
    fclose(f);
    free(photo);
    office_expect(&o, 0, DEVICE(&o, "lan", "attach", record, path), "-");
    snprintf(id, sizeof id, "%.36s", o.out);
    f = fopen(office_path(&o, "giay.txt", text), "wb");
    fputs("Biên bản", f);
    fclose(f);
    office_expect(&o, 0, DEVICE(&o, "lan", "attach", record, text), "-");
    snprintf(other, sizeof other, "%.36s", o.out);
    office_expect(&o, 3, DEVICE(&o, "lan", "fetch", other, "--thumbnail", "--output", path),
                  "only a JPEG or PNG has a thumbnail");
    office_expect(&o, 0, DEVICE(&o, "lan", "sync"), "files sent:      2");
    office_expect(&o, 0, OFFICE(&o, "files", "thumbnails"), "1 files have none, 0 not yet");
    office_expect(&o, 0, OFFICE(&o, "files", "verify"), "1 thumbnails, 0 of them of files");
    office_path(&o, "be.jpg", path);
    office_expect(&o, 0, DEVICE(&o, "lan", "fetch", id, "--thumbnail", "--output", path), "");
    f = fopen(path, "rb");
    assert_true(camera_look(span_of(image, fread(image, 1, sizeof image, f)), &seen));
    fclose(f);
    assert_int_equal(seen.width, 256);
    office_expect(&o, 0, OFFICE(&o, "files", "sweep"), "0 thumbnails removed");
    office_close(&o);
    snprintf(command, sizeof command, "ldd %s | grep jpeg", process_ocopd());
    assert_int_not_equal(system(command), 0);
    snprintf(command, sizeof command, "ldd %s | grep png", process_ocopd());
    assert_int_not_equal(system(command), 0);
    snprintf(command, sizeof command, "ldd %s | grep jpeg >/dev/null", maker());
    assert_int_equal(system(command), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)
    const struct CMUnitTest tests[] = {
        TEST(a_device_gets_the_thumbnail_and_not_the_photo),
        TEST(so_it_does_of_a_png),
        TEST(one_that_is_not_made_yet_comes_with_a_later_sync),
        TEST(who_may_not_have_the_photo_gets_no_thumbnail),
        TEST(many_come_in_few_exchanges_and_the_last_are_kept),
        TEST(what_is_no_picture_is_tried_once),
        TEST(a_maker_that_dies_lies_or_writes_too_much_is_tried_three_times),
        TEST(a_maker_that_hangs_is_killed),
        TEST(a_maker_that_could_not_is_asked_again_later),
        TEST(one_that_is_put_off_again_and_again_is_given_up),
        TEST(a_thumbnail_that_is_damaged_is_made_anew),
        TEST(what_a_maker_says_of_the_machine_counts_until_it_has_made_one),
        TEST(who_started_us_may_ignore_the_end_of_children),
        TEST(a_program_that_is_not_found_is_said_to_be_so),
        TEST(without_a_maker_nothing_is_made_and_nothing_fails),
        cmocka_unit_test(the_maker_tells_a_machine_that_fails_from_a_picture),
        cmocka_unit_test(the_maker_has_given_up_all_before_it_reads),
        cmocka_unit_test(the_maker_makes_small_ones_of_png),
        cmocka_unit_test(the_maker_makes_small_ones_of_all_that_it_decodes),
        TEST(a_sweep_removes_thumbnails_of_what_is_gone),
        cmocka_unit_test(the_programs_do_all_of_it_and_ocopd_decodes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
