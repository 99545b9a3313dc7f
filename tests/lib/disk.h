/* A disk that fails: a VFS over SQLite's own whose writes, or whose reads, fail after a countdown.
 */
#ifndef TEST_DISK_H
#define TEST_DISK_H

#define DISK_VFS "failing"

/** Offer it as the VFS DISK_VFS, without faults as yet. */
void disk_register(void);
void disk_unregister(void);

/** Let so many writes or reads pass and fail all that follow: as a full disk does, and as a broken
 *  one. Negative: any number pass. */
void disk_writes_left(int count);
void disk_reads_left(int count);

/** How often a file was synced so far. */
unsigned disk_syncs(void);

#endif
