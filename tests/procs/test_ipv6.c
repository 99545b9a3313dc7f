/* A network that knows IPv4 no more, as mobile networks are: a namespace whose only interface has
 * had its IPv4 address taken away. Where none may be made, the loopback of this one, by IPv6 alone.
 */
#define _GNU_SOURCE /* unshare */
#include "test.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "office.h"

/* Nobody else has a port in a namespace of our own. */
static const char address[] = "tcp://[::1]:7071";

static bool put(const char *path, const char *text)
{
    const int fd = open(path, O_WRONLY | O_CLOEXEC);
    const bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    if (fd >= 0)
        close(fd);
    return ok;
}

/* As root in it, who this user is outside. */
static bool namespace_enter(void)
{
    char map[40];
    if (unshare(CLONE_NEWNET) == 0)
        return true;
    snprintf(map, sizeof map, "0 %u 1", (unsigned)getuid());
    return unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0 && put("/proc/self/setgroups", "deny") &&
           put("/proc/self/uid_map", map);
}

/* The loopback is up, and has no IPv4 address. */
static void interface_without_ipv4(void)
{
    struct ifreq lo = {.ifr_name = "lo"};
    const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(ioctl(fd, SIOCGIFFLAGS, &lo), 0);
    lo.ifr_flags |= IFF_UP;
    assert_int_equal(ioctl(fd, SIOCSIFFLAGS, &lo), 0);
    memset(&lo.ifr_addr, 0, sizeof lo.ifr_addr);
    lo.ifr_addr.sa_family = AF_INET;
    assert_int_equal(ioctl(fd, SIOCSIFADDR, &lo), 0);
    close(fd);
}

static bool ipv4_reaches_anything(void)
{
    struct sockaddr_in a = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(9)};
    const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    const bool reaches = fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof a) == 0;
    if (fd >= 0)
        close(fd);
    return reaches;
}

static void a_device_enrols_and_syncs_where_there_is_no_ipv4(void **state)
{
    static struct office o;
    char id[40];
    (void)state;
    office_open(&o);
    if (namespace_enter()) {
        interface_without_ipv4();
        assert_false(ipv4_reaches_anything());
    }
    strcpy(o.listen, address);
    strcpy(o.address, address);
    office_serve(&o, NULL, NULL);
    office_enrol(&o, "an", "Nguyễn Thị An", office_units[0]);
    office_record(&o, "an", "inspection", 0, "một", id);
    office_expect(&o, 0, DEVICE(&o, "an", "sync"), "applied:       1");
    office_close(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_device_enrols_and_syncs_where_there_is_no_ipv4),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
