/* A growing run of bytes that remembers failure. Knows nothing of what the bytes mean. */
#include "buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { ROOM_FIRST = 256, VARINT_BYTES_MAX = 10 };

void buf_init(struct buf *b, size_t cap)
{
    *b = (struct buf){.cap = cap};
}

void buf_fini(struct buf *b)
{
    free(b->p);
    *b = (struct buf){0};
}

void buf_clear(struct buf *b)
{
    b->len = 0;
    b->failed = b->full = false;
}

bool buf_reserve(struct buf *b, size_t more)
{
    if (b->failed)
        return false;
    if (b->p && more <= b->room - b->len)
        return true;
    if (b->len > b->cap || more > b->cap - b->len) {
        b->failed = b->full = true;
        return false;
    }
    size_t need = b->len + more, room = b->room ? b->room : ROOM_FIRST;
    while (room < need)
        room = room <= SIZE_MAX / 2 ? room * 2 : need;
    if (room > b->cap)
        room = b->cap;
    /* One byte behind the room, for the NUL of buf_cstr and vsnprintf. */
    uint8_t *p = room < SIZE_MAX ? realloc(b->p, room + 1) : NULL;
    if (!p) {
        b->failed = true;
        return false;
    }
    b->p = p;
    b->room = room;
    return true;
}

void buf_put_more(struct buf *b, const void *p, size_t len)
{
    if (!len || !buf_reserve(b, len))
        return;
    memcpy(b->p + b->len, p, len);
    b->len += len;
}

void buf_varint(struct buf *b, uint64_t v)
{
    uint8_t out[VARINT_BYTES_MAX];
    size_t n = 0;
    for (; v >= 0x80; v >>= 7)
        out[n++] = (uint8_t)(v | 0x80);
    out[n++] = (uint8_t)v;
    buf_put(b, out, n);
}

void buf_printf(struct buf *b, const char *format, ...)
{
    if (!buf_reserve(b, 0))
        return;
    va_list args;
    size_t left = b->room - b->len;
    va_start(args, format);
    int n = vsnprintf((char *)b->p + b->len, left + 1, format, args);
    va_end(args);
    if (n < 0) {
        b->failed = true;
        return;
    }
    size_t len = (size_t)n;
    if (len > left) { /* it was cut: once more, with room for all of it */
        if (!buf_reserve(b, len))
            return;
        va_start(args, format);
        vsnprintf((char *)b->p + b->len, len + 1, format, args);
        va_end(args);
    }
    b->len += len;
}

const char *buf_cstr(struct buf *b)
{
    if (!buf_reserve(b, 0))
        return "";
    b->p[b->len] = 0;
    return (const char *)b->p;
}

bool span_varint(struct span s, size_t *at, uint64_t *v)
{
    uint64_t out = 0;
    size_t i = *at;
    for (unsigned shift = 0; shift < 7 * VARINT_BYTES_MAX && i < s.len; shift += 7) {
        uint8_t byte = s.p[i++];
        if (shift == 63 && byte > 1)
            return false; /* more than 64 bits */
        out |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) {
            *v = out;
            *at = i;
            return true;
        }
    }
    return false;
}
