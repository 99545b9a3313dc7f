#include "fixed_env.h"

static int64_t now(void *self)
{
    return ((struct fixed_env *)self)->now_ms;
}

static void chance(void *self, void *out, size_t len)
{
    struct fixed_env *e = self;
    for (size_t i = 0; i < len; i++) { /* splitmix64, one byte at a time */
        uint64_t z = e->random += UINT64_C(0x9e3779b97f4a7c15);
        z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
        ((uint8_t *)out)[i] = (uint8_t)(z ^ z >> 31);
    }
}

static void quiet(void *self, enum env_level level, const char *line)
{
    (void)self, (void)level, (void)line;
}

void fixed_env_init(struct fixed_env *e, uint64_t seed)
{
    *e = (struct fixed_env){.env = {now, now, chance, quiet, e},
                            .now_ms = INT64_C(1785900000000), /* 2026-08-05 */
                            .random = seed};
}
