/* Starts the server and reads its last words. The only file of the bench that forks. */
#include "far.h"

#include <arpa/inet.h>
#include <signal.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "measure.h"
#include "serve.h"
#include "world.h"

/* --- the other process --- */

static volatile sig_atomic_t stop;

static void on_term(int number)
{
    (void)number;
    stop = 1;
}

static int on_commit(void *self)
{
    ++*(uint64_t *)self;
    return 0;
}

static void say_ready(void *self, const char *address)
{
    (void)address;
    *(double *)self = measure_clock_s(CLOCK_PROCESS_CPUTIME_ID);
    (void)printf("ready\n");
    (void)fflush(stdout);
}

int far_serve(char **argv)
{
    struct registry *r;
    struct server_keys keys;
    struct sigaction end = {.sa_handler = on_term};
    struct serve_options options = {.listen = {argv[1]},
                                    .batch_max = (int)strtol(argv[2], NULL, 10),
                                    .workers = (int)strtol(argv[3], NULL, 10),
                                    .ready = say_ready};
    char path[160];
    uint64_t commits = 0;
    int cache = 0, high = 0;
    double start_s = 0;
    options.self = &start_s;
    MUST_BE(sigaction(SIGTERM, &end, NULL) == 0);
    (void)snprintf(path, sizeof path, "%s.keys", argv[0]);
    MUST(keys_load(path, &keys, &err));
    MUST(registry_open(argv[0], false, env_system(), NULL, &r, &err));
    (void)sqlite3_commit_hook(r->db, on_commit, &commits);
    MUST(serve(r, &keys, &options, &stop, &err));
    (void)sqlite3_db_status(r->db, SQLITE_DBSTATUS_CACHE_USED, &cache, &high, 0);
    (void)printf("%llu %.6f %ld\n", (unsigned long long)commits,
                 measure_clock_s(CLOCK_PROCESS_CPUTIME_ID) - start_s,
                 measure_status_kib("VmHWM") - cache / 1024);
    registry_close(r);
    keys_wipe(&keys);
    return 0;
}

/* --- this one --- */

/* A port that is free now. */
static int free_port(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    MUST_BE(fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof a) == 0);
    MUST_BE(getsockname(fd, (struct sockaddr *)&a, &len) == 0);
    (void)close(fd);
    return ntohs(a.sin_port);
}

void far_open(struct far *f, const char *path, int batch, int workers)
{
    int from[2];
    char line[16], batches[12], threads[12];
    f->port = free_port();
    (void)snprintf(f->address, sizeof f->address, "tcp://127.0.0.1:%d", f->port);
    (void)snprintf(batches, sizeof batches, "%d", batch);
    (void)snprintf(threads, sizeof threads, "%d", workers);
    MUST_BE(pipe(from) == 0);
    f->pid = fork();
    MUST_BE(f->pid >= 0);
    if (f->pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGTERM); /* it must not outlive a bench that failed */
        (void)dup2(from[1], 1);
        (void)close(from[0]);
        (void)close(from[1]);
        (void)execl("/proc/self/exe", "bench_all", "--serve", path, f->address, batches, threads,
                    (char *)NULL);
        _exit(1);
    }
    (void)close(from[1]);
    f->report = fdopen(from[0], "r");
    MUST_BE(f->report && fgets(line, sizeof line, f->report));
}

struct far_report far_close(struct far *f)
{
    struct far_report out;
    unsigned long long commits;
    int status = 0;
    MUST_BE(kill(f->pid, SIGTERM) == 0);
    MUST_BE(fscanf(f->report, "%llu %lf %ld", &commits, &out.cpu_s, &out.rss_kib) == 3);
    (void)fclose(f->report);
    MUST_BE(waitpid(f->pid, &status, 0) == f->pid && status == 0);
    out.commits = commits;
    return out;
}
