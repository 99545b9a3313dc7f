/* Columns in few bytes: the message Columns under a range coder instead of protobuf and zlib. For
 * small batches, where a byte on the line is worth more than the time. docs/protocol.md, 4.6. */
#ifndef CHANGE_TIGHT_H
#define CHANGE_TIGHT_H

#include "columns.h"

/** Write; the bytes live in the arena. Deterministic.
 *  @return OCOP_ELIMIT when the columns have more than TIGHT_ITEMS_MAX numbers and bytes: they are
 *          to be sent plain; OCOP_ENOMEM */
OCOP_MUST_USE enum ocop_status tight_write(const Ocop__Sync__Columns *in, struct arena *a,
                                           struct span *out, struct ocop_error *err);

/** Read what a stranger wrote, into a message that columns_decode has yet to check.
 *  @return OCOP_EPROTO malformed, OCOP_ELIMIT too much, OCOP_ENOMEM */
OCOP_MUST_USE enum ocop_status tight_read(struct span in, struct arena *a,
                                          Ocop__Sync__Columns **out, struct ocop_error *err);

#endif
