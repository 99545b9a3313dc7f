/* docs/haproxy.cfg as it is shipped, between devices and a real registry. Run by the gate `front`,
 * which sees to it that HAProxy is installed. */
#include "test.h"

#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
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

static int open_world(void **state)
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
                  (const char *const[]){"-db", "-f", "docs/haproxy.cfg", NULL}, NULL, NULL);
    office_enrol(o, "an", "Nguyễn Thị An", office_units[0]);
    return 0;
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(devices_are_served_through_the_front),
        TEST(who_does_not_speak_to_a_registry_never_reaches_it),
        TEST(one_address_cannot_take_all_connections),
        TEST(a_registry_that_was_away_is_served_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
