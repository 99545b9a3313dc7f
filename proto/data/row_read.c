/* A row read back into a record. What the columns `versions` and `extra` hold: see row.c. */
#include "row_impl.h"

#include <stdlib.h>

#include "columns.h"
#include "json.h"

static uint64_t unzigzag(uint64_t v)
{
    return (v >> 1) ^ (v & 1 ? UINT64_MAX : 0);
}

static struct field *scratch_add(struct rows *r)
{
    if (r->scratch_count == r->scratch_room) {
        size_t room = r->scratch_room ? 2 * r->scratch_room : 256;
        struct field *grown = realloc(r->scratch, room * sizeof *grown);
        if (!grown)
            return NULL;
        r->scratch = grown;
        r->scratch_room = room;
    }
    return &r->scratch[r->scratch_count++];
}

static enum ocop_status damaged(const struct table *t, const char *column, struct ocop_error *err)
{
    return err_field(err, OCOP_EDAMAGED, column,
                     "column %s of a row of %s cannot be read; restore the file from a backup",
                     column, t->name);
}

/* Put one field of any origin behind the others. */
static enum ocop_status add(struct rows *r, const struct field *f, struct ocop_error *err)
{
    struct field *to;

    if (r->scratch_count >= ROW_FIELDS_MAX)
        return err_set(err, OCOP_EDAMAGED, "a row has more than %d fields and elements",
                       ROW_FIELDS_MAX);
    to = scratch_add(r);
    if (!to)
        return err_nomem(err);
    *to = *f;
    return OCOP_OK;
}

static bool copy(struct arena *a, const void *p, int len, struct span *out)
{
    *out = span_of(arena_dup(a, p ? p : "", (size_t)len), (size_t)len);
    return out->p != NULL;
}

static enum ocop_status read_column(struct rows *r, const struct table *t, sqlite3_stmt *stmt,
                                    int column, int at, uint64_t born, struct arena *a,
                                    struct ocop_error *err)
{
    const struct field_rule *rule = t->rule[at];
    struct field f = {.number = rule->number, .op = FIELD_SET, .base = born};
    struct fields list = {NULL, 0};
    enum ocop_status status;

    if (rule_is_int(rule)) {
        f.type = VALUE_INT;
        f.i = sqlite3_column_int64(stmt, column);
        return add(r, &f, err);
    }
    if (!rule_is_list(rule)) {
        f.type = VALUE_BYTES;
        if (!copy(a, sqlite3_column_blob(stmt, column), sqlite3_column_bytes(stmt, column),
                  &f.bytes))
            return err_nomem(err);
        return add(r, &f, err);
    }
    status = json_list_read(
        rule,
        span_of(sqlite3_column_blob(stmt, column), (size_t)sqlite3_column_bytes(stmt, column)), a,
        &list, err);
    for (size_t i = 0; status == OCOP_OK && i < list.count; i++) {
        list.v[i].base = born;
        status = add(r, &list.v[i], err);
    }
    return status;
}

static enum ocop_status read_extra(struct rows *r, const struct table *t, struct span packed,
                                   uint64_t born, struct arena *a, struct ocop_error *err)
{
    ProtobufCAllocator allocator = arena_allocator(a);
    Ocop__Sync__Extra *m = ocop__sync__extra__unpack(&allocator, packed.len, packed.p);
    enum ocop_status status = OCOP_OK;

    if (!m)
        return damaged(t, "extra", err);
    for (size_t i = 0; status == OCOP_OK && i < m->n_fields; i++) {
        const Ocop__Sync__ExtraField *x = m->fields[i];
        struct field f = {.number = x->number,
                          .op = FIELD_SET,
                          .type = (uint8_t)x->type,
                          .key = {x->key.data, x->key.len},
                          .i = x->integer,
                          .bytes = {x->bytes.data, x->bytes.len},
                          .base = born};
        if (x->number == 0 || x->type < VALUE_INT || x->type > VALUE_ELEMENT ||
            (x->type == VALUE_ELEMENT) != (x->key.len != 0))
            status = damaged(t, "extra", err);
        else
            status = add(r, &f, err);
    }
    return status;
}

/* The type that a cleared path would have had. */
static uint8_t cleared_type(const struct table *t, const struct field *f)
{
    int at = f->number < BY_NUMBER ? t->at[f->number] : 0;

    if (f->key.len)
        return VALUE_ELEMENT;
    return at && rule_is_int(t->rule[at]) ? VALUE_INT : VALUE_BYTES;
}

static bool read_entry(const struct table *t, struct span packed, size_t *from, uint64_t born,
                       struct field *out)
{
    uint64_t head, len = 0, delta;

    *out = (struct field){.op = FIELD_SET};
    if (!span_varint(packed, from, &head) || head >> 2 == 0 || head >> 34 != 0)
        return false;
    if (head & ENTRY_KEY) {
        if (!span_varint(packed, from, &len) || len == 0 || len > packed.len - *from)
            return false;
        out->key = span_of(packed.p + *from, (size_t)len);
        *from += (size_t)len;
    }
    if (!span_varint(packed, from, &delta))
        return false;
    out->number = (uint32_t)(head >> 2);
    out->base = born + unzigzag(delta);
    if (head & ENTRY_CLEARED)
        out->op = FIELD_CLEAR;
    out->type = cleared_type(t, out);
    return true;
}

/* Give the fields their versions and add the markers of cleared paths. Both stand in the order of
 * paths, so one walk finds them all. */
static enum ocop_status read_versions(struct rows *r, const struct table *t, struct span packed,
                                      uint64_t born, struct arena *a, bool *marked,
                                      struct ocop_error *err)
{
    enum ocop_status status = OCOP_OK;
    size_t count = r->scratch_count, i = 0;

    for (size_t from = 0; status == OCOP_OK && from < packed.len;) {
        struct field entry;
        int order = -1;

        if (!read_entry(t, packed, &from, born, &entry))
            return damaged(t, "versions", err);
        while (i < count && (order = field_cmp(&r->scratch[i], &entry)) < 0)
            i++;
        if ((i < count && order == 0) != (entry.op == FIELD_SET))
            return damaged(t, "versions", err);
        if (entry.op == FIELD_SET) {
            r->scratch[i].base = entry.base;
            continue;
        }
        if (entry.key.len && !copy(a, entry.key.p, (int)entry.key.len, &entry.key))
            return err_nomem(err);
        *marked = true;
        status = add(r, &entry, err);
    }
    return status;
}

static enum ocop_status read_meta(const struct table *t, sqlite3_stmt *stmt, int first,
                                  struct id *id, struct row_meta *meta, struct ocop_error *err)
{
    *meta = (struct row_meta){.n = sqlite3_column_int64(stmt, first + AT_N),
                              .version = (uint64_t)sqlite3_column_int64(stmt, first + AT_VERSION),
                              .born = (uint64_t)sqlite3_column_int64(stmt, first + AT_BORN)};
    if (sqlite3_column_type(stmt, first + AT_ANCHOR) != SQLITE_NULL &&
        !id_from(rows_span(stmt, first + AT_ANCHOR), &meta->anchor))
        return damaged(t, "anchor", err);
    if (!id_from(rows_span(stmt, first + AT_ID), id))
        return damaged(t, "id", err);
    return OCOP_OK;
}

/* All fields of the row into r->scratch, sorted. */
static enum ocop_status read_fields(struct rows *r, const struct table *t, sqlite3_stmt *stmt,
                                    int first, uint64_t born, struct arena *a,
                                    struct ocop_error *err)
{
    enum ocop_status status = OCOP_OK;
    bool mixed = false, marked = false;

    r->scratch_count = 0;
    for (int at = AT_FIELDS; t->kind && status == OCOP_OK && at < t->at_end; at++)
        if (sqlite3_column_type(stmt, first + at) != SQLITE_NULL)
            status = read_column(r, t, stmt, first + at, at, born, a, err);
    if (status == OCOP_OK && sqlite3_column_type(stmt, first + AT_EXTRA) != SQLITE_NULL) {
        mixed = true;
        status = read_extra(r, t, rows_span(stmt, first + AT_EXTRA), born, a, err);
    }
    /* Extra fields may stand between known ones: those of a newer program that this one lacks, or
     * those that it has learnt since. */
    if (status == OCOP_OK && mixed && !fields_sort(&(struct fields){r->scratch, r->scratch_count}))
        status = damaged(t, "extra", err);
    if (status == OCOP_OK && sqlite3_column_type(stmt, first + AT_VERSIONS) != SQLITE_NULL)
        status = read_versions(r, t, rows_span(stmt, first + AT_VERSIONS), born, a, &marked, err);
    if (status == OCOP_OK && marked && !fields_sort(&(struct fields){r->scratch, r->scratch_count}))
        status = damaged(t, "versions", err);
    return status;
}

enum ocop_status row_read(struct rows *r, uint32_t kind, sqlite3_stmt *stmt, int first,
                          struct arena *a, struct id *id, struct fields *out, struct row_meta *meta,
                          struct ocop_error *err)
{
    const struct table *t = rows_table(r, kind);
    struct row_meta m;
    struct id found = {{0}};
    enum ocop_status status = read_meta(t, stmt, first, &found, &m, err);

    *out = (struct fields){NULL, 0};
    if (status == OCOP_OK)
        status = read_fields(r, t, stmt, first, m.born, a, err);
    if (status != OCOP_OK)
        return status;
    out->v = arena_calloc(a, r->scratch_count + 1, sizeof *out->v);
    if (!out->v)
        return err_nomem(err);
    if (r->scratch_count)
        memcpy(out->v, r->scratch, r->scratch_count * sizeof *out->v);
    out->count = r->scratch_count;
    if (id)
        *id = found;
    if (meta)
        *meta = m;
    return OCOP_OK;
}

enum ocop_status row_load(struct rows *r, uint32_t kind, const struct id *id, struct arena *a,
                          struct fields *out, struct row_meta *meta, struct ocop_error *err)
{
    struct table *t;
    sqlite3_stmt *stmt = NULL;
    enum ocop_status status = rows_start(r, kind, OP_LOAD, id, &t, &stmt, err);

    *out = (struct fields){NULL, 0};
    if (status == OCOP_OK) {
        int code = sqlite3_step(stmt);
        if (code == SQLITE_ROW)
            status = row_read(r, kind, stmt, 0, a, NULL, out, meta, err);
        else if (code == SQLITE_DONE)
            status = rows_not_found(t, id, err);
        else
            status = rows_fail(r, t, "reading", err);
    }
    rows_finish(stmt);
    return status;
}
