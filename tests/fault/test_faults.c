/* Every allocation, disk operation and file call fails in turn, once and for ever after, under
 * everything that stores: nothing crashes or leaks, no status lies, nothing that was acknowledged
 * is lost, and what failed can be done again. `make faults` tries every one, but of the thousands
 * of allocations in a large act only some of those that are alike (plan.c); `make test` some, the
 * steps between them growing (FAULT_GROWTH). */
#include "test.h"

#include <nanomsg/nn.h>
#include <nanomsg/reqrep.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bounds.h"
#include "camera.h"
#include "link.h"
#include "port.h"
#include "records.pb-c.h"
#include "scene.h"
#include "world.h"

enum { ROUNDS_MAX = 1000000 }; /* an act that never ends */

static enum ocop_record_state state_of(struct scene *s, unsigned n, struct ocop_id id)
{
    struct ocop_error err = {0};
    struct ocop_record_status *status = NULL;
    must(ocop_record_status(s->w.stores[n], &id, &status, &err), &err);
    enum ocop_record_state state = status->state;
    if (state == OCOP_REFUSED)
        print_error("refused: %s %s\n", status->reason_field, status->reason);
    ocop_record_status_free(status);
    return state;
}

/* --- acts on a device ------------------------------------------------------------------------- */

static void close_store(struct scene *s)
{
    ocop_close(s->w.stores[0]);
    s->w.stores[0] = NULL;
}

static enum ocop_status open_store(struct scene *s, struct ocop_error *err)
{
    struct ocop_options options = {.link = &s->w.links[0]};
    char path[128];
    snprintf(path, sizeof path, "%s/0.ocop", s->w.dir);
    return ocop_open(path, &options, &s->w.stores[0], err);
}

static void opened(struct scene *s, enum ocop_status st)
{
    assert_true((st == OCOP_OK) == (s->w.stores[0] != NULL));
    if (st != OCOP_OK)
        store_open_again(s, 0);
}

static void new_record(struct scene *s)
{
    struct ocop_error err = {0};
    char sets[5][80], id[ID_TEXT_LEN + 1];
    ocop_free(s->record);
    s->record = NULL;
    must(ocop_new(s->w.stores[0], "inspection", &s->record, &err), &err);
    snprintf(sets[0], sizeof *sets, "unit_id=%s", id_text(s->w.commune, id));
    snprintf(sets[1], sizeof *sets, "producer_id=%s", id_text(s->w.producer, id));
    snprintf(sets[2], sizeof *sets, "inspection_type=planned");
    snprintf(sets[3], sizeof *sets, "conclusion=pass");
    snprintf(sets[4], sizeof *sets, "score=%d", ++s->number % 100);
    for (size_t i = 0; i < 5; i++)
        must(ocop_set_text(s->w.stores[0], &s->record, sets[i], &err), &err);
    memcpy(s->id.b, ((Ocop__Inspection *)s->record)->id.data, ID_LEN);
}

static enum ocop_status save(struct scene *s, struct ocop_error *err)
{
    return ocop_save(s->w.stores[0], s->record, err);
}

static void saved(struct scene *s, enum ocop_status st)
{
    struct ocop_error err = {0};
    ProtobufCMessage *m = NULL;
    enum ocop_status there = ocop_load(s->w.stores[0], &s->id, &m, &err);
    assert_int_equal(there, st == OCOP_OK ? OCOP_OK : OCOP_ENOTFOUND);
    ocop_free(m);
    if (st != OCOP_OK)
        must(save(s, &err), &err);
    must(ocop_discard(s->w.stores[0], &s->id, &err), &err);
}

static enum ocop_status submit(struct scene *s, struct ocop_error *err)
{
    return ocop_submit(s->w.stores[0], s->record, err);
}

static void submitted(struct scene *s, enum ocop_status st)
{
    struct ocop_error err = {0};
    ProtobufCMessage *m = NULL;
    if (st == OCOP_OK) {
        assert_int_equal(state_of(s, 0, s->id), OCOP_WAITING);
    } else {
        assert_int_equal(ocop_load(s->w.stores[0], &s->id, &m, &err), OCOP_ENOTFOUND);
        must(submit(s, &err), &err);
    }
    s->submitted++;
}

static void submit_new(struct scene *s)
{
    new_record(s);
    submitted(s, OCOP_EDB);
}

static enum ocop_status amend(struct scene *s, struct ocop_error *err)
{
    enum ocop_status st = ocop_set_text(s->w.stores[0], &s->record, "conclusion=fail", err);
    return st ? st : ocop_amend(s->w.stores[0], s->record, "xem lại", err);
}

static void amended(struct scene *s, enum ocop_status st)
{
    struct ocop_error err = {0};
    ProtobufCMessage *m = NULL;
    must(ocop_load(s->w.stores[0], &s->id, &m, &err), &err);
    assert_string_equal(((Ocop__Inspection *)m)->conclusion, st == OCOP_OK ? "fail" : "pass");
    ocop_free(m);
}

static enum ocop_status void_it(struct scene *s, struct ocop_error *err)
{
    return ocop_void(s->w.stores[0], &s->id, "ghi nhầm", err);
}

static void voided(struct scene *s, enum ocop_status st)
{
    struct ocop_error err = {0};
    ProtobufCMessage *m = NULL;
    must(ocop_load(s->w.stores[0], &s->id, &m, &err), &err);
    assert_int_equal(((Ocop__Inspection *)m)->voided, st == OCOP_OK);
    ocop_free(m);
}

enum { PHOTO_BYTES = 40000 };

/* A photo that there was none like before. */
static const uint8_t *photo(struct scene *s)
{
    static uint8_t bytes[PHOTO_BYTES] = {0xff, 0xd8, 0xff};
    memcpy(bytes + 100, &s->number, sizeof s->number);
    return bytes;
}

static enum ocop_status attach(struct scene *s, struct ocop_error *err)
{
    const struct ocop_attachment a = {.bytes = photo(s), .len = PHOTO_BYTES, .role = "photo"};
    return ocop_attach(s->w.stores[0], &s->id, &a, &s->attached, err);
}

static size_t files_of(struct scene *s)
{
    struct ocop_error err = {0};
    struct ocop_file_list *list;
    must(ocop_files(s->w.stores[0], &s->id, &list, &err), &err);
    size_t count = list->count;
    ocop_file_list_free(list);
    return count;
}

static enum ocop_status read_attached(struct scene *s, struct ocop_error *err)
{
    static uint8_t bytes[PHOTO_BYTES + 1];
    size_t got;
    enum ocop_status st =
        ocop_file_read(s->w.stores[0], &s->attached, 0, bytes, sizeof bytes, &got, err);
    if (st == OCOP_OK) {
        assert_int_equal(got, PHOTO_BYTES);
        assert_memory_equal(bytes, photo(s), PHOTO_BYTES);
    } else {
        assert_int_equal(got, 0);
    }
    return st;
}

/* Both the record and its content, or neither; and nothing that lies about for good. */
static void attached(struct scene *s, enum ocop_status st)
{
    struct ocop_error err = {0};
    unsigned removed, findings;
    assert_int_equal(files_of(s), st == OCOP_OK);
    if (st != OCOP_OK)
        must(attach(s, &err), &err);
    must(read_attached(s, &err), &err);
    must(ocop_files_sweep(s->w.stores[0], &removed, &err), &err);
    must(ocop_check(s->w.stores[0], NULL, NULL, &findings, &err), &err);
    assert_int_equal(findings, 0);
}

/* A photo that is scaled, and its original besides. */
static uint8_t *shot;
static size_t shot_len;

static void shoot(struct scene *s)
{
    struct ocop_error err = {0};
    const struct ocop_image_settings how = {.side_max = 320, .quality = 80, .keep_original = true};
    submit_new(s);
    must(ocop_set_image_settings(s->w.stores[0], &how, &err), &err);
    free(shot);
    shot = camera_photo(&(struct camera){.width = 500, .height = 400, .seed = (uint8_t)s->number},
                        &shot_len);
}

static enum ocop_status attach_scaled(struct scene *s, struct ocop_error *err)
{
    const struct ocop_attachment a = {.bytes = shot, .len = shot_len, .role = "photo"};
    return ocop_attach(s->w.stores[0], &s->id, &a, &s->attached, err);
}

static void attached_scaled(struct scene *s, enum ocop_status st)
{
    struct ocop_error err = {0};
    unsigned removed, findings;
    uint8_t byte;
    size_t got;
    assert_int_equal(files_of(s), st == OCOP_OK ? 2 : 0);
    if (st != OCOP_OK)
        must(attach_scaled(s, &err), &err);
    must(ocop_file_read(s->w.stores[0], &s->attached, 0, &byte, 1, &got, &err), &err);
    must(ocop_files_sweep(s->w.stores[0], &removed, &err), &err);
    must(ocop_check(s->w.stores[0], NULL, NULL, &findings, &err), &err);
    assert_int_equal(findings, 0);
}

static void attach_new(struct scene *s)
{
    submit_new(s);
    attached(s, OCOP_EDB);
}

static enum ocop_status find(struct scene *s, struct ocop_error *err)
{
    struct ocop_list *list = NULL;
    struct ocop_query q = {.kind = "producer", .text = "ca phe"};
    enum ocop_status st = ocop_find(s->w.stores[0], &q, &list, err);
    if (st == OCOP_OK)
        assert_int_equal(list->count, 1);
    else
        assert_null(list);
    ocop_list_free(list);
    return st;
}

static void nothing(struct scene *s, enum ocop_status st)
{
    (void)s, (void)st;
}

/* --- sync: both sides in one thread ----------------------------------------------------------- */

/* Something to push, and something to pull that device 1 brought. */
static void work_to_exchange(struct scene *s)
{
    submit_new(s);
    world_inspect(&s->w, 1, "pass");
    s->submitted++;
    world_sync(&s->w, 1);
}

static enum ocop_status sync_0(struct scene *s, struct ocop_error *err)
{
    struct ocop_sync_summary summary;
    enum ocop_status st = ocop_sync(s->w.stores[0], NULL, &summary, err);
    assert_int_equal(summary.refused, 0); /* a failure of ours is never a refusal */
    if (st == OCOP_OK)
        assert_true(summary.complete);
    return st;
}

/* One content to go up, one to come down. */
static void files_to_exchange(struct scene *s)
{
    struct ocop_error err = {0};
    struct ocop_sync_summary summary;
    const struct ocop_sync_options records = {.files = OCOP_FILES_NONE};
    attach_new(s);
    struct ocop_id record = world_inspect(&s->w, 1, "pass");
    s->submitted++;
    s->number++;
    const struct ocop_attachment a = {.bytes = photo(s), .len = PHOTO_BYTES, .role = "photo"};
    must(ocop_attach(s->w.stores[1], &record, &a, &s->wanted, &err), &err);
    world_sync(&s->w, 1);
    must(ocop_sync(s->w.stores[0], &records, &summary, &err), &err);
    must(ocop_fetch(s->w.stores[0], &s->wanted, &err), &err);
    s->number--;
}

static void print_finding(void *self, const char *finding)
{
    (void)self;
    print_error("%s\n", finding);
}

/* Whatever failed, nothing is half there, and the next syncs bring the rest. */
static void files_synced(struct scene *s, enum ocop_status st)
{
    struct ocop_error err = {0};
    struct ocop_file_list *list;
    unsigned findings;
    (void)st;
    must(ocop_check(s->w.stores[0], print_finding, NULL, &findings, &err), &err);
    assert_int_equal(findings, 0);
    must(read_attached(s, &err), &err);
    /* What came whole when the disk failed is found here by the first, and shown to the registry,
     * as all that is here, by the second. */
    (void)world_sync(&s->w, 0);
    assert_int_equal(world_sync(&s->w, 0).files_left, 0);
    must(ocop_files(s->w.stores[0], NULL, &list, &err), &err);
    assert_int_equal(list->files[0].state, OCOP_FILE_STORED);
    for (size_t i = 0; i < list->count; i++)
        must(content_check(&s->w.registry->blobs, list->files[i].hash, list->files[i].size, &err),
             &err);
    ocop_file_list_free(list);
    s->number++;
    s->attached = s->wanted;
    must(read_attached(s, &err), &err);
}

static void synced(struct scene *s, enum ocop_status st)
{
    if (st != OCOP_OK)
        world_sync(&s->w, 0);
    assert_int_equal(state_of(s, 0, s->id), OCOP_ACCEPTED);
    assert_int_equal(world_count(&s->w, "SELECT count(*) FROM inspection"), s->submitted);
    assert_int_equal(world_count(&s->w, "SELECT count(*) FROM outcome"), 0);
}

/* --- the loops -------------------------------------------------------------------------------- */

static bool is_failure(enum ocop_status st)
{
    return st == OCOP_OK || st == OCOP_ENOMEM || st == OCOP_EDB || st == OCOP_EIO ||
           st == OCOP_EBUSY || st == OCOP_EBROKEN || st == OCOP_ENET || st == OCOP_EDAMAGED;
}

/* With FAULT_GROWTH the steps grow with the round, so that a short run meets early and late faults
 * alike; without it every single one is met. */
static unsigned next_round(unsigned round)
{
    const char *text = getenv("FAULT_GROWTH");
    int percent = text ? atoi(text) : 0;
    return round + 1 + round * (unsigned)(percent > 0 ? percent : 0) / 100;
}

static void after(struct scene *s, const struct act *act, enum ocop_status st)
{
    struct ocop_store_status status;
    struct ocop_error err = {0};
    if (s->w.stores[0] && ocop_store_status(s->w.stores[0], &status, &err) == OCOP_EBROKEN)
        store_open_again(s, 0);
    act->after(s, st);
}

static void finding(void *self, const char *line)
{
    (void)self;
    print_error("%s\n", line);
}

/* All that was done under faults, looked at as a whole. */
static void whole(struct scene *s)
{
    struct ocop_error err = {0};
    unsigned findings;
    if (!s->w.registry)
        registry_open_again(s);
    for (unsigned n = 0; n < 2; n++) {
        if (!s->w.stores[n])
            store_open_again(s, n);
        world_sync(&s->w, n);
        must(ocop_check(s->w.stores[n], finding, NULL, &findings, &err), &err);
        assert_int_equal(findings, 0);
    }
    empty_registry(s);
    must(verify(s, &err), &err);
}

/* What a process does only once has then been done. */
static void undisturbed(struct scene *s, const struct act *act)
{
    struct ocop_error err = {0};
    if (act->prepare)
        act->prepare(s);
    must(act->run(s, &err), &err);
    act->after(s, OCOP_OK);
}

/* A round without a fault, to know what there is to fail. */
static struct plan planned(struct scene *s, const struct act *act, enum fault_kind kind)
{
    struct ocop_error err = {0};
    size_t count;
    if (act->prepare)
        act->prepare(s);
    fault_listen(kind);
    enum ocop_status st = act->run(s, &err);
    uint64_t *stacks = fault_heard(&count);
    must(st, &err);
    act->after(s, OCOP_OK);
    struct plan out = plan_of(stacks, count);
    free(stacks);
    return out;
}

/* One after the other, until none is met. */
static unsigned rounds(struct scene *s, const struct act *act, bool (*over)(struct scene *s),
                       enum fault_kind kind, bool forever)
{
    struct plan plan = {.count = 0};
    const char *from = getenv("FAULT_FROM"); /* a round that failed, again */
    unsigned injected = 1, met = 0;
    if (!getenv("FAULT_GROWTH"))
        plan = planned(s, act, kind);
    for (unsigned round = from ? (unsigned)atoi(from) : 0; injected && !(over && over(s));
         round = plan_next(&plan, next_round(round))) {
        struct ocop_error err = {0};
        assert_true(round < ROUNDS_MAX);
        if (act->prepare)
            act->prepare(s);
        fault_arm(kind, round, forever);
        enum ocop_status st = act->run(s, &err);
        injected = fault_disarm();
        if (!is_failure(st) || (!injected && st))
            fail_msg("%s, round %u: %s %s", act->name, round, err_name(st), err.text);
        if (st != OCOP_OK && !err.text[0])
            fail_msg("%s, round %u: %s without a text", act->name, round, err_name(st));
        after(s, act, st);
        met += injected > 0;
    }
    plan_fini(&plan);
    return met;
}

/* Linked to a sanitizer that looks for leaks, as `make faults` is. */
int __lsan_do_recoverable_leak_check(void) __attribute__((weak));

static void no_leak(const struct act *act)
{
    if (__lsan_do_recoverable_leak_check && __lsan_do_recoverable_leak_check() != 0)
        fail_msg("%s leaks", act->name);
}

static void loop(const struct act *act, const struct staged *staged, enum fault_kind kind,
                 bool forever)
{
    struct scene s = {.number = 0};
    unsigned met = 0;
    world_open(&s.w);
    world_enrol(&s.w, 0);
    world_enrol(&s.w, 1);
    if (!staged)
        undisturbed(&s, act);
    if (!staged)
        met = rounds(&s, act, NULL, kind, forever);
    for (; staged && staged->begin(&s); s.stage++)
        met += rounds(&s, act, staged->over, kind, forever);
    whole(&s);
    ocop_free(s.record);
    world_close(&s.w);
    no_leak(act);
    print_message("%s: %u faults met\n", act->name, met);
}

static const struct act acts[] = {
    {"open", close_store, open_store, opened},
    {"save", new_record, save, saved},
    {"submit", new_record, submit, submitted},
    {"amend", submit_new, amend, amended},
    {"void", submit_new, void_it, voided},
    {"find", NULL, find, nothing},
    {"attach", submit_new, attach, attached},
    {"attach a scaled photo", shoot, attach_scaled, attached_scaled},
    {"read a file", attach_new, read_attached, nothing},
    {"sync", work_to_exchange, sync_0, synced},
    {"sync files", files_to_exchange, sync_0, files_synced},
};

/* Nothing else when the environment names one act. */
static void both_ways(const struct act *act, const struct staged *staged, enum fault_kind kind)
{
    const char *only = getenv("FAULT_ACT");
    for (int forever = 0; forever < 2; forever++)
        if (!only || strcmp(only, act->name) == 0)
            loop(act, staged, kind, forever);
}

static void all(enum fault_kind kind)
{
    for (size_t i = 0; i < sizeof acts / sizeof *acts; i++)
        both_ways(&acts[i], NULL, kind);
    for (size_t i = 0; i < STATE_ACTS; i++)
        both_ways(&state_acts[i], NULL, kind);
    for (size_t i = 0; i < CENTRE_ACTS; i++)
        both_ways(&centre_acts[i], NULL, kind);
    for (size_t i = 0; i < FILE_ACTS; i++)
        both_ways(&file_acts[i], NULL, kind);
    for (size_t i = 0; i < KEEPING_ACTS; i++)
        both_ways(&keeping_acts[i], NULL, kind);
    for (size_t i = 0; i < sizeof migrations_fail / sizeof *migrations_fail; i++)
        both_ways(&migrations_fail[i].act, &migrations_fail[i], kind);
}

static void no_failed_allocation_loses_anything(void **state)
{
    (void)state;
    all(FAULT_ALLOC);
}

static void no_failed_disk_operation_loses_anything(void **state)
{
    (void)state;
    all(FAULT_IO);
}

static void no_full_disk_loses_anything(void **state)
{
    (void)state;
    all(FAULT_FULL);
}

static void no_failed_file_call_loses_anything(void **state)
{
    (void)state;
    all(FAULT_FILE);
}

/* --- the link --------------------------------------------------------------------------------- */

enum { SLICE_MS = 20, LONG_MS = 20000 }; /* the latter is never waited for when all is well */

struct echo {
    int socket;
    char address[64];
    pthread_t thread;
    atomic_bool stop;
};

/* Faults meet the thread that armed them, and so not this one. */
static void *echo_main(void *self)
{
    struct echo *e = self;
    while (!atomic_load(&e->stop)) {
        void *p = NULL;
        int len = nn_recv(e->socket, &p, NN_MSG, 0);
        if (len < 0)
            continue;
        (void)nn_send(e->socket, p, (size_t)len, 0);
        nn_freemsg(p);
    }
    return NULL;
}

static void echo_open(struct echo *e)
{
    int slice = SLICE_MS;
    atomic_init(&e->stop, false);
    snprintf(e->address, sizeof e->address, "tcp://127.0.0.1:%d", port_free());
    e->socket = nn_socket(AF_SP, NN_REP);
    assert_true(e->socket >= 0);
    assert_int_equal(nn_setsockopt(e->socket, NN_SOL_SOCKET, NN_RCVTIMEO, &slice, sizeof slice), 0);
    assert_true(nn_bind(e->socket, e->address) >= 0);
    assert_int_equal(pthread_create(&e->thread, NULL, echo_main, e), 0);
}

static void echo_close(struct echo *e)
{
    atomic_store(&e->stop, true);
    assert_int_equal(pthread_join(e->thread, NULL), 0);
    assert_int_equal(nn_close(e->socket), 0);
}

static const char *const said[2] = {"xin chào", "chào lại"};

/* One exchange as a whole, and one in its two halves. */
static enum ocop_status exchange_twice(const char *address, struct buf replies[2],
                                       struct ocop_error *err)
{
    struct link *l = NULL;
    atomic_bool cancel = false;
    enum ocop_status st = link_nn_open(address, &l, err);
    if (st)
        return st;
    st = l->connect(l, LONG_MS, &cancel, err);
    if (!st)
        st = l->exchange(l, span_str(said[0]), LONG_MS, &cancel, &replies[0], err);
    if (!st)
        st = l->start(l, span_str(said[1]), err);
    if (!st)
        st = l->finish(l, LONG_MS, &cancel, &replies[1], err);
    l->close(l);
    return st;
}

static void no_failed_call_of_the_link_is_taken_for_an_answer(void **state)
{
    struct echo e;
    unsigned met = 0;
    (void)state;
    echo_open(&e);
    for (int forever = 0; forever < 2; forever++)
        for (unsigned round = 0, injected = 1; injected; round++) {
            struct ocop_error err = {0};
            struct buf replies[2];
            for (int i = 0; i < 2; i++)
                buf_init(&replies[i], FRAME_BYTES_MAX);
            fault_arm(FAULT_LINK, round, forever);
            enum ocop_status st = exchange_twice(e.address, replies, &err);
            injected = fault_disarm();
            met += injected > 0;
            assert_true(st == OCOP_OK ||
                        (injected && replies[1].len == 0 && err.text[0] &&
                         (st == OCOP_ENET || st == OCOP_ENOMEM || st == OCOP_ETIMEOUT)));
            for (int i = 0; i < 2; i++) {
                assert_true(replies[i].len == 0 ||
                            span_eq(buf_span(&replies[i]), span_str(said[i])));
                assert_true(st != OCOP_OK || replies[i].len > 0);
                buf_fini(&replies[i]);
            }
        }
    echo_close(&e);
    assert_true(met > 10);
    print_message("link: %u faults met\n", met);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_failed_allocation_loses_anything),
        cmocka_unit_test(no_failed_disk_operation_loses_anything),
        cmocka_unit_test(no_full_disk_loses_anything),
        cmocka_unit_test(no_failed_file_call_loses_anything),
        cmocka_unit_test(no_failed_call_of_the_link_is_taken_for_an_answer),
    };
    fault_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
