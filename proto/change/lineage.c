/* What two histories of a registry have in common. Knows neither rows nor messages. */
#include "lineage.h"

static const struct lineage *find(const struct lineage *v, size_t count, struct id id)
{
    for (size_t i = 0; i < count; i++)
        if (id_eq(&v[i].id, &id))
            return &v[i];
    return NULL;
}

static const struct lineage *newest(const struct lineage *v, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        bool parent = false;
        for (size_t j = 0; !parent && j < count; j++)
            parent = id_eq(&v[j].parent, &v[i].id);
        if (!parent)
            return &v[i];
    }
    return NULL;
}

uint64_t lineage_shared(const struct lineage *v, size_t count, struct id from)
{
    const struct lineage *at = newest(v, count);
    uint64_t shared = UINT64_MAX;

    for (size_t steps = 0; at && steps <= count; steps++) {
        if (id_eq(&at->id, &from))
            return shared;
        if (at->fork_version < shared)
            shared = at->fork_version;
        at = find(v, count, at->parent);
    }
    return 0;
}
