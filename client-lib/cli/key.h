/* The key of an encrypted store, and keeping it out of sight. */
#ifndef CLI_KEY_H
#define CLI_KEY_H

#include "command.h"

/** Open the store at s->path with the key of --key-file, $OCOP_KEY_FILE or $OCOP_KEY, if any; and
 *  with the same key that of --former, which may fail. */
OCOP_MUST_USE enum ocop_status key_open_store(struct session *s, bool must_exist,
                                              struct ocop_error *err);

/** What this program holds shall not be found in the file that a crash leaves, nor be read by
 *  another program of the same user. */
void key_keep_from_core(void);

#endif
