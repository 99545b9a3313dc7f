/* A database file that is encrypted at rest. Only a build with CIPHER=1 can make or open one; every
 * build knows one when it meets it. docs/decisions/0020 says how and why. */
#ifndef DATA_CIPHER_H
#define DATA_CIPHER_H

#include <sqlite3.h>

#include <stdbool.h>

#include "err.h"
#include "span.h"

enum { CIPHER_KEY_LEN = 32, CIPHER_SECRET_MIN = 16, CIPHER_SECRET_MAX = 1024 };

/* What encrypts the pages: the secret itself when it has this length, else what a slow function
 * makes of it. Wiped by its owner. */
struct cipher_key {
    bool set;
    uint8_t b[CIPHER_KEY_LEN];
};

void cipher_key_wipe(struct cipher_key *key);

/** May this secret be used, and can this build use it? An empty one is: none. OCOP_EINVAL. */
OCOP_MUST_USE enum ocop_status cipher_check(struct span secret, struct ocop_error *err);

/** The name of the VFS that encrypts over `vfs`, which may be one already, or NULL. */
const char *cipher_vfs(const char *vfs, char *out, size_t room);

/**
 * Give a connection that has read nothing yet its key, after a look at the file's first bytes. So a
 * wrong key is known before SQLite reads, recovers or writes anything.
 *
 * @param secret empty: the file shall be plain
 * @param key    what it came to; not set when the file is plain
 * @return OCOP_EAUTH another key is needed; OCOP_ESTATE a secret was given and the file is plain;
 *         OCOP_EDAMAGED neither a plain nor an encrypted database; OCOP_ENOMEM; OCOP_EDB
 */
OCOP_MUST_USE enum ocop_status cipher_unlock(sqlite3 *db, const char *path, struct span secret,
                                             struct cipher_key *key, struct ocop_error *err);

/**
 * Write all that `db` holds into the new file `to`, encrypted with another secret, and read it
 * back. On failure what there is of `to` is to be removed. `db` is good for nothing but closing
 * then.
 *
 * @param to  an empty file, or none
 * @param vfs that of `db`; may be NULL
 * @param key that of `db`; not set when it is plain
 */
OCOP_MUST_USE enum ocop_status cipher_copy(sqlite3 *db, const struct cipher_key *key,
                                           const char *to, const char *vfs, struct span secret,
                                           struct ocop_error *err);

#endif
