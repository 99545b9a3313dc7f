/* The daemon's commands as a person runs them: the built program (OCOPD_BIN), real files, signals.
 */
#include "test.h"

#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "link.h"
#include "migrate.h"
#include "port.h"

enum { ARGS_MAX = 16 };

struct world {
    char folder[40], db[64], out[64], errors[64], units[64], socket[80];
    char text[20000]; /* stdout of the last call */
    char said[20000]; /* stderr of the last call */
};

static const char *program(void)
{
    const char *path = getenv("OCOPD_BIN");
    return path ? path : "build/ocopd";
}

static void read_file(const char *path, char *out, size_t room)
{
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    out[fread(out, 1, room - 1, f)] = '\0';
    fclose(f);
}

static void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
}

static pid_t start(struct world *w, const char *const *args)
{
    char *argv[ARGS_MAX + 4] = {(char *)(uintptr_t)program()};
    size_t n = 1;
    while (args[n - 1] && n <= ARGS_MAX) {
        argv[n] = (char *)(uintptr_t)args[n - 1];
        n++;
    }
    const pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid > 0)
        return pid;
    const int out = open(w->out, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    const int err = open(w->errors, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    setenv("OCOPD_DB", w->db, 1);
    dup2(out, 1);
    dup2(err, 2);
    execv(argv[0], argv);
    _exit(127);
}

static int finish(struct world *w, pid_t pid)
{
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    read_file(w->out, w->text, sizeof w->text);
    read_file(w->errors, w->said, sizeof w->said);
    assert_true(WIFEXITED(status));
    assert_int_not_equal(WEXITSTATUS(status), 127);
    return WEXITSTATUS(status);
}

#define RUN(w, ...) finish(w, start(w, (const char *const[]){__VA_ARGS__, NULL}))

static void expect(struct world *w, int want, int got, const char *text)
{
    if (want != got || (!strstr(w->text, text) && !strstr(w->said, text)))
        fail_msg("exit %d, not %d, or not \"%s\" in:\n%s%s", got, want, text, w->text, w->said);
}

/* A failure is one line on stderr that begins with the program's name. */
static void expect_error(struct world *w, int want, int got, const char *text)
{
    expect(w, want, got, text);
    assert_memory_equal(w->said, "ocopd: ", 7);
    assert_ptr_equal(strchr(w->said, '\n'), w->said + strlen(w->said) - 1);
}

static int world_open(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    *state = w;
    if (!w)
        return 1;
    strcpy(w->folder, "/tmp/test_ocopd_XXXXXX");
    if (!mkdtemp(w->folder))
        return 1;
    snprintf(w->db, sizeof w->db, "%s/r.db", w->folder);
    snprintf(w->out, sizeof w->out, "%s/out", w->folder);
    snprintf(w->errors, sizeof w->errors, "%s/err", w->folder);
    snprintf(w->units, sizeof w->units, "%s/units.csv", w->folder);
    port_address(w->socket);
    write_file(w->units, "code,name,level,parent_code\n01,Hà Nội,province,\n"
                         "00004,Phường Ba Đình,commune,01\n");
    return 0;
}

static int world_init(void **state)
{
    if (world_open(state) != 0)
        return 1;
    struct world *w = *state;
    expect(w, 0, RUN(w, "init", "--name", "Đồng Tháp"), "made ");
    return 0;
}

static int world_close(void **state)
{
    struct world *w = *state;
    char command[80];
    snprintf(command, sizeof command, "rm -r %s", w->folder);
    const int rc = system(command);
    free(w);
    return rc;
}

static void beside(const struct world *w, const char *name, char out[80])
{
    snprintf(out, 80, "%s/%s", w->folder, name);
}

static bool exists(const struct world *w, const char *name)
{
    char path[80];
    struct stat s;
    beside(w, name, path);
    return stat(path, &s) == 0;
}

static void sql(const struct world *w, const char *text)
{
    sqlite3 *db;
    struct ocop_error err = {0};
    assert_int_equal(db_open(w->db, false, false, NULL, &db, &err), OCOP_OK);
    if (db_exec(db, text, &err) != OCOP_OK)
        fail_msg("%s", err.text);
    sqlite3_close(db);
}

/* Starts a server and waits until it says that it listens, or ends. */
static pid_t start_server(struct world *w)
{
    const char *const args[] = {"run", "--listen", w->socket, "--log-level", "info", NULL};
    unlink(w->errors);
    const pid_t pid = start(w, args);
    int status;
    for (;;) {
        FILE *f = fopen(w->errors, "r");
        w->said[f ? fread(w->said, 1, sizeof w->said - 1, f) : 0] = '\0';
        if (f)
            fclose(f);
        if (strstr(w->said, "listening"))
            return pid;
        if (waitpid(pid, &status, WNOHANG) == pid)
            fail_msg("the server ended: %s", w->said);
    }
}

static void every_command_has_help(void **state)
{
    static const char *const names[] = {"run",    "init",   "import",  "invite", "devices",
                                        "revoke", "show",   "log",     "cases",  "case",
                                        "status", "verify", "rebuild", "backup", "restore"};
    struct world *w = *state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        expect(w, 0, RUN(w, names[i], "--help"), "--db FILE");
        expect(w, 0, RUN(w, "--help"), names[i]);
    }
    expect(w, 0, RUN(w, "--help"), "Exit codes: 0 done, 1 failed, 2 ");
    expect(w, 0, RUN(w, "backup", "--help"), "exit code 3: ");
}

static void wrong_usage_exits_with_2_and_one_line(void **state)
{
    struct world *w = *state;
    expect_error(w, 2, RUN(w, "frobnicate"), "is no command");
    expect_error(w, 2, RUN(w, "show", "--frob"), "--frob is no option");
    expect_error(w, 2, RUN(w, "import", "units"), "import needs");
    expect_error(w, 2, RUN(w, "cases", "all"), "too much");
    expect_error(w, 2, RUN(w, "backup", "--to"), "needs a value");
    expect_error(w, 2, RUN(w, "verify", "--log-level", "loud"), "loud");
}

static void settings_show_their_source_and_wrong_files_their_line(void **state)
{
    struct world *w = *state;
    char path[80], want[200];
    beside(w, "conf", path);
    write_file(path, "# settings\nbatch = 7\n");
    expect(w, 0, RUN(w, "run", "--show-config", "--config", path, "--address", "tcp://x:1"),
           "address = tcp://x:1\t# flag");
    snprintf(want, sizeof want, "batch = 7\t# file %s", path);
    assert_non_null(strstr(w->text, want));
    assert_non_null(strstr(w->text, "# environment OCOPD_DB"));
    write_file(path, "batch = 7\nbadge = 8\n");
    snprintf(want, sizeof want, "%s:2: \"badge\" is not a setting", path);
    expect_error(w, 2, RUN(w, "show", "--config", path), want);
}

static void a_missing_registry_says_to_run_init(void **state)
{
    struct world *w = *state;
    expect_error(w, 1, RUN(w, "run"), "`ocopd init` makes one");
    expect_error(w, 1, RUN(w, "show"), "`ocopd init` makes one");
    assert_false(exists(w, "r.db"));
    assert_false(exists(w, "r.db.lock"));
}

static void init_makes_a_registry_once(void **state)
{
    struct world *w = *state;
    struct stat s;
    char keys[80];
    beside(w, "r.db.keys", keys);
    assert_int_equal(stat(keys, &s), 0);
    assert_int_equal(s.st_mode & 0777, 0600);
    expect_error(w, 1, RUN(w, "init", "--name", "again"), "exists");
    expect(w, 0, RUN(w, "verify"), "tables: equal to a replay of");
    expect(w, 0, RUN(w, "status"), "read back: nothing damaged was found");
    expect(w, 0, RUN(w, "show", "registry"), "Đồng Tháp");
}

static void a_place_that_cannot_be_written_leaves_nothing_behind(void **state)
{
    struct world *w = *state;
    char path[80];
    beside(w, "no/such/folder.db", path);
    expect_error(w, 1, RUN(w, "init", "--name", "x", "--db", path), "folder.db");
    expect_error(w, 1, RUN(w, "init", "--name", "x", "--db", "/proc/r.db"), "/proc/r.db");
    /* A folder where a journal belongs: the database fails after the keys were made. */
    char journal[80];
    beside(w, "r.db-wal", journal);
    assert_int_equal(mkdir(journal, 0700), 0);
    expect_error(w, 1, RUN(w, "init", "--name", "x"), "r.db");
    assert_false(exists(w, "r.db.keys"));
    assert_false(exists(w, "r.db"));
}

static void imported_units_can_be_invited_for(void **state)
{
    struct world *w = *state;
    expect(w, 0, RUN(w, "import", "units", w->units, "--from", "2025-07-01"), "2 new");
    expect(w, 0, RUN(w, "import", "units", w->units, "--from", "2025-07-01"), "2 as they were");
    expect(w, 0,
           RUN(w, "invite", "--new-officer", "Lê Thị B", "--role", "inspector,sampler", "--unit",
               "00004", "--address", "tcp://192.0.2.1:7070"),
           "until ");
    assert_non_null(strstr(w->text, "▀"));
    assert_non_null(strstr(w->text, "tcp://192.0.2.1:7070"));
    expect(w, 0, RUN(w, "invite", "--officer", "Lê Thị B", "--unit", "01", "--no-qr"), "until ");
    assert_null(strstr(w->text, "▀"));
    expect_error(w, 1, RUN(w, "invite", "--officer", "Nobody", "--unit", "01"), "no officer");
    expect_error(w, 1, RUN(w, "invite", "--officer", "Lê Thị B", "--unit", "99"), "no unit");
    expect_error(w, 1, RUN(w, "invite", "--unit", "01"), "--officer or --new-officer");
    expect(w, 0, RUN(w, "show", "unit", "00004"), "Phường Ba Đình");
    expect(w, 0, RUN(w, "show", "unit", "00004", "--json"), "\"code\": \"00004\"");
    expect(w, 0, RUN(w, "show"), "officer\t1");
    expect(w, 0, RUN(w, "log", "--limit", "2"), "changes");
    expect(w, 0, RUN(w, "devices"), "last heard");
    expect(w, 0, RUN(w, "devices", "--json"), "[]");
    expect(w, 0, RUN(w, "cases"), "no open cases");
    expect_error(w, 1, RUN(w, "revoke", "7", "--reason", "lost"), "no device");
    expect(w, 0, RUN(w, "verify"), "tables: equal");
}

static void the_story_of_a_record_names_author_times_and_outcome(void **state)
{
    struct world *w = *state;
    char id[37];
    expect(w, 0, RUN(w, "import", "units", w->units, "--from", "2025-07-01"), "2 new");
    expect(w, 0, RUN(w, "show", "unit", "01"), "unit ");
    memcpy(id, w->text + 5, 36);
    id[36] = '\0';
    expect(w, 0, RUN(w, "log", "show", id), "create");
    assert_non_null(strstr(w->text, "units.csv"));
    assert_non_null(strstr(w->text, "name: null -> \"Hà Nội\""));
    assert_non_null(strstr(w->text, "outcome: applied"));
    assert_non_null(strstr(w->text, "signature good, chain good"));
    expect(w, 0, RUN(w, "log", "show", id, "--json"), "\"good\":true}");
    expect_error(w, 1, RUN(w, "log", "--json"), "--json goes with log show");
    expect_error(w, 1, RUN(w, "log", "show", "00000000-0000-8000-8000-000000000000"),
                 "no change of this record");
}

static void a_second_server_is_refused_and_sigterm_ends_the_first(void **state)
{
    struct world *w = *state;
    char want[80];
    static const int signals[] = {SIGTERM, SIGINT};
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        const pid_t pid = start_server(w);
        snprintf(want, sizeof want, "another ocopd serves this file (pid %ld)", (long)pid);
        char kept[64];
        strcpy(kept, w->errors);
        strcat(w->errors, "2");
        expect_error(w, 1, RUN(w, "run", "--listen", w->socket), want);
        /* Imports and backups run beside a server; restores do not. */
        expect(w, 0, RUN(w, "import", "units", w->units, "--from", "2025-07-01"), "lines");
        char copy[80];
        beside(w, i ? "copy2" : "copy1", copy);
        expect(w, 0, RUN(w, "backup", "--to", copy), "without the keys");
        expect_error(w, 1, RUN(w, "restore", "--from", copy, "--replace"), want);
        strcpy(w->errors, kept);
        assert_int_equal(kill(pid, signals[i]), 0);
        assert_int_equal(finish(w, pid), 0);
        assert_non_null(strstr(w->said, "stop"));
    }
    expect(w, 0, RUN(w, "verify"), "tables: equal");
}

static int64_t mono_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* The promise is a second. Of three tries the best counts, so that a busy machine does not. */
static void sigterm_ends_a_server_within_a_second_though_clients_are_connected(void **state)
{
    enum { TRIES = 3, CLIENTS = 3, PROMISED_MS = 1000 };
    struct world *w = *state;
    struct ocop_error err = {0};
    int64_t best = INT64_MAX;
    for (int i = 0; i < TRIES && best >= PROMISED_MS; i++) {
        struct link *links[CLIENTS];
        const pid_t pid = start_server(w);
        for (int n = 0; n < CLIENTS; n++) {
            assert_int_equal(link_nn_open(w->socket, &links[n], &err), OCOP_OK);
            assert_int_equal(links[n]->connect(links[n], 20000, NULL, &err), OCOP_OK);
        }
        const int64_t begin = mono_ms();
        assert_int_equal(kill(pid, SIGTERM), 0);
        assert_int_equal(finish(w, pid), 0);
        const int64_t took = mono_ms() - begin;
        best = took < best ? took : best;
        for (int n = 0; n < CLIENTS; n++)
            links[n]->close(links[n]);
    }
    assert_in_range(best, 0, PROMISED_MS - 1);
}

static void a_restored_backup_begins_a_new_lineage(void **state)
{
    struct world *w = *state;
    char copy[80];
    struct stat s;
    beside(w, "copy", copy);
    expect(w, 0, RUN(w, "backup", "--to", copy, "--with-keys"), "keys beside it");
    expect_error(w, 1, RUN(w, "backup", "--to", copy), "exists");
    assert_false(exists(w, "copy.part"));
    assert_true(exists(w, "copy.keys"));
    assert_int_equal(stat(copy, &s), 0);
    assert_int_equal(s.st_mode & 077, 0);
    expect(w, 0, RUN(w, "import", "units", w->units, "--from", "2025-07-01"), "2 new");
    expect_error(w, 1, RUN(w, "restore", "--from", copy), "--replace");
    expect(w, 0, RUN(w, "restore", "--from", copy, "--replace"), "a new lineage begins there");
    assert_true(exists(w, "r.db.before-restore-1"));
    expect(w, 0, RUN(w, "show"), "unit\t0");
    expect(w, 0, RUN(w, "show", "registry", "--json"), "forkVersion");
    expect(w, 0, RUN(w, "verify"), "tables: equal");
    expect(w, 0, RUN(w, "restore", "--from", copy, "--replace"), "before-restore-2");
    /* To another place, with the keys that the backup brought. */
    char other[80];
    beside(w, "other.db", other);
    expect(w, 0, RUN(w, "restore", "--from", copy, "--db", other), "restored");
    expect(w, 0, RUN(w, "verify", "--db", other), "tables: equal");
    assert_true(exists(w, "other.db.keys"));
    expect_error(w, 1, RUN(w, "restore", "--from", "/nowhere", "--db", other, "--replace"),
                 "no backup");
}

static void a_rebuilt_registry_is_the_same(void **state)
{
    struct world *w = *state;
    char fresh[80], keys[80], command[200];
    beside(w, "fresh.db", fresh);
    expect(w, 0, RUN(w, "import", "units", w->units, "--from", "2025-07-01"), "2 new");
    expect(w, 0, RUN(w, "rebuild", "--into", fresh), "rebuilt");
    expect_error(w, 1, RUN(w, "rebuild", "--into", fresh), "exists");
    expect(w, 0, RUN(w, "verify", "--db", fresh), "taken from the log");
    beside(w, "r.db.keys", keys);
    snprintf(command, sizeof command, "cp %s %s.keys", keys, fresh);
    assert_int_equal(system(command), 0);
    expect(w, 0, RUN(w, "import", "units", w->units, "--from", "2025-07-01", "--db", fresh),
           "2 as they were");
}

static void verify_tells_what_was_altered(void **state)
{
    static const struct {
        const char *sql, *said;
    } cases[] = {
        {"UPDATE unit SET name = 'Huế' WHERE code = '01'", "the tables are not what the log gives"},
        {"DELETE FROM unit WHERE code = '01'", "the tables are not what the log gives"},
        {"UPDATE log SET signature = zeroblob(64) WHERE version = 2",
         "log version 2: the signature"},
        {"UPDATE log SET hash = zeroblob(32) WHERE version = 2", "log version 2: the body"},
        {"UPDATE log SET body = zeroblob(10) WHERE version = 2", "log version 2: the body"},
        {"DELETE FROM log WHERE version = 2", "log version 2: is missing"},
        {"UPDATE log SET seq = seq + 100 WHERE version = 1", "log version 1: the body is of"},
    };
    struct world *w = *state;
    char copy[80];
    beside(w, "copy", copy);
    expect(w, 0, RUN(w, "import", "units", w->units, "--from", "2025-07-01"), "2 new");
    expect(w, 0, RUN(w, "backup", "--to", copy, "--with-keys"), "version");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        expect(w, 0, RUN(w, "restore", "--from", copy, "--replace"), "restored");
        expect(w, 0, RUN(w, "verify"), "tables: equal");
        sql(w, cases[i].sql);
        expect_error(w, 1, RUN(w, "verify"), cases[i].said);
    }
}

static void a_file_of_a_newer_program_is_not_touched(void **state)
{
    struct world *w = *state;
    sql(w, "PRAGMA user_version = 9999");
    expect_error(w, 1, RUN(w, "show"), "newer");
    expect_error(w, 1, RUN(w, "run", "--listen", w->socket), "newer");
}

static void a_damaged_file_is_told_as_such(void **state)
{
    struct world *w = *state;
    char other[80];
    write_file(w->db, "this is no database, however long one looks at it. "
                      "this is no database, however long one looks at it. "
                      "this is no database, however long one looks at it.");
    expect_error(w, 1, RUN(w, "show"), "ocopd: ");
    expect_error(w, 1, RUN(w, "run", "--listen", w->socket), "ocopd: ");
    beside(w, "other.db", other);
    write_file(other, "");
    expect_error(w, 1, RUN(w, "restore", "--from", w->db, "--db", other, "--replace"), "ocopd: ");
    assert_false(exists(w, "other.db.part"));
    assert_true(exists(w, "other.db"));
}

static void a_restore_over_a_damaged_registry_says_what_it_could_not_keep(void **state)
{
    struct world *w = *state;
    char copy[80];
    beside(w, "copy", copy);
    expect(w, 0, RUN(w, "backup", "--to", copy), "version");
    write_file(w->db, "this is no database, however long one looks at it. ");
    expect(w, 0, RUN(w, "restore", "--from", copy, "--replace"), "cannot be read: revoke again");
    expect(w, 0, RUN(w, "verify"), "tables: equal");
}

/* Write over the first page of a table. */
static void spoil_table(const struct world *w, const char *name)
{
    static const char rubbish[200] = "no page of a table";
    sqlite3 *db;
    sqlite3_stmt *s;
    assert_int_equal(sqlite3_open(w->db, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db,
                                        "SELECT (rootpage - 1) * (SELECT page_size FROM"
                                        " pragma_page_size) FROM sqlite_schema WHERE name = ?1",
                                        -1, &s, NULL),
                     SQLITE_OK);
    sqlite3_bind_text(s, 1, name, -1, SQLITE_STATIC);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    const off_t at = (off_t)sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    assert_int_equal(sqlite3_exec(db, "PRAGMA wal_checkpoint(TRUNCATE)", NULL, NULL, NULL), 0);
    sqlite3_close(db);
    const int fd = open(w->db, O_WRONLY);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, rubbish, sizeof rubbish, at), sizeof rubbish);
    close(fd);
}

/* A table that is damaged is why it is restored. */
static void a_restore_over_one_damaged_table_closes_the_invitations(void **state)
{
    struct world *w = *state;
    char copy[80];
    beside(w, "copy", copy);
    expect(w, 0, RUN(w, "import", "units", w->units, "--from", "2025-07-01"), "2 new");
    expect(w, 0,
           RUN(w, "invite", "--new-officer", "Lan", "--role", "inspector", "--unit", "00004",
               "--address", "tcp://127.0.0.1:1"),
           "");
    expect(w, 0, RUN(w, "backup", "--to", copy), "version");
    spoil_table(w, "invitation");
    expect(w, 0, RUN(w, "restore", "--from", copy, "--replace"), "1 unused invitations are closed");
    expect(w, 0, RUN(w, "verify"), "tables: equal");
}

static void a_backup_of_another_registry_is_not_put_in_the_place_of_this_one(void **state)
{
    struct world *w = *state;
    char other[80], copy[80];
    beside(w, "copy", copy);
    beside(w, "other.db", other);
    expect(w, 0, RUN(w, "init", "--name", "khác", "--db", other), "");
    expect(w, 0, RUN(w, "backup", "--to", copy, "--db", other), "version");
    expect_error(w, 1, RUN(w, "restore", "--from", copy, "--replace"), "of another registry");
    assert_false(exists(w, "r.db.before-restore-1"));
    assert_false(exists(w, "r.db.part"));
    expect(w, 0, RUN(w, "verify"), "tables: equal");
}

/* The import's replica stands in for a device, which only a phone could enrol. */
static void a_restore_revokes_again(void **state)
{
    struct world *w = *state;
    char copy[80];
    beside(w, "copy", copy);
    expect(w, 0, RUN(w, "import", "units", w->units, "--from", "2025-07-01"), "2 new");
    sql(w, "UPDATE replica SET replica_type = 'device' WHERE replica_type = 'import'");
    expect(w, 0, RUN(w, "backup", "--to", copy), "version");
    sql(w, "UPDATE replica SET state = 'revoked' WHERE replica_type = 'device'");
    expect(w, 0, RUN(w, "restore", "--from", copy, "--replace"),
           "1 devices revoked since the backup are revoked again");
    expect(w, 0, RUN(w, "show", "replica", "units.csv"), "state = \"revoked\"");
}

#define BARE(name) cmocka_unit_test_setup_teardown(name, world_open, world_close)
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_init, world_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BARE(every_command_has_help),
        BARE(wrong_usage_exits_with_2_and_one_line),
        BARE(settings_show_their_source_and_wrong_files_their_line),
        BARE(a_missing_registry_says_to_run_init),
        TEST(init_makes_a_registry_once),
        BARE(a_place_that_cannot_be_written_leaves_nothing_behind),
        TEST(imported_units_can_be_invited_for),
        TEST(the_story_of_a_record_names_author_times_and_outcome),
        TEST(a_second_server_is_refused_and_sigterm_ends_the_first),
        TEST(sigterm_ends_a_server_within_a_second_though_clients_are_connected),
        TEST(a_restored_backup_begins_a_new_lineage),
        TEST(a_rebuilt_registry_is_the_same),
        TEST(verify_tells_what_was_altered),
        TEST(a_file_of_a_newer_program_is_not_touched),
        TEST(a_damaged_file_is_told_as_such),
        TEST(a_restore_over_a_damaged_registry_says_what_it_could_not_keep),
        TEST(a_restore_over_one_damaged_table_closes_the_invitations),
        TEST(a_backup_of_another_registry_is_not_put_in_the_place_of_this_one),
        TEST(a_restore_revokes_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
