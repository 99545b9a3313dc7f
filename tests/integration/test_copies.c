/* Stores that were copied, and registries restored besides: nothing of any copy is lost, and
 * nothing comes twice. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bounds.h"
#include "restored.h"

static void of_two_copies_of_a_store_neither_loses_a_record(void **state)
{
    struct world *w = *state;
    world_inspect(w, 0, "pass");
    world_sync(w, 0);
    world_copy(w, 0, 2);
    struct ocop_id mine = world_inspect(w, 0, "fail"), other = world_inspect(w, 2, "conditional");
    world_sync(w, 0);
    struct ocop_sync_summary s = world_sync(w, 2);
    assert_true(s.forked);
    assert_int_equal(world_count(w, "SELECT count(*) FROM inspection"), 3);
    assert_string_equal(world_value(w, "inspection", mine, "conclusion"), "\"fail\"");
    assert_string_equal(world_value(w, "inspection", other, "conclusion"), "\"conditional\"");
    assert_int_equal(world_count(w, "SELECT count(*) FROM replica WHERE predecessor_seq = 1"), 1);
}

/* Both at once: the copy's set was acknowledged, the registry that had it was lost, and now its
 * number holds the other copy's set. No new set of the copy would bring that to light. */
static void a_copy_whose_set_was_lost_and_replaced_sends_it_again(void **state)
{
    struct world *w = *state;
    world_inspect(w, 0, "pass");
    world_sync(w, 0);
    world_copy(w, 0, 2);
    world_backup(w);
    struct ocop_id lost = world_inspect(w, 2, "conditional");
    world_sync(w, 2);
    world_restore(w);
    struct ocop_id there = world_inspect(w, 0, "fail");
    world_sync(w, 0);
    struct ocop_sync_summary s = world_sync(w, 2);
    assert_true(s.forked);
    assert_int_equal(world_count(w, "SELECT count(*) FROM inspection"), 3);
    /* both copies gave the same number to their minutes, which a person must see */
    assert_int_equal(state_of(w, 2, lost), OCOP_IN_CASE);
    assert_int_equal(world_count(w, "SELECT count(*) FROM cases WHERE cause <> 3"), 0);
    assert_string_equal(world_value(w, "inspection", there, "conclusion"), "\"fail\"");
    assert_string_equal(world_value(w, "inspection", lost, "conclusion"), "\"conditional\"");
    assert_int_equal(world_count(w, "SELECT count(*) FROM replica WHERE predecessor_seq = 1"), 1);
}

/* A copy from before the first set, whose own first set is sealed when it hears of another history:
 * the registry looks at no set then, and does not know that it has another of that number. */
static void an_old_copy_sends_its_work_once_after_a_restore(void **state)
{
    struct world *w = *state;
    struct ocop_id id = world_inspect(w, 1, "pass");
    world_sync(w, 1);
    world_sync(w, 0);
    world_copy(w, 0, 2);
    world_amend(w, 0, id, "score=71");
    world_sync(w, 0);
    world_backup(w);
    world_restore(w);
    world_amend(w, 0, id, "score=72");
    world_sync(w, 0);
    world_amend(w, 2, id, "lot_code=L7");
    struct ocop_sync_summary s = world_sync(w, 2);
    assert_true(s.forked);
    assert_int_equal(s.pushed, 1);
    assert_string_equal(world_value(w, "inspection", id, "lot_code"), "\"L7\"");
}

/* Text that no compression makes small. */
static void noise(struct world *w, char *out, size_t len)
{
    uint8_t bytes[512];
    assert_true(len / 2 <= sizeof bytes);
    env_random(w->registry->env, bytes, len / 2);
    for (size_t i = 0; i + 2 < len; i += 2)
        snprintf(out + i, 3, "%02x", bytes[i / 2]);
}

/* Both sides have more than one exchange can carry: what the device made is taken while it reads
 * anew, behind where that began. */
static void a_copy_with_much_work_keeps_it_while_it_reads_anew(void **state)
{
    enum { WORK = 400, OTHERS = PAGE_RECORDS_MAX + 500 };
    struct world *w = *state;
    struct ocop_store_status s;
    static struct ocop_id made[WORK];
    for (int i = 0; i < OTHERS; i++)
        check_environment(w, 0);
    world_sync(w, 0);
    world_copy(w, 1, 2);
    world_inspect(w, 1, "pass");
    world_sync(w, 1);
    for (int i = 0; i < WORK; i++) {
        char note[900] = "notes=";
        noise(w, note + 6, sizeof note - 6);
        made[i] = world_inspect(w, 2, "fail");
        world_amend(w, 2, made[i], note);
    }
    struct ocop_sync_summary sum = world_sync(w, 2);
    assert_true(sum.forked);
    assert_true(sum.round_trips > 4);
    assert_int_equal(ocop_store_status(w->stores[2], &s, NULL), OCOP_OK);
    assert_int_equal(s.waiting, 0);
    for (int i = 0; i < WORK; i++)
        assert_int_not_equal(state_of(w, 2, made[i]), 0);
}

static void a_lost_answer_to_a_successor_leaves_it_no_less_enrolled(void **state)
{
    struct world *w = *state;
    struct ocop_store_status s;
    world_inspect(w, 0, "pass");
    world_sync(w, 0);
    world_copy(w, 0, 2);
    world_inspect(w, 0, "fail");
    world_sync(w, 0);
    world_inspect(w, 2, "conditional");
    w->links[2].drop_reply = 2; /* the first tells of the fork, the second of the new number */
    assert_int_equal(ocop_sync(w->stores[2], NULL, NULL, NULL), OCOP_ETIMEOUT);
    world_sync(w, 2);
    assert_int_equal(ocop_store_status(w->stores[2], &s, NULL), OCOP_OK);
    assert_false(s.forked);
    assert_int_equal(s.device_number, 3);
    world_inspect(w, 2, "pass"); /* and it numbers paper again */
}

/* The registry tells only of the last sets; the copy is older than they are. */
static void an_old_copy_parts_where_it_was_made(void **state)
{
    struct world *w = *state;
    struct ocop_id id = world_inspect(w, 0, "pass");
    world_sync(w, 0);
    world_amend(w, 0, id, "score=71");
    world_sync(w, 0);
    world_copy(w, 0, 2);
    for (int i = 0; i < CHAIN_HASHES_MAX + 4; i++) {
        world_inspect(w, 0, "pass");
        world_sync(w, 0);
    }
    world_inspect(w, 2, "fail");
    world_sync(w, 2);
    assert_int_equal(world_count(w, "SELECT count(*) FROM cases WHERE cause <> 3"), 0);
    assert_int_equal(world_count(w, "SELECT count(*) FROM replica WHERE predecessor_seq = 2"), 1);
}

/* It keeps the name that it has had since it parted, so that what the later backup has of it is not
 * brought again under another. */
static void what_a_copy_brought_is_brought_once_though_the_wrong_backup_came_first(void **state)
{
    struct world *w = *state;
    struct ocop_id id = world_inspect(w, 1, "pass");
    world_sync(w, 1);
    world_copy(w, 1, 2);
    world_inspect(w, 1, "pass");
    world_sync(w, 1);
    backup_as(w, "older.db");
    world_amend(w, 2, id, "score=71");
    assert_true(world_sync(w, 2).forked);
    backup_as(w, "later.db");
    restore_from(w, "older.db");
    assert_false(world_sync(w, 2).forked);
    assert_string_equal(world_value(w, "inspection", id, "score"), "71");
    restore_from(w, "later.db");
    world_sync(w, 1);
    world_amend(w, 1, id, "score=80"); /* instead of what it has seen */
    world_sync(w, 1);
    assert_false(world_sync(w, 2).forked);
    assert_string_equal(world_value(w, "inspection", id, "score"), "80");
    assert_int_equal(world_count(w, "SELECT count(*) FROM cases"), 0);
}

/* A creation that was refused lies over what the registry had of another copy. That is lost, and
 * what comes again has nothing under it. */
static void what_two_copies_made_stays_with_the_one_that_was_refused(void **state)
{
    struct world *w = *state;
    world_backup(w);
    struct ocop_id id = world_inspect(w, 1, "pass");
    world_copy(w, 1, 2);
    world_sync(w, 1);
    inspector(w, 1, false);
    world_sync(w, 2);
    assert_int_equal(state_of(w, 2, id), OCOP_REFUSED);
    world_restore(w); /* and device 1 does not come again */
    world_sync(w, 2);
    assert_int_equal(state_of(w, 2, id), OCOP_ACCEPTED);
    assert_int_equal(world_count(w, "SELECT count(*) FROM inspection"), 1);
}

/* The set is not of the copy's name, so that nobody tells it how it was judged. */
static void what_a_copy_saw_taken_by_a_lost_history_is_said_to_be_refused(void **state)
{
    struct world *w = *state;
    struct ocop_id id = world_inspect(w, 1, "pass");
    backup_as(w, "older.db");
    inspector(w, 1, false);
    a_copy_parts_in_a_lost_history(w);
    assert_int_equal(state_of(w, 2, id), OCOP_ACCEPTED);
    world_sync(w, 2);
    assert_int_equal(state_of(w, 2, id), OCOP_REFUSED);
    assert_int_equal(world_count(w, "SELECT count(*) FROM inspection"), 0);
}

static void what_a_copy_asks_about_again_overwrites_nothing_and_opens_no_case(void **state)
{
    struct world *w = *state;
    struct ocop_id id = world_inspect(w, 1, "pass");
    backup_as(w, "older.db");
    a_copy_parts_in_a_lost_history(w);
    world_sync(w, 0);
    world_amend(w, 0, id, "conclusion=fail");
    world_sync(w, 0);
    world_sync(w, 2);
    world_sync(w, 1);
    assert_string_equal(world_value(w, "inspection", id, "conclusion"), "\"fail\"");
    assert_int_equal(world_count(w, "SELECT count(*) FROM cases WHERE cause <> 3"), 0);
    assert_int_equal(state_of(w, 2, id), OCOP_MERGED);
}

/* The store forked after the backup: neither its replica nor the set that it continues is there. */
static void a_store_that_forked_since_the_backup_is_not_shut_out(void **state)
{
    struct world *w = *state;
    world_inspect(w, 0, "pass");
    world_sync(w, 0);
    world_backup(w);
    for (int i = 0; i < 2; i++) {
        world_inspect(w, 0, "conditional");
        world_sync(w, 0);
    }
    world_copy(w, 0, 2);
    world_inspect(w, 0, "fail");
    world_sync(w, 0);
    struct ocop_id before = world_inspect(w, 2, "fail");
    struct ocop_sync_summary s = world_sync(w, 2);
    assert_true(s.forked);
    world_restore(w);
    ocop_close(w->stores[0]); /* the other phone is gone for good */
    w->stores[0] = NULL;
    world_sync(w, 2); /* with nothing new to say */
    struct ocop_id after = world_inspect(w, 2, "pass");
    world_sync(w, 2);
    /* the first, two before the copy was made, and the copy's two */
    assert_int_equal(world_count(w, "SELECT count(*) FROM inspection"), 5);
    assert_int_equal(world_count(w, "SELECT count(*) FROM cases WHERE cause <> 3"), 0);
    assert_string_equal(world_value(w, "inspection", before, "conclusion"), "\"fail\"");
    assert_string_equal(world_value(w, "inspection", after, "conclusion"), "\"pass\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, world_setup_01, world_teardown)
        T(of_two_copies_of_a_store_neither_loses_a_record),
        T(a_copy_whose_set_was_lost_and_replaced_sends_it_again),
        T(an_old_copy_sends_its_work_once_after_a_restore),
        T(a_lost_answer_to_a_successor_leaves_it_no_less_enrolled),
        T(a_copy_with_much_work_keeps_it_while_it_reads_anew),
        T(an_old_copy_parts_where_it_was_made),
        T(what_a_copy_brought_is_brought_once_though_the_wrong_backup_came_first),
        T(what_two_copies_made_stays_with_the_one_that_was_refused),
        T(what_a_copy_saw_taken_by_a_lost_history_is_said_to_be_refused),
        T(what_a_copy_asks_about_again_overwrites_nothing_and_opens_no_case),
        T(a_store_that_forked_since_the_backup_is_not_shut_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
