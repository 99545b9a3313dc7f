/* Work on one device: a save, a day, and a sync with nothing to say. */
#include <string.h>
#include <sys/stat.h>

#include "measure.h"
#include "migrate.h"
#include "plain.h"
#include "world.h"

/* What a save alone took. */
struct took {
    double wall_s, cpu_s;
};

static struct took took_now(void)
{
    return (struct took){measure_wall_s(), measure_clock_s(CLOCK_THREAD_CPUTIME_ID)};
}

static void took_add(struct took *sum, struct took since)
{
    const struct took now = took_now();
    sum->wall_s += now.wall_s - since.wall_s;
    sum->cpu_s += now.cpu_s - since.cpu_s;
}

static struct took submit_inspection(struct world *w, struct ocop_store *s, struct area *area,
                                     size_t answers, bool full)
{
    ProtobufCMessage *m;
    struct arena a;
    struct id keys[6];
    arena_init(&a, MIB(1));
    MUST(ocop_new(s, "inspection", &m, &err));
    Ocop__Inspection record = *(Ocop__Inspection *)m;
    workload_inspection(&w->work, area, answers, &a, &record);
    record.inspected_date = ((Ocop__Inspection *)m)->inspected_date;
    for (size_t i = 0; full && i < 6; i++) {
        struct ocop_id key = ocop_new_key(s);
        memcpy(keys[i].b, key.b, ID_LEN);
    }
    if (full)
        workload_full(&w->work, &a, &record, keys);
    struct took took = {0, 0}, start = took_now();
    MUST(ocop_submit(s, &record.base, &err));
    took_add(&took, start);
    ocop_free(m);
    arena_fini(&a);
    return took;
}

double world_submit(struct world *w, struct ocop_store *s, struct area *area, size_t answers,
                    bool full)
{
    return submit_inspection(w, s, area, answers, full).wall_s;
}

static void submit_sample(struct world *w, struct ocop_store *s, struct area *area)
{
    ProtobufCMessage *m;
    struct arena a;
    struct id keys[3];
    arena_init(&a, MIB(1));
    MUST(ocop_new(s, "sample", &m, &err));
    Ocop__Sample record = *(Ocop__Sample *)m;
    for (size_t i = 0; i < 3; i++) {
        struct ocop_id key = ocop_new_key(s);
        memcpy(keys[i].b, key.b, ID_LEN);
    }
    workload_sample(&w->work, area, &a, &record, keys);
    MUST(ocop_submit(s, &record.base, &err));
    ocop_free(m);
    arena_fini(&a);
}

void measure_day(struct world *w)
{
    struct ocop_sync_summary sum;
    struct ocop_options options = {.link = &w->link};
    struct ocop_store *s = world_store(w, "day.ocop", &w->units[0], 1, NULL);
    struct area area = {18500000, 105000000, env_now_ms(w->r->env) - 86400000};
    size_t inspections = 0, samples = 0;
    MUST(ocop_sync(s, NULL, &sum, &err));
    ocop_close(s);
    for (size_t opening = 1; opening <= 15; opening++) {
        MUST(ocop_open(measure_path("day.ocop"), &options, &s, &err));
        for (; inspections < 40 * opening / 15; inspections++)
            (void)submit_inspection(w, s, &area, 20, true);
        for (; samples < 10 * opening / 15; samples++)
            submit_sample(w, s, &area);
        ocop_close(s);
    }
    MUST(ocop_open(measure_path("day.ocop"), &options, &s, &err));
    MUST(ocop_sync(s, NULL, &sum, &err));
    MUST_BE(sum.complete && sum.pushed == 50 && sum.refused == 0);
    measure_line("day_round_trips", sum.round_trips, "round trips", 1);
    measure_line("day_bytes", (double)(sum.bytes_sent + sum.bytes_received), "bytes, 50 records",
                 6144);
    measure_line("day_bytes_sent", (double)sum.bytes_sent, "bytes", 0);
    ocop_close(s);
}

enum { TURNS = 4, BLOCK = 50, WARM = 50 };

/* The rows of the baseline: those that saves make. */
static struct plain_table plain_saves(struct world *w)
{
    struct ocop_sync_summary sum;
    struct ocop_store *s = world_store(w, "plain-rows.ocop", &w->units[0], 1, NULL);
    struct area area = {18500000, 105000000, env_now_ms(w->r->env) - 86400000};
    MUST(ocop_sync(s, NULL, &sum, &err));
    for (size_t i = 0; i < WARM + TURNS * BLOCK; i++)
        (void)submit_inspection(w, s, &area, 8, false);
    ocop_close(s);
    return plain_read(measure_path("plain-rows.ocop"), "inspection", false);
}

/* Saves and plain inserts in turn, once both have come to a steady state: the first splits no page.
 */
static void save_turns(struct world *w, struct ocop_store *s, struct area *area)
{
    struct took saves = {0, 0}, plain = {0, 0}, one, start;
    struct plain_table t = plain_saves(w);
    sqlite3 *db = plain_open("plain-save.db", MIGRATE_STORE);
    (void)plain_insert(db, &t, 0, WARM, 1);
    for (size_t i = 0; i < WARM; i++)
        (void)submit_inspection(w, s, area, 8, false);
    for (size_t i = 0; i < TURNS; i++) {
        start = took_now();
        (void)plain_insert(db, &t, WARM + i * BLOCK, WARM + (i + 1) * BLOCK, 1);
        took_add(&plain, start);
        for (size_t k = 0; k < BLOCK; k++) {
            one = submit_inspection(w, s, area, 8, false);
            saves.wall_s += one.wall_s;
            saves.cpu_s += one.cpu_s;
        }
    }
    measure_line("save_ratio", saves.wall_s / plain.wall_s, "of a plain insert, 200 saves", 1.5);
    measure_line("save_us", saves.wall_s * 1e6 / (TURNS * BLOCK), "us/save", 0);
    measure_line("save_cpu_ratio", saves.cpu_s / plain.cpu_s,
                 "of a plain insert's processor time, fsync's included", 0);
    measure_line("save_cpu_us", saves.cpu_s * 1e6 / (TURNS * BLOCK), "us/save", 0);
    (void)sqlite3_close(db);
    plain_free(&t);
}

void measure_save(struct world *w)
{
    struct ocop_sync_summary sum;
    struct stat file;
    struct ocop_store *s = world_store(w, "save.ocop", &w->units[0], 1, NULL);
    struct area area = {18500000, 105000000, env_now_ms(w->r->env) - 86400000};
    sqlite3 *other;
    MUST(ocop_sync(s, NULL, &sum, &err));
    save_turns(w, s, &area);
    MUST(db_open(measure_path("save.ocop"), false, false, NULL, &other, &err));
    sqlite3_stmt *truncate = plain_prepare(other, "PRAGMA wal_checkpoint(TRUNCATE)");
    (void)sqlite3_step(truncate);
    (void)sqlite3_finalize(truncate);
    (void)sqlite3_close(other);
    for (size_t k = 0; k < 20; k++)
        (void)submit_inspection(w, s, &area, 8, false);
    MUST_BE(stat(measure_path("save.ocop-wal"), &file) == 0);
    measure_line("save_wal_bytes", (double)file.st_size / 20, "bytes/save", 0);
    ocop_close(s);
}
