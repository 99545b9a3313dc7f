/* What a device receives: the records of its scope since its cursor, by state. */
#ifndef SERVER_FEED_H
#define SERVER_FEED_H

#include "registry.h"
#include "sync.pb-c.h"

/* What turns the id of a province into the anchor of its units, the version nibble 8 into 9; and
 * that of a record into the anchor of it alone, 8 into 10. */
enum { SCOPE_MARK = 0x10, SCOPE_RECORD = 0x20 };

/** Is this the anchor of a province's units rather than a unit? */
bool scope_is_mark(const struct id *anchor);

/** Is it that of a single record? */
bool scope_is_record(const struct id *anchor);

/** From a record to its anchor, and back. */
static inline struct id scope_record(struct id id)
{
    id.b[6] ^= SCOPE_RECORD;
    return id;
}

/** Bring the derived scope tables up to date after a set at `version` touched units or replicas.
 *  Called by apply_set at its end when needed. Rewrites anchors of units whose province changed,
 *  and scope rows (replica, anchor, since) of every device; writes scope_left rows. */
OCOP_MUST_USE enum ocop_status scope_update(struct registry *r, uint64_t version, struct arena *a,
                                            struct ocop_error *err);

/** The anchor by which a record is fed: its unit; one of its own for reference data that goes to
 * all; the province (marked) for units. */
OCOP_MUST_USE enum ocop_status scope_anchor(struct registry *r, uint32_t kind,
                                            const struct fields *record, struct id *out,
                                            struct ocop_error *err);

/** Is `unit` in the scope of the replica now? */
OCOP_MUST_USE enum ocop_status scope_has(struct registry *r, const struct id *replica,
                                         const struct id *unit, bool *out, struct ocop_error *err);

/** Is this record assigned to the replica by itself? */
OCOP_MUST_USE enum ocop_status scope_has_record(struct registry *r, const struct id *replica,
                                                const struct id *record, bool *out,
                                                struct ocop_error *err);

/** Were the pages up to this cursor made for who may read more or less? Then what the device holds
 *  is not what it may hold, and all is to be read again. */
bool feed_read_otherwise(const Ocop__Sync__Cursor *in, unsigned reading);

/** Fill records, versions, cases, departures, cursor and more of the reply: one page of what who
 *  reads so much (enum reading of rights.h) may see. `in` may be NULL (nothing seen yet). Read in
 * the same transaction as the outcomes. Records whose only news are the replica's own applied
 * changes are left out. */
OCOP_MUST_USE enum ocop_status feed_page(struct registry *r, const struct id *replica,
                                         unsigned reading, const Ocop__Sync__Cursor *in,
                                         size_t page_bytes, struct arena *a,
                                         Ocop__Sync__SyncReply *reply, struct ocop_error *err);

/** Finalize the feed's statements. */
void feed_close(struct registry *r);

/** Append what a device must know of these cases to the reply. *room: bytes that their values may
 *  still take; notes that find none are brief, without values. */
OCOP_MUST_USE enum ocop_status feed_case_notes(struct registry *r, const ProtobufCBinaryData *ids,
                                               size_t count, unsigned reading, struct arena *a,
                                               Ocop__Sync__SyncReply *reply, size_t *room,
                                               struct ocop_error *err);

/** A copy in the arena; length 0 when memory is out. */
ProtobufCBinaryData feed_blob(struct arena *a, const void *p, size_t len);

/** Room for `more` pointers behind the `count` of an array that grows by doubling; NULL when memory
 *  is out. */
void *feed_grown(struct arena *a, void *v, size_t count, size_t more);

#endif
