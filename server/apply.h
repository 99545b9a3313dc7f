/* Parts of applying that stand in files of their own; only apply*.c include this. */
#ifndef SERVER_APPLY_H
#define SERVER_APPLY_H

#include "changeset.h"
#include "registry.h"

enum { ANCESTORS_MAX = 16, PAST_BUCKETS = 1024 };

struct ancestor {
    struct id replica;
    uint64_t last_seq; /* its sets up to here are the author's own */
};

/* The earlier values of a field that its author had not made, newest first, down to `lowest` or to
 * the first that he had. */
struct past {
    struct past *next;
    struct id record;
    uint32_t number;
    struct span key;
    uint64_t author; /* the set that asks */
    uint64_t lowest; /* all versions above it are here, down to ... */
    uint64_t own;    /* ... the first that was the author's; 0: none so far */
    uint64_t *v;
    size_t count;
};

/* What the changes of one set have in common, those that they wake included. */
struct effects {
    /* Is there any row in these tables? Spares most changes a question. */
    bool waiting_any, dangling_any, late_any;
    bool scope_dirty;
    bool beyond;       /* a record was altered that the set did not create */
    size_t followers;  /* attachments that moved with their records */
    struct id counted; /* a record whose open cases are known: */
    uint32_t counted_kind;
    size_t open;
    size_t looked_at; /* open cases, each as often as a change made it necessary */
    /* Many changes may contradict one field that has a long past: it is read once. By the hash of
     * their paths; forgotten when they have become too many. */
    struct past *past[PAST_BUCKETS];
    struct arena past_arena;
};

/* One change on its way into the registry. */
struct apply {
    struct registry *r;
    struct arena *a; /* of this change alone */
    struct ocop_error *err;
    struct effects *fx;
    const struct change_set *set;
    uint64_t version;     /* being applied now */
    uint64_t set_version; /* position of the set: earlier when the change waited */
    uint32_t index;
    const struct change *change;
    const struct kind *kind; /* NULL: unknown to this program */
    bool woken;              /* it had waited for its record, for a part of its set at least */
    uint64_t born;           /* version at which the record came */
    struct replica_info replica;
    unsigned roles;
    struct ancestor ancestors[ANCESTORS_MAX];
    size_t ancestor_count;
    struct id unit_seen;     /* a unit that is known to lie in the scope */
    struct id unit_assigned; /* where the record lies that is the device's by itself; else zero */
    enum outcome_code outcome;
    struct ocop_error why;
};

static inline bool apply_is_late(const struct apply *p)
{
    return p->version != p->set_version;
}

static inline void bind_span(sqlite3_stmt *s, int at, struct span v)
{
    sqlite3_bind_blob64(s, at, v.p ? (const void *)v.p : "", v.len, SQLITE_STATIC);
}

static inline void bind_path(sqlite3_stmt *s, const struct apply *p, const struct field *path)
{
    bind_span(s, 1, id_span(&p->change->record));
    sqlite3_bind_int64(s, 2, path->number);
    bind_span(s, 3, path->key);
}

/* --- whose version (apply_author.c) --- */

OCOP_MUST_USE enum ocop_status ancestors_load(struct apply *p);

/** Was the value that `path` got at `version` made by this change's author, or by what it
 *  continues? Of path only number and key count. */
OCOP_MUST_USE enum ocop_status made_by_author(struct apply *p, const struct field *path,
                                              uint64_t version, bool *own);

/** Was the set at `version` made by this change's author, or by what it continues? */
OCOP_MUST_USE enum ocop_status set_by_author(struct apply *p, uint64_t version, bool *own);

/** Which earlier value of `path` had the author seen, who had seen the record at `base`: the one
 *  that was replaced at *version, 0 when none was since; *own: it is the author's own. */
OCOP_MUST_USE enum ocop_status past_seen(struct apply *p, const struct field *path, uint64_t base,
                                         uint64_t *version, bool *own);
/** The path has one more earlier value. */
void past_forget(struct apply *p, const struct field *path);

/** The same for what stands now: a merge_own_fn. */
OCOP_MUST_USE enum ocop_status own_value(void *self, const struct field *theirs, bool *own);

/** Had the author seen the whole record? */
OCOP_MUST_USE enum ocop_status saw_all(struct apply *p, const struct fields *state, bool *out);

/** Remember whose the applied fields are, as far as their version does not tell. */
OCOP_MUST_USE enum ocop_status authors_note(struct apply *p, const struct fields *state,
                                            const struct fields *applied);

/* --- what waits (apply_waiting.c) --- */

/** References that lead nowhere yet: the change applies, and says what it waits for. */
OCOP_MUST_USE enum ocop_status check_references(struct apply *p, const struct fields *applied);
/** The record that others waited for has come: references to it dangle no more. */
OCOP_MUST_USE enum ocop_status settle_references(struct apply *p, const struct id *target);

/** The change's record is not there. */
OCOP_MUST_USE enum ocop_status wait_for_record(struct apply *p);

struct waiting {
    uint64_t set_version;
    uint32_t index;
    int64_t received_ms;
    struct change_set set; /* replica, sequence and hash alone */
    struct change change;
};
/** Take the first change that waits for the record of p's out of the waiting room; *found is false
 *  when there is none. Its parts lie in `a`. */
OCOP_MUST_USE enum ocop_status waiting_take(struct apply *p, struct arena *a, struct waiting *out,
                                            bool *found);

/* --- attachments lie where their record lies (apply_attached.c) --- */

/** What is about to be created: when it is an attachment of a record that is there, put it where
 *  that lies; *moved when its author wrote something else. */
OCOP_MUST_USE enum ocop_status attached_place(struct apply *p, struct fields *record, bool *moved);
/** It was created so: keep what its author wrote. */
OCOP_MUST_USE enum ocop_status attached_note(struct apply *p, const struct fields *record);
/** These fields are to be set of a record that is `state`. If its unit is among them: will no more
 *  attachments follow than one set of a device may move? Else the change is refused. */
OCOP_MUST_USE enum ocop_status attached_check(struct apply *p, const struct fields *state,
                                              const struct fields *applied);
/** These fields were set of a record that was `state`: if its unit is among them, the attachments
 * that lay where it did follow. */
OCOP_MUST_USE enum ocop_status attached_follow(struct apply *p, const struct fields *state,
                                               const struct fields *applied);
/** A record was created: what was attached to it before goes where it lies. */
OCOP_MUST_USE enum ocop_status attached_meet(struct apply *p, const struct fields *record);

/** An outcome and its reason (apply.c). */
OCOP_MUST_USE enum ocop_status apply_refuse(struct apply *p, const char *field, const char *text);
/** The change's record has left this anchor (apply.c). */
OCOP_MUST_USE enum ocop_status departure_note(struct apply *p, const struct id *anchor);

/* --- cases (apply_cases.c) --- */

OCOP_MUST_USE enum ocop_status case_open(struct apply *p, enum case_cause cause,
                                         const struct field *mine, const struct field *theirs,
                                         const struct id *other);
/** Is the case that the change names one of its record? */
OCOP_MUST_USE enum ocop_status case_is_of(struct apply *p, bool *out);
/** May the change open `count` more cases of its record? Else it is refused. */
OCOP_MUST_USE enum ocop_status cases_room(struct apply *p, size_t count);
/** Close the case that this change resolves, and others of the record that became moot because the
 *  registry now holds what they asked for. */
OCOP_MUST_USE enum ocop_status cases_settle(struct apply *p, const struct fields *state,
                                            bool resolves);
/** How many cases of it these fields may open at most. */
size_t collisions_most(const struct apply *p, const struct fields *applied);
/** Two records with one natural key. Both stand; a person decides. */
OCOP_MUST_USE enum ocop_status check_collisions(struct apply *p, const struct fields *applied);
/** Keep what is replaced: a later case shows it as its base. */
OCOP_MUST_USE enum ocop_status history_keep(struct apply *p, const struct fields *state,
                                            const struct fields *applied);

#endif
