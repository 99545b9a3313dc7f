/* ocop_attach and what an app sees of it: contents taken in whole or not at all, limits, bad input
 * of every kind, drafts, a killed program, a wipe, a check. With a real registry and no socket. */
#include "test.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "records.pb-c.h"
#include "store.h"
#include "world.h"

static const uint8_t jpeg[] = {0xff, 0xd8, 0xff, 0xe0, 'J', 'F', 'I', 'F', 1, 2, 3};

static int open_world(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    world_open(w);
    world_enrol(w, 1);
    world_sync(w, 1);
    *state = w;
    return 0;
}

static int close_world(void **state)
{
    world_close(*state);
    free(*state);
    return 0;
}

/* --- what the tests share --------------------------------------------------------------------- */

/* A photo of `len` bytes that differs by `seed`, in memory. */
static struct ocop_attachment photo(uint8_t *room, size_t len, uint8_t seed)
{
    memset(room, seed, len);
    memcpy(room, jpeg, sizeof jpeg);
    return (struct ocop_attachment){.bytes = room, .len = len, .role = "photo"};
}

static enum ocop_status try_attach(struct world *w, struct ocop_id record,
                                   const struct ocop_attachment *a, struct ocop_id *out,
                                   struct ocop_error *err)
{
    *err = (struct ocop_error){0};
    return ocop_attach(w->stores[1], &record, a, out, err);
}

static struct ocop_id attach(struct world *w, struct ocop_id record,
                             const struct ocop_attachment *a)
{
    struct ocop_error err;
    struct ocop_id out;
    must(try_attach(w, record, a, &out, &err), &err);
    return out;
}

/* Files in the folder of device 1: those with their name, or those that are being written. */
static unsigned in_folder(struct world *w, bool whole)
{
    char path[512], below[800];
    unsigned count = 0;
    snprintf(path, sizeof path, "%s/1.ocop.blobs", w->dir);
    DIR *dir = opendir(path);
    for (struct dirent *e; dir && (e = readdir(dir));) {
        if (e->d_name[0] == '.' || (strcmp(e->d_name, "new") != 0) != whole)
            continue;
        snprintf(below, sizeof below, "%s/%s", path, e->d_name);
        DIR *inner = opendir(below);
        for (struct dirent *f; inner && (f = readdir(inner));)
            count += f->d_name[0] != '.';
        closedir(inner);
    }
    if (dir)
        closedir(dir);
    return count;
}

static size_t count_files(struct world *w, const struct ocop_id *record)
{
    struct ocop_error err = {0};
    struct ocop_file_list *list;
    must(ocop_files(w->stores[1], record, &list, &err), &err);
    const size_t count = list->count;
    ocop_file_list_free(list);
    return count;
}

static enum ocop_file_state state_of(struct world *w, struct ocop_id id, char text[200])
{
    struct ocop_error err = {0};
    struct ocop_file_list *list;
    enum ocop_file_state state = 0;
    must(ocop_files(w->stores[1], NULL, &list, &err), &err);
    for (size_t i = 0; i < list->count; i++)
        if (memcmp(&list->files[i].id, &id, sizeof id) == 0) {
            state = list->files[i].state;
            snprintf(text, 200, "%s", list->files[i].text);
        }
    ocop_file_list_free(list);
    return state;
}

static void expect_content(struct world *w, struct ocop_id id, const void *bytes, size_t len)
{
    struct ocop_error err = {0};
    uint8_t *read = malloc(len + 1);
    size_t got;
    must(ocop_file_read(w->stores[1], &id, 0, read, len + 1, &got, &err), &err);
    assert_int_equal(got, len);
    assert_memory_equal(read, bytes, len);
    free(read);
}

static void found(void *self, const char *line)
{
    snprintf(self, 400, "%s", line);
}

/* How many findings `ocop check` has; the last of them in `line`. */
static unsigned check(struct world *w, char line[400])
{
    struct ocop_error err = {0};
    unsigned findings;
    line[0] = 0;
    must(ocop_check(w->stores[1], found, line, &findings, &err), &err);
    return findings;
}

static void reopen(struct world *w)
{
    struct ocop_error err = {0};
    struct ocop_options options = {.link = &w->links[1]};
    char path[128];
    ocop_close(w->stores[1]);
    snprintf(path, sizeof path, "%s/1.ocop", w->dir);
    must(ocop_open(path, &options, &w->stores[1], &err), &err);
}

/* --- what becomes of a content ------------------------------------------------------------------
 */

static void a_photo_becomes_a_record_that_names_its_content(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    ProtobufCMessage *m;
    uint8_t bytes[40000];
    char text[200], line[400];
    struct ocop_id record = world_inspect(w, 1, "pass");
    struct ocop_attachment a = photo(bytes, sizeof bytes, 1);
    a.name = "ảnh bếp.jpg";
    a.caption = "Khu sơ chế";
    a.taken_ms = 1785900000000;
    a.has_place = true;
    a.lat_e6 = 12448900;
    a.lon_e6 = 107630100;
    struct ocop_id id = attach(w, record, &a);
    must(ocop_load(w->stores[1], &id, &m, &err), &err);
    const Ocop__Attachment *r = (Ocop__Attachment *)m;
    assert_memory_equal(r->record_id.data, record.b, ID_LEN);
    assert_memory_equal(r->unit_id.data, w->commune.b, ID_LEN);
    assert_string_equal(r->role, "photo");
    assert_string_equal(r->media_type, "image/jpeg");
    assert_string_equal(r->file_name, "ảnh bếp.jpg");
    assert_string_equal(r->caption, "Khu sơ chế");
    assert_int_equal(r->size, sizeof bytes);
    assert_int_equal(r->taken_ms, 1785900000000);
    assert_int_equal(r->lat_e6, 12448900);
    uint8_t hash[HASH_LEN];
    hash_bytes(span_of(bytes, sizeof bytes), hash);
    assert_memory_equal(r->hash.data, hash, HASH_LEN);
    ocop_free(m);
    expect_content(w, id, bytes, sizeof bytes);
    assert_int_equal(state_of(w, id, text), OCOP_FILE_WAITING);
    assert_string_equal(text, "here, not at the registry yet (40 KiB, never tried)");
    assert_int_equal(check(w, line), 0);
    reopen(w);
    expect_content(w, id, bytes, sizeof bytes);
    assert_int_equal(world_sync(w, 1).applied, 2);
    assert_int_equal(world_count(w, "SELECT count(*) FROM attachment WHERE size = 40000"), 1);
    assert_string_equal(world_value(w, "attachment", id, "caption"), "\"Khu sơ chế\"");
}

static void a_file_and_a_descriptor_are_taken_as_bytes_are(void **state)
{
    struct world *w = *state;
    uint8_t bytes[100000];
    char path[160];
    struct ocop_attachment a = photo(bytes, sizeof bytes, 2);
    struct ocop_id record = world_inspect(w, 1, "pass");
    int ends[2];
    snprintf(path, sizeof path, "%s/bếp.jpg", w->dir);
    FILE *f = fopen(path, "wb");
    assert_int_equal(fwrite(bytes, 1, sizeof bytes, f), sizeof bytes);
    fclose(f);
    struct ocop_attachment file = {.path = path, .role = "photo", .media_type = "image/jpeg"};
    struct ocop_id first = attach(w, record, &file);
    struct ocop_attachment open = {.fd = openat(AT_FDCWD, path, O_RDONLY), .role = "photo"};
    struct ocop_id second = attach(w, record, &open);
    close(open.fd);
    remove(path); /* the source may go */
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], bytes, 50000), 50000);
    close(ends[1]);
    struct ocop_id third =
        attach(w, record, &(struct ocop_attachment){.fd = ends[0], .role = "photo"});
    close(ends[0]);
    expect_content(w, first, bytes, sizeof bytes);
    expect_content(w, second, bytes, sizeof bytes);
    expect_content(w, third, bytes, 50000);
    expect_content(w, attach(w, record, &a), bytes, sizeof bytes);
    assert_int_equal(in_folder(w, true), 2); /* the same content is kept once */
    assert_int_equal(count_files(w, &record), 4);
}

/* Of a descriptor, what was read of it already is not wanted; of a part, nothing around it. */
static void a_part_of_a_file_is_attached_from_where_it_begins(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct ocop_id out;
    uint8_t bytes[50000];
    char path[160], before[700] = "somebody else's";
    int ends[2];
    photo(bytes, sizeof bytes, 3);
    struct ocop_id record = world_inspect(w, 1, "pass");
    snprintf(path, sizeof path, "%s/pack", w->dir);
    FILE *f = fopen(path, "wb");
    assert_int_equal(fwrite(before, 1, sizeof before, f), sizeof before);
    assert_int_equal(fwrite(bytes, 1, sizeof bytes, f), sizeof bytes);
    fclose(f);
    struct ocop_attachment a = {.fd = openat(AT_FDCWD, path, O_RDONLY), .role = "photo"};
    assert_int_equal(lseek(a.fd, sizeof before, SEEK_SET), sizeof before);
    expect_content(w, attach(w, record, &a), bytes, sizeof bytes);
    assert_int_equal(lseek(a.fd, 0, SEEK_CUR), sizeof before); /* it stands where it stood */
    a.has_part = true;
    a.part_at = sizeof before;
    a.part_len = 20000;
    expect_content(w, attach(w, record, &a), bytes, 20000);
    static const uint64_t bad[][2] = {{700, 50001}, {50701, 0}, {UINT64_MAX, 5}, {5, UINT64_MAX}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        a.part_at = bad[i][0];
        a.part_len = bad[i][1];
        assert_int_equal(ocop_attach(w->stores[1], &record, &a, &out, &err), OCOP_EINVAL);
        assert_string_equal(err.text, "the file has no such part");
    }
    a.has_part = false;
    assert_int_equal(lseek(a.fd, 90000, SEEK_SET), 90000); /* behind the end */
    assert_int_equal(ocop_attach(w->stores[1], &record, &a, &out, &err), OCOP_EINVAL);
    close(a.fd);
    assert_int_equal(pipe(ends), 0);
    a = (struct ocop_attachment){.fd = ends[0], .role = "photo", .has_part = true, .part_len = 5};
    assert_int_equal(ocop_attach(w->stores[1], &record, &a, &out, &err), OCOP_EINVAL);
    assert_string_equal(err.text, "has no parts: it is no file");
    close(ends[0]);
    close(ends[1]);
}

struct reading {
    const uint8_t *bytes;
    size_t len, step;
    long fails_at; /* bytes; 0: never */
    size_t done;
};

static long give(void *user, void *out, size_t len)
{
    struct reading *r = user;
    size_t n = r->len - r->done < r->step ? r->len - r->done : r->step;
    n = n < len ? n : len;
    if (r->fails_at && r->done >= (size_t)r->fails_at)
        return -1;
    memcpy(out, r->bytes + r->done, n);
    r->done += n;
    return (long)n;
}

static void what_a_function_gives_is_attached_and_what_it_fails_with_is_not(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct ocop_id out;
    uint8_t bytes[50000];
    photo(bytes, sizeof bytes, 4);
    struct ocop_id record = world_inspect(w, 1, "pass");
    for (size_t step = 1; step < sizeof bytes; step *= 37) {
        struct reading r = {bytes, sizeof bytes, step, 0, 0};
        struct ocop_attachment a = {.read = give, .user = &r, .fd = -1, .role = "photo"};
        expect_content(w, attach(w, record, &a), bytes, sizeof bytes);
    }
    const unsigned before = in_folder(w, true);
    struct reading r = {bytes, sizeof bytes, 777, 20000, 0};
    struct ocop_attachment a = {.read = give, .user = &r, .fd = -1, .role = "photo"};
    assert_int_equal(ocop_attach(w->stores[1], &record, &a, &out, &err), OCOP_EIO);
    assert_string_equal(err.field, "read");
    r = (struct reading){bytes, 0, 777, 0, 0};
    assert_int_equal(ocop_attach(w->stores[1], &record, &a, &out, &err), OCOP_EINVAL);
    assert_int_equal(in_folder(w, true), before);
    assert_int_equal(in_folder(w, false), 0);
}

static void an_attachment_of_a_draft_is_one_until_the_record_is_submitted(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    uint8_t bytes[1000];
    char text[200], line[400];
    struct ocop_attachment a = photo(bytes, sizeof bytes, 3);
    struct ocop_id record = world_draft(w, 1), id = attach(w, record, &a);
    assert_int_equal(state_of(w, id, text), OCOP_FILE_DRAFT);
    assert_int_equal(world_sync(w, 1).pushed, 0);
    must(ocop_submit_draft(w->stores[1], &record, NULL, &err), &err);
    assert_int_equal(state_of(w, id, text), OCOP_FILE_WAITING);
    assert_int_equal(world_sync(w, 1).applied, 2);
    /* And one that is discarded takes them with it, the content too, unless another names it. */
    struct ocop_id other = world_draft(w, 1), gone = attach(w, other, &a);
    must(ocop_discard(w->stores[1], &other, &err), &err);
    assert_int_equal(state_of(w, gone, text), 0);
    assert_int_equal(in_folder(w, true), 1);
    other = world_draft(w, 1);
    a = photo(bytes, sizeof bytes, 4);
    attach(w, other, &a);
    assert_int_equal(in_folder(w, true), 2);
    must(ocop_void(w->stores[1], &other, NULL, &err), &err);
    assert_int_equal(in_folder(w, true), 1);
    assert_int_equal(check(w, line), 0);
    photo(bytes, sizeof bytes, 3);
    expect_content(w, id, bytes, sizeof bytes);
}

/* In the field the photo is often first, and the unit is chosen at the table. */
static void an_attachment_gets_the_unit_that_its_record_has_when_it_is_submitted(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    uint8_t bytes[1000];
    char unit[64], none[OCOP_ID_TEXT_LEN + 1];
    struct ocop_attachment a = photo(bytes, sizeof bytes, 3);
    ProtobufCMessage *m = NULL;
    struct ocop_id record = world_draft(w, 1), commune;
    memcpy(commune.b, w->commune.b, sizeof commune.b);
    snprintf(unit, sizeof unit, "unit_id=%s", ocop_id_text(commune, none));
    must(ocop_load(w->stores[1], &record, &m, &err), &err);
    must(ocop_set_text(w->stores[1], &m, "unit_id=", &err), &err);
    must(ocop_save(w->stores[1], m, &err), &err);
    struct ocop_id id = attach(w, record, &a);
    must(ocop_set_text(w->stores[1], &m, unit, &err), &err);
    must(ocop_submit(w->stores[1], m, &err), &err);
    ocop_free(m);
    assert_int_equal(world_sync(w, 1).applied, 2);
    const char *there = world_value(w, "attachment", id, "unit_id");
    assert_string_equal(there, world_value(w, "inspection", record, "unit_id"));
    assert_string_not_equal(there, "null");
}

/* --- signatures as they are written ---------------------------------------------------------- */

static void a_signature_is_kept_as_it_was_written(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    ProtobufCMessage *m;
    struct ocop_id id, again;
    static const struct ocop_point first[] = {{100, 200, 0}, {180, 200, 16}, {180, 120, 33}};
    static const struct ocop_point dot[] = {{260, 40, 900}};
    const struct ocop_stroke strokes[] = {{first, 3}, {dot, 1}};
    const struct ocop_strokes all = {strokes, 2};
    const struct ocop_attachment what = {.caption = "Chủ cơ sở", .taken_ms = 1785900000000};
    static const char svg[] =
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"97 37 166 166\" fill=\"none\" "
        "stroke=\"#000\" stroke-width=\"3\" stroke-linecap=\"round\" stroke-linejoin=\"round\">\n"
        "<path d=\"M100 200l80 0 0 -80\" data-ms=\"0 16 17\"/>\n"
        "<path d=\"M260 40h0\" data-ms=\"900\"/>\n"
        "</svg>\n";
    struct ocop_id record = world_inspect(w, 1, "pass");
    must(ocop_attach_strokes(w->stores[1], &record, &all, &what, &id, &err), &err);
    must(ocop_attach_strokes(w->stores[1], &record, &all, NULL, &again, &err), &err);
    expect_content(w, id, svg, sizeof svg - 1);
    assert_int_equal(in_folder(w, true), 1); /* the same strokes are the same file */
    must(ocop_load(w->stores[1], &id, &m, &err), &err);
    const Ocop__Attachment *r = (Ocop__Attachment *)m;
    assert_string_equal(r->role, "signature");
    assert_string_equal(r->media_type, "image/svg+xml");
    assert_string_equal(r->file_name, "signature.svg");
    assert_string_equal(r->caption, "Chủ cơ sở");
    assert_int_equal(r->taken_ms, 1785900000000);
    ocop_free(m);
    assert_int_equal(world_sync(w, 1).files_sent, 1);
}

static void strokes_that_are_none_are_refused(void **state)
{
    struct world *w = *state;
    static struct ocop_point many[OCOP_STROKE_POINTS_MAX + 1];
    static const struct ocop_point outside[] = {{0, 32768, 0}}, aside[] = {{32768, 0, 0}},
                                   before[] = {{-1, 0, 0}}, late[] = {{1, 1, 3600001}},
                                   back[] = {{1, 1, 5}, {1, 1, 4}}, good[] = {{1, 1, 5}};
    const struct ocop_stroke v[] = {{many, OCOP_STROKE_POINTS_MAX + 1},
                                    {outside, 1},
                                    {before, 1},
                                    {late, 1},
                                    {back, 2},
                                    {good, 0},
                                    {good, 1},
                                    {late, 1},
                                    {aside, 1}};
    const struct {
        struct ocop_strokes strokes;
        const char *role;
        enum ocop_status status;
        const char *field, *text;
    } cases[] = {
        {{v, 0}, NULL, OCOP_EINVAL, "strokes", "there are none"},
        {{v, 1}, NULL, OCOP_ELIMIT, "strokes", "20000 points"},
        {{v + 1, 1}, NULL, OCOP_EINVAL, "strokes", "32767,32767"},
        {{v + 2, 1}, NULL, OCOP_EINVAL, "strokes", "from 0,0"},
        {{v + 8, 1}, NULL, OCOP_EINVAL, "strokes", "32767,32767"},
        {{v + 3, 1}, NULL, OCOP_EINVAL, "strokes", "within an hour"},
        {{v + 4, 1}, NULL, OCOP_EINVAL, "strokes", "in order"},
        {{v + 5, 1}, NULL, OCOP_EINVAL, "strokes", "no points"},
        {{v + 6, 2}, NULL, OCOP_EINVAL, "strokes", "within an hour"},
        {{v + 6, 1}, "photo", OCOP_EINVAL, "role", "are a signature"},
    };
    struct ocop_id out, record = world_inspect(w, 1, "pass");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ocop_error err = {0};
        const struct ocop_attachment what = {.role = cases[i].role};
        enum ocop_status st =
            ocop_attach_strokes(w->stores[1], &record, &cases[i].strokes, &what, &out, &err);
        if (st != cases[i].status || strcmp(err.field, cases[i].field) != 0 ||
            !strstr(err.text, cases[i].text))
            fail_msg("%zu: %s, \"%s\": %s", i, err_name(st), err.field, err.text);
    }
    /* As many as there may be, as far apart as they may be, fit. */
    struct ocop_error err = {0};
    for (size_t i = 0; i < OCOP_STROKE_POINTS_MAX; i++)
        many[i] = (struct ocop_point){i % 2 ? OCOP_STROKE_SIDE_MAX : 0,
                                      i % 2 ? 0 : OCOP_STROKE_SIDE_MAX, (uint32_t)i * 180};
    const struct ocop_stroke most = {many, OCOP_STROKE_POINTS_MAX};
    must(ocop_attach_strokes(w->stores[1], &record, &(struct ocop_strokes){&most, 1}, NULL, &out,
                             &err),
         &err);
    assert_int_equal(count_files(w, &record), 1);
}

/* --- bad input ----------------------------------------------------------------------------------
 */

struct bad {
    struct ocop_attachment a;
    enum ocop_status status;
    const char *field, *text;
};

static void expect_bad(struct world *w, struct ocop_id record, const struct bad *b)
{
    struct ocop_error err;
    struct ocop_id out;
    enum ocop_status st = try_attach(w, record, &b->a, &out, &err);
    if (st != b->status || strcmp(err.field, b->field) != 0 || !strstr(err.text, b->text))
        fail_msg("%s, \"%s\": %s", err_name(st), err.field, err.text);
}

static void what_is_wrong_with_a_file_is_named_and_nothing_is_kept(void **state)
{
    struct world *w = *state;
    static uint8_t large[(17 << 20)];
    uint8_t bytes[1000];
    char folder[128], empty[128], gone[128], fifo[128], long_name[300], line[400];
    struct ocop_id record = world_inspect(w, 1, "pass");
    const unsigned before = in_folder(w, true);
    snprintf(folder, sizeof folder, "%s", w->dir);
    snprintf(empty, sizeof empty, "%s/empty.jpg", w->dir);
    snprintf(gone, sizeof gone, "%s/gone.jpg", w->dir);
    snprintf(fifo, sizeof fifo, "%s/fifo.jpg", w->dir);
    fclose(fopen(empty, "wb"));
    assert_int_equal(mkfifo(fifo, 0600), 0);
    memset(long_name, 'x', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = 0;
    photo(large, sizeof large, 5);
    const struct ocop_attachment good = photo(bytes, sizeof bytes, 5);
#define GOOD(...)                                                                                  \
    {                                                                                              \
        .bytes = bytes, .len = sizeof bytes, .role = "photo", __VA_ARGS__                          \
    }
    const struct bad cases[] = {
        {{.path = empty, .role = "photo"}, OCOP_EINVAL, "path", "is empty"},
        {{.bytes = bytes, .len = 0, .role = "photo"}, OCOP_EINVAL, "bytes", "is empty"},
        {{.path = gone, .role = "photo"}, OCOP_ENOTFOUND, "path", "cannot be opened"},
        {{.fd = -1, .role = "photo"}, OCOP_EINVAL, "fd", "no open descriptor"},
        {{.path = folder, .role = "photo"}, OCOP_EINVAL, "path", "is not a file"},
        {{.path = fifo, .role = "photo"}, OCOP_EINVAL, "path", "is not a file"},
        {{.fd = 987, .role = "photo"}, OCOP_EIO, "fd", "cannot be opened"},
        {{.bytes = large, .len = sizeof large, .role = "photo"}, OCOP_ELIMIT, "bytes", "16384 KiB"},
        {{.bytes = "Biên bản", .len = 11, .role = "photo"}, OCOP_EINVAL, "role", "text/plain"},
        {{.bytes = "\x7f"
                   "ELF",
          .len = 4,
          .role = "signature"},
         OCOP_EINVAL,
         "role",
         "cannot be"},
        {GOOD(.media_type = "image/png"), OCOP_EINVAL, "media_type", "is image/jpeg"},
        {GOOD(.name = "../../etc/passwd"), OCOP_EINVAL, "name", "not a path"},
        {GOOD(.name = "a\\b.jpg"), OCOP_EINVAL, "name", "not a path"},
        {GOOD(.name = ".."), OCOP_EINVAL, "name", "not a path"},
        {GOOD(.name = "a\nb.jpg"), OCOP_EINVAL, "name", "another name"},
        {GOOD(.name = "a\x1b[2J.jpg"), OCOP_EINVAL, "name", "another name"},
        {GOOD(.name = "\xc3\x28.jpg"), OCOP_EINVAL, "name", "another name"},
        {GOOD(.name = "\xe2\x80\xaegpj.exe"), OCOP_EINVAL, "name", "turns around"},
        {GOOD(.name = "a\xe2\x81\xa6.jpg"), OCOP_EINVAL, "name", "turns around"},
        {GOOD(.name = long_name), OCOP_ELIMIT, "name", "299 bytes"},
        {GOOD(.caption = "a\x01"), OCOP_EINVAL, "caption", "control characters"},
        {{.bytes = bytes, .len = sizeof bytes, .role = ""}, OCOP_EINVAL, "role", "missing"},
        {{.bytes = bytes, .len = sizeof bytes, .role = "selfie"}, OCOP_EINVAL, "role", "selfie"},
        {GOOD(.has_place = true, .lat_e6 = 91000000), OCOP_EINVAL, "lat_e6", "allowed"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect_bad(w, record, &cases[i]);
    struct ocop_id nowhere = {{9}}, unit, voided = world_inspect(w, 1, "pass");
    struct ocop_error err = {0};
    memcpy(unit.b, w->commune.b, ID_LEN);
    expect_bad(w, nowhere, &(struct bad){good, OCOP_ENOTFOUND, "", "no such record"});
    expect_bad(w, unit, &(struct bad){good, OCOP_EINVAL, "record", "kind unit"});
    must(ocop_void(w->stores[1], &voided, "ghi nhầm", &err), &err);
    expect_bad(w, voided, &(struct bad){good, OCOP_ESTATE, "record", "voided"});
    assert_int_equal(in_folder(w, true), before);
    assert_int_equal(in_folder(w, false), 0);
    assert_int_equal(count_files(w, &record), 0);
    assert_int_equal(check(w, line), 0);
}

/* Its last byte is written while the copy is made, as a camera does that is not done yet. */
struct camera {
    const char *path;
    atomic_bool stop;
};

static void *write_on(void *self)
{
    struct camera *c = self;
    while (!atomic_load(&c->stop)) {
        FILE *f = fopen(c->path, "ab");
        fputc('x', f);
        fclose(f);
    }
    return NULL;
}

static void a_file_that_is_written_to_is_not_taken(void **state)
{
    struct world *w = *state;
    struct ocop_error err;
    struct ocop_id out, record = world_inspect(w, 1, "pass");
    static uint8_t bytes[8 << 20];
    char path[128];
    pthread_t thread;
    struct camera camera = {.path = path};
    enum ocop_status st = OCOP_OK;
    snprintf(path, sizeof path, "%s/camera.jpg", w->dir);
    photo(bytes, sizeof bytes, 6);
    FILE *f = fopen(path, "wb");
    assert_int_equal(fwrite(bytes, 1, sizeof bytes, f), sizeof bytes);
    fclose(f);
    atomic_init(&camera.stop, false);
    assert_int_equal(pthread_create(&thread, NULL, write_on, &camera), 0);
    /* It is taken only when not one byte came while it was read. */
    for (int i = 0; i < 1000 && st == OCOP_OK; i++)
        st = try_attach(w, record, &(struct ocop_attachment){.path = path, .role = "photo"}, &out,
                        &err);
    atomic_store(&camera.stop, true);
    pthread_join(thread, NULL);
    assert_int_equal(st, OCOP_EBUSY);
    assert_string_equal(err.field, "path");
    assert_int_equal(in_folder(w, false), 0);
}

static void limits_name_the_file_the_record_or_the_store(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    uint8_t bytes[3000];
    struct ocop_file_limits limits;
    struct ocop_id record = world_inspect(w, 1, "pass"), other = world_inspect(w, 1, "pass");
    must(ocop_get_file_limits(w->stores[1], &limits, &err), &err);
    assert_int_equal(limits.file_bytes, FILE_BYTES_DEFAULT);
    limits = (struct ocop_file_limits){2000, 3500, 5000};
    must(ocop_set_file_limits(w->stores[1], &limits, &err), &err);
    reopen(w); /* they are the store's */
    struct ocop_attachment a = photo(bytes, 2001, 7);
    expect_bad(w, record, &(struct bad){a, OCOP_ELIMIT, "bytes", "one file"});
    a = photo(bytes, 2000, 7);
    attach(w, record, &a);
    attach(w, record, &a); /* it is there once */
    a = photo(bytes, 1600, 8);
    expect_bad(w, record, &(struct bad){a, OCOP_ELIMIT, "record", "one record"});
    attach(w, other, &a);
    a = photo(bytes, 1500, 9);
    expect_bad(w, other, &(struct bad){a, OCOP_ELIMIT, "store", "sync them first"});
    a = photo(bytes, 2000, 7);
    for (unsigned i = 2; i < RECORD_FILES_MAX; i++)
        attach(w, record, &a);
    expect_bad(w, record, &(struct bad){a, OCOP_ELIMIT, "record", "200 attachments"});
    struct ocop_file_limits bad = {0, 1, 1};
    assert_int_equal(ocop_set_file_limits(w->stores[1], &bad, &err), OCOP_ELIMIT);
    assert_string_equal(err.field, "file_bytes");
    bad = (struct ocop_file_limits){10, 9, 10};
    assert_int_equal(ocop_set_file_limits(w->stores[1], &bad, &err), OCOP_EINVAL);
    assert_string_equal(err.field, "record_bytes");
    bad = (struct ocop_file_limits){10, 20, 19};
    assert_int_equal(ocop_set_file_limits(w->stores[1], &bad, &err), OCOP_EINVAL);
    assert_string_equal(err.field, "store_bytes");
}

/* A store that is full of what can be fetched again takes new evidence in its place; what was not
 * sent stays, and then it says what helps. */
static void what_the_registry_has_makes_room_for_what_is_new(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    uint8_t bytes[3000];
    char text[200], line[400];
    const struct ocop_file_limits limits = {2000, 5000, 5000};
    struct ocop_id record = world_inspect(w, 1, "pass"), id[4];
    must(ocop_set_file_limits(w->stores[1], &limits, &err), &err);
    struct ocop_attachment a = photo(bytes, 2000, 20);
    id[0] = attach(w, record, &a);
    assert_int_equal(world_sync(w, 1).files_sent, 1);
    record = world_inspect(w, 1, "pass");
    a = photo(bytes, 2000, 21);
    id[1] = attach(w, record, &a);
    a = photo(bytes, 1500, 22);
    id[2] = attach(w, record, &a);
    assert_int_equal(state_of(w, id[0], text), OCOP_FILE_ABSENT);
    assert_int_equal(state_of(w, id[1], text), OCOP_FILE_WAITING);
    assert_int_equal(in_folder(w, true), 2);
    record = world_inspect(w, 1, "pass");
    a = photo(bytes, 2000, 20);
    expect_bad(w, record, &(struct bad){a, OCOP_ELIMIT, "store", "not sent yet have 3 KiB"});
    assert_int_equal(world_sync(w, 1).files_sent, 2); /* that is what it says */
    id[3] = attach(w, record, &a);
    expect_content(w, id[3], bytes, 2000);
    assert_int_equal(in_folder(w, true), 2);
    assert_int_equal(check(w, line), 0);
    assert_int_equal(world_sync(w, 1).files_left, 0);
}

/* What is attached again counts once, so it fits where nothing else does. */
static void the_same_content_fits_a_full_record_and_a_full_store(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    uint8_t bytes[2000], more[2000];
    const struct ocop_file_limits limits = {2000, 2000, 2000};
    struct ocop_id record = world_inspect(w, 1, "pass");
    must(ocop_set_file_limits(w->stores[1], &limits, &err), &err);
    struct ocop_attachment a = photo(bytes, 2000, 23), b = photo(more, 20, 24);
    attach(w, record, &a);
    expect_bad(w, record, &(struct bad){b, OCOP_ELIMIT, "record", "one record"});
    expect_content(w, attach(w, record, &a), bytes, 2000);
    record = world_inspect(w, 1, "pass");
    expect_bad(w, record, &(struct bad){b, OCOP_ELIMIT, "store", "sync them first"});
    expect_content(w, attach(w, record, &a), bytes, 2000);
    assert_int_equal(in_folder(w, true), 1);
}

/* What can be fetched again makes room for what is attached, and for nothing else. */
static void an_attach_that_fails_lets_go_of_nothing(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    uint8_t bytes[2000], more[2000];
    const struct ocop_file_limits limits = {2000, 2000, 2000};
    struct ocop_id record = world_inspect(w, 1, "pass");
    must(ocop_set_file_limits(w->stores[1], &limits, &err), &err);
    struct ocop_attachment a = photo(bytes, 2000, 25), b = photo(more, 2000, 26);
    const struct ocop_id first = attach(w, record, &a);
    assert_int_equal(world_sync(w, 1).files_sent, 1);
    record = world_inspect(w, 1, "pass");
    const struct ocop_attachment none = {.path = "/there/is/none.jpg", .role = "photo"};
    expect_bad(w, record, &(struct bad){none, OCOP_ENOTFOUND, "path", "none.jpg"});
    b.media_type = "image/png";
    expect_bad(w, record, &(struct bad){b, OCOP_EINVAL, "media_type", ""});
    b.media_type = NULL;
    b.caption = "\xff";
    expect_bad(w, record, &(struct bad){b, OCOP_EINVAL, "caption", ""});
    expect_content(w, first, bytes, 2000);
    b.caption = NULL;
    attach(w, record, &b);
    assert_int_equal(in_folder(w, true), 1);
}

/* --- a program that is killed, a disk that fails, a store that is wiped
 * --------------------------- */

/* A child is killed at any moment of it: afterwards there are both, the record and the content, or
 * neither, and nothing lies about. */
static void a_killed_program_leaves_both_or_neither(void **state)
{
    struct world *w = *state;
    static uint8_t bytes[2 << 20];
    char path[128], line[400], text[200];
    struct ocop_error err = {0};
    unsigned kept = 0, killed = 0;
    struct ocop_id record = world_inspect(w, 1, "pass");
    struct ocop_attachment a = photo(bytes, sizeof bytes, 10);
    ocop_close(w->stores[1]);
    w->stores[1] = NULL;
    snprintf(path, sizeof path, "%s/1.ocop", w->dir);
    for (unsigned n = 0; n < 25; n++) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            struct ocop_store *s;
            struct ocop_id out;
            memset(bytes + 100, (int)n, sizeof bytes - 100);
            if (ocop_open(path, NULL, &s, NULL) != OCOP_OK)
                _exit(1);
            _exit(ocop_attach(s, &record, &a, &out, NULL) == OCOP_OK ? 0 : 1);
        }
        const struct timespec later = {0, (long)n * 700000};
        nanosleep(&later, NULL);
        kill(child, SIGKILL);
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        killed += WIFSIGNALED(status);
        must(ocop_open(path, &(struct ocop_options){.link = &w->links[1]}, &w->stores[1], &err),
             &err);
        unsigned removed;
        must(ocop_files_sweep(w->stores[1], &removed, &err), &err);
        kept = (unsigned)count_files(w, &record);
        assert_int_equal(in_folder(w, true), kept);
        assert_int_equal(in_folder(w, false), 0);
        assert_int_equal(check(w, line), 0);
        if (n < 24) {
            ocop_close(w->stores[1]);
            w->stores[1] = NULL;
        }
    }
    assert_true(killed > 0);
    (void)text;
}

static void what_was_left_half_written_goes_when_the_store_is_opened(void **state)
{
    struct world *w = *state;
    uint8_t bytes[1000];
    char path[200], line[400];
    struct ocop_attachment a = photo(bytes, sizeof bytes, 11);
    attach(w, world_inspect(w, 1, "pass"), &a);
    snprintf(path, sizeof path, "%s/1.ocop.blobs/new/0123", w->dir);
    fclose(fopen(path, "wb"));
    snprintf(path, sizeof path, "%s/1.ocop.blobs/ab", w->dir);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/1.ocop.blobs/ab/ab%062d", w->dir, 0);
    fclose(fopen(path, "wb"));
    assert_int_equal(check(w, line), 1);
    assert_non_null(strstr(line, "no record names it"));
    reopen(w);
    assert_int_equal(in_folder(w, false), 0);
    assert_int_equal(in_folder(w, true), 1);
    assert_int_equal(check(w, line), 0);
}

static void a_content_that_is_gone_or_altered_is_found(void **state)
{
    struct world *w = *state;
    uint8_t bytes[20000], b;
    char path[512], name[CONTENT_NAME_LEN + 1], line[400];
    struct ocop_error err = {0};
    struct ocop_attachment a = photo(bytes, sizeof bytes, 12);
    uint8_t hash[HASH_LEN];
    size_t got;
    struct ocop_id id = attach(w, world_inspect(w, 1, "pass"), &a);
    hash_bytes(span_of(bytes, sizeof bytes), hash);
    content_name(hash, name);
    snprintf(path, sizeof path, "%s/1.ocop.blobs/%.2s/%s", w->dir, name, name);
    int fd = open(path, O_RDWR);
    assert_int_equal(pread(fd, &b, 1, 500), 1);
    b ^= 1;
    assert_int_equal(pwrite(fd, &b, 1, 500), 1);
    close(fd);
    assert_int_equal(check(w, line), 1);
    assert_non_null(strstr(line, "not what was written; that the registry has it is not known"));
    assert_int_equal(ocop_file_read(w->stores[1], &id, 0, bytes, 100, &got, &err), OCOP_EDAMAGED);
    remove(path);
    assert_int_equal(check(w, line), 1);
    assert_non_null(strstr(line, "not here; that the registry has it is not known"));
    assert_int_equal(ocop_file_read(w->stores[1], &id, 0, bytes, 100, &got, &err), OCOP_ENOTFOUND);
    attach(w, world_inspect(w, 1, "pass"), &a); /* attached again, it is there again */
    assert_int_equal(check(w, line), 0);
}

static void a_wiped_store_keeps_no_content_and_not_its_key(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct ocop_sync_summary summary;
    uint8_t bytes[1000], none[CONTENT_KEY_LEN] = {0};
    char path[128];
    struct ocop_attachment a = photo(bytes, sizeof bytes, 13);
    attach(w, world_inspect(w, 1, "pass"), &a);
    struct id replica = w->stores[1]->me.replica;
    must(registry_begin(w->registry, &err), &err);
    must(device_state_set(w->registry, &w->keys, &replica, DEVICE_WIPE, "mất máy", &err), &err);
    must(registry_commit(w->registry, &err), &err);
    assert_int_equal(ocop_sync(w->stores[1], NULL, &summary, &err), OCOP_EWIPED);
    snprintf(path, sizeof path, "%s/1.ocop.blobs", w->dir);
    assert_int_equal(access(path, F_OK), -1);
    assert_memory_equal(w->stores[1]->me.file_key, none, sizeof none);
}

/* Others see the record; the content is not on their device. */
static void another_device_sees_the_record_and_that_the_file_is_not_here(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct ocop_file_list *list;
    uint8_t bytes[2000];
    size_t got;
    struct ocop_attachment a = photo(bytes, sizeof bytes, 14);
    struct ocop_id record = world_inspect(w, 1, "pass"), id = attach(w, record, &a);
    world_sync(w, 1);
    world_enrol(w, 2);
    world_sync(w, 2);
    must(ocop_files(w->stores[2], &record, &list, &err), &err);
    assert_int_equal(list->count, 1);
    assert_memory_equal(&list->files[0].id, &id, sizeof id);
    assert_int_equal(list->files[0].state, OCOP_FILE_ABSENT);
    assert_string_equal(list->files[0].text, "its record is here, the file is not (2 KiB)");
    ocop_file_list_free(list);
    assert_int_equal(ocop_file_read(w->stores[2], &id, 0, bytes, 10, &got, &err), OCOP_ENOTFOUND);
    assert_int_equal(ocop_files(w->stores[2], NULL, &list, &err), OCOP_OK);
    ocop_file_list_free(list);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)
    const struct CMUnitTest tests[] = {
        TEST(a_photo_becomes_a_record_that_names_its_content),
        TEST(a_file_and_a_descriptor_are_taken_as_bytes_are),
        TEST(a_part_of_a_file_is_attached_from_where_it_begins),
        TEST(what_a_function_gives_is_attached_and_what_it_fails_with_is_not),
        TEST(an_attachment_of_a_draft_is_one_until_the_record_is_submitted),
        TEST(an_attachment_gets_the_unit_that_its_record_has_when_it_is_submitted),
        TEST(a_signature_is_kept_as_it_was_written),
        TEST(strokes_that_are_none_are_refused),
        TEST(what_is_wrong_with_a_file_is_named_and_nothing_is_kept),
        TEST(a_file_that_is_written_to_is_not_taken),
        TEST(limits_name_the_file_the_record_or_the_store),
        TEST(what_the_registry_has_makes_room_for_what_is_new),
        TEST(the_same_content_fits_a_full_record_and_a_full_store),
        TEST(an_attach_that_fails_lets_go_of_nothing),
        TEST(a_killed_program_leaves_both_or_neither),
        TEST(what_was_left_half_written_goes_when_the_store_is_opened),
        TEST(a_content_that_is_gone_or_altered_is_found),
        TEST(a_wiped_store_keeps_no_content_and_not_its_key),
        TEST(another_device_sees_the_record_and_that_the_file_is_not_here),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
