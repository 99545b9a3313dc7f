/* docs/haproxy.cfg as it is shipped, between devices and a real registry. Run by the gate `front`,
 * which sees to it that HAProxy is installed. */
#include "test.h"

#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "office.h"

enum { PATIENCE_MS = 60000, PER_ADDRESS = 200, FLOOD = PER_ADDRESS + 60, TRIES_MAX = 60 };

struct world {
    struct office office;
    struct process front;
    int port; /* of the front */
};

/* docs/haproxy.cfg, but with this in the place of its 75 seconds of silence. */
static const char *with_patience(struct office *o, const char *patience)
{
    static char path[PROCESS_PATH_MAX];
    static char line[400];
    FILE *in = fopen("docs/haproxy.cfg", "r");
    FILE *out = fopen(office_path(o, "haproxy.cfg", path), "w");
    int changed = 0;
    assert_non_null(in);
    assert_non_null(out);
    while (fgets(line, sizeof line, in)) {
        char *at = strstr(line, " 75s");
        changed += at != NULL;
        fprintf(out, "%.*s", at ? (int)(at - line) : (int)strlen(line), line);
        if (at)
            fprintf(out, " %s\n", patience);
    }
    assert_int_equal(changed, 2); /* of the devices' side and of the registry's */
    assert_int_equal(fclose(in), 0);
    assert_int_equal(fclose(out), 0);
    return path;
}

static int open_with(void **state, const char *patience)
{
    struct world *w = calloc(1, sizeof *w);
    struct office *o = &w->office;
    char bind_to[40], server[40], name[PROCESS_PATH_MAX];
    *state = w;
    office_open(o);
    w->port = port_free();
    snprintf(bind_to, sizeof bind_to, "127.0.0.1:%d", w->port);
    snprintf(server, sizeof server, "%s", strstr(o->listen, "127."));
    snprintf(o->address, sizeof o->address, "tcp://%s", bind_to);
    setenv("OCOP_FRONT", bind_to, 1);
    setenv("OCOP_BACK", server, 1);
    office_serve(o, NULL, NULL);
    process_start(&w->front, office_path(o, "front", name), "/usr/sbin/haproxy",
                  (const char *const[]){"-db", "-f",
                                        patience ? with_patience(o, patience) : "docs/haproxy.cfg",
                                        NULL},
                  NULL, NULL);
    office_enrol(o, "an", "Nguyễn Thị An", office_units[0]);
    return 0;
}

static int open_world(void **state)
{
    return open_with(state, NULL);
}

static int open_impatient(void **state)
{
    return open_with(state, "1s");
}

static int close_world(void **state)
{
    struct world *w = *state;
    process_kill(&w->front);
    office_close(&w->office);
    free(w);
    return 0;
}

static void record_and_sync(struct office *o)
{
    char id[40];
    office_record(o, "an", "inspection", 0, "một", id);
    office_expect(o, 0, DEVICE(o, "an", "sync"), "applied:       1");
}

/* From an address of its own, so that limits by address do not meet the devices. */
static int peer_from(const char *address, int port)
{
    struct sockaddr_in from = {.sin_family = AF_INET},
                       to = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                             .sin_port = htons((uint16_t)port)};
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(inet_pton(AF_INET, address, &from.sin_addr), 1);
    assert_int_equal(bind(fd, (struct sockaddr *)&from, sizeof from), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

/* Is it hung up on, or answered? Waits for the one or the other. */
static bool hung_up(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    char byte;
    assert_true(poll(&p, 1, PATIENCE_MS) > 0);
    return recv(fd, &byte, 1, 0) <= 0;
}

static void devices_are_served_through_the_front(void **state)
{
    struct world *w = *state;
    for (int i = 0; i < 3; i++)
        record_and_sync(&w->office);
}

static void who_does_not_speak_to_a_registry_never_reaches_it(void **state)
{
    static const char web[] = "GET / HTTP/1.1\r\nHost: ocop.example\r\n\r\n";
    static const uint8_t other[8] = {0, 'S', 'P', 0, 0, 0x20, 0, 0};
    struct world *w = *state;
    int fd[3];
    for (int i = 0; i < 3; i++)
        fd[i] = peer_from("127.0.0.2", w->port);
    assert_true(send(fd[0], web, sizeof web - 1, MSG_NOSIGNAL) > 0);
    assert_true(send(fd[1], other, sizeof other, MSG_NOSIGNAL) > 0);
    for (int i = 0; i < 3; i++) { /* the third says nothing at all */
        assert_true(hung_up(fd[i]));
        close(fd[i]);
    }
    record_and_sync(&w->office);
}

static void one_address_cannot_take_all_connections(void **state)
{
    static const uint8_t hello[8] = {0, 'S', 'P', 0, 0, 0x30, 0, 0};
    struct world *w = *state;
    int fd[FLOOD], refused = 0;
    for (int i = 0; i < FLOOD; i++) {
        fd[i] = peer_from("127.0.0.3", w->port);
        (void)!send(fd[i], hello, sizeof hello, MSG_NOSIGNAL);
    }
    record_and_sync(&w->office);
    for (int i = 0; i < FLOOD; i++) /* who is let through hears the registry's first words */
        refused += hung_up(fd[i]);
    assert_int_equal(refused, FLOOD - PER_ADDRESS);
    for (int i = 0; i < FLOOD; i++)
        close(fd[i]);
    record_and_sync(&w->office);
}

static void a_registry_that_was_away_is_served_again(void **state)
{
    struct world *w = *state;
    struct office *o = &w->office;
    char id[40];
    int tries = 0;
    assert_int_equal(process_kill(&o->server), -SIGKILL);
    office_record(o, "an", "inspection", 0, "một", id);
    office_expect(o, 6, DEVICE(o, "an", "sync", "--connect-timeout", "1"), "not the registry");
    office_serve(o, NULL, NULL);
    while (DEVICE(o, "an", "sync", "--connect-timeout", "2") != 0)
        assert_true(++tries < TRIES_MAX);
    office_expect(o, 0, DEVICE(o, "an", "status"), "waiting:     0\n");
}

/* Has spoken as a device does, and heard the registry's first words. */
static int device_from(const char *address, int port)
{
    static const uint8_t hello[8] = {0, 'S', 'P', 0, 0, 0x30, 0, 0};
    uint8_t words[8];
    const int fd = peer_from(address, port);
    assert_int_equal(send(fd, hello, sizeof hello, MSG_NOSIGNAL), sizeof hello);
    assert_int_equal(recv(fd, words, sizeof words, MSG_WAITALL), sizeof words);
    return fd;
}

static void who_falls_silent_is_hung_up_on_and_may_come_back(void **state)
{
    struct world *w = *state;
    int fd[3];
    for (int i = 0; i < 3; i++)
        fd[i] = device_from("127.0.0.4", w->port);
    for (int i = 0; i < 3; i++) {
        assert_true(hung_up(fd[i]));
        close(fd[i]);
    }
    record_and_sync(&w->office);
}

/* The kernel's table tells which timer runs for the front's end of a connection: 2 is keepalive. */
static bool is_kept_alive(int front, int peer)
{
    char line[400];
    bool kept = false;
    FILE *f = fopen("/proc/net/tcp", "r");
    assert_non_null(f);
    while (fgets(line, sizeof line, f)) {
        unsigned from, to, state, timer;
        if (sscanf(line, " %*d: %*8x:%x %*8x:%x %x %*x:%*x %x:", &from, &to, &state, &timer) == 4 &&
            from == (unsigned)front && to == (unsigned)peer && state == 1)
            kept = timer == 2;
    }
    fclose(f);
    return kept;
}

static void a_peer_that_is_gone_without_a_word_is_found_out(void **state)
{
    struct world *w = *state;
    struct sockaddr_in own;
    socklen_t len = sizeof own;
    const int fd = device_from("127.0.0.5", w->port);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&own, &len), 0);
    assert_true(is_kept_alive(w->port, ntohs(own.sin_port)));
    assert_false(is_kept_alive(ntohs(own.sin_port), w->port)); /* which asked for nothing */
    close(fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(devices_are_served_through_the_front),
        TEST(who_does_not_speak_to_a_registry_never_reaches_it),
        TEST(one_address_cannot_take_all_connections),
        TEST(a_registry_that_was_away_is_served_again),
        TEST(a_peer_that_is_gone_without_a_word_is_found_out),
        cmocka_unit_test_setup_teardown(who_falls_silent_is_hung_up_on_and_may_come_back,
                                        open_impatient, close_world),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
