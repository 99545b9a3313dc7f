/* A fault injector that is only a countdown: the n-th allocation, disk operation, file call or call
 * of nanomsg fails, once or from then on. */
#ifndef TEST_FAULT_H
#define TEST_FAULT_H

#include <stdbool.h>

enum fault_kind {
    FAULT_NONE,
    FAULT_ALLOC, /* ours, SQLite's and jansson's */
    FAULT_IO,    /* a read, write, truncation, sync, opening or removal by SQLite fails */
    FAULT_FULL,  /* the disk is full: writes and truncations fail, the rest works */
    FAULT_FILE,  /* fsync, rename, link, mkdir, reads and writes of our own */
    FAULT_LINK   /* calls of nanomsg */
};
enum { FAULT_KINDS = FAULT_LINK + 1 };

/** Make the seams. Before anything opens a database. */
void fault_init(void);

/** From now on `after` operations of this kind work, and then one fails, or all do. */
void fault_arm(enum fault_kind kind, unsigned after, bool forever);

/** No more faults. Returns how many there were. */
unsigned fault_disarm(void);

#endif
