/* A proxy of 127.0.0.1 that counts what passes: bytes of the connections themselves, not of
 * messages. */
#ifndef BENCH_PROXY_H
#define BENCH_PROXY_H

#include <stdint.h>

struct proxy;

/** Listen on a free port and pass on to `port` of 127.0.0.1; *own: the port it listens on. */
struct proxy *proxy_open(int port, int *own);
/** Bytes both ways, and connections, since the last call. */
uint64_t proxy_take(struct proxy *p, unsigned *connections);
void proxy_close(struct proxy *p);

#endif
