/* The daemon's settings: one table; a value comes from a flag, else the environment, else the
 * configuration file, else its default. The only user of inih. */
#ifndef SERVER_CONFIG_H
#define SERVER_CONFIG_H

#include <stdbool.h>
#include <stdio.h>

#include "env.h"
#include "err.h"

enum config_key {
    CONFIG_DB,
    CONFIG_LISTEN,
    CONFIG_ADDRESS,
    CONFIG_LOG_LEVEL,
    CONFIG_BATCH,
    CONFIG_QUEUE,
    CONFIG_WORKERS,
    CONFIG_READBACK,
    CONFIG_CERTIFICATE_DAYS,
    CONFIG_BLOBS,
    CONFIG_OFFICER_FILES,
    CONFIG_THUMBNAILER,
    CONFIG_COUNT
};
enum config_source { CONFIG_DEFAULT, CONFIG_FILE, CONFIG_ENV, CONFIG_FLAG };
enum { CONFIG_VALUE_MAX = 512, CONFIG_LISTEN_MAX = 4 };
#define CONFIG_PATH_DEFAULT "/etc/ocopd.conf"

struct config_setting {
    const char *name;     /* in the file, and "--name" with - for _ */
    const char *variable; /* in the environment */
    const char *initial;
    const char *argument; /* what --help calls its value */
    const char *help;
};
extern const struct config_setting config_settings[CONFIG_COUNT];

struct config {
    char value[CONFIG_COUNT][CONFIG_VALUE_MAX];
    enum config_source source[CONFIG_COUNT];
    char file[CONFIG_VALUE_MAX]; /* that was read; "" when none was */
};

void config_init(struct config *c);

/** Read a file of "name = value" lines over what is there. A missing file is an error unless
 *  `optional`.
 *  @return OCOP_ENOTFOUND, OCOP_EINVAL naming file and line */
OCOP_MUST_USE enum ocop_status config_read(struct config *c, const char *path, bool optional,
                                           struct ocop_error *err);

/** Take what the environment sets. */
OCOP_MUST_USE enum ocop_status config_environment(struct config *c, struct ocop_error *err);

/** Set one value; a lower source never replaces a higher one. Checks its form.
 *  @return OCOP_EINVAL */
OCOP_MUST_USE enum ocop_status config_set(struct config *c, enum config_key key, const char *value,
                                          enum config_source source, struct ocop_error *err);

/** The setting of this flag ("--log-level"), or CONFIG_COUNT. */
enum config_key config_by_flag(const char *flag);

/** Each value and where it comes from. */
void config_show(const struct config *c, FILE *out);

enum env_level config_log_level(const struct config *c);
int config_batch(const struct config *c);
/** Bytes of requests that may wait. */
size_t config_queue(const struct config *c);
/** Threads beside the one that serves. */
int config_workers(const struct config *c);

/** One set in so many is read back; 0: none. */
int config_readback(const struct config *c);
/** MiB of files that one officer may have here; 0: any. */
uint64_t config_officer_files(const struct config *c);

/** How long a device's certificate lasts; 0: without an end. */
int config_certificate_days(const struct config *c);

/** The addresses of `listen`, split in place in `storage`; ends with NULL. */
void config_listen(const struct config *c, char storage[CONFIG_VALUE_MAX],
                   const char *out[CONFIG_LISTEN_MAX]);

#endif
