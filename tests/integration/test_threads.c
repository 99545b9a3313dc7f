/* Where threads meet: a store that several threads use while one of them syncs, and the socket loop
 * with clients of its own. ThreadSanitizer runs this and looks for races; without it the tests
 * still ask that nothing is lost and that nobody waits for ever. */
#include "test.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bounds.h"
#include "port.h"
#include "records.pb-c.h"
#include "serve.h"
#include "world.h"

enum { RECORDS = 24, SYNCS = 12, LOOKS = 60, CLIENTS = 4, ROUNDS = 5 };

/* --- one store, several threads --------------------------------------------------------------- */

struct party {
    struct ocop_store *store;
    enum ocop_status status; /* of the thread's last call; read after it was joined */
};

static void *sync_on(void *self)
{
    struct party *p = self;
    for (int i = 0; i < SYNCS && p->status == OCOP_OK; i++)
        p->status = ocop_sync(p->store, NULL, NULL, NULL);
    return NULL;
}

static void *look_on(void *self)
{
    static const struct ocop_query query = {.kind = "inspection", .text = "duc lap"};
    struct party *p = self;
    for (int i = 0; i < LOOKS && p->status == OCOP_OK; i++) {
        struct ocop_list *list = NULL;
        struct ocop_store_status s;
        p->status = ocop_find(p->store, &query, &list, NULL);
        ocop_list_free(list);
        if (p->status == OCOP_OK)
            p->status = ocop_store_status(p->store, &s, NULL);
    }
    return NULL;
}

static void recording_and_reading_go_on_while_another_thread_syncs(void **state)
{
    struct world *w = *state;
    struct party syncing = {.store = w->stores[0]}, looking = {.store = w->stores[0]};
    pthread_t threads[2];
    struct ocop_store_status s;

    assert_int_equal(pthread_create(&threads[0], NULL, sync_on, &syncing), 0);
    assert_int_equal(pthread_create(&threads[1], NULL, look_on, &looking), 0);
    for (int i = 0; i < RECORDS; i++)
        world_inspect(w, 0, "pass");
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(syncing.status, OCOP_OK);
    assert_int_equal(looking.status, OCOP_OK);
    world_sync(w, 0);
    assert_int_equal(ocop_store_status(w->stores[0], &s, NULL), OCOP_OK);
    assert_int_equal(s.waiting, 0);
    assert_int_equal(world_count(w, "SELECT count(*) FROM inspection"), RECORDS);
}

/* Drafts with a file each, made and given up again; so contents come to be named by nothing. */
static void *give_up_drafts(void *self)
{
    static atomic_uint next;
    struct party *p = self;
    for (int i = 0; i < RECORDS && p->status == OCOP_OK; i++) {
        ProtobufCMessage *m = NULL;
        struct ocop_id id, file;
        char text[32];
        (void)snprintf(text, sizeof text, "%%PDF-1.4\n%u", atomic_fetch_add(&next, 1));
        struct ocop_attachment a = {
            .bytes = text, .len = strlen(text), .role = "document", .name = "a.pdf"};
        p->status = ocop_new(p->store, "inspection", &m, NULL);
        if (p->status == OCOP_OK) {
            memcpy(id.b, ((Ocop__Inspection *)m)->id.data, ID_LEN);
            p->status = ocop_save(p->store, m, NULL);
        }
        ocop_free(m);
        if (p->status == OCOP_OK)
            p->status = ocop_attach(p->store, &id, &a, &file, NULL);
        if (p->status == OCOP_OK)
            p->status = ocop_discard(p->store, &id, NULL);
    }
    return NULL;
}

static void files_are_attached_and_swept_by_several_threads(void **state)
{
    struct world *w = *state;
    struct party parties[] = {{.store = w->stores[0]}, {.store = w->stores[0]}};
    pthread_t threads[2];
    unsigned removed;

    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, give_up_drafts, &parties[i]), 0);
    for (int i = 0; i < SYNCS; i++)
        world_sync(w, 0);
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(parties[i].status, OCOP_OK);
    }
    assert_int_equal(ocop_files_sweep(w->stores[0], &removed, NULL), OCOP_OK);
    assert_int_equal(removed, 0); /* whoever gave the last one up has swept */
}

/* --- cancelling and closing ------------------------------------------------------------------- */

/* A server that never answers; `asked` tells that the store waits for it. */
struct silent_link {
    struct link link;
    atomic_bool asked;
};

static enum ocop_status silent_connect(struct link *l, int timeout_ms, const atomic_bool *cancel,
                                       struct ocop_error *err)
{
    (void)l, (void)timeout_ms, (void)cancel, (void)err;
    return OCOP_OK;
}

static enum ocop_status silent_exchange(struct link *l, struct span request, int timeout_ms,
                                        const atomic_bool *cancel, struct buf *reply,
                                        struct ocop_error *err)
{
    (void)request, (void)timeout_ms, (void)reply;
    atomic_store(&((struct silent_link *)l)->asked, true);
    while (!atomic_load(cancel))
        sched_yield();
    return err_set(err, OCOP_ECANCELLED, "cancelled");
}

static void silent_close(struct link *l)
{
    (void)l;
}

static struct silent_link silent(void)
{
    return (struct silent_link){
        .link = {.connect = silent_connect, .exchange = silent_exchange, .close = silent_close}};
}

static void *sync_once(void *self)
{
    struct party *p = self;
    p->status = ocop_sync(p->store, NULL, NULL, NULL);
    return NULL;
}

/* Begin a sync in a thread and wait until it waits for the server. */
static pthread_t begin_sync(struct party *p, struct silent_link *l)
{
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, sync_once, p), 0);
    while (!atomic_load(&l->asked))
        sched_yield();
    return thread;
}

static void a_waiting_sync_is_cancelled_by_another_thread_and_recording_goes_on(void **state)
{
    struct world *w = *state;
    struct silent_link l = silent();
    world_relink(w, 0, &l.link);
    struct party p = {.store = w->stores[0]};
    world_inspect(w, 0, "pass");
    pthread_t thread = begin_sync(&p, &l);

    world_inspect(w, 0, "fail"); /* waits for nobody */
    assert_int_equal(ocop_sync(w->stores[0], NULL, NULL, NULL), OCOP_EBUSY);
    ocop_cancel(w->stores[0]);
    pthread_join(thread, NULL);
    assert_int_equal(p.status, OCOP_ECANCELLED);
    world_relink(w, 0, &w->links[0].link);
    world_sync(w, 0);
    assert_int_equal(world_count(w, "SELECT count(*) FROM inspection"), 2);
}

static void closing_a_store_ends_its_sync_and_loses_nothing(void **state)
{
    struct world *w = *state;
    struct silent_link l = silent();
    world_relink(w, 0, &l.link);
    struct party p = {.store = w->stores[0]};
    world_inspect(w, 0, "pass");
    pthread_t thread = begin_sync(&p, &l);

    world_relink(w, 0, &w->links[0].link); /* closes */
    pthread_join(thread, NULL);
    assert_int_equal(p.status, OCOP_ECANCELLED);
    world_sync(w, 0);
    assert_int_equal(world_count(w, "SELECT count(*) FROM inspection"), 1);
}

/* --- the socket loop -------------------------------------------------------------------------- */

static volatile sig_atomic_t stop;

static void on_signal(int signal)
{
    (void)signal;
    stop = 1;
}

struct serving {
    struct world *world;
    char address[PORT_ADDRESS_MAX];
    atomic_bool ready;
    enum ocop_status status;
    struct ocop_error err;
};

static void on_ready(void *self, const char *address)
{
    struct serving *s = self;
    (void)address;
    atomic_store(&s->ready, true);
}

static void *serve_on(void *self)
{
    struct serving *s = self;
    const struct serve_options options = {
        .listen = {s->world->address}, .batch_max = 64, .ready = on_ready, .self = s};
    s->status = serve(s->world->registry, &s->world->keys, &options, &stop, &s->err);
    return NULL;
}

struct client {
    struct world *world;
    unsigned n;
    enum ocop_status status;
    struct ocop_error err;
};

static void *work_on(void *self)
{
    struct client *c = self;
    for (int i = 0; i < ROUNDS && c->status == OCOP_OK; i++) {
        world_inspect(c->world, c->n, "pass");
        c->status = ocop_sync(c->world->stores[c->n], NULL, NULL, &c->err);
    }
    return NULL;
}

/* Enrol devices 1 to `count` for a server of this world, and begin to serve. */
static pthread_t begin_serving(struct serving *s, unsigned count)
{
    struct sigaction action = {.sa_handler = on_signal};
    pthread_t server;

    s->world->address = port_address(s->address);
    for (unsigned n = 1; n <= count; n++) {
        world_enrol(s->world, n);
        world_relink(s->world, n, NULL);
    }
    stop = 0;
    assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
    assert_int_equal(pthread_create(&server, NULL, serve_on, s), 0);
    while (!atomic_load(&s->ready))
        sched_yield();
    return server;
}

static void end_serving(struct serving *s, pthread_t server)
{
    assert_int_equal(pthread_kill(server, SIGUSR1), 0);
    pthread_join(server, NULL);
    if (s->status != OCOP_OK)
        fail_msg("%s", s->err.text);
}

static void clients_in_threads_are_served_over_sockets_until_the_signal(void **state)
{
    struct world *w = *state;
    struct serving serving = {.world = w};
    struct client clients[CLIENTS];
    pthread_t threads[CLIENTS];
    pthread_t server = begin_serving(&serving, CLIENTS);

    for (unsigned i = 0; i < CLIENTS; i++) {
        clients[i] = (struct client){.world = w, .n = i + 1};
        assert_int_equal(pthread_create(&threads[i], NULL, work_on, &clients[i]), 0);
    }
    for (unsigned i = 0; i < CLIENTS; i++)
        pthread_join(threads[i], NULL);
    end_serving(&serving, server);
    for (unsigned i = 0; i < CLIENTS; i++)
        if (clients[i].status != OCOP_OK)
            fail_msg("client %u: %s", i, clients[i].err.text);
    assert_int_equal(world_count(w, "SELECT count(*) FROM inspection"), CLIENTS * ROUNDS);
}

/* Bytes of a stranger: what he says first, and whether he then hangs up or stays. */
static const struct {
    const char *what, *bytes;
    size_t len;
} strangers[] = {
    {"nothing", "", 0},
    {"another protocol", "GET / HTTP/1.1\r\n\r\n", 18},
    {"half a greeting", "\0SP", 3},
    {"another pattern", "\0SP\0\0\x50\0\0", 8},
    {"a cut message", "\0SP\0\0\x30\0\0\0\0\0\0\0\0\0\x40\x80\0\0\1half", 24},
    {"an oversized message", "\0SP\0\0\x30\0\0\0\0\0\0\0\2\0\0", 16},
    {"more than there is memory", "\0SP\0\0\x30\0\0\x7f\xff\xff\xff\xff\xff\xff\xff", 16},
    {"no return address", "\0SP\0\0\x30\0\0\0\0\0\0\0\0\0\4\0\0\0\1", 20},
    {"an empty request", "\0SP\0\0\x30\0\0\0\0\0\0\0\0\0\4\x80\0\0\1", 20},
    {"garbage", "\0SP\0\0\x30\0\0\0\0\0\0\0\0\0\x0c\x80\0\0\1\1\2\3\4\5\6\7\x08", 28},
};

enum { STRANGERS = sizeof strangers / sizeof *strangers };

static int connect_raw(const char *address)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    a.sin_port = htons((uint16_t)atoi(strrchr(address, ':') + 1));
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
    return fd;
}

static void garbage_on_the_socket_harms_no_client(void **state)
{
    struct world *w = *state;
    struct serving serving = {.world = w};
    int staying[STRANGERS];
    pthread_t server = begin_serving(&serving, 1);

    for (unsigned i = 0; i < STRANGERS; i++) {
        struct ocop_error err = {0};
        int leaving = connect_raw(serving.address);
        staying[i] = connect_raw(serving.address);
        assert_int_equal(send(leaving, strangers[i].bytes, strangers[i].len, MSG_NOSIGNAL),
                         strangers[i].len);
        assert_int_equal(send(staying[i], strangers[i].bytes, strangers[i].len, MSG_NOSIGNAL),
                         strangers[i].len);
        close(leaving);
        world_inspect(w, 1, "pass");
        if (ocop_sync(w->stores[1], NULL, NULL, &err) != OCOP_OK)
            fail_msg("after %s: %s", strangers[i].what, err.text);
    }
    end_serving(&serving, server);
    for (unsigned i = 0; i < STRANGERS; i++)
        close(staying[i]);
    assert_int_equal(world_count(w, "SELECT count(*) FROM inspection"), STRANGERS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, world_setup_0, world_teardown)
        T(recording_and_reading_go_on_while_another_thread_syncs),
        T(files_are_attached_and_swept_by_several_threads),
        T(a_waiting_sync_is_cancelled_by_another_thread_and_recording_goes_on),
        T(closing_a_store_ends_its_sync_and_loses_nothing),
        T(garbage_on_the_socket_harms_no_client),
        T(clients_in_threads_are_served_over_sockets_until_the_signal),
    };
    env_log_level((enum env_level)(ENV_ERROR + 1)); /* strangers are met on purpose */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
