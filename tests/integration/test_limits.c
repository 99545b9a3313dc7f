/* What one exchange can take and tell: sets and replies at their limits, strangers, replays.
 * Requests are made by hand, since no client of ours would send them. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include <sodium.h>

#include "bounds.h"
#include "hand.h"
#include "replay.h"
#include "zip.h"

enum { NAME = 10, TYPE = 11, PRODUCER_OF = 11, ADDRESS = 15, PHONE = 16, NOTES = 22 };
enum { SCORE = 27, ANSWERS = 29 };

/* `count` products of a producer, by the hand. */
static struct change *products(struct world *w, struct hand *h, const struct id *producer,
                               size_t count)
{
    struct change *c = hand_many(w, count, sizeof *c);
    struct field(*f)[4] = hand_many(w, count, sizeof *f);
    for (size_t i = 0; i < count; i++) {
        f[i][0] = hand_ref(FIELD_UNIT, &w->commune);
        f[i][1] = hand_ref(FIELD_OFFICER, &h->officer);
        f[i][2] = hand_text(NAME, "Chè");
        f[i][3] = hand_ref(PRODUCER_OF, producer);
        c[i] = hand_change(h, KIND_PRODUCT, VERB_CREATE, id_next(&w->registry->ids, env_system()),
                           f[i], 4);
    }
    return c;
}

/* --- what is told --- */

static void outcomes_that_come_late_come_page_by_page(void **state)
{
    enum { COUNT = 4200 };
    struct world *w = *state;
    struct hand h;
    hand_enrol(w, &h, 1);
    struct id missing = id_next(&w->registry->ids, env_system());
    struct change *c = products(w, &h, &missing, COUNT);
    Ocop__Sync__SyncReply *first = hand_push(w, &h, c, COUNT);
    assert_int_equal(first->n_outcomes, COUNT);
    assert_int_equal(first->outcomes[0]->code, OUTCOME_DANGLING);
    Ocop__Sync__Cursor *cursor = first->cursor;
    while (first->more) {
        first = hand_sync(w, &h, NULL, 0, cursor)->sync;
        cursor = first->cursor;
    }

    struct field p[] = {hand_ref(FIELD_UNIT, &w->commune), hand_text(NAME, "HTX"),
                        hand_text(TYPE, "cooperative")};
    struct change producer = {
        .kind = KIND_PRODUCER, .verb = VERB_CREATE, .record = missing, .fields = {p, 3}};
    world_import(w, &producer, 1);

    bool *told = hand_many(w, COUNT, sizeof *told);
    size_t count = 0, pages = 0;
    for (bool more = true; more; pages++) {
        Ocop__Sync__SyncReply *page = hand_sync(w, &h, NULL, 0, cursor)->sync;
        assert_non_null(page);
        assert_true(page->n_outcomes <= REPLY_LATE_OUTCOMES_MAX);
        for (size_t i = 0; i < page->n_outcomes; i++) {
            assert_int_equal(page->outcomes[i]->code, OUTCOME_APPLIED);
            assert_false(told[page->outcomes[i]->index]); /* each of them once */
            told[page->outcomes[i]->index] = true;
            count++;
        }
        cursor = page->cursor;
        more = page->more;
        assert_true(pages < 20);
    }
    assert_int_equal(count, COUNT);
    assert_false(cursor->has_told_version); /* an idle cursor carries nothing of it */
    assert_int_equal(hand_sync(w, &h, NULL, 0, cursor)->sync->n_outcomes, 0);
    hand_push(w, &h, products(w, &h, &missing, 1), 1);
}

static void no_further_set_is_taken_when_the_reply_has_enough_to_tell(void **state)
{
    struct world *w = *state;
    struct hand h;
    Ocop__Sync__Sealed *sets[2];
    hand_enrol(w, &h, 1);
    struct id missing = id_next(&w->registry->ids, env_system());
    sets[0] = hand_seal(w, &h, products(w, &h, &missing, SET_CHANGES_MAX), SET_CHANGES_MAX);
    sets[1] = hand_seal(w, &h, products(w, &h, &missing, 1), 1);
    Ocop__Sync__SyncReply *reply = hand_sync(w, &h, sets, 1, NULL)->sync;
    assert_int_equal(reply->sets[0]->code, SET_ACCEPTED);
    reply = hand_sync(w, &h, sets, 2, NULL)->sync;
    assert_int_equal(reply->n_sets, 1);
    assert_int_equal(reply->sets[0]->code, SET_DUPLICATE);
    assert_int_equal(reply->n_outcomes, SET_CHANGES_MAX + 0);
    assert_int_equal(hand_sync(w, &h, &sets[1], 1, NULL)->sync->sets[0]->code, SET_ACCEPTED);
}

/* --- what is taken --- */

static void changes_that_wait_by_the_hundred_are_woken_by_one_set(void **state)
{
    enum { COUNT = 400 };
    struct world *w = *state;
    struct hand early, maker;
    hand_enrol(w, &maker, 1);
    hand_enrol(w, &early, 2);
    struct change *create = hand_many(w, COUNT, sizeof *create),
                  *amend = hand_many(w, COUNT, sizeof *amend);
    struct field(*f)[4] = hand_many(w, COUNT, sizeof *f), (*e)[3] = hand_many(w, COUNT, sizeof *e);
    for (unsigned i = 0; i < COUNT; i++) {
        struct id id = id_next(&w->registry->ids, env_system());
        f[i][0] = hand_ref(FIELD_UNIT, &w->commune);
        f[i][1] = hand_ref(FIELD_OFFICER, &maker.officer);
        f[i][2] = hand_text(NAME, arena_printf(&w->arena, "HTX %u", i));
        f[i][3] = hand_text(TYPE, "cooperative");
        create[i] = hand_change(&maker, KIND_PRODUCER, VERB_CREATE, id, f[i], 4);
        e[i][0] = hand_text(ADDRESS, arena_printf(&w->arena, "đường số %u", i * 7919 % 1000));
        e[i][1] = hand_text(PHONE, arena_printf(&w->arena, "09%08u", i * 104729 % 100000000));
        e[i][2] = hand_text(NOTES, arena_printf(&w->arena, "hẹn lại ngày %u", i % 28 + 1));
        amend[i] = hand_change(&early, KIND_PRODUCER, VERB_AMEND, id, e[i], 3);
    }
    hand_push(w, &early, amend, COUNT);
    assert_int_equal(world_count(w, "SELECT count(*) FROM waiting"), COUNT);
    hand_push(w, &maker, create, COUNT);
    assert_int_equal(world_count(w, "SELECT count(*) FROM waiting"), 0);
    assert_int_equal(
        world_count(w, "SELECT count(*) FROM producer WHERE notes LIKE 'hẹn lại ngày%'"), COUNT);
}

static void thousands_of_amendments_of_one_large_record_are_taken(void **state)
{
    enum { ANSWERS_COUNT = 200, COUNT = 3000 };
    struct world *w = *state;
    struct hand h;
    hand_enrol(w, &h, 1);
    struct id id = id_next(&w->registry->ids, env_system());
    struct field *v = hand_many(w, ANSWERS_COUNT + 6, sizeof *v);
    size_t n = 0;
    v[n++] = hand_ref(FIELD_UNIT, &w->commune);
    v[n++] = hand_ref(FIELD_OFFICER, &h.officer);
    v[n++] = hand_ref(10, &w->producer);
    v[n++] = hand_text(14, "planned");
    v[n++] = hand_text(17, "2026-07-01");
    v[n++] = hand_text(26, "pass");
    for (unsigned i = 0; i < ANSWERS_COUNT; i++) {
        char *p =
            arena_printf(&w->arena, "\n%cQ%04u\x12%cpass\x1a%c%-60s", 5, i, 4, 60, "nhắc nhở");
        v[n++] = (struct field){.number = ANSWERS,
                                .op = FIELD_SET,
                                .type = VALUE_ELEMENT,
                                .key = span_of(p + 2, 5),
                                .bytes = span_of(p, 7 + 6 + 62)};
    }
    struct change create = hand_change(&h, KIND_INSPECTION, VERB_CREATE, id, v, n);
    assert_int_equal(hand_push(w, &h, &create, 1)->n_outcomes, 0);
    struct change *amend = hand_many(w, COUNT, sizeof *amend);
    struct field *score = hand_many(w, COUNT, sizeof *score);
    for (int i = 0; i < COUNT; i++) {
        score[i] =
            (struct field){.number = SCORE, .op = FIELD_SET, .type = VALUE_INT, .i = i % 100};
        amend[i] = hand_change(&h, KIND_INSPECTION, VERB_AMEND, id, &score[i], 1);
    }
    hand_push(w, &h, amend, COUNT);
    assert_int_equal(world_count(w, "SELECT score FROM inspection"), (COUNT - 1) % 100);
}

/* A signed body that unpacks to more than any request may use: the same every time, so it is no
 * fault that passes. */
static void a_set_that_can_never_fit_is_told_so(void **state)
{
    struct world *w = *state;
    struct hand h;
    struct ocop_error err = {0};
    struct change_set peeked;
    uint8_t signature[SIGNATURE_LEN];
    hand_enrol(w, &h, 1);
    Ocop__Sync__ChangeSet set = OCOP__SYNC__CHANGE_SET__INIT;
    set.has_replica = set.has_seq = set.has_schema = 1;
    set.replica = (ProtobufCBinaryData){ID_LEN, h.replica.b};
    set.seq = set.schema = 1;
    size_t empty = SET_BODY_BYTES_MAX - 256;
    uint8_t *body = hand_many(w, SET_BODY_BYTES_MAX, 1);
    size_t len = ocop__sync__change_set__pack(&set, body);
    body[len++] = 10 << 3 | 2; /* ChangeSet.changes: empty columns, one after the other */
    for (size_t v = empty; v; v >>= 7)
        body[len++] = (uint8_t)((v & 127) | (v > 127 ? 128 : 0));
    for (size_t i = 0; i < empty; i += 2)
        body[len + i] = 11 << 3 | 2;
    len += empty;
    hand_must(changeset_peek(span_of(body, len), &w->arena, &peeked, &err), &err);
    assert_int_equal(crypto_sign_detached(signature, NULL, peeked.hash, HASH_LEN, h.sign.secret),
                     0);
    struct buf zipped;
    buf_init(&zipped, SET_BODY_BYTES_MAX);
    hand_must(zip_deflate(span_of(body, len), 9, &zipped, &err), &err);
    Ocop__Sync__Sealed sealed = OCOP__SYNC__SEALED__INIT, *sets[] = {&sealed};
    sealed.has_body = sealed.has_signature = 1;
    sealed.body = (ProtobufCBinaryData){zipped.len, zipped.p};
    sealed.signature = (ProtobufCBinaryData){SIGNATURE_LEN, signature};
    Ocop__Sync__Reply *reply = hand_sync(w, &h, sets, 1, NULL);
    assert_int_equal(reply->code, OCOP_OK);
    assert_int_equal(reply->sync->sets[0]->code, SET_TOO_LARGE);
    buf_fini(&zipped);
}

/* --- strangers and replays --- */

static void a_stranger_leaves_no_trace(void **state)
{
    struct world *w = *state;
    struct hand h;
    hand_new(w, &h, w->producer);
    struct field p[] = {hand_ref(FIELD_UNIT, &w->commune)};
    struct change c = hand_change(&h, KIND_PRODUCER, VERB_CREATE, h.replica, p, 1);
    Ocop__Sync__Sealed *set = hand_seal(w, &h, &c, 1);
    int changes = sqlite3_total_changes(w->registry->db);
    assert_int_equal(hand_sync(w, &h, &set, 1, NULL)->code, OCOP_ENOTENROLLED);
    assert_int_equal(sqlite3_total_changes(w->registry->db), changes);
}

/* A frame of 400 bytes that says "a set, a set, ..." 125,000 times. */
static void a_small_frame_of_many_messages_takes_little_memory(void **state)
{
    enum { JOBS = 64 };
    struct world *w = *state;
    struct hand h;
    struct noise n;
    struct rusage before, after;
    size_t len = 0, empty = 250000;
    uint8_t *m = hand_many(w, KIB(256), 1);
    hand_new(w, &h, w->producer);
    m[len++] = 2 << 3 | 2; /* Request.sync */
    for (size_t v = empty; v; v >>= 7)
        m[len++] = (uint8_t)((v & 127) | (v > 127 ? 128 : 0));
    for (size_t i = 0; i < empty; i += 2)
        m[len + i] = 5 << 3 | 2; /* SyncRequest.sets */
    struct span frame = hand_frame(w, &h, &n, span_of(m, len + empty));
    assert_true(frame.len < 1000);
    struct job *jobs = hand_many(w, JOBS, sizeof *jobs);
    for (size_t i = 0; i < JOBS; i++)
        jobs[i].frame = frame;
    assert_int_equal(getrusage(RUSAGE_SELF, &before), 0);
    exchange_batch(w->registry, &w->keys, jobs, JOBS);
    assert_int_equal(getrusage(RUSAGE_SELF, &after), 0);
    for (size_t i = 0; i < JOBS; i++) {
        assert_int_equal(jobs[i].status, OCOP_EPROTO);
        buf_fini(&jobs[i].reply);
    }
    assert_true(after.ru_maxrss - before.ru_maxrss < 200 * 1024); /* KiB */
    noise_fini(&n);
}

/* Invited before the backup, enrolled after it. */
static void enrol_over_a_backup(struct world *w, struct hand *h)
{
    struct invitation inv;
    world_enrol(w, 1);
    hand_new(w, h, w->officers[1]);
    hand_invite(w, h, &inv);
    world_backup(w);
    assert_int_equal(hand_redeem(w, h, &inv)->code, OCOP_OK);
    h->invitation = inv;
}

static void a_revoked_device_does_not_enrol_again_after_a_restore(void **state)
{
    struct world *w = *state;
    struct hand h;
    struct ocop_error err = {0};
    enrol_over_a_backup(w, &h);
    hand_must(registry_begin(w->registry, &err), &err);
    hand_must(device_state_set(w->registry, &w->keys, &h.replica, DEVICE_REVOKED, "mất máy", &err),
              &err);
    hand_must(registry_commit(w->registry, &err), &err);
    world_restore(w);
    assert_int_equal(hand_redeem(w, &h, &h.invitation)->code, OCOP_EREVOKED);
    Ocop__Sync__Sealed *set = hand_seal(w, &h, products(w, &h, &w->producer, 1), 1);
    assert_int_equal(hand_sync(w, &h, &set, 1, NULL)->sync->sets[0]->code, SET_REVOKED);
}

static void a_device_that_a_restore_lost_enrols_again_by_its_old_invitation(void **state)
{
    struct world *w = *state;
    struct hand h, other;
    enrol_over_a_backup(w, &h);
    world_restore(w);
    hand_new(w, &other, w->officers[1]);
    assert_int_equal(hand_redeem(w, &other, &h.invitation)->code, OCOP_ESTATE);
    assert_int_equal(hand_redeem(w, &h, &h.invitation)->code, OCOP_OK);
    hand_push(w, &h, products(w, &h, &w->producer, 1), 1);
}

static void an_invitation_that_may_have_been_used_is_closed(void **state)
{
    struct world *w = *state;
    struct hand h;
    char path[128];
    enrol_over_a_backup(w, &h);
    world_close_registry(w);
    snprintf(path, sizeof path, "%s/registry.db", w->dir);
    assert_int_equal(truncate(path, 100), 0); /* nobody can read what it knew */
    world_restore(w);
    assert_int_equal(hand_redeem(w, &h, &h.invitation)->code, OCOP_ESTATE);
}

static void a_replayed_request_moves_no_contact(void **state)
{
    struct world *w = *state;
    world_enrol(w, 1);
    world_inspect(w, 1, "pass");
    world_sync(w, 1);
    assert_int_equal(
        sqlite3_exec(w->registry->db,
                     "UPDATE contact SET last_ms = last_ms - 5, sum = row_sum(replica, last_ms - "
                     "5, skew_ms, waiting, schema, refused, exchange, program)",
                     NULL, NULL, NULL),
        SQLITE_OK);
    int64_t last = world_count(w, "SELECT max(last_ms) FROM contact");
    struct job job = {.frame = buf_span(&w->links[1].last)};
    exchange_batch(w->registry, &w->keys, &job, 1);
    buf_fini(&job.reply);
    assert_int_equal(world_count(w, "SELECT max(last_ms) FROM contact"), last);
}

static void a_device_without_a_clock_is_heard_all_the_same(void **state)
{
    struct world *w = *state;
    struct hand h;
    hand_enrol(w, &h, 1);
    Ocop__Sync__SyncRequest sync = OCOP__SYNC__SYNC_REQUEST__INIT;
    Ocop__Sync__Request request = OCOP__SYNC__REQUEST__INIT;
    request.sync = &sync;
    sync.has_replica = sync.has_device_time_ms = 1;
    sync.replica = (ProtobufCBinaryData){ID_LEN, h.replica.b};
    const int64_t times[] = {INT64_MIN, INT64_MAX, -1, 0};
    for (size_t i = 0; i < 4; i++) {
        Ocop__Sync__Sealed *set = hand_seal(w, &h, products(w, &h, &w->producer, 1), 1);
        sync.n_sets = 1;
        sync.sets = &set;
        sync.device_time_ms = times[i];
        assert_int_equal(hand_ask(w, &h, &request, &w->arena)->sync->sets[0]->code, SET_ACCEPTED);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)
        TEST(outcomes_that_come_late_come_page_by_page),
        TEST(no_further_set_is_taken_when_the_reply_has_enough_to_tell),
        TEST(changes_that_wait_by_the_hundred_are_woken_by_one_set),
        TEST(thousands_of_amendments_of_one_large_record_are_taken),
        TEST(a_set_that_can_never_fit_is_told_so),
        TEST(a_stranger_leaves_no_trace),
        TEST(a_small_frame_of_many_messages_takes_little_memory),
        TEST(a_revoked_device_does_not_enrol_again_after_a_restore),
        TEST(a_device_that_a_restore_lost_enrols_again_by_its_old_invitation),
        TEST(an_invitation_that_may_have_been_used_is_closed),
        TEST(a_replayed_request_moves_no_contact),
        TEST(a_device_without_a_clock_is_heard_all_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
