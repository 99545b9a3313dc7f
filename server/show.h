/* What people read on a terminal: text made harmless, records, the log and cases as lines. */
#ifndef SERVER_SHOW_H
#define SERVER_SHOW_H

#include <stdio.h>

#include "cases.h"

/** Text with control characters, direction overrides and broken UTF-8 shown as U+FFFD; line
 *  breaks and tabs become spaces. */
void show_text(FILE *out, struct span text);

/** The same as a JSON string, quoted; nothing is replaced but what JSON cannot hold. */
void show_json_text(FILE *out, struct span text);

/** JSON as it is, but what is harmful on a terminal is written as its escape, which is the same
 * JSON. */
void show_json(FILE *out, const struct buf *json);

/** As show_text, "" for NULL; and a moment in Vietnam's time. */
void show_str(FILE *out, const char *s);
void show_moment(FILE *out, int64_t ms);

/** One line that names a record: its label, else its id. Loads it; unknown ids are shown as such.
 */
OCOP_MUST_USE enum ocop_status show_label(struct registry *r, uint32_t kind, const struct id *id,
                                          FILE *out, struct ocop_error *err);

/** A record, one line per field; or as JSON. */
OCOP_MUST_USE enum ocop_status show_record(struct registry *r, uint32_t kind, const struct id *id,
                                           bool json, FILE *out, struct ocop_error *err);

enum show_form { SHOW_LINES, SHOW_JSON, SHOW_CSV };
/** Every record of a kind: id and label, JSON objects, or comma-separated with a header. */
OCOP_MUST_USE enum ocop_status show_kind(struct registry *r, uint32_t kind, enum show_form form,
                                         FILE *out, struct ocop_error *err);

/* A listing under way: what the files of show share. */
struct listing {
    struct registry *r;
    uint32_t kind;
    enum show_form form;
    FILE *out;
    size_t count;
};

/** How many records of each kind, the version and what is open. */
OCOP_MUST_USE enum ocop_status show_counts(struct registry *r, FILE *out, struct ocop_error *err);

/** Change-sets from version `from`, at most `limit`. */
OCOP_MUST_USE enum ocop_status show_log(struct registry *r, uint64_t from, uint64_t limit,
                                        FILE *out, struct ocop_error *err);

/** The whole story of one record, each signature and chain checked: story.h. `root_key`: NULL takes
 *  the one that the log names.
 *  @return OCOP_ENOTFOUND when the log has none; OCOP_EDAMAGED, after it was printed, when
 * something does not hold */
OCOP_MUST_USE enum ocop_status show_story(struct registry *r, const struct id *record,
                                          const uint8_t *root_key, bool json, FILE *out,
                                          struct ocop_error *err);

/** What a case is about: "field", "void", ...; and the path of its field. */
const char *show_cause(enum case_cause cause);
const char *show_case_field(const struct case_row *c, char *out, size_t room);

/** One line per case. */
OCOP_MUST_USE enum ocop_status show_cases(struct registry *r, bool all, bool json, FILE *out,
                                          struct ocop_error *err);
OCOP_MUST_USE enum ocop_status show_case(struct registry *r, const struct id *id, FILE *out,
                                         struct ocop_error *err);

/** One line per device, or a JSON array; only those last heard of (or, never heard of, enrolled)
 *  before a moment: INT64_MAX for all. */
OCOP_MUST_USE enum ocop_status show_devices(struct registry *r, bool json, int64_t heard_before_ms,
                                            FILE *out, struct ocop_error *err);

/** Invitations, who tried them in vain, and how often codes were guessed. */
OCOP_MUST_USE enum ocop_status show_invitations(struct registry *r, bool json, FILE *out,
                                                struct ocop_error *err);

/** Find a record by id, natural key or label. @return OCOP_ENOTFOUND, OCOP_EINVAL ambiguous */
OCOP_MUST_USE enum ocop_status show_find(struct registry *r, uint32_t kind, const char *text,
                                         struct id *out, struct ocop_error *err);

#endif
