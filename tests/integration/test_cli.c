/* The built `ocop` as a person or a script meets it: arguments in, exit code, stdout and stderr
 * out, on a store of its own. No server. OCOP_BIN names the program, else build/ocop. */
#define _XOPEN_SOURCE 700 /* terminals */
#include "test.h"

#include <csv.h>
#include <fcntl.h>
#include <jansson.h>
#include <netinet/in.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "record_api.h"

extern char **environ;

enum { OUTPUT_MAX = 65536, ARGS_MAX = 24 };

#define ESCAPE "\x1b[2J"
#define OVERRIDE "\xe2\x80\xae" /* U+202E */
#define CLEAR_C1 "\xc2\x9b"     /* U+009B */
#define UNIT_ID "01980f3c-5a7e-8b21-9c4d-2e6f00000001"
#define OFFICER_ID "01980f3c-5a7e-8b21-9c4d-2e6f00000002"
#define HANDED "from_holder=An", "--set", "at_ms=2026-08-05T14:03:00+07:00"
#define EVIL_ID "01980f3c-5a7e-8b21-9c4d-2e6f00000003"
#define PRODUCER_ID "01980f3c-5a7e-8b21-9c4d-2e6f00000004"
#define PRODUCT_ID "01980f3c-5a7e-8b21-9c4d-2e6f00000005"

static char dir[] = "/tmp/ocop-cli-XXXXXX";
static char bin[4096];
static char out[OUTPUT_MAX], errors[OUTPUT_MAX];

/* --- running --------------------------------------------------------------------------------- */

static const char *path_of(const char *name)
{
    static char path[4][128];
    static unsigned next;
    char *p = path[next++ % 4];

    (void)snprintf(p, sizeof path[0], "%s/%s", dir, name);
    return p;
}

static void read_back(const char *name, char text[OUTPUT_MAX])
{
    FILE *f = fopen(path_of(name), "rb");
    size_t n;

    assert_non_null(f);
    n = fread(text, 1, OUTPUT_MAX - 1, f);
    text[n] = '\0';
    (void)fclose(f);
}

static void write_file(const char *name, const char *text)
{
    FILE *f = fopen(path_of(name), "wb");

    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
    assert_int_equal(fclose(f), 0);
}

/* Start ocop with stdin from the file "in", stdout and stderr into files. */
static pid_t start_args(char *const *argv)
{
    posix_spawn_file_actions_t actions;
    pid_t pid;

    assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
    (void)posix_spawn_file_actions_addopen(&actions, 0, path_of("in"), O_RDONLY, 0);
    (void)posix_spawn_file_actions_addopen(&actions, 1, path_of("out"),
                                           O_WRONLY | O_CREAT | O_TRUNC, 0600);
    (void)posix_spawn_file_actions_addopen(&actions, 2, path_of("err"),
                                           O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_int_equal(posix_spawn(&pid, bin, &actions, NULL, argv, environ), 0);
    (void)posix_spawn_file_actions_destroy(&actions);
    return pid;
}

/* Its exit code, with what it printed in `out` and `errors`. */
static int wait_for(pid_t pid)
{
    int status = 0;

    assert_int_equal(waitpid(pid, &status, 0), pid);
    read_back("out", out);
    read_back("err", errors);
    if (!WIFEXITED(status))
        fail_msg("ocop ended by signal %d: %s", WTERMSIG(status), errors);
    return WEXITSTATUS(status);
}

static int run_args(char *const *argv)
{
    return wait_for(start_args(argv));
}

#define RUN(...) run_args((char *const[]){(char *)(uintptr_t) "ocop", __VA_ARGS__, NULL})

/* Words divided by spaces. */
static int run_line(const char *line)
{
    char copy[1024], *argv[ARGS_MAX] = {(char *)(uintptr_t) "ocop"}, *save = NULL;
    int argc = 1;

    (void)snprintf(copy, sizeof copy, "%s", line);
    for (char *w = strtok_r(copy, " ", &save); w && argc < ARGS_MAX - 1;
         w = strtok_r(NULL, " ", &save))
        argv[argc++] = w;
    return run_args(argv);
}

static void expect_exit(int got, int want)
{
    if (got != want)
        fail_msg("exit code %d, not %d; stdout: %s stderr: %s", got, want, out, errors);
}

static void expect_one_error_line(void)
{
    size_t len = strlen(errors);

    if (strncmp(errors, "ocop: ", 6) != 0 || strchr(errors, '\n') != errors + len - 1)
        fail_msg("stderr is not one line of an error: %s", errors);
}

static void expect_in(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("\"%s\" is not in: %s", part, text);
}

static json_t *parsed(const char *text)
{
    json_error_t e;
    json_t *v = json_loads(text, JSON_DECODE_ANY, &e);

    if (!v)
        fail_msg("not JSON, %s: %s", e.text, text);
    return v;
}

/* The id that `new` printed: stdout and nothing else. */
static void take_id(char id[OCOP_ID_TEXT_LEN + 1])
{
    struct ocop_id parsed_id;

    assert_int_equal(strlen(out), OCOP_ID_TEXT_LEN + 1);
    memcpy(id, out, OCOP_ID_TEXT_LEN);
    id[OCOP_ID_TEXT_LEN] = '\0';
    assert_true(ocop_id_parse(id, &parsed_id));
}

/* --- a store that is enrolled ---------------------------------------------------------------- */

static void put_meta(struct ocop_store *s, const char *key, const void *p, size_t len)
{
    struct ocop_error err;

    assert_int_equal(store_meta_set(s, key, span_of(p, len), &err), OCOP_OK);
}

/* A record as it comes from the registry, which no rule of this device has seen. */
static void put_record(struct ocop_store *s, const char *kind, const char *json)
{
    struct ocop_error err;
    ProtobufCMessage *m;
    struct record r;

    if (ocop_from_json(s, kind, NULL, json, &m, &err) != OCOP_OK)
        fail_msg("%s: %s", err.field, err.text);
    assert_int_equal(client_enter(s, &err), OCOP_OK);
    assert_int_equal(record_read(m, &s->arena, &r, &err), OCOP_OK);
    assert_int_equal(store_record_put(s, r.k->number, &r.id, &r.f, 3, &err), OCOP_OK);
    client_leave(s);
    ocop_free(m);
}

static void enrol_store(struct ocop_store *s)
{
    struct ocop_id officer, unit;
    struct ocop_error err;
    uint8_t key[64];

    memset(key, 7, sizeof key);
    assert_true(ocop_id_parse(OFFICER_ID, &officer) && ocop_id_parse(UNIT_ID, &unit));
    assert_int_equal(client_enter(s, &err), OCOP_OK);
    put_meta(s, "replica", "\x01\x98\x0f\x3c\x5a\x7e\x8b\x21\x9c\x4d\x2e\x6f\x00\x00\x00\x09", 16);
    put_meta(s, "officer", officer.b, 16);
    put_meta(s, "officer_name", "Lan", 3);
    put_meta(s, "server", "tcp://127.0.0.1:9", 17);
    put_meta(s, "server_key", key, CHANNEL_KEY_LEN);
    put_meta(s, "channel_secret", key, CHANNEL_KEY_LEN);
    put_meta(s, "scope", unit.b, 16);
    assert_int_equal(store_meta_set_int(s, "number", 7, &err), OCOP_OK);
    assert_int_equal(store_meta_set_int(s, "enrolled", 1, &err), OCOP_OK);
    client_leave(s);
}

static int make_store(void **state)
{
    struct ocop_store *s;

    (void)state;
    write_file("in", "");
    (void)setenv("OCOP_STORE", path_of("store"), 1);
    if (ocop_open(path_of("store"), NULL, &s, NULL) != OCOP_OK)
        return -1;
    enrol_store(s);
    put_record(s, "unit",
               "{\"id\":\"" UNIT_ID
               "\",\"code\":\"24079\",\"name\":\"An Khê\",\"level\":\"commune\","
               "\"effectiveFrom\":\"2025-07-01\"}");
    put_record(s, "producer",
               "{\"id\":\"" EVIL_ID "\",\"unitId\":\"" UNIT_ID
               "\",\"name\":\"=HYPERLINK(\\\"x\\\"),a\\u001b[2J\\u202eb\\u009bc\"}");
    put_record(s, "producer",
               "{\"id\":\"" PRODUCER_ID "\",\"unitId\":\"" UNIT_ID "\",\"name\":\"Hợp tác xã\"}");
    put_record(s, "product",
               "{\"id\":\"" PRODUCT_ID "\",\"unitId\":\"" UNIT_ID "\",\"producerId\":\"" PRODUCER_ID
               "\",\"name\":\"Cà phê\"}");
    ocop_close(s);
    return 0;
}

static int remove_store(void **state)
{
    static const char *const names[] = {"store", "store-wal", "store-shm", "store-journal",
                                        "in",    "out",       "err",       "export",
                                        "made",  "made-wal",  "made-shm"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        (void)unlink(path_of(names[i]));
    return 0;
}

static int make_dir(void **state)
{
    const char *given = getenv("OCOP_BIN");

    (void)state;
    (void)snprintf(bin, sizeof bin, "%s", given && *given ? given : "build/ocop");
    if (access(bin, X_OK) != 0) {
        print_error("there is no program at %s; build it or set OCOP_BIN\n", bin);
        return -1;
    }
    return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
    (void)state;
    return rmdir(dir); /* fails when a test left a file */
}

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

/* A sample that is submitted; its id. */
static void submit_sample(char id[OCOP_ID_TEXT_LEN + 1])
{
    write_file("in", "{\"producerId\":\"" PRODUCER_ID "\",\"productId\":\"" PRODUCT_ID
                     "\",\"quantity\":\"2.5\",\"quantityUnit\":\"kg\",\"notes\":\"một\\nhai\"}");
    expect_exit(RUN("new", "sample", "--json", "-", "--set", "unit_id=" UNIT_ID, "--set",
                    "place=kho", "--set", "taken_ms=2026-08-05T08:00:00+07:00", "--submit"),
                0);
    take_id(id);
    expect_in(errors, "submitted as MT-24079-");
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

/* --- looking --------------------------------------------------------------------------------- */

static void show_and_list_neutralise_escapes_of_the_terminal(void **state)
{
    static const char *const lines[] = {("show " EVIL_ID), "list producer",
                                        "find --text hyperlink"};

    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        expect_exit(run_line(lines[i]), 0);
        expect_in(out, "\\u{1b}[2J");
        expect_in(out, "\\u{202e}");
        expect_in(out, "\\u{9b}");
        assert_null(strchr(out, 0x1b));
        assert_null(strstr(out, OVERRIDE));
        assert_null(strstr(out, CLEAR_C1));
    }
    expect_exit(RUN("show", ESCAPE OVERRIDE "x"), 3);
    expect_in(errors, "\\u{1b}");
    assert_null(strchr(errors, 0x1b));
}

/* A terminal: its other end is the descriptor returned, `name` is what a program opens. */
static int open_terminal(char *name, size_t room)
{
    const int fd = posix_openpt(O_RDWR | O_NOCTTY);
    struct termios t;

    assert_true(fd >= 0);
    assert_int_equal(grantpt(fd), 0);
    assert_int_equal(unlockpt(fd), 0);
    (void)snprintf(name, room, "%s", ptsname(fd));
    assert_int_equal(tcgetattr(fd, &t), 0);
    t.c_oflag &= ~(tcflag_t)OPOST; /* bytes as they are */
    assert_int_equal(tcsetattr(fd, TCSANOW, &t), 0);
    return fd;
}

/* Start ocop with stdout or stderr (1, 2) on the terminal and the other in its file. */
static pid_t start_on_terminal(char *const *argv, int which, const char *terminal)
{
    posix_spawn_file_actions_t actions;
    pid_t pid;

    assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
    (void)posix_spawn_file_actions_addopen(&actions, 0, path_of("in"), O_RDONLY, 0);
    (void)posix_spawn_file_actions_addopen(&actions, which, terminal, O_RDWR | O_NOCTTY, 0);
    (void)posix_spawn_file_actions_addopen(&actions, which == 1 ? 2 : 1,
                                           path_of(which == 1 ? "err" : "out"),
                                           O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_int_equal(posix_spawn(&pid, bin, &actions, NULL, argv, environ), 0);
    (void)posix_spawn_file_actions_destroy(&actions);
    return pid;
}

/* What reached the terminal until the program closed it; its exit code. */
static int read_terminal(int fd, pid_t pid, char text[OUTPUT_MAX])
{
    size_t len = strlen(text);
    ssize_t n;
    int status = 0;

    while (len < OUTPUT_MAX - 1 && (n = read(fd, text + len, OUTPUT_MAX - 1 - len)) > 0)
        len += (size_t)n;
    text[len] = '\0';
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void no_form_of_output_brings_controls_to_a_terminal(void **state)
{
    static const char *const forms[] = {"show " EVIL_ID,          "show " EVIL_ID " --json",
                                        "show " EVIL_ID " --csv", "list producer",
                                        "list producer --json",   "list producer --csv",
                                        "export producer --csv",  "export producer --json"};

    (void)state;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        char copy[256], name[128], *argv[ARGS_MAX] = {(char *)(uintptr_t) "ocop"}, *save = NULL;
        int argc = 1, fd = open_terminal(name, sizeof name);
        (void)snprintf(copy, sizeof copy, "%s", forms[i]);
        for (char *w = strtok_r(copy, " ", &save); w; w = strtok_r(NULL, " ", &save))
            argv[argc++] = w;
        out[0] = '\0';
        assert_int_equal(read_terminal(fd, start_on_terminal(argv, 1, name), out), 0);
        (void)close(fd);
        expect_in(out, "HYPERLINK");
        if (strchr(out, 0x1b) || strstr(out, OVERRIDE) || strstr(out, CLEAR_C1))
            fail_msg("%s: %s", forms[i], out);
    }
    /* In a pipe they are what the record holds. */
    expect_exit(run_line("list producer --csv"), 0);
    expect_in(out, ESCAPE);
}

static void show_names_what_a_record_refers_to_and_keeps_lines(void **state)
{
    char id[OCOP_ID_TEXT_LEN + 1];

    (void)state;
    submit_sample(id);
    expect_exit(RUN("show", id), 0);
    expect_in(out, UNIT_ID " (An Khê)");
    expect_in(out, PRODUCT_ID " (Cà phê)");
    expect_in(out, " một\n");
    expect_in(out, " hai\n");
    expect_in(out, "waiting");
}

struct csv_seen {
    size_t cells, rows, columns;
    bool formula, uneven;
    char evil[256];
};

static void see_cell(void *p, size_t len, void *user)
{
    struct csv_seen *seen = user;
    char text[sizeof seen->evil];

    if (len && strchr("=+-@\t", *(const char *)p))
        seen->formula = true;
    if (len < sizeof text) {
        memcpy(text, p, len);
        text[len] = '\0';
        if (strstr(text, "HYPERLINK"))
            memcpy(seen->evil, text, sizeof text);
    }
    seen->cells++;
}

static void see_row(int end, void *user)
{
    struct csv_seen *seen = user;

    (void)end;
    if (seen->rows++ == 0)
        seen->columns = seen->cells;
    seen->uneven = seen->uneven || seen->cells != seen->columns;
    seen->cells = 0;
}

static struct csv_seen read_csv(const char *text)
{
    struct csv_seen seen = {0};
    struct csv_parser parser;

    assert_int_equal(csv_init(&parser, CSV_STRICT | CSV_STRICT_FINI), 0);
    assert_int_equal(csv_parse(&parser, text, strlen(text), see_cell, see_row, &seen),
                     strlen(text));
    assert_int_equal(csv_fini(&parser, see_cell, see_row, &seen), 0);
    csv_free(&parser);
    return seen;
}

static void a_list_is_csv_without_formulas(void **state)
{
    struct csv_seen seen;

    (void)state;
    expect_exit(RUN("list", "producer", "--csv"), 0);
    seen = read_csv(out);
    assert_int_equal(seen.rows, 3);
    assert_int_equal(seen.columns, 7);
    assert_false(seen.uneven);
    assert_false(seen.formula);
    assert_string_equal(seen.evil, "'=HYPERLINK(\"x\"),a" ESCAPE OVERRIDE "b" CLEAR_C1 "c");
    assert_string_equal(out + strlen(out) - 2, "\r\n");
}

static void a_list_is_one_json_array(void **state)
{
    json_t *v, *first;

    (void)state;
    expect_exit(RUN("list", "product", "--json", "--unit", "24079", "--producer", "Hợp tác xã"), 0);
    v = parsed(out);
    assert_int_equal(json_array_size(v), 1);
    first = json_array_get(v, 0);
    assert_string_equal(json_string_value(json_object_get(first, "id")), PRODUCT_ID);
    assert_string_equal(json_string_value(json_object_get(first, "label")), "Cà phê");
    assert_string_equal(json_string_value(json_object_get(first, "unitName")), "An Khê");
    assert_string_equal(json_string_value(json_object_get(first, "state")), "accepted");
    assert_true(json_is_false(json_object_get(first, "voided")));
    json_decref(v);
    expect_exit(RUN("list", "producer", "--json"), 0);
    v = parsed(out);
    assert_int_equal(json_array_size(v), 2);
    json_decref(v);
    expect_exit(RUN("find", "--text", "ca phe", "--kind", "product", "--json"), 0);
    v = parsed(out);
    assert_int_equal(json_array_size(v), 1);
    json_decref(v);
    expect_exit(RUN("find", "--unit", "99999"), 3);
    expect_in(errors, "ocop: unit: ");
    expect_exit(RUN("list", "nothing"), 3);
    expect_exit(RUN("find", "--from", "yesterday"), 2);
    expect_exit(RUN("list", "producer", "--limit", "1"), 0);
    expect_in(errors, "--offset 1");
}

/* Columns before `part` in the line where it stands, as a terminal shows them. */
static size_t column_of(const char *line, const char *part)
{
    const char *end = strstr(line, part);
    size_t columns = 0;

    assert_non_null(end);
    for (const unsigned char *p = (const unsigned char *)line; (const char *)p < end; p++) {
        bool mark = p[0] == 0xcc || (p[0] == 0xcd && p[1] < 0xb0);
        columns += (*p & 0xc0) != 0x80 && !mark;
    }
    return columns;
}

static void columns_align_whether_marks_are_composed_or_not(void **state)
{
    char *save, *lines[3];

    (void)state;
    expect_exit(RUN("new", "product", "--set", "name=ca\xcc\x80 phe\xcc\x82\xcc\x81 x", "--set",
                    "unit_id=" UNIT_ID),
                0);
    expect_exit(RUN("list", "product"), 0);
    lines[0] = strtok_r(out, "\n", &save);
    lines[1] = strtok_r(NULL, "\n", &save);
    lines[2] = strtok_r(NULL, "\n", &save);
    assert_int_equal(column_of(lines[1], "An Kh"), column_of(lines[0], "unit"));
    assert_int_equal(column_of(lines[2], "An Kh"), column_of(lines[0], "unit"));
}

static void the_state_of_the_store_is_told_to_people_and_programs(void **state)
{
    json_t *v;

    (void)state;
    expect_exit(RUN("new", "inspection"), 0);
    expect_exit(RUN("status"), 0);
    expect_in(out, "officer:    Lan\n");
    expect_in(out, "drafts:     1\n");
    expect_exit(RUN("status", "--json"), 0);
    v = parsed(out);
    assert_int_equal(json_integer_value(json_object_get(v, "drafts")), 1);
    assert_int_equal(json_integer_value(json_object_get(v, "device")), 7);
    assert_string_equal(json_string_value(json_object_get(v, "officer")), OFFICER_ID);
    json_decref(v);
}

/* The cell of a CSV of one row under a title; "" when there is none. */
static void cell_under(const char *title, char cell[64])
{
    char copy[OUTPUT_MAX], *rows[2], *t = NULL, *c = NULL;

    (void)snprintf(copy, sizeof copy, "%s", out);
    rows[0] = copy;
    rows[1] = strstr(copy, "\r\n");
    assert_non_null(rows[1]);
    *rows[1] = '\0';
    rows[1] += 2;
    cell[0] = '\0';
    for (;;) {
        size_t tn = strcspn(rows[0], ","), cn = strcspn(rows[1], ",\r");
        t = rows[0];
        c = rows[1];
        if (tn == strlen(title) && strncmp(t, title, tn) == 0) {
            (void)snprintf(cell, 64, "%.*s", (int)cn, c);
            return;
        }
        if (!t[tn])
            fail_msg("no title %s in %s", title, out);
        rows[0] += tn + 1;
        rows[1] += cn + 1;
    }
}

static void a_record_and_its_state_and_that_of_the_store_are_rows_of_csv(void **state)
{
    char id[OCOP_ID_TEXT_LEN + 1], cell[64];

    (void)state;
    submit_sample(id);
    expect_exit(RUN("show", id, "--csv"), 0);
    assert_int_equal(read_csv(out).rows, 2);
    assert_false(read_csv(out).uneven);
    cell_under("quantity", cell);
    assert_string_equal(cell, "2.5");
    expect_exit(RUN("status", id, "--csv"), 0);
    assert_int_equal(read_csv(out).rows, 2);
    cell_under("state", cell);
    assert_string_equal(cell, "waiting");
    cell_under("reason_field", cell);
    assert_string_equal(cell, "");
    expect_exit(RUN("status", "--csv"), 0);
    assert_int_equal(read_csv(out).rows, 2);
    cell_under("officer_name", cell);
    assert_string_equal(cell, "Lan");
    cell_under("waiting", cell);
    assert_string_equal(cell, "1");
    expect_exit(RUN("sync", "--csv", "--connect-timeout", "1"), 6);
    cell_under("bytes_received", cell);
    assert_string_equal(cell, "0");
}

static void a_name_is_taken_however_it_is_typed(void **state)
{
    static const char *const names[] = {"Hợp tác xã", "HỢP TÁC XÃ", " hợp  tác xã",
                                        "Ho\xcc\x9b\xcc\xa3p ta\xcc\x81\x63 xa\xcc\x83"};

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        expect_exit(RUN("show", (char *)(uintptr_t)names[i], "--json"), 0);
        expect_in(out, PRODUCER_ID);
    }
    expect_exit(RUN("show", "Hop tac xa"), 3); /* other diacritics are another name */
    expect_exit(RUN("show", "Hợp tác"), 3);
}

static void a_case_is_shown_with_base_theirs_and_mine(void **state)
{
    struct case_row c = {.kind = KIND_PRODUCT,
                         .cause = 1,
                         .field = "name",
                         .base = "\"Cà\"",
                         .theirs = "\"Cà phê\"",
                         .mine = "\"" OVERRIDE "Trà\""};
    struct ocop_store *s;
    struct ocop_error err;
    json_t *v, *shown;

    (void)state;
    assert_true(id_parse(EVIL_ID, &c.id) && id_parse(PRODUCT_ID, &c.record));
    assert_int_equal(ocop_open(path_of("store"), NULL, &s, &err), OCOP_OK);
    assert_int_equal(client_enter(s, &err), OCOP_OK);
    assert_int_equal(store_case_put(s, &c, &err), OCOP_OK);
    client_leave(s);
    ocop_close(s);
    expect_exit(RUN("show", PRODUCT_ID), 0);
    expect_in(out, "in_case");
    expect_in(out, "case " EVIL_ID " (open):");
    expect_in(out, "base:    \"Cà\"");
    expect_in(out, "theirs:  \"Cà phê\"");
    expect_in(out, "mine:    \"\\u{202e}Trà\"");
    expect_exit(RUN("status", PRODUCT_ID, "--json"), 0);
    v = parsed(out);
    shown = json_array_get(json_object_get(v, "cases"), 0);
    assert_string_equal(json_string_value(json_object_get(shown, "theirs")), "Cà phê");
    assert_true(json_is_false(json_object_get(shown, "closed")));
    json_decref(v);
    expect_exit(RUN("list", "product", "--state", "in_case", "--csv"), 0);
    assert_int_equal(read_csv(out).rows, 2);
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
#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, make_store, remove_store)
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
        WITH_STORE(show_and_list_neutralise_escapes_of_the_terminal),
        WITH_STORE(no_form_of_output_brings_controls_to_a_terminal),
        WITH_STORE(a_record_and_its_state_and_that_of_the_store_are_rows_of_csv),
        WITH_STORE(a_name_is_taken_however_it_is_typed),
        WITH_STORE(a_sync_shows_its_progress_on_a_terminal_only),
        WITH_STORE(show_names_what_a_record_refers_to_and_keeps_lines),
        WITH_STORE(a_list_is_csv_without_formulas),
        WITH_STORE(a_list_is_one_json_array),
        WITH_STORE(columns_align_whether_marks_are_composed_or_not),
        WITH_STORE(the_state_of_the_store_is_told_to_people_and_programs),
        WITH_STORE(a_case_is_shown_with_base_theirs_and_mine),
        WITH_STORE(an_export_is_whole_or_not_there),
        WITH_STORE(a_sync_without_a_server_exits_6_with_one_line),
        WITH_STORE(an_interrupted_sync_exits_7_and_loses_nothing),
    };

    return cmocka_run_group_tests_name("cli", tests, make_dir, remove_dir);
}
