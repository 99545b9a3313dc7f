/* Genesis of a registry, invitations, enrolments. */
#ifndef SERVER_ENROL_H
#define SERVER_ENROL_H

#include "ingest.h"
#include "keys.h"
#include "sync.pb-c.h"

enum replica_field {
    REPLICA_TYPE = 10,
    REPLICA_NUMBER,
    REPLICA_NAME,
    REPLICA_SIGN_KEY,
    REPLICA_CHANNEL_KEY,
    REPLICA_SCOPE,
    REPLICA_STATE,
    REPLICA_STATE_REASON,
    REPLICA_PREDECESSOR,
    REPLICA_PREDECESSOR_SEQ,
    REPLICA_RECORDS,
    REPLICA_SIGN_KEYS = 22,
    REPLICA_CERTIFICATE,
    REPLICA_REKEY_MS
};
enum registry_field { REGISTRY_NAME = 10, REGISTRY_EPOCH, REGISTRY_LINEAGES };

/** Write the first sets: the registry's own replica, its lineage and epoch, and the code lists
 *  and checklists built into the program (initial.c). In a transaction of its own. */
OCOP_MUST_USE enum ocop_status genesis(struct registry *r, const struct server_keys *keys,
                                       const char *name, struct ocop_error *err);

struct invitation_terms {
    struct id officer;
    const struct id *scope;
    size_t scope_count;
    const char *address; /* what the device shall connect to */
    int64_t expires_ms;
};
/** Make a one-time invitation; *code is its text (base32 groups), in the arena. */
OCOP_MUST_USE enum ocop_status invite_make(struct registry *r, const struct server_keys *keys,
                                           const struct invitation_terms *terms, struct arena *a,
                                           const char **code, struct ocop_error *err);

enum { INVITATION_ID_LEN = 8 };
/** What an invitation is called in lists, of its code. */
OCOP_MUST_USE enum ocop_status invite_id(const char *code, char out[INVITATION_ID_LEN + 1],
                                         struct ocop_error *err);

/** Has the request what every enrolment has? One that has not is refused without a look. */
bool enrol_well_formed(const Ocop__Sync__EnrolRequest *in);

/** Answer an enrolment. The same keys and token again give the same answer.
 *  @return OCOP_EAUTH unknown token, OCOP_ESTATE used by another or expired; text says which */
OCOP_MUST_USE enum ocop_status enrol_answer(struct registry *r, const struct server_keys *keys,
                                            const Ocop__Sync__EnrolRequest *in,
                                            const uint8_t channel_key[32], struct arena *a,
                                            Ocop__Sync__Enrolment **out, struct ocop_error *err);

/** Enrol a device again by the certificate that it shows: a backup that was put in the registry's
 *  place does not know it. One that it knows by earlier keys has those of the certificate;
 *  `only_known`: no other is enrolled, but for one that continues what is known here. *replica:
 * whose certificate it is.
 *  @return OCOP_EPROTO, OCOP_EAUTH no certificate of ours, or another device's; OCOP_EREVOKED;
 *          OCOP_ENOTENROLLED it has expired */
OCOP_MUST_USE enum ocop_status enrol_again(struct registry *r, const struct server_keys *keys,
                                           const Ocop__Sync__Sealed *shown, const uint8_t *sender,
                                           bool only_known, struct arena *a, struct id *replica,
                                           struct ocop_error *err);

/** Enrol the successor of a forked replica. Called by ingest_set. */
OCOP_MUST_USE enum ocop_status enrol_successor(struct registry *r, const struct server_keys *keys,
                                               const struct change_set *first,
                                               const struct replica_info *predecessor,
                                               struct ocop_error *err);

/** May a device with this key have one replica more? Not when one of them was revoked, nor when it
 *  has REPLICAS_OF_DEVICE_MAX. */
OCOP_MUST_USE enum ocop_status replica_may_succeed(struct registry *r,
                                                   const uint8_t channel_key[CHANNEL_KEY_LEN],
                                                   bool *out, struct ocop_error *err);

/** The enrolment of a replica as sent to it. */
OCOP_MUST_USE enum ocop_status enrolment_of(struct registry *r, const struct server_keys *keys,
                                            const struct id *replica, struct arena *a,
                                            Ocop__Sync__Enrolment **out, struct ocop_error *err);
#endif
