/* The real link: one nanomsg socket to one server. The client's only user of nanomsg, which starts
 * threads of its own and ends the process where it finds itself in trouble; what is done here about
 * each is said in its place. The socket is a raw REQ: a cooked one keeps a message for whoever
 * comes later, sends it again by itself, and ends the process when one request is answered twice.
 * Knows no frames. */
#include <arpa/inet.h>
#include <errno.h>
#include <nanomsg/nn.h>
#include <nanomsg/reqrep.h>
#include <nanomsg/tcp.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "bounds.h"
#include "env.h"
#include "link.h"

enum {
    SLICE_MS = 50,         /* at most, before looking whether the caller cancelled */
    POLL_FIRST_MS = 2,     /* waiting for a connection: doubles from here ... */
    POLL_LAST_MS = 20,     /* ... to here */
    OTHER_FAMILY_MS = 300, /* after which a name is tried over IPv4 as well */
    RECONNECT_MS = 100,
    RECONNECT_MAX_MS = 2000,
    HOST_BYTES_MAX = 90,
    TAKEN_MS = 1000,        /* within this, and ... */
    TAKEN_BYTES_PER_MS = 4, /* ... at this pace a connection that stands has taken a request */
    PROBE_PIPES = 12        /* two descriptors each: more than a socket and its connection take */
};

enum host { HOST_IPV4, HOST_IPV6, HOST_NAME /* may stand for both */ };

struct nn_link {
    struct link base;
    char address[NN_SOCKADDR_MAX];
    enum host host;
    int socket;          /* -1: none */
    uint64_t broken;     /* connections, when the request was sent */
    uint32_t id;         /* of the request; a reply carries its request's */
    int64_t taken_by_ms; /* when it must have left, monotonic */
};

/* --- addresses: nanomsg aborts on some that are wrong, so each is read here first --- */

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_name(const char *host)
{
    size_t label = 0;
    bool letter = false; /* in the last label: "10.0.0.300" is a mistyped number, not a name */

    for (const char *c = host;; c++) {
        if (*c == '.' || !*c) {
            if (label == 0 || label > 63 || c[-1] == '-')
                return false;
            if (!*c)
                return letter;
            label = 0;
            letter = false;
            continue;
        }
        if (!is_letter(*c) && !is_digit(*c) && (*c != '-' || label == 0))
            return false;
        letter = letter || is_letter(*c);
        label++;
    }
}

static enum ocop_status check_host(const char *host, enum host *kind, struct ocop_error *err)
{
    uint8_t binary[16];
    size_t len = strlen(host);
    char inner[HOST_BYTES_MAX + 1];

    if (host[0] == '[' && len > 2 && host[len - 1] == ']') {
        memcpy(inner, host + 1, len - 2);
        inner[len - 2] = 0;
        *kind = HOST_IPV6;
        if (inet_pton(AF_INET6, inner, binary) == 1)
            return OCOP_OK;
        return err_field(err, OCOP_EINVAL, "address",
                         "%s is not an IPv6 address; write it as "
                         "[2001:db8::1]",
                         host);
    }
    *kind = HOST_IPV4;
    if (inet_pton(AF_INET, host, binary) == 1)
        return OCOP_OK;
    *kind = HOST_NAME;
    if (is_name(host))
        return OCOP_OK;
    return err_field(err, OCOP_EINVAL, "address",
                     "\"%s\" is neither a host name nor an IPv4 address nor an IPv6 address in "
                     "brackets",
                     host);
}

/* A path is for ws alone, where a front may choose by it. */
static bool is_path(const char *path)
{
    while (*path && (is_letter(*path) || is_digit(*path) || strchr("/-._~", *path)))
        path++;
    return !*path;
}

static enum ocop_status check_port(const char *port, bool ws, struct ocop_error *err)
{
    size_t digits = strspn(port, "0123456789");
    long number = digits >= 1 && digits <= 5 ? strtol(port, NULL, 10) : 0;
    const char *rest = port + digits;

    if (number < 1 || number > 65535)
        return err_field(err, OCOP_EINVAL, "address", "the port must be a number from 1 to 65535");
    if (*rest && !(ws && *rest == '/' && is_path(rest)))
        return err_field(err, OCOP_EINVAL, "address", "nothing may follow the port%s",
                         ws ? " but a plain path" : "");
    return OCOP_OK;
}

static enum ocop_status check_address(const char *address, enum host *kind, struct ocop_error *err)
{
    bool tcp = address && strncmp(address, "tcp://", 6) == 0,
         ws = address && strncmp(address, "ws://", 5) == 0;
    char host[HOST_BYTES_MAX + 1];
    const char *begin, *end, *last;
    enum ocop_status st;

    if (!tcp && !ws)
        return err_field(err, OCOP_EINVAL, "address",
                         "a server's address begins with tcp:// or ws://");
    if (strlen(address) >= NN_SOCKADDR_MAX)
        return err_field(err, OCOP_EINVAL, "address", "the address is longer than %d bytes",
                         NN_SOCKADDR_MAX - 1);
    begin = address + (tcp ? 6 : 5);
    last = *begin == '[' ? strchr(begin, ']') : NULL; /* an IPv6 address has colons of its own */
    end = strchr(last ? last : begin, ':');
    if (!end)
        return err_field(err, OCOP_EINVAL, "address",
                         "the address lacks its port, as in "
                         "tcp://host:7070");
    if ((size_t)(end - begin) > HOST_BYTES_MAX)
        return err_field(err, OCOP_EINVAL, "address", "the host is longer than %d bytes",
                         HOST_BYTES_MAX);
    memcpy(host, begin, (size_t)(end - begin));
    host[end - begin] = 0;
    st = check_host(host, kind, err);
    return st ? st : check_port(end + 1, ws, err);
}

/* --- the socket --- */

static void drop(struct nn_link *l)
{
    if (l->socket < 0)
        return;
    while (nn_close(l->socket) < 0 && nn_errno() == EINTR)
        ;
    l->socket = -1;
}

static enum ocop_status net_error(struct ocop_error *err, const char *what)
{
    return err_set(err, OCOP_ENET, "%s: %s", what, nn_strerror(nn_errno()));
}

/* nanomsg ends the process when it lacks a descriptor at the wrong moment. So see first that there
 * are enough; another thread may take them meanwhile, but not a slow leak. */
static enum ocop_status check_descriptors(struct ocop_error *err)
{
    int fds[PROBE_PIPES][2], got = 0;

    while (got < PROBE_PIPES && pipe(fds[got]) == 0)
        got++;
    for (int i = 0; i < got; i++) {
        close(fds[i][0]);
        close(fds[i][1]);
    }
    if (got == PROBE_PIPES)
        return OCOP_OK;
    return err_set(err, OCOP_ENET,
                   "too few file descriptors are free to connect; close some files "
                   "or raise the limit");
}

static bool set_option(int socket, int level, int option, int value)
{
    return nn_setsockopt(socket, level, option, &value, sizeof value) == 0;
}

/* One more way to the server on the same socket: REQ uses whichever is there. With `ipv4_only` off
 * nanomsg binds to an IPv6 address first, and with an IPv4 address to go to that ends the process.
 */
static enum ocop_status add_endpoint(struct nn_link *l, bool ipv4_only, struct ocop_error *err)
{
    if (!set_option(l->socket, NN_SOL_SOCKET, NN_IPV4ONLY, ipv4_only) ||
        nn_connect(l->socket, l->address) < 0)
        return net_error(err, "the connection could not be begun");
    return OCOP_OK;
}

static enum ocop_status open_socket(struct nn_link *l, struct ocop_error *err)
{
    enum ocop_status st = check_descriptors(err);

    if (st)
        return st;
    l->socket = nn_socket(AF_SP_RAW, NN_REQ);
    if (l->socket < 0)
        return net_error(err, "no socket could be made");
    if (!set_option(l->socket, NN_SOL_SOCKET, NN_RCVMAXSIZE, (int)FRAME_BYTES_MAX) ||
        !set_option(l->socket, NN_SOL_SOCKET, NN_RECONNECT_IVL, RECONNECT_MS) ||
        !set_option(l->socket, NN_SOL_SOCKET, NN_RECONNECT_IVL_MAX, RECONNECT_MAX_MS) ||
        !set_option(l->socket, NN_SOL_SOCKET, NN_SNDTIMEO, SLICE_MS) ||
        !set_option(l->socket, NN_SOL_SOCKET, NN_RCVTIMEO, SLICE_MS) ||
        !set_option(l->socket, NN_TCP, NN_TCP_NODELAY, 1))
        st = net_error(err, "the socket could not be set up");
    if (!st)
        st = add_endpoint(l, l->host == HOST_IPV4, err);
    if (st)
        drop(l);
    return st;
}

static bool connected(const struct nn_link *l)
{
    uint64_t count;

    if (l->socket < 0)
        return false;
    count = nn_get_statistic(l->socket, NN_STAT_CURRENT_CONNECTIONS);
    return count > 0 && count != UINT64_MAX;
}

static bool cancelled(const atomic_bool *cancel)
{
    return cancel && atomic_load(cancel);
}

static enum ocop_status was_cancelled(struct ocop_error *err)
{
    return err_set(err, OCOP_ECANCELLED, "cancelled while waiting for the server");
}

static int64_t mono_ms(void)
{
    return env_mono_ms(env_system());
}

static void pause_ms(int64_t ms)
{
    struct timespec t = {.tv_nsec = (long)ms * 1000000};

    nanosleep(&t, NULL);
}

/* Somebody may have taken the connection without being a registry: in a hotel its sign-in page,
 * else a front whose server is gone. */
static enum ocop_status not_reached(const struct nn_link *l, int timeout_ms, struct ocop_error *err)
{
    if (nn_get_statistic(l->socket, NN_STAT_ESTABLISHED_CONNECTIONS) > 0)
        return err_set(
            err, OCOP_ENET,
            "%s could not be reached in %d ms: what answers there is not the registry; it "
            "may be down, or this network has a sign-in page: open a browser",
            l->address, timeout_ms);
    return err_set(
        err, OCOP_ENET, "%s could not be reached in %d ms (%s); check the signal and the address",
        l->address, timeout_ms,
        nn_get_statistic(l->socket, NN_STAT_CONNECT_ERRORS) > 0 ? "no connection accepted"
                                                                : "no answer");
}

/* --- the seam --- */

/* nanomsg accepts a message with nobody there, so a connection is waited for here. A name is looked
 * up as IPv6 first, which finds IPv4 too where that is all there is; a host with both that answers
 * over one only needs the second endpoint. */
static enum ocop_status wait_connected(struct nn_link *l, int timeout_ms, const atomic_bool *cancel,
                                       struct ocop_error *err)
{
    int64_t begin = mono_ms(), waited = 0, step = POLL_FIRST_MS;
    bool both = l->host != HOST_NAME;

    while (!connected(l)) {
        if (cancelled(cancel))
            return was_cancelled(err);
        waited = mono_ms() - begin;
        if (waited >= timeout_ms)
            return not_reached(l, timeout_ms, err);
        if (!both && (waited >= OTHER_FAMILY_MS ||
                      nn_get_statistic(l->socket, NN_STAT_CONNECT_ERRORS) > 0)) {
            both = true;
            enum ocop_status st = add_endpoint(l, true, err);
            if (st)
                return st;
        }
        pause_ms(step < timeout_ms - waited ? step : timeout_ms - waited);
        step = step * 2 < POLL_LAST_MS ? step * 2 : POLL_LAST_MS;
    }
    return OCOP_OK;
}

static enum ocop_status link_connect(struct link *base, int timeout_ms, const atomic_bool *cancel,
                                     struct ocop_error *err)
{
    struct nn_link *l = (struct nn_link *)base;
    enum ocop_status st = OCOP_OK;

    if (cancelled(cancel))
        return was_cancelled(err);
    if (connected(l))
        return OCOP_OK;
    drop(l);
    st = open_socket(l, err);
    if (!st)
        st = wait_connected(l, timeout_ms, cancel, err);
    if (st)
        drop(l); /* or it would go on trying behind the caller's back */
    return st;
}

static enum ocop_status take_reply(struct buf *reply, const void *message, size_t len,
                                   struct ocop_error *err)
{
    buf_put(reply, message, len);
    if (!reply->failed)
        return OCOP_OK;
    buf_clear(reply);
    if (len > reply->cap)
        return err_set(err, OCOP_ELIMIT, "reply of %zu bytes, limit %zu", len, reply->cap);
    return err_nomem(err);
}

/* What nanomsg puts before a message: the number of the request, its highest bit set, big-endian;
 * and how it is told of that. */
struct head {
    struct nn_cmsghdr first;
    size_t len;
    uint8_t id[4];
};

_Static_assert(offsetof(struct head, len) == sizeof(struct nn_cmsghdr), "the length comes first");

static void head_init(struct head *h, uint32_t id)
{
    memset(h, 0, sizeof *h);
    h->first.cmsg_len = NN_CMSG_SPACE(sizeof h->len + sizeof h->id);
    h->first.cmsg_level = PROTO_SP;
    h->first.cmsg_type = SP_HDR;
    h->len = sizeof h->id;
    for (int i = 0; i < 4; i++)
        h->id[i] = (uint8_t)(id >> (24 - 8 * i));
}

enum received { RECEIVED, NOTHING, FAILED };

/* A reply to another request, such as a late one or one that came before, is dropped: nothing. */
static enum received receive(struct nn_link *l, void **message, size_t *len)
{
    struct head want, got;
    struct nn_iovec iov = {.iov_base = message, .iov_len = NN_MSG};
    struct nn_msghdr header = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &got, .msg_controllen = sizeof got};
    int n;

    head_init(&want, l->id);
    memset(&got, 0, sizeof got);
    *message = NULL;
    n = nn_recvmsg(l->socket, &header, 0);
    if (n < 0)
        return nn_errno() == ETIMEDOUT || nn_errno() == EAGAIN || nn_errno() == EINTR ? NOTHING
                                                                                      : FAILED;
    *len = (size_t)n;
    if (got.first.cmsg_type == SP_HDR && got.len == sizeof got.id &&
        memcmp(got.id, want.id, sizeof got.id) == 0)
        return RECEIVED;
    nn_freemsg(*message);
    *message = NULL;
    return NOTHING;
}

/* nanomsg overlooks the end of a connection in the moment after its first bytes were exchanged, and
 * holds it for open. Such a one never takes a request. */
static bool never_takes(const struct nn_link *l)
{
    struct nn_pollfd out = {.fd = l->socket, .events = NN_POLLOUT};

    return mono_ms() > l->taken_by_ms && nn_poll(&out, 1, 0) == 0;
}

/* A broken connection ends the wait at once: nanomsg would connect again unseen, for ever where
 * what breaks it is a reply above its limit. */
static enum ocop_status wait_reply(struct nn_link *l, int timeout_ms, const atomic_bool *cancel,
                                   struct buf *reply, struct ocop_error *err)
{
    int64_t begin = mono_ms();

    for (;;) {
        void *message;
        size_t len;
        int64_t left = timeout_ms - (mono_ms() - begin);
        if (cancelled(cancel))
            return was_cancelled(err);
        if (left <= 0)
            return err_set(err, OCOP_ETIMEOUT,
                           "no reply from %s in %d ms; it may have arrived and "
                           "will be repeated at the next sync",
                           l->address, timeout_ms);
        if (!set_option(l->socket, NN_SOL_SOCKET, NN_RCVTIMEO,
                        left < SLICE_MS ? (int)left : SLICE_MS))
            return net_error(err, "the socket could not be set up");
        enum received got = receive(l, &message, &len);
        if (got == FAILED)
            return net_error(err, "the reply could not be received");
        if (got == RECEIVED) {
            enum ocop_status st = take_reply(reply, message, len, err);
            nn_freemsg(message);
            return st;
        }
        if (nn_get_statistic(l->socket, NN_STAT_BROKEN_CONNECTIONS) != l->broken || !connected(l) ||
            never_takes(l))
            return err_set(err, OCOP_ENET,
                           "the connection to %s broke before the reply came; the "
                           "next sync repeats the request",
                           l->address);
    }
}

static enum ocop_status link_start(struct link *base, struct span request, struct ocop_error *err)
{
    struct nn_link *l = (struct nn_link *)base;
    struct head head;
    struct nn_iovec iov = {.iov_base = request.p ? (void *)(uintptr_t)request.p : (void *)&head,
                           .iov_len = request.len};
    struct nn_msghdr header = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &head, .msg_controllen = sizeof head};

    if (request.len > FRAME_BYTES_MAX)
        return err_set(err, OCOP_ELIMIT, "request of %zu bytes, limit %zu", request.len,
                       FRAME_BYTES_MAX);
    if (!connected(l)) {
        drop(l);
        return err_set(err, OCOP_ENET, "not connected to %s; connect first", l->address);
    }
    l->broken = nn_get_statistic(l->socket, NN_STAT_BROKEN_CONNECTIONS);
    l->id = (l->id + 1) | UINT32_C(0x80000000);
    head_init(&head, l->id);
    l->taken_by_ms = mono_ms() + TAKEN_MS + (int64_t)(request.len / TAKEN_BYTES_PER_MS);
    if (nn_sendmsg(l->socket, &header, NN_DONTWAIT) >= 0)
        return OCOP_OK;
    (void)net_error(err, "the request could not be sent");
    drop(l);
    return OCOP_ENET;
}

static enum ocop_status link_finish(struct link *base, int timeout_ms, const atomic_bool *cancel,
                                    struct buf *reply, struct ocop_error *err)
{
    struct nn_link *l = (struct nn_link *)base;
    enum ocop_status st;

    buf_clear(reply);
    st = wait_reply(l, timeout_ms, cancel, reply, err);
    if (st)
        drop(l); /* so that a late reply can never pass for the next request's */
    return st;
}

static enum ocop_status link_exchange(struct link *base, struct span request, int timeout_ms,
                                      const atomic_bool *cancel, struct buf *reply,
                                      struct ocop_error *err)
{
    enum ocop_status st = link_start(base, request, err);

    buf_clear(reply);
    return st ? st : link_finish(base, timeout_ms, cancel, reply, err);
}

/* A server that is busy has better use for the connection. */
static enum ocop_status link_pause(struct link *base, int ms, const atomic_bool *cancel,
                                   struct ocop_error *err)
{
    int64_t until = mono_ms() + ms, left = ms;

    drop((struct nn_link *)base);
    for (; left > 0; left = until - mono_ms()) {
        if (cancelled(cancel))
            return was_cancelled(err);
        pause_ms(left < SLICE_MS ? left : SLICE_MS);
    }
    return OCOP_OK;
}

static void link_close(struct link *base)
{
    struct nn_link *l = (struct nn_link *)base;

    if (!l)
        return;
    drop(l);
    free(l);
}

enum ocop_status link_nn_open(const char *address, struct link **out, struct ocop_error *err)
{
    struct nn_link *l;
    enum host kind = HOST_NAME;
    enum ocop_status st;

    *out = NULL;
    st = check_address(address, &kind, err);
    if (st)
        return st;
    l = calloc(1, sizeof *l);
    if (!l)
        return err_nomem(err);
    l->base =
        (struct link){link_connect, link_exchange, link_close, link_start, link_finish, link_pause};
    memcpy(l->address, address, strlen(address) + 1);
    l->host = kind;
    l->socket = -1;
    env_random(env_system(), &l->id, sizeof l->id); /* so that it is told from an earlier link's */
    *out = &l->base;
    return OCOP_OK;
}
