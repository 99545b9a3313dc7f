/* Scope: which units a device receives, after imports, moves, mergers and revocations. */
#include "test.h"

#include "centre.h"
#include "replay.h"

struct world {
    struct centre c;
    struct id country, p1, p2, d1, c1, c2, c3;
    struct id officer;
};

/* country > p1 > d1 > c1, c2; country > p2 > c3. Ids of neighbours differ in their last bits. */
static int open_world(void **state)
{
    static struct world w;
    centre_open(&w.c);
    w.country = centre_unit(&w.c, "VN", "country", NULL);
    w.p1 = centre_unit(&w.c, "01", "province", &w.country);
    w.p2 = centre_unit(&w.c, "02", "province", NULL);
    w.d1 = centre_unit(&w.c, "001", "district", &w.p1);
    w.c1 = centre_unit(&w.c, "00001", "commune", &w.d1);
    w.c2 = centre_unit(&w.c, "00002", "commune", &w.d1);
    w.c3 = centre_unit(&w.c, "00003", "commune", &w.p2);
    w.officer = centre_officer(&w.c, "inspector");
    *state = &w;
    return 0;
}

static int close_world(void **state)
{
    centre_close(&((struct world *)*state)->c);
    return 0;
}

static bool has(struct world *w, const struct device *d, const struct id *unit)
{
    bool in = false;
    centre_must(&w->c, scope_has(w->c.r, &d->replica, unit, &in, &w->c.err));
    return in;
}

/* Compare the units in the scope with a mask in the order p1 p2 d1 c1 c2 c3. */
static void assert_scope(struct world *w, const struct device *d, const char *expected)
{
    const struct id *units[] = {&w->p1, &w->p2, &w->d1, &w->c1, &w->c2, &w->c3};
    char got[7] = "......";
    for (size_t i = 0; i < 6; i++)
        got[i] = has(w, d, units[i]) ? 'x' : '.';
    assert_string_equal(got, expected);
}

static void a_scope_is_its_units_and_all_below_them(void **state)
{
    struct world *w = *state;
    const struct {
        const struct id *unit;
        const char *expected;
    } cases[] = {{&w->c1, "...x.."}, {&w->c2, "....x."}, {&w->d1, "..xxx."},
                 {&w->p1, "x.xxx."}, {&w->p2, ".x...x"}, {&w->country, "xxxxxx"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct device d;
        device_enrol(&d, &w->c, &w->officer, cases[i].unit, 1);
        assert_scope(w, &d, cases[i].expected);
        device_close(&d);
    }
}

static void create_unit(struct world *w, const struct id *id, const char *level,
                        const struct id *parent)
{
    struct draft_change d;
    draft(&d, KIND_UNIT, VERB_CREATE, id);
    draft_text(&d, 10, "x");
    draft_text(&d, 11, "x");
    draft_text(&d, 12, level);
    if (parent)
        draft_id(&d, 13, parent);
    draft_text(&d, 14, "2025-01-01");
    centre_write(&w->c, &d, 1);
}

/* Units that are imported together have ids that differ in a bit or two. */
static void a_unit_whose_id_is_next_to_another_is_not_taken_for_it(void **state)
{
    struct world *w = *state;
    struct device d;
    struct id province = id_next(&w->c.r->ids, &w->c.env), communes[9];
    province.b[14] = 0x40;
    create_unit(w, &province, "province", NULL);
    for (size_t i = 0; i < 9; i++) {
        communes[i] = province;
        communes[i].b[i < 8 ? 15 : 14] ^= (uint8_t)(1u << i % 8);
        create_unit(w, &communes[i], "commune", &province);
    }
    device_enrol(&d, &w->c, &w->officer, &communes[8], 1);
    assert_true(has(w, &d, &communes[8]));
    for (size_t i = 0; i < 8; i++)
        assert_false(has(w, &d, &communes[i]));
    assert_false(has(w, &d, &province));
    device_close(&d);
}

static void a_device_learns_of_the_units_of_its_province_only(void **state)
{
    struct world *w = *state;
    struct device d;
    device_enrol(&d, &w->c, &w->officer, &w->c1, 1);
    device_pull(&d, &w->c, 100000);
    assert_non_null(device_holds(&d, &w->country));
    assert_non_null(device_holds(&d, &w->p1));
    assert_non_null(device_holds(&d, &w->d1));
    assert_non_null(device_holds(&d, &w->c2));
    assert_null(device_holds(&d, &w->p2));
    assert_null(device_holds(&d, &w->c3));
    device_close(&d);
}

static uint64_t version_of(struct world *w)
{
    uint64_t v;
    centre_must(&w->c, registry_version(w->c.r, &v, &w->c.err));
    return v;
}

static void a_successor_enters_the_scope_and_the_old_unit_stays(void **state)
{
    struct world *w = *state;
    struct device d;
    struct draft_change change;
    device_enrol(&d, &w->c, &w->officer, &w->c1, 1);
    draft(&change, KIND_UNIT, VERB_AMEND, &w->c1);
    draft_element(&change, &w->c, 16, id_span(&w->c3), "whole");
    draft_base(&change, version_of(w));
    centre_write(&w->c, &change, 1);
    assert_scope(w, &d, "...x.x");
    device_close(&d);
}

/* c1 was split between c2 and c3, which are no concern of each other. */
static void a_unit_brings_what_it_took_over_but_not_what_else_became_of_that(void **state)
{
    struct world *w = *state;
    struct device of_c2, of_p2;
    struct draft_change change;
    device_enrol(&of_c2, &w->c, &w->officer, &w->c2, 1);
    device_enrol(&of_p2, &w->c, &w->officer, &w->p2, 1);
    assert_scope(w, &of_c2, "....x.");
    for (size_t i = 0; i < 2; i++) {
        draft(&change, KIND_UNIT, VERB_AMEND, &w->c1);
        draft_element(&change, &w->c, 16, id_span(i ? &w->c3 : &w->c2), "split");
        draft_base(&change, version_of(w));
        centre_write(&w->c, &change, 1);
    }
    assert_scope(w, &of_c2, "...xx.");
    assert_scope(w, &of_p2, ".x.x.x");
    device_close(&of_c2);
    device_close(&of_p2);
}

static void a_district_that_moves_takes_its_communes_to_the_other_province(void **state)
{
    struct world *w = *state;
    struct device in_p1, in_p2;
    struct draft_change change;
    device_enrol(&in_p1, &w->c, &w->officer, &w->p1, 1);
    device_enrol(&in_p2, &w->c, &w->officer, &w->c3, 1);
    device_pull(&in_p1, &w->c, 100000);
    device_pull(&in_p2, &w->c, 100000);
    assert_null(device_holds(&in_p2, &w->c1));
    draft(&change, KIND_UNIT, VERB_AMEND, &w->d1);
    draft_id(&change, 13, &w->p2);
    draft_base(&change, version_of(w));
    centre_write(&w->c, &change, 1);
    assert_scope(w, &in_p1, "x.....");
    device_pull(&in_p1, &w->c, 100000);
    device_pull(&in_p2, &w->c, 100000);
    assert_non_null(device_holds(&in_p1, &w->p1));
    assert_null(device_holds(&in_p1, &w->d1));
    assert_null(device_holds(&in_p1, &w->c1));
    assert_non_null(device_holds(&in_p2, &w->d1));
    assert_non_null(device_holds(&in_p2, &w->c1));
    device_close(&in_p1);
    device_close(&in_p2);
}

static void a_unit_renamed_by_the_set_that_moves_its_district_leaves_with_it(void **state)
{
    struct world *w = *state;
    struct draft_change x[2];
    struct device d;
    uint64_t version;
    device_enrol(&d, &w->c, &w->officer, &w->c2, 1);
    struct id district = centre_unit(&w->c, "002", "district", &w->p1);
    struct id ward = centre_unit(&w->c, "00009", "commune", &district);
    device_pull(&d, &w->c, 100000);
    assert_non_null(device_holds(&d, &ward));
    centre_must(&w->c, registry_version(w->c.r, &version, &w->c.err));
    draft(&x[0], KIND_UNIT, VERB_AMEND, &ward);
    draft_text(&x[0], 11, "Phường mới");
    draft_base(&x[0], version);
    draft(&x[1], KIND_UNIT, VERB_AMEND, &district);
    draft_id(&x[1], 13, &w->p2);
    draft_base(&x[1], version);
    centre_write(&w->c, x, 2);
    device_pull(&d, &w->c, 100000);
    assert_null(device_holds(&d, &district));
    assert_null(device_holds(&d, &ward));
    device_close(&d);
}

static void a_parent_that_comes_later_takes_its_units_in(void **state)
{
    struct world *w = *state;
    struct device d;
    struct draft_change change;
    struct id district = id_next(&w->c.r->ids, &w->c.env);
    struct id commune = centre_unit(&w->c, "00009", "commune", &district);
    device_enrol(&d, &w->c, &w->officer, &w->p2, 1);
    assert_false(has(w, &d, &commune));
    draft(&change, KIND_UNIT, VERB_CREATE, &district);
    draft_text(&change, 10, "009");
    draft_text(&change, 11, "009");
    draft_text(&change, 12, "province");
    draft_id(&change, 13, &w->p2);
    draft_text(&change, 14, "2025-01-01");
    centre_write(&w->c, &change, 1);
    assert_true(has(w, &d, &commune));
    device_pull(&d, &w->c, 100000);
    assert_non_null(device_holds(&d, &commune));
    device_close(&d);
}

static void a_revoked_device_has_no_scope(void **state)
{
    struct world *w = *state;
    struct device d;
    device_enrol(&d, &w->c, &w->officer, &w->p1, 1);
    centre_must(&w->c, registry_begin(w->c.r, &w->c.err));
    centre_must(&w->c, device_state_set(w->c.r, &w->c.keys, &d.replica, DEVICE_REVOKED, "mất máy",
                                        &w->c.err));
    centre_must(&w->c, registry_commit(w->c.r, &w->c.err));
    assert_scope(w, &d, "......");
    device_close(&d);
}

static void units_that_are_their_own_ancestors_do_no_harm(void **state)
{
    struct world *w = *state;
    struct device d;
    struct draft_change change;
    draft(&change, KIND_UNIT, VERB_AMEND, &w->p1);
    draft_id(&change, 13, &w->c1);
    draft_base(&change, version_of(w));
    centre_write(&w->c, &change, 1);
    device_enrol(&d, &w->c, &w->officer, &w->c1, 1);
    assert_scope(w, &d, "x.xxx.");
    device_close(&d);
}

static void replaying_the_log_gives_the_same_scopes(void **state)
{
    struct world *w = *state;
    struct device d;
    struct registry *copy;
    struct replay_result result = {0};
    uint8_t first[HASH_LEN], second[HASH_LEN];
    a_district_that_moves_takes_its_communes_to_the_other_province(state);
    device_enrol(&d, &w->c, &w->officer, &w->p2, 1);
    centre_must(&w->c, registry_open(":memory:", true, &w->c.env, NULL, &copy, &w->c.err));
    centre_must(&w->c, replay(w->c.r, copy, &result, &w->c.err));
    centre_must(&w->c, registry_dump(w->c.r, NULL, NULL, first, &w->c.err));
    centre_must(&w->c, registry_dump(copy, NULL, NULL, second, &w->c.err));
    assert_memory_equal(first, second, HASH_LEN);
    registry_close(copy);
    device_close(&d);
}

#define T(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_scope_is_its_units_and_all_below_them),
        T(a_unit_whose_id_is_next_to_another_is_not_taken_for_it),
        T(a_device_learns_of_the_units_of_its_province_only),
        T(a_successor_enters_the_scope_and_the_old_unit_stays),
        T(a_unit_brings_what_it_took_over_but_not_what_else_became_of_that),
        T(a_district_that_moves_takes_its_communes_to_the_other_province),
        T(a_unit_renamed_by_the_set_that_moves_its_district_leaves_with_it),
        T(a_parent_that_comes_later_takes_its_units_in),
        T(a_revoked_device_has_no_scope),
        T(units_that_are_their_own_ancestors_do_no_harm),
        T(replaying_the_log_gives_the_same_scopes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
