#include "port.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "test.h"

/* Below the ports that the system gives to whoever connects, or one of those may be taken between
 * here and the use of it; and each process looks in a place of its own. */
enum { PORT_FIRST = 10000, PORT_COUNT = 20000, PORTS_EACH = 64 };

static bool is_free(int port)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons((uint16_t)port),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    bool bound = bind(fd, (struct sockaddr *)&a, sizeof a) == 0;
    close(fd);
    return bound;
}

int port_free(void)
{
    static int last;
    int place = (int)(getpid() % (PORT_COUNT / PORTS_EACH)) * PORTS_EACH;

    for (int i = 0; i < PORT_COUNT; i++) {
        int port = PORT_FIRST + (place + ++last) % PORT_COUNT;
        if (is_free(port))
            return port;
    }
    fail_msg("no port is free");
    return 0;
}

const char *port_address(char out[PORT_ADDRESS_MAX])
{
    snprintf(out, PORT_ADDRESS_MAX, "tcp://127.0.0.1:%d", port_free());
    return out;
}
