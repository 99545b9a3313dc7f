/* The keys of a device and those that take their place. With the lock held, in a transaction. */
#ifndef CLIENT_DEVICE_KEYS_H
#define CLIENT_DEVICE_KEYS_H

#include "store.h"
#include "sync.pb-c.h"

/** Make the id and the keys by which this store is to be enrolled; those that wait already stay. Of
 *  one that is wiped they are the next ones: its last word to the server needs those that it has.
 */
OCOP_MUST_USE enum ocop_status device_keys_first(struct ocop_store *s, struct ocop_error *err);
/** It is enrolled by the next ones: as if nothing had been here before, they are its own. */
OCOP_MUST_USE enum ocop_status device_keys_afresh(struct ocop_store *s, struct ocop_error *err);
/** Make the keys that the registry is asked to take; those that wait already stay. */
OCOP_MUST_USE enum ocop_status device_keys_renew(struct ocop_store *s, struct ocop_error *err);
/** Into a request that is sealed by the next channel key: the next keys, signed by the present one.
 */
OCOP_MUST_USE enum ocop_status device_keys_put(struct ocop_store *s, struct arena *a,
                                               Ocop__Sync__SyncRequest *sync,
                                               struct ocop_error *err);
/** The registry has them: they are this device's now, and the old secrets are gone. The identity is
 *  to be read again. */
OCOP_MUST_USE enum ocop_status device_keys_take(struct ocop_store *s, struct ocop_error *err);
/** Is the set signed by the key of this device, or by one that it had? @return OCOP_EAUTH */
OCOP_MUST_USE enum ocop_status device_keys_signed(struct ocop_store *s,
                                                  const struct change_set *set,
                                                  const uint8_t signature[SIGNATURE_LEN],
                                                  struct arena *a, struct ocop_error *err);

#endif
