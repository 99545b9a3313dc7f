/* Whose a value in the registry is: that of the set at whose version it changed, but for changes
 * that had waited. Knows nothing of what is then done with it. */
#include "apply.h"

#include "bounds.h"
#include "registry_stmts.h"

#define PAST_BYTES_ENOUGH MIB(8)

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

static bool is_past_of(const struct past *past, const struct apply *p, const struct field *path)
{
    return past->number == path->number && id_eq(&past->record, &p->change->record) &&
           span_eq(past->key, path->key);
}

static struct past **past_bucket(struct apply *p, const struct field *path)
{
    uint32_t h = 2166136261u ^ path->number;
    for (size_t i = 0; i < ID_LEN; i++)
        h = (h ^ p->change->record.b[i]) * 16777619u;
    for (size_t i = 0; i < path->key.len; i++)
        h = (h ^ path->key.p[i]) * 16777619u;
    return &p->fx->past[(h ^ h >> 15) % PAST_BUCKETS];
}

void past_forget(struct apply *p, const struct field *path)
{
    struct past **at = past_bucket(p, path);
    while (*at)
        if (is_past_of(*at, p, path))
            *at = (*at)->next;
        else
            at = &(*at)->next;
}

static struct past *past_new(struct apply *p, const struct field *path)
{
    struct arena *a = &p->fx->past_arena;
    struct past **bucket = past_bucket(p, path);
    if (a->used > PAST_BYTES_ENOUGH) {
        arena_reset(a);
        memset(p->fx->past, 0, sizeof p->fx->past);
    }
    struct past *past = arena_calloc(a, 1, sizeof *past);
    char *key =
        past ? arena_dup(a, path->key.p ? (const void *)path->key.p : "", path->key.len) : NULL;
    if (!key)
        return NULL;
    *past = (struct past){.next = *bucket,
                          .record = p->change->record,
                          .number = path->number,
                          .key = span_of(key, path->key.len),
                          .author = p->set_version,
                          .lowest = UINT64_MAX};
    return *bucket = past;
}

static struct past *past_of(struct apply *p, const struct field *path)
{
    for (struct past *past = *past_bucket(p, path); past; past = past->next)
        if (past->author == p->set_version && is_past_of(past, p, path))
            return past;
    return past_new(p, path);
}

/* Read on, down to `base`, unless the author's own version comes first. */
static enum ocop_status past_read(struct apply *p, struct past *past, const struct field *path,
                                  uint64_t base)
{
    bool row = true, own = false;
    enum ocop_status st = OCOP_OK;
    sqlite3_stmt *s = registry_stmt(p->r, SQL_HISTORY_BETWEEN, p->err);
    if (!s)
        return OCOP_EDB;
    bind_path(s, p, path);
    sqlite3_bind_int64(s, 4, (sqlite3_int64)base);
    sqlite3_bind_int64(s, 5, past->lowest > INT64_MAX ? INT64_MAX : (sqlite3_int64)past->lowest);
    while (st == OCOP_OK && !past->own) {
        st = registry_row(p->r, s, "reading earlier values", &row, p->err);
        if (st != OCOP_OK || !row)
            break;
        const uint64_t version = (uint64_t)sqlite3_column_int64(s, 0);
        st = made_by_author(p, path, version, &own);
        if (st == OCOP_OK && own) {
            past->own = version;
        } else if (st == OCOP_OK) {
            uint64_t *v = arena_more(&p->fx->past_arena, past->v, past->count, sizeof *v);
            st = v ? OCOP_OK : err_nomem(p->err);
            past->v = v ? v : past->v;
            if (v)
                v[past->count++] = version;
        }
    }
    sqlite3_reset(s);
    past->lowest = base;
    return st;
}

enum ocop_status past_seen(struct apply *p, const struct field *path, uint64_t base,
                           uint64_t *version, bool *own)
{
    size_t lo = 0;
    struct past *past = past_of(p, path);
    enum ocop_status st = past ? OCOP_OK : err_nomem(p->err);
    if (st == OCOP_OK && !past->own && base < past->lowest)
        st = past_read(p, past, path, base);
    if (st != OCOP_OK)
        return st;
    *own = past->own > base;
    for (size_t hi = past->count; lo < hi;) { /* how many are above the base: they fall */
        const size_t mid = lo + (hi - lo) / 2;
        if (past->v[mid] > base)
            lo = mid + 1;
        else
            hi = mid;
    }
    *version = lo ? past->v[lo - 1] : 0;
    return OCOP_OK;
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
