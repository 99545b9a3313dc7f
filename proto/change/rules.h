/* Is a record valid? The same answer at save on the device and at apply in the registry. */
#ifndef CHANGE_RULES_H
#define CHANGE_RULES_H

#include "change.h"

enum code_answer { CODE_OK, CODE_UNKNOWN_LIST, CODE_WRONG };

/* What rules must look up. A NULL function answers "known". */
struct rules_lookup {
    /* Is `code` in list `list` on `day` ("YYYY-MM-DD")? A list nobody has is no reason to refuse.
     */
    enum code_answer (*code)(void *self, const char *list, struct span code, const char *day);
    void *self;
    /* What the one who asks may read (rights.h); 0: all. A required field that is kept from him may
     * be missing in what he sees. */
    unsigned reading;
};

enum rules_stage { RULES_DRAFT, RULES_SUBMIT };

/** Check fields of a record: UTF-8, sizes, ranges, dates, decimals, codes, element keys, orders
 *  of dates; required fields only for RULES_SUBMIT (a voided record needs none). References are
 *  checked for form only. `recorded_ms` gives the day for codes when the kind's day field is
 *  absent.
 *  @return OCOP_EINVAL with err->field set, OCOP_ELIMIT likewise */
OCOP_MUST_USE enum ocop_status rules_check(const struct kind *k, const struct fields *record,
                                           enum rules_stage stage,
                                           const struct rules_lookup *lookup,
                                           struct ocop_error *err);

/** May an author with these roles make this change (rights.h: the verb, each field, the case it
 *  closes; and CENTRAL, FIXED, OPEN)? `own` when the author made the record.
 *  @return OCOP_EPERM with err->field set */
OCOP_MUST_USE enum ocop_status rules_permit(const struct kind *k, const struct change *c,
                                            unsigned roles, bool own, struct ocop_error *err);

/** The day by which a record's rules are chosen. out has room for 11. */
const char *rules_day(const struct kind *k, const struct fields *record, char *out);

/** Does the day lie between two others? One that is not given (empty) is open. */
bool day_within(struct span from, struct span to, const char *day);
/** Between the dates that two fields of an element hold? */
bool element_in_force(struct span element, uint32_t from, uint32_t to, const char *day);
/** The role that an element of Officer.roles gives on a day; 0: none. */
unsigned role_on(struct span element, const char *day);

#endif
