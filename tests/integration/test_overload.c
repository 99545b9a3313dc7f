/* More than the server can do at once, without a socket: what a batch leaves for later, who is told
 * to come back, and what a device makes of that. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bounds.h"
#include "fixed_env.h"
#include "frame.h"
#include "sync.pb-c.h"
#include "world.h"

/* What stands between the device and the server: it turns away, and what it waited is noted. */
struct gate {
    struct link link; /* first */
    struct world *world;
    uint32_t busy_ms; /* told to the next `turn_away` requests */
    bool crowded;
    unsigned let_in; /* so many first */
    unsigned turn_away, connects, pauses;
    size_t request_most, reply_most; /* bytes */
    int paused_ms[16];
    struct buf last; /* request */
};

struct fixture {
    struct world world;
    struct gate gate;
    struct fixed_env chance; /* of both ends, from here on */
};

static enum ocop_status gate_connect(struct link *l, int timeout_ms, const atomic_bool *cancel,
                                     struct ocop_error *err)
{
    (void)timeout_ms;
    (void)cancel;
    (void)err;
    ((struct gate *)l)->connects++;
    return OCOP_OK;
}

static enum ocop_status gate_exchange(struct link *l, struct span request, int timeout_ms,
                                      const atomic_bool *cancel, struct buf *reply,
                                      struct ocop_error *err)
{
    struct gate *g = (struct gate *)l;
    struct job job = {.frame = request, .crowded = g->crowded};
    (void)timeout_ms;
    (void)cancel;
    (void)err;
    buf_clear(&g->last);
    buf_put(&g->last, request.p, request.len);
    if (g->let_in) {
        g->let_in--;
    } else if (g->turn_away) {
        g->turn_away--;
        job.busy_ms = g->busy_ms;
    }
    exchange_batch(g->world->registry, &g->world->keys, &job, 1);
    assert_false(job.later);
    g->request_most = request.len > g->request_most ? request.len : g->request_most;
    g->reply_most = job.reply.len > g->reply_most ? job.reply.len : g->reply_most;
    buf_put(reply, job.reply.p, job.reply.len);
    buf_fini(&job.reply);
    return OCOP_OK;
}

static enum ocop_status gate_pause(struct link *l, int ms, const atomic_bool *cancel,
                                   struct ocop_error *err)
{
    struct gate *g = (struct gate *)l;
    (void)cancel;
    (void)err;
    assert_true(g->pauses < sizeof g->paused_ms / sizeof *g->paused_ms);
    g->paused_ms[g->pauses++] = ms;
    return OCOP_OK;
}

static void gate_close(struct link *l)
{
    (void)l;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    char path[128];
    *state = f;
    world_open(&f->world);
    world_enrol(&f->world, 0);
    f->gate = (struct gate){.link = {.connect = gate_connect,
                                     .exchange = gate_exchange,
                                     .close = gate_close,
                                     .pause = gate_pause},
                            .world = &f->world,
                            .busy_ms = 7000};
    buf_init(&f->gate.last, FRAME_BYTES_MAX);
    world_sync(&f->world, 0);
    fixed_env_init(&f->chance, 7);
    f->world.registry->env = &f->chance.env;
    ocop_close(f->world.stores[0]);
    struct ocop_options options = {
        .must_exist = true, .env = &f->chance.env, .link = &f->gate.link};
    snprintf(path, sizeof path, "%s/0.ocop", f->world.dir);
    assert_int_equal(ocop_open(path, &options, &f->world.stores[0], NULL), OCOP_OK);
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    world_close(&f->world);
    buf_fini(&f->gate.last);
    free(f);
    return 0;
}

/* --- turned away ----------------------------------------------------------------------------- */

static void a_device_that_is_turned_away_knows_when_to_come_back_and_has_lost_nothing(void **state)
{
    enum { TIMES = 200 };
    struct fixture *f = *state;
    struct world *w = &f->world;
    struct ocop_sync_summary sum;
    struct ocop_error err;
    int low = INT32_MAX, high = 0;
    world_inspect(w, 0, "pass");
    const int64_t log = world_count(w, "SELECT count(*) FROM log");
    for (int i = 0; i < TIMES; i++) {
        f->gate.turn_away = 1;
        assert_int_equal(ocop_sync(w->stores[0], NULL, &sum, &err), OCOP_EBUSY);
        assert_int_equal(sum.left, 1);
        assert_int_equal(sum.pushed, 0);
        assert_false(sum.complete);
        assert_in_range(sum.retry_after_ms, 7000, 13999);
        low = sum.retry_after_ms < low ? sum.retry_after_ms : low;
        high = sum.retry_after_ms > high ? sum.retry_after_ms : high;
    }
    assert_true(low < 7700 && high > 13300); /* they do not come back together */
    assert_int_equal(f->gate.pauses, 0);     /* no patience was asked for */
    assert_int_equal(world_count(w, "SELECT count(*) FROM log"), log);
    sum = world_sync(w, 0);
    assert_int_equal(sum.applied, 1);
    assert_int_equal(sum.retry_after_ms, 0);
}

static void a_patient_device_waits_as_it_is_told_and_longer_each_time(void **state)
{
    struct fixture *f = *state;
    struct world *w = &f->world;
    const struct ocop_sync_options patient = {.patience_ms = 3600000};
    struct ocop_sync_summary sum;
    struct ocop_error err;
    world_inspect(w, 0, "pass");
    f->gate.turn_away = 6;
    assert_int_equal(ocop_sync(w->stores[0], &patient, &sum, &err), OCOP_OK);
    assert_true(sum.complete);
    assert_int_equal(sum.applied, 1);
    assert_int_equal(sum.left, 0);
    assert_int_equal(sum.busy, 6);
    assert_int_equal(sum.retry_after_ms, 0);
    assert_int_equal(f->gate.pauses, 6);
    assert_int_equal(f->gate.connects, 7); /* it did not keep its connection meanwhile */
    assert_in_range(f->gate.paused_ms[0], 7000, 13999);
    for (int i = 1, times = 2; i < 6; i++, times = times < 16 ? times * 2 : times)
        assert_in_range(f->gate.paused_ms[i], 7000, 14000 + times * 14000);
    int longest = 0;
    for (int i = 1; i < 6; i++)
        longest = f->gate.paused_ms[i] > longest ? f->gate.paused_ms[i] : longest;
    assert_true(longest > 28000);
}

/* Contents come after the records, and who is patient is so to the end. */
static void who_is_turned_away_with_files_waits_as_well(void **state)
{
    static const uint8_t bytes[FILE_CHUNK_BYTES] = {0xff, 0xd8, 0xff};
    struct fixture *f = *state;
    struct world *w = &f->world;
    const struct ocop_attachment photo = {.bytes = bytes, .len = sizeof bytes, .role = "photo"};
    const struct ocop_sync_options patient = {.patience_ms = 3600000};
    struct ocop_sync_summary sum;
    struct ocop_error err;
    struct ocop_id record = world_inspect(w, 0, "pass"), id;
    assert_int_equal(ocop_attach(w->stores[0], &record, &photo, &id, &err), OCOP_OK);
    assert_int_equal(
        ocop_sync(w->stores[0], &(struct ocop_sync_options){.files = OCOP_FILES_NONE}, NULL, &err),
        OCOP_OK);
    f->gate.let_in = 1; /* the records' */
    f->gate.turn_away = 1;
    assert_int_equal(ocop_sync(w->stores[0], NULL, &sum, &err), OCOP_EBUSY);
    assert_in_range(sum.retry_after_ms, 7000, 13999);
    f->gate.let_in = 2;
    f->gate.turn_away = 2;
    f->gate.connects = 0;
    assert_int_equal(ocop_sync(w->stores[0], &patient, &sum, &err), OCOP_OK);
    assert_int_equal(sum.files_sent, 1);
    assert_int_equal(sum.busy, 2);
    assert_int_equal(f->gate.pauses, 2);
    assert_int_equal(f->gate.connects, 3);
    assert_int_equal(sum.retry_after_ms, 0);
}

static void patience_ends_and_what_is_said_then_is_true(void **state)
{
    enum { PATIENCE_MS = 100000 };
    struct fixture *f = *state;
    struct world *w = &f->world;
    const struct ocop_sync_options patient = {.patience_ms = PATIENCE_MS};
    struct ocop_sync_summary sum;
    struct ocop_error err;
    int waited = 0;
    world_inspect(w, 0, "pass");
    f->gate.turn_away = 1000;
    assert_int_equal(ocop_sync(w->stores[0], &patient, &sum, &err), OCOP_EBUSY);
    for (unsigned i = 0; i < f->gate.pauses; i++)
        waited += f->gate.paused_ms[i];
    assert_in_range(waited, 7000, PATIENCE_MS);
    assert_int_equal(sum.busy, f->gate.pauses);
    assert_true(sum.retry_after_ms + waited > PATIENCE_MS);
    assert_int_equal(sum.left, 1);
    assert_false(sum.complete);
    assert_non_null(strstr(err.text, "come back later (in "));
    f->gate.turn_away = 0;
    assert_int_equal(world_sync(w, 0).applied, 1);
}

/* An import may hold the registry for long; who is turned away does not wait for it. */
static void to_be_turned_away_needs_no_registry(void **state)
{
    struct fixture *f = *state;
    struct world *w = &f->world;
    struct ocop_error err;
    sqlite3 *other;
    world_inspect(w, 0, "pass");
    assert_int_equal(sqlite3_open(sqlite3_db_filename(w->registry->db, "main"), &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    f->gate.turn_away = 1;
    assert_int_equal(ocop_sync(w->stores[0], NULL, NULL, &err), OCOP_EBUSY);
    assert_non_null(strstr(err.text, "serves many devices"));
    assert_int_equal(sqlite3_close(other), SQLITE_OK);
    assert_int_equal(world_sync(w, 0).applied, 1);
}

/* --- one of many ----------------------------------------------------------------------------- */

enum { MANY = 64, RECORDS = 100, NOTES = 4000 };

/* Records whose notes are as good as random. */
static void record_at_length(struct fixture *f, unsigned n)
{
    static const char digits[] = "0123456789abcdef";
    for (int i = 0; i < RECORDS; i++) {
        struct ocop_id id = world_inspect(&f->world, n, "pass");
        char notes[NOTES + 8] = "notes=";
        uint8_t random[NOTES];
        env_random(&f->chance.env, random, sizeof random);
        for (int k = 6; k < NOTES; k++)
            notes[k] = digits[random[k] & 15];
        world_amend(&f->world, n, id, notes);
    }
}

static void one_of_many_sends_and_reads_less_at_once_and_all_the_same(void **state)
{
    struct fixture *f = *state;
    struct world *w = &f->world;
    size_t request_most[2], reply_most[2];
    world_enrol(w, 1);
    for (int crowded = 0; crowded < 2; crowded++) {
        record_at_length(f, 1);
        world_sync(w, 1);
        record_at_length(f, 0);
        f->gate.crowded = crowded;
        f->gate.request_most = f->gate.reply_most = 0;
        world_sync(w, 0);
        request_most[crowded] = f->gate.request_most;
        reply_most[crowded] = f->gate.reply_most;
        assert_int_equal(world_count(w, "SELECT count(*) FROM inspection"),
                         2 * RECORDS * (crowded + 1));
    }
    assert_in_range(request_most[0], 2 * CROWD_SET_BYTES, REQUEST_BYTES_MAX);
    f->gate.request_most = 0;
    record_at_length(f, 0); /* the first set of before was sealed before it was told */
    world_sync(w, 0);
    assert_in_range(f->gate.request_most, CROWD_SET_BYTES / 2, CROWD_SET_BYTES + 2048);
    assert_in_range(reply_most[1], CROWD_PAGE_BYTES,
                    4 * CROWD_PAGE_BYTES); /* before it is deflated */
    assert_true(reply_most[0] > 2 * reply_most[1]);
    f->gate.crowded = false;
    f->gate.request_most = 0;
    record_at_length(f, 0);
    world_sync(w, 0);
    assert_in_range(f->gate.request_most, 2 * CROWD_SET_BYTES, REQUEST_BYTES_MAX);
}

/* --- what a batch has room for --------------------------------------------------------------- */

/* Answer all, batch after batch. @return of the first: how many were answered */
static size_t answer_all(struct world *w, struct job *jobs, size_t count, size_t *batches)
{
    size_t first = 0, left = count;
    for (*batches = 0; left > 0; ++*batches) {
        size_t kept = 0;
        exchange_batch(w->registry, &w->keys, jobs, left);
        for (size_t i = 0; i < left; i++) {
            if (jobs[i].later) {
                assert_int_equal(jobs[i].reply.len, 0);
                jobs[kept++] = (struct job){.frame = jobs[i].frame};
            } else {
                assert_true(jobs[i].reply.len > 0);
                first += *batches == 0;
            }
            buf_fini(&jobs[i].reply);
        }
        assert_true(kept < left); /* each batch gets on */
        left = kept;
    }
    return first;
}

/* A sync that says much in few bytes: its cursor has 200 KiB of zeros. */
static void bomb(struct world *w, struct buf *frame)
{
    static uint8_t zeros[200 * 1024], packed[201 * 1024];
    Ocop__Sync__Request request = OCOP__SYNC__REQUEST__INIT;
    Ocop__Sync__SyncRequest sync = OCOP__SYNC__SYNC_REQUEST__INIT;
    struct channel_key own;
    struct noise n = {0};
    struct ocop_error err = {0};
    channel_key_new(&own, env_system());
    request.sync = &sync;
    sync.has_replica = 1;
    sync.replica = (ProtobufCBinaryData){sizeof zeros, zeros};
    const size_t len = ocop__sync__request__pack(&request, packed);
    assert_int_equal(frame_seal_request(&n, env_system(), &own, w->keys.channel[0].public_key,
                                        span_of(packed, len), frame, &err),
                     OCOP_OK);
    noise_fini(&n);
}

static void requests_of_a_batch_share_the_memory_that_they_are_decoded_into(void **state)
{
    enum { COUNT = BATCH_REQUESTS_MAX, EACH = 2 * 200 * 1024 /* inflated, and its bytes copied */ };
    struct fixture *f = *state;
    static struct job jobs[COUNT];
    struct buf frame;
    size_t batches;
    buf_init(&frame, FRAME_BYTES_MAX);
    bomb(&f->world, &frame);
    assert_true(frame.len < 1000);
    for (size_t i = 0; i < COUNT; i++)
        jobs[i] = (struct job){.frame = buf_span(&frame)};
    const size_t first = answer_all(&f->world, jobs, COUNT, &batches);
    assert_in_range(first * EACH, BATCH_OPENED_BYTES_MAX / 2, BATCH_OPENED_BYTES_MAX);
    assert_in_range(batches, COUNT / first, COUNT / first + 1);
    buf_fini(&frame);
}

/* A request whose reply has RECORDS with NOTES. */
static void large_reply(struct fixture *f, struct buf *request)
{
    struct world *w = &f->world;
    world_enrol(w, 1);
    world_sync(w, 0);
    buf_init(request, FRAME_BYTES_MAX); /* as long as nothing is there to be sent */
    buf_put(request, f->gate.last.p, f->gate.last.len);
    record_at_length(f, 1);
    world_sync(w, 1);
}

static void replies_of_a_batch_share_their_memory_and_all_are_sent_in_the_end(void **state)
{
    struct fixture *f = *state;
    static struct job jobs[MANY];
    struct buf request;
    size_t batches;
    large_reply(f, &request);
    for (size_t i = 0; i < MANY; i++)
        jobs[i] = (struct job){.frame = buf_span(&request)};
    const size_t first = answer_all(&f->world, jobs, MANY, &batches);
    assert_in_range(first * RECORDS * NOTES, BATCH_REPLY_BYTES_ENOUGH,
                    2 * BATCH_REPLY_BYTES_ENOUGH);
    assert_in_range(batches, 2, MANY / first + 1);
    buf_fini(&request);
}

static int refuse(void *self)
{
    return ++*(int *)self;
}

static void what_is_left_for_later_is_not_answered_when_the_commit_fails(void **state)
{
    struct fixture *f = *state;
    struct world *w = &f->world;
    static struct job jobs[MANY];
    struct buf request;
    size_t busy = 0, later = 0;
    int commits = 0;
    large_reply(f, &request);
    world_inspect(w, 0, "pass");
    f->gate.turn_away = 1;
    assert_int_equal(ocop_sync(w->stores[0], NULL, NULL, NULL), OCOP_EBUSY);
    for (size_t i = 0; i < MANY; i++) /* the first one writes */
        jobs[i] = (struct job){.frame = i ? buf_span(&request) : buf_span(&f->gate.last)};
    (void)sqlite3_commit_hook(w->registry->db, refuse, &commits);
    exchange_batch(w->registry, &w->keys, jobs, MANY);
    (void)sqlite3_commit_hook(w->registry->db, NULL, NULL);
    assert_int_equal(commits, 1);
    for (size_t i = 0; i < MANY; i++) {
        assert_true(jobs[i].later == (jobs[i].reply.len == 0));
        assert_true(jobs[i].later || jobs[i].status == OCOP_EBUSY);
        busy += !jobs[i].later;
        later += jobs[i].later;
        buf_fini(&jobs[i].reply);
    }
    assert_true(busy > 0 && later > 0);
    assert_int_equal(world_sync(w, 0).applied, 1);
    buf_fini(&request);
}

static void who_is_turned_away_takes_no_turn_of_others(void **state)
{
    enum { COUNT = 5 };
    struct fixture *f = *state;
    struct world *w = &f->world;
    struct job jobs[COUNT] = {{.busy_ms = 0}};
    world_inspect(w, 0, "pass");
    f->gate.turn_away = 1;
    assert_int_equal(ocop_sync(w->stores[0], NULL, NULL, NULL), OCOP_EBUSY);
    for (size_t i = 0; i < COUNT; i++)
        jobs[i] = (struct job){.frame = buf_span(&f->gate.last), .busy_ms = i % 2 ? 5000 : 0};
    exchange_batch(w->registry, &w->keys, jobs, COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(jobs[i].status, i % 2 ? OCOP_EBUSY : OCOP_OK);
        assert_false(jobs[i].later);
        assert_true(jobs[i].reply.len > 0);
        assert_int_equal(jobs[i].sets, i % 2 ? 0 : 1);
        buf_fini(&jobs[i].reply);
    }
    assert_int_equal(world_count(w, "SELECT count(*) FROM inspection"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        TEST(a_device_that_is_turned_away_knows_when_to_come_back_and_has_lost_nothing),
        TEST(a_patient_device_waits_as_it_is_told_and_longer_each_time),
        TEST(who_is_turned_away_with_files_waits_as_well),
        TEST(patience_ends_and_what_is_said_then_is_true),
        TEST(one_of_many_sends_and_reads_less_at_once_and_all_the_same),
        TEST(to_be_turned_away_needs_no_registry),
        TEST(requests_of_a_batch_share_the_memory_that_they_are_decoded_into),
        TEST(replies_of_a_batch_share_their_memory_and_all_are_sent_in_the_end),
        TEST(what_is_left_for_later_is_not_answered_when_the_commit_fails),
        TEST(who_is_turned_away_takes_no_turn_of_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
