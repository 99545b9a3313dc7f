/* Images as pieces one after the other. Only pieces that are known to show the picture are copied:
 * what a camera, or an app, may put into others is not looked at. Knows no pixels and no file. */
#include "strip.h"

#include <stdlib.h>

#include "exif.h"
#include "scan.h"
#include "zip.h"

enum { SEGMENT_MAX = 65533, ROOM = 16 * 1024 };

struct strip {
    const struct picture_in *in;
    const struct picture_out *out; /* NULL: only counted */
    struct strip_done *done;
    struct ocop_error *err;
    enum ocop_status status;
    struct span part; /* what is left of it */
    bool ended;
    bool changed;      /* something was not copied, or not as it was */
    uint64_t expected; /* bytes that will be made, when that is known */
    bool exif_written, jfif_written, adobe_written;
    unsigned chunks; /* those of a PNG that there may be one of: a bit for each that was */
    bool shown;      /* there is a byte of the picture itself */
    bool summed;     /* what is passed by goes into: */
    uint32_t sum;    /* of a PNG's chunk */
    struct zip_follow *pixels; /* of a PNG */
    bool pixels_end;
    uint64_t rows, coded, coded_all; /* bytes: of its rows; of its pixels, so far and in all */
    struct scan scan;                /* of a JPEG */
    unsigned marker;                 /* that ended what is coded; 0: none yet */
    size_t held;
    uint8_t room[ROOM], segment[SEGMENT_MAX];
};

/* --- in and out ------------------------------------------------------------------------------ */

/* Is there more? False at the end, and when it cannot be read. */
static bool more(struct strip *s)
{
    while (s->part.len == 0 && !s->ended && !s->status) {
        s->status = s->in->next(s->in->self, &s->part, s->err);
        s->ended = s->status || s->part.len == 0;
    }
    return !s->ended && !s->status;
}

static void flush(struct strip *s)
{
    if (!s->status && s->out && s->held)
        s->status = s->out->put(s->out->self, span_of(s->room, s->held), s->err);
    s->held = 0;
}

static void put(struct strip *s, const void *bytes, size_t len)
{
    const uint8_t *p = bytes;

    s->done->bytes += len;
    while (len > 0) {
        const size_t n = len < ROOM - s->held ? len : ROOM - s->held;
        memcpy(s->room + s->held, p, n);
        s->held += n;
        p += n;
        len -= n;
        if (s->held == ROOM)
            flush(s);
    }
}

static void pass(struct strip *s, size_t len)
{
    if (s->summed)
        s->sum = zip_crc(s->sum, span_of(s->part.p, len));
    s->part = span_of(s->part.p + len, s->part.len - len);
}

/* So many bytes are passed by, into `to` unless it is NULL. False when there are fewer. */
static bool take(struct strip *s, uint8_t *to, uint64_t len)
{
    while (len > 0 && more(s)) {
        const size_t n = len < s->part.len ? (size_t)len : s->part.len;
        if (to)
            memcpy(to, s->part.p, n);
        to = to ? to + n : NULL;
        pass(s, n);
        len -= n;
    }
    return len == 0;
}

static bool copy(struct strip *s, uint64_t len)
{
    while (len > 0 && more(s)) {
        const size_t n = len < s->part.len ? (size_t)len : s->part.len;
        put(s, s->part.p, n);
        pass(s, n);
        len -= n;
    }
    return len == 0;
}

static bool drop(struct strip *s, uint64_t len)
{
    s->changed = true;
    return take(s, NULL, len);
}

static void odd(struct strip *s, const char *why)
{
    if (!s->status && !s->done->why)
        s->done->why = why;
}

/* --- JPEG ------------------------------------------------------------------------------------ */

enum {
    M_TEM = 0x01,
    M_SOF0 = 0xc0,
    M_DHT = 0xc4,
    M_JPG = 0xc8,
    M_DAC = 0xcc,
    M_SOF15 = 0xcf,
    M_RST0 = 0xd0,
    M_RST7 = 0xd7,
    M_SOI = 0xd8,
    M_EOI = 0xd9,
    M_SOS = 0xda,
    M_DQT = 0xdb,
    M_DNL = 0xdc,
    M_DRI = 0xdd,
    M_APP0 = 0xe0
};

static bool begins(const struct strip *s, size_t len, const char *label, size_t label_len)
{
    return len >= label_len && memcmp(s->segment, label, label_len) == 0;
}

static void put_segment(struct strip *s, unsigned marker, const uint8_t *bytes, size_t len)
{
    const uint8_t head[4] = {0xff, (uint8_t)marker, (uint8_t)((len + 2) >> 8), (uint8_t)(len + 2)};

    put(s, head, sizeof head);
    put(s, bytes, len);
}

/* Of EXIF, which side is up. */
static void put_bare(struct strip *s, size_t len)
{
    uint8_t bare[EXIF_WRITTEN_MAX];
    struct exif e;
    size_t bare_len = 0;

    if (!s->exif_written && exif_read(span_of(s->segment, len), &e))
        bare_len = exif_write(&e, true, bare);
    if (bare_len) {
        put_segment(s, M_APP0 + 1, bare, bare_len);
        s->exif_written = true;
    }
    if (bare_len != len || memcmp(bare, s->segment, len) != 0)
        s->changed = true;
}

/* As much of it as is laid down, and once. */
static void put_first(struct strip *s, unsigned marker, size_t len, size_t want, bool *written)
{
    if (*written || len < want) {
        s->changed = true;
        return;
    }
    s->changed = s->changed || len != want;
    put_segment(s, marker, s->segment, want);
    *written = true;
}

/* JFIF, without which some decoders guess at the colours, not the small picture in it; their
 * profile; and what Adobe says of them. Not JFXX and MPF, which are further pictures. */
static void note(struct strip *s, unsigned marker, size_t len)
{
    enum { JFIF_LEN = 14, JFIF_SMALL = 12, ADOBE_LEN = 12 };

    if (marker == M_APP0 + 1) {
        put_bare(s, len);
    } else if (marker == M_APP0 && begins(s, len, "JFIF", 5)) {
        if (len >= JFIF_LEN && (s->segment[JFIF_SMALL] || s->segment[JFIF_SMALL + 1])) {
            memset(s->segment + JFIF_SMALL, 0, 2);
            s->changed = true;
        }
        put_first(s, marker, len, JFIF_LEN, &s->jfif_written);
    } else if (marker == M_APP0 + 14 && begins(s, len, "Adobe", 5)) {
        put_first(s, marker, len, ADOBE_LEN, &s->adobe_written);
    } else if (marker == M_APP0 + 2 && begins(s, len, "ICC_PROFILE", 12)) {
        put_segment(s, marker, s->segment, len);
    } else {
        s->changed = true;
    }
}

static bool is_known(unsigned marker)
{
    return (marker >= M_SOF0 && marker <= M_SOF15 && marker != M_JPG) ||
           (marker >= M_SOS && marker <= M_DRI);
}

/* One table behind the other. */
static bool are_tables(const struct strip *s, unsigned marker, size_t len)
{
    size_t at = 0, n;

    while (at < len) {
        const uint8_t *table = s->segment + at;
        n = marker == M_DQT ? (table[0] >> 4 ? 129 : 65) : 17;
        for (size_t i = 1; marker == M_DHT && i <= 16 && at + i < len; i++)
            n += table[i];
        at += n;
    }
    return at == len;
}

/* Does it have the length of what it holds? No decoder takes another one. */
static bool is_whole(const struct strip *s, unsigned marker, size_t len)
{
    switch (marker) {
    case M_DHT:
    case M_DQT:
        return are_tables(s, marker, len);
    case M_SOS:
        return len > 0 && len == 4 + 2u * s->segment[0];
    case M_DAC:
        return len % 2 == 0 && len <= 64;
    case M_DNL:
    case M_DRI:
        return len == 2;
    default:
        return len > 5 && len == 6 + 3u * s->segment[5];
    }
}

/* What the scans are read by. */
static bool remember(struct strip *s, unsigned marker, size_t len)
{
    const struct span segment = span_of(s->segment, len);
    const char *why = NULL;

    if (marker == M_DHT)
        why = scan_tables(&s->scan, segment);
    else if (marker == M_SOS)
        why = scan_begin(&s->scan, segment);
    else if (marker == M_DRI)
        s->scan.interval = (unsigned)s->segment[0] << 8 | s->segment[1];
    else if (marker >= M_SOF0 && marker <= M_SOF15 && marker != M_DAC)
        why = scan_frame(&s->scan, marker, segment);
    if (why)
        odd(s, why);
    return !why;
}

/* Each is looked at as a whole; one that is cut off goes. */
static bool segment(struct strip *s, unsigned marker)
{
    uint8_t length[2];
    size_t len;

    if (marker == M_TEM || (marker >= M_RST0 && marker <= M_RST7)) {
        s->changed = true;
        return true;
    }
    if (!take(s, length, 2)) {
        s->changed = true;
        return false;
    }
    len = (size_t)length[0] << 8 | length[1];
    if (len < 2 || marker == M_SOI) {
        odd(s, "a segment of it is none");
        return false;
    }
    len -= 2;
    if (!take(s, s->segment, len)) {
        s->changed = true;
        return false;
    }
    if (!is_known(marker)) {
        note(s, marker, len);
        return true;
    }
    if (!is_whole(s, marker, len)) {
        odd(s, "a segment of it has another length than what it holds");
        return false;
    }
    put_segment(s, marker, s->segment, len);
    return remember(s, marker, len);
}

/* What the marker is that stands here, behind its 0xff; 0 at the end, or when it is none. */
static unsigned marker_here(struct strip *s)
{
    uint8_t b = 0;

    if (!take(s, &b, 1))
        return 0;
    if (b != 0xff)
        odd(s, "between its segments stands what is none");
    while (b == 0xff)
        if (!take(s, &b, 1))
            return 0;
    if (b == 0)
        odd(s, "between its segments stands what is none");
    return b;
}

/* The next byte of the coded picture; -1 at its end. s->marker says by what it ends; 0: the file
 * does. */
static int coded_byte(struct strip *s)
{
    uint8_t b = 0;

    if (s->marker || !take(s, &b, 1))
        return -1;
    if (b != 0xff)
        return b;
    do {
        if (!take(s, &b, 1)) {
            s->changed = true;
            return -1;
        }
        s->changed = s->changed || b == 0xff; /* it fills up */
    } while (b == 0xff);
    s->marker = b;
    return b ? -1 : 0xff;
}

static int next_coded(void *self)
{
    struct strip *s = self;
    const int b = coded_byte(s);
    const uint8_t bytes[2] = {(uint8_t)b, 0};

    if (b >= 0)
        put(s, bytes, b == 0xff ? 2 : 1);
    s->shown = s->shown || b >= 0;
    return b;
}

/* Behind the last bit of the picture, or before a restart of it, nothing is of it. */
static void drop_coded(struct strip *s)
{
    while (coded_byte(s) >= 0)
        s->changed = true;
}

/* The coded picture. @return the marker behind it, 0 at the end */
static unsigned scan(struct strip *s)
{
    uint64_t left = scan_units(&s->scan);
    uint8_t restart[2] = {0xff, M_RST0};
    const char *why = NULL;

    for (s->marker = 0; !why; restart[1] = (uint8_t)(M_RST0 + (restart[1] + 1) % 8)) {
        why = scan_follow(&s->scan, &left);
        if (why || s->scan.cut)
            break;
        drop_coded(s);
        if (left == 0 || s->marker != restart[1])
            break;
        put(s, restart, sizeof restart);
        s->marker = 0;
    }
    if (why)
        odd(s, why);
    return s->marker;
}

static void strip_jpeg(struct strip *s)
{
    uint8_t b[2];
    unsigned marker;

    if (!copy(s, 2))
        return;
    marker = marker_here(s);
    while (marker && !s->done->why && !s->status) {
        if (marker == M_EOI) {
            b[0] = 0xff;
            b[1] = M_EOI;
            put(s, b, sizeof b);
            return;
        }
        if (!segment(s, marker))
            return;
        marker = marker == M_SOS ? scan(s) : marker_here(s);
    }
}

/* --- PNG ------------------------------------------------------------------------------------- */

/* What shows the picture, and how much of it there may be: each once, but for the pixels. */
static const struct chunk {
    const char *name;
    uint32_t least, most;
    bool many;
} chunks[] = {
    {"IHDR", 13, 13, false}, {"PLTE", 3, 768, false},     {"IDAT", 0, INT32_MAX, true},
    {"IEND", 0, 0, false},   {"tRNS", 1, 256, false},     {"cHRM", 32, 32, false},
    {"gAMA", 4, 4, false},   {"iCCP", 3, 4 << 20, false}, {"sBIT", 1, 4, false},
    {"sRGB", 1, 1, false},   {"cICP", 4, 4, false},       {"mDCV", 24, 24, false},
    {"cLLI", 8, 8, false},   {"bKGD", 1, 6, false},       {"pHYs", 9, 9, false},
};

/* Is this one of them? */
static bool is_shown(struct strip *s, const uint8_t *name, uint64_t len)
{
    for (unsigned i = 0; i < sizeof chunks / sizeof *chunks; i++) {
        const struct chunk *c = &chunks[i];
        if (memcmp(name, c->name, 4) != 0)
            continue;
        const bool again = s->chunks & 1u << i && !c->many;
        s->chunks |= 1u << i;
        return !again && len >= c->least && len <= c->most;
    }
    return false;
}

static uint64_t big4(const uint8_t *p)
{
    return (uint64_t)p[0] << 24 | (uint64_t)p[1] << 16 | (uint64_t)p[2] << 8 | p[3];
}

/* How many bytes its rows have, uncompressed; 0: it is none, or too large. */
static uint64_t png_rows(const uint8_t ihdr[13])
{
    static const uint8_t parts[7] = {1, 0, 3, 1, 2, 0, 4};
    static const uint8_t pass[7][4] = {{0, 0, 8, 8}, {4, 0, 8, 8}, {0, 4, 4, 8}, {2, 0, 4, 4},
                                       {0, 2, 2, 4}, {1, 0, 2, 2}, {0, 1, 1, 2}};
    const uint64_t wide = big4(ihdr), tall = big4(ihdr + 4);
    const unsigned bits = ihdr[9] < sizeof parts ? parts[ihdr[9]] * ihdr[8] : 0;
    uint64_t bytes = 0;

    if (ihdr[8] > 16 || ihdr[12] > 1 || wide > INT32_MAX || tall > INT32_MAX ||
        wide * tall > PICTURE_PIXELS_MAX || wide * tall * bits > UINT64_C(32) * PICTURE_PIXELS_MAX)
        return 0;
    if (!ihdr[12])
        return bits ? tall * (1 + (wide * bits + 7) / 8) : 0;
    for (size_t i = 0; i < 7; i++) {
        const uint8_t *o = pass[i];
        const uint64_t w = wide > o[0] ? (wide - o[0] + o[2] - 1) / o[2] : 0;
        const uint64_t h = tall > o[1] ? (tall - o[1] + o[3] - 1) / o[3] : 0;
        bytes += w ? h * (1 + (w * bits + 7) / 8) : 0;
    }
    return bits ? bytes : 0;
}

/* What stands behind each chunk. One that is not what it says is damaged, or has four bytes that no
 * decoder looks at; that of another, made here, would call damage sound. */
static bool png_sum(struct strip *s, bool keep)
{
    const uint32_t sum = s->sum;
    uint8_t told[4];

    if (!take(s, told, sizeof told))
        return false;
    if (big4(told) != sum) {
        odd(s, "a piece of it is damaged: it has another sum than it says");
        return false;
    }
    if (keep)
        put(s, told, sizeof told);
    return true;
}

static bool png_head(struct strip *s, const uint8_t head[8])
{
    if (!take(s, s->segment, 13))
        return false;
    s->rows = png_rows(s->segment);
    if (!s->rows)
        odd(s, "its size is not told, or too large");
    put(s, head, 8);
    put(s, s->segment, 13);
    return s->rows && png_sum(s, true);
}

/* The next chunk of pixels, to where what is compressed ends. @return false: there are fewer bytes,
 * or they are damaged, or hold more than the rows. *kept: bytes that are of it */
static bool png_follow(struct strip *s, uint64_t len, uint64_t *kept)
{
    uint64_t made = 0;

    while (len > 0 && more(s)) {
        const size_t n = len < s->part.len ? (size_t)len : s->part.len;
        size_t used;
        const enum ocop_status st =
            zip_follow(s->pixels, span_of(s->part.p, n), &used, &made, &s->pixels_end, NULL);
        if (st == OCOP_ENOMEM)
            s->status = err_nomem(s->err);
        if (st != OCOP_OK || made > s->rows) {
            odd(s, "its pixels are damaged, or more than it shows");
            return false;
        }
        *kept += used;
        pass(s, n);
        len -= n;
    }
    return len == 0;
}

/* The first time it is seen how far the pixels go, and counted what will be kept. */
static bool png_measure(struct strip *s, uint64_t len)
{
    uint64_t kept = 0;
    bool there;

    if (!s->pixels && !s->status)
        s->status = zip_follow_begin(&s->pixels, s->err);
    if (s->status)
        return false;
    there = png_follow(s, len, &kept);
    s->coded += kept;
    s->changed = s->changed || len == 0 || (s->pixels_end && kept < len);
    if (kept == 0 && (len == 0 || s->pixels_end))
        return there && png_sum(s, false);
    s->done->bytes += 8 + kept;
    if (!s->pixels_end || kept == len)
        return there && png_sum(s, true);
    s->done->bytes += 4;
    return there && png_sum(s, false);
}

/* The second time all behind that goes, and its last chunk ends there. */
static bool png_pixels(struct strip *s, const uint8_t name[4], uint64_t len)
{
    const uint64_t left = s->coded_all - s->coded, keep = len < left ? len : left;
    uint8_t head[8], sum[4];

    s->coded += keep;
    if (keep == 0)
        return drop(s, len + 4);
    for (int i = 0; i < 4; i++)
        head[i] = (uint8_t)(keep >> (24 - 8 * i));
    memcpy(head + 4, name, 4);
    put(s, head, sizeof head);
    if (!copy(s, keep))
        return false;
    if (keep == len)
        return png_sum(s, true);
    for (int i = 0; i < 4; i++)
        sum[i] = (uint8_t)(s->sum >> (24 - 8 * i));
    put(s, sum, sizeof sum);
    return drop(s, len - keep + 4);
}

/* Is all of it one profile, compressed? A few bytes may hold any number of them, and each costs:
 * piece by piece it is not followed further than a profile is large. */
static bool follows(struct strip *s, struct zip_follow *f, struct span in)
{
    enum { PIECE = 4096, PROFILE_MAX = 16 << 20 };
    uint64_t made = 0;
    bool ended = false;

    while (in.len > 0 && !ended && made <= PROFILE_MAX) {
        size_t used;
        const size_t n = in.len < PIECE ? in.len : PIECE;
        const enum ocop_status st = zip_follow(f, span_of(in.p, n), &used, &made, &ended, NULL);
        if (st == OCOP_ENOMEM)
            s->status = err_nomem(s->err);
        if (st)
            return false;
        in = span_of(in.p + used, in.len - used);
    }
    return ended && in.len == 0 && made <= PROFILE_MAX;
}

/* Behind its name, a 0, and another that says how it is compressed. */
static bool is_profile(struct strip *s, struct span chunk)
{
    const uint8_t *name_end = memchr(chunk.p, 0, chunk.len < 80 ? chunk.len : 80);
    const size_t at = name_end ? (size_t)(name_end - chunk.p) + 2 : chunk.len;
    struct zip_follow *f = NULL;
    bool good = false;

    if (at >= chunk.len || name_end[1] != 0)
        return false;
    s->status = zip_follow_begin(&f, s->err);
    if (!s->status)
        good = follows(s, f, span_of(chunk.p + at, chunk.len - at));
    zip_follow_end(f);
    return good;
}

/* One that has bytes behind its end goes as a whole. */
static bool png_profile(struct strip *s, const uint8_t head[8], uint64_t len)
{
    uint8_t *p = malloc((size_t)len + 1);
    bool there, good;

    if (!p) {
        s->status = err_nomem(s->err);
        return false;
    }
    there = take(s, p, len);
    good = there && is_profile(s, span_of(p, (size_t)len));
    if (good) {
        put(s, head, 8);
        put(s, p, (size_t)len);
    }
    s->changed = s->changed || !good;
    free(p);
    return there && !s->status && png_sum(s, good);
}

static bool png_chunk(struct strip *s, const uint8_t head[8], uint64_t len, bool keep)
{
    if (keep && memcmp(head + 4, "IHDR", 4) == 0)
        return png_head(s, head);
    if (keep && memcmp(head + 4, "IDAT", 4) == 0)
        return s->out ? png_pixels(s, head + 4, len) : png_measure(s, len);
    if (keep && memcmp(head + 4, "iCCP", 4) == 0)
        return png_profile(s, head, len);
    if (!keep)
        return drop(s, len + 4);
    put(s, head, 8);
    return copy(s, len) && png_sum(s, true);
}

static void strip_png(struct strip *s)
{
    uint8_t head[8]; /* length and name */
    uint64_t len;

    if (!copy(s, 8))
        return;
    s->summed = true;
    while (take(s, head, sizeof head)) {
        len = big4(head);
        s->sum = zip_crc(0, span_of(head + 4, 4));
        const bool keep = is_shown(s, head + 4, len);
        if (len > INT32_MAX || (!keep && !(head[4] & 0x20))) {
            odd(s, "it has chunks that no picture has");
            return;
        }
        if (memcmp(head + 4, "acTL", 4) == 0) {
            odd(s, "it moves");
            return;
        }
        s->shown = s->shown || (memcmp(head + 4, "IDAT", 4) == 0 && len > 0 && more(s));
        if (!png_chunk(s, head, len, keep) || memcmp(head + 4, "IEND", 4) == 0)
            return;
    }
}

/* --- WebP ------------------------------------------------------------------------------------ */

enum { WEBP_NOTED = 0x04 | 0x08, WEBP_EXTENDED_LEN = 10 }; /* flags: there is XMP, EXIF */

static void put4(uint8_t *p, uint64_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> 8 * i);
}

static uint64_t get4(const uint8_t *p)
{
    return (uint64_t)p[3] << 24 | (uint64_t)p[2] << 16 | (uint64_t)p[1] << 8 | p[0];
}

/* The chunk of an extended file says which others there are. */
static bool put_extended(struct strip *s, const uint8_t head[8], uint64_t len)
{
    uint8_t flags;

    if (len != WEBP_EXTENDED_LEN) {
        odd(s, "a chunk of it has another length than what it holds");
        return false;
    }
    if (take(s, &flags, 1)) {
        s->changed = s->changed || flags & WEBP_NOTED;
        flags &= (uint8_t)~WEBP_NOTED;
        put(s, head, 8);
        put(s, &flags, 1);
        if (copy(s, len - 1))
            return true;
    }
    odd(s, "what it says of itself is cut off");
    return false;
}

static bool is_one_of(const uint8_t *name, const char *const *names)
{
    for (; *names; names++)
        if (memcmp(name, *names, 4) == 0)
            return true;
    return false;
}

static bool webp_chunk(struct strip *s, const uint8_t head[8], uint64_t len)
{
    static const char *const shown[] = {"VP8 ", "VP8L", "ALPH", "ICCP", NULL};

    if (memcmp(head, "ANIM", 4) == 0 || memcmp(head, "ANMF", 4) == 0) {
        odd(s, "it moves");
        return false;
    }
    if (memcmp(head, "VP8X", 4) == 0)
        return put_extended(s, head, len);
    if (!is_one_of(head, shown))
        return drop(s, len);
    s->shown = s->shown || (memcmp(head, "VP8", 3) == 0 && len > 0 && more(s));
    put(s, head, 8);
    return copy(s, len);
}

static void strip_webp(struct strip *s)
{
    uint8_t riff[12], head[8];
    uint64_t left, len;

    if (!take(s, riff, sizeof riff))
        return;
    left = get4(riff + 4);
    put4(riff + 4, s->expected - 8);
    put(s, riff, sizeof riff);
    for (left = left > 4 ? left - 4 : 0; left >= 8 && take(s, head, sizeof head); left -= len) {
        len = get4(head + 4);
        len += len % 2;
        left -= 8;
        len = len < left ? len : left; /* it is cut off */
        if (!webp_chunk(s, head, len))
            return;
    }
}

/* --- the whole ------------------------------------------------------------------------------- */

typedef void strip_fn(struct strip *s);

static strip_fn *form_of(const char *media_type)
{
    return strcmp(media_type, "image/jpeg") == 0   ? strip_jpeg
           : strcmp(media_type, "image/png") == 0  ? strip_png
           : strcmp(media_type, "image/webp") == 0 ? strip_webp
                                                   : NULL;
}

bool strip_knows(const char *media_type)
{
    return form_of(media_type) != NULL;
}

enum ocop_status strip_image(const char *media_type, const struct picture_in *in,
                             const struct picture_out *out, struct strip_done *done,
                             struct ocop_error *err)
{
    strip_fn *form = form_of(media_type);
    struct strip *s = calloc(1, sizeof *s);
    enum ocop_status st;

    if (!s)
        return err_nomem(err);
    s->in = in;
    s->out = out;
    s->done = done;
    s->err = err;
    s->expected = out ? done->bytes : 8;
    s->scan.next = next_coded;
    s->scan.self = s;
    s->coded_all = out ? done->coded : UINT64_MAX;
    *done = (struct strip_done){.state = PICTURE_ODD};
    if (form)
        form(s);
    else
        odd(s, "its pieces are not known");
    /* What says of itself that it ends at once may hold a whole one behind that, which would go. */
    if (!s->shown)
        odd(s, "it shows no picture");
    s->changed = s->changed || more(s); /* behind the picture */
    flush(s);
    if (!s->status && !done->why)
        done->state = s->changed ? PICTURE_MADE : PICTURE_FITS;
    st = s->status;
    done->coded = s->pixels_end ? s->coded : UINT64_MAX; /* what is cut off stays so */
    zip_follow_end(s->pixels);
    scan_fini(&s->scan);
    free(s);
    return st;
}
