/* Threads that take numbers off one counter, under one lock. A task here takes about 100 us, so the
 * lock is never what is waited for. */
#include "crew.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>

struct crew {
    pthread_mutex_t lock;
    pthread_cond_t work, done;
    bool closing;
    void (*task)(void *self, size_t i);
    void *self;
    size_t count, next, finished;
    int threads;
    pthread_t thread[CREW_THREADS_MAX];
};

/* With the lock, which is open while the task runs. */
static void do_next(struct crew *c)
{
    size_t i = c->next++;
    pthread_mutex_unlock(&c->lock);
    c->task(c->self, i);
    pthread_mutex_lock(&c->lock);
    if (++c->finished == c->count)
        pthread_cond_signal(&c->done);
}

static void *crew_main(void *self)
{
    struct crew *c = self;
    pthread_mutex_lock(&c->lock);
    while (!c->closing) {
        if (c->next < c->count)
            do_next(c);
        else
            pthread_cond_wait(&c->work, &c->lock);
    }
    pthread_mutex_unlock(&c->lock);
    return NULL;
}

/* Signals are for the thread that serves: it must wake from waiting for its socket. */
static bool start(struct crew *c)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool ok = pthread_create(&c->thread[c->threads], NULL, crew_main, c) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    c->threads += ok;
    return ok;
}

enum ocop_status crew_open(int threads, struct crew **out, struct ocop_error *err)
{
    *out = NULL;
    CHECK(threads >= 0 && threads <= CREW_THREADS_MAX);
    if (threads == 0)
        return OCOP_OK;
    struct crew *c = calloc(1, sizeof *c);
    if (!c)
        return err_nomem(err);
    CHECK(pthread_mutex_init(&c->lock, NULL) == 0 && pthread_cond_init(&c->work, NULL) == 0 &&
          pthread_cond_init(&c->done, NULL) == 0);
    while (c->threads < threads)
        if (!start(c)) {
            crew_close(c);
            return err_set(err, OCOP_ENOMEM, "the system gives no %d threads; set workers to less",
                           threads);
        }
    *out = c;
    return OCOP_OK;
}

void crew_close(struct crew *c)
{
    if (!c)
        return;
    pthread_mutex_lock(&c->lock);
    c->closing = true;
    pthread_cond_broadcast(&c->work);
    pthread_mutex_unlock(&c->lock);
    for (int i = 0; i < c->threads; i++)
        pthread_join(c->thread[i], NULL);
    pthread_cond_destroy(&c->done);
    pthread_cond_destroy(&c->work);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

static void all_now(void (*task)(void *self, size_t i), void *self, size_t count)
{
    for (size_t i = 0; i < count; i++)
        task(self, i);
}

void crew_begin(struct crew *c, void (*task)(void *self, size_t i), void *self, size_t count)
{
    if (!c) {
        all_now(task, self, count);
        return;
    }
    pthread_mutex_lock(&c->lock);
    CHECK(c->finished == c->count);
    c->task = task;
    c->self = self;
    c->count = count;
    c->next = c->finished = 0;
    if (count == 1)
        pthread_cond_signal(&c->work);
    else if (count > 1)
        pthread_cond_broadcast(&c->work);
    pthread_mutex_unlock(&c->lock);
}

void crew_end(struct crew *c)
{
    if (!c)
        return;
    pthread_mutex_lock(&c->lock);
    while (c->next < c->count)
        do_next(c);
    while (c->finished < c->count)
        pthread_cond_wait(&c->done, &c->lock);
    pthread_mutex_unlock(&c->lock);
}

void crew_do(struct crew *c, void (*task)(void *self, size_t i), void *self, size_t count)
{
    if (!c || count == 1) { /* one task is done before another thread is awake */
        all_now(task, self, count);
        return;
    }
    crew_begin(c, task, self, count);
    crew_end(c);
}
