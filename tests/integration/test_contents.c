/* Who may send and have a content, and what becomes of it when its record leaves, a disk fails or a
 * server lies. With a real registry and no socket. */
#include "test.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "assign.h"
#include "photos.h"
#include "records.pb-c.h"
#include "verify_files.h"

/* --- a server that lies -------------------------------------------------------------------------
 */

static struct {
    enum lie {
        TRUTH,
        NOTED, /* and what was asked for */
        ALL_THERE,
        TO_AND_FRO,
        UNHEARD_OF,
        SHORT_NONCE,
        SHORT_CHUNK,
        WRONG_CHUNK,
        BEING_MADE,
        UNASKED
    } how;
    struct photo *given; /* unasked */
    unsigned asked;
    void (*meanwhile)(void *self); /* NULL: nothing happens */
    void *self;
} lies;

enum ocop_status __real_blobs_answer(struct registry *r, const struct server_keys *keys,
                                     const uint8_t *sender, const Ocop__Sync__FilesRequest *in,
                                     struct arena *a, Ocop__Sync__FilesReply **out,
                                     struct ocop_error *err);
enum ocop_status __wrap_blobs_answer(struct registry *r, const struct server_keys *keys,
                                     const uint8_t *sender, const Ocop__Sync__FilesRequest *in,
                                     struct arena *a, Ocop__Sync__FilesReply **out,
                                     struct ocop_error *err);

enum { MANY = 40 };
static uint8_t named[MANY][HASH_LEN];

static void note_asked(const uint8_t *hash)
{
    unsigned i = 0;
    while (i < lies.asked && memcmp(named[i], hash, HASH_LEN) != 0)
        i++;
    assert_true(i < MANY);
    memcpy(named[i], hash, HASH_LEN);
    lies.asked += i == lies.asked;
}

/* What came to move, in the order in which it first did: contents, and thumbnails. */
static struct {
    uint8_t hash[MANY][HASH_LEN];
    bool thumbnail[MANY];
    size_t count;
} moved;

static void note_moved(const uint8_t *hash, bool thumbnail)
{
    for (size_t i = 0; i < moved.count; i++)
        if (moved.thumbnail[i] == thumbnail && memcmp(moved.hash[i], hash, HASH_LEN) == 0)
            return;
    assert_true(moved.count < MANY);
    memcpy(moved.hash[moved.count], hash, HASH_LEN);
    moved.thumbnail[moved.count++] = thumbnail;
}

static void note_all_moved(const Ocop__Sync__FilesRequest *in)
{
    for (size_t i = 0; i < in->n_asks; i++) {
        const Ocop__Sync__FileAsk *a = in->asks[i];
        bool moves = a->thumbnail || a->count;
        for (size_t n = 0; n < in->n_chunks; n++)
            moves = moves || memcmp(in->chunks[n]->hash.data, a->hash.data, HASH_LEN) == 0;
        if (moves)
            note_moved(a->hash.data, a->thumbnail);
    }
}

/* Nothing but one whole content, in a chunk. */
static enum ocop_status give_unasked(struct arena *a, Ocop__Sync__FilesReply **out)
{
    static Ocop__Sync__Chunk chunk, *chunks[] = {&chunk};
    *out = arena_alloc(a, sizeof **out);
    assert_non_null(*out);
    ocop__sync__files_reply__init(*out);
    ocop__sync__chunk__init(&chunk);
    chunk.has_hash = chunk.has_index = chunk.has_data = 1;
    chunk.hash = (ProtobufCBinaryData){HASH_LEN, lies.given->hash};
    chunk.data = (ProtobufCBinaryData){lies.given->len, lies.given->bytes};
    (*out)->chunks = chunks;
    (*out)->n_chunks = 1;
    return OCOP_OK;
}

enum ocop_status __wrap_blobs_answer(struct registry *r, const struct server_keys *keys,
                                     const uint8_t *sender, const Ocop__Sync__FilesRequest *in,
                                     struct arena *a, Ocop__Sync__FilesReply **out,
                                     struct ocop_error *err)
{
    static uint8_t all[] = {0xff}, one[] = {1};
    Ocop__Sync__FilesRequest only_asks = *in;
    if (lies.meanwhile)
        lies.meanwhile(lies.self);
    lies.meanwhile = NULL;
    if (lies.how == NOTED)
        note_all_moved(in);
    if (lies.how == TRUTH || lies.how == NOTED)
        return __real_blobs_answer(r, keys, sender, in, a, out, err);
    if (lies.how == UNHEARD_OF)
        return err_set(err, OCOP_EPROTO, "the request is not well formed");
    if (lies.how == BEING_MADE) {
        enum ocop_status given = __real_blobs_answer(r, keys, sender, in, a, out, err);
        for (size_t i = 0; given == OCOP_OK && i < (*out)->n_states; i++) {
            (*out)->states[i]->code = FILE_PART;
            note_asked((*out)->states[i]->hash.data);
        }
        return given;
    }
    if (lies.how == SHORT_CHUNK) {
        enum ocop_status given = __real_blobs_answer(r, keys, sender, in, a, out, err);
        if (given == OCOP_OK && (*out)->n_chunks)
            (*out)->chunks[0]->data.len = 1;
        return given;
    }
    if (lies.how == WRONG_CHUNK) {
        enum ocop_status given = __real_blobs_answer(r, keys, sender, in, a, out, err);
        for (size_t i = 0; given == OCOP_OK && i < (*out)->n_chunks; i++)
            (*out)->chunks[i]->data.data[100] ^= 1;
        return given;
    }
    if (lies.how == UNASKED)
        return give_unasked(a, out);
    only_asks.n_chunks = 0; /* it forgets all of them */
    enum ocop_status st = __real_blobs_answer(r, keys, sender, &only_asks, a, out, err);
    for (size_t i = 0; st == OCOP_OK && i < (*out)->n_states; i++) {
        Ocop__Sync__FileState *f = (*out)->states[i];
        f->code = lies.how == SHORT_NONCE ? FILE_PROVE : FILE_PART;
        f->has_nonce = lies.how == SHORT_NONCE;
        f->nonce = (ProtobufCBinaryData){1, one};
        f->has_have = lies.how == ALL_THERE || lies.asked % 2;
        f->have = (ProtobufCBinaryData){f->has_have ? 1 : 0, lies.how == ALL_THERE ? all : one};
    }
    return ++lies.asked < 200 ? st : err_set(err, OCOP_EPROTO, "it asks for ever");
}

/* --- what a device may send
 * ------------------------------------------------------------------------ */

struct attaching {
    struct world *w;
    struct ocop_id record;
    struct photo *photo;
};

static void attach_now(void *self)
{
    struct attaching *a = self;
    attach(a->w, 0, a->record, a->photo);
}

/* What was fetched and is then attached is this officer's too: others get it through either. */
static void who_attaches_what_he_fetched_proves_to_have_it(void **state)
{
    struct world *w = *state;
    struct photo *p = photo(2 * CHUNK, 63), *again = photo(2 * CHUNK, 63);
    attach(w, 1, world_inspect(w, 1, "pass"), p);
    world_sync(w, 1);
    world_sync(w, 0);
    fetch(w, 0, p->id);
    assert_int_equal(world_sync(w, 0).files_received, 1);
    attach(w, 0, world_inspect(w, 0, "pass"), again);
    world_sync(w, 0);
    assert_int_equal(world_count(w, "SELECT count(*) FROM brought"), 2);
    assert_int_equal(state_of(w, 0, again->id, NULL), OCOP_FILE_STORED);
    free(p);
    free(again);
}

/* ... also when he attaches it while it is on its way to him. */
static void who_attaches_what_he_is_fetching_proves_to_have_it(void **state)
{
    struct world *w = *state;
    struct photo *p = photo(2 * CHUNK, 64), *again = photo(2 * CHUNK, 64);
    struct attaching now = {w, world_inspect(w, 0, "pass"), again};
    attach(w, 1, world_inspect(w, 1, "pass"), p);
    world_sync(w, 1);
    world_sync(w, 0);
    fetch(w, 0, p->id);
    lies.meanwhile = attach_now;
    lies.self = &now;
    struct ocop_sync_summary sum = sync(w, 0, NULL);
    assert_int_equal(sum.files_received, 1);
    assert_int_equal(sum.left, 1); /* what was attached meanwhile */
    world_sync(w, 0);
    assert_int_equal(world_count(w, "SELECT count(*) FROM brought"), 2);
    assert_int_equal(state_of(w, 0, again->id, NULL), OCOP_FILE_STORED);
    free(p);
    free(again);
}

/* Contents are no more for a device than the records that name them; but none goes before the
 * registry has it. */
static void contents_leave_with_their_records(void **state)
{
    struct world *w = *state;
    struct photo *p = photo(2 * CHUNK, 40), *unsent = photo(CHUNK, 41);
    attach(w, 1, world_inspect(w, 1, "pass"), p);
    world_sync(w, 1);
    world_sync(w, 0);
    fetch(w, 0, p->id);
    assert_int_equal(world_sync(w, 0).files_received, 1);
    attach(w, 1, world_inspect(w, 1, "pass"), unsent);
    sync(w, 1, &(struct ocop_sync_options){.files = OCOP_FILES_NONE});
    world_move(w, KIND_INSPECTION, p->record, &w->other_commune);
    world_move(w, KIND_INSPECTION, unsent->record, &w->other_commune);
    sync(w, 1, &(struct ocop_sync_options){.files = OCOP_FILES_NONE});
    assert_false(world_has_content(w, 1, p->hash));
    assert_true(world_has_content(w, 1, unsent->hash));
    world_leave(w);
    world_reopen(w, 2); /* whatever is remembered */
    world_sync(w, 0);
    assert_false(world_has_content(w, 0, p->hash));
    assert_int_equal(world_sync(w, 1).files_sent, 1);
    assert_false(world_has_content(w, 1, unsent->hash));
    assert_true(at_centre(w, unsent));
    free(p);
    free(unsent);
}

/* Neither a change that the registry then refuses, nor another record that names the same content
 * and is refused, keeps here what a record that left had still to bring. */
static void a_refused_change_keeps_no_content_of_a_record_that_left(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    const struct ocop_sync_options records = {.files = OCOP_FILES_NONE};
    const struct assignment away = {.units = &w->other_commune, .unit_count = 1};
    struct photo *voided = photo(CHUNK, 68), *twice = photo(CHUNK, 69), *again = photo(CHUNK, 69);
    const struct ocop_id first = world_inspect(w, 1, "pass"), second = world_inspect(w, 1, "fail");
    const struct id me = w->stores[1]->me.replica;
    attach(w, 1, first, voided);
    attach(w, 1, first, twice);
    sync(w, 1, &records);
    must(ocop_void(w->stores[1], &voided->id, "nhầm ảnh", &err), &err);
    attach(w, 1, second, again);
    must(assign_scope(w->registry, &w->keys, &me, &away, "chuyển xã", &err), &err);
    assert_int_equal(sync(w, 1, &records).refused, 2);
    must(ocop_discard(w->stores[1], &again->id, &err), &err);
    assert_true(world_has_content(w, 1, twice->hash));
    assert_int_equal(world_sync(w, 1).files_sent, 2);
    assert_true(at_centre(w, voided));
    assert_true(at_centre(w, twice));
    free(voided);
    free(twice);
    free(again);
}

/* The first chunk of it. @return enum file_code */
static int ask_for(struct world *w, unsigned n, const struct photo *p)
{
    struct ocop_error err = {0};
    Ocop__Sync__FilesRequest in = OCOP__SYNC__FILES_REQUEST__INIT;
    Ocop__Sync__FilesReply *out;
    Ocop__Sync__FileAsk a = OCOP__SYNC__FILE_ASK__INIT, *asks[] = {&a};
    a.hash = (ProtobufCBinaryData){HASH_LEN, (uint8_t *)(uintptr_t)p->hash};
    a.size = p->len;
    a.count = 1;
    in.asks = asks;
    in.n_asks = 1;
    must(ask(w, n, &in, &out, &err), &err);
    assert_int_equal(out->n_chunks, out->states[0]->code == FILE_WHOLE);
    return (int)out->states[0]->code;
}

/* Who made it has it for ever, others while it is in their scope, laboratories never; one that is
 * to be wiped gets nothing more. */
static void who_may_have_a_content(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct photo *p = photo(CHUNK, 65);
    attach(w, 1, world_inspect(w, 1, "pass"), p);
    world_sync(w, 1);
    assert_int_equal(ask_for(w, 0, p), FILE_WHOLE);
    must(assign_roles(w->registry, &w->keys, &w->officers[0], "laboratory", "thử", &err), &err);
    assert_int_equal(ask_for(w, 0, p), FILE_UNNAMED);
    must(assign_roles(w->registry, &w->keys, &w->officers[0], "inspector", "thử", &err), &err);
    assert_int_equal(ask_for(w, 0, p), FILE_WHOLE);
    world_move(w, KIND_INSPECTION, p->record, &w->other_commune);
    assert_int_equal(ask_for(w, 0, p), FILE_UNNAMED);
    assert_int_equal(ask_for(w, 1, p), FILE_WHOLE);
    world_state(w, 1, DEVICE_WIPE);
    assert_int_equal(ask_for(w, 1, p), FILE_UNNAMED);
    free(p);
}

/* A copy speaks with the same keys, and is another replica with a scope of its own. */
static void of_a_device_and_its_copy_each_has_its_scope(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct photo *p = photo(CHUNK, 67);
    attach(w, 1, world_inspect(w, 1, "pass"), p);
    world_sync(w, 1);
    world_inspect(w, 0, "pass");
    world_copy(w, 0, 2);
    world_sync(w, 0);
    world_inspect(w, 2, "fail");
    assert_true(world_sync(w, 2).forked);
    const struct id copy = w->stores[2]->me.replica;
    const struct assignment to = {.units = &w->other_commune, .unit_count = 1};
    must(assign_scope(w->registry, &w->keys, &copy, &to, "chuyển xã", &err), &err);
    assert_int_equal(ask_for(w, 0, p), FILE_WHOLE);
    assert_int_equal(ask_for(w, 2, p), FILE_UNNAMED);
    free(p);
}

/* What repeats a chunk, rightly or wrongly, changes nothing. */
static void a_chunk_that_is_there_stays(void **state)
{
    struct world *w = *state;
    struct photo *p = photo(2 * CHUNK, 66);
    const struct span first = span_of(p->bytes, CHUNK), second = span_of(p->bytes + CHUNK, CHUNK);
    attach(w, 1, world_inspect(w, 1, "pass"), p);
    sync(w, 1, &(struct ocop_sync_options){.files = OCOP_FILES_NONE});
    assert_int_equal(send_chunk(w, 1, p, p->len, 0, first), FILE_PART);
    assert_int_equal(send_chunk(w, 1, p, p->len, 0, second), FILE_PART);
    assert_int_equal(send_chunk(w, 1, p, p->len, 1, second), FILE_WHOLE);
    assert_true(at_centre(w, p));
    free(p);
}

/* Who knows a hash, and a part of the content, completes nobody else's and spoils it not. */
static void what_another_brought_in_part_is_none_of_ones_own(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct files_swept swept;
    struct photo *p = photo(2 * CHUNK, 67), *claimed = photo(2 * CHUNK, 67);
    const struct span first = span_of(p->bytes, CHUNK), second = span_of(p->bytes + CHUNK, CHUNK);
    attach(w, 1, world_inspect(w, 1, "pass"), p);
    attach(w, 0, world_inspect(w, 0, "pass"), claimed);
    for (unsigned n = 0; n < 2; n++)
        sync(w, n, &(struct ocop_sync_options){.files = OCOP_FILES_NONE});
    assert_int_equal(send_chunk(w, 1, p, p->len, 0, first), FILE_PART);
    assert_int_equal(send_chunk(w, 0, p, p->len, 1, second), FILE_PART);
    assert_int_equal(send_chunk(w, 0, p, p->len, 0, second), FILE_BAD);
    assert_int_equal(send_chunk(w, 0, p, p->len, 1, second), FILE_PART);
    assert_int_equal(send_chunk(w, 1, p, p->len, 1, second), FILE_WHOLE);
    assert_true(at_centre(w, p));
    assert_int_equal(send_chunk(w, 0, p, p->len, 0, first), FILE_PROVE);
    assert_int_equal(world_count(w, "SELECT count(*) FROM brought"), 1);
    must(files_sweep(w->registry, 0, false, stdout, &swept, &err), &err);
    assert_int_equal(swept.removed, 1);
    world_sync(w, 0);
    assert_int_equal(world_count(w, "SELECT count(*) FROM brought"), 2);
    free(p);
    free(claimed);
}

static void a_request_has_its_limits(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    Ocop__Sync__FilesRequest in = OCOP__SYNC__FILES_REQUEST__INIT;
    Ocop__Sync__FilesReply *out;
    Ocop__Sync__FileAsk a = OCOP__SYNC__FILE_ASK__INIT, *asks[FILES_ASKED_MAX + 1];
    Ocop__Sync__Chunk c = OCOP__SYNC__CHUNK__INIT, *chunks[FILE_CHUNKS_SENT_MAX + 1];
    uint8_t hash[HASH_LEN] = {1};
    a.hash = (ProtobufCBinaryData){HASH_LEN, hash};
    a.size = 1;
    for (size_t i = 0; i <= FILES_ASKED_MAX; i++)
        asks[i] = &a;
    for (size_t i = 0; i <= FILE_CHUNKS_SENT_MAX; i++)
        chunks[i] = &c;
    in.asks = asks;
    in.chunks = chunks;
    in.n_asks = FILES_ASKED_MAX;
    in.n_chunks = FILE_CHUNKS_SENT_MAX;
    must(ask(w, 1, &in, &out, &err), &err);
    in.n_asks++;
    assert_int_equal(ask(w, 1, &in, &out, &err), OCOP_ELIMIT);
    in.n_asks--;
    in.n_chunks++;
    assert_int_equal(ask(w, 1, &in, &out, &err), OCOP_ELIMIT);
}

/* One file that the registry's disk refuses is that one's misfortune. */
static void a_file_that_fails_at_the_centre_holds_up_no_other(void **state)
{
    struct world *w = *state;
    struct photo *bad = photo(CHUNK, 60), *good = photo(2 * CHUNK, 61);
    struct ocop_id record = world_inspect(w, 1, "pass");
    char folder[512], path[700], name[CONTENT_NAME_LEN + 1], by[ID_TEXT_LEN + 1];
    attach(w, 1, record, bad);
    attach(w, 1, record, good);
    snprintf(folder, sizeof folder, "%s/registry.db.blobs", w->dir);
    snprintf(path, sizeof path, "%s/part/%s-%zu-%s", folder, content_name(bad->hash, name),
             bad->len, id_text(w->officers[1], by));
    assert_int_equal(mkdir(folder, 0700), 0);
    snprintf(folder, sizeof folder, "%s/registry.db.blobs/part", w->dir);
    assert_int_equal(mkdir(folder, 0700), 0);
    assert_int_equal(mkdir(path, 0700), 0); /* what cannot be opened to be written */
    struct ocop_sync_summary sum = world_sync(w, 1);
    assert_int_equal(sum.files_sent, 1);
    assert_int_equal(sum.files_left, 1);
    assert_true(at_centre(w, good));
    assert_int_equal(state_of(w, 1, bad->id, NULL), OCOP_FILE_WAITING);
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(world_sync(w, 1).files_sent, 1);
    assert_true(at_centre(w, bad));
    free(bad);
    free(good);
}

/* --- what completes and hashes ------------------------------------------------------------------
 */

static bool locked;

static void see_whether_it_is_locked(void *self)
{
    struct world *w = self;
    struct ocop_error err = {0};
    struct registry *other;
    char path[128];
    snprintf(path, sizeof path, "%s/registry.db", w->dir);
    must(registry_open(path, false, env_system(), NULL, &other, &err), &err);
    locked = registry_begin_soon(other, NULL) == OCOP_EBUSY;
    registry_rollback(other);
    registry_close(other);
}

/* The last chunk came before the server was killed: who asks completes it, and nobody may empty its
 * part between hashing and naming. */
static void what_completes_a_content_keeps_out_who_sweeps(void **state)
{
    struct world *w = *state;
    struct photo *p = photo(2 * CHUNK, 70);
    const struct content_part_of of = content_part_of(p->hash, p->len, &w->officers[1]);
    struct ocop_error err = {0};
    struct content_part part;
    attach(w, 1, world_inspect(w, 1, "pass"), p);
    sync(w, 1, &(struct ocop_sync_options){.max_round_trips = 1});
    must(content_part_open(&w->registry->blobs, &of, true, &part, &err), &err);
    for (uint32_t i = 0; i < 2; i++)
        must(content_part_put(&part, i, span_of(p->bytes + i * CHUNK, CHUNK), &err), &err);
    content_part_close(&part);
    lies.meanwhile = see_whether_it_is_locked;
    lies.self = w;
    assert_int_equal(world_sync(w, 1).files_sent, 1);
    assert_null(lies.meanwhile);
    assert_true(locked);
    assert_true(at_centre(w, p));
    free(p);
}

/* Who has much hashed pays for it, and in one batch no more is hashed than for one and a bit. */
static void what_is_hashed_is_bounded_and_paid_for(void **state)
{
    enum { LARGE = 9 << 20, ASKING = 3 };
    struct world *w = *state;
    struct ocop_error err = {0};
    struct content_writer out;
    struct ocop_id id;
    struct job jobs[ASKING + 1] = {{.busy_ms = 0}};
    bool fresh;
    uint8_t *bytes = calloc(1, LARGE);
    assert_non_null(bytes);
    memcpy(bytes, jpeg, sizeof jpeg);
    struct ocop_attachment a = {.bytes = bytes, .len = LARGE, .role = "photo"};
    struct ocop_id record = world_inspect(w, 1, "pass");
    must(ocop_attach(w->stores[1], &record, &a, &id, &err), &err);
    must(content_begin(&w->registry->blobs, &out, &err), &err);
    must(content_write(&out, span_of(bytes, LARGE), &err), &err);
    must(content_seal(&out, &err), &err);
    must(content_place(&out, &fresh, &err), &err);
    assert_int_equal(world_sync(w, 1).files_sent, 1);
    world_sync(w, 1);
    world_sync(w, 0);
    fetch(w, 0, id);
    sync(w, 0, &(struct ocop_sync_options){.max_round_trips = 2});
    for (size_t i = 0; i <= ASKING; i++)
        jobs[i].frame = buf_span(&w->links[i == ASKING].last);
    exchange_batch(w->registry, &w->keys, jobs, ASKING + 1);
    for (size_t i = 0; i <= ASKING; i++) {
        assert_int_equal(jobs[i].later, i > 0 && i < ASKING);
        if (!jobs[i].later)
            assert_int_equal(jobs[i].status, OCOP_OK);
        assert_int_equal(jobs[i].hashed, i ? 0 : LARGE);
        buf_fini(&jobs[i].reply);
    }
    assert_int_equal(job_cost(&(struct job){.hashed = LARGE, .reply = {.len = 7}}),
                     7 + LARGE / HASHED_PER_BYTE);
    assert_int_equal(job_cost(&(struct job){.moved = 3}), 3 * MOVED_BYTES);
    free(bytes);
}

/* --- thumbnails that there are not --------------------------------------------------------------
 */

static void want_thumbnail(struct world *w, unsigned n, struct ocop_id id)
{
    struct ocop_error err = {0};
    unsigned wanted;
    must(ocop_fetch_thumbnails(w->stores[n], &id, &wanted, &err), &err);
    assert_int_equal(wanted, 1);
}

/* @return whether the registry was asked for more than the records */
static bool asks(struct world *w, unsigned n)
{
    const unsigned before = w->links[n].exchanges;
    world_sync(w, n);
    return w->links[n].exchanges - before > 1;
}

static void note_told(struct world *w, unsigned n, const struct photo *p, int64_t at_ms)
{
    struct ocop_error err = {0};
    struct thumbnail_row row = {.state = THUMBNAIL_TOLD, .at_ms = at_ms};
    memcpy(row.hash, p->hash, HASH_LEN);
    must(store_begin(w->stores[n], &err), &err);
    must(store_thumbnail_put(w->stores[n], &row, &err), &err);
    must(store_commit(w->stores[n], &err), &err);
}

/* The registry makes none here. It is asked again when there is news, not with each sync. */
static void a_thumbnail_that_there_is_not_is_asked_for_when_there_is_news(void **state)
{
    struct world *w = *state;
    struct photo *p = photo(2 * CHUNK, 80);
    const int64_t day = INT64_C(86400000), now = env_now_ms(env_system());
    attach(w, 1, world_inspect(w, 1, "pass"), p);
    world_sync(w, 1);
    world_sync(w, 0);
    world_sync(w, 1);
    for (unsigned i = 0; i < 2; i++) { /* who may see it, and the app may always ask */
        want_thumbnail(w, 0, p->id);
        assert_true(asks(w, 0));
        assert_false(asks(w, 0));
    }
    world_amend(w, 1, p->id, "caption=Bếp");
    world_sync(w, 1);
    assert_true(asks(w, 0)); /* its attachment was changed */
    assert_false(asks(w, 0));
    fetch(w, 0, p->id);
    world_sync(w, 0); /* its content is at the registry, as is seen now */
    assert_true(asks(w, 0));
    assert_false(asks(w, 0));
    for (int i = -1; i <= 1; i += 2) { /* it is long ago, or the clock was wrong */
        note_told(w, 0, p, now + i * 2 * day);
        assert_true(asks(w, 0));
        assert_false(asks(w, 0));
    }
    free(p);
}

/* ... of which that its own file has come there is one. */
static void a_thumbnail_of_what_was_not_sent_is_asked_for_when_it_was(void **state)
{
    struct world *w = *state;
    struct photo *p = photo(2 * CHUNK, 81);
    attach(w, 1, world_inspect(w, 1, "pass"), p);
    want_thumbnail(w, 1, p->id);
    assert_int_equal(world_sync(w, 1).files_sent, 1);
    assert_true(asks(w, 1));
    assert_false(asks(w, 1));
    free(p);
}

/* Those that are never made hold up no others: a sync asks for some, the next for the rest. */
static void thumbnails_that_are_not_made_yet_hold_up_no_others(void **state)
{
    struct world *w = *state;
    const struct ocop_id record = world_inspect(w, 1, "pass");
    struct photo *p[MANY];
    for (unsigned i = 0; i < MANY; i++) {
        p[i] = photo(200, 100 + i);
        attach(w, 1, record, p[i]);
    }
    world_sync(w, 1);
    world_sync(w, 0);
    for (unsigned i = 0; i < MANY; i++)
        want_thumbnail(w, 0, p[i]->id);
    lies.how = BEING_MADE;
    lies.asked = 0;
    world_sync(w, 0);
    assert_true(lies.asked < MANY);
    world_sync(w, 0);
    lies.how = TRUTH;
    assert_int_equal(lies.asked, MANY);
    for (unsigned i = 0; i < MANY; i++)
        free(p[i]);
}

/* As thumbnails that came are stored: one of `len` bytes, of the content of this hash. */
static void note_here(struct world *w, const uint8_t *hash, size_t len, int64_t at_ms)
{
    static const uint8_t image[THUMBNAIL_BYTES_MAX] = {0xff, 0xd8, 0xff};
    struct ocop_error err = {0};
    struct thumbnail_row row = {.state = THUMBNAIL_HERE, .at_ms = at_ms};
    row.image = span_of(image, len);
    memcpy(row.hash, hash, HASH_LEN);
    must(store_thumbnail_put(w->stores[1], &row, &err), &err);
}

/* ... and so many small ones of other contents. */
static void note_others_here(struct world *w, uint32_t first, uint32_t count, int64_t at_ms)
{
    uint8_t hash[HASH_LEN] = {0};
    for (uint32_t n = first; n < first + count; n++) {
        memcpy(hash, &n, sizeof n);
        note_here(w, hash, 16, at_ms);
    }
}

/* More of them are here than a call may take of memory. */
static void thumbnails_are_asked_for_when_many_are_here(void **state)
{
    enum { HERE = ARENA_SAVE_MAX / THUMBNAIL_BYTES_MAX + 20 };
    static uint8_t hashes[HERE][HASH_LEN];
    struct world *w = *state;
    struct ocop_error err = {0};
    struct ocop_id record = {{0}};
    unsigned wanted;
    for (unsigned i = 0; i <= HERE; i++) {
        struct photo *p = photo(200, 1000 + i);
        if (i % RECORD_FILES_MAX == 0)
            record = world_inspect(w, 1, "pass");
        attach(w, 1, record, p);
        if (i < HERE)
            memcpy(hashes[i], p->hash, HASH_LEN);
        free(p);
    }
    must(store_begin(w->stores[1], &err), &err);
    for (unsigned i = 0; i < HERE; i++)
        note_here(w, hashes[i], THUMBNAIL_BYTES_MAX, 1);
    must(store_commit(w->stores[1], &err), &err);
    must(ocop_fetch_thumbnails(w->stores[1], NULL, &wanted, &err), &err);
    assert_int_equal(wanted, 1);
}

/* The clock was ahead while as many came as are kept; then it was set right. */
static void a_clock_that_was_ahead_keeps_no_thumbnail_away(void **state)
{
    struct world *w = *state;
    struct ocop_store *s = w->stores[1];
    struct ocop_error err = {0};
    const int64_t ahead = env_now_ms(env_system()) + INT64_C(3650) * 86400000;
    struct photo *p = photo(200, 82);
    uint8_t image[THUMBNAIL_BYTES_MAX];
    size_t len;
    attach(w, 1, world_inspect(w, 1, "pass"), p);
    must(store_begin(s, &err), &err);
    note_others_here(w, 0, THUMBNAILS_KEPT_MAX, ahead);
    must(store_commit(s, &err), &err);
    want_thumbnail(w, 1, p->id);
    assert_int_equal(ocop_thumbnail_read(s, &p->id, image, &len, &err), OCOP_ENOTFOUND);
    assert_non_null(strstr(err.text, "was not fetched yet"));
    must(store_begin(s, &err), &err);
    note_here(w, p->hash, 100, ahead / 2); /* it comes, and then all that are kept beside it */
    note_others_here(w, 1000, THUMBNAILS_KEPT_MAX - 1, ahead / 2);
    must(store_thumbnails_trim(s, &err), &err);
    must(store_commit(s, &err), &err);
    must(ocop_thumbnail_read(s, &p->id, image, &len, &err), &err);
    must(store_begin(s, &err), &err);
    note_others_here(w, 9999, 1, ahead / 2); /* now it is the one that came longest ago */
    must(store_thumbnails_trim(s, &err), &err);
    must(store_commit(s, &err), &err);
    assert_int_equal(ocop_thumbnail_read(s, &p->id, image, &len, &err), OCOP_ENOTFOUND);
    assert_non_null(strstr(err.text, "is not on this device"));
    free(p);
}

/* Nothing of a content that is not what was sent is given to who begins to fetch it. */
static void a_content_damaged_at_the_centre_is_told_before_it_travels(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct photo *p = photo(3 * CHUNK, 62);
    Ocop__Sync__FilesRequest in = OCOP__SYNC__FILES_REQUEST__INIT;
    Ocop__Sync__FilesReply *out;
    Ocop__Sync__FileAsk a = OCOP__SYNC__FILE_ASK__INIT, *asks[] = {&a};
    char path[512], name[CONTENT_NAME_LEN + 1];
    attach(w, 1, world_inspect(w, 1, "pass"), p);
    world_sync(w, 1);
    a.hash = (ProtobufCBinaryData){HASH_LEN, p->hash};
    a.size = p->len;
    a.count = 2;
    in.asks = asks;
    in.n_asks = 1;
    must(ask(w, 1, &in, &out, &err), &err);
    assert_int_equal(out->states[0]->code, FILE_WHOLE);
    assert_int_equal(out->n_chunks, 2);
    content_name(p->hash, name);
    snprintf(path, sizeof path, "%s/registry.db.blobs/%.2s/%s", w->dir, name, name);
    int fd = open(path, O_RDWR);
    assert_int_equal(pwrite(fd, "x", 1, 2 * CHUNK + 9), 1);
    close(fd);
    must(ask(w, 1, &in, &out, &err), &err);
    assert_int_equal(out->states[0]->code, FILE_FAILED);
    assert_int_equal(out->n_chunks, 0);
    free(p);
}

static void a_server_that_takes_back_what_it_said_holds_no_device(void **state)
{
    struct world *w = *state;
    struct photo *p = photo(8 * CHUNK, 50);
    attach(w, 1, world_inspect(w, 1, "pass"), p);
    for (int how = ALL_THERE; how <= TO_AND_FRO; how++) {
        lies.how = (enum lie)how;
        lies.asked = 0;
        assert_int_equal(sync(w, 1, NULL).files_left, 1);
        assert_in_range(lies.asked, 2, 40);
        lies.how = TRUTH;
    }
    assert_int_equal(world_sync(w, 1).files_sent, 1);
    assert_true(at_centre(w, p));
    free(p);
}

/* Contents wait for a server that has heard of them; records do not. */
static void a_server_that_knows_no_files_takes_the_records(void **state)
{
    struct world *w = *state;
    struct photo *p = photo(CHUNK, 67);
    attach(w, 1, world_inspect(w, 1, "pass"), p);
    lies.how = UNHEARD_OF;
    struct ocop_sync_summary sum = sync(w, 1, NULL);
    lies.how = TRUTH;
    assert_true(sum.complete);
    assert_int_equal(sum.applied, 2);
    assert_int_equal(sum.files_left, 1);
    assert_int_equal(state_of(w, 1, p->id, NULL), OCOP_FILE_WAITING);
    assert_int_equal(world_sync(w, 1).files_sent, 1);
    free(p);
}

static void a_nonce_that_is_none_is_not_proved_by(void **state)
{
    struct world *w = *state;
    struct photo *p = photo(CHUNK, 68);
    attach(w, 1, world_inspect(w, 1, "pass"), p);
    lies.how = SHORT_NONCE;
    lies.asked = 0;
    assert_int_equal(sync(w, 1, NULL).files_left, 1);
    lies.how = TRUTH;
    assert_int_equal(lies.asked, 1);
    assert_int_equal(world_sync(w, 1).files_sent, 1);
    free(p);
}

/* The smallest comes first. */
static void a_chunk_that_is_none_stops_no_other(void **state)
{
    struct world *w = *state;
    struct photo *bad = photo(CHUNK, 69), *good = photo(2 * CHUNK, 70);
    struct ocop_id record = world_inspect(w, 1, "pass");
    attach(w, 1, record, bad);
    attach(w, 1, record, good);
    world_sync(w, 1);
    world_sync(w, 0);
    fetch(w, 0, bad->id);
    fetch(w, 0, good->id);
    lies.how = SHORT_CHUNK;
    struct ocop_sync_summary sum = sync(w, 0, NULL);
    lies.how = TRUTH;
    assert_int_equal(sum.files_received, 1);
    assert_int_equal(sum.files_left, 1);
    expect_here(w, 0, good);
    assert_int_equal(world_sync(w, 0).files_received, 1);
    expect_here(w, 0, bad);
    free(bad);
    free(good);
}

/* All of it comes, and it is another content: it never has the name of the one that was asked for.
 */
static void what_comes_with_another_hash_is_not_taken(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct photo *p = photo(3 * CHUNK, 72);
    uint8_t bytes[10];
    size_t got;
    attach(w, 1, world_inspect(w, 1, "pass"), p);
    world_sync(w, 1);
    world_sync(w, 0);
    fetch(w, 0, p->id);
    lies.how = WRONG_CHUNK;
    struct ocop_sync_summary sum = sync(w, 0, NULL);
    lies.how = TRUTH;
    assert_int_equal(sum.files_received, 0);
    assert_int_equal(sum.files_left, 1);
    assert_int_equal(ocop_file_read(w->stores[0], &p->id, 0, bytes, sizeof bytes, &got, &err),
                     OCOP_ENOTFOUND);
    assert_int_equal(world_sync(w, 0).files_received, 1);
    expect_here(w, 0, p);
    free(p);
}

/* That it has the content makes nobody believe that it says so: one that is to be sent is sent. */
static void a_chunk_that_nobody_asked_for_is_not_taken(void **state)
{
    struct world *w = *state;
    struct photo *p = photo(CHUNK, 71);
    attach(w, 1, world_inspect(w, 1, "pass"), p);
    lies.how = UNASKED;
    lies.given = p;
    struct ocop_sync_summary sum = sync(w, 1, NULL);
    lies.how = TRUTH;
    assert_int_equal(sum.files_received, 0);
    assert_int_equal(sum.files_left, 1);
    assert_int_equal(state_of(w, 1, p->id, NULL), OCOP_FILE_WAITING);
    assert_int_equal(world_sync(w, 1).files_sent, 1);
    free(p);
}

/* Up and down, whatever was attached or asked for first; and before all of them what is to be
 * looked at. */
static void thumbnails_go_first_and_then_the_smallest(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct photo *up[3] = {photo(12 * CHUNK, 80), photo(1000, 81), photo(5 * CHUNK, 82)},
                 *down[2] = {photo(8 * CHUNK, 83), photo(2000, 84)};
    const struct photo *const order[] = {down[0], down[1], down[0], up[1], up[2], up[0]};
    struct ocop_id record = world_inspect(w, 1, "pass");
    unsigned wanted;
    for (unsigned i = 0; i < 2; i++)
        attach(w, 1, record, down[i]);
    world_sync(w, 1);
    world_sync(w, 0);
    record = world_inspect(w, 0, "pass");
    for (unsigned i = 0; i < 3; i++)
        attach(w, 0, record, up[i]);
    for (unsigned i = 0; i < 2; i++)
        fetch(w, 0, down[i]->id);
    must(ocop_fetch_thumbnails(w->stores[0], &down[0]->id, &wanted, &err), &err);
    assert_int_equal(wanted, 1);
    moved.count = 0;
    lies.how = NOTED;
    struct ocop_sync_summary sum = sync(w, 0, NULL);
    lies.how = TRUTH;
    assert_int_equal(sum.files_sent, 3);
    assert_int_equal(sum.files_received, 2);
    assert_int_equal(moved.count, sizeof order / sizeof *order);
    for (size_t i = 0; i < moved.count; i++) {
        assert_memory_equal(moved.hash[i], order[i]->hash, HASH_LEN);
        assert_int_equal(moved.thumbnail[i], i == 0);
    }
    for (unsigned i = 0; i < 3; i++)
        free(up[i]);
    for (unsigned i = 0; i < 2; i++)
        free(down[i]);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_world, world_teardown)
    const struct CMUnitTest tests[] = {
        TEST(who_attaches_what_he_fetched_proves_to_have_it),
        TEST(who_attaches_what_he_is_fetching_proves_to_have_it),
        TEST(contents_leave_with_their_records),
        TEST(a_refused_change_keeps_no_content_of_a_record_that_left),
        TEST(who_may_have_a_content),
        TEST(of_a_device_and_its_copy_each_has_its_scope),
        TEST(a_chunk_that_is_there_stays),
        TEST(what_another_brought_in_part_is_none_of_ones_own),
        TEST(a_request_has_its_limits),
        TEST(a_file_that_fails_at_the_centre_holds_up_no_other),
        TEST(what_completes_a_content_keeps_out_who_sweeps),
        TEST(what_is_hashed_is_bounded_and_paid_for),
        TEST(a_thumbnail_that_there_is_not_is_asked_for_when_there_is_news),
        TEST(a_thumbnail_of_what_was_not_sent_is_asked_for_when_it_was),
        TEST(thumbnails_that_are_not_made_yet_hold_up_no_others),
        TEST(thumbnails_are_asked_for_when_many_are_here),
        TEST(a_clock_that_was_ahead_keeps_no_thumbnail_away),
        TEST(a_content_damaged_at_the_centre_is_told_before_it_travels),
        TEST(a_server_that_takes_back_what_it_said_holds_no_device),
        TEST(a_server_that_knows_no_files_takes_the_records),
        TEST(a_nonce_that_is_none_is_not_proved_by),
        TEST(a_chunk_that_is_none_stops_no_other),
        TEST(what_comes_with_another_hash_is_not_taken),
        TEST(a_chunk_that_nobody_asked_for_is_not_taken),
        TEST(thumbnails_go_first_and_then_the_smallest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
