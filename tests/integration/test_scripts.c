/* The scripts behind the two commands: the demonstration fails when a figure is wrong, what it
 * tells to type works when typed, and missing packages are told where they cannot be installed. */
#define _XOPEN_SOURCE 700 /* realpath */
#include "test.h"

#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { TEXT_MAX = 65536 };

static char dir[64], build[PATH_MAX];
static char text[TEXT_MAX];
static pid_t server; /* of the test at hand; 0: none */

static const char *path_of(const char *name)
{
    static char path[4][160];
    static unsigned next;
    char *p = path[next++ % 4];
    snprintf(p, sizeof path[0], "%s/%s", dir, name);
    return p;
}

/* A program of one line of shell, in bin/. */
static void make_program(const char *name, const char *shell)
{
    char file[64];
    snprintf(file, sizeof file, "bin/%s", name);
    FILE *f = fopen(path_of(file), "w");
    assert_non_null(f);
    fprintf(f, "#!/bin/bash\nset -o pipefail\n%s\n", shell);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(chmod(path_of(file), 0700), 0);
}

static void read_output(void)
{
    FILE *f = fopen(path_of("out"), "r");
    assert_non_null(f);
    text[fread(text, 1, sizeof text - 1, f)] = '\0';
    fclose(f);
}

/* The exit code of a command of the shell, with all it printed in `text`. */
static int run(const char *command)
{
    char line[8192];
    snprintf(line, sizeof line, "{ %s; } >%s 2>&1", command, path_of("out"));
    const int status = system(line);
    read_output();
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void expect(int want, int got, const char *part)
{
    if (want != got || !strstr(text, part))
        fail_msg("exit %d, not %d, or not \"%s\" in:\n%s", got, want, part, text);
}

static int setup(void **state)
{
    const char *bin = getenv("OCOP_BIN");
    (void)state;
    strcpy(dir, "/tmp/ocop-scripts-XXXXXX");
    if (!mkdtemp(dir) || mkdir(path_of("bin"), 0700) != 0)
        return 1;
    if (!realpath(bin ? bin : "build/ocop", build))
        return 1;
    *strrchr(build, '/') = '\0';
    setenv("TMPDIR", dir, 1);
    return 0;
}

static int teardown(void **state)
{
    char command[128];
    (void)state;
    if (server > 0) /* a test failed and left it */
        (void)kill(server, SIGTERM);
    snprintf(command, sizeof command, "rm -r %s", dir);
    return system(command);
}

/* --- the demonstration ----------------------------------------------------------------------- */

/* The built programs behind ones that may lie. */
static int demo_with(const char *ocop, const char *ocopd)
{
    char shell[3 * PATH_MAX];
    snprintf(shell, sizeof shell, ocop ? "%s/ocop \"$@\" | %s" : "exec %s/ocop \"$@\"", build,
             ocop);
    make_program("ocop", shell);
    snprintf(shell, sizeof shell, "[ $1 != run ] || exec %s/ocopd \"$@\"\n%s/ocopd \"$@\" | %s",
             build, build, ocopd ? ocopd : "cat");
    make_program("ocopd", shell);
    snprintf(shell, sizeof shell, "bash tests/integration/demo.sh %s", path_of("bin"));
    return run(shell);
}

static void a_figure_that_is_wrong_ends_the_demonstration(void **state)
{
    static const struct {
        const char *ocop, *ocopd, *says;
    } cases[] = {
        {NULL, "sed 's/^certificate\t14/certificate\t13/'",
         "demo: certificates: \"13\", not \"14\""},
        {NULL, "sed 's/2029-08-05/2029-08-04/'", "demo: expiry of a certificate"},
        {NULL, "sed 's/effective_to = \"2025-06-30\"//'", "demo: last day of the district"},
        {"sed 's/\"pushed\":3/\"pushed\":2/'", NULL, "demo: an, changes sent: \"2\", not \"3\""},
        {"sed 's/\"roundTrips\":1/\"roundTrips\":2/'", NULL, "demo: an, round trips"},
        {"sed 's/\"bytesSent\":[0-9]*/\"bytesSent\":0/'", NULL, "demo: an: no bytes"},
        {"sed 's/\"inCase\":1/\"inCase\":0/'", NULL, "demo: binh, changes in a case"},
        {NULL, "sed 's/^mine *\"conditional\"/mine    \"pass\"/'", "demo: the case's values"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect(1, demo_with(cases[i].ocop, cases[i].ocopd), cases[i].says);
    expect(0, demo_with(NULL, NULL), "demo: all as it should be");
}

/* Runs every line that the demonstration tells to type, as it stands. */
static void what_it_tells_to_type_works_when_typed(void **state)
{
    char command[8192], lines[TEXT_MAX];
    int status, typed = 0;
    (void)state;
    const pid_t pid = server = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        snprintf(command, sizeof command, "exec bash tests/integration/demo.sh %s stay >%s 2>&1",
                 build, path_of("out"));
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    do {
        if (waitpid(pid, &status, WNOHANG) == pid)
            fail_msg("it did not stay: %s", text);
        FILE *f = fopen(path_of("out"), "r");
        text[f ? fread(text, 1, sizeof text - 1, f) : 0] = '\0';
        if (f)
            fclose(f);
    } while (!strstr(text, "case resolve") || text[strlen(text) - 1] != '\n');
    snprintf(lines, sizeof lines, "%s", strstr(text, "The server stays up"));
    for (char *save = NULL, *line = strtok_r(lines, "\n", &save); line;
         line = strtok_r(NULL, "\n", &save)) {
        if (strncmp(line, "    ", 4) != 0)
            continue;
        char out[160];
        snprintf(out, sizeof out, "%s", path_of("typed"));
        snprintf(command, sizeof command, "cd %s && { %s; } >%s 2>&1", dir, line, out);
        if (system(command) != 0)
            fail_msg("does not work: %s", line);
        typed++;
    }
    assert_int_equal(typed, 5);
    assert_int_equal(kill(pid, SIGTERM), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    server = 0;
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* --- the tour of the README ------------------------------------------------------------------- */

enum { IDS_MAX = 32, ID_LEN = 36 };

/* Ids of the README and what they are in this run. */
static struct {
    char theirs[ID_LEN + 1], ours[ID_LEN + 1];
} ids[IDS_MAX];
static size_t id_count;

static bool is_id(const char *s)
{
    static const char form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
    for (size_t i = 0; i < ID_LEN; i++)
        if (form[i] == '-' ? s[i] != '-' : !s[i] || !strchr("0123456789abcdef", s[i]))
            return false;
    return true;
}

/* What may differ from run to run is masked: ids, and numbers as they are. */
static void mask(const char *s, char *out)
{
    while (*s) {
        if (is_id(s)) {
            *out++ = '@';
            s += ID_LEN;
        } else if (*s >= '0' && *s <= '9') {
            *out++ = '#';
            s += strspn(s, "0123456789");
        } else {
            *out++ = *s++;
        }
    }
    *out = '\0';
}

/* The two texts have ids in the same places: remember which is which. */
static void learn(const char *theirs, const char *ours)
{
    for (;;) {
        while (*theirs && !is_id(theirs))
            theirs++;
        while (*ours && !is_id(ours))
            ours++;
        if (!*theirs || !*ours)
            return;
        assert_true(id_count < IDS_MAX);
        memcpy(ids[id_count].theirs, theirs, ID_LEN);
        memcpy(ids[id_count++].ours, ours, ID_LEN);
        theirs += ID_LEN;
        ours += ID_LEN;
    }
}

/* A command of the README with the ids and the year of this run. */
static void translate(const char *command, char *out, size_t room)
{
    const time_t now = time(NULL);
    struct tm tm;
    size_t len = 0;
    gmtime_r(&now, &tm);
    while (*command && len < room - ID_LEN - 1) {
        size_t known = id_count;
        for (size_t i = 0; i < id_count && is_id(command); i++)
            if (memcmp(ids[i].theirs, command, ID_LEN) == 0)
                known = i;
        if (known < id_count) {
            memcpy(out + len, ids[known].ours, ID_LEN);
            len += ID_LEN;
            command += ID_LEN;
        } else if (strncmp(command, "BB-28000-", 9) == 0) {
            len += (size_t)snprintf(out + len, room - len, "BB-28000-%d", tm.tm_year + 1900);
            command += 13;
        } else {
            out[len++] = *command++;
        }
    }
    out[len] = '\0';
}

static void write_text(const char *name, const char *content)
{
    FILE *f = fopen(path_of(name), "w");
    assert_non_null(f);
    fputs(content, f);
    assert_int_equal(fclose(f), 0);
}

/* Runs one command as the README has it, and holds what it prints against what stands below it. */
static void take_step(const char *command, const char *expected)
{
    static char masked[2][TEXT_MAX];
    char line[4096], in_dir[8192];
    if (strncmp(command, "cat ", 4) == 0) {
        write_text(command + 4, expected);
        return;
    }
    translate(command, line, sizeof line);
    snprintf(in_dir, sizeof in_dir, "cd %s && %s", dir, line);
    if (run(in_dir) != 0)
        fail_msg("%s: %s", command, text);
    /* Notes stand on stderr, before or after: the shell keeps their order. */
    mask(expected, masked[0]);
    mask(text, masked[1]);
    if (strcmp(masked[0], masked[1]) != 0)
        fail_msg("%s\nprints\n%s\nand not\n%s", command, text, expected);
    learn(expected, text);
}

static void start_registry(void)
{
    char command[8192], log[160];
    int status;
    snprintf(log, sizeof log, "%s", path_of("log"));
    snprintf(command, sizeof command, "cd %s && exec build/ocopd run 2>%s", dir, log);
    const pid_t pid = server = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    for (;;) {
        FILE *f = fopen(log, "r");
        text[f ? fread(text, 1, sizeof text - 1, f) : 0] = '\0';
        if (f)
            fclose(f);
        if (strstr(text, "event=listening"))
            return;
        if (waitpid(pid, &status, WNOHANG) == pid)
            fail_msg("the server ended: %s", text);
    }
}

static void the_tour_of_the_readme_is_what_the_programs_print(void **state)
{
    static char readme[4 * TEXT_MAX], expected[TEXT_MAX];
    char address[64], link[PATH_MAX + 64], *command = NULL;
    int status, steps = 0;
    bool block = false;
    (void)state;
    FILE *f = fopen("README.md", "r");
    assert_non_null(f);
    readme[fread(readme, 1, sizeof readme - 1, f)] = '\0';
    fclose(f);
    snprintf(link, sizeof link, "ln -s %s %s", build, path_of("build"));
    assert_int_equal(system(link), 0);
    snprintf(address, sizeof address, "tcp://127.0.0.1:%ld", 20000 + (long)getpid() % 40000);
    setenv("OCOPD_LISTEN", address, 1);
    setenv("OCOPD_DB", "registry.db", 1);
    char *tour = strstr(readme, "## A five-minute tour\n");
    assert_non_null(tour);
    *strstr(tour + 3, "\n## ") = '\0';
    expected[0] = '\0';
    for (char *line = tour, *next; line; line = next) {
        next = strchr(line, '\n'); /* empty lines count */
        if (next)
            *next++ = '\0';
        const bool fence = strcmp(line, "```") == 0;
        if ((fence || strncmp(line, "$ ", 2) == 0) && command) {
            take_step(command, expected);
            command = NULL;
            steps++;
        }
        if (fence) {
            block = !block;
        } else if (block && strcmp(line, "$ build/ocopd run") == 0) {
            start_registry();
        } else if (block && strncmp(line, "$ ", 2) == 0) {
            command = line + 2;
            expected[0] = '\0';
        } else if (block && command) {
            strcat(expected, line);
            strcat(expected, "\n");
        }
    }
    unsetenv("OCOPD_LISTEN");
    unsetenv("OCOPD_DB");
    assert_true(steps > 30);
    assert_true(server > 0);
    assert_int_equal(kill(server, SIGTERM), 0);
    assert_int_equal(waitpid(server, &status, 0), server);
    assert_int_equal(status, 0);
    server = 0;
}

/* --- packages -------------------------------------------------------------------------------- */

/* A machine where libmissing-dev is not installed. */
static void make_machine(const char *id, const char *sudo)
{
    make_program("dpkg-query",
                 "case $* in *libmissing-dev) exit 1;; *) echo 'install ok installed';; esac");
    make_program("id", id);
    make_program("apt-get", "echo apt-get \"$@\"");
    unlink(path_of("bin/sudo"));
    if (sudo)
        make_program("sudo", sudo);
}

static int packages(const char *names)
{
    char command[512];
    snprintf(command, sizeof command, "PATH=%s:/usr/bin:/bin sh .ci/packages.sh %s", path_of("bin"),
             names);
    return run(command);
}

static void missing_packages_are_installed_as_root_or_told(void **state)
{
    static const char *const told =
        "    apt-get install -y --no-install-recommends libmissing-dev\n";
    (void)state;
    make_machine("echo 1000", "exit 1"); /* sudo asks for a password */
    expect(0, packages("gcc make"), "");
    assert_string_equal(text, "");
    expect(1, packages("gcc libmissing-dev make"), told);
    assert_null(strstr(text, "apt-get update"));
    make_machine("echo 0", "exit 1");
    expect(0, packages("gcc libmissing-dev"), "apt-get update");
    expect(0, packages("gcc libmissing-dev"), "--no-install-recommends libmissing-dev\n");
    make_machine("echo 1000", "[ \"$1\" = -n ] && exit 0; echo sudo \"$@\"");
    expect(0, packages("libmissing-dev"), "sudo env");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_figure_that_is_wrong_ends_the_demonstration),
        cmocka_unit_test(what_it_tells_to_type_works_when_typed),
        cmocka_unit_test(the_tour_of_the_readme_is_what_the_programs_print),
        cmocka_unit_test(missing_packages_are_installed_as_root_or_told),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
