/* Histories of a registry: a restored backup begins one of its own. */
#ifndef CHANGE_LINEAGE_H
#define CHANGE_LINEAGE_H

#include <stddef.h>

#include "id.h"

struct lineage {
    struct id id, parent;  /* parent: zero for the first */
    uint64_t fork_version; /* the last version that it shares with its parent */
};

/** The last version that lineage `from` shares with `now`: that at which the first of the two left
 *  what both came from.
 *
 *     A: 1 2 3 4 5 6
 *     B:      3 4' 5' 6'        fork_version 3, parent A
 *     C:            5' 6"       fork_version 5, parent B     shares with A 3, with B 5
 *     D:    2 3"                fork_version 2, parent A     shares with A, B and C 2
 *
 *  @return UINT64_MAX when they are the same; 0 when one of them is not in `v` */
uint64_t lineage_shared(const struct lineage *v, size_t count, struct id now, struct id from);

#endif
