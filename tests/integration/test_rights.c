/* Who may read and write what: the same table on the device at save, in the registry at apply, and
 * in what is sent. Roles and scopes change under devices that have work of their own. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "assign.h"
#include "fixed_env.h"
#include "process.h"
#include "records.pb-c.h"
#include "rights.h"
#include "world.h"

/* --- the office --- */

static void roles(struct world *w, unsigned n, const char *text)
{
    struct ocop_error err = {0};
    if (assign_roles(w->registry, &w->keys, &w->officers[n], text, "thử", &err) != OCOP_OK)
        fail_msg("%s", err.text);
}

/* Give device 1 these units and records. */
static enum ocop_status scope(struct world *w, const struct id *unit, const struct id *record,
                              struct ocop_error *err)
{
    struct id replica;
    struct assignment to = {unit, 1, record, record ? 1 : 0};
    static const struct id nothing;
    if (!record) {
        to.records = &nothing;
        to.record_count = 0;
    }
    world_replica(w, 1, &replica);
    return assign_scope(w->registry, &w->keys, &replica, &to, "phân công lại", err);
}

static void scope_ok(struct world *w, const struct id *unit, const struct id *record)
{
    struct ocop_error err = {0};
    if (scope(w, unit, record, &err) != OCOP_OK)
        fail_msg("%s", err.text);
}

/* --- the device --- */

static bool has(struct world *w, unsigned n, struct id id)
{
    struct ocop_error err = {0};
    struct ocop_id of;
    ProtobufCMessage *m = NULL;
    memcpy(of.b, id.b, ID_LEN);
    enum ocop_status st = ocop_load(w->stores[n], &of, &m, &err);
    ocop_free(m);
    assert_true(st == OCOP_OK || st == OCOP_ENOTFOUND);
    return st == OCOP_OK;
}

static struct id id_of(struct ocop_id id)
{
    struct id out;
    memcpy(out.b, id.b, ID_LEN);
    return out;
}

static struct ocop_id sample(struct world *w, unsigned n)
{
    char id[ID_TEXT_LEN + 1], unit[64], producer[64], product[64];
    snprintf(unit, sizeof unit, "unit_id=%s", id_text(w->commune, id));
    snprintf(producer, sizeof producer, "producer_id=%s", id_text(w->producer, id));
    snprintf(product, sizeof product, "product_id=%s", id_text(w->product, id));
    const char *const sets[] = {unit,
                                producer,
                                product,
                                "taken_ms=1769500000000",
                                "quantity=2",
                                "quantity_unit=kg",
                                "place=kho của HTX",
                                "state=khô"};
    return world_submit(w, n, "sample", sets, sizeof sets / sizeof *sets);
}

static enum ocop_status hand_over(struct world *w, unsigned n, struct ocop_id id,
                                  struct ocop_error *err)
{
    Ocop__CustodyStep step = OCOP__CUSTODY_STEP__INIT;
    struct ocop_id key = ocop_new_key(w->stores[n]);
    step.has_key = 1;
    step.key = (ProtobufCBinaryData){ID_LEN, key.b};
    step.from_holder = "Trạm lấy mẫu";
    step.to_holder = "Phòng thử nghiệm";
    step.has_at_ms = 1;
    step.at_ms = INT64_C(1769600000000);
    return ocop_add(w->stores[n], &id, "custody", &step.base, "nhận mẫu", err);
}

static void a_laboratory_has_a_sample_without_whose_it_is(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct ocop_id id = sample(w, 0);
    ProtobufCMessage *m = NULL;
    world_sync(w, 0);
    roles(w, 1, "laboratory");
    world_sync(w, 1);

    assert_int_equal(ocop_load(w->stores[1], &id, &m, &err), OCOP_OK);
    const Ocop__Sample *s = (const Ocop__Sample *)m;
    assert_non_null(s->sample_code);
    assert_string_equal(s->state, "khô");
    assert_false(s->has_producer_id || s->has_product_id || s->has_officer_id);
    assert_null(s->place);
    ocop_free(m);
    assert_false(has(w, 1, w->producer));
    assert_false(has(w, 1, w->product));

    if (hand_over(w, 1, id, &err) != OCOP_OK)
        fail_msg("%s: %s", err.field, err.text);
    assert_int_equal(world_sync(w, 1).refused, 0);
    assert_int_equal(world_count(w, "SELECT count(*) FROM sample_custody"
                                    " WHERE to_holder = 'Phòng thử nghiệm'"),
                     1);
    assert_string_not_equal(world_value(w, "sample", id, "producer_id"), "null");
}

static void a_role_that_is_taken_is_missed_at_the_next_save(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    ProtobufCMessage *m = NULL;
    roles(w, 1, "sampler");
    world_sync(w, 1);
    assert_int_equal(ocop_new(w->stores[1], "inspection", &m, &err), OCOP_EPERM);
    assert_int_equal(ocop_new(w->stores[1], "sample", &m, &err), OCOP_OK);
    ocop_free(m);
}

static void
what_was_recorded_before_a_role_was_taken_is_refused_with_a_reason_and_stays(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct ocop_record_status *status = NULL;
    struct ocop_id id = world_inspect(w, 1, "pass");
    roles(w, 1, "inspector:2020-01-01:2020-12-31");
    assert_int_equal(world_sync(w, 1).refused, 1);
    assert_true(has(w, 1, id_of(id)));
    assert_false(has(w, 1, w->producer)); /* no role in force reads no master data */
    assert_int_equal(ocop_record_status(w->stores[1], &id, &status, &err), OCOP_OK);
    ocop_record_status_free(status);
    roles(w, 1, "inspector:2020-01-01:");
    world_sync(w, 1);
    assert_true(has(w, 1, w->producer));
    assert_true(has(w, 1, id_of(id)));
}

/* Close device 1 and open it with a clock of 2016, before any role begins. */
static void forget_the_year(struct world *w, struct fixed_env *env)
{
    struct ocop_error err = {0};
    struct ocop_options o = {.must_exist = true, .link = &w->links[1].link, .env = &env->env};
    char path[128];
    fixed_env_init(env, 7);
    env->now_ms = INT64_C(1451606400000);
    ocop_close(w->stores[1]);
    snprintf(path, sizeof path, "%s/1.ocop", w->dir);
    assert_int_equal(ocop_open(path, &o, &w->stores[1], &err), OCOP_OK);
}

static void a_clock_ten_years_behind_keeps_nobody_from_recording(void **state)
{
    static struct fixed_env env;
    struct world *w = *state;
    roles(w, 1, "inspector:2020-01-01:");
    world_sync(w, 1);
    struct ocop_id id = world_inspect(w, 1, "pass");
    forget_the_year(w, &env);
    world_amend(w, 1, id, "score=90");
    id = world_inspect(w, 1, "pass");
    assert_int_equal(world_sync(w, 1).refused, 0);
    world_amend(w, 1, id, "score=91");
    assert_int_equal(world_sync(w, 1).refused, 0);
    assert_string_equal(world_value(w, "inspection", id, "score"), "91");
    ocop_close(w->stores[1]);
    w->stores[1] = NULL; /* before the clock that it reads */
}

/* Whether it has ended is the registry's to say, by the day on which the work arrives. */
static void a_role_that_ended_is_missed_when_the_work_arrives(void **state)
{
    struct world *w = *state;
    roles(w, 1, "sampler,inspector:2020-01-01:2020-12-31");
    world_sync(w, 1);
    struct ocop_id id = world_inspect(w, 1, "pass");
    struct ocop_record_status *status = NULL;
    assert_int_equal(world_sync(w, 1).refused, 1);
    assert_int_equal(ocop_record_status(w->stores[1], &id, &status, NULL), OCOP_OK);
    assert_int_equal(status->state, OCOP_REFUSED);
    assert_non_null(strstr(status->reason, "roles"));
    ocop_record_status_free(status);
}

/* Nor is what the role let him read missed in what he may write. */
static void who_was_an_inspector_once_works_in_a_laboratory(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct ocop_id id = sample(w, 0);
    world_sync(w, 0);
    roles(w, 1, "laboratory,inspector:2020-01-01:2020-12-31");
    world_sync(w, 1);
    if (hand_over(w, 1, id, &err) != OCOP_OK)
        fail_msg("%s: %s", err.field, err.text);
    assert_int_equal(world_sync(w, 1).refused, 0);
}

static void contacts_of_officers_go_to_central_staff_alone(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct field v[] = {{.number = 10, .op = FIELD_SET, .type = VALUE_BYTES},
                        {.number = 13, .op = FIELD_SET, .type = VALUE_BYTES}};
    struct id id = id_next(&w->registry->ids, w->registry->env);
    struct change c = {.kind = KIND_OFFICER, .verb = VERB_CREATE, .record = id, .fields = {v, 2}};
    v[0].bytes = span_str("Nguyễn Thị Hoa");
    v[1].bytes = span_str("0912345678");
    world_import(w, &c, 1);
    for (unsigned n = 0; n < 2; n++) {
        struct ocop_id of;
        ProtobufCMessage *m = NULL;
        memcpy(of.b, id.b, ID_LEN);
        world_sync(w, n);
        assert_int_equal(ocop_load(w->stores[n], &of, &m, &err), OCOP_OK);
        const Ocop__Officer *o = (const Ocop__Officer *)m;
        assert_string_equal(o->name, "Nguyễn Thị Hoa");
        assert_true((o->phone != NULL) == (n == 0)); /* device 0 is a reconciler's */
        ocop_free(m);
    }
}

/* A change of what is kept from the roles is left out even when the record itself is news. */
static void a_kept_field_that_changes_is_not_sent(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct ocop_id id = sample(w, 0);
    ProtobufCMessage *m = NULL;
    world_sync(w, 0);
    roles(w, 1, "laboratory");
    world_sync(w, 1);
    world_amend(w, 0, id, "place=chợ huyện");
    world_amend(w, 0, id, "state=ẩm");
    world_sync(w, 0);
    world_sync(w, 1);
    assert_int_equal(ocop_load(w->stores[1], &id, &m, &err), OCOP_OK);
    assert_string_equal(((const Ocop__Sample *)m)->state, "ẩm");
    assert_null(((const Ocop__Sample *)m)->place);
    ocop_free(m);
}

static void a_case_about_a_kept_field_is_not_told(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct ocop_record_status *status = NULL;
    struct ocop_id id = sample(w, 0);
    world_enrol(w, 2);
    world_sync(w, 0);
    world_sync(w, 1);
    roles(w, 1, "laboratory");
    roles(w, 2, "reconciler");
    world_sync(w, 2);
    world_amend(w, 0, id, "place=chợ huyện");
    world_amend(w, 2, id, "place=chợ xã");
    world_sync(w, 0);
    world_sync(w, 2);
    assert_int_equal(world_count(w, "SELECT count(*) FROM cases"), 1);
    for (unsigned n = 0; n < 2; n++) {
        world_sync(w, n);
        assert_int_equal(ocop_record_status(w->stores[n], &id, &status, &err), OCOP_OK);
        assert_int_equal(status->case_count, n == 0 ? 1 : 0);
        ocop_record_status_free(status);
    }
}

/* --- scope --- */

static struct id elsewhere(struct world *w)
{
    struct field v[] = {{.number = 2, .op = FIELD_SET, .type = VALUE_BYTES},
                        {.number = 10, .op = FIELD_SET, .type = VALUE_BYTES},
                        {.number = 11, .op = FIELD_SET, .type = VALUE_BYTES}};
    struct id id = id_next(&w->registry->ids, w->registry->env);
    struct change c = {.kind = KIND_PRODUCER, .verb = VERB_CREATE, .record = id, .fields = {v, 3}};
    v[0].bytes = id_span(&w->other_commune);
    v[1].bytes = span_str("HTX Đắk Mil");
    v[2].bytes = span_str("cooperative");
    world_import(w, &c, 1);
    return id;
}

static struct ocop_id ocop_of(struct id id)
{
    struct ocop_id out;
    memcpy(out.b, id.b, ID_LEN);
    return out;
}

static void a_single_record_is_assigned_written_and_taken_back(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct id id = elsewhere(w);
    char unit[64], text[ID_TEXT_LEN + 1];
    ProtobufCMessage *m = NULL;
    struct ocop_id of = ocop_of(id);
    world_sync(w, 1);
    assert_false(has(w, 1, id));
    scope_ok(w, &w->commune, &id);
    world_sync(w, 1);
    assert_true(has(w, 1, id));

    world_amend(w, 1, of, "phone=0261 3741 234");
    assert_int_equal(world_sync(w, 1).refused, 0);
    assert_string_equal(world_value(w, "producer", of, "phone"), "\"0261 3741 234\"");

    /* what others change of it comes, though its unit is foreign */
    struct field v = {
        .number = 13, .op = FIELD_SET, .type = VALUE_BYTES, .bytes = span_str("Y Thu")};
    struct change c = {.kind = KIND_PRODUCER, .verb = VERB_AMEND, .record = id, .fields = {&v, 1}};
    world_import(w, &c, 1);
    world_sync(w, 1);
    assert_int_equal(ocop_load(w->stores[1], &of, &m, &err), OCOP_OK);
    assert_string_equal(((const Ocop__Producer *)m)->representative, "Y Thu");

    /* it may not be carried off, nor may others be put beside it */
    snprintf(unit, sizeof unit, "unit_id=%s", id_text(w->province, text));
    assert_int_equal(ocop_set_text(w->stores[1], &m, unit, &err), OCOP_OK);
    assert_int_equal(ocop_amend(w->stores[1], m, "chuyển", &err), OCOP_EPERM);
    ocop_free(m);

    world_amend(w, 1, of, "phone=0900"); /* unsent when the record is taken back */
    scope_ok(w, &w->commune, NULL);
    struct ocop_sync_summary summary = world_sync(w, 1);
    assert_int_equal(summary.refused, 1); /* said, not lost */
    assert_true(has(w, 1, id));
    assert_int_equal(ocop_discard(w->stores[1], &of, &err), OCOP_OK);
    assert_false(has(w, 1, id));
}

static void an_assigned_record_stays_when_its_unit_goes(void **state)
{
    struct world *w = *state;
    struct id id = w->producer;
    scope_ok(w, &w->commune, &id);
    world_sync(w, 1);
    assert_true(has(w, 1, id));
    scope_ok(w, &w->other_commune, &id);
    world_sync(w, 1);
    assert_true(has(w, 1, id));
    assert_false(has(w, 1, w->product)); /* its neighbour of the same unit */
    world_amend(w, 1, ocop_of(id), "phone=0901");
    assert_int_equal(world_sync(w, 1).refused, 0);
}

static unsigned records(struct world *w, unsigned n)
{
    struct ocop_store_status status;
    assert_int_equal(ocop_store_status(w->stores[n], &status, NULL), OCOP_OK);
    return status.records;
}

static void a_record_of_an_unknown_kind_leaves_with_its_unit(void **state)
{
    struct world *w = *state;
    struct id id = id_next(&w->registry->ids, w->registry->env);
    struct field v[] = {{.number = 2, .op = FIELD_SET, .type = VALUE_BYTES},
                        {.number = 12, .op = FIELD_SET, .type = VALUE_BYTES}};
    v[0].bytes = id_span(&w->commune);
    v[1].bytes = span_str("what a newer registry knows");
    struct change c = {.kind = 77, .verb = VERB_CREATE, .record = id, .fields = {v, 2}};
    scope_ok(w, &w->other_commune, NULL);
    world_sync(w, 1);
    unsigned without = records(w, 1);
    scope_ok(w, &w->commune, NULL);
    world_import(w, &c, 1);
    world_sync(w, 1);
    assert_true(records(w, 1) > without);
    scope_ok(w, &w->other_commune, NULL);
    world_sync(w, 1);
    assert_int_equal(records(w, 1), without);
}

/* Two producers with one tax code, of which one leaves the device and the other comes. */
static void a_case_between_one_that_leaves_and_one_that_comes_is_known(void **state)
{
    struct world *w = *state;
    struct ocop_record_status *status;
    struct id units[] = {w->commune, w->other_commune}, ids[2];
    for (int i = 0; i < 2; i++) {
        ids[i] = id_next(&w->registry->ids, w->registry->env);
        struct field v[] = {{.number = 2, .op = FIELD_SET, .type = VALUE_BYTES},
                            {.number = 10, .op = FIELD_SET, .type = VALUE_BYTES},
                            {.number = 11, .op = FIELD_SET, .type = VALUE_BYTES},
                            {.number = 12, .op = FIELD_SET, .type = VALUE_BYTES}};
        v[0].bytes = id_span(&units[i]);
        v[1].bytes = span_str("HTX");
        v[2].bytes = span_str("cooperative");
        v[3].bytes = span_str("4001234567");
        struct change c = {
            .kind = KIND_PRODUCER, .verb = VERB_CREATE, .record = ids[i], .fields = {v, 4}};
        world_import(w, &c, 1);
    }
    for (int i = 1; i >= 0; i--) {
        struct ocop_id of;
        memcpy(of.b, ids[i].b, ID_LEN);
        scope_ok(w, &units[i], NULL);
        world_sync(w, 1);
        assert_true(has(w, 1, ids[i]) && !has(w, 1, ids[1 - i]));
        assert_int_equal(ocop_record_status(w->stores[1], &of, &status, NULL), OCOP_OK);
        assert_int_equal(status->case_count, 1);
        ocop_record_status_free(status);
    }
}

/* The answer that takes the unit away, and the record with it, brings the record anew and its case.
 */
static void a_case_of_a_record_that_stays_when_its_unit_goes_is_known(void **state)
{
    struct world *w = *state;
    struct ocop_record_status *status;
    struct ocop_id product = ocop_of(w->product);
    scope_ok(w, &w->commune, &w->product);
    world_sync(w, 0);
    world_sync(w, 1);
    world_amend(w, 0, product, "packaging=lọ");
    world_amend(w, 1, product, "packaging=túi");
    world_sync(w, 0);
    scope_ok(w, &w->other_commune, &w->product);
    world_sync(w, 1);
    assert_int_equal(ocop_record_status(w->stores[1], &product, &status, NULL), OCOP_OK);
    assert_int_equal(status->state, OCOP_IN_CASE);
    assert_int_equal(status->case_count, 1);
    ocop_record_status_free(status);
}

/* A copy learns that it is one together with its first page. What it had of that, and may not read
 * when it reads again, goes. */
static void what_came_with_a_fork_goes_when_it_is_not_met_again(void **state)
{
    struct world *w = *state;
    struct ocop_id id;
    world_copy(w, 1, 2);
    id = world_producer(w, 0, "HTX Sen");
    world_inspect(w, 1, "pass");
    world_sync(w, 0);
    world_sync(w, 1);
    w->links[2].drop_reply = 2;
    assert_int_equal(ocop_sync(w->stores[2], NULL, NULL, NULL), OCOP_ETIMEOUT);
    assert_true(has(w, 2, id_of(id)));
    roles(w, 1, "inspector:2020-01-01:2020-12-31");
    world_sync(w, 2);
    assert_false(has(w, 2, id_of(id)));
}

static void a_device_knows_its_new_units_after_a_sync(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    ProtobufCMessage *m = NULL;
    struct id id = elsewhere(w);
    scope_ok(w, &w->other_commune, NULL);
    world_sync(w, 1);
    assert_true(has(w, 1, id));
    assert_false(has(w, 1, w->producer));
    assert_int_equal(ocop_new(w->stores[1], "inspection", &m, &err), OCOP_OK);
    const Ocop__Inspection *i = (const Ocop__Inspection *)m;
    assert_true(i->has_unit_id && memcmp(i->unit_id.data, w->other_commune.b, ID_LEN) == 0);
    ocop_free(m);
}

static void a_device_is_not_left_with_nothing(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct id replica;
    static const struct id nothing;
    struct assignment to = {&nothing, 0, &nothing, 0};
    world_replica(w, 1, &replica);
    assert_int_equal(assign_scope(w->registry, &w->keys, &replica, &to, "?", &err), OCOP_EINVAL);
    to = (struct assignment){&w->commune, 1, NULL, 0};
    assert_int_equal(assign_scope(w->registry, &w->keys, &replica, &to, "?", &err), OCOP_ESTATE);
}

static void what_is_no_role_is_named(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    static const struct {
        const char *text, *says;
    } wrong[] = {{"chief", "\"chief\" is not a role such as inspector or sampler"},
                 {"sampler,inspector:2026", "\"2026\" is not a date such as 2026-01-31"},
                 {"sampler:2026-01-01:2026-02-01:x", "a role is NAME or NAME:FROM:TO"},
                 {"sampler:2026-02-01:2026-01-01", "a role cannot end before it begins"}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(
            assign_roles(w->registry, &w->keys, &w->officers[1], wrong[i].text, "?", &err),
            OCOP_EINVAL);
        assert_non_null(strstr(err.text, wrong[i].says));
    }
}

/* --- the table --- */

static void who_writes_a_field_may_read_it(void **state)
{
    (void)state;
    kinds_init();
    for (unsigned role = 1; role < ROLE_REGISTRY; role <<= 1) {
        unsigned reading = rights_reading(role);
        for (size_t i = 0; i < kind_count(); i++) {
            const struct kind *k = kind_at(i);
            const struct rights *may = rights_of(k);
            unsigned acts = may->create | may->amend | may->add | may->void_ | may->resolve;
            if (acts & role)
                assert_true(rights_kind_readable(k, reading));
            bool whole = (may->create | may->amend | may->void_ | may->resolve) & role;
            for (size_t f = 0; whole && f < k->field_count; f++) {
                const struct field_rights *own = rights_of_field(k, k->fields[f].number);
                if (!own || !own->write || (own->write & role))
                    assert_true(rights_field_readable(k, k->fields[f].number, reading));
            }
        }
    }
    assert_false(rights_field_readable(kind_by_number(KIND_SAMPLE), 60, READ_LISTS | READ_SAMPLES));
    assert_true(rights_field_readable(kind_by_number(KIND_SAMPLE), 60, READ_USUAL));
}

static void the_document_holds_the_table_as_it_is_printed(void **state)
{
    static char printed[PROCESS_TEXT_MAX], document[PROCESS_TEXT_MAX];
    struct process p = {0};
    (void)state;
    process_start(&p, "/tmp/ocop-rights", process_ocopd(), (const char *const[]){"rights", NULL},
                  NULL, NULL);
    assert_int_equal(process_finish(&p), 0);
    process_read(p.out, printed);
    process_read("docs/security.md", document);
    (void)remove(p.out);
    (void)remove(p.err);
    assert_true(strlen(printed) > 1000);
    assert_non_null(strstr(document, printed));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, world_setup_01, world_teardown)
        T(a_laboratory_has_a_sample_without_whose_it_is),
        T(a_role_that_is_taken_is_missed_at_the_next_save),
        T(what_was_recorded_before_a_role_was_taken_is_refused_with_a_reason_and_stays),
        T(a_clock_ten_years_behind_keeps_nobody_from_recording),
        T(a_role_that_ended_is_missed_when_the_work_arrives),
        T(who_was_an_inspector_once_works_in_a_laboratory),
        T(contacts_of_officers_go_to_central_staff_alone),
        T(a_kept_field_that_changes_is_not_sent),
        T(a_case_about_a_kept_field_is_not_told),
        T(a_single_record_is_assigned_written_and_taken_back),
        T(an_assigned_record_stays_when_its_unit_goes),
        T(a_record_of_an_unknown_kind_leaves_with_its_unit),
        T(a_case_between_one_that_leaves_and_one_that_comes_is_known),
        T(a_case_of_a_record_that_stays_when_its_unit_goes_is_known),
        T(what_came_with_a_fork_goes_when_it_is_not_met_again),
        T(a_device_knows_its_new_units_after_a_sync),
        T(a_device_is_not_left_with_nothing),
        T(what_is_no_role_is_named),
        cmocka_unit_test(who_writes_a_field_may_read_it),
        cmocka_unit_test(the_document_holds_the_table_as_it_is_printed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
