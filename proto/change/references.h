/* The references of a record or a change to other records: its fields and, alike, those of its list
 * elements. */
#ifndef CHANGE_REFERENCES_H
#define CHANGE_REFERENCES_H

#include "change.h"

/* Begin with kind and fields set and all else zero. */
struct reference_walk {
    const struct kind *kind;
    const struct fields *fields;
    /* the reference at hand */
    const struct field *field; /* the scalar, or the element that holds it */
    const struct field_rule *rule;
    struct id target;
    /* where the walk is */
    size_t next;
    const struct field_rule *item; /* next rule of the element at hand; NULL: none is */
};

/** Go on to the next reference that is set and has the form of an id; false at the end. */
bool reference_next(struct reference_walk *w);

/** "producer_id", "participants[0197...].officer_id". Returns out. */
const char *reference_path(const struct reference_walk *w, char *out, size_t room);

#endif
