/* What nobody shall find: keys and personal data in logs, and in the files that crashes leave. */
#include "test.h"

#include <ctype.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "keys.h"
#include "office.h"

#define OFFICER "Nguyễn Thị Thu Hoa"
#define PHONE "0912 345 678"
#define EMAIL "thuhoa.kiemtra@example.vn"
#define PRODUCER_PHONE "0263 3820 555"
#define REMARK "nghi ngờ pha trộn, chủ cơ sở Trần Văn Bảy khai"

static int open_office(void **state)
{
    struct office *o = calloc(1, sizeof *o);

    *state = o;
    office_open(o);
    return 0;
}

static int close_office(void **state)
{
    office_close(*state);
    free(*state);
    return 0;
}

static void write_text(const struct office *o, const char *name, const char *text)
{
    char path[PROCESS_PATH_MAX];
    FILE *f = fopen(office_path(o, name, path), "w");

    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

/* --- logs ------------------------------------------------------------------------------------ */

/* Everything that a server may have to log something of: enrolments, good and bad; records, good
 * and bad, with personal data in them; a device that is revoked and goes on. */
static void a_day(struct office *o)
{
    char id[40], unit[64], path[PROCESS_PATH_MAX];

    write_text(o, "officers.csv",
               "name,agency,roles,phone,email\n" OFFICER ",Chi cục,"
               "inspector;sampler," PHONE "," EMAIL "\n");
    office_expect(o, 0, OFFICE(o, "import", "officers", office_path(o, "officers.csv", path)),
                  " new");
    office_enrol(o, "a.ocop", "Trần Văn Minh", office_units[0]);
    office_record(o, "a.ocop", "inspection", 0, REMARK, id);
    (void)snprintf(unit, sizeof unit, "unit_id=%s", o->unit_ids[0]);
    office_expect(o, 0,
                  DEVICE(o, "a.ocop", "new", "producer", "--submit", "--set", unit, "--set",
                         "name=Cơ sở Trần Văn Bảy", "--set", "producer_type=household", "--set",
                         "phone=" PRODUCER_PHONE),
                  "");
    office_expect(o, 0, DEVICE(o, "a.ocop", "sync"), "complete:        yes");
    /* The same code for a second device. */
    office_expect(o, 0, DEVICE(o, "b.ocop", "init"), "");
    (void)office_device(o, "b.ocop", o->code, (const char *const[]){"enrol", "-", NULL});
    office_expect(o, 0, OFFICE(o, "revoke", "1", "--reason", "mất máy ở nhà " OFFICER), "");
    office_record(o, "a.ocop", "inspection", 0, REMARK, id);
    (void)DEVICE(o, "a.ocop", "sync");
}

/* In clear, in hex and in base64, each in whole or by its first half. */
static void assert_no_bytes(const char *text, size_t len, const uint8_t *secret, size_t n)
{
    char form[200];

    for (size_t part = n; part >= n / 2; part -= n - n / 2) {
        (void)sodium_bin2hex(form, sizeof form, secret, part);
        assert_null(strstr(text, form));
        for (char *p = form; *p; p++)
            *p = (char)toupper((unsigned char)*p);
        assert_null(strstr(text, form));
        (void)sodium_bin2base64(form, sizeof form, secret, part / 3 * 3,
                                sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
        assert_null(strstr(text, form));
        for (size_t i = 0; i + part <= len; i++)
            assert_true(memcmp(text + i, secret, part) != 0);
    }
}

static void no_key_and_nothing_of_a_person_reaches_the_log(void **state)
{
    static const char *const personal[] = {
        OFFICER,        PHONE,           "0912345678", EMAIL,   PRODUCER_PHONE,
        "Trần Văn Bảy", "Trần Văn Minh", "nghi ngờ",   "Cơ sở", "HTX Đức Lập"};
    static char log[PROCESS_TEXT_MAX];
    struct office *o = *state;
    struct server_keys keys;
    char path[PROCESS_PATH_MAX], code[64];

    office_serve(o, (const char *const[]){"--log-level", "debug", NULL}, NULL);
    a_day(o);
    office_stop(o);
    process_read(o->server.err, log);
    assert_non_null(strstr(log, "event=exchange")); /* there is something to look at */
    for (size_t i = 0; i < sizeof personal / sizeof *personal; i++)
        if (strstr(log, personal[i]))
            fail_msg("\"%s\" stands in the log", personal[i]);
    office_path(o, "r.db.keys", path);
    assert_int_equal(keys_load(path, &keys, NULL), OCOP_OK);
    assert_no_bytes(log, strlen(log), keys.root.secret, 32);
    assert_no_bytes(log, strlen(log), keys.channel[0].secret, CHANNEL_KEY_LEN);
    for (size_t i = 0; i + 24 < strlen(o->code); i += 12) { /* any part of an invitation */
        (void)snprintf(code, sizeof code, "%.24s", o->code + i);
        assert_null(strstr(log, code));
    }
    keys_wipe(&keys);
}

/* --- cores ----------------------------------------------------------------------------------- */

static void a_process_that_holds_keys_leaves_no_core(void **state)
{
    static char limits[PROCESS_TEXT_MAX];
    struct office *o = *state;
    char path[PROCESS_PATH_MAX];
    int status;
    pid_t child;

    office_serve(o, NULL, NULL);
    (void)snprintf(path, sizeof path, "/proc/%ld/limits", (long)o->server.pid);
    process_read(path, limits);
    const char *line = strstr(limits, "Max core file size");
    unsigned long soft = 1, hard = 1;
    assert_non_null(line);
    assert_int_equal(sscanf(line, "Max core file size %lu %lu", &soft, &hard), 2);
    assert_int_equal(soft, 0);
    assert_int_equal(hard, 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        keys_keep_from_core();
        _exit(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0 ? 7 : 8);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 7);
}

/* --- the file of keys ------------------------------------------------------------------------ */

static void keys_are_not_used_from_a_file_that_others_may_read(void **state)
{
    struct office *o = *state;
    char path[PROCESS_PATH_MAX];

    office_path(o, "r.db.keys", path);
    for (unsigned bit = 1; bit < 0100; bit <<= 1) {
        assert_int_equal(chmod(path, 0600 | bit), 0);
        office_expect(o, 1, OFFICE(o, "run", "--listen", o->listen), "chmod 600");
    }
    assert_int_equal(chmod(path, 0600), 0);
    office_serve(o, NULL, NULL);
}

/* Somebody waits with an open file of his own, or a link, under the name that is written first. */
static void keys_are_not_written_into_a_file_that_waits_for_them(void **state)
{
    struct office *o = *state;
    struct server_keys keys;
    struct stat info;
    char path[PROCESS_PATH_MAX], trap[PROCESS_PATH_MAX + 8], other[PROCESS_PATH_MAX];
    FILE *held;

    office_path(o, "new.keys", path);
    office_path(o, "other", other);
    (void)snprintf(trap, sizeof trap, "%s.new", path);
    write_text(o, "new.keys.new", "");
    assert_int_equal(chmod(trap, 0666), 0);
    held = fopen(trap, "r");
    assert_non_null(held);
    assert_int_equal(keys_create(path, env_system(), &keys, NULL), OCOP_OK);
    assert_int_equal(fgetc(held), EOF);
    (void)fclose(held);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink(other, trap), 0);
    assert_int_equal(keys_create(path, env_system(), &keys, NULL), OCOP_OK);
    assert_int_equal(access(other, F_OK), -1);
    assert_int_equal(access(trap, F_OK), -1);
    keys_wipe(&keys);
}

#define T(name) cmocka_unit_test_setup_teardown(name, open_office, close_office)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(no_key_and_nothing_of_a_person_reaches_the_log),
        T(a_process_that_holds_keys_leaves_no_core),
        T(keys_are_not_used_from_a_file_that_others_may_read),
        T(keys_are_not_written_into_a_file_that_waits_for_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
