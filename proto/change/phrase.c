/* The text model. See phrase.h. */
#include "phrase.h"

#include "err.h"

enum { PAIR_BITS = 13, LEXICON_ROOM = 64 };

struct entry {
    struct span s;
    uint32_t next; /* words: what followed last time */
    uint8_t sure;  /* how often running */
    uint32_t weight;
};

/* Where the next bytes go, when reading. */
struct sink {
    uint8_t *p;
    size_t len, room;
    bool full;
};

static bool reading(const struct phrase *p)
{
    return p->c->way == CODER_READ;
}

void phrase_init(struct phrase *p, struct coder *c, struct arena *a)
{
    *p = (struct phrase){.c = c, .a = a};
    p->pairs = arena_calloc(a, 1u << PAIR_BITS, sizeof *p->pairs);
    p->failed = !p->pairs;
}

/* --- lexicons --- */

static uint32_t hash_of(struct span s)
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < s.len; i++)
        h = (h ^ s.p[i]) * 16777619u;
    return h ^ h >> 15;
}

static void sums_add(struct lexicon *l, size_t at, uint32_t more)
{
    l->total += more;
    for (; at <= l->room; at += at & (~at + 1))
        l->sums[at] += more;
}

static uint32_t slot_of(const struct lexicon *l, struct span s)
{
    uint32_t mask = (uint32_t)l->room * 2 - 1, at = hash_of(s) & mask;
    while (l->slots[at] && !span_eq(l->v[l->slots[at]].s, s))
        at = (at + 1) & mask;
    return at;
}

static bool lexicon_grow(struct phrase *p, struct lexicon *l)
{
    struct lexicon more = {.room = l->room ? l->room * 2 : LEXICON_ROOM, .count = l->count};
    more.v = arena_calloc(p->a, more.room + 1, sizeof *more.v);
    more.sums = arena_calloc(p->a, more.room + 1, sizeof *more.sums);
    if (!reading(p)) /* a reader is told the number */
        more.slots = arena_calloc(p->a, more.room * 2, sizeof *more.slots);
    if (!more.v || !more.sums || (!more.slots && !reading(p))) {
        p->failed = true;
        return false;
    }
    for (size_t i = 1; i <= l->count; i++) {
        more.v[i] = l->v[i];
        sums_add(&more, i, l->v[i].weight);
        if (!reading(p))
            more.slots[slot_of(&more, l->v[i].s)] = (uint32_t)i;
    }
    *l = more;
    return true;
}

/* 0 when it is not there. */
static uint32_t lexicon_find(const struct lexicon *l, struct span s)
{
    return l->count ? l->slots[slot_of(l, s)] : 0;
}

static uint32_t lexicon_add(struct phrase *p, struct lexicon *l, struct span s)
{
    if (l->count == l->room && !lexicon_grow(p, l))
        return 0;
    uint32_t at = (uint32_t)++l->count;
    l->v[at] = (struct entry){.s = s, .weight = 1};
    if (!reading(p))
        l->slots[slot_of(l, s)] = at;
    sums_add(l, at, 1);
    return at;
}

/* Which entry holds `target`; *from: what the entries before it sum up to. */
static uint32_t sums_find(const struct lexicon *l, uint32_t target, uint32_t *from)
{
    size_t at = 0;
    *from = 0;
    for (size_t step = l->room; step > 0; step /= 2)
        if (at + step <= l->count && *from + l->sums[at + step] <= target) {
            at += step;
            *from += l->sums[at];
        }
    return (uint32_t)at + 1;
}

static uint32_t sums_before(const struct lexicon *l, size_t at)
{
    uint32_t sum = 0;
    for (at--; at > 0; at &= at - 1)
        sum += l->sums[at];
    return sum;
}

/* An entry, or 0 for a new one. That is as likely as there are entries: each was new once. */
static uint32_t entry_code(struct phrase *p, struct lexicon *l, uint32_t at)
{
    uint32_t fresh = (uint32_t)l->count, total = l->total + fresh, from = 0;
    if (fresh == 0)
        return 0;
    if (reading(p)) {
        uint32_t target = coder_seek(p->c, total);
        at = target < fresh ? 0 : sums_find(l, target - fresh, &from);
    } else if (at) {
        from = sums_before(l, at);
    }
    if (at == 0)
        coder_part(p->c, 0, fresh, total);
    else
        coder_part(p->c, fresh + from, l->v[at].weight, total);
    return at;
}

/* --- parts and words --- */

static void put(struct sink *s, const uint8_t *p, size_t len)
{
    if (len > s->room - s->len) {
        s->full = true;
        return;
    }
    if (len)
        memcpy(s->p + s->len, p, len);
    s->len += len;
}

/* It stood once more. */
static void entry_met(struct phrase *p, struct lexicon *l, uint32_t at, struct sink *out)
{
    l->v[at].weight += 2;
    sums_add(l, at, 2);
    if (reading(p))
        put(out, l->v[at].s.p, l->v[at].s.len);
}

/* A byte after the one before it, if that has been seen to follow; else by itself. */
static uint8_t letter_code(struct phrase *p, uint8_t before, uint8_t letter)
{
    unsigned node = 1;
    for (int i = 7; i >= 0; i--) {
        uint32_t at = ((uint32_t)before << 8 | node) * ODDS_HASH >> (32 - PAIR_BITS);
        struct odds *pair = &p->pairs[at], *alone = &p->letters[node];
        bool by_pair = pair->seen > 0;
        unsigned bit = coder_bit(p->c, by_pair ? pair : alone, letter >> i & 1);
        odds_learn(by_pair ? alone : pair, bit);
        node = node << 1 | bit;
    }
    return (uint8_t)node;
}

/* A run of bytes by its letters. */
static struct span spell(struct phrase *p, struct span s, struct sink *out)
{
    uint8_t before = 0;
    size_t len = (size_t)coder_number(p->c, &p->length, s.len), from = out->len;
    for (size_t i = 0; i < len && !out->full; i++) {
        before = letter_code(p, before, reading(p) ? 0 : s.p[i]);
        if (reading(p))
            put(out, &before, 1);
    }
    return reading(p) ? span_of(out->p + from, out->len - from) : s;
}

/* A run of bytes as an entry of `l`, or by its letters. */
static struct span part_code(struct phrase *p, struct lexicon *l, struct span s, struct sink *out)
{
    uint32_t at = reading(p) ? 0 : lexicon_find(l, s);
    at = entry_code(p, l, at);
    if (at == 0) {
        s = spell(p, s, out);
        lexicon_add(p, l, s);
        return s;
    }
    entry_met(p, l, at, out);
    return l->v[at].s;
}

/* The consonants that a word begins with; "qu" is one, and so is "đ". */
static size_t head_len(struct span s)
{
    size_t n = 0;
    for (; n < s.len; n++) {
        uint8_t b = s.p[n] | 0x20;
        if (b == 'u' && n > 0 && (s.p[n - 1] | 0x20) == 'q')
            continue;
        if (s.p[n] == 0xc4 && n + 1 < s.len && (s.p[n + 1] | 1) == 0x91)
            n++;
        else if (b < 'a' || b > 'z' || b == 'a' || b == 'e' || b == 'i' || b == 'o' || b == 'u' ||
                 b == 'y')
            break;
    }
    return n;
}

/* By its beginning and its rime: there are few of both, and most have been met. */
static uint32_t word_new(struct phrase *p, struct span s, struct sink *out)
{
    size_t head = head_len(s), from = out->len;
    (void)part_code(p, &p->heads, span_of(s.p, head), out);
    (void)part_code(p, &p->rimes, span_of(s.p ? s.p + head : NULL, s.len - head), out);
    if (reading(p))
        s = span_of(out->p + from, out->len - from);
    return p->failed ? 0 : lexicon_add(p, &p->words, s);
}

/* A word after the word `before`: what followed that last time, or any other. */
static uint32_t word_code(struct phrase *p, uint32_t before, struct span s, struct sink *out)
{
    struct lexicon *l = &p->words;
    uint32_t at = reading(p) ? 0 : lexicon_find(l, s);
    uint32_t guess = before ? l->v[before].next : 0;
    bool hit = false;
    if (guess) {
        struct odds *o = &p->follows[l->v[before].sure];
        hit = coder_bit(p->c, o, at == guess);
    }
    if (hit)
        at = guess;
    else
        at = entry_code(p, l, at);
    if (at == 0)
        at = word_new(p, s, out);
    else
        entry_met(p, l, at, out);
    if (before && !p->failed) {
        struct entry *e = &l->v[before];
        e->sure = hit ? (uint8_t)(e->sure + (e->sure < 3)) : 0;
        e->next = at;
    }
    return at;
}

/* --- texts --- */

static bool in_word(uint8_t b)
{
    return b >= 0x80 || (b >= '0' && b <= '9') || ((b | 0x20) >= 'a' && (b | 0x20) <= 'z');
}

static size_t run_len(struct span s, size_t at, bool word)
{
    size_t n = 0;
    while (at + n < s.len && in_word(s.p[at + n]) == word)
        n++;
    return n;
}

static bool end_code(struct phrase *p, struct ends *ends, size_t at, bool end)
{
    size_t by = at / 4;
    return coder_bit(p->c, &ends->v[by < 31 ? by : 31], end);
}

/* A text is words with gaps between. The gap that is one space is told by one bit; any other, and
 * one at the beginning or the end, is a part of its own. */
size_t phrase_code(struct phrase *p, struct ends *ends, struct span text, uint8_t *out, size_t room)
{
    struct sink sink = {out, 0, room, false};
    uint32_t before = 0;
    size_t at = 0;          /* in the text, however it is come by */
    ANALYSER_KNOWS(text.p); /* but when reading, which looks at none of it */
    while (!p->failed && !sink.full) {
        if (end_code(p, ends, at, at == text.len))
            return at;
        size_t gap = reading(p) ? 0 : run_len(text, at, false);
        bool plain = at == 0 ? gap == 0 : gap == 1 && text.p[at] == ' ' && at + 1 < text.len;
        plain = !coder_bit(p->c, at == 0 ? &p->gap_first : &p->gap_other, !plain);
        if (!plain) {
            at += part_code(p, &p->gaps, span_of(text.p ? text.p + at : NULL, gap), &sink).len;
            if (coder_bit(p->c, &p->gap_last, at == text.len))
                return at;
        } else if (at > 0) {
            if (reading(p))
                put(&sink, (const uint8_t *)" ", 1);
            at++;
        }
        size_t len = reading(p) ? 0 : run_len(text, at, true), from = sink.len;
        before = word_code(p, before, span_of(text.p ? text.p + at : NULL, len), &sink);
        len = reading(p) ? sink.len - from : len;
        if (len == 0)
            break; /* no writer ends a gap but for a word */
        at += len;
    }
    return SIZE_MAX;
}
