/* The way from a record to the change-sets that touched it. What took effect left a version in the
 * record's row or in `history`; what did not, in `outcome`. */
#include "registry_past.h"

#include <stdlib.h>

#include "bounds.h"
#include "log.h"
#include "registry_stmts.h"

struct versions {
    struct arena *a;
    uint64_t *v;
    size_t count;
    struct ocop_error *err;
};

static enum ocop_status add(struct versions *l, uint64_t version)
{
    if (version == 0)
        return OCOP_OK;
    l->v = arena_more(l->a, l->v, l->count, sizeof *l->v);
    if (!l->v)
        return err_nomem(l->err);
    l->v[l->count++] = version;
    return OCOP_OK;
}

/* What the row itself remembers: when it came, and when each of its values was last changed. */
static enum ocop_status add_row(struct registry *r, uint32_t kind, const struct id *record,
                                struct versions *l)
{
    struct arena a;
    struct fields f;
    struct row_meta meta;
    arena_init(&a, ARENA_CHANGE_MAX);
    enum ocop_status st = row_load(r->rows, kind, record, &a, &f, &meta, l->err);
    if (st == OCOP_OK) {
        st = add(l, meta.born);
        for (size_t i = 0; st == OCOP_OK && i < f.count; i++)
            st = add(l, f.v[i].base);
    } else if (st == OCOP_ENOTFOUND) {
        st = OCOP_OK;
    }
    arena_fini(&a);
    return st;
}

static enum ocop_status add_rows(struct registry *r, const struct id *record, struct versions *l)
{
    bool row;
    enum ocop_status st = OCOP_OK;
    for (size_t i = 0; st == OCOP_OK && i < kind_count(); i++)
        st = add_row(r, kind_at(i)->number, record, l);
    sqlite3_stmt *s = st == OCOP_OK ? registry_stmt(r, SQL_KIND_UNKNOWN, l->err) : NULL;
    if (!s)
        return st == OCOP_OK ? OCOP_EDB : st;
    sqlite3_bind_blob(s, 1, record->b, ID_LEN, SQLITE_STATIC);
    st = registry_row(r, s, "looking for a record", &row, l->err);
    const uint32_t kind = st == OCOP_OK && row ? (uint32_t)sqlite3_column_int64(s, 0) : 0;
    sqlite3_reset(s);
    return kind ? add_row(r, kind, record, l) : st;
}

static enum ocop_status add_asked(struct registry *r, int question, const struct id *record,
                                  struct versions *l)
{
    bool row;
    enum ocop_status st;
    sqlite3_stmt *s = registry_stmt(r, question, l->err);
    if (!s)
        return OCOP_EDB;
    if (record)
        sqlite3_bind_blob(s, 1, record->b, ID_LEN, SQLITE_STATIC);
    while ((st = registry_row(r, s, "asking for a record's versions", &row, l->err)) == OCOP_OK &&
           row)
        if ((st = add(l, (uint64_t)sqlite3_column_int64(s, 0))) != OCOP_OK)
            break;
    sqlite3_reset(s);
    return st;
}

static int by_number(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

enum ocop_status past_versions(struct registry *r, const struct id *record, struct arena *a,
                               uint64_t **out, size_t *count, struct ocop_error *err)
{
    struct versions l = {.a = a, .err = err};
    size_t n = 0;
    *out = NULL;
    *count = 0;
    enum ocop_status st = add_rows(r, record, &l);
    if (st == OCOP_OK)
        st = add_asked(r, SQL_PAST_VERSIONS, record, &l);
    if (st != OCOP_OK || l.count == 0)
        return st;
    qsort(l.v, l.count, sizeof *l.v, by_number);
    for (size_t i = 0; i < l.count; i++)
        if (i == 0 || l.v[i] != l.v[n - 1])
            l.v[n++] = l.v[i];
    *out = l.v;
    *count = n;
    return OCOP_OK;
}

enum ocop_status past_cases(struct registry *r, const struct id *record, struct arena *a,
                            struct id **out, size_t *count, struct ocop_error *err)
{
    struct buf ids;
    bool row;
    enum ocop_status st;
    sqlite3_stmt *s = registry_stmt(r, SQL_PAST_CASES, err);
    *out = NULL;
    *count = 0;
    if (!s)
        return OCOP_EDB;
    buf_init(&ids, MIB(16));
    sqlite3_bind_blob(s, 1, record->b, ID_LEN, SQLITE_STATIC);
    while ((st = registry_row(r, s, "asking for a record's cases", &row, err)) == OCOP_OK && row)
        buf_put(&ids, sqlite3_column_blob(s, 0), ID_LEN);
    if (st == OCOP_OK)
        *out = (struct id *)(void *)arena_dup(a, ids.p, ids.len);
    if (st == OCOP_OK && (ids.failed || !*out))
        st = err_nomem(err);
    *count = st == OCOP_OK ? ids.len / ID_LEN : 0;
    buf_fini(&ids);
    return st;
}

enum ocop_status past_value(struct registry *r, uint32_t kind, const struct id *record,
                            uint32_t field, uint64_t version, struct arena *a, struct field *out,
                            bool *found, struct ocop_error *err)
{
    const struct span none = {NULL, 0};
    struct fields f = {NULL, 0};
    struct row_meta meta;
    struct change old;
    const struct field *value = NULL;
    bool row;
    *found = false;
    sqlite3_stmt *s = registry_stmt(r, SQL_HISTORY_AT, err);
    if (!s)
        return OCOP_EDB;
    sqlite3_bind_blob(s, 1, record->b, ID_LEN, SQLITE_STATIC);
    sqlite3_bind_int64(s, 2, field);
    sqlite3_bind_int64(s, 3, (sqlite3_int64)version);
    enum ocop_status st = registry_row(r, s, "reading an earlier value", &row, err);
    if (st != OCOP_OK)
        return st;
    if (row) { /* until a later version */
        const size_t len = (size_t)sqlite3_column_bytes(s, 0);
        const char *copy = arena_dup(a, sqlite3_column_blob(s, 0), len);
        st = copy ? change_unpack(span_of(copy, len), a, &old, err) : err_nomem(err);
        if (st == OCOP_OK)
            value = fields_find(&old.fields, field, none);
    } else {
        st = row_load(r->rows, kind, record, a, &f, &meta, err);
        value = st == OCOP_OK ? fields_find(&f, field, none) : NULL;
        st = st == OCOP_ENOTFOUND ? OCOP_OK : st;
    }
    sqlite3_reset(s);
    *found = value && value->op == FIELD_SET;
    if (*found)
        *out = *value;
    return st;
}

enum ocop_status past_invitation(struct registry *r, const struct id *replica, struct arena *a,
                                 struct past_invitation *out, struct ocop_error *err)
{
    bool row;
    *out = (struct past_invitation){.made_ms = 0};
    sqlite3_stmt *s = registry_stmt(r, SQL_INVITATION_OF, err);
    if (!s)
        return OCOP_EDB;
    sqlite3_bind_blob(s, 1, replica->b, ID_LEN, SQLITE_STATIC);
    enum ocop_status st = registry_row(r, s, "reading a device's invitation", &row, err);
    if (st == OCOP_OK && row) {
        const size_t len = (size_t)sqlite3_column_bytes(s, 0);
        const char *copy = arena_dup(a, sqlite3_column_blob(s, 0), len);
        out->token_hash = span_of(copy, copy ? len : 0);
        id_from(span_of(sqlite3_column_blob(s, 1), (size_t)sqlite3_column_bytes(s, 1)),
                &out->officer);
        out->made_ms = sqlite3_column_int64(s, 2);
        out->expires_ms = sqlite3_column_int64(s, 3);
        st = copy ? OCOP_OK : err_nomem(err);
    }
    sqlite3_reset(s);
    return st;
}

/* --- outcomes of before --------------------------------------------------------------------------
 */

static enum ocop_status tell(struct registry *r, uint64_t version, uint32_t index,
                             const struct id *record, struct ocop_error *err)
{
    sqlite3_stmt *s = registry_stmt(r, SQL_OUTCOME_TELL, err);
    if (!s)
        return OCOP_EDB;
    sqlite3_bind_int64(s, 1, (sqlite3_int64)version);
    sqlite3_bind_int64(s, 2, index);
    sqlite3_bind_blob(s, 3, record->b, ID_LEN, SQLITE_STATIC);
    return registry_done(r, s, "noting an outcome's record", err);
}

static enum ocop_status fill_set(struct registry *r, uint64_t version, struct ocop_error *err)
{
    struct arena a;
    struct log_entry entry;
    struct change_set set;
    arena_init(&a, ARENA_REQUEST_MAX);
    enum ocop_status st = log_read(r, version, &entry, err);
    if (st == OCOP_OK)
        st = changeset_open(entry.body, &a, &set, err);
    for (size_t i = 0; st == OCOP_OK && i < set.changes.count; i++)
        st = tell(r, version, (uint32_t)i, &set.changes.v[i].record, err);
    if (st == OCOP_EPROTO || st == OCOP_ELIMIT || st == OCOP_ENOTFOUND)
        st = OCOP_OK; /* `ocopd verify` tells of such a log; reading it goes on */
    arena_fini(&a);
    return st;
}

enum ocop_status past_fill(struct registry *r, struct ocop_error *err)
{
    struct arena a;
    arena_init(&a, ARENA_REQUEST_MAX);
    struct versions l = {.a = &a, .err = err};
    enum ocop_status st = add_asked(r, SQL_OUTCOME_UNTOLD, NULL, &l);
    if (st != OCOP_OK || l.count == 0)
        goto out;
    st = registry_begin(r, err);
    for (size_t i = 0; st == OCOP_OK && i < l.count; i++)
        st = fill_set(r, l.v[i], err);
    if (st == OCOP_OK)
        st = registry_commit(r, err);
    else
        registry_rollback(r);
out:
    arena_fini(&a);
    return st;
}
