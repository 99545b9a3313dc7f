/* Thumbnails: asked for by the app, fetched from the registry before any file, kept in the store as
 * long as there is room. What is on them is of no matter here. Knows no SQL. */
#include <stdlib.h>
#include <string.h>

#include "frame.h"
#include "travel.h"

_Static_assert(OCOP_THUMBNAIL_BYTES_MAX == THUMBNAIL_BYTES_MAX, "as the header says");

/* Before any file, and then the files: what an officer recorded waits for no small pictures. */
enum { THUMBNAILS_FIRST_MAX = 2 * FILE_CHUNKS_REPLY_MAX };

/* --- asking ---------------------------------------------------------------------------------- */

static bool may_have_one(const char *media_type)
{
    return strcmp(media_type, "image/jpeg") == 0 || strcmp(media_type, "image/png") == 0;
}

/* Of what is no such image the registry makes none. One that is here, or on its way, stays so. All
 * that are kept have more bytes than the arena of a call. */
static enum ocop_status want(struct ocop_store *s, const struct attachment_row *of, int64_t now_ms,
                             unsigned *wanted, struct ocop_error *err)
{
    struct thumbnail_row row;
    enum ocop_status st = store_thumbnail(s, of->file.hash, NULL, &row, err);

    if (st || row.state == THUMBNAIL_HERE || !may_have_one(of->media_type))
        return st;
    ++*wanted;
    if (row.state == THUMBNAIL_WANTED)
        return OCOP_OK;
    row.state = THUMBNAIL_WANTED;
    row.at_ms = now_ms;
    row.image = span_of(NULL, 0);
    return store_thumbnail_put(s, &row, err);
}

/* Those of a record, or of all; `id` may be an attachment's too. In a transaction. */
static enum ocop_status want_all(struct ocop_store *s, const struct id *id, unsigned *wanted,
                                 struct ocop_error *err)
{
    struct attachment_row *rows;
    size_t count;
    const int64_t now_ms = env_now_ms(s->env);
    enum ocop_status st =
        store_attachments(s, id, THUMBNAILS_KEPT_MAX, &s->arena, &rows, &count, err);

    if (!st && count == 0 && id) {
        rows = arena_alloc(&s->arena, sizeof *rows);
        st = rows ? store_attachment(s, id, &s->arena, rows, err) : err_nomem(err);
        count = 1;
    }
    for (size_t i = count; !st && i-- > 0;) /* oldest first: who is asked for last goes last */
        st = want(s, &rows[i], now_ms, wanted, err);
    return st ? st : store_thumbnails_trim(s, err);
}

enum ocop_status ocop_fetch_thumbnails(struct ocop_store *s, const struct ocop_id *of,
                                       unsigned *wanted, struct ocop_error *err)
{
    struct id id;
    enum ocop_status st = client_write(s, err);

    *wanted = 0;
    if (st)
        return st;
    if (of)
        memcpy(id.b, of->b, ID_LEN);
    st = client_write_end(s, want_all(s, of ? &id : NULL, wanted, err), err);
    if (st)
        *wanted = 0;
    return st;
}

enum ocop_status ocop_thumbnail_read(struct ocop_store *s, const struct ocop_id *attachment,
                                     void *out, size_t *len, struct ocop_error *err)
{
    struct attachment_row of;
    struct thumbnail_row row;
    struct id id;
    enum ocop_status st = client_read(s, err);

    *len = 0;
    if (st)
        return st;
    memcpy(id.b, attachment->b, ID_LEN);
    st = store_attachment(s, &id, &s->arena, &of, err);
    if (!st)
        st = store_thumbnail(s, of.file.hash, &s->arena, &row, err);
    if (!st && of.removed_ms)
        st = err_set(err, OCOP_ENOTFOUND, "the registry's office has removed it");
    if (!st && (row.state != THUMBNAIL_HERE || row.image.len > THUMBNAIL_BYTES_MAX))
        st = err_set(err, OCOP_ENOTFOUND, "%s",
                     row.state == THUMBNAIL_NONE      ? "the registry has no thumbnail of it"
                     : row.state == THUMBNAIL_UNKNOWN ? "its thumbnail is not on this device"
                                                      : "its thumbnail was not fetched yet");
    if (!st) {
        memcpy(out, row.image.p, row.image.len);
        *len = row.image.len;
    }
    client_read_end(s);
    return st;
}

/* --- fetching -------------------------------------------------------------------------------- */

struct fetching {
    struct ocop_store *s;
    const struct travel_options *o;
    struct file_row *wanted;
    size_t count;
    struct arena arena, scratch; /* of the whole; of one exchange */
    struct buf frame, answer;
};

static enum ocop_status load(struct fetching *f, struct ocop_error *err)
{
    enum ocop_status st = client_read(f->s, err);

    if (st)
        return st;
    st =
        store_thumbnails_wanted(f->s, env_now_ms(f->s->env), &f->arena, &f->wanted, &f->count, err);
    client_read_end(f->s);
    return st;
}

static enum ocop_status ask(struct fetching *f, const struct file_row *of, size_t count,
                            Ocop__Sync__FilesRequest *out, struct ocop_error *err)
{
    Ocop__Sync__FileAsk *asks = arena_calloc(&f->scratch, count, sizeof *asks);

    ocop__sync__files_request__init(out);
    out->asks = arena_calloc(&f->scratch, count, sizeof *out->asks);
    if (!asks || !out->asks)
        return err_nomem(err);
    for (size_t i = 0; i < count; i++) {
        ocop__sync__file_ask__init(&asks[i]);
        asks[i].has_hash = asks[i].has_size = asks[i].has_thumbnail = 1;
        asks[i].hash = (ProtobufCBinaryData){FILE_HASH_LEN, (uint8_t *)(uintptr_t)of[i].hash};
        asks[i].size = of[i].size;
        asks[i].thumbnail = 1;
        out->asks[out->n_asks++] = &asks[i];
    }
    return OCOP_OK;
}

static bool is_image(const ProtobufCBinaryData *d)
{
    return d->len > 3 && d->len <= THUMBNAIL_BYTES_MAX && memcmp(d->data, "\xff\xd8\xff", 3) == 0;
}

/* In a transaction. What is not told, or is being made, stays wanted; what the registry has not, or
 * may not give, is not asked for with each sync. */
static enum ocop_status take_one(struct fetching *f, const struct file_row *of,
                                 const Ocop__Sync__FileState *told, struct ocop_error *err)
{
    struct thumbnail_row row = {.state = THUMBNAIL_NONE, .at_ms = env_now_ms(f->s->env)};

    memcpy(row.hash, of->hash, FILE_HASH_LEN);
    if (told->code == FILE_WHOLE && is_image(&told->thumbnail)) {
        row.state = THUMBNAIL_HERE;
        row.image = span_of(told->thumbnail.data, told->thumbnail.len);
    } else if (told->code == FILE_ABSENT || told->code == FILE_UNNAMED) {
        row.state = THUMBNAIL_TOLD;
    } else if (told->code != FILE_NONE) {
        row.state = THUMBNAIL_WANTED; /* another time, behind those that were not asked for yet */
    }
    f->o->sum->thumbnails_received += row.state == THUMBNAIL_HERE;
    return store_thumbnail_put(f->s, &row, err);
}

static enum ocop_status take(struct fetching *f, const struct file_row *of, size_t count,
                             const Ocop__Sync__FilesReply *reply, struct ocop_error *err)
{
    enum ocop_status st = client_write(f->s, err);

    if (st)
        return st;
    for (size_t i = 0; !st && i < reply->n_states; i++)
        for (size_t j = 0; !st && j < count; j++) {
            const Ocop__Sync__FileState *told = reply->states[i];
            if (told->hash.len == FILE_HASH_LEN &&
                memcmp(told->hash.data, of[j].hash, FILE_HASH_LEN) == 0)
                st = take_one(f, &of[j], told, err);
        }
    if (!st)
        st = store_thumbnails_trim(f->s, err);
    return client_write_end(f->s, st, err);
}

/* As many as one reply holds. */
static enum ocop_status fetch_some(struct fetching *f, const struct file_row *of, size_t count,
                                   struct ocop_error *err)
{
    const struct travel_options *o = f->o;
    struct noise noise = {0};
    Ocop__Sync__FilesRequest request;
    Ocop__Sync__FilesReply *reply = NULL;
    enum ocop_status st;

    arena_reset(&f->scratch);
    buf_clear(&f->answer);
    st = travel_tell(f->s, o, "thumbnails", err);
    if (!st)
        st = ask(f, of, count, &request, err);
    if (!st)
        st = travel_seal(f->s, &request, &f->scratch, &noise, &f->frame, err);
    if (!st)
        st = o->link->exchange(o->link, buf_span(&f->frame), travel_timeout_ms(o), &f->s->cancel,
                               &f->answer, err);
    if (!st) {
        o->sum->bytes_sent += f->frame.len;
        o->sum->bytes_received += f->answer.len;
        o->sum->round_trips++;
        arena_reset(&f->scratch);
        st = travel_opened(o, &noise, buf_span(&f->answer), &f->scratch, &reply, err);
    }
    noise_fini(&noise);
    return st ? st : take(f, of, count, reply, err);
}

enum ocop_status thumbnails_fetch(struct ocop_store *s, const struct travel_options *o,
                                  struct ocop_error *err)
{
    struct fetching f = {.s = s, .o = o};
    enum ocop_status st;

    arena_init(&f.arena, MIB(1));
    arena_init(&f.scratch, MIB(4));
    buf_init(&f.frame, FRAME_BYTES_MAX);
    buf_init(&f.answer, FRAME_BYTES_MAX);
    st = load(&f, err);
    for (size_t at = 0; !st && at < f.count; at += FILE_CHUNKS_REPLY_MAX) {
        size_t left = f.count - at;
        if (at >= THUMBNAILS_FIRST_MAX || travel_spent(o))
            break;
        st = fetch_some(&f, f.wanted + at,
                        left < FILE_CHUNKS_REPLY_MAX ? left : FILE_CHUNKS_REPLY_MAX, err);
    }
    buf_fini(&f.frame);
    buf_fini(&f.answer);
    arena_fini(&f.arena);
    arena_fini(&f.scratch);
    return st;
}
