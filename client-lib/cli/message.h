/* Walks any record by its descriptor. Knows no kind by name. */
#ifndef CLI_MESSAGE_H
#define CLI_MESSAGE_H

#include "ocop.h"
#include "out.h"

struct ocop_id message_id(const ProtobufCMessage *m);

/** A field by name; NULL when the message has none. */
const ProtobufCFieldDescriptor *message_field(const ProtobufCMessage *m, const char *name);
bool message_is_list(const ProtobufCFieldDescriptor *d);
/** Is a scalar set? */
bool message_has(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *d);
/** A text field; NULL when it is not set or the message has none of this name. */
const char *message_string(const ProtobufCMessage *m, const char *name);
/** A field of 16 bytes; false when it is not set or is no id. */
bool message_ref(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *d, struct ocop_id *out);
/** The elements of a list. */
const ProtobufCMessage *const *
message_elements(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *list, size_t *count);

/** What one line calls the record by: its paper number, name or the like; NULL when it has none. */
const char *message_label(const ProtobufCMessage *m);
/** Its paper number; NULL when it has none (yet). */
const char *message_paper(const ProtobufCMessage *m);

/** Append a scalar; nothing when it is not set. `human`: moments in Vietnam's time, coordinates in
 *  degrees. */
void message_value(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *d, bool human,
                   struct out *o);

/** Append the whole record for people; names what it refers to as far as `store` knows it. */
void message_show(struct ocop_store *store, const ProtobufCMessage *m, struct out *o);

#endif
