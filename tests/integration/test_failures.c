/* How systems like this one have failed, each as a story with our end. docs/testing.md says which
 * test stands for which; what is told elsewhere is not told here again. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bounds.h"
#include "disk.h"
#include "frame.h"
#include "records.pb-c.h"
#include "values.h"
#include "world.h"

static void assert_whole(struct world *w, unsigned n)
{
    unsigned findings = 99;
    assert_int_equal(ocop_check(w->stores[n], NULL, NULL, &findings, NULL), OCOP_OK);
    assert_int_equal(findings, 0);
}

static enum ocop_record_state state_of(struct world *w, unsigned n, struct ocop_id id)
{
    struct ocop_record_status *status;
    assert_int_equal(ocop_record_status(w->stores[n], &id, &status, NULL), OCOP_OK);
    enum ocop_record_state out = status->state;
    ocop_record_status_free(status);
    return out;
}

static bool holds(struct world *w, unsigned n, struct ocop_id id)
{
    ProtobufCMessage *m = NULL;
    enum ocop_status st = ocop_load(w->stores[n], &id, &m, NULL);
    ocop_free(m);
    assert_true(st == OCOP_OK || st == OCOP_ENOTFOUND);
    return st == OCOP_OK;
}

static void sql(struct world *w, const char *file, const char *text)
{
    sqlite3 *db = NULL;
    const char *path = arena_printf(&w->arena, "%s/%s", w->dir, file);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* --- cursor and data
 * ------------------------------------------------------------------------------
 */

/* The device's disk fails after n writes of a sync, n = 0, 1, 2, ...; then it is opened again. */
static void a_page_and_its_cursor_are_stored_together_or_not_at_all(void **state)
{
    struct world *w = *state;
    const char *path = arena_printf(&w->arena, "%s/1.ocop", w->dir);
    struct ocop_id id[4];
    unsigned failed = 0;
    enum ocop_status st = OCOP_EDB;
    for (size_t i = 0; i < 4; i++)
        id[i] = world_inspect(w, 0, "pass");
    world_sync(w, 0);
    disk_register();
    for (int n = 0; st != OCOP_OK; n++) {
        struct ocop_options failing = {.must_exist = true, .vfs = DISK_VFS, .link = &w->links[1]};
        struct ocop_error err = {0};
        ocop_close(w->stores[1]);
        must(ocop_open(path, &failing, &w->stores[1], &err), &err);
        disk_writes_left(n);
        st = ocop_sync(w->stores[1], NULL, NULL, NULL);
        disk_writes_left(-1);
        failed += st != OCOP_OK;
        world_relink(w, 1, &w->links[1].link);
        struct ocop_store_status s;
        assert_int_equal(ocop_store_status(w->stores[1], &s, NULL), OCOP_OK);
        bool all = holds(w, 1, id[0]);
        for (size_t i = 1; i < 4; i++)
            assert_int_equal(holds(w, 1, id[i]), all);
        uint64_t version;
        assert_int_equal(registry_version(w->registry, &version, NULL), OCOP_OK);
        assert_int_equal(s.version == version, all);
    }
    disk_unregister();
    assert_true(failed > 2);
    assert_true(holds(w, 1, id[3]));
    assert_whole(w, 1);
}

/* A line that puts another's request before or behind the device's own in one batch. */
struct beside {
    struct link link;
    struct world *world;
    struct span other;
    bool before;
};

static enum ocop_status beside_connect(struct link *l, int timeout_ms, const atomic_bool *cancel,
                                       struct ocop_error *err)
{
    (void)l, (void)timeout_ms, (void)cancel, (void)err;
    return OCOP_OK;
}

static enum ocop_status beside_exchange(struct link *l, struct span request, int timeout_ms,
                                        const atomic_bool *cancel, struct buf *reply,
                                        struct ocop_error *err)
{
    struct beside *b = (struct beside *)l;
    struct job jobs[2] = {{.frame = request}, {.frame = request}};
    size_t own = b->before ? 1 : 0, count = b->other.len ? 2 : 1;
    (void)timeout_ms, (void)cancel, (void)err;
    if (count == 2)
        jobs[1 - own].frame = b->other;
    else
        own = 0;
    exchange_batch(b->world->registry, &b->world->keys, jobs, count);
    buf_put(reply, jobs[own].reply.p, jobs[own].reply.len);
    for (size_t i = 0; i < count; i++)
        buf_fini(&jobs[i].reply);
    b->other.len = 0; /* once */
    return OCOP_OK;
}

static void beside_close(struct link *l)
{
    (void)l;
}

static void nobody_reads_past_what_is_committed_in_the_same_breath(void **state)
{
    struct world *w = *state;
    for (int before = 0; before < 2; before++) {
        struct ocop_id id = world_inspect(w, 0, "pass");
        w->links[0].drop_request = 1;
        assert_int_equal(ocop_sync(w->stores[0], NULL, NULL, NULL), OCOP_ETIMEOUT);
        static struct beside b; /* the store closes it, also when the test fails here */
        b = (struct beside){
            .link = {.connect = beside_connect, .exchange = beside_exchange, .close = beside_close},
            .world = w,
            .other = buf_span(&w->links[0].last),
            .before = before};
        world_relink(w, 1, &b.link);
        world_sync(w, 1);
        world_sync(w, 1);
        assert_true(holds(w, 1, id));
        world_relink(w, 1, &w->links[1].link);
        world_sync(w, 0);
    }
    assert_whole(w, 1);
}

/* What a migration does, on both sides. */
static void a_column_more_makes_nobody_read_again(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct ocop_id id = world_inspect(w, 1, "pass");
    world_sync(w, 1);
    world_sync(w, 0);
    const char *path = arena_printf(&w->arena, "%s/registry.db", w->dir);
    world_close_registry(w);
    for (unsigned n = 0; n < 2; n++) {
        ocop_close(w->stores[n]);
        w->stores[n] = NULL;
    }
    const char *files[] = {"registry.db", "0.ocop", "1.ocop"};
    for (size_t i = 0; i < 3; i++)
        sql(w, files[i], "ALTER TABLE inspection ADD COLUMN of_a_later_program TEXT");
    must(registry_open(path, false, env_system(), NULL, &w->registry, &err), &err);
    for (unsigned n = 0; n < 2; n++) {
        world_relink(w, n, &w->links[n].link);
        struct ocop_sync_summary sum = world_sync(w, n);
        assert_int_equal(sum.pulled + sum.pushed + sum.departed, 0);
        assert_int_equal(sum.round_trips, 1);
        assert_true(holds(w, n, id));
    }
}

/* --- a registry that is not what it was
 * -----------------------------------------------------------
 */

/* Units and the officer of device 1 under their old ids, in a registry that knows nothing. */
static void begin_again(struct world *w)
{
    static const char role[] = "\n\x09inspector";
    struct field inspector = {.number = 15,
                              .op = FIELD_SET,
                              .type = VALUE_ELEMENT,
                              .key = span_of(role + 2, 9),
                              .bytes = span_of(role, sizeof role - 1)};
    struct field province[] = {text(10, "68"), text(11, "Tỉnh Lâm Đồng"), text(12, "province"),
                               text(14, "2025-07-01")};
    struct field commune[] = {text(10, "24664"), text(11, "Xã Đức Lập"), text(12, "commune"),
                              ref(13, &w->province), text(14, "2025-07-01")};
    struct field officer[] = {text(10, "Cán bộ kiểm tra"), inspector};
    struct change changes[] = {
        {.kind = KIND_UNIT, .verb = VERB_CREATE, .record = w->province, .fields = {province, 4}},
        {.kind = KIND_UNIT, .verb = VERB_CREATE, .record = w->commune, .fields = {commune, 5}},
        {.kind = KIND_OFFICER,
         .verb = VERB_CREATE,
         .record = w->officers[1],
         .fields = {officer, 2}}};
    world_import(w, changes, 3);
}

static void a_registry_that_was_wiped_is_sent_everything_again(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct ocop_id old = world_inspect(w, 1, "pass");
    world_sync(w, 1);
    world_amend(w, 1, old, "score=21");
    world_sync(w, 1);
    struct ocop_id unsent = world_inspect(w, 1, "fail");

    const char *path = arena_printf(&w->arena, "%s/registry.db", w->dir);
    world_close_registry(w);
    assert_int_equal(unlink(path), 0);
    must(registry_open(path, true, env_system(), NULL, &w->registry, &err), &err);
    must(genesis(w->registry, &w->keys, "test", &err), &err);
    begin_again(w);
    assert_true(holds(w, 1, old) && holds(w, 1, unsent));
    /* It is known again by the certificate that these keys signed. */
    world_sync(w, 1);
    assert_string_equal(world_value(w, "inspection", old, "score"), "21");
    assert_string_equal(world_value(w, "inspection", unsent, "conclusion"), "\"fail\"");
    assert_int_equal(world_count(w, "SELECT count(*) FROM inspection"), 2);
    assert_whole(w, 1);
}

/* --- what is the same, and what is not
 * ------------------------------------------------------------
 */

static void two_officers_who_say_the_same_are_no_case(void **state)
{
    struct world *w = *state;
    struct ocop_id id = world_inspect(w, 1, "pass");
    world_sync(w, 1);
    world_sync(w, 0);
    world_amend(w, 0, id, "conclusion=fail");
    world_amend(w, 1, id, "conclusion=fail");
    world_sync(w, 0);
    assert_int_equal(world_sync(w, 1).equal, 1);
    assert_int_equal(world_count(w, "SELECT count(*) FROM cases"), 0);
    assert_int_equal(state_of(w, 1, id), OCOP_ACCEPTED);
}

static void an_old_devices_edit_brings_no_voided_record_back(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct ocop_id id = world_inspect(w, 1, "pass");
    world_sync(w, 1);
    world_sync(w, 0);
    must(ocop_void(w->stores[0], &id, "lập nhầm cơ sở", &err), &err);
    world_sync(w, 0);
    world_amend(w, 1, id, "score=33"); /* a month later, not having seen it */
    assert_int_equal(world_sync(w, 1).in_case, 1);
    assert_string_equal(world_value(w, "inspection", id, "voided"), "true");
    assert_string_equal(world_value(w, "inspection", id, "score"), "70");
    assert_int_equal(world_count(w, "SELECT count(*) FROM cases WHERE closed_version IS NULL"), 1);
}

/* Ids made by devices, by a copy of one, and by one that was opened again and again. */
static void no_two_devices_make_a_record_of_one_id(void **state)
{
    struct world *w = *state;
    enum { EACH = 50 };
    struct id seen[3 * EACH];
    size_t count = 0;
    world_copy(w, 1, 2);
    for (unsigned round = 0; round < EACH; round++)
        for (unsigned n = 0; n < 3; n++) {
            struct ocop_id id = ocop_new_key(w->stores[n]);
            memcpy(seen[count].b, id.b, ID_LEN);
            for (size_t i = 0; i < count; i++)
                assert_false(id_eq(&seen[i], &seen[count]));
            count++;
            if (round % 10 == 0)
                world_relink(w, n, &w->links[n].link);
        }
}

/* --- what is shown
 * --------------------------------------------------------------------------------
 */

static void what_timed_out_is_not_shown_as_synced(void **state)
{
    struct world *w = *state;
    struct ocop_id id = world_inspect(w, 1, "pass");
    for (unsigned lost_reply = 0; lost_reply < 2; lost_reply++) {
        struct ocop_sync_summary sum;
        w->links[1].drop_request = !lost_reply;
        w->links[1].drop_reply = lost_reply;
        assert_int_equal(ocop_sync(w->stores[1], NULL, &sum, NULL), OCOP_ETIMEOUT);
        assert_false(sum.complete);
        assert_int_equal(sum.left, 1);
        assert_int_equal(sum.pushed, 0);
        assert_int_equal(state_of(w, 1, id), OCOP_WAITING); /* though the registry may have it */
    }
    struct ocop_sync_summary sum = world_sync(w, 1);
    assert_int_equal(sum.pushed, 1);
    assert_int_equal(sum.left, 0);
    assert_int_equal(state_of(w, 1, id), OCOP_ACCEPTED);
}

/* --- rules that change
 * ----------------------------------------------------------------------------
 */

/* "YYYY-MM-DD", so many days from today. */
static const char *day(struct world *w, int from_today)
{
    time_t then = (time_t)(env_now_ms(env_system()) / 1000) + (time_t)from_today * 86400;
    struct tm tm;
    char *out = arena_alloc(&w->arena, 11);
    assert_non_null(out);
    assert_int_equal(strftime(out, 11, "%Y-%m-%d", gmtime_r(&then, &tm)), 10);
    return out;
}

static struct ocop_id inspect_on(struct world *w, unsigned n, const char *date)
{
    struct ocop_error err = {0};
    struct ocop_id out;
    ProtobufCMessage *m = NULL;
    char id[ID_TEXT_LEN + 1];
    const char *const sets[] = {
        arena_printf(&w->arena, "unit_id=%s", id_text(w->commune, id)),
        arena_printf(&w->arena, "producer_id=%s", id_text(w->producer, id)),
        arena_printf(&w->arena, "inspected_date=%s", date),
        "inspection_type=planned",
        "conclusion=conditional",
    };
    must(ocop_new(w->stores[n], "inspection", &m, &err), &err);
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++)
        must(ocop_set_text(w->stores[n], &m, sets[i], &err), &err);
    must(ocop_submit(w->stores[n], m, &err), &err);
    memcpy(out.b, ((const Ocop__Inspection *)m)->id.data, ID_LEN);
    ocop_free(m);
    return out;
}

static void end_code(struct world *w, const char *last_day)
{
    sqlite3_stmt *s = NULL;
    struct id list;
    uint64_t version;
    assert_int_equal(sqlite3_prepare_v2(w->registry->db,
                                        "SELECT id FROM code_list WHERE code = 'conclusion'", -1,
                                        &s, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    memcpy(list.b, sqlite3_column_blob(s, 0), ID_LEN);
    sqlite3_finalize(s);
    assert_int_equal(registry_version(w->registry, &version, NULL), OCOP_OK);
    const char *item =
        arena_printf(&w->arena, "\n\x0b%s\x12\x04%s\"\n%s", "conditional", "Khac", last_day);
    struct field f = {.number = 12,
                      .op = FIELD_SET,
                      .type = VALUE_ELEMENT,
                      .key = span_str("conditional"),
                      .bytes = span_str(item),
                      .base = version};
    struct change c = {.kind = KIND_CODE_LIST,
                       .verb = VERB_AMEND,
                       .record = list,
                       .base = version,
                       .reason = span_str("hết hiệu lực"),
                       .fields = {&f, 1}};
    world_import(w, &c, 1);
}

/* The registry ends a code while a device is away: what was recorded of a day before that stands,
 * what is of a day after comes back with the reason. */
static void a_code_that_ended_since_is_judged_by_the_day_of_the_record(void **state)
{
    struct world *w = *state;
    struct ocop_record_status *status;
    struct ocop_id before = inspect_on(w, 1, day(w, -9)), after = inspect_on(w, 1, day(w, -1));
    end_code(w, day(w, -5));
    assert_int_equal(world_sync(w, 1).refused, 1);
    assert_int_equal(state_of(w, 1, before), OCOP_ACCEPTED);
    assert_string_equal(world_value(w, "inspection", before, "conclusion"), "\"conditional\"");
    assert_int_equal(ocop_record_status(w->stores[1], &after, &status, NULL), OCOP_OK);
    assert_int_equal(status->state, OCOP_REFUSED);
    assert_string_equal(status->reason_field, "conclusion");
    ocop_record_status_free(status);
}

/* --- people
 * ---------------------------------------------------------------------------------------
 */

static void another_officer_on_the_device_takes_nothing_of_the_first_away(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    const char *code;
    struct ocop_id unsent = world_inspect(w, 1, "pass");
    struct invitation_terms terms = {.officer = w->officers[0],
                                     .scope = &w->commune,
                                     .scope_count = 1,
                                     .address = "tcp://127.0.0.1:1",
                                     .expires_ms = env_now_ms(env_system()) + 60000};
    must(registry_begin(w->registry, &err), &err);
    must(invite_make(w->registry, &w->keys, &terms, &w->arena, &code, &err), &err);
    must(registry_commit(w->registry, &err), &err);
    assert_int_not_equal(ocop_enrol(w->stores[1], code, "test", &err), OCOP_OK);
    assert_true(err.text[0] != '\0');
    assert_int_equal(state_of(w, 1, unsent), OCOP_WAITING);
    assert_int_equal(world_sync(w, 1).pushed, 1);
    assert_string_equal(world_value(w, "inspection", unsent, "conclusion"), "\"pass\"");
}

/* --- many at once
 * ---------------------------------------------------------------------------------
 */

/* How long a registry that cannot write asks a stranger's enrolment to wait. */
static unsigned told_to_wait(struct world *w, const struct channel_key *own)
{
    Ocop__Sync__Request q = OCOP__SYNC__REQUEST__INIT;
    Ocop__Sync__EnrolRequest enrol = OCOP__SYNC__ENROL_REQUEST__INIT;
    struct noise n;
    struct buf frame;
    struct span message;
    uint8_t packed[256], bytes[32] = {1};
    enrol.token = (ProtobufCBinaryData){16, bytes};
    enrol.replica = (ProtobufCBinaryData){ID_LEN, bytes};
    enrol.sign_key = (ProtobufCBinaryData){SIGN_PUBLIC_LEN, bytes};
    enrol.has_token = enrol.has_replica = enrol.has_sign_key = 1;
    q.enrol = &enrol;
    size_t len = ocop__sync__request__pack(&q, packed);
    buf_init(&frame, FRAME_BYTES_MAX);
    assert_int_equal(frame_seal_request(&n, env_system(), own, w->keys.channel[0].public_key,
                                        span_of(packed, len), &frame, NULL),
                     OCOP_OK);
    struct job job = {.frame = buf_span(&frame)};
    exchange_batch(w->registry, &w->keys, &job, 1);
    assert_int_equal(job.status, OCOP_EBUSY);
    assert_int_equal(frame_open_reply(&n, buf_span(&job.reply), &w->arena, &message, NULL),
                     OCOP_OK);
    ProtobufCAllocator from_arena = arena_allocator(&w->arena);
    Ocop__Sync__Reply *reply = ocop__sync__reply__unpack(&from_arena, message.len, message.p);
    assert_non_null(reply);
    assert_int_equal(reply->code, OCOP_EBUSY);
    noise_fini(&n);
    buf_fini(&frame);
    buf_fini(&job.reply);
    return reply->retry_after_ms;
}

static void after_an_outage_devices_are_asked_to_come_at_different_moments(void **state)
{
    struct world *w = *state;
    enum { MANY = 40 };
    struct ocop_error err = {0};
    struct channel_key own;
    const char *path = arena_printf(&w->arena, "%s/registry.db", w->dir);
    unsigned least = UINT32_MAX, most = 0;
    channel_key_new(&own, env_system());
    world_close_registry(w);
    disk_register();
    must(registry_open(path, false, env_system(), DISK_VFS, &w->registry, &err), &err);
    disk_reads_left(0);
    disk_writes_left(0);
    for (int i = 0; i < MANY; i++) {
        unsigned ms = told_to_wait(w, &own);
        least = ms < least ? ms : least;
        most = ms > most ? ms : most;
    }
    disk_reads_left(-1);
    disk_writes_left(-1);
    world_close_registry(w);
    disk_unregister();
    must(registry_open(path, false, env_system(), NULL, &w->registry, &err), &err);
    assert_in_range(least, 1000, 3600000);
    assert_true(most >= least + least / 4); /* forty draws of a spread as wide as the wait itself */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, world_setup_01, world_teardown)
        T(a_page_and_its_cursor_are_stored_together_or_not_at_all),
        T(nobody_reads_past_what_is_committed_in_the_same_breath),
        T(a_column_more_makes_nobody_read_again),
        T(a_registry_that_was_wiped_is_sent_everything_again),
        T(two_officers_who_say_the_same_are_no_case),
        T(an_old_devices_edit_brings_no_voided_record_back),
        T(no_two_devices_make_a_record_of_one_id),
        T(what_timed_out_is_not_shown_as_synced),
        T(a_code_that_ended_since_is_judged_by_the_day_of_the_record),
        T(another_officer_on_the_device_takes_nothing_of_the_first_away),
        T(after_an_outage_devices_are_asked_to_come_at_different_moments),
    };
    env_log_level((enum env_level)(ENV_ERROR + 1)); /* the failures are meant */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
