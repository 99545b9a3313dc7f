/* What a file is, told from its first bytes and never from its name. */
#ifndef DATA_MEDIA_H
#define DATA_MEDIA_H

#include <stdbool.h>

#include "span.h"

enum { MEDIA_HEAD_BYTES = 4096 }; /* as much of a file as is looked at */

/** A media type such as "image/jpeg"; "application/octet-stream" when it is none that is known.
 *  `head`: the first MEDIA_HEAD_BYTES, or all when it is shorter. Never NULL. */
const char *media_type(struct span head);

/** By which programs know such a file: "jpg"; "bin" when it is none that is known. */
const char *media_extension(const char *type);

/** May a file of this type be what an attachment of this role is? */
bool media_fits(const char *role, const char *type);

#endif
