/* What people give: files, numbers, names of records and units, fields. */
#ifndef CLI_INPUT_H
#define CLI_INPUT_H

#include "command.h"

/** Names of the kinds that the library records or receives; NULL ends them. */
extern const char *const input_kinds[];
/** Is it one of them? OCOP_ENOTFOUND. NULL is fine: it asks for all. */
OCOP_MUST_USE enum ocop_status input_kind(const char *name, struct ocop_error *err);

/** A whole file, or stdin for "-"; `out` is emptied first. */
OCOP_MUST_USE enum ocop_status input_file(const char *path, struct out *out,
                                          struct ocop_error *err);
/** The whole number of an option, `fallback` when it is not given. */
OCOP_MUST_USE enum ocop_status input_number(struct session *s, enum opt option, int min, int max,
                                            int fallback, int *out, struct ocop_error *err);

/** The record that an id, a paper number or a label names. `kind` may be NULL. */
OCOP_MUST_USE enum ocop_status input_record(struct ocop_store *store, const char *kind,
                                            const char *name, struct ocop_id *out,
                                            struct ocop_error *err);
/** The unit that an id or a code names; of several periods the one in force. */
OCOP_MUST_USE enum ocop_status input_unit(struct ocop_store *store, const char *name,
                                          struct ocop_id *out, struct ocop_error *err);

/** Lay --json and then each --set over *record, which may be replaced. */
OCOP_MUST_USE enum ocop_status input_fields(struct session *s, const char *kind,
                                            ProtobufCMessage **record, struct ocop_error *err);
/** A record with nothing but one element in `list`, of --json and --set. Free with ocop_free. */
OCOP_MUST_USE enum ocop_status input_element(struct session *s, const char *kind,
                                             const ProtobufCFieldDescriptor *list,
                                             ProtobufCMessage **out, struct ocop_error *err);

#endif
