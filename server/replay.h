/* The registry is a function of its log: replaying it elsewhere, and proving that nothing in it was
 * altered. */
#ifndef SERVER_REPLAY_H
#define SERVER_REPLAY_H

#include "ingest.h"

struct replay_result {
    uint64_t sets, changes, replicas;
};

/** Copy the log of `from` into the registry `to`, which is empty or has the first result->sets of
 *  it by an earlier call, and apply it there; `to` becomes the same registry (self, lineage). In
 *  transactions of its own on `to`.
 *  @return OCOP_EDAMAGED naming the version that cannot be replayed; `to` is then to be removed */
OCOP_MUST_USE enum ocop_status replay(struct registry *from, struct registry *to,
                                      struct replay_result *result, struct ocop_error *err);

/** Check every entry of the log: hash, chain, sequence without gaps, and the signature by the key
 *  that the log itself had enrolled by then. `root`: what the registry's own sets must be signed
 *  with; NULL takes the key of the first set.
 *  @return OCOP_EDAMAGED naming the version and what is wrong with it */
OCOP_MUST_USE enum ocop_status replay_check(struct registry *r, const uint8_t *root,
                                            struct replay_result *result, struct ocop_error *err);

/** Make the new file `into` of the log, with what no log holds copied; others may write to `r`
 *  meanwhile, and all that they had committed by the end is in it. On failure the file is left to
 *  the caller. @return as replay */
OCOP_MUST_USE enum ocop_status replay_rebuild(struct registry *r, const char *into,
                                              struct replay_result *result, struct ocop_error *err);

/** Replay into the new file `scratch` and compare canonical dumps, both of one moment, whoever
 *  writes to `r` meanwhile; the file is left to the caller.
 *  @return OCOP_EDAMAGED naming the first line that differs */
OCOP_MUST_USE enum ocop_status replay_compare(struct registry *r, const char *scratch,
                                              struct replay_result *result, struct ocop_error *err);

#endif
