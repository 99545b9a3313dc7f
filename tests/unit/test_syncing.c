/* What a sync sends and takes in, against a scripted server. */
#include "scripted.h"

#include <stdlib.h>
#include <string.h>

#include "bounds.h"

static void nothing_is_sealed_without_a_connection(void **state)
{
    struct fixture *f = *state;
    struct ocop_store_status s;

    submit_one(f);
    f->server.offline = true;
    assert_int_equal(ocop_sync(f->store, NULL, &f->sum, &f->err), OCOP_ENET);
    assert_int_equal(f->sum.left, 1);
    OK(ocop_store_status(f->store, &s, &f->err));
    assert_int_equal(s.waiting, 1);
    f->server.offline = false;
    sync_ok(f);
    assert_int_equal(f->server.last_set.seq, 1);
    assert_int_equal(f->sum.left, 0);
    OK(ocop_store_status(f->store, &s, &f->err));
    assert_int_equal(s.waiting, 0);
    assert_int_equal(s.skew_ms, 5000);
    assert_true(s.last_sync_ms == NOW_MS);
}

static void a_lost_request_is_sent_again_with_the_same_bytes(void **state)
{
    struct fixture *f = *state;
    struct ocop_id id = submit_one(f);
    uint8_t first[HASH_LEN];

    f->server.lose_reply = true;
    assert_int_equal(ocop_sync(f->store, NULL, &f->sum, &f->err), OCOP_ETIMEOUT);
    memcpy(first, f->server.first_body, HASH_LEN);
    assert_state(f, &id, OCOP_WAITING);
    submit_one(f);
    reopen(f);
    f->now_ms += 1000;
    sync_ok(f);
    assert_memory_equal(first, f->server.first_body, HASH_LEN);
    assert_int_equal(f->server.got_count, 2);
    assert_int_equal(f->sum.pushed, 2);
    assert_state(f, &id, OCOP_ACCEPTED);
    assert_clean(f);
}

static void a_repeated_exchange_changes_nothing(void **state)
{
    struct fixture *f = *state;
    struct ocop_id id = submit_one(f);

    feed_producer(f, 9, "HTX Mắm");
    sync_ok(f);
    feed_producer(f, 9, "HTX Mắm");
    sync_ok(f);
    assert_int_equal(f->server.got_count, 1);
    assert_int_equal(f->sum.pushed, 0);
    assert_state(f, &id, OCOP_ACCEPTED);
    assert_int_equal(count_found(f, &(struct ocop_query){.kind = "producer", .text = "mam"}), 1);
    assert_clean(f);
}

static void many_changes_travel_in_sets_within_the_budget(void **state)
{
    struct fixture *f = *state;
    unsigned seed = 1;

    for (int n = 0; n < 60; n++) {
        Ocop__Inspection *i = inspection_new(f);
        char notes[2001];
        for (size_t c = 0; c < sizeof notes - 1; c++) {
            seed = seed * 1103515245u + 12345u;
            notes[c] = (char)('a' + (seed >> 16) % 26);
        }
        notes[sizeof notes - 1] = '\0';
        set_text(&i->notes, notes);
        OK(ocop_submit(f->store, &i->base, &f->err));
        ocop_free(&i->base);
    }
    f->server.lose_request = true;
    assert_int_equal(ocop_sync(f->store, NULL, &f->sum, &f->err), OCOP_ETIMEOUT);
    assert_true(f->server.request_bytes <= SET_SEALED_BYTES_START + 1024);
    sync_ok(f);
    assert_int_equal(f->server.got_count, 60);
    assert_true(f->server.seq > 1);
    assert_true(f->sum.complete);
    assert_int_equal(f->sum.pushed, 60);
    assert_clean(f);
}

static void a_refused_change_is_shown_with_its_reason_and_blocks_nothing(void **state)
{
    struct fixture *f = *state;
    struct ocop_id id = submit_one(f), other = submit_one(f);
    struct ocop_record_status *s;
    Ocop__Inspection *i;

    f->server.told[f->server.told_count++] =
        (struct told){1, 0, OUTCOME_REFUSED, "not your unit", "unit_id"};
    sync_ok(f);
    assert_int_equal(f->sum.refused, 1);
    assert_int_equal(f->sum.applied, 1);
    OK(ocop_record_status(f->store, &id, &s, &f->err));
    assert_int_equal(s->state, OCOP_REFUSED);
    assert_string_equal(s->reason, "not your unit");
    assert_string_equal(s->reason_field, "unit_id");
    ocop_record_status_free(s);
    assert_state(f, &other, OCOP_ACCEPTED);
    assert_score(f, &id, 80); /* what the officer wrote is still there */
    assert_clean(f);
    assert_int_equal(ocop_resend(f->store, &other, &f->err), OCOP_ESTATE);
    OK(ocop_resend(f->store, &id, &f->err));
    sync_ok(f);
    assert_state(f, &id, OCOP_ACCEPTED);
    f->server.told[f->server.told_count++] = (struct told){3, 0, OUTCOME_REFUSED, "no", "score"};
    amend_score(f, &id, 1);
    sync_ok(f);
    assert_state(f, &id, OCOP_REFUSED);
    assert_score(f, &id, 80); /* the registry's value stands */
    i = inspection_load(f, &id);
    i->score = 2;
    OK(ocop_amend(f->store, &i->base, "better", &f->err));
    ocop_free(&i->base);
    sync_ok(f);
    assert_state(f, &id, OCOP_ACCEPTED);
    assert_score(f, &id, 2);
    assert_clean(f);
}

static void a_change_that_waits_at_the_registry_is_settled_by_a_later_outcome(void **state)
{
    struct fixture *f = *state;
    struct ocop_id id = submit_one(f);

    f->server.told[f->server.told_count++] =
        (struct told){1, 0, OUTCOME_WAITING, "its producer is not there yet", "producer_id"};
    sync_ok(f);
    assert_state(f, &id, OCOP_WAITING);
    assert_int_equal(f->sum.left, 1);
    f->server.told[f->server.told_count++] = (struct told){1, 0, OUTCOME_APPLIED, NULL, NULL};
    sync_ok(f);
    assert_state(f, &id, OCOP_ACCEPTED);
    assert_clean(f);
}

static void a_case_shows_both_values_and_the_registrys_stands(void **state)
{
    struct fixture *f = *state;
    struct ocop_id id = submit_one(f);
    struct id case_id = made_id(77);
    Ocop__Sync__CaseNote *n = &f->server.notes[0];
    struct ocop_record_status *s;
    Ocop__Inspection *i;

    sync_ok(f);
    feed_score(f, &id, 90, 5);
    sync_ok(f);
    assert_state(f, &id, OCOP_MERGED);
    i = inspection_load(f, &id);
    i->score = 30;
    set_text(&i->notes, "mới");
    OK(ocop_amend(f->store, &i->base, "why", &f->err));
    ocop_free(&i->base);
    ocop__sync__case_note__init(n);
    n->has_id = n->has_record = n->has_kind = n->has_cause = 1;
    n->id = data_of(case_id.b, ID_LEN);
    n->record = data_of(id.b, ID_LEN);
    n->kind = KIND_INSPECTION;
    n->cause = CASE_FIELD;
    n->field = "score";
    n->base_value = "80";
    n->theirs = "90";
    n->mine = "30";
    f->server.note_count = 1;
    f->server.told[f->server.told_count++] = (struct told){2, 0, OUTCOME_CASE, "differs", "score"};
    sync_ok(f);
    assert_int_equal(f->sum.in_case, 1);
    OK(ocop_record_status(f->store, &id, &s, &f->err));
    assert_int_equal(s->state, OCOP_IN_CASE);
    assert_int_equal(s->case_count, 1);
    assert_string_equal(s->cases[0].theirs, "90");
    assert_string_equal(s->cases[0].mine, "30");
    assert_false(s->cases[0].closed);
    ocop_record_status_free(s);
    i = inspection_load(f, &id);
    assert_int_equal(i->score, 90);
    assert_string_equal(i->notes, "mới"); /* the rest took effect */
    ocop_free(&i->base);
    n->has_closed = n->closed = 1;
    n->resolution = "theirs";
    f->server.note_count = 1;
    sync_ok(f);
    assert_state(f, &id, OCOP_MERGED);
    assert_clean(f);
}

static void pulled_state_goes_under_the_officers_own_edits(void **state)
{
    struct fixture *f = *state;
    struct ocop_id id = submit_one(f);
    Ocop__Inspection *i;

    sync_ok(f);
    amend_score(f, &id, 33);
    f->server.lose_request = true;
    assert_int_equal(ocop_sync(f->store, NULL, &f->sum, &f->err), OCOP_ETIMEOUT);
    i = inspection_load(f, &id);
    set_text(&i->notes, "theirs");
    set_text(&i->conclusion, "fail");
    i->score = 70;
    feed_put(f, &i->base, VERB_STATE, 9);
    ocop_free(&i->base);
    f->server.set_code_next = SET_RETRY;
    assert_int_equal(ocop_sync(f->store, NULL, &f->sum, &f->err), OCOP_OK);
    i = inspection_load(f, &id);
    assert_int_equal(i->score, 33);
    assert_string_equal(i->notes, "theirs");
    ocop_free(&i->base);
    assert_clean(f);
}

static void record_while_waiting(struct server *v)
{
    ProtobufCMessage *m;

    v->meanwhile = NULL;
    OK(ocop_new(v->during, "inspection", &m, NULL));
    OK(ocop_save(v->during, m, NULL)); /* would hang if the lock were held */
    ocop_free(m);
    assert_int_equal(ocop_sync(v->during, NULL, NULL, NULL), OCOP_EBUSY);
}

static void recording_goes_on_while_a_sync_waits(void **state)
{
    struct fixture *f = *state;
    struct ocop_store_status s;

    submit_one(f);
    f->server.during = f->store;
    f->server.meanwhile = record_while_waiting;
    sync_ok(f);
    OK(ocop_store_status(f->store, &s, &f->err));
    assert_int_equal(s.drafts, 1);
}

static bool stop(void *user, const struct ocop_sync_summary *so_far, const char *doing)
{
    (void)so_far;
    return strcmp(doing, user) != 0;
}

static void a_cancelled_sync_leaves_everything_to_the_next(void **state)
{
    struct fixture *f = *state;
    char doing[] = "exchanging";
    struct ocop_sync_options o = {.progress = stop, .user = doing};
    struct ocop_id id = submit_one(f);

    assert_int_equal(ocop_sync(f->store, &o, &f->sum, &f->err), OCOP_ECANCELLED);
    f->server.cancel = true;
    assert_int_equal(ocop_sync(f->store, NULL, &f->sum, &f->err), OCOP_ECANCELLED);
    f->server.cancel = false;
    assert_state(f, &id, OCOP_WAITING);
    sync_ok(f);
    assert_state(f, &id, OCOP_ACCEPTED);
    assert_int_equal(f->server.got_count, 1);
}

static void a_busy_server_is_reported_and_nothing_is_lost(void **state)
{
    struct fixture *f = *state;
    struct ocop_id id = submit_one(f);

    f->server.code_next = OCOP_EBUSY;
    assert_int_equal(ocop_sync(f->store, NULL, &f->sum, &f->err), OCOP_EBUSY);
    f->server.set_code_next = SET_RETRY;
    assert_int_equal(ocop_sync(f->store, NULL, &f->sum, &f->err), OCOP_EBUSY);
    assert_state(f, &id, OCOP_WAITING);
    f->server.code_next = OCOP_EREVOKED;
    assert_int_equal(ocop_sync(f->store, NULL, &f->sum, &f->err), OCOP_EREVOKED);
    struct ocop_store_status s;
    OK(ocop_store_status(f->store, &s, &f->err));
    assert_true(s.revoked);
    assert_int_equal(s.waiting, 1);
}

static void pages_are_asked_for_until_there_are_no_more(void **state)
{
    struct fixture *f = *state;

    for (uint8_t n = 10; n < 20; n++)
        feed_producer(f, n, "Hộ sản xuất");
    f->server.page = 3;
    sync_ok(f);
    assert_int_equal(f->sum.pulled, 10);
    assert_int_equal(f->sum.round_trips, 4);
    assert_int_equal(count_found(f, &(struct ocop_query){.kind = "producer"}), 10);
}

static void a_departure_takes_records_away_but_never_unsent_work(void **state)
{
    struct fixture *f = *state;
    struct ocop_id id = submit_one(f), draft;
    Ocop__Inspection *i = inspection_new(f);

    draft = id_of(i);
    OK(ocop_save(f->store, &i->base, &f->err));
    ocop_free(&i->base);
    feed_producer(f, 9, "HTX Mắm");
    sync_ok(f);
    ocop__sync__departure__init(&f->server.departures[0]);
    f->server.departures[0].has_unit = 1;
    f->server.departures[0].unit = data_of(f->server.unit.b, ID_LEN);
    f->server.departure_count = 1;
    sync_ok(f);
    assert_int_equal(f->sum.departed, 2);
    ProtobufCMessage *m;
    assert_int_equal(ocop_load(f->store, &id, &m, &f->err), OCOP_ENOTFOUND);
    assert_int_equal(count_found(f, &(struct ocop_query){.text = "mam"}), 1);
    assert_state(f, &draft, OCOP_DRAFT);
    assert_clean(f);
}

/*  registry: 1 2'      this store: 1 2 3     -> replica 2: (1 = 2) (2 = 3), after predecessor's 1
 */
static void a_fork_sends_the_same_changes_under_a_new_replica(void **state)
{
    struct fixture *f = *state;
    struct ocop_id id, second;
    struct id old;
    struct ocop_store_status s;
    Ocop__Inspection *i;

    feed_unit(f);
    feed_producer(f, 9, "HTX Mắm");
    id = submit_one(f);
    sync_ok(f);
    old = f->server.replica;
    second = submit_one(f);
    amend_score(f, &id, 12);
    f->server.set_code_next = SET_FORK;
    f->server.fork_seq = 2;
    assert_int_equal(
        ocop_sync(f->store, &(struct ocop_sync_options){.max_round_trips = 1}, &f->sum, &f->err),
        OCOP_OK);
    assert_true(f->sum.forked);
    OK(ocop_store_status(f->store, &s, &f->err));
    assert_true(s.forked);
    assert_memory_not_equal(s.replica.b, old.b, ID_LEN);
    assert_int_equal(s.waiting, 2);
    i = inspection_new(f);
    assert_int_equal(ocop_submit(f->store, &i->base, &f->err), OCOP_ESTATE); /* no number yet */
    OK(ocop_save(f->store, &i->base, &f->err));
    ocop_free(&i->base);
    assert_clean(f);
    reopen(f);
    feed_unit(f); /* a new replica reads all of its scope again */
    feed_as_shown(f, &id);
    feed_as_shown(f, &second);
    sync_ok(f);
    assert_int_equal(f->server.got_count, 3);
    assert_true(id_eq(&f->server.last_set.predecessor, &old));
    assert_int_equal(f->server.last_set.predecessor_seq, 1);
    assert_int_equal(f->server.last_set.seq, 1);
    OK(ocop_store_status(f->store, &s, &f->err));
    assert_false(s.forked);
    assert_int_equal(s.device_number, 8);
    assert_state(f, &second, OCOP_ACCEPTED);
    assert_state(f, &id, OCOP_ACCEPTED);
    assert_score(f, &id, 12);
    assert_clean(f);
}

static void
a_store_older_than_what_it_sent_takes_a_new_number_though_it_has_nothing_to_send(void **state)
{
    struct fixture *f = *state;
    struct ocop_store_status s;

    sync_ok(f);
    f->server.seq = 3; /* the registry has sets of this replica from before the restore */
    f->server.fork_seq = 1;
    sync_ok(f);
    assert_true(f->sum.forked);
    assert_true(f->sum.complete);
    assert_int_equal(f->server.got_count, 0);
    assert_int_equal(f->server.last_set.seq, 1);
    OK(ocop_store_status(f->store, &s, &f->err));
    assert_false(s.forked);
    assert_int_equal(s.device_number, 8);
    assert_clean(f);
}

static void a_set_that_the_server_cannot_take_is_split_until_one_change_is_refused(void **state)
{
    struct fixture *f = *state;
    struct ocop_id a = submit_one(f), b = submit_one(f);

    f->server.set_code_next = SET_MALFORMED;
    assert_int_equal(
        ocop_sync(f->store, &(struct ocop_sync_options){.max_round_trips = 1}, &f->sum, &f->err),
        OCOP_OK);
    assert_state(f, &a, OCOP_WAITING);
    f->server.set_code_next = SET_MALFORMED;
    assert_int_equal(
        ocop_sync(f->store, &(struct ocop_sync_options){.max_round_trips = 1}, &f->sum, &f->err),
        OCOP_OK);
    assert_state(f, &a, OCOP_REFUSED);
    sync_ok(f);
    assert_state(f, &b, OCOP_ACCEPTED);
    assert_int_equal(f->server.got_count, 1);
    assert_clean(f);
}

static void a_restored_registry_gets_again_what_it_lost(void **state)
{
    struct fixture *f = *state;
    struct ocop_id a = submit_one(f), b;
    uint8_t hash[HASH_LEN];
    uint64_t backup;

    feed_unit(f);
    feed_producer(f, 9, "HTX Mắm");
    sync_ok(f);
    memcpy(hash, f->server.hash, HASH_LEN);
    backup = f->server.version;
    b = submit_one(f);
    feed_producer(f, 10, "HTX Cà phê");
    sync_ok(f);
    assert_int_equal(f->server.got_count, 2);
    f->server.seq = 1; /* the backup knows the first set only, and one producer */
    memcpy(f->server.hash, hash, HASH_LEN);
    f->server.new_lineage = made_id(30);
    f->server.lineage_fork = backup;
    f->server.reread = true;
    feed_unit(f);
    feed_producer(f, 9, "HTX Mắm");
    feed_as_shown(f, &a);
    sync_ok(f);
    assert_int_equal(f->server.got_count, 3);
    assert_int_equal(f->server.seq, 2);
    assert_int_equal(count_found(f, &(struct ocop_query){.kind = "producer"}), 1);
    assert_state(f, &a, OCOP_ACCEPTED);
    assert_state(f, &b, OCOP_ACCEPTED);
    assert_true(f->sum.complete);
    assert_clean(f);
}

static void a_part_of_an_unknown_record_makes_the_store_read_from_the_start(void **state)
{
    struct fixture *f = *state;
    struct ocop_id stranger = {{5}};

    sync_ok(f);
    stranger.b[6] = stranger.b[8] = 0x80;
    feed_score(f, &stranger, 5, 3);
    sync_ok(f);
    assert_int_equal(f->sum.round_trips, 2);
    assert_null(f->server.request->cursor);
}

static void a_stub_makes_a_reference_valid(void **state)
{
    struct fixture *f = *state;
    Ocop__Producer p = OCOP__PRODUCER__INIT;
    struct id id = made_id(9);

    feed_unit(f);
    p.has_id = 1;
    p.id = data_of(id.b, ID_LEN);
    p.name = "HTX xa";
    feed_put(f, &p.base, VERB_STUB, 2);
    sync_ok(f);
    submit_one(f);
}

int main(void)
{
    env_log_level(ENV_ERROR);
#define TEST(t) cmocka_unit_test_setup_teardown(t, scripted_setup, scripted_teardown)
    const struct CMUnitTest tests[] = {
        TEST(nothing_is_sealed_without_a_connection),
        TEST(a_lost_request_is_sent_again_with_the_same_bytes),
        TEST(a_repeated_exchange_changes_nothing),
        TEST(many_changes_travel_in_sets_within_the_budget),
        TEST(a_refused_change_is_shown_with_its_reason_and_blocks_nothing),
        TEST(a_change_that_waits_at_the_registry_is_settled_by_a_later_outcome),
        TEST(a_case_shows_both_values_and_the_registrys_stands),
        TEST(pulled_state_goes_under_the_officers_own_edits),
        TEST(recording_goes_on_while_a_sync_waits),
        TEST(a_cancelled_sync_leaves_everything_to_the_next),
        TEST(a_busy_server_is_reported_and_nothing_is_lost),
        TEST(pages_are_asked_for_until_there_are_no_more),
        TEST(a_departure_takes_records_away_but_never_unsent_work),
        TEST(a_fork_sends_the_same_changes_under_a_new_replica),
        TEST(a_store_older_than_what_it_sent_takes_a_new_number_though_it_has_nothing_to_send),
        TEST(a_set_that_the_server_cannot_take_is_split_until_one_change_is_refused),
        TEST(a_restored_registry_gets_again_what_it_lost),
        TEST(a_part_of_an_unknown_record_makes_the_store_read_from_the_start),
        TEST(a_stub_makes_a_reference_valid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
