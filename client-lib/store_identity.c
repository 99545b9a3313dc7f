/* Table meta in memory: which key goes where in struct identity, and in what form. Knows no
 * statements. */
#include "store_db.h"

#include <stddef.h>

enum meta_form { META_EXACT, META_TEXT, META_INT, META_INT32, META_BOOL };

/* Where each key of table meta goes in struct identity. */
#define MEMBER(name) offsetof(struct identity, name), sizeof(((struct identity *)0)->name)
static const struct {
    const char *key;
    size_t offset, size;
    enum meta_form form;
} identity_keys[] = {
    {"enrolled", MEMBER(enrolled), META_BOOL},
    {"forked", MEMBER(forked), META_BOOL},
    {"revoked", MEMBER(revoked), META_BOOL},
    {"suspended", MEMBER(suspended), META_BOOL},
    {"state_reason", MEMBER(state_reason), META_TEXT},
    {"exchange", MEMBER(exchange), META_INT},
    {"wiped", MEMBER(wiped), META_INT},
    {"wipe_lost", MEMBER(wipe_lost), META_INT},
    {"certificate_version", MEMBER(certificate), META_INT},
    {"certificate_until_ms", MEMBER(certificate_until_ms), META_INT},
    {"synced", MEMBER(synced), META_BOOL},
    {"replica", MEMBER(replica), META_EXACT},
    {"officer", MEMBER(officer), META_EXACT},
    {"lineage", MEMBER(lineage), META_EXACT},
    {"predecessor", MEMBER(predecessor), META_EXACT},
    {"predecessor_seq", MEMBER(predecessor_seq), META_INT},
    {"predecessor_hash", MEMBER(predecessor_hash), META_EXACT},
    {"number", MEMBER(number), META_INT32},
    {"officer_name", MEMBER(officer_name), META_TEXT},
    {"server", MEMBER(server), META_TEXT},
    {"rule_set", MEMBER(rule_set), META_TEXT},
    {"server_key", MEMBER(server_key), META_EXACT},
    {"server_key_number", MEMBER(server_key_number), META_INT},
    {"root_number", MEMBER(root_number), META_INT},
    {"sign_public", MEMBER(sign.public_key), META_EXACT},
    {"sign_secret", MEMBER(sign.secret), META_EXACT},
    {"rekeying", MEMBER(rekeying), META_BOOL},
    {"next_replica", MEMBER(next_replica), META_EXACT},
    {"next_sign_public", MEMBER(next_sign.public_key), META_EXACT},
    {"next_sign_secret", MEMBER(next_sign.secret), META_EXACT},
    {"keys_made_ms", MEMBER(keys_made_ms), META_INT},
    {"seq", MEMBER(seq), META_INT},
    {"prev_hash", MEMBER(prev_hash), META_EXACT},
    {"budget", MEMBER(budget), META_INT},
    {"last_sync_ms", MEMBER(last_sync_ms), META_INT},
    {"skew_ms", MEMBER(skew_ms), META_INT},
    {"file_key", MEMBER(file_key), META_EXACT},
    {"file_bytes", MEMBER(files.file_bytes), META_INT},
    {"record_file_bytes", MEMBER(files.record_bytes), META_INT},
    {"store_file_bytes", MEMBER(files.store_bytes), META_INT},
    {"image_side", MEMBER(images.side_max), META_INT32},
    {"image_quality", MEMBER(images.quality), META_INT32},
    {"image_strip", MEMBER(images.strip), META_BOOL},
    {"image_original", MEMBER(images.keep_original), META_BOOL},
};

static bool identity_take(struct identity *me, size_t i, struct span v)
{
    uint8_t *to = (uint8_t *)me + identity_keys[i].offset;
    size_t size = identity_keys[i].size;
    uint64_t n = 0;

    for (size_t b = 0; b < v.len && b < 8; b++)
        n = n << 8 | v.p[b];
    switch (identity_keys[i].form) {
    case META_EXACT:
        if (v.len != size)
            return false;
        memcpy(to, v.p, size);
        return true;
    case META_TEXT:
        if (v.len >= size)
            return false;
        if (v.len)
            memcpy(to, v.p, v.len);
        to[v.len] = 0;
        return true;
    case META_INT:
        memcpy(to, &n, sizeof n);
        return v.len == 8;
    case META_INT32:
        memcpy(to, &(uint32_t){(uint32_t)n}, sizeof(uint32_t));
        return v.len == 8 && n <= UINT32_MAX;
    case META_BOOL:
        memcpy(to, &(bool){n != 0}, sizeof(bool));
        return v.len == 8;
    }
    return false;
}

static bool identity_ids(struct span v, struct id *out, size_t room, size_t *count)
{
    *count = v.len / ID_LEN;
    if (v.len % ID_LEN || *count > room)
        return false;
    if (v.len)
        memcpy(out, v.p, v.len);
    return true;
}

bool identity_key(struct identity *me, const char *key, struct span v)
{
    if (strcmp(key, "channel_secret") == 0 || strcmp(key, "next_channel_secret") == 0) {
        if (v.len != CHANNEL_KEY_LEN)
            return false;
        channel_key_from_secret(key[0] == 'n' ? &me->next_channel : &me->channel, v.p);
        return true;
    }
    if (strcmp(key, "scope") == 0)
        return identity_ids(v, me->scope, SCOPE_UNITS_MAX, &me->scope_count);
    if (strcmp(key, "given_up") == 0)
        return identity_ids(v, me->given_up, GENERATIONS_MAX, &me->given_up_count);
    if (strcmp(key, "assigned") == 0)
        return identity_ids(v, me->assigned, SCOPE_RECORDS_MAX, &me->assigned_count);
    for (size_t i = 0; i < sizeof identity_keys / sizeof *identity_keys; i++)
        if (strcmp(key, identity_keys[i].key) == 0)
            return identity_take(me, i, v);
    return true;
}
