/* What ocop-thumbnail and who starts it agree on. */
#ifndef SERVER_THUMBNAIL_H
#define SERVER_THUMBNAIL_H

/* How it ends, unless it is killed. */
enum thumbnail_exit {
    THUMBNAIL_MADE = 0,
    THUMBNAIL_ODD = 3,  /* it is no picture that is decoded */
    THUMBNAIL_FREE = 4, /* it could not give up what a process may do, and did nothing */
    THUMBNAIL_LATER =
        5 /* it could not read or write, or had no memory: not for the picture's sake */
};

#endif
