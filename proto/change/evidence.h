/* One record's evidence, with its attachments: the file that carries it, and what it proves. The
 * same code tells the story of a record at the registry and checks a bundle far from it. No
 * database, no clock, no output.
 *
 * Proven by signatures: what each set says, who signed it, and its place in its author's chain. The
 * registry's word, under the root key: when it received a set, what came of a change, cases, names,
 * and that the sets shown are all that touched the record. */
#ifndef CHANGE_EVIDENCE_H
#define CHANGE_EVIDENCE_H

#include "changeset.h"
#include "evidence.pb-c.h"
#include "merge.h"
#include "roots.h"

/** Pack, deflate and sign: the file but for the contents, which are to follow it as they are.
 *  @return OCOP_ELIMIT when it would be too large */
OCOP_MUST_USE enum ocop_status evidence_seal(const Ocop__Evidence__Bundle *bundle,
                                             const struct sign_key *root, struct buf *out,
                                             struct ocop_error *err);
/** The same of a bundle that is packed already, whatever it holds. */
OCOP_MUST_USE enum ocop_status evidence_seal_packed(struct span packed, const struct sign_key *root,
                                                    struct buf *out, struct ocop_error *err);

/* Where a file is read from, once and from its beginning. */
struct evidence_source {
    /* *got is less than `len` only at the end. OCOP_EIO. */
    enum ocop_status (*read)(void *self, void *out, size_t len, size_t *got,
                             struct ocop_error *err);
    void *self;
};

/** From memory: *left is what has not been read. */
struct evidence_source evidence_source_of(struct span *left);

/** Check the file's form and the signature of the root key that it names, then read it into the
 *  arena, as far as the contents. *bundle borrows from the arena, root_key is copied as soon as it
 *  is read.
 *  @return OCOP_EAUTH altered, or signed by another; OCOP_EPROTO no such file; OCOP_EVERSION of a
 *          newer program; OCOP_ELIMIT, OCOP_ENOMEM; or of the source */
OCOP_MUST_USE enum ocop_status evidence_open(const struct evidence_source *in, struct arena *a,
                                             uint8_t root_key[SIGN_PUBLIC_LEN],
                                             Ocop__Evidence__Bundle **bundle,
                                             struct ocop_error *err);

/* A key of a replica, since the version that made it known, and from a sequence on. */
struct evidence_key {
    struct evidence_key *before;
    uint64_t version;
    struct key_place place;
    uint8_t key[SIGN_PUBLIC_LEN];
};

/* Who signed: as the registry's own sets enrolled it. */
struct evidence_replica {
    struct evidence_replica *next;
    struct id id, officer, predecessor;
    uint64_t predecessor_seq;
    struct span type, name;
    uint32_t number;
    struct evidence_key *keys;                  /* newest first */
    uint64_t enrolled_version, revoked_version; /* 0: not */
    int64_t enrolled_ms, revoked_ms;            /* by the registry's clock */
    struct span revoked_reason;
    uint64_t links, shown; /* sets of its chain; of which whole */
    bool chain_good;
};

struct evidence_set {
    const Ocop__Evidence__EvidenceSet *in;
    struct change_set head; /* no changes; zero when it cannot be read */
    const struct evidence_replica *replica;
    bool readable, own, signature_good, chain_good, holds_record;
};

enum evidence_fate {
    FATE_TAKEN,
    FATE_SAME,    /* the record had it already */
    FATE_CASE,    /* stands in a case */
    FATE_REFUSED, /* with its change */
    FATE_WAITING  /* no such record yet */
};
struct evidence_value {
    const struct field *after;
    const struct field *before; /* NULL: there was none */
    enum evidence_fate fate;
};

struct evidence_change {
    const struct evidence_set *set;
    uint32_t index;
    struct change c;
    const Ocop__Evidence__EvidenceOutcome *outcome; /* NULL: applied */
    struct evidence_value *values;                  /* as many as c.fields */
    struct span rule_set;                           /* of the record behind it; len 0: none */
    bool waited;                                    /* it came before its record */
};

struct evidence_case {
    const Ocop__Evidence__EvidenceCase *in;
    const struct evidence_change *decision; /* NULL: not among the changes shown */
    bool id_good;                           /* its id follows from the set that caused it */
};

/* The record, or an attachment of it, as the changes leave it. There is one for each kind that has
 * the id. */
struct evidence_state {
    struct evidence_state *next;
    struct id id;
    uint32_t kind;
    bool present;
    struct fields fields;
};

/* What there was of an attachment's content when the bundle was made; the numbers are the file's.
 */
enum evidence_file_state {
    EVIDENCE_FILE_CARRIED = 1,  /* the bundle has it */
    EVIDENCE_FILE_LEFT_OUT = 2, /* the registry has it */
    EVIDENCE_FILE_COMING = 3,   /* a part of it */
    EVIDENCE_FILE_MISSING = 4,  /* nothing of it yet */
    EVIDENCE_FILE_DAMAGED = 5,  /* what the registry had is not what was sent, or was lost */
    EVIDENCE_FILE_REMOVED = 6,  /* by the registry's office, as the attachment says */
    EVIDENCE_FILE_REFUSED = 7   /* so was the attachment: there is nothing to have */
};

/* What was found of a content that the bundle carries. */
enum evidence_carried {
    CARRIED_UNREAD, /* not carried, or not looked at */
    CARRIED_WHOLE,  /* it has the hash that the attachment names */
    CARRIED_DAMAGED,
    CARRIED_CUT /* the file ends before it does */
};

struct evidence_file {
    const Ocop__Evidence__EvidenceFile *in;
    struct id id;                       /* of the attachment */
    const struct evidence_state *held;  /* NULL: it is none of the record's */
    const struct evidence_change *made; /* by which it was; with `held` */
    struct span hash;
    uint64_t size;
    enum evidence_carried carried;
    const char *written; /* the name of the file that it was written to; NULL: none */
};

struct evidence {
    const Ocop__Evidence__Bundle *bundle;
    struct id record;
    const uint8_t *root_key;
    struct root_chain roots;           /* as the registry's own record names them */
    struct evidence_replica *replicas; /* in the order of their enrolment */
    struct evidence_set *sets;
    size_t set_count;
    struct evidence_change *changes; /* of record and attachments, in the order of the log */
    size_t change_count;
    struct evidence_case *cases;
    size_t case_count;
    struct evidence_state *states;
    struct evidence_file *files; /* the record's attachments, by rising id */
    size_t file_count;
    size_t signatures, links; /* checked */
    const char **findings;    /* what does not hold, one line each */
    size_t finding_count; /* may be more than EVIDENCE_FINDINGS_MAX, of which no more are told */
};

/** Check all that a bundle says and follow what its changes did; the contents behind it are for
 *  carried_read (proto/data). What does not hold is a finding, never a failure. All is in the arena
 * or borrowed from bundle and root key.
 *  @return OCOP_ENOMEM, OCOP_ELIMIT */
OCOP_MUST_USE enum ocop_status evidence_check(const Ocop__Evidence__Bundle *bundle,
                                              const uint8_t root_key[SIGN_PUBLIC_LEN],
                                              struct arena *a, struct evidence *out,
                                              struct ocop_error *err);

/** What the registry calls a record as of a version; NULL when it says nothing of it. */
const Ocop__Evidence__EvidenceName *evidence_name(const struct evidence *e, const struct id *id,
                                                  uint64_t version);

/** The first change that makes this attachment, or NULL; whatever came of it. */
const struct evidence_change *evidence_made(const struct evidence *e, const struct id *attachment);

/* --- parts of evidence_check (evidence.c, evidence_replay.c, evidence_files.c) --- */

struct evidence_checking {
    struct evidence *e;
    struct arena *a;
    struct ocop_error *err;
};

void evidence_found(struct evidence_checking *c, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/** What the changes did to the record, against what the registry holds. */
OCOP_MUST_USE enum ocop_status evidence_replay(struct evidence_checking *c);

/** The state of a kind; made when there is none yet. NULL: memory or the cap is exhausted. */
struct evidence_state *evidence_state_of(struct evidence_checking *c, uint32_t kind,
                                         const struct id *id);

/** The attachments that the bundle names, before its sets are read. */
OCOP_MUST_USE enum ocop_status evidence_files_begin(struct evidence_checking *c);
/** Is it the record, or an attachment of it by the bundle's word? */
bool evidence_tells_of(const struct evidence *e, const struct id *id);
/** A change that makes an attachment of the record: the bundle must name it. */
void evidence_attached(struct evidence_checking *c, uint64_t version, const struct change *change);
/** What the bundle says of each content, against what its changes say. */
void evidence_files_check(struct evidence_checking *c);

#endif
