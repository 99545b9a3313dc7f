/* The device of a scene, see scene.h. Knows of the registry what scene.h says. */
#include "scene.h"

#include <stdio.h>
#include <stdlib.h>

#include "bounds.h"
#include "records.pb-c.h"
#include "store_db.h"

static struct scene the_scene;
static const char *place;

static void exec(const struct scene *s, const char *sql)
{
    CHECK(sqlite3_exec(s->store->db->sqlite, sql, NULL, NULL, NULL) == SQLITE_OK);
}

/* --- the line -------------------------------------------------------------------------------- */

static enum ocop_status line_connect(struct link *l, int timeout_ms, const atomic_bool *cancel,
                                     struct ocop_error *err)
{
    (void)l, (void)timeout_ms, (void)cancel, (void)err;
    return OCOP_OK;
}

static enum ocop_status line_exchange(struct link *l, struct span request, int timeout_ms,
                                      const atomic_bool *cancel, struct buf *reply,
                                      struct ocop_error *err)
{
    struct scene *s = &the_scene;
    (void)l, (void)timeout_ms, (void)cancel;
    if (s->deaf)
        return err_set(err, OCOP_ETIMEOUT, "the request was lost");
    if (s->answer.p)
        buf_put(reply, s->answer.p, s->answer.len);
    else
        scene_answer(request, reply);
    return OCOP_OK;
}

static void line_close(struct link *l)
{
    (void)l;
}

static struct link line = {.connect = line_connect, .exchange = line_exchange, .close = line_close};

/* --- the device's work ----------------------------------------------------------------------- */

static void must(enum ocop_status st, const struct ocop_error *err)
{
    if (st != OCOP_OK)
        fprintf(stderr, "%s %s: %s\n", err_name(st), err->field, err->text);
    CHECK(st == OCOP_OK);
}

static struct id id_of(const struct ocop_id *id)
{
    struct id out;
    memcpy(out.b, id->b, ID_LEN);
    return out;
}

static void sync_honestly(struct scene *s)
{
    struct ocop_error err = {0};
    must(ocop_sync(s->store, NULL, NULL, &err), &err);
}

static void unsent(struct scene *s, const struct ocop_id *record, const char *said, bool draft)
{
    CHECK(s->unsent_count < SCENE_CHANGES_MAX);
    s->unsent[s->unsent_count++] =
        (struct scene_change){.record = id_of(record), .draft = draft, .said = span_str(said)};
}

static void set(struct scene *s, ProtobufCMessage **m, const char *assignment)
{
    struct ocop_error err = {0};
    must(ocop_set_text(s->store, m, assignment, &err), &err);
}

static void set_id(struct scene *s, ProtobufCMessage **m, const char *field, const struct id *id)
{
    char text[ID_TEXT_LEN + 1], assignment[128];
    snprintf(assignment, sizeof assignment, "%s=%s", field, id_text(*id, text));
    set(s, m, assignment);
}

static struct ocop_id inspect(struct scene *s, const char *notes, bool draft)
{
    struct ocop_error err = {0};
    struct ocop_id out = {{0}};
    ProtobufCMessage *m = NULL;
    char assignment[128];
    must(ocop_new(s->store, "inspection", &m, &err), &err);
    set_id(s, &m, "unit_id", &s->commune);
    set_id(s, &m, "producer_id", &s->producer);
    set_id(s, &m, "product_id", &s->product);
    set(s, &m, "inspection_type=planned");
    set(s, &m, "conclusion=pass");
    set(s, &m, "score=70");
    set(s, &m, "answers[NC.1].answer=pass");
    set(s, &m, "answers[NC.2].answer=fail");
    snprintf(assignment, sizeof assignment, "notes=%s", notes);
    set(s, &m, assignment);
    must(draft ? ocop_save(s->store, m, &err) : ocop_submit(s->store, m, &err), &err);
    CHECK(((const Ocop__Inspection *)m)->id.len == ID_LEN);
    memcpy(out.b, ((const Ocop__Inspection *)m)->id.data, ID_LEN);
    ocop_free(m);
    return out;
}

static void amend(struct scene *s, const struct ocop_id *id, const char *assignment,
                  const char *reason)
{
    struct ocop_error err = {0};
    ProtobufCMessage *m = NULL;
    must(ocop_load(s->store, id, &m, &err), &err);
    set(s, &m, assignment);
    must(reason ? ocop_amend(s->store, m, reason, &err) : ocop_save(s->store, m, &err), &err);
    ocop_free(m);
}

/* --- the scene ------------------------------------------------------------------------------- */

static void enrol(struct scene *s)
{
    struct ocop_error err = {0};
    struct ocop_options options = {.env = s->env, .link = &line};
    char path[200] = ":memory:";
    if (place)
        snprintf(path, sizeof path, "%s/field.ocop", place);
    must(ocop_open(path, &options, &s->store, &err), &err);
    exec(s, "BEGIN");
    must(ocop_enrol(s->store, s->invitation, "máy 1", &err), &err);
    s->replica = s->store->me.replica;
    memcpy(s->channel, s->store->me.channel.public_key, CHANNEL_KEY_LEN);
}

/* The device has records that are accepted, amended by another, and in a case; it has drafts, a set
 * whose reply was lost, and changes that were never sealed. */
static void device_works(struct scene *s)
{
    struct ocop_error err = {0};
    struct ocop_id draft_of, sealed, ready, voided;
    enrol(s);
    sync_honestly(s);
    s->own = inspect(s, "của tôi", false);
    s->shared = inspect(s, "của hai người", false);
    s->case_of = inspect(s, "tranh chấp", false);
    voided = inspect(s, "huỷ", false);
    sync_honestly(s);
    scene_other_says(&s->shared, VERB_AMEND, "fail");
    scene_other_says(&s->case_of, VERB_AMEND, "fail");
    amend(s, &s->case_of, "conclusion=conditional", "đã khắc phục");
    sync_honestly(s);

    s->deaf = true;
    sealed = inspect(s, "đã niêm phong", false);
    unsent(s, &sealed, "đã niêm phong", false);
    amend(s, &s->own, "lot_code=L-SEALED", "ghi thiếu");
    unsent(s, &s->own, "L-SEALED", false);
    CHECK(ocop_sync(s->store, NULL, NULL, &err) == OCOP_ETIMEOUT);
    s->deaf = false;

    ready = inspect(s, "chưa gửi", false);
    unsent(s, &ready, "chưa gửi", false);
    amend(s, &s->own, "facility=xưởng rang", "ghi thiếu");
    unsent(s, &s->own, "xưởng rang", false);
    amend(s, &s->own, "answers[NC.1].remark=thiếu sổ", "ghi thiếu");
    must(ocop_void(s->store, &voided, "lập trùng", &err), &err);
    unsent(s, &voided, "lập trùng", false);
    amend(s, &s->shared, "conclusion=pass", NULL);
    unsent(s, &s->shared, "pass", true);
    draft_of = inspect(s, "bản nháp", true);
    unsent(s, &draft_of, "bản nháp", true);
}

/* What an honest registry answers the device now, whatever that means for the device. */
static void seed_here(struct scene *s)
{
    struct ocop_error err = {0};
    enum ocop_status st = ocop_sync(s->store, NULL, NULL, &err);
    fprintf(stderr, "seed: %s %s\n", err_name(st), err.text);
    scene_reset(s);
}

static void seed_situations(struct scene *s)
{
    sync_honestly(s); /* everything gets through, and again */
    sync_honestly(s);
    scene_reset(s);
    scene_other_says(&s->own, VERB_AMEND, "fail"); /* below pending changes; a case */
    seed_here(s);
    scene_other_says(&s->shared, VERB_VOID, NULL);
    seed_here(s);
    scene_producer_comes(s);
    seed_here(s);
    scene_product_leaves(s);
    seed_here(s);
    scene_producer_comes(s); /* all at once */
    scene_product_leaves(s);
    scene_other_says(&s->own, VERB_AMEND, "fail");
    seed_here(s);
    exec(s, "UPDATE meta SET value = x'' WHERE key = 'cursor'"); /* a fill */
    seed_here(s);
    exec(s, "UPDATE meta SET value = x'00112233445566778899aabbccddeeff' WHERE key = 'lineage'");
    seed_here(s); /* of another history: reads again */
    exec(s, "DELETE FROM sealed; UPDATE outbox SET state = 2, seq = NULL WHERE state = 3");
    seed_here(s); /* an older copy: a fork */
    scene_device_revoked(s);
    seed_here(s);
    CHECK(ocop_enrol(s->store, s->invitation, "máy 1", NULL) == OCOP_OK);
    scene_reset(s);
}

static void back(struct scene *s)
{
    sqlite3 *db = s->store->db->sqlite;
    for (sqlite3_stmt *st = NULL; (st = sqlite3_next_stmt(db, st)) != NULL;)
        if (sqlite3_stmt_busy(st))
            sqlite3_reset(st);
    exec(s, "ROLLBACK TO scene");
    s->store->broken = false;
    s->store->stale = true;
    s->answer = span_of(NULL, 0);
    CHECK(store_identity(s->store, NULL) == OCOP_OK);
}

void scene_reset(struct scene *s)
{
    scene_registry_back();
    back(s);
}

void scene_at(const char *dir)
{
    place = dir;
}

void scene_mark(struct scene *s)
{
    scene_registry_mark();
    exec(s, "SAVEPOINT scene");
}

struct scene *scene(void)
{
    struct scene *s = &the_scene;
    if (s->store)
        return s;
    scene_registry_open(s);
    if (place)
        scene_registry_files(place);
    device_works(s);
    scene_mark(s);
    if (getenv("FUZZ_SEEDS") && !place)
        seed_situations(s);
    return s;
}
