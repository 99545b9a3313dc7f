/* Settings and where they come from. Knows no registry and no command. */
#include "config.h"

#include <errno.h>
#include <ini.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bounds.h"
#include "crew.h"

/* Beyond these the one thread of the database is what all wait for. */
enum { WORKERS_AUTO_MAX = 4 };
enum { READBACK_ONE_IN_MAX = 1000000, CERTIFICATE_DAYS_MAX = 36500 };

const struct config_setting config_settings[CONFIG_COUNT] = {
    [CONFIG_DB] = {"db", "OCOPD_DB", "/var/lib/ocopd/registry.db", "FILE", "the registry"},
    [CONFIG_LISTEN] = {"listen", "OCOPD_LISTEN", "tcp://127.0.0.1:7070", "ADDRESS[,ADDRESS]",
                       "where devices are served, at most 4 addresses"},
    [CONFIG_ADDRESS] = {"address", "OCOPD_ADDRESS", "", "ADDRESS",
                        "what invited devices connect to; else the first of listen"},
    [CONFIG_LOG_LEVEL] = {"log_level", "OCOPD_LOG_LEVEL", "info", "LEVEL",
                          "debug, info, warn or error"},
    [CONFIG_BATCH] = {"batch", "OCOPD_BATCH", "256", "N",
                      "requests that may share one transaction"},
    [CONFIG_QUEUE] =
        {"queue", "OCOPD_QUEUE", "8192", "KIB",
         "KiB of requests that may wait for their turn, 2 for each included; who comes "
         "when it is full is told to come back"},
    [CONFIG_WORKERS] = {"workers", "OCOPD_WORKERS", "auto", "N",
                        "threads that open requests and seal replies, 0 to 16; auto: one for each "
                        "processor but one, at most 4"},
    [CONFIG_READBACK] =
        {"readback", "OCOPD_READBACK", "64", "N",
         "read one change-set in N back once it is committed and check it; 0: none"},
    [CONFIG_CERTIFICATE_DAYS] =
        {"certificate_days", "OCOPD_CERTIFICATE_DAYS", "0", "DAYS",
         "how long the certificate of a device lasts, by which a restored registry knows it; it "
         "is renewed while the device syncs; 0: without an end"},
    [CONFIG_BLOBS] =
        {"blobs", "OCOPD_BLOBS", "", "DIR",
         "where the files of attachments are kept; else beside the registry, DB.blobs"},
    [CONFIG_OFFICER_FILES] = {"officer_files", "OCOPD_OFFICER_FILES", "20480", "MIB",
                              "MiB of files that one officer may have here; 0: any"},
    [CONFIG_THUMBNAILER] = {"thumbnailer", "OCOPD_THUMBNAILER", "", "FILE",
                            "the program ocop-thumbnail; else the one beside this program"},
};

static const char *const levels[] = {"debug", "info", "warn", "error"};
static const char *const sources[] = {"default", "file", "environment", "flag"};

void config_init(struct config *c)
{
    memset(c, 0, sizeof *c);
    for (int i = 0; i < CONFIG_COUNT; i++)
        (void)snprintf(c->value[i], sizeof c->value[i], "%s", config_settings[i].initial);
}

static bool is_address(const char *text, size_t len)
{
    static const char *const schemes[] = {"tcp://", "ws://"};

    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
        if (len > strlen(schemes[i]) && strncmp(text, schemes[i], strlen(schemes[i])) == 0)
            return memchr(text, ' ', len) == NULL;
    return false;
}

static bool is_address_list(const char *text)
{
    for (int n = 0; n < CONFIG_LISTEN_MAX; n++) {
        const size_t len = strcspn(text, ",");
        if (!is_address(text, len))
            return false;
        if (!text[len])
            return true;
        text += len + 1;
    }
    return false;
}

static enum ocop_status check_number(const char *name, const char *value, long low, long high,
                                     struct ocop_error *err)
{
    char *end;

    errno = 0;
    const long n = strtol(value, &end, 10);
    if (errno || end == value || *end || n < low || n > high)
        return err_set(err, OCOP_EINVAL, "%s: \"%.40s\" is not a number from %ld to %ld", name,
                       value, low, high);
    return OCOP_OK;
}

static enum ocop_status check_value(enum config_key key, const char *value, struct ocop_error *err)
{
    const char *name = config_settings[key].name;

    if (strlen(value) >= CONFIG_VALUE_MAX)
        return err_set(err, OCOP_EINVAL, "%s: longer than %d bytes", name, CONFIG_VALUE_MAX - 1);
    if (key == CONFIG_DB && !value[0])
        return err_set(err, OCOP_EINVAL, "%s: names no file", name);
    if (key == CONFIG_LISTEN && !is_address_list(value))
        return err_set(err, OCOP_EINVAL,
                       "%s: \"%.100s\" is not one to %d addresses such as tcp://0.0.0.0:7070", name,
                       value, CONFIG_LISTEN_MAX);
    if (key == CONFIG_ADDRESS && value[0] && !is_address(value, strlen(value)))
        return err_set(err, OCOP_EINVAL, "%s: \"%.100s\" is not such as tcp://ocop.example:7070",
                       name, value);
    if (key == CONFIG_LOG_LEVEL) {
        for (size_t i = 0; i < sizeof levels / sizeof *levels; i++)
            if (strcmp(value, levels[i]) == 0)
                return OCOP_OK;
        return err_set(err, OCOP_EINVAL, "%s: \"%.40s\" is not debug, info, warn or error", name,
                       value);
    }
    if (key == CONFIG_BATCH)
        return check_number(name, value, 1, BATCH_REQUESTS_MAX, err);
    if (key == CONFIG_QUEUE)
        return check_number(name, value, 1, QUEUE_BYTES_MAX / KIB(1), err);
    if (key == CONFIG_WORKERS && strcmp(value, "auto") != 0)
        return check_number(name, value, 0, CREW_THREADS_MAX, err);
    if (key == CONFIG_OFFICER_FILES)
        return check_number(name, value, 0, 1 << 30, err);
    if (key == CONFIG_READBACK)
        return check_number(name, value, 0, READBACK_ONE_IN_MAX, err);
    if (key == CONFIG_CERTIFICATE_DAYS)
        return check_number(name, value, 0, CERTIFICATE_DAYS_MAX, err);
    return OCOP_OK;
}

enum ocop_status config_set(struct config *c, enum config_key key, const char *value,
                            enum config_source source, struct ocop_error *err)
{
    enum ocop_status st = check_value(key, value, err);

    if (st == OCOP_OK && source >= c->source[key]) {
        (void)snprintf(c->value[key], sizeof c->value[key], "%s", value);
        c->source[key] = source;
    }
    return st;
}

struct reading {
    struct config *c;
    unsigned seen; /* a bit for each key */
    struct ocop_error first;
    bool failed;
};

static void complain(struct reading *r, const struct ocop_error *e)
{
    if (!r->failed)
        r->first = *e;
    r->failed = true;
}

/* 0 tells inih that this line is wrong; it remembers the first one. */
static int on_line(void *self, const char *section, const char *name, const char *value)
{
    struct reading *r = self;
    struct ocop_error e = {0};

    if (section[0]) {
        (void)err_set(&e, OCOP_EINVAL, "[%.40s]: there are no sections", section);
        complain(r, &e);
        return 0;
    }
    for (int i = 0; i < CONFIG_COUNT; i++) {
        if (strcmp(name, config_settings[i].name) != 0)
            continue;
        if (r->seen & (1u << i))
            (void)err_set(&e, OCOP_EINVAL, "%s is set twice", config_settings[i].name);
        else if (config_set(r->c, (enum config_key)i, value, CONFIG_FILE, &e) == OCOP_OK)
            e.status = OCOP_OK;
        r->seen |= 1u << i;
        if (e.status == OCOP_OK)
            return 1;
        complain(r, &e);
        return 0;
    }
    (void)err_set(&e, OCOP_EINVAL, "\"%.40s\" is not a setting; `ocopd run --help` lists them",
                  name);
    complain(r, &e);
    return 0;
}

enum ocop_status config_read(struct config *c, const char *path, bool optional,
                             struct ocop_error *err)
{
    struct reading r = {.c = c};

    FILE *f = fopen(path, "r");
    if (!f && optional && errno == ENOENT)
        return OCOP_OK;
    if (!f)
        return err_set(err, errno == ENOENT ? OCOP_ENOTFOUND : OCOP_EIO, "cannot read %s: %m",
                       path);
    const int line = ini_parse_file(f, on_line, &r);
    const bool unreadable = ferror(f) != 0;
    fclose(f);
    if (unreadable || line < 0)
        return err_set(err, OCOP_EIO, "cannot read %s", path);
    if (line > 0)
        return err_set(err, OCOP_EINVAL, "%s:%d: %s", path, line,
                       r.failed ? r.first.text : "is not \"name = value\"");
    snprintf(c->file, sizeof c->file, "%s", path);
    return OCOP_OK;
}

enum ocop_status config_environment(struct config *c, struct ocop_error *err)
{
    for (int i = 0; i < CONFIG_COUNT; i++) {
        /* NOLINTNEXTLINE(concurrency-mt-unsafe): nothing here sets the environment */
        const char *value = getenv(config_settings[i].variable);
        struct ocop_error e = {0};
        if (value && config_set(c, (enum config_key)i, value, CONFIG_ENV, &e) != OCOP_OK)
            return err_set(err, e.status, "%s in the environment: %s", config_settings[i].variable,
                           e.text);
    }
    return OCOP_OK;
}

enum config_key config_by_flag(const char *flag)
{
    if (strncmp(flag, "--", 2) != 0)
        return CONFIG_COUNT;
    for (int i = 0; i < CONFIG_COUNT; i++) {
        const char *a = flag + 2, *b = config_settings[i].name;
        while (*a && (*a == *b || (*a == '-' && *b == '_')))
            a++, b++;
        if (!*a && !*b)
            return (enum config_key)i;
    }
    return CONFIG_COUNT;
}

void config_show(const struct config *c, FILE *out)
{
    for (int i = 0; i < CONFIG_COUNT; i++) {
        fprintf(out, "%s = %s\t# %s", config_settings[i].name, c->value[i], sources[c->source[i]]);
        if (c->source[i] == CONFIG_ENV)
            fprintf(out, " %s", config_settings[i].variable);
        if (c->source[i] == CONFIG_FILE)
            fprintf(out, " %s", c->file);
        fputc('\n', out);
    }
}

enum env_level config_log_level(const struct config *c)
{
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++)
        if (strcmp(c->value[CONFIG_LOG_LEVEL], levels[i]) == 0)
            return (enum env_level)i;
    return ENV_INFO;
}

int config_batch(const struct config *c)
{
    return (int)strtol(c->value[CONFIG_BATCH], NULL, 10);
}

size_t config_queue(const struct config *c)
{
    return KIB(strtoul(c->value[CONFIG_QUEUE], NULL, 10));
}

int config_workers(const struct config *c)
{
    if (strcmp(c->value[CONFIG_WORKERS], "auto") != 0)
        return (int)strtol(c->value[CONFIG_WORKERS], NULL, 10);
    const long others = sysconf(_SC_NPROCESSORS_ONLN) - 1;
    return others < 1 ? 0 : others > WORKERS_AUTO_MAX ? WORKERS_AUTO_MAX : (int)others;
}

int config_readback(const struct config *c)
{
    return (int)strtol(c->value[CONFIG_READBACK], NULL, 10);
}

int config_certificate_days(const struct config *c)
{
    return (int)strtol(c->value[CONFIG_CERTIFICATE_DAYS], NULL, 10);
}

uint64_t config_officer_files(const struct config *c)
{
    return strtoull(c->value[CONFIG_OFFICER_FILES], NULL, 10);
}

void config_listen(const struct config *c, char storage[CONFIG_VALUE_MAX],
                   const char *out[CONFIG_LISTEN_MAX])
{
    size_t n = 0;

    memcpy(storage, c->value[CONFIG_LISTEN], CONFIG_VALUE_MAX);
    for (char *at = storage; at && n < CONFIG_LISTEN_MAX; n++) {
        char *comma = strchr(at, ',');
        if (comma)
            *comma = '\0';
        out[n] = at;
        at = comma ? comma + 1 : NULL;
    }
    if (n < CONFIG_LISTEN_MAX)
        out[n] = NULL;
}
