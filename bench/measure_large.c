/* A registry of a million records against one of ten thousand: what a small pull costs there, and
 * the memory of a server of the large one. */
#include "far.h"
#include "measure.h"
#include "world.h"

enum {
    PER_SET = 1000,
    SMALL_UNITS = 10,  /* with one set each: 10,000 records */
    LARGE_UNITS = 100, /* with ten sets each: a million */
    PULLED_UNITS = 10, /* that a fresh store pulls from the large one: 100,000 */
    QUIET_UNIT = 120   /* in which nothing happens but 10 new records */
};

/* `sets` change-sets of a device for each of the first units, through the server's core. */
static void grow(struct world *w, size_t units, size_t sets)
{
    struct arena a;
    arena_init(&a, MIB(64));
    for (size_t i = 0; i < units; i++) {
        struct device d;
        device_enrol(w, &d, &w->units[i]);
        for (size_t k = 0; k < sets; k++) {
            struct prepared p = {0};
            struct changes c = device_record(w, &d, PER_SET, &a);
            prepared_add(w, &d, &c, &a, &p);
            (void)prepared_answer(w, &p);
            prepared_free(&p);
            arena_reset(&a);
        }
    }
    arena_fini(&a);
}

/* A request that pulls 10 new records of one commune. */
static void scope_frame(struct world *w, struct buf *frame)
{
    struct device maker, puller;
    struct prepared p = {0};
    struct arena a;
    arena_init(&a, MIB(16));
    device_enrol(w, &maker, &w->units[QUIET_UNIT]);
    device_enrol(w, &puller, &w->units[QUIET_UNIT]);
    struct changes c = device_record(w, &maker, 10, &a);
    prepared_add(w, &maker, &c, &a, &p);
    (void)prepared_answer(w, &p);
    device_frame(w, &puller, NULL, frame);
    prepared_free(&p);
    arena_fini(&a);
}

static double scope_pull(struct world *w, const struct buf *frame)
{
    struct job job;
    double start = measure_wall_s();
    world_answer(w, buf_span(frame), &job);
    double took = measure_wall_s() - start;
    MUST_BE(job.records >= 10); /* and stubs of the products they refer to */
    return took;
}

/* In turn, so that what else the machine does falls on both. */
static void measure_scope(struct world *small, struct world *large)
{
    enum { TIMES = 501 };
    struct buf frames[2];
    double took[2][TIMES];
    scope_frame(small, &frames[0]);
    scope_frame(large, &frames[1]);
    for (size_t i = 0; i < TIMES; i++) {
        took[0][i] = scope_pull(small, &frames[0]);
        took[1][i] = scope_pull(large, &frames[1]);
    }
    double one = measure_median(took[0], TIMES), other = measure_median(took[1], TIMES);
    measure_line("pull_scope_ratio", other / one, "of 1,000,000 records against 10,000", 1.3);
    measure_line("pull_scope_us", other * 1e6, "us at 1,000,000", 0);
    measure_line("pull_scope_small_us", one * 1e6, "us at 10,000, the baseline", 0);
    buf_fini(&frames[0]);
    buf_fini(&frames[1]);
}

/* A fresh store pulls over a socket from a server in a process of its own. */
static void measure_memory(struct world *w)
{
    struct far far;
    struct ocop_sync_summary sum;
    far_open(&far, w->path, BATCH_REQUESTS_MAX, BENCH_WORKERS);
    struct ocop_store *s = world_store(w, "memory.ocop", w->units, PULLED_UNITS, far.address);
    MUST(ocop_sync(s, NULL, &sum, &err));
    MUST_BE(sum.complete && sum.pulled >= 100000);
    ocop_close(s);
    struct far_report report = far_close(&far);
    measure_line("server_rss_mib", (double)report.rss_kib / 1024,
                 "MiB at 1,000,000 records, 100,000 of them pulled", 64);
}

void measure_large(void)
{
    static struct world small, large;
    world_open(&small, measure_path("small.db"), UNITS);
    grow(&small, SMALL_UNITS, 1);
    world_open(&large, measure_path("large.db"), UNITS);
    double start = measure_wall_s();
    grow(&large, LARGE_UNITS, 10);
    measure_line("large_build_s", measure_wall_s() - start, "s to make and apply 1,000,000 records",
                 0);
    measure_scope(&small, &large);
    measure_memory(&large);
    world_close(&small);
    world_close(&large);
}
