/* The registry is a function of its log: replaying it elsewhere, and proving that nothing in it was
 * altered. */
#ifndef SERVER_REPLAY_H
#define SERVER_REPLAY_H

#include "ingest.h"

struct replay_result {
    uint64_t sets, changes, replicas;
};

/** Copy the log of `from` into the empty registry `to` and apply it there; `to` becomes the same
 *  registry (self, lineage). In transactions of its own.
 *  @return OCOP_EDAMAGED naming the version that cannot be replayed; `to` is then to be removed */
OCOP_MUST_USE enum ocop_status replay(struct registry *from, struct registry *to,
                                      struct replay_result *result, struct ocop_error *err);

/** Check every entry of the log: hash, chain, sequence without gaps, and the signature by the key
 *  that the log itself had enrolled by then. `root`: what the registry's own sets must be signed
 *  with; NULL takes the key of the first set.
 *  @return OCOP_EDAMAGED naming the version and what is wrong with it */
OCOP_MUST_USE enum ocop_status replay_check(struct registry *r, const uint8_t *root,
                                            struct replay_result *result, struct ocop_error *err);

/** Replay into the new file `scratch` and compare canonical dumps; the file is left to the caller.
 *  @return OCOP_EDAMAGED naming the first line that differs */
OCOP_MUST_USE enum ocop_status replay_compare(struct registry *r, const char *scratch,
                                              struct replay_result *result, struct ocop_error *err);

#endif
