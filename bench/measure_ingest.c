/* Frame in to reply out, against plain SQLite; the same frames again; bytes of new inspections. */
#include <string.h>

#include "measure.h"
#include "plain.h"
#include "world.h"
#include "zip.h"

enum { DEVICES = 20, PER_DEVICE = 1000, TURNS = 3 };

static void wire_insert(const struct changes *c, const struct prepared *p)
{
    enum { NOTES = 34 };
    struct buf notes, packed;
    size_t bytes = 0;
    buf_init(&notes, MIB(4));
    buf_init(&packed, MIB(4));
    for (size_t i = 0; i < c->count; i++) {
        struct field *f = fields_find(&c->v[i].fields, NOTES, span_of(NULL, 0));
        MUST_BE(f != NULL);
        buf_put(&notes, f->bytes.p, f->bytes.len);
    }
    MUST(zip_deflate(buf_span(&notes), 9, &packed, &err));
    for (size_t i = 0; i < p->count; i++)
        bytes += p->v[i].len;
    measure_line("wire_overhead_bytes", ((double)bytes - (double)packed.len) / (double)c->count,
                 "bytes/record", 25);
    measure_line("wire_insert_bytes", (double)bytes / (double)c->count, "bytes/record", 0);
    buf_fini(&notes);
    buf_fini(&packed);
}

static void copy_registry(struct world *w, const char *name)
{
    char sql[256];
    (void)snprintf(sql, sizeof sql, "VACUUM INTO '%s'", measure_path(name));
    MUST(db_exec(w->r->db, sql, &err));
}

/* The same sets into copies of the registry and the same rows into plain tables by turns, so that
 * what else the machine does meets both. */
void measure_ingest(struct world *w)
{
    static const char *const copies[TURNS] = {"ingest-1.db", "ingest-2.db", "ingest-3.db"},
                             *const plains[TURNS] = {"plain-1.db", "plain-2.db", "plain-3.db"};
    struct prepared p = {0}, first = {0};
    struct arena a;
    arena_init(&a, MIB(64));
    for (size_t i = 0; i < DEVICES; i++) {
        struct device d;
        device_enrol(w, &d, &w->units[i]);
        struct changes c = device_record(w, &d, PER_DEVICE, &a);
        prepared_add(w, &d, &c, &a, i ? &p : &first);
        if (i == 0) {
            wire_insert(&c, &first);
            for (size_t k = 0; k < first.count; k++) { /* and it is measured too */
                struct job job;
                world_answer(w, buf_span(&first.v[k]), &job);
            }
        }
        arena_reset(&a);
    }
    for (size_t i = 0; i < TURNS; i++)
        copy_registry(w, copies[i]);
    (void)prepared_answer(w, &p);
    struct plain_table t = plain_read(w->path, "inspection", false);
    MUST_BE(t.rows == p.records + first.records);
    double took[TURNS], ratio[TURNS], repeat[TURNS], plain[TURNS];
    for (size_t i = 0; i < TURNS; i++) {
        struct registry *kept = w->r;
        MUST(registry_open(measure_path(copies[i]), false, env_system(), NULL, &w->r, &err));
        took[i] = prepared_answer(w, &p);
        uint64_t version = world_version(w);
        repeat[i] = prepared_answer(w, &p) / took[i];
        MUST_BE(world_version(w) == version);
        registry_close(w->r);
        w->r = kept;
        sqlite3 *db = plain_open(plains[i], MIGRATE_REGISTRY);
        plain[i] = plain_insert(db, &t, first.records, t.rows, p.records / p.count);
        (void)sqlite3_close(db);
        ratio[i] = plain[i] / took[i];
    }
    double records = (double)p.records;
    measure_line("ingest_ratio", measure_median(ratio, TURNS),
                 "of plain SQLite, 19,000 records, median of 3", -0.5);
    measure_line("ingest_records_per_s", records / measure_median(took, TURNS), "records/s", 0);
    measure_line("ingest_plain_per_s", records / measure_median(plain, TURNS),
                 "rows/s, the baseline", 0);
    measure_line("repeat_ratio", measure_median(repeat, TURNS), "of the first time", 0.15);
    plain_free(&t);
    prepared_free(&p);
    prepared_free(&first);
    arena_fini(&a);
}
