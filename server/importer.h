/* What the files of an import share: the import under way, its rows and its plans. import.c tells
 * the order of things. */
#ifndef SERVER_IMPORTER_H
#define SERVER_IMPORTER_H

#include "import.h"
#include "import_index.h"

enum { IMPORT_UNIT_PARENT = 3 }; /* the column of a unit's parent */

/* A row of the file. */
struct row {
    struct row *next;
    const struct span *cells; /* by number of the import_column; len 0: empty or no column */
    size_t line, *lines;
    struct fields fields;
    struct id id;
    struct index_entry *entry, *parent; /* of a unit, and of what it lies in */
    bool exists, wrong;
    bool by_name; /* found by its name, not by a code */
};

/* A change and where in the files it comes from. */
struct plan {
    struct change change;
    size_t line;
    const char *path;
    int rank; /* parents before children */
};

struct old_unit;

struct importer {
    struct registry *r;
    const struct import_options *options;
    struct import_result *result;
    struct arena a;
    struct import_index index;
    const struct import_form *form;
    const struct kind *kind;
    const char *path; /* of the file being read */
    bool header;      /* was read */
    uint8_t map[CSVFILE_COLUMNS_MAX];
    struct row *first, **last;
    struct old_unit *first_old, **last_old; /* mapping */
    struct plan *plans;
    size_t plan_count, plan_room;
    int64_t now_ms;
    char today[11];
    char reason[OCOP_ERROR_TEXT_MAX]; /* the first complaint */
};

/* --- telling what is wrong and reading (import_read.c) --- */

/** Count a wrong line and, the first of them, show it. `column` may be NULL. */
void import_complain(struct importer *im, const char *path, size_t line, const char *column,
                     const char *reason);
/** Is this failure the line's, so that the others can go on? */
bool import_is_lines_fault(enum ocop_status st);
/** Report a failure of one cell and go on, or pass on what is not the line's fault. */
OCOP_MUST_USE enum ocop_status import_judge(struct importer *im, struct row *row, size_t column,
                                            enum ocop_status st, const struct ocop_error *e,
                                            struct ocop_error *err);
/** Read the rows of one file into im->first and those behind it; `text` unless its p is NULL. */
OCOP_MUST_USE enum ocop_status import_read(struct importer *im, enum import_what what,
                                           const char *path, struct span text,
                                           struct ocop_error *err);

/* --- cells to fields (import_row.c) --- */

/** Make a field a text of the arena. */
OCOP_MUST_USE enum ocop_status import_set_bytes(struct importer *im, struct field *f, const void *p,
                                                size_t len, struct ocop_error *err);
/** Make a field one list element: its key as field 1 and, unless NULL, a text as field 2. */
OCOP_MUST_USE enum ocop_status import_set_element(struct importer *im, struct field *f,
                                                  uint32_t number, struct span key,
                                                  const char *second, struct ocop_error *err);
/** A text of the row; len 0 when it has none. */
struct span import_value(const struct fields *f, uint32_t number);
/** A field that the row leaves open. */
OCOP_MUST_USE enum ocop_status import_put_default(struct importer *im, struct row *row,
                                                  uint32_t number, const void *p, size_t len,
                                                  struct ocop_error *err);
/** Look-up of codes for rules_check; self = the importer. */
enum code_answer import_code(void *self, const char *list, struct span code, const char *day);
/** Cells to fields; each wrong cell is reported. */
OCOP_MUST_USE enum ocop_status import_row_fields(struct importer *im, struct row *row,
                                                 struct ocop_error *err);
/** What a row leaves to be understood. */
OCOP_MUST_USE enum ocop_status import_row_defaults(struct importer *im, struct row *row,
                                                   struct ocop_error *err);

/* --- which record is meant (import_match.c) --- */

/** The unit in force today that a cell means by code or name.
 *  @return OCOP_ENOTFOUND, or OCOP_EINVAL naming the candidates where a name is of several */
OCOP_MUST_USE enum ocop_status import_find_unit(struct importer *im, struct span cell,
                                                const struct index_entry **out,
                                                struct ocop_error *err);
/** The same for a record that has a code and a name. `owner`, unless zero, must be its producer. */
OCOP_MUST_USE enum ocop_status import_find_named(struct importer *im, enum index_space coded,
                                                 enum index_space named, struct span cell,
                                                 const struct id *owner,
                                                 const struct index_entry **out,
                                                 struct ocop_error *err);
/** The record that a row means; *out NULL when it is not there yet. */
OCOP_MUST_USE enum ocop_status import_match_row(struct importer *im, const struct row *row,
                                                const struct index_entry **out, bool *by_name,
                                                struct ocop_error *err);

/* --- rows to changes (import_plan.c) --- */

/** Is the row of a record that is there already? Gives it its id. */
OCOP_MUST_USE enum ocop_status import_identify(struct importer *im, struct row *row,
                                               struct ocop_error *err);
/** Plan the creation of a record, or the amendment that the row makes. */
OCOP_MUST_USE enum ocop_status import_plan_row(struct importer *im, struct row *row, int rank,
                                               struct ocop_error *err);
/** Plan what differs between the record that is there and `wanted`. */
OCOP_MUST_USE enum ocop_status import_plan_amend(struct importer *im, uint32_t kind,
                                                 const struct id *id, const struct fields *wanted,
                                                 size_t line, int rank, struct ocop_error *err);

/* --- units and what became of them (import_units.c) --- */

/** Parents before children: the order in which units are written. */
int import_unit_rank(struct span level);
/** Runs when every unit of the file has its id: a parent may stand below its child. */
OCOP_MUST_USE enum ocop_status import_unit_parent(struct importer *im, struct row *row,
                                                  struct ocop_error *err);
/** Plan the end of the units before and their successors. */
OCOP_MUST_USE enum ocop_status import_plan_mapping(struct importer *im, struct ocop_error *err);

#endif
