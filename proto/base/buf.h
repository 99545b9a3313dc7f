/* A growing run of bytes. Growth past the cap or out of memory sets `failed`; writes after that
 * do nothing, so that a writer checks once, at the end. `full` tells the one from the other: only
 * what is full is the caller's doing. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "span.h"

struct buf {
    uint8_t *p;
    size_t len, room, cap;
    bool failed, full;
};

void buf_init(struct buf *b, size_t cap); /* cap: bytes it may hold at most */
void buf_fini(struct buf *b);
void buf_clear(struct buf *b); /* empty, memory kept, failed and full = false */
bool buf_reserve(struct buf *b, size_t more);
void buf_put_more(struct buf *b, const void *p, size_t len); /* buf_put's, where room is short */
static inline void buf_put(struct buf *b, const void *p, size_t len)
{
    if (b->failed || len > b->room - b->len) {
        buf_put_more(b, p, len);
    } else if (len) {
        memcpy(b->p + b->len, p, len);
        b->len += len;
    }
}
static inline void buf_byte(struct buf *b, uint8_t byte)
{
    if (b->failed || b->len == b->room)
        buf_put_more(b, &byte, 1);
    else
        b->p[b->len++] = byte;
}
void buf_varint(struct buf *b, uint64_t v); /* as protobuf writes it */
static inline void buf_str(struct buf *b, const char *s)
{
    buf_put(b, s, strlen(s));
}
void buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
const char *buf_cstr(struct buf *b); /* with a NUL behind; "" when failed */
static inline struct span buf_span(const struct buf *b)
{
    return (struct span){b->p, b->len};
}

/** Read a varint at *at; false at the end of `s` or when it is longer than 10 bytes. */
bool span_varint(struct span s, size_t *at, uint64_t *v);

#endif
