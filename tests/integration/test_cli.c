/* The built `ocop` as a person or a script meets it: arguments in, exit code, stdout and stderr
 * out, on a store of its own. No server. */
#include "device_cli.h"

#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "record_api.h"

/* --- help and usage -------------------------------------------------------------------------- */

#define ALL " --store --key-file --help"
#define FIELDS " --json --set"
#define QUERY                                                                                      \
    " --unit --product --producer --from --to --state --text --voided --limit --offset --json "    \
    "--csv"

static const struct {
    const char *name, *words, *options;
} commands[] = {
    {"init", "", ALL},
    {"enrol", "CODE", ALL " --name"},
    {"new", "inspection", ALL FIELDS " --submit"},
    {"edit", PRODUCT_ID, ALL FIELDS},
    {"show", PRODUCT_ID, ALL " --json --csv"},
    {"list", "product", ALL QUERY},
    {"find", "", ALL QUERY " --kind"},
    {"submit", PRODUCT_ID, ALL " --reason"},
    {"amend", PRODUCT_ID, ALL FIELDS " --reason"},
    {"add", PRODUCT_ID " custody", ALL FIELDS " --reason"},
    {"void", PRODUCT_ID, ALL " --reason"},
    {"discard", PRODUCT_ID, ALL},
    {"sync", "",
     ALL " --json --csv --strict --timeout --connect-timeout --max-round-trips --patience"
         " --former --no-files"},
    {"status", "", ALL " --json --csv"},
    {"check", "", ALL},
    {"rekey", "", ALL " --new-key-file"},
    {"rekey-device", "", ALL},
    {"export", "product", ALL " --json --csv --output"},
    {"attach", PRODUCT_ID " photo.jpg", ALL " --role --caption --name --place --strokes"},
    {"files", "", ALL " --json --csv --sweep --keep"},
    {"images", "", ALL " --side --quality --strip --originals"},
    {"fetch", PRODUCT_ID, ALL " --output --thumbnail"},
    {"resend", PRODUCT_ID, ALL},
    {"verify-evidence", "bundle", ALL " --json --root-key --extract"},
};
enum { COMMANDS = sizeof commands / sizeof *commands };

/* How many names stand in a part of the help: lines that begin with two spaces and a letter. */
static size_t count_rows(const char *text, const char *title)
{
    const char *p = strstr(text, title);
    size_t n = 0;

    assert_non_null(p);
    for (p = strchr(p, '\n'); p && p[1] == ' '; p = strchr(p + 1, '\n'))
        n += p[1] == ' ' && p[2] == ' ' && p[3] != ' ';
    return n;
}

static void every_command_explains_itself_and_its_options(void **state)
{
    char line[256], options[256], *save;

    (void)state;
    expect_exit(RUN("--help"), 0);
    assert_int_equal(count_rows(out, "Commands:"), COMMANDS);
    for (size_t i = 0; i < COMMANDS; i++)
        expect_in(strstr(out, "Commands:"), commands[i].name);
    for (size_t i = 0; i < COMMANDS; i++) {
        size_t count = 0;
        (void)snprintf(line, sizeof line, "%s --help", commands[i].name);
        expect_exit(run_line(line), 0);
        assert_string_equal(errors, "");
        (void)snprintf(options, sizeof options, "%s", commands[i].options);
        for (char *o = strtok_r(options, " ", &save); o; o = strtok_r(NULL, " ", &save), count++)
            expect_in(out, o);
        const char *p = strstr(out, "Options:");
        size_t shown = 0;
        for (p = strchr(p, '\n'); p && p[1] == ' '; p = strchr(p + 1, '\n'))
            shown += strncmp(p + 1, "  -", 3) == 0 || strncmp(p + 1, "      --", 8) == 0;
        assert_int_equal(shown, count);
    }
}

static void help_states_every_exit_code(void **state)
{
    (void)state;
    expect_exit(RUN("--help"), 0);
    assert_int_equal(count_rows(out, "Exit codes:"), 11);
    expect_exit(RUN("--version"), 0);
    expect_in(out, ocop_version());
}

static void a_wrong_call_is_one_line_and_exit_1(void **state)
{
    static const struct {
        const char *line, *names;
    } cases[] = {
        {"--bogus", "--bogus"},
        {"frobnicate", "frobnicate"},
        {"status -Z", "-Z"},
        {"new", "KIND"},
        {"show", "ID"},
        {"status a b", "\"b\""},
        {"list product --limit", "--limit"},
        {"list product --limit 0", "\"0\""},
        {"list product --limit 7x", "\"7x\""},
        {"list product --json --csv", "--json or --csv"},
        {"status --json --csv", "--json or --csv"},
        {"sync --json --csv", "--json or --csv"},
        {"list product --state lost", "in_case"},
        {"edit " PRODUCT_ID, "--set"},
        {"add " PRODUCT_ID " custody", "--json or --set"},
        {"export product", "--json"},
        {"export all --csv", "one kind"},
        {"sync --timeout soon", "soon"},
    };
    char line[256];

    (void)state;
    for (size_t i = 0; i < COMMANDS; i++) {
        (void)snprintf(line, sizeof line, "%s %s --bogus", commands[i].name, commands[i].words);
        expect_exit(run_line(line), 1);
        expect_one_error_line();
        expect_in(errors, "--bogus");
    }
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        expect_exit(run_line(cases[i].line), 1);
        expect_one_error_line();
        expect_in(errors, cases[i].names);
        assert_string_equal(out, "");
    }
    expect_exit(run_args((char *const[]){(char *)(uintptr_t) "ocop", NULL}), 1);
    expect_one_error_line();
}

/* --- the store ------------------------------------------------------------------------------- */

static void without_a_store_commands_say_how_to_make_one(void **state)
{
    char line[256];

    (void)state;
    for (size_t i = 0; i < COMMANDS; i++) {
        if (strcmp(commands[i].name, "init") == 0 ||
            strcmp(commands[i].name, "verify-evidence") == 0)
            continue; /* which need none */
        (void)snprintf(line, sizeof line, "%s %s --store %s", commands[i].name, commands[i].words,
                       path_of("made"));
        expect_exit(run_line(line), 3);
        expect_one_error_line();
        expect_in(errors, "ocop init");
        expect_in(errors, "made");
    }
    assert_int_not_equal(access(path_of("made"), F_OK), 0);
}

static void init_makes_a_store_once_and_nothing_is_recorded_before_enrolment(void **state)
{
    char made[128];

    (void)state;
    (void)snprintf(made, sizeof made, "%s", path_of("made"));
    expect_exit(RUN("--store", made, "init"), 0);
    expect_exit(RUN("--store", made, "init"), 4);
    expect_one_error_line();
    expect_exit(RUN("status", "--store", made), 0);
    expect_in(out, "ocop enrol");
    (void)setenv("OCOP_STORE", made, 1);
    expect_exit(RUN("new", "inspection"), 4);
    expect_in(errors, "enrol");
    expect_exit(RUN("sync"), 4);
    expect_exit(RUN("check"), 0);
    write_file("in", "  not a code\n");
    expect_exit(RUN("enrol", "-"), 2);
    expect_one_error_line();
}

static void a_file_that_is_no_store_is_left_alone(void **state)
{
    char made[128];

    (void)state;
    (void)snprintf(made, sizeof made, "%s", path_of("made"));
    write_file("made", "this is a letter, not a store of records");
    expect_exit(RUN("status", "--store", made), 5);
    expect_one_error_line();
    read_back("made", out);
    assert_string_equal(out, "this is a letter, not a store of records");
}

/* --- recording ------------------------------------------------------------------------------- */

static void errors_name_the_field_and_exit_2(void **state)
{
    char id[OCOP_ID_TEXT_LEN + 1];
    static const struct {
        const char *set, *field;
    } cases[] = {
        {"score=abc", "score"},
        {"score=101", "score"},
        {"inspected_date=2026-02-30", "inspected_date"},
        {"scoer=5", "scoer"},
        {"id=" PRODUCT_ID, "id"},
        {"minutes_no=1", "minutes_no"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        expect_exit(RUN("new", "inspection", "--set", (char *)(uintptr_t)cases[i].set), 2);
        expect_one_error_line();
        assert_memory_equal(errors + 6, cases[i].field, strlen(cases[i].field));
        assert_string_equal(out, "");
    }
    expect_exit(RUN("list", "inspection", "--csv"), 0);
    assert_int_equal(strchr(out, '\n') - out, (long)strlen(out) - 1); /* titles alone */
    expect_exit(RUN("new", "inspection"), 0);
    take_id(id);
    expect_exit(RUN("edit", id, "--set", "score=-1"), 2);
    expect_in(errors, "ocop: score: ");
    expect_exit(RUN("submit", id), 2);
    expect_one_error_line();
    expect_in(errors, ": producer_id");
    write_file("in", "{\"id\":\"" PRODUCT_ID "\"}");
    expect_exit(RUN("edit", id, "--json", "-"), 2);
    expect_in(errors, "ocop: id: ");
    write_file("in", "{\"score\":");
    expect_exit(RUN("edit", id, "--json", "-"), 2);
    expect_one_error_line();
}

static void a_record_lives_from_draft_to_void(void **state)
{
    char id[OCOP_ID_TEXT_LEN + 1], number[64];
    json_t *v;

    (void)state;
    submit_sample(id);
    (void)snprintf(number, sizeof number, "%.*s", (int)strcspn(strstr(errors, "MT-"), "\n"),
                   strstr(errors, "MT-"));
    expect_exit(RUN("amend", number, "--set", "place=chợ"), 2);
    expect_in(errors, "ocop: reason: ");
    expect_exit(RUN("amend", number, "--set", "place=chợ", "--reason", "ghi nhầm"), 0);
    expect_exit(RUN("add", number, "custody", "--set", HANDED, "--set", "to_holder=Hoa", "--set",
                    "seal_state=ok"),
                0);
    write_file("in", "{\"fromHolder\":\"Hoa\",\"toHolder\":\"Minh\",\"atMs\":\"1785913380000\"}");
    expect_exit(RUN("add", id, "custody", "--json", "-"), 0);
    expect_exit(RUN("add", id, "nowhere", "--json", "-"), 2);
    expect_in(errors, "ocop: nowhere: ");
    expect_exit(RUN("add", id, "parts", "--set", "role=kept"), 4);
    expect_exit(RUN("show", id, "--json"), 0);
    v = parsed(out);
    assert_string_equal(json_string_value(json_object_get(v, "place")), "chợ");
    assert_int_equal(json_array_size(json_object_get(v, "custody")), 2);
    json_decref(v);
    expect_exit(RUN("submit", id), 3);
    expect_exit(RUN("resend", id), 4);
    expect_exit(RUN("discard", id), 3);
    expect_exit(RUN("void", id, "--reason", "nhầm"), 0);
    expect_exit(RUN("list", "sample", "--json"), 0);
    assert_string_equal(out, "[]\n");
    expect_exit(RUN("list", "sample", "--voided"), 0);
    expect_in(out, "waiting, voided");
    expect_exit(RUN("status", id, "--json"), 0);
    v = parsed(out);
    assert_string_equal(json_string_value(json_object_get(v, "state")), "waiting");
    assert_int_equal(json_integer_value(json_object_get(v, "waiting")), 5);
    json_decref(v);
}

static void what_show_prints_as_json_can_be_given_back(void **state)
{
    char id[OCOP_ID_TEXT_LEN + 1], before[OUTPUT_MAX];

    (void)state;
    expect_exit(RUN("new", "inspection", "--set", "answers[NC.1].answer=fail", "--set",
                    "started_ms=2026-08-05T14:03:00+07:00", "--set", "lat_e6=-1500000"),
                0);
    take_id(id);
    expect_exit(RUN("show", id, "--json"), 0);
    memcpy(before, out, sizeof before);
    write_file("in", out);
    expect_exit(RUN("edit", id, "--json", "-"), 0);
    expect_exit(RUN("show", id, "--json"), 0);
    assert_string_equal(out, before);
    expect_exit(RUN("show", id), 0);
    expect_in(out, "2026-08-05 14:03:00+07:00");
    expect_in(out, "-1.500000");
    expect_in(out, "NC.1");
    expect_in(out, "status:");
    expect_exit(RUN("edit", id, "--set", "lat_e6="), 0);
    expect_exit(RUN("show", id), 0);
    assert_null(strstr(out, "lat_e6"));
    expect_exit(RUN("discard", id), 0);
    expect_exit(RUN("show", id), 3);
    expect_one_error_line();
}

/* --- export and sync ------------------------------------------------------------------------- */

static void an_export_is_whole_or_not_there(void **state)
{
    struct csv_seen seen;
    char id[OCOP_ID_TEXT_LEN + 1], path[128], before[OUTPUT_MAX];
    json_t *v;

    (void)state;
    submit_sample(id);
    (void)snprintf(path, sizeof path, "%s", path_of("export"));
    expect_exit(RUN("export", "all", "--json", "-o", path), 0);
    assert_string_equal(out, "");
    read_back("export", out);
    v = parsed(out);
    assert_int_equal(json_array_size(json_object_get(v, "sample")), 1);
    assert_int_equal(json_array_size(json_object_get(v, "producer")), 2);
    json_decref(v);
    expect_exit(RUN("export", "sample", "--json"), 0);
    v = parsed(out);
    assert_int_equal(json_array_size(v), 1);
    json_decref(v);
    expect_exit(RUN("add", id, "custody", "--set", HANDED, "--set", "to_holder=a \"b\", c"), 0);
    expect_exit(RUN("export", "sample", "--csv", "-o", path), 0);
    read_back("export", out);
    seen = read_csv(out);
    assert_int_equal(seen.rows, 2);
    assert_false(seen.uneven);
    expect_in(out, "\"\"toHolder\"\":\"\"a \\\"\"b\\\"\", c\"\"");
    expect_exit(RUN("export", "inspection", "--csv"), 0);
    assert_int_equal(read_csv(out).rows, 1); /* titles, where there is no record */
    read_back("export", before);
    expect_exit(RUN("export", "nothing", "--csv", "-o", path), 3);
    read_back("export", out);
    assert_string_equal(out, before);
    expect_exit(RUN("export", "sample", "--csv", "-o", "/nonexistent/file"), 5);
    expect_one_error_line();
}

static void a_sync_without_a_server_exits_6_with_one_line(void **state)
{
    char id[OCOP_ID_TEXT_LEN + 1];

    (void)state;
    submit_sample(id);
    expect_exit(RUN("sync", "--connect-timeout", "1"), 6);
    expect_one_error_line();
    assert_null(strchr(errors, '\r'));
    expect_exit(RUN("status", id), 0);
    expect_in(out, "waiting");
}

/* A server that takes connections and says nothing; its address goes into the store. */
static int listen_mutely(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof a;
    struct ocop_store *s;
    struct ocop_error err;
    char address[64];
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    assert_int_equal(listen(fd, 4), 0);
    (void)snprintf(address, sizeof address, "tcp://127.0.0.1:%d", ntohs(a.sin_port));
    assert_int_equal(ocop_open(path_of("store"), NULL, &s, &err), OCOP_OK);
    assert_int_equal(client_enter(s, &err), OCOP_OK);
    put_meta(s, "server", address, strlen(address));
    client_leave(s);
    ocop_close(s);
    return fd;
}

static void an_interrupted_sync_exits_7_and_loses_nothing(void **state)
{
    char *const argv[] = {(char *)(uintptr_t) "ocop", (char *)(uintptr_t) "sync", NULL};
    char id[OCOP_ID_TEXT_LEN + 1];
    int listener, peer;
    pid_t pid;

    (void)state;
    submit_sample(id);
    listener = listen_mutely();
    pid = start_args(argv);
    peer = accept(listener, NULL, NULL); /* from here on the sync is under way */
    assert_true(peer >= 0);
    assert_int_equal(kill(pid, SIGINT), 0);
    expect_exit(wait_for(pid), 7);
    expect_one_error_line();
    (void)close(peer);
    (void)close(listener);
    expect_exit(RUN("status", id), 0);
    expect_in(out, "waiting");
}

static void a_sync_shows_its_progress_on_a_terminal_only(void **state)
{
    char *const argv[] = {(char *)(uintptr_t) "ocop", (char *)(uintptr_t) "sync", NULL};
    char id[OCOP_ID_TEXT_LEN + 1], name[128], screen[OUTPUT_MAX] = "";
    int fd, listener, peer;
    pid_t pid;

    (void)state;
    submit_sample(id);
    listener = listen_mutely();
    fd = open_terminal(name, sizeof name);
    pid = start_on_terminal(argv, 2, name);
    peer = accept(listener, NULL, NULL);
    assert_true(peer >= 0);
    /* The line stands there while the program waits. */
    for (size_t len = 0; !strstr(screen, "0 sent, 0 received");) {
        ssize_t n = read(fd, screen + len, sizeof screen - 1 - len);
        assert_true(n > 0);
        len += (size_t)n;
        screen[len] = '\0';
    }
    assert_int_equal(screen[0], '\r');
    assert_int_equal(kill(pid, SIGINT), 0);
    assert_int_equal(read_terminal(fd, pid, screen), 7);
    (void)close(fd);
    /* It is gone before the error takes its place, and was one line all the time. */
    expect_in(screen, "\rocop: ");
    assert_ptr_equal(strchr(screen, '\n'), screen + strlen(screen) - 1);
    (void)close(peer);
    pid = start_args(argv);
    peer = accept(listener, NULL, NULL);
    assert_int_equal(kill(pid, SIGINT), 0);
    expect_exit(wait_for(pid), 7);
    assert_null(strchr(errors, '\r'));
    expect_one_error_line();
    (void)close(peer);
    (void)close(listener);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STORE(every_command_explains_itself_and_its_options),
        WITH_STORE(help_states_every_exit_code),
        WITH_STORE(a_wrong_call_is_one_line_and_exit_1),
        WITH_STORE(without_a_store_commands_say_how_to_make_one),
        WITH_STORE(init_makes_a_store_once_and_nothing_is_recorded_before_enrolment),
        WITH_STORE(a_file_that_is_no_store_is_left_alone),
        WITH_STORE(errors_name_the_field_and_exit_2),
        WITH_STORE(a_record_lives_from_draft_to_void),
        WITH_STORE(what_show_prints_as_json_can_be_given_back),
        WITH_STORE(a_sync_shows_its_progress_on_a_terminal_only),
        WITH_STORE(an_export_is_whole_or_not_there),
        WITH_STORE(a_sync_without_a_server_exits_6_with_one_line),
        WITH_STORE(an_interrupted_sync_exits_7_and_loses_nothing),
    };

    return cmocka_run_group_tests_name("cli", tests, cli_make_dir, cli_remove_dir);
}
