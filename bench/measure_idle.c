/* A sync with nothing to say, over tcp through a proxy that counts. */
#include "far.h"
#include "measure.h"
#include "proxy.h"
#include "world.h"

void measure_idle(struct world *w)
{
    enum { TIMES = 3 };
    struct ocop_sync_summary sum;
    struct far far;
    struct ocop_store *s;
    char address[64];
    int port;
    unsigned connections;
    double bytes[TIMES];
    far_open(&far, w->path, BATCH_REQUESTS_MAX, BENCH_WORKERS);
    struct proxy *p = proxy_open(far.port, &port);
    (void)snprintf(address, sizeof address, "tcp://127.0.0.1:%d", port);
    s = world_store(w, "idle.ocop", &w->units[0], 1, address);
    MUST(ocop_sync(s, NULL, &sum, &err));
    MUST_BE(sum.complete);
    ocop_close(s);
    for (size_t i = 0; i < TIMES; i++) {
        (void)proxy_take(p, &connections);
        MUST(ocop_open(measure_path("idle.ocop"), NULL, &s, &err));
        MUST(ocop_sync(s, NULL, &sum, &err));
        ocop_close(s);
        MUST_BE(sum.complete && sum.round_trips == 1 && sum.pulled == 0);
        bytes[i] = (double)proxy_take(p, &connections);
        MUST_BE(connections == 1);
    }
    (void)far_close(&far);
    proxy_close(p);
    measure_line("idle_bytes", measure_median(bytes, TIMES),
                 "bytes on a fresh tcp connection, both ways", 300);
}
