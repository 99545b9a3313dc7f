/* The range coder (docs/protocol.md, 4.6). Carries are settled in the bytes held back, as LZMA
 * does. Knows nothing of what is coded. */
#include "coder.h"

enum {
    RANGE_BITS_MIN = 24, /* below 2^24 a byte moves out */
    HALF = 1 << 15,
    LEAN_MAX = HALF - 48, /* no chance is ever nought */
    SEEN_MAX = 60,
    COST_BITS = 8,
    START_BYTES = 4
};

void coder_write(struct coder *c, struct buf *out)
{
    *c = (struct coder){.way = CODER_WRITE, .range = UINT32_MAX, .out = out};
}

void coder_count(struct coder *c)
{
    *c = (struct coder){.way = CODER_COUNT, .range = UINT32_MAX};
}

static uint8_t next_byte(struct coder *c)
{
    size_t at = c->at++;
    return at < c->in.len ? c->in.p[at] : 0;
}

void coder_read(struct coder *c, struct span in)
{
    *c = (struct coder){.way = CODER_READ, .range = UINT32_MAX, .in = in};
    for (int i = 0; i < START_BYTES; i++)
        c->code = c->code << 8 | next_byte(c);
}

/* The highest byte of `low` moves out. A byte of 255 waits with those before it, since a carry
 * would run through it. `held` counts them; the first is bits 32 to 39 of what was low then. */
static void move_out(struct coder *c)
{
    uint8_t carry = (uint8_t)(c->low >> 32);
    if ((uint32_t)c->low < 0xff000000u || carry || c->held == 0) {
        /* held: how many, and in its low byte the first of them */
        uint64_t count = c->held >> 8;
        if (count > 0)
            buf_byte(c->out, (uint8_t)((c->held & 0xff) + carry));
        for (; count > 1; count--)
            buf_byte(c->out, (uint8_t)(0xff + carry));
        c->held = UINT64_C(1) << 8 | (c->low >> 24 & 0xff);
    } else {
        c->held += 1 << 8;
    }
    c->low = c->low << 8 & UINT32_MAX;
}

static void normalise(struct coder *c)
{
    while (c->range < UINT32_C(1) << RANGE_BITS_MIN) {
        c->range <<= 8;
        if (c->way == CODER_READ)
            c->code = c->code << 8 | next_byte(c);
        else
            move_out(c);
    }
}

/* The shortest bytes that lie in the interval; the reader sees zeros behind them. */
void coder_end(struct coder *c)
{
    uint64_t top = c->low + c->range - 1;
    for (unsigned bits = 32; bits-- > 0;) {
        uint64_t rounded = top >> bits << bits;
        if (rounded >= c->low) {
            c->low = rounded;
            break;
        }
    }
    for (int i = 0; i <= START_BYTES; i++)
        move_out(c);
    while (c->out->len > 0 && c->out->p[c->out->len - 1] == 0)
        c->out->len--;
}

bool coder_used_up(const struct coder *c)
{
    return c->at >= c->in.len;
}

/* Minus log2 of part / 2^bits. */
static uint32_t cost_of(uint32_t part, unsigned bits)
{
    unsigned whole = 31 - (unsigned)__builtin_clz(part);
    uint32_t fraction = whole >= COST_BITS ? part >> (whole - COST_BITS) & ((1 << COST_BITS) - 1)
                                           : part << (COST_BITS - whole) & ((1 << COST_BITS) - 1);
    return (bits << COST_BITS) - (whole << COST_BITS | fraction);
}

void odds_learn(struct odds *o, unsigned bit)
{
    /* 65,536 / (n + 1.4): the n-th answer weighs as much as each before it */
    int32_t goal = bit ? -LEAN_MAX : LEAN_MAX, pace = 5 * 65536 / (5 * o->seen + 7);
    o->lean = (int16_t)(o->lean + (goal - o->lean) * (pace >> 1) / HALF);
    o->seen = (uint16_t)(o->seen + (o->seen < SEEN_MAX));
}

unsigned coder_bit(struct coder *c, struct odds *o, unsigned bit)
{
    uint32_t zero = (uint32_t)(HALF + o->lean);
    uint32_t bound = (c->range >> 16) * zero;
    if (c->way == CODER_COUNT) {
        c->cost += cost_of(bit ? 2 * HALF - zero : zero, 16);
    } else {
        if (c->way == CODER_READ)
            bit = c->code >= bound;
        if (bit) {
            c->low += bound;
            c->code -= bound;
            c->range -= bound;
        } else {
            c->range = bound;
        }
        normalise(c);
    }
    odds_learn(o, bit);
    return bit;
}

uint32_t coder_seek(struct coder *c, uint32_t total)
{
    uint32_t at = c->code / (c->range / total);
    return at < total ? at : total - 1;
}

void coder_part(struct coder *c, uint32_t from, uint32_t size, uint32_t total)
{
    if (c->way == CODER_COUNT) {
        c->cost += cost_of(size, 0) + ((uint32_t)0 - cost_of(total, 0));
        return;
    }
    uint32_t unit = c->range / total;
    c->low += (uint64_t)unit * from;
    c->code -= unit * from;
    c->range = from + size == total ? c->range - unit * from : unit * size;
    normalise(c);
}

uint64_t coder_even(struct coder *c, uint64_t v, uint64_t most)
{
    uint64_t high = 0;
    uint32_t total = (uint32_t)(most & 0xffff) + 1;
    if (most > 0xffff) {
        high = coder_even(c, v >> 16, most >> 16);
        total = high == most >> 16 ? total : 0x10000;
    }
    uint32_t low = (uint32_t)(v & 0xffff);
    if (total == 1)
        return high << 16;
    if (c->way == CODER_READ)
        low = coder_seek(c, total);
    coder_part(c, low, 1, total);
    return high << 16 | low;
}

unsigned coder_tree(struct coder *c, struct odds *o, unsigned bits, unsigned v)
{
    unsigned node = 1;
    for (unsigned i = bits; i-- > 0;)
        node = node << 1 | coder_bit(c, &o[node], v >> i & 1);
    return node - (1u << bits);
}

/* The width of a number of more than NUMBER_NARROW bits. */
static unsigned width_code(struct coder *c, struct number *n, uint64_t v)
{
    unsigned more = 0;
    for (v >>= NUMBER_NARROW; v; v >>= 1)
        more++;
    more = coder_tree(c, n->wide, NUMBER_WIDTH_BITS, more);
    return more > 64 - NUMBER_NARROW ? 64 : NUMBER_NARROW + more; /* no writer says more */
}

uint64_t coder_number(struct coder *c, struct number *n, uint64_t v)
{
    unsigned width = 0, learnt = 0, high = 0;
    while (width < NUMBER_NARROW && coder_bit(c, &n->wider[width], v >> width != 0))
        width++;
    if (width == NUMBER_NARROW)
        width = width_code(c, n, v);
    if (width < 2)
        return width;
    unsigned left = width - 1;
    if (left <= NUMBER_LEARNT) {
        learnt = left < 2 ? left : 2;
        left -= learnt;
        high = (unsigned)(v >> left) & ((1u << learnt) - 1);
        high = coder_tree(c, n->below[width - 2], learnt, high);
    }
    uint64_t rest = (UINT64_C(1) << left) - 1;
    return ((uint64_t)(1u << learnt | high) << left) | coder_even(c, v & rest, rest);
}
