/* What leaves the device: records that moved out of its scope, and units that its scope lost. */
#include "feed_page.h"

/* --- departures of records -----------------------------------------------------------------------
 */

static enum ocop_status departure_add(struct feed *f, uint32_t kind, const struct id *id, bool unit)
{
    Ocop__Sync__SyncReply *reply = f->reply;
    Ocop__Sync__Departure **v = feed_grown(f->a, reply->departures, reply->n_departures, 1);
    Ocop__Sync__Departure *d = arena_alloc(f->a, sizeof *d);
    if (!v || !d)
        return err_nomem(f->err);
    ocop__sync__departure__init(d);
    d->has_kind = d->has_id = !unit;
    d->has_unit = unit;
    d->kind = kind;
    *(unit ? &d->unit : &d->id) = feed_blob(f->a, id->b, ID_LEN);
    v[reply->n_departures++] = d;
    reply->departures = v;
    return OCOP_OK;
}

struct position feed_position(const struct feed *f)
{
    struct position p = {f->cur.version, UINT32_MAX, {{0}}};
    if (f->cur.after)
        return (struct position){f->cur.version + 1, f->cur.after_kind, f->cur.after_id};
    memset(p.id.b, 0xff, ID_LEN);
    return p;
}

int feed_position_cmp(const struct position *a, const struct position *b)
{
    if (a->version != b->version)
        return a->version < b->version ? -1 : 1;
    if (a->table != b->table)
        return a->table < b->table ? -1 : 1;
    return id_cmp(&a->id, &b->id);
}

/* Records that moved out of an anchor of this device, in their order. Sets the horizon to the last
 * of them when there are more: one version may move many, with all that is attached to them. */
enum ocop_status feed_gone_load(struct feed *f, struct gone **out, size_t *count)
{
    int rc = SQLITE_DONE;
    *out = NULL;
    *count = 0;
    const struct position seen = feed_position(f);
    f->horizon = (struct position){.version = UINT64_MAX};
    sqlite3_stmt *s = registry_stmt(f->r, SQL_DEPARTURES, f->err);
    if (!s)
        return OCOP_EDB;
    sqlite3_bind_blob(s, 1, f->replica->b, ID_LEN, SQLITE_STATIC);
    sqlite3_bind_int64(s, 2, (sqlite3_int64)seen.version);
    sqlite3_bind_int64(s, 3, seen.table);
    sqlite3_bind_blob(s, 4, seen.id.b, ID_LEN, SQLITE_STATIC);
    sqlite3_bind_int64(s, 5, FEED_UNKNOWN);
    sqlite3_bind_int64(s, 6, DEPARTURES_MAX + 1);
    enum ocop_status st = OCOP_OK;
    while (st == OCOP_OK && (rc = sqlite3_step(s)) == SQLITE_ROW) {
        struct gone g = {.at = {.version = (uint64_t)sqlite3_column_int64(s, 0)},
                         .kind = (uint32_t)sqlite3_column_int64(s, 1)};
        g.at.table = feed_table_of(g.kind);
        feed_column_id(s, 2, &g.at.id);
        if (*count == DEPARTURES_MAX) {
            f->horizon = (*out)[*count - 1].at;
            break;
        }
        *out = arena_more(f->a, *out, *count, sizeof **out);
        if (*out)
            (*out)[(*count)++] = g;
        else
            st = err_nomem(f->err);
    }
    sqlite3_reset(s);
    return st == OCOP_OK && rc != SQLITE_ROW && rc != SQLITE_DONE
               ? db_error(f->r->db, f->err, "reading departures")
               : st;
}

/* Tell those that the page has come past, unless the record is in the scope by another way. */
enum ocop_status feed_gone_tell(struct feed *f, const struct gone *gone, size_t count)
{
    const struct position seen = feed_position(f);
    enum ocop_status st = OCOP_OK;
    for (size_t i = 0; st == OCOP_OK && i < count && feed_position_cmp(&gone[i].at, &seen) <= 0;
         i++) {
        struct id anchor;
        bool found = false;
        st = feed_anchor_of(f, gone[i].kind, &gone[i].at.id, &found, &anchor);
        if (st == OCOP_OK && found && !feed_scope_find(f, &anchor, &gone[i].at.id))
            st = departure_add(f, gone[i].kind, &gone[i].at.id, false);
    }
    return st;
}

/* --- scope changes -------------------------------------------------------------------------------
 */

/* The units of a province that no unit of the scope lies in any more. */
static enum ocop_status province_left(struct feed *f, const struct id *mark)
{
    enum ocop_status st = OCOP_OK;
    sqlite3_stmt *s = registry_stmt(f->r, SQL_UNITS_AT, f->err);
    if (!s)
        return OCOP_EDB;
    sqlite3_bind_blob(s, 1, mark->b, ID_LEN, SQLITE_STATIC);
    sqlite3_bind_blob(s, 2, f->replica->b, ID_LEN, SQLITE_STATIC);
    sqlite3_bind_int64(s, 3, (sqlite3_int64)f->cur.scope);
    bool row;
    while ((st = registry_row(f->r, s, "reading units", &row, f->err)) == OCOP_OK && row) {
        struct id unit;
        feed_column_id(s, 0, &unit);
        st = departure_add(f, KIND_UNIT, &unit, false);
        if (st != OCOP_OK)
            break;
    }
    sqlite3_reset(s);
    return st;
}

/* A record that was assigned by itself, unless its unit brings it. */
static enum ocop_status record_left(struct feed *f, const struct id *alone)
{
    struct id id = scope_record(*alone), anchor;
    enum ocop_status st = OCOP_OK;
    bool found = false;
    for (uint32_t kind = 1; st == OCOP_OK && !found && kind < KIND_COUNT_PLUS_1; kind++) {
        st = feed_anchor_of(f, kind, &id, &found, &anchor);
        if (st == OCOP_OK && found && !feed_anchor(f, &anchor))
            st = departure_add(f, kind, &id, false);
    }
    return st;
}

static enum ocop_status anchor_left(struct feed *f, const struct id *anchor)
{
    if (scope_is_mark(anchor))
        return province_left(f, anchor);
    return scope_is_record(anchor) ? record_left(f, anchor) : departure_add(f, 0, anchor, true);
}

enum ocop_status feed_units_left(struct feed *f)
{
    enum ocop_status st = OCOP_OK;
    sqlite3_stmt *s = registry_stmt(f->r, SQL_SCOPE_LEFT_SINCE, f->err);
    if (!s)
        return OCOP_EDB;
    sqlite3_bind_blob(s, 1, f->replica->b, ID_LEN, SQLITE_STATIC);
    sqlite3_bind_int64(s, 2, (sqlite3_int64)f->cur.scope);
    bool row;
    while ((st = registry_row(f->r, s, "reading a scope", &row, f->err)) == OCOP_OK && row) {
        struct id anchor;
        feed_column_id(s, 0, &anchor);
        st = anchor_left(f, &anchor);
        if (st != OCOP_OK)
            break;
    }
    sqlite3_reset(s);
    return st;
}
