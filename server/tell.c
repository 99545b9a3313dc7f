/* The outcomes of a device's changes in a reply: at once for the sets it has just pushed, page by
 * page for what came later. Knows neither how a set is taken in nor how a reply is sent. */
#include "tell.h"

#include "bounds.h"
#include "feed.h"
#include "registry_stmts.h"

bool tell_enough(const struct telling *t)
{
    return t->reply->n_outcomes >= REPLY_OUTCOMES_ENOUGH || t->cases >= REPLY_CASES_MAX / 2;
}

static Ocop__Sync__Outcome *outcome_add(struct telling *t, uint64_t seq, uint32_t index, int code,
                                        const char *field, const char *text)
{
    Ocop__Sync__SyncReply *reply = t->reply;
    Ocop__Sync__Outcome *o = arena_alloc(t->a, sizeof *o);
    Ocop__Sync__Outcome **v = feed_grown(t->a, reply->outcomes, reply->n_outcomes, 1);
    bool has_field = field && field[0], has_text = text && text[0];
    if (!o || !v)
        return NULL;
    reply->outcomes = v;
    ocop__sync__outcome__init(o);
    o->has_seq = o->has_index = o->has_code = 1;
    o->seq = seq;
    o->index = index;
    o->code = (uint32_t)code;
    if (has_field)
        o->field = arena_dup(t->a, field, strlen(field));
    if (has_text)
        o->text = arena_dup(t->a, text, strlen(text));
    if ((has_field && !o->field) || (has_text && !o->text))
        return NULL;
    v[reply->n_outcomes++] = o;
    return o;
}

/* Columns as of SQL_OUTCOME_CASES. @return OCOP_ELIMIT when the reply cannot hold another */
static enum ocop_status case_id_add(struct telling *t, Ocop__Sync__Outcome *o, sqlite3_stmt *s,
                                    size_t *room)
{
    if (t->cases + o->n_cases == REPLY_CASES_MAX)
        return err_set(t->err, OCOP_ELIMIT, "more cases than one reply can tell; send less");
    if (o->n_cases == *room) {
        size_t more = *room * 2 + 4;
        ProtobufCBinaryData *v = arena_calloc(t->a, more, sizeof *v);
        if (!v)
            return err_nomem(t->err);
        if (*room)
            memcpy(v, o->cases, *room * sizeof *v);
        o->cases = v;
        *room = more;
    }
    char *id = arena_dup(t->a, sqlite3_column_blob(s, 0), ID_LEN);
    if (!id)
        return err_nomem(t->err);
    o->cases[o->n_cases++] = (ProtobufCBinaryData){ID_LEN, (uint8_t *)id};
    return OCOP_OK;
}

/* Everything the device must know of the cases that its change opened: the notes tell it, too,
 * which of the change's fields are held back, so that they come with the outcome. */
static enum ocop_status case_notes(struct telling *t, Ocop__Sync__Outcome *o, uint64_t version)
{
    bool row;
    size_t room = 0;
    enum ocop_status st;
    sqlite3_stmt *s = registry_stmt(t->r, SQL_OUTCOME_CASES, t->err);
    if (!s)
        return OCOP_EDB;
    sqlite3_bind_int64(s, 1, (sqlite3_int64)version);
    sqlite3_bind_int64(s, 2, o->index);
    do {
        st = registry_row(t->r, s, "reading cases", &row, t->err);
        if (st == OCOP_OK && row)
            st = case_id_add(t, o, s, &room);
    } while (st == OCOP_OK && row);
    sqlite3_reset(s);
    if (st != OCOP_OK)
        return st;
    t->cases += o->n_cases;
    return feed_case_notes(t->r, o->cases, o->n_cases, t->reading, t->a, t->reply, &t->value_room,
                           t->err);
}

/* Of a set that was taken in before, the reply cannot be refused any more: what it cannot hold is
 * said to wait, and told later. */
static enum ocop_status case_notes_again(struct telling *t, Ocop__Sync__Outcome *o,
                                         const struct set_result *result)
{
    enum ocop_status st = case_notes(t, o, result->version);
    if (st != OCOP_ELIMIT || result->code != SET_DUPLICATE || t->reply->n_sets > 0)
        return st;
    o->code = OUTCOME_WAITING;
    o->n_cases = 0;
    return OCOP_OK;
}

enum ocop_status tell_outcomes(struct telling *t, const struct set_result *result)
{
    struct outcome_row *rows;
    size_t count;
    enum ocop_status st = outcomes_of(t->r, result->version, t->a, &rows, &count, t->err);
    for (size_t i = 0; st == OCOP_OK && i < count; i++) {
        Ocop__Sync__Outcome *o = outcome_add(t, result->seq, rows[i].index, (int)rows[i].code,
                                             rows[i].field, rows[i].text);
        st = o ? OCOP_OK : err_nomem(t->err);
        if (st == OCOP_OK && rows[i].code == OUTCOME_CASE)
            st = case_notes_again(t, o, result);
        t->outcomes += rows[i].code != OUTCOME_APPLIED;
    }
    return st;
}

/* --- what came later -----------------------------------------------------------------------------
 */

struct told told_read(const Ocop__Sync__Cursor *c)
{
    struct told t = {.version = c ? c->version : 0, .set = INT64_MAX, .index = UINT32_MAX};
    if (c && c->has_told_version) {
        t.version = c->told_version;
        if (c->has_told_set && c->has_told_index) {
            t.set = c->told_set;
            t.index = c->told_index;
        }
    }
    return t;
}

/* One row of SQL_OUTCOMES_CHANGED. @return OCOP_ELIMIT: the reply has no room for it */
static enum ocop_status late_outcome(struct telling *t, sqlite3_stmt *s)
{
    Ocop__Sync__Outcome *o =
        outcome_add(t, (uint64_t)sqlite3_column_int64(s, 0), (uint32_t)sqlite3_column_int64(s, 1),
                    sqlite3_column_int(s, 2), (const char *)sqlite3_column_text(s, 3),
                    (const char *)sqlite3_column_text(s, 4));
    enum ocop_status st = o ? OCOP_OK : err_nomem(t->err);
    if (st == OCOP_OK && o->code == OUTCOME_CASE)
        st = case_notes(t, o, (uint64_t)sqlite3_column_int64(s, 5));
    if (st == OCOP_ELIMIT)
        t->reply->n_outcomes--;
    return st;
}

enum ocop_status tell_late(struct telling *t, const struct id *replica, struct told *told)
{
    bool row = true, room = true;
    enum ocop_status st = OCOP_OK;
    sqlite3_stmt *s = registry_stmt(t->r, SQL_OUTCOMES_CHANGED, t->err);
    if (!s)
        return OCOP_EDB;
    sqlite3_bind_blob(s, 1, replica->b, ID_LEN, SQLITE_STATIC);
    sqlite3_bind_int64(s, 2, (sqlite3_int64)told->version);
    sqlite3_bind_int64(s, 3, (sqlite3_int64)told->set);
    sqlite3_bind_int64(s, 4, told->index);
    for (size_t count = 0; st == OCOP_OK && room; count++) {
        st = registry_row(t->r, s, "reading outcomes", &row, t->err);
        room = st == OCOP_OK && row && count < REPLY_LATE_OUTCOMES_MAX;
        if (room)
            st = late_outcome(t, s);
        if (st == OCOP_ELIMIT && t->cases > 0) { /* it opens the next page */
            st = OCOP_OK;
            room = false;
        }
        if (st == OCOP_OK && room) {
            told->version = (uint64_t)sqlite3_column_int64(s, 6);
            told->set = (uint64_t)sqlite3_column_int64(s, 5);
            told->index = (uint32_t)sqlite3_column_int64(s, 1);
        }
    }
    told->all = !row;
    sqlite3_reset(s);
    return st;
}

enum ocop_status told_write(struct telling *t, const struct told *told)
{
    Ocop__Sync__Cursor *c = t->reply->cursor;
    uint64_t version = told->version;
    enum ocop_status st = OCOP_OK;
    if (told->all && !t->reply->more)
        return OCOP_OK;
    if (told->all)
        st = registry_version(t->r, &version, t->err);
    c->has_told_version = 1;
    c->told_version = version;
    c->has_told_set = c->has_told_index = !told->all;
    c->told_set = told->set;
    c->told_index = told->index;
    t->reply->more = t->reply->more || !told->all;
    return st;
}
