/* The columnar codec, decoding: values of one column from its form. Every count and length is
 * checked before memory is taken. Knows no kinds. */
#include "decoder.h"

/* --- presence --- */

/* How many of `n` cells have a value. */
enum ocop_status values_decode_presence(struct decoder *d, const Ocop__Sync__Column *c, size_t n,
                                        size_t *set)
{
    size_t at = 0;
    *set = c->n_runs ? 0 : n;
    for (size_t r = 0; r < c->n_runs; r++) {
        size_t len = c->runs[r] >> 2;
        uint8_t state = c->runs[r] & 3;
        if (len == 0 || len > n - at || state > CELL_CLEAR)
            return bad(d, "presence");
        at += len;
        *set += state == CELL_SET ? len : 0;
    }
    return c->n_runs == 0 || at == n ? OCOP_OK : bad(d, "presence");
}

/* Move the `set` values that stand first to their places among `n`: from the end, in place. */
void values_decode_spread(const Ocop__Sync__Column *c, struct cell *cells, size_t n, size_t set)
{
    for (size_t r = c->n_runs, to = n; r > 0; r--) {
        size_t len = c->runs[r - 1] >> 2;
        uint8_t state = c->runs[r - 1] & 3;
        to -= len;
        if (state == CELL_SET) {
            set -= len;
            memmove(cells + to, cells + set, len * sizeof *cells);
        } else {
            for (size_t i = 0; i < len; i++)
                cells[to + i] = (struct cell){.v.i = 0, .state = state};
        }
    }
}

/* --- integers and ids --- */

/* `n` integers from their planes, into cells. */
static enum ocop_status planes_get(struct decoder *d, const Ocop__Sync__Column *c, size_t n,
                                   struct cell *cells)
{
    size_t width = n ? c->data.len / n : 0;
    if (c->data.len != width * n || width > sizeof(uint64_t))
        return bad(d, "planes of integers");
    for (size_t i = 0; i < n; i++)
        cells[i] = (struct cell){.v.i = width ? c->data.data[i] : 0, .state = CELL_SET};
    for (size_t plane = 1; plane < width; plane++) {
        const uint8_t *p = c->data.data + plane * n;
        for (size_t i = 0; i < n; i++)
            cells[i].v.i = (int64_t)((uint64_t)cells[i].v.i | (uint64_t)p[i] << 8 * plane);
    }
    return OCOP_OK;
}

static enum ocop_status ints_get(struct decoder *d, const Ocop__Sync__Column *c, size_t n,
                                 struct cell *cells)
{
    bool step = c->form == COLUMN_STEP;
    enum ocop_status st;
    if (n == 0)
        return c->n_ints || c->data.len ? bad(d, "integers") : OCOP_OK;
    if (c->n_ints != (step ? 2 : 1))
        return bad(d, "integers");
    if (!step) {
        st = planes_get(d, c, n, cells);
        for (size_t i = 0; st == OCOP_OK && i < n; i++)
            cells[i].v.i = wrap_add(cells[i].v.i, c->ints[0]);
        return st;
    }
    cells[0] = (struct cell){.v.i = c->ints[0], .state = CELL_SET};
    st = planes_get(d, c, n - 1, cells + 1);
    for (size_t i = 1; st == OCOP_OK && i < n; i++)
        cells[i].v.i = wrap_add(cells[i - 1].v.i, wrap_add(cells[i].v.i, c->ints[1]));
    return st;
}

static void id_put(uint8_t *id, const uint8_t *prefix, uint32_t counter)
{
    memcpy(id, prefix, ID_PREFIX_LEN);
    for (unsigned b = 0; b < ID_LEN - ID_PREFIX_LEN; b++)
        id[ID_PREFIX_LEN + b] = (uint8_t)(counter >> (24 - 8 * b));
}

static enum ocop_status ids_get(struct decoder *d, const Ocop__Sync__Column *c, size_t n,
                                struct cell *cells)
{
    bool one = c->n_index == 1, step = c->form == COLUMN_ID_STEP;
    uint8_t *ids;
    if (n == 0 || (!one && c->n_index != n) || c->n_ints != 1)
        return bad(d, "number of ids");
    enum ocop_status st = planes_get(d, c, n, cells);
    if (st == OCOP_OK)
        st = build(d, n * ID_LEN, &ids);
    d->stamp++;
    for (size_t i = 0; st == OCOP_OK && i < n; i++, ids += ID_LEN) {
        size_t prefix = c->index[one ? 0 : i];
        if (prefix >= d->prefix_count)
            return bad(d, "prefix of an id");
        struct last_id *last = &d->last[prefix];
        int64_t counter = wrap_add(cells[i].v.i, c->ints[0]);
        if (step && last->stamp == d->stamp)
            counter = wrap_add(counter, last->counter);
        if (counter < 0 || counter > UINT32_MAX)
            return bad(d, "counter of an id");
        *last = (struct last_id){(uint32_t)counter, d->stamp};
        id_put(ids, d->prefixes.p + prefix * ID_PREFIX_LEN, (uint32_t)counter);
        cells[i] = (struct cell){.v.p = ids, .len = ID_LEN, .state = CELL_SET};
    }
    return st;
}

/* --- text --- */

static enum ocop_status texts_get(struct decoder *d, const Ocop__Sync__Column *c, size_t n,
                                  struct cell *cells)
{
    bool front = c->form == COLUMN_FRONT;
    const uint8_t *p = c->data.data;
    size_t left = c->data.len;
    if (c->n_lens != n || c->n_index != (front ? n : 0))
        return bad(d, "number of texts");
    for (size_t i = 0; i < n; i++) {
        size_t shared = front ? c->index[i] : 0, len = c->lens[i];
        if (len > left || len > STATE_BYTES_MAX)
            return bad(d, "length of a text");
        cells[i] = (struct cell){.v.p = p, .len = (uint32_t)len, .state = CELL_SET};
        if (shared) {
            uint8_t *whole;
            if (i == 0 || shared > cells[i - 1].len || shared + len > STATE_BYTES_MAX)
                return bad(d, "shared beginning of a text");
            enum ocop_status st = build(d, shared + len, &whole);
            if (st != OCOP_OK)
                return st;
            memcpy(whole, cells[i - 1].v.p, shared);
            if (len)
                memcpy(whole + shared, p, len);
            cells[i].v.p = whole;
            cells[i].len = (uint32_t)(shared + len);
        }
        p = len ? p + len : p;
        left -= len;
    }
    return left == 0 ? OCOP_OK : bad(d, "bytes that belong to no text");
}

static enum ocop_status values_get(struct decoder *d, const Ocop__Sync__Column *c, unsigned depth,
                                   size_t n, struct cell *cells, uint8_t *type);

/* Values of a column inside a column: all there. */
enum ocop_status values_decode_inner(struct decoder *d, const Ocop__Sync__Column *c, unsigned depth,
                                     size_t n, struct cell *cells, uint8_t *type)
{
    if (c->n_columns != 1 || c->columns[0]->n_runs)
        return bad(d, "a column inside a column");
    return values_get(d, c->columns[0], depth + 1, n, cells, type);
}

static enum ocop_status digits_get(struct decoder *d, const Ocop__Sync__Column *c, unsigned depth,
                                   size_t n, struct cell *cells)
{
    size_t len = c->data.len, digits = 0;
    uint8_t type = VALUE_INT, *p = NULL;
    for (size_t b = 0; b < len && len <= STATE_BYTES_MAX; b++)
        digits += c->data.data[b] == '0';
    if (digits == 0 || digits > DIGITS_MAX)
        return bad(d, "digits");
    enum ocop_status st = values_decode_inner(d, c, depth, n, cells, &type);
    if (st == OCOP_OK && type != VALUE_INT)
        st = bad(d, "digits");
    if (st == OCOP_OK)
        st = build(d, n * len, &p);
    for (size_t i = 0; st == OCOP_OK && i < n; i++, p += len) {
        int64_t v = cells[i].v.i;
        for (size_t b = len; b > 0; b--) {
            p[b - 1] = c->data.data[b - 1];
            if (p[b - 1] != '0')
                continue;
            p[b - 1] = (uint8_t)('0' + (v < 0 ? 0 : v % 10));
            v = v < 0 ? v : v / 10;
        }
        if (v != 0)
            return bad(d, "digits");
        cells[i] = (struct cell){.v.p = p, .len = (uint32_t)len, .state = CELL_SET};
    }
    return st;
}

static enum ocop_status dict_get(struct decoder *d, const Ocop__Sync__Column *c, unsigned depth,
                                 size_t n, struct cell *cells)
{
    struct cell *entries;
    uint8_t type = VALUE_BYTES;
    size_t count = c->n_lens == 1 ? c->lens[0] : 0;
    bool one = count == 1 && c->n_index == 0;
    if (count == 0 || count > n || (!one && c->n_index != n))
        return bad(d, "dictionary");
    enum ocop_status st = charge(d, count);
    if (st == OCOP_OK)
        st = take(d, count, sizeof *entries, (void **)&entries);
    if (st == OCOP_OK)
        st = values_decode_inner(d, c, depth, count, entries, &type);
    if (st == OCOP_OK && type != VALUE_BYTES)
        st = bad(d, "dictionary");
    for (size_t i = 0; st == OCOP_OK && i < n; i++) {
        if (!one && c->index[i] >= count)
            return bad(d, "index into a dictionary");
        cells[i] = entries[one ? 0 : c->index[i]];
    }
    return st;
}

/* The `n` values that are there, by the column's form. */
static enum ocop_status values_get(struct decoder *d, const Ocop__Sync__Column *c, unsigned depth,
                                   size_t n, struct cell *cells, uint8_t *type)
{
    if (depth > NESTING_MAX)
        return bad(d, "columns are nested too deep");
    *type = VALUE_BYTES;
    switch (c->form) {
    case COLUMN_OFFSET:
    case COLUMN_STEP:
    case COLUMN_SINCE:
        *type = VALUE_INT;
        return ints_get(d, c, n, cells);
    case COLUMN_PLAIN:
    case COLUMN_FRONT:
        return texts_get(d, c, n, cells);
    case COLUMN_DIGITS:
        return digits_get(d, c, depth, n, cells);
    case COLUMN_DICT:
        return dict_get(d, c, depth, n, cells);
    case COLUMN_ID:
    case COLUMN_ID_STEP:
        return ids_get(d, c, n, cells);
    default:
        return bad(d, "a form that is not known here");
    }
}

/* One column of single values. `changes` (may be NULL) have the times for COLUMN_SINCE. */
enum ocop_status values_decode(struct decoder *d, const Ocop__Sync__Column *c, unsigned depth,
                               struct change *const *changes, size_t n, struct cell *cells,
                               uint8_t *type)
{
    size_t set;
    enum ocop_status st = values_decode_presence(d, c, n, &set);
    if (st == OCOP_OK)
        st = values_get(d, c, depth, set, cells, type);
    if (st != OCOP_OK)
        return st;
    values_decode_spread(c, cells, n, set);
    if (c->form != COLUMN_SINCE)
        return OCOP_OK;
    if (!changes)
        return bad(d, "times of changes that are not there");
    for (size_t i = 0; i < n; i++)
        if (cells[i].state == CELL_SET)
            cells[i].v.i = wrap_add(cells[i].v.i, changes[i]->device_time_ms);
    return OCOP_OK;
}

/* Keys that were made with their record: `list` tells how many the rows have of their own. */
enum ocop_status values_decode_near(struct decoder *d, const Ocop__Sync__Column *list,
                                    const struct rows *rows, size_t n, struct cell *keys)
{
    const Ocop__Sync__Column *c = list->columns[0];
    size_t used = 0, at = 0;
    uint8_t *ids;
    if (n == 0 || c->n_ints != 1)
        return bad(d, "number of ids");
    enum ocop_status st = planes_get(d, c, n, keys);
    if (st == OCOP_OK)
        st = build(d, n * ID_LEN, &ids);
    for (size_t row = 0; st == OCOP_OK && row < rows->count; row++) {
        const uint8_t *record = rows->v[row]->record.b;
        bool own = list->lens[row] > 0 && list->index[used++] == 0;
        for (uint32_t i = 0; own && i < list->lens[row]; i++, at++, ids += ID_LEN) {
            int64_t counter = wrap_add(wrap_add(keys[at].v.i, c->ints[0]), id_counter(record));
            if (counter < 0 || counter > UINT32_MAX)
                return bad(d, "counter of an id");
            id_put(ids, record, (uint32_t)counter);
            keys[at] = (struct cell){.v.p = ids, .len = ID_LEN, .state = CELL_SET};
        }
    }
    return st;
}
