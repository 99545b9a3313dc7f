/* Weighted fair queueing. Time here is bytes, and passes by what each who waits would have had of
 * what was served: a request is due when its sender would have been served up to its end, if all
 * who wait were served side by side, byte by byte. What is due first is served first; so small
 * requests pass a large one, but only until each sender has had as many bytes as it has itself. */
#include "turns.h"

#include <stdlib.h>
#include <string.h>

#include "bounds.h"

enum {
    SENDERS_MAX = 1024,
    DEBT_MAX = 64 * 1024,        /* of it one request waits for so much at most, */
    OWED_MAX = 64 * 1024 * 1024, /* and the next ones for the rest: this much, at most */
    CROWD_FORGOTTEN = 8,
    SERVED_BYTES_PER_MS = 1024 /* about, by a slow processor */
};

/* What a sender has had. One who falls on another's place takes it, and that one is forgiven. */
struct sender {
    uint32_t from;
    uint64_t due;  /* of its last request, and what was paid for those before */
    uint64_t owed; /* what it cost that is in no due yet: or one request might wait for longer than
                      a device does */
};

struct turns {
    size_t bytes_max, bytes; /* that may wait, that wait */
    uint64_t now, orders;    /* how many bytes passed; how many requests came */
    size_t crowd;
    size_t side_by_side; /* how many waited when the last were taken */
    int64_t told_ms;     /* when the last who was turned away comes back */
    struct sender senders[SENDERS_MAX];
    size_t count, room;
    struct turn v[];
};

static size_t cost(size_t bytes)
{
    return TURN_BYTES + bytes;
}

enum ocop_status turns_open(size_t bytes_max, struct turns **out, struct ocop_error *err)
{
    size_t room = bytes_max / TURN_BYTES + 1 + BATCH_REQUESTS_MAX; /* these for turns_again */
    struct turns *t = *out = calloc(1, sizeof *t + room * sizeof *t->v);
    if (!t)
        return err_nomem(err);
    t->bytes_max = bytes_max;
    t->room = room;
    t->side_by_side = 1;
    return OCOP_OK;
}

void turns_close(struct turns *t)
{
    free(t);
}

size_t turns_waiting(const struct turns *t)
{
    return t->count;
}

size_t turns_crowd(const struct turns *t)
{
    return t->crowd;
}

static struct sender *sender_of(struct turns *t, uint32_t from)
{
    struct sender *s = &t->senders[from % SENDERS_MAX];
    if (s->from != from)
        *s = (struct sender){from, t->now, 0};
    if (s->due < t->now) { /* it asked for nothing while it might have */
        const uint64_t passed = t->now - s->due;
        s->owed -= passed < s->owed ? passed : s->owed;
        s->due = t->now;
    }
    return s;
}

/* Behind the first of those who wait, or who comes now. */
static void pay(const struct turns *t, struct sender *s)
{
    uint64_t first = t->count ? UINT64_MAX : t->now, room, part;

    for (size_t i = 0; i < t->count; i++)
        first = t->v[i].due < first ? t->v[i].due : first;
    first = first > t->now ? first : t->now;
    room = s->due < first + DEBT_MAX ? first + DEBT_MAX - s->due : 0;
    part = s->owed < room ? s->owed : room;
    s->due += part;
    s->owed -= part;
}

bool turns_put(struct turns *t, uint32_t from, size_t bytes, void *request)
{
    if (t->count && t->bytes + cost(bytes) > t->bytes_max)
        return false;
    CHECK(t->count < t->room);
    struct sender *s = sender_of(t, from);
    if (s->owed)
        pay(t, s);
    s->due += cost(bytes);
    t->bytes += cost(bytes);
    t->v[t->count++] = (struct turn){request, from, bytes, s->due, t->orders++};
    return true;
}

static int first_due(const void *a, const void *b)
{
    const struct turn *x = a, *y = b;
    if (x->due != y->due)
        return x->due < y->due ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

size_t turns_take(struct turns *t, struct turn *out, size_t max)
{
    size_t n = 0, bytes = 0, costs = 0;
    qsort(t->v, t->count, sizeof *t->v, first_due);
    while (n < t->count && n < max &&
           (n == 0 || (bytes + t->v[n].bytes <= BATCH_BYTES_ENOUGH &&
                       t->v[n].due - out[0].due <= BATCH_DUE_TOGETHER))) {
        bytes += t->v[n].bytes;
        costs += cost(t->v[n].bytes);
        out[n] = t->v[n];
        n++;
    }
    t->side_by_side = t->count ? t->count : 1;
    if (n)
        t->crowd = t->count > t->crowd ? t->count : t->crowd - t->crowd / CROWD_FORGOTTEN - 1;
    t->now += costs / t->side_by_side;
    t->bytes -= costs;
    t->count -= n;
    memmove(t->v, t->v + n, t->count * sizeof *t->v);
    return n;
}

void turns_again(struct turns *t, const struct turn *turn)
{
    CHECK(t->count < t->room);
    t->bytes += cost(turn->bytes);
    t->v[t->count++] = *turn;
}

void turns_charge(struct turns *t, uint32_t from, size_t bytes)
{
    struct sender *s = sender_of(t, from);
    bytes = bytes < OWED_MAX ? bytes : OWED_MAX;
    t->now += bytes / t->side_by_side;
    s->owed = s->owed + bytes < OWED_MAX ? s->owed + bytes : OWED_MAX;
}

uint32_t turns_back_in_ms(struct turns *t, size_t bytes, int64_t now_ms)
{
    int64_t first = now_ms + (int64_t)(t->bytes / SERVED_BYTES_PER_MS);
    if (first < now_ms + BUSY_MS_MIN)
        first = now_ms + BUSY_MS_MIN;
    if (t->told_ms < first)
        t->told_ms = first;
    t->told_ms += (int64_t)(cost(bytes) / SERVED_BYTES_PER_MS);
    if (t->told_ms > now_ms + BUSY_MS_MAX)
        t->told_ms = now_ms + BUSY_MS_MAX;
    return (uint32_t)(t->told_ms - now_ms);
}
