/* Arrays of numbers under the range coder. See numbers.h. */
#include "numbers.h"

/* The numbers are part of the format. */
enum layout {
    LAYOUT_SAME,    /* one number for all */
    LAYOUT_EVEN,    /* the least, the span, then each like any other */
    LAYOUT_SIZED,   /* each by its width */
    LAYOUT_ALONE,   /* small ones by how often each stood, */
    LAYOUT_AFTER,   /* after the one before, */
    LAYOUT_AFTER_2, /* after the two before */
    LAYOUTS
};

/* What the numbers are made into first. */
enum guise {
    AS_THEY_ARE,
    AS_STEPS, /* all but the first: from the one before, zigzag */
    AS_NEW,   /* 0 for one more than the largest so far, else one more than it is */
    GUISES
};

static size_t apart(enum guise guise)
{
    return guise == AS_STEPS;
}

/* Which way the numbers of an array go. */
struct choice {
    enum layout layout;
    enum guise guise;
    uint64_t cost;
};

static void steps_turn(uint64_t *v, size_t n, bool back)
{
    uint64_t last = v[0];
    for (size_t i = 1; i < n; i++) {
        uint64_t plain = back ? last + (v[i] >> 1 ^ (v[i] & 1 ? UINT64_MAX : 0)) : v[i];
        uint64_t step = plain - last;
        v[i] = back ? plain : step << 1 ^ (step >> 63 ? UINT64_MAX : 0);
        last = plain;
    }
}

static void new_turn(uint64_t *v, size_t n, bool back)
{
    uint64_t fresh = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t plain = !back ? v[i] : v[i] == 0 ? fresh : v[i] - 1;
        v[i] = back ? plain : plain == fresh ? 0 : plain + 1;
        fresh = plain >= fresh ? plain + 1 : fresh;
    }
}

static void guise_turn(uint64_t *v, size_t n, enum guise guise, bool back)
{
    if (guise == AS_STEPS)
        steps_turn(v, n, back);
    else if (guise == AS_NEW)
        new_turn(v, n, back);
}

static void range_of(const uint64_t *v, size_t n, uint64_t *least, uint64_t *most)
{
    *least = UINT64_MAX;
    *most = 0;
    for (size_t i = 0; i < n; i++) {
        *least = v[i] < *least ? v[i] : *least;
        *most = v[i] > *most ? v[i] : *most;
    }
}

/* --- layouts --- */

static void small_code(struct numbers *m, struct coder *c, uint64_t *v, size_t n,
                       enum layout layout, unsigned width)
{
    uint32_t one = 0, two = 0;
    memset(m->small, 0, sizeof m->small);
    for (size_t i = 0; i < n; i++) {
        uint32_t after = layout == LAYOUT_ALONE   ? 0
                         : layout == LAYOUT_AFTER ? 1 + one
                                                  : 257 + (one << 8 | two);
        unsigned node = 1;
        for (unsigned bit = width; bit-- > 0;) {
            uint32_t at = (after << 8 | node) * ODDS_HASH >> (32 - NUMBERS_HASH_BITS);
            node = node << 1 | coder_bit(c, &m->small[at], v[i] >> bit & 1);
        }
        v[i] = node - (1u << width);
        two = one;
        one = (uint32_t)v[i];
    }
}

static void layout_code(struct numbers *m, struct coder *c, uint64_t *v, size_t n,
                        enum layout layout)
{
    uint64_t least = 0, most = 0;
    unsigned width = 1;
    if (c->way != CODER_READ)
        range_of(v, n, &least, &most);
    switch (layout) {
    case LAYOUT_SAME:
    case LAYOUT_EVEN:
        least = coder_number(c, &m->least, least);
        most = layout == LAYOUT_SAME ? 0 : coder_number(c, &m->span, most - least);
        for (size_t i = 0; i < n; i++)
            v[i] = least + coder_even(c, v[i] - least, most);
        break;
    case LAYOUT_SIZED:
        memset(&m->sized, 0, sizeof m->sized);
        for (size_t i = 0; i < n; i++)
            v[i] = coder_number(c, &m->sized, v[i]);
        break;
    default:
        while (width < NUMBERS_SMALL_BITS && most >> width)
            width++;
        width = coder_tree(c, m->width, 3, width - 1) + 1;
        small_code(m, c, v, n, layout, width);
    }
}

/* Does it hold such numbers, and is it worth trying? */
static bool layout_fits(enum layout layout, uint64_t least, uint64_t most)
{
    if (layout == LAYOUT_SAME)
        return least == most;
    return layout < LAYOUT_ALONE || (least != most && most >> NUMBERS_SMALL_BITS == 0);
}

/* The numbers in their guise, of which the first of AS_STEPS goes for itself. */
static void turned_code(struct numbers *m, struct coder *c, uint64_t *v, size_t n,
                        struct choice how)
{
    size_t first = apart(how.guise);
    if (first)
        v[0] = coder_number(c, &m->least, v[0]);
    layout_code(m, c, v + first, n - first, how.layout);
}

/* The models that outlive the array are put back. */
static uint64_t turned_cost(struct numbers *m, const uint64_t *v, size_t n, struct choice how,
                            uint64_t *spare)
{
    struct coder count;
    struct number least = m->least, span = m->span;
    struct odds width[NUMBERS_SMALL_BITS];
    memcpy(width, m->width, sizeof width);
    memcpy(spare, v, n * sizeof *v);
    coder_count(&count);
    turned_code(m, &count, spare, n, how);
    m->least = least;
    m->span = span;
    memcpy(m->width, width, sizeof width);
    return count.cost;
}

static struct choice choose(struct numbers *m, uint64_t *v, size_t n, uint64_t *spare)
{
    enum { GUISE_COST = 2 << 8 }; /* a guess at what it takes to say so */
    struct choice best = {LAYOUT_SAME, AS_THEY_ARE, UINT64_MAX};
    for (struct choice now = best; now.guise < GUISES; now.guise++) {
        size_t first = apart(now.guise);
        uint64_t least, most;
        range_of(v, n, &least, &most);
        if (now.guise == AS_NEW && most > UINT32_MAX)
            break; /* the largest of all would have no number */
        guise_turn(v, n, now.guise, false);
        range_of(v + first, n - first, &least, &most);
        for (now.layout = LAYOUT_SAME; now.layout < LAYOUTS; now.layout++) {
            if (!layout_fits(now.layout, least, most))
                continue;
            now.cost = turned_cost(m, v, n, now, spare) + (now.guise ? GUISE_COST : 0);
            if (now.cost < best.cost)
                best = now;
        }
        guise_turn(v, n, now.guise, true);
    }
    return best;
}

bool numbers_code(struct numbers *m, struct numbers_sort *sort, struct coder *c, uint64_t *v,
                  size_t n, uint64_t *spare)
{
    struct choice how = {LAYOUT_SAME, AS_THEY_ARE, 0};
    if (n == 0)
        return true;
    if (n > 1) {
        if (c->way != CODER_READ)
            how = choose(m, v, n, spare);
        how.layout = (enum layout)coder_tree(c, sort->layout, NUMBERS_LAYOUT_BITS, how.layout);
        how.guise = (enum guise)coder_tree(c, sort->guise, NUMBERS_GUISE_BITS, how.guise);
        if (how.layout >= LAYOUTS || how.guise >= GUISES)
            return false;
    }
    if (c->way != CODER_READ)
        guise_turn(v, n, how.guise, false);
    turned_code(m, c, v, n, how);
    guise_turn(v, n, how.guise, true);
    return true;
}

uint64_t numbers_cost(struct numbers *m, uint64_t *v, size_t n, uint64_t *spare)
{
    return choose(m, v, n, spare).cost;
}
