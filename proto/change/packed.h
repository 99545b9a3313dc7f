/* A walker over packed protobuf, shared by the files of this layer. Only varints and runs of bytes
 * exist in records; any other wire type is malformed there. Knows no descriptors. */
#ifndef CHANGE_PACKED_H
#define CHANGE_PACKED_H

#include "change.h"

/* The last number that protobuf knows is no field of any record: messages of the client library
 * carry there what was loaded, and it goes no further. */
enum { FIELD_SEEN = 0x1fffffff, FIELD_NUMBER_MAX = FIELD_SEEN - 1 };
enum { PACKED_INT = 0, PACKED_BYTES = 2 };

static inline bool packed_varint(struct span s, size_t *at, uint64_t *v)
{
    if (*at < s.len && s.p[*at] < 0x80) { /* most are one byte */
        *v = s.p[(*at)++];
        return true;
    }
    return span_varint(s, at, v);
}

/** Next field: 1 read (number, type, .i or .bytes), 0 end, -1 malformed. */
static inline int packed_next(struct span s, size_t *at, struct field *out)
{
    uint64_t tag, v;
    if (*at >= s.len)
        return 0;
    if (!packed_varint(s, at, &tag) || tag >> 3 == 0 || tag >> 3 > FIELD_NUMBER_MAX ||
        !packed_varint(s, at, &v))
        return -1;
    out->number = (uint32_t)(tag >> 3);
    out->op = FIELD_SET;
    out->key = span_of(NULL, 0);
    out->base = 0;
    if ((tag & 7) == PACKED_INT) {
        out->type = VALUE_INT;
        out->i = (int64_t)v;
        out->bytes = span_of(NULL, 0);
        return 1;
    }
    if ((tag & 7) != PACKED_BYTES || v > s.len - *at)
        return -1;
    out->type = VALUE_BYTES;
    out->i = 0;
    out->bytes = span_of(s.p + *at, (size_t)v);
    *at += (size_t)v;
    return 1;
}

/** The same in messages that are no record: a newer writer's members may be of the two fixed widths
 *  too. Those have the type PACKED_FIXED, their bytes, and no meaning here. */
enum { PACKED_FIXED = 0xff };
static inline int message_next(struct span s, size_t *at, struct field *out)
{
    size_t from = *at;
    uint64_t tag;
    if (from >= s.len)
        return 0;
    if (!packed_varint(s, &from, &tag) || tag >> 3 == 0 || tag >> 3 > FIELD_NUMBER_MAX)
        return -1;
    const size_t width = (tag & 7) == 1 ? 8 : (tag & 7) == 5 ? 4 : 0;
    if (width == 0)
        return packed_next(s, at, out);
    if (width > s.len - from)
        return -1;
    *out = (struct field){.number = (uint32_t)(tag >> 3),
                          .op = FIELD_SET,
                          .type = PACKED_FIXED,
                          .bytes = span_of(s.p + from, width)};
    *at = from + width;
    return 1;
}

static inline size_t varint_size(uint64_t v)
{
    size_t n = 1;
    for (; v >= 0x80; v >>= 7)
        n++;
    return n;
}

/** Bytes that a field takes when packed. */
static inline size_t packed_size(const struct field *f)
{
    return varint_size((uint64_t)f->number << 3) + (f->type == VALUE_INT
                                                        ? varint_size((uint64_t)f->i)
                                                        : varint_size(f->bytes.len) + f->bytes.len);
}

static inline uint8_t *varint_write(uint8_t *p, uint64_t v)
{
    for (; v >= 0x80; v >>= 7)
        *p++ = (uint8_t)(v | 0x80);
    *p++ = (uint8_t)v;
    return p;
}

/** Write a field into the packed_size() bytes at p; returns what follows them. */
static inline uint8_t *packed_write(uint8_t *p, const struct field *f)
{
    p = varint_write(p,
                     (uint64_t)f->number << 3 | (f->type == VALUE_INT ? PACKED_INT : PACKED_BYTES));
    if (f->type == VALUE_INT)
        return varint_write(p, (uint64_t)f->i);
    p = varint_write(p, f->bytes.len);
    if (f->bytes.len)
        memcpy(p, f->bytes.p, f->bytes.len);
    return p + f->bytes.len;
}

#endif
