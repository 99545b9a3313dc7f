/* What waits for a record: references that lead nowhere yet, and changes of what is not there. */
#include "apply.h"

#include "bounds.h"
#include "cache.h"
#include "references.h"
#include "registry_stmts.h"

/* --- references ----------------------------------------------------------------------------------
 */

static enum ocop_status dangling_add(struct apply *p, const struct reference_walk *w)
{
    sqlite3_stmt *s = registry_stmt(p->r, SQL_DANGLING_ADD, p->err);
    if (!s)
        return OCOP_EDB;
    bind_span(s, 1, id_span(&w->target));
    sqlite3_bind_int64(s, 2, (sqlite3_int64)p->set_version);
    sqlite3_bind_int64(s, 3, p->index);
    sqlite3_bind_int64(s, 4, w->field->number);
    bind_span(s, 5, id_span(&p->change->record));
    sqlite3_bind_int64(s, 6, p->change->kind);
    p->fx->dangling_any = true;
    return registry_done(p->r, s, "noting a reference", p->err);
}

enum ocop_status check_references(struct apply *p, const struct fields *applied)
{
    struct reference_walk w = {.kind = p->kind, .fields = applied};
    char path[OCOP_ERROR_FIELD_MAX];
    while (reference_next(&w)) {
        bool there = true;
        enum ocop_status st = cache_exists(p->r, (uint32_t)w.rule->lo, &w.target, &there, p->err);
        if (st == OCOP_OK && !there)
            st = dangling_add(p, &w);
        if (st != OCOP_OK)
            return st;
        if (!there && p->outcome == OUTCOME_APPLIED) {
            p->outcome = OUTCOME_DANGLING;
            err_field(&p->why, OCOP_ENOTFOUND, reference_path(&w, path, sizeof path),
                      "refers to a record that is not in the registry yet");
        }
    }
    return OCOP_OK;
}

/* Does this field, or one of its elements, refer to records of kind `to`? */
static bool refers(const struct kind *k, uint32_t number, uint32_t to)
{
    const struct field_rule *r = k ? kind_field(k, number) : NULL;
    if (!r)
        return false;
    for (const struct field_rule *i = r->items; i && i->number; i++)
        if (i->check == CHECK_REF && (!i->lo || i->lo == to))
            return true;
    return r->check == CHECK_REF && (!r->lo || r->lo == to);
}

struct pending {
    uint64_t version;
    uint32_t index, field;
};

/* Those that the record which has come is meant by: an id may be of several kinds. */
static enum ocop_status pending_load(struct apply *p, const struct id *target, struct pending **out,
                                     size_t *count)
{
    bool row;
    *out = NULL;
    *count = 0;
    sqlite3_stmt *s = registry_stmt(p->r, SQL_DANGLING_OF, p->err);
    if (!s)
        return OCOP_EDB;
    bind_span(s, 1, id_span(target));
    enum ocop_status st;
    while ((st = registry_row(p->r, s, "reading references", &row, p->err)) == OCOP_OK && row) {
        const uint32_t field = (uint32_t)sqlite3_column_int64(s, 2);
        if (!refers(kind_by_number((uint32_t)sqlite3_column_int64(s, 3)), field, p->change->kind))
            continue;
        *out = arena_more(p->a, *out, *count, sizeof **out);
        if (!*out) {
            sqlite3_reset(s);
            return err_nomem(p->err);
        }
        (*out)[(*count)++] = (struct pending){(uint64_t)sqlite3_column_int64(s, 0),
                                              (uint32_t)sqlite3_column_int64(s, 1), field};
    }
    return st;
}

enum ocop_status settle_references(struct apply *p, const struct id *target)
{
    struct pending *found;
    size_t count;
    enum ocop_status st = pending_load(p, target, &found, &count);
    for (size_t i = 0; st == OCOP_OK && i < count; i++) {
        sqlite3_stmt *s = registry_stmt(p->r, SQL_DANGLING_DROP, p->err);
        if (!s)
            return OCOP_EDB;
        bind_span(s, 1, id_span(target));
        sqlite3_bind_int64(s, 2, (sqlite3_int64)found[i].version);
        sqlite3_bind_int64(s, 3, found[i].index);
        sqlite3_bind_int64(s, 4, found[i].field);
        st = registry_done(p->r, s, "settling references", p->err);
    }
    for (size_t i = 0; st == OCOP_OK && i < count; i++) {
        sqlite3_stmt *s = registry_stmt(p->r, SQL_DANGLING_SETTLE, p->err);
        if (!s)
            return OCOP_EDB;
        sqlite3_bind_int64(s, 1, (sqlite3_int64)found[i].version);
        sqlite3_bind_int64(s, 2, found[i].index);
        sqlite3_bind_int64(s, 3, (sqlite3_int64)p->version);
        st = registry_done(p->r, s, "settling an outcome", p->err);
    }
    return st;
}

/* --- changes -------------------------------------------------------------------------------------
 */

enum ocop_status wait_for_record(struct apply *p)
{
    struct buf packed;
    p->outcome = OUTCOME_WAITING;
    err_field(&p->why, OCOP_ENOTFOUND, "", "the record it changes is not in the registry yet");
    buf_init(&packed, MIB(1));
    enum ocop_status st = change_pack(p->change, &packed, p->err);
    sqlite3_stmt *s = st == OCOP_OK ? registry_stmt(p->r, SQL_WAITING_ADD, p->err) : NULL;
    if (s) {
        sqlite3_bind_int64(s, 1, (sqlite3_int64)p->set_version);
        sqlite3_bind_int64(s, 2, p->index);
        bind_span(s, 3, id_span(&p->change->record));
        sqlite3_bind_int64(s, 4, p->change->kind);
        bind_span(s, 5, buf_span(&packed));
        p->fx->waiting_any = true;
        st = registry_done(p->r, s, "putting a change to wait", p->err);
    } else if (st == OCOP_OK) {
        st = OCOP_EDB;
    }
    buf_fini(&packed);
    return st;
}

/* Columns as of SQL_WAITING_OF. */
static enum ocop_status waiting_read(sqlite3_stmt *s, struct arena *a, struct waiting *out,
                                     struct ocop_error *err)
{
    size_t len = (size_t)sqlite3_column_bytes(s, 2);
    char *copy = arena_dup(a, sqlite3_column_blob(s, 2), len);
    *out = (struct waiting){.set_version = (uint64_t)sqlite3_column_int64(s, 0),
                            .index = (uint32_t)sqlite3_column_int64(s, 1),
                            .received_ms = sqlite3_column_int64(s, 6)};
    id_from(span_of(sqlite3_column_blob(s, 3), (size_t)sqlite3_column_bytes(s, 3)),
            &out->set.replica);
    out->set.seq = (uint64_t)sqlite3_column_int64(s, 4);
    if (sqlite3_column_bytes(s, 5) == HASH_LEN)
        memcpy(out->set.hash, sqlite3_column_blob(s, 5), HASH_LEN);
    return copy ? change_unpack(span_of(copy, len), a, &out->change, err) : err_nomem(err);
}

enum ocop_status waiting_take(struct apply *p, struct arena *a, struct waiting *out, bool *found)
{
    sqlite3_stmt *s = registry_stmt(p->r, SQL_WAITING_OF, p->err);
    *found = false;
    if (!s)
        return OCOP_EDB;
    bind_span(s, 1, id_span(&p->change->record));
    sqlite3_bind_int64(s, 2, p->change->kind);
    enum ocop_status st = registry_row(p->r, s, "reading what waits", found, p->err);
    if (st != OCOP_OK || !*found)
        return st;
    st = waiting_read(s, a, out, p->err);
    sqlite3_reset(s);
    s = st == OCOP_OK ? registry_stmt(p->r, SQL_WAITING_DROP, p->err) : NULL;
    if (!s)
        return st == OCOP_OK ? OCOP_EDB : st;
    sqlite3_bind_int64(s, 1, (sqlite3_int64)out->set_version);
    sqlite3_bind_int64(s, 2, out->index);
    return registry_done(p->r, s, "waking a change", p->err);
}
