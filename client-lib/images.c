/* Photos are scaled down on their way into the store: from the copy that was just taken of them to
 * another one beside it, block by block. What to do when that cannot be is decided here: a picture
 * that is odd is evidence all the same, and is kept as it is. Knows no SQL. */
#include "images.h"

#include <stdlib.h>
#include <string.h>

#include "strip.h"

/* --- settings -------------------------------------------------------------------------------- */

enum ocop_status ocop_set_image_settings(struct ocop_store *s,
                                         const struct ocop_image_settings *how,
                                         struct ocop_error *err)
{
    enum ocop_status st;

    if (how->side_max != 0 &&
        (how->side_max < OCOP_IMAGE_SIDE_MIN || how->side_max > OCOP_IMAGE_SIDE_MAX))
        return err_field(err, OCOP_ELIMIT, "side_max", "may be 0, or from %d to %d pixels",
                         OCOP_IMAGE_SIDE_MIN, OCOP_IMAGE_SIDE_MAX);
    if (how->quality < OCOP_IMAGE_QUALITY_MIN || how->quality > OCOP_IMAGE_QUALITY_MAX)
        return err_field(err, OCOP_ELIMIT, "quality", "may be from %d to %d",
                         OCOP_IMAGE_QUALITY_MIN, OCOP_IMAGE_QUALITY_MAX);
    st = client_write(s, err);
    if (st)
        return st;
    st = store_meta_set_int(s, "image_side", how->side_max, err);
    if (!st)
        st = store_meta_set_int(s, "image_quality", how->quality, err);
    if (!st)
        st = store_meta_set_int(s, "image_strip", how->strip, err);
    if (!st)
        st = store_meta_set_int(s, "image_original", how->keep_original, err);
    return client_write_end(s, st ? st : store_identity(s, err), err);
}

enum ocop_status ocop_get_image_settings(struct ocop_store *s, struct ocop_image_settings *out,
                                         struct ocop_error *err)
{
    enum ocop_status st = client_read(s, err);

    memset(out, 0, sizeof *out);
    if (st)
        return st;
    *out = s->me.images;
    client_read_end(s);
    return OCOP_OK;
}

bool images_scales(const struct ocop_image_settings *how, const char *role)
{
    return how->side_max != 0 && strcmp(role, "photo") == 0;
}

/* --- scaling --------------------------------------------------------------------------------- */

struct reading {
    const struct content_writer *from;
    uint64_t index; /* of the next block */
    uint8_t *block;
};

static enum ocop_status next_block(void *self, struct span *part, struct ocop_error *err)
{
    struct reading *r = self;

    part->p = r->block;
    return content_written(r->from, r->index++, r->block, &part->len, err);
}

static enum ocop_status put_bytes(void *self, struct span bytes, struct ocop_error *err)
{
    return content_write(self, bytes, err);
}

static enum ocop_status strip(const char *type, const struct content_writer *whole,
                              const struct picture_out *out, struct strip_done *done,
                              struct ocop_error *err)
{
    struct reading r = {.from = whole, .block = malloc(content_written_room(whole))};
    enum ocop_status st =
        r.block ? strip_image(type, &(struct picture_in){&r, next_block}, out, done, err)
                : err_nomem(err);

    free(r.block);
    return st;
}

enum ocop_status images_strip(const char *type, const struct content_writer *whole,
                              struct content_writer *out, bool *made, struct ocop_error *err)
{
    struct strip_done done = {.state = PICTURE_ODD};
    enum ocop_status st;

    *made = false;
    if (!strip_knows(type))
        return err_field(err, OCOP_EINVAL, "strip",
                         "images are stripped of place and time on this device, and of %s that "
                         "cannot be done: attach it as JPEG, PNG or WebP",
                         type);
    st = strip(type, whole, NULL, &done, err);
    if (!st && done.state == PICTURE_ODD)
        return err_field(err, OCOP_EINVAL, "strip",
                         "images are stripped of place and time on this device, and of this one "
                         "that cannot be done: %s",
                         done.why);
    if (st || done.state == PICTURE_FITS)
        return st;
    st = content_begin(whole->d, out, err);
    if (!st)
        st = strip(type, whole, &(struct picture_out){out, put_bytes}, &done, err);
    *made = !st;
    return st ? st : content_seal(out, err);
}

enum ocop_status images_scale(const struct env *env, const struct ocop_image_settings *how,
                              const struct content_writer *whole, struct content_writer *out,
                              bool *made, struct ocop_error *err)
{
    const struct picture_want want = {how->side_max, how->quality, how->strip, false};
    struct reading r = {.from = whole, .block = malloc(content_written_room(whole))};
    struct picture_done done = {.state = PICTURE_ODD};
    char why[2 * PICTURE_WHY_MAX];
    enum ocop_status st = r.block ? content_begin(whole->d, out, err) : err_nomem(err);

    *made = false;
    if (!st)
        st = picture_scale(&(struct picture_in){&r, next_block},
                           &(struct picture_out){out, put_bytes}, &want, &done, err);
    free(r.block);
    if (st)
        return st;
    if (done.state == PICTURE_ODD)
        env_log(env, ENV_WARN, "image_kept_as_it_is", "why=%s",
                env_quote(why, sizeof why, done.why));
    /* Larger than before it is only when its quality was low already. */
    *made = done.state == PICTURE_MADE && (how->strip || out->size < whole->size);
    return *made ? content_seal(out, err) : OCOP_OK;
}
