/* Records: one row each in the table of their kind, with a sum and their words; and which of them
 * have not been met while everything is read again. */
#include "store_sql.h"

#include <inttypes.h>

/* Statements about one kind's table are put together from these pieces and row_table(). */
#define IDS_OF_UNIT "SELECT id FROM %s WHERE unit_id = ?1"
#define IDS_OF_ALL "SELECT id FROM %s"
#define CLAMP "UPDATE @ SET version = ?1, born = min(born, ?1) WHERE version > ?1"
/* Before it: by how much the versions move, as store_record_sum counts them. */
#define CLAMP_SUMS                                                                                 \
    "UPDATE sums SET sum = sum + (SELECT ?1 - version + 3 * (min(born, ?1) - born) FROM @ "        \
    "WHERE n = row / 64) WHERE row IN (SELECT n * 64 + # FROM @ WHERE version > ?1)"
/* Only a hostile server gives records of two kinds one id: the first of them stands for both. */
#define UNSEEN_MARK                                                                                \
    "INSERT OR IGNORE INTO unseen (record, kind, sum) SELECT id, $, row_sum(id, $) FROM @"

enum ocop_status store_record(struct ocop_store *s, uint32_t kind, const struct id *id,
                              struct arena *a, struct fields *out, uint64_t *version,
                              struct ocop_error *err)
{
    struct row_meta meta = {0};
    enum ocop_status st = row_load(s->db->rows, kind, id, a, out, &meta, err);

    *version = st ? 0 : meta.version;
    return st;
}

enum ocop_status store_sum_put(struct ocop_store *s, uint32_t kind, const struct id *id,
                               const struct fields *f, int64_t n, const struct row_meta *meta,
                               struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    enum ocop_status status = store_ask(s, Q_SUM_PUT, &st, err);

    if (status)
        return status;
    put_int(st, 1, (uint64_t)store_row_key(kind, n));
    put_int(st, 2, store_record_sum(kind, id, f, meta));
    return run(s, st, err);
}

static enum ocop_status sum_drop(struct ocop_store *s, uint32_t kind, int64_t n,
                                 struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    enum ocop_status status = store_ask(s, Q_SUM_DROP, &st, err);

    if (status)
        return status;
    put_int(st, 1, (uint64_t)store_row_key(kind, n));
    return run(s, st, err);
}

/* The row is there: replace it, and its words where they differ. */
static enum ocop_status record_replace(struct ocop_store *s, uint32_t kind, const struct id *id,
                                       const struct fields *f, struct row_meta *meta,
                                       struct ocop_error *err)
{
    struct db *db = s->db;
    struct row_meta old_meta;
    struct fields old;
    struct arena a;
    enum ocop_status st;

    arena_init(&a, ARENA_SAVE_MAX);
    st = row_load(db->rows, kind, id, &a, &old, &old_meta, err);
    if (!st)
        st = row_update(db->rows, kind, id, f, meta, err);
    if (!st)
        st = store_sum_put(s, kind, id, f, old_meta.n, meta, err);
    if (!st)
        st = store_search_replace(s, kind, old_meta.n, &old, f, err);
    arena_fini(&a);
    return st;
}

enum ocop_status store_record_put(struct ocop_store *s, uint32_t kind, const struct id *id,
                                  struct fields *f, uint64_t version, struct ocop_error *err)
{
    struct row_meta meta = {.version = version, .born = version};
    struct ocop_error why = {0};
    enum ocop_status st;
    int64_t n = 0;

    /* The device merges nothing, so it keeps no version per field. */
    for (size_t i = 0; i < f->count; i++)
        f->v[i].base = version;
    st = row_insert(s->db->rows, kind, id, f, &meta, &n, &why);
    if (st == OCOP_ESTATE)
        return record_replace(s, kind, id, f, &meta, err);
    if (st) {
        if (err)
            *err = why;
        return st;
    }
    st = store_sum_put(s, kind, id, f, n, &meta, err);
    return st ? st : store_search_put(s, kind, n, f, err);
}

/* The cases of a record that goes go with it: nobody will tell how they end, and a record that
 * comes again brings its own. One between two records stays while the other one does. */
static enum ocop_status cases_leave(struct ocop_store *s, uint32_t kind, const struct id *record,
                                    struct arena *a, struct ocop_error *err)
{
    struct case_row *v;
    size_t count;
    enum ocop_status status = store_cases_of(s, record, a, &v, &count, err);

    for (size_t i = 0; !status && i < count; i++) {
        const struct id *other = id_eq(&v[i].record, record) ? &v[i].other : &v[i].record;
        bool stays = false;
        sqlite3_stmt *st = NULL;
        if (!id_is_zero(other))
            status = row_exists(s->db->rows, kind, other, &stays, err);
        if (!status && !stays)
            status = store_ask(s, Q_CASE_DELETE, &st, err);
        if (status || stays)
            continue;
        put_id(st, 1, &v[i].id);
        status = run(s, st, err);
    }
    return status;
}

enum ocop_status store_record_delete(struct ocop_store *s, uint32_t kind, const struct id *id,
                                     struct ocop_error *err)
{
    struct db *db = s->db;
    struct row_meta meta;
    struct fields old;
    struct arena a;
    bool there = false;
    enum ocop_status st = row_exists(db->rows, kind, id, &there, err);

    if (st || !there)
        return st;
    arena_init(&a, ARENA_SAVE_MAX);
    st = row_load(db->rows, kind, id, &a, &old, &meta, err);
    if (!st)
        st = store_search_drop(s, kind, meta.n, &old, err);
    if (!st)
        st = cases_leave(s, kind, id, &a, err);
    if (!st)
        st = sum_drop(s, kind, meta.n, err);
    if (!st)
        st = row_delete(db->rows, kind, id, err);
    arena_fini(&a);
    return st;
}

enum ocop_status store_record_leave(struct ocop_store *s, uint32_t kind, const struct id *id,
                                    struct ocop_error *err)
{
    enum ocop_status st =
        kind == KIND_ATTACHMENT ? store_run_id(s, Q_FILE_OWE, id, 0, err) : OCOP_OK;

    return st ? st : store_record_delete(s, kind, id, err);
}

enum ocop_status store_record_exists(struct ocop_store *s, uint32_t kind, const struct id *id,
                                     bool *out, struct ocop_error *err)
{
    return row_exists(s->db->rows, kind, id, out, err);
}

enum ocop_status store_record_kind(struct ocop_store *s, const struct id *id, uint32_t *kind,
                                   struct ocop_error *err)
{
    *kind = 0;
    for (uint32_t k = (uint32_t)kind_count(); k >= 1; k--) {
        bool there = false;
        enum ocop_status st = row_exists(s->db->rows, k, id, &there, err);
        if (st)
            return st;
        if (there) {
            *kind = k;
            return OCOP_OK;
        }
    }
    return OCOP_OK;
}

enum ocop_status store_record_ids(struct ocop_store *s, uint32_t kind, const struct id *unit,
                                  struct arena *a, struct id **out, size_t *count,
                                  struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    struct buf sql;
    bool row;
    enum ocop_status status;

    *out = NULL;
    *count = 0;
    buf_init(&sql, KIB(4));
    buf_printf(&sql, unit ? IDS_OF_UNIT : IDS_OF_ALL, row_table(kind));
    status = prepare(s, &sql, &st, err);
    if (!status && unit)
        put_id(st, 1, unit);
    while (!status) {
        status = step(s, st, &row, err);
        if (status || !row)
            break;
        *out = arena_more(a, *out, *count, sizeof **out);
        if (!*out)
            status = err_nomem(err);
        else if (!get_id(st, 0, &(*out)[*count]))
            status = damaged("an id", err);
        else
            ++*count;
    }
    (void)sqlite3_finalize(st);
    buf_fini(&sql);
    return status;
}

/* Run SQL in which @ stands for a kind's table, # for its number in keys of sums, and $ for that of
 * its records; ?1 is `value`. Table 0 has the records of all kinds that are unknown here. */
static enum ocop_status in_table(struct ocop_store *s, const char *text, uint32_t kind,
                                 uint64_t value, struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    struct buf sql;
    enum ocop_status status;

    buf_init(&sql, KIB(4));
    for (const char *c = text; *c; c++)
        if (*c == '@')
            buf_str(&sql, row_table(kind));
        else if (*c == '$' && kind == 0)
            buf_str(&sql, "kind");
        else if (*c == '#' || *c == '$')
            buf_printf(&sql, "%" PRIu32, kind);
        else
            buf_byte(&sql, (uint8_t)*c);
    status = prepare(s, &sql, &st, err);
    if (!status) {
        if (sqlite3_bind_parameter_count(st) > 0)
            put_int(st, 1, value);
        status = run(s, st, err);
    }
    (void)sqlite3_finalize(st);
    buf_fini(&sql);
    return status;
}

enum ocop_status store_record_clamp(struct ocop_store *s, uint64_t version, struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    enum ocop_status status = OCOP_OK;

    for (uint32_t k = 0; !status && k <= kind_count(); k++) {
        status = in_table(s, CLAMP_SUMS, k, version, err);
        if (!status)
            status = in_table(s, CLAMP, k, version, err);
    }
    if (!status)
        status = store_ask(s, Q_BASE_CLAMP, &st, err);
    if (status)
        return status;
    put_int(st, 1, version);
    return run(s, st, err);
}

/* --- reading everything again ---------------------------------------------------------------- */

enum ocop_status store_unseen_mark(struct ocop_store *s, struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    enum ocop_status status = store_ask(s, Q_UNSEEN_CLEAR, &st, err);

    if (!status)
        status = run(s, st, err);
    for (uint32_t k = 0; !status && k <= kind_count(); k++)
        status = in_table(s, UNSEEN_MARK, k, 0, err);
    return status;
}

enum ocop_status store_unseen_met(struct ocop_store *s, const struct id *record,
                                  struct ocop_error *err)
{
    return store_run_id(s, Q_UNSEEN_MET, record, 0, err);
}

enum ocop_status store_unseen_has(struct ocop_store *s, const struct id *record, bool *out,
                                  struct ocop_error *err)
{
    return store_any(s, Q_UNSEEN_HAS, record, out, err);
}

/* Records with their kinds. `bound`: of the question's parameter, where it has one. */
static enum ocop_status records_of(struct ocop_store *s, enum question q, uint64_t bound,
                                   struct arena *a, struct outbox_row **out, size_t *count,
                                   struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    bool row;
    enum ocop_status status = store_ask(s, q, &st, err);

    *out = NULL;
    *count = 0;
    if (status)
        return status;
    if (sqlite3_bind_parameter_count(st))
        put_int(st, 1, bound);
    while (!(status = step(s, st, &row, err)) && row) {
        *out = arena_more(a, *out, *count, sizeof **out);
        if (!*out || !get_id(st, 0, &(*out)[*count].record)) {
            status = *out ? damaged("an id", err) : err_nomem(err);
            break;
        }
        (*out)[(*count)++].kind = (uint32_t)sqlite3_column_int64(st, 1);
    }
    done(st);
    return status;
}

enum ocop_status store_unknown_records(struct ocop_store *s, struct arena *a,
                                       struct outbox_row **out, size_t *count,
                                       struct ocop_error *err)
{
    return records_of(s, Q_UNKNOWN_ALL, 0, a, out, count, err);
}

enum ocop_status store_unseen_own(struct ocop_store *s, uint64_t above, struct arena *a,
                                  struct outbox_row **out, size_t *count, struct ocop_error *err)
{
    return records_of(s, Q_UNSEEN_OWN, above, a, out, count, err);
}

enum ocop_status store_unseen_sweep(struct ocop_store *s, struct arena *a, unsigned *count,
                                    struct ocop_error *err)
{
    enum ocop_status status = OCOP_OK;

    *count = 0;
    while (!status) {
        struct outbox_row *v;
        size_t n;
        arena_reset(a);
        status = records_of(s, Q_UNSEEN_SOME, 0, a, &v, &n, err);
        if (status || n == 0)
            break;
        for (size_t i = 0; !status && i < n; i++) {
            bool pending;
            status = store_outbox_has(s, &v[i].record, &pending, err);
            if (!status && pending) {
                status = store_base_depart(s, &v[i].record, true, err);
            } else if (!status) {
                status = store_record_leave(s, v[i].kind, &v[i].record, err);
                ++*count;
            }
            if (!status)
                status = store_unseen_met(s, &v[i].record, err);
        }
    }
    return status;
}

/* --- status, check --------------------------------------------------------------------------- */

enum ocop_status store_state(struct ocop_store *s, const struct id *record, int *out,
                             struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    int64_t n = 0;
    enum ocop_status status = store_ask(s, Q_STATE, &st, err);

    if (!status) {
        put_id(st, 1, record);
        status = one_number(s, st, &n, err);
    }
    *out = (int)n;
    return status;
}

enum ocop_status store_counts(struct ocop_store *s, struct store_counts *out,
                              struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    unsigned count[6];
    bool row;
    enum ocop_status status = store_ask(s, Q_COUNTS, &st, err);

    memset(out, 0, sizeof *out);
    if (status)
        return status;
    status = step(s, st, &row, err);
    if (!status && row) {
        out->records = (unsigned)sqlite3_column_int64(st, 0);
        out->cases = (unsigned)sqlite3_column_int64(st, 1);
    }
    done(st);
    if (!status)
        status = store_outbox_count(s, count, err);
    if (status)
        return status;
    out->drafts = count[OUTBOX_DRAFT];
    out->waiting = count[OUTBOX_READY] + count[OUTBOX_SEALED] + count[OUTBOX_WAITING];
    out->refused = count[OUTBOX_REFUSED];
    return OCOP_OK;
}
