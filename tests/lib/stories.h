/* The story of every record, held against a reading of the whole log. */
#ifndef TESTS_STORIES_H
#define TESTS_STORIES_H

#include "registry.h"

/** Is every change in the log among those that past_versions finds, and do the stories of at most
 *  `stories_max` records, spread over all, hold in every point? False: why says what does not.
 *  *told: how many stories were checked. */
bool stories_hold(struct registry *r, size_t stories_max, size_t *told, char *why, size_t room);

#endif
