/* What files.c knows of contents, for centre.c. */
#ifndef SIM_CONTENTS_H
#define SIM_CONTENTS_H

#include "files.h"
#include "oracle.h"

/** NULL: nobody here attached it. */
struct content_made *content_of(struct sim *s, const uint8_t hash[FILE_HASH_LEN]);
/** The attachment as the registry has it; NULL: it does not. */
const struct kept *attached_kept(const struct oracle *o, const struct attached *a);
/** Is a content on the device, whole, and what does the device say of it? */
bool content_on_device(struct device *d, const struct content_made *c, struct file_row *row);
/** Did the officer attach it, on any of his devices, were it in a draft that nobody knows of? */
bool officer_attached(const struct sim *s, unsigned officer, unsigned content);
/** May the device's officer have it: is it, as the registry knows, his own, or of an attachment
 * that the device receives? */
bool content_for_device(struct device *d, const struct oracle *o, unsigned content);

/** When everything is quiet, after a sweep: retention, mending and thumbnails. */
void centre_check_all(struct oracle *o);

#endif
