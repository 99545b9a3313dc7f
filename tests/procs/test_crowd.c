/* More of everything than a server can take: devices, peers that only take its descriptors. */
#define _GNU_SOURCE /* TCP_REPAIR */
#include "test.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "bounds.h"
#include "ocop.h"
#include "office.h"

static int open_office(void **state)
{
    struct office *o = calloc(1, sizeof *o);
    *state = o;
    office_open(o);
    return 0;
}

static int close_office(void **state)
{
    office_close(*state);
    free(*state);
    return 0;
}

static int64_t inspections(struct office *o)
{
    office_expect(o, 0, OFFICE(o, "show"), "\ninspection\t");
    return atoll(strstr(o->out, "\ninspection\t") + strlen("\ninspection\t"));
}

/* --- devices --------------------------------------------------------------------------------- */

enum { DEVICES = 16, DAY = 6, MONTH = 300, ROUNDS_MAX = 50, TRIES_MAX = 100000 };

struct device {
    const struct office *office;
    char path[PROCESS_PATH_MAX];
    unsigned work, busy;
    pthread_t thread;
    pthread_barrier_t *together;
    char wrong[400]; /* "": nothing */
};

static enum ocop_status submit(struct ocop_store *s, const struct office_record *record,
                               struct ocop_error *err)
{
    ProtobufCMessage *m = NULL;
    enum ocop_status st = ocop_new(s, "inspection", &m, err);
    for (size_t i = 0; !st && record->text[i][0]; i++)
        st = ocop_set_text(s, &m, record->text[i], err);
    if (!st)
        st = ocop_submit(s, m, err);
    ocop_free(m);
    return st;
}

/* An impatient device: it comes back at once, whatever it was told. */
static enum ocop_status sync_at_last(struct device *d, struct ocop_store *s, struct ocop_error *err)
{
    struct ocop_sync_summary sum;
    enum ocop_status st = OCOP_EBUSY;
    unsigned applied = 0;
    for (int i = 0; st == OCOP_EBUSY && i < TRIES_MAX; i++) {
        st = ocop_sync(s, NULL, &sum, err);
        applied += sum.applied;
        if (applied + sum.left != d->work)
            snprintf(d->wrong, sizeof d->wrong, "%u applied, %u left", applied, sum.left);
        if (st == OCOP_EBUSY && (sum.complete || sum.retry_after_ms < BUSY_MS_MIN))
            snprintf(d->wrong, sizeof d->wrong, "busy, but back in %d ms", sum.retry_after_ms);
        d->busy += st == OCOP_EBUSY;
    }
    return st;
}

static void *work_and_sync(void *self)
{
    struct device *d = self;
    struct ocop_store *s;
    struct ocop_error err = {0};
    struct office_record record = {.args = {NULL}};
    enum ocop_status st = ocop_open(d->path, NULL, &s, &err);
    office_record_fill(d->office, "inspection", 0, "một", &record);
    for (unsigned i = 0; !st && i < d->work; i++)
        st = submit(s, &record, &err);
    pthread_barrier_wait(d->together);
    if (!st)
        st = sync_at_last(d, s, &err);
    if (st)
        snprintf(d->wrong, sizeof d->wrong, "%s", err.text);
    ocop_close(s);
    return NULL;
}

/* All of them record and sync at once. @return how often one was turned away */
static unsigned a_round(struct device *devices)
{
    pthread_barrier_t together;
    unsigned busy = 0;
    assert_int_equal(pthread_barrier_init(&together, NULL, DEVICES), 0);
    for (unsigned n = 0; n < DEVICES; n++) {
        devices[n].together = &together;
        devices[n].busy = 0;
        assert_int_equal(pthread_create(&devices[n].thread, NULL, work_and_sync, &devices[n]), 0);
    }
    for (unsigned n = 0; n < DEVICES; n++) {
        assert_int_equal(pthread_join(devices[n].thread, NULL), 0);
        if (devices[n].wrong[0])
            fail_msg("device %u: %s", n, devices[n].wrong);
        busy += devices[n].busy;
    }
    pthread_barrier_destroy(&together);
    return busy;
}

static void more_devices_than_may_wait_are_turned_away_and_all_their_work_arrives(void **state)
{
    struct office *o = *state;
    static struct device devices[DEVICES];
    char name[8];
    unsigned busy = 0, recorded = 0;
    office_serve(o, (const char *const[]){"--queue", "1", NULL}, NULL); /* one waits, no more */
    for (unsigned n = 0; n < DEVICES; n++) {
        snprintf(name, sizeof name, "d%u", n);
        office_enrol(o, name, name, office_units[0]);
        devices[n] = (struct device){.office = o, .work = n ? DAY : MONTH};
        office_path(o, name, devices[n].path);
    }
    for (int round = 0; busy < DEVICES && round < ROUNDS_MAX; round++) {
        busy += a_round(devices);
        for (unsigned n = 0; n < DEVICES; n++) {
            recorded += devices[n].work;
            devices[n].work = DAY;
        }
    }
    assert_true(busy >= DEVICES);
    assert_int_equal(inspections(o), recorded);
    office_expect(o, 0, DEVICE(o, "d0", "status"), "waiting:     0\n");
    process_read(o->server.err, o->err);
    assert_non_null(strstr(o->err, "event=busy "));
    assert_non_null(strstr(o->err, "status=EBUSY"));
    office_stop(o);
    office_expect(o, 0, OFFICE(o, "verify"), "tables: equal");
}

/* --- peers ----------------------------------------------------------------------------------- */

enum {
    FEW_DESCRIPTORS = 80,
    PEERS_MAX = 4000,
    SPARE = 200, /* descriptors that a test needs besides */
    WINDOWS_MAX = 20,
    BUSY_TICKS = 60,
    SLOW_BYTES = 3,
    TELL_S = 10 /* between lines about descriptors */
};

/* What a peer does with its connection. */
enum habit { SILENT, SAYS_HELLO, SLOW, GONE, HABITS };

static const uint8_t hello[8] = {0, 'S', 'P', 0, 0, 0x30, 0, 0};

/* Waits for the server's first words, or for the end, so that the next comes when this one was
 * taken. A peer that is gone leaves without a word: the server's end stays open. That takes rights;
 * without them it only says nothing more. */
static int peer_open(const struct office *o, enum habit habit)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                            .sin_port = htons((uint16_t)atoi(strrchr(o->listen, ':') + 1))};
    uint8_t words[8];
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1;
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
    if (habit != SILENT)
        send(fd, hello, sizeof hello, MSG_NOSIGNAL);
    if (habit == SLOW) /* a message of 200 bytes begins */
        send(fd, (const uint8_t[8]){0, 0, 0, 0, 0, 0, 0, 200}, 8, MSG_NOSIGNAL);
    (void)!recv(fd, words, sizeof words, MSG_WAITALL);
    if (habit != GONE || setsockopt(fd, IPPROTO_TCP, TCP_REPAIR, &yes, sizeof yes) != 0)
        return fd;
    close(fd);
    return -1;
}

/* As many as this process may hold. */
static size_t peers_open(const struct office *o, int fd[PEERS_MAX], size_t most)
{
    size_t by_habit[HABITS] = {0}, gone = 0;
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    if (most > limit.rlim_cur - SPARE)
        most = (size_t)limit.rlim_cur - SPARE;
    for (size_t i = 0; i < most; i++) {
        fd[i] = peer_open(o, (enum habit)(i % HABITS));
        by_habit[i % HABITS]++;
        gone += fd[i] < 0;
    }
    print_message("%zu peers: %zu silent, %zu that say hello, %zu slow, %zu half-open (%zu of them "
                  "without a word)\n",
                  most, by_habit[SILENT], by_habit[SAYS_HELLO], by_habit[SLOW], by_habit[GONE],
                  gone);
    return most;
}

static void peers_close(int fd[PEERS_MAX], size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (fd[i] >= 0)
            close(fd[i]);
}

static void record_and_sync(struct office *o)
{
    char id[40];
    office_record(o, "an", "inspection", 0, "một", id);
    office_expect(o, 0, DEVICE(o, "an", "sync"), "applied:       1");
}

static double seconds(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* While this process works, the server, which has nothing to do, must neither work nor be woken but
 * to look whether it is to stop: ten times a second. False when it did more than that. */
static bool server_rests(struct office *o)
{
    const unsigned long ticks = process_ticks(&o->server), wakeups = process_wakeups(&o->server);
    const double begin = seconds(CLOCK_MONOTONIC);
    const double end =
        seconds(CLOCK_PROCESS_CPUTIME_ID) + (double)BUSY_TICKS / (double)sysconf(_SC_CLK_TCK);
    while (seconds(CLOCK_PROCESS_CPUTIME_ID) < end)
        ;
    const unsigned long took = process_ticks(&o->server) - ticks,
                        woken = process_wakeups(&o->server) - wakeups;
    const double most = 50 + 30 * (seconds(CLOCK_MONOTONIC) - begin);
    const bool rests = took <= BUSY_TICKS / 4 && (double)woken <= most;
    if (!rests)
        print_message("not at rest yet: %lu ticks of %d, woken %lu times of %.0f\n", took,
                      BUSY_TICKS, woken, most);
    return rests;
}

/* It may still have been told of thousands of connections; but it comes to rest. */
static void server_must_rest(struct office *o)
{
    for (unsigned i = 0; i < WINDOWS_MAX; i++)
        if (server_rests(o))
            return;
    fail_msg("the server does not come to rest");
}

static void idle_peers_neither_stop_service_nor_make_the_server_spin(void **state)
{
    const struct process_limits few = {.descriptors = FEW_DESCRIPTORS};
    struct office *o = *state;
    static int fd[PEERS_MAX];
    office_serve(o, NULL, &few);
    office_enrol(o, "an", "Nguyễn Thị An", office_units[0]);
    const size_t count = peers_open(o, fd, 300);
    for (int i = 0; i < 3; i++) /* they are still there, and a device is served */
        record_and_sync(o);
    server_must_rest(o);
    process_read(o->server.err, o->err);
    assert_non_null(strstr(o->err, "connections_ended="));
    peers_close(fd, count);
    record_and_sync(o);
}

static size_t descriptors_of(const struct process *p)
{
    char path[64];
    size_t count = 0;
    snprintf(path, sizeof path, "/proc/%d/fd", (int)p->pid);
    DIR *d = opendir(path);
    assert_non_null(d);
    while (readdir(d))
        count++;
    closedir(d);
    return count;
}

/* Each byte of a slow peer may wake the server, once for the thread that reads. */
static void peers_by_the_thousand_cost_no_more_than_what_they_send(void **state)
{
    struct office *o = *state;
    static int fd[PEERS_MAX];
    unsigned long sent = 0;
    office_serve(o, NULL, NULL);
    office_enrol(o, "an", "Nguyễn Thị An", office_units[0]);
    const size_t count = peers_open(o, fd, PEERS_MAX);
    record_and_sync(o);
    server_must_rest(o);
    assert_true(descriptors_of(&o->server) >
                count / 2); /* nanomsg itself ends those that are silent */
    const unsigned long before = process_wakeups(&o->server);
    const double begin = seconds(CLOCK_MONOTONIC);
    for (int i = 0; i < SLOW_BYTES; i++) {
        for (size_t k = SLOW; k < count; k += HABITS)
            sent += send(fd[k], "", 1, MSG_NOSIGNAL) == 1;
        record_and_sync(o);
    }
    const unsigned long woken = process_wakeups(&o->server) - before;
    assert_true(sent >= count / HABITS);
    const double most = 2 * (double)sent + 1000 + 30 * (seconds(CLOCK_MONOTONIC) - begin);
    print_message("%lu bytes, %lu wakeups\n", sent, woken);
    if ((double)woken > most)
        fail_msg("%lu bytes woke the server %lu times", sent, woken);
    server_must_rest(o);
    peers_close(fd, count);
    record_and_sync(o);
}

static unsigned lines_with(const char *text, const char *what)
{
    unsigned n = 0;
    while ((text = strstr(text, what))) {
        text += strlen(what);
        n++;
    }
    return n;
}

static void descriptors_that_run_out_are_told_now_and_then_and_come_back(void **state)
{
    const struct process_limits some = {.descriptors = 500};
    struct office *o = *state;
    static int fd[PEERS_MAX];
    const double begin = seconds(CLOCK_MONOTONIC);
    office_serve(o, NULL, &some);
    office_enrol(o, "an", "Nguyễn Thị An", office_units[0]);
    const size_t count = peers_open(o, fd, PEERS_MAX);
    record_and_sync(o);
    server_must_rest(o);
    peers_close(fd, count);
    record_and_sync(o);
    process_read(o->server.err, o->err);
    const char *line = strstr(o->err, "connections_ended=");
    assert_non_null(line);
    assert_non_null(strstr(line, "advice=\"raise the limit or cap connections in front\""));
    const double told = lines_with(o->err, "connections_ended=");
    assert_true(told <= 2 + (seconds(CLOCK_MONOTONIC) - begin) / TELL_S);
    office_stop(o);
    office_expect(o, 0, OFFICE(o, "verify"), "tables: equal");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_office, close_office)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(more_devices_than_may_wait_are_turned_away_and_all_their_work_arrives),
        TEST(idle_peers_neither_stop_service_nor_make_the_server_spin),
        TEST(peers_by_the_thousand_cost_no_more_than_what_they_send),
        TEST(descriptors_that_run_out_are_told_now_and_then_and_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
