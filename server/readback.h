/* What was committed is read back, one change-set in so many, by a connection of its own: from the
 * file, and not from what is still in memory. */
#ifndef SERVER_READBACK_H
#define SERVER_READBACK_H

#include "registry.h"

struct readback;

/** Look at one in `one_in` of the sets that come from now on; *out is NULL for 0. */
OCOP_MUST_USE enum ocop_status readback_open(const char *path, const struct env *env,
                                             unsigned one_in, struct readback **out,
                                             struct ocop_error *err);
void readback_close(struct readback *b);

/** Of the sets committed since the last call a few are held against their sum, their hash, their
 *  signature, and the rows of the records that they changed. What is found is logged as an error
 * and noted in `r`, where readback_noted finds it; what cannot be read now is not looked at. `b`
 * may be NULL. @return how many sets are damaged */
unsigned readback_batch(struct readback *b, struct registry *r);

struct readback_note {
    uint64_t count; /* of damaged sets; 0: none was found */
    uint64_t version;
    int64_t found_ms; /* of the last */
    char text[OCOP_ERROR_TEXT_MAX];
};
OCOP_MUST_USE enum ocop_status readback_noted(struct registry *r, struct readback_note *out,
                                              struct ocop_error *err);
/** The whole file was found sound. */
OCOP_MUST_USE enum ocop_status readback_forget(struct registry *r, struct ocop_error *err);

#endif
