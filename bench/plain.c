/* Rows read once and inserted again by one prepared statement. */
#include "plain.h"

#include <stdlib.h>
#include <string.h>

#include "measure.h"
#include "row.h"
#include "store.h"
#include "world.h"

static void exec(sqlite3 *db, const char *sql)
{
    MUST(db_exec(db, sql, &err));
}

sqlite3_stmt *plain_prepare(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *s = NULL;
    if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) != SQLITE_OK)
        (void)fprintf(stderr, "bench: %s: %s\n", sql, sqlite3_errmsg(db));
    MUST_BE(s != NULL);
    return s;
}

static void cell_read(sqlite3_stmt *s, int column, struct cell *c)
{
    c->type = sqlite3_column_type(s, column);
    c->i = sqlite3_column_int64(s, column);
    if (c->type == SQLITE_TEXT || c->type == SQLITE_BLOB) {
        const void *p = sqlite3_column_blob(s, column);
        c->len = sqlite3_column_bytes(s, column);
        c->p = malloc((size_t)c->len + 1);
        MUST_BE(c->p != NULL);
        if (c->len)
            memcpy(c->p, p, (size_t)c->len);
    }
}

static void cell_bind(sqlite3_stmt *s, int column, const struct cell *c)
{
    if (c->type == SQLITE_INTEGER)
        (void)sqlite3_bind_int64(s, column, c->i);
    else if (c->type == SQLITE_TEXT)
        (void)sqlite3_bind_text(s, column, c->p, c->len, SQLITE_STATIC);
    else if (c->type == SQLITE_BLOB)
        (void)sqlite3_bind_blob(s, column, c->p, c->len, SQLITE_STATIC);
    else
        (void)sqlite3_bind_null(s, column);
}

static void table_text(struct plain_table *t, struct rows *rows, sqlite3_stmt *s, size_t row,
                       struct arena *a)
{
    struct buf text;
    struct fields f;
    struct row_meta meta;
    struct id id;
    buf_init(&text, MIB(1));
    arena_reset(a);
    MUST(row_read(rows, t->kind, s, 0, a, &id, &f, &meta, &err));
    store_search_text(kind_by_number(t->kind), &f, &text);
    t->text[row] = (struct cell){SQLITE_TEXT, (int)text.len, 0, malloc(text.len + 1)};
    MUST_BE(t->text[row].p != NULL);
    memcpy(t->text[row].p, text.p, text.len);
    buf_fini(&text);
}

struct plain_table plain_read(const char *path, const char *name, bool search)
{
    return plain_read_after(path, name, search, 0);
}

struct plain_table plain_read_after(const char *path, const char *name, bool search, int64_t after)
{
    struct plain_table t = {.name = name, .kind = kind_by_name(name)->number};
    struct rows *rows;
    struct arena a;
    sqlite3 *db;
    char sql[2048];
    arena_init(&a, MIB(4));
    MUST(db_open(path, false, true, NULL, &db, &err));
    MUST(rows_open(db, &rows, &err));
    (void)snprintf(sql, sizeof sql, "SELECT count(*) FROM %s WHERE n > %lld", name,
                   (long long)after);
    sqlite3_stmt *s = plain_prepare(db, sql);
    MUST_BE(sqlite3_step(s) == SQLITE_ROW);
    size_t count = (size_t)sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    (void)snprintf(sql, sizeof sql, "SELECT %s FROM %s WHERE n > %lld ORDER BY n",
                   row_columns(rows, t.kind), name, (long long)after);
    s = plain_prepare(db, sql);
    t.columns = sqlite3_column_count(s);
    t.v = calloc(count * (size_t)t.columns + 1, sizeof *t.v);
    t.text = search ? calloc(count + 1, sizeof *t.text) : NULL;
    MUST_BE(t.v && (t.text || !search));
    for (; t.rows < count && sqlite3_step(s) == SQLITE_ROW; t.rows++) {
        for (int i = 0; i < t.columns; i++)
            cell_read(s, i, &t.v[t.rows * (size_t)t.columns + (size_t)i]);
        if (search)
            table_text(&t, rows, s, t.rows, &a);
    }
    sqlite3_finalize(s);
    rows_close(rows);
    (void)sqlite3_close(db);
    arena_fini(&a);
    return t;
}

void plain_free(struct plain_table *t)
{
    for (size_t i = 0; i < t->rows * (size_t)t->columns; i++)
        free(t->v[i].p);
    for (size_t i = 0; t->text && i < t->rows; i++)
        free(t->text[i].p);
    free(t->v);
    free(t->text);
}

double plain_insert(sqlite3 *db, const struct plain_table *t, size_t from, size_t to, size_t batch)
{
    char sql[512];
    size_t len = (size_t)snprintf(sql, sizeof sql, "INSERT INTO %s VALUES (?1", t->name);
    for (int i = 1; i < t->columns; i++)
        len += (size_t)snprintf(sql + len, sizeof sql - len, ",?%d", i + 1);
    (void)snprintf(sql + len, sizeof sql - len, ")");
    sqlite3_stmt *s = plain_prepare(db, sql);
    sqlite3_stmt *find =
        t->text ? plain_prepare(db, "INSERT INTO search (rowid, text) VALUES (?1, ?2)") : NULL;
    double start = measure_wall_s();
    for (size_t row = from; row < to; row++) {
        const struct cell *v = &t->v[row * (size_t)t->columns];
        if ((row - from) % batch == 0)
            exec(db, "BEGIN IMMEDIATE");
        for (int i = 0; i < t->columns; i++)
            cell_bind(s, i + 1, &v[i]);
        MUST_BE(sqlite3_step(s) == SQLITE_DONE);
        (void)sqlite3_reset(s);
        if (find) {
            (void)sqlite3_bind_int64(find, 1, v[0].i * 64 + t->kind);
            cell_bind(find, 2, &t->text[row]);
            MUST_BE(sqlite3_step(find) == SQLITE_DONE);
            (void)sqlite3_reset(find);
        }
        if ((row - from) % batch == batch - 1 || row + 1 == to)
            exec(db, "COMMIT");
    }
    double took = measure_wall_s() - start;
    sqlite3_finalize(s);
    sqlite3_finalize(find);
    return took;
}

/* What SQLite has for searching, as one would have it without libocop: words, no positions. */
static const char plain_search[] =
    "CREATE VIRTUAL TABLE search USING fts5("
    "text, content='', detail='none', columnsize=0, tokenize='ascii')";

sqlite3 *plain_open(const char *name, enum migrate_side side)
{
    sqlite3 *db;
    MUST(db_open(measure_path(name), true, false, NULL, &db, &err));
    MUST(migrate(db, side, NULL, &err));
    if (side == MIGRATE_STORE) {
        (void)sqlite3_close(db); /* to migrations, FTS5 is something else */
        MUST(db_open(measure_path(name), false, false, NULL, &db, &err));
        exec(db, plain_search);
    }
    return db;
}
