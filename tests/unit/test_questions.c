/* Questions to the database that fail: never taken for "no", never an outcome of a change. Linked
 * with --wrap=sqlite3_step. */
#include "test.h"

#include "cache.h"
#include "centre.h"
#include "rights.h"

enum { NAME = 10, TYPE = 11, NOTES = 22 };

/* The statement that fails, told by a part of its text. */
static struct {
    const char *part;
    int failed;
} fault;

int __real_sqlite3_step(sqlite3_stmt *s);
int __wrap_sqlite3_step(sqlite3_stmt *s);

int __wrap_sqlite3_step(sqlite3_stmt *s)
{
    const char *text = sqlite3_sql(s);
    if (!fault.part || !text || !strstr(text, fault.part))
        return __real_sqlite3_step(s);
    fault.failed++;
    return SQLITE_IOERR;
}

struct world {
    struct centre c;
    struct id province, commune, o1, o2;
    struct device d, e;
};

static int open_world(void **state)
{
    static struct world w;
    memset(&w, 0, sizeof w);
    fault.part = NULL;
    centre_open(&w.c);
    w.province = centre_unit(&w.c, "01", "province", NULL);
    w.commune = centre_unit(&w.c, "00001", "commune", &w.province);
    w.o1 = centre_officer(&w.c, "inspector");
    w.o2 = centre_officer(&w.c, "inspector");
    device_enrol(&w.d, &w.c, &w.o1, &w.commune, 1);
    device_enrol(&w.e, &w.c, &w.o2, &w.commune, 1);
    *state = &w;
    return 0;
}

static int close_world(void **state)
{
    struct world *w = *state;
    fault.part = NULL;
    device_close(&w->d);
    device_close(&w->e);
    centre_close(&w->c);
    return 0;
}

static struct id fresh(struct world *w)
{
    return id_next(&w->c.r->ids, &w->c.env);
}

static void producer(struct world *w, struct draft_change *x, const struct id *id, const char *type)
{
    draft(x, KIND_PRODUCER, VERB_CREATE, id);
    draft_id(x, FIELD_UNIT, &w->commune);
    draft_id(x, FIELD_OFFICER, &w->o1);
    draft_text(x, NAME, "HTX");
    draft_text(x, TYPE, type);
}

static void amend(struct draft_change *x, const struct id *id, uint32_t number, const char *text)
{
    draft(x, KIND_PRODUCER, VERB_AMEND, id);
    draft_text(x, number, text);
    x->c.reason = span_str("đã kiểm tra");
}

static enum outcome_code push(struct world *w, struct device *d, struct draft_change *x)
{
    struct outcome_row *rows;
    size_t n;
    struct set_result result = device_push(d, &w->c, x, 1);
    assert_int_equal(result.code, SET_ACCEPTED);
    centre_must(&w->c, outcomes_of(w->c.r, result.version, &w->c.a, &rows, &n, &w->c.err));
    return n ? rows[0].code : OUTCOME_APPLIED;
}

/* The set meets a question that fails, and is not taken in; sent again, it gets `expected`. */
static void fails_then(struct world *w, struct device *d, struct draft_change *x, const char *part,
                       enum outcome_code expected)
{
    struct ocop_error err = {0};
    fault.part = part;
    fault.failed = 0;
    enum ocop_status st = device_try(d, &w->c, x, 1, &err);
    fault.part = NULL;
    if (!fault.failed || st != OCOP_EDB)
        fail_msg("%s: %d failures, status %s %s", part, fault.failed, err_name(st), err.text);
    assert_int_equal(push(w, d, x), expected);
}

static void a_question_that_fails_is_no_outcome(void **state)
{
    struct world *w = *state;
    struct draft_change x;
    struct id a = fresh(w), b = fresh(w), late = fresh(w), target = fresh(w), p = fresh(w);

    producer(w, &x, &a, "cooperative");
    fails_then(w, &w->d, &x, "SELECT roles FROM officer", OUTCOME_APPLIED);

    producer(w, &x, &b, "no such type");
    cache_codes_changed(w->c.r);
    fails_then(w, &w->d, &x, "FROM code_list WHERE voided", OUTCOME_REFUSED);

    amend(&x, &a, NAME, "HTX Một");
    fails_then(w, &w->d, &x, "SELECT replica, seq FROM log WHERE version", OUTCOME_APPLIED);

    amend(&x, &a, NAME, "HTX Hai");
    fails_then(w, &w->e, &x, "FROM history WHERE record", OUTCOME_CASE);

    amend(&x, &a, NOTES, "ghi chú"); /* e has not seen d's name, but touches another field */
    fails_then(w, &w->e, &x, "FROM cases WHERE record", OUTCOME_APPLIED);

    amend(&x, &late, NOTES, "đến sớm");
    assert_int_equal(push(w, &w->e, &x), OUTCOME_WAITING);
    producer(w, &x, &late, "cooperative");
    fails_then(w, &w->d, &x, "EXISTS (SELECT 1 FROM waiting)", OUTCOME_APPLIED);

    amend(&x, &p, NOTES, "đến sớm");
    assert_int_equal(push(w, &w->e, &x), OUTCOME_WAITING);
    producer(w, &x, &p, "cooperative");
    fails_then(w, &w->d, &x, "FROM waiting AS w", OUTCOME_APPLIED);

    amend(&x, &p, NOTES, "của e");
    fails_then(w, &w->e, &x, "SELECT set_version FROM late", OUTCOME_APPLIED);

    draft(&x, KIND_PRODUCT, VERB_CREATE, &b);
    draft_id(&x, FIELD_UNIT, &w->commune);
    draft_id(&x, FIELD_OFFICER, &w->o1);
    draft_text(&x, NAME, "Chè");
    draft_id(&x, 11, &target);
    assert_int_equal(push(w, &w->d, &x), OUTCOME_DANGLING);
    producer(w, &x, &target, "cooperative");
    fails_then(w, &w->d, &x, "FROM dangling WHERE target", OUTCOME_APPLIED);
}

static void a_unit_whose_province_cannot_be_read_is_not_stored(void **state)
{
    struct world *w = *state;
    struct draft_change x;
    struct author au;
    uint64_t version;
    struct id id = fresh(w);
    draft(&x, KIND_UNIT, VERB_CREATE, &id);
    draft_text(&x, 10, "00009");
    draft_text(&x, 11, "Xã");
    draft_text(&x, 12, "commune");
    draft_id(&x, 13, &w->province);
    draft_text(&x, 14, "2025-07-01");
    x.c.fields.v = x.v;
    struct changes changes = {&x.c, 1};
    centre_must(&w->c, registry_begin(w->c.r, &w->c.err));
    centre_must(&w->c, author_begin(w->c.r, &w->c.keys, "import", "t", NULL, &au, &w->c.err));
    fault.part = "SELECT p.id FROM unit";
    assert_int_equal(author_write(&au, &changes, &w->c.a, &version, NULL), OCOP_EDB);
    fault.part = NULL;
    author_end(&au);
    registry_rollback(w->c.r);
}

/* A page that meets a failure is no page: the cursor stays, and the next one brings all. */
static void a_question_of_the_feed_that_fails_moves_no_cursor(void **state)
{
    struct world *w = *state;
    struct draft_change x;
    const char *const parts[] = {"SELECT max(version) FROM producer",
                                 "SELECT replica, seq FROM log WHERE version", "FROM scope WHERE",
                                 "FROM late", "JOIN departure"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        Ocop__Sync__SyncReply reply = OCOP__SYNC__SYNC_REPLY__INIT;
        struct id id = fresh(w);
        device_pull(&w->e, &w->c, 100000);
        producer(w, &x, &id, "cooperative");
        assert_int_equal(push(w, &w->d, &x), OUTCOME_APPLIED);
        cache_forget(w->c.r->cache);
        fault.part = parts[i];
        fault.failed = 0;
        centre_must(&w->c, registry_begin(w->c.r, &w->c.err));
        enum ocop_status st = feed_page(w->c.r, &w->e.replica, READ_ALL, w->e.cursor, 100000,
                                        &w->e.a, &reply, &w->c.err);
        fault.part = NULL;
        registry_rollback(w->c.r);
        assert_true(fault.failed > 0);
        assert_int_equal(st, OCOP_EDB);
        device_pull(&w->e, &w->c, 100000);
        assert_non_null(device_holds(&w->e, &id));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, open_world, close_world)
        TEST(a_question_that_fails_is_no_outcome),
        TEST(a_unit_whose_province_cannot_be_read_is_not_stored),
        TEST(a_question_of_the_feed_that_fails_moves_no_cursor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
