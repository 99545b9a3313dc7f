/* The roots of a registry, each signed by the one before it: who trusts one trusts those that
 * follow. No clock, no database. */
#ifndef CHANGE_ROOTS_H
#define CHANGE_ROOTS_H

#include "changeset.h"

enum { ROOTS_MAX = 16 };

struct root_chain {
    uint8_t key[ROOTS_MAX][SIGN_PUBLIC_LEN]; /* oldest first; its place is a root's number */
    size_t count;
};

/** The word of a root for the one that takes its place, under its number; and whether it is. */
void root_vouch(const struct sign_key *before, const uint8_t key[SIGN_PUBLIC_LEN], uint64_t number,
                uint8_t signature[SIGNATURE_LEN]);
bool root_vouched(const uint8_t before[SIGN_PUBLIC_LEN], const uint8_t key[SIGN_PUBLIC_LEN],
                  uint64_t number, const uint8_t signature[SIGNATURE_LEN]);

/** Begin with a root that is trusted. */
void root_chain_begin(struct root_chain *c, const uint8_t key[SIGN_PUBLIC_LEN]);
/** Take an element of Replica.sign_keys: *is_root says whether it speaks of a root at all.
 *  @return false: it does, and is not the next one, signed by the last */
bool root_chain_take(struct root_chain *c, const struct field *element, bool *is_root);
/** The root that vouches for keys now; the chain is begun. */
const uint8_t *root_chain_last(const struct root_chain *c);
/** Are both in the chain, and `to` not before `from`? */
bool root_chain_leads(const struct root_chain *c, const uint8_t from[SIGN_PUBLIC_LEN],
                      const uint8_t to[SIGN_PUBLIC_LEN]);

#endif
