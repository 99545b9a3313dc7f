/* Gathering one record's evidence from the registry: for `log show` and for the bundle alike. */
#ifndef SERVER_EVIDENCE_MAKE_H
#define SERVER_EVIDENCE_MAKE_H

#include <stdio.h>

#include "evidence.h"
#include "registry.h"

/** All that proves the record's story, in the arena. What of the log is damaged or missing is put
 * in as it is: evidence_check tells of it. In a transaction of its own.
 *  @return OCOP_ENOTFOUND when the log has no change of such a record */
OCOP_MUST_USE enum ocop_status evidence_make(struct registry *r, const struct id *record,
                                             struct arena *a, Ocop__Evidence__Bundle **out,
                                             struct ocop_error *err);

/** Make the bundle, check it and write it, signed. A story that does not hold is not signed.
 *  @return OCOP_ENOTFOUND; OCOP_EDAMAGED see `ocopd log show`; OCOP_EAUTH the root key is not this
 *          registry's; OCOP_EIO */
OCOP_MUST_USE enum ocop_status evidence_export(struct registry *r, const struct sign_key *root,
                                               const struct id *record, FILE *out,
                                               struct ocop_error *err);

#endif
