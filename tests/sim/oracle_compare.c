/* The registry's tables against the oracle's lists: records with the version of every field,
 * outcomes, cases with base, theirs and mine, and what waits. */
#include <inttypes.h>
#include <stdio.h>

#include "bounds.h"
#include "json.h"
#include "oracle.h"

struct compare {
    struct oracle *o;
    struct sim *s;
    sqlite3_stmt *stmt;
};

static sqlite3_stmt *ask(struct compare *c, const char *sql)
{
    if (sqlite3_prepare_v2(c->o->r->db, sql, -1, &c->stmt, NULL) != SQLITE_OK)
        sim_fail(c->s, "oracle", "%s: %s", sql, sqlite3_errmsg(c->o->r->db));
    return c->stmt;
}

static bool more(struct compare *c)
{
    int rc = sqlite3_step(c->stmt);
    if (rc == SQLITE_ROW)
        return true;
    if (rc != SQLITE_DONE)
        sim_fail(c->s, "oracle", "reading the registry: %s", sqlite3_errmsg(c->o->r->db));
    sqlite3_finalize(c->stmt);
    return false;
}

static void column_id(sqlite3_stmt *s, int column, struct id *out)
{
    memset(out, 0, sizeof *out);
    id_from(span_of(sqlite3_column_blob(s, column), (size_t)sqlite3_column_bytes(s, column)), out);
}

/* --- records -----------------------------------------------------------------------------------
 */

static const char *say(struct sim *s, const struct kind *k, const struct field *f)
{
    struct buf b;
    const char *out = "nothing";
    buf_init(&b, KIB(64));
    if (f && f->op == FIELD_SET && json_value(k, f, &b, NULL) == OCOP_OK)
        out = arena_dup(&s->work, b.p, b.len);
    buf_fini(&b);
    return out ? out : "";
}

static const char *name_of(const struct kind *kind)
{
    return kind ? kind->name : "of a kind that is unknown here";
}

static void field_compare(struct compare *c, const struct kind *kind, const struct kept *k,
                          const struct path *p, const struct field *f)
{
    char path[160], id[ID_TEXT_LEN + 1];
    const struct field *want = p->now->value.op == FIELD_SET ? &p->now->value : NULL;
    const struct field *is = f && f->op == FIELD_SET ? f : NULL;
    if ((want == NULL) == (is == NULL) && (!want || field_value_equal(want, is)) &&
        (!is || is->base == p->now->version))
        return;
    sim_fail(c->s, "merge", "%s %s, field %s: %s of version %" PRIu64 ", should be %s of %" PRIu64,
             name_of(kind), id_text(k->id, id), field_path(kind, &p->now->value, path, sizeof path),
             say(c->s, kind, is), f ? f->base : 0, say(c->s, kind, want), p->now->version);
}

static void record_compare(struct compare *c, const struct kind *kind, const struct kept *k)
{
    struct fields f;
    struct row_meta meta;
    size_t set = 0, want = 0;
    char id[ID_TEXT_LEN + 1];
    enum ocop_status st = row_load(c->o->r->rows, k->kind, &k->id, &c->s->work, &f, &meta, NULL);
    if (st != OCOP_OK)
        sim_fail(c->s, "merge", "%s %s is not in the registry: %s", name_of(kind),
                 id_text(k->id, id), err_name(st));
    for (const struct path *p = k->paths; p; p = p->next) {
        field_compare(c, kind, k, p, fields_find(&f, p->number, p->key));
        want += p->now->value.op == FIELD_SET;
    }
    for (size_t i = 0; i < f.count; i++)
        set += f.v[i].op == FIELD_SET;
    if (set != want)
        sim_fail(c->s, "merge", "%s %s has %zu fields, should have %zu", kind->name,
                 id_text(k->id, id), set, want);
    /* A unit's version moves with its province too. */
    if (k->kind != KIND_UNIT && meta.version != k->version)
        sim_fail(c->s, "merge", "%s %s is of version %" PRIu64 ", should be of %" PRIu64,
                 name_of(kind), id_text(k->id, id), meta.version, k->version);
}

static void records_compare(struct compare *c)
{
    for (size_t i = 0; i < kind_count(); i++) {
        const struct kind *kind = kind_at(i);
        char sql[100];
        int64_t want = 0;
        for (const struct kept *k = c->o->records; k; k = k->next)
            if (k->kind == kind->number) {
                record_compare(c, kind, k);
                want++;
            }
        snprintf(sql, sizeof sql, "SELECT count(*) FROM \"%s\"", kind->table);
        sqlite3_stmt *s = ask(c, sql);
        while (more(c))
            if (sqlite3_column_int64(s, 0) != want)
                sim_fail(c->s, "merge", "%lld records of kind %s, should be %lld",
                         (long long)sqlite3_column_int64(s, 0), kind->name, (long long)want);
        arena_reset(&c->s->work);
    }
    for (const struct kept *k = c->o->records; k; k = k->next)
        if (!kind_by_number(k->kind))
            record_compare(c, NULL, k);
}

/* --- outcomes ----------------------------------------------------------------------------------
 */

static void outcomes_compare(struct compare *c)
{
    uint64_t rows = 0, want = 0;
    for (uint64_t v = 1; v <= c->o->count; v++)
        for (size_t i = 0; i < c->o->log[v - 1].set.changes.count; i++) {
            const struct decided *d = &c->o->log[v - 1].decided[i];
            want += d->code != OUTCOME_APPLIED || d->changed != v;
        }
    sqlite3_stmt *s = ask(c, "SELECT version, idx, code, changed_version, coalesce(text, '')"
                             " FROM outcome");
    while (more(c)) {
        uint64_t v = (uint64_t)sqlite3_column_int64(s, 0),
                 idx = (uint64_t)sqlite3_column_int64(s, 1);
        int code = sqlite3_column_int(s, 2);
        if (v == 0 || v > c->o->count || idx >= c->o->log[v - 1].set.changes.count)
            sim_fail(c->s, "outcome", "of a change that is not in the log: %" PRIu64 ".%" PRIu64, v,
                     idx);
        const struct decided *d = &c->o->log[v - 1].decided[idx];
        if (code != (int)d->code || (uint64_t)sqlite3_column_int64(s, 3) != d->changed)
            sim_fail(c->s, "outcome",
                     "%" PRIu64 ".%" PRIu64 " is %d since %lld (%s), should be %d since %" PRIu64,
                     v, idx, code, sqlite3_column_int64(s, 3), sqlite3_column_text(s, 4), d->code,
                     d->changed);
        if (code == OUTCOME_REFUSED && sqlite3_column_bytes(s, 4) == 0)
            sim_fail(c->s, "outcome", "%" PRIu64 ".%" PRIu64 " is refused without a reason", v,
                     idx);
        rows += code != OUTCOME_APPLIED || d->changed != v;
    }
    if (rows != want)
        sim_fail(c->s, "outcome", "%" PRIu64 " outcomes are stored, should be %" PRIu64, rows,
                 want);
}

/* --- cases -------------------------------------------------------------------------------------
 */

static bool is_text(struct compare *c, const struct kind *k, sqlite3_stmt *s, int column,
                    const struct field *f)
{
    struct buf b;
    buf_init(&b, KIB(64));
    if (f && f->op == FIELD_SET)
        CHECK(json_value(k, f, &b, NULL) == OCOP_OK);
    else
        buf_str(&b, "null");
    bool same = span_eq(buf_span(&b), span_of(sqlite3_column_text(s, column),
                                              (size_t)sqlite3_column_bytes(s, column)));
    (void)c;
    buf_fini(&b);
    return same;
}

static void case_compare(struct compare *c, sqlite3_stmt *s)
{
    struct id id;
    char text[ID_TEXT_LEN + 1];
    const struct opened *o = c->o->cases;
    column_id(s, 0, &id);
    while (o && !id_eq(&o->id, &id))
        o = o->next;
    if (!o)
        sim_fail(c->s, "case", "%s of %lld.%d, cause %d, is without a contradiction",
                 id_text(id, text), sqlite3_column_int64(s, 7), sqlite3_column_int(s, 8),
                 sqlite3_column_int(s, 1));
    if (sqlite3_column_int(s, 1) != (int)o->cause ||
        (uint64_t)sqlite3_column_int64(s, 7) != o->version ||
        sqlite3_column_int(s, 8) != (int)o->index)
        sim_fail(c->s, "case", "%s has another cause or place", id_text(id, text));
    if ((uint64_t)sqlite3_column_int64(s, 9) != o->closed)
        sim_fail(c->s, "case",
                 "%s of %" PRIu64 ".%u cause %d closed at %lld, should be at %" PRIu64,
                 id_text(id, text), o->version, o->index, (int)o->cause, sqlite3_column_int64(s, 9),
                 o->closed);
    if (o->cause != CASE_FIELD)
        return;
    const struct kind *k = kind_by_number(o->record->kind);
    if (!is_text(c, k, s, 4, o->base) || !is_text(c, k, s, 5, o->theirs) ||
        !is_text(c, k, s, 6, &o->mine) || (uint64_t)sqlite3_column_int64(s, 3) != o->theirs_version)
        sim_fail(c->s, "case",
                 "%s of %" PRIu64 ".%u shows base %s, theirs %s, mine %s; should be %s, %s, %s",
                 id_text(id, text), o->version, o->index, sqlite3_column_text(s, 4),
                 sqlite3_column_text(s, 5), sqlite3_column_text(s, 6), say(c->s, k, o->base),
                 say(c->s, k, o->theirs), say(c->s, k, &o->mine));
}

static void cases_compare(struct compare *c)
{
    uint64_t rows = 0, want = 0;
    sqlite3_stmt *s =
        ask(c, "SELECT id, cause, record, theirs_version, base, theirs, mine, opened_version, idx,"
               " coalesce(closed_version, 0) FROM cases");
    while (more(c)) {
        case_compare(c, s);
        rows++;
    }
    for (const struct opened *o = c->o->cases; o; o = o->next)
        want++;
    c->s->figures.cases += rows;
    if (rows != want)
        sim_fail(c->s, "case",
                 "%" PRIu64 " cases, should be %" PRIu64 ": a contradiction is without one", rows,
                 want);
}

/* --- limits -------------------------------------------------------------------------------------
 */

/* What devices can make grow has its limit: each says how much there is and how much may be. */
static void limits_check(struct compare *c)
{
    static const struct {
        const char *what, *sql;
        int64_t most;
    } limits[] = {{"replicas of one device",
                   "SELECT max(n) FROM (SELECT count(*) AS n FROM replica"
                   " WHERE channel_key IS NOT NULL GROUP BY channel_key)",
                   REPLICAS_OF_DEVICE_MAX},
                  {"sets kept aside of one replica",
                   "SELECT max(n) FROM (SELECT count(*) AS n FROM quarantine GROUP BY replica)",
                   QUARANTINE_SETS_MAX},
                  {"contacts of strangers",
                   "SELECT count(*) FROM contact WHERE replica NOT IN (SELECT id FROM replica)", 0},
                  {"chains of strangers",
                   "SELECT count(*) FROM chain WHERE replica NOT IN (SELECT id FROM replica)", 0},
                  {"notes of late changes that are nobody's",
                   "SELECT count(*) FROM late WHERE version > (SELECT max(version) FROM log)", 0}};
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        sqlite3_stmt *s = ask(c, limits[i].sql);
        while (more(c))
            if (sqlite3_column_int64(s, 0) > limits[i].most)
                sim_fail(c->s, "limits", "%lld %s, the limit is %lld",
                         (long long)sqlite3_column_int64(s, 0), limits[i].what,
                         (long long)limits[i].most);
    }
}

/* --- all ---------------------------------------------------------------------------------------
 */

void oracle_compare(struct oracle *o)
{
    struct compare c = {.o = o, .s = o->sim};
    int64_t waiting = 0;
    for (const struct waits *w = o->waiting; w; w = w->next)
        waiting += !w->done;
    outcomes_compare(&c);
    records_compare(&c);
    cases_compare(&c);
    limits_check(&c);
    sqlite3_stmt *s = ask(&c, "SELECT count(*) FROM waiting");
    while (more(&c))
        if (sqlite3_column_int64(s, 0) != waiting)
            sim_fail(c.s, "outcome", "%lld changes wait, should be %lld",
                     (long long)sqlite3_column_int64(s, 0), (long long)waiting);
    for (uint64_t v = 1; v <= o->count; v++)
        c.s->figures.changes += o->log[v - 1].set.changes.count;
}
