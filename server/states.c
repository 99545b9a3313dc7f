/* Suspending, resuming, revoking and wiping devices: changes of their records that the registry
 * writes, so that every node that reads the log comes to the same. Knows no invitation. */
#include "states.h"

#include <stdio.h>

#include "enrol.h"
#include "ledger.h"
#include "own.h"
#include "registry_stmts.h"

#define FROM(state) (1u << (state))

/* From which states a device may come into each. A revoked device is not asked to send first: what
 * it sends is not taken. */
static const unsigned may_come_from[DEVICE_STATES] = {
    [DEVICE_ACTIVE] = FROM(DEVICE_SUSPENDED),
    [DEVICE_SUSPENDED] = FROM(DEVICE_ACTIVE),
    [DEVICE_WIPE] = FROM(DEVICE_ACTIVE) | FROM(DEVICE_SUSPENDED),
    [DEVICE_WIPE_NOW] =
        FROM(DEVICE_ACTIVE) | FROM(DEVICE_SUSPENDED) | FROM(DEVICE_WIPE) | FROM(DEVICE_REVOKED),
    [DEVICE_WIPED] = FROM(DEVICE_WIPE) | FROM(DEVICE_WIPE_NOW),
    [DEVICE_REVOKED] =
        FROM(DEVICE_ACTIVE) | FROM(DEVICE_SUSPENDED) | FROM(DEVICE_WIPE) | FROM(DEVICE_WIPE_NOW)};

static const char *const described[DEVICE_STATES] = {
    [DEVICE_ACTIVE] = "is not suspended", [DEVICE_SUSPENDED] = "is suspended",
    [DEVICE_WIPE] = "is to be wiped",     [DEVICE_WIPE_NOW] = "is to be wiped at once",
    [DEVICE_WIPED] = "was wiped",         [DEVICE_REVOKED] = "is revoked already"};

/* One more change, of this replica. */
static enum ocop_status state_change(const struct id *id, uint64_t version, enum device_state state,
                                     const char *reason, int64_t now, struct arena *a,
                                     struct changes *out, size_t *room, struct ocop_error *err)
{
    struct own_draft *d = arena_calloc(a, 1, sizeof *d);
    if (d && out->count == *room) {
        struct change *more = arena_calloc(a, *room * 2 + 4, sizeof *more);
        if (more && *room)
            memcpy(more, out->v, *room * sizeof *more);
        out->v = more;
        *room = *room * 2 + 4;
    }
    if (!d || !out->v)
        return err_nomem(err);
    own_bytes(d, REPLICA_STATE, span_str(device_state_names[state]));
    own_bytes(d, REPLICA_STATE_REASON, span_str(reason));
    struct change c = own_change(d, KIND_REPLICA, VERB_AMEND, *id, version, now);
    c.reason = span_str(reason);
    out->v[out->count++] = c;
    return OCOP_OK;
}

/* Every replica of the device that may come into the state: a store that forked, or that was
 * enrolled twice, has several, and who holds its keys could speak as any of them. */
static enum ocop_status state_changes(struct registry *r, const struct replica_info *info,
                                      enum device_state state, const char *reason, struct arena *a,
                                      struct changes *out, struct ocop_error *err)
{
    bool row;
    size_t room = 0;
    enum ocop_status st;
    int64_t now = env_now_ms(r->env);
    *out = (struct changes){NULL, 0};
    sqlite3_stmt *s = registry_stmt(r, SQL_REPLICAS_OF_KEYS, err);
    if (!s)
        return OCOP_EDB;
    sqlite3_bind_blob(s, 1, info->channel_key, CHANNEL_KEY_LEN, SQLITE_STATIC);
    sqlite3_bind_blob(s, 2, info->sign_key, SIGN_PUBLIC_LEN, SQLITE_STATIC);
    while ((st = registry_row(r, s, "reading a device's replicas", &row, err)) == OCOP_OK && row) {
        struct id id;
        enum device_state now_is = device_state_of((const char *)sqlite3_column_text(s, 2));
        if (!(may_come_from[state] & FROM(now_is)))
            continue;
        if (id_from(span_of(sqlite3_column_blob(s, 0), (size_t)sqlite3_column_bytes(s, 0)), &id))
            st = state_change(&id, (uint64_t)sqlite3_column_int64(s, 1), state, reason, now, a, out,
                              &room, err);
        if (st != OCOP_OK)
            break;
    }
    sqlite3_reset(s);
    return st;
}

enum ocop_status device_state_set(struct registry *r, const struct server_keys *keys,
                                  const struct id *replica, enum device_state state,
                                  const char *reason, struct ocop_error *err)
{
    struct arena a;
    struct replica_info info;
    struct changes changes = {NULL, 0};
    arena_init(&a, MIB(4));
    enum ocop_status st = registry_replica(r, replica, &info, err);
    if (st == OCOP_OK && (!info.known || strcmp(info.type, "device") != 0))
        st = err_set(err, OCOP_ENOTFOUND, "no such device");
    if (st == OCOP_OK && !(may_come_from[state] & FROM(info.state)))
        st = err_set(err, OCOP_ESTATE, "this device %s%s", described[info.state],
                     state == DEVICE_WIPE && info.state == DEVICE_REVOKED
                         ? ": what it has not sent is not taken any more; say --now"
                         : "");
    if (st == OCOP_OK)
        st = state_changes(r, &info, state, reason, &a, &changes, err);
    if (st == OCOP_OK)
        st = own_write(r, keys, changes.v, changes.count, &a, err);
    for (size_t i = 0; st == OCOP_OK && i < changes.count; i++)
        st = ledger_note(r, keys, &changes.v[i].record, reason, err);
    arena_fini(&a);
    return st;
}

enum ocop_status device_reason(struct registry *r, const struct id *replica, struct arena *a,
                               const char **out, struct ocop_error *err)
{
    bool row;
    *out = "";
    sqlite3_stmt *s = registry_stmt(r, SQL_REPLICA_REASON, err);
    if (!s)
        return OCOP_EDB;
    sqlite3_bind_blob(s, 1, replica->b, ID_LEN, SQLITE_STATIC);
    enum ocop_status st = registry_row(r, s, "reading why a device is in its state", &row, err);
    if (st != OCOP_OK || !row)
        return st;
    *out = arena_dup(a, sqlite3_column_text(s, 0), (size_t)sqlite3_column_bytes(s, 0));
    sqlite3_reset(s);
    return *out ? OCOP_OK : err_nomem(err);
}

/* --- what was put aside --------------------------------------------------------------------------
 */

struct aside {
    struct aside *next;
    struct id replica;
    int64_t received_ms;
    struct span hash, signature, body;
};

static enum ocop_status aside_read(struct registry *r, const struct replica_info *info,
                                   struct arena *a, struct aside **out, struct ocop_error *err)
{
    bool row;
    enum ocop_status st;
    sqlite3_stmt *s = registry_stmt(r, SQL_QUARANTINE_OF, err);
    if (!s)
        return OCOP_EDB;
    sqlite3_bind_blob(s, 1, info->channel_key, CHANNEL_KEY_LEN, SQLITE_STATIC);
    while ((st = registry_row(r, s, "reading what was put aside", &row, err)) == OCOP_OK && row) {
        struct aside *v = arena_calloc(a, 1, sizeof *v);
        struct span *parts[] = {v ? &v->hash : NULL, v ? &v->signature : NULL, v ? &v->body : NULL};
        for (int i = 0; v && i < 3; i++) {
            const size_t len = (size_t)sqlite3_column_bytes(s, i + 2);
            *parts[i] = span_of(arena_dup(a, sqlite3_column_blob(s, i + 2), len), len);
        }
        if (!v || !v->hash.p || !v->signature.p || !v->body.p) {
            sqlite3_reset(s);
            return err_nomem(err);
        }
        id_from(span_of(sqlite3_column_blob(s, 0), (size_t)sqlite3_column_bytes(s, 0)),
                &v->replica);
        v->received_ms = sqlite3_column_int64(s, 1);
        *out = v;
        out = &v->next;
    }
    return st;
}

static enum ocop_status aside_drop(struct registry *r, const struct aside *v,
                                   struct ocop_error *err)
{
    sqlite3_stmt *s = registry_stmt(r, SQL_QUARANTINE_DROP, err);
    if (!s)
        return OCOP_EDB;
    sqlite3_bind_blob(s, 1, v->replica.b, ID_LEN, SQLITE_STATIC);
    sqlite3_bind_blob(s, 2, v->hash.p, (int)v->hash.len, SQLITE_STATIC);
    return registry_done(r, s, "taking in what was put aside", err);
}

/* One set, in a savepoint of its own: what can never be taken in stays aside. */
static enum ocop_status aside_take(struct registry *r, const struct replica_info *info,
                                   const struct aside *v, struct kept_aside *out,
                                   struct ocop_error *err)
{
    struct set_result result;
    struct arena a;
    if (v->signature.len != SIGNATURE_LEN)
        return err_set(err, OCOP_EDAMAGED, "what was put aside of a device cannot be read");
    enum ocop_status st = registry_savepoint(r, err);
    if (st != OCOP_OK)
        return st;
    arena_init(&a, ARENA_REQUEST_MAX);
    st =
        ingest_set(r, v->body, v->signature.p, info->channel_key, v->received_ms, &a, &result, err);
    bool never = st == OCOP_ELIMIT || (st == OCOP_ENOMEM && a.full);
    bool taken = st == OCOP_OK && (result.code == SET_ACCEPTED || result.code == SET_DUPLICATE);
    arena_fini(&a);
    if (taken)
        st = aside_drop(r, v, err);
    out->taken += taken;
    out->left += !taken;
    if (st == OCOP_OK)
        return registry_release(r, err);
    registry_rollback_to(r);
    return never && !registry_rolled_back(r) ? OCOP_OK : st;
}

enum ocop_status device_take_aside(struct registry *r, const struct id *replica,
                                   struct kept_aside *out, struct ocop_error *err)
{
    struct replica_info info;
    struct aside *v = NULL;
    struct arena a;
    *out = (struct kept_aside){0};
    arena_init(&a, MIB(64));
    enum ocop_status st = registry_replica(r, replica, &info, err);
    if (st == OCOP_OK)
        st = aside_read(r, &info, &a, &v, err);
    for (; st == OCOP_OK && v; v = v->next)
        st = aside_take(r, &info, v, out, err);
    arena_fini(&a);
    return st;
}
