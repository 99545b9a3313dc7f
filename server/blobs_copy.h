/* Contents into a backup and back. */
#ifndef SERVER_BLOBS_COPY_H
#define SERVER_BLOBS_COPY_H

#include <stdio.h>

#include "registry.h"

struct blobs_copied {
    uint64_t copied, bytes; /* now */
    uint64_t before;        /* were there already */
    uint64_t missing;       /* are at neither end in this size: have not come yet */
    uint64_t lost;          /* are at neither end, and had come */
    uint64_t damaged;       /* are not what they are named by, or cannot be read: not copied */
};

/** The folder of the contents of all backups in the folder of `backup`: "/backups/blobs" for
 *  "/backups/monday.db". What one backup brought there the next need not. OCOP_ELIMIT. */
OCOP_MUST_USE enum ocop_status blobs_of_backup(const char *backup, const struct env *env,
                                               struct content_dir *out, struct ocop_error *err);

/** Copy each content that an attachment names and `to` lacks, read and held against its hash. What
 *  cannot be read or is lost is counted, told of in a line, and holds up nothing.
 *  @return OCOP_EIO, OCOP_ELIMIT (full), OCOP_ENOMEM, OCOP_EDB: `to`, or all of `from`, fails */
OCOP_MUST_USE enum ocop_status blobs_copy_telling(struct registry *r,
                                                  const struct content_dir *from,
                                                  const struct content_dir *to, FILE *told,
                                                  struct blobs_copied *out, struct ocop_error *err);
/** And tell nobody. */
OCOP_MUST_USE enum ocop_status blobs_copy(struct registry *r, const struct content_dir *from,
                                          const struct content_dir *to, struct blobs_copied *out,
                                          struct ocop_error *err);

/** Copy one content, held against its hash: to be given its name by content_place. End `w` by that
 *  or by content_abandon, also on failure.
 *  @param theirs it was `from` that failed: OCOP_ENOTFOUND it is not there; OCOP_EINVAL it is, in
 *         another size; OCOP_EDAMAGED it is not what its name says; OCOP_EIO it cannot be read */
OCOP_MUST_USE enum ocop_status blobs_fetch(const struct content_dir *from,
                                           const struct content_dir *to, const uint8_t *hash,
                                           uint64_t size, struct content_writer *w, bool *theirs,
                                           struct ocop_error *err);

#endif
