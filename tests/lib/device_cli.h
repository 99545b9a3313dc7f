/* The built `ocop` as a process, on a store of its own that is enrolled and holds a few records. A
 * program of tests has one folder, and one such process at a time. No server. OCOP_BIN names the
 * program, else build/ocop. */
#ifndef TEST_DEVICE_CLI_H
#define TEST_DEVICE_CLI_H

#include "test.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "ocop.h"
#include "store.h"

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

/** What the last one printed to stdout and stderr. */
extern char out[OUTPUT_MAX], errors[OUTPUT_MAX];

/* --- a folder for the group, a store for each test --- */

/** Setup and teardown; they fail where OCOP_BIN is no program, or a test left a file. */
int cli_make_dir(void **state);
int cli_remove_dir(void **state);
int cli_make_store(void **state);
int cli_remove_store(void **state);
#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, cli_make_store, cli_remove_store)

/** The path of a file of the folder, until the fourth call after this. "in" is every stdin. */
const char *path_of(const char *name);
void write_file(const char *name, const char *text);
void read_back(const char *name, char text[OUTPUT_MAX]);
/** What the store keeps under a name of its own; between client_enter and client_leave. */
void put_meta(struct ocop_store *s, const char *key, const void *p, size_t len);

/* --- running --- */

/** Start ocop with stdout and stderr into files. */
pid_t start_args(char *const *argv);
/** Its exit code, with what it printed in `out` and `errors`. */
int wait_for(pid_t pid);
int run_args(char *const *argv);
#define RUN(...) run_args((char *const[]){(char *)(uintptr_t) "ocop", __VA_ARGS__, NULL})
/** Words divided by spaces. */
int run_line(const char *line);

void expect_exit(int got, int want);
void expect_one_error_line(void);
void expect_in(const char *text, const char *part);

/* --- what it shows --- */

/** To be released by json_decref. */
json_t *parsed(const char *text);
/** The id that `new` printed: stdout and nothing else. */
void take_id(char id[OCOP_ID_TEXT_LEN + 1]);
/** A sample that is submitted; its id. */
void submit_sample(char id[OCOP_ID_TEXT_LEN + 1]);

/** What a text of CSV consists of, the titles a row too. */
struct csv_seen {
    size_t cells, rows, columns;
    bool formula, uneven;
    char evil[256]; /* the cell that would be a formula */
};

struct csv_seen read_csv(const char *text);

/** A terminal: its other end is the descriptor returned, `name` is what a program opens. */
int open_terminal(char *name, size_t room);
/** Start ocop with stdout or stderr (1, 2) on the terminal and the other in its file. */
pid_t start_on_terminal(char *const *argv, int which, const char *terminal);
/** What reached the terminal until the program closed it; its exit code. */
int read_terminal(int fd, pid_t pid, char text[OUTPUT_MAX]);

#endif
