/* Frames with their length before them. */
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "far.h"
#include "measure.h"
#include "world.h"

static void put_frame(FILE *f, struct span s)
{
    uint32_t len = (uint32_t)s.len;
    MUST_BE(fwrite(&len, sizeof len, 1, f) == 1 && fwrite(s.p, 1, s.len, f) == s.len);
    MUST_BE(fflush(f) == 0);
}

static bool get_frame(FILE *f, struct buf *out)
{
    uint32_t len;
    buf_clear(out);
    if (fread(&len, sizeof len, 1, f) != 1)
        return false;
    MUST_BE(buf_reserve(out, len));
    out->len = len;
    return fread(out->p, 1, len, f) == len;
}

/* The server as a process: frames in, replies out; an empty frame asks for its memory. */
int far_serve(const char *path)
{
    struct registry *r;
    struct server_keys keys;
    struct buf in;
    char text[160];
    kinds_init();
    buf_init(&in, FRAME_BYTES_MAX);
    (void)snprintf(text, sizeof text, "%s.keys", path);
    MUST(keys_load(text, &keys, &err));
    MUST(registry_open(path, false, env_system(), NULL, &r, &err));
    while (get_frame(stdin, &in)) {
        struct job job = {.frame = buf_span(&in)};
        if (in.len > 0) {
            exchange_batch(r, &keys, &job, 1);
            put_frame(stdout, buf_span(&job.reply));
            buf_fini(&job.reply);
            continue;
        }
        int cache = 0, high = 0;
        (void)sqlite3_db_status(r->db, SQLITE_DBSTATUS_CACHE_USED, &cache, &high, 0);
        (void)snprintf(text, sizeof text, "%ld", measure_status_kib("VmHWM") - cache / 1024);
        put_frame(stdout, span_str(text));
    }
    registry_close(r);
    buf_fini(&in);
    return 0;
}

static enum ocop_status far_connect(struct link *l, int timeout_ms, const atomic_bool *cancel,
                                    struct ocop_error *err)
{
    (void)l, (void)timeout_ms, (void)cancel, (void)err;
    return OCOP_OK;
}

static enum ocop_status far_exchange(struct link *l, struct span request, int timeout_ms,
                                     const atomic_bool *cancel, struct buf *reply,
                                     struct ocop_error *err)
{
    struct far *f = (struct far *)l;
    (void)timeout_ms, (void)cancel;
    put_frame(f->to, request);
    return get_frame(f->from, reply) ? OCOP_OK : err_set(err, OCOP_ENET, "the server has ended");
}

static void far_forget(struct link *l)
{
    (void)l;
}

void far_open(struct far *f, const char *path)
{
    int to[2], from[2];
    f->link = (struct link){far_connect, far_exchange, far_forget};
    MUST_BE(pipe(to) == 0 && pipe(from) == 0);
    pid_t child = fork();
    MUST_BE(child >= 0);
    if (child == 0) {
        (void)dup2(to[0], 0);
        (void)dup2(from[1], 1);
        (void)close(to[1]);
        (void)close(from[0]);
        (void)execl("/proc/self/exe", "bench_all", "--serve", path, (char *)NULL);
        _exit(1);
    }
    (void)close(to[0]);
    (void)close(from[1]);
    f->to = fdopen(to[1], "w");
    f->from = fdopen(from[0], "r");
    MUST_BE(f->to && f->from);
}

long far_memory_kib(struct far *f)
{
    struct buf answer;
    buf_init(&answer, KIB(4));
    put_frame(f->to, span_of("", 0));
    MUST_BE(get_frame(f->from, &answer));
    long kib = strtol(buf_cstr(&answer), NULL, 10);
    buf_fini(&answer);
    return kib;
}

void far_close(struct far *f)
{
    (void)fclose(f->to);
    (void)fclose(f->from);
}
