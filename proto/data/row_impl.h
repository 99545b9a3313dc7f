/* What the files row*.c share: the tables of the kinds and their statements. */
#ifndef DATA_ROW_IMPL_H
#define DATA_ROW_IMPL_H

#include "bounds.h"
#include "row.h"

/* Parameters of INSERT and UPDATE. Columns of SELECT stand at the same numbers, n at 0. */
enum { AT_N, AT_ID, AT_VERSION, AT_BORN, AT_ANCHOR, AT_VERSIONS, AT_EXTRA, AT_FIELDS };
enum { BY_NUMBER = 64, AT_MAX = AT_FIELDS + BY_NUMBER };

enum operation { OP_INSERT, OP_UPDATE, OP_LOAD, OP_EXISTS, OP_DELETE, OP_TOUCH, OP_COUNT };

enum { ENTRY_CLEARED = 1, ENTRY_KEY = 2 };

/* Fields, elements and markers of one row. More than of a change, since markers gather; checked
 * when writing too, so that what was stored can be loaded. */
enum { ROW_FIELDS_MAX = 16 * FIELDS_MAX };

struct table {
    const struct kind *kind; /* NULL: unknown_kind */
    const char *name;
    char *columns;
    int at_end;                            /* one past the last parameter */
    uint8_t at[BY_NUMBER];                 /* field number -> parameter; 0: goes to `extra` */
    const struct field_rule *rule[AT_MAX]; /* parameter -> rule */
    sqlite3_stmt *op[OP_COUNT];
    sqlite3_stmt *shared_key[BY_NUMBER], *same_key[BY_NUMBER];
};

struct rows {
    sqlite3 *db;
    struct table tables[KIND_COUNT_PLUS_1];  /* by kind's number; 0 is unknown_kind */
    struct buf versions, extra, lists, text; /* reused by every call */
    struct field *scratch;
    size_t scratch_count, scratch_room;
};

struct table *rows_table(struct rows *r, uint32_t kind);

/** The column that a parameter stands for. */
const char *rows_column(const struct table *t, int at);

/** "`doing` TABLE": what SQLite says. */
enum ocop_status rows_fail(struct rows *r, const struct table *t, const char *doing,
                           struct ocop_error *err);

/** Of what stands in r->text. */
OCOP_MUST_USE enum ocop_status rows_prepare(struct rows *r, const struct table *t,
                                            sqlite3_stmt **out, struct ocop_error *err);

/** The statement with `id` bound, and the kind where the table holds several. */
OCOP_MUST_USE enum ocop_status rows_start(struct rows *r, uint32_t kind, enum operation op,
                                          const struct id *id, struct table **table,
                                          sqlite3_stmt **stmt, struct ocop_error *err);

/** What was bound is borrowed from the caller, so nothing stays bound. */
void rows_finish(sqlite3_stmt *stmt);

enum ocop_status rows_not_found(const struct table *t, const struct id *id, struct ocop_error *err);

/** A column's bytes, until the next step. */
struct span rows_span(sqlite3_stmt *stmt, int column);

#endif
