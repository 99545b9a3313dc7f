/* Reading what people write: shared by whole records (json_read.c) and assignments (json_set.c). */
#ifndef DATA_JSON_INPUT_H
#define DATA_JSON_INPUT_H

#include <jansson.h>

#include "json_parts.h"

#define JSON_BYTES_MAX (8 * RECORD_BYTES_MAX) /* of a record as a person sends it */

/* Everything that reading one input needs. */
struct input {
    struct id_source *ids;
    const struct env *env;
    struct arena *a;
    struct ocop_error *err;
};

/* Where we are, as in "findings[2].deadlineDate". */
struct path {
    char text[PATH_MAX_LEN];
};

/* Fields as they are found; sorted at the end. */
struct found {
    struct field *v;
    size_t count, room;
};

/** The place one step further in. */
struct path json_path(const struct path *in, const char *name);
/** A field by its name in JSON or in records.proto; NULL when there is none. */
const ProtobufCFieldDescriptor *json_member(const ProtobufCMessageDescriptor *m, const char *name);
/** OCOP_EINVAL that names the nearest name. */
OCOP_MUST_USE enum ocop_status json_unknown_name(const struct input *in, const struct path *at,
                                                 const ProtobufCMessageDescriptor *m,
                                                 const char *name);
/** A new id as the key of an element where keys are ids, else OCOP_EINVAL. */
OCOP_MUST_USE enum ocop_status json_missing_key(const struct input *in, const struct path *at,
                                                const ProtobufCFieldDescriptor *d,
                                                struct field *out);
/** One value, one element, all elements of a list. */
OCOP_MUST_USE enum ocop_status json_scalar(const struct input *in, const struct path *at,
                                           const ProtobufCFieldDescriptor *d, json_t *v,
                                           struct field *out);
OCOP_MUST_USE enum ocop_status json_element(const struct input *in, const struct path *at,
                                            const ProtobufCFieldDescriptor *list, json_t *object,
                                            struct span key, struct field *out);
OCOP_MUST_USE enum ocop_status json_elements(const struct input *in,
                                             const ProtobufCFieldDescriptor *d, json_t *v,
                                             struct found *to);
/** Parse within the limits. *out is to be released with json_decref. */
OCOP_MUST_USE enum ocop_status json_load(const struct input *in, struct span text, size_t flags,
                                         json_t **out);
OCOP_MUST_USE enum ocop_status json_found_add(const struct input *in, struct found *to,
                                              const struct field *f);
/** An id as UUID, or base64. */
OCOP_MUST_USE enum ocop_status json_bytes(const struct input *in, const struct path *at,
                                          const ProtobufCFieldDescriptor *d, struct span text,
                                          struct span *out);

#endif
