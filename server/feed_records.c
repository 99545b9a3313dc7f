/* One record of a page: all of it, what changed of it, or a stub of what it refers to. */
#include "feed_page.h"

/* --- records -------------------------------------------------------------------------------------
 */

static size_t weight(const struct fields *fields)
{
    size_t bytes = ROW_COST;
    for (size_t i = 0; i < fields->count; i++)
        bytes += 2 + fields->v[i].bytes.len;
    return bytes;
}

static size_t shape_cells(const struct shape *s)
{
    return s->rows * (s->unknown + (size_t)__builtin_popcountll(s->known));
}

/* A record with fields that no other has makes columns of empty cells for all of its kind. */
static void cells_add(struct feed *f, uint32_t kind, const struct fields *fields)
{
    struct shape *s = &f->shapes[feed_table_of(kind)];
    f->cells -= shape_cells(s);
    s->rows++;
    for (size_t i = 0; i < fields->count; i++) {
        const struct field *v = &fields->v[i];
        if (v->type == VALUE_ELEMENT)
            f->cells += ELEMENT_NUMBER_MAX + 1;
        if (v->number > FIELD_NUMBER_KNOWN_MAX)
            s->unknown++;
        else
            s->known |= UINT64_C(1) << v->number;
    }
    f->cells += shape_cells(s);
}

static void put(struct feed *f, uint32_t kind, const struct id *id, enum verb verb,
                const struct fields *fields, uint64_t version)
{
    f->changes[f->count] =
        (struct change){.kind = kind, .verb = (uint8_t)verb, .record = *id, .fields = *fields};
    f->versions[f->count++] = version;
    f->bytes += weight(fields);
    cells_add(f, kind, fields);
}

bool feed_page_full(const struct feed *f)
{
    return f->count >= PAGE_RECORDS_MAX || f->bytes >= f->bytes_max || f->cells > PAGE_CELLS_MAX ||
           f->a->used - f->used_before + f->cells * CELL_COST > PAGE_ARENA_MAX;
}

/* Keep those fields of a loaded record that are to be sent. In a page a field's base means
 * nothing; zero costs nothing. */
static void keep(struct fields *record, size_t *kept, size_t at)
{
    record->v[*kept] = record->v[at];
    record->v[(*kept)++].base = 0;
}

/* All that stands in the record; markers of removed values are not part of a state. */
void feed_whole_state(struct fields *record)
{
    size_t kept = 0;
    for (size_t i = 0; i < record->count; i++)
        if (record->v[i].op == FIELD_SET)
            keep(record, &kept, i);
    record->count = kept;
}

/* Without what the officer may not read. */
void feed_readable(const struct feed *f, uint32_t kind, struct fields *record)
{
    const struct kind *k = kind_by_number(kind);
    size_t kept = 0;
    for (size_t i = 0; i < record->count; i++)
        if (rights_field_readable(k, record->v[i].number, f->reading))
            record->v[kept++] = record->v[i];
    record->count = kept;
}

/* What others changed since the device's version. */
static enum ocop_status delta(struct feed *f, const struct candidate *c, struct fields *record)
{
    size_t kept = 0;
    enum ocop_status st = OCOP_OK;
    for (size_t i = 0; st == OCOP_OK && i < record->count; i++) {
        bool known = record->v[i].base <= f->from_version;
        if (!known)
            st = feed_own_value(f, c->kind, &c->id, &record->v[i], &known);
        if (!known)
            keep(record, &kept, i);
    }
    record->count = kept;
    return st;
}

/* --- stubs ---------------------------------------------------------------------------------------
 */

/* Was this reference looked at before in this page? */
static bool stub_seen(struct feed *f, const struct id *id)
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < ID_LEN; i++)
        h = (h ^ id->b[i]) * 16777619u;
    size_t at = (h ^ h >> 15) % STUB_SLOTS;
    for (; f->stubs[at]; at = (at + 1) % STUB_SLOTS)
        if (id_eq(f->stubs[at], id))
            return true;
    if (f->stub_count < STUB_SLOTS / 2) {
        f->stubs[at] = id;
        f->stub_count++;
    }
    return false;
}

/* *found is false when there is no such record. */
enum ocop_status feed_anchor_of(struct feed *f, uint32_t kind, const struct id *id, bool *found,
                                struct id *out)
{
    sqlite3_stmt *s = feed_statement(f, ASK_ANCHOR, feed_table_of(kind));
    if (!s)
        return feed_ask_failed(f);
    sqlite3_bind_blob(s, 1, id->b, ID_LEN, SQLITE_STATIC);
    int rc = sqlite3_step(s);
    *found = rc == SQLITE_ROW;
    if (*found)
        feed_column_id(s, 0, out);
    sqlite3_reset(s);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? OCOP_OK
                                                 : db_error(f->r->db, f->err, "reading an anchor");
}

/* What names a record that the device does not receive. */
static enum ocop_status stub_put(struct feed *f, uint32_t kind, const struct id *id)
{
    const struct kind *k = kind_by_number(kind);
    struct fields record;
    struct row_meta meta;
    size_t kept = 0;
    enum ocop_status st = row_load(f->r->rows, kind, id, f->a, &record, &meta, f->err);
    if (st != OCOP_OK)
        return st;
    for (size_t i = 0; i < record.count; i++) {
        const struct field_rule *rule = kind_field(k, record.v[i].number);
        if (rule && (rule->flags & FIELD_LABEL) && record.v[i].op == FIELD_SET)
            keep(&record, &kept, i);
    }
    record.count = kept;
    feed_readable(f, kind, &record);
    put(f, kind, id, VERB_STUB, &record, meta.version);
    return OCOP_OK;
}

/* References that lead out of the scope come as stubs. Its own unit lies in the scope as the
 * record does. */
static enum ocop_status references(struct feed *f, uint32_t kind, const struct fields *fields)
{
    const struct kind *k = kind_by_number(kind);
    enum ocop_status st = OCOP_OK;
    for (size_t i = 0; k && st == OCOP_OK && i < fields->count; i++) {
        const struct field *v = &fields->v[i];
        const struct field_rule *rule = kind_field(k, v->number);
        const struct kind *target = rule && rule->check == CHECK_REF && v->number != FIELD_UNIT
                                        ? kind_by_number((uint32_t)rule->lo)
                                        : NULL;
        if (!target || (target->reference && target->number != KIND_UNIT) ||
            !feed_fed(f, target->number) || v->bytes.len != ID_LEN ||
            f->count >= PAGE_RECORDS_MAX + PAGE_RECORDS_MAX / 2)
            continue;
        struct id *id = (struct id *)arena_dup(f->a, v->bytes.p, ID_LEN), anchor;
        bool found = false;
        if (!id)
            return err_nomem(f->err);
        if (stub_seen(f, id))
            continue;
        st = feed_anchor_of(f, target->number, id, &found, &anchor);
        if (st == OCOP_OK && found && !feed_scope_find(f, &anchor, id))
            st = stub_put(f, target->number, id);
    }
    return st;
}

enum ocop_status feed_emit(struct feed *f, uint32_t kind, const struct id *id, enum verb verb,
                           const struct fields *fields, uint64_t version)
{
    put(f, kind, id, verb, fields, version);
    return references(f, kind, fields);
}

/* Does the device hold the record as of its version? What it made itself, it holds too. A unit may
 * enter a scope without a field of it changing, because something above it moved. */
static enum ocop_status holds(struct feed *f, const struct candidate *c,
                              const struct fields *record, const struct row_meta *meta, bool *out)
{
    const struct anchor *an = feed_anchor(f, &c->anchor);
    const struct field *unit = fields_find(record, FIELD_UNIT, span_of(NULL, 0));
    enum ocop_status st = OCOP_OK;
    *out = an && an->since <= f->cur.scope && c->kind != KIND_UNIT;
    if (*out && meta->born > f->from_version)
        st = feed_own(f, meta->born, out);
    if (st == OCOP_OK && *out && unit && unit->base > f->from_version)
        st = feed_own_value(f, c->kind, &c->id, unit, out);
    return st;
}

/* Did the device itself make the record with this version, and has nobody touched it since? Then
 * there is nothing to tell of it, and no need to read it. Its cases came with their outcomes, but
 * for those of changes that had waited. */
static enum ocop_status untouched(struct feed *f, const struct candidate *c, bool *out)
{
    bool late = false;
    enum ocop_status st = feed_own(f, c->version, out);
    if (st != OCOP_OK || !*out || cache_plain(f->r, c->version))
        return st;
    sqlite3_stmt *s = feed_statement(f, ASK_UNTOUCHED, feed_table_of(c->kind));
    if (!s)
        return feed_ask_failed(f);
    sqlite3_bind_blob(s, 1, c->id.b, ID_LEN, SQLITE_STATIC);
    st = registry_row(f->r, s, "reading the feed", out, f->err);
    sqlite3_reset(s);
    if (st != OCOP_OK || !*out)
        return st;
    s = registry_stmt(f->r, SQL_LATE_AT, f->err);
    if (!s)
        return OCOP_EDB;
    sqlite3_bind_blob(s, 1, c->id.b, ID_LEN, SQLITE_STATIC);
    sqlite3_bind_int64(s, 2, (sqlite3_int64)c->version);
    st = registry_row(f->r, s, "reading authors", &late, f->err);
    sqlite3_reset(s);
    *out = !late;
    return st;
}

enum ocop_status feed_send_new(struct feed *f, const struct candidate *c)
{
    struct fields record;
    struct row_meta meta;
    bool skip, held;
    enum ocop_status asked = untouched(f, c, &skip);
    if (asked != OCOP_OK || skip)
        return asked;
    enum ocop_status st = row_load(f->r->rows, c->kind, &c->id, f->a, &record, &meta, f->err);
    if (st == OCOP_OK)
        st = holds(f, c, &record, &meta, &held);
    if (st == OCOP_OK)
        feed_readable(f, c->kind, &record);
    if (st == OCOP_OK)
        st = feed_record_cases(f, &c->id, true, !held);
    if (st == OCOP_OK && held)
        st = delta(f, c, &record);
    if (st != OCOP_OK)
        return st;
    if (!held)
        feed_whole_state(&record);
    if (held && record.count == 0)
        return OCOP_OK; /* the notes of its cases say all there is to say */
    return feed_emit(f, c->kind, &c->id, held ? VERB_DELTA : VERB_STATE, &record, meta.version);
}
