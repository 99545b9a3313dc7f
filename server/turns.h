/* Requests wait here for their turn to share a transaction. Whoever has had little goes before
 * whoever has had much, and who comes when too much waits is told when to come back. Knows no
 * sockets and no frames. */
#ifndef SERVER_TURNS_H
#define SERVER_TURNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"

/* One that waits, or whose turn it is. */
struct turn {
    void *request;       /* the caller's */
    uint32_t from;       /* whose it is */
    size_t bytes;        /* of the request */
    uint64_t due, order; /* where it stands: the lowest first */
};

struct turns;

/** @param bytes_max that may wait, TURN_BYTES for each request included; the first always may */
OCOP_MUST_USE enum ocop_status turns_open(size_t bytes_max, struct turns **out,
                                          struct ocop_error *err);
/** What still waits is the caller's to take before. */
void turns_close(struct turns *t);

size_t turns_waiting(const struct turns *t);

/** How many waited side by side of late: the most, and slowly forgotten. Who was just answered and
 * has not come again waits for nothing, and yet is one of them. */
size_t turns_crowd(const struct turns *t);

/** Let a request wait. @return false: too much waits already, and it is not taken */
bool turns_put(struct turns *t, uint32_t from, size_t bytes, void *request);
/** The next batch: at most `max`, and of BATCH_BYTES_ENOUGH together unless it is one alone. */
size_t turns_take(struct turns *t, struct turn *out, size_t max);
/** One that was taken and not served goes back to where it stood. At most `max` of the last take.
 */
void turns_again(struct turns *t, const struct turn *turn);
/** What serving `from` has cost besides its request. Its next request waits for 64 KiB of that at
 * most, the ones after it each for as much of the rest; what passes meanwhile counts. What one owes
 * is 64 MiB at most. */
void turns_charge(struct turns *t, uint32_t from, size_t bytes);

/** When one who was not taken should come back: behind what waits and behind those who were told
 *  before, BUSY_MS_MIN to BUSY_MS_MAX from now.
 *  @param now_ms monotonic */
uint32_t turns_back_in_ms(struct turns *t, size_t bytes, int64_t now_ms);

#endif
