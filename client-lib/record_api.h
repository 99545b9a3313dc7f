/* Messages as fields, for the calls of ocop.h that take or give records. */
#ifndef CLIENT_RECORD_API_H
#define CLIENT_RECORD_API_H

#include "store.h"

struct record {
    const struct kind *k;
    struct id id;
    struct fields f;
};

/** Pack and unpack again as fields. @return OCOP_EINVAL no record of a kind, OCOP_ELIMIT */
OCOP_MUST_USE enum ocop_status record_read(const ProtobufCMessage *m, struct arena *a,
                                           struct record *out, struct ocop_error *err);
/** And back; *out is freed with ocop_free. */
OCOP_MUST_USE enum ocop_status record_write(const struct record *r, ProtobufCMessage **out,
                                            struct ocop_error *err);
/** Put one field in its place, over one of the same path. */
OCOP_MUST_USE enum ocop_status record_put(struct record *r, const struct field *v, struct arena *a,
                                          struct ocop_error *err);

/* --- rules on the device (device_rules.c) ---------------------------------------------------- */

/** Rules of the record, with the code lists of this store. */
OCOP_MUST_USE enum ocop_status device_rules(struct ocop_store *s, const struct record *r,
                                            enum rules_stage stage, struct ocop_error *err);
/** May this officer make the change? `maker`: the record's officer, len 0 when it has none. */
OCOP_MUST_USE enum ocop_status device_permit(struct ocop_store *s, const struct kind *k,
                                             const struct change *c, struct span maker,
                                             struct ocop_error *err);
/** Does what the change refers to exist here? Not asked before the first sync. */
OCOP_MUST_USE enum ocop_status device_references(struct ocop_store *s, const struct kind *k,
                                                 const struct change *c, struct ocop_error *err);
/** The officer's roles today; all of them while the officer's record is not here yet. */
OCOP_MUST_USE enum ocop_status device_roles(struct ocop_store *s, unsigned *out,
                                            struct ocop_error *err);
/** Is the record's unit one that this device may write in? OCOP_EPERM names both. Not asked before
 *  the first sync, nor of a record without a unit. */
OCOP_MUST_USE enum ocop_status device_scope(struct ocop_store *s, const struct kind *k,
                                            const struct fields *record, struct ocop_error *err);
/** Forget code lists and units: they may have changed. */
void device_codes_forget(struct ocop_store *s);
void device_scope_forget(struct ocop_store *s);

#endif
