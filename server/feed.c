/* One page of what a device has not seen: first what is new in the scope it holds (the running
 * part, in the order of versions), then what entered its scope (the fill, anchor by anchor). By
 * state, not by history. Keeps nothing between pages: the cursor says it all. Knows neither
 * sockets nor what the device has pushed, but for which versions are its own. */
#include "feed_page.h"

/* --- the fill ------------------------------------------------------------------------------------
 */

/* One record of the fill; its position becomes the cursor's. */
static enum ocop_status fill_record(struct feed *f, sqlite3_stmt *s, uint32_t table)
{
    struct fields record;
    struct row_meta meta;
    struct id id;
    uint32_t kind =
        table == FEED_UNKNOWN ? (uint32_t)sqlite3_column_int64(s, UNKNOWN_KIND_COLUMN) : table;
    enum ocop_status st = row_read(f->r->rows, table, s, 0, f->a, &id, &record, &meta, f->err);
    if (st == OCOP_OK)
        st = feed_record_cases(f, &id, false, true);
    if (st != OCOP_OK)
        return st;
    feed_readable(f, kind, &record);
    feed_whole_state(&record);
    f->cur.fill_version = meta.version;
    f->cur.fill_id = id;
    return feed_emit(f, kind, &id, VERB_STATE, &record, meta.version);
}

/* The records of one kind under one anchor, after the fill's position. */
static enum ocop_status fill_table(struct feed *f, const struct anchor *an, uint32_t table,
                                   bool *done)
{
    bool alone = scope_is_record(&an->id);
    struct id from = alone ? scope_record(an->id) : an->id;
    sqlite3_stmt *s = feed_statement(f, alone ? ASK_FILL_ONE : ASK_FILL, table);
    enum ocop_status st = OCOP_OK;
    int rc = SQLITE_DONE;
    *done = false;
    if (!s)
        return feed_ask_failed(f);
    sqlite3_bind_blob(s, 1, from.b, ID_LEN, SQLITE_TRANSIENT);
    sqlite3_bind_int64(s, 2, (sqlite3_int64)f->cur.fill_version);
    sqlite3_bind_blob(s, 3, f->cur.fill_id.b, ID_LEN, SQLITE_TRANSIENT);
    while (st == OCOP_OK && !feed_page_full(f) && (rc = sqlite3_step(s)) == SQLITE_ROW)
        st = fill_record(f, s, table);
    *done = rc == SQLITE_DONE && !feed_page_full(f);
    sqlite3_reset(s);
    if (st == OCOP_OK && rc != SQLITE_ROW && rc != SQLITE_DONE)
        return db_error(f->r->db, f->err, "reading the feed");
    return st;
}

static void fill_at(struct feed *f, uint32_t table)
{
    f->cur.fill_kind = table;
    f->cur.fill_version = 0;
    memset(&f->cur.fill_id, 0, sizeof f->cur.fill_id);
}

static enum ocop_status fill_anchor(struct feed *f, const struct anchor *an)
{
    enum ocop_status st = OCOP_OK;
    if (!id_eq(&f->cur.fill_unit, &an->id) || f->cur.fill_kind == 0) {
        f->cur.fill_unit = an->id;
        fill_at(f, 1);
    }
    while (st == OCOP_OK && f->cur.fill_kind < FEED_TABLES) {
        bool done = true;
        if (feed_fed(f, f->cur.fill_kind))
            st = fill_table(f, an, f->cur.fill_kind, &done);
        if (st != OCOP_OK || !done)
            return st;
        fill_at(f, f->cur.fill_kind + 1);
    }
    return st;
}

/* Go on with the fill under way, or begin one to the end of the log. */
static enum ocop_status fill(struct feed *f)
{
    enum ocop_status st = OCOP_OK;
    if (!f->cur.fill) {
        st = feed_units_left(f);
        f->cur.fill = f->now;
    }
    for (size_t i = 0; st == OCOP_OK && i < f->anchor_count; i++) {
        const struct anchor *an = &f->anchors[i];
        bool behind = memcmp(an->id.b, f->cur.fill_unit.b, ID_LEN) < 0;
        if (an->since <= f->cur.scope || an->since > f->cur.fill || behind)
            continue;
        st = fill_anchor(f, an);
        if (feed_page_full(f))
            return st;
    }
    if (st != OCOP_OK)
        return st;
    f->cur.scope = f->cur.fill;
    f->cur.fill = 0;
    memset(&f->cur.fill_unit, 0, sizeof f->cur.fill_unit);
    fill_at(f, 0);
    return OCOP_OK;
}

/* --- the page ------------------------------------------------------------------------------------
 */

/* What a device says of its cursor may be anything: it can only make its own pages wrong. */
static void cursor_read(struct feed *f, const Ocop__Sync__Cursor *in)
{
    if (!in)
        return;
    f->cur.version = in->version < f->now ? in->version : f->now;
    f->cur.scope = in->scope < f->now ? in->scope : f->now;
    f->cur.fill = in->fill < f->now ? in->fill : f->now;
    f->cur.fill_version = in->fill_version;
    f->cur.after_kind = in->after_kind;
    f->cur.after =
        in->has_after_id && id_from(span_of(in->after_id.data, in->after_id.len), &f->cur.after_id);
    if (!id_from(span_of(in->fill_unit.data, in->fill_unit.len), &f->cur.fill_unit) ||
        !id_from(span_of(in->fill_id.data, in->fill_id.len), &f->cur.fill_id) ||
        in->fill_kind > FEED_TABLES)
        memset(&f->cur.fill_unit, 0, sizeof f->cur.fill_unit);
    else
        f->cur.fill_kind = in->fill_kind;
    f->from_version = in->has_from_version && in->from_version < f->cur.version ? in->from_version
                                                                                : f->cur.version;
}

static enum ocop_status cursor_write(struct feed *f)
{
    Ocop__Sync__Cursor *c = arena_alloc(f->a, sizeof *c);
    if (!c)
        return err_nomem(f->err);
    ocop__sync__cursor__init(c);
    c->has_version = c->has_scope = 1;
    c->version = f->cur.version;
    c->scope = f->cur.scope;
    c->has_reading = f->reading != READ_USUAL;
    c->reading = f->reading;
    if (f->cur.after) {
        c->has_after_kind = c->has_after_id = 1;
        c->after_kind = f->cur.after_kind;
        c->after_id = feed_blob(f->a, f->cur.after_id.b, ID_LEN);
    }
    c->has_from_version = !feed_running_done(f);
    c->from_version = f->from_version;
    if (f->cur.fill) {
        c->has_fill = c->has_fill_unit = c->has_fill_kind = c->has_fill_id = 1;
        c->has_fill_version = 1;
        c->fill = f->cur.fill;
        c->fill_kind = f->cur.fill_kind;
        c->fill_version = f->cur.fill_version;
        c->fill_unit = feed_blob(f->a, f->cur.fill_unit.b, ID_LEN);
        c->fill_id = feed_blob(f->a, f->cur.fill_id.b, ID_LEN);
    }
    f->reply->cursor = c;
    f->reply->has_more = 1;
    f->reply->more = !feed_running_done(f) || f->cur.fill || f->cur.scope < f->now;
    return OCOP_OK;
}

static enum ocop_status page_write(struct feed *f)
{
    struct changes changes = {f->changes, f->count};
    if (f->count == 0)
        return OCOP_OK;
    f->reply->records = arena_alloc(f->a, sizeof *f->reply->records);
    f->reply->versions = arena_calloc(f->a, 2 * f->count, sizeof *f->reply->versions);
    if (!f->reply->records || !f->reply->versions)
        return err_nomem(f->err);
    uint64_t before = 0;
    for (size_t i = 0; i < f->count;) {
        size_t run = 1;
        while (i + run < f->count && f->versions[i + run] == f->versions[i])
            run++;
        /* versions rise within the running part but not in a fill: the difference wraps around */
        f->reply->versions[f->reply->n_versions++] = f->versions[i] - before;
        f->reply->versions[f->reply->n_versions++] = run;
        before = f->versions[i];
        i += run;
    }
    return columns_encode(&changes, f->a, f->reply->records, f->err);
}

static size_t page_weight(size_t page_bytes)
{
    if (page_bytes >= PAGE_WEIGHT_MAX / SHRINKS_TO)
        return PAGE_WEIGHT_MAX;
    return page_bytes * SHRINKS_TO > PAGE_WEIGHT_MIN ? page_bytes * SHRINKS_TO : PAGE_WEIGHT_MIN;
}

static enum ocop_status page_begin(struct feed *f, const Ocop__Sync__Cursor *in)
{
    struct registry *r = f->r;
    if (!r->feed && !(r->feed = calloc(1, sizeof *r->feed)))
        return err_nomem(f->err);
    f->used_before = f->a->used;
    enum ocop_status st = registry_version(r, &f->now, f->err);
    if (st != OCOP_OK)
        return st;
    cursor_read(f, in);
    if (f->cur.version == f->now && f->cur.scope == f->now && !f->cur.fill)
        return OCOP_OK; /* nothing to say */
    f->changes = arena_alloc(f->a, 2 * PAGE_RECORDS_MAX * sizeof *f->changes);
    f->versions = arena_alloc(f->a, 2 * PAGE_RECORDS_MAX * sizeof *f->versions);
    f->stubs = arena_calloc(f->a, STUB_SLOTS, sizeof *f->stubs);
    if (!f->changes || !f->versions || !f->stubs)
        return err_nomem(f->err);
    st = feed_ask_any(f, SQL_LATE_ANY, &f->late_any);
    return st == OCOP_OK ? feed_anchors_load(f) : st;
}

bool feed_read_otherwise(const Ocop__Sync__Cursor *in, unsigned reading)
{
    return reading != (in->has_reading ? in->reading : READ_USUAL);
}

enum ocop_status feed_page(struct registry *r, const struct id *replica, unsigned reading,
                           const Ocop__Sync__Cursor *in, size_t page_bytes, struct arena *a,
                           Ocop__Sync__SyncReply *reply, struct ocop_error *err)
{
    struct ocop_error own_err = {0};
    struct feed f = {.r = r,
                     .replica = replica,
                     .reading = reading,
                     .a = a,
                     .err = err ? err : &own_err,
                     .reply = reply,
                     .bytes_max = page_weight(page_bytes),
                     .own_version = UINT64_MAX};
    enum ocop_status st = page_begin(&f, in);
    if (st == OCOP_OK)
        st = feed_running(&f);
    while (st == OCOP_OK && feed_running_done(&f) && !feed_page_full(&f) &&
           (f.cur.fill || f.cur.scope < f.now))
        st = fill(&f);
    if (st == OCOP_OK)
        st = page_write(&f);
    return st == OCOP_OK ? cursor_write(&f) : st;
}
