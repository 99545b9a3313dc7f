/* A disk that loses power: a SQLite VFS over files in memory (or wherever the folder lies) that
 * knows, for every sector, what it held at the last sync and since. */
#ifndef SIM_DISK_H
#define SIM_DISK_H

#include "chance.h"

enum { DISK_PATH_MAX = 200 };

struct disk_file;
struct entry; /* of its folders of contents, see folder.h */

/* How a disk forgets. Anything it may do is a mixture of these. */
enum loss { LOSE_ALL, KEEP_ALL, KEEP_PREFIX, KEEP_SOME, LOSS_COUNT };

/* What becomes of an operation. */
enum disk_fate { GOES_ON, FAILS, DIES };

struct disk {
    char dir[DISK_PATH_MAX]; /* what lies below belongs to it */
    struct chance chance;
    bool tracks; /* it may lose power: sectors are remembered */
    bool dead;   /* the machine is down: every operation fails and nothing changes */
    /* Countdowns of operations (opening, writing, truncating, syncing, deleting); 0: none. */
    uint64_t crash_in;
    uint64_t fail_in;    /* the machine stays up, the operation fails */
    unsigned fail_count; /* so many in a row */
    bool fails_reading;  /* reading is an operation that fails */
    bool full;           /* it fails because the disk is full */
    uint64_t operations, crashes;
    struct disk_file *files;
    struct entry *entries;
    struct disk *next;
};

/** Make the VFS the default of this process. Chance for SQLite itself comes from `c`. */
void disk_install(struct chance *c);

void disk_mount(struct disk *d, const char *dir, uint64_t seed);
void disk_unmount(struct disk *d);

/** The disk that a path lies on; NULL: none of these. */
struct disk *disk_of(const char *path);
/** What becomes of the next operation. */
enum disk_fate disk_fate(struct disk *d);

/** Power is lost: every write that was not synced is there or not, whole or torn, in any order.
 *  All handles of the disk must be closed. */
void disk_power_loss(struct disk *d);

/** Up again after `dead`. */
void disk_revive(struct disk *d);

/** What lies there now, by whatever means it came, is safe: after copying or removing files. */
void disk_settle(struct disk *d);

#endif
