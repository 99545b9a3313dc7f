/* Records into rows and back: all kinds, all types, versions, markers, what is unknown. */
#include "test.h"

#include <stdio.h>
#include <string.h>

#include "again.h"
#include "bounds.h"
#include "json.h"
#include "migrate.h"
#include "row.h"

/* One database per test. */
struct db {
    sqlite3 *db;
    struct rows *rows;
    struct arena arena;
    struct ocop_error err;
};

static int open_db(void **state)
{
    static struct db d;

    d = (struct db){0};
    kinds_init();
    arena_init(&d.arena, MIB(16));
    if (db_open(":memory:", true, false, NULL, &d.db, &d.err) != OCOP_OK ||
        migrate(d.db, MIGRATE_REGISTRY, NULL, &d.err) != OCOP_OK ||
        rows_open(d.db, &d.rows, &d.err) != OCOP_OK)
        return -1;
    *state = &d;
    return 0;
}

static int close_db(void **state)
{
    struct db *d = *state;

    rows_close(d->rows);
    arena_fini(&d->arena);
    return sqlite3_close(d->db) == SQLITE_OK ? 0 : -1; /* not OK when a statement leaked */
}

static void ok(struct db *d, enum ocop_status status)
{
    if (status != OCOP_OK)
        fail_msg("%s %s: %s", err_name(status), d->err.field, d->err.text);
}

static struct id make_id(uint8_t last)
{
    struct id id = {{1, 2, 3, 4, 5, 6, 0x87, 8, 0x89, 10, 11, 12, 0, 0, 0, last}};

    return id;
}

static struct field integer(uint32_t number, int64_t i, uint64_t base)
{
    return (struct field){
        .number = number, .op = FIELD_SET, .type = VALUE_INT, .i = i, .base = base};
}

static struct field text(uint32_t number, const char *s, uint64_t base)
{
    return (struct field){
        .number = number, .op = FIELD_SET, .type = VALUE_BYTES, .bytes = span_str(s), .base = base};
}

/* An element with the key and one more text, as packed. */
static struct field element(struct db *d, uint32_t number, const char *key, const char *value,
                            uint64_t base)
{
    struct field f = {.number = number, .op = FIELD_SET, .type = VALUE_ELEMENT, .base = base};
    char *p =
        arena_printf(&d->arena, "\n%c%s\x12%c%s", (int)strlen(key), key, (int)strlen(value), value);

    assert_non_null(p);
    f.bytes = span_str(p);
    f.key = span_of(p + 2, strlen(key));
    return f;
}

static struct field cleared(uint32_t number, const char *key, uint8_t type, uint64_t base)
{
    return (struct field){
        .number = number, .op = FIELD_CLEAR, .type = type, .key = span_str(key), .base = base};
}

static void same_fields(const struct fields *a, const struct fields *b)
{
    assert_int_equal(a->count, b->count);
    for (size_t i = 0; i < a->count; i++) {
        const struct field *x = &a->v[i], *y = &b->v[i];
        if (x->number != y->number || x->op != y->op || x->type != y->type ||
            !span_eq(x->key, y->key) || x->base != y->base ||
            (x->op == FIELD_SET && (x->i != y->i || !span_eq(x->bytes, y->bytes))))
            fail_msg("field %zu, number %u differs", i, x->number);
    }
}

static void put_then_load(struct db *d, uint32_t kind, const struct id *id, struct fields *f,
                          const struct row_meta *meta)
{
    struct row_meta back;
    struct fields loaded;
    int64_t n = 0;

    ok(d, row_insert(d->rows, kind, id, f, meta, &n, &d->err));
    assert_true(n > 0);
    ok(d, row_load(d->rows, kind, id, &d->arena, &loaded, &back, &d->err));
    same_fields(&loaded, f);
    assert_int_equal(back.n, n);
    assert_int_equal(back.version, meta->version);
    assert_int_equal(back.born, meta->born);
    assert_true(id_eq(&back.anchor, &meta->anchor));
}

/* Every field of every kind, lists with two elements each. */
static void a_record_of_each_kind_comes_back_as_it_was_stored(void **state)
{
    struct db *d = *state;
    struct row_meta meta = {.version = 7, .born = 7, .anchor = make_id(200)};
    size_t looked_at = 0;

    for (size_t i = 0; i < kind_count(); i++) {
        const struct kind *k = kind_at(i);
        struct field v[160];
        struct fields f = {v, 0};
        struct id id = make_id((uint8_t)k->number);
        for (size_t j = 1; j < k->field_count; j++) {
            const struct field_rule *r = &k->fields[j];
            bool ids = rule_is_list(r) && r->items[0].check != CHECK_TEXT &&
                       r->items[0].check != CHECK_CODE;
            if (!rule_is_list(r)) {
                v[f.count++] = rule_is_int(r) ? integer(r->number, (int64_t)j - 3, 7)
                                              : text(r->number, "Rượu \"nếp\" \\ \n'", 7);
                continue;
            }
            for (int e = 0; e < 2; e++) {
                struct field *x = &v[f.count++];
                *x = element(d, r->number, e ? "b" : "a", "một", 7);
                if (ids || r->items[1].number == 0 || r->items[1].check == CHECK_RANGE ||
                    r->items[1].check == CHECK_BYTES)
                    x->bytes.len = 3; /* the key alone; that it is no id is for the rules */
            }
        }
        put_then_load(d, k->number, &id, &f, &meta);
        looked_at += f.count;
    }
    assert_true(looked_at > 200);
}

static void an_absent_field_is_null_and_an_empty_one_is_not(void **state)
{
    struct db *d = *state;
    struct field v[] = {text(12, "", 3), text(13, NULL, 3), integer(27, 0, 3)};
    struct fields f = {v, 3};
    struct id id = make_id(1);
    sqlite3_stmt *stmt = NULL;

    put_then_load(d, KIND_INSPECTION, &id, &f, &(struct row_meta){.version = 3, .born = 3});
    assert_int_equal(
        sqlite3_prepare_v2(d->db,
                           "SELECT facility='' AND plan_no='' AND score=0 AND notes IS NULL AND "
                           "answers IS NULL AND versions IS NULL AND extra IS NULL "
                           "AND anchor IS NULL FROM inspection",
                           -1, &stmt, NULL),
        SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    assert_int_equal(sqlite3_column_int(stmt, 0), 1);
    (void)sqlite3_finalize(stmt);
}

static void a_repeated_insert_changes_nothing(void **state)
{
    struct db *d = *state;
    struct field first[] = {text(12, "một", 3)}, second[] = {text(12, "hai", 4)};
    struct fields f = {first, 1}, g = {second, 1}, loaded;
    struct row_meta meta = {.version = 3, .born = 3};
    struct id id = make_id(1);
    int64_t n = 5;

    put_then_load(d, KIND_INSPECTION, &id, &f, &meta);
    assert_int_equal(row_insert(d->rows, KIND_INSPECTION, &id, &g, &meta, &n, &d->err),
                     OCOP_ESTATE);
    assert_int_equal(n, 0);
    ok(d, row_load(d->rows, KIND_INSPECTION, &id, &d->arena, &loaded, NULL, &d->err));
    same_fields(&loaded, &f);
}

/* born 5; edited at 9; removed at 11; an edit from before the birth counts as any other. */
static void versions_and_markers_come_back(void **state)
{
    struct db *d = *state;
    struct field v[] = {
        text(12, "một", 5),
        cleared(13, "", VALUE_BYTES, 8),
        cleared(18, "", VALUE_INT, 4),
        integer(27, 80, 9),
        element(d, 29, "NC.1", "pass", 5),
        cleared(29, "NC.2", VALUE_ELEMENT, 11),
        element(d, 29, "NC.3", "fail", UINT64_MAX),
        cleared(30, "abcdefghijklmnop", VALUE_ELEMENT, 5),
    };
    struct fields f = {v, sizeof v / sizeof *v}, loaded;
    struct row_meta meta = {.version = 11, .born = 5};
    struct id id = make_id(1);

    put_then_load(d, KIND_INSPECTION, &id, &f, &meta);
    v[3].base = meta.born = meta.version = 12;
    ok(d, row_update(d->rows, KIND_INSPECTION, &id, &f, &meta, &d->err));
    ok(d, row_load(d->rows, KIND_INSPECTION, &id, &d->arena, &loaded, NULL, &d->err));
    same_fields(&loaded, &f);
}

static void an_update_replaces_all(void **state)
{
    struct db *d = *state;
    struct field v[] = {text(12, "một", 5), element(d, 29, "NC.1", "pass", 5)};
    struct field w[] = {integer(27, 3, 6)};
    struct fields f = {v, 2}, g = {w, 1}, loaded;
    struct row_meta meta = {.version = 6, .born = 5, .anchor = make_id(9)}, back;
    struct id id = make_id(1), other = make_id(2);

    put_then_load(d, KIND_INSPECTION, &id, &f, &(struct row_meta){.version = 5, .born = 5});
    ok(d, row_update(d->rows, KIND_INSPECTION, &id, &g, &meta, &d->err));
    ok(d, row_load(d->rows, KIND_INSPECTION, &id, &d->arena, &loaded, &back, &d->err));
    same_fields(&loaded, &g);
    assert_int_equal(back.version, 6);
    assert_true(id_eq(&back.anchor, &meta.anchor));
    assert_int_equal(row_update(d->rows, KIND_INSPECTION, &other, &g, &meta, &d->err),
                     OCOP_ENOTFOUND);
}

static void what_is_not_there_is_not_found(void **state)
{
    struct db *d = *state;
    struct id id = make_id(1);
    struct fields loaded;
    bool there = true;

    for (uint32_t kind = 1; kind < 20; kind++) {
        assert_int_equal(row_load(d->rows, kind, &id, &d->arena, &loaded, NULL, &d->err),
                         OCOP_ENOTFOUND);
        assert_int_equal(row_delete(d->rows, kind, &id, &d->err), OCOP_ENOTFOUND);
        assert_int_equal(row_touch(d->rows, kind, &id, 3, &d->err), OCOP_ENOTFOUND);
        ok(d, row_exists(d->rows, kind, &id, &there, &d->err));
        assert_false(there);
    }
}

static void a_touch_moves_the_version_alone_and_a_delete_removes(void **state)
{
    struct db *d = *state;
    struct field v[] = {text(12, "một", 5)};
    struct fields f = {v, 1}, loaded;
    struct row_meta meta;
    struct id id = make_id(1);
    bool there = false;

    put_then_load(d, KIND_INSPECTION, &id, &f, &(struct row_meta){.version = 5, .born = 5});
    ok(d, row_touch(d->rows, KIND_INSPECTION, &id, 8, &d->err));
    ok(d, row_load(d->rows, KIND_INSPECTION, &id, &d->arena, &loaded, &meta, &d->err));
    same_fields(&loaded, &f);
    assert_int_equal(meta.version, 8);
    assert_int_equal(meta.born, 5);
    ok(d, row_exists(d->rows, KIND_INSPECTION, &id, &there, &d->err));
    assert_true(there);
    ok(d, row_delete(d->rows, KIND_INSPECTION, &id, &d->err));
    ok(d, row_exists(d->rows, KIND_INSPECTION, &id, &there, &d->err));
    assert_false(there);
}

/* Numbers 11 and 60 and the list 61 of a newer program, among fields that this one knows. */
static void unknown_fields_are_kept_with_their_versions(void **state)
{
    struct db *d = *state;
    struct field v[] = {
        text(8, "trước", 5),    text(10, "tên", 5),          cleared(45, "", VALUE_BYTES, 9),
        integer(60, -7, 6),     element(d, 61, "x", "y", 5), cleared(61, "z", VALUE_ELEMENT, 7),
        integer(5000000, 1, 5),
    };
    struct fields f = {v, sizeof v / sizeof *v};
    struct id id = make_id(1);

    put_then_load(d, KIND_PRODUCER, &id, &f, &(struct row_meta){.version = 9, .born = 5});
}

static void unknown_subfields_of_an_element_are_kept(void **state)
{
    struct db *d = *state;
    static const uint8_t packed[] = "\n\x04NC.1\x12\x04pass\x22\x03new\x28\x07";
    struct field v[] = {{.number = 29, .op = FIELD_SET, .type = VALUE_ELEMENT, .base = 5}};
    struct fields f = {v, 1};
    struct id id = make_id(1);

    v[0].bytes = span_of(packed, sizeof packed - 1);
    v[0].key = span_of(packed + 2, 4);
    put_then_load(d, KIND_INSPECTION, &id, &f, &(struct row_meta){.version = 5, .born = 5});
}

static void records_of_unknown_kinds_are_kept_and_not_mixed_up(void **state)
{
    struct db *d = *state;
    struct field v[] = {text(2, "x", 5), integer(10, 4, 6), element(d, 11, "k", "v", 5)};
    struct fields f = {v, 3}, loaded;
    struct row_meta meta = {.version = 6, .born = 5, .anchor = make_id(3)};
    struct id id = make_id(1), other = make_id(2);
    bool there = true;

    put_then_load(d, 77, &id, &f, &meta);
    put_then_load(d, 78, &other, &f, &meta);
    assert_int_equal(row_load(d->rows, 78, &id, &d->arena, &loaded, NULL, &d->err), OCOP_ENOTFOUND);
    ok(d, row_exists(d->rows, 78, &id, &there, &d->err));
    assert_false(there);
    assert_int_equal(row_insert(d->rows, 78, &id, &f, &meta, NULL, &d->err), OCOP_ESTATE);
    assert_string_equal(row_table(77), "unknown_kind");
}

static void a_value_of_another_type_is_refused_and_nothing_stored(void **state)
{
    struct db *d = *state;
    const struct field cases[] = {
        integer(12, 1, 5),
        text(27, "8", 5),
        text(29, "NC.1", 5),
        element(d, 12, "a", "b", 5),
        {.number = 29,
         .op = FIELD_SET,
         .type = VALUE_ELEMENT,
         .key = span_str("NC.1"),
         .bytes = span_str("\n\x04NC.2")},
        {.number = 29,
         .op = FIELD_SET,
         .type = VALUE_ELEMENT,
         .key = span_str("NC.1"),
         .bytes = span_str("\n\x04NC.1\x10\x01")},
        {.number = 29,
         .op = FIELD_SET,
         .type = VALUE_ELEMENT,
         .key = span_str("NC.1"),
         .bytes = span_str("\n\x04NC.1\x12\x02\xff\xfe")},
    };
    struct id id = make_id(1);
    bool there = true;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct field one = cases[i];
        struct fields f = {&one, 1};
        if (row_insert(d->rows, KIND_INSPECTION, &id, &f, &(struct row_meta){.born = 5}, NULL,
                       &d->err) != OCOP_EINVAL)
            fail_msg("case %zu was not refused", i);
        assert_string_not_equal(d->err.field, "");
        ok(d, row_exists(d->rows, KIND_INSPECTION, &id, &there, &d->err));
        assert_false(there);
    }
}

/* Any damage of the packed columns is found, however they are cut. */
static void damaged_columns_are_told(void **state)
{
    struct db *d = *state;
    struct field v[] = {text(12, "một", 6), element(d, 29, "NC.1", "pass", 5),
                        cleared(29, "NC.2", VALUE_ELEMENT, 11), integer(60, 1, 5)};
    struct fields f = {v, 4}, loaded;
    struct id id = make_id(1);
    static const char *const sql[] = {
        "UPDATE inspection SET versions=substr(versions, 1, length(versions)-1)",
        "UPDATE inspection SET versions=x'ff'",
        "UPDATE inspection SET versions=x'3402'", /* field 13, which is not set */
        "UPDATE inspection SET extra=x'0a05'",
        "UPDATE inspection SET extra=x'0a00'",
        "UPDATE inspection SET answers='[{'",
        "UPDATE inspection SET anchor=x'00'",
    };

    for (size_t i = 0; i < sizeof sql / sizeof *sql; i++) {
        ok(d, row_insert(d->rows, KIND_INSPECTION, &id, &f, &(struct row_meta){.born = 5}, NULL,
                         &d->err));
        ok(d, row_load(d->rows, KIND_INSPECTION, &id, &d->arena, &loaded, NULL, &d->err));
        ok(d, db_exec(d->db, sql[i], &d->err));
        if (row_load(d->rows, KIND_INSPECTION, &id, &d->arena, &loaded, NULL, &d->err) !=
            OCOP_EDAMAGED)
            fail_msg("not found: %s", sql[i]);
        assert_int_equal(loaded.count, 0);
        ok(d, row_delete(d->rows, KIND_INSPECTION, &id, &d->err));
    }
}

static void records_with_the_same_natural_key_are_found(void **state)
{
    struct db *d = *state;
    struct field v[] = {text(20, "BB-7/01/26", 5)};
    struct fields f = {v, 1};
    struct row_meta meta = {.version = 5, .born = 5};
    struct id found[2], id;
    size_t count = 9;

    for (uint8_t i = 4; i > 0; i--) {
        id = make_id(i);
        put_then_load(d, KIND_INSPECTION, &id, &f, &meta);
    }
    id = make_id(2);
    ok(d, row_same_key(d->rows, KIND_INSPECTION, 20, v[0].bytes, &id, found, 2, &count, &d->err));
    assert_int_equal(count, 2);
    assert_int_equal(found[0].b[15], 4); /* the oldest */
    assert_int_equal(found[1].b[15], 3);
    ok(d, row_same_key(d->rows, KIND_INSPECTION, 20, span_str("BB-7"), &id, found, 2, &count,
                       &d->err));
    assert_int_equal(count, 0);
    assert_int_equal(
        row_same_key(d->rows, KIND_INSPECTION, 27, v[0].bytes, &id, found, 2, &count, &d->err),
        OCOP_EINVAL);
}

static void collect(void *self, struct span line)
{
    struct buf *out = self;

    buf_put(out, line.p, line.len);
    buf_byte(out, '\n');
}

static void the_dump_is_canonical_whatever_the_order_of_inserts(void **state)
{
    struct db *d = *state;
    struct field v[] = {text(10, "Rượu \"nếp\"\n", 5), integer(20, 21, 6),
                        cleared(22, "", VALUE_BYTES, 7), integer(60, 1, 5)};
    struct fields f = {v, 4};
    struct row_meta meta = {.version = 7, .born = 5, .anchor = make_id(9)};
    struct buf dumps[2];
    static const char *const must =
        "producer|0102030405068708890a0b0c00000001|7|5|0102030405068708890a0b0c00000009|"
        "50025904|0a06083c10012801|name=\"Rượu \\\"nếp\\\"\\x0a\"|lat_e6=21\n";

    for (int round = 0; round < 2; round++) {
        buf_init(&dumps[round], MIB(1));
        for (uint8_t i = 1; i <= 3; i++) {
            struct id id = make_id(round ? (uint8_t)(4 - i) : i);
            ok(d, row_insert(d->rows, KIND_PRODUCER, &id, &f, &meta, NULL, &d->err));
        }
        ok(d, row_dump(d->rows, KIND_PRODUCER, collect, &dumps[round], &d->err));
        ok(d, db_exec(d->db, "DELETE FROM producer", &d->err));
    }
    assert_memory_equal(dumps[0].p, must, strlen(must));
    assert_int_equal(dumps[0].len, 3 * strlen(must));
    assert_true(span_eq(buf_span(&dumps[0]), buf_span(&dumps[1])));
    buf_fini(&dumps[0]);
    buf_fini(&dumps[1]);
}

static void a_full_disk_stores_nothing_and_is_told(void **state)
{
    struct db *d = *state;
    struct field v[] = {text(34, "", 5)};
    struct fields f = {v, 1};
    struct id id = make_id(1);
    enum ocop_status status = OCOP_OK;
    bool there = true;
    char sql[64];
    sqlite3_stmt *stmt = NULL;

    v[0].bytes = span_of(arena_calloc(&d->arena, 1, KIB(64)), KIB(64));
    memset((void *)(uintptr_t)v[0].bytes.p, 'x', KIB(64));
    assert_int_equal(sqlite3_prepare_v2(d->db, "PRAGMA page_count", -1, &stmt, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    (void)snprintf(sql, sizeof sql, "PRAGMA max_page_count=%d", sqlite3_column_int(stmt, 0) + 2);
    (void)sqlite3_finalize(stmt);
    ok(d, db_exec(d->db, sql, &d->err));
    status =
        row_insert(d->rows, KIND_INSPECTION, &id, &f, &(struct row_meta){.born = 5}, NULL, &d->err);
    assert_int_equal(status, OCOP_EDB);
    assert_non_null(strstr(d->err.text, "disk is full"));
    ok(d, row_exists(d->rows, KIND_INSPECTION, &id, &there, &d->err));
    assert_false(there);
}

/* By the whole name of its table, and no other that begins alike. */
static void what_a_row_held_is_had_again_by_its_table(void **state)
{
    static const struct again list[] = {{"file", "one"}, {"files", "two"}, {"", "others"}};
    (void)state;
    assert_string_equal(again_from(list, "file 3"), "one");
    assert_string_equal(again_from(list, "files"), "two");
    assert_string_equal(again_from(list, "fil x"), "others");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, open_db, close_db)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_record_of_each_kind_comes_back_as_it_was_stored),
        TEST(an_absent_field_is_null_and_an_empty_one_is_not),
        TEST(a_repeated_insert_changes_nothing),
        TEST(versions_and_markers_come_back),
        TEST(an_update_replaces_all),
        TEST(what_is_not_there_is_not_found),
        TEST(a_touch_moves_the_version_alone_and_a_delete_removes),
        TEST(unknown_fields_are_kept_with_their_versions),
        TEST(unknown_subfields_of_an_element_are_kept),
        TEST(records_of_unknown_kinds_are_kept_and_not_mixed_up),
        TEST(a_value_of_another_type_is_refused_and_nothing_stored),
        TEST(damaged_columns_are_told),
        TEST(records_with_the_same_natural_key_are_found),
        TEST(the_dump_is_canonical_whatever_the_order_of_inserts),
        TEST(a_full_disk_stores_nothing_and_is_told),
        cmocka_unit_test(what_a_row_held_is_had_again_by_its_table),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
