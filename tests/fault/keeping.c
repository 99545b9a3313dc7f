/* Faults under what the centre does with contents by itself: a thumbnail is made, old contents are
 * dropped, damaged ones are mended. */
#include "test.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backup.h"
#include "blobs_copy.h"
#include "retain.h"
#include "scene.h"
#include "thumbs.h"
#include "verify_files.h"

enum { BYTES = 20000 };
#define AHEAD_MS (INT64_C(401) * 86400000)

static FILE *nowhere(void)
{
    static FILE *f;
    if (!f)
        f = fopen("/dev/null", "w");
    return f;
}

/* A photo of device 0 that is at the centre. */
static void one_more(struct scene *s, uint8_t hash[FILE_HASH_LEN])
{
    static uint8_t bytes[BYTES] = {0xff, 0xd8, 0xff};
    struct ocop_error err = {0};
    const struct ocop_attachment a = {.bytes = bytes, .len = BYTES, .role = "photo"};
    const struct ocop_id record = world_inspect(&s->w, 0, "pass");
    s->submitted++;
    s->number++;
    memcpy(bytes + 100, &s->number, sizeof s->number);
    hash_bytes(span_of(bytes, BYTES), hash);
    must(ocop_attach(s->w.stores[0], &record, &a, &s->attached, &err), &err);
    world_sync(&s->w, 0);
    must(content_check(&s->w.registry->blobs, hash, BYTES, &err), &err);
}

static uint8_t hash[FILE_HASH_LEN]; /* of the photo of this round */

/* --- a thumbnail ------------------------------------------------------------------------------ */

static void one_to_show(struct scene *s)
{
    char path[128];
    one_more(s, hash);
    snprintf(path, sizeof path, "%s/maker.sh", s->w.dir);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs("#!/bin/sh\nprintf '\\377\\330\\377'\n", f);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(chmod(path, 0700), 0);
}

static enum ocop_status make_thumbnail(struct scene *s, struct ocop_error *err)
{
    uint8_t made[THUMBNAIL_BYTES_MAX];
    enum thumb_state state = THUMB_UNMADE;
    struct thumbs *t = NULL;
    char path[128];
    size_t len;
    snprintf(path, sizeof path, "%s/maker.sh", s->w.dir);
    enum ocop_status st = thumbs_open(&s->w.registry->blobs, path, s->w.registry->env, &t, err);
    if (st != OCOP_OK)
        return st;
    thumbs_want(t, hash);
    while (thumbs_turn(t))
        sched_yield();
    thumbs_close(t);
    st = thumbs_look(&s->w.registry->blobs, hash, &state, made, &len, err);
    assert_true(st != OCOP_OK || state != THUMB_NONE); /* nothing is said against the picture */
    return st != OCOP_OK || state == THUMB_HERE ? st : err_set(err, OCOP_EBUSY, "it is not made");
}

static void shown(struct scene *s, enum ocop_status st)
{
    struct ocop_error err = {0};
    unsigned left;
    struct content_dir thumbs;
    char path[PATH_MAX];
    if (st != OCOP_OK)
        must(make_thumbnail(s, &err), &err);
    snprintf(path, sizeof path, "%s/thumb", s->w.registry->blobs.path);
    must(content_dir_init(&thumbs, path, NULL, s->w.registry->env, &err), &err);
    must(content_tidy(&thumbs, &left, &err), &err);
    assert_int_equal(left, 0);
    must(content_check(&s->w.registry->blobs, hash, BYTES, &err), &err);
}

/* --- dropped ---------------------------------------------------------------------------------- */

static int64_t later_ms(void *self)
{
    (void)self;
    return env_now_ms(env_system()) + AHEAD_MS;
}

static void one_that_grows_old(struct scene *s)
{
    one_more(s, hash);
}

static enum ocop_status retain(struct scene *s, struct ocop_error *err)
{
    const struct env *now = s->w.registry->env;
    struct env later = *now;
    struct retained found;
    const struct retain_terms terms = {
        .days = 400, .officer = s->w.officers[0], .reason = "hết thời hạn lưu"};
    later.now_ms = later_ms;
    s->w.registry->env = &later;
    enum ocop_status st = files_retain(s->w.registry, &s->w.keys, &terms, nowhere(), &found, err);
    s->w.registry->env = now;
    return st;
}

/* What was committed and not yet removed is swept. */
static void dropped(struct scene *s, enum ocop_status st)
{
    struct ocop_error err = {0};
    struct files_swept swept;
    bool there;
    if (st != OCOP_OK)
        must(retain(s, &err), &err);
    assert_int_equal(world_count(&s->w, "SELECT count(*) FROM attachment WHERE removed_ms IS NULL"),
                     0);
    must(registry_begin(s->w.registry, &err), &err);
    must(files_sweep(s->w.registry, 0, false, nowhere(), &swept, &err), &err);
    registry_rollback(s->w.registry);
    must(content_there(&s->w.registry->blobs, hash, BYTES, &there, &err), &err);
    assert_false(there);
    struct ocop_sync_summary sum = world_sync(&s->w, 0);
    assert_int_equal(sum.files_sent, 0);
    assert_int_equal(sum.files_left, 0);
}

/* --- mended ----------------------------------------------------------------------------------- */

/* The same each time: all that there is is read. */
static void spoil(struct scene *s)
{
    char path[PATH_MAX], folder[PATH_MAX];
    content_path(&s->w.registry->blobs, hash, path, folder);
    const int fd = open(path, O_WRONLY);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, "!", 1, 50), 1);
    close(fd);
}

static void one_that_a_device_has(struct scene *s)
{
    if (s->number == 0)
        one_more(s, hash);
    spoil(s);
}

static void one_that_a_backup_has(struct scene *s)
{
    struct ocop_error err = {0};
    struct backup_result result;
    struct blobs_copied copied;
    struct content_dir backup;
    char path[128];
    if (s->number == 0) {
        one_more(s, hash);
        snprintf(path, sizeof path, "%s/backup.db", s->w.dir);
        must(backup_make(s->w.registry, path, false, &result, &err), &err);
        must(blobs_of_backup(path, s->w.registry->env, &backup, &err), &err);
        must(blobs_copy(s->w.registry, &s->w.registry->blobs, &backup, &copied, &err), &err);
    }
    spoil(s);
}

static enum ocop_status mend(struct scene *s, struct ocop_error *err)
{
    struct files_found found;
    enum ocop_status st = files_verify(s->w.registry, true, nowhere(), &found, err);
    return st == OCOP_OK && found.failed ? err_set(err, OCOP_EIO, "it is told of and not mended")
                                         : st;
}

static void mended(struct scene *s, enum ocop_status st)
{
    struct ocop_error err = {0};
    if (st != OCOP_OK)
        must(mend(s, &err), &err);
    world_sync(&s->w, 0);
    must(content_check(&s->w.registry->blobs, hash, BYTES, &err), &err);
    assert_int_equal(world_count(&s->w, "SELECT count(*) FROM lacking"), 0);
}

const struct act keeping_acts[KEEPING_ACTS] = {
    {"make a thumbnail", one_to_show, make_thumbnail, shown},
    {"retain", one_that_grows_old, retain, dropped},
    {"mend from a device", one_that_a_device_has, mend, mended},
    {"mend from a backup", one_that_a_backup_has, mend, mended},
};
