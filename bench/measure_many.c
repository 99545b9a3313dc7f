/* Many clients at once, against one alone. */
#include <sqlite3.h>

#include "measure.h"
#include "world.h"

enum { ROUNDS = 20, MANY = 64 };

static int commits;

static int on_commit(void *self)
{
    (void)self;
    commits++;
    return 0;
}

void measure_many(struct world *w)
{
    static struct device d[MANY];
    static struct prepared p[MANY];
    double alone[MANY * 4];
    struct arena a;
    enum { EACH = ROUNDS + 4 };
    arena_init(&a, MIB(16));
    for (size_t i = 0; i < MANY; i++)
        device_enrol(w, &d[i], &w->units[40 + i]);
    for (size_t i = 0; i < MANY; i++) {
        d[i].cursor = world_version(w);
        for (size_t k = 0; k < EACH; k++) {
            struct changes c = device_record(w, &d[i], 1, &a);
            prepared_add(w, &d[i], &c, &a, &p[i]);
            arena_reset(&a);
        }
    }
    double start = measure_wall_s(), one, many;
    for (size_t i = 0; i < MANY * 4; i++) {
        struct job job;
        double before = measure_wall_s();
        world_answer(w, buf_span(&p[i % MANY].v[i / MANY]), &job);
        alone[i] = measure_wall_s() - before;
    }
    one = measure_wall_s() - start;
    (void)sqlite3_commit_hook(w->r->db, on_commit, NULL);
    commits = 0;
    double cpu = measure_clock_s(CLOCK_PROCESS_CPUTIME_ID);
    start = measure_wall_s();
    for (size_t k = 4; k < EACH; k++) {
        struct job jobs[MANY];
        for (size_t i = 0; i < MANY; i++)
            jobs[i] = (struct job){.frame = buf_span(&p[i].v[k])};
        exchange_batch(w->r, &w->keys, jobs, MANY);
        for (size_t i = 0; i < MANY; i++) {
            MUST_BE(jobs[i].status == OCOP_OK && jobs[i].sets == 1 && jobs[i].outcomes == 0);
            buf_fini(&jobs[i].reply);
        }
    }
    many = measure_wall_s() - start;
    cpu = measure_clock_s(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    (void)sqlite3_commit_hook(w->r->db, NULL, NULL);
    measure_line("syncs_per_s_64", ROUNDS * MANY / many, "syncs/s, in-process, batches of 64", 0);
    measure_line("syncs_ratio_64", ROUNDS * MANY / many / (MANY * 4 / one), "of one client's rate",
                 -2);
    measure_line("sync_p50_one_us", measure_median(alone, MANY * 4) * 1e6,
                 "us, in-process, batch of 1", 0);
    measure_line("commits_per_sync_64", (double)commits / (ROUNDS * MANY), "commits/sync", 0.10);
    measure_line("server_cpu_us_per_sync", cpu * 1e6 / (ROUNDS * MANY), "us", 0);
    for (size_t i = 0; i < MANY; i++)
        prepared_free(&p[i]);
    arena_fini(&a);
}
