/* Time, memory, files and lines. Knows nothing of what is measured. */
#include "measure.h"

#include <dirent.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "migrate.h"
#include "world.h"

static char dir[64];

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

static void print_processor(void)
{
    char row[256] = "", *name = NULL;
    FILE *f = fopen("/proc/cpuinfo", "r");
    while (f && !name && fgets(row, sizeof row, f))
        if (strncmp(row, "model name", 10) == 0)
            name = strchr(row, ':');
    if (f)
        (void)fclose(f);
    printf("# %ld processors,%.*s; %ld MiB\n", sysconf(_SC_NPROCESSORS_ONLN),
           name ? (int)strcspn(name + 1, "\n") : 8, name ? name + 1 : " unknown",
           sysconf(_SC_PHYS_PAGES) / 1024 * sysconf(_SC_PAGESIZE) / 1024);
}

/* As the registry and the stores have them. */
static void print_sqlite(void)
{
    static const char *const settings[] = {"journal_mode", "synchronous",        "page_size",
                                           "cache_size",   "wal_autocheckpoint", "mmap_size"};
    sqlite3 *db;
    char sql[64];
    MUST(db_open(measure_path("settings.db"), true, false, NULL, &db, &err));
    MUST(migrate(db, MIGRATE_STORE, NULL, &err));
    printf("# SQLite %s, in %s:", sqlite3_libversion(), dir);
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        (void)snprintf(sql, sizeof sql, "PRAGMA %s", settings[i]);
        sqlite3_stmt *s = NULL;
        MUST_BE(sqlite3_prepare_v2(db, sql, -1, &s, NULL) == SQLITE_OK &&
                sqlite3_step(s) == SQLITE_ROW);
        printf(" %s=%s", settings[i], (const char *)sqlite3_column_text(s, 0));
        (void)sqlite3_finalize(s);
    }
    printf("\n");
    (void)sqlite3_close(db);
}

/* A process that outlives this one and removes the files, however this one ends: a million records
 * are not to be left behind by a Ctrl-C. */
static void clean_afterwards(void)
{
    int ends[2];
    char byte;
    MUST_BE(pipe(ends) == 0 && fcntl(ends[1], F_SETFD, FD_CLOEXEC) == 0);
    pid_t child = fork();
    MUST_BE(child >= 0);
    if (child > 0) {
        (void)close(ends[0]); /* the other end is closed by the end of this process */
        return;
    }
    (void)setsid(); /* signals of the terminal are for the other */
    (void)close(ends[1]);
    while (read(ends[0], &byte, 1) > 0)
        ;
    clean();
    _exit(0);
}

void measure_begin(void)
{
    const char *parent = getenv("BENCH_DIR");
    (void)snprintf(dir, sizeof dir, "%.40s/ocop-bench-XXXXXX", parent ? parent : "/var/tmp");
    MUST_BE(mkdtemp(dir) != NULL);
    clean_afterwards();
    print_processor();
    print_sqlite();
}

double measure_clock_s(clockid_t clock)
{
    struct timespec t;
    (void)clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

double measure_wall_s(void)
{
    return measure_clock_s(CLOCK_MONOTONIC);
}

const char *measure_path(const char *name)
{
    static char path[4][160];
    static unsigned turn;
    char *out = path[turn++ % 4];
    (void)snprintf(out, 160, "%s/%s", dir, name);
    return out;
}

void measure_line(const char *name, double value, const char *unit, double bound)
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

static int cmp_double(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

double measure_median(double *v, size_t count)
{
    qsort(v, count, sizeof *v, cmp_double);
    return (v[(count - 1) / 2] + v[count / 2]) / 2;
}

long measure_status_kib(const char *key)
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
