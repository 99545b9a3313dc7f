/* One call from Java: copy in, call, copy out, throw. Owner of jni.h, with jni_store.c.
 *
 * What is copied in lives in one arena until border_end. Once something has failed, `st` says so
 * and all that follows does nothing, so that a border function is read from top to bottom:
 *
 *     border_begin(&b, env);
 *     reason = border_text(&b, reason_bytes);
 *     BORDER_CALL(&b, ocop_void(store, id, reason, &b.err));
 *     border_end(&b);
 */
#ifndef JNI_BORDER_H
#define JNI_BORDER_H

#include <jni.h>

#include "ocop.h"

struct border_chunk;

struct border {
    JNIEnv *env;
    enum ocop_status st;
    struct ocop_error err;
    bool secret;                    /* what was copied in is wiped */
    bool thrown;                    /* Java has an exception on its way already */
    const ProtobufCMessage *detail; /* goes with the exception: what was done; may be NULL */
    ProtobufCAllocator heap;        /* the arena, as protobuf-c asks for it */
    struct border_chunk *chunks;
    size_t used;
    _Alignas(max_align_t) unsigned char room[8192]; /* enough for most records */
};

#define BORDER_CALL(b, call)                                                                       \
    do {                                                                                           \
        if (!(b)->st)                                                                              \
            (b)->st = (call);                                                                      \
    } while (0)

/** Find the classes and methods that this side calls. False: an exception is on its way. */
bool border_load(JNIEnv *env);

void border_begin(struct border *b, JNIEnv *env);
/** Free what was copied in; throw OcopException where the call failed. */
void border_end(struct border *b);

/** Fail for a reason of the border's own. */
void border_fail(struct border *b, enum ocop_status st, const char *text);

/* Copies of what Java gave; NULL for null, and where something has failed. */
const char *border_text(struct border *b, jbyteArray utf8);
const void *border_bytes(struct border *b, jbyteArray bytes, size_t *len);
const void *border_secret(struct border *b, jbyteArray bytes, size_t *len);
const struct ocop_id *border_id(struct border *b, jbyteArray bytes, struct ocop_id *out);
ProtobufCMessage *border_message(struct border *b, const ProtobufCMessageDescriptor *desc,
                                 jbyteArray packed);
/** A record, or an element of one, for the functions of ocop.h. `desc` may be NULL: there is no
 * such kind, which fails. */
ProtobufCMessage *border_record(struct border *b, const ProtobufCMessageDescriptor *desc,
                                jbyteArray packed);

/** Room for `count` of `size` bytes until border_end; NULL: out of memory. */
void *border_room(struct border *b, size_t count, size_t size);

/* Arrays for Java; NULL where something has failed. */
jbyteArray border_out(struct border *b, const void *bytes, size_t len);
jbyteArray border_text_out(struct border *b, const char *utf8);
jbyteArray border_message_out(struct border *b, const ProtobufCMessage *m);

/** Call the listener in Java. False: it said stop, or an exception is on its way. */
bool border_progress(struct border *b, jobject listener, const ProtobufCMessage *summary,
                     const char *doing);
void border_finding(struct border *b, jobject listener, const char *finding);
/** Bytes of a java.io.InputStream, at most `len`: 0 at its end, below 0 when an exception is on its
 * way.
 */
long border_read(struct border *b, jobject stream, void *out, size_t len);

#endif
