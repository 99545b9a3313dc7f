/* zlib, behind caps. The only owner of zlib; knows nothing of what is compressed. */
#include "zip.h"

#include <limits.h>
#include <stdlib.h>
#include <zlib.h>

enum { DEFLATE_CHUNK = 16 * 1024, INFLATE_ROOM_MIN = 4096, INFLATE_RATIO = 6 };

/* Grows step by step: zlib's bound for a large input would pass a cap that the result keeps. */
static enum ocop_status deflate_into(z_stream *z, struct buf *out, struct ocop_error *err)
{
    for (;;) {
        size_t chunk = out->cap - out->len;
        if (chunk == 0)
            return err_set(err, OCOP_ELIMIT, "compresses to more than %zu bytes; send less at once",
                           out->cap);
        if (chunk > DEFLATE_CHUNK)
            chunk = DEFLATE_CHUNK;
        if (!buf_reserve(out, chunk))
            return err_nomem(err);
        z->next_out = out->p + out->len;
        z->avail_out = (uInt)chunk;
        int rc = deflate(z, Z_FINISH);
        out->len += chunk - z->avail_out;
        if (rc == Z_STREAM_END)
            return OCOP_OK;
        if (rc != Z_OK && rc != Z_BUF_ERROR)
            return err_set(err, OCOP_EBROKEN, "zlib failed to compress (%d); report this", rc);
    }
}

enum ocop_status zip_deflate(struct span in, int level, struct buf *out, struct ocop_error *err)
{
    /* Setting up a full window costs more than compressing a small message in it. */
    bool small = in.len <= 4096;
    z_stream z = {0};
    size_t before = out->len;
    if (out->failed)
        return err_nomem(err);
    if (in.len > INT_MAX)
        return err_set(err, OCOP_ELIMIT, "%zu bytes are too many to compress; send less at once",
                       in.len);
    if (deflateInit2(&z, level, Z_DEFLATED, small ? 12 : MAX_WBITS, small ? 5 : 8,
                     Z_DEFAULT_STRATEGY) != Z_OK)
        return err_nomem(err);
    z.next_in = (Bytef *)(uintptr_t)in.p; /* zlib does not write to it */
    z.avail_in = (uInt)in.len;
    enum ocop_status st = deflate_into(&z, out, err);
    deflateEnd(&z);
    if (st != OCOP_OK)
        out->len = before;
    return st;
}

/* What inflate() may say when all is well: the end, or that only room is wanting. */
static enum ocop_status inflate_check(int rc, const z_stream *z, struct ocop_error *err)
{
    if (rc == Z_MEM_ERROR)
        return err_nomem(err);
    if (rc == Z_STREAM_END && z->avail_in)
        return err_set(err, OCOP_EPROTO, "%u bytes follow the compressed data; send it again",
                       z->avail_in);
    if (rc != Z_STREAM_END && (rc != Z_OK || z->avail_out > 0))
        return err_set(err, OCOP_EPROTO, "compressed data are damaged or cut; send them again");
    return OCOP_OK;
}

/* Exchange the run at the arena's end for a larger one. The old one is given back first, so that
 * only one counts against the arena's cap; its bytes stay in place until they are copied. */
static uint8_t *grow(struct arena *a, uint8_t *p, size_t old_room, size_t len, size_t room)
{
    arena_trim(a, p, old_room, 0);
    uint8_t *more = arena_alloc(a, room);
    if (more && more != p && len)
        memcpy(more, p, len);
    return more;
}

static enum ocop_status inflate_into(z_stream *z, size_t cap, struct arena *a, struct span *out,
                                     struct ocop_error *err)
{
    enum ocop_status st = OCOP_OK;
    size_t room = 0, len = 0, wanted = (size_t)z->avail_in * INFLATE_RATIO;
    uint8_t *p = NULL;
    int rc = Z_OK;
    if (wanted < INFLATE_ROOM_MIN)
        wanted = INFLATE_ROOM_MIN;
    for (; st == OCOP_OK && rc != Z_STREAM_END; wanted = room * 2) {
        if (wanted > cap + 1)
            wanted = cap + 1; /* one more than allowed shows that it is too much */
        p = grow(a, p, room, len, wanted);
        if (!p)
            return err_nomem(err);
        room = wanted;
        z->next_out = p + len;
        z->avail_out = (uInt)(room - len);
        rc = inflate(z, Z_NO_FLUSH);
        len = room - z->avail_out;
        if (len > cap)
            st = err_set(err, OCOP_ELIMIT, "inflates to more than %zu bytes; send less at once",
                         cap);
        else
            st = inflate_check(rc, z, err);
    }
    arena_trim(a, p, room, st == OCOP_OK ? len : 0);
    if (st == OCOP_OK)
        *out = span_of(p, len);
    return st;
}

enum ocop_status zip_inflate(struct span in, size_t cap, struct arena *a, struct span *out,
                             struct ocop_error *err)
{
    z_stream z = {0};
    *out = span_of(NULL, 0);
    if (in.len > INT_MAX / INFLATE_RATIO || cap >= INT_MAX)
        return err_set(err, OCOP_ELIMIT, "%zu bytes are too many to inflate; send less at once",
                       in.len);
    z.next_in = (Bytef *)(uintptr_t)in.p; /* zlib does not write to it */
    z.avail_in = (uInt)in.len;
    if (inflateInit(&z) != Z_OK)
        return err_nomem(err);
    enum ocop_status st = inflate_into(&z, cap, a, out, err);
    inflateEnd(&z);
    return st;
}

struct zip_follow {
    z_stream z;
    bool ended;
    uint64_t made;
    uint8_t room[16 * 1024];
};

enum ocop_status zip_follow_begin(struct zip_follow **out, struct ocop_error *err)
{
    struct zip_follow *f = calloc(1, sizeof *f);
    *out = f;
    if (f && inflateInit(&f->z) == Z_OK)
        return OCOP_OK;
    free(f);
    *out = NULL;
    return err_nomem(err);
}

enum ocop_status zip_follow(struct zip_follow *f, struct span in, size_t *used, uint64_t *made,
                            bool *ended, struct ocop_error *err)
{
    int rc = Z_OK;
    size_t left = in.len;
    /* Until it wants more: it may have room for what it holds back. */
    while (!f->ended && rc == Z_OK && (left > 0 || f->z.avail_out == 0)) {
        const uInt now = left > INT_MAX ? INT_MAX : (uInt)left;
        f->z.next_in = (Bytef *)(uintptr_t)(in.p + (in.len - left)); /* zlib does not write to it */
        f->z.avail_in = now;
        f->z.next_out = f->room;
        f->z.avail_out = sizeof f->room;
        rc = inflate(&f->z, Z_NO_FLUSH);
        left -= now - f->z.avail_in;
        f->made += sizeof f->room - f->z.avail_out;
        f->ended = rc == Z_STREAM_END;
    }
    *used = in.len - left;
    *made = f->made;
    *ended = f->ended;
    if (rc == Z_MEM_ERROR)
        return err_nomem(err);
    return rc == Z_OK || rc == Z_STREAM_END || rc == Z_BUF_ERROR
               ? OCOP_OK
               : err_set(err, OCOP_EPROTO, "compressed data are damaged");
}

void zip_follow_end(struct zip_follow *f)
{
    if (f)
        inflateEnd(&f->z);
    free(f);
}

uint32_t zip_crc(uint32_t before, struct span bytes)
{
    uLong crc = before;
    for (size_t at = 0, n; at < bytes.len; at += n) {
        n = bytes.len - at > INT_MAX ? INT_MAX : bytes.len - at;
        crc = crc32(crc, bytes.p + at, (uInt)n);
    }
    return (uint32_t)crc;
}
