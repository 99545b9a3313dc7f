/* From one client to hundreds: how many syncs a second, and how long each takes. And a small sync
 * while others upload a month's work. In a registry of its own, each device in a unit of its own.
 */
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
    MONTH = 1000, /* inspections: one request of some 50 KiB */
    MONTHS = 4    /* that each uploader sends */
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

/* What all `count` clients have prepared, after `warm` requests of each. */
static struct crowd_result run(struct crowd *o, size_t count, size_t warm)
{
    struct far far;
    uint64_t version = world_version(&o->w);
    size_t sets = 0;
    far_open(&far, o->w.path, BATCH_REQUESTS_MAX, BENCH_WORKERS);
    crowd_connect(o->c, count, far.port);
    for (size_t i = 0; warm && i < count; i++)
        o->c[i].end = warm;
    if (warm)
        (void)crowd_run(o->c, count);
    for (size_t i = 0; i < count; i++)
        o->c[i].end = o->p[i].count;
    struct crowd_result out = crowd_run(o->c, count);
    crowd_close(o->c, count);
    (void)far_close(&far);
    for (size_t i = 0; i < count; i++) {
        sets += o->p[i].count;
        prepared_free(&o->p[i]);
    }
    MUST_BE(world_version(&o->w) == version + sets); /* each was accepted, none turned away */
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
        struct crowd_result r = run(o, clients, 1);
        line("curve_syncs_per_s", clients, r.per_s, "syncs/s over tcp");
        line("curve_p50_us", clients, r.p50_us, "us");
        line("curve_p99_us", clients, r.p99_us, "us");
    }
}

/* Small syncs beside so many uploads, measured as long as these go on. */
static void beside(struct crowd *o, size_t uploaders)
{
    for (size_t i = 0; i < SMALL_CLIENTS; i++)
        prepare(o, i, SMALL_EACH, 1);
    for (size_t i = SMALL_CLIENTS; i < SMALL_CLIENTS + uploaders; i++) {
        prepare(o, i, MONTHS, MONTH);
        o->c[i].background = true;
    }
    struct crowd_result r = run(o, SMALL_CLIENTS + uploaders, 0);
    line("small_beside_uploads_p50_us", uploaders, r.p50_us, "us, of 8 clients");
    line("small_beside_uploads_p99_us", uploaders, r.p99_us, "us");
    line("small_beside_uploads_syncs", uploaders, (double)r.count, "measured");
}

void measure_curve(void)
{
    static struct crowd o;
    world_open(&o.w, measure_path("curve.db"), CLIENTS_MAX);
    for (size_t i = 0; i < CLIENTS_MAX; i++)
        device_enrol(&o.w, &o.d[i], &o.w.units[i]);
    curve(&o);
    beside(&o, 0);
    beside(&o, 1);
    beside(&o, UPLOADERS);
    world_close(&o.w);
}
