/* The channel against published vectors, golden handshakes of our own, and misuse. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "bounds.h"
#include "noise.h"
#include "test.h"

#define GOLDEN "tests/data/noise-golden.json"
#define PUBLISHED "../shared/data/noise-ik-vectors.json"

enum { PAYLOAD_MAX = 1024 };

struct bytes {
    uint8_t b[PAYLOAD_MAX + NOISE_MSG1_OVERHEAD];
    size_t len;
};

static unsigned nibble(char c)
{
    return c <= '9' ? (unsigned)(c - '0') : (unsigned)(c - 'a') + 10;
}

static struct bytes unhex(const json_t *object, const char *name)
{
    struct bytes out = {.len = 0};
    const char *hex = json_string_value(json_object_get(object, name));

    assert_non_null(hex);
    assert_true(strlen(hex) / 2 <= sizeof out.b);
    for (; hex[0] && hex[1]; hex += 2)
        out.b[out.len++] = (uint8_t)(nibble(hex[0]) << 4 | nibble(hex[1]));
    return out;
}

static struct span span_bytes(const struct bytes *b)
{
    return span_of(b->b, b->len);
}

/* Both ends of one handshake as a vector describes them. */
struct pair {
    struct noise end[2]; /* initiator, responder */
};

static void pair_init(struct pair *p, const json_t *vector)
{
    static const char *const names[2][3] = {{"init_static", "init_ephemeral", "init_prologue"},
                                            {"resp_static", "resp_ephemeral", "resp_prologue"}};
    struct bytes remote = unhex(vector, "init_remote_static");

    for (int i = 0; i < 2; i++) {
        struct bytes secret = unhex(vector, names[i][0]), ephemeral = unhex(vector, names[i][1]),
                     prologue = unhex(vector, names[i][2]);
        struct channel_key key;
        channel_key_from_secret(&key, secret.b);
        noise_init(&p->end[i], i == 0, &key, i == 0 ? remote.b : NULL, span_bytes(&prologue));
        noise_set_ephemeral(&p->end[i], ephemeral.b);
    }
}

/* The secret of the static keys, remembered from one handshake for the next. */
struct memory {
    uint8_t own[CHANNEL_KEY_LEN], peer[CHANNEL_KEY_LEN], shared[CHANNEL_KEY_LEN];
};

static bool remember(const void *self, const uint8_t own[CHANNEL_KEY_LEN],
                     const uint8_t peer[CHANNEL_KEY_LEN], uint8_t shared[CHANNEL_KEY_LEN])
{
    const struct memory *m = self;

    if (memcmp(own, m->own, sizeof m->own) != 0 || memcmp(peer, m->peer, sizeof m->peer) != 0)
        return false;
    memcpy(shared, m->shared, sizeof m->shared);
    return true;
}

static void keep(struct memory *m, const struct noise *n)
{
    memcpy(m->own, n->s.public_key, sizeof m->own);
    memcpy(m->peer, n->rs, sizeof m->peer);
    memcpy(m->shared, n->ss, sizeof m->shared);
}

/* The responder does as a vector says; `early`: with what it remembers, and message 2 begun before
 * its payload is there. */
static void check_vector(const json_t *vector, struct memory *m, bool early)
{
    struct pair p;
    const struct noise_known known = {remember, m};
    json_t *messages = json_object_get(vector, "messages"), *message;
    size_t i;

    pair_init(&p, vector);
    if (early)
        p.end[1].known = &known;
    assert_true(json_array_size(messages) >= 2);
    json_array_foreach(messages, i, message)
    {
        struct bytes payload = unhex(message, "payload"), want = unhex(message, "ciphertext"), got,
                     back;
        if (early && i == 1)
            assert_int_equal(noise_prepare(&p.end[1], unhex(vector, "resp_ephemeral").b, NULL),
                             OCOP_OK);
        assert_int_equal(
            noise_write(&p.end[i % 2], env_system(), span_bytes(&payload), got.b, &got.len, NULL),
            OCOP_OK);
        assert_int_equal(got.len, want.len);
        assert_memory_equal(got.b, want.b, want.len);
        assert_int_equal(noise_read(&p.end[1 - i % 2], span_bytes(&got), back.b, &back.len, NULL),
                         OCOP_OK);
        assert_int_equal(back.len, payload.len);
        assert_memory_equal(back.b, payload.b, payload.len);
        if (i == 0)
            keep(m, &p.end[1]);
    }
    if (json_object_get(vector, "handshake_hash")) {
        struct bytes hash = unhex(vector, "handshake_hash");
        assert_memory_equal(p.end[0].h, hash.b, sizeof p.end[0].h);
        assert_memory_equal(p.end[1].h, hash.b, sizeof p.end[1].h);
    }
}

static size_t check_file(const char *path)
{
    json_error_t error;
    json_t *root = json_load_file(path, 0, &error), *vectors, *vector;
    size_t i;

    if (!root)
        fail_msg("%s: %s", path, error.text);
    vectors = json_object_get(root, "vectors");
    json_array_foreach(vectors, i, vector)
    {
        struct memory m = {{0}, {0}, {0}};
        check_vector(vector, &m, false);
        check_vector(vector, &m, true);
    }
    i = json_array_size(vectors);
    json_decref(root);
    assert_true(i > 0);
    return i;
}

static void the_golden_handshakes_come_out_byte_for_byte(void **state)
{
    (void)state;
    print_message("%zu golden handshakes\n", check_file(GOLDEN));
}

static void the_published_vectors_come_out_byte_for_byte(void **state)
{
    const char *path = getenv("OCOP_SHARED");
    FILE *file;

    (void)state;
    if (!path)
        path = PUBLISHED;
    file = fopen(path, "rb");
    if (!file) { /* they come with the project's shared data; a copy elsewhere may lack them */
        print_message("0 published vectors: no file %s\n", path);
        return;
    }
    fclose(file);
    print_message("%zu published vectors\n", check_file(path));
}

static void keys_of(struct channel_key *client, struct channel_key *server)
{
    channel_key_new(client, env_system());
    channel_key_new(server, env_system());
}

/* A handshake up to `messages` of its two, with an empty prologue. */
static void shake(struct noise *client, struct noise *server, int messages)
{
    struct channel_key c, s;
    uint8_t wire[NOISE_MSG1_OVERHEAD], plain[NOISE_MSG1_OVERHEAD];
    size_t len;

    keys_of(&c, &s);
    noise_init(client, 1, &c, s.public_key, span_of(NULL, 0));
    noise_init(server, 0, &s, NULL, span_of(NULL, 0));
    for (int i = 0; i < messages; i++) {
        struct noise *from = i ? server : client, *to = i ? client : server;
        assert_int_equal(noise_write(from, env_system(), span_of(NULL, 0), wire, &len, NULL),
                         OCOP_OK);
        assert_int_equal(noise_read(to, span_of(wire, len), plain, &len, NULL), OCOP_OK);
        assert_int_equal(len, 0);
    }
}

static void ephemeral_keys_are_drawn_anew(void **state)
{
    struct channel_key c, s;
    struct noise n;
    uint8_t first[NOISE_MSG1_OVERHEAD], second[NOISE_MSG1_OVERHEAD];
    size_t len;

    (void)state;
    keys_of(&c, &s);
    for (int i = 0; i < 2; i++) {
        noise_init(&n, 1, &c, s.public_key, span_of(NULL, 0));
        assert_int_equal(
            noise_write(&n, env_system(), span_of(NULL, 0), i ? second : first, &len, NULL),
            OCOP_OK);
    }
    assert_memory_not_equal(first, second, CHANNEL_KEY_LEN);
}

static void the_responder_learns_who_sent(void **state)
{
    struct noise client, server;

    (void)state;
    shake(&client, &server, 1);
    assert_memory_equal(server.rs, client.s.public_key, CHANNEL_KEY_LEN);
}

static void a_message_out_of_turn_is_refused(void **state)
{
    struct noise client, server;
    uint8_t wire[NOISE_MSG1_OVERHEAD] = {0}, plain[NOISE_MSG1_OVERHEAD];
    size_t len = 7;

    (void)state;
    shake(&client, &server, 0);
    assert_int_equal(noise_write(&server, env_system(), span_of(NULL, 0), wire, &len, NULL),
                     OCOP_ESTATE);
    assert_int_equal(len, 0);
    assert_int_equal(noise_read(&client, span_of(wire, sizeof wire), plain, &len, NULL),
                     OCOP_ESTATE);
    shake(&client, &server, 1);
    assert_int_equal(noise_write(&client, env_system(), span_of(NULL, 0), wire, &len, NULL),
                     OCOP_ESTATE);
}

static void a_transport_message_is_taken_once(void **state)
{
    struct noise client, server;
    uint8_t wire[NOISE_TAG_LEN + 4], plain[NOISE_TAG_LEN + 4];
    size_t len, got;

    (void)state;
    shake(&client, &server, 2);
    assert_int_equal(noise_write(&server, env_system(), span_str("abcd"), wire, &len, NULL),
                     OCOP_OK);
    assert_int_equal(noise_read(&client, span_of(wire, len), plain, &got, NULL), OCOP_OK);
    assert_int_equal(noise_read(&client, span_of(wire, len), plain, &got, NULL), OCOP_EAUTH);
}

static void after_a_forged_message_the_handshake_is_over(void **state)
{
    struct noise client, server;
    uint8_t wire[NOISE_TAG_LEN + 4], plain[NOISE_TAG_LEN + 4];
    size_t len, got;

    (void)state;
    shake(&client, &server, 2);
    assert_int_equal(noise_write(&server, env_system(), span_str("abcd"), wire, &len, NULL),
                     OCOP_OK);
    wire[0] ^= 1;
    assert_int_equal(noise_read(&client, span_of(wire, len), plain, &got, NULL), OCOP_EAUTH);
    assert_int_equal(got, 0);
    wire[0] ^= 1;
    assert_int_equal(noise_read(&client, span_of(wire, len), plain, &got, NULL), OCOP_ESTATE);
}

/* Points of small order: with them the shared secret is zero whatever our key is. */
static const uint8_t weak_points[][CHANNEL_KEY_LEN] = {
    {0}, {1}, {0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3,
               0xfa, 0xf1, 0x9f, 0xc4, 0x6a, 0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32,
               0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00}};

static void a_weak_server_key_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof weak_points / sizeof *weak_points; i++) {
        struct channel_key own;
        struct noise n;
        uint8_t wire[NOISE_MSG1_OVERHEAD];
        size_t len;
        channel_key_new(&own, env_system());
        noise_init(&n, 1, &own, weak_points[i], span_of(NULL, 0));
        assert_int_equal(noise_write(&n, env_system(), span_of(NULL, 0), wire, &len, NULL),
                         OCOP_EAUTH);
    }
}

static void a_weak_ephemeral_key_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof weak_points / sizeof *weak_points; i++) {
        struct channel_key own;
        struct noise n;
        uint8_t wire[NOISE_MSG1_OVERHEAD] = {0}, plain[NOISE_MSG1_OVERHEAD];
        size_t len;
        channel_key_new(&own, env_system());
        noise_init(&n, 0, &own, NULL, span_of(NULL, 0));
        memcpy(wire, weak_points[i], CHANNEL_KEY_LEN);
        assert_int_equal(noise_read(&n, span_of(wire, sizeof wire), plain, &len, NULL), OCOP_EAUTH);
    }
}

static void another_prologue_is_refused(void **state)
{
    struct channel_key c, s;
    struct noise client, server;
    uint8_t wire[NOISE_MSG1_OVERHEAD], plain[NOISE_MSG1_OVERHEAD];
    size_t len;

    (void)state;
    keys_of(&c, &s);
    noise_init(&client, 1, &c, s.public_key, span_str("ocop1"));
    noise_init(&server, 0, &s, NULL, span_str("ocop2"));
    assert_int_equal(noise_write(&client, env_system(), span_of(NULL, 0), wire, &len, NULL),
                     OCOP_OK);
    assert_int_equal(noise_read(&server, span_of(wire, len), plain, &len, NULL), OCOP_EAUTH);
}

static void no_message_is_longer_than_noise_allows(void **state)
{
    static uint8_t payload[NOISE_MESSAGE_MAX], wire[NOISE_MESSAGE_MAX], plain[NOISE_MESSAGE_MAX];
    struct noise client, server;
    size_t len, got;

    (void)state;
    shake(&client, &server, 0);
    assert_int_equal(noise_write(&client, env_system(),
                                 span_of(payload, NOISE_MESSAGE_MAX - NOISE_MSG1_OVERHEAD + 1),
                                 wire, &len, NULL),
                     OCOP_ELIMIT);
    assert_int_equal(noise_write(&client, env_system(),
                                 span_of(payload, NOISE_MESSAGE_MAX - NOISE_MSG1_OVERHEAD), wire,
                                 &len, NULL),
                     OCOP_OK);
    assert_int_equal(len, NOISE_MESSAGE_MAX);
    assert_int_equal(noise_read(&server, span_of(wire, len), plain, &got, NULL), OCOP_OK);
    assert_int_equal(got, NOISE_MESSAGE_MAX - NOISE_MSG1_OVERHEAD);
}

static void nothing_secret_is_left_after_the_end(void **state)
{
    static const struct noise clean;
    struct noise client, server;

    (void)state;
    shake(&client, &server, 2);
    assert_memory_equal(client.s.secret, clean.s.secret, CHANNEL_KEY_LEN);
    assert_memory_equal(client.e.secret, clean.e.secret, CHANNEL_KEY_LEN);
    assert_memory_equal(server.ss, clean.ss, CHANNEL_KEY_LEN);
    noise_fini(&client);
    assert_memory_equal(client.send_key, clean.send_key, sizeof clean.send_key);
    assert_memory_equal(client.recv_key, clean.recv_key, sizeof clean.recv_key);
}

static void a_remembered_secret_is_used_and_a_wrong_one_opens_nothing(void **state)
{
    struct channel_key c, s;
    struct noise client, server;
    struct memory m;
    const struct noise_known known = {remember, &m};
    uint8_t wire[NOISE_MSG1_OVERHEAD], plain[NOISE_MSG1_OVERHEAD];
    size_t len;

    (void)state;
    keys_of(&c, &s);
    for (int i = 0; i < 3; i++) { /* learn it; use it; have it spoilt */
        noise_init(&client, 1, &c, s.public_key, span_of(NULL, 0));
        noise_init(&server, 0, &s, NULL, span_of(NULL, 0));
        if (i > 0)
            server.known = &known;
        if (i == 2)
            m.shared[5] ^= 1;
        assert_int_equal(noise_write(&client, env_system(), span_of(NULL, 0), wire, &len, NULL),
                         OCOP_OK);
        assert_int_equal(noise_read(&server, span_of(wire, len), plain, &len, NULL),
                         i < 2 ? OCOP_OK : OCOP_EAUTH);
        if (i == 0)
            keep(&m, &server);
    }
}

static void message_2_is_begun_once_and_only_when_it_is_due(void **state)
{
    static const uint8_t secret[CHANNEL_KEY_LEN] = {7};
    struct noise client, server;
    uint8_t wire[NOISE_MSG2_OVERHEAD], plain[NOISE_MSG2_OVERHEAD];
    size_t len;

    (void)state;
    shake(&client, &server, 0);
    assert_int_equal(noise_prepare(&client, secret, NULL), OCOP_ESTATE);
    assert_int_equal(noise_prepare(&server, secret, NULL), OCOP_ESTATE);
    shake(&client, &server, 1);
    assert_int_equal(noise_prepare(&client, secret, NULL), OCOP_ESTATE);
    assert_int_equal(noise_prepare(&server, secret, NULL), OCOP_OK);
    assert_int_equal(noise_prepare(&server, secret, NULL), OCOP_ESTATE);
    assert_int_equal(noise_read(&server, span_of(wire, sizeof wire), plain, &len, NULL),
                     OCOP_ESTATE);
    assert_int_equal(noise_write(&server, env_system(), span_of(NULL, 0), wire, &len, NULL),
                     OCOP_OK);
    assert_int_equal(noise_read(&client, span_of(wire, len), plain, &len, NULL), OCOP_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_golden_handshakes_come_out_byte_for_byte),
        cmocka_unit_test(the_published_vectors_come_out_byte_for_byte),
        cmocka_unit_test(ephemeral_keys_are_drawn_anew),
        cmocka_unit_test(the_responder_learns_who_sent),
        cmocka_unit_test(a_message_out_of_turn_is_refused),
        cmocka_unit_test(a_transport_message_is_taken_once),
        cmocka_unit_test(after_a_forged_message_the_handshake_is_over),
        cmocka_unit_test(a_weak_server_key_is_refused),
        cmocka_unit_test(a_weak_ephemeral_key_is_refused),
        cmocka_unit_test(another_prologue_is_refused),
        cmocka_unit_test(no_message_is_longer_than_noise_allows),
        cmocka_unit_test(nothing_secret_is_left_after_the_end),
        cmocka_unit_test(a_remembered_secret_is_used_and_a_wrong_one_opens_nothing),
        cmocka_unit_test(message_2_is_begun_once_and_only_when_it_is_due),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
