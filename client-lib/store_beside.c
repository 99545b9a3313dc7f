/* What is known beside the records: the registry's state under changes that wait, which records are
 * this device's own, cases, stubs and counters. */
#include "store_sql.h"

enum ocop_status store_base(struct ocop_store *s, const struct id *record, struct arena *a,
                            bool *found, struct fields *out, uint64_t *version,
                            struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    struct span packed = {NULL, 0};
    struct change c;
    bool row;
    enum ocop_status status = store_ask(s, Q_BASE, &st, err);

    *found = false;
    *out = (struct fields){NULL, 0};
    *version = 0;
    if (status)
        return status;
    put_id(st, 1, record);
    status = step(s, st, &row, err);
    if (!status && row && sqlite3_column_type(st, 1) != SQLITE_NULL) {
        *version = (uint64_t)sqlite3_column_int64(st, 0);
        *found = true;
        if (!get_bytes(st, 1, a, &packed))
            status = err_nomem(err);
    }
    done(st);
    if (status || !*found)
        return status;
    status = change_unpack(packed, a, &c, err);
    if (!status)
        *out = c.fields;
    return status;
}

enum ocop_status store_base_put(struct ocop_store *s, uint32_t kind, const struct id *record,
                                const struct fields *f, uint64_t version, struct ocop_error *err)
{
    struct change c = {.kind = kind, .verb = VERB_STATE, .record = *record, .base = version};
    sqlite3_stmt *st = NULL;
    struct buf packed;
    enum ocop_status status;

    c.fields = *f;
    for (size_t i = 0; i < f->count; i++)
        f->v[i].base = version;
    status = store_pack(&c, &packed, err);
    if (!status)
        status = store_ask(s, Q_BASE_PUT, &st, err);
    if (!status) {
        put_id(st, 1, record);
        put_int(st, 2, kind);
        put_int(st, 3, version);
        put_bytes(st, 4, buf_span(&packed));
        status = run(s, st, err);
    }
    buf_fini(&packed);
    return status;
}

enum ocop_status store_base_depart(struct ocop_store *s, const struct id *record, bool departed,
                                   struct ocop_error *err)
{
    return store_run_id(s, Q_BASE_DEPART, record, departed, err);
}

enum ocop_status store_base_delete(struct ocop_store *s, const struct id *record,
                                   struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    int64_t kind = 0;
    enum ocop_status status = store_ask(s, Q_BASE_DEPARTED, &st, err);

    if (status)
        return status;
    put_id(st, 1, record);
    status = one_number(s, st, &kind, err);
    if (!status && kind)
        status = store_record_leave(s, (uint32_t)kind, record, err);
    return status ? status : store_run_id(s, Q_BASE_DELETE, record, 0, err);
}

enum ocop_status store_base_orphans(struct ocop_store *s, unsigned *count, struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    int64_t n = 0;
    enum ocop_status status = store_ask(s, Q_BASE_ORPHANS, &st, err);

    if (!status)
        status = one_number(s, st, &n, err);
    *count = (unsigned)n;
    return status;
}

enum ocop_status store_own(struct ocop_store *s, const struct id *record, bool *own, bool *merged,
                           uint64_t *version, struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    enum ocop_status status = store_ask(s, Q_OWN, &st, err);

    *own = *merged = false;
    *version = 0;
    if (status)
        return status;
    put_id(st, 1, record);
    status = step(s, st, own, err);
    if (!status && *own) {
        *merged = sqlite3_column_int64(st, 0) != 0;
        *version = (uint64_t)sqlite3_column_int64(st, 1);
    }
    done(st);
    return status;
}

enum ocop_status store_own_any(struct ocop_store *s, bool *out, struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    enum ocop_status status = store_ask(s, Q_OWN_ANY, &st, err);

    *out = false;
    if (status)
        return status;
    status = step(s, st, out, err);
    done(st);
    return status;
}

enum ocop_status store_own_merged(struct ocop_store *s, const struct id *record,
                                  struct ocop_error *err)
{
    return store_run_id(s, Q_OWN_MERGED, record, 0, err);
}

enum ocop_status store_own_taken(struct ocop_store *s, uint32_t kind, const struct id *record,
                                 uint64_t version, struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    enum ocop_status status = store_ask(s, Q_OWN_TAKEN, &st, err);

    if (status)
        return status;
    put_id(st, 1, record);
    put_int(st, 2, kind);
    put_int(st, 3, version);
    return run(s, st, err);
}

enum ocop_status store_case_put(struct ocop_store *s, const struct case_row *row,
                                struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    enum ocop_status status = store_ask(s, Q_CASE_PUT, &st, err);

    if (status)
        return status;
    put_id(st, 1, &row->id);
    put_int(st, 2, row->kind);
    put_id(st, 3, &row->record);
    put_int(st, 4, row->cause);
    put_text(st, 5, row->field);
    put_text(st, 6, row->base);
    put_text(st, 7, row->theirs);
    put_text(st, 8, row->mine);
    if (!id_is_zero(&row->other))
        put_id(st, 9, &row->other);
    if (row->resolution)
        put_text(st, 10, row->resolution);
    return run(s, st, err);
}

static enum ocop_status case_row(sqlite3_stmt *st, struct arena *a, struct case_row *out,
                                 struct ocop_error *err)
{
    memset(out, 0, sizeof *out);
    if (!get_id(st, 0, &out->id) || !get_id(st, 2, &out->record))
        return damaged("a case", err);
    (void)get_id(st, 8, &out->other);
    out->kind = (uint32_t)sqlite3_column_int64(st, 1);
    out->cause = (uint32_t)sqlite3_column_int64(st, 3);
    out->field = get_text(st, 4, a);
    out->base = get_text(st, 5, a);
    out->theirs = get_text(st, 6, a);
    out->mine = get_text(st, 7, a);
    if (sqlite3_column_type(st, 9) != SQLITE_NULL && !(out->resolution = get_text(st, 9, a)))
        return err_nomem(err);
    if (!out->field || !out->base || !out->theirs || !out->mine)
        return err_nomem(err);
    return OCOP_OK;
}

enum ocop_status store_cases_of(struct ocop_store *s, const struct id *record, struct arena *a,
                                struct case_row **out, size_t *count, struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    bool row;
    enum ocop_status status = store_ask(s, Q_CASES_OF, &st, err);

    *out = NULL;
    *count = 0;
    if (status)
        return status;
    put_id(st, 1, record);
    while (!(status = step(s, st, &row, err)) && row) {
        *out = arena_more(a, *out, *count, sizeof **out);
        if (!*out)
            status = err_nomem(err);
        else
            status = case_row(st, a, &(*out)[*count], err);
        if (status)
            break;
        ++*count;
    }
    done(st);
    return status;
}

enum ocop_status store_cases_forget(struct ocop_store *s, struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    enum ocop_status status = store_ask(s, Q_CASES_FORGET, &st, err);

    return status ? status : run(s, st, err);
}

enum ocop_status store_cases_any_open(struct ocop_store *s, bool *out, struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    enum ocop_status status = store_ask(s, Q_CASES_ANY_OPEN, &st, err);

    *out = false;
    if (status)
        return status;
    status = step(s, st, out, err);
    done(st);
    return status;
}

enum ocop_status store_stub_put(struct ocop_store *s, uint32_t kind, const struct id *id,
                                struct span label, struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    enum ocop_status status = store_ask(s, Q_STUB_PUT, &st, err);

    if (status)
        return status;
    put_id(st, 1, id);
    put_int(st, 2, kind);
    (void)sqlite3_bind_text64(st, 3, label.len ? (const char *)label.p : "", label.len,
                              SQLITE_STATIC, SQLITE_UTF8);
    return run(s, st, err);
}

enum ocop_status store_stub_exists(struct ocop_store *s, const struct id *id, bool *out,
                                   struct ocop_error *err)
{
    return store_any(s, Q_STUB_EXISTS, id, out, err);
}

enum ocop_status store_counter_next(struct ocop_store *s, const char *name, uint64_t *out,
                                    struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    int64_t last = 0;
    enum ocop_status status = store_ask(s, Q_COUNTER, &st, err);

    *out = 0;
    if (!status) {
        put_text(st, 1, name);
        status = one_number(s, st, &last, err);
    }
    if (!status)
        status = store_ask(s, Q_COUNTER_PUT, &st, err);
    if (status)
        return status;
    *out = (uint64_t)last + 1;
    put_text(st, 1, name);
    put_int(st, 2, *out);
    return run(s, st, err);
}
