/* What senders that nobody knows cost the server beside genuine traffic; and the first sync of a
 * commune. */
#include "frame.h"
#include "measure.h"
#include "world.h"

enum { GENUINE = 200, BESIDE = 9, FRAME_BYTES = 600, TURNS = 5 };

/* What a stranger sends. */
enum stranger {
    GARBAGE, /* random bytes */
    FORGED,  /* the right version and key, then random bytes: costs a key agreement */
    UNKNOWN, /* a whole request of a device that is not enrolled */
    STRANGERS
};

static void stranger_frame(struct world *w, enum stranger kind, struct buf *out)
{
    uint8_t bytes[FRAME_BYTES];
    buf_init(out, FRAME_BYTES_MAX);
    if (kind == UNKNOWN) {
        struct device d;
        memset(&d, 0, sizeof d);
        channel_key_new(&d.channel, env_system());
        sign_key_new(&d.sign, env_system());
        env_random(env_system(), d.replica.b, ID_LEN);
        buf_fini(out);
        device_frame(w, &d, NULL, out);
        return;
    }
    env_random(env_system(), bytes, sizeof bytes);
    if (kind == FORGED) {
        bytes[0] = FRAME_VERSION;
        frame_key_id(w->keys.channel[0].public_key, bytes + 1);
    }
    buf_put(out, bytes, sizeof bytes);
}

/* Batches of one genuine sync with `strangers` frames beside it. Processor time for a batch. */
static double batches(struct world *w, const struct buf *genuine, const struct buf *stranger,
                      size_t strangers)
{
    struct job jobs[1 + BESIDE];
    double start = measure_clock_s(CLOCK_PROCESS_CPUTIME_ID);
    for (size_t i = 0; i < GENUINE; i++) {
        memset(jobs, 0, sizeof jobs);
        jobs[0].frame = buf_span(genuine);
        for (size_t n = 0; n < strangers; n++)
            jobs[1 + n].frame = buf_span(stranger);
        exchange_batch(w->r, &w->keys, jobs, 1 + strangers);
        MUST_BE(jobs[0].status == OCOP_OK && jobs[0].reply.len > 0);
        for (size_t n = 0; n < 1 + strangers; n++)
            buf_fini(&jobs[n].reply);
    }
    return (measure_clock_s(CLOCK_PROCESS_CPUTIME_ID) - start) / GENUINE;
}

static void measure_first_sync(struct world *w)
{
    struct ocop_sync_summary sum;
    struct ocop_store *s = world_store(w, "first.ocop", &w->units[0], 1, NULL);
    double start = measure_wall_s();
    MUST(ocop_sync(s, NULL, &sum, &err));
    double took = measure_wall_s() - start;
    MUST_BE(sum.complete);
    ocop_close(s);
    measure_line("first_sync_records", sum.pulled, "records of one commune and lists", 0);
    measure_line("first_sync_bytes", (double)(sum.bytes_sent + sum.bytes_received),
                 "bytes, both ways", 0);
    measure_line("first_sync_s", took, "s, stored; no network between", 0);
}

void measure_strangers(struct world *w)
{
    static const char *const names[STRANGERS][2] = {
        {"garbage_frames_per_s", "random frames refused a second of the processor"},
        {"forged_frames_per_s", "frames with the server's key id and no more"},
        {"unknown_requests_per_s", "whole requests of devices not enrolled"}};
    struct device d;
    struct buf genuine;
    double alone[TURNS], beside[STRANGERS][TURNS];
    device_enrol(w, &d, &w->units[UNITS - 1]);
    d.cursor = world_version(w);
    device_frame(w, &d, NULL, &genuine);
    for (size_t turn = 0; turn < TURNS; turn++) {
        alone[turn] = batches(w, &genuine, NULL, 0);
        for (size_t kind = 0; kind < STRANGERS; kind++) {
            struct buf frame;
            stranger_frame(w, (enum stranger)kind, &frame);
            beside[kind][turn] = batches(w, &genuine, &frame, BESIDE);
            buf_fini(&frame);
        }
    }
    double base = measure_median(alone, TURNS);
    measure_line("genuine_sync_us", base * 1e6, "us of the processor for an idle sync, alone", 0);
    for (size_t kind = 0; kind < STRANGERS; kind++) {
        double more = measure_median(beside[kind], TURNS) - base;
        measure_line(names[kind][0], BESIDE / more, names[kind][1], 0);
    }
    buf_fini(&genuine);
    measure_first_sync(w);
}
