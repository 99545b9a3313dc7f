/* What the server committed is read back: damage of any part of a set is found, told and counted,
 * and whatever devices do to each other is none. */
#include "test.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "world.h"

static char logged[4000];

static void keep_log(void *self, enum env_level level, const char *line)
{
    (void)self;
    if (level == ENV_ERROR)
        snprintf(logged, sizeof logged, "%s", line);
}

static const char *registry_path(const struct world *w)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/registry.db", w->dir);
    return path;
}

static struct readback *reader(struct world *w, unsigned one_in)
{
    struct ocop_error err = {0};
    struct readback *b = NULL;
    assert_int_equal(readback_open(registry_path(w), env_system(), one_in, &b, &err), OCOP_OK);
    return b;
}

/* Damage the file beneath the open registry. */
static void damage(struct world *w, const char *sql)
{
    sqlite3 *db = NULL;
    char *why = NULL;
    assert_int_equal(sqlite3_open(registry_path(w), &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK)
        fail_msg("%s: %s", sql, why);
    assert_true(sqlite3_changes(db) > 0);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void damage_of_any_part_of_a_set_is_found_told_and_counted(void **state)
{
#define LAST " WHERE version = (SELECT max(version) FROM log)"
    static const struct {
        const char *sql, *says;
    } cases[] = {
        {"UPDATE log SET received_ms = received_ms + 1" LAST, "filed under"},
        {"UPDATE log SET sum = sum + 1" LAST, "filed under"},
        {"UPDATE log SET body = zeroblob(length(body))" LAST, "body"},
        {"UPDATE log SET body = (SELECT body FROM log WHERE version = 2)" LAST, "body"},
        {"UPDATE replica SET sign_key = zeroblob(32)", "signature"},
        {"UPDATE inspection SET score = score - 1" LAST, "record"},
        {"UPDATE inspection SET conclusion = NULL" LAST, "record"},
        {"DELETE FROM inspection" LAST, "record"},
    };
    struct world *w = *state;
    struct ocop_error err = {0};
    struct readback_note note;
    const struct env *env = w->registry->env;
    struct env listening = *env;
    listening.log = keep_log;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        world_close(w);
        memset(w, 0, sizeof *w);
        world_open(w);
        world_enrol(w, 0);
        world_inspect(w, 0, "pass");
        struct readback *b = reader(w, 1);
        world_sync(w, 0);
        damage(w, cases[i].sql);
        logged[0] = '\0';
        w->registry->env = &listening;
        assert_int_equal(readback_batch(b, w->registry), 1);
        w->registry->env = env_system();
        assert_int_equal(readback_noted(w->registry, &note, &err), OCOP_OK);
        assert_int_equal(note.count, 1);
        assert_int_equal(note.version, world_count(w, "SELECT max(version) FROM log"));
        if (!strstr(note.text, cases[i].says) || !strstr(logged, cases[i].says))
            fail_msg("%s: %s, %s", cases[i].sql, note.text, logged);
        assert_int_equal(readback_batch(b, w->registry), 0); /* each is looked at once */
        assert_int_equal(readback_forget(w->registry, &err), OCOP_OK);
        assert_int_equal(readback_noted(w->registry, &note, &err), OCOP_OK);
        assert_int_equal(note.count, 0);
        readback_close(b);
        w->damaged = true;
    }
}

/* One in so many, and none for 0. */
static void only_a_sample_is_looked_at(void **state)
{
    struct world *w = *state;
    const int64_t first = world_count(w, "SELECT max(version) FROM log") + 1;
    struct readback *none = reader(w, 0), *some = reader(w, 3);
    assert_null(none);
    unsigned found = 0;
    for (int i = 0; i < 9; i++) {
        world_inspect(w, 0, "pass");
        world_sync(w, 0);
        damage(w, "UPDATE inspection SET score = score - 1 WHERE version = (SELECT max(version) "
                  "FROM log)");
        assert_int_equal(readback_batch(none, w->registry), 0);
        found += readback_batch(some, w->registry);
    }
    assert_int_equal(world_count(w, "SELECT max(version) FROM log"), first + 8);
    assert_int_equal(found, 3);
    w->damaged = true;
    readback_close(some);
}

/* Contradictions, refusals and what waits leave rows that are not what a set says, and no damage.
 */
static void what_devices_contradict_each_other_in_is_no_damage(void **state)
{
    struct world *w = *state;
    world_enrol(w, 1);
    struct readback *b = reader(w, 1);
    struct ocop_id id = world_inspect(w, 1, "pass");
    world_sync(w, 1);
    world_sync(w, 0);
    world_amend(w, 1, id, "conclusion=fail");
    world_amend(w, 1, id, "score=71");
    world_amend(w, 0, id, "conclusion=conditional");
    world_amend(w, 0, id, "notes=ghi chú");
    world_sync(w, 1);
    world_sync(w, 0);
    assert_true(world_count(w, "SELECT count(*) FROM cases") > 0);
    assert_int_equal(readback_batch(b, w->registry), 0);
    readback_close(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, world_setup_0, world_teardown)
        T(damage_of_any_part_of_a_set_is_found_told_and_counted),
        T(only_a_sample_is_looked_at),
        T(what_devices_contradict_each_other_in_is_no_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
