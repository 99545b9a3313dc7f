/* The machine below lets the programs down: a small file system that is full, a clock that is years
 * wrong. */
#define _GNU_SOURCE /* unshare, prlimit */
#include "test.h"

#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "env.h"
#include "ocop.h"
#include "office.h"

struct world {
    struct office office;
    char disk[PROCESS_PATH_MAX], filler[PROCESS_PATH_MAX];
    bool mounted;
};

static int open_world(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    *state = w;
    office_open(&w->office);
    return 0;
}

static int close_world(void **state)
{
    struct world *w = *state;
    if (w->office.server.pid)
        office_stop(&w->office);
    if (w->mounted)
        umount2(w->disk, MNT_DETACH);
    office_close(&w->office);
    free(w);
    return 0;
}

static int64_t inspections(struct office *o)
{
    office_expect(o, 0, OFFICE(o, "show"), "\ninspection\t");
    return atoll(strstr(o->out, "\ninspection\t") + strlen("\ninspection\t"));
}

/* --- a small disk ---------------------------------------------------------------------------- */

enum { PAGE = 4096, PAGES_MAX = 96, SAID = 512 };

/* A file system of a few MiB where we may mount one, in a name space that ends with this process.
 * Elsewhere files that cannot grow stand for it. */
static void disk_open(struct world *w)
{
    char name[PROCESS_PATH_MAX];
    office_path(&w->office, "disk", w->disk);
    assert_int_equal(mkdir(w->disk, 0700), 0);
    w->mounted = geteuid() == 0 && unshare(CLONE_NEWNS) == 0 &&
                 mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
                 mount("tmpfs", w->disk, "tmpfs", 0, "size=6m") == 0;
    strcpy(w->filler, office_path(&w->office, "disk/filler", name));
}

/* Leave room for so many pages. `server`: it is the server's disk, else the devices'. What a
 * program says goes to a file too, which must be able to grow where a limit of files stands for the
 * disk. */
static void disk_fill(struct world *w, bool server, unsigned pages)
{
    static const char page[PAGE];
    struct office *o = &w->office;
    const rlim_t most = (rlim_t)PAGE * pages + SAID;
    off_t len = 0;
    if (!w->mounted && server)
        assert_int_equal(
            prlimit(o->server.pid, RLIMIT_FSIZE, &(struct rlimit){most, RLIM_INFINITY}, NULL), 0);
    o->device_limits.file_bytes = !w->mounted && !server ? most : 0;
    if (!w->mounted)
        return;
    const int fd = open(w->filler, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    while (write(fd, page, sizeof page) == (ssize_t)sizeof page)
        len += PAGE;
    assert_true(len > (off_t)pages * PAGE);
    assert_int_equal(ftruncate(fd, len - (off_t)pages * PAGE), 0);
    close(fd);
}

static void disk_free(struct world *w)
{
    struct office *o = &w->office;
    const struct rlimit none = {RLIM_INFINITY, RLIM_INFINITY};
    o->device_limits.file_bytes = 0;
    unlink(w->filler);
    if (!w->mounted && o->server.pid)
        assert_int_equal(prlimit(o->server.pid, RLIMIT_FSIZE, &none, NULL), 0);
}

static void a_device_whose_disk_is_full_says_so_loses_nothing_and_goes_on(void **state)
{
    struct world *w = *state;
    struct office *o = &w->office;
    struct office_record record;
    unsigned saved = 0, refused = 0;
    disk_open(w);
    office_serve(o, NULL, NULL);
    office_enrol(o, "disk/an", "Nguyễn Thị An", office_units[0]);
    office_record_fill(o, "inspection", 0, "một", &record);
    for (unsigned pages = 0; pages <= PAGES_MAX; pages = pages * 3 / 2 + 1) {
        disk_fill(w, false, pages);
        const int code = office_device(o, "disk/an", NULL, record.args);
        if (code == 0)
            saved++;
        else
            office_expect(o, 5, code, "full"), refused++;
        disk_free(w);
        office_expect(o, 0, DEVICE(o, "disk/an", "check"), "the store is sound");
    }
    assert_true(saved > 0 && refused > 0);
    disk_fill(w, false, 0);
    assert_int_not_equal(DEVICE(o, "disk/an", "sync"), 0);
    disk_free(w);
    office_expect(o, 0, office_device(o, "disk/an", NULL, record.args), "submitted as ");
    office_expect(o, 0, DEVICE(o, "disk/an", "sync"), "complete:        yes");
    assert_int_equal(inspections(o), saved + 1);
    office_expect(o, 0, DEVICE(o, "disk/an", "status"), "waiting:     0\n");
}

static void a_server_whose_disk_is_full_is_busy_loses_nothing_and_goes_on(void **state)
{
    struct world *w = *state;
    struct office *o = &w->office;
    char id[40], command[2 * PROCESS_PATH_MAX + 20];
    unsigned synced = 0, busy = 0, recorded = 0;
    disk_open(w);
    snprintf(command, sizeof command, "mv %s* %s/", o->db, w->disk);
    assert_int_equal(system(command), 0);
    office_path(o, "disk/r.db", o->db);
    office_serve(o, NULL, NULL);
    office_enrol(o, "an", "Nguyễn Thị An", office_units[0]);
    for (unsigned pages = 0; pages <= PAGES_MAX; pages = pages * 3 / 2 + 1) {
        office_record(o, "an", "inspection", 0, "một", id);
        recorded++;
        disk_fill(w, true, pages);
        const int code = DEVICE(o, "an", "sync");
        if (code == 0)
            synced++;
        else
            office_expect(o, 10, code, "ocop: "), busy++;
        assert_false(process_ended(&o->server, 0));
        disk_free(w);
    }
    assert_true(busy > 0);
    office_expect(o, 0, DEVICE(o, "an", "sync"), "complete:        yes");
    assert_int_equal(inspections(o), recorded);
    office_stop(o);
    office_expect(o, 0, OFFICE(o, "verify"), "tables: equal");
}

/* --- clocks ---------------------------------------------------------------------------------- */

static int64_t thirty_years_ago(void *self)
{
    (void)self;
    return env_now_ms(env_system()) - INT64_C(305) * 365 * 8640 * 1000;
}

static int64_t in_forty_years(void *self)
{
    (void)self;
    return env_now_ms(env_system()) + INT64_C(405) * 365 * 8640 * 1000;
}

static void amend_and_sync(struct office *o, const char *name, int64_t (*clock)(void *self),
                           const char *id, const char *assignment, bool first)
{
    char path[PROCESS_PATH_MAX];
    struct env env = *env_system();
    struct ocop_options options = {.env = &env, .must_exist = true};
    struct ocop_store *store;
    struct ocop_error err = {0};
    struct ocop_id record;
    ProtobufCMessage *m = NULL;
    env.now_ms = clock;
    assert_true(ocop_id_parse(id, &record));
    enum ocop_status st = ocop_open(office_path(o, name, path), &options, &store, &err);
    if (st == OCOP_OK && !first) /* the two do not know of each other */
        st = ocop_load(store, &record, &m, &err);
    if (st == OCOP_OK && !first)
        st = ocop_set_text(store, &m, assignment, &err);
    if (st == OCOP_OK && !first)
        st = ocop_amend(store, m, "sửa", &err);
    if (st == OCOP_OK && first)
        st = ocop_sync(store, NULL, NULL, &err);
    if (st != OCOP_OK)
        fail_msg("%s: %s", err.field, err.text);
    ocop_free(m);
    ocop_close(store);
}

/* Years of the difference that is shown for the device of this officer, rounded down. */
static long skew_years(struct office *o, const char *officer)
{
    office_expect(o, 0, OFFICE(o, "devices"), officer);
    const char *line = strstr(o->out, officer);
    char sign;
    long long seconds;
    for (int i = 0; i < 4; i++) /* officer, scope, state, last heard */
        line = strchr(line, '\t') + 1;
    assert_int_equal(sscanf(line, "%c%lld s", &sign, &seconds), 2);
    return (long)(seconds / (365 * 86400)) * (sign == '-' ? -1 : 1);
}

static void a_clock_that_is_decades_wrong_decides_nothing_and_is_shown(void **state)
{
    struct world *w = *state;
    struct office *o = &w->office;
    char id[40];
    office_serve(o, NULL, NULL);
    office_enrol(o, "an", "Nguyễn Thị An", office_units[0]);
    office_invite(o, "Trần Văn Bình", "inspector,reconciler", office_units[2]);
    office_expect(o, 0, DEVICE(o, "binh", "init"), "");
    office_expect(o, 0,
                  office_device(o, "binh", o->code, (const char *const[]){"enrol", "-", NULL}), "");
    office_record(o, "an", "inspection", 0, "đầu", id);
    office_expect(o, 0, DEVICE(o, "an", "sync"), "applied:       1");
    office_expect(o, 0, DEVICE(o, "binh", "sync"), "complete:        yes");
    amend_and_sync(o, "an", in_forty_years, id, "conclusion=fail", false);
    amend_and_sync(o, "binh", thirty_years_ago, id, "conclusion=conditional", false);
    /* Who comes first stands, although its clock is behind; the other has a case. */
    amend_and_sync(o, "binh", thirty_years_ago, id, NULL, true);
    amend_and_sync(o, "an", in_forty_years, id, NULL, true);
    office_expect(o, 0, OFFICE(o, "show", "inspection", id), "conclusion = \"conditional\"");
    office_expect(o, 0, OFFICE(o, "cases"), "open\tfield\tconclusion");
    assert_int_equal(skew_years(o, "Nguyễn Thị An"), 40);
    assert_int_equal(skew_years(o, "Trần Văn Bình"), -30);
    /* With the right clock again both go on. */
    office_expect(o, 0, DEVICE(o, "an", "amend", id, "--reason", "sửa", "--set", "score=90"), "");
    office_expect(o, 0, DEVICE(o, "an", "sync"), "applied:       1");
    office_expect(o, 0, DEVICE(o, "binh", "sync"), "received:        1");
    office_expect(o, 0, OFFICE(o, "show", "inspection", id), "score = 90");
    assert_int_equal(skew_years(o, "Nguyễn Thị An"), 0);
    office_stop(o);
    office_expect(o, 0, OFFICE(o, "verify"), "tables: equal");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_device_whose_disk_is_full_says_so_loses_nothing_and_goes_on),
        TEST(a_server_whose_disk_is_full_is_busy_loses_nothing_and_goes_on),
        TEST(a_clock_that_is_decades_wrong_decides_nothing_and_is_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
