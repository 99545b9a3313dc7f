/* An office and its devices in one process: a registry with its first records, devices whose
 * change-sets are made without a store, and a link that calls the server's core directly. */
#ifndef BENCH_WORLD_H
#define BENCH_WORLD_H

#include <stdio.h>
#include <stdlib.h>

#include "bounds.h"
#include "enrol.h"
#include "exchange.h"
#include "link.h"
#include "ocop.h"
#include "workload.h"

/* The bench measures what works; anything else ends it. */
#define MUST(call)                                                                                 \
    do {                                                                                           \
        struct ocop_error err = {0};                                                               \
        enum ocop_status must_ = (call);                                                           \
        if (must_ != OCOP_OK) {                                                                    \
            (void)fprintf(stderr, "bench: %s:%d: %s %s: %s\n", __FILE__, __LINE__,                 \
                          ocop_status_name(must_), err.field, err.text);                           \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)
#define MUST_BE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            (void)fprintf(stderr, "bench: %s:%d: not so: %s\n", __FILE__, __LINE__, #condition);   \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

enum { UNITS = 128, UNITS_MAX = 640 };

struct world {
    struct link link; /* first */
    char path[128];
    struct registry *r;
    struct server_keys keys;
    struct workload work;
    struct id officer, province, units[UNITS_MAX];
};

/** A new registry in the file, with so many units, an officer, producers and 5,000 products of unit
 * 0. */
void world_open(struct world *w, const char *path, size_t units);
void world_close(struct world *w);
/** An invitation's code, in the arena. */
const char *world_invite(struct world *w, const struct id *scope, size_t count, const char *address,
                         struct arena *a);
/** A new enrolled store in a file of the run. `address`: where it finds the server; NULL: its link
 *  is the world's own. */
struct ocop_store *world_store(struct world *w, const char *name, const struct id *scope,
                               size_t count, const char *address);
/** Record an inspection on a device; `full`: with all that a day's has. Seconds of the save alone.
 */
double world_submit(struct world *w, struct ocop_store *s, struct area *area, size_t answers,
                    bool full);
uint64_t world_version(struct world *w);
/** One request of a batch of its own; the reply is dropped. */
void world_answer(struct world *w, struct span frame, struct job *job);

struct device {
    struct id replica, unit;
    struct sign_key sign;
    struct channel_key channel;
    uint64_t seq;
    uint8_t prev_hash[HASH_LEN];
    struct id_source ids;
    unsigned made, number;
    struct area area;
    uint64_t cursor; /* it has seen the registry up to here */
};

void device_enrol(struct world *w, struct device *d, const struct id *unit);
/** `count` new inspections as changes, in the arena. */
struct changes device_record(struct world *w, struct device *d, size_t count, struct arena *a);
/** Seal as many of `in` from *at on as fit a set; *at moves on. */
struct sealed device_seal(struct world *w, struct device *d, const struct changes *in, size_t *at,
                          struct arena *a);
/** The request that carries the set; NULL: it carries none. */
void device_frame(struct world *w, struct device *d, const struct sealed *set, struct buf *out);

/** Requests made beforehand. */
struct prepared {
    struct buf *v;
    size_t count, room, records;
};
/** Seal the changes and append the requests that carry them. */
void prepared_add(struct world *w, struct device *d, const struct changes *c, struct arena *a,
                  struct prepared *out);
/** Have all of them answered, one after the other. Seconds. */
double prepared_answer(struct world *w, const struct prepared *p);
void prepared_free(struct prepared *p);

#endif
