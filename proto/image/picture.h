/* A JPEG made smaller, row by row: picture.c, the only user of libjpeg. It is fed and emptied
 * through functions, so that neither end need be in memory; what it takes is under
 * PICTURE_MEMORY_MAX for any picture, since what would take more is not decoded. */
#ifndef IMAGE_PICTURE_H
#define IMAGE_PICTURE_H

#include "err.h"
#include "span.h"

enum {
    PICTURE_SIDE_MIN = 16,
    PICTURE_SIDE_MAX = 8192, /* that may be asked for */
    PICTURE_WHY_MAX = 200,
    PICTURE_SCANS_MAX = 100, /* of a progressive one; cameras and apps write ten */
    PICTURE_MEMORY_MAX = 16 << 20
};
#define PICTURE_PIXELS_MAX 220000000u /* the largest phones have 200 million */

struct picture_want {
    unsigned side_max, quality; /* of the longest side, in pixels; 1 to 100 */
    bool bare;                  /* neither place nor time of it go on */
    bool no_profile;            /* nor the profile of its colours */
};

/** Where it comes from: some more bytes, valid until the next call; none at its end. */
struct picture_in {
    void *self;
    enum ocop_status (*next)(void *self, struct span *part, struct ocop_error *err);
};

/** Where it goes. What was put is void unless the picture was made. */
struct picture_out {
    void *self;
    enum ocop_status (*put)(void *self, struct span bytes, struct ocop_error *err);
};

/** A picture that others decode: its rows, from the top. */
struct picture_rows {
    unsigned width, height,
        parts; /* parts: numbers a pixel has, 1 (grey) or 3 (red, green, blue) */
    void *self;
    enum ocop_status (*next)(void *self, uint8_t *row, struct ocop_error *err);
};

enum picture_state {
    PICTURE_MADE = 1,
    PICTURE_FITS, /* it is small enough as it is, and nothing is to be taken from it: nothing was
                     made */
    PICTURE_ODD   /* it cannot be decoded, or not within the limits: `why` */
};

struct picture_done {
    enum picture_state state;
    unsigned width, height; /* of what was made */
    char why[PICTURE_WHY_MAX];
};

/** Scale a JPEG down and write it anew, turned as it was. The same picture gives the same bytes.
 *  @return OCOP_OK: see done->state; OCOP_ENOMEM; or what `in` or `out` returned */
OCOP_MUST_USE enum ocop_status picture_scale(const struct picture_in *in,
                                             const struct picture_out *out,
                                             const struct picture_want *want,
                                             struct picture_done *done, struct ocop_error *err);
/** The same of rows, which are always encoded. */
OCOP_MUST_USE enum ocop_status picture_scale_rows(const struct picture_rows *rows,
                                                  const struct picture_out *out,
                                                  const struct picture_want *want,
                                                  struct picture_done *done,
                                                  struct ocop_error *err);

#endif
