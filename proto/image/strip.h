/* What a camera noted (place, time, serial numbers, second pictures) taken out of an image piece by
 * piece, without decoding it: strip.c. What shows the picture stays byte for byte. */
#ifndef IMAGE_STRIP_H
#define IMAGE_STRIP_H

#include "picture.h"

struct strip_done {
    /** PICTURE_MADE; PICTURE_FITS: there is nothing in it that is to be taken out; PICTURE_ODD: its
     * pieces cannot be told apart, or none of them shows a picture, see `why`. */
    enum picture_state state;
    uint64_t bytes; /* of what was made */
    uint64_t coded; /* for the second time: up to where the pixels of a PNG go */
    const char *why;
};

/** Are the pieces of such images known? JPEG, PNG, WebP. */
bool strip_knows(const char *media_type);

/** Copy an image without what its camera noted; of a JPEG it is kept which side is up. First with
 * `out` NULL, to see what there is to be done; then with *done as it was left, which is needed.
 * What is cut off stays so, and what stands behind the picture goes.
 *  @return OCOP_OK: see done->state; OCOP_ENOMEM; or what `in` or `out` returned */
OCOP_MUST_USE enum ocop_status strip_image(const char *media_type, const struct picture_in *in,
                                           const struct picture_out *out, struct strip_done *done,
                                           struct ocop_error *err);

#endif
