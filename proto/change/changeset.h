/* A change-set: sealed, signed, numbered, chained. The unit of exchange and of evidence. */
#ifndef CHANGE_CHANGESET_H
#define CHANGE_CHANGESET_H

#include "columns.h"

enum { HASH_LEN = 32, SIGNATURE_LEN = 64, SIGN_PUBLIC_LEN = 32, SIGN_SECRET_LEN = 64 };

struct sign_key {
    uint8_t public_key[SIGN_PUBLIC_LEN];
    uint8_t secret[SIGN_SECRET_LEN]; /* wipe with sign_key_wipe */
};

struct change_set {
    struct id replica;
    uint64_t seq;
    uint8_t prev_hash[HASH_LEN]; /* zero for seq 1 */
    int64_t device_time_ms;
    uint32_t schema;
    struct id lineage;     /* zero when the replica knows none yet */
    struct id predecessor; /* zero when there is none */
    uint64_t predecessor_seq;
    uint8_t predecessor_hash[HASH_LEN];
    struct span given_up; /* ids, each ID_LEN: replicas of which nothing more is to be taken */
    struct changes changes;
    uint8_t hash[HASH_LEN]; /* filled by seal and open */
    /* By open and peek, in the body or the arena. */
    struct span head;               /* the members before the changes */
    uint8_t changes_hash[HASH_LEN]; /* of the rest of the body */
    struct span columns;            /* the changes as they came */
    bool tight;                     /* in their tight form */
};

/** What is kept and sent. */
struct sealed {
    struct span body; /* zlib of the canonical body, or the body itself */
    uint8_t signature[SIGNATURE_LEN];
    uint8_t hash[HASH_LEN];
};

void sign_key_new(struct sign_key *key, const struct env *env);
void sign_key_wipe(struct sign_key *key);

/** Encode, hash, sign, and deflate what gains by it. Fills set->hash. The body lives in the arena.
 *  @return OCOP_ELIMIT when the body would pass SET_BODY_BYTES_MAX (sealed size is the caller's
 *          to check) */
OCOP_MUST_USE enum ocop_status changeset_seal(struct change_set *set, const struct sign_key *key,
                                              struct arena *a, struct sealed *out,
                                              struct ocop_error *err);

/** Inflate (capped), hash and decode. Does not check the signature: who may sign is known only
 *  when the replica is. @return OCOP_EPROTO, OCOP_ELIMIT, OCOP_ENOMEM */
OCOP_MUST_USE enum ocop_status changeset_open(struct span body, struct arena *a,
                                              struct change_set *out, struct ocop_error *err);

/** Only the hash and header: no changes until changeset_decode. `body` is to live until then. */
OCOP_MUST_USE enum ocop_status changeset_peek(struct span body, struct arena *a,
                                              struct change_set *out, struct ocop_error *err);

/** The changes of a set that was only peeked at. @return as changeset_open */
OCOP_MUST_USE enum ocop_status changeset_decode(struct change_set *set, struct arena *a,
                                                struct ocop_error *err);

/** The hash and header of a set of which only the head and the hash of its changes are shown: what
 *  proves a chain without telling what is in it. @return OCOP_EPROTO */
OCOP_MUST_USE enum ocop_status changeset_link(struct span head,
                                              const uint8_t changes_hash[HASH_LEN],
                                              struct change_set *out, struct ocop_error *err);

/** OCOP_EAUTH when the signature is not `public_key`'s over `hash`. */
OCOP_MUST_USE enum ocop_status changeset_verify(const uint8_t hash[HASH_LEN],
                                                const uint8_t signature[SIGNATURE_LEN],
                                                const uint8_t public_key[SIGN_PUBLIC_LEN],
                                                struct ocop_error *err);
/** The same of a bundle of evidence, over its head and body in one. */
OCOP_MUST_USE enum ocop_status statement_sign(struct span head, struct span body,
                                              const struct sign_key *key,
                                              uint8_t signature[SIGNATURE_LEN],
                                              struct ocop_error *err);
OCOP_MUST_USE enum ocop_status statement_verify(struct span head, struct span body,
                                                const uint8_t public_key[SIGN_PUBLIC_LEN],
                                                const uint8_t signature[SIGNATURE_LEN],
                                                struct ocop_error *err);
/** A signature over something that is no change-set: `context` (at most 64 bytes) says what it is
 *  for, since a word for one thing is none for another. And whether it is one. */
void word_sign(const char *context, struct span text, const struct sign_key *key,
               uint8_t signature[SIGNATURE_LEN]);
bool word_holds(const char *context, struct span text, const uint8_t signer[SIGN_PUBLIC_LEN],
                const uint8_t signature[SIGNATURE_LEN]);
/** The root's word for a signing key of the registry's own, under its number; and whether it is. */
void sign_key_vouch(const struct sign_key *root, const uint8_t key[SIGN_PUBLIC_LEN],
                    uint64_t number, uint8_t signature[SIGNATURE_LEN]);
bool sign_key_vouched(const uint8_t root[SIGN_PUBLIC_LEN], const uint8_t key[SIGN_PUBLIC_LEN],
                      uint64_t number, const uint8_t signature[SIGNATURE_LEN]);

/** Where a key stands among those of a replica: it holds from a sequence on; of two from the same
 *  one, that with the higher number. */
struct key_place {
    uint64_t from_seq, number;
};
/** Of a packed element of Replica.sign_keys; false: it is none, or speaks of a root. */
bool key_place_read(struct span element, struct key_place *out);
/** Does a key hold for this sequence, and before `best` (NULL: none yet)? */
bool key_place_better(const struct key_place *k, uint64_t seq, const struct key_place *best);

/** New keys of a device, in the place of those it had: what both its signing keys, the one before
 *  and the new one, put their names to. */
struct rekey {
    struct id replica;
    uint64_t from_seq; /* of the first set that the new one signs */
    uint8_t sign_key[SIGN_PUBLIC_LEN], channel_key[32];
};
void rekey_sign(const struct rekey *k, const struct sign_key *key,
                uint8_t signature[SIGNATURE_LEN]);
bool rekey_signed(const struct rekey *k, const uint8_t signer[SIGN_PUBLIC_LEN],
                  const uint8_t signature[SIGNATURE_LEN]);

void hash_bytes(struct span s, uint8_t out[HASH_LEN]);

#endif
