/* The server as a process of its own, over a pipe: so that each side's memory is seen alone. */
#ifndef BENCH_FAR_H
#define BENCH_FAR_H

#include <stdio.h>

#include "link.h"

struct far {
    struct link link; /* first */
    FILE *to, *from;
};

/** Start this program again as the server of the registry in the file. */
void far_open(struct far *f, const char *path);
void far_close(struct far *f);
/** The server's largest memory so far, SQLite's page cache not counted. */
long far_memory_kib(struct far *f);
/** What the other process does: frames in, replies out, until its input ends. */
int far_serve(const char *path);

#endif
