/* What the files of JSON share: canonical names, and the bytes of packed elements. */
#ifndef DATA_JSON_PARTS_H
#define DATA_JSON_PARTS_H

#include "bounds.h"
#include "json.h"

enum { NAME_MAX_LEN = 64, PATH_MAX_LEN = OCOP_ERROR_FIELD_MAX };

#define UNKNOWN_NAME "_unknown"

/* --- names ----------------------------------------------------------------------------------- */

static inline char upper(char c)
{
    return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

/* The canonical name of a field: "deadline_date" -> "deadlineDate". Returns its length. */
static inline size_t camel(const ProtobufCFieldDescriptor *d, char out[NAME_MAX_LEN])
{
    size_t len = 0;
    bool raise = false;

    for (const char *c = d->name; *c && len < NAME_MAX_LEN - 1; c++) {
        if (*c != '_')
            out[len++] = raise ? upper(*c) : *c;
        raise = *c == '_';
    }
    out[len] = '\0';
    return len;
}

static inline bool ends_with(const char *name, const char *end)
{
    size_t n = strlen(name), e = strlen(end);

    return n >= e && memcmp(name + n - e, end, e) == 0;
}

/* Does the field hold ids? Ids of 16 bytes are written as UUID. */
static inline bool is_id(const ProtobufCFieldDescriptor *d)
{
    static const char *const others[] = {"id",          "key",     "superseded_by",
                                         "predecessor", "lineage", "parent"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (strcmp(d->name, others[i]) == 0)
            return true;
    return ends_with(d->name, "_id") || ends_with(d->name, "_key");
}

static inline const ProtobufCFieldDescriptor *field_of(const ProtobufCMessageDescriptor *m,
                                                       uint32_t number)
{
    /* Numbers of elements run from 1 without gaps, so the first look mostly hits. */
    if (number >= 1 && number <= m->n_fields && m->fields[number - 1].id == number)
        return &m->fields[number - 1];
    return protobuf_c_message_descriptor_get_field(m, number);
}

static inline bool holds_int(const ProtobufCFieldDescriptor *d)
{
    return d->type == PROTOBUF_C_TYPE_INT32 || d->type == PROTOBUF_C_TYPE_INT64 ||
           d->type == PROTOBUF_C_TYPE_BOOL;
}

/* --- packed fields --------------------------------------------------------------------------- */

enum wire { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

struct packed {
    uint32_t number;
    unsigned wire;
    int64_t i;
    struct span bytes;
    struct span raw; /* tag and value */
};

static inline bool varint(struct span s, size_t *at, uint64_t *v)
{
    if (*at < s.len && s.p[*at] < 0x80) {
        *v = s.p[(*at)++];
        return true;
    }
    return span_varint(s, at, v);
}

static inline bool next_field(struct span s, size_t *at, struct packed *out)
{
    size_t from = *at;
    uint64_t tag, v = 0, len;

    if (!varint(s, at, &tag) || tag >> 3 == 0 || tag >> 3 > 536870910)
        return false;
    *out = (struct packed){.number = (uint32_t)(tag >> 3), .wire = (unsigned)(tag & 7)};
    switch (out->wire) {
    case WIRE_VARINT:
        if (!varint(s, at, &v))
            return false;
        out->i = (int64_t)v;
        break;
    case WIRE_BYTES:
    case WIRE_64:
    case WIRE_32:
        len = out->wire == WIRE_64 ? 8 : 4;
        if ((out->wire == WIRE_BYTES && !varint(s, at, &len)) || len > s.len - *at)
            return false;
        out->bytes = span_of(s.p + *at, (size_t)len);
        *at += (size_t)len;
        break;
    default:
        return false;
    }
    out->raw = span_of(s.p + from, *at - from);
    return true;
}

static inline void pack_int(struct buf *out, uint32_t number, int64_t i)
{
    buf_varint(out, (uint64_t)number << 3 | WIRE_VARINT);
    buf_varint(out, (uint64_t)i);
}

static inline void pack_bytes(struct buf *out, uint32_t number, struct span bytes)
{
    buf_varint(out, (uint64_t)number << 3 | WIRE_BYTES);
    buf_varint(out, bytes.len);
    buf_put(out, bytes.p, bytes.len);
}

static inline void pack_field(struct buf *out, const struct field *f)
{
    if (f->type == VALUE_INT)
        pack_int(out, f->number, f->i);
    else
        pack_bytes(out, f->number, f->bytes);
}

/** A whole number with nothing around it. */
bool json_whole_number(const char *text, int64_t *out);

/** Put what is unknown among the known fields of a packed element, by number. */
OCOP_MUST_USE enum ocop_status json_mix(const ProtobufCFieldDescriptor *list, struct span known,
                                        struct span unknown, struct arena *a, struct span *out,
                                        struct ocop_error *err);

/** What base64 text stands for; false when it is not canonical. `to` has room for all of it. */
bool json_base64_read(struct span s, uint8_t *to, size_t *len);

#endif
