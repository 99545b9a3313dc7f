/* Messages as fields, for the calls of ocop.h that take or give records. */
#ifndef CLIENT_RECORD_API_H
#define CLIENT_RECORD_API_H

#include "store.h"

struct record {
    const struct kind *k;
    struct id id;
    struct fields f;
    struct span seen; /* what ocop_load left in the message; len 0: nothing. Never among `f` */
};

/* A record as it was when it was loaded: what its officer has seen. */
struct seen {
    struct id lineage;
    struct change state; /* VERB_STATE without the draft; no fields: nothing was submitted. Each
                            with the version seen; what a pending change cleared as a marker */
};

/** Pack and unpack again as fields. @return OCOP_EINVAL no record of a kind, OCOP_ELIMIT */
OCOP_MUST_USE enum ocop_status record_read(const ProtobufCMessage *m, struct arena *a,
                                           struct record *out, struct ocop_error *err);
/** And back, with what it carries; *out is freed with ocop_free. */
OCOP_MUST_USE enum ocop_status record_write(const struct record *r, ProtobufCMessage **out,
                                            struct ocop_error *err);
/** The same packed; the caller's to buf_fini, also when it fails. */
OCOP_MUST_USE enum ocop_status record_packed(const struct record *r, struct buf *out,
                                             struct ocop_error *err);
/** Put one field in its place, over one of the same path. */
OCOP_MUST_USE enum ocop_status record_put(struct record *r, const struct field *v, struct arena *a,
                                          struct ocop_error *err);

/** Let the record carry what was seen. */
OCOP_MUST_USE enum ocop_status record_see(struct record *r, const struct seen *seen,
                                          struct arena *a, struct ocop_error *err);
/** What it carries; *known false: nothing that is about this record. */
OCOP_MUST_USE enum ocop_status record_seen(const struct record *r, struct arena *a, bool *known,
                                           struct seen *out, struct ocop_error *err);

/* --- what ocop_save and the others do (record_api.c); inside a transaction -------------------- */

OCOP_MUST_USE enum ocop_status record_need_enrolled(const struct ocop_store *s,
                                                    struct ocop_error *err);
OCOP_MUST_USE enum ocop_status record_api_save(struct ocop_store *s, const ProtobufCMessage *m,
                                               struct ocop_error *err);
OCOP_MUST_USE enum ocop_status record_api_submit(struct ocop_store *s, const ProtobufCMessage *m,
                                                 struct ocop_error *err);
OCOP_MUST_USE enum ocop_status record_api_submit_draft(struct ocop_store *s,
                                                       const struct ocop_id *id, const char *reason,
                                                       struct ocop_error *err);
OCOP_MUST_USE enum ocop_status record_api_discard(struct ocop_store *s, const struct ocop_id *id,
                                                  struct ocop_error *err);
bool record_voided(const struct fields *f);

/** ocop_attach of an image that this library made. */
OCOP_MUST_USE enum ocop_status attach_drawn(struct ocop_store *s, const struct ocop_id *record,
                                            const struct ocop_attachment *what, struct ocop_id *out,
                                            struct ocop_error *err);

/* --- attachments follow their record (attach.c); inside a transaction ------------------------- */

/** The record was submitted: so are the attachments that were drafts with it. */
OCOP_MUST_USE enum ocop_status attach_submit(struct ocop_store *s, const struct id *record,
                                             struct ocop_error *err);
/** The same in a sync, when a record that was refused is sent again by itself: those that may not
 *  be submitted stay drafts. Uses the store's arena from its beginning. */
OCOP_MUST_USE enum ocop_status attach_follow(struct ocop_store *s, const struct id *record,
                                             struct ocop_error *err);
/** Delete the row of a record that was a draft, or refused; with it go its attachments, and the
 *  contents that nothing names any more. */
OCOP_MUST_USE enum ocop_status attach_delete(struct ocop_store *s, const struct kind *k,
                                             const struct id *record, struct ocop_error *err);

/* --- what stands (standing.c) ---------------------------------------------------------------- */

/* A record before the change at hand: without its draft. */
struct standing {
    struct outbox_rows rows;
    struct fields f;
    uint64_t version;
    bool there;                     /* submitted, or in the registry */
    bool refused;                   /* its creation was refused: it may be submitted again */
    const struct outbox_row *draft; /* NULL: none */
    uint64_t seen;                  /* the version its officer saw: this one, or that loaded */
    struct fields edits; /* what a loaded message changes, with the version each was seen at */
};

/** Read what stands of a record; where nothing does, `there` is false. */
OCOP_MUST_USE enum ocop_status standing_read(struct ocop_store *s, const struct kind *k,
                                             const struct id *id, struct standing *out,
                                             struct ocop_error *err);
/** The record that an id names, of whatever kind, as it stands. OCOP_ENOTFOUND. */
OCOP_MUST_USE enum ocop_status record_standing(struct ocop_store *s, const struct ocop_id *id,
                                               struct record *r, struct standing *b,
                                               struct ocop_error *err);
/** Not submitted, as far as the officer is concerned. */
bool standing_is_new(const struct standing *b);
/** Let a loaded record carry what its officer sees. */
OCOP_MUST_USE enum ocop_status standing_see(struct ocop_store *s, struct record *r,
                                            const struct standing *b, struct ocop_error *err);
/** Make of `r` what its officer wants: the edits since it was loaded, over what stands. */
OCOP_MUST_USE enum ocop_status standing_lay(struct ocop_store *s, struct record *r,
                                            struct standing *b, struct ocop_error *err);
/** Give the change and its fields the versions they are based on. */
OCOP_MUST_USE enum ocop_status standing_bases(struct ocop_store *s, const struct standing *b,
                                              struct change *c, struct ocop_error *err);

/* --- rules on the device (device_rules.c) ---------------------------------------------------- */

/** Rules of the record, with the code lists of this store. */
OCOP_MUST_USE enum ocop_status device_rules(struct ocop_store *s, const struct record *r,
                                            enum rules_stage stage, struct ocop_error *err);
/** May this officer make the change? `maker`: the record's officer, len 0 when it has none. */
OCOP_MUST_USE enum ocop_status device_permit(struct ocop_store *s, const struct kind *k,
                                             const struct change *c, struct span maker,
                                             struct ocop_error *err);
/** Is the change small enough for a set, and what it makes of the record for the registry? Else
 *  OCOP_ELIMIT. */
OCOP_MUST_USE enum ocop_status device_size(const struct change *c, const struct fields *before,
                                           const struct fields *after, struct ocop_error *err);
/** Does what the change refers to exist here? Not asked before the first sync. */
OCOP_MUST_USE enum ocop_status device_references(struct ocop_store *s, const struct kind *k,
                                                 const struct change *c, struct ocop_error *err);
/** The officer's roles, of whatever days: which of them are in force only the registry can say, by
 *  its own clock. All there are while the officer's record is not here yet. */
OCOP_MUST_USE enum ocop_status device_roles(struct ocop_store *s, unsigned *out,
                                            struct ocop_error *err);
/** Are the record's units, before and after a change, such as this device may write in? OCOP_EPERM
 *  names them. A record that is the device's by itself may stay where it lies. Not asked before the
 *  first sync, nor of a record without a unit. */
OCOP_MUST_USE enum ocop_status device_scope(struct ocop_store *s, const struct kind *k,
                                            const struct id *id, const struct fields *before,
                                            const struct fields *after, struct ocop_error *err);
/** Forget code lists and units: they may have changed. */
void device_codes_forget(struct ocop_store *s);
void device_scope_forget(struct ocop_store *s);

#endif
