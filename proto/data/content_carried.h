/* The contents that a bundle of evidence carries behind its story: read once, piece by piece, each
 * held against the hash that the story names. However large they are, one piece is in memory. */
#ifndef DATA_CONTENT_CARRIED_H
#define DATA_CONTENT_CARRIED_H

#include "evidence.h"

/* Where they go; any of its functions may be NULL. */
struct carried_sink {
    /* `file`: the first that names it. What this fails with ends the reading. */
    enum ocop_status (*begin)(void *self, const struct evidence_file *file, struct ocop_error *err);
    enum ocop_status (*write)(void *self, struct span piece, struct ocop_error *err);
    /* *name: that of the file which it was written to, in an arena; NULL when there is none. */
    enum ocop_status (*end)(void *self, bool whole, const char **name, struct ocop_error *err);
    void *self;
};

/** Read them behind evidence_open from the same source. Which of e->files are whole stands in them;
 *  what is not is a finding of `e`, in the arena.
 *  @return OCOP_EPROTO there is something behind the last; or of source and sink */
OCOP_MUST_USE enum ocop_status carried_read(struct evidence *e, const struct evidence_source *in,
                                            const struct carried_sink *sink, struct arena *a,
                                            struct ocop_error *err);

#endif
