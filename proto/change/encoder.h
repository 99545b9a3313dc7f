/* What the files of the encoding half of the columnar codec share (docs/protocol.md, 4). */
#ifndef CHANGE_ENCODER_H
#define CHANGE_ENCODER_H

#include "column.h"

struct encoder {
    struct arena *a;
    struct ocop_error *err;
    enum ocop_status status; /* of the first failure */
    uint8_t *prefixes;
    size_t prefix_count, prefix_room, prefix_last;
    uint32_t *slots; /* hash table of prefixes: index + 1 */
    size_t slot_count;
    uint32_t *last_counter; /* per prefix, within one column ... */
    uint32_t *last_stamp;   /* ... if it bears this column's stamp */
    uint32_t stamp;
    size_t cells;
};

/* A failure is kept, not returned: every step after it does nothing. */
static inline bool fail(struct encoder *e, enum ocop_status status, const char *what)
{
    if (e->status == OCOP_OK)
        e->status = status == OCOP_ENOMEM ? err_nomem(e->err) : err_set(e->err, status, "%s", what);
    return false;
}

static inline bool failed(const struct encoder *e)
{
    return e->status != OCOP_OK;
}

/* Not cleared. */
static inline void *take(struct encoder *e, size_t count, size_t size)
{
    void *p = failed(e) || count > SIZE_MAX / size ? NULL : arena_alloc(e->a, count * size);
    if (!p)
        fail(e, OCOP_ENOMEM, NULL);
    ANALYSER_KNOWS(p); /* or that it failed, which is asked before use */
    return p;
}

static inline void *take_clear(struct encoder *e, size_t count, size_t size)
{
    void *p = take(e, count, size);
    if (p)
        memset(p, 0, count * size);
    return p;
}

/* Cells of a new column, all absent. */
static inline struct cell *cells_new(struct encoder *e, size_t count)
{
    e->cells += count;
    if (e->cells > SET_CELLS_MAX)
        fail(e, OCOP_ELIMIT, "the changes have too many different fields for one batch");
    return take_clear(e, count, sizeof(struct cell));
}

static inline Ocop__Sync__Column *column_new(struct encoder *e, uint32_t number)
{
    Ocop__Sync__Column *c = take(e, 1, sizeof *c);
    if (!c)
        return NULL;
    ocop__sync__column__init(c);
    c->has_number = number != 0;
    c->number = number;
    c->has_form = 1;
    return c;
}

static inline struct span cell_span(const struct cell *c)
{
    return span_of(c->v.p, c->len);
}

static inline struct cell cell_bytes(uint8_t state, struct span s)
{
    return (struct cell){.v.p = s.p, .len = (uint32_t)s.len, .state = state};
}

static inline struct cell cell_int(uint8_t state, int64_t i)
{
    return (struct cell){.v.i = i, .state = state};
}

/** One value of each cell that is set, in the form that looks smallest after deflate. `times` (may
 *  be NULL): of the changes that the cells are of. NULL after a failure. */
Ocop__Sync__Column *values_put(struct encoder *e, const struct cell *cells, const int64_t *times,
                               size_t n, uint32_t number, bool is_int);

/** `runs` of the column; none when every cell is set. */
void values_presence(struct encoder *e, const struct cell *cells, size_t n, Ocop__Sync__Column *c);

/** Keys of elements, `n` of them, each beside the id of its record; NULL when they were not all
 * made with it, or after a failure. */
Ocop__Sync__Column *values_near(struct encoder *e, const struct cell *keys,
                                const struct id *const *records, size_t n);

#endif
