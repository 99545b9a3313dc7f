/* Photos, signatures and documents as a person meets them: the built programs, a server and its
 * devices. */
#include "test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "camera.h"
#include "line.h"
#include "office.h"

static int open_office(void **state)
{
    static struct office o;
    office_open(&o);
    office_serve(&o, NULL, NULL);
    office_enrol(&o, "lan", "Lan", "24664");
    *state = &o;
    return 0;
}

static int close_office(void **state)
{
    office_close(*state);
    return 0;
}

/* A file in the office's folder that begins as `head` does. */
static const char *make_file(struct office *o, const char *name, const char *head, size_t len)
{
    static char path[PROCESS_PATH_MAX];
    uint64_t noise = len; /* that no zlib makes smaller */
    FILE *f = fopen(office_path(o, name, path), "wb");
    assert_non_null(f);
    fputs(head, f);
    for (size_t i = strlen(head); i < len; i++)
        fputc((int)((noise = noise * 6364136223846793005u + 1442695040888963407u) >> 56), f);
    assert_int_equal(fclose(f), 0);
    return path;
}

static void make_photo(struct office *o, const char *name, const struct camera *c)
{
    char path[PROCESS_PATH_MAX];
    size_t len;
    uint8_t *photo = camera_photo(c, &len);
    FILE *f = fopen(office_path(o, name, path), "wb");
    assert_int_equal(fwrite(photo, 1, len, f), len);
    assert_int_equal(fclose(f), 0);
    free(photo);
}

static void expect_size(const char *path, unsigned width, unsigned height)
{
    static uint8_t bytes[1 << 20];
    struct camera_seen seen;
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    assert_true(camera_look(span_of(bytes, fread(bytes, 1, sizeof bytes, f)), &seen));
    fclose(f);
    assert_int_equal(seen.width, width);
    assert_int_equal(seen.height, height);
}

static void expect_same(struct office *o, const char *a, const char *b)
{
    char command[3 * PROCESS_PATH_MAX], one[PROCESS_PATH_MAX], two[PROCESS_PATH_MAX];
    snprintf(command, sizeof command, "cmp %s %s", office_path(o, a, one), office_path(o, b, two));
    assert_int_equal(system(command), 0);
}

static void a_photo_is_attached_listed_and_written_out_again(void **state)
{
    struct office *o = *state;
    char record[40], id[40], path[PROCESS_PATH_MAX], head[3];
    office_record(o, "lan", "inspection", 0, "sạch", record);
    office_expect(o, 0,
                  DEVICE(o, "lan", "attach", record, make_file(o, "bếp.jpg", "\xff\xd8\xff", 50000),
                         "--caption", "Khu sơ chế", "--place", "12.4489,107.6301"),
                  "-");
    snprintf(id, sizeof id, "%.36s", o->out);
    office_expect(o, 0, DEVICE(o, "lan", "files", record), "Khu sơ chế  here, not at the registry");
    office_expect(o, 0, DEVICE(o, "lan", "files", "--json"), "\"media_type\": \"image/jpeg\"");
    office_expect(o, 0, DEVICE(o, "lan", "files", "--csv"), ",photo,image/jpeg,50000,bếp.jpg,");
    office_expect(o, 0, DEVICE(o, "lan", "show", id), "12.4489");
    office_expect(o, 0, DEVICE(o, "lan", "find", "--text", "so che"), id);
    office_expect(o, 0, DEVICE(o, "lan", "fetch", id, "--output", office_path(o, "ra.jpg", path)),
                  "");
    expect_same(o, "bếp.jpg", "ra.jpg");
    office_expect(o, 0, DEVICE(o, "lan", "fetch", "Khu sơ chế", "--output", path), "");
    /* In the place of what is no file nothing is put. */
    office_path(o, "pipe", path);
    assert_int_equal(mkfifo(path, 0600), 0);
    const int end = open(path, O_RDONLY | O_NONBLOCK);
    office_expect(o, 0, DEVICE(o, "lan", "fetch", id, "--output", path), "");
    assert_int_equal(read(end, head, sizeof head), sizeof head);
    assert_memory_equal(head, "\xff\xd8\xff", sizeof head);
    assert_int_equal(close(end), 0);
    office_expect(o, 5, DEVICE(o, "lan", "fetch", id, "--output", o->dir), "cannot be written");
    office_expect(o, 0, DEVICE(o, "lan", "sync"), "complete:        yes");
    office_expect(o, 0, OFFICE(o, "show", "attachment", id), "Khu sơ chế");
    office_expect(o, 0, DEVICE(o, "lan", "check"), "");
}

static void photos_are_scaled_when_that_is_said(void **state)
{
    struct office *o = *state;
    char record[40], id[40], path[PROCESS_PATH_MAX];
    office_record(o, "lan", "inspection", 0, "ảnh", record);
    make_photo(o, "to.jpg", &(struct camera){.width = 2000, .height = 1500});
    office_expect(o, 0, DEVICE(o, "lan", "images"), "photos are kept as they come");
    office_expect(o, 2, DEVICE(o, "lan", "images", "--side", "10"), "side_max: may be 0, or from");
    office_expect(o, 0, DEVICE(o, "lan", "images", "--side", "640", "--strip"), "640 pixels");
    office_expect(o, 0, DEVICE(o, "lan", "images"),
                  "scaled down to 640 pixels, quality 80; time and place are left out");
    office_expect(o, 0, DEVICE(o, "lan", "attach", record, office_path(o, "to.jpg", path)), "-");
    snprintf(id, sizeof id, "%.36s", o->out);
    office_expect(o, 0, DEVICE(o, "lan", "fetch", id, "--output", office_path(o, "be.jpg", path)),
                  "");
    expect_size(path, 640, 480);
    office_expect(o, 0, DEVICE(o, "lan", "images", "--side", "0"), "kept as they come");
}

static void without_a_role_an_image_is_a_photo_and_the_rest_a_document(void **state)
{
    struct office *o = *state;
    char record[40];
    static const char *const signature[] = {"attach", NULL, "-", "--role", "signature", NULL};
    const char *args[6];
    office_record(o, "lan", "inspection", 0, "giấy tờ", record);
    office_expect(o, 0,
                  DEVICE(o, "lan", "attach", record, make_file(o, "phieu.pdf", "%PDF-1.7\n", 3000)),
                  "-");
    memcpy(args, signature, sizeof args);
    args[1] = record;
    office_expect(o, 0, office_device(o, "lan", "<svg><path d=\"M0 0L9 9\"/></svg>", args), "-");
    office_expect(o, 0, DEVICE(o, "lan", "files", record), "document   application/pdf");
    office_expect(o, 0, DEVICE(o, "lan", "files", record), "signature  image/svg+xml");
    args[3] = NULL;
    office_expect(o, 1, office_device(o, "lan", "x", args), "say with --role");
}

static void strokes_become_a_signature(void **state)
{
    struct office *o = *state;
    char record[40], id[40];
    static const char *const strokes[] = {"attach", NULL, "-", "--strokes", NULL};
    const char *args[5];
    office_record(o, "lan", "inspection", 0, "ký", record);
    memcpy(args, strokes, sizeof args);
    args[1] = record;
    office_expect(o, 0, office_device(o, "lan", "10,20,0 12,25,16\n\n  30,30,99 \r\n", args), "-");
    snprintf(id, sizeof id, "%.36s", o->out);
    office_expect(o, 0, DEVICE(o, "lan", "fetch", id), "<path d=\"M10 20l2 5\" data-ms=\"0 16\"/>");
    office_expect(o, 0, DEVICE(o, "lan", "fetch", id), "<path d=\"M30 30h0\" data-ms=\"99\"/>");
    office_expect(o, 0, DEVICE(o, "lan", "files", record), "signature  image/svg+xml");
    static const char *const bad[] = {"1,2",         "1,2,x",           "1,2,-3",  "1;2,3",
                                      "1,2,3 <svg>", "99999999999,1,1", "nan,1,0", "inf,1,0",
                                      "0x10,1,0",    "1e3,1,0",         "1.5,2,0", "1,2,3,4"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        office_expect(o, 1, office_device(o, "lan", bad[i], args), "is no stroke such as");
    office_expect(o, 2, office_device(o, "lan", "\n", args), "strokes: there are none");
    static char many[20001 * 8 + 1];
    for (size_t i = 0; i < 20001; i++) /* each a stroke of its own */
        memcpy(many + 8 * i, "1,1,999\n", 8);
    office_expect(o, 2, office_device(o, "lan", many, args), "they have more than 20000 points");
}

/* Entities of entities, a file of the machine, a script: a signature is kept as it came, nobody
 * here opens it, and it is no photo. */
static void a_drawing_that_would_unfold_without_end_is_opened_by_nobody(void **state)
{
    static const char drawing[] =
        "<?xml version=\"1.0\"?><!DOCTYPE svg [<!ENTITY a \"aaaaaaaaaa\">"
        "<!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;\"><!ENTITY c \"&b;&b;&b;&b;&b;&b;&b;&b;\">"
        "<!ENTITY d \"&c;&c;&c;&c;&c;&c;&c;&c;\"><!ENTITY e \"&d;&d;&d;&d;&d;&d;&d;&d;\">"
        "<!ENTITY x SYSTEM \"file:///etc/passwd\">]><svg xmlns=\"http://www.w3.org/2000/svg\" "
        "width=\"1e999\" viewBox=\"0 0 inf nan\"><script>alert(1)</script>&e;&x;</svg>";
    struct office *o = *state;
    char record[40], id[40], path[PROCESS_PATH_MAX];
    office_record(o, "lan", "inspection", 0, "vẽ", record);
    const char *file = make_file(o, "ve.svg", drawing, sizeof drawing - 1);
    office_expect(o, 2, DEVICE(o, "lan", "attach", record, file, "--role", "photo"),
                  "image/svg+xml cannot be a photo");
    office_expect(o, 0, DEVICE(o, "lan", "attach", record, file, "--role", "signature"), "-");
    snprintf(id, sizeof id, "%.36s", o->out);
    office_expect(o, 0, DEVICE(o, "lan", "sync"), "files sent:");
    office_expect(o, 0, OFFICE(o, "files", "thumbnails"), " have none");
    office_expect(o, 3, DEVICE(o, "lan", "fetch", id, "--thumbnail"), "");
    office_expect(o, 0, DEVICE(o, "lan", "fetch", id, "--output", office_path(o, "ve2.svg", path)),
                  "");
    expect_same(o, "ve.svg", "ve2.svg");
}

static void what_cannot_be_attached_is_one_line_and_its_exit_code(void **state)
{
    struct office *o = *state;
    char record[40], path[PROCESS_PATH_MAX];
    static const struct {
        const char *name, *head;
        size_t len;
        const char *option, *value;
        int code;
        const char *says;
    } cases[] = {
        {"empty.jpg", "", 0, "--role", "photo", 2, "path: the file is empty"},
        {"a.jpg", "Biên bản", 100, "--role", "photo", 2,
         "role: a file of type application/octet-stream cannot be a photo"},
        {"b.jpg", "\xff\xd8\xff", 100, "--role", "selfie", 2,
         "role: \"selfie\" is not in code list"},
        {"c.jpg", "\xff\xd8\xff", 100, "--name", "../c", 2, "name: a name is wanted, not a path"},
        {"d.jpg", "\xff\xd8\xff", 100, "--place", "north", 1, "is no place"},
        {"e.jpg", "\xff\xd8\xff", 100, "--place", "91,0", 1, "is no place"},
        {"f.jpg", "\xff\xd8\xff", (16 << 20) + 1, "--role", "photo", 2, "path: is larger than"},
    };
    office_record(o, "lan", "inspection", 0, "lỗi", record);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *file = make_file(o, cases[i].name, cases[i].head, cases[i].len);
        office_expect(o, cases[i].code,
                      DEVICE(o, "lan", "attach", record, file, cases[i].option, cases[i].value),
                      cases[i].says);
        assert_ptr_equal(strchr(o->err, '\n'), o->err + strlen(o->err) - 1);
    }
    office_expect(o, 3, DEVICE(o, "lan", "attach", record, "/nowhere/x.jpg"), "cannot be opened");
    office_expect(o, 2, DEVICE(o, "lan", "attach", record, "/tmp"), "is not a file");
    office_expect(o, 3,
                  DEVICE(o, "lan", "fetch", record, "--output", office_path(o, "no.jpg", path)),
                  "no such attachment");
    office_expect(o, 0, DEVICE(o, "lan", "files", record), "");
    assert_string_equal(o->out, "");
}

/* A sync that is killed when the line has carried so many bytes of it, or that comes to its end. */
static void cut(struct office *o, const char *name, struct line *line, uint64_t bytes)
{
    struct process p = {0};
    char out[PROCESS_PATH_MAX], store[PROCESS_PATH_MAX];
    const char *const args[] = {"--store", office_path(o, name, store), "sync", NULL};
    const uint64_t end = line_counts(line).up + bytes;
    process_start(&p, office_path(o, "cut", out), process_ocop(), args, NULL, NULL);
    bool ended = process_ended(&p, 10);
    while (!ended && line_counts(line).up < end)
        ended = process_ended(&p, 10);
    if (ended)
        process_finish(&p);
    else
        process_kill(&p);
}

/* A photo of 2 MiB over a line of 400 KiB/s, by a program that is killed when 400 KiB went, again
 * and again: each goes on where the one before it was killed. The server is killed once, too. */
static void a_killed_sync_goes_on_where_it_was(void **state)
{
    struct office *o = *state;
    char record[40], id[40], address[PORT_ADDRESS_MAX], path[PROCESS_PATH_MAX];
    struct line_options slow = {
        .bytes_per_s = 400 << 10, .shared = true, .delay_ms = 20, .seed = 1};
    struct line *line = line_open(atoi(strrchr(o->listen, ':') + 1), &slow);
    unsigned cuts = 0;
    memcpy(address, o->address, sizeof address);
    snprintf(o->address, sizeof o->address, "%s", line_address(line));
    office_enrol(o, "minh", "Minh", "24664");
    office_record(o, "minh", "inspection", 0, "ảnh lớn", record);
    office_expect(
        o, 0, DEVICE(o, "minh", "attach", record, make_file(o, "lon.jpg", "\xff\xd8\xff", 2 << 20)),
        "-");
    snprintf(id, sizeof id, "%.36s", o->out);
    const uint64_t before = line_counts(line).up;
    do {
        cut(o, "minh", line, 400 << 10);
        if (++cuts == 2) {
            process_kill(&o->server);
            office_serve(o, NULL, NULL);
        }
        assert_true(cuts < 40);
        office_expect(o, 0, DEVICE(o, "minh", "files", record), "KiB");
    } while (!strstr(o->out, "here and at the registry"));
    if (cuts < 4)
        fail_msg("cut %u times only; %llu bytes", cuts,
                 (unsigned long long)(line_counts(line).up - before));
    /* Of each that was killed at most what was on its way came to nothing. */
    const uint64_t sent = line_counts(line).up - before;
    if (sent > (2 << 20) + cuts * (uint64_t)(300 << 10))
        fail_msg("%llu bytes for 2 MiB, cut %u times", (unsigned long long)sent, cuts);
    office_expect(o, 0, OFFICE(o, "show", "inspection", record), "whole, 2048 KiB");
    office_expect(o, 0, OFFICE(o, "files", "--missing"), "");
    office_expect(o, 0, DEVICE(o, "lan", "sync"), "complete:        yes");
    office_expect(o, 0, DEVICE(o, "lan", "fetch", id, "--output", office_path(o, "den.jpg", path)),
                  "");
    expect_same(o, "lon.jpg", "den.jpg");
    office_expect(o, 0, OFFICE(o, "files", "verify"), " 0 damaged; 0 contents orphaned");
    memcpy(o->address, address, sizeof address);
    line_close(line);
}

/* Each loses its own segments, so that a long line is used; a small file is no reason for more. */
static void a_large_file_goes_by_several_connections_at_once(void **state)
{
    static const struct {
        size_t bytes;
        unsigned connections;
    } cases[] = {{31000, 1}, {(2 << 20) + 1, 4}};
    struct office *o = *state;
    char address[PORT_ADDRESS_MAX], record[40];
    const struct line_options plain = {.delay_ms = 5, .seed = 2};
    struct line *line = line_open(atoi(strrchr(o->listen, ':') + 1), &plain);
    memcpy(address, o->address, sizeof address);
    snprintf(o->address, sizeof o->address, "%s", line_address(line));
    office_enrol(o, "hoa", "Hoa", "24664");
    office_record(o, "hoa", "inspection", 0, "ảnh", record);
    for (unsigned i = 0; i < 2; i++) {
        const unsigned before = line_counts(line).connections;
        office_expect(o, 0,
                      DEVICE(o, "hoa", "attach", record,
                             make_file(o, "hoa.jpg", "\xff\xd8\xff", cases[i].bytes)),
                      "-");
        office_expect(o, 0, DEVICE(o, "hoa", "sync"), "files sent:      1");
        assert_int_equal(line_counts(line).connections - before, cases[i].connections);
    }
    memcpy(o->address, address, sizeof address);
    line_close(line);
}

static void the_office_sees_what_is_on_its_way_and_what_is_damaged(void **state)
{
    struct office *o = *state;
    char record[40], command[6 * PROCESS_PATH_MAX];
    office_record(o, "lan", "inspection", 0, "chờ ảnh", record);
    office_expect(o, 0,
                  DEVICE(o, "lan", "attach", record, make_file(o, "cho.jpg", "\xff\xd8\xff", 70000),
                         "--caption", "Chờ"),
                  "-");
    office_expect(o, 0, DEVICE(o, "lan", "sync", "--no-files"), "complete:        yes");
    office_expect(o, 0, OFFICE(o, "files", "--missing"), "0 of 69 KiB, nothing came yet");
    office_expect(o, 0, OFFICE(o, "files", "--record", record, "--json"), "\"state\":\"missing\"");
    assert_null(strchr(o->out, '\n')[1] ? o->out : NULL); /* of no other record */
    office_expect(o, 1, OFFICE(o, "files", "--record", "x"), "is no record's id");
    office_expect(o, 0, DEVICE(o, "lan", "status"), "files waiting:  1 (69 KiB)");
    office_expect(o, 0, DEVICE(o, "lan", "status", "--json"), "\"filesWaitingBytes\":70000");
    office_expect(o, 0, OFFICE(o, "show", "inspection", record), "Chờ: 0 of 69 KiB");
    office_expect(o, 0, OFFICE(o, "files", "verify"), "missing\tattachment");
    office_expect(o, 0, DEVICE(o, "lan", "sync", "--max-round-trips", "1"),
                  "complete:        all but files; sync again");
    office_expect(o, 9, DEVICE(o, "lan", "sync", "--max-round-trips", "1", "--strict"),
                  "files left:");
    office_expect(o, 0, DEVICE(o, "lan", "sync", "--strict"), "files sent:");
    office_expect(o, 0, OFFICE(o, "files", "--missing"), "");
    assert_string_equal(o->out, "");
    office_expect(o, 0, DEVICE(o, "lan", "status", "--json"), "\"filesWaiting\":0");
    office_expect(o, 0, OFFICE(o, "files", "--json"), "\"state\":\"whole\"");
    snprintf(command, sizeof command,
             "f=$(find %s.blobs/?? -type f -size +60k -size -70k | head -n 1) && printf x | "
             "dd of=$f bs=1 seek=9 conv=notrunc 2>/dev/null && mkdir -p %s.blobs/ab && cp $f "
             "%s.blobs/ab/ab%062d",
             o->db, o->db, o->db, 0);
    assert_int_equal(system(command), 0);
    office_expect(o, 1, OFFICE(o, "files", "verify"), "damaged\tattachment");
    office_expect(o, 1, OFFICE(o, "verify"), "`ocopd files verify --mend`");
    office_expect(o, 1, OFFICE(o, "files", "verify"), "orphaned\tab0");
    office_expect(o, 0, OFFICE(o, "files", "sweep"), "1 contents removed");
    office_expect(o, 1, OFFICE(o, "files", "verify"), "; 0 contents orphaned");
    office_expect(o, 0, OFFICE(o, "files", "verify", "--mend"), "asked of the devices");
    office_expect(o, 0, OFFICE(o, "files", "--missing"), "lost here and asked of devices since");
    office_expect(o, 0, OFFICE(o, "files", "--by-device"), "\tLan\t1 files\t0 of 69 KiB\tsince");
    office_expect(o, 0, OFFICE(o, "files", "--by-device", "--json"), "\"files\":1,\"bytes\":70000");
    office_expect(o, 0, DEVICE(o, "lan", "sync"), "files sent:      1");
    office_expect(o, 0, OFFICE(o, "files", "verify"), " 0 damaged; 0 contents orphaned");
    office_expect(o, 1, OFFICE(o, "files", "all"),
                  "files takes list, verify, sweep, retain, thumbnails");
}

static void the_office_drops_nothing_that_is_young_and_holds_what_it_needs(void **state)
{
    struct office *o = *state;
    char record[40];
    office_record(o, "lan", "inspection", 0, "giữ lại", record);
    office_expect(o, 0,
                  DEVICE(o, "lan", "attach", record, make_file(o, "giu.jpg", "\xff\xd8\xff", 9000)),
                  "-");
    office_expect(o, 0, DEVICE(o, "lan", "sync"), "files sent:      1");
    office_expect(o, 1, OFFICE(o, "files", "retain"), "needs --older-than");
    office_expect(o, 1, OFFICE(o, "files", "retain", "--older-than", "90", "--dry-run"),
                  "brought to court for a year");
    office_expect(o, 1, OFFICE(o, "files", "retain", "--older-than", "400"), "needs --reason");
    office_expect(o, 0,
                  OFFICE(o, "files", "retain", "--older-than", "400", "--dry-run", "--role",
                         "photo", "--kind", "inspection"),
                  "0 contents would go (0 KiB); kept: ");
    office_expect(o, 1, OFFICE(o, "files", "hold", record), "needs --reason");
    office_expect(o, 0, OFFICE(o, "files", "hold", record, "--reason", "khiếu nại"),
                  "1 attachments: their contents stay");
    office_expect(o, 0, OFFICE(o, "show", "inspection", record), ", held: khiếu nại");
    office_expect(o, 1,
                  OFFICE(o, "files", "retain", "--older-than", "400", "--reason", "hết hạn",
                         "--officer", "Lan"),
                  "only a reconciler or an administrator of today may decide");
    office_invite(o, "Chi", "reconciler", office_units[0]);
    office_expect(o, 0,
                  OFFICE(o, "files", "retain", "--older-than", "400", "--reason", "hết hạn",
                         "--officer", "Chi"),
                  ", 1 held, ");
    office_expect(o, 0, OFFICE(o, "files", "release", record), "not held any more");
    office_expect(o, 0, OFFICE(o, "files", "sweep", "--parts-older", "30"),
                  "0 contents removed, 0 parts emptied");
}

/* The folder of a backup holds the contents of all backups in it, each once; a restore takes from
 * there what it lacks, and so does a repair. */
static void backups_hold_contents_and_the_next_only_what_is_new(void **state)
{
    struct office *o = *state;
    char record[40], id[40], path[2][PROCESS_PATH_MAX], db[PROCESS_PATH_MAX], command[1000];
    snprintf(
        command, sizeof command,
        "rm -rf %s.blobs/ab && mkdir %s/backups && f=$(find %s.blobs/?? -type f -size +60k -size "
        "-70k | head -n 1) && printf x | dd of=$f bs=1 seek=9 conv=notrunc 2>/dev/null",
        o->db, o->dir, o->db);
    assert_int_equal(system(command), 0);
    office_record(o, "lan", "inspection", 0, "sao lưu", record);
    office_expect(
        o, 0, DEVICE(o, "lan", "attach", record, make_file(o, "sao.jpg", "\xff\xd8\xff", 40000)),
        "-");
    snprintf(id, sizeof id, "%.36s", o->out);
    office_expect(o, 0, DEVICE(o, "lan", "sync"), "files sent:      1");
    office_expect(
        o, 3, OFFICE(o, "backup", "--with-keys", "--to", office_path(o, "backups/1.db", path[0])),
        " 0 there before, 0 not here yet, 0 lost, 1 damaged and left out");
    assert_non_null(strstr(o->err, "the database is copied whole, but 1 files are left out"));
    office_expect(
        o, 0, DEVICE(o, "lan", "attach", record, make_file(o, "sau.jpg", "\xff\xd8\xff", 30000)),
        "-");
    office_expect(o, 0, DEVICE(o, "lan", "sync"), "files sent:      1");
    office_expect(o, 3, OFFICE(o, "backup", "--to", office_path(o, "backups/2.db", path[1])),
                  "files: 1 copied (29 KiB)");
    memcpy(db, o->db, sizeof db);
    office_path(o, "other.db", o->db);
    office_expect(o, 3, OFFICE(o, "restore", "--from", path[0]),
                  " 0 there before, 0 not here yet, 1 lost, 0 damaged and left out");
    assert_non_null(strstr(o->err, "the database is restored whole, but 1 files are left out"));
    office_expect(o, 1, OFFICE(o, "verify"), "tables: equal"); /* and its files are lost */
    office_expect(o, 0, OFFICE(o, "show", "attachment", id), "sao.jpg");
    office_expect(o, 0, OFFICE(o, "show", "inspection", record), "whole, 40 KiB");
    memcpy(o->db, db, sizeof db);
}

/* Where machines share a file system, the next of them has all files with the database alone. */
static void contents_lie_where_the_configuration_says(void **state)
{
    static struct office o;
    char record[40], blobs[PROCESS_PATH_MAX], path[PROCESS_PATH_MAX], command[4 * PROCESS_PATH_MAX];
    (void)state;
    office_open(&o);
    office_path(&o, "shared", blobs);
    office_serve(&o, (const char *const[]){"--blobs", blobs, NULL}, NULL);
    office_enrol(&o, "lan", "Lan", "24664");
    office_record(&o, "lan", "inspection", 0, "sạch", record);
    office_expect(
        &o, 0, DEVICE(&o, "lan", "attach", record, make_file(&o, "a.jpg", "\xff\xd8\xff", 50000)),
        "-");
    office_expect(&o, 0, DEVICE(&o, "lan", "sync"), "files sent:      1");
    snprintf(command, sizeof command,
             "h=$(b2sum -l 256 <%s/a.jpg) && test -f %s/$(echo $h | cut -c1-2)/${h%%%% *} && "
             "test ! -e %s.blobs",
             o.dir, blobs, o.db);
    assert_int_equal(system(command), 0);
    office_expect(&o, 1, OFFICE(&o, "files", "verify"), "lost\tattachment");
    office_expect(&o, 0, OFFICE(&o, "files", "verify", "--blobs", blobs), " 0 damaged");
    office_path(&o, "backup.db", path);
    office_expect(&o, 0, OFFICE(&o, "backup", "--with-keys", "--blobs", blobs, "--to", path),
                  "files: 1 copied");
    office_path(&o, "other.db", o.db);
    office_expect(&o, 0, OFFICE(&o, "restore", "--blobs", blobs, "--from", path),
                  " 1 there before");
    office_expect(&o, 0, OFFICE(&o, "show", "inspection", record, "--blobs", blobs),
                  "whole, 49 KiB");
    office_close(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_photo_is_attached_listed_and_written_out_again),
        cmocka_unit_test(photos_are_scaled_when_that_is_said),
        cmocka_unit_test(without_a_role_an_image_is_a_photo_and_the_rest_a_document),
        cmocka_unit_test(strokes_become_a_signature),
        cmocka_unit_test(a_drawing_that_would_unfold_without_end_is_opened_by_nobody),
        cmocka_unit_test(what_cannot_be_attached_is_one_line_and_its_exit_code),
        cmocka_unit_test(a_killed_sync_goes_on_where_it_was),
        cmocka_unit_test(a_large_file_goes_by_several_connections_at_once),
        cmocka_unit_test(the_office_sees_what_is_on_its_way_and_what_is_damaged),
        cmocka_unit_test(the_office_drops_nothing_that_is_young_and_holds_what_it_needs),
        cmocka_unit_test(backups_hold_contents_and_the_next_only_what_is_new),
        cmocka_unit_test(contents_lie_where_the_configuration_says),
    };
    return cmocka_run_group_tests(tests, open_office, close_office);
}
