#include "disk.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>

#include "test.h"

enum { KINDS_MAX = 4 }; /* SQLite's VFS has several sets of methods, by kind of file */

static struct {
    sqlite3_vfs vfs, *real;
    sqlite3_io_methods methods[KINDS_MAX];
    const sqlite3_io_methods *of[KINDS_MAX];
    int writes_left, reads_left;
    unsigned syncs;
} disk;

/* One more of what is counted: may it pass? */
static bool passes(int *left)
{
    if (*left == 0)
        return false;
    *left -= *left > 0;
    return true;
}

static const sqlite3_io_methods *real_of(sqlite3_file *file)
{
    return disk.of[file->pMethods - disk.methods];
}

static int disk_write(sqlite3_file *file, const void *p, int len, sqlite3_int64 at)
{
    return passes(&disk.writes_left) ? real_of(file)->xWrite(file, p, len, at) : SQLITE_FULL;
}

static int disk_read(sqlite3_file *file, void *p, int len, sqlite3_int64 at)
{
    return passes(&disk.reads_left) ? real_of(file)->xRead(file, p, len, at) : SQLITE_IOERR_READ;
}

static int disk_sync(sqlite3_file *file, int flags)
{
    disk.syncs++;
    return real_of(file)->xSync(file, flags);
}

static int disk_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out)
{
    int code = disk.real->xOpen(disk.real, name, file, flags, out);
    size_t n = 0;

    (void)vfs;
    if (code != SQLITE_OK || !file->pMethods)
        return code;
    while (n < KINDS_MAX && disk.of[n] && disk.of[n] != file->pMethods)
        n++;
    assert_in_range(n, 0, KINDS_MAX - 1);
    disk.of[n] = file->pMethods;
    disk.methods[n] = *file->pMethods;
    disk.methods[n].xWrite = disk_write;
    disk.methods[n].xRead = disk_read;
    disk.methods[n].xSync = disk_sync;
    if (disk.methods[n].iVersion > 2)
        disk.methods[n].iVersion = 2; /* no mapped pages: they would be read past us */
    file->pMethods = &disk.methods[n];
    return code;
}

void disk_register(void)
{
    disk.real = sqlite3_vfs_find("unix"); /* below the VFS that encrypts, where there is one */
    disk.vfs = *disk.real;
    disk.vfs.zName = DISK_VFS;
    disk.vfs.xOpen = disk_open;
    disk_writes_left(-1);
    disk_reads_left(-1);
    assert_int_equal(sqlite3_vfs_register(&disk.vfs, 0), SQLITE_OK);
}

void disk_unregister(void)
{
    assert_int_equal(sqlite3_vfs_unregister(&disk.vfs), SQLITE_OK);
}

void disk_writes_left(int count)
{
    disk.writes_left = count;
}

void disk_reads_left(int count)
{
    disk.reads_left = count;
}

unsigned disk_syncs(void)
{
    return disk.syncs;
}
