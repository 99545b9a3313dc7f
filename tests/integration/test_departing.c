/* A record leaves the scope of a device while the device has changes over it: these stay as long as
 * their officer wants, and the record goes with the last of them. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "assign.h"
#include "bounds.h"
#include "cases.h"
#include "restored.h"
#include "values.h"

static void draft(struct world *w, unsigned n, struct ocop_id id)
{
    struct ocop_error err = {0};
    ProtobufCMessage *m = NULL;
    assert_int_equal(ocop_load(w->stores[n], &id, &m, &err), OCOP_OK);
    assert_int_equal(ocop_set_text(w->stores[n], &m, "score=44", &err), OCOP_OK);
    assert_int_equal(ocop_save(w->stores[n], m, &err), OCOP_OK);
    ocop_free(m);
}

/* An inspection that the registry has, with a draft of device 1 over it. */
static struct ocop_id inspection_with_draft(struct world *w)
{
    struct ocop_id id = world_inspect(w, 1, "pass");
    world_sync(w, 1);
    draft(w, 1, id);
    return id;
}

/* 0: the record is not on the device. */
static int standing_of(struct world *w, unsigned n, struct ocop_id id)
{
    struct ocop_record_status *status = NULL;
    if (ocop_record_status(w->stores[n], &id, &status, NULL) == OCOP_ENOTFOUND)
        return 0;
    const int state = (int)status->state;
    ocop_record_status_free(status);
    return state;
}

static void assert_clean(struct world *w, unsigned n)
{
    unsigned findings = 99;
    assert_int_equal(ocop_check(w->stores[n], NULL, NULL, &findings, NULL), OCOP_OK);
    assert_int_equal(findings, 0);
}

static void a_record_that_left_goes_with_its_draft(void **state)
{
    struct world *w = *state;
    struct ocop_id id = inspection_with_draft(w);
    world_move(w, KIND_INSPECTION, id, &w->other_commune);
    world_sync(w, 1);
    assert_int_equal(standing_of(w, 1, id), OCOP_DRAFT);
    assert_clean(w, 1);
    assert_int_equal(ocop_discard(w->stores[1], &id, NULL), OCOP_OK);
    assert_int_equal(standing_of(w, 1, id), 0);
    assert_clean(w, 1);
}

/* Only a draft shows it in the unit that leaves; the registry has it where it was. */
static void a_record_that_only_a_draft_moves_stays(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct id replica;
    ProtobufCMessage *m = NULL;
    char text[ID_TEXT_LEN + 1], set[ID_TEXT_LEN + 16];
    const struct id units[] = {w->commune, w->other_commune};
    const struct assignment both = {.units = units, .unit_count = 2};
    const struct assignment one = {.units = units, .unit_count = 1};
    const struct ocop_id id = world_inspect(w, 1, "pass");
    world_replica(w, 1, &replica);
    assert_int_equal(assign_scope(w->registry, &w->keys, &replica, &both, "thử", &err), OCOP_OK);
    world_sync(w, 1);
    assert_int_equal(ocop_load(w->stores[1], &id, &m, &err), OCOP_OK);
    snprintf(set, sizeof set, "unit_id=%s", id_text(w->other_commune, text));
    assert_int_equal(ocop_set_text(w->stores[1], &m, set, &err), OCOP_OK);
    assert_int_equal(ocop_save(w->stores[1], m, &err), OCOP_OK);
    ocop_free(m);
    assert_int_equal(assign_scope(w->registry, &w->keys, &replica, &one, "thử", &err), OCOP_OK);
    world_sync(w, 1);
    assert_int_equal(ocop_discard(w->stores[1], &id, NULL), OCOP_OK);
    assert_int_equal(standing_of(w, 1, id), OCOP_ACCEPTED);
    assert_clean(w, 1);
}

static void a_record_that_left_goes_when_its_refused_change_is_given_up(void **state)
{
    struct world *w = *state;
    struct ocop_id id = inspection_with_draft(w);
    world_move(w, KIND_INSPECTION, id, &w->other_commune);
    world_sync(w, 1);
    assert_int_equal(ocop_submit_draft(w->stores[1], &id, "xem lại", NULL), OCOP_OK);
    assert_int_equal(world_sync(w, 1).refused, 1);
    assert_int_equal(standing_of(w, 1, id), OCOP_REFUSED);
    assert_int_equal(ocop_discard(w->stores[1], &id, NULL), OCOP_OK);
    assert_int_equal(standing_of(w, 1, id), 0);
    assert_clean(w, 1);
}

/* Two changes, sent one after the other; the registry takes the last while the record is elsewhere,
 * as far as this device was told. */
static void a_record_that_left_goes_when_its_last_change_was_taken(void **state)
{
    struct world *w = *state;
    struct ocop_id id = inspection_with_draft(w);
    world_move(w, KIND_INSPECTION, id, &w->other_commune);
    world_sync(w, 1);
    world_move(w, KIND_INSPECTION, id, &w->commune);
    assert_int_equal(ocop_submit_draft(w->stores[1], &id, "xem lại", NULL), OCOP_OK);
    w->links[1].drop_reply = 1;
    assert_int_equal(ocop_sync(w->stores[1], NULL, NULL, NULL), OCOP_ETIMEOUT);
    world_move(w, KIND_INSPECTION, id, &w->other_commune);
    world_sync(w, 1);
    assert_string_equal(world_value(w, "inspection", id, "score"), "44");
    assert_int_equal(standing_of(w, 1, id), 0);
    assert_clean(w, 1);
}

static void a_record_that_came_back_stays(void **state)
{
    struct world *w = *state;
    struct ocop_id id = inspection_with_draft(w);
    world_move(w, KIND_INSPECTION, id, &w->other_commune);
    world_sync(w, 1);
    world_move(w, KIND_INSPECTION, id, &w->commune);
    world_sync(w, 1);
    assert_int_equal(ocop_discard(w->stores[1], &id, NULL), OCOP_OK);
    assert_int_not_equal(standing_of(w, 1, id), 0);
    assert_clean(w, 1);
}

/* The commune of the devices comes to lie in another province. */
static void commune_moves(struct world *w)
{
    struct id elsewhere = id_next(&w->registry->ids, w->registry->env);
    struct field province[] = {text(10, "66"), text(11, "Tỉnh Đắk Lắk"), text(12, "province"),
                               text(14, "2025-07-01")};
    struct field parent = ref(13, &elsewhere);
    uint64_t now = 0;
    assert_int_equal(registry_version(w->registry, &now, NULL), OCOP_OK);
    parent.base = now;
    struct change changes[] = {
        {.kind = KIND_UNIT, .verb = VERB_CREATE, .record = elsewhere, .fields = {province, 4}},
        {.kind = KIND_UNIT,
         .verb = VERB_AMEND,
         .record = w->commune,
         .base = now,
         .fields = {&parent, 1}}};
    world_import(w, changes, 2);
}

/* Device 1 receives what lies in the province, wherever in it. */
static void reaches_all(struct world *w)
{
    struct ocop_error err = {0};
    struct id replica;
    const struct assignment all = {.units = &w->province, .unit_count = 1};
    world_replica(w, 1, &replica);
    must(assign_scope(w->registry, &w->keys, &replica, &all, "thử", &err), &err);
    world_sync(w, 1);
}

/* The name of a copy is lost to a restore, and the commune leaves its province before it comes
 * again: of what left with it nobody tells a name that never had it. */
static void what_one_made_goes_too_when_the_name_that_made_it_was_lost(void **state)
{
    struct world *w = *state;
    reaches_all(w);
    const struct ocop_id id = world_inspect(w, 1, "pass");
    world_sync(w, 1);
    world_backup(w);
    world_copy(w, 1, 2);
    world_inspect(w, 1, "pass");
    world_sync(w, 1);
    const struct ocop_id later = world_inspect(w, 2, "fail");
    assert_true(world_sync(w, 2).forked);
    world_restore(w);
    commune_moves(w);
    world_sync(w, 2);
    assert_int_equal(standing_of(w, 2, id), 0);
    assert_int_equal(standing_of(w, 2, later), OCOP_REFUSED);
    assert_clean(w, 2);
}

/* A copy saw it taken by a history that is lost, and the registry has it too; but its commune is
 * not the device's any more. */
static void what_left_with_its_unit_is_not_said_to_be_refused(void **state)
{
    struct world *w = *state;
    reaches_all(w);
    const struct ocop_id id = world_inspect(w, 1, "pass");
    backup_as(w, "older.db");
    a_copy_parts_in_a_lost_history(w);
    commune_moves(w);
    world_sync(w, 2);
    assert_int_equal(standing_of(w, 2, id), 0);
    assert_clean(w, 2);
}

/* A restored registry makes the device read all again: what it does not meet has left. */
static void a_record_not_met_again_goes_with_its_draft(void **state)
{
    struct world *w = *state;
    enum { RECONCILER = 0 };
    struct ocop_id id;
    world_enrol(w, RECONCILER);
    world_backup(w);
    id = world_inspect(w, 1, "pass");
    world_sync(w, 1);
    world_sync(w, RECONCILER);
    draft(w, RECONCILER, id);
    world_restore(w); /* and device 1 does not send it again */
    world_sync(w, RECONCILER);
    assert_int_equal(standing_of(w, RECONCILER, id), OCOP_DRAFT);
    assert_int_equal(ocop_discard(w->stores[RECONCILER], &id, NULL), OCOP_OK);
    assert_int_equal(standing_of(w, RECONCILER, id), 0);
    assert_clean(w, RECONCILER);
}

static unsigned open_cases(struct world *w)
{
    struct ocop_store_status s;
    struct ocop_list *list;
    assert_int_equal(ocop_store_status(w->stores[1], &s, NULL), OCOP_OK);
    assert_int_equal(
        ocop_find(w->stores[1], &(struct ocop_query){.state = OCOP_IN_CASE}, &list, NULL), OCOP_OK);
    assert_int_equal(list->count, s.cases);
    ocop_list_free(list);
    return s.cases;
}

static void resolve_only_case(struct world *w)
{
    struct ocop_error err = {0};
    struct id id = {{0}};
    sqlite3_stmt *s;
    assert_int_equal(sqlite3_prepare_v2(w->registry->db, "SELECT id FROM cases", -1, &s, NULL), 0);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    assert_true(id_from(span_of(sqlite3_column_blob(s, 0), ID_LEN), &id));
    sqlite3_finalize(s);
    if (case_resolve(w->registry, &w->keys, &id, TAKE_THEIRS, NULL, "hội đồng", &w->officers[0],
                     &err) != OCOP_OK)
        fail_msg("%s", err.text);
}

static void a_case_goes_with_its_record_and_comes_back_with_it(void **state)
{
    struct world *w = *state;
    struct ocop_id id = world_inspect(w, 1, "pass");
    world_enrol(w, 0);
    world_sync(w, 1);
    world_sync(w, 0);
    world_amend(w, 0, id, "conclusion=fail");
    world_sync(w, 0);
    world_amend(w, 1, id, "conclusion=conditional");
    world_sync(w, 1);
    assert_int_equal(open_cases(w), 1);
    world_move(w, KIND_INSPECTION, id, &w->other_commune);
    world_sync(w, 1);
    assert_int_equal(open_cases(w), 0);
    world_move(w, KIND_INSPECTION, id, &w->commune);
    world_sync(w, 1);
    assert_int_equal(open_cases(w), 1);
    assert_int_equal(standing_of(w, 1, id), OCOP_IN_CASE);
    world_move(w, KIND_INSPECTION, id, &w->other_commune);
    world_sync(w, 1);
    resolve_only_case(w);
    world_sync(w, 1);
    world_move(w, KIND_INSPECTION, id, &w->commune);
    world_sync(w, 1);
    assert_int_equal(open_cases(w), 0);
    assert_clean(w, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, world_setup_1, world_teardown)
        T(a_record_that_left_goes_with_its_draft),
        T(a_record_that_only_a_draft_moves_stays),
        T(a_record_that_left_goes_when_its_refused_change_is_given_up),
        T(a_record_that_left_goes_when_its_last_change_was_taken),
        T(a_record_that_came_back_stays),
        T(what_one_made_goes_too_when_the_name_that_made_it_was_lost),
        T(what_left_with_its_unit_is_not_said_to_be_refused),
        T(a_record_not_met_again_goes_with_its_draft),
        T(a_case_goes_with_its_record_and_comes_back_with_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
