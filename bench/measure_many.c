/* Many clients at once against one alone, over real sockets: each sends a request made beforehand,
 * waits for the reply, and sends the next. */
#include <nanomsg/nn.h>
#include <nanomsg/reqrep.h>
#include <nanomsg/tcp.h>
#include <poll.h>

#include "far.h"
#include "measure.h"
#include "world.h"

enum {
    MANY = 64,
    TURNS = 7,      /* of one and of many, in turn; the middle ones are shown */
    WARM = 1,       /* requests of each device before the clock starts */
    ONE_EACH = 3,   /* requests of each device that the one client sends in a turn */
    MANY_EACH = 12, /* requests that each of the many sends */
    WAIT_MS = 20000 /* a reply that takes longer ends the bench */
};

/* A connection and what it still has to send. */
struct client {
    int socket, ready; /* `ready` is readable when a reply is there */
    const struct buf *queue[MANY * (WARM + MANY_EACH)];
    size_t next, end;
    double sent_s;
};

static void client_open(struct client *c, const char *address)
{
    size_t len = sizeof c->ready;
    int wait = WAIT_MS, yes = 1;
    c->socket = nn_socket(AF_SP, NN_REQ);
    MUST_BE(c->socket >= 0);
    MUST_BE(nn_setsockopt(c->socket, NN_SOL_SOCKET, NN_RCVTIMEO, &wait, sizeof wait) == 0);
    MUST_BE(nn_setsockopt(c->socket, NN_TCP, NN_TCP_NODELAY, &yes, sizeof yes) == 0);
    MUST_BE(nn_connect(c->socket, address) >= 0);
    MUST_BE(nn_getsockopt(c->socket, NN_SOL_SOCKET, NN_RCVFD, &c->ready, &len) == 0);
    c->next = c->end = 0;
}

static void client_send(struct client *c)
{
    const struct buf *b = c->queue[c->next++];
    c->sent_s = measure_wall_s();
    MUST_BE(nn_send(c->socket, b->p, b->len, 0) == (int)b->len);
}

/* Seconds that the reply took. */
static double client_receive(struct client *c)
{
    void *reply = NULL;
    MUST_BE(nn_recv(c->socket, &reply, NN_MSG, 0) > NOISE_MSG2_OVERHEAD);
    (void)nn_freemsg(reply);
    return measure_wall_s() - c->sent_s;
}

/* Empty all queues, the clients side by side. Seconds; took[]: of each reply. */
static double run(struct client *c, size_t count, double *took)
{
    struct pollfd fds[MANY];
    size_t open = count, done = 0;
    double start = measure_wall_s();
    for (size_t i = 0; i < count; i++) {
        fds[i] = (struct pollfd){.fd = c[i].ready, .events = POLLIN};
        client_send(&c[i]);
    }
    while (open > 0) {
        MUST_BE(poll(fds, count, WAIT_MS) > 0);
        for (size_t i = 0; i < count; i++) {
            if (!(fds[i].revents & POLLIN))
                continue;
            took[done++] = client_receive(&c[i]);
            if (c[i].next < c[i].end) {
                client_send(&c[i]);
            } else {
                fds[i].fd = -1;
                open--;
            }
        }
    }
    return measure_wall_s() - start;
}

/* --- turns ------------------------------------------------------------------------------------ */

struct result {
    double per_s, p50_us, commits_per_sync, cpu_us_per_sync;
};

struct office {
    struct world *w;
    struct device d[MANY];
    struct client c[MANY];
};

/* Give `clients` of them the devices' next requests, `each` of every device. One client alone
 * sends for all devices in turn, so that a request costs the same work as one of many. */
static void queue(struct office *o, struct prepared *p, size_t clients, size_t from, size_t each)
{
    for (size_t k = from; k < from + each; k++)
        for (size_t i = 0; i < MANY; i++) {
            struct client *c = &o->c[i % clients];
            c->queue[c->end++] = &p[i].v[k];
        }
}

static struct result turn(struct office *o, size_t clients, size_t each, int batch, int workers)
{
    static struct prepared p[MANY];
    static double took[MANY * MANY_EACH];
    struct far far;
    struct arena a;
    uint64_t version = world_version(o->w);
    size_t syncs = MANY * each, all = MANY * (WARM + each);
    arena_init(&a, MIB(16));
    for (size_t i = 0; i < MANY; i++) {
        o->d[i].cursor = version;
        for (size_t k = 0; k < WARM + each; k++) {
            struct changes c = device_record(o->w, &o->d[i], 1, &a);
            prepared_add(o->w, &o->d[i], &c, &a, &p[i]);
            arena_reset(&a);
        }
    }
    far_open(&far, o->w->path, batch, workers);
    for (size_t i = 0; i < clients; i++)
        client_open(&o->c[i], far.address);
    queue(o, p, clients, 0, WARM);
    (void)run(o->c, clients, took);
    queue(o, p, clients, WARM, each);
    double seconds = run(o->c, clients, took);
    for (size_t i = 0; i < clients; i++)
        MUST_BE(nn_close(o->c[i].socket) == 0);
    struct far_report report = far_close(&far);
    MUST_BE(world_version(o->w) == version + all); /* each was accepted */
    for (size_t i = 0; i < MANY; i++)
        prepared_free(&p[i]);
    arena_fini(&a);
    return (struct result){.per_s = (double)syncs / seconds,
                           .p50_us = measure_median(took, syncs) * 1e6,
                           .commits_per_sync = (double)report.commits / (double)all,
                           .cpu_us_per_sync = report.cpu_s * 1e6 / (double)all};
}

void measure_many(struct world *w)
{
    static struct office o;
    double one[TURNS], many[TURNS], ratio[TURNS], p50[TURNS], plain[TURNS], commits[TURNS],
        cpu[TURNS];
    o.w = w;
    for (size_t i = 0; i < MANY; i++)
        device_enrol(w, &o.d[i], &w->units[40 + i]);
    for (size_t i = 0; i < TURNS; i++) {
        struct result bare = turn(&o, 1, ONE_EACH, 1, 0);
        struct result alone = turn(&o, 1, ONE_EACH, BATCH_REQUESTS_MAX, BENCH_WORKERS);
        struct result all = turn(&o, MANY, MANY_EACH, BATCH_REQUESTS_MAX, BENCH_WORKERS);
        one[i] = alone.per_s;
        many[i] = all.per_s;
        ratio[i] = all.per_s / alone.per_s;
        p50[i] = alone.p50_us;
        plain[i] = alone.p50_us / bare.p50_us;
        commits[i] = all.commits_per_sync;
        cpu[i] = all.cpu_us_per_sync;
    }
    double baseline = measure_median(one, TURNS);
    measure_line("syncs_per_s_64", measure_median(many, TURNS),
                 "syncs/s over tcp, median of 7 turns", -2 * baseline);
    measure_line("syncs_per_s_1", baseline, "syncs/s, the baseline: one client alone", 0);
    measure_line("syncs_ratio_64", measure_median(ratio, TURNS), "of one client's rate, by turns",
                 0);
    measure_line("sync_p50_one_us", measure_median(p50, TURNS), "us", 0);
    measure_line("sync_p50_one_ratio", measure_median(plain, TURNS),
                 "of a server that takes one at a time", 0);
    measure_line("commits_per_sync_64", measure_median(commits, TURNS), "commits/sync", 0.10);
    measure_line("server_cpu_us_per_sync", measure_median(cpu, TURNS), "us, all threads", 0);
}
