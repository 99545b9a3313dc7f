/* The seam to the network: one request for one reply. link_nn.c is the real one. */
#ifndef CLIENT_LINK_H
#define CLIENT_LINK_H

#include <stdatomic.h>

#include "buf.h"
#include "err.h"

struct link {
    /** Be connected, or say why not. Sealing waits for this. */
    enum ocop_status (*connect)(struct link *l, int timeout_ms, const atomic_bool *cancel,
                                struct ocop_error *err);
    /** Send `request`, wait for the reply. OCOP_ENET, OCOP_ETIMEOUT, OCOP_ECANCELLED. The request
     *  may have arrived even so. */
    enum ocop_status (*exchange)(struct link *l, struct span request, int timeout_ms,
                                 const atomic_bool *cancel, struct buf *reply,
                                 struct ocop_error *err);
    void (*close)(struct link *l);
    /** The two halves of an exchange, so that the server can work while the caller does. `start`
     *  sends and returns; what was started before is forgotten. `finish` waits for the reply. Both
     *  NULL: this link only exchanges. */
    enum ocop_status (*start)(struct link *l, struct span request, struct ocop_error *err);
    enum ocop_status (*finish)(struct link *l, int timeout_ms, const atomic_bool *cancel,
                               struct buf *reply, struct ocop_error *err);
    /** Hang up and wait. OCOP_ECANCELLED. NULL: this link does not wait for a busy server. */
    enum ocop_status (*pause)(struct link *l, int ms, const atomic_bool *cancel,
                              struct ocop_error *err);
};

/** A link over nanomsg to "tcp://host:port" or "ws://host:port"; names and IPv6 too. */
OCOP_MUST_USE enum ocop_status link_nn_open(const char *address, struct link **out,
                                            struct ocop_error *err);

#endif
