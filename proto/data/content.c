/* Contents as files: hashing, blocks, names, and what it takes that none is lost or half there.
 * What a content is, and who may have it, is for others to know. */
#include "content.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum {
    NONCE = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
    TAG = crypto_aead_xchacha20poly1305_ietf_ABYTES,
    BLOCK_MORE = NONCE + TAG,
    NAMES_TRIED = 8
};
_Static_assert(CONTENT_KEY_LEN == crypto_aead_xchacha20poly1305_ietf_KEYBYTES, "the cipher's key");
_Static_assert(FILE_HASH_LEN == crypto_generichash_BYTES, "BLAKE2b-256");

enum ocop_status content_failed(struct ocop_error *err, const char *doing, const char *path)
{
    int number = errno;

    if (number == ENOMEM)
        return err_nomem(err);
    if (number == ENOSPC || number == EDQUOT)
        return err_set(err, OCOP_ELIMIT, "the disk is full: make room (%s %.200s)", doing, path);
    errno = number;
    return err_set(err, OCOP_EIO, "%s %.200s: %m", doing, path);
}

/* --- names ----------------------------------------------------------------------------------- */

const char *content_name(const uint8_t hash[FILE_HASH_LEN], char *out)
{
    return sodium_bin2hex(out, CONTENT_NAME_LEN + 1, hash, FILE_HASH_LEN);
}

bool content_named(const char *name, uint8_t hash[FILE_HASH_LEN])
{
    size_t len = 0;

    return strlen(name) == CONTENT_NAME_LEN && strspn(name, "0123456789abcdef") == strlen(name) &&
           sodium_hex2bin(hash, FILE_HASH_LEN, name, CONTENT_NAME_LEN, NULL, &len, NULL) == 0 &&
           len == FILE_HASH_LEN;
}

/* "DIR/ab/abcdef...", and the folder that it lies in. */
void content_path(const struct content_dir *d, const uint8_t hash[FILE_HASH_LEN],
                  char out[PATH_MAX], char folder[PATH_MAX])
{
    char name[CONTENT_NAME_LEN + 1];

    (void)content_name(hash, name);
    (void)snprintf(folder, PATH_MAX, "%s/%.2s", d->path, name);
    (void)snprintf(out, PATH_MAX, "%s/%.2s/%s", d->path, name, name);
}

enum ocop_status content_dir_init(struct content_dir *d, const char *path, const uint8_t *key,
                                  const struct env *env, struct ocop_error *err)
{
    *d = (struct content_dir){.env = env, .keyed = key != NULL};
    if (strlen(path) >= sizeof d->path)
        return err_set(err, OCOP_ELIMIT, "the path of the folder of files is too long");
    memcpy(d->path, path, strlen(path) + 1);
    if (key)
        memcpy(d->key, key, CONTENT_KEY_LEN);
    return OCOP_OK;
}

void content_key_wipe(uint8_t key[CONTENT_KEY_LEN])
{
    sodium_memzero(key, CONTENT_KEY_LEN);
}

/* --- folders --------------------------------------------------------------------------------- */

/* What was made or renamed in a folder is there after power loss once the folder is on the disk. */
static enum ocop_status folder_sync(const char *path, struct ocop_error *err)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    enum ocop_status st = OCOP_OK;

    if (fd < 0 || fsync(fd) != 0)
        st = content_failed(err, "making sure of folder", path);
    if (fd >= 0)
        (void)close(fd);
    return st;
}

static bool may_read(const char *folder)
{
    return access(folder, R_OK) == 0 || errno != EACCES;
}

static enum ocop_status folder_make(const char *path, struct ocop_error *err)
{
    return mkdir(path, 0700) == 0 || errno == EEXIST ? OCOP_OK
                                                     : content_failed(err, "making folder", path);
}

static void parent_of(const char *path, char out[PATH_MAX])
{
    const char *slash = strrchr(path, '/');

    (void)snprintf(out, PATH_MAX, "%.*s", slash ? (int)(slash - path) : 1, slash ? path : ".");
    if (!*out)
        (void)snprintf(out, PATH_MAX, "/");
}

enum ocop_status content_folder(const struct content_dir *d, const char *name,
                                struct ocop_error *err)
{
    char path[PATH_MAX];
    enum ocop_status st;

    (void)snprintf(path, sizeof path, "%s/%s", d->path, name);
    st = folder_make(d->path, err);
    return st ? st : folder_make(path, err);
}

/* All on the way to it, each time: who made a folder may have been killed before it was synced. The
 * one around it all is another's, who may forbid to read it: then the name of ours is as safe as
 * SQLite makes that of the database beside it, which leaves such a folder out too. */
enum ocop_status content_folder_sync(const struct content_dir *d, const char *folder,
                                     struct ocop_error *err)
{
    char parent[PATH_MAX];
    enum ocop_status st = folder_sync(folder, err);

    parent_of(d->path, parent);
    if (!st)
        st = folder_sync(d->path, err);
    return st || !may_read(parent) ? st : folder_sync(parent, err);
}

/* --- blocks ---------------------------------------------------------------------------------- */

size_t content_block_room(const struct content_dir *d)
{
    return FILE_CHUNK_BYTES + (d->keyed ? BLOCK_MORE : 0);
}

uint64_t content_stored_size(const struct content_dir *d, uint64_t size)
{
    uint64_t blocks = (size + FILE_CHUNK_BYTES - 1) / FILE_CHUNK_BYTES;

    return size + (d->keyed ? blocks * BLOCK_MORE : 0);
}

/* Which block it is counts too: none takes the place of another. */
static void block_label(uint64_t index, uint8_t out[8])
{
    for (int i = 0; i < 8; i++)
        out[i] = (uint8_t)(index >> (8 * i));
}

static bool write_all(int fd, const uint8_t *p, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, p, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        p += n;
        len -= (size_t)n;
    }
    return true;
}

/* `sealed` has room for BLOCK_MORE besides. */
struct span content_block_seal(const struct content_dir *d, uint64_t index, struct span plain,
                               uint8_t *sealed)
{
    uint8_t label[8];

    if (!d->keyed)
        return plain;
    block_label(index, label);
    env_random(d->env, sealed, NONCE);
    (void)crypto_aead_xchacha20poly1305_ietf_encrypt(sealed + NONCE, NULL, plain.p, plain.len,
                                                     label, sizeof label, NULL, sealed, d->key);
    return span_of(sealed, plain.len + BLOCK_MORE);
}

/* *len: from that of the sealed block to that of the plain one. */
static bool block_open(const struct content_dir *d, uint64_t index, const uint8_t *sealed,
                       uint8_t *plain, size_t *len)
{
    uint8_t label[8];

    if (*len <= BLOCK_MORE)
        return false;
    block_label(index, label);
    *len -= BLOCK_MORE;
    return crypto_aead_xchacha20poly1305_ietf_decrypt(plain, NULL, NULL, sealed + NONCE, *len + TAG,
                                                      label, sizeof label, sealed, d->key) == 0;
}

/* --- writing --------------------------------------------------------------------------------- */

/* A file of a new name that nobody else has, locked: who tidies lets it alone. */
static enum ocop_status open_new(struct content_writer *w, struct ocop_error *err)
{
    for (int i = 0; i < NAMES_TRIED; i++) {
        uint8_t name[16];
        char hex[2 * sizeof name + 1];
        env_random(w->d->env, name, sizeof name);
        (void)sodium_bin2hex(hex, sizeof hex, name, sizeof name);
        (void)snprintf(w->path, sizeof w->path, "%s/new/%s", w->d->path, hex);
        w->fd = open(w->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (w->fd < 0 && errno != EEXIST)
            return content_failed(err, "making file", w->path);
        if (w->fd >= 0 && flock(w->fd, LOCK_EX | LOCK_NB) == 0)
            return OCOP_OK;
        if (w->fd >= 0) /* who tidies was quicker, and removes it */
            (void)close(w->fd);
        w->fd = -1;
    }
    return err_set(err, OCOP_EIO, "no name for a new file in %.200s", w->d->path);
}

enum ocop_status content_begin(const struct content_dir *d, struct content_writer *w,
                               struct ocop_error *err)
{
    enum ocop_status st;

    *w = (struct content_writer){.d = d, .fd = -1};
    w->block = malloc(2 * FILE_CHUNK_BYTES + BLOCK_MORE);
    w->hashing = malloc(crypto_generichash_statebytes());
    if (!w->block || !w->hashing) {
        content_abandon(w);
        return err_nomem(err);
    }
    (void)crypto_generichash_init(w->hashing, NULL, 0, FILE_HASH_LEN);
    st = content_folder(d, "new", err);
    if (!st)
        st = open_new(w, err);
    if (st)
        content_abandon(w);
    return st;
}

static enum ocop_status write_block(struct content_writer *w, struct ocop_error *err)
{
    uint64_t index = (w->size - w->held) / FILE_CHUNK_BYTES;
    struct span out =
        content_block_seal(w->d, index, span_of(w->block, w->held), w->block + FILE_CHUNK_BYTES);

    w->held = 0;
    return write_all(w->fd, out.p, out.len) ? OCOP_OK
                                            : content_failed(err, "writing file", w->path);
}

enum ocop_status content_write(struct content_writer *w, struct span bytes, struct ocop_error *err)
{
    enum ocop_status st = OCOP_OK;

    (void)crypto_generichash_update(w->hashing, bytes.p, bytes.len);
    while (!st && bytes.len > 0) {
        size_t n = FILE_CHUNK_BYTES - w->held < bytes.len ? FILE_CHUNK_BYTES - w->held : bytes.len;
        memcpy(w->block + w->held, bytes.p, n);
        w->held += n;
        w->size += n;
        bytes = span_of(bytes.p + n, bytes.len - n);
        if (w->held == FILE_CHUNK_BYTES)
            st = write_block(w, err);
    }
    return st;
}

enum ocop_status content_seal(struct content_writer *w, struct ocop_error *err)
{
    enum ocop_status st = w->held > 0 ? write_block(w, err) : OCOP_OK;

    (void)crypto_generichash_final(w->hashing, w->hash, FILE_HASH_LEN);
    if (!st && fsync(w->fd) != 0)
        st = content_failed(err, "making sure of file", w->path);
    return st;
}

void content_abandon(struct content_writer *w)
{
    if (w->fd >= 0) {
        (void)unlink(w->path);
        (void)close(w->fd);
    }
    free(w->block);
    free(w->hashing);
    *w = (struct content_writer){.fd = -1};
}

enum ocop_status content_place(struct content_writer *w, bool *fresh, struct ocop_error *err)
{
    char path[PATH_MAX], folder[PATH_MAX];
    bool there = false;
    enum ocop_status st = content_there(w->d, w->hash, w->size, &there, err);

    *fresh = false;
    content_path(w->d, w->hash, path, folder);
    if (!st)
        st = folder_make(folder, err);
    if (!st && rename(w->path, path) != 0)
        st = content_failed(err, "naming file", path);
    if (st) {
        content_abandon(w);
        return st;
    }
    (void)close(w->fd);
    w->fd = -1; /* the name it had is another's now, or nobody's */
    st = content_folder_sync(w->d, folder, err);
    if (st && !there)
        (void)unlink(path);
    *fresh = !st && !there;
    content_abandon(w);
    return st;
}

/* --- reading --------------------------------------------------------------------------------- */

static enum ocop_status open_content(const struct content_dir *d, const uint8_t hash[FILE_HASH_LEN],
                                     int *fd, char path[PATH_MAX], struct ocop_error *err)
{
    char folder[PATH_MAX];

    content_path(d, hash, path, folder);
    *fd = open(path, O_RDONLY | O_CLOEXEC);
    if (*fd >= 0)
        return OCOP_OK;
    return errno == ENOENT || errno == ENOTDIR
               ? err_set(err, OCOP_ENOTFOUND, "the content is not here")
               : content_failed(err, "opening file", path);
}

enum ocop_status content_sure(const struct content_dir *d, const uint8_t hash[FILE_HASH_LEN],
                              struct ocop_error *err)
{
    char path[PATH_MAX], folder[PATH_MAX];

    content_path(d, hash, path, folder);
    return content_folder_sync(d, folder, err);
}

enum ocop_status content_there(const struct content_dir *d, const uint8_t hash[FILE_HASH_LEN],
                               uint64_t size, bool *out, struct ocop_error *err)
{
    char path[PATH_MAX], folder[PATH_MAX];
    struct stat info;

    content_path(d, hash, path, folder);
    *out = stat(path, &info) == 0;
    if (!*out)
        return errno == ENOENT || errno == ENOTDIR ? OCOP_OK
                                                   : content_failed(err, "looking at", path);
    *out = S_ISREG(info.st_mode) && (uint64_t)info.st_size == content_stored_size(d, size);
    return OCOP_OK;
}

/* One block, plain; *len is 0 behind the last. `block` has room for it plain and sealed. */
enum ocop_status content_block_read(const struct content_dir *d, int fd, uint64_t index,
                                    uint64_t end, uint8_t *block, size_t *len,
                                    struct ocop_error *err)
{
    uint64_t at = index * content_block_room(d);
    size_t room = content_block_room(d);
    uint8_t *read = d->keyed ? block + FILE_CHUNK_BYTES : block;

    *len = 0;
    if (at >= end)
        return OCOP_OK;
    room = end - at < room ? (size_t)(end - at) : room;
    while (*len < room) {
        ssize_t n = pread(fd, read + *len, room - *len, (off_t)(at + *len));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return content_failed(err, "reading a file in", d->path);
        if (n == 0)
            break;
        *len += (size_t)n;
    }
    return *len == 0 || !d->keyed || block_open(d, index, read, block, len)
               ? OCOP_OK
               : err_set(err, OCOP_EDAMAGED, "the content is not what was written");
}

enum ocop_status content_written(const struct content_writer *w, uint64_t index, uint8_t *block,
                                 size_t *len, struct ocop_error *err)
{
    return content_block_read(w->d, w->fd, index, content_stored_size(w->d, w->size), block, len,
                              err);
}

size_t content_written_room(const struct content_writer *w)
{
    return FILE_CHUNK_BYTES + content_block_room(w->d);
}

typedef enum ocop_status block_fn(void *self, struct span plain, struct ocop_error *err);

/* The plain bytes from `at`, block after block, until `fn` has had `len` or there are no more. */
static enum ocop_status each_block(const struct content_dir *d, const uint8_t hash[FILE_HASH_LEN],
                                   uint64_t at, uint64_t len, block_fn *fn, void *self,
                                   struct ocop_error *err)
{
    char path[PATH_MAX];
    int fd;
    uint8_t *block;
    enum ocop_status st = open_content(d, hash, &fd, path, err);

    if (st)
        return st;
    block = malloc(FILE_CHUNK_BYTES + content_block_room(d));
    if (!block)
        st = err_nomem(err);
    while (!st && len > 0) {
        size_t skip = (size_t)(at % FILE_CHUNK_BYTES), got = 0, n;
        st = content_block_read(d, fd, at / FILE_CHUNK_BYTES, INT64_MAX, block, &got, err);
        if (st || got <= skip)
            break;
        n = got - skip < len ? got - skip : (size_t)len;
        st = fn(self, span_of(block + skip, n), err);
        at += n;
        len -= n;
        if (got < FILE_CHUNK_BYTES)
            break;
    }
    free(block);
    (void)close(fd);
    return st;
}

struct copying {
    uint8_t *out;
    size_t got;
};

static enum ocop_status copy_block(void *self, struct span plain, struct ocop_error *err)
{
    struct copying *c = self;

    (void)err;
    memcpy(c->out + c->got, plain.p, plain.len);
    c->got += plain.len;
    return OCOP_OK;
}

enum ocop_status content_read(const struct content_dir *d, const uint8_t hash[FILE_HASH_LEN],
                              uint64_t at, void *out, size_t len, size_t *got,
                              struct ocop_error *err)
{
    struct copying c = {.out = out};
    enum ocop_status st = each_block(d, hash, at, len, copy_block, &c, err);

    *got = st ? 0 : c.got;
    return st;
}

struct checking {
    crypto_generichash_state hash;
    uint64_t size;
};

static enum ocop_status hash_block(void *self, struct span plain, struct ocop_error *err)
{
    struct checking *c = self;

    (void)err;
    c->size += plain.len;
    (void)crypto_generichash_update(&c->hash, plain.p, plain.len);
    return OCOP_OK;
}

enum ocop_status content_sound(const struct content_dir *d, const uint8_t hash[FILE_HASH_LEN],
                               uint64_t *size, struct ocop_error *err)
{
    struct checking c = {.size = 0};
    uint8_t real[FILE_HASH_LEN];
    enum ocop_status st;

    (void)crypto_generichash_init(&c.hash, NULL, 0, FILE_HASH_LEN);
    st = each_block(d, hash, 0, UINT64_MAX, hash_block, &c, err);
    (void)crypto_generichash_final(&c.hash, real, FILE_HASH_LEN);
    if (!st && memcmp(real, hash, FILE_HASH_LEN) != 0)
        st = err_set(err, OCOP_EDAMAGED, "the content is not what was written");
    *size = c.size;
    return st;
}

enum ocop_status content_check(const struct content_dir *d, const uint8_t hash[FILE_HASH_LEN],
                               uint64_t size, struct ocop_error *err)
{
    uint64_t is;
    enum ocop_status st = content_sound(d, hash, &is, err);

    return !st && is != size ? err_set(err, OCOP_EDAMAGED, "the content is not what was written")
                             : st;
}

enum ocop_status content_proof(const struct content_dir *d, const uint8_t hash[FILE_HASH_LEN],
                               const uint8_t nonce[FILE_HASH_LEN], uint8_t out[FILE_HASH_LEN],
                               struct ocop_error *err)
{
    struct checking c = {.size = 0};
    enum ocop_status st;

    (void)crypto_generichash_init(&c.hash, nonce, FILE_HASH_LEN, FILE_HASH_LEN);
    st = each_block(d, hash, 0, UINT64_MAX, hash_block, &c, err);
    (void)crypto_generichash_final(&c.hash, out, FILE_HASH_LEN);
    return st;
}

/* --- room ------------------------------------------------------------------------------------ */

enum ocop_status content_room(const struct content_dir *d, uint64_t size, struct ocop_error *err)
{
    char parent[PATH_MAX];
    struct statvfs disk;
    uint64_t free_bytes, need = content_stored_size(d, size) + FILES_DISK_SPARE;

    parent_of(d->path, parent);
    if (statvfs(parent, &disk) != 0)
        return content_failed(err, "looking at the disk of", parent);
    free_bytes = (uint64_t)disk.f_bavail * (uint64_t)disk.f_frsize;
    if (free_bytes >= need)
        return OCOP_OK;
    return err_set(err, OCOP_ELIMIT,
                   "the disk has %llu KiB free; the file needs %llu KiB, of which %d MiB are left "
                   "for the records: make room",
                   (unsigned long long)(free_bytes / 1024), (unsigned long long)(need / 1024),
                   (int)(FILES_DISK_SPARE >> 20));
}
