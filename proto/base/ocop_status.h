/**
 * Status codes and the error struct of every call that can fail.
 *
 * Part of the public API: ocop.h includes it. Numbers are fixed for ever and only appended to;
 * they also travel in replies.
 */
#ifndef OCOP_STATUS_H
#define OCOP_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

enum ocop_status {
    OCOP_OK = 0,
    OCOP_EINVAL = 1,        /**< an argument or a field breaks its rule; error.field names it */
    OCOP_ENOTFOUND = 2,     /**< no such record, case, unit, file */
    OCOP_ESTATE = 3,        /**< not possible in this state, such as submitting what is submitted */
    OCOP_EDB = 4,           /**< the database failed: full disk, damage; nothing was changed */
    OCOP_ENOMEM = 5,        /**< out of memory; nothing was changed */
    OCOP_EIO = 6,           /**< a file could not be read or written */
    OCOP_ENET = 7,          /**< the server could not be reached */
    OCOP_ETIMEOUT = 8,      /**< the server did not answer in time */
    OCOP_ECANCELLED = 9,    /**< cancelled by the caller; may be repeated */
    OCOP_EPROTO = 10,       /**< bytes that do not follow docs/protocol.md */
    OCOP_EAUTH = 11,        /**< wrong key, signature or token */
    OCOP_EREVOKED = 12,     /**< this device was revoked */
    OCOP_EBUSY = 13,        /**< try again later: the file or server is in use, or the server
                                 has trouble of its own */
    OCOP_ELIMIT = 14,       /**< larger than a limit allows */
    OCOP_EVERSION = 15,     /**< made by a newer program than this one */
    OCOP_EPERM = 16,        /**< the role or scope does not allow it */
    OCOP_EBROKEN = 17,      /**< an invariant failed; close the handle, the file is unchanged */
    OCOP_EDAMAGED = 18,     /**< stored data fails its check */
    OCOP_EFORK = 19,        /**< this store is a copy of one that lived on */
    OCOP_ENOTENROLLED = 20, /**< enrol first */
    OCOP_ESUSPENDED = 21,   /**< the office suspended this device; what is recorded waits */
    OCOP_EWIPED = 22        /**< the office had this store wiped; enrol anew to start afresh */
};

enum { OCOP_ERROR_FIELD_MAX = 96, OCOP_ERROR_TEXT_MAX = 320 };

/**
 * What went wrong, in one line that also says what to do. Owned by the caller; every function
 * accepts NULL for it. Set once, where the error arose; untouched on OCOP_OK.
 */
struct ocop_error {
    enum ocop_status status;
    char field[OCOP_ERROR_FIELD_MAX]; /**< the field that is wrong, as in "findings[2].clause" */
    char text[OCOP_ERROR_TEXT_MAX];
};

#if defined(__GNUC__)
#define OCOP_MUST_USE __attribute__((warn_unused_result))
#define OCOP_PRINTF(f, a) __attribute__((format(printf, f, a)))
#else
#define OCOP_MUST_USE
#define OCOP_PRINTF(f, a)
#endif

#ifdef __cplusplus
}
#endif
#endif
