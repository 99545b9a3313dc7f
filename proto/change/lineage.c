/* What two histories of a registry have in common. Knows neither rows nor messages. */
#include "lineage.h"

static const struct lineage *find(const struct lineage *v, size_t count, struct id id)
{
    for (size_t i = 0; i < count; i++)
        if (id_eq(&v[i].id, &id))
            return &v[i];
    return NULL;
}

/* What `now` shares with `before`, one of those that it came from; false when it is none of them.
 */
static bool shared_with(const struct lineage *v, size_t count, struct id now, struct id before,
                        uint64_t *shared)
{
    const struct lineage *at = find(v, count, now);

    *shared = UINT64_MAX;
    for (size_t steps = 0; at && steps <= count; steps++) {
        if (id_eq(&at->id, &before))
            return true;
        if (at->fork_version < *shared)
            *shared = at->fork_version;
        at = find(v, count, at->parent);
    }
    return false;
}

uint64_t lineage_shared(const struct lineage *v, size_t count, struct id now, struct id from)
{
    const struct lineage *at = find(v, count, from);
    uint64_t low = UINT64_MAX, shared;

    for (size_t steps = 0; at && steps <= count; steps++) {
        if (shared_with(v, count, now, at->id, &shared))
            return shared < low ? shared : low;
        if (at->fork_version < low)
            low = at->fork_version;
        at = find(v, count, at->parent);
    }
    return 0;
}
