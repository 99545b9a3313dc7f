/* A model of running text for the range coder: words met before by how often they stood, new ones
 * by their parts, those by their letters. Learns as it goes. All it knows of a language is that a
 * syllable has a beginning and a rime. docs/protocol.md, 4.6. */
#ifndef CHANGE_PHRASE_H
#define CHANGE_PHRASE_H

#include "arena.h"
#include "coder.h"

struct entry;

/* What stood before, each as often as it did. */
struct lexicon {
    struct entry *v; /* from 1; 0 is "none of them" */
    uint32_t *sums;  /* a Fenwick tree over twice the counts less one */
    uint32_t *slots; /* writing: hash table of entries */
    size_t count, room;
    uint32_t total;
};

struct phrase {
    struct coder *c;
    struct arena *a;
    bool failed; /* without memory */
    struct lexicon words, gaps, heads, rimes;
    struct number length; /* of a part that is spelled */
    struct odds letters[256];
    struct odds *pairs; /* of a letter after another */
    struct odds gap_other, gap_first, gap_last;
    struct odds follows[4]; /* was it the word that followed last time? by how often it was so */
};

/** The ends of texts in one column: by their length so far. */
struct ends {
    struct odds v[32];
};

/** The coder is to live as long, and to go one way. */
void phrase_init(struct phrase *p, struct coder *c, struct arena *a);

/** One text. Reading: `out` has room for `room` bytes, which stay as long as `p` does; returns the
 * length, or SIZE_MAX when the text is longer or malformed, or without memory (p->failed). */
size_t phrase_code(struct phrase *p, struct ends *ends, struct span text, uint8_t *out,
                   size_t room);

#endif
