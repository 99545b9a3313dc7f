/* Comma-separated files as people make them: any of three delimiters, any line end, with or
 * without a byte order mark. The only user of libcsv. */
#ifndef SERVER_CSVFILE_H
#define SERVER_CSVFILE_H

#include "buf.h"
#include "err.h"

enum { CSVFILE_COLUMNS_MAX = 200, CSVFILE_ROWS_MAX = 1000000, CSVFILE_CELL_BYTES_MAX = 65536 };
#define CSVFILE_BYTES_MAX MIB(64)

/* One row. Cells are trimmed of spaces that stand outside quotation marks; a line break in a
 * quoted cell is "\n" whatever the file's was. Borrowed for the call. */
struct csvfile_row {
    size_t number; /* 1 is the header; blank lines are not rows */
    const struct span *cells;
    const size_t *lines; /* of each cell: the line of the file on which it begins, from 1 */
    size_t count;
};

struct csvfile_reader {
    /* Anything but OCOP_OK ends the reading and is returned. */
    enum ocop_status (*row)(void *self, const struct csvfile_row *row, struct ocop_error *err);
    /* A row that cannot be read; the reading goes on behind it. */
    void (*wrong)(void *self, size_t line, const char *reason);
    void *self;
};

/** Which of , ; and tab stands most often outside quotation marks in the first line. */
char csvfile_delimiter(struct span text);

/** Read all rows of `text`.
 *  @return OCOP_EINVAL not UTF-8 as a whole (UTF-16, an old code page); OCOP_ELIMIT too large;
 *          OCOP_ENOMEM */
OCOP_MUST_USE enum ocop_status csvfile_parse(struct span text, const struct csvfile_reader *reader,
                                             struct ocop_error *err);

/** A whole file into `out`, at most CSVFILE_BYTES_MAX.
 *  @return OCOP_ENOTFOUND, OCOP_EIO, OCOP_ELIMIT, OCOP_ENOMEM */
OCOP_MUST_USE enum ocop_status csvfile_load(const char *path, struct buf *out,
                                            struct ocop_error *err);

/** Append one cell, quoted where needed. Text that a spreadsheet would take for a formula gets an
 *  apostrophe before it. */
void csvfile_put_cell(struct buf *out, struct span text, bool first);

#endif
