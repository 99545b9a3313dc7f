/* The index of words: which rows of a kind have a word. Kept in blocks of rows (table words), so
 * that words which stand in most records are joined by bits, block after block. What a transaction
 * changes waits in memory and is written once, before the commit. */
#ifndef CLIENT_STORE_WORDS_H
#define CLIENT_STORE_WORDS_H

#include "store_db.h"

enum { BLOCK_ROWS = 512, BLOCK_BITS = 64, BLOCK_PARTS = BLOCK_ROWS / BLOCK_BITS };

/* Which rows of a block. */
struct block_rows {
    uint64_t part[BLOCK_PARTS];
};

/* One of the words, which are sorted; or, if it is the only one, a word that begins so. */
struct wanted {
    struct span *any;
    size_t count;
};

/* The rows of a kind that have what was asked for, in ascending blocks. */
struct word_hits {
    struct word_block {
        int64_t block;
        struct block_rows rows;
    } * v;
    size_t count;
    size_t found;          /* rows */
    int64_t blocks_looked; /* at, whether or not anything was in them */
};

static inline bool block_has(const struct block_rows *b, unsigned row)
{
    return b->part[row / BLOCK_BITS] >> row % BLOCK_BITS & 1;
}

/** Rows as the table keeps them: the gap from the row before (from -1 at first), a byte each; 0 for
 * 255 more. False when no block was ever written so. */
bool block_read(struct span packed, struct block_rows *out);

/** Row n of the kind has the words of the text; or has them no more. */
OCOP_MUST_USE enum ocop_status words_note(struct ocop_store *s, uint32_t kind, int64_t n,
                                          struct span text, bool gone, struct ocop_error *err);
/** Write what was noted; forget it. OCOP_EBUSY: a damaged page was met, and this transaction can
 * only be rolled back. */
OCOP_MUST_USE enum ocop_status words_write(struct ocop_store *s, struct ocop_error *err);
/** All words of the kind go. */
OCOP_MUST_USE enum ocop_status words_clear(struct ocop_store *s, uint32_t kind,
                                           struct ocop_error *err);
/** All words of all kinds go, with their table, which is made as it was; for a table that cannot be
 * cleared. */
OCOP_MUST_USE enum ocop_status words_anew(struct ocop_store *s, struct ocop_error *err);
void words_forget(struct db *db);
void words_fini(struct db *db);

bool words_want(const struct wanted *w, struct span word);
/** Rows up to `up_to` of the kind that have all of `wanted`; none of a kind whose index is damaged.
 */
OCOP_MUST_USE enum ocop_status words_find(struct ocop_store *s, uint32_t kind, int64_t up_to,
                                          const struct wanted *wanted, size_t count,
                                          struct arena *a, struct word_hits *out,
                                          struct ocop_error *err);
/** One row more, behind all or in the last block. */
OCOP_MUST_USE enum ocop_status words_hit(struct word_hits *hits, int64_t n, struct arena *a,
                                         struct ocop_error *err);
bool words_has(const struct word_hits *hits, int64_t n);

#endif
