/* The one place that knows which characters harm. */
#include "shown.h"

#include "text.h"

/* Length of the valid UTF-8 sequence at p, 0 when there is none; *c its code point. */
static size_t decode(const uint8_t *p, size_t left, uint32_t *c)
{
    const size_t n = p[0] < 0x80 ? 1 : p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : p[0] >= 0xc2 ? 2 : 0;

    if (n == 0 || n > left || (n > 1 && !text_is_utf8(span_of(p, n))))
        return 0;
    *c = n == 1 ? p[0] : p[0] & (0x7fu >> n);
    for (size_t i = 1; i < n; i++)
        *c = *c << 6 | (p[i] & 0x3f);
    return n;
}

static bool is_harmful(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x61c || c == 0x200e || c == 0x200f ||
           (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c == 0xfeff;
}

void shown_text(struct buf *out, struct span text)
{
    for (size_t i = 0; i < text.len;) {
        uint32_t c = 0;
        const size_t n = decode(text.p + i, text.len - i, &c);
        if (n > 0 && (c == '\n' || c == '\t' || c == '\r'))
            buf_byte(out, ' ');
        else if (n == 0 || is_harmful(c))
            buf_str(out, "\xef\xbf\xbd");
        else
            buf_put(out, text.p + i, n);
        i += n ? n : 1;
    }
}

bool shown_name(struct buf *out, struct span name)
{
    const size_t from = out->len;
    size_t begin = 0;
    bool dots = true;

    for (size_t i = 0; i <= name.len; i++) {
        const uint8_t c = i < name.len ? name.p[i] : '/';
        dots = dots && (i == name.len || c == '.');
        if (c != '/' && c != '\\')
            continue;
        shown_text(out, span_of(name.p + begin, i - begin));
        begin = i + 1;
        if (i < name.len || (dots && name.len > 0 && name.len <= 2))
            buf_str(out, "\xef\xbf\xbd");
    }
    return !out->failed && out->len - from == name.len &&
           (name.len == 0 || memcmp(out->p + from, name.p, name.len) == 0);
}

/* `inner`: it is JSON already, in which such characters stand in strings only. */
static void put_json(struct buf *out, struct span text, bool inner)
{
    for (size_t i = 0; i < text.len;) {
        uint32_t c = 0;
        const size_t n = decode(text.p + i, text.len - i, &c);
        if (n == 0)
            buf_str(out, "\\ufffd");
        else if (!inner && (c == '"' || c == '\\'))
            buf_printf(out, "\\%c", (int)c);
        else if (is_harmful(c) && !(inner && c == '\n'))
            buf_printf(out, "\\u%04x", c);
        else
            buf_put(out, text.p + i, n);
        i += n ? n : 1;
    }
}

void shown_json(struct buf *out, struct span text)
{
    buf_byte(out, '"');
    put_json(out, text, false);
    buf_byte(out, '"');
}

void shown_json_value(struct buf *out, struct span json)
{
    put_json(out, json, true);
}
