/* Frames from strangers: a request to the server, a reply to a client, an invitation's text. */
#include "bounds.h"
#include "frame.h"
#include "fuzz.h"
#include "invitation.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t secret[CHANNEL_KEY_LEN] = {7};
    struct channel_key key, client;
    struct noise n;
    struct arena a;
    struct buf request;
    struct span message;
    struct invitation invitation;
    uint8_t sender[CHANNEL_KEY_LEN];
    channel_key_from_secret(&key, secret);
    channel_key_new(&client, env_system());
    arena_init(&a, MIB(32));
    buf_init(&request, FRAME_BYTES_MAX);
    if (frame_open_request(&n, &(struct frame_keys){.v = &key, .count = 1}, span_of(data, size), &a,
                           &message, sender, NULL) == OCOP_OK)
        CHECK(message.len <= REQUEST_INFLATED_MAX);
    noise_fini(&n);
    if (frame_seal_request(&n, env_system(), &client, key.public_key, span_str("x"), &request,
                           NULL) == OCOP_OK)
        CHECK(frame_open_reply(&n, span_of(data, size), &a, &message, NULL) != OCOP_OK);
    noise_fini(&n);
    const char *text = arena_dup(&a, data, size);
    if (text && invitation_decode(text, &invitation, NULL) == OCOP_OK)
        CHECK(invitation.token_len <= INVITATION_TOKEN_MAX);
    buf_fini(&request);
    arena_fini(&a);
    return 0;
}
