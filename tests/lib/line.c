/* Every direction of a connection is a queue of segments, each with the moment it is due. */
#define _GNU_SOURCE /* accept4 */
#include "line.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "bounds.h"
#include "test.h"

enum {
    PAIRS = 32,
    SEGMENT = 1400, /* bytes that travel together */
    QUEUED_MAX = 64 * 1024,
    HELLO = 8, /* nanomsg's first bytes of a connection; its length before a message is as long */
    PATIENCE_S = 60
};

static const char page[] = "HTTP/1.1 302 Found\r\nLocation: http://login.hotel.example/\r\n"
                           "Content-Type: text/html\r\nContent-Length: 38\r\n\r\n"
                           "<html><body>Please sign in</body></html>";

struct segment {
    struct segment *next;
    int64_t due_us;
    size_t len, sent;
    uint8_t bytes[];
};

struct way {
    struct segment *first, **last;
    size_t queued;
    int64_t free_us, passed; /* when the last byte has left; how many have come */
};

struct pair {
    int fd[2];         /* the device's, the server's; -1: free */
    struct way way[2]; /* from fd[i] */
    uint8_t *whole;    /* a request that is gathered */
    size_t whole_len;
    uint8_t *earlier; /* requests that were passed on */
    size_t earlier_len;
};

struct line {
    pthread_t thread;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t came;
    struct line_options options;
    struct line_counts counts;
    uint8_t *request;
    size_t request_len;
    bool stop;
    int64_t free_us[2]; /* of a line that is shared: when its last byte has left, each way */

    int listener, wake, port;
    char address[PORT_ADDRESS_MAX];
    struct pair pairs[PAIRS];
};

static int64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static bool drawn(struct line *l, unsigned percent)
{
    l->options.seed = l->options.seed * 6364136223846793005u + 1442695040888963407u;
    return (l->options.seed >> 33) % 100 < percent;
}

/* --- pairs ----------------------------------------------------------------------------------- */

static void way_init(struct way *w)
{
    *w = (struct way){.last = NULL};
}

static void way_clear(struct way *w)
{
    while (w->first) {
        struct segment *s = w->first;
        w->first = s->next;
        free(s);
    }
    way_init(w);
}

/* `reset`: the other side is told by an error, not by an orderly end. */
static void pair_close(struct pair *p, bool reset)
{
    for (int i = 0; i < 2; i++) {
        if (p->fd[i] >= 0 && reset)
            setsockopt(p->fd[i], SOL_SOCKET, SO_LINGER, &(struct linger){1, 0},
                       sizeof(struct linger));
        if (p->fd[i] >= 0)
            close(p->fd[i]);
        p->fd[i] = -1;
        way_clear(&p->way[i]);
    }
    free(p->whole);
    free(p->earlier);
    p->whole = p->earlier = NULL;
    p->whole_len = p->earlier_len = 0;
}

static int dial(int port)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                            .sin_port = htons((uint16_t)port)};
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof a) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

static void pair_open(struct line *l)
{
    const int fd = accept4(l->listener, NULL, NULL, SOCK_CLOEXEC);
    struct pair *p = l->pairs;
    if (fd < 0)
        return;
    l->counts.connections++;
    pthread_cond_broadcast(&l->came);
    while (p < l->pairs + PAIRS && p->fd[0] >= 0)
        p++;
    if (p == l->pairs + PAIRS) {
        close(fd);
        return;
    }
    p->fd[0] = fd;
    if (l->options.kind == LINE_PASS)
        p->fd[1] = dial(l->port);
    if (l->options.kind == LINE_PORTAL)
        send(fd, page, sizeof page - 1, MSG_NOSIGNAL);
    if (l->options.kind == LINE_PASS && p->fd[1] < 0)
        pair_close(p, true);
}

/* --- what passes ----------------------------------------------------------------------------- */

/* False: the connection is cut here. */
static bool enqueue(struct line *l, struct pair *p, int i, const uint8_t *bytes, size_t len)
{
    struct way *w = &p->way[i];
    const struct line_options *o = &l->options;
    struct segment *s = malloc(sizeof *s + len);
    const int64_t now = now_us();
    if (!s)
        return false;
    *s = (struct segment){.len = len};
    memcpy(s->bytes, bytes, len);
    int64_t *free_us = o->shared ? &l->free_us[i] : &w->free_us; /* when the line is free again */
    if (*free_us < now)
        *free_us = now;
    if (o->bytes_per_s)
        *free_us += (int64_t)len * 1000000 / o->bytes_per_s;
    if (w->free_us < *free_us)
        w->free_us = *free_us;
    if (drawn(l, o->loss_percent)) { /* holds up its own connection alone */
        w->free_us += o->stall_ms * 1000;
        l->counts.stalls++;
    }
    s->due_us = w->free_us + o->delay_ms * 1000;
    *(w->first ? w->last : &w->first) = s;
    w->last = &s->next;
    w->queued += len;
    return !drawn(l, o->cut_percent);
}

static bool grow(uint8_t **p, size_t *len, const uint8_t *bytes, size_t more)
{
    uint8_t *q = realloc(*p, *len + more);
    if (!q)
        return false;
    memcpy(q + *len, bytes, more);
    *p = q;
    *len += more;
    return true;
}

/* How much of what was gathered is whole: the first bytes of a connection, or one message. */
static size_t whole_len(const struct pair *p, bool hello)
{
    uint64_t len = 0;
    if (hello)
        return p->whole_len >= HELLO ? HELLO : 0;
    for (size_t i = 0; p->whole_len >= HELLO && i < HELLO; i++)
        len = len << 8 | p->whole[i];
    return p->whole_len >= HELLO && len <= FRAME_BYTES_MAX && p->whole_len - HELLO >= len
               ? HELLO + (size_t)len
               : 0;
}

static bool pass_request(struct line *l, struct pair *p, size_t len)
{
    bool ok = true;
    free(l->request);
    l->request = NULL;
    l->request_len = 0;
    if (!grow(&l->request, &l->request_len, p->whole, len) ||
        !grow(&p->earlier, &p->earlier_len, p->whole, len))
        return false;
    l->counts.requests++;
    for (unsigned i = 0; ok && i < l->options.repeats; i++)
        ok = enqueue(l, p, 0, p->whole, len);
    return ok && enqueue(l, p, 0, p->earlier, p->earlier_len);
}

/* Requests are gathered, since they are to be repeated whole. */
static bool gather(struct line *l, struct pair *p, const uint8_t *bytes, size_t len)
{
    size_t n;
    bool ok = grow(&p->whole, &p->whole_len, bytes, len);
    while (ok && (n = whole_len(p, p->way[0].passed == 0)) > 0) {
        ok = p->way[0].passed == 0 ? enqueue(l, p, 0, p->whole, n) : pass_request(l, p, n);
        p->way[0].passed += (int64_t)n;
        p->whole_len -= n;
        memmove(p->whole, p->whole + n, p->whole_len);
    }
    return ok;
}

static bool pass(struct line *l, struct pair *p, int i, const uint8_t *bytes, size_t len)
{
    const int64_t cut = i == 0 ? l->options.cut_up : l->options.cut_down;
    struct way *w = &p->way[i];
    if (i == 0 && l->options.repeats)
        return gather(l, p, bytes, len);
    if (cut > 0 && w->passed + (int64_t)len >= cut)
        len = w->passed < cut ? (size_t)(cut - w->passed) : 0;
    if (i == 1 && l->options.hold_down > 0 && w->passed + (int64_t)len > l->options.hold_down)
        len = (size_t)(l->options.hold_down - w->passed);
    w->passed += (int64_t)len;
    *(i == 0 ? &l->counts.up : &l->counts.down) += len;
    pthread_cond_broadcast(&l->came);
    return (len == 0 || enqueue(l, p, i, bytes, len)) && !(cut > 0 && w->passed >= cut);
}

/* What came is passed on; a cut comes behind what is under way already. */
static void take(struct line *l, struct pair *p, int i)
{
    uint8_t bytes[SEGMENT];
    const ssize_t got = recv(p->fd[i], bytes, sizeof bytes, 0);
    if (got > 0 && l->options.kind != LINE_PASS)
        return; /* nobody reads it */
    if (got > 0 && pass(l, p, i, bytes, (size_t)got))
        return;
    if (got > 0) {
        l->counts.cuts++;
        for (struct segment *s = p->way[i].first; s; s = s->next)
            if (p->fd[i ^ 1] >= 0)
                send(p->fd[i ^ 1], s->bytes + s->sent, s->len - s->sent,
                     MSG_NOSIGNAL | MSG_DONTWAIT);
    }
    /* Mostly an orderly end, so that what was sent before it arrives. */
    pair_close(p, l->options.cut_percent && drawn(l, 50));
}

static void deliver(struct pair *p, int i)
{
    struct way *w = &p->way[i];
    const int64_t now = now_us();
    while (w->first && w->first->due_us <= now) {
        struct segment *s = w->first;
        const ssize_t n =
            send(p->fd[i ^ 1], s->bytes + s->sent, s->len - s->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n <= 0)
            return; /* again when there is room; an end is seen by who reads */
        s->sent += (size_t)n;
        w->queued -= (size_t)n;
        if (s->sent < s->len)
            return;
        w->first = s->next;
        free(s);
    }
}

/* --- the thread ------------------------------------------------------------------------------ */

/* Until the next segment is due; -1: until something comes. */
static int wait_ms(const struct line *l)
{
    int64_t due = INT64_MAX;
    for (int k = 0; k < 2 * PAIRS; k++) {
        const struct segment *s = l->pairs[k / 2].way[k % 2].first;
        if (s && s->due_us < due)
            due = s->due_us;
    }
    if (due == INT64_MAX)
        return -1;
    due -= now_us();
    return due <= 0 ? 1 : (int)(due / 1000 + 1);
}

static void *line_main(void *self)
{
    struct line *l = self;
    pthread_mutex_lock(&l->lock);
    while (!l->stop) {
        struct pollfd fds[2 * PAIRS + 2] = {{.fd = l->listener, .events = POLLIN},
                                            {.fd = l->wake, .events = POLLIN}};
        uint64_t woken;
        for (int k = 0; k < 2 * PAIRS; k++) {
            const bool full = l->pairs[k / 2].way[k % 2].queued > QUEUED_MAX;
            fds[k + 2] =
                (struct pollfd){.fd = full ? -1 : l->pairs[k / 2].fd[k % 2], .events = POLLIN};
        }
        const int wait = wait_ms(l);
        pthread_mutex_unlock(&l->lock);
        poll(fds, 2 * PAIRS + 2, wait);
        pthread_mutex_lock(&l->lock);
        if (fds[1].revents && read(l->wake, &woken, sizeof woken) < 0)
            break;
        for (int k = 0; k < 2 * PAIRS; k++) {
            struct pair *p = &l->pairs[k / 2];
            if (p->fd[k % 2] >= 0)
                deliver(p, k % 2);
            if (fds[k + 2].revents && fds[k + 2].fd == p->fd[k % 2] && p->fd[k % 2] >= 0)
                take(l, p, k % 2);
        }
        if (fds[0].revents)
            pair_open(l);
    }
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

static void wake(struct line *l)
{
    const uint64_t one = 1;
    assert_int_equal(write(l->wake, &one, sizeof one), sizeof one);
}

struct line *line_open(int port, const struct line_options *options)
{
    struct line *l = calloc(1, sizeof *l);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    assert_non_null(l);
    l->options = *options;
    l->port = port;
    for (int i = 0; i < PAIRS; i++)
        l->pairs[i].fd[0] = l->pairs[i].fd[1] = -1;
    l->wake = eventfd(0, EFD_CLOEXEC);
    l->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(l->wake >= 0 && l->listener >= 0);
    assert_int_equal(bind(l->listener, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(l->listener, PAIRS), 0);
    assert_int_equal(getsockname(l->listener, (struct sockaddr *)&a, &len), 0);
    snprintf(l->address, sizeof l->address, "tcp://127.0.0.1:%d", ntohs(a.sin_port));
    assert_int_equal(pthread_mutex_init(&l->lock, NULL), 0);
    assert_int_equal(pthread_cond_init(&l->came, NULL), 0);
    assert_int_equal(pthread_create(&l->thread, NULL, line_main, l), 0);
    return l;
}

void line_set(struct line *l, const struct line_options *options)
{
    pthread_mutex_lock(&l->lock);
    l->options = *options;
    for (int i = 0; i < PAIRS; i++)
        pair_close(&l->pairs[i], true);
    pthread_mutex_unlock(&l->lock);
    wake(l);
}

const char *line_address(const struct line *l)
{
    return l->address;
}

struct line_counts line_counts(struct line *l)
{
    pthread_mutex_lock(&l->lock);
    const struct line_counts out = l->counts;
    pthread_mutex_unlock(&l->lock);
    return out;
}

static void await(struct line *l, unsigned connections, uint64_t up, uint64_t down)
{
    struct timespec until;
    int rc = 0;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_S;
    pthread_mutex_lock(&l->lock);
    while (rc == 0 &&
           (l->counts.connections < connections || l->counts.up < up || l->counts.down < down))
        rc = pthread_cond_timedwait(&l->came, &l->lock, &until);
    pthread_mutex_unlock(&l->lock);
    assert_int_equal(rc, 0);
}

void line_await(struct line *l, unsigned connections)
{
    await(l, connections, 0, 0);
}

void line_await_bytes(struct line *l, uint64_t up, uint64_t down)
{
    await(l, 0, up, down);
}

size_t line_request(struct line *l, uint8_t *out, size_t room)
{
    pthread_mutex_lock(&l->lock);
    const size_t len = l->request_len;
    assert_true(len > 0 && len <= room);
    memcpy(out, l->request, len);
    pthread_mutex_unlock(&l->lock);
    return len;
}

void line_close(struct line *l)
{
    pthread_mutex_lock(&l->lock);
    l->stop = true;
    pthread_mutex_unlock(&l->lock);
    wake(l);
    pthread_join(l->thread, NULL);
    for (int i = 0; i < PAIRS; i++)
        pair_close(&l->pairs[i], false);
    close(l->listener);
    close(l->wake);
    pthread_cond_destroy(&l->came);
    pthread_mutex_destroy(&l->lock);
    free(l->request);
    free(l);
}
