/* Histories of a registry: a restored backup begins one of its own. */
#ifndef CHANGE_LINEAGE_H
#define CHANGE_LINEAGE_H

#include <stddef.h>

#include "id.h"

struct lineage {
    struct id id, parent;  /* parent: zero for the first */
    uint64_t fork_version; /* the last version that it shares with its parent */
};

/** The last version that lineage `from` shares with the newest one of `v`, which is nobody's
 * parent.
 *
 *     A: 1 2 3 4 5 6
 *     B:      3 4' 5' 6'        fork_version 3, parent A
 *     C:            5' 6"       fork_version 5, parent B     shared with A: 3, with B: 5
 *
 *  @return UINT64_MAX when `from` is the newest; 0 when it is not among those before it */
uint64_t lineage_shared(const struct lineage *v, size_t count, struct id from);

#endif
