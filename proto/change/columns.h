/* Batches of changes, column-wise: the body of change-sets and of pages. docs/protocol.md, 4. */
#ifndef CHANGE_COLUMNS_H
#define CHANGE_COLUMNS_H

#include "change.h"
#include "sync.pb-c.h"

struct changes {
    struct change *v;
    size_t count;
};

/** Encode; the order of the changes is kept. The message lives in the arena. Deterministic: the
 *  same changes give the same bytes.
 *  @return OCOP_ELIMIT more than one batch may hold, take fewer changes; OCOP_EINVAL a change that
 *          would not come back as it is (fields out of order, a malformed element); OCOP_ENOMEM */
OCOP_MUST_USE enum ocop_status columns_encode(const struct changes *in, struct arena *a,
                                              Ocop__Sync__Columns *out, struct ocop_error *err);

/** Decode and check every count and length against bounds.h before memory is taken. What is
 *  unknown (fields, kinds, forms of elements) comes as fields with their numbers.
 *  @return OCOP_EPROTO malformed, OCOP_ELIMIT too much, OCOP_ENOMEM */
OCOP_MUST_USE enum ocop_status columns_decode(const Ocop__Sync__Columns *in, struct arena *a,
                                              struct changes *out, struct ocop_error *err);

/** Is no column in this packed message nested deeper than NESTING_MAX? `path` holds the field
 *  numbers that lead to its Columns. To be asked before protobuf-c unpacks what a stranger sent,
 *  since it recurses without a limit. False also when the message is malformed. */
bool columns_shallow(struct span packed, const uint32_t *path, size_t path_len);

/** A protobuf-c allocator that takes from an arena. */
ProtobufCAllocator arena_allocator(struct arena *a);

#endif
