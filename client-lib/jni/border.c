/* Bytes across the border, and what failed as an exception. Text goes as UTF-8 in byte arrays:
 * JNI's own strings are in a UTF-8 of their own. Nothing in Java is held by a pointer, so that its
 * collector may move all at any time. Knows no call of ocop.h but what frees. */
#include "border.h"

#include <stdlib.h>
#include <string.h>

static jclass exception_class, native_class;
static jmethodID exception_new, progress_method, finding_method, read_method;

static jclass global_class(JNIEnv *env, const char *name)
{
    jclass local = (*env)->FindClass(env, name);
    jclass global = local ? (*env)->NewGlobalRef(env, local) : NULL;

    (*env)->DeleteLocalRef(env, local);
    return global;
}

bool border_load(JNIEnv *env)
{
    native_class = global_class(env, "vn/ocop/field/Native");
    exception_class = native_class ? global_class(env, "vn/ocop/field/OcopException") : NULL;
    if (!exception_class)
        return false;
    exception_new = (*env)->GetMethodID(env, exception_class, "<init>", "(I[B[B[B)V");
    if (exception_new)
        progress_method = (*env)->GetStaticMethodID(env, native_class, "progress",
                                                    "(Lvn/ocop/field/SyncListener;[B[B)Z");
    if (progress_method)
        finding_method = (*env)->GetStaticMethodID(env, native_class, "finding",
                                                   "(Lvn/ocop/field/CheckListener;[B)V");
    if (finding_method)
        read_method =
            (*env)->GetStaticMethodID(env, native_class, "read", "(Ljava/io/InputStream;I)[B");
    return read_method != NULL;
}

/* --- the arena ------------------------------------------------------------------------------- */

struct border_chunk {
    struct border_chunk *next;
    size_t size;
    _Alignas(max_align_t) unsigned char bytes[];
};

static void *take(void *arena, size_t size)
{
    struct border *b = arena;
    struct border_chunk *c;

    size = (size + _Alignof(max_align_t) - 1) & ~(_Alignof(max_align_t) - 1);
    if (size <= sizeof b->room - b->used) {
        b->used += size;
        return b->room + b->used - size;
    }
    c = malloc(sizeof *c + size);
    if (!c) {
        border_fail(b, OCOP_ENOMEM, "out of memory");
        return NULL;
    }
    c->next = b->chunks;
    c->size = size;
    b->chunks = c;
    return c->bytes;
}

static void leave(void *arena, void *p)
{
    (void)arena; /* border_end frees all */
    (void)p;
}

void *border_room(struct border *b, size_t count, size_t size)
{
    if (count > SIZE_MAX / size) {
        border_fail(b, OCOP_ENOMEM, "out of memory");
        return NULL;
    }
    return take(b, count * size);
}

/* The compiler may not drop what it takes for dead. */
static void wipe(void *p, size_t len)
{
    volatile unsigned char *v = p;

    while (len--)
        *v++ = 0;
}

/* --- begin and end --------------------------------------------------------------------------- */

void border_begin(struct border *b, JNIEnv *env)
{
    b->env = env;
    b->st = OCOP_OK;
    b->secret = b->thrown = false;
    b->detail = NULL;
    b->heap = (ProtobufCAllocator){take, leave, b};
    b->chunks = NULL;
    b->used = 0;
}

void border_fail(struct border *b, enum ocop_status st, const char *text)
{
    memset(&b->err, 0, sizeof b->err);
    b->st = b->err.status = st;
    strncpy(b->err.text, text, sizeof b->err.text - 1);
}

/* Once Java has thrown nothing more may be asked of it before this call returns. */
static bool failed(const struct border *b)
{
    return b->st || b->thrown;
}

static void throw(struct border * b)
{
    JNIEnv *env = b->env;
    jint status = (jint)b->st;
    jbyteArray field, text, detail;
    jobject e;

    b->st = OCOP_OK; /* for what goes out now */
    field = border_text_out(b, b->err.field);
    text = border_text_out(b, b->err.text);
    detail = b->detail ? border_message_out(b, b->detail) : NULL;
    if (failed(b))
        return;
    e = (*env)->NewObject(env, exception_class, exception_new, status, field, text, detail);
    if (e)
        (*env)->Throw(env, e);
}

void border_end(struct border *b)
{
    if (b->st && !b->thrown)
        throw(b);
    if (b->secret)
        wipe(b->room, b->used);
    while (b->chunks) {
        struct border_chunk *c = b->chunks;
        b->chunks = c->next;
        if (b->secret)
            wipe(c->bytes, c->size);
        free(c);
    }
}

/* --- in -------------------------------------------------------------------------------------- */

/* A copy with a 0 behind it. */
static char *copy(struct border *b, jbyteArray bytes, size_t *len)
{
    JNIEnv *env = b->env;
    char *p;

    *len = 0;
    if (failed(b) || !bytes)
        return NULL;
    *len = (size_t)(*env)->GetArrayLength(env, bytes);
    p = take(b, *len + 1);
    if (p) {
        (*env)->GetByteArrayRegion(env, bytes, 0, (jsize)*len, (jbyte *)p);
        p[*len] = 0;
    }
    return p;
}

const void *border_bytes(struct border *b, jbyteArray bytes, size_t *len)
{
    return copy(b, bytes, len);
}

const void *border_secret(struct border *b, jbyteArray bytes, size_t *len)
{
    b->secret = true;
    return copy(b, bytes, len);
}

const char *border_text(struct border *b, jbyteArray utf8)
{
    size_t len;
    char *p = copy(b, utf8, &len);

    if (p && strlen(p) != len) /* C would read up to there and lose the rest in silence */
        border_fail(b, OCOP_EINVAL, "a text holds the character U+0000; leave it out");
    return failed(b) ? NULL : p;
}

const struct ocop_id *border_id(struct border *b, jbyteArray bytes, struct ocop_id *out)
{
    JNIEnv *env = b->env;

    if (failed(b) || !bytes)
        return NULL;
    if ((*env)->GetArrayLength(env, bytes) != (jsize)sizeof out->b) {
        border_fail(b, OCOP_EINVAL, "an id has 16 bytes");
        return NULL;
    }
    (*env)->GetByteArrayRegion(env, bytes, 0, (jsize)sizeof out->b, (jbyte *)out->b);
    return out;
}

ProtobufCMessage *border_message(struct border *b, const ProtobufCMessageDescriptor *desc,
                                 jbyteArray packed)
{
    size_t len;
    const char *p = copy(b, packed, &len);
    ProtobufCMessage *m;

    if (!p)
        return NULL;
    m = protobuf_c_message_unpack(desc, &b->heap, len, (const uint8_t *)p);
    /* A text ends in C where it holds U+0000: what is packed again is then shorter. */
    if (!failed(b) && (!m || protobuf_c_message_get_packed_size(m) != len))
        border_fail(b, OCOP_EINVAL, "a text holds the character U+0000; leave it out");
    return failed(b) ? NULL : m;
}

/* The bytes of a varint at p; 0: there is none. */
static size_t varint(const uint8_t *p, const uint8_t *end, uint64_t *value)
{
    *value = 0;
    for (size_t i = 0; i < 10 && p + i < end; i++) {
        *value |= (uint64_t)(p[i] & 0x7f) << (7 * i);
        if (p[i] < 0x80)
            return i + 1;
    }
    return 0;
}

/* The bytes of a field's value, the length before it included; 0: malformed. */
static size_t value_len(unsigned wire_type, const uint8_t *p, const uint8_t *end)
{
    size_t left = (size_t)(end - p), n;
    uint64_t value;

    switch (wire_type) {
    case PROTOBUF_C_WIRE_TYPE_64BIT:
        return left < 8 ? 0 : 8;
    case PROTOBUF_C_WIRE_TYPE_32BIT:
        return left < 4 ? 0 : 4;
    case PROTOBUF_C_WIRE_TYPE_VARINT:
        return varint(p, end, &value);
    case PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED:
        n = varint(p, end, &value);
        return n && value <= left - n ? n + (size_t)value : 0;
    default:
        return 0;
    }
}

/* How many fields there are, and which, where `out` is given; 0: none, or malformed. */
static unsigned split(const uint8_t *p, size_t len, ProtobufCMessageUnknownField *out)
{
    const uint8_t *end = p + len;
    unsigned count = 0;

    while (p < end) {
        uint64_t key;
        size_t n = varint(p, end, &key), bytes = value_len(key & 7, p + n, end);
        if (!n || !bytes || key >> 3 > UINT32_MAX)
            return 0;
        p += n;
        if (out)
            out[count] = (ProtobufCMessageUnknownField){
                (uint32_t)(key >> 3), (ProtobufCWireType)(key & 7), bytes, (uint8_t *)(uintptr_t)p};
        p += bytes;
        count++;
    }
    return count;
}

/* The library reads a message by packing it. So this one is not taken apart: to protobuf-c all its
 * fields are unknown, and packed again as they came. */
ProtobufCMessage *border_record(struct border *b, const ProtobufCMessageDescriptor *desc,
                                jbyteArray packed)
{
    size_t len;
    const uint8_t *p = border_bytes(b, packed, &len);
    ProtobufCMessage *m;

    if (!p)
        return NULL;
    if (!desc) {
        border_fail(b, OCOP_EINVAL, "this message is not a record, nor an element of its list");
        return NULL;
    }
    m = take(b, desc->sizeof_message);
    if (!m)
        return NULL;
    protobuf_c_message_init(desc, m);
    m->n_unknown_fields = split(p, len, NULL);
    m->unknown_fields = border_room(b, m->n_unknown_fields, sizeof *m->unknown_fields);
    if (!m->unknown_fields)
        return NULL;
    (void)split(p, len, m->unknown_fields);
    return m;
}

/* --- out ------------------------------------------------------------------------------------- */

jbyteArray border_out(struct border *b, const void *bytes, size_t len)
{
    JNIEnv *env = b->env;
    jbyteArray out;

    if (failed(b))
        return NULL;
    out =
        (*env)->NewByteArray(env, (jsize)len); /* limits of records and files keep it below 2^31 */
    if (out)
        (*env)->SetByteArrayRegion(env, out, 0, (jsize)len, bytes);
    b->thrown = !out;
    return out;
}

jbyteArray border_text_out(struct border *b, const char *utf8)
{
    return failed(b) ? NULL : border_out(b, utf8, strlen(utf8));
}

jbyteArray border_message_out(struct border *b, const ProtobufCMessage *m)
{
    size_t len;
    uint8_t *p;

    if (failed(b))
        return NULL;
    len = protobuf_c_message_get_packed_size(m);
    p = take(b, len);
    return p ? border_out(b, p, protobuf_c_message_pack(m, p)) : NULL;
}

/* --- back into Java -------------------------------------------------------------------------- */

/* A call from C within a call from Java: a border of its own, for it comes often. What it throws is
 * on its way through both. */
static bool come_back(struct border *b, struct border *in)
{
    b->thrown = failed(in);
    border_end(in);
    return !b->thrown;
}

bool border_progress(struct border *b, jobject listener, const ProtobufCMessage *summary,
                     const char *doing)
{
    JNIEnv *env = b->env;
    struct border in;
    jbyteArray so_far, what;
    bool go_on = false;

    if (b->thrown)
        return false;
    border_begin(&in, env);
    so_far = border_message_out(&in, summary);
    what = border_text_out(&in, doing);
    if (!failed(&in)) {
        go_on = (*env)->CallStaticBooleanMethod(env, native_class, progress_method, listener,
                                                so_far, what);
        in.thrown = (*env)->ExceptionCheck(env);
    }
    (*env)->DeleteLocalRef(env, so_far);
    (*env)->DeleteLocalRef(env, what);
    return come_back(b, &in) && go_on;
}

void border_finding(struct border *b, jobject listener, const char *finding)
{
    JNIEnv *env = b->env;
    struct border in;
    jbyteArray text;

    if (b->thrown)
        return;
    border_begin(&in, env);
    text = border_text_out(&in, finding);
    if (!failed(&in)) {
        (*env)->CallStaticVoidMethod(env, native_class, finding_method, listener, text);
        in.thrown = (*env)->ExceptionCheck(env);
    }
    (*env)->DeleteLocalRef(env, text);
    (void)come_back(b, &in);
}

long border_read(struct border *b, jobject stream, void *out, size_t len)
{
    JNIEnv *env = b->env;
    struct border in;
    jbyteArray bytes;
    long got = 0;

    if (b->thrown)
        return -1;
    border_begin(&in, env);
    bytes = (*env)->CallStaticObjectMethod(env, native_class, read_method, stream, (jint)len);
    in.thrown = (*env)->ExceptionCheck(env);
    if (!in.thrown && bytes) { /* null: its end */
        got = (*env)->GetArrayLength(env, bytes);
        if ((size_t)got > len) /* a stream that says it gave more than was asked for */
            got = -1;
        else
            (*env)->GetByteArrayRegion(env, bytes, 0, (jsize)got, out);
    }
    (*env)->DeleteLocalRef(env, bytes);
    return come_back(b, &in) ? got : -1;
}
