/* Text of others, made harmless for who reads it: a name must not be able to move the cursor or
 * turn the line around. */
#ifndef BASE_SHOWN_H
#define BASE_SHOWN_H

#include "buf.h"

/** Append text with control characters, direction overrides and broken UTF-8 as U+FFFD; line breaks
 *  and tabs become spaces. */
void shown_text(struct buf *out, struct span text);

/** Append the name of a file as shown_text does, and what makes a path of it, or all of it, as
 * U+FFFD too. @return it is the same */
bool shown_name(struct buf *out, struct span name);

/** As shown_text, as a JSON string, quoted; nothing is replaced but what JSON cannot hold, and what
 * would harm is escaped. */
void shown_json(struct buf *out, struct span text);

/** The same of a value that is JSON text of one line already. */
void shown_json_value(struct buf *out, struct span json);

#endif
