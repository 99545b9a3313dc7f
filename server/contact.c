/* Last contacts, by the number that each device gives its requests: no clock tells a replay. */
#include "contact.h"

#include "registry_stmts.h"

enum ocop_status contact_write(struct registry *r, const struct contact *c, struct ocop_error *err)
{
    const int64_t latest = INT64_C(1) << 52;
    int64_t told = c->device_ms < 0 ? 0 : c->device_ms;
    sqlite3_stmt *s = registry_stmt(r, SQL_CONTACT_SET, err);
    if (!s)
        return OCOP_EDB;
    sqlite3_bind_blob(s, 1, c->replica.b, ID_LEN, SQLITE_STATIC);
    sqlite3_bind_int64(s, 2, c->now_ms);
    sqlite3_bind_int64(s, 3, (told < latest ? told : latest) - c->now_ms);
    sqlite3_bind_int64(s, 4, c->waiting);
    sqlite3_bind_int64(s, 5, c->schema);
    sqlite3_bind_int64(s, 6, c->unsettled);
    sqlite3_bind_int64(s, 7, (sqlite3_int64)(c->exchange & INT64_MAX));
    sqlite3_bind_int64(s, 8, c->program);
    sqlite3_bind_int(s, 9, c->accepted);
    return registry_done(r, s, "noting a contact", err);
}
