/* What the feed asks of the tables, and who the device is: its anchors, what it wrote itself. */
#include "feed_page.h"

void feed_close(struct registry *r)
{
    for (size_t i = 0; r->feed && i < QUESTION_COUNT * FEED_TABLES; i++)
        sqlite3_finalize(r->feed->v[i / FEED_TABLES][i % FEED_TABLES]);
    free(r->feed);
    r->feed = NULL;
}

/* @C stands for the columns of row.h, @T for the table, @K for the kind where a column tells it. */
static const char *const question_texts[QUESTION_COUNT] = {
    [ASK_LAST] = "SELECT max(version) FROM @T",
    [ASK_NEAR] = "SELECT t.version, t.id, t.anchor, @K FROM scope AS s CROSS JOIN @T AS t"
                 " WHERE s.replica = ?1 AND s.since <= ?2 AND t.anchor = s.anchor"
                 " AND (t.version, t.id) > (?3, ?4) AND t.version <= ?5"
                 " ORDER BY t.version, t.id LIMIT ?6",
    [ASK_WIDE] = "SELECT version, id, anchor, @K FROM @T AS t"
                 " WHERE (version, id) > (?3, ?4) AND version <= ?5 ORDER BY version, id",
    [ASK_ONE] = "SELECT version, id, anchor, @K FROM @T AS t WHERE id = ?1",
    [ASK_FILL_ONE] = "SELECT @C FROM @T WHERE id = ?1 AND (version, id) > (?2, ?3)",
    [ASK_FILL] = "SELECT @C FROM @T WHERE anchor = ?1 AND (version, id) > (?2, ?3)"
                 " ORDER BY version, id",
    [ASK_ANCHOR] = "SELECT anchor FROM @T WHERE id = ?1",
    [ASK_UNTOUCHED] = "SELECT 1 FROM @T WHERE id = ?1 AND born = version AND versions IS NULL"};

static void compose(struct buf *sql, struct rows *rows, const char *text, uint32_t table)
{
    for (; *text; text++) {
        if (*text != '@')
            buf_byte(sql, (uint8_t)*text);
        else if (*++text == 'C')
            buf_str(sql, row_columns(rows, table));
        else if (*text == 'T')
            buf_str(sql, row_table(table));
        else
            buf_str(sql, table == FEED_UNKNOWN ? "t.kind" : "0");
    }
}

/* The statement for a table, composed once. */
sqlite3_stmt *feed_statement(struct feed *f, enum question question, uint32_t table)
{
    sqlite3_stmt **s = &f->r->feed->v[question][table];
    struct buf sql;
    if (*s) {
        sqlite3_reset(*s);
        return *s;
    }
    buf_init(&sql, KIB(16));
    compose(&sql, f->r->rows, question_texts[question], table);
    if (sql.failed)
        err_nomem(f->err);
    else if (sqlite3_prepare_v3(f->r->db, buf_cstr(&sql), -1, SQLITE_PREPARE_PERSISTENT, s, NULL) !=
             SQLITE_OK)
        db_error(f->r->db, f->err, "preparing the feed");
    buf_fini(&sql);
    return *s;
}

enum ocop_status feed_ask_failed(struct feed *f)
{
    return f->err && f->err->status ? f->err->status : OCOP_EDB;
}

bool feed_fed(const struct feed *f, uint32_t table)
{
    const struct kind *k = kind_by_number(table);
    return (!k || !k->local_only) && rights_kind_readable(k, f->reading);
}

uint32_t feed_table_of(uint32_t kind)
{
    return kind_by_number(kind) ? kind : FEED_UNKNOWN;
}

const struct anchor *feed_anchor(const struct feed *f, const struct id *id)
{
    size_t lo = 0, hi = f->anchor_count;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int c = memcmp(f->anchors[mid].id.b, id->b, ID_LEN);
        if (c == 0)
            return &f->anchors[mid];
        if (c < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return NULL;
}

/* By which anchor does the device receive a record? NULL: by none. */
const struct anchor *feed_scope_find(const struct feed *f, const struct id *anchor,
                                     const struct id *record)
{
    struct id alone = scope_record(*record);
    const struct anchor *an = feed_anchor(f, anchor);
    return an || !scope_is_record(&alone) ? an : feed_anchor(f, &alone);
}

void feed_column_id(sqlite3_stmt *s, int column, struct id *out)
{
    memset(out, 0, sizeof *out);
    id_from(span_of(sqlite3_column_blob(s, column), (size_t)sqlite3_column_bytes(s, column)), out);
}

enum ocop_status feed_anchors_load(struct feed *f)
{
    int rc;
    sqlite3_stmt *s = registry_stmt(f->r, SQL_SCOPE_OF, f->err);
    if (!s)
        return OCOP_EDB;
    sqlite3_bind_blob(s, 1, f->replica->b, ID_LEN, SQLITE_STATIC);
    while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
        f->anchors = arena_more(f->a, f->anchors, f->anchor_count, sizeof *f->anchors);
        if (!f->anchors)
            break;
        struct anchor *an = &f->anchors[f->anchor_count++];
        feed_column_id(s, 0, &an->id);
        an->since = (uint64_t)sqlite3_column_int64(s, 1);
    }
    sqlite3_reset(s);
    if (rc == SQLITE_ROW)
        return err_nomem(f->err);
    return rc == SQLITE_DONE ? OCOP_OK : db_error(f->r->db, f->err, "reading a scope");
}

/* Was the set at this version made by the device itself? */
enum ocop_status feed_own(struct feed *f, uint64_t version, bool *out)
{
    struct id replica = {{0}};
    bool row;
    *out = f->own_answer;
    if (version == f->own_version)
        return OCOP_OK;
    sqlite3_stmt *s = registry_stmt(f->r, SQL_LOG_REPLICA, f->err);
    if (!s)
        return OCOP_EDB;
    sqlite3_bind_int64(s, 1, (sqlite3_int64)version);
    enum ocop_status st = registry_row(f->r, s, "reading who made a version", &row, f->err);
    if (st != OCOP_OK)
        return st;
    if (row)
        feed_column_id(s, 0, &replica);
    sqlite3_reset(s);
    f->own_version = version;
    *out = f->own_answer = id_eq(&replica, f->replica);
    return OCOP_OK;
}

/* Was this value of a record written by the device itself? What had waited was not, though its
 * version be that of the device's set, nor what follows from another record. */
enum ocop_status feed_own_value(struct feed *f, uint32_t kind, const struct id *record,
                                const struct field *v, bool *out)
{
    uint64_t version = v->base;
    *out = false;
    if (field_follows(kind, v->number))
        return OCOP_OK;
    if (f->late_any) {
        bool row;
        sqlite3_stmt *s = registry_stmt(f->r, SQL_LATE_GET, f->err);
        if (!s)
            return OCOP_EDB;
        sqlite3_bind_blob(s, 1, record->b, ID_LEN, SQLITE_STATIC);
        sqlite3_bind_int64(s, 2, v->number);
        sqlite3_bind_blob64(s, 3, v->key.len ? (const void *)v->key.p : "", v->key.len,
                            SQLITE_STATIC);
        sqlite3_bind_int64(s, 4, (sqlite3_int64)version);
        enum ocop_status st = registry_row(f->r, s, "reading an author", &row, f->err);
        if (st != OCOP_OK)
            return st;
        if (row)
            version = (uint64_t)sqlite3_column_int64(s, 0);
        sqlite3_reset(s);
    }
    return feed_own(f, version, out);
}

/* A question with one boolean column. */
enum ocop_status feed_ask_any(struct feed *f, int which, bool *out)
{
    bool row;
    sqlite3_stmt *s = registry_stmt(f->r, which, f->err);
    if (!s)
        return OCOP_EDB;
    enum ocop_status st = registry_row(f->r, s, "reading the feed", &row, f->err);
    *out = st == OCOP_OK && row && sqlite3_column_int(s, 0);
    sqlite3_reset(s);
    return st;
}
