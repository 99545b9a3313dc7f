/* Replicas that their device gave up: a registry that was restored knew nothing of them, so that
 * the device goes on under another name, whose first set says so. What was on its way since may
 * come when they could be taken again, and would bring everything twice. */
#include "given_up.h"

#include "log.h"
#include "registry_stmts.h"

static bool names(struct span ids, const struct id *id)
{
    for (size_t at = 0; at + ID_LEN <= ids.len; at += ID_LEN)
        if (memcmp(ids.p + at, id->b, ID_LEN) == 0)
            return true;
    return false;
}

enum ocop_status given_up(struct registry *r, const uint8_t channel_key[CHANNEL_KEY_LEN],
                          const struct id *replica, bool *out, struct ocop_error *err)
{
    struct arena a;
    bool row = true;
    *out = false;
    sqlite3_stmt *s = registry_stmt(r, SQL_FIRST_SETS, err);
    if (!s)
        return OCOP_EDB;
    sqlite3_bind_blob(s, 1, channel_key, CHANNEL_KEY_LEN, SQLITE_STATIC);
    arena_init(&a, ARENA_REQUEST_MAX);
    enum ocop_status st;
    while ((st = registry_row(r, s, "reading a device's first sets", &row, err)) == OCOP_OK &&
           row && !*out) {
        struct log_entry first;
        struct change_set set;
        arena_reset(&a);
        st = log_read(r, (uint64_t)sqlite3_column_int64(s, 0), &first, err);
        if (st == OCOP_OK)
            st = changeset_peek(first.body, &a, &set, err);
        if (st != OCOP_OK)
            break;
        *out = names(set.given_up, replica);
    }
    sqlite3_reset(s);
    arena_fini(&a);
    return st;
}
