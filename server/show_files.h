/* Attachments for people: where each content is. */
#ifndef SERVER_SHOW_FILES_H
#define SERVER_SHOW_FILES_H

#include <stdio.h>

#include "query.h"

enum content_state {
    CONTENT_WHOLE,
    CONTENT_COMING,
    CONTENT_MISSING, /* nothing of it came yet */
    CONTENT_LOST,    /* it was here; devices are asked for it */
    CONTENT_REMOVED, /* by the office, as the attachment says */
    CONTENT_UNREAD   /* what there is of it cannot be read now */
};
/* What there is of a content. */
struct content_found {
    enum content_state state;
    uint64_t done;    /* bytes */
    int64_t tried_ms; /* when a chunk last came; 0: none did */
    char why[160];    /* of CONTENT_UNREAD */
};
/** What is whole by its length is not read. */
OCOP_MUST_USE enum ocop_status content_find(struct registry *r, const struct query_file *f,
                                            struct content_found *out, struct ocop_error *err);

struct show_files {
    bool missing;            /* only those whose content is not whole here */
    uint32_t device;         /* only those of this device; 0: all */
    const struct id *record; /* only those of this record; NULL: all */
    bool by_device;          /* a line for each device, in the place of one for each attachment */
    bool json;
};
/** Every attachment with what there is of its content, those waited for longest first. */
OCOP_MUST_USE enum ocop_status show_files(struct registry *r, const struct show_files *what,
                                          FILE *out, struct ocop_error *err);

/** A line for each attachment of a record. */
OCOP_MUST_USE enum ocop_status show_attached(struct registry *r, const struct id *record, FILE *out,
                                             struct ocop_error *err);

#endif
