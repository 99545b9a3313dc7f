/* A bundle with the contents of the record's attachments: each is held against what its device
 * signed, what is not whole is told by name, and what a stranger writes into captions, counts and
 * lengths steers nothing. */
#include "test.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bounds.h"
#include "centre.h"
#include "content_carried.h"
#include "evidence_make.h"
#include "ocop.h"
#include "retain.h"
#include "show.h"
#include "story.h"

#define CORPUS "tests/fuzz/corpus/evidence/"
enum { PHOTO, SCAN, COMING, WAITING, SPOILT, TWIN, FILES };
enum { PHOTO_BYTES = 100, SCAN_BYTES = 40000, BUNDLE_MAX = MIB(1) };

struct world {
    struct centre c;
    struct device d;
    struct id commune, producer, file[FILES];
    uint8_t hash[FILES][FILE_HASH_LEN];
    char dir[64];
    struct arena a;
    struct ocop_error err;
};

static const struct {
    const char *role, *caption, *type;
    size_t bytes;
    uint8_t fill; /* 0: a photo's first bytes, again and again */
} contents[FILES] = {
    [PHOTO] = {"photo", "../../bếp.jpg\"<b>", "image/jpeg", PHOTO_BYTES, 0},
    [SCAN] = {"document", "Biên bản", "application/pdf", SCAN_BYTES, 'b'},
    [COMING] = {"photo", "Đang gửi", "image/jpeg", SCAN_BYTES, 'c'},
    [WAITING] = {"photo", "Chưa gửi", "image/jpeg", SCAN_BYTES, 'd'},
    [SPOILT] = {"photo", "Hỏng", "image/jpeg", SCAN_BYTES, 'e'},
    [TWIN] = {"photo", "Như ảnh đầu", "image/jpeg", PHOTO_BYTES, 0},
};

static uint8_t *content_of(struct world *w, int n)
{
    static const uint8_t jpeg[] = {0xff, 0xd8, 0xff};
    uint8_t *p = arena_alloc(&w->a, contents[n].bytes);
    assert_non_null(p);
    for (size_t i = 0; i < contents[n].bytes; i++)
        p[i] = contents[n].fill ? contents[n].fill : jpeg[i % sizeof jpeg];
    return p;
}

static void store(struct world *w, int n)
{
    struct content_writer out;
    bool fresh;
    centre_must(&w->c, content_begin(&w->c.r->blobs, &out, &w->c.err));
    centre_must(&w->c,
                content_write(&out, span_of(content_of(w, n), contents[n].bytes), &w->c.err));
    centre_must(&w->c, content_seal(&out, &w->c.err));
    centre_must(&w->c, content_place(&out, &fresh, &w->c.err));
}

static void attach_draft(struct world *w, struct draft_change *c, int n, struct id id)
{
    hash_bytes(span_of(content_of(w, n), contents[n].bytes), w->hash[n]);
    draft(c, KIND_ATTACHMENT, VERB_CREATE, &id);
    draft_id(c, FIELD_UNIT, &w->commune);
    draft_id(c, FIELD_OFFICER, &w->d.officer);
    draft_id(c, ATTACHMENT_RECORD, &w->producer);
    draft_text(c, ATTACHMENT_ROLE, contents[n].role);
    draft_text(c, ATTACHMENT_CAPTION, contents[n].caption);
    draft_text(c, ATTACHMENT_MEDIA_TYPE, contents[n].type);
    draft_int(c, ATTACHMENT_SIZE, (int64_t)contents[n].bytes);
    draft_text(c, ATTACHMENT_HASH, "");
    c->v[c->c.fields.count - 1].bytes = span_of(w->hash[n], FILE_HASH_LEN);
}

static void attach(struct world *w, int n)
{
    struct draft_change c;
    w->file[n] = id_next(&w->c.r->ids, &w->c.env);
    attach_draft(w, &c, n, w->file[n]);
    w->c.now_ms += 60000;
    assert_int_equal(device_push(&w->d, &w->c, &c, 1).code, SET_ACCEPTED);
}

static void come_in_part(struct world *w, int n)
{
    const struct content_part_of of = content_part_of(w->hash[n], contents[n].bytes, &w->d.officer);
    struct content_part p;
    centre_must(&w->c, content_part_open(&w->c.r->blobs, &of, true, &p, &w->c.err));
    centre_must(&w->c,
                content_part_put(&p, 0, span_of(content_of(w, n), FILE_CHUNK_BYTES), &w->c.err));
    content_part_close(&p);
}

static int open_world(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    char path[80];
    assert_non_null(w);
    strcpy(w->dir, "/tmp/ocop-bundle-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    snprintf(path, sizeof path, "%s/blobs", w->dir);
    arena_init(&w->a, EVIDENCE_ARENA_MAX);
    centre_open(&w->c);
    centre_must(&w->c, content_dir_init(&w->c.r->blobs, path, NULL, &w->c.env, &w->c.err));
    const struct id province = centre_unit(&w->c, "01", "province", NULL),
                    officer = centre_officer(&w->c, "inspector");
    w->commune = centre_unit(&w->c, "00001", "commune", &province);
    w->producer = centre_producer(&w->c, &w->commune, "HTX Đức Lập");
    device_enrol(&w->d, &w->c, &officer, &w->commune, 1);
    for (int n = 0; n < FILES; n++)
        attach(w, n);
    store(w, PHOTO);
    store(w, SCAN);
    come_in_part(w, COMING);
    *state = w;
    return 0;
}

static int close_world(void **state)
{
    struct world *w = *state;
    char command[100];
    snprintf(command, sizeof command, "rm -rf %s", w->dir);
    assert_int_equal(system(command), 0);
    device_close(&w->d);
    centre_close(&w->c);
    arena_fini(&w->a);
    free(w);
    return 0;
}

/* --- what the tests share --------------------------------------------------------------------- */

static struct span exported(struct world *w, uint64_t bytes_max)
{
    const struct evidence_carry carry = {bytes_max};
    char *bytes = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&bytes, &len);
    assert_non_null(out);
    centre_must(&w->c,
                evidence_export(w->c.r, &w->c.keys.root, &w->producer, &carry, out, &w->c.err));
    fclose(out);
    const char *copy = arena_dup(&w->a, bytes, len);
    assert_non_null(copy);
    free(bytes);
    return span_of(copy, len);
}

static char *story(struct world *w, struct span file, struct ocop_evidence *found)
{
    char *text;
    enum ocop_status st = ocop_verify_evidence(file.p, file.len, w->c.keys.root.public_key, false,
                                               &text, found, &w->err);
    if (st != OCOP_OK)
        fail_msg("%s: %s", err_name(st), w->err.text);
    return text;
}

static void says(const char *text, const char *what)
{
    if (!strstr(text, what))
        fail_msg("\"%s\" is not in:\n%s", what, text);
}

/* Where the last of the contents begins: they are the end of the file. */
static size_t contents_at(const struct world *w, struct span file)
{
    (void)w;
    return file.len - PHOTO_BYTES - SCAN_BYTES;
}

static uint8_t *copy_of(struct world *w, struct span file, size_t more)
{
    uint8_t *copy = arena_calloc(&w->a, 1, file.len + more);
    assert_non_null(copy);
    memcpy(copy, file.p, file.len);
    return copy;
}

/* --- what is in it ---------------------------------------------------------------------------- */

static void
the_bundle_holds_each_whole_content_once_and_says_of_the_others_where_they_are(void **state)
{
    struct world *w = *state;
    struct ocop_evidence found;
    const struct span file = exported(w, UINT64_MAX);
    char *text = story(w, file, &found);
    assert_true(found.holds);
    assert_int_equal(found.files, FILES);
    assert_int_equal(found.files_whole, 3); /* two attachments have the photo */
    assert_int_equal(found.files_damaged + found.files_cut, 0);
    assert_int_equal(found.changes, 1 + FILES);
    says(text, "document \"Biên bản\", application/pdf, 40000 bytes\n    [signed] BLAKE2b-256 of "
               "the content: ");
    says(text, "whole: the content in the bundle has this hash");
    says(text, "[registry] on its way: 15 of 40 KiB, last tried ");
    says(text, "[registry] on its way: nothing of the content came yet");
    ocop_text_free(text);
    /* Behind a story that is as long as one with no contents but for their hashes and sizes. */
    const size_t bare = exported(w, 0).len;
    assert_in_range(contents_at(w, file), bare, bare + 100);
}

static void a_limit_leaves_contents_out_and_says_so(void **state)
{
    struct world *w = *state;
    struct ocop_evidence found;
    const struct span some = exported(w, PHOTO_BYTES), none = exported(w, 0);
    char *text = story(w, some, &found);
    assert_true(found.holds);
    assert_int_equal(found.files_whole, 2);
    says(text, "[registry] the registry has the content");
    ocop_text_free(text);
    ocop_text_free(story(w, none, &found));
    assert_true(found.holds);
    assert_int_equal(found.files_whole, 0);
    assert_int_equal(found.files, FILES);
}

static void what_is_damaged_at_the_registry_is_told_and_not_carried(void **state)
{
    struct world *w = *state;
    struct ocop_evidence found;
    char path[PATH_MAX], folder[PATH_MAX];
    store(w, SPOILT);
    content_path(&w->c.r->blobs, w->hash[SPOILT], path, folder);
    FILE *f = fopen(path, "r+b");
    assert_non_null(f);
    fputc('!', f);
    fclose(f);
    char *text = story(w, exported(w, UINT64_MAX), &found);
    assert_true(found.holds);
    assert_int_equal(found.files_whole, 3);
    says(text, "what the registry had of the content is damaged or lost");
    ocop_text_free(text);
}

static const uint8_t *unreadable; /* hash; NULL: none is */

enum ocop_status __real_content_check(const struct content_dir *d,
                                      const uint8_t hash[FILE_HASH_LEN], uint64_t size,
                                      struct ocop_error *err);
enum ocop_status __wrap_content_check(const struct content_dir *d,
                                      const uint8_t hash[FILE_HASH_LEN], uint64_t size,
                                      struct ocop_error *err);

enum ocop_status __wrap_content_check(const struct content_dir *d,
                                      const uint8_t hash[FILE_HASH_LEN], uint64_t size,
                                      struct ocop_error *err)
{
    return unreadable && memcmp(unreadable, hash, FILE_HASH_LEN) == 0
               ? err_set(err, OCOP_EIO, "reading a file: Input/output error")
               : __real_content_check(d, hash, size, err);
}

static void what_cannot_be_read_keeps_back_none_of_the_others(void **state)
{
    struct world *w = *state;
    struct ocop_evidence found;
    store(w, SPOILT);
    unreadable = w->hash[SPOILT];
    char *text = story(w, exported(w, UINT64_MAX), &found);
    unreadable = NULL;
    assert_true(found.holds);
    assert_int_equal(found.files_whole, 3);
    says(text, "what the registry had of the content is damaged or lost");
    ocop_text_free(text);
}

/* As many as a bundle may name, and one more. */
static void a_record_with_as_many_attachments_as_there_may_be_is_shown(void **state)
{
    enum { AT_ONCE = 100 };
    struct world *w = *state;
    struct draft_change *c = arena_calloc(&w->a, AT_ONCE, sizeof *c);
    struct ocop_evidence found;
    const struct evidence_carry none = {0};
    assert_non_null(c);
    for (size_t made = FILES, n; made < EVIDENCE_FILES_MAX; made += n) {
        n = EVIDENCE_FILES_MAX - made < AT_ONCE ? EVIDENCE_FILES_MAX - made : AT_ONCE;
        for (size_t i = 0; i < n; i++)
            attach_draft(w, &c[i], PHOTO, id_next(&w->c.r->ids, &w->c.env));
        assert_int_equal(device_push(&w->d, &w->c, c, n).code, SET_ACCEPTED);
    }
    ocop_text_free(story(w, exported(w, 0), &found));
    assert_true(found.holds);
    assert_int_equal(found.files, EVIDENCE_FILES_MAX);
    attach(w, PHOTO);
    assert_int_equal(evidence_export(w->c.r, &w->c.keys.root, &w->producer, &none, stdout, &w->err),
                     OCOP_ELIMIT);
}

/* In one set with one that was not, which is shown for its sake. */
static void an_attachment_that_was_refused_is_told_and_has_no_content(void **state)
{
    struct world *w = *state;
    struct ocop_evidence found;
    struct draft_change c[2];
    for (int n = 0; n < 2; n++) {
        attach_draft(w, &c[n], SCAN, id_next(&w->c.r->ids, &w->c.env));
        for (size_t i = 0; n == 0 && i < c[n].c.fields.count; i++)
            if (c[n].v[i].number == ATTACHMENT_CAPTION)
                c[n].v[i].bytes = span_str("\x1b[2J");
    }
    assert_int_equal(device_push(&w->d, &w->c, c, 2).code, SET_ACCEPTED);
    char *text = story(w, exported(w, UINT64_MAX), &found);
    assert_true(found.holds);
    assert_int_equal(found.files, FILES + 2);
    assert_int_equal(found.files_whole, 4);
    says(text, "outcome: refused");
    says(text, "[registry] the attachment was refused");
    ocop_text_free(text);
}

static void a_content_that_was_removed_says_who_did_it(void **state)
{
    struct world *w = *state;
    struct ocop_evidence found;
    struct retained gone;
    const struct retain_terms terms = {.days = 400,
                                       .role = "document",
                                       .officer = centre_officer(&w->c, "reconciler"),
                                       .reason = "hết hạn"};
    FILE *out = tmpfile();
    assert_non_null(out);
    w->c.now_ms += INT64_C(401) * 86400000;
    centre_must(&w->c, files_retain(w->c.r, &w->c.keys, &terms, out, &gone, &w->c.err));
    fclose(out);
    assert_int_equal(gone.removed, 1);
    char *text = story(w, exported(w, UINT64_MAX), &found);
    assert_true(found.holds);
    assert_int_equal(found.files_whole, 2);
    says(text, "[registry] the content was removed, as the attachment says");
    says(text, "[registry] reason: hết hạn");
    says(text, " [registry: Nguyễn Văn Đức], having seen version ");
    ocop_text_free(text);
}

/* --- what is done to it ----------------------------------------------------------------------- */

static void no_bit_of_a_content_can_be_flipped_and_the_others_stay_whole(void **state)
{
    struct world *w = *state;
    struct ocop_evidence found;
    const struct span file = exported(w, UINT64_MAX);
    uint8_t *copy = copy_of(w, file, 0);
    for (size_t at = contents_at(w, file); at < file.len; at += 401) {
        copy[at] ^= 0x10;
        char *text = story(w, span_of(copy, file.len), &found);
        assert_false(found.holds);
        assert_int_equal(found.files_whole + found.files_damaged, 3);
        assert_in_range(found.files_damaged, 1, 2);
        says(text, "BAD: the content in the bundle has another hash");
        says(text, "the content in the bundle is not the one that was attached");
        ocop_text_free(text);
        copy[at] ^= 0x10;
    }
}

static void a_bundle_that_ends_early_or_late_is_told(void **state)
{
    struct world *w = *state;
    struct ocop_evidence found;
    const struct span file = exported(w, UINT64_MAX);
    const size_t at = contents_at(w, file);
    char *text;
    for (size_t len = at; len < file.len; len += 397) {
        text = story(w, span_of(file.p, len), &found);
        assert_false(found.holds);
        assert_true(found.files_cut > 0);
        says(text, "BAD: missing, the bundle ends before its end");
        ocop_text_free(text);
    }
    for (size_t len = 0; len < at; len += len < 120 ? 1 : 97)
        assert_int_not_equal(ocop_verify_evidence(file.p, len, NULL, false, &text, &found, &w->err),
                             OCOP_OK);
    const uint8_t *longer = copy_of(w, file, 1);
    assert_int_equal(
        ocop_verify_evidence(longer, file.len + 1, NULL, false, &text, &found, &w->err),
        OCOP_EPROTO);
    assert_string_equal(w->err.text, "the bundle has something behind its last content");
}

/* --- bundles that no registry would make ------------------------------------------------------ */

static Ocop__Evidence__Bundle *made(struct world *w)
{
    const struct evidence_carry all = {UINT64_MAX};
    Ocop__Evidence__Bundle *b;
    centre_must(&w->c, evidence_make(w->c.r, &w->producer, &all, &w->a, &b, &w->c.err));
    return b;
}

/* Signed by the root itself, with both contents behind. */
static enum ocop_status verify_made(struct world *w, const Ocop__Evidence__Bundle *b,
                                    struct ocop_evidence *found, char **text)
{
    struct buf file;
    buf_init(&file, BUNDLE_MAX);
    centre_must(&w->c, evidence_seal(b, &w->c.keys.root, &file, &w->c.err));
    for (size_t i = 0; i < b->n_contents; i++) {
        const bool photo = b->contents[i]->size == PHOTO_BYTES;
        buf_put(&file, content_of(w, photo ? PHOTO : SCAN), photo ? PHOTO_BYTES : SCAN_BYTES);
    }
    enum ocop_status st = ocop_verify_evidence(file.p, file.len, w->c.keys.root.public_key, false,
                                               text, found, &w->err);
    buf_fini(&file);
    return st;
}

static Ocop__Evidence__EvidenceFile *file_of(struct world *w, Ocop__Evidence__Bundle *b, int n)
{
    for (size_t i = 0; i < b->n_files; i++)
        if (memcmp(b->files[i]->attachment.data, w->file[n].b, ID_LEN) == 0)
            return b->files[i];
    fail_msg("no file %d", n);
    return NULL;
}

static void drop(void **v, size_t *count, size_t at)
{
    memmove(v + at, v + at + 1, (--*count - at) * sizeof *v);
}

/* The registry that signs the bundle cannot leave an attachment out, nor put another in its place.
 */
static void what_a_bundle_says_of_files_must_follow_from_what_was_signed(void **state)
{
    static const char *const finds[] = {"of the record is left out",
                                        "is said to have its content, and does not",
                                        "has its content, and says otherwise",
                                        "no attachment of the record is shown that names it",
                                        "carries a content that no attachment of the record names",
                                        "what there is of it is not said",
                                        "it is said to be refused, and was not",
                                        "whether it was removed is not what its attachment says"};
    struct world *w = *state;
    for (size_t i = 0; i < sizeof finds / sizeof *finds; i++) {
        Ocop__Evidence__Bundle *b = made(w);
        struct ocop_evidence found;
        char *text;
        switch (i) {
        case 0:
            drop((void **)b->files, &b->n_files, 0);
            break;
        case 1:
            drop((void **)b->contents, &b->n_contents, 0);
            break;
        case 2:
            file_of(w, b, SCAN)->state = EVIDENCE_FILE_LEFT_OUT;
            break;
        case 3:
            b->files[b->n_files - 1]->attachment.data[0] = 0xff;
            break;
        case 4: /* the neighbour's, say */
            b->contents[b->n_contents - 1]->hash.data[0] = 0xff;
            break;
        case 5:
            file_of(w, b, WAITING)->state = 99;
            break;
        case 6:
            file_of(w, b, WAITING)->state = EVIDENCE_FILE_REFUSED;
            break;
        default:
            file_of(w, b, WAITING)->state = EVIDENCE_FILE_REMOVED;
        }
        const enum ocop_status st = verify_made(w, b, &found, &text);
        if (st != OCOP_OK)
            fail_msg("%zu: %s", i, w->err.text);
        assert_false(found.holds);
        says(text, finds[i]);
        ocop_text_free(text);
    }
}

static void counts_lengths_and_duplicates_of_strangers_are_one_error_each(void **state)
{
    struct world *w = *state;
    struct ocop_evidence found;
    char *text;
    for (size_t i = 0; i < 7; i++) {
        Ocop__Evidence__Bundle *b = made(w);
        const char *is = "a content of a size that none has";
        switch (i) {
        case 0:
            *b->files[1] = *b->files[0];
            is = "names a file twice, or out of order";
            break;
        case 1:
            b->files[0]->attachment.len--;
            is = "names a file twice, or out of order";
            break;
        case 2:
            *b->contents[1] = *b->contents[0];
            is = "has a content twice, or out of order";
            break;
        case 3:
            b->contents[0]->hash.len = 0;
            is = "has a content twice, or out of order";
            break;
        case 4:
            b->contents[0]->size = UINT64_MAX;
            break;
        case 5:
            b->contents[0]->size = 0;
            break;
        default:
            b->n_files = 1;
            is = "1 files and 2 contents";
        }
        assert_int_not_equal(verify_made(w, b, &found, &text), OCOP_OK);
        assert_null(text);
        says(w->err.text, is);
    }
    /* More files than any record has: two bytes each, a hundred in memory. */
    struct buf many, file;
    buf_init(&many, MIB(1));
    buf_init(&file, MIB(1));
    for (size_t i = 0; i < EVIDENCE_FILES_MAX + 1; i++)
        buf_put(&many, "\x82\x01\x00", 3);
    centre_must(&w->c, evidence_seal_packed(buf_span(&many), &w->c.keys.root, &file, &w->c.err));
    assert_int_equal(ocop_verify_evidence(file.p, file.len, NULL, false, &text, &found, &w->err),
                     OCOP_ELIMIT);
    /* A story that is announced and does not come takes no memory and is a piece of one. */
    memset(file.p + 41, 0xff, 3);
    file.p[44] = 3;
    assert_int_equal(ocop_verify_evidence(file.p, file.len, NULL, false, &text, &found, &w->err),
                     OCOP_EPROTO);
    file.p[44] = 0xff;
    assert_int_equal(ocop_verify_evidence(file.p, file.len, NULL, false, &text, &found, &w->err),
                     OCOP_ELIMIT);
    buf_fini(&many);
    buf_fini(&file);
}

/* --- written to a folder ---------------------------------------------------------------------- */

static int written(struct span file, size_t step)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        close(ends[0]);
        for (size_t at = 0, n; at < file.len; at += n) {
            n = file.len - at < step ? file.len - at : step;
            if (write(ends[1], file.p + at, n) != (ssize_t)n)
                break;
        }
        _exit(0);
    }
    close(ends[1]);
    return ends[0];
}

static size_t names(const char *folder, char out[8][120])
{
    DIR *d = opendir(folder);
    const struct dirent *e;
    size_t count = 0;
    assert_non_null(d);
    while ((e = readdir(d)))
        if (e->d_name[0] != '.' && count < 8)
            snprintf(out[count++], 120, "%.119s", e->d_name);
    closedir(d);
    return count;
}

static enum ocop_status extract(struct world *w, struct span file, const char *folder,
                                struct ocop_evidence *found)
{
    const int fd = written(file, 1000);
    char *text;
    enum ocop_status st = ocop_verify_evidence_fd(fd, w->c.keys.root.public_key, folder, false,
                                                  &text, found, &w->err);
    close(fd);
    if (st == OCOP_OK && found->files_whole)
        says(text, "written to 01-");
    ocop_text_free(text);
    return st;
}

/* What happens when a file is to be given its name. */
static struct {
    const char *appears; /* a file of the user's */
    bool links;          /* false: no file has two names */
    bool loses;          /* what was written is gone */
    unsigned syncs;
} naming = {.links = true};

int __real_linkat(int from_dir, const char *from, int to_dir, const char *to, int flags);
int __wrap_linkat(int from_dir, const char *from, int to_dir, const char *to, int flags);
int __real_fsync(int fd);
int __wrap_fsync(int fd);

int __wrap_linkat(int from_dir, const char *from, int to_dir, const char *to, int flags)
{
    if (naming.appears) {
        const int fd = openat(to_dir, to, O_WRONLY | O_CREAT | O_EXCL, 0600);
        assert_int_equal(write(fd, naming.appears, strlen(naming.appears)), strlen(naming.appears));
        close(fd);
    }
    if (naming.loses)
        assert_int_equal(unlinkat(from_dir, from, 0), 0);
    if (naming.links)
        return __real_linkat(from_dir, from, to_dir, to, flags);
    errno = EPERM;
    return -1;
}

int __wrap_fsync(int fd)
{
    naming.syncs++;
    return __real_fsync(fd);
}

/* Nothing of the user's is replaced, and what is told as written is on the disk. */
static void a_file_that_comes_meanwhile_stays(void **state)
{
    struct world *w = *state;
    struct ocop_evidence found;
    const struct span file = exported(w, UINT64_MAX);
    char folder[80], name[8][120], path[220], text[16] = "";
    for (unsigned i = 0; i < 4; i++) {
        snprintf(folder, sizeof folder, "%s/out%u", w->dir, i);
        naming.links = i % 2 == 0;
        naming.appears = i < 2 ? "của tôi" : NULL;
        naming.syncs = 0;
        assert_int_equal(extract(w, file, folder, &found), i < 2 ? OCOP_ESTATE : OCOP_OK);
        assert_int_equal(names(folder, name), i < 2 ? 1 : 2);
        assert_null(strstr(name[0], ".part"));
        if (i >= 2) {
            assert_int_equal(naming.syncs, 4); /* each file, and its folder */
            continue;
        }
        snprintf(path, sizeof path, "%s/%s", folder, name[0]);
        FILE *f = fopen(path, "r");
        assert_non_null(f);
        assert_non_null(fgets(text, sizeof text, f));
        fclose(f);
        assert_string_equal(text, naming.appears);
    }
    naming.links = true;
    naming.appears = NULL;
}

/* Where a file has one name, that is taken first: it does not stay when nothing gets it. */
static void a_file_that_cannot_be_named_leaves_no_empty_one(void **state)
{
    struct world *w = *state;
    struct ocop_evidence found;
    const struct span file = exported(w, UINT64_MAX);
    char folder[80], name[8][120];
    snprintf(folder, sizeof folder, "%s/out", w->dir);
    naming.links = false;
    naming.loses = true;
    assert_int_equal(extract(w, file, folder, &found), OCOP_EIO);
    naming.links = true;
    naming.loses = false;
    assert_int_equal(names(folder, name), 0);
}

static void contents_are_written_under_names_that_nobody_else_chose(void **state)
{
    struct world *w = *state;
    struct ocop_evidence found;
    const struct span file = exported(w, UINT64_MAX);
    char folder[80], name[8][120], path[220];
    struct stat info;
    snprintf(folder, sizeof folder, "%s/out", w->dir);
    assert_int_equal(extract(w, file, folder, &found), OCOP_OK);
    assert_int_equal(names(folder, name), 2);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(strspn(name[i], "abcdefghijklmnopqrstuvwxyz0123456789-."),
                         strlen(name[i]));
        assert_null(strstr(name[i], ".part"));
        snprintf(path, sizeof path, "%s/%s", folder, name[i]);
        assert_int_equal(stat(path, &info), 0);
        assert_int_equal(info.st_size, strstr(name[i], "photo") ? PHOTO_BYTES : SCAN_BYTES);
        /* By what it is, not by what its caption, name or media type says. */
        assert_non_null(strstr(name[i], strstr(name[i], "photo") ? ".jpg" : ".txt"));
    }
    /* What is there is not written over. */
    assert_int_equal(extract(w, file, folder, &found), OCOP_ESTATE);
    says(w->err.text, "is there already");
    assert_int_equal(names(folder, name), 2);
}

static void a_damaged_content_is_not_written(void **state)
{
    struct world *w = *state;
    struct ocop_evidence found;
    const struct span file = exported(w, UINT64_MAX);
    uint8_t *copy = copy_of(w, file, 0);
    char folder[80], name[8][120];
    copy[file.len - 1] ^= 1;
    snprintf(folder, sizeof folder, "%s/bad", w->dir);
    assert_int_equal(extract(w, span_of(copy, file.len), folder, &found), OCOP_OK);
    assert_false(found.holds);
    assert_int_equal(names(folder, name), 1);
    snprintf(folder, sizeof folder, "%s/cut", w->dir);
    assert_int_equal(extract(w, span_of(file.p, contents_at(w, file)), folder, &found), OCOP_OK);
    assert_int_equal(found.files_cut, 3);
    assert_int_equal(names(folder, name), 0);
    snprintf(folder, sizeof folder, "%s/no/such/place", w->dir);
    assert_int_equal(extract(w, file, folder, &found), OCOP_EIO);
}

/* --- large ones ------------------------------------------------------------------------------- */

static void store_large(struct world *w, int n, size_t bytes, uint8_t hash[FILE_HASH_LEN])
{
    struct content_writer out;
    static uint8_t piece[KIB(64)];
    bool fresh;
    memset(piece, n, sizeof piece);
    centre_must(&w->c, content_begin(&w->c.r->blobs, &out, &w->c.err));
    for (size_t at = 0; at < bytes; at += sizeof piece)
        centre_must(&w->c, content_write(&out, span_of(piece, sizeof piece), &w->c.err));
    centre_must(&w->c, content_seal(&out, &w->c.err));
    memcpy(hash, out.hash, FILE_HASH_LEN);
    centre_must(&w->c, content_place(&out, &fresh, &w->c.err));
}

static void attach_large(struct world *w, int n, size_t bytes)
{
    struct draft_change c;
    uint8_t hash[FILE_HASH_LEN];
    store_large(w, n, bytes, hash);
    attach_draft(w, &c, SCAN, id_next(&w->c.r->ids, &w->c.env));
    for (size_t i = 0; i < c.c.fields.count; i++) {
        if (c.v[i].number == ATTACHMENT_SIZE)
            c.v[i].i = (int64_t)bytes;
        if (c.v[i].number == ATTACHMENT_HASH)
            c.v[i].bytes = span_of(hash, sizeof hash);
    }
    assert_int_equal(device_push(&w->d, &w->c, &c, 1).code, SET_ACCEPTED);
}

static long peak_kib(void)
{
    struct rusage used;
    assert_int_equal(getrusage(RUSAGE_SELF, &used), 0);
    return used.ru_maxrss;
}

static void export_to(struct world *w, const char *path)
{
    const struct evidence_carry all = {UINT64_MAX};
    FILE *out = fopen(path, "wb");
    assert_non_null(out);
    centre_must(&w->c,
                evidence_export(w->c.r, &w->c.keys.root, &w->producer, &all, out, &w->c.err));
    assert_int_equal(fclose(out), 0);
}

static unsigned whole_of(struct world *w, const char *path)
{
    struct ocop_evidence found;
    char *text;
    const int fd = open(path, O_RDONLY);
    assert_true(fd >= 0);
    centre_must(&w->c, ocop_verify_evidence_fd(fd, w->c.keys.root.public_key, NULL, false, &text,
                                               &found, &w->c.err));
    close(fd);
    assert_true(found.holds);
    ocop_text_free(text);
    return found.files_whole;
}

/* AddressSanitizer keeps for a while what was freed. */
#ifdef __SANITIZE_ADDRESS__
enum { GROWTH_KIB = 128 << 10 };
#else
enum { GROWTH_KIB = 8 << 10 };
#endif

/* Neither who makes the bundle nor who checks it holds more than a piece of a content. */
static void photos_of_64_mib_need_no_64_mib_of_memory(void **state)
{
    struct world *w = *state;
    char path[80];
    struct stat info;
    snprintf(path, sizeof path, "%s/bundle", w->dir);
    export_to(w, path);
    assert_int_equal(whole_of(w, path), 3);
    attach_large(w, 1, MIB(32));
    attach_large(w, 2, MIB(32));
    const long before = peak_kib();
    export_to(w, path);
    assert_int_equal(whole_of(w, path), 5);
    assert_int_equal(stat(path, &info), 0);
    assert_true(info.st_size > (off_t)MIB(64));
    assert_in_range(peak_kib() - before, 0, GROWTH_KIB);
}

/* --- the corpus of the fuzzer ----------------------------------------------------------------- */

static void write_file(const char *path, struct span head, struct span rest)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    fwrite(head.p, 1, head.len, f);
    fwrite(rest.p, 1, rest.len, f);
    fclose(f);
}

static void corpus_write(struct world *w)
{
    const struct evidence_carry photo = {PHOTO_BYTES};
    Ocop__Evidence__Bundle *b;
    struct buf packed;
    centre_must(&w->c, evidence_make(w->c.r, &w->producer, &photo, &w->a, &b, &w->c.err));
    buf_init(&packed, BUNDLE_MAX);
    assert_true(buf_reserve(&packed, ocop__evidence__bundle__get_packed_size(b)));
    packed.len = ocop__evidence__bundle__pack(b, packed.p);
    write_file(CORPUS "bundle-with-photo", span_of(w->c.keys.root.public_key, SIGN_PUBLIC_LEN),
               buf_span(&packed));
    write_file(CORPUS "file-with-photo", exported(w, PHOTO_BYTES), span_of(NULL, 0));
    buf_fini(&packed);
}

static void the_corpus_of_the_fuzzer_is_of_this_format(void **state)
{
    struct world *w = *state;
    struct ocop_evidence found;
    struct buf file;
    uint8_t bytes[16384];
    char *text;
    if (getenv("OCOP_WRITE_GOLDEN"))
        corpus_write(w);
    FILE *f = fopen(CORPUS "file-with-photo", "rb");
    assert_non_null(f);
    size_t len = fread(bytes, 1, sizeof bytes, f);
    fclose(f);
    assert_int_equal(ocop_verify_evidence(bytes, len, NULL, false, &text, &found, &w->err),
                     OCOP_OK);
    assert_true(found.holds && found.files == FILES && found.files_whole == 2);
    ocop_text_free(text);
    f = fopen(CORPUS "bundle-with-photo", "rb");
    assert_non_null(f);
    len = fread(bytes, 1, sizeof bytes, f);
    fclose(f);
    assert_in_range(len, SIGN_PUBLIC_LEN + 1, sizeof bytes - 1);
    buf_init(&file, MIB(1)); /* as fuzz_evidence.c seals it */
    centre_must(&w->c, evidence_seal_packed(span_of(bytes + SIGN_PUBLIC_LEN, len - SIGN_PUBLIC_LEN),
                                            &w->c.keys.root, &file, &w->c.err));
    buf_put(&file, content_of(w, PHOTO), PHOTO_BYTES);
    assert_int_equal(ocop_verify_evidence(file.p, file.len, NULL, false, &text, &found, &w->err),
                     OCOP_OK);
    assert_int_equal(found.files_whole, 2);
    ocop_text_free(text);
    buf_fini(&file);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)
    const struct CMUnitTest tests[] = {
        TEST(the_bundle_holds_each_whole_content_once_and_says_of_the_others_where_they_are),
        TEST(a_limit_leaves_contents_out_and_says_so),
        TEST(what_is_damaged_at_the_registry_is_told_and_not_carried),
        TEST(what_cannot_be_read_keeps_back_none_of_the_others),
        TEST(a_record_with_as_many_attachments_as_there_may_be_is_shown),
        TEST(an_attachment_that_was_refused_is_told_and_has_no_content),
        TEST(a_content_that_was_removed_says_who_did_it),
        TEST(no_bit_of_a_content_can_be_flipped_and_the_others_stay_whole),
        TEST(a_bundle_that_ends_early_or_late_is_told),
        TEST(what_a_bundle_says_of_files_must_follow_from_what_was_signed),
        TEST(counts_lengths_and_duplicates_of_strangers_are_one_error_each),
        TEST(a_file_that_comes_meanwhile_stays),
        TEST(a_file_that_cannot_be_named_leaves_no_empty_one),
        TEST(contents_are_written_under_names_that_nobody_else_chose),
        TEST(a_damaged_content_is_not_written),
        TEST(photos_of_64_mib_need_no_64_mib_of_memory),
        TEST(the_corpus_of_the_fuzzer_is_of_this_format),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
