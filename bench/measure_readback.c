/* What reading one committed change-set back costs, beside what taking it in does. */
#include "measure.h"
#include "readback.h"
#include "world.h"

enum { SETS = 200, SHARE_OF = 64 /* one in so many is read back, as ocopd is set at first */ };

static double cpu_s(void)
{
    return measure_clock_s(CLOCK_THREAD_CPUTIME_ID);
}

static void measure_sets(struct world *w, struct readback *b, size_t records, const char *name,
                         const char *unit)
{
    struct prepared p = {0};
    struct device d;
    struct arena a;
    double taken = 0, read = 0;
    arena_init(&a, MIB(64));
    device_enrol(w, &d, &w->units[0]);
    for (size_t i = 0; i < SETS; i++) {
        struct changes c = device_record(w, &d, records, &a);
        prepared_add(w, &d, &c, &a, &p);
        arena_reset(&a);
    }
    MUST_BE(p.count == SETS);
    MUST_BE(readback_batch(b, w->r) == 0); /* the enrolment, not counted */
    for (size_t i = 0; i < p.count; i++) {
        struct job job;
        double start = cpu_s();
        world_answer(w, buf_span(&p.v[i]), &job);
        taken += cpu_s() - start;
        start = cpu_s();
        MUST_BE(readback_batch(b, w->r) == 0);
        read += cpu_s() - start;
    }
    measure_line(name, read * 1e6 / SETS, unit, 0);
    char share[40];
    (void)snprintf(share, sizeof share, "%s_share", name);
    measure_line(share, read / taken / SHARE_OF, "of the time to take sets in, one in 64 read back",
                 0);
    prepared_free(&p);
    arena_fini(&a);
}

void measure_readback(struct world *w)
{
    struct readback *b = NULL;
    MUST(readback_open(w->path, w->r->env, 1, &b, &err));
    measure_sets(w, b, 1, "readback_one", "us of processor time/set of one inspection");
    measure_sets(w, b, 100, "readback_many", "us of processor time/set of 100 inspections");
    readback_close(b);
}
