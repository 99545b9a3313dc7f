/* Records and lists as JSON. What this program stores has exactly one form, which is written and
 * read without a tree. Knows descriptors and the bytes of packed elements; knows no rules (a wrong
 * date is for rules.c) and no database. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "json_parts.h"
#include "text.h"

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
    static const char digits[] = "0123456789abcdef";
    uint8_t all = 0, *p;
    bool nul = false;

    if (s.len > SIZE_MAX / 6 - 2 || !buf_reserve(out, 6 * s.len + 2))
        return true; /* the buffer says that it failed */
    p = out->p + out->len;
    *p++ = '"';
    for (size_t i = 0; i < s.len; i++) {
        uint8_t c = s.p[i];
        all |= c;
        if (c < 0x20) {
            nul |= c == 0;
            memcpy(p, "\\u00", 4);
            p[4] = (uint8_t)digits[c >> 4];
            p[5] = (uint8_t)digits[c & 15];
            p += 6;
            continue;
        }
        if (c == '"' || c == '\\')
            *p++ = '\\';
        *p++ = c;
    }
    *p++ = '"';
    out->len = (size_t)(p - out->p);
    return !nul && ((all & 0x80) == 0 || text_is_plain(s) || text_is_utf8(s));
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
    uint8_t *p, *end;

    if (!buf_reserve(out, NAME_MAX_LEN + 4))
        return;
    p = out->p + out->len;
    end = p + NAME_MAX_LEN;
    if (!first)
        *p++ = ',';
    *p++ = '"';
    for (const char *c = d->name; *c && p < end; c++)
        *p++ = (uint8_t)(*c != '_' ? *c : upper(*++c));
    *p++ = '"';
    *p++ = ':';
    out->len = (size_t)(p - out->p);
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
    if (out->full)
        return err_set(err, OCOP_ELIMIT, "JSON larger than %zu bytes", out->cap);
    return out->failed ? err_nomem(err) : OCOP_OK;
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
bool json_whole_number(const char *text, int64_t *out)
{
    struct reader r = {(const uint8_t *)text, (const uint8_t *)text + strlen(text), NULL};

    return take_int(&r, INT64_MIN, INT64_MAX, out) && r.p == r.end;
}

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
bool json_base64_read(struct span s, uint8_t *to, size_t *len)
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
    if (!json_base64_read(s, r->w, &len) || (is_id(d) && len == ID_LEN))
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
enum ocop_status json_mix(const ProtobufCFieldDescriptor *list, struct span known,
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
    if (!json_base64_read(text, p, &unknown.len))
        return not_canonical(list, r, json_len, err);
    unknown.p = p;
    return json_mix(list, *element, unknown, a, element, err);
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
