/* status, verify, rebuild, backup, restore: trust in the file. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backup.h"
#include "blobs_copy.h"
#include "command.h"
#include "query.h"
#include "readback.h"
#include "replay.h"
#include "text.h"
#include "verify_files.h"

static void remove_scratch(const char *folder, const char *file)
{
    static const char *const parts[] = {"", "-wal", "-shm"};
    char name[BACKUP_PATH_MAX];

    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (backup_beside(file, parts[i], name, NULL) == OCOP_OK)
            unlink(name);
    rmdir(folder);
}

/* Replays into a private folder beside the registry: it may need as much room. */
static enum ocop_status compare(const struct invocation *in, struct registry *r,
                                struct replay_result *result, struct ocop_error *err)
{
    char folder[BACKUP_PATH_MAX], file[BACKUP_PATH_MAX + 16];

    enum ocop_status st = backup_beside(r->path, ".verify-XXXXXX", folder, err);
    if (st != OCOP_OK)
        return st;
    if (!mkdtemp(folder))
        return err_set(err, OCOP_EIO, "cannot make a folder beside %.200s to replay the log in",
                       in->config.value[CONFIG_DB]);
    snprintf(file, sizeof file, "%s/replayed", folder);
    st = replay_compare(r, file, result, err);
    remove_scratch(folder, file);
    return st;
}

enum ocop_status command_status(const struct invocation *in, struct ocop_error *err)
{
    struct registry *r = NULL;
    struct readback_note note;
    uint64_t version = 0;
    char lineage[ID_TEXT_LEN + 1], day[11];

    enum ocop_status st = command_open(in, &r, err);
    if (st == OCOP_OK)
        st = registry_version(r, &version, err);
    if (st == OCOP_OK)
        st = readback_noted(r, &note, err);
    if (st == OCOP_OK) {
        fprintf(in->out, "version: %llu\nlineage: %s\n", (unsigned long long)version,
                id_text(r->lineage, lineage));
        if (note.count == 0)
            fputs("read back: nothing damaged was found\n", in->out);
        else
            fprintf(in->out,
                    "read back: %llu damaged change-sets, last on %s version %llu: %s; run `ocopd "
                    "verify`\n",
                    (unsigned long long)note.count, text_day_of(note.found_ms, day),
                    (unsigned long long)note.version, note.text);
    }
    registry_close(r);
    return st;
}

/* All that is named is read. What has not come yet is no damage. */
static enum ocop_status verify_files(const struct invocation *in, struct registry *r,
                                     struct ocop_error *err)
{
    struct files_found found;
    enum ocop_status st = files_verify(r, false, in->out, &found, err);

    if (st != OCOP_OK || found.read + found.orphaned == 0)
        return st;
    fprintf(
        in->out,
        "files: of %llu attachments %llu are not here, %llu of them lost; %llu damaged; %llu named "
        "by none\n",
        (unsigned long long)found.read, (unsigned long long)found.missing,
        (unsigned long long)found.lost, (unsigned long long)found.damaged,
        (unsigned long long)found.orphaned);
    return found.damaged + found.lost
               ? err_set(
                     err, OCOP_EDAMAGED,
                     "%llu files are damaged or lost: `ocopd files verify --mend` takes them from "
                     "backups or asks devices for them",
                     (unsigned long long)(found.damaged + found.lost))
               : OCOP_OK;
}

enum ocop_status command_verify(const struct invocation *in, struct ocop_error *err)
{
    struct registry *r = NULL;
    struct server_keys keys;
    struct replay_result checked, replayed;
    bool with_root = false;

    memset(&keys, 0, sizeof keys);
    enum ocop_status st = command_open(in, &r, err);
    if (st == OCOP_OK)
        st = query_integrity(r, err);
    if (st == OCOP_OK)
        fputs("file: whole\n", in->out);
    if (st == OCOP_OK)
        st = query_sums(r, QUERY_SUMS_OWN, err); /* the log is judged by what this registry is */
    /* A copy can be verified where the keys are not; then the first set says who signs. */
    if (st == OCOP_OK)
        with_root = command_keys(in, &keys, NULL) == OCOP_OK;
    if (st == OCOP_OK)
        st = replay_check(r, with_root ? keys.roots.key[0] : NULL, &checked, err);
    if (st == OCOP_OK)
        fprintf(in->out,
                "log: %llu change-sets of %llu replicas with %llu changes; hashes, chains and "
                "signatures hold%s\n",
                (unsigned long long)checked.sets, (unsigned long long)checked.replicas,
                (unsigned long long)checked.changes,
                with_root ? "" : " (the root key is not here: taken from the log)");
    if (st == OCOP_OK)
        st = query_sums(r, QUERY_SUMS_LOG, err);
    if (st == OCOP_OK)
        fputs("rows: what was written\n", in->out);
    if (st == OCOP_OK && checked.sets == 0)
        st = err_set(err, OCOP_EDAMAGED, "the log is empty: not even the registry's own sets");
    if (st == OCOP_OK)
        st = compare(in, r, &replayed, err);
    if (st == OCOP_OK)
        fprintf(in->out, "tables: equal to a replay of %llu change-sets\n",
                (unsigned long long)replayed.sets);
    if (st == OCOP_OK)
        st = readback_forget(r, err); /* what was found is mended */
    if (st == OCOP_OK)
        st = verify_files(in, r, err);
    keys_wipe(&keys);
    registry_close(r);
    return st;
}

enum ocop_status command_rebuild(const struct invocation *in, struct ocop_error *err)
{
    const char *into = command_value(in, "--into");
    struct registry *r = NULL;
    struct replay_result result;
    struct stat s;

    if (!into)
        return err_set(err, OCOP_EINVAL, "rebuild needs --into: the new file");
    if (lstat(into, &s) == 0)
        return err_set(err, OCOP_ESTATE, "%.200s exists; name a new file or remove it", into);
    enum ocop_status st = command_open(in, &r, err);
    if (st != OCOP_OK)
        return st;
    st = replay_rebuild(r, into, &result, err);
    registry_close(r);
    if (st != OCOP_OK)
        remove_scratch("", into);
    else
        fprintf(in->out,
                "rebuilt %s from %llu change-sets with %llu changes; what is taken in from now on "
                "is not in it: stop ocopd before you put it in the registry's place\n",
                into, (unsigned long long)result.sets, (unsigned long long)result.changes);
    return st;
}

/* The database is whole by now. That files were left out fails all the same: scripts read no text.
 */
static enum ocop_status say_copied(const struct invocation *in, const char *done,
                                   const struct blobs_copied *c, struct ocop_error *err)
{
    const uint64_t left_out = c->damaged + c->lost;

    if (c->copied + c->before + c->missing + left_out == 0)
        return OCOP_OK;
    fprintf(in->out,
            "files: %llu copied (%llu KiB), %llu there before, %llu not here yet, %llu lost, %llu "
            "damaged and left out\n",
            (unsigned long long)c->copied, (unsigned long long)(c->bytes / 1024),
            (unsigned long long)c->before, (unsigned long long)c->missing,
            (unsigned long long)c->lost, (unsigned long long)c->damaged);
    if (left_out == 0)
        return OCOP_OK;
    *in->in_part = true;
    return err_set(err, OCOP_EDAMAGED,
                   "the database is %s whole, but %llu files are left out, damaged or lost: `ocopd "
                   "files verify --mend` takes them from other backups or asks devices for them",
                   done, (unsigned long long)left_out);
}

enum ocop_status command_backup(const struct invocation *in, struct ocop_error *err)
{
    const char *to = command_value(in, "--to");
    struct backup_result result;
    struct content_dir files;
    struct blobs_copied copied;
    struct registry *r = NULL;

    if (!to)
        return err_set(err, OCOP_EINVAL, "backup needs --to: the copy");
    enum ocop_status st = command_open(in, &r, err);
    if (st == OCOP_OK)
        st = backup_make(r, to, command_has(in, "--with-keys"), &result, err);
    if (st == OCOP_OK)
        fprintf(in->out, "backup %s: version %llu, %lld bytes%s\n", to,
                (unsigned long long)result.version, (long long)result.bytes,
                command_has(in, "--with-keys") ? ", keys beside it" : ", without the keys");
    if (st == OCOP_OK)
        st = blobs_of_backup(to, in->env, &files, err);
    if (st == OCOP_OK)
        st = blobs_copy_telling(r, &r->blobs, &files, in->out, &copied, err);
    if (st == OCOP_OK)
        st = say_copied(in, "copied", &copied, err);
    registry_close(r);
    return st;
}

enum ocop_status command_restore(const struct invocation *in, struct ocop_error *err)
{
    const char *from = command_value(in, "--from");
    struct backup_result result;
    struct content_dir files;
    struct blobs_copied copied;
    struct registry *r = NULL;
    char moved[BACKUP_PATH_MAX];

    if (!from)
        return err_set(err, OCOP_EINVAL, "restore needs --from: the backup");
    enum ocop_status st =
        backup_restore(from, in->config.value[CONFIG_DB], command_has(in, "--replace"), in->env,
                       moved, &result, err);
    if (st != OCOP_OK)
        return st;
    fprintf(in->out, "restored %s at version %llu; a new lineage begins there\n",
            in->config.value[CONFIG_DB], (unsigned long long)result.version);
    if (moved[0])
        fprintf(in->out, "the registry before is now %s\n", moved);
    if (result.revoked)
        fprintf(in->out, "%zu devices revoked since the backup are revoked again\n",
                result.revoked);
    if (result.ledger_bad)
        fprintf(in->out, "%zu lines of the ledger cannot be believed and count for nothing\n",
                result.ledger_bad);
    if (result.closed)
        fprintf(in->out,
                "%zu unused invitations are closed, since nothing tells whether they were used "
                "meanwhile: make new ones\n",
                result.closed);
    if (result.before_unread)
        fputs("the registry before cannot be read: revoke again what it had revoked\n", in->out);
    st = command_open(in, &r, err);
    if (st == OCOP_OK)
        st = blobs_of_backup(from, in->env, &files, err);
    if (st == OCOP_OK)
        st = blobs_copy_telling(r, &files, &r->blobs, in->out, &copied, err);
    if (st == OCOP_OK)
        st = say_copied(in, "restored", &copied, err);
    registry_close(r);
    return st;
}
