/* Are the contents of attachments what was sent, and where can what is not be had again? And what
 * need not lie here any more. */
#ifndef SERVER_VERIFY_FILES_H
#define SERVER_VERIFY_FILES_H

#include <stdio.h>

#include "registry.h"

struct files_found {
    uint64_t read, missing, lost, damaged, orphaned;
    uint64_t from_backups, asked; /* mended, or to be */
    uint64_t failed;              /* not mended: told of */
};
/** Read every content and hold it against its hash; a line for each that has not come, was lost, is
 *  damaged (which includes that it alone cannot be read), or is named by no attachment.
 *  @param mend put what is damaged aside; take it and what was lost from the backups that this
 *         registry knows, and ask devices for what none has. In transactions of its own. */
OCOP_MUST_USE enum ocop_status files_verify(struct registry *r, bool mend, FILE *out,
                                            struct files_found *found, struct ocop_error *err);

struct files_swept {
    uint64_t removed; /* contents that no attachment names any more */
    uint64_t emptied; /* parts that nobody went on with */
    uint64_t bytes;
    uint64_t failed; /* not removed: told of */
    uint64_t spared; /* what no attachment names, of a registry that was restored */
};
/** Remove contents that no attachment names, or whose removal was cut short, and the parts of such.
 *  In a registry that was restored, what none ever named stays, unless `restored` is set: a device
 *  may have let go of it, and send its record again as late as it comes.
 *  Forget the chunks of parts that nobody went on with for `days` (0: of none): the file stays on
 *  its way, and begins anew. In a transaction that writes, so that nothing comes to be named and no
 *  chunk comes meanwhile. */
OCOP_MUST_USE enum ocop_status files_sweep(struct registry *r, unsigned days, bool restored,
                                           FILE *out, struct files_swept *swept,
                                           struct ocop_error *err);

#endif
