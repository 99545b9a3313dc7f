/* The canonical JSON of lists and records, and what people write. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bounds.h"
#include "json.h"

#define UUID "01020304-0506-8708-890a-0b0c0000000f"

static struct arena arena;
static struct ocop_error err;

static int start(void **state)
{
    (void)state;
    kinds_init();
    arena_init(&arena, MIB(64));
    return 0;
}

static int end(void **state)
{
    (void)state;
    arena_fini(&arena);
    return 0;
}

static const struct field_rule *list_of(uint32_t kind, uint32_t number)
{
    return kind_field(kind_by_number(kind), number);
}

static void ok(enum ocop_status status)
{
    if (status != OCOP_OK)
        fail_msg("%s %s: %s", err_name(status), err.field, err.text);
}

static void fixed_random(void *self, void *out, size_t len)
{
    (void)self;
    memset(out, 0x11, len);
}

static const struct env env = {.random = fixed_random};

/* Read canonical text, write it again: the same bytes. */
static void round_trip(uint32_t kind, uint32_t number, const char *json, size_t elements)
{
    const struct field_rule *list = list_of(kind, number);
    struct fields f;
    struct buf out;

    buf_init(&out, MIB(1));
    if (json_list_read(list, span_str(json), &arena, &f, &err) != OCOP_OK)
        fail_msg("not read: %s", json);
    assert_int_equal(f.count, elements);
    for (size_t i = 0; i < f.count; i++) {
        assert_int_equal(f.v[i].number, number);
        assert_int_equal(f.v[i].type, VALUE_ELEMENT);
        assert_true(span_eq(f.v[i].key, element_key(f.v[i].bytes)));
    }
    ok(json_list_write(list, f.v, f.count, &out, &err));
    assert_string_equal(buf_cstr(&out), json);
    buf_fini(&out);
}

static void canonical_lists_come_back_byte_for_byte(void **state)
{
    static const struct {
        uint32_t kind, number;
        const char *json;
        size_t elements;
    } cases[] = {
        {KIND_INSPECTION, 29, "[]", 0},
        {KIND_INSPECTION, 29, "[{\"question\":\"NC.1\"}]", 1},
        {KIND_INSPECTION, 29,
         "[{\"question\":\"NC.1\",\"answer\":\"pass\"},{\"question\":\"NC.10\",\"answer\":\"fail\","
         "\"remark\":\"Rượu \\\"đục\\\" \\\\ {[\\u000adòng\\u0009hai\\u001f\"}]",
         2},
        {KIND_INSPECTION, 29, "[{\"question\":\"a\",\"remark\":\"\"}]", 1},
        {KIND_INSPECTION, 30,
         "[{\"key\":\"" UUID "\",\"description\":\"x\",\"deadlineDate\":\"2026-08-05\","
         "\"fineVnd\":\"-9223372036854775808\"}]",
         1},
        {KIND_INSPECTION, 30, "[{\"key\":\"AQID\",\"fineVnd\":\"9223372036854775807\"}]", 1},
        {KIND_INSPECTION, 30, "[{\"key\":\"AQI=\",\"fineVnd\":\"0\"},{\"key\":\"AgM=\"}]", 2},
        {KIND_INSPECTION, 31, "[{\"key\":\"AQ==\",\"officerId\":\"" UUID "\"}]", 1},
        {KIND_CHECKLIST, 18,
         "[{\"question\":\"a\",\"position\":-2147483648,\"required\":false},"
         "{\"question\":\"b\",\"position\":2147483647,\"required\":true},"
         "{\"question\":\"c\",\"position\":0}]",
         3},
        {KIND_INSPECTION, 29, "[{\"question\":\"a\",\"_unknown\":\"IgNuZXcoBw==\"}]", 1},
        {KIND_CODE_LIST, 12, "[{\"code\":\"a\",\"supersededBy\":\"b\"}]", 1},
        {KIND_REGISTRY, 12, "[{\"lineage\":\"01020304-0506-8708-890a-0b0c0000000f\"}]", 1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        round_trip(cases[i].kind, cases[i].number, cases[i].json, cases[i].elements);
}

static void what_is_not_canonical_is_damaged(void **state)
{
    static const struct {
        uint32_t kind, number;
        const char *json;
    } cases[] = {
        {KIND_INSPECTION, 29, ""},
        {KIND_INSPECTION, 29, "["},
        {KIND_INSPECTION, 29, "[]x"},
        {KIND_INSPECTION, 29, " []"},
        {KIND_INSPECTION, 29, "{}"},
        {KIND_INSPECTION, 29, "[{}]"},
        {KIND_INSPECTION, 29, "[{\"question\":\"a\"},]"},
        {KIND_INSPECTION, 29, "[{\"question\":\"a\",}]"},
        {KIND_INSPECTION, 29, "[{\"question\":\"a\"}"},
        {KIND_INSPECTION, 29, "[{\"question\":\"a\"}{\"question\":\"b\"}]"},
        {KIND_INSPECTION, 29, "[{\"question\": \"a\"}]"},
        {KIND_INSPECTION, 29, "[{\"question\":\"\"}]"},
        {KIND_INSPECTION, 29, "[{\"answer\":\"pass\"}]"},
        {KIND_INSPECTION, 29, "[{\"answer\":\"pass\",\"question\":\"a\"}]"},
        {KIND_INSPECTION, 29, "[{\"question\":\"a\",\"question\":\"a\"}]"},
        {KIND_INSPECTION, 29, "[{\"question\":\"b\"},{\"question\":\"a\"}]"},
        {KIND_INSPECTION, 29, "[{\"question\":\"a\"},{\"question\":\"a\"}]"},
        {KIND_INSPECTION, 29, "[{\"question\":\"a\",\"other\":\"x\"}]"},
        {KIND_INSPECTION, 29, "[{\"question\":1}]"},
        {KIND_INSPECTION, 29, "[{\"question\":null}]"},
        {KIND_INSPECTION, 29, "[{\"question\":\"a\\n\"}]"},
        {KIND_INSPECTION, 29, "[{\"question\":\"a\\/\"}]"},
        {KIND_INSPECTION, 29, "[{\"question\":\"a\n\"}]"},
        {KIND_INSPECTION, 29, "[{\"question\":\"\\u0000\"}]"},
        {KIND_INSPECTION, 29, "[{\"question\":\"\\u001F\"}]"},
        {KIND_INSPECTION, 29, "[{\"question\":\"\\u0041\"}]"},
        {KIND_INSPECTION, 29, "[{\"question\":\"a\\u00\"}]"},
        {KIND_INSPECTION, 29, "[{\"question\":\"a\\"},
        {KIND_INSPECTION, 29, "[{\"question\":\"\xff\"}]"},
        {KIND_INSPECTION, 29, "[{\"question\":\"a\",\"_unknown\":\"\"}]"},
        {KIND_INSPECTION, 29, "[{\"question\":\"a\",\"_unknown\":\"IgNuZXcoBw\"}]"},
        {KIND_INSPECTION, 29, "[{\"question\":\"a\",\"_unknown\":\"IgNuZXc=\",\"answer\":\"x\"}]"},
        {KIND_INSPECTION, 29, "[{\"question\":\"a\",\"_unknown\":\"Cgdh\"}]"},
        {KIND_INSPECTION, 29, "[{\"_unknown\":\"IgNuZXc=\"}]"},
        {KIND_INSPECTION, 30, "[{\"key\":\"01020304-0506-8708-890A-0b0c0000000f\"}]"},
        {KIND_INSPECTION, 30, "[{\"key\":\"AQIDBAUGhwiJCgsMAAAADw==\"}]"},
        {KIND_INSPECTION, 30, "[{\"key\":\"AR==\"}]"},
        {KIND_INSPECTION, 30, "[{\"key\":\"AQ=\"}]"},
        {KIND_INSPECTION, 30, "[{\"key\":\"A===\"}]"},
        {KIND_INSPECTION, 30, "[{\"key\":\"====\"}]"},
        {KIND_INSPECTION, 30, "[{\"key\":\"AQ==\",\"fineVnd\":1}]"},
        {KIND_INSPECTION, 30, "[{\"key\":\"AQ==\",\"fineVnd\":\"01\"}]"},
        {KIND_INSPECTION, 30, "[{\"key\":\"AQ==\",\"fineVnd\":\"-0\"}]"},
        {KIND_INSPECTION, 30, "[{\"key\":\"AQ==\",\"fineVnd\":\"-\"}]"},
        {KIND_INSPECTION, 30, "[{\"key\":\"AQ==\",\"fineVnd\":\"9223372036854775808\"}]"},
        {KIND_INSPECTION, 30, "[{\"key\":\"AQ==\",\"fineVnd\":\"-9223372036854775809\"}]"},
        {KIND_INSPECTION, 30, "[{\"key\":\"AQ==\",\"fineVnd\":\"99999999999999999999\"}]"},
        {KIND_CHECKLIST, 18, "[{\"question\":\"a\",\"position\":2147483648}]"},
        {KIND_CHECKLIST, 18, "[{\"question\":\"a\",\"position\":\"1\"}]"},
        {KIND_CHECKLIST, 18, "[{\"question\":\"a\",\"position\":1.0}]"},
        {KIND_CHECKLIST, 18, "[{\"question\":\"a\",\"required\":1}]"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fields f;
        if (json_list_read(list_of(cases[i].kind, cases[i].number), span_str(cases[i].json), &arena,
                           &f, &err) != OCOP_EDAMAGED)
            fail_msg("not refused: %s", cases[i].json);
        assert_int_equal(f.count, 0);
    }
}

/* Cut anywhere, in memory of exactly that size so that a sanitizer sees a read beyond. */
static void a_list_cut_anywhere_is_damaged(void **state)
{
    static const char json[] = "[{\"question\":\"a\",\"answer\":\"\\u000b\\\\\",\"_unknown\":"
                               "\"IgNuZXc=\"},{\"question\":\"b\"}]";

    (void)state;
    for (size_t len = 1; len < sizeof json - 1; len++) {
        struct fields f;
        char *part = malloc(len);
        assert_non_null(part);
        memcpy(part, json, len);
        assert_int_equal(
            json_list_read(list_of(KIND_INSPECTION, 29), span_of(part, len), &arena, &f, &err),
            OCOP_EDAMAGED);
        free(part);
    }
}

/* A program that has learnt field 2 reads what an older one kept as unknown. */
static void what_was_unknown_takes_its_place_when_it_is_known(void **state)
{
    struct fields f;
    struct buf out;

    (void)state;
    buf_init(&out, KIB(4));
    ok(json_list_read(list_of(KIND_INSPECTION, 29),
                      span_str("[{\"question\":\"a\",\"remark\":\"r\",\"_unknown\":"
                               "\"EgRwYXNzIgNuZXc=\"}]"),
                      &arena, &f, &err));
    ok(json_list_write(list_of(KIND_INSPECTION, 29), f.v, f.count, &out, &err));
    assert_string_equal(buf_cstr(&out), "[{\"question\":\"a\",\"answer\":\"pass\",\"remark\":\"r\","
                                        "\"_unknown\":\"IgNuZXc=\"}]");
    buf_fini(&out);
}

static void cleared_elements_are_left_out_and_foreign_bytes_refused(void **state)
{
    static const struct {
        const char *key, *packed;
        enum ocop_status status;
    } cases[] = {
        {"a",
         "\n\x01"
         "a",
         OCOP_OK},
        {"b",
         "\n\x01"
         "a",
         OCOP_EINVAL}, /* another key */
        {"a",
         "\x12\x01"
         "a",
         OCOP_EINVAL},          /* none */
        {"a", "", OCOP_EINVAL}, /* empty */
        {"a",
         "\n\x09"
         "a",
         OCOP_EPROTO}, /* cut */
        {"a",
         "\n\x01"
         "a\x1a\x01x\x12\x01y",
         OCOP_EINVAL}, /* order */
        {"a",
         "\n\x01"
         "a\x12\x01x\x12\x01y",
         OCOP_EINVAL}, /* twice */
        {"a",
         "\n\x01"
         "a\x13",
         OCOP_EPROTO}, /* a group */
        {"a",
         "\n\x01"
         "a\x12\x01\xff",
         OCOP_EINVAL}, /* not UTF-8 */
        {"a",
         "\n\x01"
         "a\x10\x05",
         OCOP_EINVAL}, /* a number for text */
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct field f[] = {
            {.number = 29, .op = FIELD_CLEAR, .type = VALUE_ELEMENT, .key = span_str("0")},
            {.number = 29,
             .op = FIELD_SET,
             .type = VALUE_ELEMENT,
             .key = span_str(cases[i].key),
             .bytes = span_str(cases[i].packed)}};
        struct buf out;
        buf_init(&out, KIB(1));
        if (json_list_write(list_of(KIND_INSPECTION, 29), f, 2, &out, &err) != cases[i].status)
            fail_msg("case %zu: %s", i, err.text);
        if (cases[i].status == OCOP_OK)
            assert_string_equal(buf_cstr(&out), "[{\"question\":\"a\"}]");
        buf_fini(&out);
    }
}

static void a_list_has_a_limit_when_written_and_when_read(void **state)
{
    static struct field f[LIST_ITEMS_MAX + 1];
    struct fields back;
    struct buf out;

    (void)state;
    buf_init(&out, MIB(1));
    for (int i = 0; i <= LIST_ITEMS_MAX; i++) {
        f[i] = (struct field){.number = 29, .op = FIELD_SET, .type = VALUE_ELEMENT};
        f[i].bytes = span_str(arena_printf(&arena, "\n\x04%04d", i));
        f[i].key = element_key(f[i].bytes);
    }
    ok(json_list_write(list_of(KIND_INSPECTION, 29), f, LIST_ITEMS_MAX, &out, &err));
    ok(json_list_read(list_of(KIND_INSPECTION, 29), buf_span(&out), &arena, &back, &err));
    assert_int_equal(back.count, LIST_ITEMS_MAX);
    out.len--;
    buf_str(&out, ",{\"question\":\"1000\"}]");
    assert_int_equal(
        json_list_read(list_of(KIND_INSPECTION, 29), buf_span(&out), &arena, &back, &err),
        OCOP_EDAMAGED);
    buf_clear(&out);
    assert_int_equal(
        json_list_write(list_of(KIND_INSPECTION, 29), f, LIST_ITEMS_MAX + 1, &out, &err),
        OCOP_ELIMIT);
    buf_fini(&out);
    buf_init(&out, 100);
    assert_int_equal(json_list_write(list_of(KIND_INSPECTION, 29), f, 50, &out, &err), OCOP_ELIMIT);
    buf_fini(&out);
}

static const char record_json[] =
    "{\"id\":\"" UUID "\",\"unitId\":\"" UUID "\",\"recordedMs\":\"1785913380000\","
    "\"voided\":false,\"facility\":\"Hợp tác xã\",\"latE6\":21028511,\"answers\":["
    "{\"question\":\"NC.1\",\"answer\":\"pass\"}],\"_unknown\":\"4AMH\"}";

static void a_record_comes_back_from_its_json(void **state)
{
    const struct kind *k = kind_by_number(KIND_INSPECTION);
    struct fields f, again;
    struct buf out, pretty;
    struct id id;

    (void)state;
    buf_init(&out, KIB(16));
    buf_init(&pretty, KIB(16));
    ok(json_to_fields(k, span_str(record_json), NULL, NULL, &arena, &id, &f, &err));
    assert_int_equal(f.count, 7);
    ok(json_from_fields(k, &id, &f, false, &out, &err));
    assert_string_equal(buf_cstr(&out), record_json);
    ok(json_from_fields(k, &id, &f, true, &pretty, &err));
    assert_non_null(strstr(buf_cstr(&pretty), "{\n  \"id\": \"" UUID "\",\n"));
    assert_non_null(strstr(buf_cstr(&pretty), "\"answers\": [\n    {\n      \"question\""));
    ok(json_to_fields(k, buf_span(&pretty), NULL, NULL, &arena, &id, &again, &err));
    buf_clear(&out);
    ok(json_from_fields(k, &id, &again, false, &out, &err));
    assert_string_equal(buf_cstr(&out), record_json);
    buf_clear(&out);
    ok(json_from_fields(NULL, &id, &(struct fields){f.v, 1}, false, &out, &err));
    assert_string_equal(buf_cstr(&out),
                        "{\"id\":\"" UUID "\",\"_unknown\":\"EhABAgMEBQaHCIkKCwwAAAAP\"}");
    buf_fini(&out);
    buf_fini(&pretty);
}

/* Many ways to write one value. */
static void what_people_write_is_understood(void **state)
{
    static const struct {
        const char *json;
        uint32_t number;
        int64_t i;
        const char *bytes;
    } cases[] = {
        {"{\"score\":80}", 27, 80, NULL},
        {"{\"score\":\"80\"}", 27, 80, NULL},
        {"{\"recorded_ms\":5}", 4, 5, NULL},
        {"{\"recordedMs\":\"5\"}", 4, 5, NULL},
        {"{\"recordedMs\":\"2026-08-05T14:03:00+07:00\"}", 4, 1785913380000, NULL},
        {"{\"recordedMs\":\"2026-08-05T07:03:00.250Z\"}", 4, 1785913380250, NULL},
        {"{\"recordedMs\":\"1969-12-31T23:59:59Z\"}", 4, -1000, NULL},
        {"{\"recordedMs\":\"2024-02-29T00:00:00-01:30\"}", 4, 1709170200000, NULL},
        {"{\"voided\":true}", 6, 1, NULL},
        {"{\"voided\":\"true\"}", 6, 1, NULL},
        {"{\"voided\":\"false\"}", 6, 0, NULL},
        {"{\"latE6\":21028511}", 23, 21028511, NULL},
        {"{\"latE6\":21.028511}", 23, 21028511, NULL},
        {"{\"lonE6\":-105.8}", 24, -105800000, NULL},
        {"{\"lon_e6\":\"105.8\"}", 24, 105800000, NULL},
        {"{\"facility\":\"Cơ sở\"}", 12, 0, "Cơ sở"},
        {"{\"facility\":\"\"}", 12, 0, ""},
        {"{\"unitId\":\"0102030405068708890a0b0c0000000f\"}", 2, 0,
         "\x01\x02\x03\x04\x05\x06\x87\x08\x89\x0a\x0b\x0c"},
    };
    const struct kind *k = kind_by_number(KIND_INSPECTION);

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fields f;
        struct id id;
        ok(json_to_fields(k, span_str(cases[i].json), NULL, NULL, &arena, &id, &f, &err));
        assert_int_equal(f.count, 1);
        assert_int_equal(f.v[0].number, cases[i].number);
        assert_int_equal(f.v[0].op, FIELD_SET);
        if (cases[i].bytes)
            assert_memory_equal(f.v[0].bytes.p, cases[i].bytes, strlen(cases[i].bytes));
        else if (f.v[0].i != cases[i].i)
            fail_msg("%s gave %lld", cases[i].json, (long long)f.v[0].i);
        assert_true(id_is_zero(&id));
    }
}

static void what_cannot_be_understood_is_explained(void **state)
{
    static const struct {
        const char *json, *field, *says;
    } cases[] = {
        {"", "", "not JSON"},
        {"{\"score\":1,\"score\":2}", "", "not JSON"},
        {"[]", "", "object"},
        {"{\"scoer\":1}", "scoer", "did you mean score?"},
        {"{\"inspectedDay\":1}", "inspectedDay", "did you mean inspectedDate?"},
        {"{\"score\":1,\"lot_code\":\"a\",\"lotCode\":\"a\"}", "lotCode", "stands twice"},
        {"{\"score\":1.5}", "score", "a whole number"},
        {"{\"score\":\"ten\"}", "score", "a whole number"},
        {"{\"score\":true}", "score", "a whole number"},
        {"{\"score\":3000000000}", "score", "between"},
        {"{\"score\":99999999999999999999}", "", "not JSON"},
        {"{\"voided\":1}", "voided", "true or false"},
        {"{\"recordedMs\":\"yesterday\"}", "recordedMs", "2026-08-05T14:03:00+07:00"},
        {"{\"recordedMs\":\"2026-02-30T00:00:00Z\"}", "recordedMs", "must be"},
        {"{\"recordedMs\":\"2026-08-05T24:00:00Z\"}", "recordedMs", "must be"},
        {"{\"recordedMs\":\"2026-08-05T14:03:00\"}", "recordedMs", "must be"},
        {"{\"recordedMs\":\"2026-08-05T14:03:00+07:00x\"}", "recordedMs", "must be"},
        {"{\"latE6\":1e300}", "latE6", "degree"},
        {"{\"latE6\":\"north\"}", "latE6", "degree"},
        {"{\"facility\":5}", "facility", "text"},
        {"{\"unitId\":\"Hanoi\"}", "unitId", "an id"},
        {"{\"id\":\"AQID\"}", "id", "an id"},
        {"{\"id\":null}", "id", "an id"},
        {"{\"answers\":{}}", "answers", "a list"},
        {"{\"answers\":null}", "answers", "a list"},
        {"{\"answers\":[5]}", "answers[0]", "an object"},
        {"{\"answers\":[{\"answer\":\"pass\"}]}", "answers[0]", "question"},
        {"{\"answers\":[{\"question\":\"\"}]}", "answers[0]", "key"},
        {"{\"answers\":[{\"question\":\"a\"},{\"question\":\"a\"}]}", "", "same key"},
        {"{\"answers\":[{\"question\":\"a\",\"anser\":\"x\"}]}", "answers[0].anser",
         "did you mean answer?"},
        {"{\"findings\":[{\"key\":\"AQ==\"},{\"key\":\"Ag==\",\"fineVnd\":[]}]}",
         "findings[1].fineVnd", "a whole number"},
        {"{\"findings\":[{\"clause\":\"1\"}]}", "findings[0]", "key"},
        {"{\"_unknown\":5}", "_unknown", "base64"},
        {"{\"_unknown\":\"EgF4\"}", "_unknown", "does not know"},
    };
    const struct kind *k = kind_by_number(KIND_INSPECTION);

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fields f;
        struct id id;
        err = (struct ocop_error){0};
        if (json_to_fields(k, span_str(cases[i].json), NULL, NULL, &arena, &id, &f, &err) !=
                OCOP_EINVAL ||
            strcmp(err.field, cases[i].field) != 0 || !strstr(err.text, cases[i].says))
            fail_msg("%s gave \"%s\": %s", cases[i].json, err.field, err.text);
        assert_int_equal(f.count, 0);
    }
}

static void depth_and_size_of_input_are_limited(void **state)
{
    const struct kind *k = kind_by_number(KIND_INSPECTION);
    size_t len = 8 * RECORD_BYTES_MAX + 1;
    char *deep = malloc(len);
    struct fields f;
    struct id id;

    (void)state;
    assert_non_null(deep);
    memset(deep, '[', len);
    assert_int_equal(json_to_fields(k, span_of(deep, len), NULL, NULL, &arena, &id, &f, &err),
                     OCOP_ELIMIT);
    assert_int_equal(json_to_fields(k, span_of(deep, len - 1), NULL, NULL, &arena, &id, &f, &err),
                     OCOP_EINVAL);
    free(deep);
}

static void null_clears_and_a_missing_key_is_made(void **state)
{
    const struct kind *k = kind_by_number(KIND_INSPECTION);
    struct id_source ids;
    struct fields f;
    struct id id;

    (void)state;
    id_source_init(&ids, &env);
    ok(json_to_fields(k, span_str("{\"score\":null,\"findings\":[{\"clause\":\"1\"},{}]}"), &ids,
                      &env, &arena, &id, &f, &err));
    assert_int_equal(f.count, 3);
    assert_int_equal(f.v[0].op, FIELD_CLEAR);
    assert_int_equal(f.v[0].type, VALUE_INT);
    assert_int_equal(f.v[1].key.len, ID_LEN);
    assert_false(span_eq(f.v[1].key, f.v[2].key));
}

/* Each assignment is made on what the ones before left. */
static void assignments_set_add_and_clear(void **state)
{
    static const struct {
        const char *text, *json;
    } cases[] = {
        {"conclusion=pass", "\"conclusion\":\"pass\""},
        {"score=80", "\"conclusion\":\"pass\",\"score\":80"},
        {"conclusion=a=b", "\"conclusion\":\"a=b\",\"score\":80"},
        {"conclusion=", "\"score\":80"},
        {"answers[b].answer=fail",
         "\"score\":80,\"answers\":[{\"question\":\"b\",\"answer\":\"fail\"}]"},
        {"answers[b].remark=x", "\"score\":80,\"answers\":[{\"question\":\"b\",\"answer\":\"fail\","
                                "\"remark\":\"x\"}]"},
        {"answers[b].answer=pass", "\"score\":80,\"answers\":[{\"question\":\"b\",\"answer\":"
                                   "\"pass\",\"remark\":\"x\"}]"},
        {"answers[b].remark=",
         "\"score\":80,\"answers\":[{\"question\":\"b\",\"answer\":\"pass\"}]"},
        {"answers[a]={\"answer\":\"pass\"}",
         "\"score\":80,\"answers\":[{\"question\":\"a\",\"answer\":\"pass\"},{\"question\":\"b\","
         "\"answer\":\"pass\"}]"},
        {"answers[b]=", "\"score\":80,\"answers\":[{\"question\":\"a\",\"answer\":\"pass\"}]"},
        {"answers[b].answer=fail", "\"score\":80,\"answers\":[{\"question\":\"a\",\"answer\":"
                                   "\"pass\"},{\"question\":\"b\",\"answer\":\"fail\"}]"},
        {"answers=[{\"question\":\"c\"}]", "\"score\":80,\"answers\":[{\"question\":\"c\"}]"},
        {"answers=", "\"score\":80"},
        {"lat_e6=21.5", "\"latE6\":21500000,\"score\":80"},
        {"lat_e6=12345678", "\"latE6\":12345678,\"score\":80"},
        {"findings[" UUID "].clause=5", "\"latE6\":12345678,\"score\":80,\"findings\":[{\"key\":"
                                        "\"" UUID "\",\"clause\":\"5\"}]"},
        {"findings=", "\"latE6\":12345678,\"score\":80"},
        {"findings[+].clause=7",
         "\"latE6\":12345678,\"score\":80,\"findings\":[{\"key\":\"11111111-1111-8111-9111-"
         "111100000001\",\"clause\":\"7\"}]"},
    };
    const struct kind *k = kind_by_number(KIND_INSPECTION);
    struct fields f = {NULL, 0};
    struct id_source ids;
    struct id id = {{0}};
    char must[512];

    (void)state;
    id_source_init(&ids, &env);
    memset(ids.prefix, 0x11, sizeof ids.prefix);
    ids.prefix[6] = 0x81;
    ids.prefix[8] = 0x91;
    ids.counter = 0;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf out;
        buf_init(&out, KIB(4));
        ok(json_set_text(k, cases[i].text, &ids, &env, &arena, &f, &err));
        for (size_t j = 1; j < f.count; j++)
            assert_true(field_cmp(&f.v[j - 1], &f.v[j]) < 0);
        ok(json_from_fields(k, &id, &f, false, &out, &err));
        (void)snprintf(must, sizeof must, "{\"id\":\"00000000-0000-0000-0000-000000000000\",%s}",
                       cases[i].json);
        assert_string_equal(buf_cstr(&out), must);
        buf_fini(&out);
    }
}

static void wrong_assignments_are_explained(void **state)
{
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"", "no assignment"},
        {"score", "no assignment"},
        {"=5", "no assignment"},
        {"answers[a=5", "no assignment"},
        {"answers[]=5", "no assignment"},
        {"answers.answer=5", "did you mean answers?"},
        {"id=" UUID, "cannot be set"},
        {"skore=5", "did you mean score?"},
        {"score=much", "a whole number"},
        {"score[a]=5", "no list"},
        {"answers[a].anser=x", "did you mean answer?"},
        {"answers[a].question=x", "brackets"},
        {"answers[+].answer=x", "key"},
        {"answers[a]={\"question\":\"b\"}", "another key"},
        {"answers=pass", "not JSON"},
        {"findings[1].clause=x", "an id"},
        {"facility=\xff", "UTF-8"},
    };
    const struct kind *k = kind_by_number(KIND_INSPECTION);

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fields f = {NULL, 0};
        if (json_set_text(k, cases[i].text, NULL, NULL, &arena, &f, &err) != OCOP_EINVAL ||
            !strstr(err.text, cases[i].says))
            fail_msg("%s gave: %s", cases[i].text, err.text);
        assert_int_equal(f.count, 0);
    }
}

static void single_values_come_back(void **state)
{
    static const struct {
        uint32_t number;
        const char *key, *json;
    } cases[] = {
        {12, "", "\"Cơ sở\""}, {27, "", "80"},
        {4, "", "\"5\""},      {35, "", "true"},
        {12, "", "null"},      {29, "a", "{\"question\":\"a\",\"answer\":\"pass\"}"},
        {29, "a", "null"},
    };
    const struct kind *k = kind_by_number(KIND_INSPECTION);
    struct field f = {.number = 60, .op = FIELD_SET, .type = VALUE_INT, .i = 7};
    struct buf out;

    (void)state;
    buf_init(&out, KIB(1));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct field one;
        buf_clear(&out);
        ok(json_value_read(k, cases[i].number, span_str(cases[i].key), span_str(cases[i].json),
                           &arena, &one, &err));
        assert_int_equal(one.op, strcmp(cases[i].json, "null") ? FIELD_SET : FIELD_CLEAR);
        assert_true(span_eq(one.key, span_str(cases[i].key)));
        ok(json_value(k, &one, &out, &err));
        assert_string_equal(buf_cstr(&out), cases[i].json);
    }
    buf_clear(&out);
    ok(json_value(k, &f, &out, &err));
    assert_string_equal(buf_cstr(&out), "{\"_unknown\":\"4AMH\"}");
    assert_int_equal(
        json_value_read(k, 29, span_str("a"), span_str("{\"question\":\"b\"}"), &arena, &f, &err),
        OCOP_EINVAL);
    assert_int_equal(json_value_read(k, 27, span_str("a"), span_str("1"), &arena, &f, &err),
                     OCOP_EINVAL);
    assert_int_equal(json_value_read(k, 60, span_str(""), span_str("1"), &arena, &f, &err),
                     OCOP_EINVAL);
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(canonical_lists_come_back_byte_for_byte),
        cmocka_unit_test(what_is_not_canonical_is_damaged),
        cmocka_unit_test(a_list_cut_anywhere_is_damaged),
        cmocka_unit_test(what_was_unknown_takes_its_place_when_it_is_known),
        cmocka_unit_test(cleared_elements_are_left_out_and_foreign_bytes_refused),
        cmocka_unit_test(a_list_has_a_limit_when_written_and_when_read),
        cmocka_unit_test(a_record_comes_back_from_its_json),
        cmocka_unit_test(what_people_write_is_understood),
        cmocka_unit_test(what_cannot_be_understood_is_explained),
        cmocka_unit_test(depth_and_size_of_input_are_limited),
        cmocka_unit_test(null_clears_and_a_missing_key_is_made),
        cmocka_unit_test(assignments_set_add_and_clear),
        cmocka_unit_test(wrong_assignments_are_explained),
        cmocka_unit_test(single_values_come_back),
    };

    return cmocka_run_group_tests(tests, start, end);
}
