/* A fresh store takes what the registry has. */
#include "measure.h"
#include "plain.h"
#include "world.h"

void measure_pull(struct world *w)
{
    static const char *const kinds[] = {"producer", "product", "inspection"};
    struct ocop_sync_summary sum;
    struct ocop_store *s = world_store(w, "pull.ocop", &w->province, 1, NULL);
    char unit[96];
    size_t rows = 0;
    double start = measure_wall_s(), took, plain = 0;
    MUST(ocop_sync(s, NULL, &sum, &err));
    took = measure_wall_s() - start;
    MUST_BE(sum.complete);
    ocop_close(s);
    sqlite3 *db = plain_open("plain-pull.db", MIGRATE_STORE);
    for (size_t i = 0; i < 3; i++) {
        struct plain_table t = plain_read(measure_path("pull.ocop"), kinds[i], true);
        plain += plain_insert(db, &t, 0, t.rows, sum.pulled / sum.round_trips);
        rows += t.rows;
        plain_free(&t);
    }
    (void)sqlite3_close(db);
    (void)snprintf(unit, sizeof unit, "of plain inserts, %zu records, server's time included",
                   rows);
    measure_line("pull_ratio", plain / took * sum.pulled / (double)rows, unit, -0.5);
    measure_line("pull_records_per_s", sum.pulled / took, "records/s", 0);
    measure_line("pull_bytes", (double)sum.bytes_received / sum.pulled, "bytes/record", 0);
}
