/* Messages about contents: the input as what an enrolled device asks of the registry, twice, and as
 * what the registry answers a device whose contents are on their way. Whatever it is, nothing takes
 * the name of a content that is not that, nobody passes for one who has a content, nothing is given
 * to who may not have it, and the device keeps what it has. */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bounds.h"
#include "files.h"
#include "fuzz.h"
#include "registry.h"
#include "scene.h"
#include "travel.h"

enum { CONTENTS = 6, ROOM = FILE_CHUNK_BYTES + 512 };

/* Of two chunks the first has come, so that what is still to travel is small. */
static struct content {
    const char *what;
    size_t size;
    bool here, begun, central; /* on the device; a part of it at the other end; at the centre */
    uint8_t bytes[ROOM], hash[FILE_HASH_LEN];
} contents[CONTENTS] = {
    {.what = "to be sent", .size = 100, .here = true},
    {.what = "half sent", .size = FILE_CHUNK_BYTES + 90, .here = true, .begun = true},
    {.what = "to be proved", .size = 80, .here = true, .central = true},
    {.what = "to be fetched", .size = 110, .central = true},
    {.what = "half fetched", .size = FILE_CHUNK_BYTES + 120, .begun = true, .central = true},
    {.what = "not for this device", .size = 130, .central = true},
};
static struct content *const secret = &contents[CONTENTS - 1];

static char place[] = "/dev/shm/ocop-fuzz-XXXXXX";
static struct content_dir device;

static void must(enum ocop_status st, const struct ocop_error *err)
{
    if (st != OCOP_OK)
        fprintf(stderr, "%s %s: %s\n", err_name(st), err->field, err->text);
    CHECK(st == OCOP_OK);
}

/* --- the scene -------------------------------------------------------------------------------- */

static void begin(const struct content_dir *d, const struct content *c, const struct id *from)
{
    const struct content_part_of of = content_part_of(c->hash, c->size, from);
    struct content_part p;
    struct ocop_error err = {0};
    must(content_part_open(d, &of, true, &p, &err), &err);
    must(content_part_put(&p, 0, span_of(c->bytes, FILE_CHUNK_BYTES), &err), &err);
    content_part_close(&p);
}

/* What lies at both ends when an input comes. */
static void folders_back(const struct scene *s)
{
    const struct content_dir *centre = &scene_registry()->blobs;
    struct ocop_error err = {0};
    must(content_clear(centre, &err), &err);
    for (const struct content *c = contents; c < contents + CONTENTS; c++) {
        struct content_writer w;
        bool fresh;
        must(content_parts_remove(&device, c->hash, &err), &err);
        if (!c->here)
            must(content_remove(&device, c->hash, &err), &err);
        if (c->begun)
            begin(c->here ? centre : &device, c, c->here ? &s->officer : NULL);
        if (!c->central)
            continue;
        must(content_begin(centre, &w, &err), &err);
        must(content_write(&w, span_of(c->bytes, c->size), &err), &err);
        must(content_seal(&w, &err), &err);
        must(content_place(&w, &fresh, &err), &err);
    }
}

static void attach(struct scene *s, const struct content *c)
{
    struct ocop_attachment what = {
        .bytes = c->bytes, .len = c->size, .fd = -1, .role = "document", .caption = c->what};
    struct ocop_error err = {0};
    struct ocop_id id;
    must(ocop_attach(s->store, &s->own, &what, &id, &err), &err);
}

static void fetch_all(struct scene *s)
{
    struct ocop_file_list *list;
    struct ocop_error err = {0};
    must(ocop_files(s->store, NULL, &list, &err), &err);
    CHECK(list->count == CONTENTS); /* less the secret; one has two attachments */
    for (size_t i = 0; i < list->count; i++)
        must(ocop_fetch(s->store, &list->files[i].id, &err), &err);
    ocop_file_list_free(list);
}

static enum ocop_status travel(struct scene *s, struct ocop_error *err)
{
    static const struct ocop_sync_options all = {0};
    struct ocop_sync_summary sum = {0};
    const struct travel_options o = {
        .server = "", .link = s->store->link, .sync = &all, .sum = &sum};
    return travel_files(s->store, &o, err);
}

static void remove_place(void)
{
    char path[64];
    static const char *const left[] = {"field.ocop", "field.ocop-wal", "field.ocop-shm"};
    struct ocop_error err = {0};
    must(content_clear(&device, &err), &err);
    must(content_clear(&scene_registry()->blobs, &err), &err);
    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/%s", place, left[i]);
        (void)unlink(path);
    }
    (void)rmdir(place);
}

static struct scene *open_scene(void)
{
    static struct scene *s;
    struct ocop_error err = {0};
    if (s)
        return s;
    CHECK(mkdtemp(place));
    scene_at(place);
    s = scene();
    for (size_t i = 0; i < CONTENTS; i++) {
        struct content *c = &contents[i];
        randombytes_buf_deterministic(c->bytes, c->size,
                                      (uint8_t[randombytes_SEEDBYTES]){(uint8_t)i});
        crypto_generichash(c->hash, FILE_HASH_LEN, c->bytes, c->size, NULL, 0);
        if (c->central)
            scene_other_attaches(s, c == secret ? &s->elsewhere : &s->commune, c->hash, c->size);
        if (c->here)
            attach(s, c);
    }
    must(ocop_sync(s->store, &(struct ocop_sync_options){.files = OCOP_FILES_NONE}, NULL, &err),
         &err);
    fetch_all(s);
    must(files_dir(s->store, false, &device, &err), &err);
    scene_mark(s);
    atexit(remove_place);
    if (getenv("FUZZ_SEEDS")) {
        folders_back(s);
        must(travel(s, &err), &err);
        scene_reset(s);
    }
    return s;
}

/* --- what must hold --------------------------------------------------------------------------- */

static const struct content *content_of(const uint8_t hash[FILE_HASH_LEN])
{
    for (const struct content *c = contents; c < contents + CONTENTS; c++)
        if (memcmp(c->hash, hash, FILE_HASH_LEN) == 0)
            return c;
    return NULL;
}

static enum ocop_status is_itself(void *self, const uint8_t hash[FILE_HASH_LEN],
                                  struct ocop_error *err)
{
    const struct content *c = content_of(hash);
    CHECK(c);
    must(content_check(self, hash, c->size, err), err);
    return OCOP_OK;
}

static void folder_holds(struct content_dir *d)
{
    struct ocop_error err = {0};
    must(content_each(d, is_itself, d, &err), &err);
}

/* Who has a content can prove it; nobody else is taken for one who has it. */
static void brought_is_had(const struct scene *s)
{
    sqlite3_stmt *st;
    CHECK(sqlite3_prepare_v2(scene_registry()->db, "SELECT hash FROM brought WHERE officer = ?1",
                             -1, &st, NULL) == SQLITE_OK);
    sqlite3_bind_blob(st, 1, s->officer.b, ID_LEN, SQLITE_STATIC);
    while (sqlite3_step(st) == SQLITE_ROW) {
        const struct content *c = content_of(sqlite3_column_blob(st, 0));
        CHECK(c && c->here);
    }
    sqlite3_finalize(st);
}

static void keeps_the_secret(const struct buf *reply)
{
    enum { TELLS = 24 };
    for (size_t i = 0; i + TELLS <= reply->len; i++)
        CHECK(memcmp(reply->p + i, secret->bytes, TELLS) != 0);
}

static void device_holds(struct scene *s)
{
    folder_holds(&device);
    for (const struct content *c = contents; c < contents + CONTENTS; c++) {
        struct file_row row = {.here = false};
        bool known, there;
        CHECK(store_file(s->store, c->hash, &known, &row, NULL) == OCOP_OK);
        CHECK(content_there(&device, c->hash, c->size, &there, NULL) == OCOP_OK);
        CHECK(!c->here || (there && row.here));
        CHECK(there || !row.here);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t frame[CHANNEL_KEY_LEN + KIB(48)];
    struct scene *s = open_scene();
    struct ocop_error err = {0};
    struct buf reply;
    if (size > KIB(48))
        return 0;
    memcpy(frame, s->channel, CHANNEL_KEY_LEN);
    if (size)
        memcpy(frame + CHANNEL_KEY_LEN, data, size);
    folders_back(s);
    buf_init(&reply, FRAME_BYTES_MAX);
    for (int time = 0; time < 2; time++) {
        buf_clear(&reply);
        scene_answer(span_of(frame, CHANNEL_KEY_LEN + size), &reply);
        keeps_the_secret(&reply);
        folder_holds(&scene_registry()->blobs);
        brought_is_had(s);
    }
    buf_fini(&reply);
    scene_reset(s);
    s->answer = span_of(size ? data : (const uint8_t *)"", size);
    enum ocop_status st = travel(s, &err);
    CHECK(st != OCOP_EBROKEN && st != OCOP_EDB);
    CHECK(st == OCOP_OK || err.text[0]);
    device_holds(s);
    scene_reset(s);
    return 0;
}
