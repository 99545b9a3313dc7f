/* Columns under the range coder (docs/protocol.md, 4.6). One text serves both ends: each function
 * codes what the message holds, or fills it. Knows the forms only so far as they say what kind of
 * bytes `data` has; columns_decode checks what they mean. */
#include "tight.h"

#include "bounds.h"
#include "column.h"
#include "numbers.h"
#include "phrase.h"

/* The members of Column that are arrays. */
enum array { A_RUNS, A_INTS, A_LENS, A_INDEX, A_DATA, A_BASES, A_COLUMNS, ARRAYS };

enum {
    FORMS = 16,   /* a column's models are those of its form, modulo this */
    HEAD = FORMS, /* where a column stands: among the heads, */
    TOP,          /* or among the columns of kinds; else in one of a form */
    PLACES,
    STATES = 4, /* of a run */
    WIDTH_BITS = 3
};

struct tight {
    struct coder c;
    struct arena *a;
    struct ocop_error *err;
    enum ocop_status status; /* of the first failure; every step after it does nothing */
    size_t items;            /* numbers, bytes and columns so far, against TIGHT_ITEMS_MAX */
    uint8_t *texts;          /* reading: where the next one goes */
    size_t last_count[ARRAYS];
    uint32_t last_kind;
    /* models */
    struct phrase phrase;
    struct numbers numbers;
    struct numbers_sort sorts[ARRAYS];
    struct number form[PLACES], step[2], kind, first[FORMS], count[ARRAYS], run[STATES];
    struct odds there[FORMS][ARRAYS], recount[ARRAYS], state[STATES][STATES], head[HEADS];
    struct odds width[1 << WIDTH_BITS], raw, other_kind, no_id;
};

static bool fail(struct tight *t, enum ocop_status status, const char *what)
{
    if (t->status == OCOP_OK)
        t->status = status == OCOP_ENOMEM ? err_nomem(t->err) : err_set(t->err, status, "%s", what);
    return false;
}

static bool bad(struct tight *t)
{
    return fail(t, OCOP_EPROTO, "the tight columns are malformed");
}

static bool failed(const struct tight *t)
{
    return t->status != OCOP_OK;
}

static bool reading(const struct tight *t)
{
    return t->c.way == CODER_READ;
}

/* Cleared. */
static void *take(struct tight *t, size_t count, size_t size)
{
    void *p = failed(t) ? NULL : arena_calloc(t->a, count ? count : 1, size);
    if (!p)
        fail(t, OCOP_ENOMEM, NULL);
    ANALYSER_KNOWS(p); /* or that it failed, which is asked before use */
    return p;
}

static bool charge(struct tight *t, size_t items)
{
    if (items > TIGHT_ITEMS_MAX - t->items)
        return fail(t, OCOP_ELIMIT, "the columns hold too much for their tight form");
    t->items += items;
    return true;
}

static uint64_t zigzag(int64_t v)
{
    return (uint64_t)v << 1 ^ (v < 0 ? UINT64_MAX : 0);
}

static int64_t unzigzag(uint64_t v)
{
    return (int64_t)(v >> 1 ^ (v & 1 ? UINT64_MAX : 0));
}

/* --- arrays --- */

/* How many a member has. Often as many as it had in the column before. */
static size_t count_code(struct tight *t, enum array which, size_t n)
{
    if (failed(t))
        return 0;
    if (coder_bit(&t->c, &t->recount[which], n != t->last_count[which]))
        n = (size_t)coder_number(&t->c, &t->count[which], n);
    else
        n = t->last_count[which];
    return t->last_count[which] = charge(t, n) ? n : 0;
}

static void numbers_put(struct tight *t, enum array which, uint64_t *v, size_t n)
{
    uint64_t *spare = reading(t) ? NULL : take(t, n, sizeof *spare);
    if (!failed(t) && !numbers_code(&t->numbers, &t->sorts[which], &t->c, v, n, spare))
        bad(t);
}

static void u32_code(struct tight *t, enum array which, size_t *n, uint32_t **v)
{
    *n = count_code(t, which, *n);
    uint64_t *wide = take(t, *n, sizeof *wide);
    if (reading(t))
        *v = take(t, *n, sizeof **v);
    for (size_t i = 0; !failed(t) && !reading(t) && i < *n; i++)
        wide[i] = (*v)[i];
    numbers_put(t, which, wide, *n);
    for (size_t i = 0; !failed(t) && reading(t) && i < *n; i++)
        (*v)[i] = (uint32_t)wide[i];
}

static void s64_code(struct tight *t, enum array which, size_t *n, int64_t **v)
{
    *n = count_code(t, which, *n);
    uint64_t *wide = take(t, *n, sizeof *wide);
    if (reading(t))
        *v = take(t, *n, sizeof **v);
    for (size_t i = 0; !failed(t) && !reading(t) && i < *n; i++)
        wide[i] = zigzag((*v)[i]);
    numbers_put(t, which, wide, *n);
    for (size_t i = 0; !failed(t) && reading(t) && i < *n; i++)
        (*v)[i] = unzigzag(wide[i]);
}

/* `ints` are few and large: where the values begin. */
static void ints_code(struct tight *t, Ocop__Sync__Column *c)
{
    c->n_ints = count_code(t, A_INTS, c->n_ints);
    if (reading(t))
        c->ints = take(t, c->n_ints, sizeof *c->ints);
    for (size_t i = 0; !failed(t) && i < c->n_ints; i++) {
        uint64_t v = reading(t) ? 0 : zigzag(c->ints[i]);
        c->ints[i] = unzigzag(coder_number(&t->c, &t->first[c->form % FORMS], v));
    }
}

static void runs_code(struct tight *t, Ocop__Sync__Column *c)
{
    uint32_t before = STATES - 1;
    c->n_runs = count_code(t, A_RUNS, c->n_runs);
    if (reading(t))
        c->runs = take(t, c->n_runs, sizeof *c->runs);
    for (size_t i = 0; !failed(t) && i < c->n_runs; i++) {
        uint32_t run = c->runs[i];
        uint32_t state = coder_tree(&t->c, t->state[before], 2, run % STATES);
        c->runs[i] = (uint32_t)coder_number(&t->c, &t->run[state], run / STATES) * STATES | state;
        before = state;
    }
}

/* --- data --- */

static void data_set(Ocop__Sync__Column *c, uint8_t *p, size_t len)
{
    c->has_data = len > 0;
    c->data = (ProtobufCBinaryData){len, p};
}

/* Bytes of which nothing is known. */
static void raw_code(struct tight *t, uint8_t *p, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        uint64_t byte = coder_even(&t->c, p[i], UINT8_MAX);
        if (reading(t))
            p[i] = (uint8_t)byte;
    }
}

static void data_raw(struct tight *t, Ocop__Sync__Column *c)
{
    size_t len = count_code(t, A_DATA, c->data.len);
    if (reading(t))
        data_set(c, take(t, len, 1), len);
    if (!failed(t))
        raw_code(t, c->data.data, len);
}

static void planes_join(const uint8_t *p, size_t n, unsigned width, uint64_t *v)
{
    memset(v, 0, n * sizeof *v);
    for (unsigned plane = 0; plane < width; plane++)
        for (size_t i = 0; i < n; i++)
            v[i] |= (uint64_t)p[plane * n + i] << 8 * plane;
}

static void planes_part(const uint64_t *v, size_t n, unsigned width, uint8_t *p)
{
    for (unsigned plane = 0; plane < width; plane++)
        for (size_t i = 0; i < n; i++)
            p[plane * n + i] = (uint8_t)(v[i] >> 8 * plane);
}

/* The column alone does not say how many planes there are. The number with which they cost least is
 * nearly always right, and any that divides them does. */
static unsigned planes_guess(struct tight *t, const uint8_t *p, size_t len, uint64_t *v)
{
    unsigned best = 1;
    uint64_t least = UINT64_MAX, *spare = take(t, len, sizeof *spare);
    for (unsigned width = 1; !failed(t) && width <= sizeof *v && width <= len; width++) {
        if (len % width)
            continue;
        planes_join(p, len / width, width, v);
        uint64_t cost = numbers_cost(&t->numbers, v, len / width, spare);
        if (cost < least) {
            least = cost;
            best = width;
        }
    }
    return best;
}

static void planes_code(struct tight *t, Ocop__Sync__Column *c)
{
    size_t len = count_code(t, A_DATA, c->data.len);
    uint64_t *v = take(t, len, sizeof *v);
    unsigned width = 1;
    if (reading(t))
        data_set(c, take(t, len, 1), len);
    else
        width = planes_guess(t, c->data.data, len, v);
    if (failed(t))
        return;
    width = coder_tree(&t->c, t->width, WIDTH_BITS, width - 1) + 1;
    if (len % width) {
        bad(t);
        return;
    }
    if (!reading(t))
        planes_join(c->data.data, len / width, width, v);
    numbers_put(t, A_DATA, v, len / width);
    if (reading(t) && !failed(t))
        planes_part(v, len / width, width, c->data.data);
}

static struct span text_code(struct tight *t, struct ends *ends, struct span s)
{
    uint8_t *out = t->texts;
    if (failed(t))
        return span_of(NULL, 0);
    size_t len = phrase_code(&t->phrase, ends, s, out, TIGHT_ITEMS_MAX - t->items);
    if (t->phrase.failed)
        fail(t, OCOP_ENOMEM, NULL);
    else if (len == SIZE_MAX)
        bad(t);
    if (failed(t) || !charge(t, len))
        return span_of(NULL, 0);
    if (!reading(t))
        return s;
    t->texts += len;
    return span_of(out, len);
}

/* Keys and hashes gain nothing from a model of text; lengths of other bytes have none. */
static bool is_text(const Ocop__Sync__Column *c)
{
    size_t total = 0;
    for (size_t i = 0; i < c->n_lens; i++)
        total += c->lens[i];
    for (size_t i = 0; i < c->data.len; i++) {
        uint8_t b = c->data.data[i];
        if (b < ' ' && b != '\n' && b != '\t' && b != '\r')
            return false;
    }
    return total == c->data.len;
}

/* Lengths and bytes of texts. */
static void texts_code(struct tight *t, Ocop__Sync__Column *c)
{
    struct ends ends = {0};
    struct span all = span_of(c->data.data, c->data.len);
    uint8_t *from = t->texts;
    size_t at = 0;
    if (coder_bit(&t->c, &t->raw, !reading(t) && !is_text(c))) {
        u32_code(t, A_LENS, &c->n_lens, &c->lens);
        data_raw(t, c);
        return;
    }
    c->n_lens = count_code(t, A_LENS, c->n_lens);
    if (reading(t))
        c->lens = take(t, c->n_lens, sizeof *c->lens);
    for (size_t i = 0; !failed(t) && i < c->n_lens; i++) {
        struct span s = reading(t) ? span_of(NULL, 0) : span_of(all.p + at, c->lens[i]);
        s = text_code(t, &ends, s);
        c->lens[i] = (uint32_t)s.len;
        at += s.len;
    }
    if (reading(t))
        data_set(c, from, at);
}

static void data_code(struct tight *t, Ocop__Sync__Column *c)
{
    struct ends ends = {0};
    struct span s = span_of(c->data.data, c->data.len);
    switch (c->form) {
    case COLUMN_OFFSET:
    case COLUMN_STEP:
    case COLUMN_SINCE:
    case COLUMN_ID:
    case COLUMN_ID_STEP:
    case COLUMN_ID_NEAR:
        planes_code(t, c);
        break;
    case COLUMN_DIGITS:
        s = text_code(t, &ends, s);
        if (reading(t))
            data_set(c, (uint8_t *)(uintptr_t)s.p, s.len);
        break;
    default:
        data_raw(t, c);
    }
}

/* --- columns --- */

static bool there(struct tight *t, const Ocop__Sync__Column *c, enum array which, size_t n)
{
    return !failed(t) && !coder_bit(&t->c, &t->there[c->form % FORMS][which], n == 0);
}

static void members_code(struct tight *t, Ocop__Sync__Column *c)
{
    bool texts = c->form == COLUMN_PLAIN || c->form == COLUMN_FRONT;
    if (there(t, c, A_RUNS, c->n_runs))
        runs_code(t, c);
    if (there(t, c, A_INTS, c->n_ints))
        ints_code(t, c);
    if (!texts && there(t, c, A_LENS, c->n_lens))
        u32_code(t, A_LENS, &c->n_lens, &c->lens);
    if (there(t, c, A_INDEX, c->n_index))
        u32_code(t, A_INDEX, &c->n_index, &c->index);
    if (texts && !failed(t))
        texts_code(t, c);
    else if (there(t, c, A_DATA, c->data.len))
        data_code(t, c);
    if (there(t, c, A_BASES, c->n_bases))
        s64_code(t, A_BASES, &c->n_bases, &c->bases);
}

/* Form, number and, on top, kind. `before`: the number of the column before in the same place. */
static void name_code(struct tight *t, Ocop__Sync__Column *c, unsigned place, uint32_t *before)
{
    if (place == TOP) {
        if (coder_bit(&t->c, &t->other_kind, c->kind != t->last_kind)) {
            t->last_kind = (uint32_t)coder_number(&t->c, &t->kind, c->kind);
            *before = 0;
        }
        c->has_kind = 1;
        c->kind = t->last_kind;
    }
    c->has_form = 1;
    c->form = (uint32_t)coder_number(&t->c, &t->form[place], c->form);
    c->number =
        *before + (uint32_t)coder_number(&t->c, &t->step[place == TOP], c->number - *before);
    c->has_number = c->number != 0;
    *before = c->number;
}

static Ocop__Sync__Column *column_code(struct tight *t, Ocop__Sync__Column *c, unsigned place,
                                       uint32_t *before, unsigned depth);

static void inner_code(struct tight *t, Ocop__Sync__Column *c, unsigned depth)
{
    uint32_t before = 0;
    c->n_columns = count_code(t, A_COLUMNS, c->n_columns);
    if (depth >= NESTING_MAX)
        bad(t);
    if (reading(t))
        c->columns = take(t, c->n_columns, sizeof *c->columns);
    for (size_t i = 0; !failed(t) && i < c->n_columns; i++)
        c->columns[i] = column_code(t, c->columns[i], c->form % FORMS, &before, depth + 1);
}

static Ocop__Sync__Column *column_code(struct tight *t, Ocop__Sync__Column *c, unsigned place,
                                       uint32_t *before, unsigned depth)
{
    if (reading(t)) {
        c = take(t, 1, sizeof *c);
        if (c)
            ocop__sync__column__init(c);
    }
    if (failed(t) || !charge(t, 1))
        return NULL;
    ANALYSER_KNOWS(c); /* taken, or a column of what is written */
    name_code(t, c, place, before);
    members_code(t, c);
    if (there(t, c, A_COLUMNS, c->n_columns))
        inner_code(t, c, depth);
    return failed(t) ? NULL : c;
}

/* Of an id in the form of section 1, six bits are known. */
static void prefix_code(struct tight *t, uint8_t *p)
{
    bool known = p[6] >> 4 == 8 && p[8] >> 6 == 2;
    known = !coder_bit(&t->c, &t->no_id, !known);
    uint8_t most[2] = {known ? 0x0f : 0xff, known ? 0x3f : 0xff};
    for (size_t i = 0; i < 2; i++) {
        uint8_t *byte = p + (i ? 8 : 6);
        uint8_t v = (uint8_t)coder_even(&t->c, *byte & most[i], most[i]);
        *byte = (uint8_t)(v | (known ? 0x80 : 0));
    }
    raw_code(t, p, 6);
    raw_code(t, p + 7, 1);
    raw_code(t, p + 9, ID_PREFIX_LEN - 9);
}

static void prefixes_code(struct tight *t, Ocop__Sync__Columns *m)
{
    size_t n = count_code(t, A_DATA, m->prefixes.len / ID_PREFIX_LEN), len = n * ID_PREFIX_LEN;
    if (!charge(t, len - n))
        return;
    if (reading(t)) {
        m->has_prefixes = n > 0;
        m->prefixes = (ProtobufCBinaryData){len, take(t, len, 1)};
    }
    for (size_t i = 0; !failed(t) && i < n; i++)
        prefix_code(t, m->prefixes.data + i * ID_PREFIX_LEN);
}

static void columns_code(struct tight *t, Ocop__Sync__Columns *m)
{
    Ocop__Sync__Column **heads[HEADS] = {&m->ids,     &m->authors, &m->times,
                                         &m->reasons, &m->bases,   &m->cases};
    uint32_t before = 0;
    m->has_count = 1;
    m->count = (uint32_t)coder_number(&t->c, &t->numbers.least, m->count);
    u32_code(t, A_RUNS, &m->n_kinds, &m->kinds);
    u32_code(t, A_RUNS, &m->n_verbs, &m->verbs);
    prefixes_code(t, m);
    for (unsigned h = 0; !failed(t) && h < HEADS; h++) {
        uint32_t none = 0;
        if (!coder_bit(&t->c, &t->head[h], !*heads[h]))
            *heads[h] = column_code(t, *heads[h], HEAD, &none, 0);
    }
    m->n_columns = count_code(t, A_COLUMNS, m->n_columns);
    if (reading(t))
        m->columns = take(t, m->n_columns, sizeof *m->columns);
    for (size_t i = 0; !failed(t) && i < m->n_columns; i++)
        m->columns[i] = column_code(t, m->columns[i], TOP, &before, 0);
}

/* NULL without memory. */
static struct tight *tight_new(struct arena *a, struct ocop_error *err)
{
    struct tight *t = arena_calloc(a, 1, sizeof *t);
    if (!t)
        return NULL;
    t->a = a;
    t->err = err;
    phrase_init(&t->phrase, &t->c, a);
    return t->phrase.failed ? NULL : t;
}

enum ocop_status tight_write(const Ocop__Sync__Columns *in, struct arena *a, struct span *out,
                             struct ocop_error *err)
{
    struct tight *t = tight_new(a, err);
    Ocop__Sync__Columns m = *in;
    struct buf b;
    *out = span_of(NULL, 0);
    if (!t)
        return err_nomem(err);
    buf_init(&b, 2 * TIGHT_ITEMS_MAX);
    coder_write(&t->c, &b);
    columns_code(t, &m);
    coder_end(&t->c);
    const char *copy = b.failed ? NULL : arena_dup(a, b.p, b.len);
    if (!copy)
        fail(t, OCOP_ENOMEM, NULL);
    if (!failed(t))
        *out = span_of(copy, b.len);
    buf_fini(&b);
    return t->status;
}

enum ocop_status tight_read(struct span in, struct arena *a, Ocop__Sync__Columns **out,
                            struct ocop_error *err)
{
    struct tight *t = tight_new(a, err);
    *out = NULL;
    if (!t)
        return err_nomem(err);
    Ocop__Sync__Columns *m = take(t, 1, sizeof *m);
    t->texts = arena_alloc(a, TIGHT_ITEMS_MAX);
    if (!m || !t->texts)
        return err_nomem(err);
    ocop__sync__columns__init(m);
    coder_read(&t->c, in);
    columns_code(t, m);
    if (!failed(t) && !coder_used_up(&t->c))
        bad(t);
    if (!failed(t))
        *out = m;
    return t->status;
}
