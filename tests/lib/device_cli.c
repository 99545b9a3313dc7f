#define _XOPEN_SOURCE 700 /* terminals */
#include "device_cli.h"

#include <csv.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "record_api.h"

extern char **environ;

static char dir[] = "/tmp/ocop-cli-XXXXXX";
static char bin[4096];
char out[OUTPUT_MAX], errors[OUTPUT_MAX];

/* --- running --------------------------------------------------------------------------------- */

const char *path_of(const char *name)
{
    static char path[4][128];
    static unsigned next;
    char *p = path[next++ % 4];

    (void)snprintf(p, sizeof path[0], "%s/%s", dir, name);
    return p;
}

void read_back(const char *name, char text[OUTPUT_MAX])
{
    FILE *f = fopen(path_of(name), "rb");
    size_t n;

    assert_non_null(f);
    n = fread(text, 1, OUTPUT_MAX - 1, f);
    text[n] = '\0';
    (void)fclose(f);
}

void write_file(const char *name, const char *text)
{
    FILE *f = fopen(path_of(name), "wb");

    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
    assert_int_equal(fclose(f), 0);
}

pid_t start_args(char *const *argv)
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

int wait_for(pid_t pid)
{
    int status = 0;

    assert_int_equal(waitpid(pid, &status, 0), pid);
    read_back("out", out);
    read_back("err", errors);
    if (!WIFEXITED(status))
        fail_msg("ocop ended by signal %d: %s", WTERMSIG(status), errors);
    return WEXITSTATUS(status);
}

int run_args(char *const *argv)
{
    return wait_for(start_args(argv));
}

int run_line(const char *line)
{
    char copy[1024], *argv[ARGS_MAX] = {(char *)(uintptr_t) "ocop"}, *save = NULL;
    int argc = 1;

    (void)snprintf(copy, sizeof copy, "%s", line);
    for (char *w = strtok_r(copy, " ", &save); w && argc < ARGS_MAX - 1;
         w = strtok_r(NULL, " ", &save))
        argv[argc++] = w;
    return run_args(argv);
}

void expect_exit(int got, int want)
{
    if (got != want)
        fail_msg("exit code %d, not %d; stdout: %s stderr: %s", got, want, out, errors);
}

void expect_one_error_line(void)
{
    size_t len = strlen(errors);

    if (strncmp(errors, "ocop: ", 6) != 0 || strchr(errors, '\n') != errors + len - 1)
        fail_msg("stderr is not one line of an error: %s", errors);
}

void expect_in(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("\"%s\" is not in: %s", part, text);
}

json_t *parsed(const char *text)
{
    json_error_t e;
    json_t *v = json_loads(text, JSON_DECODE_ANY, &e);

    if (!v)
        fail_msg("not JSON, %s: %s", e.text, text);
    return v;
}

void take_id(char id[OCOP_ID_TEXT_LEN + 1])
{
    struct ocop_id parsed_id;

    assert_int_equal(strlen(out), OCOP_ID_TEXT_LEN + 1);
    memcpy(id, out, OCOP_ID_TEXT_LEN);
    id[OCOP_ID_TEXT_LEN] = '\0';
    assert_true(ocop_id_parse(id, &parsed_id));
}

/* --- a store that is enrolled ---------------------------------------------------------------- */

void put_meta(struct ocop_store *s, const char *key, const void *p, size_t len)
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

int cli_make_store(void **state)
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

int cli_remove_store(void **state)
{
    static const char *const names[] = {"store", "store-wal", "store-shm", "store-journal",
                                        "in",    "out",       "err",       "export",
                                        "made",  "made-wal",  "made-shm"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        (void)unlink(path_of(names[i]));
    return 0;
}

int cli_make_dir(void **state)
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

int cli_remove_dir(void **state)
{
    (void)state;
    return rmdir(dir); /* fails when a test left a file */
}

/* --- what it shows ------------------------------------------------------------------------------
 */

void submit_sample(char id[OCOP_ID_TEXT_LEN + 1])
{
    write_file("in", "{\"producerId\":\"" PRODUCER_ID "\",\"productId\":\"" PRODUCT_ID
                     "\",\"quantity\":\"2.5\",\"quantityUnit\":\"kg\",\"notes\":\"một\\nhai\"}");
    expect_exit(RUN("new", "sample", "--json", "-", "--set", "unit_id=" UNIT_ID, "--set",
                    "place=kho", "--set", "taken_ms=2026-08-05T08:00:00+07:00", "--submit"),
                0);
    take_id(id);
    expect_in(errors, "submitted as MT-24079-");
}

int open_terminal(char *name, size_t room)
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

pid_t start_on_terminal(char *const *argv, int which, const char *terminal)
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

int read_terminal(int fd, pid_t pid, char text[OUTPUT_MAX])
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

struct csv_seen read_csv(const char *text)
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
