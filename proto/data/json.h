/* Records as JSON with protobuf's canonical names, and list columns as canonical JSON. Only
 * json_read.c and json_set.c know jansson. Bytes of ids are written as UUID text (docs/protocol.md,
 * 3), other bytes as base64; int64 as string; what is unknown under "_unknown" as base64. */
#ifndef DATA_JSON_H
#define DATA_JSON_H

#include "change.h"

/** A whole record as one JSON object: {"id": ..., then fields by number}. `pretty` indents. */
OCOP_MUST_USE enum ocop_status json_from_fields(const struct kind *k, const struct id *id,
                                                const struct fields *f, bool pretty,
                                                struct buf *out, struct ocop_error *err);

/** Parse an object into fields; unknown names are refused, naming them; "id" is optional (then
 *  *id is zero). Accepts lowerCamelCase and proto names. Elements without a key get one from
 *  `ids` when that is not NULL and the key is an id. Nesting and sizes are limited. */
OCOP_MUST_USE enum ocop_status json_to_fields(const struct kind *k, struct span json,
                                              struct id_source *ids, const struct env *env,
                                              struct arena *a, struct id *id, struct fields *out,
                                              struct ocop_error *err);

/** Set one field from text, as in `--set conclusion=pass`, `--set answers[NC.1].answer=fail`,
 *  `--set lat_e6=12345678`; "field=" clears. Replaces or adds in `f` (kept sorted). */
OCOP_MUST_USE enum ocop_status json_set_text(const struct kind *k, const char *assignment,
                                             struct id_source *ids, const struct env *env,
                                             struct arena *a, struct fields *f,
                                             struct ocop_error *err);

/** The canonical text of one list column: an array of objects by key, fields by number. `f` holds
 *  the elements of one list, FIELD_CLEAR ones are left out. Fast: no DOM. */
OCOP_MUST_USE enum ocop_status json_list_write(const struct field_rule *list, const struct field *f,
                                               size_t count, struct buf *out,
                                               struct ocop_error *err);

/** And back: elements in the order of their keys, packed. Text this program wrote is read without
 *  a DOM where that is simple; anything else is OCOP_EDAMAGED. */
OCOP_MUST_USE enum ocop_status json_list_read(const struct field_rule *list, struct span json,
                                              struct arena *a, struct fields *out,
                                              struct ocop_error *err);

/** One value as JSON text (for cases): a string, number, object or null. */
OCOP_MUST_USE enum ocop_status json_value(const struct kind *k, const struct field *f,
                                          struct buf *out, struct ocop_error *err);

/** And back, for `case resolve --value`. */
OCOP_MUST_USE enum ocop_status json_value_read(const struct kind *k, uint32_t number,
                                               struct span key, struct span json, struct arena *a,
                                               struct field *out, struct ocop_error *err);

#endif
