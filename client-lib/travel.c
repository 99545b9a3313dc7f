/* Contents on their way, up and down: which are to go, in which requests, several of them at once,
 * and what the replies make of it. Nothing here is to be remembered but what is whole: the rest is
 * asked for again, chunk by chunk, by whichever sync comes next. Knows no SQL. */
#include "travel.h"

#include <stdio.h>
#include <stdlib.h>

#include "files.h"
#include "frame.h"

enum {
    LANES_MAX = 4, /* requests at once: enough for a long line, and no flood */
    CONNECT_MS = 10000,
    REQUEST_ROOM = 61 * 1024, /* of chunks, in one request */
    LANE_BYTES = 240 * 1024,  /* for each that is open one more */
    FRUITLESS_MAX = 16,       /* replies one after the other that bring nothing on */
    BEGUN_MAX = 2             /* times that one content may begin anew in one sync */
};

enum phase { TO_ASK, ASKED, TO_PROVE, MOVING, ENDED };

/* One content on its way. */
struct moving {
    struct file_row row;
    bool down;
    enum phase phase;
    bool proved;   /* a proof was asked for */
    bool removed;  /* by the registry's office: it is not to be sent */
    bool unnamed;  /* the registry knows of nothing for which this device may send it */
    bool spoilt;   /* this device cannot read it, and nothing else is the matter with its disk */
    bool vanished; /* it was here, and is not any more */
    bool answered; /* it was heard how much of it is there */
    unsigned begun;
    uint64_t most; /* bytes that were there, since it began */
    uint8_t nonce[FILE_HASH_LEN];
    uint32_t chunks;
    uint8_t have[FILE_HAVE_BYTES_MAX]; /* where it goes */
    uint8_t gone[FILE_HAVE_BYTES_MAX]; /* in a request whose reply has not come */
    bool changed;                      /* since it was noted in the store */
};

/* A request on its way. */
struct lane {
    struct link *link;
    bool connected, busy;
    struct noise noise;
    struct buf frame, answer;
    size_t count; /* of chunks that it sends or asks for */
    struct {
        struct moving *m;
        uint32_t index;
    } chunks[FILE_CHUNKS_SENT_MAX];
};

struct travel {
    struct ocop_store *s;
    const struct travel_options *o;
    struct content_dir d;
    struct moving *v;
    size_t count;
    struct lane lanes[LANES_MAX];
    size_t open, lanes_wanted;
    size_t first;  /* lane whose reply is next */
    bool bad_line; /* little at once */
    bool spent;    /* the caller's budget */
    bool told;     /* that the registry takes no more */
    unsigned fruitless;
    uint64_t bytes;              /* of contents, both ways */
    struct arena arena, scratch; /* of the whole; of one request or reply */
};

static bool bit(const uint8_t *v, uint32_t i)
{
    return v[i / 8] >> (i % 8) & 1;
}

static void set_bit(uint8_t *v, uint32_t i, bool on)
{
    v[i / 8] = (uint8_t)(on ? v[i / 8] | 1u << (i % 8) : v[i / 8] & ~(1u << (i % 8)));
}

static uint64_t bytes_there(const struct moving *m)
{
    uint64_t bytes = 0;

    for (uint32_t i = 0; i < m->chunks; i++)
        if (bit(m->have, i))
            bytes += content_chunk_len(m->row.size, i);
    return bytes;
}

/* --- what is to travel ----------------------------------------------------------------------- */

/* All of it came before, and then something failed, or the program was killed. *central: it came
 * from the registry. What lies here under its name may have been attached, which then failed too;
 * it is shown to the registry like any other. */
static enum ocop_status came_whole(struct travel *t, struct moving *m, struct content_part *p,
                                   bool *central)
{
    const struct content_part_of of = content_part_of(m->row.hash, m->row.size, NULL);
    bool there = false;
    enum ocop_status st = content_there(&t->d, m->row.hash, m->row.size, &there, NULL);

    *central = false;
    if (!st && there)
        return content_check(&t->d, m->row.hash, m->row.size, NULL);
    *central = true;
    if (!st)
        st = content_part_open(&t->d, &of, false, p, NULL);
    if (st || p->count < p->chunks)
        return st ? st : OCOP_EDAMAGED;
    return content_part_finish(p, NULL);
}

static void begin_down(struct travel *t, struct moving *m)
{
    struct content_part p = {.fd = -1};
    bool central;
    enum ocop_status st = came_whole(t, m, &p, &central);

    m->row.here = m->changed = !st;
    m->row.central = !st && central;
    m->phase = st ? MOVING : ENDED;
    t->o->sum->files_received += !st;
    if (p.fd >= 0)
        memcpy(m->have, p.have, sizeof m->have);
    content_part_close(&p);
}

static void begin_one(struct travel *t, const struct file_row *row, bool down)
{
    struct moving *m = &t->v[t->count++];

    *m = (struct moving){.row = *row, .down = down, .chunks = content_chunks(row->size)};
    if (down)
        begin_down(t, m);
}

static bool is_wanted(const struct ocop_sync_options *o, const struct file_row *row)
{
    return !o->file_bytes_max || row->size <= o->file_bytes_max;
}

/* With the lock, in a transaction that writes: the key may be new. */
static enum ocop_status load(struct travel *t, struct ocop_error *err)
{
    const struct ocop_sync_options *o = t->o->sync;
    struct file_row *up, *down = NULL;
    size_t ups, downs = 0;
    struct id of = {{0}};
    enum ocop_status st;

    if (o->files_of)
        memcpy(of.b, o->files_of->b, ID_LEN);
    st = store_files_moving(t->s, false, o->files_of ? &of : NULL, &t->arena, &up, &ups, err);
    if (!st && !t->o->up_only)
        st =
            store_files_moving(t->s, true, o->files_of ? &of : NULL, &t->arena, &down, &downs, err);
    if (st || ups + downs == 0)
        return st;
    st = files_dir(t->s, true, &t->d, err);
    t->v = st ? NULL : arena_calloc(&t->arena, ups + downs, sizeof *t->v);
    if (!st && !t->v)
        return err_nomem(err);
    for (size_t i = 0, j = 0; !st && (i < ups || j < downs);) {
        bool smaller = j == downs || (i < ups && up[i].size <= down[j].size);
        const struct file_row *row = smaller ? &up[i++] : &down[j++];
        if (is_wanted(o, row))
            begin_one(t, row, !smaller);
    }
    return st;
}

/* The registry asked for what others attached, which has left since: nothing is owed, and the sweep
 * behind the sync lets go of it. What a record of this officer's that left owes is another matter:
 * that may only wait there. */
static enum ocop_status ask_no_more(struct travel *t, struct file_row *row, struct ocop_error *err)
{
    bool named;
    enum ocop_status st = store_file_named(t->s, row->hash, &named, err);

    if (!st && !named)
        row->wanted = t->s->files_known = false;
    return st;
}

/* What the store knows of a content: how far it has come, and when that was. */
static enum ocop_status note(struct travel *t, struct moving *m, struct ocop_error *err)
{
    struct file_row row;
    bool found;
    enum ocop_status st = store_file(t->s, m->row.hash, &found, &row, err);

    if (st || !found) /* it was discarded meanwhile */
        return st;
    row.tried_ms = env_now_ms(t->s->env);
    /* What was attached here while it was fetched is still to be shown to the registry; and so is
     * what only lay here, although the registry had it when it was let go: it may have been
     * restored since. */
    if (!m->down || !row.here)
        row.central = m->row.central || (row.central && !(m->down && m->row.here));
    if (m->removed && !row.central) {
        /* That it was removed is known with the records that say so. What was attached anew may
         * name it too, and is on its way itself. */
        st = store_file_named(t->s, m->row.hash, &found, err);
        row.central = !found;
        t->s->files_known = t->s->files_known && found; /* one more that nothing names */
    }
    /* The registry may have it of somebody else; and it may come back, with a folder that was not
     * copied at first. Until then it is asked for. */
    if (m->vanished && !row.central && row.here) {
        row.here = false;
        row.wanted = true;
    }
    row.done = row.central ? row.size : m->vanished ? 0 : bytes_there(m);
    row.here = row.here || (m->down && m->row.here); /* one that goes up may be let go meanwhile */
    row.wanted = row.wanted && !row.central && !m->removed && !(m->down && row.here);
    if (!st && m->unnamed && row.asked)
        st = ask_no_more(t, &row, err);
    return st ? st : store_file_put(t->s, &row, err);
}

static enum ocop_status note_changed(struct travel *t, struct ocop_error *err)
{
    bool any = false;
    enum ocop_status st;

    for (size_t i = 0; i < t->count; i++)
        any = any || t->v[i].changed;
    if (!any)
        return OCOP_OK;
    st = client_write(t->s, err);
    if (st)
        return st;
    for (size_t i = 0; !st && i < t->count; i++) {
        if (t->v[i].changed)
            st = note(t, &t->v[i], err);
        t->v[i].changed = t->v[i].changed && st;
    }
    return client_write_end(t->s, st, err);
}

/* --- a request ------------------------------------------------------------------------------- */

struct request {
    Ocop__Sync__FilesRequest files;
    Ocop__Sync__FileAsk *asks[FILES_ASKED_MAX];
    Ocop__Sync__Chunk *chunks[FILE_CHUNKS_SENT_MAX];
    size_t room, down_room; /* bytes to be sent; chunks to be asked for */
};

static Ocop__Sync__FileAsk *ask_for(struct travel *t, struct request *q, struct moving *m)
{
    Ocop__Sync__FileAsk *a =
        q->files.n_asks < FILES_ASKED_MAX ? arena_alloc(&t->scratch, sizeof *a) : NULL;

    if (!a)
        return NULL;
    ocop__sync__file_ask__init(a);
    a->has_hash = a->has_size = 1;
    a->hash = (ProtobufCBinaryData){FILE_HASH_LEN, m->row.hash};
    a->size = m->row.size;
    q->asks[q->files.n_asks++] = a;
    return a;
}

static void give_up(struct moving *m)
{
    m->phase = ENDED;
    m->changed = true;
}

/* What its own device cannot read any more holds up nothing else. What is damaged is found by
 * ocop_check; what is gone is noted. */
static void unreadable(struct travel *t, struct moving *m, enum ocop_status st)
{
    env_log(t->s->env, ENV_WARN, "file_unreadable", "status=%s", err_name(st));
    m->vanished = st == OCOP_ENOTFOUND;
    m->spoilt = m->vanished || content_fails_alone(&t->d, m->row.hash, st);
    give_up(m);
}

static void put_proof(struct travel *t, struct request *q, struct moving *m)
{
    uint8_t *proof = arena_alloc(&t->scratch, FILE_HASH_LEN);
    Ocop__Sync__FileAsk *a = proof ? ask_for(t, q, m) : NULL;
    enum ocop_status st;

    if (!a)
        return;
    st = content_proof(&t->d, m->row.hash, m->nonce, proof, NULL);
    if (st) {
        q->files.n_asks--;
        unreadable(t, m, st);
        return;
    }
    a->has_proof = 1;
    a->proof = (ProtobufCBinaryData){FILE_HASH_LEN, proof};
    m->phase = ASKED;
}

static bool put_chunk(struct travel *t, struct request *q, struct lane *l, struct moving *m,
                      uint32_t index)
{
    size_t len = content_chunk_len(m->row.size, index), got;
    Ocop__Sync__Chunk *c = arena_alloc(&t->scratch, sizeof *c);
    uint8_t *bytes = arena_alloc(&t->scratch, len);
    enum ocop_status st;

    if (!c || !bytes)
        return false;
    st = content_read(&t->d, m->row.hash, (uint64_t)index * FILE_CHUNK_BYTES, bytes, len, &got,
                      NULL);
    if (!st && got != len)
        st = OCOP_EDAMAGED;
    if (st) {
        unreadable(t, m, st);
        return false;
    }
    ocop__sync__chunk__init(c);
    c->has_hash = c->has_index = c->has_data = 1;
    c->hash = (ProtobufCBinaryData){FILE_HASH_LEN, m->row.hash};
    c->index = index;
    c->data = (ProtobufCBinaryData){len, bytes};
    q->chunks[q->files.n_chunks++] = c;
    l->chunks[l->count].m = m;
    l->chunks[l->count++].index = index;
    set_bit(m->gone, index, true);
    q->room -= len;
    t->bytes += len;
    return true;
}

static bool is_due(const struct moving *m, uint32_t index)
{
    return !bit(m->have, index) && !bit(m->gone, index);
}

static void put_chunks(struct travel *t, struct request *q, struct lane *l, struct moving *m)
{
    bool asked = false;

    for (uint32_t i = 0; i < m->chunks && m->phase == MOVING; i++) {
        if (!is_due(m, i))
            continue;
        if (content_chunk_len(m->row.size, i) > q->room ||
            q->files.n_chunks == FILE_CHUNKS_SENT_MAX)
            break;
        if (!asked && !ask_for(t, q, m))
            break;
        asked = true;
        if (!put_chunk(t, q, l, m, i))
            break;
    }
}

/* A run of chunks that are missing. */
static void ask_chunks(struct travel *t, struct request *q, struct lane *l, struct moving *m)
{
    Ocop__Sync__FileAsk *a;
    uint32_t from = 0, n = 0;

    while (from < m->chunks && !is_due(m, from))
        from++;
    while (from + n < m->chunks && n < q->down_room && l->count + n < FILE_CHUNKS_SENT_MAX &&
           is_due(m, from + n))
        n++;
    a = n ? ask_for(t, q, m) : NULL;
    if (!a)
        return;
    a->has_from = a->has_count = 1;
    a->from = from;
    a->count = n;
    q->down_room -= n;
    for (uint32_t i = from; i < from + n; i++) {
        l->chunks[l->count].m = m;
        l->chunks[l->count++].index = i;
        set_bit(m->gone, i, true);
        t->bytes += content_chunk_len(m->row.size, i);
    }
}

static bool is_spent(struct travel *t)
{
    uint64_t most = t->o->sync->files_bytes_max;

    t->spent = most && t->bytes >= most;
    return t->spent;
}

/* Whose turn it is: the smallest that has something to say. */
static void compose(struct travel *t, struct request *q, struct lane *l)
{
    for (size_t i = 0; i < t->count && q->files.n_asks < FILES_ASKED_MAX; i++) {
        struct moving *m = &t->v[i];
        if (m->phase == TO_ASK && ask_for(t, q, m))
            m->phase = ASKED;
        else if (m->phase == TO_PROVE)
            put_proof(t, q, m);
        else if (m->phase == MOVING && !is_spent(t) && !m->down)
            put_chunks(t, q, l, m);
        else if (m->phase == MOVING && !is_spent(t))
            ask_chunks(t, q, l, m);
    }
}

/* *empty: there is nothing to be asked now. */
static enum ocop_status make_request(struct travel *t, struct lane *l, bool *empty,
                                     struct ocop_error *err)
{
    struct request q = {.room = t->bad_line ? FILE_CHUNK_BYTES : REQUEST_ROOM,
                        .down_room = t->bad_line ? 1 : FILE_CHUNKS_REPLY_MAX};

    arena_reset(&t->scratch);
    ocop__sync__files_request__init(&q.files);
    q.files.asks = q.asks;
    q.files.chunks = q.chunks;
    l->count = 0;
    compose(t, &q, l);
    *empty = q.files.n_asks == 0;
    return *empty ? OCOP_OK : travel_seal(t->s, &q.files, &t->scratch, &l->noise, &l->frame, err);
}

/* --- a reply --------------------------------------------------------------------------------- */

static struct moving *find(struct travel *t, struct span hash)
{
    for (size_t i = 0; i < t->count; i++)
        if (span_eq(span_of(t->v[i].row.hash, FILE_HASH_LEN), hash))
            return &t->v[i];
    return NULL;
}

static struct moving *find_told(struct travel *t, const ProtobufCBinaryData *hash)
{
    return find(t, span_of(hash->data, hash->len));
}

static bool any_gone(const struct moving *m)
{
    for (size_t i = 0; i < sizeof m->gone; i++)
        if (m->gone[i])
            return true;
    return false;
}

/* Replies may come out of order: what one says is there is there, but that it lacks something
 * counts only when nothing else is on its way. @return whether more is there than ever was, so that
 * a server that takes back what it said holds no device for ever */
static bool take_have(struct moving *m, const Ocop__Sync__FileState *f)
{
    uint8_t there[FILE_HAVE_BYTES_MAX] = {0};
    size_t len = f->have.len < sizeof there ? f->have.len : sizeof there;
    bool more = !m->answered;

    m->answered = true;
    if (len)
        memcpy(there, f->have.data, len);
    if (!any_gone(m))
        memset(m->have, 0, sizeof m->have);
    for (uint32_t i = 0; i < m->chunks; i++)
        if (bit(there, i))
            set_bit(m->have, i, true);
    if (bytes_there(m) <= m->most)
        return more;
    m->most = bytes_there(m);
    return true;
}

static void begin_anew(struct moving *m)
{
    memset(m->have, 0, sizeof m->have);
    m->most = 0;
    m->changed = true;
    m->phase = ++m->begun < BEGUN_MAX ? MOVING : ENDED;
}

/* Why they wait: told once in a sync. */
static void take_refused(struct travel *t, uint32_t code)
{
    if (!t->told && (code == FILE_NO_ROOM || code == FILE_FAILED))
        env_log(t->s->env, ENV_WARN, "files_not_taken", "why=\"%s\"",
                code == FILE_NO_ROOM ? "the registry has no room for them; they wait here"
                                     : "the registry's disk fails; they wait here");
    t->told = t->told || code == FILE_NO_ROOM || code == FILE_FAILED;
}

/* @return whether it brought anything on */
static bool take_state_up(struct travel *t, struct moving *m, const Ocop__Sync__FileState *f)
{
    bool more = false;

    switch (f->code) {
    case FILE_WHOLE:
        m->row.central = true;
        t->o->sum->files_sent++;
        give_up(m);
        return true;
    case FILE_REMOVED:
        m->removed = true;
        give_up(m);
        return true;
    case FILE_PROVE:
        if (f->nonce.len != FILE_HASH_LEN || m->proved) {
            give_up(m);
            return false;
        }
        memcpy(m->nonce, f->nonce.data, FILE_HASH_LEN);
        m->proved = true;
        m->phase = TO_PROVE;
        return true;
    case FILE_PART:
        more = take_have(m, f);
        m->phase = MOVING;
        m->changed = true;
        if (m->chunks && bytes_there(m) == m->row.size) /* it was not looked at yet */
            m->phase = TO_ASK;
        return more;
    case FILE_BAD:
        begin_anew(m);
        return false;
    case FILE_UNNAMED:
        m->unnamed = true;
        give_up(m);
        return false;
    default: /* there is no room: another time */
        take_refused(t, f->code);
        give_up(m);
        return false;
    }
}

static enum ocop_status take_chunk(struct travel *t, struct moving *m, const Ocop__Sync__Chunk *c,
                                   bool *more, struct ocop_error *err)
{
    const struct content_part_of of = content_part_of(m->row.hash, m->row.size, NULL);
    struct content_part p;
    enum ocop_status st = content_part_open(&t->d, &of, true, &p, err);

    if (!st)
        st = content_part_put(&p, c->index, span_of(c->data.data, c->data.len), err);
    if (st == OCOP_EINVAL) { /* the server's doing: it shall not stop the others */
        content_part_close(&p);
        give_up(m);
        return OCOP_OK;
    }
    if (!st) {
        *more = *more || !bit(m->have, c->index);
        set_bit(m->have, c->index, true);
        m->changed = true;
    }
    if (!st && p.count == p.chunks) {
        st = content_part_finish(&p, err);
        m->row.here = m->row.central = !st;
        t->o->sum->files_received += !st;
        if (st == OCOP_EDAMAGED) {
            begin_anew(m);
            return OCOP_OK;
        }
        give_up(m);
    }
    content_part_close(&p);
    return st;
}

static enum ocop_status take_files(struct travel *t, const Ocop__Sync__FilesReply *reply,
                                   bool *more, struct ocop_error *err)
{
    enum ocop_status st = OCOP_OK;

    for (size_t i = 0; !st && i < reply->n_chunks; i++) {
        struct moving *m = find_told(t, &reply->chunks[i]->hash);
        if (m && m->down && m->phase == MOVING && reply->chunks[i]->index < m->chunks)
            st = take_chunk(t, m, reply->chunks[i], more, err);
    }
    for (size_t i = 0; !st && i < reply->n_states; i++) {
        const Ocop__Sync__FileState *f = reply->states[i];
        struct moving *m = find_told(t, &f->hash);
        if (!m || m->phase == ENDED)
            continue;
        if (!m->down)
            *more = take_state_up(t, m, f) || *more;
        else if (f->code != FILE_WHOLE)
            give_up(m);
    }
    return st;
}

/* What the lane's request held comes with its reply, or is to be sent again. */
static void land(struct lane *l)
{
    for (size_t i = 0; i < l->count; i++)
        set_bit(l->chunks[i].m->gone, l->chunks[i].index, false);
    l->count = 0;
    l->busy = false;
}

static enum ocop_status take_reply(struct travel *t, struct lane *l, struct ocop_error *err)
{
    Ocop__Sync__FilesReply *reply;
    bool more = false;
    enum ocop_status st;

    land(l);
    arena_reset(&t->scratch);
    st = travel_opened(t->o, &l->noise, buf_span(&l->answer), &t->scratch, &reply, err);
    if (st)
        return st;
    st = take_files(t, reply, &more, err);
    t->fruitless = more ? 0 : t->fruitless + 1;
    return st;
}

/* --- lanes ----------------------------------------------------------------------------------- */

static bool asks_only(const struct link *l)
{
    return !l->start || !l->finish;
}

/* A lane more, while the line is idle: on one that is full of chunks the first bytes of a
 * connection come too late, and the server hangs up. One that cannot be had is done without. */
static void lane_open(struct travel *t, struct lane *l)
{
    int timeout = t->o->sync->connect_timeout_ms ? t->o->sync->connect_timeout_ms : CONNECT_MS;

    if (client_link(t->s, t->o->server, &l->link, NULL) == OCOP_OK &&
        l->link->connect(l->link, timeout, &t->s->cancel, NULL) == OCOP_OK)
        l->connected = true;
    else
        t->lanes_wanted = t->open; /* nor will another be had */
}

/* Lanes for so many bytes: a small file is no reason to open one. */
static void open_lanes(struct travel *t)
{
    uint64_t bytes = 0;

    for (size_t i = 0; i < t->count; i++)
        bytes += t->v[i].row.size - bytes_there(&t->v[i]);
    t->lanes_wanted = t->bad_line || t->s->link ? 1 : LANES_MAX;
    while (t->open < t->lanes_wanted && bytes > t->open * LANE_BYTES) {
        lane_open(t, &t->lanes[t->open]);
        t->open += t->lanes[t->open].connected;
    }
}

/* Without a start of its own the link is asked when the reply is wanted. */
static enum ocop_status lane_start(struct travel *t, struct lane *l, bool *idle,
                                   struct ocop_error *err)
{
    enum ocop_status st = make_request(t, l, idle, err);

    if (st || *idle)
        return st;
    l->busy = true;
    t->o->sum->bytes_sent += l->frame.len;
    return asks_only(l->link) ? OCOP_OK : l->link->start(l->link, buf_span(&l->frame), err);
}

static enum ocop_status lane_finish(struct travel *t, struct lane *l, struct ocop_error *err)
{
    int timeout = travel_timeout_ms(t->o);
    enum ocop_status st = travel_tell(t->s, t->o, "files", err);

    if (st)
        return st;
    buf_clear(&l->answer);
    st = asks_only(l->link) ? l->link->exchange(l->link, buf_span(&l->frame), timeout,
                                                &t->s->cancel, &l->answer, err)
                            : l->link->finish(l->link, timeout, &t->s->cancel, &l->answer, err);
    if (st)
        return st;
    t->o->sum->bytes_received += l->answer.len;
    t->o->sum->round_trips++;
    st = take_reply(t, l, err);
    return st ? st : note_changed(t, err);
}

/* A connection that broke is done without as long as there is another: what it carried goes again.
 * @return what ends the travel */
static enum ocop_status lane_lost(struct travel *t, struct lane *l, enum ocop_status st,
                                  struct ocop_error *err)
{
    if (st != OCOP_ENET && st != OCOP_ETIMEOUT)
        return st;
    land(l);
    l->connected = false;
    for (size_t i = 0; i < t->open; i++)
        if (t->lanes[i].connected) {
            if (err)
                *err = (struct ocop_error){0};
            return OCOP_OK;
        }
    return st;
}

/* Give every lane something to do. *busy: how many are. */
static enum ocop_status start_all(struct travel *t, size_t *busy, struct ocop_error *err)
{
    const unsigned most = t->o->sync->max_round_trips;
    enum ocop_status st = OCOP_OK;

    *busy = 0;
    for (size_t i = 0; i < t->open; i++)
        *busy += t->lanes[i].busy;
    for (size_t i = 0; !st && i < t->open; i++) {
        struct lane *l = &t->lanes[(t->first + i) % t->open];
        bool idle = false;
        if (!l->connected || l->busy || (most && t->o->sum->round_trips + *busy >= most))
            continue;
        st = lane_start(t, l, &idle, err);
        if (st)
            st = lane_lost(t, l, st, err);
        *busy += l->busy;
    }
    return st;
}

/* The lanes are waited for in turn, the one that was started first before the others. */
static enum ocop_status run(struct travel *t, struct ocop_error *err)
{
    enum ocop_status st = OCOP_OK;

    while (!st && t->fruitless < FRUITLESS_MAX) {
        size_t busy;
        st = start_all(t, &busy, err);
        if (st || busy == 0)
            break;
        while (!t->lanes[t->first].busy)
            t->first = (t->first + 1) % t->open;
        st = lane_finish(t, &t->lanes[t->first], err);
        if (st)
            st = lane_lost(t, &t->lanes[t->first], st, err);
        t->first = (t->first + 1) % t->open;
    }
    return st;
}

/* --- the whole ------------------------------------------------------------------------------- */

static enum ocop_status travel_open(struct travel *t, struct ocop_error *err)
{
    enum ocop_status st;

    arena_init(&t->arena, ARENA_REQUEST_MAX);
    arena_init(&t->scratch, MIB(4));
    for (size_t i = 0; i < LANES_MAX; i++) {
        buf_init(&t->lanes[i].frame, FRAME_BYTES_MAX);
        buf_init(&t->lanes[i].answer, FRAME_BYTES_MAX);
    }
    t->lanes[0].link = t->o->link;
    t->lanes[0].connected = true;
    t->open = 1;
    st = client_write(t->s, err);
    if (st)
        return st;
    st = load(t, err);
    t->bad_line = t->s->me.budget < SET_SEALED_BYTES_START;
    return client_write_end(t->s, st, err);
}

static void travel_close(struct travel *t)
{
    for (size_t i = 0; i < LANES_MAX; i++) {
        struct lane *l = &t->lanes[i];
        if (i > 0)
            client_unlink(t->s, l->link);
        noise_fini(&l->noise);
        buf_fini(&l->frame);
        buf_fini(&l->answer);
    }
    files_dir_fini(&t->d);
    arena_fini(&t->arena);
    arena_fini(&t->scratch);
}

/* What the registry's office has removed, what cannot be read here, and what others attached and
 * the registry does not want of this device: whoever waits for it to be sent waits in vain. `row`
 * is as stored, `m` what came of it in this sync, if anything. */
static enum ocop_status is_settled(struct travel *t, const struct file_row *row,
                                   const struct moving *m, bool *out, struct ocop_error *err)
{
    bool own;
    enum ocop_status st;

    *out = m && (m->removed || m->spoilt);
    if (!m || !m->unnamed || (row->wanted && !row->asked))
        return OCOP_OK;
    st = store_file_own(t->s, row->hash, &own, err);
    *out = *out || !own;
    return st;
}

static enum ocop_status count_settled(struct travel *t, struct ocop_error *err)
{
    struct file_row *up;
    size_t count = 0;
    enum ocop_status st = client_read(t->s, err);

    *t->o->settled = 0;
    if (st)
        return st;
    st = store_files_moving(t->s, false, NULL, &t->arena, &up, &count, err);
    for (size_t i = 0; !st && i < count; i++) {
        bool settled;
        st = is_settled(t, &up[i], find(t, span_of(up[i].hash, FILE_HASH_LEN)), &settled, err);
        *t->o->settled += !st && settled;
    }
    client_read_end(t->s);
    return st;
}

enum ocop_status travel_files(struct ocop_store *s, const struct travel_options *o,
                              struct ocop_error *err)
{
    struct travel t = {.s = s, .o = o};
    enum ocop_status st = o->up_only ? OCOP_OK : thumbnails_fetch(s, o, err), opened, noted;

    if (st == OCOP_EPROTO) /* a server that knows nothing of thumbnails may know files */
        st = OCOP_OK;
    opened = travel_open(&t, st ? NULL : err);
    st = st ? st : opened;
    if (!st && t.count && !travel_spent(o)) {
        open_lanes(&t);
        st = run(&t, err);
    }
    if (st == OCOP_EPROTO && o->sum->files_sent + o->sum->files_received == 0)
        st = OCOP_OK; /* a server that knows nothing of files: they wait */
    for (size_t i = 0; i < t.count; i++) {
        o->sum->files_left +=
            (!t.v[i].row.central && !t.v[i].removed) || (t.v[i].down && !t.v[i].row.here);
        t.v[i].changed = t.v[i].changed || t.v[i].phase != ENDED;
    }
    noted = t.count ? note_changed(&t, st ? NULL : err) : OCOP_OK;
    if (!st && !noted && o->settled)
        noted = count_settled(&t, err);
    travel_close(&t);
    return st ? st : noted;
}

bool travel_waits(struct ocop_store *s)
{
    uint64_t count;

    return store_files_to_send(s, &count, NULL) != OCOP_OK || count > 0; /* or may have some */
}
