/* `make bench`: the measurements of the design's section 11, one line each. All figures are of this
 * run on this machine; the baselines too. */
#include <string.h>

#include "far.h"
#include "kinds.h"
#include "measure.h"
#include "world.h"

int main(int argc, char **argv)
{
    static struct world w;
    if (argc == 6 && strcmp(argv[1], "--serve") == 0)
        return far_serve(argv + 2);
    measure_begin();
    kinds_init();
    world_open(&w, measure_path("registry.db"));
    if (argc == 2 && strcmp(argv[1], "many") == 0) {
        measure_many(&w);
        measure_end();
        return 0;
    }
    measure_ingest(&w);
    if (argc == 2 && strcmp(argv[1], "pull") == 0) {
        measure_pull(&w);
        measure_end();
        return 0;
    }
    if (argc == 2 && strcmp(argv[1], "ingest") == 0) { /* for a profiler */
        measure_end();
        return 0;
    }
    measure_update(&w);
    measure_many(&w);
    measure_save(&w);
    measure_day(&w);
    measure_idle(&w);
    world_close(&w);
    measure_large(&w);
    measure_end();
    return 0;
}
