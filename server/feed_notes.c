/* What a device is told of a case: its values as text, as far as its officer may read them. */
#include "bounds.h"
#include "feed.h"
#include "registry_stmts.h"
#include "rights.h"

static char *column_dup(struct arena *a, sqlite3_stmt *s, int column)
{
    return arena_dup(a, sqlite3_column_text(s, column), (size_t)sqlite3_column_bytes(s, column));
}

ProtobufCBinaryData feed_blob(struct arena *a, const void *p, size_t len)
{
    uint8_t *copy = (uint8_t *)arena_dup(a, p, len);
    return (ProtobufCBinaryData){copy ? len : 0, copy};
}

/* What the array can hold follows from its count. */
void *feed_grown(struct arena *a, void *v, size_t count, size_t more)
{
    size_t room = 16;
    while (room < count)
        room *= 2;
    if (v && count + more <= room)
        return v;
    while (room < count + more)
        room *= 2;
    void **fresh = arena_alloc(a, room * sizeof *fresh);
    if (fresh && v)
        memcpy(fresh, v, count * sizeof *fresh);
    return fresh;
}

static size_t values_size(sqlite3_stmt *s)
{
    size_t bytes = 0;
    for (int column = 9; column <= 11; column++)
        bytes += (size_t)sqlite3_column_bytes(s, column);
    return bytes;
}

/* How much of a case may he see who reads this much? Of one about a whole record, whose values are
 * of many fields, only that it is there, unless he may see all of the record. */
static enum { NOTE_NONE, NOTE_BRIEF, NOTE_WHOLE } readable(sqlite3_stmt *s, unsigned reading)
{
    const struct kind *k = kind_by_number((uint32_t)sqlite3_column_int64(s, 1));
    uint32_t number = (uint32_t)sqlite3_column_int64(s, 4);
    if (!rights_kind_readable(k, reading) || !rights_field_readable(k, number, reading))
        return NOTE_NONE;
    bool whole = sqlite3_column_int(s, 3) == CASE_VOID || sqlite3_column_int(s, 3) == CASE_INVALID;
    return whole && !rights_all_readable(k, reading) ? NOTE_BRIEF : NOTE_WHOLE;
}

/* Columns as of SQL_CASE_LOAD. */
static Ocop__Sync__CaseNote *note_read(struct arena *a, sqlite3_stmt *s, bool brief, size_t *room)
{
    char path[OCOP_ERROR_FIELD_MAX];
    size_t values = values_size(s);
    Ocop__Sync__CaseNote *n = arena_calloc(a, 1, sizeof *n);
    if (!n)
        return NULL;
    ocop__sync__case_note__init(n);
    struct field at = {.number = (uint32_t)sqlite3_column_int64(s, 4),
                       .key =
                           span_of(sqlite3_column_blob(s, 5), (size_t)sqlite3_column_bytes(s, 5))};
    n->has_id = n->has_kind = n->has_record = n->has_cause = n->has_closed = 1;
    n->id = feed_blob(a, sqlite3_column_blob(s, 0), ID_LEN);
    n->kind = (uint32_t)sqlite3_column_int64(s, 1);
    n->record = feed_blob(a, sqlite3_column_blob(s, 2), ID_LEN);
    n->cause = (uint32_t)sqlite3_column_int(s, 3);
    field_path(kind_by_number(n->kind), &at, path, sizeof path);
    if (n->cause == CASE_VOID) /* which is about the whole record */
        path[0] = 0;
    n->field = arena_dup(a, path, strlen(path));
    n->has_other = sqlite3_column_type(s, 6) != SQLITE_NULL;
    if (n->has_other)
        n->other = feed_blob(a, sqlite3_column_blob(s, 6), ID_LEN);
    n->closed = sqlite3_column_int64(s, 14) != 0;
    n->resolution = n->closed ? column_dup(a, s, 15) : NULL;
    if (!n->field || !n->id.data || !n->record.data || brief || values > *room)
        return n->field && n->id.data && n->record.data ? n : NULL;
    *room -= values;
    n->base_value = column_dup(a, s, 9);
    n->theirs = column_dup(a, s, 10);
    n->mine = column_dup(a, s, 11);
    return n->base_value && n->theirs && n->mine ? n : NULL;
}

enum ocop_status feed_case_notes(struct registry *r, const ProtobufCBinaryData *ids, size_t count,
                                 unsigned reading, struct arena *a, Ocop__Sync__SyncReply *reply,
                                 size_t *room, struct ocop_error *err)
{
    Ocop__Sync__CaseNote **v = feed_grown(a, reply->cases, reply->n_cases, count);
    if (!v)
        return err_nomem(err);
    reply->cases = v;
    for (size_t i = 0; i < count; i++) {
        bool row;
        sqlite3_stmt *s = registry_stmt(r, SQL_CASE_LOAD, err);
        if (!s)
            return OCOP_EDB;
        sqlite3_bind_blob(s, 1, ids[i].data, (int)ids[i].len, SQLITE_STATIC);
        enum ocop_status st = registry_row(r, s, "reading a case", &row, err);
        if (st != OCOP_OK)
            return st;
        int told = row ? (int)readable(s, reading) : NOTE_NONE;
        if (told != NOTE_NONE && !(v[reply->n_cases++] = note_read(a, s, told == NOTE_BRIEF, room)))
            st = err_nomem(err);
        sqlite3_reset(s);
        if (st != OCOP_OK)
            return st;
    }
    return OCOP_OK;
}
