/* Enrolment, recording and finding on a device whose server is scripted. */
#include "scripted.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- enrolment ------------------------------------------------------------------------------- */

static void a_store_that_is_not_enrolled_records_nothing(void **state)
{
    struct fixture *f = *state;
    ProtobufCMessage *m;

    assert_int_equal(ocop_new(f->store, "inspection", &m, &f->err), OCOP_ENOTENROLLED);
    assert_null(m);
    assert_int_equal(ocop_sync(f->store, NULL, &f->sum, &f->err), OCOP_ENOTENROLLED);
}

static void an_enrolment_repeated_after_a_lost_answer_has_the_same_keys(void **state)
{
    struct fixture *f = *state;
    struct id first;
    uint8_t key[SIGN_PUBLIC_LEN];
    struct ocop_store_status s;

    f->server.lose_reply = true;
    assert_int_equal(ocop_enrol(f->store, f->server.code, NULL, &f->err), OCOP_ETIMEOUT);
    first = f->server.replica;
    memcpy(key, f->server.sign_public, sizeof key);
    reopen(f);
    OK(ocop_enrol(f->store, f->server.code, NULL, &f->err));
    assert_true(id_eq(&first, &f->server.replica));
    assert_memory_equal(key, f->server.sign_public, sizeof key);
    OK(ocop_store_status(f->store, &s, &f->err));
    assert_true(s.enrolled);
    assert_int_equal(s.device_number, 7);
    assert_string_equal(s.officer_name, "Nguyễn Văn A");
    assert_string_equal(s.server, "tcp://registry.example:7700");
    OK(ocop_enrol(f->store, f->server.code, NULL, &f->err)); /* and once more changes nothing */
    assert_true(id_eq(&first, &f->server.replica));
}

static void a_mistyped_invitation_is_named_as_such(void **state)
{
    struct fixture *f = *state;
    char code[INVITATION_TEXT_MAX];

    (void)snprintf(code, sizeof code, "%s", f->server.code);
    code[20] = code[20] == 'A' ? 'C' : 'A';
    assert_int_equal(ocop_enrol(f->store, code, NULL, &f->err), OCOP_EINVAL);
    assert_int_equal(ocop_enrol(f->store, "", NULL, &f->err), OCOP_EINVAL);
    code[20] = '%';
    assert_int_equal(ocop_enrol(f->store, code, NULL, &f->err), OCOP_EINVAL);
    assert_int_equal(f->server.exchanges, 0);
}

static void an_invitation_is_read_in_any_case_and_with_likely_slips(void **state)
{
    struct fixture *f = *state;
    char code[INVITATION_TEXT_MAX];
    size_t n = 0;

    for (const char *p = f->server.code; *p; p++) {
        if (*p == '-')
            continue;
        code[n++] = *p == 'O'   ? '0'
                    : *p == 'I' ? '1'
                    : *p == 'B' ? '8'
                    : *p >= 'A' ? (char)(*p + 32)
                                : *p;
    }
    code[n] = '\0';
    OK(ocop_enrol(f->store, code, NULL, &f->err));
}

static void an_invitation_whose_server_the_root_did_not_sign_is_refused(void **state)
{
    struct fixture *f = *state;

    sign_key_new(&f->server.root, env_system());
    struct invitation in;
    struct buf t;
    OK(invitation_decode(f->server.code, &in, &f->err));
    memcpy(in.root_key, f->server.root.public_key, sizeof in.root_key);
    buf_init(&t, INVITATION_TEXT_MAX);
    OK(invitation_encode(&in, &t, &f->err));
    assert_int_equal(ocop_enrol(f->store, buf_cstr(&t), NULL, &f->err), OCOP_EAUTH);
    buf_fini(&t);
}

/* --- recording ------------------------------------------------------------------------------- */

static void a_new_record_knows_its_day_officer_and_rule_set(void **state)
{
    struct fixture *f = *state;
    ProtobufCMessage *m;
    Ocop__Inspection *i;

    OK(ocop_new(f->store, "inspection", &m, &f->err));
    i = (Ocop__Inspection *)m;
    assert_memory_equal(i->officer_id.data, f->server.officer.b, ID_LEN);
    assert_string_equal(i->inspected_date, TODAY);
    assert_true(i->recorded_ms == NOW_MS);
    assert_string_equal(i->rule_set, "ocop-26-2026");
    assert_false(i->has_unit_id); /* its unit is not known to be a commune yet */
    ocop_free(m);
    feed_unit(f);
    sync_ok(f);
    OK(ocop_new(f->store, "inspection", &m, &f->err));
    i = (Ocop__Inspection *)m;
    assert_memory_equal(i->unit_id.data, f->server.unit.b, ID_LEN);
    ocop_free(m);
    assert_int_equal(ocop_new(f->store, "replica", &m, &f->err), OCOP_ENOTFOUND);
}

static void a_draft_survives_closing_and_is_not_sent(void **state)
{
    struct fixture *f = *state;
    Ocop__Inspection *i = inspection_new(f), *back;
    struct ocop_id id = id_of(i);

    set_text(&i->conclusion, "");
    free(i->conclusion);
    i->conclusion = NULL; /* a draft may lack what a submission needs */
    OK(ocop_save(f->store, &i->base, &f->err));
    i->score = 70;
    OK(ocop_save(f->store, &i->base, &f->err));
    reopen(f);
    back = inspection_load(f, &id);
    assert_int_equal(back->score, 70);
    assert_string_equal(back->notes, i->notes);
    assert_null(back->minutes_no);
    assert_state(f, &id, OCOP_DRAFT);
    sync_ok(f);
    assert_int_equal(f->server.got_count, 0);
    assert_state(f, &id, OCOP_DRAFT);
    assert_int_equal(ocop_submit_draft(f->store, &id, NULL, &f->err), OCOP_EINVAL);
    assert_string_equal(f->err.field, "conclusion");
    OK(ocop_discard(f->store, &id, &f->err));
    ProtobufCMessage *m;
    assert_int_equal(ocop_load(f->store, &id, &m, &f->err), OCOP_ENOTFOUND);
    ocop_free(&i->base);
    ocop_free(&back->base);
    assert_clean(f);
}

static void what_is_wrong_is_named_by_its_field(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *assignment, *field;
        bool at_save;
    } cases[] = {
        {"score=101", "score", true},
        {"inspected_date=2026-02-30", "inspected_date", true},
        {"conclusion=", "conclusion", false},
        {"follow_up_date=2026-08-01", "follow_up_date", true},
    };

    for (size_t n = 0; n < sizeof cases / sizeof *cases; n++) {
        Ocop__Inspection *i = inspection_new(f);
        ProtobufCMessage *m = &i->base;
        OK(ocop_set_text(f->store, &m, cases[n].assignment, &f->err));
        assert_int_equal(ocop_submit(f->store, m, &f->err), OCOP_EINVAL);
        assert_string_equal(f->err.field, cases[n].field);
        assert_int_equal(ocop_save(f->store, m, &f->err), cases[n].at_save ? OCOP_EINVAL : OCOP_OK);
        ocop_free(m);
    }
    struct ocop_store_status s;
    OK(ocop_store_status(f->store, &s, &f->err));
    assert_int_equal(s.waiting, 0);
}

static void a_submission_gets_the_next_paper_number_of_its_year(void **state)
{
    struct fixture *f = *state;
    struct ocop_id a, b, c;
    Ocop__Inspection *i;

    feed_unit(f);
    feed_producer(f, 9, "HTX Mắm");
    sync_ok(f);
    a = submit_one(f);
    b = submit_one(f);
    f->now_ms += INT64_C(365) * 86400000;
    reopen(f);
    c = submit_one(f);
    i = inspection_load(f, &a);
    assert_string_equal(i->minutes_no, "BB-00123-2026-007-0001");
    ocop_free(&i->base);
    i = inspection_load(f, &b);
    assert_string_equal(i->minutes_no, "BB-00123-2026-007-0002");
    ocop_free(&i->base);
    i = inspection_load(f, &c);
    assert_string_equal(i->minutes_no, "BB-00123-2027-007-0001");
    i->score = 3;
    assert_int_equal(ocop_submit(f->store, &i->base, &f->err), OCOP_ESTATE);
    ocop_free(&i->base);
    i = inspection_new(f);
    set_text(&i->minutes_no, "BB-1");
    assert_int_equal(ocop_submit(f->store, &i->base, &f->err), OCOP_EINVAL);
    assert_string_equal(f->err.field, "minutes_no");
    ocop_free(&i->base);
}

static void a_reference_must_be_on_the_device_once_it_has_synced(void **state)
{
    struct fixture *f = *state;
    Ocop__Inspection *i = inspection_new(f);

    OK(ocop_submit(f->store, &i->base, &f->err)); /* before the first sync nobody can know */
    ocop_free(&i->base);
    feed_unit(f);
    sync_ok(f);
    i = inspection_new(f);
    assert_int_equal(ocop_submit(f->store, &i->base, &f->err), OCOP_EINVAL);
    assert_string_equal(f->err.field, "producer_id");
    feed_producer(f, 9, "HTX Mắm");
    sync_ok(f);
    OK(ocop_submit(f->store, &i->base, &f->err));
    ocop_free(&i->base);
}

static void roles_of_the_officer_hold_once_they_are_known(void **state)
{
    struct fixture *f = *state;
    Ocop__Officer o = OCOP__OFFICER__INIT;
    Ocop__OfficerRole role = OCOP__OFFICER_ROLE__INIT, *roles = &role;
    ProtobufCMessage *m;

    role.role = "viewer";
    o.has_id = 1;
    o.id = data_of(f->server.officer.b, ID_LEN);
    o.name = "A";
    o.n_roles = 1;
    o.roles = &roles;
    feed_put(f, &o.base, VERB_STATE, 1);
    OK(ocop_new(f->store, "inspection", &m, &f->err));
    sync_ok(f);
    assert_int_equal(ocop_save(f->store, m, &f->err), OCOP_EPERM);
    ocop_free(m);
    assert_int_equal(ocop_new(f->store, "inspection", &m, &f->err), OCOP_EPERM);
}

static void an_amendment_sends_only_what_differs(void **state)
{
    struct fixture *f = *state;
    struct ocop_id id = submit_one(f);
    Ocop__Inspection *i;

    sync_ok(f);
    i = inspection_load(f, &id);
    assert_int_equal(ocop_amend(f->store, &i->base, "", &f->err), OCOP_EINVAL);
    assert_string_equal(f->err.field, "reason");
    OK(ocop_amend(f->store, &i->base, "nothing", &f->err));
    i->score = 55;
    OK(ocop_amend(f->store, &i->base, "typing error", &f->err));
    ocop_free(&i->base);
    assert_state(f, &id, OCOP_WAITING);
    sync_ok(f);
    assert_int_equal(f->server.got_count, 2);
    assert_int_equal(f->server.got[1].verb, VERB_AMEND);
    assert_int_equal(f->server.got[1].fields.count, 1);
    assert_int_equal(f->server.got[1].fields.v[0].number, F_SCORE);
    assert_true(span_eq(f->server.got[1].reason, span_str("typing error")));
    assert_state(f, &id, OCOP_ACCEPTED);
    assert_clean(f);
}

static void each_submission_and_amendment_is_a_change_of_its_own(void **state)
{
    struct fixture *f = *state;
    struct ocop_id id = submit_one(f);

    amend_score(f, &id, 10);
    amend_score(f, &id, 20);
    sync_ok(f);
    assert_int_equal(f->server.got_count, 3);
    assert_int_equal(f->server.exchanges, 2); /* the enrolment and one round trip */
    assert_score(f, &id, 20);
    assert_int_equal(f->sum.pushed, 3);
    assert_true(f->sum.complete);
}

static void a_void_and_an_addition_are_changes_too(void **state)
{
    struct fixture *f = *state;
    struct ocop_id id = submit_one(f);
    Ocop__Finding finding = OCOP__FINDING__INIT;
    Ocop__Inspection *i;

    finding.description = "Không có nhãn";
    finding.severity = "minor";
    OK(ocop_add(f->store, &id, "findings", &finding.base, "seen later", &f->err));
    assert_int_equal(ocop_add(f->store, &id, "answers", &finding.base, "x", &f->err), OCOP_EINVAL);
    i = inspection_load(f, &id);
    assert_int_equal(i->n_findings, 1);
    assert_int_equal(i->findings[0]->key.len, ID_LEN);
    ocop_free(&i->base);
    assert_int_equal(ocop_void(f->store, &id, "", &f->err), OCOP_EINVAL);
    OK(ocop_void(f->store, &id, "wrong producer", &f->err));
    i = inspection_load(f, &id);
    assert_true(i->voided);
    i->score = 1;
    assert_int_equal(ocop_save(f->store, &i->base, &f->err), OCOP_ESTATE);
    ocop_free(&i->base);
    sync_ok(f);
    assert_int_equal(f->server.got[1].verb, VERB_ADD);
    assert_int_equal(f->server.got[1].fields.count, 1);
    assert_int_equal(f->server.got[2].verb, VERB_VOID);
    assert_clean(f);
}

static void a_draft_of_an_amendment_is_discarded_to_what_was_submitted(void **state)
{
    struct fixture *f = *state;
    struct ocop_id id = submit_one(f);
    Ocop__Inspection *i;

    sync_ok(f);
    i = inspection_load(f, &id);
    i->score = 5;
    OK(ocop_save(f->store, &i->base, &f->err));
    assert_score(f, &id, 5);
    assert_state(f, &id, OCOP_DRAFT);
    assert_clean(f);
    OK(ocop_discard(f->store, &id, &f->err));
    assert_score(f, &id, 80);
    assert_state(f, &id, OCOP_ACCEPTED);
    assert_int_equal(ocop_discard(f->store, &id, &f->err), OCOP_ENOTFOUND);
    OK(ocop_save(f->store, &i->base, &f->err));
    OK(ocop_submit_draft(f->store, &id, "typing error", &f->err));
    ocop_free(&i->base);
    assert_state(f, &id, OCOP_WAITING);
    assert_clean(f);
}

/*   saw 4, edited score; pulled 6; edited score again and notes: score is based on 4, notes on 6 */
static void each_field_keeps_the_version_at_which_it_was_first_edited(void **state)
{
    struct fixture *f = *state;
    struct ocop_id id = submit_one(f);
    Ocop__Inspection *i;

    sync_ok(f);
    feed_score(f, &id, 81, 4);
    sync_ok(f);
    i = inspection_load(f, &id);
    i->score = 10;
    OK(ocop_save(f->store, &i->base, &f->err));
    ocop_free(&i->base);
    feed_score(f, &id, 82, 6);
    sync_ok(f);
    assert_score(f, &id, 10); /* the officer's own edit does not vanish */
    i = inspection_load(f, &id);
    i->score = 11;
    set_text(&i->notes, "khác");
    OK(ocop_save(f->store, &i->base, &f->err));
    OK(ocop_submit_draft(f->store, &id, "again", &f->err));
    ocop_free(&i->base);
    sync_ok(f);
    assert_int_equal(f->server.got_count, 2);
    assert_int_equal(base_of(&f->server.got[1], F_SCORE), 4);
    assert_int_equal(base_of(&f->server.got[1], F_NOTES), 6);
    assert_clean(f);
}

/* --- finding --------------------------------------------------------------------------------- */

static void words_are_found_with_and_without_diacritics_in_either_form(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *text;
        size_t count;
    } cases[] = {
        {"Hoà Lạc", 1}, {"hoa lac", 1},     {"HOA", 1},           {"Hoa\xcc\x80", 1},
        {"dak mil", 1}, {"Đắk", 1},         {"ruo", 1},           {"ruocs", 0},
        {"mam tom", 0}, {"bb 2026 007", 1}, {"BB-00000-2026", 1},
    };
    struct ocop_id id = submit_one(f);

    for (size_t n = 0; n < sizeof cases / sizeof *cases; n++) {
        struct ocop_query q = {.kind = "inspection", .text = cases[n].text};
        if (count_found(f, &q) != cases[n].count)
            fail_msg("\"%s\"", cases[n].text);
    }
    Ocop__Inspection *i = inspection_load(f, &id);
    set_text(&i->notes, "nước mắm");
    OK(ocop_amend(f->store, &i->base, "other", &f->err));
    ocop_free(&i->base);
    assert_int_equal(count_found(f, &(struct ocop_query){.text = "ruoc"}), 0);
    assert_int_equal(count_found(f, &(struct ocop_query){.text = "nuoc mam"}), 1);
    struct ocop_list *list;
    assert_int_equal(ocop_find(f->store, &(struct ocop_query){.text = "--"}, &list, &f->err),
                     OCOP_EINVAL);
    assert_string_equal(f->err.field, "text");
}

static void records_are_found_newest_first_by_unit_product_day_and_state(void **state)
{
    struct fixture *f = *state;
    struct ocop_id id[3];
    struct ocop_list *list;
    struct ocop_id unit, other = {{7}};

    for (int n = 0; n < 3; n++) {
        Ocop__Inspection *i = inspection_new(f);
        static const char *const days[] = {"2026-08-01", "2026-08-03", "2026-08-02"};
        set_text(&i->inspected_date, days[n]);
        id[n] = id_of(i);
        OK(ocop_submit(f->store, &i->base, &f->err));
        ocop_free(&i->base);
    }
    memcpy(unit.b, f->server.unit.b, ID_LEN);
    OK(ocop_find(f->store, &(struct ocop_query){.unit = &unit}, &list, &f->err));
    assert_int_equal(list->count, 3);
    assert_memory_equal(list->items[0].id.b, id[1].b, ID_LEN);
    assert_memory_equal(list->items[2].id.b, id[0].b, ID_LEN);
    assert_string_equal(list->items[0].day, "2026-08-03");
    assert_string_equal(list->items[0].label, "BB-00000-2026-007-0002");
    assert_int_equal(list->items[0].state, OCOP_WAITING);
    ocop_list_free(list);
    OK(ocop_find(f->store, &(struct ocop_query){.kind = "inspection", .limit = 1, .offset = 1},
                 &list, &f->err));
    assert_int_equal(list->count, 1);
    assert_true(list->more);
    assert_memory_equal(list->items[0].id.b, id[2].b, ID_LEN);
    ocop_list_free(list);
    assert_int_equal(count_found(f, &(struct ocop_query){.unit = &other}), 0);
    assert_int_equal(
        count_found(f, &(struct ocop_query){.from_date = "2026-08-02", .to_date = "2026-08-02"}),
        1);
    assert_int_equal(count_found(f, &(struct ocop_query){.state = OCOP_WAITING}), 3);
    assert_int_equal(count_found(f, &(struct ocop_query){.state = OCOP_DRAFT}), 0);
    OK(ocop_void(f->store, &id[0], "twice", &f->err));
    assert_int_equal(count_found(f, &(struct ocop_query){.kind = "inspection"}), 2);
    assert_int_equal(count_found(f, &(struct ocop_query){.kind = "inspection", .voided_too = true}),
                     3);
    sync_ok(f);
    assert_int_equal(count_found(f, &(struct ocop_query){.state = OCOP_ACCEPTED}), 2);
    assert_int_equal(ocop_find(f->store, &(struct ocop_query){.from_date = "5/8"}, &list, &f->err),
                     OCOP_EINVAL);
    assert_string_equal(f->err.field, "from_date");
}

int main(void)
{
    env_log_level(ENV_ERROR);
#define EMPTY(t) cmocka_unit_test_setup_teardown(t, scripted_setup_empty, scripted_teardown)
#define TEST(t) cmocka_unit_test_setup_teardown(t, scripted_setup, scripted_teardown)
    const struct CMUnitTest tests[] = {
        EMPTY(a_store_that_is_not_enrolled_records_nothing),
        EMPTY(an_enrolment_repeated_after_a_lost_answer_has_the_same_keys),
        EMPTY(a_mistyped_invitation_is_named_as_such),
        EMPTY(an_invitation_is_read_in_any_case_and_with_likely_slips),
        EMPTY(an_invitation_whose_server_the_root_did_not_sign_is_refused),
        TEST(a_new_record_knows_its_day_officer_and_rule_set),
        TEST(a_draft_survives_closing_and_is_not_sent),
        TEST(what_is_wrong_is_named_by_its_field),
        TEST(a_submission_gets_the_next_paper_number_of_its_year),
        TEST(a_reference_must_be_on_the_device_once_it_has_synced),
        TEST(roles_of_the_officer_hold_once_they_are_known),
        TEST(an_amendment_sends_only_what_differs),
        TEST(each_submission_and_amendment_is_a_change_of_its_own),
        TEST(a_void_and_an_addition_are_changes_too),
        TEST(a_draft_of_an_amendment_is_discarded_to_what_was_submitted),
        TEST(each_field_keeps_the_version_at_which_it_was_first_edited),
        TEST(words_are_found_with_and_without_diacritics_in_either_form),
        TEST(records_are_found_newest_first_by_unit_product_day_and_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
