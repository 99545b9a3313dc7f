/* The two programs over bad lines: slow and lossy, cut in the middle of a message, a web page in
 * the server's place, nobody behind an open connection, requests that are repeated, peers that do
 * not read. */
#include "test.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bounds.h"
#include "day.h"
#include "line.h"
#include "office.h"

enum { TRIES_MAX = 60 };

/* 100 kbit/s, 300 ms there and back, 5 of 100 segments lost and sent again by TCP. */
static const struct line_options edge = {
    .bytes_per_s = 12500, .delay_ms = 150, .loss_percent = 5, .stall_ms = 600, .seed = 3};
static const struct line_options good = {0};

struct world {
    struct office office;
    struct line *line;
};

static int server_port(const struct office *o)
{
    return atoi(strrchr(o->listen, ':') + 1);
}

static int open_world(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    *state = w;
    office_open(&w->office);
    w->line = line_open(server_port(&w->office), &good);
    strcpy(w->office.address, line_address(w->line));
    office_serve(&w->office, NULL, NULL);
    office_enrol(&w->office, "an", "Nguyễn Thị An", office_units[0]);
    return 0;
}

static int close_world(void **state)
{
    struct world *w = *state;
    office_close(&w->office);
    line_close(w->line);
    free(w);
    return 0;
}

#define SYNC(o) DEVICE(o, "an", "sync", "--connect-timeout", "1", "--timeout", "20")

static int64_t rows(struct office *o, const char *kind)
{
    char start[40];
    snprintf(start, sizeof start, "\n%s\t", kind);
    office_expect(o, 0, OFFICE(o, "show"), start);
    return atoll(strstr(o->out, start) + strlen(start));
}

static void expect_state(struct office *o, const char *id, const char *state)
{
    char want[40];
    snprintf(want, sizeof want, "\"state\":\"%s\"", state);
    office_expect(o, 0, DEVICE(o, "an", "status", id, "--json"), want);
}

/* 4 KiB are what passes on the connection both ways: nanomsg's own bytes too. */
static void a_days_work_gets_through_edge_in_one_round_trip_and_under_4_kib(void **state)
{
    struct world *w = *state;
    struct office *o = &w->office;
    char store[PROCESS_PATH_MAX];
    office_path(o, "an", store);
    day_record(store, o->producer_ids[0], o->product_ids[0]);
    line_set(w->line, &edge);
    const struct line_counts before = line_counts(w->line);
    office_expect(o, 0, DEVICE(o, "an", "sync", "--json"), "\"roundTrips\":1,");
    const struct line_counts after = line_counts(w->line);
    const uint64_t up = after.up - before.up, down = after.down - before.down;
    assert_non_null(strstr(o->out, "\"pushed\":50,\"applied\":50,"));
    assert_non_null(strstr(o->out, "\"complete\":true"));
    assert_int_equal(rows(o, "inspection"), DAY_INSPECTIONS);
    assert_int_equal(rows(o, "sample"), DAY_SAMPLES);
    print_message("a day's work: %u bytes up, %u down\n", (unsigned)up, (unsigned)down);
    assert_in_range(up + down, 1000, 4096);
}

/* The first bytes are nanomsg's own; a request begins at 8. */
static void a_line_cut_in_the_middle_loses_nothing_and_the_next_sync_goes_on(void **state)
{
    static const struct line_options cuts[] = {
        {.cut_up = 4},   {.cut_up = 12},   {.cut_up = 100},  {.cut_up = 300},
        {.cut_down = 4}, {.cut_down = 12}, {.cut_down = 20}, {.cut_down = 90},
    };
    struct world *w = *state;
    struct office *o = &w->office;
    char id[40];
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
        office_record(o, "an", "inspection", 0, "một", id);
        line_set(w->line, &cuts[i]);
        office_expect(o, 6, SYNC(o), "ocop: ");
        expect_state(o, id, "waiting");
        line_set(w->line, &good);
        office_expect(o, 0, SYNC(o), "pushed:          1\n  applied:       1\n");
        expect_state(o, id, "accepted");
        assert_int_equal(rows(o, "inspection"), i + 1);
    }
    assert_true(line_counts(w->line).cuts >= sizeof cuts / sizeof *cuts);
}

static void what_is_synced_often_enough_gets_through_any_line(void **state)
{
    static const struct line_options awful = {
        .bytes_per_s = 200000, .loss_percent = 20, .stall_ms = 20, .cut_percent = 15, .seed = 5};
    struct world *w = *state;
    struct office *o = &w->office;
    char id[40], notes[1200];
    unsigned tries = 0;
    memset(notes, 'x', sizeof notes - 1);
    notes[sizeof notes - 1] = '\0';
    for (int i = 0; i < 12; i++) {
        for (int k = 0; k < 1100; k++) /* nothing that a code could make short */
            notes[k] = (char)('!' + (k * 7919 + i * 104729 + k * k * 31) % 90);
        office_record(o, "an", "inspection", 0, notes, id);
    }
    line_set(w->line, &awful);
    while (SYNC(o) != 0) {
        office_expect(o, 6, 6, "");
        assert_true(++tries < TRIES_MAX);
    }
    assert_true(line_counts(w->line).cuts >= 1);
    office_expect(o, 0, DEVICE(o, "an", "status"), "waiting:     0\n");
    assert_int_equal(rows(o, "inspection"), 12);
}

static void a_sign_in_page_in_the_servers_place_is_told_as_such_and_changes_nothing(void **state)
{
    static const struct line_options portal = {.kind = LINE_PORTAL};
    struct world *w = *state;
    struct office *o = &w->office;
    char id[40];
    office_record(o, "an", "inspection", 0, "một", id);
    line_set(w->line, &portal);
    office_expect(o, 6, SYNC(o), "sign-in page");
    expect_state(o, id, "waiting");
    office_expect(o, 0, DEVICE(o, "an", "check"), "the store is sound");
    line_set(w->line, &good);
    office_expect(o, 0, SYNC(o), "applied:       1");
}

static void nobody_behind_an_open_connection_ends_by_the_time_out(void **state)
{
    static const struct line_options deaf = {.kind = LINE_DEAF};
    struct world *w = *state;
    struct office *o = &w->office;
    char id[40];
    office_record(o, "an", "inspection", 0, "một", id);
    line_set(w->line, &deaf);
    office_expect(o, 6, DEVICE(o, "an", "sync", "--connect-timeout", "1", "--timeout", "1"),
                  "could not be reached");
    expect_state(o, id, "waiting");
    line_set(w->line, &good);
    office_expect(o, 0, SYNC(o), "applied:       1");
}

/* Connected, and then nothing more is heard, as in a tunnel. */
static void an_answer_that_never_comes_ends_by_the_time_out(void **state)
{
    struct world *w = *state;
    struct office *o = &w->office;
    char id[40];
    static const struct line_options tunnel = {.hold_down = 8};
    office_record(o, "an", "inspection", 0, "một", id);
    line_set(w->line, &tunnel);
    office_expect(o, 6, DEVICE(o, "an", "sync", "--connect-timeout", "5", "--timeout", "1"),
                  "no reply from");
    expect_state(o, id, "waiting");
    line_set(w->line, &good);
    office_expect(o, 0, SYNC(o), "applied:       1");
    assert_int_equal(rows(o, "inspection"), 1);
}

/* The phone comes from one mast to another, or from Wi-Fi to the mast: its address is another one,
 * and the connection under the running sync is gone, without a word or with one, while the request
 * was on its way or while the reply was. */
static void an_address_that_changes_in_mid_sync_costs_another_sync_and_nothing_else(void **state)
{
    static const struct {
        struct line_options before;
        uint64_t up, down; /* bytes that have come by then, nanomsg's first 8 among them */
        bool taken;        /* by the registry */
    } cases[] = {
        {{.bytes_per_s = 50}, 100, 8, false},
        {{.hold_down = 60}, 100, 60, true},
    };
    struct world *w = *state;
    struct office *o = &w->office;
    char id[40], store[PROCESS_PATH_MAX], name[PROCESS_PATH_MAX];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct process p = {0};
        office_record(o, "an", "inspection", 0, "một", id);
        line_set(w->line, &cases[i].before);
        const struct line_counts so_far = line_counts(w->line);
        process_start(&p, office_path(o, "sync", name), process_ocop(),
                      (const char *const[]){"--store", office_path(o, "an", store), "sync",
                                            "--timeout", "3", NULL},
                      NULL, NULL);
        line_await_bytes(w->line, so_far.up + cases[i].up, so_far.down + cases[i].down);
        if (cases[i].taken)
            assert_int_equal(rows(o, "inspection"), i + 1);
        line_set(w->line, &good); /* the old connection ends, a new one would pass */
        assert_int_equal(process_finish(&p), 6);
        expect_state(o, id, "waiting");
        office_expect(o, 0, SYNC(o), "pushed:          1\n  applied:       1\n");
        expect_state(o, id, "accepted");
        assert_int_equal(rows(o, "inspection"), i + 1);
    }
    office_stop(o);
    office_expect(o, 0, OFFICE(o, "verify"), "tables: equal");
}

static void a_sync_that_waits_is_cancelled_and_recording_goes_on_meanwhile(void **state)
{
    static const struct line_options deaf = {.kind = LINE_DEAF};
    struct world *w = *state;
    struct office *o = &w->office;
    struct process p = {0};
    char first[40], second[40], store[PROCESS_PATH_MAX], name[PROCESS_PATH_MAX], *said;
    office_record(o, "an", "inspection", 0, "một", first);
    line_set(w->line, &deaf);
    const unsigned before = line_counts(w->line).connections;
    process_start(&p, office_path(o, "sync", name), process_ocop(),
                  (const char *const[]){"--store", office_path(o, "an", store), "sync",
                                        "--connect-timeout", "60", NULL},
                  NULL, NULL);
    line_await(w->line, before + 1);
    office_record(o, "an", "inspection", 0, "hai", second);
    assert_false(process_ended(&p, 0));
    assert_int_equal(kill(p.pid, SIGINT), 0);
    assert_int_equal(process_finish(&p), 7);
    said = o->err;
    process_read(p.err, said);
    assert_non_null(strstr(said, "cancelled"));
    line_set(w->line, &good);
    office_expect(o, 0, SYNC(o), "applied:       2");
}

static void requests_that_are_sent_again_and_again_change_nothing(void **state)
{
    static const struct line_options again = {.repeats = 3};
    struct world *w = *state;
    struct office *o = &w->office;
    char id[3][40];
    line_set(w->line, &again);
    for (int i = 0; i < 3; i++) {
        office_record(o, "an", "inspection", 0, "một", id[i]);
        office_expect(o, 0, SYNC(o), "pushed:          1\n  applied:       1\n");
        office_expect(o, 0,
                      DEVICE(o, "an", "amend", id[i], "--reason", "sửa", "--set", "notes=hai"), "");
        office_expect(o, 0, SYNC(o), "pushed:          1\n  applied:       1\n");
        expect_state(o, id[i], "accepted");
    }
    assert_int_equal(line_counts(w->line).requests, 6);
    assert_int_equal(rows(o, "inspection"), 3);
    office_expect(o, 0, OFFICE(o, "cases"), "no open cases");
    office_expect(o, 0, DEVICE(o, "an", "check"), "the store is sound");
    office_stop(o);
    office_expect(o, 0, OFFICE(o, "verify"), "tables: equal");
}

/* --- peers that do not read ------------------------------------------------------------------ */

enum { DEAF_PEERS = 8, DEAF_REQUESTS = 150 };

/* A peer that asks and asks, and never takes an answer. */
static int deaf_peer(int port, const uint8_t *request, size_t len)
{
    static const uint8_t hello[8] = {0, 'S', 'P', 0, 0, 0x30, 0, 0};
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                            .sin_port = htons((uint16_t)port)};
    const int fd = socket(AF_INET, SOCK_STREAM, 0), small = 1;
    assert_true(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(send(fd, hello, sizeof hello, MSG_NOSIGNAL), sizeof hello);
    for (int i = 0; i < DEAF_REQUESTS; i++)
        if (send(fd, request, len, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)len)
            break;
    return fd;
}

static long memory_kib(struct office *o)
{
    char path[40];
    snprintf(path, sizeof path, "/proc/%d/status", (int)o->server.pid);
    process_read(path, o->out);
    const char *line = strstr(o->out, "VmHWM:");
    assert_non_null(line);
    return atol(line + strlen("VmHWM:"));
}

static void peers_that_never_read_neither_hold_up_others_nor_fill_memory(void **state)
{
    static const struct line_options keep = {.repeats = 1};
    static uint8_t request[FRAME_BYTES_MAX];
    struct world *w = *state;
    struct office *o = &w->office;
    char id[40];
    int fd[DEAF_PEERS];
    line_set(w->line, &keep);
    office_enrol(o, "binh", "Trần Văn Bình", office_units[2]); /* its first page is the largest */
    const size_t len = line_request(w->line, request, sizeof request);
    line_set(w->line, &good);
    const long before = memory_kib(o);
    for (int i = 0; i < DEAF_PEERS; i++)
        fd[i] = deaf_peer(server_port(o), request, len);
    for (int i = 0; i < 3; i++) {
        office_record(o, "an", "inspection", 0, "một", id);
        office_expect(o, 0, SYNC(o), "applied:       1");
    }
    assert_true(memory_kib(o) < before + 32 * 1024);
    for (int i = 0; i < DEAF_PEERS; i++)
        close(fd[i]);
    office_record(o, "an", "inspection", 0, "một", id);
    office_expect(o, 0, SYNC(o), "applied:       1");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_days_work_gets_through_edge_in_one_round_trip_and_under_4_kib),
        TEST(a_line_cut_in_the_middle_loses_nothing_and_the_next_sync_goes_on),
        TEST(what_is_synced_often_enough_gets_through_any_line),
        TEST(a_sign_in_page_in_the_servers_place_is_told_as_such_and_changes_nothing),
        TEST(nobody_behind_an_open_connection_ends_by_the_time_out),
        TEST(an_answer_that_never_comes_ends_by_the_time_out),
        TEST(an_address_that_changes_in_mid_sync_costs_another_sync_and_nothing_else),
        TEST(a_sync_that_waits_is_cancelled_and_recording_goes_on_meanwhile),
        TEST(requests_that_are_sent_again_and_again_change_nothing),
        TEST(peers_that_never_read_neither_hold_up_others_nor_fill_memory),
    };
    /* Under that sanitizer memory that a program gave back is kept; here only little of it. */
    setenv("ASAN_OPTIONS", "quarantine_size_mb=1", 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
