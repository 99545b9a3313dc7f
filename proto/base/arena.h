/* Memory of one save, exchange or request: given out piecewise, capped, freed at once. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "span.h"

struct arena_block;

struct arena {
    struct arena_block *blocks;
    size_t used; /* bytes given out */
    size_t cap;  /* bytes it may give out in all */
    bool full;   /* something was denied because of the cap ... */
    bool failed; /* ... or for want of memory */
};

void arena_init(struct arena *a, size_t cap);
void arena_fini(struct arena *a);

/** Forget all that was given out but keep one block for the next round. */
void arena_reset(struct arena *a);

/** `size` bytes, aligned for any object, not cleared; NULL when memory or the cap is exhausted. */
void *arena_alloc(struct arena *a, size_t size);

/** The same, cleared. `count * size` that overflows gives NULL. */
void *arena_calloc(struct arena *a, size_t count, size_t size);

/** Room for one more behind `count` elements of `size` bytes: an array that grows by doubling,
 * begun with NULL and 0, and always called before the next is added. NULL as above; `v` stays as it
 * is. */
void *arena_more(struct arena *a, void *v, size_t count, size_t size);

/** A copy of `len` bytes with a NUL behind it; NULL as above. */
char *arena_dup(struct arena *a, const void *p, size_t len);

/** Text as of printf; NULL as above. */
char *arena_printf(struct arena *a, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** Shrink what was given out with `old_size` bytes if it lies at the end, else do nothing.
 *  The bytes given back stay as they are until the next allocation. */
void arena_trim(struct arena *a, void *p, size_t old_size, size_t new_size);

#endif
