/* The running part of a page: records and departures since the cursor, in the order of versions. */
#include "feed_page.h"

struct candidates {
    struct candidate *v;
    size_t count;
};

static bool candidate_add(struct feed *f, struct candidates *all, const struct candidate *c)
{
    all->v = arena_more(f->a, all->v, all->count, sizeof *all->v);
    if (all->v)
        all->v[all->count++] = *c;
    return all->v != NULL;
}

static uint64_t scope_limit(const struct feed *f)
{
    return f->cur.fill ? f->cur.fill : f->cur.scope;
}

/* Where a table goes on: behind everything of the cursor's version, or of the next one, or behind
 * a record of the next one. */
static void start_of(const struct feed *f, uint32_t table, uint64_t *version, struct id *id)
{
    *version = f->cur.version;
    memset(id->b, 0xff, ID_LEN);
    if (!f->cur.after || table > f->cur.after_kind)
        return;
    ++*version;
    if (table == f->cur.after_kind)
        *id = f->cur.after_id;
}

static void candidate_read(sqlite3_stmt *s, uint32_t table, struct candidate *c)
{
    *c = (struct candidate){.version = (uint64_t)sqlite3_column_int64(s, 0), .table = table};
    feed_column_id(s, 1, &c->id);
    feed_column_id(s, 2, &c->anchor);
    c->kind = table == FEED_UNKNOWN ? (uint32_t)sqlite3_column_int64(s, 3) : table;
}

/* Those that are assigned to the device by themselves, as far as their unit does not bring them. */
static enum ocop_status collect_assigned(struct feed *f, uint32_t table, struct candidates *all)
{
    uint64_t version;
    struct id after;
    start_of(f, table, &version, &after);
    for (size_t i = 0; i < f->anchor_count; i++) {
        const struct anchor *an = &f->anchors[i], *by_unit;
        struct id id = scope_record(an->id);
        struct candidate c;
        bool row;
        if (!scope_is_record(&an->id) || an->since > scope_limit(f))
            continue;
        sqlite3_stmt *s = feed_statement(f, ASK_ONE, table);
        if (!s)
            return feed_ask_failed(f);
        sqlite3_bind_blob(s, 1, id.b, ID_LEN, SQLITE_STATIC);
        enum ocop_status st = registry_row(f->r, s, "reading the feed", &row, f->err);
        if (st == OCOP_OK && row)
            candidate_read(s, table, &c);
        sqlite3_reset(s);
        if (st != OCOP_OK)
            return st;
        bool news = row && c.version <= f->last &&
                    (c.version > version || (c.version == version && id_cmp(&c.id, &after) > 0));
        by_unit = news ? feed_anchor(f, &c.anchor) : NULL;
        if (!news || (by_unit && by_unit->since <= scope_limit(f)))
            continue;
        c.anchor = an->id;
        if (!candidate_add(f, all, &c))
            return err_nomem(f->err);
    }
    return OCOP_OK;
}

/* The first PAGE_RECORDS_MAX + 1 of a table: no page looks at more records than one less. */
static enum ocop_status collect(struct feed *f, uint32_t table, struct candidates *all)
{
    bool few = f->anchor_count <= ANCHORS_FEW;
    sqlite3_stmt *s = feed_statement(f, few ? ASK_NEAR : ASK_WIDE, table);
    uint64_t version;
    struct id after;
    size_t taken = 0;
    int rc = SQLITE_DONE;
    if (!s)
        return feed_ask_failed(f);
    start_of(f, table, &version, &after);
    sqlite3_bind_blob(s, 1, f->replica->b, ID_LEN, SQLITE_STATIC);
    sqlite3_bind_int64(s, 2, (sqlite3_int64)scope_limit(f));
    sqlite3_bind_int64(s, 3, (sqlite3_int64)version);
    sqlite3_bind_blob(s, 4, after.b, ID_LEN, SQLITE_STATIC);
    sqlite3_bind_int64(s, 5, (sqlite3_int64)f->last);
    if (few)
        sqlite3_bind_int64(s, 6, PAGE_RECORDS_MAX + 1);
    bool room = true;
    while (room && taken <= PAGE_RECORDS_MAX && (rc = sqlite3_step(s)) == SQLITE_ROW) {
        struct candidate c;
        candidate_read(s, table, &c);
        const struct anchor *an = feed_anchor(f, &c.anchor);
        if (!an || an->since > scope_limit(f))
            continue;
        room = candidate_add(f, all, &c);
        taken++;
    }
    sqlite3_clear_bindings(s);
    sqlite3_reset(s);
    if (!room)
        return err_nomem(f->err);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? OCOP_OK
                                                 : db_error(f->r->db, f->err, "reading the feed");
}

/* Is anything in the table newer than the cursor? Keeps an idle exchange from asking anchor by
 * anchor. */
static enum ocop_status has_news(struct feed *f, uint32_t table, bool *out)
{
    sqlite3_stmt *s = feed_statement(f, ASK_LAST, table);
    bool row;
    *out = false;
    if (!s)
        return feed_ask_failed(f);
    enum ocop_status st = registry_row(f->r, s, "reading the feed", &row, f->err);
    if (st == OCOP_OK && row)
        *out = (uint64_t)sqlite3_column_int64(s, 0) > f->cur.version && f->last > f->cur.version;
    sqlite3_reset(s);
    return st;
}

static struct position position_of(const struct candidate *c)
{
    return (struct position){c->version, c->table, c->id};
}

/* The next page goes on behind this. */
static void end_behind(struct feed *f, const struct position *last)
{
    f->cur.version = last->version - 1;
    f->cur.after = true;
    f->cur.after_kind = last->table;
    f->cur.after_id = last->id;
}

static int candidate_cmp(const void *a, const void *b)
{
    const struct position x = position_of(a), y = position_of(b);
    return feed_position_cmp(&x, &y);
}

static enum ocop_status send_candidates(struct feed *f, const struct candidates *all)
{
    enum ocop_status st = OCOP_OK;
    struct position last = {0};
    for (size_t i = 0; st == OCOP_OK && i < all->count; i++) {
        const struct position at = position_of(&all->v[i]);
        if (feed_position_cmp(&at, &f->horizon) > 0)
            break;
        if (i > 0 &&
            (i == PAGE_RECORDS_MAX || feed_page_full(f))) { /* the page ends before this one */
            end_behind(f, &last);
            return OCOP_OK;
        }
        st = feed_send_new(f, &all->v[i]);
        last = at;
    }
    if (f->horizon.version != UINT64_MAX) {
        end_behind(f, &f->horizon);
        return st;
    }
    f->cur.version = f->now;
    f->cur.after = false;
    return st;
}

enum ocop_status feed_running(struct feed *f)
{
    struct candidates all = {NULL, 0};
    struct gone *gone = NULL;
    size_t gone_count = 0;
    bool news;
    if (f->cur.version >= f->now) {
        f->cur.after = false; /* there is no next version */
        return OCOP_OK;
    }
    enum ocop_status st = OCOP_OK;
    bool mine = true;
    for (f->last = f->now; st == OCOP_OK && f->last > f->cur.version; f->last--) {
        st = feed_own(f, f->last, &mine);
        if (!mine || !cache_plain(f->r, f->last))
            break;
    }
    if (st == OCOP_OK)
        st = feed_gone_load(f, &gone, &gone_count);
    for (uint32_t table = 1; st == OCOP_OK && table < FEED_TABLES; table++) {
        if (!feed_fed(f, table))
            continue;
        st = has_news(f, table, &news);
        if (st == OCOP_OK && news)
            st = collect(f, table, &all);
        if (st == OCOP_OK && news)
            st = collect_assigned(f, table, &all);
    }
    if (all.count)
        qsort(all.v, all.count, sizeof *all.v, candidate_cmp);
    if (st == OCOP_OK)
        st = send_candidates(f, &all);
    return st == OCOP_OK ? feed_gone_tell(f, gone, gone_count) : st;
}

bool feed_running_done(const struct feed *f)
{
    return !f->cur.after && f->cur.version >= f->now;
}
