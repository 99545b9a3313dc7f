/* The real world behind the seam: system clock, libsodium's randomness, logfmt on stderr. Nobody
 * else asks the system for time or chance. */
#include "env.h"

#include <sodium.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>

#include "err.h"

enum { LINE_BYTES_MAX = 1024 };

static atomic_int least = ENV_WARN; /* any thread may log while another sets it */

static int64_t clock_ms(clockid_t which)
{
    struct timespec t;
    CHECK(clock_gettime(which, &t) == 0);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int64_t system_now(void *self)
{
    (void)self;
    return clock_ms(CLOCK_REALTIME);
}

static int64_t system_mono(void *self)
{
    (void)self;
    return clock_ms(CLOCK_MONOTONIC);
}

static void system_random(void *self, void *out, size_t len)
{
    (void)self;
    randombytes_buf(out, len);
}

static void system_log(void *self, enum env_level level, const char *line)
{
    (void)self;
    if ((int)level >= atomic_load_explicit(&least, memory_order_relaxed))
        fprintf(stderr, "%s\n", line);
}

const struct env *env_system(void)
{
    static const struct env env = {system_now, system_mono, system_random, system_log, NULL};
    CHECK(sodium_init() >= 0); /* does nothing the second time; any thread */
    return &env;
}

void env_log_level(enum env_level level)
{
    atomic_store_explicit(&least, (int)level, memory_order_relaxed);
}

int64_t env_now_ms(const struct env *env)
{
    return env->now_ms(env->self);
}

int64_t env_mono_ms(const struct env *env)
{
    return env->mono_ms(env->self);
}

void env_random(const struct env *env, void *out, size_t len)
{
    env->random(env->self, out, len);
}

static size_t write_stamp(char *out, size_t room, int64_t now)
{
    struct tm tm = {0};
    int ms = (int)(now % 1000);
    if (ms < 0)
        ms += 1000;
    time_t seconds = (time_t)((now - ms) / 1000);
    if (!gmtime_r(&seconds, &tm))
        return 0;
    size_t len = strftime(out, room, "ts=%Y-%m-%dT%H:%M:%S", &tm);
    return len + (size_t)snprintf(out + len, room - len, ".%03dZ ", ms);
}

void env_log(const struct env *env, enum env_level level, const char *event, const char *format,
             ...)
{
    static const char *const names[] = {"debug", "info", "warn", "error"};
    char line[LINE_BYTES_MAX];
    size_t used = write_stamp(line, sizeof line, env_now_ms(env));
    int n = snprintf(line + used, sizeof line - used, "level=%s event=%s%s", names[level], event,
                     *format ? " " : "");
    used += n > 0 ? (size_t)n : 0;
    if (used < sizeof line) { /* a longer line is cut */
        va_list args;
        va_start(args, format);
        vsnprintf(line + used, sizeof line - used, format, args);
        va_end(args);
    }
    env->log(env->self, level, line);
}

/* C0, DEL, and both bytes of a C1 control, which some terminals obey. */
static bool is_control(const unsigned char *p, bool first)
{
    return *p < 0x20 || *p == 0x7f || (*p == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0) ||
           (!first && p[-1] == 0xc2 && *p >= 0x80 && *p < 0xa0);
}

const char *env_quote(char *out, size_t room, const char *text)
{
    const unsigned char *from = (const unsigned char *)text, *p = from;
    size_t at = 0;
    if (room < 3) { /* not even quotes */
        if (room)
            out[0] = 0;
        return out;
    }
    out[at++] = '"';
    for (; *p; p++) {
        char piece[8];
        int n = is_control(p, p == from)  ? snprintf(piece, sizeof piece, "\\x%02x", *p)
                : *p == '"' || *p == '\\' ? snprintf(piece, sizeof piece, "\\%c", *p)
                                          : snprintf(piece, sizeof piece, "%c", *p);
        if (at + (size_t)n + 2 > room)
            break;
        for (int i = 0; i < n; i++)
            out[at++] = piece[i];
    }
    if ((*p & 0xc0) == 0x80) { /* cut within a character: leave all of it out */
        while (at > 1 && ((unsigned char)out[at - 1] & 0xc0) == 0x80)
            at--;
        if (at > 1 && (unsigned char)out[at - 1] >= 0xc0)
            at--;
    }
    out[at++] = '"';
    out[at] = 0;
    return out;
}
