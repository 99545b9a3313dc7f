/* The socket loop when its socket misbehaves. nanomsg's receiving and the sleeping are wrapped:
 * what the loop does between failures is looked at, and nothing is waited for. */
#include "test.h"

#include <errno.h>
#include <nanomsg/nn.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "port.h"
#include "serve.h"

enum { CALLS_MAX = 64 };

/* What the wrapped calls do and what they saw. */
static struct {
    int codes[CALLS_MAX]; /* of receiving, one after the other; then the server is stopped */
    size_t count, at;
    long slept_ms[CALLS_MAX];
    size_t sleeps;
    char log[8192];
    volatile sig_atomic_t stop;
} seam;

int __wrap_nn_recvmsg(int socket, struct nn_msghdr *header, int flags);
int __wrap_nanosleep(const struct timespec *t, struct timespec *left);
/* Its name where time_t had 32 bits once. */
int __wrap___nanosleep64(const struct timespec *t, struct timespec *left);

int __wrap_nn_recvmsg(int socket, struct nn_msghdr *header, int flags)
{
    (void)socket, (void)header, (void)flags;
    if (seam.at == seam.count) {
        seam.stop = 1;
        errno = EAGAIN;
        return -1;
    }
    errno = seam.codes[seam.at++];
    return -1;
}

int __wrap_nanosleep(const struct timespec *t, struct timespec *left)
{
    (void)left;
    assert_in_range(seam.sleeps, 0, CALLS_MAX - 1);
    seam.slept_ms[seam.sleeps++] = t->tv_nsec / 1000000 + (long)t->tv_sec * 1000;
    return 0;
}

int __wrap___nanosleep64(const struct timespec *t, struct timespec *left)
{
    return __wrap_nanosleep(t, left);
}

static int64_t now(void *self)
{
    (void)self;
    return 1785900000000;
}

static void chance(void *self, void *out, size_t len)
{
    (void)self;
    memset(out, 7, len);
}

static void take_line(void *self, enum env_level level, const char *line)
{
    size_t len = strlen(seam.log);
    (void)self, (void)level;
    snprintf(seam.log + len, sizeof seam.log - len, "%s\n", line);
}

/* Serve over a socket whose receiving fails with these codes; 0 at an end means EAGAIN. */
static enum ocop_status serve_failing(const int *codes, size_t count, struct ocop_error *err)
{
    static const struct env env = {now, now, chance, take_line, NULL};
    char address[PORT_ADDRESS_MAX];
    const struct serve_options options = {.listen = {port_address(address), NULL}, .batch_max = 8};
    struct registry registry = {.env = &env};
    struct server_keys keys = {.channel_count = 0};

    memset(&seam, 0, sizeof seam);
    memcpy(seam.codes, codes, count * sizeof *codes);
    seam.count = count;
    return serve(&registry, &keys, &options, &seam.stop, err);
}

static size_t count_of(const char *what)
{
    size_t count = 0;
    for (const char *at = seam.log; (at = strstr(at, what)); at += strlen(what))
        count++;
    return count;
}

static void a_failing_socket_is_left_in_peace_for_longer_and_longer(void **state)
{
    static const long want_ms[] = {2, 4, 8, 16, 32, 64, 100, 100, 100, 100};
    int codes[10];
    struct ocop_error err = {0};

    (void)state;
    for (size_t i = 0; i < 10; i++)
        codes[i] = EMFILE;
    assert_int_equal(serve_failing(codes, 10, &err), OCOP_OK);
    assert_int_equal(seam.sleeps, 10);
    for (size_t i = 0; i < 10; i++)
        assert_int_equal(seam.slept_ms[i], want_ms[i]);
    /* told at the 1st, 2nd, 4th and 8th failure in a row, and at no other */
    assert_int_equal(count_of("receive failures="), 4);
    assert_non_null(strstr(seam.log, "failures=8 error="));
}

static void a_socket_that_recovered_begins_anew(void **state)
{
    static const int codes[] = {EMFILE, EMFILE, EMFILE, EAGAIN, EMFILE, ETIMEDOUT, EINTR};
    struct ocop_error err = {0};

    (void)state;
    assert_int_equal(serve_failing(codes, sizeof codes / sizeof *codes, &err), OCOP_OK);
    assert_int_equal(seam.sleeps, 4);
    assert_int_equal(seam.slept_ms[2], 8);
    assert_int_equal(seam.slept_ms[3], 2);
    assert_int_equal(count_of("failures=1 "), 2);
}

static void a_socket_that_is_gone_ends_the_server(void **state)
{
    static const int codes[] = {EBADF, ETERM, ENOTSOCK};

    (void)state;
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        struct ocop_error err = {0};
        assert_int_equal(serve_failing(&codes[i], 1, &err), OCOP_ENET);
        assert_non_null(strstr(err.text, "the socket is gone"));
        assert_int_equal(seam.sleeps, 0);
        assert_non_null(strstr(seam.log, "stopped status=ENET"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failing_socket_is_left_in_peace_for_longer_and_longer),
        cmocka_unit_test(a_socket_that_recovered_begins_anew),
        cmocka_unit_test(a_socket_that_is_gone_ends_the_server),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
