/* The message inside a frame, as an enrolled device may send it, given to the server's core. */
#include <stdio.h>
#include <string.h>

#include "bounds.h"
#include "enrol.h"
#include "exchange.h"
#include "frame.h"
#include "fuzz.h"

static struct registry *registry;
static struct server_keys keys;
static struct channel_key device;

static void open_registry(void)
{
    static const uint8_t secret[CHANNEL_KEY_LEN] = {9};
    struct sign_key root;
    CHECK(registry_open(":memory:", true, env_system(), NULL, &registry, NULL) == OCOP_OK);
    sign_key_new(&root, env_system());
    keys.root = root;
    channel_key_new(&keys.channel[0], env_system());
    keys.channel_count = 1;
    channel_key_from_secret(&device, secret);
    CHECK(genesis(registry, &keys, "fuzz", NULL) == OCOP_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct noise n;
    struct buf frame;
    if (!registry)
        open_registry();
    buf_init(&frame, FRAME_BYTES_MAX);
    if (frame_seal_request(&n, env_system(), &device, keys.channel[0].public_key,
                           span_of(data, size), &frame, NULL) == OCOP_OK) {
        struct job job = {.frame = buf_span(&frame)};
        exchange_batch(registry, &keys, &job, 1);
        CHECK(job.reply.len > 0);
        buf_fini(&job.reply);
    }
    noise_fini(&n);
    buf_fini(&frame);
    return 0;
}
