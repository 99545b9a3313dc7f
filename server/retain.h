/* Which contents an office may drop, dropping them, and keeping some in any event. What was
 * attached, by whom and when, stays for ever: only the content goes, and who removed it, when and
 * why stands in the attachment, by a change-set of the registry's own. */
#ifndef SERVER_RETAIN_H
#define SERVER_RETAIN_H

#include <stdio.h>

#include "keys.h"
#include "registry.h"

/* A decision can be brought to court for a year. */
enum { RETAIN_DAYS_MIN = 366, RETAIN_AT_ONCE_MAX = 100000 };

struct retain_terms {
    unsigned days;      /* that neither record nor attachment was changed for */
    const char *role;   /* only attachments of this role; NULL: any */
    uint32_t kind;      /* only those of records of this kind; 0: any */
    bool dry_run;       /* tell, and do nothing */
    struct id officer;  /* who orders it ... */
    const char *reason; /* ... and why */
};
struct retained {
    uint64_t removed, bytes;
    uint64_t recent, in_case, held, dangling, shared; /* kept, and why */
    uint64_t left; /* in the folder, told of: removed for the log, and swept later */
    bool more;     /* run it again */
};

/** Remove the contents of attachments by these terms. Kept is what was changed since, stands in an
 * open case with its record, is held, belongs to a record that is not here, or is named by another
 * attachment that is kept for one of these. Writes change-sets of the registry's own in small
 * transactions, and removes the contents behind each. @return OCOP_EINVAL too few days;
 * OCOP_ENOTFOUND or OCOP_EPERM, as case_may_decide says of the officer */
OCOP_MUST_USE enum ocop_status files_retain(struct registry *r, const struct server_keys *keys,
                                            const struct retain_terms *terms, FILE *out,
                                            struct retained *found, struct ocop_error *err);

/** Keep the contents of a record whatever files_retain is told; NULL: no more. The attachments that
 *  it has now say so. @return OCOP_ENOTFOUND it has none */
OCOP_MUST_USE enum ocop_status files_hold(struct registry *r, const struct server_keys *keys,
                                          const struct id *record, const char *reason,
                                          size_t *count, struct ocop_error *err);

#endif
