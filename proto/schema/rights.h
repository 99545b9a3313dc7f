/* Who may do what: one table for the registry, which decides, and for the devices, which say so
 * when a record is saved. `ocopd rights` prints it, docs/security.md shows it. */
#ifndef SCHEMA_RIGHTS_H
#define SCHEMA_RIGHTS_H

#include "kinds.h"

/* What there is to be read, in the parts in which it is granted. */
enum reading {
    READ_LISTS = 1,    /* units, officers by name, checklists, code lists */
    READ_MASTER = 2,   /* producers, products, certificates */
    READ_FIELD = 4,    /* inspections, environmental checks, attachments, whose a sample is */
    READ_SAMPLES = 8,  /* samples as a laboratory receives them: under their code alone */
    READ_CONTACTS = 16 /* telephone numbers and addresses of officers */
};
enum {
    READ_USUAL = READ_LISTS | READ_MASTER | READ_FIELD | READ_SAMPLES, /* field officers */
    READ_ALL = READ_USUAL | READ_CONTACTS
};

/* Of one kind: who may read it, and the roles that may do each act. */
struct rights {
    uint32_t kind;
    unsigned read; /* enum reading; 0: no device */
    unsigned create, amend, add, void_;
    unsigned resolve; /* close a case about a record of this kind */
};

/* Of a field that is more than its kind allows. */
struct field_rights {
    uint32_t kind, number;
    unsigned read;  /* enum reading, besides the kind's */
    unsigned write; /* roles; 0: as the kind's */
};

/** The i-th row, and the i-th exception; NULL behind the last. */
const struct rights *rights_at(size_t i);
const struct field_rights *field_rights_at(size_t i);

/** Of a known kind. */
const struct rights *rights_of(const struct kind *k);

/** NULL when the field has none of its own. */
const struct field_rights *rights_of_field(const struct kind *k, uint32_t number);

/** What officers with these roles may read. */
unsigned rights_reading(unsigned roles);

/** May who reads this much read records of the kind? Of kinds that this program does not know
 *  (NULL): who may read field records. */
bool rights_kind_readable(const struct kind *k, unsigned reading);

/** And this field of such a record? What this program does not know of a kind is as secret as the
 *  most secret field it knows. */
bool rights_field_readable(const struct kind *k, uint32_t number, unsigned reading);

/** And every field there is? */
bool rights_all_readable(const struct kind *k, unsigned reading);

#endif
