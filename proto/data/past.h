/* What migrations once asked for and nobody asks for any more: the module fts5, under whose name
 * the first stores had their index of words. */
#ifndef DATA_PAST_H
#define DATA_PAST_H

#include <sqlite3.h>

#include "err.h"

/** Stand in for FTS5 on this connection, so that the SQLite beneath needs none: its tables may be
 * created, which makes nothing, and dropped, with all that FTS5 itself has made of them. They
 * cannot be read or written. */
OCOP_MUST_USE enum ocop_status past_open(sqlite3 *db, struct ocop_error *err);

#endif
