/* zlib, and its only owner. */
#ifndef BASE_ZIP_H
#define BASE_ZIP_H

#include "arena.h"
#include "buf.h"
#include "err.h"

/** Append zlib of `in` to out. @return OCOP_ENOMEM, OCOP_ELIMIT (out's cap) */
OCOP_MUST_USE enum ocop_status zip_deflate(struct span in, int level, struct buf *out,
                                           struct ocop_error *err);

/** Inflate into the arena; never more than `cap` bytes are produced.
 *  @return OCOP_EPROTO damaged or trailing bytes, OCOP_ELIMIT beyond cap, OCOP_ENOMEM */
OCOP_MUST_USE enum ocop_status zip_inflate(struct span in, size_t cap, struct arena *a,
                                           struct span *out, struct ocop_error *err);

#endif
