/* A result that is one row: its members gathered once, printed as a JSON object or as CSV with a
 * line of titles. */
#ifndef CLI_MEMBERS_H
#define CLI_MEMBERS_H

#include "out.h"

/** Zero is empty. */
struct members {
    struct out json, titles, cells;
};

/** Names are those of JSON ("lastSyncMs"); CSV has them as fields are called ("last_sync_ms"). */
void members_text(struct members *m, const char *name, const char *text);
/** A number, a truth value, null, or JSON text as it stands. */
void members_raw(struct members *m, const char *name, const char *json);
void members_number(struct members *m, const char *name, int64_t n);
void members_truth(struct members *m, const char *name, bool b);

/** Print and forget them. */
void members_print(struct members *m, bool csv, struct out *o);

#endif
