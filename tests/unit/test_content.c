/* The folder of contents: what is written is there whole under its hash, plain or encrypted, and
 * nothing else is; and what a file is, told from its first bytes. */
#include "test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "buf.h"
#include "changeset.h"
#include "content.h"
#include "media.h"

static const uint8_t key[CONTENT_KEY_LEN] = {7, 7, 7};

struct place {
    char base[64], path[80];
    struct content_dir d;
};

static void place_open(struct place *p, bool keyed)
{
    struct ocop_error err = {0};
    snprintf(p->base, sizeof p->base, "/tmp/ocop-content-XXXXXX");
    assert_non_null(mkdtemp(p->base));
    snprintf(p->path, sizeof p->path, "%s/blobs", p->base);
    must(content_dir_init(&p->d, p->path, keyed ? key : NULL, env_system(), &err), &err);
}

static void place_close(struct place *p)
{
    struct ocop_error err = {0};
    must(content_clear(&p->d, &err), &err);
    assert_int_equal(rmdir(p->base), 0);
}

/* Bytes that differ from block to block. */
static uint8_t *some(size_t len)
{
    uint8_t *p = malloc(len ? len : 1);
    assert_non_null(p);
    for (size_t i = 0; i < len; i++)
        p[i] = (uint8_t)(i * 2654435761u >> 13);
    return p;
}

static void put(struct place *p, const uint8_t *bytes, size_t len, uint8_t hash[FILE_HASH_LEN],
                bool *fresh)
{
    struct ocop_error err = {0};
    struct content_writer w;
    must(content_begin(&p->d, &w, &err), &err);
    for (size_t at = 0, n; at < len; at += n) { /* in parts that fit no block */
        n = len - at < 1000 ? len - at : 1000;
        must(content_write(&w, span_of(bytes + at, n), &err), &err);
    }
    must(content_seal(&w, &err), &err);
    memcpy(hash, w.hash, FILE_HASH_LEN);
    must(content_place(&w, fresh, &err), &err);
}

static void file_of(const struct place *p, const uint8_t hash[FILE_HASH_LEN], char *out,
                    size_t room)
{
    char name[CONTENT_NAME_LEN + 1];
    content_name(hash, name);
    snprintf(out, room, "%s/%.2s/%s", p->path, name, name);
}

static void what_is_put_is_there_under_its_hash(void **state)
{
    static const size_t sizes[] = {1,
                                   1000,
                                   FILE_CHUNK_BYTES - 1,
                                   FILE_CHUNK_BYTES,
                                   FILE_CHUNK_BYTES + 1,
                                   3 * FILE_CHUNK_BYTES,
                                   5 * FILE_CHUNK_BYTES + 77};
    (void)state;
    for (int keyed = 0; keyed < 2; keyed++)
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            struct ocop_error err = {0};
            struct place p;
            uint8_t hash[FILE_HASH_LEN], again[FILE_HASH_LEN], real[HASH_LEN];
            uint8_t *bytes = some(sizes[i]), *read = malloc(sizes[i] + 10);
            size_t got;
            bool fresh, there;
            place_open(&p, keyed);
            put(&p, bytes, sizes[i], hash, &fresh);
            assert_true(fresh);
            hash_bytes(span_of(bytes, sizes[i]), real);
            assert_memory_equal(hash, real, FILE_HASH_LEN);
            must(content_there(&p.d, hash, sizes[i], &there, &err), &err);
            assert_true(there);
            must(content_there(&p.d, hash, sizes[i] + 1, &there, &err), &err);
            assert_false(there);
            must(content_check(&p.d, hash, sizes[i], &err), &err);
            must(content_read(&p.d, hash, 0, read, sizes[i] + 10, &got, &err), &err);
            assert_int_equal(got, sizes[i]);
            assert_memory_equal(read, bytes, sizes[i]);
            must(content_read(&p.d, hash, sizes[i] / 2, read, 7, &got, &err), &err);
            assert_int_equal(got, sizes[i] - sizes[i] / 2 < 7 ? sizes[i] - sizes[i] / 2 : 7);
            assert_memory_equal(read, bytes + sizes[i] / 2, got);
            must(content_read(&p.d, hash, sizes[i], read, 7, &got, &err), &err);
            assert_int_equal(got, 0);
            put(&p, bytes, sizes[i], again, &fresh);
            assert_false(fresh);
            assert_memory_equal(hash, again, FILE_HASH_LEN);
            place_close(&p);
            free(bytes);
            free(read);
        }
}

static void without_the_key_there_is_only_noise(void **state)
{
    struct ocop_error err = {0};
    struct place p;
    struct content_dir other;
    uint8_t hash[FILE_HASH_LEN], block[4096];
    uint8_t *bytes = some(20000);
    char path[256];
    bool fresh;
    size_t got;
    (void)state;
    memset(bytes, 'a', 20000);
    place_open(&p, true);
    put(&p, bytes, 20000, hash, &fresh);
    file_of(&p, hash, path, sizeof path);
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    assert_int_equal(fread(block, 1, sizeof block, f), sizeof block);
    fclose(f);
    for (size_t i = 0; i + 4 <= sizeof block; i++)
        assert_memory_not_equal(block + i, "aaaa", 4);
    uint8_t wrong[CONTENT_KEY_LEN] = {1};
    must(content_dir_init(&other, p.path, wrong, env_system(), &err), &err);
    assert_int_equal(content_read(&other, hash, 0, block, 100, &got, &err), OCOP_EDAMAGED);
    assert_int_equal(content_check(&other, hash, 20000, &err), OCOP_EDAMAGED);
    place_close(&p);
    free(bytes);
}

/* Any byte of it, in any block; cut; made longer; and a block in the place of another. */
static void what_is_not_what_was_written_is_damaged(void **state)
{
    (void)state;
    for (int keyed = 0; keyed < 2; keyed++) {
        struct ocop_error err = {0};
        struct place p;
        const size_t len = 2 * FILE_CHUNK_BYTES + 100;
        uint8_t hash[FILE_HASH_LEN], b;
        uint8_t *bytes = some(len);
        char path[256];
        bool fresh;
        place_open(&p, keyed);
        put(&p, bytes, len, hash, &fresh);
        file_of(&p, hash, path, sizeof path);
        int fd = open(path, O_RDWR);
        assert_true(fd >= 0);
        const off_t stored = lseek(fd, 0, SEEK_END);
        assert_int_equal(stored, content_stored_size(&p.d, len));
        for (off_t at = 0; at < stored; at += 997) {
            assert_int_equal(pread(fd, &b, 1, at), 1);
            b ^= 0x10;
            assert_int_equal(pwrite(fd, &b, 1, at), 1);
            assert_int_equal(content_check(&p.d, hash, len, &err), OCOP_EDAMAGED);
            b ^= 0x10;
            assert_int_equal(pwrite(fd, &b, 1, at), 1);
        }
        must(content_check(&p.d, hash, len, &err), &err);
        assert_int_equal(ftruncate(fd, stored - 1), 0);
        assert_int_equal(content_check(&p.d, hash, len, &err), OCOP_EDAMAGED);
        assert_int_equal(ftruncate(fd, stored + 1), 0);
        assert_int_equal(content_check(&p.d, hash, len, &err), OCOP_EDAMAGED);
        close(fd);
        place_close(&p);
        free(bytes);
    }
}

/* One that is being written is left alone, and what a killed program left is not. */
static void what_nobody_writes_any_more_is_tidied(void **state)
{
    struct ocop_error err = {0};
    struct place p;
    struct content_writer w;
    uint8_t hash[FILE_HASH_LEN];
    char left[128];
    unsigned found;
    bool fresh, there;
    (void)state;
    place_open(&p, false);
    must(content_tidy(&p.d, &found, &err), &err);
    assert_int_equal(found, 0);
    must(content_begin(&p.d, &w, &err), &err);
    must(content_write(&w, span_str("nửa"), &err), &err);
    snprintf(left, sizeof left, "%s/new/left", p.path);
    int fd = open(left, O_WRONLY | O_CREAT, 0600);
    assert_true(fd >= 0);
    close(fd);
    must(content_tidy(&p.d, &found, &err), &err);
    assert_int_equal(found, 1);
    assert_int_equal(access(left, F_OK), -1);
    must(content_seal(&w, &err), &err);
    memcpy(hash, w.hash, sizeof hash);
    must(content_place(&w, &fresh, &err), &err);
    must(content_there(&p.d, hash, strlen("nửa"), &there, &err), &err);
    assert_true(there);
    must(content_remove(&p.d, hash, &err), &err);
    must(content_remove(&p.d, hash, &err), &err);
    assert_int_equal(content_check(&p.d, hash, 4, &err), OCOP_ENOTFOUND);
    place_close(&p);
}

static void a_disk_that_is_nearly_full_takes_no_more(void **state)
{
    struct ocop_error err = {0};
    struct place p;
    (void)state;
    place_open(&p, false);
    must(content_room(&p.d, 1, &err), &err);
    assert_int_equal(content_room(&p.d, (uint64_t)1 << 60, &err), OCOP_ELIMIT);
    assert_non_null(strstr(err.text, "make room"));
    place_close(&p);
}

static void a_name_is_a_hash_and_nothing_else(void **state)
{
    static const char *const bad[] = {
        "",
        "ab",
        "..",
        "new",
        "zz00000000000000000000000000000000000000000000000000000000000000",
        "AB00000000000000000000000000000000000000000000000000000000000000",
        "ab000000000000000000000000000000000000000000000000000000000000000"};
    uint8_t hash[FILE_HASH_LEN], same[FILE_HASH_LEN];
    char name[CONTENT_NAME_LEN + 1];
    (void)state;
    for (size_t i = 0; i < sizeof hash; i++)
        hash[i] = (uint8_t)(i * 7 + 150);
    assert_true(content_named(content_name(hash, name), same));
    assert_memory_equal(hash, same, sizeof hash);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(content_named(bad[i], same));
}

#define B(bytes)                                                                                   \
    {                                                                                              \
        (const uint8_t *)(bytes), sizeof(bytes) - 1                                                \
    }
struct head_of {
    struct span head;
    const char *type;
};

static void a_file_is_what_its_first_bytes_say(void **state)
{
    static const struct head_of cases[] = {
        {B("\xff\xd8\xff\xe0\0\x10JFIF"), "image/jpeg"},
        {B("\xff\xd8"), "application/octet-stream"},
        {B("\x89PNG\r\n\x1a\n\0\0\0\rIHDR"), "image/png"},
        {B("GIF89a.."), "image/gif"},
        {B("RIFF\x10\0\0\0WEBPVP8 "), "image/webp"},
        {B("RIFF\x10\0\0\0WAVEfmt "), "audio/wav"},
        {B("\0\0\0\x18"
           "ftypheic\0\0\0\0"),
         "image/heic"},
        {B("\0\0\0\x18"
           "ftypisom\0\0\0\0"),
         "video/mp4"},
        {B("\0\0\0\x18"
           "ftypM4A \0\0\0\0"),
         "audio/mp4"},
        {B("\0\0\0\x18"
           "ftyp3gp4\0\0\0\0"),
         "video/3gpp"},
        {B("%PDF-1.7\n"), "application/pdf"},
        {B("PK\3\4\x14\0..............................[Content_Types].xml ... word/document.xml"),
         "application/vnd.openxmlformats-officedocument.wordprocessingml.document"},
        {B("PK\3\4\x14\0..............................readme"), "application/zip"},
        {B("<svg xmlns=\"http://www.w3.org/2000/svg\"><path d=\"M0 0\"/></svg>"), "image/svg+xml"},
        {B("<?xml version=\"1.0\"?>\n<svg/>"), "image/svg+xml"},
        {B("\xef\xbb\xbf  <svg/>"), "image/svg+xml"},
        {B("Biên bản kiểm tra\n"), "text/plain"},
        {B("\x7f"
           "ELF\2\1\1"),
         "application/octet-stream"},
        {B("MZ\x90\0\3"), "application/octet-stream"},
        {B("a\0b"), "application/octet-stream"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(media_type(cases[i].head), cases[i].type);
    for (size_t cut = 0; cut < 4; cut++) { /* text whose head ends inside of a character */
        char head[MEDIA_HEAD_BYTES + 8];
        memset(head, 'x', sizeof head);
        memcpy(head + MEDIA_HEAD_BYTES - cut, "ế", 3);
        assert_string_equal(media_type(span_of(head, sizeof head)), "text/plain");
    }
    assert_true(media_fits("photo", "image/jpeg"));
    assert_false(media_fits("photo", "image/svg+xml"));
    assert_false(media_fits("photo", "application/pdf"));
    assert_false(media_fits("photo", "image/bmp"));
    assert_true(media_fits("photo", "image/heif"));
    assert_false(media_fits("signature", "image/jxl"));
    assert_true(media_fits("document", "image/vnd.adobe.photoshop"));
    assert_true(media_fits("signature", "image/svg+xml"));
    assert_false(media_fits("signature", "text/plain"));
    assert_true(media_fits("laboratory_report", "application/pdf"));
}

/* Films, drawings and mere bytes they are not: what a camera notes is in them. */
static void images_are_known_in_all_the_forms_that_cameras_and_programs_make(void **state)
{
    static const struct head_of cases[] = {
        {B("\0\0\0\x18"
           "ftypisom\0\0\0\0isommif1"),
         "image/heif"},
        {B("\0\0\0\x10"
           "ftypisom\0\0\0\0\0\0\0\x08mif1"), /* that is another box */
         "video/mp4"},
        {B("II+\0\10\0\0\0"), "image/tiff"},
        {B("MM\0+\0\10\0\0"), "image/tiff"},
        {B("\xff\x0a\xfa"), "image/jxl"},
        {B("\0\0\0\x0cJXL \r\n\x87\n"), "image/jxl"},
        {B("\0\0\0\x0cjP  \r\n\x87\n"), "image/jp2"},
        {B("\xff\x4f\xff\x51\0\x2f"), "image/jp2"},
        {B("IIU\0\x18\0\0\0"), "image/x-raw"},
        {B("IIRO\x08\0\0\0"), "image/x-raw"},
        {B("IIRS\x08\0\0\0"), "image/x-raw"},
        {B("MMOR\0\0\0\x08"), "image/x-raw"},
        {B("II\x1a\0\0\0HEAPCCDR"), "image/x-raw"},
        {B("FUJIFILMCCD-RAW 0201"), "image/x-raw"},
        {B("8BPS\0\1"), "image/vnd.adobe.photoshop"},
        {B("BM\x46\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0"), "image/bmp"},
        {B("BM.01 Biên bản kiểm tra\n"), "text/plain"},
        {B("IIRO, MMOR\n"), "text/plain"},
        {B("MMOR và những chữ khác\n"), "text/plain"},
        {B("8BPS và những chữ khác\n"), "text/plain"},
        {B("<!-- drawn > by --><!-- a program -->\n<svg/>"), "image/svg+xml"},
        {B("<?xml version=\"1.0\"?>\n<!DOCTYPE svg PUBLIC \"-//W3C//DTD SVG 1.1//EN\" [\n"
           "<!ENTITY a \"b\">\n]>\n<!-- c -->\n<svg>"),
         "image/svg+xml"},
        {B("<!DOCTYPE svg><svg/>"), "image/svg+xml"},
        {B("<!DOCTYPE html><html><svg/></html>"), "text/plain"},
        {B("<!-- <svg/>"), "text/plain"},
        {B("<!DOCTYPE svg [ <svg/>"), "text/plain"},
    };
    static const char *const images[][2] = {{"heix", "image/heic"}, {"heim", "image/heic"},
                                            {"hevc", "image/heic"}, {"mif1", "image/heif"},
                                            {"mif2", "image/heif"}, {"msf1", "image/heif"},
                                            {"miaf", "image/heif"}, {"avif", "image/avif"},
                                            {"avis", "image/avif"}, {"crx ", "image/x-raw"}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(media_type(cases[i].head), cases[i].type);
    for (size_t i = 0; i < sizeof images / sizeof *images; i++) {
        char box[24] = "\0\0\0\x18"
                       "ftyp";
        memcpy(box + 8, images[i][0], 4);
        assert_string_equal(media_type(span_of(box, sizeof box)), images[i][1]);
    }
}

/* Each block is sealed for its place: one that is put into another's is none. */
static void blocks_do_not_change_places(void **state)
{
    enum { SEALED = FILE_CHUNK_BYTES + 40 };
    uint8_t *bytes = some(2 * FILE_CHUNK_BYTES), hash[FILE_HASH_LEN], out[10];
    uint8_t *sealed = malloc(2 * SEALED);
    struct ocop_error err = {0};
    struct place p;
    char file[256];
    size_t got;
    bool fresh;
    (void)state;
    place_open(&p, true);
    put(&p, bytes, 2 * FILE_CHUNK_BYTES, hash, &fresh);
    file_of(&p, hash, file, sizeof file);
    int fd = open(file, O_RDWR);
    assert_int_equal(pread(fd, sealed, 2 * SEALED, 0), 2 * SEALED);
    must(content_read(&p.d, hash, 0, out, sizeof out, &got, &err), &err);
    assert_int_equal(pwrite(fd, sealed + SEALED, SEALED, 0), SEALED);
    assert_int_equal(pwrite(fd, sealed, SEALED, SEALED), SEALED);
    close(fd);
    assert_int_equal(content_read(&p.d, hash, 0, out, sizeof out, &got, &err), OCOP_EDAMAGED);
    place_close(&p);
    free(sealed);
    free(bytes);
}

/* --- folders -----------------------------------------------------------------------------------
 */

static struct {
    ino_t of[16];
    size_t count;
} synced;

int __real_fsync(int fd);
int __wrap_fsync(int fd);

int __wrap_fsync(int fd)
{
    struct stat info;
    if (fstat(fd, &info) == 0 && synced.count < 16)
        synced.of[synced.count++] = info.st_ino;
    return __real_fsync(fd);
}

static bool was_synced(const char *path)
{
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    for (size_t i = 0; i < synced.count; i++)
        if (synced.of[i] == info.st_ino)
            return true;
    return false;
}

/* Folders that a killed program made may be on no disk yet: a content in them is there for good
 * only when they are. */
static void a_content_is_safe_in_folders_that_others_made(void **state)
{
    uint8_t *bytes = some(FILE_CHUNK_BYTES), hash[FILE_HASH_LEN];
    struct ocop_error err = {0};
    struct place p;
    char file[256], folder[256];
    bool fresh;
    (void)state;
    hash_bytes(span_of(bytes, FILE_CHUNK_BYTES), hash);
    for (int in_chunks = 0; in_chunks < 2; in_chunks++) {
        place_open(&p, false);
        file_of(&p, hash, file, sizeof file);
        snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(file, '/') - file), file);
        assert_int_equal(mkdir(p.path, 0700), 0);
        assert_int_equal(mkdir(folder, 0700), 0);
        synced.count = 0;
        if (in_chunks) {
            const struct content_part_of of = content_part_of(hash, FILE_CHUNK_BYTES, NULL);
            struct content_part part;
            must(content_part_open(&p.d, &of, true, &part, &err), &err);
            must(content_part_put(&part, 0, span_of(bytes, FILE_CHUNK_BYTES), &err), &err);
            must(content_part_finish(&part, &err), &err);
        } else {
            put(&p, bytes, FILE_CHUNK_BYTES, hash, &fresh);
        }
        assert_true(was_synced(file) && was_synced(folder) && was_synced(p.path) &&
                    was_synced(p.base));
        place_close(&p);
    }
    free(bytes);
}

/* The folder around it may forbid to be read: that is no reason to keep nothing. */
static void a_folder_in_a_folder_that_nobody_may_read_keeps_contents(void **state)
{
    struct place p;
    int status;
    (void)state;
    place_open(&p, false);
    assert_int_equal(mkdir(p.path, 0700), 0);
    if (geteuid() == 0) { /* who may read everything is not asked */
        assert_int_equal(chown(p.base, 65534, 65534), 0);
        assert_int_equal(chown(p.path, 65534, 65534), 0);
    }
    assert_int_equal(chmod(p.base, 0300), 0);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct content_writer w;
        bool fresh;
        if (geteuid() == 0 && setuid(65534) != 0)
            _exit(1);
        _exit(content_begin(&p.d, &w, NULL) != OCOP_OK                   ? 2
              : content_write(&w, span_str("nội dung"), NULL) != OCOP_OK ? 3
              : content_seal(&w, NULL) != OCOP_OK                        ? 4
              : content_place(&w, &fresh, NULL) != OCOP_OK               ? 5
                                                                         : 0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(chmod(p.base, 0700), 0);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    place_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_put_is_there_under_its_hash),
        cmocka_unit_test(without_the_key_there_is_only_noise),
        cmocka_unit_test(what_is_not_what_was_written_is_damaged),
        cmocka_unit_test(what_nobody_writes_any_more_is_tidied),
        cmocka_unit_test(a_disk_that_is_nearly_full_takes_no_more),
        cmocka_unit_test(blocks_do_not_change_places),
        cmocka_unit_test(a_content_is_safe_in_folders_that_others_made),
        cmocka_unit_test(a_folder_in_a_folder_that_nobody_may_read_keeps_contents),
        cmocka_unit_test(a_name_is_a_hash_and_nothing_else),
        cmocka_unit_test(a_file_is_what_its_first_bytes_say),
        cmocka_unit_test(images_are_known_in_all_the_forms_that_cameras_and_programs_make),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
