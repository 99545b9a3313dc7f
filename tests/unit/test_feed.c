/* What a device receives: each record of its scope once, whole or in part, on pages of any size. */
#include "test.h"

#include <stdio.h>

#include "bounds.h"
#include "centre.h"

enum { PAGE = 100000, NAME = 10, PHONE = 16 };

struct world {
    struct centre c;
    struct id province, here, there, officer;
    struct device d;
};

static int open_world(void **state)
{
    static struct world w;
    centre_open(&w.c);
    w.province = centre_unit(&w.c, "01", "province", NULL);
    w.here = centre_unit(&w.c, "00001", "commune", &w.province);
    w.there = centre_unit(&w.c, "00002", "commune", &w.province);
    w.officer = centre_officer(&w.c, "inspector");
    device_enrol(&w.d, &w.c, &w.officer, &w.here, 1);
    *state = &w;
    return 0;
}

static int close_world(void **state)
{
    struct world *w = *state;
    device_close(&w->d);
    centre_close(&w->c);
    return 0;
}

static uint64_t version_of(struct world *w)
{
    uint64_t v;
    centre_must(&w->c, registry_version(w->c.r, &v, &w->c.err));
    return v;
}

/* An amendment by an import that has seen everything. */
static void amend(struct world *w, uint32_t kind, const struct id *id, uint32_t number,
                  const char *text)
{
    struct draft_change d;
    draft(&d, kind, VERB_AMEND, id);
    draft_text(&d, number, text);
    draft_base(&d, version_of(w));
    centre_write(&w->c, &d, 1);
}

static void move(struct world *w, const struct id *id, const struct id *unit)
{
    struct draft_change d;
    draft(&d, KIND_PRODUCER, VERB_AMEND, id);
    draft_id(&d, FIELD_UNIT, unit);
    draft_base(&d, version_of(w));
    centre_write(&w->c, &d, 1);
}

static struct id own_producer(struct world *w, const char *name)
{
    struct draft_change d;
    struct id id = id_next(&w->c.r->ids, &w->c.env);
    draft(&d, KIND_PRODUCER, VERB_CREATE, &id);
    draft_id(&d, FIELD_UNIT, &w->here);
    draft_id(&d, FIELD_OFFICER, &w->officer);
    draft_text(&d, NAME, name);
    draft_text(&d, 11, "household");
    assert_int_equal(device_push(&w->d, &w->c, &d, 1).code, SET_ACCEPTED);
    return id;
}

/* `count` producers here in sets of one, so that each has a version of its own. */
static void producers(struct world *w, size_t count, struct id *out)
{
    for (size_t i = 0; i < count; i++) {
        char name[32];
        snprintf(name, sizeof name, "HTX %zu", i);
        out[i] = centre_producer(&w->c, &w->here, name);
    }
}

static void a_fresh_device_receives_its_scope_and_nothing_beside(void **state)
{
    struct world *w = *state;
    struct id mine = centre_producer(&w->c, &w->here, "HTX ở đây");
    struct id other = centre_producer(&w->c, &w->there, "HTX nơi khác");
    size_t lists = 0;
    device_pull(&w->d, &w->c, PAGE);
    assert_string_equal(device_text(&w->d, &mine, NAME), "HTX ở đây");
    assert_null(device_holds(&w->d, &other));
    assert_non_null(device_holds(&w->d, &w->officer));
    assert_null(device_holds(&w->d, &w->d.replica)); /* replicas never leave the registry */
    for (size_t i = 0; i < w->d.held_count; i++)
        lists += w->d.held[i].kind == KIND_CODE_LIST;
    assert_true(lists > 10);
}

static void what_was_said_is_not_said_again(void **state)
{
    struct world *w = *state;
    centre_producer(&w->c, &w->here, "HTX");
    device_pull(&w->d, &w->c, PAGE);
    for (int i = 0; i < 2; i++) {
        device_pull(&w->d, &w->c, PAGE);
        assert_int_equal(w->d.states + w->d.deltas + w->d.departures, 0);
        assert_int_equal(w->d.pages, 1);
        centre_producer(&w->c, &w->there, "HTX nơi khác");
    }
}

static void pages_of_any_size_give_the_same_records(void **state)
{
    struct world *w = *state;
    static const size_t sizes[] = {0, 1, 5000, 20000, SIZE_MAX};
    struct id ids[300];
    size_t pages_max = 0;
    producers(w, 300, ids);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct device fresh;
        device_enrol(&fresh, &w->c, &w->officer, &w->here, 1);
        device_pull(&fresh, &w->c, sizes[i]);
        for (size_t n = 0; n < 300; n++)
            assert_non_null(device_holds(&fresh, &ids[n]));
        assert_int_equal(fresh.held_count, fresh.states); /* each of them once */
        pages_max = fresh.pages > pages_max ? fresh.pages : pages_max;
        device_close(&fresh);
    }
    assert_true(pages_max > 1);
}

static void an_amendment_comes_as_the_changed_field(void **state)
{
    struct world *w = *state;
    struct id id = centre_producer(&w->c, &w->here, "HTX");
    device_pull(&w->d, &w->c, PAGE);
    amend(w, KIND_PRODUCER, &id, PHONE, "0912");
    device_pull(&w->d, &w->c, PAGE);
    assert_int_equal(w->d.deltas, 1);
    assert_int_equal(w->d.states, 0);
    assert_string_equal(device_text(&w->d, &id, PHONE), "0912");
    assert_string_equal(device_text(&w->d, &id, NAME), "HTX");
    assert_int_equal(device_holds(&w->d, &id)->version, version_of(w));
}

static void a_cleared_field_and_a_removed_element_are_cleared_on_the_device(void **state)
{
    struct world *w = *state;
    struct draft_change d;
    struct span key = span_str("sampler");
    draft(&d, KIND_OFFICER, VERB_AMEND, &w->officer);
    draft_text(&d, 11, "Chi cục");
    draft_element(&d, &w->c, 15, key, NULL);
    draft_base(&d, version_of(w));
    centre_write(&w->c, &d, 1);
    device_pull(&w->d, &w->c, PAGE);
    assert_non_null(fields_find(&device_holds(&w->d, &w->officer)->fields, 15, key));
    d.v[0].op = d.v[1].op = FIELD_CLEAR;
    draft_base(&d, version_of(w));
    centre_write(&w->c, &d, 1);
    device_pull(&w->d, &w->c, PAGE);
    assert_int_equal(w->d.deltas, 1);
    assert_null(fields_find(&device_holds(&w->d, &w->officer)->fields, 15, key));
    assert_string_equal(device_text(&w->d, &w->officer, 11), "");
}

/* versions:  a amends X ... many others ... b amends X        X is sent at b, pages later */
static void a_change_whose_record_changed_again_pages_later_is_not_lost(void **state)
{
    struct world *w = *state;
    struct id ids[300], x = centre_producer(&w->c, &w->here, "X");
    device_pull(&w->d, &w->c, PAGE);
    amend(w, KIND_PRODUCER, &x, PHONE, "0912");
    producers(w, 300, ids);
    amend(w, KIND_PRODUCER, &x, 15, "Thôn 3");
    device_pull(&w->d, &w->c, 1);
    assert_true(w->d.pages > 1);
    assert_string_equal(device_text(&w->d, &x, 15), "Thôn 3");
    assert_string_equal(device_text(&w->d, &x, PHONE), "0912");
}

static void records_that_change_while_pages_are_read_arrive_as_they_are_last(void **state)
{
    struct world *w = *state;
    struct id ids[300];
    producers(w, 300, ids);
    for (size_t i = 0; device_pull_page(&w->d, &w->c, 1); i++) {
        char phone[16];
        snprintf(phone, sizeof phone, "09%zu", i);
        amend(w, KIND_PRODUCER, &ids[i * 97 % 300], PHONE, phone);
        assert_true(i < 1000);
    }
    for (size_t i = 0; i < 300; i++) {
        struct fields now;
        struct row_meta meta;
        centre_must(
            &w->c, row_load(w->c.r->rows, KIND_PRODUCER, &ids[i], &w->c.a, &now, &meta, &w->c.err));
        const struct field *phone = fields_find(&now, PHONE, span_of(NULL, 0));
        char expected[16] = "";
        if (phone)
            memcpy(expected, phone->bytes.p, phone->bytes.len);
        assert_string_equal(device_text(&w->d, &ids[i], PHONE), expected);
    }
}

static void what_the_device_made_itself_does_not_come_back(void **state)
{
    struct world *w = *state;
    device_pull(&w->d, &w->c, PAGE);
    struct id id = own_producer(w, "của tôi");
    device_pull(&w->d, &w->c, PAGE);
    assert_int_equal(w->d.states + w->d.deltas, 0);
    /* What another makes of it does. */
    w->d.held[w->d.held_count++] = (struct held){KIND_PRODUCER, id, {NULL, 0}, 0};
    amend(w, KIND_PRODUCER, &id, PHONE, "0912");
    device_pull(&w->d, &w->c, PAGE);
    assert_int_equal(w->d.deltas, 1);
    assert_string_equal(device_text(&w->d, &id, PHONE), "0912");
    assert_string_equal(device_text(&w->d, &id, NAME), "");
}

static void more_own_records_than_a_page_looks_at_hide_nothing(void **state)
{
    struct world *w = *state;
    static struct draft_change d[PAGE_RECORDS_MAX / 2];
    struct id last = {{0}};
    device_pull(&w->d, &w->c, PAGE);
    for (int set = 0; set < 3; set++) {
        for (size_t i = 0; i < PAGE_RECORDS_MAX / 2; i++) {
            struct id id = id_next(&w->c.r->ids, &w->c.env);
            draft(&d[i], KIND_PRODUCER, VERB_CREATE, &id);
            draft_id(&d[i], FIELD_UNIT, &w->here);
            draft_id(&d[i], FIELD_OFFICER, &w->officer);
            draft_text(&d[i], NAME, "của tôi");
            draft_text(&d[i], 11, "household");
        }
        assert_int_equal(device_push(&w->d, &w->c, d, PAGE_RECORDS_MAX / 2).code, SET_ACCEPTED);
    }
    last = centre_producer(&w->c, &w->here, "của người khác");
    device_pull(&w->d, &w->c, PAGE);
    assert_int_equal(w->d.states, 1);
    assert_non_null(device_holds(&w->d, &last));
}

static void a_record_that_leaves_the_scope_departs(void **state)
{
    struct world *w = *state;
    struct id id = centre_producer(&w->c, &w->here, "HTX");
    device_pull(&w->d, &w->c, PAGE);
    move(w, &id, &w->there);
    device_pull(&w->d, &w->c, PAGE);
    assert_int_equal(w->d.departures, 1);
    assert_null(device_holds(&w->d, &id));
    move(w, &id, &w->here);
    device_pull(&w->d, &w->c, PAGE);
    assert_int_equal(w->d.states, 1);
    assert_string_equal(device_text(&w->d, &id, NAME), "HTX");
}

static void a_departure_on_an_early_page_is_not_lost(void **state)
{
    struct world *w = *state;
    struct id ids[300], id = centre_producer(&w->c, &w->here, "HTX");
    struct id back = centre_producer(&w->c, &w->here, "HTX khác");
    device_pull(&w->d, &w->c, PAGE);
    move(w, &id, &w->there);
    move(w, &back, &w->there);
    producers(w, 300, ids);
    move(w, &back, &w->here);
    device_pull(&w->d, &w->c, 1);
    assert_true(w->d.pages > 1);
    assert_null(device_holds(&w->d, &id));
    assert_string_equal(device_text(&w->d, &back, NAME), "HTX khác");
}

static void a_unit_that_enters_is_filled_and_one_that_leaves_is_taken_away(void **state)
{
    struct world *w = *state;
    struct draft_change d;
    struct id ids[100];
    struct id before = centre_producer(&w->c, &w->there, "HTX nơi khác");
    producers(w, 100, ids);
    device_pull(&w->d, &w->c, PAGE);
    assert_null(device_holds(&w->d, &before));
    draft(&d, KIND_UNIT, VERB_AMEND, &w->here);
    draft_element(&d, &w->c, 16, id_span(&w->there), "whole");
    draft_base(&d, version_of(w));
    centre_write(&w->c, &d, 1);
    device_pull(&w->d, &w->c, PAGE);
    assert_string_equal(device_text(&w->d, &before, NAME), "HTX nơi khác");
    assert_non_null(device_holds(&w->d, &ids[0]));
    assert_true(w->d.states < 10); /* what it held already is not sent again */
    d.v[0].op = FIELD_CLEAR;
    draft_base(&d, version_of(w));
    centre_write(&w->c, &d, 1);
    device_pull(&w->d, &w->c, PAGE);
    assert_null(device_holds(&w->d, &before));
    assert_non_null(device_holds(&w->d, &ids[0]));
}

static void a_record_that_changes_before_its_unit_is_filled_comes_whole(void **state)
{
    struct world *w = *state;
    struct draft_change d;
    struct id ids[300];
    device_pull(&w->d, &w->c, PAGE);
    for (size_t i = 0; i < 300; i++)
        ids[i] = centre_producer(&w->c, &w->there, "HTX nơi khác");
    draft(&d, KIND_UNIT, VERB_AMEND, &w->here);
    draft_element(&d, &w->c, 16, id_span(&w->there), "whole");
    draft_base(&d, version_of(w));
    centre_write(&w->c, &d, 1);
    assert_true(device_pull_page(&w->d, &w->c, 1));
    assert_null(device_holds(&w->d, &ids[299]));
    amend(w, KIND_PRODUCER, &ids[299], PHONE, "0912");
    device_pull(&w->d, &w->c, 1);
    assert_string_equal(device_text(&w->d, &ids[299], PHONE), "0912");
    assert_string_equal(device_text(&w->d, &ids[299], NAME), "HTX nơi khác");
}

static void a_reference_out_of_the_scope_comes_as_a_stub(void **state)
{
    struct world *w = *state;
    struct draft_change d;
    struct id product = id_next(&w->c.r->ids, &w->c.env);
    struct id outside = centre_producer(&w->c, &w->there, "HTX nơi khác");
    draft(&d, KIND_PRODUCT, VERB_CREATE, &product);
    draft_id(&d, FIELD_UNIT, &w->here);
    draft_text(&d, 10, "Trà");
    draft_id(&d, 11, &outside);
    centre_write(&w->c, &d, 1);
    device_pull(&w->d, &w->c, PAGE);
    assert_non_null(device_holds(&w->d, &product));
    assert_null(device_holds(&w->d, &outside));
    const struct held *stub = device_stub(&w->d, &outside);
    assert_non_null(stub);
    assert_int_equal(stub->fields.count, 1);
    assert_true(span_eq(stub->fields.v[0].bytes, span_str("HTX nơi khác")));
    assert_int_equal(w->d.stub_count, 1);
}

static void a_kind_that_this_program_does_not_know_is_passed_on(void **state)
{
    struct world *w = *state;
    struct draft_change d;
    struct id early = id_next(&w->c.r->ids, &w->c.env), late = id_next(&w->c.r->ids, &w->c.env);
    draft(&d, 77, VERB_CREATE, &early);
    draft_id(&d, FIELD_UNIT, &w->here);
    draft_text(&d, 12, "mới");
    centre_write(&w->c, &d, 1);
    device_pull(&w->d, &w->c, PAGE);
    assert_int_equal(device_holds(&w->d, &early)->kind, 77);
    d.c.record = late;
    centre_write(&w->c, &d, 1);
    device_pull(&w->d, &w->c, PAGE);
    assert_int_equal(device_holds(&w->d, &late)->kind, 77);
    assert_string_equal(device_text(&w->d, &late, 12), "mới");
}

/* Two valid edits that do not fit together change nothing of the record; their case is news all the
 * same, to a device that has seen all there is of it. */
static void a_case_that_changes_nothing_is_told_to_who_has_seen_the_record(void **state)
{
    enum { PRODUCER_OF = 10, SORT = 14, DECIDED = 16, INSPECTED = 17, CONCLUSION = 26 };
    struct world *w = *state;
    struct draft_change d;
    struct device other;
    struct id producer = centre_producer(&w->c, &w->here, "HTX");
    struct id id = id_next(&w->c.r->ids, &w->c.env);
    draft(&d, KIND_INSPECTION, VERB_CREATE, &id);
    draft_id(&d, FIELD_UNIT, &w->here);
    draft_id(&d, FIELD_OFFICER, &w->officer);
    draft_id(&d, PRODUCER_OF, &producer);
    draft_text(&d, SORT, "planned");
    draft_text(&d, INSPECTED, "2026-07-10");
    draft_text(&d, CONCLUSION, "pass");
    assert_int_equal(device_push(&w->d, &w->c, &d, 1).code, SET_ACCEPTED);
    uint64_t seen = version_of(w);
    amend(w, KIND_INSPECTION, &id, DECIDED, "2026-07-05");
    device_enrol(&other, &w->c, &w->officer, &w->here, 1);
    device_pull(&other, &w->c, PAGE);
    assert_int_equal(other.notes, 0);

    draft(&d, KIND_INSPECTION, VERB_AMEND, &id);
    draft_text(&d, INSPECTED, "2026-07-01");
    draft_base(&d, seen);
    assert_int_equal(device_push(&w->d, &w->c, &d, 1).code, SET_ACCEPTED);
    device_pull(&other, &w->c, PAGE);
    assert_int_equal(other.notes, 1);
    assert_int_equal(other.note[0]->cause, CASE_INVALID);
    assert_string_equal(device_text(&other, &id, INSPECTED), "2026-07-10");
    device_close(&other);
}

static void a_case_is_told_when_it_opens_and_when_it_closes(void **state)
{
    struct world *w = *state;
    struct draft_change d;
    struct id reviewer = centre_officer(&w->c, "reconciler"), case_of;
    struct id id = centre_producer(&w->c, &w->here, "HTX");
    device_pull(&w->d, &w->c, PAGE);
    uint64_t seen = version_of(w);
    amend(w, KIND_PRODUCER, &id, NAME, "HTX Một");
    draft(&d, KIND_PRODUCER, VERB_AMEND, &id);
    draft_text(&d, NAME, "HTX Hai");
    draft_base(&d, seen);
    assert_int_equal(device_push(&w->d, &w->c, &d, 1).code, SET_ACCEPTED);
    device_pull(&w->d, &w->c, PAGE);
    assert_int_equal(w->d.notes, 1);
    assert_string_equal(w->d.note[0]->field, "name");
    assert_string_equal(w->d.note[0]->mine, "\"HTX Hai\"");
    assert_string_equal(w->d.note[0]->theirs, "\"HTX Một\"");
    assert_false(w->d.note[0]->closed);
    assert_string_equal(device_text(&w->d, &id, NAME), "HTX Một");

    struct device fresh; /* learns of the open case with the record */
    device_enrol(&fresh, &w->c, &w->officer, &w->here, 1);
    device_pull(&fresh, &w->c, PAGE);
    assert_int_equal(fresh.notes, 1);
    device_close(&fresh);

    assert_true(id_from(span_of(w->d.note[0]->id.data, ID_LEN), &case_of));
    centre_must(&w->c, case_resolve(w->c.r, &w->c.keys, &case_of, TAKE_MINE, NULL, "đã hỏi lại",
                                    &reviewer, &w->c.err));
    device_pull(&w->d, &w->c, PAGE);
    assert_int_equal(w->d.notes, 1);
    assert_true(w->d.note[0]->closed);
    assert_string_equal(w->d.note[0]->resolution, "mine");
    assert_string_equal(device_text(&w->d, &id, NAME), "HTX Hai");
}

/* Beyond ANCHORS_FEW the feed asks by version instead of anchor by anchor. */
static void a_scope_of_many_units_is_fed_like_one_of_few(void **state)
{
    struct world *w = *state;
    static struct draft_change d[220];
    static char codes[220][8];
    static struct id ids[220];
    struct id elsewhere = centre_unit(&w->c, "02", "province", NULL), producer[60];
    struct device wide;
    for (size_t i = 0; i < 220; i++) {
        ids[i] = id_next(&w->c.r->ids, &w->c.env);
        snprintf(codes[i], sizeof codes[i], "1%04zu", i);
        draft(&d[i], KIND_UNIT, VERB_CREATE, &ids[i]);
        draft_text(&d[i], 10, codes[i]);
        draft_text(&d[i], 11, codes[i]);
        draft_text(&d[i], 12, "commune");
        draft_id(&d[i], 13, &w->province);
        draft_text(&d[i], 14, "2025-01-01");
    }
    centre_write(&w->c, d, 220);
    device_enrol(&wide, &w->c, &w->officer, &w->province, 1);
    device_pull(&wide, &w->c, PAGE);
    for (size_t i = 0; i < 60; i++)
        producer[i] = centre_producer(&w->c, &ids[i * 3], "HTX ở xã");
    struct id outside = centre_producer(&w->c, &elsewhere, "HTX nơi khác");
    amend(w, KIND_PRODUCER, &producer[0], PHONE, "0912");
    device_pull(&wide, &w->c, 1);
    assert_int_equal(wide.states, 60);
    for (size_t i = 0; i < 60; i++)
        assert_non_null(device_holds(&wide, &producer[i]));
    assert_null(device_holds(&wide, &outside));
    amend(w, KIND_PRODUCER, &producer[7], PHONE, "0913");
    device_pull(&wide, &w->c, PAGE);
    assert_int_equal(wide.deltas, 1);
    assert_string_equal(device_text(&wide, &producer[7], PHONE), "0913");
    device_close(&wide);
}

static void a_cursor_of_nonsense_does_no_harm(void **state)
{
    struct world *w = *state;
    uint8_t bytes[16];
    struct id ids[50];
    memset(bytes, 0xff, sizeof bytes);
    producers(w, 50, ids);
    Ocop__Sync__Cursor c = OCOP__SYNC__CURSOR__INIT;
    c.version = c.scope = c.fill = c.fill_version = c.from_version = UINT64_MAX;
    c.after_kind = c.fill_kind = UINT32_MAX;
    c.has_from_version = c.has_after_id = c.has_fill_id = c.has_fill_unit = 1;
    c.after_id = c.fill_id = c.fill_unit = (ProtobufCBinaryData){16, bytes};
    w->d.cursor = &c;
    device_pull(&w->d, &w->c, 0);
    c.version = c.scope = 0;
    c.fill_unit.len = c.after_id.len = 3;
    w->d.cursor = &c;
    device_pull(&w->d, &w->c, 0);
    w->d.cursor = NULL;
    device_pull(&w->d, &w->c, 0);
    assert_non_null(device_holds(&w->d, &ids[49]));
}

#define T(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_fresh_device_receives_its_scope_and_nothing_beside),
        T(what_was_said_is_not_said_again),
        T(pages_of_any_size_give_the_same_records),
        T(an_amendment_comes_as_the_changed_field),
        T(a_cleared_field_and_a_removed_element_are_cleared_on_the_device),
        T(a_change_whose_record_changed_again_pages_later_is_not_lost),
        T(records_that_change_while_pages_are_read_arrive_as_they_are_last),
        T(what_the_device_made_itself_does_not_come_back),
        T(more_own_records_than_a_page_looks_at_hide_nothing),
        T(a_record_that_leaves_the_scope_departs),
        T(a_departure_on_an_early_page_is_not_lost),
        T(a_unit_that_enters_is_filled_and_one_that_leaves_is_taken_away),
        T(a_record_that_changes_before_its_unit_is_filled_comes_whole),
        T(a_reference_out_of_the_scope_comes_as_a_stub),
        T(a_kind_that_this_program_does_not_know_is_passed_on),
        T(a_case_is_told_when_it_opens_and_when_it_closes),
        T(a_case_that_changes_nothing_is_told_to_who_has_seen_the_record),
        T(a_scope_of_many_units_is_fed_like_one_of_few),
        T(a_cursor_of_nonsense_does_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
