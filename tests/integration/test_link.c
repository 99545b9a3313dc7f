/* The real link against a peer of raw nanomsg in a thread: what it carries, and how it gives up. */
#include "link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <nanomsg/nn.h>
#include <nanomsg/reqrep.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bounds.h"
#include "port.h"
#include "test.h"

enum {
    LONG_MS = 20000, /* never waited for when all is well */
    SHORT_MS = 60,
    PEER_SLICE_MS = 20,
    ADDRESS_MAX = 64,
    RUDE_TRIES = 3,
    TWICE_BYTES = 100 /* more than nanomsg keeps inside its own structures */
};

enum habit {
    ECHO,     /* answers with what it was asked */
    SILENT,   /* takes and never answers */
    LATE,     /* has the first request cancelled, answers it when the second comes, then that */
    CANCELS,  /* sets the client's flag when the request has come, and never answers */
    TWICE,    /* gives each answer more than once, and others that nobody asked for */
    OVERSIZED /* answers with more than a link takes */
};

struct held {
    void *body, *head;
};

struct peer {
    enum habit habit;
    int socket;
    char address[ADDRESS_MAX];
    pthread_t thread;
    atomic_bool stop, cancel;
    struct held first;
};

/* --- the peer --- */

static bool take(struct peer *p, struct held *out)
{
    struct nn_iovec iov = {&out->body, NN_MSG};
    struct nn_msghdr header = {&iov, 1, &out->head, NN_MSG};

    return nn_recvmsg(p->socket, &header, 0) >= 0;
}

static void give(struct peer *p, struct held *h)
{
    struct nn_iovec iov = {&h->body, NN_MSG};
    struct nn_msghdr header = {&iov, 1, &h->head, NN_MSG};

    if (nn_sendmsg(p->socket, &header, 0) < 0)
        abort();
    *h = (struct held){NULL, NULL};
}

static struct held copy_of(const struct held *h)
{
    const size_t len = ((const struct nn_cmsghdr *)h->head)->cmsg_len;
    struct held copy = {nn_allocmsg(TWICE_BYTES, 0), nn_allocmsg(len, 0)};

    if (!copy.body || !copy.head)
        abort();
    memcpy(copy.body, h->body, TWICE_BYTES);
    memcpy(copy.head, h->head, len);
    return copy;
}

/* Once more what was answered, and an answer to a request of another number. */
static void give_again(struct peer *p, const struct held *h)
{
    for (int i = 0; i < 4; i++) {
        struct held copy = copy_of(h);
        ((uint8_t *)copy.head)[((const struct nn_cmsghdr *)copy.head)->cmsg_len - 1] ^=
            (uint8_t)(i % 2 << 7);
        give(p, &copy);
    }
}

static void discard(struct held *h)
{
    if (h->body)
        nn_freemsg(h->body);
    if (h->head)
        nn_freemsg(h->head);
    *h = (struct held){NULL, NULL};
}

static void handle(struct peer *p, struct held *h)
{
    switch (p->habit) {
    case ECHO:
        give(p, h);
        break;
    case SILENT:
        discard(h);
        break;
    case CANCELS:
        atomic_store(&p->cancel, true);
        discard(h);
        break;
    case LATE:
        if (!p->first.body) {
            p->first = *h;
            atomic_store(&p->cancel, true);
            break;
        }
        give(p, &p->first);
        give(p, h);
        break;
    case TWICE:
        if (p->first.body)
            give_again(p, &p->first);
        discard(&p->first);
        p->first = copy_of(h);
        give_again(p, h);
        give(p, h);
        break;
    case OVERSIZED:
        nn_freemsg(h->body);
        h->body = nn_allocmsg(FRAME_BYTES_MAX + 1, 0);
        if (!h->body)
            abort();
        memset(h->body, 0, FRAME_BYTES_MAX + 1);
        give(p, h);
        break;
    }
}

static void *peer_main(void *self)
{
    struct peer *p = self;

    while (!atomic_load(&p->stop)) {
        struct held h = {NULL, NULL};
        if (take(p, &h))
            handle(p, &h);
    }
    return NULL;
}

/* `bound` and `dialled` are the same place as each end calls it, without the port. */
static void peer_open(struct peer *p, enum habit habit, const char *bound, const char *dialled)
{
    int port = port_free(), no = 0, slice = PEER_SLICE_MS;
    char address[ADDRESS_MAX];

    *p = (struct peer){.habit = habit};
    p->socket = nn_socket(AF_SP_RAW, NN_REP);
    assert_true(p->socket >= 0);
    assert_int_equal(nn_setsockopt(p->socket, NN_SOL_SOCKET, NN_IPV4ONLY, &no, sizeof no), 0);
    assert_int_equal(nn_setsockopt(p->socket, NN_SOL_SOCKET, NN_RCVTIMEO, &slice, sizeof slice), 0);
    snprintf(address, sizeof address, "%s:%d", bound, port);
    snprintf(p->address, sizeof p->address, "%s:%d", dialled, port);
    if (nn_bind(p->socket, address) < 0)
        fail_msg("%s: %s", address, nn_strerror(nn_errno()));
    assert_int_equal(pthread_create(&p->thread, NULL, peer_main, p), 0);
}

static void peer_close(struct peer *p)
{
    atomic_store(&p->stop, true);
    pthread_join(p->thread, NULL);
    discard(&p->first);
    nn_close(p->socket);
}

/* --- the link --- */

static struct link *link_to(const char *address)
{
    struct link *l = NULL;
    struct ocop_error err = {.status = OCOP_OK};

    if (link_nn_open(address, &l, &err))
        fail_msg("%s: %s", address, err.text);
    return l;
}

static void must_connect(struct link *l)
{
    struct ocop_error err = {.status = OCOP_OK};

    if (l->connect(l, LONG_MS, NULL, &err))
        fail_msg("%s", err.text);
}

static void must_echo(struct link *l, struct span request)
{
    struct ocop_error err = {.status = OCOP_OK};
    struct buf reply;

    buf_init(&reply, FRAME_BYTES_MAX);
    if (l->exchange(l, request, LONG_MS, NULL, &reply, &err))
        fail_msg("%s", err.text);
    assert_true(span_eq(buf_span(&reply), request));
    buf_fini(&reply);
}

static const struct {
    const char *bound, *dialled;
} places[] = {
    {"tcp://127.0.0.1", "tcp://127.0.0.1"}, {"tcp://127.0.0.1", "tcp://localhost"},
    {"tcp://[::1]", "tcp://[::1]"},         {"tcp://*", "tcp://localhost"},
    {"ws://127.0.0.1", "ws://127.0.0.1"},   {"ws://127.0.0.1", "ws://localhost"},
    {"ws://[::1]", "ws://[::1]"},
};

static void a_request_makes_the_round_trip_however_the_host_is_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        struct peer p;
        print_message("%s\n", places[i].dialled);
        peer_open(&p, ECHO, places[i].bound, places[i].dialled);
        struct link *l = link_to(p.address);
        must_connect(l);
        must_echo(l, span_str("first"));
        must_connect(l);
        must_echo(l, span_str("second over the same connection"));
        l->close(l);
        peer_close(&p);
    }
}

static void the_largest_frame_passes_and_an_empty_one(void **state)
{
    uint8_t *p = calloc(1, FRAME_BYTES_MAX);
    struct peer peer;

    (void)state;
    assert_non_null(p);
    for (int ws = 0; ws < 2; ws++) {
        /* The socket of the peer must take what a server never would. */
        int most = (int)FRAME_BYTES_MAX + 64;
        peer_open(&peer, ECHO, ws ? "ws://127.0.0.1" : "tcp://127.0.0.1",
                  ws ? "ws://127.0.0.1" : "tcp://127.0.0.1");
        assert_int_equal(
            nn_setsockopt(peer.socket, NN_SOL_SOCKET, NN_RCVMAXSIZE, &most, sizeof most), 0);
        struct link *l = link_to(peer.address);
        must_connect(l);
        must_echo(l, span_of(p, REPLY_BYTES_MAX + KIB(64)));
        must_echo(l, span_of(NULL, 0));
        l->close(l);
        peer_close(&peer);
    }
    free(p);
}

static void with_nobody_there_connecting_gives_up(void **state)
{
    static const char *const schemes[] = {"tcp", "ws"};
    static const char *const hosts[] = {"127.0.0.1", "[::1]", "localhost", "nowhere.invalid"};

    (void)state;
    for (size_t i = 0; i < 8; i++) {
        char address[ADDRESS_MAX];
        struct ocop_error err = {.status = OCOP_OK};
        snprintf(address, sizeof address, "%s://%s:%d", schemes[i % 2], hosts[i / 2], port_free());
        struct link *l = link_to(address);
        assert_int_equal(l->connect(l, SHORT_MS, NULL, &err), OCOP_ENET);
        assert_non_null(strstr(err.text, address));
        l->close(l);
    }
}

static void a_server_that_comes_later_is_reached_by_the_next_connect(void **state)
{
    struct peer p;

    (void)state;
    peer_open(&p, ECHO, "tcp://127.0.0.1", "tcp://127.0.0.1");
    struct link *l = link_to(p.address);
    must_connect(l);
    peer_close(&p);
    struct buf reply;
    buf_init(&reply, FRAME_BYTES_MAX);
    assert_int_equal(l->exchange(l, span_str("lost"), LONG_MS, NULL, &reply, NULL), OCOP_ENET);
    assert_int_equal(l->connect(l, SHORT_MS, NULL, NULL), OCOP_ENET);
    p.stop = false;
    p.socket = nn_socket(AF_SP_RAW, NN_REP);
    int slice = PEER_SLICE_MS;
    assert_int_equal(nn_setsockopt(p.socket, NN_SOL_SOCKET, NN_RCVTIMEO, &slice, sizeof slice), 0);
    assert_true(nn_bind(p.socket, p.address) >= 0);
    assert_int_equal(pthread_create(&p.thread, NULL, peer_main, &p), 0);
    must_connect(l);
    must_echo(l, span_str("found"));
    buf_fini(&reply);
    l->close(l);
    peer_close(&p);
}

static void without_a_connection_nothing_is_sent(void **state)
{
    struct link *l = link_to("tcp://127.0.0.1:9");
    struct buf reply;

    (void)state;
    buf_init(&reply, FRAME_BYTES_MAX);
    assert_int_equal(l->exchange(l, span_str("x"), LONG_MS, NULL, &reply, NULL), OCOP_ENET);
    buf_fini(&reply);
    l->close(l);
}

/* One exchange that fails; the reply must stay empty. */
static void must_fail(struct link *l, int timeout_ms, const atomic_bool *cancel,
                      enum ocop_status want)
{
    struct ocop_error err = {.status = OCOP_OK};
    struct buf reply;

    buf_init(&reply, FRAME_BYTES_MAX);
    must_connect(l);
    assert_int_equal(l->exchange(l, span_str("question"), timeout_ms, cancel, &reply, &err), want);
    assert_int_equal(err.status, want);
    assert_int_equal(reply.len, 0);
    buf_fini(&reply);
}

static void a_silent_server_is_given_up(void **state)
{
    struct peer p;

    (void)state;
    peer_open(&p, SILENT, "tcp://127.0.0.1", "tcp://127.0.0.1");
    struct link *l = link_to(p.address);
    must_fail(l, SHORT_MS, NULL, OCOP_ETIMEOUT);
    l->close(l);
    peer_close(&p);
}

static void waiting_for_a_reply_can_be_cancelled(void **state)
{
    struct peer p;

    (void)state;
    peer_open(&p, CANCELS, "tcp://127.0.0.1", "tcp://127.0.0.1");
    struct link *l = link_to(p.address);
    must_fail(l, 10 * LONG_MS, &p.cancel, OCOP_ECANCELLED);
    l->close(l);
    peer_close(&p);
}

static void a_pause_hangs_up_and_can_be_cancelled(void **state)
{
    struct peer p;

    (void)state;
    peer_open(&p, ECHO, "tcp://127.0.0.1", "tcp://127.0.0.1");
    struct link *l = link_to(p.address);
    must_connect(l);
    assert_int_equal(l->pause(l, 1, &p.cancel, NULL), OCOP_OK);
    assert_int_equal(l->start(l, span_str("x"), NULL), OCOP_ENET);
    must_connect(l);
    must_echo(l, span_str("again"));
    atomic_store(&p.cancel, true);
    assert_int_equal(l->pause(l, INT32_MAX, &p.cancel, NULL), OCOP_ECANCELLED);
    l->close(l);
    peer_close(&p);
}

static void a_reply_above_the_limit_ends_the_exchange(void **state)
{
    struct peer p;

    (void)state;
    peer_open(&p, OVERSIZED, "tcp://127.0.0.1", "tcp://127.0.0.1");
    struct link *l = link_to(p.address);
    must_fail(l, 10 * LONG_MS, NULL, OCOP_ENET);
    l->close(l);
    peer_close(&p);
}

static void a_late_reply_is_not_taken_for_the_next_requests(void **state)
{
    struct peer p;

    (void)state;
    peer_open(&p, LATE, "tcp://127.0.0.1", "tcp://127.0.0.1");
    struct link *l = link_to(p.address);
    must_fail(l, 10 * LONG_MS, &p.cancel, OCOP_ECANCELLED);
    must_connect(l);
    must_echo(l, span_str("another question"));
    l->close(l);
    peer_close(&p);
}

static void must_echo_twice(struct link *l, uint8_t number)
{
    uint8_t request[TWICE_BYTES] = {number};

    must_connect(l);
    must_echo(l, span_of(request, sizeof request));
}

/* A cooked REQ ends the process when it closes after such. */
static void answers_that_come_twice_or_unasked_do_no_harm(void **state)
{
    struct peer p;

    (void)state;
    peer_open(&p, TWICE, "tcp://127.0.0.1", "tcp://127.0.0.1");
    for (uint8_t i = 0; i < 10; i++) {
        struct link *l = link_to(p.address), *other = link_to(p.address);
        must_echo_twice(l, i);
        must_echo_twice(l, i);
        must_echo_twice(other,
                        i); /* what comes for `l` meanwhile has come before this is answered */
        l->close(l);
        other->close(other);
    }
    peer_close(&p);
}

/* Somebody who says nanomsg's first words and hangs up at once. */
struct rude {
    int listener;
    atomic_bool stop;
};

static void *rude_main(void *self)
{
    static const uint8_t hello[8] = {0, 'S', 'P', 0, 0, 0x31, 0, 0};
    struct rude *r = self;

    while (!atomic_load(&r->stop)) {
        const struct linger reset = {1, 0};
        int fd = accept(r->listener, NULL, NULL);
        if (fd < 0)
            break;
        (void)!send(fd, hello, sizeof hello, MSG_NOSIGNAL);
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        close(fd);
    }
    return NULL;
}

/* nanomsg takes some of these for connections that stand, for ever. */
static void a_connection_that_ends_as_it_begins_is_not_waited_for(void **state)
{
    struct rude r = {.listener = socket(AF_INET, SOCK_STREAM, 0)};
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    char address[ADDRESS_MAX];
    struct buf reply;
    pthread_t thread;

    (void)state;
    assert_int_equal(bind(r.listener, (struct sockaddr *)&a, len), 0);
    assert_int_equal(listen(r.listener, 8), 0);
    assert_int_equal(getsockname(r.listener, (struct sockaddr *)&a, &len), 0);
    snprintf(address, sizeof address, "tcp://127.0.0.1:%d", ntohs(a.sin_port));
    assert_int_equal(pthread_create(&thread, NULL, rude_main, &r), 0);
    buf_init(&reply, FRAME_BYTES_MAX);
    for (int i = 0; i < RUDE_TRIES; i++) {
        struct ocop_error err = {.status = OCOP_OK};
        struct link *l = link_to(address);
        enum ocop_status st = l->connect(l, SHORT_MS, NULL, &err);
        if (st == OCOP_OK)
            st = l->exchange(l, span_str("?"), LONG_MS, NULL, &reply, &err);
        if (st != OCOP_ENET)
            fail_msg("%d: %s", st, err.text);
        l->close(l);
    }
    atomic_store(&r.stop, true);
    shutdown(r.listener, SHUT_RDWR);
    pthread_join(thread, NULL);
    close(r.listener);
    buf_fini(&reply);
}

static void a_reply_that_the_caller_has_no_room_for_is_refused(void **state)
{
    struct peer p;
    struct buf small;
    uint8_t request[1000] = {0};

    (void)state;
    peer_open(&p, ECHO, "tcp://127.0.0.1", "tcp://127.0.0.1");
    struct link *l = link_to(p.address);
    buf_init(&small, 100);
    must_connect(l);
    assert_int_equal(l->exchange(l, span_of(request, sizeof request), LONG_MS, NULL, &small, NULL),
                     OCOP_ELIMIT);
    assert_int_equal(small.len, 0);
    buf_fini(&small);
    l->close(l);
    peer_close(&p);
}

/* Accepts a TCP connection, says nothing, and has the client cancel. */
struct mute {
    int listener;
    atomic_bool cancel;
};

static void *mute_main(void *self)
{
    struct mute *m = self;
    int fd = accept(m->listener, NULL, NULL);

    atomic_store(&m->cancel, true);
    return (void *)(intptr_t)fd;
}

static void waiting_for_a_connection_can_be_cancelled(void **state)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    struct mute m = {.listener = socket(AF_INET, SOCK_STREAM, 0)};
    char address[ADDRESS_MAX];
    pthread_t thread;
    void *fd;

    (void)state;
    assert_int_equal(bind(m.listener, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(m.listener, 1), 0);
    assert_int_equal(getsockname(m.listener, (struct sockaddr *)&a, &len), 0);
    snprintf(address, sizeof address, "tcp://127.0.0.1:%d", ntohs(a.sin_port));
    assert_int_equal(pthread_create(&thread, NULL, mute_main, &m), 0);
    struct link *l = link_to(address);
    assert_int_equal(l->connect(l, 10 * LONG_MS, &m.cancel, NULL), OCOP_ECANCELLED);
    assert_int_equal(l->connect(l, 10 * LONG_MS, &m.cancel, NULL), OCOP_ECANCELLED);
    l->close(l);
    pthread_join(thread, &fd);
    close((int)(intptr_t)fd);
    close(m.listener);
}

static void an_address_that_is_none_is_refused_with_its_reason(void **state)
{
    static const struct {
        const char *address, *says;
    } cases[] = {
        {"", "tcp://"},
        {"127.0.0.1:7070", "tcp://"},
        {"http://host:7070", "tcp://"},
        {"wss://host:7070", "tcp://"},
        {"ipc:///tmp/x", "tcp://"},
        {"tcp://", "port"},
        {"tcp://host", "port"},
        {"tcp://host:", "port"},
        {"tcp://host:0", "port"},
        {"tcp://host:65536", "port"},
        {"tcp://host:-1", "port"},
        {"tcp://host:99999999999999999999", "port"},
        {"tcp://host:7070/path", "follow"},
        {"tcp://host:7070:7071", "follow"},
        {"ws://host:7070/a b", "follow"},
        {"ws://host:7070?x", "follow"},
        {"tcp://:7070", "neither"},
        {"tcp://*:7070", "neither"},
        {"tcp://eth0;host:7070", "neither"},
        {"tcp://10.0.0.300:7070", "neither"},
        {"tcp://ho st:7070", "neither"},
        {"tcp://-host:7070", "neither"},
        {"tcp://host-:7070", "neither"},
        {"tcp://a..b:7070", "neither"},
        {"tcp://m\xc3\xa1y:7070", "neither"},
        {"tcp://::1:7070", "neither"},
        {"tcp://[::1:7070", "neither"},
        {"tcp://[]:7070", "neither"},
        {"tcp://[::g]:7070", "IPv6"},
        {"tcp://[fe80::1%eth0]:7070", "IPv6"},
        {"tcp://"
         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
         "aaaaaaaaaaaa:7070",
         "longer"},
        {"ws://host:7070/"
         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
         "longer"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ocop_error err = {.status = OCOP_OK};
        struct link *l = (struct link *)&err;
        assert_int_equal(link_nn_open(cases[i].address, &l, &err), OCOP_EINVAL);
        assert_null(l);
        if (!strstr(err.text, cases[i].says))
            fail_msg("%s: %s", cases[i].address, err.text);
    }
}

static void an_address_that_is_well_formed_is_taken(void **state)
{
    static const char *const addresses[] = {"tcp://a:1",
                                            "tcp://registry.example.vn:65535",
                                            "ws://registry.example.vn:80/sync/v1",
                                            "tcp://192.0.2.1:7070",
                                            "tcp://[2001:db8::1]:7070",
                                            "ws://[::ffff:192.0.2.1]:7070"};

    (void)state;
    for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++) {
        struct link *l = link_to(addresses[i]);
        l->close(l);
    }
}

/* nanomsg would end the process here. Last, since it plays with the limit of the whole process. */
static void without_descriptors_connecting_fails_and_later_works(void **state)
{
    enum { TAKEN_MAX = 256 };
    struct rlimit limit, low;
    struct ocop_error err = {.status = OCOP_OK};
    struct peer p;
    int taken[TAKEN_MAX], count = 0;

    (void)state;
    peer_open(&p, ECHO, "tcp://127.0.0.1", "tcp://127.0.0.1");
    struct link *l = link_to(p.address);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    low = limit;
    low.rlim_cur = TAKEN_MAX;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    while (count < TAKEN_MAX && (taken[count] = open("/dev/null", O_RDONLY)) >= 0)
        count++;
    assert_int_equal(errno, EMFILE);
    for (int i = 0; i < 3; i++) { /* nor with a few */
        assert_int_equal(l->connect(l, LONG_MS, NULL, &err), OCOP_ENET);
        assert_non_null(strstr(err.text, "descriptors"));
        close(taken[--count]);
    }
    while (count > 0)
        close(taken[--count]);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    must_connect(l);
    must_echo(l, span_str("again"));
    l->close(l);
    peer_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_makes_the_round_trip_however_the_host_is_named),
        cmocka_unit_test(the_largest_frame_passes_and_an_empty_one),
        cmocka_unit_test(with_nobody_there_connecting_gives_up),
        cmocka_unit_test(a_server_that_comes_later_is_reached_by_the_next_connect),
        cmocka_unit_test(without_a_connection_nothing_is_sent),
        cmocka_unit_test(a_silent_server_is_given_up),
        cmocka_unit_test(waiting_for_a_reply_can_be_cancelled),
        cmocka_unit_test(a_pause_hangs_up_and_can_be_cancelled),
        cmocka_unit_test(a_reply_above_the_limit_ends_the_exchange),
        cmocka_unit_test(a_late_reply_is_not_taken_for_the_next_requests),
        cmocka_unit_test(answers_that_come_twice_or_unasked_do_no_harm),
        cmocka_unit_test(a_connection_that_ends_as_it_begins_is_not_waited_for),
        cmocka_unit_test(a_reply_that_the_caller_has_no_room_for_is_refused),
        cmocka_unit_test(waiting_for_a_connection_can_be_cancelled),
        cmocka_unit_test(an_address_that_is_none_is_refused_with_its_reason),
        cmocka_unit_test(an_address_that_is_well_formed_is_taken),
        cmocka_unit_test(without_descriptors_connecting_fails_and_later_works),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
