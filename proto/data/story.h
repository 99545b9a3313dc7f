/* The story that checked evidence tells, for people and for programs. The same text wherever it is
 * told: at the registry and far from it. */
#ifndef DATA_STORY_H
#define DATA_STORY_H

#include "evidence.h"

/** Lines for people. What the registry alone says is marked; what does not hold says BAD. Text of
 *  others is made harmless. @return OCOP_ENOMEM, OCOP_ELIMIT (out's cap) */
OCOP_MUST_USE enum ocop_status story_text(const struct evidence *e, struct buf *out,
                                          struct ocop_error *err);

/** The same as one JSON object. */
OCOP_MUST_USE enum ocop_status story_json(const struct evidence *e, struct buf *out,
                                          struct ocop_error *err);

/* --- what both forms share (story.c) --- */

const char *story_verb(uint8_t verb);
const char *story_outcome(const Ocop__Evidence__EvidenceOutcome *o);
const char *story_cause(uint32_t cause);
const char *story_fate(enum evidence_fate fate);

/** "conclusion", "answers[NC.1]"; returns out. */
const char *story_path(uint32_t kind, const struct field *f, char *out, size_t room);

/** A value as JSON text, "null" for none; valid UTF-8 whatever the set holds. */
OCOP_MUST_USE enum ocop_status story_value(uint32_t kind, const struct field *f, struct buf *out,
                                           struct ocop_error *err);

/** What the record is called by its last state; len 0: it has no name. *kind is that of the state,
 *  or of its first change. */
struct span story_label(const struct evidence *e, const struct kind **kind);

/** The invitation of a replica; NULL: none is told of. */
const Ocop__Evidence__EvidenceInvitation *story_invitation(const struct evidence *e,
                                                           const struct id *replica);

/** "whole", "damaged", "missing"; NULL: it was not looked at. */
const char *story_carried(const struct evidence_file *f);
/** Text of its attachment; len 0: none. */
struct span story_file_text(const struct evidence_file *f, uint32_t number);

static inline struct span story_span(const ProtobufCBinaryData *b)
{
    return span_of(b->data, b->len);
}

#endif
