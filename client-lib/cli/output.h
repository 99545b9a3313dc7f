/* A file that appears whole or not at all. */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include <stdio.h>

#include "ocop.h"

enum { OUTPUT_PATH_MAX = 4096 };

struct output {
    FILE *file;
    char temporary[OUTPUT_PATH_MAX]; /* "": written in place */
};

/** Beside the file that it shall become. A device or pipe is written as it is: root's rename would
 *  leave a file in its place. End by output_close, also when this fails.
 *  @return OCOP_EIO; OCOP_EINVAL the path is too long */
enum ocop_status output_open(struct output *o, const char *path, struct ocop_error *err);

/** @param st of what was written: when it is not OCOP_OK, nothing stands at `path` that did not
 * stand there before
 *  @return st, or OCOP_EIO */
enum ocop_status output_close(struct output *o, const char *path, enum ocop_status st,
                              struct ocop_error *err);

#endif
