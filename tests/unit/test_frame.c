/* Frames: what goes in comes out, and nothing that was cut or changed does. */
#include "frame.h"

#include <stdio.h>
#include <stdlib.h>

#include "bounds.h"
#include "test.h"

struct ends {
    struct channel_key client, server, other;
    struct noise asks, answers;
    struct buf request, reply;
    struct arena arena;
    struct span message; /* as opened */
    uint8_t sender[CHANNEL_KEY_LEN];
};

static int ends_open(void **state)
{
    struct ends *e = calloc(1, sizeof *e);

    if (!e)
        return -1;
    channel_key_new(&e->client, env_system());
    channel_key_new(&e->server, env_system());
    channel_key_new(&e->other, env_system());
    buf_init(&e->request, FRAME_BYTES_MAX);
    buf_init(&e->reply, FRAME_BYTES_MAX);
    arena_init(&e->arena, ARENA_REQUEST_MAX);
    *state = e;
    return 0;
}

static int ends_close(void **state)
{
    struct ends *e = *state;

    buf_fini(&e->request);
    buf_fini(&e->reply);
    arena_fini(&e->arena);
    noise_fini(&e->asks);
    noise_fini(&e->answers);
    free(e);
    return 0;
}

/* Bytes that do not compress (or, not random, that do). */
static uint8_t *bytes_new(size_t len, bool random)
{
    uint8_t *p = calloc(1, len + 1);

    assert_non_null(p);
    if (random)
        env_random(env_system(), p, len);
    return p;
}

static enum ocop_status ask(struct ends *e, struct span message)
{
    buf_clear(&e->request);
    return frame_seal_request(&e->asks, env_system(), &e->client, e->server.public_key, message,
                              &e->request, NULL);
}

static enum ocop_status take(struct ends *e, struct span frame)
{
    arena_reset(&e->arena);
    return frame_open_request(&e->answers, &(struct frame_keys){.v = &e->server, .count = 1}, frame,
                              &e->arena, &e->message, e->sender, NULL);
}

static enum ocop_status answer(struct ends *e, struct span message)
{
    buf_clear(&e->reply);
    return frame_seal_reply(&e->answers, env_system(), message, &e->reply, NULL);
}

static enum ocop_status hear(struct ends *e, struct span frame)
{
    arena_reset(&e->arena);
    return frame_open_reply(&e->asks, frame, &e->arena, &e->message, NULL);
}

/* A request that the server has opened, so that a reply may be sealed. */
static void ask_and_take(struct ends *e)
{
    assert_int_equal(ask(e, span_str("question")), OCOP_OK);
    assert_int_equal(take(e, buf_span(&e->request)), OCOP_OK);
}

enum {
    FIRST = NOISE_MESSAGE_MAX - NOISE_MSG2_OVERHEAD - 1, /* that fill message 2, flag byte apart */
    PART = NOISE_MESSAGE_MAX - NOISE_TAG_LEN
};

static const size_t sizes[] = {0,
                               1,
                               2,
                               47,
                               48,
                               49,
                               255,
                               256,
                               4096,
                               FIRST - 1,
                               FIRST,
                               FIRST + 1,
                               FIRST + PART - 1,
                               FIRST + PART,
                               FIRST + PART + 1,
                               FIRST + 7 * PART,
                               REPLY_BYTES_MAX - 1,
                               REPLY_BYTES_MAX};

static void a_message_of_any_size_makes_the_round_trip(void **state)
{
    struct ends *e = *state;

    for (size_t i = 0; i < 2 * sizeof sizes / sizeof *sizes; i++) {
        size_t len = sizes[i / 2], asked = len < REQUEST_BYTES_MAX ? len : REQUEST_BYTES_MAX;
        uint8_t *p = bytes_new(len, i % 2);
        assert_int_equal(ask(e, span_of(p, asked)), OCOP_OK);
        assert_int_equal(take(e, buf_span(&e->request)), OCOP_OK);
        assert_true(span_eq(e->message, span_of(p, asked)));
        assert_memory_equal(e->sender, e->client.public_key, CHANNEL_KEY_LEN);
        assert_int_equal(answer(e, span_of(p, len)), OCOP_OK);
        assert_true(e->reply.len <= FRAME_BYTES_MAX);
        assert_int_equal(hear(e, buf_span(&e->reply)), OCOP_OK);
        assert_true(span_eq(e->message, span_of(p, len)));
        free(p);
    }
}

static void what_compresses_is_sent_compressed(void **state)
{
    struct ends *e = *state;
    uint8_t *p = bytes_new(REQUEST_INFLATED_MAX, false);

    assert_int_equal(ask(e, span_of(p, REQUEST_INFLATED_MAX)), OCOP_OK);
    assert_true(e->request.len < 2000);
    assert_int_equal(take(e, buf_span(&e->request)), OCOP_OK);
    assert_true(span_eq(e->message, span_of(p, REQUEST_INFLATED_MAX)));
    free(p);
}

static void what_does_not_compress_costs_one_byte(void **state)
{
    struct ends *e = *state;
    uint8_t *p = bytes_new(5000, true);

    assert_int_equal(ask(e, span_of(p, 5000)), OCOP_OK);
    assert_int_equal(e->request.len, 1 + FRAME_KEY_ID_LEN + NOISE_MSG1_OVERHEAD + 1 + 5000);
    free(p);
}

static void a_message_beyond_a_limit_is_not_sealed(void **state)
{
    static const struct {
        bool reply, random;
        size_t len;
    } cases[] = {{false, true, REQUEST_BYTES_MAX + 1},
                 {false, false, REQUEST_INFLATED_MAX + 1},
                 {true, true, REPLY_BYTES_MAX + 1},
                 {true, false, REPLY_INFLATED_MAX + 1}};
    struct ends *e = *state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t *p = bytes_new(cases[i].len, cases[i].random);
        ask_and_take(e);
        if (cases[i].reply) {
            assert_int_equal(answer(e, span_of(p, cases[i].len)), OCOP_ELIMIT);
            assert_int_equal(e->reply.len, 0);
        } else {
            assert_int_equal(ask(e, span_of(p, cases[i].len)), OCOP_ELIMIT);
            assert_int_equal(e->request.len, 0);
        }
        free(p);
    }
}

static void a_buffer_too_small_is_said_and_left_as_it_was(void **state)
{
    struct ends *e = *state;
    struct buf small;
    uint8_t *p = bytes_new(300, true);

    buf_init(&small, 64);
    buf_str(&small, "before");
    assert_int_equal(frame_seal_request(&e->asks, env_system(), &e->client, e->server.public_key,
                                        span_of(p, 300), &small, NULL),
                     OCOP_ELIMIT);
    assert_int_equal(small.len, strlen("before"));
    buf_fini(&small);
    free(p);
}

static void a_request_cut_anywhere_is_refused(void **state)
{
    struct ends *e = *state;
    uint8_t *p = bytes_new(300, true);

    assert_int_equal(ask(e, span_of(p, 300)), OCOP_OK);
    for (size_t len = 0; len < e->request.len; len++) {
        enum ocop_status st = take(e, span_of(e->request.p, len));
        assert_true(st == OCOP_EPROTO || st == OCOP_EAUTH);
        assert_int_equal(e->message.len, 0);
    }
    free(p);
}

/* Opening spoils the handshake, so each attempt works on a copy. */
static enum ocop_status hear_copy(struct ends *e, struct span frame)
{
    struct noise kept = e->asks;
    enum ocop_status st = hear(e, frame);

    e->asks = kept;
    return st;
}

static void a_reply_cut_anywhere_is_refused(void **state)
{
    struct ends *e = *state;
    uint8_t *p = bytes_new(300, true);

    ask_and_take(e);
    assert_int_equal(answer(e, span_of(p, 300)), OCOP_OK);
    for (size_t len = 0; len < e->reply.len; len++) {
        enum ocop_status st = hear_copy(e, span_of(e->reply.p, len));
        assert_true(st == OCOP_EPROTO || st == OCOP_EAUTH);
        assert_int_equal(e->message.len, 0);
    }
    free(p);
}

static void a_reply_cut_between_its_parts_is_refused(void **state)
{
    static const size_t lens[] = {FIRST, FIRST + 1, FIRST + PART, FIRST + 2 * PART + 5};
    struct ends *e = *state;

    for (size_t i = 0; i < sizeof lens / sizeof *lens; i++) {
        uint8_t *p = bytes_new(lens[i], true);
        ask_and_take(e);
        assert_int_equal(answer(e, span_of(p, lens[i])), OCOP_OK);
        size_t cuts = 0;
        for (size_t at = 2 + 2 + NOISE_MESSAGE_MAX; at < e->reply.len;
             at += 2 + NOISE_MESSAGE_MAX, cuts++)
            assert_int_equal(hear_copy(e, span_of(e->reply.p, at)), OCOP_EPROTO);
        assert_true(cuts > 0);
        assert_int_equal(hear_copy(e, buf_span(&e->reply)), OCOP_OK);
        free(p);
    }
}

static void parts_in_another_order_are_refused(void **state)
{
    enum { BOX = 2 + NOISE_MESSAGE_MAX };
    struct ends *e = *state;
    uint8_t *p = bytes_new(FIRST + 2 * PART + 5, true), *swap = bytes_new(BOX, false);

    ask_and_take(e);
    assert_int_equal(answer(e, span_of(p, FIRST + 2 * PART + 5)), OCOP_OK);
    memcpy(swap, e->reply.p + 2 + BOX, BOX);
    memcpy(e->reply.p + 2 + BOX, e->reply.p + 2 + 2 * BOX, BOX);
    memcpy(e->reply.p + 2 + 2 * BOX, swap, BOX);
    assert_int_equal(hear(e, buf_span(&e->reply)), OCOP_EAUTH);
    free(p);
    free(swap);
}

static void any_flipped_bit_of_a_request_is_refused(void **state)
{
    struct ends *e = *state;

    assert_int_equal(ask(e, span_str("two sets and a cursor")), OCOP_OK);
    for (size_t bit = 0; bit < e->request.len * 8; bit++) {
        e->request.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
        enum ocop_status st = take(e, buf_span(&e->request)),
                         want = bit < 8                            ? OCOP_EPROTO
                                : bit < 8 * (1 + FRAME_KEY_ID_LEN) ? OCOP_ENOTFOUND
                                                                   : OCOP_EAUTH;
        assert_int_equal(st, want);
        assert_int_equal(e->message.len, 0);
        e->request.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_int_equal(take(e, buf_span(&e->request)), OCOP_OK);
}

static void any_flipped_bit_of_a_reply_is_refused(void **state)
{
    struct ends *e = *state;

    ask_and_take(e);
    assert_int_equal(answer(e, span_str("outcomes and a cursor")), OCOP_OK);
    for (size_t bit = 0; bit < e->reply.len * 8; bit++) {
        e->reply.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
        enum ocop_status st = hear_copy(e, buf_span(&e->reply));
        assert_true(st == OCOP_EPROTO || st == OCOP_EAUTH);
        assert_int_equal(e->message.len, 0);
        e->reply.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_int_equal(hear(e, buf_span(&e->reply)), OCOP_OK);
}

static void bytes_behind_a_reply_are_refused(void **state)
{
    struct ends *e = *state;

    ask_and_take(e);
    assert_int_equal(answer(e, span_str("outcomes")), OCOP_OK);
    buf_byte(&e->reply, 0);
    assert_int_equal(hear(e, buf_span(&e->reply)), OCOP_EPROTO);
}

static void a_request_for_another_server_is_not_opened(void **state)
{
    struct ends *e = *state;

    assert_int_equal(ask(e, span_str("question")), OCOP_OK);
    assert_int_equal(
        frame_open_request(&e->answers, &(struct frame_keys){.v = &e->other, .count = 1},
                           buf_span(&e->request), &e->arena, &e->message, e->sender, NULL),
        OCOP_ENOTFOUND);
    /* Nor by one that claims the key id. */
    frame_key_id(e->other.public_key, e->request.p + 1);
    assert_int_equal(
        frame_open_request(&e->answers, &(struct frame_keys){.v = &e->other, .count = 1},
                           buf_span(&e->request), &e->arena, &e->message, e->sender, NULL),
        OCOP_EAUTH);
}

static void a_server_with_several_keys_uses_the_one_named(void **state)
{
    struct ends *e = *state;
    struct channel_key keys[2] = {e->other, e->server};

    assert_int_equal(ask(e, span_str("question")), OCOP_OK);
    assert_int_equal(frame_open_request(&e->answers, &(struct frame_keys){.v = keys, .count = 2},
                                        buf_span(&e->request), &e->arena, &e->message, e->sender,
                                        NULL),
                     OCOP_OK);
    assert_memory_equal(e->answers.s.public_key, e->server.public_key, CHANNEL_KEY_LEN);
}

static void a_reply_to_another_request_is_refused(void **state)
{
    struct ends *e = *state;

    ask_and_take(e);
    assert_int_equal(answer(e, span_str("old answer")), OCOP_OK);
    assert_int_equal(ask(e, span_str("new question")), OCOP_OK);
    assert_int_equal(hear(e, buf_span(&e->reply)), OCOP_EAUTH);
}

static void a_reply_by_another_server_is_refused(void **state)
{
    struct ends *e = *state;

    ask_and_take(e);
    /* Whoever holds another static key can at best begin with what stood in clear. */
    e->answers.re[0] ^= 1;
    assert_int_equal(answer(e, span_str("answer")), OCOP_OK);
    assert_int_equal(hear(e, buf_span(&e->reply)), OCOP_EAUTH);
}

static void the_hint_of_an_unknown_key_is_no_reply(void **state)
{
    struct ends *e = *state;

    ask_and_take(e);
    buf_clear(&e->reply);
    frame_unknown_key(&e->reply);
    assert_int_equal(hear(e, buf_span(&e->reply)), OCOP_EAUTH);
    assert_int_equal(e->message.len, 0);
}

static void no_reply_is_sealed_before_a_request_was_opened(void **state)
{
    struct ends *e = *state;

    assert_int_equal(take(e, span_str("nonsense")), OCOP_EPROTO);
    assert_int_equal(answer(e, span_str("answer")), OCOP_ESTATE);
    assert_int_equal(e->reply.len, 0);
}

static void oversized_frames_are_refused(void **state)
{
    struct ends *e = *state;
    uint8_t *p = bytes_new(FRAME_BYTES_MAX + 1, false);

    p[0] = FRAME_VERSION;
    frame_key_id(e->server.public_key, p + 1);
    assert_int_equal(take(e, span_of(p, 1 + FRAME_KEY_ID_LEN + NOISE_MESSAGE_MAX + 1)),
                     OCOP_ELIMIT);
    ask_and_take(e);
    p[1] = 0;
    assert_int_equal(hear(e, span_of(p, FRAME_BYTES_MAX + 1)), OCOP_ELIMIT);
    free(p);
}

/* A payload as only a hostile holder of an enrolled key could make it. */
static enum ocop_status take_payload(struct ends *e, struct span payload)
{
    uint8_t prologue[9] = {'o', 'c', 'o', 'p', FRAME_VERSION};
    size_t len;

    buf_clear(&e->request);
    buf_byte(&e->request, FRAME_VERSION);
    frame_key_id(e->server.public_key, prologue + 5);
    buf_put(&e->request, prologue + 5, FRAME_KEY_ID_LEN);
    assert_true(buf_reserve(&e->request, payload.len + NOISE_MSG1_OVERHEAD));
    noise_init(&e->asks, 1, &e->client, e->server.public_key, span_of(prologue, sizeof prologue));
    assert_int_equal(
        noise_write(&e->asks, env_system(), payload, e->request.p + e->request.len, &len, NULL),
        OCOP_OK);
    e->request.len += len;
    return take(e, buf_span(&e->request));
}

static void a_payload_that_is_no_message_is_refused(void **state)
{
    struct ends *e = *state;
    struct buf bomb;
    uint8_t *zeros = bytes_new(REQUEST_INFLATED_MAX + 1, false);

    assert_int_equal(take_payload(e, span_of("\0m", 2)), OCOP_OK);
    assert_int_equal(take_payload(e, span_of("\2m", 2)), OCOP_EPROTO);
    assert_int_equal(take_payload(e, span_of("\1not zlib", 9)), OCOP_EPROTO);
    assert_int_equal(take_payload(e, span_of(NULL, 0)), OCOP_EPROTO);
    buf_init(&bomb, MIB(1));
    buf_byte(&bomb, 1);
    assert_int_equal(zip_deflate(span_of(zeros, REQUEST_INFLATED_MAX + 1), 9, &bomb, NULL),
                     OCOP_OK);
    assert_int_equal(take_payload(e, buf_span(&bomb)), OCOP_ELIMIT);
    assert_int_equal(e->message.len, 0);
    buf_fini(&bomb);
    free(zeros);
}

static void without_memory_for_it_a_request_is_neither_taken_nor_refused(void **state)
{
    struct ends *e = *state;
    struct arena small;

    arena_init(&small, 16);
    assert_int_equal(ask(e, span_str("question")), OCOP_OK);
    assert_int_equal(
        frame_open_request(&e->answers, &(struct frame_keys){.v = &e->server, .count = 1},
                           buf_span(&e->request), &small, &e->message, e->sender, NULL),
        OCOP_ENOMEM);
    arena_fini(&small);
}

/* Frames with fixed keys, made by an implementation of its own: what is on the wire may
 * only change together with the version. */
static const char golden_request[] =
    "01f20f6a397a1a4e709bf085ac494aba0469b9b1eda0ab1f78b16aabb79ffeda90623e852256a4fe2a1103dd42"
    "6197cf39e57898edcee3206e7321d29750d735ef21d8be5b30d51a6c445802ef34242d42f28567af6a5fcae6a3"
    "2affedc5141f8e58bde64105f8afb5";
static const char golden_reply[] =
    "01000037132c442be010fbd57e72603328aa76e71fccc1503aae219327d14d9c9993f4723e84336a5381c90837"
    "13c25d0e9f2f5dbee4b47589f6cf";

static void fill(void *self, void *out, size_t len)
{
    memset(out, *(const int *)self, len);
}

static void check_hex(struct span got, const char *want)
{
    char hex[3];

    assert_int_equal(got.len, strlen(want) / 2);
    for (size_t i = 0; i < got.len; i++) {
        snprintf(hex, sizeof hex, "%02x", got.p[i]);
        assert_memory_equal(hex, want + 2 * i, 2);
    }
}

static void frames_are_on_the_wire_as_they_always_were(void **state)
{
    static const uint8_t client[CHANNEL_KEY_LEN] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
                                                    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    static const uint8_t server[CHANNEL_KEY_LEN] = {2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,
                                                    2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2};
    struct ends *e = *state;
    int asks = 0x41, answers = 0x42;
    struct env asking = {.random = fill, .self = &asks},
               answering = {.random = fill, .self = &answers};

    channel_key_from_secret(&e->client, client);
    channel_key_from_secret(&e->server, server);
    assert_int_equal(frame_seal_request(&e->asks, &asking, &e->client, e->server.public_key,
                                        span_str("ask"), &e->request, NULL),
                     OCOP_OK);
    check_hex(buf_span(&e->request), golden_request);
    assert_int_equal(take(e, buf_span(&e->request)), OCOP_OK);
    assert_int_equal(frame_seal_reply(&e->answers, &answering, span_str("answer"), &e->reply, NULL),
                     OCOP_OK);
    check_hex(buf_span(&e->reply), golden_reply);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, ends_open, ends_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(frames_are_on_the_wire_as_they_always_were),
        TEST(a_message_of_any_size_makes_the_round_trip),
        TEST(what_compresses_is_sent_compressed),
        TEST(what_does_not_compress_costs_one_byte),
        TEST(a_message_beyond_a_limit_is_not_sealed),
        TEST(a_buffer_too_small_is_said_and_left_as_it_was),
        TEST(a_request_cut_anywhere_is_refused),
        TEST(a_reply_cut_anywhere_is_refused),
        TEST(a_reply_cut_between_its_parts_is_refused),
        TEST(parts_in_another_order_are_refused),
        TEST(any_flipped_bit_of_a_request_is_refused),
        TEST(any_flipped_bit_of_a_reply_is_refused),
        TEST(bytes_behind_a_reply_are_refused),
        TEST(a_request_for_another_server_is_not_opened),
        TEST(a_server_with_several_keys_uses_the_one_named),
        TEST(a_reply_to_another_request_is_refused),
        TEST(a_reply_by_another_server_is_refused),
        TEST(the_hint_of_an_unknown_key_is_no_reply),
        TEST(no_reply_is_sealed_before_a_request_was_opened),
        TEST(oversized_frames_are_refused),
        TEST(a_payload_that_is_no_message_is_refused),
        TEST(without_memory_for_it_a_request_is_neither_taken_nor_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
