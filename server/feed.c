/* One page of what a device has not seen: first what is new in the scope it holds (the running
 * part, in the order of versions), then what entered its scope (the fill, anchor by anchor). By
 * state, not by history. Keeps nothing between pages: the cursor says it all. Knows neither
 * sockets nor what the device has pushed, but for which versions are its own. */
#include "feed.h"

#include <stdio.h>
#include <stdlib.h>

#include "bounds.h"
#include "cache.h"
#include "columns.h"
#include "registry_stmts.h"
#include "rights.h"

/* A page is counted before compression, which makes it several times smaller; even where it does
 * not, page and departures must fit a reply. */
enum {
    FEED_UNKNOWN = KIND_COUNT_PLUS_1, /* the table of unknown kinds; comes last */
    FEED_TABLES = FEED_UNKNOWN + 1,
    ANCHORS_FEW = 200, /* more are asked for by version, not one by one */
    SHRINKS_TO = 4,    /* bytes here for each byte of a reply */
    ROW_COST = 24,
    DEPARTURES_MAX = 4000, /* of records, in one page, if not all of one version */
    NOTE_COST = 64,
    STUB_SLOTS = 1 << 13,
    UNKNOWN_KIND_COLUMN = 7 /* behind the columns that all tables have */
};
#define PAGE_WEIGHT_MIN KIB(1)
#define PAGE_WEIGHT_MAX KIB(384)
#define PAGE_ARENA_MAX MIB(24)
#define PAGE_CELLS_MAX 1200000 /* counted from above; one record may add many */
#define CELL_COST 12           /* bytes of the arena that one leaves to the records */
#define CASE_VALUES_MAX                                                                            \
    KIB(128) /* in the notes of one record; what finds no room is told without */

_Static_assert(PAGE_WEIGHT_MAX + RECORD_BYTES_MAX + DEPARTURES_MAX * 24 < REPLY_BYTES_MAX,
               "a page that does not compress fits a reply");

enum question {
    ASK_LAST,
    ASK_NEAR,
    ASK_WIDE,
    ASK_ONE,
    ASK_FILL,
    ASK_FILL_ONE,
    ASK_ANCHOR,
    ASK_UNTOUCHED,
    QUESTION_COUNT
};

struct feed_stmts {
    sqlite3_stmt *v[QUESTION_COUNT][FEED_TABLES];
};

struct anchor {
    struct id id;
    uint64_t since;
};

/* A record that may have to be sent. */
struct candidate {
    uint64_t version;
    uint32_t table, kind;
    struct id id, anchor;
};

/* A record and a case of it. */
struct pair {
    struct id record, id;
};
struct pairs {
    struct pair *v;
    size_t count, room;
    bool loaded;
};

struct gone {
    uint64_t version;
    uint32_t kind;
    struct id id;
};

/* What the records of one kind in the page have in common. */
struct shape {
    uint64_t known;       /* columns, by number */
    size_t unknown, rows; /* unknown columns are counted again for each record */
};

struct feed {
    struct registry *r;
    const struct id *replica;
    unsigned reading; /* enum reading: what its officer may see */
    struct arena *a;
    struct ocop_error *err;
    Ocop__Sync__SyncReply *reply;
    struct {
        uint64_t version, scope, fill, fill_version;
        uint32_t after_kind, fill_kind;
        struct id after_id, fill_unit, fill_id;
        bool after;
    } cur;
    /* What the device holds is as of this version: the cursor's when its present run of pages
     * began. A record is sent at its last change, so a change before it may lie on an earlier
     * page than the record. */
    uint64_t from_version;
    uint64_t now;     /* end of the log */
    uint64_t last;    /* what follows was made by the device, and nobody touched it */
    uint64_t horizon; /* departures are known up to here */
    struct anchor *anchors;
    size_t anchor_count;
    struct change *changes;
    uint64_t *versions;
    size_t count, bytes, bytes_max, used_before;
    struct shape shapes[FEED_TABLES];
    size_t cells; /* of all columns, as columns.c will have them, or more */
    struct pairs news, colliding;
    bool any_open, late_any;
    const struct id **stubs; /* STUB_SLOTS: references looked at in this page */
    size_t stub_count;
    uint64_t own_version; /* cache of the last answer of `own` */
    bool own_answer;
};

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
static sqlite3_stmt *statement(struct feed *f, enum question question, uint32_t table)
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

static enum ocop_status ask_failed(struct feed *f)
{
    return f->err && f->err->status ? f->err->status : OCOP_EDB;
}

static bool fed(const struct feed *f, uint32_t table)
{
    const struct kind *k = kind_by_number(table);
    return (!k || !k->local_only) && rights_kind_readable(k, f->reading);
}

static uint32_t table_of(uint32_t kind)
{
    return kind_by_number(kind) ? kind : FEED_UNKNOWN;
}

static const struct anchor *anchor_find(const struct feed *f, const struct id *id)
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
static const struct anchor *scope_find(const struct feed *f, const struct id *anchor,
                                       const struct id *record)
{
    struct id alone = scope_record(*record);
    const struct anchor *an = anchor_find(f, anchor);
    return an || !scope_is_record(&alone) ? an : anchor_find(f, &alone);
}

static void column_id(sqlite3_stmt *s, int column, struct id *out)
{
    memset(out, 0, sizeof *out);
    id_from(span_of(sqlite3_column_blob(s, column), (size_t)sqlite3_column_bytes(s, column)), out);
}

static enum ocop_status anchors_load(struct feed *f)
{
    size_t room = 0;
    int rc;
    sqlite3_stmt *s = registry_stmt(f->r, SQL_SCOPE_OF, f->err);
    if (!s)
        return OCOP_EDB;
    sqlite3_bind_blob(s, 1, f->replica->b, ID_LEN, SQLITE_STATIC);
    while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
        if (f->anchor_count == room) {
            struct anchor *more = arena_calloc(f->a, room * 2 + 64, sizeof *more);
            if (!more)
                break;
            if (room)
                memcpy(more, f->anchors, room * sizeof *more);
            f->anchors = more;
            room = room * 2 + 64;
        }
        struct anchor *an = &f->anchors[f->anchor_count++];
        column_id(s, 0, &an->id);
        an->since = (uint64_t)sqlite3_column_int64(s, 1);
    }
    sqlite3_reset(s);
    if (rc == SQLITE_ROW)
        return err_nomem(f->err);
    return rc == SQLITE_DONE ? OCOP_OK : db_error(f->r->db, f->err, "reading a scope");
}

/* Was the set at this version made by the device itself? */
static enum ocop_status own(struct feed *f, uint64_t version, bool *out)
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
        column_id(s, 0, &replica);
    sqlite3_reset(s);
    f->own_version = version;
    *out = f->own_answer = id_eq(&replica, f->replica);
    return OCOP_OK;
}

/* Was this value of a record written by the device itself? What had waited was not, though its
 * version be that of the device's set. */
static enum ocop_status own_value(struct feed *f, const struct id *record, const struct field *v,
                                  bool *out)
{
    uint64_t version = v->base;
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
    return own(f, version, out);
}

/* A question with one boolean column. */
static enum ocop_status ask_any(struct feed *f, int which, bool *out)
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

/* --- cases ---------------------------------------------------------------------------------------
 */

static bool pair_add(struct feed *f, struct pairs *p, const struct pair *pair)
{
    if (p->count == p->room) {
        struct pair *more = arena_alloc(f->a, (p->room * 2 + 64) * sizeof *more);
        if (!more)
            return false;
        if (p->count)
            memcpy(more, p->v, p->count * sizeof *more);
        p->v = more;
        p->room = p->room * 2 + 64;
    }
    p->v[p->count++] = *pair;
    return true;
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
        column_id(s, 0, &pair.id);
        for (int column = 1; room && column < 3; column++) {
            column_id(s, column, &pair.record);
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
    size_t count, room;
};

static enum ocop_status case_id_add(struct feed *f, struct case_ids *ids, const void *id)
{
    if (ids->count == ids->room) {
        struct id *more = arena_alloc(f->a, (ids->room * 2 + 16) * sizeof *more);
        if (!more)
            return err_nomem(f->err);
        if (ids->count)
            memcpy(more, ids->v, ids->count * sizeof *more);
        ids->v = more;
        ids->room = ids->room * 2 + 16;
    }
    memcpy(ids->v[ids->count++].b, id, ID_LEN);
    return OCOP_OK;
}

static int id_cmp(const void *a, const void *b)
{
    return memcmp(a, b, ID_LEN);
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
        st = ask_any(f, SQL_CASES_ANY_OPEN, &f->any_open);
        if (st == OCOP_OK)
            st = pairs_load(f, SQL_CASES_COLLIDING, &f->colliding);
    }
    if (st != OCOP_OK || !f->any_open)
        return st;
    st = pairs_find(f, &f->colliding, record, ids);
    sqlite3_stmt *s = st == OCOP_OK ? registry_stmt(f->r, SQL_CASES_OPEN_OF, f->err) : NULL;
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
static enum ocop_status record_cases(struct feed *f, const struct id *record, bool news, bool whole)
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
    struct shape *s = &f->shapes[table_of(kind)];
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

static bool page_full(const struct feed *f)
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
static void whole_state(struct fields *record)
{
    size_t kept = 0;
    for (size_t i = 0; i < record->count; i++)
        if (record->v[i].op == FIELD_SET)
            keep(record, &kept, i);
    record->count = kept;
}

/* Without what the officer may not read. */
static void readable(const struct feed *f, uint32_t kind, struct fields *record)
{
    const struct kind *k = kind_by_number(kind);
    size_t kept = 0;
    for (size_t i = 0; i < record->count; i++)
        if (rights_field_readable(k, record->v[i].number, f->reading))
            record->v[kept++] = record->v[i];
    record->count = kept;
}

/* What others changed since the device's version. */
static enum ocop_status delta(struct feed *f, const struct id *id, struct fields *record)
{
    size_t kept = 0;
    enum ocop_status st = OCOP_OK;
    for (size_t i = 0; st == OCOP_OK && i < record->count; i++) {
        bool known = record->v[i].base <= f->from_version;
        if (!known)
            st = own_value(f, id, &record->v[i], &known);
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
static enum ocop_status anchor_of(struct feed *f, uint32_t kind, const struct id *id, bool *found,
                                  struct id *out)
{
    sqlite3_stmt *s = statement(f, ASK_ANCHOR, table_of(kind));
    if (!s)
        return ask_failed(f);
    sqlite3_bind_blob(s, 1, id->b, ID_LEN, SQLITE_STATIC);
    int rc = sqlite3_step(s);
    *found = rc == SQLITE_ROW;
    if (*found)
        column_id(s, 0, out);
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
    readable(f, kind, &record);
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
            !fed(f, target->number) || v->bytes.len != ID_LEN ||
            f->count >= PAGE_RECORDS_MAX + PAGE_RECORDS_MAX / 2)
            continue;
        struct id *id = (struct id *)arena_dup(f->a, v->bytes.p, ID_LEN), anchor;
        bool found = false;
        if (!id)
            return err_nomem(f->err);
        if (stub_seen(f, id))
            continue;
        st = anchor_of(f, target->number, id, &found, &anchor);
        if (st == OCOP_OK && found && !scope_find(f, &anchor, id))
            st = stub_put(f, target->number, id);
    }
    return st;
}

static enum ocop_status emit(struct feed *f, uint32_t kind, const struct id *id, enum verb verb,
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
    const struct anchor *an = anchor_find(f, &c->anchor);
    const struct field *unit = fields_find(record, FIELD_UNIT, span_of(NULL, 0));
    enum ocop_status st = OCOP_OK;
    *out = an && an->since <= f->cur.scope && c->kind != KIND_UNIT;
    if (*out && meta->born > f->from_version)
        st = own(f, meta->born, out);
    if (st == OCOP_OK && *out && unit && unit->base > f->from_version)
        st = own_value(f, &c->id, unit, out);
    return st;
}

/* Did the device itself make the record with this version, and has nobody touched it since? Then
 * there is nothing to tell of it, and no need to read it. Its cases came with their outcomes, but
 * for those of changes that had waited. */
static enum ocop_status untouched(struct feed *f, const struct candidate *c, bool *out)
{
    bool late = false;
    enum ocop_status st = own(f, c->version, out);
    if (st != OCOP_OK || !*out || cache_plain(f->r, c->version))
        return st;
    sqlite3_stmt *s = statement(f, ASK_UNTOUCHED, table_of(c->kind));
    if (!s)
        return ask_failed(f);
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

static enum ocop_status send_new(struct feed *f, const struct candidate *c)
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
        readable(f, c->kind, &record);
    if (st == OCOP_OK)
        st = record_cases(f, &c->id, true, !held);
    if (st == OCOP_OK && held)
        st = delta(f, &c->id, &record);
    if (st != OCOP_OK)
        return st;
    if (!held)
        whole_state(&record);
    if (held && record.count == 0)
        return OCOP_OK; /* the notes of its cases say all there is to say */
    return emit(f, c->kind, &c->id, held ? VERB_DELTA : VERB_STATE, &record, meta.version);
}

/* --- departures of records -----------------------------------------------------------------------
 */

static enum ocop_status departure_add(struct feed *f, uint32_t kind, const struct id *id, bool unit)
{
    Ocop__Sync__SyncReply *reply = f->reply;
    Ocop__Sync__Departure **v = feed_grown(f->a, reply->departures, reply->n_departures, 1);
    Ocop__Sync__Departure *d = arena_alloc(f->a, sizeof *d);
    if (!v || !d)
        return err_nomem(f->err);
    ocop__sync__departure__init(d);
    d->has_kind = d->has_id = !unit;
    d->has_unit = unit;
    d->kind = kind;
    *(unit ? &d->unit : &d->id) = feed_blob(f->a, id->b, ID_LEN);
    v[reply->n_departures++] = d;
    reply->departures = v;
    return OCOP_OK;
}

/* Records that moved out of an anchor of this device, in the order of versions. Sets the horizon
 * behind the last version that is taken in as a whole. */
static enum ocop_status gone_load(struct feed *f, struct gone **out, size_t *count)
{
    size_t room = 0;
    int rc = SQLITE_DONE;
    *out = NULL;
    *count = 0;
    f->horizon = f->now;
    sqlite3_stmt *s = registry_stmt(f->r, SQL_DEPARTURES, f->err);
    if (!s)
        return OCOP_EDB;
    sqlite3_bind_blob(s, 1, f->replica->b, ID_LEN, SQLITE_STATIC);
    sqlite3_bind_int64(s, 2, (sqlite3_int64)f->cur.version);
    enum ocop_status st = OCOP_OK;
    while (st == OCOP_OK && (rc = sqlite3_step(s)) == SQLITE_ROW) {
        struct gone g = {
            (uint64_t)sqlite3_column_int64(s, 0), (uint32_t)sqlite3_column_int64(s, 1), {{0}}};
        column_id(s, 2, &g.id);
        if (*count >= DEPARTURES_MAX && g.version != (*out)[*count - 1].version) {
            f->horizon = g.version - 1;
            break;
        }
        if (*count == room) {
            struct gone *more = arena_alloc(f->a, (room * 2 + 64) * sizeof *more);
            if (more && room)
                memcpy(more, *out, room * sizeof *more);
            *out = more;
            room = room * 2 + 64;
        }
        if (*out)
            (*out)[(*count)++] = g;
        else
            st = err_nomem(f->err);
    }
    sqlite3_reset(s);
    return st == OCOP_OK && rc != SQLITE_ROW && rc != SQLITE_DONE
               ? db_error(f->r->db, f->err, "reading departures")
               : st;
}

/* Tell those that the page has come past, unless the record is in the scope by another way. */
static enum ocop_status gone_tell(struct feed *f, const struct gone *gone, size_t count)
{
    enum ocop_status st = OCOP_OK;
    for (size_t i = 0; st == OCOP_OK && i < count && gone[i].version <= f->cur.version; i++) {
        struct id anchor;
        bool found = false;
        st = anchor_of(f, gone[i].kind, &gone[i].id, &found, &anchor);
        if (st == OCOP_OK && found && !scope_find(f, &anchor, &gone[i].id))
            st = departure_add(f, gone[i].kind, &gone[i].id, false);
    }
    return st;
}

/* --- the running part ----------------------------------------------------------------------------
 */

struct candidates {
    struct candidate *v;
    size_t count, room;
};

static bool candidate_add(struct feed *f, struct candidates *all, const struct candidate *c)
{
    if (all->count == all->room) {
        struct candidate *more = arena_alloc(f->a, (all->room * 2 + 256) * sizeof *more);
        if (!more)
            return false;
        if (all->count)
            memcpy(more, all->v, all->count * sizeof *more);
        all->v = more;
        all->room = all->room * 2 + 256;
    }
    all->v[all->count++] = *c;
    return true;
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
    column_id(s, 1, &c->id);
    column_id(s, 2, &c->anchor);
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
        sqlite3_stmt *s = statement(f, ASK_ONE, table);
        if (!s)
            return ask_failed(f);
        sqlite3_bind_blob(s, 1, id.b, ID_LEN, SQLITE_STATIC);
        enum ocop_status st = registry_row(f->r, s, "reading the feed", &row, f->err);
        if (st == OCOP_OK && row)
            candidate_read(s, table, &c);
        sqlite3_reset(s);
        if (st != OCOP_OK)
            return st;
        bool news = row && c.version <= f->last &&
                    (c.version > version || (c.version == version && id_cmp(&c.id, &after) > 0));
        by_unit = news ? anchor_find(f, &c.anchor) : NULL;
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
    sqlite3_stmt *s = statement(f, few ? ASK_NEAR : ASK_WIDE, table);
    uint64_t version;
    struct id after;
    size_t taken = 0;
    int rc = SQLITE_DONE;
    if (!s)
        return ask_failed(f);
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
        const struct anchor *an = anchor_find(f, &c.anchor);
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
    sqlite3_stmt *s = statement(f, ASK_LAST, table);
    bool row;
    *out = false;
    if (!s)
        return ask_failed(f);
    enum ocop_status st = registry_row(f->r, s, "reading the feed", &row, f->err);
    if (st == OCOP_OK && row)
        *out = (uint64_t)sqlite3_column_int64(s, 0) > f->cur.version && f->last > f->cur.version;
    sqlite3_reset(s);
    return st;
}

static int candidate_cmp(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;
    if (x->version != y->version)
        return x->version < y->version ? -1 : 1;
    if (x->table != y->table)
        return x->table < y->table ? -1 : 1;
    return memcmp(x->id.b, y->id.b, ID_LEN);
}

static enum ocop_status send_candidates(struct feed *f, const struct candidates *all)
{
    enum ocop_status st = OCOP_OK;
    for (size_t i = 0; st == OCOP_OK && i < all->count; i++) {
        if (all->v[i].version > f->horizon)
            break;
        if (i > 0 && (i == PAGE_RECORDS_MAX || page_full(f))) { /* the page ends before this one */
            const struct candidate *last = &all->v[i - 1];
            f->cur.version = last->version - 1;
            f->cur.after = true;
            f->cur.after_kind = last->table;
            f->cur.after_id = last->id;
            return OCOP_OK;
        }
        st = send_new(f, &all->v[i]);
    }
    f->cur.version = f->horizon;
    f->cur.after = false;
    return st;
}

static enum ocop_status running(struct feed *f)
{
    struct candidates all = {NULL, 0, 0};
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
        st = own(f, f->last, &mine);
        if (!mine || !cache_plain(f->r, f->last))
            break;
    }
    if (st == OCOP_OK)
        st = gone_load(f, &gone, &gone_count);
    for (uint32_t table = 1; st == OCOP_OK && table < FEED_TABLES; table++) {
        if (!fed(f, table))
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
    return st == OCOP_OK ? gone_tell(f, gone, gone_count) : st;
}

static bool running_done(const struct feed *f)
{
    return !f->cur.after && f->cur.version >= f->now;
}

/* --- scope changes -------------------------------------------------------------------------------
 */

/* The units of a province that no unit of the scope lies in any more. */
static enum ocop_status province_left(struct feed *f, const struct id *mark)
{
    enum ocop_status st = OCOP_OK;
    sqlite3_stmt *s = registry_stmt(f->r, SQL_UNITS_AT, f->err);
    if (!s)
        return OCOP_EDB;
    sqlite3_bind_blob(s, 1, mark->b, ID_LEN, SQLITE_STATIC);
    sqlite3_bind_blob(s, 2, f->replica->b, ID_LEN, SQLITE_STATIC);
    sqlite3_bind_int64(s, 3, (sqlite3_int64)f->cur.scope);
    bool row;
    while ((st = registry_row(f->r, s, "reading units", &row, f->err)) == OCOP_OK && row) {
        struct id unit;
        column_id(s, 0, &unit);
        st = departure_add(f, KIND_UNIT, &unit, false);
        if (st != OCOP_OK)
            break;
    }
    sqlite3_reset(s);
    return st;
}

/* A record that was assigned by itself, unless its unit brings it. */
static enum ocop_status record_left(struct feed *f, const struct id *alone)
{
    struct id id = scope_record(*alone), anchor;
    enum ocop_status st = OCOP_OK;
    bool found = false;
    for (uint32_t kind = 1; st == OCOP_OK && !found && kind < KIND_COUNT_PLUS_1; kind++) {
        st = anchor_of(f, kind, &id, &found, &anchor);
        if (st == OCOP_OK && found && !anchor_find(f, &anchor))
            st = departure_add(f, kind, &id, false);
    }
    return st;
}

static enum ocop_status anchor_left(struct feed *f, const struct id *anchor)
{
    if (scope_is_mark(anchor))
        return province_left(f, anchor);
    return scope_is_record(anchor) ? record_left(f, anchor) : departure_add(f, 0, anchor, true);
}

static enum ocop_status units_left(struct feed *f)
{
    enum ocop_status st = OCOP_OK;
    sqlite3_stmt *s = registry_stmt(f->r, SQL_SCOPE_LEFT_SINCE, f->err);
    if (!s)
        return OCOP_EDB;
    sqlite3_bind_blob(s, 1, f->replica->b, ID_LEN, SQLITE_STATIC);
    sqlite3_bind_int64(s, 2, (sqlite3_int64)f->cur.scope);
    bool row;
    while ((st = registry_row(f->r, s, "reading a scope", &row, f->err)) == OCOP_OK && row) {
        struct id anchor;
        column_id(s, 0, &anchor);
        st = anchor_left(f, &anchor);
        if (st != OCOP_OK)
            break;
    }
    sqlite3_reset(s);
    return st;
}

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
        st = record_cases(f, &id, false, true);
    if (st != OCOP_OK)
        return st;
    readable(f, kind, &record);
    whole_state(&record);
    f->cur.fill_version = meta.version;
    f->cur.fill_id = id;
    return emit(f, kind, &id, VERB_STATE, &record, meta.version);
}

/* The records of one kind under one anchor, after the fill's position. */
static enum ocop_status fill_table(struct feed *f, const struct anchor *an, uint32_t table,
                                   bool *done)
{
    bool alone = scope_is_record(&an->id);
    struct id from = alone ? scope_record(an->id) : an->id;
    sqlite3_stmt *s = statement(f, alone ? ASK_FILL_ONE : ASK_FILL, table);
    enum ocop_status st = OCOP_OK;
    int rc = SQLITE_DONE;
    *done = false;
    if (!s)
        return ask_failed(f);
    sqlite3_bind_blob(s, 1, from.b, ID_LEN, SQLITE_TRANSIENT);
    sqlite3_bind_int64(s, 2, (sqlite3_int64)f->cur.fill_version);
    sqlite3_bind_blob(s, 3, f->cur.fill_id.b, ID_LEN, SQLITE_TRANSIENT);
    while (st == OCOP_OK && !page_full(f) && (rc = sqlite3_step(s)) == SQLITE_ROW)
        st = fill_record(f, s, table);
    *done = rc == SQLITE_DONE && !page_full(f);
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
        if (fed(f, f->cur.fill_kind))
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
        st = units_left(f);
        f->cur.fill = f->now;
    }
    for (size_t i = 0; st == OCOP_OK && i < f->anchor_count; i++) {
        const struct anchor *an = &f->anchors[i];
        bool behind = memcmp(an->id.b, f->cur.fill_unit.b, ID_LEN) < 0;
        if (an->since <= f->cur.scope || an->since > f->cur.fill || behind)
            continue;
        st = fill_anchor(f, an);
        if (page_full(f))
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
    c->has_from_version = !running_done(f);
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
    f->reply->more = !running_done(f) || f->cur.fill || f->cur.scope < f->now;
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
    st = ask_any(f, SQL_LATE_ANY, &f->late_any);
    return st == OCOP_OK ? anchors_load(f) : st;
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
        st = running(&f);
    while (st == OCOP_OK && running_done(&f) && !page_full(&f) &&
           (f.cur.fill || f.cur.scope < f.now))
        st = fill(&f);
    if (st == OCOP_OK)
        st = page_write(&f);
    return st == OCOP_OK ? cursor_write(&f) : st;
}
