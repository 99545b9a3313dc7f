/* Frames from strangers: a request to the server, a reply to a client, an invitation's text. And
 * the payload that a device or a server may put into an authentic one. */
#include <string.h>

#include "bounds.h"
#include "fixed_env.h"
#include "frame.h"
#include "fuzz.h"
#include "invitation.h"

struct ends {
    struct fixed_env env;
    struct channel_key server, client;
    struct noise asks, answers;
    struct arena a;
    struct buf frame;
    uint8_t sender[CHANNEL_KEY_LEN];
};

/* As frame_seal_request begins it, with any payload: flag byte and message as they may come. */
static void authentic_request(struct ends *e, struct span payload)
{
    uint8_t head[4 + 1 + FRAME_KEY_ID_LEN] = {'o', 'c', 'o', 'p', FRAME_VERSION};
    struct span message;
    size_t len;
    frame_key_id(e->server.public_key, head + 5);
    noise_init(&e->asks, 1, &e->client, e->server.public_key, span_of(head, sizeof head));
    buf_clear(&e->frame);
    buf_put(&e->frame, head + 4, sizeof head - 4);
    CHECK(buf_reserve(&e->frame, payload.len + NOISE_MSG1_OVERHEAD));
    if (noise_write(&e->asks, &e->env.env, payload, e->frame.p + e->frame.len, &len, NULL) !=
        OCOP_OK)
        return; /* longer than a Noise message */
    e->frame.len += len;
    if (frame_open_request(&e->answers, &(struct frame_keys){.v = &e->server, .count = 1},
                           buf_span(&e->frame), &e->a, &message, e->sender, NULL) == OCOP_OK) {
        CHECK(message.len <= REQUEST_INFLATED_MAX);
        CHECK(memcmp(e->sender, e->client.public_key, CHANNEL_KEY_LEN) == 0);
    }
    noise_fini(&e->answers);
    noise_fini(&e->asks);
}

/* The same of a reply, in one part. */
static void authentic_reply(struct ends *e, struct span payload)
{
    struct span message;
    size_t len, at;
    buf_clear(&e->frame);
    CHECK(frame_seal_request(&e->asks, &e->env.env, &e->client, e->server.public_key, span_str("x"),
                             &e->frame, NULL) == OCOP_OK);
    CHECK(frame_open_request(&e->answers, &(struct frame_keys){.v = &e->server, .count = 1},
                             buf_span(&e->frame), &e->a, &message, e->sender, NULL) == OCOP_OK);
    buf_clear(&e->frame);
    buf_byte(&e->frame, FRAME_VERSION);
    buf_byte(&e->frame, 0);
    at = e->frame.len;
    CHECK(buf_reserve(&e->frame, payload.len + NOISE_MSG2_OVERHEAD + 2));
    if (noise_write(&e->answers, &e->env.env, payload, e->frame.p + at + 2, &len, NULL) ==
        OCOP_OK) {
        e->frame.p[at] = (uint8_t)(len >> 8);
        e->frame.p[at + 1] = (uint8_t)len;
        e->frame.len += len + 2;
        if (frame_open_reply(&e->asks, buf_span(&e->frame), &e->a, &message, NULL) == OCOP_OK)
            CHECK(message.len <= REPLY_INFLATED_MAX);
    }
    noise_fini(&e->answers);
    noise_fini(&e->asks);
}

static void strangers(struct ends *e, struct span input)
{
    struct invitation invitation;
    struct span message;
    if (frame_open_request(&e->answers, &(struct frame_keys){.v = &e->server, .count = 1}, input,
                           &e->a, &message, e->sender, NULL) == OCOP_OK)
        CHECK(message.len <= REQUEST_INFLATED_MAX);
    noise_fini(&e->answers);
    buf_clear(&e->frame);
    CHECK(frame_seal_request(&e->asks, &e->env.env, &e->client, e->server.public_key, span_str("x"),
                             &e->frame, NULL) == OCOP_OK);
    CHECK(frame_open_reply(&e->asks, input, &e->a, &message, NULL) != OCOP_OK);
    noise_fini(&e->asks);
    const char *text = arena_dup(&e->a, input.p, input.len);
    if (text && invitation_decode(text, &invitation, NULL) == OCOP_OK)
        CHECK(invitation.token_len <= INVITATION_TOKEN_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t server_secret[CHANNEL_KEY_LEN] = {7}, client_secret[CHANNEL_KEY_LEN] = {8};
    struct ends e = {.sender = {0}};
    fixed_env_init(&e.env, 1);
    channel_key_from_secret(&e.server, server_secret);
    channel_key_from_secret(&e.client, client_secret);
    arena_init(&e.a, MIB(32));
    buf_init(&e.frame, FRAME_BYTES_MAX);
    strangers(&e, span_of(data, size));
    if (size <= NOISE_MESSAGE_MAX) {
        authentic_request(&e, span_of(data, size));
        authentic_reply(&e, span_of(data, size));
    }
    buf_fini(&e.frame);
    arena_fini(&e.a);
    return 0;
}
