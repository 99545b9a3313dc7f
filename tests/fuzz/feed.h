/* An image that comes in parts, and where what is made of it goes: what the targets of images
 * share. */
#ifndef FUZZ_FEED_H
#define FUZZ_FEED_H

#include "buf.h"
#include "err.h"

struct feed {
    struct span left;
    size_t part; /* bytes given at once */
};

static inline enum ocop_status next(void *self, struct span *part, struct ocop_error *err)
{
    struct feed *f = self;

    (void)err;
    *part = span_of(f->left.p, f->left.len < f->part ? f->left.len : f->part);
    if (part->len)
        f->left = span_of(f->left.p + part->len, f->left.len - part->len);
    return OCOP_OK;
}

static inline enum ocop_status put(void *self, struct span bytes, struct ocop_error *err)
{
    struct buf *out = self;

    buf_put(out, bytes.p, bytes.len);
    return out->failed ? err_set(err, OCOP_ELIMIT, "full") : OCOP_OK;
}

#endif
