/* Command lines: the table of subcommands, reading arguments, --help, and the one place where a
 * failure becomes a line on stderr. Knows nothing of what a command does. */
#include "command.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backup.h"
#include "show.h"

static const struct command commands[] = {
    {"run",
     "",
     "serve devices until SIGTERM",
     0,
     0,
     command_run,
     {{"--show-config", NULL, "print each setting and its source, and end"},
      {"--init", NULL, "make the registry when there is none"},
      {"--name", "NAME", "with --init: what the registry is called"}}},
    {"init",
     "",
     "make a new registry and its keys",
     0,
     0,
     command_init,
     {{"--name", "NAME", "what the registry is called"}}},
    {"import",
     "units|officers|producers|products|certificates FILE.csv",
     "take master data from a file",
     2,
     2,
     command_import,
     {{"--from", "DATE", "units: first day of validity"},
      {"--to", "DATE", "units: last day of validity"},
      {"--mapping", "FILE.csv", "units: what became of the units before"},
      {"--skip-bad", NULL, "leave wrong lines out instead of importing nothing"},
      {"--ignore-columns", NULL, "leave unknown columns out"},
      {"--dry-run", NULL, "check everything, write nothing"}}},
    {"invite",
     "",
     "make an invitation for one device",
     0,
     0,
     command_invite,
     {{"--officer", "NAME|ID", "who will use the device"},
      {"--new-officer", "NAME", "the same, who is not in the registry yet"},
      {"--role", "ROLE[,ROLE]", "of the new officer"},
      {"--agency", "NAME", "of the new officer"},
      {"--unit", "CODE[,CODE]", "units whose records the device receives and may write"},
      {"--from", "DATE", "take the units in force on this day instead of today"},
      {"--days", "N", "how long the code can be used; 7"},
      {"--no-qr", NULL, "print the code as text only"}}},
    {"invitations",
     "[revoke ID]",
     "list invitations and who tried them in vain, or take an unused one back",
     0,
     2,
     command_invitations,
     {{"--json", NULL, "for programs"}}},
    {"devices",
     "",
     "list devices: who uses them, when they were heard of and what waits there",
     0,
     0,
     command_devices,
     {{"--silent", "DAYS", "only those not heard of for so many days"},
      {"--json", NULL, "for programs"}}},
    {"revoke",
     "NUMBER|ID",
     "take a device's rights; its unsent work is kept for judgement",
     1,
     1,
     command_revoke,
     {{"--reason", "TEXT", "why; shown on the device"}}},
    {"scope",
     "NUMBER|ID",
     "give a device other units, or single records",
     1,
     1,
     command_scope,
     {{"--unit", "CODE[,CODE]", "these units in place of those it has"},
      {"--record", "ID[,ID]|none", "and these single records"},
      {"--from", "DATE", "take the units in force on this day instead of today"},
      {"--reason", "TEXT", "why; stays in the log"}}},
    {"roles",
     "OFFICER ROLE[:FROM:TO][,ROLE]",
     "give an officer these roles in place of those held; \"\" takes all",
     2,
     2,
     command_roles,
     {{"--reason", "TEXT", "why; stays in the log"}}},
    {"undecided",
     "",
     "list producers, products and certificates of units that were split",
     0,
     0,
     command_undecided,
     {{0}}},
    {"move",
     "KIND ID|NUMBER|NAME",
     "say in which unit a record lies now",
     2,
     2,
     command_move,
     {{"--unit", "CODE", "the unit, as of today"}, {"--reason", "TEXT", "why; stays in the log"}}},
    {"rights", "", "print which role may do what", 0, 0, command_rights, {{0}}},
    {"wipe",
     "NUMBER|ID",
     "have a device wipe its store at its next sync, when it has sent what waits there",
     1,
     1,
     command_wipe,
     {{"--reason", "TEXT", "why; shown on the device"},
      {"--now", NULL, "whether or not it has sent everything"}}},
    {"keys",
     "show|rotate|rotate-sign|detach|sign|install|next-root|take-root [TEXT|FILE]",
     "show and change the registry's keys; the root may be kept on another machine",
     1,
     2,
     command_keys_change,
     {{"--root", "FILE", "the root's file: made by detach, used by rotate and sign"},
      {"--keep", "DAYS", "rotate, install: how long the key before is accepted; 400"}}},
    {"rekey-device",
     "NUMBER|ID",
     "have a device change its keys at its next sync",
     1,
     1,
     command_rekey_device,
     {{"--reason", "TEXT", "why; stands in the log"}}},
    {"suspend",
     "NUMBER|ID",
     "let a device wait: it reads nothing, what it sends is put aside until it is resumed",
     1,
     1,
     command_suspend,
     {{"--reason", "TEXT", "why; shown on the device"}}},
    {"resume",
     "NUMBER|ID",
     "let a suspended device go on, and take in what it sent meanwhile",
     1,
     1,
     command_resume,
     {{"--reason", "TEXT", "why; stands in the log"}}},
    {"show",
     "[KIND [ID|NUMBER|NAME]]",
     "count, list or show records",
     0,
     2,
     command_show,
     {{"--json", NULL, "for programs"}, {"--csv", NULL, "for spreadsheets"}}},
    {"files",
     "[list|verify|sweep|retain|hold RECORD|release RECORD|thumbnails]",
     "list attachments and where each file is; read them all; remove those that nothing names, or "
     "that are old; make small pictures of those that have none",
     0,
     2,
     command_files,
     {{"--missing", NULL, "list: only those whose file is not whole here"},
      {"--device", "NUMBER", "list: only those of this device"},
      {"--record", "ID", "list: only those of this record"},
      {"--by-device", NULL, "list: what each device has still to bring, and since when"},
      {"--json", NULL, "list: for programs"},
      {"--mend", NULL, "verify: take what is not whole from backups, or ask devices for it"},
      {"--parts-older", "DAYS", "sweep: forget chunks of what nobody went on with; it begins anew"},
      {"--restored", NULL,
       "sweep: also what a device may name that has not synced since a restore"},
      {"--older-than", "DAYS", "retain: what nothing was changed of for so long; 366 at least"},
      {"--role", "ROLE", "retain: only attachments of this role"},
      {"--kind", "KIND", "retain: only those of records of this kind"},
      {"--dry-run", NULL, "retain: tell, and remove nothing"},
      {"--officer", "OFFICER", "retain: who orders it; else the only one who may decide"},
      {"--reason", "TEXT", "retain, hold: why, for the log"}}},
    {"log",
     "[show RECORD]",
     "list change-sets, or tell the story of one record",
     0,
     2,
     command_log,
     {{"--from", "VERSION", "begin here; 1"},
      {"--limit", "N", "at most so many; 100"},
      {"--json", NULL, "of a record: for programs"}}},
    {"export",
     "evidence RECORD|root-key",
     "write all that proves one record's story, or the key by which it is checked",
     1,
     2,
     command_export,
     {{"--out", "FILE", "a new file for the evidence; else standard output"},
      {"--files-max", "MIB", "most of attached files that it carries; 0: none; else all"},
      {"--root", "FILE", "the root's file, where it is kept elsewhere"}}},
    {"cases",
     "",
     "list open cases",
     0,
     0,
     command_cases,
     {{"--all", NULL, "resolved ones too"}, {"--json", NULL, "for programs"}}},
    {"case",
     "show|resolve ID",
     "show or resolve one case",
     2,
     2,
     command_case,
     {{"--take", "theirs|mine", "the value that shall stand"},
      {"--value", "JSON", "or this one"},
      {"--reason", "TEXT", "why"},
      {"--officer", "NAME|ID", "who decides; needed where several may"}}},
    {"status",
     "",
     "print where the registry stands, and what reading back found",
     0,
     0,
     command_status,
     {{0}}},
    {"verify",
     "",
     "check file, log, signatures, rows and tables; say from what they can be had again",
     0,
     0,
     command_verify,
     {{0}}},
    {"rebuild",
     "",
     "make the registry anew from its log",
     0,
     0,
     command_rebuild,
     {{"--into", "FILE", "the new registry"}}},
    {"backup",
     "",
     "copy the registry while it is being used; exit code 3: without files that are damaged or "
     "lost",
     0,
     0,
     command_backup,
     {{"--to", "FILE", "the copy"}, {"--with-keys", NULL, "copy the secret keys too"}}},
    {"restore",
     "",
     "put a backup in the registry's place; exit code 3: without files that are damaged or lost",
     0,
     0,
     command_restore,
     {{"--from", "FILE", "the backup"}, {"--replace", NULL, "move the present file aside"}}},
};
enum { COMMAND_COUNT = sizeof commands / sizeof *commands };

/* --- help
 * ------------------------------------------------------------------------------------------------
 */

static void help_all(FILE *out)
{
    fputs("usage: ocopd COMMAND [OPTION]...\n\n", out);
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        fprintf(out, "  %-9s %s\n", commands[i].name, commands[i].summary);
    fputs("\n`ocopd COMMAND --help` tells more.\n"
          "Exit codes: 0 done, 1 failed, 2 the command was called wrongly;\n"
          "of backup and restore also 3: all is done, but files are left out that are damaged or "
          "lost.\n",
          out);
}

static void help_option(FILE *out, const char *name, const char *argument, const char *help)
{
    char left[160];

    snprintf(left, sizeof left, "%s%s%s", name, argument ? " " : "", argument ? argument : "");
    fprintf(out, "  %-26s %s\n", left, help);
}

static void help_command(FILE *out, const struct command *c)
{
    char flag[64];

    fprintf(out, "usage: ocopd %s%s%s [OPTION]...\n%s\n\n", c->name, c->operands[0] ? " " : "",
            c->operands, c->summary);
    for (size_t i = 0; i < COMMAND_OPTIONS_MAX && c->options[i].name; i++)
        help_option(out, c->options[i].name, c->options[i].argument, c->options[i].help);
    fputs("\nSettings: flag, else environment, else file, else default.\n", out);
    help_option(out, "--config", "FILE", "configuration file; " CONFIG_PATH_DEFAULT " when there");
    for (int i = 0; i < CONFIG_COUNT; i++) {
        const struct config_setting *s = &config_settings[i];
        snprintf(flag, sizeof flag, "--%s", s->name);
        for (char *p = flag; *p; p++)
            if (*p == '_')
                *p = '-';
        help_option(out, flag, s->argument, s->help);
        fprintf(out, "  %-26s   %s; default %s\n", "", s->variable,
                s->initial[0] ? s->initial : "none");
    }
}

/* --- arguments --- */

const char *command_value(const struct invocation *in, const char *option)
{
    for (size_t i = 0; i < COMMAND_OPTIONS_MAX && in->command->options[i].name; i++)
        if (strcmp(in->command->options[i].name, option) == 0)
            return in->values[i];
    return NULL;
}

enum ocop_status command_number(const struct invocation *in, const char *option, uint64_t initial,
                                uint64_t lo, uint64_t hi, uint64_t *out, struct ocop_error *err)
{
    const char *text = command_value(in, option);
    char *end;

    *out = initial;
    if (!text)
        return OCOP_OK;
    errno = 0;
    *out = strtoull(text, &end, 10);
    if (errno || end == text || *end || text[0] == '-' || *out < lo || *out > hi)
        return err_set(err, OCOP_EINVAL, "%s \"%.40s\" is not a number from %llu to %llu", option,
                       text, (unsigned long long)lo, (unsigned long long)hi);
    return OCOP_OK;
}

struct given {
    const char *config_file;
    const char *settings[CONFIG_COUNT];
    bool help;
};

/* The value of an option: behind "=", or the next argument. */
static enum ocop_status take_value(const char *name, const char *equals, int argc, char **argv,
                                   int *at, const char **out, struct ocop_error *err)
{
    if (equals)
        *out = equals + 1;
    else if (*at + 1 < argc)
        *out = argv[++*at];
    else
        return err_set(err, OCOP_EINVAL, "%s needs a value", name);
    return OCOP_OK;
}

static enum ocop_status take_option(struct invocation *in, struct given *given, int argc,
                                    char **argv, int *at, struct ocop_error *err)
{
    char name[64];
    const char *arg = argv[*at], *equals = strchr(arg, '=');
    const size_t len = equals ? (size_t)(equals - arg) : strlen(arg);

    snprintf(name, sizeof name, "%.*s", (int)(len < 63 ? len : 63), arg);
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
        given->help = true;
        return OCOP_OK;
    }
    for (size_t i = 0; i < COMMAND_OPTIONS_MAX && in->command->options[i].name; i++) {
        const struct command_option *o = &in->command->options[i];
        if (strcmp(o->name, name) != 0)
            continue;
        if (o->argument)
            return take_value(name, equals, argc, argv, at, &in->values[i], err);
        if (equals)
            return err_set(err, OCOP_EINVAL, "%s takes no value", name);
        in->values[i] = "";
        return OCOP_OK;
    }
    if (strcmp(name, "--config") == 0)
        return take_value(name, equals, argc, argv, at, &given->config_file, err);
    const enum config_key key = config_by_flag(name);
    if (key != CONFIG_COUNT)
        return take_value(name, equals, argc, argv, at, &given->settings[key], err);
    return err_set(err, OCOP_EINVAL, "%s is no option; see `ocopd %s --help`", name,
                   in->command->name);
}

static enum ocop_status take_arguments(struct invocation *in, struct given *given, int argc,
                                       char **argv, struct ocop_error *err)
{
    enum ocop_status st = OCOP_OK;
    bool options = true;

    for (int i = 2; i < argc && st == OCOP_OK; i++) {
        if (options && strcmp(argv[i], "--") == 0)
            options = false;
        else if (options && argv[i][0] == '-' && argv[i][1])
            st = take_option(in, given, argc, argv, &i, err);
        else if (in->operand_count == in->command->operands_max)
            st = err_set(err, OCOP_EINVAL, "\"%.60s\" is too much; see `ocopd %s --help`", argv[i],
                         in->command->name);
        else
            in->operands[in->operand_count++] = argv[i];
    }
    if (st == OCOP_OK && !given->help && in->operand_count < in->command->operands_min)
        st = err_set(err, OCOP_EINVAL, "%s needs %s", in->command->name, in->command->operands);
    return st;
}

static enum ocop_status take_settings(struct invocation *in, const struct given *given,
                                      struct ocop_error *err)
{
    config_init(&in->config);
    enum ocop_status st =
        config_read(&in->config, given->config_file ? given->config_file : CONFIG_PATH_DEFAULT,
                    given->config_file == NULL, err);
    if (st == OCOP_OK)
        st = config_environment(&in->config, err);
    for (int i = 0; i < CONFIG_COUNT && st == OCOP_OK; i++)
        if (given->settings[i])
            st = config_set(&in->config, (enum config_key)i, given->settings[i], CONFIG_FLAG, err);
    return st;
}

/* --- for the commands --- */

/* Where contents are kept, when the settings say so: a file system that several machines share. */
static enum ocop_status blobs_place(const struct invocation *in, struct registry *r,
                                    struct ocop_error *err)
{
    const char *path = in->config.value[CONFIG_BLOBS];

    r->officer_blobs_max = (uint64_t)MIB(1) * config_officer_files(&in->config);
    return *path ? content_dir_init(&r->blobs, path, NULL, in->env, err) : OCOP_OK;
}

enum ocop_status command_open(const struct invocation *in, struct registry **out,
                              struct ocop_error *err)
{
    const char *path = in->config.value[CONFIG_DB];
    struct ocop_error e = {0};

    *out = NULL;
    if (access(path, F_OK) != 0)
        return err_set(err, OCOP_ENOTFOUND, "there is no registry %.200s; `ocopd init` makes one",
                       path);
    enum ocop_status st = registry_open(path, false, in->env, NULL, out, &e);
    if (st == OCOP_OK)
        st = blobs_place(in, *out, &e);
    if (st != OCOP_OK) {
        registry_close(*out);
        *out = NULL;
        return err_set(err, st, "%.250s", e.text);
    }
    if (id_is_zero(&(*out)->self)) {
        registry_close(*out);
        *out = NULL;
        return err_set(err, OCOP_ESTATE, "%.200s is empty; remove it and run `ocopd init`", path);
    }
    return backup_beside(path, ".ledger", (*out)->ledger, err);
}

enum ocop_status command_keys(const struct invocation *in, struct server_keys *out,
                              struct ocop_error *err)
{
    char path[BACKUP_PATH_MAX];

    enum ocop_status st = backup_beside(in->config.value[CONFIG_DB], ".keys", path, err);
    return st == OCOP_OK ? keys_load(path, out, err) : st;
}

static int fail(const struct ocop_error *err, int code)
{
    fputs("ocopd: ", stderr);
    show_text(stderr, span_str(err->text[0] ? err->text : err_name(err->status)));
    fputc('\n', stderr);
    return code;
}

int command_main(int argc, char **argv)
{
    bool in_part = false;
    struct invocation in = {.env = env_system(), .out = stdout, .in_part = &in_part};
    struct given given = {0};
    struct ocop_error err = {0};

    keys_keep_from_core();
    if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
        help_all(argc < 2 ? stderr : stdout);
        return argc < 2 ? 2 : 0;
    }
    for (size_t i = 0; i < COMMAND_COUNT && !in.command; i++)
        if (strcmp(commands[i].name, argv[1]) == 0)
            in.command = &commands[i];
    if (!in.command) {
        (void)!err_set(&err, OCOP_EINVAL, "\"%.60s\" is no command; `ocopd --help` lists them",
                       argv[1]);
        return fail(&err, 2);
    }
    if (take_arguments(&in, &given, argc, argv, &err) != OCOP_OK)
        return fail(&err, 2);
    if (given.help) {
        help_command(stdout, in.command);
        return 0;
    }
    if (take_settings(&in, &given, &err) != OCOP_OK)
        return fail(&err, 2);
    env_log_level(config_log_level(&in.config));
    if (in.command->run(&in, &err) != OCOP_OK)
        return fail(&err, in_part ? 3 : 1);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        (void)!err_set(&err, OCOP_EIO, "cannot write the output: %m");
        return fail(&err, 1);
    }
    return 0;
}
