/* The socket loop. A raw REP socket, since a cooked one answers one request at a time: here what
 * has arrived waits for its turn, and all whose turn it is are answered as one batch, in one
 * transaction. Knows no frames and no SQL. */
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
#include "readback.h"
#include "thumbs.h"
#include "turns.h"

enum {
    WAIT_MS = 100,        /* at most, before looking at *stop */
    BACKOFF_MAX_MS = 100, /* after errors of the socket */
    LAST_BATCHES = 4,     /* answered after *stop */
    FLUSH_MS = 200,       /* nanomsg has no linger: time for the last replies to leave */
    HOPS_MAX = 8,         /* devices between a client and us */
    HEAD_BYTES_MAX = 256, /* return address of a message */
    REQUEST_FRAME_MAX = NOISE_MESSAGE_MAX + 64, /* with nanomsg's header of 4 bytes a hop */
    DESCRIPTORS_MAX = 8192,
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
    size_t len;
    uint32_t from; /* connection */
    size_t head_len;
    _Alignas(struct nn_cmsghdr) uint8_t head[HEAD_BYTES_MAX];
};

struct server {
    struct registry *registry;
    const struct server_keys *keys;
    const struct serve_options *options;
    const struct env *env;
    int socket;
    struct readback *readback; /* NULL: none */
    size_t batch_max;
    struct turns *turns;   /* arrivals that wait for their turn */
    struct arrival *spare; /* for the next one; NULL: none yet */
    struct arrival *held;  /* that let others go before it; NULL: none */
    struct job *jobs;      /* room for taken and away */
    struct turn *taken;    /* batch_max of each: whose turn it is, ... */
    struct arrival **away; /* ... those to be told to come back, ... */
    uint32_t *connections; /* ... and those that arrivals came by */
    size_t away_count;
    unsigned failures;    /* of receiving, in a row */
    uint64_t descriptors; /* that this process may have */
    size_t ended;         /* connections, not told yet */
    size_t turned_away;   /* not told yet */
    int64_t told_ms, told_away_ms;
    int64_t answered_ms; /* 0: never */
};

enum received { RECEIVED, NOTHING, FAILED };

static void pause_ms(long ms)
{
    struct timespec t = {.tv_nsec = ms * 1000000};

    nanosleep(&t, NULL); /* a signal may end it early, which is welcome */
}

/* --- set up --- */

/* Every peer costs a descriptor, and memory: what nanomsg has of a message that is not whole. */
static void raise_descriptors(struct server *v)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        env_log(v->env, ENV_WARN, "descriptors", "unknown=true");
        v->descriptors = 0;
        return;
    }
    rlim_t before = limit.rlim_cur;
    limit.rlim_cur = limit.rlim_max < DESCRIPTORS_MAX ? limit.rlim_max : DESCRIPTORS_MAX;
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

/* What nanomsg calls the connection: first in the return address, and its own word, not the
 * sender's. Before it stands the address's length. */
static uint32_t connection_of(const struct arrival *a)
{
    uint32_t out;

    memcpy(&out, NN_CMSG_DATA((struct nn_cmsghdr *)(uintptr_t)a->head) + sizeof(size_t),
           sizeof out);
    return out;
}

/* *out: v->spare, which is still the server's. */
static enum received receive_one(struct server *v, int flags, struct arrival **out)
{
    struct arrival *a = v->spare = v->spare ? v->spare : malloc(sizeof *a);
    int len;

    *out = a;
    if (!a) { /* the message waits where it is */
        errno = ENOMEM;
        return FAILED;
    }
    memset(a, 0, sizeof *a);
    struct nn_iovec iov = {.iov_base = &a->body, .iov_len = NN_MSG};
    struct nn_msghdr header = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = a->head, .msg_controllen = HEAD_BYTES_MAX};
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
        return NOTHING;
    }
    a->len = (size_t)len;
    a->from = connection_of(a);
    return RECEIVED;
}

static void arrival_free(struct arrival *a)
{
    if (a)
        nn_freemsg(a->body);
    free(a);
}

static bool is_second(const struct server *v, size_t count, uint32_t from)
{
    for (size_t i = 0; i < count; i++)
        if (v->connections[i] == from)
            return true;
    return false;
}

static void let_wait(struct server *v, struct arrival *a)
{
    if (!turns_put(v->turns, a->from, a->len, a))
        v->away[v->away_count++] = a;
}

/* Wait for the first message, if told so, then take what else is there, and wait for no more. A
 * connection has one request in each round: nanomsg gives from all in turn, so its second says that
 * all others had theirs, and whoever floods one costs the others one request, not a batch. */
static enum received receive_all(struct server *v, bool wait)
{
    enum received got = RECEIVED;
    size_t count = 0;

    if (v->held && v->away_count < v->batch_max) {
        v->connections[count++] = v->held->from;
        let_wait(v, v->held);
        v->held = NULL;
    }
    while (count < v->batch_max && v->away_count < v->batch_max && !v->held) {
        struct arrival *a;
        got = receive_one(v, wait && count == 0 ? 0 : NN_DONTWAIT, &a);
        if (got != RECEIVED)
            break;
        v->spare = NULL;
        if (is_second(v, count, a->from)) {
            v->held = a;
        } else {
            v->connections[count++] = a->from;
            let_wait(v, a);
        }
    }
    return count ? RECEIVED : got;
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

static void give_back(struct server *v, struct arrival *a, struct job *job, size_t count,
                      int64_t ms)
{
    bool sent = true;

    if (job->reply.failed)
        sent = false; /* what is in it may be half a frame */
    else if (job->reply.len)
        sent = send_reply(v, a, job);
    log_job(v, job, sent, count, ms);
    turns_charge(v->turns, a->from, job_cost(job));
    arrival_free(a);
}

/* All whose turn it is, and behind them those who are told to come back. */
static void answer_batch(struct server *v)
{
    int64_t begin = env_mono_ms(v->env), ms;
    size_t taken = turns_take(v->turns, v->taken, v->batch_max), away = v->away_count;

    bool crowded = turns_crowd(v->turns) >= CROWD_MIN;

    if (taken + away == 0)
        return;
    if (v->options->before_batch)
        v->options->before_batch(v->options->keys_self);
    for (size_t i = 0; i < taken + away; i++) {
        struct arrival *a = i < taken ? v->taken[i].request : v->away[i - taken];
        v->jobs[i] = (struct job){.frame = span_of(a->body, a->len), .crowded = crowded};
        if (i >= taken)
            v->jobs[i].busy_ms = turns_back_in_ms(v->turns, a->len, begin);
    }
    exchange_batch(v->registry, v->keys, v->jobs, taken + away);
    ms = env_mono_ms(v->env) - begin;
    v->away_count = 0;
    for (size_t i = 0; i < taken + away; i++) {
        struct arrival *a = i < taken ? v->taken[i].request : v->away[i - taken];
        if (!v->jobs[i].later)
            give_back(v, a, &v->jobs[i], taken + away, ms);
        else if (i < taken)
            turns_again(v->turns, &v->taken[i]);
        else
            v->away[v->away_count++] = a;
        buf_fini(&v->jobs[i].reply);
    }
    v->turned_away += away - v->away_count;
    (void)readback_batch(v->readback, v->registry); /* nobody waits for it; it logs what it finds */
    v->answered_ms = env_mono_ms(v->env);
}

static void tell_overload(struct server *v)
{
    int64_t now;

    if (v->turned_away == 0)
        return;
    now = env_mono_ms(v->env);
    if (v->told_away_ms && now - v->told_away_ms < TELL_MS)
        return;
    env_log(v->env, ENV_WARN, "busy", "waiting=%zu turned_away=%zu", turns_waiting(v->turns),
            v->turned_away);
    v->told_away_ms = now;
    v->turned_away = 0;
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

static bool somebody_waits(const struct server *v)
{
    return turns_waiting(v->turns) > 0 || v->away_count > 0 || v->held;
}

static enum ocop_status loop(struct server *v, volatile sig_atomic_t *stop, struct ocop_error *err)
{
    enum ocop_status st = OCOP_OK;

    while (!*stop && !st) {
        if (receive_all(v, !somebody_waits(v)) == FAILED)
            st = back_off(v, err);
        else
            v->failures = 0;
        answer_batch(v);
        tell_overload(v);
        watch_descriptors(v);
        (void)thumbs_turn(v->registry->thumbs);
    }
    for (int i = 0; i < LAST_BATCHES && !st; i++) {
        if (receive_all(v, false) != RECEIVED && !somebody_waits(v))
            break;
        answer_batch(v);
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

static enum ocop_status make_room(struct server *v, const struct serve_options *options,
                                  struct ocop_error *err)
{
    v->batch_max = batch_size(options);
    v->jobs = calloc(2 * v->batch_max, sizeof *v->jobs);
    v->taken = calloc(v->batch_max, sizeof *v->taken);
    v->away = calloc(v->batch_max, sizeof(struct arrival *));
    v->connections = calloc(v->batch_max, sizeof *v->connections);
    if (!v->jobs || !v->taken || !v->away || !v->connections)
        return err_nomem(err);
    return turns_open(options->queue_bytes ? options->queue_bytes : QUEUE_BYTES_DEFAULT, &v->turns,
                      err);
}

/* Who still waits is not answered, and sends again. */
static void clear_room(struct server *v)
{
    size_t count;

    while (v->turns && (count = turns_take(v->turns, v->taken, v->batch_max)) > 0)
        for (size_t i = 0; i < count; i++)
            arrival_free(v->taken[i].request);
    for (size_t i = 0; i < v->away_count; i++)
        arrival_free(v->away[i]);
    arrival_free(v->held);
    free(v->spare); /* holds no message */
    turns_close(v->turns);
    free(v->jobs);
    free(v->taken);
    free(v->away);
    free(v->connections);
}

enum ocop_status serve(struct registry *r, const struct server_keys *keys,
                       const struct serve_options *options, volatile sig_atomic_t *stop,
                       struct ocop_error *err)
{
    struct server v = {
        .registry = r, .keys = keys, .options = options, .env = r->env, .socket = -1};
    enum ocop_status st;

    raise_descriptors(&v);
    st = make_room(&v, options, err);
    if (!st)
        st = peers_open(&r->peers, err);
    if (!st)
        st = crew_open(options->workers, &r->crew, err);
    if (!st)
        st = readback_open(r->path, r->env, (unsigned)options->readback, &v.readback, err);
    if (!st && options->thumbnailer)
        st = thumbs_open(&r->blobs, options->thumbnailer, r->env, &r->thumbs, err);
    if (!st)
        st = open_socket(&v, err);
    if (!st)
        st = bind_all(&v, options, err);
    if (!st)
        st = loop(&v, stop, err);
    env_log(v.env, ENV_INFO, "stopped", "status=%s", err_name(st));
    clear_room(&v);
    while (v.socket >= 0 && nn_close(v.socket) < 0 && nn_errno() == EINTR)
        ;
    readback_close(v.readback);
    crew_close(r->crew);
    peers_close(r->peers);
    thumbs_close(r->thumbs);
    r->crew = NULL;
    r->peers = NULL;
    r->thumbs = NULL;
    return st;
}
