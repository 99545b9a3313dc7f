/* What all measurements share: time, memory, files of the run, and the one line that each prints.
 */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include <stddef.h>
#include <time.h>

/** A new directory for the files of this run, in $BENCH_DIR or /var/tmp; removed when this process
 *  ends, however that comes about. Prints what the machine is. */
void measure_begin(void);
/** The path of a file in it; good for the next three calls. */
const char *measure_path(const char *name);

/** Print one figure. bound > 0: at most; < 0: at least its opposite; 0: shown only. */
void measure_line(const char *name, double value, const char *unit, double bound);

double measure_clock_s(clockid_t clock);
double measure_wall_s(void);
/** Sorts them. */
double measure_median(double *v, size_t count);

/** A line of /proc/self/status, such as VmRSS. */
long measure_status_kib(const char *key);

/* The lines of each subject, each with its baseline. `w` holds a registry with first records. */
struct world;
void measure_insert(struct world *w);
void measure_update(struct world *w);
void measure_ingest(struct world *w);
void measure_pull(struct world *w); /* after measure_ingest: takes what that brought in */
void measure_many(struct world *w);
void measure_readback(struct world *w);
void measure_save(struct world *w);
void measure_day(struct world *w);
void measure_idle(struct world *w);
void measure_files(struct world *w);
void measure_strangers(struct world *w);
void measure_curve(void); /* in a registry of its own */
void measure_large(void); /* in registries of its own */

#endif
