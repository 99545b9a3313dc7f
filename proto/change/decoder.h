/* What the files of the decoding half of the columnar codec share (docs/protocol.md, 4). */
#ifndef CHANGE_DECODER_H
#define CHANGE_DECODER_H

#include "column.h"

struct last_id {
    uint32_t counter, stamp;
};

/* The changes of one kind. */
struct rows {
    struct change **v;
    size_t count;
};

struct decoder {
    struct arena *a;
    struct ocop_error *err;
    struct span prefixes;
    size_t prefix_count;
    struct last_id *last; /* per prefix, if it bears the column's stamp */
    uint32_t stamp;
    size_t cells, built; /* so far, against SET_CELLS_MAX and twice SET_VALUE_BYTES_MAX */
    size_t *bytes;       /* per change */
    size_t bytes_total;
    struct cell *scratch; /* one cell per change */
};

static inline enum ocop_status bad(struct decoder *d, const char *what)
{
    return err_set(d->err, OCOP_EPROTO, "the columns are malformed: %s", what);
}

static inline enum ocop_status too_much(struct decoder *d, const char *what)
{
    return err_set(d->err, OCOP_ELIMIT, "one batch holds too much: %s; send less at once", what);
}

static inline enum ocop_status take(struct decoder *d, size_t count, size_t size, void **out)
{
    *out = arena_alloc(d->a, count * size);
    return *out ? OCOP_OK : err_nomem(d->err);
}

static inline enum ocop_status charge(struct decoder *d, size_t cells)
{
    d->cells += cells;
    return d->cells > SET_CELLS_MAX ? too_much(d, "cells of columns") : OCOP_OK;
}

/* Room for values that are put together here rather than borrowed. */
static inline enum ocop_status build(struct decoder *d, size_t len, uint8_t **out)
{
    d->built += len;
    if (d->built > 2 * SET_VALUE_BYTES_MAX)
        return too_much(d, "bytes of values");
    return take(d, len, 1, (void **)out);
}

static inline struct span cell_span(const struct cell *c)
{
    return span_of(c->v.p, c->len);
}

/** How many of `n` cells have a value. */
OCOP_MUST_USE enum ocop_status
values_decode_presence(struct decoder *d, const Ocop__Sync__Column *c, size_t n, size_t *set);

/** Move the `set` values that stand first to their places among `n`, in place. */
void values_decode_spread(const Ocop__Sync__Column *c, struct cell *cells, size_t n, size_t set);

/** Values of a column inside a column: all there. */
OCOP_MUST_USE enum ocop_status values_decode_inner(struct decoder *d, const Ocop__Sync__Column *c,
                                                   unsigned depth, size_t n, struct cell *cells,
                                                   uint8_t *type);

/** One column of single values. `changes` (may be NULL) have the times for COLUMN_SINCE. */
OCOP_MUST_USE enum ocop_status values_decode(struct decoder *d, const Ocop__Sync__Column *c,
                                             unsigned depth, struct change *const *changes,
                                             size_t n, struct cell *cells, uint8_t *type);

/** Keys that were made with their record: `list` tells how many the rows have of their own. */
OCOP_MUST_USE enum ocop_status values_decode_near(struct decoder *d, const Ocop__Sync__Column *list,
                                                  const struct rows *rows, size_t n,
                                                  struct cell *keys);

#endif
