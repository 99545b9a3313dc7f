/* Records as fields: packed forms, comparison, difference, application, a change row-wise. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bounds.h"
#include "change.h"
#include "records.pb-c.h"
#include "values.h"

struct world {
    struct arena a;
    struct buf b;
    struct ocop_error err;
};

static int world_open(void **state)
{
    static struct world w;

    kinds_init();
    arena_init(&w.a, MIB(16));
    buf_init(&w.b, MIB(16));
    *state = &w;
    return 0;
}

static int world_close(void **state)
{
    struct world *w = *state;

    arena_fini(&w->a);
    buf_fini(&w->b);
    return 0;
}

static void ok(struct world *w, enum ocop_status status)
{
    if (status != OCOP_OK)
        fail_msg("%s %s: %s", err_name(status), w->err.field, w->err.text);
}

#define BYTES(...) span_of((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static const struct span no_key = {NULL, 0};

static struct field integer(uint32_t number, int64_t i)
{
    return (struct field){.number = number, .op = FIELD_SET, .type = VALUE_INT, .i = i};
}

static struct field element(uint32_t number, struct span packed)
{
    return (struct field){.number = number,
                          .op = FIELD_SET,
                          .type = VALUE_ELEMENT,
                          .key = element_key(packed),
                          .bytes = packed};
}

static struct field cleared(struct field f)
{
    f.op = FIELD_CLEAR;
    f.i = 0;
    f.bytes = no_key;
    return f;
}

#define FIELDS(array) ((struct fields){array, sizeof(array) / sizeof *(array)})

/* answers: question 1, answer 2, remark 3 */
#define ANSWER_A BYTES(0x0a, 1, 'a', 0x12, 2, 'o', 'k')
#define ANSWER_B BYTES(0x0a, 1, 'b', 0x12, 2, 'n', 'o')

static void a_record_is_read_into_sorted_fields_and_packed_canonically(void **state)
{
    struct world *w = *state;
    const struct kind *k = kind_by_number(KIND_INSPECTION);
    Ocop__Inspection m = OCOP__INSPECTION__INIT;
    Ocop__Answer second = OCOP__ANSWER__INIT, first = OCOP__ANSWER__INIT;
    Ocop__Answer *answers[] = {&second, &first};
    uint8_t packed[256], id_bytes[ID_LEN] = {1, 2, 3};
    struct fields f;
    struct id id;

    second.question = "b", second.answer = "no";
    first.question = "a", first.answer = "ok";
    m.has_id = 1, m.id = (ProtobufCBinaryData){ID_LEN, id_bytes};
    m.has_score = 1, m.score = -3;
    m.has_follow_up_required = 1, m.follow_up_required = 1;
    m.notes = "Hồ sơ";
    m.n_answers = 2, m.answers = answers;
    size_t len = ocop__inspection__pack(&m, packed);
    ok(w, record_unpack(k, span_of(packed, len), &w->a, &id, &f, &w->err));
    assert_memory_equal(id.b, id_bytes, ID_LEN);
    assert_int_equal(f.count, 5);
    assert_int_equal(fields_find(&f, 27, no_key)->i, -3);
    assert_int_equal(fields_find(&f, 35, no_key)->i, 1);
    assert_true(span_eq(f.v[1].bytes, ANSWER_A));
    assert_true(span_eq(f.v[2].bytes, ANSWER_B));
    assert_int_equal(f.v[1].type, VALUE_ELEMENT);
    assert_true(span_eq(fields_find(&f, 29, span_str("b"))->bytes, ANSWER_B));
    assert_null(fields_find(&f, 29, span_str("c")));

    ok(w, record_pack(&id, &f, &w->b, &w->err));
    m.answers = (Ocop__Answer *[]){&first, &second};
    uint8_t canonical[256];
    size_t canonical_len = ocop__inspection__pack(&m, canonical);
    assert_true(span_eq(buf_span(&w->b), span_of(canonical, canonical_len)));
}

static void what_is_unknown_is_kept_by_its_wire_type(void **state)
{
    struct world *w = *state;
    /* 60: an integer; 61: bytes; 62 twice with keys: a list; the last 61 comes first */
    struct span packed =
        BYTES(0xf2, 3, 3, 0x0a, 1, 'z', 0xe0, 3, 7, 0xea, 3, 1, 'x', 0xf2, 3, 3, 0x0a, 1, 'y');
    struct fields f;
    struct id id;

    for (int known = 0; known < 2; known++) {
        const struct kind *k = known ? kind_by_number(KIND_INSPECTION) : NULL;
        ok(w, record_unpack(k, packed, &w->a, &id, &f, &w->err));
        assert_int_equal(f.count, 4);
        assert_int_equal(f.v[0].i, 7);
        assert_int_equal(f.v[1].type, VALUE_BYTES);
        assert_int_equal(f.v[2].type, VALUE_ELEMENT);
        assert_true(span_eq(f.v[2].key, span_str("y")));
        assert_true(span_eq(f.v[3].key, span_str("z")));
        assert_true(id_is_zero(&id));
    }
}

static void elements_are_made_canonical(void **state)
{
    struct world *w = *state;
    /* field 9 before the key, an overlong varint, a repeated unknown field in its order */
    struct span packed = BYTES(0xea, 1, 17, 0x48, 0x81, 0, 0x3a, 1, 'q', 0x0a, 1, 'a', 0x3a, 1, 'p',
                               0x12, 2, 'o', 'k', 0x48, 5);
    struct fields f;
    struct id id;

    packed = span_of(memcpy(arena_alloc(&w->a, packed.len), packed.p, packed.len), packed.len);
    ((uint8_t *)(uintptr_t)packed.p)[2] = (uint8_t)(packed.len - 3);
    ok(w, record_unpack(kind_by_number(KIND_INSPECTION), packed, &w->a, &id, &f, &w->err));
    assert_true(span_eq(f.v[0].bytes, BYTES(0x0a, 1, 'a', 0x12, 2, 'o', 'k', 0x3a, 1, 'q', 0x3a, 1,
                                            'p', 0x48, 1, 0x48, 5)));
    assert_true(span_eq(f.v[0].key, span_str("a")));
}

static void malformed_records_are_refused(void **state)
{
    struct world *w = *state;
    static const struct {
        const char *what;
        uint8_t bytes[24];
        size_t len;
    } cases[] = {
        {"a tag alone", {0xd8, 1}, 2},
        {"bytes that are cut", {0xd2, 1, 5, 'a'}, 4},
        {"fixed64", {0xd9, 1, 0, 0, 0, 0, 0, 0, 0, 0}, 10},
        {"fixed32", {0xdd, 1, 0, 0, 0, 0}, 6},
        {"a group", {0xdb, 1, 0xdc, 1}, 4},
        {"field 0", {0, 1}, 2},
        {"a score twice", {0xd8, 1, 1, 0xd8, 1, 2}, 6},
        {"a score as bytes", {0xda, 1, 1, 'x'}, 4},
        {"a conclusion as an integer", {0xd0, 1, 1}, 3},
        {"answers as an integer", {0xe8, 1, 1}, 3},
        {"an id of 3 bytes", {0x0a, 3, 1, 2, 3}, 5},
        {"an element without a key", {0xea, 1, 3, 0x12, 1, 'x'}, 6},
        {"an empty key", {0xea, 1, 2, 0x0a, 0}, 5},
        {"one key twice", {0xea, 1, 3, 0x0a, 1, 'a', 0xea, 1, 3, 0x0a, 1, 'a'}, 12},
        {"a known field of an element twice",
         {0xea, 1, 9, 0x0a, 1, 'a', 0x12, 1, 'x', 0x12, 1, 'y'},
         12},
        {"an element that is cut", {0xea, 1, 4, 0x0a, 1, 'a', 0x12}, 7},
        {"a field of two types in an element",
         {0xea, 1, 8, 0x0a, 1, 'a', 0x3a, 1, 'x', 0x38, 1},
         11},
        {"a field above 63 in an element", {0xea, 1, 6, 0x0a, 1, 'a', 0x80, 4, 1}, 9},
    };
    struct fields f;
    struct id id;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        enum ocop_status st =
            record_unpack(kind_by_number(KIND_INSPECTION), span_of(cases[i].bytes, cases[i].len),
                          &w->a, &id, &f, &w->err);
        if (st != OCOP_EPROTO || f.count != 0)
            fail_msg("%s: %s", cases[i].what, err_name(st));
    }
}

static void too_long_a_list_is_refused(void **state)
{
    struct world *w = *state;
    struct fields f;
    struct id id;

    for (unsigned i = 0; i <= LIST_ITEMS_MAX; i++) {
        uint8_t e[] = {0xea, 1, 5, 0x0a, 3, 'k', (uint8_t)(i >> 8), (uint8_t)i};
        if (i == LIST_ITEMS_MAX)
            ok(w, record_unpack(kind_by_number(KIND_INSPECTION), buf_span(&w->b), &w->a, &id, &f,
                                &w->err));
        buf_put(&w->b, e, sizeof e);
    }
    assert_int_equal(f.count, LIST_ITEMS_MAX);
    assert_int_equal(
        record_unpack(kind_by_number(KIND_INSPECTION), buf_span(&w->b), &w->a, &id, &f, &w->err),
        OCOP_ELIMIT);
}

static void values_are_equal_after_normalisation(void **state)
{
    (void)state;
    const char *composed = "H\xc3\xb2 s\xc6\xa1", *decomposed = "Ho\xcc\x80 so\xcc\x9b";
    struct field ids[2] = {text(11, "\x01\xff\x02 0123456789ab"),
                           text(11, "\x01\xff\x02 0123456789ac")};
    struct field a = element(29, BYTES(0x0a, 1, 'a', 0x1a, 3, 0xc3, 0xb2, '!'));
    struct field b = element(29, BYTES(0x0a, 1, 'a', 0x1a, 4, 'o', 0xcc, 0x80, '!'));
    struct field c = element(29, BYTES(0x0a, 1, 'a', 0x1a, 2, 'o', '!'));
    struct field shorter = element(29, BYTES(0x0a, 1, 'a'));
    struct field x = text(34, composed), y = text(34, decomposed), z = text(34, "Ho so");
    struct field one = integer(27, 1), two = integer(27, 2), typed = text(27, "1");

    assert_true(field_value_equal(&x, &y));
    assert_false(field_value_equal(&x, &z));
    assert_false(field_value_equal(&ids[0], &ids[1]));
    assert_true(field_value_equal(&a, &b));
    assert_false(field_value_equal(&a, &c));
    assert_false(field_value_equal(&a, &shorter));
    assert_false(field_value_equal(&shorter, &a));
    assert_true(field_value_equal(&one, &one));
    assert_false(field_value_equal(&one, &two));
    assert_false(field_value_equal(&one, &typed));
}

static void a_difference_applied_gives_what_it_was_made_from(void **state)
{
    struct world *w = *state;
    struct field from_v[] = {text(20, "BB-1"), integer(27, 70), element(29, ANSWER_A),
                             element(29, ANSWER_B), text(34, "cũ")};
    struct field changed_b = element(29, BYTES(0x0a, 1, 'b', 0x12, 2, 'o', 'k'));
    struct field to_v[] = {text(20, "BB-1"), integer(23, 5), changed_b, text(34, "mới")};
    struct fields from = FIELDS(from_v), to = FIELDS(to_v), diff, after;

    ok(w, fields_diff(&from, &to, 9, &w->a, &diff, &w->err));
    static const struct {
        uint32_t number;
        uint8_t op;
    } expected[] = {
        {23, FIELD_SET}, {27, FIELD_CLEAR}, {29, FIELD_CLEAR}, {29, FIELD_SET}, {34, FIELD_SET}};
    assert_int_equal(diff.count, 5);
    for (size_t i = 0; i < diff.count; i++) {
        assert_int_equal(diff.v[i].number, expected[i].number);
        assert_int_equal(diff.v[i].op, expected[i].op);
        assert_int_equal(diff.v[i].base, 9);
    }
    ok(w, fields_apply(&from, &diff, 12, false, &w->a, &after, &w->err));
    assert_int_equal(after.count, to.count);
    for (size_t i = 0; i < to.count; i++) {
        assert_int_equal(field_cmp(&after.v[i], &to.v[i]), 0);
        assert_true(field_value_equal(&after.v[i], &to.v[i]));
        assert_int_equal(after.v[i].base, i == 0 ? 0 : 12);
    }
    ok(w, fields_diff(&after, &to, 0, &w->a, &diff, &w->err));
    assert_int_equal(diff.count, 0);
}

static void a_cleared_path_leaves_a_marker_where_one_is_wanted(void **state)
{
    struct world *w = *state;
    struct field state_v[] = {integer(27, 70), element(29, ANSWER_A)};
    struct field change_v[] = {cleared(element(29, ANSWER_A))}, again_v[] = {element(29, ANSWER_A)};
    struct fields st = FIELDS(state_v), change = FIELDS(change_v), again = FIELDS(again_v), out,
                  back;

    ok(w, fields_apply(&st, &change, 12, true, &w->a, &out, &w->err));
    assert_int_equal(out.count, 2);
    assert_int_equal(out.v[1].op, FIELD_CLEAR);
    assert_int_equal(out.v[1].base, 12);
    struct fields diff;
    ok(w, fields_diff(&out, &again, 0, &w->a, &diff, &w->err));
    assert_int_equal(diff.count, 2); /* a marker is nothing: the score goes, the answer comes */
    assert_int_equal(diff.v[1].op, FIELD_SET);
    ok(w, fields_apply(&out, &again, 13, true, &w->a, &back, &w->err));
    assert_int_equal(back.v[1].op, FIELD_SET);
    ok(w, record_pack(&(struct id){{0}}, &out, &w->b, &w->err));
    assert_true(span_eq(buf_span(&w->b), BYTES(0xd8, 1, 70)));
}

static void fields_with_one_path_twice_do_not_sort(void **state)
{
    (void)state;
    struct field v[] = {text(34, "x"), integer(27, 1), element(29, ANSWER_B),
                        element(29, ANSWER_A)};
    struct fields f = FIELDS(v);

    assert_true(fields_sort(&f));
    assert_int_equal(f.v[0].number, 27);
    assert_true(span_eq(f.v[1].key, span_str("a")));
    assert_int_equal(f.v[3].number, 34);
    v[2] = v[1];
    assert_false(fields_sort(&f));
}

static void a_change_comes_back_from_its_row(void **state)
{
    struct world *w = *state;
    struct field v[] = {integer(23, -5), integer(24, INT64_MAX), text(26, ""),
                        cleared(integer(27, 1)), element(29, ANSWER_A)};
    uint8_t of_case[ID_LEN] = {4};
    struct change c = {.kind = KIND_INSPECTION,
                       .verb = VERB_AMEND,
                       .record = {{1}},
                       .author = {{2}},
                       .device_time_ms = -7,
                       .reason = span_str("Sửa"),
                       .case_id = span_of(of_case, ID_LEN),
                       .base = UINT64_C(1) << 40,
                       .fields = FIELDS(v)},
                  back;

    v[4].base = 77;
    ok(w, change_pack(&c, &w->b, &w->err));
    ok(w, change_unpack(buf_span(&w->b), &w->a, &back, &w->err));
    assert_int_equal(back.kind, c.kind);
    assert_int_equal(back.verb, c.verb);
    assert_true(id_eq(&back.record, &c.record) && id_eq(&back.author, &c.author));
    assert_int_equal(back.device_time_ms, -7);
    assert_true(span_eq(back.reason, c.reason) && span_eq(back.case_id, c.case_id));
    assert_int_equal(back.base, c.base);
    assert_int_equal(back.fields.count, 5);
    for (size_t i = 0; i < 5; i++) {
        const struct field *x = &v[i], *y = &back.fields.v[i];
        assert_int_equal(field_cmp(x, y), 0);
        assert_true(x->op == y->op && x->type == y->type && x->i == y->i && x->base == y->base);
        assert_true(span_eq(x->bytes, y->bytes));
    }
    for (size_t len = 0; len < w->b.len; len++) {
        enum ocop_status st = change_unpack(span_of(w->b.p, len), &w->a, &back, NULL);
        assert_true(st == OCOP_OK || st == OCOP_EPROTO); /* whole members may be missing */
    }
    assert_int_equal(change_unpack(BYTES(0x0a, 1, 'x'), &w->a, &back, &w->err), OCOP_EPROTO);
    assert_int_equal(change_unpack(BYTES(0x4a, 2, 0x08, 9), &w->a, &back, &w->err), OCOP_EPROTO);
}

static void parts_of_an_element_are_found(void **state)
{
    (void)state;
    struct field f;

    assert_true(element_get(ANSWER_A, 2, &f));
    assert_true(span_eq(f.bytes, span_str("ok")));
    assert_false(element_get(ANSWER_A, 3, &f));
    assert_true(span_eq(element_key(ANSWER_B), span_str("b")));
    assert_int_equal(element_key(BYTES(0x12, 1, 'x')).len, 0);
    assert_int_equal(element_key(BYTES(0x0a, 9, 'x')).len, 0);
    assert_int_equal(element_key(no_key).len, 0);
}

static void paths_have_names_a_person_can_read(void **state)
{
    (void)state;
    const struct kind *k = kind_by_number(KIND_INSPECTION);
    char out[120];
    uint8_t id[ID_LEN] = {1, 2, 3, 4, 5, 6, 0x87, 8, 0x89, 10, 11, 12, 0, 0, 0, 1};
    struct field score = integer(27, 1), answer = element(29, ANSWER_A), unknown = integer(60, 1);
    struct field finding = {.number = 30, .type = VALUE_ELEMENT, .key = span_of(id, ID_LEN)};
    struct field raw = {.number = 61, .type = VALUE_ELEMENT, .key = BYTES(0xff, 1)};

    assert_string_equal(field_path(k, &score, out, sizeof out), "score");
    assert_string_equal(field_path(k, &answer, out, sizeof out), "answers[a]");
    assert_string_equal(field_path(k, &finding, out, sizeof out),
                        "findings[01020304-0506-8708-890a-0b0c00000001]");
    assert_string_equal(field_path(k, &unknown, out, sizeof out), "field 60");
    assert_string_equal(field_path(NULL, &raw, out, sizeof out), "field 61[ff01]");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_open, world_close)
    const struct CMUnitTest tests[] = {
        TEST(a_record_is_read_into_sorted_fields_and_packed_canonically),
        TEST(what_is_unknown_is_kept_by_its_wire_type),
        TEST(elements_are_made_canonical),
        TEST(malformed_records_are_refused),
        TEST(too_long_a_list_is_refused),
        TEST(values_are_equal_after_normalisation),
        TEST(a_difference_applied_gives_what_it_was_made_from),
        TEST(a_cleared_path_leaves_a_marker_where_one_is_wanted),
        TEST(fields_with_one_path_twice_do_not_sort),
        TEST(a_change_comes_back_from_its_row),
        TEST(parts_of_an_element_are_found),
        TEST(paths_have_names_a_person_can_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
