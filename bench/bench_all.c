/* `make bench`: the measurements of the design's section 11, one line each, with the baselines of
 * the same run. Exits 0 when all were made, whether or not a bar is met. With names of parts,
 * those alone, for a profiler. */
#include <string.h>

#include "far.h"
#include "kinds.h"
#include "measure.h"
#include "world.h"

static struct world w;

static void curve(struct world *unused)
{
    (void)unused;
    measure_curve();
}

static void large(struct world *unused)
{
    (void)unused;
    measure_large();
}

static const struct {
    const char *name;
    void (*measure)(struct world *w);
} parts[] = {
    {"insert", measure_insert},
    {"update", measure_update},
    {"ingest", measure_ingest},
    {"pull", measure_pull},
    {"many", measure_many},
    {"save", measure_save},
    {"readback", measure_readback},
    {"day", measure_day},
    {"idle", measure_idle},
    {"files", measure_files},
    {"strangers", measure_strangers},
    {"curve", curve},
    {"large", large},
};

static bool wanted(int argc, char **argv, const char *name)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], name) == 0)
            return true;
    return argc < 2;
}

int main(int argc, char **argv)
{
    size_t done = 0;
    if (argc == 6 && strcmp(argv[1], "--serve") == 0)
        return far_serve(argv + 2);
    kinds_init();
    measure_begin();
    world_open(&w, measure_path("registry.db"), UNITS);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (wanted(argc, argv, parts[i].name)) {
            parts[i].measure(&w);
            done++;
        }
    world_close(&w);
    MUST_BE(done > 0);
    return 0;
}
