/* A photo over a long, lossy line, up and down, with what the line lets through beside it: its
 * rate, and what one plain connection gets of that. */
#include <arpa/inet.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "far.h"
#include "line.h"
#include "measure.h"
#include "world.h"

enum { PHOTO_BYTES = 2 << 20, LINE_BYTES_PER_S = 128 << 10, FAR_MS = 150 };

/* 300 ms there and back, one segment in twenty lost and sent again a round trip later. */
static const struct line_options far_and_bad = {.bytes_per_s = LINE_BYTES_PER_S,
                                                .shared = true,
                                                .delay_ms = FAR_MS,
                                                .loss_percent = 5,
                                                .stall_ms = 2 * FAR_MS,
                                                .seed = 5};
static const struct line_options perfect = {.seed = 5};

static uint8_t photo[PHOTO_BYTES];

/* --- one plain connection --------------------------------------------------------------------- */

static void *swallow(void *self)
{
    const int listener = *(const int *)self;
    static uint8_t bytes[65536];
    size_t all = 0;
    int fd = accept(listener, NULL, NULL);
    MUST_BE(fd >= 0);
    while (all < PHOTO_BYTES) {
        ssize_t n = recv(fd, bytes, sizeof bytes, 0);
        MUST_BE(n > 0);
        all += (size_t)n;
    }
    MUST_BE(send(fd, "!", 1, MSG_NOSIGNAL) == 1);
    while (recv(fd, bytes, sizeof bytes, 0) > 0) /* until that has arrived */
        ;
    (void)close(fd);
    return NULL;
}

static struct sockaddr_in local(int port)
{
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                .sin_port = htons((uint16_t)port)};
}

/* Seconds until the other end has it all and says so. */
static double plain_upload(void)
{
    struct sockaddr_in a = local(0);
    socklen_t len = sizeof a;
    pthread_t thread;
    char answer;
    int listener = socket(AF_INET, SOCK_STREAM, 0), fd = socket(AF_INET, SOCK_STREAM, 0);
    MUST_BE(listener >= 0 && fd >= 0 && bind(listener, (struct sockaddr *)&a, sizeof a) == 0 &&
            listen(listener, 1) == 0 && getsockname(listener, (struct sockaddr *)&a, &len) == 0);
    struct line *line = line_open(ntohs(a.sin_port), &far_and_bad);
    MUST_BE(pthread_create(&thread, NULL, swallow, &listener) == 0);
    a = local(atoi(strrchr(line_address(line), ':') + 1));
    double start = measure_wall_s();
    MUST_BE(connect(fd, (struct sockaddr *)&a, sizeof a) == 0);
    for (size_t at = 0; at < PHOTO_BYTES;) {
        ssize_t n = send(fd, photo + at, PHOTO_BYTES - at, MSG_NOSIGNAL);
        MUST_BE(n > 0);
        at += (size_t)n;
    }
    MUST_BE(recv(fd, &answer, 1, 0) == 1);
    double took = measure_wall_s() - start;
    (void)close(fd);
    MUST_BE(pthread_join(thread, NULL) == 0);
    (void)close(listener);
    line_close(line);
    return took;
}

/* --- contents --------------------------------------------------------------------------------- */

static struct ocop_sync_summary sync(struct ocop_store *s)
{
    struct ocop_sync_summary sum;
    MUST(ocop_sync(s, NULL, &sum, &err));
    return sum;
}

/* The newest inspection of a store. */
static struct ocop_id some_record(struct ocop_store *s)
{
    struct ocop_query q = {.kind = "inspection", .limit = 1};
    struct ocop_list *list;
    MUST(ocop_find(s, &q, &list, &err));
    MUST_BE(list->count == 1);
    struct ocop_id id = list->items[0].id;
    ocop_list_free(list);
    return id;
}

static double timed_sync(struct ocop_store *s, struct line *line, unsigned *sent,
                         unsigned *received)
{
    line_set(line, &far_and_bad);
    double start = measure_wall_s();
    struct ocop_sync_summary sum = sync(s);
    double took = measure_wall_s() - start;
    line_set(line, &perfect);
    *sent = sum.files_sent;
    *received = sum.files_received;
    return took;
}

void measure_files(struct world *w)
{
    struct far far;
    struct area area = {0};
    struct ocop_attachment a = {.bytes = photo, .len = PHOTO_BYTES, .role = "photo"};
    struct ocop_id id;
    uint64_t noise = 7; /* that no zlib makes smaller */
    unsigned sent, received;
    for (size_t i = 0; i < PHOTO_BYTES; i++)
        photo[i] = (uint8_t)((noise = noise * 6364136223846793005u + 1442695040888963407u) >> 56);
    memcpy(photo, "\xff\xd8\xff", 3);
    far_open(&far, w->path, BATCH_REQUESTS_MAX, BENCH_WORKERS);
    struct line *line = line_open(far.port, &perfect);
    struct ocop_store *maker = world_store(w, "files-1.ocop", &w->units[0], 1, line_address(line));
    struct ocop_store *other = world_store(w, "files-2.ocop", &w->units[0], 1, line_address(line));
    (void)sync(maker);
    (void)world_submit(w, maker, &area, 8, false);
    (void)sync(maker);
    struct ocop_id record = some_record(maker);
    MUST(ocop_attach(maker, &record, &a, &id, &err));
    double up = timed_sync(maker, line, &sent, &received);
    MUST_BE(sent == 1);
    (void)sync(other);
    MUST(ocop_fetch(other, &id, &err));
    double down = timed_sync(other, line, &sent, &received);
    MUST_BE(received == 1);
    ocop_close(maker);
    ocop_close(other);
    line_close(line);
    (void)far_close(&far);
    measure_line("file_line_bytes_per_s", LINE_BYTES_PER_S,
                 "bytes/s each way: the line, 300 ms there and back, 5 % lost", 0);
    measure_line("file_plain_ratio", PHOTO_BYTES / plain_upload() / LINE_BYTES_PER_S,
                 "of the line, by one plain connection up", 0);
    measure_line("file_up_ratio", PHOTO_BYTES / up / LINE_BYTES_PER_S,
                 "of the line, a photo of 2 MiB up, its record and all else counted", -0.7);
    measure_line("file_down_ratio", PHOTO_BYTES / down / LINE_BYTES_PER_S,
                 "of the line, the same photo down", -0.7);
}
