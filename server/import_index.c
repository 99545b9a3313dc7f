/* Look-ups of an import, in memory. Knows the fields by which each kind is found, no SQL. */
#include "import_index.h"

#include "bounds.h"
#include "query.h"
#include "text.h"

enum { BUCKETS = 1 << 16 };

static uint32_t hash_key(enum index_space space, struct span key)
{
    uint32_t h = 2166136261u ^ (uint32_t)space;

    for (size_t i = 0; i < key.len; i++)
        h = (h ^ key.p[i]) * 16777619u;
    return h & (BUCKETS - 1);
}

enum ocop_status index_init(struct import_index *x, struct arena *a, struct ocop_error *err)
{
    x->a = a;
    x->buckets = arena_calloc(a, BUCKETS, sizeof(struct index_entry *));
    return x->buckets ? OCOP_OK : err_nomem(err);
}

struct index_entry *index_find(const struct import_index *x, enum index_space space,
                               struct span key)
{
    struct index_entry *e = x->buckets[hash_key(space, key)];

    while (e && !(e->space == space && span_eq(e->key, key)))
        e = e->next;
    return e;
}

static struct span keep(struct import_index *x, struct span s)
{
    return span_of(arena_dup(x->a, s.len ? (const void *)s.p : "", s.len), s.len);
}

static enum ocop_status put(struct import_index *x, enum index_space space, struct span key,
                            const struct index_entry *proto, struct ocop_error *err)
{
    struct index_entry *e = arena_alloc(x->a, sizeof *e);
    struct index_entry **bucket = &x->buckets[hash_key(space, key)];

    if (!e || !key.p)
        return err_nomem(err);
    *e = *proto;
    e->space = space;
    e->key = key;
    e->same = index_find(x, space, key);
    e->next = *bucket;
    *bucket = e;
    return OCOP_OK;
}

static struct span text_of(const struct fields *f, uint32_t number)
{
    const struct field *v = fields_find(f, number, span_of(NULL, 0));

    return v && v->op == FIELD_SET && v->type == VALUE_BYTES ? v->bytes : span_of(NULL, 0);
}

static struct id id_of(const struct fields *f, uint32_t number)
{
    struct id id = {{0}};

    if (!id_from(text_of(f, number), &id))
        memset(&id, 0, sizeof id);
    return id;
}

static struct span joined(struct import_index *x, struct buf *b)
{
    struct span s = {NULL, 0};

    if (!b->failed)
        s = keep(x, buf_span(b));
    buf_fini(b);
    return s;
}

struct span index_name_key(struct import_index *x, struct span name)
{
    struct buf b;

    buf_init(&b, KIB(256));
    text_name_key(&b, name);
    return joined(x, &b);
}

struct span index_natural_key(struct import_index *x, struct span code)
{
    struct buf b;

    buf_init(&b, KIB(256));
    text_form(&b, code, true);
    return joined(x, &b);
}

struct span index_officer_key(struct import_index *x, struct span name, struct span agency)
{
    struct buf b;

    buf_init(&b, KIB(256));
    text_name_key(&b, name);
    buf_byte(&b, '\n');
    text_name_key(&b, agency);
    return joined(x, &b);
}

struct span index_code_key(struct import_index *x, const char *list, struct span code)
{
    struct buf b;

    buf_init(&b, KIB(256));
    buf_str(&b, list);
    buf_byte(&b, '\n');
    buf_put(&b, code.p, code.len);
    return joined(x, &b);
}

struct span index_title_key(struct import_index *x, const char *list, struct span title)
{
    struct buf b;

    buf_init(&b, KIB(256));
    buf_str(&b, list);
    buf_byte(&b, '\n');
    text_fold(&b, title);
    return joined(x, &b);
}

static enum ocop_status add_items(struct import_index *x, const struct fields *f,
                                  struct ocop_error *err)
{
    const struct span list = text_of(f, 10);
    const char *name = arena_dup(x->a, list.p ? (const void *)list.p : "", list.len);
    enum ocop_status st = name ? OCOP_OK : err_nomem(err);

    if (st == OCOP_OK)
        st = put(x, INDEX_LIST, span_str(name), &(struct index_entry){0}, err);
    for (size_t i = 0; i < f->count && st == OCOP_OK; i++) {
        struct field from, to, title;
        struct index_entry e = {0};
        if (f->v[i].number != 12 || f->v[i].op != FIELD_SET)
            continue;
        if (element_get(f->v[i].bytes, 3, &from))
            e.from = keep(x, from.bytes);
        if (element_get(f->v[i].bytes, 4, &to))
            e.to = keep(x, to.bytes);
        e.code = keep(x, f->v[i].key);
        st = put(x, INDEX_CODE, index_code_key(x, name, f->v[i].key), &e, err);
        if (st == OCOP_OK && element_get(f->v[i].bytes, 2, &title))
            st = put(x, INDEX_TITLE, index_title_key(x, name, title.bytes), &e, err);
    }
    return st;
}

/* What stands before the name itself; people leave it out. */
static struct span without_level(struct span key)
{
    static const char *const levels[] = {"xã ",      "phường ",    "thị trấn ",
                                         "đặc khu ", "thành phố ", "thị xã ",
                                         "huyện ",   "quận ",      "tỉnh "};

    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
        const size_t n = strlen(levels[i]);
        if (key.p && key.len > n && memcmp(key.p, levels[i], n) == 0)
            return span_of(key.p + n, key.len - n);
    }
    return span_of(NULL, 0);
}

static enum ocop_status add_unit(struct import_index *x, const struct fields *f,
                                 struct index_entry *e, struct ocop_error *err)
{
    e->unit = id_of(f, 13);
    e->from = keep(x, text_of(f, 14));
    e->to = keep(x, text_of(f, 15));
    e->code = keep(x, text_of(f, 10));
    e->name = keep(x, text_of(f, 11));
    const struct span key = index_name_key(x, e->name), bare = without_level(key);
    enum ocop_status st = put(x, INDEX_UNIT_CODE, e->code, e, err);
    if (st == OCOP_OK)
        st = put(x, INDEX_UNIT_ID, keep(x, id_span(&e->id)), e, err);
    if (st == OCOP_OK)
        st = put(x, INDEX_UNIT_NAME, key, e, err);
    return st == OCOP_OK && bare.len ? put(x, INDEX_UNIT_NAME, bare, e, err) : st;
}

enum ocop_status index_add(struct import_index *x, uint32_t kind, const struct id *id,
                           const struct fields *f, size_t line, struct ocop_error *err)
{
    const struct span name = text_of(f, 10), natural = text_of(f, 12);
    struct index_entry e = {.id = *id, .unit = id_of(f, FIELD_UNIT), .line = line};
    enum ocop_status st = OCOP_OK;

    switch (kind) {
    case KIND_UNIT:
        return add_unit(x, f, &e, err);
    case KIND_OFFICER:
        e.name = keep(x, name);
        return put(x, INDEX_OFFICER, index_officer_key(x, name, text_of(f, 11)), &e, err);
    case KIND_CERTIFICATE:
        e.producer = id_of(f, 11);
        e.name = keep(x, name);
        e.code = keep(x, text_of(f, 14)); /* the decision that it is by */
        return put(x, INDEX_CERTIFICATE_NO, index_natural_key(x, name), &e, err);
    case KIND_PRODUCER:
    case KIND_PRODUCT:
        e.producer = id_of(f, 11);
        e.name = keep(x, name);
        e.code = keep(x, natural);
        if (natural.len)
            st = put(x, kind == KIND_PRODUCER ? INDEX_TAX_CODE : INDEX_PRODUCT_CODE,
                     index_natural_key(x, natural), &e, err);
        if (st == OCOP_OK)
            st = put(x, kind == KIND_PRODUCER ? INDEX_PRODUCER_NAME : INDEX_PRODUCT_NAME,
                     index_name_key(x, name), &e, err);
        return st;
    case KIND_CODE_LIST:
        return add_items(x, f, err);
    default:
        return OCOP_OK;
    }
}

struct loading {
    struct import_index *x;
    uint32_t kind;
};

static enum ocop_status on_record(void *self, const struct query_record *record,
                                  struct ocop_error *err)
{
    const struct loading *l = self;
    const struct field *voided = fields_find(&record->fields, FIELD_VOIDED, span_of(NULL, 0));

    if (voided && voided->op == FIELD_SET && voided->i)
        return OCOP_OK;
    return index_add(l->x, l->kind, &record->id, &record->fields, 0, err);
}

enum ocop_status index_load(struct import_index *x, struct registry *r, uint32_t kind,
                            struct ocop_error *err)
{
    struct loading l = {x, kind};

    return query_records(r, kind, on_record, &l, err);
}

struct index_entry *index_unit(const struct import_index *x, struct span code, const char *day)
{
    struct index_entry *e = index_find(x, INDEX_UNIT_CODE, code);
    const struct span d = span_str(day);

    for (; e; e = e->same)
        if (span_cmp(e->from, d) <= 0 && (e->to.len == 0 || span_cmp(e->to, d) >= 0))
            return e;
    return NULL;
}
