/* Contents out of a bundle of evidence into a folder. */
#ifndef CLIENT_EXTRACT_H
#define CLIENT_EXTRACT_H

#include "content_carried.h"

struct extract {
    int dir, fd; /* -1: none */
    struct arena *a;
    unsigned count;
    char name[96], part[104]; /* of the content that is being written */
    const struct evidence_file *file;
};

/** `folder` is made when there is none. @return OCOP_EIO */
OCOP_MUST_USE enum ocop_status extract_open(struct extract *x, const char *folder, struct arena *a,
                                            struct ocop_error *err);
void extract_close(struct extract *x);
struct carried_sink extract_sink(struct extract *x);

#endif
