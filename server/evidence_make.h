/* Gathering one record's evidence from the registry: for `log show` and for the bundle alike. */
#ifndef SERVER_EVIDENCE_MAKE_H
#define SERVER_EVIDENCE_MAKE_H

#include <stdio.h>

#include "evidence.h"
#include "registry.h"

/* Which contents of attachments go into the bundle. */
struct evidence_carry {
    uint64_t bytes_max; /* in all: of two that do not both fit, the first by id */
};

/** All that proves the record's story and that of its attachments, in the arena. What of the log is
 * damaged or missing is put in as it is: evidence_check tells of it. In a transaction of its own.
 *  @param carry NULL: no content is to be carried, and none is read
 *  @return OCOP_ENOTFOUND when the log has no change of such a record */
OCOP_MUST_USE enum ocop_status evidence_make(struct registry *r, const struct id *record,
                                             const struct evidence_carry *carry, struct arena *a,
                                             Ocop__Evidence__Bundle **out, struct ocop_error *err);

/** Make the bundle, check it and write it, signed, with the contents, of which one piece at a time
 * is in memory. A story that does not hold is not signed.
 *  @return OCOP_ENOTFOUND; OCOP_EDAMAGED see `ocopd log show`; OCOP_EAUTH the root key is not this
 *          registry's; OCOP_EIO */
OCOP_MUST_USE enum ocop_status evidence_export(struct registry *r, const struct sign_key *root,
                                               const struct id *record,
                                               const struct evidence_carry *carry, FILE *out,
                                               struct ocop_error *err);

/* --- parts of them (evidence_contents.c) --- */

/** What there is of the contents of these attachments; those that are to be carried are read. */
OCOP_MUST_USE enum ocop_status evidence_files_take(struct registry *r, const struct id *attachments,
                                                   size_t count, const struct evidence_carry *carry,
                                                   struct arena *a, Ocop__Evidence__Bundle *b,
                                                   struct ocop_error *err);
/** Behind the signed part. @return OCOP_EDAMAGED one is not what it was a moment ago */
OCOP_MUST_USE enum ocop_status evidence_contents_write(struct registry *r,
                                                       const Ocop__Evidence__Bundle *b, FILE *out,
                                                       struct ocop_error *err);

#endif
