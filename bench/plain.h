/* The baselines: the same rows put into the same tables by plain SQLite. */
#ifndef BENCH_PLAIN_H
#define BENCH_PLAIN_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "migrate.h"

struct cell {
    int type, len;
    int64_t i;
    void *p;
};

struct plain_table {
    const char *name;
    uint32_t kind;
    int columns;
    size_t rows;
    struct cell *v;
    struct cell *text; /* for the search index; NULL: none */
};

/** All rows of a kind, in memory; `search`: with what the store's search index holds of them.
 */
struct plain_table plain_read(const char *path, const char *name, bool search);
/** Those with a number (the row's own, its first column) above `after`. */
struct plain_table plain_read_after(const char *path, const char *name, bool search, int64_t after);
void plain_free(struct plain_table *t);

/** A new database with the tables of this side. */
sqlite3 *plain_open(const char *name, enum migrate_side side);
sqlite3_stmt *plain_prepare(sqlite3 *db, const char *sql);

/** Plain inserts by one prepared statement, `batch` rows to a transaction. Seconds. */
double plain_insert(sqlite3 *db, const struct plain_table *t, size_t from, size_t to, size_t batch);

#endif
