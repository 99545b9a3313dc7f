/* The bench's records: a fixed seed gives the same ones every time. */
#ifndef BENCH_WORKLOAD_H
#define BENCH_WORKLOAD_H

#include "change.h"
#include "records.pb-c.h"

enum { WORDS = 1000, WORD_ROOM = 16, PRODUCERS = 500, PRODUCTS = 5000 };

struct workload {
    uint64_t state; /* of the generator */
    char words[WORDS][WORD_ROOM];
    double sum[WORDS]; /* of Zipf's weights up to this word */
    struct id producers[PRODUCERS], products[PRODUCTS];
};

/** Where and when a device records. */
struct area {
    int32_t lat_e6, lon_e6;
    int64_t now_ms; /* moves on with every record */
};

void workload_init(struct workload *w, uint64_t seed);
uint32_t workload_below(struct workload *w, uint32_t n);
/** Words by Zipf's law, `low` to `high` bytes; in the arena. */
char *workload_words(struct workload *w, struct arena *a, size_t low, size_t high);
/** Product, place, conclusion, score, lot code, answers and notes; what they hold lives in the
 *  arena. The day is the area's, which moves on by about an hour. */
void workload_inspection(struct workload *w, struct area *area, size_t answers, struct arena *a,
                         Ocop__Inspection *out);
/** Participants, three findings with remedy and deadline, the producer's opinion. */
void workload_full(struct workload *w, struct arena *a, Ocop__Inspection *m, struct id keys[6]);
/** A sample in three sealed parts. */
void workload_sample(struct workload *w, struct area *area, struct arena *a, Ocop__Sample *m,
                     struct id keys[3]);
/** A message of a kind as the change that creates it. */
struct change workload_create(uint32_t kind, const ProtobufCMessage *m, const struct id *author,
                              int64_t now_ms, struct arena *a);

#endif
