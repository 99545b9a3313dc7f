/* What ocopd asks of inih, for tests that are linked with musl: Debian's mirror lacks its source.
 */
#ifndef PARTS_INI_H
#define PARTS_INI_H

#include <stdio.h>

typedef int (*ini_handler)(void *user, const char *section, const char *name, const char *value);

/** 0, or the number of the first line that is wrong or that the handler refuses. */
int ini_parse_file(FILE *file, ini_handler handler, void *user);

#endif
