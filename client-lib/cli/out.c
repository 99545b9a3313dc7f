/* Growing output text, and how values are written for people, as JSON and as CSV. Knows no records
 * and no files. */
#include "out.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* A list, an export's page and a record are far below this. */
#define OUT_BYTES_MAX ((size_t)256 * 1024 * 1024)

static bool reserve(struct out *o, size_t len)
{
    size_t cap = o->cap ? o->cap : 1024;
    char *p;

    if (o->failed || len >= OUT_BYTES_MAX - o->len) {
        o->failed = true;
        return false;
    }
    while (cap <= o->len + len)
        cap *= 2;
    if (cap == o->cap)
        return true;
    p = realloc(o->p, cap);
    if (!p) {
        o->failed = true;
        return false;
    }
    o->p = p;
    o->cap = cap;
    return true;
}

void out_put(struct out *o, const char *p, size_t len)
{
    if (len == 0 || !reserve(o, len))
        return;
    memcpy(o->p + o->len, p, len);
    o->len += len;
}

void out_str(struct out *o, const char *text)
{
    out_put(o, text, strlen(text));
}

void out_printf(struct out *o, const char *format, ...)
{
    va_list args, again;
    int len;

    va_start(args, format);
    va_copy(again, args);
    len = vsnprintf(NULL, 0, format, args);
    if (len < 0)
        o->failed = true;
    else if (reserve(o, (size_t)len + 1)) {
        (void)vsnprintf(o->p + o->len, (size_t)len + 1, format, again);
        o->len += (size_t)len;
    }
    va_end(again);
    va_end(args);
}

void out_spaces(struct out *o, size_t count)
{
    if (!reserve(o, count))
        return;
    memset(o->p + o->len, ' ', count);
    o->len += count;
}

const char *out_text(struct out *o)
{
    if (!reserve(o, 1))
        return "";
    o->p[o->len] = '\0';
    return o->p;
}

void out_fini(struct out *o)
{
    free(o->p);
    *o = (struct out){0};
}

/* --- for people ------------------------------------------------------------------------------ */

/* The code point at p; returns its bytes, 0 when they are not UTF-8. */
static size_t decode(const unsigned char *p, size_t len, uint32_t *out)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t n = p[0] < 0x80 ? 1 : p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : p[0] >= 0xc2 ? 2 : 0;

    if (n == 0 || n > len || p[0] > 0xf4)
        return 0;
    *out = n == 1 ? p[0] : p[0] & (0x7fu >> n);
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        *out = *out << 6 | (p[i] & 0x3fu);
    }
    return *out >= least[n] && *out <= 0x10ffff && (*out < 0xd800 || *out > 0xdfff) ? n : 0;
}

/* Controls of the terminal (C0, DEL, C1), separators of lines, and marks and overrides of the
 * direction of text. */
static bool is_unsafe(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x061c || c == 0x200e || c == 0x200f ||
           (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

/* What is not safe is escaped, as JSON does or as people read it; `allowed` is left alone. */
static void put_safely(struct out *o, const char *text, size_t len, const char *allowed, bool json)
{
    const unsigned char *p = (const unsigned char *)text;
    size_t n;
    uint32_t c = 0;

    for (size_t i = 0; i < len; i += n ? n : 1) {
        n = decode(p + i, len - i, &c);
        if (n == 0)
            out_printf(o, "\\x{%02x}", p[i]);
        else if (is_unsafe(c) && !(c && c < 0x80 && strchr(allowed, (int)c)))
            out_printf(o, json ? "\\u%04x" : "\\u{%x}", (unsigned)c);
        else
            out_put(o, text + i, n);
    }
}

void out_plain(struct out *o, const char *text, bool lines)
{
    put_safely(o, text, strlen(text), lines ? "\n" : "", false);
}

bool out_write(struct out *o, FILE *file)
{
    struct out safe = {0};
    const struct out *from = o;
    bool written;

    if (o->len && isatty(fileno(file))) {
        put_safely(&safe, o->p, o->len, "\n\r\t", true);
        from = &safe;
    }
    written = !from->failed && (from->len == 0 || fwrite(from->p, 1, from->len, file) == from->len);
    out_fini(&safe);
    return written;
}

size_t out_columns(const char *text, size_t len)
{
    const unsigned char *p = (const unsigned char *)text;
    size_t columns = 0, n;
    uint32_t c = 0;

    for (size_t i = 0; i < len; i += n ? n : 1) {
        n = decode(p + i, len - i, &c);
        columns += n == 0 || c < 0x300 || c > 0x36f;
    }
    return columns;
}

const char *out_moment(int64_t ms, char *text)
{
    enum { VIETNAM_SECONDS = 7 * 3600 };
    int64_t seconds = ms / 1000 - (ms % 1000 < 0) + VIETNAM_SECONDS;
    time_t t = (time_t)seconds;
    struct tm tm;

    if (!gmtime_r(&t, &tm) || strftime(text, OUT_MOMENT_MAX, "%Y-%m-%d %H:%M:%S+07:00", &tm) == 0)
        (void)snprintf(text, OUT_MOMENT_MAX, "%lld ms", (long long)ms);
    return text;
}

/* --- for machines ---------------------------------------------------------------------------- */

void out_json(struct out *o, const char *text)
{
    out_put(o, "\"", 1);
    for (const char *c = text; *c; c++) {
        if (*c == '"' || *c == '\\')
            out_printf(o, "\\%c", *c);
        else if ((unsigned char)*c < 0x20 || *c == 0x7f)
            out_printf(o, "\\u%04x", (unsigned)(unsigned char)*c);
        else
            out_put(o, c, 1);
    }
    out_put(o, "\"", 1);
}

void out_csv(struct out *o, const char *text, bool is_text)
{
    bool quote = strpbrk(text, ",\"\r\n") != NULL;

    if (quote)
        out_put(o, "\"", 1);
    if (is_text && *text && strchr("=+-@\t\r", *text))
        out_put(o, "'", 1);
    for (const char *c = text; *c; c++) {
        if (*c == '"')
            out_put(o, "\"", 1);
        out_put(o, c, 1);
    }
    if (quote)
        out_put(o, "\"", 1);
}
