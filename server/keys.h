/* The server's secrets: in one file of mode 0600 beside the registry (FILE.keys). */
#ifndef SERVER_KEYS_H
#define SERVER_KEYS_H

#include "changeset.h"
#include "noise.h"

enum { SERVER_CHANNEL_KEYS_MAX = 4 };

struct server_keys {
    struct sign_key root; /* Ed25519: pins the registry */
    struct sign_key
        sign; /* Ed25519: by it the registry writes its own sets; the root itself at first */
    struct channel_key channel[SERVER_CHANNEL_KEYS_MAX]; /* newest first */
    size_t channel_count;
};

/** What a signature of the registry's is for: one for one thing is none for another. */
enum keys_purpose { KEYS_CERTIFICATE, KEYS_LEDGER };
void keys_sign(const struct sign_key *key, enum keys_purpose purpose, struct span text,
               uint8_t signature[SIGNATURE_LEN]);
/** Is `signer` a key of this registry, and the signature its own over the text? */
bool keys_verify(const struct server_keys *k, enum keys_purpose purpose, struct span text,
                 const uint8_t signer[SIGN_PUBLIC_LEN], const uint8_t signature[SIGNATURE_LEN]);

/** Make new ones and write the file; refuses to overwrite. */
OCOP_MUST_USE enum ocop_status keys_create(const char *path, const struct env *env,
                                           struct server_keys *out, struct ocop_error *err);
/** Read; OCOP_EPERM when others may read the file. */
OCOP_MUST_USE enum ocop_status keys_load(const char *path, struct server_keys *out,
                                         struct ocop_error *err);
void keys_wipe(struct server_keys *k);
/** What this process holds shall not be found in the file that a crash leaves. */
void keys_keep_from_core(void);

#endif
