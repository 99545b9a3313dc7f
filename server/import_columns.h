/* What an imported file may hold: which header names which field, and what a cell becomes. Knows
 * no registry: references stay text until import.c looks them up. */
#ifndef SERVER_IMPORT_COLUMNS_H
#define SERVER_IMPORT_COLUMNS_H

#include "change.h"
#include "csvfile.h"

enum cell_form {
    CELL_TEXT,
    CELL_NOTE, /* line breaks are kept */
    CELL_CODE, /* a code, or its title, of the field's code list */
    CELL_DATE, /* 05/8/2026 or 2026-08-05 */
    CELL_INT,
    CELL_STARS,    /* 3, "3 sao", "★★★" */
    CELL_DEGREES,  /* 10.123456 to millionths */
    CELL_ROLES,    /* roles, separated by , or ; */
    CELL_UNIT,     /* a unit's code or name */
    CELL_PRODUCER, /* a tax code or a name */
    CELL_PRODUCT,  /* a product code or a name */
    CELL_KEY,      /* text that names no field of the record: mapping files */
    CELL_IGNORED   /* known and of no use */
};

struct import_column {
    uint32_t number; /* field of the kind; 0 for CELL_KEY and CELL_IGNORED */
    enum cell_form form;
    bool required; /* the file must have the column, and each row a value */
    const char *name;
    const char *aliases; /* further headers, separated by | */
};

enum import_what {
    IMPORT_UNITS,
    IMPORT_OFFICERS,
    IMPORT_PRODUCERS,
    IMPORT_PRODUCTS,
    IMPORT_CERTIFICATES,
    IMPORT_MAPPING,
    IMPORT_COUNT
};
struct import_form {
    const char *name; /* "units" */
    uint32_t kind;    /* 0 for the mapping */
    const struct import_column *columns;
    size_t count;
};
extern const struct import_form import_forms[IMPORT_COUNT];

/** "producers" to its number; IMPORT_COUNT when there is none of that name. */
enum import_what import_by_name(const char *name);

enum { IMPORT_NO_COLUMN = 255 };
/** For each column of the header the number of its import_column, or IMPORT_NO_COLUMN.
 *  @return OCOP_EINVAL naming every unknown column (unless `ignore_unknown`), a column that stands
 *          twice, and every required one that is missing */
OCOP_MUST_USE enum ocop_status import_header(const struct import_form *form,
                                             const struct csvfile_row *header, bool ignore_unknown,
                                             uint8_t map[CSVFILE_COLUMNS_MAX],
                                             struct ocop_error *err);

/** Spaces around it cut off, no-break spaces and zero-width marks included; inside a one-line
 *  cell, line breaks become spaces. In the arena. */
OCOP_MUST_USE enum ocop_status import_trim(struct span cell, bool keep_lines, struct arena *a,
                                           struct span *out, struct ocop_error *err);

/** A trimmed, non-empty cell of one of the plain forms (to CELL_DEGREES) to its value.
 *  @return OCOP_EINVAL with the reason */
OCOP_MUST_USE enum ocop_status import_cell(const struct import_column *column, struct span cell,
                                           struct arena *a, struct field *out,
                                           struct ocop_error *err);

/** The day before "2025-07-01"; out has room for 11. */
void import_day_before(const char *date, char *out);

#endif
