/* The keys of a device and those that take their place: made and stored before anything is sent,
 * used when the registry has said that it has them. Until then the device does not know which it
 * has, and seals nothing. Knows no SQL and no link. */
#include "device_keys.h"

enum { FORMER_KEYS_MAX = 64 };

static enum ocop_status key_set(struct ocop_store *s, const char *key, const void *p, size_t len,
                                struct ocop_error *err)
{
    return store_meta_set(s, key, span_of(p, len), err);
}

/* --- next ones ------------------------------------------------------------------------------- */

static enum ocop_status next_set(struct ocop_store *s, const struct sign_key *sign,
                                 const struct channel_key *channel, bool there,
                                 struct ocop_error *err)
{
    enum ocop_status st = key_set(s, "next_sign_public", sign->public_key, SIGN_PUBLIC_LEN, err);

    if (!st)
        st = key_set(s, "next_sign_secret", sign->secret, SIGN_SECRET_LEN, err);
    if (!st)
        st = key_set(s, "next_channel_secret", channel->secret, CHANNEL_KEY_LEN, err);
    if (!st)
        st = store_meta_set_int(s, "rekeying", there, err);
    return st;
}

/* --- first ones ------------------------------------------------------------------------------ */

static enum ocop_status first_set(struct ocop_store *s, const struct id *replica,
                                  const struct sign_key *sign, const struct channel_key *channel,
                                  struct ocop_error *err)
{
    enum ocop_status st = store_meta_set(s, "replica", id_span(replica), err);

    if (!st)
        st = key_set(s, "sign_public", sign->public_key, SIGN_PUBLIC_LEN, err);
    if (!st)
        st = key_set(s, "sign_secret", sign->secret, SIGN_SECRET_LEN, err);
    if (!st)
        st = key_set(s, "channel_secret", channel->secret, CHANNEL_KEY_LEN, err);
    if (!st)
        st = store_meta_set_int(s, "keys_made_ms", (uint64_t)env_now_ms(s->env), err);
    return st;
}

enum ocop_status device_keys_first(struct ocop_store *s, struct ocop_error *err)
{
    struct identity *me = &s->me;
    const bool next = me->wiped != WIPED_NOT;
    struct id *replica = next ? &me->next_replica : &me->replica;
    struct sign_key *sign = next ? &me->next_sign : &me->sign;
    struct channel_key *channel = next ? &me->next_channel : &me->channel;
    enum ocop_status st;

    if (!id_is_zero(replica))
        return OCOP_OK;
    *replica = id_next(&s->ids, s->env);
    sign_key_new(sign, s->env);
    channel_key_new(channel, s->env);
    if (!next)
        return first_set(s, replica, sign, channel, err);
    st = store_meta_set(s, "next_replica", id_span(replica), err);
    return st ? st : next_set(s, sign, channel, false, err);
}

enum ocop_status device_keys_afresh(struct ocop_store *s, struct ocop_error *err)
{
    const struct id replica = s->me.next_replica;
    struct sign_key sign = s->me.next_sign;
    struct channel_key channel = s->me.next_channel;
    enum ocop_status st = store_wipe_over(s, err);

    if (!st)
        st = first_set(s, &replica, &sign, &channel, err);
    sign_key_wipe(&sign);
    channel_key_wipe(&channel);
    return st ? st : store_identity(s, err);
}

/* --- those that take their place ------------------------------------------------------------- */

enum ocop_status device_keys_renew(struct ocop_store *s, struct ocop_error *err)
{
    struct identity *me = &s->me;

    if (me->rekeying)
        return OCOP_OK;
    sign_key_new(&me->next_sign, s->env);
    channel_key_new(&me->next_channel, s->env);
    me->rekeying = true;
    return next_set(s, &me->next_sign, &me->next_channel, true, err);
}

enum ocop_status ocop_rekey_device(struct ocop_store *s, struct ocop_error *err)
{
    enum ocop_status st = client_write(s, err);

    if (st)
        return st;
    if (!s->me.enrolled || s->me.wiped)
        st = err_set(err, OCOP_ENOTENROLLED,
                     "this store is not enrolled; enrol it with an invitation first");
    else if (s->me.revoked)
        st = err_set(err, OCOP_EREVOKED, "this device was revoked; other keys do not help it");
    else
        st = device_keys_renew(s, err);
    return client_write_end(s, st, err);
}

enum ocop_status device_keys_put(struct ocop_store *s, struct arena *a,
                                 Ocop__Sync__SyncRequest *sync, struct ocop_error *err)
{
    const struct identity *me = &s->me;
    struct rekey k = {.replica = me->replica, .from_seq = me->seq + 1};
    Ocop__Sync__Rekey *out = arena_alloc(a, sizeof *out);
    uint8_t *bytes = arena_alloc(a, SIGN_PUBLIC_LEN + 2 * SIGNATURE_LEN);

    if (!out || !bytes)
        return err_nomem(err);
    memcpy(k.sign_key, me->next_sign.public_key, SIGN_PUBLIC_LEN);
    memcpy(k.channel_key, me->next_channel.public_key, CHANNEL_KEY_LEN);
    memcpy(bytes, k.sign_key, SIGN_PUBLIC_LEN);
    rekey_sign(&k, &me->sign, bytes + SIGN_PUBLIC_LEN);
    rekey_sign(&k, &me->next_sign, bytes + SIGN_PUBLIC_LEN + SIGNATURE_LEN);
    ocop__sync__rekey__init(out);
    out->has_sign_key = out->has_from_seq = out->has_signature = out->has_proof = 1;
    out->sign_key = (ProtobufCBinaryData){SIGN_PUBLIC_LEN, bytes};
    out->from_seq = k.from_seq;
    out->signature = (ProtobufCBinaryData){SIGNATURE_LEN, bytes + SIGN_PUBLIC_LEN};
    out->proof = (ProtobufCBinaryData){SIGNATURE_LEN, bytes + SIGN_PUBLIC_LEN + SIGNATURE_LEN};
    sync->rekey = out;
    return OCOP_OK;
}

/* The public keys of before, newest first: what they sealed is still here. */
static enum ocop_status former_put(struct ocop_store *s, struct ocop_error *err)
{
    uint8_t all[FORMER_KEYS_MAX * SIGN_PUBLIC_LEN];
    struct span old;
    size_t len = SIGN_PUBLIC_LEN;
    enum ocop_status st = store_meta(s, "former_keys", &s->arena, &old, err);

    if (st)
        return st;
    memcpy(all, s->me.sign.public_key, SIGN_PUBLIC_LEN);
    if (old.len > sizeof all - len)
        old.len = sizeof all - len;
    if (old.len)
        memcpy(all + len, old.p, old.len);
    return key_set(s, "former_keys", all, len + old.len, err);
}

enum ocop_status device_keys_take(struct ocop_store *s, struct ocop_error *err)
{
    static const struct sign_key no_sign;
    static const struct channel_key no_channel;
    struct identity *me = &s->me;
    enum ocop_status st = former_put(s, err);

    if (!st)
        st = key_set(s, "sign_public", me->next_sign.public_key, SIGN_PUBLIC_LEN, err);
    if (!st)
        st = key_set(s, "sign_secret", me->next_sign.secret, SIGN_SECRET_LEN, err);
    if (!st)
        st = key_set(s, "channel_secret", me->next_channel.secret, CHANNEL_KEY_LEN, err);
    if (!st)
        st = store_meta_set_int(s, "keys_made_ms", (uint64_t)env_now_ms(s->env), err);
    if (!st)
        st = next_set(s, &no_sign, &no_channel, false, err);
    return st;
}

enum ocop_status device_keys_signed(struct ocop_store *s, const struct change_set *set,
                                    const uint8_t signature[SIGNATURE_LEN], struct arena *a,
                                    struct ocop_error *err)
{
    struct span former;
    enum ocop_status st = store_meta(s, "former_keys", a, &former, err);

    if (st)
        return st;
    for (size_t at = 0; at + SIGN_PUBLIC_LEN <= former.len; at += SIGN_PUBLIC_LEN)
        if (changeset_verify(set->hash, signature, former.p + at, NULL) == OCOP_OK)
            return OCOP_OK;
    return changeset_verify(set->hash, signature, s->me.sign.public_key, err);
}
