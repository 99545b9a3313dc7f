/* A PNG as rows: png_rows.c, the only user of libpng. */
#ifndef SERVER_THUMBNAIL_PNG_ROWS_H
#define SERVER_THUMBNAIL_PNG_ROWS_H

#include "picture.h"

enum { PNG_SIGNATURE_LEN = 8, PNG_SIDE_MAX = 32767 };

struct png_reading;

/** Begin with a PNG: `out` is filled in. One after the other, each row is given once.
 *  @return OCOP_EDAMAGED it cannot be decoded, or not row by row; OCOP_ENOMEM; or what `in`
 * returned. Nothing is to be freed: who decodes ends soon. */
OCOP_MUST_USE enum ocop_status png_rows_begin(const struct picture_in *in,
                                              struct picture_rows *out);

#endif
