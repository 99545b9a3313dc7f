/* What the office asks of thumbnails: which there are, which are nobody's, and to make those that a
 * restore did not bring. Knows contents by their records and makes nothing itself. */
#include "thumbs_all.h"

#include <time.h>

#include "query.h"
#include "thumbs.h"

struct looking {
    struct registry *r;
    struct thumbs *thumbs; /* NULL: none are to be made */
    struct thumbs_found *found;
    bool remove;
};

static enum ocop_status verify_one(void *self, const uint8_t hash[FILE_HASH_LEN],
                                   struct ocop_error *err)
{
    struct looking *l = self;
    bool named;
    uint8_t byte;
    size_t got;
    enum ocop_status st = query_file_named(l->r, hash, &named, err);

    if (st == OCOP_OK && named)
        st = content_read(&l->r->blobs, hash, 0, &byte, 1, &got, err);
    /* One that cannot be read is for `files verify` to tell. */
    if (named && (st == OCOP_OK || content_fails_alone(&l->r->blobs, hash, st))) {
        l->found->there++;
        return OCOP_OK;
    }
    if (st != OCOP_OK && st != OCOP_ENOTFOUND)
        return st;
    l->found->loose++;
    return l->remove ? thumbs_remove(&l->r->blobs, hash, err) : OCOP_OK;
}

enum ocop_status thumbs_verify(struct registry *r, bool remove, struct thumbs_found *found,
                               struct ocop_error *err)
{
    struct looking l = {.r = r, .found = found, .remove = remove};
    *found = (struct thumbs_found){0};
    enum ocop_status st = thumbs_each(&r->blobs, verify_one, &l, err);
    if (st == OCOP_OK && remove)
        st = thumbs_forgive(&r->blobs, err);
    return st;
}

static void wait_for(struct thumbs *t)
{
    static const struct timespec a_moment = {.tv_nsec = 2000000};

    while (thumbs_turn(t))
        nanosleep(&a_moment, NULL);
}

static enum ocop_status make(struct looking *l, const struct query_file *f, struct ocop_error *err)
{
    uint8_t image[THUMBNAIL_BYTES_MAX];
    enum thumb_state state;
    size_t len;
    bool here;
    enum ocop_status st = content_there(&l->r->blobs, f->hash, f->size, &here, err);

    if (st == OCOP_OK && !here)
        l->found->not_yet++;
    if (st != OCOP_OK || !here)
        return st;
    st = thumbs_look(&l->r->blobs, f->hash, &state, image, &len, err);
    l->found->there += st == OCOP_OK && state == THUMB_HERE;
    if (st == OCOP_OK && state == THUMB_UNMADE) {
        (void)thumbs_want(l->thumbs, f->hash);
        wait_for(l->thumbs);
        st = thumbs_look(&l->r->blobs, f->hash, &state, image, &len, err);
        l->found->made += st == OCOP_OK && state == THUMB_HERE;
        l->found->not_yet += st == OCOP_OK && state == THUMB_UNMADE;
    }
    l->found->none += st == OCOP_OK && state == THUMB_NONE;
    return st;
}

static enum ocop_status make_one(void *self, const struct query_file *f, struct ocop_error *err)
{
    struct looking *l = self;
    struct ocop_error why = {0};
    enum ocop_status st = make(l, f, &why);

    if (content_fails_alone(&l->r->blobs, f->hash, st)) {
        l->found->not_yet++;
        return OCOP_OK;
    }
    if (st != OCOP_OK && err)
        *err = why;
    return st;
}

enum ocop_status thumbs_make(struct registry *r, const char *maker, struct thumbs_found *found,
                             struct ocop_error *err)
{
    struct looking l = {.r = r, .found = found};
    *found = (struct thumbs_found){0};
    enum ocop_status st = thumbs_open(&r->blobs, maker, r->env, &l.thumbs, err);
    if (st == OCOP_OK)
        st = thumbs_try_again(&r->blobs, err);
    if (st == OCOP_OK)
        st = query_files(r, NULL, make_one, &l, err);
    thumbs_close(l.thumbs);
    return st;
}
