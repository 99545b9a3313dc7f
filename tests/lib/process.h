/* Programs as processes: started, waited for by their descriptor, killed; what they printed. None
 * outlives the test. */
#ifndef TEST_PROCESS_H
#define TEST_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/types.h>

enum { PROCESS_ARGS_MAX = 28, PROCESS_PATH_MAX = 160, PROCESS_TEXT_MAX = 1 << 20 };

struct process {
    pid_t pid; /* 0: none */
    int fd;    /* of the process: readable when it has ended */
    char out[PROCESS_PATH_MAX], err[PROCESS_PATH_MAX]; /* where it prints */
};

struct process_limits {
    rlim_t file_bytes, descriptors; /* 0: as they are */
};

/** build/ocop or $OCOP_BIN; build/ocopd or $OCOPD_BIN. */
const char *process_ocop(void);
const char *process_ocopd(void);

/** Start `program` with `args` (up to NULL). It prints to files NAME.out and NAME.err.
 *  @param input  of its stdin; NULL: nothing
 *  @param limits NULL: as they are */
void process_start(struct process *p, const char *name, const char *program,
                   const char *const *args, const char *input, const struct process_limits *limits);
/** Has it ended? Waits for `ms` at most. */
bool process_ended(const struct process *p, int ms);
/** Wait for its end (a minute at most, then the test fails). @return its exit code, or minus the
 *  signal that ended it */
int process_finish(struct process *p);
/** End it with SIGKILL, and wait. @return as process_finish: it may have ended by itself before */
int process_kill(struct process *p);
/** Wait until `text` stands in the file `path`; fails the test when the process ends before. */
void process_await_text(struct process *p, const char *path, const char *text);

/** A file's text, at most PROCESS_TEXT_MAX - 1 bytes; "" when there is none. */
void process_read(const char *path, char out[PROCESS_TEXT_MAX]);
/** CPU time it has taken, in clock ticks. */
unsigned long process_ticks(const struct process *p);
/** How often its threads went to sleep, and so were woken. */
unsigned long process_wakeups(const struct process *p);

#endif
