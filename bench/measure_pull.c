/* A fresh store takes what the registry has, from a server in a process of its own. */
#include <malloc.h>

#include "far.h"
#include "measure.h"
#include "plain.h"
#include "world.h"

enum { TURNS = 3, KINDS = 3 };

struct pull {
    double took;
    long grown_kib; /* of this process */
    struct ocop_sync_summary sum;
};

static struct pull pull(struct world *w, const char *name, const char *address)
{
    struct pull out;
    struct ocop_store *s = world_store(w, name, &w->province, 1, address);
    (void)malloc_trim(0);
    FILE *f = fopen("/proc/self/clear_refs", "w");
    MUST_BE(f && fputs("5", f) >= 0); /* from here on VmHWM is of this pull */
    (void)fclose(f);
    long before = measure_status_kib("VmRSS");
    double start = measure_wall_s();
    MUST(ocop_sync(s, NULL, &out.sum, &err));
    out.took = measure_wall_s() - start;
    out.grown_kib = measure_status_kib("VmHWM") - before;
    MUST_BE(out.sum.complete);
    ocop_close(s);
    return out;
}

/* The same rows, in transactions of as many as came in a page. Seconds. */
static double plain(const char *name, const struct plain_table *tables, size_t batch)
{
    sqlite3 *db = plain_open(name, MIGRATE_STORE);
    double took = 0;
    for (size_t i = 0; i < KINDS; i++)
        took += plain_insert(db, &tables[i], 0, tables[i].rows, batch);
    (void)sqlite3_close(db);
    return took;
}

/* Pulls and inserts by turns, so that what else the machine does meets both. */
void measure_pull(struct world *w)
{
    static const char *const kinds[KINDS] = {"producer", "product", "inspection"};
    static const char *const stores[TURNS] = {"pull-1.ocop", "pull-2.ocop", "pull-3.ocop"},
                             *const plains[TURNS] = {"plain-1.ocop", "plain-2.ocop",
                                                     "plain-3.ocop"};
    struct plain_table tables[KINDS];
    struct pull turn[TURNS];
    struct far far;
    double ratio[TURNS], rate[TURNS];
    char unit[96];
    size_t rows = 0;
    far_open(&far, w->path, BATCH_REQUESTS_MAX, BENCH_WORKERS);
    for (size_t i = 0; i < TURNS; i++) {
        turn[i] = pull(w, stores[i], far.address);
        for (size_t k = 0; i == 0 && k < KINDS; k++) {
            tables[k] = plain_read(measure_path(stores[0]), kinds[k], true);
            rows += tables[k].rows;
        }
        size_t batch = turn[i].sum.pulled / turn[i].sum.round_trips;
        rate[i] = turn[i].sum.pulled / turn[i].took;
        ratio[i] = rate[i] * plain(plains[i], tables, batch) / (double)rows;
    }
    (void)far_close(&far);
    struct pull near = pull(w, "near.ocop", NULL);
    (void)snprintf(unit, sizeof unit, "of plain inserts, %zu records over tcp, median of %d", rows,
                   TURNS);
    measure_line("pull_ratio", measure_median(ratio, TURNS), unit, -0.5);
    measure_line("pull_records_per_s", measure_median(rate, TURNS), "records/s", 0);
    measure_line("pull_near_per_s", near.sum.pulled / near.took,
                 "records/s, the server in the same thread", 0);
    measure_line("pull_bytes", (double)turn[0].sum.bytes_received / turn[0].sum.pulled,
                 "bytes/record", 0);
    measure_line("client_rss_mib", (double)turn[0].grown_kib / 1024,
                 "MiB in the first pull, page cache included", 16);
    for (size_t k = 0; k < KINDS; k++)
        plain_free(&tables[k]);
}
