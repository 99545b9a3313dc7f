#define _GNU_SOURCE /* syscall */
#include "process.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"

enum { PATIENCE_MS = 60000 }; /* what takes longer hangs */

const char *process_ocop(void)
{
    const char *path = getenv("OCOP_BIN");
    return path ? path : "build/ocop";
}

const char *process_ocopd(void)
{
    const char *path = getenv("OCOPD_BIN");
    return path ? path : "build/ocopd";
}

/* In the child, where nothing may be allocated. */
static void become(char *const *argv, const int fds[3], const struct process_limits *limits)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGXFSZ, SIG_IGN); /* a limit of files is a full disk, not the end */
    if (limits && limits->file_bytes)
        setrlimit(RLIMIT_FSIZE, &(struct rlimit){limits->file_bytes, RLIM_INFINITY});
    if (limits && limits->descriptors)
        setrlimit(RLIMIT_NOFILE, &(struct rlimit){limits->descriptors, limits->descriptors});
    for (int i = 0; i < 3; i++)
        dup2(fds[i], i);
    execv(argv[0], argv);
    _exit(127);
}

/* A file that has no name, so that nothing is left of it. */
static int input_open(const char *text)
{
    if (!text)
        return open("/dev/null", O_RDONLY | O_CLOEXEC);
    const int fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

/* Here, not in the child: one that is killed at once leaves no old text behind. */
static int output_open(const char *name, const char *suffix, char path[PROCESS_PATH_MAX])
{
    assert_true(snprintf(path, PROCESS_PATH_MAX, "%s.%s", name, suffix) < PROCESS_PATH_MAX);
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    return fd;
}

void process_start(struct process *p, const char *name, const char *program,
                   const char *const *args, const char *input, const struct process_limits *limits)
{
    char *argv[PROCESS_ARGS_MAX + 2] = {(char *)(uintptr_t)program};
    for (size_t n = 0; args[n]; n++) {
        assert_true(n < PROCESS_ARGS_MAX);
        argv[n + 1] = (char *)(uintptr_t)args[n];
    }
    assert_int_equal(p->pid, 0);
    const int fds[3] = {input_open(input), output_open(name, "out", p->out),
                        output_open(name, "err", p->err)};
    p->pid = fork();
    assert_true(p->pid >= 0);
    if (p->pid == 0)
        become(argv, fds, limits);
    for (int i = 0; i < 3; i++)
        close(fds[i]);
    p->fd = (int)syscall(SYS_pidfd_open, p->pid, 0); /* musl has no function for it */
    assert_true(p->fd >= 0);
}

bool process_ended(const struct process *p, int ms)
{
    struct pollfd look = {.fd = p->fd, .events = POLLIN};
    return poll(&look, 1, ms) > 0;
}

int process_finish(struct process *p)
{
    int status;
    if (!process_ended(p, PATIENCE_MS))
        fail_msg("a process does not end; it prints to %s", p->out);
    assert_int_equal(waitpid(p->pid, &status, 0), p->pid);
    close(p->fd);
    p->pid = 0;
    if (WIFSIGNALED(status))
        return -WTERMSIG(status);
    assert_int_not_equal(WEXITSTATUS(status), 127);
    return WEXITSTATUS(status);
}

int process_kill(struct process *p)
{
    assert_int_equal(kill(p->pid, SIGKILL), 0);
    return process_finish(p);
}

void process_read(const char *path, char out[PROCESS_TEXT_MAX])
{
    FILE *f = fopen(path, "r");
    out[f ? fread(out, 1, PROCESS_TEXT_MAX - 1, f) : 0] = '\0';
    if (f)
        fclose(f);
}

void process_await_text(struct process *p, const char *path, const char *text)
{
    static char said[PROCESS_TEXT_MAX];
    char folder[PROCESS_PATH_MAX], events[sizeof(struct inotify_event) + NAME_MAX + 1];
    const int notify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    assert_true(notify >= 0);
    snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(path, '/') - path), path);
    assert_true(inotify_add_watch(notify, folder, IN_CREATE | IN_MODIFY) >= 0);
    for (;;) {
        struct pollfd look[2] = {{.fd = notify, .events = POLLIN}, {.fd = p->fd, .events = POLLIN}};
        process_read(path, said);
        if (strstr(said, text))
            break;
        if (poll(look, 2, PATIENCE_MS) <= 0 || look[1].revents)
            fail_msg("a process that should say \"%s\" ended or hangs: %s", text, said);
        while (read(notify, events, sizeof events) > 0)
            ;
    }
    close(notify);
}

unsigned long process_ticks(const struct process *p)
{
    char path[64], text[1024];
    unsigned long user = 0, system = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)p->pid);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    text[fread(text, 1, sizeof text - 1, f)] = '\0';
    fclose(f);
    const char *rest = strrchr(text, ')'); /* what stands before may hold spaces */
    assert_non_null(rest);
    assert_int_equal(
        sscanf(rest, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system), 2);
    return user + system;
}

unsigned long process_wakeups(const struct process *p)
{
    char path[64], line[160];
    unsigned long all = 0, one;
    struct dirent *task;
    snprintf(path, sizeof path, "/proc/%d/task", (int)p->pid);
    DIR *tasks = opendir(path);
    assert_non_null(tasks);
    while ((task = readdir(tasks))) {
        if (task->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "/proc/%d/task/%.16s/status", (int)p->pid, task->d_name);
        FILE *f = fopen(path, "r");
        while (f && fgets(line, sizeof line, f))
            if (sscanf(line, "voluntary_ctxt_switches: %lu", &one) == 1)
                all += one;
        if (f)
            fclose(f);
    }
    closedir(tasks);
    return all;
}
