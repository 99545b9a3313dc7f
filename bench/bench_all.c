/* `make bench`: the measurements of the design's section 11, one line each. All figures are of this
 * run on this machine; the baselines too. */
#include "test.h"

#include <dirent.h>
#include <malloc.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "migrate.h"
#include "row.h"
#include "store.h"
#include "world.h"
#include "zip.h"

enum { DEVICES = 20, PER_DEVICE = 1000, ROUNDS = 20, MANY = 64 };

static char dir[64];

static double now_s(clockid_t clock)
{
    struct timespec t;
    (void)clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double wall(void)
{
    return now_s(CLOCK_MONOTONIC);
}

static const char *at(const char *name)
{
    static char path[4][160];
    static unsigned turn;
    char *out = path[turn++ % 4];
    (void)snprintf(out, 160, "%s/%s", dir, name);
    return out;
}

/* bound > 0: at most; < 0: at least its opposite; 0: shown only */
static void line(const char *name, double value, const char *unit, double bound)
{
    char bar[32] = "shown";
    bool ok = bound == 0 || (bound > 0 ? value <= bound : value >= -bound);
    if (bound != 0)
        (void)snprintf(bar, sizeof bar, "%s%g",
                       bound > 0 ? "<=" : ">=", bound > 0 ? bound : -bound);
    printf(value >= 1000 ? "%s\t%.0f\t%s\t%s\t%s\n" : "%s\t%.3f\t%s\t%s\t%s\n", name, value, unit,
           bar, ok ? "ok" : "short");
    (void)fflush(stdout);
}

/* --- plain SQLite: the same rows into the same tables ----------------------------------------- */

struct cell {
    int type, len;
    int64_t i;
    void *p;
};

struct table {
    const char *name;
    uint32_t kind;
    int columns;
    size_t rows;
    struct cell *v;
    struct cell *text; /* for the search index; NULL: none */
};

static void exec(sqlite3 *db, const char *sql)
{
    MUST(db_exec(db, sql, &err));
}

static sqlite3_stmt *prepare(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *s = NULL;
    if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) != SQLITE_OK)
        (void)fprintf(stderr, "bench: %s: %s\n", sql, sqlite3_errmsg(db));
    MUST_BE(s != NULL);
    return s;
}

static void cell_read(sqlite3_stmt *s, int column, struct cell *c)
{
    c->type = sqlite3_column_type(s, column);
    c->i = sqlite3_column_int64(s, column);
    if (c->type == SQLITE_TEXT || c->type == SQLITE_BLOB) {
        const void *p = sqlite3_column_blob(s, column);
        c->len = sqlite3_column_bytes(s, column);
        c->p = malloc((size_t)c->len + 1);
        MUST_BE(c->p != NULL);
        if (c->len)
            memcpy(c->p, p, (size_t)c->len);
    }
}

static void cell_bind(sqlite3_stmt *s, int column, const struct cell *c)
{
    if (c->type == SQLITE_INTEGER)
        (void)sqlite3_bind_int64(s, column, c->i);
    else if (c->type == SQLITE_TEXT)
        (void)sqlite3_bind_text(s, column, c->p, c->len, SQLITE_STATIC);
    else if (c->type == SQLITE_BLOB)
        (void)sqlite3_bind_blob(s, column, c->p, c->len, SQLITE_STATIC);
    else
        (void)sqlite3_bind_null(s, column);
}

static void table_text(struct table *t, struct rows *rows, sqlite3_stmt *s, size_t row,
                       struct arena *a)
{
    struct buf text;
    struct fields f;
    struct row_meta meta;
    struct id id;
    buf_init(&text, MIB(1));
    arena_reset(a);
    MUST(row_read(rows, t->kind, s, 0, a, &id, &f, &meta, &err));
    store_search_text(kind_by_number(t->kind), &f, &text);
    t->text[row] = (struct cell){SQLITE_TEXT, (int)text.len, 0, malloc(text.len + 1)};
    MUST_BE(t->text[row].p != NULL);
    memcpy(t->text[row].p, text.p, text.len);
    buf_fini(&text);
}

/* All rows of a kind, in memory. */
static struct table table_read(const char *path, const char *name, bool search)
{
    struct table t = {.name = name, .kind = kind_by_name(name)->number};
    struct rows *rows;
    struct arena a;
    sqlite3 *db;
    char sql[2048];
    arena_init(&a, MIB(4));
    MUST(db_open(path, false, true, NULL, &db, &err));
    MUST(rows_open(db, &rows, &err));
    (void)snprintf(sql, sizeof sql, "SELECT count(*) FROM %s", name);
    sqlite3_stmt *s = prepare(db, sql);
    MUST_BE(sqlite3_step(s) == SQLITE_ROW);
    size_t count = (size_t)sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    (void)snprintf(sql, sizeof sql, "SELECT %s FROM %s ORDER BY n", row_columns(rows, t.kind),
                   name);
    s = prepare(db, sql);
    t.columns = sqlite3_column_count(s);
    t.v = calloc(count * (size_t)t.columns + 1, sizeof *t.v);
    t.text = search ? calloc(count + 1, sizeof *t.text) : NULL;
    MUST_BE(t.v && (t.text || !search));
    for (; t.rows < count && sqlite3_step(s) == SQLITE_ROW; t.rows++) {
        for (int i = 0; i < t.columns; i++)
            cell_read(s, i, &t.v[t.rows * (size_t)t.columns + (size_t)i]);
        if (search)
            table_text(&t, rows, s, t.rows, &a);
    }
    sqlite3_finalize(s);
    rows_close(rows);
    (void)sqlite3_close(db);
    arena_fini(&a);
    return t;
}

static void table_free(struct table *t)
{
    for (size_t i = 0; i < t->rows * (size_t)t->columns; i++)
        free(t->v[i].p);
    for (size_t i = 0; t->text && i < t->rows; i++)
        free(t->text[i].p);
    free(t->v);
    free(t->text);
}

/* Plain inserts by one prepared statement, `batch` rows to a transaction. Seconds. */
static double table_insert(sqlite3 *db, const struct table *t, size_t from, size_t to, size_t batch)
{
    char sql[512];
    size_t len = (size_t)snprintf(sql, sizeof sql, "INSERT INTO %s VALUES (?1", t->name);
    for (int i = 1; i < t->columns; i++)
        len += (size_t)snprintf(sql + len, sizeof sql - len, ",?%d", i + 1);
    (void)snprintf(sql + len, sizeof sql - len, ")");
    sqlite3_stmt *s = prepare(db, sql);
    sqlite3_stmt *find =
        t->text ? prepare(db, "INSERT INTO search (rowid, text) VALUES (?1, ?2)") : NULL;
    double start = wall();
    for (size_t row = from; row < to; row++) {
        const struct cell *v = &t->v[row * (size_t)t->columns];
        if ((row - from) % batch == 0)
            exec(db, "BEGIN IMMEDIATE");
        for (int i = 0; i < t->columns; i++)
            cell_bind(s, i + 1, &v[i]);
        MUST_BE(sqlite3_step(s) == SQLITE_DONE);
        (void)sqlite3_reset(s);
        if (find) {
            (void)sqlite3_bind_int64(find, 1, v[0].i * 64 + t->kind);
            cell_bind(find, 2, &t->text[row]);
            MUST_BE(sqlite3_step(find) == SQLITE_DONE);
            (void)sqlite3_reset(find);
        }
        if ((row - from) % batch == batch - 1 || row + 1 == to)
            exec(db, "COMMIT");
    }
    double took = wall() - start;
    sqlite3_finalize(s);
    sqlite3_finalize(find);
    return took;
}

static sqlite3 *plain_open(const char *name, enum migrate_side side)
{
    sqlite3 *db;
    MUST(db_open(at(name), true, false, NULL, &db, &err));
    MUST(migrate(db, side, NULL, &err));
    return db;
}

static int cmp_double(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* --- ingest, repeat, bytes on the wire -------------------------------------------------------- */

struct prepared {
    struct buf *v;
    size_t count, room, records;
};

static void prepare_sets(struct world *w, struct device *d, const struct changes *c,
                         struct arena *a, struct prepared *out)
{
    for (size_t i = 0; i < c->count;) {
        struct sealed set = device_seal(w, d, c, &i, a);
        if (out->count == out->room) {
            out->room = out->room * 2 + 64;
            out->v = realloc(out->v, out->room * sizeof *out->v);
            MUST_BE(out->v != NULL);
        }
        device_frame(w, d, &set, &out->v[out->count++]);
    }
    out->records += c->count;
}

static void prepared_free(struct prepared *p)
{
    for (size_t i = 0; i < p->count; i++)
        buf_fini(&p->v[i]);
    free(p->v);
    *p = (struct prepared){0};
}

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
    line("wire_overhead_bytes", ((double)bytes - (double)packed.len) / (double)c->count,
         "bytes/record", 25);
    line("wire_insert_bytes", (double)bytes / (double)c->count, "bytes/record", 0);
    buf_fini(&notes);
    buf_fini(&packed);
}

static double answer_all(struct world *w, const struct prepared *p)
{
    double start = wall();
    for (size_t i = 0; i < p->count; i++) {
        struct job job;
        world_answer(w, buf_span(&p->v[i]), &job);
    }
    return wall() - start;
}

static void measure_ingest(struct world *w)
{
    struct prepared p = {0}, first = {0};
    struct arena a;
    arena_init(&a, MIB(64));
    for (size_t i = 0; i < DEVICES; i++) {
        struct device d;
        device_enrol(w, &d, &w->units[i]);
        struct changes c = device_record(w, &d, PER_DEVICE, &a);
        prepare_sets(w, &d, &c, &a, i ? &p : &first);
        if (i == 0) {
            wire_insert(&c, &first);
            for (size_t k = 0; k < first.count; k++) { /* and it is measured too */
                struct job job;
                world_answer(w, buf_span(&first.v[k]), &job);
            }
        }
        arena_reset(&a);
    }
    double took = answer_all(w, &p);
    uint64_t version = world_version(w);
    double again = answer_all(w, &p);
    MUST_BE(world_version(w) == version);
    struct table t = table_read(w->path, "inspection", false);
    MUST_BE(t.rows == p.records + first.records);
    double turns[3];
    for (size_t i = 0; i < 3; i++) { /* fsync's time varies: the middle one of three */
        static const char *const names[] = {"plain-1.db", "plain-2.db", "plain-3.db"};
        sqlite3 *db = plain_open(names[i], MIGRATE_REGISTRY);
        turns[i] = table_insert(db, &t, first.records, t.rows, p.records / p.count);
        (void)sqlite3_close(db);
    }
    qsort(turns, 3, sizeof *turns, cmp_double);
    double plain = turns[1];
    line("ingest_ratio", plain / took, "of plain SQLite, 19,000 records", -0.5);
    line("ingest_records_per_s", (double)p.records / took, "records/s", 0);
    line("ingest_plain_per_s", (double)p.records / plain, "rows/s, the baseline", 0);
    line("repeat_ratio", again / took, "of the first time", 0.15);
    table_free(&t);
    prepared_free(&p);
    prepared_free(&first);
    arena_fini(&a);
}

static void measure_update(struct world *w)
{
    static const char *const reasons[] = {"Nhập sai điểm", "Kiểm tra lại", "Sửa kết luận"};
    struct device d;
    struct arena a;
    struct prepared p = {0};
    struct change v[100];
    device_enrol(w, &d, &w->units[30]);
    arena_init(&a, MIB(64));
    for (size_t i = 0; i < 10; i++) {
        struct changes c = device_record(w, &d, 50, &a);
        prepare_sets(w, &d, &c, &a, &p);
        (void)answer_all(w, &p);
        prepared_free(&p);
        for (size_t k = 0; k < 10; k++) {
            static const char *const ends[] = {"pass", "conditional", "fail"};
            struct change *u = &v[i * 10 + k];
            *u = c.v[(k * 7 + i) % 50];
            const struct field *old = fields_find(&u->fields, 26, span_of(NULL, 0));
            struct span end = span_str(ends[workload_below(&w->work, 3)]);
            if (span_eq(end, old->bytes))
                end = span_str(span_eq(end, span_str("pass")) ? "conditional" : "pass");
            struct field *f = arena_calloc(&a, 2, sizeof *f);
            u->verb = VERB_AMEND;
            u->base = world_version(w);
            u->device_time_ms = d.area.now_ms + workload_below(&w->work, 86400000);
            u->reason = span_str(reasons[workload_below(&w->work, 3)]);
            f[0] = (struct field){
                .number = 26, .op = FIELD_SET, .type = VALUE_BYTES, .bytes = end, .base = u->base};
            f[1] = (struct field){.number = 27,
                                  .op = FIELD_SET,
                                  .type = VALUE_INT,
                                  .i = workload_below(&w->work, 101),
                                  .base = u->base};
            u->fields = (struct fields){f, 2};
        }
    }
    struct changes c = {v, 100};
    d.cursor = world_version(w);
    prepare_sets(w, &d, &c, &a, &p);
    MUST_BE(p.count == 1);
    line("wire_update_bytes", (double)p.v[0].len / 100, "bytes/amendment", 25);
    struct job job = {.frame = buf_span(&p.v[0])};
    exchange_batch(w->r, &w->keys, &job, 1);
    MUST_BE(job.status == OCOP_OK && job.outcomes <= 3); /* some scores may be equal */
    buf_fini(&job.reply);
    prepared_free(&p);
    arena_fini(&a);
}

/* --- many clients ----------------------------------------------------------------------------- */

static int commits;

static int on_commit(void *self)
{
    (void)self;
    commits++;
    return 0;
}

static void measure_many(struct world *w)
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
            prepare_sets(w, &d[i], &c, &a, &p[i]);
            arena_reset(&a);
        }
    }
    double start = wall(), one, many;
    for (size_t i = 0; i < MANY * 4; i++) {
        struct job job;
        double before = wall();
        world_answer(w, buf_span(&p[i % MANY].v[i / MANY]), &job);
        alone[i] = wall() - before;
    }
    one = wall() - start;
    (void)sqlite3_commit_hook(w->r->db, on_commit, NULL);
    commits = 0;
    double cpu = now_s(CLOCK_PROCESS_CPUTIME_ID);
    start = wall();
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
    many = wall() - start;
    cpu = now_s(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    (void)sqlite3_commit_hook(w->r->db, NULL, NULL);
    qsort(alone, MANY * 4, sizeof *alone, cmp_double);
    line("syncs_per_s_64", ROUNDS * MANY / many, "syncs/s, in-process, batches of 64", 0);
    line("syncs_ratio_64", ROUNDS * MANY / many / (MANY * 4 / one), "of one client's rate", -2);
    line("sync_p50_one_us", alone[MANY * 2] * 1e6, "us, in-process, batch of 1", 0);
    line("commits_per_sync_64", (double)commits / (ROUNDS * MANY), "commits/sync", 0.10);
    line("server_cpu_us_per_sync", cpu * 1e6 / (ROUNDS * MANY), "us", 0);
    for (size_t i = 0; i < MANY; i++)
        prepared_free(&p[i]);
    arena_fini(&a);
}

/* --- a store ---------------------------------------------------------------------------------- */

static struct ocop_store *store_new(struct world *w, const char *name, const struct id *scope,
                                    size_t count)
{
    struct ocop_options options = {.link = &w->link};
    struct ocop_store *s;
    struct arena a;
    arena_init(&a, MIB(1));
    MUST(ocop_open(at(name), &options, &s, &err));
    MUST(ocop_enrol(s, world_invite(w, scope, count, &a), NULL, &err));
    arena_fini(&a);
    return s;
}

static void measure_pull(struct world *w)
{
    static const char *const kinds[] = {"producer", "product", "inspection"};
    struct ocop_sync_summary sum;
    struct ocop_store *s = store_new(w, "pull.ocop", w->units, DEVICES);
    char unit[96];
    size_t rows = 0;
    double start = wall(), took, plain = 0;
    MUST(ocop_sync(s, NULL, &sum, &err));
    took = wall() - start;
    MUST_BE(sum.complete);
    ocop_close(s);
    sqlite3 *db = plain_open("plain-pull.db", MIGRATE_STORE);
    for (size_t i = 0; i < 3; i++) {
        struct table t = table_read(at("pull.ocop"), kinds[i], true);
        plain += table_insert(db, &t, 0, t.rows, sum.pulled / sum.round_trips);
        rows += t.rows;
        table_free(&t);
    }
    (void)sqlite3_close(db);
    (void)snprintf(unit, sizeof unit, "of plain inserts, %zu records, server's time included",
                   rows);
    line("pull_ratio", plain / took * sum.pulled / (double)rows, unit, -0.5);
    line("pull_records_per_s", sum.pulled / took, "records/s", 0);
    line("pull_bytes", (double)sum.bytes_received / sum.pulled, "bytes/record", 0);
}

/* Seconds of the save alone. */
static double submit_inspection(struct world *w, struct ocop_store *s, struct area *area,
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
    double start = wall();
    MUST(ocop_submit(s, &record.base, &err));
    double took = wall() - start;
    ocop_free(m);
    arena_fini(&a);
    return took;
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

static void measure_day(struct world *w)
{
    struct ocop_sync_summary sum;
    struct ocop_options options = {.link = &w->link};
    struct ocop_store *s = store_new(w, "day.ocop", &w->units[0], 1);
    struct area area = {18500000, 105000000, env_now_ms(w->r->env) - 86400000};
    size_t inspections = 0, samples = 0;
    MUST(ocop_sync(s, NULL, &sum, &err));
    ocop_close(s);
    for (size_t opening = 1; opening <= 15; opening++) {
        MUST(ocop_open(at("day.ocop"), &options, &s, &err));
        for (; inspections < 40 * opening / 15; inspections++)
            (void)submit_inspection(w, s, &area, 20, true);
        for (; samples < 10 * opening / 15; samples++)
            submit_sample(w, s, &area);
        ocop_close(s);
    }
    MUST(ocop_open(at("day.ocop"), &options, &s, &err));
    MUST(ocop_sync(s, NULL, &sum, &err));
    MUST_BE(sum.complete && sum.pushed == 50 && sum.refused == 0);
    line("day_round_trips", sum.round_trips, "round trips", 1);
    line("day_bytes", (double)(sum.bytes_sent + sum.bytes_received), "bytes, 50 records", 6144);
    line("day_bytes_sent", (double)sum.bytes_sent, "bytes", 0);
    MUST(ocop_sync(s, NULL, &sum, &err));
    line("idle_bytes", (double)(sum.bytes_sent + sum.bytes_received) + 16 + 2 * 12,
         "bytes, nanomsg's 40 computed", 300);
    ocop_close(s);
}

static void measure_save(struct world *w)
{
    enum { TURNS = 4, BLOCK = 50 };
    struct ocop_sync_summary sum;
    struct stat file;
    struct ocop_store *s = store_new(w, "save.ocop", &w->units[0], 1);
    struct area area = {18500000, 105000000, env_now_ms(w->r->env) - 86400000};
    struct table t = table_read(w->path, "inspection", false);
    sqlite3 *db = plain_open("plain-save.db", MIGRATE_STORE), *other;
    double saves = 0, plain = 0;
    MUST(ocop_sync(s, NULL, &sum, &err));
    (void)submit_inspection(w, s, &area, 8, false); /* code lists are read once */
    for (size_t i = 0; i < TURNS; i++) {
        plain += table_insert(db, &t, i * BLOCK, (i + 1) * BLOCK, 1);
        for (size_t k = 0; k < BLOCK; k++)
            saves += submit_inspection(w, s, &area, 8, false);
    }
    line("save_ratio", saves / plain, "of a plain insert, 200 saves", 1.5);
    line("save_us", saves * 1e6 / (TURNS * BLOCK), "us/save", 0);
    MUST(db_open(at("save.ocop"), false, false, NULL, &other, &err));
    sqlite3_stmt *truncate = prepare(other, "PRAGMA wal_checkpoint(TRUNCATE)");
    (void)sqlite3_step(truncate);
    (void)sqlite3_finalize(truncate);
    (void)sqlite3_close(other);
    for (size_t k = 0; k < 20; k++)
        (void)submit_inspection(w, s, &area, 8, false);
    MUST_BE(stat(at("save.ocop-wal"), &file) == 0);
    line("save_wal_bytes", (double)file.st_size / 20, "bytes/save", 0);
    ocop_close(s);
    (void)sqlite3_close(db);
    table_free(&t);
}

/* --- a large registry, and processes of their own --------------------------------------------- */

static long status_kib(const char *key)
{
    char row[160];
    long kib = -1;
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(row, sizeof row, f))
        if (strncmp(row, key, strlen(key)) == 0)
            kib = strtol(row + strlen(key) + 1, NULL, 10);
    if (f)
        (void)fclose(f);
    MUST_BE(kib >= 0);
    return kib;
}

static void put_frame(FILE *f, struct span s)
{
    uint32_t len = (uint32_t)s.len;
    MUST_BE(fwrite(&len, sizeof len, 1, f) == 1 && fwrite(s.p, 1, s.len, f) == s.len);
    MUST_BE(fflush(f) == 0);
}

static bool get_frame(FILE *f, struct buf *out)
{
    uint32_t len;
    buf_clear(out);
    if (fread(&len, sizeof len, 1, f) != 1)
        return false;
    MUST_BE(buf_reserve(out, len));
    out->len = len;
    return fread(out->p, 1, len, f) == len;
}

/* The server as a process: frames in, replies out; an empty frame asks for its memory. */
static int serve(const char *path)
{
    struct registry *r;
    struct server_keys keys;
    struct buf in;
    char text[160];
    kinds_init();
    buf_init(&in, FRAME_BYTES_MAX);
    (void)snprintf(text, sizeof text, "%s.keys", path);
    MUST(keys_load(text, &keys, &err));
    MUST(registry_open(path, false, env_system(), NULL, &r, &err));
    while (get_frame(stdin, &in)) {
        struct job job = {.frame = buf_span(&in)};
        if (in.len > 0) {
            exchange_batch(r, &keys, &job, 1);
            put_frame(stdout, buf_span(&job.reply));
            buf_fini(&job.reply);
            continue;
        }
        int cache = 0, high = 0;
        (void)sqlite3_db_status(r->db, SQLITE_DBSTATUS_CACHE_USED, &cache, &high, 0);
        (void)snprintf(text, sizeof text, "%ld", status_kib("VmHWM") - cache / 1024);
        put_frame(stdout, span_str(text));
    }
    registry_close(r);
    buf_fini(&in);
    return 0;
}

struct far {
    struct link link; /* first */
    FILE *to, *from;
};

static enum ocop_status far_connect(struct link *l, int timeout_ms, const atomic_bool *cancel,
                                    struct ocop_error *err)
{
    (void)l, (void)timeout_ms, (void)cancel, (void)err;
    return OCOP_OK;
}

static enum ocop_status far_exchange(struct link *l, struct span request, int timeout_ms,
                                     const atomic_bool *cancel, struct buf *reply,
                                     struct ocop_error *err)
{
    struct far *f = (struct far *)l;
    (void)timeout_ms, (void)cancel;
    put_frame(f->to, request);
    return get_frame(f->from, reply) ? OCOP_OK : err_set(err, OCOP_ENET, "the server has ended");
}

static void far_close(struct link *l)
{
    (void)l;
}

static void far_open(struct far *f, const char *path)
{
    int to[2], from[2];
    f->link = (struct link){far_connect, far_exchange, far_close};
    MUST_BE(pipe(to) == 0 && pipe(from) == 0);
    pid_t child = fork();
    MUST_BE(child >= 0);
    if (child == 0) {
        (void)dup2(to[0], 0);
        (void)dup2(from[1], 1);
        (void)close(to[1]);
        (void)close(from[0]);
        (void)execl("/proc/self/exe", "bench_all", "--serve", path, (char *)NULL);
        _exit(1);
    }
    (void)close(to[0]);
    (void)close(from[1]);
    f->to = fdopen(to[1], "w");
    f->from = fdopen(from[0], "r");
    MUST_BE(f->to && f->from);
}

static void grow(struct world *w, size_t from, size_t to)
{
    struct arena a;
    arena_init(&a, MIB(64));
    for (size_t i = from; i < to; i++) {
        struct device d;
        struct prepared p = {0};
        device_enrol(w, &d, &w->units[i]);
        struct changes c = device_record(w, &d, PER_DEVICE, &a);
        prepare_sets(w, &d, &c, &a, &p);
        (void)answer_all(w, &p);
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
    prepare_sets(w, &maker, &c, &a, &p);
    (void)answer_all(w, &p);
    device_frame(w, &puller, NULL, &frame);
    for (size_t i = 0; i < TIMES; i++) {
        struct job job;
        double start = wall();
        world_answer(w, buf_span(&frame), &job);
        took[i] = wall() - start;
        MUST_BE(job.records >= 10); /* and stubs of the products they refer to */
    }
    qsort(took, TIMES, sizeof *took, cmp_double);
    buf_fini(&frame);
    prepared_free(&p);
    arena_fini(&a);
    return took[TIMES / 2];
}

static void measure_memory(struct world *w)
{
    struct far far;
    struct ocop_sync_summary sum;
    struct ocop_options options = {.link = &far.link};
    struct ocop_store *s;
    struct buf answer;
    struct arena a;
    char unit[96];
    arena_init(&a, MIB(1));
    buf_init(&answer, KIB(4));
    const char *code = world_invite(w, w->units, 64, &a);
    far_open(&far, w->path);
    (void)malloc_trim(0);
    FILE *f = fopen("/proc/self/clear_refs", "w");
    MUST_BE(f && fputs("5", f) >= 0);
    (void)fclose(f);
    long before = status_kib("VmRSS");
    MUST(ocop_open(at("memory.ocop"), &options, &s, &err));
    MUST(ocop_enrol(s, code, NULL, &err));
    double start = wall();
    MUST(ocop_sync(s, NULL, &sum, &err));
    double took = wall() - start;
    MUST_BE(sum.complete);
    long after = status_kib("VmHWM");
    ocop_close(s);
    (void)snprintf(unit, sizeof unit, "MiB, pulling %u records, page cache included", sum.pulled);
    line("client_rss_mib", (double)(after - before) / 1024, unit, 16);
    line("pull_two_processes_per_s", sum.pulled / took, "records/s, over a pipe", 0);
    put_frame(far.to, span_of("", 0));
    MUST_BE(get_frame(far.from, &answer));
    line("server_rss_mib", strtod(buf_cstr(&answer), NULL) / 1024,
         "MiB at 100,000 records, serving that pull", 64);
    (void)fclose(far.to);
    (void)fclose(far.from);
    buf_fini(&answer);
    arena_fini(&a);
}

static void measure_large(struct world *w)
{
    world_open(w, at("large.db"));
    grow(w, 0, 10);
    double small = scope_pull(w, &w->units[120]);
    grow(w, 10, 100);
    double large = scope_pull(w, &w->units[121]);
    line("pull_scope_ratio", large / small, "of 100,000 records against 10,000", 1.3);
    line("pull_scope_us", large * 1e6, "us at 100,000", 0);
    measure_memory(w);
    world_close(w);
}

static void clean(void)
{
    DIR *d = opendir(dir);
    struct dirent *e;
    while (d && (e = readdir(d)))
        (void)unlinkat(dirfd(d), e->d_name, 0);
    if (d)
        (void)closedir(d);
    (void)rmdir(dir);
}

int main(int argc, char **argv)
{
    static struct world w;
    if (argc == 3 && strcmp(argv[1], "--serve") == 0)
        return serve(argv[2]);
    (void)snprintf(dir, sizeof dir, "/var/tmp/ocop-bench-XXXXXX");
    MUST_BE(mkdtemp(dir) != NULL);
    kinds_init();
    world_open(&w, at("registry.db"));
    measure_ingest(&w);
    if (argc == 2 && strcmp(argv[1], "ingest") == 0) { /* for a profiler */
        clean();
        return 0;
    }
    measure_update(&w);
    measure_pull(&w);
    measure_many(&w);
    measure_save(&w);
    measure_day(&w);
    world_close(&w);
    measure_large(&w);
    clean();
    return 0;
}
