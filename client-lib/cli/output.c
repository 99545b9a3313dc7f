/* A file is written to a new name first, so that what is there is replaced by all of it or not at
 * all. Knows nothing of what is written. */
#include "output.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command.h"

static enum ocop_status cannot_write(const char *path, struct ocop_error *err)
{
    return command_fail(err, OCOP_EIO, NULL, "%s cannot be written: %m", path);
}

enum ocop_status output_open(struct output *o, const char *path, struct ocop_error *err)
{
    struct stat there;
    int fd;

    *o = (struct output){.file = NULL};
    if (stat(path, &there) == 0 && !S_ISREG(there.st_mode)) {
        o->file = fopen(path, "wb");
        return o->file ? OCOP_OK : cannot_write(path, err);
    }
    if (snprintf(o->temporary, sizeof o->temporary, "%s.XXXXXX", path) >=
        (int)sizeof o->temporary) {
        o->temporary[0] = '\0';
        return command_fail(err, OCOP_EINVAL, NULL, "the path is too long");
    }
    fd = mkstemp(o->temporary);
    if (fd < 0) {
        o->temporary[0] = '\0';
        return cannot_write(path, err);
    }
    o->file = fdopen(fd, "wb");
    if (o->file)
        return OCOP_OK;
    (void)close(fd);
    return cannot_write(path, err);
}

enum ocop_status output_close(struct output *o, const char *path, enum ocop_status st,
                              struct ocop_error *err)
{
    if (o->file && fflush(o->file) != 0 && !st)
        st = cannot_write(path, err);
    if (o->temporary[0] && o->file && !st && fsync(fileno(o->file)) != 0)
        st = cannot_write(path, err);
    if (o->file && fclose(o->file) != 0 && !st)
        st = cannot_write(path, err);
    if (o->temporary[0] && !st && rename(o->temporary, path) != 0)
        st = cannot_write(path, err);
    if (o->temporary[0] && st)
        (void)unlink(o->temporary);
    o->file = NULL;
    return st;
}
