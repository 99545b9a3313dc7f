/* The socket loop. A raw REP socket, since a cooked one answers one request at a time: here
 * everything that has arrived is answered as one batch, in one transaction. Knows no frames and no
 * SQL. */
#include "serve.h"

#include <errno.h>
#include <nanomsg/nn.h>
#include <nanomsg/reqrep.h>
#include <nanomsg/tcp.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include "bounds.h"
#include "crew.h"
#include "env.h"
#include "idle.h"
#include "peers.h"

enum {
    WAIT_MS = 100,        /* at most, before looking at *stop */
    BACKOFF_MAX_MS = 100, /* after errors of the socket */
    LAST_BATCHES = 4,     /* answered after *stop */
    FLUSH_MS = 200,       /* nanomsg has no linger: time for the last replies to leave */
    HOPS_MAX = 8,         /* devices between a client and us */
    HEAD_BYTES_MAX = 256, /* return address of a message */
    REQUEST_FRAME_MAX = NOISE_MESSAGE_MAX + 64, /* with nanomsg's header of 4 bytes a hop */
    CLOSE_PERCENT = 80, /* of descriptors in use: silent connections are ended ... */
    KEEP_PERCENT = 60,  /* ... down to this */
    TELL_MS = 10000,    /* between lines of the log about it */
    SEND_TRIES = 3
};

_Static_assert(NN_CMSG_SPACE(sizeof(size_t) + 4 * (HOPS_MAX + 1)) <= HEAD_BYTES_MAX,
               "a return address fits");

/* A message as it came: the body is nanomsg's memory, the head says where the reply goes. */
struct arrival {
    void *body;
    size_t head_len;
    _Alignas(struct nn_cmsghdr) uint8_t head[HEAD_BYTES_MAX];
};

struct server {
    struct registry *registry;
    const struct server_keys *keys;
    const struct env *env;
    int socket;
    size_t batch_max;
    struct job *jobs; /* batch_max of each */
    struct arrival *arrivals;
    uint32_t *connections; /* that the arrivals came by */
    size_t held_at;        /* an arrival kept for the next batch; 0: none */
    unsigned failures;     /* of receiving, in a row */
    uint64_t descriptors;  /* that this process may have */
    size_t ended;          /* connections, not told yet */
    int64_t told_ms;
    int64_t answered_ms; /* 0: never */
};

enum received { RECEIVED, NOTHING, FAILED };

static void pause_ms(long ms)
{
    struct timespec t = {.tv_nsec = ms * 1000000};

    nanosleep(&t, NULL); /* a signal may end it early, which is welcome */
}

/* --- set up --- */

/* Every peer costs a descriptor. */
static void raise_descriptors(struct server *v)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        env_log(v->env, ENV_WARN, "descriptors", "unknown=true");
        v->descriptors = 0;
        return;
    }
    rlim_t before = limit.rlim_cur;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        limit.rlim_cur = before;
    v->descriptors = limit.rlim_cur;
    env_log(v->env, ENV_INFO, "descriptors", "before=%llu limit=%llu", (unsigned long long)before,
            (unsigned long long)limit.rlim_cur);
}

static enum ocop_status net_error(struct ocop_error *err, const char *what, const char *detail)
{
    return err_set(err, OCOP_ENET, "%s%s: %s", what, detail, nn_strerror(nn_errno()));
}

static bool set_option(int socket, int level, int option, int value)
{
    return nn_setsockopt(socket, level, option, &value, sizeof value) == 0;
}

static enum ocop_status open_socket(struct server *v, struct ocop_error *err)
{
    v->socket = nn_socket(AF_SP_RAW, NN_REP);
    if (v->socket < 0)
        return net_error(err, "no socket could be made", "");
    if (!set_option(v->socket, NN_SOL_SOCKET, NN_RCVMAXSIZE, REQUEST_FRAME_MAX) ||
        !set_option(v->socket, NN_SOL_SOCKET, NN_IPV4ONLY, 0) ||
        !set_option(v->socket, NN_SOL_SOCKET, NN_MAXTTL, HOPS_MAX) ||
        !set_option(v->socket, NN_SOL_SOCKET, NN_RCVTIMEO, WAIT_MS) ||
        !set_option(v->socket, NN_SOL_SOCKET, NN_SNDTIMEO, 1) ||
        !set_option(v->socket, NN_TCP, NN_TCP_NODELAY, 1))
        return net_error(err, "the socket could not be set up", "");
    return OCOP_OK;
}

static enum ocop_status bind_all(struct server *v, const struct serve_options *options,
                                 struct ocop_error *err)
{
    enum { COUNT = sizeof options->listen / sizeof *options->listen };

    if (!options->listen[0])
        return err_set(err, OCOP_ENET,
                       "no address to listen on; give one such as "
                       "tcp://127.0.0.1:7070");
    for (size_t i = 0; i < COUNT && options->listen[i]; i++) {
        const char *address = options->listen[i];
        if (strncmp(address, "tcp://", 6) != 0 && strncmp(address, "ws://", 5) != 0)
            return err_set(err, OCOP_ENET,
                           "cannot listen on %s: addresses begin with tcp:// or "
                           "ws://",
                           address);
        if (nn_bind(v->socket, address) < 0)
            return net_error(err, "cannot listen on ", address);
    }
    for (size_t i = 0; i < COUNT && options->listen[i]; i++) {
        char quoted[2 * NN_SOCKADDR_MAX];
        env_log(v->env, ENV_INFO, "listen", "address=%s",
                env_quote(quoted, sizeof quoted, options->listen[i]));
        if (options->ready)
            options->ready(options->self, options->listen[i]);
    }
    return OCOP_OK;
}

/* --- receive --- */

/* The return address stands first among what came with a message; the rest is for the transport
 * and not given back. 0 when there is none, and so no way to answer. */
static size_t head_len(const uint8_t head[HEAD_BYTES_MAX])
{
    struct nn_cmsghdr first;

    memcpy(&first, head, sizeof first);
    if (first.cmsg_level != PROTO_SP || first.cmsg_type != SP_HDR ||
        first.cmsg_len < NN_CMSG_SPACE(sizeof(size_t) + sizeof(uint32_t)) ||
        first.cmsg_len > HEAD_BYTES_MAX)
        return 0;
    return first.cmsg_len;
}

static enum received receive_one(struct server *v, struct arrival *a, struct job *job, int flags)
{
    struct nn_iovec iov = {.iov_base = &a->body, .iov_len = NN_MSG};
    struct nn_msghdr header = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = a->head, .msg_controllen = HEAD_BYTES_MAX};
    int len;

    a->body = NULL;
    memset(a->head, 0, sizeof a->head);
    len = nn_recvmsg(v->socket, &header, flags);
    if (len < 0) {
        int e = nn_errno();
        return e == EAGAIN || e == ETIMEDOUT || e == EINTR ? NOTHING : FAILED;
    }
    a->head_len = head_len(a->head);
    if (a->head_len == 0 || len > REQUEST_FRAME_MAX) {
        env_log(v->env, ENV_WARN, "dropped", "bytes_in=%d answerable=%s", len,
                a->head_len ? "true" : "false");
        nn_freemsg(a->body);
        a->body = NULL;
        return NOTHING;
    }
    *job = (struct job){.frame = span_of(a->body, (size_t)len)};
    buf_init(&job->reply, FRAME_BYTES_MAX);
    return RECEIVED;
}

/* What nanomsg calls the connection: first in the return address, and its own word, not the
 * sender's. Before it stands the address's length. */
static uint32_t connection_of(const struct arrival *a)
{
    uint32_t out;

    memcpy(&out, NN_CMSG_DATA((struct nn_cmsghdr *)(uintptr_t)a->head) + sizeof(size_t),
           sizeof out);
    return out;
}

static bool is_second(struct server *v, size_t at)
{
    v->connections[at] = connection_of(&v->arrivals[at]);
    for (size_t i = 0; i < at; i++)
        if (v->connections[i] == v->connections[at])
            return true;
    return false;
}

/* The one that was kept stands first in the batch now. */
static size_t take_held(struct server *v)
{
    if (!v->held_at)
        return 0;
    v->arrivals[0] = v->arrivals[v->held_at];
    v->jobs[0] = v->jobs[v->held_at];
    v->held_at = 0;
    v->connections[0] = connection_of(&v->arrivals[0]);
    return 1;
}

/* Wait for the first message, then take what else is there, and wait for no more. A connection has
 * one request in a batch: nanomsg gives from all in turn, so its second says that all others had
 * theirs, and whoever floods one costs the others one request, not a batch. */
static enum received receive_batch(struct server *v, bool wait, size_t *count)
{
    enum received got = RECEIVED;

    *count = take_held(v);
    while (got == RECEIVED && *count < v->batch_max && !v->held_at) {
        got = receive_one(v, &v->arrivals[*count], &v->jobs[*count],
                          wait && *count == 0 ? 0 : NN_DONTWAIT);
        if (got == RECEIVED && is_second(v, *count))
            v->held_at = *count;
        else if (got == RECEIVED)
            (*count)++;
    }
    return *count ? RECEIVED : got;
}

/* The socket itself failed: say so now and then, and do not spin.
 * @return OCOP_ENET when there is no socket left to wait for */
static enum ocop_status back_off(struct server *v, struct ocop_error *err)
{
    int e = nn_errno();

    if (e == EBADF || e == ETERM || e == ENOTSOCK)
        return net_error(err, "the socket is gone", "");
    v->failures++;
    if ((v->failures & (v->failures - 1)) == 0) { /* 1, 2, 4, 8, ... in a row */
        char quoted[160];
        env_log(v->env, ENV_ERROR, "receive", "failures=%u error=%s", v->failures,
                env_quote(quoted, sizeof quoted, nn_strerror(e)));
    }
    pause_ms(v->failures < 7 ? 1L << v->failures : BACKOFF_MAX_MS);
    return OCOP_OK;
}

/* --- answer --- */

/* To a peer that is gone nanomsg drops a reply by itself; it is never waited for. */
static bool send_reply(struct server *v, const struct arrival *a, const struct job *job)
{
    struct nn_iovec iov = {.iov_base = job->reply.p, .iov_len = job->reply.len};
    struct nn_msghdr header = {.msg_iov = &iov,
                               .msg_iovlen = 1,
                               .msg_control = (void *)(uintptr_t)a->head,
                               .msg_controllen = a->head_len};

    for (int i = 0; i < SEND_TRIES; i++) {
        if (nn_sendmsg(v->socket, &header, NN_DONTWAIT) >= 0)
            return true;
        if (nn_errno() != EINTR)
            return false;
    }
    return false;
}

static void log_job(struct server *v, const struct job *job, bool sent, size_t count, int64_t ms)
{
    char replica[ID_TEXT_LEN + 1];

    env_log(v->env, job->status || !sent ? ENV_WARN : ENV_INFO, "exchange",
            "replica=%s status=%s sets=%u changes=%u outcomes=%u records=%zu bytes_in=%zu "
            "bytes_out=%zu batch=%zu ms=%lld%s",
            id_is_zero(&job->replica) ? "-" : id_text(job->replica, replica), err_name(job->status),
            (unsigned)job->sets, (unsigned)job->changes, (unsigned)job->outcomes, job->records,
            job->frame.len, job->reply.len, count, (long long)ms, sent ? "" : " reply=dropped");
}

static void answer_batch(struct server *v, size_t count)
{
    int64_t begin = env_mono_ms(v->env), ms;

    v->failures = 0;
    exchange_batch(v->registry, v->keys, v->jobs, count);
    ms = env_mono_ms(v->env) - begin;
    for (size_t i = 0; i < count; i++) {
        struct job *job = &v->jobs[i];
        bool sent = true;
        if (job->reply.failed)
            sent = false; /* what is in it may be half a frame */
        else if (job->reply.len)
            sent = send_reply(v, &v->arrivals[i], job);
        log_job(v, job, sent, count, ms);
        buf_fini(&job->reply);
        nn_freemsg(v->arrivals[i].body);
        v->arrivals[i].body = NULL;
    }
    v->answered_ms = env_mono_ms(v->env);
}

/* Without a free descriptor nanomsg takes nobody, and spins. So those who say nothing make room
 * before it comes to that; a device whose connection ends here connects again when it syncs. */
static void watch_descriptors(struct server *v)
{
    size_t limit = (size_t)v->descriptors, used = idle_descriptors(limit);
    int64_t now;

    if (limit == 0 || (v->ended == 0 && used <= limit * CLOSE_PERCENT / 100))
        return;
    if (used > limit * CLOSE_PERCENT / 100)
        v->ended += idle_close(used - limit * KEEP_PERCENT / 100, limit);
    now = env_mono_ms(v->env);
    if (v->told_ms && now - v->told_ms < TELL_MS)
        return;
    env_log(v->env, ENV_WARN, "descriptors", "used=%zu limit=%zu connections_ended=%zu advice=%s",
            used, limit, v->ended, "\"raise the limit or cap connections in front\"");
    v->told_ms = now;
    v->ended = 0;
}

static enum ocop_status loop(struct server *v, volatile sig_atomic_t *stop, struct ocop_error *err)
{
    size_t count;
    enum ocop_status st = OCOP_OK;

    while (!*stop && !st) {
        switch (receive_batch(v, true, &count)) {
        case RECEIVED:
            answer_batch(v, count);
            break;
        case NOTHING:
            v->failures = 0;
            break;
        case FAILED:
            st = back_off(v, err);
            break;
        }
        watch_descriptors(v);
    }
    for (int i = 0; i < LAST_BATCHES && !st; i++) {
        if (receive_batch(v, false, &count) != RECEIVED)
            break;
        answer_batch(v, count);
    }
    if (v->answered_ms && env_mono_ms(v->env) - v->answered_ms < FLUSH_MS)
        pause_ms(FLUSH_MS);
    return st;
}

static size_t batch_size(const struct serve_options *options)
{
    if (options->batch_max < 1 || options->batch_max > BATCH_REQUESTS_MAX)
        return BATCH_REQUESTS_MAX;
    return (size_t)options->batch_max;
}

enum ocop_status serve(struct registry *r, const struct server_keys *keys,
                       const struct serve_options *options, volatile sig_atomic_t *stop,
                       struct ocop_error *err)
{
    struct server v = {
        .registry = r, .keys = keys, .env = r->env, .socket = -1, .batch_max = batch_size(options)};
    enum ocop_status st;

    raise_descriptors(&v);
    v.jobs = calloc(v.batch_max, sizeof *v.jobs);
    v.arrivals = calloc(v.batch_max, sizeof *v.arrivals);
    v.connections = calloc(v.batch_max, sizeof *v.connections);
    if (!v.jobs || !v.arrivals || !v.connections) {
        st = err_nomem(err);
        goto out;
    }
    st = peers_open(&r->peers, err);
    if (!st)
        st = crew_open(options->workers, &r->crew, err);
    if (!st)
        st = open_socket(&v, err);
    if (!st)
        st = bind_all(&v, options, err);
    if (!st)
        st = loop(&v, stop, err);
    env_log(v.env, ENV_INFO, "stopped", "status=%s", err_name(st));
out:
    if (v.held_at)
        nn_freemsg(v.arrivals[v.held_at].body);
    while (v.socket >= 0 && nn_close(v.socket) < 0 && nn_errno() == EINTR)
        ;
    crew_close(r->crew);
    peers_close(r->peers);
    r->crew = NULL;
    r->peers = NULL;
    free(v.jobs);
    free(v.arrivals);
    free(v.connections);
    return st;
}
