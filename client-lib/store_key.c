/* The key of the store's file: a copy under the new key takes the place of the old file. Knows
 * files and locks; that a copy is encrypted is cipher.c's. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store_db.h"

struct change_of_key {
    char path[PATH_MAX], copy[PATH_MAX + 8];
    const char *vfs;
    bool replaced; /* the file is the new one */
    int old[2];    /* the file and its log, still to be read by who finds their blocks; -1: none */
};

struct span store_secret(const struct ocop_store *s)
{
    return span_of(s->db->key.b, s->db->key.set ? sizeof s->db->key.b : 0);
}

static void copy_name(char *out, size_t room, const char *path)
{
    (void)snprintf(out, room, "%s-rekey", path);
}

/* What a change of key left that was interrupted. None can be going on: it needs the file alone. */
void store_key_tidy(const char *path)
{
    char copy[PATH_MAX + 8];

    copy_name(copy, sizeof copy, path);
    (void)unlink(copy);
}

/* Nobody else has it open, and nobody can read it until this connection closes. Without a log
 * beside it the file is complete. */
static enum ocop_status take_alone(sqlite3 *db, struct ocop_error *err)
{
    static const char alone[] = "PRAGMA journal_mode=DELETE; PRAGMA locking_mode=EXCLUSIVE;"
                                "BEGIN EXCLUSIVE; COMMIT";

    if (sqlite3_exec(db, alone, NULL, NULL, NULL) == SQLITE_OK)
        return OCOP_OK;
    if ((sqlite3_errcode(db) & 0xff) == SQLITE_BUSY)
        return err_set(err, OCOP_EBUSY,
                       "the store is open elsewhere; close it there to change its key");
    return db_error(db, err, "taking the store alone");
}

/* An empty file that others may read as little as the old one. */
static enum ocop_status make_copy(const struct change_of_key *c, struct ocop_error *err)
{
    struct stat info;
    int fd;

    (void)unlink(c->copy);
    if (stat(c->path, &info) != 0)
        return err_set(err, OCOP_EDB, "%s: %m", c->path);
    fd = open(c->copy, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, info.st_mode & 0777);
    if (fd < 0)
        return err_set(err, OCOP_EDB, "%s cannot be made: %m", c->copy);
    (void)close(fd);
    return OCOP_OK;
}

static enum ocop_status sync_directory(const char *path, struct ocop_error *err)
{
    char dir[PATH_MAX];
    const char *slash = strrchr(path, '/');
    bool synced;
    int fd;

    (void)snprintf(dir, sizeof dir, "%.*s", slash ? (int)(slash - path) + 1 : 1,
                   slash ? path : ".");
    fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    synced = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0)
        (void)close(fd);
    if (synced)
        return OCOP_OK;
    return err_set(err, OCOP_EIO,
                   "the key was changed, but %s does not promise to keep that; keep both keys and "
                   "try again",
                   dir);
}

static enum ocop_status replace(struct ocop_store *s, struct change_of_key *c, struct span secret,
                                struct ocop_error *err)
{
    enum ocop_status st = make_copy(c, err);

    if (!st)
        st = cipher_copy(s->db->sqlite, &s->db->key, c->copy, c->vfs, secret, err);
    if (!st && rename(c->copy, c->path) != 0)
        st = err_set(err, OCOP_EDB, "%s cannot be put in the place of %s: %m", c->copy, c->path);
    if (st) {
        (void)unlink(c->copy);
        return st;
    }
    c->replaced = true;
    return sync_directory(c->path, err);
}

/* By descriptors, since their names will be gone. The log before it is given up; the file when
 * nobody else has it: to close it takes every lock on it from this process. */
static int log_hold(const struct change_of_key *c)
{
    char log[PATH_MAX + 8];

    (void)snprintf(log, sizeof log, "%s-wal", c->path);
    return open(log, O_WRONLY | O_CLOEXEC);
}

/* Zeros in the place of all that a file of before held. What a flash memory has moved elsewhere is
 * out of reach. */
static bool overwrite(int fd)
{
    static uint8_t zeros[1 << 16]; /* const they would take 64 KiB in the library, too */
    struct stat info;

    if (fstat(fd, &info) != 0)
        return false;
    for (off_t at = 0; at < info.st_size;) {
        const off_t left = info.st_size - at;
        const ssize_t n =
            pwrite(fd, zeros, left < (off_t)sizeof zeros ? (size_t)left : sizeof zeros, at);
        if (n <= 0 && errno != EINTR)
            return false;
        at += n > 0 ? n : 0;
    }
    return fsync(fd) == 0;
}

/* The new file stands in the old one's place: only now is that one no loss. */
static void old_forget(const struct ocop_store *s, const struct change_of_key *c)
{
    for (size_t i = 0; i < 2; i++) {
        if (c->old[i] < 0)
            continue;
        if (c->replaced && !overwrite(c->old[i]))
            env_log(s->env, ENV_WARN, "old_blocks_left", "advice=\"they can be read on the disk\"");
        (void)close(c->old[i]);
    }
}

enum ocop_status store_rekey(struct ocop_store *s, struct span secret, struct ocop_error *err)
{
    struct cipher_key old = s->db->key;
    struct change_of_key c = {.vfs = store_vfs(s)};
    struct span before = span_of(old.b, old.set ? sizeof old.b : 0);
    enum ocop_status st = cipher_check(secret, err);

    if (st)
        return st;
    (void)snprintf(c.path, sizeof c.path, "%s", store_path(s));
    copy_name(c.copy, sizeof c.copy, c.path);
    c.old[1] = log_hold(&c);
    st = take_alone(s->db->sqlite, err);
    c.old[0] = st ? -1 : open(c.path, O_WRONLY | O_CLOEXEC);
    if (!st)
        st = replace(s, &c, secret, err);
    /* Opened again in any case: that gives back the lock, and the log beside the file. */
    store_close(s);
    old_forget(s, &c);
    if (store_open(s, c.path, true, c.vfs, c.replaced ? secret : before, NULL) != OCOP_OK)
        st = err_set(err, OCOP_EBROKEN,
                     "the store cannot be opened again; close this handle and open it with the %s "
                     "key",
                     c.replaced ? "new" : "old");
    cipher_key_wipe(&old);
    return st;
}
