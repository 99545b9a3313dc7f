/* A fault injector that is only a countdown: the n-th allocation, disk operation, file call or call
 * of nanomsg fails, once or from then on. */
#ifndef TEST_FAULT_H
#define TEST_FAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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

/** From now until it is disarmed none fails, and of each the stack is noted; the caller's to free.
 */
void fault_listen(enum fault_kind kind);
uint64_t *fault_heard(size_t *count);

/** See plan.c. */
struct plan {
    bool *skips; /* NULL: none */
    size_t count;
};
struct plan plan_of(const uint64_t *stacks, size_t count);
/** The first round from this one on that is not skipped. */
unsigned plan_next(const struct plan *p, unsigned round);
void plan_fini(struct plan *p);

#endif
