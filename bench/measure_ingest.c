/* Frame in to reply out, against plain SQLite; and the same frames again. */
#include "measure.h"
#include "plain.h"
#include "world.h"

/* In chunks, each first through the server, then again, then as plain rows: so what else the
 * machine does falls on all three. The middle chunk is shown. */
enum { DEVICES = 100, PER_DEVICE = 1000, CHUNKS = 10, PER_CHUNK = DEVICES / CHUNKS };

struct chunk {
    double first_s, again_s, plain_s;
};

static struct chunk chunk(struct world *w, size_t from, sqlite3 *plain, int64_t *last)
{
    struct prepared p = {0};
    struct arena a;
    struct chunk out;
    arena_init(&a, MIB(64));
    for (size_t i = from; i < from + PER_CHUNK; i++) {
        struct device d;
        device_enrol(w, &d, &w->units[i]);
        struct changes c = device_record(w, &d, PER_DEVICE, &a);
        prepared_add(w, &d, &c, &a, &p);
        arena_reset(&a);
    }
    out.first_s = prepared_answer(w, &p);
    uint64_t version = world_version(w);
    out.again_s = prepared_answer(w, &p);
    MUST_BE(world_version(w) == version);
    struct plain_table t = plain_read_after(w->path, "inspection", false, *last);
    MUST_BE(t.rows == p.records);
    out.plain_s = plain_insert(plain, &t, 0, t.rows, p.records / p.count);
    *last = t.v[(t.rows - 1) * (size_t)t.columns].i;
    plain_free(&t);
    prepared_free(&p);
    arena_fini(&a);
    return out;
}

void measure_ingest(struct world *w)
{
    double ratio[CHUNKS], rate[CHUNKS], plain_rate[CHUNKS], repeat[CHUNKS];
    int64_t last = 0;
    struct plain_table before = plain_read_after(w->path, "inspection", false, 0);
    sqlite3 *plain = plain_open("plain.db", MIGRATE_REGISTRY);
    if (before.rows > 0) {
        (void)plain_insert(plain, &before, 0, before.rows, before.rows);
        last = before.v[(before.rows - 1) * (size_t)before.columns].i;
    }
    plain_free(&before);
    for (size_t i = 0; i < CHUNKS; i++) {
        struct chunk c = chunk(w, i * PER_CHUNK, plain, &last);
        ratio[i] = c.plain_s / c.first_s;
        rate[i] = PER_CHUNK * PER_DEVICE / c.first_s;
        plain_rate[i] = PER_CHUNK * PER_DEVICE / c.plain_s;
        repeat[i] = c.again_s / c.first_s;
    }
    (void)sqlite3_close(plain);
    measure_line("ingest_ratio", measure_median(ratio, CHUNKS),
                 "of plain SQLite, 100,000 records, median of 10 parts", -0.5);
    measure_line("ingest_records_per_s", measure_median(rate, CHUNKS), "records/s", 0);
    measure_line("ingest_plain_per_s", measure_median(plain_rate, CHUNKS), "rows/s, the baseline",
                 0);
    measure_line("repeat_ratio", measure_median(repeat, CHUNKS),
                 "of the first time, median of 10 parts", 0.15);
}
