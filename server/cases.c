/* Cases: what two officers wrote that does not fit together, and how central staff decide. A
 * resolution is a change of a reviewer's session like any other, so that it is in the log; this
 * file writes no table itself. */
#include "cases.h"

#include "bounds.h"
#include "cache.h"
#include "json.h"
#include "query.h"
#include "registry_stmts.h"

enum { OFFICER_NAME = 10, DECIDERS_NAMED = 5 };

/* --- loading ---------------------------------------------------------------------------------- */

static const char *column_text(sqlite3_stmt *s, int column, struct arena *a)
{
    return arena_dup(a, sqlite3_column_text(s, column), (size_t)sqlite3_column_bytes(s, column));
}

static struct span column_span(sqlite3_stmt *s, int column, struct arena *a)
{
    size_t len = (size_t)sqlite3_column_bytes(s, column);
    return span_of(arena_dup(a, sqlite3_column_blob(s, column), len), len);
}

static void column_id(sqlite3_stmt *s, int column, struct id *out)
{
    id_from(span_of(sqlite3_column_blob(s, column), (size_t)sqlite3_column_bytes(s, column)), out);
}

/* Columns as of SQL_CASE_LOAD. */
static enum ocop_status row_of(sqlite3_stmt *s, struct arena *a, struct case_row *c,
                               struct span *mine_value, struct ocop_error *err)
{
    column_id(s, 0, &c->id);
    c->kind = (uint32_t)sqlite3_column_int64(s, 1);
    column_id(s, 2, &c->record);
    c->cause = (enum case_cause)sqlite3_column_int(s, 3);
    if (c->cause != CASE_VOID) /* which is about the whole record */
        c->number = (uint32_t)sqlite3_column_int64(s, 4);
    c->key = column_span(s, 5, a);
    column_id(s, 6, &c->other);
    c->base_version = (uint64_t)sqlite3_column_int64(s, 7);
    c->theirs_version = (uint64_t)sqlite3_column_int64(s, 8);
    c->base = column_text(s, 9, a);
    c->theirs = column_text(s, 10, a);
    c->mine = column_text(s, 11, a);
    c->opened_version = (uint64_t)sqlite3_column_int64(s, 12);
    c->change_index = (uint32_t)sqlite3_column_int64(s, 13);
    c->closed_version = (uint64_t)sqlite3_column_int64(s, 14);
    c->resolution = column_text(s, 15, a);
    *mine_value = column_span(s, 16, a);
    c->set_version = (uint64_t)sqlite3_column_int64(s, 17);
    if (!c->key.p || !c->base || !c->theirs || !c->mine || !c->resolution || !mine_value->p)
        return err_nomem(err);
    return OCOP_OK;
}

static enum ocop_status load_row(struct registry *r, const struct id *id, struct arena *a,
                                 struct case_row *out, struct span *mine_value,
                                 struct ocop_error *err)
{
    sqlite3_stmt *s = registry_stmt(r, SQL_CASE_LOAD, err);
    *out = (struct case_row){.kind = 0};
    *mine_value = span_of(NULL, 0);
    if (!s)
        return OCOP_EDB;
    sqlite3_bind_blob(s, 1, id->b, ID_LEN, SQLITE_STATIC);
    enum ocop_status st = OCOP_OK;
    int rc = sqlite3_step(s);
    if (rc == SQLITE_ROW)
        st = row_of(s, a, out, mine_value, err);
    else if (rc == SQLITE_DONE)
        st = err_set(err, OCOP_ENOTFOUND, "no such case");
    else
        st = db_error(r->db, err, "reading a case");
    sqlite3_reset(s);
    return st;
}

/* The changes of the set at `version`. Opened at once: the log lends its body only until it is
 * asked again. */
static enum ocop_status set_at(struct registry *r, uint64_t version, struct arena *a,
                               struct changes *out, int64_t *received_ms, struct ocop_error *err)
{
    struct log_entry entry;
    struct change_set set;
    *out = (struct changes){NULL, 0};
    enum ocop_status st = log_read(r, version, &entry, err);
    if (st == OCOP_OK)
        st = changeset_open(entry.body, a, &set, err);
    if (st != OCOP_OK)
        return st;
    *out = set.changes;
    *received_ms = entry.received_ms;
    return OCOP_OK;
}

/* Who made the change that could not apply: kept with the case, since a change that waited for its
 * record stands in another set than the one at which the case was opened. */
static enum ocop_status mine_from_row(struct registry *r, struct span mine_value, struct arena *a,
                                      struct case_row *c, struct ocop_error *err)
{
    struct change mine;
    struct log_entry entry;
    enum ocop_status st = change_unpack(mine_value, a, &mine, err);
    if (st == OCOP_OK)
        st = log_read(r, c->opened_version, &entry, err);
    if (st != OCOP_OK)
        return st;
    c->opened_ms = entry.received_ms;
    c->mine_author = mine.author;
    c->mine_time_ms = mine.device_time_ms;
    c->mine_reason = arena_dup(a, mine.reason.p, mine.reason.len);
    return c->mine_reason ? OCOP_OK : err_nomem(err);
}

/* A set may change a record twice; the last that names the field is what the registry held. */
static const struct change *change_on(const struct changes *changes, const struct case_row *c)
{
    const struct change *found = NULL;
    bool names = false;
    for (size_t i = 0; i < changes->count; i++) {
        const struct change *one = &changes->v[i];
        if (!id_eq(&one->record, &c->record))
            continue;
        bool here = fields_find(&one->fields, c->number, c->key) != NULL;
        if (here || !names)
            found = one;
        names = names || here;
    }
    return found;
}

static enum ocop_status theirs_from_log(struct registry *r, struct arena *a, struct case_row *c,
                                        struct ocop_error *err)
{
    struct changes changes;
    int64_t received_ms;
    uint64_t version = c->theirs_version;
    bool row;
    if (version == 0)
        return OCOP_OK;
    sqlite3_stmt *s = registry_stmt(r, SQL_LATE_GET, err);
    if (!s)
        return OCOP_EDB;
    sqlite3_bind_blob(s, 1, c->record.b, ID_LEN, SQLITE_STATIC);
    sqlite3_bind_int64(s, 2, c->number);
    sqlite3_bind_blob64(s, 3, c->key.p, c->key.len, SQLITE_STATIC);
    sqlite3_bind_int64(s, 4, (sqlite3_int64)version);
    enum ocop_status st = registry_row(r, s, "reading an author", &row, err);
    if (st == OCOP_OK && row) /* it had waited for its record: then it stands in an earlier set */
        version = (uint64_t)sqlite3_column_int64(s, 0);
    sqlite3_reset(s);
    if (st == OCOP_OK)
        st = set_at(r, version, a, &changes, &received_ms, err);
    if (st != OCOP_OK)
        return st;
    const struct change *theirs = change_on(&changes, c);
    if (theirs) {
        c->theirs_author = theirs->author;
        c->theirs_time_ms = theirs->device_time_ms;
        c->theirs_reason = arena_dup(a, theirs->reason.p, theirs->reason.len);
    }
    return !theirs || c->theirs_reason ? OCOP_OK : err_nomem(err);
}

/* In a collision the other side is the record that has the number too. */
static enum ocop_status theirs_from_other(struct registry *r, struct arena *a, struct case_row *c,
                                          struct ocop_error *err)
{
    struct fields other;
    struct row_meta meta;
    struct span none = {NULL, 0};
    enum ocop_status st = row_load(r->rows, c->kind, &c->other, a, &other, &meta, err);
    if (st != OCOP_OK)
        return st;
    const struct field *officer = fields_find(&other, FIELD_OFFICER, none);
    const struct field *recorded = fields_find(&other, FIELD_RECORDED_MS, none);
    if (officer)
        id_from(officer->bytes, &c->theirs_author);
    c->theirs_time_ms = recorded ? recorded->i : 0;
    return OCOP_OK;
}

enum ocop_status case_load_row(struct registry *r, const struct id *id, struct arena *a,
                               struct case_row *out, struct ocop_error *err)
{
    struct span mine_value;
    return load_row(r, id, a, out, &mine_value, err);
}

enum ocop_status case_load(struct registry *r, const struct id *id, struct arena *a,
                           struct case_row *out, struct ocop_error *err)
{
    struct span mine_value;
    enum ocop_status st = load_row(r, id, a, out, &mine_value, err);
    if (st == OCOP_OK)
        st = mine_from_row(r, mine_value, a, out, err);
    if (st == OCOP_OK)
        st = out->cause == CASE_COLLISION ? theirs_from_other(r, a, out, err)
                                          : theirs_from_log(r, a, out, err);
    return st;
}

/* --- listing ---------------------------------------------------------------------------------- */

static enum ocop_status case_ids(struct registry *r, bool open_only, struct buf *out,
                                 struct ocop_error *err)
{
    sqlite3_stmt *s = registry_stmt(r, SQL_CASE_IDS, err);
    int rc;
    if (!s)
        return OCOP_EDB;
    sqlite3_bind_int(s, 1, open_only);
    while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
        struct id id = {{0}};
        column_id(s, 0, &id);
        buf_put(out, id.b, ID_LEN);
    }
    sqlite3_reset(s);
    if (rc != SQLITE_DONE)
        return db_error(r->db, err, "listing cases");
    return out->failed ? err_nomem(err) : OCOP_OK;
}

enum ocop_status case_each(struct registry *r, bool open_only, case_fn fn, void *self,
                           struct ocop_error *err)
{
    struct buf ids; /* all of them first: `fn` may itself ask the registry for cases */
    buf_init(&ids, MIB(64));
    enum ocop_status st = case_ids(r, open_only, &ids, err);
    for (size_t at = 0; st == OCOP_OK && at < ids.len; at += ID_LEN) {
        struct arena a;
        struct case_row c;
        struct id id;
        memcpy(id.b, ids.p + at, ID_LEN);
        arena_init(&a, ARENA_REQUEST_MAX);
        st = case_load(r, &id, &a, &c, err);
        if (st == OCOP_OK)
            st = fn(self, &c, err);
        arena_fini(&a);
    }
    buf_fini(&ids);
    return st;
}

/* --- resolving -------------------------------------------------------------------------------- */

struct resolution {
    struct registry *r;
    const struct server_keys *keys;
    struct arena *a;
    enum case_take take;
    const char *value, *reason;
    const struct id *officer;
    struct case_row c;
    struct span mine_value; /* a ChangeRow */
};

/* An edit that wins over a void brings the record back. */
static enum ocop_status unvoid(const struct resolution *p, const struct fields *edit,
                               struct fields *out, struct ocop_error *err)
{
    static const uint32_t numbers[] = {FIELD_VOIDED, FIELD_VOID_REASON};
    *out = (struct fields){arena_calloc(p->a, edit->count + 2, sizeof *out->v), 0};
    if (!out->v)
        return err_nomem(err);
    for (size_t i = 0; i < edit->count; i++)
        if (edit->v[i].number != FIELD_VOIDED && edit->v[i].number != FIELD_VOID_REASON)
            out->v[out->count++] = edit->v[i];
    for (size_t i = 0; i < 2; i++)
        out->v[out->count++] =
            (struct field){.number = numbers[i],
                           .op = FIELD_CLEAR,
                           .type = numbers[i] == FIELD_VOIDED ? VALUE_INT : VALUE_BYTES};
    fields_sort(out);
    return OCOP_OK;
}

static enum ocop_status take_mine(const struct resolution *p, struct fields *out,
                                  struct ocop_error *err)
{
    struct change mine;
    if (p->c.cause == CASE_COLLISION)
        return err_set(err, OCOP_EINVAL,
                       "two records have one number: keep both (theirs) or give another value");
    enum ocop_status st = change_unpack(p->mine_value, p->a, &mine, err);
    if (st == OCOP_OK && p->c.cause == CASE_VOID && mine.verb != VERB_VOID)
        return unvoid(p, &mine.fields, out, err);
    if (st == OCOP_OK)
        *out = mine.fields;
    return st;
}

static enum ocop_status take_value(const struct resolution *p, struct fields *out,
                                   struct ocop_error *err)
{
    struct field *f = arena_calloc(p->a, 1, sizeof *f);
    if (!f)
        return err_nomem(err);
    if (!p->value)
        return err_set(err, OCOP_EINVAL, "the value is missing");
    if (p->c.number == 0)
        return err_set(err, OCOP_EINVAL, "this case is about a whole record: take theirs or mine");
    enum ocop_status st = json_value_read(kind_by_number(p->c.kind), p->c.number, p->c.key,
                                          span_str(p->value), p->a, f, err);
    if (st == OCOP_OK)
        *out = (struct fields){f, 1};
    return st;
}

/* The fields that the decision writes, based on what the registry holds now: who decides has seen
 * it, so that the resolution cannot itself conflict. */
static enum ocop_status decided(const struct resolution *p, uint64_t base, struct fields *out,
                                struct ocop_error *err)
{
    enum ocop_status st = OCOP_OK;
    *out = (struct fields){NULL, 0};
    if (p->take == TAKE_MINE)
        st = take_mine(p, out, err);
    else if (p->take == TAKE_VALUE)
        st = take_value(p, out, err);
    for (size_t i = 0; i < out->count; i++)
        out->v[i].base = base;
    return st;
}

static enum ocop_status refused(const struct resolution *p, uint64_t version,
                                struct ocop_error *err)
{
    struct outcome_row *rows;
    size_t count = 0;
    enum ocop_status st = outcomes_of(p->r, version, p->a, &rows, &count, err);
    for (size_t i = 0; st == OCOP_OK && i < count; i++)
        if (rows[i].code == OUTCOME_REFUSED)
            st = err_field(err, OCOP_EINVAL, rows[i].field, "%s", rows[i].text);
    return st;
}

static enum ocop_status write_decision(const struct resolution *p, struct change *change,
                                       struct ocop_error *err)
{
    struct author au;
    struct changes changes = {change, 1};
    uint64_t version = 0;
    enum ocop_status st = author_begin(p->r, p->keys, "review", "review", p->officer, &au, err);
    if (st == OCOP_OK)
        st = author_write(&au, &changes, p->a, &version, err);
    author_end(&au);
    return st == OCOP_OK ? refused(p, version, err) : st;
}

/* Inside a transaction. */
static enum ocop_status resolve(struct resolution *p, const struct id *id, struct ocop_error *err)
{
    struct fields state, fields;
    struct row_meta meta;
    enum ocop_status st = load_row(p->r, id, p->a, &p->c, &p->mine_value, err);
    if (st == OCOP_OK && p->c.closed_version)
        st = err_set(err, OCOP_ESTATE, "this case is closed already");
    if (st == OCOP_OK)
        st = case_may_decide(p->r, p->officer, err);
    if (st == OCOP_OK)
        st = row_load(p->r->rows, p->c.kind, &p->c.record, p->a, &state, &meta, err);
    if (st == OCOP_OK)
        st = decided(p, meta.version, &fields, err);
    if (st != OCOP_OK)
        return st;
    struct change change = {.kind = p->c.kind,
                            .verb = VERB_AMEND,
                            .record = p->c.record,
                            .author = *p->officer,
                            .device_time_ms = env_now_ms(p->r->env),
                            .reason = span_str(p->reason),
                            .case_id = id_span(&p->c.id),
                            .base = meta.version,
                            .fields = fields};
    return write_decision(p, &change, err);
}

enum ocop_status case_resolve(struct registry *r, const struct server_keys *keys,
                              const struct id *id, enum case_take take, const char *value,
                              const char *reason, const struct id *officer, struct ocop_error *err)
{
    struct arena a;
    struct resolution p = {.r = r,
                           .keys = keys,
                           .a = &a,
                           .take = take,
                           .value = value,
                           .reason = reason,
                           .officer = officer};
    arena_init(&a, ARENA_REQUEST_MAX);
    enum ocop_status st = registry_begin(r, err);
    if (st != OCOP_OK)
        goto out;
    st = resolve(&p, id, err);
    if (st == OCOP_OK)
        st = registry_commit(r, err);
    if (st != OCOP_OK)
        registry_rollback(r);
out:
    arena_fini(&a);
    return st;
}

/* --- who decides --- */

static bool is_voided(const struct fields *officer)
{
    const struct field *voided = fields_find(officer, FIELD_VOIDED, span_of(NULL, 0));
    return voided && voided->op == FIELD_SET && voided->i;
}

enum ocop_status case_may_decide(struct registry *r, const struct id *officer,
                                 struct ocop_error *err)
{
    struct fields f;
    struct row_meta meta;
    struct arena a;
    unsigned roles = 0;
    arena_init(&a, ARENA_REQUEST_MAX);
    enum ocop_status st = row_load(r->rows, KIND_OFFICER, officer, &a, &f, &meta, NULL);
    if (st == OCOP_ENOTFOUND)
        st = err_set(err, OCOP_ENOTFOUND, "there is no such officer");
    else if (st != OCOP_OK)
        st = err_set(err, st, "the officer who decides cannot be read");
    else if (is_voided(&f))
        st = err_set(err, OCOP_EPERM, "the officer is voided and decides no more");
    if (st == OCOP_OK)
        st = cache_roles(r, officer, env_now_ms(r->env), &roles, err);
    if (st == OCOP_OK && !(roles & (ROLE_RECONCILER | ROLE_ADMINISTRATOR)))
        st = err_set(err, OCOP_EPERM, "only a reconciler or an administrator of today may decide");
    arena_fini(&a);
    return st;
}

struct deciders {
    struct registry *r;
    int64_t now_ms;
    struct id only;
    size_t count;
    struct buf names;
};

static enum ocop_status note_decider(void *self, const struct query_record *record,
                                     struct ocop_error *err)
{
    struct deciders *d = self;
    const struct field *name = fields_find(&record->fields, OFFICER_NAME, span_of(NULL, 0));
    unsigned roles = 0;
    if (is_voided(&record->fields))
        return OCOP_OK;
    enum ocop_status st = cache_roles(d->r, &record->id, d->now_ms, &roles, err);
    if (st != OCOP_OK || !(roles & (ROLE_RECONCILER | ROLE_ADMINISTRATOR)))
        return st;
    d->only = record->id;
    if (name && d->count < DECIDERS_NAMED)
        buf_printf(&d->names, "%s%.*s", d->count ? ", " : "", (int)name->bytes.len,
                   (const char *)name->bytes.p);
    d->count++;
    return OCOP_OK;
}

enum ocop_status case_decider(struct registry *r, struct id *out, struct ocop_error *err)
{
    struct deciders d = {.r = r, .now_ms = env_now_ms(r->env)};
    buf_init(&d.names, KIB(4));
    enum ocop_status st = query_records(r, KIND_OFFICER, note_decider, &d, err);
    if (st == OCOP_OK && d.count == 0)
        st = err_set(err, OCOP_ENOTFOUND,
                     "no officer is reconciler or administrator; say who decides with --officer");
    else if (st == OCOP_OK && d.count > 1)
        st = err_set(err, OCOP_EINVAL, "%zu officers may decide (%.200s%s); say who with --officer",
                     d.count, buf_cstr(&d.names), d.count > DECIDERS_NAMED ? ", ..." : "");
    *out = d.only;
    buf_fini(&d.names);
    return st;
}
