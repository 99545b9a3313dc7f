/* The file of what a restore must not undo: lines of text, each signed. Knows no change-sets. */
#include "ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "backup.h"
#include "bounds.h"
#include "query.h"

enum { LINE_BYTES_MAX = 4096, WORDS = 11, LEDGERS_BYTES_MAX = 1 << 26 };
#define LEDGER_VERSION "ocop-ledger-1"

/* --- one line ------------------------------------------------------------------------------------
 */

static void put_hex(struct buf *out, struct span s)
{
    for (size_t i = 0; i < s.len; i++)
        buf_printf(out, "%02x", s.p[i]);
    if (s.len == 0)
        buf_byte(out, '-');
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* `out` may be as long as what is to be read. */
static bool get_hex(const char *text, uint8_t *out, size_t room, size_t *len)
{
    *len = 0;
    if (strcmp(text, "-") == 0)
        return true;
    for (; text[0]; text += 2) {
        const int high = hex_digit(text[0]), low = high < 0 ? -1 : hex_digit(text[1]);
        if (low < 0 || *len == room)
            return false;
        out[(*len)++] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static bool get_key(const char *text, uint8_t *out, size_t want)
{
    size_t len;
    return get_hex(text, out, want, &len) && len == want;
}

static void line_put(struct buf *out, const struct ledger_entry *e, const struct sign_key *key)
{
    char id[ID_TEXT_LEN + 1];
    uint8_t signature[SIGNATURE_LEN];
    buf_printf(out, LEDGER_VERSION " %s %s %u ", id_text(e->replica, id),
               device_state_names[e->state], e->number);
    put_hex(out, span_of(e->sign_key, sizeof e->sign_key));
    buf_byte(out, ' ');
    put_hex(out, span_of(e->channel_key, sizeof e->channel_key));
    buf_printf(out, " %" PRId64 " ", e->at_ms);
    put_hex(out, span_str(e->reason));
    buf_byte(out, ' ');
    put_hex(out, span_of(key->public_key, SIGN_PUBLIC_LEN));
    keys_sign(key, KEYS_LEDGER, buf_span(out), signature);
    buf_byte(out, ' ');
    put_hex(out, span_of(signature, sizeof signature));
    buf_byte(out, '\n');
}

/* The words of a line are cut apart in place. @return false when it is none of ours */
static bool line_read(struct ledger *l, char *line, const struct server_keys *keys,
                      struct ledger_entry *e)
{
    char *words[WORDS], *at = line, *signature_word = strrchr(line, ' ');
    uint8_t signer[SIGN_PUBLIC_LEN], signature[SIGNATURE_LEN], reason[REASON_BYTES_MAX];
    size_t reason_len, count = 0;
    if (!signature_word)
        return false;
    char *text = arena_dup(&l->a, line, (size_t)(signature_word - line));
    while (count < WORDS && (words[count] = strtok_r(count ? NULL : line, " ", &at)))
        count++;
    if (!text || count != WORDS - 1 || strcmp(words[0], LEDGER_VERSION) != 0 ||
        !id_parse(words[1], &e->replica) || !get_key(words[4], e->sign_key, SIGN_PUBLIC_LEN) ||
        !get_key(words[5], e->channel_key, CHANNEL_KEY_LEN) ||
        !get_hex(words[7], reason, sizeof reason, &reason_len) ||
        !get_key(words[8], signer, sizeof signer) ||
        !get_key(words[9], signature, sizeof signature) ||
        !keys_verify(keys, KEYS_LEDGER, span_str(text), signer, signature))
        return false;
    e->state = device_state_of(words[2]);
    e->number = (uint32_t)strtoul(words[3], NULL, 10);
    e->at_ms = strtoll(words[6], NULL, 10);
    e->reason = arena_dup(&l->a, reason, reason_len);
    return e->reason != NULL;
}

/* --- the file ------------------------------------------------------------------------------------
 */

void ledger_init(struct ledger *l)
{
    *l = (struct ledger){.first = NULL};
    arena_init(&l->a, LEDGERS_BYTES_MAX);
}

void ledger_fini(struct ledger *l)
{
    arena_fini(&l->a);
}

enum ocop_status ledger_read(struct ledger *l, const char *path, const char *only,
                             const struct server_keys *keys, struct ocop_error *err)
{
    char line[LINE_BYTES_MAX];
    FILE *f = fopen(path, "re");
    enum ocop_status st = OCOP_OK;
    if (!f)
        return errno == ENOENT ? OCOP_OK : err_set(err, OCOP_EIO, "cannot read %s: %m", path);
    while (st == OCOP_OK && fgets(line, sizeof line, f)) {
        if (only && !strstr(line, only))
            continue;
        struct ledger_entry *e = arena_calloc(&l->a, 1, sizeof *e);
        line[strcspn(line, "\n")] = '\0';
        if (!e) {
            st = err_nomem(err);
        } else if (!line_read(l, line, keys, e)) {
            l->bad += line[0] != '\0';
        } else {
            *(l->last ? &l->last->next : &l->first) = e;
            l->last = e;
            l->number = e->number > l->number ? e->number : l->number;
        }
    }
    if (st == OCOP_OK && ferror(f))
        st = err_set(err, OCOP_EIO, "cannot read %s: %m", path);
    fclose(f);
    return st;
}

const struct ledger_entry *ledger_last(const struct ledger *l, const struct id *replica)
{
    const struct ledger_entry *out = NULL;
    for (const struct ledger_entry *e = l->first; e; e = e->next)
        if (id_eq(&e->replica, replica))
            out = e;
    return out;
}

bool ledger_revoked(const struct ledger *l, const uint8_t channel_key[CHANNEL_KEY_LEN])
{
    for (const struct ledger_entry *e = l->first; e; e = e->next)
        if ((e->state == DEVICE_REVOKED || e->state == DEVICE_WIPED) &&
            memcmp(e->channel_key, channel_key, CHANNEL_KEY_LEN) == 0)
            return true;
    return false;
}

/* One write, so that two processes never mix their lines; a line that a lost power cut short ends
 * before the next one. */
static enum ocop_status append(const char *path, struct span text, struct ocop_error *err)
{
    char last = '\n';
    const int fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_set(err, OCOP_EIO, "cannot open %s: %m", path);
    const off_t end = lseek(fd, 0, SEEK_END);
    bool good = end >= 0 && (end == 0 || pread(fd, &last, 1, end - 1) == 1);
    if (good && last != '\n')
        good = write(fd, "\n", 1) == 1;
    good = good && write(fd, text.p, text.len) == (ssize_t)text.len && fsync(fd) == 0;
    enum ocop_status st = good ? OCOP_OK : err_set(err, OCOP_EIO, "cannot write %s: %m", path);
    close(fd);
    return st;
}

struct copies {
    struct registry *r;
    struct span line;
};

/* A backup that was carried away keeps the ledger of its day. */
static enum ocop_status append_beside_backup(void *self, const char *backup, struct ocop_error *err)
{
    const struct copies *c = self;
    char path[BACKUP_PATH_MAX];
    (void)err;
    if (access(backup, F_OK) == 0 && backup_beside(backup, ".ledger", path, NULL) == OCOP_OK &&
        append(path, c->line, NULL) != OCOP_OK)
        env_log(c->r->env, ENV_WARN, "ledger_of_backup", "advice=\"copy the ledger there\"");
    return OCOP_OK;
}

enum ocop_status ledger_note(struct registry *r, const struct server_keys *keys,
                             const struct id *replica, const char *reason, struct ocop_error *err)
{
    struct replica_info info;
    struct buf line;
    if (!r->ledger[0])
        return OCOP_OK;
    enum ocop_status st = registry_replica(r, replica, &info, err);
    if (st != OCOP_OK)
        return st;
    struct ledger_entry e = {.replica = *replica,
                             .state = info.state,
                             .number = info.number,
                             .at_ms = env_now_ms(r->env),
                             .reason = reason};
    memcpy(e.sign_key, info.sign_key, sizeof e.sign_key);
    memcpy(e.channel_key, info.channel_key, sizeof e.channel_key);
    buf_init(&line, LINE_BYTES_MAX);
    line_put(&line, &e, &keys->sign);
    st = line.failed ? err_nomem(err) : append(r->ledger, buf_span(&line), err);
    struct copies copies = {r, buf_span(&line)};
    if (st == OCOP_OK)
        st = query_backups(r, append_beside_backup, &copies, err);
    buf_fini(&line);
    return st;
}

/* A file that is not there is empty. */
static enum ocop_status load(const char *path, struct buf *out, struct ocop_error *err)
{
    char part[LINE_BYTES_MAX];
    size_t n;
    FILE *f = fopen(path, "re");
    buf_init(out, LEDGERS_BYTES_MAX);
    if (!f)
        return errno == ENOENT ? OCOP_OK : err_set(err, OCOP_EIO, "cannot read %s: %m", path);
    while ((n = fread(part, 1, sizeof part, f)) > 0)
        buf_put(out, part, n);
    enum ocop_status st = ferror(f)     ? err_set(err, OCOP_EIO, "cannot read %s: %m", path)
                          : out->failed ? err_nomem(err)
                                        : OCOP_OK;
    fclose(f);
    return st;
}

static bool holds(struct span text, struct span line)
{
    for (const uint8_t *at = text.p, *end = text.p + text.len; at && at < end;) {
        const uint8_t *stop = memchr(at, '\n', (size_t)(end - at));
        const size_t len = (size_t)((stop ? stop : end) - at);
        if (len == line.len && memcmp(at, line.p, len) == 0)
            return true;
        at += len + 1;
    }
    return false;
}

/* The lines of `other` that are not in `own`. One mostly begins with the other. */
static void lines_missing(struct span own, struct span other, struct buf *out)
{
    size_t at = 0;
    while (at < own.len && at < other.len && own.p[at] == other.p[at])
        at++;
    while (at > 0 && other.p[at - 1] != '\n')
        at--;
    while (at < other.len) {
        const uint8_t *stop = memchr(other.p + at, '\n', other.len - at);
        const size_t len = stop ? (size_t)(stop - other.p) - at : other.len - at;
        const struct span line = span_of(other.p + at, len);
        if (len && !holds(own, line)) {
            buf_put(out, line.p, line.len);
            buf_byte(out, '\n');
        }
        at += len + 1;
    }
}

enum ocop_status ledger_merge(const char *from, const char *to, struct ocop_error *err)
{
    struct buf other, own, missing;
    enum ocop_status st = load(from, &other, err), loaded = load(to, &own, err);
    if (st == OCOP_OK)
        st = loaded;
    buf_init(&missing, LEDGERS_BYTES_MAX);
    if (st == OCOP_OK)
        lines_missing(buf_span(&own), buf_span(&other), &missing);
    if (st == OCOP_OK && missing.failed)
        st = err_nomem(err);
    if (st == OCOP_OK && missing.len)
        st = append(to, buf_span(&missing), err);
    buf_fini(&missing);
    buf_fini(&other);
    buf_fini(&own);
    return st;
}
