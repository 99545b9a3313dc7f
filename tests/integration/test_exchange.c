/* Devices and the registry together, without a socket: what design sections 7 and 8 promise. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>

#include "bounds.h"
#include "cases.h"
#include "crew.h"
#include "frame.h"
#include "invitation.h"
#include "peers.h"
#include "sync.pb-c.h"
#include "world.h"

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    *state = w;
    world_open(w);
    world_enrol(w, 0);
    world_enrol(w, 1);
    return 0;
}

/* The same with threads and a memory of devices: no answer may differ. */
static int setup_with_help(void **state)
{
    struct world *w;
    setup(state);
    w = *state;
    assert_int_equal(crew_open(3, &w->registry->crew, NULL), OCOP_OK);
    assert_int_equal(peers_open(&w->registry->peers, NULL), OCOP_OK);
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    crew_close(w->registry->crew);
    peers_close(w->registry->peers);
    world_close(w);
    free(*state);
    return 0;
}

static void a_new_inspection_reaches_the_registry_in_one_round_trip(void **state)
{
    struct world *w = *state;
    struct ocop_id id = world_inspect(w, 0, "pass");
    struct ocop_sync_summary s = world_sync(w, 0);
    assert_int_equal(s.round_trips, 1);
    assert_int_equal(s.applied, 1);
    assert_string_equal(world_value(w, "inspection", id, "conclusion"), "\"pass\"");
    s = world_sync(w, 1);
    assert_int_equal(s.pulled, 1);
    s = world_sync(w, 0);
    assert_int_equal(s.pulled, 0); /* its own does not come back */
}

static void edits_of_different_fields_both_apply(void **state)
{
    struct world *w = *state;
    struct ocop_id id = world_inspect(w, 1, "pass");
    world_sync(w, 1);
    world_sync(w, 0);
    world_amend(w, 1, id, "conclusion=fail");
    world_amend(w, 0, id, "score=10");
    world_sync(w, 1);
    world_sync(w, 0);
    assert_string_equal(world_value(w, "inspection", id, "conclusion"), "\"fail\"");
    assert_string_equal(world_value(w, "inspection", id, "score"), "10");
    assert_int_equal(world_count(w, "SELECT count(*) FROM cases"), 0);
}

/* Only central staff may amend another's record: the editors are its author (1) and a reconciler.
 */
static struct ocop_id contradicted(struct world *w)
{
    struct ocop_id id = world_inspect(w, 1, "pass");
    world_sync(w, 1);
    world_sync(w, 0);
    world_amend(w, 1, id, "conclusion=fail");
    world_amend(w, 0, id, "conclusion=conditional");
    world_sync(w, 1);
    struct ocop_sync_summary s = world_sync(w, 0);
    assert_int_equal(s.in_case, 1);
    return id;
}

static void two_results_for_one_field_open_a_case_with_base_theirs_and_mine(void **state)
{
    struct world *w = *state;
    struct ocop_id id = contradicted(w);
    assert_string_equal(world_value(w, "inspection", id, "conclusion"), "\"fail\"");
    assert_int_equal(world_count(w, "SELECT count(*) FROM cases WHERE base = '\"pass\"' AND"
                                    " theirs = '\"fail\"' AND mine = '\"conditional\"'"),
                     1);
    struct ocop_record_status *status;
    assert_int_equal(ocop_record_status(w->stores[0], &id, &status, NULL), OCOP_OK);
    assert_int_equal(status->state, OCOP_IN_CASE);
    assert_int_equal(status->case_count, 1);
    assert_string_equal(status->cases[0].mine, "\"conditional\"");
    ocop_record_status_free(status);
}

static void a_resolution_travels_to_the_devices(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct ocop_id id = contradicted(w);
    struct id c = world_case(w);
    assert_int_equal(
        case_resolve(w->registry, &w->keys, &c, TAKE_MINE, NULL, "hội đồng", &w->officers[1], &err),
        OCOP_EPERM); /* an inspector is no reconciler */
    if (case_resolve(w->registry, &w->keys, &c, TAKE_MINE, NULL, "hội đồng", &w->officers[0],
                     &err) != OCOP_OK)
        fail_msg("%s", err.text);
    assert_int_equal(
        case_resolve(w->registry, &w->keys, &c, TAKE_THEIRS, NULL, "lại", &w->officers[0], &err),
        OCOP_ESTATE);
    assert_string_equal(world_value(w, "inspection", id, "conclusion"), "\"conditional\"");
    for (unsigned n = 0; n < 2; n++) {
        struct ocop_record_status *status;
        world_sync(w, n);
        assert_int_equal(ocop_record_status(w->stores[n], &id, &status, NULL), OCOP_OK);
        assert_int_not_equal(status->state, OCOP_IN_CASE);
        ocop_record_status_free(status);
    }
}

static void a_repeated_exchange_changes_nothing(void **state)
{
    struct world *w = *state;
    uint8_t before[HASH_LEN], after[HASH_LEN];
    w->links[0].repeat = w->links[1].repeat = true;
    contradicted(w);
    assert_int_equal(world_count(w, "SELECT count(*) FROM cases"), 1);
    assert_int_equal(registry_dump(w->registry, NULL, NULL, before, NULL), OCOP_OK);
    int changes = sqlite3_total_changes(w->registry->db);
    for (int i = 0; i < 3; i++) {
        struct job job = {.frame = buf_span(&w->links[i % 2].last)};
        exchange_batch(w->registry, &w->keys, &job, 1);
        assert_int_equal(job.status, OCOP_OK);
        buf_fini(&job.reply);
    }
    assert_int_equal(sqlite3_total_changes(w->registry->db), changes);
    assert_int_equal(registry_dump(w->registry, NULL, NULL, after, NULL), OCOP_OK);
    assert_memory_equal(before, after, HASH_LEN);
}

static void a_lost_reply_loses_nothing(void **state)
{
    struct world *w = *state;
    struct ocop_id id = world_inspect(w, 0, "pass");
    w->links[0].drop_reply = 1;
    assert_int_equal(ocop_sync(w->stores[0], NULL, NULL, NULL), OCOP_ETIMEOUT);
    struct ocop_record_status *status;
    assert_int_equal(ocop_record_status(w->stores[0], &id, &status, NULL), OCOP_OK);
    assert_int_equal(status->state, OCOP_WAITING); /* never shown as synced before it is known */
    ocop_record_status_free(status);
    int64_t log = world_count(w, "SELECT count(*) FROM log");
    world_sync(w, 0);
    assert_int_equal(world_count(w, "SELECT count(*) FROM log"), log);
    assert_int_equal(ocop_record_status(w->stores[0], &id, &status, NULL), OCOP_OK);
    assert_int_equal(status->state, OCOP_ACCEPTED);
    ocop_record_status_free(status);
}

static void a_lost_request_is_sent_again(void **state)
{
    struct world *w = *state;
    world_inspect(w, 0, "pass");
    w->links[0].drop_request = 1;
    assert_int_equal(ocop_sync(w->stores[0], NULL, NULL, NULL), OCOP_ETIMEOUT);
    assert_int_equal(world_count(w, "SELECT count(*) FROM inspection"), 0);
    world_sync(w, 0);
    assert_int_equal(world_count(w, "SELECT count(*) FROM inspection"), 1);
}

static void requests_that_arrive_together_share_one_commit(void **state)
{
    struct world *w = *state;
    struct job jobs[2] = {{.reply = {0}}, {.reply = {0}}};
    for (unsigned n = 0; n < 2; n++) {
        world_inspect(w, n, "pass");
        w->links[n].drop_request = 1;
        assert_int_equal(ocop_sync(w->stores[n], NULL, NULL, NULL), OCOP_ETIMEOUT);
        jobs[n].frame = buf_span(&w->links[n].last);
    }
    exchange_batch(w->registry, &w->keys, jobs, 2);
    assert_int_equal(world_count(w, "SELECT count(*) FROM inspection"), 2);
    for (unsigned n = 0; n < 2; n++) {
        assert_int_equal(jobs[n].status, OCOP_OK);
        buf_fini(&jobs[n].reply);
    }
}

static void garbage_gets_no_answer_and_leaves_its_neighbours_alone(void **state)
{
    struct world *w = *state;
    static const uint8_t garbage[200] = {1, 2, 3};
    struct job jobs[2] = {{.frame = {garbage, sizeof garbage}}, {.reply = {0}}};
    world_inspect(w, 0, "pass");
    w->links[0].drop_request = 1;
    assert_int_equal(ocop_sync(w->stores[0], NULL, NULL, NULL), OCOP_ETIMEOUT);
    jobs[1].frame = buf_span(&w->links[0].last);
    exchange_batch(w->registry, &w->keys, jobs, 2);
    assert_int_not_equal(jobs[0].status, OCOP_OK);
    assert_int_equal(jobs[1].status, OCOP_OK);
    assert_int_equal(world_count(w, "SELECT count(*) FROM inspection"), 1);
    buf_fini(&jobs[0].reply);
    buf_fini(&jobs[1].reply);
}

static void a_revoked_device_is_told_and_its_work_is_kept_aside(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct ocop_store_status s;
    struct id replica;
    assert_int_equal(ocop_store_status(w->stores[1], &s, NULL), OCOP_OK);
    memcpy(replica.b, s.replica.b, ID_LEN);
    assert_int_equal(registry_begin(w->registry, &err), OCOP_OK);
    assert_int_equal(
        device_state_set(w->registry, &w->keys, &replica, DEVICE_REVOKED, "mất máy", &err),
        OCOP_OK);
    assert_int_equal(registry_commit(w->registry, &err), OCOP_OK);
    world_inspect(w, 1, "pass");
    assert_int_equal(ocop_sync(w->stores[1], NULL, NULL, &err), OCOP_EREVOKED);
    assert_int_equal(world_count(w, "SELECT count(*) FROM inspection"), 0);
    assert_int_equal(world_count(w, "SELECT count(*) FROM quarantine"), 1);
}

static void a_failing_disk_is_never_a_refusal(void **state)
{
    struct world *w = *state;
    struct ocop_id id = world_inspect(w, 0, "pass");
    int64_t pages = world_count(w, "PRAGMA page_count");
    char sql[64];
    snprintf(sql, sizeof sql, "PRAGMA max_page_count = %lld", (long long)pages);
    world_count(w, sql);
    for (int i = 0; i < 400; i++)
        world_inspect(w, 0, "pass");
    assert_int_equal(ocop_sync(w->stores[0], NULL, NULL, NULL), OCOP_EBUSY);
    world_count(w, "PRAGMA max_page_count = 1073741823");
    world_sync(w, 0);
    assert_int_equal(world_count(w, "SELECT count(*) FROM inspection"), 401);
    struct ocop_record_status *status;
    assert_int_equal(ocop_record_status(w->stores[0], &id, &status, NULL), OCOP_OK);
    assert_int_equal(status->state, OCOP_ACCEPTED);
    ocop_record_status_free(status);
}

/* --- what fails by our fault, beside a neighbour in the same transaction --- */

static ProtobufCBinaryData bytes_of(void *p, size_t len)
{
    return (ProtobufCBinaryData){len, p};
}

/* A new device's request to enrol, good but for the name perhaps. */
static void enrol_request(struct world *w, char *name, struct buf *frame)
{
    struct ocop_error err = {0};
    const char *code;
    struct invitation invitation;
    Ocop__Sync__Request request = OCOP__SYNC__REQUEST__INIT;
    Ocop__Sync__EnrolRequest enrol = OCOP__SYNC__ENROL_REQUEST__INIT;
    struct id replica = {{9}};
    struct channel_key channel;
    struct noise n;
    uint8_t sign[SIGN_PUBLIC_LEN] = {1}, packed[512];
    struct invitation_terms terms = {.officer = w->officers[0],
                                     .scope = &w->commune,
                                     .scope_count = 1,
                                     .address = "tcp://127.0.0.1:1",
                                     .expires_ms = env_now_ms(env_system()) + 60000};
    assert_int_equal(registry_begin(w->registry, &err), OCOP_OK);
    assert_int_equal(invite_make(w->registry, &w->keys, &terms, &w->arena, &code, &err), OCOP_OK);
    assert_int_equal(registry_commit(w->registry, &err), OCOP_OK);
    assert_int_equal(invitation_decode(code, &invitation, &err), OCOP_OK);
    enrol.has_token = enrol.has_replica = enrol.has_sign_key = 1;
    enrol.token = bytes_of(invitation.token, invitation.token_len);
    enrol.replica = bytes_of(replica.b, ID_LEN);
    enrol.sign_key = bytes_of(sign, sizeof sign);
    enrol.name = name;
    request.enrol = &enrol;
    assert_true(ocop__sync__request__get_packed_size(&request) <= sizeof packed);
    channel_key_new(&channel, env_system());
    buf_init(frame, FRAME_BYTES_MAX);
    assert_int_equal(frame_seal_request(
                         &n, env_system(), &channel, w->keys.channel[0].public_key,
                         span_of(packed, ocop__sync__request__pack(&request, packed)), frame, &err),
                     OCOP_OK);
    noise_fini(&n);
}

/* A device's request that was not delivered. */
static struct span sync_request(struct world *w, unsigned n)
{
    w->links[n].drop_request = 1;
    assert_int_equal(ocop_sync(w->stores[n], NULL, NULL, NULL), OCOP_ETIMEOUT);
    return buf_span(&w->links[n].last);
}

static void run_sql(struct world *w, const char *sql)
{
    assert_int_equal(sqlite3_exec(w->registry->db, sql, NULL, NULL, NULL), SQLITE_OK);
}

static const char fail_invitation[] =
    "CREATE TEMP TRIGGER fault BEFORE UPDATE ON main.invitation BEGIN"
    " SELECT RAISE(ABORT, 'fault'); END";
static const char fail_contact[] = "CREATE TEMP TRIGGER fault BEFORE INSERT ON main.contact BEGIN"
                                   " SELECT RAISE(ABORT, 'fault'); END";
static const char fail_second_set[] =
    "CREATE TEMP TRIGGER fault BEFORE INSERT ON main.log WHEN NEW.seq = 2 BEGIN"
    " SELECT RAISE(ABORT, 'fault'); END";

static void a_failed_enrolment_leaves_nothing_for_its_neighbour_to_commit(void **state)
{
    struct world *w = *state;
    struct {
        const char *fault;
        char name[8];
        enum ocop_status want;
    } cases[] = {{fail_invitation, "may", OCOP_EBUSY}, {NULL, "\xff", OCOP_EINVAL}};
    for (size_t i = 0; i < 2; i++) {
        struct buf frame;
        struct job jobs[2] = {{.reply = {0}}, {.reply = {0}}};
        enrol_request(w, cases[i].name, &frame);
        world_inspect(w, 1, "pass");
        jobs[0].frame = buf_span(&frame);
        jobs[1].frame = sync_request(w, 1);
        int64_t log = world_count(w, "SELECT count(*) FROM log");
        int64_t replicas = world_count(w, "SELECT count(*) FROM replica");
        if (cases[i].fault)
            run_sql(w, cases[i].fault);
        exchange_batch(w->registry, &w->keys, jobs, 2);
        if (cases[i].fault)
            run_sql(w, "DROP TRIGGER fault");
        assert_int_equal(jobs[0].status, cases[i].want);
        assert_int_equal(jobs[1].status, OCOP_OK);
        assert_int_equal(world_count(w, "SELECT count(*) FROM log"), log + 1);
        assert_int_equal(world_count(w, "SELECT count(*) FROM replica"), replicas);
        buf_fini(&jobs[0].reply);
        buf_fini(&jobs[1].reply);
        world_sync(w, 1);
        buf_fini(&frame);
    }
    assert_int_equal(world_count(w, "SELECT count(*) FROM inspection"), 2);
}

static void a_failed_sync_leaves_nothing_for_its_neighbour_to_commit(void **state)
{
    struct world *w = *state;
    char name[] = "may";
    struct buf frame;
    struct job jobs[2] = {{.reply = {0}}, {.reply = {0}}};
    enrol_request(w, name, &frame);
    world_inspect(w, 1, "pass");
    jobs[0].frame = sync_request(w, 1);
    jobs[1].frame = buf_span(&frame);
    int64_t replicas = world_count(w, "SELECT count(*) FROM replica");
    run_sql(w, fail_contact);
    exchange_batch(w->registry, &w->keys, jobs, 2);
    run_sql(w, "DROP TRIGGER fault");
    assert_int_equal(jobs[0].status, OCOP_EBUSY);
    assert_int_equal(jobs[1].status, OCOP_OK);
    assert_int_equal(world_count(w, "SELECT count(*) FROM inspection"), 0);
    assert_int_equal(world_count(w, "SELECT count(*) FROM replica"), replicas + 1);
    buf_fini(&jobs[0].reply);
    buf_fini(&jobs[1].reply);
    buf_fini(&frame);
    world_sync(w, 1);
    assert_int_equal(world_count(w, "SELECT count(*) FROM inspection"), 1);
}

static void what_was_taken_before_a_failing_set_stands(void **state)
{
    struct world *w = *state;
    struct job job = {.reply = {0}};
    struct ocop_error err;
    for (int i = 0; i < 2; i++) { /* two unacknowledged sets */
        world_inspect(w, 1, "pass");
        sync_request(w, 1);
    }
    run_sql(w, fail_second_set);
    w->links[1].drop_reply = 1;
    assert_int_equal(ocop_sync(w->stores[1], NULL, NULL, &err), OCOP_ETIMEOUT);
    run_sql(w, "DROP TRIGGER fault");
    assert_int_equal(world_count(w, "SELECT count(*) FROM inspection"), 1);
    job.frame = buf_span(&w->links[1].last);
    exchange_batch(w->registry, &w->keys, &job, 1);
    assert_int_equal(job.status, OCOP_OK);
    assert_int_equal(job.sets, 2);
    buf_fini(&job.reply);
    assert_int_equal(world_count(w, "SELECT count(*) FROM inspection"), 2);
    assert_int_equal(world_sync(w, 1).applied, 2);
}

/* --- devices are remembered, strangers are not --- */

static bool remembered(struct world *w, const uint8_t peer[CHANNEL_KEY_LEN])
{
    const struct noise_known *known = peers_known(w->registry->peers);
    uint8_t shared[CHANNEL_KEY_LEN];
    return known->find(known->self, w->keys.channel[0].public_key, peer, shared);
}

static void a_device_is_remembered_when_it_is_enrolled_and_a_stranger_is_not(void **state)
{
    struct world *w = *state;
    struct ocop_store_status s;
    struct replica_info device;
    struct id replica;
    struct channel_key stranger;
    struct noise n;
    struct buf frame;
    struct job job = {.reply = {0}};
    Ocop__Sync__Request request = OCOP__SYNC__REQUEST__INIT;
    Ocop__Sync__SyncRequest sync = OCOP__SYNC__SYNC_REQUEST__INIT;
    uint8_t packed[128];
    assert_int_equal(peers_open(&w->registry->peers, NULL), OCOP_OK);
    assert_int_equal(ocop_store_status(w->stores[1], &s, NULL), OCOP_OK);
    memcpy(replica.b, s.replica.b, ID_LEN);
    assert_int_equal(registry_replica(w->registry, &replica, &device, NULL), OCOP_OK);
    assert_false(remembered(w, device.channel_key));
    world_sync(w, 1);
    assert_true(remembered(w, device.channel_key));
    world_sync(w, 1); /* with what was remembered */

    sync.has_replica = 1;
    sync.replica = bytes_of(replica.b, ID_LEN); /* another's name does not help */
    request.sync = &sync;
    channel_key_new(&stranger, env_system());
    buf_init(&frame, FRAME_BYTES_MAX);
    assert_int_equal(
        frame_seal_request(&n, env_system(), &stranger, w->keys.channel[0].public_key,
                           span_of(packed, ocop__sync__request__pack(&request, packed)), &frame,
                           NULL),
        OCOP_OK);
    noise_fini(&n);
    job.frame = buf_span(&frame);
    exchange_batch(w->registry, &w->keys, &job, 1);
    assert_int_equal(job.status, OCOP_EAUTH);
    assert_false(remembered(w, stranger.public_key));
    buf_fini(&job.reply);
    buf_fini(&frame);
}

/* --- pages asked for ahead --- */

enum { MANY = 4000 };

/* More producers than a few pages hold. */
static void import_many(struct world *w)
{
    struct change *changes = calloc(MANY, sizeof *changes);
    struct field(*v)[4] = calloc(MANY, sizeof *v);
    char notes[400];
    assert_true(changes && v);
    memset(notes, 'n', sizeof notes);
    for (size_t i = 0; i < MANY; i++) {
        const uint32_t numbers[] = {2, 10, 11, 22};
        const struct span values[] = {id_span(&w->commune),
                                      span_str(arena_printf(&w->arena, "Hộ kinh doanh %zu", i)),
                                      span_str("household"), span_of(notes, sizeof notes)};
        for (size_t f = 0; f < 4; f++)
            v[i][f] = (struct field){
                .number = numbers[f], .op = FIELD_SET, .type = VALUE_BYTES, .bytes = values[f]};
        changes[i] = (struct change){.kind = KIND_PRODUCER,
                                     .verb = VERB_CREATE,
                                     .record = id_next(&w->registry->ids, w->registry->env),
                                     .fields = {v[i], 4}};
    }
    world_import(w, changes, MANY);
    assert_int_equal(world_count(w, "SELECT count(*) FROM outcome"), 0);
    free(changes);
    free(v);
}

static bool save_while_pages_come(void *self, const struct ocop_sync_summary *sum,
                                  const char *doing)
{
    struct world *w = self;
    (void)doing;
    if (sum->round_trips == 2 && w->links[0].starts == 2)
        world_inspect(w, 0, "pass");
    return true;
}

static void the_next_page_is_asked_for_while_the_last_is_stored(void **state)
{
    struct world *w = *state;
    struct ocop_sync_summary s;
    struct ocop_sync_options options = {.progress = save_while_pages_come, .user = w};
    world_sync(w, 0);
    import_many(w);
    unsigned before = w->links[0].exchanges;
    assert_int_equal(ocop_sync(w->stores[0], &options, &s, NULL), OCOP_OK);
    assert_true(s.complete && s.round_trips > 3);
    assert_int_equal(s.pulled, MANY);
    assert_int_equal(s.applied, 1); /* what was saved meanwhile went too */
    assert_int_equal(w->links[0].exchanges - before, s.round_trips);
    assert_true(w->links[0].starts >= s.round_trips - 3);
    assert_int_equal(world_sync(w, 0).pulled, 0);
}

static void a_page_asked_for_ahead_and_lost_is_asked_for_again(void **state)
{
    struct world *w = *state;
    struct ocop_sync_summary s;
    world_sync(w, 0);
    import_many(w);
    w->links[0].drop_reply = 2;
    assert_int_equal(ocop_sync(w->stores[0], NULL, &s, NULL), OCOP_ETIMEOUT);
    assert_int_equal(w->links[0].starts, 1);
    assert_true(s.pulled > 0 && s.pulled < MANY);
    assert_int_equal(world_sync(w, 0).pulled, MANY - s.pulled);
    struct ocop_sync_options one = {.max_round_trips = 1};
    w->links[1].starts = 0;
    assert_int_equal(ocop_sync(w->stores[1], &one, &s, NULL), OCOP_OK);
    assert_int_equal(w->links[1].starts, 0); /* nothing is asked for that nobody waits for */
    assert_int_equal(world_sync(w, 1).pulled + s.pulled, MANY);
}

/* The first page has a part of a record that is gone from the store: all is read again, and the
 * page that was asked for ahead must not move the cursor past what is lacking. */
static void a_page_asked_for_ahead_is_dropped_when_all_is_read_again(void **state)
{
    struct world *w = *state;
    struct ocop_id lost;
    struct field phone = {
        .number = 16, .op = FIELD_SET, .type = VALUE_BYTES, .bytes = span_str("0912345678")};
    struct change amend = {.kind = KIND_PRODUCER,
                           .verb = VERB_AMEND,
                           .record = w->producer,
                           .base = UINT32_MAX,
                           .fields = {&phone, 1}};
    char path[128];
    sqlite3 *db;
    ProtobufCMessage *m;
    world_sync(w, 0);
    world_import(w, &amend, 1);
    assert_int_equal(world_count(w, "SELECT count(*) FROM outcome"), 0);
    import_many(w);
    (void)snprintf(path, sizeof path, "%s/0.ocop", w->dir);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "DELETE FROM producer", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    assert_true(world_sync(w, 0).complete);
    assert_true(w->links[0].starts > 2);
    memcpy(lost.b, w->producer.b, ID_LEN);
    assert_int_equal(ocop_load(w->stores[0], &lost, &m, NULL), OCOP_OK);
    ocop_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f)                                                                                       \
    cmocka_unit_test_setup_teardown(f, setup, teardown),                                           \
        {#f " with help", f, setup_with_help, teardown, NULL}
        T(a_new_inspection_reaches_the_registry_in_one_round_trip),
        T(edits_of_different_fields_both_apply),
        T(two_results_for_one_field_open_a_case_with_base_theirs_and_mine),
        T(a_resolution_travels_to_the_devices),
        T(a_repeated_exchange_changes_nothing),
        T(a_lost_reply_loses_nothing),
        T(a_lost_request_is_sent_again),
        T(requests_that_arrive_together_share_one_commit),
        T(garbage_gets_no_answer_and_leaves_its_neighbours_alone),
        T(a_revoked_device_is_told_and_its_work_is_kept_aside),
        T(a_failing_disk_is_never_a_refusal),
        T(a_failed_enrolment_leaves_nothing_for_its_neighbour_to_commit),
        T(a_failed_sync_leaves_nothing_for_its_neighbour_to_commit),
        T(what_was_taken_before_a_failing_set_stands),
        cmocka_unit_test_setup_teardown(
            a_device_is_remembered_when_it_is_enrolled_and_a_stranger_is_not, setup, teardown),
        T(the_next_page_is_asked_for_while_the_last_is_stored),
        T(a_page_asked_for_ahead_and_lost_is_asked_for_again),
        T(a_page_asked_for_ahead_is_dropped_when_all_is_read_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
