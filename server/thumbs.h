/* Thumbnails of contents, made by a process that can do nothing else (thumbnail/ocop_thumbnail.c),
 * one at a time, while others are served. They lie in BLOBS/thumb/ab, each under the name of its
 * content with its own sum behind it, and can be made again: no backup holds them. */
#ifndef SERVER_THUMBS_H
#define SERVER_THUMBS_H

#include "content.h"

enum {
    THUMBS_SUM_LEN = FILE_HASH_LEN,
    THUMBS_TRIES = 3, /* for one content, whose maker was killed each time */
    THUMBS_LATER_TRIES =
        8 /* whose maker was not able to: some two days, with longer and longer rests */
};

enum thumb_state {
    THUMB_HERE = 1,
    THUMB_NONE,  /* it is no picture that is decoded, or all tries failed */
    THUMB_UNMADE /* or it is not what was made */
};

/** What there is of it; `out` has THUMBNAIL_BYTES_MAX bytes.  @return OCOP_EIO */
OCOP_MUST_USE enum ocop_status thumbs_look(const struct content_dir *blobs,
                                           const uint8_t hash[FILE_HASH_LEN],
                                           enum thumb_state *state, uint8_t *out, size_t *len,
                                           struct ocop_error *err);
/** Its thumbnail goes, and what is known of failed tries. No error when there is none. */
OCOP_MUST_USE enum ocop_status thumbs_remove(const struct content_dir *blobs,
                                             const uint8_t hash[FILE_HASH_LEN],
                                             struct ocop_error *err);
/** Each that lies there. */
OCOP_MUST_USE enum ocop_status thumbs_each(const struct content_dir *blobs, content_fn *fn,
                                           void *self, struct ocop_error *err);
/** Failed tries are forgotten: they are made again when they are asked for. */
OCOP_MUST_USE enum ocop_status thumbs_forgive(const struct content_dir *blobs,
                                              struct ocop_error *err);

/** Only those of which it was said that they were not for the picture's sake. */
OCOP_MUST_USE enum ocop_status thumbs_try_again(const struct content_dir *blobs,
                                                struct ocop_error *err);

struct thumbs;

/** `maker`: the path of ocop-thumbnail; "": beside this program. When it is not there none are
 * made, and the log says so. */
OCOP_MUST_USE enum ocop_status thumbs_open(const struct content_dir *blobs, const char *maker,
                                           const struct env *env, struct thumbs **out,
                                           struct ocop_error *err);
/** What is being made is given up. NULL is allowed. */
void thumbs_close(struct thumbs *t);

/** Make it when its turn comes, unless it is there. What there is no room for is asked for again.
 * NULL is allowed: nothing is made. @return false: nothing is made here */
bool thumbs_want(struct thumbs *t, const uint8_t hash[FILE_HASH_LEN]);

/** Begin with the next, or see what has become of the last; never waits. NULL is allowed.
 *  @return whether there is something to do yet */
bool thumbs_turn(struct thumbs *t);

#endif
