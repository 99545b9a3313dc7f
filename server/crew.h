/* A few threads that help the one that answers, with work that needs no database. They know nothing
 * of requests: a task is a function and a number. */
#ifndef SERVER_CREW_H
#define SERVER_CREW_H

#include <stddef.h>

#include "err.h"

enum { CREW_THREADS_MAX = 16 };

struct crew;

/** Start `threads` of them, at most CREW_THREADS_MAX; none: *out is NULL, a crew of nobody. They
 *  block all signals. @return OCOP_ENOMEM, also when the system gives no thread */
OCOP_MUST_USE enum ocop_status crew_open(int threads, struct crew **out, struct ocop_error *err);
void crew_close(struct crew *c);

/** Have task(self, i) done for every i below `count`, in any order, and return at once. A crew of
 *  nobody does all of it now, in order. One thing at a time: begin, end, begin, end. */
void crew_begin(struct crew *c, void (*task)(void *self, size_t i), void *self, size_t count);
/** Help with what is not taken yet, and return when all is done: from here on what the tasks wrote
 *  may be read. */
void crew_end(struct crew *c);

/** Begin and end. */
void crew_do(struct crew *c, void (*task)(void *self, size_t i), void *self, size_t count);

#endif
