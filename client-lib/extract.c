/* Writes contents to files that nobody else has named: captions and file names are a stranger's. A
 * file has its name only when it is whole. */
#include "extract.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "media.h"

enum { ROLE_BYTES_MAX = 24, HASH_BYTES_SHOWN = 8 };

static enum ocop_status failed(struct ocop_error *err, const char *what, const char *name)
{
    return err_set(err, errno == EEXIST ? OCOP_ESTATE : OCOP_EIO, "%s %.200s: %m", what, name);
}

enum ocop_status extract_open(struct extract *x, const char *folder, struct arena *a,
                              struct ocop_error *err)
{
    *x = (struct extract){.dir = -1, .fd = -1, .a = a};
    if (mkdir(folder, 0700) != 0 && errno != EEXIST)
        return err_set(err, OCOP_EIO, "making folder %.200s: %m", folder);
    x->dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return x->dir >= 0 ? OCOP_OK : err_set(err, OCOP_EIO, "opening folder %.200s: %m", folder);
}

void extract_close(struct extract *x)
{
    if (x->fd >= 0) {
        (void)close(x->fd);
        (void)unlinkat(x->dir, x->part, 0);
    }
    if (x->dir >= 0)
        (void)close(x->dir);
    x->dir = x->fd = -1;
}

/* "01-photo-0123456789abcdef.jpg". */
static void name_fill(struct extract *x, struct span head)
{
    const struct evidence_file *f = x->file;
    const struct field *v = fields_find(&f->held->fields, ATTACHMENT_ROLE, span_of(NULL, 0));
    char role[ROLE_BYTES_MAX + 1] = "", hash[2 * HASH_BYTES_SHOWN + 1];

    for (size_t i = 0; v && i < v->bytes.len && i < ROLE_BYTES_MAX; i++) {
        char c = (char)v->bytes.p[i];
        role[i] = c >= 'a' && c <= 'z' ? c : '_';
        role[i + 1] = '\0';
    }
    for (size_t i = 0; i < HASH_BYTES_SHOWN; i++)
        (void)snprintf(hash + 2 * i, 3, "%02x", f->hash.p[i]);
    (void)snprintf(x->name, sizeof x->name, "%02u-%s-%s.%s", ++x->count, role, hash,
                   media_extension(media_type(head)));
    (void)snprintf(x->part, sizeof x->part, "%s.part", x->name);
}

static enum ocop_status begin(void *self, const struct evidence_file *file, struct ocop_error *err)
{
    struct extract *x = self;

    (void)err;
    x->file = file;
    return OCOP_OK;
}

/* With its first bytes it is known what it is. */
static enum ocop_status file_make(struct extract *x, struct span head, struct ocop_error *err)
{
    struct stat info;

    name_fill(x, head);
    if (fstatat(x->dir, x->name, &info, AT_SYMLINK_NOFOLLOW) == 0)
        return err_set(err, OCOP_ESTATE, "%s is there already; give an empty folder", x->name);
    x->fd = openat(x->dir, x->part, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    return x->fd >= 0 ? OCOP_OK : failed(err, "making file", x->part);
}

static enum ocop_status put(void *self, struct span piece, struct ocop_error *err)
{
    struct extract *x = self;
    enum ocop_status st = x->fd < 0 ? file_make(x, piece, err) : OCOP_OK;

    while (!st && piece.len > 0) {
        ssize_t n = write(x->fd, piece.p, piece.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return failed(err, "writing file", x->part);
        piece = span_of(piece.p + n, piece.len - (size_t)n);
    }
    return st;
}

/* Under a name that nobody else has: what came there meanwhile is the user's. Where a file has one
 * name only (sticks, phones) its name is taken first, empty, and is ours to be replaced. */
static bool publish(struct extract *x)
{
    int fd;

    if (linkat(x->dir, x->part, x->dir, x->name, 0) == 0)
        return unlinkat(x->dir, x->part, 0) == 0;
    if (errno != EPERM && errno != EACCES && errno != EOPNOTSUPP && errno != ENOSYS)
        return false;
    fd = openat(x->dir, x->name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return false;
    (void)close(fd);
    if (renameat(x->dir, x->part, x->dir, x->name) == 0)
        return true;
    const int why = errno;
    (void)unlinkat(x->dir, x->name, 0); /* the empty one that held the name */
    errno = why;
    return false;
}

/* Some file systems have no way to do so, and need none. */
static bool folder_sync(const struct extract *x)
{
    return fsync(x->dir) == 0 || errno == EINVAL;
}

static enum ocop_status end(void *self, bool whole, const char **name, struct ocop_error *err)
{
    struct extract *x = self;
    bool good = x->fd >= 0;

    if (!good)
        return OCOP_OK;
    good = !whole || fsync(x->fd) == 0;
    good = close(x->fd) == 0 && good;
    x->fd = -1;
    good = good && (!whole || (publish(x) && folder_sync(x)));
    if (!good) {
        enum ocop_status st = failed(err, "writing file", x->name);
        (void)unlinkat(x->dir, x->part, 0);
        return st;
    }
    if (!whole)
        (void)unlinkat(x->dir, x->part, 0);
    *name = whole ? arena_dup(x->a, x->name, strlen(x->name)) : NULL;
    return !whole || *name ? OCOP_OK : err_nomem(err);
}

struct carried_sink extract_sink(struct extract *x)
{
    return (struct carried_sink){begin, put, end, x};
}
