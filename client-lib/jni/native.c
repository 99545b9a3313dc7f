/* The methods of vn.ocop.field.Native: one call of ocop.h each. They decide nothing. */
#include "messages.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static struct ocop_store *store_of(jlong handle)
{
    return (struct ocop_store *)(intptr_t)handle;
}

static ProtobufCMessage *record_of(struct border *b, jbyteArray kind, jbyteArray packed)
{
    return border_record(b, ocop_descriptor(border_text(b, kind)), packed);
}

/* A record goes to Java and is freed. */
static jbyteArray give(struct border *b, ProtobufCMessage *record)
{
    jbyteArray out = border_message_out(b, record);

    ocop_free(record);
    border_end(b);
    return out;
}

static jbyteArray give_text(struct border *b, char *text)
{
    jbyteArray out = border_text_out(b, text);

    ocop_text_free(text);
    border_end(b);
    return out;
}

/* --- open and close -------------------------------------------------------------------------- */

static jlong open_store(JNIEnv *env, jclass c, jbyteArray path, jboolean must_exist, jbyteArray key)
{
    struct border b;
    struct ocop_options o = {.must_exist = must_exist};
    struct ocop_store *store = NULL;
    const char *p;

    (void)c;
    border_begin(&b, env);
    p = border_text(&b, path);
    o.key = border_secret(&b, key, &o.key_len);
    BORDER_CALL(&b, ocop_open(p, &o, &store, &b.err));
    border_end(&b);
    return (jlong)(intptr_t)store;
}

static void close_store(JNIEnv *env, jclass c, jlong h)
{
    (void)env;
    (void)c;
    ocop_close(store_of(h));
}

static void rekey(JNIEnv *env, jclass c, jlong h, jbyteArray key)
{
    struct border b;
    const void *k;
    size_t len;

    (void)c;
    border_begin(&b, env);
    k = border_secret(&b, key, &len);
    BORDER_CALL(&b, ocop_rekey(store_of(h), k, len, &b.err));
    border_end(&b);
}

static void rekey_device(JNIEnv *env, jclass c, jlong h)
{
    struct border b;

    (void)c;
    border_begin(&b, env);
    BORDER_CALL(&b, ocop_rekey_device(store_of(h), &b.err));
    border_end(&b);
}

static void enrol(JNIEnv *env, jclass c, jlong h, jbyteArray code, jbyteArray name)
{
    struct border b;
    const char *k, *n;

    (void)c;
    border_begin(&b, env);
    k = border_text(&b, code);
    n = border_text(&b, name);
    BORDER_CALL(&b, ocop_enrol(store_of(h), k, n, &b.err));
    border_end(&b);
}

/* --- record ---------------------------------------------------------------------------------- */

static jbyteArray create(JNIEnv *env, jclass c, jlong h, jbyteArray kind)
{
    struct border b;
    ProtobufCMessage *m = NULL;
    const char *k;

    (void)c;
    border_begin(&b, env);
    k = border_text(&b, kind);
    BORDER_CALL(&b, ocop_new(store_of(h), k, &m, &b.err));
    return give(&b, m);
}

static jbyteArray new_key(JNIEnv *env, jclass c, jlong h)
{
    struct border b;
    struct ocop_id key = ocop_new_key(store_of(h));
    jbyteArray out;

    (void)c;
    border_begin(&b, env);
    out = border_out(&b, key.b, sizeof key.b);
    border_end(&b);
    return out;
}

static void save(JNIEnv *env, jclass c, jlong h, jbyteArray kind, jbyteArray record)
{
    struct border b;
    ProtobufCMessage *m;

    (void)c;
    border_begin(&b, env);
    m = record_of(&b, kind, record);
    BORDER_CALL(&b, ocop_save(store_of(h), m, &b.err));
    border_end(&b);
}

static void submit(JNIEnv *env, jclass c, jlong h, jbyteArray kind, jbyteArray record)
{
    struct border b;
    ProtobufCMessage *m;

    (void)c;
    border_begin(&b, env);
    m = record_of(&b, kind, record);
    BORDER_CALL(&b, ocop_submit(store_of(h), m, &b.err));
    border_end(&b);
}

static void submit_draft(JNIEnv *env, jclass c, jlong h, jbyteArray id, jbyteArray reason)
{
    struct border b;
    struct ocop_id room;
    const struct ocop_id *i;
    const char *r;

    (void)c;
    border_begin(&b, env);
    i = border_id(&b, id, &room);
    r = border_text(&b, reason);
    BORDER_CALL(&b, ocop_submit_draft(store_of(h), i, r, &b.err));
    border_end(&b);
}

static void amend(JNIEnv *env, jclass c, jlong h, jbyteArray kind, jbyteArray record,
                  jbyteArray reason)
{
    struct border b;
    ProtobufCMessage *m;
    const char *r;

    (void)c;
    border_begin(&b, env);
    m = record_of(&b, kind, record);
    r = border_text(&b, reason);
    BORDER_CALL(&b, ocop_amend(store_of(h), m, r, &b.err));
    border_end(&b);
}

/* What an element of this list looks like; NULL: the kind has no such list. */
static const ProtobufCMessageDescriptor *element_of(const char *kind, const char *list)
{
    const ProtobufCMessageDescriptor *d = kind ? ocop_descriptor(kind) : NULL;
    const ProtobufCFieldDescriptor *f =
        d && list ? protobuf_c_message_descriptor_get_field_by_name(d, list) : NULL;

    return f && f->type == PROTOBUF_C_TYPE_MESSAGE ? f->descriptor : NULL;
}

static void add(JNIEnv *env, jclass c, jlong h, jbyteArray kind, jbyteArray id, jbyteArray list,
                jbyteArray element, jbyteArray reason)
{
    struct border b;
    struct ocop_id room;
    const struct ocop_id *i;
    const char *l, *r;
    ProtobufCMessage *e;

    (void)c;
    border_begin(&b, env);
    i = border_id(&b, id, &room);
    l = border_text(&b, list);
    e = border_record(&b, element_of(border_text(&b, kind), l), element);
    r = border_text(&b, reason);
    BORDER_CALL(&b, ocop_add(store_of(h), i, l, e, r, &b.err));
    border_end(&b);
}

static void void_record(JNIEnv *env, jclass c, jlong h, jbyteArray id, jbyteArray reason)
{
    struct border b;
    struct ocop_id room;
    const struct ocop_id *i;
    const char *r;

    (void)c;
    border_begin(&b, env);
    i = border_id(&b, id, &room);
    r = border_text(&b, reason);
    BORDER_CALL(&b, ocop_void(store_of(h), i, r, &b.err));
    border_end(&b);
}

static void discard(JNIEnv *env, jclass c, jlong h, jbyteArray id)
{
    struct border b;
    struct ocop_id room;
    const struct ocop_id *i;

    (void)c;
    border_begin(&b, env);
    i = border_id(&b, id, &room);
    BORDER_CALL(&b, ocop_discard(store_of(h), i, &b.err));
    border_end(&b);
}

static jbyteArray load(JNIEnv *env, jclass c, jlong h, jbyteArray kind, jbyteArray id)
{
    struct border b;
    struct ocop_id room;
    const struct ocop_id *i;
    const ProtobufCMessageDescriptor *desc = NULL;
    const char *k;
    char *packed = NULL;
    size_t len = 0;
    jbyteArray out;

    (void)c;
    border_begin(&b, env);
    k = border_text(&b, kind);
    i = border_id(&b, id, &room);
    BORDER_CALL(&b, ocop_load_packed(store_of(h), i, &packed, &len, &desc, &b.err));
    if (packed && desc != ocop_descriptor(k)) /* Java would read it as something else */
        border_fail(&b, OCOP_ENOTFOUND, "the record of this id is of another kind");
    out = border_out(&b, packed, len);
    ocop_text_free(packed);
    border_end(&b);
    return out;
}

/* --- files ----------------------------------------------------------------------------------- */

static jbyteArray attach(JNIEnv *env, jclass c, jlong h, jbyteArray record, jbyteArray attachment)
{
    struct border b;
    struct ocop_id room, id = {{0}};
    const struct ocop_id *i;
    struct ocop_attachment a;
    jbyteArray out;

    (void)c;
    border_begin(&b, env);
    i = border_id(&b, record, &room);
    a = attachment_of((void *)border_message(&b, &ocop__field__attachment__descriptor, attachment));
    BORDER_CALL(&b, ocop_attach(store_of(h), i, &a, &id, &b.err));
    out = border_out(&b, id.b, sizeof id.b);
    border_end(&b);
    return out;
}

struct streamed {
    struct border *b;
    jobject stream;
};

static long read_stream(void *user, void *out, size_t len)
{
    struct streamed *from = user;

    return border_read(from->b, from->stream, out, len);
}

static jbyteArray attach_stream(JNIEnv *env, jclass c, jlong h, jbyteArray record,
                                jbyteArray attachment, jobject stream)
{
    struct border b;
    struct streamed from = {&b, stream};
    struct ocop_id room, id = {{0}};
    const struct ocop_id *i;
    struct ocop_attachment a;
    jbyteArray out;

    (void)c;
    border_begin(&b, env);
    i = border_id(&b, record, &room);
    a = attachment_of((void *)border_message(&b, &ocop__field__attachment__descriptor, attachment));
    a.path = a.bytes = NULL;
    a.read = read_stream;
    a.user = &from;
    BORDER_CALL(&b, ocop_attach(store_of(h), i, &a, &id, &b.err));
    out = border_out(&b, id.b, sizeof id.b);
    border_end(&b);
    return out;
}

static jbyteArray attach_strokes(JNIEnv *env, jclass c, jlong h, jbyteArray record,
                                 jbyteArray strokes, jbyteArray attachment)
{
    struct border b;
    struct ocop_id room, id = {{0}};
    const struct ocop_id *i;
    struct ocop_strokes s;
    struct ocop_attachment a;
    jbyteArray out;

    (void)c;
    border_begin(&b, env);
    i = border_id(&b, record, &room);
    s = strokes_of(&b, (void *)border_message(&b, &ocop__field__strokes__descriptor, strokes));
    a = attachment_of((void *)border_message(&b, &ocop__field__attachment__descriptor, attachment));
    BORDER_CALL(&b, ocop_attach_strokes(store_of(h), i, &s, &a, &id, &b.err));
    out = border_out(&b, id.b, sizeof id.b);
    border_end(&b);
    return out;
}

static jbyteArray files(JNIEnv *env, jclass c, jlong h, jbyteArray record)
{
    struct border b;
    struct ocop_id room;
    const struct ocop_id *i;
    struct ocop_file_list *list = NULL;
    jbyteArray out;

    (void)c;
    border_begin(&b, env);
    i = border_id(&b, record, &room);
    BORDER_CALL(&b, ocop_files(store_of(h), i, &list, &b.err));
    out = files_out(&b, list);
    ocop_file_list_free(list);
    border_end(&b);
    return out;
}

static jbyteArray read_file(JNIEnv *env, jclass c, jlong h, jbyteArray attachment, jlong at,
                            jint len)
{
    struct border b;
    struct ocop_id room;
    const struct ocop_id *i;
    size_t got = 0;
    void *content;
    jbyteArray out;

    (void)c;
    border_begin(&b, env);
    i = border_id(&b, attachment, &room);
    if (!b.st && (at < 0 || len < 0))
        border_fail(&b, OCOP_EINVAL, "a place and a length are not below 0");
    content = border_room(&b, (size_t)(len < 0 ? 0 : len), 1);
    BORDER_CALL(&b,
                ocop_file_read(store_of(h), i, (uint64_t)at, content, (size_t)len, &got, &b.err));
    out = border_out(&b, content, got);
    border_end(&b);
    return out;
}

static void fetch(JNIEnv *env, jclass c, jlong h, jbyteArray attachment)
{
    struct border b;
    struct ocop_id room;
    const struct ocop_id *i;

    (void)c;
    border_begin(&b, env);
    i = border_id(&b, attachment, &room);
    BORDER_CALL(&b, ocop_fetch(store_of(h), i, &b.err));
    border_end(&b);
}

static jint fetch_thumbnails(JNIEnv *env, jclass c, jlong h, jbyteArray of)
{
    struct border b;
    struct ocop_id room;
    const struct ocop_id *i;
    unsigned wanted = 0;

    (void)c;
    border_begin(&b, env);
    i = of ? border_id(&b, of, &room) : NULL;
    BORDER_CALL(&b, ocop_fetch_thumbnails(store_of(h), i, &wanted, &b.err));
    border_end(&b);
    return (jint)wanted;
}

static jbyteArray read_thumbnail(JNIEnv *env, jclass c, jlong h, jbyteArray attachment)
{
    struct border b;
    struct ocop_id room;
    const struct ocop_id *i;
    uint8_t image[OCOP_THUMBNAIL_BYTES_MAX];
    size_t len = 0;
    jbyteArray out;

    (void)c;
    border_begin(&b, env);
    i = border_id(&b, attachment, &room);
    BORDER_CALL(&b, ocop_thumbnail_read(store_of(h), i, image, &len, &b.err));
    out = border_out(&b, image, len);
    border_end(&b);
    return out;
}

static jint keep_files(JNIEnv *env, jclass c, jlong h, jlong bytes)
{
    struct border b;
    unsigned removed = 0;

    (void)c;
    border_begin(&b, env);
    BORDER_CALL(&b, ocop_files_keep(store_of(h), (uint64_t)bytes, &removed, &b.err));
    border_end(&b);
    return (jint)removed;
}

static jbyteArray file_limits(JNIEnv *env, jclass c, jlong h)
{
    struct border b;
    struct ocop_file_limits limits = {0};
    Ocop__Field__FileLimits m;
    jbyteArray out;

    (void)c;
    border_begin(&b, env);
    BORDER_CALL(&b, ocop_get_file_limits(store_of(h), &limits, &b.err));
    m = file_limits_message(&limits);
    out = border_message_out(&b, &m.base);
    border_end(&b);
    return out;
}

static void set_file_limits(JNIEnv *env, jclass c, jlong h, jbyteArray limits)
{
    struct border b;
    struct ocop_file_limits l = {0};
    const Ocop__Field__FileLimits *m;

    (void)c;
    border_begin(&b, env);
    m = (void *)border_message(&b, &ocop__field__file_limits__descriptor, limits);
    if (m)
        l = (struct ocop_file_limits){m->file_bytes, m->record_bytes, m->store_bytes};
    BORDER_CALL(&b, ocop_set_file_limits(store_of(h), &l, &b.err));
    border_end(&b);
}

static jbyteArray image_settings(JNIEnv *env, jclass c, jlong h)
{
    struct border b;
    struct ocop_image_settings how = {0};
    Ocop__Field__ImageSettings m;
    jbyteArray out;

    (void)c;
    border_begin(&b, env);
    BORDER_CALL(&b, ocop_get_image_settings(store_of(h), &how, &b.err));
    m = image_settings_message(&how);
    out = border_message_out(&b, &m.base);
    border_end(&b);
    return out;
}

static void set_image_settings(JNIEnv *env, jclass c, jlong h, jbyteArray settings)
{
    struct border b;
    struct ocop_image_settings how = {0};
    const Ocop__Field__ImageSettings *m;

    (void)c;
    border_begin(&b, env);
    m = (void *)border_message(&b, &ocop__field__image_settings__descriptor, settings);
    if (m)
        how = (struct ocop_image_settings){m->side_max, m->quality, m->strip, m->keep_original};
    BORDER_CALL(&b, ocop_set_image_settings(store_of(h), &how, &b.err));
    border_end(&b);
}

static jint sweep_files(JNIEnv *env, jclass c, jlong h)
{
    struct border b;
    unsigned removed = 0;

    (void)c;
    border_begin(&b, env);
    BORDER_CALL(&b, ocop_files_sweep(store_of(h), &removed, &b.err));
    border_end(&b);
    return (jint)removed;
}

/* --- JSON ------------------------------------------------------------------------------------ */

static jbyteArray to_json(JNIEnv *env, jclass c, jbyteArray kind, jbyteArray record,
                          jboolean pretty)
{
    struct border b;
    ProtobufCMessage *m;
    char *json = NULL;

    (void)c;
    border_begin(&b, env);
    m = record_of(&b, kind, record);
    BORDER_CALL(&b, ocop_to_json(m, pretty, &json, &b.err));
    return give_text(&b, json);
}

static jbyteArray from_json(JNIEnv *env, jclass c, jlong h, jbyteArray kind, jbyteArray base,
                            jbyteArray json)
{
    struct border b;
    ProtobufCMessage *before, *m = NULL;
    const char *k, *j;

    (void)c;
    border_begin(&b, env);
    k = border_text(&b, kind);
    before = base ? border_record(&b, ocop_descriptor(k), base) : NULL;
    j = border_text(&b, json);
    BORDER_CALL(&b, ocop_from_json(store_of(h), k, before, j, &m, &b.err));
    return give(&b, m);
}

/* ocop_set_text replaces what it is given, so it gets a copy. */
static jbyteArray set_text(JNIEnv *env, jclass c, jlong h, jbyteArray kind, jbyteArray record,
                           jbyteArray assignment)
{
    struct border b;
    ProtobufCMessage *before, *m = NULL;
    const char *k, *a;

    (void)c;
    border_begin(&b, env);
    k = border_text(&b, kind);
    before = border_record(&b, ocop_descriptor(k), record);
    a = border_text(&b, assignment);
    BORDER_CALL(&b, ocop_from_json(store_of(h), k, before, "{}", &m, &b.err));
    BORDER_CALL(&b, ocop_set_text(store_of(h), &m, a, &b.err));
    return give(&b, m);
}

/* --- find and status ------------------------------------------------------------------------- */

static jbyteArray find(JNIEnv *env, jclass c, jlong h, jbyteArray query)
{
    struct border b;
    struct ocop_id room[3];
    struct ocop_query q;
    struct ocop_list *list = NULL;
    jbyteArray out;

    (void)c;
    border_begin(&b, env);
    query_of(&b, (void *)border_message(&b, &ocop__field__query__descriptor, query), &q, room);
    BORDER_CALL(&b, ocop_find(store_of(h), &q, &list, &b.err));
    out = list_out(&b, list);
    ocop_list_free(list);
    border_end(&b);
    return out;
}

static jbyteArray record_status(JNIEnv *env, jclass c, jlong h, jbyteArray id)
{
    struct border b;
    struct ocop_id room;
    const struct ocop_id *i;
    struct ocop_record_status *status = NULL;
    jbyteArray out;

    (void)c;
    border_begin(&b, env);
    i = border_id(&b, id, &room);
    BORDER_CALL(&b, ocop_record_status(store_of(h), i, &status, &b.err));
    out = record_status_out(&b, status);
    ocop_record_status_free(status);
    border_end(&b);
    return out;
}

static jbyteArray store_status(JNIEnv *env, jclass c, jlong h)
{
    struct border b;
    struct ocop_store_status status = {0};
    Ocop__Field__StoreStatus m;
    jbyteArray out;

    (void)c;
    border_begin(&b, env);
    BORDER_CALL(&b, ocop_store_status(store_of(h), &status, &b.err));
    m = store_status_message(&status);
    out = border_message_out(&b, &m.base);
    border_end(&b);
    return out;
}

/* --- sync and check -------------------------------------------------------------------------- */

struct called { /* from C, within a call from Java */
    struct border *b;
    jobject listener;
};

static bool progress(void *user, const struct ocop_sync_summary *so_far, const char *doing)
{
    struct called *to = user;
    Ocop__Field__SyncSummary m = summary_message(so_far);

    return border_progress(to->b, to->listener, &m.base, doing);
}

static jbyteArray run_sync(JNIEnv *env, jclass c, jlong h, jbyteArray options, jobject listener)
{
    struct border b;
    struct called to = {&b, listener};
    struct ocop_sync_summary done = {0};
    struct ocop_sync_options o;
    struct ocop_id files_of;
    Ocop__Field__SyncSummary m;
    jbyteArray out;

    (void)c;
    border_begin(&b, env);
    o = sync_options_of(
        &b, (void *)border_message(&b, &ocop__field__sync_options__descriptor, options), &files_of);
    o.progress = listener ? progress : NULL;
    o.user = &to;
    BORDER_CALL(&b, ocop_sync(store_of(h), &o, &done, &b.err));
    m = summary_message(&done);
    b.detail = &m.base;
    out = border_message_out(&b, &m.base);
    border_end(&b);
    return out;
}

static void cancel(JNIEnv *env, jclass c, jlong h)
{
    (void)env;
    (void)c;
    ocop_cancel(store_of(h));
}

static void resend(JNIEnv *env, jclass c, jlong h, jbyteArray id)
{
    struct border b;
    struct ocop_id room;
    const struct ocop_id *i;

    (void)c;
    border_begin(&b, env);
    i = border_id(&b, id, &room);
    BORDER_CALL(&b, ocop_resend(store_of(h), i, &b.err));
    border_end(&b);
}

static void finding(void *user, const char *text)
{
    struct called *to = user;

    border_finding(to->b, to->listener, text);
}

static jint check(JNIEnv *env, jclass c, jlong h, jobject listener)
{
    struct border b;
    struct called to = {&b, listener};
    unsigned findings = 0;

    (void)c;
    border_begin(&b, env);
    BORDER_CALL(&b, ocop_check(store_of(h), listener ? finding : NULL, &to, &findings, &b.err));
    border_end(&b);
    return (jint)findings;
}

/* --- what needs no store --------------------------------------------------------------------- */

static jbyteArray verify_evidence(JNIEnv *env, jclass c, jbyteArray file, jbyteArray root_key,
                                  jboolean json)
{
    struct border b;
    struct ocop_evidence e = {0};
    Ocop__Field__Evidence m;
    const void *bundle, *root;
    size_t len, root_len;
    char *story = NULL;
    jbyteArray out;

    (void)c;
    border_begin(&b, env);
    bundle = border_bytes(&b, file, &len);
    root = border_bytes(&b, root_key, &root_len);
    if (root && root_len != sizeof e.root_key)
        border_fail(&b, OCOP_EINVAL, "a root key has 32 bytes");
    BORDER_CALL(&b, ocop_verify_evidence(bundle, len, root, json, &story, &e, &b.err));
    m = evidence_message(&e, story);
    out = border_message_out(&b, &m.base);
    ocop_text_free(story);
    border_end(&b);
    return out;
}

static jbyteArray verify_evidence_fd(JNIEnv *env, jclass c, jint fd, jbyteArray root_key,
                                     jbyteArray folder, jboolean json)
{
    struct border b;
    struct ocop_evidence e = {0};
    Ocop__Field__Evidence m;
    const char *path;
    const void *root;
    size_t root_len;
    char *story = NULL;
    jbyteArray out;

    (void)c;
    border_begin(&b, env);
    root = border_bytes(&b, root_key, &root_len);
    path = border_text(&b, folder);
    if (root && root_len != sizeof e.root_key)
        border_fail(&b, OCOP_EINVAL, "a root key has 32 bytes");
    BORDER_CALL(&b, ocop_verify_evidence_fd(fd, root, path, json, &story, &e, &b.err));
    m = evidence_message(&e, story);
    out = border_message_out(&b, &m.base);
    ocop_text_free(story);
    border_end(&b);
    return out;
}

static jbyteArray id_text(JNIEnv *env, jclass c, jbyteArray id)
{
    struct border b;
    struct ocop_id room = {{0}};
    char text[OCOP_ID_TEXT_LEN + 1];
    jbyteArray out;

    (void)c;
    border_begin(&b, env);
    (void)border_id(&b, id, &room);
    out = border_text_out(&b, ocop_id_text(room, text));
    border_end(&b);
    return out;
}

/* null: it is none. */
static jbyteArray parse_id(JNIEnv *env, jclass c, jbyteArray text)
{
    struct border b;
    struct ocop_id id;
    const char *t;
    jbyteArray out = NULL;

    (void)c;
    border_begin(&b, env);
    t = border_text(&b, text);
    if (t && ocop_id_parse(t, &id))
        out = border_out(&b, id.b, sizeof id.b);
    border_end(&b);
    return out;
}

static jboolean same_name(JNIEnv *env, jclass c, jbyteArray one, jbyteArray other)
{
    struct border b;
    const char *x, *y;
    bool same;

    (void)c;
    border_begin(&b, env);
    x = border_text(&b, one);
    y = border_text(&b, other);
    same = ocop_same_name(x, y);
    border_end(&b);
    return same;
}

static jbyteArray version(JNIEnv *env, jclass c)
{
    struct border b;
    jbyteArray out;

    (void)c;
    border_begin(&b, env);
    out = border_text_out(&b, ocop_version());
    border_end(&b);
    return out;
}

static jbyteArray status_name(JNIEnv *env, jclass c, jint status)
{
    struct border b;
    jbyteArray out;

    (void)c;
    border_begin(&b, env);
    out = border_text_out(&b, ocop_status_name((enum ocop_status)status));
    border_end(&b);
    return out;
}

/* --- the table ------------------------------------------------------------------------------- */

#define METHOD(name, types, function)                                                              \
    {                                                                                              \
        (char *)(uintptr_t)(name), (char *)(uintptr_t)(types), (void *)(uintptr_t)(function)       \
    }

JNIEXPORT jint JNI_OnLoad(JavaVM *vm, void *reserved)
{
    static const JNINativeMethod methods[] = {
        METHOD("open", "([BZ[B)J", open_store),
        METHOD("close", "(J)V", close_store),
        METHOD("rekey", "(J[B)V", rekey),
        METHOD("rekeyDevice", "(J)V", rekey_device),
        METHOD("enrol", "(J[B[B)V", enrol),
        METHOD("create", "(J[B)[B", create),
        METHOD("newKey", "(J)[B", new_key),
        METHOD("save", "(J[B[B)V", save),
        METHOD("submit", "(J[B[B)V", submit),
        METHOD("submitDraft", "(J[B[B)V", submit_draft),
        METHOD("amend", "(J[B[B[B)V", amend),
        METHOD("add", "(J[B[B[B[B[B)V", add),
        METHOD("voidRecord", "(J[B[B)V", void_record),
        METHOD("discard", "(J[B)V", discard),
        METHOD("load", "(J[B[B)[B", load),
        METHOD("attach", "(J[B[B)[B", attach),
        METHOD("attachStrokes", "(J[B[B[B)[B", attach_strokes),
        METHOD("files", "(J[B)[B", files),
        METHOD("attachStream", "(J[B[BLjava/io/InputStream;)[B", attach_stream),
        METHOD("readFile", "(J[BJI)[B", read_file),
        METHOD("fetch", "(J[B)V", fetch),
        METHOD("fetchThumbnails", "(J[B)I", fetch_thumbnails),
        METHOD("readThumbnail", "(J[B)[B", read_thumbnail),
        METHOD("keepFiles", "(JJ)I", keep_files),
        METHOD("fileLimits", "(J)[B", file_limits),
        METHOD("setFileLimits", "(J[B)V", set_file_limits),
        METHOD("imageSettings", "(J)[B", image_settings),
        METHOD("setImageSettings", "(J[B)V", set_image_settings),
        METHOD("sweepFiles", "(J)I", sweep_files),
        METHOD("toJson", "([B[BZ)[B", to_json),
        METHOD("fromJson", "(J[B[B[B)[B", from_json),
        METHOD("setText", "(J[B[B[B)[B", set_text),
        METHOD("find", "(J[B)[B", find),
        METHOD("recordStatus", "(J[B)[B", record_status),
        METHOD("storeStatus", "(J)[B", store_status),
        METHOD("sync", "(J[BLvn/ocop/field/SyncListener;)[B", run_sync),
        METHOD("cancel", "(J)V", cancel),
        METHOD("resend", "(J[B)V", resend),
        METHOD("check", "(JLvn/ocop/field/CheckListener;)I", check),
        METHOD("verifyEvidence", "([B[BZ)[B", verify_evidence),
        METHOD("verifyEvidenceFd", "(I[B[BZ)[B", verify_evidence_fd),
        METHOD("idText", "([B)[B", id_text),
        METHOD("parseId", "([B)[B", parse_id),
        METHOD("sameName", "([B[B)Z", same_name),
        METHOD("version", "()[B", version),
        METHOD("statusName", "(I)[B", status_name),
    };
    JNIEnv *env;
    jclass native;

    (void)reserved;
    if ((*vm)->GetEnv(vm, (void **)&env, JNI_VERSION_1_6) != JNI_OK || !border_load(env))
        return JNI_ERR;
    native = (*env)->FindClass(env, "vn/ocop/field/Native");
    if (!native || (*env)->RegisterNatives(env, native, methods, (jint)COUNT(methods)) != JNI_OK)
        return JNI_ERR;
    return JNI_VERSION_1_6;
}
