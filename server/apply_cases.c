/* Cases: what a person must decide, with the values of both sides and the one that both had seen.
 * Derived from the log like all else: the id of a case is a hash of what caused it. */
#include "apply.h"

#include "bounds.h"
#include "json.h"
#include "registry_stmts.h"

enum { COLLISIONS_MAX = 4 };

/* --- values --------------------------------------------------------------------------------------
 */

static void bind_text(sqlite3_stmt *s, int at, struct span v)
{
    sqlite3_bind_text64(s, at, v.p ? (const char *)v.p : "", v.len, SQLITE_STATIC, SQLITE_UTF8);
}

static enum ocop_status value_json(struct apply *p, const struct field *f, struct span *out)
{
    struct buf b;
    buf_init(&b, KIB(256));
    enum ocop_status st = OCOP_OK;
    if (f && f->op == FIELD_SET)
        st = json_value(p->kind, f, &b, p->err);
    else
        buf_str(&b, "null");
    char *copy = st == OCOP_OK && !b.failed ? arena_dup(p->a, b.p, b.len) : NULL;
    *out = span_of(copy, copy ? b.len : 0);
    buf_fini(&b);
    return st != OCOP_OK ? st : copy ? OCOP_OK : err_nomem(p->err);
}

/* A ChangeRow that holds one field, or the whole change when `f` is NULL. */
static enum ocop_status value_pack(struct apply *p, const struct field *f, struct span *out)
{
    struct change one = *p->change;
    struct field copy;
    struct buf b;
    if (f) {
        copy = *f;
        one.fields = (struct fields){&copy, 1};
    }
    buf_init(&b, KIB(256));
    enum ocop_status st = change_pack(&one, &b, p->err);
    char *bytes = st == OCOP_OK && !b.failed ? arena_dup(p->a, b.p, b.len) : NULL;
    *out = span_of(bytes, bytes ? b.len : 0);
    buf_fini(&b);
    return st != OCOP_OK ? st : bytes ? OCOP_OK : err_nomem(p->err);
}

enum ocop_status history_keep(struct apply *p, const struct fields *state,
                              const struct fields *applied)
{
    for (size_t i = 0; i < applied->count; i++) {
        const struct field *f = &applied->v[i];
        const struct field *old = fields_find(state, f->number, f->key);
        past_forget(p, f);
        struct field none = {
            .number = f->number, .op = FIELD_CLEAR, .type = f->type, .key = f->key};
        struct span value;
        enum ocop_status st = value_pack(p, old ? old : &none, &value);
        sqlite3_stmt *s = st == OCOP_OK ? registry_stmt(p->r, SQL_HISTORY_ADD, p->err) : NULL;
        if (!s)
            return st == OCOP_OK ? OCOP_EDB : st;
        bind_path(s, p, f);
        sqlite3_bind_int64(s, 4, (sqlite3_int64)p->version);
        bind_span(s, 5, value);
        st = registry_done(p->r, s, "keeping a value", p->err);
        if (st != OCOP_OK)
            return st;
    }
    return OCOP_OK;
}

/* What was replaced at a version. */
static enum ocop_status history_value(struct apply *p, const struct field *path, uint64_t version,
                                      const struct field **out)
{
    struct change old;
    bool row;
    sqlite3_stmt *s = registry_stmt(p->r, SQL_HISTORY_REPLACED, p->err);
    if (!s)
        return OCOP_EDB;
    bind_path(s, p, path);
    sqlite3_bind_int64(s, 4, (sqlite3_int64)version);
    enum ocop_status st = registry_row(p->r, s, "reading an earlier value", &row, p->err);
    if (st != OCOP_OK || !row)
        return st;
    size_t len = (size_t)sqlite3_column_bytes(s, 0);
    char *copy = arena_dup(p->a, sqlite3_column_blob(s, 0), len);
    sqlite3_reset(s);
    st = copy ? change_unpack(span_of(copy, len), p->a, &old, p->err) : err_nomem(p->err);
    if (st == OCOP_OK && old.fields.count == 1)
        *out = old.fields.v;
    return st;
}

/* The value that the author had seen: the one before the first change of another that came after
 * both the base and the author's own last change, which the author knows without being told.
 *
 *   version   10 A: pass    12 A: fail    13 B: conditional    A again, base 10 -> base is "fail"
 */
static enum ocop_status base_json(struct apply *p, const struct field *mine,
                                  const struct field *theirs, struct span *out)
{
    bool seen = theirs && theirs->base <= mine->base, own = false;
    uint64_t version = 0;
    enum ocop_status st = theirs && !seen ? own_value(p, theirs, &seen) : OCOP_OK;
    const struct field *base = seen ? theirs : NULL;
    if (st == OCOP_OK)
        st = past_seen(p, mine, mine->base, &version, &own);
    if (st == OCOP_OK && version)
        st = history_value(p, mine, version, &base);
    /* Every value since was unseen: had the author seen the record come at all? */
    if (st == OCOP_OK && !own && !seen && p->born > mine->base) {
        st = set_by_author(p, p->born, &own);
        base = own ? base : NULL;
    }
    return st == OCOP_OK ? value_json(p, base, out) : st;
}

/* --- opening and closing -------------------------------------------------------------------------
 */

enum ocop_status case_open(struct apply *p, enum case_cause cause, const struct field *mine,
                           const struct field *theirs, const struct id *other)
{
    struct span base, theirs_text, mine_text, mine_value;
    struct id none = {{0}};
    struct id id =
        case_id(p->set->hash, p->index, mine->number, mine->key, cause, other ? *other : none);
    bool whole = cause == CASE_VOID || cause == CASE_INVALID;
    enum ocop_status st = base_json(p, mine, theirs, &base);
    if (st == OCOP_OK)
        st = value_json(p, theirs, &theirs_text);
    if (st == OCOP_OK)
        st = value_json(p, mine, &mine_text);
    if (st == OCOP_OK)
        st = value_pack(p, whole ? NULL : mine, &mine_value);
    sqlite3_stmt *s = st == OCOP_OK ? registry_stmt(p->r, SQL_CASE_OPEN, p->err) : NULL;
    if (!s)
        return st == OCOP_OK ? OCOP_EDB : st;
    bind_span(s, 1, id_span(&id));
    sqlite3_bind_int64(s, 2, p->change->kind);
    bind_span(s, 3, id_span(&p->change->record));
    sqlite3_bind_int(s, 4, (int)cause);
    sqlite3_bind_int64(s, 5, mine->number);
    bind_span(s, 6, mine->key);
    if (other)
        bind_span(s, 7, id_span(other));
    else
        sqlite3_bind_null(s, 7);
    sqlite3_bind_int64(s, 8, (sqlite3_int64)mine->base);
    sqlite3_bind_int64(s, 9, theirs ? (sqlite3_int64)theirs->base : 0);
    bind_text(s, 10, base);
    bind_text(s, 11, theirs_text);
    bind_text(s, 12, mine_text);
    bind_span(s, 13, mine_value);
    sqlite3_bind_int64(s, 14, (sqlite3_int64)p->version);
    sqlite3_bind_int64(s, 15, p->index);
    sqlite3_bind_int64(s, 16, (sqlite3_int64)p->set_version);
    p->outcome = OUTCOME_CASE;
    p->fx->open +=
        p->fx->counted_kind == p->change->kind && id_eq(&p->fx->counted, &p->change->record);
    return registry_done(p->r, s, "opening a case", p->err);
}

/* `other`: the second record of a collision, len 0 where there is none. Who receives only that one
 * must hear of it too. */
static enum ocop_status case_close(struct apply *p, struct span id, const char *resolution,
                                   struct span other)
{
    struct id second;
    sqlite3_stmt *s = registry_stmt(p->r, SQL_CASE_CLOSE, p->err);
    if (!s)
        return OCOP_EDB;
    p->fx->counted_kind = 0;
    bind_span(s, 1, id);
    sqlite3_bind_int64(s, 2, (sqlite3_int64)p->version);
    sqlite3_bind_text(s, 3, resolution, -1, SQLITE_STATIC);
    enum ocop_status st = registry_done(p->r, s, "closing a case", p->err);
    if (st != OCOP_OK || !id_from(other, &second))
        return st;
    return row_touch(p->r->rows, p->change->kind, &second, p->version, p->err);
}

enum ocop_status case_is_of(struct apply *p, bool *out)
{
    sqlite3_stmt *s = registry_stmt(p->r, SQL_CASE_IS_OF, p->err);
    if (!s)
        return OCOP_EDB;
    bind_span(s, 1, p->change->case_id);
    bind_span(s, 2, id_span(&p->change->record));
    sqlite3_bind_int64(s, 3, p->change->kind);
    enum ocop_status st = registry_row(p->r, s, "looking for a case", out, p->err);
    sqlite3_reset(s);
    return st;
}

/* What a change that had waited costs is not its doing in whose set it wakes. */
static void looked_at(struct apply *p, size_t cases)
{
    if (!p->woken)
        p->fx->looked_at += cases;
}

static bool is_counted(const struct apply *p)
{
    return p->fx->counted_kind == p->change->kind && id_eq(&p->fx->counted, &p->change->record);
}

static enum ocop_status cases_count(struct apply *p)
{
    bool row;
    sqlite3_stmt *s = registry_stmt(p->r, SQL_CASES_OPEN_COUNT, p->err);
    if (!s)
        return OCOP_EDB;
    bind_span(s, 1, id_span(&p->change->record));
    sqlite3_bind_int64(s, 2, p->change->kind);
    enum ocop_status st = registry_row(p->r, s, "counting open cases", &row, p->err);
    if (st == OCOP_OK && row) {
        p->fx->counted = p->change->record;
        p->fx->counted_kind = p->change->kind;
        p->fx->open = (size_t)sqlite3_column_int64(s, 0);
        looked_at(p, p->fx->open);
    }
    sqlite3_reset(s);
    return st;
}

enum ocop_status cases_room(struct apply *p, size_t count)
{
    enum ocop_status st = is_counted(p) ? OCOP_OK : cases_count(p);
    return st == OCOP_OK && p->fx->open + count > CASES_OPEN_MAX
               ? apply_refuse(p, "",
                              "the record would have too many open cases; they must be "
                              "resolved first")
               : st;
}

/* Does the record hold all that `mine` asked for? */
static bool holds_all(const struct fields *state, const struct fields *mine)
{
    for (size_t i = 0; i < mine->count; i++) {
        const struct field *m = &mine->v[i];
        const struct field *now = fields_find(state, m->number, m->key);
        bool gone = !now || now->op == FIELD_CLEAR;
        if (gone ? m->op != FIELD_CLEAR : m->op != FIELD_SET || !field_value_equal(m, now))
            return false;
    }
    return mine->count > 0;
}

/* An open case of the record. */
struct open_case {
    struct open_case *next;
    struct span id, other;
    bool agreed; /* the registry holds its value by now */
};

static enum ocop_status open_case_read(struct apply *p, sqlite3_stmt *s, const struct fields *state,
                                       struct arena *scratch, struct open_case *out)
{
    struct change mine = {0};
    size_t len = (size_t)sqlite3_column_bytes(s, 4), other = (size_t)sqlite3_column_bytes(s, 5);
    char *copy = arena_dup(scratch, sqlite3_column_blob(s, 4), len);
    out->id = span_of(arena_dup(p->a, sqlite3_column_blob(s, 0), ID_LEN), ID_LEN);
    out->other = span_of(arena_dup(p->a, sqlite3_column_blob(s, 5), other), other);
    if (!copy || !out->id.p || !out->other.p)
        return err_nomem(p->err);
    enum ocop_status st = change_unpack(span_of(copy, len), scratch, &mine, p->err);
    out->agreed = st == OCOP_OK && sqlite3_column_int(s, 1) != CASE_COLLISION &&
                  holds_all(state, &mine.fields);
    return st;
}

static enum ocop_status open_cases(struct apply *p, const struct fields *state,
                                   struct open_case **out)
{
    bool row;
    enum ocop_status st;
    struct arena scratch; /* of one of them after the other: their values may be long */
    *out = NULL;
    sqlite3_stmt *s = registry_stmt(p->r, SQL_CASES_OPEN_OF, p->err);
    if (!s)
        return OCOP_EDB;
    arena_init(&scratch, ARENA_CHANGE_MAX);
    bind_span(s, 1, id_span(&p->change->record));
    sqlite3_bind_int64(s, 2, p->change->kind);
    while ((st = registry_row(p->r, s, "reading open cases", &row, p->err)) == OCOP_OK && row) {
        struct open_case *c = arena_calloc(p->a, 1, sizeof *c);
        arena_reset(&scratch);
        looked_at(p, 1);
        st = c ? open_case_read(p, s, state, &scratch, c) : err_nomem(p->err);
        if (st != OCOP_OK)
            break;
        c->next = *out;
        *out = c;
    }
    sqlite3_reset(s);
    arena_fini(&scratch);
    return st;
}

enum ocop_status cases_settle(struct apply *p, const struct fields *state, bool resolves)
{
    struct open_case *c;
    bool names = p->change->fields.count > 0;
    const char *resolution = names ? "value" : "theirs";
    struct span other = {NULL, 0};
    enum ocop_status st = open_cases(p, state, &c);
    for (; st == OCOP_OK && c; c = c->next) {
        if (resolves && span_eq(c->id, p->change->case_id)) {
            resolution = c->agreed && names ? "mine" : resolution;
            other = c->other;
        } else if (c->agreed) {
            st = case_close(p, c->id, "agreed", span_of(NULL, 0));
        }
    }
    return st == OCOP_OK && resolves ? case_close(p, p->change->case_id, resolution, other) : st;
}

static bool is_natural(const struct apply *p, const struct field *f)
{
    const struct field_rule *r = kind_field(p->kind, f->number);
    return r && (r->flags & FIELD_NATURAL) && f->op == FIELD_SET && f->bytes.len > 0 &&
           p->kind->number != KIND_UNIT; /* unit codes recur between periods */
}

size_t collisions_most(const struct apply *p, const struct fields *applied)
{
    size_t most = 0;
    for (size_t i = 0; p->kind && i < applied->count; i++)
        most += is_natural(p, &applied->v[i]) ? COLLISIONS_MAX : 0;
    return most;
}

enum ocop_status check_collisions(struct apply *p, const struct fields *applied)
{
    for (size_t i = 0; p->kind && i < applied->count; i++) {
        const struct field *f = &applied->v[i];
        struct id other[COLLISIONS_MAX];
        size_t count = 0;
        if (!is_natural(p, f))
            continue;
        enum ocop_status st =
            row_same_key(p->r->rows, p->change->kind, f->number, f->bytes, &p->change->record,
                         other, COLLISIONS_MAX, &count, p->err);
        for (size_t n = 0; st == OCOP_OK && n < count; n++) {
            p->fx->beyond = true;
            st = case_open(p, CASE_COLLISION, f, f, &other[n]);
            if (st == OCOP_OK)
                st = row_touch(p->r->rows, p->change->kind, &other[n], p->version, p->err);
        }
        if (st != OCOP_OK)
            return st;
    }
    return OCOP_OK;
}
