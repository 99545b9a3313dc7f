/* The disk of one simulated machine. Real files of SQLite's own unix VFS carry the bytes; this
 * file stands between, counts operations, fails them, and remembers per sector of 512 bytes every
 * content since the last sync, so that losing power can bring back any of them. Knows SQLite's VFS
 * and nothing of what is stored. */
#include "disk.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "err.h"
#include "folder.h"
#include "sim.h"

enum { SECTOR = 512, VERSIONS_MAX = 4, SIZES_MAX = 64, BUCKETS = 256 };

/* What a sector held: at the last sync (0), and after each write since. */
struct sector {
    struct sector *next;
    uint32_t number;
    unsigned count;
    uint64_t at[VERSIONS_MAX]; /* in the order of the disk's operations */
    uint8_t v[VERSIONS_MAX][SECTOR];
};

struct disk_file {
    struct disk_file *next;
    char path[DISK_PATH_MAX];
    bool named;    /* its name survives a loss of power */
    bool deleted;  /* but the folder is not synced: it may come back */
    uint8_t *last; /* then with this content */
    size_t last_size;
    struct sector *buckets[BUCKETS];
    unsigned size_count;
    uint64_t size_at[SIZES_MAX];
    int64_t size[SIZES_MAX]; /* [0] at the last sync */
};

struct open_file {
    sqlite3_file base;
    struct disk *disk;       /* NULL: a temporary file of SQLite's */
    struct disk_file *track; /* NULL: not tracked */
    bool journal;            /* its first sync syncs the folder too, as unix's does */
    sqlite3_file *real;
};

static sqlite3_vfs vfs, *under;
static struct chance *sqlite_chance;
static struct disk *mounted;

/* --- tracking -------------------------------------------------------------------------------- */

/* What the disk remembers is not the machine's memory. */
static void *room(size_t size)
{
    struct node *n = node_enter(NULL);
    void *p = calloc(1, size);
    node_enter(n);
    return p;
}

static void give_back(void *p)
{
    struct node *n = node_enter(NULL);
    free(p);
    node_enter(n);
}

static int64_t size_of(const char *path)
{
    struct stat s;
    return stat(path, &s) == 0 ? (int64_t)s.st_size : -1;
}

static struct disk_file *file_find(struct disk *d, const char *path)
{
    struct disk_file *f = d->files;
    while (f && strcmp(f->path, path) != 0)
        f = f->next;
    return f;
}

static void sectors_forget(struct disk_file *f)
{
    for (unsigned i = 0; i < BUCKETS; i++)
        while (f->buckets[i]) {
            struct sector *s = f->buckets[i];
            f->buckets[i] = s->next;
            give_back(s);
        }
}

static void file_settled(struct disk_file *f, int64_t size)
{
    sectors_forget(f);
    f->named = size >= 0;
    f->size_count = 1;
    f->size[0] = size < 0 ? 0 : size;
}

static struct disk_file *file_track(struct disk *d, const char *path, bool existed)
{
    struct disk_file *f = file_find(d, path);
    if (f && f->deleted) {
        /* A new file under the name: the old content cannot come back under it. */
        f->deleted = false;
        give_back(f->last);
        f->last = NULL;
        file_settled(f, -1);
    }
    if (f)
        return f;
    f = room(sizeof *f);
    CHECK(f && strlen(path) < sizeof f->path);
    snprintf(f->path, sizeof f->path, "%s", path);
    file_settled(f, existed ? size_of(path) : -1);
    f->next = d->files;
    d->files = f;
    return f;
}

static void file_drop(struct disk *d, struct disk_file *f)
{
    struct disk_file **at = &d->files;
    while (*at != f)
        at = &(*at)->next;
    *at = f->next;
    sectors_forget(f);
    give_back(f->last);
    give_back(f);
}

static struct sector *sector_find(struct disk_file *f, uint32_t number)
{
    struct sector *s = f->buckets[number % BUCKETS];
    while (s && s->number != number)
        s = s->next;
    return s;
}

/* Several sectors in a row. */
static void sectors_read(sqlite3_file *real, int64_t number, unsigned count, uint8_t *out)
{
    int rc = real->pMethods->xRead(real, out, (int)(count * SECTOR), number * SECTOR);
    if (rc != SQLITE_OK && rc != SQLITE_IOERR_SHORT_READ)
        memset(out, 0,
               count * SECTOR); /* SQLite fills what lies beyond the end with zeros itself */
}

static void sector_keep(struct disk_file *f, int64_t number, const uint8_t content[SECTOR])
{
    struct sector *s = room(sizeof *s), **bucket = &f->buckets[number % BUCKETS];
    CHECK(s);
    s->number = (uint32_t)number;
    s->count = 1;
    memcpy(s->v[0], content, SECTOR);
    s->next = *bucket;
    *bucket = s;
}

/* Before sectors change: what they hold is what they held when last synced. */
static void sectors_keep(struct open_file *o, int64_t from, int64_t to)
{
    enum { AT_ONCE = 16 };
    uint8_t content[AT_ONCE * SECTOR];
    for (int64_t n = from / SECTOR; n * SECTOR < to; n += AT_ONCE) {
        bool read = false;
        for (int64_t i = 0; i < AT_ONCE && (n + i) * SECTOR < to; i++) {
            if (sector_find(o->track, (uint32_t)(n + i)))
                continue;
            if (!read)
                sectors_read(o->real, n, AT_ONCE, content);
            read = true;
            sector_keep(o->track, n + i, content + i * SECTOR);
        }
    }
}

/* `written`: what was, from `from` on; NULL: nothing, they were cut off. */
static void sectors_changed(struct open_file *o, int64_t from, int64_t to, const uint8_t *written)
{
    for (int64_t n = from / SECTOR; n * SECTOR < to; n++) {
        struct sector *s = sector_find(o->track, (uint32_t)n);
        if (s->count == VERSIONS_MAX) { /* forget the oldest but the synced one */
            memmove(s->v[1], s->v[2], sizeof s->v[0] * (VERSIONS_MAX - 2));
            memmove(&s->at[1], &s->at[2], sizeof s->at[0] * (VERSIONS_MAX - 2));
            s->count--;
        }
        s->at[s->count] = o->disk->operations;
        uint8_t *now = s->v[s->count++];
        if (written && n * SECTOR >= from && (n + 1) * SECTOR <= to)
            memcpy(now, written + (n * SECTOR - from), SECTOR);
        else
            sectors_read(o->real, n, 1, now);
    }
}

static void size_changed(struct open_file *o)
{
    struct disk_file *f = o->track;
    sqlite3_int64 size = 0;
    o->real->pMethods->xFileSize(o->real, &size);
    if (f->size[f->size_count - 1] == size)
        return;
    if (f->size_count == SIZES_MAX) { /* keep the first and the latest */
        memmove(&f->size[1], &f->size[2], sizeof f->size[0] * (SIZES_MAX - 2));
        memmove(&f->size_at[1], &f->size_at[2], sizeof f->size_at[0] * (SIZES_MAX - 2));
        f->size_count--;
    }
    f->size_at[f->size_count] = o->disk->operations;
    f->size[f->size_count++] = size;
}

/* --- losing power ---------------------------------------------------------------------------- */

struct forgetting {
    enum loss how;
    uint64_t until; /* KEEP_PREFIX: operations up to here reached the platter */
    struct chance *chance;
};

static unsigned version_kept(const struct forgetting *g, const uint64_t *at, unsigned count)
{
    unsigned k = count - 1;
    switch (g->how) {
    case LOSE_ALL:
        return 0;
    case KEEP_ALL:
        return k;
    case KEEP_PREFIX:
        while (k > 0 && at[k] > g->until)
            k--;
        return k;
    default:
        return chance_below(g->chance, count);
    }
}

static void file_forget(struct disk_file *f, const struct forgetting *g)
{
    int64_t size = f->size[version_kept(g, f->size_at, f->size_count)];
    int fd = open(f->path, O_RDWR | O_CREAT, 0600);
    CHECK(fd >= 0);
    if (f->deleted)
        CHECK(write(fd, f->last, f->last_size) == (ssize_t)f->last_size);
    for (unsigned i = 0; i < BUCKETS; i++)
        for (struct sector *s = f->buckets[i]; s; s = s->next) {
            unsigned k = version_kept(g, s->at, s->count);
            uint8_t *content = s->v[k];
            if (g->how >= KEEP_PREFIX && k + 1 < s->count && chance_percent(g->chance, 10))
                memcpy(content, s->v[k + 1], chance_below(g->chance, SECTOR)); /* torn */
            CHECK(pwrite(fd, content, SECTOR, (off_t)s->number * SECTOR) == SECTOR);
        }
    CHECK(ftruncate(fd, size) == 0);
    close(fd);
}

void disk_power_loss(struct disk *d)
{
    struct forgetting g = {.how = (enum loss)chance_below(&d->chance, LOSS_COUNT),
                           .chance = &d->chance};
    uint64_t first = d->operations;
    for (const struct disk_file *f = d->files; f; f = f->next)
        for (unsigned i = 0; i < BUCKETS; i++)
            for (const struct sector *s = f->buckets[i]; s; s = s->next)
                if (s->count > 1 && s->at[1] < first)
                    first = s->at[1];
    first = folder_first(d, first);
    g.until = first + chance_below(&d->chance, (unsigned)(d->operations - first + 1));
    folder_power_loss(d, g.how, g.until);
    for (struct disk_file *f = d->files, *next; f; f = next) {
        next = f->next;
        bool there = f->deleted || size_of(f->path) >= 0;
        bool named =
            f->named || g.how == KEEP_ALL || (g.how != LOSE_ALL && chance_percent(&d->chance, 50));
        bool back = !f->deleted || g.how == LOSE_ALL ||
                    (g.how != KEEP_ALL && chance_percent(&d->chance, 50));
        if (there && named && back)
            file_forget(f, &g);
        else
            unlink(f->path);
        file_drop(d, f);
    }
}

void disk_settle(struct disk *d)
{
    while (d->files)
        file_drop(d, d->files);
    folder_settle(d);
}

void disk_revive(struct disk *d)
{
    d->dead = false;
    d->crash_in = d->fail_in = 0;
    d->fail_count = 0;
    d->fails_reading = d->full = false;
}

/* --- operations ------------------------------------------------------------------------------ */

enum disk_fate disk_fate(struct disk *d)
{
    if (!d)
        return GOES_ON;
    d->operations++;
    if (d->crash_in && --d->crash_in == 0) {
        d->dead = true;
        d->crashes++;
        return DIES;
    }
    if (d->fail_in && --d->fail_in == 0) {
        if (d->fail_count > 1) {
            d->fail_count--;
            d->fail_in = 1;
        }
        return FAILS;
    }
    return GOES_ON;
}

static bool is_dead(const struct open_file *o)
{
    return o->disk && o->disk->dead;
}

static int write_through(struct open_file *o, const void *p, int n, sqlite3_int64 at)
{
    if (n <= 0)
        return SQLITE_OK;
    if (o->track)
        sectors_keep(o, at, at + n);
    int rc = o->real->pMethods->xWrite(o->real, p, n, at);
    if (o->track && rc == SQLITE_OK) {
        sectors_changed(o, at, at + n, p);
        size_changed(o);
    }
    return rc;
}

static int disk_write(sqlite3_file *file, const void *p, int n, sqlite3_int64 at)
{
    struct open_file *o = (struct open_file *)file;
    if (is_dead(o))
        return SQLITE_IOERR_WRITE;
    enum disk_fate fate = disk_fate(o->disk);
    if (fate == GOES_ON)
        return write_through(o, p, n, at);
    /* The beginning may have reached the file. */
    int part = (int)chance_below(&o->disk->chance, (unsigned)n + 1);
    int rc = write_through(o, p, chance_percent(&o->disk->chance, 50) ? part : 0, at);
    return rc != SQLITE_OK ? rc : o->disk->full ? SQLITE_FULL : SQLITE_IOERR_WRITE;
}

static int disk_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    struct open_file *o = (struct open_file *)file;
    sqlite3_int64 old = 0;
    if (is_dead(o) || disk_fate(o->disk) != GOES_ON)
        return SQLITE_IOERR_TRUNCATE;
    if (!o->track)
        return o->real->pMethods->xTruncate(o->real, size);
    o->real->pMethods->xFileSize(o->real, &old);
    sectors_keep(o, size, old);
    int rc = o->real->pMethods->xTruncate(o->real, size);
    if (rc == SQLITE_OK) {
        sectors_changed(o, size, old, NULL);
        size_changed(o);
    }
    return rc;
}

/* Deletions in the folder are safe now. */
static void folder_synced(struct disk *d)
{
    for (struct disk_file *f = d->files, *next; f; f = next) {
        next = f->next;
        if (f->deleted)
            file_drop(d, f);
    }
}

static int disk_sync(sqlite3_file *file, int flags)
{
    struct open_file *o = (struct open_file *)file;
    (void)flags;
    if (is_dead(o))
        return SQLITE_IOERR_FSYNC;
    enum disk_fate fate = disk_fate(o->disk);
    if (fate == FAILS || (fate == DIES && chance_percent(&o->disk->chance, 50)))
        return SQLITE_IOERR_FSYNC;
    if (o->track) {
        if (o->journal && !o->track->named)
            folder_synced(o->disk);
        file_settled(o->track, size_of(o->track->path));
    }
    return fate == DIES ? SQLITE_IOERR_FSYNC : SQLITE_OK;
}

static int disk_read(sqlite3_file *file, void *p, int n, sqlite3_int64 at)
{
    struct open_file *o = (struct open_file *)file;
    if (is_dead(o) || (o->disk && o->disk->fails_reading && disk_fate(o->disk) != GOES_ON))
        return SQLITE_IOERR_READ;
    return o->real->pMethods->xRead(o->real, p, n, at);
}

static int disk_close(sqlite3_file *file)
{
    struct open_file *o = (struct open_file *)file;
    return o->real->pMethods->xClose(o->real);
}

/* --- what is passed on as it is --------------------------------------------------------------- */

#define REAL (((struct open_file *)file)->real)

static int pass_size(sqlite3_file *file, sqlite3_int64 *out)
{
    return REAL->pMethods->xFileSize(REAL, out);
}
static int pass_lock(sqlite3_file *file, int how)
{
    return REAL->pMethods->xLock(REAL, how);
}
static int pass_unlock(sqlite3_file *file, int how)
{
    return REAL->pMethods->xUnlock(REAL, how);
}
static int pass_reserved(sqlite3_file *file, int *out)
{
    return REAL->pMethods->xCheckReservedLock(REAL, out);
}
static int pass_control(sqlite3_file *file, int op, void *arg)
{
    return REAL->pMethods->xFileControl(REAL, op, arg);
}
static int sector_size(sqlite3_file *file)
{
    (void)file;
    return SECTOR;
}
static int characteristics(sqlite3_file *file)
{
    (void)file;
    return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}
static int pass_shm_map(sqlite3_file *file, int page, int size, int extend, void volatile **out)
{
    return REAL->pMethods->xShmMap(REAL, page, size, extend, out);
}
static int pass_shm_lock(sqlite3_file *file, int offset, int n, int flags)
{
    return REAL->pMethods->xShmLock(REAL, offset, n, flags);
}
static void pass_shm_barrier(sqlite3_file *file)
{
    REAL->pMethods->xShmBarrier(REAL);
}
static int pass_shm_unmap(sqlite3_file *file, int remove)
{
    return REAL->pMethods->xShmUnmap(REAL, remove);
}

static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = disk_close,
    .xRead = disk_read,
    .xWrite = disk_write,
    .xTruncate = disk_truncate,
    .xSync = disk_sync,
    .xFileSize = pass_size,
    .xLock = pass_lock,
    .xUnlock = pass_unlock,
    .xCheckReservedLock = pass_reserved,
    .xFileControl = pass_control,
    .xSectorSize = sector_size,
    .xDeviceCharacteristics = characteristics,
    .xShmMap = pass_shm_map,
    .xShmLock = pass_shm_lock,
    .xShmBarrier = pass_shm_barrier,
    .xShmUnmap = pass_shm_unmap,
};

/* --- the VFS --------------------------------------------------------------------------------- */

struct disk *disk_of(const char *path)
{
    struct disk *d = path ? mounted : NULL;
    for (; d; d = d->next) {
        size_t len = strlen(d->dir);
        if (strncmp(path, d->dir, len) == 0 && path[len] == '/')
            break;
    }
    return d;
}

static int vfs_open(sqlite3_vfs *v, const char *path, sqlite3_file *file, int flags, int *out)
{
    struct open_file *o = (struct open_file *)file;
    (void)v;
    *o = (struct open_file){.disk = disk_of(path), .real = (sqlite3_file *)(o + 1)};
    bool existed = path && size_of(path) >= 0;
    if (is_dead(o) || (!existed && disk_fate(o->disk) != GOES_ON))
        return SQLITE_CANTOPEN;
    o->journal = flags & (SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_SUPER_JOURNAL | SQLITE_OPEN_WAL);
    int rc = under->xOpen(under, path, o->real, flags, out);
    if (rc != SQLITE_OK)
        return rc;
    if (o->disk && o->disk->tracks && !(flags & SQLITE_OPEN_DELETEONCLOSE))
        o->track = file_track(o->disk, path, existed);
    o->base.pMethods = &methods;
    return SQLITE_OK;
}

static void keep_last(struct disk_file *f)
{
    int64_t size = size_of(f->path);
    int fd = open(f->path, O_RDONLY);
    f->last = room((size_t)size + 1);
    CHECK(fd >= 0 && f->last && read(fd, f->last, (size_t)size) == size);
    f->last_size = (size_t)size;
    close(fd);
}

static int vfs_delete(sqlite3_vfs *v, const char *path, int sync_dir)
{
    struct disk *d = disk_of(path);
    (void)v;
    if ((d && d->dead) || disk_fate(d) != GOES_ON)
        return SQLITE_IOERR_DELETE;
    struct disk_file *f = d && d->tracks ? file_find(d, path) : NULL;
    if (f && !sync_dir && f->named && size_of(path) >= 0 && !f->deleted) {
        keep_last(f);
        f->deleted = true;
    } else if (f && !f->deleted) {
        file_drop(d, f);
    }
    return under->xDelete(under, path, 0);
}

static int vfs_access(sqlite3_vfs *v, const char *path, int flags, int *out)
{
    struct disk *d = disk_of(path);
    (void)v;
    return d && d->dead ? SQLITE_IOERR_ACCESS : under->xAccess(under, path, flags, out);
}

static int vfs_full_path(sqlite3_vfs *v, const char *path, int n, char *out)
{
    (void)v;
    return under->xFullPathname(under, path, n, out);
}

static int vfs_randomness(sqlite3_vfs *v, int n, char *out)
{
    (void)v;
    chance_fill(sqlite_chance, out, (size_t)n);
    return n;
}

static int vfs_sleep(sqlite3_vfs *v, int microseconds)
{
    (void)v;
    return microseconds;
}

static int vfs_now(sqlite3_vfs *v, sqlite3_int64 *out)
{
    (void)v;
    *out = INT64_C(212675000000000); /* nothing that is stored may depend on it */
    return SQLITE_OK;
}

static int vfs_last_error(sqlite3_vfs *v, int n, char *out)
{
    (void)v;
    return under->xGetLastError ? under->xGetLastError(under, n, out) : 0;
}

void disk_install(struct chance *c)
{
    sqlite_chance = c;
    if (!under) {
        under = sqlite3_vfs_find("unix-excl");
        CHECK(under);
        vfs = (sqlite3_vfs){.iVersion = 2,
                            .szOsFile = (int)sizeof(struct open_file) + under->szOsFile,
                            .mxPathname = under->mxPathname,
                            .zName = "sim",
                            .xOpen = vfs_open,
                            .xDelete = vfs_delete,
                            .xAccess = vfs_access,
                            .xFullPathname = vfs_full_path,
                            .xRandomness = vfs_randomness,
                            .xSleep = vfs_sleep,
                            .xGetLastError = vfs_last_error,
                            .xCurrentTimeInt64 = vfs_now};
        CHECK(sqlite3_vfs_register(&vfs, 1) == SQLITE_OK);
    }
    sqlite3_randomness(0, NULL); /* SQLite's own generator begins anew from this seed */
}

void disk_mount(struct disk *d, const char *dir, uint64_t seed)
{
    *d = (struct disk){.chance = chance_of(seed, 77), .next = mounted};
    CHECK(strlen(dir) < sizeof d->dir);
    snprintf(d->dir, sizeof d->dir, "%s", dir);
    mounted = d;
}

void disk_unmount(struct disk *d)
{
    struct disk **at = &mounted;
    disk_settle(d);
    folder_drop(d);
    while (*at != d)
        at = &(*at)->next;
    *at = d->next;
}
