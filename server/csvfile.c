/* Reads and writes comma-separated files. libcsv is fed one line of the file at a time, so that
 * each cell's line is known even where quoted cells hold line breaks. Knows nothing of records. */
#include "csvfile.h"

#include <csv.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "bounds.h"
#include "text.h"

struct reading {
    const struct csvfile_reader *reader;
    struct csv_parser parser;
    struct buf text; /* the cells of the current row, one after the other */
    size_t ends[CSVFILE_COLUMNS_MAX];
    size_t lines[CSVFILE_COLUMNS_MAX];
    size_t count;     /* cells so far, those beyond the limit included */
    size_t line;      /* being fed */
    size_t cell_line; /* where the current cell began */
    size_t row_line;  /* where the current row began */
    bool row_open;    /* the current row goes on in the next line: a quoted line break */
    bool cell_too_long;
    size_t rows;
    enum ocop_status status;
    struct ocop_error *err;
};

static void on_cell(void *cell, size_t len, void *self)
{
    struct reading *r = self;

    if (len > CSVFILE_CELL_BYTES_MAX) {
        r->cell_too_long = true;
        len = 0;
    }
    if (r->count < CSVFILE_COLUMNS_MAX) {
        buf_put(&r->text, cell, len);
        r->ends[r->count] = r->text.len;
        r->lines[r->count] = r->cell_line;
    }
    r->count++;
    r->cell_line = r->line;
}

static void row_reset(struct reading *r)
{
    buf_clear(&r->text);
    r->count = 0;
    r->row_open = false;
    r->cell_too_long = false;
}

/* The row's cells; false when one is not UTF-8. Each is judged alone: what two cells cut in halves
 * must not count as one character. */
static bool split_cells(const struct reading *r, struct span *cells)
{
    size_t from = 0;

    for (size_t i = 0; i < r->count; i++) {
        cells[i] = span_of(r->text.p ? r->text.p + from : NULL, r->ends[i] - from);
        from = r->ends[i];
        if (!text_is_utf8(cells[i]))
            return false;
    }
    return true;
}

static void on_row(int end, void *self)
{
    struct reading *r = self;
    struct span cells[CSVFILE_COLUMNS_MAX];
    char reason[80];
    (void)end;

    if (r->status != OCOP_OK)
        return;
    r->rows++;
    if (r->text.failed) {
        r->status = err_nomem(r->err);
    } else if (r->count > CSVFILE_COLUMNS_MAX) {
        snprintf(reason, sizeof reason, "%zu columns, at most %d are read", r->count,
                 CSVFILE_COLUMNS_MAX);
        r->reader->wrong(r->reader->self, r->row_line, reason);
    } else if (r->cell_too_long) {
        snprintf(reason, sizeof reason, "a cell of more than %d bytes", CSVFILE_CELL_BYTES_MAX);
        r->reader->wrong(r->reader->self, r->row_line, reason);
    } else if (!split_cells(r, cells)) {
        r->reader->wrong(r->reader->self, r->row_line,
                         "is not UTF-8; save the file as \"CSV UTF-8\"");
    } else {
        const struct csvfile_row row = {r->rows, cells, r->lines, r->count};
        r->status = r->reader->row(r->reader->self, &row, r->err);
    }
    if (r->rows > CSVFILE_ROWS_MAX && r->status == OCOP_OK)
        r->status =
            err_set(r->err, OCOP_ELIMIT, "more than %d rows; split the file", CSVFILE_ROWS_MAX);
    row_reset(r);
}

static int is_blank(unsigned char c)
{
    return c == ' ' || c == '\t';
}

/* A delimiter is never a space to trim, not even a tab. */
static int is_space_only(unsigned char c)
{
    return c == ' ';
}

static enum ocop_status parser_start(struct reading *r, char delimiter)
{
    if (csv_init(&r->parser, CSV_STRICT | CSV_STRICT_FINI) != 0)
        return err_nomem(r->err);
    csv_set_delim(&r->parser, (unsigned char)delimiter);
    csv_set_space_func(&r->parser, delimiter == '\t' ? is_space_only : is_blank);
    return OCOP_OK;
}

/* After a stray quotation mark libcsv cannot go on; the next line begins afresh. */
static enum ocop_status recover(struct reading *r, char delimiter, const char *reason)
{
    if (csv_error(&r->parser) == CSV_ENOMEM)
        return err_nomem(r->err);
    r->rows++;
    r->reader->wrong(r->reader->self, r->row_line, reason);
    csv_free(&r->parser);
    row_reset(r);
    return parser_start(r, delimiter);
}

static enum ocop_status feed_line(struct reading *r, struct span line, char delimiter)
{
    bool blank = true;

    for (size_t i = 0; i < line.len && blank; i++)
        blank = line.p[i] == ' ' || (line.p[i] == '\t' && delimiter != '\t');
    if (blank && !r->row_open)
        return OCOP_OK;
    if (!r->row_open) {
        r->row_line = r->cell_line = r->line;
        r->row_open = true;
    }
    if (csv_parse(&r->parser, line.p, line.len, on_cell, on_row, r) != line.len ||
        csv_parse(&r->parser, "\n", 1, on_cell, on_row, r) != 1)
        return recover(r, delimiter,
                       "a quotation mark inside a cell; put the cell in quotation marks and "
                       "double those in it");
    return r->status;
}

static size_t line_end(struct span text, size_t from)
{
    while (from < text.len && text.p[from] != '\n' && text.p[from] != '\r')
        from++;
    return from;
}

char csvfile_delimiter(struct span text)
{
    static const char choices[] = {',', ';', '\t'};
    size_t found[sizeof choices] = {0}, best = 0;
    bool quoted = false;

    for (size_t i = 0; i < text.len; i++) {
        if (text.p[i] == '"')
            quoted = !quoted;
        else if (!quoted && (text.p[i] == '\n' || text.p[i] == '\r'))
            break;
        for (size_t k = 0; !quoted && k < sizeof choices; k++)
            found[k] += text.p[i] == (uint8_t)choices[k];
    }
    for (size_t k = 1; k < sizeof choices; k++)
        if (found[k] > found[best])
            best = k;
    return choices[best];
}

static enum ocop_status feed_all(struct reading *r, struct span text, char delimiter)
{
    enum ocop_status st = OCOP_OK;
    size_t at = 0;

    while (at < text.len && st == OCOP_OK) {
        const size_t end = line_end(text, at);
        r->line++;
        st = feed_line(r, span_of(text.p + at, end - at), delimiter);
        at = end + 1;
        if (end + 1 < text.len && text.p[end] == '\r' && text.p[end + 1] == '\n')
            at++;
    }
    if (st == OCOP_OK && r->row_open) {
        r->rows++;
        r->reader->wrong(r->reader->self, r->row_line, "a quotation mark that is never closed");
    }
    return st;
}

static bool is_ascii(struct span s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.p[i] >= 0x80)
            return false;
    return true;
}

/* A file of another encoding is refused as a whole: read line by line, its plain lines would be
 * imported and the Vietnamese ones left out. One wrong line among right ones is that line's fault.
 */
static enum ocop_status check_encoding(struct span text, struct ocop_error *err)
{
    size_t right = 0, wrong = 0, first = 0, line = 0;

    if (text.len >= 2 &&
        ((text.p[0] == 0xff && text.p[1] == 0xfe) || (text.p[0] == 0xfe && text.p[1] == 0xff)))
        return err_set(err, OCOP_EINVAL, "the file is UTF-16; save it as \"CSV UTF-8\"");
    if (text.len && memchr(text.p, 0, text.len))
        return err_set(err, OCOP_EINVAL,
                       "the file holds zero bytes, as UTF-16 does and text does not; save it as "
                       "\"CSV UTF-8\"");
    for (size_t at = 0, end; at < text.len; at = end + 1) {
        end = line_end(text, at);
        line++;
        if (end + 1 < text.len && text.p[end] == '\r' && text.p[end + 1] == '\n')
            end++;
        const struct span s = span_of(text.p + at, end - at);
        if (is_ascii(s))
            continue;
        const bool good = text_is_utf8(s);
        right += good;
        first = !good && wrong == 0 ? line : first;
        wrong += !good;
    }
    if (wrong > right)
        return err_set(
            err, OCOP_EINVAL,
            "the file is not UTF-8: %zu lines are not, first line %zu. It was saved in an "
            "old code page such as Windows-1258; save it as \"CSV UTF-8\"",
            wrong, first);
    return OCOP_OK;
}

enum ocop_status csvfile_parse(struct span text, const struct csvfile_reader *reader,
                               struct ocop_error *err)
{
    static const uint8_t bom[] = {0xef, 0xbb, 0xbf};
    struct reading r = {.reader = reader, .err = err};

    if (text.len == 0)
        text = span_str(""); /* of an empty file nothing was loaded */
    if (text.len > CSVFILE_BYTES_MAX)
        return err_set(err, OCOP_ELIMIT, "file of %zu bytes, limit %zu; split it", text.len,
                       CSVFILE_BYTES_MAX);
    enum ocop_status st = check_encoding(text, err);
    if (st != OCOP_OK)
        return st;
    if (text.len >= sizeof bom && memcmp(text.p, bom, sizeof bom) == 0)
        text = span_of(text.p + sizeof bom, text.len - sizeof bom);

    /* Leading blank lines do not tell the delimiter. */
    size_t head = 0;
    while (head < text.len && (text.p[head] == '\n' || text.p[head] == '\r'))
        head++;
    const char delimiter = csvfile_delimiter(span_of(text.p + head, text.len - head));

    buf_init(&r.text, (size_t)CSVFILE_COLUMNS_MAX * CSVFILE_CELL_BYTES_MAX);
    st = parser_start(&r, delimiter);
    if (st == OCOP_OK)
        st = feed_all(&r, text, delimiter);
    csv_free(&r.parser);
    buf_fini(&r.text);
    return st;
}

enum ocop_status csvfile_load(const char *path, struct buf *out, struct ocop_error *err)
{
    enum ocop_status st = OCOP_OK;
    char chunk[16384];
    size_t n;

    FILE *f = fopen(path, "rb");
    if (!f)
        return err_set(err, errno == ENOENT ? OCOP_ENOTFOUND : OCOP_EIO, "cannot read %s: %m",
                       path);
    while (st == OCOP_OK && (n = fread(chunk, 1, sizeof chunk, f)) > 0) {
        if (out->len + n > CSVFILE_BYTES_MAX)
            st = err_set(err, OCOP_ELIMIT, "%s has more than %zu bytes; split it", path,
                         CSVFILE_BYTES_MAX);
        else
            buf_put(out, chunk, n);
    }
    if (st == OCOP_OK && ferror(f))
        st = err_set(err, OCOP_EIO, "cannot read %s: %m", path);
    fclose(f);
    if (st == OCOP_OK && out->failed)
        st = err_nomem(err);
    return st;
}

void csvfile_put_cell(struct buf *out, struct span text, bool first)
{
    bool quote = text.len > 0 && (text.p[0] == ' ' || text.p[text.len - 1] == ' ');
    const bool formula = text.len > 0 && memchr("=+-@\t\r", text.p[0], 6) != NULL;

    for (size_t i = 0; i < text.len && !quote; i++)
        quote = memchr(",;\t\"\r\n", text.p[i], 6) != NULL;
    if (!first)
        buf_byte(out, ',');
    if (quote)
        buf_byte(out, '"');
    if (formula)
        buf_byte(out, '\'');
    for (size_t i = 0; i < text.len; i++) {
        if (text.p[i] == '"')
            buf_byte(out, '"');
        buf_byte(out, text.p[i]);
    }
    if (quote)
        buf_byte(out, '"');
}
