/* Records that several officers have made large, each within what one change may say: they stop
 * nobody who has them, and can be read and written like others. */
#include "test.h"

#include <stdio.h>
#include <string.h>

#include "bounds.h"
#include "records.pb-c.h"
#include "world.h"

/* Device n adds a finding to an inspection: `text` over and over. */
static enum ocop_status add_finding(struct world *w, unsigned n, struct ocop_id id,
                                    const char *text)
{
    struct ocop_error err = {0};
    Ocop__Finding f = OCOP__FINDING__INIT;
    char description[4000] = "";
    for (size_t len = strlen(text), at = 0; at + len < sizeof description; at += len)
        memcpy(description + at, text, len + 1);
    f.description = description;
    f.severity = (char *)(uintptr_t) "minor";
    enum ocop_status st = ocop_add(w->stores[n], &id, "findings", &f.base, NULL, &err);
    if (st && st != OCOP_ELIMIT)
        fail_msg("%s: %s", err.field, err.text);
    return st;
}

/* An inspection of device 1 that both devices have. */
static struct ocop_id shared_inspection(struct world *w)
{
    struct ocop_id id = world_inspect(w, 1, "pass");
    world_sync(w, 1);
    world_sync(w, 0);
    return id;
}

static void sync_both(struct world *w)
{
    for (unsigned n = 0; n < 2; n++)
        world_sync(w, n);
    world_sync(w, 0);
}

static void assert_clean(struct world *w)
{
    for (unsigned n = 0; n < 2; n++) {
        unsigned findings = 99;
        assert_int_equal(ocop_check(w->stores[n], NULL, NULL, &findings, NULL), OCOP_OK);
        assert_int_equal(findings, 0);
    }
}

/* --- search ---------------------------------------------------------------------------------- */

/* Three bytes that fold to 33: no text grows more. */
static const char widest[] = "\xef\xb7\xba";

static size_t found(struct world *w, unsigned n, const char *text)
{
    struct ocop_query q = {.kind = "inspection", .text = text};
    struct ocop_list *list = NULL;
    struct ocop_error err = {0};
    if (ocop_find(w->stores[n], &q, &list, &err) != OCOP_OK)
        fail_msg("find: %s", err.text);
    size_t count = list->count;
    ocop_list_free(list);
    return count;
}

static void a_record_of_many_words_stops_nobody(void **state)
{
    struct world *w = *state;
    struct ocop_id id = shared_inspection(w);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(add_finding(w, 1, id, widest), OCOP_OK);
        assert_int_equal(add_finding(w, 0, id, widest), OCOP_OK);
    }
    sync_both(w);
    assert_true(world_count(w, "SELECT length(CAST(findings AS BLOB)) FROM inspection") > 150000);
    assert_int_equal(found(w, 1, "\u0635\u0644\u0649"), 1);
    assert_int_equal(found(w, 1, "khac"), 0);
    /* More than may wait for the index. */
    for (int i = 0; i < 80; i++)
        (void)world_inspect(w, 1, "pass");
    assert_int_equal(found(w, 1, "\u0635\u0644\u0649"), 1);
    world_enrol(w, 2);
    world_sync(w, 2);
    assert_int_equal(found(w, 2, "\u0635\u0644\u0649"), 1);
    /* It is in the index: out of it, and in again. */
    assert_int_equal(add_finding(w, 1, id,
                                 "kh\xc3\xa1"
                                 "c "),
                     OCOP_OK);
    assert_int_equal(found(w, 1, "khac"), 1);
    assert_clean(w);
}

/* What is on its way lies over what came: together they may be more than one record may have. */
static void a_record_under_what_waits_stops_nobody_either(void **state)
{
    struct world *w = *state;
    struct ocop_id id = shared_inspection(w);
    for (int i = 0; i < 50; i++) {
        assert_int_equal(add_finding(w, 1, id, widest), OCOP_OK);
        assert_int_equal(add_finding(w, 0, id, widest), OCOP_OK);
    }
    for (int i = 0; i < 80; i++)
        (void)world_inspect(w, 1, "pass");
    world_sync(w, 0);
    w->links[1].drop_reply = 1;
    assert_int_equal(ocop_sync(w->stores[1], NULL, NULL, NULL), OCOP_ETIMEOUT);
    sync_both(w);
    assert_int_equal(found(w, 1, "\u0635\u0644\u0649"), 1);
    assert_clean(w);
}

/* --- reading and writing --------------------------------------------------------------------- */

static ProtobufCMessage *load(struct world *w, unsigned n, struct ocop_id id)
{
    struct ocop_error err = {0};
    ProtobufCMessage *m = NULL;
    if (ocop_load(w->stores[n], &id, &m, &err) != OCOP_OK)
        fail_msg("load: %s", err.text);
    return m;
}

static ProtobufCMessage *loaded_with_score(struct world *w, unsigned n, struct ocop_id id,
                                           int score)
{
    ProtobufCMessage *m = load(w, n, id);
    ((Ocop__Inspection *)m)->has_score = 1;
    ((Ocop__Inspection *)m)->score = score;
    return m;
}

static void a_record_that_several_have_added_to_can_be_amended(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    char *json = NULL;
    struct ocop_id id = shared_inspection(w);
    for (int i = 0; i < 6; i++)
        for (unsigned n = 0; n < 2; n++)
            assert_int_equal(add_finding(w, n, id, "Không có nhãn "), OCOP_OK);
    sync_both(w);
    ProtobufCMessage *m = loaded_with_score(w, 1, id, 77);
    assert_true(protobuf_c_message_get_packed_size(m) > 2 * RECORD_BYTES_MAX);
    assert_int_equal(ocop_to_json(m, false, &json, &err), OCOP_OK);
    assert_non_null(strstr(json, "nhãn"));
    ocop_text_free(json);
    assert_int_equal(ocop_save(w->stores[1], m, &err), OCOP_OK);
    ocop_free(m);
    assert_int_equal(ocop_submit_draft(w->stores[1], &id, "chấm điểm", &err), OCOP_OK);
    m = loaded_with_score(w, 1, id, 78);
    assert_int_equal(ocop_amend(w->stores[1], m, "sửa điểm", &err), OCOP_OK);
    ocop_free(m);
    assert_int_equal(world_sync(w, 1).refused, 0);
    assert_string_equal(world_value(w, "inspection", id, "score"), "78");
    assert_clean(w);
}

/* Add until the device refuses more: texts that do not compress, so that it takes several sets. */
static void grow(struct world *w, unsigned n, struct ocop_id id)
{
    uint32_t chance = n + 1;
    char text[3999] = "";
    do {
        for (size_t i = 0; i + 1 < sizeof text; i++) {
            chance = chance * UINT32_C(1664525) + UINT32_C(1013904223);
            text[i] = (char)('!' + (chance >> 24) % 90);
        }
    } while (add_finding(w, n, id, text) == OCOP_OK);
}

static void the_largest_record_that_there_can_be(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct ocop_id id = shared_inspection(w);
    ProtobufCMessage *m = loaded_with_score(w, 1, id, 76); /* its officer goes on with it later */
    assert_int_equal(ocop_save(w->stores[1], m, &err), OCOP_OK);
    ocop_free(m);
    grow(w, 0, id);
    world_sync(w, 0);
    sync_both(w);
    /* What is refused at once would be refused by the registry. */
    assert_int_equal(add_finding(w, 1, id, "x"), OCOP_ELIMIT);
    assert_true(world_count(w, "SELECT length(findings) FROM inspection") > 250000);
    assert_int_equal(ocop_submit_draft(w->stores[1], &id, "chấm điểm", &err), OCOP_OK);
    m = loaded_with_score(w, 1, id, 77);
    assert_int_equal(ocop_amend(w->stores[1], m, "sửa điểm", &err), OCOP_OK);
    ocop_free(m);
    assert_int_equal(world_sync(w, 1).refused, 0);
    assert_string_equal(world_value(w, "inspection", id, "score"), "77");
    assert_clean(w);
    assert_int_equal(ocop_void(w->stores[1], &id, "nhầm", &err), OCOP_OK);
    assert_int_equal(world_sync(w, 1).refused, 0);
}

static void two_who_fill_a_record_at_once_can_both_go_on(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct ocop_id id = shared_inspection(w);
    grow(w, 0, id);
    grow(w, 1, id);
    world_sync(w, 0);
    w->links[1].drop_reply = 2; /* with the first it has what the other has made of it */
    assert_int_equal(ocop_sync(w->stores[1], NULL, NULL, NULL), OCOP_ETIMEOUT);
    ProtobufCMessage *m = loaded_with_score(w, 1, id, 77);
    assert_true(protobuf_c_message_get_packed_size(m) >
                3 * STATE_BYTES_MAX); /* and what was seen */
    assert_int_equal(ocop_amend(w->stores[1], m, "sửa điểm", &err), OCOP_OK);
    ocop_free(m);
    struct ocop_sync_summary sum;
    assert_int_equal(ocop_sync(w->stores[1], NULL, &sum, &err), OCOP_OK);
    assert_true(sum.refused > 0);
    assert_string_equal(world_value(w, "inspection", id, "score"), "77");
    ocop_free(load(w, 1, id));
    assert_clean(w);
}

/* The whole of a change has to fit a set, whatever the record has. */
static void a_change_that_no_set_holds_is_refused_when_it_is_saved(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct ocop_id id = shared_inspection(w);
    static char text[4000];
    Ocop__Finding v[9], *p[9];
    struct ocop_id keys[9];
    memset(text, 'x', sizeof text - 1);
    for (int i = 0; i < 9; i++) {
        v[i] = (Ocop__Finding)OCOP__FINDING__INIT;
        keys[i] = ocop_new_key(w->stores[1]);
        v[i].has_key = 1;
        v[i].key = (ProtobufCBinaryData){sizeof keys[i].b, keys[i].b};
        v[i].description = text;
        v[i].severity = (char *)(uintptr_t) "minor";
        p[i] = &v[i];
    }
    ProtobufCMessage *m = load(w, 1, id);
    Ocop__Inspection *i = (Ocop__Inspection *)m;
    i->findings = p;
    i->n_findings = 9;
    assert_int_equal(ocop_save(w->stores[1], m, &err), OCOP_ELIMIT);
    assert_non_null(strstr(err.text, "make several"));
    assert_int_equal(ocop_amend(w->stores[1], m, "thêm", &err), OCOP_ELIMIT);
    i->n_findings = 8;
    assert_int_equal(ocop_amend(w->stores[1], m, "thêm", &err), OCOP_OK);
    i->findings = NULL;
    i->n_findings = 0;
    ocop_free(m);
    assert_int_equal(world_sync(w, 1).refused, 0);
    assert_clean(w);
}

/* A record of two hundred findings is gone through a second time, far from any signal. */
static void a_large_record_is_amended_hundreds_of_times_before_a_sync(void **state)
{
    enum { FINDINGS = 190, AMENDMENTS = 400 };
    struct world *w = *state;
    struct ocop_error err = {0};
    ProtobufCMessage *m = NULL;
    struct ocop_id id = world_draft(w, 1), keys[FINDINGS];
    static Ocop__Finding v[FINDINGS], *p[FINDINGS];
    for (int i = 0; i < FINDINGS; i++) {
        v[i] = (Ocop__Finding)OCOP__FINDING__INIT;
        keys[i] = ocop_new_key(w->stores[1]);
        v[i].has_key = 1;
        v[i].key = (ProtobufCBinaryData){sizeof keys[i].b, keys[i].b};
        v[i].description = (char *)(uintptr_t) "Không có nhãn";
        v[i].severity = (char *)(uintptr_t) "minor";
        p[i] = &v[i];
    }
    m = load(w, 1, id);
    Ocop__Inspection *i = (Ocop__Inspection *)m;
    i->findings = p;
    i->n_findings = FINDINGS;
    assert_int_equal(ocop_submit(w->stores[1], m, &err), OCOP_OK);
    i->findings = NULL;
    i->n_findings = 0;
    ocop_free(m);
    for (int n = 0; n < AMENDMENTS; n++) {
        m = loaded_with_score(w, 1, id, n % 100);
        if (ocop_amend(w->stores[1], m, "sửa", &err) != OCOP_OK)
            fail_msg("%d: %s", n, err.text);
        ocop_free(m);
    }
    assert_int_equal(world_sync(w, 1).refused, 0);
    assert_string_equal(world_value(w, "inspection", id, "score"), "99");
    world_sync(w, 0);
    assert_clean(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, world_setup_01, world_teardown)
        T(a_record_of_many_words_stops_nobody),
        T(a_record_under_what_waits_stops_nobody_either),
        T(a_record_that_several_have_added_to_can_be_amended),
        T(the_largest_record_that_there_can_be),
        T(two_who_fill_a_record_at_once_can_both_go_on),
        T(a_change_that_no_set_holds_is_refused_when_it_is_saved),
        T(a_large_record_is_amended_hundreds_of_times_before_a_sync),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
