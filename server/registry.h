/* The master registry: one SQLite database, and every SQL question the server asks (the table at
 * the top of registry.c). What influences an outcome is in the log; the rest of the tables is
 * derived from it, but for `meta`, `invitation`, `contact`, `quarantine` and `backup`, which are
 * this node's own. */
#ifndef SERVER_REGISTRY_H
#define SERVER_REGISTRY_H

#include <sqlite3.h>

#include "changeset.h"
#include "content.h"
#include "lineage.h"
#include "merge.h"
#include "row.h"
#include "rules.h"
#include "sum.h"

struct crew;
struct peers;
struct server_keys;

struct registry {
    sqlite3 *db;
    struct rows *rows;
    const struct env *env;
    struct id_source ids;
    struct id self;    /* the registry's own replica */
    struct id lineage; /* current one */
    struct registry_cache *cache;
    struct feed_stmts *feed;        /* feed.c's */
    const struct server_keys *keys; /* set by who opens it for writing; borrowed, may be NULL */
    struct crew *crew;              /* set by who serves; borrowed, may be NULL */
    struct peers *peers;            /* the same */
    struct thumbs *thumbs;          /* the same */
    int certificate_days;           /* that a certificate lasts; 0: without an end */
    uint64_t hashed;                /* bytes of contents, for devices, since it was opened */
    uint64_t moved;                 /* attachments, with their records, since it was opened */
    uint64_t guesses;               /* at invitations, not noted yet */
    int64_t guesses_noted_ms;
    char ledger[1100]; /* see ledger.h; set by who opens it for people; "": none is kept */
    char path[1024];
    struct content_dir blobs;   /* the contents of attachments */
    uint64_t officer_blobs_max; /* bytes of one officer's; 0: no limit */
};

/** Open, lock nothing, migrate. `create`: make an empty database (no genesis, see genesis.h).
 *  @return OCOP_ENOTFOUND, OCOP_EVERSION, OCOP_EDAMAGED, OCOP_EDB */
OCOP_MUST_USE enum ocop_status registry_open(const char *path, bool create, const struct env *env,
                                             const char *vfs, struct registry **out,
                                             struct ocop_error *err);
void registry_close(struct registry *r);

/** Statement number `which` of the table in registry.c, reset and ready to bind; NULL on failure
 *  (err is filled). Owned by the registry. */
sqlite3_stmt *registry_stmt(struct registry *r, int which, struct ocop_error *err);

/** Step a statement that asks: *row says whether there is a row (not reset: read it). At the end
 * and on failure it is reset; a failure is never taken for "no row". */
OCOP_MUST_USE enum ocop_status registry_row(struct registry *r, sqlite3_stmt *s, const char *doing,
                                            bool *row, struct ocop_error *err);
/** Step a statement that writes, and reset it. */
OCOP_MUST_USE enum ocop_status registry_done(struct registry *r, sqlite3_stmt *s, const char *doing,
                                             struct ocop_error *err);

/** BEGIN IMMEDIATE; forgets caches when another process has written meanwhile. */
OCOP_MUST_USE enum ocop_status registry_begin(struct registry *r, struct ocop_error *err);
/** registry_begin that does not wait long for another process. */
OCOP_MUST_USE enum ocop_status registry_begin_soon(struct registry *r, struct ocop_error *err);
/** BEGIN for reading only. */
OCOP_MUST_USE enum ocop_status registry_begin_read(struct registry *r, struct ocop_error *err);
OCOP_MUST_USE enum ocop_status registry_commit(struct registry *r, struct ocop_error *err);
void registry_rollback(struct registry *r);
/** Is there no transaction any more? SQLite rolls the whole of it back on some errors; what follows
 *  must not commit alone. */
bool registry_rolled_back(const struct registry *r);
OCOP_MUST_USE enum ocop_status registry_savepoint(struct registry *r, struct ocop_error *err);
OCOP_MUST_USE enum ocop_status registry_release(struct registry *r, struct ocop_error *err);
void registry_rollback_to(struct registry *r);

/** What the office lets a device do; as text in Replica.state. */
enum device_state {
    DEVICE_ACTIVE,
    DEVICE_SUSPENDED, /* reads nothing; what it pushes is put aside until it may go on */
    DEVICE_WIPE,      /* shall send what it has and then wipe its store */
    DEVICE_WIPE_NOW,  /* shall wipe it at once */
    DEVICE_WIPED,     /* says that it has */
    DEVICE_REVOKED,
    DEVICE_STATES
};
extern const char *const device_state_names[DEVICE_STATES];
/** One that this program does not know gives no rights: DEVICE_REVOKED. */
enum device_state device_state_of(const char *name);

/** What the registry knows of a replica. */
struct replica_info {
    bool known;
    bool revoked; /* has no rights any more: revoked, wiped, or in a state that is not known here */
    enum device_state state;
    char type[12];
    uint32_t number;
    struct id officer;
    unsigned roles; /* ROLE_REGISTRY for its own and imports; else see cache_roles */
    uint8_t sign_key[SIGN_PUBLIC_LEN];
    uint8_t channel_key[32];
    bool rekeyed;          /* it had other keys before: see replica_key_at */
    int64_t rekey_ms;      /* keys made before this are to be changed; 0: none are */
    struct id predecessor; /* zero when none */
    uint64_t predecessor_seq;
    uint64_t acked_seq; /* last sequence in the log; 0 none */
    uint8_t acked_hash[HASH_LEN];
    uint64_t version; /* of its record */
};
OCOP_MUST_USE enum ocop_status registry_replica(struct registry *r, const struct id *replica,
                                                struct replica_info *out, struct ocop_error *err);
/** The active replica (newest) with this channel key; OCOP_ENOTFOUND. */
OCOP_MUST_USE enum ocop_status registry_replica_by_channel(struct registry *r,
                                                           const uint8_t key[32], struct id *out,
                                                           struct ocop_error *err);

/** Version of the last set in the log. */
OCOP_MUST_USE enum ocop_status registry_version(struct registry *r, uint64_t *out,
                                                struct ocop_error *err);

/** All that this registry went through, its present one among them; in the arena. */
OCOP_MUST_USE enum ocop_status lineages_of(struct registry *r, struct arena *a,
                                           struct lineage **out, size_t *count,
                                           struct ocop_error *err);

/** meta: small values of this node. OCOP_ENOTFOUND when not set. */
OCOP_MUST_USE enum ocop_status registry_meta_get(struct registry *r, const char *key,
                                                 struct arena *a, struct span *out,
                                                 struct ocop_error *err);
OCOP_MUST_USE enum ocop_status registry_meta_set(struct registry *r, const char *key,
                                                 struct span value, struct ocop_error *err);

/** The tables that no replay makes again, and how their rows are summed; ends without a name. */
extern const struct sum_table registry_summed[];

/** Canonical dump: one hash over all derived tables; `line` (may be NULL) sees every row. */
OCOP_MUST_USE enum ocop_status registry_dump(struct registry *r, row_dump_fn line, void *self,
                                             uint8_t hash[HASH_LEN], struct ocop_error *err);

#endif
