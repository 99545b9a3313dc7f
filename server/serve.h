/* The socket loop: nanomsg's only user in the server. Drains what has arrived, answers it as one
 * batch, logs one line per event. */
#ifndef SERVER_SERVE_H
#define SERVER_SERVE_H

#include <signal.h>

#include "exchange.h"

struct serve_options {
    const char *listen[4];   /* "tcp://127.0.0.1:7070", "ws://[::]:7071"; NULL ends */
    int batch_max;           /* requests in one transaction */
    size_t queue_bytes;      /* of requests that may wait for their turn; 0: QUEUE_BYTES_DEFAULT */
    int workers;             /* threads that open requests and seal replies; 0: none */
    const char *thumbnailer; /* see thumbs_open; NULL: no thumbnails are made */
    int readback;            /* one committed set in so many is read back; 0: none */
    void (*ready)(void *self, const char *address); /* called once bound */
    void *self;
    void (*before_batch)(void *self); /* may change the keys; NULL: nothing */
    void *keys_self;
};

/** Serve until *stop; then answer what has arrived and return.
 *  @return OCOP_ENET when an address cannot be bound */
OCOP_MUST_USE enum ocop_status serve(struct registry *r, const struct server_keys *keys,
                                     const struct serve_options *options,
                                     volatile sig_atomic_t *stop, struct ocop_error *err);
#endif
