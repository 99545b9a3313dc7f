/* Acts, and what they work on from one round to the next. */
#ifndef FAULT_SCENE_H
#define FAULT_SCENE_H

#include "fault.h"
#include "world.h"

struct scene {
    struct world w;
    ProtobufCMessage *record;
    struct ocop_id id, attached, wanted;
    struct id case_id, other; /* the replica of device OTHER */
    unsigned submitted;       /* inspections that a call acknowledged */
    struct buf text;
    int number;
    unsigned stage, past; /* see upgrade.c */
};

struct act {
    const char *name;
    void (*prepare)(struct scene *s);
    enum ocop_status (*run)(struct scene *s, struct ocop_error *err);
    /* Without faults: the promises hold, whatever `st` said; leave all ready for another round. */
    void (*after)(struct scene *s, enum ocop_status st);
};

/** "new.db", "new.ocop" and what belongs to them are not there. */
void no_new_files(struct scene *s);

/** An act of several stages, each with all its rounds: begun, and ended before no fault is met. */
struct staged {
    struct act act;
    bool (*begin)(struct scene *s);
    bool (*over)(struct scene *s);
};

extern const struct staged migrations_fail[2];

/** files.c */
enum { FILE_ACTS = 5 };
extern const struct act file_acts[FILE_ACTS];

/** keeping.c */
enum { KEEPING_ACTS = 4 };
extern const struct act keeping_acts[KEEPING_ACTS];

/** An empty registry of the newest schema at the path. */
void registry_put(const char *path);

#endif
