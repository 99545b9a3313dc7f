/* What two histories of a registry have in common. */
#include "test.h"

#include "lineage.h"

static struct id named(char c)
{
    return (struct id){{(uint8_t)c}};
}

/* As lineage.h draws them; D is of a restore that C's registry replaced. */
static void two_histories_share_what_came_before_the_first_fork_between_them(void **state)
{
    const struct lineage v[] = {{named('A'), {{0}}, 0},
                                {named('B'), named('A'), 3},
                                {named('C'), named('B'), 5},
                                {named('D'), named('A'), 2}};
    const struct {
        char now, from;
        uint64_t shared;
    } cases[] = {{'C', 'A', 3}, {'C', 'B', 5}, {'C', 'C', UINT64_MAX}, {'C', 'D', 2},
                 {'D', 'C', 2}, {'D', 'A', 2}, {'A', 'C', 3},          {'B', 'C', 5},
                 {'C', 'X', 0}, {'X', 'C', 0}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (lineage_shared(v, 4, named(cases[i].now), named(cases[i].from)) != cases[i].shared)
            fail_msg("%c with %c", cases[i].now, cases[i].from);
}

static void histories_that_are_their_own_ancestors_do_no_harm(void **state)
{
    const struct lineage v[] = {{named('A'), named('B'), 4}, {named('B'), named('A'), 3}};
    (void)state;
    assert_int_equal(lineage_shared(v, 2, named('A'), named('B')), 4);
    assert_int_equal(lineage_shared(v, 2, named('A'), named('C')), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_histories_share_what_came_before_the_first_fork_between_them),
        cmocka_unit_test(histories_that_are_their_own_ancestors_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
