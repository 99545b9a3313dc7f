/* Both programs together, as an office and two officers run them: a real server, real stores, every
 * exit code that takes a server, decisions that travel, a backup that is taken while devices sync.
 */
#define _GNU_SOURCE /* prlimit */
#include "test.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ARGS_MAX = 24, TEXT_MAX = 65536 };

struct world {
    char dir[40], db[80], log[80], address[64];
    char out[TEXT_MAX], err[TEXT_MAX];
    char record[40]; /* an inspection that both devices have */
    pid_t server;
};

/* --- running --------------------------------------------------------------------------------- */

static const char *ocop(void)
{
    const char *path = getenv("OCOP_BIN");
    return path ? path : "build/ocop";
}

static const char *ocopd(void)
{
    const char *path = getenv("OCOPD_BIN");
    return path ? path : "build/ocopd";
}

static void beside(const struct world *w, const char *name, char out[80])
{
    snprintf(out, 80, "%s/%s", w->dir, name);
}

static void read_file(const char *path, char *out)
{
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    out[fread(out, 1, TEXT_MAX - 1, f)] = '\0';
    fclose(f);
}

/* The program's exit code, with what it printed in w->out and w->err. `input` goes to stdin. */
static int run(struct world *w, const char *program, const char *input, const char *const *args)
{
    char *argv[ARGS_MAX + 2] = {(char *)(uintptr_t)program}, in[80], out[80], err[80];
    size_t n = 1;
    int status;
    while (args[n - 1] && n <= ARGS_MAX) {
        argv[n] = (char *)(uintptr_t)args[n - 1];
        n++;
    }
    beside(w, "in", in);
    beside(w, "out", out);
    beside(w, "err", err);
    FILE *f = fopen(in, "w");
    assert_non_null(f);
    fputs(input ? input : "", f);
    assert_int_equal(fclose(f), 0);
    const pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        dup2(open(in, O_RDONLY), 0);
        dup2(open(out, O_WRONLY | O_CREAT | O_TRUNC, 0600), 1);
        dup2(open(err, O_WRONLY | O_CREAT | O_TRUNC, 0600), 2);
        execv(argv[0], argv);
        _exit(127);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    read_file(out, w->out);
    read_file(err, w->err);
    if (!WIFEXITED(status) || WEXITSTATUS(status) == 127)
        fail_msg("%s %s ended badly: %s", program, args[0], w->err);
    return WEXITSTATUS(status);
}

static void expect(struct world *w, int want, int got, const char *text)
{
    if (want != got || (!strstr(w->out, text) && !strstr(w->err, text)))
        fail_msg("exit %d, not %d, or not \"%s\" in:\n%s%s", got, want, text, w->out, w->err);
}

#define OFFICE(w, ...)                                                                             \
    run(w, ocopd(), NULL, (const char *const[]){__VA_ARGS__, "--db", w->db, NULL})
#define DEVICE(w, name, ...)                                                                       \
    run(w, ocop(), NULL, (const char *const[]){"--store", device(w, name), __VA_ARGS__, NULL})

static const char *device(const struct world *w, const char *name)
{
    static char path[2][80];
    static unsigned next;
    char *p = path[next++ % 2];
    beside(w, name, p);
    return p;
}

/* Starts the server and waits until it says that it listens. Files cannot grow beyond the limit
 * that a test may set later; the signal that comes with it is ignored. */
static void start_server(struct world *w)
{
    int status;
    unlink(w->log);
    w->server = fork();
    assert_true(w->server >= 0);
    if (w->server == 0) {
        signal(SIGXFSZ, SIG_IGN);
        dup2(open(w->log, O_WRONLY | O_CREAT | O_TRUNC, 0600), 2);
        execl(ocopd(), ocopd(), "run", "--db", w->db, "--listen", w->address, "--log-level", "info",
              (char *)NULL);
        _exit(127);
    }
    for (;;) {
        FILE *f = fopen(w->log, "r");
        w->err[f ? fread(w->err, 1, TEXT_MAX - 1, f) : 0] = '\0';
        if (f)
            fclose(f);
        if (strstr(w->err, "listening"))
            return;
        if (waitpid(w->server, &status, WNOHANG) == w->server)
            fail_msg("the server ended: %s", w->err);
    }
}

static void stop_server(struct world *w)
{
    int status;
    assert_int_equal(kill(w->server, SIGTERM), 0);
    assert_int_equal(waitpid(w->server, &status, 0), w->server);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    w->server = 0;
}

static void free_address(char *out, size_t room)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    snprintf(out, room, "tcp://127.0.0.1:%d", ntohs(a.sin_port));
    close(fd);
}

/* --- the world ------------------------------------------------------------------------------- */

static void put(const struct world *w, const char *name, const char *text)
{
    char path[80];
    beside(w, name, path);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
}

/* The code of an invitation: the first line of what invite prints. */
static void invite(struct world *w, const char *officer, const char *role, char code[4096])
{
    expect(w, 0,
           OFFICE(w, "invite", "--new-officer", officer, "--role", role, "--unit", "24664",
                  "--address", w->address, "--no-qr"),
           "");
    snprintf(code, 4096, "%.*s\n", (int)strcspn(w->out, "\n"), w->out);
}

static void enrol(struct world *w, const char *name, const char *officer, const char *role)
{
    char code[4096];
    invite(w, officer, role, code);
    expect(w, 0, DEVICE(w, name, "init"), "");
    expect(
        w, 0,
        run(w, ocop(), code,
            (const char *const[]){"--store", device(w, name), "enrol", "-", "--name", name, NULL}),
        "");
    expect(w, 0, DEVICE(w, name, "sync"), "complete:");
}

static void inspect(struct world *w, const char *name, char id[40])
{
    expect(w, 0, DEVICE(w, name, "list", "producer", "--csv"), "HTX");
    char producer[40];
    snprintf(producer, sizeof producer, "%.36s", strchr(w->out, '\n') + 1);
    char set[64];
    snprintf(set, sizeof set, "producer_id=%s", producer);
    expect(w, 0,
           DEVICE(w, name, "new", "inspection", "--submit", "--set", set, "--set",
                  "inspection_type=planned", "--set", "conclusion=pass"),
           "submitted as BB-24664-");
    snprintf(id, 40, "%.36s", w->out);
}

static int open_world(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    char path[80];
    *state = w;
    strcpy(w->dir, "/tmp/ocop-programs-XXXXXX");
    if (!mkdtemp(w->dir))
        return 1;
    beside(w, "r.db", w->db);
    beside(w, "log", w->log);
    free_address(w->address, sizeof w->address);
    put(w, "units.csv",
        "code,name,level,parent_code\n68,Tỉnh Lâm Đồng,province,\n24664,Xã Đức Lập,commune,68\n");
    put(w, "producers.csv", "name,type,unit_code\nHTX Đức Lập,cooperative,24664\n");
    expect(w, 0, OFFICE(w, "init", "--name", "Lâm Đồng"), "made");
    beside(w, "units.csv", path);
    expect(w, 0, OFFICE(w, "import", "units", path, "--from", "2025-07-01"), "2 new");
    beside(w, "producers.csv", path);
    expect(w, 0, OFFICE(w, "import", "producers", path), "1 new");
    start_server(w);
    enrol(w, "an", "Nguyễn Thị An", "inspector");
    enrol(w, "binh", "Trần Văn Bình", "inspector,reconciler");
    inspect(w, "an", w->record);
    expect(w, 0, DEVICE(w, "an", "sync"), "applied:");
    expect(w, 0, DEVICE(w, "binh", "sync"), "received:");
    return 0;
}

static int close_world(void **state)
{
    struct world *w = *state;
    char command[80];
    if (w->server > 0)
        stop_server(w);
    snprintf(command, sizeof command, "rm -r %s", w->dir);
    const int rc = system(command);
    free(w);
    return rc;
}

static void expect_conclusion(struct world *w, const char *name, const char *want)
{
    expect(w, 0, DEVICE(w, name, "sync"), "");
    expect(w, 0, DEVICE(w, name, "show", w->record, "--json"), want);
}

/* --- tests ----------------------------------------------------------------------------------- */

/* An and Bình contradict each other; the id of the case. */
static void contradict(struct world *w, const char *an, const char *binh, char id[40])
{
    char set[64];
    snprintf(set, sizeof set, "conclusion=%s", binh);
    expect(w, 0, DEVICE(w, "binh", "amend", w->record, "--reason", "kết quả", "--set", set), "");
    snprintf(set, sizeof set, "conclusion=%s", an);
    expect(w, 0, DEVICE(w, "an", "amend", w->record, "--reason", "đã sửa", "--set", set), "");
    expect(w, 0, DEVICE(w, "binh", "sync"), "applied:");
    expect(w, 9, DEVICE(w, "an", "sync", "--strict"), "1 records in a case");
    expect(w, 0, OFFICE(w, "cases"), "open\tfield\tconclusion");
    snprintf(id, 40, "%.36s", w->out);
}

static void every_way_to_resolve_a_case_reaches_both_devices(void **state)
{
    static const struct {
        const char *an, *binh, *option, *value, *then;
    } cases[] = {
        {"conditional", "fail", "--take", "theirs", "\"conclusion\": \"fail\""},
        {"pass", "conditional", "--take", "mine", "\"conclusion\": \"pass\""},
        {"fail", "conditional", "--value", "\"pass\"", "\"conclusion\": \"pass\""},
    };
    struct world *w = *state;
    char id[40];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        contradict(w, cases[i].an, cases[i].binh, id);
        expect(w, 1, OFFICE(w, "case", "resolve", id, cases[i].option, cases[i].value),
               "needs --reason");
        /* Bình is the only one who may decide. */
        expect(
            w, 0,
            OFFICE(w, "case", "resolve", id, cases[i].option, cases[i].value, "--reason", "đã hỏi"),
            "case ");
        expect(w, 0, OFFICE(w, "cases"), "no open cases");
        expect_conclusion(w, "an", cases[i].then);
        expect_conclusion(w, "binh", cases[i].then);
        expect(w, 0, DEVICE(w, "an", "sync", "--strict"), "complete:");
        expect(w, 0, DEVICE(w, "an", "show", w->record), "(closed):");
    }
    contradict(w, "fail", "conditional", id);
    char code[4096];
    invite(w, "Vũ Mai", "administrator", code);
    expect(w, 1, OFFICE(w, "case", "resolve", id, "--take", "mine", "--reason", "x"),
           "2 officers may decide (Trần Văn Bình, Vũ Mai); say who with --officer");
    expect(w, 1,
           OFFICE(w, "case", "resolve", id, "--take", "mine", "--reason", "x", "--officer",
                  "Nguyễn Thị An"),
           "ocopd: ");
    expect(
        w, 0,
        OFFICE(w, "case", "resolve", id, "--take", "mine", "--reason", "x", "--officer", "Vũ Mai"),
        "case ");
    expect(w, 0, OFFICE(w, "verify"), "tables: equal");
}

static void a_revoked_device_exits_8_and_keeps_its_work(void **state)
{
    struct world *w = *state;
    char id[40];
    inspect(w, "an", id);
    expect(w, 0, OFFICE(w, "devices"), "Nguyễn Thị An");
    expect(w, 0, OFFICE(w, "revoke", "1", "--reason", "mất máy"), "");
    expect(w, 8, DEVICE(w, "an", "sync"), "revoked");
    expect(w, 0, DEVICE(w, "an", "status"), "revoked; ask the office");
    expect(w, 0, DEVICE(w, "an", "show", id), "waiting");
    expect(w, 0, DEVICE(w, "binh", "sync"), "complete:");
}

static void an_invitation_of_another_registry_exits_8(void **state)
{
    struct world *w = *state;
    char code[4096], units[80];
    beside(w, "units.csv", units);
    beside(w, "other.db", w->db);
    expect(w, 0, OFFICE(w, "init", "--name", "Sổ khác"), "made");
    expect(w, 0, OFFICE(w, "import", "units", units, "--from", "2025-07-01"), "2 new");
    invite(w, "Lê Hoa", "inspector", code);
    beside(w, "r.db", w->db);
    expect(w, 0, DEVICE(w, "hoa", "init"), "");
    expect(w, 8,
           run(w, ocop(), code,
               (const char *const[]){"--store", device(w, "hoa"), "enrol", "-", NULL}),
           "ocop: ");
    expect(w, 0, DEVICE(w, "hoa", "status"), "no; enrol it");
}

static void a_used_invitation_exits_4(void **state)
{
    struct world *w = *state;
    char code[4096];
    invite(w, "Lê Hoa", "inspector", code);
    expect(w, 0, DEVICE(w, "hoa", "init"), "");
    expect(w, 0, DEVICE(w, "lan", "init"), "");
    expect(w, 0,
           run(w, ocop(), code,
               (const char *const[]){"--store", device(w, "hoa"), "enrol", "-", NULL}),
           "");
    expect(w, 4,
           run(w, ocop(), code,
               (const char *const[]){"--store", device(w, "lan"), "enrol", "-", NULL}),
           "ocop: ");
}

/* The server's disk is full, as far as it can tell. */
static void a_server_that_cannot_write_exits_10_and_nothing_is_lost(void **state)
{
    struct world *w = *state;
    const struct rlimit full = {4096, RLIM_INFINITY}, empty = {RLIM_INFINITY, RLIM_INFINITY};
    char id[40];
    inspect(w, "an", id);
    assert_int_equal(prlimit(w->server, RLIMIT_FSIZE, &full, NULL), 0);
    expect(w, 10, DEVICE(w, "an", "sync"), "ocop: ");
    expect(w, 0, DEVICE(w, "an", "show", id), "waiting");
    assert_int_equal(prlimit(w->server, RLIMIT_FSIZE, &empty, NULL), 0);
    expect(w, 0, DEVICE(w, "an", "sync"), "applied:");
    expect(w, 0, OFFICE(w, "verify"), "tables: equal");
}

static void a_backup_taken_while_serving_is_restored_and_devices_send_what_it_lacks(void **state)
{
    struct world *w = *state;
    char copy[80], before[40], after[40];
    beside(w, "copy", copy);
    inspect(w, "an", before);
    expect(w, 0, DEVICE(w, "an", "sync"), "applied:");
    expect(w, 0, OFFICE(w, "backup", "--to", copy), "version");
    inspect(w, "an", after);
    expect(w, 0, DEVICE(w, "an", "sync"), "applied:");
    expect(w, 0, OFFICE(w, "show", "inspection", after), "inspection ");
    stop_server(w);
    expect(w, 0, OFFICE(w, "restore", "--from", copy, "--replace"), "a new lineage begins there");
    expect(w, 0, OFFICE(w, "show", "inspection", before), "inspection ");
    expect(w, 1, OFFICE(w, "show", "inspection", after), "ocopd: ");
    start_server(w);
    expect(w, 0, DEVICE(w, "an", "sync"), "complete:        yes");
    expect(w, 0, OFFICE(w, "show", "inspection", after), "inspection ");
    expect(w, 0, DEVICE(w, "an", "show", after), "accepted");
    expect(w, 0, OFFICE(w, "verify"), "tables: equal");
}

/* What others may choose, such as the name of a file, is one quoted value of one line. */
static void hostile_text_is_one_value_of_one_line_in_the_log(void **state)
{
    struct world *w = *state;
    size_t lines = 0;
    stop_server(w);
    beside(w, "x\" event=fake \x1b[2J\nts=1 event=fake.db", w->db);
    expect(w, 0, OFFICE(w, "init", "--name", "x"), "made");
    start_server(w);
    stop_server(w);
    read_file(w->log, w->out);
    assert_non_null(strstr(w->out, "x\\\" event=fake \\x1b[2J\\x0ats=1 event=fake.db\""));
    assert_null(strchr(w->out, 0x1b));
    for (const char *line = w->out; *line; line = strchr(line, '\n') + 1, lines++) {
        if (strncmp(line, "ts=2", 4) != 0 || !strchr(line, '\n') || !strstr(line, " event="))
            fail_msg("no line of the log: %s", line);
    }
    assert_true(lines >= 3);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_way_to_resolve_a_case_reaches_both_devices),
        TEST(a_revoked_device_exits_8_and_keeps_its_work),
        TEST(an_invitation_of_another_registry_exits_8),
        TEST(a_used_invitation_exits_4),
        TEST(a_server_that_cannot_write_exits_10_and_nothing_is_lost),
        TEST(a_backup_taken_while_serving_is_restored_and_devices_send_what_it_lacks),
        TEST(hostile_text_is_one_value_of_one_line_in_the_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
