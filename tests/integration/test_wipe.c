/* A store that the office wants wiped: what is brought before, what keeps it waiting and what does
 * not. What is left of it is in test_states. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "photos.h"
#include "store_db.h"

static void expect_wiped(struct world *w, unsigned n, bool wiped)
{
    struct ocop_store_status s;
    assert_int_equal(ocop_store_status(w->stores[n], &s, NULL), OCOP_OK);
    assert_true(s.wiped == wiped);
}

/* --- what is brought before --------------------------------------------------------------------
 */

/* What this sync may not send is waited for, and said; the next that may send it brings it. */
static void expect_brought(struct world *w, const struct ocop_sync_options *o)
{
    struct ocop_error err = {0};
    struct ocop_sync_summary sum;
    struct photo *p = photo(12 * CHUNK, 90);
    attach(w, 1, world_inspect(w, 1, "pass"), p);
    world_state(w, 1, DEVICE_WIPE);
    assert_int_equal(ocop_sync(w->stores[1], o, &sum, &err), OCOP_EBUSY);
    assert_non_null(strstr(err.text, "wants this store wiped; before that 1 files are to be sent"));
    assert_false(sum.complete);
    expect_wiped(w, 1, false);
    expect_here(w, 1, p);
    assert_int_equal(ocop_sync(w->stores[1], NULL, &sum, &err), OCOP_EWIPED);
    assert_int_equal(sum.files_sent, 1);
    assert_non_null(strstr(err.text, "0 others, 0 files"));
    assert_true(at_centre(w, p));
    free(p);
}

static void a_wipe_waits_while_no_files_may_go(void **state)
{
    expect_brought(*state, &(struct ocop_sync_options){.files = OCOP_FILES_NONE});
}

static void a_wipe_waits_while_the_network_is_metered(void **state)
{
    expect_brought(*state,
                   &(struct ocop_sync_options){.files = OCOP_FILES_UNMETERED, .metered = true});
}

static void a_wipe_waits_while_only_small_files_may_go(void **state)
{
    expect_brought(*state, &(struct ocop_sync_options){.file_bytes_max = 1000});
}

static void a_wipe_waits_while_only_files_of_another_record_may_go(void **state)
{
    struct ocop_id other = world_inspect(*state, 1, "pass");
    expect_brought(*state, &(struct ocop_sync_options){.files_of = &other});
}

static void a_wipe_waits_when_the_budget_is_spent(void **state)
{
    expect_brought(*state, &(struct ocop_sync_options){.files_bytes_max = CHUNK});
}

static void a_wipe_waits_when_the_round_trips_are_made(void **state)
{
    expect_brought(*state, &(struct ocop_sync_options){.max_round_trips = 1});
}

/* --- what is not waited for --------------------------------------------------------------------
 */

static void spoil(struct world *w, const struct photo *p, const char *how)
{
    char command[512], name[CONTENT_NAME_LEN + 1];
    content_name(p->hash, name);
    snprintf(command, sizeof command, "%s %s/1.ocop.blobs/%.2s/%s", how, w->dir, name, name);
    assert_int_equal(system(command), 0);
}

static void a_wipe_does_not_wait_for_what_cannot_be_read(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct ocop_sync_summary sum;
    struct photo *cut = photo(2 * CHUNK, 91), *gone = photo(CHUNK, 92), *good = photo(CHUNK, 93);
    struct ocop_id record = world_inspect(w, 1, "pass");
    attach(w, 1, record, cut);
    attach(w, 1, record, gone);
    attach(w, 1, record, good);
    spoil(w, cut, "truncate -s 1000");
    spoil(w, gone, "rm");
    world_state(w, 1, DEVICE_WIPE);
    const struct ocop_sync_options none = {.files = OCOP_FILES_NONE};
    assert_int_equal(ocop_sync(w->stores[1], &none, &sum, &err), OCOP_EBUSY);
    assert_int_equal(ocop_sync(w->stores[1], NULL, &sum, &err), OCOP_EWIPED);
    assert_non_null(strstr(err.text, "0 others, 2 files"));
    assert_true(at_centre(w, good));
    free(cut);
    free(gone);
    free(good);
}

static void a_wipe_waits_for_no_draft_and_says_how_much_is_lost(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct photo *p = photo(CHUNK, 94);
    attach(w, 1, world_draft(w, 1), p);
    world_state(w, 1, DEVICE_WIPE);
    assert_int_equal(ocop_sync(w->stores[1], NULL, NULL, &err), OCOP_EWIPED);
    assert_non_null(strstr(err.text, "Never sent: 2 drafts, 0 refused changes, 0 others, 1 files"));
    free(p);
}

/* What was fetched is offered to a restored registry. Its record has left since, of which a device
 * that is to be wiped hears no more: it is not taken. */
static void a_wipe_does_not_wait_for_what_others_attached(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct photo *p = photo(CHUNK, 95);
    attach(w, 0, world_inspect(w, 0, "pass"), p);
    world_sync(w, 0);
    world_sync(w, 1);
    fetch(w, 1, p->id);
    assert_int_equal(world_sync(w, 1).files_received, 1);
    world_backup(w);
    world_restore(w);
    world_sync(w, 0);
    sync(w, 1, &(struct ocop_sync_options){.files = OCOP_FILES_NONE});
    world_move(w, KIND_INSPECTION, p->record, &w->other_commune);
    world_state(w, 1, DEVICE_WIPE);
    assert_int_equal(ocop_sync(w->stores[1], NULL, NULL, &err), OCOP_EWIPED);
    free(p);
}

/* --- what fails --------------------------------------------------------------------------------
 */

static const char secret_text[] = "Khu rang cà phê sạch sẽ";

/* A submitted inspection with a photo and a text that is easily found. */
static struct photo *work(struct world *w)
{
    struct photo *p = photo(CHUNK, 96);
    struct ocop_id id = world_inspect(w, 1, "pass");
    char set[64];
    snprintf(set, sizeof set, "notes=%s", secret_text);
    world_amend(w, 1, id, set);
    attach(w, 1, id, p);
    return p;
}

static int64_t told(struct world *w)
{
    return world_count(w, "SELECT count(*) FROM replica WHERE state = 'wiped'");
}

static void in_folder(struct world *w, const char *command, const char *name)
{
    char line[256];
    snprintf(line, sizeof line, "%s %s/1.ocop.blobs/%s", command, w->dir, name);
    assert_int_equal(system(line), 0);
}

static void a_wipe_takes_what_others_left_in_the_folder(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct photo *p = work(w);
    in_folder(w, "touch", ".nomedia");
    in_folder(w, "ln -s /", "link");
    world_state(w, 1, DEVICE_WIPE);
    assert_int_equal(ocop_sync(w->stores[1], NULL, NULL, &err), OCOP_EWIPED);
    assert_int_equal(told(w), 1);
    assert_false(world_on_disk(w, 1, secret_text));
    assert_false(world_has_content(w, 1, p->hash));
    free(p);
}

/* A folder where none can be is as good as a disk that fails. */
static void a_wipe_that_fails_is_told_when_it_is_done(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct photo *p = work(w);
    in_folder(w, "mkdir -p", "xx/yy");
    world_state(w, 1, DEVICE_WIPE);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(ocop_sync(w->stores[1], NULL, NULL, &err), OCOP_EIO);
        assert_non_null(strstr(err.text, "xx/yy"));
        assert_int_equal(told(w), 0);
        assert_false(world_on_disk(w, 1, secret_text)); /* of what can be read, nothing is left */
    }
    in_folder(w, "rmdir", "xx/yy");
    assert_int_equal(ocop_sync(w->stores[1], NULL, NULL, &err), OCOP_EWIPED);
    assert_int_equal(told(w), 1);
    assert_false(world_has_content(w, 1, p->hash));
    free(p);
}

/* Another program of the device reads a long list meanwhile. */
static void a_wipe_beside_a_reader_is_told_when_nothing_is_left(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct photo *p = work(w);
    char path[128];
    sqlite3 *db;
    world_sync(w, 1);
    snprintf(path, sizeof path, "%s/1.ocop", w->dir);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN; SELECT count(*) FROM inspection", NULL, NULL, NULL),
                     SQLITE_OK);
    sqlite3_busy_timeout(w->stores[1]->db->sqlite, 10); /* it is in vain */
    world_state(w, 1, DEVICE_WIPE);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(ocop_sync(w->stores[1], NULL, NULL, &err), OCOP_EBUSY);
        assert_non_null(strstr(err.text, "another program is reading this store"));
        assert_int_equal(told(w), 0);
        expect_wiped(w, 1, true);
    }
    sqlite3_close(db);
    assert_int_equal(ocop_sync(w->stores[1], NULL, NULL, &err), OCOP_EWIPED);
    assert_int_equal(told(w), 1);
    assert_false(world_on_disk(w, 1, secret_text));
    free(p);
}

static void enrolling_ends_a_wipe_that_failed_first(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct ocop_query q = {.kind = "inspection"};
    struct ocop_list *list;
    struct photo *p = work(w);
    in_folder(w, "mkdir -p", "xx/yy");
    world_state(w, 1, DEVICE_WIPE);
    assert_int_equal(ocop_sync(w->stores[1], NULL, NULL, &err), OCOP_EIO);
    const char *code = world_invitation(w, 0);
    assert_int_equal(ocop_enrol(w->stores[1], code, NULL, &err), OCOP_EIO);
    expect_wiped(w, 1, true);
    in_folder(w, "rmdir", "xx/yy");
    must(ocop_enrol(w->stores[1], code, NULL, &err), &err);
    assert_false(world_has_content(w, 1, p->hash));
    must(ocop_find(w->stores[1], &q, &list, &err), &err);
    assert_int_equal(list->count, 0);
    ocop_list_free(list);
    free(p);
}

/* --- enrolling anew ----------------------------------------------------------------------------
 */

/* The registry has not heard of the wipe yet, and there is no signal for the enrolment either. */
static void a_failed_enrolment_changes_nothing_of_a_wiped_store(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct ocop_store_status s;
    const struct id before = w->stores[1]->me.replica;
    world_state(w, 1, DEVICE_WIPE);
    w->links[1].drop_request = 2; /* its last word */
    assert_int_equal(ocop_sync(w->stores[1], NULL, NULL, &err), OCOP_EWIPED);
    assert_int_equal(told(w), 0);
    const char *code = world_invitation(w, 0);
    w->links[1].drop_request = 1;
    assert_int_equal(ocop_enrol(w->stores[1], code, NULL, &err), OCOP_ETIMEOUT);
    expect_wiped(w, 1, true);
    w->links[1].drop_reply = 1; /* it is enrolled, and does not know */
    assert_int_equal(ocop_enrol(w->stores[1], code, NULL, &err), OCOP_ETIMEOUT);
    expect_wiped(w, 1, true);
    assert_int_equal(ocop_sync(w->stores[1], NULL, NULL, &err), OCOP_EWIPED);
    assert_int_equal(told(w), 1);
    world_relink(w, 1, &w->links[1].link);
    must(ocop_enrol(w->stores[1], code, NULL, &err), &err); /* the same enrolment */
    must(ocop_store_status(w->stores[1], &s, &err), &err);
    assert_true(s.enrolled && !s.wiped && !*s.state_text && s.keys_made_ms > 0);
    assert_memory_not_equal(before.b, s.replica.b, ID_LEN);
    world_inspect(w, 1, "pass");
    assert_int_equal(world_sync(w, 1).pushed, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_world, world_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_wipe_waits_while_no_files_may_go),
        TEST(a_wipe_waits_while_the_network_is_metered),
        TEST(a_wipe_waits_while_only_small_files_may_go),
        TEST(a_wipe_waits_while_only_files_of_another_record_may_go),
        TEST(a_wipe_waits_when_the_budget_is_spent),
        TEST(a_wipe_waits_when_the_round_trips_are_made),
        TEST(a_wipe_does_not_wait_for_what_cannot_be_read),
        TEST(a_wipe_waits_for_no_draft_and_says_how_much_is_lost),
        TEST(a_wipe_does_not_wait_for_what_others_attached),
        TEST(a_wipe_takes_what_others_left_in_the_folder),
        TEST(a_wipe_that_fails_is_told_when_it_is_done),
        TEST(a_wipe_beside_a_reader_is_told_when_nothing_is_left),
        TEST(enrolling_ends_a_wipe_that_failed_first),
        TEST(a_failed_enrolment_changes_nothing_of_a_wiped_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
