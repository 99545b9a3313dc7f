/* The EXIF of a photo as any camera, or anybody, may write it. What is read and written again says
 * the same. */
#include "err.h"
#include "exif.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct exif e, again;
    uint8_t out[EXIF_WRITTEN_MAX];
    size_t len;

    if (!exif_read(span_of(data, size), &e))
        return 0;
    (void)exif_write(&e, true, out);
    len = exif_write(&e, false, out);
    CHECK(len <= sizeof out);
    if (len == 0)
        return 0;
    CHECK(exif_read(span_of(out, len), &again));
    CHECK(e.orientation == again.orientation && e.has_place == again.has_place &&
          e.has_altitude == again.has_altitude && e.has_gps_time == again.has_gps_time);
    CHECK(strcmp(e.taken, again.taken) == 0 && strcmp(e.zone, again.zone) == 0 &&
          strcmp(e.gps_day, again.gps_day) == 0);
    if (e.has_place)
        CHECK(memcmp(e.latitude, again.latitude, sizeof e.latitude) == 0 &&
              memcmp(e.longitude, again.longitude, sizeof e.longitude) == 0 &&
              e.north == again.north && e.east == again.east);
    return 0;
}
