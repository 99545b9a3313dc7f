/* The seam to the world: clock, randomness, log. The simulator puts its own behind it. */
#ifndef BASE_ENV_H
#define BASE_ENV_H

#include <stddef.h>
#include <stdint.h>

enum env_level { ENV_DEBUG, ENV_INFO, ENV_WARN, ENV_ERROR };

struct env {
    int64_t (*now_ms)(void *self);                     /* wall clock, ms since 1970 UTC */
    int64_t (*mono_ms)(void *self);                    /* for durations only */
    void (*random)(void *self, void *out, size_t len); /* unpredictable bytes */
    void (*log)(void *self, enum env_level level, const char *line); /* one logfmt line, no \n */
    void *self;
};

/** The real world: system clock, libsodium, logfmt on stderr. Static; never freed. */
const struct env *env_system(void);

/** What env_system() logs at least; ENV_WARN until set. */
void env_log_level(enum env_level level);

int64_t env_now_ms(const struct env *env);
int64_t env_mono_ms(const struct env *env);
void env_random(const struct env *env, void *out, size_t len);

/** One event: `event` and then "key=value" pairs as of printf. Text that may hold spaces must be
 *  passed through env_quote by the caller. Never field contents or keys. */
void env_log(const struct env *env, enum env_level level, const char *event, const char *format,
             ...) __attribute__((format(printf, 4, 5)));

/** Write `text` as a logfmt value (quoted, control characters escaped) to out; returns out. */
const char *env_quote(char *out, size_t room, const char *text);

#endif
