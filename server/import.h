/* Master data from comma-separated files. Every line is checked before anything is written; what
 * is written goes through the log like everything else. */
#ifndef SERVER_IMPORT_H
#define SERVER_IMPORT_H

#include <stdio.h>

#include "import_columns.h"
#include "ingest.h"
#include "keys.h"

enum { IMPORT_SET_CHANGES = 2000, IMPORT_ERRORS_SHOWN = 100 };

struct import_options {
    const char *path;      /* the file, as messages name it */
    struct span text;      /* its content; NULL p: read from `path` */
    const char *from, *to; /* units: first and last day of validity; `to` may be NULL */
    const char *mapping;   /* units: file of what became of the units before; may be NULL */
    bool skip_bad, dry_run, ignore_columns;
    FILE *errors; /* one line each; NULL: nowhere */
};

struct import_result {
    size_t rows, created, amended, same;
    size_t wrong; /* lines with an error, in all files */
    size_t cases; /* changes that opened a case */
    size_t sets;
    uint64_t version; /* of the last set; 0 when nothing was written */
};

/** Import one file (and the mapping) in one transaction of its own. Importing it again changes
 *  nothing. An empty cell leaves the registry's value alone.
 *  @return OCOP_OK       also when lines were left out because of skip_bad
 *          OCOP_EINVAL   a line, a column or an option is wrong; nothing was written
 *          OCOP_ENOTFOUND, OCOP_EIO, OCOP_ELIMIT, OCOP_EDB, OCOP_ENOMEM; nothing was written */
OCOP_MUST_USE enum ocop_status import_run(struct registry *r, const struct server_keys *keys,
                                          enum import_what what,
                                          const struct import_options *options,
                                          struct import_result *result, struct ocop_error *err);

/** One officer made by hand, as `invite --new-officer` does: name, agency, roles ("a,b").
 *  @return OCOP_EINVAL for an unknown role */
OCOP_MUST_USE enum ocop_status import_officer(struct registry *r, const struct server_keys *keys,
                                              const char *name, const char *agency,
                                              const char *roles, struct id *out,
                                              struct ocop_error *err);

#endif
