/* How far the coded picture of a JPEG goes: scan.c. Its bits are followed, not decoded: no pixel is
 * made, and what is behind the last of them is known to be none of the picture. */
#ifndef IMAGE_SCAN_H
#define IMAGE_SCAN_H

#include <stdbool.h>
#include <stdint.h>

#include "span.h"

enum {
    SCAN_PARTS_MAX = 4,
    SCAN_TABLES = 4,
    /* Of all scans together. 89 megapixels in the ten scans of a camera have 30 million. */
    SCAN_UNITS_MAX = 100000000
};

struct scan_codes {
    bool there;
    uint16_t count[17]; /* codes of each length */
    uint8_t value[256];
};

/* One of its colours. */
struct scan_part {
    uint8_t id, h, v;    /* and how many blocks of a unit it has, across and down */
    uint32_t wide, tall; /* its blocks */
    uint32_t stride;     /* those of a row, with what fills up the last unit */
    uint64_t *set;       /* progressive: of each block, which coefficients are not zero */
    int8_t bits[64];     /* up to which bit of each coefficient it is known; -1 */
    bool known;          /* else: it was there */
    const struct scan_codes *dc, *ac; /* of this scan */
};

struct scan {
    bool framed, progressive;
    unsigned width, height, h_most, v_most, interval;
    uint64_t units; /* that were gone through, or are to be */
    size_t count;
    struct scan_part part[SCAN_PARTS_MAX];
    struct scan_codes codes[2][SCAN_TABLES]; /* DC, AC */
    /* of this scan */
    struct scan_part *in[SCAN_PARTS_MAX];
    size_t in_count;
    unsigned from, to, high, low;
    uint32_t run; /* blocks that have nothing more */
    /* where its bytes come from: the next, or -1 where a marker stands */
    int (*next)(void *self);
    void *self;
    unsigned bits;
    int bit_count;
    bool cut; /* there was none */
    const char *why;
};

/* What stands in segments of these names, without their length. Returns NULL, or why it cannot be
 * followed. */
const char *scan_frame(struct scan *c, unsigned marker, struct span segment);
const char *scan_tables(struct scan *c, struct span segment);
const char *scan_begin(struct scan *c, struct span segment);
/** Go through the units up to the next restart, or to the end of the scan. *left: units that are
 * still to come; begin with scan_units. NULL: done, or cut short; else why */
uint64_t scan_units(const struct scan *c);
const char *scan_follow(struct scan *c, uint64_t *left);
void scan_fini(struct scan *c);

#endif
