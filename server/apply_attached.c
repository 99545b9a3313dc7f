/* An attachment lies where its record lies: its unit follows the record's, by whatever change that
 * came there. What follows is nobody's work: no change can fail to have seen it, and none amends it
 * (rules.c). As long as the record is not there, an attachment lies where its author wrote. */
#include "apply.h"

#include "bounds.h"
#include "feed.h"
#include "registry_stmts.h"

static const struct span whole = {NULL, 0};

/* The unit of a record, in the arena; empty when it is not there or lies in none. */
static enum ocop_status unit_of(struct apply *p, const struct id *record, struct span *out)
{
    struct fields f = {NULL, 0};
    struct row_meta meta;
    enum ocop_status st = OCOP_ENOTFOUND;
    for (size_t i = 0; st == OCOP_ENOTFOUND && i < kind_count(); i++)
        if (kind_attachable(kind_at(i)))
            st = row_load(p->r->rows, kind_at(i)->number, record, p->a, &f, &meta, p->err);
    const struct field *unit = st == OCOP_OK ? fields_find(&f, FIELD_UNIT, whole) : NULL;
    *out = unit && unit->op == FIELD_SET ? unit->bytes : whole;
    return st == OCOP_ENOTFOUND ? OCOP_OK : st;
}

enum ocop_status attached_place(struct apply *p, struct fields *record, bool *moved)
{
    struct id id;
    struct span unit = whole;
    const struct field *of = fields_find(record, ATTACHMENT_RECORD, whole),
                       *wrote = fields_find(record, FIELD_UNIT, whole);
    *moved = false;
    if (p->change->kind != KIND_ATTACHMENT || !of || !wrote || !id_from(of->bytes, &id))
        return OCOP_OK;
    enum ocop_status st = unit_of(p, &id, &unit);
    if (st != OCOP_OK || unit.len == 0 || span_eq(unit, wrote->bytes))
        return st;
    record->v[wrote - record->v].bytes = unit;
    *moved = true;
    return OCOP_OK;
}

enum ocop_status attached_note(struct apply *p, const struct fields *record)
{
    const struct field *unit = fields_find(record, FIELD_UNIT, whole);
    struct field one = *unit;
    p->fx->beyond = true; /* who made it has something else */
    return history_keep(p, &p->change->fields, &(struct fields){&one, 1});
}

/* --- when the record moves -----------------------------------------------------------------------
 */

/* The unit that its attachments follow the record to; NULL: none of these fields says so. */
static const struct field *leads(const struct apply *p, const struct fields *applied)
{
    const struct field *unit =
        kind_attachable(p->kind) ? fields_find(applied, FIELD_UNIT, whole) : NULL;
    return unit && unit->op == FIELD_SET ? unit : NULL;
}

/* Those that lie elsewhere. */
static enum ocop_status elsewhere(struct apply *p, struct span unit, struct id **out, size_t *count)
{
    bool row;
    *out = NULL;
    *count = 0;
    sqlite3_stmt *s = registry_stmt(p->r, SQL_ATTACHED_ELSEWHERE, p->err);
    if (!s)
        return OCOP_EDB;
    bind_span(s, 1, id_span(&p->change->record));
    bind_span(s, 2, unit);
    enum ocop_status st;
    while ((st = registry_row(p->r, s, "reading attachments", &row, p->err)) == OCOP_OK && row) {
        *out = arena_more(p->a, *out, *count, sizeof **out);
        if (!*out) {
            sqlite3_reset(s);
            return err_nomem(p->err);
        }
        (void)id_from(span_of(sqlite3_column_blob(s, 0), (size_t)sqlite3_column_bytes(s, 0)),
                      &(*out)[(*count)++]);
    }
    return st;
}

/* Records that move to and fro would else keep the registry busy for as long as somebody likes. */
enum ocop_status attached_check(struct apply *p, const struct fields *applied)
{
    const struct field *unit = leads(p, applied);
    struct id *ids;
    size_t count;
    if (!unit)
        return OCOP_OK;
    enum ocop_status st = elsewhere(p, unit->bytes, &ids, &count);
    if (st == OCOP_OK && count > 0 && p->fx->followers + count > SET_FOLLOWERS_MAX)
        return apply_refuse(p, "unit_id",
                            "more attachments would move with it than one change-set may move");
    return st;
}

static enum ocop_status follow(struct apply *p, const struct id *attachment, struct field *unit,
                               struct arena *a)
{
    const struct change derived = {
        .kind = KIND_ATTACHMENT, .verb = VERB_AMEND, .record = *attachment};
    const struct fields applied = {unit, 1};
    struct apply one = *p;
    struct fields state, after;
    struct row_meta meta;
    one.a = a;
    one.change = &derived;
    enum ocop_status st =
        row_load(p->r->rows, KIND_ATTACHMENT, attachment, a, &state, &meta, p->err);
    if (st == OCOP_OK)
        st = fields_apply(&state, &applied, p->version, true, a, &after, p->err);
    if (st != OCOP_OK)
        return st;
    const struct id before = meta.anchor;
    meta.version = p->version;
    st = scope_anchor(p->r, KIND_ATTACHMENT, &after, &meta.anchor, p->err);
    if (st == OCOP_OK)
        st = row_update(p->r->rows, KIND_ATTACHMENT, attachment, &after, &meta, p->err);
    if (st == OCOP_OK)
        st = history_keep(&one, &state, &applied);
    return st == OCOP_OK ? departure_note(&one, &before) : st;
}

enum ocop_status attached_follow(struct apply *p, const struct fields *applied)
{
    const struct field *found = leads(p, applied);
    struct arena a; /* of one of them after the other */
    struct id *ids;
    size_t count;
    if (!found)
        return OCOP_OK;
    struct field unit = *found;
    enum ocop_status st = elsewhere(p, unit.bytes, &ids, &count);
    p->fx->beyond = p->fx->beyond || count > 0;
    p->fx->followers += count;
    arena_init(&a, ARENA_CHANGE_MAX);
    for (size_t i = 0; st == OCOP_OK && i < count; i++) {
        arena_reset(&a);
        st = follow(p, &ids[i], &unit, &a);
    }
    arena_fini(&a);
    return st;
}
