/* What a reply tells a device of its changes: their outcomes and the cases they opened. */
#ifndef SERVER_TELL_H
#define SERVER_TELL_H

#include "ingest.h"
#include "sync.pb-c.h"

/* One reply while it is filled; all of it lies in the arena. */
struct telling {
    struct registry *r;
    struct arena *a;
    Ocop__Sync__SyncReply *reply;
    struct ocop_error *err;
    unsigned reading;  /* enum reading: what the device's officer may see */
    size_t cases;      /* told of with outcomes */
    size_t value_room; /* bytes that the values in notes of cases may still take */
    uint32_t outcomes; /* that are not simply "applied" */
};

/** Is there so much in the reply that another set had better wait for the next? */
bool tell_enough(const struct telling *t);

/** The outcomes of a set that is in the log. @return OCOP_ELIMIT when the reply cannot hold them */
OCOP_MUST_USE enum ocop_status tell_outcomes(struct telling *t, const struct set_result *result);

/* How far a device was told of outcomes that came later than their set's reply. */
struct told {
    uint64_t version, set;
    uint32_t index;
    bool all; /* there are none behind it */
};

struct told told_read(const Ocop__Sync__Cursor *cursor);

/** A page of the outcomes behind *told, which moves to where the page ends. */
OCOP_MUST_USE enum ocop_status tell_late(struct telling *t, const struct id *replica,
                                         struct told *told);

/** Once the reply has its cursor: let it go on where the page of outcomes ended. A cursor that says
 *  nothing of them means "as far as the records". */
OCOP_MUST_USE enum ocop_status told_write(struct telling *t, const struct told *told);

#endif
