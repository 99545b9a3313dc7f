/* A record stands open in an editor while syncs go on and others change it: what the officer did
 * not touch is not touched, and what was overtaken is not overwritten. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "assign.h"
#include "bounds.h"
#include "records.pb-c.h"
#include "world.h"

enum { LOADED = 536870911 }; /* the field in which a message carries what was loaded */

/* An inspection of device 1 that both devices and the registry have. */
static struct ocop_id shared_inspection(struct world *w)
{
    struct ocop_id id = world_inspect(w, 1, "pass");
    world_sync(w, 1);
    world_sync(w, 0);
    return id;
}

static ProtobufCMessage *load(struct world *w, unsigned n, struct ocop_id id)
{
    ProtobufCMessage *m = NULL;
    assert_int_equal(ocop_load(w->stores[n], &id, &m, NULL), OCOP_OK);
    return m;
}

static void set(struct world *w, unsigned n, ProtobufCMessage **m, const char *assignment)
{
    struct ocop_error err = {0};
    if (ocop_set_text(w->stores[n], m, assignment, &err) != OCOP_OK)
        fail_msg("%s: %s", assignment, err.text);
}

static void must_have_role(struct world *w, const char *role)
{
    struct ocop_error err = {0};
    if (assign_roles(w->registry, &w->keys, &w->officers[1], role, "thử", &err) != OCOP_OK)
        fail_msg("%s", err.text);
}

/* A loaded record under another id, without its paper number: what an app calls "copy". */
static ProtobufCMessage *load_as(struct world *w, unsigned n, struct ocop_id from,
                                 struct ocop_id id)
{
    ProtobufCMessage *m = load(w, n, from);
    const ProtobufCFieldDescriptor *d =
        protobuf_c_message_descriptor_get_field_by_name(m->descriptor, "id");
    memcpy(((ProtobufCBinaryData *)(void *)((uint8_t *)m + d->offset))->data, id.b, ID_LEN);
    set(w, n, &m, "minutes_no=");
    return m;
}

static void amend(struct world *w, unsigned n, ProtobufCMessage *m)
{
    struct ocop_error err = {0};
    if (ocop_amend(w->stores[n], m, "xem lại", &err) != OCOP_OK)
        fail_msg("amend: %s: %s", err.field, err.text);
}

static char *json_of(ProtobufCMessage *m)
{
    char *json = NULL;
    assert_int_equal(ocop_to_json(m, false, &json, NULL), OCOP_OK);
    return json;
}

/* Does device n show this text in the record? */
static bool shows(struct world *w, unsigned n, struct ocop_id id, const char *text)
{
    ProtobufCMessage *m = load(w, n, id);
    char *json = json_of(m);
    bool found = strstr(json, text) != NULL;
    ocop_text_free(json);
    ocop_free(m);
    return found;
}

/* Device 0 changes the record at the registry, and device 1 receives it. */
static void overtake(struct world *w, struct ocop_id id, const char *assignment)
{
    world_amend(w, 0, id, assignment);
    world_sync(w, 0);
    world_sync(w, 1);
}

static void import_producer(struct world *w)
{
    struct id id = id_next(&w->registry->ids, w->registry->env);
    struct field v[] = {{.number = FIELD_UNIT, .type = VALUE_BYTES, .bytes = id_span(&w->commune)},
                        {.number = 10, .type = VALUE_BYTES, .bytes = span_str("HTX Đức Lập")},
                        {.number = 11, .type = VALUE_BYTES, .bytes = span_str("cooperative")}};
    struct change c = {.kind = KIND_PRODUCER, .verb = VERB_CREATE, .record = id, .fields = {v, 3}};
    for (size_t i = 0; i < 3; i++)
        v[i].op = FIELD_SET;
    world_import(w, &c, 1);
}

static enum ocop_record_state state_of(struct world *w, unsigned n, struct ocop_id id)
{
    struct ocop_record_status *status;
    assert_int_equal(ocop_record_status(w->stores[n], &id, &status, NULL), OCOP_OK);
    enum ocop_record_state state = status->state;
    ocop_record_status_free(status);
    return state;
}

static void what_came_while_a_record_was_open_stays(void **state)
{
    struct world *w = *state;
    struct ocop_id id = shared_inspection(w);
    ProtobufCMessage *m = load(w, 1, id);
    overtake(w, id, "conclusion=fail");
    set(w, 1, &m, "score=90");
    amend(w, 1, m);
    ocop_free(m);
    assert_true(shows(w, 1, id, "\"conclusion\":\"fail\""));
    world_sync(w, 1);
    assert_string_equal(world_value(w, "inspection", id, "conclusion"), "\"fail\"");
    assert_string_equal(world_value(w, "inspection", id, "score"), "90");
    assert_int_equal(world_count(w, "SELECT count(*) FROM cases"), 0);
}

static void an_element_that_came_while_a_record_was_open_stays(void **state)
{
    struct world *w = *state;
    struct ocop_id id = shared_inspection(w);
    ProtobufCMessage *m = load(w, 1, id);
    overtake(w, id, "answers[NC.2].answer=fail");
    set(w, 1, &m, "answers[NC.3].answer=pass");
    amend(w, 1, m);
    ocop_free(m);
    world_sync(w, 1);
    assert_int_equal(world_count(w, "SELECT count(*) FROM inspection WHERE answers LIKE '%NC.1%'"
                                    " AND answers LIKE '%NC.2%' AND answers LIKE '%NC.3%'"),
                     1);
    assert_int_equal(world_count(w, "SELECT count(*) FROM cases"), 0);
}

static void an_edit_of_what_was_overtaken_opens_a_case(void **state)
{
    struct world *w = *state;
    struct ocop_id id = shared_inspection(w);
    ProtobufCMessage *m = load(w, 1, id);
    overtake(w, id, "conclusion=fail");
    set(w, 1, &m, "conclusion=conditional");
    amend(w, 1, m);
    ocop_free(m);
    assert_int_equal(world_sync(w, 1).in_case, 1);
    assert_string_equal(world_value(w, "inspection", id, "conclusion"), "\"fail\"");
    assert_int_equal(world_count(w, "SELECT count(*) FROM cases WHERE theirs = '\"fail\"'"
                                    " AND mine = '\"conditional\"'"),
                     1);
}

/* The officer's own value stood over what came, and was answered with a case: the officer has never
 * seen what stands instead. */
static void a_second_edit_in_an_open_record_is_based_on_what_the_first_saw(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct ocop_id id = shared_inspection(w);
    ProtobufCMessage *m = load(w, 1, id);
    set(w, 1, &m, "conclusion=conditional");
    assert_int_equal(ocop_save(w->stores[1], m, &err), OCOP_OK);
    ocop_free(m);
    overtake(w, id, "conclusion=fail");
    m = load(w, 1, id);
    assert_int_equal(ocop_submit_draft(w->stores[1], &id, "xem lại", &err), OCOP_OK);
    assert_int_equal(world_sync(w, 1).in_case, 1);
    set(w, 1, &m, "conclusion=pass");
    amend(w, 1, m);
    ocop_free(m);
    assert_int_equal(world_sync(w, 1).in_case, 1);
    assert_string_equal(world_value(w, "inspection", id, "conclusion"), "\"fail\"");
}

static void a_draft_of_an_open_record_keeps_what_came(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct ocop_id id = shared_inspection(w);
    ProtobufCMessage *m = load(w, 1, id);
    overtake(w, id, "conclusion=fail");
    set(w, 1, &m, "score=90");
    assert_int_equal(ocop_save(w->stores[1], m, &err), OCOP_OK);
    assert_true(shows(w, 1, id, "\"conclusion\":\"fail\""));
    overtake(w, id, "conclusion=conditional");
    assert_int_equal(ocop_submit_draft(w->stores[1], &id, "xem lại", &err), OCOP_OK);
    ocop_free(m);
    world_sync(w, 1);
    assert_string_equal(world_value(w, "inspection", id, "conclusion"), "\"conditional\"");
    assert_string_equal(world_value(w, "inspection", id, "score"), "90");
    assert_int_equal(world_count(w, "SELECT count(*) FROM cases"), 0);
}

/* An editor that saves as it goes: the draft is what the message says, not all it ever said. */
static void what_is_taken_back_in_an_open_record_leaves_its_draft(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct ocop_id id = shared_inspection(w);
    ProtobufCMessage *m = load(w, 1, id);
    set(w, 1, &m, "score=90");
    set(w, 1, &m, "notes=nháp");
    assert_int_equal(ocop_save(w->stores[1], m, &err), OCOP_OK);
    set(w, 1, &m, "score=70");
    assert_int_equal(ocop_save(w->stores[1], m, &err), OCOP_OK);
    assert_true(shows(w, 1, id, "\"score\":70"));
    assert_true(shows(w, 1, id, "nháp"));
    set(w, 1, &m, "notes=");
    assert_int_equal(ocop_save(w->stores[1], m, &err), OCOP_OK);
    assert_int_equal(state_of(w, 1, id), OCOP_ACCEPTED);
    ocop_free(m);
}

/* The record is made again when its maker may make it. What waited for it comes behind that, and
 * what its maker said last comes behind both. */
static void what_waited_for_a_refused_record_is_not_the_last_word(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    must_have_role(w, "laboratory");
    struct ocop_id id = world_inspect(w, 1, "pass");
    world_amend(w, 1, id, "conclusion=fail");
    world_amend(w, 1, id, "score=70");
    struct ocop_sync_summary sum = world_sync(w, 1);
    assert_int_equal(sum.refused, 1);
    assert_true(sum.waiting > 0);
    must_have_role(w, "inspector");
    world_sync(w, 1);
    ProtobufCMessage *m = load(w, 1, id);
    set(w, 1, &m, "conclusion=conditional");
    assert_int_equal(ocop_save(w->stores[1], m, &err), OCOP_OK);
    ocop_free(m);
    assert_int_equal(ocop_submit_draft(w->stores[1], &id, NULL, &err), OCOP_OK);
    world_sync(w, 1);
    world_sync(w, 1);
    assert_string_equal(world_value(w, "inspection", id, "conclusion"), "\"conditional\"");
    assert_string_equal(world_value(w, "inspection", id, "score"), "70");
    assert_true(shows(w, 1, id, "\"conclusion\":\"conditional\""));
    assert_int_equal(world_count(w, "SELECT count(*) FROM cases"), 0);
    assert_int_equal(state_of(w, 1, id), OCOP_ACCEPTED);
}

static void submit_again(struct world *w, struct ocop_id id, const char *change)
{
    struct ocop_error err = {0};
    ProtobufCMessage *m = load(w, 1, id);
    set(w, 1, &m, change);
    must(ocop_submit(w->stores[1], m, &err), &err);
    ocop_free(m);
}

static unsigned waiting(struct world *w)
{
    struct ocop_store_status s;
    struct ocop_error err = {0};
    must(ocop_store_status(w->stores[1], &s, &err), &err);
    return s.waiting;
}

/* The device believes that it may: its copy of the role comes and goes. */
static void what_is_refused_again_and_again_shows_itself_and_gathers_nothing(void **state)
{
    struct world *w = *state;
    must_have_role(w, "laboratory");
    struct ocop_id id = world_inspect(w, 1, "pass");
    world_amend(w, 1, id, "score=10");
    world_sync(w, 1);
    for (int i = 0; i < 6; i++) {
        char score[32];
        snprintf(score, sizeof score, "score=%d", 20 + i);
        must_have_role(w, "inspector");
        world_sync(w, 1);
        submit_again(w, id, score);
        must_have_role(w, "laboratory");
        world_sync(w, 1);
        assert_int_equal(state_of(w, 1, id), OCOP_REFUSED);
        assert_true(shows(w, 1, id, "\"unitId\""));
        assert_int_equal(waiting(w), i + 2); /* the first, and one for each time */
    }
}

static void an_element_that_waited_is_not_the_last_word_either(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    Ocop__Finding found = OCOP__FINDING__INIT;
    must_have_role(w, "laboratory");
    struct ocop_id id = world_inspect(w, 1, "pass");
    found.description = (char[]){"kho ẩm"};
    found.severity = (char[]){"minor"};
    must(ocop_add(w->stores[1], &id, "findings", &found.base, "thêm", &err), &err);
    world_sync(w, 1);
    must_have_role(w, "inspector");
    world_sync(w, 1);
    Ocop__Inspection *m = (Ocop__Inspection *)load(w, 1, id);
    assert_int_equal(m->n_findings, 1);
    free(m->findings[0]->description);
    m->findings[0]->description = strdup("kho khô");
    must(ocop_submit(w->stores[1], &m->base, &err), &err);
    ocop_free(&m->base);
    world_sync(w, 1);
    world_sync(w, 1);
    assert_int_equal(
        world_count(w, "SELECT count(*) FROM inspection WHERE findings LIKE '%kho khô%'"), 1);
    assert_true(shows(w, 1, id, "kho khô"));
    assert_int_equal(waiting(w), 0);
}

struct during {
    struct world *w;
    struct ocop_id id;
    bool done;
};

static bool amend_meanwhile(void *user, const struct ocop_sync_summary *s, const char *doing)
{
    struct during *d = user;
    (void)s;
    if (!d->done && strcmp(doing, "exchanging") == 0) {
        d->done = true;
        world_amend(d->w, 1, d->id, "conclusion=fail");
    }
    return true;
}

/* The amendment's request is lost, and the creation refused; then both go in one, the amendment
 * first: the reply says that it waits, and that it was taken. */
static void what_waited_and_ended_in_one_reply_waits_no_more(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    must_have_role(w, "laboratory");
    struct during d = {.w = w, .id = world_inspect(w, 1, "pass")};
    const struct ocop_sync_options o = {.progress = amend_meanwhile, .user = &d};
    w->links[1].drop_request = 2;
    assert_int_equal(ocop_sync(w->stores[1], &o, NULL, NULL), OCOP_ETIMEOUT);
    assert_true(d.done);
    must_have_role(w, "inspector");
    must(ocop_resend(w->stores[1], &d.id, &err), &err);
    world_sync(w, 1);
    assert_string_equal(world_value(w, "inspection", d.id, "conclusion"), "\"fail\"");
    assert_int_equal(state_of(w, 1, d.id), OCOP_ACCEPTED);
    assert_int_equal(waiting(w), 0);
}

/* Opened while new, submitted and numbered elsewhere, changed by others: all of that stays. */
static void an_open_draft_that_was_submitted_meanwhile_keeps_its_number(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct ocop_id from = world_inspect(w, 1, "pass"), id = ocop_new_key(w->stores[1]);
    ProtobufCMessage *m = load_as(w, 1, from, id);
    assert_int_equal(ocop_save(w->stores[1], m, &err), OCOP_OK);
    ocop_free(m);
    m = load(w, 1, id);
    assert_int_equal(ocop_submit_draft(w->stores[1], &id, NULL, &err), OCOP_OK);
    world_sync(w, 1);
    world_sync(w, 0);
    overtake(w, id, "conclusion=fail");
    set(w, 1, &m, "score=90");
    amend(w, 1, m);
    ocop_free(m);
    world_sync(w, 1);
    assert_string_equal(world_value(w, "inspection", id, "conclusion"), "\"fail\"");
    assert_string_not_equal(world_value(w, "inspection", id, "minutes_no"), "null");
}

/* Versions of the history that was lost count as not seen in the new one. */
static void an_edit_based_on_a_lost_history_opens_a_case(void **state)
{
    struct world *w = *state;
    struct ocop_id id = shared_inspection(w);
    world_backup(w);
    for (int i = 0; i < 9; i++)
        import_producer(w); /* nobody sends these again */
    overtake(w, id, "score=71");
    ProtobufCMessage *m = load(w, 1, id);
    world_restore(w);
    overtake(w, id, "conclusion=fail");
    for (int i = 0; i < 12; i++)
        import_producer(w); /* and now as long as the lost one */
    set(w, 1, &m, "conclusion=conditional");
    set(w, 1, &m, "score=90"); /* still stands as it was seen */
    amend(w, 1, m);
    ocop_free(m);
    assert_int_equal(world_sync(w, 1).in_case, 1);
    assert_string_equal(world_value(w, "inspection", id, "conclusion"), "\"fail\"");
    assert_string_equal(world_value(w, "inspection", id, "score"), "90");
}

static void an_open_record_that_left_the_device_is_not_made_anew(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct ocop_id id = shared_inspection(w);
    struct id record;
    uint64_t version;
    ProtobufCMessage *m = load(w, 1, id);
    memcpy(record.b, id.b, ID_LEN);
    assert_int_equal(registry_version(w->registry, &version, &err), OCOP_OK);
    struct field unit = {.number = FIELD_UNIT,
                         .op = FIELD_SET,
                         .type = VALUE_BYTES,
                         .bytes = id_span(&w->other_commune),
                         .base = version};
    struct change moved = {.kind = KIND_INSPECTION,
                           .verb = VERB_AMEND,
                           .record = record,
                           .base = version,
                           .fields = {&unit, 1},
                           .reason = span_str("chuyển xã")};
    world_import(w, &moved, 1);
    world_sync(w, 1);
    set(w, 1, &m, "score=90");
    assert_int_equal(ocop_save(w->stores[1], m, &err), OCOP_ENOTFOUND);
    assert_int_equal(ocop_amend(w->stores[1], m, "xem lại", &err), OCOP_ENOTFOUND);
    ocop_free(m);
}

static bool carries(const ProtobufCMessage *m)
{
    for (unsigned i = 0; i < m->n_unknown_fields; i++)
        if (m->unknown_fields[i].tag == LOADED)
            return true;
    return false;
}

static void what_was_loaded_is_passed_on_but_never_leaves_the_message(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct ocop_id id = shared_inspection(w);
    ProtobufCMessage *m = load(w, 1, id), *over = NULL;
    char *json = json_of(m);
    assert_true(carries(m));
    assert_null(strstr(json, "_unknown"));
    overtake(w, id, "conclusion=fail");
    assert_int_equal(ocop_from_json(w->stores[1], "inspection", m, "{\"score\":90}", &over, &err),
                     OCOP_OK);
    assert_true(carries(over));
    set(w, 1, &over, "notes=qua JSON");
    assert_true(carries(over));
    amend(w, 1, over);
    ocop_free(m);
    ocop_free(over);
    assert_true(shows(w, 1, id, "qua JSON"));
    world_sync(w, 1);
    assert_string_equal(world_value(w, "inspection", id, "conclusion"), "\"fail\"");
    assert_int_equal(world_count(w, "SELECT count(*) FROM inspection WHERE extra IS NOT NULL"), 0);
    /* Neither does JSON bring it in: fields of this number there are not. */
    assert_int_equal(ocop_from_json(w->stores[1], "inspection", NULL,
                                    "{\"_unknown\":\"+v///w8BeA==\"}", &over, &err),
                     OCOP_EINVAL);
    ocop_text_free(json);
}

static void a_message_whose_memory_of_loading_was_altered_is_refused(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct ocop_id id = shared_inspection(w);
    for (size_t cut = 0; cut < 2; cut++) {
        ProtobufCMessage *m = load(w, 1, id);
        ProtobufCMessageUnknownField *u = &m->unknown_fields[m->n_unknown_fields - 1];
        assert_int_equal(u->tag, LOADED);
        u->len = cut == 0 ? u->len - 1 : 1;
        assert_int_equal(ocop_amend(w->stores[1], m, "xem lại", &err), OCOP_EINVAL);
        ocop_free(m);
    }
}

/* A program that fills in a message by itself says what the whole record shall be. */
static void a_message_made_by_hand_is_the_whole_record(void **state)
{
    struct world *w = *state;
    struct ocop_id id = shared_inspection(w);
    ProtobufCMessage *m = load(w, 1, id), *bare = NULL;
    char *json = json_of(m);
    ocop_free(m);
    overtake(w, id, "conclusion=fail");
    assert_int_equal(ocop_from_json(w->stores[1], "inspection", NULL, json, &bare, NULL), OCOP_OK);
    assert_false(carries(bare));
    amend(w, 1, bare);
    ocop_free(bare);
    ocop_text_free(json);
    world_sync(w, 1);
    assert_string_equal(world_value(w, "inspection", id, "conclusion"), "\"pass\"");
}

static void a_loaded_record_under_an_id_of_its_own_is_a_new_record(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct ocop_id id = shared_inspection(w), fresh = ocop_new_key(w->stores[1]);
    ProtobufCMessage *m = load_as(w, 1, id, fresh);
    if (ocop_submit(w->stores[1], m, &err) != OCOP_OK)
        fail_msg("%s: %s", err.field, err.text);
    ocop_free(m);
    world_sync(w, 1);
    assert_int_equal(world_count(w, "SELECT count(*) FROM inspection"), 2);
}

static void a_record_loaded_packed_is_the_message_packed(void **state)
{
    struct world *w = *state;
    struct ocop_id id = shared_inspection(w), none = ocop_new_key(w->stores[1]);
    ProtobufCMessage *m = load(w, 1, id);
    size_t len = 0, m_len = protobuf_c_message_get_packed_size(m);
    uint8_t *m_packed = malloc(m_len);
    char *packed = NULL;
    const ProtobufCMessageDescriptor *desc = NULL;

    assert_int_equal(protobuf_c_message_pack(m, m_packed), m_len);
    assert_int_equal(ocop_load_packed(w->stores[1], &id, &packed, &len, &desc, NULL), OCOP_OK);
    assert_ptr_equal(desc, ocop_descriptor("inspection"));
    assert_int_equal(len, m_len);
    assert_memory_equal(packed, m_packed, len);
    ocop_text_free(packed);
    free(m_packed);
    ocop_free(m);
    assert_int_equal(ocop_load_packed(w->stores[1], &none, &packed, &len, &desc, NULL),
                     OCOP_ENOTFOUND);
    assert_null(packed);
    assert_null(desc);
    assert_int_equal(len, 0);
    assert_null(ocop_descriptor("replica"));
}

/* The registry took an edit, its reply was lost, and it was restored: then the device hears what
 * others made of the record since before it hears what came of its own edit. */
static void what_came_behind_an_edit_is_not_undone_by_its_late_answer(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct ocop_id id = shared_inspection(w);
    world_amend(w, 0, id, "conclusion=fail");
    w->links[0].drop_reply = 1;
    assert_int_not_equal(ocop_sync(w->stores[0], NULL, NULL, &err), OCOP_OK);
    assert_string_equal(world_value(w, "inspection", id, "conclusion"), "\"fail\"");
    world_backup(w);
    world_sync(w, 1);
    world_amend(w, 1, id, "conclusion=conditional");
    world_restore(w);
    world_sync(w, 1);
    world_sync(w, 0);
    assert_string_equal(world_value(w, "inspection", id, "conclusion"), "\"conditional\"");
    assert_true(shows(w, 0, id, "conditional"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, world_setup_01, world_teardown)
        T(what_came_while_a_record_was_open_stays),
        T(an_element_that_came_while_a_record_was_open_stays),
        T(an_edit_of_what_was_overtaken_opens_a_case),
        T(a_second_edit_in_an_open_record_is_based_on_what_the_first_saw),
        T(a_draft_of_an_open_record_keeps_what_came),
        T(what_is_taken_back_in_an_open_record_leaves_its_draft),
        T(what_waited_for_a_refused_record_is_not_the_last_word),
        T(what_is_refused_again_and_again_shows_itself_and_gathers_nothing),
        T(an_element_that_waited_is_not_the_last_word_either),
        T(what_waited_and_ended_in_one_reply_waits_no_more),
        T(an_open_draft_that_was_submitted_meanwhile_keeps_its_number),
        T(an_edit_based_on_a_lost_history_opens_a_case),
        T(an_open_record_that_left_the_device_is_not_made_anew),
        T(what_was_loaded_is_passed_on_but_never_leaves_the_message),
        T(a_message_whose_memory_of_loading_was_altered_is_refused),
        T(a_message_made_by_hand_is_the_whole_record),
        T(a_loaded_record_under_an_id_of_its_own_is_a_new_record),
        T(a_record_loaded_packed_is_the_message_packed),
        T(what_came_behind_an_edit_is_not_undone_by_its_late_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
