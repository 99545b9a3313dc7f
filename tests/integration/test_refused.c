/* What the registry refused stays with its officer, in sight, until the officer has answered it. */
#include "test.h"

#include <stdlib.h>
#include <string.h>

#include "assign.h"
#include "bounds.h"
#include "records.pb-c.h"
#include "world.h"

/* Give the officer of device 1 the role of an inspector, or take it. */
static void be_inspector(struct world *w, bool yes)
{
    static const char packed[] = "\n\x09inspector";
    uint64_t version;
    struct ocop_error err = {0};
    assert_int_equal(registry_version(w->registry, &version, &err), OCOP_OK);
    struct field role = {.number = 15,
                         .op = yes ? FIELD_SET : FIELD_CLEAR,
                         .type = VALUE_ELEMENT,
                         .key = span_str("inspector"),
                         .base = version};
    if (yes)
        role.bytes = span_of(packed, sizeof packed - 1);
    struct change c = {.kind = KIND_OFFICER,
                       .verb = VERB_AMEND,
                       .record = w->officers[1],
                       .base = version,
                       .fields = {&role, 1},
                       .reason = span_str("phân công")};
    world_import(w, &c, 1);
}

/* Sync while the officer may not inspect; afterwards the role is back, here and there. */
static struct ocop_sync_summary sync_refused(struct world *w)
{
    be_inspector(w, false);
    struct ocop_sync_summary sum = world_sync(w, 1);
    be_inspector(w, true);
    world_sync(w, 1);
    return sum;
}

static enum ocop_record_state state_of(struct world *w, struct ocop_id id)
{
    struct ocop_record_status *status;
    assert_int_equal(ocop_record_status(w->stores[1], &id, &status, NULL), OCOP_OK);
    enum ocop_record_state state = status->state;
    assert_int_equal(state == OCOP_REFUSED, strstr(status->reason, "roles") != NULL);
    ocop_record_status_free(status);
    return state;
}

/* Does the device show this in the record? */
static bool shows(struct world *w, struct ocop_id id, const char *text)
{
    ProtobufCMessage *m = NULL;
    char *json = NULL;
    assert_int_equal(ocop_load(w->stores[1], &id, &m, NULL), OCOP_OK);
    assert_int_equal(ocop_to_json(m, false, &json, NULL), OCOP_OK);
    bool found = strstr(json, text) != NULL;
    ocop_text_free(json);
    ocop_free(m);
    return found;
}

static void assert_clean(struct world *w)
{
    unsigned findings = 99;
    assert_int_equal(ocop_check(w->stores[1], NULL, NULL, &findings, NULL), OCOP_OK);
    assert_int_equal(findings, 0);
}

static void a_refused_change_stays_until_it_is_said_again(void **state)
{
    struct world *w = *state;
    struct ocop_id id = world_inspect(w, 1, "pass");
    world_sync(w, 1);
    world_amend(w, 1, id, "score=85");
    assert_int_equal(sync_refused(w).refused, 1);
    assert_int_equal(state_of(w, id), OCOP_REFUSED);
    world_amend(w, 1, id, "notes=ghi thêm");
    assert_int_equal(state_of(w, id), OCOP_REFUSED);
    world_sync(w, 1);
    assert_int_equal(state_of(w, id), OCOP_REFUSED);
    assert_string_equal(world_value(w, "inspection", id, "notes"), "\"ghi thêm\"");
    world_amend(w, 1, id, "score=86");
    assert_int_equal(state_of(w, id), OCOP_WAITING);
    world_sync(w, 1);
    assert_int_equal(state_of(w, id), OCOP_ACCEPTED);
    assert_string_equal(world_value(w, "inspection", id, "score"), "86");
    assert_clean(w);
}

static void a_change_that_says_a_part_of_it_does_not_answer_a_refusal(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct ocop_id id = world_inspect(w, 1, "pass");
    ProtobufCMessage *m = NULL;
    world_sync(w, 1);
    assert_int_equal(ocop_load(w->stores[1], &id, &m, &err), OCOP_OK);
    assert_int_equal(ocop_set_text(w->stores[1], &m, "score=85", &err), OCOP_OK);
    assert_int_equal(ocop_set_text(w->stores[1], &m, "answers[NC.1].answer=fail", &err), OCOP_OK);
    assert_int_equal(ocop_amend(w->stores[1], m, "xem lại", &err), OCOP_OK);
    ocop_free(m);
    sync_refused(w);
    world_amend(w, 1, id, "score=85");
    world_amend(w, 1, id, "answers[NC.2].answer=fail");
    assert_int_equal(state_of(w, id), OCOP_REFUSED);
    assert_int_equal(ocop_resend(w->stores[1], &id, &err), OCOP_OK);
    world_sync(w, 1);
    assert_int_equal(state_of(w, id), OCOP_ACCEPTED);
    assert_int_equal(world_count(w, "SELECT count(*) FROM inspection WHERE score = 85 AND "
                                    "answers LIKE '%NC.1%fail%NC.2%fail%'"),
                     1);
    assert_clean(w);
}

static void neither_an_addition_nor_a_void_hides_a_refusal(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct ocop_id id = world_inspect(w, 1, "pass");
    Ocop__Finding finding = OCOP__FINDING__INIT;
    finding.description = "Không có nhãn";
    finding.severity = "minor";
    world_sync(w, 1);
    world_amend(w, 1, id, "score=85");
    sync_refused(w);
    assert_int_equal(ocop_add(w->stores[1], &id, "findings", &finding.base, NULL, &err), OCOP_OK);
    assert_int_equal(state_of(w, id), OCOP_REFUSED);
    assert_int_equal(ocop_void(w->stores[1], &id, "nhầm cơ sở", &err), OCOP_OK);
    assert_int_equal(state_of(w, id), OCOP_REFUSED);
    world_sync(w, 1);
    assert_int_equal(ocop_discard(w->stores[1], &id, &err), OCOP_OK);
    assert_int_equal(state_of(w, id), OCOP_ACCEPTED);
    assert_string_equal(world_value(w, "inspection", id, "voided"), "true");
    assert_clean(w);
}

static void a_creation_submitted_again_answers_its_refusal(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct ocop_id id = world_inspect(w, 1, "pass");
    ProtobufCMessage *m = NULL;
    sync_refused(w);
    assert_int_equal(state_of(w, id), OCOP_REFUSED);
    assert_int_equal(ocop_load(w->stores[1], &id, &m, &err), OCOP_OK);
    assert_int_equal(ocop_set_text(w->stores[1], &m, "score=", &err), OCOP_OK);
    assert_int_equal(ocop_submit(w->stores[1], m, &err), OCOP_OK);
    ocop_free(m);
    assert_int_equal(state_of(w, id), OCOP_WAITING);
    world_sync(w, 1);
    assert_int_equal(state_of(w, id), OCOP_ACCEPTED);
    assert_string_equal(world_value(w, "inspection", id, "score"), "null");
    assert_clean(w);
}

/* Refused at the registry with an amendment behind it that waits: sent again, it stands before
 * that. */
static void a_change_sent_again_keeps_its_place(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct ocop_id id = world_inspect(w, 1, "pass");
    world_amend(w, 1, id, "score=85");
    struct ocop_sync_summary sum = sync_refused(w);
    assert_int_equal(sum.refused, 1);
    assert_int_equal(sum.waiting, 1);
    assert_true(shows(w, id, "\"score\":85"));
    assert_int_equal(ocop_resend(w->stores[1], &id, &err), OCOP_OK);
    assert_int_equal(ocop_resend(w->stores[1], &id, &err), OCOP_ESTATE);
    assert_true(shows(w, id, "\"score\":85"));
    world_sync(w, 1);
    world_sync(w, 1);
    assert_int_equal(state_of(w, id), OCOP_ACCEPTED);
    assert_string_equal(world_value(w, "inspection", id, "score"), "85");
    assert_true(shows(w, id, "\"score\":85"));
    assert_clean(w);
}

static void a_creation_that_is_given_up_takes_with_it_what_was_to_follow(void **state)
{
    struct world *w = *state;
    for (int by_void = 0; by_void < 2; by_void++) {
        struct ocop_error err = {0};
        struct ocop_store_status s;
        struct ocop_record_status *status;
        struct ocop_id id = world_inspect(w, 1, "pass");
        world_amend(w, 1, id, "score=85");
        assert_int_equal(sync_refused(w).waiting, 1);
        assert_int_equal(by_void ? ocop_void(w->stores[1], &id, "nhầm", &err)
                                 : ocop_discard(w->stores[1], &id, &err),
                         OCOP_OK);
        assert_int_equal(ocop_record_status(w->stores[1], &id, &status, &err), OCOP_ENOTFOUND);
        assert_int_equal(ocop_store_status(w->stores[1], &s, &err), OCOP_OK);
        assert_int_equal(s.waiting + s.refused + s.drafts, 0);
        assert_clean(w);
        world_sync(w, 1);
        assert_clean(w);
    }
}

/* A photo that was attached while it stood refused goes with it. */
static void what_was_attached_to_a_refused_record_goes_when_it_is_sent_again(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct ocop_id photo, id = world_inspect(w, 1, "pass");
    const struct ocop_attachment a = {.bytes = "\xff\xd8\xff.", .len = 4, .role = "photo"};
    assert_int_equal(sync_refused(w).refused, 1);
    assert_int_equal(ocop_attach(w->stores[1], &id, &a, &photo, &err), OCOP_OK);
    assert_int_equal(world_sync(w, 1).files_sent, 0);
    assert_int_equal(state_of(w, photo), OCOP_DRAFT);
    assert_int_equal(ocop_resend(w->stores[1], &id, &err), OCOP_OK);
    assert_int_equal(world_sync(w, 1).files_sent, 1);
    assert_int_equal(state_of(w, id), OCOP_ACCEPTED);
    assert_int_equal(state_of(w, photo), OCOP_ACCEPTED);
    assert_int_equal(world_count(w, "SELECT count(*) FROM attachment"), 1);
}

/* A draft over a refused creation that has notes: without them. */
static void prepare_without_notes(struct world *w, struct ocop_id id)
{
    ProtobufCMessage *m = NULL;
    struct ocop_error err = {0};
    assert_true(shows(w, id, "riêng tư"));
    assert_int_equal(ocop_load(w->stores[1], &id, &m, &err), OCOP_OK);
    assert_int_equal(ocop_set_text(w->stores[1], &m, "notes=", &err), OCOP_OK);
    assert_int_equal(ocop_save(w->stores[1], m, &err), OCOP_OK);
    ocop_free(m);
    assert_false(shows(w, id, "riêng tư"));
    assert_clean(w);
}

static struct ocop_id inspect_with_notes(struct world *w)
{
    ProtobufCMessage *m = NULL;
    struct ocop_error err = {0};
    struct ocop_id id = world_draft(w, 1);
    assert_int_equal(ocop_load(w->stores[1], &id, &m, &err), OCOP_OK);
    assert_int_equal(ocop_set_text(w->stores[1], &m, "notes=riêng tư", &err), OCOP_OK);
    assert_int_equal(ocop_submit(w->stores[1], m, &err), OCOP_OK);
    ocop_free(m);
    return id;
}

/* The creation has been taken after all: the draft still says the same. */
static void submit_without_notes(struct world *w, struct ocop_id id)
{
    struct ocop_error err = {0};
    assert_false(shows(w, id, "riêng tư"));
    assert_clean(w);
    assert_string_equal(world_value(w, "inspection", id, "notes"), "\"riêng tư\"");
    assert_int_equal(ocop_submit_draft(w->stores[1], &id, "xóa ghi chú", &err), OCOP_OK);
    world_sync(w, 1);
    assert_string_equal(world_value(w, "inspection", id, "notes"), "null");
    assert_clean(w);
}

static void a_draft_over_a_resent_record_keeps_what_it_cleared(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct ocop_id id = inspect_with_notes(w);
    assert_int_equal(sync_refused(w).refused, 1);
    prepare_without_notes(w, id);
    assert_int_equal(ocop_resend(w->stores[1], &id, &err), OCOP_OK);
    assert_false(shows(w, id, "riêng tư"));
    world_sync(w, 1);
    world_enrol(w, 0);
    world_sync(w, 0);
    world_amend(w, 0, id, "score=61");
    world_sync(w, 0);
    world_sync(w, 1);
    assert_true(shows(w, id, "61"));
    submit_without_notes(w, id);
    assert_string_equal(world_value(w, "inspection", id, "score"), "61");
}

static void a_draft_over_a_record_that_a_restore_takes_keeps_what_it_cleared(void **state)
{
    struct world *w = *state;
    world_sync(w, 1);
    world_backup(w);
    struct ocop_id id = inspect_with_notes(w);
    assert_int_equal(sync_refused(w).refused, 1);
    prepare_without_notes(w, id);
    world_restore(w);
    world_sync(w, 1);
    world_sync(w, 1);
    submit_without_notes(w, id);
}

/* Nothing of the record was sent again: the draft takes the place of all that was refused. */
static void a_draft_over_a_refused_record_is_submitted_as_a_whole(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct ocop_id id = inspect_with_notes(w);
    assert_int_equal(sync_refused(w).refused, 1);
    prepare_without_notes(w, id);
    assert_int_equal(ocop_submit_draft(w->stores[1], &id, NULL, &err), OCOP_OK);
    world_sync(w, 1);
    assert_string_equal(world_value(w, "inspection", id, "notes"), "null");
    assert_int_equal(state_of(w, id), OCOP_ACCEPTED);
    assert_clean(w);
}

/* A record that was refused since the backup, and a photo of it that waits for it. */
static struct ocop_id refused_with_photo(struct world *w, struct ocop_id *photo)
{
    struct ocop_error err = {0};
    const struct ocop_attachment a = {.bytes = "\xff\xd8\xff.", .len = 4, .role = "photo"};
    world_sync(w, 1);
    world_backup(w);
    struct ocop_id id = world_inspect(w, 1, "pass");
    assert_int_equal(sync_refused(w).refused, 1);
    assert_int_equal(ocop_attach(w->stores[1], &id, &a, photo, &err), OCOP_OK);
    return id;
}

static void what_was_attached_to_a_refused_record_goes_with_it_after_a_restore(void **state)
{
    struct world *w = *state;
    struct ocop_id photo, id = refused_with_photo(w, &photo);
    world_restore(w); /* to before the role was taken */
    world_sync(w, 1);
    world_sync(w, 1);
    assert_int_equal(state_of(w, id), OCOP_ACCEPTED);
    assert_int_equal(state_of(w, photo), OCOP_ACCEPTED);
    assert_int_equal(world_count(w, "SELECT count(*) FROM attachment"), 1);
    assert_clean(w);
}

/* By then the device knows that this officer attaches nothing any more: that stops no sync. */
static void what_may_not_be_attached_any_more_stays_a_draft_after_a_restore(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct ocop_id photo, id = refused_with_photo(w, &photo);
    assert_int_equal(
        assign_roles(w->registry, &w->keys, &w->officers[1], "laboratory", "thử", &err), OCOP_OK);
    world_sync(w, 1);
    world_restore(w);
    world_sync(w, 1);
    world_sync(w, 1);
    assert_int_equal(state_of(w, id), OCOP_ACCEPTED);
    assert_int_equal(state_of(w, photo), OCOP_DRAFT);
    assert_int_equal(ocop_submit_draft(w->stores[1], &photo, NULL, &err), OCOP_OK);
    world_sync(w, 1);
    assert_int_equal(state_of(w, photo), OCOP_ACCEPTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, world_setup_1, world_teardown)
        T(what_was_attached_to_a_refused_record_goes_when_it_is_sent_again),
        T(a_refused_change_stays_until_it_is_said_again),
        T(a_change_that_says_a_part_of_it_does_not_answer_a_refusal),
        T(neither_an_addition_nor_a_void_hides_a_refusal),
        T(a_creation_submitted_again_answers_its_refusal),
        T(a_change_sent_again_keeps_its_place),
        T(a_creation_that_is_given_up_takes_with_it_what_was_to_follow),
        T(a_draft_over_a_resent_record_keeps_what_it_cleared),
        T(a_draft_over_a_record_that_a_restore_takes_keeps_what_it_cleared),
        T(a_draft_over_a_refused_record_is_submitted_as_a_whole),
        T(what_was_attached_to_a_refused_record_goes_with_it_after_a_restore),
        T(what_may_not_be_attached_any_more_stays_a_draft_after_a_restore),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
