/* One flipped bit, in any column of any table and anywhere in the file: verify and check find it
 * and say where. The registry and the store that are flipped have a row in every table. */
#include "test.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bounds.h"
#include "fixed_env.h"
#include "query.h"
#include "replay.h"
#include "row.h"
#include "store.h"
#include "world.h"

enum { TEXT_BYTES = 8000, MANY = 300 };

/* --- a row in every table ----------------------------------------------------------------------
 */

static void import(struct world *w, uint32_t kind, enum verb verb, const struct id *record,
                   struct field *v, size_t count)
{
    struct change c = {.kind = kind,
                       .verb = (uint8_t)verb,
                       .record = *record,
                       .fields = {v, count},
                       .reason = span_str("sửa")};
    world_import(w, &c, 1);
}

static struct field bytes(uint32_t number, struct span s)
{
    return (struct field){.number = number, .op = FIELD_SET, .type = VALUE_BYTES, .bytes = s};
}

/* A record of each kind that neither the registry makes for itself nor a device; returns one of a
 * producer. */
static struct id create_some(struct world *w)
{
    static const uint8_t hash[FILE_HASH_LEN] = {1};
    const struct field here = bytes(FIELD_UNIT, id_span(&w->commune));
    const struct field of = bytes(11, id_span(&w->product)), by = bytes(10, id_span(&w->producer));
    const struct field day = bytes(13, span_str("2025-07-01"));
    const struct field stars = {.number = 13, .op = FIELD_SET, .type = VALUE_INT, .i = 4};
    struct field certificate[] = {here,
                                  bytes(10, span_str("01/QĐ")),
                                  of,
                                  stars,
                                  bytes(14, span_str("QĐ 1")),
                                  bytes(15, span_str("2025-07-01")),
                                  bytes(17, span_str("2025-07-01")),
                                  bytes(18, span_str("2028-07-01"))};
    struct field checklist[] = {bytes(10, span_str("KT-1")), bytes(11, span_str("Kiểm tra")),
                                bytes(12, span_str("inspection")), day};
    struct field producer[] = {here, bytes(10, span_str("HTX Một")),
                               bytes(11, span_str("cooperative"))};
    struct field check[] = {here, by, bytes(11, span_str("planned")),
                            bytes(14, span_str("2025-07-01")), bytes(36, span_str("pass"))};
    struct field taken = {.number = 14, .op = FIELD_SET, .type = VALUE_INT, .i = 1751328000000};
    struct field sample[] = {
        here, by, of, taken, bytes(23, span_str("1.5")), bytes(24, span_str("kg"))};
    struct field size = {.number = 17, .op = FIELD_SET, .type = VALUE_INT, .i = 4096};
    struct field photo[] = {here,
                            bytes(10, id_span(&w->producer)),
                            bytes(11, span_str("photo")),
                            bytes(16, span_str("image/jpeg")),
                            size,
                            bytes(18, span_of(hash, sizeof hash))};
    struct field unknown[] = {here, bytes(12, span_str("later"))};
    const struct {
        uint32_t kind;
        struct field *v;
        size_t count;
    } records[] = {
        {KIND_CERTIFICATE, certificate, 8},   {KIND_CHECKLIST, checklist, 4},
        {KIND_ENVIRONMENTAL_CHECK, check, 5}, {KIND_SAMPLE, sample, 6},
        {KIND_ATTACHMENT, photo, 6},          {77, unknown, 2},
        {KIND_PRODUCER, producer, 3},
    };
    struct id id = {{0}};
    for (size_t i = 0; i < sizeof records / sizeof *records; i++) {
        id = id_next(&w->registry->ids, w->registry->env);
        import(w, records[i].kind, VERB_CREATE, &id, records[i].v, records[i].count);
    }
    return id;
}

/* A record of every kind; one that changes; one that moves away; one that refers to nowhere; a
 * change of one that is nowhere. */
static void fill_registry(struct world *w)
{
    const struct id nowhere = {{1, 2, 3}};
    struct id moved = w->producer, departs = create_some(w);
    struct field name = bytes(10, span_str("HTX khác"));
    import(w, KIND_PRODUCER, VERB_AMEND, &moved, &name, 1); /* it has seen nothing: a case */
    name.base = (uint64_t)world_count(w, "SELECT max(version) FROM log");
    import(w, KIND_PRODUCER, VERB_AMEND, &moved, &name, 1);
    struct field gone = bytes(FIELD_UNIT, id_span(&w->other_commune));
    gone.base = name.base;
    import(w, KIND_PRODUCER, VERB_AMEND, &departs, &gone, 1);
    struct field dangling[] = {bytes(FIELD_UNIT, id_span(&w->commune)), bytes(10, span_str("Trà")),
                               bytes(11, id_span(&nowhere))};
    struct id product = id_next(&w->registry->ids, w->registry->env);
    import(w, KIND_PRODUCT, VERB_CREATE, &product, dangling, 3);
    import(w, KIND_PRODUCT, VERB_AMEND, &nowhere, &name, 1);
    const struct id later = {{4, 5, 6}}; /* and a change that waited for what came */
    struct field web = bytes(12, span_str("mô tả"));
    import(w, KIND_PRODUCT, VERB_AMEND, &later, &web, 1);
    dangling[2] = bytes(11, id_span(&w->producer));
    import(w, KIND_PRODUCT, VERB_CREATE, &later, dangling, 3);
}

/* Two devices contradict each other; one is revoked and goes on. */
static void fill_by_devices(struct world *w)
{
    struct ocop_error err = {0};
    struct ocop_sync_summary summary;
    struct ocop_id id = world_inspect(w, 1, "pass");
    world_sync(w, 1);
    world_sync(w, 0);
    world_amend(w, 1, id, "conclusion=fail");
    world_sync(w, 1);
    world_amend(w, 0, id, "conclusion=conditional");
    world_sync(w, 0);
    world_inspect(w, 1, "pass");
    struct id replica = w->stores[1]->me.replica;
    must(registry_begin(w->registry, &err), &err);
    must(device_state_set(w->registry, &w->keys, &replica, DEVICE_REVOKED, "mất máy", &err), &err);
    must(registry_commit(w->registry, &err), &err);
    assert_int_equal(ocop_sync(w->stores[1], NULL, &summary, &err), OCOP_EREVOKED);
    assert_int_equal(sqlite3_exec(w->registry->db,
                                  "INSERT INTO brought SELECT hash, id, 7, row_sum(hash, id, 7) "
                                  "FROM attachment; INSERT INTO lacking SELECT hash, 7, "
                                  "row_sum(hash, 7) FROM attachment",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    world_backup(w);
}

/* A row of every kind; one in every table that a sync leaves empty. */
static void fill_store(struct world *w)
{
    struct ocop_error err = {0};
    struct ocop_store *s = w->stores[0];
    struct fields none = {NULL, 0};
    must(store_begin(s, &err), &err);
    for (uint32_t k = 1; k <= kind_count() + 1; k++) {
        struct id id = id_next(&w->registry->ids, w->registry->env);
        struct id *ids;
        size_t count;
        must(store_record_ids(s, k, NULL, &w->arena, &ids, &count, &err), &err);
        if (count == 0)
            must(store_record_put(s, k, &id, &none, 7, &err), &err);
    }
    for (unsigned i = 0; i < MANY; i++) { /* so many words that their index has several leaves */
        struct id id = id_next(&w->registry->ids, w->registry->env);
        const char *words = arena_printf(&w->arena, "xã%u thôn%u ấp%u họ%u", i, i, i, i);
        struct field name = bytes(10, span_str(words));
        must(store_record_put(s, KIND_PRODUCER, &id, &(struct fields){&name, 1}, 7, &err), &err);
    }
    must(store_stub_put(s, KIND_PRODUCER, &w->product, span_str("ngoài xã"), &err), &err);
    must(store_unseen_mark(s, &err), &err);
    must(
        store_file_put(
            s, &(struct file_row){.hash = {1}, .size = 4096, .central = true, .tried_ms = 7}, &err),
        &err);
    must(store_thumbnail_put(
             s, &(struct thumbnail_row){{1}, THUMBNAIL_HERE, span_str("a picture"), 7}, &err),
         &err);
    must(store_commit(s, &err), &err);
    /* A draft over a record that the registry has. */
    ProtobufCMessage *m = NULL;
    struct ocop_id id = world_inspect(w, 0, "pass");
    world_sync(w, 0);
    must(ocop_load(s, &id, &m, &err), &err);
    must(ocop_set_text(s, &m, "score=71", &err), &err);
    must(ocop_save(s, m, &err), &err);
    ocop_free(m);
    must(store_begin(s, &err), &err);
    must(store_unseen_mark(s, &err), &err);
    must(store_commit(s, &err), &err);
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    *state = w;
    world_open(w);
    world_enrol(w, 0);
    world_enrol(w, 1);
    fill_registry(w);
    fill_by_devices(w);
    fill_store(w);
    return 0;
}

/* --- files -------------------------------------------------------------------------------------
 */

/* What is flipped: a copy of a closed file, asked by the program that owns it. */
struct victim {
    struct world *w;
    char copy[96];
    struct span bytes;             /* of the whole file */
    void (*ask)(struct victim *v); /* fills `said`; "" when all is well */
    char said[TEXT_BYTES];
    size_t columns, flips;
};

static void make_copy(struct victim *v)
{
    char beside[120];
    snprintf(beside, sizeof beside, "%s-wal", v->copy);
    unlink(beside);
    snprintf(beside, sizeof beside, "%s-shm", v->copy);
    unlink(beside);
    FILE *f = fopen(v->copy, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(v->bytes.p, 1, v->bytes.len, f), v->bytes.len);
    assert_int_equal(fclose(f), 0);
}

static void say(void *self, const char *line)
{
    struct victim *v = self;
    const size_t len = strlen(v->said);
    snprintf(v->said + len, sizeof v->said - len, "%s\n", line);
}

/* `ocop check`. */
static void check(struct victim *v)
{
    struct ocop_error err = {0};
    struct ocop_store *s = NULL;
    unsigned findings = 0;
    v->said[0] = '\0';
    if (ocop_open(v->copy, &(struct ocop_options){.must_exist = true}, &s, &err) != OCOP_OK ||
        ocop_check(s, say, v, &findings, &err) != OCOP_OK)
        say(v, err.text);
    ocop_close(s);
}

/* `ocopd verify`. */
static void verify(struct victim *v)
{
    struct ocop_error err = {0};
    struct registry *r = NULL;
    struct replay_result result;
    v->said[0] = '\0';
    enum ocop_status st = registry_open(v->copy, false, env_system(), NULL, &r, &err);
    if (st == OCOP_OK)
        st = query_integrity(r, &err);
    if (st == OCOP_OK)
        st = query_sums(r, QUERY_SUMS_OWN, &err);
    if (st == OCOP_OK)
        st = replay_check(r, v->w->keys.root.public_key, &result, &err);
    if (st == OCOP_OK)
        st = query_sums(r, QUERY_SUMS_LOG, &err);
    if (st == OCOP_OK)
        st = replay_compare(r, ":memory:", &result, &err);
    if (st != OCOP_OK)
        say(v, err.text);
    registry_close(r);
}

static struct victim victim(struct world *w, const char *file, void (*ask)(struct victim *v))
{
    struct victim v = {.w = w, .ask = ask};
    snprintf(v.copy, sizeof v.copy, "%s/%s", w->dir, file);
    FILE *f = fopen(v.copy, "rb");
    assert_non_null(f);
    uint8_t *p = arena_alloc(&w->arena, MIB(8));
    v.bytes = span_of(p, fread(p, 1, MIB(8), f));
    assert_true(v.bytes.len > 0 && v.bytes.len < MIB(8));
    fclose(f);
    return v;
}

/* The last connection to be closed writes all into the one file. */
static struct victim store_victim(struct world *w)
{
    ocop_close(w->stores[0]);
    w->stores[0] = NULL;
    return victim(w, "0.ocop", check);
}

static struct victim registry_victim(struct world *w)
{
    world_close_registry(w);
    return victim(w, "registry.db", verify);
}

/* --- columns -----------------------------------------------------------------------------------
 */

/* A value with one bit flipped; of what is NULL or empty, the least there is. */
static void bind_flipped(sqlite3_stmt *to, sqlite3_value *value, const char *type, unsigned bit)
{
    uint8_t b[70000] = {1};
    const int len = sqlite3_value_bytes(value);
    if (strcmp(type, "INTEGER") == 0) {
        sqlite3_bind_int64(to, 1, sqlite3_value_int64(value) ^ (sqlite3_int64)1 << bit);
        return;
    }
    assert_true((size_t)len <= sizeof b);
    if (len > 0) {
        memcpy(b, sqlite3_value_blob(value), (size_t)len);
        b[(size_t)len * bit / 64] ^= bit ? 0x04 : 1;
    }
    if (strcmp(type, "TEXT") == 0)
        sqlite3_bind_text(to, 1, (const char *)b, len ? len : 1, SQLITE_TRANSIENT);
    else
        sqlite3_bind_blob(to, 1, b, len ? len : 1, SQLITE_TRANSIENT);
}

/* "a = quote(a) AND ..." of the last row: what names it. */
static char *row_named(sqlite3 *db, struct arena *a, const char *table)
{
    const char *sql = arena_printf(
        a,
        "SELECT group_concat('\"' || name || '\"', ',') FROM pragma_table_info('%s') WHERE pk > 0",
        table);
    sqlite3_stmt *s = NULL;
    char *where = NULL;
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &s, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    const char *keys = (const char *)sqlite3_column_text(s, 0);
    where =
        arena_printf(a, "(%s) = (SELECT %s FROM \"%s\" ORDER BY %s DESC LIMIT 1)",
                     keys ? keys : "rowid", keys ? keys : "rowid", table, keys ? keys : "rowid");
    sqlite3_finalize(s);
    return where;
}

static bool flip_column(struct victim *v, const char *table, const char *column, const char *type,
                        unsigned bit)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *from = NULL, *to = NULL;
    struct arena a;
    make_copy(v);
    arena_init(&a, MIB(1));
    assert_int_equal(sqlite3_open(v->copy, &db), SQLITE_OK);
    const char *where = row_named(db, &a, table);
    const char *select =
        arena_printf(&a, "SELECT \"%s\" FROM \"%s\" WHERE %s", column, table, where);
    assert_int_equal(sqlite3_prepare_v2(db, select, -1, &from, NULL), SQLITE_OK);
    if (sqlite3_step(from) != SQLITE_ROW)
        fail_msg("table %s has no row", table);
    const char *update =
        arena_printf(&a, "UPDATE \"%s\" SET \"%s\" = ?1 WHERE %s", table, column, where);
    assert_int_equal(sqlite3_prepare_v2(db, update, -1, &to, NULL), SQLITE_OK);
    bind_flipped(to, sqlite3_column_value(from, 0), type, bit);
    sqlite3_reset(from);
    const int code = sqlite3_step(to);
    sqlite3_finalize(from);
    sqlite3_finalize(to);
    sqlite3_close(db);
    arena_fini(&a);
    return code == SQLITE_DONE;
}

/* A flip that nobody finds must not matter, and this is why it does not: the number of a record's
 * row is its file's own; the indexes are made of it and are looked at. */
static bool is_harmless(const char *column)
{
    return strcmp(column, "n") == 0;
}

/* Behind where it is, what can be made good from what: "...; the registry has it". */
static bool says_from_what(const char *said)
{
    for (const char *at = said; (at = strstr(at, "; ")) != NULL; at += 2)
        if (at[2] > ' ')
            return true;
    return false;
}

static void flip_one_column(struct victim *v, const char *table, const char *column,
                            const char *type)
{
    const unsigned bit = v->columns++ % 2 ? 40 : 0;
    /* The index of words is told as what it is; of a sum, the row that it is of. */
    const char *where = table;
    if (strcmp(table, "words") == 0)
        where = "search";
    else if (strcmp(table, "sums") == 0)
        where = "not what was written";
    else if (strcmp(table, "sealed") == 0)
        where =
            strcmp(column, "body") == 0 || strcmp(column, "signature") == 0 ? "change-set" : table;
    if (!flip_column(v, table, column, type, bit))
        return; /* the table does not take such a value */
    v->ask(v);
    v->flips++;
    if (!*v->said && !is_harmless(column))
        fail_msg("bit %u of %s.%s is found by nobody", bit, table, column);
    if (*v->said && !strstr(v->said, where))
        fail_msg("bit %u of %s.%s: it is not said where: %s", bit, table, column, v->said);
    if (*v->said && !says_from_what(v->said))
        fail_msg("bit %u of %s.%s: it is not said from what to make it good: %s", bit, table,
                 column, v->said);
}

static void flip_every_column(struct victim *v)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *s = NULL;
    size_t columns = 0;
    struct {
        char table[64], column[64], type[16];
    } at[800];
    v->ask(v);
    assert_string_equal(v->said, "");
    assert_int_equal(sqlite3_open(v->copy, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db,
                                        "SELECT t.name, c.name, c.type FROM pragma_table_list AS t "
                                        "JOIN pragma_table_info(t.name) AS c WHERE t.schema = "
                                        "'main' AND t.type = 'table' AND t.name <> "
                                        "'sqlite_schema' ORDER BY t.name, c.cid",
                                        -1, &s, NULL),
                     SQLITE_OK);
    for (; sqlite3_step(s) == SQLITE_ROW; columns++) {
        assert_true(columns < sizeof at / sizeof *at);
        snprintf(at[columns].table, 64, "%s", (const char *)sqlite3_column_text(s, 0));
        snprintf(at[columns].column, 64, "%s", (const char *)sqlite3_column_text(s, 1));
        snprintf(at[columns].type, 16, "%s", (const char *)sqlite3_column_text(s, 2));
    }
    sqlite3_finalize(s);
    sqlite3_close(db);
    for (size_t i = 0; i < columns; i++)
        flip_one_column(v, at[i].table, at[i].column, at[i].type);
    assert_true(columns > 300);
    assert_true(v->flips > columns * 9 / 10);
}

/* --- pages -------------------------------------------------------------------------------------
 */

/* All that the file holds, as anybody reads it; false when it cannot be read. */
static bool contents(const char *path, uint8_t hash[HASH_LEN])
{
    sqlite3 *db = NULL;
    sqlite3_stmt *tables = NULL, *s = NULL;
    struct buf all;
    int code = SQLITE_DONE;
    buf_init(&all, MIB(64));
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    bool fine = sqlite3_prepare_v2(db,
                                   "SELECT name, sql FROM sqlite_schema WHERE type = 'table' "
                                   "ORDER BY name",
                                   -1, &tables, NULL) == SQLITE_OK;
    while (fine && (code = sqlite3_step(tables)) == SQLITE_ROW) {
        char sql[120];
        snprintf(sql, sizeof sql, "SELECT * FROM \"%s\"",
                 (const char *)sqlite3_column_text(tables, 0));
        buf_str(&all, (const char *)sqlite3_column_text(tables, 1));
        fine = sqlite3_prepare_v2(db, sql, -1, &s, NULL) == SQLITE_OK;
        while (fine && (code = sqlite3_step(s)) == SQLITE_ROW)
            for (int c = 0; c < sqlite3_column_count(s); c++) {
                buf_printf(&all, "|%d %d ", sqlite3_column_type(s, c), sqlite3_column_bytes(s, c));
                buf_put(&all, sqlite3_column_blob(s, c), (size_t)sqlite3_column_bytes(s, c));
            }
        fine = fine && code == SQLITE_DONE;
        sqlite3_finalize(s);
    }
    sqlite3_finalize(tables);
    sqlite3_close(db);
    assert_false(all.failed);
    hash_bytes(buf_span(&all), hash);
    buf_fini(&all);
    return fine && code == SQLITE_DONE;
}

/* One bit in each page of the file, in its head or at its end, where rows are put first, and
 * several in the first page, which holds the header. What nobody finds lies where nothing is read.
 */
static void flip_every_page(struct victim *v)
{
    enum { IN_FIRST = 16 };
    uint8_t want[HASH_LEN], got[HASH_LEN];
    struct fixed_env chance;
    uint8_t *p = (uint8_t *)(uintptr_t)v->bytes.p;
    const size_t size = (size_t)p[16] << 8 | p[17], pages = v->bytes.len / size;
    size_t found = 0;
    fixed_env_init(&chance, 7);
    make_copy(v);
    assert_true(contents(v->copy, want));
    for (size_t i = 0; i < pages + IN_FIRST; i++) {
        const size_t page = i < pages ? i : 0;
        uint8_t r[3];
        env_random(&chance.env, r, sizeof r);
        const size_t drawn = (size_t)r[0] << 8 | r[1];
        const size_t at =
            page * size + (i >= pages || drawn % 3 == 0 ? drawn % 100 : size - 1 - drawn % 400);
        p[at] ^= (uint8_t)(1 << r[2] % 8);
        make_copy(v);
        p[at] ^= (uint8_t)(1 << r[2] % 8);
        v->ask(v);
        found += *v->said != '\0';
        if (!*v->said && (!contents(v->copy, got) || memcmp(want, got, HASH_LEN) != 0))
            fail_msg("bit %d of byte %zu of the file is found by nobody", r[2] % 8, at);
    }
    print_message("%zu pages, %zu flips found, the others lay where nothing is read\n", pages,
                  found);
    assert_true(pages > 60 && found > pages / 3);
}

static void a_flipped_bit_in_any_column_of_a_store_is_found_and_named(void **state)
{
    struct victim v = store_victim(*state);
    flip_every_column(&v);
}

static void a_flipped_bit_in_any_column_of_a_registry_is_found_and_named(void **state)
{
    struct victim v = registry_victim(*state);
    flip_every_column(&v);
}

static void a_flipped_bit_in_any_page_of_a_store_is_found_or_matters_to_nobody(void **state)
{
    struct victim v = store_victim(*state);
    flip_every_page(&v);
}

static void a_flipped_bit_in_any_page_of_a_registry_is_found_or_matters_to_nobody(void **state)
{
    struct victim v = registry_victim(*state);
    flip_every_page(&v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, world_teardown)
        T(a_flipped_bit_in_any_column_of_a_store_is_found_and_named),
        T(a_flipped_bit_in_any_column_of_a_registry_is_found_and_named),
        T(a_flipped_bit_in_any_page_of_a_store_is_found_or_matters_to_nobody),
        T(a_flipped_bit_in_any_page_of_a_registry_is_found_or_matters_to_nobody),
    };
    env_log_level((enum env_level)(ENV_ERROR + 1));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
