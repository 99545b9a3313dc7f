/* Vietnamese text, dates and decimals. The only owner of utf8proc; knows no record and no locale.
 */
#include "text.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <utf8proc.h>

enum { PARTS_MAX = 32, PIECE_BYTES = 256, YEAR_MIN = 1900, YEAR_MAX = 2999 };

/* --- UTF-8 --- */

/* How many of the first bytes are ASCII; NUL counts as such. */
static size_t ascii_run(struct span s)
{
    size_t i = 0;
    for (uint64_t eight; s.len - i >= sizeof eight; i += sizeof eight) {
        memcpy(&eight, s.p + i, sizeof eight);
        if (eight & UINT64_C(0x8080808080808080))
            break;
    }
    while (i < s.len && s.p[i] < 0x80)
        i++;
    return i;
}

static bool is_tail(uint8_t byte)
{
    return (byte & 0xc0) == 0x80;
}

/* The character at s.p[at] to *c; returns its bytes, 0 when it is not valid UTF-8. */
static size_t decode(struct span s, size_t at, int32_t *c)
{
    const uint8_t *p = s.p + at;
    size_t left = s.len - at;
    if (p[0] < 0x80) {
        *c = p[0];
        return 1;
    }
    if (p[0] < 0xc2 || p[0] > 0xf4 || left < 2 || !is_tail(p[1]))
        return 0;
    if (p[0] < 0xe0) {
        *c = (p[0] & 0x1f) << 6 | (p[1] & 0x3f);
        return 2;
    }
    if (left < 3 || !is_tail(p[2]))
        return 0;
    if (p[0] < 0xf0) {
        *c = (p[0] & 0x0f) << 12 | (p[1] & 0x3f) << 6 | (p[2] & 0x3f);
        return *c >= 0x800 && (*c < 0xd800 || *c > 0xdfff) ? 3 : 0;
    }
    if (left < 4 || !is_tail(p[3]))
        return 0;
    *c = (p[0] & 0x07) << 18 | (p[1] & 0x3f) << 12 | (p[2] & 0x3f) << 6 | (p[3] & 0x3f);
    return *c >= 0x10000 && *c <= 0x10ffff ? 4 : 0;
}

static void put_point(struct buf *out, int32_t c)
{
    uint8_t bytes[4];
    utf8proc_ssize_t n = utf8proc_encode_char(c, bytes);
    if (n > 0)
        buf_put(out, bytes, (size_t)n);
}

bool text_is_utf8(struct span s)
{
    if (s.len && memchr(s.p, 0, s.len))
        return false;
    for (size_t i = 0, n; i < s.len; i += n) {
        int32_t c;
        n = s.p[i] < 0x80 ? ascii_run(span_of(s.p + i, s.len - i)) : decode(s, i, &c);
        if (n == 0)
            return false;
    }
    return true;
}

size_t text_cut(const char *s, size_t most)
{
    size_t n = strnlen(s, most + 1);
    if (n <= most)
        return n;
    for (n = most; n > 0 && ((uint8_t)s[n] & 0xc0) == 0x80;)
        n--;
    return n;
}

bool text_is_printable(struct span s)
{
    for (size_t i = 0; i < s.len; i++) {
        uint8_t byte = s.p[i];
        if ((byte < 0x20 && byte != '\t' && byte != '\n') || byte == 0x7f)
            return false;
        if (byte == 0xc2 && i + 1 < s.len && s.p[i + 1] >= 0x80 && s.p[i + 1] < 0xa0)
            return false; /* U+0080..U+009F */
    }
    return true;
}

/* Are all eight bytes printable ASCII? */
static bool eight_plain(const uint8_t *p)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), high = ones << 7;
    uint64_t v;
    memcpy(&v, p, sizeof v);
    uint64_t control = v - ones * 0x20, del = v + ones;
    return !((v | control | del) & high);
}

bool text_is_plain(struct span s)
{
    size_t i = 0;
    while (s.len - i >= 8 && eight_plain(s.p + i))
        i += 8;
    while (i < s.len) {
        uint8_t lead = s.p[i];
        size_t left = s.len - i;
        if (lead < 0x80) {
            if (lead < 0x20 || lead == 0x7f)
                return false;
            i++;
        } else if (lead >= 0xc3 && lead < 0xe0 && left >= 2 && is_tail(s.p[i + 1])) {
            i += 2; /* from 0xc3, since 0xc2 begins control characters */
        } else if (lead > 0xe0 && lead < 0xed && left >= 3 && is_tail(s.p[i + 1]) &&
                   is_tail(s.p[i + 2])) {
            i += 3; /* above what could be overlong, below the surrogates */
        } else {
            return false;
        }
    }
    return true;
}

/* --- comparing --- */

/* True only for text that NFC leaves alone: nothing but characters that never compose with what
 * precedes them and are composed themselves. Nearly all Vietnamese text is of this kind. */
static bool is_plainly_composed(struct span s)
{
    for (size_t i = 0, n; i < s.len; i += n) {
        int32_t c = 0;
        n = s.p[i] < 0x80 ? ascii_run(span_of(s.p + i, s.len - i)) : decode(s, i, &c);
        if (n == 0 || (c >= 0x300 && !(c >= 0x1ea0 && c <= 0x1ef9)))
            return false;
    }
    return true;
}

/* NFC in malloc'ed memory, or a negative error of utf8proc. */
static utf8proc_ssize_t compose(struct span s, uint8_t **out)
{
    *out = NULL;
    return utf8proc_map(s.p, (utf8proc_ssize_t)s.len, out, UTF8PROC_STABLE | UTF8PROC_COMPOSE);
}

bool text_equal(struct span a, struct span b)
{
    if (span_eq(a, b))
        return true;
    if (is_plainly_composed(a) && is_plainly_composed(b))
        return false;
    uint8_t *x, *y;
    utf8proc_ssize_t x_len = compose(a, &x), y_len = compose(b, &y);
    bool equal =
        x_len >= 0 && y_len >= 0 && span_eq(span_of(x, (size_t)x_len), span_of(y, (size_t)y_len));
    free(x);
    free(y);
    return equal;
}

void text_form(struct buf *out, struct span s, bool composed)
{
    const utf8proc_option_t how = composed ? UTF8PROC_COMPOSE : UTF8PROC_DECOMPOSE;
    uint8_t *form = NULL;
    utf8proc_ssize_t len = utf8proc_map(s.p, (utf8proc_ssize_t)s.len, &form, UTF8PROC_STABLE | how);
    if (len == UTF8PROC_ERROR_NOMEM)
        out->failed = true;
    else if (len < 0)
        buf_put(out, s.p, s.len);
    else
        buf_put(out, form, (size_t)len);
    free(form);
}

/* --- folding --- */

/* What the letters fold to, a dot where it takes utf8proc to know. */
enum { LATIN_FIRST = 0xc0, LATIN_END = 0x240, VIET_FIRST = 0x1ea0, VIET_END = 0x1efa };

static const char latin_folded[] = "aaaaaa.ceeeeiiii.nooooo..uuuuy..aaaaaa.ceeeeiiii"  /* U+00C0 */
                                   ".nooooo..uuuuy.yaaaaaaccccccccddddeeeeeeeeeegggg"  /* U+00F0 */
                                   "gggghh..iiiiiiiii...jjkk.llllll....nnnnnn...oooo"  /* U+0120 */
                                   "oo..rrrrrrsssssssstttt..uuuuuuuuuuuuwwyyyzzzzzzs"  /* U+0150 */
                                   "................................oo.............u"  /* U+0180 */
                                   "u............................aaiioouuuuuuuuuu.aa"  /* U+01B0 */
                                   "aa....ggkkoooo..j...gg..nnaa....aaaaeeeeiiiioooo"  /* U+01E0 */
                                   "rrrruuuusstt..hh......aaeeooooooooyy............"; /* U+0210 */
static const char viet_folded[] = "aaaaaaaaaaaaaaaaaaaaaaaaeeeeeeeeeeeeeeeeiiiioooo"
                                  "oooooooooooooooooooouuuuuuuuuuuuuuyyyyyyyy";
_Static_assert(sizeof latin_folded - 1 == LATIN_END - LATIN_FIRST, "a letter for each");
_Static_assert(sizeof viet_folded - 1 == VIET_END - VIET_FIRST, "a letter for each");

struct folder {
    struct buf *out;
    bool begun, space; /* something was written; a space waits for what follows it */
    size_t len;
    uint8_t piece[PIECE_BYTES]; /* gathered here, since a call for each letter is slow */
};

static void fold_flush(struct folder *f)
{
    buf_put(f->out, f->piece, f->len);
    f->len = 0;
}

/* An ASCII character that is no space, folded already. */
static inline void fold_letter(struct folder *f, char c)
{
    if (f->len + 2 > sizeof f->piece)
        fold_flush(f);
    if (f->space && f->begun)
        f->piece[f->len++] = ' ';
    f->space = false;
    f->begun = true;
    f->piece[f->len++] = (uint8_t)c;
}

static void fold_put(struct folder *f, int32_t c)
{
    utf8proc_category_t category = c < 0x80 ? UTF8PROC_CATEGORY_CN : utf8proc_category(c);
    if (c <= ' ' || (c >= 0x7f && c <= 0xa0) || category == UTF8PROC_CATEGORY_ZS ||
        category == UTF8PROC_CATEGORY_ZL || category == UTF8PROC_CATEGORY_ZP) {
        f->space = true;
        return;
    }
    if (f->len + 5 > sizeof f->piece) /* a space and a character */
        fold_flush(f);
    if (f->space && f->begun)
        f->piece[f->len++] = ' ';
    f->space = false;
    f->begun = true;
    if (c < 0x80)
        f->piece[f->len++] = (uint8_t)(c >= 'A' && c <= 'Z' ? c + 'a' - 'A' : c);
    else
        f->len += (size_t)utf8proc_encode_char(c, f->piece + f->len);
}

/* Marks go before case is folded: folding turns some into letters (iota below), and then composed
 * and decomposed text would differ. */
static void fold_slowly(struct folder *f, int32_t c)
{
    const utf8proc_option_t strip = UTF8PROC_COMPAT | UTF8PROC_DECOMPOSE | UTF8PROC_STRIPMARK;
    int32_t base[PARTS_MAX], folded[PARTS_MAX];
    int boundary = 0;
    utf8proc_ssize_t n = utf8proc_decompose_char(c, base, PARTS_MAX, strip, &boundary);
    for (utf8proc_ssize_t i = 0; i < n && n <= PARTS_MAX; i++) {
        utf8proc_ssize_t m = utf8proc_decompose_char(base[i], folded, PARTS_MAX,
                                                     strip | UTF8PROC_CASEFOLD, &boundary);
        for (utf8proc_ssize_t j = 0; j < m && m <= PARTS_MAX; j++)
            fold_put(f, folded[j]);
    }
}

void text_fold(struct buf *out, struct span s)
{
    struct folder f;
    f.out = out;
    f.begun = f.space = false;
    f.len = 0;
    for (size_t i = 0, n; i < s.len; i += n) {
        int32_t c = s.p[i];
        n = c < 0x80 ? 1 : decode(s, i, &c);
        if (n == 0) {
            n = 1;
            c = ' ';
        }
        char letter = c >= LATIN_FIRST && c < LATIN_END ? latin_folded[c - LATIN_FIRST]
                      : c >= VIET_FIRST && c < VIET_END ? viet_folded[c - VIET_FIRST]
                                                        : '.';
        if (c <= ' ' || c == 0x7f)
            f.space = true;
        else if (c < 0x80)
            fold_letter(&f, (char)(c >= 'A' && c <= 'Z' ? c + 'a' - 'A' : c));
        else if (letter != '.')
            fold_letter(&f, letter);
        else if (c < 0x300 || c > 0x36f) /* those are the combining marks */
            fold_slowly(&f, c);
    }
    fold_flush(&f);
}

/* --- names --- */

/* A vowel without tone, then with grave, acute, hook, tilde, dot. */
static const int32_t toned[][6] = {{'a', 0xe0, 0xe1, 0x1ea3, 0xe3, 0x1ea1},
                                   {'e', 0xe8, 0xe9, 0x1ebb, 0x1ebd, 0x1eb9},
                                   {'o', 0xf2, 0xf3, 0x1ecf, 0xf5, 0x1ecd},
                                   {'u', 0xf9, 0xfa, 0x1ee7, 0x169, 0x1ee5},
                                   {'y', 0x1ef3, 0xfd, 0x1ef7, 0x1ef9, 0x1ef5}};
enum { TONED_ROWS = sizeof toned / sizeof *toned, TONES = 5, NONE = -1 };

/* The row and tone of a vowel that carries one; false for all else. */
static bool tone_of(int32_t c, size_t *row, size_t *tone)
{
    for (*row = 0; *row < TONED_ROWS; ++*row)
        for (*tone = 1; *tone <= TONES; ++*tone)
            if (toned[*row][*tone] == c)
                return true;
    return false;
}

static int32_t with_tone(int32_t vowel, size_t tone)
{
    for (size_t row = 0; row < TONED_ROWS; row++)
        if (toned[row][0] == vowel)
            return toned[row][tone];
    return vowel;
}

static bool is_letter(int32_t c)
{
    utf8proc_category_t category = utf8proc_category(c);
    return category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_ME;
}

/* Whether both styles disagree on these two letters: open oa, oe, uy, but u belongs to q in quy. */
static bool tone_wanders(int32_t before, int32_t first, int32_t second, int32_t after)
{
    return ((first == 'o' && (second == 'a' || second == 'e')) ||
            (first == 'u' && second == 'y' && before != 'q')) &&
           !is_letter(after);
}

static bool is_name_space(int32_t c)
{
    return c <= ' ' || (c >= 0x7f && c <= 0xa0) || c == 0x200b || c == 0xfeff ||
           utf8proc_category(c) == UTF8PROC_CATEGORY_ZS;
}

/* The next character of a name from s.p[*at] on, NONE at the end: runs of space are one, those at
 * the ends none, and every apostrophe is that of the keyboard. */
static int32_t name_next(struct span s, size_t *at)
{
    const bool begun = *at > 0;
    size_t from = *at, n = 0;
    int32_t c = NONE;
    while (from < s.len && (n = decode(s, from, &c)) > 0 && is_name_space(c))
        from += n;
    if (from >= s.len || n == 0) {
        *at = s.len;
        return NONE;
    }
    if (from > *at && begun) {
        *at = from;
        return ' ';
    }
    *at = from + n;
    return c == 0x2018 || c == 0x2019 || c == 0x2bc || c == '`' || c == 0xb4 ? '\'' : c;
}

void text_name_key(struct buf *out, struct span s)
{
    uint8_t *nfc;
    utf8proc_ssize_t len = utf8proc_map(s.p, (utf8proc_ssize_t)s.len, &nfc,
                                        UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_CASEFOLD);
    if (len == UTF8PROC_ERROR_NOMEM) {
        out->failed = true;
        return;
    }
    if (len < 0) {
        buf_put(out, s.p, s.len);
        return;
    }
    struct span text = span_of(nfc, (size_t)len);
    int32_t before = NONE, first = NONE, second = NONE, after; /* a window that moves along */
    size_t at = 0;
    do {
        size_t row, tone;
        after = name_next(text, &at);
        if (tone_of(second, &row, &tone) && tone_wanders(before, first, toned[row][0], after)) {
            first = with_tone(first, tone);
            second = toned[row][0];
        }
        if (first != NONE)
            put_point(out, first);
        before = first;
        first = second;
        second = after;
    } while (first != NONE || second != NONE);
    free(nfc);
}

/* --- dates --- */

static int month_days(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

/* -1 when one of them is no digit. */
static int digits(const uint8_t *p, size_t n)
{
    int v = 0;
    for (size_t i = 0; i < n; i++) {
        if (p[i] < '0' || p[i] > '9')
            return -1;
        v = v * 10 + (p[i] - '0');
    }
    return v;
}

static bool is_day(int year, int month, int day)
{
    return year >= YEAR_MIN && year <= YEAR_MAX && month >= 1 && month <= 12 && day >= 1 &&
           day <= month_days(year, month);
}

bool text_is_date(struct span s)
{
    return s.len == 10 && s.p[4] == '-' && s.p[7] == '-' &&
           is_day(digits(s.p, 4), digits(s.p + 5, 2), digits(s.p + 8, 2));
}

static char *put_digits(char *out, int v, int width)
{
    for (int i = width - 1; i >= 0; i--, v /= 10)
        out[i] = (char)('0' + v % 10);
    return out + width;
}

static void write_date(char *out, int year, int month, int day)
{
    out = put_digits(out, year, 4);
    *out++ = '-';
    out = put_digits(out, month, 2);
    *out++ = '-';
    out = put_digits(out, day, 2);
    *out = 0;
}

/* Moments come from foreign data: beyond the years 1 to 9999 they are taken for the nearest. */
static struct tm vietnam_tm(int64_t ms)
{
    const int64_t first = INT64_C(-62135596800), last = INT64_C(253402300799);
    const int64_t ahead = INT64_C(7) * 3600; /* UTC+7, no daylight saving */
    int64_t seconds = ms / 1000 - (ms % 1000 < 0) + ahead;
    time_t local = (time_t)(seconds < first ? first : seconds > last ? last : seconds);
    struct tm tm = {.tm_mday = 1};
    gmtime_r(&local, &tm);
    return tm;
}

const char *text_day_of(int64_t ms, char *out)
{
    struct tm tm = vietnam_tm(ms);
    write_date(out, tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday);
    return out;
}

const char *text_moment(int64_t ms, char *out)
{
    struct tm tm = vietnam_tm(ms);
    char *p = put_digits(out, tm.tm_mday, 2);
    *p++ = '/';
    p = put_digits(p, tm.tm_mon + 1, 2);
    *p++ = '/';
    p = put_digits(p, tm.tm_year + 1900, 4);
    *p++ = ' ';
    p = put_digits(p, tm.tm_hour, 2);
    *p++ = ':';
    p = put_digits(p, tm.tm_min, 2);
    *p = 0;
    return out;
}

bool text_add_months(const char *date, int months, char *out)
{
    struct span s = span_str(date);
    if (!text_is_date(s))
        return false;
    int64_t index = (int64_t)digits(s.p, 4) * 12 + digits(s.p + 5, 2) - 1 + months;
    if (index < YEAR_MIN * 12 || index >= (YEAR_MAX + 1) * 12)
        return false;
    int year = (int)(index / 12), month = (int)(index % 12) + 1, day = digits(s.p + 8, 2);
    if (day > month_days(year, month))
        day = month_days(year, month);
    write_date(out, year, month, day);
    return true;
}

bool text_parse_date(struct span s, char *out)
{
    int part[3] = {0}, width[3] = {0}, n = 0;
    uint8_t separator = 0;
    for (size_t i = 0; i < s.len; i++) {
        uint8_t c = s.p[i];
        if (c >= '0' && c <= '9' && width[n] < 4) {
            part[n] = part[n] * 10 + (c - '0');
            width[n]++;
        } else if ((c == '/' || c == '-' || c == '.') && width[n] && n < 2 &&
                   (n == 0 || c == separator)) {
            separator = c;
            n++;
        } else {
            return false;
        }
    }
    int y = width[0] == 4 ? 0 : 2, d = 2 - y;
    if (n != 2 || width[y] != 4 || width[1] > 2 || width[d] < 1 || width[d] > 2 ||
        !is_day(part[y], part[1], part[d]))
        return false;
    write_date(out, part[y], part[1], part[d]);
    return true;
}

/* --- decimals --- */

bool text_is_decimal(struct span s)
{
    size_t i = s.len && s.p[0] == '-', before = 0, after = 0;
    for (; i < s.len && s.p[i] >= '0' && s.p[i] <= '9'; i++)
        before++;
    if (i < s.len && s.p[i] == '.') {
        for (i++; i < s.len && s.p[i] >= '0' && s.p[i] <= '9'; i++)
            after++;
        if (!after)
            return false;
    }
    return i == s.len && before > 0 && before + after <= 18;
}
