/* The contents of a store: the folder beside its file, and what keeps the two in step. */
#ifndef CLIENT_FILES_H
#define CLIENT_FILES_H

#include "store.h"

/** The folder of the store's contents, with its key. In a transaction that writes, the key is made
 *  when there is none yet; else OCOP_ENOTFOUND. End with files_dir_fini. */
OCOP_MUST_USE enum ocop_status files_dir(struct ocop_store *s, bool make_key,
                                         struct content_dir *out, struct ocop_error *err);
void files_dir_fini(struct content_dir *d);

/** At opening: what a killed program left half written goes, and with it what is named by
 *  nothing. What cannot be removed now is removed later. */
void files_tidy(struct ocop_store *s);
/** Inside a transaction that leaves contents which nothing names: they are swept behind it by
 *  files_swept, or at the next opening when the program is killed before. */
void files_loosen(struct ocop_store *s);
/** Sweep, when something is loose. What cannot be removed now is removed later. */
void files_sweep_loose(struct ocop_store *s);
/** ... unless `st` is a failure, which is given back. */
OCOP_MUST_USE enum ocop_status files_swept(struct ocop_store *s, enum ocop_status st);
/** Inside a transaction: is there room on this device for so many bytes more, of this content? What
 *  can be fetched again goes for it, as ocop_files_keep says, and is swept behind it. OCOP_ELIMIT:
 * what was not sent yet leaves none. */
OCOP_MUST_USE enum ocop_status files_make_room(struct ocop_store *s,
                                               const uint8_t hash[FILE_HASH_LEN], uint64_t size,
                                               struct ocop_error *err);
/** After a sync: the contents of records that left go too, when the registry has them. `moved`:
 *  something may have left. What cannot be removed now is removed later. */
void files_follow(struct ocop_store *s, bool moved);
/** For a wipe: all of them, and the folder. */
OCOP_MUST_USE enum ocop_status files_clear(struct ocop_store *s, struct ocop_error *err);

/** Hold the rows of table file and the folder against each other; inside a transaction that reads.
 *  `found` gets a line for each finding. */
OCOP_MUST_USE enum ocop_status files_check(struct ocop_store *s,
                                           void (*found)(void *self, const char *line), void *self,
                                           struct ocop_error *err);

#endif
