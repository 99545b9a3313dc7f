/* The server as a process of its own, on loopback and real sockets: `serve` as ocopd calls it. */
#ifndef BENCH_FAR_H
#define BENCH_FAR_H

#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

enum { BENCH_WORKERS = 1 }; /* as ocopd chooses on a machine with two processors */

struct far {
    pid_t pid;
    FILE *report;
    int port; /* of 127.0.0.1 */
    char address[64];
};

/** What the process did and took, from when it listened to its end. */
struct far_report {
    uint64_t commits;
    double cpu_s;
    long rss_kib; /* at most; SQLite's page cache not counted */
};

/** Start this program again as the server of the registry in the file; wait until it listens.
 *  `batch` and `workers` as in serve.h. */
void far_open(struct far *f, const char *path, int batch, int workers);
/** Tell it to stop, and wait until it has. */
struct far_report far_close(struct far *f);

/** What the other process does; argv as far_open gave it. */
int far_serve(char **argv);

#endif
