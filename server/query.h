/* The registry's questions for people: lists, counts, and upkeep of the file. With registry.c the
 * only place of the server's SQL; nothing here influences an outcome. */
#ifndef SERVER_QUERY_H
#define SERVER_QUERY_H

#include "enrol.h"

struct query_record {
    struct id id;
    struct fields fields; /* in the scratch arena: gone with the next record */
    struct row_meta meta;
};
typedef enum ocop_status (*query_record_fn)(void *self, const struct query_record *record,
                                            struct ocop_error *err);

/** Every record of a kind, oldest first. What `fn` returns ends it unless OCOP_OK. */
OCOP_MUST_USE enum ocop_status query_records(struct registry *r, uint32_t kind, query_record_fn fn,
                                             void *self, struct ocop_error *err);

/** Of master data, the records of a kind whose unit was split among several others, so that a
 * person must say where each now lies. */
OCOP_MUST_USE enum ocop_status query_undecided(struct registry *r, uint32_t kind,
                                               query_record_fn fn, void *self,
                                               struct ocop_error *err);

OCOP_MUST_USE enum ocop_status query_count(struct registry *r, uint32_t kind, uint64_t *out,
                                           struct ocop_error *err);

/** What a device last told of itself. `known` is false when it was never heard of. */
struct query_contact {
    bool known;
    int64_t last_ms, skew_ms;
    uint32_t waiting, schema, program;
    uint64_t refused; /* of its changes, as their outcomes stand now */
    uint64_t aside;   /* change-sets that were put aside */
    uint64_t tried;   /* how often another device tried the invitation that this one used */
};
OCOP_MUST_USE enum ocop_status query_contact(struct registry *r, const struct id *replica,
                                             struct query_contact *out, struct ocop_error *err);

struct query_invitation {
    char id[INVITATION_ID_LEN + 1];
    struct id officer, replica; /* replica: who used it; zero: nobody */
    const struct id *scope;
    size_t scope_count;
    int64_t made_ms, expires_ms, used_ms, refused_ms, revoked_ms;
    uint64_t refused; /* tries by others, or after it was taken back */
};
typedef enum ocop_status (*query_invitation_fn)(void *self, const struct query_invitation *row,
                                                struct ocop_error *err);
/** Every invitation, oldest first. */
OCOP_MUST_USE enum ocop_status query_invitations(struct registry *r, query_invitation_fn fn,
                                                 void *self, struct ocop_error *err);
/** Take one back that nobody has used. @return OCOP_ENOTFOUND, OCOP_ESTATE it is used or revoked */
OCOP_MUST_USE enum ocop_status query_invitation_revoke(struct registry *r, const char *id,
                                                       int64_t now_ms, struct ocop_error *err);

/* An attachment, and who made it. */
struct query_file {
    struct id id, record, by;                          /* by: its officer */
    const char *role, *media_type, *caption, *officer; /* "" when there is none */
    uint64_t size;
    uint8_t hash[FILE_HASH_LEN];
    uint32_t device;     /* its number; 0: none */
    int64_t received_ms; /* when the record came */
    uint64_t version;    /* of the attachment */
    int64_t removed_ms;  /* by the office; 0: it was not */
    const char *removed_by, *removed_reason, *hold_reason;
    int64_t lacking_ms; /* since when it is known to be lost here; 0: it is not */
};
typedef enum ocop_status (*query_file_fn)(void *self, const struct query_file *file,
                                          struct ocop_error *err);
/** Of a record, or (NULL) all, oldest first; voided ones too. */
OCOP_MUST_USE enum ocop_status query_files(struct registry *r, const struct id *record,
                                           query_file_fn fn, void *self, struct ocop_error *err);
/** All that name this content. */
OCOP_MUST_USE enum ocop_status query_files_of(struct registry *r, const uint8_t hash[FILE_HASH_LEN],
                                              query_file_fn fn, void *self, struct ocop_error *err);
/** Does any attachment name it whose content was not removed? */
OCOP_MUST_USE enum ocop_status query_file_named(struct registry *r,
                                                const uint8_t hash[FILE_HASH_LEN], bool *out,
                                                struct ocop_error *err);
/** Does one name it whose content the office had removed? */
OCOP_MUST_USE enum ocop_status query_file_removed(struct registry *r,
                                                  const uint8_t hash[FILE_HASH_LEN], bool *out,
                                                  struct ocop_error *err);

/** SQLite's own check of the whole file, and the schema. @return OCOP_EDAMAGED with the first
 * finding and what to do */
OCOP_MUST_USE enum ocop_status query_integrity(struct registry *r, struct ocop_error *err);

enum query_sums { QUERY_SUMS_OWN, QUERY_SUMS_LOG };
/** Is each row that is this node's own as it was written; or is each row of the log filed under
 * what it was filed under? @return OCOP_EDAMAGED with the first that is not and what to do */
OCOP_MUST_USE enum ocop_status query_sums(struct registry *r, enum query_sums what,
                                          struct ocop_error *err);

OCOP_MUST_USE enum ocop_status query_backup_made(struct registry *r, int64_t made_ms,
                                                 uint64_t version, const char *path,
                                                 struct ocop_error *err);

typedef enum ocop_status (*query_backup_fn)(void *self, const char *path, struct ocop_error *err);
/** The path of every backup that was made, as it was given. */
OCOP_MUST_USE enum ocop_status query_backups(struct registry *r, query_backup_fn fn, void *self,
                                             struct ocop_error *err);

/** Take over what is this node's own and not in the log: invitations, contacts, quarantine and
 *  the list of backups. */
OCOP_MUST_USE enum ocop_status query_copy_own(struct registry *to, const char *from_path,
                                              struct ocop_error *err);

/** How many rows the last statement wrote. */
size_t query_changed(struct registry *r);

/** Invitations that were used in the registry at `from_path` are used here too, by the same keys.
 */
OCOP_MUST_USE enum ocop_status query_invitations_used(struct registry *to, const char *from_path,
                                                      struct ocop_error *err);

/** Copy `from` as it stands now to the new file `path`, a step at a time beside a server that
 *  writes.
 *  @return OCOP_EDB, OCOP_EBUSY; the new file is then to be removed */
OCOP_MUST_USE enum ocop_status query_copy_file(const char *from, const char *path,
                                               struct ocop_error *err);

/** Leave write-ahead mode, so that the file alone is everything and can be read from a medium that
 *  cannot be written. */
OCOP_MUST_USE enum ocop_status query_one_file(const char *path, struct ocop_error *err);

#endif
