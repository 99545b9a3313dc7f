/* Faults under what else is done with contents: one is asked for, or attached, and makes room,
 * folders are swept at both ends, contents go into a backup. */
#include "test.h"

#include <stdio.h>
#include <string.h>

#include "blobs_copy.h"
#include "files.h"
#include "scene.h"
#include "verify_files.h"

enum { BYTES = 20000 };

static const uint8_t *bytes_of(int number)
{
    static uint8_t bytes[BYTES] = {0xff, 0xd8, 0xff};
    memcpy(bytes + 100, &number, sizeof number);
    return bytes;
}

static void hash_of(int number, uint8_t out[FILE_HASH_LEN])
{
    hash_bytes(span_of(bytes_of(number), BYTES), out);
}

static void attach(struct scene *s, unsigned n, struct ocop_id *out)
{
    struct ocop_error err = {0};
    const struct ocop_attachment a = {.bytes = bytes_of(s->number), .len = BYTES, .role = "photo"};
    struct ocop_id record = world_inspect(&s->w, n, "pass");
    s->submitted++;
    must(ocop_attach(s->w.stores[n], &record, &a, out, &err), &err);
}

static void no_findings(struct scene *s)
{
    struct ocop_error err = {0};
    unsigned findings;
    must(ocop_check(s->w.stores[0], NULL, NULL, &findings, &err), &err);
    assert_int_equal(findings, 0);
}

/* --- asked for -------------------------------------------------------------------------------- */

/* Another's content, for which the one that was fetched before has to make room. */
static void one_to_fetch(struct scene *s)
{
    const struct ocop_file_limits one = {BYTES, BYTES, BYTES + BYTES / 2};
    struct ocop_error err = {0};
    must(ocop_set_file_limits(s->w.stores[0], &one, &err), &err);
    s->number++;
    attach(s, 1, &s->wanted);
    world_sync(&s->w, 1);
    world_sync(&s->w, 0);
}

/* What it made room for goes, if not at once. */
static void made_room(struct scene *s)
{
    struct ocop_error err = {0};
    unsigned removed;
    must(ocop_files_sweep(s->w.stores[0], &removed, &err), &err);
    no_findings(s);
}

static void reads(struct scene *s, const struct ocop_id *attachment)
{
    static uint8_t bytes[BYTES + 1];
    struct ocop_error err = {0};
    size_t got;
    must(ocop_file_read(s->w.stores[0], attachment, 0, bytes, sizeof bytes, &got, &err), &err);
    assert_int_equal(got, BYTES);
    assert_memory_equal(bytes, bytes_of(s->number), BYTES);
}

static enum ocop_status fetch(struct scene *s, struct ocop_error *err)
{
    return ocop_fetch(s->w.stores[0], &s->wanted, err);
}

static void fetched(struct scene *s, enum ocop_status st)
{
    struct ocop_error err = {0};
    made_room(s);
    if (st != OCOP_OK)
        must(fetch(s, &err), &err);
    assert_int_equal(world_sync(&s->w, 0).files_received, 1);
    reads(s, &s->wanted);
    no_findings(s);
}

/* --- attached in the place of another ----------------------------------------------------------
 */

static void one_to_replace(struct scene *s)
{
    const struct ocop_file_limits one = {BYTES, BYTES, BYTES + BYTES / 2};
    struct ocop_error err = {0};
    must(ocop_set_file_limits(s->w.stores[0], &one, &err), &err);
    s->number++;
    attach(s, 0, &s->attached);
    world_sync(&s->w, 0);
    s->number++;
    s->submitted++;
    s->id = world_inspect(&s->w, 0, "pass");
}

static enum ocop_status replace(struct scene *s, struct ocop_error *err)
{
    const struct ocop_attachment a = {.bytes = bytes_of(s->number), .len = BYTES, .role = "photo"};
    return ocop_attach(s->w.stores[0], &s->id, &a, &s->attached, err);
}

static void replaced(struct scene *s, enum ocop_status st)
{
    struct ocop_error err = {0};
    made_room(s);
    if (st != OCOP_OK)
        must(replace(s, &err), &err);
    reads(s, &s->attached);
    assert_int_equal(world_sync(&s->w, 0).files_sent, 1);
    no_findings(s);
}

/* --- swept ------------------------------------------------------------------------------------ */

/* So many that are named and as many that are loose, and no more in any round: each of them is
 * asked about, and with one more a round there would be faults for ever. */
enum { EACH = 3 };

static void leave_in(const struct content_dir *d, int number)
{
    struct content_writer w;
    struct ocop_error err = {0};
    bool fresh;
    must(content_begin(d, &w, &err), &err);
    must(content_write(&w, span_of(bytes_of(number), BYTES), &err), &err);
    must(content_seal(&w, &err), &err);
    must(content_place(&w, &fresh, &err), &err);
}

static bool is_there(const struct content_dir *d, int number)
{
    struct ocop_error err = {0};
    uint8_t hash[FILE_HASH_LEN];
    bool there;
    hash_of(number, hash);
    must(content_there(d, hash, BYTES, &there, &err), &err);
    return there;
}

static void named(struct scene *s)
{
    while (s->number < EACH) {
        s->number++;
        attach(s, 0, &s->attached);
        world_sync(&s->w, 0);
    }
}

static void loose(const struct content_dir *d)
{
    for (int i = 1; i <= EACH; i++)
        leave_in(d, -i);
}

static void only_the_named(const struct content_dir *d)
{
    for (int i = 1; i <= EACH; i++) {
        assert_false(is_there(d, -i));
        assert_true(is_there(d, i));
    }
}

static void loose_on_device(struct scene *s)
{
    struct ocop_error err = {0};
    struct content_dir d;
    named(s);
    must(files_dir(s->w.stores[0], false, &d, &err), &err);
    loose(&d);
    files_dir_fini(&d);
}

static enum ocop_status sweep(struct scene *s, struct ocop_error *err)
{
    unsigned removed;
    return ocop_files_sweep(s->w.stores[0], &removed, err);
}

static void swept(struct scene *s, enum ocop_status st)
{
    struct ocop_error err = {0};
    struct content_dir d;
    if (st != OCOP_OK)
        must(sweep(s, &err), &err);
    must(files_dir(s->w.stores[0], false, &d, &err), &err);
    only_the_named(&d);
    files_dir_fini(&d);
    no_findings(s);
}

static void loose_at_centre(struct scene *s)
{
    named(s);
    loose(&s->w.registry->blobs);
}

static enum ocop_status sweep_centre(struct scene *s, struct ocop_error *err)
{
    struct files_swept swept;
    static FILE *nowhere;
    if (!nowhere)
        nowhere = fopen("/dev/null", "w");
    enum ocop_status st = registry_begin(s->w.registry, err);
    if (st != OCOP_OK)
        return st;
    st = files_sweep(s->w.registry, 0, false, nowhere, &swept, err);
    registry_rollback(s->w.registry);
    return st == OCOP_OK && swept.failed ? err_set(err, OCOP_EIO, "one is still there") : st;
}

static void swept_centre(struct scene *s, enum ocop_status st)
{
    struct ocop_error err = {0};
    if (st != OCOP_OK)
        must(sweep_centre(s, &err), &err);
    only_the_named(&s->w.registry->blobs);
}

/* --- into a backup ---------------------------------------------------------------------------- */

static void backup_folder(struct scene *s, struct content_dir *out)
{
    struct ocop_error err = {0};
    char path[128];
    snprintf(path, sizeof path, "%s/backup.db", s->w.dir);
    must(blobs_of_backup(path, s->w.registry->env, out, &err), &err);
}

static void one_to_copy(struct scene *s)
{
    s->number++;
    attach(s, 0, &s->attached);
    world_sync(&s->w, 0);
}

static enum ocop_status copy(struct scene *s, struct ocop_error *err)
{
    struct content_dir to;
    struct blobs_copied copied;
    backup_folder(s, &to);
    enum ocop_status st = blobs_copy(s->w.registry, &s->w.registry->blobs, &to, &copied, err);
    return st == OCOP_OK && copied.damaged /* left out, and told of */
               ? err_set(err, OCOP_EIO, "a content cannot be read")
               : st;
}

static void copied(struct scene *s, enum ocop_status st)
{
    struct ocop_error err = {0};
    struct content_dir to;
    uint8_t hash[FILE_HASH_LEN];
    if (st != OCOP_OK)
        must(copy(s, &err), &err);
    backup_folder(s, &to);
    for (int number = 1; number <= s->number; number++) {
        hash_of(number, hash);
        must(content_check(&to, hash, BYTES, &err), &err);
    }
}

const struct act file_acts[FILE_ACTS] = {
    {"fetch", one_to_fetch, fetch, fetched},
    {"attach in the place of another", one_to_replace, replace, replaced},
    {"sweep", loose_on_device, sweep, swept},
    {"sweep at the centre", loose_at_centre, sweep_centre, swept_centre},
    {"copy files", one_to_copy, copy, copied},
};
