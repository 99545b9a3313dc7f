/* The server's keys: in one file of mode 0600 beside the registry (FILE.keys), one line per key.
 * The root's secret may be kept elsewhere: then the file says only which one it is, and holds what
 * the root has signed. */
#ifndef SERVER_KEYS_H
#define SERVER_KEYS_H

#include "buf.h"
#include "changeset.h"
#include "noise.h"
#include "roots.h"

enum { SERVER_CHANNEL_KEYS_MAX = 4, KEYS_RETIRED_MAX = 16, KEYS_TEXT_MAX = 8192 };

/** What the root says of a key. */
struct key_paper {
    uint64_t number; /* rising; 0: of the time before keys were numbered */
    int64_t
        until_ms; /* accepted until then; 0: without an end. Not signed: the server's own rule */
    uint8_t signature[SIGNATURE_LEN];
};

struct server_keys {
    struct sign_key root;                             /* Ed25519: pins the registry */
    bool has_root;                                    /* its secret is here */
    struct root_chain roots;                          /* those before it, and it */
    uint8_t root_signature[ROOTS_MAX][SIGNATURE_LEN]; /* of each but the first, by the one before */
    struct sign_key sign; /* Ed25519: by it the registry writes its own sets; the root at first */
    struct key_paper sign_paper;
    struct channel_key channel[SERVER_CHANNEL_KEYS_MAX]; /* newest first */
    struct key_paper channel_paper[SERVER_CHANNEL_KEYS_MAX];
    size_t channel_count;
    struct {
        uint8_t public_key[SIGN_PUBLIC_LEN];
        struct key_paper paper;
    } retired[KEYS_RETIRED_MAX]; /* signing keys of before, newest first: what they signed stands */
    size_t retired_count;
    struct sign_key next_sign;       /* made here and not signed by the root yet: ... */
    struct channel_key next_channel; /* ... */
    uint64_t next_sign_number, next_channel_number; /* ... 0: none */
};

/** Make new ones and write the file; refuses to overwrite. */
OCOP_MUST_USE enum ocop_status keys_create(const char *path, const struct env *env,
                                           struct server_keys *out, struct ocop_error *err);
/** Read; OCOP_EPERM when others may read the file, OCOP_EDAMAGED when it is none, or when the root
 *  did not sign what it should have. */
OCOP_MUST_USE enum ocop_status keys_load(const char *path, struct server_keys *out,
                                         struct ocop_error *err);
/** Write them in the place of the file that is there: the old one or the new one stands. */
OCOP_MUST_USE enum ocop_status keys_save(const char *path, const struct server_keys *k,
                                         struct ocop_error *err);
/** The root in a file of its own. */
OCOP_MUST_USE enum ocop_status keys_save_root(const char *path, const struct server_keys *k,
                                              struct ocop_error *err);
OCOP_MUST_USE enum ocop_status keys_load_root(const char *path, struct sign_key *out,
                                              struct ocop_error *err);
/** The same with the roots before it, whose chain holds. */
OCOP_MUST_USE enum ocop_status keys_load_next(const char *path, struct server_keys *out,
                                              struct ocop_error *err);
void keys_wipe(struct server_keys *k);
/** What this process holds shall not be found in the file that a crash leaves. */
void keys_keep_from_core(void);

/** How many of the channel keys, from the first, are accepted now. */
size_t keys_live(const struct server_keys *k, int64_t now_ms);

/** What a signature of the registry's is for: one for one thing is none for another. */
enum keys_purpose { KEYS_CERTIFICATE, KEYS_LEDGER };
void keys_sign(const struct sign_key *key, enum keys_purpose purpose, struct span text,
               uint8_t signature[SIGNATURE_LEN]);
/** Is `signer` a key of this registry, and the signature its own over the text? */
bool keys_verify(const struct server_keys *k, enum keys_purpose purpose, struct span text,
                 const uint8_t signer[SIGN_PUBLIC_LEN], const uint8_t signature[SIGNATURE_LEN]);

/* --- change (keys_change.c) ----------------------------------------------------------------------
 */

/** New keys of either sort; signed at once where the root is here, else they wait for it. The
 * channel key of before is accepted for `keep_ms` more. */
void keys_new_channel(struct server_keys *k, const struct env *env, int64_t keep_ms);
void keys_new_sign(struct server_keys *k, const struct env *env);

/** What waits for the root, a line for each: "ocop-key channel NUMBER KEY". Empty: nothing. */
void keys_request(const struct server_keys *k, struct buf *out);
/** The root's answer to one such line: the line, and the signature behind it. On any machine.
 *  @return OCOP_EINVAL it is no request */
OCOP_MUST_USE enum ocop_status keys_answer(const struct sign_key *root, const char *request,
                                           struct buf *out, struct ocop_error *err);
/** Take an answer: the key that waited is the one that is used now.
 *  @return OCOP_EINVAL it answers nothing that waits; OCOP_EAUTH it is not the root's */
OCOP_MUST_USE enum ocop_status keys_install(struct server_keys *k, const struct env *env,
                                            const char *answer, int64_t keep_ms,
                                            struct ocop_error *err);
/** Make the root that will take this one's place, signed by it, in a file of its own: now, or when
 *  this one is lost. `root`: the present one's secret.
 *  @return OCOP_EAUTH it is another's; OCOP_ELIMIT, OCOP_ESTATE, OCOP_EIO */
OCOP_MUST_USE enum ocop_status keys_next_root(const struct server_keys *k, const struct env *env,
                                              const struct sign_key *root, const char *path,
                                              struct ocop_error *err);
/** Put the root of such a file in the place of the present one: it signs what that had signed. Its
 *  secret stays here only where the present one's does.
 *  @return OCOP_EAUTH the present root did not sign it; OCOP_ENOTFOUND, OCOP_EDAMAGED */
OCOP_MUST_USE enum ocop_status keys_take_root(struct server_keys *k, const struct env *env,
                                              const char *path, struct ocop_error *err);

/** Forget the root's secret; a signing key of the registry's own is made first where there is none.
 */
void keys_detach(struct server_keys *k, const struct env *env);

#endif
