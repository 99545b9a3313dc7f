/* What one officer can burden others with, who sends much about one record: cases by the thousand,
 * amendments by the ten thousand. Nobody is kept from the record, and its story can be shown. */
#include "test.h"

#include <stdio.h>
#include <string.h>

#include "bounds.h"
#include "cases.h"
#include "evidence_make.h"
#include "hand.h"
#include "registry_stmts.h"
#include "values.h"

enum { NOTE_BYTES = 4000 };

static struct id any_case(struct world *w)
{
    struct id id;
    sqlite3_stmt *s;
    assert_int_equal(sqlite3_prepare_v2(w->registry->db, "SELECT min(id) FROM cases", -1, &s, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    memcpy(id.b, sqlite3_column_blob(s, 0), ID_LEN);
    sqlite3_finalize(s);
    return id;
}

/* One set of so many amendments of the producer's notes, none of which had seen what is there. */
static Ocop__Sync__SyncReply *contradict(struct world *w, struct hand *h, unsigned first,
                                         unsigned count)
{
    struct change *c = hand_many(w, count, sizeof *c);
    struct field *v = hand_many(w, count, sizeof *v);
    for (unsigned i = 0; i < count; i++) {
        char *note = arena_alloc(&w->arena, NOTE_BYTES + 1), head[12];
        assert_non_null(note);
        memset(note, 'x', NOTE_BYTES);
        note[NOTE_BYTES] = '\0';
        snprintf(head, sizeof head, "%u", first + i);
        memcpy(note, head, strlen(head));
        v[i] = hand_text(22, note);
        c[i] = hand_change(h, KIND_PRODUCER, VERB_AMEND, w->producer, &v[i], 1);
    }
    return hand_push(w, h, c, count);
}

/* One set of so many amendments of one field, with two values in turn. */
static Ocop__Sync__SyncReply *alternate(struct world *w, struct hand *h, const struct id *record,
                                        struct field one, struct field two, unsigned count)
{
    struct change *c = hand_many(w, count, sizeof *c);
    struct field *v = hand_many(w, count, sizeof *v);
    for (unsigned i = 0; i < count; i++) {
        v[i] = i % 2 ? two : one;
        c[i] = hand_change(h, KIND_PRODUCER, VERB_AMEND, *record, &v[i], 1);
    }
    return hand_push(w, h, c, count);
}

static void note(struct world *w, struct hand *h)
{
    struct field n = hand_text(22, "ghi chú");
    struct change c = hand_change(h, KIND_PRODUCER, VERB_AMEND, w->producer, &n, 1);
    assert_int_equal(hand_push(w, h, &c, 1)->n_outcomes, 0);
}

static void cases_of_one_record_keep_nobody_from_it(void **state)
{
    struct world *w = *state;
    struct hand a, b;
    struct ocop_error err = {0};
    hand_enrol(w, &a, 0);
    hand_enrol(w, &b, 1);
    note(w, &a);
    (void)contradict(w, &b, 0, 900);
    const Ocop__Sync__SyncReply *reply = contradict(w, &b, 900, 200);
    assert_int_equal(world_count(w, "SELECT count(*) FROM cases"), CASES_OPEN_MAX);
    assert_int_equal(reply->n_outcomes, 200);
    assert_int_equal(reply->outcomes[99]->code, OUTCOME_CASE);
    assert_int_equal(reply->outcomes[100]->code, OUTCOME_REFUSED);
    assert_non_null(strstr(reply->outcomes[100]->text, "too many open cases"));
    struct field phone = hand_text(16, "0900");
    struct change c = hand_change(&a, KIND_PRODUCER, VERB_AMEND, w->producer, &phone, 1);
    assert_int_equal(hand_push(w, &a, &c, 1)->n_outcomes, 0);
    const struct id of = any_case(w);
    if (case_resolve(w->registry, &w->keys, &of, TAKE_THEIRS, NULL, "đã xem lại", &w->officers[0],
                     &err) != OCOP_OK)
        fail_msg("%s", err.text);
    assert_int_equal(contradict(w, &b, 1100, 1)->outcomes[0]->code, OUTCOME_CASE);
}

/* One record takes the key of four others, and of four more, and so on. */
static void nor_do_collisions(void **state)
{
    enum { ROUNDS = 5, EACH = 60 };
    struct world *w = *state;
    struct hand h;
    size_t refused = 0;
    hand_enrol(w, &h, 1);
    struct id id = {{0}};
    for (int i = 0; i < 9; i++) {
        id = id_next(&w->registry->ids, w->registry->env);
        struct field v[] = {ref(2, &w->commune), ref(3, &h.officer), text(10, "HTX"),
                            text(11, "cooperative"),
                            text(12, i < 4   ? "A"
                                     : i < 8 ? "B"
                                             : "C")};
        struct change c = hand_change(&h, KIND_PRODUCER, VERB_CREATE, id, v, 5);
        (void)hand_push(w, &h, &c, 1);
    }
    for (int round = 0; round < ROUNDS; round++) {
        const Ocop__Sync__SyncReply *reply =
            alternate(w, &h, &id, hand_text(12, "B"), hand_text(12, "A"), EACH);
        for (size_t i = 0; i < reply->n_outcomes; i++)
            refused += reply->outcomes[i]->code == OUTCOME_REFUSED;
    }
    assert_true(refused > 0);
    assert_true(world_count(w, "SELECT max(n) FROM (SELECT count(*) AS n FROM cases WHERE"
                               " closed_version IS NULL GROUP BY record)") <= CASES_OPEN_MAX);
}

/* What is refused for the time it would take can be sent again. */
static void one_set_makes_no_more_work_than_is_served(void **state)
{
    struct world *w = *state;
    struct hand a, b;
    hand_enrol(w, &a, 0);
    hand_enrol(w, &b, 1);
    note(w, &a);
    (void)contradict(w, &b, 0, 900);
    const struct field one = hand_text(16, "0902"), two = hand_text(16, "0901");
    const Ocop__Sync__SyncReply *reply =
        alternate(w, &a, &w->producer, one, two, CASES_LOOKED_AT_MAX / 900 + 2);
    assert_true(reply->n_outcomes >= 1 && reply->n_outcomes < 5);
    assert_int_equal(reply->outcomes[0]->code, OUTCOME_REFUSED);
    assert_non_null(strstr(reply->outcomes[0]->text, "submit it again"));
    assert_int_equal(alternate(w, &a, &w->producer, one, two, 1)->n_outcomes, 0);
}

/* Each contradiction asks what its author had seen, far back; the answer is one for all of a set.
 */
static void the_past_of_a_field_is_read_once_for_a_set(void **state)
{
    enum { VERSIONS = 20, CONFLICTS = 100 };
    struct world *w = *state;
    struct hand a, b;
    struct ocop_error err = {0};
    hand_enrol(w, &a, 0);
    hand_enrol(w, &b, 1);
    const struct field one = hand_text(22, "một"), two = hand_text(22, "hai");
    for (int i = 0; i < VERSIONS; i++)
        (void)alternate(w, &a, &w->producer, i % 2 ? one : two, one, 1);
    sqlite3_stmt *s = registry_stmt(w->registry, SQL_HISTORY_BETWEEN, &err);
    assert_non_null(s);
    (void)sqlite3_stmt_status(s, SQLITE_STMTSTATUS_RUN, 1);
    (void)alternate(w, &b, &w->producer, hand_text(22, "ba"), hand_text(22, "bốn"), CONFLICTS);
    assert_int_equal(world_count(w, "SELECT count(*) FROM cases"), CONFLICTS);
    assert_int_equal(sqlite3_stmt_status(s, SQLITE_STMTSTATUS_RUN, 0), 1);
}

static void a_record_of_many_amendments_can_be_shown(void **state)
{
    enum { SETS = 5, EACH = 4900 };
    struct world *w = *state;
    struct hand h;
    struct ocop_error err = {0};
    struct evidence_carry carry = {0};
    hand_enrol(w, &h, 1);
    const struct id id = id_next(&w->registry->ids, w->registry->env);
    struct field v[] = {ref(2, &w->commune), ref(3, &h.officer), text(10, "HTX"),
                        text(11, "cooperative")};
    struct change made = hand_change(&h, KIND_PRODUCER, VERB_CREATE, id, v, 4);
    assert_int_equal(hand_push(w, &h, &made, 1)->n_outcomes, 0);
    for (unsigned s = 0; s < SETS; s++)
        assert_int_equal(
            alternate(w, &h, &id, hand_text(22, "b"), hand_text(22, "a"), EACH)->n_outcomes, 0);
    FILE *out = tmpfile();
    assert_non_null(out);
    if (evidence_export(w->registry, &w->keys.root, &id, &carry, out, &err) != OCOP_OK)
        fail_msg("%s", err.text);
    fclose(out);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        T(cases_of_one_record_keep_nobody_from_it),   T(nor_do_collisions),
        T(one_set_makes_no_more_work_than_is_served), T(the_past_of_a_field_is_read_once_for_a_set),
        T(a_record_of_many_amendments_can_be_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
