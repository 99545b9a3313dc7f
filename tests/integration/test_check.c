/* ocop_check looks at a store that is in use. */
#include "test.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bounds.h"
#include "world.h"

/* Damage the file beneath the open store. */
static void damage(struct world *w, const char *sql)
{
    char path[128];
    sqlite3 *db = NULL;
    snprintf(path, sizeof path, "%s/0.ocop", w->dir);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void record_and_sync(void *user, const char *finding)
{
    struct world *w = user;
    (void)finding;
    world_inspect(w, 0, "pass"); /* would wait for ever if a lock were held */
    world_sync(w, 0);
}

static void recording_and_syncing_go_on_while_a_store_is_checked(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    unsigned findings = 0;
    world_inspect(w, 0, "pass");
    world_inspect(w, 0, "fail");
    world_sync(w, 0);
    damage(w, "UPDATE inspection SET score = -1");
    alarm(20); /* the end of a test that waits for ever */
    if (ocop_check(w->stores[0], record_and_sync, w, &findings, &err) != OCOP_OK)
        fail_msg("%s", err.text);
    alarm(0);
    assert_int_equal(findings, 4); /* two rows that break a rule and are not what was written */
    assert_int_equal(world_count(w, "SELECT count(*) FROM inspection"), 6);
}

enum { FINDINGS_BYTES = 4000 };

static void remember(void *user, const char *finding)
{
    size_t len = strlen(user);
    snprintf((char *)user + len, FINDINGS_BYTES - len, "%s\n", finding);
}

static void what_is_damaged_is_a_finding_that_says_where(void **state)
{
    static const struct {
        const char *sql, *says;
    } cases[] = {
        {"UPDATE inspection SET score = -1", "inspection "},
        {"UPDATE sealed SET signature = zeroblob(64)", "change-set "},
        {"UPDATE outbox SET change = x'00'", "outbox "},
        {"UPDATE meta SET value = x'00' WHERE key = 'replica'", "about itself"},
    };
    struct world *w = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ocop_error err = {0};
        char finding[FINDINGS_BYTES] = "";
        unsigned findings = 0;
        world_close(w);
        world_open(w);
        world_enrol(w, 0);
        world_inspect(w, 0, "pass");
        world_sync(w, 0);
        world_inspect(w, 0, "fail");
        damage(w, cases[i].sql);
        if (ocop_check(w->stores[0], remember, finding, &findings, &err) != OCOP_OK)
            fail_msg("%s: %s", cases[i].sql, err.text);
        assert_true(findings > 0);
        if (!strstr(finding, cases[i].says))
            fail_msg("%s: %s", cases[i].sql, finding);
    }
}

/* A change comes back after a restore, of a record that left and does not come again. */
static void what_comes_back_of_a_record_that_left_is_no_finding(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    char finding[FINDINGS_BYTES] = "";
    unsigned findings = 0;
    struct ocop_id id = world_inspect(w, 0, "pass");
    world_sync(w, 0);
    world_backup(w);
    world_amend(w, 0, id, "score=71");
    world_draft(w, 0); /* stands behind it, and waits */
    world_sync(w, 0);
    world_move(w, KIND_INSPECTION, id, &w->other_commune);
    assert_int_equal(world_sync(w, 0).departed, 1);
    world_restore(w);
    world_move(w, KIND_INSPECTION, id, &w->other_commune);
    assert_int_equal(world_sync(w, 0).refused, 1);
    assert_int_equal(ocop_check(w->stores[0], remember, finding, &findings, &err), OCOP_OK);
    assert_string_equal(finding, "");
    assert_int_equal(findings, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, world_setup_0, world_teardown)
        T(recording_and_syncing_go_on_while_a_store_is_checked),
        T(what_is_damaged_is_a_finding_that_says_where),
        T(what_comes_back_of_a_record_that_left_is_no_finding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
