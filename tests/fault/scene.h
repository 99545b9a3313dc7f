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
    bool made;            /* see made.c */
    unsigned made_submitted;
};

struct act {
    const char *name;
    void (*prepare)(struct scene *s);
    enum ocop_status (*run)(struct scene *s, struct ocop_error *err);
    /* Without faults: the promises hold, whatever `st` said; leave all ready for another round. */
    void (*after)(struct scene *s, enum ocop_status st);
};

/** The first time what `make` makes, and whenever it is called again the same once more. The
 * registry and the devices are closed then. */
void made_again(struct scene *s, void (*make)(struct scene *s));
void registry_open_again(struct scene *s);
void store_open_again(struct scene *s, unsigned n);

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

/** states.c */
enum { STATE_ACTS = 3 };
extern const struct act state_acts[STATE_ACTS];

/** centre.c */
enum { CENTRE_ACTS = 4 };
extern const struct act centre_acts[CENTRE_ACTS];
/** An empty registry at "new.db", and the log replayed into it. */
void empty_registry(struct scene *s);
enum ocop_status verify(struct scene *s, struct ocop_error *err);

/** keeping.c */
enum { KEEPING_ACTS = 4 };
extern const struct act keeping_acts[KEEPING_ACTS];

/** An empty registry of the newest schema at the path. */
void registry_put(const char *path);

#endif
