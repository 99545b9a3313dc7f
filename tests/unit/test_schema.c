/* Holds records.proto, kinds.c and the migrated tables against each other, in both directions, and
 * the schema that all migrations make against its golden file. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "migrate.h"
#include "records.pb-c.h"
#include "row.h"

static sqlite3 *open_side(enum migrate_side side)
{
    struct ocop_error err = {0};
    sqlite3 *db = NULL;

    assert_int_equal(db_open(":memory:", true, false, NULL, &db, &err), OCOP_OK);
    if (migrate(db, side, NULL, &err) != OCOP_OK)
        fail_msg("%s", err.text);
    return db;
}

static const ProtobufCMessageDescriptor *const messages[] = {
    &ocop__unit__descriptor,        &ocop__officer__descriptor,
    &ocop__producer__descriptor,    &ocop__product__descriptor,
    &ocop__certificate__descriptor, &ocop__checklist__descriptor,
    &ocop__code_list__descriptor,   &ocop__inspection__descriptor,
    &ocop__sample__descriptor,      &ocop__environmental_check__descriptor,
    &ocop__replica__descriptor,     &ocop__registry__descriptor,
    &ocop__attachment__descriptor,
};

static void every_kind_has_its_message_and_number(void **state)
{
    (void)state;
    assert_int_equal(kind_count(), sizeof messages / sizeof *messages);
    assert_null(kind_at(kind_count()));
    assert_null(kind_by_number(0));
    assert_null(kind_by_number((uint32_t)kind_count() + 1));
    for (size_t i = 0; i < kind_count(); i++) {
        const struct kind *k = kind_at(i);
        assert_int_equal(k->number, i + 1);
        assert_ptr_equal(k->desc, messages[i]);
        assert_ptr_equal(kind_by_number(k->number), k);
        assert_ptr_equal(kind_by_name(k->name), k);
        assert_ptr_equal(kind_by_descriptor(k->desc), k);
        assert_string_equal(row_table(k->number), k->table);
    }
}

static bool type_allowed(const ProtobufCFieldDescriptor *d)
{
    return d->type == PROTOBUF_C_TYPE_INT32 || d->type == PROTOBUF_C_TYPE_INT64 ||
           d->type == PROTOBUF_C_TYPE_BOOL || d->type == PROTOBUF_C_TYPE_STRING ||
           d->type == PROTOBUF_C_TYPE_BYTES;
}

static bool is_int(const ProtobufCFieldDescriptor *d)
{
    return type_allowed(d) && d->type != PROTOBUF_C_TYPE_STRING && d->type != PROTOBUF_C_TYPE_BYTES;
}

/* Only checks that suit the type: a range needs an integer, a code or date a text. */
static bool check_suits(const struct field_rule *r, const ProtobufCFieldDescriptor *d)
{
    switch (r->check) {
    case CHECK_RANGE:
        return is_int(d) && r->lo <= r->hi;
    case CHECK_TEXT:
    case CHECK_NOTE:
        return d->type == PROTOBUF_C_TYPE_STRING && r->hi > 0;
    case CHECK_CODE:
        return d->type == PROTOBUF_C_TYPE_STRING && r->arg;
    case CHECK_DATE:
    case CHECK_DECIMAL:
        return d->type == PROTOBUF_C_TYPE_STRING;
    case CHECK_REF:
    case CHECK_BYTES:
        return d->type == PROTOBUF_C_TYPE_BYTES;
    case CHECK_LIST:
        return d->type == PROTOBUF_C_TYPE_MESSAGE && r->items && r->hi > 0;
    case CHECK_NONE:
        break;
    }
    return false;
}

static void hold_elements(const struct kind *k, const struct field_rule *list)
{
    const ProtobufCMessageDescriptor *m = list->desc->descriptor;
    unsigned rules = 0;

    for (const struct field_rule *r = list->items; r->number; r++, rules++) {
        const ProtobufCFieldDescriptor *d = protobuf_c_message_descriptor_get_field(m, r->number);
        assert_non_null(d);
        if (!type_allowed(d) || d->label != PROTOBUF_C_LABEL_OPTIONAL || !check_suits(r, d))
            fail_msg("%s.%s.%s: type or check", k->name, list->desc->name, d->name);
    }
    if (rules != m->n_fields)
        fail_msg("%s.%s: %u rules, %u fields", k->name, list->desc->name, rules, m->n_fields);
    /* The key comes first and is text or an id. */
    assert_int_equal(m->fields[0].id, 1);
    assert_false(is_int(&m->fields[0]));
    assert_true(list->items[0].flags & FIELD_REQUIRED);
}

static void every_field_has_its_rule_and_every_rule_its_field(void **state)
{
    size_t looked_at = 0;

    (void)state;
    for (size_t i = 0; i < kind_count(); i++) {
        const struct kind *k = kind_at(i);
        for (unsigned f = 0; f < k->desc->n_fields; f++)
            if (!kind_field(k, k->desc->fields[f].id))
                fail_msg("%s.%s has no rule in kinds.c", k->name, k->desc->fields[f].name);
        assert_int_equal(k->field_count, k->desc->n_fields);
        for (size_t f = 0; f < k->field_count; f++, looked_at++) {
            const struct field_rule *r = &k->fields[f];
            const ProtobufCFieldDescriptor *d =
                protobuf_c_message_descriptor_get_field(k->desc, r->number);
            assert_non_null(d);
            assert_ptr_equal(r->desc, d);
            assert_ptr_equal(kind_field_by_name(k, d->name), r);
            if (rule_is_list(r))
                hold_elements(k, r);
            else if (d->label != PROTOBUF_C_LABEL_OPTIONAL || !type_allowed(d))
                fail_msg("%s.%s has a type that a record cannot have", k->name, d->name);
            if (!check_suits(r, d))
                fail_msg("%s.%s: its check does not suit its type", k->name, d->name);
        }
    }
    assert_true(looked_at > 200);
}

static void numbers_1_to_7_mean_the_same_in_every_kind(void **state)
{
    static const char *const names[] = {"id",       "unit_id", "officer_id", "recorded_ms",
                                        "rule_set", "voided",  "void_reason"};
    const struct kind *first = kind_at(0);

    (void)state;
    for (size_t i = 0; i < kind_count(); i++) {
        const struct kind *k = kind_at(i);
        for (uint32_t n = 1; n < FIELD_KIND_FIRST; n++) {
            const struct field_rule *r = kind_field(k, n);
            if (n > sizeof names / sizeof *names) {
                assert_null(r);
                continue;
            }
            assert_non_null(r);
            assert_string_equal(r->desc->name, names[n - 1]);
            assert_int_equal(r->desc->type, kind_field(first, n)->desc->type);
            assert_int_equal(r->check, kind_field(first, n)->check);
        }
    }
}

static bool is_time(const ProtobufCFieldDescriptor *d)
{
    const size_t len = d ? strlen(d->name) : 0;

    return d && (strstr(d->name, "_date") || strncmp(d->name, "effective_", 10) == 0 ||
                 strncmp(d->name, "suspended_", 10) == 0 ||
                 (len > 3 && strcmp(d->name + len - 3, "_ms") == 0));
}

/* What belongs to a kind itself: fields that its orders and day name must be dates or moments. */
static void orders_and_days_name_dates(void **state)
{
    size_t looked_at = 0;

    (void)state;
    for (size_t i = 0; i < kind_count(); i++) {
        const struct kind *k = kind_at(i);
        for (const struct date_order *o = k->orders; o && o->first; o++, looked_at++) {
            const struct field_rule *list = o->list ? kind_field(k, o->list) : NULL;
            const ProtobufCMessageDescriptor *m = list ? list->desc->descriptor : k->desc;
            assert_true(is_time(protobuf_c_message_descriptor_get_field(m, o->second)));
            if (!o->within)
                m = k->desc;
            assert_true(is_time(protobuf_c_message_descriptor_get_field(m, o->first)));
            assert_non_null(o->text);
        }
        if (k->day_field)
            assert_non_null(kind_field(k, k->day_field));
    }
    assert_true(looked_at > 20);
}

static const char *column_type(const ProtobufCFieldDescriptor *d)
{
    if (is_int(d))
        return "INTEGER";
    return d->type == PROTOBUF_C_TYPE_BYTES ? "BLOB" : "TEXT";
}

static void hold_table(sqlite3 *db, const struct kind *k)
{
    static const char *const common[] = {"n",      "id",       "version", "born",
                                         "anchor", "versions", "extra"};
    size_t columns = 0, expected = sizeof common / sizeof *common + k->field_count - 1;
    sqlite3_stmt *stmt = NULL;

    assert_int_equal(
        sqlite3_prepare_v2(db, "SELECT name, type FROM pragma_table_info(?1)", -1, &stmt, NULL),
        SQLITE_OK);
    (void)sqlite3_bind_text(stmt, 1, k->table, -1, SQLITE_STATIC);
    for (; sqlite3_step(stmt) == SQLITE_ROW; columns++) {
        const char *name = (const char *)sqlite3_column_text(stmt, 0);
        const char *type = (const char *)sqlite3_column_text(stmt, 1);
        const struct field_rule *r;
        if (columns < sizeof common / sizeof *common) {
            assert_string_equal(name, common[columns]);
            continue;
        }
        r = kind_field_by_name(k, name);
        if (!r)
            fail_msg("column %s.%s has no field in records.proto", k->table, name);
        else if (strcmp(type, column_type(r->desc)) != 0)
            fail_msg("column %s.%s is %s, must be %s", k->table, name, type, column_type(r->desc));
    }
    (void)sqlite3_finalize(stmt);
    if (columns != expected)
        fail_msg("table %s has %zu columns, records.proto asks for %zu; add a migration", k->table,
                 columns, expected);
}

static void every_field_has_its_column_and_every_column_its_field(void **state)
{
    static const enum migrate_side sides[] = {MIGRATE_REGISTRY, MIGRATE_STORE};

    (void)state;
    for (size_t s = 0; s < 2; s++) {
        sqlite3 *db = open_side(sides[s]);
        for (size_t i = 0; i < kind_count(); i++)
            hold_table(db, kind_at(i));
        (void)sqlite3_close(db);
    }
}

static void every_statement_of_every_kind_is_understood_by_the_tables(void **state)
{
    struct ocop_error err = {0};
    sqlite3 *db = open_side(MIGRATE_STORE);
    struct rows *rows = NULL;

    (void)state;
    assert_int_equal(rows_open(db, &rows, &err), OCOP_OK);
    for (uint32_t kind = 1; kind <= kind_count() + 1; kind++) {
        sqlite3_stmt *stmt = NULL;
        char *sql = sqlite3_mprintf("SELECT %s FROM %s", row_columns(rows, kind), row_table(kind));
        assert_non_null(sql);
        assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
        (void)sqlite3_finalize(stmt);
        sqlite3_free(sql);
    }
    rows_close(rows);
    (void)sqlite3_close(db);
}

static void every_list_has_its_view(void **state)
{
    sqlite3 *db = open_side(MIGRATE_REGISTRY);
    size_t views = 0;

    (void)state;
    for (size_t i = 0; i < kind_count(); i++)
        for (size_t f = 0; f < kind_at(i)->field_count; f++) {
            const struct field_rule *r = &kind_at(i)->fields[f];
            const ProtobufCMessageDescriptor *m;
            sqlite3_stmt *stmt = NULL;
            char *sql;
            if (!rule_is_list(r))
                continue;
            views++;
            m = r->desc->descriptor;
            sql = sqlite3_mprintf("SELECT * FROM %s_%s", kind_at(i)->table, r->desc->name);
            if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK)
                fail_msg("%s: %s", sql, sqlite3_errmsg(db));
            assert_int_equal(sqlite3_column_count(stmt), m->n_fields + 1);
            assert_string_equal(sqlite3_column_name(stmt, 0), "record_id");
            for (unsigned c = 0; c < m->n_fields; c++)
                assert_string_equal(sqlite3_column_name(stmt, (int)c + 1), m->fields[c].name);
            (void)sqlite3_finalize(stmt);
            sqlite3_free(sql);
        }
    assert_true(views > 10);
    (void)sqlite3_close(db);
}

/* What `sql` gives in its only row, columns joined by |. */
static void expect_row(sqlite3 *db, const char *sql, const char *want)
{
    sqlite3_stmt *stmt = NULL;
    struct buf got;

    buf_init(&got, 4096);
    if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    for (int c = 0; c < sqlite3_column_count(stmt); c++) {
        const char *text = (const char *)sqlite3_column_text(stmt, c);
        buf_printf(&got, "%s%s", c ? "|" : "", text ? text : "NULL");
    }
    assert_string_equal(buf_cstr(&got), want);
    assert_int_equal(sqlite3_step(stmt), SQLITE_DONE);
    (void)sqlite3_finalize(stmt);
    buf_fini(&got);
}

/* Our connections distrust the schema; a tool of somebody else's trusts it. */
static void lists_are_rows_to_our_connections_and_to_other_tools(void **state)
{
    static const char *const findings =
        "INSERT INTO inspection (id, version, born, findings, participants) VALUES "
        "(zeroblob(16), 1, 1, '[{\"key\":\"k1\",\"description\":\"nước thải\","
        "\"fineVnd\":\"5000000\"}]', '[{\"key\":\"k2\",\"name\":\"An\",\"leader\":true}]')";

    (void)state;
    for (int trusted = 0; trusted < 2; trusted++) {
        sqlite3 *db = open_side(MIGRATE_REGISTRY);
        assert_int_equal(
            sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, trusted ? 1 : -1, (int *)NULL),
            SQLITE_OK);
        assert_int_equal(sqlite3_exec(db, findings, NULL, NULL, NULL), SQLITE_OK);
        expect_row(db,
                   "SELECT key, description, typeof(fine_vnd), fine_vnd, code "
                   "FROM inspection_findings WHERE record_id = zeroblob(16)",
                   "k1|nước thải|integer|5000000|NULL");
        expect_row(db, "SELECT name FROM inspection_participants WHERE leader", "An");
        (void)sqlite3_close(db);
    }
}

static void dump_schema(sqlite3 *db, struct buf *out)
{
    sqlite3_stmt *stmt = NULL;

    assert_int_equal(sqlite3_prepare_v2(db,
                                        "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL "
                                        "ORDER BY type DESC, name",
                                        -1, &stmt, NULL),
                     SQLITE_OK);
    while (sqlite3_step(stmt) == SQLITE_ROW) {
        buf_str(out, (const char *)sqlite3_column_text(stmt, 0));
        buf_str(out, ";\n\n");
    }
    (void)sqlite3_finalize(stmt);
    assert_true(out->len > 1000 && !out->failed);
}

static void read_file(const char *path, struct buf *out)
{
    FILE *f = fopen(path, "r");
    char part[4096];
    size_t n;

    if (!f)
        fail_msg("cannot read %s; run the tests from the top of the source tree", path);
    while (f && (n = fread(part, 1, sizeof part, f)) > 0)
        buf_put(out, part, n);
    if (f)
        (void)fclose(f);
}

static void the_schema_of_all_migrations_is_the_golden_one(void **state)
{
    static const struct {
        enum migrate_side side;
        const char *path;
    } sides[] = {{MIGRATE_REGISTRY, "tests/data/schema-registry.sql"},
                 {MIGRATE_STORE, "tests/data/schema-store.sql"}};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        sqlite3 *db = open_side(sides[i].side);
        struct buf is, must;
        buf_init(&is, 1 << 20);
        buf_init(&must, 1 << 20);
        dump_schema(db, &is);
        if (getenv("OCOP_WRITE_GOLDEN")) {
            FILE *f = fopen(sides[i].path, "w");
            assert_non_null(f);
            (void)fwrite(is.p, 1, is.len, f);
            (void)fclose(f);
        }
        read_file(sides[i].path, &must);
        if (!span_eq(buf_span(&is), buf_span(&must)))
            fail_msg("the migrations do not make %s; if that is meant, run this test with "
                     "OCOP_WRITE_GOLDEN=1 and look at the difference",
                     sides[i].path);
        buf_fini(&is);
        buf_fini(&must);
        (void)sqlite3_close(db);
    }
}

static int start(void **state)
{
    (void)state;
    kinds_init();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_has_its_message_and_number),
        cmocka_unit_test(every_field_has_its_rule_and_every_rule_its_field),
        cmocka_unit_test(numbers_1_to_7_mean_the_same_in_every_kind),
        cmocka_unit_test(orders_and_days_name_dates),
        cmocka_unit_test(every_field_has_its_column_and_every_column_its_field),
        cmocka_unit_test(every_statement_of_every_kind_is_understood_by_the_tables),
        cmocka_unit_test(every_list_has_its_view),
        cmocka_unit_test(lists_are_rows_to_our_connections_and_to_other_tools),
        cmocka_unit_test(the_schema_of_all_migrations_is_the_golden_one),
    };

    return cmocka_run_group_tests(tests, start, NULL);
}
