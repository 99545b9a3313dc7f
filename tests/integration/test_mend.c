/* Contents that cannot be read, were damaged or lost at the centre: one of them is told of and
 * holds up no other, and what is mended is mended whatever happens meanwhile. With a real registry
 * and no socket. */
#include "test.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backup.h"
#include "blobs_copy.h"
#include "photos.h"
#include "query.h"
#include "show_files.h"
#include "thumbs_all.h"
#include "verify_files.h"

enum { PHOTOS = 3 };

/* --- while the lock is waited for ------------------------------------------------------------- */

static void (*meanwhile)(void *self); /* NULL: nothing happens */
static void *meanwhile_self;

enum ocop_status __real_registry_begin(struct registry *r, struct ocop_error *err);
enum ocop_status __wrap_registry_begin(struct registry *r, struct ocop_error *err);

enum ocop_status __wrap_registry_begin(struct registry *r, struct ocop_error *err)
{
    void (*now)(void *self) = meanwhile;
    meanwhile = NULL;
    if (now)
        now(meanwhile_self);
    return __real_registry_begin(r, err);
}

/* --- what the tests share --------------------------------------------------------------------- */

static struct photo *brought(struct world *w, unsigned seed)
{
    struct photo *p = photo(3 * CHUNK, seed);
    attach(w, 1, world_inspect(w, 1, "pass"), p);
    assert_int_equal(world_sync(w, 1).files_sent, 1);
    return p;
}

static void path_of(const struct content_dir *d, const struct photo *p, char path[PATH_MAX])
{
    char folder[PATH_MAX];
    content_path(d, p->hash, path, folder);
}

/* It can be opened, and not read. */
static void make_unreadable(const struct content_dir *d, const struct photo *p)
{
    char path[PATH_MAX];
    path_of(d, p, path);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
}

static void damage(const struct content_dir *d, const struct photo *p)
{
    char path[PATH_MAX];
    path_of(d, p, path);
    const int fd = open(path, O_WRONLY);
    assert_int_equal(pwrite(fd, "!", 1, 100), 1);
    assert_int_equal(close(fd), 0);
}

static void put(const struct content_dir *d, const struct photo *p)
{
    struct ocop_error err = {0};
    struct content_writer out;
    bool fresh;
    must(content_begin(d, &out, &err), &err);
    must(content_write(&out, span_of(p->bytes, p->len), &err), &err);
    must(content_seal(&out, &err), &err);
    must(content_place(&out, &fresh, &err), &err);
}

/* What is said, to be freed. */
struct told {
    char *text;
    size_t len;
    FILE *out;
};

static FILE *listen(struct told *t)
{
    t->out = open_memstream(&t->text, &t->len);
    assert_non_null(t->out);
    return t->out;
}

static void says(struct told *t, const char *const *what)
{
    fclose(t->out);
    for (; *what; what++)
        if (!strstr(t->text, *what))
            fail_msg("\"%s\" is not in:\n%s", *what, t->text);
    free(t->text);
}
#define SAYS(t, ...) says(t, (const char *const[]){__VA_ARGS__, NULL})

static struct files_found verified(struct world *w, bool mend, struct told *t)
{
    struct ocop_error err = {0};
    struct files_found found;
    must(files_verify(w->registry, mend, listen(t), &found, &err), &err);
    return found;
}

/* Another backup, in a folder of its own, of which the registry knows. */
static void backup(struct world *w, const char *name, struct content_dir *files)
{
    struct ocop_error err = {0};
    struct blobs_copied copied;
    char path[128];
    snprintf(path, sizeof path, "%s/%s", w->dir, name);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/%s/b.db", w->dir, name);
    must(registry_begin(w->registry, &err), &err);
    must(query_backup_made(w->registry, env_now_ms(env_system()), 1, path, &err), &err);
    must(registry_commit(w->registry, &err), &err);
    must(blobs_of_backup(path, w->registry->env, files, &err), &err);
    must(blobs_copy(w->registry, &w->registry->blobs, files, &copied, &err), &err);
}

/* --- one that cannot be read ------------------------------------------------------------------ */

static void one_that_cannot_be_read_is_told_of_and_the_others_are_read(void **state)
{
    struct world *w = *state;
    struct photo *p[PHOTOS];
    struct told t;
    for (unsigned i = 0; i < PHOTOS; i++)
        p[i] = brought(w, 500 + i);
    make_unreadable(&w->registry->blobs, p[1]);
    damage(&w->registry->blobs, p[2]);
    struct files_found found = verified(w, false, &t);
    assert_int_equal(found.read, PHOTOS);
    assert_int_equal(found.damaged, 2);
    SAYS(&t, "it cannot be read: ", "Is a directory; no backup has it, a device may");
    found = verified(w, true, &t);
    assert_int_equal(found.asked, 2);
    assert_int_equal(found.failed, 0);
    SAYS(&t, "Is a directory; asked of the devices that may have it");
    assert_int_equal(world_sync(w, 1).files_sent, 2);
    for (unsigned i = 0; i < PHOTOS; i++) {
        assert_true(at_centre(w, p[i]));
        free(p[i]);
    }
}

/* What cannot be put aside either is told of, and the others are mended. */
static void one_that_cannot_be_mended_holds_up_no_other(void **state)
{
    struct world *w = *state;
    struct photo *p[PHOTOS];
    struct told t;
    char aside[PATH_MAX], name[CONTENT_NAME_LEN + 1];
    for (unsigned i = 0; i < PHOTOS; i++) {
        p[i] = brought(w, 510 + i);
        make_unreadable(&w->registry->blobs, p[i]);
    }
    snprintf(aside, sizeof aside, "%s/damaged", w->registry->blobs.path);
    assert_int_equal(mkdir(aside, 0700), 0);
    snprintf(aside, sizeof aside, "%s/damaged/%s", w->registry->blobs.path,
             content_name(p[1]->hash, name));
    const int fd = open(aside, O_WRONLY | O_CREAT, 0600);
    assert_int_equal(close(fd), 0);
    struct files_found found = verified(w, true, &t);
    assert_int_equal(found.failed, 1);
    assert_int_equal(found.asked, 2);
    SAYS(&t, "it cannot be put aside: ");
    for (unsigned i = 0; i < PHOTOS; i++)
        free(p[i]);
}

/* A folder that cannot be read is no single file's misfortune. */
static void a_folder_that_cannot_be_read_is_an_error(void **state)
{
    struct world *w = *state;
    struct photo *p = brought(w, 520);
    struct ocop_error err = {0};
    struct files_found found;
    struct told t;
    char path[PATH_MAX], folder[PATH_MAX];
    content_path(&w->registry->blobs, p->hash, path, folder);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(folder), 0);
    assert_int_equal(symlink(folder, folder), 0);
    assert_int_equal(files_verify(w->registry, true, listen(&t), &found, &err), OCOP_EIO);
    assert_int_equal(found.damaged + found.asked, 0);
    SAYS(&t, "");
    free(p);
}

static void a_backup_leaves_out_what_it_cannot_read_and_names_it(void **state)
{
    struct world *w = *state;
    struct photo *p[PHOTOS];
    struct ocop_error err = {0};
    struct content_dir files;
    struct blobs_copied copied;
    struct told t;
    char path[PATH_MAX];
    for (unsigned i = 0; i < PHOTOS; i++)
        p[i] = brought(w, 530 + i);
    backup(w, "one", &files);
    /* There, and back. */
    for (unsigned i = 0; i < 2; i++) {
        const struct content_dir *from = i ? &files : &w->registry->blobs,
                                 *to = i ? &w->registry->blobs : &files;
        must(content_clear(to, &err), &err);
        make_unreadable(from, p[i]);
        must(blobs_copy_telling(w->registry, from, to, listen(&t), &copied, &err), &err);
        assert_int_equal(copied.copied, PHOTOS - 1 - i);
        assert_int_equal(copied.damaged, 1);
        assert_int_equal(copied.missing, 0);
        assert_int_equal(copied.lost, i);
        SAYS(&t, "left out\tattachment ", "Is a directory");
        path_of(from, p[i], path);
        assert_int_equal(rmdir(path), 0);
    }
    for (unsigned i = 0; i < PHOTOS; i++)
        free(p[i]);
}

/* Any device may name a content that is another's, in a size that it never had. */
static void a_backup_loses_nothing_by_an_attachment_that_lies_about_its_size(void **state)
{
    struct world *w = *state;
    struct photo *p = brought(w, 545), *again = photo(3 * CHUNK, 545);
    struct ocop_error err = {0};
    struct content_dir files;
    struct blobs_copied copied;
    struct told t;
    attach(w, 1, world_inspect(w, 1, "pass"), again);
    world_sync(w, 1);
    w->damaged = true; /* so that no device has to lie */
    assert_int_equal(sqlite3_exec(w->registry->db,
                                  "UPDATE attachment SET size = size + 1 WHERE n = "
                                  "(SELECT max(n) FROM attachment)",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    backup(w, "one", &files);
    /* There, and back; and when the content is gone, that is said. */
    for (unsigned i = 0; i < 3; i++) {
        const struct content_dir *from = i == 1 ? &files : &w->registry->blobs,
                                 *to = i == 1 ? &w->registry->blobs : &files;
        must(content_clear(to, &err), &err);
        if (i == 2)
            must(content_remove(from, p->hash, &err), &err);
        must(blobs_copy_telling(w->registry, from, to, listen(&t), &copied, &err), &err);
        assert_int_equal(copied.copied, i < 2);
        assert_int_equal(copied.missing, i < 2);
        assert_int_equal(copied.lost, i < 2 ? 0 : 2);
        assert_int_equal(copied.damaged, 0);
        SAYS(&t, i < 2 ? "" : "it had come, and is lost");
    }
    free(p);
    free(again);
}

static void a_list_says_of_one_that_it_cannot_be_read(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct photo *p = photo(3 * CHUNK, 540), *other = brought(w, 541);
    char path[PATH_MAX], name[CONTENT_NAME_LEN + 1], by[ID_TEXT_LEN + 1];
    struct told t;
    attach(w, 1, world_inspect(w, 1, "pass"), p);
    sync(w, 1, &(struct ocop_sync_options){.files_of = &other->id});
    snprintf(path, sizeof path, "%s/part", w->registry->blobs.path);
    (void)mkdir(path, 0700);
    snprintf(path, sizeof path, "%s/part/%s-%zu-%s", w->registry->blobs.path,
             content_name(p->hash, name), p->len, id_text(w->officers[1], by));
    assert_int_equal(mkdir(path, 0700), 0);
    for (unsigned i = 0; i < 3; i++) {
        struct show_files what = {.json = i == 1, .by_device = i == 2};
        must(show_files(w->registry, &what, listen(&t), &err), &err);
        if (i == 2)
            SAYS(&t, "1 files\t0 of 45 KiB");
        else
            SAYS(&t, i ? "\"state\":\"unreadable\"" : "cannot be read, 45 KiB: ",
                 i ? "\"state\":\"whole\"" : "whole, 45 KiB");
    }
    free(p);
    free(other);
}

static void a_sweep_leaves_what_it_cannot_remove(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct photo *p[PHOTOS];
    struct files_swept swept;
    struct told t;
    for (unsigned i = 0; i < PHOTOS; i++) {
        p[i] = photo(CHUNK, 550 + i);
        put(&w->registry->blobs, p[i]);
    }
    make_unreadable(&w->registry->blobs, p[1]);
    must(registry_begin(w->registry, &err), &err);
    must(files_sweep(w->registry, 0, false, listen(&t), &swept, &err), &err);
    registry_rollback(w->registry);
    assert_int_equal(swept.removed, PHOTOS - 1);
    assert_int_equal(swept.failed, 1);
    SAYS(&t, "left\t", "removing file ");
    for (unsigned i = 0; i < PHOTOS; i++)
        free(p[i]);
}

static void a_thumbnail_of_one_that_cannot_be_read_stays(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct photo *p = brought(w, 560);
    struct content_dir thumbs;
    struct thumbs_found found;
    char path[PATH_MAX], folder[PATH_MAX];
    snprintf(path, sizeof path, "%s/thumb", w->registry->blobs.path);
    assert_int_equal(mkdir(path, 0700), 0);
    must(content_dir_init(&thumbs, path, NULL, w->registry->env, &err), &err);
    content_path(&thumbs, p->hash, path, folder);
    assert_int_equal(mkdir(folder, 0700), 0);
    const int fd = open(path, O_WRONLY | O_CREAT, 0600);
    assert_int_equal(close(fd), 0);
    make_unreadable(&w->registry->blobs, p);
    must(thumbs_verify(w->registry, true, &found, &err), &err);
    assert_int_equal(found.there, 1);
    assert_int_equal(found.loose, 0);
    free(p);
}

/* --- mending ---------------------------------------------------------------------------------- */

static void each_backup_is_asked_until_one_gives_it(void **state)
{
    struct world *w = *state;
    struct photo *p = brought(w, 600), *q = brought(w, 601);
    struct content_dir one, two, three;
    struct told t;
    backup(w, "one", &one);
    backup(w, "two", &two);
    backup(w, "three", &three);
    damage(&w->registry->blobs, p);
    damage(&w->registry->blobs, q);
    damage(&one, p);
    damage(&three, p);
    struct files_found found = verified(w, true, &t);
    assert_int_equal(found.from_backups, 2);
    assert_int_equal(found.asked, 0);
    SAYS(&t, "/two/blobs\n");
    assert_true(at_centre(w, p));
    assert_true(at_centre(w, q));
    free(p);
    free(q);
}

static enum ocop_status count_absolute(void *self, const char *path, struct ocop_error *err)
{
    (void)err;
    ++*(unsigned *)self;
    assert_int_equal(*path, '/');
    return OCOP_OK;
}

/* Who mends stands elsewhere than who made the backup. */
static void a_backup_is_found_from_everywhere(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct backup_result made;
    char here[PATH_MAX];
    unsigned count = 0;
    assert_non_null(getcwd(here, sizeof here));
    assert_int_equal(chdir(w->dir), 0);
    must(backup_make(w->registry, "monday.db", false, &made, &err), &err);
    assert_int_equal(chdir(here), 0);
    must(query_backups(w->registry, count_absolute, &count, &err), &err);
    assert_int_equal(count, 1);
}

struct coming {
    struct world *w;
    const struct photo *photo;
};

static void come(void *self)
{
    const struct coming *c = self;
    put(&c->w->registry->blobs, c->photo);
}

/* A device was told that it is whole: it may have let go of it by now. */
static void what_comes_while_it_is_mended_stays(void **state)
{
    struct world *w = *state;
    for (unsigned i = 0; i < 2; i++) {
        struct photo *p = brought(w, 610 + i);
        struct coming c = {w, p};
        struct told t;
        char path[PATH_MAX];
        if (i) {
            path_of(&w->registry->blobs, p, path);
            assert_int_equal(unlink(path), 0);
        } else {
            damage(&w->registry->blobs, p);
        }
        meanwhile = come;
        meanwhile_self = &c;
        struct files_found found = verified(w, true, &t);
        assert_int_equal(found.damaged, !i);
        assert_int_equal(found.lost, i);
        assert_int_equal(found.asked + found.from_backups, 0);
        SAYS(&t, "has come meanwhile");
        assert_true(at_centre(w, p));
        assert_int_equal(world_count(w, "SELECT count(*) FROM lacking"), 0);
        free(p);
    }
}

/* Its folder is taken away when the copy of the backup is to be put into it. */
struct losing {
    char folder[PATH_MAX], kept[PATH_MAX + 8];
};

static void lose_folder(void *self)
{
    struct losing *l = self;
    snprintf(l->kept, sizeof l->kept, "%s.kept", l->folder);
    assert_int_equal(rename(l->folder, l->kept), 0);
    FILE *f = fopen(l->folder, "w");
    assert_non_null(f);
    assert_int_equal(fclose(f), 0);
}

static void what_cannot_be_put_in_its_place_is_told_and_asked_of_devices(void **state)
{
    struct world *w = *state;
    struct photo *p = brought(w, 620);
    struct content_dir files;
    struct losing l;
    struct told t;
    char path[PATH_MAX];
    backup(w, "one", &files);
    damage(&w->registry->blobs, p);
    content_path(&w->registry->blobs, p->hash, path, l.folder);
    meanwhile = lose_folder;
    meanwhile_self = &l;
    struct files_found found = verified(w, true, &t);
    assert_int_equal(found.damaged, 1);
    assert_int_equal(found.failed, 1);
    assert_int_equal(found.asked + found.from_backups, 0);
    SAYS(&t, "it cannot be put in its place: ");
    assert_int_equal(world_count(w, "SELECT count(*) FROM lacking"), 1);
    assert_int_equal(remove(l.folder), 0);
    assert_int_equal(rename(l.kept, l.folder), 0);
    assert_int_equal(remove(path), 0); /* as the next mending would put it aside */
    world_sync(w, 1);
    assert_true(at_centre(w, p));
    assert_int_equal(world_count(w, "SELECT count(*) FROM lacking"), 0);
    free(p);
}

/* A restore forgot that it was here, and its device has let go of it: a backup that was made since
 * has it. */
static void what_a_later_backup_has_is_taken_from_it(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct photo *p = brought(w, 640);
    struct content_dir files;
    struct told t;
    char path[PATH_MAX];
    unsigned gone;
    must(ocop_files_keep(w->stores[1], 0, &gone, &err), &err);
    assert_int_equal(gone, 1);
    backup(w, "one", &files);
    path_of(&w->registry->blobs, p, path);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(sqlite3_exec(w->registry->db, "DELETE FROM brought", NULL, NULL, NULL),
                     SQLITE_OK);
    struct files_found found = verified(w, false, &t);
    assert_int_equal(found.lost, 1);
    SAYS(&t, "it is in ");
    found = verified(w, true, &t);
    SAYS(&t, "taken from ");
    assert_int_equal(found.from_backups, 1);
    assert_true(at_centre(w, p));
    free(p);
}

/* Who says that a content has another size than it has keeps nobody from being asked for it. */
static void of_two_sizes_that_are_named_the_right_one_is_asked_for(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    for (int64_t more = -1; more <= 1; more += 2) {
        struct photo *p = brought(w, (unsigned)(630 + more));
        struct ocop_id record = world_inspect(w, 0, "pass");
        struct id id = id_next(&w->registry->ids, w->registry->env);
        Ocop__Attachment claim = OCOP__ATTACHMENT__INIT;
        struct told t;
        char path[PATH_MAX];
        claim_is(w, &claim, &id, &record, p->hash, (int64_t)p->len + more);
        must(ocop_submit(w->stores[0], &claim.base, &err), &err);
        world_sync(w, 0);
        path_of(&w->registry->blobs, p, path);
        assert_int_equal(unlink(path), 0);
        (void)verified(w, true, &t);
        SAYS(&t, "asked of the devices that may have it");
        world_sync(w, 1);
        assert_true(at_centre(w, p));
        free(p);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_world, world_teardown)
    const struct CMUnitTest tests[] = {
        TEST(one_that_cannot_be_read_is_told_of_and_the_others_are_read),
        TEST(one_that_cannot_be_mended_holds_up_no_other),
        TEST(a_folder_that_cannot_be_read_is_an_error),
        TEST(a_backup_leaves_out_what_it_cannot_read_and_names_it),
        TEST(a_backup_loses_nothing_by_an_attachment_that_lies_about_its_size),
        TEST(a_list_says_of_one_that_it_cannot_be_read),
        TEST(a_sweep_leaves_what_it_cannot_remove),
        TEST(a_thumbnail_of_one_that_cannot_be_read_stays),
        TEST(each_backup_is_asked_until_one_gives_it),
        TEST(a_backup_is_found_from_everywhere),
        TEST(what_comes_while_it_is_mended_stays),
        TEST(what_cannot_be_put_in_its_place_is_told_and_asked_of_devices),
        TEST(what_a_later_backup_has_is_taken_from_it),
        TEST(of_two_sizes_that_are_named_the_right_one_is_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
