/* One list each for the tables of a store and of a registry; this finds in either. */
#include "again.h"

#include <string.h>

const char *again_from(const struct again *list, const char *row)
{
    const size_t len = strcspn(row, " ");

    while (*list->table && (strlen(list->table) != len || strncmp(row, list->table, len) != 0))
        list++;
    return list->from;
}
