/* Contents on the device: where they lie, what may go, what a person is told of them. Knows no SQL,
 * and of files only what content.h says. */
#include "files.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shown.h"
#include "text.h"

enum { FILES_LISTED_MAX = 10000 };

/* --- the folder ------------------------------------------------------------------------------ */

static bool has_key(const struct ocop_store *s)
{
    static const uint8_t none[CONTENT_KEY_LEN];

    return memcmp(s->me.file_key, none, sizeof none) != 0;
}

static enum ocop_status folder(struct ocop_store *s, struct content_dir *out,
                               struct ocop_error *err)
{
    char path[PATH_MAX];

    (void)snprintf(path, sizeof path, "%s.blobs", store_path(s));
    return content_dir_init(out, path, s->me.file_key, s->env, err);
}

enum ocop_status files_dir(struct ocop_store *s, bool make_key, struct content_dir *out,
                           struct ocop_error *err)
{
    enum ocop_status st = OCOP_OK;

    if (!has_key(s) && !make_key)
        return err_set(err, OCOP_ENOTFOUND, "the content is not here");
    if (!has_key(s)) {
        env_random(s->env, s->me.file_key, sizeof s->me.file_key);
        st = store_meta_set(s, "file_key", span_of(s->me.file_key, sizeof s->me.file_key), err);
    }
    return st ? st : folder(s, out, err);
}

void files_dir_fini(struct content_dir *d)
{
    content_key_wipe(d->key);
}

struct sweep {
    struct ocop_store *s;
    const struct content_dir *d;
    void (*found)(void *self, const char *line); /* NULL: remove instead of telling */
    void *self;
    unsigned count;
};

/* What no row names, or one that says that it was let go of. One that is being fetched may be whole
 * before its row says so. */
static enum ocop_status sweep_one(void *self, const uint8_t hash[FILE_HASH_LEN],
                                  struct ocop_error *err)
{
    struct sweep *w = self;
    struct file_row row;
    bool known;
    char name[CONTENT_NAME_LEN + 1], line[160];
    enum ocop_status st = store_file(w->s, hash, &known, &row, err);

    if (st || (known && (row.here || row.wanted)))
        return st;
    w->count++;
    if (!w->found)
        return content_remove(w->d, hash, err);
    (void)snprintf(line, sizeof line, "file %s: %s; `ocop files --sweep` removes it",
                   content_name(hash, name), known ? "it was let go of" : "no record names it");
    w->found(w->self, line);
    return OCOP_OK;
}

/* With the right to write, so that nobody is about to name what is removed. */
static enum ocop_status sweep(struct ocop_store *s, unsigned *count, struct ocop_error *err)
{
    struct content_dir d;
    struct sweep w = {.s = s, .d = &d};
    enum ocop_status st = folder(s, &d, err);

    if (!st)
        st = content_each(&d, sweep_one, &w, err);
    files_dir_fini(&d);
    *count = w.count;
    return st;
}

enum ocop_status ocop_files_sweep(struct ocop_store *s, unsigned *removed, struct ocop_error *err)
{
    struct content_dir d = {.keyed = false};
    unsigned left = 0, loose = 0;
    enum ocop_status st = client_write(s, err);

    *removed = 0;
    if (st)
        return st;
    st = sweep(s, &loose, err);
    if (!st)
        st = folder(s, &d, err);
    if (!st) /* last: it takes the mark away that this is to be done */
        st = content_tidy(&d, &left, err);
    files_dir_fini(&d);
    if (!st)
        atomic_store(&s->files_loose, false);
    *removed = st ? 0 : left + loose;
    return client_write_end(s, st, err);
}

/* Nothing is left lying but by a program that was killed, so this is done seldom. */
void files_tidy(struct ocop_store *s)
{
    struct content_dir d;
    unsigned removed;
    bool untidy = false;
    enum ocop_status st;

    if (!has_key(s))
        return;
    st = folder(s, &d, NULL);
    if (!st)
        untidy = content_untidy(&d);
    files_dir_fini(&d);
    if (!st && untidy)
        st = ocop_files_sweep(s, &removed, NULL);
    if (st)
        env_log(s->env, ENV_WARN, "files_not_tidied", "status=%s", err_name(st));
}

void files_loosen(struct ocop_store *s)
{
    struct content_dir d;
    enum ocop_status st;

    if (atomic_exchange(&s->files_loose, true))
        return;
    st = folder(s, &d, NULL);
    if (!st)
        st = content_mark(&d, NULL);
    files_dir_fini(&d);
    if (st)
        env_log(s->env, ENV_WARN, "files_not_marked", "status=%s", err_name(st));
}

void files_sweep_loose(struct ocop_store *s)
{
    unsigned removed;

    if (atomic_load(&s->files_loose) && ocop_files_sweep(s, &removed, NULL) != OCOP_OK)
        env_log(s->env, ENV_WARN, "files_not_swept", "left=1");
}

enum ocop_status files_swept(struct ocop_store *s, enum ocop_status st)
{
    if (!st)
        files_sweep_loose(s);
    return st;
}

/* In a transaction. The sweep after it removes what they were of. */
static enum ocop_status forget_left(struct ocop_store *s, struct ocop_error *err)
{
    struct file_row *rows;
    size_t count;
    enum ocop_status st = store_files_left(s, &s->arena, &rows, &count, err);

    for (size_t i = 0; !st && i < count; i++) {
        if (rows[i].here)
            files_loosen(s);
        st = store_file_delete(s, rows[i].hash, err);
    }
    return st ? st : store_thumbnails_left(s, err);
}

void files_follow(struct ocop_store *s, bool moved)
{
    enum ocop_status st;

    if (s->files_known && !moved)
        return;
    s->files_known = false;
    st = client_write(s, NULL);
    if (!st)
        st = client_write_end(s, forget_left(s, NULL), NULL);
    s->files_known = !st;
    if (files_swept(s, st) != OCOP_OK)
        env_log(s->env, ENV_WARN, "files_not_followed", "status=%s", err_name(st));
}

enum ocop_status files_clear(struct ocop_store *s, struct ocop_error *err)
{
    struct content_dir d;
    enum ocop_status st = folder(s, &d, err);

    return st ? st : content_clear(&d, err);
}

/* --- check ----------------------------------------------------------------------------------- */

/* What is true of one that is damaged or gone, and what can be done. */
static enum ocop_status advice(struct ocop_store *s, const struct file_row *row, const char **out,
                               struct ocop_error *err)
{
    bool removed = false;
    enum ocop_status st = OCOP_OK;

    if (!row->central)
        st = store_file_gone(s, row->hash, &removed, err);
    *out = row->central ? "the registry has it; fetch it again"
           : removed    ? "the registry's office has removed it, so that it is not wanted any more"
                        : "that the registry has it is not known: sync, and if it is told of again "
                          "then, attach the file again";
    return st;
}

static enum ocop_status check_rows(struct ocop_store *s, const struct content_dir *d,
                                   void (*found)(void *self, const char *line), void *self,
                                   struct ocop_error *err)
{
    struct arena a;
    struct file_row *rows;
    size_t count;
    char line[OCOP_ERROR_TEXT_MAX + 160], name[CONTENT_NAME_LEN + 1];
    const char *done;
    enum ocop_status st;

    arena_init(&a, ARENA_REQUEST_MAX);
    st = store_files_here(s, &a, &rows, &count, err);
    for (size_t i = 0; !st && i < count; i++) {
        struct ocop_error why = {0};
        st = content_check(d, rows[i].hash, rows[i].size, &why);
        if (st != OCOP_ENOTFOUND && st != OCOP_EDAMAGED) {
            if (st && err)
                *err = why;
            continue;
        }
        st = advice(s, &rows[i], &done, err);
        if (st)
            break;
        (void)snprintf(line, sizeof line, "file %s: %s; %s", content_name(rows[i].hash, name),
                       why.text, done);
        found(self, line);
    }
    arena_fini(&a);
    return st;
}

enum ocop_status files_check(struct ocop_store *s, void (*found)(void *self, const char *line),
                             void *self, struct ocop_error *err)
{
    struct content_dir d;
    struct sweep w = {.s = s, .d = &d, .found = found, .self = self};
    enum ocop_status st = folder(s, &d, err);

    if (!st)
        st = check_rows(s, &d, found, self, err);
    if (!st)
        st = content_each(&d, sweep_one, &w, err);
    files_dir_fini(&d);
    return st;
}

/* --- limits ---------------------------------------------------------------------------------- */

enum ocop_status ocop_set_file_limits(struct ocop_store *s, const struct ocop_file_limits *limits,
                                      struct ocop_error *err)
{
    enum ocop_status st;

    if (limits->file_bytes == 0 || limits->file_bytes > ATTACHED_BYTES_MAX)
        return err_field(err, OCOP_ELIMIT, "file_bytes", "may be from 1 to %zu",
                         ATTACHED_BYTES_MAX);
    if (limits->record_bytes < limits->file_bytes)
        return err_field(err, OCOP_EINVAL, "record_bytes", "is less than one file may have");
    if (limits->store_bytes < limits->record_bytes || limits->store_bytes > INT64_MAX)
        return err_field(err, OCOP_EINVAL, "store_bytes", "is less than one record may have");
    st = client_write(s, err);
    if (st)
        return st;
    st = store_meta_set_int(s, "file_bytes", limits->file_bytes, err);
    if (!st)
        st = store_meta_set_int(s, "record_file_bytes", limits->record_bytes, err);
    if (!st)
        st = store_meta_set_int(s, "store_file_bytes", limits->store_bytes, err);
    return client_write_end(s, st ? st : store_identity(s, err), err);
}

enum ocop_status ocop_get_file_limits(struct ocop_store *s, struct ocop_file_limits *out,
                                      struct ocop_error *err)
{
    enum ocop_status st = client_read(s, err);

    memset(out, 0, sizeof *out);
    if (st)
        return st;
    *out = s->me.files;
    client_read_end(s);
    return OCOP_OK;
}

/* --- list and read --------------------------------------------------------------------------- */

struct file_answer {
    struct ocop_file_list list;
    struct arena arena;
};

static enum ocop_file_state state_of(const struct attachment_row *row)
{
    if (row->removed_ms)
        return OCOP_FILE_REMOVED;
    if (row->file.central)
        return row->file.here ? OCOP_FILE_STORED : OCOP_FILE_ABSENT;
    if (row->drafted && row->state == OCOP_DRAFT)
        return OCOP_FILE_DRAFT;
    if (row->file.here)
        return OCOP_FILE_WAITING;
    return row->file.wanted ? OCOP_FILE_FETCHING : OCOP_FILE_ABSENT;
}

static uint64_t kib(uint64_t bytes)
{
    return (bytes + 1023) / 1024;
}

static const char *text_of(const struct attachment_row *row, enum ocop_file_state state,
                           struct arena *a)
{
    const char *what[] = {
        [OCOP_FILE_DRAFT] = "a draft: it stays on this device",
        [OCOP_FILE_WAITING] = "here, not at the registry yet",
        [OCOP_FILE_STORED] = "here and at the registry",
        [OCOP_FILE_ABSENT] = "its record is here, the file is not",
        [OCOP_FILE_FETCHING] = "being fetched",
    };
    const struct file_row *f = &row->file;
    char when[17];

    if (state == OCOP_FILE_REMOVED)
        return arena_printf(a, "removed at the registry on %s: %s (%" PRIu64 " KiB%s)",
                            text_day_of(row->removed_ms, when), row->removed_reason, kib(f->size),
                            f->here ? ", still here" : "");
    if (state != OCOP_FILE_WAITING && state != OCOP_FILE_FETCHING)
        return arena_printf(a, "%s (%" PRIu64 " KiB)", what[state], kib(f->size));
    if (f->tried_ms == 0)
        return arena_printf(a, "%s (%" PRIu64 " KiB, never tried)", what[state], kib(f->size));
    return arena_printf(a, "%s (%" PRIu64 " of %" PRIu64 " KiB, last tried %s)", what[state],
                        f->done / 1024, kib(f->size), text_moment(f->tried_ms, when));
}

/* Who wrote it may have used another program: what an app saves the file under is no path. */
static const char *name_of(const struct attachment_row *row, struct arena *a)
{
    const char *name = row->name;
    struct buf shown;

    buf_init(&shown, KIB(4));
    if (!shown_name(&shown, span_str(row->name)))
        name = shown.failed ? NULL : arena_dup(a, buf_cstr(&shown), shown.len + 1);
    buf_fini(&shown);
    return name;
}

static enum ocop_status fill(struct file_answer *out, const struct attachment_row *rows,
                             size_t count, struct ocop_error *err)
{
    struct ocop_file *v = arena_calloc(&out->arena, count ? count : 1, sizeof *v);

    if (!v)
        return err_nomem(err);
    for (size_t i = 0; i < count; i++) {
        const struct attachment_row *r = &rows[i];
        v[i] = (struct ocop_file){.role = r->role,
                                  .caption = r->caption,
                                  .media_type = r->media_type,
                                  .name = name_of(r, &out->arena),
                                  .size = r->file.size,
                                  .state = state_of(r),
                                  .here = r->file.here,
                                  .done = r->file.done,
                                  .tried_ms = r->file.tried_ms};
        memcpy(v[i].id.b, r->id.b, ID_LEN);
        memcpy(v[i].record.b, r->record.b, ID_LEN);
        memcpy(v[i].hash, r->file.hash, FILE_HASH_LEN);
        v[i].text = text_of(r, v[i].state, &out->arena);
        if (!v[i].text || !v[i].name)
            return err_nomem(err);
    }
    out->list = (struct ocop_file_list){v, count, false};
    return OCOP_OK;
}

enum ocop_status ocop_files(struct ocop_store *s, const struct ocop_id *record,
                            struct ocop_file_list **out, struct ocop_error *err)
{
    struct file_answer *answer = calloc(1, sizeof *answer);
    struct attachment_row *rows;
    struct id id;
    size_t count;
    enum ocop_status st;

    *out = NULL;
    if (!answer)
        return err_nomem(err);
    arena_init(&answer->arena, ARENA_REQUEST_MAX);
    if (record)
        memcpy(id.b, record->b, ID_LEN);
    st = client_read(s, err);
    if (!st) {
        st = store_attachments(s, record ? &id : NULL, FILES_LISTED_MAX + 1, &answer->arena, &rows,
                               &count, err);
        if (!st)
            st = fill(answer, rows, count < FILES_LISTED_MAX ? count : FILES_LISTED_MAX, err);
        client_read_end(s);
    }
    if (st) {
        ocop_file_list_free(&answer->list);
        return st;
    }
    answer->list.more = count > FILES_LISTED_MAX;
    *out = &answer->list;
    return OCOP_OK;
}

void ocop_file_list_free(struct ocop_file_list *list)
{
    struct file_answer *answer = (struct file_answer *)list;

    if (!answer)
        return;
    arena_fini(&answer->arena);
    free(answer);
}

enum ocop_status ocop_file_read(struct ocop_store *s, const struct ocop_id *attachment, uint64_t at,
                                void *out, size_t len, size_t *got, struct ocop_error *err)
{
    struct attachment_row row;
    struct content_dir d = {.keyed = false};
    struct id id;
    enum ocop_status st = client_read(s, err);

    *got = 0;
    if (st)
        return st;
    memcpy(id.b, attachment->b, ID_LEN);
    st = store_attachment(s, &id, &s->arena, &row, err);
    if (!st && !row.file.here)
        st = err_set(err, OCOP_ENOTFOUND, "%s; fetch it when there is signal",
                     "the file is not on this device");
    if (!st)
        st = files_dir(s, false, &d, err);
    client_read_end(s);
    if (!st)
        st = content_read(&d, row.file.hash, at, out, len, got, err);
    files_dir_fini(&d);
    return st;
}

/* --- letting go ------------------------------------------------------------------------------ */

/* In a transaction: rows first. The sweep behind it looks at them once more: another process may
 * have attached the same content by then. `but`: this one stays, and is not counted.
 * *left: bytes that stay. */
static enum ocop_status let_go(struct ocop_store *s, const uint8_t but[FILE_HASH_LEN],
                               uint64_t most, unsigned *count, uint64_t *left,
                               struct ocop_error *err)
{
    static const struct id nothing;
    struct arena a; /* they may be more than a save has room for */
    struct file_row *rows;
    uint64_t of_record, attached;
    size_t spare = 0;
    enum ocop_status st = store_file_bytes(s, &nothing, but, &of_record, left, &attached, err);

    *count = 0;
    if (st || *left <= most)
        return st;
    arena_init(&a, ARENA_REQUEST_MAX);
    st = store_files_spare(s, &a, &rows, &spare, err);
    for (size_t i = 0; !st && *left > most && i < spare; i++) {
        if (memcmp(rows[i].hash, but, FILE_HASH_LEN) == 0)
            continue;
        *left -= rows[i].size < *left ? rows[i].size : *left;
        rows[i].here = rows[i].wanted = false;
        files_loosen(s);
        ++*count;
        st = store_file_put(s, &rows[i], err);
    }
    arena_fini(&a);
    return st;
}

enum ocop_status files_make_room(struct ocop_store *s, const uint8_t hash[FILE_HASH_LEN],
                                 uint64_t size, struct ocop_error *err)
{
    const uint64_t most = s->me.files.store_bytes;
    uint64_t left;
    unsigned gone;
    enum ocop_status st = let_go(s, hash, size < most ? most - size : 0, &gone, &left, err);

    if (st || left + size <= most)
        return st;
    return err_field(err, OCOP_ELIMIT, "store",
                     "the files on this device that were not sent yet have %" PRIu64
                     " KiB, the limit for all is %" PRIu64 " KiB; sync them first",
                     left / 1024, most / 1024);
}

enum ocop_status ocop_files_keep(struct ocop_store *s, uint64_t bytes, unsigned *removed,
                                 struct ocop_error *err)
{
    static const uint8_t none[FILE_HASH_LEN];
    unsigned count = 0;
    uint64_t left;
    enum ocop_status st = client_write(s, err);

    *removed = 0;
    if (st)
        return st;
    st = files_swept(s, client_write_end(s, let_go(s, none, bytes, &count, &left, err), err));
    *removed = st ? 0 : count;
    return st;
}

/* --- fetching -------------------------------------------------------------------------------- */

/* Is what lies here not what was written? Read without the lock. */
static enum ocop_status look(struct ocop_store *s, const struct id *id, bool *spoilt,
                             struct ocop_error *err)
{
    struct attachment_row row;
    struct content_dir d = {.keyed = false};
    enum ocop_status st = client_read(s, err);

    *spoilt = false;
    if (st)
        return st;
    st = store_attachment(s, id, &s->arena, &row, err);
    if (!st && row.file.here && row.file.central)
        st = files_dir(s, false, &d, err);
    client_read_end(s);
    if (!st && row.file.here && row.file.central) {
        const enum ocop_status is = content_check(&d, row.file.hash, row.file.size, NULL);
        *spoilt = is == OCOP_EDAMAGED || is == OCOP_ENOTFOUND;
    }
    files_dir_fini(&d);
    return st;
}

/* In a transaction. `spoilt`: it is here, and of no use; what the registry has takes its place. */
static enum ocop_status want(struct ocop_store *s, const struct id *id, bool spoilt,
                             struct ocop_error *err)
{
    struct attachment_row row;
    enum ocop_status st = store_attachment(s, id, &s->arena, &row, err);

    if (!st && spoilt && row.file.central)
        row.file.here = false;
    if (!st && row.removed_ms && !row.file.here)
        st = err_set(err, OCOP_ENOTFOUND, "the registry's office has removed the file: %.200s",
                     row.removed_reason);
    if (st || row.file.here || row.file.wanted)
        return st;
    st = files_make_room(s, row.file.hash, row.file.size, err);
    if (st)
        return st;
    row.file.wanted = true;
    return store_file_put(s, &row.file, err);
}

enum ocop_status ocop_fetch(struct ocop_store *s, const struct ocop_id *attachment,
                            struct ocop_error *err)
{
    struct id id;
    bool spoilt;
    enum ocop_status st;

    memcpy(id.b, attachment->b, ID_LEN);
    st = look(s, &id, &spoilt, err);
    if (!st)
        st = client_write(s, err);
    if (st)
        return st;
    return files_swept(s, client_write_end(s, want(s, &id, spoilt, err), err));
}
