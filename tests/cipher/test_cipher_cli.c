/* `ocop` with the key of an encrypted store: from a file, a descriptor or the environment. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "process.h"

#define HEX "5ca1ab1e5ca1ab1e5ca1ab1e5ca1ab1e5ca1ab1e5ca1ab1e5ca1ab1e5ca1ab1e"
#define PHRASE "một câu mà không ai khác biết"

struct place {
    char dir[32], store[64];
    struct process process;
    char out[PROCESS_TEXT_MAX], err[PROCESS_TEXT_MAX];
};

static int place_open(void **state)
{
    struct place *p = calloc(1, sizeof *p);

    *state = p;
    (void)snprintf(p->dir, sizeof p->dir, "/tmp/ocop-key-XXXXXX");
    assert_non_null(mkdtemp(p->dir));
    (void)snprintf(p->store, sizeof p->store, "%s/field.ocop", p->dir);
    assert_int_equal(setenv("OCOP_STORE", p->store, 1), 0);
    return 0;
}

static int place_close(void **state)
{
    struct place *p = *state;
    char command[64];

    (void)unsetenv("OCOP_STORE");
    (void)unsetenv("OCOP_KEY");
    (void)unsetenv("OCOP_KEY_FILE");
    (void)snprintf(command, sizeof command, "rm -rf %s", p->dir);
    assert_int_equal(system(command), 0);
    free(p);
    return 0;
}

/* A file of the place, with text of this mode; NULL: only its name. */
static const char *file(const struct place *p, const char *name, const char *text, mode_t mode)
{
    static char path[16][64];
    static unsigned next;
    char *out = path[next++ % 16];
    FILE *f;

    (void)snprintf(out, sizeof path[0], "%s/%s", p->dir, name);
    if (!text)
        return out;
    f = fopen(out, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(chmod(out, mode), 0);
    return out;
}

static void start(struct place *p, const char *input, const char *const *args)
{
    process_start(&p->process, file(p, "call", NULL, 0), process_ocop(), args, input, NULL);
}

static void finish(struct place *p, int want, const char *text)
{
    int code = process_finish(&p->process);

    process_read(p->process.out, p->out);
    process_read(p->process.err, p->err);
    if (code != want || (!strstr(p->out, text) && !strstr(p->err, text)))
        fail_msg("exit %d, not %d, or not \"%s\" in:\n%s%s", code, want, text, p->out, p->err);
    assert_null(strstr(p->out, HEX));
    assert_null(strstr(p->err, HEX));
}

#define EXPECT(p, want, text, ...)                                                                 \
    (start(p, NULL, (const char *const[]){__VA_ARGS__, NULL}), finish(p, want, text))

static void a_key_comes_from_a_file_that_nobody_else_can_read(void **state)
{
    struct place *p = *state;
    const char *key = file(p, "key", HEX "\n", 0600);

    for (mode_t bit = 1; bit < 0100; bit <<= 1) {
        assert_int_equal(chmod(key, 0600 | bit), 0);
        EXPECT(p, 4, "chmod 600", "init", "--key-file", key);
        assert_int_equal(access(p->store, F_OK), -1);
    }
    assert_int_equal(chmod(key, 0600), 0);
    EXPECT(p, 0, "", "init", "--key-file", key);
    EXPECT(p, 0, "encrypted:  yes", "status", "--key-file", key);
    EXPECT(p, 0, "\"encrypted\":true", "--key-file", key, "status", "--json");
    EXPECT(p, 8, "is encrypted", "status");
    EXPECT(p, 8, "right key", "status", "--key-file", file(p, "other", PHRASE, 0600));
    EXPECT(p, 2, "holds no key", "status", "--key-file", file(p, "empty", "", 0600));
    EXPECT(p, 2, "16 to 1024", "status", "--key-file", file(p, "short", "short\n", 0600));
    EXPECT(p, 5, "cannot be read", "status", "--key-file", file(p, "none", NULL, 0));
}

static void a_key_comes_from_a_descriptor_or_the_environment_too(void **state)
{
    struct place *p = *state;

    start(p, HEX, (const char *const[]){"init", "--key-file", "/dev/fd/0", NULL});
    finish(p, 0, "");
    assert_int_equal(setenv("OCOP_KEY", HEX, 1), 0);
    EXPECT(p, 0, "sound", "check");
    assert_int_equal(setenv("OCOP_KEY_FILE", file(p, "key", PHRASE, 0600), 1), 0);
    EXPECT(p, 8, "right key", "check"); /* a file goes before */
}

static void the_key_is_changed_by_a_command(void **state)
{
    struct place *p = *state;
    const char *first = file(p, "first", HEX, 0600), *next = file(p, "next", PHRASE "\n", 0600);

    EXPECT(p, 0, "", "init");
    EXPECT(p, 0, "encrypted:  no; whoever has the file can read it", "status");
    EXPECT(p, 4, "rekey", "status", "--key-file", first);
    EXPECT(p, 1, "--new-key-file", "rekey");
    EXPECT(p, 0, "", "rekey", "--new-key-file", first);
    EXPECT(p, 0, "", "rekey", "--key-file", first, "--new-key-file", next);
    EXPECT(p, 8, "right key", "check", "--key-file", first);
    assert_int_equal(setenv("OCOP_KEY", PHRASE, 1), 0);
    EXPECT(p, 0, "sound", "check");
}

/* It is opened with the key of the store that is synced, wherever that came from. Neither is
 * enrolled here: who hears so of the former one has opened it. */
static void the_former_store_is_opened_with_the_same_key(void **state)
{
    static const char *const opened = "former officer's store: 0 changes sent, 0 still wait: this "
                                      "store is not enrolled";
    struct place *p = *state;
    const char *key = file(p, "key", HEX, 0600), *former = file(p, "former.ocop", NULL, 0);
    const char *plain = file(p, "plain.ocop", NULL, 0), *other = file(p, "other.ocop", NULL, 0);

    EXPECT(p, 0, "", "init", "--key-file", key);
    EXPECT(p, 0, "", "init", "--store", former, "--key-file", key);
    EXPECT(p, 0, "", "init", "--store", plain);
    EXPECT(p, 0, "", "init", "--store", other, "--key-file", file(p, "phrase", PHRASE, 0600));
    EXPECT(p, 4, opened, "sync", "--key-file", key, "--former", former);
    EXPECT(p, 4, opened, "sync", "--key-file", key, "--former", plain);
    EXPECT(p, 4, "right key", "sync", "--key-file", key, "--former", other);
    EXPECT(p, 4, "still wait: ", "sync", "--key-file", key, "--former", file(p, "no", NULL, 0));
    assert_int_equal(access(file(p, "no", NULL, 0), F_OK), -1);
    start(p, HEX,
          (const char *const[]){"sync", "--key-file", "/dev/fd/0", "--former", former, NULL});
    finish(p, 4, opened);
    assert_int_equal(setenv("OCOP_KEY", HEX, 1), 0);
    EXPECT(p, 4, opened, "sync", "--former", former);
}

/* Held at a pipe that it reads the key from, while we look at it. */
static void a_key_stands_in_no_argument_and_in_no_core(void **state)
{
    static char text[PROCESS_TEXT_MAX];
    struct place *p = *state;
    const char *pipe = file(p, "pipe", NULL, 0);
    char path[64];
    FILE *f;

    assert_int_equal(mkfifo(pipe, 0600), 0);
    start(p, NULL, (const char *const[]){"init", "--key-file", pipe, NULL});
    f = fopen(pipe, "w"); /* returns when it reads */
    assert_non_null(f);
    (void)snprintf(path, sizeof path, "/proc/%ld/limits", (long)p->process.pid);
    process_read(path, text);
    const char *line = strstr(text, "Max core file size");
    unsigned long soft = 1, hard = 1;
    assert_non_null(line);
    assert_int_equal(sscanf(line, "Max core file size %lu %lu", &soft, &hard), 2);
    assert_int_equal(soft, 0);
    assert_int_equal(hard, 0);
    assert_true(fputs(HEX, f) >= 0);
    (void)snprintf(path, sizeof path, "/proc/%ld/cmdline", (long)p->process.pid);
    process_read(path, text);
    assert_null(strstr(text, HEX));
    assert_int_equal(fclose(f), 0);
    finish(p, 0, "");
}

#define T(name) cmocka_unit_test_setup_teardown(name, place_open, place_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_key_comes_from_a_file_that_nobody_else_can_read),
        T(a_key_comes_from_a_descriptor_or_the_environment_too),
        T(the_key_is_changed_by_a_command),
        T(the_former_store_is_opened_with_the_same_key),
        T(a_key_stands_in_no_argument_and_in_no_core),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
