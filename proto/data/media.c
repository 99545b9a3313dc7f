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
    size_t also_len;
} magics[] = {
#define M(bytes) bytes, sizeof(bytes) - 1
#define NO_MORE 0, NULL, 0
    {"image/jpeg", 0, M("\xff\xd8\xff"), NO_MORE},
    {"image/png", 0, M("\x89PNG\r\n\x1a\n"), NO_MORE},
    {"image/gif", 0, M("GIF87a"), NO_MORE},
    {"image/gif", 0, M("GIF89a"), NO_MORE},
    {"image/webp", 0, M("RIFF"), 8, M("WEBP")},
    {"image/tiff", 0, M("II*\0"), NO_MORE},
    {"image/tiff", 0, M("MM\0*"), NO_MORE},
    {"image/tiff", 0, M("II+\0"), NO_MORE},
    {"image/tiff", 0, M("MM\0+"), NO_MORE},
    {"image/jxl", 0, M("\xff\x0a"), NO_MORE},
    {"image/jxl", 0, M("\0\0\0\x0cJXL \r\n\x87\n"), NO_MORE},
    {"image/jp2", 0, M("\0\0\0\x0cjP  \r\n\x87\n"), NO_MORE},
    {"image/jp2", 0, M("\xff\x4f\xff\x51"), NO_MORE},
    /* Papers may begin with letters as these: what stands behind them counts too. */
    {"image/x-raw", 0, M("IIU\0"), NO_MORE},
    {"image/x-raw", 0, M("IIRO"), 5, M("\0\0\0")},
    {"image/x-raw", 0, M("IIRS"), 5, M("\0\0\0")},
    {"image/x-raw", 0, M("MMOR"), 4, M("\0\0\0")},
    {"image/x-raw", 0, M("II\x1a\0\0\0HEAP"), NO_MORE},
    {"image/x-raw", 0, M("FUJIFILMCCD-RAW"), NO_MORE},
    {"image/vnd.adobe.photoshop", 0, M("8BPS\0"), NO_MORE},
    /* Its header has less than 256 bytes, and says so. */
    {"image/bmp", 0, M("BM"), 15, M("\0\0\0")},
    {"video/mp4", 4, M("ftyp"), NO_MORE},
    {"audio/mpeg", 0, M("ID3"), NO_MORE},
    {"audio/ogg", 0, M("OggS"), NO_MORE},
    {"audio/wav", 0, M("RIFF"), 8, M("WAVE")},
    {"application/pdf", 0, M("%PDF-"), NO_MORE},
    {"application/rtf", 0, M("{\\rtf"), NO_MORE},
    {"application/vnd.oasis.opendocument.text", 0, M("PK\3\4"), 30,
     M("mimetypeapplication/vnd.oasis.opendocument.text")},
    {"application/vnd.oasis.opendocument.spreadsheet", 0, M("PK\3\4"), 30,
     M("mimetypeapplication/vnd.oasis.opendocument.spreadsheet")},
    {"application/zip", 0, M("PK\3\4"), NO_MORE},
    {"application/x-ole-storage", 0, M("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"), NO_MORE},
#undef NO_MORE
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

/* The boxes of films hold images as well: the first brand is the file's own, those behind its
 * version are others that can read it. */
static const char *type_of_boxes(struct span head)
{
    static const struct {
        const char *brand, *type;
    } images[] = {
        {"heic", "image/heic"}, {"heix", "image/heic"},  {"heim", "image/heic"},
        {"heis", "image/heic"}, {"hevc", "image/heic"},  {"hevx", "image/heic"},
        {"hevm", "image/heic"}, {"hevs", "image/heic"},  {"mif1", "image/heif"},
        {"mif2", "image/heif"}, {"msf1", "image/heif"},  {"miaf", "image/heif"},
        {"avci", "image/heif"}, {"avcs", "image/heif"},  {"avif", "image/avif"},
        {"avis", "image/avif"}, {"crx ", "image/x-raw"},
    };
    const size_t end =
        head.len < 4 || head.p[0] || head.p[1] ? head.len : (size_t)head.p[2] << 8 | head.p[3];

    for (size_t at = 8; at < (end < 12 ? 12 : end) && at < head.len; at += at == 8 ? 8 : 4)
        for (size_t i = 0; i < sizeof images / sizeof *images; i++)
            if (stands_at(head, at, images[i].brand, 4))
                return images[i].type;
    return stands_at(head, 8, "M4A ", 4)  ? "audio/mp4"
           : stands_at(head, 8, "3gp", 3) ? "video/3gpp"
                                          : "video/mp4";
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

static size_t behind(struct span head, size_t at, const char *mark)
{
    const size_t len = strlen(mark);

    while (at < head.len && !stands_at(head, at, mark, len))
        at++;
    return at < head.len ? at + len : at;
}

/* Behind a declaration, which may have others between brackets. */
static size_t behind_declaration(struct span head, size_t at)
{
    int open = 0;

    for (; at < head.len; at++) {
        open += (head.p[at] == '[') - (head.p[at] == ']');
        if (head.p[at] == '>' && open <= 0)
            return at + 1;
    }
    return at;
}

/* Where the first element of a text stands that is XML, behind all that may be before it. */
static size_t first_element(struct span head)
{
    size_t at = stands_at(head, 0, "\xef\xbb\xbf", 3) ? 3 : 0;

    for (;;) {
        while (at < head.len && strchr(" \t\r\n", head.p[at]) && head.p[at])
            at++;
        if (stands_at(head, at, "<!--", 4))
            at = behind(head, at + 4, "-->");
        else if (stands_at(head, at, "<?", 2))
            at = behind(head, at, "?>");
        else if (stands_at(head, at, "<!", 2))
            at = behind_declaration(head, at);
        else
            return at;
    }
}

static const char *type_of_text(struct span head)
{
    const size_t at = first_element(head);

    return stands_at(head, at, "<svg", 4) ? "image/svg+xml" : "text/plain";
}

const char *media_type(struct span head)
{
    if (head.len > MEDIA_HEAD_BYTES)
        head.len = MEDIA_HEAD_BYTES;
    for (size_t i = 0; i < sizeof magics / sizeof *magics; i++) {
        const struct magic *m = &magics[i];
        if (!stands_at(head, m->at, m->bytes, m->len) ||
            (m->also && !stands_at(head, m->also_at, m->also, m->also_len)))
            continue;
        return strcmp(m->type, "application/zip") == 0 ? type_of_zip(head)
               : strcmp(m->type, "video/mp4") == 0     ? type_of_boxes(head)
                                                       : m->type;
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
        {"image/jxl", "jxl"},
        {"image/jp2", "jp2"},
        {"image/x-raw", "raw"},
        {"image/vnd.adobe.photoshop", "psd"},
        {"image/bmp", "bmp"},
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

/* Not what is drawn in programs, nor what hardly any viewer shows. */
static bool is_of_a_camera(const char *type)
{
    static const char *const types[] = {"image/jpeg", "image/png",  "image/gif",  "image/webp",
                                        "image/tiff", "image/heic", "image/heif", "image/avif"};

    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(type, types[i]) == 0)
            return true;
    return false;
}

bool media_fits(const char *role, const char *type)
{
    if (strcmp(role, "photo") == 0)
        return is_of_a_camera(type);
    return strcmp(role, "signature") != 0 || is_of_a_camera(type) ||
           strcmp(type, "image/svg+xml") == 0;
}
