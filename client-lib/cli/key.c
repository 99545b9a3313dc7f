/* The key of an encrypted store. It comes from a file that nobody else may read, from a descriptor
 * (as /dev/fd/3), or from the environment; never from an argument, which all users of the machine
 * can see. */
#include "key.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { KEY_TEXT_MAX = 1024, KEY_RAW_LEN = 32 };

struct key {
    unsigned char b[KEY_TEXT_MAX + 2]; /* room to see that it is too long, and a newline */
    size_t len;
};

/* A write that is never left out. */
static void wipe(void *p, size_t len)
{
    volatile unsigned char *b = p;

    while (len--)
        *b++ = 0;
}

static int digit(unsigned char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* 64 hexadecimal digits are 32 bytes. All else is the key as it stands, without the newline that an
 * editor puts behind it. */
static void decode(struct key *k)
{
    unsigned char raw[KEY_RAW_LEN];
    bool hex;

    if (k->len != KEY_RAW_LEN && k->len && k->b[k->len - 1] == '\n')
        k->len--;
    if (k->len != KEY_RAW_LEN && k->len && k->b[k->len - 1] == '\r')
        k->len--;
    hex = k->len == sizeof raw * 2;
    for (size_t i = 0; hex && i < sizeof raw; i++) {
        int high = digit(k->b[2 * i]), low = digit(k->b[2 * i + 1]);
        hex = high >= 0 && low >= 0;
        raw[i] = (unsigned char)(hex ? high * 16 + low : 0);
    }
    if (hex) {
        memcpy(k->b, raw, sizeof raw);
        k->len = sizeof raw;
    }
    wipe(raw, sizeof raw);
}

static enum ocop_status read_file(const char *path, struct key *out, struct ocop_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    enum ocop_status st = OCOP_OK;
    struct stat info;
    ssize_t n = 1;

    if (fd < 0 || fstat(fd, &info) != 0)
        st = command_fail(err, OCOP_EIO, NULL, "%s cannot be read: %m", path);
    else if (S_ISREG(info.st_mode) && (info.st_mode & 077) != 0)
        st = command_fail(err, OCOP_EPERM, NULL,
                          "%s may be read by others, so its key is not used; run: chmod 600 %s",
                          path, path);
    while (!st && n > 0 && out->len < sizeof out->b) {
        n = read(fd, out->b + out->len, sizeof out->b - out->len);
        if (n > 0)
            out->len += (size_t)n;
        else if (n < 0 && errno == EINTR)
            n = 1;
        else if (n < 0)
            st = command_fail(err, OCOP_EIO, NULL, "%s cannot be read: %m", path);
    }
    if (fd >= 0)
        (void)close(fd);
    if (!st && out->len == 0)
        st = command_fail(err, OCOP_EINVAL, NULL, "%s holds no key", path);
    if (!st)
        decode(out);
    return st;
}

/* It does not stay in the environment, which programs print. */
static void take_environment(char *text, struct key *out)
{
    size_t len = strlen(text);

    out->len = len < sizeof out->b ? len : sizeof out->b;
    memcpy(out->b, text, out->len);
    wipe(text, len);
    decode(out);
}

static enum ocop_status key_of_session(const struct session *s, struct key *out,
                                       struct ocop_error *err)
{
    /* NOLINTBEGIN(concurrency-mt-unsafe): there is no other thread yet */
    const char *file = s->value[OPT_KEY_FILE] ? s->value[OPT_KEY_FILE] : getenv("OCOP_KEY_FILE");
    char *text = getenv("OCOP_KEY");
    /* NOLINTEND(concurrency-mt-unsafe) */

    out->len = 0;
    if (file && *file)
        return read_file(file, out, err);
    if (text && *text)
        take_environment(text, out);
    return OCOP_OK;
}

/* With the key of this store, which is read once and not kept; or without, where it is not
 * encrypted. */
static enum ocop_status open_former(struct session *s, struct ocop_options options)
{
    const char *path = s->value[OPT_FORMER];
    enum ocop_status st;

    options.must_exist = true;
    st = ocop_open(path, &options, &s->former, &s->former_err);
    if (st != OCOP_ESTATE || !options.key)
        return st;
    options.key = NULL;
    return ocop_open(path, &options, &s->former, &s->former_err);
}

enum ocop_status key_open_store(struct session *s, bool must_exist, struct ocop_error *err)
{
    struct ocop_options options = {.must_exist = must_exist};
    struct key key;
    enum ocop_status st = key_of_session(s, &key, err);

    if (!st) {
        options.key = key.len ? key.b : NULL;
        options.key_len = key.len;
        st = ocop_open(s->path, &options, &s->store, err);
        if (!st && s->value[OPT_FORMER])
            s->former_status = open_former(s, options);
    }
    wipe(&key, sizeof key);
    return st;
}

enum ocop_status key_change(struct session *s, struct ocop_error *err)
{
    struct key key = {.len = 0};
    enum ocop_status st;

    if (!s->value[OPT_NEW_KEY_FILE])
        return command_usage(s, err, "name the file of the new key with --new-key-file");
    st = read_file(s->value[OPT_NEW_KEY_FILE], &key, err);
    if (!st)
        st = ocop_rekey(s->store, key.b, key.len, err);
    wipe(&key, sizeof key);
    return st;
}

void key_keep_from_core(void)
{
    const struct rlimit none = {0, 0};

    /* The second is for cores that go to a program, which no limit stops. */
    (void)setrlimit(RLIMIT_CORE, &none);
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}
