/* The daemon's subcommands: one table says what each is called, what it takes and what --help
 * tells of it. */
#ifndef SERVER_COMMAND_H
#define SERVER_COMMAND_H

#include <stdio.h>

#include "config.h"
#include "keys.h"
#include "registry.h"

enum { COMMAND_OPTIONS_MAX = 16, COMMAND_OPERANDS_MAX = 4 };

struct command_option {
    const char *name;     /* "--from" */
    const char *argument; /* what --help calls its value; NULL: a switch */
    const char *help;
};

struct invocation;
struct command {
    const char *name;
    const char *operands; /* as --help shows them */
    const char *summary;
    size_t operands_min, operands_max;
    enum ocop_status (*run)(const struct invocation *in, struct ocop_error *err);
    struct command_option options[COMMAND_OPTIONS_MAX]; /* ends with a NULL name */
};

/* One call of a command: its table row with what the user gave. */
struct invocation {
    const struct command *command;
    struct config config;
    const char *values[COMMAND_OPTIONS_MAX]; /* of options; "" for a switch; NULL not given */
    const char *operands[COMMAND_OPERANDS_MAX];
    size_t operand_count;
    const struct env *env;
    FILE *out;
    bool *in_part; /* to be set by who fails though the main thing is done: exit code 3 */
};

/** Value of an option of this command's table row; NULL when not given. */
const char *command_value(const struct invocation *in, const char *option);
static inline bool command_has(const struct invocation *in, const char *option)
{
    return command_value(in, option) != NULL;
}

/** The same as a number. @return OCOP_EINVAL when it is not from lo to hi */
OCOP_MUST_USE enum ocop_status command_number(const struct invocation *in, const char *option,
                                              uint64_t initial, uint64_t lo, uint64_t hi,
                                              uint64_t *out, struct ocop_error *err);

/** Open the registry named by the settings; ENOTFOUND says to run `ocopd init`. */
OCOP_MUST_USE enum ocop_status command_open(const struct invocation *in, struct registry **out,
                                            struct ocop_error *err);

/** The keys beside it. */
OCOP_MUST_USE enum ocop_status command_keys(const struct invocation *in, struct server_keys *out,
                                            struct ocop_error *err);

/** "26734,26737" to ids of the units in force on a day; room for SCOPE_UNITS_MAX. */
OCOP_MUST_USE enum ocop_status command_units(struct registry *r, const char *codes, const char *day,
                                             struct id *out, size_t *count, struct ocop_error *err);

/** A device that is not revoked, by its number or id. */
OCOP_MUST_USE enum ocop_status command_device(struct registry *r, const char *text, struct id *out,
                                              struct ocop_error *err);

/** Read the command line, run, say what failed. The process's exit code: 0 done, 1 failed,
 *  2 wrong usage, 3 done in part: the database of a backup is whole, files were left out. */
int command_main(int argc, char **argv);

/* The rows of the table. */
enum ocop_status command_run(const struct invocation *in, struct ocop_error *err);
enum ocop_status command_init(const struct invocation *in, struct ocop_error *err);
enum ocop_status command_import(const struct invocation *in, struct ocop_error *err);
enum ocop_status command_invite(const struct invocation *in, struct ocop_error *err);
enum ocop_status command_status(const struct invocation *in, struct ocop_error *err);
enum ocop_status command_invitations(const struct invocation *in, struct ocop_error *err);
enum ocop_status command_devices(const struct invocation *in, struct ocop_error *err);
enum ocop_status command_revoke(const struct invocation *in, struct ocop_error *err);
enum ocop_status command_scope(const struct invocation *in, struct ocop_error *err);
enum ocop_status command_roles(const struct invocation *in, struct ocop_error *err);
enum ocop_status command_undecided(const struct invocation *in, struct ocop_error *err);
enum ocop_status command_move(const struct invocation *in, struct ocop_error *err);
enum ocop_status command_rights(const struct invocation *in, struct ocop_error *err);
enum ocop_status command_keys_change(const struct invocation *in, struct ocop_error *err);
enum ocop_status command_rekey_device(const struct invocation *in, struct ocop_error *err);
enum ocop_status command_wipe(const struct invocation *in, struct ocop_error *err);
enum ocop_status command_suspend(const struct invocation *in, struct ocop_error *err);
enum ocop_status command_resume(const struct invocation *in, struct ocop_error *err);
enum ocop_status command_show(const struct invocation *in, struct ocop_error *err);
enum ocop_status command_files(const struct invocation *in, struct ocop_error *err);
enum ocop_status command_log(const struct invocation *in, struct ocop_error *err);
enum ocop_status command_export(const struct invocation *in, struct ocop_error *err);
enum ocop_status command_cases(const struct invocation *in, struct ocop_error *err);
enum ocop_status command_case(const struct invocation *in, struct ocop_error *err);
enum ocop_status command_verify(const struct invocation *in, struct ocop_error *err);
enum ocop_status command_rebuild(const struct invocation *in, struct ocop_error *err);
enum ocop_status command_backup(const struct invocation *in, struct ocop_error *err);
enum ocop_status command_restore(const struct invocation *in, struct ocop_error *err);

#endif
