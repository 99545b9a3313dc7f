#include "test.h"

#include "camera.h"

#include <stdio.h>
#include <stdlib.h>

#include <jpeglib.h>
#include <zlib.h>

/* --- making ---------------------------------------------------------------------------------- */

/* One coefficient a scan: valid, and nothing that a camera does. */
static void many_scans(struct jpeg_compress_struct *c, jpeg_scan_info *scans)
{
    int n = 0;
    scans[n++] = (jpeg_scan_info){3, {0, 1, 2}, 0, 0, 0, 0};
    for (int part = 0; part < 3; part++)
        for (int i = 1; i < DCTSIZE2; i++)
            scans[n++] = (jpeg_scan_info){1, {part}, i, i, 0, 0};
    c->scan_info = scans;
    c->num_scans = n;
}

static void paint(const struct camera *c, unsigned y, unsigned parts, uint32_t *chance,
                  uint8_t *row)
{
    for (unsigned x = 0; x < c->width; x++) {
        *chance = *chance * 1664525 + 1013904223;
        unsigned bright = 40 + (unsigned)(160ull * x / c->width) + (*chance >> 28);
        if (c->checkered)
            bright = (x + y) % 2 ? 255 : 0;
        for (unsigned p = 0; p < parts; p++) {
            *chance = *chance * 1664525 + 1013904223;
            row[x * parts + p] = c->noise ? (uint8_t)(*chance >> 24) : (uint8_t)bright;
        }
    }
}

uint8_t *camera_photo(const struct camera *c, size_t *len)
{
    struct jpeg_compress_struct j;
    struct jpeg_error_mgr errors;
    jpeg_scan_info scans[1 + 3 * DCTSIZE2];
    unsigned char *out = NULL;
    unsigned long size = 0;
    const unsigned parts = c->form == CAMERA_GREY ? 1 : c->form == CAMERA_PRINT ? 4 : 3;
    uint32_t chance = c->seed;
    j.err = jpeg_std_error(&errors);
    jpeg_create_compress(&j);
    jpeg_mem_dest(&j, &out, &size);
    j.image_width = c->width;
    j.image_height = c->height;
    j.input_components = (int)parts;
    j.in_color_space = parts == 1 ? JCS_GRAYSCALE : parts == 4 ? JCS_CMYK : JCS_RGB;
    jpeg_set_defaults(&j);
    jpeg_set_quality(&j, c->quality ? c->quality : 90, TRUE);
    if (c->form == CAMERA_PROGRESSIVE)
        jpeg_simple_progression(&j);
    if (c->form == CAMERA_MANY_SCANS)
        many_scans(&j, scans);
    j.restart_interval = c->restart;
    jpeg_start_compress(&j, TRUE);
    if (c->exif.len)
        jpeg_write_marker(&j, JPEG_APP0 + 1, c->exif.p, (unsigned)c->exif.len);
    if (c->icc.len)
        jpeg_write_marker(&j, JPEG_APP0 + 2, c->icc.p, (unsigned)c->icc.len);
    uint8_t *row = malloc((size_t)c->width * parts);
    for (unsigned y = 0; y < c->height; y++) {
        paint(c, y, parts, &chance, row);
        jpeg_write_scanlines(&j, &row, 1);
    }
    free(row);
    jpeg_finish_compress(&j);
    jpeg_destroy_compress(&j);
    *len = size;
    return out;
}

/* --- looking --------------------------------------------------------------------------------- */

static void on_error(j_common_ptr c)
{
    longjmp(*(jmp_buf *)c->client_data, 1);
}

static void segments(struct jpeg_decompress_struct *j, struct camera_seen *out)
{
    for (jpeg_saved_marker_ptr m = j->marker_list; m; m = m->next) {
        const bool exif = m->marker == JPEG_APP0 + 1;
        uint8_t *to = exif ? out->exif : out->icc;
        assert_true(m->data_length <= sizeof out->exif);
        memcpy(to, m->data, m->data_length);
        *(exif ? &out->exif_len : &out->icc_len) = m->data_length;
    }
}

static void rows(struct jpeg_decompress_struct *j, struct camera_seen *out, uint8_t *row)
{
    uint64_t left = 0, right = 0;
    const unsigned w = j->output_width, quarter = w / 4 ? w / 4 : 1;
    out->darkest = 255;
    while (j->output_scanline < j->output_height) {
        jpeg_read_scanlines(j, &row, 1);
        for (unsigned x = 0; x < w; x++) {
            left += x < quarter ? row[x] : 0;
            right += x >= w - quarter ? row[x] : 0;
            out->darkest = row[x] < out->darkest ? row[x] : out->darkest;
            out->brightest = row[x] > out->brightest ? row[x] : out->brightest;
        }
    }
    out->left = (uint8_t)(left / ((uint64_t)quarter * j->output_height));
    out->right = (uint8_t)(right / ((uint64_t)quarter * j->output_height));
}

bool camera_look(struct span jpeg, struct camera_seen *out)
{
    struct jpeg_decompress_struct j = {0};
    struct jpeg_error_mgr errors;
    jmp_buf failed;
    uint8_t *volatile row = NULL;
    volatile bool good = false;
    memset(out, 0, sizeof *out);
    j.err = jpeg_std_error(&errors);
    errors.error_exit = on_error;
    j.client_data = &failed;
    jpeg_create_decompress(&j);
    if (setjmp(failed) == 0) {
        jpeg_mem_src(&j, jpeg.p, (unsigned long)jpeg.len);
        jpeg_save_markers(&j, JPEG_APP0 + 1, 0xffff);
        jpeg_save_markers(&j, JPEG_APP0 + 2, 0xffff);
        jpeg_read_header(&j, TRUE);
        j.out_color_space = JCS_GRAYSCALE;
        jpeg_start_decompress(&j);
        out->width = j.output_width;
        out->height = j.output_height;
        segments(&j, out);
        row = malloc(j.output_width);
        rows(&j, out, row);
        jpeg_finish_decompress(&j);
        good = errors.num_warnings == 0;
    }
    jpeg_destroy_decompress(&j);
    free(row);
    return good;
}

/* --- EXIF ------------------------------------------------------------------------------------ */

struct span camera_exif(void)
{
#define SHORT(v) (uint8_t)((v) >> 8), (uint8_t)(v)
#define LONG(v) SHORT((v) >> 16), SHORT((v)&0xffff)
#define ENTRY(tag, type, count, value) SHORT(tag), SHORT(type), LONG(count), LONG(value)
#define SMALL(tag, type, count, a, b, c, d) SHORT(tag), SHORT(type), LONG(count), a, b, c, d
    static const uint8_t exif[] = {
        'E', 'x', 'i', 'f', 0, 0, 'M', 'M', 0, 42, LONG(8u),
        /* 8: the main directory, and a next one that nobody is to follow */
        SHORT(5), ENTRY(0x010fu, 2, 7u, 74u), SMALL(0x0112u, 3, 1u, 0, 6, 0, 0),
        ENTRY(0x0132u, 2, 20u, 82u), ENTRY(0x8769u, 4, 1u, 102u), ENTRY(0x8825u, 4, 1u, 176u),
        LONG(8u),
        /* 74: what they point to */
        'S', 'E', 'C', 'R', 'E', 'T', 0, 0,
        /* 82 */
        '2', '0', '2', '6', ':', '0', '8', ':', '0', '6', ' ', '0', '0', ':', '0', '0', ':', '0',
        '0', 0,
        /* 102 */
        SHORT(3), ENTRY(0x9003u, 2, 20u, 144u), ENTRY(0x9011u, 2, 7u, 164u),
        ENTRY(0x927cu, 7, 6u, 74u), LONG(0u),
        /* 144 */
        '2', '0', '2', '6', ':', '0', '8', ':', '0', '5', ' ', '1', '4', ':', '0', '3', ':', '0',
        '0', 0,
        /* 164 */
        '+', '0', '7', ':', '0', '0', 0, 0, 0, 0, 0, 0,
        /* 176 */
        SHORT(4), SMALL(1, 2, 2u, 'N', 0, 0, 0), ENTRY(2, 5, 3u, 230u),
        SMALL(3, 2, 2u, 'E', 0, 0, 0), ENTRY(4, 5, 3u, 254u), LONG(0u),
        /* 230: 12 26' 56.04", 107 37' 48.36" */
        LONG(12u), LONG(1u), LONG(26u), LONG(1u), LONG(5604u), LONG(100u), LONG(107u), LONG(1u),
        LONG(37u), LONG(1u), LONG(4836u), LONG(100u)};
    return span_of(exif, sizeof exif);
}

/* --- PNG ------------------------------------------------------------------------------------- */

static void put4(uint8_t *p, size_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> (24 - 8 * i));
}

/* Its data stand behind p + 8 already. Returns what is behind it. */
static uint8_t *chunk(uint8_t *p, const char *name, size_t len)
{
    put4(p, len);
    memcpy(p + 4, name, 4);
    put4(p + 8 + len, crc32(0, p + 4, (uInt)(4 + len)));
    return p + 12 + len;
}

static uint8_t *png_rows(const struct camera_png *c, size_t *len)
{
    const unsigned parts = c->form == PNG_RGB ? 3 : c->form == PNG_ALPHA ? 4 : 1;
    const unsigned bytes = c->depth / 8;
    uint8_t *rows = malloc((size_t)c->height * (1 + (size_t)c->width * parts * bytes)), *p = rows;
    for (unsigned y = 0; y < c->height; y++) {
        *p++ = 0; /* as they are */
        for (unsigned x = 0; x < c->width; x++)
            for (unsigned i = 0; i < parts; i++)
                for (unsigned b = 0; b < bytes; b++)
                    *p++ = (uint8_t)(i == 3 ? (c->clear ? 0 : 255) : 40 + 160ull * x / c->width);
    }
    *len = (size_t)(p - rows);
    return rows;
}

uint8_t *camera_screenshot(const struct camera_png *c, size_t *len)
{
    size_t rows_len;
    uint8_t *rows = png_rows(c, &rows_len);
    uLongf packed = compressBound(rows_len);
    uint8_t *png = malloc(packed + 2000), *p = png;
    memcpy(p, "\x89PNG\r\n\x1a\n", 8);
    p += 8;
    put4(p + 8, c->width);
    put4(p + 12, c->height);
    memcpy(p + 16, (uint8_t[]){(uint8_t)c->depth, (uint8_t)c->form, 0, 0, c->interlaced}, 5);
    p = chunk(p, "IHDR", 13);
    for (unsigned i = 0; c->form == PNG_PALETTE && i < 256; i++)
        memset(p + 8 + (size_t)3 * i, (int)i, 3);
    if (c->form == PNG_PALETTE)
        p = chunk(p, "PLTE", 768);
    compress2(p + 8, &packed, rows, rows_len, 1);
    p = chunk(p, "IDAT", packed);
    p = chunk(p, "IEND", 0);
    free(rows);
    *len = (size_t)(p - png);
    return png;
}

void camera_png_sums(uint8_t *png, size_t len)
{
    for (size_t at = 8, n; at + 12 <= len; at += 12 + n) {
        n = (size_t)png[at] << 24 | (size_t)png[at + 1] << 16 | (size_t)png[at + 2] << 8 |
            png[at + 3];
        if (n > len - at - 12)
            return;
        put4(png + at + 8 + n, crc32(0, png + at + 4, (uInt)(4 + n)));
        if (memcmp(png + at + 4, "IEND", 4) == 0)
            return;
    }
}

/* --- pieces of others ------------------------------------------------------------------------ */

struct span camera_png(void)
{
    static uint8_t png[] = "\x89PNG\r\n\x1a\n"
                           "\0\0\0\15IHDR\0\0\0\1\0\0\0\1\10\0\0\0\0crc."
                           "\0\0\0\6eXIfSECRETcrc."
                           "\0\0\0\10tEXtk\0SECRETcrc."
                           "\0\0\0\6zTXtSECRETcrc."
                           "\0\0\0\6iTXtSECRETcrc."
                           "\0\0\0\15IDAT\x78\1\1\2\0\xfd\xff\0P\0R\0Qcrc."
                           "\0\0\0\6coOpSECRETcrc."
                           "\0\0\0\0IENDcrc.SECRET";
    camera_png_sums(png, sizeof png - 1);
    return span_of(png, sizeof png - 1);
}

struct span camera_webp(void)
{
    static const uint8_t webp[] = "RIFF\116\0\0\0WEBPVP8X\12\0\0\0\x1c\0\0\0\0\0\0\0\0\0"
                                  "EXIF\6\0\0\0SECRET"
                                  "VP8 \5\0\0\0PIXEL\0"
                                  "XMP \6\0\0\0SECRET"
                                  "SEC \6\0\0\0SECRETSECRET";
    return span_of(webp, sizeof webp - 1);
}

bool camera_told(struct span in, const char *text)
{
    const size_t len = strlen(text);
    for (size_t at = 0; at + len <= in.len; at++)
        if (memcmp(in.p + at, text, len) == 0)
            return true;
    return false;
}
