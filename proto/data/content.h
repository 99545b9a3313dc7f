/* A folder of contents, each kept once and named by its hash: DIR/ab/abcdef... What is being
 * written has a name in DIR/new until it is whole, on the disk and known by its hash. Knows no
 * database.
 *
 * A device's contents are encrypted with a key of its store, in blocks of FILE_CHUNK_BYTES that
 * each carry their nonce and tag: without the store they are noise, and a store that is wiped makes
 * them so. Without a key they are kept as they are. */
#ifndef DATA_CONTENT_H
#define DATA_CONTENT_H

#include <limits.h>
#include <sys/types.h>

#include "bounds.h"
#include "env.h"
#include "err.h"
#include "id.h"
#include "span.h"

enum { CONTENT_KEY_LEN = 32, CONTENT_NAME_LEN = 2 * FILE_HASH_LEN };

struct content_dir {
    char path[PATH_MAX - 160]; /* room for what lies in it */
    const struct env *env;
    bool keyed;
    uint8_t key[CONTENT_KEY_LEN]; /* wiped by its owner */
};

/** "abcdef...": out has room for CONTENT_NAME_LEN + 1. Returns out. */
const char *content_name(const uint8_t hash[FILE_HASH_LEN], char *out);
/** And back; false when it is no such name. */
bool content_named(const char *name, uint8_t hash[FILE_HASH_LEN]);

void content_key_wipe(uint8_t key[CONTENT_KEY_LEN]);

/** Nothing is made yet. `key`: CONTENT_KEY_LEN bytes, or NULL. OCOP_ELIMIT the path is too long. */
OCOP_MUST_USE enum ocop_status content_dir_init(struct content_dir *d, const char *path,
                                                const uint8_t *key, const struct env *env,
                                                struct ocop_error *err);

/* A content that is being written. */
struct content_writer {
    const struct content_dir *d;
    int fd; /* -1: none */
    char path[PATH_MAX];
    uint64_t size;
    uint8_t *block; /* of FILE_CHUNK_BYTES, and as much again to encrypt it */
    size_t held;    /* bytes in it */
    void *hashing;
    uint8_t hash[FILE_HASH_LEN]; /* after content_seal */
};

/** Begin: makes the folder when there is none. What others leave lying in it is not touched.
 *  On failure nothing is left. End by content_place or content_abandon. */
OCOP_MUST_USE enum ocop_status content_begin(const struct content_dir *d, struct content_writer *w,
                                             struct ocop_error *err);
OCOP_MUST_USE enum ocop_status content_write(struct content_writer *w, struct span bytes,
                                             struct ocop_error *err);
/** All was written: it is on the disk, and w->hash and w->size are known. */
OCOP_MUST_USE enum ocop_status content_seal(struct content_writer *w, struct ocop_error *err);
/** What was written, again: a block of FILE_CHUNK_BYTES, the last one shorter, *len 0 behind it.
 * After content_seal; `block` has content_written_room bytes. */
OCOP_MUST_USE enum ocop_status content_written(const struct content_writer *w, uint64_t index,
                                               uint8_t *block, size_t *len, struct ocop_error *err);
size_t content_written_room(const struct content_writer *w);
/** Give it its name, for good: it survives power loss from here on. To be called while who sweeps
 * is kept out. *fresh: there was none of this name. The writer is at its end either way. */
OCOP_MUST_USE enum ocop_status content_place(struct content_writer *w, bool *fresh,
                                             struct ocop_error *err);
/** No error when nothing was begun. */
void content_abandon(struct content_writer *w);

/* --- a content that comes in chunks (content_part.c) ------------------------------------------ */

/* What is known of a content on its way; the numbers travel. */
enum file_code {
    FILE_PART = 0,    /* these chunks are there; the others are wanted. Of a thumbnail: it is
                         being made */
    FILE_WHOLE = 1,   /* all of it is there, and this device has shown to have it */
    FILE_PROVE = 2,   /* it is there: prove to have it, by the nonce */
    FILE_UNNAMED = 3, /* no attachment that is there, and may be seen, names it */
    FILE_NO_ROOM = 4,
    FILE_ABSENT = 5,  /* asked for, and not there */
    FILE_BAD = 6,     /* a chunk was none of it, or the whole has another hash: it begins again */
    FILE_NONE = 7,    /* of a thumbnail: there is none, and there will be none */
    FILE_REMOVED = 8, /* by the registry's office: it is not wanted any more */
    FILE_FAILED = 9   /* what is here of it cannot be read or written now */
};

/* What a part is of. At the centre each officer who brings a content has a part of his own: who
 * completed another's would be taken to have the content, and who sent rubbish would spoil it. */
struct content_part_of {
    uint8_t hash[FILE_HASH_LEN];
    uint64_t size;
    struct id from; /* zero on a device */
};
struct content_part_of content_part_of(const uint8_t hash[FILE_HASH_LEN], uint64_t size,
                                       const struct id *from);

/* In DIR/part: chunks in any order, and behind them a bit for each that is there. */
struct content_part {
    const struct content_dir *d;
    int fd; /* -1: none */
    uint8_t hash[FILE_HASH_LEN];
    uint64_t size;
    uint32_t chunks, count; /* in all; there */
    uint8_t have[FILE_HAVE_BYTES_MAX];
    char path[PATH_MAX];
};

uint32_t content_chunks(uint64_t size);
/** 0 when there is no such chunk. */
size_t content_chunk_len(uint64_t size, uint32_t index);

/** Open what there is, or `make` it. OCOP_ENOTFOUND there is none; OCOP_ELIMIT the disk is full.
 * End by content_part_close or _finish. */
OCOP_MUST_USE enum ocop_status content_part_open(const struct content_dir *d,
                                                 const struct content_part_of *of, bool make,
                                                 struct content_part *p, struct ocop_error *err);
void content_part_close(struct content_part *p);
static inline bool content_part_has(const struct content_part *p, uint32_t index)
{
    return index < p->chunks && (p->have[index / 8] >> (index % 8) & 1);
}
/** Bytes that are there. */
uint64_t content_part_bytes(const struct content_part *p);
/** OCOP_EINVAL there is no such chunk, or not of this length. One that is there stays. */
OCOP_MUST_USE enum ocop_status content_part_put(struct content_part *p, uint32_t index,
                                                struct span bytes, struct ocop_error *err);
/** All chunks are there: it becomes a content, when its hash is right. Else it is gone:
 * OCOP_EDAMAGED. It is closed either way. */
OCOP_MUST_USE enum ocop_status content_part_finish(struct content_part *p, struct ocop_error *err);
OCOP_MUST_USE enum ocop_status content_part_remove(const struct content_dir *d,
                                                   const struct content_part_of *of,
                                                   struct ocop_error *err);
/** All parts of it, whoever brings it. */
OCOP_MUST_USE enum ocop_status content_parts_remove(const struct content_dir *d,
                                                    const uint8_t hash[FILE_HASH_LEN],
                                                    struct ocop_error *err);

/** Every part. Does `fn` fail, so does the walk. */
typedef enum ocop_status content_part_fn(void *self, const struct content_part_of *of,
                                         int64_t tried_ms, struct ocop_error *err);
OCOP_MUST_USE enum ocop_status content_each_part(const struct content_dir *d, content_part_fn *fn,
                                                 void *self, struct ocop_error *err);
/** Forget the chunks; that they came, and when the last did, stays known. *bytes: what was freed.
 */
OCOP_MUST_USE enum ocop_status content_part_empty(const struct content_dir *d,
                                                  const struct content_part_of *of, uint64_t *bytes,
                                                  struct ocop_error *err);

/** BLAKE2b of the content, keyed: only who has all of it can tell. */
OCOP_MUST_USE enum ocop_status content_proof(const struct content_dir *d,
                                             const uint8_t hash[FILE_HASH_LEN],
                                             const uint8_t nonce[FILE_HASH_LEN],
                                             uint8_t out[FILE_HASH_LEN], struct ocop_error *err);

/* What content.c and content_part.c share. */

/** Where a content lies, and in which folder. */
void content_path(const struct content_dir *d, const uint8_t hash[FILE_HASH_LEN],
                  char out[PATH_MAX], char folder[PATH_MAX]);
/** Make DIR and in it `name`, when there is none. */
OCOP_MUST_USE enum ocop_status content_folder(const struct content_dir *d, const char *name,
                                              struct ocop_error *err);
/** What has a name in `folder`, which lies in DIR, has it after power loss too. */
OCOP_MUST_USE enum ocop_status content_folder_sync(const struct content_dir *d, const char *folder,
                                                   struct ocop_error *err);
/** Every name in a folder but the dots; none when there is no folder. */
typedef enum ocop_status content_name_fn(void *self, const char *path, const char *name,
                                         struct ocop_error *err);
OCOP_MUST_USE enum ocop_status content_each_name(const char *folder, content_name_fn *fn,
                                                 void *self, struct ocop_error *err);
/** OCOP_EIO, OCOP_ELIMIT (the disk is full) or OCOP_ENOMEM, by errno. */
enum ocop_status content_failed(struct ocop_error *err, const char *doing, const char *path);
/** Bytes of a whole block in the folder. */
size_t content_block_room(const struct content_dir *d);
/** One block as it is stored; `room` has content_block_room bytes. */
struct span content_block_seal(const struct content_dir *d, uint64_t index, struct span plain,
                               uint8_t *room);
/** One block, plain; *len is 0 behind the last. `end`: where the blocks end in the file. `block`
 * has room for it plain and sealed. OCOP_EDAMAGED. */
OCOP_MUST_USE enum ocop_status content_block_read(const struct content_dir *d, int fd,
                                                  uint64_t index, uint64_t end, uint8_t *block,
                                                  size_t *len, struct ocop_error *err);

/** Bytes that a content of this size takes in the folder. */
uint64_t content_stored_size(const struct content_dir *d, uint64_t size);
/** Is there one of this hash and size? What it holds is not looked at. */
OCOP_MUST_USE enum ocop_status content_there(const struct content_dir *d,
                                             const uint8_t hash[FILE_HASH_LEN], uint64_t size,
                                             bool *out, struct ocop_error *err);
/** Make sure of the name of one that is there: who gave it that may have failed, or been killed,
 *  before it was on the disk. */
OCOP_MUST_USE enum ocop_status content_sure(const struct content_dir *d,
                                            const uint8_t hash[FILE_HASH_LEN],
                                            struct ocop_error *err);
/** Read from `at`; *got is less than `len` only at its end. OCOP_ENOTFOUND; OCOP_EDAMAGED it is not
 *  what was written; OCOP_EIO. */
OCOP_MUST_USE enum ocop_status content_read(const struct content_dir *d,
                                            const uint8_t hash[FILE_HASH_LEN], uint64_t at,
                                            void *out, size_t len, size_t *got,
                                            struct ocop_error *err);
/** Read all of it: OCOP_EDAMAGED when it has not this hash. *size: what it has. */
OCOP_MUST_USE enum ocop_status content_sound(const struct content_dir *d,
                                             const uint8_t hash[FILE_HASH_LEN], uint64_t *size,
                                             struct ocop_error *err);
/** Read all of it: OCOP_EDAMAGED when it has not this hash and size. */
OCOP_MUST_USE enum ocop_status content_check(const struct content_dir *d,
                                             const uint8_t hash[FILE_HASH_LEN], uint64_t size,
                                             struct ocop_error *err);
/** What a read of one content failed with: is that this one's own misfortune, and no reason to let
 *  others be? It is damaged, or it cannot be read while the folders it may lie in can. */
bool content_fails_alone(const struct content_dir *d, const uint8_t hash[FILE_HASH_LEN],
                         enum ocop_status st);

/* Which file it was that was read: what comes in its place is another. */
struct content_stamp {
    bool there;
    uint64_t file, size;
    int64_t s, ns;
};
struct content_stamp content_stamp(const struct content_dir *d, const uint8_t hash[FILE_HASH_LEN]);
static inline bool content_stamp_eq(const struct content_stamp *a, const struct content_stamp *b)
{
    return a->there == b->there && a->file == b->file && a->size == b->size && a->s == b->s &&
           a->ns == b->ns;
}

/** Remove it, also where it was put aside; no error when there is none. */
OCOP_MUST_USE enum ocop_status content_remove(const struct content_dir *d,
                                              const uint8_t hash[FILE_HASH_LEN],
                                              struct ocop_error *err);

/** It is not what its name says: out of the way, to DIR/damaged, where nothing looks for it. */
OCOP_MUST_USE enum ocop_status content_set_aside(const struct content_dir *d,
                                                 const uint8_t hash[FILE_HASH_LEN],
                                                 struct ocop_error *err);

/** Every content, in no order. Does `fn` fail, so does the walk. */
typedef enum ocop_status content_fn(void *self, const uint8_t hash[FILE_HASH_LEN],
                                    struct ocop_error *err);
OCOP_MUST_USE enum ocop_status content_each(const struct content_dir *d, content_fn *fn, void *self,
                                            struct ocop_error *err);
/** Every one that was put aside. */
OCOP_MUST_USE enum ocop_status content_each_aside(const struct content_dir *d, content_fn *fn,
                                                  void *self, struct ocop_error *err);
/** Remove what nobody is writing any more: who did was killed. *found: how many. */
OCOP_MUST_USE enum ocop_status content_tidy(const struct content_dir *d, unsigned *found,
                                            struct ocop_error *err);
/** Leave a mark that something is to be swept, which content_tidy takes away: it survives a kill.
 */
OCOP_MUST_USE enum ocop_status content_mark(const struct content_dir *d, struct ocop_error *err);
/** Is there such a mark, or anything else for content_tidy? */
bool content_untidy(const struct content_dir *d);
/** Remove all files of the folder `name` in it; no error when there is none. */
OCOP_MUST_USE enum ocop_status content_folder_clear(const struct content_dir *d, const char *name,
                                                    struct ocop_error *err);
/** Remove all, and the folder. */
OCOP_MUST_USE enum ocop_status content_clear(const struct content_dir *d, struct ocop_error *err);

/** May `size` bytes more be written, so that FILES_DISK_SPARE stay free? OCOP_ELIMIT says how many
 * are missing. */
OCOP_MUST_USE enum ocop_status content_room(const struct content_dir *d, uint64_t size,
                                            struct ocop_error *err);

#endif
