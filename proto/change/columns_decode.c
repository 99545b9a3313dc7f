/* The columnar codec, decoding half (docs/protocol.md, 4). Reads what a stranger wrote: every count
 * is checked before memory is taken or a loop begins, and what all columns together may cause is
 * limited as well, since an empty or repeated value costs its writer nothing. Each column tells its
 * own form, so that unknown kinds, fields and fields of elements come out like the others. */
#include "decoder.h"
#include "packed.h"

/* --- lists --- */

/* One field of all elements of a list. */
struct sub {
    uint32_t number;
    uint8_t type;
    struct cell *cells; /* one per element; for a repeated field its state alone counts */
    struct cell *values;
    const uint32_t *times; /* NULL unless repeated: how many values each element has */
    size_t next, next_value;
};

static enum ocop_status cells_take(struct decoder *d, size_t n, struct cell **out)
{
    enum ocop_status st = charge(d, n);
    return st == OCOP_OK ? take(d, n, sizeof **out, (void **)out) : st;
}

/* How many elements the rows have, and how many keys are written out. */
static enum ocop_status list_count(struct decoder *d, const Ocop__Sync__Column *c, size_t rows,
                                   size_t *count, size_t *fresh)
{
    size_t used = 0;
    *count = *fresh = 0;
    if (c->n_lens != rows || c->n_columns < 1)
        return bad(d, "number of lists");
    for (size_t row = 0; row < rows; row++) {
        size_t n = c->lens[row];
        if (n > LIST_ITEMS_MAX)
            return too_much(d, "elements of a list");
        if (n == 0)
            continue;
        if (used == c->n_index || c->index[used] > 1)
            return bad(d, "repeated keys");
        *count += n;
        *fresh += c->index[used++] ? 0 : n;
    }
    return used == c->n_index ? OCOP_OK : bad(d, "repeated keys");
}

/* Keys of all elements, repeated ones filled in. */
static enum ocop_status keys_get(struct decoder *d, const Ocop__Sync__Column *c,
                                 const struct rows *all, size_t count, size_t fresh,
                                 struct cell **out)
{
    size_t rows = all->count;

    struct cell *read = NULL, *keys = NULL;
    size_t used = 0, at = 0, before = 0, before_count = 0, next = 0;
    uint8_t type = VALUE_BYTES;
    enum ocop_status st = cells_take(d, fresh, &read);
    if (st == OCOP_OK)
        st = cells_take(d, count, &keys);
    if (st == OCOP_OK && c->columns[0]->n_runs)
        st = bad(d, "keys of elements");
    if (st == OCOP_OK && c->columns[0]->form == COLUMN_ID_NEAR)
        st = values_decode_near(d, c, all, fresh, read);
    else if (st == OCOP_OK)
        st = values_decode(d, c->columns[0], 1, NULL, fresh, read, &type);
    if (st == OCOP_OK && type != VALUE_BYTES)
        st = bad(d, "keys of elements");
    for (size_t row = 0; st == OCOP_OK && row < rows; row++) {
        size_t n = c->lens[row];
        if (n == 0)
            continue;
        bool same = c->index[used++];
        if (same && n != before_count)
            return bad(d, "repeated keys");
        memcpy(keys + at, same ? keys + before : read + next, n * sizeof *keys);
        next += same ? 0 : n;
        before = at;
        before_count = n;
        at += n;
    }
    for (size_t i = 0; st == OCOP_OK && i < count; i++)
        if (keys[i].len == 0 || keys[i].len > KEY_BYTES_MAX)
            return bad(d, "key of an element");
    *out = keys;
    return st;
}

static enum ocop_status repeat_get(struct decoder *d, const Ocop__Sync__Column *c, size_t n,
                                   struct sub *out)
{
    size_t set, total = 0;
    enum ocop_status st = values_decode_presence(d, c, n, &set);
    if (st == OCOP_OK && c->n_lens != set)
        st = bad(d, "repeated fields");
    for (size_t i = 0; st == OCOP_OK && i < set; i++) {
        if (c->lens[i] == 0 || c->lens[i] > RECORD_BYTES_MAX)
            st = bad(d, "repeated fields");
        total += c->lens[i];
    }
    if (st == OCOP_OK)
        st = cells_take(d, total, &out->values);
    if (st == OCOP_OK)
        st = values_decode_inner(d, c, 1, total, out->values, &out->type);
    for (size_t i = 0; st == OCOP_OK && i < n; i++)
        out->cells[i].state = CELL_SET;
    if (st == OCOP_OK)
        values_decode_spread(c, out->cells, n, set);
    out->times = c->lens;
    return st;
}

/* Columns of the elements' fields, by ascending number and type. */
static enum ocop_status subs_get(struct decoder *d, const Ocop__Sync__Column *c, size_t count,
                                 struct sub *subs, size_t *sub_count)
{
    *sub_count = c->n_columns - 1;
    if (*sub_count > SUBS_MAX)
        return bad(d, "too many fields in elements");
    for (size_t s = 0; s < *sub_count; s++) {
        const Ocop__Sync__Column *sub = c->columns[s + 1];
        subs[s] = (struct sub){.number = sub->number};
        if (sub->number < 2 || sub->number > ELEMENT_NUMBER_MAX)
            return bad(d, "number of a field in elements");
        enum ocop_status st = cells_take(d, count, &subs[s].cells);
        if (st == OCOP_OK)
            st = sub->form == COLUMN_REPEAT
                     ? repeat_get(d, sub, count, &subs[s])
                     : values_decode(d, sub, 1, NULL, count, subs[s].cells, &subs[s].type);
        if (st != OCOP_OK)
            return st;
        if (s && (subs[s].number < subs[s - 1].number ||
                  (subs[s].number == subs[s - 1].number && subs[s].type <= subs[s - 1].type)))
            return bad(d, "order of the fields in elements");
    }
    return OCOP_OK;
}

/* Value `nth` of element `i` in `s`, as a packed field. */
static struct field sub_value(struct sub *s, size_t i, size_t nth)
{
    const struct cell *v = s->times ? &s->values[s->next_value + nth] : &s->cells[i];
    struct field f = {.number = s->number, .type = s->type};
    if (s->type == VALUE_INT)
        f.i = v->v.i;
    else
        f.bytes = cell_span(v);
    return f;
}

/* The packed element: its key, then what the columns have for it. */
static enum ocop_status element_build(struct decoder *d, struct span key, struct sub *subs,
                                      size_t count, size_t i, struct span *out)
{
    struct field f = {.number = 1, .type = VALUE_BYTES, .bytes = key};
    size_t size = packed_size(&f);
    uint32_t last = 1;
    uint8_t *bytes, *p;
    for (size_t s = 0; s < count; s++) {
        if (subs[s].cells[i].state != CELL_SET)
            continue;
        if (subs[s].number == last)
            return bad(d, "a field of two types in one element");
        last = subs[s].number;
        for (size_t n = subs[s].times ? subs[s].times[subs[s].next] : 1, k = 0; k < n; k++) {
            struct field v = sub_value(&subs[s], i, k);
            size += packed_size(&v);
        }
    }
    if (size > STATE_BYTES_MAX)
        return too_much(d, "bytes of an element");
    enum ocop_status st = build(d, size, &bytes);
    if (st != OCOP_OK)
        return st;
    p = packed_write(bytes, &f);
    for (size_t s = 0; s < count; s++) {
        if (subs[s].cells[i].state != CELL_SET)
            continue;
        size_t n = subs[s].times ? subs[s].times[subs[s].next++] : 1;
        for (size_t k = 0; k < n; k++) {
            struct field v = sub_value(&subs[s], i, k);
            p = packed_write(p, &v);
        }
        subs[s].next_value += subs[s].times ? n : 0;
    }
    *out = span_of(bytes, size);
    return OCOP_OK;
}

/* --- fields of changes --- */

static enum ocop_status field_add(struct decoder *d, const struct changes *all,
                                  struct change *change, const Ocop__Sync__Column *c, size_t nth,
                                  struct field f)
{
    size_t *bytes = &d->bytes[change - all->v];
    int64_t base = wrap_add((int64_t)change->base, c->n_bases ? c->bases[nth] : 0);
    if (base < 0)
        return bad(d, "base of a field");
    f.number = c->number;
    f.base = (uint64_t)base;
    *bytes += f.bytes.len;
    d->bytes_total += f.bytes.len;
    if (*bytes > verb_bytes_max(change->verb) || d->bytes_total > SET_VALUE_BYTES_MAX)
        return too_much(d, "bytes of values");
    change->fields.v[change->fields.count++] = f;
    return OCOP_OK;
}

static enum ocop_status list_get(struct decoder *d, const struct changes *all,
                                 const Ocop__Sync__Column *c, struct rows *rows)
{
    size_t count, fresh, sub_count, set, at = 0;
    struct cell *keys = NULL, *ops = NULL;
    struct sub subs[SUBS_MAX];
    enum ocop_status st = list_count(d, c, rows->count, &count, &fresh);
    if (st == OCOP_OK)
        st = keys_get(d, c, rows, count, fresh, &keys);
    if (st == OCOP_OK)
        st = cells_take(d, count, &ops);
    if (st == OCOP_OK)
        st = values_decode_presence(d, c, count, &set);
    for (size_t i = 0; st == OCOP_OK && i < set; i++)
        ops[i] = (struct cell){.v.i = 0, .state = CELL_SET};
    if (st == OCOP_OK) {
        values_decode_spread(c, ops, count, set);
        st = subs_get(d, c, count, subs, &sub_count);
    }
    if (st == OCOP_OK && c->n_bases && c->n_bases != count)
        st = bad(d, "bases of elements");
    for (size_t row = 0; st == OCOP_OK && row < rows->count; row++)
        for (uint32_t i = 0; st == OCOP_OK && i < c->lens[row]; i++, at++) {
            struct field f = {
                .op = ops[at].state, .type = VALUE_ELEMENT, .key = cell_span(&keys[at])};
            if (f.op == CELL_ABSENT)
                st = bad(d, "state of an element");
            else if (f.op == FIELD_SET)
                st = element_build(d, f.key, subs, sub_count, at, &f.bytes);
            if (st == OCOP_OK)
                st = field_add(d, all, rows->v[row], c, at, f);
        }
    return st;
}

static enum ocop_status column_get(struct decoder *d, const struct changes *all,
                                   const Ocop__Sync__Column *c, struct rows *rows)
{
    size_t there = 0;
    struct field f = {0};
    if (c->form == COLUMN_LIST)
        return list_get(d, all, c, rows);
    enum ocop_status st = values_decode(d, c, 0, rows->v, rows->count, d->scratch, &f.type);
    for (size_t row = 0; st == OCOP_OK && row < rows->count; row++)
        there += d->scratch[row].state != CELL_ABSENT;
    if (st == OCOP_OK && c->n_bases && c->n_bases != there)
        st = bad(d, "bases of fields");
    there = 0;
    for (size_t row = 0; st == OCOP_OK && row < rows->count; row++) {
        const struct cell *v = &d->scratch[row];
        if (v->state == CELL_ABSENT)
            continue;
        f.op = v->state;
        f.i = f.type == VALUE_INT ? v->v.i : 0;
        f.bytes = f.type == VALUE_BYTES && v->state == CELL_SET ? cell_span(v) : span_of(NULL, 0);
        st = field_add(d, all, rows->v[row], c, there++, f);
    }
    return st;
}

/* How many fields each change gets from this column: room is taken once and exactly. */
static enum ocop_status column_count(struct decoder *d, const Ocop__Sync__Column *c,
                                     struct rows *rows, size_t *total)
{
    size_t set, row = 0;
    if (c->number <= FIELD_ID || c->number > FIELD_NUMBER_MAX)
        return bad(d, "number of a field");
    enum ocop_status st = charge(d, rows->count);
    if (st == OCOP_OK && c->form == COLUMN_LIST && c->n_lens != rows->count)
        st = bad(d, "number of lists");
    if (st == OCOP_OK && c->form != COLUMN_LIST)
        st = values_decode_presence(d, c, rows->count, &set);
    if (st != OCOP_OK)
        return st;
    for (size_t r = 0; c->form != COLUMN_LIST && r < c->n_runs; r++)
        for (size_t i = c->runs[r] >> 2; i > 0; i--)
            rows->v[row++]->fields.count += (c->runs[r] & 3) != CELL_ABSENT;
    for (; row < rows->count; row++)
        rows->v[row]->fields.count += c->form == COLUMN_LIST ? c->lens[row] : 1;
    for (row = 0; row < rows->count; row++)
        if (rows->v[row]->fields.count > FIELDS_MAX)
            return too_much(d, "fields of a change");
    if (c->form == COLUMN_LIST)
        for (row = 0; row < rows->count; row++)
            *total += c->lens[row];
    else
        *total += rows->count;
    return *total > SET_CELLS_MAX ? too_much(d, "fields") : OCOP_OK;
}

static enum ocop_status rows_of(struct decoder *d, struct changes *all, uint32_t kind,
                                struct rows *out)
{
    enum ocop_status st = charge(d, all->count);
    out->count = 0;
    for (size_t i = 0; st == OCOP_OK && i < all->count; i++)
        if (all->v[i].kind == kind)
            out->v[out->count++] = &all->v[i];
    return st == OCOP_OK && out->count == 0 ? bad(d, "a column of a kind without changes") : st;
}

static enum ocop_status each_column(struct decoder *d, const Ocop__Sync__Columns *in,
                                    struct changes *out, bool count_only)
{
    struct rows rows;
    size_t total = 0;
    enum ocop_status st = take(d, out->count, sizeof *rows.v, (void **)&rows.v);
    for (size_t i = 0; st == OCOP_OK && i < in->n_columns; i++) {
        const Ocop__Sync__Column *c = in->columns[i];
        if (i == 0 || c->kind != in->columns[i - 1]->kind)
            st = rows_of(d, out, c->kind, &rows);
        if (st == OCOP_OK)
            st = count_only ? column_count(d, c, &rows, &total) : column_get(d, out, c, &rows);
    }
    return st;
}

/* First all fields are counted, then filled in. */
static enum ocop_status fields_get(struct decoder *d, const Ocop__Sync__Columns *in,
                                   struct changes *out)
{
    struct field *all = NULL;
    size_t total = 0;
    enum ocop_status st = each_column(d, in, out, true);
    for (size_t i = 0; st == OCOP_OK && i < out->count; i++)
        total += out->v[i].fields.count;
    if (st == OCOP_OK && total > SET_FIELDS_MAX)
        st = too_much(d, "fields");
    if (st == OCOP_OK)
        st = take(d, total, sizeof *all, (void **)&all);
    for (size_t i = 0; st == OCOP_OK && i < out->count; i++) {
        out->v[i].fields.v = all;
        all += out->v[i].fields.count;
        out->v[i].fields.count = 0;
    }
    if (st == OCOP_OK)
        st = each_column(d, in, out, false);
    for (size_t i = 0; st == OCOP_OK && i < out->count; i++) {
        const struct fields *f = &out->v[i].fields;
        for (size_t n = 1, items = 1; n < f->count; n++) {
            if (field_cmp(&f->v[n - 1], &f->v[n]) >= 0)
                return bad(d, "fields out of order, or one twice");
            items = f->v[n].number == f->v[n - 1].number ? items + 1 : 1;
            if (items > LIST_ITEMS_MAX)
                return too_much(d, "elements of a list");
        }
    }
    return st;
}

/* --- heads of changes --- */

static enum ocop_status runs_get(struct decoder *d, const uint32_t *runs, size_t n, bool verbs,
                                 struct changes *out)
{
    size_t at = 0;
    for (size_t i = 0; i + 1 < n; i += 2) {
        if (runs[i] == 0 || runs[i + 1] == 0 || runs[i + 1] > out->count - at ||
            (verbs && runs[i] > UINT8_MAX))
            return bad(d, "kinds or verbs");
        for (uint32_t k = 0; k < runs[i + 1]; k++, at++)
            if (verbs)
                out->v[at].verb = (uint8_t)runs[i];
            else
                out->v[at].kind = runs[i];
    }
    return n % 2 == 0 && at == out->count ? OCOP_OK : bad(d, "kinds or verbs");
}

static bool head_set(struct change *c, enum column_head which, const struct cell *cell)
{
    switch (which) {
    case HEAD_ID:
        return id_from(cell_span(cell), &c->record);
    case HEAD_AUTHOR:
        return id_from(cell_span(cell), &c->author);
    case HEAD_TIME:
        c->device_time_ms = cell->v.i;
        return true;
    case HEAD_REASON:
        c->reason = cell_span(cell);
        return cell->len <= REASON_BYTES_MAX;
    case HEAD_BASE:
        c->base = (uint64_t)cell->v.i;
        return cell->v.i >= 0;
    case HEAD_CASE:
        c->case_id = cell_span(cell);
        return cell->len == ID_LEN;
    default:
        return false;
    }
}

static enum ocop_status head_get(struct decoder *d, const Ocop__Sync__Column *c,
                                 enum column_head which, struct changes *out)
{
    uint8_t type;
    if (!c)
        return which == HEAD_ID && out->count ? bad(d, "no ids") : OCOP_OK;
    enum ocop_status st = values_decode(d, c, 0, NULL, out->count, d->scratch, &type);
    bool is_int = which == HEAD_TIME || which == HEAD_BASE;
    if (st == OCOP_OK && is_int != (type == VALUE_INT))
        st = bad(d, "type of a head");
    for (size_t i = 0; st == OCOP_OK && i < out->count; i++) {
        const struct cell *v = &d->scratch[i];
        if (v->state == CELL_SET ? !head_set(&out->v[i], which, v)
                                 : v->state == CELL_CLEAR || which == HEAD_ID)
            st = bad(d, "head of a change");
        d->bytes_total += st == OCOP_OK && which == HEAD_REASON ? out->v[i].reason.len : 0;
    }
    return st;
}

static enum ocop_status decoder_init(struct decoder *d, const Ocop__Sync__Columns *in,
                                     struct arena *a, struct ocop_error *err)
{
    *d = (struct decoder){
        .a = a, .err = err, .prefixes = span_of(in->prefixes.data, in->prefixes.len)};
    d->prefix_count = d->prefixes.len / ID_PREFIX_LEN;
    if (d->prefixes.len % ID_PREFIX_LEN)
        return bad(d, "prefixes of ids");
    if (in->count > SET_CHANGES_MAX)
        return err_set(err, OCOP_ELIMIT, "%u changes are too many, at most %d are allowed",
                       in->count, SET_CHANGES_MAX);
    d->last = arena_calloc(a, d->prefix_count, sizeof *d->last);
    d->bytes = arena_calloc(a, in->count, sizeof *d->bytes);
    d->scratch = arena_alloc(a, in->count * sizeof *d->scratch);
    return d->last && d->bytes && d->scratch ? OCOP_OK : err_nomem(err);
}

enum ocop_status columns_decode(const Ocop__Sync__Columns *in, struct arena *a, struct changes *out,
                                struct ocop_error *err)
{
    struct decoder d;
    struct changes all = {NULL, in->count};
    const Ocop__Sync__Column *heads[HEADS] = {in->ids,     in->authors, in->times,
                                              in->reasons, in->bases,   in->cases};
    *out = (struct changes){0};
    enum ocop_status st = decoder_init(&d, in, a, err);
    if (st != OCOP_OK)
        return st;
    all.v = arena_calloc(a, all.count, sizeof *all.v);
    if (!all.v)
        return err_nomem(err);
    st = runs_get(&d, in->kinds, in->n_kinds, false, &all);
    if (st == OCOP_OK)
        st = runs_get(&d, in->verbs, in->n_verbs, true, &all);
    for (int h = HEAD_ID; st == OCOP_OK && h < HEADS; h++)
        st = head_get(&d, heads[h], (enum column_head)h, &all);
    if (st == OCOP_OK)
        st = fields_get(&d, in, &all);
    if (st == OCOP_OK)
        *out = all;
    return st;
}

/* --- before protobuf-c sees it --- */

enum { COLUMNS_FIRST = 5, COLUMNS_LAST = 11, COLUMN_COLUMNS = 8 };

/* Are all messages under `first` to `last` of `s`, and those in them, at most `depth` deep? */
static bool shallow(struct span s, uint32_t first, uint32_t last, unsigned depth)
{
    struct field f;
    size_t at = 0;
    int more;
    while ((more = message_next(s, &at, &f)) > 0) {
        if (f.type != VALUE_BYTES || f.number < first || f.number > last)
            continue;
        if (depth == 0 || !shallow(f.bytes, COLUMN_COLUMNS, COLUMN_COLUMNS, depth - 1))
            return false;
    }
    return more == 0;
}

bool columns_shallow(struct span packed, const uint32_t *path, size_t path_len)
{
    struct field f;
    size_t at = 0;
    int more;
    if (path_len == 0)
        return shallow(packed, COLUMNS_FIRST, COLUMNS_LAST, NESTING_MAX + 1);
    while ((more = message_next(packed, &at, &f)) > 0)
        if (f.number == path[0] && f.type == VALUE_BYTES &&
            !columns_shallow(f.bytes, path + 1, path_len - 1))
            return false;
    return more == 0;
}
