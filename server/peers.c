/* A table of fixed size; a device that falls on another's place takes it. */
#include "peers.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum { PEERS_MAX = 16384 }; /* 1.5 MiB when all are taken: more than the country's devices */

struct peer {
    uint8_t own[CHANNEL_KEY_LEN], peer[CHANNEL_KEY_LEN], shared[CHANNEL_KEY_LEN];
};

struct peers {
    struct noise_known known;
    struct peer v[PEERS_MAX];
};

/* Public keys are as good as random, but for those that were chosen: a device that had itself the
 * place of another would cost that one a multiplication. */
static size_t place(const uint8_t peer[CHANNEL_KEY_LEN])
{
    uint32_t n;
    memcpy(&n, peer, sizeof n);
    return n % PEERS_MAX;
}

static bool find(const void *self, const uint8_t own[CHANNEL_KEY_LEN],
                 const uint8_t peer[CHANNEL_KEY_LEN], uint8_t shared[CHANNEL_KEY_LEN])
{
    const struct peers *p = self;
    const struct peer *at = &p->v[place(peer)];
    if (memcmp(at->own, own, CHANNEL_KEY_LEN) != 0 || memcmp(at->peer, peer, CHANNEL_KEY_LEN) != 0)
        return false;
    memcpy(shared, at->shared, CHANNEL_KEY_LEN);
    return true;
}

enum ocop_status peers_open(struct peers **out, struct ocop_error *err)
{
    struct peers *p = *out = calloc(1, sizeof *p);
    if (!p)
        return err_nomem(err);
    p->known = (struct noise_known){find, p};
    return OCOP_OK;
}

void peers_close(struct peers *p)
{
    if (p)
        sodium_memzero(p, sizeof *p);
    free(p);
}

const struct noise_known *peers_known(const struct peers *p)
{
    return p ? &p->known : NULL;
}

void peers_note(struct peers *p, const uint8_t own[CHANNEL_KEY_LEN],
                const uint8_t peer[CHANNEL_KEY_LEN], const uint8_t shared[CHANNEL_KEY_LEN])
{
    if (!p)
        return;
    struct peer *at = &p->v[place(peer)];
    memcpy(at->own, own, CHANNEL_KEY_LEN);
    memcpy(at->peer, peer, CHANNEL_KEY_LEN);
    memcpy(at->shared, shared, CHANNEL_KEY_LEN);
}
