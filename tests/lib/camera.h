/* JPEGs as cameras, apps and attackers make them. */
#ifndef TEST_CAMERA_H
#define TEST_CAMERA_H

#include "span.h"

enum camera_form {
    CAMERA_BASELINE,
    CAMERA_PROGRESSIVE,
    CAMERA_MANY_SCANS, /* progressive, in more scans than anybody needs */
    CAMERA_GREY,
    CAMERA_PRINT, /* four colours */
};

struct camera {
    unsigned width, height;
    enum camera_form form;
    int quality;      /* 0: 90 */
    uint8_t seed;     /* another picture */
    bool checkered;   /* black and white, pixel by pixel */
    bool noise;       /* nothing else */
    unsigned restart; /* units between two marks by which a decoder finds in again; 0: none */
    struct span exif; /* of an APP1 segment, or none */
    struct span icc;  /* of an APP2 segment, or none */
};

/** A photo: dark at the left, bright at the right, and some noise. free() it. */
uint8_t *camera_photo(const struct camera *c, size_t *len);

/* What a JPEG shows, as a viewer decodes it. */
struct camera_seen {
    unsigned width, height;
    uint8_t left, right; /* mean brightness of its outer quarters */
    uint8_t darkest, brightest;
    size_t exif_len, icc_len; /* of its segments; 0: none */
    uint8_t exif[1024], icc[1024];
};
/** False when it is none. */
bool camera_look(struct span jpeg, struct camera_seen *out);

/** An EXIF segment of a camera: big-endian, turned by 90 degrees, taken at 2026-08-05 14:03:00
 * +07:00 at 12.4489 N 107.6301 E, with much else, "SECRET" among it. In static memory. */
struct span camera_exif(void);

enum { PNG_GREY = 0, PNG_RGB = 2, PNG_PALETTE = 3, PNG_ALPHA = 6 };
struct camera_png {
    unsigned width, height, form, depth; /* form: PNG_GREY ...; depth: 8 or 16 */
    bool interlaced;                     /* its header says so; its rows are not */
    bool clear;                          /* of PNG_ALPHA: nothing is to be seen */
};
/** A PNG, dark at the left, bright at the right. free() it. */
uint8_t *camera_screenshot(const struct camera_png *c, size_t *len);

/** Set the sum of each chunk of a PNG right, to its end or where it is cut. */
void camera_png_sums(uint8_t *png, size_t len);

/** A PNG of one pixel and a WebP, whose pixels are none, with a "SECRET" in each place that a
 * camera or an app has for it, also behind the picture. In static memory. */
struct span camera_png(void);
struct span camera_webp(void);

/** Is this text anywhere in it? */
bool camera_told(struct span in, const char *text);

#endif
