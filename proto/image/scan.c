/* The bits of a JPEG's scans, by Huffman's codes, sequential and progressive, one after the other
 * as a decoder reads them (ITU-T T.81, F and G). Of a progressive picture it has to be known which
 * coefficients are not zero: a bit for each. Knows no pixels, no markers and no file. */
#include "scan.h"

#include <stdlib.h>

#include "picture.h"

static const char damaged[] = "its picture is damaged";

static unsigned two(const uint8_t *p)
{
    return (unsigned)p[0] << 8 | p[1];
}

static uint32_t up(uint32_t n, uint32_t by)
{
    return (n + by - 1) / by;
}

/* --- what is said of it ---------------------------------------------------------------------- */

static bool frame_parts(struct scan *c, const uint8_t *p)
{
    for (size_t i = 0; i < c->count; i++) {
        struct scan_part *part = &c->part[i];
        *part = (struct scan_part){.id = p[3 * i], .h = p[3 * i + 1] >> 4, .v = p[3 * i + 1] & 15};
        memset(part->bits, -1, sizeof part->bits);
        for (size_t k = 0; k < i; k++)
            if (c->part[k].id == part->id)
                return false;
        if (part->h < 1 || part->h > 4 || part->v < 1 || part->v > 4)
            return false;
        c->h_most = part->h > c->h_most ? part->h : c->h_most;
        c->v_most = part->v > c->v_most ? part->v : c->v_most;
    }
    return true;
}

const char *scan_frame(struct scan *c, unsigned marker, struct span s)
{
    enum { BASELINE = 0xc0, PROGRESSIVE = 0xc2, BLOCKS_MAX = PICTURE_MEMORY_MAX / 8 };
    uint64_t blocks = 0;

    if (c->framed)
        return "it has two pictures";
    if (marker < BASELINE || marker > PROGRESSIVE)
        return "it is coded in a way that no camera uses";
    c->framed = true;
    c->progressive = marker == PROGRESSIVE;
    c->height = two(s.p + 1);
    c->width = two(s.p + 3);
    c->count = s.p[5];
    if (c->width == 0 || c->height == 0 || c->count < 1 || c->count > SCAN_PARTS_MAX ||
        !frame_parts(c, s.p + 6))
        return "it does not say how large it is, or of what";
    for (size_t i = 0; i < c->count; i++) {
        struct scan_part *p = &c->part[i];
        const uint32_t units = up(c->height, 8 * c->v_most);
        p->wide = up(up(c->width * p->h, c->h_most), 8);
        p->tall = up(up(c->height * p->v, c->v_most), 8);
        p->stride = up(c->width, 8 * c->h_most) * p->h;
        blocks += (uint64_t)p->stride * units * p->v;
        if (c->progressive && blocks > BLOCKS_MAX)
            return "it is progressive, and too large for that";
    }
    return NULL;
}

const char *scan_tables(struct scan *c, struct span s)
{
    for (size_t at = 0; at + 17 <= s.len;) {
        const uint8_t *p = s.p + at;
        struct scan_codes *codes;
        size_t count = 0;
        if (p[0] >> 4 > 1 || (p[0] & 15) >= SCAN_TABLES)
            return damaged;
        codes = &c->codes[p[0] >> 4][p[0] & 15];
        codes->there = true;
        for (int i = 1; i <= 16; i++)
            count += codes->count[i] = p[i];
        if (count > sizeof codes->value || at + 17 + count > s.len)
            return damaged;
        memset(codes->value, 0, sizeof codes->value);
        memcpy(codes->value, p + 17, count);
        at += 17 + count;
    }
    return NULL;
}

/* Each bit of each coefficient comes once. */
static bool comes_now(struct scan *c, struct scan_part *p)
{
    if (!c->progressive) {
        const bool again = p->known;
        p->known = true;
        return !again;
    }
    for (unsigned k = c->from; k <= c->to; k++) {
        if (p->bits[k] != (c->high ? (int)c->high : -1))
            return false;
        p->bits[k] = (int8_t)c->low;
    }
    return c->high == 0 || c->low + 1 == c->high;
}

static const char *begin_part(struct scan *c, struct scan_part *p, unsigned tables)
{
    const size_t blocks = (size_t)p->stride * up(c->height, 8 * c->v_most) * p->v;

    if (tables >> 4 >= SCAN_TABLES || (tables & 15) >= SCAN_TABLES || !comes_now(c, p))
        return damaged;
    p->dc = &c->codes[0][tables >> 4];
    p->ac = &c->codes[1][tables & 15];
    if ((c->from == 0 && c->high == 0 && !p->dc->there) || (c->to > 0 && !p->ac->there))
        return damaged;
    if (c->progressive && !p->set)
        p->set = calloc(blocks, sizeof *p->set);
    return c->progressive && !p->set ? "there is no memory to look through it" : NULL;
}

const char *scan_begin(struct scan *c, struct span s)
{
    const uint8_t *p = s.p, *last = s.p + 1 + 2 * (size_t)s.p[0];
    const char *why = NULL;

    c->in_count = p[0];
    if (!c->framed || c->in_count == 0)
        return "it shows no picture";
    if (c->in_count > c->count)
        return damaged;
    c->from = c->progressive ? last[0] : 0;
    c->to = c->progressive ? last[1] : 63;
    c->high = c->progressive ? last[2] >> 4 : 0;
    c->low = c->progressive ? last[2] & 15 : 0;
    if (c->progressive && (c->to > 63 || c->from > c->to || c->low > 13 ||
                           (c->from == 0 ? c->to != 0 : c->in_count != 1)))
        return damaged;
    for (size_t i = 0; !why && i < c->in_count; i++) {
        c->in[i] = NULL;
        for (size_t k = 0; k < c->count; k++)
            if (c->part[k].id == p[1 + 2 * i])
                c->in[i] = &c->part[k];
        why = c->in[i] ? begin_part(c, c->in[i], p[2 + 2 * i]) : damaged;
    }
    c->units += why ? 0 : scan_units(c);
    return why || c->units <= SCAN_UNITS_MAX ? why : "it has more scans than any picture needs";
}

void scan_fini(struct scan *c)
{
    for (size_t i = 0; i < SCAN_PARTS_MAX; i++)
        free(c->part[i].set);
}

/* --- bits ------------------------------------------------------------------------------------ */

/* A byte is taken only when a bit of it is wanted: none is taken that is not of the picture. */
static unsigned bit(struct scan *c)
{
    if (c->bit_count == 0) {
        const int byte = c->next(c->self);
        if (byte < 0) {
            c->cut = true;
            return 0;
        }
        c->bits = (unsigned)byte;
        c->bit_count = 8;
    }
    return c->bits >> --c->bit_count & 1;
}

static unsigned bits(struct scan *c, unsigned count)
{
    unsigned v = 0;

    while (count-- > 0)
        v = v << 1 | bit(c);
    return v;
}

static unsigned value(struct scan *c, const struct scan_codes *codes)
{
    unsigned code = 0, first = 0, index = 0;

    for (int len = 1; len <= 16 && !c->cut; len++) {
        code |= bit(c);
        const unsigned count = codes->count[len];
        if (code < first + count)
            return codes->value[index + (code - first)];
        index += count;
        first = (first + count) << 1;
        code <<= 1;
    }
    if (!c->cut)
        c->why = damaged;
    return 0;
}

/* --- a block --------------------------------------------------------------------------------- */

static void first_bits(struct scan *c, const struct scan_codes *codes)
{
    const unsigned count = value(c, codes);

    if (count > 16)
        c->why = damaged;
    else
        (void)bits(c, count);
}

static void block_sequential(struct scan *c, const struct scan_part *p)
{
    first_bits(c, p->dc);
    for (unsigned k = 1; k < 64 && !c->cut && !c->why; k++) {
        const unsigned v = value(c, p->ac), zeros = v >> 4, count = v & 15;
        if (count == 0 && zeros != 15)
            return;
        k += zeros;
        if (k > 63 && count)
            c->why = damaged;
        (void)bits(c, count);
    }
}

static void block_first(struct scan *c, const struct scan_part *p, uint64_t *set)
{
    for (unsigned k = c->from; k <= c->to && !c->cut && !c->why; k++) {
        const unsigned v = value(c, p->ac), zeros = v >> 4, count = v & 15;
        if (count == 0 && zeros != 15) {
            c->run = (1u << zeros) + bits(c, zeros) - 1;
            return;
        }
        k += zeros;
        if (k > c->to && count)
            c->why = damaged;
        else if (count)
            *set |= UINT64_C(1) << k;
        (void)bits(c, count);
    }
}

/* A bit of each that is not zero, from `k` on until `zeros` are passed by. Returns the next that is
 * zero. */
static unsigned refine(struct scan *c, uint64_t set, unsigned k, unsigned zeros)
{
    for (; k <= c->to && !c->cut; k++)
        if (set >> k & 1)
            (void)bit(c);
        else if (zeros-- == 0)
            break;
    return k;
}

static void block_refined(struct scan *c, const struct scan_part *p, uint64_t *set)
{
    unsigned k = c->from;

    while (c->run == 0 && k <= c->to && !c->cut && !c->why) {
        const unsigned v = value(c, p->ac), zeros = v >> 4, count = v & 15;
        if (count == 0 && zeros != 15)
            c->run = (1u << zeros) + bits(c, zeros);
        else {
            if (count)
                (void)bit(c);
            k = refine(c, *set, k, zeros);
            if (k > c->to && count)
                c->why = damaged;
            else if (count)
                *set |= UINT64_C(1) << k;
            k++;
        }
    }
    if (c->run == 0 || c->cut || c->why)
        return;
    (void)refine(c, *set, k, 64);
    c->run--;
}

static void block(struct scan *c, struct scan_part *p, size_t at)
{
    if (!c->progressive)
        block_sequential(c, p);
    else if (c->from == 0 && c->high == 0)
        first_bits(c, p->dc);
    else if (c->from == 0)
        (void)bit(c);
    else if (c->high)
        block_refined(c, p, &p->set[at]);
    else if (c->run)
        c->run--;
    else
        block_first(c, p, &p->set[at]);
}

/* --- units ----------------------------------------------------------------------------------- */

uint64_t scan_units(const struct scan *c)
{
    if (c->in_count == 1)
        return (uint64_t)c->in[0]->wide * c->in[0]->tall;
    return (uint64_t)up(c->width, 8 * c->h_most) * up(c->height, 8 * c->v_most);
}

/* Only where one part is alone does it matter which block it is. */
static void unit(struct scan *c, uint64_t n)
{
    struct scan_part *p = c->in[0];

    if (c->in_count == 1) {
        block(c, p, (size_t)(n / p->wide * p->stride + n % p->wide));
        return;
    }
    for (size_t i = 0; i < c->in_count; i++)
        for (unsigned k = 0; k < (unsigned)c->in[i]->h * c->in[i]->v && !c->cut && !c->why; k++)
            block(c, c->in[i], 0);
}

const char *scan_follow(struct scan *c, uint64_t *left)
{
    const uint64_t all = scan_units(c);
    uint64_t now = c->interval && c->interval < *left ? c->interval : *left;

    c->bit_count = 0;
    c->run = 0;
    c->cut = false;
    c->why = NULL;
    for (; now > 0 && !c->cut && !c->why; now--, --*left)
        unit(c, all - *left);
    return c->why;
}
