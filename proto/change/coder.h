/* A range coder that runs three ways: the same calls write, read, or only count what writing would
 * cost. A model is thereby one text for both ends. Integers only. docs/protocol.md, 4.6. */
#ifndef CHANGE_CODER_H
#define CHANGE_CODER_H

#include "buf.h"

/* Odds are told apart by the highest bits of their context times this. */
#define ODDS_HASH UINT32_C(0x9e3779b1)

enum coder_way { CODER_WRITE, CODER_READ, CODER_COUNT };

struct coder {
    enum coder_way way;
    uint32_t range;
    uint64_t low;    /* writing: the bottom of the interval, with its carry in bit 32 */
    uint64_t held;   /* writing: bytes that a carry may still change */
    struct buf *out; /* writing */
    struct span in;  /* reading */
    size_t at;       /* reading: bytes taken; past the end there are zeros */
    uint32_t code;   /* reading: the input, less the bottom of the interval */
    uint64_t cost;   /* counting: in 256ths of a bit */
};

/** What a bit was so far. All zero: nothing yet. */
struct odds {
    int16_t lean;  /* chance of a 0 in 65,536ths, less one half */
    uint16_t seen; /* how often, up to where the chance moves no slower */
};

enum { NUMBER_NARROW = 8, NUMBER_WIDTH_BITS = 6, NUMBER_LEARNT = 20 };

/** A number whose size is learnt: its width in bits and, of one not too wide, the two bits below
 *  the highest. */
struct number {
    struct odds wider[NUMBER_NARROW];         /* than so many bits? */
    struct odds wide[1 << NUMBER_WIDTH_BITS]; /* a tree: by how many more than NUMBER_NARROW */
    struct odds below[NUMBER_LEARNT][4];      /* trees, by width */
};

void coder_write(struct coder *c, struct buf *out);
void coder_count(struct coder *c);
void coder_read(struct coder *c, struct span in);

/** Write what is held. The buffer tells whether all went well. */
void coder_end(struct coder *c);

/** Was the input taken up to its last byte? Bytes that nothing was read from are an error. */
bool coder_used_up(const struct coder *c);

/** What a bit was, told without coding it. */
void odds_learn(struct odds *o, unsigned bit);

/* Each takes the value to write and gives the value, read or as given. */
unsigned coder_bit(struct coder *c, struct odds *o, unsigned bit);
uint64_t coder_even(struct coder *c, uint64_t v, uint64_t most); /* 0 to `most`, all alike */
uint64_t coder_number(struct coder *c, struct number *n, uint64_t v);
unsigned coder_tree(struct coder *c, struct odds *o, unsigned bits,
                    unsigned v); /* 1 << bits odds */

/** Where in 0 to total - 1 the next part lies (reading), then which part it is. total <= 2^20. */
uint32_t coder_seek(struct coder *c, uint32_t total);
void coder_part(struct coder *c, uint32_t from, uint32_t size, uint32_t total);

#endif
