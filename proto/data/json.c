/* Records and lists as JSON. What this program stores has exactly one form, which is written and
 * read without a tree; what people write is read with jansson, kindly. Knows descriptors and the
 * bytes of packed elements; knows no rules (a wrong date is for rules.c) and no database. */
#include "json.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "bounds.h"
#include "text.h"

enum { NAME_MAX_LEN = 64, PATH_MAX_LEN = OCOP_ERROR_FIELD_MAX };

#define UNKNOWN_NAME "_unknown"
#define JSON_BYTES_MAX (8 * RECORD_BYTES_MAX) /* of a record as a person sends it */

/* --- names ----------------------------------------------------------------------------------- */

static char upper(char c)
{
    return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

/* The canonical name of a field: "deadline_date" -> "deadlineDate". Returns its length. */
static size_t camel(const ProtobufCFieldDescriptor *d, char out[NAME_MAX_LEN])
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

static bool ends_with(const char *name, const char *end)
{
    size_t n = strlen(name), e = strlen(end);

    return n >= e && memcmp(name + n - e, end, e) == 0;
}

/* Does the field hold ids? Ids of 16 bytes are written as UUID. */
static bool is_id(const ProtobufCFieldDescriptor *d)
{
    static const char *const others[] = {"id",          "key",     "superseded_by",
                                         "predecessor", "lineage", "parent"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (strcmp(d->name, others[i]) == 0)
            return true;
    return ends_with(d->name, "_id") || ends_with(d->name, "_key");
}

static const ProtobufCFieldDescriptor *field_of(const ProtobufCMessageDescriptor *m,
                                                uint32_t number)
{
    /* Numbers of elements run from 1 without gaps, so the first look mostly hits. */
    if (number >= 1 && number <= m->n_fields && m->fields[number - 1].id == number)
        return &m->fields[number - 1];
    return protobuf_c_message_descriptor_get_field(m, number);
}

static bool holds_int(const ProtobufCFieldDescriptor *d)
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

static bool varint(struct span s, size_t *at, uint64_t *v)
{
    if (*at < s.len && s.p[*at] < 0x80) {
        *v = s.p[(*at)++];
        return true;
    }
    return span_varint(s, at, v);
}

static bool next_field(struct span s, size_t *at, struct packed *out)
{
    size_t from = *at;
    uint64_t tag, v = 0, len;

    if (!varint(s, at, &tag) || tag >> 3 == 0 || tag >> 3 > 536870911)
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

static void pack_int(struct buf *out, uint32_t number, int64_t i)
{
    buf_varint(out, (uint64_t)number << 3 | WIRE_VARINT);
    buf_varint(out, (uint64_t)i);
}

static void pack_bytes(struct buf *out, uint32_t number, struct span bytes)
{
    buf_varint(out, (uint64_t)number << 3 | WIRE_BYTES);
    buf_varint(out, bytes.len);
    buf_put(out, bytes.p, bytes.len);
}

static void pack_field(struct buf *out, const struct field *f)
{
    if (f->type == VALUE_INT)
        pack_int(out, f->number, f->i);
    else
        pack_bytes(out, f->number, f->bytes);
}

/* --- writing values -------------------------------------------------------------------------- */

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

struct base64 {
    uint32_t bits;
    unsigned count; /* bytes in bits, 0 to 2 */
};

static void base64_put(struct base64 *b, struct span s, struct buf *out)
{
    for (size_t i = 0; i < s.len; i++) {
        b->bits = b->bits << 8 | s.p[i];
        if (++b->count < 3)
            continue;
        for (int shift = 18; shift >= 0; shift -= 6)
            buf_byte(out, (uint8_t)base64_digits[b->bits >> shift & 63]);
        *b = (struct base64){0, 0};
    }
}

static void base64_end(const struct base64 *b, struct buf *out)
{
    uint32_t bits = b->bits << (b->count == 1 ? 16 : 8);

    if (b->count == 0)
        return;
    buf_byte(out, (uint8_t)base64_digits[bits >> 18 & 63]);
    buf_byte(out, (uint8_t)base64_digits[bits >> 12 & 63]);
    buf_byte(out, b->count == 2 ? (uint8_t)base64_digits[bits >> 6 & 63] : '=');
    buf_byte(out, '=');
}

static void put_bytes(bool as_id, struct span s, struct buf *out)
{
    struct base64 b = {0, 0};
    char text[ID_TEXT_LEN + 1];
    struct id id;

    buf_byte(out, '"');
    if (as_id && id_from(s, &id)) {
        buf_put(out, id_text(id, text), ID_TEXT_LEN);
    } else {
        base64_put(&b, s, out);
        base64_end(&b, out);
    }
    buf_byte(out, '"');
}

/* False when it is not UTF-8: stored text that no reader takes would be lost. */
static bool put_string(struct span s, struct buf *out)
{
    size_t from = 0;
    uint8_t all = 0;
    bool nul = false;

    buf_byte(out, '"');
    for (size_t i = 0; i < s.len; i++) {
        uint8_t c = s.p[i];
        all |= c;
        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        buf_put(out, s.p + from, i - from);
        nul |= c == 0;
        if (c < 0x20) {
            buf_printf(out, "\\u%04x", c);
        } else {
            buf_byte(out, '\\');
            buf_byte(out, c);
        }
        from = i + 1;
    }
    if (s.len > from)
        buf_put(out, s.p + from, s.len - from);
    buf_byte(out, '"');
    return !nul && ((all & 0x80) == 0 || text_is_utf8(s));
}

static void put_int(int64_t i, struct buf *out)
{
    char text[24], *p = text + sizeof text;
    uint64_t v = i < 0 ? 0 - (uint64_t)i : (uint64_t)i;

    do {
        *--p = (char)('0' + v % 10);
        v /= 10;
    } while (v);
    if (i < 0)
        *--p = '-';
    buf_put(out, p, (size_t)(text + sizeof text - p));
}

/* One scalar value; false when it does not fit the field's type. */
static bool put_value(const ProtobufCFieldDescriptor *d, int64_t i, struct span bytes,
                      struct buf *out)
{
    switch (d->type) {
    case PROTOBUF_C_TYPE_INT32:
        put_int(i, out);
        return i >= INT32_MIN && i <= INT32_MAX;
    case PROTOBUF_C_TYPE_INT64:
        buf_byte(out, '"');
        put_int(i, out);
        buf_byte(out, '"');
        return true;
    case PROTOBUF_C_TYPE_BOOL:
        buf_str(out, i ? "true" : "false");
        return i == 0 || i == 1;
    case PROTOBUF_C_TYPE_STRING:
        return put_string(bytes, out);
    default:
        put_bytes(is_id(d), bytes, out);
        return true;
    }
}

static void put_name(const ProtobufCFieldDescriptor *d, bool first, struct buf *out)
{
    char name[NAME_MAX_LEN + 4];
    size_t len = 0;

    if (!first)
        name[len++] = ',';
    name[len++] = '"';
    for (const char *c = d->name; *c && len < NAME_MAX_LEN; c++)
        name[len++] = *c != '_' ? *c : upper(*++c);
    name[len++] = '"';
    name[len++] = ':';
    buf_put(out, name, len);
}

/* The subfields that the message does not know, as they were packed. */
static void put_unknown(const ProtobufCMessageDescriptor *m, struct span element, struct buf *out)
{
    struct base64 b = {0, 0};
    struct packed f;

    buf_str(out, ",\"" UNKNOWN_NAME "\":\"");
    for (size_t at = 0; at < element.len && next_field(element, &at, &f);)
        if (!field_of(m, f.number))
            base64_put(&b, f.raw, out);
    base64_end(&b, out);
    buf_byte(out, '"');
}

static enum ocop_status put_element(const ProtobufCFieldDescriptor *list, struct span element,
                                    struct span key, struct buf *out, struct ocop_error *err)
{
    const ProtobufCMessageDescriptor *m = list->descriptor;
    bool unknown = false, first = true, good = true, keyed = false;
    uint32_t last = 0;
    struct packed f;

    buf_byte(out, '{');
    for (size_t at = 0; good && at < element.len;) {
        const ProtobufCFieldDescriptor *d;
        if (!next_field(element, &at, &f))
            return err_field(err, OCOP_EPROTO, list->name, "an element of %s is malformed",
                             list->name);
        d = field_of(m, f.number);
        /* Known fields once and all in the order of their numbers: else reading it back would
         * give other bytes. */
        good = d ? f.number > last : f.number >= last;
        last = f.number;
        unknown |= !d;
        if (!d)
            continue;
        good &= f.wire == (holds_int(d) ? WIRE_VARINT : WIRE_BYTES);
        keyed |= f.number == 1 && span_eq(f.bytes, key);
        put_name(d, first, out);
        good &= put_value(d, f.i, f.bytes, out);
        first = false;
    }
    if (!good || !keyed)
        return err_field(err, OCOP_EINVAL, list->name,
                         "an element of %s has a wrong key, a value of a wrong type or text that "
                         "is not UTF-8",
                         list->name);
    if (unknown)
        put_unknown(m, element, out);
    buf_byte(out, '}');
    return OCOP_OK;
}

static enum ocop_status check_room(const struct buf *out, struct ocop_error *err)
{
    if (out->failed)
        return err_set(err, OCOP_ELIMIT, "JSON larger than %zu bytes, or no memory for it",
                       out->cap);
    return OCOP_OK;
}

enum ocop_status json_list_write(const struct field_rule *list, const struct field *f, size_t count,
                                 struct buf *out, struct ocop_error *err)
{
    enum ocop_status status = OCOP_OK;
    size_t items = 0;

    buf_byte(out, '[');
    for (size_t i = 0; status == OCOP_OK && i < count; i++) {
        if (f[i].op == FIELD_CLEAR)
            continue;
        if (f[i].type != VALUE_ELEMENT || f[i].key.len == 0)
            return err_field(err, OCOP_EINVAL, list->desc->name,
                             "%s is a list, each element needs a key", list->desc->name);
        if (items++)
            buf_byte(out, ',');
        status = put_element(list->desc, f[i].bytes, f[i].key, out, err);
    }
    buf_byte(out, ']');
    if (status == OCOP_OK && items > LIST_ITEMS_MAX)
        status = err_field(err, OCOP_ELIMIT, list->desc->name, "%s has %zu elements, limit %d",
                           list->desc->name, items, LIST_ITEMS_MAX);
    return status == OCOP_OK ? check_room(out, err) : status;
}

/* --- reading what this program wrote ---------------------------------------------------------- */

struct reader {
    const uint8_t *p, *end;
    uint8_t *w; /* where the packed element grows; there is always room, see packed_room */
};

/* A member takes at least `"a":"",`, 7 bytes; its packed form at most 1 for the tag and 10 for a
 * varint, or tag, length and the text itself. */
static size_t packed_room(size_t json_len)
{
    return 2 * json_len + 16;
}

static bool take(struct reader *r, char c)
{
    if (r->p == r->end || *r->p != (uint8_t)c)
        return false;
    r->p++;
    return true;
}

static bool take_text(struct reader *r, const char *text)
{
    size_t len = strlen(text);

    if ((size_t)(r->end - r->p) < len || memcmp(r->p, text, len) != 0)
        return false;
    r->p += len;
    return true;
}

static void write_varint(struct reader *r, uint64_t v)
{
    while (v >= 0x80) {
        *r->w++ = (uint8_t)(v | 0x80);
        v >>= 7;
    }
    *r->w++ = (uint8_t)v;
}

static void write_bytes(struct reader *r, uint32_t number, const void *p, size_t len)
{
    write_varint(r, (uint64_t)number << 3 | WIRE_BYTES);
    write_varint(r, len);
    if (len)
        memcpy(r->w, p, len);
    r->w += len;
}

static bool take_int(struct reader *r, int64_t min, int64_t max, int64_t *out)
{
    bool minus = take(r, '-');
    const uint8_t *from = r->p;
    uint64_t v = 0;

    for (; r->p < r->end && *r->p >= '0' && *r->p <= '9' && r->p - from < 19; r->p++)
        v = 10 * v + (uint64_t)(*r->p - '0');
    if (r->p == from || (*from == '0' && (r->p - from > 1 || minus)))
        return false;
    if (v > (uint64_t)INT64_MAX + (minus ? 1 : 0))
        return false;
    *out = (int64_t)(minus ? 0 - v : v);
    return *out >= min && *out <= max;
}

/* The text between quotes as it stands; *escapes counts the bytes that escaping added. */
static bool take_quoted(struct reader *r, struct span *out, size_t *escapes)
{
    const uint8_t *from;
    uint8_t all = 0;

    *escapes = 0;
    if (!take(r, '"'))
        return false;
    for (from = r->p; r->p < r->end && *r->p != '"'; r->p++) {
        all |= *r->p;
        if (*r->p < 0x20)
            return false;
        if (*r->p != '\\')
            continue;
        if (r->end - r->p < 2)
            return false;
        r->p++;
        *escapes += *r->p == 'u' ? 5 : 1;
    }
    *out = span_of(from, (size_t)(r->p - from));
    return take(r, '"') && ((all & 0x80) == 0 || text_is_utf8(*out));
}

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Only what put_string writes: \" \\ and \u0001 to \u001f. */
static bool unescape(struct span s, uint8_t *to)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] != '\\') {
            *to++ = s.p[i];
            continue;
        }
        i++;
        if (s.p[i] == '"' || s.p[i] == '\\') {
            *to++ = s.p[i];
            continue;
        }
        if (s.p[i] != 'u' || s.len - i < 5 || s.p[i + 1] != '0' || s.p[i + 2] != '0' ||
            (s.p[i + 3] != '0' && s.p[i + 3] != '1') || hex_digit(s.p[i + 4]) < 0)
            return false;
        *to = (uint8_t)((s.p[i + 3] - '0') * 16 + hex_digit(s.p[i + 4]));
        if (*to++ == 0)
            return false;
        i += 4;
    }
    return true;
}

static int base64_value(uint8_t c)
{
    const char *at = c ? strchr(base64_digits, c) : NULL;

    return at ? (int)(at - base64_digits) : -1;
}

/* Canonical base64 alone: whole groups, padding where due, no stray bits. `to` has room for
 * 3 bytes per group of 4. */
static bool base64_read(struct span s, uint8_t *to, size_t *len)
{
    *len = 0;
    if (s.len % 4 != 0)
        return false;
    for (size_t i = 0; i < s.len; i += 4) {
        uint32_t bits = 0;
        size_t pad = 0;
        if (i + 4 == s.len && s.p[i + 3] == '=')
            pad = s.p[i + 2] == '=' ? 2 : 1;
        for (size_t j = 0; j < 4 - pad; j++) {
            int v = base64_value(s.p[i + j]);
            if (v < 0)
                return false;
            bits |= (uint32_t)v << (18 - 6 * j);
        }
        if (pad && (bits & (pad == 2 ? 0xffffu : 0xffu)))
            return false;
        for (size_t j = 0; j < 3 - pad; j++)
            to[(*len)++] = (uint8_t)(bits >> (16 - 8 * j));
    }
    return true;
}

static bool read_bytes(struct reader *r, const ProtobufCFieldDescriptor *d)
{
    char text[ID_TEXT_LEN + 1], again[ID_TEXT_LEN + 1];
    struct span s;
    size_t escapes, len;
    struct id id;

    if (!take_quoted(r, &s, &escapes) || escapes)
        return false;
    if (is_id(d) && s.len == ID_TEXT_LEN && s.p[8] == '-') {
        memcpy(text, s.p, ID_TEXT_LEN);
        text[ID_TEXT_LEN] = '\0';
        if (!id_parse(text, &id) || strcmp(id_text(id, again), text) != 0)
            return false;
        write_bytes(r, d->id, id.b, ID_LEN);
        return true;
    }
    /* The length stands before the bytes, and the text tells it. */
    len = s.len / 4 * 3;
    for (size_t i = s.len; len && i > 0 && s.p[i - 1] == '='; i--)
        len--;
    write_varint(r, (uint64_t)d->id << 3 | WIRE_BYTES);
    write_varint(r, len);
    if (!base64_read(s, r->w, &len) || (is_id(d) && len == ID_LEN))
        return false;
    r->w += len;
    return true;
}

static bool read_string(struct reader *r, const ProtobufCFieldDescriptor *d)
{
    struct span s;
    size_t escapes;

    if (!take_quoted(r, &s, &escapes) || escapes > s.len)
        return false;
    if (!escapes) {
        write_bytes(r, d->id, s.p, s.len);
        return true;
    }
    write_varint(r, (uint64_t)d->id << 3 | WIRE_BYTES);
    write_varint(r, s.len - escapes);
    if (!unescape(s, r->w))
        return false;
    r->w += s.len - escapes;
    return true;
}

static bool read_value(struct reader *r, const ProtobufCFieldDescriptor *d)
{
    int64_t i;

    switch (d->type) {
    case PROTOBUF_C_TYPE_INT32:
        if (!take_int(r, INT32_MIN, INT32_MAX, &i))
            return false;
        break;
    case PROTOBUF_C_TYPE_INT64:
        if (!take(r, '"') || !take_int(r, INT64_MIN, INT64_MAX, &i) || !take(r, '"'))
            return false;
        break;
    case PROTOBUF_C_TYPE_BOOL:
        i = take_text(r, "true");
        if (!i && !take_text(r, "false"))
            return false;
        break;
    case PROTOBUF_C_TYPE_STRING:
        return read_string(r, d);
    default:
        return read_bytes(r, d);
    }
    write_varint(r, (uint64_t)d->id << 3 | WIRE_VARINT);
    write_varint(r, (uint64_t)i);
    return true;
}

static bool take_name(struct reader *r, const char *name)
{
    const uint8_t *p = r->p;

    for (const char *c = name; *c; c++, p++) {
        char want = *c != '_' ? *c : upper(*++c);
        if (p == r->end || *p != (uint8_t)want)
            return false;
    }
    if (r->end - p < 2 || p[0] != '"' || p[1] != ':')
        return false;
    r->p = p + 2;
    return true;
}

/* The members of the message from `next` on; the one whose name comes. */
static const ProtobufCFieldDescriptor *
take_member(struct reader *r, const ProtobufCMessageDescriptor *m, unsigned *next)
{
    if (!take(r, '"'))
        return NULL;
    for (; *next < m->n_fields; ++*next)
        if (take_name(r, m->fields[*next].name))
            return &m->fields[(*next)++];
    return NULL;
}

/* Put unknown subfields between the known ones, by number. They may have become known since; then
 * they must not stand twice. */
static enum ocop_status mix(const ProtobufCFieldDescriptor *list, struct span known,
                            struct span unknown, struct arena *a, struct span *out,
                            struct ocop_error *err)
{
    size_t k = 0, u = 0, k_at = 0, u_at = 0;
    struct packed kf = {0}, uf = {0};
    uint32_t last = 0;
    uint8_t *p = arena_alloc(a, known.len + unknown.len + 1);

    if (!p)
        return err_nomem(err);
    *out = span_of(p, known.len + unknown.len);
    while (k < known.len || u < unknown.len) {
        if (k < known.len && k_at <= k && !next_field(known, &k_at, &kf))
            k_at = SIZE_MAX;
        if (u < unknown.len && u_at <= u && !next_field(unknown, &u_at, &uf))
            u_at = SIZE_MAX;
        if (k_at == SIZE_MAX || u_at == SIZE_MAX || (u < unknown.len && uf.number < last) ||
            (k < known.len && u < unknown.len && kf.number == uf.number))
            return err_field(err, OCOP_EDAMAGED, list->name,
                             "unknown values in an element of %s are damaged", list->name);
        if (u == unknown.len || (k < known.len && kf.number < uf.number)) {
            memcpy(p, kf.raw.p, kf.raw.len);
            p += kf.raw.len;
            k = k_at;
        } else {
            memcpy(p, uf.raw.p, uf.raw.len);
            p += uf.raw.len;
            u = u_at;
            last = uf.number;
        }
    }
    return OCOP_OK;
}

static enum ocop_status not_canonical(const ProtobufCFieldDescriptor *list, const struct reader *r,
                                      size_t len, struct ocop_error *err)
{
    return err_field(err, OCOP_EDAMAGED, list->name,
                     "the stored list %s is not in canonical form at byte %zu; restore the file "
                     "from a backup",
                     list->name, len - (size_t)(r->end - r->p));
}

static enum ocop_status read_unknown(struct reader *r, const ProtobufCFieldDescriptor *list,
                                     size_t json_len, struct arena *a, struct span *element,
                                     struct ocop_error *err)
{
    struct span text, unknown = {NULL, 0};
    size_t escapes;
    uint8_t *p;

    if (!take_quoted(r, &text, &escapes) || escapes || text.len == 0)
        return not_canonical(list, r, json_len, err);
    p = arena_alloc(a, text.len);
    if (!p)
        return err_nomem(err);
    if (!base64_read(text, p, &unknown.len))
        return not_canonical(list, r, json_len, err);
    unknown.p = p;
    return mix(list, *element, unknown, a, element, err);
}

static enum ocop_status read_element(struct reader *r, const ProtobufCFieldDescriptor *list,
                                     size_t json_len, struct arena *a, struct field *out,
                                     struct ocop_error *err)
{
    const ProtobufCMessageDescriptor *m = list->descriptor;
    enum ocop_status status = OCOP_OK;
    uint8_t *from = r->w;
    unsigned next = 0;
    bool more = take(r, '{'), ended = false;

    *out = (struct field){.number = list->id, .op = FIELD_SET, .type = VALUE_ELEMENT};
    while (more) {
        const ProtobufCFieldDescriptor *d = take_member(r, m, &next);
        if (!d && out->key.len && take_text(r, UNKNOWN_NAME "\":")) {
            out->bytes = span_of(from, (size_t)(r->w - from));
            status = read_unknown(r, list, json_len, a, &out->bytes, err);
            if (status != OCOP_OK)
                return status;
            ended = take(r, '}');
            break;
        }
        if (!d || !read_value(r, d))
            break;
        out->bytes = span_of(from, (size_t)(r->w - from));
        if (d->id == 1)
            out->key = element_key(out->bytes);
        ended = take(r, '}');
        more = !ended && take(r, ',');
    }
    if (!ended || out->key.len == 0)
        return not_canonical(list, r, json_len, err);
    return OCOP_OK;
}

enum ocop_status json_list_read(const struct field_rule *list, struct span json, struct arena *a,
                                struct fields *out, struct ocop_error *err)
{
    struct reader r = {json.p, json.p + json.len, NULL};
    enum ocop_status status = OCOP_OK;
    size_t room = 0, count = 0;
    struct field *v;
    uint8_t *packed;
    bool more;

    *out = (struct fields){NULL, 0};
    if (!take(&r, '['))
        return not_canonical(list->desc, &r, json.len, err);
    if (take(&r, ']'))
        return r.p == r.end ? OCOP_OK : not_canonical(list->desc, &r, json.len, err);
    for (size_t i = 0; i < json.len && room < LIST_ITEMS_MAX; i++)
        room += json.p[i] == '{';
    v = arena_alloc(a, (room + 1) * sizeof *v);
    packed = arena_alloc(a, packed_room(json.len));
    if (!v || !packed)
        return err_nomem(err);
    r.w = packed;
    for (more = true; more; more = take(&r, ',')) {
        if (count == room)
            return not_canonical(list->desc, &r, json.len, err);
        status = read_element(&r, list->desc, json.len, a, &v[count], err);
        if (status != OCOP_OK)
            return status;
        if (count && span_cmp(v[count - 1].key, v[count].key) >= 0)
            return not_canonical(list->desc, &r, json.len, err);
        count++;
    }
    if (!take(&r, ']') || r.p != r.end)
        return not_canonical(list->desc, &r, json.len, err);
    arena_trim(a, packed, packed_room(json.len), (size_t)(r.w - packed));
    *out = (struct fields){v, count};
    return OCOP_OK;
}

/* --- records --------------------------------------------------------------------------------- */

static bool is_unknown(const struct kind *k, const struct field *f)
{
    return !k || !kind_field(k, f->number);
}

/* Indent compact JSON: two spaces a level. */
static void indent(struct span json, struct buf *out)
{
    unsigned depth = 0;
    bool quoted = false;

    for (size_t i = 0; i < json.len; i++) {
        uint8_t c = json.p[i];
        bool open = c == '{' || c == '[', close = c == '}' || c == ']';
        bool empty = i + 1 < json.len && (json.p[i + 1] == '}' || json.p[i + 1] == ']');
        if (quoted || (!open && !close && c != ',' && c != ':')) {
            buf_byte(out, c);
            if (quoted && c == '\\')
                buf_byte(out, json.p[++i]);
            else if (c == '"')
                quoted = !quoted;
            continue;
        }
        if (close && depth > 0 && json.p[i - 1] != '{' && json.p[i - 1] != '[')
            buf_printf(out, "\n%*s", (int)(2 * (depth - 1)), "");
        buf_byte(out, c);
        depth = depth + open - (close && depth > 0);
        if (c == ':')
            buf_byte(out, ' ');
        else if (c == ',' || (open && !empty))
            buf_printf(out, "\n%*s", (int)(2 * depth), "");
    }
}

static enum ocop_status put_scalar(const ProtobufCFieldDescriptor *d, const struct field *f,
                                   struct buf *out, struct ocop_error *err)
{
    bool typed = f->type == (holds_int(d) ? VALUE_INT : VALUE_BYTES);

    if (typed && put_value(d, f->i, f->bytes, out))
        return OCOP_OK;
    return err_field(err, OCOP_EINVAL, d->name,
                     "%s has a value of another type or text that is not UTF-8", d->name);
}

static enum ocop_status put_record(const struct kind *k, const struct id *id,
                                   const struct fields *f, struct buf *out, struct ocop_error *err)
{
    enum ocop_status status = OCOP_OK;
    struct base64 b = {0, 0};
    bool unknown = false;
    struct buf packed;

    buf_init(&packed, out->cap);
    buf_str(out, "{\"id\":");
    put_bytes(true, id_span(id), out);
    for (size_t i = 0, end; status == OCOP_OK && i < f->count; i = end) {
        const struct field_rule *rule = k ? kind_field(k, f->v[i].number) : NULL;
        bool set = false;
        for (end = i; end < f->count && f->v[end].number == f->v[i].number; end++) {
            set |= f->v[end].op != FIELD_CLEAR;
            if (!rule && f->v[end].op != FIELD_CLEAR)
                pack_field(&packed, &f->v[end]);
        }
        unknown |= set && !rule;
        if (!set || !rule)
            continue;
        put_name(rule->desc, false, out);
        if (rule_is_list(rule))
            status = json_list_write(rule, &f->v[i], end - i, out, err);
        else
            status = put_scalar(rule->desc, &f->v[i], out, err);
    }
    if (unknown) {
        buf_str(out, ",\"" UNKNOWN_NAME "\":\"");
        base64_put(&b, buf_span(&packed), out);
        base64_end(&b, out);
        buf_byte(out, '"');
    }
    buf_byte(out, '}');
    if (status == OCOP_OK)
        status = packed.failed ? err_nomem(err) : check_room(out, err);
    buf_fini(&packed);
    return status;
}

enum ocop_status json_from_fields(const struct kind *k, const struct id *id, const struct fields *f,
                                  bool pretty, struct buf *out, struct ocop_error *err)
{
    struct buf compact;
    enum ocop_status status;

    if (!pretty)
        return put_record(k, id, f, out, err);
    buf_init(&compact, out->cap);
    status = put_record(k, id, f, &compact, err);
    if (status == OCOP_OK) {
        indent(buf_span(&compact), out);
        status = check_room(out, err);
    }
    buf_fini(&compact);
    return status;
}

enum ocop_status json_value(const struct kind *k, const struct field *f, struct buf *out,
                            struct ocop_error *err)
{
    enum ocop_status status = OCOP_OK;
    struct base64 b = {0, 0};
    struct buf packed;

    if (f->op == FIELD_CLEAR) {
        buf_str(out, "null");
    } else if (!is_unknown(k, f)) {
        const struct field_rule *rule = kind_field(k, f->number);
        status = rule_is_list(rule) ? put_element(rule->desc, f->bytes, f->key, out, err)
                                    : put_scalar(rule->desc, f, out, err);
    } else {
        buf_init(&packed, out->cap);
        pack_field(&packed, f);
        buf_str(out, "{\"" UNKNOWN_NAME "\":\"");
        base64_put(&b, buf_span(&packed), out);
        base64_end(&b, out);
        buf_str(out, "\"}");
        if (packed.failed)
            status = err_nomem(err);
        buf_fini(&packed);
    }
    return status == OCOP_OK ? check_room(out, err) : status;
}

/* --- what people write ----------------------------------------------------------------------- */

/* Everything that reading one input needs. */
struct input {
    struct id_source *ids;
    const struct env *env;
    struct arena *a;
    struct ocop_error *err;
};

/* Where we are, as in "findings[2].deadlineDate". */
struct path {
    char text[PATH_MAX_LEN];
};

static struct path path_join(const struct path *in, const char *name)
{
    struct path p;

    (void)snprintf(p.text, sizeof p.text, "%.40s%s%.50s", in->text, in->text[0] ? "." : "", name);
    return p;
}

static enum ocop_status bad_type(const struct input *in, const struct path *at, const char *must)
{
    return err_field(in->err, OCOP_EINVAL, at->text, "%s must be %s", at->text, must);
}

/* Levenshtein's distance, case aside. */
static size_t distance(const char *a, const char *b)
{
    size_t row[NAME_MAX_LEN + 1], n = strlen(b);

    if (n > NAME_MAX_LEN || strlen(a) > NAME_MAX_LEN)
        return SIZE_MAX;
    for (size_t j = 0; j <= n; j++)
        row[j] = j;
    for (size_t i = 0; a[i]; i++) {
        size_t corner = row[0];
        row[0] = i + 1;
        for (size_t j = 0; j < n; j++) {
            size_t above = row[j + 1];
            size_t best = corner + (upper(a[i]) != upper(b[j]));
            best = best < above + 1 ? best : above + 1;
            row[j + 1] = best < row[j] + 1 ? best : row[j] + 1;
            corner = above;
        }
    }
    return row[n];
}

static const ProtobufCFieldDescriptor *member_by_name(const ProtobufCMessageDescriptor *m,
                                                      const char *name)
{
    char text[NAME_MAX_LEN];

    for (unsigned i = 0; i < m->n_fields; i++) {
        (void)camel(&m->fields[i], text);
        if (strcmp(name, text) == 0 || strcmp(name, m->fields[i].name) == 0)
            return &m->fields[i];
    }
    return NULL;
}

static enum ocop_status unknown_name(const struct input *in, const struct path *at,
                                     const ProtobufCMessageDescriptor *m, const char *name)
{
    char text[NAME_MAX_LEN] = "", nearest[NAME_MAX_LEN] = "";
    size_t best = SIZE_MAX;
    struct path p = path_join(at, name);

    for (unsigned i = 0; i < m->n_fields; i++) {
        (void)camel(&m->fields[i], text);
        size_t d = distance(name, text);
        if (d < best) {
            best = d;
            memcpy(nearest, text, sizeof nearest);
        }
    }
    if (best == SIZE_MAX)
        return err_field(in->err, OCOP_EINVAL, p.text, "%s is not a field of %s", p.text,
                         m->short_name);
    return err_field(in->err, OCOP_EINVAL, p.text, "%s is not a field of %s; did you mean %s?",
                     p.text, m->short_name, nearest);
}

/* Every member must be known, and under one of its two names only. */
static enum ocop_status check_names(const struct input *in, const struct path *at,
                                    const ProtobufCMessageDescriptor *m, json_t *object)
{
    const char *name;
    json_t *value;

    json_object_foreach(object, name, value)
    {
        const ProtobufCFieldDescriptor *d = member_by_name(m, name);
        char text[NAME_MAX_LEN];
        if (strcmp(name, UNKNOWN_NAME) == 0)
            continue;
        if (!d)
            return unknown_name(in, at, m, name);
        (void)camel(d, text);
        if (strcmp(name, text) != 0 && json_object_get(object, text))
            return err_field(in->err, OCOP_EINVAL, text, "%s stands twice, also as %s", text, name);
    }
    return OCOP_OK;
}

static json_t *member(json_t *object, const ProtobufCFieldDescriptor *d)
{
    char text[NAME_MAX_LEN];
    json_t *value;

    (void)camel(d, text);
    value = json_object_get(object, text);
    return value ? value : json_object_get(object, d->name);
}

static bool digits(const char **s, size_t count, int *out)
{
    *out = 0;
    for (size_t i = 0; i < count; i++, ++*s) {
        if (**s < '0' || **s > '9')
            return false;
        *out = 10 * *out + (**s - '0');
    }
    return true;
}

/* RFC 3339 with at most milliseconds: "2026-08-05T14:03:00+07:00". */
static bool parse_moment(const char *s, int64_t *ms)
{
    int year, month, day, hour, minute, second, fraction = 0, zone_hour = 0, zone_minute = 0;
    int64_t days, y, era, of_era;
    char zone;

    if (strlen(s) < 20 || !text_is_date(span_of(s, 10)))
        return false;
    if (!digits(&s, 4, &year) || *s++ != '-' || !digits(&s, 2, &month) || *s++ != '-' ||
        !digits(&s, 2, &day) || (*s != 'T' && *s != 't' && *s != ' '))
        return false;
    s++;
    if (!digits(&s, 2, &hour) || *s++ != ':' || !digits(&s, 2, &minute) || *s++ != ':' ||
        !digits(&s, 2, &second) || hour > 23 || minute > 59 || second > 59)
        return false;
    if (*s == '.')
        for (int i = 0, scale = 100; *++s >= '0' && *s <= '9'; i++, scale /= 10)
            fraction += i < 3 ? (*s - '0') * scale : 0;
    zone = *s++;
    if (zone == '+' || zone == '-') {
        if (!digits(&s, 2, &zone_hour) || *s++ != ':' || !digits(&s, 2, &zone_minute) ||
            zone_hour > 23 || zone_minute > 59)
            return false;
    } else if (zone != 'Z' && zone != 'z') {
        return false;
    }
    /* Days since 1970 in the Gregorian calendar, years counted from March. */
    y = month <= 2 ? year - 1 : year;
    era = y / 400;
    of_era = y - era * 400;
    days = era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 +
           (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1 - 719468;
    *ms = ((days * 24 + hour) * 60 + minute) * 60000 + second * 1000 + fraction -
          (zone == '-' ? -1 : 1) * (zone_hour * 60 + zone_minute) * INT64_C(60000);
    return *s == '\0';
}

static bool parse_degrees(double degrees, int64_t *out)
{
    if (!(degrees >= -360.0 && degrees <= 360.0))
        return false;
    *out = (int64_t)(degrees * 1e6 + (degrees < 0 ? -0.5 : 0.5));
    return true;
}

static bool parse_int(const char *s, int64_t *out)
{
    struct reader r = {(const uint8_t *)s, (const uint8_t *)s + strlen(s), NULL};

    return take_int(&r, INT64_MIN, INT64_MAX, out) && r.p == r.end;
}

static enum ocop_status int_from_json(const struct input *in, const struct path *at,
                                      const ProtobufCFieldDescriptor *d, json_t *v, int64_t *out)
{
    const char *text = json_string_value(v);
    bool moment = ends_with(d->name, "_ms"), degrees = ends_with(d->name, "_e6"), good;

    if (d->type == PROTOBUF_C_TYPE_BOOL) {
        *out = json_is_true(v) || (text && strcmp(text, "true") == 0);
        good = json_is_boolean(v) || *out || (text && strcmp(text, "false") == 0);
        return good ? OCOP_OK : bad_type(in, at, "true or false");
    }
    if (text)
        good =
            parse_int(text, out) || (moment && parse_moment(text, out)) ||
            (degrees && text_is_decimal(span_str(text)) && parse_degrees(strtod(text, NULL), out));
    else if (json_is_real(v))
        good = degrees && parse_degrees(json_real_value(v), out);
    else
        good = json_is_integer(v);
    if (good && json_is_integer(v))
        *out = json_integer_value(v);
    if (good && d->type == PROTOBUF_C_TYPE_INT32 && (*out < INT32_MIN || *out > INT32_MAX))
        return bad_type(in, at, "between -2147483648 and 2147483647");
    if (good)
        return OCOP_OK;
    return bad_type(in, at,
                    moment ? "milliseconds since 1970 or a time such as 2026-08-05T14:03:00+07:00"
                    : degrees ? "millionths of a degree, or degrees such as 21.028511"
                              : "a whole number");
}

static enum ocop_status bytes_from_text(const struct input *in, const struct path *at,
                                        const ProtobufCFieldDescriptor *d, struct span text,
                                        struct span *out)
{
    uint8_t *p;
    struct id id;

    if (d->type == PROTOBUF_C_TYPE_STRING) {
        out->p = (const uint8_t *)arena_dup(in->a, text.p ? (const char *)text.p : "", text.len);
        out->len = text.len;
        return out->p ? OCOP_OK : err_nomem(in->err);
    }
    /* Text of jansson and of arguments ends with NUL. */
    p = arena_alloc(in->a, text.len + ID_LEN);
    if (!p)
        return err_nomem(in->err);
    out->p = p;
    if (is_id(d) && text.len && id_parse((const char *)text.p, &id)) {
        memcpy(p, id.b, ID_LEN);
        out->len = ID_LEN;
    } else if (!base64_read(text, p, &out->len)) {
        return bad_type(in, at,
                        is_id(d) ? "an id such as 01980f3c-5a7e-8b21-9c4d-2e6f00000001" : "base64");
    }
    return OCOP_OK;
}

/* One scalar; null clears. */
static enum ocop_status scalar_from_json(const struct input *in, const struct path *at,
                                         const ProtobufCFieldDescriptor *d, json_t *v,
                                         struct field *out)
{
    *out = (struct field){
        .number = d->id, .op = FIELD_SET, .type = holds_int(d) ? VALUE_INT : VALUE_BYTES};
    if (json_is_null(v)) {
        out->op = FIELD_CLEAR;
        return OCOP_OK;
    }
    if (out->type == VALUE_INT)
        return int_from_json(in, at, d, v, &out->i);
    if (!json_is_string(v))
        return bad_type(in, at, "text");
    return bytes_from_text(in, at, d, span_of(json_string_value(v), json_string_length(v)),
                           &out->bytes);
}

/* The bytes behind "_unknown": packed fields, none of which `m` knows. */
static enum ocop_status unknown_from_json(const struct input *in, const struct path *at,
                                          const ProtobufCMessageDescriptor *m, json_t *v,
                                          struct span *out)
{
    struct path p = path_join(at, UNKNOWN_NAME);
    struct packed f;
    uint8_t *bytes;
    uint32_t last = 0;

    *out = (struct span){NULL, 0};
    if (!json_is_string(v))
        return bad_type(in, &p, "base64");
    bytes = arena_alloc(in->a, json_string_length(v) + 1);
    if (!bytes)
        return err_nomem(in->err);
    if (!base64_read(span_of(json_string_value(v), json_string_length(v)), bytes, &out->len))
        return bad_type(in, &p, "base64");
    out->p = bytes;
    for (size_t i = 0; i < out->len; last = f.number)
        if (!next_field(*out, &i, &f) || f.number < last || (m && field_of(m, f.number)))
            return bad_type(in, &p, "packed fields that this program does not know");
    return OCOP_OK;
}

static enum ocop_status missing_key(const struct input *in, const struct path *at,
                                    const ProtobufCFieldDescriptor *d, struct field *out)
{
    char name[NAME_MAX_LEN];
    struct id id;

    (void)camel(d, name);
    if (d->type != PROTOBUF_C_TYPE_BYTES || !in->ids || !in->env)
        return err_field(in->err, OCOP_EINVAL, at->text, "%s needs \"%s\", its key", at->text,
                         name);
    id = id_next(in->ids, in->env);
    *out = (struct field){.number = d->id, .op = FIELD_SET, .type = VALUE_BYTES};
    out->bytes = span_of(arena_dup(in->a, id.b, ID_LEN), ID_LEN);
    return out->bytes.p ? OCOP_OK : err_nomem(in->err);
}

/* An object into `out`, an element of `list`. `key`, where given, is that of an object without. */
static enum ocop_status element_from_json(const struct input *in, const struct path *at,
                                          const ProtobufCFieldDescriptor *list, json_t *object,
                                          struct span key, struct field *out)
{
    const ProtobufCMessageDescriptor *m = list->descriptor;
    enum ocop_status status;
    struct span unknown;
    struct buf packed;
    struct field f;

    *out = (struct field){.number = list->id, .op = FIELD_SET, .type = VALUE_ELEMENT};
    if (!json_is_object(object))
        return bad_type(in, at, "an object");
    status = check_names(in, at, m, object);
    buf_init(&packed, JSON_BYTES_MAX);
    for (unsigned i = 0; status == OCOP_OK && i < m->n_fields; i++) {
        const ProtobufCFieldDescriptor *d = &m->fields[i];
        json_t *v = member(object, d);
        bool there = v && !json_is_null(v);
        char name[NAME_MAX_LEN];
        struct path p;
        (void)camel(d, name);
        p = path_join(at, name);
        if (there)
            status = scalar_from_json(in, &p, d, v, &f);
        else if (i == 0 && key.len)
            f = (struct field){.number = d->id, .type = VALUE_BYTES, .bytes = key};
        else if (i == 0)
            status = missing_key(in, at, d, &f);
        if (status == OCOP_OK && (there || i == 0))
            pack_field(&packed, &f);
    }
    if (status == OCOP_OK && packed.failed)
        status = err_field(in->err, OCOP_ELIMIT, at->text, "%s is too large", at->text);
    if (status == OCOP_OK) {
        out->bytes = span_of(arena_dup(in->a, packed.p, packed.len), packed.len);
        if (!out->bytes.p)
            status = err_nomem(in->err);
    }
    buf_fini(&packed);
    if (status == OCOP_OK && json_object_get(object, UNKNOWN_NAME)) {
        status = unknown_from_json(in, at, m, json_object_get(object, UNKNOWN_NAME), &unknown);
        if (status == OCOP_OK)
            status = mix(list, out->bytes, unknown, in->a, &out->bytes, in->err);
    }
    if (status == OCOP_OK) {
        out->key = element_key(out->bytes);
        if (out->key.len == 0 || out->key.len > KEY_BYTES_MAX)
            status = err_field(in->err, OCOP_EINVAL, at->text,
                               "the key of %s must have 1 to %d bytes", at->text, KEY_BYTES_MAX);
    }
    return status;
}

static enum ocop_status load_json(const struct input *in, struct span text, size_t flags,
                                  json_t **out)
{
    json_error_t e;

    *out = NULL;
    if (text.len > JSON_BYTES_MAX)
        return err_set(in->err, OCOP_ELIMIT, "JSON of %zu bytes, limit %zu", text.len,
                       JSON_BYTES_MAX);
    *out = json_loadb((const char *)text.p, text.len, JSON_REJECT_DUPLICATES | flags, &e);
    if (*out)
        return OCOP_OK;
    if (json_error_code(&e) == json_error_out_of_memory)
        return err_nomem(in->err);
    return err_set(in->err, OCOP_EINVAL, "not JSON: %s in line %d, column %d", e.text, e.line,
                   e.column);
}

/* Fields as they are found; sorted at the end. */
struct found {
    struct field *v;
    size_t count, room;
};

static enum ocop_status found_add(const struct input *in, struct found *to, const struct field *f)
{
    if (to->count == to->room) {
        size_t room = to->room ? 2 * to->room : 64;
        struct field *v = arena_calloc(in->a, room, sizeof *v);
        if (!v)
            return err_nomem(in->err);
        if (to->count)
            memcpy(v, to->v, to->count * sizeof *v);
        *to = (struct found){v, to->count, room};
    }
    if (to->count == FIELDS_MAX)
        return err_set(in->err, OCOP_ELIMIT, "more than %d fields and elements", FIELDS_MAX);
    to->v[to->count++] = *f;
    return OCOP_OK;
}

static enum ocop_status list_from_json(const struct input *in, const ProtobufCFieldDescriptor *d,
                                       json_t *v, struct found *to)
{
    struct path at = {""};
    enum ocop_status status = OCOP_OK;
    char name[NAME_MAX_LEN];

    (void)camel(d, name);
    at = path_join(&at, name);
    if (!json_is_array(v))
        return bad_type(in, &at, "a list");
    if (json_array_size(v) > LIST_ITEMS_MAX)
        return err_field(in->err, OCOP_ELIMIT, at.text, "%s has %zu elements, limit %d", at.text,
                         json_array_size(v), LIST_ITEMS_MAX);
    for (size_t i = 0; status == OCOP_OK && i < json_array_size(v); i++) {
        struct field f;
        (void)snprintf(at.text, sizeof at.text, "%s[%zu]", name, i);
        status = element_from_json(in, &at, d, json_array_get(v, i), (struct span){NULL, 0}, &f);
        if (status == OCOP_OK)
            status = found_add(in, to, &f);
    }
    return status;
}

static enum ocop_status members_from_json(const struct input *in, const struct kind *k,
                                          json_t *object, struct id *id, struct found *to)
{
    const struct path top = {""};
    enum ocop_status status = check_names(in, &top, k->desc, object);

    for (size_t i = 0; status == OCOP_OK && i < k->field_count; i++) {
        const struct field_rule *rule = &k->fields[i];
        json_t *v = member(object, rule->desc);
        char name[NAME_MAX_LEN];
        struct path at;
        struct field f;
        if (!v)
            continue;
        (void)camel(rule->desc, name);
        at = path_join(&top, name);
        if (rule_is_list(rule)) {
            status = list_from_json(in, rule->desc, v, to);
            continue;
        }
        status = scalar_from_json(in, &at, rule->desc, v, &f);
        if (status == OCOP_OK && rule->number != FIELD_ID)
            status = found_add(in, to, &f);
        else if (status == OCOP_OK && (f.op == FIELD_CLEAR || !id_from(f.bytes, id)))
            status = bad_type(in, &at, "an id such as 01980f3c-5a7e-8b21-9c4d-2e6f00000001");
    }
    return status;
}

enum ocop_status json_to_fields(const struct kind *k, struct span json, struct id_source *ids,
                                const struct env *env, struct arena *a, struct id *id,
                                struct fields *out, struct ocop_error *err)
{
    const struct input in = {ids, env, a, err};
    const struct path top = {""};
    struct found found = {NULL, 0, 0};
    struct fields extra = {NULL, 0};
    struct span unknown;
    struct id no_id;
    json_t *object = NULL;
    enum ocop_status status;

    *out = (struct fields){NULL, 0};
    *id = (struct id){{0}};
    status = load_json(&in, json, 0, &object);
    if (status == OCOP_OK && !json_is_object(object))
        status =
            err_set(err, OCOP_EINVAL, "a record must be a JSON object, {\"name\": value, ...}");
    if (status == OCOP_OK)
        status = members_from_json(&in, k, object, id, &found);
    if (status == OCOP_OK && json_object_get(object, UNKNOWN_NAME)) {
        status =
            unknown_from_json(&in, &top, k->desc, json_object_get(object, UNKNOWN_NAME), &unknown);
        if (status == OCOP_OK)
            status = record_unpack(k, unknown, a, &no_id, &extra, err);
    }
    for (size_t i = 0; status == OCOP_OK && i < extra.count; i++)
        status = found_add(&in, &found, &extra.v[i]);
    if (status == OCOP_OK) {
        *out = (struct fields){found.v, found.count};
        if (!fields_sort(out))
            status = err_set(err, OCOP_EINVAL, "two elements of one list have the same key");
    }
    if (status != OCOP_OK) {
        *out = (struct fields){NULL, 0};
        *id = (struct id){{0}};
    }
    json_decref(object);
    return status;
}

enum ocop_status json_value_read(const struct kind *k, uint32_t number, struct span key,
                                 struct span json, struct arena *a, struct field *out,
                                 struct ocop_error *err)
{
    const struct input in = {NULL, NULL, a, err};
    const struct field_rule *rule = k ? kind_field(k, number) : NULL;
    struct path at = {""};
    json_t *v = NULL;
    enum ocop_status status;

    *out = (struct field){.number = number};
    if (!rule || number == FIELD_ID)
        return err_set(err, OCOP_EINVAL, "field %" PRIu32 " is not one that can be set here",
                       number);
    if (rule_is_list(rule) != (key.len != 0))
        return err_field(err, OCOP_EINVAL, rule->desc->name, "%s %s", rule->desc->name,
                         key.len ? "is no list" : "is a list; name the element");
    status = load_json(&in, json, JSON_DECODE_ANY, &v);
    if (status != OCOP_OK)
        return status;
    at = path_join(&at, rule->desc->name);
    if (!rule_is_list(rule))
        status = scalar_from_json(&in, &at, rule->desc, v, out);
    else if (json_is_null(v))
        *out =
            (struct field){.number = number, .op = FIELD_CLEAR, .type = VALUE_ELEMENT, .key = key};
    else
        status = element_from_json(&in, &at, rule->desc, v, key, out);
    if (status == OCOP_OK && !span_eq(out->key, key))
        status = err_field(err, OCOP_EINVAL, at.text, "the element of %s has another key", at.text);
    json_decref(v);
    return status;
}

/* --- assignments ----------------------------------------------------------------------------- */

/* "answers[NC.1].answer=fail": name, key, subfield, value. */
struct assignment {
    char name[NAME_MAX_LEN], key[KEY_BYTES_MAX + 1], sub[NAME_MAX_LEN];
    bool has_key, has_sub;
    const char *value;
};

static bool copy_part(char *to, size_t room, const char *from, size_t len)
{
    if (len == 0 || len >= room)
        return false;
    memcpy(to, from, len);
    to[len] = '\0';
    return true;
}

static bool parse_assignment(const char *text, struct assignment *out)
{
    size_t len = strcspn(text, "[=");
    const char *close;

    *out = (struct assignment){.value = ""};
    if (!copy_part(out->name, sizeof out->name, text, len))
        return false;
    text += len;
    if (*text == '[') {
        close = strchr(text, ']');
        out->has_key = close != NULL;
        if (!close || !copy_part(out->key, sizeof out->key, text + 1, (size_t)(close - text - 1)))
            return false;
        text = close + 1;
    }
    if (*text == '.') {
        len = strcspn(++text, "=");
        out->has_sub = true;
        if (!out->has_key || !copy_part(out->sub, sizeof out->sub, text, len))
            return false;
        text += len;
    }
    if (*text != '=')
        return false;
    out->value = text + 1;
    return true;
}

/* Replace or add one path in sorted `f`. */
static enum ocop_status put_field(const struct input *in, struct fields *f, struct field put)
{
    struct field *there = fields_find(f, put.number, put.key);
    struct found found = {f->v, f->count, f->count};
    enum ocop_status status;

    if (there) {
        *there = put;
        return OCOP_OK;
    }
    status = found_add(in, &found, &put);
    if (status != OCOP_OK)
        return status;
    *f = (struct fields){found.v, found.count};
    return fields_sort(f) ? OCOP_OK
                          : err_set(in->err, OCOP_EINVAL, "two fields have the same path");
}

/* Text as a person types it: an empty one clears, braces are JSON. */
static enum ocop_status typed(const struct input *in, const char *text, json_t **out)
{
    *out = *text ? json_string(text) : json_null();
    if (*out)
        return OCOP_OK;
    return text_is_utf8(span_str(text)) ? err_nomem(in->err)
                                        : err_set(in->err, OCOP_EINVAL, "the value is not UTF-8");
}

/* One subfield set or removed in a packed element. */
static enum ocop_status set_sub(const struct input *in, const struct path *at,
                                const ProtobufCFieldDescriptor *list, const char *sub,
                                const char *value, struct field *element)
{
    const ProtobufCFieldDescriptor *d = member_by_name(list->descriptor, sub);
    struct path p = path_join(at, sub);
    enum ocop_status status;
    struct packed old;
    struct field put;
    struct buf packed;
    json_t *v = NULL;
    bool done = false;

    if (!d)
        return unknown_name(in, at, list->descriptor, sub);
    if (d->id == 1)
        return err_field(in->err, OCOP_EINVAL, p.text, "%s is the key and stands in the brackets",
                         p.text);
    status = typed(in, value, &v);
    if (status == OCOP_OK)
        status = scalar_from_json(in, &p, d, v, &put);
    json_decref(v);
    if (status != OCOP_OK)
        return status;
    buf_init(&packed, JSON_BYTES_MAX);
    for (size_t i = 0; i < element->bytes.len && next_field(element->bytes, &i, &old);) {
        if (!done && old.number >= d->id) {
            done = true;
            if (put.op == FIELD_SET)
                pack_field(&packed, &put);
        }
        if (old.number != d->id)
            buf_put(&packed, old.raw.p, old.raw.len);
    }
    if (!done && put.op == FIELD_SET)
        pack_field(&packed, &put);
    element->bytes = span_of(arena_dup(in->a, packed.p, packed.len), packed.len);
    if (packed.failed || !element->bytes.p)
        status = err_nomem(in->err);
    buf_fini(&packed);
    element->key = element_key(element->bytes);
    element->op = FIELD_SET;
    return status;
}

/* An element with nothing but its key; "+" asks for a new one. */
static enum ocop_status new_element(const struct input *in, const struct path *at,
                                    const ProtobufCFieldDescriptor *list, const char *key,
                                    struct field *out)
{
    const ProtobufCMessageDescriptor *m = list->descriptor;
    const ProtobufCFieldDescriptor *d = &m->fields[0];
    enum ocop_status status;
    struct field f = {.number = d->id, .type = VALUE_BYTES};
    struct buf packed;

    if (strcmp(key, "+") == 0)
        status = missing_key(in, at, d, &f);
    else
        status = bytes_from_text(in, at, d, span_str(key), &f.bytes);
    if (status != OCOP_OK)
        return status;
    buf_init(&packed, KIB(1));
    pack_field(&packed, &f);
    *out = (struct field){.number = list->id, .op = FIELD_SET, .type = VALUE_ELEMENT};
    out->bytes = span_of(arena_dup(in->a, packed.p, packed.len), packed.len);
    if (packed.failed || !out->bytes.p)
        status = err_nomem(in->err);
    buf_fini(&packed);
    out->key = element_key(out->bytes);
    return status;
}

static enum ocop_status set_element(const struct input *in, const struct field_rule *rule,
                                    const struct assignment *as, struct fields *f)
{
    struct path at;
    struct field element, *there;
    enum ocop_status status;
    json_t *v = NULL;

    (void)snprintf(at.text, sizeof at.text, "%.40s[%.50s]", rule->desc->name, as->key);
    status = new_element(in, &at, rule->desc, as->key, &element);
    if (status != OCOP_OK)
        return status;
    there = fields_find(f, element.number, element.key);
    if (as->has_sub) {
        if (there && there->op == FIELD_SET)
            element = *there;
        status = set_sub(in, &at, rule->desc, as->sub, as->value, &element);
    } else if (!*as->value) {
        element = (struct field){
            .number = element.number, .op = FIELD_CLEAR, .type = VALUE_ELEMENT, .key = element.key};
    } else {
        struct span key = element.key;
        status = load_json(in, span_str(as->value), 0, &v);
        if (status == OCOP_OK)
            status = element_from_json(in, &at, rule->desc, v, key, &element);
        if (status == OCOP_OK && !span_eq(element.key, key))
            status = err_field(in->err, OCOP_EINVAL, at.text, "%s has another key in its value",
                               at.text);
        json_decref(v);
    }
    if (there)
        element.base = there->base;
    return status == OCOP_OK ? put_field(in, f, element) : status;
}

/* "findings=" clears all elements, "findings=[...]" puts these in their place. */
static enum ocop_status set_list(const struct input *in, const struct field_rule *rule,
                                 const char *value, struct fields *f)
{
    struct found found = {NULL, 0, 0};
    enum ocop_status status = OCOP_OK;
    json_t *v = NULL;

    if (*value) {
        status = load_json(in, span_str(value), 0, &v);
        if (status == OCOP_OK)
            status = list_from_json(in, rule->desc, v, &found);
        json_decref(v);
    }
    if (status != OCOP_OK)
        return status;
    for (size_t i = 0; i < f->count; i++)
        if (f->v[i].number == rule->number)
            f->v[i].op = FIELD_CLEAR;
    for (size_t i = 0; status == OCOP_OK && i < found.count; i++)
        status = put_field(in, f, found.v[i]);
    return status;
}

enum ocop_status json_set_text(const struct kind *k, const char *assignment, struct id_source *ids,
                               const struct env *env, struct arena *a, struct fields *f,
                               struct ocop_error *err)
{
    const struct input in = {ids, env, a, err};
    const struct path top = {""};
    const ProtobufCFieldDescriptor *d;
    const struct field_rule *rule;
    struct assignment as;
    struct path at;
    struct field put, *there;
    json_t *v = NULL;
    enum ocop_status status;

    if (!parse_assignment(assignment, &as))
        return err_set(err, OCOP_EINVAL,
                       "\"%.80s\" is no assignment; write field=value or list[key].field=value",
                       assignment);
    d = member_by_name(k->desc, as.name);
    if (!d)
        return unknown_name(&in, &top, k->desc, as.name);
    rule = kind_field(k, d->id);
    if (!rule || d->id == FIELD_ID)
        return err_field(err, OCOP_EINVAL, d->name, "%s cannot be set", d->name);
    if (rule_is_list(rule))
        return as.has_key ? set_element(&in, rule, &as, f) : set_list(&in, rule, as.value, f);
    if (as.has_key)
        return err_field(err, OCOP_EINVAL, d->name, "%s is no list", d->name);
    at = path_join(&top, as.name);
    status = typed(&in, as.value, &v);
    if (status == OCOP_OK)
        status = scalar_from_json(&in, &at, d, v, &put);
    json_decref(v);
    there = fields_find(f, d->id, (struct span){NULL, 0});
    if (status == OCOP_OK && there)
        put.base = there->base;
    return status == OCOP_OK ? put_field(&in, f, put) : status;
}
