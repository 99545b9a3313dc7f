/* The columnar codec: values of one column in the form that looks smallest after deflate. The form
 * follows from the values alone; knows no changes and no kinds. */
#include "encoder.h"
#include "text.h"

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
        if (cost + n < best) { /* a little less may be chance */
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

void values_presence(struct encoder *e, const struct cell *cells, size_t n, Ocop__Sync__Column *c)
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

Ocop__Sync__Column *values_put(struct encoder *e, const struct cell *cells, const int64_t *times,
                               size_t n, uint32_t number, bool is_int)
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
    values_presence(e, cells, n, c);
    if (is_int)
        ints_put(e, v, since, count, c);
    else
        bytes_put(e, v, count, c);
    return failed(e) ? NULL : c;
}

/* Distances of `n` keys, ids all, from the ids of their records; false when one is not near. */
static bool near_of(const struct cell *keys, const struct id *const *records, size_t n,
                    struct cell *out)
{
    for (size_t i = 0; i < n; i++) {
        if (keys[i].len != ID_LEN || memcmp(keys[i].v.p, records[i]->b, ID_PREFIX_LEN) != 0)
            return false;
        out[i] = cell_int(CELL_SET,
                          (int64_t)id_counter(keys[i].v.p) - (int64_t)id_counter(records[i]->b));
    }
    return n > 0;
}

Ocop__Sync__Column *values_near(struct encoder *e, const struct cell *keys,
                                const struct id *const *records, size_t n)
{
    struct cell *distances = take(e, n, sizeof *distances);
    if (failed(e) || !near_of(keys, records, n, distances))
        return NULL;
    Ocop__Sync__Column *c = column_new(e, 0);
    uint64_t *planes = take(e, n, sizeof *planes);
    if (failed(e))
        return NULL;
    c->form = COLUMN_ID_NEAR;
    c->ints = take(e, 1, sizeof *c->ints);
    c->n_ints = 1;
    if (c->ints)
        c->ints[0] = offsets_of(distances, NULL, n, planes);
    planes_put(e, planes, n, c);
    return failed(e) ? NULL : c;
}
