/* A line of 127.0.0.1 between devices and their server that is as bad as asked: slow, far, lossy,
 * cut in the middle of a message, or one where somebody else answers. A thread of its own. */
#ifndef TEST_LINE_H
#define TEST_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "port.h"

enum line_kind {
    LINE_PASS,   /* to the server */
    LINE_PORTAL, /* a web page answers, as in hotels */
    LINE_DEAF    /* accepts and never answers */
};

/* Zero: a perfect line. */
struct line_options {
    enum line_kind kind;
    int64_t bytes_per_s;   /* each way; of each connection, or ... */
    bool shared;           /* ... of all together, as on a real line */
    int delay_ms;          /* each way */
    unsigned loss_percent; /* of segments: sent again stall_ms later, with all behind them */
    int stall_ms;
    unsigned cut_percent;     /* of segments: the connection is reset there */
    int64_t cut_up, cut_down; /* the same after so many bytes to the server, or to the device */
    int64_t hold_down;        /* after so many bytes to the device nothing more passes */
    unsigned repeats;         /* of each request, at once and again after each later one */
    uint64_t seed;
};

struct line_counts {
    unsigned connections, stalls, cuts, requests;
    uint64_t up, down; /* bytes */
};

struct line;

/** A line to `port` of 127.0.0.1. */
struct line *line_open(int port, const struct line_options *options);
/** Another state of the line: for all connections, at once. */
void line_set(struct line *l, const struct line_options *options);
/** "tcp://127.0.0.1:PORT" */
const char *line_address(const struct line *l);
/** What passed since the line was opened. */
struct line_counts line_counts(struct line *l);
/** Wait until so many connections have come in all, a minute at most. */
void line_await(struct line *l, unsigned connections);
/** Wait until so many bytes have come in all to the server, and to the device; they may be under
 * way still. */
void line_await_bytes(struct line *l, uint64_t up, uint64_t down);
/** The last request that passed, with what nanomsg puts before it; its length. Only with repeats.
 */
size_t line_request(struct line *l, uint8_t *out, size_t room);
void line_close(struct line *l);

#endif
