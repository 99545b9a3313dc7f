/* Contents that come in chunks, in any order, cut at any time. A chunk is where it belongs from the
 * first; that it is there says a bit behind them all. Power loss may leave such a bit without its
 * chunk: then the hash of the whole is wrong, and it begins again. */
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "content.h"

enum { SYNC_CHUNKS = 64 }; /* so that the end does not wait for all of it to be written */

uint32_t content_chunks(uint64_t size)
{
    return (uint32_t)((size + FILE_CHUNK_BYTES - 1) / FILE_CHUNK_BYTES);
}

size_t content_chunk_len(uint64_t size, uint32_t index)
{
    uint64_t at = (uint64_t)index * FILE_CHUNK_BYTES;

    if (at >= size)
        return 0;
    return size - at < FILE_CHUNK_BYTES ? (size_t)(size - at) : FILE_CHUNK_BYTES;
}

struct content_part_of content_part_of(const uint8_t hash[FILE_HASH_LEN], uint64_t size,
                                       const struct id *from)
{
    struct content_part_of of = {.size = size};

    memcpy(of.hash, hash, FILE_HASH_LEN);
    if (from)
        of.from = *from;
    return of;
}

/* "abcdef...-size" or "abcdef...-size-id". */
static void part_path(const struct content_dir *d, const struct content_part_of *of,
                      char out[PATH_MAX])
{
    char name[CONTENT_NAME_LEN + 1], from[ID_TEXT_LEN + 2] = "";

    if (!id_is_zero(&of->from)) {
        from[0] = '-';
        (void)id_text(of->from, from + 1);
    }
    (void)snprintf(out, PATH_MAX, "%s/part/%s-%llu%s", d->path, content_name(of->hash, name),
                   (unsigned long long)of->size, from);
}

static bool part_named(const char *name, struct content_part_of *out)
{
    char hex[CONTENT_NAME_LEN + 1], *end;

    *out = (struct content_part_of){.size = 0};
    if (strlen(name) < CONTENT_NAME_LEN + 2 || name[CONTENT_NAME_LEN] != '-')
        return false;
    memcpy(hex, name, CONTENT_NAME_LEN);
    hex[CONTENT_NAME_LEN] = '\0';
    out->size = strtoull(name + CONTENT_NAME_LEN + 1, &end, 10);
    return content_named(hex, out->hash) && out->size > 0 && out->size <= ATTACHED_BYTES_MAX &&
           (!*end || (*end == '-' && id_parse(end + 1, &out->from)));
}

static bool read_at(int fd, void *out, size_t len, uint64_t at)
{
    uint8_t *p = out;

    while (len > 0) {
        ssize_t n = pread(fd, p, len, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        if (n == 0) /* what was never written is nothing */
            break;
        p += n;
        at += (uint64_t)n;
        len -= (size_t)n;
    }
    memset(p, 0, len);
    return true;
}

static bool write_at(int fd, const void *bytes, size_t len, uint64_t at)
{
    const uint8_t *p = bytes;

    while (len > 0) {
        ssize_t n = pwrite(fd, p, len, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        p += n;
        at += (uint64_t)n;
        len -= (size_t)n;
    }
    return true;
}

static size_t have_len(const struct content_part *p)
{
    return (p->chunks + 7) / 8;
}

static enum ocop_status load(struct content_part *p, struct ocop_error *err)
{
    if (!read_at(p->fd, p->have, have_len(p), content_stored_size(p->d, p->size)))
        return content_failed(err, "reading file", p->path);
    for (uint32_t i = 0; i < p->chunks; i++)
        p->count += content_part_has(p, i);
    return OCOP_OK;
}

enum ocop_status content_part_open(const struct content_dir *d, const struct content_part_of *of,
                                   bool make, struct content_part *p, struct ocop_error *err)
{
    enum ocop_status st = OCOP_OK;

    *p = (struct content_part){
        .d = d, .fd = -1, .size = of->size, .chunks = content_chunks(of->size)};
    if (of->size == 0 || of->size > ATTACHED_BYTES_MAX)
        return err_set(err, OCOP_EINVAL, "no content has this size");
    memcpy(p->hash, of->hash, FILE_HASH_LEN);
    part_path(d, of, p->path);
    p->fd = open(p->path, O_RDWR | O_CLOEXEC);
    if (p->fd < 0 && errno != ENOENT && errno != ENOTDIR)
        return content_failed(err, "opening file", p->path);
    if (p->fd < 0 && !make)
        return err_set(err, OCOP_ENOTFOUND, "nothing of the content is here");
    if (p->fd < 0)
        st = content_room(d, of->size, err);
    if (!st && p->fd < 0)
        st = content_folder(d, "part", err);
    if (!st && p->fd < 0) {
        p->fd = open(p->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (p->fd < 0)
            st = content_failed(err, "making file", p->path);
    }
    if (!st)
        st = load(p, err);
    if (st)
        content_part_close(p);
    return st;
}

void content_part_close(struct content_part *p)
{
    if (p->fd >= 0)
        (void)close(p->fd);
    p->fd = -1;
}

uint64_t content_part_bytes(const struct content_part *p)
{
    uint64_t bytes = (uint64_t)p->count * FILE_CHUNK_BYTES;

    if (content_part_has(p, p->chunks - 1))
        bytes -= FILE_CHUNK_BYTES - content_chunk_len(p->size, p->chunks - 1);
    return bytes;
}

enum ocop_status content_part_put(struct content_part *p, uint32_t index, struct span bytes,
                                  struct ocop_error *err)
{
    uint64_t end = content_stored_size(p->d, p->size);
    struct span out;
    uint8_t *room;
    bool written;

    if (index >= p->chunks || bytes.len != content_chunk_len(p->size, index))
        return err_set(err, OCOP_EINVAL, "the chunk is none of this content");
    if (content_part_has(p, index))
        return OCOP_OK;
    room = malloc(content_block_room(p->d));
    if (!room)
        return err_nomem(err);
    out = content_block_seal(p->d, index, bytes, room);
    written = write_at(p->fd, out.p, out.len, (uint64_t)index * content_block_room(p->d));
    free(room);
    p->have[index / 8] |= (uint8_t)(1u << (index % 8));
    if (written && (p->count + 1) % SYNC_CHUNKS == 0)
        written = fsync(p->fd) == 0;
    if (written && write_at(p->fd, &p->have[index / 8], 1, end + index / 8)) {
        p->count++;
        return OCOP_OK;
    }
    p->have[index / 8] &= (uint8_t) ~(1u << (index % 8));
    return errno == ENOSPC ? err_set(err, OCOP_ELIMIT, "the disk is full")
                           : content_failed(err, "writing file", p->path);
}

static enum ocop_status hash_of(const struct content_part *p, uint8_t out[FILE_HASH_LEN],
                                struct ocop_error *err)
{
    crypto_generichash_state state;
    uint8_t *block = malloc(FILE_CHUNK_BYTES + content_block_room(p->d));
    uint64_t end = content_stored_size(p->d, p->size);
    size_t len;
    enum ocop_status st = block ? OCOP_OK : err_nomem(err);

    (void)crypto_generichash_init(&state, NULL, 0, FILE_HASH_LEN);
    for (uint32_t i = 0; !st && i < p->chunks; i++) {
        st = content_block_read(p->d, p->fd, i, end, block, &len, err);
        if (!st)
            (void)crypto_generichash_update(&state, block, len);
    }
    (void)crypto_generichash_final(&state, out, FILE_HASH_LEN);
    free(block);
    return st;
}

static enum ocop_status place(struct content_part *p, struct ocop_error *err)
{
    char path[PATH_MAX], folder[PATH_MAX], name[CONTENT_NAME_LEN + 1], two[3];
    enum ocop_status st;

    content_path(p->d, p->hash, path, folder);
    (void)snprintf(two, sizeof two, "%.2s", content_name(p->hash, name));
    if (ftruncate(p->fd, (off_t)content_stored_size(p->d, p->size)) != 0 || fsync(p->fd) != 0)
        return content_failed(err, "making sure of file", p->path);
    st = content_folder(p->d, two, err);
    if (!st && rename(p->path, path) != 0)
        st = content_failed(err, "naming file", path);
    return st ? st : content_folder_sync(p->d, folder, err);
}

enum ocop_status content_part_finish(struct content_part *p, struct ocop_error *err)
{
    uint8_t hash[FILE_HASH_LEN];
    enum ocop_status st = hash_of(p, hash, err);

    if (!st && memcmp(hash, p->hash, FILE_HASH_LEN) != 0)
        st = err_set(err, OCOP_EDAMAGED, "the content has another hash than it is named by");
    if (!st)
        st = place(p, err);
    if (st == OCOP_EDAMAGED)
        (void)unlink(p->path);
    content_part_close(p);
    return st;
}

static enum ocop_status removed(const char *path, struct ocop_error *err)
{
    if (unlink(path) == 0 || errno == ENOENT || errno == ENOTDIR)
        return OCOP_OK;
    return content_failed(err, "removing file", path);
}

enum ocop_status content_part_remove(const struct content_dir *d, const struct content_part_of *of,
                                     struct ocop_error *err)
{
    char path[PATH_MAX];

    part_path(d, of, path);
    return removed(path, err);
}

static enum ocop_status remove_if_of(void *self, const char *path, const char *name,
                                     struct ocop_error *err)
{
    struct content_part_of of;

    return part_named(name, &of) && memcmp(of.hash, self, FILE_HASH_LEN) == 0 ? removed(path, err)
                                                                              : OCOP_OK;
}

static enum ocop_status each_name(const struct content_dir *d, content_name_fn *fn, void *self,
                                  struct ocop_error *err)
{
    char folder[PATH_MAX];

    (void)snprintf(folder, sizeof folder, "%s/part", d->path);
    return content_each_name(folder, fn, self, err);
}

enum ocop_status content_parts_remove(const struct content_dir *d,
                                      const uint8_t hash[FILE_HASH_LEN], struct ocop_error *err)
{
    return each_name(d, remove_if_of, (void *)(uintptr_t)hash, err);
}

struct walk {
    content_part_fn *fn;
    void *self;
};

static enum ocop_status walk_part(void *self, const char *path, const char *name,
                                  struct ocop_error *err)
{
    const struct walk *w = self;
    struct content_part_of of;
    struct stat info;

    if (!part_named(name, &of))
        return OCOP_OK;
    if (stat(path, &info) != 0)
        return errno == ENOENT ? OCOP_OK : content_failed(err, "looking at", path);
    return w->fn(w->self, &of, (int64_t)info.st_mtim.tv_sec * 1000, err);
}

enum ocop_status content_each_part(const struct content_dir *d, content_part_fn *fn, void *self,
                                   struct ocop_error *err)
{
    struct walk w = {fn, self};

    return each_name(d, walk_part, &w, err);
}

enum ocop_status content_part_empty(const struct content_dir *d, const struct content_part_of *of,
                                    uint64_t *bytes, struct ocop_error *err)
{
    char path[PATH_MAX];
    struct stat info;
    enum ocop_status st = OCOP_OK;
    int fd;

    *bytes = 0;
    part_path(d, of, path);
    fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR ? OCOP_OK
                                                   : content_failed(err, "opening file", path);
    if (fstat(fd, &info) != 0)
        st = content_failed(err, "looking at", path);
    if (!st && info.st_size > 0) {
        const struct timespec times[2] = {info.st_atim, info.st_mtim};
        if (ftruncate(fd, 0) != 0 || futimens(fd, times) != 0)
            st = content_failed(err, "emptying file", path);
        *bytes = (uint64_t)info.st_size;
    }
    (void)close(fd);
    return st;
}
