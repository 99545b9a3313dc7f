/* The command line of the field client: one table of options, one of commands, one of exit codes,
 * from which the help is printed too. Knows the library by ocop.h alone. */
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "input.h"
#include "key.h"

#define STORE_DEFAULT "field.ocop"

/* --- options --------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    char letter; /* 0: none */
    const char *argument;
    const char *text;
} options[OPT_COUNT] = {
    [OPT_STORE] = {"store", 's', "FILE", "the store; else $OCOP_STORE, else ./" STORE_DEFAULT},
    [OPT_KEY_FILE] = {"key-file", 0, "FILE",
                      "the file of the store's key, of mode 0600, or a descriptor as /dev/fd/3; "
                      "else $OCOP_KEY_FILE, else the key itself in $OCOP_KEY; 64 hexadecimal "
                      "digits, or a passphrase of 16 bytes or more"},
    [OPT_NEW_KEY_FILE] = {"new-key-file", 0, "FILE", "the file of the new key, as --key-file"},
    [OPT_NAME] = {"name", 'n', "NAME",
                  "what the office shall call this device; of attach, what the file is called"},
    [OPT_JSON_FROM] = {"json", 'j', "FILE", "fields as a JSON object, - for stdin"},
    [OPT_SET] = {"set", 'S', "FIELD=VALUE",
                 "one field over the JSON; may be repeated; \"FIELD=\" clears; a list's element is "
                 "LIST[KEY].FIELD"},
    [OPT_SUBMIT] = {"submit", 0, NULL, "submit it at once instead of keeping a draft"},
    [OPT_REASON] = {"reason", 'r', "TEXT", "why"},
    [OPT_KIND] = {"kind", 'k', "KIND", "records of this kind only"},
    [OPT_UNIT] = {"unit", 'u', "CODE|ID", "of this administrative unit"},
    [OPT_PRODUCT] = {"product", 'p', "NAME|ID", "of this product"},
    [OPT_PRODUCER] = {"producer", 'P', "NAME|ID", "of this producer"},
    [OPT_FROM] = {"from", 'f', "DATE", "on this day or later, such as 2026-08-05"},
    [OPT_TO] = {"to", 't', "DATE", "on this day or earlier"},
    [OPT_STATE] = {"state", 0, "STATE", "draft, waiting, accepted, merged, in_case or refused"},
    [OPT_TEXT] = {"text", 'w', "WORDS",
                  "with these words or beginnings of words, with or without diacritics"},
    [OPT_VOIDED] = {"voided", 0, NULL, "voided records too"},
    [OPT_LIMIT] = {"limit", 'l', "N", "at most so many records, 1 to 10000; else 100"},
    [OPT_OFFSET] = {"offset", 0, "N", "leave out so many records first"},
    [OPT_JSON] = {"json", 'j', NULL, "print JSON"},
    [OPT_CSV] = {"csv", 0, NULL, "print CSV"},
    [OPT_OUTPUT] = {"output", 'o', "FILE", "write to this file instead of stdout"},
    [OPT_STRICT] = {"strict", 0, NULL, "exit with 9 when something is refused, in a case or left"},
    [OPT_TIMEOUT] = {"timeout", 0, "SECONDS", "how long to wait for an answer; else 60"},
    [OPT_CONNECT_TIMEOUT] = {"connect-timeout", 0, "SECONDS",
                             "how long to wait for a connection; else 10"},
    [OPT_ROUND_TRIPS] = {"max-round-trips", 0, "N", "stop after so many; the next sync goes on"},
    [OPT_FORMER] = {"former", 0, "FILE",
                    "then send what waits in this store, of the officer who had the device before; "
                    "it is plain, or has the same key"},
    [OPT_PATIENCE] = {"patience", 0, "SECONDS",
                      "how long to wait for a busy server, which says when to come back; else 0"},
    [OPT_ROLE] = {"role", 0, "ROLE",
                  "photo, signature, document, laboratory_report or other; else photo for an image "
                  "and document for all else"},
    [OPT_CAPTION] = {"caption", 0, "TEXT", "what is to be seen"},
    [OPT_PLACE] = {"place", 0, "LAT,LON", "where, in degrees such as 12.4489,107.6301"},
    [OPT_SWEEP] = {"sweep", 0, NULL, "first remove files that no record names any more"},
    [OPT_KEEP] = {"keep", 0, "MIB",
                  "first let go of files that the registry holds until so many MiB are here"},
    [OPT_NO_FILES] = {"no-files", 0, NULL, "records only; files wait for another sync"},
    [OPT_STROKES] = {"strokes", 0, NULL,
                     "FILE is a signature as it was written: a line for each stroke, of points "
                     "X,Y,MS with spaces between; an SVG is made of it"},
    [OPT_THUMBNAIL] =
        {"thumbnail", 0, NULL,
         "a small picture of it instead, of which the registry makes one of each JPEG and PNG"},
    [OPT_SIDE] =
        {"side", 0, "PIXELS",
         "scale photos down until their longer side has so many; 0: keep them as they come"},
    [OPT_QUALITY] = {"quality", 0, "N", "30 to 100; else 80"},
    [OPT_STRIP] = {"strip", 0, NULL, "leave out time and place that the camera noted"},
    [OPT_ORIGINALS] = {"originals", 0, NULL, "attach the originals besides"},
    [OPT_ROOT_KEY] = {"root-key", 0, "HEX", "the registry's root key as its office published it"},
    [OPT_EXTRACT] = {"extract", 0, "FOLDER", "where attached files that it carries are written to"},
    [OPT_HELP] = {"help", 'h', NULL, "print this help"},
};

#define HAS(option) (UINT64_C(1) << (option))
_Static_assert(OPT_COUNT <= 64, "the options of a command are bits of 64");

enum {
    O_FIELDS = HAS(OPT_JSON_FROM) | HAS(OPT_SET),
    O_QUERY = HAS(OPT_UNIT) | HAS(OPT_PRODUCT) | HAS(OPT_PRODUCER) | HAS(OPT_FROM) | HAS(OPT_TO) |
              HAS(OPT_STATE) | HAS(OPT_TEXT) | HAS(OPT_VOIDED) | HAS(OPT_LIMIT) | HAS(OPT_OFFSET) |
              HAS(OPT_JSON) | HAS(OPT_CSV),
    O_ALL = HAS(OPT_STORE) | HAS(OPT_KEY_FILE) | HAS(OPT_HELP)
};

/* --- commands -------------------------------------------------------------------------------- */

struct command {
    const char *name, *usage, *summary;
    command_fn *run;
    uint64_t options; /* beside O_ALL */
    int words_min, words_max;
    bool no_store; /* it needs none, or makes it */
};

static const struct command commands[] = {
    {"init", "", "Make an empty store.", sync_init, 0, 0, 0, true},
    {"enrol", "CODE",
     "Enrol the store with an invitation's code; - reads it from stdin, where other users of this "
     "computer cannot see it.",
     sync_enrol, HAS(OPT_NAME), 1, 1, false},
    {"new", "KIND",
     "Make a record and keep it as a draft, or submit it. Prints its id; the paper number goes to "
     "stderr.",
     record_new, O_FIELDS | HAS(OPT_SUBMIT), 1, 1, false},
    {"edit", "ID", "Change the draft of a record, or begin the draft of an amendment.", record_edit,
     O_FIELDS, 1, 1, false},
    {"show", "ID", "Show a record with its state and cases; --json can be edited and given back.",
     view_show, HAS(OPT_JSON) | HAS(OPT_CSV), 1, 1, false},
    {"list", "KIND", "List the records of a kind, newest first.", view_list, O_QUERY, 1, 1, false},
    {"find", "", "Find records of all kinds, newest first.", view_list, O_QUERY | HAS(OPT_KIND), 0,
     0, false},
    {"submit", "ID", "Submit a draft; that of an amendment needs a reason.", record_submit,
     HAS(OPT_REASON), 1, 1, false},
    {"amend", "ID", "Amend a submitted record, with a reason.", record_amend,
     O_FIELDS | HAS(OPT_REASON), 1, 1, false},
    {"add", "ID LIST",
     "Add an element to a list that is open to others, such as custody of a sample. --json holds "
     "the element, --set its fields.",
     record_add, O_FIELDS | HAS(OPT_REASON), 2, 2, false},
    {"void", "ID", "Void a submitted record, with a reason. It stays, marked.", record_void,
     HAS(OPT_REASON), 1, 1, false},
    {"discard", "ID", "Discard the draft of a record, or its refused changes.", record_discard, 0,
     1, 1, false},
    {"sync", "", "Send and receive until nothing is left; Ctrl-C stops it and loses nothing.",
     sync_run,
     HAS(OPT_JSON) | HAS(OPT_CSV) | HAS(OPT_STRICT) | HAS(OPT_TIMEOUT) | HAS(OPT_CONNECT_TIMEOUT) |
         HAS(OPT_ROUND_TRIPS) | HAS(OPT_PATIENCE) | HAS(OPT_FORMER) | HAS(OPT_NO_FILES),
     0, 0, false},
    {"status", "[ID]", "Show the state of the store, or of one record.", view_status,
     HAS(OPT_JSON) | HAS(OPT_CSV), 0, 1, false},
    {"check", "",
     "Check the store's file for damage. Each finding names the row and says from what it can be "
     "had again: what the registry has, by enrolling a new store; what was not sent, by entering "
     "it "
     "again from the record.",
     view_check, 0, 0, 0, false},
    {"rekey", "", "Encrypt the store with another key, or, when it is plain, with a first one.",
     key_change, HAS(OPT_NEW_KEY_FILE), 0, 0, false},
    {"rekey-device", "",
     "Make new keys for this device and have the registry take them by a sync, in the place of the "
     "old ones.",
     sync_rekey_device, 0, 0, 0, false},
    {"export", "KIND|all", "Write all records of a kind or, as JSON, of all kinds.", export_run,
     HAS(OPT_JSON) | HAS(OPT_CSV) | HAS(OPT_OUTPUT), 1, 1, false},
    {"attach", "ID FILE",
     "Attach a photo, a signature or a document to a record. Prints the attachment's id; the file "
     "is "
     "copied and may go. - reads it from stdin.",
     file_attach,
     HAS(OPT_ROLE) | HAS(OPT_CAPTION) | HAS(OPT_NAME) | HAS(OPT_PLACE) | HAS(OPT_STROKES), 2, 2,
     false},
    {"files", "[ID]", "List what is attached, to one record or all, and where each file is.",
     file_list, HAS(OPT_JSON) | HAS(OPT_CSV) | HAS(OPT_SWEEP) | HAS(OPT_KEEP), 0, 1, false},
    {"images", "",
     "Show what becomes of photos that are attached; with options, say so: what is not named is as "
     "at first.",
     file_images, HAS(OPT_SIDE) | HAS(OPT_QUALITY) | HAS(OPT_STRIP) | HAS(OPT_ORIGINALS), 0, 0,
     false},
    {"fetch", "ID",
     "Write the file of an attachment, to stdout or --output; what is not here is first fetched "
     "from "
     "the registry.",
     file_fetch, HAS(OPT_OUTPUT) | HAS(OPT_THUMBNAIL), 1, 1, false},
    {"resend", "ID", "Send a refused change again as it is, its cause being gone.", record_resend,
     0, 1, 1, false},
    {"verify-evidence", "FILE",
     "Check what `ocopd export evidence` wrote, far from the registry, and tell its story.",
     evidence_run, HAS(OPT_ROOT_KEY) | HAS(OPT_EXTRACT) | HAS(OPT_JSON), 1, 1, true},
};
enum { COMMAND_COUNT = sizeof commands / sizeof *commands };

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

/* --- exit codes ------------------------------------------------------------------------------ */

#define IS(status) (UINT32_C(1) << (status))

static const struct {
    enum exit_code code;
    const char *text;
    uint32_t statuses;
} exit_rows[] = {
    {EXIT_DONE, "done", IS(OCOP_OK)},
    {EXIT_USAGE, "the command was called wrongly", 0},
    {EXIT_INVALID, "a field or an input is invalid", IS(OCOP_EINVAL) | IS(OCOP_ELIMIT)},
    {EXIT_NOT_FOUND, "no such store, record or kind", IS(OCOP_ENOTFOUND)},
    {EXIT_STATE, "not possible in this state, or not allowed to this officer",
     IS(OCOP_ESTATE) | IS(OCOP_EPERM) | IS(OCOP_ENOTENROLLED)},
    {EXIT_STORE, "the store, a file or memory failed; or check has findings",
     IS(OCOP_EDB) | IS(OCOP_EIO) | IS(OCOP_ENOMEM) | IS(OCOP_EBROKEN) | IS(OCOP_EDAMAGED)},
    {EXIT_NETWORK, "the server cannot be reached or does not answer",
     IS(OCOP_ENET) | IS(OCOP_ETIMEOUT)},
    {EXIT_CANCELLED, "cancelled", IS(OCOP_ECANCELLED)},
    {EXIT_REFUSED,
     "refused: wrong server, code or key, device revoked, suspended or wiped, or another version "
     "needed",
     IS(OCOP_EAUTH) | IS(OCOP_EREVOKED) | IS(OCOP_ESUSPENDED) | IS(OCOP_EWIPED) |
         IS(OCOP_EVERSION) | IS(OCOP_EPROTO) | IS(OCOP_EFORK)},
    {EXIT_UNSETTLED, "synced, but something is refused, in a case or left (sync --strict)", 0},
    {EXIT_BUSY, "busy; try again later", IS(OCOP_EBUSY)},
};
enum { EXIT_ROW_COUNT = sizeof exit_rows / sizeof *exit_rows };

static enum exit_code exit_of(enum ocop_status status)
{
    for (size_t i = 0; i < EXIT_ROW_COUNT; i++)
        if ((unsigned)status < 32 && exit_rows[i].statuses & IS(status))
            return exit_rows[i].code;
    return EXIT_STORE;
}

/* --- errors ---------------------------------------------------------------------------------- */

enum ocop_status command_fail(struct ocop_error *err, enum ocop_status status, const char *field,
                              const char *format, ...)
{
    va_list args;

    err->status = status;
    (void)snprintf(err->field, sizeof err->field, "%s", field ? field : "");
    va_start(args, format);
    (void)vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    return status;
}

enum ocop_status command_usage(struct session *s, struct ocop_error *err, const char *format, ...)
{
    va_list args;

    s->exit_code = EXIT_USAGE;
    err->status = OCOP_EINVAL;
    err->field[0] = '\0';
    va_start(args, format);
    (void)vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    return OCOP_EINVAL;
}

void command_note(const char *format, ...)
{
    char text[1024];
    struct out safe = {0};
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    out_plain(&safe, text, false);
    (void)fprintf(stderr, "ocop: %s\n", out_text(&safe));
    out_fini(&safe);
}

static void print_error(const struct ocop_error *err)
{
    command_note("%s%s%s", err->field, *err->field ? ": " : "",
                 *err->text ? err->text : ocop_status_name(err->status));
}

/* --- help ------------------------------------------------------------------------------------ */

/* Text in lines of 78 columns, the first behind what stands there already. */
static void wrap(const char *text, size_t indent, struct out *o)
{
    enum { COLUMNS = 78 };
    size_t at = indent;

    while (*text) {
        size_t word = strcspn(text, " ");
        if (at > indent && at + 1 + word > COLUMNS) {
            out_str(o, "\n");
            out_spaces(o, indent);
            at = indent;
        } else if (at > indent) {
            out_str(o, " ");
            at++;
        }
        out_put(o, text, word);
        at += word;
        text += word + (text[word] == ' ');
    }
    out_str(o, "\n");
}

static void help_row(const char *name, size_t width, const char *text, struct out *o)
{
    size_t len = strlen(name);

    out_printf(o, "  %s", name);
    if (len > width) {
        out_str(o, "\n");
        out_spaces(o, width + 4);
    } else {
        out_spaces(o, width + 2 - len);
    }
    wrap(text, width + 4, o);
}

static void help_kinds(struct out *o)
{
    struct out kinds = {0};

    for (size_t i = 0; input_kinds[i]; i++)
        out_printf(&kinds, "%s%s", i ? ", " : "", input_kinds[i]);
    out_str(o, "\nKinds: ");
    wrap(out_text(&kinds), 7, o);
    out_fini(&kinds);
}

static void help(struct out *o)
{
    char code[8];

    out_str(o, "Usage: ocop [--store FILE] COMMAND [ARGUMENTS]\n\n");
    wrap("Record inspections, samples and environmental checks offline; sync when there is signal.",
         0, o);
    out_str(o, "\nCommands:\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        help_row(commands[i].name, 15, commands[i].summary, o);
    out_str(o, "\nOptions:\n");
    help_row("-s, --store FILE", 18, options[OPT_STORE].text, o);
    help_row("    --key-file FILE", 18, options[OPT_KEY_FILE].text, o);
    help_row("-h, --help", 18, "print this help; ocop COMMAND --help prints that of a command", o);
    help_row("    --version", 18, "print the version", o);
    out_str(o, "\nID is a record's id, or a paper number or name that only one record has.\n");
    help_kinds(o);
    out_str(o, "\nExit codes:\n");
    for (size_t i = 0; i < EXIT_ROW_COUNT; i++) {
        (void)snprintf(code, sizeof code, "%d", (int)exit_rows[i].code);
        help_row(code, 2, exit_rows[i].text, o);
    }
}

static void help_command(const struct command *c, struct out *o)
{
    char name[64];

    out_printf(o, "Usage: ocop %s%s%s [OPTIONS]\n\n", c->name, *c->usage ? " " : "", c->usage);
    wrap(c->summary, 0, o);
    out_str(o, "\nOptions:\n");
    for (int i = 0; i < OPT_COUNT; i++) {
        char letter[8] = "   ";
        if (!((c->options | O_ALL) & HAS(i)))
            continue;
        if (options[i].letter)
            (void)snprintf(letter, sizeof letter, "-%c,", options[i].letter);
        (void)snprintf(name, sizeof name, "%s --%s%s%s", letter, options[i].name,
                       options[i].argument ? " " : "",
                       options[i].argument ? options[i].argument : "");
        help_row(name, 22, options[i].text, o);
    }
    if (strstr(c->usage, "KIND") || c->options & HAS(OPT_KIND))
        help_kinds(o);
}

/* --- arguments ------------------------------------------------------------------------------- */

enum { LONG_BASE = 256 }; /* above every letter */

static int option_of(int got, uint64_t allowed)
{
    for (int i = 0; i < OPT_COUNT; i++)
        if (allowed & HAS(i) && (got == LONG_BASE + i || (got && got == options[i].letter)))
            return i;
    return OPT_COUNT;
}

/* What getopt_long takes, made of the table: "+" stops at the first word, ":" tells an option
 * without its argument from an unknown one. */
struct getopt_tables {
    char letters[3 + 2 * OPT_COUNT];
    struct option names[OPT_COUNT + 2];
};

/* `out` is zero. */
static void make_tables(uint64_t allowed, bool top, struct getopt_tables *out)
{
    char *letter = out->letters;
    size_t n = 0;

    if (top)
        *letter++ = '+';
    *letter++ = ':';
    for (int i = 0; i < OPT_COUNT; i++) {
        if (!(allowed & HAS(i)))
            continue;
        int argument = options[i].argument ? required_argument : no_argument;
        out->names[n++] = (struct option){options[i].name, argument, NULL, LONG_BASE + i};
        if (!options[i].letter)
            continue;
        *letter++ = options[i].letter;
        if (options[i].argument)
            *letter++ = ':';
    }
    if (top)
        out->names[n++] = (struct option){"version", no_argument, NULL, LONG_BASE + OPT_COUNT};
}

/* The options of argv, from behind its first word; `optind` is that of the first word behind them.
 * *version is set by --version, which only the top has. */
static enum ocop_status read_options(struct session *s, int argc, char **argv, uint64_t allowed,
                                     bool *version, struct ocop_error *err)
{
    struct getopt_tables tables = {0};
    int got;

    make_tables(allowed, version != NULL, &tables);
    opterr = 0;
    optind = 0; /* begin anew, whatever was read before */
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): before any other thread */
    while ((got = getopt_long(argc, argv, tables.letters, tables.names, NULL)) != -1) {
        int option = option_of(got, allowed);
        const char *word = argv[optind - 1];
        if (got == ':')
            return command_usage(s, err, "%s needs an argument", word);
        if (got == LONG_BASE + OPT_COUNT && version)
            *version = true;
        else if (option == OPT_COUNT && optopt > 0 && optopt < LONG_BASE)
            return command_usage(s, err, "there is no option -%c here; see --help", optopt);
        else if (option == OPT_COUNT)
            return command_usage(s, err, "there is no option %s here; see --help", word);
        else if (option == OPT_SET)
            s->sets[s->set_count++] = optarg;
        else
            s->value[option] = optarg ? optarg : "";
    }
    return OCOP_OK;
}

static enum ocop_status read_words(struct session *s, const struct command *c, int argc,
                                   char **argv, struct ocop_error *err)
{
    s->words = argv + optind;
    s->word_count = argc - optind;
    if (s->word_count < c->words_min)
        return command_usage(s, err, "usage: ocop %s %s; see ocop %s --help", c->name, c->usage,
                             c->name);
    if (s->word_count > c->words_max)
        return command_usage(s, err, "\"%s\" is one argument too many; see ocop %s --help",
                             s->words[c->words_max], c->name);
    return OCOP_OK;
}

/* --- running --------------------------------------------------------------------------------- */

static enum ocop_status open_store(struct session *s, struct ocop_error *err)
{
    enum ocop_status st = key_open_store(s, true, err);

    if (st == OCOP_ENOTFOUND)
        return command_fail(err, st, NULL,
                            "there is no store at %s; make one with ocop init, or name it with "
                            "--store",
                            s->path);
    return st;
}

static enum ocop_status run_command(struct session *s, const struct command *c, int argc,
                                    char **argv, struct ocop_error *err)
{
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): nothing here sets the environment */
    const char *env = getenv("OCOP_STORE");
    enum ocop_status st = read_options(s, argc, argv, c->options | O_ALL, NULL, err);

    if (!st && s->value[OPT_HELP]) {
        help_command(c, &s->out);
        return OCOP_OK;
    }
    if (!st)
        st = read_words(s, c, argc, argv, err);
    if (!st && s->value[OPT_JSON] && s->value[OPT_CSV])
        st = command_usage(s, err, "give --json or --csv, not both");
    if (st)
        return st;
    s->path = s->value[OPT_STORE] ? s->value[OPT_STORE] : env && *env ? env : STORE_DEFAULT;
    if (!c->no_store)
        st = open_store(s, err);
    return st ? st : c->run(s, err);
}

static enum ocop_status run(struct session *s, int argc, char **argv, struct ocop_error *err)
{
    bool version = false;
    const struct command *c;
    enum ocop_status st = read_options(s, argc, argv, O_ALL, &version, err);

    if (st)
        return st;
    if (version) {
        out_printf(&s->out, "ocop %s\n", ocop_version());
        return OCOP_OK;
    }
    if (s->value[OPT_HELP]) {
        help(&s->out);
        return OCOP_OK;
    }
    if (optind >= argc)
        return command_usage(s, err, "no command was given; see ocop --help");
    c = find_command(argv[optind]);
    if (!c)
        return command_usage(s, err, "\"%s\" is no command; see ocop --help", argv[optind]);
    return run_command(s, c, argc - optind, argv + optind, err);
}

/* All that the command printed; what cannot be written is an error, not a short result. */
static enum ocop_status flush(struct session *s, enum ocop_status st, struct ocop_error *err)
{
    bool written = out_write(&s->out, stdout);

    if (fflush(stdout) != 0 || ferror(stdout))
        written = false;
    if (st || (written && !s->out.failed))
        return st;
    return command_fail(err, s->out.failed ? OCOP_ENOMEM : OCOP_EIO, NULL,
                        s->out.failed ? "out of memory" : "the result cannot be written");
}

int main(int argc, char **argv)
{
    struct session s = {.exit_code = EXIT_DONE};
    struct ocop_error err = {0};
    enum ocop_status st;
    enum exit_code code;

    key_keep_from_core();
    s.sets = calloc((size_t)argc + 1, sizeof *s.sets);
    if (!s.sets)
        st = command_fail(&err, OCOP_ENOMEM, NULL, "out of memory");
    else
        st = run(&s, argc, argv, &err);
    st = flush(&s, st, &err);
    if (st)
        print_error(&err);
    code = st && s.exit_code != EXIT_DONE ? s.exit_code : exit_of(st);
    ocop_close(s.former);
    ocop_close(s.store);
    out_fini(&s.out);
    free(s.sets);
    return (int)code;
}
