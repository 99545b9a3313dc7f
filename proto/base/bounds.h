/* Every limit of the system, and how they relate. */
#ifndef BASE_BOUNDS_H
#define BASE_BOUNDS_H

#include <stddef.h>
#include <stdint.h>

#define KIB(n) ((size_t)(n)*1024)
/* What has more does not compile: a size may have 32 bits. */
#define MIB(n) ((size_t)(n)*1024 * 1024 / (size_t)((n) < 4096))
#define GIB(n) ((uint64_t)(n)*1024 * 1024 * 1024)

/* A record. */
#define RECORD_BYTES_MAX KIB(32) /* of one change, packed; refused at save */
#define LIST_ITEMS_MAX 1000      /* elements of one list */
#define TEXT_BYTES_MAX KIB(8)    /* one text field, unless its rule says less */
#define KEY_BYTES_MAX 64         /* an element's key */
#define REASON_BYTES_MAX 1000
#define FIELDS_MAX 4000       /* fields and elements of one change */
#define NESTING_MAX 4         /* lists inside lists, unknown ones included */
#define ELEMENT_NUMBER_MAX 63 /* field numbers inside elements */

/* A change-set. */
#define SET_CHANGES_MAX 5000
#define SET_FIELDS_MAX 400000 /* fields and elements of all its changes; of a page too */
#define SET_CELLS_MAX 2000000 /* cells of all its columns, empty ones included; of a page too */
#define SET_VALUE_BYTES_MAX MIB(16) /* bytes of all their values; of a page too */
#define STATE_BYTES_MAX                                                                            \
    (8 * RECORD_BYTES_MAX)          /* a record in a page: several may have added to it */
#define TIGHT_ITEMS_MAX KIB(32)     /* numbers and bytes of columns in their tight form */
#define STATE_SPARE KIB(4)          /* of which only a void may use these last ones, ... */
#define FIELDS_SPARE 16             /* ... and of its FIELDS_MAX these */
#define FIELD_NUMBER_KNOWN_MAX 63   /* field numbers that a program may know */
#define FIELDS_UNKNOWN_MAX 128      /* fields of a record with numbers above */
#define SET_FOLLOWERS_MAX 50000     /* attachments that move with the records of one */
#define SET_BODY_BYTES_MAX MIB(4)   /* inflated: the cap of the decompression bomb */
#define SET_SEALED_BYTES_MIN KIB(4) /* the client's budget for one set shrinks to this ... */
#define SET_SEALED_BYTES_START KIB(16)
#define SET_SEALED_BYTES_MAX KIB(60) /* ... and grows to this */

/* An exchange. Noise caps one message at 65,535 bytes and message 1 carries the request. */
#define NOISE_MESSAGE_MAX 65535
#define REQUEST_BYTES_MAX (NOISE_MESSAGE_MAX - 96 - 1) /* before encryption, compressed */
#define REQUEST_INFLATED_MAX KIB(256)
#define REQUEST_SETS_MAX 64
#define REPLY_BYTES_MAX KIB(512) /* compressed, before encryption */
#define REPLY_INFLATED_MAX MIB(8)
#define KNOWN_MAX 32        /* replicas of one device that a reply tells of */
#define CHAIN_HASHES_MAX 32 /* how far back it tells where two chains part */
#define PAGE_BYTES_DEFAULT KIB(192)
#define PAGE_RECORDS_MAX 4000
#define FRAME_BYTES_MAX KIB(640) /* on either socket */
#define ARENA_REQUEST_MAX MIB(64)
#define ARENA_CHANGE_MAX MIB(64) /* applying one change */
#define ARENA_SAVE_MAX MIB(4)

/* Files: photos, signatures, documents. */
#define FILE_HASH_LEN 32
#define FILE_NAME_BYTES_MAX 255
#define ATTACHED_BYTES_MAX MIB(64) /* what a record may say; settings allow less */
#define FILE_CHUNK_BYTES KIB(15)   /* by which it is kept and travels: four fit a request */
#define FILE_CHUNKS_MAX 4370       /* of one file */
#define FILE_BYTES_DEFAULT MIB(16) /* one file, of one record, and on one device */
#define RECORD_FILES_BYTES_DEFAULT MIB(64)
#define STORE_FILES_BYTES_DEFAULT GIB(4)
#define FILE_HAVE_BYTES_MAX 547    /* a bit for each chunk */
#define FILES_ASKED_MAX 64         /* in one request */
#define FILE_CHUNKS_SENT_MAX 32    /* in one request, of small files */
#define FILE_CHUNKS_REPLY_MAX 16   /* in one reply */
#define FILES_HASHED_ENOUGH MIB(8) /* in one request, in one batch: others with the next */
#define MOVED_ENOUGH 10000   /* moved with their records in one request, one batch: others wait */
#define MOVED_BYTES 128      /* of turns: what it takes to move one, and to serve, is about that */
#define HASHED_PER_BYTE 256  /* of turns: what it takes to hash, and to serve, is about that */
#define RECORD_FILES_MAX 200 /* attachments of one record that one device makes */
#define THUMBNAIL_BYTES_MAX FILE_CHUNK_BYTES
#define THUMBNAIL_SIDE 256       /* pixels of its longer side */
#define THUMBNAILS_KEPT_MAX 600  /* on one device: 9 MiB at most */
#define FILES_WANTED_MAX 32      /* lost by the registry, that one reply asks for */
#define FILES_DISK_SPARE MIB(64) /* that files leave free on the disk, for the records */

/* A bundle of evidence. */
#define EVIDENCE_BYTES_MAX MIB(64)     /* the story, in the file */
#define EVIDENCE_INFLATED_MAX MIB(128) /* the cap of the decompression bomb */
#define EVIDENCE_ARENA_MAX MIB(512)    /* all that is read of it, and what it proves */
#define EVIDENCE_FIELDS_MAX 4000000    /* of all its messages together */
#define EVIDENCE_FINDINGS_MAX 1000     /* that are told; more are counted */
#define EVIDENCE_PARTS_MAX 20000       /* sets shown whole, names, replicas */
#define EVIDENCE_CHANGES_MAX 150000    /* of the record */
#define EVIDENCE_CASES_MAX 20000
#define EVIDENCE_FILES_MAX 2000 /* attachments of the record */

/* The server. */
#define CASES_OPEN_MAX 1000             /* of one record: a change that opens more is refused */
#define CASES_LOOKED_AT_MAX 100000      /* by one set: what comes behind in it is refused */
#define BATCH_REQUESTS_MAX 256          /* that share one transaction */
#define BATCH_BYTES_ENOUGH KIB(32)      /* of their frames; a larger one is served alone */
#define BATCH_DUE_TOGETHER KIB(16)      /* who is due later does not hold up who is due now */
#define BATCH_OPENED_BYTES_MAX MIB(32)  /* of what they decode to; those behind wait */
#define BATCH_REPLY_BYTES_ENOUGH MIB(2) /* of replies not yet deflated; those behind wait */
#define REQUEST_OPENED_BYTES_MAX MIB(1) /* one request decoded, before it is answered */
#define CROWD_MIN 4                     /* so many who wait together are many; each is told ... */
#define CROWD_SET_BYTES SET_SEALED_BYTES_START /* ... to send no more at once, ... */
#define CROWD_PAGE_BYTES KIB(32)               /* ... and is sent no more */
#define TURN_BYTES KIB(2)                      /* what a request counts for besides its bytes */
#define QUEUE_BYTES_DEFAULT MIB(8)             /* of requests that wait for their turn */
#define QUEUE_BYTES_MAX MIB(1024)
#define BUSY_MS_MIN 5000               /* who is told to come back comes after this ... */
#define BUSY_MS_MAX 600000             /* ... and, but for the jitter, before this */
#define REQUEST_FIELDS_MAX 1024        /* of all its messages together */
#define REPLY_OUTCOMES_ENOUGH 5000     /* no further set is taken in; one set may have as many */
#define REPLY_LATE_OUTCOMES_MAX 1000   /* those of sets that were acknowledged before */
#define REPLY_CASES_MAX 4000           /* noted with outcomes */
#define REPLY_CASE_VALUES_MAX KIB(512) /* values in the notes of cases; the others are brief */
#define GENERATIONS_MAX 64             /* replicas that one continues, one behind the other */
#define REPLICAS_OF_DEVICE_MAX 64      /* a store forks when it was copied: seldom */
#define QUARANTINE_SETS_MAX 200        /* kept of one device that is revoked or suspended */
#define SIGN_KEYS_MAX 200              /* of one replica, one after the other */
#define REKEYS_MAX 50                  /* of a device: a certificate names all its keys */
#define CERTIFICATE_BYTES_MAX KIB(24)
#define SCOPE_UNITS_MAX 64   /* units named in one device's scope */
#define SCOPE_RECORDS_MAX 64 /* and single records */

_Static_assert(FILE_HAVE_BYTES_MAX == (FILE_CHUNKS_MAX + 7) / 8, "a bit for each chunk");
_Static_assert(4 * (FILE_CHUNK_BYTES + 64) + 3072 < REQUEST_BYTES_MAX, "four chunks fit a request");
_Static_assert(FILE_CHUNKS_REPLY_MAX *(FILE_CHUNK_BYTES + 64) + 4096 < REPLY_BYTES_MAX,
               "chunks fit a reply");
_Static_assert(FILE_CHUNKS_MAX == (ATTACHED_BYTES_MAX + FILE_CHUNK_BYTES - 1) / FILE_CHUNK_BYTES,
               "the largest file has so many chunks");
_Static_assert(SET_SEALED_BYTES_MAX + 2048 < REQUEST_BYTES_MAX, "a full set fits one request");
_Static_assert(RECORD_BYTES_MAX < SET_SEALED_BYTES_MAX, "a record fits a set");
_Static_assert(PAGE_BYTES_DEFAULT < REPLY_BYTES_MAX, "a page fits a reply");
_Static_assert(REPLY_BYTES_MAX + KIB(64) < FRAME_BYTES_MAX, "a reply fits a frame");
/* Its frame decrypted, inflated, and its bytes copied with up to 256 bytes for each field. */
_Static_assert(NOISE_MESSAGE_MAX + 2 * REQUEST_INFLATED_MAX + 256 * REQUEST_FIELDS_MAX <
                   REQUEST_OPENED_BYTES_MAX,
               "any request can be opened");
_Static_assert(REQUEST_OPENED_BYTES_MAX <= BATCH_OPENED_BYTES_MAX,
               "the first of a batch is opened");

#endif
