/* Contents between devices and the centre: what is cut goes on where it was cut, what is there is
 * not sent again but proved, and who may not have it does not get it. With a real registry and no
 * socket.
 */
#include "test.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "files.h"
#include "photos.h"
#include "records.pb-c.h"

/* --- what the tests share --------------------------------------------------------------------- */

/* --- up ------------------------------------------------------------------------------------------
 */

static void a_content_follows_its_record_and_is_sent_once(void **state)
{
    struct world *w = *state;
    char text[200];
    struct photo *p = photo(10 * CHUNK + 77, 1);
    attach(w, 1, world_inspect(w, 1, "pass"), p);
    assert_false(at_centre(w, p));
    struct ocop_sync_summary sum = world_sync(w, 1);
    assert_int_equal(sum.files_sent, 1);
    assert_int_equal(sum.files_left, 0);
    assert_true(at_centre(w, p));
    assert_int_equal(state_of(w, 1, p->id, text), OCOP_FILE_STORED);
    assert_string_equal(text, "here and at the registry (151 KiB)");
    expect_here(w, 1, p);
    sum = world_sync(w, 1);
    assert_int_equal(sum.round_trips, 1);
    assert_int_equal(sum.files_sent, 0);
    free(p);
}

/* A draft stays; what the registry refuses has no content there. */
static void nothing_travels_before_its_record(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    ProtobufCMessage *m;
    struct ocop_id record;
    struct photo *p = photo(2 * CHUNK, 2);
    must(ocop_new(w->stores[1], "inspection", &m, &err), &err);
    memcpy(record.b, ((Ocop__Inspection *)m)->id.data, ID_LEN);
    must(ocop_save(w->stores[1], m, &err), &err);
    ocop_free(m);
    attach(w, 1, record, p);
    struct ocop_sync_summary sum = world_sync(w, 1);
    assert_int_equal(sum.round_trips, 1);
    assert_int_equal(sum.files_left, 0);
    assert_false(at_centre(w, p));
    assert_int_equal(state_of(w, 1, p->id, NULL), OCOP_FILE_DRAFT);
    free(p);
}

/* Every exchange is cut once, its request or its reply: what came before is not sent again. */
static void what_is_cut_goes_on_at_the_chunk(void **state)
{
    struct world *w = *state;
    for (int reply = 0; reply < 2; reply++) {
        struct photo *p = photo(30 * CHUNK + 5, 3 + (unsigned)reply);
        attach(w, 1, world_inspect(w, 1, "pass"), p);
        uint64_t sent = 0, done = 0;
        unsigned syncs = 0;
        for (bool whole = false; !whole; syncs++) {
            struct ocop_error err = {0};
            struct ocop_sync_summary sum;
            assert_true(syncs < 40);
            *(reply ? &w->links[1].drop_reply : &w->links[1].drop_request) = reply && syncs ? 3 : 4;
            enum ocop_status st = ocop_sync(w->stores[1], NULL, &sum, &err);
            sent += sum.bytes_sent;
            whole = st == OCOP_OK && sum.files_left == 0;
            assert_true(st == OCOP_OK || st == OCOP_ETIMEOUT);
            struct ocop_file_list *list;
            must(ocop_files(w->stores[1], NULL, &list, &err), &err);
            const struct ocop_file *f = file_of(list, p->id);
            assert_true(f->done >= done && (syncs == 0 || f->tried_ms > 0));
            done = f->done;
            ocop_file_list_free(list);
        }
        assert_true(at_centre(w, p));
        assert_true(syncs > 5);
        /* Each sync sends its records' request, and one of chunks in vain at the most. */
        assert_true(sent < p->len + syncs * (4 * CHUNK + 2000));
        if (reply)
            assert_true(sent < p->len + syncs * 4000); /* what arrived is not sent again */
        w->links[1].drop_reply = w->links[1].drop_request = 0;
        free(p);
    }
}

static void repeated_exchanges_of_chunks_change_nothing(void **state)
{
    struct world *w = *state;
    struct photo *p = photo(9 * CHUNK, 5), *q = photo(9 * CHUNK, 6);
    struct ocop_id record = world_inspect(w, 1, "pass");
    w->links[1].repeat = true;
    attach(w, 1, record, p);
    assert_int_equal(world_sync(w, 1).files_sent, 1);
    attach(w, 1, record, q);
    assert_int_equal(world_sync(w, 1).files_sent, 1);
    world_sync(w, 0);
    w->links[0].repeat = true;
    fetch(w, 0, p->id);
    assert_int_equal(world_sync(w, 0).files_received, 1);
    expect_here(w, 0, p);
    assert_true(at_centre(w, p) && at_centre(w, q));
    free(p);
    free(q);
}

static void budgets_and_policies_hold(void **state)
{
    struct world *w = *state;
    struct ocop_id record = world_inspect(w, 1, "pass"), other = world_inspect(w, 1, "pass");
    struct photo *large = photo(20 * CHUNK, 7), *small = photo(1000, 8), *middle = photo(CHUNK, 9);
    attach(w, 1, record, large);
    attach(w, 1, record, middle);
    attach(w, 1, other, small);
    sync(w, 1, &(struct ocop_sync_options){.files = OCOP_FILES_NONE});
    struct ocop_sync_summary sum =
        sync(w, 1, &(struct ocop_sync_options){.files = OCOP_FILES_UNMETERED, .metered = true});
    assert_int_equal(sum.round_trips, 1);
    sum = sync(w, 1, &(struct ocop_sync_options){.files_of = &other});
    assert_int_equal(sum.files_sent, 1);
    assert_true(at_centre(w, small) && !at_centre(w, middle) && !at_centre(w, large));
    sum = sync(w, 1, &(struct ocop_sync_options){.file_bytes_max = 2 * CHUNK});
    assert_int_equal(sum.files_sent, 1);
    assert_true(at_centre(w, middle) && !at_centre(w, large));
    sum = sync(w, 1, &(struct ocop_sync_options){.files_bytes_max = 8 * CHUNK});
    assert_int_equal(sum.files_sent, 0);
    assert_int_equal(sum.files_left, 1);
    char text[200];
    assert_int_equal(state_of(w, 1, large->id, text), OCOP_FILE_WAITING);
    assert_non_null(strstr(text, "(120 of 300 KiB, last tried "));
    sum = sync(w, 1, &(struct ocop_sync_options){.files = OCOP_FILES_UNMETERED});
    assert_true(sum.files_sent == 1 && at_centre(w, large));
    assert_true(sum.bytes_sent < 14 * CHUNK); /* the first eight chunks are there */
    free(large);
    free(small);
    free(middle);
}

static void many_small_files_share_requests(void **state)
{
    struct world *w = *state;
    struct ocop_id record = world_inspect(w, 1, "pass");
    enum { MANY = 60 };
    struct photo *v[MANY];
    for (unsigned i = 0; i < MANY; i++)
        attach(w, 1, record, v[i] = photo(500 + i, 100 + i));
    struct ocop_sync_summary sum = world_sync(w, 1);
    assert_int_equal(sum.files_sent, MANY);
    assert_true(sum.round_trips < 8);
    for (unsigned i = 0; i < MANY; i++) {
        assert_true(at_centre(w, v[i]));
        free(v[i]);
    }
}

/* --- who has what
 * ---------------------------------------------------------------------------------- */

static void a_content_that_is_there_is_proved_and_not_sent_again(void **state)
{
    struct world *w = *state;
    struct photo *p = photo(30 * CHUNK, 10), *again = photo(30 * CHUNK, 10);
    attach(w, 1, world_inspect(w, 1, "pass"), p);
    world_sync(w, 1);
    attach(w, 0, world_inspect(w, 0, "pass"), again);
    struct ocop_sync_summary sum = world_sync(w, 0);
    assert_int_equal(sum.files_sent, 1);
    assert_true(sum.bytes_sent < 4000);
    assert_int_equal(world_count(w, "SELECT count(*) FROM brought"), 2);
    assert_int_equal(state_of(w, 0, again->id, NULL), OCOP_FILE_STORED);
    free(p);
    free(again);
}

/* Who has heard of a hash makes an attachment of it, and gets nothing by that: neither to send,
 * since he has nothing, nor to fetch. */
static void a_hash_that_was_heard_of_opens_nothing(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct photo *p = photo(3 * CHUNK, 11);
    Ocop__Attachment claim = OCOP__ATTACHMENT__INIT;
    struct id other = id_next(&w->registry->ids, w->registry->env), id;
    struct id to_come = id_next(&w->registry->ids, w->registry->env);
    /* An attachment in the other commune, which neither device sees; its content is at the centre.
     * Its record is not. */
    struct field v[] = {
        {.number = FIELD_UNIT, .op = FIELD_SET, .bytes = id_span(&w->other_commune)},
        {.number = FIELD_OFFICER, .op = FIELD_SET, .bytes = id_span(&w->producer)},
        {.number = 10, .op = FIELD_SET, .bytes = id_span(&to_come)},
        {.number = 11, .op = FIELD_SET, .bytes = span_str("photo")},
        {.number = 16, .op = FIELD_SET, .bytes = span_str("image/jpeg")},
        {.number = 17, .op = FIELD_SET, .type = VALUE_INT, .i = (int64_t)p->len},
        {.number = 18, .op = FIELD_SET, .bytes = span_of(p->hash, HASH_LEN)}};
    for (size_t i = 0; i < sizeof v / sizeof *v; i++)
        v[i].type = v[i].number == 17 ? VALUE_INT : VALUE_BYTES;
    world_import(
        w,
        &(struct change){
            .kind = KIND_ATTACHMENT, .verb = VERB_CREATE, .record = other, .fields = {v, 7}},
        1);
    struct content_writer writer;
    bool fresh;
    must(content_begin(&w->registry->blobs, &writer, &err), &err);
    must(content_write(&writer, span_of(p->bytes, p->len), &err), &err);
    must(content_seal(&writer, &err), &err);
    must(content_place(&writer, &fresh, &err), &err);
    assert_int_equal(sqlite3_exec(w->registry->db,
                                  "INSERT INTO brought SELECT hash, officer_id, 1, row_sum(hash, "
                                  "officer_id, 1) FROM attachment",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    /* The claim: an attachment of his own record that names the hash. */
    struct ocop_id record = world_inspect(w, 1, "pass");
    id = id_next(&w->registry->ids, w->registry->env);
    claim_is(w, &claim, &id, &record, p->hash, (int64_t)p->len);
    must(ocop_submit(w->stores[1], &claim.base, &err), &err);
    assert_int_equal(world_sync(w, 1).applied, 2);
    memcpy(p->id.b, id.b, ID_LEN);
    fetch(w, 1, p->id);
    struct ocop_sync_summary sum = world_sync(w, 1);
    assert_int_equal(sum.files_received, 0);
    assert_int_equal(sum.files_left, 1);
    assert_true(sum.bytes_received < 2000);
    world_sync(w, 0); /* nor does anybody get it through the claim */
    fetch(w, 0, p->id);
    assert_int_equal(world_sync(w, 0).files_received, 0);
    free(p);
}

/* Whoever wrote the record need not have used this library. */
static void a_name_that_another_device_gave_is_no_path(void **state)
{
    static const struct {
        const char *name, *want;
    } cases[] = {{"../../etc/passwd", "..\xef\xbf\xbd..\xef\xbf\xbd"
                                      "etc\xef\xbf\xbdpasswd"},
                 {"..\\x", "..\xef\xbf\xbdx"},
                 {"..", "..\xef\xbf\xbd"},
                 {".", ".\xef\xbf\xbd"},
                 {"\xe2\x80\xaegpj.exe", "\xef\xbf\xbdgpj.exe"},
                 {"b\xe1\xba\xbfp.jpg", "b\xe1\xba\xbfp.jpg"},
                 {"...", "..."}};
    struct world *w = *state;
    struct ocop_error err = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Ocop__Attachment m = OCOP__ATTACHMENT__INIT;
        struct ocop_file_list *list;
        struct ocop_id record = world_inspect(w, 1, "pass");
        struct id id = id_next(&w->registry->ids, w->registry->env);
        uint8_t hash[HASH_LEN] = {1, (uint8_t)i};
        claim_is(w, &m, &id, &record, hash, 100);
        m.file_name = (char *)(uintptr_t)cases[i].name;
        must(ocop_submit(w->stores[1], &m.base, &err), &err);
        world_sync(w, 1);
        world_sync(w, 0);
        must(ocop_files(w->stores[0], &record, &list, &err), &err);
        assert_int_equal(list->count, 1);
        assert_string_equal(list->files[0].name, cases[i].want);
        ocop_file_list_free(list);
    }
}

/* --- down
 * ------------------------------------------------------------------------------------------ */

static void what_is_seen_may_be_fetched_and_goes_on_where_it_was_cut(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    char text[200];
    struct photo *p = photo(38 * CHUNK + 1, 12);
    attach(w, 1, world_inspect(w, 1, "pass"), p);
    world_sync(w, 1);
    world_sync(w, 0);
    assert_int_equal(state_of(w, 0, p->id, NULL), OCOP_FILE_ABSENT);
    fetch(w, 0, p->id);
    assert_int_equal(state_of(w, 0, p->id, NULL), OCOP_FILE_FETCHING);
    struct ocop_sync_summary sum;
    w->links[0].drop_reply = 3;
    assert_int_equal(ocop_sync(w->stores[0], NULL, &sum, &err), OCOP_ETIMEOUT);
    assert_int_equal(state_of(w, 0, p->id, text), OCOP_FILE_FETCHING);
    assert_non_null(strstr(text, "(240 of 571 KiB"));
    sum = world_sync(w, 0);
    assert_int_equal(sum.files_received, 1);
    assert_true(sum.bytes_received < 24 * CHUNK); /* the first sixteen are here */
    expect_here(w, 0, p);
    assert_int_equal(state_of(w, 0, p->id, NULL), OCOP_FILE_STORED);
    unsigned findings;
    must(ocop_check(w->stores[0], NULL, NULL, &findings, &err), &err);
    assert_int_equal(findings, 0);
    free(p);
}

static void keep_line(void *self, const char *line)
{
    snprintf(self, 400, "%s", line);
}

static void spoil(struct world *w, unsigned n, const struct photo *p)
{
    struct ocop_error err = {0};
    struct content_dir dir;
    char path[PATH_MAX], folder[PATH_MAX];
    must(client_read(w->stores[n], &err), &err);
    must(files_dir(w->stores[n], false, &dir, &err), &err);
    client_read_end(w->stores[n]);
    content_path(&dir, p->hash, path, folder);
    files_dir_fini(&dir);
    const int fd = open(path, O_WRONLY);
    assert_int_equal(pwrite(fd, "!", 1, 100), 1);
    assert_int_equal(close(fd), 0);
}

static void expect_said(struct world *w, unsigned n, const char *what)
{
    struct ocop_error err = {0};
    char line[400] = "";
    unsigned findings;
    must(ocop_check(w->stores[n], keep_line, line, &findings, &err), &err);
    assert_int_equal(findings, *what != 0);
    if (!strstr(line, what))
        fail_msg("not \"%s\": %s", what, line);
}

/* What is advised can be done, and helps. */
static void what_is_said_of_a_damaged_file_is_true(void **state)
{
    struct world *w = *state;
    struct photo *p = photo(3 * CHUNK, 60);
    struct ocop_id record = world_inspect(w, 1, "pass");
    attach(w, 1, record, p);
    spoil(w, 1, p);
    expect_said(w, 1, "that the registry has it is not known: sync");
    assert_int_equal(world_sync(w, 1).files_sent, 0);
    expect_said(w, 1, "attach the file again");
    attach(w, 1, record, p);
    expect_said(w, 1, "");
    assert_int_equal(world_sync(w, 1).files_sent, 1);
    spoil(w, 1, p);
    expect_said(w, 1, "the registry has it; fetch it again");
    fetch(w, 1, p->id);
    assert_int_equal(world_sync(w, 1).files_received, 1);
    expect_said(w, 1, "");
    expect_here(w, 1, p);
    /* It is there, and the reply said so to nobody; then it is damaged. */
    world_sync(w, 0);
    world_backup(w);
    world_restore(w);
    spoil(w, 1, p);
    sync(w, 1, &(struct ocop_sync_options){.files = OCOP_FILES_NONE});
    expect_said(w, 1, "is not known: sync");
    world_sync(w, 1);
    expect_said(w, 1, "the registry has it; fetch it again");
    fetch(w, 1, p->id);
    assert_int_equal(world_sync(w, 1).files_received, 1);
    expect_said(w, 1, "");
    free(p);
}

/* It was attached, and the disk failed before that was noted. */
static void lies_here(struct world *w, unsigned n, const struct photo *p)
{
    struct ocop_error err = {0};
    struct content_dir dir;
    struct content_writer writer;
    bool fresh;
    must(client_write(w->stores[n], &err), &err);
    must(files_dir(w->stores[n], true, &dir, &err), &err);
    must(content_begin(&dir, &writer, &err), &err);
    must(content_write(&writer, span_of(p->bytes, p->len), &err), &err);
    must(content_seal(&writer, &err), &err);
    must(content_place(&writer, &fresh, &err), &err);
    files_dir_fini(&dir);
    must(client_write_end(w->stores[n], OCOP_OK, &err), &err);
}

static void what_lies_here_is_not_at_the_registry_for_that(void **state)
{
    struct world *w = *state;
    struct photo *p = photo(2 * CHUNK, 15);
    attach(w, 1, world_inspect(w, 1, "pass"), p);
    sync(w, 1, &(struct ocop_sync_options){.files = OCOP_FILES_NONE});
    world_sync(w, 0);
    fetch(w, 0, p->id);
    lies_here(w, 0, p);
    world_sync(w, 0);
    assert_int_equal(state_of(w, 0, p->id, NULL), OCOP_FILE_WAITING);
    assert_int_equal(world_sync(w, 1).files_sent, 1);
    world_sync(w, 0);
    assert_int_equal(state_of(w, 0, p->id, NULL), OCOP_FILE_STORED);
    free(p);
}

/* ... nor because it was there when it was let go. */
static void what_was_let_go_and_lies_here_is_not_at_the_registry_for_that(void **state)
{
    struct world *w = *state;
    struct photo *p = photo(2 * CHUNK, 16);
    struct ocop_error err = {0};
    char path[PATH_MAX], folder[PATH_MAX];
    unsigned gone;
    attach(w, 1, world_inspect(w, 1, "pass"), p);
    world_sync(w, 1);
    must(ocop_files_keep(w->stores[1], 0, &gone, &err), &err);
    assert_int_equal(gone, 1);
    content_path(&w->registry->blobs, p->hash, path, folder);
    assert_int_equal(unlink(path), 0); /* as by a restore */
    fetch(w, 1, p->id);
    lies_here(w, 1, p);
    world_sync(w, 1);
    assert_int_equal(state_of(w, 1, p->id, NULL), OCOP_FILE_WAITING);
    assert_int_equal(world_sync(w, 1).files_sent, 1);
    assert_true(at_centre(w, p));
    free(p);
}

/* The centre's file is damaged: nothing of it takes the place of a content, and the others come. */
static void a_content_with_another_hash_is_never_taken(void **state)
{
    struct world *w = *state;
    struct photo *bad = photo(2 * CHUNK, 13), *good = photo(3 * CHUNK, 14);
    struct ocop_id record = world_inspect(w, 1, "pass");
    char path[512], name[CONTENT_NAME_LEN + 1];
    struct ocop_error err = {0};
    uint8_t bytes[10];
    size_t got;
    attach(w, 1, record, bad);
    attach(w, 1, record, good);
    world_sync(w, 1);
    world_sync(w, 0);
    content_name(bad->hash, name);
    snprintf(path, sizeof path, "%s/registry.db.blobs/%.2s/%s", w->dir, name, name);
    int fd = open(path, O_RDWR);
    assert_int_equal(pwrite(fd, "x", 1, CHUNK + 9), 1);
    close(fd);
    fetch(w, 0, bad->id);
    fetch(w, 0, good->id);
    struct ocop_sync_summary sum = world_sync(w, 0);
    assert_int_equal(sum.files_received, 1);
    assert_int_equal(sum.files_left, 1);
    expect_here(w, 0, good);
    assert_int_equal(ocop_file_read(w->stores[0], &bad->id, 0, bytes, 10, &got, &err),
                     OCOP_ENOTFOUND);
    free(bad);
    free(good);
}

/* The sync of every folder below this one fails. */
static const struct content_dir *unsure;

int __real_fsync(int fd);
int __wrap_fsync(int fd);

int __wrap_fsync(int fd)
{
    char link[32], path[PATH_MAX] = "";
    struct stat is;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    if (!unsure || fstat(fd, &is) != 0 || !S_ISDIR(is.st_mode) ||
        readlink(link, path, sizeof path - 1) < 0 ||
        strncmp(path, unsure->path, strlen(unsure->path)) != 0)
        return __real_fsync(fd);
    errno = EIO;
    return -1;
}

/* It got its name there, and a lost power may take that away: nobody is told that it is stored. */
static void what_has_its_name_and_not_on_the_disk_is_not_there(void **state)
{
    struct world *w = *state;
    struct photo *p = photo(CHUNK, 12), *again = photo(CHUNK, 12);
    attach(w, 1, world_inspect(w, 1, "pass"), p);
    unsure = &w->registry->blobs;
    world_sync(w, 1);
    assert_true(at_centre(w, p)); /* where nothing is asked of the disk */
    assert_int_equal(world_sync(w, 1).files_left, 1);
    attach(w, 0, world_inspect(w, 0, "pass"), again);
    world_sync(w, 0);
    assert_int_equal(world_count(w, "SELECT count(*) FROM brought"), 0);
    assert_int_not_equal(state_of(w, 0, again->id, NULL), OCOP_FILE_STORED);
    unsure = NULL;
    for (unsigned n = 0; n < 2; n++)
        assert_int_equal(world_sync(w, n).files_left, 0);
    assert_int_equal(world_count(w, "SELECT count(*) FROM brought"), 2);
    free(p);
    free(again);
}

static void a_wrong_proof_opens_nothing(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct photo *p = photo(3 * CHUNK, 12), *again = photo(3 * CHUNK, 12);
    const struct ocop_sync_options records = {.files = OCOP_FILES_NONE};
    uint8_t proof[HASH_LEN];
    Ocop__Sync__FilesRequest in = OCOP__SYNC__FILES_REQUEST__INIT;
    Ocop__Sync__FilesReply *out;
    Ocop__Sync__FileAsk a = OCOP__SYNC__FILE_ASK__INIT, *asks[] = {&a};
    attach(w, 1, world_inspect(w, 1, "pass"), p);
    world_sync(w, 1);
    attach(w, 0, world_inspect(w, 0, "pass"), again);
    sync(w, 0, &records);
    memcpy(proof, p->hash, HASH_LEN); /* all that who has heard of it knows */
    a.hash = (ProtobufCBinaryData){HASH_LEN, p->hash};
    a.size = p->len;
    a.has_proof = 1;
    a.proof = (ProtobufCBinaryData){HASH_LEN, proof};
    in.asks = asks;
    in.n_asks = 1;
    must(ask(w, 0, &in, &out, &err), &err);
    assert_int_equal(out->states[0]->code, FILE_PROVE);
    assert_int_equal(world_count(w, "SELECT count(*) FROM brought"), 1);
    assert_int_equal(world_sync(w, 0).files_sent, 1); /* the right one does */
    assert_int_equal(world_count(w, "SELECT count(*) FROM brought"), 2);
    free(p);
    free(again);
}

static void bad_chunks_are_refused_one_by_one(void **state)
{
    struct world *w = *state;
    struct photo *p = photo(3 * CHUNK + 10, 15), *unknown = photo(CHUNK, 16);
    const struct span one = span_of(p->bytes, CHUNK), last = span_of(p->bytes + 3 * CHUNK, 10);
    attach(w, 1, world_inspect(w, 1, "pass"), p);
    sync(w, 1, &(struct ocop_sync_options){.files = OCOP_FILES_NONE});
    assert_int_equal(send_chunk(w, 1, unknown, CHUNK, 0, one), FILE_UNNAMED);
    assert_int_equal(send_chunk(w, 0, p, p->len, 0, one), FILE_UNNAMED);     /* another's */
    assert_int_equal(send_chunk(w, 1, p, p->len + 1, 0, one), FILE_UNNAMED); /* not its size */
    assert_int_equal(send_chunk(w, 1, p, 0, 0, one), -OCOP_EPROTO);
    assert_int_equal(send_chunk(w, 1, p, ATTACHED_BYTES_MAX + 1, 0, one), -OCOP_EPROTO);
    assert_int_equal(send_chunk(w, 1, p, p->len, 4, one), FILE_BAD); /* there is none */
    assert_int_equal(send_chunk(w, 1, p, p->len, UINT32_MAX, one), FILE_BAD);
    assert_int_equal(send_chunk(w, 1, p, p->len, 0, last), FILE_BAD); /* of the wrong length */
    assert_int_equal(send_chunk(w, 1, p, p->len, 3, one), FILE_BAD);
    assert_int_equal(send_chunk(w, 1, p, p->len, 3, last), FILE_PART); /* out of order is fine */
    assert_int_equal(send_chunk(w, 1, p, p->len, 1, one), FILE_PART);  /* with a wrong content */
    assert_int_equal(send_chunk(w, 1, p, p->len, 0, one), FILE_PART);
    assert_int_equal(send_chunk(w, 1, p, p->len, 2, span_of(p->bytes + 2 * CHUNK, CHUNK)),
                     FILE_BAD);
    assert_false(at_centre(w, p));
    assert_int_equal(world_count(w, "SELECT count(*) FROM brought"), 0);
    assert_int_equal(world_sync(w, 1).files_sent, 1); /* it began again, and comes whole */
    assert_true(at_centre(w, p));
    free(p);
    free(unknown);
}

/* Both sides say why, and it goes on when there is room again. */
static char said[2][2000]; /* by the device, by the registry */
static bool no_room;

enum ocop_status __real_content_part_put(struct content_part *p, uint32_t index, struct span bytes,
                                         struct ocop_error *err);
enum ocop_status __wrap_content_part_put(struct content_part *p, uint32_t index, struct span bytes,
                                         struct ocop_error *err);

enum ocop_status __wrap_content_part_put(struct content_part *p, uint32_t index, struct span bytes,
                                         struct ocop_error *err)
{
    return no_room ? err_set(err, OCOP_ELIMIT, "the disk is full")
                   : __real_content_part_put(p, index, bytes, err);
}

static void keep_said(void *self, enum env_level level, const char *line)
{
    (void)level;
    strncat(self, line, sizeof *said - 1 - strlen(self));
}

static void what_a_full_registry_does_not_take_waits_and_is_told_by_both(void **state)
{
    struct world *w = *state;
    struct env env[2] = {*env_system(), *env_system()};
    struct photo *p = photo(3 * CHUNK, 70), *q = photo(3 * CHUNK, 71);
    attach(w, 1, world_inspect(w, 1, "pass"), p);
    attach(w, 1, world_inspect(w, 1, "pass"), q);
    for (unsigned i = 0; i < 2; i++) {
        env[i].log = keep_said;
        env[i].self = said[i];
        said[i][0] = 0;
    }
    w->stores[1]->env = &env[0];
    w->registry->env = &env[1];
    no_room = true;
    struct ocop_sync_summary sum = world_sync(w, 1);
    no_room = false;
    w->stores[1]->env = w->registry->env = env_system();
    assert_int_equal(sum.files_left, 2);
    const char *told = strstr(said[0], "event=files_not_taken why=\"the registry has no room");
    assert_non_null(told);
    assert_null(strstr(told + 20, "files_not_taken")); /* once */
    assert_non_null(strstr(said[1], "event=content_failed status=ELIMIT"));
    assert_int_equal(state_of(w, 1, p->id, NULL), OCOP_FILE_WAITING);
    assert_int_equal(world_sync(w, 1).files_sent, 2);
    assert_true(at_centre(w, p) && at_centre(w, q));
    free(p);
    free(q);
}

static void who_is_over_budget_or_revoked_sends_nothing_and_loses_nothing(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct photo *p = photo(3 * CHUNK, 17);
    attach(w, 1, world_inspect(w, 1, "pass"), p);
    w->registry->officer_blobs_max = 2 * CHUNK;
    struct ocop_sync_summary sum = world_sync(w, 1);
    assert_int_equal(sum.files_left, 1);
    assert_int_equal(state_of(w, 1, p->id, NULL), OCOP_FILE_WAITING);
    world_state(w, 1, DEVICE_SUSPENDED);
    assert_int_equal(send_chunk(w, 1, p, p->len, 0, span_of(p->bytes, CHUNK)), -OCOP_ESUSPENDED);
    world_state(w, 1, DEVICE_ACTIVE);
    w->registry->officer_blobs_max = 0;
    assert_int_equal(world_sync(w, 1).files_sent, 1);
    uint8_t stranger[CHANNEL_KEY_LEN] = {1};
    Ocop__Sync__FilesRequest in = OCOP__SYNC__FILES_REQUEST__INIT;
    Ocop__Sync__FilesReply *out;
    struct id me = w->stores[1]->me.replica, nobody = {{1}};
    must(registry_begin(w->registry, &err), &err);
    assert_int_equal(blobs_answer(w->registry, &w->keys, stranger, &in, &w->arena, &out, &err),
                     OCOP_EPROTO);
    in.has_replica = 1;
    in.replica = (ProtobufCBinaryData){ID_LEN, me.b};
    assert_int_equal(blobs_answer(w->registry, &w->keys, stranger, &in, &w->arena, &out, &err),
                     OCOP_EAUTH);
    in.replica.data = nobody.b;
    assert_int_equal(blobs_answer(w->registry, &w->keys, stranger, &in, &w->arena, &out, &err),
                     OCOP_ENOTENROLLED);
    must(registry_commit(w->registry, &err), &err);
    world_state(w, 1, DEVICE_REVOKED);
    assert_int_equal(send_chunk(w, 1, p, p->len, 0, span_of(p->bytes, CHUNK)), -OCOP_EREVOKED);
    free(p);
}

/* --- what cannot be read or written ------------------------------------------------------------
 */

/* A wipe that is not at once waits for contents as it waits for records. */
static void a_device_that_is_to_be_wiped_brings_its_contents_first(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct ocop_sync_summary sum;
    struct photo *p = photo(12 * CHUNK, 20), *lost = photo(CHUNK, 21);
    attach(w, 1, world_inspect(w, 1, "pass"), p);
    world_state(w, 1, DEVICE_WIPE);
    w->links[1].drop_request = 3;
    assert_int_equal(ocop_sync(w->stores[1], NULL, &sum, &err), OCOP_ETIMEOUT);
    expect_here(w, 1, p);
    assert_int_equal(ocop_sync(w->stores[1], NULL, &sum, &err), OCOP_EWIPED);
    assert_true(at_centre(w, p));
    attach(w, 0, world_inspect(w, 0, "pass"), lost);
    world_state(w, 0, DEVICE_WIPE_NOW);
    assert_int_equal(ocop_sync(w->stores[0], NULL, &sum, &err), OCOP_EWIPED);
    assert_false(at_centre(w, lost));
    free(p);
    free(lost);
}

/* It could not go, and the store is all there is of it. */
static void a_wipe_waits_for_a_registry_that_is_full(void **state)
{
    struct world *w = *state;
    struct photo *p = photo(3 * CHUNK, 72);
    struct ocop_error err = {0};
    attach(w, 1, world_inspect(w, 1, "pass"), p);
    world_state(w, 1, DEVICE_WIPE);
    no_room = true;
    assert_int_equal(ocop_sync(w->stores[1], NULL, NULL, &err), OCOP_EBUSY);
    no_room = false;
    assert_non_null(strstr(err.text, "1 files are to be sent"));
    expect_here(w, 1, p);
    assert_int_equal(ocop_sync(w->stores[1], NULL, NULL, &err), OCOP_EWIPED);
    assert_true(at_centre(w, p));
    free(p);
}

/* What the registry before it had said counts no more: each content is asked about again. */
static void a_restored_registry_gets_what_it_lacks(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct photo *early = photo(3 * CHUNK, 24), *late = photo(5 * CHUNK, 25);
    attach(w, 1, world_inspect(w, 1, "pass"), early);
    world_sync(w, 1);
    world_backup(w);
    attach(w, 1, world_inspect(w, 1, "pass"), late);
    world_sync(w, 1);
    must(content_clear(&w->registry->blobs, &err), &err);
    world_restore(w);
    assert_int_equal(world_sync(w, 1).files_sent, 2);
    assert_true(at_centre(w, early) && at_centre(w, late));
    free(early);
    free(late);
}

/* What is fetched makes room for itself, and never at the cost of what was not sent. */
static void what_was_not_sent_is_never_let_go(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct ocop_file_limits limits = {4 * CHUNK, 8 * CHUNK, 8 * CHUNK};
    struct photo *v[3], *mine = photo(4 * CHUNK, 30);
    struct ocop_id record = world_inspect(w, 1, "pass");
    unsigned removed;
    char line[8];
    for (unsigned i = 0; i < 3; i++)
        attach(w, 1, record, v[i] = photo(3 * CHUNK, 31 + i));
    world_sync(w, 1);
    must(ocop_set_file_limits(w->stores[0], &limits, &err), &err);
    world_sync(w, 0);
    attach(w, 0, world_inspect(w, 0, "pass"), mine);
    const struct ocop_sync_options of[3] = {
        {.files_of = &v[0]->id}, {.files_of = &v[1]->id}, {.files_of = &v[2]->id}};
    for (unsigned i = 0; i < 3; i++) {
        fetch(w, 0, v[i]->id);
        assert_int_equal(sync(w, 0, &of[i]).files_received, 1);
        expect_here(w, 0, v[i]);
        expect_here(w, 0, mine);
        if (i > 0)
            assert_int_equal(state_of(w, 0, v[i - 1]->id, NULL), OCOP_FILE_ABSENT);
    }
    must(ocop_files_keep(w->stores[0], 0, &removed, &err), &err);
    assert_int_equal(removed, 1);
    expect_here(w, 0, mine);
    limits = (struct ocop_file_limits){4 * CHUNK, 5 * CHUNK, 6 * CHUNK};
    must(ocop_set_file_limits(w->stores[0], &limits, &err), &err);
    assert_int_equal(ocop_fetch(w->stores[0], &v[0]->id, &err), OCOP_ELIMIT);
    assert_string_equal(err.field, "store");
    must(ocop_check(w->stores[0], NULL, line, &removed, &err), &err);
    assert_int_equal(removed, 0);
    for (unsigned i = 0; i < 3; i++)
        free(v[i]);
    free(mine);
}

static int64_t days; /* that a device's clock is ahead */

static int64_t days_ahead(void *self)
{
    (void)self;
    return env_now_ms(env_system()) + days * INT64_C(86400000);
}

static void what_travelled_longest_ago_is_let_go_first(void **state)
{
    static const unsigned order[] = {1, 2, 0};
    struct world *w = *state;
    struct ocop_error err = {0};
    struct env env = *env_system();
    struct photo *v[3];
    unsigned removed;
    for (unsigned i = 0; i < 3; i++)
        attach(w, 1, world_inspect(w, 1, "pass"), v[i] = photo(CHUNK, 34 + i));
    env.now_ms = days_ahead;
    w->stores[1]->env = &env;
    for (days = 0; days < 3; days++) {
        const struct photo *p = v[order[days]];
        assert_int_equal(sync(w, 1, &(struct ocop_sync_options){.files_of = &p->id}).files_sent, 1);
    }
    w->stores[1]->env = env_system();
    for (unsigned left = 3; left-- > 0;) {
        must(ocop_files_keep(w->stores[1], (uint64_t)left * CHUNK, &removed, &err), &err);
        assert_int_equal(removed, 1);
        for (unsigned i = 0; i < 3; i++)
            assert_int_equal(state_of(w, 1, v[order[i]]->id, NULL),
                             i < 3 - left ? OCOP_FILE_ABSENT : OCOP_FILE_STORED);
    }
    for (unsigned i = 0; i < 3; i++)
        free(v[i]);
}

/* The store of who had the device before sends its contents too, and fetches none. */
static void what_only_sends_sends_contents(void **state)
{
    struct world *w = *state;
    struct photo *p = photo(3 * CHUNK, 22), *other = photo(CHUNK, 23);
    attach(w, 0, world_inspect(w, 0, "pass"), other);
    world_sync(w, 0);
    world_sync(w, 1);
    attach(w, 1, world_inspect(w, 1, "pass"), p);
    sync(w, 1, &(struct ocop_sync_options){.files = OCOP_FILES_NONE});
    fetch(w, 1, other->id);
    struct ocop_sync_summary sum = sync(w, 1, &(struct ocop_sync_options){.send_only = true});
    assert_true(sum.files_sent == 1 && sum.files_received == 0);
    assert_true(at_centre(w, p));
    sum = sync(w, 1, &(struct ocop_sync_options){.send_only = true});
    assert_int_equal(sum.round_trips, 0);
    free(p);
    free(other);
}

static bool records_meanwhile(void *user, const struct ocop_sync_summary *sum, const char *doing)
{
    if (strcmp(doing, "files") == 0 && sum->round_trips == 1)
        world_inspect(user, 1, "pass");
    return true;
}

static void what_is_submitted_while_contents_go_up_is_counted(void **state)
{
    struct world *w = *state;
    struct ocop_sync_options o = {.progress = records_meanwhile, .user = w};
    struct ocop_error err = {0};
    struct ocop_sync_summary sum;
    struct ocop_store_status s;
    struct photo *p = photo(3 * CHUNK, 73);
    for (unsigned lost = 0; lost < 2; lost++) {
        attach(w, 1, world_inspect(w, 1, "pass"), p);
        w->links[1].drop_request = lost ? 2 : 0; /* the summary of a failure is true as well */
        p->bytes[CHUNK] ^= 1;                    /* another content each time */
        assert_int_equal(ocop_sync(w->stores[1], &o, &sum, &err), lost ? OCOP_ETIMEOUT : OCOP_OK);
        must(ocop_store_status(w->stores[1], &s, &err), &err);
        assert_int_equal(s.waiting, 1);
        assert_int_equal(sum.left, 1);
        assert_false(sum.complete);
        sum = world_sync(w, 1);
        assert_true(sum.complete && sum.left == 0);
    }
    free(p);
}

/* One content that its device has lost holds up nothing behind it. */
static void a_content_that_is_gone_blocks_no_other(void **state)
{
    struct world *w = *state;
    struct photo *gone = photo(CHUNK, 18), *good = photo(3 * CHUNK, 19);
    struct ocop_id record = world_inspect(w, 1, "pass");
    char path[512], name[CONTENT_NAME_LEN + 1];
    attach(w, 1, record, gone);
    attach(w, 1, record, good);
    content_name(gone->hash, name);
    snprintf(path, sizeof path, "%s/1.ocop.blobs/%.2s/%s", w->dir, name, name);
    assert_int_equal(remove(path), 0);
    struct ocop_sync_summary sum = world_sync(w, 1);
    assert_int_equal(sum.files_sent, 1);
    assert_int_equal(sum.files_left, 1);
    assert_true(at_centre(w, good));
    assert_int_equal(state_of(w, 1, gone->id, NULL), OCOP_FILE_FETCHING); /* it may be there */
    free(gone);
    free(good);
}

/* The folder of contents was not copied with the store at first; and a photo comes back once its
 * device knows that it is gone. */
static void a_content_that_is_gone_is_shown_as_gone_and_may_come_back(void **state)
{
    struct world *w = *state;
    struct ocop_error err = {0};
    struct ocop_file_list *list;
    struct ocop_store_status s;
    struct photo *p = photo(2 * CHUNK, 74);
    char away[300], back[300];
    snprintf(away, sizeof away, "mv %s/1.ocop.blobs %s/away", w->dir, w->dir);
    snprintf(back, sizeof back, "rm -rf %s/1.ocop.blobs; mv %s/away %s/1.ocop.blobs", w->dir,
             w->dir, w->dir);
    attach(w, 1, world_inspect(w, 1, "pass"), p);
    assert_int_equal(system(away), 0);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(world_sync(w, 1).files_left, 1);
        must(ocop_files(w->stores[1], NULL, &list, &err), &err);
        assert_false(list->files[0].here);
        assert_int_equal(list->files[0].done, 0);
        ocop_file_list_free(list);
        must(ocop_store_status(w->stores[1], &s, &err), &err);
        assert_int_equal(s.files_waiting, 0);
    }
    assert_int_equal(system(back), 0);
    world_sync(w, 1);
    expect_here(w, 1, p);
    assert_int_equal(world_sync(w, 1).files_sent, 1);
    assert_true(at_centre(w, p));
    free(p);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_world, world_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_content_follows_its_record_and_is_sent_once),
        TEST(nothing_travels_before_its_record),
        TEST(what_is_cut_goes_on_at_the_chunk),
        TEST(repeated_exchanges_of_chunks_change_nothing),
        TEST(budgets_and_policies_hold),
        TEST(many_small_files_share_requests),
        TEST(a_content_that_is_there_is_proved_and_not_sent_again),
        TEST(what_has_its_name_and_not_on_the_disk_is_not_there),
        TEST(a_wrong_proof_opens_nothing),
        TEST(a_hash_that_was_heard_of_opens_nothing),
        TEST(what_is_seen_may_be_fetched_and_goes_on_where_it_was_cut),
        TEST(a_name_that_another_device_gave_is_no_path),
        TEST(what_is_said_of_a_damaged_file_is_true),
        TEST(what_lies_here_is_not_at_the_registry_for_that),
        TEST(what_was_let_go_and_lies_here_is_not_at_the_registry_for_that),
        TEST(a_content_with_another_hash_is_never_taken),
        TEST(bad_chunks_are_refused_one_by_one),
        TEST(what_a_full_registry_does_not_take_waits_and_is_told_by_both),
        TEST(who_is_over_budget_or_revoked_sends_nothing_and_loses_nothing),
        TEST(a_device_that_is_to_be_wiped_brings_its_contents_first),
        TEST(a_wipe_waits_for_a_registry_that_is_full),
        TEST(a_restored_registry_gets_what_it_lacks),
        TEST(what_was_not_sent_is_never_let_go),
        TEST(what_travelled_longest_ago_is_let_go_first),
        TEST(what_only_sends_sends_contents),
        TEST(what_is_submitted_while_contents_go_up_is_counted),
        TEST(a_content_that_is_gone_blocks_no_other),
        TEST(a_content_that_is_gone_is_shown_as_gone_and_may_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
