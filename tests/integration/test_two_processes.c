/* One store in two processes, such as an app and its background job: each handle knows what the
 * other did, and none takes the store for a copy. */
#include "test.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bounds.h"
#include "records.pb-c.h"
#include "store.h"
#include "world.h"

enum { A = 1, B = 3 }; /* two handles on the store of device 1 */

/* A link that does something before a request arrives, or before its reply does. */
struct hooked_link {
    struct link link;
    struct world *world;
    void (*before)(struct world *w), (*after)(struct world *w);
};

static struct hooked_link hooked;
static char path[128];

static enum ocop_status hooked_connect(struct link *l, int timeout_ms, const atomic_bool *cancel,
                                       struct ocop_error *err)
{
    (void)l, (void)timeout_ms, (void)cancel, (void)err;
    return OCOP_OK;
}

static void call_once(struct world *w, void (**hook)(struct world *w))
{
    void (*what)(struct world * w) = *hook;
    *hook = NULL;
    if (what)
        what(w);
}

static enum ocop_status hooked_exchange(struct link *l, struct span request, int timeout_ms,
                                        const atomic_bool *cancel, struct buf *reply,
                                        struct ocop_error *err)
{
    struct hooked_link *h = (struct hooked_link *)l;
    struct link *real = &h->world->links[A].link;
    call_once(h->world, &h->before);
    enum ocop_status st = real->exchange(real, request, timeout_ms, cancel, reply, err);
    call_once(h->world, &h->after);
    return st;
}

static void hooked_close(struct link *l)
{
    (void)l;
}

static void open_handle(struct world *w, unsigned n, struct link *link, const struct env *env)
{
    struct ocop_error err = {0};
    struct ocop_options o = {.link = link, .env = env, .must_exist = true};
    ocop_close(w->stores[n]);
    if (ocop_open(path, &o, &w->stores[n], &err) != OCOP_OK)
        fail_msg("%s", err.text);
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    *state = w;
    world_open(w);
    world_enrol(w, 0);
    world_enrol(w, A);
    snprintf(path, sizeof path, "%s/%u.ocop", w->dir, A);
    hooked = (struct hooked_link){
        .link = {.connect = hooked_connect, .exchange = hooked_exchange, .close = hooked_close},
        .world = w};
    open_handle(w, A, &hooked.link, NULL);
    open_handle(w, B, &w->links[A].link, NULL);
    return 0;
}

static enum ocop_record_state state_of(struct world *w, unsigned n, struct ocop_id id)
{
    struct ocop_record_status *status;
    assert_int_equal(ocop_record_status(w->stores[n], &id, &status, NULL), OCOP_OK);
    enum ocop_record_state state = status->state;
    ocop_record_status_free(status);
    return state;
}

static void assert_clean(struct world *w)
{
    unsigned findings = 99;
    assert_int_equal(ocop_check(w->stores[A], NULL, NULL, &findings, NULL), OCOP_OK);
    assert_int_equal(findings, 0);
    assert_int_equal(world_count(w, "SELECT count(*) FROM replica WHERE predecessor IS NOT NULL"),
                     0);
    assert_int_equal(world_count(w, "SELECT count(*) FROM cases WHERE cause <> 3"), 0);
}

static void what_one_process_sent_is_no_fork_to_the_other(void **state)
{
    struct world *w = *state;
    struct ocop_id id = world_inspect(w, B, "pass");
    world_sync(w, B);
    world_amend(w, B, id, "score=71");
    world_sync(w, B);
    assert_false(world_sync(w, A).forked);
    assert_int_equal(state_of(w, A, id), OCOP_ACCEPTED);
    world_amend(w, A, id, "score=72");
    world_sync(w, A);
    world_amend(w, B, id, "score=73");
    world_sync(w, B);
    assert_string_equal(world_value(w, "inspection", id, "score"), "73");
    assert_clean(w);
}

static void send_one(struct world *w)
{
    world_inspect(w, B, "fail");
    world_sync(w, B);
}

/* B seals, sends and is answered while A's request is on its way, so A's says less than is there.
 */
static void a_request_that_another_process_overtook_is_no_fork(void **state)
{
    struct world *w = *state;
    hooked.before = send_one;
    struct ocop_sync_summary sum = world_sync(w, A);
    assert_false(sum.forked);
    assert_int_equal(sum.round_trips, 2);
    world_inspect(w, A, "pass");
    world_sync(w, A);
    assert_int_equal(world_count(w, "SELECT count(*) FROM inspection"), 2);
    assert_clean(w);
}

static void send_one_unanswered(struct world *w)
{
    world_inspect(w, B, "fail");
    w->links[A].drop_reply = 1;
    assert_int_equal(ocop_sync(w->stores[B], NULL, NULL, NULL), OCOP_ETIMEOUT);
}

static void nor_is_one_overtaken_by_a_request_whose_reply_was_lost(void **state)
{
    struct world *w = *state;
    hooked.before = send_one_unanswered;
    assert_false(world_sync(w, A).forked);
    assert_int_equal(world_count(w, "SELECT count(*) FROM inspection"), 1);
    assert_clean(w);
}

static struct ocop_id moved;
static uint64_t version_of_b;

static void send_and_receive(struct world *w)
{
    struct ocop_store_status status;
    world_amend(w, 0, moved, "score=90");
    world_sync(w, 0);
    world_sync(w, B);
    assert_int_equal(ocop_store_status(w->stores[B], &status, NULL), OCOP_OK);
    version_of_b = status.version;
}

/* B has read on while A's reply was on its way: A's page is older than what is stored. */
static void a_reply_that_another_process_overtook_does_not_move_back(void **state)
{
    struct world *w = *state;
    struct ocop_store_status status;
    moved = world_inspect(w, A, "pass");
    world_sync(w, A);
    world_sync(w, 0);
    world_amend(w, 0, moved, "score=80");
    world_sync(w, 0);
    hooked.after = send_and_receive;
    world_amend(w, A, moved, "notes=của tôi");
    assert_int_equal(
        ocop_sync(w->stores[A], &(struct ocop_sync_options){.max_round_trips = 1}, NULL, NULL),
        OCOP_OK);
    assert_int_equal(ocop_store_status(w->stores[A], &status, NULL), OCOP_OK);
    assert_true(status.version >= version_of_b);
    world_sync(w, A);
    ProtobufCMessage *m = NULL;
    assert_int_equal(ocop_load(w->stores[A], &moved, &m, NULL), OCOP_OK);
    assert_int_equal(((Ocop__Inspection *)(void *)m)->score, 90);
    ocop_free(m);
    assert_clean(w);
}

static void record_in_b(struct world *w)
{
    struct ocop_store_status s;
    world_inspect(w, B, "pass");
    assert_int_equal(ocop_store_status(w->stores[B], &s, NULL), OCOP_OK);
    assert_int_equal(s.waiting, 2);
}

static void another_process_records_while_one_waits_for_the_network(void **state)
{
    struct world *w = *state;
    world_inspect(w, A, "pass");
    hooked.before = record_in_b;
    world_sync(w, A);
    assert_int_equal(world_count(w, "SELECT count(*) FROM inspection"), 2);
    assert_clean(w);
}

static void a_store_forked_by_one_process_is_forked_for_the_other(void **state)
{
    struct world *w = *state;
    unsigned findings = 99;
    enum { COPY = 2 };
    world_inspect(w, 0, "pass");
    world_sync(w, 0);
    world_copy(w, 0, COPY);
    world_inspect(w, 0, "fail");
    world_sync(w, 0);
    snprintf(path, sizeof path, "%s/%d.ocop", w->dir, COPY);
    open_handle(w, B, &w->links[COPY].link, NULL);
    assert_true(world_sync(w, COPY).forked);
    world_inspect(w, B, "conditional");
    assert_false(world_sync(w, B).forked);
    world_inspect(w, COPY, "pass");
    world_sync(w, COPY);
    world_inspect(w, B, "pass");
    world_sync(w, B);
    assert_int_equal(world_count(w, "SELECT count(*) FROM inspection"), 5);
    assert_int_equal(world_count(w, "SELECT count(*) FROM replica WHERE predecessor IS NOT NULL"),
                     1);
    assert_int_equal(ocop_check(w->stores[COPY], NULL, NULL, &findings, NULL), OCOP_OK);
    assert_int_equal(findings, 0);
}

/* A unit that B received is one that A may write in. */
static void what_one_process_received_the_other_judges_by(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct id unit = id_next(&w->registry->ids, w->registry->env);
    struct field v[] = {{.number = 10, .bytes = span_str("24664-1")},
                        {.number = 11, .bytes = span_str("Thôn 1")},
                        {.number = 12, .bytes = span_str("commune")},
                        {.number = 13, .bytes = id_span(&w->commune)},
                        {.number = 14, .bytes = span_str("2025-07-01")}};
    struct change c = {.kind = KIND_UNIT, .verb = VERB_CREATE, .record = unit, .fields = {v, 5}};
    char text[ID_TEXT_LEN + 1];
    for (size_t i = 0; i < 5; i++)
        v[i].op = FIELD_SET, v[i].type = VALUE_BYTES;
    world_inspect(w, A, "pass"); /* A has reckoned its units */
    world_import(w, &c, 1);
    world_sync(w, B);
    ProtobufCMessage *m = NULL;
    assert_int_equal(ocop_new(w->stores[A], "inspection", &m, &err), OCOP_OK);
    assert_int_equal(ocop_set_text(w->stores[A], &m,
                                   arena_printf(&w->arena, "unit_id=%s", id_text(unit, text)),
                                   &err),
                     OCOP_OK);
    if (ocop_save(w->stores[A], m, &err) != OCOP_OK)
        fail_msg("%s: %s", err.field, err.text);
    ocop_free(m);
}

/* The clock is asked after a call has read what stands and before it writes. */
static struct {
    unsigned asked, kept_out;
} clock_seen;

static int64_t now_while_another_writes(void *self)
{
    sqlite3 *db = NULL;
    (void)self;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    clock_seen.asked++;
    clock_seen.kept_out += sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_BUSY;
    sqlite3_close(db);
    return env_now_ms(env_system());
}

static void nobody_writes_between_what_a_call_reads_and_what_it_writes(void **state)
{
    struct world *w = *state;
    struct env env = *env_system();
    struct ocop_error err = {0};
    Ocop__Finding finding = OCOP__FINDING__INIT;
    struct ocop_id id = world_inspect(w, B, "pass");
    ProtobufCMessage *m = NULL;
    finding.description = "Không có nhãn";
    finding.severity = "minor";
    env.now_ms = now_while_another_writes;
    open_handle(w, A, &hooked.link, &env);
    assert_int_equal(ocop_load(w->stores[A], &id, &m, &err), OCOP_OK);
    assert_int_equal(ocop_set_text(w->stores[A], &m, "score=90", &err), OCOP_OK);
    memset(&clock_seen, 0, sizeof clock_seen);
    assert_int_equal(ocop_save(w->stores[A], m, &err), OCOP_OK);
    assert_int_equal(ocop_submit_draft(w->stores[A], &id, "xem lại", &err), OCOP_OK);
    assert_int_equal(ocop_set_text(w->stores[A], &m, "score=91", &err), OCOP_OK);
    assert_int_equal(ocop_amend(w->stores[A], m, "xem lại", &err), OCOP_OK);
    assert_int_equal(ocop_add(w->stores[A], &id, "findings", &finding.base, NULL, &err), OCOP_OK);
    assert_int_equal(ocop_void(w->stores[A], &id, "nhầm", &err), OCOP_OK);
    ocop_free(m);
    assert_true(clock_seen.asked >= 5);
    assert_int_equal(clock_seen.kept_out, clock_seen.asked);
    open_handle(w, A, &hooked.link, NULL);
}

static void learns_of_its_keys_and_makes_others(struct world *w)
{
    assert_int_equal(ocop_sync(w->stores[B], NULL, NULL, NULL), OCOP_ESUSPENDED);
    assert_false(w->stores[B]->me.rekeying);
    assert_int_equal(ocop_rekey_device(w->stores[B], NULL), OCOP_OK);
}

/* A suspended device is told by one reply that the registry has its new keys, and by a late one
 * that speaks of the same: it takes none that the registry never saw. */
static void a_late_word_of_new_keys_is_of_those_that_were_sent(void **state)
{
    struct world *w = *state;
    struct replica_info info;
    assert_int_equal(ocop_rekey_device(w->stores[B], NULL), OCOP_OK);
    w->links[A].drop_reply = 1;
    assert_int_equal(ocop_sync(w->stores[B], NULL, NULL, NULL), OCOP_ETIMEOUT);
    w->links[A].drop_reply = 0;
    world_state(w, A, DEVICE_SUSPENDED);
    hooked.after = learns_of_its_keys_and_makes_others;
    assert_int_equal(ocop_sync(w->stores[A], NULL, NULL, NULL), OCOP_ESUSPENDED);
    const struct identity *me = &w->stores[A]->me;
    assert_int_equal(registry_replica(w->registry, &me->replica, &info, NULL), OCOP_OK);
    assert_memory_equal(info.channel_key, me->channel.public_key, CHANNEL_KEY_LEN);
    assert_memory_equal(info.sign_key, me->sign.public_key, SIGN_PUBLIC_LEN);
    world_state(w, A, DEVICE_ACTIVE);
    world_sync(w, A);
    assert_false(me->rekeying);
    world_inspect(w, B, "pass");
    world_sync(w, B);
    assert_clean(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, world_teardown)
        T(what_one_process_sent_is_no_fork_to_the_other),
        T(a_request_that_another_process_overtook_is_no_fork),
        T(nor_is_one_overtaken_by_a_request_whose_reply_was_lost),
        T(what_one_process_received_the_other_judges_by),
        T(a_reply_that_another_process_overtook_does_not_move_back),
        T(another_process_records_while_one_waits_for_the_network),
        T(a_store_forked_by_one_process_is_forked_for_the_other),
        T(nobody_writes_between_what_a_call_reads_and_what_it_writes),
        T(a_late_word_of_new_keys_is_of_those_that_were_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
