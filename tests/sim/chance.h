/* Chance from a seed: the only source of it in the simulator. */
#ifndef SIM_CHANCE_H
#define SIM_CHANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct chance {
    uint64_t state;
};

/* splitmix64: small, and good enough that neighbouring seeds have nothing in common. */
static inline uint64_t chance_next(struct chance *c)
{
    uint64_t z = (c->state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* A stream of its own: what is drawn from it moves nothing else. */
static inline struct chance chance_of(uint64_t seed, uint64_t which)
{
    struct chance c = {seed ^ which * UINT64_C(0xd1342543de82ef95)};
    c.state = chance_next(&c);
    return c;
}

/* 0 to n-1; n is not 0. */
static inline unsigned chance_below(struct chance *c, unsigned n)
{
    return (unsigned)((chance_next(c) >> 32) % n);
}

static inline bool chance_percent(struct chance *c, unsigned percent)
{
    return chance_below(c, 100) < percent;
}

static inline void chance_fill(struct chance *c, void *out, size_t len)
{
    uint8_t *p = out;
    for (size_t i = 0; i < len; i++)
        p[i] = (uint8_t)(chance_next(c) >> 40);
}

#endif
