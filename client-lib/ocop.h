/**
 * libocop: record inspections, samples and environmental checks offline; sync when there is signal.
 *
 *     struct ocop_store *store;
 *     struct ocop_error err;
 *     if (ocop_open("field.ocop", NULL, &store, &err) != OCOP_OK) ...
 *     if (ocop_enrol(store, code, NULL, &err) != OCOP_OK) ...      once, with signal
 *
 *     ProtobufCMessage *m;
 *     ocop_new(store, "inspection", &m, &err);
 *     Ocop__Inspection *i = (Ocop__Inspection *)m;                 fill in fields
 *     ocop_submit(store, m, &err);                                 safe from here on
 *     ocop_sync(store, NULL, &summary, &err);                      when there is signal
 *
 * Rules that hold for every call:
 *  - Inputs are borrowed for the call and never kept. What comes through a `**out` is the caller's
 *    to free with the function named; a `const` pointer inside a struct lives as long as the
 * struct.
 *  - `err` may be NULL. On failure outputs are NULL or 0 and what is stored is unchanged, unless
 * the function says otherwise.
 *  - A handle may be used from any thread; calls exclude one another, but for ocop_sync, which
 *    holds nothing while it waits for the network: recording goes on meanwhile. ocop_close must be
 *    the last call on a handle.
 *  - A store may be open in several handles and processes, such as an app and its background
 *    job. Each knows at once what the others did. A call that writes may wait for another that
 *    writes, but for 10 s at most (then OCOP_EBUSY, nothing changed), and never for one that waits
 *    for the network.
 *  - Text is UTF-8. Moments are ms since 1970 UTC. Ids are 16 bytes.
 *  - Statuses OCOP_EDB, OCOP_ENOMEM (nothing changed, may be tried again) and OCOP_EBROKEN (close
 *    the handle and open it again) can come from any call and are not repeated below.
 */
#ifndef OCOP_H
#define OCOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <protobuf-c/protobuf-c.h>

#include "ocop_status.h"

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define OCOP_API __attribute__((visibility("default")))
#else
#define OCOP_API
#endif

struct ocop_store; /**< an open store; made by ocop_open, freed by ocop_close */

struct ocop_id {
    uint8_t b[16];
};
enum { OCOP_ID_TEXT_LEN = 36 };

/** "0192...-8...": out has room for OCOP_ID_TEXT_LEN + 1. Returns out. */
OCOP_API const char *ocop_id_text(struct ocop_id id, char *out);
/** False when `text` is not an id. */
OCOP_API bool ocop_id_parse(const char *text, struct ocop_id *out);
/** Are two names the same, whatever their case, spaces, apostrophes, style of tone marks and normal
 *  form? Diacritics count. Either may be NULL: then they are not. */
OCOP_API bool ocop_same_name(const char *a, const char *b);
/** "EINVAL" and the like; never NULL. */
OCOP_API const char *ocop_status_name(enum ocop_status status);
/** Version of the library, such as "0.1.0". */
OCOP_API const char *ocop_version(void);

/* --- open and close -------------------------------------------------------------------------- */

struct ocop_options {
    bool must_exist; /**< do not make a new store */
    const void *env; /**< NULL; the simulator's clock and randomness */
    const char *vfs; /**< NULL; name of a SQLite VFS */
    void *link;      /**< NULL; a struct link the store uses and closes in place of the network */
    /**
     * The key that encrypts the file, or NULL: it is plain. 32 bytes are taken as they are; make
     * them at random and keep them in the phone's key store. From 16 to 1024 bytes of any other
     * length are a passphrase: each opening then takes a tenth of a second and 64 MiB. Without the
     * key nobody can read the store, its officer included. Not kept for the caller: wipe it.
     */
    const void *key;
    size_t key_len;
};

/**
 * Open a store, making or upgrading the file as needed.
 *
 * @param options may be NULL
 * @return OCOP_OK; OCOP_ENOTFOUND (must_exist); OCOP_EVERSION made by a newer program;
 *         OCOP_EDAMAGED not a store, or damaged; OCOP_EAUTH it is encrypted with another key than
 *         the one given, or none was given; OCOP_ESTATE a key was given and it is not encrypted:
 *         open it without, then ocop_rekey; OCOP_EINVAL ("key") too short or too long, or this
 *         libocop was not built to encrypt; the file is unchanged. Of a store of which a wipe was
 *         cut short, which this ends: OCOP_EIO not all could be removed, OCOP_EBUSY another program
 *         reads it; try again
 */
OCOP_API OCOP_MUST_USE enum ocop_status ocop_open(const char *path,
                                                  const struct ocop_options *options,
                                                  struct ocop_store **out, struct ocop_error *err);

/**
 * Encrypt the store with this key from now on: one that is encrypted with another key, or one that
 * is plain. It is copied, read back and put in the place of the old file in one step; whatever
 * interrupts it, the file is either the old one or the new. It needs room on the disk for both. The
 * old file is overwritten with zeros behind it; what a flash memory keeps of it elsewhere is out of
 * reach.
 *
 * @param key as in ocop_options
 * @return OCOP_OK; OCOP_EINVAL ("key") as ocop_open, or none was given; OCOP_EBUSY it is open
 *         elsewhere, or being synced; nothing changed; OCOP_EIO it was changed, but the disk does
 *         not promise to remember it: keep both keys and try again; OCOP_EBROKEN the same
 * Blocks for the disk, and for as long as all of the store takes to be written. Any thread.
 */
OCOP_API OCOP_MUST_USE enum ocop_status ocop_rekey(struct ocop_store *store, const void *key,
                                                   size_t key_len, struct ocop_error *err);

/** Close. NULL is allowed. A sync in another thread is cancelled and waited for. Nothing is lost.
 */
OCOP_API void ocop_close(struct ocop_store *store);

/* --- enrol ----------------------------------------------------------------------------------- */

/**
 * Enrol this store with an invitation's code. Needs the network. Repeating the call with the same
 * code after any failure is safe: the server gives the same answer.
 *
 * A store that is enrolled may be enrolled again by an invitation of the same registry for the same
 * officer: where the registry was restored from a backup that does not know this device, or has a
 * new address. What the store holds stays, and what the registry lacks is sent again.
 *
 * @param name what the office shall call this device; may be NULL
 * @return OCOP_OK; OCOP_EINVAL the code is damaged; OCOP_EAUTH unknown code or wrong server, or the
 *         registry knows this device; OCOP_ESTATE expired, used by another device, of another
 *         registry or for another officer; on any failure the store is as it was;
 *         OCOP_ENET, OCOP_ETIMEOUT, OCOP_ECANCELLED; OCOP_EBUSY this store is being synced or
 *         enrolled, or the server has trouble of its own; OCOP_EBUSY, OCOP_EIO a wipe that was cut
 *         short cannot be ended, as ocop_open; OCOP_EREVOKED the registry has revoked
 *         these keys; OCOP_EPROTO the server's answer cannot be read; OCOP_EVERSION of a newer one
 */
OCOP_API OCOP_MUST_USE enum ocop_status ocop_enrol(struct ocop_store *store, const char *code,
                                                   const char *name, struct ocop_error *err);

/**
 * Have this device change its keys: those that sign and the one that opens its channel. New ones
 * are made and stored; the next ocop_sync has the registry take them, signed by the old ones,
 * before it seals anything more. Whatever interrupts it, it is finished by a later one. What was
 * signed by the old keys stays valid; who has stolen those can do nothing with them from then on.
 * Asked again while it waits, it changes nothing. The office can ask for it too.
 *
 * @return OCOP_OK the keys are made; OCOP_ENOTENROLLED; OCOP_EREVOKED; OCOP_EDB nothing changed
 * Blocks for the disk, never for the network. Any thread.
 */
OCOP_API OCOP_MUST_USE enum ocop_status ocop_rekey_device(struct ocop_store *store,
                                                          struct ocop_error *err);

/* --- record ---------------------------------------------------------------------------------- */

/**
 * Make an empty record of a kind ("inspection", "sample", "environmental_check", "producer",
 * "product", ...) with its id, officer, time of recording, day and rule set filled in. Nothing is
 * stored yet.
 *
 * @param out a message of records.proto; free with ocop_free
 * @return OCOP_OK; OCOP_ENOTFOUND no such kind; OCOP_EPERM the officer's roles do not allow it,
 *         whatever days they are given for: whether one is in force the registry says when the
 *         record arrives; OCOP_ENOTENROLLED
 */
OCOP_API OCOP_MUST_USE enum ocop_status ocop_new(struct ocop_store *store, const char *kind,
                                                 ProtobufCMessage **out, struct ocop_error *err);

/** Free a message made by this library. NULL is allowed. */
OCOP_API void ocop_free(ProtobufCMessage *record);

/** What the messages of a kind look like: for a binding, whose records come and go as packed bytes.
 *  NULL: there is no such kind. */
OCOP_API const ProtobufCMessageDescriptor *ocop_descriptor(const char *kind);

/** A new key for a list element whose key is an id (findings, participants, parts, ...). */
OCOP_API struct ocop_id ocop_new_key(struct ocop_store *store);

/**
 * Save a draft: the whole record as it shall be (of a loaded one: what differs from what was
 * loaded, see ocop_load). It stays on this device until submitted, and replaces an earlier draft.
 * For a submitted record this begins or changes the draft of an amendment.
 *
 * @param record any message of records.proto; fields are checked but none is required yet
 * @return OCOP_OK saved; OCOP_EINVAL, OCOP_ELIMIT a field breaks its rule, err names it;
 *         OCOP_ELIMIT without a field: this says more than the 32 KiB that one change may have, or
 *         the record would become larger than the registry keeps;
 *         OCOP_EPERM the officer's roles do not allow it, or its unit lies outside those of this
 *         device: err names both; OCOP_ESTATE the record is voided; OCOP_ENOTFOUND it has left
 *         this device since it was loaded
 * Blocks for the disk, never for the network.
 */
OCOP_API OCOP_MUST_USE enum ocop_status
ocop_save(struct ocop_store *store, const ProtobufCMessage *record, struct ocop_error *err);

/**
 * Submit a new record: checks all, gives the paper number, and puts it in the outbox. The row and
 * its outbox entry are one transaction: after OCOP_OK the record survives power loss and will reach
 * the registry. A record that the registry refused is submitted again by this: what it says then
 * holds also against amendments that wait for it since before.
 *
 * @param record as for ocop_save; an earlier draft of it is replaced
 * @return OCOP_OK; OCOP_EINVAL, OCOP_ELIMIT err names the field, by its path where it is one of a
 *         list's element ("findings[...].deadline_date"); OCOP_EPERM as ocop_save;
 *         OCOP_ESTATE submitted already (use ocop_amend), or this store is a copy that waits for a
 *         new device number and can number no paper yet
 */
OCOP_API OCOP_MUST_USE enum ocop_status
ocop_submit(struct ocop_store *store, const ProtobufCMessage *record, struct ocop_error *err);

/**
 * Submit the draft that is stored: of a new record, or of an amendment.
 *
 * @param reason why; required for an amendment, not read for a new record
 * @return as ocop_submit or ocop_amend; OCOP_ENOTFOUND no such record, or it has no draft. The
 * draft stays when it fails
 */
OCOP_API OCOP_MUST_USE enum ocop_status ocop_submit_draft(struct ocop_store *store,
                                                          const struct ocop_id *id,
                                                          const char *reason,
                                                          struct ocop_error *err);

/**
 * Amend a submitted record: what differs from the one that was loaded (or, of a message made
 * without ocop_load, from the stored one) is a change of its own. A draft of the record is
 * replaced. What the registry refused stays refused, in sight, until a change says again all that
 * it said, or ocop_resend or ocop_discard ends it.
 *
 * @param reason why; required
 * @return OCOP_OK (also when nothing differs: then nothing is stored); OCOP_EINVAL, OCOP_ELIMIT as
 *         ocop_save; OCOP_EPERM;
 *         OCOP_ENOTFOUND; OCOP_ESTATE not submitted yet, refused (submit it again), or voided
 */
OCOP_API OCOP_MUST_USE enum ocop_status ocop_amend(struct ocop_store *store,
                                                   const ProtobufCMessage *record,
                                                   const char *reason, struct ocop_error *err);

/**
 * Add an element to a list that is open to others (custody steps of a sample).
 *
 * @param list    field name, such as "custody"
 * @param element a message such as Ocop__CustodyStep; without a key it gets one
 * @return as ocop_amend; OCOP_EPERM the list is not open
 */
OCOP_API OCOP_MUST_USE enum ocop_status ocop_add(struct ocop_store *store, const struct ocop_id *id,
                                                 const char *list, const ProtobufCMessage *element,
                                                 const char *reason, struct ocop_error *err);

/**
 * Void a submitted record. It stays, marked; a draft of an amendment is discarded. A draft that was
 * never submitted, or a record that the registry refused, is discarded instead, as a whole, and
 * needs no reason.
 *
 * @param reason why
 * @return OCOP_OK; OCOP_EINVAL no reason; OCOP_EPERM; OCOP_ENOTFOUND; OCOP_ESTATE voided already
 */
OCOP_API OCOP_MUST_USE enum ocop_status ocop_void(struct ocop_store *store,
                                                  const struct ocop_id *id, const char *reason,
                                                  struct ocop_error *err);

/** Discard the draft of a record (its submitted state stays); where it has none, what the registry
 *  refused of it: with a refused creation goes the whole record. OCOP_ENOTFOUND when there is
 *  neither. */
OCOP_API OCOP_MUST_USE enum ocop_status
ocop_discard(struct ocop_store *store, const struct ocop_id *id, struct ocop_error *err);

/**
 * Load a record as this device sees it: the registry's state with its own pending edits.
 *
 * A record may stand open in an editor while a sync brings what others changed. So the message
 * carries what was loaded, with its versions, in one unknown field (number 536870911). Saved or
 * amended, only what differs from that is an edit, based on what its officer saw:
 *
 *     loaded     conclusion pass, score 70
 *     a sync     conclusion fail, by another
 *     edited     score 90                    -> fail, 90;  the same edit of the conclusion: a case
 *
 * ocop_from_json and ocop_set_text pass it on from their base. It never leaves messages: not into
 * JSON, nor the store, nor the network. Without it a message is the whole record as it shall be:
 * what came since it was read is taken for seen, and undone. A message under another id is another
 * record.
 *
 * @param out a message of records.proto; free with ocop_free
 * @return OCOP_OK; OCOP_ENOTFOUND
 */
OCOP_API OCOP_MUST_USE enum ocop_status ocop_load(struct ocop_store *store,
                                                  const struct ocop_id *id, ProtobufCMessage **out,
                                                  struct ocop_error *err);

/** The same as packed bytes: for a binding, which would pack the message again. *out is freed with
 *  ocop_text_free, *desc is what ocop_descriptor gives for its kind. */
OCOP_API OCOP_MUST_USE enum ocop_status
ocop_load_packed(struct ocop_store *store, const struct ocop_id *id, char **out, size_t *len,
                 const ProtobufCMessageDescriptor **desc, struct ocop_error *err);

/* --- files: photos, signatures, documents ---------------------------------------------------- */

/** A content to be attached to a record: of a file, of memory, or of an open descriptor. */
/** The next bytes of a content, at most `len`. @return how many; 0 at its end; below 0: it cannot
 * be read */
typedef long (*ocop_read_fn)(void *user, void *out, size_t len);

struct ocop_attachment {
    const char *path;  /**< a file; or NULL and ... */
    const void *bytes; /**< ... `len` bytes; or both NULL and ... */
    size_t len;
    ocop_read_fn read; /**< ... what this gives, called while nothing is locked; or NULL and ... */
    void *user;        /**< for it */
    int fd;            /**< ... what is read from here, from where it stands to its end. Stays open;
                            of a file, where it stands too */
    bool has_part;     /**< of a file, only a part, such as that of an AssetFileDescriptor: ... */
    uint64_t part_at, part_len; /**< ... from here on so much, wherever `fd` stands */
    const char *name;           /**< for people, no path; NULL: that of `path` */
    const char *role;           /**< of code list attachment_role: photo, signature, document,
                                     laboratory_report, other */
    const char *media_type;     /**< what it is said to be, such as "image/jpeg"; must be what its
                                   content tells. NULL: nothing is said */
    const char *caption;        /**< may be NULL */
    int64_t taken_ms;           /**< by the device's clock; 0: not known */
    bool has_place;             /**< are these two known? */
    int32_t lat_e6, lon_e6;
};

/**
 * Attach a photo, a signature or a document to a record: a new record of kind "attachment" that
 * names it, and a copy of the content in the folder FILE.blobs beside the store, encrypted with a
 * key of the store. After OCOP_OK both survive power loss, and the source may go. Of a record that
 * is a draft the attachment is one too, and is submitted or discarded with it. The same content
 * twice is kept once. A photo may be scaled down: see struct ocop_image_settings.
 *
 * What it is (its media type) is told from its first bytes. A photo must be an image, a signature
 * too (SVG among them).
 *
 * @param record an inspection, a sample, an environmental check, a producer, a product, ...
 * @param out    the attachment's id
 * @return OCOP_OK
 *         OCOP_EINVAL    ("path", "bytes", "fd") empty, or no file; ("name") no text, or a path;
 *                        ("media_type") not what it is said to be; ("role") it cannot be one
 *         OCOP_ELIMIT    ("path", "bytes", "fd") larger than one file may be; ("record", "store")
 *                        more than its files, or all, may have; ("name"); or the disk is full
 *         OCOP_ENOTFOUND ("path") no such file; or no such record
 *         OCOP_EBUSY     ("path", "fd") it changed while it was read
 *         OCOP_EIO       it cannot be read, or the copy not be written
 *         OCOP_ESTATE    the record is voided
 *         OCOP_EPERM     as ocop_save
 *         On failure nothing is stored, and nothing that was fetched is let go of.
 *
 * Blocks for the disk, never for the network; while it copies, other calls go on.
 */
OCOP_API OCOP_MUST_USE enum ocop_status ocop_attach(struct ocop_store *store,
                                                    const struct ocop_id *record,
                                                    const struct ocop_attachment *what,
                                                    struct ocop_id *out, struct ocop_error *err);

/** Where the pen was, in whole numbers from the upper left of where it wrote (pixels, or finer),
 * and when, in milliseconds since the first point of all. */
struct ocop_point {
    int32_t x, y;
    uint32_t t_ms;
};
/** From where the pen came down to where it was lifted. */
struct ocop_stroke {
    const struct ocop_point *points;
    size_t count;
};
struct ocop_strokes {
    const struct ocop_stroke *strokes;
    size_t count;
};
enum {
    OCOP_STROKE_SIDE_MAX = 32767,   /* of x and y */
    OCOP_STROKE_POINTS_MAX = 20000, /* of all strokes together */
    OCOP_STROKES_MS_MAX = 3600000
};

/**
 * Attach a signature as it was written: strokes become a small SVG, which any browser shows, with
 * the times of its points beside each path (data-ms: the first, then the differences). The same
 * strokes give the same file. Nothing but numbers goes into it.
 *
 * @param what caption, time, place and name, as of ocop_attach; may be NULL
 * @param out  the attachment's id
 * @return OCOP_EINVAL ("strokes") there are none, one has no points, a point is outside or before
 *                     the one before it; ("role") it is another one
 *         OCOP_ELIMIT ("strokes") they have too many points
 *         and as ocop_attach
 */
OCOP_API OCOP_MUST_USE enum ocop_status
ocop_attach_strokes(struct ocop_store *store, const struct ocop_id *record,
                    const struct ocop_strokes *strokes, const struct ocop_attachment *what,
                    struct ocop_id *out, struct ocop_error *err);

enum ocop_file_state {
    OCOP_FILE_DRAFT = 1,    /**< stays on this device, as its draft does */
    OCOP_FILE_WAITING = 2,  /**< here, and not whole at the registry yet */
    OCOP_FILE_STORED = 3,   /**< here, and whole at the registry */
    OCOP_FILE_ABSENT = 4,   /**< only its record is here */
    OCOP_FILE_FETCHING = 5, /**< asked for, and not whole here yet */
    OCOP_FILE_REMOVED = 6,  /**< the registry's office has removed it, and it travels no more */
};

struct ocop_file {
    struct ocop_id id, record;                      /**< the attachment, and what it belongs to */
    const char *role, *caption, *media_type, *name; /**< "" when there is none */
    uint64_t size;                                  /**< bytes */
    uint8_t hash[32];                               /**< BLAKE2b-256 */
    enum ocop_file_state state;
    bool here;        /**< ocop_file_read gives it */
    uint64_t done;    /**< bytes that have travelled */
    int64_t tried_ms; /**< when they last did; 0: never */
    const char
        *text; /**< all this in a line: "here, not at the registry yet (43 of 120 KiB, ...)" */
};

struct ocop_file_list {
    struct ocop_file *files;
    size_t count;
    bool more;
};

/** What is attached to a record, or (NULL) to any, newest first; without what is voided.
 *  @param out free with ocop_file_list_free */
OCOP_API OCOP_MUST_USE enum ocop_status ocop_files(struct ocop_store *store,
                                                   const struct ocop_id *record,
                                                   struct ocop_file_list **out,
                                                   struct ocop_error *err);
OCOP_API void ocop_file_list_free(struct ocop_file_list *list);

/**
 * Read of an attachment's content, from byte `at`: a stream is this call again and again.
 *
 * @param got bytes read; less than `len` only at the end
 * @return OCOP_OK; OCOP_ENOTFOUND no such attachment, or its content is not on this device;
 *         OCOP_EDAMAGED it is not what was written; OCOP_EIO
 */
OCOP_API OCOP_MUST_USE enum ocop_status ocop_file_read(struct ocop_store *store,
                                                       const struct ocop_id *attachment,
                                                       uint64_t at, void *out, size_t len,
                                                       size_t *got, struct ocop_error *err);

/** Ask for the content of an attachment: the next sync fetches it, if the registry has it. Nothing
 * when it is here; one that is damaged here, and that the registry has, comes anew. @return
 * OCOP_OK; OCOP_ENOTFOUND no such attachment; OCOP_ELIMIT ("store") more than all files may have */
OCOP_API OCOP_MUST_USE enum ocop_status
ocop_fetch(struct ocop_store *store, const struct ocop_id *attachment, struct ocop_error *err);

enum { OCOP_THUMBNAIL_BYTES_MAX = 15360 };

/**
 * Ask for thumbnails of what is attached: small JPEGs, 256 pixels at most, turned as their photos,
 * which the registry makes of the JPEGs that it holds. The next sync fetches them after the records
 * and before any file; one that is not made yet comes with a later sync. The last 600 are kept.
 *
 * @param of     a record or an attachment; NULL: the newest of all
 * @param wanted how many of them are not here
 * @return OCOP_OK; OCOP_ENOTFOUND neither has `of` attachments, nor is it one
 */
OCOP_API OCOP_MUST_USE enum ocop_status ocop_fetch_thumbnails(struct ocop_store *store,
                                                              const struct ocop_id *of,
                                                              unsigned *wanted,
                                                              struct ocop_error *err);

/** The thumbnail of an attachment. @param out has OCOP_THUMBNAIL_BYTES_MAX bytes
 *  @return OCOP_OK; OCOP_ENOTFOUND it is not here; err says whether it will be */
OCOP_API OCOP_MUST_USE enum ocop_status ocop_thumbnail_read(struct ocop_store *store,
                                                            const struct ocop_id *attachment,
                                                            void *out, size_t *len,
                                                            struct ocop_error *err);

/**
 * Let go of files until at most `bytes` of them are here: of those that the registry holds, which
 * can be fetched again, those that travelled longest ago first. What was not sent stays, however
 * much that is. ocop_fetch and ocop_attach do so by themselves when they need the room.
 *
 * @param removed how many went
 */
OCOP_API OCOP_MUST_USE enum ocop_status ocop_files_keep(struct ocop_store *store, uint64_t bytes,
                                                        unsigned *removed, struct ocop_error *err);

/** How much files may take; kept in the store. */
struct ocop_file_limits {
    uint64_t file_bytes;   /**< one file; at first 16 MiB, at most 64 MiB */
    uint64_t record_bytes; /**< all files of one record; at first 64 MiB */
    uint64_t store_bytes;  /**< all files on this device; at first 4 GiB */
};
OCOP_API OCOP_MUST_USE enum ocop_status ocop_get_file_limits(struct ocop_store *store,
                                                             struct ocop_file_limits *out,
                                                             struct ocop_error *err);
/** @return OCOP_ELIMIT, OCOP_EINVAL err names the member. What is there already stays. */
OCOP_API OCOP_MUST_USE enum ocop_status ocop_set_file_limits(struct ocop_store *store,
                                                             const struct ocop_file_limits *limits,
                                                             struct ocop_error *err);

enum {
    OCOP_IMAGE_SIDE_MIN = 320,
    OCOP_IMAGE_SIDE_MAX = 8192,
    OCOP_IMAGE_QUALITY_MIN = 30,
    OCOP_IMAGE_QUALITY_MAX = 100,
    OCOP_IMAGE_QUALITY_DEFAULT = 80
};

/**
 * What becomes of photos that are attached; kept in the store. At first they are kept as they come.
 *
 * A JPEG attached as a photo whose longer side has more than `side_max` pixels is scaled down to it
 * and encoded anew; it stays turned as it was, and its record says of which content it was made.
 * 2,048 pixels of quality 80 are some 500 KiB. What cannot be decoded (it is cut off, damaged,
 * printed in four colours, of more than 220 million pixels, or too large to be decoded in less than
 * 16 MiB) is kept as it is, and so is an image of another format; the log says why.
 *
 * With `strip`, no image that is attached, in whatever role and kept in whatever form, holds place
 * or time of its camera. A photo that is scaled is encoded anew without them; of any other JPEG, of
 * PNG, of WebP, and of an original that is kept, all pieces go but those that show the picture,
 * which stay byte for byte. Of other formats (HEIC, TIFF, SVG ...), and where the pieces cannot be
 * told apart, that cannot be done: ocop_attach refuses them and names `strip`. Files that are no
 * images, and strokes, are as they are. The record says of which content each was made. A PNG or a
 * WebP no longer says by EXIF which side is up, and is shown as its pixels lie; a JPEG still does.
 */
struct ocop_image_settings {
    uint32_t side_max;  /**< 0: they are kept as they come; 320 to 8,192 */
    uint32_t quality;   /**< 30 to 100; at first 80 */
    bool strip;         /**< time and place that the camera noted do not go on */
    bool keep_original; /**< attach the original besides: it travels after what is smaller */
};
OCOP_API OCOP_MUST_USE enum ocop_status ocop_get_image_settings(struct ocop_store *store,
                                                                struct ocop_image_settings *out,
                                                                struct ocop_error *err);
/** @return OCOP_ELIMIT err names the member. What is attached already stays as it is. */
OCOP_API OCOP_MUST_USE enum ocop_status
ocop_set_image_settings(struct ocop_store *store, const struct ocop_image_settings *settings,
                        struct ocop_error *err);

/** Remove what a killed program left in the folder of files, and contents that nothing names. Done
 * by itself when there is need.  @param removed how many */
OCOP_API OCOP_MUST_USE enum ocop_status ocop_files_sweep(struct ocop_store *store,
                                                         unsigned *removed, struct ocop_error *err);

/* --- JSON ------------------------------------------------------------------------------------ */

/** A record as JSON with protobuf's canonical names; *out is freed with ocop_text_free.
 *  @return OCOP_OK; OCOP_EINVAL no record of a kind, or malformed; OCOP_ELIMIT too large */
OCOP_API OCOP_MUST_USE enum ocop_status ocop_to_json(const ProtobufCMessage *record, bool pretty,
                                                     char **out, struct ocop_error *err);
/** And back. `base` (may be NULL) is copied first and the members of `json` put over it. Free *out
 *  with ocop_free. @return OCOP_EINVAL with the field named. */
OCOP_API OCOP_MUST_USE enum ocop_status ocop_from_json(struct ocop_store *store, const char *kind,
                                                       const ProtobufCMessage *base,
                                                       const char *json, ProtobufCMessage **out,
                                                       struct ocop_error *err);
/** Set one field from "name=value", "answers[NC.1].answer=fail"; "name=" clears. *record is freed
 * and replaced; on failure it stays as it was. @return OCOP_OK; OCOP_EINVAL with the field named */
OCOP_API OCOP_MUST_USE enum ocop_status ocop_set_text(struct ocop_store *store,
                                                      ProtobufCMessage **record,
                                                      const char *assignment,
                                                      struct ocop_error *err);
OCOP_API void ocop_text_free(char *text);

/* --- find ------------------------------------------------------------------------------------ */

/* A record that is in several at once shows the first of: refused, in a case, waiting, draft,
 * merged, accepted. Its status tells the rest. */
enum ocop_record_state {
    OCOP_DRAFT = 1, /**< on this device only; submit it */
    OCOP_WAITING =
        2, /**< submitted, not acknowledged; or the registry waits for what it refers to */
    OCOP_ACCEPTED = 3, /**< in the registry as submitted */
    OCOP_MERGED = 4,   /**< in the registry, with later changes of others */
    OCOP_IN_CASE = 5,  /**< stands in a case for central staff */
    OCOP_REFUSED = 6   /**< a change was refused; its reason is in the status */
};

struct ocop_query {
    const char *kind;           /**< NULL: all that have a unit */
    const struct ocop_id *unit; /**< this one and all below it */
    const struct ocop_id *product, *producer;
    const char *from_date, *to_date; /**< "YYYY-MM-DD", both included, by the record's day */
    int state;                       /**< enum ocop_record_state; 0: any */
    const char *text; /**< words or beginnings of words, with or without diacritics; up to 32 */
    bool voided_too;
    int limit; /**< 0: 100; newest first */
    int offset;
};

struct ocop_item {
    struct ocop_id id;
    const char *kind;
    enum ocop_record_state state;
    bool voided;
    const char *day;       /**< "" when it has none */
    const char *label;     /**< minutes number, name or the like */
    const char *unit_name; /**< "" when unknown here */
};

struct ocop_list {
    struct ocop_item *items;
    size_t count;
    bool more;
};

/** @param out free with ocop_list_free
 *  @return OCOP_OK; OCOP_EINVAL, or OCOP_ELIMIT ("text") it is longer or has more words than can be
 *          looked for; err names what is wrong in the query */
OCOP_API OCOP_MUST_USE enum ocop_status ocop_find(struct ocop_store *store,
                                                  const struct ocop_query *query,
                                                  struct ocop_list **out, struct ocop_error *err);
OCOP_API void ocop_list_free(struct ocop_list *list);

/* --- status ---------------------------------------------------------------------------------- */

struct ocop_case {
    struct ocop_id id;
    const char *field;                /**< "" for a void */
    const char *base, *theirs, *mine; /**< JSON text: before, the registry's, this officer's own */
    bool closed;
    const char *resolution; /**< "" while open */
};

struct ocop_record_status {
    struct ocop_id id;
    const char *kind;
    enum ocop_record_state state;
    bool has_draft;
    uint64_t version;   /**< of the registry as seen here; 0: not there yet */
    unsigned waiting;   /**< changes not acknowledged yet */
    const char *reason; /**< why refused or what it waits for; "" else */
    const char *reason_field;
    struct ocop_case *cases;
    size_t case_count;
};
/** @param out free with ocop_record_status_free. OCOP_ENOTFOUND. */
OCOP_API OCOP_MUST_USE enum ocop_status ocop_record_status(struct ocop_store *store,
                                                           const struct ocop_id *id,
                                                           struct ocop_record_status **out,
                                                           struct ocop_error *err);
OCOP_API void ocop_record_status_free(struct ocop_record_status *status);

struct ocop_store_status {
    bool enrolled;
    bool encrypted; /**< is the file encrypted at rest; if not, whoever has it can read it */
    bool forked;    /**< a copy that waits for its new device number */
    bool revoked;
    unsigned device_number;
    struct ocop_id replica, officer;
    char officer_name[128];
    char server[256];
    unsigned drafts, waiting, refused, cases, records;
    uint64_t version;     /**< cursor: seen of the registry up to here */
    int64_t last_sync_ms; /**< 0: never */
    int64_t skew_ms;      /**< this device's clock minus the server's, as last seen */
    bool suspended;       /**< by the office: what is recorded waits; see state_text */
    bool certified;       /**< holds a certificate by which a restored registry knows it again */
    bool wiped;           /**< by the office; nothing is here any more. Enrolling starts afresh */
    int64_t certificate_until_ms; /**< when that ends unless it is renewed; 0: it does not */
    int64_t keys_made_ms;         /**< when this device last changed its keys, by its clock */
    bool rekeying;                /**< new keys wait for the registry to take them: sync */
    uint64_t files_waiting, files_waiting_bytes; /**< that the registry does not hold whole yet */
    char state_text[320]; /**< what the office said of it, and what to do; "" when all is well */
};
OCOP_API OCOP_MUST_USE enum ocop_status
ocop_store_status(struct ocop_store *store, struct ocop_store_status *out, struct ocop_error *err);

/* --- sync ------------------------------------------------------------------------------------ */

struct ocop_sync_summary {
    unsigned round_trips;
    uint64_t bytes_sent, bytes_received;
    unsigned pushed;                                    /**< changes acknowledged by this sync */
    unsigned applied, equal, waiting, refused, in_case; /**< their outcomes */
    unsigned pulled;                                    /**< records received */
    unsigned departed;  /**< records that left the scope; one with changes over it goes with them */
    unsigned left;      /**< changes that still wait on this device */
    bool complete;      /**< all changes sent and all records received; contents: files_left */
    int retry_after_ms; /**< not 0: the server is busy, and the next sync is to come after this */
    unsigned busy;      /**< times that the server was busy and this sync waited and came back */
    bool forked;        /**< the store took a new replica id */
    unsigned files_sent, files_received; /**< contents that are whole at the other end now */
    unsigned files_left;                 /**< that were to go, and are not */
    unsigned thumbnails_received;
};

/** Where a sync is. Return false to cancel. Called on the caller's thread, holding nothing. */
typedef bool (*ocop_progress_fn)(void *user, const struct ocop_sync_summary *so_far,
                                 const char *doing);

/** Zero sends all. */
enum ocop_files_policy {
    OCOP_FILES_ALL = 0,
    OCOP_FILES_UNMETERED = 1, /**< none when the network is metered */
    OCOP_FILES_NONE = 2
};

struct ocop_sync_options {
    int connect_timeout_ms;    /**< 0: 10,000 */
    int exchange_timeout_ms;   /**< 0: 60,000 */
    ocop_progress_fn progress; /**< may be NULL */
    void *user;
    unsigned max_round_trips; /**< 0: until all is done */
    /** How long to wait, in all, for a server that is busy: each time as long as it asks, and
     * longer when it asks again, not connected meanwhile. 0, or what is left is less: OCOP_EBUSY at
     * once, and retry_after_ms says when to sync again. */
    int patience_ms;
    /** Send what waits and hear of it, and stop; with nothing to send, do nothing. For the store of
     * an officer who had this device before: each officer has a store of his own. */
    bool send_only;
    /** Which contents go after the records, up and down: the smallest first, and what was cut goes
     * on where it was cut. Of all that may, those up to `file_bytes_max` (0: any), of this record
     * or attachment (NULL: any), until `files_bytes_max` bytes of them were sent and asked for (0:
     * no limit). */
    enum ocop_files_policy files;
    bool metered; /**< what goes over this network costs; see OCOP_FILES_UNMETERED */
    uint64_t file_bytes_max, files_bytes_max;
    const struct ocop_id *files_of;
};

/**
 * Exchange with the server until nothing is left to send or to receive. What was acknowledged
 * before a failure stays acknowledged; the next sync goes on where this one stopped.
 *
 * @param options may be NULL
 * @param summary filled on success and on failure: what was done
 * @return OCOP_OK
 *         OCOP_ENOTENROLLED
 *         OCOP_ENET, OCOP_ETIMEOUT, OCOP_ECANCELLED
 *         OCOP_EBUSY      the server asks to come back later; another sync of this store runs; or
 *                         it is to be wiped, and contents that could not go now (by these options,
 *                         or since the registry does not take them) or another program that reads
 *                         the store keep it waiting: sync again
 *         OCOP_EAUTH      not our server
 *         OCOP_EREVOKED   this device was revoked; nothing on it was deleted
 *         OCOP_ESUSPENDED the office suspended it: what is recorded waits, and goes when it may
 *         OCOP_EWIPED     the office had this store wiped: after what waited was sent, contents
 *                         too, unless it was to be at once; err says what was never sent
 *         OCOP_EIO        it was to be wiped, and not all could be removed: syncing or opening it
 *                         again goes on with that
 *         OCOP_EPROTO     the server's answer cannot be read
 *         OCOP_EVERSION   the server does not speak this version
 * Blocks for the network. Call it on a thread of its own; one at a time.
 */
OCOP_API OCOP_MUST_USE enum ocop_status ocop_sync(struct ocop_store *store,
                                                  const struct ocop_sync_options *options,
                                                  struct ocop_sync_summary *summary,
                                                  struct ocop_error *err);

/** Cancel a running sync from any thread, a signal handler included. */
OCOP_API void ocop_cancel(struct ocop_store *store);

/** Send a refused change again as it is, its cause being gone. OCOP_ESTATE when none is refused. */
OCOP_API OCOP_MUST_USE enum ocop_status
ocop_resend(struct ocop_store *store, const struct ocop_id *id, struct ocop_error *err);

/* --- integrity ------------------------------------------------------------------------------- */

/** Called once per finding of ocop_check, with one line of text. */
typedef void (*ocop_check_fn)(void *user, const char *finding);

/** Check the file: SQLite's own check, the schema, every row against its sum and the rules, every
 *  sealed change-set's hash and chain, the outbox against the records, the search index against all
 *  their words. A finding names the row and says from what it can be had again. It reads by a
 * connection of its own and holds nothing: recording and syncing go on meanwhile, in `each` too,
 * and what they write is not looked at. Only while the search index is looked at may a call that
 * writes have to wait for it.
 *  @param findings how many; 0 is good. */
OCOP_API OCOP_MUST_USE enum ocop_status ocop_check(struct ocop_store *store, ocop_check_fn each,
                                                   void *user, unsigned *findings,
                                                   struct ocop_error *err);

/* --- evidence -------------------------------------------------------------------------------- */

/** What ocop_verify_evidence found. */
struct ocop_evidence {
    bool holds;           /**< every signature, every chain, and what came of the changes */
    bool root_key_known;  /**< a root key was given, and it is the bundle's */
    uint8_t root_key[32]; /**< the registry's, as the bundle names it */
    struct ocop_id record;
    int64_t made_ms;       /**< by the registry's clock */
    uint64_t head_version; /**< where its log ended then */
    unsigned changes, cases, signatures, links;
    unsigned findings;                              /**< what does not hold; the story names each */
    unsigned files;                                 /**< attachments of the record */
    unsigned files_whole, files_damaged, files_cut; /**< of those whose content is in the bundle */
};

/**
 * Check a bundle that `ocopd export evidence` wrote, with the contents of attachments that it
 * carries, and tell its story. Needs neither a store nor the registry.
 *
 * Without `root_key` a bundle of any registry is taken, of a made-up one too: then root_key of the
 * result has to be compared with the one that the registry's office has published.
 *
 * @param file     the whole file, `len` bytes; borrowed for this call
 * @param root_key 32 bytes, or NULL
 * @param json     the story as one JSON object, else as lines of text that are safe for a terminal
 * @param story    freed with ocop_text_free
 * @return OCOP_OK the bundle is whole, and out->holds says whether all in it holds; OCOP_EAUTH it
 *         was altered, or another registry signed it; OCOP_EPROTO it is no bundle; OCOP_EVERSION of
 *         a newer program; OCOP_ELIMIT. On failure *story is NULL.
 * Any thread. Takes up to 0.7 GB for the largest bundle, and seconds.
 */
OCOP_API OCOP_MUST_USE enum ocop_status
ocop_verify_evidence(const void *file, size_t len, const uint8_t *root_key, bool json, char **story,
                     struct ocop_evidence *out, struct ocop_error *err);

/**
 * The same from a descriptor, read once to its end from where it stands: a pipe will do. The
 * contents are not held in memory, however large they are.
 *
 * @param fd     stays open
 * @param folder where whole contents are written to, or NULL: made when there is none; nothing in
 *               it is replaced. The names are made here, of role, hash and what the content is; the
 *               story says which file has which. Contents are written before all else is known to
 *               hold, so look at out->holds before you believe them.
 * @return as above; OCOP_ESTATE a file of a name that is wanted is there already; OCOP_EIO. What
 *         was written until then stays.
 */
OCOP_API OCOP_MUST_USE enum ocop_status
ocop_verify_evidence_fd(int fd, const uint8_t *root_key, const char *folder, bool json,
                        char **story, struct ocop_evidence *out, struct ocop_error *err);

#ifdef __cplusplus
}
#endif
#endif
