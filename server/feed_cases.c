/* Cases by their records: which of them a page tells. */
#include "feed_page.h"

static bool pair_add(struct feed *f, struct pairs *p, const struct pair *pair)
{
    p->v = arena_more(f->a, p->v, p->count, sizeof *p->v);
    if (p->v)
        p->v[p->count++] = *pair;
    return p->v != NULL;
}

static int pair_cmp(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct pair));
}

/* Cases by their records; the other record of a collision is one of them. */
static enum ocop_status pairs_load(struct feed *f, int which, struct pairs *out)
{
    int rc = SQLITE_DONE;
    sqlite3_stmt *s = registry_stmt(f->r, which, f->err);
    if (!s)
        return OCOP_EDB;
    if (sqlite3_bind_parameter_count(s))
        sqlite3_bind_int64(s, 1, (sqlite3_int64)f->from_version);
    bool room = true;
    while (room && (rc = sqlite3_step(s)) == SQLITE_ROW) {
        struct pair pair;
        feed_column_id(s, 0, &pair.id);
        for (int column = 1; room && column < 3; column++) {
            feed_column_id(s, column, &pair.record);
            room = id_is_zero(&pair.record) || pair_add(f, out, &pair);
        }
    }
    sqlite3_reset(s);
    if (!room)
        return err_nomem(f->err);
    if (rc != SQLITE_DONE)
        return db_error(f->r->db, f->err, "reading cases");
    if (out->count)
        qsort(out->v, out->count, sizeof *out->v, pair_cmp);
    out->loaded = true;
    return OCOP_OK;
}

/* Cases of one record, once each when they are sorted. */
struct case_ids {
    struct id *v;
    size_t count;
};

static enum ocop_status case_id_add(struct feed *f, struct case_ids *ids, const void *id)
{
    ids->v = arena_more(f->a, ids->v, ids->count, sizeof *ids->v);
    if (!ids->v)
        return err_nomem(f->err);
    memcpy(ids->v[ids->count++].b, id, ID_LEN);
    return OCOP_OK;
}

static enum ocop_status pairs_find(struct feed *f, const struct pairs *p, const struct id *record,
                                   struct case_ids *ids)
{
    enum ocop_status st = OCOP_OK;
    size_t lo = 0, hi = p->count;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (memcmp(p->v[mid].record.b, record->b, ID_LEN) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    for (; st == OCOP_OK && lo < p->count && id_eq(&p->v[lo].record, record); lo++)
        st = case_id_add(f, ids, p->v[lo].id.b);
    return st;
}

/* The open cases of a record that is sent as a whole. */
static enum ocop_status open_cases(struct feed *f, const struct id *record, struct case_ids *ids)
{
    enum ocop_status st = OCOP_OK;
    bool row;
    if (!f->colliding.loaded) {
        st = feed_ask_any(f, SQL_CASES_ANY_OPEN, &f->any_open);
        if (st == OCOP_OK)
            st = pairs_load(f, SQL_CASES_COLLIDING, &f->colliding);
    }
    if (st != OCOP_OK || !f->any_open)
        return st;
    st = pairs_find(f, &f->colliding, record, ids);
    sqlite3_stmt *s = st == OCOP_OK ? registry_stmt(f->r, SQL_CASES_OPEN_ABOUT, f->err) : NULL;
    if (!s)
        return st == OCOP_OK ? OCOP_EDB : st;
    sqlite3_bind_blob(s, 1, record->b, ID_LEN, SQLITE_STATIC);
    do {
        st = registry_row(f->r, s, "reading open cases", &row, f->err);
        if (st == OCOP_OK && row)
            st = case_id_add(f, ids, sqlite3_column_blob(s, 0));
    } while (st == OCOP_OK && row);
    sqlite3_reset(s);
    return st;
}

/* Notes of these, once each. */
static enum ocop_status cases_tell(struct feed *f, struct case_ids *ids)
{
    size_t room = CASE_VALUES_MAX, kept = 0;
    ProtobufCBinaryData *v = arena_alloc(f->a, (ids->count + 1) * sizeof *v);
    if (!v)
        return err_nomem(f->err);
    if (ids->count)
        qsort(ids->v, ids->count, sizeof *ids->v, id_cmp);
    for (size_t i = 0; i < ids->count && kept < REPLY_CASES_MAX; i++)
        if (i == 0 || !id_eq(&ids->v[i], &ids->v[i - 1]))
            v[kept++] = (ProtobufCBinaryData){ID_LEN, ids->v[i].b};
    f->bytes += kept * NOTE_COST;
    enum ocop_status st = feed_case_notes(f->r, v, kept, f->reading, f->a, f->reply, &room, f->err);
    f->bytes += CASE_VALUES_MAX - room;
    return st;
}

/* `news`: those opened or closed since the device's version. `whole`: those that are open. */
enum ocop_status feed_record_cases(struct feed *f, const struct id *record, bool news, bool whole)
{
    struct case_ids ids = {.count = 0};
    enum ocop_status st = OCOP_OK;
    if (news && !f->news.loaded)
        st = pairs_load(f, SQL_CASES_NEWS, &f->news);
    if (st == OCOP_OK && news)
        st = pairs_find(f, &f->news, record, &ids);
    if (st == OCOP_OK && whole)
        st = open_cases(f, record, &ids);
    return st == OCOP_OK && ids.count ? cases_tell(f, &ids) : st;
}
