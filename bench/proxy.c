/* One thread that moves bytes between pairs of sockets. */
#include "proxy.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

#include "world.h"

enum { PAIRS = 8, TICK_MS = 20 };

struct proxy {
    pthread_t thread;
    int listener, port;
    int fd[2 * PAIRS]; /* side by side; -1: free */
    atomic_bool stop;
    atomic_uint connections;
    atomic_ullong bytes;
};

static int dial(int port)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                            .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    MUST_BE(fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof a) == 0);
    return fd;
}

static void pair_open(struct proxy *p)
{
    int fd = accept(p->listener, NULL, NULL);
    MUST_BE(fd >= 0);
    for (int i = 0; i < 2 * PAIRS; i += 2)
        if (p->fd[i] < 0) {
            p->fd[i] = fd;
            p->fd[i + 1] = dial(p->port);
            atomic_fetch_add(&p->connections, 1);
            return;
        }
    (void)close(fd); /* the bench has one client: never so many */
}

static void pair_close(struct proxy *p, int i)
{
    (void)close(p->fd[i]);
    (void)close(p->fd[i ^ 1]);
    p->fd[i] = p->fd[i ^ 1] = -1;
}

/* Pass on what has come from one side. */
static void move(struct proxy *p, int i)
{
    uint8_t bytes[16384];
    ssize_t got = recv(p->fd[i], bytes, sizeof bytes, 0);
    for (ssize_t sent = 0, n; sent < got; sent += n) {
        n = send(p->fd[i ^ 1], bytes + sent, (size_t)(got - sent), MSG_NOSIGNAL);
        if (n <= 0) {
            got = 0;
            break;
        }
    }
    if (got > 0)
        atomic_fetch_add(&p->bytes, (unsigned long long)got);
    else
        pair_close(p, i);
}

static void *proxy_main(void *self)
{
    struct proxy *p = self;
    while (!atomic_load(&p->stop)) {
        struct pollfd fds[2 * PAIRS + 1] = {{.fd = p->listener, .events = POLLIN}};
        for (int i = 0; i < 2 * PAIRS; i++)
            fds[i + 1] = (struct pollfd){.fd = p->fd[i], .events = POLLIN};
        if (poll(fds, 2 * PAIRS + 1, TICK_MS) <= 0)
            continue;
        for (int i = 0; i < 2 * PAIRS; i++)
            if (fds[i + 1].revents && p->fd[i] == fds[i + 1].fd && p->fd[i] >= 0)
                move(p, i);
        if (fds[0].revents)
            pair_open(p);
    }
    return NULL;
}

struct proxy *proxy_open(int port, int *own)
{
    struct proxy *p = calloc(1, sizeof *p);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    MUST_BE(p != NULL);
    p->port = port;
    for (int i = 0; i < 2 * PAIRS; i++)
        p->fd[i] = -1;
    p->listener = socket(AF_INET, SOCK_STREAM, 0);
    MUST_BE(p->listener >= 0 && bind(p->listener, (struct sockaddr *)&a, sizeof a) == 0);
    MUST_BE(listen(p->listener, 8) == 0);
    MUST_BE(getsockname(p->listener, (struct sockaddr *)&a, &len) == 0);
    *own = ntohs(a.sin_port);
    MUST_BE(pthread_create(&p->thread, NULL, proxy_main, p) == 0);
    return p;
}

uint64_t proxy_take(struct proxy *p, unsigned *connections)
{
    *connections = atomic_exchange(&p->connections, 0);
    return atomic_exchange(&p->bytes, 0);
}

void proxy_close(struct proxy *p)
{
    atomic_store(&p->stop, true);
    MUST_BE(pthread_join(p->thread, NULL) == 0);
    for (int i = 0; i < 2 * PAIRS; i += 2)
        if (p->fd[i] >= 0)
            pair_close(p, i);
    (void)close(p->listener);
    free(p);
}
