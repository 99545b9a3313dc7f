/* run and init: the life of the serving process. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backup.h"
#include "command.h"
#include "enrol.h"
#include "serve.h"

#define NAME_DEFAULT "OCOP"

/* Written by the signal handler, read by the socket loop. */
static volatile sig_atomic_t stop;

static void on_signal(int number)
{
    (void)number;
    stop = 1;
}

static enum ocop_status watch_signals(struct ocop_error *err)
{
    struct sigaction end = {.sa_handler = on_signal}, ignore = {.sa_handler = SIG_IGN};

    sigemptyset(&end.sa_mask);
    sigemptyset(&ignore.sa_mask);
    if (sigaction(SIGTERM, &end, NULL) != 0 || sigaction(SIGINT, &end, NULL) != 0 ||
        sigaction(SIGPIPE, &ignore, NULL) != 0)
        return err_set(err, OCOP_EIO, "cannot watch signals: %m");
    return OCOP_OK;
}

static bool exists(const char *path)
{
    struct stat s;

    return lstat(path, &s) == 0;
}

/* Keys first: a registry whose root key nobody has would be of no use. What was made is removed
 * again when a later step fails. */
static enum ocop_status create(const struct invocation *in, const char *name,
                               struct ocop_error *err)
{
    const char *path = in->config.value[CONFIG_DB];
    char keys_path[BACKUP_PATH_MAX], side[BACKUP_PATH_MAX];
    struct server_keys keys;
    struct registry *r = NULL;

    memset(&keys, 0, sizeof keys);
    if (exists(path))
        return err_set(err, OCOP_ESTATE, "%.200s exists; name another file with --db", path);
    enum ocop_status st = backup_beside(path, ".keys", keys_path, err);
    if (st == OCOP_OK)
        st = keys_create(keys_path, in->env, &keys, err);
    if (st != OCOP_OK)
        return st;
    st = registry_open(path, true, in->env, NULL, &r, err);
    if (st == OCOP_OK)
        st = genesis(r, &keys, name, err);
    registry_close(r);
    keys_wipe(&keys);
    if (st != OCOP_OK) {
        unlink(keys_path);
        unlink(path);
        static const char *const parts[] = {"-wal", "-shm"};
        for (size_t i = 0; i < 2; i++)
            if (backup_beside(path, parts[i], side, NULL) == OCOP_OK)
                unlink(side);
    }
    return st;
}

enum ocop_status command_init(const struct invocation *in, struct ocop_error *err)
{
    const char *name = command_value(in, "--name");

    if (!name || !name[0])
        return err_set(err, OCOP_EINVAL, "init needs --name: what the registry is called");
    enum ocop_status st = create(in, name, err);
    if (st == OCOP_OK)
        fprintf(in->out,
                "made %s and %s.keys\nkeep a copy of the keys in a safe place: devices trust "
                "nothing else\npublish what `ocopd export root-key` prints: evidence is checked by "
                "it\n",
                in->config.value[CONFIG_DB], in->config.value[CONFIG_DB]);
    return st;
}

static void on_ready(void *self, const char *address)
{
    const struct invocation *in = self;
    char quoted[600];

    env_log(in->env, ENV_INFO, "listening", "address=%s",
            env_quote(quoted, sizeof quoted, address));
}

static void log_start(const struct invocation *in, uint64_t version)
{
    char db[600], file[600];

    env_log(in->env, ENV_INFO, "start", "pid=%ld db=%s version=%llu config=%s", (long)getpid(),
            env_quote(db, sizeof db, in->config.value[CONFIG_DB]), (unsigned long long)version,
            env_quote(file, sizeof file, in->config.file));
}

/* The file of keys that is served by, as it was read. */
struct key_file {
    const struct env *env;
    char path[BACKUP_PATH_MAX];
    struct stat as_read;
    struct server_keys keys;
};

static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_ino == b->st_ino && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
           a->st_mtim.tv_nsec == b->st_mtim.tv_nsec && a->st_size == b->st_size;
}

/* Keys that were changed meanwhile are taken between two batches; what cannot be read is told, and
 * the keys of before go on. */
static void keys_refresh(void *self)
{
    struct key_file *f = self;
    struct stat now;
    struct server_keys fresh;
    struct ocop_error err = {0};
    char quoted[400];

    if (stat(f->path, &now) != 0 || same_file(&now, &f->as_read))
        return;
    f->as_read = now;
    if (keys_load(f->path, &fresh, &err) == OCOP_OK) {
        f->keys = fresh;
        env_log(f->env, ENV_INFO, "keys_taken", "channel=%llu",
                (unsigned long long)fresh.channel_paper[0].number);
    } else {
        env_log(f->env, ENV_ERROR, "keys_not_taken", "error=%s",
                env_quote(quoted, sizeof quoted, err.text));
    }
    keys_wipe(&fresh);
}

static enum ocop_status serve_locked(const struct invocation *in, struct ocop_error *err)
{
    char storage[CONFIG_VALUE_MAX];
    struct serve_options options = {.batch_max = config_batch(&in->config),
                                    .queue_bytes = config_queue(&in->config),
                                    .workers = config_workers(&in->config),
                                    .readback = config_readback(&in->config),
                                    .ready = on_ready,
                                    .self = (void *)(uintptr_t)in};
    struct registry *r = NULL;
    struct key_file file = {.env = in->env};
    uint64_t version = 0;

    options.before_batch = keys_refresh;
    options.keys_self = &file;
    options.thumbnailer = in->config.value[CONFIG_THUMBNAILER];
    config_listen(&in->config, storage, options.listen);
    enum ocop_status st = command_open(in, &r, err);
    if (st != OCOP_OK)
        return st;
    st = backup_beside(in->config.value[CONFIG_DB], ".keys", file.path, err);
    if (st == OCOP_OK && stat(file.path, &file.as_read) != 0)
        st = err_set(err, OCOP_ENOTFOUND, "%.200s: %m", file.path);
    if (st == OCOP_OK)
        st = keys_load(file.path, &file.keys, err);
    if (st == OCOP_OK)
        st = registry_version(r, &version, err);
    if (st == OCOP_OK) {
        log_start(in, version);
        r->certificate_days = config_certificate_days(&in->config);
        st = serve(r, &file.keys, &options, &stop, err);
        env_log(in->env, st == OCOP_OK ? ENV_INFO : ENV_ERROR, "stop", "status=%s", err_name(st));
    }
    keys_wipe(&file.keys);
    registry_close(r);
    return st;
}

enum ocop_status command_run(const struct invocation *in, struct ocop_error *err)
{
    const char *name = command_value(in, "--name");
    enum ocop_status st = OCOP_OK;
    int lock = -1;

    if (command_has(in, "--show-config")) {
        config_show(&in->config, in->out);
        return OCOP_OK;
    }
    st = watch_signals(err);
    if (st == OCOP_OK && command_has(in, "--init") && !exists(in->config.value[CONFIG_DB]))
        st = create(in, name && name[0] ? name : NAME_DEFAULT, err);
    /* A missing registry must not leave a lock file behind. */
    if (st == OCOP_OK && !exists(in->config.value[CONFIG_DB]))
        st = err_set(err, OCOP_ENOTFOUND, "there is no registry %.200s; `ocopd init` makes one",
                     in->config.value[CONFIG_DB]);
    if (st == OCOP_OK)
        st = backup_lock(in->config.value[CONFIG_DB], &lock, err);
    if (st == OCOP_OK)
        st = serve_locked(in, err);
    if (lock >= 0)
        close(lock);
    return st;
}
