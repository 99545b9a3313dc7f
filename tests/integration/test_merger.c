/* The merger of units of July 2025: a device of the former district Đắk Mil goes on working when
 * its communes become others of Lâm Đồng, and where a commune was split a person decides. With the
 * demonstration's part of the national lists everywhere, with the whole where it lies beside. */
#include "test.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "assign.h"
#include "import.h"
#include "query.h"
#include "world.h"

static void import(struct world *w, const char *path, const char *from, const char *mapping)
{
    struct ocop_error err = {0};
    struct import_result result;
    const struct import_options options = {
        .path = path, .from = from, .mapping = mapping, .skip_bad = true, .ignore_columns = true};
    if (import_run(w->registry, &w->keys, IMPORT_UNITS, &options, &result, &err) != OCOP_OK)
        fail_msg("%s: %s", path, err.text);
}

/* The unit with this code from this day. */
static struct id unit(struct world *w, const char *code, const char *from)
{
    sqlite3_stmt *s = NULL;
    struct id id = {{0}};
    assert_int_equal(
        sqlite3_prepare_v2(w->registry->db,
                           "SELECT id FROM unit WHERE code = ?1 AND effective_from = ?2", -1, &s,
                           NULL),
        SQLITE_OK);
    sqlite3_bind_text(s, 1, code, -1, SQLITE_STATIC);
    sqlite3_bind_text(s, 2, from, -1, SQLITE_STATIC);
    if (sqlite3_step(s) != SQLITE_ROW)
        fail_msg("there is no unit %s from %s", code, from);
    assert_true(id_from(span_of(sqlite3_column_blob(s, 0), ID_LEN), &id));
    sqlite3_finalize(s);
    return id;
}

static void scope(struct world *w, unsigned n, const struct id *unit)
{
    struct ocop_error err = {0};
    struct id replica;
    struct assignment to = {.units = unit, .unit_count = 1};
    world_replica(w, n, &replica);
    if (assign_scope(w->registry, &w->keys, &replica, &to, "thử", &err) != OCOP_OK)
        fail_msg("%s", err.text);
    world_sync(w, n);
}

static enum ocop_status try_producer(struct world *w, unsigned n, const struct id *unit,
                                     const char *name)
{
    struct ocop_error err = {0};
    ProtobufCMessage *m = NULL;
    char text[ID_TEXT_LEN + 1], in[64], named[96];
    enum ocop_status st = ocop_new(w->stores[n], "producer", &m, &err);
    snprintf(in, sizeof in, "unit_id=%s", id_text(*unit, text));
    snprintf(named, sizeof named, "name=%s", name);
    const char *const sets[] = {in, named, "producer_type=cooperative"};
    for (size_t i = 0; st == OCOP_OK && i < 3; i++)
        st = ocop_set_text(w->stores[n], &m, sets[i], &err);
    if (st == OCOP_OK)
        st = ocop_submit(w->stores[n], m, &err);
    ocop_free(m);
    return st;
}

static struct ocop_id producer(struct world *w, unsigned n, const struct id *unit, const char *name)
{
    char text[ID_TEXT_LEN + 1], in[64], named[96];
    snprintf(in, sizeof in, "unit_id=%s", id_text(*unit, text));
    snprintf(named, sizeof named, "name=%s", name);
    const char *const sets[] = {in, named, "producer_type=cooperative"};
    return world_submit(w, n, "producer", sets, 3);
}

static bool has(struct world *w, unsigned n, struct ocop_id id)
{
    struct ocop_error err = {0};
    ProtobufCMessage *m = NULL;
    enum ocop_status st = ocop_load(w->stores[n], &id, &m, &err);
    ocop_free(m);
    assert_true(st == OCOP_OK || st == OCOP_ENOTFOUND);
    return st == OCOP_OK;
}

static struct ocop_id of(struct id id)
{
    struct ocop_id out;
    memcpy(out.b, id.b, ID_LEN);
    return out;
}

static void merge(struct world *w, const char *before, const char *after, const char *mapping)
{
    import(w, before, "2008-01-01", NULL);
    struct id district = unit(w, "663", "2008-01-01"), duc_manh = unit(w, "24676", "2008-01-01");
    assert_true(has(w, 1, of(w->producer))); /* of Đức Lập, its commune so far */
    scope(w, 1, &district);
    assert_false(has(w, 1, of(w->producer)));
    struct ocop_id old = producer(w, 1, &duc_manh, "Tổ hợp tác Đức Mạnh");
    world_sync(w, 1);
    struct ocop_id unsent = producer(w, 1, &duc_manh, "Hộ ông Y Bhim"); /* when the law changes */

    import(w, after, "2025-07-01", mapping);
    struct ocop_sync_summary summary = world_sync(w, 1);
    assert_int_equal(summary.pushed, 1);
    assert_int_equal(summary.refused, 0);
    assert_true(has(w, 1, old) && has(w, 1, unsent));
    struct id duc_lap = unit(w, "24664", "2025-07-01"), krong_no = unit(w, "24688", "2025-07-01");
    assert_true(has(w, 1, of(duc_lap)));
    assert_true(has(w, 1, of(w->producer))); /* it lies in what took over Đức Mạnh */
    (void)producer(w, 1, &duc_lap, "HTX Cà phê mới");
    assert_int_equal(world_sync(w, 1).refused, 0);
    assert_int_equal(try_producer(w, 1, &krong_no, "HTX ở xã khác"), OCOP_EPERM);
    assert_int_equal(world_count(w, "SELECT count(*) FROM outcome WHERE code = 4"), 0);
}

static void a_device_of_dak_mil_goes_on_working(void **state)
{
    merge(*state, "tests/data/demo/units-before.csv", "tests/data/demo/units-2025.csv",
          "tests/data/demo/mapping-2025.csv");
}

/* The same within the whole country, where the lists are at hand. */
static void and_so_it_does_with_the_national_lists(void **state)
{
    bool there = access("../shared/data/admin-units.csv", R_OK) == 0;
    if (there)
        merge(*state, "../shared/data/admin-units.csv", "../shared/data/admin-units-2025.csv",
              "../shared/data/admin-units-mapping-2025.csv");
    else
        a_device_of_dak_mil_goes_on_working(state);
}

static const char *file(struct world *w, const char *name, const char *text)
{
    char *path = arena_printf(&w->arena, "%s/%s", w->dir, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
    return path;
}

static enum ocop_status count_one(void *self, const struct query_record *record,
                                  struct ocop_error *err)
{
    (void)record;
    (void)err;
    ++*(size_t *)self;
    return OCOP_OK;
}

static size_t undecided(struct world *w)
{
    struct ocop_error err = {0};
    size_t n = 0;
    assert_int_equal(query_undecided(w->registry, KIND_PRODUCER, count_one, &n, &err), OCOP_OK);
    return n;
}

/* Old A was split into B and C. Until a person has decided, both receive what lies in A. */
static void a_split_commune_waits_for_a_person(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    world_enrol(w, 2);
    import(w,
           file(w, "a.csv",
                "code,name,level,parent_code\n67,Tỉnh Cũ,province,\n"
                "671,Huyện Cũ,district,67\n99001,Xã A,commune,671\n"),
           "2008-01-01", NULL);
    struct id a = unit(w, "99001", "2008-01-01");
    scope(w, 1, &a);
    struct ocop_id id = producer(w, 1, &a, "HTX giữa hai xã");
    world_sync(w, 1);
    const char *mapping = file(w, "m.csv",
                               "old_commune_code,old_commune_name,old_district_code,"
                               "old_province_code,new_commune_code,new_commune_name,"
                               "new_province_code,whole_or_split\n"
                               "99001,Xã A,671,67,99002,Xã B,69,split\n"
                               "99001,Xã A,671,67,99003,Xã C,69,split\n");
    import(w,
           file(w, "bc.csv",
                "code,name,level,parent_code\n69,Tỉnh Mới,province,\n"
                "99002,Xã B,commune,69\n99003,Xã C,commune,69\n"),
           "2025-07-01", mapping);
    struct id b = unit(w, "99002", "2025-07-01"), c = unit(w, "99003", "2025-07-01");
    scope(w, 2, &c);
    world_sync(w, 1);
    assert_true(has(w, 1, id) && has(w, 2, id));
    assert_int_equal(undecided(w), 1);

    struct id record;
    memcpy(record.b, id.b, ID_LEN);
    assert_int_equal(
        assign_unit(w->registry, &w->keys, KIND_PRODUCER, &record, &b, "ở thôn 3", &err), OCOP_OK);
    assert_int_equal(undecided(w), 0);
    world_sync(w, 1);
    world_sync(w, 2);
    assert_true(has(w, 1, id));  /* of A, and so of B */
    assert_false(has(w, 2, id)); /* of C alone */
    assert_int_equal(
        assign_unit(w->registry, &w->keys, KIND_PRODUCER, &record, &b, "lần nữa", &err),
        OCOP_ESTATE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, world_setup_1, world_teardown)
        T(a_device_of_dak_mil_goes_on_working),
        T(and_so_it_does_with_the_national_lists),
        T(a_split_commune_waits_for_a_person),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
