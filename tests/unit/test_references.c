/* References to records that are not there: the change applies and says so, and is settled when the
 * record comes. */
#include "test.h"

#include <stdio.h>

#include "centre.h"

enum { NAME = 10, OWNER = 11, SUCCESSORS = 16 };

struct world {
    struct centre c;
    struct id province, commune, missing;
};

static int open_world(void **state)
{
    static struct world w;
    centre_open(&w.c);
    w.province = centre_unit(&w.c, "01", "province", NULL);
    w.commune = centre_unit(&w.c, "00001", "commune", &w.province);
    w.missing = id_next(&w.c.r->ids, &w.c.env);
    *state = &w;
    return 0;
}

static int close_world(void **state)
{
    struct world *w = *state;
    centre_close(&w->c);
    return 0;
}

/* The only outcome of a set, other than "applied"; code 0 when there is none. */
static struct outcome_row outcome(struct world *w, uint64_t version)
{
    struct outcome_row *rows, none = {0};
    size_t n;
    centre_must(&w->c, outcomes_of(w->c.r, version, &w->c.a, &rows, &n, &w->c.err));
    assert_true(n <= 1);
    return n ? rows[0] : none;
}

static uint64_t product(struct world *w, const struct id *id, enum verb verb,
                        const struct id *producer, uint64_t base)
{
    struct draft_change d;
    draft(&d, KIND_PRODUCT, verb, id);
    if (verb == VERB_CREATE) {
        draft_id(&d, FIELD_UNIT, &w->commune);
        draft_text(&d, NAME, "Cà phê");
    }
    draft_id(&d, OWNER, producer);
    draft_base(&d, base);
    return centre_write(&w->c, &d, 1);
}

static void create_producer(struct world *w, const struct id *id)
{
    struct draft_change d;
    draft(&d, KIND_PRODUCER, VERB_CREATE, id);
    draft_id(&d, FIELD_UNIT, &w->commune);
    draft_text(&d, NAME, "HTX");
    draft_text(&d, OWNER, "cooperative");
    centre_write(&w->c, &d, 1);
}

static void a_reference_to_nowhere_applies_and_is_settled_when_the_record_comes(void **state)
{
    struct world *w = *state;
    const struct id id = id_next(&w->c.r->ids, &w->c.env);
    const uint64_t version = product(w, &id, VERB_CREATE, &w->missing, 0);
    assert_int_equal(outcome(w, version).code, OUTCOME_DANGLING);
    assert_string_equal(outcome(w, version).field, "producer_id");
    create_producer(w, &w->missing);
    assert_int_equal(outcome(w, version).code, OUTCOME_APPLIED);
}

static void every_change_that_waited_for_a_record_is_settled(void **state)
{
    struct world *w = *state;
    const struct id id = id_next(&w->c.r->ids, &w->c.env);
    const struct id other = id_next(&w->c.r->ids, &w->c.env);
    uint64_t versions[3];
    versions[0] = product(w, &id, VERB_CREATE, &w->missing, 0);
    versions[1] = product(w, &id, VERB_AMEND, &other, versions[0]);
    versions[2] = product(w, &id, VERB_AMEND, &w->missing, versions[1]);
    create_producer(w, &w->missing);
    assert_int_equal(outcome(w, versions[0]).code, OUTCOME_APPLIED);
    assert_int_equal(outcome(w, versions[1]).code, OUTCOME_DANGLING);
    assert_int_equal(outcome(w, versions[2]).code, OUTCOME_APPLIED);
    create_producer(w, &other);
    assert_int_equal(outcome(w, versions[1]).code, OUTCOME_APPLIED);
}

static void a_list_element_that_refers_to_nowhere_is_named_by_its_path(void **state)
{
    struct world *w = *state;
    struct draft_change d;
    const struct id id = id_next(&w->c.r->ids, &w->c.env);
    char path[OCOP_ERROR_FIELD_MAX], text[ID_TEXT_LEN + 1];
    draft(&d, KIND_UNIT, VERB_CREATE, &id);
    draft_text(&d, NAME, "00002");
    draft_text(&d, 11, "Xã Cũ");
    draft_text(&d, 12, "commune");
    draft_id(&d, 13, &w->province);
    draft_text(&d, 14, "2020-01-01");
    draft_element(&d, &w->c, SUCCESSORS, id_span(&w->missing), "whole");
    const uint64_t version = centre_write(&w->c, &d, 1);
    assert_int_equal(outcome(w, version).code, OUTCOME_DANGLING);
    (void)snprintf(path, sizeof path, "successors[%s].unit_id", id_text(w->missing, text));
    assert_string_equal(outcome(w, version).field, path);
    draft(&d, KIND_UNIT, VERB_CREATE, &w->missing);
    draft_text(&d, NAME, "00003");
    draft_text(&d, 11, "Xã Mới");
    draft_text(&d, 12, "commune");
    draft_id(&d, 13, &w->province);
    draft_text(&d, 14, "2025-07-01");
    centre_write(&w->c, &d, 1);
    assert_int_equal(outcome(w, version).code, OUTCOME_APPLIED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_reference_to_nowhere_applies_and_is_settled_when_the_record_comes),
        TEST(every_change_that_waited_for_a_record_is_settled),
        TEST(a_list_element_that_refers_to_nowhere_is_named_by_its_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
