/* Connections that take descriptors and say nothing: found and closed from outside of who owns
 * them. Linux tells how long each has been silent. */
#ifndef SERVER_IDLE_H
#define SERVER_IDLE_H

#include <stddef.h>

/** At least how many descriptors are in use; `limit` when none is free. Two system calls. */
size_t idle_descriptors(size_t limit);

/** End `count` of this process's TCP connections, those that were silent longest first. Their owner
 *  sees each end as if the peer had gone. Those that ended so before are not counted again.
 *  @param limit of descriptors of this process
 *  @return how many were ended */
size_t idle_close(size_t count, size_t limit);

#endif
