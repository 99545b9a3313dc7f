/* Keys of devices that follow one another: which one holds when, how new ones are taken, and which
 * may never be taken again. */
#ifndef SERVER_REKEY_H
#define SERVER_REKEY_H

#include "ingest.h"
#include "keys.h"
#include "sync.pb-c.h"

/** The signing key that holds for a sequence of the replica; `info` is what is known of it. */
OCOP_MUST_USE enum ocop_status replica_key_at(struct registry *r, const struct id *replica,
                                              const struct replica_info *info, uint64_t seq,
                                              uint8_t out[SIGN_PUBLIC_LEN], struct ocop_error *err);

/** Take the keys that a request brings, of the replica and of all others of its device. They are
 *  its keys already: nothing is written. *from_seq: of the first set that they sign.
 *  @return OCOP_EPROTO, OCOP_EAUTH not signed by the keys before; OCOP_ENOTENROLLED; OCOP_ESTATE
 *          it may not; OCOP_ELIMIT it did so too often */
OCOP_MUST_USE enum ocop_status rekey_take(struct registry *r, const struct server_keys *keys,
                                          const Ocop__Sync__SyncRequest *in, const uint8_t *sender,
                                          struct arena *a, uint64_t *from_seq,
                                          struct ocop_error *err);

/** A certificate of this registry names other keys than its tables: a restore lost a change of
 *  them. Takes them when what is known here comes before them.
 *  @return OCOP_EAUTH what is known here came after them */
OCOP_MUST_USE enum ocop_status rekey_by_certificate(struct registry *r,
                                                    const struct server_keys *keys,
                                                    const Ocop__Sync__Certificate *c,
                                                    const struct replica_info *known,
                                                    struct arena *a, struct ocop_error *err);

/** Into the reply to an active device: whether the office asks for new keys; and, behind a change
 *  of them, the certificate of the first replica of its line. */
OCOP_MUST_USE enum ocop_status rekey_put(struct registry *r, const struct server_keys *keys,
                                         const struct id *replica, const struct replica_info *info,
                                         struct arena *a, Ocop__Sync__SyncReply *reply,
                                         struct ocop_error *err);

/** The office asks a device to change its keys. In a transaction. @return OCOP_ESTATE */
OCOP_MUST_USE enum ocop_status rekey_ask(struct registry *r, const struct server_keys *keys,
                                         const struct id *replica, const char *reason,
                                         struct ocop_error *err);

/** What stands against a replica that comes with these keys, here and in the ledger. */
enum keys_standing {
    KEYS_FREE,
    KEYS_HELD,     /* another has one of them */
    KEYS_REPLACED, /* another had one of them, before others */
    KEYS_REVOKED   /* any that had one of them, this one too */
};
struct new_keys {
    const struct id *replica;
    const uint8_t *sign, *channel;
};
OCOP_MUST_USE enum ocop_status keys_stand(struct registry *r, const struct server_keys *keys,
                                          const struct new_keys *k, enum keys_standing *out,
                                          struct ocop_error *err);

/** When the keys of a replica's record were made, by the registry's clock; and does the office ask
 *  for others? */
int64_t keys_made_ms(const struct fields *record);
bool keys_wanted(const struct fields *record);

#endif
