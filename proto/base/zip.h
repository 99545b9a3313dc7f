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

/** Follows compressed data to their end, in any pieces, and keeps nothing of what they hold. */
struct zip_follow;
OCOP_MUST_USE enum ocop_status zip_follow_begin(struct zip_follow **out, struct ocop_error *err);
/** @param used   bytes of `in` that are of it: fewer than there are when it ends among them
 *  @param made   what it holds, up to here
 *  @return OCOP_EPROTO it is damaged, OCOP_ENOMEM */
OCOP_MUST_USE enum ocop_status zip_follow(struct zip_follow *f, struct span in, size_t *used,
                                          uint64_t *made, bool *ended, struct ocop_error *err);
/** NULL is allowed. */
void zip_follow_end(struct zip_follow *f);

/** The checksum that zlib, and a PNG, go by: of what came before, 0 at first, and these bytes. */
uint32_t zip_crc(uint32_t before, struct span bytes);

#endif
