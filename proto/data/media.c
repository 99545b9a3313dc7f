/* The table of what files begin with. Opens no file and decodes nothing: a type is a word for
 * people and programs that ask for it, no promise that the rest is sound. */
#include "media.h"

#include <string.h>

#include "text.h"

/* The first that fits counts. `at` and `also` stand at places of their own. */
static const struct magic {
    const char *type;
    size_t at;
    const char *bytes;
    size_t len;
    size_t also_at;
    const char *also; /* NULL: nothing more */
} magics[] = {
#define M(bytes) bytes, sizeof(bytes) - 1
    {"image/jpeg", 0, M("\xff\xd8\xff"), 0, NULL},
    {"image/png", 0, M("\x89PNG\r\n\x1a\n"), 0, NULL},
    {"image/gif", 0, M("GIF87a"), 0, NULL},
    {"image/gif", 0, M("GIF89a"), 0, NULL},
    {"image/webp", 0, M("RIFF"), 8, "WEBP"},
    {"image/tiff", 0, M("II*\0"), 0, NULL},
    {"image/tiff", 0, M("MM\0*"), 0, NULL},
    {"image/heic", 4, M("ftyp"), 8, "heic"},
    {"image/heic", 4, M("ftyp"), 8, "heix"},
    {"image/heif", 4, M("ftyp"), 8, "mif1"},
    {"image/avif", 4, M("ftyp"), 8, "avif"},
    {"audio/mp4", 4, M("ftyp"), 8, "M4A "},
    {"video/3gpp", 4, M("ftyp"), 8, "3gp"},
    {"video/mp4", 4, M("ftyp"), 0, NULL},
    {"audio/mpeg", 0, M("ID3"), 0, NULL},
    {"audio/ogg", 0, M("OggS"), 0, NULL},
    {"audio/wav", 0, M("RIFF"), 8, "WAVE"},
    {"application/pdf", 0, M("%PDF-"), 0, NULL},
    {"application/rtf", 0, M("{\\rtf"), 0, NULL},
    {"application/vnd.oasis.opendocument.text", 0, M("PK\3\4"), 30,
     "mimetypeapplication/vnd.oasis.opendocument.text"},
    {"application/vnd.oasis.opendocument.spreadsheet", 0, M("PK\3\4"), 30,
     "mimetypeapplication/vnd.oasis.opendocument.spreadsheet"},
    {"application/zip", 0, M("PK\3\4"), 0, NULL},
    {"application/x-ole-storage", 0, M("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"), 0, NULL},
#undef M
};

static bool stands_at(struct span head, size_t at, const void *bytes, size_t len)
{
    return head.len >= at && head.len - at >= len && memcmp(head.p + at, bytes, len) == 0;
}

static bool holds(struct span head, const char *text)
{
    const size_t len = strlen(text);

    for (size_t at = 0; at + len <= head.len; at++)
        if (memcmp(head.p + at, text, len) == 0)
            return true;
    return false;
}

/* What office programs write is a zip whose first names say what it is. */
static const char *type_of_zip(struct span head)
{
    if (!holds(head, "[Content_Types].xml") && !holds(head, "_rels/"))
        return "application/zip";
    if (holds(head, "word/"))
        return "application/vnd.openxmlformats-officedocument.wordprocessingml.document";
    if (holds(head, "xl/"))
        return "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
    return "application/zip";
}

/* The head may end inside of a character. */
static bool is_text(struct span head)
{
    for (size_t cut = 0; cut < 4 && cut < head.len; cut++) {
        struct span whole = span_of(head.p, head.len - cut);
        if (text_is_utf8(whole))
            return text_is_printable(whole);
        if (head.len < MEDIA_HEAD_BYTES)
            return false;
    }
    return false;
}

static const char *type_of_text(struct span head)
{
    size_t at = stands_at(head, 0, "\xef\xbb\xbf", 3) ? 3 : 0;

    while (at < head.len && strchr(" \t\r\n", head.p[at]) && head.p[at])
        at++;
    if (stands_at(head, at, "<svg", 4) || (stands_at(head, at, "<?xml", 5) && holds(head, "<svg")))
        return "image/svg+xml";
    return "text/plain";
}

const char *media_type(struct span head)
{
    if (head.len > MEDIA_HEAD_BYTES)
        head.len = MEDIA_HEAD_BYTES;
    for (size_t i = 0; i < sizeof magics / sizeof *magics; i++) {
        const struct magic *m = &magics[i];
        if (!stands_at(head, m->at, m->bytes, m->len) ||
            (m->also && !stands_at(head, m->also_at, m->also, strlen(m->also))))
            continue;
        return strcmp(m->type, "application/zip") == 0 ? type_of_zip(head) : m->type;
    }
    return is_text(head) ? type_of_text(head) : "application/octet-stream";
}

const char *media_extension(const char *type)
{
    static const struct {
        const char *type, *extension;
    } table[] = {
        {"image/jpeg", "jpg"},
        {"image/png", "png"},
        {"image/gif", "gif"},
        {"image/webp", "webp"},
        {"image/tiff", "tiff"},
        {"image/heic", "heic"},
        {"image/heif", "heif"},
        {"image/avif", "avif"},
        {"image/svg+xml", "svg"},
        {"audio/mp4", "m4a"},
        {"audio/mpeg", "mp3"},
        {"audio/ogg", "ogg"},
        {"audio/wav", "wav"},
        {"video/3gpp", "3gp"},
        {"video/mp4", "mp4"},
        {"application/pdf", "pdf"},
        {"application/rtf", "rtf"},
        {"text/plain", "txt"},
        {"application/zip", "zip"},
        {"application/vnd.oasis.opendocument.text", "odt"},
        {"application/vnd.oasis.opendocument.spreadsheet", "ods"},
        {"application/vnd.openxmlformats-officedocument.wordprocessingml.document", "docx"},
        {"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "xlsx"},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (strcmp(type, table[i].type) == 0)
            return table[i].extension;
    return "bin";
}

bool media_fits(const char *role, const char *type)
{
    bool image = strncmp(type, "image/", 6) == 0;

    if (strcmp(role, "photo") == 0)
        return image && strcmp(type, "image/svg+xml") != 0;
    return strcmp(role, "signature") != 0 || image;
}
