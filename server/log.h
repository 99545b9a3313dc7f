/* The log: all accepted change-sets in the one order. A narrow interface, so that another engine
 * can carry it: append, read from a position, find. */
#ifndef SERVER_LOG_H
#define SERVER_LOG_H

#include "registry.h"

struct log_entry {
    uint64_t version;
    struct id replica;
    uint64_t seq;
    int64_t received_ms;
    uint8_t hash[HASH_LEN];
    uint8_t signature[SIGNATURE_LEN];
    struct span body;
};

enum log_answer { LOG_APPENDED, LOG_THERE, LOG_OTHER /* that (replica, seq) holds another set */ };

/** Give the set the next version. Inside the caller's transaction. *version is the new or the
 *  earlier position. */
OCOP_MUST_USE enum ocop_status log_append(struct registry *r, const struct change_set *set,
                                          const struct sealed *sealed, int64_t received_ms,
                                          enum log_answer *answer, uint64_t *version,
                                          struct ocop_error *err);

/** The entry at `version`; body borrowed until the next call. OCOP_ENOTFOUND past the end. */
OCOP_MUST_USE enum ocop_status log_read(struct registry *r, uint64_t version, struct log_entry *out,
                                        struct ocop_error *err);

/** The entry of (replica, seq), without its body. OCOP_ENOTFOUND. */
OCOP_MUST_USE enum ocop_status log_find(struct registry *r, const struct id *replica, uint64_t seq,
                                        struct log_entry *out, struct ocop_error *err);
#endif
