/* Record <-> row, composed from the descriptors. The only place that composes SQL.
 *
 * Every kind's table has the columns
 *   n INTEGER PRIMARY KEY   local number, never leaves the file
 *   id BLOB                 16 bytes, UNIQUE
 *   version INTEGER         of the last change-set that altered it (0: not in the registry yet)
 *   born INTEGER            version at which it was created
 *   anchor BLOB             16 bytes: the anchor by which it is fed to devices (registry)
 *   versions BLOB           packed versions of fields that were ever edited; NULL: all are `born`
 *   extra BLOB              values this program does not know; NULL: none
 * and one column per field, named as in records.proto; lists as JSON text. Kinds this program does
 * not know are kept in table `unknown_kind`, which has an extra column `kind`. */
#ifndef DATA_ROW_H
#define DATA_ROW_H

#include <sqlite3.h>

#include "change.h"

struct row_meta {
    int64_t n;
    uint64_t version, born;
    struct id anchor;
};

/** Prepared statements of one connection, by kind. */
struct rows;

OCOP_MUST_USE enum ocop_status rows_open(sqlite3 *db, struct rows **out, struct ocop_error *err);
void rows_close(struct rows *r);

/** Insert; a marker list of `f` (ops CLEAR, bases other than born) goes to `versions`.
 *  @return OCOP_ESTATE when the id is there already (nothing changed, no error text needed) */
OCOP_MUST_USE enum ocop_status row_insert(struct rows *r, uint32_t kind, const struct id *id,
                                          const struct fields *f, const struct row_meta *meta,
                                          int64_t *n, struct ocop_error *err);

/** Replace all fields and meta of the record. OCOP_ENOTFOUND when not there. */
OCOP_MUST_USE enum ocop_status row_update(struct rows *r, uint32_t kind, const struct id *id,
                                          const struct fields *f, const struct row_meta *meta,
                                          struct ocop_error *err);

/** Load fields with base = version last changed at, markers included. OCOP_ENOTFOUND. */
OCOP_MUST_USE enum ocop_status row_load(struct rows *r, uint32_t kind, const struct id *id,
                                        struct arena *a, struct fields *out, struct row_meta *meta,
                                        struct ocop_error *err);

/** The same from a statement whose columns are row_columns(kind) starting at column `first`. */
OCOP_MUST_USE enum ocop_status row_read(struct rows *r, uint32_t kind, sqlite3_stmt *stmt,
                                        int first, struct arena *a, struct id *id,
                                        struct fields *out, struct row_meta *meta,
                                        struct ocop_error *err);

/** "n,id,version,born,anchor,versions,extra,unit_id,..." for callers that write their own WHERE.
 *  Static text per kind, owned by `r`. */
const char *row_columns(struct rows *r, uint32_t kind);

OCOP_MUST_USE enum ocop_status row_delete(struct rows *r, uint32_t kind, const struct id *id,
                                          struct ocop_error *err);

/** Is there a record? One B-tree look-up. */
OCOP_MUST_USE enum ocop_status row_exists(struct rows *r, uint32_t kind, const struct id *id,
                                          bool *out, struct ocop_error *err);

/** Ids of other records whose natural key field `number` equals `value`, which that of `except`
 *  does: the oldest that are not voided, at most `max`. */
OCOP_MUST_USE enum ocop_status row_same_key(struct rows *r, uint32_t kind, uint32_t number,
                                            struct span value, const struct id *except,
                                            struct id *out, size_t max, size_t *count,
                                            struct ocop_error *err);

/** Only the version column. */
OCOP_MUST_USE enum ocop_status row_touch(struct rows *r, uint32_t kind, const struct id *id,
                                         uint64_t version, struct ocop_error *err);

/** Table of a kind, `unknown_kind` for others. */
const char *row_table(uint32_t kind);

/** Hash the rows of a kind, ordered by id, without column n: part of the canonical dump.
 *  `update` is called with one canonical line per row. */
typedef void (*row_dump_fn)(void *self, struct span line);
OCOP_MUST_USE enum ocop_status row_dump(struct rows *r, uint32_t kind, row_dump_fn update,
                                        void *self, struct ocop_error *err);

/** Translate SQLite's last error on `db`; never returns OCOP_OK. */
enum ocop_status db_error(sqlite3 *db, struct ocop_error *err, const char *doing);

#endif
