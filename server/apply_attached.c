/* An attachment lies where its record lies: its unit follows the record's, by whatever change that
 * came there. What follows is nobody's work: no change can fail to have seen it, and none amends it
 * (rules.c). As long as the record is not there, an attachment lies where its author wrote. */
#include "apply.h"

#include <string.h>

#include "bounds.h"
#include "cache.h"
#include "feed.h"
#include "registry_stmts.h"

static const struct span whole = {NULL, 0};

/* The unit of the record that an attachment names, in the arena; empty when none is there. Ids are
 * unique within a kind alone: of several records the one is meant that lies where the attachment's
 * author wrote, else the first in the order of kinds. */
static enum ocop_status unit_of(struct apply *p, const struct id *record, struct span wrote,
                                struct span *out)
{
    enum ocop_status st = OCOP_OK;
    *out = whole;
    for (size_t i = 0; st == OCOP_OK && i < kind_count(); i++) {
        struct fields f = {NULL, 0};
        struct row_meta meta;
        if (!kind_attachable(kind_at(i)))
            continue;
        st = row_load(p->r->rows, kind_at(i)->number, record, p->a, &f, &meta, p->err);
        const struct field *unit = st == OCOP_OK ? fields_find(&f, FIELD_UNIT, whole) : NULL;
        if (unit && unit->op == FIELD_SET && (!out->len || span_eq(unit->bytes, wrote)))
            *out = unit->bytes;
        st = st == OCOP_ENOTFOUND ? OCOP_OK : st;
        if (out->len && span_eq(*out, wrote))
            break;
    }
    return st;
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
    enum ocop_status st = unit_of(p, &id, wrote->bytes, &unit);
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

/* Those that do not lie in `unit`: of them all, or of those that lie in `from`, where the record
 * lay. */
static enum ocop_status elsewhere(struct apply *p, struct span unit, const struct field *from,
                                  struct id **out, size_t *count)
{
    bool row;
    *out = NULL;
    *count = 0;
    sqlite3_stmt *s = registry_stmt(p->r, SQL_ATTACHED_ELSEWHERE, p->err);
    if (!s)
        return OCOP_EDB;
    bind_span(s, 1, id_span(&p->change->record));
    bind_span(s, 2, unit);
    if (from)
        bind_span(s, 3, from->bytes);
    else
        sqlite3_bind_null(s, 3);
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

/* If these fields are to move a record that is `state`: what lies where it does, and would follow
 * to *unit. NULL: none of them says so. */
static enum ocop_status followers(struct apply *p, const struct fields *state,
                                  const struct fields *applied, const struct field **unit,
                                  struct id **ids, size_t *count)
{
    const struct field *from = fields_find(state, FIELD_UNIT, whole);
    *unit = from ? leads(p, applied) : NULL;
    return *unit ? elsewhere(p, (*unit)->bytes, from, ids, count) : OCOP_OK;
}

/* Records that move to and fro would else keep the registry busy for as long as a device likes. */
enum ocop_status attached_check(struct apply *p, const struct fields *state,
                                const struct fields *applied)
{
    const struct field *unit;
    struct id *ids;
    size_t count = 0;
    if (strcmp(p->replica.type, "device") != 0)
        return OCOP_OK;
    enum ocop_status st = followers(p, state, applied, &unit, &ids, &count);
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

static enum ocop_status follow_all(struct apply *p, struct field unit, const struct id *ids,
                                   size_t count)
{
    struct arena a; /* of one of them after the other */
    enum ocop_status st = OCOP_OK;
    p->fx->beyond = p->fx->beyond || count > 0;
    p->fx->followers += count;
    p->r->moved += count;
    arena_init(&a, ARENA_CHANGE_MAX);
    for (size_t i = 0; st == OCOP_OK && i < count; i++) {
        arena_reset(&a);
        st = follow(p, &ids[i], &unit, &a);
    }
    arena_fini(&a);
    return st;
}

enum ocop_status attached_follow(struct apply *p, const struct fields *state,
                                 const struct fields *applied)
{
    const struct field *unit;
    struct id *ids;
    size_t count;
    enum ocop_status st = followers(p, state, applied, &unit, &ids, &count);
    return st == OCOP_OK && unit ? follow_all(p, *unit, ids, count) : st;
}

/* Nobody takes another's attachments by a record of another kind under the same id; and what many
 * attached to nothing keeps no record from being taken. */
enum ocop_status attached_meet(struct apply *p, const struct fields *record)
{
    const struct field *unit = leads(p, record);
    enum ocop_status st = OCOP_OK;
    bool other = false;
    struct id *ids;
    size_t count;
    for (size_t i = 0; unit && st == OCOP_OK && !other && i < kind_count(); i++)
        if (kind_at(i) != p->kind && kind_attachable(kind_at(i)))
            st = cache_exists(p->r, kind_at(i)->number, &p->change->record, &other, p->err);
    if (st != OCOP_OK || other || !unit)
        return st;
    st = elsewhere(p, unit->bytes, NULL, &ids, &count);
    if (st != OCOP_OK || p->fx->followers + count > SET_FOLLOWERS_MAX)
        return st;
    return follow_all(p, *unit, ids, count);
}
