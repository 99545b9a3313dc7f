/* Records as sorted fields, and their packed forms. A walker over the wire format: what a field is
 * called does not matter here, so what this program does not know is carried like the rest. */
#include <stdio.h>
#include <stdlib.h>

#include "bounds.h"
#include "packed.h"
#include "text.h"

/* --- fields --- */

int field_cmp(const struct field *a, const struct field *b)
{
    if (a->number != b->number)
        return a->number < b->number ? -1 : 1;
    return span_cmp(a->key, b->key);
}

struct field *fields_find(const struct fields *f, uint32_t number, struct span key)
{
    struct field want = {.number = number, .key = key};
    for (size_t lo = 0, hi = f->count; lo < hi;) {
        size_t mid = lo + (hi - lo) / 2;
        int c = field_cmp(&f->v[mid], &want);
        if (c == 0)
            return &f->v[mid];
        if (c < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return NULL;
}

static int field_cmp_void(const void *a, const void *b)
{
    return field_cmp(a, b);
}

bool fields_sort(struct fields *f)
{
    bool sorted = true;
    for (size_t i = 1; i < f->count && sorted; i++)
        sorted = field_cmp(&f->v[i - 1], &f->v[i]) < 0;
    if (sorted)
        return true;
    qsort(f->v, f->count, sizeof *f->v, field_cmp_void);
    for (size_t i = 1; i < f->count; i++)
        if (field_cmp(&f->v[i - 1], &f->v[i]) == 0)
            return false;
    return true;
}

/* --- packed elements --- */

static void put(struct buf *out, const struct field *f)
{
    size_t size = packed_size(f);
    if (!buf_reserve(out, size))
        return;
    packed_write(out->p + out->len, f);
    out->len += size;
}

static void put_bytes(struct buf *out, uint32_t number, struct span bytes)
{
    put(out, &(struct field){.number = number, .type = VALUE_BYTES, .bytes = bytes});
}

static void put_int(struct buf *out, uint32_t number, uint64_t v)
{
    put(out, &(struct field){.number = number, .type = VALUE_INT, .i = (int64_t)v});
}

bool element_get(struct span packed, uint32_t number, struct field *out)
{
    struct field f;
    for (size_t at = 0; packed_next(packed, &at, &f) > 0;)
        if (f.number == number) {
            *out = f;
            return true;
        }
    return false;
}

struct span element_key(struct span packed)
{
    struct field f;
    return element_get(packed, 1, &f) && f.type == VALUE_BYTES ? f.bytes : span_of(NULL, 0);
}

/* Bytes are compared first, so that only text whose bytes differ is ever normalised. Two ids that
 * differ are not valid UTF-8, and text_equal falls back to bytes for them. */
static bool scalar_equal(const struct field *a, const struct field *b)
{
    if (a->type != b->type)
        return false;
    return a->type == VALUE_INT ? a->i == b->i : text_equal(a->bytes, b->bytes);
}

static bool element_equal(struct span a, struct span b)
{
    struct field x = {0}, y = {0};
    size_t i = 0, j = 0;
    if (span_eq(a, b))
        return true;
    for (;;) {
        int m = packed_next(a, &i, &x), n = packed_next(b, &j, &y);
        if (m != n || m < 0)
            return false;
        if (m == 0)
            return true;
        if (x.number != y.number || !scalar_equal(&x, &y))
            return false;
    }
}

bool field_value_equal(const struct field *a, const struct field *b)
{
    if (a->type == VALUE_ELEMENT && b->type == VALUE_ELEMENT)
        return element_equal(a->bytes, b->bytes);
    return scalar_equal(a, b);
}

/* Write an element's fields by ascending number, equal numbers in the order they had. An element
 * has few fields; what has many is small in each, and its bytes are limited. */
static bool element_sort(struct span *packed, size_t size, struct arena *a)
{
    uint8_t *bytes = arena_alloc(a, size), *p = bytes;
    if (!bytes)
        return false;
    for (uint32_t number = 1; number <= ELEMENT_NUMBER_MAX; number++) {
        struct field f;
        for (size_t at = 0; packed_next(*packed, &at, &f) > 0;)
            if (f.number == number)
                p = packed_write(p, &f);
    }
    *packed = span_of(bytes, size);
    return true;
}

/* Check an element and make it canonical: what is accepted here can be sealed and comes back from
 * the columns byte for byte. A field that the rules know stands once. */
static enum ocop_status element_check(const struct field_rule *items, struct field *e,
                                      struct arena *a, struct ocop_error *err)
{
    struct field f;
    size_t at = 0, size = 0;
    uint32_t last = 0;
    uint64_t seen = 0, of_type[2] = {0, 0};
    bool sorted = true;
    int more;
    while ((more = packed_next(e->bytes, &at, &f)) > 0) {
        if (f.number > ELEMENT_NUMBER_MAX)
            return err_set(err, OCOP_EPROTO, "an element of field %u has a field %u, above %d",
                           e->number, f.number, ELEMENT_NUMBER_MAX);
        if (seen >> f.number & 1) {
            bool known = f.number == 1;
            for (const struct field_rule *r = items; r && r->number; r++)
                known = known || r->number == f.number;
            if (known)
                return err_set(err, OCOP_EPROTO, "an element of field %u has field %u twice",
                               e->number, f.number);
        }
        seen |= UINT64_C(1) << f.number;
        of_type[f.type == VALUE_INT] |= UINT64_C(1) << f.number;
        sorted = sorted && f.number >= last;
        last = f.number;
        size += packed_size(&f);
    }
    if (more < 0 || (of_type[0] & of_type[1]))
        return err_set(err, OCOP_EPROTO, "an element of field %u is malformed", e->number);
    if ((!sorted || size != e->bytes.len) && !element_sort(&e->bytes, size, a))
        return err_nomem(err);
    e->type = VALUE_ELEMENT;
    e->key = element_key(e->bytes);
    if (e->key.len == 0 || e->key.len > KEY_BYTES_MAX)
        return err_set(err, OCOP_EPROTO,
                       "an element of field %u needs a key (its field 1) of 1 to %d bytes",
                       e->number, KEY_BYTES_MAX);
    return OCOP_OK;
}

/* --- packed records --- */

/* What the kind does not know and what stands more than once can only be a list. */
static bool stands_again(const struct fields *f, size_t i)
{
    return (i > 0 && f->v[i - 1].number == f->v[i].number) ||
           (i + 1 < f->count && f->v[i + 1].number == f->v[i].number);
}

static int number_cmp(const void *a, const void *b)
{
    const struct field *x = a, *y = b;
    if (x->number != y->number)
        return x->number < y->number ? -1 : 1;
    return (x->bytes.p > y->bytes.p) - (x->bytes.p < y->bytes.p);
}

/* What each value is, by its rule or, without one, by what it looks like. */
static enum ocop_status values_check(const struct kind *k, struct fields *f, struct arena *a,
                                     struct ocop_error *err)
{
    size_t items = 0;
    for (size_t i = 0; i < f->count; i++) {
        struct field *v = &f->v[i];
        const struct field_rule *rule = k ? kind_field(k, v->number) : NULL;
        bool list = rule ? rule_is_list(rule) : stands_again(f, i);
        bool is_int = rule && !list ? rule_is_int(rule) : v->type == VALUE_INT && !list;
        if (is_int != (v->type == VALUE_INT))
            return err_field(err, OCOP_EPROTO, rule ? rule->desc->name : NULL,
                             "field %u is of the wrong type", v->number);
        items = i > 0 && f->v[i - 1].number == v->number ? items + 1 : 1;
        if (items > LIST_ITEMS_MAX)
            return err_field(err, OCOP_ELIMIT, rule ? rule->desc->name : NULL,
                             "field %u has more than %d elements", v->number, LIST_ITEMS_MAX);
        enum ocop_status st = list ? element_check(rule ? rule->items : NULL, v, a, err) : OCOP_OK;
        if (st != OCOP_OK)
            return st;
    }
    return OCOP_OK;
}

enum ocop_status record_unpack(const struct kind *k, struct span packed, struct arena *a,
                               struct id *id, struct fields *out, struct ocop_error *err)
{
    struct field f;
    size_t count = 0;
    bool sorted = true;
    uint32_t last = 0;
    int more;
    memset(id, 0, sizeof *id);
    *out = (struct fields){0};
    for (size_t at = 0; (more = packed_next(packed, &at, &f)) > 0; last = f.number, count++)
        sorted = sorted && f.number >= last;
    if (more < 0)
        return err_set(err, OCOP_EPROTO, "the record is not a well-formed message");
    if (count > FIELDS_MAX)
        return err_set(err, OCOP_ELIMIT, "the record has %zu values, at most %d are allowed", count,
                       FIELDS_MAX);
    struct fields all = {arena_alloc(a, (count + 1) * sizeof *all.v), 0};
    if (!all.v)
        return err_nomem(err);
    for (size_t at = 0; packed_next(packed, &at, &f) > 0;)
        if (f.number != FIELD_ID)
            all.v[all.count++] = f;
        else if (f.type != VALUE_BYTES || !id_is_zero(id) || !id_from(f.bytes, id))
            return err_field(err, OCOP_EPROTO, "id", "must be 16 bytes, once");
    if (!sorted)
        qsort(all.v, all.count, sizeof *all.v, number_cmp);
    enum ocop_status st = values_check(k, &all, a, err);
    if (st == OCOP_OK && !fields_sort(&all))
        st = err_set(err, OCOP_EPROTO, "a field or an element's key stands twice in the record");
    if (st == OCOP_OK)
        *out = all;
    return st;
}

enum ocop_status record_pack(const struct id *id, const struct fields *f, struct buf *out,
                             struct ocop_error *err)
{
    if (!id_is_zero(id))
        put_bytes(out, FIELD_ID, id_span(id));
    for (size_t i = 0; i < f->count; i++)
        if (f->v[i].op != FIELD_CLEAR)
            put(out, &f->v[i]);
    return out->failed ? err_nomem(err) : OCOP_OK;
}

/* --- difference and application --- */

enum ocop_status fields_diff(const struct fields *from, const struct fields *to, uint64_t base,
                             struct arena *a, struct fields *out, struct ocop_error *err)
{
    size_t i = 0, j = 0;
    *out = (struct fields){arena_calloc(a, from->count + to->count + 1, sizeof *out->v), 0};
    if (!out->v)
        return err_nomem(err);
    while (i < from->count || j < to->count) {
        const struct field *x = i < from->count ? &from->v[i] : NULL;
        const struct field *y = j < to->count ? &to->v[j] : NULL;
        int c = i == from->count ? 1 : j == to->count ? -1 : field_cmp(x, y);
        bool had = c <= 0 && x->op != FIELD_CLEAR, has = c >= 0 && y->op != FIELD_CLEAR;
        i += c <= 0;
        j += c >= 0;
        if (!has && !had)
            continue;
        if (has && had && field_value_equal(x, y))
            continue;
        struct field *f = &out->v[out->count++];
        *f = has ? *y : *x;
        f->op = has ? FIELD_SET : FIELD_CLEAR;
        f->base = base;
        if (!has) {
            f->i = 0;
            f->bytes = span_of(NULL, 0);
        }
    }
    return OCOP_OK;
}

enum ocop_status fields_apply(const struct fields *state, const struct fields *change,
                              uint64_t version, bool markers, struct arena *a, struct fields *out,
                              struct ocop_error *err)
{
    size_t i = 0, j = 0;
    struct fields f = {arena_calloc(a, state->count + change->count + 1, sizeof *f.v), 0};
    if (!f.v)
        return err_nomem(err);
    while (i < state->count || j < change->count) {
        const struct field *x = i < state->count ? &state->v[i] : NULL;
        const struct field *y = j < change->count ? &change->v[j] : NULL;
        int c = i == state->count ? 1 : j == change->count ? -1 : field_cmp(x, y);
        struct field next = c < 0 ? *x : *y;
        if (c >= 0)
            next.base = version;
        i += c <= 0;
        j += c >= 0;
        if (next.op != FIELD_CLEAR || markers)
            f.v[f.count++] = next;
    }
    *out = f;
    return OCOP_OK;
}

/* --- a change row-wise --- */

enum change_row {
    ROW_KIND = 1,
    ROW_RECORD,
    ROW_VERB,
    ROW_AUTHOR,
    ROW_TIME,
    ROW_REASON,
    ROW_CASE,
    ROW_BASE,
    ROW_FIELDS
};
enum field_row { FROW_NUMBER = 1, FROW_OP, FROW_TYPE, FROW_KEY, FROW_BYTES, FROW_INT, FROW_BASE };

static size_t bytes_size(size_t len)
{
    return len ? 1 + varint_size(len) + len : 0;
}

static void field_pack(const struct field *f, struct buf *out)
{
    size_t len = 1 + varint_size(f->number) + 2 + 2 + bytes_size(f->key.len) +
                 bytes_size(f->bytes.len) + (f->i ? 1 + varint_size((uint64_t)f->i) : 0) +
                 (f->base ? 1 + varint_size(f->base) : 0);
    buf_varint(out, ROW_FIELDS << 3 | PACKED_BYTES);
    buf_varint(out, len);
    put_int(out, FROW_NUMBER, f->number);
    put_int(out, FROW_OP, f->op);
    put_int(out, FROW_TYPE, f->type);
    if (f->key.len)
        put_bytes(out, FROW_KEY, f->key);
    if (f->bytes.len)
        put_bytes(out, FROW_BYTES, f->bytes);
    if (f->i)
        put_int(out, FROW_INT, (uint64_t)f->i);
    if (f->base)
        put_int(out, FROW_BASE, f->base);
}

enum ocop_status change_pack(const struct change *c, struct buf *out, struct ocop_error *err)
{
    put_int(out, ROW_KIND, c->kind);
    put_bytes(out, ROW_RECORD, id_span(&c->record));
    put_int(out, ROW_VERB, c->verb);
    put_bytes(out, ROW_AUTHOR, id_span(&c->author));
    put_int(out, ROW_TIME, (uint64_t)c->device_time_ms);
    if (c->reason.len)
        put_bytes(out, ROW_REASON, c->reason);
    if (c->case_id.len)
        put_bytes(out, ROW_CASE, c->case_id);
    put_int(out, ROW_BASE, c->base);
    for (size_t i = 0; i < c->fields.count; i++)
        field_pack(&c->fields.v[i], out);
    return out->failed ? err_nomem(err) : OCOP_OK;
}

/* Members that are runs of bytes; the others are integers. Bit = number. */
enum {
    ROW_BYTES =
        1 << ROW_RECORD | 1 << ROW_AUTHOR | 1 << ROW_REASON | 1 << ROW_CASE | 1 << ROW_FIELDS,
    FROW_BYTES_ALL = 1 << FROW_KEY | 1 << FROW_BYTES
};

static bool type_fits(const struct field *f, uint32_t last, unsigned bytes)
{
    return f->number > last || (f->type == VALUE_BYTES) == (bool)(bytes >> f->number & 1);
}

static bool field_unpack(struct span s, struct field *out)
{
    struct field f;
    int more;
    *out = (struct field){0};
    for (size_t at = 0; (more = packed_next(s, &at, &f)) > 0;) {
        if (!type_fits(&f, FROW_BASE, FROW_BYTES_ALL))
            return false;
        switch (f.number) {
        case FROW_NUMBER:
            out->number = f.i > 0 && f.i <= FIELD_NUMBER_MAX ? (uint32_t)f.i : 0;
            break;
        case FROW_OP:
            out->op = f.i == FIELD_SET || f.i == FIELD_CLEAR ? (uint8_t)f.i : 0;
            break;
        case FROW_TYPE:
            out->type = f.i >= VALUE_INT && f.i <= VALUE_ELEMENT ? (uint8_t)f.i : 0;
            break;
        case FROW_KEY:
            out->key = f.bytes;
            break;
        case FROW_BYTES:
            out->bytes = f.bytes;
            break;
        case FROW_INT:
            out->i = f.i;
            break;
        case FROW_BASE:
            out->base = (uint64_t)f.i;
            break;
        default:
            break;
        }
    }
    return more == 0 && out->number && out->op && out->type && out->key.len <= KEY_BYTES_MAX &&
           (out->key.len > 0) == (out->type == VALUE_ELEMENT);
}

static bool change_member(struct change *c, const struct field *f)
{
    if (!type_fits(f, ROW_FIELDS, ROW_BYTES))
        return false;
    switch (f->number) {
    case ROW_KIND:
        c->kind = (uint32_t)f->i;
        return f->i > 0 && f->i <= UINT32_MAX;
    case ROW_RECORD:
        return id_from(f->bytes, &c->record);
    case ROW_VERB:
        c->verb = (uint8_t)f->i;
        return f->i > 0 && f->i <= UINT8_MAX;
    case ROW_AUTHOR:
        return id_from(f->bytes, &c->author);
    case ROW_TIME:
        c->device_time_ms = f->i;
        return true;
    case ROW_REASON:
        c->reason = f->bytes;
        return true;
    case ROW_CASE:
        c->case_id = f->bytes;
        return f->bytes.len == ID_LEN;
    case ROW_BASE:
        c->base = (uint64_t)f->i;
        return true;
    case ROW_FIELDS:
        return field_unpack(f->bytes, &c->fields.v[c->fields.count++]);
    default:
        return true;
    }
}

enum ocop_status change_unpack(struct span packed, struct arena *a, struct change *out,
                               struct ocop_error *err)
{
    struct field f;
    size_t count = 0;
    int more;
    *out = (struct change){0};
    for (size_t at = 0; packed_next(packed, &at, &f) > 0;)
        count += f.number == ROW_FIELDS;
    if (count > FIELDS_MAX)
        return err_set(err, OCOP_ELIMIT, "a stored change has %zu fields, at most %d are allowed",
                       count, FIELDS_MAX);
    out->fields.v = arena_alloc(a, (count + 1) * sizeof *out->fields.v);
    if (!out->fields.v)
        return err_nomem(err);
    for (size_t at = 0; (more = packed_next(packed, &at, &f)) > 0;)
        if (!change_member(out, &f))
            return err_set(err, OCOP_EPROTO, "a stored change is malformed at its member %u",
                           f.number);
    if (more < 0 || !fields_sort(&out->fields))
        return err_set(err, OCOP_EPROTO,
                       "a stored change is cut short or has a field twice; check the database");
    return OCOP_OK;
}

/* --- names --- */

/* A key as a person may read it: an id, the text itself, or hex. `out` has room for all. */
static void key_text(struct span key, bool by_id, char *out)
{
    struct id id;
    bool clean = text_is_utf8(key) && text_is_printable(key);
    out[0] = 0;
    if (id_from(key, &id) && (by_id || !clean)) {
        id_text(id, out);
    } else if (clean) {
        size_t len = key.len < KEY_BYTES_MAX ? key.len : KEY_BYTES_MAX;
        memcpy(out, key.p, len);
        out[len] = 0;
    } else {
        for (size_t i = 0; i < key.len && i < KEY_BYTES_MAX; i++)
            snprintf(out + 2 * i, 3, "%02x", key.p[i]);
    }
}

const char *field_path(const struct kind *k, const struct field *f, char *out, size_t room)
{
    const struct field_rule *r = k ? kind_field(k, f->number) : NULL;
    char key[2 * KEY_BYTES_MAX + 1] = "", name[24];
    bool by_id = r && rule_is_list(r) && r->items &&
                 (r->items->check == CHECK_BYTES || r->items->check == CHECK_REF);
    if (f->key.len)
        key_text(f->key, by_id, key);
    snprintf(name, sizeof name, "field %u", f->number);
    snprintf(out, room, "%s%s%s%s", r ? r->desc->name : name, f->key.len ? "[" : "", key,
             f->key.len ? "]" : "");
    return out;
}
