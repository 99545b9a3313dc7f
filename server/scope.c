/* Scope: which anchors each device receives, derived from its units by containment and succession.
 * Recomputed at the end of a change-set that touched units or devices; depends on the log alone.
 * Knows nothing of what is then sent (feed.c). */
#include <stdlib.h>

#include "bounds.h"
#include "feed.h"
#include "json.h"
#include "registry_stmts.h"

enum {
    DEPTH_MAX = 8,
    REPLICA_SCOPE = 15,
    REPLICA_RECORDS = 20,
    UNIT_PARENT = 13,
    UNIT_SUCCESSORS = 16
};
enum { UNITS_ARENA_MAX = 256 << 20, DEVICE_ARENA_MAX = 16 << 20 };

struct unit {
    struct id id, parent, anchor;
    struct unit *first_child, *next_child; /* below the same parent */
    struct fields successors;              /* elements; their keys are ids */
    struct before *before;
    bool country, touched, in; /* in: in the closure being made */
};

/* Units that a unit took over, wholly or in part. */
struct before {
    struct unit *unit;
    struct before *next;
};

struct units {
    struct unit *v; /* by id */
    size_t count;
    bool touched;          /* one of them changed in this set */
    struct unit **members; /* of the closure being made; room for all */
    size_t member_count;
};

/* The anchor of what goes to every device. Not zero: that is "no anchor". */
static const struct id everyone = {{[ID_LEN - 1] = 1}};

/* The anchor of the units of a province: what devices of that province are told of units. No id
 * that was made as one has this version nibble, so that it is never taken for a unit. */
static struct id marked(struct id province)
{
    province.b[6] ^= SCOPE_MARK;
    return province;
}

bool scope_is_mark(const struct id *anchor)
{
    return anchor->b[6] >> 4 == (0x80 ^ SCOPE_MARK) >> 4;
}

bool scope_is_record(const struct id *anchor)
{
    return anchor->b[6] >> 4 == (0x80 ^ SCOPE_RECORD) >> 4;
}

static bool is_country(struct span level)
{
    return span_eq(level, span_str("country"));
}

static struct span column_span(sqlite3_stmt *s, int column)
{
    const void *p = sqlite3_column_blob(s, column);
    return span_of(p, (size_t)sqlite3_column_bytes(s, column));
}

/* The unit above `unit`; *found is false when there is none or it is the country. */
static enum ocop_status parent_of(struct registry *r, const struct id *unit, struct id *parent,
                                  bool *found, struct ocop_error *err)
{
    sqlite3_stmt *s = registry_stmt(r, SQL_UNIT_PARENT, err);
    *found = false;
    if (!s)
        return OCOP_EDB;
    sqlite3_bind_blob(s, 1, unit->b, ID_LEN, SQLITE_STATIC);
    enum ocop_status st = registry_row(r, s, "reading what is above a unit", found, err);
    if (st == OCOP_OK && *found)
        *found = id_from(column_span(s, 0), parent);
    sqlite3_reset(s);
    return st;
}

/* By its parent, as far as that is known; scope_update, which knows the unit's own id and all of
 * the set, has the last word. */
static enum ocop_status unit_anchor(struct registry *r, const struct fields *record, struct id *out,
                                    struct ocop_error *err)
{
    enum ocop_status st = OCOP_OK;
    const struct field *f = fields_find(record, UNIT_PARENT, span_of(NULL, 0));
    *out = (struct id){{0}};
    bool more = f && f->op == FIELD_SET && id_from(f->bytes, out);
    for (int depth = 0; st == OCOP_OK && more && depth < DEPTH_MAX; depth++) {
        struct id parent = {{0}};
        st = parent_of(r, out, &parent, &more, err);
        if (st == OCOP_OK && more)
            *out = parent;
    }
    if (!id_is_zero(out))
        *out = marked(*out);
    return st;
}

enum ocop_status scope_anchor(struct registry *r, uint32_t kind, const struct fields *record,
                              struct id *out, struct ocop_error *err)
{
    const struct kind *k = kind_by_number(kind);
    const struct field *f = fields_find(record, FIELD_UNIT, span_of(NULL, 0));
    if (kind == KIND_UNIT)
        return unit_anchor(r, record, out, err);
    if (k && k->reference && !k->local_only)
        *out = everyone;
    else if ((k && k->local_only) || !f || f->op != FIELD_SET || !id_from(f->bytes, out))
        memset(out->b, 0xff, ID_LEN); /* goes to nobody */
    return OCOP_OK;
}

static enum ocop_status has_anchor(struct registry *r, const struct id *replica,
                                   const struct id *unit, bool *out, struct ocop_error *err)
{
    sqlite3_stmt *s = registry_stmt(r, SQL_SCOPE_HAS, err);
    if (!s)
        return OCOP_EDB;
    sqlite3_bind_blob(s, 1, replica->b, ID_LEN, SQLITE_STATIC);
    sqlite3_bind_blob(s, 2, unit->b, ID_LEN, SQLITE_STATIC);
    enum ocop_status st = registry_row(r, s, "reading a scope", out, err);
    sqlite3_reset(s);
    return st;
}

enum ocop_status scope_has(struct registry *r, const struct id *replica, const struct id *unit,
                           bool *out, struct ocop_error *err)
{
    *out = false;
    if (id_eq(unit, &everyone) || scope_is_mark(unit) || scope_is_record(unit))
        return OCOP_OK; /* anchors of scopes, but no units */
    return has_anchor(r, replica, unit, out, err);
}

enum ocop_status scope_has_record(struct registry *r, const struct id *replica,
                                  const struct id *record, bool *out, struct ocop_error *err)
{
    struct id anchor = scope_record(*record);
    *out = false;
    return scope_is_record(&anchor) ? has_anchor(r, replica, &anchor, out, err) : OCOP_OK;
}

/* --- units in memory -----------------------------------------------------------------------------
 */

static void column_id(sqlite3_stmt *s, int column, struct id *out)
{
    memset(out, 0, sizeof *out);
    id_from(column_span(s, column), out);
}

static enum ocop_status unit_read(sqlite3_stmt *s, uint64_t version, struct arena *a,
                                  struct unit *u, struct ocop_error *err)
{
    const struct field_rule *rule = kind_field(kind_by_number(KIND_UNIT), UNIT_SUCCESSORS);
    struct span json = column_span(s, 2);
    *u = (struct unit){0};
    column_id(s, 0, &u->id);
    column_id(s, 1, &u->parent);
    column_id(s, 3, &u->anchor);
    u->country = is_country(column_span(s, 4));
    u->touched = (uint64_t)sqlite3_column_int64(s, 5) == version;
    if (json.len == 0)
        return OCOP_OK;
    char *copy = arena_dup(a, json.p, json.len);
    return copy ? json_list_read(rule, span_of(copy, json.len), a, &u->successors, err)
                : err_nomem(err);
}

static enum ocop_status units_read(struct registry *r, uint64_t version, struct arena *a,
                                   struct units *out, struct ocop_error *err)
{
    int rc = SQLITE_DONE;
    sqlite3_stmt *s = registry_stmt(r, SQL_UNITS, err);
    enum ocop_status st = s ? OCOP_OK : OCOP_EDB;
    while (st == OCOP_OK && (rc = sqlite3_step(s)) == SQLITE_ROW) {
        out->v = arena_more(a, out->v, out->count, sizeof *out->v);
        if (!out->v) {
            st = err_nomem(err);
            break;
        }
        st = unit_read(s, version, a, &out->v[out->count], err);
        out->touched = out->touched || out->v[out->count].touched;
        out->count++;
    }
    sqlite3_reset(s);
    return st == OCOP_OK && rc != SQLITE_DONE ? db_error(r->db, err, "reading units") : st;
}

static int unit_cmp(const void *a, const void *b)
{
    return memcmp(a, b, ID_LEN); /* the id comes first */
}

static struct unit *unit_find(const struct units *u, const struct id *id)
{
    return u->count ? bsearch(id, u->v, u->count, sizeof *u->v, unit_cmp) : NULL;
}

static struct unit *successor_of(const struct units *units, const struct unit *u, size_t i)
{
    struct id id;
    return id_from(u->successors.v[i].key, &id) ? unit_find(units, &id) : NULL;
}

/* Tie a unit to what is above it and to what came after it. */
static enum ocop_status unit_tie(struct units *units, struct unit *u, struct arena *a,
                                 struct ocop_error *err)
{
    struct unit *parent = unit_find(units, &u->parent);
    if (parent && parent != u) {
        u->next_child = parent->first_child;
        parent->first_child = u;
    }
    for (size_t i = 0; i < u->successors.count; i++) {
        struct unit *after = successor_of(units, u, i);
        struct before *b = after ? arena_alloc(a, sizeof *b) : NULL;
        if (after && !b)
            return err_nomem(err);
        if (!after)
            continue;
        *b = (struct before){u, after->before};
        after->before = b;
    }
    return OCOP_OK;
}

static enum ocop_status units_load(struct registry *r, uint64_t version, struct arena *a,
                                   struct units *out, struct ocop_error *err)
{
    *out = (struct units){0};
    enum ocop_status st = units_read(r, version, a, out, err);
    if (st != OCOP_OK)
        return st;
    out->members = arena_calloc(a, out->count + 1, sizeof(struct unit *));
    if (!out->members)
        return err_nomem(err);
    for (size_t i = 0; st == OCOP_OK && i < out->count; i++)
        st = unit_tie(out, &out->v[i], a, err);
    return st;
}

/* The country goes to everyone; else the topmost unit below the country decides. */
static struct id anchor_of(const struct units *units, const struct unit *u)
{
    if (u->country)
        return everyone;
    for (int depth = 0; depth < DEPTH_MAX; depth++) {
        const struct unit *parent = unit_find(units, &u->parent);
        if (!parent || parent->country)
            break;
        u = parent;
    }
    return marked(u->id);
}

static enum ocop_status departure_write(struct registry *r, int which, const struct id *anchor,
                                        uint64_t version, const struct id *unit,
                                        struct ocop_error *err)
{
    sqlite3_stmt *s = registry_stmt(r, which, err);
    if (!s)
        return OCOP_EDB;
    sqlite3_bind_blob(s, 1, anchor->b, ID_LEN, SQLITE_STATIC);
    sqlite3_bind_int64(s, 2, (sqlite3_int64)version);
    sqlite3_bind_int(s, 3, KIND_UNIT);
    sqlite3_bind_blob(s, 4, unit->b, ID_LEN, SQLITE_STATIC);
    int rc = sqlite3_step(s);
    sqlite3_reset(s);
    return rc == SQLITE_DONE ? OCOP_OK : db_error(r->db, err, "noting a departure");
}

static enum ocop_status anchor_write(struct registry *r, struct unit *u, const struct id *anchor,
                                     uint64_t version, struct ocop_error *err)
{
    sqlite3_stmt *s = registry_stmt(r, SQL_UNIT_ANCHOR, err);
    if (!s)
        return OCOP_EDB;
    sqlite3_bind_blob(s, 1, u->id.b, ID_LEN, SQLITE_STATIC);
    sqlite3_bind_blob(s, 2, anchor->b, ID_LEN, SQLITE_STATIC);
    sqlite3_bind_int64(s, 3, (sqlite3_int64)version);
    int rc = sqlite3_step(s);
    sqlite3_reset(s);
    if (rc != SQLITE_DONE)
        return db_error(r->db, err, "writing a unit's anchor");
    u->anchor = *anchor;
    return OCOP_OK;
}

/* Units of the set have provisional anchors and departures by them; they and others may lie in
 * another province now, because something above them moved. A departure from where a unit never
 * was seen is told to nobody who holds it. */
static enum ocop_status anchors_rewrite(struct registry *r, struct units *units, uint64_t version,
                                        struct ocop_error *err)
{
    enum ocop_status st = OCOP_OK;
    for (size_t i = 0; st == OCOP_OK && units->touched && i < units->count; i++) {
        struct unit *u = &units->v[i];
        struct id anchor = anchor_of(units, u);
        if (u->touched)
            st = departure_write(r, SQL_DEPARTURE_DROP, &anchor, version, &u->id, err);
        if (st != OCOP_OK || id_eq(&anchor, &u->anchor))
            continue;
        if (!id_is_zero(&u->anchor))
            st = departure_write(r, SQL_DEPARTURE_ADD, &u->anchor, version, &u->id, err);
        if (st == OCOP_OK)
            st = anchor_write(r, u, &anchor, version, err);
    }
    return st;
}

/* --- closure -------------------------------------------------------------------------------------
 */

static void member_add(struct units *units, struct unit *u)
{
    if (!u || u->in)
        return;
    u->in = true;
    units->members[units->member_count++] = u;
}

/* Everything below and after the members, and what is below and after that. Then what these took
 * over, since its records are of the same places; but not what else became of that:
 *
 *     old A -> new X, new Y        a device of X receives the records of X and A, not those of Y */
static void closure(struct units *units)
{
    for (size_t i = 0; i < units->member_count; i++) {
        const struct unit *u = units->members[i];
        for (struct unit *child = u->first_child; child; child = child->next_child)
            member_add(units, child);
        for (size_t n = 0; n < u->successors.count; n++)
            member_add(units, successor_of(units, u, n));
        /* Provinces need not name the country as their parent. */
        for (size_t n = 0; u->country && n < units->count; n++)
            if (!unit_find(units, &units->v[n].parent))
                member_add(units, &units->v[n]);
    }
    for (size_t i = 0; i < units->member_count; i++)
        for (const struct before *b = units->members[i]->before; b; b = b->next)
            member_add(units, b->unit);
}

static void closure_forget(struct units *units)
{
    while (units->member_count)
        units->members[--units->member_count]->in = false;
}

/* --- scope rows
 * --------------------------------------------------------------------------------------- */

static enum ocop_status row_write(struct registry *r, int which, const struct id *replica,
                                  const struct id *anchor, uint64_t version, struct ocop_error *err)
{
    sqlite3_stmt *s = registry_stmt(r, which, err);
    if (!s)
        return OCOP_EDB;
    sqlite3_bind_blob(s, 1, replica->b, ID_LEN, SQLITE_STATIC);
    sqlite3_bind_blob(s, 2, anchor->b, ID_LEN, SQLITE_STATIC);
    if (sqlite3_bind_parameter_count(s) > 2)
        sqlite3_bind_int64(s, 3, (sqlite3_int64)version);
    int rc = sqlite3_step(s);
    sqlite3_reset(s);
    return rc == SQLITE_DONE ? OCOP_OK : db_error(r->db, err, "writing a scope");
}

/* Anchors a device shall have: everyone's, its units, the marked provinces of those, the records
 * assigned to it; sorted, once each. */
static struct id *anchors_of(const struct units *units, const struct fields *records,
                             struct arena *a, size_t *count)
{
    size_t n = 0, kept = 0;
    struct id *v = arena_calloc(a, 2 * units->member_count + records->count + 1, sizeof *v);
    if (!v)
        return NULL;
    v[n++] = everyone;
    for (size_t i = 0; i < records->count; i++) {
        struct id id;
        if (!id_from(records->v[i].key, &id))
            continue;
        v[n] = scope_record(id);
        n += scope_is_record(&v[n]);
    }
    for (size_t i = 0; i < units->member_count; i++) {
        v[n++] = units->members[i]->id;
        v[n++] = units->members[i]->anchor;
    }
    qsort(v, n, sizeof *v, id_cmp);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || !id_eq(&v[i], &v[kept - 1]))
            v[kept++] = v[i];
    *count = kept;
    return v;
}

static enum ocop_status current_anchors(struct registry *r, const struct id *replica,
                                        struct arena *a, struct id **out, size_t *count,
                                        struct ocop_error *err)
{
    int rc;
    *out = NULL;
    *count = 0;
    sqlite3_stmt *s = registry_stmt(r, SQL_SCOPE_OF, err);
    if (!s)
        return OCOP_EDB;
    sqlite3_bind_blob(s, 1, replica->b, ID_LEN, SQLITE_STATIC);
    while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
        *out = arena_more(a, *out, *count, sizeof **out);
        if (!*out)
            break;
        column_id(s, 0, &(*out)[(*count)++]);
    }
    sqlite3_reset(s);
    if (rc == SQLITE_ROW)
        return err_nomem(err);
    return rc == SQLITE_DONE ? OCOP_OK : db_error(r->db, err, "reading a scope");
}

static enum ocop_status anchor_enter(struct registry *r, const struct id *replica,
                                     const struct id *anchor, uint64_t version,
                                     struct ocop_error *err)
{
    enum ocop_status st = row_write(r, SQL_SCOPE_ADD, replica, anchor, version, err);
    return st == OCOP_OK ? row_write(r, SQL_SCOPE_LEFT_DROP, replica, anchor, 0, err) : st;
}

static enum ocop_status anchor_leave(struct registry *r, const struct id *replica,
                                     const struct id *anchor, uint64_t version,
                                     struct ocop_error *err)
{
    enum ocop_status st = row_write(r, SQL_SCOPE_DROP, replica, anchor, 0, err);
    return st == OCOP_OK ? row_write(r, SQL_SCOPE_LEFT_ADD, replica, anchor, version, err) : st;
}

static enum ocop_status device_rewrite(struct registry *r, const struct id *replica,
                                       const struct id *want, size_t want_count, uint64_t version,
                                       struct arena *a, struct ocop_error *err)
{
    struct id *now;
    size_t now_count, i = 0, j = 0;
    bool left = false;
    enum ocop_status st = current_anchors(r, replica, a, &now, &now_count, err);
    while (st == OCOP_OK && (i < want_count || j < now_count)) {
        int c = i == want_count ? 1 : j == now_count ? -1 : id_cmp(&want[i], &now[j]);
        if (c < 0)
            st = anchor_enter(r, replica, &want[i], version, err);
        else if (c > 0)
            st = anchor_leave(r, replica, &now[j], version, err);
        left = left || c > 0;
        i += c <= 0;
        j += c >= 0;
    }
    /* With a unit go all its records, those that are assigned by themselves too: they come anew. */
    for (i = 0; st == OCOP_OK && left && i < want_count; i++) {
        if (!scope_is_record(&want[i]))
            continue;
        st = row_write(r, SQL_SCOPE_DROP, replica, &want[i], 0, err);
        if (st == OCOP_OK)
            st = row_write(r, SQL_SCOPE_ADD, replica, &want[i], version, err);
    }
    return st;
}

struct device {
    struct id replica;
    struct span scope, records; /* JSON */
    bool active;
};

static enum ocop_status devices_load(struct registry *r, bool all, uint64_t version,
                                     struct arena *a, struct device **out, size_t *count,
                                     struct ocop_error *err)
{
    int rc;
    *out = NULL;
    *count = 0;
    sqlite3_stmt *s = registry_stmt(r, all ? SQL_DEVICES : SQL_DEVICES_AT, err);
    if (!s)
        return OCOP_EDB;
    if (!all)
        sqlite3_bind_int64(s, 1, (sqlite3_int64)version);
    while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
        *out = arena_more(a, *out, *count, sizeof **out);
        if (!*out)
            break;
        struct span units = column_span(s, 1), records = column_span(s, 3);
        struct device *dev = &(*out)[*count];
        dev->scope = span_of(arena_dup(a, units.p, units.len), units.len);
        dev->records = span_of(arena_dup(a, records.p, records.len), records.len);
        if (!dev->scope.p || !dev->records.p)
            break;
        column_id(s, 0, &dev->replica);
        dev->active = sqlite3_column_int(s, 2);
        ++*count;
    }
    sqlite3_reset(s);
    if (rc == SQLITE_ROW)
        return err_nomem(err);
    return rc == SQLITE_DONE ? OCOP_OK : db_error(r->db, err, "reading devices");
}

static enum ocop_status device_update(struct registry *r, const struct device *dev,
                                      struct units *units, uint64_t version, struct arena *a,
                                      struct ocop_error *err)
{
    const struct field_rule *rule = kind_field(kind_by_number(KIND_REPLICA), REPLICA_SCOPE);
    const struct field_rule *one = kind_field(kind_by_number(KIND_REPLICA), REPLICA_RECORDS);
    struct fields named = {0}, records = {0};
    struct id *want = NULL;
    size_t want_count = 0;
    enum ocop_status st = OCOP_OK;
    if (dev->active && dev->scope.len)
        st = json_list_read(rule, dev->scope, a, &named, err);
    if (st == OCOP_OK && dev->active && dev->records.len)
        st = json_list_read(one, dev->records, a, &records, err);
    for (size_t i = 0; st == OCOP_OK && i < named.count; i++) {
        struct id id;
        if (id_from(named.v[i].key, &id))
            member_add(units, unit_find(units, &id));
    }
    closure(units);
    if (st == OCOP_OK && dev->active) {
        want = anchors_of(units, &records, a, &want_count);
        st = want ? OCOP_OK : err_nomem(err);
    }
    closure_forget(units);
    return st == OCOP_OK ? device_rewrite(r, &dev->replica, want, want_count, version, a, err) : st;
}

enum ocop_status scope_update(struct registry *r, uint64_t version, struct arena *a,
                              struct ocop_error *err)
{
    struct units units;
    struct device *devices;
    size_t count = 0;
    struct arena all, one;
    (void)a; /* this may need far more than one request's arena */
    arena_init(&all, UNITS_ARENA_MAX);
    arena_init(&one, DEVICE_ARENA_MAX);
    enum ocop_status st = units_load(r, version, &all, &units, err);
    if (st == OCOP_OK)
        st = anchors_rewrite(r, &units, version, err);
    /* Where no unit changed, only the devices of this set can have another scope than before. */
    if (st == OCOP_OK)
        st = devices_load(r, units.touched, version, &all, &devices, &count, err);
    for (size_t i = 0; st == OCOP_OK && i < count; i++) {
        arena_reset(&one);
        st = device_update(r, &devices[i], &units, version, &one, err);
    }
    arena_fini(&one);
    arena_fini(&all);
    return st;
}
