/* New keys in the place of old ones: made where they are used, signed where the root is. Knows no
 * file. */
#include "keys.h"

#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "invitation.h"

#define REQUEST "ocop-key"

static void channel_use(struct server_keys *k, const struct channel_key *key,
                        const struct key_paper *paper, int64_t before_until_ms)
{
    if (k->channel_count == SERVER_CHANNEL_KEYS_MAX)
        channel_key_wipe(&k->channel[--k->channel_count]);
    memmove(k->channel + 1, k->channel, k->channel_count * sizeof *k->channel);
    memmove(k->channel_paper + 1, k->channel_paper, k->channel_count * sizeof *k->channel_paper);
    k->channel[0] = *key;
    k->channel_paper[0] = *paper;
    k->channel_count++;
    for (size_t i = 1; i < k->channel_count; i++) { /* none outlives a newer one */
        struct key_paper *p = &k->channel_paper[i];
        if (p->until_ms == 0 || p->until_ms > before_until_ms)
            p->until_ms = before_until_ms;
    }
}

static void sign_use(struct server_keys *k, const struct sign_key *key,
                     const struct key_paper *paper)
{
    if (memcmp(k->sign.public_key, k->root.public_key, SIGN_PUBLIC_LEN) != 0) {
        if (k->retired_count == KEYS_RETIRED_MAX)
            k->retired_count--;
        memmove(k->retired + 1, k->retired, k->retired_count * sizeof *k->retired);
        memcpy(k->retired[0].public_key, k->sign.public_key, SIGN_PUBLIC_LEN);
        k->retired[0].paper = k->sign_paper;
        k->retired_count++;
    }
    k->sign = *key;
    k->sign_paper = *paper;
}

void keys_new_channel(struct server_keys *k, const struct env *env, int64_t keep_ms)
{
    struct key_paper paper = {.number = k->channel_paper[0].number + 1};
    channel_key_new(&k->next_channel, env);
    k->next_channel_number = paper.number;
    if (!k->has_root)
        return;
    invitation_sign(k->root.secret, k->next_channel.public_key, paper.number, paper.signature);
    channel_use(k, &k->next_channel, &paper, env_now_ms(env) + keep_ms);
    channel_key_wipe(&k->next_channel);
    k->next_channel_number = 0;
}

void keys_new_sign(struct server_keys *k, const struct env *env)
{
    struct key_paper paper = {.number = k->sign_paper.number + 1};
    sign_key_new(&k->next_sign, env);
    k->next_sign_number = paper.number;
    if (!k->has_root)
        return;
    sign_key_vouch(&k->root, k->next_sign.public_key, paper.number, paper.signature);
    sign_use(k, &k->next_sign, &paper);
    sign_key_wipe(&k->next_sign);
    k->next_sign_number = 0;
}

static bool same_roots(const struct root_chain *a, const struct root_chain *b, size_t count)
{
    return a->count >= count && b->count >= count &&
           memcmp(a->key, b->key, count * sizeof a->key[0]) == 0;
}

enum ocop_status keys_next_root(const struct server_keys *k, const struct env *env,
                                const struct sign_key *root, const char *path,
                                struct ocop_error *err)
{
    struct server_keys next = {.roots = k->roots, .has_root = true};
    if (memcmp(root->public_key, k->root.public_key, SIGN_PUBLIC_LEN) != 0)
        return err_set(err, OCOP_EAUTH, "this is the root of another registry, or one of before");
    if (next.roots.count == ROOTS_MAX)
        return err_set(err, OCOP_ELIMIT, "this registry has had %d roots", ROOTS_MAX);
    memcpy(next.root_signature, k->root_signature, sizeof next.root_signature);
    sign_key_new(&next.root, env);
    root_vouch(root, next.root.public_key, next.roots.count, next.root_signature[next.roots.count]);
    memcpy(next.roots.key[next.roots.count++], next.root.public_key, SIGN_PUBLIC_LEN);
    enum ocop_status st = keys_save_root(path, &next, err);
    keys_wipe(&next);
    return st;
}

/* What the root before had signed, signed again. */
static void sign_again(struct server_keys *k, const struct env *env, bool sign_is_root)
{
    for (size_t i = 0; i < k->channel_count; i++)
        invitation_sign(k->root.secret, k->channel[i].public_key, k->channel_paper[i].number,
                        k->channel_paper[i].signature);
    for (size_t i = 0; i < k->retired_count; i++)
        sign_key_vouch(&k->root, k->retired[i].public_key, k->retired[i].paper.number,
                       k->retired[i].paper.signature);
    if (!sign_is_root) {
        sign_key_vouch(&k->root, k->sign.public_key, k->sign_paper.number, k->sign_paper.signature);
        return;
    }
    k->sign = k->root; /* which is given another name at once: a root signs keys, not sets */
    keys_new_sign(k, env);
}

enum ocop_status keys_take_root(struct server_keys *k, const struct env *env, const char *path,
                                struct ocop_error *err)
{
    struct server_keys next;
    const bool stays = k->has_root,
               sign_is_root = memcmp(k->sign.public_key, k->root.public_key, SIGN_PUBLIC_LEN) == 0;
    enum ocop_status st = keys_load_next(path, &next, err);
    if (st == OCOP_OK && (next.roots.count != k->roots.count + 1 ||
                          !same_roots(&next.roots, &k->roots, k->roots.count)))
        st = err_set(err, OCOP_EAUTH, "%.200s holds no root that follows the one in use", path);
    if (st == OCOP_OK) {
        k->root = next.root;
        k->roots = next.roots;
        memcpy(k->root_signature, next.root_signature, sizeof k->root_signature);
        k->has_root = true;
        sign_again(k, env, sign_is_root);
        k->has_root = stays;
        if (!stays)
            sodium_memzero(k->root.secret, sizeof k->root.secret);
    }
    keys_wipe(&next);
    return st;
}

void keys_detach(struct server_keys *k, const struct env *env)
{
    if (memcmp(k->sign.public_key, k->root.public_key, SIGN_PUBLIC_LEN) == 0)
        keys_new_sign(k, env);
    sodium_memzero(k->root.secret, sizeof k->root.secret);
    k->has_root = false;
}

/* --- from one machine to another -----------------------------------------------------------------
 */

static void put_request(struct buf *out, const char *sort, uint64_t number, const uint8_t *key)
{
    char hex[65];
    sodium_bin2hex(hex, sizeof hex, key, 32);
    buf_printf(out, REQUEST " %s %" PRIu64 " %s", sort, number, hex);
}

void keys_request(const struct server_keys *k, struct buf *out)
{
    if (k->next_channel_number) {
        put_request(out, "channel", k->next_channel_number, k->next_channel.public_key);
        buf_byte(out, '\n');
    }
    if (k->next_sign_number) {
        put_request(out, "sign", k->next_sign_number, k->next_sign.public_key);
        buf_byte(out, '\n');
    }
}

struct request {
    char sort[12];
    uint64_t number;
    uint8_t key[32], signature[SIGNATURE_LEN];
};

static bool request_read(const char *text, bool answered, struct request *out)
{
    char number[21] = "", key[65] = "", signature[129] = "", *end;
    size_t len;
    const int n =
        sscanf(text, " " REQUEST " %11s %20s %64s %128s", out->sort, number, key, signature);
    errno = 0;
    out->number = strtoull(number, &end, 10);
    if (n != (answered ? 4 : 3) || errno || *end || number[0] == '-' || out->number == 0 ||
        (strcmp(out->sort, "channel") != 0 && strcmp(out->sort, "sign") != 0) ||
        sodium_hex2bin(out->key, sizeof out->key, key, strlen(key), NULL, &len, NULL) != 0 ||
        len != sizeof out->key)
        return false;
    return !answered || (sodium_hex2bin(out->signature, sizeof out->signature, signature,
                                        strlen(signature), NULL, &len, NULL) == 0 &&
                         len == sizeof out->signature);
}

enum ocop_status keys_answer(const struct sign_key *root, const char *text, struct buf *out,
                             struct ocop_error *err)
{
    struct request r;
    char hex[129];
    if (!request_read(text, false, &r))
        return err_set(err, OCOP_EINVAL,
                       "this is no request of a key; `ocopd keys show` prints those that wait");
    if (strcmp(r.sort, "channel") == 0)
        invitation_sign(root->secret, r.key, r.number, r.signature);
    else
        sign_key_vouch(root, r.key, r.number, r.signature);
    put_request(out, r.sort, r.number, r.key);
    sodium_bin2hex(hex, sizeof hex, r.signature, sizeof r.signature);
    buf_printf(out, " %s\n", hex);
    return out->failed ? err_nomem(err) : OCOP_OK;
}

enum ocop_status keys_install(struct server_keys *k, const struct env *env, const char *answer,
                              int64_t keep_ms, struct ocop_error *err)
{
    struct request r;
    struct key_paper paper;
    if (!request_read(answer, true, &r))
        return err_set(err, OCOP_EINVAL, "this is no answer of `ocopd keys sign`");
    const bool channel = strcmp(r.sort, "channel") == 0;
    if (r.number != (channel ? k->next_channel_number : k->next_sign_number) ||
        memcmp(r.key, channel ? k->next_channel.public_key : k->next_sign.public_key, 32) != 0)
        return err_set(err, OCOP_EINVAL, "no key that waits here is the one that was signed");
    paper = (struct key_paper){.number = r.number};
    memcpy(paper.signature, r.signature, sizeof paper.signature);
    if (channel ? !invitation_signed(k->root.public_key, r.key, r.number, r.signature)
                : !sign_key_vouched(k->root.public_key, r.key, r.number, r.signature))
        return err_set(err, OCOP_EAUTH, "it is not this registry's root that signed the key");
    if (channel) {
        channel_use(k, &k->next_channel, &paper, env_now_ms(env) + keep_ms);
        channel_key_wipe(&k->next_channel);
        k->next_channel_number = 0;
    } else {
        sign_use(k, &k->next_sign, &paper);
        sign_key_wipe(&k->next_sign);
        k->next_sign_number = 0;
    }
    return OCOP_OK;
}
