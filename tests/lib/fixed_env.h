/* A world that is the same in every run: a clock that stands, chance from a seed, no log. */
#ifndef TEST_FIXED_ENV_H
#define TEST_FIXED_ENV_H

#include "env.h"

struct fixed_env {
    struct env env; /* hand this out; the rest is its own */
    int64_t now_ms;
    uint64_t random;
};

/** (Re)start it; it must not move while anybody holds &e->env. */
void fixed_env_init(struct fixed_env *e, uint64_t seed);

#endif
