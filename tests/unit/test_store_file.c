/* A store as a file: of another program, altered, on a full disk. */
#include "scripted.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "disk.h"

static void a_store_of_a_newer_program_is_not_opened(void **state)
{
    struct fixture *f = *state;

    run_sql(f, "PRAGMA user_version = 9999");
    assert_int_equal(ocop_open(f->path, NULL, &f->store, &f->err), OCOP_EVERSION);
    assert_null(f->store);
}

static void a_file_that_is_no_store_is_not_opened(void **state)
{
    struct fixture *f = *state;
    FILE *file;

    ocop_close(f->store);
    remove_store(f);
    file = fopen(f->path, "wb");
    assert_non_null(file);
    for (int n = 0; n < 500; n++)
        fputs("this is not a database ", file);
    fclose(file);
    assert_int_equal(ocop_open(f->path, NULL, &f->store, &f->err), OCOP_EDAMAGED);
    assert_null(f->store);
    (void)unlink(f->path);
    assert_int_equal(
        ocop_open(f->path, &(struct ocop_options){.must_exist = true}, &f->store, &f->err),
        OCOP_ENOTFOUND);
}

static void a_flipped_byte_in_a_sealed_set_is_found(void **state)
{
    struct fixture *f = *state;
    unsigned findings = 0;

    submit_one(f);
    sync_ok(f);
    assert_clean(f);
    run_sql(f, "UPDATE sealed SET body = CAST(substr(body, 1, 40) || "
               "iif(substr(body, 41, 1) = x'00', x'01', x'00') || substr(body, 42) AS BLOB)");
    open_store(f);
    OK(ocop_check(f->store, NULL, NULL, &findings, &f->err));
    assert_int_equal(findings, 1);
}

static void use_disk(struct fixture *f)
{
    struct ocop_options o = {.env = &f->env, .vfs = DISK_VFS, .link = &f->server.link};

    disk_register();
    ocop_close(f->store);
    assert_int_equal(ocop_open(f->path, &o, &f->store, &f->err), OCOP_OK);
}

/* The disk is full at the first write, at the second, ... until the call needs no more. */
static void a_full_disk_changes_nothing_and_the_call_can_be_repeated(void **state)
{
    struct fixture *f = *state;
    struct ocop_store_status before, after;
    Ocop__Inspection *i = inspection_new(f);
    enum ocop_status st = OCOP_EDB;
    int failed = 0;

    use_disk(f);
    OK(ocop_store_status(f->store, &before, &f->err));
    for (int n = 0; st; n++) {
        disk_writes_left(n);
        st = ocop_submit(f->store, &i->base, &f->err);
        disk_writes_left(-1);
        failed += st != OCOP_OK;
        if (st)
            assert_int_equal(st, OCOP_EDB);
        OK(ocop_store_status(f->store, &after, &f->err));
        assert_int_equal(after.waiting, before.waiting + (st == OCOP_OK));
        assert_int_equal(after.records, before.records + (st == OCOP_OK));
    }
    assert_true(failed > 3);
    ocop_free(&i->base);
    for (st = OCOP_EDB, failed = 0; st;) {
        disk_writes_left(failed);
        st = ocop_sync(f->store, NULL, &f->sum, &f->err);
        disk_writes_left(-1);
        failed += st != OCOP_OK;
    }
    assert_true(failed > 3);
    assert_int_equal(f->server.got_count, 1);
    assert_clean(f);
    reopen(f);
    assert_clean(f);
    disk_unregister();
}

/* Killed in its commit, between writing and syncing: SQLite shows the transaction to who opens the
 * file then, and a power cut would take it away from who has told of it. */
static void what_a_killed_program_left_in_the_log_is_safe_before_it_is_read(void **state)
{
    struct fixture *f = *state;
    struct ocop_options o = {.env = &f->env, .vfs = DISK_VFS, .link = &f->server.link};
    struct ocop_store *left = NULL;
    struct ocop_id id = submit_one(f);
    ProtobufCMessage *m = NULL;
    char command[400], path[80];
    unsigned before;

    (void)snprintf(path, sizeof path, "%s.left", f->path);
    (void)snprintf(command, sizeof command, "cp %s %s && cp %s-wal %s-wal", f->path, path, f->path,
                   path);
    assert_int_equal(system(command), 0);
    disk_register();
    before = disk_syncs();
    OK(ocop_open(path, &o, &left, &f->err));
    assert_true(disk_syncs() > before);
    OK(ocop_load(left, &id, &m, &f->err));
    ocop_free(m);
    ocop_close(left);
    disk_unregister();
    (void)snprintf(command, sizeof command, "rm -f %s*", path);
    assert_int_equal(system(command), 0);
}

/* Opened on a disk that is full at the first write, at the second, ... until it needs no more, by
 * steps that grow: `make faults` has each write of a migration fail. @return how often that failed:
 * it is told, and is made good once there is room. */
static int open_when_full(struct fixture *f, const char *path, const char *before)
{
    struct ocop_options o = {.env = &f->env, .vfs = DISK_VFS, .link = &f->server.link};
    struct ocop_store *s;
    int failed = 0, n = 0;

    for (enum ocop_status st = OCOP_EDB; st; n += 1 + n / 16) {
        assert_true(failed < 1000);
        assert_int_equal(system(before), 0);
        disk_writes_left(n);
        st = ocop_open(path, &o, &s, &f->err);
        disk_writes_left(-1);
        if (st) {
            assert_int_equal(st, OCOP_EDB);
            assert_non_null(strstr(f->err.text, "full"));
            assert_null(s);
            failed++;
            OK(ocop_open(path, &o, &s, &f->err));
        }
        ocop_close(s);
    }
    return failed;
}

/* What is there can be opened and read on a full disk; what is not there yet is made later. */
static void a_disk_that_is_full_while_a_store_is_opened_loses_nothing(void **state)
{
    struct fixture *f = *state;
    struct ocop_id id = submit_one(f);
    char command[400], path[80];
    struct ocop_options o = {.env = &f->env, .vfs = DISK_VFS, .link = &f->server.link};
    struct ocop_store *left;
    ProtobufCMessage *m;

    (void)snprintf(path, sizeof path, "%s.full", f->path);
    disk_register();
    (void)snprintf(command, sizeof command, "rm -f %s*", path);
    assert_true(open_when_full(f, path, command) > 3);
    /* As a killed program left it. */
    (void)snprintf(command, sizeof command, "rm -f %s* && cp %s %s && cp %s-wal %s-wal", path,
                   f->path, path, f->path, path);
    assert_int_equal(open_when_full(f, path, command), 0);
    OK(ocop_open(path, &o, &left, &f->err));
    OK(ocop_load(left, &id, &m, &f->err));
    ocop_free(m);
    ocop_close(left);
    disk_unregister();
    (void)snprintf(command, sizeof command, "rm -f %s*", path);
    assert_int_equal(system(command), 0);
}

static void the_check_finds_a_row_that_is_not_what_its_changes_say(void **state)
{
    struct fixture *f = *state;
    unsigned findings = 0;

    for (int i = 0; i < 64; i++) /* so many that they are put into the search index */
        submit_one(f);
    run_sql(f, "UPDATE inspection SET score = 1 WHERE n = 9");
    open_store(f);
    OK(ocop_check(f->store, NULL, NULL, &findings, &f->err));
    assert_int_equal(findings, 2); /* nor is it what was written */
    run_sql(f, "UPDATE inspection SET score = 80 WHERE n = 9");
    open_store(f);
    OK(ocop_check(f->store, NULL, NULL, &findings, &f->err));
    assert_int_equal(findings, 0);
    run_sql(f, "DELETE FROM words WHERE word > x'6b'");
    open_store(f);
    OK(ocop_check(f->store, NULL, NULL, &findings, &f->err));
    assert_true(findings > 0);
}

int main(void)
{
    env_log_level(ENV_ERROR);
#define TEST(t) cmocka_unit_test_setup_teardown(t, scripted_setup, scripted_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_store_of_a_newer_program_is_not_opened),
        TEST(a_file_that_is_no_store_is_not_opened),
        TEST(a_flipped_byte_in_a_sealed_set_is_found),
        TEST(a_full_disk_changes_nothing_and_the_call_can_be_repeated),
        TEST(what_a_killed_program_left_in_the_log_is_safe_before_it_is_read),
        TEST(a_disk_that_is_full_while_a_store_is_opened_loses_nothing),
        TEST(the_check_finds_a_row_that_is_not_what_its_changes_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
