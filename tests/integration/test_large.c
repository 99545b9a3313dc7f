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

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, world_setup_01, world_teardown)
        T(a_record_of_many_words_stops_nobody),
        T(a_record_under_what_waits_stops_nobody_either),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
