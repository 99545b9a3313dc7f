/* The columnar codec (docs/protocol.md, 4). A batch of changes is turned into columns: one per
 * kind, field and class of value, each telling its own form, so that a reader carries what it does
 * not know. Every count is checked before memory is taken for it. Knows no kinds, no database. */
#include "columns.h"

#include <stdlib.h>

#include "bounds.h"

enum column_form {
    FORM_DELTA = 1,   /* ints: differences from the value before */
    FORM_OFFSET = 2,  /* ints: the least value; lens: distances from it */
    FORM_PLAIN = 3,   /* lens, data */
    FORM_DICT = 4,    /* lens, data: the entries; index: one per value */
    FORM_FRONT = 5,   /* index: bytes shared with the value before; lens, data: the rest */
    FORM_ID = 6,      /* index: prefix; ints: differences of the counters */
    FORM_ID_DICT = 7, /* the same for the entries; lens: one per value */
    FORM_LIST = 8     /* lens: elements per row; index: 1 where a row repeats the keys before */
};

enum cell_state { CELL_ABSENT = 0, CELL_SET = FIELD_SET, CELL_CLEAR = FIELD_CLEAR };

/* One value of a column. */
struct cell {
    uint8_t state;
    int64_t i;
    struct span bytes;
};

static void *column_alloc(void *self, size_t size)
{
    return arena_alloc(self, size);
}

static void column_free(void *self, void *p)
{
    (void)self;
    (void)p;
}

ProtobufCAllocator arena_allocator(struct arena *a)
{
    return (ProtobufCAllocator){column_alloc, column_free, a};
}

/* ==== encoding ==================================================================================
 */

struct encoder {
    struct arena *a;
    uint8_t *prefixes;
    size_t prefix_count, prefix_room, prefix_last;
    bool failed; /* out of memory, or a value that has no form */
};

static void *take(struct encoder *e, size_t count, size_t size)
{
    void *p = arena_calloc(e->a, count ? count : 1, size);
    if (!p)
        e->failed = true;
    return p;
}

static Ocop__Sync__Column *column_new(struct encoder *e, uint32_t number)
{
    Ocop__Sync__Column *c = take(e, 1, sizeof *c);
    if (!c)
        return NULL;
    ocop__sync__column__init(c);
    c->has_number = number != 0;
    c->number = number;
    c->has_form = 1;
    return c;
}

static size_t varint_size(uint64_t v)
{
    size_t n = 1;
    for (; v >= 0x80; v >>= 7)
        n++;
    return n;
}

static size_t zigzag_size(int64_t v)
{
    return varint_size((uint64_t)v << 1 ^ (v < 0 ? UINT64_MAX : 0));
}

static int64_t wrap_sub(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a - (uint64_t)b);
}

static int64_t wrap_add(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a + (uint64_t)b);
}

/* Values that are there, in order. */
static size_t values_of(const struct cell *cells, size_t n, const struct cell **out)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++)
        if (cells[i].state == CELL_SET)
            out[count++] = &cells[i];
    return count;
}

static void presence_put(struct encoder *e, const struct cell *cells, size_t n,
                         Ocop__Sync__Column *c)
{
    size_t runs = 0;
    bool all = true;
    for (size_t i = 0; i < n; i++) {
        all = all && cells[i].state == CELL_SET;
        runs += i == 0 || cells[i].state != cells[i - 1].state;
    }
    if (all)
        return;
    c->runs = take(e, runs, sizeof *c->runs);
    for (size_t i = 0, from = 0; c->runs && i < n; i++)
        if (i + 1 == n || cells[i + 1].state != cells[i].state) {
            c->runs[c->n_runs++] = (uint32_t)(i + 1 - from) << 2 | cells[i].state;
            from = i + 1;
        }
}

static void ints_put(struct encoder *e, const struct cell **v, size_t n, Ocop__Sync__Column *c)
{
    int64_t least = INT64_MAX, most = INT64_MIN, before = 0;
    size_t delta_size = 0, offset_size = 0;
    for (size_t i = 0; i < n; i++) {
        least = v[i]->i < least ? v[i]->i : least;
        most = v[i]->i > most ? v[i]->i : most;
        delta_size += zigzag_size(wrap_sub(v[i]->i, before));
        before = v[i]->i;
    }
    bool near = n && (uint64_t)wrap_sub(most, least) <= UINT32_MAX;
    for (size_t i = 0; near && i < n; i++)
        offset_size += varint_size((uint64_t)wrap_sub(v[i]->i, least));
    bool offset = near && offset_size + 5 <= delta_size + n / 16;
    c->form = offset ? FORM_OFFSET : FORM_DELTA;
    c->n_ints = offset ? 1 : n;
    c->ints = take(e, c->n_ints, sizeof *c->ints);
    c->n_lens = offset ? n : 0;
    c->lens = take(e, c->n_lens, sizeof *c->lens);
    if (e->failed)
        return;
    before = 0;
    if (offset)
        c->ints[0] = least;
    for (size_t i = 0; i < n; i++) {
        if (offset)
            c->lens[i] = (uint32_t)wrap_sub(v[i]->i, least);
        else
            c->ints[i] = wrap_sub(v[i]->i, before);
        before = v[i]->i;
    }
}

static uint32_t prefix_index(struct encoder *e, const uint8_t *id)
{
    if (e->prefix_count &&
        memcmp(e->prefixes + e->prefix_last * ID_PREFIX_LEN, id, ID_PREFIX_LEN) == 0)
        return (uint32_t)e->prefix_last;
    for (size_t i = 0; i < e->prefix_count; i++)
        if (memcmp(e->prefixes + i * ID_PREFIX_LEN, id, ID_PREFIX_LEN) == 0)
            return (uint32_t)(e->prefix_last = i);
    if (e->prefix_count == e->prefix_room) {
        size_t room = e->prefix_room * 2 + 32;
        uint8_t *more = take(e, room, ID_PREFIX_LEN);
        if (!more)
            return 0;
        if (e->prefix_count)
            memcpy(more, e->prefixes, e->prefix_count * ID_PREFIX_LEN);
        e->prefixes = more;
        e->prefix_room = room;
    }
    memcpy(e->prefixes + e->prefix_count * ID_PREFIX_LEN, id, ID_PREFIX_LEN);
    e->prefix_last = e->prefix_count++;
    return (uint32_t)e->prefix_last;
}

static int64_t id_counter(const uint8_t *id)
{
    const uint8_t *p = id + ID_PREFIX_LEN;
    return (int64_t)((uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3]);
}

/* Distinct values: entry[i] is the first value equal to v[i]; returns how many are distinct. */
static size_t distinct(struct encoder *e, const struct cell **v, size_t n, uint32_t *entry)
{
    size_t slots = 16, count = 0;
    while (slots < n * 2)
        slots *= 2;
    uint32_t *table = take(e, slots, sizeof *table); /* index + 1 */
    for (size_t i = 0; table && i < n; i++) {
        uint32_t h = 2166136261u;
        for (size_t b = 0; b < v[i]->bytes.len; b++)
            h = (h ^ v[i]->bytes.p[b]) * 16777619u;
        size_t at = (h ^ h >> 13) & (slots - 1);
        while (table[at] && !span_eq(v[table[at] - 1]->bytes, v[i]->bytes))
            at = (at + 1) & (slots - 1);
        if (!table[at]) {
            table[at] = (uint32_t)i + 1;
            count++;
        }
        entry[i] = table[at] - 1;
    }
    return count;
}

/* Make `entry` into indexes of a dictionary whose values go to `dict`. */
static void dictionary(const struct cell **v, size_t n, uint32_t *entry, const struct cell **dict)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        if (entry[i] == i) {
            dict[count] = v[i];
            entry[i] = (uint32_t)count++;
        } else {
            entry[i] = entry[entry[i]]; /* first ones were renumbered already */
        }
    }
}

static void id_values(struct encoder *e, const struct cell **v, size_t n, Ocop__Sync__Column *c)
{
    int64_t before = 0;
    bool one = true;
    c->ints = take(e, n, sizeof *c->ints);
    uint32_t *index = take(e, n, sizeof *index);
    for (size_t i = 0; !e->failed && i < n; i++) {
        index[i] = prefix_index(e, v[i]->bytes.p);
        one = one && index[i] == index[0];
        int64_t counter = id_counter(v[i]->bytes.p);
        c->ints[i] = counter - before;
        before = counter;
    }
    c->n_ints = n;
    c->index = index;
    c->n_index = one && n > 1 ? 1 : n; /* one prefix for all stands once */
}

static void ids_put(struct encoder *e, const struct cell **v, size_t n, Ocop__Sync__Column *c)
{
    uint32_t *entry = take(e, n, sizeof *entry);
    const struct cell **dict = take(e, n, sizeof *dict);
    if (e->failed)
        return;
    size_t count = distinct(e, v, n, entry);
    if (e->failed)
        return;
    if (count * 4 > n) {
        c->form = FORM_ID;
        id_values(e, v, n, c);
        return;
    }
    c->form = FORM_ID_DICT;
    dictionary(v, n, entry, dict);
    id_values(e, dict, count, c);
    c->lens = entry;
    c->n_lens = n;
}

static size_t shared_with(struct span a, struct span b)
{
    size_t n = 0;
    while (n < a.len && n < b.len && a.p[n] == b.p[n])
        n++;
    return n;
}

/* Lengths and bytes of values, each without its first skip[i] bytes (NULL: whole). */
static void texts_put(struct encoder *e, const struct cell **v, size_t n, const uint32_t *skip,
                      Ocop__Sync__Column *c)
{
    size_t total = 0, at = 0;
    for (size_t i = 0; i < n; i++)
        total += v[i]->bytes.len - (skip ? skip[i] : 0);
    c->lens = take(e, n, sizeof *c->lens);
    c->data.data = take(e, total, 1);
    if (e->failed)
        return;
    for (size_t i = 0; i < n; i++) {
        size_t from = skip ? skip[i] : 0, len = v[i]->bytes.len - from;
        c->lens[i] = (uint32_t)len;
        if (len)
            memcpy(c->data.data + at, v[i]->bytes.p + from, len);
        at += len;
    }
    c->n_lens = n;
    c->has_data = total > 0;
    c->data.len = total;
}

static void text_put(struct encoder *e, const struct cell **v, size_t n, Ocop__Sync__Column *c)
{
    uint32_t *entry = take(e, n, sizeof *entry), *skip = take(e, n, sizeof *skip);
    const struct cell **dict = take(e, n, sizeof *dict);
    if (e->failed)
        return;
    size_t plain = n, front = 2 * n, count = distinct(e, v, n, entry), dict_size = n;
    for (size_t i = 0; i < n && !e->failed; i++) {
        skip[i] = i ? (uint32_t)shared_with(v[i - 1]->bytes, v[i]->bytes) : 0;
        plain += v[i]->bytes.len;
        front += v[i]->bytes.len - skip[i];
        dict_size += entry[i] == i ? v[i]->bytes.len + 1 : 0;
    }
    if (e->failed)
        return;
    if (dict_size * 4 < plain * 3 && count < n) {
        c->form = FORM_DICT;
        dictionary(v, n, entry, dict);
        texts_put(e, dict, count, NULL, c);
        c->index = entry;
        c->n_index = n;
    } else if (front * 3 < plain * 2) {
        c->form = FORM_FRONT;
        texts_put(e, v, n, skip, c);
        c->index = skip;
        c->n_index = n;
    } else {
        c->form = FORM_PLAIN;
        texts_put(e, v, n, NULL, c);
    }
}

static bool all_ids(const struct cell **v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (v[i]->bytes.len != ID_LEN)
            return false;
    return n > 0;
}

static Ocop__Sync__Column *cells_put(struct encoder *e, const struct cell *cells, size_t n,
                                     uint32_t number, bool is_int)
{
    Ocop__Sync__Column *c = column_new(e, number);
    const struct cell **v = take(e, n, sizeof *v);
    if (e->failed)
        return NULL;
    size_t count = values_of(cells, n, v);
    presence_put(e, cells, n, c);
    if (is_int)
        ints_put(e, v, count, c);
    else if (all_ids(v, count))
        ids_put(e, v, count, c);
    else
        text_put(e, v, count, c);
    return c;
}

/* --- lists --------------------------------------------------------------------------------------
 */

/* Elements of one list, of all rows, one after the other. */
struct flat {
    const struct field **v;
    size_t count;
    uint32_t *per_row;
    size_t rows;
};

static bool same_keys(const struct field **a, const struct field **b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!span_eq(a[i]->key, b[i]->key))
            return false;
    return true;
}

static void keys_put(struct encoder *e, const struct flat *f, Ocop__Sync__Column *c,
                     struct cell *cells)
{
    size_t at = 0, before = 0, before_count = 0, kept = 0, used = 0;
    c->lens = take(e, f->rows, sizeof *c->lens);
    c->index = take(e, f->rows, sizeof *c->index);
    for (size_t row = 0; !e->failed && row < f->rows; row++) {
        size_t n = f->per_row[row];
        c->lens[row] = (uint32_t)n;
        if (n == 0)
            continue;
        bool same = n == before_count && same_keys(f->v + before, f->v + at, n);
        c->index[used++] = same;
        for (size_t i = 0; i < n && !same; i++)
            cells[kept++] = (struct cell){.state = CELL_SET, .bytes = f->v[at + i]->key};
        before = at;
        before_count = n;
        at += n;
    }
    c->n_lens = f->rows;
    c->n_index = used;
    if (!e->failed)
        c->columns[c->n_columns++] = cells_put(e, cells, kept, 0, false);
}

/* Next value of a packed element; false at its end. Anything but integers and bytes fails. */
static bool sub_next(struct encoder *e, struct span s, size_t *at, uint32_t *number, bool *is_int,
                     struct cell *out)
{
    uint64_t tag, v;
    if (*at >= s.len)
        return false;
    if (!span_varint(s, at, &tag) || !span_varint(s, at, &v) ||
        ((tag & 7) != 0 && (tag & 7) != 2) || ((tag & 7) == 2 && v > s.len - *at)) {
        e->failed = true;
        return false;
    }
    *number = (uint32_t)(tag >> 3);
    *is_int = (tag & 7) == 0;
    *out = (struct cell){.state = CELL_SET, .i = (int64_t)v};
    if (!*is_int) {
        out->i = 0;
        out->bytes = span_of(s.p + *at, (size_t)v);
        *at += (size_t)v;
    }
    return true;
}

struct sub {
    uint32_t number;
    bool is_int;
    struct cell *cells;
};

enum { SUBS_MAX = 64 };

static struct sub *sub_for(struct encoder *e, struct sub *subs, size_t *count, uint32_t number,
                           bool is_int, size_t rows)
{
    for (size_t i = 0; i < *count; i++)
        if (subs[i].number == number && subs[i].is_int == is_int)
            return &subs[i];
    if (*count == SUBS_MAX) {
        e->failed = true;
        return NULL;
    }
    struct sub *s = &subs[*count];
    *s = (struct sub){number, is_int, take(e, rows, sizeof *s->cells)};
    if (e->failed)
        return NULL;
    ++*count;
    return s;
}

static int sub_cmp(const void *a, const void *b)
{
    const struct sub *x = a, *y = b;
    if (x->number != y->number)
        return x->number < y->number ? -1 : 1;
    return (int)y->is_int - (int)x->is_int;
}

static void elements_put(struct encoder *e, const struct flat *f, Ocop__Sync__Column *c)
{
    struct sub subs[SUBS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < f->count; i++) {
        struct cell cell;
        uint32_t number, last = 0;
        bool is_int;
        size_t at = 0;
        while (!e->failed && f->v[i]->op == FIELD_SET &&
               sub_next(e, f->v[i]->bytes, &at, &number, &is_int, &cell)) {
            if (number <= last) { /* only the canonical order comes back as it was */
                e->failed = true;
                return;
            }
            last = number;
            if (number == 1 && !is_int && span_eq(cell.bytes, f->v[i]->key))
                continue; /* the key column has it */
            struct sub *s = sub_for(e, subs, &count, number, is_int, f->count);
            if (s)
                s->cells[i] = cell;
        }
    }
    if (e->failed)
        return;
    qsort(subs, count, sizeof *subs, sub_cmp);
    for (size_t i = 0; i < count && !e->failed; i++)
        c->columns[c->n_columns++] =
            cells_put(e, subs[i].cells, f->count, subs[i].number, subs[i].is_int);
}

static Ocop__Sync__Column *list_put(struct encoder *e, const struct flat *f, uint32_t number)
{
    Ocop__Sync__Column *c = column_new(e, number);
    struct cell *cells = take(e, f->count, sizeof *cells);
    if (e->failed)
        return NULL;
    c->form = FORM_LIST;
    c->columns = take(e, SUBS_MAX + 1, sizeof *c->columns);
    if (e->failed)
        return NULL;
    keys_put(e, f, c, cells);
    for (size_t i = 0; !e->failed && i < f->count; i++)
        cells[i].state = f->v[i]->op == FIELD_CLEAR ? CELL_CLEAR : CELL_SET;
    if (!e->failed)
        presence_put(e, cells, f->count, c);
    if (!e->failed)
        elements_put(e, f, c);
    return c;
}

/* --- the batch
 * ------------------------------------------------------------------------------------ */

/* The changes of one kind, and how far each one's fields have been taken. */
struct group {
    const struct change **v;
    size_t *at;
    size_t count;
};

struct column_key {
    uint32_t number;
    uint8_t type;
};

static bool of_column(const struct group *g, size_t row, struct column_key key)
{
    const struct fields *f = &g->v[row]->fields;
    return g->at[row] < f->count && f->v[g->at[row]].number == key.number &&
           f->v[g->at[row]].type == key.type;
}

/* The least (number, type) that is still to be taken. */
static bool next_column(const struct group *g, struct column_key *key)
{
    bool found = false;
    for (size_t row = 0; row < g->count; row++) {
        if (g->at[row] == g->v[row]->fields.count)
            continue;
        const struct field *f = &g->v[row]->fields.v[g->at[row]];
        if (!found || f->number < key->number || (f->number == key->number && f->type < key->type))
            *key = (struct column_key){f->number, f->type};
        found = true;
    }
    return found;
}

/* The fields of this column, row by row; the rows' positions move on. */
static bool gather(struct encoder *e, struct group *g, struct column_key key, struct flat *out)
{
    size_t total = 0, ends = 0;
    for (size_t row = 0; row < g->count; row++) {
        size_t at = g->at[row];
        for (; of_column(g, row, key); g->at[row]++)
            total++;
        g->at[row] = at;
    }
    *out = (struct flat){take(e, total, sizeof *out->v), 0, take(e, g->count, sizeof(uint32_t)),
                         g->count};
    for (size_t row = 0; !e->failed && row < g->count; row++) {
        for (; of_column(g, row, key); g->at[row]++) {
            out->v[out->count++] = &g->v[row]->fields.v[g->at[row]];
            out->per_row[row]++;
        }
        ends += out->per_row[row] > 1;
    }
    return !e->failed && (key.type == VALUE_ELEMENT || ends == 0);
}

static void field_bases(struct encoder *e, const struct group *g, const struct flat *f,
                        Ocop__Sync__Column *c)
{
    size_t at = 0;
    bool differ = false;
    int64_t *bases = take(e, f->count, sizeof *bases);
    for (size_t row = 0; !e->failed && row < f->rows; row++)
        for (uint32_t i = 0; i < f->per_row[row]; i++, at++) {
            bases[at] = wrap_sub((int64_t)f->v[at]->base, (int64_t)g->v[row]->base);
            differ = differ || bases[at];
        }
    c->bases = bases;
    c->n_bases = differ ? f->count : 0;
}

static Ocop__Sync__Column *column_put(struct encoder *e, struct group *g, struct column_key key)
{
    struct flat f;
    Ocop__Sync__Column *c;
    if (!gather(e, g, key, &f)) {
        e->failed = true;
        return NULL;
    }
    if (key.type == VALUE_ELEMENT) {
        c = list_put(e, &f, key.number);
    } else {
        struct cell *cells = take(e, g->count, sizeof *cells);
        for (size_t row = 0, at = 0; !e->failed && row < g->count; row++)
            if (f.per_row[row]) {
                cells[row] = (struct cell){f.v[at]->op, f.v[at]->i, f.v[at]->bytes};
                at++;
            }
        c = e->failed ? NULL : cells_put(e, cells, g->count, key.number, key.type == VALUE_INT);
    }
    if (!e->failed)
        field_bases(e, g, &f, c);
    return c;
}

static void kind_put(struct encoder *e, const struct changes *in, uint32_t kind,
                     Ocop__Sync__Columns *out)
{
    struct column_key key = {0, 0};
    struct group g = {take(e, in->count, sizeof *g.v), take(e, in->count, sizeof *g.at), 0};
    for (size_t i = 0; !e->failed && i < in->count; i++)
        if (in->v[i].kind == kind)
            g.v[g.count++] = &in->v[i];
    while (!e->failed && next_column(&g, &key)) {
        size_t n = out->n_columns;
        if ((n & (n - 1)) == 0) { /* room doubles at powers of two */
            Ocop__Sync__Column **more = take(e, n ? n * 2 : 1, sizeof *more);
            if (e->failed)
                return;
            if (n)
                memcpy(more, out->columns, n * sizeof *more);
            out->columns = more;
        }
        Ocop__Sync__Column *c = column_put(e, &g, key);
        if (e->failed)
            return;
        c->has_kind = 1;
        c->kind = kind;
        out->columns[out->n_columns++] = c;
    }
}

static void runs_put(struct encoder *e, const struct changes *in, bool verbs, uint32_t **out,
                     size_t *count)
{
    *out = take(e, in->count * 2, sizeof **out);
    *count = 0;
    for (size_t i = 0, from = 0; !e->failed && i < in->count; i++) {
        uint32_t now = verbs ? in->v[i].verb : in->v[i].kind;
        bool last = i + 1 == in->count;
        if (last || (verbs ? in->v[i + 1].verb : in->v[i + 1].kind) != now) {
            (*out)[(*count)++] = now;
            (*out)[(*count)++] = (uint32_t)(i + 1 - from);
            from = i + 1;
        }
    }
}

enum head { HEAD_ID, HEAD_AUTHOR, HEAD_TIME, HEAD_REASON, HEAD_BASE, HEAD_CASE };

/* One value per change. NULL when no change has one. */
static Ocop__Sync__Column *head_put(struct encoder *e, const struct changes *in, enum head which)
{
    bool any = false;
    struct cell *cells = take(e, in->count, sizeof *cells);
    for (size_t i = 0; !e->failed && i < in->count; i++) {
        const struct change *c = &in->v[i];
        struct span bytes[] = {id_span(&c->record), id_span(&c->author), {NULL, 0},
                               c->reason,           {NULL, 0},           c->case_id};
        int64_t v = which == HEAD_TIME ? c->device_time_ms : (int64_t)c->base;
        bool is_int = which == HEAD_TIME || which == HEAD_BASE;
        bool set = is_int                 ? v != 0
                   : which == HEAD_AUTHOR ? !id_is_zero(&c->author)
                                          : bytes[which].len > 0;
        cells[i] = (struct cell){set ? CELL_SET : CELL_ABSENT, is_int ? v : 0, bytes[which]};
        any = any || set;
    }
    if (e->failed || !any)
        return NULL;
    return cells_put(e, cells, in->count, 0, which == HEAD_TIME || which == HEAD_BASE);
}

static bool kind_is_new(const struct changes *in, size_t i)
{
    for (size_t j = 0; j < i; j++)
        if (in->v[j].kind == in->v[i].kind)
            return false;
    return true;
}

enum ocop_status columns_encode(const struct changes *in, struct arena *a, Ocop__Sync__Columns *out,
                                struct ocop_error *err)
{
    struct encoder e = {.a = a};
    ocop__sync__columns__init(out);
    out->has_count = 1;
    out->count = (uint32_t)in->count;
    runs_put(&e, in, false, &out->kinds, &out->n_kinds);
    runs_put(&e, in, true, &out->verbs, &out->n_verbs);
    out->ids = head_put(&e, in, HEAD_ID);
    out->authors = head_put(&e, in, HEAD_AUTHOR);
    out->times = head_put(&e, in, HEAD_TIME);
    out->reasons = head_put(&e, in, HEAD_REASON);
    out->bases = head_put(&e, in, HEAD_BASE);
    out->cases = head_put(&e, in, HEAD_CASE);
    for (size_t i = 0; !e.failed && i < in->count; i++)
        if ((i == 0 || in->v[i].kind != in->v[i - 1].kind) && kind_is_new(in, i))
            kind_put(&e, in, in->v[i].kind, out);
    out->has_prefixes = e.prefix_count > 0;
    out->prefixes = (ProtobufCBinaryData){e.prefix_count * ID_PREFIX_LEN, e.prefixes};
    if (e.failed)
        return err_set(err, a->used > a->cap / 2 ? OCOP_ENOMEM : OCOP_EINVAL,
                       "the changes cannot be encoded: out of memory, or an element is malformed");
    return OCOP_OK;
}

/* ==== decoding ==================================================================================
 */

struct decoder {
    struct arena *a;
    struct span prefixes;
    size_t total; /* cells made so far: the work one batch may cause is limited */
    struct ocop_error *err;
};

enum { CELLS_MAX = 4000000 };

static enum ocop_status bad(struct decoder *d, const char *what)
{
    return err_set(d->err, OCOP_EPROTO, "malformed columns: %s", what);
}

static enum ocop_status need(struct decoder *d, size_t count, size_t size, void **out)
{
    d->total += count;
    if (d->total > CELLS_MAX)
        return err_set(d->err, OCOP_ELIMIT, "the batch holds more than %d values", CELLS_MAX);
    *out = arena_calloc(d->a, count ? count : 1, size);
    return *out ? OCOP_OK : err_nomem(d->err);
}

/* States of `n` cells from the runs; *set counts those that have a value. */
static enum ocop_status presence_get(struct decoder *d, const Ocop__Sync__Column *c,
                                     struct cell *cells, size_t n, size_t *set)
{
    size_t at = 0;
    *set = 0;
    for (size_t r = 0; r < c->n_runs; r++) {
        size_t len = c->runs[r] >> 2;
        uint8_t state = c->runs[r] & 3;
        if (len == 0 || len > n - at || state == 3)
            return bad(d, "presence");
        for (size_t i = 0; i < len; i++)
            cells[at++].state = state;
        *set += state == CELL_SET ? len : 0;
    }
    if (c->n_runs == 0) {
        for (; at < n; at++)
            cells[at].state = CELL_SET;
        *set = n;
    }
    return at == n ? OCOP_OK : bad(d, "presence");
}

/* Offsets of the texts in `data`: n + 1 of them. */
static enum ocop_status offsets_get(struct decoder *d, const Ocop__Sync__Column *c, size_t n,
                                    size_t **out)
{
    size_t at = 0;
    enum ocop_status st = need(d, n + 1, sizeof **out, (void **)out);
    if (st != OCOP_OK)
        return st;
    for (size_t i = 0; i < n; i++) {
        (*out)[i] = at;
        if (c->lens[i] > c->data.len - at)
            return bad(d, "lengths of texts");
        at += c->lens[i];
    }
    (*out)[n] = at;
    return at == c->data.len ? OCOP_OK : bad(d, "bytes that belong to no text");
}

static enum ocop_status texts_get(struct decoder *d, const Ocop__Sync__Column *c, struct span *v,
                                  size_t n)
{
    size_t *offsets, entries = c->form == FORM_DICT ? c->n_lens : n;
    if (c->n_lens != entries || (c->form != FORM_PLAIN && c->n_index != n))
        return bad(d, "number of texts");
    enum ocop_status st = offsets_get(d, c, entries, &offsets);
    for (size_t i = 0; st == OCOP_OK && i < n; i++) {
        size_t e = i;
        if (c->form == FORM_DICT) {
            if (c->index[i] >= entries)
                return bad(d, "dictionary index");
            e = c->index[i];
        }
        v[i] = span_of(c->data.data + offsets[e], offsets[e + 1] - offsets[e]);
        if (c->form != FORM_FRONT || c->index[i] == 0)
            continue;
        size_t shared = c->index[i], len = shared + v[i].len;
        if (i == 0 || shared > v[i - 1].len || len > RECORD_BYTES_MAX)
            return bad(d, "shared beginning of a text");
        uint8_t *whole = arena_alloc(d->a, len);
        if (!whole)
            return err_nomem(d->err);
        memcpy(whole, v[i - 1].p, shared);
        memcpy(whole + shared, v[i].p, v[i].len);
        v[i] = span_of(whole, len);
    }
    return st;
}

static enum ocop_status ids_get(struct decoder *d, const Ocop__Sync__Column *c, struct span *v,
                                size_t n)
{
    size_t entries = c->form == FORM_ID_DICT ? c->n_ints : n;
    bool one = c->n_index == 1;
    uint8_t *ids;
    if (c->n_ints != entries || (!one && c->n_index != entries) ||
        (c->form == FORM_ID_DICT && c->n_lens != n))
        return bad(d, "number of ids");
    enum ocop_status st = need(d, entries, ID_LEN, (void **)&ids);
    int64_t counter = 0;
    for (size_t i = 0; st == OCOP_OK && i < entries; i++) {
        size_t prefix = (size_t)c->index[one ? 0 : i] * ID_PREFIX_LEN;
        counter = wrap_add(counter, c->ints[i]);
        if (prefix + ID_PREFIX_LEN > d->prefixes.len || counter < 0 || counter > UINT32_MAX)
            return bad(d, "id");
        uint8_t *p = ids + i * ID_LEN;
        memcpy(p, d->prefixes.p + prefix, ID_PREFIX_LEN);
        for (int b = 0; b < 4; b++)
            p[ID_PREFIX_LEN + b] = (uint8_t)((uint64_t)counter >> (24 - 8 * b));
    }
    for (size_t i = 0; st == OCOP_OK && i < n; i++) {
        size_t e = c->form == FORM_ID_DICT ? c->lens[i] : i;
        if (e >= entries)
            return bad(d, "dictionary index");
        v[i] = span_of(ids + e * ID_LEN, ID_LEN);
    }
    return st;
}

static enum ocop_status ints_get(struct decoder *d, const Ocop__Sync__Column *c, struct cell *cells,
                                 size_t n, size_t set)
{
    bool offset = c->form == FORM_OFFSET;
    int64_t before = 0;
    size_t at = 0;
    if (offset ? c->n_ints != 1 || c->n_lens != set : c->n_ints != set)
        return bad(d, "number of integers");
    for (size_t i = 0; i < n; i++) {
        if (cells[i].state != CELL_SET)
            continue;
        before = offset ? wrap_add(c->ints[0], c->lens[at]) : wrap_add(before, c->ints[at]);
        cells[i].i = before;
        at++;
    }
    return OCOP_OK;
}

/* One column of single values. *type: VALUE_INT or VALUE_BYTES. */
static enum ocop_status cells_get(struct decoder *d, const Ocop__Sync__Column *c, size_t n,
                                  struct cell **out, uint8_t *type)
{
    size_t set;
    struct span *v;
    enum ocop_status st = need(d, n, sizeof **out, (void **)out);
    if (st == OCOP_OK)
        st = presence_get(d, c, *out, n, &set);
    if (st != OCOP_OK)
        return st;
    *type = c->form == FORM_DELTA || c->form == FORM_OFFSET ? VALUE_INT : VALUE_BYTES;
    if (*type == VALUE_INT)
        return ints_get(d, c, *out, n, set);
    st = need(d, set, sizeof *v, (void **)&v);
    if (st != OCOP_OK)
        return st;
    switch (c->form) {
    case FORM_PLAIN:
    case FORM_DICT:
    case FORM_FRONT:
        st = texts_get(d, c, v, set);
        break;
    case FORM_ID:
    case FORM_ID_DICT:
        st = ids_get(d, c, v, set);
        break;
    default:
        return bad(d, "unknown form");
    }
    for (size_t i = 0, at = 0; st == OCOP_OK && i < n; i++)
        if ((*out)[i].state == CELL_SET)
            (*out)[i].bytes = v[at++];
    return st;
}

/* --- lists
 * ---------------------------------------------------------------------------------------- */

struct sub_get {
    uint32_t number;
    uint8_t type;
    struct cell *cells;
};

/* Keys of all elements, repeated ones filled in. */
static enum ocop_status list_keys(struct decoder *d, const Ocop__Sync__Column *c, size_t rows,
                                  size_t count, struct span **out)
{
    struct cell *cells;
    uint8_t type;
    size_t fresh = 0, used = 0, at = 0, before = 0, before_count = 0, next = 0;
    for (size_t row = 0; row < rows; row++)
        if (c->lens[row]) {
            if (used == c->n_index || c->index[used] > 1)
                return bad(d, "repeated keys");
            fresh += c->index[used++] ? 0 : c->lens[row];
        }
    if (used != c->n_index || c->n_columns < 1)
        return bad(d, "repeated keys");
    enum ocop_status st = cells_get(d, c->columns[0], fresh, &cells, &type);
    if (st == OCOP_OK && type != VALUE_BYTES && fresh)
        return bad(d, "keys of elements");
    if (st == OCOP_OK)
        st = need(d, count, sizeof **out, (void **)out);
    used = 0;
    for (size_t row = 0; st == OCOP_OK && row < rows; row++) {
        size_t n = c->lens[row];
        if (n == 0)
            continue;
        bool same = c->index[used++];
        if (same && n != before_count)
            return bad(d, "repeated keys");
        for (size_t i = 0; i < n; i++) {
            struct span key = same ? (*out)[before + i] : cells[next].bytes;
            next += !same;
            if (key.len == 0 || key.len > KEY_BYTES_MAX)
                return bad(d, "key of an element");
            (*out)[at + i] = key;
        }
        before = at;
        before_count = n;
        at += n;
    }
    return st;
}

static size_t element_size(struct span key, const struct sub_get *subs, size_t count, size_t i)
{
    size_t size = 1 + varint_size(key.len) + key.len;
    for (size_t s = 0; s < count; s++) {
        const struct cell *c = &subs[s].cells[i];
        if (c->state != CELL_SET)
            continue;
        size += varint_size((uint64_t)subs[s].number << 3);
        size += subs[s].type == VALUE_INT ? varint_size((uint64_t)c->i)
                                          : varint_size(c->bytes.len) + c->bytes.len;
    }
    return size;
}

static uint8_t *varint_write(uint8_t *p, uint64_t v)
{
    for (; v >= 0x80; v >>= 7)
        *p++ = (uint8_t)(v | 0x80);
    *p++ = (uint8_t)v;
    return p;
}

static uint8_t *bytes_write(uint8_t *p, uint32_t number, struct span s)
{
    p = varint_write(p, (uint64_t)number << 3 | 2);
    p = varint_write(p, s.len);
    if (s.len)
        memcpy(p, s.p, s.len);
    return p + s.len;
}

/* The packed element, key first. A sub-column may hold field 1 only where the key is not it. */
static enum ocop_status element_build(struct decoder *d, struct span key,
                                      const struct sub_get *subs, size_t count, size_t i,
                                      struct span *out)
{
    size_t size = element_size(key, subs, count, i);
    if (size > RECORD_BYTES_MAX)
        return err_set(d->err, OCOP_ELIMIT, "an element of %zu bytes is too large", size);
    uint8_t *bytes = arena_alloc(d->a, size), *p = bytes;
    if (!p)
        return err_nomem(d->err);
    p = bytes_write(p, 1, key);
    for (size_t s = 0; s < count; s++) {
        const struct cell *c = &subs[s].cells[i];
        if (c->state != CELL_SET)
            continue;
        if (subs[s].type == VALUE_BYTES) {
            p = bytes_write(p, subs[s].number, c->bytes);
        } else {
            p = varint_write(p, (uint64_t)subs[s].number << 3);
            p = varint_write(p, (uint64_t)c->i);
        }
    }
    *out = span_of(bytes, size);
    return OCOP_OK;
}

static enum ocop_status list_subs(struct decoder *d, const Ocop__Sync__Column *c, size_t count,
                                  struct sub_get *subs, size_t *sub_count)
{
    *sub_count = c->n_columns - 1;
    if (*sub_count > SUBS_MAX)
        return bad(d, "too many fields in elements");
    for (size_t s = 0; s < *sub_count; s++) {
        const Ocop__Sync__Column *sub = c->columns[s + 1];
        subs[s].number = sub->number;
        if (sub->number < 2 || sub->number > 0x1fffffff || (s && sub->number < subs[s - 1].number))
            return bad(d, "order of the fields in elements");
        enum ocop_status st = cells_get(d, sub, count, &subs[s].cells, &subs[s].type);
        if (st != OCOP_OK)
            return st;
    }
    return OCOP_OK;
}

/* --- the batch
 * ------------------------------------------------------------------------------------ */

struct rows {
    struct change **v;
    size_t count;
};

static enum ocop_status field_base(struct decoder *d, const Ocop__Sync__Column *c, size_t at,
                                   uint64_t base, uint64_t *out)
{
    int64_t b = c->n_bases ? wrap_add((int64_t)base, c->bases[at]) : (int64_t)base;
    *out = (uint64_t)b;
    return b < 0 ? bad(d, "base of a field") : OCOP_OK;
}

static enum ocop_status list_get(struct decoder *d, const Ocop__Sync__Column *c, struct rows *rows)
{
    size_t count = 0, sub_count, set, at = 0;
    struct span *keys;
    struct cell *ops;
    struct sub_get subs[SUBS_MAX + 1];
    if (c->n_lens != rows->count)
        return bad(d, "number of lists");
    for (size_t row = 0; row < rows->count; row++) {
        if (c->lens[row] > LIST_ITEMS_MAX)
            return err_set(d->err, OCOP_ELIMIT, "a list of %u elements is too long", c->lens[row]);
        count += c->lens[row];
    }
    if (c->n_bases && c->n_bases != count)
        return bad(d, "bases of elements");
    enum ocop_status st = list_keys(d, c, rows->count, count, &keys);
    if (st == OCOP_OK)
        st = need(d, count, sizeof *ops, (void **)&ops);
    if (st == OCOP_OK)
        st = presence_get(d, c, ops, count, &set);
    if (st == OCOP_OK)
        st = list_subs(d, c, count, subs, &sub_count);
    for (size_t row = 0; st == OCOP_OK && row < rows->count; row++)
        for (uint32_t i = 0; st == OCOP_OK && i < c->lens[row]; i++, at++) {
            struct change *change = rows->v[row];
            struct field *f = &change->fields.v[change->fields.count++];
            *f = (struct field){
                .number = c->number, .op = ops[at].state, .type = VALUE_ELEMENT, .key = keys[at]};
            st = field_base(d, c, at, change->base, &f->base);
            if (f->op == CELL_ABSENT)
                st = bad(d, "state of an element");
            if (st == OCOP_OK && f->op == FIELD_SET)
                st = element_build(d, keys[at], subs, sub_count, at, &f->bytes);
        }
    return st;
}

static enum ocop_status column_get(struct decoder *d, const Ocop__Sync__Column *c,
                                   struct rows *rows)
{
    struct cell *cells;
    uint8_t type;
    size_t at = 0;
    if (c->form == FORM_LIST)
        return list_get(d, c, rows);
    enum ocop_status st = cells_get(d, c, rows->count, &cells, &type);
    for (size_t row = 0; st == OCOP_OK && row < rows->count; row++) {
        struct change *change = rows->v[row];
        if (cells[row].state == CELL_ABSENT)
            continue;
        if (c->n_bases && at >= c->n_bases)
            return bad(d, "bases of fields");
        struct field *f = &change->fields.v[change->fields.count++];
        *f = (struct field){.number = c->number,
                            .op = cells[row].state,
                            .type = type,
                            .i = cells[row].i,
                            .bytes = cells[row].bytes};
        st = field_base(d, c, at++, change->base, &f->base);
        if (f->bytes.len > RECORD_BYTES_MAX)
            st = err_set(d->err, OCOP_ELIMIT, "a value of %zu bytes is too large", f->bytes.len);
    }
    return st == OCOP_OK && c->n_bases && c->n_bases != at ? bad(d, "bases of fields") : st;
}

/* How many fields each change will have: room is taken once and exactly. */
static enum ocop_status count_fields(struct decoder *d, const Ocop__Sync__Column *c,
                                     struct rows *rows)
{
    if (c->number < 2 || c->number > 0x1fffffff)
        return bad(d, "field number");
    if (c->form == FORM_LIST && c->n_lens != rows->count)
        return bad(d, "number of lists");
    for (size_t row = 0; row < rows->count; row++) {
        size_t more = c->form == FORM_LIST ? c->lens[row] : 1;
        rows->v[row]->fields.count += more;
        if (rows->v[row]->fields.count > FIELDS_MAX + 200)
            return err_set(d->err, OCOP_ELIMIT, "a change of more than %d fields is too large",
                           FIELDS_MAX);
    }
    return OCOP_OK;
}

static enum ocop_status rows_of(struct decoder *d, struct changes *all, uint32_t kind,
                                struct rows *out)
{
    enum ocop_status st = need(d, all->count, sizeof *out->v, (void **)&out->v);
    out->count = 0;
    for (size_t i = 0; st == OCOP_OK && i < all->count; i++)
        if (all->v[i].kind == kind)
            out->v[out->count++] = &all->v[i];
    return st == OCOP_OK && out->count == 0 ? bad(d, "a column of a kind without changes") : st;
}

/* Columns stand grouped by kind; all groups are counted, then filled. */
static enum ocop_status fields_get(struct decoder *d, const Ocop__Sync__Columns *in,
                                   struct changes *out)
{
    for (int pass = 0; pass < 2; pass++) {
        struct rows rows = {NULL, 0};
        for (size_t i = 0; i < in->n_columns; i++) {
            const Ocop__Sync__Column *c = in->columns[i];
            enum ocop_status st = OCOP_OK;
            if (i == 0 || c->kind != in->columns[i - 1]->kind)
                st = rows_of(d, out, c->kind, &rows);
            if (st == OCOP_OK)
                st = pass ? column_get(d, c, &rows) : count_fields(d, c, &rows);
            if (st != OCOP_OK)
                return st;
        }
        for (size_t i = 0; pass == 0 && i < out->count; i++) {
            struct fields *f = &out->v[i].fields;
            enum ocop_status st = need(d, f->count, sizeof *f->v, (void **)&f->v);
            f->count = 0;
            if (st != OCOP_OK)
                return st;
        }
    }
    for (size_t i = 0; i < out->count; i++) {
        const struct fields *f = &out->v[i].fields;
        for (size_t n = 1; n < f->count; n++)
            if (field_cmp(&f->v[n - 1], &f->v[n]) >= 0)
                return bad(d, "fields out of order, or one twice");
    }
    return OCOP_OK;
}

static enum ocop_status runs_get(struct decoder *d, const uint32_t *runs, size_t n, bool verbs,
                                 struct changes *out)
{
    size_t at = 0;
    for (size_t i = 0; i + 1 < n; i += 2) {
        if (runs[i + 1] == 0 || runs[i + 1] > out->count - at || (verbs && runs[i] > UINT8_MAX))
            return bad(d, "kinds or verbs");
        for (uint32_t k = 0; k < runs[i + 1]; k++, at++)
            if (verbs)
                out->v[at].verb = (uint8_t)runs[i];
            else
                out->v[at].kind = runs[i];
    }
    return n % 2 == 0 && at == out->count ? OCOP_OK : bad(d, "kinds or verbs");
}

static bool head_set(struct change *c, enum head which, const struct cell *cell)
{
    switch (which) {
    case HEAD_ID:
        return id_from(cell->bytes, &c->record);
    case HEAD_AUTHOR:
        return id_from(cell->bytes, &c->author);
    case HEAD_TIME:
        c->device_time_ms = cell->i;
        return true;
    case HEAD_REASON:
        c->reason = cell->bytes;
        return cell->bytes.len <= REASON_BYTES_MAX;
    case HEAD_BASE:
        c->base = (uint64_t)cell->i;
        return cell->i >= 0;
    case HEAD_CASE:
        c->case_id = cell->bytes;
        return cell->bytes.len == ID_LEN;
    }
    return false;
}

static enum ocop_status head_get(struct decoder *d, const Ocop__Sync__Column *c, enum head which,
                                 struct changes *out)
{
    struct cell *cells;
    uint8_t type;
    if (!c)
        return which == HEAD_ID && out->count ? bad(d, "no ids") : OCOP_OK;
    enum ocop_status st = cells_get(d, c, out->count, &cells, &type);
    if (st != OCOP_OK)
        return st;
    bool is_int = which == HEAD_TIME || which == HEAD_BASE;
    for (size_t i = 0; i < out->count; i++) {
        if (cells[i].state == CELL_SET &&
            (is_int != (type == VALUE_INT) || !head_set(&out->v[i], which, &cells[i])))
            return bad(d, "head of a change");
        if (cells[i].state == CELL_CLEAR || (which == HEAD_ID && cells[i].state != CELL_SET))
            return bad(d, "head of a change");
    }
    return OCOP_OK;
}

enum ocop_status columns_decode(const Ocop__Sync__Columns *in, struct arena *a, struct changes *out,
                                struct ocop_error *err)
{
    struct decoder d = {
        .a = a, .prefixes = span_of(in->prefixes.data, in->prefixes.len), .err = err};
    const Ocop__Sync__Column *heads[] = {in->ids,     in->authors, in->times,
                                         in->reasons, in->bases,   in->cases};
    *out = (struct changes){0};
    if (in->count > SET_CHANGES_MAX)
        return err_set(err, OCOP_ELIMIT, "%u changes are too many, at most %d are allowed",
                       in->count, SET_CHANGES_MAX);
    enum ocop_status st = need(&d, in->count, sizeof *out->v, (void **)&out->v);
    if (st != OCOP_OK)
        return st;
    out->count = in->count;
    st = runs_get(&d, in->kinds, in->n_kinds, false, out);
    if (st == OCOP_OK)
        st = runs_get(&d, in->verbs, in->n_verbs, true, out);
    for (int h = HEAD_ID; st == OCOP_OK && h <= HEAD_CASE; h++)
        st = head_get(&d, heads[h], (enum head)h, out);
    return st == OCOP_OK ? fields_get(&d, in, out) : st;
}
