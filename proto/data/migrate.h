/* Bringing a database to this program's schema. Migrations are embedded at build time from
 * migrations/NNNN_name.(both|registry|store).sql; each runs in one transaction, which also sets
 * user_version to NNNN. */
#ifndef DATA_MIGRATE_H
#define DATA_MIGRATE_H

#include <sqlite3.h>

#include <stdbool.h>

#include "cipher.h"
#include "err.h"

enum migrate_side { MIGRATE_REGISTRY = 1, MIGRATE_STORE = 2 };

enum { BUSY_TIMEOUT_MS = 10000 }; /* how long another connection is waited for */

struct migration {
    int number;
    int sides; /* MIGRATE_REGISTRY | MIGRATE_STORE */
    const char *name, *sql;
};
extern const struct migration migrations[]; /* generated; ends with number 0 */

/** Apply what is missing, and give the connection what statements need (sum.h). application_id
 * tells the side ("OCPR", "OCPS").
 *  @param applied how many ran; may be NULL
 *  @return OCOP_EVERSION the file is of a newer program; OCOP_EDAMAGED it is not ours or of the
 *          other side; OCOP_EDB. The file is unchanged but for migrations that completed. */
OCOP_MUST_USE enum ocop_status migrate(sqlite3 *db, enum migrate_side side, int *applied,
                                       struct ocop_error *err);

/** Is the schema what all migrations make of an empty file? `found` hears of each table, index or
 * view that is not. */
OCOP_MUST_USE enum ocop_status migrate_check(sqlite3 *db, enum migrate_side side,
                                             void (*found)(void *self, const char *name),
                                             void *self, struct ocop_error *err);

/** Open a database with our settings: WAL, synchronous FULL, foreign keys, no double-quoted
 *  strings, busy timeout. `create` allows a new file; `vfs` may be NULL. */
OCOP_MUST_USE enum ocop_status db_open(const char *path, bool create, bool read_only,
                                       const char *vfs, sqlite3 **out, struct ocop_error *err);

/** The same with the secret that encrypts the file; see cipher.h, also for what it returns. An
 * empty one opens a plain file. `key` is what the secret came to, for the caller to wipe. */
OCOP_MUST_USE enum ocop_status db_open_keyed(const char *path, bool create, bool read_only,
                                             const char *vfs, struct span secret,
                                             struct cipher_key *key, sqlite3 **out,
                                             struct ocop_error *err);

/** Run SQL without results. */
OCOP_MUST_USE enum ocop_status db_exec(sqlite3 *db, const char *sql, struct ocop_error *err);

#endif
