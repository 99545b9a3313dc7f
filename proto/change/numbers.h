/* Arrays of numbers for the range coder: in the layout that costs least. docs/protocol.md, 4.6. */
#ifndef CHANGE_NUMBERS_H
#define CHANGE_NUMBERS_H

#include "coder.h"

enum {
    NUMBERS_LAYOUT_BITS = 3,
    NUMBERS_GUISE_BITS = 2,
    NUMBERS_SMALL_BITS = 8, /* numbers of so many bits are told apart by how often they stood */
    NUMBERS_HASH_BITS = 10
};

/** What is learnt from array to array of one sort. */
struct numbers_sort {
    struct odds layout[1 << NUMBERS_LAYOUT_BITS], guise[1 << NUMBERS_GUISE_BITS];
};

/** What is learnt over all arrays, and room for the models of one. */
struct numbers {
    struct number least, span;
    struct odds width[NUMBERS_SMALL_BITS]; /* a tree */
    struct number sized;
    struct odds small[1 << NUMBERS_HASH_BITS];
};

/** Code `n` numbers in place; `spare` has room for as many.
 *  @return false when what is read cannot have been written */
bool numbers_code(struct numbers *m, struct numbers_sort *sort, struct coder *c, uint64_t *v,
                  size_t n, uint64_t *spare);

/** What that would cost, in 256ths of a bit, but for saying which layout. */
uint64_t numbers_cost(struct numbers *m, uint64_t *v, size_t n, uint64_t *spare);

#endif
