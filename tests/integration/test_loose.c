/* What must not be left lying beside a store, and what must not be taken from another program that
 * has the same store: programs that are killed at the worst moment, two that write at once, disks
 * that are full. With a real registry and no socket. */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backup.h"
#include "files.h"
#include "photos.h"
#include "query.h"
#include "records.pb-c.h"

/* --- the worst moments ------------------------------------------------------------------------ */

static struct {
    void (*before_commit)(void);
    void (*after_commit)(void);
    void (*after_rollback)(void);
    unsigned commits_before; /* before_commit lets so many pass */
    unsigned commits_pass;   /* ... and commit_fails */
    bool commit_fails, sweep_fails;
    unsigned writes_left; /* 0: any number; 1: the disk is full */
} hooks;

static void now(void (**hook)(void))
{
    void (*fn)(void) = *hook;
    *hook = NULL; /* what it does is not disturbed again */
    if (fn)
        fn();
}

enum ocop_status __real_store_commit(struct ocop_store *s, struct ocop_error *err);
enum ocop_status __wrap_store_commit(struct ocop_store *s, struct ocop_error *err);
bool __real_store_rollback(struct ocop_store *s);
bool __wrap_store_rollback(struct ocop_store *s);
enum ocop_status __real_content_each(const struct content_dir *d, content_fn *fn, void *self,
                                     struct ocop_error *err);
enum ocop_status __wrap_content_each(const struct content_dir *d, content_fn *fn, void *self,
                                     struct ocop_error *err);
ssize_t __real_write(int fd, const void *bytes, size_t len);
ssize_t __wrap_write(int fd, const void *bytes, size_t len);

enum ocop_status __wrap_store_commit(struct ocop_store *s, struct ocop_error *err)
{
    if (hooks.commits_before)
        hooks.commits_before--;
    else
        now(&hooks.before_commit);
    if (hooks.commit_fails && hooks.commits_pass-- == 0)
        return err_set(err, OCOP_EDB, "the disk fails");
    enum ocop_status st = __real_store_commit(s, err);
    now(&hooks.after_commit);
    return st;
}

bool __wrap_store_rollback(struct ocop_store *s)
{
    bool done = __real_store_rollback(s);
    hooks.commit_fails = false;
    now(&hooks.after_rollback);
    return done;
}

enum ocop_status __wrap_content_each(const struct content_dir *d, content_fn *fn, void *self,
                                     struct ocop_error *err)
{
    return hooks.sweep_fails ? err_set(err, OCOP_EIO, "not now")
                             : __real_content_each(d, fn, self, err);
}

ssize_t __wrap_write(int fd, const void *bytes, size_t len)
{
    if (hooks.writes_left == 1) {
        errno = ENOSPC;
        return -1;
    }
    hooks.writes_left -= hooks.writes_left > 0;
    return __real_write(fd, bytes, len);
}

static uint64_t room_asked;

enum ocop_status __real_content_room(const struct content_dir *d, uint64_t size,
                                     struct ocop_error *err);
enum ocop_status __wrap_content_room(const struct content_dir *d, uint64_t size,
                                     struct ocop_error *err);

enum ocop_status __wrap_content_room(const struct content_dir *d, uint64_t size,
                                     struct ocop_error *err)
{
    room_asked = size;
    return __real_content_room(d, size, err);
}

static void killed(void)
{
    _exit(7);
}

/* --- what the tests share --------------------------------------------------------------------- */

static int open_hooked(void **state)
{
    memset(&hooks, 0, sizeof hooks);
    return open_world(state);
}

static int close_hooked(void **state)
{
    memset(&hooks, 0, sizeof hooks);
    return world_teardown(state);
}

static void open_again(struct world *w, unsigned n)
{
    struct ocop_error err = {0};
    char path[128];
    ocop_close(w->stores[n]);
    w->stores[n] = NULL;
    snprintf(path, sizeof path, "%s/%u.ocop", w->dir, n);
    must(ocop_open(path, &(struct ocop_options){.link = &w->links[n].link}, &w->stores[n], &err),
         &err);
}

/* All that lies in the folder of a store, but for its folders. */
static size_t in_folder(struct world *w, unsigned n)
{
    char path[200], line[32];
    size_t count = 0;
    snprintf(path, sizeof path, "find %s/%u.ocop.blobs -type f | wc -l", w->dir, n);
    FILE *p = popen(path, "r");
    assert_non_null(p);
    assert_non_null(fgets(line, sizeof line, p));
    pclose(p);
    count = strtoul(line, NULL, 10);
    return count;
}

/* --- killed ----------------------------------------------------------------------------------- */

static void what_was_named_and_not_committed_goes_when_the_store_is_opened(void **state)
{
    struct world *w = *state;
    struct photo *p = photo(2 * CHUNK, 700);
    struct ocop_id record = world_inspect(w, 1, "pass");
    struct ocop_attachment a = {.bytes = p->bytes, .len = p->len, .role = "photo"};
    char path[128];
    int status;
    snprintf(path, sizeof path, "%s/1.ocop", w->dir);
    ocop_close(w->stores[1]);
    w->stores[1] = NULL;
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct ocop_store *s;
        if (ocop_open(path, NULL, &s, NULL) != OCOP_OK)
            _exit(1);
        struct ocop_id out;
        if (ocop_attach(s, &record, &a, &out, NULL) != OCOP_OK) /* makes the key */
            _exit(2);
        p->bytes[100]++;
        hooks.commits_before = 1; /* of what is to be done; the second names the content */
        hooks.before_commit = killed;
        _exit(ocop_attach(s, &record, &a, &out, NULL) == OCOP_OK ? 3 : 4);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 7);
    open_again(w, 1);
    assert_int_equal(in_folder(w, 1), 1);
    free(p);
}

enum leaving { LET_GO, DISCARDED, DEPARTED };

/* The sweep behind the commit does not come: as when the program is killed. */
static void leave(struct world *w, enum leaving how, const struct photo *p)
{
    struct ocop_error err = {0};
    unsigned removed;
    struct ocop_id id = p->id;
    hooks.sweep_fails = true;
    if (how == LET_GO)
        must(ocop_files_keep(w->stores[1], 0, &removed, &err), &err);
    if (how == DISCARDED)
        must(ocop_discard(w->stores[1], &id, &err), &err);
    if (how == DEPARTED) {
        world_move(w, KIND_INSPECTION, p->record, &w->other_commune);
        world_sync(w, 1);
    }
    hooks.sweep_fails = false;
}

static void what_was_left_and_not_swept_goes_when_the_store_is_opened(void **state)
{
    struct world *w = *state;
    for (enum leaving how = LET_GO; how <= DEPARTED; how++) {
        struct photo *p = photo(2 * CHUNK, 710 + how);
        attach(w, 1, how == DISCARDED ? world_draft(w, 1) : world_inspect(w, 1, "pass"), p);
        if (how != DISCARDED)
            assert_int_equal(world_sync(w, 1).files_sent, 1);
        leave(w, how, p);
        assert_int_equal(in_folder(w, 1), 2); /* the content, and the mark */
        open_again(w, 1);
        assert_int_equal(in_folder(w, 1), 0);
        free(p);
    }
}

/* --- another program has the same store ------------------------------------------------------- */

static struct {
    struct world *w;
    struct ocop_id record;
    struct photo *photo;
} other;

enum { OTHER = 3 }; /* a handle on the store of device 1 */

static void other_attaches(void)
{
    attach(other.w, OTHER, other.record, other.photo);
}

static void open_other(struct world *w, struct photo *p)
{
    struct ocop_error err = {0};
    char path[128];
    snprintf(path, sizeof path, "%s/1.ocop", w->dir);
    must(
        ocop_open(path, &(struct ocop_options){.link = &w->links[1].link}, &w->stores[OTHER], &err),
        &err);
    other.w = w;
    other.record = world_inspect(w, 1, "pass");
    other.photo = p;
}

/* It is let go of because the registry has it, and another program attaches it anew just then. */
static void what_is_attached_while_it_is_let_go_of_stays(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct photo *p = photo(2 * CHUNK, 720), *again = photo(2 * CHUNK, 720);
    unsigned removed;
    attach(w, 1, world_inspect(w, 1, "pass"), p);
    assert_int_equal(world_sync(w, 1).files_sent, 1);
    open_other(w, again);
    hooks.after_commit = other_attaches;
    must(ocop_files_keep(w->stores[1], 0, &removed, &err), &err);
    assert_int_equal(removed, 1);
    expect_here(w, 1, again);
    expect_here(w, OTHER, again);
    free(p);
    free(again);
}

/* It could not be recorded, and what was placed for it is to be removed again. */
static void what_is_attached_while_another_fails_to_stays(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct photo *p = photo(2 * CHUNK, 721), *first = photo(CHUNK, 722);
    struct ocop_attachment a = {.bytes = p->bytes, .len = p->len, .role = "photo"};
    struct ocop_id out;
    attach(w, 1, world_inspect(w, 1, "pass"), first);
    open_other(w, p);
    hooks.after_rollback = other_attaches;
    hooks.commits_pass = 1;
    hooks.commit_fails = true;
    assert_int_equal(ocop_attach(w->stores[1], &other.record, &a, &out, &err), OCOP_EDB);
    expect_here(w, OTHER, p);
    open_again(w, 1);
    expect_here(w, 1, p);
    assert_int_equal(in_folder(w, 1), 2);
    free(p);
    free(first);
}

/* --- full ------------------------------------------------------------------------------------- */

static void a_full_disk_is_told_as_one_and_leaves_the_store_as_it_was(void **state)
{
    struct world *w = *state;
    struct photo *p = photo(20 * CHUNK, 730), *first = photo(CHUNK, 731);
    struct ocop_attachment a = {.bytes = p->bytes, .len = p->len, .role = "photo"};
    struct ocop_id record = world_inspect(w, 1, "pass"), out;
    struct ocop_file_list *list;
    attach(w, 1, record, first);
    for (unsigned left = 1; left < 12; left += 5) {
        struct ocop_error err = {0};
        hooks.writes_left = left;
        assert_int_equal(ocop_attach(w->stores[1], &record, &a, &out, &err), OCOP_ELIMIT);
        hooks.writes_left = 0;
        assert_non_null(strstr(err.text, "the disk is full: make room"));
        assert_int_equal(in_folder(w, 1), 1);
        must(ocop_files(w->stores[1], &record, &list, &err), &err);
        assert_int_equal(list->count, 1);
        ocop_file_list_free(list);
    }
    attach(w, 1, record, p);
    expect_here(w, 1, p);
    free(p);
    free(first);
}

/* Of one that is made smaller there are two for a while, or for ever. */
static void there_is_room_for_all_that_is_made_of_a_photo(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct photo *p = photo(3 * CHUNK, 732), *q = photo(3 * CHUNK, 733);
    attach(w, 1, world_inspect(w, 1, "pass"), p);
    assert_int_equal(room_asked, p->len);
    struct ocop_image_settings smaller = {.side_max = 640, .quality = 70, .keep_original = true};
    must(ocop_set_image_settings(w->stores[1], &smaller, &err), &err);
    attach(w, 1, world_inspect(w, 1, "pass"), q);
    assert_int_equal(room_asked, 2 * q->len);
    smaller.strip = true;
    must(ocop_set_image_settings(w->stores[1], &smaller, &err), &err);
    struct ocop_attachment a = {.bytes = q->bytes, .len = q->len, .role = "photo"};
    struct ocop_id record = world_inspect(w, 1, "pass"), out; /* it is no true JPEG */
    assert_int_equal(ocop_attach(w->stores[1], &record, &a, &out, &err), OCOP_EINVAL);
    assert_int_equal(room_asked, 3 * q->len);
    free(p);
    free(q);
}

/* Before its first chunk is written, at the centre and on the device that fetches it. */
static void there_is_room_for_all_that_travels(void **state)
{
    struct world *w = *state;
    struct photo *p = photo(3 * CHUNK, 734);
    attach(w, 1, world_inspect(w, 1, "pass"), p);
    room_asked = 0;
    world_sync(w, 1);
    assert_int_equal(room_asked, p->len);
    world_sync(w, 0);
    fetch(w, 0, p->id);
    room_asked = 0;
    assert_int_equal(world_sync(w, 0).files_received, 1);
    assert_int_equal(room_asked, p->len);
    free(p);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_hooked, close_hooked)
    const struct CMUnitTest tests[] = {
        TEST(what_was_named_and_not_committed_goes_when_the_store_is_opened),
        TEST(what_was_left_and_not_swept_goes_when_the_store_is_opened),
        TEST(what_is_attached_while_it_is_let_go_of_stays),
        TEST(what_is_attached_while_another_fails_to_stays),
        TEST(a_full_disk_is_told_as_one_and_leaves_the_store_as_it_was),
        TEST(there_is_room_for_all_that_is_made_of_a_photo),
        TEST(there_is_room_for_all_that_travels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
