/* What ingest asks again and again, remembered between transactions as long as no other process
 * writes: which records exist, which codes are in which lists, who made a version, roles. */
#ifndef SERVER_CACHE_H
#define SERVER_CACHE_H

#include "registry.h"

OCOP_MUST_USE enum ocop_status cache_open(struct registry *r, struct registry_cache **out,
                                          struct ocop_error *err);
void cache_close(struct registry_cache *c);

/** Forget everything: after a rollback, or when another process has written. */
void cache_forget(struct registry_cache *c);

/** Is there a record with this id, of `kind` or (0) of any kind? Existence is remembered, absence
 *  is not. */
OCOP_MUST_USE enum ocop_status cache_exists(struct registry *r, uint32_t kind, const struct id *id,
                                            bool *out, struct ocop_error *err);
/** Remember that a record exists now. */
void cache_note(struct registry *r, uint32_t kind, const struct id *id);

/** Remember that the set at `version` did nothing but create records: what still has this version
 *  is as its author made it. */
void cache_note_plain(struct registry *r, uint64_t version);
/** False also when it is not remembered. */
bool cache_plain(const struct registry *r, uint64_t version);

/** Have the code lists at hand: before rules are checked, so that the look-up cannot fail. */
OCOP_MUST_USE enum ocop_status cache_codes_load(struct registry *r, struct ocop_error *err);
/** Look-up of codes for rules_check, after cache_codes_load; self = the registry. `list` is
 * remembered by its address: it must be a constant, as the names in rules are. */
enum code_answer cache_code(void *self, const char *list, struct span code, const char *day);
/** A code list changed. */
void cache_codes_changed(struct registry *r);

/** Roles of an officer on the day of `at_ms`: the time of receipt, which is in the log. */
OCOP_MUST_USE enum ocop_status cache_roles(struct registry *r, const struct id *officer,
                                           int64_t at_ms, unsigned *roles, struct ocop_error *err);
/** An officer's record was written. */
void cache_officer_changed(struct registry *r, const struct id *officer);

#endif
