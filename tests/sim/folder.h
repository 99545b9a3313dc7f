/* The folders of contents on a simulated disk. What the product does to files there (the linker
 * puts this between, see SIM in the Makefile) happens in memory, counts as operations of the disk,
 * fails with it, and is lost with its power unless it was synced: bytes of a file by fsync of the
 * file, names by fsync of their folder. */
#ifndef SIM_FOLDER_H
#define SIM_FOLDER_H

#include "disk.h"

/** Operation at which the oldest thing was done that is not safe; `none` when all is. */
uint64_t folder_first(const struct disk *d, uint64_t none);
/** Power is lost. All files must be closed. */
void folder_power_loss(struct disk *d, enum loss how, uint64_t until);
/** What is there now is safe. */
void folder_settle(struct disk *d);
/** Nothing is there any more. */
void folder_drop(struct disk *d);

/** Put a copy of all that lies below `from` in the place of `to`; both may be on any disk. */
void folder_copy(const char *from, const char *to);
void folder_remove(const char *path);
/** Flip a bit of a file. False when there is none. */
bool folder_damage(const char *path, struct chance *c);

#endif
