/* The server behind real sockets, in a thread: many devices at once, one peer that floods, and
 * replies that cannot be sent. */
#include "test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <nanomsg/nn.h>
#include <nanomsg/reqrep.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bounds.h"
#include "frame.h"
#include "serve.h"
#include "world.h"

enum { DEVICES = 6, SYNCS = 4, FLOOD = 2000, WORKERS = 3 };

/* --- a server whose log is read --- */

struct served {
    struct world world;
    struct env env;
    char address[64];
    pthread_t thread;
    sem_t ready;
    /* from the log */
    int exchanges, batch_max, dropped;
};

/* Set by the signal, which is sent to the serving thread alone. */
static volatile sig_atomic_t stop;

static void on_signal(int number)
{
    (void)number;
    stop = 1;
}

/* All lines come from the thread that serves. */
static void read_log(void *self, enum env_level level, const char *line)
{
    struct served *s = self;
    const char *batch = strstr(line, " batch=");
    (void)level;
    if (!strstr(line, "event=exchange") || !batch)
        return;
    int n = atoi(batch + 7);
    s->exchanges++;
    s->dropped += strstr(line, " reply=dropped") != NULL;
    if (n > s->batch_max)
        s->batch_max = n;
}

static int64_t now_ms(void *self)
{
    (void)self;
    return env_now_ms(env_system());
}

static int64_t mono_ms(void *self)
{
    (void)self;
    return env_mono_ms(env_system());
}

static void random_bytes(void *self, void *out, size_t len)
{
    (void)self;
    env_random(env_system(), out, len);
}

static void say_ready(void *self, const char *address)
{
    struct served *s = self;
    (void)address;
    assert_int_equal(sem_post(&s->ready), 0);
}

static _Thread_local bool serving;

static void *serve_main(void *self)
{
    struct served *s = self;
    struct ocop_error err = {0};
    struct serve_options options = {.listen = {s->address},
                                    .batch_max = BATCH_REQUESTS_MAX,
                                    .workers = WORKERS,
                                    .ready = say_ready,
                                    .self = s};
    serving = true;
    if (serve(s->world.registry, &s->world.keys, &options, &stop, &err) != OCOP_OK)
        (void)fprintf(stderr, "%s\n", err.text);
    return NULL;
}

static int free_port(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    close(fd);
    return ntohs(a.sin_port);
}

static int setup(void **state)
{
    struct served *s = calloc(1, sizeof *s);
    *state = s;
    world_open(&s->world);
    for (unsigned n = 0; n < DEVICES; n++)
        world_enrol(&s->world, n);
    s->env = (struct env){now_ms, mono_ms, random_bytes, read_log, s};
    s->world.registry->env = &s->env;
    snprintf(s->address, sizeof s->address, "tcp://127.0.0.1:%d", free_port());
    stop = 0;
    assert_int_equal(sem_init(&s->ready, 0, 0), 0);
    assert_int_equal(pthread_create(&s->thread, NULL, serve_main, s), 0);
    assert_int_equal(sem_wait(&s->ready), 0);
    return 0;
}

static void end_serving(struct served *s)
{
    assert_int_equal(pthread_kill(s->thread, SIGUSR1), 0);
    assert_int_equal(pthread_join(s->thread, NULL), 0);
}

static int teardown(void **state)
{
    struct served *s = *state;
    sem_destroy(&s->ready);
    world_close(&s->world);
    free(s);
    return 0;
}

/* --- devices --- */

struct field_day {
    struct served *s;
    unsigned n;
    pthread_t thread;
    enum ocop_status status;
    unsigned applied;
    struct ocop_error err;
};

/* A device's store, over a link of its own to the server. */
static void go_online(struct served *s, unsigned n)
{
    char path[128];
    struct link *link;
    struct ocop_error err = {0};
    ocop_close(s->world.stores[n]);
    assert_int_equal(link_nn_open(s->address, &link, &err), OCOP_OK);
    struct ocop_options options = {.link = link};
    snprintf(path, sizeof path, "%s/%u.ocop", s->world.dir, n);
    assert_int_equal(ocop_open(path, &options, &s->world.stores[n], &err), OCOP_OK);
}

static void *sync_often(void *self)
{
    struct field_day *d = self;
    for (int i = 0; i < SYNCS && !d->status; i++) {
        struct ocop_sync_summary sum;
        d->status = ocop_sync(d->s->world.stores[d->n], NULL, &sum, &d->err);
        d->applied += sum.applied;
    }
    return NULL;
}

static void devices_that_sync_at_once_are_all_answered_and_lose_nothing(void **state)
{
    struct served *s = *state;
    struct field_day days[DEVICES];
    for (unsigned n = 0; n < DEVICES; n++) {
        go_online(s, n);
        for (unsigned i = 0; i <= n; i++)
            world_inspect(&s->world, n, "pass");
        days[n] = (struct field_day){.s = s, .n = n};
    }
    for (unsigned n = 0; n < DEVICES; n++)
        assert_int_equal(pthread_create(&days[n].thread, NULL, sync_often, &days[n]), 0);
    for (unsigned n = 0; n < DEVICES; n++) {
        assert_int_equal(pthread_join(days[n].thread, NULL), 0);
        if (days[n].status != OCOP_OK)
            fail_msg("device %u: %s", n, days[n].err.text);
        assert_int_equal(days[n].applied, n + 1);
    }
    end_serving(s);
    assert_in_range(s->exchanges, DEVICES * SYNCS, INT32_MAX);
    assert_int_equal(world_count(&s->world, "SELECT count(*) FROM inspection"),
                     DEVICES * (DEVICES + 1) / 2);
}

/* --- a flood --- */

static int flood_open(struct served *s)
{
    int socket = nn_socket(AF_SP_RAW, NN_REQ);
    assert_true(socket >= 0);
    assert_true(nn_connect(socket, s->address) >= 0);
    return socket;
}

/* One message that is for the server's key and opens with nothing. */
static void flood_send(struct served *s, int socket)
{
    uint8_t frame[200] = {1}, id[4] = {0x80, 0, 0, 1};
    uint8_t control[NN_CMSG_SPACE(sizeof(size_t) + sizeof id)] = {0};
    struct nn_cmsghdr head = {sizeof control, PROTO_SP, SP_HDR};
    size_t len = sizeof id;
    struct nn_iovec iov = {frame, sizeof frame};
    struct nn_msghdr header = {&iov, 1, control, sizeof control};
    memcpy(control, &head, sizeof head);
    memcpy(control + sizeof head, &len, sizeof len);
    memcpy(control + sizeof head + sizeof len, id, sizeof id);
    frame_key_id(s->world.keys.channel[0].public_key, frame + 1);
    assert_int_equal(nn_sendmsg(socket, &header, 0), sizeof frame);
}

static void whoever_floods_has_one_request_in_a_batch(void **state)
{
    struct served *s = *state;
    int socket = flood_open(s);
    go_online(s, 1);
    world_inspect(&s->world, 1, "pass");
    for (int i = 0; i < FLOOD; i++)
        flood_send(s, socket);
    world_sync(&s->world, 1);
    assert_int_equal(nn_close(socket), 0);
    end_serving(s);
    assert_in_range(s->exchanges, 10, INT32_MAX); /* the flood came through */
    assert_in_range(s->batch_max, 1, 2);          /* two connections */
    assert_int_equal(world_count(&s->world, "SELECT count(*) FROM inspection"), 1);
}

/* --- replies that cannot be sent --- */

static atomic_int to_fail; /* of the next replies */
static atomic_int with;    /* this error */

int __real_nn_sendmsg(int socket, const struct nn_msghdr *header, int flags);
int __wrap_nn_sendmsg(int socket, const struct nn_msghdr *header, int flags);

int __wrap_nn_sendmsg(int socket, const struct nn_msghdr *header, int flags)
{
    if (!serving || atomic_load(&to_fail) == 0)
        return __real_nn_sendmsg(socket, header, flags);
    atomic_fetch_sub(&to_fail, 1);
    errno = atomic_load(&with);
    return -1;
}

static void a_reply_that_cannot_be_sent_is_all_that_is_lost(void **state)
{
    static const int never[] = {EAGAIN, EFSM, ENOMEM};
    const struct ocop_sync_options soon = {.exchange_timeout_ms = 300};
    struct served *s = *state;
    go_online(s, 1);
    world_inspect(&s->world, 1, "pass");
    atomic_store(&with, EINTR);
    atomic_store(&to_fail, 2);
    assert_int_equal(world_sync(&s->world, 1).pushed, 1);
    assert_int_equal(atomic_load(&to_fail), 0);
    for (size_t i = 0; i < 3; i++) {
        struct ocop_error err = {0};
        world_inspect(&s->world, 1, "fail");
        atomic_store(&with, never[i]);
        atomic_store(&to_fail, 1);
        assert_int_equal(ocop_sync(s->world.stores[1], &soon, NULL, &err), OCOP_ETIMEOUT);
        assert_int_equal(world_sync(&s->world, 1).pushed, 1);
    }
    end_serving(s);
    assert_int_equal(s->dropped, 3);
    assert_int_equal(world_count(&s->world, "SELECT count(*) FROM inspection"), 4);
}

int main(void)
{
    struct sigaction end = {.sa_handler = on_signal};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(devices_that_sync_at_once_are_all_answered_and_lose_nothing,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(whoever_floods_has_one_request_in_a_batch, setup, teardown),
        cmocka_unit_test_setup_teardown(a_reply_that_cannot_be_sent_is_all_that_is_lost, setup,
                                        teardown),
    };
    if (sigaction(SIGUSR1, &end, NULL) != 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
