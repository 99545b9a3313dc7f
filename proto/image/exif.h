/* What is evidence in the EXIF of a photo: how it is to be turned, when and where it was taken. It
 * is read with limits on all and follows no chain, and written anew, so that nothing else of it
 * goes on. */
#ifndef IMAGE_EXIF_H
#define IMAGE_EXIF_H

#include "span.h"

enum { EXIF_WRITTEN_MAX = 512, EXIF_TAKEN_LEN = 19, EXIF_ZONE_LEN = 6, EXIF_DAY_LEN = 10 };

struct exif_ratio {
    uint32_t over, under;
};

struct exif {
    unsigned orientation;           /* 1 to 8; 0: not said */
    char taken[EXIF_TAKEN_LEN + 1]; /* "2026:08:05 14:03:00", by the camera; "" not said */
    char zone[EXIF_ZONE_LEN + 1];   /* "+07:00"; "" not said */
    bool has_place, has_altitude, has_gps_time;
    char north, east; /* 'N' or 'S', 'E' or 'W' */
    struct exif_ratio latitude[3], longitude[3], altitude;
    uint8_t below;                  /* 1: the altitude is below the sea */
    struct exif_ratio gps_time[3];  /* UTC */
    char gps_day[EXIF_DAY_LEN + 1]; /* "2026:08:05"; "" not said */
};

/** Read what follows the two bytes of length in an APP1 segment. What is missing, or not what it
 * should be, is left out. False when it is no EXIF at all. */
bool exif_read(struct span segment, struct exif *out);

/** The same for a new segment, with the orientation alone when `bare`. Returns the bytes in `out`;
 * 0 when there is nothing to be said. */
size_t exif_write(const struct exif *e, bool bare, uint8_t out[EXIF_WRITTEN_MAX]);

#endif
