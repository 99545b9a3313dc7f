/* All thumbnails at once, for the office's commands. */
#ifndef SERVER_THUMBS_ALL_H
#define SERVER_THUMBS_ALL_H

#include <stdio.h>

#include "registry.h"

struct thumbs_found {
    uint64_t there; /* of contents that an attachment names and that are here */
    uint64_t loose; /* of none: they are nobody's any more */
    uint64_t made, none,
        not_yet; /* now; cannot be; the content has not come, or it failed just now */
};

/** Those that are there, and with `remove` those that are loose go, and failed tries are forgotten.
 */
OCOP_MUST_USE enum ocop_status thumbs_verify(struct registry *r, bool remove,
                                             struct thumbs_found *found, struct ocop_error *err);

/** Make all that can be made and are not there, also those that were given up for want of memory or
 * of a disk; waits for each. `maker` as for thumbs_open. */
OCOP_MUST_USE enum ocop_status thumbs_make(struct registry *r, const char *maker,
                                           struct thumbs_found *found, struct ocop_error *err);

#endif
