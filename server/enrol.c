/* How replicas come to be known: genesis, invitations, enrolments, successors, revocations. All of
 * it is written by the registry's own replica, as change-sets like any other. */
#include "enrol.h"

#include <sodium.h>
#include <stdio.h>

#include "bounds.h"
#include "cache.h"
#include "certificate.h"
#include "given_up.h"
#include "initial.h"
#include "invitation.h"
#include "json.h"
#include "ledger.h"
#include "own.h"
#include "registry_stmts.h"
#include "rekey.h"

enum { TOKEN_LEN = 16 };

/* --- genesis -------------------------------------------------------------------------------------
 */

static enum ocop_status first_records(struct registry *r, const struct server_keys *keys,
                                      const char *name, struct arena *a, struct ocop_error *err)
{
    int64_t now = env_now_ms(r->env);
    struct own_draft self = {.f = {0}}, registry = {.f = {0}};
    own_int(&self, FIELD_RECORDED_MS, now);
    own_bytes(&self, REPLICA_TYPE, span_str("registry"));
    own_bytes(&self, REPLICA_NAME, span_str(name));
    own_bytes(&self, REPLICA_SIGN_KEY, span_of(keys->root.public_key, SIGN_PUBLIC_LEN));
    own_bytes(&self, REPLICA_CHANNEL_KEY, span_of(keys->channel[0].public_key, CHANNEL_KEY_LEN));
    own_bytes(&self, REPLICA_STATE, span_str("active"));
    own_bytes(&registry, REGISTRY_NAME, span_str(name));
    own_int(&registry, REGISTRY_EPOCH, EPOCH);
    enum ocop_status st = own_key_element(&registry, REGISTRY_LINEAGES, &r->lineage, a, err);
    if (st != OCOP_OK)
        return st;
    struct change changes[] = {
        own_change(&self, KIND_REPLICA, VERB_CREATE, r->self, 0, now),
        own_change(&registry, KIND_REGISTRY, VERB_CREATE, id_next(&r->ids, r->env), 0, now)};
    return own_write(r, keys, changes, 2, a, err);
}

enum ocop_status genesis(struct registry *r, const struct server_keys *keys, const char *name,
                         struct ocop_error *err)
{
    struct arena a;
    struct changes initial;
    struct id self = id_next(&r->ids, r->env), lineage;
    env_random(r->env, lineage.b, ID_LEN);
    arena_init(&a, MIB(16));
    enum ocop_status st = registry_begin(r, err);
    if (st != OCOP_OK)
        goto out;
    if (!id_is_zero(&r->self))
        st = err_set(err, OCOP_ESTATE, "this registry has its first records already");
    if (st == OCOP_OK)
        st = registry_meta_set(r, "self", id_span(&self), err);
    if (st == OCOP_OK)
        st = registry_meta_set(r, "lineage", id_span(&lineage), err);
    if (st == OCOP_OK)
        st = first_records(r, keys, name, &a, err);
    if (st == OCOP_OK)
        st = initial_changes(r, &a, &initial, err);
    if (st == OCOP_OK)
        st = own_write(r, keys, initial.v, initial.count, &a, err);
    if (st == OCOP_OK)
        st = registry_commit(r, err);
    if (st != OCOP_OK)
        registry_rollback(r);
out:
    arena_fini(&a);
    return st;
}

/* --- invitations ---------------------------------------------------------------------------------
 */

static void token_hash(struct span token, uint8_t out[HASH_LEN])
{
    hash_bytes(token, out);
}

static enum ocop_status step_done(struct registry *r, sqlite3_stmt *s, struct ocop_error *err)
{
    int rc = sqlite3_step(s);
    sqlite3_reset(s);
    return rc == SQLITE_DONE ? OCOP_OK : db_error(r->db, err, "writing an invitation");
}

enum ocop_status invite_make(struct registry *r, const struct server_keys *keys,
                             const struct invitation_terms *terms, struct arena *a,
                             const char **code, struct ocop_error *err)
{
    struct invitation inv = {.token_len = TOKEN_LEN, .expires_ms = terms->expires_ms};
    uint8_t hash[HASH_LEN];
    struct buf text;
    if (terms->scope_count == 0 || terms->scope_count > SCOPE_UNITS_MAX)
        return err_set(err, OCOP_EINVAL, "a device has 1 to %d units", SCOPE_UNITS_MAX);
    if (!terms->address || strlen(terms->address) > INVITATION_ADDRESS_MAX)
        return err_set(err, OCOP_EINVAL, "the address is missing or too long");
    snprintf(inv.address, sizeof inv.address, "%s", terms->address);
    memcpy(inv.root_key, keys->root.public_key, sizeof inv.root_key);
    inv.root_number = keys->roots.count ? keys->roots.count - 1 : 0;
    memcpy(inv.channel_key, keys->channel[0].public_key, sizeof inv.channel_key);
    inv.channel_number = keys->channel_paper[0].number;
    memcpy(inv.channel_signature, keys->channel_paper[0].signature, sizeof inv.channel_signature);
    env_random(r->env, inv.token, TOKEN_LEN);
    token_hash(span_of(inv.token, TOKEN_LEN), hash);
    sqlite3_stmt *s = registry_stmt(r, SQL_INVITATION_ADD, err);
    if (!s)
        return OCOP_EDB;
    sqlite3_bind_blob(s, 1, hash, HASH_LEN, SQLITE_STATIC);
    sqlite3_bind_blob(s, 2, terms->officer.b, ID_LEN, SQLITE_STATIC);
    sqlite3_bind_blob(s, 3, terms->scope, (int)(terms->scope_count * ID_LEN), SQLITE_STATIC);
    sqlite3_bind_int64(s, 4, env_now_ms(r->env));
    sqlite3_bind_int64(s, 5, terms->expires_ms);
    enum ocop_status st = step_done(r, s, err);
    buf_init(&text, INVITATION_TEXT_MAX * 2);
    if (st == OCOP_OK)
        st = invitation_encode(&inv, &text, err);
    *code = st == OCOP_OK ? arena_dup(a, text.p, text.len) : NULL;
    if (st == OCOP_OK && !*code)
        st = err_nomem(err);
    buf_fini(&text);
    sodium_memzero(&inv, sizeof inv);
    return st;
}

enum ocop_status invite_id(const char *code, char out[INVITATION_ID_LEN + 1],
                           struct ocop_error *err)
{
    struct invitation inv;
    uint8_t hash[HASH_LEN];
    enum ocop_status st = invitation_decode(code, &inv, err);
    if (st != OCOP_OK)
        return st;
    token_hash(span_of(inv.token, inv.token_len), hash);
    sodium_bin2hex(out, INVITATION_ID_LEN + 1, hash, INVITATION_ID_LEN / 2);
    sodium_memzero(&inv, sizeof inv);
    return OCOP_OK;
}

/* --- enrolment
 * ------------------------------------------------------------------------------------ */

struct invited {
    struct id officer, replica;
    struct id scope[SCOPE_UNITS_MAX];
    size_t scope_count;
    int64_t expires_ms;
    bool used, same_keys, revoked;
};

static bool column_is(sqlite3_stmt *s, int column, const uint8_t *p, size_t len)
{
    return (size_t)sqlite3_column_bytes(s, column) == len &&
           memcmp(sqlite3_column_blob(s, column), p, len) == 0;
}

static enum ocop_status invitation_find(struct registry *r, const uint8_t hash[HASH_LEN],
                                        const Ocop__Sync__EnrolRequest *in,
                                        const uint8_t channel_key[32], struct invited *out,
                                        struct ocop_error *err)
{
    sqlite3_stmt *s = registry_stmt(r, SQL_INVITATION, err);
    *out = (struct invited){0};
    if (!s)
        return OCOP_EDB;
    sqlite3_bind_blob(s, 1, hash, HASH_LEN, SQLITE_STATIC);
    int rc = sqlite3_step(s);
    if (rc == SQLITE_ROW) {
        id_from(span_of(sqlite3_column_blob(s, 0), (size_t)sqlite3_column_bytes(s, 0)),
                &out->officer);
        out->scope_count = (size_t)sqlite3_column_bytes(s, 1) / ID_LEN;
        if (out->scope_count > SCOPE_UNITS_MAX)
            out->scope_count = SCOPE_UNITS_MAX;
        if (out->scope_count)
            memcpy(out->scope, sqlite3_column_blob(s, 1), out->scope_count * ID_LEN);
        out->expires_ms = sqlite3_column_int64(s, 2);
        out->used = sqlite3_column_type(s, 3) != SQLITE_NULL;
        out->revoked = sqlite3_column_int(s, 6);
        out->same_keys = column_is(s, 4, in->sign_key.data, in->sign_key.len) &&
                         column_is(s, 5, channel_key, 32);
        if (out->used)
            id_from(span_of(sqlite3_column_blob(s, 3), (size_t)sqlite3_column_bytes(s, 3)),
                    &out->replica);
    }
    sqlite3_reset(s);
    if (rc == SQLITE_DONE) {
        r->guesses++;
        return err_set(err, OCOP_EAUTH, "this registry does not know the invitation");
    }
    return rc == SQLITE_ROW ? OCOP_OK : db_error(r->db, err, "reading an invitation");
}

static enum ocop_status next_number(struct registry *r, int64_t *out, struct ocop_error *err)
{
    sqlite3_stmt *s = registry_stmt(r, SQL_REPLICA_NUMBER, err);
    if (!s || sqlite3_step(s) != SQLITE_ROW)
        return s ? db_error(r->db, err, "giving a device number") : OCOP_EDB;
    *out = sqlite3_column_int64(s, 0);
    sqlite3_reset(s);
    return OCOP_OK;
}

struct device {
    struct id replica, officer;
    struct span sign_key, channel_key, name;
    const struct id *scope, *records;
    size_t scope_count, record_count;
    struct id predecessor;
    uint64_t predecessor_seq;
    uint32_t number; /* that it had; 0: the next one */
    enum device_state state;
    const char *reason; /* of its state; NULL: none */
    struct span certificate;
    const struct span *sign_keys; /* elements of Replica.sign_keys */
    size_t sign_keys_count;
    struct change *officer_change; /* to be written with it; NULL: the officer is here */
};

static enum ocop_status device_lists(struct own_draft *d, const struct device *dev, struct arena *a,
                                     struct ocop_error *err)
{
    enum ocop_status st = OCOP_OK;
    for (size_t i = 0; st == OCOP_OK && i < dev->scope_count; i++)
        st = own_key_element(d, REPLICA_SCOPE, &dev->scope[i], a, err);
    for (size_t i = 0; st == OCOP_OK && i < dev->record_count; i++)
        st = own_key_element(d, REPLICA_RECORDS, &dev->records[i], a, err);
    for (size_t i = 0; st == OCOP_OK && i < dev->sign_keys_count; i++) {
        struct field key;
        if (!element_get(dev->sign_keys[i], 1, &key) || key.bytes.len != SIGN_PUBLIC_LEN)
            return err_set(err, OCOP_EPROTO, "a signing key is none");
        st = own_element(d, REPLICA_SIGN_KEYS, key.bytes, dev->sign_keys[i], err);
    }
    return st;
}

/* Its record, and a line where a restore does not reach: the number is never given to another. */
static enum ocop_status device_write(struct registry *r, const struct server_keys *keys,
                                     const struct device *dev, struct arena *a,
                                     struct ocop_error *err)
{
    struct own_draft *d = arena_calloc(a, 1, sizeof *d);
    int64_t number = dev->number, now = env_now_ms(r->env);
    enum ocop_status st = !d ? err_nomem(err) : number ? OCOP_OK : next_number(r, &number, err);
    if (st != OCOP_OK)
        return st;
    own_bytes(d, FIELD_OFFICER, id_span(&dev->officer));
    own_int(d, FIELD_RECORDED_MS, now);
    own_bytes(d, REPLICA_TYPE, span_str("device"));
    own_int(d, REPLICA_NUMBER, number);
    if (dev->name.len)
        own_bytes(d, REPLICA_NAME, dev->name);
    own_bytes(d, REPLICA_SIGN_KEY, dev->sign_key);
    own_bytes(d, REPLICA_CHANNEL_KEY, dev->channel_key);
    own_bytes(d, REPLICA_STATE, span_str(device_state_names[dev->state]));
    if (dev->reason && dev->reason[0])
        own_bytes(d, REPLICA_STATE_REASON, span_str(dev->reason));
    if (!id_is_zero(&dev->predecessor)) {
        own_bytes(d, REPLICA_PREDECESSOR, id_span(&dev->predecessor));
        own_int(d, REPLICA_PREDECESSOR_SEQ, (int64_t)dev->predecessor_seq);
    }
    if (dev->certificate.len)
        own_bytes(d, REPLICA_CERTIFICATE, dev->certificate);
    st = device_lists(d, dev, a, err);
    struct change changes[2];
    size_t count = 0;
    if (dev->officer_change)
        changes[count++] = *dev->officer_change;
    changes[count++] = own_change(d, KIND_REPLICA, VERB_CREATE, dev->replica, 0, now);
    if (st == OCOP_OK)
        st = own_write(r, keys, changes, count, a, err);
    return st == OCOP_OK ? ledger_note(r, keys, &dev->replica, dev->reason ? dev->reason : "", err)
                         : st;
}

/* Somebody has the code besides the one it was for: the office is told. */
static enum ocop_status refuse_used(struct registry *r, const uint8_t hash[HASH_LEN],
                                    enum ocop_status as, const char *text, struct ocop_error *err)
{
    sqlite3_stmt *s = registry_stmt(r, SQL_INVITATION_REFUSE, err);
    if (!s)
        return OCOP_EDB;
    sqlite3_bind_blob(s, 1, hash, HASH_LEN, SQLITE_STATIC);
    sqlite3_bind_int64(s, 2, env_now_ms(r->env));
    enum ocop_status st = step_done(r, s, err);
    env_log(r->env, ENV_WARN, "invitation_reused", "invitation=%02x%02x%02x%02x", hash[0], hash[1],
            hash[2], hash[3]);
    return st == OCOP_OK ? err_set(err, as, "%s", text) : st;
}

/* Keys that were revoked, or that their device has replaced, may be in the hands of others: no
 * invitation makes them good again, and the office is told that somebody tried. */
static enum ocop_status keys_good(struct registry *r, const struct server_keys *keys,
                                  const struct device *dev, const uint8_t hash[HASH_LEN],
                                  struct ocop_error *err)
{
    enum keys_standing standing;
    const struct new_keys k = {&dev->replica, dev->sign_key.p, dev->channel_key.p};
    enum ocop_status st = keys_stand(r, keys, &k, &standing, err);
    if (st != OCOP_OK || standing < KEYS_REPLACED)
        return st;
    return refuse_used(r, hash, OCOP_EREVOKED,
                       standing == KEYS_REVOKED
                           ? "the keys of this store were revoked and are never enrolled again; "
                             "enrol a new store with this invitation"
                           : "the keys of this store were replaced by its device; enrol a new "
                             "store with this invitation",
                       err);
}

static enum ocop_status enrol_device(struct registry *r, const struct server_keys *keys,
                                     const Ocop__Sync__EnrolRequest *in,
                                     const uint8_t hash[HASH_LEN], const uint8_t channel_key[32],
                                     const struct invited *invited, struct arena *a,
                                     struct id *replica, struct ocop_error *err)
{
    struct replica_info known = {.known = false};
    struct device dev = {.officer = invited->officer,
                         .sign_key = span_of(in->sign_key.data, in->sign_key.len),
                         .channel_key = span_of(channel_key, 32),
                         .name = span_str(in->name),
                         .scope = invited->scope,
                         .scope_count = invited->scope_count};
    if (!id_from(span_of(in->replica.data, in->replica.len), &dev.replica) ||
        id_is_zero(&dev.replica) || dev.name.len > 200)
        return err_set(err, OCOP_EINVAL, "the enrolment is not well formed");
    enum ocop_status st = keys_good(r, keys, &dev, hash, err);
    if (st == OCOP_OK)
        st = registry_replica(r, &dev.replica, &known, err);
    /* After a restore a device is invited anew; a repeated request may have been quicker. */
    bool same = known.known && !known.revoked && id_eq(&known.officer, &dev.officer) &&
                span_eq(dev.sign_key, span_of(known.sign_key, SIGN_PUBLIC_LEN)) &&
                span_eq(dev.channel_key, span_of(known.channel_key, sizeof known.channel_key));
    if (st == OCOP_OK && known.known && !same)
        st = err_set(err, OCOP_EAUTH, "this replica is enrolled already");
    if (st == OCOP_OK && !same)
        st = device_write(r, keys, &dev, a, err);
    sqlite3_stmt *s = st == OCOP_OK ? registry_stmt(r, SQL_INVITATION_USE, err) : NULL;
    if (!s)
        return st == OCOP_OK ? OCOP_EDB : st;
    sqlite3_bind_blob(s, 1, hash, HASH_LEN, SQLITE_STATIC);
    sqlite3_bind_blob(s, 2, dev.replica.b, ID_LEN, SQLITE_STATIC);
    sqlite3_bind_blob(s, 3, in->sign_key.data, (int)in->sign_key.len, SQLITE_STATIC);
    sqlite3_bind_blob(s, 4, channel_key, 32, SQLITE_STATIC);
    sqlite3_bind_int64(s, 5, env_now_ms(r->env));
    *replica = dev.replica;
    return step_done(r, s, err);
}

bool enrol_well_formed(const Ocop__Sync__EnrolRequest *in)
{
    return in->token.len == TOKEN_LEN && in->sign_key.len == SIGN_PUBLIC_LEN;
}

enum ocop_status enrol_answer(struct registry *r, const struct server_keys *keys,
                              const Ocop__Sync__EnrolRequest *in, const uint8_t channel_key[32],
                              struct arena *a, Ocop__Sync__Enrolment **out, struct ocop_error *err)
{
    struct invited invited;
    uint8_t hash[HASH_LEN];
    *out = NULL;
    if (!enrol_well_formed(in))
        return err_set(err, OCOP_EINVAL, "the enrolment is not well formed");
    token_hash(span_of(in->token.data, in->token.len), hash);
    enum ocop_status st = invitation_find(r, hash, in, channel_key, &invited, err);
    if (st != OCOP_OK)
        return st;
    if (invited.used && !invited.same_keys)
        return refuse_used(r, hash, OCOP_ESTATE,
                           "another device has used this invitation; ask the office for a new one",
                           err);
    if (!invited.used && invited.revoked)
        return refuse_used(r, hash, OCOP_ESTATE,
                           "the office took this invitation back; ask it for a new one", err);
    if (!invited.used && invited.expires_ms < env_now_ms(r->env))
        return err_set(err, OCOP_ESTATE,
                       "the invitation has expired; ask the office for a new one");
    struct replica_info there = {.known = false};
    if (invited.used)
        st = registry_replica(r, &invited.replica, &there, err);
    if (st == OCOP_OK && there.known && there.revoked)
        st = err_set(err, OCOP_EREVOKED, "this device was revoked");
    if (st == OCOP_OK && there.known &&
        memcmp(there.channel_key, channel_key, CHANNEL_KEY_LEN) != 0)
        st = err_set(err, OCOP_EREVOKED, "this device has other keys by now");
    if (st == OCOP_OK && !there.known) /* or it was enrolled by a history that was lost */
        st = enrol_device(r, keys, in, hash, channel_key, &invited, a, &invited.replica, err);
    return st == OCOP_OK ? enrolment_of(r, keys, &invited.replica, a, out, err) : st;
}

/* --- by certificate ------------------------------------------------------------------------------
 */

/* May a device with this certificate be known again? What a restore lost says the ledger. */
static enum ocop_status certificate_holds(struct registry *r, const struct server_keys *keys,
                                          const Ocop__Sync__Certificate *c, const uint8_t *sender,
                                          struct device *dev, struct arena *a,
                                          struct ocop_error *err)
{
    struct ledger ledger;
    bool row;
    if (memcmp(c->channel_key.data, sender, CHANNEL_KEY_LEN) != 0)
        return err_set(err, OCOP_EAUTH, "the certificate is another device's");
    sqlite3_stmt *s = registry_stmt(r, SQL_KEY_STOPPED, err);
    if (!s)
        return OCOP_EDB;
    sqlite3_bind_blob(s, 1, sender, CHANNEL_KEY_LEN, SQLITE_STATIC);
    enum ocop_status st = registry_row(r, s, "looking for a revocation", &row, err);
    row = st == OCOP_OK && row && !sqlite3_column_int(s, 1);
    sqlite3_reset(s);
    ledger_init(&ledger);
    char id[ID_TEXT_LEN + 1], key[2 * CHANNEL_KEY_LEN + 1];
    sodium_bin2hex(key, sizeof key, sender, CHANNEL_KEY_LEN);
    if (st == OCOP_OK && r->ledger[0])
        st = ledger_read(&ledger, r->ledger, id_text(dev->replica, id), keys, err);
    if (st == OCOP_OK && r->ledger[0])
        st = ledger_read(&ledger, r->ledger, key, keys, err);
    const struct ledger_entry *last = ledger_last(&ledger, &dev->replica);
    if (st == OCOP_OK && last) {
        dev->state = last->state;
        dev->reason = arena_dup(a, last->reason, strlen(last->reason));
    }
    if (st == OCOP_OK && (row || ledger_revoked(&ledger, sender)))
        st = err_set(err, OCOP_EREVOKED, "this device was revoked");
    if (st == OCOP_OK && c->has_expires_ms && c->expires_ms < env_now_ms(r->env))
        st = err_set(err, OCOP_ENOTENROLLED,
                     "the certificate has expired; ask the office for a new invitation");
    ledger_fini(&ledger);
    return st;
}

/* The registry knows the device, by keys that it does not have any more. */
static enum ocop_status keys_again(struct registry *r, const struct server_keys *keys,
                                   const Ocop__Sync__Certificate *c, const uint8_t *sender,
                                   const struct replica_info *known, struct arena *a,
                                   struct ocop_error *err)
{
    struct device dev = {.state = DEVICE_ACTIVE};
    id_from(span_of(c->replica.data, c->replica.len), &dev.replica);
    enum ocop_status st = certificate_holds(r, keys, c, sender, &dev, a, err);
    return st == OCOP_OK ? rekey_by_certificate(r, keys, c, known, a, err) : st;
}

/* The number that it had, unless another has it by now. */
static enum ocop_status number_again(struct registry *r, const Ocop__Sync__Certificate *c,
                                     uint32_t *out, struct ocop_error *err)
{
    bool used;
    sqlite3_stmt *s = registry_stmt(r, SQL_NUMBER_USED, err);
    if (!s)
        return OCOP_EDB;
    sqlite3_bind_int64(s, 1, c->number);
    enum ocop_status st = registry_row(r, s, "looking for a device's number", &used, err);
    sqlite3_reset(s);
    *out = used ? 0 : c->number;
    return st;
}

/* An officer whom the backup does not know either is written again, by the same id. */
static enum ocop_status officer_again(struct registry *r, const Ocop__Sync__Certificate *c,
                                      struct device *dev, struct change *officer, struct arena *a,
                                      struct ocop_error *err)
{
    bool there;
    enum ocop_status st = cache_exists(r, KIND_OFFICER, &dev->officer, &there, err);
    if (st != OCOP_OK || there || !c->has_officer_record)
        return st;
    st = change_unpack(span_of(c->officer_record.data, c->officer_record.len), a, officer, err);
    if (st == OCOP_OK && officer->kind == KIND_OFFICER && officer->verb == VERB_CREATE &&
        id_eq(&officer->record, &dev->officer)) {
        officer->device_time_ms = env_now_ms(r->env);
        dev->officer_change = officer;
    }
    return st;
}

/* Does the certificate's name continue one that is here and in service, where that has come to? */
static enum ocop_status continues_one(struct registry *r, const Ocop__Sync__Certificate *c,
                                      const uint8_t *sender, const struct id *predecessor,
                                      bool *out, struct ocop_error *err)
{
    struct replica_info info;
    *out = false;
    if (id_is_zero(predecessor))
        return OCOP_OK;
    enum ocop_status st = registry_replica(r, predecessor, &info, err);
    *out = st == OCOP_OK && info.known && info.state == DEVICE_ACTIVE &&
           info.acked_seq >= c->predecessor_seq &&
           memcmp(info.channel_key, sender, CHANNEL_KEY_LEN) == 0;
    return st;
}

static enum ocop_status may_be_held(struct registry *r, const Ocop__Sync__Certificate *c,
                                    const uint8_t *sender, const struct device *dev, bool *out,
                                    struct ocop_error *err)
{
    bool gone = false;
    enum ocop_status st = continues_one(r, c, sender, &dev->predecessor, out, err);
    if (st == OCOP_OK && *out)
        st = given_up(r, sender, &dev->replica, &gone, err);
    *out = *out && !gone;
    return st;
}

enum ocop_status enrol_again(struct registry *r, const struct server_keys *keys,
                             const Ocop__Sync__Sealed *shown, const uint8_t *sender,
                             bool only_known, struct arena *a, struct id *replica,
                             struct ocop_error *err)
{
    Ocop__Sync__Certificate *c;
    struct replica_info known;
    struct id scope[SCOPE_UNITS_MAX], records[SCOPE_RECORDS_MAX];
    struct span sign_keys[SIGN_KEYS_MAX];
    struct change officer;
    struct device dev = {.scope = scope, .records = records, .sign_keys = sign_keys};
    bool continues = true;
    enum ocop_status st = certificate_read(keys, shown, a, &c, err);
    if (st != OCOP_OK)
        return st;
    id_from(span_of(c->replica.data, c->replica.len), &dev.replica);
    id_from(span_of(c->officer.data, c->officer.len), &dev.officer);
    id_from(span_of(c->predecessor.data, c->predecessor.len), &dev.predecessor);
    *replica = dev.replica;
    st = registry_replica(r, &dev.replica, &known, err);
    if (st == OCOP_OK && known.known) /* a repeated request was quicker, or its keys are new */
        return memcmp(known.channel_key, sender, CHANNEL_KEY_LEN) == 0
                   ? OCOP_OK
                   : keys_again(r, keys, c, sender, &known, a, err);
    if (st == OCOP_OK && only_known)
        st = may_be_held(r, c, sender, &dev, &continues, err);
    if (st != OCOP_OK || !continues) {
        *replica = (struct id){{0}};
        return st;
    }
    dev.sign_key = span_of(c->sign_key.data, c->sign_key.len);
    dev.channel_key = span_of(c->channel_key.data, c->channel_key.len);
    dev.name = span_str(c->name ? c->name : "");
    dev.predecessor_seq = c->predecessor_seq;
    for (size_t i = 0; i < c->n_scope; i++)
        dev.scope_count +=
            id_from(span_of(c->scope[i].data, c->scope[i].len), &scope[dev.scope_count]);
    for (size_t i = 0; i < c->n_records; i++)
        dev.record_count +=
            id_from(span_of(c->records[i].data, c->records[i].len), &records[dev.record_count]);
    for (; dev.sign_keys_count < c->n_sign_keys; dev.sign_keys_count++)
        sign_keys[dev.sign_keys_count] =
            span_of(c->sign_keys[dev.sign_keys_count].data, c->sign_keys[dev.sign_keys_count].len);
    size_t len = ocop__sync__sealed__get_packed_size(shown);
    uint8_t *packed = arena_alloc(a, len);
    if (!packed)
        return err_nomem(err);
    dev.certificate = span_of(packed, ocop__sync__sealed__pack(shown, packed));
    st = certificate_holds(r, keys, c, sender, &dev, a, err);
    if (st == OCOP_OK)
        st = number_again(r, c, &dev.number, err);
    if (st == OCOP_OK)
        st = officer_again(r, c, &dev, &officer, a, err);
    if (st == OCOP_OK)
        st = device_write(r, keys, &dev, a, err);
    if (st == OCOP_OK)
        env_log(r->env, ENV_INFO, "enrolled_by_certificate", "device=%u", c->number);
    return st;
}

static enum ocop_status scope_list(sqlite3_stmt *s, int column, uint32_t number, struct arena *a,
                                   struct fields *out, struct ocop_error *err)
{
    const struct field_rule *rule = kind_field(kind_by_number(KIND_REPLICA), number);
    *out = (struct fields){0};
    if (sqlite3_column_type(s, column) == SQLITE_NULL)
        return OCOP_OK;
    return json_list_read(
        rule, span_of(sqlite3_column_text(s, column), (size_t)sqlite3_column_bytes(s, column)), a,
        out, err);
}

/* Units and single records of a replica's scope as its record names them. */
static enum ocop_status scope_of(struct registry *r, const struct id *replica, struct arena *a,
                                 struct fields *units, struct fields *records,
                                 struct ocop_error *err)
{
    sqlite3_stmt *s = registry_stmt(r, SQL_REPLICA_SCOPE, err);
    *units = *records = (struct fields){0};
    if (!s)
        return OCOP_EDB;
    sqlite3_bind_blob(s, 1, replica->b, ID_LEN, SQLITE_STATIC);
    bool row;
    enum ocop_status st = registry_row(r, s, "reading a device's units", &row, err);
    if (st == OCOP_OK && row)
        st = scope_list(s, 0, REPLICA_SCOPE, a, units, err);
    if (st == OCOP_OK && row)
        st = scope_list(s, 1, REPLICA_RECORDS, a, records, err);
    sqlite3_reset(s);
    return st;
}

/* Ids of elements; the count of those that are ids. */
static size_t ids_of(const struct fields *f, struct id *out, size_t room)
{
    size_t n = 0;
    for (size_t i = 0; i < f->count && n < room; i++)
        n += id_from(f->v[i].key, &out[n]);
    return n;
}

enum ocop_status enrol_successor(struct registry *r, const struct server_keys *keys,
                                 const struct change_set *first,
                                 const struct replica_info *predecessor, struct ocop_error *err)
{
    struct arena a;
    struct fields scope, assigned;
    struct id units[SCOPE_UNITS_MAX], records[SCOPE_RECORDS_MAX];
    struct device dev = {.replica = first->replica,
                         .officer = predecessor->officer,
                         .sign_key = span_of(predecessor->sign_key, SIGN_PUBLIC_LEN),
                         .channel_key = span_of(predecessor->channel_key, 32),
                         .scope = units,
                         .records = records,
                         .predecessor = first->predecessor,
                         .predecessor_seq = first->predecessor_seq};
    arena_init(&a, MIB(1));
    enum ocop_status st = scope_of(r, &first->predecessor, &a, &scope, &assigned, err);
    dev.scope_count = ids_of(&scope, units, SCOPE_UNITS_MAX);
    dev.record_count = ids_of(&assigned, records, SCOPE_RECORDS_MAX);
    if (st == OCOP_OK)
        st = device_write(r, keys, &dev, &a, err);
    arena_fini(&a);
    return st;
}

enum ocop_status replica_may_succeed(struct registry *r, const uint8_t channel_key[CHANNEL_KEY_LEN],
                                     bool *out, struct ocop_error *err)
{
    bool row;
    *out = false;
    sqlite3_stmt *s = registry_stmt(r, SQL_KEY_USES, err);
    if (!s)
        return OCOP_EDB;
    sqlite3_bind_blob(s, 1, channel_key, CHANNEL_KEY_LEN, SQLITE_STATIC);
    enum ocop_status st = registry_row(r, s, "reading a device's replicas", &row, err);
    if (st == OCOP_OK && row)
        *out = sqlite3_column_int64(s, 0) < REPLICAS_OF_DEVICE_MAX && sqlite3_column_int(s, 1) == 0;
    sqlite3_reset(s);
    return st;
}

static ProtobufCBinaryData copy_id(struct arena *a, const struct id *id)
{
    uint8_t *p = (uint8_t *)arena_dup(a, id->b, ID_LEN);
    return (ProtobufCBinaryData){p ? ID_LEN : 0, p};
}

static ProtobufCBinaryData *keys_of(const struct fields *f, struct arena *a, size_t *count)
{
    ProtobufCBinaryData *v = arena_calloc(a, f->count + 1, sizeof *v);
    *count = v ? f->count : 0;
    for (size_t i = 0; i < *count; i++)
        v[i] = (ProtobufCBinaryData){f->v[i].key.len, (uint8_t *)(uintptr_t)f->v[i].key.p};
    return v;
}

enum ocop_status enrolment_of(struct registry *r, const struct server_keys *keys,
                              const struct id *replica, struct arena *a,
                              Ocop__Sync__Enrolment **out, struct ocop_error *err)
{
    struct replica_info info;
    struct fields scope, records;
    Ocop__Sync__Enrolment *e = arena_calloc(a, 1, sizeof *e);
    if (!e)
        return err_nomem(err);
    enum ocop_status st = registry_replica(r, replica, &info, err);
    if (st == OCOP_OK)
        st = scope_of(r, replica, a, &scope, &records, err);
    if (st != OCOP_OK)
        return st;
    ocop__sync__enrolment__init(e);
    e->has_replica = e->has_number = e->has_officer = e->has_lineage = 1;
    e->replica = copy_id(a, replica);
    e->number = info.number;
    e->officer = copy_id(a, &info.officer);
    e->lineage = copy_id(a, &r->lineage);
    e->scope = keys_of(&scope, a, &e->n_scope);
    e->records = keys_of(&records, a, &e->n_records);
    sqlite3_stmt *s = registry_stmt(r, SQL_OFFICER_NAME, err);
    if (!s)
        return OCOP_EDB;
    sqlite3_bind_blob(s, 1, info.officer.b, ID_LEN, SQLITE_STATIC);
    bool row;
    st = registry_row(r, s, "reading an officer's name", &row, err);
    if (st != OCOP_OK)
        return st;
    if (row)
        e->officer_name =
            arena_dup(a, sqlite3_column_text(s, 0), (size_t)sqlite3_column_bytes(s, 0));
    bool whole = e->scope && e->records && e->replica.data && (!row || e->officer_name);
    sqlite3_reset(s);
    *out = e;
    return whole ? certificate_make(r, keys, replica, a, &e->certificate, err) : err_nomem(err);
}
