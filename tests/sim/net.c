/* The network: what devices and registry say to each other is lost, cut, corrupted, late, repeated,
 * and comes in another order; meanwhile the world goes on. Knows frames as bytes only. */
#include <stdio.h>

#include "bounds.h"
#include "sim.h"

enum fate {
    LOSE_REQUEST, /* it may come later: net_repeat */
    LOSE_REPLY,
    CUT_REQUEST,
    CUT_REPLY,
    CORRUPT_REQUEST,
    CORRUPT_REPLY,
    OTHER_REPLY, /* one that was meant for another request */
    TWICE,
    FATES,
    ARRIVES
};

static const char *const fate_names[] = {"request lost", "reply lost",        "request cut",
                                         "reply cut",    "request corrupted", "reply corrupted",
                                         "other reply",  "request repeated"};

/* --- delivering ------------------------------------------------------------------------------- */

static void answers_take(struct sim *s, struct parked **all, struct job *jobs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (jobs[i].later)
            continue; /* it waits for the next batch */
        if (jobs[i].reply.len > FRAME_BYTES_MAX)
            sim_fail(s, "limits", "a reply of %zu bytes", jobs[i].reply.len);
        if (!s->server.disk.dead)
            buf_put(all[i]->reply, jobs[i].reply.p, jobs[i].reply.len);
        all[i]->answered = true;
        buf_fini(&jobs[i].reply);
    }
}

/* One batch: this request and those that wait. A registry that is down answers nobody. */
static void deliver(struct sim *s, struct parked *own)
{
    struct parked *all[SIM_PARKED_MAX + 1] = {own};
    struct job jobs[SIM_PARKED_MAX + 1] = {{.reply = {0}}};
    size_t count = 1;
    if (!server_up(s)) {
        server_reap(s);
        return;
    }
    for (unsigned i = 0; i < s->parked_count; i++)
        if (!s->parked[i]->answered)
            all[count++] = s->parked[i];
    for (size_t i = 0; i < count; i++)
        jobs[i] = (struct job){.frame = all[i]->request};
    struct call call = call_begin(&s->server);
    exchange_batch(s->registry, &s->keys, jobs, count);
    call_end(&s->server, &call);
    answers_take(s, all, jobs, count);
    s->figures.exchanges += count;
    if (count > 1)
        sim_trace(s, "%zu requests in one batch", count);
    server_reap(s);
}

/* --- damage ----------------------------------------------------------------------------------- */

static void damage(struct sim *s, struct buf *b, bool cut)
{
    if (b->len == 0)
        return;
    if (cut)
        b->len = chance_below(&s->chance, (unsigned)b->len);
    else
        b->p[chance_below(&s->chance, (unsigned)b->len)] ^=
            (uint8_t)(1 + chance_below(&s->chance, 255));
}

static enum fate fate_drawn(struct sim *s)
{
    if (!(s->faults & FAULT_NET) || !chance_percent(&s->chance, s->net_percent))
        return ARRIVES;
    return (enum fate)chance_below(&s->chance, FATES);
}

/* --- recording -------------------------------------------------------------------------------- */

static struct recorded *record(struct sim *s, unsigned device, struct span request)
{
    struct recorded *r = &s->recorded[s->recorded_next++ % SIM_RECORDED_MAX];
    if (!r->request.cap) {
        buf_init(&r->request, FRAME_BYTES_MAX);
        buf_init(&r->reply, FRAME_BYTES_MAX);
    }
    buf_clear(&r->request);
    buf_clear(&r->reply);
    buf_put(&r->request, request.p, request.len);
    r->device = device;
    return r;
}

void net_repeat(struct sim *s, unsigned which)
{
    struct recorded *r = &s->recorded[which % SIM_RECORDED_MAX];
    struct parked p = {.request = buf_span(&r->request), .reply = &r->reply};
    if (r->request.len == 0)
        return;
    sim_trace(s, "an old request of device %u arrives once more", r->device);
    buf_clear(&r->reply);
    deliver(s, &p);
}

/* --- while a message is on its way ------------------------------------------------------------ */

static void meanwhile(struct sim *s, struct device *d)
{
    if (s->quiet || s->depth >= 2 || !chance_percent(&s->chance, 20))
        return;
    s->depth++;
    unsigned what = chance_below(&s->chance, 10);
    if (what < 5) {
        officer_acts(s, d); /* recording goes on while a sync waits */
    } else if (what < 9) {
        struct device *other = device_drawn(s);
        if (other && other != d && !other->busy)
            (void)device_sync(s, other, NULL);
    } else if ((s->faults & FAULT_CRASH) && s->registry) {
        server_down(s, (s->faults & FAULT_POWER) && chance_percent(&s->chance, 50));
    }
    s->depth--;
}

/* The request waits; another's may join it in one batch. */
static void wait_for_others(struct sim *s, struct parked *p)
{
    struct device *d = p->device;
    if (s->depth >= 2 || s->parked_count == SIM_PARKED_MAX || !chance_percent(&s->chance, 15))
        return;
    s->depth++;
    s->parked[s->parked_count++] = p;
    for (unsigned n = 1 + chance_below(&s->chance, 2); n > 0; n--) {
        struct device *other = device_drawn(s);
        if (other && other != d && !other->busy)
            (void)device_sync(s, other, NULL);
    }
    for (unsigned i = 0; i < s->parked_count; i++)
        if (s->parked[i] == p) {
            s->parked[i] = s->parked[--s->parked_count];
            break;
        }
    s->depth--;
}

/* --- the link --------------------------------------------------------------------------------- */

static enum ocop_status net_connect(struct link *link, int timeout_ms, const atomic_bool *cancel,
                                    struct ocop_error *err)
{
    struct sim *s = ((struct device *)link)->sim;
    (void)timeout_ms, (void)cancel;
    if ((s->faults & FAULT_NET) && chance_percent(&s->chance, 5))
        return err_set(err, OCOP_ENET, "no signal");
    return OCOP_OK;
}

/* The request, perhaps damaged, is delivered, perhaps twice; the reply, perhaps damaged, is in
 * p->reply. */
static void carry(struct sim *s, struct parked *p, struct buf *request, enum fate fate)
{
    struct recorded *r = record(s, p->device->index, p->request);
    if (fate == CUT_REQUEST || fate == CORRUPT_REQUEST)
        damage(s, request, fate == CUT_REQUEST);
    p->request = buf_span(request);
    wait_for_others(s, p);
    if (!p->answered)
        deliver(s, p);
    if (fate == TWICE) {
        buf_clear(p->reply);
        deliver(s, p);
    }
    buf_clear(&r->reply);
    buf_put(&r->reply, p->reply->p, p->reply->len);
    if (fate == CUT_REPLY || fate == CORRUPT_REPLY)
        damage(s, p->reply, fate == CUT_REPLY);
    if (fate == OTHER_REPLY) {
        const struct recorded *other = &s->recorded[chance_below(&s->chance, SIM_RECORDED_MAX)];
        buf_clear(p->reply);
        if (other != r)
            buf_put(p->reply, other->reply.p, other->reply.len);
    }
}

static enum ocop_status net_exchange(struct link *link, struct span request, int timeout_ms,
                                     const atomic_bool *cancel, struct buf *reply,
                                     struct ocop_error *err)
{
    struct device *d = (struct device *)link;
    struct sim *s = d->sim;
    struct parked p = {.device = d, .request = request, .reply = reply};
    struct buf copy;
    enum fate fate = fate_drawn(s);
    (void)timeout_ms, (void)cancel;
    if (request.len > FRAME_BYTES_MAX)
        sim_fail(s, "limits", "a request of %zu bytes", request.len);
    if (d->node.disk.dead)
        return err_set(err, OCOP_ENET, "the device is down");
    if (fate != ARRIVES)
        sim_trace(s, "device %u: %s", d->index, fate_names[fate]);
    meanwhile(s, d);
    if (fate == LOSE_REQUEST) {
        (void)record(s, d->index, request);
        return err_set(err, OCOP_ETIMEOUT, "the request was lost");
    }
    buf_init(&copy, FRAME_BYTES_MAX);
    buf_put(&copy, request.p, request.len);
    carry(s, &p, &copy, fate);
    buf_fini(&copy);
    meanwhile(s, d);
    if (fate == LOSE_REPLY || d->node.disk.dead) {
        buf_clear(reply);
        return err_set(err, OCOP_ETIMEOUT, "the reply was lost");
    }
    return reply->len ? OCOP_OK : err_set(err, OCOP_ETIMEOUT, "no reply");
}

/* Sent ahead while a page is stored: here it arrives when its reply is asked for. */
static enum ocop_status net_start(struct link *link, struct span request, struct ocop_error *err)
{
    struct device *d = (struct device *)link;
    buf_clear(&d->started);
    buf_put(&d->started, request.p, request.len);
    return d->started.failed ? err_nomem(err) : OCOP_OK;
}

static enum ocop_status net_finish(struct link *link, int timeout_ms, const atomic_bool *cancel,
                                   struct buf *reply, struct ocop_error *err)
{
    struct device *d = (struct device *)link;
    return net_exchange(link, buf_span(&d->started), timeout_ms, cancel, reply, err);
}

static void net_close(struct link *link)
{
    (void)link;
}

void net_init(struct device *d)
{
    d->link = (struct link){net_connect, net_exchange, net_close, net_start, net_finish, NULL};
    buf_init(&d->started, FRAME_BYTES_MAX);
}

void net_fini(struct sim *s)
{
    for (unsigned i = 0; i < SIM_DEVICES_MAX; i++)
        buf_fini(&s->devices[i].started);
    for (unsigned i = 0; i < SIM_RECORDED_MAX; i++) {
        buf_fini(&s->recorded[i].request);
        buf_fini(&s->recorded[i].reply);
    }
}
