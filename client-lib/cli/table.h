/* Rows of text in aligned columns. */
#ifndef CLI_TABLE_H
#define CLI_TABLE_H

#include "out.h"

enum { TABLE_COLUMNS_MAX = 24 };

/** Zero, but for `columns`, is an empty table. */
struct table {
    size_t columns;
    bool lines; /* the last column may hold several lines */
    struct out text;
    size_t *ends; /* of each cell in `text` */
    size_t count, cap;
};

/** The next cell, made safe for a terminal. */
void table_cell(struct table *t, const char *text);
/** The next cells: `columns` strings. */
void table_row(struct table *t, const char *const *cells);
/** Append it all, each row behind `indent` spaces. */
void table_print(const struct table *t, size_t indent, struct out *o);
void table_fini(struct table *t);

#endif
