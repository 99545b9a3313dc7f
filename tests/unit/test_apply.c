/* Applying what was accepted: whose value it is, who may write where, what is too large, and that a
 * replay of the log gives the same registry whatever happened. */
#include "test.h"

#include <stdio.h>

#include "bounds.h"
#include "cache.h"
#include "centre.h"
#include "replay.h"
#include "stories.h"

enum { NAME = 10, PRODUCER_OF = 11, TYPE = 11, PRODUCT = 11, TAX_CODE = 12, SUCCESSORS = 16 };
enum { NOTES = 22, CONCLUSION = 26 };
enum { KIND_OF_TOMORROW = 77, FIELD_OF_TOMORROW = 100 };

/* Two inspectors of one commune, d and e, and one of a commune of another province, f. */
struct world {
    struct centre c;
    struct id province, elsewhere, commune, other, o1, o2, o3, producer;
    struct device d, e, f;
};

static int open_world(void **state)
{
    static struct world w;
    memset(&w, 0, sizeof w);
    centre_open(&w.c);
    w.province = centre_unit(&w.c, "01", "province", NULL);
    w.elsewhere = centre_unit(&w.c, "02", "province", NULL);
    w.commune = centre_unit(&w.c, "00001", "commune", &w.province);
    w.other = centre_unit(&w.c, "00002", "commune", &w.elsewhere);
    w.o1 = centre_officer(&w.c, "inspector");
    w.o2 = centre_officer(&w.c, "inspector");
    w.o3 = centre_officer(&w.c, "inspector");
    w.producer = centre_producer(&w.c, &w.commune, "HTX");
    device_enrol(&w.d, &w.c, &w.o1, &w.commune, 1);
    device_enrol(&w.e, &w.c, &w.o2, &w.commune, 1);
    device_enrol(&w.f, &w.c, &w.o3, &w.other, 1);
    *state = &w;
    return 0;
}

/* Whatever a test has done, the log alone must give it again, and each record's story hold. */
static int close_world(void **state)
{
    struct world *w = *state;
    struct replay_result result;
    char why[400];
    size_t told;
    centre_must(&w->c, replay_compare(w->c.r, ":memory:", &result, &w->c.err));
    if (!stories_hold(w->c.r, SIZE_MAX, &told, why, sizeof why))
        fail_msg("%s", why);
    assert_true(told > 10);
    device_close(&w->d);
    device_close(&w->e);
    device_close(&w->f);
    centre_close(&w->c);
    return 0;
}

static struct id fresh(struct world *w)
{
    return id_next(&w->c.r->ids, &w->c.env);
}

static uint64_t version_of(struct world *w)
{
    uint64_t v;
    centre_must(&w->c, registry_version(w->c.r, &v, &w->c.err));
    return v;
}

static void inspection(struct draft_change *x, const struct id *id, const struct id *officer,
                       const struct id *unit, const struct id *producer, const char *conclusion)
{
    draft(x, KIND_INSPECTION, VERB_CREATE, id);
    draft_id(x, FIELD_UNIT, unit);
    draft_id(x, FIELD_OFFICER, officer);
    draft_id(x, 10, producer);
    draft_text(x, 14, "planned");
    draft_text(x, 17, "2026-07-01");
    draft_text(x, CONCLUSION, conclusion);
}

static void producer(struct draft_change *x, const struct id *id, const struct id *officer,
                     const struct id *unit, const char *name)
{
    draft(x, KIND_PRODUCER, VERB_CREATE, id);
    draft_id(x, FIELD_UNIT, unit);
    draft_id(x, FIELD_OFFICER, officer);
    draft_text(x, NAME, name);
    draft_text(x, TYPE, "cooperative");
}

static void product(struct draft_change *x, const struct id *id, const struct id *officer,
                    const struct id *unit, const struct id *of)
{
    draft(x, KIND_PRODUCT, VERB_CREATE, id);
    draft_id(x, FIELD_UNIT, unit);
    draft_id(x, FIELD_OFFICER, officer);
    draft_text(x, NAME, "Cà phê bột");
    draft_id(x, PRODUCER_OF, of);
}

/* An amendment of one text. */
static void amend(struct draft_change *x, uint32_t kind, const struct id *id, uint32_t number,
                  const char *text)
{
    draft(x, kind, VERB_AMEND, id);
    draft_text(x, number, text);
    x->c.reason = span_str("đã kiểm tra");
}

/* The outcome of the last change of a set. */
static enum outcome_code outcome(struct world *w, uint64_t version, size_t count)
{
    struct outcome_row *rows;
    size_t n;
    centre_must(&w->c, outcomes_of(w->c.r, version, &w->c.a, &rows, &n, &w->c.err));
    return n && rows[n - 1].index == count - 1 ? rows[n - 1].code : OUTCOME_APPLIED;
}

static enum outcome_code push(struct world *w, struct device *d, struct draft_change *x,
                              size_t count)
{
    struct set_result result = device_push(d, &w->c, x, count);
    assert_int_equal(result.code, SET_ACCEPTED);
    return outcome(w, result.version, count);
}

static enum outcome_code import(struct world *w, struct draft_change *x)
{
    return outcome(w, centre_write(&w->c, x, 1), 1);
}

static int64_t count(struct world *w, const char *sql)
{
    sqlite3_stmt *s;
    assert_int_equal(sqlite3_prepare_v2(w->c.r->db, sql, -1, &s, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    int64_t n = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    return n;
}

/* A text of the registry's record; "" when it has none. */
static const char *value(struct world *w, uint32_t kind, const struct id *id, uint32_t number)
{
    struct fields fields;
    struct row_meta meta;
    centre_must(&w->c, row_load(w->c.r->rows, kind, id, &w->c.a, &fields, &meta, &w->c.err));
    const struct field *f = fields_find(&fields, number, span_of(NULL, 0));
    return f && f->op == FIELD_SET ? arena_dup(&w->c.a, f->bytes.p, f->bytes.len) : "";
}

/* --- creating what is there already --- */

static void a_creation_of_another_ones_record_is_refused(void **state)
{
    struct world *w = *state;
    struct draft_change x;
    struct id id = fresh(w);
    inspection(&x, &id, &w->o1, &w->commune, &w->producer, "fail");
    assert_int_equal(push(w, &w->d, &x, 1), OUTCOME_APPLIED);
    inspection(&x, &id, &w->o2, &w->commune, &w->producer, "pass");
    draft_base(&x, version_of(w));
    assert_int_equal(push(w, &w->e, &x, 1), OUTCOME_REFUSED);
    assert_string_equal(value(w, KIND_INSPECTION, &id, CONCLUSION), "fail");
}

static void a_creation_of_a_shared_record_opens_a_case_whatever_base_it_names(void **state)
{
    struct world *w = *state;
    struct draft_change x;
    struct id id = fresh(w);
    producer(&x, &id, &w->o1, &w->commune, "HTX Một");
    assert_int_equal(push(w, &w->d, &x, 1), OUTCOME_APPLIED);
    draft(&x, KIND_PRODUCER, VERB_CREATE, &id);
    draft_id(&x, FIELD_UNIT, &w->commune);
    draft_text(&x, NAME, "HTX Hai");
    draft_text(&x, TYPE, "cooperative");
    draft_base(&x, version_of(w));
    assert_int_equal(import(w, &x), OUTCOME_CASE);
    assert_string_equal(value(w, KIND_PRODUCER, &id, NAME), "HTX Một");
}

static void a_creation_sent_again_is_equal_even_when_the_record_was_voided(void **state)
{
    struct world *w = *state;
    struct draft_change x, again;
    struct id id = fresh(w);
    inspection(&x, &id, &w->o1, &w->commune, &w->producer, "fail");
    again = x;
    assert_int_equal(push(w, &w->d, &x, 1), OUTCOME_APPLIED);
    assert_int_equal(push(w, &w->d, &again, 1), OUTCOME_EQUAL);
    draft(&x, KIND_INSPECTION, VERB_VOID, &id);
    draft_int(&x, FIELD_VOIDED, 1);
    draft_text(&x, FIELD_VOID_REASON, "nhầm");
    assert_int_equal(push(w, &w->d, &x, 1), OUTCOME_APPLIED);
    inspection(&again, &id, &w->o1, &w->commune, &w->producer, "fail");
    assert_int_equal(push(w, &w->d, &again, 1), OUTCOME_EQUAL);
    assert_int_equal(count(w, "SELECT count(*) FROM cases"), 0);
}

/* --- unions --- */

static void a_removal_from_a_union_that_had_not_seen_the_element_opens_a_case(void **state)
{
    struct world *w = *state;
    struct draft_change x;
    struct span key = id_span(&w->other);
    draft(&x, KIND_UNIT, VERB_AMEND, &w->commune);
    draft_element(&x, &w->c, SUCCESSORS, key, "whole");
    assert_int_equal(import(w, &x), OUTCOME_APPLIED);
    uint64_t seen = version_of(w);
    draft(&x, KIND_UNIT, VERB_AMEND, &w->commune);
    draft_element(&x, &w->c, SUCCESSORS, key, "split");
    draft_base(&x, seen);
    assert_int_equal(import(w, &x), OUTCOME_APPLIED);
    draft(&x, KIND_UNIT, VERB_AMEND, &w->commune);
    draft_element(&x, &w->c, SUCCESSORS, key, NULL);
    x.v[0].op = FIELD_CLEAR;
    draft_base(&x, seen);
    assert_int_equal(import(w, &x), OUTCOME_CASE);
}

/* --- voids --- */

static void a_void_brings_nothing_back(void **state)
{
    struct world *w = *state;
    struct draft_change x;
    struct id id = fresh(w);
    inspection(&x, &id, &w->o1, &w->commune, &w->producer, "fail");
    assert_int_equal(push(w, &w->d, &x, 1), OUTCOME_APPLIED);
    draft(&x, KIND_INSPECTION, VERB_VOID, &id);
    draft_int(&x, FIELD_VOIDED, 1);
    draft_text(&x, FIELD_VOID_REASON, "nhầm");
    assert_int_equal(push(w, &w->d, &x, 1), OUTCOME_APPLIED);
    draft(&x, KIND_INSPECTION, VERB_VOID, &id);
    draft_int(&x, FIELD_VOIDED, 0);
    assert_int_equal(push(w, &w->d, &x, 1), OUTCOME_REFUSED);
    draft(&x, KIND_INSPECTION, VERB_VOID, &id);
    draft_text(&x, FIELD_VOID_REASON, "nhầm thật");
    assert_int_equal(push(w, &w->d, &x, 1), OUTCOME_REFUSED);
    assert_int_equal(count(w, "SELECT voided FROM inspection"), 1);
}

static void a_voided_record_collides_with_none(void **state)
{
    struct world *w = *state;
    struct draft_change x;
    struct id first = fresh(w), second = fresh(w);
    draft(&x, KIND_PRODUCER, VERB_CREATE, &first);
    draft_id(&x, FIELD_UNIT, &w->commune);
    draft_text(&x, NAME, "HTX Một");
    draft_text(&x, TYPE, "cooperative");
    draft_text(&x, TAX_CODE, "0101");
    assert_int_equal(import(w, &x), OUTCOME_APPLIED);
    x.c.record = second;
    struct draft_change again = x;
    draft(&x, KIND_PRODUCER, VERB_VOID, &first);
    draft_int(&x, FIELD_VOIDED, 1);
    draft_text(&x, FIELD_VOID_REASON, "trùng");
    draft_base(&x, version_of(w));
    assert_int_equal(import(w, &x), OUTCOME_APPLIED);
    assert_int_equal(import(w, &again), OUTCOME_APPLIED);
}

/* --- changes that waited --- */

/* e notes something of a producer that d has not sent yet; then d sends it. */
static void note_early(struct world *w, const struct id *id)
{
    struct draft_change x;
    amend(&x, KIND_PRODUCER, id, NOTES, "của e");
    assert_int_equal(push(w, &w->e, &x, 1), OUTCOME_WAITING);
    producer(&x, id, &w->o1, &w->commune, "HTX P");
    assert_int_equal(push(w, &w->d, &x, 1), OUTCOME_APPLIED);
    assert_string_equal(value(w, KIND_PRODUCER, id, NOTES), "của e");
}

static void the_creator_receives_a_change_that_had_waited(void **state)
{
    struct world *w = *state;
    struct id id = fresh(w);
    device_pull(&w->d, &w->c, 100000);
    note_early(w, &id);
    w->d.held[w->d.held_count++] = (struct held){KIND_PRODUCER, id, {NULL, 0}, 0}; /* it made it */
    device_pull(&w->d, &w->c, 100000);
    assert_string_equal(device_text(&w->d, &id, NOTES), "của e");
}

static void a_change_that_had_waited_is_not_the_creators(void **state)
{
    struct world *w = *state;
    struct draft_change x;
    struct id id = fresh(w);
    note_early(w, &id);
    amend(&x, KIND_PRODUCER, &id, NOTES, "của d");
    assert_int_equal(push(w, &w->d, &x, 1), OUTCOME_CASE);
    assert_string_equal(value(w, KIND_PRODUCER, &id, NOTES), "của e");
}

static void a_creator_who_amends_in_the_same_set_does_not_overwrite_what_had_waited(void **state)
{
    struct world *w = *state;
    struct draft_change x[2];
    struct id id = fresh(w);
    amend(&x[0], KIND_PRODUCER, &id, NOTES, "của e");
    assert_int_equal(push(w, &w->e, x, 1), OUTCOME_WAITING);
    producer(&x[0], &id, &w->o1, &w->commune, "HTX P");
    amend(&x[1], KIND_PRODUCER, &id, NOTES, "của d");
    assert_int_equal(push(w, &w->d, x, 2), OUTCOME_CASE);
}

static void a_change_that_had_waited_is_its_authors_own(void **state)
{
    struct world *w = *state;
    struct draft_change x;
    struct id id = fresh(w);
    note_early(w, &id);
    amend(&x, KIND_PRODUCER, &id, NOTES, "của e, lần hai");
    assert_int_equal(push(w, &w->e, &x, 1), OUTCOME_APPLIED);
    assert_string_equal(value(w, KIND_PRODUCER, &id, NOTES), "của e, lần hai");
    /* And what e wrote over it is e's by its own set again. */
    amend(&x, KIND_PRODUCER, &id, NOTES, "của e, lần ba");
    assert_int_equal(push(w, &w->e, &x, 1), OUTCOME_APPLIED);
}

static void a_creators_own_value_over_one_that_had_waited_is_the_creators(void **state)
{
    struct world *w = *state;
    struct draft_change x[2];
    struct id id = fresh(w);
    amend(&x[0], KIND_PRODUCER, &id, 16, "0900000001"); /* a telephone number: the last one stays */
    assert_int_equal(push(w, &w->e, x, 1), OUTCOME_WAITING);
    producer(&x[0], &id, &w->o1, &w->commune, "HTX P");
    amend(&x[1], KIND_PRODUCER, &id, 16, "0900000002");
    assert_int_equal(push(w, &w->d, x, 2), OUTCOME_APPLIED);
    assert_int_equal(count(w, "SELECT count(*) FROM late"), 0);
}

static void a_case_names_who_made_the_change_that_had_waited(void **state)
{
    struct world *w = *state;
    struct draft_change x;
    struct case_row c;
    struct id id = fresh(w), case_id;
    note_early(w, &id);
    amend(&x, KIND_PRODUCER, &id, NOTES, "của d");
    assert_int_equal(push(w, &w->d, &x, 1), OUTCOME_CASE);
    sqlite3_stmt *s;
    assert_int_equal(sqlite3_prepare_v2(w->c.r->db, "SELECT id FROM cases", -1, &s, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    assert_true(id_from(span_of(sqlite3_column_blob(s, 0), ID_LEN), &case_id));
    sqlite3_finalize(s);
    centre_must(&w->c, case_load(w->c.r, &case_id, &w->c.a, &c, &w->c.err));
    assert_true(id_eq(&c.theirs_author, &w->o2));
    assert_true(id_eq(&c.mine_author, &w->o1));
}

static void the_case_of_a_change_that_had_waited_is_filed_under_its_own_set(void **state)
{
    struct world *w = *state;
    struct draft_change x;
    struct id id = fresh(w);
    amend(&x, KIND_PRODUCER, &id, NAME, "HTX Khác");
    struct set_result early = device_push(&w->e, &w->c, &x, 1);
    producer(&x, &id, &w->o1, &w->commune, "HTX P");
    uint64_t version = device_push(&w->d, &w->c, &x, 1).version;
    char sql[160];
    snprintf(
        sql, sizeof sql,
        "SELECT count(*) FROM cases WHERE set_version = %d AND idx = 0 AND opened_version = %d",
        (int)early.version, (int)version);
    assert_int_equal(count(w, sql), 1);
}

static void a_reference_of_a_change_that_had_waited_settles_within_the_same_set(void **state)
{
    struct world *w = *state;
    struct draft_change x, y[2];
    struct id id = fresh(w), target = fresh(w);
    draft(&x, KIND_INSPECTION, VERB_AMEND, &id);
    draft_id(&x, PRODUCT, &target);
    x.c.reason = span_str("đã kiểm tra");
    assert_int_equal(push(w, &w->d, &x, 1), OUTCOME_WAITING);
    inspection(&y[0], &id, &w->o1, &w->commune, &w->producer, "pass");
    product(&y[1], &target, &w->o1, &w->commune, &w->producer);
    assert_int_equal(push(w, &w->d, y, 2), OUTCOME_APPLIED);
    assert_int_equal(count(w, "SELECT count(*) FROM dangling"), 0);
    assert_int_equal(count(w, "SELECT count(*) FROM outcome WHERE code <> 0"), 0);
}

static void a_change_that_waits_for_another_kind_of_the_same_id_goes_on_waiting(void **state)
{
    struct world *w = *state;
    struct draft_change x;
    struct id id = fresh(w);
    amend(&x, KIND_PRODUCT, &id, NAME, "Chè");
    assert_int_equal(push(w, &w->e, &x, 1), OUTCOME_WAITING);
    producer(&x, &id, &w->o1, &w->commune, "HTX P");
    assert_int_equal(push(w, &w->d, &x, 1), OUTCOME_APPLIED);
    assert_int_equal(count(w, "SELECT count(*) FROM waiting"), 1);
}

/* --- what the memory of earlier questions must not change --- */

static void a_reference_to_another_kind_dangles_whatever_was_asked_before(void **state)
{
    struct world *w = *state;
    struct draft_change x;
    struct id p = fresh(w), i = fresh(w);
    product(&x, &p, &w->o1, &w->commune, &w->producer);
    assert_int_equal(push(w, &w->d, &x, 1), OUTCOME_APPLIED);
    inspection(&x, &i, &w->o1, &w->commune, &p, "pass"); /* names a product as its producer */
    assert_int_equal(push(w, &w->d, &x, 1), OUTCOME_DANGLING);
}

/* --- where a device may write --- */

static void a_device_writes_under_no_anchor_that_is_not_a_unit(void **state)
{
    struct world *w = *state;
    struct draft_change x;
    struct id id = fresh(w), everyone = {{[ID_LEN - 1] = 1}}, mark = w->province;
    mark.b[6] ^= SCOPE_MARK;
    inspection(&x, &id, &w->o1, &everyone, &w->producer, "fail");
    assert_int_equal(push(w, &w->d, &x, 1), OUTCOME_REFUSED);
    inspection(&x, &id, &w->o1, &mark, &w->producer, "fail");
    assert_int_equal(push(w, &w->d, &x, 1), OUTCOME_REFUSED);
}

static void a_record_of_an_unknown_kind_stays_within_the_units_of_its_device(void **state)
{
    struct world *w = *state;
    struct draft_change x;
    struct id there = fresh(w), here = fresh(w), nowhere = fresh(w);
    draft(&x, KIND_OF_TOMORROW, VERB_CREATE, &there);
    draft_id(&x, FIELD_UNIT, &w->other);
    draft_id(&x, FIELD_OFFICER, &w->o1);
    assert_int_equal(push(w, &w->d, &x, 1), OUTCOME_REFUSED);
    draft(&x, KIND_OF_TOMORROW, VERB_CREATE, &here);
    draft_id(&x, FIELD_UNIT, &w->commune);
    draft_id(&x, FIELD_OFFICER, &w->o1);
    assert_int_equal(push(w, &w->d, &x, 1), OUTCOME_APPLIED);
    draft(&x, KIND_OF_TOMORROW, VERB_CREATE, &nowhere);
    draft_id(&x, FIELD_OFFICER, &w->o1);
    assert_int_equal(push(w, &w->d, &x, 1), OUTCOME_APPLIED);
    device_pull(&w->f, &w->c, 100000);
    assert_null(device_holds(&w->f, &there));
    device_pull(&w->e, &w->c, 100000);
    assert_non_null(device_holds(&w->e, &here));
    assert_null(device_holds(&w->e, &nowhere));
}

/* Fields that no other record has make columns of empty cells for all records of a page. */
static void records_with_fields_of_their_own_stop_no_page(void **state)
{
    enum { RECORDS = 250, OWN = 100 };
    struct world *w = *state;
    struct change *c = arena_calloc(&w->c.a, RECORDS, sizeof *c);
    struct field *v = arena_calloc(&w->c.a, RECORDS * (OWN + 8), sizeof *v);
    struct author au;
    uint64_t version;
    assert_true(c && v);
    for (size_t i = 0; i < RECORDS; i++) {
        struct draft_change x;
        producer(&x, &w->producer, &w->o1, &w->commune, "HTX");
        size_t n = x.c.fields.count;
        c[i] = x.c;
        c[i].record = fresh(w);
        c[i].fields = (struct fields){v, n + OWN};
        memcpy(v, x.v, n * sizeof *v);
        for (size_t f = 0; f < OWN; f++)
            v[n + f] = (struct field){.number = (uint32_t)(FIELD_OF_TOMORROW + i * OWN + f),
                                      .op = FIELD_SET,
                                      .type = VALUE_INT,
                                      .i = 1};
        v += n + OWN;
    }
    device_pull(&w->e, &w->c, 100000);
    centre_must(&w->c, registry_begin(w->c.r, &w->c.err));
    centre_must(&w->c, author_begin(w->c.r, &w->c.keys, "import", "t", NULL, &au, &w->c.err));
    for (size_t i = 0; i < RECORDS; i++) { /* together they would not fit one set either */
        const struct changes changes = {&c[i], 1};
        centre_must(&w->c, author_write(&au, &changes, &w->c.a, &version, &w->c.err));
    }
    author_end(&au);
    centre_must(&w->c, registry_commit(w->c.r, &w->c.err));
    device_pull(&w->e, &w->c, 100000);
    for (size_t i = 0; i < RECORDS; i++)
        assert_non_null(device_holds(&w->e, &c[i].record));
}

/* --- what is too large --- */

/* 32 KiB of fields that only a later program knows. */
static void amend_large(struct draft_change *x, const struct id *id, uint32_t round)
{
    static char text[8001];
    memset(text, 'x', sizeof text - 1);
    draft(x, KIND_PRODUCER, VERB_AMEND, id);
    for (uint32_t i = 0; i < 4; i++)
        draft_text(x, FIELD_OF_TOMORROW + round * 4 + i, text);
    x->c.reason = span_str("đã kiểm tra");
}

static void a_record_never_grows_beyond_what_a_page_can_carry(void **state)
{
    struct world *w = *state;
    struct draft_change x;
    enum outcome_code last = OUTCOME_APPLIED;
    uint32_t applied = 0;
    for (uint32_t round = 0; round < 10; round++) {
        amend_large(&x, &w->producer, round);
        last = push(w, &w->d, &x, 1);
        applied += last == OUTCOME_APPLIED;
    }
    assert_int_equal(last, OUTCOME_REFUSED);
    assert_int_equal(applied, 8);
    device_pull(&w->e, &w->c, 100000);
    assert_non_null(device_holds(&w->e, &w->producer));
}

static void what_waits_too_large_is_refused_and_not_the_creation(void **state)
{
    struct world *w = *state;
    struct draft_change x;
    struct id id = fresh(w);
    for (uint32_t round = 0; round < 36; round++) {
        amend_large(&x, &id, round);
        assert_int_equal(push(w, &w->e, &x, 1), OUTCOME_WAITING);
    }
    producer(&x, &id, &w->o1, &w->commune, "HTX P");
    assert_int_equal(push(w, &w->d, &x, 1), OUTCOME_APPLIED);
    assert_int_equal(count(w, "SELECT count(*) FROM outcome WHERE code = 4"), 36 - 8);
    assert_int_equal(count(w, "SELECT count(*) FROM waiting"), 0);
}

static void fields_that_are_unknown_here_are_limited_in_number(void **state)
{
    struct world *w = *state;
    struct draft_change x;
    uint32_t at = FIELD_OF_TOMORROW;
    enum outcome_code last = OUTCOME_APPLIED;
    for (uint32_t round = 0; round < 10; round++) {
        draft(&x, KIND_PRODUCER, VERB_AMEND, &w->producer);
        for (uint32_t i = 0; i < 16; i++)
            draft_int(&x, at++, 1);
        x.c.reason = span_str("đã kiểm tra");
        last = push(w, &w->d, &x, 1);
    }
    assert_int_equal(last, OUTCOME_REFUSED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, open_world, close_world)
        TEST(a_creation_of_another_ones_record_is_refused),
        TEST(a_creation_of_a_shared_record_opens_a_case_whatever_base_it_names),
        TEST(a_creation_sent_again_is_equal_even_when_the_record_was_voided),
        TEST(a_removal_from_a_union_that_had_not_seen_the_element_opens_a_case),
        TEST(a_void_brings_nothing_back),
        TEST(a_voided_record_collides_with_none),
        TEST(the_creator_receives_a_change_that_had_waited),
        TEST(a_change_that_had_waited_is_not_the_creators),
        TEST(a_creator_who_amends_in_the_same_set_does_not_overwrite_what_had_waited),
        TEST(a_change_that_had_waited_is_its_authors_own),
        TEST(a_creators_own_value_over_one_that_had_waited_is_the_creators),
        TEST(a_case_names_who_made_the_change_that_had_waited),
        TEST(the_case_of_a_change_that_had_waited_is_filed_under_its_own_set),
        TEST(a_reference_of_a_change_that_had_waited_settles_within_the_same_set),
        TEST(a_change_that_waits_for_another_kind_of_the_same_id_goes_on_waiting),
        TEST(a_reference_to_another_kind_dangles_whatever_was_asked_before),
        TEST(a_device_writes_under_no_anchor_that_is_not_a_unit),
        TEST(a_record_of_an_unknown_kind_stays_within_the_units_of_its_device),
        TEST(records_with_fields_of_their_own_stop_no_page),
        TEST(a_record_never_grows_beyond_what_a_page_can_carry),
        TEST(what_waits_too_large_is_refused_and_not_the_creation),
        TEST(fields_that_are_unknown_here_are_limited_in_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
