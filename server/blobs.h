/* The contents of attachments at the centre: chunks that come and go, who must prove to have what
 * is there already, who may have what. docs/protocol.md, section 15. */
#ifndef SERVER_BLOBS_H
#define SERVER_BLOBS_H

#include "keys.h"
#include "registry.h"
#include "sync.pb-c.h"

/** May a request of this kind write to the database? */
bool blobs_writes(const Ocop__Sync__FilesRequest *in);

/** Answer one request. Inside a transaction that writes if blobs_writes says so; what is committed
 *  with it is who has brought what. Chunks are written at once: they are none of the database's,
 * and to write them twice does no harm.
 *  @param sender the channel key of who asks
 *  @return OCOP_ENOTENROLLED, OCOP_EREVOKED, OCOP_ESUSPENDED, OCOP_EAUTH, OCOP_EPROTO, OCOP_ELIMIT,
 *          or of ours: OCOP_EDB, OCOP_EIO, OCOP_ENOMEM */
OCOP_MUST_USE enum ocop_status blobs_answer(struct registry *r, const struct server_keys *keys,
                                            const uint8_t *sender,
                                            const Ocop__Sync__FilesRequest *in, struct arena *a,
                                            Ocop__Sync__FilesReply **out, struct ocop_error *err);

/** What was here whole and is not any more. Inside a transaction that writes. */
OCOP_MUST_USE enum ocop_status blobs_lack(struct registry *r, const uint8_t hash[FILE_HASH_LEN],
                                          struct ocop_error *err);
OCOP_MUST_USE enum ocop_status
blobs_lack_no_more(struct registry *r, const uint8_t hash[FILE_HASH_LEN], struct ocop_error *err);
/** Its content was removed for good: nobody has brought it, and it is not lacking. Who attaches it
 *  anew brings it anew. Inside a transaction that writes. */
OCOP_MUST_USE enum ocop_status blobs_forget(struct registry *r, const uint8_t hash[FILE_HASH_LEN],
                                            struct ocop_error *err);
/** Has anybody brought it, and it was not removed since? */
OCOP_MUST_USE enum ocop_status blobs_was_here(struct registry *r, const uint8_t hash[FILE_HASH_LEN],
                                              bool *out, struct ocop_error *err);

/** Of what is lacking, that which this device may send: put into the reply to its sync. Inside a
 *  transaction. */
OCOP_MUST_USE enum ocop_status blobs_wanted(struct registry *r, const struct id *replica,
                                            const struct replica_info *info, unsigned reading,
                                            struct arena *a, Ocop__Sync__SyncReply *reply,
                                            struct ocop_error *err);

#endif
