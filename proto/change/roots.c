/* See roots.h. Knows neither files nor bundles. */
#include "roots.h"

#define ROOT "ocop root"
enum { TEXT_LEN = SIGN_PUBLIC_LEN + 8 };

static void root_text(const uint8_t key[SIGN_PUBLIC_LEN], uint64_t number, uint8_t out[TEXT_LEN])
{
    memcpy(out, key, SIGN_PUBLIC_LEN);
    for (int i = 0; i < 8; i++)
        out[SIGN_PUBLIC_LEN + i] = (uint8_t)(number >> (56 - 8 * i));
}

void root_vouch(const struct sign_key *before, const uint8_t key[SIGN_PUBLIC_LEN], uint64_t number,
                uint8_t signature[SIGNATURE_LEN])
{
    uint8_t text[TEXT_LEN];

    root_text(key, number, text);
    word_sign(ROOT, span_of(text, sizeof text), before, signature);
}

bool root_vouched(const uint8_t before[SIGN_PUBLIC_LEN], const uint8_t key[SIGN_PUBLIC_LEN],
                  uint64_t number, const uint8_t signature[SIGNATURE_LEN])
{
    uint8_t text[TEXT_LEN];

    root_text(key, number, text);
    return word_holds(ROOT, span_of(text, sizeof text), before, signature);
}

void root_chain_begin(struct root_chain *c, const uint8_t key[SIGN_PUBLIC_LEN])
{
    memset(c, 0, sizeof *c);
    memcpy(c->key[0], key, SIGN_PUBLIC_LEN);
    c->count = 1;
}

/* -1: none of them. */
static int place(const struct root_chain *c, const uint8_t *key)
{
    for (size_t i = 0; i < c->count; i++)
        if (memcmp(c->key[i], key, SIGN_PUBLIC_LEN) == 0)
            return (int)i;
    return -1;
}

bool root_chain_take(struct root_chain *c, const struct field *element, bool *is_root)
{
    struct field root, number, signature;

    *is_root = element_get(element->bytes, 7, &root) && root.i;
    if (!*is_root)
        return true;
    if (c->count == 0 || c->count == ROOTS_MAX || element->key.len != SIGN_PUBLIC_LEN ||
        !element_get(element->bytes, 4, &number) || (uint64_t)number.i != c->count ||
        !element_get(element->bytes, 3, &signature) || signature.bytes.len != SIGNATURE_LEN ||
        !root_vouched(root_chain_last(c), element->key.p, c->count, signature.bytes.p))
        return false;
    memcpy(c->key[c->count++], element->key.p, SIGN_PUBLIC_LEN);
    return true;
}

const uint8_t *root_chain_last(const struct root_chain *c)
{
    return c->key[c->count ? c->count - 1 : 0];
}

bool root_chain_leads(const struct root_chain *c, const uint8_t from[SIGN_PUBLIC_LEN],
                      const uint8_t to[SIGN_PUBLIC_LEN])
{
    const int a = place(c, from), b = place(c, to);

    return a >= 0 && a <= b;
}
