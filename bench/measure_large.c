/* A large registry, and what a small pull costs there. */
#include "measure.h"
#include "world.h"

enum { PER_DEVICE = 1000 };

static void grow(struct world *w, size_t from, size_t to)
{
    struct arena a;
    arena_init(&a, MIB(64));
    for (size_t i = from; i < to; i++) {
        struct device d;
        struct prepared p = {0};
        device_enrol(w, &d, &w->units[i]);
        struct changes c = device_record(w, &d, PER_DEVICE, &a);
        prepared_add(w, &d, &c, &a, &p);
        (void)prepared_answer(w, &p);
        prepared_free(&p);
        arena_reset(&a);
    }
    arena_fini(&a);
}

/* Median time of a pull of 10 new records of one commune. */
static double scope_pull(struct world *w, const struct id *unit)
{
    enum { TIMES = 301 };
    struct device maker, puller;
    struct prepared p = {0};
    struct buf frame;
    struct arena a;
    double took[TIMES];
    arena_init(&a, MIB(16));
    device_enrol(w, &maker, unit);
    device_enrol(w, &puller, unit);
    struct changes c = device_record(w, &maker, 10, &a);
    prepared_add(w, &maker, &c, &a, &p);
    (void)prepared_answer(w, &p);
    device_frame(w, &puller, NULL, &frame);
    for (size_t i = 0; i < TIMES; i++) {
        struct job job;
        double start = measure_wall_s();
        world_answer(w, buf_span(&frame), &job);
        took[i] = measure_wall_s() - start;
        MUST_BE(job.records >= 10); /* and stubs of the products they refer to */
    }
    buf_fini(&frame);
    prepared_free(&p);
    arena_fini(&a);
    return measure_median(took, TIMES);
}

void measure_large(struct world *w)
{
    world_open(w, measure_path("large.db"));
    grow(w, 0, 10);
    double small = scope_pull(w, &w->units[120]);
    grow(w, 10, 100);
    double large = scope_pull(w, &w->units[121]);
    measure_line("pull_scope_ratio", large / small, "of 100,000 records against 10,000", 1.3);
    measure_line("pull_scope_us", large * 1e6, "us at 100,000", 0);
    measure_pull(w);
    world_close(w);
}
