/* Many clients in one thread, each a TCP connection that speaks nanomsg's protocol by itself: a
 * process has at most 512 nanomsg sockets, and their threads would be measured too. Each sends its
 * next request when its last is answered. */
#ifndef BENCH_CROWD_H
#define BENCH_CROWD_H

#include <stdatomic.h>

#include "buf.h"

struct crowd_client {
    const struct buf *queue; /* requests; borrowed */
    size_t next, end;
    bool background; /* the run does not wait for it, and its replies are not measured */
    /* its own */
    int fd;
    double sent_s;
    size_t got, wanted; /* of the reply */
    uint8_t head[8];
};

struct crowd_result {
    double per_s, p50_us, p99_us, max_us;
    size_t count; /* replies that were measured */
};

void crowd_connect(struct crowd_client *c, size_t count, int port);
/** Send all queues, the clients side by side; the connections stay. With clients in the background:
 *  measured is what is answered while any of these has an answer due; and at the end they finish
 *  too.
 *  @param over nothing is measured any more once this is so; NULL: never */
struct crowd_result crowd_run(struct crowd_client *c, size_t count, const atomic_bool *over);
void crowd_close(struct crowd_client *c, size_t count);

#endif
