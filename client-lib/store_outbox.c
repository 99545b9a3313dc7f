/* The outbox: changes that are not settled, from the draft to the refusal. */
#include "store_sql.h"

enum ocop_status store_pack(const struct change *c, struct buf *out, struct ocop_error *err)
{
    enum ocop_status st;

    buf_init(out, MIB(1));
    st = change_pack(c, out, err);
    if (!st && out->failed)
        st = err_nomem(err);
    return st;
}

enum ocop_status store_outbox_add(struct ocop_store *s, const struct change *c,
                                  enum outbox_state state, struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    struct buf packed;
    enum ocop_status status = store_pack(c, &packed, err);

    if (!status)
        status = store_ask(s, Q_OUTBOX_ADD, &st, err);
    if (!status) {
        put_id(st, 1, &c->record);
        put_int(st, 2, c->kind);
        put_int(st, 3, state);
        put_bytes(st, 4, buf_span(&packed));
        status = run(s, st, err);
    }
    buf_fini(&packed);
    return status;
}

static enum ocop_status outbox_row(sqlite3_stmt *st, struct arena *a, struct outbox_row *out,
                                   struct ocop_error *err)
{
    int64_t state = sqlite3_column_int64(st, 3);

    memset(out, 0, sizeof *out);
    out->n = sqlite3_column_int64(st, 0);
    if (!get_id(st, 1, &out->record) || state < OUTBOX_DRAFT || state > OUTBOX_WAITING)
        return damaged("a change of the outbox", err);
    out->kind = (uint32_t)sqlite3_column_int64(st, 2);
    out->state = (enum outbox_state)state;
    out->seq = sqlite3_column_int64(st, 4) > 0 ? (uint64_t)sqlite3_column_int64(st, 4) : 0;
    out->idx = (uint32_t)sqlite3_column_int64(st, 5);
    out->sound = !sqlite3_column_int(st, 9);
    out->reason = get_text(st, 7, a);
    out->field = get_text(st, 8, a);
    if (!get_bytes(st, 6, a, &out->change) || !out->reason || !out->field)
        return err_nomem(err);
    return OCOP_OK;
}

/* All rows of a statement; or, with `bytes`, as many as make that much. */
static enum ocop_status outbox_rows(struct ocop_store *s, sqlite3_stmt *st, size_t bytes,
                                    struct arena *a, struct outbox_rows *out,
                                    struct ocop_error *err)
{
    enum ocop_status status = OCOP_OK;
    size_t total = 0;

    *out = (struct outbox_rows){NULL, 0};
    while (!status) {
        bool row;
        status = step(s, st, &row, err);
        if (status || !row)
            break;
        total += (size_t)sqlite3_column_bytes(st, 6);
        if (out->count > 0 && total > bytes)
            break;
        out->v = arena_more(a, out->v, out->count, sizeof *out->v);
        if (!out->v)
            status = err_nomem(err);
        else
            status = outbox_row(st, a, &out->v[out->count], err);
        if (!status)
            out->count++;
    }
    done(st);
    return status;
}

enum ocop_status store_outbox_of(struct ocop_store *s, const struct id *record, struct arena *a,
                                 struct outbox_rows *out, struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    enum ocop_status status = store_ask(s, Q_OUTBOX_OF, &st, err);

    if (status)
        return status;
    put_id(st, 1, record);
    return outbox_rows(s, st, SIZE_MAX, a, out, err);
}

enum ocop_status store_outbox_has(struct ocop_store *s, const struct id *record, bool *out,
                                  struct ocop_error *err)
{
    return store_any(s, Q_OUTBOX_HAS, record, out, err);
}

enum ocop_status store_outbox_ready(struct ocop_store *s, size_t max, size_t bytes, struct arena *a,
                                    struct outbox_rows *out, struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    enum ocop_status status = store_ask(s, Q_OUTBOX_READY, &st, err);

    if (status)
        return status;
    put_int(st, 1, max);
    return outbox_rows(s, st, bytes, a, out, err);
}

enum ocop_status store_outbox_of_set(struct ocop_store *s, uint64_t seq, struct arena *a,
                                     struct outbox_rows *out, struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    enum ocop_status status = store_ask(s, Q_OUTBOX_OF_SET, &st, err);

    if (status)
        return status;
    put_int(st, 1, seq);
    return outbox_rows(s, st, SIZE_MAX, a, out, err);
}

enum ocop_status store_outbox_one(struct ocop_store *s, int64_t seq, uint32_t idx,
                                  const struct id *record, struct arena *a, bool *found,
                                  struct outbox_row *out, struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    struct outbox_rows rows;
    enum ocop_status status = store_ask(s, Q_OUTBOX_ONE, &st, err);

    *found = false;
    if (status)
        return status;
    (void)sqlite3_bind_int64(st, 1, seq);
    put_int(st, 2, idx);
    if (record)
        put_id(st, 3, record);
    else
        (void)sqlite3_bind_null(st, 3);
    status = outbox_rows(s, st, SIZE_MAX, a, &rows, err);
    if (!status && rows.count > 0) {
        *out = rows.v[0];
        *found = true;
    }
    return status;
}

enum ocop_status store_outbox_put_back(struct ocop_store *s, const struct change *c, int64_t seq,
                                       uint32_t idx, struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    struct buf packed;
    enum ocop_status status = store_pack(c, &packed, err);

    if (!status)
        status = store_ask(s, Q_OUTBOX_PUT_BACK, &st, err);
    if (!status) {
        put_id(st, 1, &c->record);
        put_int(st, 2, c->kind);
        put_bytes(st, 3, buf_span(&packed));
        (void)sqlite3_bind_int64(st, 4, seq);
        put_int(st, 5, idx);
        status = run(s, st, err);
    }
    buf_fini(&packed);
    return status;
}

enum ocop_status store_outbox_all(struct ocop_store *s, struct arena *a, struct outbox_rows *out,
                                  struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    enum ocop_status status = store_ask(s, Q_OUTBOX_ALL, &st, err);

    return status ? status : outbox_rows(s, st, SIZE_MAX, a, out, err);
}

enum ocop_status store_outbox_sealed(struct ocop_store *s, int64_t n, uint64_t seq, uint32_t idx,
                                     struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    enum ocop_status status = store_ask(s, Q_OUTBOX_SEALED, &st, err);

    if (status)
        return status;
    put_int(st, 1, (uint64_t)n);
    put_int(st, 2, seq);
    put_int(st, 3, idx);
    return run(s, st, err);
}

enum ocop_status store_outbox_settled(struct ocop_store *s, int64_t n, enum outbox_state state,
                                      const char *reason, const char *field, struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    enum ocop_status status = store_ask(s, Q_OUTBOX_SETTLED, &st, err);

    if (status)
        return status;
    put_int(st, 1, (uint64_t)n);
    put_int(st, 2, state);
    put_text(st, 3, reason);
    put_text(st, 4, field);
    return run(s, st, err);
}

enum ocop_status store_outbox_rewrite(struct ocop_store *s, int64_t n, const struct change *c,
                                      struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    struct buf packed;
    enum ocop_status status = store_pack(c, &packed, err);

    if (!status)
        status = store_ask(s, Q_OUTBOX_REWRITE, &st, err);
    if (!status) {
        put_int(st, 1, (uint64_t)n);
        put_bytes(st, 2, buf_span(&packed));
        status = run(s, st, err);
    }
    buf_fini(&packed);
    return status;
}

enum ocop_status store_outbox_delete(struct ocop_store *s, int64_t n, struct ocop_error *err)
{
    return store_run_int(s, Q_OUTBOX_DELETE, (uint64_t)n, err);
}

enum ocop_status store_outbox_resend(struct ocop_store *s, int64_t n, struct ocop_error *err)
{
    return store_run_int(s, Q_OUTBOX_RESEND, (uint64_t)n, err);
}

enum ocop_status store_outbox_unseal(struct ocop_store *s, uint64_t seq, struct ocop_error *err)
{
    return store_run_int(s, Q_OUTBOX_UNSEAL, seq, err);
}

enum ocop_status store_outbox_reseal(struct ocop_store *s, struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    enum ocop_status status = store_ask(s, Q_OUTBOX_RESEAL, &st, err);

    if (!status)
        status = run(s, st, err);
    if (!status)
        status = store_ask(s, Q_OUTBOX_DISOWN, &st, err);
    return status ? status : run(s, st, err);
}

enum ocop_status store_outbox_count(struct ocop_store *s, unsigned count[6], struct ocop_error *err)
{
    sqlite3_stmt *st = NULL;
    bool row = true;
    enum ocop_status status = store_ask(s, Q_OUTBOX_COUNT, &st, err);

    memset(count, 0, 6 * sizeof *count);
    if (status)
        return status;
    while (!(status = step(s, st, &row, err)) && row) {
        int64_t state = sqlite3_column_int64(st, 0);
        if (state >= OUTBOX_DRAFT && state <= OUTBOX_WAITING)
            count[state] = (unsigned)sqlite3_column_int64(st, 1);
    }
    done(st);
    return status;
}
