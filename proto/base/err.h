/* Setting struct ocop_error, and CHECK for what must never be false. */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include "ocop_status.h"

/** Fill *err (may be NULL) and return `status`. Call where the error arises, never on the way up.
 */
enum ocop_status err_set(struct ocop_error *err, enum ocop_status status, const char *format, ...)
    OCOP_PRINTF(3, 4);

/** The same with the field that is wrong. */
enum ocop_status err_field(struct ocop_error *err, enum ocop_status status, const char *field,
                           const char *format, ...) OCOP_PRINTF(4, 5);

/** A word for a status, such as "EINVAL"; never NULL. */
const char *err_name(enum ocop_status status);

/** Out-of-memory, everywhere with the same words. */
enum ocop_status err_nomem(struct ocop_error *err);

/* Analysers see one file at a time, and no invariant. This tells them, and nobody else, what they
 * cannot see: that what sets an error never returns OCOP_OK, and where it is used, what it says. */
#ifdef STATIC_ANALYSIS
#define ANALYSER_KNOWS(condition) ((condition) ? (void)0 : __builtin_unreachable())
#define ERR_NOT_OK(call)                                                                           \
    ({                                                                                             \
        enum ocop_status status_ = (call);                                                         \
        ANALYSER_KNOWS(status_ != OCOP_OK);                                                        \
        status_;                                                                                   \
    })
#define err_set(...) ERR_NOT_OK(err_set(__VA_ARGS__))
#define err_field(...) ERR_NOT_OK(err_field(__VA_ARGS__))
#define err_nomem(err) ERR_NOT_OK(err_nomem(err))
#else
#define ANALYSER_KNOWS(condition) ((void)0)
#endif

/** A programming error: says where and aborts. For the server and for tests; the library checks
 *  what it can and returns OCOP_EBROKEN instead. */
_Noreturn void check_failed(const char *condition, const char *file, int line);
#define CHECK(condition) ((condition) ? (void)0 : check_failed(#condition, __FILE__, __LINE__))

#endif
