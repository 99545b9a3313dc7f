/* `make CIPHER=1 bench`: what encryption costs a device, in processor time of the device's own
 * part, encrypted stores and plain ones by turns, with the same SQLite below them. */
#include <string.h>
#include <sys/stat.h>

#include "keyed.h"
#include "kinds.h"
#include "measure.h"
#include "world.h"

enum { TURNS = 5, SAVES = 100, OPENINGS = 50, PASSPHRASES = 5 };

static struct world w;
static struct link registry; /* the world's own */
static double registry_s;    /* what it took of the time that is measured */

static double cpu_s(void)
{
    return measure_clock_s(CLOCK_THREAD_CPUTIME_ID);
}

static enum ocop_status exchange(struct link *l, struct span request, int timeout_ms,
                                 const atomic_bool *cancel, struct buf *reply,
                                 struct ocop_error *err)
{
    double start = cpu_s();
    enum ocop_status st = registry.exchange(l, request, timeout_ms, cancel, reply, err);

    registry_s += cpu_s() - start;
    return st;
}

static double pull(struct ocop_store *s)
{
    struct ocop_sync_summary sum;
    double start = cpu_s();

    registry_s = 0;
    MUST(ocop_sync(s, NULL, &sum, &err));
    MUST_BE(sum.complete && sum.pulled > PRODUCTS);
    return cpu_s() - start - registry_s;
}

static double save(struct ocop_store *s)
{
    struct area area = {18500000, 105000000, env_now_ms(w.r->env) - 86400000};
    double took = 0;

    for (size_t i = 0; i < SAVES; i++) {
        ProtobufCMessage *m;
        struct arena a;
        arena_init(&a, MIB(1));
        MUST(ocop_new(s, "inspection", &m, &err));
        Ocop__Inspection record = *(Ocop__Inspection *)m;
        workload_inspection(&w.work, &area, 8, &a, &record);
        record.inspected_date = ((Ocop__Inspection *)m)->inspected_date;
        record.has_unit_id = 1;
        record.unit_id = (ProtobufCBinaryData){ID_LEN, w.units[0].b};
        double start = cpu_s();
        MUST(ocop_submit(s, &record.base, &err));
        took += cpu_s() - start;
        ocop_free(m);
        arena_fini(&a);
    }
    return took / SAVES;
}

static double open_times(const char *path, const void *key, size_t key_len, size_t times)
{
    struct ocop_options o = {.must_exist = true, .link = &w.link, .key = key, .key_len = key_len};
    double start = cpu_s();

    for (size_t i = 0; i < times; i++) {
        struct ocop_store *s;
        MUST(ocop_open(path, &o, &s, &err));
        ocop_close(s);
    }
    return (cpu_s() - start) / (double)times;
}

static double rekey(struct ocop_store *s)
{
    static const char phrase[] = "một câu mà không ai khác biết";
    double start = cpu_s();

    MUST(ocop_rekey(s, phrase, strlen(phrase), &err));
    double took = cpu_s() - start;
    ocop_close(s);
    double opened = open_times(measure_path("1-0.ocop"), phrase, strlen(phrase), PASSPHRASES);
    measure_line("cipher_passphrase_open_us", opened * 1e6, "us, Argon2id with 64 MiB", 0);
    return took;
}

static void line(const char *name, double plain[TURNS], double encrypted[TURNS], const char *unit)
{
    double ratio[TURNS];
    char full[64];

    for (size_t i = 0; i < TURNS; i++)
        ratio[i] = encrypted[i] / plain[i];
    (void)snprintf(full, sizeof full, "cipher_%s_ratio", name);
    measure_line(full, measure_median(ratio, TURNS), "of a plain store, processor time", 0);
    (void)snprintf(full, sizeof full, "cipher_%s_us", name);
    measure_line(full, measure_median(encrypted, TURNS) * 1e6, unit, 0);
}

int main(void)
{
    double pulled[2][TURNS], saved[2][TURNS], opened[2][TURNS];
    struct stat size[2];
    struct ocop_store *last = NULL;

    kinds_init();
    measure_begin();
    world_open(&w, measure_path("registry.db"), UNITS);
    registry = w.link;
    w.link.exchange = exchange;
    for (size_t i = 0; i < TURNS; i++)
        for (int keyed = 0; keyed <= 1; keyed++) {
            char name[32];
            keyed_off(!keyed);
            (void)snprintf(name, sizeof name, "%d-%zu.ocop", keyed, i);
            struct ocop_store *s = world_store(&w, name, &w.province, 1, NULL);
            pulled[keyed][i] = pull(s);
            saved[keyed][i] = save(s);
            ocop_close(s);
            MUST_BE(stat(measure_path(name), &size[keyed]) == 0);
            opened[keyed][i] = open_times(measure_path(name), NULL, 0, OPENINGS);
        }
    line("pull", pulled[0], pulled[1], "us for 5,652 records, without the registry's part");
    line("save", saved[0], saved[1], "us of the processor for a save");
    line("open", opened[0], opened[1], "us of the processor to open and close");
    measure_line("cipher_file_ratio", (double)size[1].st_size / (double)size[0].st_size,
                 "of a plain file", 0);
    MUST(ocop_open(measure_path("1-0.ocop"), NULL, &last, &err));
    measure_line("cipher_rekey_us", rekey(last) * 1e6, "us of the processor to change its key", 0);
    world_close(&w);
    return 0;
}
