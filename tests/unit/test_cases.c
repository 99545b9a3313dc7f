/* Cases: what they show of both sides, and how a person settles them. */
#include "test.h"

#include "centre.h"
#include "stories.h"

enum { NAME = 10, PHONE = 16 };

struct world {
    struct centre c;
    struct id province, commune, officer, colleague, reviewer, producer;
    struct device d, e;
};

static int open_world(void **state)
{
    static struct world w;
    centre_open(&w.c);
    w.province = centre_unit(&w.c, "01", "province", NULL);
    w.commune = centre_unit(&w.c, "00001", "commune", &w.province);
    w.officer = centre_officer(&w.c, "registrar");
    w.colleague = centre_officer(&w.c, "registrar");
    w.reviewer = centre_officer(&w.c, "reconciler");
    w.producer = centre_producer(&w.c, &w.commune, "HTX");
    device_enrol(&w.d, &w.c, &w.officer, &w.commune, 1);
    device_enrol(&w.e, &w.c, &w.colleague, &w.commune, 1);
    *state = &w;
    return 0;
}

static int close_world(void **state)
{
    struct world *w = *state;
    char why[400];
    size_t told;
    if (!stories_hold(w->c.r, SIZE_MAX, &told, why, sizeof why))
        fail_msg("%s", why);
    assert_true(told > 0);
    device_close(&w->d);
    device_close(&w->e);
    centre_close(&w->c);
    return 0;
}

static uint64_t version_of(struct world *w)
{
    uint64_t v;
    centre_must(&w->c, registry_version(w->c.r, &v, &w->c.err));
    return v;
}

static void push(struct world *w, struct device *d, enum verb verb, uint32_t number,
                 const char *text, uint64_t base)
{
    struct draft_change c;
    draft(&c, KIND_PRODUCER, verb, &w->producer);
    if (verb == VERB_VOID)
        draft_int(&c, FIELD_VOIDED, 1);
    draft_text(&c, number, text);
    draft_base(&c, base);
    c.c.reason = span_str("đã kiểm tra");
    assert_int_equal(device_push(d, &w->c, &c, 1).code, SET_ACCEPTED);
}

struct listing {
    struct id ids[8];
    size_t count;
};

static enum ocop_status list(void *self, const struct case_row *c, struct ocop_error *err)
{
    struct listing *l = self;
    (void)err;
    assert_true(l->count < 8);
    l->ids[l->count++] = c->id;
    return OCOP_OK;
}

static struct listing cases(struct world *w, bool open_only)
{
    struct listing l = {.count = 0};
    centre_must(&w->c, case_each(w->c.r, open_only, list, &l, &w->c.err));
    return l;
}

/* The one open case. */
static struct case_row the_case(struct world *w)
{
    struct case_row c;
    struct listing l = cases(w, true);
    assert_int_equal(l.count, 1);
    centre_must(&w->c, case_load(w->c.r, &l.ids[0], &w->c.a, &c, &w->c.err));
    return c;
}

/* e writes "Một", then d, who has not seen it, "Hai". */
static struct case_row two_names(struct world *w)
{
    uint64_t seen = version_of(w);
    push(w, &w->e, VERB_AMEND, NAME, "HTX Một", seen);
    push(w, &w->d, VERB_AMEND, NAME, "HTX Hai", seen);
    return the_case(w);
}

static enum ocop_status resolve(struct world *w, const struct id *id, enum case_take take,
                                const char *value)
{
    return case_resolve(w->c.r, &w->c.keys, id, take, value, "đã hỏi lại cơ sở", &w->reviewer,
                        &w->c.err);
}

static const struct field *value(struct world *w, uint32_t number)
{
    struct fields f;
    struct row_meta meta;
    centre_must(&w->c,
                row_load(w->c.r->rows, KIND_PRODUCER, &w->producer, &w->c.a, &f, &meta, &w->c.err));
    const struct field *v = fields_find(&f, number, span_of(NULL, 0));
    return v && v->op == FIELD_SET ? v : NULL;
}

static void assert_name(struct world *w, const char *expected)
{
    const struct field *v = value(w, NAME);
    assert_non_null(v);
    assert_true(span_eq(v->bytes, span_str(expected)));
}

static void a_case_shows_both_values_authors_and_times(void **state)
{
    struct world *w = *state;
    struct case_row c = two_names(w);
    assert_int_equal(c.kind, KIND_PRODUCER);
    assert_int_equal(c.number, NAME);
    assert_int_equal(c.cause, CASE_FIELD);
    assert_true(id_eq(&c.record, &w->producer));
    assert_string_equal(c.base, "\"HTX\"");
    assert_string_equal(c.theirs, "\"HTX Một\"");
    assert_string_equal(c.mine, "\"HTX Hai\"");
    assert_true(id_eq(&c.theirs_author, &w->colleague));
    assert_true(id_eq(&c.mine_author, &w->officer));
    assert_true(c.theirs_time_ms > 0 && c.mine_time_ms > c.theirs_time_ms);
    assert_true(c.opened_ms >= c.mine_time_ms);
    assert_string_equal(c.theirs_reason, "đã kiểm tra");
    assert_string_equal(c.mine_reason, "đã kiểm tra");
    assert_int_equal(c.closed_version, 0);
    assert_name(w, "HTX Một"); /* what the registry holds stands until a person decides */
}

/* No device has seen what comes later in the log than what it writes: to claim so buys no right to
 * overwrite. */
static void an_edit_that_claims_to_have_seen_the_future_has_seen_nothing(void **state)
{
    struct world *w = *state;
    push(w, &w->e, VERB_AMEND, NAME, "HTX Một", version_of(w));
    push(w, &w->d, VERB_AMEND, NAME, "HTX Hai", UINT64_C(1) << 40);
    assert_string_equal(the_case(w).mine, "\"HTX Hai\"");
    assert_name(w, "HTX Một");
}

static void a_person_decides_which_value_stands(void **state)
{
    static const struct {
        enum case_take take;
        const char *value, *name, *resolution;
    } table[] = {{TAKE_MINE, NULL, "HTX Hai", "mine"},
                 {TAKE_VALUE, "\"HTX Ba\"", "HTX Ba", "value"},
                 {TAKE_THEIRS, NULL, "HTX Một", "theirs"}};
    struct world *w = *state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct id id = two_names(w).id;
        struct case_row c;
        centre_must(&w->c, resolve(w, &id, table[i].take, table[i].value));
        assert_name(w, table[i].name);
        centre_must(&w->c, case_load(w->c.r, &id, &w->c.a, &c, &w->c.err));
        assert_string_equal(c.resolution, table[i].resolution);
        assert_int_equal(c.closed_version, version_of(w));
        assert_int_equal(cases(w, true).count, 0);
        assert_int_equal(cases(w, false).count, i + 1);
    }
}

static void a_decision_is_final(void **state)
{
    struct world *w = *state;
    struct case_row c = two_names(w);
    centre_must(&w->c, resolve(w, &c.id, TAKE_MINE, NULL));
    uint64_t before = version_of(w);
    assert_int_equal(resolve(w, &c.id, TAKE_THEIRS, NULL), OCOP_ESTATE);
    assert_int_equal(version_of(w), before);
    assert_name(w, "HTX Hai");
}

static void what_cannot_be_decided_changes_nothing(void **state)
{
    struct world *w = *state;
    struct case_row c = two_names(w);
    struct id unknown = {{1}};
    uint64_t before = version_of(w);
    assert_int_equal(resolve(w, &unknown, TAKE_MINE, NULL), OCOP_ENOTFOUND);
    assert_int_equal(resolve(w, &c.id, TAKE_VALUE, NULL), OCOP_EINVAL);
    assert_int_equal(resolve(w, &c.id, TAKE_VALUE, "{"), OCOP_EINVAL);
    assert_int_equal(resolve(w, &c.id, TAKE_VALUE, "7"), OCOP_EINVAL);
    assert_int_equal(resolve(w, &c.id, TAKE_VALUE, "null"), OCOP_EINVAL); /* a name is required */
    assert_int_equal(
        case_resolve(w->c.r, &w->c.keys, &c.id, TAKE_MINE, NULL, "", &w->officer, &w->c.err),
        OCOP_EPERM);
    assert_int_equal(version_of(w), before);
    assert_int_equal(cases(w, true).count, 1);
}

static void a_record_that_was_edited_and_voided_is_one_case(void **state)
{
    struct world *w = *state;
    uint64_t seen = version_of(w);
    push(w, &w->e, VERB_VOID, FIELD_VOID_REASON, "nhập trùng", seen);
    push(w, &w->d, VERB_AMEND, PHONE, "0912", seen);
    struct case_row c = the_case(w);
    assert_int_equal(c.cause, CASE_VOID);
    assert_int_equal(c.number, 0);
    assert_non_null(value(w, FIELD_VOIDED));
    assert_null(value(w, PHONE)); /* voided stays voided */
    assert_int_equal(resolve(w, &c.id, TAKE_VALUE, "1"), OCOP_EINVAL);
    centre_must(&w->c, resolve(w, &c.id, TAKE_MINE, NULL));
    assert_null(value(w, FIELD_VOIDED)); /* the edit wins: the record is back */
    assert_null(value(w, FIELD_VOID_REASON));
    assert_true(span_eq(value(w, PHONE)->bytes, span_str("0912")));
    assert_int_equal(cases(w, true).count, 0);
}

static void a_void_that_wins_over_an_edit_voids(void **state)
{
    struct world *w = *state;
    uint64_t seen = version_of(w);
    push(w, &w->e, VERB_AMEND, PHONE, "0912", seen);
    push(w, &w->d, VERB_VOID, FIELD_VOID_REASON, "nhập trùng", seen);
    struct case_row c = the_case(w);
    assert_int_equal(c.cause, CASE_VOID);
    assert_null(value(w, FIELD_VOIDED));
    centre_must(&w->c, resolve(w, &c.id, TAKE_MINE, NULL));
    assert_int_equal(value(w, FIELD_VOIDED)->i, 1);
    assert_int_equal(cases(w, true).count, 0);
}

static void two_records_with_one_number_are_a_case_that_names_both(void **state)
{
    struct world *w = *state;
    struct draft_change d;
    struct id other = id_next(&w->c.r->ids, &w->c.env);
    draft(&d, KIND_PRODUCER, VERB_CREATE, &other);
    draft_id(&d, FIELD_UNIT, &w->commune);
    draft_id(&d, FIELD_OFFICER, &w->colleague);
    draft_text(&d, NAME, "HTX khác");
    draft_text(&d, 11, "cooperative");
    draft_text(&d, 12, "0101");
    assert_int_equal(device_push(&w->e, &w->c, &d, 1).code, SET_ACCEPTED);
    push(w, &w->d, VERB_AMEND, 12, "0101", version_of(w));
    struct case_row c = the_case(w);
    assert_int_equal(c.cause, CASE_COLLISION);
    assert_true(id_eq(&c.other, &other));
    assert_true(id_eq(&c.theirs_author, &w->colleague));
    assert_true(id_eq(&c.mine_author, &w->officer));
    centre_must(&w->c, resolve(w, &c.id, TAKE_VALUE, "\"0102\""));
    assert_true(span_eq(value(w, 12)->bytes, span_str("0102")));
    assert_int_equal(cases(w, true).count, 0);
}

/* d amends before its record has come: the case is opened in the set that brings the record. */
static void a_case_of_a_change_that_had_waited_names_its_author(void **state)
{
    struct world *w = *state;
    struct draft_change d[3];
    struct id late = id_next(&w->c.r->ids, &w->c.env), known = w->producer;
    w->producer = late;
    draft(&d[0], KIND_PRODUCER, VERB_AMEND, &known);
    draft_text(&d[0], PHONE, "1");
    draft_base(&d[0], version_of(w));
    draft(&d[1], KIND_PRODUCER, VERB_AMEND, &known);
    draft_text(&d[1], PHONE, "2");
    draft_base(&d[1], version_of(w));
    draft(&d[2], KIND_PRODUCER, VERB_AMEND, &late);
    draft_text(&d[2], NAME, "HTX Hai");
    d[2].c.reason = span_str("đã kiểm tra");
    assert_int_equal(device_push(&w->d, &w->c, d, 3).code, SET_ACCEPTED);
    draft(&d[0], KIND_PRODUCER, VERB_CREATE, &late);
    draft_id(&d[0], FIELD_UNIT, &w->commune);
    draft_text(&d[0], NAME, "HTX Một");
    draft_text(&d[0], 11, "cooperative");
    centre_write(&w->c, d, 1);
    struct case_row c = the_case(w);
    assert_string_equal(c.mine, "\"HTX Hai\"");
    assert_true(id_eq(&c.mine_author, &w->officer));
    assert_string_equal(c.mine_reason, "đã kiểm tra");
    centre_must(&w->c, resolve(w, &c.id, TAKE_MINE, NULL));
    assert_name(w, "HTX Hai");
}

#define T(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_case_shows_both_values_authors_and_times),
        T(an_edit_that_claims_to_have_seen_the_future_has_seen_nothing),
        T(a_person_decides_which_value_stands),
        T(a_decision_is_final),
        T(what_cannot_be_decided_changes_nothing),
        T(a_record_that_was_edited_and_voided_is_one_case),
        T(a_void_that_wins_over_an_edit_voids),
        T(two_records_with_one_number_are_a_case_that_names_both),
        T(a_case_of_a_change_that_had_waited_names_its_author),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
