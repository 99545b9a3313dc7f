/* The rules of a record: every kind of breach is refused and the error names the field. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bounds.h"
#include "json.h"
#include "rules.h"

#define ID "01980f3c-5a7e-8b21-9c4d-2e6f0000000"
#define KEY "01980f3c-5a7e-8b21-9c4d-2e6f000000aa"

static const char inspection[] =
    "{\"unitId\":\"" ID "1\",\"officerId\":\"" ID "2\",\"recordedMs\":\"1785900000000\","
    "\"producerId\":\"" ID "3\",\"inspectionType\":\"planned\",\"decisionDate\":\"2026-08-01\","
    "\"inspectedDate\":\"2026-08-05\",\"conclusion\":\"pass\"}";
static const char sample[] =
    "{\"unitId\":\"" ID "1\",\"officerId\":\"" ID "2\",\"producerId\":\"" ID
    "3\",\"productId\":\"" ID
    "4\",\"takenMs\":\"1785900000000\",\"quantity\":\"1.5\",\"quantityUnit\":\"kg\","
    "\"manufactureDate\":\"2026-07-01\"}";
static const char check[] =
    "{\"unitId\":\"" ID "1\",\"producerId\":\"" ID "3\",\"inspectionType\":\"planned\","
    "\"checkedDate\":\"2026-08-05\",\"conclusion\":\"pass\"}";
static const char certificate[] =
    "{\"unitId\":\"" ID "1\",\"certificateNo\":\"1\",\"productId\":\"" ID "4\",\"stars\":4,"
    "\"decisionNo\":\"3981\",\"decisionDate\":\"2026-08-05\",\"issueDate\":\"2026-08-05\","
    "\"expiryDate\":\"2029-08-05\"}";
static const char officer[] = "{\"name\":\"An\"}";
static const char code_list[] = "{\"code\":\"x\",\"title\":\"X\"}";

static const struct {
    const char *kind, *json;
} valid[] = {{"inspection", inspection},   {"sample", sample},   {"environmental_check", check},
             {"certificate", certificate}, {"officer", officer}, {"code_list", code_list}};

static const char *json_of(const char *kind)
{
    for (size_t i = 0; i < sizeof valid / sizeof *valid; i++)
        if (strcmp(valid[i].kind, kind) == 0)
            return valid[i].json;
    fail_msg("no record of kind %s", kind);
    return NULL;
}

static enum code_answer code(void *self, const char *list, struct span c, const char *day)
{
    (void)self, (void)list, (void)day;
    return span_eq(c, span_str("spaceship")) ? CODE_WRONG : CODE_OK;
}

static struct arena a;

static struct fields read_record(const struct kind *k)
{
    struct ocop_error err = {0};
    struct fields f;
    struct id id;
    if (json_to_fields(k, span_str(json_of(k->name)), NULL, NULL, &a, &id, &f, &err) != OCOP_OK)
        fail_msg("%s: %s: %s", k->name, err.field, err.text);
    return f;
}

static void set(const struct kind *k, struct fields *f, const char *assignment)
{
    struct ocop_error err = {0};
    if (json_set_text(k, assignment, NULL, NULL, &a, f, &err) != OCOP_OK)
        fail_msg("%s: %s: %s", assignment, err.field, err.text);
}

static void expect(const struct kind *k, const struct fields *f, const char *what,
                   enum ocop_status want, const char *field, const char *text)
{
    const struct rules_lookup lookup = {.code = code};
    struct ocop_error err = {0};
    const enum ocop_status got = rules_check(k, f, RULES_SUBMIT, &lookup, &err);
    if (got != want || strcmp(err.field, field) != 0 || !strstr(err.text, text))
        fail_msg("%s: status %d, field \"%s\", %s", what, (int)got, err.field, err.text);
}

static void a_valid_record_is_accepted(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof valid / sizeof *valid; i++) {
        const struct kind *k = kind_by_name(valid[i].kind);
        const struct fields f = read_record(k);
        expect(k, &f, k->name, OCOP_OK, "", "");
    }
}

static void what_is_typed_wrongly_is_named_by_its_field(void **state)
{
    static const struct {
        const char *kind, *set[3], *field, *text;
    } cases[] = {
        {"inspection", {"conclusion="}, "conclusion", "is missing"},
        {"inspection", {"unit_id="}, "unit_id", "is missing"},
        {"inspection", {"score=101"}, "score", "allowed is 0 to 100"},
        {"inspection", {"lat_e6=-90000001"}, "lat_e6", "allowed is"},
        {"inspection", {"inspection_type=spaceship"}, "inspection_type", "not in code list"},
        {"inspection", {"inspected_date=2026-02-30"}, "inspected_date", "must be a date"},
        {"inspection", {"decision_date=2026-08-06"}, "inspected_date", "later than the inspection"},
        {"inspection", {"follow_up_date=2026-08-04"}, "follow_up_date", "before the inspection"},
        {"inspection", {"sanction_decision_date=2026-08-04"}, "sanction_decision_date", "before"},
        {"inspection",
         {"started_ms=1785900000001", "ended_ms=1785900000000"},
         "ended_ms",
         "cannot end before it begins"},
        {"inspection", {"answers[NC.1].remark=x"}, "answers[NC.1].answer", "is missing"},
        {"inspection", {"answers[NC.1].answer=spaceship"}, "answers[NC.1].answer", "code list"},
        {"inspection",
         {"findings[" KEY "].description=x", "findings[" KEY "].severity=minor",
          "findings[" KEY "].deadline_date=2026-08-04"},
         "findings[" KEY "].deadline_date",
         "due before the inspection"},
        {"inspection",
         {"findings[" KEY "].description=x", "findings[" KEY "].severity=minor",
          "findings[" KEY "].remedied_date=2026-08-04"},
         "findings[" KEY "].remedied_date",
         "remedied before"},
        {"sample", {"expiry_date=2026-06-30"}, "expiry_date", "expire before it was made"},
        {"sample", {"manufacture_date=2026-08-06"}, "taken_ms", "before it was made"},
        {"sample", {"decision_date=2026-08-06"}, "taken_ms", "later than the sampling"},
        {"sample", {"quantity=1,5"}, "quantity", "decimal"},
        {"sample", {"quantity=-1"}, "quantity", "negative"},
        {"sample",
         {"custody[" KEY "].from_holder=A", "custody[" KEY "].to_holder=B",
          "custody[" KEY "].at_ms=1785899999999"},
         "custody[" KEY "].at_ms",
         "handed over before"},
        {"sample",
         {"parts[" KEY "].role=test", "parts[" KEY "].seal_no=1",
          "parts[" KEY "].retain_until_date=2026-08-04"},
         "parts[" KEY "].retain_until_date",
         "before it was taken"},
        {"environmental_check",
         {"decision_date=2026-08-06"},
         "checked_date",
         "later than the check"},
        {"environmental_check",
         {"measurements[" KEY "].medium=air", "measurements[" KEY "].parameter=SO2",
          "measurements[" KEY "].limit_value=-1"},
         "measurements[" KEY "].limit_value",
         "negative"},
        {"certificate", {"stars=2"}, "stars", "allowed is 3 to 5"},
        {"certificate", {"issue_date=2026-08-04"}, "issue_date", "before its decision"},
        {"certificate", {"expiry_date=2026-08-04"}, "expiry_date", "before it is issued"},
        {"certificate", {"extended_to_date=2029-08-04"}, "extended_to_date", "extension"},
        {"certificate", {"revoked_date=2026-08-04"}, "revoked_date", "revoked"},
        {"officer",
         {"roles[inspector].from_date=2026-02-01", "roles[inspector].to_date=2026-01-01"},
         "roles[inspector].to_date",
         "cannot end before it begins"},
        {"code_list",
         {"items[a].title=A", "items[a].effective_from=2026-02-01",
          "items[a].effective_to=2026-01-01"},
         "items[a].effective_to",
         "cannot end before it begins"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct kind *k = kind_by_name(cases[i].kind);
        struct fields f = read_record(k);
        for (size_t s = 0; s < 3 && cases[i].set[s]; s++)
            set(k, &f, cases[i].set[s]);
        expect(k, &f, cases[i].set[0], OCOP_EINVAL, cases[i].field, cases[i].text);
    }
}

static void two_dates_of_one_day_are_in_order(void **state)
{
    static const char *const sets[][2] = {
        {"inspection", "decision_date=2026-08-05"},
        {"inspection", "follow_up_date=2026-08-05"},
        {"sample", "expiry_date=2026-07-01"},
        {"sample",
         "decision_date=2026-08-05"}, /* the moment of taking lies on this day in Vietnam */
        {"certificate", "extended_to_date=2029-08-05"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
        const struct kind *k = kind_by_name(sets[i][0]);
        struct fields f = read_record(k);
        set(k, &f, sets[i][1]);
        expect(k, &f, sets[i][1], OCOP_OK, "", "");
    }
}

/* What no keyboard makes but a program or a damaged file may. */
static void bytes_that_are_no_clean_text_are_named_by_their_field(void **state)
{
    static char long_text[TEXT_BYTES_MAX + 2];
    static const struct {
        uint32_t number;
        const char *name, *bytes, *text;
        enum ocop_status status;
    } cases[] = {
        {12, "facility", "\xff", "not valid UTF-8", OCOP_EINVAL},
        {12, "facility", "Ho\xc3", "not valid UTF-8", OCOP_EINVAL},
        {12, "facility", "a\x1b[2J", "control characters", OCOP_EINVAL},
        {12, "facility", "a\nb", "one line", OCOP_EINVAL},
        {34, "notes", long_text, "at most 8192", OCOP_ELIMIT},
        {10, "producer_id", "short", "id of a record", OCOP_EINVAL},
    };
    const struct kind *k = kind_by_name("inspection");
    (void)state;
    memset(long_text, 'x', TEXT_BYTES_MAX + 1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fields record = read_record(k), f;
        struct field v = {.number = cases[i].number, .op = FIELD_SET, .type = VALUE_BYTES};
        struct fields one = {&v, 1};
        v.bytes = span_str(cases[i].bytes);
        assert_int_equal(fields_apply(&record, &one, 0, false, &a, &f, NULL), OCOP_OK);
        expect(k, &f, cases[i].name, cases[i].status, cases[i].name, cases[i].text);
        v = (struct field){.number = cases[i].number, .op = FIELD_SET, .type = VALUE_INT, .i = 1};
        assert_int_equal(fields_apply(&record, &one, 0, false, &a, &f, NULL), OCOP_OK);
        expect(k, &f, cases[i].name, OCOP_EINVAL, cases[i].name, "wrong type");
    }
}

static void too_long_a_list_is_named(void **state)
{
    const struct kind *k = kind_by_name("inspection");
    struct fields f = read_record(k);
    char assignment[64];
    (void)state;
    for (int i = 0; i < 201; i++) {
        snprintf(assignment, sizeof assignment, "findings[01980f3c-5a7e-8b21-9c4d-2e6f%08d].code=1",
                 i);
        set(k, &f, assignment);
    }
    const struct rules_lookup lookup = {.code = code};
    struct ocop_error err = {0};
    assert_int_equal(rules_check(k, &f, RULES_DRAFT, &lookup, &err), OCOP_ELIMIT);
    assert_string_equal(err.field, "findings");
}

static int start(void **state)
{
    (void)state;
    kinds_init();
    arena_init(&a, MIB(64));
    return 0;
}

static int stop(void **state)
{
    (void)state;
    arena_fini(&a);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_valid_record_is_accepted),
        cmocka_unit_test(what_is_typed_wrongly_is_named_by_its_field),
        cmocka_unit_test(two_dates_of_one_day_are_in_order),
        cmocka_unit_test(bytes_that_are_no_clean_text_are_named_by_their_field),
        cmocka_unit_test(too_long_a_list_is_named),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
