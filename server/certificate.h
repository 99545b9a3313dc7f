/* Certificates: what the registry signs of a device, so that one restored from an older backup can
 * know it again. */
#ifndef SERVER_CERTIFICATE_H
#define SERVER_CERTIFICATE_H

#include "ingest.h"
#include "keys.h"
#include "sync.pb-c.h"

/** The version of what a certificate of this replica says: of its record and its officer's. */
OCOP_MUST_USE enum ocop_status certificate_version(struct registry *r,
                                                   const struct replica_info *info, uint64_t *out,
                                                   struct ocop_error *err);

/** Is a certificate with this last day (since 1970; 0: without an end) to be made anew? */
bool certificate_stale(const struct registry *r, uint32_t last_day);

/** A certificate of a replica as it stands now, in the arena. */
OCOP_MUST_USE enum ocop_status certificate_make(struct registry *r, const struct server_keys *keys,
                                                const struct id *replica, struct arena *a,
                                                Ocop__Sync__Sealed **out, struct ocop_error *err);

/** Read one that somebody shows.
 *  @return OCOP_EPROTO it cannot be read; OCOP_EAUTH not signed by this registry */
OCOP_MUST_USE enum ocop_status certificate_read(const struct server_keys *keys,
                                                const Ocop__Sync__Sealed *shown, struct arena *a,
                                                Ocop__Sync__Certificate **out,
                                                struct ocop_error *err);

#endif
