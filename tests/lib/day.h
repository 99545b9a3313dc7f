/* A day of one inspector as phones make it: 40 full inspections and 10 samples in 15 openings of
 * the store, with sentences as officers write them. */
#ifndef TEST_DAY_H
#define TEST_DAY_H

enum { DAY_INSPECTIONS = 40, DAY_SAMPLES = 10, DAY_OPENINGS = 15 };

/** Submitted in the store at `path`, of one producer and product; ids as text. */
void day_record(const char *path, const char *producer, const char *product);

#endif
