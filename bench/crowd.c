#include "crowd.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "measure.h"
#include "world.h"

enum { WAIT_MS = 60000 /* a reply that takes longer ends the bench */ };

/* --- nanomsg's protocol: a hello of 8 bytes each way, then messages with their length before them;
 * a request begins with its number, whose highest bit is set, and so does its reply -------------
 */

static void send_all(int fd, const void *p, size_t len)
{
    MUST_BE(send(fd, p, len, MSG_NOSIGNAL) == (ssize_t)len); /* blocks until all is taken */
}

static void client_connect(struct crowd_client *c, int port)
{
    static const uint8_t hello[8] = {0, 'S', 'P', 0, 0, 0x30, 0, 0},
                         expected[8] = {0, 'S', 'P', 0, 0, 0x31, 0, 0};
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                            .sin_port = htons((uint16_t)port)};
    uint8_t got[8];
    int yes = 1;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    MUST_BE(c->fd >= 0 && connect(c->fd, (struct sockaddr *)&a, sizeof a) == 0);
    MUST_BE(setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes) == 0);
    send_all(c->fd, hello, sizeof hello);
    MUST_BE(recv(c->fd, got, sizeof got, MSG_WAITALL) == sizeof got);
    MUST_BE(memcmp(got, expected, sizeof got) == 0);
}

static void client_send(struct crowd_client *c)
{
    static uint8_t message[12 + FRAME_BYTES_MAX];
    const struct buf *b = &c->queue[c->next++];
    size_t body = b->len + 4;
    for (int i = 0; i < 8; i++)
        message[i] = (uint8_t)(body >> (56 - 8 * i));
    memcpy(message + 8, (const uint8_t[]){0x80, 0, 0, 1}, 4);
    memcpy(message + 12, b->p, b->len);
    c->got = 0;
    c->wanted = 8;
    c->sent_s = measure_wall_s();
    send_all(c->fd, message, 12 + b->len);
}

/* Is the reply whole now? */
static bool client_receive(struct crowd_client *c)
{
    static uint8_t dropped[64 * 1024];
    while (c->got < c->wanted) {
        uint8_t *to = c->got < 8 ? c->head + c->got : dropped;
        size_t room = c->got < 8 ? 8 - c->got : sizeof dropped;
        if (room > c->wanted - c->got)
            room = c->wanted - c->got;
        ssize_t n = recv(c->fd, to, room, MSG_DONTWAIT);
        if (n < 0)
            return false;
        MUST_BE(n > 0);
        c->got += (size_t)n;
        if (c->got == 8)
            for (int i = 0; i < 8; i++)
                c->wanted = (i ? c->wanted << 8 : 0) | c->head[i];
        if (c->got == 8)
            c->wanted += 8;
    }
    return true;
}

/* --- all of them ----------------------------------------------------------------------------- */

void crowd_connect(struct crowd_client *c, size_t count, int port)
{
    for (size_t i = 0; i < count; i++)
        client_connect(&c[i], port);
}

void crowd_close(struct crowd_client *c, size_t count)
{
    for (size_t i = 0; i < count; i++)
        (void)close(c[i].fd);
}

struct running {
    struct pollfd *fds;
    double *took, start_s, end_s;
    size_t count, foreground, background; /* measured; those that are not done */
    bool beside;                          /* there is a background */
    const atomic_bool *over;
};

static void answered(struct running *r, struct crowd_client *c, struct pollfd *p)
{
    double now = measure_wall_s();
    bool over = (r->over && atomic_load(r->over)) || (r->beside && r->background == 0);
    if (!c->background && !over) {
        r->took[r->count++] = now - c->sent_s;
        r->end_s = now;
    }
    if (c->next < c->end) {
        client_send(c);
        return;
    }
    p->fd = -1;
    if (c->background)
        r->background--;
    else
        r->foreground--;
}

struct crowd_result crowd_run(struct crowd_client *c, size_t count, const atomic_bool *over)
{
    size_t requests = 0;
    for (size_t i = 0; i < count; i++)
        requests += c[i].end - c[i].next;
    struct running r = {.fds = calloc(count, sizeof *r.fds),
                        .took = calloc(requests, sizeof *r.took),
                        .over = over,
                        .start_s = measure_wall_s()};
    MUST_BE(r.fds && r.took);
    for (size_t i = 0; i < count; i++) {
        r.fds[i] = (struct pollfd){.fd = c[i].fd, .events = POLLIN};
        *(c[i].background ? &r.background : &r.foreground) += 1;
        client_send(&c[i]);
    }
    r.beside = r.background > 0;
    while (r.foreground + r.background > 0) {
        MUST_BE(poll(r.fds, count, WAIT_MS) > 0);
        for (size_t i = 0; i < count; i++)
            if (r.fds[i].revents && r.fds[i].fd >= 0 && client_receive(&c[i]))
                answered(&r, &c[i], &r.fds[i]);
    }
    MUST_BE(r.count > 0);
    struct crowd_result out = {.count = r.count};
    out.per_s = (double)r.count / (r.end_s - r.start_s);
    out.p50_us = measure_median(r.took, r.count) * 1e6; /* sorts */
    out.p99_us = r.took[r.count * 99 / 100] * 1e6;
    out.max_us = r.took[r.count - 1] * 1e6;
    free(r.fds);
    free(r.took);
    return out;
}
