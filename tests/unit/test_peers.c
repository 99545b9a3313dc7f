/* What is remembered of devices, and for which of the server's keys. */
#include "test.h"

#include <string.h>

#include "peers.h"

struct keys {
    uint8_t own[CHANNEL_KEY_LEN], peer[CHANNEL_KEY_LEN], shared[CHANNEL_KEY_LEN];
};

static struct keys keys_of(uint8_t own, uint8_t peer, uint8_t shared)
{
    struct keys k;
    memset(k.own, own, sizeof k.own);
    memset(k.peer, 0, sizeof k.peer); /* all fall on one place ... */
    k.peer[31] = peer;                /* ... and differ */
    memset(k.shared, shared, sizeof k.shared);
    return k;
}

/* The first byte of the secret; 0: not known. */
static int known(const struct peers *p, struct keys k)
{
    const struct noise_known *n = peers_known(p);
    uint8_t shared[CHANNEL_KEY_LEN] = {0};
    bool found = n->find(n->self, k.own, k.peer, shared);
    assert_int_equal(found, shared[0] != 0);
    assert_memory_equal(shared, shared + 1, sizeof shared - 1); /* all of it */
    return shared[0];
}

static void note(struct peers *p, struct keys k)
{
    peers_note(p, k.own, k.peer, k.shared);
}

static void a_device_is_known_once_it_was_noted(void **state)
{
    struct peers *p;
    (void)state;
    assert_int_equal(peers_open(&p, NULL), OCOP_OK);
    assert_int_equal(known(p, keys_of(1, 2, 0)), 0);
    note(p, keys_of(1, 2, 3));
    assert_int_equal(known(p, keys_of(1, 2, 0)), 3);
    peers_close(p);
}

static void a_secret_is_for_one_pair_of_keys_alone(void **state)
{
    struct peers *p;
    (void)state;
    assert_int_equal(peers_open(&p, NULL), OCOP_OK);
    note(p, keys_of(1, 2, 3));
    assert_int_equal(known(p, keys_of(9, 2, 0)), 0); /* the server's key was changed */
    assert_int_equal(known(p, keys_of(1, 8, 0)), 0);
    assert_int_equal(known(p, keys_of(0, 0, 0)), 0); /* no place is anyone's before it is taken */
    note(p, keys_of(1, 8, 7));                       /* pushes the other out */
    assert_int_equal(known(p, keys_of(1, 8, 0)), 7);
    assert_int_equal(known(p, keys_of(1, 2, 0)), 0);
    peers_close(p);
}

static void without_a_memory_nothing_is_known(void **state)
{
    struct keys k = keys_of(1, 2, 3);
    (void)state;
    assert_null(peers_known(NULL));
    peers_note(NULL, k.own, k.peer, k.shared);
    peers_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_device_is_known_once_it_was_noted),
        cmocka_unit_test(a_secret_is_for_one_pair_of_keys_alone),
        cmocka_unit_test(without_a_memory_nothing_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
