/* A scenario in ten lines, as docs/testing.md shows it: one to begin with. */
#include "test.h"

#include "world.h"

static void a_lost_reply_loses_nothing(void **state)
{
    struct world *w = *state;
    struct ocop_id id = world_inspect(w, 0, "pass");
    w->links[0].drop_reply = 1;
    assert_int_equal(ocop_sync(w->stores[0], NULL, NULL, NULL), OCOP_ETIMEOUT);
    world_sync(w, 0);
    assert_string_equal(world_value(w, "inspection", id, "conclusion"), "\"pass\"");
    assert_int_equal(world_count(w, "SELECT count(*) FROM inspection"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_lost_reply_loses_nothing, world_setup_0, world_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
