/* verify and rebuild beside a server that goes on taking in: what they say is of one moment, and
 * nothing that was committed is left out. */
#include "test.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "bounds.h"
#include "command.h"
#include "query.h"
#include "replay.h"
#include "values.h"
#include "world.h"

enum { PRODUCERS = 40, STEPS = 1000 };

static void in_dir(const struct world *w, const char *name, char out[128])
{
    snprintf(out, 128, "%s/%s", w->dir, name);
}

static void import_one(struct world *w)
{
    const struct id id = id_next(&w->registry->ids, w->registry->env);
    struct field v[] = {ref(2, &w->commune), text(10, "HTX"), text(11, "cooperative")};
    struct change c = {.kind = KIND_PRODUCER, .verb = VERB_CREATE, .record = id, .fields = {v, 3}};
    world_import(w, &c, 1);
}

/* Who reads is stopped after some steps, once, and another process commits. */
struct other_writer {
    struct world *w;
    struct registry *registry;
    bool written;
};

static int write_once(void *self)
{
    struct other_writer *o = self;
    struct registry *reader = o->w->registry;
    if (o->written)
        return 0;
    o->written = true;
    o->w->registry = o->registry;
    import_one(o->w);
    o->w->registry = reader;
    return 0;
}

static void begin_beside(struct world *w, struct other_writer *o)
{
    struct ocop_error err = {0};
    char path[128];
    for (int i = 0; i < PRODUCERS; i++)
        import_one(w);
    in_dir(w, "registry.db", path);
    *o = (struct other_writer){.w = w};
    must(registry_open(path, false, env_system(), NULL, &o->registry, &err), &err);
    sqlite3_progress_handler(w->registry->db, STEPS, write_once, o);
}

static void end_beside(struct world *w, struct other_writer *o)
{
    sqlite3_progress_handler(w->registry->db, 0, NULL, NULL);
    assert_true(o->written);
    registry_close(o->registry);
}

static void verify_beside_a_writer_finds_no_damage(void **state)
{
    struct world *w = *state;
    struct other_writer o;
    struct replay_result result;
    struct ocop_error err = {0};
    begin_beside(w, &o);
    must(replay_compare(w->registry, ":memory:", &result, &err), &err);
    end_beside(w, &o);
    assert_true(world_count(w, "SELECT max(version) FROM log") > (int64_t)result.sets);
}

static void rebuild_beside_a_writer_leaves_nothing_out(void **state)
{
    struct world *w = *state;
    struct other_writer o;
    struct replay_result result;
    struct ocop_error err = {0};
    struct registry *fresh;
    uint8_t first[HASH_LEN], second[HASH_LEN];
    char path[128];
    begin_beside(w, &o);
    in_dir(w, "fresh.db", path);
    must(replay_rebuild(w->registry, path, &result, &err), &err);
    end_beside(w, &o);
    assert_int_equal(world_count(w, "SELECT max(version) FROM log"), result.sets);
    must(registry_open(path, false, env_system(), NULL, &fresh, &err), &err);
    must(registry_dump(w->registry, NULL, NULL, first, &err), &err);
    must(registry_dump(fresh, NULL, NULL, second, &err), &err);
    assert_memory_equal(first, second, HASH_LEN);
    registry_close(fresh);
    import_one(w); /* nobody was left locked out */
}

static void a_registry_is_its_owners_alone(void **state)
{
    struct world *w = *state;
    struct stat s;
    char path[128];
    in_dir(w, "registry.db", path);
    assert_int_equal(stat(path, &s), 0);
    assert_int_equal(s.st_mode & 0777, 0600);
    in_dir(w, "registry.db-wal", path);
    assert_int_equal(stat(path, &s), 0);
    assert_int_equal(s.st_mode & 0777, 0600);
}

static void a_unit_that_is_named_twice_counts_once(void **state)
{
    struct world *w = *state;
    struct id units[SCOPE_UNITS_MAX];
    struct ocop_error err = {0};
    size_t count;
    must(command_units(w->registry, "24664,24670,24664", "2026-01-01", units, &count, &err), &err);
    assert_int_equal(count, 2);
    assert_memory_equal(&units[0], &w->commune, ID_LEN);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        T(verify_beside_a_writer_finds_no_damage),
        T(rebuild_beside_a_writer_leaves_nothing_out),
        T(a_unit_that_is_named_twice_counts_once),
        T(a_registry_is_its_owners_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
