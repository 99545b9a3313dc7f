/* Photos made smaller before they are kept, as the store's settings say: images.c. */
#ifndef CLIENT_IMAGES_H
#define CLIENT_IMAGES_H

#include "store.h"

/** May what is attached in this role be scaled down? Not papers: their small print is to be read.
 */
bool images_scales(const struct ocop_image_settings *how, const char *role);

/** Make a smaller image of a content that was sealed, and seal it. *made is false when it is to be
 * kept as it is: it is small enough, is no JPEG that can be decoded, or would not become smaller.
 * Without the lock. `out` is begun here and ended by its owner. */
OCOP_MUST_USE enum ocop_status images_scale(const struct env *env,
                                            const struct ocop_image_settings *how,
                                            const struct content_writer *whole,
                                            struct content_writer *out, bool *made,
                                            struct ocop_error *err);

/** Take what a camera noted out of an image that was sealed, piece by piece, and seal what is left.
 * *made is false when there is nothing of it. @return OCOP_EINVAL of such an image it cannot be
 * taken out; err names the setting. Else as images_scale. */
OCOP_MUST_USE enum ocop_status images_strip(const char *type, const struct content_writer *whole,
                                            struct content_writer *out, bool *made,
                                            struct ocop_error *err);

#endif
