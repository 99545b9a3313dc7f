/* New keys of devices in the place of old ones: signed by the old ones, written to the log by the
 * registry, each held against what it must follow. Knows no frames and no invitations. */
#include "rekey.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>

#include "bounds.h"
#include "certificate.h"
#include "enrol.h"
#include "json.h"
#include "ledger.h"
#include "own.h"
#include "registry_stmts.h"

enum { BASE64_ROOM = 48, LEDGER_LINES_MAX = 32 };

static struct span value_of(const struct fields *f, uint32_t number)
{
    const struct field *v = fields_find(f, number, span_of(NULL, 0));
    return v && v->op == FIELD_SET ? v->bytes : span_of(NULL, 0);
}

static int64_t number_of(const struct fields *f, uint32_t number)
{
    const struct field *v = fields_find(f, number, span_of(NULL, 0));
    return v && v->op == FIELD_SET ? v->i : 0;
}

static bool is_key(const struct field *f)
{
    return f->number == REPLICA_SIGN_KEYS && f->op == FIELD_SET && f->type == VALUE_ELEMENT;
}

/* Which of these elements holds for a sequence; NULL: none. */
static const struct field *key_at(const struct fields *f, uint64_t seq, struct key_place *place)
{
    const struct field *best = NULL;
    *place = (struct key_place){.from_seq = 1};
    for (size_t i = 0; i < f->count; i++) {
        struct key_place k;
        if (!is_key(&f->v[i]) || f->v[i].key.len != SIGN_PUBLIC_LEN ||
            !key_place_read(f->v[i].bytes, &k) || !key_place_better(&k, seq, best ? place : NULL))
            continue;
        best = &f->v[i];
        *place = k;
    }
    return best;
}

int64_t keys_made_ms(const struct fields *record)
{
    const struct field *key =
        fields_find(record, REPLICA_SIGN_KEYS, value_of(record, REPLICA_SIGN_KEY));
    struct field made = {.i = 0};
    if (key && key->op == FIELD_SET)
        (void)element_get(key->bytes, 6, &made);
    return made.i ? made.i : number_of(record, FIELD_RECORDED_MS);
}

bool keys_wanted(const struct fields *record)
{
    return number_of(record, REPLICA_REKEY_MS) > keys_made_ms(record);
}

/* *from_seq: from where on it holds. */
static enum ocop_status key_read(struct registry *r, const struct id *replica,
                                 const struct replica_info *info, uint64_t seq,
                                 uint8_t out[SIGN_PUBLIC_LEN], uint64_t *from_seq,
                                 struct ocop_error *err)
{
    struct arena a;
    struct fields list = {0};
    struct key_place place;
    bool row;
    memcpy(out, info->sign_key, SIGN_PUBLIC_LEN);
    *from_seq = 1;
    if (!info->rekeyed)
        return OCOP_OK;
    sqlite3_stmt *s = registry_stmt(r, SQL_REPLICA_SIGN_KEYS, err);
    if (!s)
        return OCOP_EDB;
    arena_init(&a, MIB(4));
    sqlite3_bind_blob(s, 1, replica->b, ID_LEN, SQLITE_STATIC);
    enum ocop_status st = registry_row(r, s, "reading the keys of a replica", &row, err);
    if (st == OCOP_OK && row)
        st = json_list_read(kind_field(kind_by_number(KIND_REPLICA), REPLICA_SIGN_KEYS),
                            span_of(sqlite3_column_text(s, 0), (size_t)sqlite3_column_bytes(s, 0)),
                            &a, &list, err);
    sqlite3_reset(s);
    const struct field *key = st == OCOP_OK ? key_at(&list, seq, &place) : NULL;
    if (key) {
        memcpy(out, key->key.p, SIGN_PUBLIC_LEN);
        *from_seq = place.from_seq;
    }
    arena_fini(&a);
    return st;
}

enum ocop_status replica_key_at(struct registry *r, const struct id *replica,
                                const struct replica_info *info, uint64_t seq,
                                uint8_t out[SIGN_PUBLIC_LEN], struct ocop_error *err)
{
    uint64_t from_seq;
    return key_read(r, replica, info, seq, out, &from_seq, err);
}

/* --- taking ------------------------------------------------------------------------------------
 */

/* What is to be written: the keys that hold now, and the elements that lead to them. */
struct taking_keys {
    struct registry *r;
    struct arena *a;
    struct ocop_error *err;
    struct span sign_key, channel_key;
    int64_t now;
    struct change changes[REPLICAS_OF_DEVICE_MAX];
    size_t count;
};

static enum ocop_status packed_put(struct taking_keys *t, struct own_draft *d,
                                   const struct fields *record, struct span packed)
{
    struct field key;
    if (!element_get(packed, 1, &key) || key.bytes.len != SIGN_PUBLIC_LEN)
        return err_set(t->err, OCOP_EPROTO, "a signing key is none");
    if (fields_find(record, REPLICA_SIGN_KEYS, key.bytes))
        return OCOP_OK;
    return own_element(d, REPLICA_SIGN_KEYS, key.bytes, packed, t->err);
}

/* One replica. Its list begins with the key that it was enrolled by, so that the list alone says
 * which one holds when. `shown`: elements as a certificate has them; none: the new key holds from
 * `from_seq` on. */
static enum ocop_status replica_put(struct taking_keys *t, const struct id *replica,
                                    uint64_t from_seq, const ProtobufCBinaryData *shown,
                                    size_t shown_count)
{
    struct fields f;
    struct row_meta meta;
    struct own_draft *d = arena_calloc(t->a, 1, sizeof *d);
    size_t keys = 0;
    if (!d)
        return err_nomem(t->err);
    enum ocop_status st = row_load(t->r->rows, KIND_REPLICA, replica, t->a, &f, &meta, t->err);
    for (size_t i = 0; st == OCOP_OK && i < f.count; i++)
        keys += is_key(&f.v[i]);
    if (st == OCOP_OK && shown_count == 0 && fields_find(&f, REPLICA_SIGN_KEYS, t->sign_key))
        return err_set(t->err, OCOP_ESTATE, "these keys are not new");
    if (st == OCOP_OK && keys >= REKEYS_MAX)
        return err_set(t->err, OCOP_ELIMIT,
                       "this device has changed its keys %d times; enrol a new store", REKEYS_MAX);
    for (size_t i = 0; st == OCOP_OK && i < shown_count; i++)
        st = packed_put(t, d, &f, span_of(shown[i].data, shown[i].len));
    if (st == OCOP_OK && shown_count == 0 && keys == 0)
        st = own_sign_key(d,
                          &(struct own_key){.key = value_of(&f, REPLICA_SIGN_KEY).p,
                                            .from_seq = 1,
                                            .channel_key = value_of(&f, REPLICA_CHANNEL_KEY).p,
                                            .made_ms = number_of(&f, FIELD_RECORDED_MS)},
                          t->a, t->err);
    if (st == OCOP_OK && shown_count == 0)
        st = own_sign_key(d,
                          &(struct own_key){.key = t->sign_key.p,
                                            .from_seq = from_seq,
                                            .number = keys ? keys : 1,
                                            .channel_key = t->channel_key.p,
                                            .made_ms = t->now},
                          t->a, t->err);
    if (st != OCOP_OK)
        return st;
    own_bytes(d, REPLICA_SIGN_KEY, t->sign_key);
    own_bytes(d, REPLICA_CHANNEL_KEY, t->channel_key);
    struct change c = own_change(d, KIND_REPLICA, VERB_AMEND, *replica, meta.version, t->now);
    c.reason = span_str("the device has other keys");
    t->changes[t->count++] = c;
    return OCOP_OK;
}

/* The others of the device: nothing more will be sealed under their ids, and who stole the old keys
 * shall not speak as any of them. */
static enum ocop_status others_put(struct taking_keys *t, const struct id *replica,
                                   const uint8_t before[CHANNEL_KEY_LEN])
{
    struct id ids[REPLICAS_OF_DEVICE_MAX];
    struct replica_info info;
    size_t count = 0;
    bool row = true;
    enum ocop_status st = OCOP_OK;
    sqlite3_stmt *s = registry_stmt(t->r, SQL_REPLICAS_OF_CHANNEL, t->err);
    if (!s)
        return OCOP_EDB;
    sqlite3_bind_blob(s, 1, before, CHANNEL_KEY_LEN, SQLITE_STATIC);
    sqlite3_bind_int(s, 2, REPLICAS_OF_DEVICE_MAX);
    while (st == OCOP_OK && row && count < REPLICAS_OF_DEVICE_MAX) {
        st = registry_row(t->r, s, "reading a device's replicas", &row, t->err);
        if (st == OCOP_OK && row)
            count += id_from(span_of(sqlite3_column_blob(s, 0), (size_t)sqlite3_column_bytes(s, 0)),
                             &ids[count]);
    }
    sqlite3_reset(s);
    for (size_t i = 0; st == OCOP_OK && i < count; i++) {
        if (id_eq(&ids[i], replica) || t->count == REPLICAS_OF_DEVICE_MAX)
            continue;
        st = registry_replica(t->r, &ids[i], &info, t->err);
        if (st == OCOP_OK)
            st = replica_put(t, &ids[i], info.acked_seq + 1, NULL, 0);
    }
    return st;
}

static enum ocop_status keys_write(struct taking_keys *t, const struct server_keys *keys)
{
    enum ocop_status st = own_write(t->r, keys, t->changes, t->count, t->a, t->err);
    for (size_t i = 0; st == OCOP_OK && i < t->count; i++)
        st = ledger_note(t->r, keys, &t->changes[i].record, "", t->err);
    return st;
}

/* --- what a device asks --------------------------------------------------------------------------
 */

/* What was asked of another history may have been refused there, and followed by sets under the
 * keys that it was to replace: it must never be taken later, when it comes once more. */
static enum ocop_status check_asked(const struct registry *r, const Ocop__Sync__SyncRequest *in,
                                    const struct rekey *fresh, const struct replica_info *info,
                                    struct ocop_error *err)
{
    const Ocop__Sync__Rekey *k = in->rekey;
    if (!span_eq(span_of(in->lineage.data, in->lineage.len), id_span(&r->lineage)))
        return err_set(err, OCOP_ESTATE, "these keys were to follow those of another history");
    if (!info->known || strcmp(info->type, "device") != 0)
        return err_set(err, OCOP_ENOTENROLLED, "this device is not enrolled here");
    if (!rekey_signed(fresh, info->sign_key, k->signature.data) ||
        !rekey_signed(fresh, fresh->sign_key, k->proof.data))
        return err_set(err, OCOP_EAUTH, "the new keys are not signed by those of this device");
    if (info->state != DEVICE_ACTIVE)
        return err_set(err, OCOP_ESTATE, "this device may not change its keys now");
    if (fresh->from_seq <= info->acked_seq || fresh->from_seq > INT64_MAX / 2 ||
        in->last_seq + 1 != fresh->from_seq)
        return err_set(err, OCOP_ESTATE, "the new keys do not follow what this device has sealed");
    return OCOP_OK;
}

enum ocop_status rekey_take(struct registry *r, const struct server_keys *keys,
                            const Ocop__Sync__SyncRequest *in, const uint8_t *sender,
                            struct arena *a, uint64_t *from_seq, struct ocop_error *err)
{
    const Ocop__Sync__Rekey *k = in->rekey;
    struct rekey fresh = {.from_seq = k->from_seq};
    struct replica_info info;
    enum keys_standing standing;
    uint8_t held[SIGN_PUBLIC_LEN];
    *from_seq = 0;
    if (!id_from(span_of(in->replica.data, in->replica.len), &fresh.replica) ||
        k->sign_key.len != SIGN_PUBLIC_LEN || k->signature.len != SIGNATURE_LEN ||
        k->proof.len != SIGNATURE_LEN)
        return err_set(err, OCOP_EPROTO, "the new keys are not well formed");
    memcpy(fresh.sign_key, k->sign_key.data, SIGN_PUBLIC_LEN);
    memcpy(fresh.channel_key, sender, CHANNEL_KEY_LEN);
    enum ocop_status st = registry_replica(r, &fresh.replica, &info, err);
    if (st != OCOP_OK)
        return st;
    if (info.known && memcmp(info.sign_key, fresh.sign_key, SIGN_PUBLIC_LEN) == 0 &&
        memcmp(info.channel_key, sender, CHANNEL_KEY_LEN) == 0) /* the reply was lost */
        return key_read(r, &fresh.replica, &info, INT64_MAX, held, from_seq, err);
    st = check_asked(r, in, &fresh, &info, err);
    if (st == OCOP_OK)
        st = keys_stand(r, keys,
                        &(struct new_keys){&fresh.replica, fresh.sign_key, fresh.channel_key},
                        &standing, err);
    if (st == OCOP_OK && standing != KEYS_FREE)
        st = err_set(err, OCOP_ESTATE, "these keys are not new");
    struct taking_keys *t = st == OCOP_OK ? arena_calloc(a, 1, sizeof *t) : NULL;
    if (!t)
        return st == OCOP_OK ? err_nomem(err) : st;
    *t = (struct taking_keys){.r = r,
                              .a = a,
                              .err = err,
                              .sign_key = span_of(k->sign_key.data, SIGN_PUBLIC_LEN),
                              .channel_key = span_of(sender, CHANNEL_KEY_LEN),
                              .now = env_now_ms(r->env)};
    st = replica_put(t, &fresh.replica, fresh.from_seq, NULL, 0);
    if (st == OCOP_OK)
        st = others_put(t, &fresh.replica, info.channel_key);
    if (st == OCOP_OK)
        st = keys_write(t, keys);
    if (st != OCOP_OK)
        return st;
    *from_seq = fresh.from_seq;
    env_log(r->env, ENV_INFO, "rekeyed", "device=%u", info.number);
    return OCOP_OK;
}

enum ocop_status rekey_put(struct registry *r, const struct server_keys *keys,
                           const struct id *replica, const struct replica_info *info,
                           struct arena *a, Ocop__Sync__SyncReply *reply, struct ocop_error *err)
{
    struct replica_info before = *info;
    struct id first = {{0}};
    struct fields f;
    struct row_meta meta;
    enum ocop_status st = OCOP_OK;
    if (info->rekey_ms > 0)
        st = row_load(r->rows, KIND_REPLICA, replica, a, &f, &meta, err);
    reply->has_rekey = reply->rekey = st == OCOP_OK && info->rekey_ms > 0 && keys_wanted(&f);
    if (!reply->rekeyed_from)
        return st;
    for (int i = 0; st == OCOP_OK && !id_is_zero(&before.predecessor) && i < REPLICAS_OF_DEVICE_MAX;
         i++) {
        first = before.predecessor;
        st = registry_replica(r, &first, &before, err);
    }
    if (st == OCOP_OK && before.known && !id_is_zero(&first))
        st = certificate_make(r, keys, &first, a, &reply->certificate_first, err);
    return st;
}

/* --- what a certificate shows --------------------------------------------------------------------
 */

static bool names_key(const Ocop__Sync__Certificate *c, const uint8_t key[SIGN_PUBLIC_LEN])
{
    for (size_t i = 0; i < c->n_sign_keys; i++) {
        struct field f;
        if (element_get(span_of(c->sign_keys[i].data, c->sign_keys[i].len), 1, &f) &&
            span_eq(f.bytes, span_of(key, SIGN_PUBLIC_LEN)))
            return true;
    }
    return false;
}

enum ocop_status rekey_by_certificate(struct registry *r, const struct server_keys *keys,
                                      const Ocop__Sync__Certificate *c,
                                      const struct replica_info *known, struct arena *a,
                                      struct ocop_error *err)
{
    struct id replica = {{0}};
    id_from(span_of(c->replica.data, c->replica.len), &replica);
    if (!names_key(c, known->sign_key) || !names_key(c, c->sign_key.data)) {
        env_log(r->env, ENV_WARN, "replaced_keys_used", "device=%u", known->number);
        return err_set(err, OCOP_EAUTH,
                       "this device has changed its keys since; who still has these is not the "
                       "device any more: ask the office");
    }
    if (known->revoked)
        return err_set(err, OCOP_EREVOKED, "this device was revoked");
    struct taking_keys *t = arena_calloc(a, 1, sizeof *t);
    if (!t)
        return err_nomem(err);
    *t = (struct taking_keys){.r = r,
                              .a = a,
                              .err = err,
                              .sign_key = span_of(c->sign_key.data, SIGN_PUBLIC_LEN),
                              .channel_key = span_of(c->channel_key.data, CHANNEL_KEY_LEN),
                              .now = env_now_ms(r->env)};
    enum ocop_status st = replica_put(t, &replica, 0, c->sign_keys, c->n_sign_keys);
    if (st == OCOP_OK)
        st = others_put(t, &replica, known->channel_key);
    return st == OCOP_OK ? keys_write(t, keys) : st;
}

/* --- the office --------------------------------------------------------------------------------
 */

enum ocop_status rekey_ask(struct registry *r, const struct server_keys *keys,
                           const struct id *replica, const char *reason, struct ocop_error *err)
{
    struct own_draft d = {.f = {0}};
    struct replica_info info;
    struct arena a;
    const int64_t now = env_now_ms(r->env);
    enum ocop_status st = registry_replica(r, replica, &info, err);
    if (st != OCOP_OK)
        return st;
    if (!info.known || info.revoked)
        return err_set(err, OCOP_ESTATE, "this device is revoked: it needs no other keys");
    arena_init(&a, MIB(1));
    own_int(&d, REPLICA_REKEY_MS, now);
    struct change c = own_change(&d, KIND_REPLICA, VERB_AMEND, *replica, info.version, now);
    c.reason = span_str(reason);
    st = own_write(r, keys, &c, 1, &a, err);
    arena_fini(&a);
    return st;
}

/* --- keys that were somebody's -------------------------------------------------------------------
 */

static enum ocop_status stand_here(struct registry *r, const struct new_keys *k,
                                   enum keys_standing *out, struct ocop_error *err)
{
    char sign[BASE64_ROOM], channel[BASE64_ROOM];
    bool row;
    sqlite3_stmt *s = registry_stmt(r, SQL_KEYS_STANDING, err);
    if (!s)
        return OCOP_EDB;
    sodium_bin2base64(sign, sizeof sign, k->sign, SIGN_PUBLIC_LEN, sodium_base64_VARIANT_ORIGINAL);
    sodium_bin2base64(channel, sizeof channel, k->channel, CHANNEL_KEY_LEN,
                      sodium_base64_VARIANT_ORIGINAL);
    sqlite3_bind_blob(s, 1, k->channel, CHANNEL_KEY_LEN, SQLITE_STATIC);
    sqlite3_bind_blob(s, 2, k->sign, SIGN_PUBLIC_LEN, SQLITE_STATIC);
    sqlite3_bind_text(s, 3, channel, -1, SQLITE_STATIC);
    sqlite3_bind_text(s, 4, sign, -1, SQLITE_STATIC);
    sqlite3_bind_blob(s, 5, k->replica->b, ID_LEN, SQLITE_STATIC);
    enum ocop_status st = registry_row(r, s, "looking for keys", &row, err);
    if (st == OCOP_OK && row)
        *out = sqlite3_column_int(s, 0)   ? KEYS_REVOKED
               : sqlite3_column_int(s, 1) ? KEYS_REPLACED
               : sqlite3_column_int(s, 2) ? KEYS_HELD
                                          : KEYS_FREE;
    sqlite3_reset(s);
    return st;
}

static bool same(const struct ledger_entry *e, const struct new_keys *k)
{
    return memcmp(e->sign_key, k->sign, SIGN_PUBLIC_LEN) == 0 ||
           memcmp(e->channel_key, k->channel, CHANNEL_KEY_LEN) == 0;
}

/* What became of one replica that had the keys. */
static enum ocop_status stand_by_line(struct registry *r, const struct server_keys *keys,
                                      const struct ledger_entry *e, const struct new_keys *k,
                                      enum keys_standing *out, struct ocop_error *err)
{
    struct ledger l;
    char id[ID_TEXT_LEN + 1];
    ledger_init(&l);
    enum ocop_status st = ledger_read(&l, r->ledger, id_text(e->replica, id), keys, err);
    const struct ledger_entry *last = st == OCOP_OK ? ledger_last(&l, &e->replica) : NULL;
    if (last && (last->state == DEVICE_REVOKED || last->state == DEVICE_WIPED))
        *out = KEYS_REVOKED;
    else if (last && *out < KEYS_REPLACED && !same(last, k) && !id_eq(&e->replica, k->replica))
        *out = KEYS_REPLACED;
    ledger_fini(&l);
    return st;
}

/* What a restore took from the tables stands in the ledger still. */
static enum ocop_status stand_in_ledger(struct registry *r, const struct server_keys *keys,
                                        const struct new_keys *k, enum keys_standing *out,
                                        struct ocop_error *err)
{
    struct ledger l;
    char sign[2 * SIGN_PUBLIC_LEN + 1], channel[2 * CHANNEL_KEY_LEN + 1];
    int looked = 0;
    ledger_init(&l);
    sodium_bin2hex(sign, sizeof sign, k->sign, SIGN_PUBLIC_LEN);
    sodium_bin2hex(channel, sizeof channel, k->channel, CHANNEL_KEY_LEN);
    enum ocop_status st = ledger_read(&l, r->ledger, sign, keys, err);
    if (st == OCOP_OK)
        st = ledger_read(&l, r->ledger, channel, keys, err);
    for (const struct ledger_entry *e = l.first;
         st == OCOP_OK && e && *out != KEYS_REVOKED && looked < LEDGER_LINES_MAX; e = e->next)
        if (same(e, k)) {
            st = stand_by_line(r, keys, e, k, out, err);
            looked++;
        }
    ledger_fini(&l);
    return st;
}

enum ocop_status keys_stand(struct registry *r, const struct server_keys *keys,
                            const struct new_keys *k, enum keys_standing *out,
                            struct ocop_error *err)
{
    *out = KEYS_FREE;
    enum ocop_status st = stand_here(r, k, out, err);
    if (st == OCOP_OK && *out != KEYS_REVOKED && r->ledger[0])
        st = stand_in_ledger(r, keys, k, out, err);
    return st;
}
