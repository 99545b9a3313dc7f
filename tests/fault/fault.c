/* The seams through which faults come: the linker's --wrap for what we call, SQLite's allocator and
 * its VFS, jansson's allocator. The VFS passes everything on to the one that was the default. */
#include "fault.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <nanomsg/nn.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <unwind.h>

#include "test.h"

static struct {
    enum fault_kind kind;
    unsigned left, injected;
    bool forever;
    pthread_t thread; /* faults meet the thread that armed them, not the server beside it */
    bool listens;
    uint64_t *heard;
    size_t heard_count, heard_room;
} fault;

void fault_arm(enum fault_kind kind, unsigned after, bool forever)
{
    fault.left = after;
    fault.injected = 0;
    fault.forever = forever;
    fault.thread = pthread_self();
    fault.kind = kind;
}

unsigned fault_disarm(void)
{
    fault.kind = FAULT_NONE;
    return fault.injected;
}

/* --- where they come from ----------------------------------------------------------------------
 */

void *__real_realloc(void *p, size_t size);

static _Unwind_Reason_Code on_frame(struct _Unwind_Context *frame, void *self)
{
    uint64_t *hash = self;
    *hash = (*hash ^ (uint64_t)_Unwind_GetIP(frame)) * UINT64_C(0x100000001b3);
    return _URC_NO_REASON;
}

static void hear(void)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    (void)_Unwind_Backtrace(on_frame, &hash);
    if (fault.heard_count == fault.heard_room) {
        fault.heard_room = fault.heard_room ? fault.heard_room * 2 : 1024;
        fault.heard = __real_realloc(fault.heard, fault.heard_room * sizeof *fault.heard);
        assert_non_null(fault.heard);
    }
    fault.heard[fault.heard_count++] = hash;
}

void fault_listen(enum fault_kind kind)
{
    fault_arm(kind, 0, false);
    fault.heard = NULL;
    fault.heard_count = fault.heard_room = 0;
    fault.listens = true;
}

uint64_t *fault_heard(size_t *count)
{
    fault.listens = false;
    (void)fault_disarm();
    *count = fault.heard_count;
    return fault.heard;
}

static bool due(enum fault_kind kind)
{
    if (fault.kind != kind || !pthread_equal(fault.thread, pthread_self()))
        return false;
    if (fault.listens) {
        hear();
        return false;
    }
    if (fault.left > 0) {
        fault.left--;
        return false;
    }
    if (fault.injected > 0 && !fault.forever)
        return false;
    fault.injected++;
    return true;
}

/* --- allocations ------------------------------------------------------------------------------ */

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *p, size_t size);

void *__wrap_malloc(size_t size)
{
    return due(FAULT_ALLOC) ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return due(FAULT_ALLOC) ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *p, size_t size)
{
    return due(FAULT_ALLOC) ? NULL : __real_realloc(p, size);
}

static sqlite3_mem_methods plain_memory;

static void *sqlite_alloc(int size)
{
    return due(FAULT_ALLOC) ? NULL : plain_memory.xMalloc(size);
}

static void *sqlite_realloc(void *p, int size)
{
    return due(FAULT_ALLOC) ? NULL : plain_memory.xRealloc(p, size);
}

/* --- disk ------------------------------------------------------------------------------------- */

static sqlite3_vfs *plain_vfs;

struct file {
    sqlite3_file base;
    sqlite3_file *plain; /* behind this one */
};

static sqlite3_file *plain(sqlite3_file *f)
{
    return ((struct file *)f)->plain;
}

static int file_close(sqlite3_file *f)
{
    return plain(f)->pMethods->xClose(plain(f));
}

static int file_read(sqlite3_file *f, void *p, int len, sqlite3_int64 at)
{
    return due(FAULT_IO) ? SQLITE_IOERR_READ : plain(f)->pMethods->xRead(plain(f), p, len, at);
}

static int file_write(sqlite3_file *f, const void *p, int len, sqlite3_int64 at)
{
    if (due(FAULT_FULL))
        return SQLITE_FULL;
    return due(FAULT_IO) ? SQLITE_IOERR_WRITE : plain(f)->pMethods->xWrite(plain(f), p, len, at);
}

static int file_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    return due(FAULT_IO) ? SQLITE_IOERR_TRUNCATE : plain(f)->pMethods->xTruncate(plain(f), size);
}

/* The disk's own waiting is left out: these loops are about failures. */
static int file_sync(sqlite3_file *f, int flags)
{
    (void)f, (void)flags;
    return due(FAULT_IO) ? SQLITE_IOERR_FSYNC : SQLITE_OK;
}

static int file_size(sqlite3_file *f, sqlite3_int64 *out)
{
    return due(FAULT_IO) ? SQLITE_IOERR_FSTAT : plain(f)->pMethods->xFileSize(plain(f), out);
}

static int file_lock(sqlite3_file *f, int level)
{
    return plain(f)->pMethods->xLock(plain(f), level);
}

static int file_unlock(sqlite3_file *f, int level)
{
    return plain(f)->pMethods->xUnlock(plain(f), level);
}

static int file_reserved(sqlite3_file *f, int *out)
{
    return plain(f)->pMethods->xCheckReservedLock(plain(f), out);
}

static int file_control(sqlite3_file *f, int op, void *arg)
{
    return plain(f)->pMethods->xFileControl(plain(f), op, arg);
}

static int file_sector(sqlite3_file *f)
{
    return plain(f)->pMethods->xSectorSize(plain(f));
}

static int file_traits(sqlite3_file *f)
{
    return plain(f)->pMethods->xDeviceCharacteristics(plain(f));
}

static int file_shm_map(sqlite3_file *f, int page, int size, int extend, void volatile **out)
{
    return due(FAULT_IO) ? SQLITE_IOERR_SHMMAP
                         : plain(f)->pMethods->xShmMap(plain(f), page, size, extend, out);
}

static int file_shm_lock(sqlite3_file *f, int at, int count, int flags)
{
    return plain(f)->pMethods->xShmLock(plain(f), at, count, flags);
}

static void file_shm_barrier(sqlite3_file *f)
{
    plain(f)->pMethods->xShmBarrier(plain(f));
}

static int file_shm_unmap(sqlite3_file *f, int drop)
{
    return plain(f)->pMethods->xShmUnmap(plain(f), drop);
}

/* Version 2: without memory mapping, so that every read of a page passes here. */
static const sqlite3_io_methods file_methods = {.iVersion = 2,
                                                .xClose = file_close,
                                                .xRead = file_read,
                                                .xWrite = file_write,
                                                .xTruncate = file_truncate,
                                                .xSync = file_sync,
                                                .xFileSize = file_size,
                                                .xLock = file_lock,
                                                .xUnlock = file_unlock,
                                                .xCheckReservedLock = file_reserved,
                                                .xFileControl = file_control,
                                                .xSectorSize = file_sector,
                                                .xDeviceCharacteristics = file_traits,
                                                .xShmMap = file_shm_map,
                                                .xShmLock = file_shm_lock,
                                                .xShmBarrier = file_shm_barrier,
                                                .xShmUnmap = file_shm_unmap};

static int vfs_open(sqlite3_vfs *v, const char *name, sqlite3_file *f, int flags, int *out_flags)
{
    struct file *file = (struct file *)f;
    (void)v;
    f->pMethods = NULL;
    if (due(FAULT_IO))
        return SQLITE_CANTOPEN;
    file->plain = (sqlite3_file *)(file + 1);
    int rc = plain_vfs->xOpen(plain_vfs, name, file->plain, flags, out_flags);
    if (file->plain->pMethods)
        f->pMethods = &file_methods;
    return rc;
}

static int vfs_delete(sqlite3_vfs *v, const char *name, int sync_dir)
{
    (void)v;
    return due(FAULT_IO) ? SQLITE_IOERR_DELETE : plain_vfs->xDelete(plain_vfs, name, sync_dir);
}

static void vfs_make(void)
{
    static sqlite3_vfs vfs;
    plain_vfs = sqlite3_vfs_find(NULL);
    vfs = *plain_vfs;
    vfs.pNext = NULL;
    vfs.zName = "fault";
    vfs.szOsFile = (int)sizeof(struct file) + plain_vfs->szOsFile;
    vfs.xOpen = vfs_open;
    vfs.xDelete = vfs_delete;
    assert_int_equal(sqlite3_vfs_register(&vfs, 1), SQLITE_OK);
}

/* --- our own files ---------------------------------------------------------------------------- */

/* With large files the headers give some of them another name. */
#ifdef __USE_FILE_OFFSET64
#define REAL(name) __real_##name##64
#define WRAP(name) __wrap_##name##64
#else
#define REAL(name) __real_##name
#define WRAP(name) __wrap_##name
#endif

int __real_fsync(int fd);
int __real_rename(const char *from, const char *to);
int __real_link(const char *from, const char *to);
ssize_t __real_write(int fd, const void *p, size_t len);
ssize_t REAL(pread)(int fd, void *p, size_t len, off_t at);
ssize_t REAL(pwrite)(int fd, const void *p, size_t len, off_t at);
int REAL(open)(const char *path, int flags, ...);
int REAL(ftruncate)(int fd, off_t len);
int __real_unlink(const char *path);
DIR *__real_opendir(const char *path);
int __real_mkdir(const char *path, mode_t mode);
int __wrap_fsync(int fd);
int __wrap_rename(const char *from, const char *to);
int __wrap_link(const char *from, const char *to);
ssize_t __wrap_write(int fd, const void *p, size_t len);
ssize_t WRAP(pread)(int fd, void *p, size_t len, off_t at);
ssize_t WRAP(pwrite)(int fd, const void *p, size_t len, off_t at);
int WRAP(open)(const char *path, int flags, ...);
int WRAP(ftruncate)(int fd, off_t len);
int __wrap_unlink(const char *path);
DIR *__wrap_opendir(const char *path);
int __wrap_mkdir(const char *path, mode_t mode);

static bool file_fails(void)
{
    bool fails = due(FAULT_FILE);
    if (fails)
        errno = EIO;
    return fails;
}

int __wrap_fsync(int fd)
{
    (void)fd;
    return file_fails() ? -1 : 0;
}

int __wrap_rename(const char *from, const char *to)
{
    return file_fails() ? -1 : __real_rename(from, to);
}

int __wrap_link(const char *from, const char *to)
{
    return file_fails() ? -1 : __real_link(from, to);
}

ssize_t __wrap_write(int fd, const void *p, size_t len)
{
    return file_fails() ? -1 : __real_write(fd, p, len);
}

ssize_t WRAP(pread)(int fd, void *p, size_t len, off_t at)
{
    return file_fails() ? -1 : REAL(pread)(fd, p, len, at);
}

ssize_t WRAP(pwrite)(int fd, const void *p, size_t len, off_t at)
{
    return file_fails() ? -1 : REAL(pwrite)(fd, p, len, at);
}

int WRAP(open)(const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    unsigned mode = flags & O_CREAT ? va_arg(args, unsigned) : 0;
    va_end(args);
    return file_fails() ? -1 : REAL(open)(path, flags, mode);
}

int WRAP(ftruncate)(int fd, off_t len)
{
    return file_fails() ? -1 : REAL(ftruncate)(fd, len);
}

int __wrap_unlink(const char *path)
{
    return file_fails() ? -1 : __real_unlink(path);
}

DIR *__wrap_opendir(const char *path)
{
    return file_fails() ? NULL : __real_opendir(path);
}

int __wrap_mkdir(const char *path, mode_t mode)
{
    return file_fails() ? -1 : __real_mkdir(path, mode);
}

/* --- nanomsg ---------------------------------------------------------------------------------- */

int __real_nn_socket(int domain, int protocol);
int __real_nn_setsockopt(int s, int level, int option, const void *value, size_t len);
int __real_nn_connect(int s, const char *address);
int __real_nn_sendmsg(int s, const struct nn_msghdr *m, int flags);
int __real_nn_recvmsg(int s, struct nn_msghdr *m, int flags);
int __wrap_nn_socket(int domain, int protocol);
int __wrap_nn_setsockopt(int s, int level, int option, const void *value, size_t len);
int __wrap_nn_connect(int s, const char *address);
int __wrap_nn_sendmsg(int s, const struct nn_msghdr *m, int flags);
int __wrap_nn_recvmsg(int s, struct nn_msghdr *m, int flags);

static bool link_fails(int number)
{
    bool fails = due(FAULT_LINK);
    if (fails)
        errno = number;
    return fails;
}

int __wrap_nn_socket(int domain, int protocol)
{
    return link_fails(EMFILE) ? -1 : __real_nn_socket(domain, protocol);
}

int __wrap_nn_setsockopt(int s, int level, int option, const void *value, size_t len)
{
    return link_fails(EINVAL) ? -1 : __real_nn_setsockopt(s, level, option, value, len);
}

int __wrap_nn_connect(int s, const char *address)
{
    return link_fails(ENOMEM) ? -1 : __real_nn_connect(s, address);
}

int __wrap_nn_sendmsg(int s, const struct nn_msghdr *m, int flags)
{
    return link_fails(ENOMEM) ? -1 : __real_nn_sendmsg(s, m, flags);
}

int __wrap_nn_recvmsg(int s, struct nn_msghdr *m, int flags)
{
    return link_fails(EINTR) ? -1 : __real_nn_recvmsg(s, m, flags);
}

/* --- set up ----------------------------------------------------------------------------------- */

static void *json_alloc(size_t size)
{
    return due(FAULT_ALLOC) ? NULL : __real_malloc(size);
}

void fault_init(void)
{
    sqlite3_mem_methods memory;
    assert_int_equal(sqlite3_config(SQLITE_CONFIG_GETMALLOC, &plain_memory), SQLITE_OK);
    memory = plain_memory;
    memory.xMalloc = sqlite_alloc;
    memory.xRealloc = sqlite_realloc;
    assert_int_equal(sqlite3_config(SQLITE_CONFIG_MALLOC, &memory), SQLITE_OK);
    json_set_alloc_funcs(json_alloc, free);
    vfs_make();
}
