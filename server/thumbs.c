/* Who makes thumbnails is started, watched and believed nothing: it has the content as its stdin, a
 * new file as its stdout, and no more. Its exit code says which files are pictures. This process
 * decodes nothing. */
#include "thumbs.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "changeset.h"
#include "thumbnail/thumbnail.h"

enum {
    WAITING_MAX = 256,
    RESTING_MAX = 64,
    REST_MS = 600000,     /* after the first time, and twice as long after each further one */
    NOT_RUN = 127,        /* how a process ends that found no program */
    MAKING_MS_MAX = 20000 /* beyond its own limit of processor time: the machine is busy */
};

/* One that could not be made for want of memory or a disk that fails. */
struct resting {
    uint8_t hash[FILE_HASH_LEN];
    int64_t until_ms; /* 0: none */
};

struct thumbs {
    struct content_dir blobs, dir;
    const struct env *env;
    char maker[PATH_MAX];
    bool off;   /* none can be made here */
    bool works; /* one was made: what a maker says of this machine later is not its own word */
    uint8_t waiting[WAITING_MAX][FILE_HASH_LEN];
    size_t count;
    struct resting resting[RESTING_MAX];
    pid_t pid; /* 0: none is being made */
    bool killed;
    uint8_t hash[FILE_HASH_LEN]; /* of the content that it is made of */
    struct content_writer file;
    int64_t since_ms;
};

/* --- what there is --------------------------------------------------------------------------- */

static enum ocop_status folder(const struct content_dir *blobs, struct content_dir *out,
                               struct ocop_error *err)
{
    char path[PATH_MAX];

    (void)snprintf(path, sizeof path, "%s/thumb", blobs->path);
    return content_dir_init(out, path, NULL, blobs->env, err);
}

/* Tries that failed for the picture's sake, and those where its maker was not able to. */
static const char failed[] = "failed", put_off[] = "later";

/* As many bytes as tries. */
static void tries_path(const struct content_dir *dir, const char *folder_name,
                       const uint8_t hash[FILE_HASH_LEN], char out[PATH_MAX])
{
    char name[CONTENT_NAME_LEN + 1];

    (void)snprintf(out, PATH_MAX, "%s/%s/%s", dir->path, folder_name, content_name(hash, name));
}

static unsigned tries(const struct content_dir *dir, const char *folder_name,
                      const uint8_t hash[FILE_HASH_LEN])
{
    char path[PATH_MAX];
    struct stat info;

    tries_path(dir, folder_name, hash, path);
    return stat(path, &info) == 0 ? (unsigned)info.st_size : 0;
}

static enum ocop_status tries_forget(const struct content_dir *dir, const char *folder_name,
                                     const uint8_t hash[FILE_HASH_LEN], struct ocop_error *err)
{
    char path[PATH_MAX];

    tries_path(dir, folder_name, hash, path);
    if (unlink(path) != 0 && errno != ENOENT && errno != ENOTDIR)
        return content_failed(err, "removing file", path);
    return OCOP_OK;
}

/* Its first bytes say so: for the others no process is started. */
static enum ocop_status is_picture(const struct content_dir *blobs,
                                   const uint8_t hash[FILE_HASH_LEN], bool *out,
                                   struct ocop_error *err)
{
    uint8_t head[8] = {0};
    size_t got;
    enum ocop_status st = content_read(blobs, hash, 0, head, sizeof head, &got, err);

    *out = st == OCOP_OK && (memcmp(head, "\xff\xd8\xff", 3) == 0 ||
                             memcmp(head, "\x89PNG\r\n\x1a\n", sizeof head) == 0);
    return st;
}

/* OCOP_ENOTFOUND also when it is not what was made: it can be made again. */
static enum ocop_status read_sound(const struct content_dir *dir, const uint8_t hash[FILE_HASH_LEN],
                                   uint8_t *out, size_t *len, struct ocop_error *err)
{
    uint8_t file[THUMBNAIL_BYTES_MAX + THUMBS_SUM_LEN + 1], sum[THUMBS_SUM_LEN];
    size_t got = 0;
    enum ocop_status st = content_read(dir, hash, 0, file, sizeof file, &got, err);

    if (content_fails_alone(dir, hash, st))
        return err_set(err, OCOP_ENOTFOUND, "its thumbnail cannot be read");
    if (st != OCOP_OK)
        return st;
    const size_t image = got > THUMBS_SUM_LEN ? got - THUMBS_SUM_LEN : 0;
    hash_bytes(span_of(file, image), sum);
    if (image == 0 || image > THUMBNAIL_BYTES_MAX || memcmp(sum, file + image, THUMBS_SUM_LEN) != 0)
        return err_set(err, OCOP_ENOTFOUND, "its thumbnail is damaged");
    memcpy(out, file, image);
    *len = image;
    return OCOP_OK;
}

enum ocop_status thumbs_look(const struct content_dir *blobs, const uint8_t hash[FILE_HASH_LEN],
                             enum thumb_state *state, uint8_t *out, size_t *len,
                             struct ocop_error *err)
{
    struct content_dir dir;
    bool picture = false;
    enum ocop_status st = folder(blobs, &dir, err);

    *len = 0;
    *state = THUMB_HERE;
    if (st == OCOP_OK)
        st = read_sound(&dir, hash, out, len, err);
    if (st != OCOP_ENOTFOUND)
        return st;
    *state =
        tries(&dir, failed, hash) < THUMBS_TRIES && tries(&dir, put_off, hash) < THUMBS_LATER_TRIES
            ? THUMB_UNMADE
            : THUMB_NONE;
    st = *state == THUMB_UNMADE ? is_picture(blobs, hash, &picture, err) : OCOP_OK;
    if (st == OCOP_OK && !picture)
        *state = THUMB_NONE;
    return st == OCOP_ENOTFOUND ? OCOP_OK : st; /* its content is not here yet */
}

enum ocop_status thumbs_remove(const struct content_dir *blobs, const uint8_t hash[FILE_HASH_LEN],
                               struct ocop_error *err)
{
    struct content_dir dir;
    enum ocop_status st = folder(blobs, &dir, err);

    if (st == OCOP_OK)
        st = tries_forget(&dir, failed, hash, err);
    if (st == OCOP_OK)
        st = tries_forget(&dir, put_off, hash, err);
    return st == OCOP_OK ? content_remove(&dir, hash, err) : st;
}

enum ocop_status thumbs_each(const struct content_dir *blobs, content_fn *fn, void *self,
                             struct ocop_error *err)
{
    struct content_dir dir;
    enum ocop_status st = folder(blobs, &dir, err);

    return st == OCOP_OK ? content_each(&dir, fn, self, err) : st;
}

enum ocop_status thumbs_forgive(const struct content_dir *blobs, struct ocop_error *err)
{
    struct content_dir dir;
    enum ocop_status st = folder(blobs, &dir, err);

    if (st == OCOP_OK)
        st = content_folder_clear(&dir, failed, err);
    return st == OCOP_OK ? content_folder_clear(&dir, put_off, err) : st;
}

enum ocop_status thumbs_try_again(const struct content_dir *blobs, struct ocop_error *err)
{
    struct content_dir dir;
    enum ocop_status st = folder(blobs, &dir, err);

    return st == OCOP_OK ? content_folder_clear(&dir, put_off, err) : st;
}

/* --- making ---------------------------------------------------------------------------------- */

static void beside_us(char out[PATH_MAX])
{
    ssize_t len = readlink("/proc/self/exe", out, PATH_MAX - sizeof "/ocop-thumbnail");
    char *slash;

    out[len > 0 ? len : 0] = 0;
    slash = strrchr(out, '/');
    (void)snprintf(slash ? slash : out, sizeof "/ocop-thumbnail", "/ocop-thumbnail");
}

static void not_there(struct thumbs *t)
{
    char path[PATH_MAX];

    env_log(t->env, ENV_WARN, "no_thumbnails",
            "path=%s reason=\"there is no ocop-thumbnail that can be run: name it by "
            "OCOPD_THUMBNAILER\"",
            env_quote(path, sizeof path, t->maker));
}

enum ocop_status thumbs_open(const struct content_dir *blobs, const char *maker,
                             const struct env *env, struct thumbs **out, struct ocop_error *err)
{
    struct thumbs *t = calloc(1, sizeof *t);
    unsigned left;
    enum ocop_status st;

    *out = NULL;
    if (!t)
        return err_nomem(err);
    t->blobs = *blobs;
    t->env = env;
    t->file.fd = -1;
    /* Who started us may ignore it, and then nobody can be waited for. */
    (void)signal(SIGCHLD, SIG_DFL);
    st = folder(blobs, &t->dir, err);
    if (st == OCOP_OK && strlen(maker) >= sizeof t->maker)
        st = err_set(err, OCOP_ELIMIT, "the path of ocop-thumbnail is too long");
    if (st != OCOP_OK) {
        free(t);
        return st;
    }
    if (*maker)
        memcpy(t->maker, maker, strlen(maker) + 1);
    else
        beside_us(t->maker);
    t->off = access(t->maker, X_OK) != 0;
    if (t->off)
        not_there(t);
    /* What a daemon that was killed left in the making. */
    if (content_tidy(&t->dir, &left, NULL) != OCOP_OK)
        env_log(env, ENV_WARN, "thumbnails_not_tidied", "left=1");
    *out = t;
    return OCOP_OK;
}

static bool rests(const struct thumbs *t, const uint8_t hash[FILE_HASH_LEN])
{
    const int64_t now = env_mono_ms(t->env);

    for (size_t i = 0; i < RESTING_MAX; i++)
        if (t->resting[i].until_ms > now && memcmp(t->resting[i].hash, hash, FILE_HASH_LEN) == 0)
            return true;
    return false;
}

/* It is tried again, but not at once, and the others meanwhile. `before`: how often it rested. */
static void rest(struct thumbs *t, unsigned before)
{
    struct resting *first = t->resting;

    for (size_t i = 1; i < RESTING_MAX; i++)
        if (t->resting[i].until_ms < first->until_ms)
            first = &t->resting[i];
    memcpy(first->hash, t->hash, FILE_HASH_LEN);
    first->until_ms = env_mono_ms(t->env) + ((int64_t)REST_MS << before);
}

bool thumbs_want(struct thumbs *t, const uint8_t hash[FILE_HASH_LEN])
{
    if (!t || t->off)
        return false;
    if (t->pid && memcmp(t->hash, hash, FILE_HASH_LEN) == 0)
        return true;
    for (size_t i = 0; i < t->count; i++)
        if (memcmp(t->waiting[i], hash, FILE_HASH_LEN) == 0)
            return true;
    if (!rests(t, hash) && t->count < WAITING_MAX)
        memcpy(t->waiting[t->count++], hash, FILE_HASH_LEN);
    return true;
}

/* Nothing but these two, and nothing of our environment. @return 0, or what errno would be */
static int spawn(struct thumbs *t, int in, int out)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t how;
    sigset_t none, all;
    char *const args[] = {t->maker, NULL}, *const environment[] = {NULL};
    int e = posix_spawn_file_actions_init(&files);

    if (e)
        return e;
    e = posix_spawnattr_init(&how);
    if (e) {
        (void)posix_spawn_file_actions_destroy(&files);
        return e;
    }
    (void)sigemptyset(&none);
    (void)sigfillset(&all);
    e = posix_spawn_file_actions_adddup2(&files, in, STDIN_FILENO);
    if (!e)
        e = posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO);
    if (!e)
        e = posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    if (!e)
        e = posix_spawnattr_setsigmask(&how, &none);
    if (!e)
        e = posix_spawnattr_setsigdefault(&how, &all);
    if (!e)
        e = posix_spawnattr_setflags(&how, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    if (!e)
        e = posix_spawn(&t->pid, t->maker, &files, &how, args, environment);
    if (e)
        t->pid = 0;
    (void)posix_spawnattr_destroy(&how);
    (void)posix_spawn_file_actions_destroy(&files);
    return e;
}

static void start(struct thumbs *t)
{
    char path[PATH_MAX], in_folder[PATH_MAX];
    struct ocop_error err;
    enum ocop_status st = content_begin(&t->dir, &t->file, &err);
    int in = -1, e = 0;

    if (st == OCOP_OK) {
        content_path(&t->blobs, t->hash, path, in_folder);
        in = open(path, O_RDONLY | O_CLOEXEC);
        e = in < 0 ? errno : spawn(t, in, t->file.fd);
    }
    if (in >= 0)
        (void)close(in);
    t->killed = false;
    t->since_ms = env_mono_ms(t->env);
    if (t->pid)
        return;
    env_log(t->env, ENV_WARN, "thumbnail_not_begun", "status=%s errno=%d", err_name(st), e);
    content_abandon(&t->file);
}

static void note_tries(struct thumbs *t, const char *folder_name, size_t count)
{
    static const char marks[THUMBS_TRIES + 1] = "...";
    char path[PATH_MAX];
    int fd = -1;

    tries_path(&t->dir, folder_name, t->hash, path);
    if (content_folder(&t->dir, folder_name, NULL) == OCOP_OK)
        fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, marks, count) != (ssize_t)count)
        env_log(t->env, ENV_WARN, "thumbnail_failure_not_noted", "errno=%d", errno);
    if (fd >= 0)
        (void)close(fd);
}

/* It may hold anything: of this size at most, and beginning as a JPEG does. Its sum is put behind
 * it.
 */
static enum ocop_status place(struct thumbs *t, struct ocop_error *err)
{
    uint8_t image[THUMBNAIL_BYTES_MAX + 1], sum[THUMBS_SUM_LEN];
    const ssize_t len = pread(t->file.fd, image, sizeof image, 0);
    bool fresh;

    if (len < 0)
        return err_set(err, OCOP_EIO, "reading a thumbnail: %m");
    if (len < 3 || len > (ssize_t)THUMBNAIL_BYTES_MAX || memcmp(image, "\xff\xd8\xff", 3) != 0)
        return err_set(err, OCOP_EDAMAGED, "what was made is no thumbnail");
    hash_bytes(span_of(image, (size_t)len), sum);
    if (pwrite(t->file.fd, sum, sizeof sum, len) != (ssize_t)sizeof sum || fsync(t->file.fd) != 0)
        return err_set(err, OCOP_EIO, "making sure of a thumbnail: %m");
    t->file.size = (uint64_t)len + sizeof sum;
    memcpy(t->file.hash, t->hash, FILE_HASH_LEN); /* by which it is asked for */
    return content_place(&t->file, &fresh, err);
}

static void ended(struct thumbs *t, int status)
{
    const int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    struct ocop_error err = {0};
    enum ocop_status st = code == THUMBNAIL_MADE ? place(t, &err) : OCOP_EDAMAGED;

    t->pid = 0;
    content_abandon(&t->file);
    t->works = t->works || st == OCOP_OK;
    if (st == OCOP_OK) {
        if (tries_forget(&t->dir, put_off, t->hash, &err) != OCOP_OK)
            env_log(t->env, ENV_WARN, "thumbnail_tries_not_forgotten", "status=%s",
                    err_name(err.status));
        return;
    }
    const bool cannot = code == THUMBNAIL_FREE || code == NOT_RUN;
    if (cannot && !t->works) {
        t->off = true;
        t->count = 0;
        if (code == NOT_RUN)
            not_there(t);
        else
            env_log(t->env, ENV_ERROR, "no_thumbnails",
                    "reason=\"ocop-thumbnail cannot give up its rights here\"");
        return;
    }
    if (code == THUMBNAIL_LATER) { /* its own word: it may need more than there ever is */
        rest(t, tries(&t->dir, put_off, t->hash));
        note_tries(t, put_off, 1);
    } else if (cannot || (code == THUMBNAIL_MADE && st != OCOP_EDAMAGED)) {
        rest(t, 0);
    } else { /* as good as all when it would be the same each time */
        note_tries(t, failed, code == THUMBNAIL_ODD ? THUMBS_TRIES : 1);
    }
    env_log(t->env, ENV_WARN, "thumbnail_not_made", "code=%d signal=%d killed=%s status=%s", code,
            WIFSIGNALED(status) ? WTERMSIG(status) : 0, t->killed ? "true" : "false", err_name(st));
}

static void watch(struct thumbs *t)
{
    int status;
    pid_t gone = waitpid(t->pid, &status, WNOHANG);

    if (gone == t->pid)
        ended(t, status);
    else if (gone == 0 && !t->killed && env_mono_ms(t->env) - t->since_ms > MAKING_MS_MAX)
        t->killed = kill(t->pid, SIGKILL) == 0;
    else if (gone < 0 && errno != EINTR) { /* somebody else has waited for it */
        t->pid = 0;
        content_abandon(&t->file);
        rest(t, 0);
    }
}

/* The next that there is none of, and that can be made. */
static bool next(struct thumbs *t)
{
    static uint8_t made[THUMBNAIL_BYTES_MAX];
    enum thumb_state state;
    size_t len;

    while (t->count > 0) {
        memcpy(t->hash, t->waiting[0], FILE_HASH_LEN);
        memmove(t->waiting[0], t->waiting[1], --t->count * sizeof t->waiting[0]);
        if (thumbs_look(&t->blobs, t->hash, &state, made, &len, NULL) == OCOP_OK &&
            state == THUMB_UNMADE)
            return true;
    }
    return false;
}

bool thumbs_turn(struct thumbs *t)
{
    if (!t)
        return false;
    if (t->pid)
        watch(t);
    if (!t->pid && next(t))
        start(t);
    return t->pid || t->count > 0;
}

void thumbs_close(struct thumbs *t)
{
    int status;

    if (!t)
        return;
    if (t->pid && kill(t->pid, SIGKILL) == 0)
        while (waitpid(t->pid, &status, 0) < 0 && errno == EINTR)
            ;
    content_abandon(&t->file);
    free(t);
}
