/* Accepting: the envelope of a sealed change-set, and nothing of its content, decides whether it
 * enters the log. What happens to its changes then is apply.c's. */
#include "ingest.h"

#include <inttypes.h>
#include <stdio.h>

#include "bounds.h"
#include "enrol.h"
#include "given_up.h"
#include "registry_stmts.h"
#include "rekey.h"

static enum ocop_status refuse(struct set_result *result, enum set_code code, const char *text)
{
    result->code = code;
    snprintf(result->text, sizeof result->text, "%s", text);
    return OCOP_OK;
}

/* Is so much of this device kept aside that no more is? */
static enum ocop_status quarantine_full(struct registry *r, const uint8_t *channel_key, bool *out,
                                        struct ocop_error *err)
{
    bool row;
    sqlite3_stmt *s = registry_stmt(r, SQL_QUARANTINE_COUNT, err);
    if (!s)
        return OCOP_EDB;
    sqlite3_bind_blob(s, 1, channel_key, CHANNEL_KEY_LEN, SQLITE_STATIC);
    enum ocop_status st = registry_row(r, s, "reading the quarantine", &row, err);
    *out = st == OCOP_OK && row && sqlite3_column_int64(s, 0) >= QUARANTINE_SETS_MAX;
    sqlite3_reset(s);
    return st;
}

/* What a revoked device still sends is kept for a person to judge; what a suspended one sends waits
 * for the office to let it go on. */
static enum ocop_status quarantine(struct registry *r, const struct change_set *set,
                                   struct span body, const uint8_t *signature, int64_t received_ms,
                                   struct ocop_error *err)
{
    sqlite3_stmt *s = registry_stmt(r, SQL_QUARANTINE_ADD, err);
    if (!s)
        return OCOP_EDB;
    sqlite3_bind_blob(s, 1, set->replica.b, ID_LEN, SQLITE_STATIC);
    sqlite3_bind_blob(s, 2, set->hash, HASH_LEN, SQLITE_STATIC);
    sqlite3_bind_int64(s, 3, received_ms);
    sqlite3_bind_blob(s, 4, signature, SIGNATURE_LEN, SQLITE_STATIC);
    sqlite3_bind_blob64(s, 5, body.p, body.len, SQLITE_STATIC);
    sqlite3_bind_int64(s, 6, (sqlite3_int64)set->seq);
    return registry_done(r, s, "quarantining a change-set", err);
}

static enum ocop_status put_aside(struct registry *r, const struct change_set *set,
                                  const struct replica_info *replica, struct span body,
                                  const uint8_t *signature, int64_t received_ms, enum set_code code,
                                  struct set_result *result, struct ocop_error *err)
{
    const char *state = code == SET_REVOKED ? "revoked" : "suspended";
    char text[120];
    bool full;
    enum ocop_status st = quarantine_full(r, replica->channel_key, &full, err);
    if (st != OCOP_OK)
        return st;
    if (full)
        env_log(r->env, ENV_WARN, "quarantine_full", "device=%u sets=%d", replica->number,
                QUARANTINE_SETS_MAX);
    snprintf(text, sizeof text, "this device %s %s%s", code == SET_REVOKED ? "was" : "is", state,
             full ? ", and no more of it is kept aside" : "; the change-set is kept aside");
    refuse(result, code, text);
    return full ? OCOP_OK : quarantine(r, set, body, signature, received_ms, err);
}

/* The successor continues its predecessor behind a set that both of them have. */
static enum ocop_status check_predecessor(struct registry *r, const struct change_set *set,
                                          const struct replica_info *before,
                                          struct set_result *result, struct ocop_error *err)
{
    struct log_entry last;
    if (set->predecessor_seq == 0)
        return OCOP_OK; /* it continues nothing, but is the same device */
    if (set->predecessor_seq > before->acked_seq)
        return refuse(result, SET_GAP, "its predecessor has not sent that much");
    enum ocop_status st = log_find(r, &set->predecessor, set->predecessor_seq, &last, err);
    if (st == OCOP_OK && memcmp(last.hash, set->predecessor_hash, HASH_LEN) != 0)
        return refuse(result, SET_CHAIN, "it does not continue its predecessor's change-set");
    return st;
}

/* A forked replica's successor introduces itself by its first set: same device keys, a predecessor
 * we know. Fills *replica with what was enrolled. */
static enum ocop_status enrol_unknown(struct registry *r, const struct change_set *set,
                                      const uint8_t *signature, const uint8_t *channel_key,
                                      struct replica_info *replica, struct set_result *result,
                                      struct ocop_error *err)
{
    struct replica_info before;
    if (set->seq != 1 || id_is_zero(&set->predecessor) || !r->keys || !channel_key)
        return refuse(result, SET_UNKNOWN_REPLICA, "this replica is not enrolled");
    enum ocop_status st = registry_replica(r, &set->predecessor, &before, err);
    if (st != OCOP_OK)
        return st;
    if (!before.known || before.revoked || memcmp(before.channel_key, channel_key, 32) != 0 ||
        changeset_verify(set->hash, signature, before.sign_key, NULL) != OCOP_OK)
        return refuse(result, SET_UNKNOWN_REPLICA, "this replica continues none of this device's");
    if (before.state == DEVICE_SUSPENDED)
        return refuse(result, SET_SUSPENDED, "this device is suspended");
    bool may;
    st = replica_may_succeed(r, channel_key, &may, err);
    if (st == OCOP_OK && !may)
        return refuse(result, SET_UNKNOWN_REPLICA, "this device may have no further replica");
    if (st == OCOP_OK)
        st = check_predecessor(r, set, &before, result, err);
    if (st != OCOP_OK || result->code != SET_ACCEPTED)
        return st;
    bool gone;
    st = given_up(r, channel_key, &set->replica, &gone, err);
    if (st == OCOP_OK && gone)
        return refuse(result, SET_UNKNOWN_REPLICA, "its device goes on under another replica");
    if (st == OCOP_OK)
        st = enrol_successor(r, r->keys, set, &before, err);
    result->enrolled_successor = st == OCOP_OK;
    return st == OCOP_OK ? registry_replica(r, &set->replica, replica, err) : st;
}

/* Does the set continue the replica's chain? result->code says why not. */
static void check_chain(const struct change_set *set, const struct replica_info *replica,
                        struct set_result *result)
{
    char text[160];
    if (set->seq <= replica->acked_seq) {
        refuse(result, SET_FORK, "another change-set has this sequence: the store is a copy");
    } else if (set->seq > replica->acked_seq + 1) {
        snprintf(text, sizeof text, "sequence %" PRIu64 " is missing", replica->acked_seq + 1);
        refuse(result, SET_GAP, text);
    } else if (memcmp(set->prev_hash, replica->acked_hash, HASH_LEN) != 0) {
        refuse(result, SET_CHAIN, "it does not continue the last change-set that was accepted");
    }
}

static enum ocop_status check_envelope(struct registry *r, const struct change_set *set,
                                       struct span body, const uint8_t *signature,
                                       const uint8_t *channel_key, int64_t received_ms,
                                       struct set_result *result, struct ocop_error *err)
{
    struct replica_info replica;
    enum ocop_status st = registry_replica(r, &set->replica, &replica, err);
    if (st == OCOP_OK && !replica.known)
        st = enrol_unknown(r, set, signature, channel_key, &replica, result, err);
    if (st != OCOP_OK || result->code != SET_ACCEPTED)
        return st;
    if (channel_key && memcmp(replica.channel_key, channel_key, 32) != 0)
        return refuse(result, SET_UNKNOWN_REPLICA, "this replica belongs to another device");
    uint8_t key[SIGN_PUBLIC_LEN];
    st = replica_key_at(r, &set->replica, &replica, set->seq, key, err);
    if (st != OCOP_OK)
        return st;
    if (changeset_verify(set->hash, signature, key, NULL) != OCOP_OK)
        return refuse(result, SET_SIGNATURE, "the signature is not this replica's");
    if (replica.revoked || replica.state == DEVICE_WIPE_NOW)
        return put_aside(r, set, &replica, body, signature, received_ms, SET_REVOKED, result, err);
    if (replica.state == DEVICE_SUSPENDED)
        return put_aside(r, set, &replica, body, signature, received_ms, SET_SUSPENDED, result,
                         err);
    check_chain(set, &replica, result);
    return OCOP_OK;
}

static enum ocop_status malformed(enum ocop_status st, struct ocop_error *err,
                                  struct set_result *result)
{
    if (st == OCOP_EPROTO)
        return refuse(result, SET_MALFORMED, err->text);
    if (st == OCOP_ELIMIT)
        return refuse(result, SET_TOO_LARGE, err->text);
    return st; /* memory or disk: never a refusal */
}

enum ocop_status ingest_set(struct registry *r, struct span body, const uint8_t *signature,
                            const uint8_t *channel_key, int64_t received_ms, struct arena *a,
                            struct set_result *result, struct ocop_error *err)
{
    struct ocop_error own_err = {0};
    struct change_set set;
    struct log_entry there;
    *result = (struct set_result){0};
    if (!err)
        err = &own_err;
    enum ocop_status st = changeset_peek(body, a, &set, err);
    if (st != OCOP_OK)
        return malformed(st, err, result);
    result->seq = set.seq;
    st = log_find(r, &set.replica, set.seq, &there, err);
    if (st == OCOP_OK && memcmp(there.hash, set.hash, HASH_LEN) == 0) {
        result->version = there.version;
        return refuse(result, SET_DUPLICATE, "");
    }
    if (st != OCOP_OK && st != OCOP_ENOTFOUND)
        return st;
    st = check_envelope(r, &set, body, signature, channel_key, received_ms, result, err);
    if (st != OCOP_OK || result->code != SET_ACCEPTED)
        return st;
    st = changeset_decode(&set, a, err);
    if (st != OCOP_OK)
        return malformed(st, err, result);

    struct sealed sealed = {.body = body};
    enum log_answer answer;
    memcpy(sealed.signature, signature, SIGNATURE_LEN);
    st = log_append(r, &set, &sealed, received_ms, &answer, &result->version, err);
    return st == OCOP_OK ? apply_set(r, &set, result->version, received_ms, a, err) : st;
}

enum ocop_status outcomes_of(struct registry *r, uint64_t version, struct arena *a,
                             struct outcome_row **out, size_t *count, struct ocop_error *err)
{
    struct outcome_row *rows = NULL;
    *out = NULL;
    *count = 0;
    sqlite3_stmt *s = registry_stmt(r, SQL_OUTCOMES, err);
    if (!s)
        return OCOP_EDB;
    sqlite3_bind_int64(s, 1, (sqlite3_int64)version);
    int rc;
    while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
        rows = arena_more(a, rows, *count, sizeof *rows);
        if (!rows)
            break;
        const char *field = (const char *)sqlite3_column_text(s, 2);
        const char *text = (const char *)sqlite3_column_text(s, 3);
        struct outcome_row *row = &rows[*count];
        row->index = (uint32_t)sqlite3_column_int64(s, 0);
        row->code = (enum outcome_code)sqlite3_column_int(s, 1);
        row->field = field ? arena_dup(a, field, strlen(field)) : "";
        row->text = text ? arena_dup(a, text, strlen(text)) : "";
        if (!row->field || !row->text)
            break;
        ++*count;
    }
    sqlite3_reset(s);
    *out = rows;
    if (rc == SQLITE_ROW)
        return err_nomem(err);
    return rc == SQLITE_DONE ? OCOP_OK : db_error(r->db, err, "reading outcomes");
}
