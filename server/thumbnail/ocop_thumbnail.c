/* ocop-thumbnail: a JPEG or PNG at stdin becomes a small JPEG at stdout. It decodes what anybody
 * may have sent, so before it reads the first byte it gives up all that a process may do: it can
 * read, write and end (seccomp's strict mode), and has little memory and time. Whatever comes over
 * it, that is all it can do. ocopd starts it (server/thumbs.c) and believes nothing of it but that
 * it made a file of some bytes.
 *
 * For glibc: its heap is made before, and malloc asks for nothing more. */
#define _GNU_SOURCE
#include <grp.h>
#include <linux/seccomp.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bounds.h"
#include "picture.h"
#include "png_rows.h"
#include "thumbnail.h"

enum {
    HEAP_BYTES = 24 << 20, /* more than any picture takes that is decoded */
    MEMORY_BYTES = 96 << 20,
    CPU_SECONDS = 10,
    NOBODY = 65534,
    FIRST_BYTES_MAX = 256 << 10 /* of a thumbnail before it is made small enough */
};

/* --- giving up ------------------------------------------------------------------------------- */

static bool limit(__rlimit_resource_t what, rlim_t most)
{
    return setrlimit(what, &(struct rlimit){most, most}) == 0;
}

/* All of the heap at once, and none of it given back or mapped apart. */
static bool make_heap(void)
{
    static const int settings[][2] = {
        {M_MMAP_MAX, 0}, {M_TRIM_THRESHOLD, 2 * HEAP_BYTES}, {M_TOP_PAD, HEAP_BYTES}};
    void *all;

    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
        /* NOLINTNEXTLINE(concurrency-mt-unsafe): there is one thread */
        if (!mallopt(settings[i][0], settings[i][1]))
            return false;
    all = malloc(HEAP_BYTES);
    free(all);
    return all != NULL;
}

static bool drop_root(void)
{
    if (geteuid() != 0)
        return true;
    return setgroups(0, NULL) == 0 && setresgid(NOBODY, NOBODY, NOBODY) == 0 &&
           setresuid(NOBODY, NOBODY, NOBODY) == 0;
}

static bool give_up(void)
{
    if (syscall(SYS_close_range, 3u, ~0u, 0u) != 0)
        for (int fd = 3; fd < 4096; fd++)
            (void)close(fd);
    return drop_root() && limit(RLIMIT_CORE, 0) && limit(RLIMIT_NOFILE, 0) &&
           limit(RLIMIT_NPROC, 0) && limit(RLIMIT_FSIZE, THUMBNAIL_BYTES_MAX) &&
           limit(RLIMIT_AS, MEMORY_BYTES) && limit(RLIMIT_CPU, CPU_SECONDS) &&
           prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) == 0;
}

/* exit_group is given up too. */
static _Noreturn void end(enum thumbnail_exit code)
{
    for (;;)
        (void)syscall(SYS_exit, code);
}

/* --- pictures -------------------------------------------------------------------------------- */

/* `self`: what was read before, given once. */
static enum ocop_status from_stdin(void *self, struct span *part, struct ocop_error *err)
{
    static uint8_t block[64 * 1024];
    struct span *first = self;
    ssize_t n;

    *part = *first;
    *first = span_of(NULL, 0);
    if (part->len > 0)
        return OCOP_OK;
    n = read(STDIN_FILENO, block, sizeof block);
    if (n < 0)
        return err_set(err, OCOP_EIO, "reading");
    *part = span_of(block, (size_t)n);
    return OCOP_OK;
}

struct room {
    uint8_t bytes[FIRST_BYTES_MAX];
    size_t len, at;
};

static enum ocop_status from_room(void *self, struct span *part, struct ocop_error *err)
{
    struct room *r = self;

    (void)err;
    *part = span_of(r->bytes + r->at, r->len - r->at);
    r->at = r->len;
    return OCOP_OK;
}

static enum ocop_status to_room(void *self, struct span bytes, struct ocop_error *err)
{
    struct room *r = self;

    if (bytes.len > sizeof r->bytes - r->len)
        return err_set(err, OCOP_ELIMIT, "too large");
    memcpy(r->bytes + r->len, bytes.p, bytes.len);
    r->len += bytes.len;
    return OCOP_OK;
}

static enum ocop_status first_of_all(const struct picture_want *want, const struct picture_out *out,
                                     struct picture_done *done)
{
    static const uint8_t png[PNG_SIGNATURE_LEN] = "\x89PNG\r\n\x1a\n";
    struct span first = {NULL, 0};
    struct picture_in in = {&first, from_stdin};
    struct picture_rows rows;
    enum ocop_status st = from_stdin(&first, &first, NULL);

    if (st)
        return st;
    if (first.len < sizeof png || memcmp(first.p, png, sizeof png) != 0)
        return picture_scale(&in, out, want, done, NULL);
    st = png_rows_begin(&in, &rows);
    return st ? st : picture_scale_rows(&rows, out, want, done, NULL);
}

/* Each smaller than the one before, so that it fits in the end, were it nothing but noise. The
 * profile of its colours goes first: it may be larger than all that is left for the picture. */
static enum thumbnail_exit make(void)
{
    static const struct picture_want wants[] = {{THUMBNAIL_SIDE, 70, true, false},
                                                {THUMBNAIL_SIDE, 70, true, true},
                                                {192, 50, true, true},
                                                {128, 30, true, true},
                                                {64, 10, true, true}};
    static struct room rooms[2];
    struct picture_done done;
    const struct room *out = NULL;

    for (size_t i = 0; i < sizeof wants / sizeof *wants; i++) {
        struct room *from = &rooms[(i + 1) % 2], *to = &rooms[i % 2];
        const struct picture_in in = {from, from_room};
        const struct picture_out into = {to, to_room};
        from->at = to->len = 0;
        enum ocop_status st = i ? picture_scale(&in, &into, &wants[i], &done, NULL)
                                : first_of_all(&wants[i], &into, &done);
        if (st == OCOP_EIO || st == OCOP_ENOMEM)
            return THUMBNAIL_LATER;
        if (st || done.state != PICTURE_MADE)
            return THUMBNAIL_ODD;
        out = to;
        if (to->len <= THUMBNAIL_BYTES_MAX)
            break;
    }
    if (out->len > THUMBNAIL_BYTES_MAX)
        return THUMBNAIL_ODD;
    return write(STDOUT_FILENO, out->bytes, out->len) == (ssize_t)out->len ? THUMBNAIL_MADE
                                                                           : THUMBNAIL_LATER;
}

int main(void)
{
    if (!make_heap())
        _exit(THUMBNAIL_LATER);
    if (!give_up())
        _exit(THUMBNAIL_FREE);
    end(make());
}
