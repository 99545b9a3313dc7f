/* What a new registry holds before anybody has written: code lists and checklists. */
#ifndef SERVER_INITIAL_H
#define SERVER_INITIAL_H

#include "columns.h"
#include "registry.h"

/** Changes that create the default code lists and checklists; ids are drawn from r->ids. Nothing
 *  is written. `out` lives in the arena.
 *  @return OCOP_ENOMEM; then `out` is empty */
OCOP_MUST_USE enum ocop_status initial_changes(struct registry *r, struct arena *a,
                                               struct changes *out, struct ocop_error *err);

#endif
