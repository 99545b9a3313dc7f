/* The questions that the store asks its database, and how they are asked. The SQL stands in
 * store_sql.c; each question is used by one file of the store. */
#ifndef CLIENT_STORE_SQL_H
#define CLIENT_STORE_SQL_H

#include "store_db.h"

enum question {
    Q_DATA_VERSION,
    Q_META,
    Q_META_ALL,
    Q_META_SET,
    Q_SUM_PUT,
    Q_SUM_DROP,
    Q_OUTBOX_ADD,
    Q_OUTBOX_OF,
    Q_OUTBOX_HAS,
    Q_OUTBOX_READY,
    Q_OUTBOX_OF_SET,
    Q_OUTBOX_ONE,
    Q_OUTBOX_PUT_BACK,
    Q_OUTBOX_RESEAL,
    Q_OUTBOX_ALL,
    Q_OUTBOX_SEALED,
    Q_OUTBOX_SETTLED,
    Q_OUTBOX_REWRITE,
    Q_OUTBOX_RESEND,
    Q_OUTBOX_DELETE,
    Q_OUTBOX_UNSEAL,
    Q_OUTBOX_DISOWN,
    Q_OUTBOX_COUNT,
    Q_SEALED_ADD,
    Q_SEALED_UNACKED,
    Q_SEALED_UNACKED_COUNT,
    Q_SEALED_ONE,
    Q_SEALED_ACK,
    Q_SEALED_UNACK,
    Q_SEALED_DROP,
    Q_SEALED_BELOW,
    Q_SEALED_EACH,
    Q_BASE,
    Q_BASE_PUT,
    Q_BASE_DELETE,
    Q_BASE_DEPART,
    Q_BASE_DEPARTED,
    Q_BASE_CLAMP,
    Q_BASE_ORPHANS,
    Q_OWN,
    Q_OWN_ANY,
    Q_OWN_MERGED,
    Q_OWN_TAKEN,
    Q_CASE_PUT,
    Q_CASE_DELETE,
    Q_CASES_OF,
    Q_CASES_ANY_OPEN,
    Q_CASES_FORGET,
    Q_STUB_PUT,
    Q_STUB_EXISTS,
    Q_FILE_GET,
    Q_FILE_PUT,
    Q_FILE_DELETE,
    Q_FILES_HERE,
    Q_FILES_TO_SEND,
    Q_FILES_TO_SEND_COUNT,
    Q_FILES_TO_FETCH,
    Q_FILES_DOUBT,
    Q_FILES_SPARE,
    Q_FILE_OWE,
    Q_FILES_LEFT,
    Q_FILE_REMOVED,
    Q_FILE_NAMED,
    Q_FILE_OWN,
    Q_FILE_GONE,
    Q_FILES_OWED,
    Q_FILES_NEVER_SENT,
    Q_FILE_BYTES,
    Q_ATTACHMENTS,
    Q_ATTACHMENT_ONE,
    Q_THUMBNAIL,
    Q_THUMBNAIL_PUT,
    Q_THUMBNAIL_AGAIN,
    Q_THUMBNAIL_AGAIN_OF,
    Q_THUMBNAILS_WANTED,
    Q_THUMBNAILS_LEFT,
    Q_THUMBNAILS_TRIM,
    Q_COUNTER,
    Q_COUNTER_PUT,
    Q_UNSEEN_CLEAR,
    Q_UNSEEN_MET,
    Q_UNSEEN_HAS,
    Q_UNSEEN_OWN,
    Q_UNSEEN_SOME,
    Q_UNKNOWN_ALL,
    Q_STATE,
    Q_COUNTS,
    Q_COUNT
};

_Static_assert((int)Q_COUNT <= (int)QUESTIONS_MAX, "every question has room for its statement");

/** Its statement, prepared when it is first asked for; the caller ends it with done() or run(). */
OCOP_MUST_USE enum ocop_status store_ask(struct ocop_store *s, enum question q, sqlite3_stmt **out,
                                         struct ocop_error *err);
/** A statement with one number and no rows. */
OCOP_MUST_USE enum ocop_status store_run_int(struct ocop_store *s, enum question q, uint64_t v,
                                             struct ocop_error *err);
/** A statement with one id (and a number) and no rows. */
OCOP_MUST_USE enum ocop_status store_run_id(struct ocop_store *s, enum question q,
                                            const struct id *id, uint64_t v,
                                            struct ocop_error *err);
/** Has the question about one id any row? */
OCOP_MUST_USE enum ocop_status store_any(struct ocop_store *s, enum question q, const struct id *id,
                                         bool *out, struct ocop_error *err);
/** A change as a row keeps it; the caller gives the buffer back, also after an error. */
OCOP_MUST_USE enum ocop_status store_pack(const struct change *c, struct buf *out,
                                          struct ocop_error *err);

#endif
