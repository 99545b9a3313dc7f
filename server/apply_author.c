/* Whose a value in the registry is: that of the set at whose version it changed, but for changes
 * that had waited. Knows nothing of what is then done with it. */
#include "apply.h"

#include "registry_stmts.h"

enum ocop_status ancestors_load(struct apply *p)
{
    struct replica_info info = p->replica;
    p->ancestor_count = 0;
    while (!id_is_zero(&info.predecessor) && p->ancestor_count < ANCESTORS_MAX) {
        struct ancestor *an = &p->ancestors[p->ancestor_count++];
        *an = (struct ancestor){info.predecessor, info.predecessor_seq};
        enum ocop_status st = registry_replica(p->r, &an->replica, &info, p->err);
        if (st != OCOP_OK)
            return st;
    }
    return OCOP_OK;
}

/* The set that in truth changed the path at `version`. */
static enum ocop_status author_version(struct apply *p, const struct field *path, uint64_t version,
                                       uint64_t *out)
{
    bool row;
    *out = version;
    if (!p->fx->late_any)
        return OCOP_OK;
    sqlite3_stmt *s = registry_stmt(p->r, SQL_LATE_GET, p->err);
    if (!s)
        return OCOP_EDB;
    bind_path(s, p, path);
    sqlite3_bind_int64(s, 4, (sqlite3_int64)version);
    enum ocop_status st = registry_row(p->r, s, "reading an author", &row, p->err);
    if (st == OCOP_OK && row)
        *out = (uint64_t)sqlite3_column_int64(s, 0);
    sqlite3_reset(s);
    return st;
}

enum ocop_status set_by_author(struct apply *p, uint64_t version, bool *own)
{
    struct id replica = {{0}};
    uint64_t seq = 0;
    bool row;
    *own = version == p->set_version;
    if (*own)
        return OCOP_OK;
    sqlite3_stmt *s = registry_stmt(p->r, SQL_LOG_REPLICA, p->err);
    if (!s)
        return OCOP_EDB;
    sqlite3_bind_int64(s, 1, (sqlite3_int64)version);
    enum ocop_status st = registry_row(p->r, s, "reading who made a version", &row, p->err);
    if (st == OCOP_OK && row) {
        id_from(span_of(sqlite3_column_blob(s, 0), (size_t)sqlite3_column_bytes(s, 0)), &replica);
        seq = (uint64_t)sqlite3_column_int64(s, 1);
    }
    sqlite3_reset(s);
    *own = id_eq(&replica, &p->set->replica);
    for (size_t i = 0; i < p->ancestor_count; i++)
        *own |= id_eq(&replica, &p->ancestors[i].replica) && seq <= p->ancestors[i].last_seq;
    return st;
}

enum ocop_status made_by_author(struct apply *p, const struct field *path, uint64_t version,
                                bool *own)
{
    uint64_t set_version;
    enum ocop_status st = author_version(p, path, version, &set_version);
    return st == OCOP_OK ? set_by_author(p, set_version, own) : st;
}

enum ocop_status own_value(void *self, const struct field *theirs, bool *own)
{
    return made_by_author(self, theirs, theirs->base, own);
}

enum ocop_status saw_all(struct apply *p, const struct fields *state, bool *out)
{
    enum ocop_status st = OCOP_OK;
    *out = true;
    for (size_t i = 0; st == OCOP_OK && *out && i < state->count; i++)
        if (state->v[i].base > p->change->base &&
            !field_follows(p->change->kind, state->v[i].number))
            st = own_value(p, &state->v[i], out);
    return st;
}

/* A late change is its author's, not of the set at whose version it applies. What the set itself
 * then writes over it at the same version is the set's again. */
enum ocop_status authors_note(struct apply *p, const struct fields *state,
                              const struct fields *applied)
{
    enum ocop_status st = OCOP_OK;
    bool late = apply_is_late(p);
    p->fx->late_any = p->fx->late_any || late;
    for (size_t i = 0; st == OCOP_OK && p->fx->late_any && i < applied->count; i++) {
        const struct field *f = &applied->v[i], *old = fields_find(state, f->number, f->key);
        if (!late && !(old && old->base == p->version))
            continue;
        sqlite3_stmt *s = registry_stmt(p->r, late ? SQL_LATE_SET : SQL_LATE_DROP, p->err);
        if (!s)
            return OCOP_EDB;
        bind_path(s, p, f);
        sqlite3_bind_int64(s, 4, (sqlite3_int64)p->version);
        if (late)
            sqlite3_bind_int64(s, 5, (sqlite3_int64)p->set_version);
        st = registry_done(p->r, s, "noting an author", p->err);
    }
    return st;
}
