/* Files and folders of contents, in memory: see folder.h. Entries are kept in one list for each
 * disk, by their whole path. Knows of what is stored only that a file which gets the name of a hash
 * in the registry's folder must have it. */
#include "folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "sim.h"

enum { BLOCK = 1024, FD_FIRST = 1 << 28, HANDLES_MAX = 32, LISTINGS_MAX = 8, LEAF_MAX = 100 };
enum { NAME_LEN = 2 * crypto_generichash_BYTES };

struct bytes {
    uint8_t *p;
    size_t len, room;
};

/* A file's content, under whatever names it has. */
struct inode {
    unsigned names; /* entries and handles that hold it */
    bool folder, changed;
    struct bytes now, safe; /* safe: at the last sync */
    uint64_t size_at;       /* operations at which size and blocks last changed since */
    struct {
        uint64_t *at;
        size_t count;
    } blocks;
};

struct entry {
    struct entry *next;
    char path[DISK_PATH_MAX + LEAF_MAX];
    struct inode *now, *safe; /* NULL: there is none of this name */
    uint64_t at;
};

struct handle {
    struct disk *disk;   /* NULL: free */
    struct inode *inode; /* NULL: the folder in which all others lie */
    const char *path;
    size_t at;
    bool locked;
};

/* Names of a folder as they were when it was opened. */
struct listing {
    bool used;
    size_t count, next;
    char (*names)[LEAF_MAX];
    struct dirent last;
};

static struct handle handles[HANDLES_MAX];
static struct listing listings[LISTINGS_MAX];

/* --- bytes ------------------------------------------------------------------------------------
 */

/* What a disk holds is not the machine's memory. */
static void *again(void *p, size_t size)
{
    struct node *n = node_enter(NULL);
    void *q = size ? realloc(p, size) : NULL;
    if (!size)
        free(p);
    node_enter(n);
    CHECK(q || !size);
    return q;
}

static void *zeroed(size_t size)
{
    return memset(again(NULL, size), 0, size);
}

static void bytes_size(struct bytes *b, size_t len)
{
    if (len > b->room) {
        b->room = len + len / 2;
        b->p = again(b->p, b->room);
    }
    if (len > b->len)
        memset(b->p + b->len, 0, len - b->len);
    b->len = len;
}

static void bytes_copy(struct bytes *to, const struct bytes *from)
{
    bytes_size(to, from->len);
    if (from->len)
        memcpy(to->p, from->p, from->len);
}

static void inode_safe(struct inode *i)
{
    if (i->changed)
        bytes_copy(&i->safe, &i->now);
    i->changed = false;
    i->size_at = 0;
    i->blocks.count = 0;
}

static struct inode *inode_hold(struct inode *i)
{
    if (i)
        i->names++;
    return i;
}

static void inode_drop(struct inode *i)
{
    if (!i || --i->names > 0)
        return;
    again(i->now.p, 0);
    again(i->safe.p, 0);
    again(i->blocks.at, 0);
    again(i, 0);
}

/* --- entries ----------------------------------------------------------------------------------
 */

static bool is_folder_path(const char *path)
{
    return strstr(path, "blobs") != NULL;
}

/* NULL: it is none of ours. */
static struct disk *disk_at(const char *path)
{
    return path && is_folder_path(path) ? disk_of(path) : NULL;
}

static struct entry *entry_find(const struct disk *d, const char *path)
{
    struct entry *e = d->entries;
    while (e && strcmp(e->path, path) != 0)
        e = e->next;
    return e;
}

static void entries_forget(struct disk *d)
{
    struct entry **at = &d->entries;
    while (*at) {
        struct entry *e = *at;
        if (e->now || e->safe) {
            at = &e->next;
            continue;
        }
        *at = e->next;
        again(e, 0);
    }
}

static struct entry *entry_make(struct disk *d, const char *path)
{
    struct entry *e = entry_find(d, path);
    if (e)
        return e;
    entries_forget(d);
    e = zeroed(sizeof *e);
    CHECK(strlen(path) < sizeof e->path);
    snprintf(e->path, sizeof e->path, "%s", path);
    e->next = d->entries;
    d->entries = e;
    return e;
}

static void entry_safe(struct entry *e)
{
    inode_hold(e->now);
    inode_drop(e->safe);
    e->safe = e->now;
}

static void entry_name(struct disk *d, struct entry *e, struct inode *i)
{
    inode_hold(i);
    inode_drop(e->now);
    e->now = i;
    e->at = d->operations;
    if (!d->tracks)
        entry_safe(e);
}

/* Length of the path of what it lies in. */
static size_t parent_len(const char *path)
{
    return (size_t)(strrchr(path, '/') - path);
}

static bool lies_in(const char *path, const char *folder)
{
    size_t len = strlen(folder);
    return parent_len(path) == len && memcmp(path, folder, len) == 0;
}

static bool lies_below(const char *path, const char *folder)
{
    size_t len = strlen(folder);
    return strncmp(path, folder, len) == 0 && path[len] == '/';
}

/* The folder that holds all others lies in one of the real file system. */
static bool has_parent(const struct disk *d, const char *path)
{
    char parent[DISK_PATH_MAX + LEAF_MAX];
    snprintf(parent, sizeof parent, "%.*s", (int)parent_len(path), path);
    const struct entry *e = entry_find(d, parent);
    return !is_folder_path(parent) || (e && e->now && e->now->folder);
}

/* --- losing power -----------------------------------------------------------------------------
 */

uint64_t folder_first(const struct disk *d, uint64_t none)
{
    for (const struct entry *e = d->entries; e; e = e->next)
        if (e->now != e->safe && e->at < none)
            none = e->at;
    return none;
}

static bool stays(struct disk *d, enum loss how, uint64_t until, uint64_t at)
{
    return how == KEEP_ALL || (how == KEEP_PREFIX && at <= until) ||
           (how == KEEP_SOME && chance_percent(&d->chance, 50));
}

static void file_forget(struct disk *d, struct inode *i, enum loss how, uint64_t until)
{
    struct bytes was = {NULL, 0, 0};
    if (!i->changed)
        return;
    bytes_copy(&was, &i->now);
    size_t len = stays(d, how, until, i->size_at) ? i->now.len : i->safe.len;
    bytes_copy(&i->now, &i->safe);
    bytes_size(&i->now, len);
    for (size_t n = 0; n < i->blocks.count; n++) {
        size_t at = n * BLOCK, end = at + BLOCK < len ? at + BLOCK : len;
        if (!i->blocks.at[n] || at >= len || !stays(d, how, until, i->blocks.at[n]))
            continue;
        if (how >= KEEP_PREFIX && chance_percent(&d->chance, 10)) /* torn */
            end = at + chance_below(&d->chance, (unsigned)(end - at) + 1);
        for (; at < end; at++)
            i->now.p[at] = at < was.len ? was.p[at] : 0;
    }
    again(was.p, 0);
    inode_safe(i);
}

void folder_power_loss(struct disk *d, enum loss how, uint64_t until)
{
    for (const struct handle *h = handles; h < handles + HANDLES_MAX; h++)
        CHECK(h->disk != d);
    for (struct entry *e = d->entries; e; e = e->next)
        if (e->now != e->safe && !stays(d, how, until, e->at))
            entry_name(d, e, e->safe);
    for (struct entry *folder = d->entries; folder; folder = folder->next)
        for (struct entry *e = folder->now ? NULL : d->entries; e; e = e->next)
            if (e->now && lies_below(e->path, folder->path))
                entry_name(d, e, NULL); /* what lay in a folder that never was */
    for (struct entry *e = d->entries; e; e = e->next)
        if (e->now && !e->now->folder)
            file_forget(d, e->now, how, until);
    folder_settle(d);
}

void folder_settle(struct disk *d)
{
    for (struct entry *e = d->entries; e; e = e->next) {
        entry_safe(e);
        if (e->now)
            inode_safe(e->now);
    }
    entries_forget(d);
}

void folder_drop(struct disk *d)
{
    for (struct entry *e = d->entries; e; e = e->next)
        entry_name(d, e, NULL);
    folder_settle(d);
}

/* --- from outside -----------------------------------------------------------------------------
 */

void folder_remove(const char *path)
{
    struct disk *d = disk_at(path);
    for (struct entry *e = d ? d->entries : NULL; e; e = e->next)
        if (strcmp(e->path, path) == 0 || lies_below(e->path, path)) {
            entry_name(d, e, NULL);
            entry_safe(e);
        }
}

void folder_copy(const char *from, const char *to)
{
    struct disk *source = disk_at(from), *target = disk_at(to);
    char path[DISK_PATH_MAX + LEAF_MAX];
    CHECK(source && target);
    folder_remove(to);
    for (const struct entry *e = source->entries; e; e = e->next) {
        if (!e->now || (strcmp(e->path, from) != 0 && !lies_below(e->path, from)))
            continue;
        struct inode *copy = zeroed(sizeof *copy);
        copy->folder = e->now->folder;
        copy->changed = true;
        bytes_copy(&copy->now, &e->now->now);
        inode_safe(copy);
        CHECK((size_t)snprintf(path, sizeof path, "%s%s", to, e->path + strlen(from)) <
              sizeof path);
        struct entry *made = entry_make(target, path);
        entry_name(target, made, copy);
        entry_safe(made);
    }
}

bool folder_damage(const char *path, struct chance *c)
{
    const struct disk *d = disk_at(path);
    const struct entry *e = d ? entry_find(d, path) : NULL;
    if (!e || !e->now || e->now->now.len == 0)
        return false;
    e->now->now.p[chance_below(c, (unsigned)e->now->now.len)] ^= 1;
    e->now->changed = true;
    inode_safe(e->now);
    return true;
}

/* --- operations -------------------------------------------------------------------------------
 */

static struct handle *handle_of(int fd)
{
    struct handle *h = fd >= FD_FIRST ? &handles[fd - FD_FIRST] : NULL;
    CHECK(!h || (h < handles + HANDLES_MAX && h->disk));
    return h;
}

static int handle_new(struct disk *d, struct inode *i, const char *path)
{
    struct handle *h = handles;
    while (h < handles + HANDLES_MAX && h->disk)
        h++;
    CHECK(h < handles + HANDLES_MAX); /* somebody closes nothing */
    *h = (struct handle){.disk = d, .inode = inode_hold(i), .path = path};
    return FD_FIRST + (int)(h - handles);
}

static int fails(int number)
{
    errno = number;
    return -1;
}

/* An operation that changes something: 0 when it goes on. */
static int operation(struct disk *d)
{
    if (d->dead)
        return fails(EIO);
    return disk_fate(d) == GOES_ON ? 0 : fails(d->full ? ENOSPC : EIO);
}

static int looking(struct disk *d)
{
    return d->dead || (d->fails_reading && disk_fate(d) != GOES_ON) ? fails(EIO) : 0;
}

static void note_write(struct handle *h, size_t from, size_t to)
{
    struct inode *i = h->inode;
    size_t blocks = (to + BLOCK - 1) / BLOCK;
    i->changed = true;
    if (!h->disk->tracks)
        return;
    if (blocks > i->blocks.count) {
        i->blocks.at = again(i->blocks.at, blocks * sizeof *i->blocks.at);
        memset(i->blocks.at + i->blocks.count, 0,
               (blocks - i->blocks.count) * sizeof *i->blocks.at);
        i->blocks.count = blocks;
    }
    for (size_t n = from / BLOCK; n * BLOCK < to; n++)
        i->blocks.at[n] = h->disk->operations;
}

static void put(struct handle *h, const void *p, size_t len, size_t at)
{
    struct inode *i = h->inode;
    if (len == 0)
        return;
    if (at + len > i->now.len) {
        bytes_size(&i->now, at + len);
        i->size_at = h->disk->operations;
    }
    memcpy(i->now.p + at, p, len);
    note_write(h, at, at + len);
}

/* The beginning may have reached the file. */
static ssize_t file_put(struct handle *h, const void *p, size_t len, size_t at)
{
    struct disk *d = h->disk;
    if (d->dead)
        return fails(EIO);
    if (operation(d) != 0) {
        int number = errno;
        put(h, p, chance_percent(&d->chance, 50) ? chance_below(&d->chance, (unsigned)len + 1) : 0,
            at);
        return fails(number);
    }
    put(h, p, len, at);
    return (ssize_t)len;
}

static ssize_t file_get(struct handle *h, void *p, size_t len, size_t at)
{
    const struct bytes *b = &h->inode->now;
    size_t n = at < b->len ? b->len - at : 0;
    if (looking(h->disk) != 0)
        return -1;
    n = n < len ? n : len;
    if (n)
        memcpy(p, b->p + at, n);
    return (ssize_t)n;
}

/* A dying machine may have come to the end of it. */
static int file_sync(struct handle *h)
{
    struct disk *d = h->disk;
    if (d->dead)
        return fails(EIO);
    enum disk_fate fate = disk_fate(d);
    if (fate == FAILS || (fate == DIES && chance_percent(&d->chance, 50)))
        return fails(EIO);
    if (!d->tracks)
        return fate == DIES ? fails(EIO) : 0;
    if (!h->inode || h->inode->folder) {
        for (struct entry *e = d->entries; e; e = e->next)
            if (lies_in(e->path, h->path))
                entry_safe(e);
    } else {
        inode_safe(h->inode);
    }
    return fate == DIES ? fails(EIO) : 0;
}

/* In the registry's folder, where contents are kept as they are: a name is a promise. */
static void name_holds(const struct entry *e, const struct inode *i)
{
    uint8_t hash[crypto_generichash_BYTES];
    char name[NAME_LEN + 1];
    const char *leaf = strrchr(e->path, '/') + 1;
    const struct node *n = node_working();
    if (strlen(leaf) != NAME_LEN || !strstr(e->path, "/registry.db.blobs/") ||
        strstr(e->path, "/thumb/") ||
        strstr(e->path, "/damaged/")) /* it is of that name's, or was */
        return;
    crypto_generichash(hash, sizeof hash, i->now.p, i->now.len, NULL, 0);
    sodium_bin2hex(name, sizeof name, hash, sizeof hash);
    if (strcmp(name, leaf) != 0)
        sim_fail(n->sim, "hash", "a file takes the place of content %s and is %s", leaf, name);
}

static int entry_open(struct disk *d, const char *path, int flags)
{
    struct entry *e = entry_find(d, path);
    bool there = e && e->now;
    if (d->dead)
        return fails(EIO);
    if (there && (flags & O_EXCL))
        return fails(EEXIST);
    if (there)
        return looking(d) != 0 ? -1 : handle_new(d, e->now, e->path);
    if (!(flags & O_CREAT) || !has_parent(d, path))
        return fails(ENOENT);
    if (operation(d) != 0)
        return -1;
    e = entry_make(d, path);
    entry_name(d, e, zeroed(sizeof(struct inode)));
    return handle_new(d, e->now, e->path);
}

static int entry_rename(struct disk *d, const char *from, const char *to)
{
    struct entry *old = entry_find(d, from), *made;
    if (d->dead)
        return fails(EIO);
    if (!old || !old->now || !has_parent(d, to))
        return fails(ENOENT);
    if (operation(d) != 0)
        return -1;
    made = entry_make(d, to);
    name_holds(made, old->now);
    entry_name(d, made, old->now);
    entry_name(d, old, NULL);
    return 0;
}

static int entry_remove(struct disk *d, const char *path, bool folder)
{
    struct entry *e = entry_find(d, path);
    if (d->dead)
        return fails(EIO);
    if (!e || !e->now)
        return fails(ENOENT);
    if (e->now->folder != folder)
        return fails(folder ? ENOTDIR : EISDIR);
    for (const struct entry *in = folder ? d->entries : NULL; in; in = in->next)
        if (in->now && lies_in(in->path, path))
            return fails(ENOTEMPTY);
    if (operation(d) != 0)
        return -1;
    entry_name(d, e, NULL);
    return 0;
}

static int folder_make(struct disk *d, const char *path)
{
    struct entry *e = entry_find(d, path);
    if (d->dead)
        return fails(EIO);
    if (e && e->now)
        return fails(EEXIST);
    if (!has_parent(d, path))
        return fails(ENOENT);
    if (operation(d) != 0)
        return -1;
    struct inode *i = zeroed(sizeof *i);
    i->folder = true;
    entry_name(d, entry_make(d, path), i);
    return 0;
}

static struct listing *folder_list(struct disk *d, const char *path)
{
    const struct entry *folder = entry_find(d, path);
    struct listing *l = listings;
    if (looking(d) != 0)
        return NULL;
    if (!folder || !folder->now) {
        errno = ENOENT;
        return NULL;
    }
    if (!folder->now->folder) {
        errno = ENOTDIR;
        return NULL;
    }
    while (l < listings + LISTINGS_MAX && l->used)
        l++;
    CHECK(l < listings + LISTINGS_MAX);
    *l = (struct listing){.used = true};
    for (const struct entry *e = d->entries; e; e = e->next) {
        if (!e->now || !lies_in(e->path, path))
            continue;
        l->names = again(l->names, (l->count + 1) * sizeof *l->names);
        snprintf(l->names[l->count++], LEAF_MAX, "%s", strrchr(e->path, '/') + 1);
    }
    return l;
}

static struct listing *listing_of(DIR *dir)
{
    for (struct listing *l = listings; l < listings + LISTINGS_MAX; l++)
        if ((void *)dir == (void *)l)
            return l;
    return NULL;
}

/* --- between the product and the C library ----------------------------------------------------
 */

/* With large files the headers give calls another name. */
#ifdef __USE_FILE_OFFSET64
#define REAL(name) __real_##name##64
#define WRAP(name) __wrap_##name##64
#else
#define REAL(name) __real_##name
#define WRAP(name) __wrap_##name
#endif
#if defined __GLIBC__ && defined __USE_TIME_BITS64 /* and where time_t had 32 bits once, one more  \
                                                    */
#define REAL_STAT __real___stat64_time64
#define WRAP_STAT __wrap___stat64_time64
#else
#define REAL_STAT REAL(stat)
#define WRAP_STAT WRAP(stat)
#endif

int REAL(open)(const char *path, int flags, ...);
int WRAP(open)(const char *path, int flags, ...);
int REAL_STAT(const char *path, struct stat *out);
int WRAP_STAT(const char *path, struct stat *out);
int WRAP(statvfs)(const char *path, struct statvfs *out);
int REAL(statvfs)(const char *path, struct statvfs *out);
int REAL(ftruncate)(int fd, off_t len);
int WRAP(ftruncate)(int fd, off_t len);
ssize_t REAL(pread)(int fd, void *p, size_t len, off_t at);
ssize_t WRAP(pread)(int fd, void *p, size_t len, off_t at);
ssize_t REAL(pwrite)(int fd, const void *p, size_t len, off_t at);
ssize_t WRAP(pwrite)(int fd, const void *p, size_t len, off_t at);
struct dirent *REAL(readdir)(DIR *dir);
struct dirent *WRAP(readdir)(DIR *dir);
int __real_close(int fd);
int __wrap_close(int fd);
int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __real_flock(int fd, int how);
int __wrap_flock(int fd, int how);
int __real_mkdir(const char *path, mode_t mode);
int __wrap_mkdir(const char *path, mode_t mode);
int __real_rmdir(const char *path);
int __wrap_rmdir(const char *path);
int __real_unlink(const char *path);
int __wrap_unlink(const char *path);
int __real_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to);
ssize_t __real_write(int fd, const void *p, size_t len);
ssize_t __wrap_write(int fd, const void *p, size_t len);
DIR *__real_opendir(const char *path);
DIR *__wrap_opendir(const char *path);
int __real_closedir(DIR *dir);
int __wrap_closedir(DIR *dir);

int WRAP(open)(const char *path, int flags, ...)
{
    struct disk *d = disk_at(path);
    unsigned mode = 0;
    if (flags & O_CREAT) {
        va_list args;
        va_start(args, flags);
        mode = va_arg(args, unsigned);
        va_end(args);
    }
    if (!d && (flags & O_DIRECTORY)) {
        char below[DISK_PATH_MAX + 8];
        snprintf(below, sizeof below, "%.200s/x", path);
        struct disk *of = disk_of(below);
        if (of && strcmp(of->dir, path) == 0)
            return looking(of) != 0 ? -1 : handle_new(of, NULL, of->dir);
    }
    return d ? entry_open(d, path, flags) : REAL(open)(path, flags, mode);
}

int WRAP_STAT(const char *path, struct stat *out)
{
    struct disk *d = disk_at(path);
    if (!d)
        return REAL_STAT(path, out);
    const struct entry *e = entry_find(d, path);
    if (looking(d) != 0)
        return -1;
    if (!e || !e->now)
        return fails(ENOENT);
    memset(out, 0, sizeof *out);
    out->st_mode = e->now->folder ? S_IFDIR : S_IFREG;
    out->st_size = (off_t)e->now->now.len;
    return 0;
}

/* There is room until it is told that there is none. */
int WRAP(statvfs)(const char *path, struct statvfs *out)
{
    if (!disk_of(path) && !disk_at(path))
        return REAL(statvfs)(path, out);
    memset(out, 0, sizeof *out);
    out->f_frsize = BLOCK;
    out->f_bavail = 1 << 20;
    return 0;
}

int WRAP(ftruncate)(int fd, off_t len)
{
    struct handle *h = handle_of(fd);
    if (!h)
        return REAL(ftruncate)(fd, len);
    if (operation(h->disk) != 0)
        return -1;
    bytes_size(&h->inode->now, (size_t)len);
    h->inode->changed = true;
    h->inode->size_at = h->disk->operations;
    return 0;
}

ssize_t WRAP(pread)(int fd, void *p, size_t len, off_t at)
{
    struct handle *h = handle_of(fd);
    return h ? file_get(h, p, len, (size_t)at) : REAL(pread)(fd, p, len, at);
}

ssize_t WRAP(pwrite)(int fd, const void *p, size_t len, off_t at)
{
    struct handle *h = handle_of(fd);
    return h ? file_put(h, p, len, (size_t)at) : REAL(pwrite)(fd, p, len, at);
}

ssize_t __wrap_write(int fd, const void *p, size_t len)
{
    struct handle *h = handle_of(fd);
    if (!h)
        return __real_write(fd, p, len);
    ssize_t n = file_put(h, p, len, h->at);
    h->at += n > 0 ? (size_t)n : 0;
    return n;
}

int __wrap_fsync(int fd)
{
    struct handle *h = handle_of(fd);
    return h ? file_sync(h) : __real_fsync(fd);
}

int __wrap_flock(int fd, int how)
{
    struct handle *h = handle_of(fd);
    if (!h)
        return __real_flock(fd, how);
    for (const struct handle *o = handles; o < handles + HANDLES_MAX; o++)
        if (o != h && o->disk && o->inode == h->inode && o->locked)
            return fails(EWOULDBLOCK);
    h->locked = true;
    return 0;
}

int __wrap_close(int fd)
{
    struct handle *h = handle_of(fd);
    if (!h)
        return __real_close(fd);
    inode_drop(h->inode);
    *h = (struct handle){.disk = NULL};
    return 0;
}

int __wrap_mkdir(const char *path, mode_t mode)
{
    struct disk *d = disk_at(path);
    return d ? folder_make(d, path) : __real_mkdir(path, mode);
}

int __wrap_rmdir(const char *path)
{
    struct disk *d = disk_at(path);
    return d ? entry_remove(d, path, true) : __real_rmdir(path);
}

int __wrap_unlink(const char *path)
{
    struct disk *d = disk_at(path);
    return d ? entry_remove(d, path, false) : __real_unlink(path);
}

int __wrap_rename(const char *from, const char *to)
{
    struct disk *d = disk_at(from);
    return d ? entry_rename(d, from, to) : __real_rename(from, to);
}

DIR *__wrap_opendir(const char *path)
{
    struct disk *d = disk_at(path);
    return d ? (DIR *)(void *)folder_list(d, path) : __real_opendir(path);
}

struct dirent *WRAP(readdir)(DIR *dir)
{
    struct listing *l = listing_of(dir);
    if (!l)
        return REAL(readdir)(dir);
    if (l->next == l->count)
        return NULL;
    snprintf(l->last.d_name, sizeof l->last.d_name, "%s", l->names[l->next++]);
    return &l->last;
}

int __wrap_closedir(DIR *dir)
{
    struct listing *l = listing_of(dir);
    if (!l)
        return __real_closedir(dir);
    again(l->names, 0);
    *l = (struct listing){.used = false};
    return 0;
}
