/* The queue before the shared transaction: who goes first, how much at once, who is turned away. */
#include "test.h"

#include <string.h>

#include "bounds.h"
#include "turns.h"

enum { SMALL = 300, LARGE = 60 * 1024, SENDERS = 20, UPLOADER = 1000, ROUNDS = 400 };

struct fixture {
    struct turns *t;
    struct turn out[BATCH_REQUESTS_MAX];
    char word[BATCH_REQUESTS_MAX]; /* what requests are told apart by */
};

static void open_with(struct fixture *f, size_t bytes_max)
{
    memset(f, 0, sizeof *f);
    assert_int_equal(turns_open(bytes_max, &f->t, NULL), OCOP_OK);
}

static void put(struct fixture *f, uint32_t from, size_t bytes)
{
    assert_true(turns_put(f->t, from, bytes, NULL));
}

static size_t take(struct fixture *f, size_t max)
{
    return turns_take(f->t, f->out, max);
}

static void who_comes_first_goes_first_among_equals(void **state)
{
    struct fixture f;
    (void)state;
    open_with(&f, QUEUE_BYTES_DEFAULT);
    for (uint32_t i = 0; i < SENDERS; i++)
        assert_true(turns_put(f.t, i, SMALL, &f.word[i]));
    assert_int_equal(turns_waiting(f.t), SENDERS);
    assert_int_equal(take(&f, BATCH_REQUESTS_MAX), SENDERS);
    for (uint32_t i = 0; i < SENDERS; i++) {
        assert_int_equal(f.out[i].from, i);
        assert_ptr_equal(f.out[i].request, &f.word[i]);
        assert_int_equal(f.out[i].bytes, SMALL);
    }
    assert_int_equal(take(&f, BATCH_REQUESTS_MAX), 0);
    turns_close(f.t);
}

/* One device uploads without end, the others send small requests without end. */
static void small_requests_pass_an_upload_and_it_is_not_starved(void **state)
{
    struct fixture f;
    size_t had[SENDERS] = {0}, uploaded = 0, batches_without = 0;
    (void)state;
    open_with(&f, QUEUE_BYTES_DEFAULT);
    put(&f, UPLOADER, LARGE);
    for (uint32_t i = 0; i < SENDERS; i++)
        put(&f, i, SMALL);
    for (int round = 0; round < ROUNDS; round++) {
        size_t count = take(&f, BATCH_REQUESTS_MAX), smalls = 0;
        bool large = false;
        for (size_t i = 0; i < count; i++) {
            if (f.out[i].from == UPLOADER) {
                assert_int_equal(count, 1); /* nobody waits for it who was due before */
                large = true;
                uploaded += TURN_BYTES + LARGE;
            } else {
                had[f.out[i].from] += TURN_BYTES + SMALL;
                smalls++;
            }
            put(&f, f.out[i].from, f.out[i].bytes);
        }
        assert_true(smalls == SENDERS || large); /* the upload holds up one batch, and its own */
        batches_without = large ? 0 : batches_without + 1;
        assert_in_range(batches_without, 0, (TURN_BYTES + LARGE) / (TURN_BYTES + SMALL) + 1);
    }
    for (size_t i = 0; i < SENDERS; i++) { /* as much for each, but for what is on its way */
        assert_true(had[i] <= uploaded + TURN_BYTES + LARGE + SMALL);
        assert_true(uploaded <= had[i] + TURN_BYTES + LARGE);
    }
    turns_close(f.t);
}

/* However many upload: whoever comes with little is next. */
static void a_small_request_waits_for_one_upload_at_most(void **state)
{
    struct fixture f;
    (void)state;
    open_with(&f, QUEUE_BYTES_DEFAULT);
    for (uint32_t i = 0; i < SENDERS; i++)
        put(&f, UPLOADER + i, LARGE);
    for (uint32_t i = 0; i < SENDERS / 2; i++) { /* as long as they have had less than an upload */
        assert_int_equal(take(&f, BATCH_REQUESTS_MAX), 1);
        assert_int_equal(f.out[0].from, UPLOADER + i);
        put(&f, UPLOADER + i, LARGE); /* they go on */
        put(&f, 1, SMALL);
        put(&f, 2, SMALL);
        assert_int_equal(take(&f, BATCH_REQUESTS_MAX), 2);
        assert_true(f.out[0].from == 1 && f.out[1].from == 2);
    }
    turns_close(f.t);
}

static void who_sends_many_at_once_has_no_more_than_others(void **state)
{
    struct fixture f;
    (void)state;
    open_with(&f, QUEUE_BYTES_DEFAULT);
    for (int i = 0; i < 100; i++)
        put(&f, 1, SMALL);
    put(&f, 2, SMALL);
    put(&f, 3, SMALL);
    assert_int_equal(take(&f, 3), 3);
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(f.out[i].from, i + 1);
    turns_close(f.t);
}

static void a_batch_has_so_many_bytes_and_a_larger_request_is_alone(void **state)
{
    struct fixture f;
    (void)state;
    open_with(&f, QUEUE_BYTES_DEFAULT);
    for (uint32_t i = 0; i < 10; i++)
        put(&f, i, BATCH_BYTES_ENOUGH / 4);
    put(&f, 10, BATCH_BYTES_ENOUGH + 1);
    assert_int_equal(take(&f, BATCH_REQUESTS_MAX), 4);
    assert_int_equal(take(&f, 3), 3);
    assert_int_equal(take(&f, BATCH_REQUESTS_MAX), 3);
    assert_int_equal(take(&f, BATCH_REQUESTS_MAX), 1);
    assert_int_equal(f.out[0].from, 10);
    turns_close(f.t);
}

static void what_was_answered_at_length_counts_too(void **state)
{
    struct fixture f;
    (void)state;
    open_with(&f, QUEUE_BYTES_DEFAULT);
    for (uint32_t round = 0; round < 2; round++) {
        int passed = 0;
        put(&f, 1, SMALL);
        put(&f, 2, SMALL);
        assert_int_equal(take(&f, 2), 2);
        turns_charge(f.t, 1, round * 20 * (TURN_BYTES + SMALL));
        put(&f, 1, SMALL);
        for (;; passed++) {
            put(&f, 2, SMALL);
            assert_int_equal(take(&f, 1), 1);
            if (f.out[0].from == 1)
                break;
        }
        assert_in_range(passed, round ? 10 : 0, round ? 20 : 0);
        assert_int_equal(take(&f, 2), 1);
    }
    put(&f, 1, SMALL);
    put(&f, 2, SMALL);
    assert_int_equal(take(&f, 2), 2);
    turns_charge(f.t, 1, SIZE_MAX / 4); /* nobody is made to wait for longer than a device does */
    put(&f, 1, SMALL);
    put(&f, 2, SMALL);
    assert_int_equal(take(&f, 2), 1); /* nor are others held up by what is due much later */
    for (int passed = 0;; passed++) {
        put(&f, 2, SMALL);
        assert_int_equal(take(&f, 1), 1);
        if (f.out[0].from == 1)
            break;
        assert_in_range(passed, 0, 2 * LARGE / TURN_BYTES);
    }
    turns_close(f.t);
}

/* Hashing one content may cost more than one request may wait for. */
static void what_was_used_is_paid_in_full_by_one_request_after_the_other(void **state)
{
    enum { DEBT = 64 * 1024, REQUESTS = 12 };
    struct fixture f;
    uint64_t paid = 0;
    (void)state;
    open_with(&f, QUEUE_BYTES_DEFAULT);
    put(&f, 1, SMALL);
    put(&f, 2, SMALL);
    assert_int_equal(take(&f, 2), 2);
    turns_charge(f.t, 1, 4 * DEBT);
    turns_charge(f.t, 1, 4 * DEBT);
    for (unsigned round = 0; round < REQUESTS; round++) {
        uint64_t passed = 0;
        put(&f, 2, SMALL);
        put(&f, 1, SMALL);
        for (;; passed++) {
            assert_int_equal(take(&f, 1), 1);
            if (f.out[0].from == 1)
                break;
            put(&f, 2, SMALL);
        }
        assert_in_range(passed, 0, 2 * DEBT / TURN_BYTES);
        paid += passed * (TURN_BYTES + SMALL);
        if (round == REQUESTS - 1)
            assert_in_range(passed, 0, 3);
    }
    assert_in_range(paid, 3 * DEBT, 8 * DEBT);
    turns_close(f.t);
}

static void what_was_not_served_stands_where_it_stood(void **state)
{
    struct fixture f;
    struct turn first[3];
    (void)state;
    open_with(&f, QUEUE_BYTES_DEFAULT);
    for (uint32_t i = 0; i < 3; i++)
        put(&f, i, SMALL);
    assert_int_equal(turns_take(f.t, first, 3), 3);
    for (uint32_t i = 10; i < 13; i++)
        put(&f, i, 1);
    for (size_t i = 3; i > 0; i--)
        turns_again(f.t, &first[i - 1]);
    assert_int_equal(take(&f, BATCH_REQUESTS_MAX), 6);
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(f.out[i].from, i);
    turns_close(f.t);
}

static void many_are_many_until_they_stay_away(void **state)
{
    struct fixture f;
    size_t alone = 0;
    (void)state;
    open_with(&f, QUEUE_BYTES_DEFAULT);
    assert_true(turns_crowd(f.t) < CROWD_MIN);
    for (int round = 0; round < 20;
         round++) { /* small ones, then a large one while these are away */
        for (uint32_t i = 0; i < SENDERS; i++)
            put(&f, i, SMALL);
        put(&f, UPLOADER, LARGE);
        while (take(&f, BATCH_REQUESTS_MAX) > 0)
            assert_true(turns_crowd(f.t) >= CROWD_MIN);
    }
    for (; turns_crowd(f.t) >= CROWD_MIN && alone < SENDERS; alone++) {
        put(&f, UPLOADER, LARGE);
        assert_int_equal(take(&f, BATCH_REQUESTS_MAX), 1);
    }
    assert_in_range(alone, 1, SENDERS - 1);
    turns_close(f.t);
}

static void more_than_may_wait_is_not_taken_until_there_is_room(void **state)
{
    struct fixture f;
    const size_t max = 10 * (TURN_BYTES + SMALL);
    (void)state;
    open_with(&f, max);
    for (uint32_t i = 0; i < 10; i++)
        put(&f, i, SMALL);
    assert_false(turns_put(f.t, 11, SMALL, NULL));
    assert_false(turns_put(f.t, 12, 0, NULL));
    assert_int_equal(take(&f, 2), 2);
    turns_again(f.t, &f.out[1]);
    put(&f, 11, SMALL);
    assert_false(turns_put(f.t, 12, 0, NULL));
    assert_int_equal(take(&f, BATCH_REQUESTS_MAX), 10);
    put(&f, 13, 2 * max); /* one alone always may */
    assert_false(turns_put(f.t, 14, 0, NULL));
    turns_close(f.t);
}

static void who_is_turned_away_comes_back_one_behind_the_other(void **state)
{
    struct fixture f;
    uint32_t last = 0;
    int64_t now = 1000;
    (void)state;
    open_with(&f, QUEUE_BYTES_DEFAULT);
    for (int i = 0; i < 100; i++) {
        const uint32_t ms = turns_back_in_ms(f.t, LARGE, now);
        assert_in_range(ms, BUSY_MS_MIN, BUSY_MS_MAX);
        assert_true(ms > last);
        last = ms;
    }
    now += last; /* all of them were here again */
    assert_in_range(turns_back_in_ms(f.t, LARGE, now), BUSY_MS_MIN, BUSY_MS_MIN + LARGE / 512);
    while (turns_put(f.t, 1, LARGE, NULL)) /* behind those who wait, too */
        ;
    now += BUSY_MS_MAX;
    assert_true(turns_back_in_ms(f.t, SMALL, now) > BUSY_MS_MIN + 1000);
    for (int i = 0; i < 100000; i++)
        assert_in_range(turns_back_in_ms(f.t, LARGE, now), BUSY_MS_MIN, BUSY_MS_MAX);
    turns_close(f.t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_comes_first_goes_first_among_equals),
        cmocka_unit_test(small_requests_pass_an_upload_and_it_is_not_starved),
        cmocka_unit_test(a_small_request_waits_for_one_upload_at_most),
        cmocka_unit_test(who_sends_many_at_once_has_no_more_than_others),
        cmocka_unit_test(a_batch_has_so_many_bytes_and_a_larger_request_is_alone),
        cmocka_unit_test(what_was_answered_at_length_counts_too),
        cmocka_unit_test(what_was_used_is_paid_in_full_by_one_request_after_the_other),
        cmocka_unit_test(what_was_not_served_stands_where_it_stood),
        cmocka_unit_test(many_are_many_until_they_stay_away),
        cmocka_unit_test(more_than_may_wait_is_not_taken_until_there_is_room),
        cmocka_unit_test(who_is_turned_away_comes_back_one_behind_the_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
