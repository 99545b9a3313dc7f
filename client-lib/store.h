/* The open store, and every question that libocop puts to its database. The answers' memory is in
 * the arena given. Unless it says otherwise, the caller holds the lock. Only store.c knows SQL. */
#ifndef CLIENT_STORE_H
#define CLIENT_STORE_H

#include <pthread.h>
#include <stdatomic.h>

#include "bounds.h"
#include "changeset.h"
#include "content.h"
#include "link.h"
#include "merge.h"
#include "noise.h"
#include "ocop.h"
#include "rules.h"

enum outbox_state {
    OUTBOX_DRAFT = 1,
    OUTBOX_READY = 2,
    OUTBOX_SEALED = 3,
    OUTBOX_REFUSED = 4,
    OUTBOX_WAITING = 5 /* accepted; the registry waits for what it refers to */
};

/* How far a wipe has come. */
enum wiped {
    WIPED_NOT,
    WIPED_BEGUN,  /* the keys are gone; the rest goes now, or before the store is used again */
    WIPED_UNTOLD, /* all is gone but what it takes to tell the server so */
    WIPED_TOLD
};

/* Who this store is: table meta, in memory. */
struct identity {
    bool enrolled, forked, revoked, suspended;
    bool synced; /* a first sync was completed */
    struct id replica, officer;
    struct id lineage;     /* zero: not known yet */
    struct id predecessor; /* zero unless the replica continues another */
    uint64_t predecessor_seq;
    uint8_t predecessor_hash[HASH_LEN];
    struct id
        given_up[GENERATIONS_MAX]; /* what this replica goes on for besides, the newest last */
    size_t given_up_count;
    uint32_t number; /* of the device, in paper numbers */
    char officer_name[128];
    char server[256];
    char rule_set[64];
    uint8_t server_key[CHANNEL_KEY_LEN];
    uint64_t server_key_number;
    uint64_t root_number; /* of the root that is trusted */
    struct sign_key sign;
    struct channel_key channel;
    bool rekeying;          /* the next keys are made, and the registry may have them */
    struct id next_replica; /* of a wiped store that is to be enrolled anew; zero: none yet */
    struct sign_key next_sign;
    struct channel_key next_channel;
    int64_t keys_made_ms;
    struct id scope[SCOPE_UNITS_MAX];
    size_t scope_count;
    struct id assigned[SCOPE_RECORDS_MAX]; /* single records of the scope */
    size_t assigned_count;
    uint64_t seq; /* last sealed; 0: none */
    uint8_t prev_hash[HASH_LEN];
    uint64_t budget;                        /* bytes of the next sealed set */
    uint64_t wiped;                         /* enum wiped */
    uint64_t wipe_lost;                     /* changes that were never sent */
    uint64_t exchange;                      /* number of the last request; see make_request */
    uint64_t certificate;                   /* version of the one that is held; 0: none */
    int64_t certificate_until_ms;           /* 0: without an end */
    char state_reason[OCOP_ERROR_TEXT_MAX]; /* what the server last said of this device's state */
    int64_t last_sync_ms, skew_ms;
    uint8_t file_key[CONTENT_KEY_LEN]; /* of the contents beside the store; zero: none yet */
    struct ocop_file_limits files;
    struct ocop_image_settings images;
};

/* The code lists, and the roles of the officer; read once and again after a sync. */
struct codes {
    bool loaded;
    struct arena arena;
    bool officer;        /* is the officer's record here? */
    struct fields roles; /* elements of it */
    struct code_list {
        struct span code;
        struct fields items;
    } * v;
    size_t count;
};

/* The units in which this device may write, reckoned once and again after a sync. */
struct reach {
    bool loaded, everywhere;
    struct arena arena;
    struct id *units; /* sorted */
    size_t count;
};

struct ocop_store {
    pthread_mutex_t lock;
    pthread_cond_t idle; /* signalled when `busy` ends */
    bool busy;           /* an exchange is running; it holds the lock only now and then */
    bool closing, broken;
    bool files_known; /* it was looked which contents nothing names, and nothing came since */
    bool stale;       /* `me` is not what is stored: read it before it is used */
    /* Read without the lock: */
    atomic_bool files_loose; /* contents that nothing names lie in the folder */
    atomic_bool cancel;
    struct db *db; /* store.c */
    const struct env *env;
    struct link *link; /* given by the caller; NULL: the network */
    struct id_source ids;
    struct identity me;
    struct codes codes;
    struct reach reach;
    struct arena arena; /* of the call that holds the lock */
};

/* --- the handle (client.c) ------------------------------------------------------------------- */

/** Take the lock and make the arena empty; OCOP_EBROKEN (then the lock is not held). */
OCOP_MUST_USE enum ocop_status client_enter(struct ocop_store *s, struct ocop_error *err);
void client_leave(struct ocop_store *s);

/** Begin a transaction; and end it by what `st` says. What another process wrote is known from here
 *  on: read nothing before that the transaction builds on. A failure rolls back, and marks the
 *  handle broken where even that fails; the identity is read again by the next transaction. Returns
 *  the status to give back. */
OCOP_MUST_USE enum ocop_status client_begin(struct ocop_store *s, struct ocop_error *err);
OCOP_MUST_USE enum ocop_status client_end(struct ocop_store *s, enum ocop_status st,
                                          struct ocop_error *err);

/** Enter and begin a transaction that only reads: all answers are of one moment. Ends by _end,
 * which gives back the lock. */
OCOP_MUST_USE enum ocop_status client_read(struct ocop_store *s, struct ocop_error *err);
void client_read_end(struct ocop_store *s);

/** Enter and begin, and the end of both, for calls that write. */
OCOP_MUST_USE enum ocop_status client_write(struct ocop_store *s, struct ocop_error *err);
/** Has what failed met a damaged page of the search index?
 *  @return true: do it once more, in the transaction that was begun for that */
OCOP_MUST_USE bool client_begin_again(struct ocop_store *s, enum ocop_status *st,
                                      struct ocop_error *err);
/** The end of client_write for calls that alter records, or their second beginning: true. */
OCOP_MUST_USE bool client_write_again(struct ocop_store *s, enum ocop_status *st,
                                      struct ocop_error *err);
OCOP_MUST_USE enum ocop_status client_write_end(struct ocop_store *s, enum ocop_status st,
                                                struct ocop_error *err);

/** An invariant does not hold: the handle is of no use any more. Returns OCOP_EBROKEN. */
enum ocop_status client_broken(struct ocop_store *s, const char *what, struct ocop_error *err);

/** One exchange at a time: sets `busy`, or OCOP_EBUSY. The lock is held on entry and on return. */
OCOP_MUST_USE enum ocop_status client_begin_exchange(struct ocop_store *s, struct ocop_error *err);
void client_end_exchange(struct ocop_store *s);

/** A handle of its own on the same file. */
OCOP_MUST_USE enum ocop_status client_open_again(struct ocop_store *s, struct ocop_store **out,
                                                 struct ocop_error *err);

/** The link given with the options, or one over the network to `address`. */
OCOP_MUST_USE enum ocop_status client_link(struct ocop_store *s, const char *address,
                                           struct link **out, struct ocop_error *err);
void client_unlink(struct ocop_store *s, struct link *link);

/** Kinds, once in a process. */
void client_init(void);

/* --- open and close (store.c from here on) --------------------------------------------------- */

/** `secret` is the app's key; empty: the file is plain. */
OCOP_MUST_USE enum ocop_status store_open(struct ocop_store *s, const char *path, bool must_exist,
                                          const char *vfs, struct span secret,
                                          struct ocop_error *err);
void store_close(struct ocop_store *s);
/** The file, and the VFS it was opened by. */
const char *store_path(struct ocop_store *s);
const char *store_vfs(struct ocop_store *s);
/** What opens the file again; empty when it is plain. Lives as long as the store is open. */
struct span store_secret(const struct ocop_store *s);
/** Put the file under another key, and open it again. Not in a transaction. When the file cannot be
 *  opened again, `s` has none: OCOP_EBROKEN. */
OCOP_MUST_USE enum ocop_status store_rekey(struct ocop_store *s, struct span secret,
                                           struct ocop_error *err);
OCOP_MUST_USE enum ocop_status store_begin(struct ocop_store *s, struct ocop_error *err);
/** The transaction will only read. */
OCOP_MUST_USE enum ocop_status store_begin_read(struct ocop_store *s, struct ocop_error *err);
OCOP_MUST_USE enum ocop_status store_commit(struct ocop_store *s, struct ocop_error *err);
bool store_rollback(struct ocop_store *s);
/** Has another connection written since this was asked last? In a transaction. */
OCOP_MUST_USE enum ocop_status store_overtaken(struct ocop_store *s, bool *out,
                                               struct ocop_error *err);

/* --- meta ------------------------------------------------------------------------------------ */

/** len 0 when there is none. */
OCOP_MUST_USE enum ocop_status store_meta(struct ocop_store *s, const char *key, struct arena *a,
                                          struct span *out, struct ocop_error *err);
OCOP_MUST_USE enum ocop_status store_meta_set(struct ocop_store *s, const char *key,
                                              struct span value, struct ocop_error *err);
OCOP_MUST_USE enum ocop_status store_meta_set_int(struct ocop_store *s, const char *key,
                                                  uint64_t value, struct ocop_error *err);
/** *found is false, and *out 0, where none is set. */
OCOP_MUST_USE enum ocop_status store_meta_int(struct ocop_store *s, const char *key,
                                              struct arena *a, bool *found, uint64_t *out,
                                              struct ocop_error *err);
/** Read s->me anew. */
OCOP_MUST_USE enum ocop_status store_identity(struct ocop_store *s, struct ocop_error *err);

/* --- wiping (store_wipe.c) ------------------------------------------------------------------- */

/** The keys go, and from here on the wipe is finished whatever happens. `reason` stays to be read.
 *  Inside a transaction. */
OCOP_MUST_USE enum ocop_status store_wipe_begin(struct ocop_store *s, const char *reason,
                                                unsigned lost, struct ocop_error *err);
/** All rows go, out of the file too as far as SQLite can. May be repeated. In a transaction of its
 *  own, as the next two. OCOP_EBUSY: somebody reads the store, and the file still holds what was in
 *  it. */
OCOP_MUST_USE enum ocop_status store_wipe_rows(struct ocop_store *s, struct ocop_error *err);
/** Nothing is left but what it takes to tell the server so. */
OCOP_MUST_USE enum ocop_status store_wipe_done(struct ocop_store *s, struct ocop_error *err);
/** The server knows: what it took to tell it goes too. */
OCOP_MUST_USE enum ocop_status store_wipe_told(struct ocop_store *s, struct ocop_error *err);
/** As if nothing had been here: to enrol anew. Inside a transaction. */
OCOP_MUST_USE enum ocop_status store_wipe_over(struct ocop_store *s, struct ocop_error *err);

/* --- records --------------------------------------------------------------------------------- */

/** The row that the officer sees. OCOP_ENOTFOUND. */
OCOP_MUST_USE enum ocop_status store_record(struct ocop_store *s, uint32_t kind,
                                            const struct id *id, struct arena *a,
                                            struct fields *out, uint64_t *version,
                                            struct ocop_error *err);
/** Put it, with its text for searching; whether it is there or not. `f` gets equal bases. */
OCOP_MUST_USE enum ocop_status store_record_put(struct ocop_store *s, uint32_t kind,
                                                const struct id *id, struct fields *f,
                                                uint64_t version, struct ocop_error *err);
/** Its cases go with it. No error when it is not there. */
OCOP_MUST_USE enum ocop_status store_record_delete(struct ocop_store *s, uint32_t kind,
                                                   const struct id *id, struct ocop_error *err);
/** The same of one that the registry has and that is for this device no more: a content that it
 *  names, and that is not at the registry yet, is sent all the same. */
OCOP_MUST_USE enum ocop_status store_record_leave(struct ocop_store *s, uint32_t kind,
                                                  const struct id *id, struct ocop_error *err);
OCOP_MUST_USE enum ocop_status store_record_exists(struct ocop_store *s, uint32_t kind,
                                                   const struct id *id, bool *out,
                                                   struct ocop_error *err);
/** Which kind has it; 0: none. */
OCOP_MUST_USE enum ocop_status store_record_kind(struct ocop_store *s, const struct id *id,
                                                 uint32_t *kind, struct ocop_error *err);
/** Ids of a kind: of one unit, or (NULL) of all. */
OCOP_MUST_USE enum ocop_status store_record_ids(struct ocop_store *s, uint32_t kind,
                                                const struct id *unit, struct arena *a,
                                                struct id **out, size_t *count,
                                                struct ocop_error *err);
/** No version above `version` stays, and no departure: they were of a history that was lost. */
OCOP_MUST_USE enum ocop_status store_record_clamp(struct ocop_store *s, uint64_t version,
                                                  struct ocop_error *err);

/* --- outbox ---------------------------------------------------------------------------------- */

struct outbox_row {
    int64_t n;
    struct id record;
    uint32_t kind;
    enum outbox_state state;
    uint64_t seq; /* 0: not sealed */
    uint32_t idx;
    struct span change;         /* ChangeRow */
    const char *reason, *field; /* "" when there is none */
    bool sound;                 /* it is what was written */
};

struct outbox_rows {
    struct outbox_row *v;
    size_t count;
};

OCOP_MUST_USE enum ocop_status store_outbox_add(struct ocop_store *s, const struct change *c,
                                                enum outbox_state state, struct ocop_error *err);
/** Changes over one record, oldest first, the draft last. */
OCOP_MUST_USE enum ocop_status store_outbox_of(struct ocop_store *s, const struct id *record,
                                               struct arena *a, struct outbox_rows *out,
                                               struct ocop_error *err);
OCOP_MUST_USE enum ocop_status store_outbox_has(struct ocop_store *s, const struct id *record,
                                                bool *out, struct ocop_error *err);
/** Ready ones, oldest first: at most `max`, and of the packed changes at most `bytes` (but one). */
OCOP_MUST_USE enum ocop_status store_outbox_ready(struct ocop_store *s, size_t max, size_t bytes,
                                                  struct arena *a, struct outbox_rows *out,
                                                  struct ocop_error *err);
OCOP_MUST_USE enum ocop_status store_outbox_of_set(struct ocop_store *s, uint64_t seq,
                                                   struct arena *a, struct outbox_rows *out,
                                                   struct ocop_error *err);
/** Those that wait at the registry or were refused, or all (`all`). */
OCOP_MUST_USE enum ocop_status store_outbox_all(struct ocop_store *s, struct arena *a,
                                                struct outbox_rows *out, struct ocop_error *err);
OCOP_MUST_USE enum ocop_status store_outbox_sealed(struct ocop_store *s, int64_t n, uint64_t seq,
                                                   uint32_t idx, struct ocop_error *err);
OCOP_MUST_USE enum ocop_status store_outbox_settled(struct ocop_store *s, int64_t n,
                                                    enum outbox_state state, const char *reason,
                                                    const char *field, struct ocop_error *err);
OCOP_MUST_USE enum ocop_status store_outbox_rewrite(struct ocop_store *s, int64_t n,
                                                    const struct change *c, struct ocop_error *err);
OCOP_MUST_USE enum ocop_status store_outbox_delete(struct ocop_store *s, int64_t n,
                                                   struct ocop_error *err);
/** A refused change is ready again, before those that came after it. */
OCOP_MUST_USE enum ocop_status store_outbox_resend(struct ocop_store *s, int64_t n,
                                                   struct ocop_error *err);
/** Changes of sets from `seq` on are ready again, unless the registry has them. */
OCOP_MUST_USE enum ocop_status store_outbox_unseal(struct ocop_store *s, uint64_t seq,
                                                   struct ocop_error *err);
/** One change by its set and place; of `record`, unless NULL. Sets of earlier replicas have
 * negative sequences. */
OCOP_MUST_USE enum ocop_status store_outbox_one(struct ocop_store *s, int64_t seq, uint32_t idx,
                                                const struct id *record, struct arena *a,
                                                bool *found, struct outbox_row *out,
                                                struct ocop_error *err);
/** A change that was settled is sealed again as it was, before all others. */
OCOP_MUST_USE enum ocop_status store_outbox_put_back(struct ocop_store *s, const struct change *c,
                                                     int64_t seq, uint32_t idx,
                                                     struct ocop_error *err);
/** For another replica: what was sealed or waits at the registry is ready again; what was refused
 *  bears the sequence of an earlier replica. */
OCOP_MUST_USE enum ocop_status store_outbox_reseal(struct ocop_store *s, struct ocop_error *err);
/** count[state], states 1 to 5. */
OCOP_MUST_USE enum ocop_status store_outbox_count(struct ocop_store *s, unsigned count[6],
                                                  struct ocop_error *err);

/* --- sealed sets ----------------------------------------------------------------------------- */

struct sealed_row {
    uint64_t seq;
    struct sealed set;
    uint64_t acked;
};

OCOP_MUST_USE enum ocop_status store_sealed_add(struct ocop_store *s, const struct id *replica,
                                                uint64_t seq, const struct sealed *set,
                                                struct ocop_error *err);
/** Not acknowledged, in order, at most `max` and (but for the first) `bytes` together. */
OCOP_MUST_USE enum ocop_status store_sealed_unacked(struct ocop_store *s, const struct id *replica,
                                                    size_t max, size_t bytes, struct arena *a,
                                                    struct sealed_row **out, size_t *count,
                                                    struct ocop_error *err);
OCOP_MUST_USE enum ocop_status store_sealed_unacked_count(struct ocop_store *s,
                                                          const struct id *replica, size_t *count,
                                                          struct ocop_error *err);
/** Version the registry gave a set: 0 not acknowledged. *found: is there such a set? */
OCOP_MUST_USE enum ocop_status store_sealed_acked(struct ocop_store *s, const struct id *replica,
                                                  uint64_t seq, bool *found, uint64_t *version,
                                                  uint8_t hash[HASH_LEN], struct ocop_error *err);
OCOP_MUST_USE enum ocop_status store_sealed_ack(struct ocop_store *s, const struct id *replica,
                                                uint64_t seq, uint64_t version,
                                                struct ocop_error *err);
/** The registry has only those up to `seq`. */
OCOP_MUST_USE enum ocop_status store_sealed_unack(struct ocop_store *s, const struct id *replica,
                                                  uint64_t seq, struct ocop_error *err);
/** Drop sets from `seq` on: their changes stand in the outbox. */
OCOP_MUST_USE enum ocop_status store_sealed_drop(struct ocop_store *s, const struct id *replica,
                                                 uint64_t seq, struct ocop_error *err);
/** The last set of a replica whose sequence is below `below`. */
OCOP_MUST_USE enum ocop_status store_sealed_below(struct ocop_store *s, const struct id *replica,
                                                  uint64_t below, struct arena *a, bool *found,
                                                  struct sealed_row *out, struct ocop_error *err);
typedef enum ocop_status (*store_sealed_fn)(void *self, struct id replica,
                                            const struct sealed_row *row, struct ocop_error *err);
OCOP_MUST_USE enum ocop_status store_sealed_each(struct ocop_store *s, store_sealed_fn each,
                                                 void *self, struct ocop_error *err);

/* --- base, own, cases, stubs, counters ------------------------------------------------------- */

/** The registry's state under pending changes; *found false: not in the registry (as far as the
 *  store knows), or nothing is pending. */
OCOP_MUST_USE enum ocop_status store_base(struct ocop_store *s, const struct id *record,
                                          struct arena *a, bool *found, struct fields *out,
                                          uint64_t *version, struct ocop_error *err);
OCOP_MUST_USE enum ocop_status store_base_put(struct ocop_store *s, uint32_t kind,
                                              const struct id *record, const struct fields *f,
                                              uint64_t version, struct ocop_error *err);
/** Nothing is pending over the record any more. One that departed meanwhile goes now. */
OCOP_MUST_USE enum ocop_status store_base_delete(struct ocop_store *s, const struct id *record,
                                                 struct ocop_error *err);
/** Mark that the record departed under its pending changes, or that it came again. */
OCOP_MUST_USE enum ocop_status store_base_depart(struct ocop_store *s, const struct id *record,
                                                 bool departed, struct ocop_error *err);
/** Base rows whose record has nothing pending: for the check. */
OCOP_MUST_USE enum ocop_status store_base_orphans(struct ocop_store *s, unsigned *count,
                                                  struct ocop_error *err);

/** Is any record here this device's own? */
OCOP_MUST_USE enum ocop_status store_own_any(struct ocop_store *s, bool *out,
                                             struct ocop_error *err);
OCOP_MUST_USE enum ocop_status store_own(struct ocop_store *s, const struct id *record, bool *own,
                                         bool *merged, uint64_t *version, struct ocop_error *err);
OCOP_MUST_USE enum ocop_status store_own_merged(struct ocop_store *s, const struct id *record,
                                                struct ocop_error *err);
/** The registry took a change of this device, at `version`. */
OCOP_MUST_USE enum ocop_status store_own_taken(struct ocop_store *s, uint32_t kind,
                                               const struct id *record, uint64_t version,
                                               struct ocop_error *err);

struct case_row {
    struct id id, record, other; /* other is zero but for collisions */
    uint32_t kind, cause;
    const char *field, *base, *theirs, *mine;
    const char *resolution; /* NULL: open */
};
OCOP_MUST_USE enum ocop_status store_case_put(struct ocop_store *s, const struct case_row *row,
                                              struct ocop_error *err);
OCOP_MUST_USE enum ocop_status store_cases_of(struct ocop_store *s, const struct id *record,
                                              struct arena *a, struct case_row **out, size_t *count,
                                              struct ocop_error *err);

/** Close all open cases: they were of a history that was lost. */
OCOP_MUST_USE enum ocop_status store_cases_forget(struct ocop_store *s, struct ocop_error *err);
/** Does the store know an open case at all? */
OCOP_MUST_USE enum ocop_status store_cases_any_open(struct ocop_store *s, bool *out,
                                                    struct ocop_error *err);

OCOP_MUST_USE enum ocop_status store_stub_put(struct ocop_store *s, uint32_t kind,
                                              const struct id *id, struct span label,
                                              struct ocop_error *err);
OCOP_MUST_USE enum ocop_status store_stub_exists(struct ocop_store *s, const struct id *id,
                                                 bool *out, struct ocop_error *err);
/** The next value of a counter, from 1. */
OCOP_MUST_USE enum ocop_status store_counter_next(struct ocop_store *s, const char *name,
                                                  uint64_t *out, struct ocop_error *err);

/* --- reading everything again ---------------------------------------------------------------- */

/** Mark every record as not met yet. */
OCOP_MUST_USE enum ocop_status store_unseen_mark(struct ocop_store *s, struct ocop_error *err);
OCOP_MUST_USE enum ocop_status store_unseen_met(struct ocop_store *s, const struct id *record,
                                                struct ocop_error *err);
OCOP_MUST_USE enum ocop_status store_unseen_has(struct ocop_store *s, const struct id *record,
                                                bool *out, struct ocop_error *err);
/** Those never met of which the registry took a change of this device behind version `above`:
 *  `record` and `kind` of each. */
OCOP_MUST_USE enum ocop_status store_unseen_own(struct ocop_store *s, uint64_t above,
                                                struct arena *a, struct outbox_row **out,
                                                size_t *count, struct ocop_error *err);
/** Remove those never met that have nothing pending, and let the others depart; the mark is gone.
 *  *count: how many were removed. */
OCOP_MUST_USE enum ocop_status store_unseen_sweep(struct ocop_store *s, struct arena *a,
                                                  unsigned *count, struct ocop_error *err);
/** Those of kinds that this program does not know: `record` and `kind` of each. */
OCOP_MUST_USE enum ocop_status store_unknown_records(struct ocop_store *s, struct arena *a,
                                                     struct outbox_row **out, size_t *count,
                                                     struct ocop_error *err);

/* --- files (store_files.c) ------------------------------------------------------------------- */

/* What is known of one content. */
struct file_row {
    uint8_t hash[FILE_HASH_LEN];
    uint64_t size, done; /* bytes, and of them those that have travelled */
    bool here, central;  /* whole in the folder; whole at the registry */
    /* To be fetched; of one that is here: to be sent, whoever names it, for a record that the
     * registry has and that left. */
    bool wanted;
    bool asked; /* it is here, and wanted because the registry asked for it: no record owes it */
    int64_t tried_ms; /* 0: never */
};
OCOP_MUST_USE enum ocop_status store_file(struct ocop_store *s, const uint8_t hash[FILE_HASH_LEN],
                                          bool *found, struct file_row *out,
                                          struct ocop_error *err);
OCOP_MUST_USE enum ocop_status store_file_put(struct ocop_store *s, const struct file_row *row,
                                              struct ocop_error *err);
OCOP_MUST_USE enum ocop_status
store_file_delete(struct ocop_store *s, const uint8_t hash[FILE_HASH_LEN], struct ocop_error *err);
/** All that are here. */
OCOP_MUST_USE enum ocop_status store_files_here(struct ocop_store *s, struct arena *a,
                                                struct file_row **out, size_t *count,
                                                struct ocop_error *err);
/** What is to be sent, its record being acknowledged, or (`down`) to be fetched; smallest first. Of
 * a record or an attachment, or (NULL) all. */
OCOP_MUST_USE enum ocop_status store_files_moving(struct ocop_store *s, bool down,
                                                  const struct id *of, struct arena *a,
                                                  struct file_row **out, size_t *count,
                                                  struct ocop_error *err);
/** How many are to be sent. */
OCOP_MUST_USE enum ocop_status store_files_to_send(struct ocop_store *s, uint64_t *count,
                                                   struct ocop_error *err);
/** Those of this officer that the registry does not have, to be read here or not. */
OCOP_MUST_USE enum ocop_status store_files_never_sent(struct ocop_store *s, uint64_t *count,
                                                      struct ocop_error *err);
/** Those that are here and at the registry, which travelled longest ago first. */
OCOP_MUST_USE enum ocop_status store_files_spare(struct ocop_store *s, struct arena *a,
                                                 struct file_row **out, size_t *count,
                                                 struct ocop_error *err);
/** Those that no attachment here names, and that need not be sent. */
OCOP_MUST_USE enum ocop_status store_files_left(struct ocop_store *s, struct arena *a,
                                                struct file_row **out, size_t *count,
                                                struct ocop_error *err);
/** The registry is another one than that which said what it holds. */
OCOP_MUST_USE enum ocop_status store_files_doubt(struct ocop_store *s, struct ocop_error *err);
/** The registry says of this attachment that it keeps its content no more. */
OCOP_MUST_USE enum ocop_status store_file_removed(struct ocop_store *s, const struct id *attachment,
                                                  struct ocop_error *err);
/** Does an attachment on this device name it? */
OCOP_MUST_USE enum ocop_status store_file_named(struct ocop_store *s,
                                                const uint8_t hash[FILE_HASH_LEN], bool *out,
                                                struct ocop_error *err);
/** ... one of this device's officer? */
OCOP_MUST_USE enum ocop_status store_file_own(struct ocop_store *s,
                                              const uint8_t hash[FILE_HASH_LEN], bool *out,
                                              struct ocop_error *err);
/** Has the office removed all that name it? */
OCOP_MUST_USE enum ocop_status store_file_gone(struct ocop_store *s,
                                               const uint8_t hash[FILE_HASH_LEN], bool *out,
                                               struct ocop_error *err);
/** Contents that are here and that the registry does not hold yet. */
OCOP_MUST_USE enum ocop_status store_files_owed(struct ocop_store *s, uint64_t *count,
                                                uint64_t *bytes, struct ocop_error *err);
/** Bytes of what is attached to the record, and of all that is here, each content once and this one
 *  not; and how many attachments the record has. */
OCOP_MUST_USE enum ocop_status store_file_bytes(struct ocop_store *s, const struct id *record,
                                                const uint8_t hash[FILE_HASH_LEN],
                                                uint64_t *of_record, uint64_t *of_store,
                                                uint64_t *count, struct ocop_error *err);

/* --- thumbnails (store_thumbnails.c) ---------------------------------------------------------- */

/* The numbers are kept. */
enum thumbnail_state {
    THUMBNAIL_UNKNOWN = -1, /* there is no row */
    THUMBNAIL_WANTED = 0,
    THUMBNAIL_HERE = 1,
    THUMBNAIL_NONE = 2, /* the registry can make none */
    THUMBNAIL_TOLD = 3  /* wanted, and the registry had none: asked for again when there is news */
};
struct thumbnail_row {
    uint8_t hash[FILE_HASH_LEN]; /* of the content that it is of */
    enum thumbnail_state state;
    struct span image; /* a JPEG; empty: not here */
    int64_t at_ms;
};
/** `a` NULL: without its image, which nobody looks at who only asks whether it is here. */
OCOP_MUST_USE enum ocop_status store_thumbnail(struct ocop_store *s,
                                               const uint8_t hash[FILE_HASH_LEN], struct arena *a,
                                               struct thumbnail_row *out, struct ocop_error *err);
OCOP_MUST_USE enum ocop_status
store_thumbnail_put(struct ocop_store *s, const struct thumbnail_row *row, struct ocop_error *err);
/** Something about the content, or about an attachment that names it, is new: what the registry
 *  had none of is asked for again. */
OCOP_MUST_USE enum ocop_status store_thumbnail_again(struct ocop_store *s,
                                                     const uint8_t hash[FILE_HASH_LEN],
                                                     struct ocop_error *err);
OCOP_MUST_USE enum ocop_status
store_thumbnail_again_of(struct ocop_store *s, const struct id *attachment, struct ocop_error *err);
/** Of which contents, by hash and size; who asked first comes first. Of what the registry had none
 *  of once more a day, since a file that another brings is no news here. */
OCOP_MUST_USE enum ocop_status store_thumbnails_wanted(struct ocop_store *s, int64_t now_ms,
                                                       struct arena *a, struct file_row **out,
                                                       size_t *count, struct ocop_error *err);
/** Those that were asked for or came longest ago go, whatever the clock said then, until
 *  THUMBNAILS_KEPT_MAX are left. */
OCOP_MUST_USE enum ocop_status store_thumbnails_trim(struct ocop_store *s, struct ocop_error *err);
/** Those of contents that nothing here names any more, or that were removed, go. */
OCOP_MUST_USE enum ocop_status store_thumbnails_left(struct ocop_store *s, struct ocop_error *err);

/* An attachment with what is known of its content. */
struct attachment_row {
    struct id id, record;
    const char *role, *caption, *media_type, *name; /* "" when there is none */
    int state;                                      /* enum ocop_record_state */
    bool drafted;                                   /* there is a draft of it */
    int64_t removed_ms;                             /* by the registry's office; 0: not */
    const char *removed_reason;
    struct file_row file;
};
/** Of one record, or (NULL) all, newest first; voided ones are not among them. */
OCOP_MUST_USE enum ocop_status store_attachments(struct ocop_store *s, const struct id *record,
                                                 size_t max, struct arena *a,
                                                 struct attachment_row **out, size_t *count,
                                                 struct ocop_error *err);
/** One of them, voided or not. OCOP_ENOTFOUND. */
OCOP_MUST_USE enum ocop_status store_attachment(struct ocop_store *s, const struct id *id,
                                                struct arena *a, struct attachment_row *out,
                                                struct ocop_error *err);

/* --- find, status, check --------------------------------------------------------------------- */

/* What a query asks for, checked and folded. */
struct find {
    uint32_t kind;
    const struct id *unit, *product, *producer; /* NULL: any */
    const char *from, *to;                      /* days; NULL: any */
    int64_t from_ms, to_ms; /* the same as moments: from included, to excluded */
    int state;              /* 0: any */
    struct span words;      /* folded, all of which must begin a word; none: any */
    bool voided_too;
    int limit;
};

struct find_row {
    struct id id;
    uint32_t kind;
    int64_t n;
    int state;
    bool voided;
    int64_t moment; /* within the day, where the kind knows it; else 0 */
    char day[11];
    const char *label, *unit_name;
};

/** Newest first. *out has at most q->limit rows. */
OCOP_MUST_USE enum ocop_status store_find(struct ocop_store *s, const struct find *q,
                                          struct arena *a, struct find_row **out, size_t *count,
                                          struct ocop_error *err);
/** enum ocop_record_state of one record. */
OCOP_MUST_USE enum ocop_status store_state(struct ocop_store *s, const struct id *record, int *out,
                                           struct ocop_error *err);
/** Can a query of this kind ask for its product, producer, unit, day? */
bool store_find_knows(uint32_t kind, bool product, bool producer, bool day);

struct store_counts {
    unsigned records, cases, refused, waiting, drafts;
};
OCOP_MUST_USE enum ocop_status store_counts(struct ocop_store *s, struct store_counts *out,
                                            struct ocop_error *err);

/** The words that search finds a record by, folded. */
void store_search_text(const struct kind *k, const struct fields *f, struct buf *out);
/** So many records are about to be put in this transaction: when they are many, they do not wait
 * for the search index. */
void store_search_expect(struct ocop_store *s, size_t records);
/** What is to come into the index in this transaction; the commit does it too. */
OCOP_MUST_USE enum ocop_status store_searched_write(struct ocop_store *s, struct ocop_error *err);
/** Has the transaction that failed met a page of the search index that cannot be read? It was set
 * aside when that was rolled back, so that the same succeeds now. */
bool store_search_again(const struct ocop_store *s);
/** The next word of a text behind *at, which begins as 0: runs of letters and digits. */
bool store_word_next(struct span text, size_t *at, struct span *word);

/* --- store_check.c --- */

/** What the search index holds, or should. */
struct store_words {
    uint64_t count, sum;
};
/** All that it holds, when it is `sound` in itself. Once for a handle. */
/** They are not those of the records: the end of the transaction makes the index of them void. */
void store_words_wrong(struct ocop_store *s);
OCOP_MUST_USE enum ocop_status store_words_held(struct ocop_store *s, struct store_words *out,
                                                bool *sound, struct ocop_error *err);
/** Is the record found under each of its words? */
OCOP_MUST_USE enum ocop_status store_words_found(struct ocop_store *s, uint32_t kind,
                                                 const struct id *id, struct arena *a, bool *out,
                                                 struct ocop_error *err);
/** Each row that is not what was written, as its table and what names it; "sums" when some are
 * gone. Adds up in *words what the search index must hold; of `all` records, or some cannot be
 * read. */
OCOP_MUST_USE enum ocop_status store_sums(struct ocop_store *s,
                                          void (*found)(void *self, const char *row), void *self,
                                          struct store_words *words, bool *all,
                                          struct ocop_error *err);
/** SQLite's own checks and the schema; each finding is one line. Outside a transaction: the one of
 * the search index takes the right to write while it lasts. */
OCOP_MUST_USE enum ocop_status store_integrity(struct ocop_store *s,
                                               void (*each)(void *self, const char *line),
                                               void *self, struct ocop_error *err);

#endif
