/* A fleet of processes that are killed as they work: what each command was to do, what it said, and
 * what must be true of it afterwards. */
#ifndef TEST_KILLS_H
#define TEST_KILLS_H

#include "office.h"

enum { DEVICES_MAX = 12, TOKEN_MAX = 12 };

/* One submission, import or decision. Its token stands in what it writes and nowhere else. */
struct deed {
    unsigned device;  /* DEVICES_MAX: the office */
    bool promised;    /* its command printed success */
    char id[40];      /* of its record, as far as it is known; "": not */
    char paper[64];   /* that was printed; "": none */
    unsigned in_log;  /* how often */
    unsigned outcome; /* enum outcome_code, of the last */
    uint64_t version; /* of the log */
};

struct device {
    char name[16];
    char code[4096]; /* of its invitation */
    unsigned unit;   /* of office_units */
    bool made, enrolled, filled;
};

struct figures {
    unsigned cycles, server_kills, device_kills, office_kills, commands, syncs, syncs_failed;
};

struct fleet {
    struct office office;
    struct device devices[DEVICES_MAX];
    unsigned device_count;
    struct deed *deeds;
    unsigned deed_count;
    char backup[PROCESS_PATH_MAX]; /* the last one that was said to be whole; "": none */
    struct figures figures;
};

/** The text that names a deed. */
const char *kills_token(unsigned deed, char out[TOKEN_MAX]);

/** Hold everything against everything, with no process running; fails the test on the first that
 *  is not as promised, and prints what it counted. */
void kills_compare(struct fleet *f);

#endif
