/* Which points of a large act fail. Of its thousands of allocations most are the same one: the same
 * functions on the stack down to the caller of malloc, once more for the next statement, row or
 * page of the same loop. What such a failure does it does by the code on that stack; so the first
 * few of each stack fail and then now and then one, in the order in which they come. */
#include "test.h"

#include <stdlib.h>

#include "fault.h"

enum {
    POINTS_MIN = 3000, /* an act with fewer has every one fail */
    FIRST = 4,
    EVERY = 16
};

struct point {
    uint64_t stack;
    unsigned at;
};

static int by_stack(const void *a, const void *b)
{
    const struct point *x = a, *y = b;
    if (x->stack != y->stack)
        return x->stack < y->stack ? -1 : 1;
    return x->at < y->at ? -1 : x->at > y->at;
}

struct plan plan_of(const uint64_t *stacks, size_t count)
{
    struct plan out = {.count = count};
    if (count < POINTS_MIN || getenv("FAULT_ALL"))
        return out;
    struct point *points = calloc(count, sizeof *points);
    out.skips = calloc(count, sizeof *out.skips);
    assert_true(points && out.skips);
    for (size_t i = 0; i < count; i++)
        points[i] = (struct point){stacks[i], (unsigned)i};
    qsort(points, count, sizeof *points, by_stack);
    for (size_t i = 0, first = 0; i < count; i++) {
        if (points[i].stack != points[first].stack)
            first = i;
        out.skips[points[i].at] = i - first >= FIRST && (i - first) % EVERY != 0;
    }
    free(points);
    return out;
}

unsigned plan_next(const struct plan *p, unsigned round)
{
    while (p->skips && round < p->count && p->skips[round])
        round++;
    return round;
}

void plan_fini(struct plan *p)
{
    free(p->skips);
    *p = (struct plan){.count = 0};
}
