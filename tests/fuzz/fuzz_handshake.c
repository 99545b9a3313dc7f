/* The channel under a stranger's bytes: as message 1, as message 2 and as a transport message none
 * is authentic. As the payload of one who knows the keys they come out as they went in. */
#include <stdlib.h>
#include <string.h>

#include "bounds.h"
#include "fixed_env.h"
#include "fuzz.h"
#include "noise.h"

struct pair {
    struct fixed_env env;
    struct noise asks, answers;
    uint8_t sealed[NOISE_MESSAGE_MAX], opened[NOISE_MESSAGE_MAX];
    size_t sealed_len, opened_len;
};

static void pair_init(struct pair *p)
{
    static const uint8_t client_secret[CHANNEL_KEY_LEN] = {5}, server_secret[CHANNEL_KEY_LEN] = {6};
    struct channel_key client, server;
    fixed_env_init(&p->env, 1);
    channel_key_from_secret(&client, client_secret);
    channel_key_from_secret(&server, server_secret);
    noise_init(&p->asks, 1, &client, server.public_key, span_str("fuzz"));
    noise_init(&p->answers, 0, &server, NULL, span_str("fuzz"));
}

static void pair_fini(struct pair *p)
{
    noise_fini(&p->asks);
    noise_fini(&p->answers);
}

/* Write at one end and read at the other; false when the payload is too long for a message. */
static bool pass(struct pair *p, struct noise *from, struct noise *to, struct span payload)
{
    enum ocop_status st = noise_write(from, &p->env.env, payload, p->sealed, &p->sealed_len, NULL);
    if (st == OCOP_ELIMIT)
        return false;
    CHECK(st == OCOP_OK);
    CHECK(noise_read(to, span_of(p->sealed, p->sealed_len), p->opened, &p->opened_len, NULL) ==
          OCOP_OK);
    CHECK(p->opened_len == payload.len);
    CHECK(payload.len == 0 || memcmp(p->opened, payload.p, payload.len) == 0);
    return true;
}

/* The input in place of message `at` (0: message 1, 1: message 2, 2: the first transport message).
 */
static void forge(struct pair *p, int at, struct span input)
{
    struct noise *ends[] = {&p->answers, &p->asks, &p->asks};
    pair_init(p);
    if (at > 0)
        CHECK(pass(p, &p->asks, &p->answers, span_str("1")));
    if (at > 1)
        CHECK(pass(p, &p->answers, &p->asks, span_str("2")));
    CHECK(noise_read(ends[at], input, p->opened, &p->opened_len, NULL) != OCOP_OK);
    CHECK(p->opened_len == 0);
    pair_fini(p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span input = span_of(data, size);
    struct pair *p;
    if (size > NOISE_MESSAGE_MAX || !(p = malloc(sizeof *p)))
        return 0;
    for (int at = 0; at < 3; at++)
        forge(p, at, input);
    pair_init(p);
    if (pass(p, &p->asks, &p->answers, input) && pass(p, &p->answers, &p->asks, input))
        (void)pass(p, &p->answers, &p->asks, input);
    pair_fini(p);
    free(p);
    return 0;
}
