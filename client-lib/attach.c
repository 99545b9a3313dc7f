/* ocop_attach: a content becomes one of this store's, and an attachment of a record. First it is
 * copied and made safe beside the store, with no lock held; then the record that names it is saved
 * in one transaction. Cut short anywhere, there is either both or, swept later, neither. Knows no
 * SQL. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "files.h"
#include "images.h"
#include "media.h"
#include "record_api.h"
#include "records.pb-c.h"
#include "shown.h"
#include "text.h"

enum { READ_BYTES = 64 * 1024 };

/* What becomes of it. */
struct taken {
    struct content_dir d;
    uint64_t most; /* bytes that one file may have */
    struct ocop_image_settings how;
    struct content_writer whole, scaled, bare; /* bare: without what the camera noted */
    struct content_writer mark; /* empty: lies there until all is done, or for who tidies */
    bool is_scaled, is_bare;
};

/* Where the content comes from, and what is told of it. */
struct source {
    const struct ocop_attachment *what;
    const char *field; /* that errors are about */
    bool drawn;        /* by this library: no camera noted anything in it */
    int fd;            /* -1: it is in memory */
    bool ours;         /* to be closed */
    bool regular;      /* a file, of which this much is wanted: */
    uint64_t at, end;
    struct stat before;
    uint64_t limit; /* bytes that may be read */
    char name[FILE_NAME_BYTES_MAX + 1];
    uint8_t head[MEDIA_HEAD_BYTES];
    size_t head_len;
    const char *media_type;
};

/* --- the name -------------------------------------------------------------------------------- */

/* A name is for people. What opens a file elsewhere must not be led astray by it, nor who reads it.
 */
static enum ocop_status check_name(struct source *src, struct ocop_error *err)
{
    const struct ocop_attachment *a = src->what;
    const char *slash = a->path ? strrchr(a->path, '/') : NULL;
    const char *name = a->name ? a->name : a->path ? (slash ? slash + 1 : a->path) : "";
    struct span n = span_str(name);
    struct buf shown;

    if (n.len > FILE_NAME_BYTES_MAX)
        return err_field(err, OCOP_ELIMIT, "name", "has %zu bytes, the limit is %d", n.len,
                         FILE_NAME_BYTES_MAX);
    if (!text_is_utf8(n) || !text_is_printable(n) || memchr(name, '\n', n.len) ||
        memchr(name, '\t', n.len))
        return err_field(err, OCOP_EINVAL, "name",
                         "the file's name holds bytes that are no text; give it another name");
    if (memchr(name, '/', n.len) || memchr(name, '\\', n.len) || strcmp(name, ".") == 0 ||
        strcmp(name, "..") == 0)
        return err_field(err, OCOP_EINVAL, "name", "a name is wanted, not a path");
    buf_init(&shown, KIB(1));
    const bool harmless = shown_name(&shown, n), no_memory = shown.failed;
    buf_fini(&shown);
    if (no_memory)
        return err_nomem(err);
    if (!harmless)
        return err_field(err, OCOP_EINVAL, "name",
                         "the file's name turns around what is written; give it another name");
    memcpy(src->name, name, n.len + 1);
    return OCOP_OK;
}

/* --- the content ----------------------------------------------------------------------------- */

static enum ocop_status too_large(const struct source *src, uint64_t most, struct ocop_error *err)
{
    return err_field(err, OCOP_ELIMIT, src->field,
                     "is larger than the %llu KiB that one file may have on this device",
                     (unsigned long long)(most / 1024));
}

/* Of a file: who hands over a descriptor may have read from it. */
static enum ocop_status choose_part(struct source *src, struct ocop_error *err)
{
    const struct ocop_attachment *a = src->what;
    const uint64_t size = src->regular ? (uint64_t)src->before.st_size : 0;
    const off_t stands = src->ours || !src->regular ? 0 : lseek(src->fd, 0, SEEK_CUR);

    if (a->has_part && !src->regular)
        return err_field(err, OCOP_EINVAL, src->field, "has no parts: it is no file");
    src->at = a->has_part ? a->part_at : stands > 0 ? (uint64_t)stands : 0;
    src->end = a->has_part && a->part_len <= UINT64_MAX - src->at ? src->at + a->part_len : size;
    if (a->has_part && (src->at > size || src->end > size || src->end - src->at != a->part_len))
        return err_field(err, OCOP_EINVAL, src->field, "the file has no such part");
    if (src->at > src->end) /* it stands behind its end */
        src->at = src->end;
    return src->end - src->at > src->limit ? too_large(src, src->limit, err) : OCOP_OK;
}

static enum ocop_status open_source(struct source *src, struct ocop_error *err)
{
    const struct ocop_attachment *a = src->what;

    src->fd = -1;
    src->field = a->path ? "path" : a->bytes ? "bytes" : a->read ? "read" : "fd";
    if (a->bytes)
        return a->len > src->limit ? too_large(src, src->limit, err) : OCOP_OK;
    if (a->read && !a->path)
        return OCOP_OK;
    if (!a->path && a->fd < 0)
        return err_field(err, OCOP_EINVAL, "fd",
                         "is no open descriptor, and there is neither a path nor bytes");
    src->ours = a->path != NULL;
    /* Nothing that waits for somebody at its other end. */
    src->fd = a->path ? open(a->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : a->fd;
    if (src->fd < 0 || fstat(src->fd, &src->before) != 0)
        return err_field(err, errno == ENOENT || errno == ENOTDIR ? OCOP_ENOTFOUND : OCOP_EIO,
                         src->field, "%.200s cannot be opened: %m", a->path ? a->path : "it");
    if (!S_ISREG(src->before.st_mode) && (a->path || S_ISDIR(src->before.st_mode)))
        return err_field(err, OCOP_EINVAL, src->field, "is not a file");
    src->regular = S_ISREG(src->before.st_mode);
    return choose_part(src, err);
}

static void close_source(struct source *src)
{
    if (src->ours && src->fd >= 0)
        (void)close(src->fd);
}

static enum ocop_status take_bytes(struct source *src, struct content_writer *w, struct span bytes,
                                   struct ocop_error *err)
{
    size_t head = sizeof src->head - src->head_len;

    if (bytes.len > src->limit - w->size)
        return too_large(src, src->limit, err);
    head = head < bytes.len ? head : bytes.len;
    memcpy(src->head + src->head_len, bytes.p, head);
    src->head_len += head;
    return content_write(w, bytes, err);
}

/* A file is another one when it was written to meanwhile: half of a photo is none. */
static enum ocop_status check_unchanged(const struct source *src, uint64_t size,
                                        struct ocop_error *err)
{
    struct stat now;
    const struct stat *then = &src->before;

    if (!src->regular)
        return OCOP_OK;
    if (fstat(src->fd, &now) == 0 && now.st_size == then->st_size &&
        now.st_mtim.tv_sec == then->st_mtim.tv_sec &&
        now.st_mtim.tv_nsec == then->st_mtim.tv_nsec && src->end - src->at == size)
        return OCOP_OK;
    return err_field(err, OCOP_EBUSY, src->field,
                     "the file changed while it was read; attach it when it is complete");
}

/* As read does it: 0 at the end, below 0 when it fails. */
static ssize_t read_part(const struct source *src, uint64_t done, uint8_t *part, size_t room)
{
    const struct ocop_attachment *a = src->what;
    const uint64_t left = src->end - src->at - done;

    if (src->fd < 0) {
        const long n = a->read(a->user, part, room);
        errno = EIO;
        return n < 0 || (size_t)n > room ? -1 : (ssize_t)n;
    }
    if (!src->regular)
        return read(src->fd, part, room);
    return pread(src->fd, part, left < room ? (size_t)left : room, (off_t)(src->at + done));
}

static enum ocop_status read_source(struct source *src, struct content_writer *w,
                                    struct ocop_error *err)
{
    uint8_t part[READ_BYTES];
    enum ocop_status st = OCOP_OK;

    if (src->what->bytes)
        return take_bytes(src, w, span_of(src->what->bytes, src->what->len), err);
    while (!st) {
        ssize_t n = read_part(src, w->size, part, sizeof part);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_field(err, OCOP_EIO, src->field, "cannot be read: %m");
        if (n == 0)
            break;
        st = take_bytes(src, w, span_of(part, (size_t)n), err);
    }
    return st ? st : check_unchanged(src, w->size, err);
}

static enum ocop_status check_content(struct source *src, uint64_t size, struct ocop_error *err)
{
    const struct ocop_attachment *a = src->what;

    if (size == 0)
        return err_field(err, OCOP_EINVAL, src->field, "the file is empty");
    src->media_type = media_type(span_of(src->head, src->head_len));
    if (a->media_type && strcmp(a->media_type, src->media_type) != 0)
        return err_field(err, OCOP_EINVAL, "media_type", "it is said to be %.60s and is %s",
                         a->media_type, src->media_type);
    if (!media_fits(a->role, src->media_type))
        return err_field(err, OCOP_EINVAL, "role", "a file of type %s cannot be a %.60s",
                         src->media_type, a->role);
    return OCOP_OK;
}

/* --- the record ------------------------------------------------------------------------------ */

/* What it is attached to, as it stands; inside a transaction. */
static enum ocop_status check_record(struct ocop_store *s, const struct ocop_id *record,
                                     struct record *r, struct standing *b, struct ocop_error *err)
{
    enum ocop_status st = record_standing(s, record, r, b, err);

    if (st)
        return st;
    if (!kind_attachable(r->k))
        return err_field(err, OCOP_EINVAL, "record", "nothing is attached to a record of kind %s",
                         r->k->name);
    if (!b->there && !b->draft && !b->refused)
        return err_field(err, OCOP_ENOTFOUND, "record", "there is no such record on this device");
    if (record_voided(&b->f))
        return err_field(err, OCOP_ESTATE, "record", "the record is voided");
    return OCOP_OK;
}

/* One more attachment; `of_record`: bytes of the others, without this content. */
static enum ocop_status check_count(struct ocop_store *s, const struct id *record,
                                    const uint8_t hash[FILE_HASH_LEN], uint64_t *of_record,
                                    struct ocop_error *err)
{
    uint64_t of_store, count;
    enum ocop_status st = store_file_bytes(s, record, hash, of_record, &of_store, &count, err);

    if (st || count < RECORD_FILES_MAX)
        return st;
    return err_field(err, OCOP_ELIMIT, "record", "it has %d attachments already, the most",
                     RECORD_FILES_MAX);
}

/* Room is made for it, if it must. */
static enum ocop_status check_room(struct ocop_store *s, const struct id *record,
                                   const uint8_t hash[FILE_HASH_LEN], uint64_t size,
                                   struct ocop_error *err)
{
    const struct ocop_file_limits *most = &s->me.files;
    uint64_t of_record;
    enum ocop_status st = check_count(s, record, hash, &of_record, err);

    if (st)
        return st;
    if (of_record + size > most->record_bytes)
        return err_field(err, OCOP_ELIMIT, "record",
                         "its files have %llu KiB already; with this one it would be more than the "
                         "%llu KiB that one record may have",
                         (unsigned long long)(of_record / 1024),
                         (unsigned long long)(most->record_bytes / 1024));
    return files_make_room(s, hash, size, err);
}

static ProtobufCBinaryData copy_of(const void *p, size_t len, struct arena *a)
{
    return (ProtobufCBinaryData){len, (uint8_t *)arena_dup(a, p, len)};
}

/* The message that an app would have filled in, so that it passes where all records pass. */
static enum ocop_status fill_in(struct ocop_store *s, const struct source *src,
                                const struct content_writer *w,
                                const struct content_writer *original, const struct record *of,
                                Ocop__Attachment *m, struct ocop_error *err)
{
    const struct ocop_attachment *a = src->what;
    /* The row shows the draft, which may have given the record its unit. */
    const struct field *unit;
    struct fields f;
    uint64_t version;
    struct id id = id_next(&s->ids, s->env);
    enum ocop_status st = store_record(s, of->k->number, &of->id, &s->arena, &f, &version, err);

    if (st)
        return st;
    unit = fields_find(&f, FIELD_UNIT, span_of(NULL, 0));
    m->has_id = m->has_record_id = m->has_hash = m->has_size = 1;
    m->id = copy_of(id.b, ID_LEN, &s->arena);
    m->record_id = copy_of(of->id.b, ID_LEN, &s->arena);
    m->hash = copy_of(w->hash, FILE_HASH_LEN, &s->arena);
    m->size = (int64_t)w->size;
    m->has_original_hash = original != NULL;
    if (original)
        m->original_hash = copy_of(original->hash, FILE_HASH_LEN, &s->arena);
    m->has_unit_id = unit && unit->op == FIELD_SET;
    if (m->has_unit_id)
        m->unit_id = copy_of(unit->bytes.p, unit->bytes.len, &s->arena);
    m->role = (char *)(uintptr_t)a->role;
    m->caption = (char *)(uintptr_t)(a->caption && *a->caption ? a->caption : NULL);
    m->media_type = (char *)(uintptr_t)src->media_type;
    m->file_name = (char *)(uintptr_t)(*src->name ? src->name : NULL);
    m->has_taken_ms = a->taken_ms != 0;
    m->taken_ms = a->taken_ms;
    m->has_lat_e6 = m->has_lon_e6 = a->has_place;
    m->lat_e6 = a->lat_e6;
    m->lon_e6 = a->lon_e6;
    return m->id.data && m->record_id.data && m->hash.data &&
                   (!m->has_unit_id || m->unit_id.data) &&
                   (!m->has_original_hash || m->original_hash.data)
               ? OCOP_OK
               : err_nomem(err);
}

static enum ocop_status note_file(struct ocop_store *s, const struct content_writer *w,
                                  struct ocop_error *err)
{
    struct file_row row = {.size = w->size, .here = true};
    bool known;
    enum ocop_status st = store_file(s, w->hash, &known, &row, err);

    memcpy(row.hash, w->hash, FILE_HASH_LEN);
    row.wanted = row.wanted && row.here;
    row.here = true;
    /* When it was fetched, this officer has not shown yet to have it; when the office had it
     * removed, it is wanted again under another name. */
    row.central = false;
    return st ? st : store_file_put(s, &row, err);
}

/* Inside a transaction. A record that is a draft has drafts attached: they go when it goes.
 * `original`: what `w` was made of, or NULL. */
static enum ocop_status record_it(struct ocop_store *s, const struct ocop_id *record,
                                  const struct source *src, const struct content_writer *w,
                                  const struct content_writer *original, struct ocop_id *out,
                                  struct ocop_error *err)
{
    Ocop__Attachment m = OCOP__ATTACHMENT__INIT;
    struct record r;
    struct standing b;
    enum ocop_status st = check_record(s, record, &r, &b, err);

    if (!st)
        st = check_room(s, &r.id, w->hash, w->size, err);
    if (!st)
        st = fill_in(s, src, w, original, &r, &m, err);
    if (!st)
        st = note_file(s, w, err);
    if (!st)
        st = standing_is_new(&b) ? record_api_save(s, &m.base, err)
                                 : record_api_submit(s, &m.base, err);
    if (!st)
        memcpy(out->b, m.id.data, ID_LEN);
    return st;
}

/* --- the call -------------------------------------------------------------------------------- */

/* Before anything is read: may it be, and where does it go? Whether there is room is asked when its
 * content is known: it may be here already, and what fails lets go of nothing. */
static enum ocop_status prepare(struct ocop_store *s, const struct ocop_id *record,
                                struct source *src, struct taken *t, struct ocop_error *err)
{
    static const uint8_t none[FILE_HASH_LEN];
    uint64_t of_record;
    struct record r;
    struct standing b;
    enum ocop_status st = client_write(s, err);

    if (st)
        return st;
    t->how = s->me.images;
    t->most = src->limit = s->me.files.file_bytes;
    /* What is made smaller may be too large before. */
    if (images_scales(&t->how, src->what->role) && !t->how.keep_original)
        src->limit = ATTACHED_BYTES_MAX;
    st = check_record(s, record, &r, &b, err);
    if (!st)
        st = check_count(s, &r.id, none, &of_record, err);
    if (!st)
        st = files_dir(s, true, &t->d, err);
    return client_write_end(s, st, err);
}

/* Without the lock, as all that takes time. What is encoded anew is stripped by that. */
static enum ocop_status scale(struct ocop_store *s, const struct source *src, struct taken *t,
                              struct ocop_error *err)
{
    const bool strips = t->how.strip && !src->drawn && strncmp(src->media_type, "image/", 6) == 0;
    const struct content_writer *original;
    enum ocop_status st = OCOP_OK;

    if (images_scales(&t->how, src->what->role) && strcmp(src->media_type, "image/jpeg") == 0)
        st = images_scale(s->env, &t->how, &t->whole, &t->scaled, &t->is_scaled, err);
    if (!st && strips && (!t->is_scaled || t->how.keep_original))
        st = images_strip(src->media_type, &t->whole, &t->bare, &t->is_bare, err);
    if (st)
        return st;
    original = t->is_bare ? &t->bare : &t->whole;
    /* A flat one may become what it was: that is no second one to be kept. */
    if (t->is_scaled && memcmp(t->scaled.hash, original->hash, FILE_HASH_LEN) == 0)
        t->is_scaled = false;
    return (t->is_scaled ? &t->scaled : original)->size > t->most ? too_large(src, t->most, err)
                                                                  : OCOP_OK;
}

static enum ocop_status copy(struct source *src, struct taken *t, struct ocop_error *err)
{
    uint64_t expected = src->what->bytes ? src->what->len : 0;
    enum ocop_status st = open_source(src, err);

    if (!st && src->regular)
        expected = src->end - src->at;
    /* What is made of it, a smaller one and one without notes, is no larger and lies beside it. */
    expected *= 1u + images_scales(&t->how, src->what->role) + t->how.strip;
    if (!st)
        st = content_room(&t->d, expected, err);
    if (!st)
        st = content_begin(&t->d, &t->whole, err);
    if (!st)
        st = read_source(src, &t->whole, err);
    if (!st)
        st = check_content(src, t->whole.size, err);
    if (!st)
        st = content_seal(&t->whole, err);
    close_source(src);
    return st;
}

static enum ocop_status keep(struct ocop_store *s, const struct ocop_id *record,
                             const struct source *src, struct taken *t, struct ocop_id *out,
                             struct ocop_error *err)
{
    struct content_writer *original = t->is_bare ? &t->bare : &t->whole;
    struct content_writer *w = t->is_scaled ? &t->scaled : original;
    const bool both = t->is_scaled && t->how.keep_original;
    bool fresh = false, other_fresh = false;
    struct ocop_id other;
    enum ocop_status st = content_begin(&t->d, &t->mark, err);

    if (!st)
        st = client_write(s, err);
    if (st)
        return st;
    do {
        st = record_it(s, record, src, w, w != &t->whole ? &t->whole : NULL, out, err);
        if (!st && both)
            st = record_it(s, record, src, original, t->is_bare ? &t->whole : NULL, &other, err);
        if (!st)
            st = store_searched_write(s, err);
    } while (client_begin_again(s, &st, err));
    /* Last: nothing is to be undone but when the commit fails. */
    if (!st)
        st = content_place(w, &fresh, err);
    if (!st && both)
        st = content_place(original, &other_fresh, err);
    st = client_end(s, st, err);
    fresh = fresh || other_fresh;
    if (st && fresh)
        files_loosen(s);
    client_leave(s);
    return st;
}

static enum ocop_status attach(struct ocop_store *s, const struct ocop_id *record,
                               const struct ocop_attachment *what, bool drawn, struct ocop_id *out,
                               struct ocop_error *err)
{
    struct source src = {.what = what, .fd = -1, .drawn = drawn};
    struct taken t = {
        .whole = {.fd = -1}, .scaled = {.fd = -1}, .bare = {.fd = -1}, .mark = {.fd = -1}};
    enum ocop_status st = OCOP_OK;

    memset(out, 0, sizeof *out);
    if (!what->role || !*what->role)
        return err_field(err, OCOP_EINVAL, "role", "is missing");
    st = check_name(&src, err);
    if (!st)
        st = prepare(s, record, &src, &t, err);
    if (!st)
        st = copy(&src, &t, err);
    if (!st)
        st = scale(s, &src, &t, err);
    if (!st)
        st = keep(s, record, &src, &t, out, err);
    content_abandon(&t.whole);
    content_abandon(&t.scaled);
    content_abandon(&t.bare);
    content_abandon(&t.mark);
    files_dir_fini(&t.d);
    /* In a transaction of its own: another process may have attached the same meanwhile. */
    files_sweep_loose(s);
    if (st)
        memset(out, 0, sizeof *out);
    return st;
}

enum ocop_status ocop_attach(struct ocop_store *s, const struct ocop_id *record,
                             const struct ocop_attachment *what, struct ocop_id *out,
                             struct ocop_error *err)
{
    return attach(s, record, what, false, out, err);
}

enum ocop_status attach_drawn(struct ocop_store *s, const struct ocop_id *record,
                              const struct ocop_attachment *what, struct ocop_id *out,
                              struct ocop_error *err)
{
    return attach(s, record, what, true, out, err);
}

/* --- attachments follow their record --------------------------------------------------------- */

/* `unit`: of the record, where it is asked for and there. */
typedef enum ocop_status attachment_fn(struct ocop_store *s, const struct attachment_row *row,
                                       const struct field *unit, struct ocop_error *err);

/* Those of a record that are drafts, or were refused. */
static enum ocop_status each_of(struct ocop_store *s, const struct id *record, attachment_fn *fn,
                                const struct field *unit, struct ocop_error *err)
{
    struct attachment_row *rows;
    size_t count;
    enum ocop_status st =
        store_attachments(s, record, RECORD_FILES_MAX + 1, &s->arena, &rows, &count, err);

    for (size_t i = count; !st && i > 0; i--) /* oldest first */
        st = fn(s, &rows[i - 1], unit, err);
    return st;
}

/* It lies where its record lies, which may have got its unit, or another one, since it was
 * attached. A draft of what was submitted before waits for its officer and a reason. */
static enum ocop_status submit_one(struct ocop_store *s, const struct attachment_row *row,
                                   const struct field *unit, struct ocop_error *err)
{
    ProtobufCMessage *m = NULL;
    struct record r;
    struct standing b;
    struct ocop_id id;
    uint64_t version;
    enum ocop_status st = OCOP_OK;

    if (!row->drafted)
        return OCOP_OK;
    memcpy(id.b, row->id.b, ID_LEN);
    st = record_standing(s, &id, &r, &b, err);
    if (st || !standing_is_new(&b))
        return st;
    st = store_record(s, r.k->number, &r.id, &s->arena, &r.f, &version, err);
    if (!st && unit)
        st = record_put(&r, unit, &s->arena, err);
    if (!st)
        st = record_write(&r, &m, err);
    if (!st)
        st = record_api_submit(s, m, err);
    ocop_free(m);
    return st;
}

/* Nobody is there to be told. What a rule is against stays a draft, in sight: it is asked before
 * anything is written. */
static enum ocop_status follow_one(struct ocop_store *s, const struct attachment_row *row,
                                   const struct field *unit, struct ocop_error *err)
{
    struct ocop_error why = {0};
    enum ocop_status st = submit_one(s, row, unit, &why);

    if (st == OCOP_EINVAL || st == OCOP_EPERM || st == OCOP_ELIMIT || st == OCOP_ESTATE)
        return OCOP_OK;
    if (st && err)
        *err = why;
    return st;
}

static enum ocop_status submit_each(struct ocop_store *s, const struct id *record,
                                    attachment_fn *fn, struct ocop_error *err)
{
    struct record of;
    struct standing b;
    struct ocop_id id;
    enum ocop_status st;

    memcpy(id.b, record->b, ID_LEN);
    st = record_standing(s, &id, &of, &b, err);
    return st ? st : each_of(s, record, fn, fields_find(&b.f, FIELD_UNIT, span_of(NULL, 0)), err);
}

enum ocop_status attach_submit(struct ocop_store *s, const struct id *record,
                               struct ocop_error *err)
{
    return submit_each(s, record, submit_one, err);
}

enum ocop_status attach_follow(struct ocop_store *s, const struct id *record,
                               struct ocop_error *err)
{
    arena_reset(&s->arena);
    return submit_each(s, record, follow_one, err);
}

static enum ocop_status discard_one(struct ocop_store *s, const struct attachment_row *row,
                                    const struct field *unit, struct ocop_error *err)
{
    struct ocop_id id;

    (void)unit;
    memcpy(id.b, row->id.b, ID_LEN);
    return row->drafted || row->state == OCOP_REFUSED ? record_api_discard(s, &id, err) : OCOP_OK;
}

/* The content that was discarded with its last name, unless a record that left owes it. */
static enum ocop_status forget_content(struct ocop_store *s, const uint8_t hash[FILE_HASH_LEN],
                                       struct ocop_error *err)
{
    struct file_row row;
    bool named, known;
    enum ocop_status st = store_file_named(s, hash, &named, err);

    if (!st && !named)
        st = store_file(s, hash, &known, &row, err);
    if (st || named || !known || (row.here && row.wanted))
        return st;
    files_loosen(s);
    return store_file_delete(s, hash, err);
}

enum ocop_status attach_delete(struct ocop_store *s, const struct kind *k, const struct id *record,
                               struct ocop_error *err)
{
    struct attachment_row row;
    enum ocop_status st;

    if (k->number != KIND_ATTACHMENT) {
        st = each_of(s, record, discard_one, NULL, err);
        return st ? st : store_record_delete(s, k->number, record, err);
    }
    st = store_attachment(s, record, &s->arena, &row, err);
    if (!st)
        st = store_record_delete(s, k->number, record, err);
    return st ? st : forget_content(s, row.file.hash, err);
}
