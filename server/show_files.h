/* Attachments for people: where each content is, and whether all of them are sound. */
#ifndef SERVER_SHOW_FILES_H
#define SERVER_SHOW_FILES_H

#include <stdio.h>

#include "registry.h"

enum content_state { CONTENT_WHOLE, CONTENT_COMING, CONTENT_MISSING };
/* What there is of a content. */
struct content_found {
    enum content_state state;
    uint64_t done;    /* bytes */
    int64_t tried_ms; /* when a chunk last came; 0: none did */
};
/** Told from the folder alone; what is whole by its length is not read. */
OCOP_MUST_USE enum ocop_status content_find(struct registry *r, const uint8_t hash[FILE_HASH_LEN],
                                            uint64_t size, struct content_found *out,
                                            struct ocop_error *err);

struct show_files {
    bool missing;    /* only those whose content is not whole here */
    uint32_t device; /* only those of this device; 0: all */
    bool json;
};
/** Every attachment with what there is of its content, those waited for longest first. */
OCOP_MUST_USE enum ocop_status show_files(struct registry *r, const struct show_files *what,
                                          FILE *out, struct ocop_error *err);

/** A line for each attachment of a record. */
OCOP_MUST_USE enum ocop_status show_attached(struct registry *r, const struct id *record, FILE *out,
                                             struct ocop_error *err);

struct files_found {
    uint64_t read, missing, damaged, orphaned;
};
/** Read every content and hold it against its hash; a line for each that is missing, damaged, or
 *  named by no attachment. */
OCOP_MUST_USE enum ocop_status files_verify(struct registry *r, FILE *out,
                                            struct files_found *found, struct ocop_error *err);

/** Remove contents that no attachment names. In a transaction that writes, so that none comes to be
 *  named meanwhile. */
OCOP_MUST_USE enum ocop_status files_sweep(struct registry *r, FILE *out, struct files_found *found,
                                           struct ocop_error *err);

#endif
