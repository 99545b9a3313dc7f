/* Contents that were damaged at the centre, or lost there, come back from a backup or from a
 * device. */
#include "test.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "blobs.h"
#include "blobs_copy.h"
#include "cabinet.h"
#include "rights.h"
#include "store.h"

static void what_is_damaged_or_lost_is_asked_of_its_device_again(void **state)
{
    struct cabinet *c = *state;
    static struct photo p[2];
    char *told, text[300];
    for (unsigned i = 0; i < 2; i++) {
        brought(c, 1, 20 + i, &p[i]);
        spoil(c, &p[i], i);
        struct files_found f = verified(c, false, &told);
        assert_int_equal(f.damaged, !i);
        assert_int_equal(f.lost, i);
        says(told, "no backup has it, a device may; `ocopd files verify --mend`");
        assert_int_equal(world_sync(&c->w, 1).files_sent, 0); /* nobody has said so yet */
        f = verified(c, true, &told);
        assert_int_equal(f.asked, 1);
        says(told, "asked of the devices that may have it");
        says(attached(c, &p[i]), "0 of 136 KiB, lost here and asked of devices since ");
        assert_int_equal(world_sync(&c->w, 1).files_sent, 1);
        assert_int_equal(at_centre(c, &p[i]), OCOP_OK);
        assert_int_equal(state_of(c, 1, &p[i], text), OCOP_FILE_STORED);
        assert_int_equal(world_count(&c->w, "SELECT count(*) FROM lacking"), 0);
        assert_int_equal(world_sync(&c->w, 1).round_trips, 1);
    }
}

/* Its record leaves the device in the same sync, and at most a draft names it there. */
static void what_is_lost_is_asked_of_who_is_about_to_let_go_of_it(void **state)
{
    struct cabinet *c = *state;
    static struct photo p[2], q;
    for (unsigned drafted = 0; drafted < 2; drafted++) {
        brought(c, 1, 26 + drafted, &p[drafted]);
        photo_fill(&q, 26 + drafted);
        if (drafted)
            attach(c, 1, world_draft(&c->w, 1), &q);
        spoil(c, &p[drafted], true);
        assert_int_equal(verified(c, true, NULL).asked, 1);
        world_move(&c->w, KIND_INSPECTION, p[drafted].record, &c->w.other_commune);
        struct ocop_sync_summary sum = world_sync(&c->w, 1);
        assert_int_equal(sum.departed, 2);
        assert_int_equal(sum.files_sent, 1);
        assert_int_equal(at_centre(c, &p[drafted]), OCOP_OK);
        world_sync(&c->w, 1);
        assert_int_equal(world_has_content(&c->w, 1, p[drafted].hash), drafted);
    }
}

/* A restored registry has the file, knows of nobody who brought it, and was never told to read it.
 */
static void what_is_damaged_unnoticed_comes_anew_from_who_would_prove_to_have_it(void **state)
{
    struct cabinet *c = *state;
    static struct photo p;
    char text[300];
    world_backup(&c->w);
    brought(c, 1, 28, &p);
    spoil(c, &p, false);
    world_restore(&c->w);
    set_clock(c);
    assert_int_equal(world_sync(&c->w, 1).files_sent, 1);
    assert_int_equal(at_centre(c, &p), OCOP_OK);
    assert_int_equal(state_of(c, 1, &p, text), OCOP_FILE_STORED);
    assert_int_equal(world_count(&c->w, "SELECT count(*) FROM lacking"), 0);
}

/* It came, and then its commit failed. */
static void what_came_before_a_failed_commit_is_asked_of_nobody_any_more(void **state)
{
    struct cabinet *c = *state;
    static struct photo p;
    char path[PATH_MAX], folder[PATH_MAX], away[PATH_MAX + 8];
    brought(c, 1, 25, &p);
    content_path(&c->w.registry->blobs, p.hash, path, folder);
    snprintf(away, sizeof away, "%s.away", path);
    assert_int_equal(rename(path, away), 0);
    assert_int_equal(verified(c, true, NULL).asked, 1);
    assert_int_equal(rename(away, path), 0);
    world_sync(&c->w, 1);
    assert_int_equal(world_count(&c->w, "SELECT count(*) FROM lacking"), 0);
    struct ocop_sync_summary sum = world_sync(&c->w, 1);
    assert_int_equal(sum.round_trips, 1);
    assert_int_equal(sum.files_sent, 0);
}

/* An attachment may say anything of the size: the content that it names is another's, and good. */
static void a_content_is_not_put_aside_for_an_attachment_that_lies_about_it(void **state)
{
    struct cabinet *c = *state;
    static struct photo p, q;
    char *told;
    brought(c, 1, 60, &p);
    photo_fill(&q, 60);
    attach(c, 1, p.record, &q);
    world_sync(&c->w, 1);
    c->w.damaged = true; /* so that no device has to lie */
    assert_int_equal(sqlite3_exec(c->w.registry->db,
                                  "UPDATE attachment SET size = size + 1 WHERE n = "
                                  "(SELECT max(n) FROM attachment)",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    struct files_found f = verified(c, true, &told);
    assert_int_equal(f.damaged, 0);
    assert_int_equal(f.asked, 0);
    says(told, "wrong size");
    assert_int_equal(at_centre(c, &p), OCOP_OK);
}

/* Its own device has let go of it; another has it in its cache. */
static void another_device_that_has_it_brings_it_back(void **state)
{
    struct cabinet *c = *state;
    static struct photo p;
    struct ocop_error err = {0};
    unsigned gone;
    brought(c, 1, 30, &p);
    fetched(c, 0, &p);
    must(ocop_files_keep(c->w.stores[1], 0, &gone, &err), &err);
    assert_int_equal(gone, 1);
    spoil(c, &p, false);
    assert_int_equal(verified(c, true, NULL).asked, 1);
    assert_int_equal(world_sync(&c->w, 1).files_sent, 0);
    assert_int_equal(world_sync(&c->w, 0).files_sent, 1);
    assert_int_equal(at_centre(c, &p), OCOP_OK);
}

static uint64_t owed(struct cabinet *c, unsigned n)
{
    struct ocop_error err = {0};
    struct ocop_store_status info;
    must(ocop_store_status(c->w.stores[n], &info, &err), &err);
    return info.files_waiting;
}

static void sync_records(struct cabinet *c, unsigned n)
{
    struct ocop_error err = {0};
    struct ocop_sync_summary sum;
    const struct ocop_sync_options records = {.files = OCOP_FILES_NONE};
    must(ocop_sync(c->w.stores[n], &records, &sum, &err), &err);
}

/* It was asked for, and before it was sent its record left: who only fetched it may not send it any
 * more, and owes nothing. */
static void a_copy_that_was_asked_for_goes_with_its_record(void **state)
{
    struct cabinet *c = *state;
    static struct photo p;
    brought(c, 1, 34, &p);
    fetched(c, 0, &p);
    spoil(c, &p, true);
    assert_int_equal(verified(c, true, NULL).asked, 1);
    sync_records(c, 0);
    assert_int_equal(owed(c, 0), 1);
    world_move(&c->w, KIND_INSPECTION, p.record, &c->w.other_commune);
    sync_records(c, 0);
    assert_true(world_has_content(&c->w, 0, p.hash)); /* it may be that it is still to be sent */
    assert_int_equal(world_sync(&c->w, 0).files_sent, 0);
    assert_int_equal(owed(c, 0), 0);
    assert_false(world_has_content(&c->w, 0, p.hash));
    assert_int_equal(world_sync(&c->w, 1).files_sent, 1);
    assert_int_equal(at_centre(c, &p), OCOP_OK);
}

static void say_of_size(struct cabinet *c, const char *how)
{
    char sql[80];
    snprintf(sql, sizeof sql, "UPDATE attachment SET size = size %s 1", how);
    assert_int_equal(sqlite3_exec(c->w.registry->db, sql, NULL, NULL, NULL), SQLITE_OK);
}

/* What a record of his own owes stays, asked for or not, before it leaves or as it does, as long as
 * the registry has not taken it: that it knows of no such attachment may be true only for now. */
static void an_own_content_that_was_asked_for_is_owed_by_its_record(void **state)
{
    struct cabinet *c = *state;
    static struct photo p[2];
    for (unsigned as_it_leaves = 0; as_it_leaves < 2; as_it_leaves++) {
        struct photo *own = &p[as_it_leaves];
        brought(c, 1, 35 + as_it_leaves, own);
        spoil(c, own, true);
        assert_int_equal(verified(c, true, NULL).asked, 1);
        if (!as_it_leaves)
            sync_records(c, 1);
        world_move(&c->w, KIND_INSPECTION, own->record, &c->w.other_commune);
        sync_records(c, 1);
        c->w.damaged = true; /* so that no registry has to be restored */
        say_of_size(c, "+");
        assert_int_equal(world_sync(&c->w, 1).files_sent, 0);
        assert_int_equal(owed(c, 1), 1);
        assert_true(world_has_content(&c->w, 1, own->hash));
        say_of_size(c, "-");
        assert_int_equal(world_sync(&c->w, 1).files_sent, 1);
        assert_int_equal(at_centre(c, own), OCOP_OK);
    }
}

/* Who may not see it is not asked, and what he sends is not taken. */
static void who_may_not_have_it_is_not_asked(void **state)
{
    struct cabinet *c = *state;
    static struct photo p;
    Ocop__Sync__SyncReply reply = OCOP__SYNC__SYNC_REPLY__INIT;
    struct ocop_error err = {0};
    struct replica_info info;
    struct id replica;
    struct arena a;
    brought(c, 1, 31, &p);
    spoil(c, &p, true);
    assert_int_equal(verified(c, true, NULL).asked, 1);
    arena_init(&a, MIB(1));
    world_replica(&c->w, 0, &replica);
    must(registry_begin_read(c->w.registry, &err), &err);
    must(registry_replica(c->w.registry, &replica, &info, &err), &err);
    must(blobs_wanted(c->w.registry, &replica, &info, READ_SAMPLES, &a, &reply, &err), &err);
    assert_int_equal(reply.n_files_wanted, 0);
    must(blobs_wanted(c->w.registry, &replica, &info, READ_ALL, &a, &reply, &err), &err);
    assert_int_equal(reply.n_files_wanted, 1);
    registry_rollback(c->w.registry);
    arena_fini(&a);
}

/* After a loss of many: each sync asks for some, and those that nobody has hide none for ever. */
static void of_many_that_are_lost_each_is_asked_for_some_time(void **state)
{
    enum { MANY = 100, HERE = 45 };
    struct cabinet *c = *state;
    static struct photo p;
    struct ocop_error err = {0};
    struct ocop_id record = world_inspect(&c->w, 1, "pass");
    unsigned gone, syncs = 0, sent = 0;
    for (unsigned i = 0; i < MANY; i++) {
        photo_fill(&p, 100 + i);
        attach(c, 1, record, &p);
    }
    assert_int_equal(world_sync(&c->w, 1).files_sent, MANY);
    must(ocop_files_keep(c->w.stores[1], HERE * PHOTO_BYTES, &gone, &err), &err);
    assert_int_equal(gone, MANY - HERE);
    must(content_clear(&c->w.registry->blobs, &err), &err);
    assert_int_equal(verified(c, true, NULL).asked, MANY);
    for (; sent < HERE; syncs++) {
        const unsigned n = world_sync(&c->w, 1).files_sent;
        assert_true(n <= FILES_WANTED_MAX && syncs < 1000);
        sent += n;
    }
    assert_int_equal(verified(c, false, NULL).lost, MANY - HERE);
}

static void a_backup_is_asked_before_any_device(void **state)
{
    struct cabinet *c = *state;
    static struct photo p;
    struct ocop_error err = {0};
    struct content_dir files;
    struct blobs_copied copied;
    char backup[128], *told;
    brought(c, 1, 40, &p);
    world_backup(&c->w);
    snprintf(backup, sizeof backup, "%s/backup.db", c->w.dir);
    must(blobs_of_backup(backup, &c->env, &files, &err), &err);
    must(blobs_copy(c->w.registry, &c->w.registry->blobs, &files, &copied, &err), &err);
    assert_int_equal(copied.copied, 1);
    spoil(c, &p, false);
    assert_int_equal(verified(c, false, &told).damaged, 1);
    says(told, "/blobs; `ocopd files verify --mend`");
    struct files_found f = verified(c, true, NULL);
    assert_int_equal(f.from_backups, 1);
    assert_int_equal(f.asked, 0);
    assert_int_equal(at_centre(c, &p), OCOP_OK);
    /* What was removed goes into no backup, and comes back from none. */
    c->ahead_ms = 401 * DAY;
    assert_int_equal(retain(c, NULL, 0, false, NULL).removed, 1);
    must(blobs_copy(c->w.registry, &files, &c->w.registry->blobs, &copied, &err), &err);
    assert_int_equal(copied.copied + copied.missing, 0);
    assert_int_equal(at_centre(c, &p), OCOP_ENOTFOUND);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, cabinet_open, cabinet_close)
    const struct CMUnitTest tests[] = {
        TEST(what_is_damaged_or_lost_is_asked_of_its_device_again),
        TEST(what_is_lost_is_asked_of_who_is_about_to_let_go_of_it),
        TEST(what_is_damaged_unnoticed_comes_anew_from_who_would_prove_to_have_it),
        TEST(what_came_before_a_failed_commit_is_asked_of_nobody_any_more),
        TEST(a_content_is_not_put_aside_for_an_attachment_that_lies_about_it),
        TEST(another_device_that_has_it_brings_it_back),
        TEST(a_copy_that_was_asked_for_goes_with_its_record),
        TEST(an_own_content_that_was_asked_for_is_owed_by_its_record),
        TEST(who_may_not_have_it_is_not_asked),
        TEST(of_many_that_are_lost_each_is_asked_for_some_time),
        TEST(a_backup_is_asked_before_any_device),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
