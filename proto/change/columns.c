/* The columnar codec, encoding half (docs/protocol.md, 4). A batch of changes becomes one column
 * per kind, field and type of value, each in the form that looks smallest after deflate. What
 * columns_decode would not take or not give back as it was is refused here. Knows no kinds and no
 * database: the form follows from the values alone. */
#include "column.h"

#include <stdlib.h>

#include "packed.h"
#include "text.h"

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

struct encoder {
    struct arena *a;
    struct ocop_error *err;
    enum ocop_status status; /* of the first failure */
    uint8_t *prefixes;
    size_t prefix_count, prefix_room, prefix_last;
    uint32_t *slots; /* hash table of prefixes: index + 1 */
    size_t slot_count;
    uint32_t *last_counter; /* per prefix, within one column ... */
    uint32_t *last_stamp;   /* ... if it bears this column's stamp */
    uint32_t stamp;
    size_t cells;
};

/* A failure is kept, not returned: every step after it does nothing. */
static bool fail(struct encoder *e, enum ocop_status status, const char *what)
{
    if (e->status == OCOP_OK)
        e->status = status == OCOP_ENOMEM ? err_nomem(e->err) : err_set(e->err, status, "%s", what);
    return false;
}

static bool failed(const struct encoder *e)
{
    return e->status != OCOP_OK;
}

/* Not cleared. */
static void *take(struct encoder *e, size_t count, size_t size)
{
    void *p = failed(e) || count > SIZE_MAX / size ? NULL : arena_alloc(e->a, count * size);
    if (!p)
        fail(e, OCOP_ENOMEM, NULL);
    return p;
}

static void *take_clear(struct encoder *e, size_t count, size_t size)
{
    void *p = take(e, count, size);
    if (p)
        memset(p, 0, count * size);
    return p;
}

/* Cells of a new column, all absent. */
static struct cell *cells_new(struct encoder *e, size_t count)
{
    e->cells += count;
    if (e->cells > SET_CELLS_MAX)
        fail(e, OCOP_ELIMIT, "the changes have too many different fields for one batch");
    return take_clear(e, count, sizeof(struct cell));
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

static struct span cell_span(const struct cell *c)
{
    return span_of(c->v.p, c->len);
}

static struct cell cell_bytes(uint8_t state, struct span s)
{
    return (struct cell){.v.p = s.p, .len = (uint32_t)s.len, .state = state};
}

static struct cell cell_int(uint8_t state, int64_t i)
{
    return (struct cell){.v.i = i, .state = state};
}

/* --- what a form will cost, in bits after deflate: estimated with integers only, so that every
 * machine chooses alike --- */

enum { TEXT_BITS = 5, FRACTION = 4 };

/* log2, with four bits behind the point. */
static size_t log2_of(size_t v)
{
    size_t whole = 0;
    while (v >> (whole + 1))
        whole++;
    size_t fraction =
        whole >= FRACTION ? v >> (whole - FRACTION) & 15 : v << (FRACTION - whole) & 15;
    return whole << FRACTION | fraction;
}

static unsigned width_of(uint64_t most)
{
    unsigned width = 0;
    for (; most; most >>= 8)
        width++;
    return width;
}

static size_t planes_cost(const uint64_t *v, size_t n)
{
    uint64_t most = 0;
    size_t cost = 0;
    for (size_t i = 0; i < n; i++)
        most |= v[i];
    for (unsigned plane = 0; plane < width_of(most); plane++) {
        size_t seen[256] = {0}, changes = 0, bits = 0;
        for (size_t i = 0; i < n; i++) {
            uint8_t byte = (uint8_t)(v[i] >> 8 * plane);
            seen[byte]++;
            changes += i > 0 && byte != (uint8_t)(v[i - 1] >> 8 * plane);
        }
        for (size_t b = 0; b < 256; b++)
            if (seen[b])
                bits += seen[b] * (log2_of(n) - log2_of(seen[b]));
        bits >>= FRACTION;
        cost += 16 + (changes * 16 < bits ? changes * 16 : bits); /* runs cost little */
    }
    return cost;
}

/* --- integers --- */

static void planes_put(struct encoder *e, const uint64_t *v, size_t n, Ocop__Sync__Column *c)
{
    uint64_t most = 0;
    for (size_t i = 0; i < n; i++)
        most |= v[i];
    unsigned width = width_of(most);
    uint8_t *p = take(e, width * n, 1);
    if (!p || width == 0)
        return;
    c->has_data = 1;
    c->data = (ProtobufCBinaryData){width * n, p};
    for (unsigned plane = 0; plane < width; plane++)
        for (size_t i = 0; i < n; i++)
            *p++ = (uint8_t)(v[i] >> 8 * plane);
}

/* Distances of the values, less `since` where it is given, from the least one. */
static int64_t offsets_of(const struct cell *v, const int64_t *since, size_t n, uint64_t *out)
{
    int64_t least = INT64_MAX;
    for (size_t i = 0; i < n; i++) {
        int64_t x = since ? wrap_sub(v[i].v.i, since[i]) : v[i].v.i;
        least = x < least ? x : least;
    }
    for (size_t i = 0; i < n; i++)
        out[i] = (uint64_t)wrap_sub(since ? wrap_sub(v[i].v.i, since[i]) : v[i].v.i, least);
    return least;
}

/* The same of the steps between neighbours; n - 1 of them. */
static int64_t steps_of(const struct cell *v, size_t n, uint64_t *out)
{
    int64_t least = INT64_MAX;
    for (size_t i = 1; i < n; i++) {
        int64_t step = wrap_sub(v[i].v.i, v[i - 1].v.i);
        least = step < least ? step : least;
    }
    for (size_t i = 1; i < n; i++)
        out[i - 1] = (uint64_t)wrap_sub(wrap_sub(v[i].v.i, v[i - 1].v.i), least);
    return least;
}

/* Fill `c` (unless NULL) with `n` integers; what they cost. `since`: the times of their changes. */
static size_t ints_put(struct encoder *e, const struct cell *v, const int64_t *since, size_t n,
                       Ocop__Sync__Column *c)
{
    uint64_t *offsets = take(e, n, sizeof *offsets), *steps = take(e, n, sizeof *steps);
    uint64_t *times = take(e, n, sizeof *times);
    if (failed(e))
        return 0;
    int64_t ints[2] = {offsets_of(v, NULL, n, offsets), 0};
    enum column_form form = COLUMN_OFFSET;
    size_t count = n ? 1 : 0, best = planes_cost(offsets, n);
    if (n > 2) {
        int64_t least = steps_of(v, n, steps);
        size_t cost = planes_cost(steps, n - 1) + 16;
        if (cost < best) {
            best = cost;
            form = COLUMN_STEP;
            ints[0] = v[0].v.i;
            ints[1] = least;
            count = 2;
        }
    }
    if (since) {
        int64_t least = offsets_of(v, since, n, times);
        size_t cost = planes_cost(times, n);
        if (cost < best) {
            best = cost;
            form = COLUMN_SINCE;
            ints[0] = least;
            count = 1;
        }
    }
    if (!c)
        return best;
    c->form = form;
    c->n_ints = count;
    c->ints = take(e, count, sizeof *c->ints);
    if (c->ints)
        memcpy(c->ints, ints, count * sizeof *ints);
    if (form == COLUMN_STEP)
        planes_put(e, steps, n - 1, c);
    else
        planes_put(e, form == COLUMN_SINCE ? times : offsets, n, c);
    return best;
}

/* --- ids --- */

static size_t hash_of(struct span s)
{
    uint64_t h = 0x9e3779b97f4a7c15u + s.len, word;
    size_t at = 0;
    for (; at + sizeof word <= s.len; at += sizeof word) {
        memcpy(&word, s.p + at, sizeof word);
        h = (h ^ word) * 0xff51afd7ed558ccdu;
        h ^= h >> 32;
    }
    for (word = 0; at < s.len; at++)
        word = word << 8 | s.p[at];
    h = (h ^ word) * 0xff51afd7ed558ccdu;
    return (size_t)(h ^ h >> 29);
}

/* Where the prefix stands in the hash table, or where it would. */
static size_t prefix_slot(const struct encoder *e, const uint8_t *prefix)
{
    size_t at = hash_of(span_of(prefix, ID_PREFIX_LEN)) & (e->slot_count - 1);
    while (e->slots[at] &&
           memcmp(e->prefixes + (e->slots[at] - 1) * ID_PREFIX_LEN, prefix, ID_PREFIX_LEN) != 0)
        at = (at + 1) & (e->slot_count - 1);
    return at;
}

static bool prefixes_grow(struct encoder *e)
{
    size_t room = e->prefix_room ? e->prefix_room * 2 : 32;
    uint8_t *prefixes = take(e, room, ID_PREFIX_LEN);
    uint32_t *counters = take(e, room, sizeof *counters);
    uint32_t *stamps = take_clear(e, room, sizeof *stamps);
    uint32_t *slots = take_clear(e, room * 2, sizeof *slots);
    if (failed(e))
        return false;
    if (e->prefix_count) {
        memcpy(prefixes, e->prefixes, e->prefix_count * ID_PREFIX_LEN);
        memcpy(counters, e->last_counter, e->prefix_count * sizeof *counters);
        memcpy(stamps, e->last_stamp, e->prefix_count * sizeof *stamps);
    }
    e->prefixes = prefixes;
    e->last_counter = counters;
    e->last_stamp = stamps;
    e->prefix_room = room;
    e->slots = slots;
    e->slot_count = room * 2;
    for (size_t i = 0; i < e->prefix_count; i++)
        slots[prefix_slot(e, prefixes + i * ID_PREFIX_LEN)] = (uint32_t)i + 1;
    return true;
}

static size_t prefix_index(struct encoder *e, const uint8_t *id)
{
    if (e->prefix_count &&
        memcmp(e->prefixes + e->prefix_last * ID_PREFIX_LEN, id, ID_PREFIX_LEN) == 0)
        return e->prefix_last;
    if (e->prefix_count == e->prefix_room && !prefixes_grow(e))
        return 0;
    size_t slot = prefix_slot(e, id);
    if (!e->slots[slot]) {
        memcpy(e->prefixes + e->prefix_count * ID_PREFIX_LEN, id, ID_PREFIX_LEN);
        e->slots[slot] = (uint32_t)++e->prefix_count;
    }
    return e->prefix_last = e->slots[slot] - 1;
}

/* Prefixes and counters of ids; a step is counted from the last id with the same prefix. */
static size_t ids_put(struct encoder *e, const struct cell *v, size_t n, Ocop__Sync__Column *c)
{
    uint32_t *index = take(e, n, sizeof *index);
    uint64_t *prefixes = take(e, n, sizeof *prefixes), *planes = take(e, n, sizeof *planes);
    struct cell *counters = take(e, n, sizeof *counters), *steps = take(e, n, sizeof *steps);
    bool one = true;
    e->stamp++;
    for (size_t i = 0; !failed(e) && i < n; i++) {
        size_t prefix = prefix_index(e, v[i].v.p);
        if (failed(e))
            return 0;
        uint32_t counter = id_counter(v[i].v.p);
        bool again = e->last_stamp[prefix] == e->stamp;
        counters[i] = cell_int(CELL_SET, counter);
        steps[i] =
            cell_int(CELL_SET, (int64_t)counter - (again ? (int64_t)e->last_counter[prefix] : 0));
        e->last_stamp[prefix] = e->stamp;
        e->last_counter[prefix] = counter;
        index[i] = (uint32_t)prefix;
        prefixes[i] = prefix;
        one = one && prefix == index[0];
    }
    if (failed(e))
        return 0;
    int64_t least = offsets_of(steps, NULL, n, planes);
    size_t step_cost = planes_cost(planes, n);
    int64_t least_counter = offsets_of(counters, NULL, n, planes);
    size_t cost = planes_cost(planes, n), prefix_cost = one ? 0 : planes_cost(prefixes, n);
    bool by_step = step_cost < cost;
    if (!c)
        return (by_step ? step_cost : cost) + prefix_cost;
    if (by_step)
        least = offsets_of(steps, NULL, n, planes);
    c->form = by_step ? COLUMN_ID_STEP : COLUMN_ID;
    c->index = index;
    c->n_index = one ? 1 : n;
    c->ints = take(e, 1, sizeof *c->ints);
    c->n_ints = 1;
    if (c->ints)
        c->ints[0] = by_step ? least : least_counter;
    planes_put(e, planes, n, c);
    return cost;
}

/* 16 bytes that are no text; any form gives back any bytes, so that this is only a guess. */
static bool look_like_ids(const struct cell *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (v[i].len != ID_LEN)
            return false;
    return n > 0 && !(text_is_utf8(cell_span(&v[0])) && text_is_printable(cell_span(&v[0])));
}

/* --- text and other bytes --- */

/* Which value stands for each: index[i] is its place in the dictionary, whose entries go to
 * `entries`. Returns how many there are. */
static size_t dictionary(struct encoder *e, const struct cell *v, size_t n, uint32_t *index,
                         struct cell *entries)
{
    size_t slots = 16, count = 0;
    while (slots < n * 2)
        slots *= 2;
    uint32_t *table = take_clear(e, slots, sizeof *table); /* entry + 1 */
    for (size_t i = 0; table && i < n; i++) {
        if (i > 0 && span_eq(cell_span(&v[i - 1]), cell_span(&v[i]))) {
            index[i] = index[i - 1];
            continue;
        }
        size_t at = hash_of(cell_span(&v[i])) & (slots - 1);
        while (table[at] && !span_eq(cell_span(&entries[table[at] - 1]), cell_span(&v[i])))
            at = (at + 1) & (slots - 1);
        if (!table[at]) {
            entries[count] = v[i];
            table[at] = (uint32_t)++count;
        }
        index[i] = table[at] - 1;
    }
    return count;
}

static size_t shared_with(struct span a, struct span b)
{
    size_t n = 0;
    while (n < a.len && n < b.len && a.p[n] == b.p[n])
        n++;
    return n;
}

/* Lengths and bytes of values, each without its first skip[i] bytes (NULL: whole). */
static void texts_put(struct encoder *e, const struct cell *v, size_t n, uint32_t *skip,
                      Ocop__Sync__Column *c)
{
    size_t total = 0;
    for (size_t i = 0; i < n; i++)
        total += v[i].len - (skip ? skip[i] : 0);
    uint8_t *p = take(e, total, 1);
    c->form = skip ? COLUMN_FRONT : COLUMN_PLAIN;
    c->lens = take(e, n, sizeof *c->lens);
    if (failed(e))
        return;
    c->n_lens = n;
    c->has_data = total > 0;
    c->data = (ProtobufCBinaryData){total, p};
    c->index = skip;
    c->n_index = skip ? n : 0;
    for (size_t i = 0; i < n; i++) {
        size_t from = skip ? skip[i] : 0;
        c->lens[i] = v[i].len - (uint32_t)from;
        if (c->lens[i])
            memcpy(p, v[i].v.p + from, c->lens[i]);
        p += c->lens[i];
    }
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

/* The digits of all values as integers; false unless all else in them is the same. */
static bool digits_of(const struct cell *v, size_t n, struct cell *out)
{
    size_t digits = 0;
    for (size_t b = 0; n && b < v[0].len; b++)
        digits += is_digit(v[0].v.p[b]);
    if (n < 2 || digits == 0 || digits > DIGITS_MAX)
        return false;
    for (size_t i = 0; i < n; i++) {
        int64_t number = 0;
        if (v[i].len != v[0].len)
            return false;
        for (size_t b = 0; b < v[i].len; b++) {
            uint8_t byte = v[i].v.p[b];
            if (is_digit(byte) != is_digit(v[0].v.p[b]) || (!is_digit(byte) && byte != v[0].v.p[b]))
                return false;
            if (is_digit(byte))
                number = number * 10 + (byte - '0');
        }
        out[i] = cell_int(CELL_SET, number);
    }
    return true;
}

static void digits_put(struct encoder *e, const struct cell *v, const struct cell *numbers,
                       size_t n, Ocop__Sync__Column *c)
{
    uint8_t *like = take(e, v[0].len, 1);
    c->form = COLUMN_DIGITS;
    c->columns = take(e, 1, sizeof *c->columns);
    if (failed(e))
        return;
    for (size_t b = 0; b < v[0].len; b++)
        like[b] = is_digit(v[0].v.p[b]) ? '0' : v[0].v.p[b];
    c->has_data = 1;
    c->data = (ProtobufCBinaryData){v[0].len, like};
    c->columns[0] = column_new(e, 0);
    c->n_columns = 1;
    if (!failed(e))
        ints_put(e, numbers, NULL, n, c->columns[0]);
}

/* Bytes in the best form but a dictionary; what they cost. c NULL: only that. */
static size_t plain_put(struct encoder *e, const struct cell *v, size_t n, Ocop__Sync__Column *c)
{
    if (look_like_ids(v, n))
        return ids_put(e, v, n, c);
    uint32_t *skip = take(e, n, sizeof *skip);
    struct cell *numbers = take(e, n, sizeof *numbers);
    if (failed(e))
        return 0;
    size_t plain = 2 * n, front = 4 * n;
    for (size_t i = 0; i < n; i++) {
        skip[i] = i ? (uint32_t)shared_with(cell_span(&v[i - 1]), cell_span(&v[i])) : 0;
        plain += TEXT_BITS * v[i].len;
        front += TEXT_BITS * (v[i].len - skip[i]);
    }
    bool by_front = front * 10 < plain * 8; /* running text is better left to deflate */
    size_t best = by_front ? front : plain, number_cost;
    if (digits_of(v, n, numbers) &&
        (number_cost = ints_put(e, numbers, NULL, n, NULL) + TEXT_BITS * v[0].len) < best) {
        if (c)
            digits_put(e, v, numbers, n, c);
        return number_cost;
    }
    if (c)
        texts_put(e, v, n, by_front ? skip : NULL, c);
    return best;
}

static void bytes_put(struct encoder *e, const struct cell *v, size_t n, Ocop__Sync__Column *c)
{
    uint32_t *index = take(e, n, sizeof *index);
    uint64_t *places = take(e, n, sizeof *places);
    struct cell *entries = take(e, n, sizeof *entries);
    if (failed(e))
        return;
    size_t count = dictionary(e, v, n, index, entries);
    bool few = n > 1 && count * 2 <= n;
    for (size_t i = 0; few && i < n; i++)
        places[i] = index[i];
    if (!few || failed(e) ||
        plain_put(e, v, n, NULL) <=
            planes_cost(places, n) + plain_put(e, entries, count, NULL) + 64) {
        plain_put(e, v, n, c);
        return;
    }
    c->form = COLUMN_DICT;
    c->lens = take(e, 1, sizeof *c->lens);
    c->columns = take(e, 1, sizeof *c->columns);
    Ocop__Sync__Column *of_entries = column_new(e, 0);
    if (failed(e))
        return;
    c->n_lens = 1;
    c->lens[0] = (uint32_t)count;
    c->index = index;
    c->n_index = count > 1 ? n : 0; /* one entry is every value */
    c->columns[0] = of_entries;
    c->n_columns = 1;
    plain_put(e, entries, count, of_entries);
}

/* --- a column of single values --- */

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

static Ocop__Sync__Column *cells_put(struct encoder *e, const struct cell *cells,
                                     const int64_t *times, size_t n, uint32_t number, bool is_int)
{
    Ocop__Sync__Column *c = column_new(e, number);
    struct cell *v = take(e, n, sizeof *v);
    int64_t *since = times && is_int ? take(e, n, sizeof *since) : NULL;
    size_t count = 0;
    if (failed(e))
        return NULL;
    for (size_t i = 0; i < n; i++) {
        if (cells[i].state != CELL_SET)
            continue;
        if (since)
            since[count] = times[i];
        v[count++] = cells[i];
    }
    presence_put(e, cells, n, c);
    if (is_int)
        ints_put(e, v, since, count, c);
    else
        bytes_put(e, v, count, c);
    return failed(e) ? NULL : c;
}

/* --- lists --- */

/* Fields of one column, row by row. */
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

static void keys_put(struct encoder *e, const struct flat *f, Ocop__Sync__Column *c)
{
    size_t at = 0, before = 0, before_count = 0, kept = 0;
    struct cell *cells = cells_new(e, f->count);
    c->index = take(e, f->rows, sizeof *c->index);
    for (size_t row = 0; !failed(e) && row < f->rows; row++) {
        size_t n = f->per_row[row];
        if (n == 0)
            continue;
        bool same = n == before_count && same_keys(f->v + before, f->v + at, n);
        c->index[c->n_index++] = same;
        for (size_t i = 0; i < n && !same; i++)
            cells[kept++] = cell_bytes(CELL_SET, f->v[at + i]->key);
        before = at;
        before_count = n;
        at += n;
    }
    c->lens = f->per_row;
    c->n_lens = f->rows;
    c->columns[c->n_columns++] = failed(e) ? NULL : cells_put(e, cells, NULL, kept, 0, false);
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
    presence_put(e, s->cells, f->count, c);
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
    c->columns[0] = cells_put(e, values, NULL, count, 0, type == VALUE_INT);
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
                         : cells_put(e, subs[s].cells, NULL, f->count, s / 2, type == VALUE_INT);
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
    presence_put(e, ops, f->count, c);
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
    *out = (struct flat){take(e, total, sizeof *out->v), 0, per_row, g->count};
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
        c = cells_put(e, cells, g->times, g->count, key.number, key.type == VALUE_INT);
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
    return any ? cells_put(e, cells, NULL, in->count, 0, is_int) : NULL;
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
