/* The columnar codec, encoding half (docs/protocol.md, 4). A batch of changes becomes one column
 * per kind, field and type of value, each in the form that looks smallest after deflate. What
 * columns_decode would not take or not give back as it was is refused here. Knows no kinds and no
 * database: the form follows from the values alone. */
#include "encoder.h"
#include "packed.h"

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

/* --- lists --- */

/* Fields of one column, row by row. */
struct flat {
    const struct field **v;
    size_t count;
    uint32_t *per_row;
    size_t rows;
    const struct change **changes; /* one per row */
};

static bool same_keys(const struct field **a, const struct field **b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!span_eq(a[i]->key, b[i]->key))
            return false;
    return true;
}

static void keys_put(struct encoder *e, const struct flat *f, Ocop__Sync__Column *c)
{
    size_t at = 0, before = 0, before_count = 0, kept = 0;
    struct cell *cells = cells_new(e, f->count);
    const struct id **records = take(e, f->count, sizeof *records);
    c->index = take(e, f->rows, sizeof *c->index);
    for (size_t row = 0; !failed(e) && row < f->rows; row++) {
        size_t n = f->per_row[row];
        if (n == 0)
            continue;
        bool same = n == before_count && same_keys(f->v + before, f->v + at, n);
        c->index[c->n_index++] = same;
        for (size_t i = 0; i < n && !same; i++) {
            records[kept] = &f->changes[row]->record;
            cells[kept++] = cell_bytes(CELL_SET, f->v[at + i]->key);
        }
        before = at;
        before_count = n;
        at += n;
    }
    c->lens = f->per_row;
    c->n_lens = f->rows;
    if (failed(e))
        return;
    Ocop__Sync__Column *keys = values_near(e, cells, records, kept);
    c->columns[c->n_columns++] = keys ? keys : values_put(e, cells, NULL, kept, 0, false);
}

/* One field number and type of a list's elements: the first value of each element, and how many
 * there are where it stands more than once. */
struct sub {
    struct cell *cells;
    uint32_t *times;
    size_t more;
};

static bool sub_add(struct encoder *e, struct sub *subs, const struct field *f, size_t element,
                    size_t elements)
{
    struct sub *s = &subs[2 * f->number + (f->type == VALUE_BYTES)];
    if (!s->cells)
        s->cells = cells_new(e, elements);
    if (failed(e))
        return false;
    if (s->cells[element].state == CELL_ABSENT) {
        s->cells[element] =
            f->type == VALUE_INT ? cell_int(CELL_SET, f->i) : cell_bytes(CELL_SET, f->bytes);
        return true;
    }
    if (!s->times)
        s->times = take_clear(e, elements, sizeof *s->times);
    if (failed(e))
        return false;
    s->times[element]++;
    s->more++;
    return true;
}

/* Sort the fields of one element into their columns; only what the decoder would write alike is
 * taken. */
static bool element_take(struct encoder *e, struct sub *subs, const struct field *element,
                         size_t at_element, size_t elements)
{
    struct field f, last = {.number = 0};
    size_t at = 0, size = 0;
    int more;
    while ((more = packed_next(element->bytes, &at, &f)) > 0) {
        size += packed_size(&f);
        if (f.number > ELEMENT_NUMBER_MAX || f.number < last.number ||
            (f.number == last.number && (f.type != last.type || f.number == 1)))
            break;
        if (f.number == 1 ? !span_eq(f.bytes, element->key) || f.type != VALUE_BYTES
                          : last.number == 0)
            break;
        if (f.number > 1 && !sub_add(e, subs, &f, at_element, elements))
            return false;
        last = f;
    }
    if (more != 0 || size != element->bytes.len || last.number == 0)
        return fail(e, OCOP_EINVAL, "an element of a list is not in its canonical form");
    return true;
}

/* All values of a field that some element has more than once. */
static Ocop__Sync__Column *repeat_put(struct encoder *e, const struct flat *f, const struct sub *s,
                                      uint32_t number, uint8_t type)
{
    Ocop__Sync__Column *c = column_new(e, number);
    struct cell *values = cells_new(e, f->count + s->more);
    size_t count = 0;
    if (failed(e))
        return NULL;
    c->form = COLUMN_REPEAT;
    c->lens = take(e, f->count, sizeof *c->lens);
    c->columns = take(e, 1, sizeof *c->columns);
    if (failed(e))
        return NULL;
    values_presence(e, s->cells, f->count, c);
    for (size_t i = 0; i < f->count; i++) {
        struct field v;
        if (s->cells[i].state != CELL_SET)
            continue;
        c->lens[c->n_lens++] = s->times[i] + 1;
        for (size_t at = 0; packed_next(f->v[i]->bytes, &at, &v) > 0;)
            if (v.number == number && v.type == type)
                values[count++] =
                    type == VALUE_INT ? cell_int(CELL_SET, v.i) : cell_bytes(CELL_SET, v.bytes);
    }
    c->columns[0] = values_put(e, values, NULL, count, 0, type == VALUE_INT);
    c->n_columns = 1;
    return failed(e) ? NULL : c;
}

static void elements_put(struct encoder *e, const struct flat *f, Ocop__Sync__Column *c)
{
    struct sub *subs = take_clear(e, SUBS_MAX, sizeof *subs);
    for (size_t i = 0; !failed(e) && i < f->count; i++)
        if (f->v[i]->op == FIELD_SET && !element_take(e, subs, f->v[i], i, f->count))
            return;
    for (uint32_t s = 0; !failed(e) && s < SUBS_MAX; s++) {
        if (!subs[s].cells)
            continue;
        uint8_t type = s & 1 ? VALUE_BYTES : VALUE_INT;
        c->columns[c->n_columns++] =
            subs[s].more ? repeat_put(e, f, &subs[s], s / 2, type)
                         : values_put(e, subs[s].cells, NULL, f->count, s / 2, type == VALUE_INT);
    }
}

static Ocop__Sync__Column *list_put(struct encoder *e, const struct flat *f, uint32_t number)
{
    Ocop__Sync__Column *c = column_new(e, number);
    struct cell *ops = take(e, f->count, sizeof *ops);
    if (failed(e))
        return NULL;
    c->form = COLUMN_LIST;
    c->columns = take(e, SUBS_MAX + 1, sizeof *c->columns);
    for (size_t i = 0; i < f->count; i++)
        ops[i] = cell_int(f->v[i]->op, 0);
    if (failed(e))
        return NULL;
    values_presence(e, ops, f->count, c);
    keys_put(e, f, c);
    elements_put(e, f, c);
    return failed(e) ? NULL : c;
}

/* --- the batch --- */

/* The changes of one kind, and how far each one's fields have been taken. */
struct group {
    const struct change **v;
    int64_t *times;
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

/* The least (number, type) that is still to be taken, and how many fields at most. */
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

/* The fields of this column; the rows' positions move on. */
static bool gather(struct encoder *e, struct group *g, struct column_key key, struct flat *out)
{
    size_t total = 0;
    uint32_t *per_row = take_clear(e, g->count, sizeof *per_row);
    for (size_t row = 0; per_row && row < g->count; row++)
        for (; of_column(g, row, key); g->at[row]++, total++)
            per_row[row]++;
    *out = (struct flat){take(e, total, sizeof *out->v), 0, per_row, g->count, g->v};
    for (size_t row = 0; !failed(e) && row < g->count; row++)
        for (size_t i = per_row[row]; i > 0; i--)
            out->v[out->count++] = &g->v[row]->fields.v[g->at[row] - i];
    return !failed(e);
}

static void field_bases(struct encoder *e, const struct group *g, const struct flat *f,
                        Ocop__Sync__Column *c)
{
    bool differ = false;
    for (size_t row = 0, at = 0; row < f->rows && !differ; row++)
        for (uint32_t i = 0; i < f->per_row[row]; i++)
            differ = differ || f->v[at++]->base != g->v[row]->base;
    c->bases = differ ? take(e, f->count, sizeof *c->bases) : NULL;
    if (!c->bases)
        return;
    for (size_t row = 0; row < f->rows; row++)
        for (uint32_t i = 0; i < f->per_row[row]; i++, c->n_bases++)
            c->bases[c->n_bases] =
                wrap_sub((int64_t)f->v[c->n_bases]->base, (int64_t)g->v[row]->base);
}

static Ocop__Sync__Column *column_put(struct encoder *e, struct group *g, struct column_key key)
{
    struct flat f;
    struct cell *cells = cells_new(e, g->count);
    Ocop__Sync__Column *c;
    if (!gather(e, g, key, &f) || !cells)
        return NULL;
    if (key.type == VALUE_ELEMENT) {
        c = list_put(e, &f, key.number);
    } else {
        for (size_t row = 0, at = 0; row < g->count; row++) {
            if (!f.per_row[row])
                continue;
            const struct field *v = f.v[at++];
            cells[row] =
                key.type == VALUE_INT ? cell_int(v->op, v->i) : cell_bytes(v->op, v->bytes);
        }
        c = values_put(e, cells, g->times, g->count, key.number, key.type == VALUE_INT);
    }
    if (c)
        field_bases(e, g, &f, c);
    return c;
}

static bool column_append(struct encoder *e, Ocop__Sync__Columns *out, Ocop__Sync__Column *c)
{
    size_t n = out->n_columns;
    if ((n & (n - 1)) == 0) { /* room doubles at powers of two */
        Ocop__Sync__Column **more = take(e, n ? n * 2 : 1, sizeof *more);
        if (!more)
            return false;
        if (n)
            memcpy(more, out->columns, n * sizeof *more);
        out->columns = more;
    }
    out->columns[out->n_columns++] = c;
    return true;
}

static void kind_put(struct encoder *e, const struct changes *in, uint32_t kind,
                     Ocop__Sync__Columns *out)
{
    struct column_key key = {0, 0};
    size_t count = 0;
    for (size_t i = 0; i < in->count; i++)
        count += in->v[i].kind == kind;
    struct group g = {take(e, count, sizeof *g.v), take(e, count, sizeof *g.times),
                      take_clear(e, count, sizeof *g.at), 0};
    for (size_t i = 0; !failed(e) && i < in->count; i++)
        if (in->v[i].kind == kind) {
            g.times[g.count] = in->v[i].device_time_ms;
            g.v[g.count++] = &in->v[i];
        }
    while (!failed(e) && next_column(&g, &key)) {
        Ocop__Sync__Column *c = column_put(e, &g, key);
        if (!c || !column_append(e, out, c))
            return;
        c->has_kind = 1;
        c->kind = kind;
    }
}

static uint32_t *runs_put(struct encoder *e, const struct changes *in, bool verbs, size_t *count)
{
    uint32_t *runs = take(e, in->count * 2, sizeof *runs);
    *count = 0;
    for (size_t i = 0, from = 0; runs && i < in->count; i++) {
        uint32_t now = verbs ? in->v[i].verb : in->v[i].kind;
        if (i + 1 < in->count && (verbs ? in->v[i + 1].verb : in->v[i + 1].kind) == now)
            continue;
        runs[(*count)++] = now;
        runs[(*count)++] = (uint32_t)(i + 1 - from);
        from = i + 1;
    }
    return runs;
}

static struct span head_bytes(const struct change *c, enum column_head which)
{
    switch (which) {
    case HEAD_ID:
        return id_span(&c->record);
    case HEAD_AUTHOR:
        return id_is_zero(&c->author) ? span_of(NULL, 0) : id_span(&c->author);
    case HEAD_REASON:
        return c->reason;
    case HEAD_CASE:
        return c->case_id;
    default:
        return span_of(NULL, 0);
    }
}

/* One value per change. NULL when no change has one. */
static Ocop__Sync__Column *head_put(struct encoder *e, const struct changes *in,
                                    enum column_head which)
{
    bool any = false, is_int = which == HEAD_TIME || which == HEAD_BASE;
    struct cell *cells = take(e, in->count, sizeof *cells);
    for (size_t i = 0; cells && i < in->count; i++) {
        const struct change *c = &in->v[i];
        int64_t v = which == HEAD_TIME ? c->device_time_ms : (int64_t)c->base;
        struct span bytes = head_bytes(c, which);
        bool set = is_int ? v != 0 : bytes.len > 0;
        uint8_t state = set ? CELL_SET : CELL_ABSENT;
        cells[i] = is_int ? cell_int(state, v) : cell_bytes(state, bytes);
        any = any || set;
    }
    return any ? values_put(e, cells, NULL, in->count, 0, is_int) : NULL;
}

static bool kind_is_new(const struct changes *in, size_t i)
{
    if (i > 0 && in->v[i].kind == in->v[i - 1].kind)
        return false;
    for (size_t j = 0; j < i; j++)
        if (in->v[j].kind == in->v[i].kind)
            return false;
    return true;
}

/* --- what may be encoded --- */

static bool field_fits(const struct field *f, const struct field *before)
{
    bool element = f->type == VALUE_ELEMENT;
    return f->number > FIELD_ID && f->number <= FIELD_NUMBER_MAX &&
           (f->op == FIELD_SET || f->op == FIELD_CLEAR) && f->type >= VALUE_INT &&
           f->type <= VALUE_ELEMENT && element == (f->key.len > 0) && f->key.len <= KEY_BYTES_MAX &&
           f->base <= INT64_MAX && (!before || field_cmp(before, f) < 0);
}

static bool change_fits(struct encoder *e, const struct change *c, size_t *fields, size_t *bytes)
{
    size_t items = 0, of_change = 0;
    const struct field *before = NULL;
    if (c->kind == 0 || c->verb == 0 || c->base > INT64_MAX ||
        (c->case_id.len && c->case_id.len != ID_LEN))
        return fail(e, OCOP_EINVAL, "a change has no kind, verb, sound base or case");
    if (c->reason.len > REASON_BYTES_MAX || c->fields.count > FIELDS_MAX)
        return fail(e, OCOP_ELIMIT, "a change has too many fields or too long a reason");
    for (size_t i = 0; i < c->fields.count; before = &c->fields.v[i++]) {
        const struct field *f = &c->fields.v[i];
        if (!field_fits(f, before))
            return fail(e, OCOP_EINVAL, "the fields of a change are not sorted, or not sound");
        items = before && before->number == f->number ? items + 1 : 1;
        if (items > LIST_ITEMS_MAX)
            return fail(e, OCOP_ELIMIT, "a list of a change has too many elements");
        of_change += f->op == FIELD_SET ? f->bytes.len : 0;
    }
    if (of_change > verb_bytes_max(c->verb))
        return fail(e, OCOP_ELIMIT, "the values of one change are too large");
    *fields += c->fields.count;
    *bytes += of_change + c->reason.len;
    return true;
}

static bool batch_fits(struct encoder *e, const struct changes *in)
{
    size_t fields = 0, bytes = 0;
    if (in->count > SET_CHANGES_MAX)
        return fail(e, OCOP_ELIMIT, "too many changes for one batch");
    for (size_t i = 0; i < in->count; i++)
        if (!change_fits(e, &in->v[i], &fields, &bytes))
            return false;
    if (fields > SET_FIELDS_MAX || bytes > SET_VALUE_BYTES_MAX)
        return fail(e, OCOP_ELIMIT, "the changes have too many or too large values for one batch");
    return true;
}

enum ocop_status columns_encode(const struct changes *in, struct arena *a, Ocop__Sync__Columns *out,
                                struct ocop_error *err)
{
    struct encoder e = {.a = a, .err = err, .status = OCOP_OK};
    ocop__sync__columns__init(out);
    if (!batch_fits(&e, in))
        return e.status;
    out->has_count = 1;
    out->count = (uint32_t)in->count;
    out->kinds = runs_put(&e, in, false, &out->n_kinds);
    out->verbs = runs_put(&e, in, true, &out->n_verbs);
    out->ids = head_put(&e, in, HEAD_ID);
    out->authors = head_put(&e, in, HEAD_AUTHOR);
    out->times = head_put(&e, in, HEAD_TIME);
    out->reasons = head_put(&e, in, HEAD_REASON);
    out->bases = head_put(&e, in, HEAD_BASE);
    out->cases = head_put(&e, in, HEAD_CASE);
    for (size_t i = 0; !failed(&e) && i < in->count; i++)
        if (kind_is_new(in, i))
            kind_put(&e, in, in->v[i].kind, out);
    out->has_prefixes = e.prefix_count > 0;
    out->prefixes = (ProtobufCBinaryData){e.prefix_count * ID_PREFIX_LEN, e.prefixes};
    return e.status;
}
