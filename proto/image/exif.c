/* EXIF is a TIFF without a picture: directories of entries that point into it. Three of them are
 * looked at, each once, and no pointer is followed from one to a next, so that it ends whatever it
 * says. Knows no JPEG. */
#include "exif.h"

enum {
    HEAD = 6, /* "Exif\0\0"; offsets count from behind it */
    TIFF_HEAD = 8,
    ENTRY = 12,
    ENTRIES_MAX = 512,
    TYPE_BYTE = 1,
    TYPE_TEXT = 2,
    TYPE_SHORT = 3,
    TYPE_LONG = 4,
    TYPE_RATIO = 5,
};

enum tag {
    TAG_ORIENTATION = 0x0112,
    TAG_CHANGED = 0x0132,
    TAG_EXIF = 0x8769,
    TAG_GPS = 0x8825,
    TAG_TAKEN = 0x9003,
    TAG_ZONE = 0x9011,
    GPS_NORTH = 1,
    GPS_LATITUDE = 2,
    GPS_EAST = 3,
    GPS_LONGITUDE = 4,
    GPS_BELOW = 5,
    GPS_ALTITUDE = 6,
    GPS_TIME = 7,
    GPS_DAY = 29,
};

static const uint8_t head[HEAD] = "Exif\0";

/* --- reading --------------------------------------------------------------------------------- */

struct tiff {
    struct span all;
    bool big; /* the order of bytes */
};

static unsigned get2(const struct tiff *t, size_t at)
{
    const uint8_t *p = t->all.p + at;

    return t->big ? (unsigned)p[0] << 8 | p[1] : (unsigned)p[1] << 8 | p[0];
}

static uint32_t get4(const struct tiff *t, size_t at)
{
    uint32_t first = get2(t, at), second = get2(t, at + 2);

    return t->big ? first << 16 | second : second << 16 | first;
}

static bool inside(const struct tiff *t, size_t at, size_t len)
{
    return at <= t->all.len && t->all.len - at >= len;
}

/* An entry whose value is all there. */
struct entry {
    unsigned tag, type;
    uint32_t count;
    size_t at; /* of the value */
};

static size_t size_of(unsigned type)
{
    switch (type) {
    case TYPE_BYTE:
    case TYPE_TEXT:
        return 1;
    case TYPE_SHORT:
        return 2;
    case TYPE_LONG:
        return 4;
    case TYPE_RATIO:
        return 8;
    default:
        return 0; /* none that is wanted */
    }
}

static bool get_entry(const struct tiff *t, size_t at, struct entry *out)
{
    size_t size, len;

    *out = (struct entry){get2(t, at), get2(t, at + 2), get4(t, at + 4), at + 8};
    size = size_of(out->type);
    if (size == 0 || out->count == 0 || out->count > t->all.len)
        return false;
    len = size * out->count;
    if (len > 4)
        out->at = get4(t, at + 8);
    return inside(t, out->at, len);
}

typedef void entry_fn(const struct tiff *t, const struct entry *e, void *self);

static void each_entry(const struct tiff *t, size_t at, entry_fn *fn, void *self)
{
    struct entry e;
    unsigned count;

    if (!inside(t, at, 2))
        return;
    count = get2(t, at);
    if (count > ENTRIES_MAX)
        return;
    for (unsigned i = 0; i < count && inside(t, at + 2 + (size_t)i * ENTRY, ENTRY); i++)
        if (get_entry(t, at + 2 + (size_t)i * ENTRY, &e))
            fn(t, &e, self);
}

/* A text of this form: '0' is a digit, '+' a sign, all else itself. Else it stays as it is. */
static void get_text(const struct tiff *t, const struct entry *e, const char *form, char *out)
{
    const uint8_t *p = t->all.p + e->at;
    size_t len = strlen(form);

    if (e->type != TYPE_TEXT || e->count < len)
        return;
    for (size_t i = 0; i < len; i++)
        if (form[i] == '0'   ? p[i] < '0' || p[i] > '9'
            : form[i] == '+' ? p[i] != '+' && p[i] != '-'
                             : p[i] != (uint8_t)form[i])
            return;
    memcpy(out, p, len);
    out[len] = 0;
}

static bool get_ratios(const struct tiff *t, const struct entry *e, struct exif_ratio *out,
                       size_t count)
{
    if (e->type != TYPE_RATIO || e->count != count)
        return false;
    for (size_t i = 0; i < count; i++) {
        out[i] = (struct exif_ratio){get4(t, e->at + 8 * i), get4(t, e->at + 8 * i + 4)};
        if (out[i].under == 0)
            return false;
    }
    return true;
}

/* What the directories say, before it is known whether it makes sense together. */
struct reading {
    struct exif *out;
    char changed[EXIF_TAKEN_LEN + 1];
    size_t exif_at, gps_at; /* 0: none */
    bool latitude, longitude;
};

static void on_main(const struct tiff *t, const struct entry *e, void *self)
{
    struct reading *r = self;

    if (e->tag == TAG_ORIENTATION && e->type == TYPE_SHORT && get2(t, e->at) <= 8)
        r->out->orientation = get2(t, e->at);
    else if (e->tag == TAG_CHANGED)
        get_text(t, e, "0000:00:00 00:00:00", r->changed);
    else if (e->tag == TAG_EXIF && e->type == TYPE_LONG)
        r->exif_at = get4(t, e->at);
    else if (e->tag == TAG_GPS && e->type == TYPE_LONG)
        r->gps_at = get4(t, e->at);
}

static void on_exif(const struct tiff *t, const struct entry *e, void *self)
{
    struct reading *r = self;

    if (e->tag == TAG_TAKEN)
        get_text(t, e, "0000:00:00 00:00:00", r->out->taken);
    else if (e->tag == TAG_ZONE)
        get_text(t, e, "+00:00", r->out->zone);
}

static char get_letter(const struct tiff *t, const struct entry *e, const char *of)
{
    char letter = (char)t->all.p[e->at];

    return (char)(e->type == TYPE_TEXT && letter && strchr(of, letter) ? letter : 0);
}

static void on_gps(const struct tiff *t, const struct entry *e, void *self)
{
    struct reading *r = self;
    struct exif *out = r->out;

    if (e->tag == GPS_NORTH)
        out->north = get_letter(t, e, "NS");
    else if (e->tag == GPS_EAST)
        out->east = get_letter(t, e, "EW");
    else if (e->tag == GPS_LATITUDE)
        r->latitude = get_ratios(t, e, out->latitude, 3);
    else if (e->tag == GPS_LONGITUDE)
        r->longitude = get_ratios(t, e, out->longitude, 3);
    else if (e->tag == GPS_BELOW && e->type == TYPE_BYTE)
        out->below = t->all.p[e->at] == 1;
    else if (e->tag == GPS_ALTITUDE)
        out->has_altitude = get_ratios(t, e, &out->altitude, 1);
    else if (e->tag == GPS_TIME)
        out->has_gps_time = get_ratios(t, e, out->gps_time, 3);
    else if (e->tag == GPS_DAY)
        get_text(t, e, "0000:00:00", out->gps_day);
}

bool exif_read(struct span segment, struct exif *out)
{
    struct reading r = {.out = out};
    struct tiff t;

    memset(out, 0, sizeof *out);
    if (segment.len < HEAD + TIFF_HEAD || memcmp(segment.p, head, HEAD) != 0)
        return false;
    t.all = span_of(segment.p + HEAD, segment.len - HEAD);
    t.big = t.all.p[0] == 'M';
    if (memcmp(t.all.p, t.big ? "MM\0*" : "II*\0", 4) != 0)
        return false;
    each_entry(&t, get4(&t, 4), on_main, &r);
    if (r.exif_at)
        each_entry(&t, r.exif_at, on_exif, &r);
    if (r.gps_at)
        each_entry(&t, r.gps_at, on_gps, &r);
    if (!*out->taken)
        memcpy(out->taken, r.changed, sizeof out->taken);
    out->has_place = r.latitude && r.longitude && out->north && out->east;
    return true;
}

/* --- writing --------------------------------------------------------------------------------- */

/* Three directories one after the other, then their values. */
struct writing {
    uint8_t *out; /* of the TIFF */
    size_t at;    /* of the next entry */
    size_t values;
};

static void put2(uint8_t *p, unsigned v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}

static void put4(uint8_t *p, uint32_t v)
{
    put2(p, v & 0xffff);
    put2(p + 2, v >> 16);
}

/* `size` bytes as they are written. */
static void put_entry(struct writing *w, unsigned tag, unsigned type, size_t count,
                      const uint8_t *value, size_t size)
{
    uint8_t *p = w->out + w->at;

    put2(p, tag);
    put2(p + 2, type);
    put4(p + 4, (uint32_t)count);
    put4(p + 8, 0);
    if (size > 4) {
        put4(p + 8, (uint32_t)w->values);
        memcpy(w->out + w->values, value, size);
        w->values += size + size % 2;
    } else {
        memcpy(p + 8, value, size);
    }
    w->at += ENTRY;
}

static void put_number(struct writing *w, unsigned tag, unsigned type, uint32_t v)
{
    uint8_t bytes[4];

    put4(bytes, v);
    put_entry(w, tag, type, 1, bytes, size_of(type));
}

static void put_text(struct writing *w, unsigned tag, const char *text)
{
    put_entry(w, tag, TYPE_TEXT, strlen(text) + 1, (const uint8_t *)text, strlen(text) + 1);
}

static void put_ratios(struct writing *w, unsigned tag, const struct exif_ratio *v, size_t count)
{
    uint8_t bytes[3 * 8];

    for (size_t i = 0; i < count; i++) {
        put4(bytes + 8 * i, v[i].over);
        put4(bytes + 8 * i + 4, v[i].under);
    }
    put_entry(w, tag, TYPE_RATIO, count, bytes, 8 * count);
}

static size_t directory_len(unsigned entries)
{
    return entries ? 2 + entries * (size_t)ENTRY + 4 : 0;
}

static void put_directory(struct writing *w, size_t at, unsigned entries)
{
    put2(w->out + at, entries);
    put4(w->out + at + 2 + entries * (size_t)ENTRY, 0); /* no next one */
    w->at = at + 2;
}

static unsigned gps_entries(const struct exif *e)
{
    return e->has_place * 4u + e->has_altitude * 2u + e->has_gps_time + !!*e->gps_day;
}

static void put_gps(struct writing *w, const struct exif *e)
{
    if (e->has_place) {
        put_text(w, GPS_NORTH, (char[]){e->north, 0});
        put_ratios(w, GPS_LATITUDE, e->latitude, 3);
        put_text(w, GPS_EAST, (char[]){e->east, 0});
        put_ratios(w, GPS_LONGITUDE, e->longitude, 3);
    }
    if (e->has_altitude) {
        put_number(w, GPS_BELOW, TYPE_BYTE, e->below);
        put_ratios(w, GPS_ALTITUDE, &e->altitude, 1);
    }
    if (e->has_gps_time)
        put_ratios(w, GPS_TIME, e->gps_time, 3);
    if (*e->gps_day)
        put_text(w, GPS_DAY, e->gps_day);
}

size_t exif_write(const struct exif *e, bool bare, uint8_t out[EXIF_WRITTEN_MAX])
{
    const unsigned exif = bare ? 0 : !!*e->taken + 1u * !!*e->zone;
    const unsigned gps = bare ? 0 : gps_entries(e);
    const unsigned entries = 1u * !!e->orientation + !!exif + !!gps;
    const size_t exif_at = TIFF_HEAD + directory_len(entries);
    const size_t gps_at = exif_at + directory_len(exif);
    struct writing w = {out + HEAD, 0, gps_at + directory_len(gps)};

    if (entries == 0)
        return 0;
    memset(out, 0, EXIF_WRITTEN_MAX);
    memcpy(out, head, HEAD);
    memcpy(w.out, "II*\0", 4);
    put4(w.out + 4, TIFF_HEAD);
    put_directory(&w, TIFF_HEAD, entries);
    if (e->orientation)
        put_number(&w, TAG_ORIENTATION, TYPE_SHORT, e->orientation);
    if (exif)
        put_number(&w, TAG_EXIF, TYPE_LONG, (uint32_t)exif_at);
    if (gps)
        put_number(&w, TAG_GPS, TYPE_LONG, (uint32_t)gps_at);
    if (exif) {
        put_directory(&w, exif_at, exif);
        if (*e->taken)
            put_text(&w, TAG_TAKEN, e->taken);
        if (*e->zone)
            put_text(&w, TAG_ZONE, e->zone);
    }
    if (gps) {
        put_directory(&w, gps_at, gps);
        put_gps(&w, e);
    }
    return HEAD + w.values;
}
