/* Copies of the registry that can be trusted, and the way back from one. */
#ifndef SERVER_BACKUP_H
#define SERVER_BACKUP_H

#include "ingest.h"
#include "keys.h"

enum { BACKUP_PATH_MAX = 1100 };

/** Path of what stands beside a registry: FILE.keys, FILE.lock. OCOP_ELIMIT when too long. */
OCOP_MUST_USE enum ocop_status backup_beside(const char *path, const char *suffix,
                                             char out[BACKUP_PATH_MAX], struct ocop_error *err);

/** Take the one lock of a serving process on FILE.lock; kept until the process ends or *fd is
 *  closed. @return OCOP_EBUSY naming the process that has it */
OCOP_MUST_USE enum ocop_status backup_lock(const char *path, int *fd, struct ocop_error *err);

struct backup_result {
    uint64_t version;
    int64_t bytes;
    size_t revoked;     /* restore: devices revoked since the backup, revoked again */
    size_t ledger_bad;  /* restore: lines of the ledger that cannot be believed */
    bool before_unread; /* restore: the registry before could not be asked for them */
    size_t closed;      /* restore: invitations that may have been used since, and are none now */
};
/** Copy the registry while it is being written to, check the copy, note it in the registry. The
 *  file appears under its name only when it is whole.
 *  @return OCOP_ESTATE when `to` exists */
OCOP_MUST_USE enum ocop_status backup_make(struct registry *r, const char *to, bool with_keys,
                                           struct backup_result *result, struct ocop_error *err);

/** Put a backup in the place of the registry `path` and begin a new lineage there. What stands at
 *  `path` is moved to FILE.before-restore-N when `replace`; devices that it had revoked are
 *  revoked again: a restore gives nobody their rights back.
 *  @param moved where to; "" when there was nothing
 *  @return OCOP_ESTATE `path` exists; OCOP_EBUSY a server runs; OCOP_EAUTH the keys beside `path`
 *          are another registry's; then nothing is changed */
OCOP_MUST_USE enum ocop_status backup_restore(const char *from, const char *path, bool replace,
                                              const struct env *env, char moved[BACKUP_PATH_MAX],
                                              struct backup_result *result, struct ocop_error *err);

#endif
