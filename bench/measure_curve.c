/* From one client to hundreds: how many syncs a second, and how long each takes. And a small sync
 * while others upload a month's work. In a registry of its own, each device in a unit of its own.
 */
#include <pthread.h>

#include "crowd.h"
#include "far.h"
#include "measure.h"
#include "world.h"

enum {
    CLIENTS_MAX = 512,
    SYNCS_MIN = 1024, /* of a point of the curve */
    EACH_MIN = 6,     /* of a client; the first is not measured */
    SMALL_CLIENTS = 8,
    SMALL_EACH = 400,
    UPLOADERS = 16,
    MONTH = 1000,  /* inspections: one request of some 50 KiB */
    MONTHS = 4,    /* that each uploader sends */
    DAYS = 44,     /* of a device with a store; two months, so that enough is measured */
    DAYS_WORK = 40 /* inspections */
};

struct crowd {
    struct world w;
    struct device d[CLIENTS_MAX];
    struct crowd_client c[CLIENTS_MAX];
    struct prepared p[CLIENTS_MAX];
};

static void prepare(struct crowd *o, size_t i, size_t sets, size_t records)
{
    struct arena a;
    arena_init(&a, MIB(64));
    o->d[i].cursor = world_version(&o->w);
    for (size_t k = 0; k < sets; k++) {
        struct changes c = device_record(&o->w, &o->d[i], records, &a);
        prepared_add(&o->w, &o->d[i], &c, &a, &o->p[i]);
        arena_reset(&a);
    }
    o->c[i] = (struct crowd_client){.queue = o->p[i].v, .end = o->p[i].count};
}

/* --- a device with a store, as the library syncs it ----------------------------------------------
 */

struct month {
    struct ocop_store *store;
    pthread_t thread;
    atomic_bool over;
    struct ocop_sync_summary sum;
};

/* Two months' work that waits. Its link is changed for a real one when it syncs. */
static void month_record(struct crowd *o)
{
    struct ocop_sync_summary sum;
    struct area area = {18500000, 105000000, env_now_ms(o->w.r->env) - INT64_C(60) * 86400000};
    struct ocop_store *s = world_store(&o->w, "month.ocop", &o->w.units[0], 1, NULL);
    MUST(ocop_sync(s, NULL, &sum, &err));
    for (size_t i = 0; i < DAYS * DAYS_WORK; i++)
        (void)world_submit(&o->w, s, &area, 20, true);
    ocop_close(s);
}

static void *month_sync(void *self)
{
    struct month *m = self;
    MUST(ocop_sync(m->store, NULL, &m->sum, &err));
    MUST_BE(m->sum.complete && m->sum.pushed == DAYS * DAYS_WORK);
    atomic_store(&m->over, true);
    return NULL;
}

static void month_begin(struct month *m, const char *address)
{
    struct link *link;
    MUST(link_nn_open(address, &link, &err));
    struct ocop_options options = {.must_exist = true, .link = link};
    MUST(ocop_open(measure_path("month.ocop"), &options, &m->store, &err));
    MUST_BE(pthread_create(&m->thread, NULL, month_sync, m) == 0);
}

static void month_end(struct month *m)
{
    MUST_BE(pthread_join(m->thread, NULL) == 0);
    ocop_close(m->store);
}

/* --- clients with prepared requests
 * --------------------------------------------------------------- */

/* What all `count` clients have prepared, after `warm` requests of each; `m`, or NULL: beside it.
 */
static struct crowd_result run(struct crowd *o, size_t count, size_t warm, struct month *m)
{
    struct far far;
    uint64_t version = world_version(&o->w);
    size_t sets = 0;
    far_open(&far, o->w.path, BATCH_REQUESTS_MAX, BENCH_WORKERS);
    crowd_connect(o->c, count, far.port);
    for (size_t i = 0; warm && i < count; i++)
        o->c[i].end = warm;
    if (warm)
        (void)crowd_run(o->c, count, NULL);
    for (size_t i = 0; i < count; i++)
        o->c[i].end = o->p[i].count;
    if (m)
        month_begin(m, far.address);
    struct crowd_result out = crowd_run(o->c, count, m ? &m->over : NULL);
    if (m)
        month_end(m);
    crowd_close(o->c, count);
    (void)far_close(&far);
    for (size_t i = 0; i < count; i++) {
        sets += o->p[i].count;
        prepared_free(&o->p[i]);
    }
    sets += version; /* each was accepted, none turned away */
    MUST_BE(m ? world_version(&o->w) > sets : world_version(&o->w) == sets);
    return out;
}

static void line(const char *name, size_t clients, double value, const char *unit)
{
    char full[64];
    (void)snprintf(full, sizeof full, "%s_%zu", name, clients);
    measure_line(full, value, unit, 0);
}

static void curve(struct crowd *o)
{
    for (size_t clients = 1; clients <= CLIENTS_MAX; clients *= 2) {
        size_t each = SYNCS_MIN / clients > EACH_MIN ? SYNCS_MIN / clients : EACH_MIN;
        for (size_t i = 0; i < clients; i++)
            prepare(o, i, each, 1);
        struct crowd_result r = run(o, clients, 1, NULL);
        line("curve_syncs_per_s", clients, r.per_s, "syncs/s over tcp");
        line("curve_p50_us", clients, r.p50_us, "us");
        line("curve_p99_us", clients, r.p99_us, "us");
    }
}

static void show(const char *beside, const struct crowd_result *r)
{
    const struct {
        const char *name, *unit;
        double value;
    } rows[] = {{"p50_us", "us, of 8 clients", r->p50_us},
                {"p99_us", "us", r->p99_us},
                {"max_us", "us", r->max_us},
                {"count", "syncs measured", (double)r->count}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char name[64];
        (void)snprintf(name, sizeof name, "small_%s_%s", beside, rows[i].name);
        measure_line(name, rows[i].value, rows[i].unit, 0);
    }
}

/* Small syncs beside what others upload, measured as long as that goes on. */
static struct crowd_result beside(struct crowd *o, size_t uploaders, struct month *m)
{
    for (size_t i = 0; i < SMALL_CLIENTS; i++)
        prepare(o, i, SMALL_EACH, 1);
    for (size_t i = SMALL_CLIENTS; i < SMALL_CLIENTS + uploaders; i++) {
        prepare(o, i, MONTHS, MONTH);
        o->c[i].background = true;
    }
    return run(o, SMALL_CLIENTS + uploaders, 0, m);
}

void measure_curve(void)
{
    static struct crowd o;
    struct month m = {.over = false};
    struct crowd_result r;
    world_open(&o.w, measure_path("curve.db"), CLIENTS_MAX + 1);
    for (size_t i = 0; i < CLIENTS_MAX; i++)
        device_enrol(&o.w, &o.d[i], &o.w.units[i + 1]);
    curve(&o);
    r = beside(&o, 0, NULL);
    show("alone", &r);
    month_record(&o);
    r = beside(&o, 0, &m);
    show("beside_a_month", &r);
    r = beside(&o, UPLOADERS, NULL);
    show("beside_16_months", &r);
    world_close(&o.w);
}
