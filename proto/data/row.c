/* Record <-> row, composed from the descriptors: the statements, and writing. Knows SQLite and the
 * tables of the kinds; knows nothing of merging, scopes or who asks.
 *
 * Column `versions` holds what differs from "set when the record was born": one entry for each
 * field or element that was changed later, and for each that was cleared, in the order of paths:
 *
 *     varint  number << 2 | 2 if a key follows | 1 if it was cleared
 *     varint  length of the key, then the key         (only with 2)
 *     varint  zigzag of (version - born)
 *
 * Column `extra` is an Extra of sync.proto: fields and elements whose number this program does not
 * know, in the order of paths. Their versions are in `versions` like those of any other field. */
#include "row_impl.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "columns.h"
#include "json.h"
#include "text.h"

/* --- statements ------------------------------------------------------------------------------ */

struct table *rows_table(struct rows *r, uint32_t kind)
{
    return &r->tables[kind_by_number(kind) ? kind : 0];
}

const char *row_table(uint32_t kind)
{
    const struct kind *k = kind_by_number(kind);

    return k ? k->table : "unknown_kind";
}

const char *row_columns(struct rows *r, uint32_t kind)
{
    return rows_table(r, kind)->columns;
}

const char *rows_column(const struct table *t, int at)
{
    static const char *const common[AT_FIELDS] = {"n",      "id",       "version", "born",
                                                  "anchor", "versions", "extra"};

    if (at < AT_FIELDS)
        return common[at];
    return t->kind ? t->rule[at]->desc->name : "kind";
}

static void compose_columns(const struct table *t, struct buf *sql)
{
    for (int at = AT_N; at < t->at_end; at++)
        buf_printf(sql, "%s\"%s\"", at == AT_N ? "" : ",", rows_column(t, at));
}

static void compose(const struct table *t, enum operation op, struct buf *sql)
{
    switch (op) {
    case OP_INSERT:
        buf_printf(sql, "INSERT INTO \"%s\" (", t->name);
        for (int at = AT_ID; at < t->at_end; at++)
            buf_printf(sql, "%s\"%s\"", at == AT_ID ? "" : ",", rows_column(t, at));
        for (int at = AT_ID; at < t->at_end; at++)
            buf_printf(sql, "%s?%d", at == AT_ID ? ") VALUES (" : ",", at);
        buf_str(sql, ") ON CONFLICT (id) DO NOTHING");
        return;
    case OP_UPDATE:
        buf_printf(sql, "UPDATE \"%s\" SET ", t->name);
        for (int at = AT_VERSION; at < t->at_end; at++)
            buf_printf(sql, "%s\"%s\"=?%d", at == AT_VERSION ? "" : ",", rows_column(t, at), at);
        break;
    case OP_LOAD:
        buf_printf(sql, "SELECT %s FROM \"%s\"", t->columns, t->name);
        break;
    case OP_EXISTS:
        buf_printf(sql, "SELECT 1 FROM \"%s\"", t->name);
        break;
    case OP_DELETE:
        buf_printf(sql, "DELETE FROM \"%s\"", t->name);
        break;
    case OP_TOUCH:
        buf_printf(sql, "UPDATE \"%s\" SET version=?%d", t->name, AT_VERSION);
        break;
    case OP_COUNT:
        break;
    }
    buf_printf(sql, " WHERE id=?%d", AT_ID);
    /* All unknown kinds share a table; a record of one is not there for another. */
    if (!t->kind)
        buf_printf(sql, " AND kind=?%d", AT_FIELDS);
}

enum ocop_status rows_fail(struct rows *r, const struct table *t, const char *doing,
                           struct ocop_error *err)
{
    char text[80];

    (void)snprintf(text, sizeof text, "%s %s", doing, t->name);
    return db_error(r->db, err, text);
}

enum ocop_status rows_prepare(struct rows *r, const struct table *t, sqlite3_stmt **out,
                              struct ocop_error *err)
{
    if (r->text.failed)
        return err_nomem(err);
    if (sqlite3_prepare_v3(r->db, (const char *)r->text.p, (int)r->text.len,
                           SQLITE_PREPARE_PERSISTENT, out, NULL) != SQLITE_OK)
        return rows_fail(r, t, "preparing a statement for", err);
    return OCOP_OK;
}

enum ocop_status rows_start(struct rows *r, uint32_t kind, enum operation op, const struct id *id,
                            struct table **table, sqlite3_stmt **stmt, struct ocop_error *err)
{
    struct table *t = rows_table(r, kind);
    enum ocop_status status = OCOP_OK;

    *table = t;
    if (!t->op[op]) {
        buf_clear(&r->text);
        compose(t, op, &r->text);
        status = rows_prepare(r, t, &t->op[op], err);
    }
    if (status != OCOP_OK)
        return status;
    *stmt = t->op[op];
    if (sqlite3_bind_blob(*stmt, AT_ID, id->b, ID_LEN, SQLITE_STATIC) != SQLITE_OK ||
        (!t->kind && sqlite3_bind_int64(*stmt, AT_FIELDS, kind) != SQLITE_OK))
        return rows_fail(r, t, "binding", err);
    return OCOP_OK;
}

void rows_finish(sqlite3_stmt *stmt)
{
    if (!stmt)
        return;
    (void)sqlite3_reset(stmt);
    (void)sqlite3_clear_bindings(stmt);
}

struct span rows_span(sqlite3_stmt *stmt, int column)
{
    const void *p = sqlite3_column_blob(stmt, column);

    return span_of(p, (size_t)sqlite3_column_bytes(stmt, column));
}

static bool table_init(struct table *t, const struct kind *k)
{
    struct buf sql;

    t->kind = k;
    t->name = k ? k->table : "unknown_kind";
    t->at_end = AT_FIELDS;
    if (!k)
        t->at_end++;
    for (size_t i = 0; k && i < k->field_count; i++) {
        const struct field_rule *rule = &k->fields[i];
        if (rule->number == FIELD_ID)
            continue;
        CHECK(rule->number < BY_NUMBER && t->at_end < AT_MAX);
        t->rule[t->at_end] = rule;
        t->at[rule->number] = (uint8_t)t->at_end++;
    }
    buf_init(&sql, KIB(16));
    compose_columns(t, &sql);
    t->columns = sql.failed ? NULL : malloc(sql.len + 1);
    if (t->columns)
        memcpy(t->columns, buf_cstr(&sql), sql.len + 1);
    buf_fini(&sql);
    return t->columns != NULL;
}

enum ocop_status rows_open(sqlite3 *db, struct rows **out, struct ocop_error *err)
{
    struct rows *r = calloc(1, sizeof *r);
    bool ok = r != NULL;

    *out = NULL;
    if (!r)
        return err_nomem(err);
    kinds_init();
    r->db = db;
    buf_init(&r->versions, MIB(1));
    buf_init(&r->extra, MIB(1));
    buf_init(&r->lists, MIB(4));
    buf_init(&r->text, MIB(8));
    for (uint32_t i = 0; ok && i < KIND_COUNT_PLUS_1; i++)
        ok = table_init(&r->tables[i], kind_by_number(i));
    if (!ok) {
        rows_close(r);
        return err_nomem(err);
    }
    *out = r;
    return OCOP_OK;
}

void rows_close(struct rows *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < KIND_COUNT_PLUS_1; i++) {
        struct table *t = &r->tables[i];
        for (size_t s = 0; s < OP_COUNT; s++)
            (void)sqlite3_finalize(t->op[s]);
        for (size_t s = 0; s < BY_NUMBER; s++) {
            (void)sqlite3_finalize(t->shared_key[s]);
            (void)sqlite3_finalize(t->same_key[s]);
        }
        free(t->columns);
    }
    buf_fini(&r->versions);
    buf_fini(&r->extra);
    buf_fini(&r->lists);
    buf_fini(&r->text);
    free(r->scratch);
    free(r);
}

/* --- writing --------------------------------------------------------------------------------- */

static uint64_t zigzag(uint64_t v)
{
    return (v << 1) ^ (v >> 63 ? UINT64_MAX : 0);
}

static void put_version(struct buf *out, const struct field *f, uint64_t born)
{
    unsigned flags = f->op == FIELD_CLEAR ? ENTRY_CLEARED : 0;

    if (f->key.len)
        flags |= ENTRY_KEY;
    buf_varint(out, (uint64_t)f->number << 2 | flags);
    if (f->key.len) {
        buf_varint(out, f->key.len);
        buf_put(out, f->key.p, f->key.len);
    }
    buf_varint(out, zigzag(f->base - born));
}

static void put_extra(struct buf *out, const struct field *f)
{
    Ocop__Sync__ExtraField m = OCOP__SYNC__EXTRA_FIELD__INIT;
    size_t len;

    m.has_number = true;
    m.number = f->number;
    m.has_type = true;
    m.type = f->type;
    if (f->key.len) {
        m.has_key = true;
        m.key = (ProtobufCBinaryData){f->key.len, (uint8_t *)(uintptr_t)f->key.p};
    }
    if (f->type == VALUE_INT) {
        m.has_integer = true;
        m.integer = f->i;
    } else {
        m.has_bytes = true;
        m.bytes = (ProtobufCBinaryData){f->bytes.len, (uint8_t *)(uintptr_t)f->bytes.p};
    }
    len = ocop__sync__extra_field__get_packed_size(&m);
    buf_byte(out, 1 << 3 | 2); /* Extra.fields */
    buf_varint(out, len);
    if (buf_reserve(out, len))
        out->len += ocop__sync__extra_field__pack(&m, out->p + out->len);
}

static enum ocop_status bind_scalar(struct rows *r, const struct table *t, sqlite3_stmt *stmt,
                                    int at, const struct field *f, struct ocop_error *err)
{
    const struct field_rule *rule = t->rule[at];
    const char *bytes = f->bytes.p ? (const char *)f->bytes.p : ""; /* NULL would bind NULL */
    int code;

    if (f->key.len || f->type != (rule_is_int(rule) ? VALUE_INT : VALUE_BYTES))
        return err_field(err, OCOP_EINVAL, rule->desc->name, "%s does not have this type of value",
                         rule->desc->name);
    if (f->type == VALUE_INT)
        code = sqlite3_bind_int64(stmt, at, f->i);
    else if (rule->desc->type == PROTOBUF_C_TYPE_STRING)
        code = sqlite3_bind_text64(stmt, at, bytes, f->bytes.len, SQLITE_STATIC, SQLITE_UTF8);
    else
        code = sqlite3_bind_blob64(stmt, at, bytes, f->bytes.len, SQLITE_STATIC);
    return code == SQLITE_OK ? OCOP_OK : rows_fail(r, t, "binding", err);
}

/* A list's text lies in a buffer that may move while the next list is written. */
struct list_at {
    int at;
    size_t from, len;
};

/* Fields into parameters, r->versions, r->extra and r->lists. */
static enum ocop_status bind_fields(struct rows *r, const struct table *t, sqlite3_stmt *stmt,
                                    const struct fields *f, uint64_t born, struct ocop_error *err)
{
    enum ocop_status status = OCOP_OK;
    struct list_at lists[BY_NUMBER];
    size_t list_count = 0;

    if (f->count > ROW_FIELDS_MAX)
        return err_set(err, OCOP_ELIMIT, "the %s has %zu fields and elements, limit %d", t->name,
                       f->count, ROW_FIELDS_MAX);
    buf_clear(&r->versions);
    buf_clear(&r->extra);
    buf_clear(&r->lists);
    for (size_t i = 0, end; status == OCOP_OK && i < f->count; i = end) {
        const struct field *v = &f->v[i];
        int at = v->number < BY_NUMBER ? t->at[v->number] : 0;
        size_t from = r->lists.len;
        bool set = false;

        for (end = i; end < f->count && f->v[end].number == v->number; end++) {
            set |= f->v[end].op != FIELD_CLEAR;
            if (f->v[end].base != born || f->v[end].op == FIELD_CLEAR)
                put_version(&r->versions, &f->v[end], born);
            if (!at && f->v[end].op != FIELD_CLEAR)
                put_extra(&r->extra, &f->v[end]);
        }
        if (!at || !set)
            continue;
        if (!rule_is_list(t->rule[at])) {
            status = bind_scalar(r, t, stmt, at, v, err);
            continue;
        }
        if (list_count == BY_NUMBER)
            return err_set(err, OCOP_EINVAL, "fields of a %s are not in the order of their paths",
                           t->name);
        status = json_list_write(t->rule[at], v, end - i, &r->lists, err);
        lists[list_count++] = (struct list_at){at, from, r->lists.len - from};
    }
    if (status == OCOP_OK && (r->versions.full || r->extra.full || r->lists.full))
        status =
            err_set(err, OCOP_ELIMIT, "the %s is too large for a row; shorten its texts", t->name);
    else if (status == OCOP_OK && (r->versions.failed || r->extra.failed || r->lists.failed))
        status = err_nomem(err);
    for (size_t i = 0; status == OCOP_OK && i < list_count; i++)
        if (sqlite3_bind_text64(stmt, lists[i].at, (const char *)r->lists.p + lists[i].from,
                                lists[i].len, SQLITE_STATIC, SQLITE_UTF8) != SQLITE_OK)
            status = rows_fail(r, t, "binding", err);
    return status;
}

static enum ocop_status bind_row(struct rows *r, const struct table *t, sqlite3_stmt *stmt,
                                 const struct fields *f, const struct row_meta *meta,
                                 struct ocop_error *err)
{
    enum ocop_status status = bind_fields(r, t, stmt, f, meta->born, err);
    int code = SQLITE_OK;

    if (status != OCOP_OK)
        return status;
    code |= sqlite3_bind_int64(stmt, AT_VERSION, (int64_t)meta->version);
    code |= sqlite3_bind_int64(stmt, AT_BORN, (int64_t)meta->born);
    if (!id_is_zero(&meta->anchor))
        code |= sqlite3_bind_blob(stmt, AT_ANCHOR, meta->anchor.b, ID_LEN, SQLITE_STATIC);
    if (r->versions.len)
        code |=
            sqlite3_bind_blob64(stmt, AT_VERSIONS, r->versions.p, r->versions.len, SQLITE_STATIC);
    if (r->extra.len)
        code |= sqlite3_bind_blob64(stmt, AT_EXTRA, r->extra.p, r->extra.len, SQLITE_STATIC);
    return code == SQLITE_OK ? OCOP_OK : rows_fail(r, t, "binding", err);
}

enum ocop_status row_insert(struct rows *r, uint32_t kind, const struct id *id,
                            const struct fields *f, const struct row_meta *meta, int64_t *n,
                            struct ocop_error *err)
{
    struct table *t;
    sqlite3_stmt *stmt = NULL;
    enum ocop_status status = rows_start(r, kind, OP_INSERT, id, &t, &stmt, err);

    if (n)
        *n = 0;
    if (status == OCOP_OK)
        status = bind_row(r, t, stmt, f, meta, err);
    if (status != OCOP_OK)
        goto out;
    if (sqlite3_step(stmt) != SQLITE_DONE)
        status = rows_fail(r, t, "storing in", err);
    else if (sqlite3_changes(r->db) == 0)
        status = OCOP_ESTATE;
    else if (n)
        *n = sqlite3_last_insert_rowid(r->db);
out:
    rows_finish(stmt);
    return status;
}

enum ocop_status rows_not_found(const struct table *t, const struct id *id, struct ocop_error *err)
{
    char text[ID_TEXT_LEN + 1];

    return err_set(err, OCOP_ENOTFOUND, "there is no %s %s", t->name, id_text(*id, text));
}

/* Run a statement that alters one row. */
static enum ocop_status alter(struct rows *r, const struct table *t, sqlite3_stmt *stmt,
                              const struct id *id, const char *doing, struct ocop_error *err)
{
    if (sqlite3_step(stmt) != SQLITE_DONE)
        return rows_fail(r, t, doing, err);
    if (sqlite3_changes(r->db) == 0)
        return rows_not_found(t, id, err);
    return OCOP_OK;
}

enum ocop_status row_update(struct rows *r, uint32_t kind, const struct id *id,
                            const struct fields *f, const struct row_meta *meta,
                            struct ocop_error *err)
{
    struct table *t;
    sqlite3_stmt *stmt = NULL;
    enum ocop_status status = rows_start(r, kind, OP_UPDATE, id, &t, &stmt, err);

    if (status == OCOP_OK)
        status = bind_row(r, t, stmt, f, meta, err);
    if (status == OCOP_OK)
        status = alter(r, t, stmt, id, "storing in", err);
    rows_finish(stmt);
    return status;
}

enum ocop_status row_delete(struct rows *r, uint32_t kind, const struct id *id,
                            struct ocop_error *err)
{
    struct table *t;
    sqlite3_stmt *stmt = NULL;
    enum ocop_status status = rows_start(r, kind, OP_DELETE, id, &t, &stmt, err);

    if (status == OCOP_OK)
        status = alter(r, t, stmt, id, "deleting from", err);
    rows_finish(stmt);
    return status;
}

enum ocop_status row_touch(struct rows *r, uint32_t kind, const struct id *id, uint64_t version,
                           struct ocop_error *err)
{
    struct table *t;
    sqlite3_stmt *stmt = NULL;
    enum ocop_status status = rows_start(r, kind, OP_TOUCH, id, &t, &stmt, err);

    if (status == OCOP_OK && sqlite3_bind_int64(stmt, AT_VERSION, (int64_t)version) != SQLITE_OK)
        status = rows_fail(r, t, "binding", err);
    if (status == OCOP_OK)
        status = alter(r, t, stmt, id, "storing in", err);
    rows_finish(stmt);
    return status;
}

/* --- looking --------------------------------------------------------------------------------- */

enum ocop_status row_exists(struct rows *r, uint32_t kind, const struct id *id, bool *out,
                            struct ocop_error *err)
{
    struct table *t;
    sqlite3_stmt *stmt = NULL;
    enum ocop_status status = rows_start(r, kind, OP_EXISTS, id, &t, &stmt, err);

    *out = false;
    if (status == OCOP_OK) {
        int code = sqlite3_step(stmt);
        *out = code == SQLITE_ROW;
        if (code != SQLITE_ROW && code != SQLITE_DONE)
            status = rows_fail(r, t, "reading", err);
    }
    rows_finish(stmt);
    return status;
}

/* One of the statements that look for a natural key, with the value bound. */
static enum ocop_status start_key(struct rows *r, const struct table *t, int at, const char *select,
                                  const char *limit, struct span value, sqlite3_stmt **stmt,
                                  struct ocop_error *err)
{
    const char *text = value.p ? (const char *)value.p : "";
    enum ocop_status status = OCOP_OK;

    if (!*stmt) {
        buf_clear(&r->text);
        buf_printf(&r->text, "SELECT %s FROM \"%s\" WHERE \"%s\"=?1%s", select, t->name,
                   rows_column(t, at), limit);
        status = rows_prepare(r, t, stmt, err);
    }
    if (status == OCOP_OK &&
        sqlite3_bind_text64(*stmt, 1, text, value.len, SQLITE_STATIC, SQLITE_UTF8) != SQLITE_OK)
        status = rows_fail(r, t, "binding", err);
    return status;
}

/* Do two records have this key? The index alone answers. */
static enum ocop_status is_shared(struct rows *r, struct table *t, int at, struct span value,
                                  bool *out, struct ocop_error *err)
{
    sqlite3_stmt **stmt = &t->shared_key[t->rule[at]->number];
    enum ocop_status status = start_key(r, t, at, "1", " LIMIT 1 OFFSET 1", value, stmt, err);
    int code = SQLITE_DONE;

    if (status == OCOP_OK)
        code = sqlite3_step(*stmt);
    *out = code == SQLITE_ROW;
    if (status == OCOP_OK && code != SQLITE_ROW && code != SQLITE_DONE)
        status = rows_fail(r, t, "reading", err);
    rows_finish(*stmt);
    return status;
}

/* The index has the rows of one key in the order of n: no more of them is read than asked for. */
static enum ocop_status keys_add(struct rows *r, struct table *t, int at, struct span value,
                                 const struct id *except, struct id *out, size_t max, size_t *count,
                                 struct ocop_error *err)
{
    const uint32_t number = t->rule[at]->number;
    int code = SQLITE_DONE;
    enum ocop_status status;
    sqlite3_stmt *stmt = NULL;
    struct id found;

    status = start_key(r, t, at, "id", " AND voided IS NOT 1 ORDER BY n LIMIT ?2", value,
                       &t->same_key[number], err);
    stmt = t->same_key[number];
    if (status == OCOP_OK && sqlite3_bind_int64(stmt, 2, (int64_t)max + 1) != SQLITE_OK)
        status = rows_fail(r, t, "binding", err);
    while (status == OCOP_OK && (code = sqlite3_step(stmt)) == SQLITE_ROW)
        if (*count < max && id_from(rows_span(stmt, 0), &found) && !id_eq(&found, except))
            out[(*count)++] = found;
    if (status == OCOP_OK && code != SQLITE_DONE) {
        *count = 0;
        status = rows_fail(r, t, "reading", err);
    }
    rows_finish(stmt);
    return status;
}

/* Those that have the same text in the other normal form, or who mixed them in this one. */
static enum ocop_status other_forms_add(struct rows *r, struct table *t, int at, struct span value,
                                        const struct id *except, struct id *out, size_t max,
                                        size_t *count, struct ocop_error *err)
{
    struct buf apart, composed;
    enum ocop_status status = OCOP_OK;

    buf_init(&apart, 4 * value.len + 64);
    buf_init(&composed, 4 * value.len + 64);
    text_form(&apart, value, false);
    text_form(&composed, value, true);
    const struct span one = buf_span(&apart), two = buf_span(&composed);
    if (!one.p || !two.p || apart.failed || composed.failed)
        status = err_nomem(err);
    if (status == OCOP_OK && !span_eq(one, value))
        status = keys_add(r, t, at, one, except, out, max, count, err);
    if (status == OCOP_OK && !span_eq(two, value) && !span_eq(two, one))
        status = keys_add(r, t, at, two, except, out, max, count, err);
    buf_fini(&apart);
    buf_fini(&composed);
    return status;
}

enum ocop_status row_same_key(struct rows *r, uint32_t kind, uint32_t number, struct span value,
                              const struct id *except, struct id *out, size_t max, size_t *count,
                              struct ocop_error *err)
{
    struct table *t = rows_table(r, kind);
    int at = number < BY_NUMBER ? t->at[number] : 0;
    enum ocop_status status;
    bool shared, ascii = true;

    *count = 0;
    if (!at || t->rule[at]->desc->type != PROTOBUF_C_TYPE_STRING)
        return err_set(err, OCOP_EINVAL, "field %" PRIu32 " of %s is no text to look for", number,
                       t->name);
    for (size_t i = 0; ascii && i < value.len; i++)
        ascii = value.p[i] < 0x80;
    status = is_shared(r, t, at, value, &shared, err);
    if (status == OCOP_OK && shared)
        status = keys_add(r, t, at, value, except, out, max, count, err);
    if (status == OCOP_OK && !ascii)
        status = other_forms_add(r, t, at, value, except, out, max, count, err);
    return status;
}
