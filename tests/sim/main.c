/* The simulator's command line: seeds in parallel processes, and a failing run made short.
 *
 *     sim [--first=N] [--seeds=N] [--jobs=N]           many
 *     sim --seed=N [--trace] [--skip=A-B,C] [--without=net,crash,...]   one, again
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "sim.h"

enum { JOBS_MAX = 64, TEXT_MAX = 1800, RUN_SECONDS_MAX = 120 };
enum { FIGURES = sizeof(struct sim_figures) / sizeof(uint64_t) };

static const struct {
    const char *name;
    unsigned fault;
} fault_names[] = {{"net", FAULT_NET},     {"crash", FAULT_CRASH},     {"power", FAULT_POWER},
                   {"disk", FAULT_DISK},   {"clock", FAULT_CLOCK},     {"copy", FAULT_COPY},
                   {"scope", FAULT_SCOPE}, {"restore", FAULT_RESTORE}, {"revoke", FAULT_REVOKE}};
enum { FAULT_NAMES = sizeof fault_names / sizeof *fault_names };

/* --- one run in a process of its own ------------------------------------------------------------
 */

/* How a run ended: "" well, else what it told. */
struct ending {
    char text[TEXT_MAX];
};

/* The first words of a failure: which promise broke. */
static void class_of(const char *text, char out[64])
{
    unsigned long long seed;
    if (sscanf(text, "F %llu %60s", &seed, out) != 2)
        snprintf(out, 64, "crashed");
}

static void run_apart(const struct sim_options *options, struct ending *out)
{
    int fd[2], status = 0;
    size_t len = 0;
    ssize_t n;
    out->text[0] = 0;
    CHECK(pipe(fd) == 0);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        struct sim_figures sum = {0};
        struct sim_options mine = *options;
        close(fd[0]);
        alarm(RUN_SECONDS_MAX);
        mine.report = fd[1];
        if (!mine.trace && !freopen("/dev/null", "w", stderr))
            _exit(4);
        sim_run(&mine, &sum);
        _exit(0);
    }
    close(fd[1]);
    while ((n = read(fd[0], out->text + len, TEXT_MAX - 1 - len)) > 0)
        len += (size_t)n;
    out->text[len] = 0;
    close(fd[0]);
    CHECK(waitpid(pid, &status, 0) == pid);
    if (status != 0 && len == 0)
        snprintf(out->text, TEXT_MAX, "F %llu crashed: the process ended with %s %d",
                 (unsigned long long)options->seed, WIFSIGNALED(status) ? "signal" : "status",
                 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}

/* --- making a failing run short ------------------------------------------------------------------
 */

struct shrinking {
    struct sim_options options;
    uint8_t skip[SIM_STEPS_MAX];
    unsigned steps;
    char class[64];
    struct ending ending;
    unsigned runs;
};

static bool still_fails(struct shrinking *h, const struct sim_options *options)
{
    struct ending e;
    char class[64];
    h->runs++;
    run_apart(options, &e);
    if (!e.text[0])
        return false;
    class_of(e.text, class);
    if (strcmp(class, h->class) != 0)
        return false;
    h->ending = e;
    return true;
}

static void shrink_faults(struct shrinking *h)
{
    for (unsigned i = 0; i < FAULT_NAMES; i++) {
        struct sim_options fewer = h->options;
        fewer.without |= fault_names[i].fault;
        if (still_fails(h, &fewer))
            h->options = fewer;
    }
}

/* Leave out runs of steps, long ones first. */
static void shrink_steps(struct shrinking *h)
{
    enum { RUNS_MAX = 600 };
    for (unsigned size = h->steps / 2 ? h->steps / 2 : 1;; size /= 2) {
        for (unsigned from = 1; from <= h->steps && h->runs < RUNS_MAX; from += size) {
            uint8_t before[SIM_STEPS_MAX];
            bool any = false;
            memcpy(before, h->skip, sizeof before);
            for (unsigned i = from; i < from + size && i <= h->steps; i++) {
                any = any || !h->skip[i];
                h->skip[i] = 1;
            }
            if (any && !still_fails(h, &h->options))
                memcpy(h->skip, before, sizeof before);
        }
        if (size == 1)
            break;
    }
}

static void print_command(const char *program, const struct sim_options *o, unsigned steps)
{
    const char *apart = "";
    printf("  replay: %s --seed=%llu --trace", program, (unsigned long long)o->seed);
    if (o->without)
        printf(" --without=");
    for (unsigned i = 0; i < FAULT_NAMES; i++)
        if (o->without & fault_names[i].fault) {
            printf("%s%s", apart, fault_names[i].name);
            apart = ",";
        }
    apart = "";
    for (unsigned from = 1; o->skip && from <= steps; from++) {
        unsigned to = from;
        if (!o->skip[from])
            continue;
        while (to < steps && o->skip[to + 1])
            to++;
        printf("%s%u-%u", *apart ? apart : " --skip=", from, to);
        apart = ",";
        from = to;
    }
    printf("\n");
}

static void shrink(const char *program, const struct sim_options *options, const char *text)
{
    struct shrinking h = {.options = *options, .steps = 220};
    class_of(text, h.class);
    snprintf(h.ending.text, TEXT_MAX, "%s", text);
    h.options.skip = h.skip;
    if (!still_fails(&h, &h.options)) {
        printf("  it does not fail when it runs alone\n");
        return;
    }
    shrink_faults(&h);
    shrink_steps(&h);
    shrink_faults(&h);
    unsigned left = 0;
    for (unsigned i = 1; i <= h.steps; i++)
        left += !h.skip[i];
    printf("  short, after %u runs, with %u steps: %s", h.runs, left, h.ending.text + 2);
    print_command(program, &h.options, h.steps);
    fflush(stdout);
}

/* --- many runs ----------------------------------------------------------------------------------
 */

struct worker {
    pid_t pid;
    int fd;
    uint64_t at, end; /* the seed it runs, the first that is not its own */
    char text[TEXT_MAX * 2];
    size_t len;
};

struct many {
    const char *program;
    struct sim_options options;
    uint64_t next, end;
    struct range {
        uint64_t from, to;
    } left[JOBS_MAX]; /* of workers that failed */
    unsigned left_count, jobs;
    struct worker workers[JOBS_MAX];
    struct sim_figures sum;
    unsigned failures, failures_max;
    bool short_runs;
};

/* Seeds `from` to `to` less one; two lines for each. */
static void work(struct many *m, int fd, uint64_t from, uint64_t to)
{
    for (uint64_t seed = from; seed < to; seed++) {
        struct sim_figures f = {0};
        struct sim_options o = m->options;
        o.seed = seed;
        o.report = fd;
        dprintf(fd, "B %llu\n", (unsigned long long)seed);
        alarm(RUN_SECONDS_MAX);
        sim_run(&o, &f);
        char told[FIGURES * 24] = "E";
        uint64_t v[FIGURES];
        memcpy(v, &f, sizeof v);
        for (size_t i = 0, len = 1; i < FIGURES; i++)
            len +=
                (size_t)snprintf(told + len, sizeof told - len, " %llu", (unsigned long long)v[i]);
        dprintf(fd, "%s\n", told);
    }
}

static void worker_start(struct many *m, struct worker *w)
{
    enum { CHUNK = 20 };
    int fd[2];
    struct range r = {m->next, m->end - m->next < CHUNK ? m->end : m->next + CHUNK};
    if (m->left_count > 0)
        r = m->left[--m->left_count];
    else
        m->next = r.to;
    if (r.from == r.to)
        return;
    fflush(stdout);
    CHECK(pipe(fd) == 0);
    w->pid = fork();
    CHECK(w->pid >= 0);
    if (w->pid == 0) {
        for (unsigned i = 0; i < m->jobs; i++)
            if (m->workers[i].fd > 0)
                close(m->workers[i].fd);
        close(fd[0]);
        work(m, fd[1], r.from, r.to);
        close(fd[1]);
        exit(0); /* not _exit: the leak check of the sanitizer runs at exit */
    }
    close(fd[1]);
    w->fd = fd[0];
    w->len = 0;
    w->at = r.from;
    w->end = r.to;
}

static void failed(struct many *m, uint64_t seed, const char *text)
{
    struct sim_options o = m->options;
    o.seed = seed;
    printf("FAILED seed %llu: %s%s", (unsigned long long)seed, text,
           strchr(text, '\n') ? "" : "\n");
    print_command(m->program, &o, 0);
    fflush(stdout);
    m->failures++;
    if (m->short_runs && m->failures <= 3)
        shrink(m->program, &o, text);
}

static void line_taken(struct many *m, struct worker *w, const char *line)
{
    uint64_t sum[FIGURES];
    char *at;
    if (line[0] == 'B')
        w->at = strtoull(line + 1, NULL, 10);
    if (line[0] != 'E')
        return;
    memcpy(sum, &m->sum, sizeof sum);
    at = (char *)(uintptr_t)line + 1;
    for (size_t i = 0; i < FIGURES; i++)
        sum[i] += strtoull(at, &at, 10);
    memcpy(&m->sum, sum, sizeof sum);
}

/* The worker is gone: what was left of its seeds goes to others. */
static void worker_ended(struct many *m, struct worker *w, const char *told)
{
    int status = 0;
    char text[TEXT_MAX];
    close(w->fd);
    w->fd = 0;
    CHECK(waitpid(w->pid, &status, 0) == w->pid);
    if (status == 0)
        return;
    if (*told)
        snprintf(text, sizeof text, "%s", told);
    else
        snprintf(text, sizeof text, "F %llu crashed: the process ended with %s %d\n",
                 (unsigned long long)w->at, WIFSIGNALED(status) ? "signal" : "status",
                 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    if (w->at + 1 < w->end)
        m->left[m->left_count++] = (struct range){w->at + 1, w->end};
    failed(m, w->at, text);
}

static void worker_read(struct many *m, struct worker *w)
{
    char told[TEXT_MAX] = "", *end;
    ssize_t n = read(w->fd, w->text + w->len, sizeof w->text - 1 - w->len);
    if (n > 0)
        w->len += (size_t)n;
    w->text[w->len] = 0;
    while ((end = strchr(w->text, '\n')) != NULL) {
        *end = 0;
        if (w->text[0] == 'F')
            snprintf(told, sizeof told, "%.*s\n", TEXT_MAX - 2, w->text);
        else
            line_taken(m, w, w->text);
        w->len -= (size_t)(end + 1 - w->text);
        memmove(w->text, end + 1, w->len + 1);
    }
    if (told[0]) /* its end follows; what it told must not get lost between two reads */
        while (read(w->fd, w->text, sizeof w->text) > 0)
            ;
    if (n <= 0 || told[0])
        worker_ended(m, w, told);
}

static unsigned running(const struct many *m)
{
    unsigned n = 0;
    for (unsigned i = 0; i < m->jobs; i++)
        n += m->workers[i].fd > 0;
    return n;
}

static int run_many(struct many *m)
{
    struct timespec begin, end;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    for (;;) {
        struct pollfd fds[JOBS_MAX];
        unsigned count = 0, which[JOBS_MAX];
        for (unsigned i = 0; i < m->jobs && m->failures < m->failures_max; i++)
            if (m->workers[i].fd == 0)
                worker_start(m, &m->workers[i]);
        if (running(m) == 0)
            break;
        for (unsigned i = 0; i < m->jobs; i++)
            if (m->workers[i].fd > 0) {
                which[count] = i;
                fds[count++] = (struct pollfd){.fd = m->workers[i].fd, .events = POLLIN};
            }
        CHECK(poll(fds, count, -1) > 0 || errno == EINTR);
        for (unsigned i = 0; i < count; i++)
            if (fds[i].revents)
                worker_read(m, &m->workers[which[i]]);
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    double minutes =
        ((double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9) / 60;
    const struct sim_figures *f = &m->sum;
    printf("sim: %llu seeds, %u failed, %.0f s; a minute covers %.1f years, %.0f exchanges, "
           "%.0f changes, %.0f crashes, %.0f cases, %.0f forks, %.0f restores; in all %llu scopes "
           "changed, %llu devices revoked, %llu suspended or resumed, %llu to be wiped, %llu "
           "changes of "
           "devices' keys, %llu of the registry's, %llu things from newer programs, "
           "%llu files attached, %llu fetched, %llu claimed, %llu dropped by the office, %llu "
           "spoiled, %llu mended, %llu thumbnails made, %llu held, %llu roots replaced\n",
           (unsigned long long)f->seeds, m->failures, minutes * 60,
           (double)f->ms / 31557600e3 / minutes, (double)f->exchanges / minutes,
           (double)f->changes / minutes, (double)f->crashes / minutes, (double)f->cases / minutes,
           (double)f->forks / minutes, (double)f->restores / minutes, (unsigned long long)f->scopes,
           (unsigned long long)f->revoked, (unsigned long long)f->suspended,
           (unsigned long long)f->wiped, (unsigned long long)f->rekeyed,
           (unsigned long long)f->rotated, (unsigned long long)f->strange,
           (unsigned long long)f->attached, (unsigned long long)f->fetched,
           (unsigned long long)f->claimed, (unsigned long long)f->dropped,
           (unsigned long long)f->spoiled, (unsigned long long)f->mended,
           (unsigned long long)f->thumbs, (unsigned long long)f->thumbs_held,
           (unsigned long long)f->roots);
    return m->failures || f->seeds == 0 ? 1 : 0;
}

/* --- options ------------------------------------------------------------------------------------
 */

static void skip_read(const char *text, uint8_t *skip)
{
    while (*text) {
        char *end;
        unsigned long from = strtoul(text, &end, 10), to = from;
        if (*end == '-')
            to = strtoul(end + 1, &end, 10);
        for (unsigned long i = from; i <= to && i < SIM_STEPS_MAX; i++)
            skip[i] = 1;
        text = *end == ',' ? end + 1 : end + strlen(end);
    }
}

static unsigned faults_read(const char *text)
{
    unsigned out = 0;
    for (unsigned i = 0; i < FAULT_NAMES; i++)
        if (strstr(text, fault_names[i].name))
            out |= fault_names[i].fault;
    return out;
}

static const char *value(const char *arg, const char *name)
{
    size_t len = strlen(name);
    return strncmp(arg, name, len) == 0 ? arg + len : NULL;
}

int main(int argc, char **argv)
{
    static uint8_t skip[SIM_STEPS_MAX];
    static struct many m;
    uint64_t seed = 0, first = 1, seeds = 300;
    bool one = false;
    const char *v;
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    memory_install();
    m.program = argv[0];
    m.jobs = cores > 0 && cores < JOBS_MAX ? (unsigned)cores : 1;
    m.failures_max = 1;
    m.short_runs = true;
    m.options.report = STDOUT_FILENO;
    for (int i = 1; i < argc; i++) {
        if ((v = value(argv[i], "--seed=")) != NULL) {
            seed = strtoull(v, NULL, 10);
            one = true;
        } else if ((v = value(argv[i], "--first=")) != NULL) {
            first = strtoull(v, NULL, 10);
        } else if ((v = value(argv[i], "--seeds=")) != NULL) {
            seeds = strtoull(v, NULL, 10);
        } else if ((v = value(argv[i], "--jobs=")) != NULL) {
            m.jobs = (unsigned)strtoul(v, NULL, 10);
        } else if ((v = value(argv[i], "--steps=")) != NULL) {
            m.options.steps = (unsigned)strtoul(v, NULL, 10);
        } else if ((v = value(argv[i], "--failures=")) != NULL) {
            m.failures_max = (unsigned)strtoul(v, NULL, 10);
        } else if ((v = value(argv[i], "--skip=")) != NULL) {
            skip_read(v, skip);
            m.options.skip = skip;
        } else if ((v = value(argv[i], "--without=")) != NULL) {
            m.options.without |= faults_read(v);
        } else if (strcmp(argv[i], "--trace") == 0) {
            m.options.trace = true;
        } else if (strcmp(argv[i], "--long") == 0) {
            m.short_runs = false;
        } else {
            fprintf(stderr, "%s: unknown option %s\n", argv[0], argv[i]);
            return 2;
        }
    }
    templates_make();
    if (m.jobs < 1 || m.jobs > JOBS_MAX)
        m.jobs = 1;
    if (one) {
        m.options.seed = seed;
        sim_run(&m.options, &m.sum);
        printf("seed %llu: all is well\n", (unsigned long long)seed);
        return 0;
    }
    m.next = first;
    m.end = first + seeds;
    return run_many(&m);
}
