/* Reading back a sample of what was committed. Knows no socket, and of applying only what must hold
 * afterwards. */
#include "readback.h"

#include <stdio.h>
#include <stdlib.h>

#include "bounds.h"
#include "ingest.h"
#include "migrate.h"
#include "registry_stmts.h"
#include "rekey.h"

#define NOTE_KEY "readback"

static const char sql_small_cache[] = "PRAGMA cache_size=-1024";

/* A sample is to cost little, whatever came: so much of one call, and of one set. */
enum { SETS_MAX = 4, CHANGES_MAX = 64, NOTE_HEAD = 24 };

struct readback {
    struct registry *r; /* a connection of its own */
    struct arena arena;
    unsigned one_in;
    uint64_t seen; /* versions up to here were looked at, or passed over */
};

enum ocop_status readback_open(const char *path, const struct env *env, unsigned one_in,
                               struct readback **out, struct ocop_error *err)
{
    *out = NULL;
    if (one_in == 0)
        return OCOP_OK;
    struct readback *b = calloc(1, sizeof *b);
    if (!b)
        return err_nomem(err);
    b->one_in = one_in;
    arena_init(&b->arena, ARENA_REQUEST_MAX);
    enum ocop_status st = registry_open(path, false, env, NULL, &b->r, err);
    if (st == OCOP_OK)
        st = db_exec(b->r->db, sql_small_cache, err);
    if (st == OCOP_OK)
        st = registry_version(b->r, &b->seen, err);
    if (st == OCOP_OK)
        *out = b;
    else
        readback_close(b);
    return st;
}

void readback_close(struct readback *b)
{
    if (!b)
        return;
    registry_close(b->r);
    arena_fini(&b->arena);
    free(b);
}

/* --- one set ---------------------------------------------------------------------------------- */

static enum ocop_status wrong(struct ocop_error *err, const char *what)
{
    return err_set(err, OCOP_EDAMAGED, "%s", what);
}

static enum ocop_status check_sum(struct readback *b, uint64_t version, struct ocop_error *err)
{
    bool row;
    sqlite3_stmt *s = registry_stmt(b->r, SQL_LOG_SOUND, err);

    if (!s)
        return OCOP_EDB;
    sqlite3_bind_int64(s, 1, (sqlite3_int64)version);
    enum ocop_status st = registry_row(b->r, s, "reading a set back", &row, err);
    if (st == OCOP_OK && !(row && sqlite3_column_int(s, 0)))
        st = wrong(err, "it is not filed under what it was filed under");
    sqlite3_reset(s);
    return st;
}

static enum ocop_status check_envelope(struct readback *b, const struct log_entry *e,
                                       struct change_set *set, struct ocop_error *err)
{
    struct replica_info info;
    enum ocop_status st = changeset_open(e->body, &b->arena, set, err);

    if (st == OCOP_ENOMEM)
        return st;
    if (st != OCOP_OK)
        return wrong(err, "the body cannot be read");
    if (memcmp(set->hash, e->hash, HASH_LEN) != 0 || !id_eq(&set->replica, &e->replica) ||
        set->seq != e->seq)
        return wrong(err, "the body is not the one it is filed as");
    st = registry_replica(b->r, &set->replica, &info, err);
    if (st != OCOP_OK)
        return st;
    if (id_eq(&set->replica, &b->r->self))
        return OCOP_OK; /* its key may have been changed since; verify knows which held when */
    uint8_t key[SIGN_PUBLIC_LEN];
    st = replica_key_at(b->r, &set->replica, &info, set->seq, key, err);
    if (st != OCOP_OK)
        return st;
    if (!info.known || changeset_verify(set->hash, e->signature, key, NULL) != OCOP_OK)
        return wrong(err, "the signature is not that of its replica");
    return OCOP_OK;
}

/* Later sets may have changed the field again; what none has changed is what this one says. */
static bool field_holds(const struct fields *row, const struct field *said, uint64_t version)
{
    const struct field *v = fields_find(row, said->number, said->key);

    if (!v)
        return said->op == FIELD_CLEAR;
    if (v->base > version)
        return true;
    return v->op == said->op && (v->op == FIELD_CLEAR || field_value_equal(v, said));
}

/* A change that had waited wrote at this version too. */
static enum ocop_status others_wrote(struct readback *b, const struct id *record, uint64_t version,
                                     bool *out, struct ocop_error *err)
{
    sqlite3_stmt *s = registry_stmt(b->r, SQL_LATE_AT, err);

    if (!s)
        return OCOP_EDB;
    sqlite3_bind_blob(s, 1, record->b, ID_LEN, SQLITE_STATIC);
    sqlite3_bind_int64(s, 2, (sqlite3_int64)version);
    enum ocop_status st = registry_row(b->r, s, "reading a set back", out, err);
    sqlite3_reset(s);
    return st;
}

static enum ocop_status check_row(struct readback *b, const struct change *c, uint64_t version,
                                  struct ocop_error *err)
{
    struct row_meta meta;
    struct fields row;
    bool others = false;
    enum ocop_status st = others_wrote(b, &c->record, version, &others, err);

    if (st != OCOP_OK || others)
        return st;
    st = row_load(b->r->rows, c->kind, &c->record, &b->arena, &row, &meta, err);
    if (st == OCOP_ENOTFOUND)
        return wrong(err, "a record that it made or changed is not there");
    for (size_t i = 0; st == OCOP_OK && i < c->fields.count; i++)
        if (!field_holds(&row, &c->fields.v[i], version))
            st = wrong(err, "a record does not show what it says");
    return st;
}

/* What applied as a whole, and was not changed again in the same set, stands in the rows. */
static enum ocop_status check_rows(struct readback *b, const struct change_set *set,
                                   uint64_t version, struct ocop_error *err)
{
    const size_t count = set->changes.count < CHANGES_MAX ? set->changes.count : CHANGES_MAX;
    struct outcome_row *outcomes;
    size_t n, at = 0;
    enum ocop_status st = outcomes_of(b->r, version, &b->arena, &outcomes, &n, err);

    for (size_t i = 0; st == OCOP_OK && i < count; i++) {
        const struct change *c = &set->changes.v[i];
        bool last = c->verb == VERB_CREATE || c->verb == VERB_AMEND || c->verb == VERB_ADD;
        while (at < n && outcomes[at].index < i)
            at++;
        for (size_t k = i + 1; last && k < set->changes.count; k++)
            last = !id_eq(&set->changes.v[k].record, &c->record);
        if (last && !(at < n && outcomes[at].index == i))
            st = check_row(b, c, version, err);
    }
    return st;
}

static enum ocop_status check_set(struct readback *b, uint64_t version, struct ocop_error *err)
{
    struct log_entry e;
    struct change_set set;

    arena_reset(&b->arena);
    enum ocop_status st = check_sum(b, version, err);
    if (st == OCOP_OK)
        st = log_read(b->r, version, &e, err);
    if (st == OCOP_OK)
        st = check_envelope(b, &e, &set, err);
    if (st == OCOP_OK)
        st = check_rows(b, &set, version, err);
    return st;
}

/* --- what was found --------------------------------------------------------------------------- */

static void put_u64(uint8_t *p, uint64_t v)
{
    for (int i = 0; i < 8; i++)
        p[i] = (uint8_t)(v >> (56 - 8 * i));
}

static uint64_t get_u64(const uint8_t *p)
{
    uint64_t v = 0;

    for (int i = 0; i < 8; i++)
        v = v << 8 | p[i];
    return v;
}

enum ocop_status readback_noted(struct registry *r, struct readback_note *out,
                                struct ocop_error *err)
{
    struct arena a;
    struct span v;

    *out = (struct readback_note){0};
    arena_init(&a, KIB(4));
    enum ocop_status st = registry_meta_get(r, NOTE_KEY, &a, &v, err);
    if (st == OCOP_OK && v.len >= NOTE_HEAD) {
        out->count = get_u64(v.p);
        out->version = get_u64(v.p + 8);
        out->found_ms = (int64_t)get_u64(v.p + 16);
        snprintf(out->text, sizeof out->text, "%.*s", (int)(v.len - NOTE_HEAD),
                 (const char *)v.p + NOTE_HEAD);
    }
    arena_fini(&a);
    return st == OCOP_ENOTFOUND ? OCOP_OK : st;
}

static enum ocop_status note(struct registry *r, uint64_t version, const char *text,
                             struct ocop_error *err)
{
    uint8_t v[NOTE_HEAD + OCOP_ERROR_TEXT_MAX];
    struct readback_note before;
    const size_t len = strnlen(text, OCOP_ERROR_TEXT_MAX);

    enum ocop_status st = registry_begin(r, err);
    if (st != OCOP_OK)
        return st;
    st = readback_noted(r, &before, err);
    put_u64(v, before.count + 1);
    put_u64(v + 8, version);
    put_u64(v + 16, (uint64_t)env_now_ms(r->env));
    memcpy(v + NOTE_HEAD, text, len);
    if (st == OCOP_OK)
        st = registry_meta_set(r, NOTE_KEY, span_of(v, NOTE_HEAD + len), err);
    if (st == OCOP_OK)
        return registry_commit(r, err);
    registry_rollback(r);
    return st;
}

enum ocop_status readback_forget(struct registry *r, struct ocop_error *err)
{
    struct readback_note noted;
    enum ocop_status st = readback_noted(r, &noted, err);

    if (st != OCOP_OK || noted.count == 0)
        return st;
    st = registry_begin(r, err);
    if (st != OCOP_OK)
        return st;
    st = registry_meta_set(r, NOTE_KEY, span_of("", 0), err);
    if (st == OCOP_OK)
        return registry_commit(r, err);
    registry_rollback(r);
    return st;
}

static void tell(struct registry *r, uint64_t version, const struct ocop_error *found)
{
    char quoted[2 * OCOP_ERROR_TEXT_MAX];
    struct ocop_error err = {0};

    env_log(r->env, ENV_ERROR, "readback", "version=%llu damaged=%s advice=\"run ocopd verify\"",
            (unsigned long long)version, env_quote(quoted, sizeof quoted, found->text));
    if (note(r, version, found->text, &err) != OCOP_OK)
        env_log(r->env, ENV_WARN, "readback", "noted=no error=%s",
                env_quote(quoted, sizeof quoted, err.text));
}

unsigned readback_batch(struct readback *b, struct registry *r)
{
    struct ocop_error err = {0};
    uint64_t version, damaged[SETS_MAX];
    struct ocop_error found[SETS_MAX];
    unsigned n = 0, looked = 0;

    if (!b || registry_begin_read(b->r, &err) != OCOP_OK)
        return 0;
    enum ocop_status st = registry_version(b->r, &version, &err);
    for (uint64_t v = b->seen + 1; st == OCOP_OK && v <= version && looked < SETS_MAX; v++) {
        if (v % b->one_in != 0)
            continue;
        looked++;
        err = (struct ocop_error){0};
        if (check_set(b, v, &err) != OCOP_EDAMAGED)
            continue; /* whole, or not to be read just now */
        damaged[n] = v;
        found[n++] = err;
    }
    if (st == OCOP_OK)
        b->seen = version;
    registry_rollback(b->r);
    for (unsigned i = 0; i < n; i++)
        tell(r, damaged[i], &found[i]);
    return n;
}
