/* The threads that help: everything is done, once, and seen by who waited for it. */
#include "test.h"

#include <semaphore.h>
#include <stdbool.h>
#include <string.h>

#include "crew.h"

enum { MANY = 1000 };

struct sheet {
    unsigned char times[MANY];
    size_t order[MANY], done; /* only without threads */
};

static void tick(void *self, size_t i)
{
    struct sheet *s = self;
    s->times[i]++; /* no lock: each number is one thread's alone */
}

static void note(void *self, size_t i)
{
    struct sheet *s = self;
    s->order[s->done++] = i;
}

static struct crew *crew_of(int threads)
{
    struct crew *c;
    assert_int_equal(crew_open(threads, &c, NULL), OCOP_OK);
    return c;
}

static void every_task_is_done_once(void **state)
{
    (void)state;
    for (int threads = 0; threads <= 4; threads++) {
        struct crew *c = crew_of(threads);
        for (size_t count = 0; count <= MANY; count = count * 3 + 1) {
            struct sheet s = {.done = 0};
            crew_do(c, tick, &s, count);
            for (size_t i = 0; i < MANY; i++)
                assert_int_equal(s.times[i], i < count);
            crew_begin(c, tick, &s, count);
            crew_end(c);
            for (size_t i = 0; i < MANY; i++)
                assert_int_equal(s.times[i], i < count ? 2 : 0);
        }
        crew_close(c);
    }
}

static void tick_late(void *self, size_t i)
{
    for (volatile int n = 0; n < 20000; n++)
        ;
    tick(self, i);
}

/* The last task is long enough to be still on its way when the others are done. */
static void nothing_is_under_way_when_it_has_ended(void **state)
{
    struct crew *c = crew_of(3);
    (void)state;
    for (int turn = 0; turn < 300; turn++) {
        struct sheet s = {.done = 0};
        size_t count = (size_t)turn % 7 + 1;
        crew_begin(c, tick_late, &s, count);
        crew_end(c);
        for (size_t i = 0; i < count; i++)
            assert_int_equal(s.times[i], 1);
    }
    crew_close(c);
}

static void a_crew_of_nobody_does_all_in_order_when_it_begins(void **state)
{
    struct crew *c = crew_of(0);
    struct sheet s = {.done = 0};
    (void)state;
    assert_null(c);
    crew_begin(c, note, &s, 5);
    assert_int_equal(s.done, 5);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(s.order[i], i);
    crew_end(c);
    crew_close(c);
}

struct gate {
    sem_t open, seen;
};

static void pass_gate(void *self, size_t i)
{
    struct gate *g = self;
    (void)i;
    assert_int_equal(sem_wait(&g->open), 0);
    assert_int_equal(sem_post(&g->seen), 0);
    for (volatile int n = 0; n < 1000000; n++)
        ; /* long enough for the caller to wait for the end */
}

/* Would stand still if the caller had to do it, or wait for it, when it begins. */
static void the_caller_goes_on_while_the_crew_works(void **state)
{
    struct crew *c = crew_of(2);
    struct gate g;
    (void)state;
    assert_int_equal(sem_init(&g.open, 0, 0), 0);
    assert_int_equal(sem_init(&g.seen, 0, 0), 0);
    crew_begin(c, pass_gate, &g, 2);
    for (int i = 0; i < 2; i++)
        assert_int_equal(sem_post(&g.open), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(sem_wait(&g.seen), 0);
    crew_end(c);
    crew_close(c);
    sem_destroy(&g.open);
    sem_destroy(&g.seen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_task_is_done_once),
        cmocka_unit_test(nothing_is_under_way_when_it_has_ended),
        cmocka_unit_test(a_crew_of_nobody_does_all_in_order_when_it_begins),
        cmocka_unit_test(the_caller_goes_on_while_the_crew_works),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
