/* The folder of contents as a whole: what lies in it, what goes, and whether it is one content that
 * fails or all. What a content is, and who may have it, is for others to know. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "content.h"

/* --- removing -------------------------------------------------------------------------------- */

static void aside_path(const struct content_dir *d, const uint8_t hash[FILE_HASH_LEN],
                       char out[PATH_MAX])
{
    char name[CONTENT_NAME_LEN + 1];

    (void)snprintf(out, PATH_MAX, "%s/damaged/%s", d->path, content_name(hash, name));
}

static enum ocop_status remove_file(const char *path, struct ocop_error *err)
{
    return unlink(path) == 0 || errno == ENOENT || errno == ENOTDIR
               ? OCOP_OK
               : content_failed(err, "removing file", path);
}

enum ocop_status content_remove(const struct content_dir *d, const uint8_t hash[FILE_HASH_LEN],
                                struct ocop_error *err)
{
    char path[PATH_MAX], folder[PATH_MAX];
    enum ocop_status st;

    content_path(d, hash, path, folder);
    st = remove_file(path, err);
    aside_path(d, hash, path);
    return st ? st : remove_file(path, err);
}

enum ocop_status content_set_aside(const struct content_dir *d, const uint8_t hash[FILE_HASH_LEN],
                                   struct ocop_error *err)
{
    char path[PATH_MAX], folder[PATH_MAX], aside[PATH_MAX];
    enum ocop_status st = content_folder(d, "damaged", err);

    content_path(d, hash, path, folder);
    aside_path(d, hash, aside);
    if (!st && rename(path, aside) != 0)
        st = content_failed(err, "renaming file", path);
    return st ? st : content_folder_sync(d, folder, err);
}

enum ocop_status content_each_name(const char *folder, content_name_fn *fn, void *self,
                                   struct ocop_error *err)
{
    char path[PATH_MAX];
    DIR *dir = opendir(folder);
    enum ocop_status st = OCOP_OK;

    if (!dir)
        return errno == ENOENT || errno == ENOTDIR ? OCOP_OK
                                                   : content_failed(err, "reading", folder);
    while (!st) {
        const struct dirent *e;
        errno = 0;
        e = readdir(dir); /* NOLINT(concurrency-mt-unsafe): nobody else has this handle */
        if (!e && errno)
            st = content_failed(err, "reading", folder);
        if (!e)
            break;
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        if ((size_t)snprintf(path, sizeof path, "%s/%s", folder, e->d_name) < sizeof path)
            st = fn(self, path, e->d_name, err);
    }
    (void)closedir(dir);
    return st;
}

struct walk {
    content_fn *fn;
    void *self;
};

static enum ocop_status walk_file(void *self, const char *path, const char *name,
                                  struct ocop_error *err)
{
    const struct walk *w = self;
    uint8_t hash[FILE_HASH_LEN];

    (void)path;
    return content_named(name, hash) ? w->fn(w->self, hash, err) : OCOP_OK;
}

static enum ocop_status walk_folder(void *self, const char *path, const char *name,
                                    struct ocop_error *err)
{
    return strlen(name) == 2 ? content_each_name(path, walk_file, self, err) : OCOP_OK;
}

enum ocop_status content_each(const struct content_dir *d, content_fn *fn, void *self,
                              struct ocop_error *err)
{
    struct walk w = {fn, self};

    return content_each_name(d->path, walk_folder, &w, err);
}

enum ocop_status content_each_aside(const struct content_dir *d, content_fn *fn, void *self,
                                    struct ocop_error *err)
{
    struct walk w = {fn, self};
    char folder[PATH_MAX];

    (void)snprintf(folder, sizeof folder, "%s/damaged", d->path);
    return content_each_name(folder, walk_file, &w, err);
}

/* --- one alone, or all ------------------------------------------------------------------------ */

static enum ocop_status go_on(void *self, const char *path, const char *name,
                              struct ocop_error *err)
{
    (void)self, (void)path, (void)name, (void)err;
    return OCOP_OK;
}

/* Who has no descriptor left, or no disk, cannot read the folder either. */
bool content_fails_alone(const struct content_dir *d, const uint8_t hash[FILE_HASH_LEN],
                         enum ocop_status st)
{
    char path[PATH_MAX], folder[PATH_MAX], part[PATH_MAX];

    if (st != OCOP_EIO)
        return st == OCOP_EDAMAGED;
    content_path(d, hash, path, folder);
    (void)snprintf(part, sizeof part, "%s/part", d->path);
    return content_each_name(folder, go_on, NULL, NULL) == OCOP_OK &&
           content_each_name(part, go_on, NULL, NULL) == OCOP_OK;
}

struct content_stamp content_stamp(const struct content_dir *d, const uint8_t hash[FILE_HASH_LEN])
{
    char path[PATH_MAX], folder[PATH_MAX];
    struct stat info;

    content_path(d, hash, path, folder);
    if (stat(path, &info) != 0)
        return (struct content_stamp){.there = false};
    return (struct content_stamp){true, (uint64_t)info.st_ino, (uint64_t)info.st_size,
                                  (int64_t)info.st_mtim.tv_sec, info.st_mtim.tv_nsec};
}

/* --- what is left ----------------------------------------------------------------------------- */

/* Who writes a file holds its lock. */
static enum ocop_status tidy_file(void *self, const char *path, const char *name,
                                  struct ocop_error *err)
{
    unsigned *found = self;
    int fd = open(path, O_RDWR | O_CLOEXEC);

    (void)name;
    if (fd < 0)
        return errno == ENOENT ? OCOP_OK : content_failed(err, "opening file", path);
    if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
        *found += 1;
        (void)unlink(path);
    }
    (void)close(fd);
    return OCOP_OK;
}

enum ocop_status content_tidy(const struct content_dir *d, unsigned *found, struct ocop_error *err)
{
    char folder[PATH_MAX];

    *found = 0;
    (void)snprintf(folder, sizeof folder, "%s/new", d->path);
    return content_each_name(folder, tidy_file, found, err);
}

enum ocop_status content_mark(const struct content_dir *d, struct ocop_error *err)
{
    char folder[PATH_MAX], path[PATH_MAX];
    enum ocop_status st = content_folder(d, "new", err);
    int fd;

    if (st)
        return st;
    (void)snprintf(folder, sizeof folder, "%s/new", d->path);
    (void)snprintf(path, sizeof path, "%s/new/loose", d->path);
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return content_failed(err, "making file", path);
    (void)close(fd);
    return content_folder_sync(d, folder, err);
}

static enum ocop_status count_one(void *self, const char *path, const char *name,
                                  struct ocop_error *err)
{
    (void)path, (void)name, (void)err;
    ++*(unsigned *)self;
    return OCOP_OK;
}

bool content_untidy(const struct content_dir *d)
{
    char folder[PATH_MAX];
    unsigned count = 0;

    (void)snprintf(folder, sizeof folder, "%s/new", d->path);
    return content_each_name(folder, count_one, &count, NULL) != OCOP_OK || count > 0;
}

static enum ocop_status clear_file(void *self, const char *path, const char *name,
                                   struct ocop_error *err)
{
    (void)self, (void)name;
    return unlink(path) == 0 || errno == ENOENT ? OCOP_OK
                                                : content_failed(err, "removing file", path);
}

enum ocop_status content_folder_clear(const struct content_dir *d, const char *name,
                                      struct ocop_error *err)
{
    char path[PATH_MAX];

    (void)snprintf(path, sizeof path, "%s/%s", d->path, name);
    return content_each_name(path, clear_file, NULL, err);
}

static enum ocop_status clear_folder(void *self, const char *path, const char *name,
                                     struct ocop_error *err)
{
    enum ocop_status st;

    (void)name; /* a file, or a link: what others, a gallery say, left beside the folders */
    if (unlink(path) == 0 || errno == ENOENT)
        return OCOP_OK;
    if (errno != EISDIR && errno != EPERM)
        return content_failed(err, "removing file", path);
    st = content_each_name(path, clear_file, self, err);
    if (!st && rmdir(path) != 0 && errno != ENOENT)
        st = content_failed(err, "removing folder", path);
    return st;
}

enum ocop_status content_clear(const struct content_dir *d, struct ocop_error *err)
{
    enum ocop_status st = content_each_name(d->path, clear_folder, NULL, err);

    if (!st && rmdir(d->path) != 0 && errno != ENOENT)
        st = content_failed(err, "removing folder", d->path);
    return st;
}
