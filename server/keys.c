/* The file of the server's keys: one line per key, mode 0600, written whole or not at all. Knows no
 * registry. */
#include "keys.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "invitation.h"

enum { LINE_MAX_LEN = 512, WORDS_MAX = 5 };

/* --- writing -------------------------------------------------------------------------------------
 */

static enum ocop_status write_all(int fd, const char *text, size_t len)
{
    while (len) {
        ssize_t n = write(fd, text, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return OCOP_EIO;
        text += n;
        len -= (size_t)n;
    }
    return fsync(fd) == 0 ? OCOP_OK : OCOP_EIO;
}

/* The name of a file is on the disk when its folder is. */
static bool flush_folder(const char *path)
{
    char folder[1100];
    snprintf(folder, sizeof folder, "%s", path);
    char *slash = strrchr(folder, '/');
    if (slash)
        slash[slash == folder] = '\0';
    const int fd = open(slash ? folder : ".", O_RDONLY | O_CLOEXEC);
    const bool flushed = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    return flushed;
}

/* Give the new file its name: in the place of what is there, or where link() finds nothing. */
static bool name_file(const char *temporary, const char *path, bool replace)
{
    return (replace ? rename(temporary, path) : link(temporary, path)) == 0 && flush_folder(path);
}

/* A new file under another name first. What stands under that, from an attempt that was cut off or
 * from somebody who waits with a file of his own, is not written into. */
static enum ocop_status keys_write(const char *path, struct span text, bool replace,
                                   struct ocop_error *err)
{
    char temporary[1100];
    snprintf(temporary, sizeof temporary, "%s.new", path);
    (void)unlink(temporary);
    int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_set(err, OCOP_EIO, "%s cannot be made: %m", temporary);
    enum ocop_status st = write_all(fd, (const char *)text.p, text.len);
    if (close(fd) != 0)
        st = OCOP_EIO;
    if (st != OCOP_OK)
        st = err_set(err, OCOP_EIO, "%s cannot be written: %m", path);
    else if (!name_file(temporary, path, replace))
        st = errno == EEXIST
                 ? err_set(err, OCOP_ESTATE, "%s exists already; keys are never overwritten", path)
                 : err_set(err, OCOP_EIO, "%s cannot be written: %m", path);
    (void)unlink(temporary);
    return st;
}

static void put_key(struct buf *out, const char *name, const uint8_t *key, size_t len)
{
    char hex[2 * SIGNATURE_LEN + 1];
    sodium_bin2hex(hex, sizeof hex, key, len);
    buf_printf(out, "%s %s", name, hex);
    sodium_memzero(hex, sizeof hex);
}

static void put_signature(struct buf *out, const struct key_paper *paper)
{
    put_key(out, "", paper->signature, SIGNATURE_LEN);
    buf_byte(out, '\n');
}

static void put_seed(struct buf *out, const char *name, const struct sign_key *key)
{
    uint8_t seed[crypto_sign_SEEDBYTES];
    crypto_sign_ed25519_sk_to_seed(seed, key->secret);
    put_key(out, name, seed, sizeof seed);
    sodium_memzero(seed, sizeof seed);
}

static bool sign_is_root(const struct server_keys *k)
{
    return memcmp(k->sign.public_key, k->root.public_key, SIGN_PUBLIC_LEN) == 0;
}

/* The roots before this one, oldest first, each with its signature over the next. */
static void put_earlier(struct buf *out, const struct server_keys *k)
{
    for (size_t i = 0; i + 1 < k->roots.count; i++) {
        put_key(out, "earlier-root", k->roots.key[i], SIGN_PUBLIC_LEN);
        put_key(out, "", k->root_signature[i + 1], SIGNATURE_LEN);
        buf_byte(out, '\n');
    }
}

static void keys_put(struct buf *out, const struct server_keys *k)
{
    if (k->has_root)
        put_seed(out, "root", &k->root);
    else
        put_key(out, "root-public", k->root.public_key, SIGN_PUBLIC_LEN);
    buf_byte(out, '\n');
    put_earlier(out, k);
    if (!sign_is_root(k)) {
        put_seed(out, "sign", &k->sign);
        buf_printf(out, " %" PRIu64, k->sign_paper.number);
        put_signature(out, &k->sign_paper);
    }
    for (size_t i = 0; i < k->retired_count; i++) {
        put_key(out, "retired-sign", k->retired[i].public_key, SIGN_PUBLIC_LEN);
        buf_printf(out, " %" PRIu64, k->retired[i].paper.number);
        put_signature(out, &k->retired[i].paper);
    }
    for (size_t i = 0; i < k->channel_count; i++) {
        put_key(out, "channel", k->channel[i].secret, CHANNEL_KEY_LEN);
        buf_printf(out, " %" PRIu64 " %" PRId64, k->channel_paper[i].number,
                   k->channel_paper[i].until_ms);
        put_signature(out, &k->channel_paper[i]);
    }
    if (k->next_sign_number) {
        put_seed(out, "next-sign", &k->next_sign);
        buf_printf(out, " %" PRIu64 "\n", k->next_sign_number);
    }
    if (k->next_channel_number) {
        put_key(out, "next-channel", k->next_channel.secret, CHANNEL_KEY_LEN);
        buf_printf(out, " %" PRIu64 "\n", k->next_channel_number);
    }
}

/* Secrets leave no trace in memory that is given back. */
static enum ocop_status write_wiped(const char *path, struct buf *text, bool replace,
                                    struct ocop_error *err)
{
    enum ocop_status st =
        text->failed ? err_nomem(err) : keys_write(path, buf_span(text), replace, err);
    if (text->p)
        sodium_memzero(text->p, text->room);
    buf_fini(text);
    return st;
}

enum ocop_status keys_save(const char *path, const struct server_keys *k, struct ocop_error *err)
{
    struct buf text;
    buf_init(&text, KEYS_TEXT_MAX);
    buf_reserve(&text, KEYS_TEXT_MAX); /* at once: what grows is copied, and the copy stays */
    keys_put(&text, k);
    return write_wiped(path, &text, true, err);
}

enum ocop_status keys_save_root(const char *path, const struct server_keys *k,
                                struct ocop_error *err)
{
    struct buf text;
    buf_init(&text, KEYS_TEXT_MAX);
    buf_reserve(&text, KEYS_TEXT_MAX);
    put_seed(&text, "root", &k->root);
    buf_byte(&text, '\n');
    put_earlier(&text, k);
    return write_wiped(path, &text, false, err);
}

/* --- reading -------------------------------------------------------------------------------------
 */

static void sign_from_seed(struct sign_key *key, const uint8_t *seed)
{
    crypto_sign_seed_keypair(key->public_key, key->secret, seed);
}

static bool hex_is(const char *hex, uint8_t *out, size_t want)
{
    size_t len = 0;
    return hex && sodium_hex2bin(out, want, hex, strlen(hex), NULL, &len, NULL) == 0 && len == want;
}

static bool paper_read(struct key_paper *paper, const char *number, const char *until,
                       const char *signature)
{
    paper->number = number ? strtoull(number, NULL, 10) : 0;
    paper->until_ms = until ? strtoll(until, NULL, 10) : 0;
    return !signature || hex_is(signature, paper->signature, SIGNATURE_LEN);
}

static bool line_take(struct server_keys *k, char *const w[WORDS_MAX], size_t words,
                      const uint8_t key[32])
{
    if (strcmp(w[0], "root") == 0) {
        sign_from_seed(&k->root, key);
        k->has_root = true;
    } else if (strcmp(w[0], "root-public") == 0) {
        memcpy(k->root.public_key, key, SIGN_PUBLIC_LEN);
    } else if (strcmp(w[0], "earlier-root") == 0 && words == 3) {
        if (k->roots.count + 1 == ROOTS_MAX)
            return false;
        memcpy(k->roots.key[k->roots.count++], key, SIGN_PUBLIC_LEN);
        return hex_is(w[2], k->root_signature[k->roots.count], SIGNATURE_LEN);
    } else if (strcmp(w[0], "sign") == 0 && words == 4) {
        sign_from_seed(&k->sign, key);
        return paper_read(&k->sign_paper, w[2], NULL, w[3]);
    } else if (strcmp(w[0], "retired-sign") == 0 && words == 4) {
        if (k->retired_count == KEYS_RETIRED_MAX)
            return false;
        memcpy(k->retired[k->retired_count].public_key, key, SIGN_PUBLIC_LEN);
        return paper_read(&k->retired[k->retired_count++].paper, w[2], NULL, w[3]);
    } else if (strcmp(w[0], "channel") == 0 && (words == 2 || words == 5)) {
        if (k->channel_count == SERVER_CHANNEL_KEYS_MAX)
            return false;
        channel_key_from_secret(&k->channel[k->channel_count], key);
        return paper_read(&k->channel_paper[k->channel_count++], w[2], w[3], w[4]);
    } else if (strcmp(w[0], "next-sign") == 0 && words == 3) {
        sign_from_seed(&k->next_sign, key);
        k->next_sign_number = strtoull(w[2], NULL, 10);
    } else if (strcmp(w[0], "next-channel") == 0 && words == 3) {
        channel_key_from_secret(&k->next_channel, key);
        k->next_channel_number = strtoull(w[2], NULL, 10);
    } else {
        return false;
    }
    return true;
}

static bool line_read(struct server_keys *k, char *line)
{
    char *words[WORDS_MAX] = {NULL}, *at = NULL;
    uint8_t key[32];
    size_t count = 0;
    for (char *w = strtok_r(line, " \n", &at); w; w = strtok_r(NULL, " \n", &at)) {
        if (count == WORDS_MAX)
            return false;
        words[count++] = w;
    }
    if (count == 0)
        return true;
    bool good = hex_is(words[1], key, sizeof key) && line_take(k, words, count, key);
    sodium_memzero(key, sizeof key);
    return good;
}

/* Behind those before it stands the root itself, and each was signed by the one before. */
static bool roots_settle(struct server_keys *k)
{
    memcpy(k->roots.key[k->roots.count++], k->root.public_key, SIGN_PUBLIC_LEN);
    for (size_t i = 1; i < k->roots.count; i++)
        if (!root_vouched(k->roots.key[i - 1], k->roots.key[i], i, k->root_signature[i]))
            return false;
    return true;
}

/* What the root signs by itself where it is at hand, and whether it did where it is not. */
static bool keys_settle(struct server_keys *k)
{
    static const uint8_t none[SIGN_PUBLIC_LEN];
    if (memcmp(k->root.public_key, none, sizeof none) == 0 || k->channel_count == 0 ||
        !roots_settle(k))
        return false;
    if (memcmp(k->sign.public_key, none, sizeof none) == 0) {
        if (!k->has_root)
            return false;
        k->sign = k->root;
        sign_key_vouch(&k->root, k->root.public_key, 0, k->sign_paper.signature);
    }
    if (!sign_key_vouched(k->root.public_key, k->sign.public_key, k->sign_paper.number,
                          k->sign_paper.signature))
        return false;
    for (size_t i = 0; i < k->channel_count; i++) {
        struct key_paper *paper = &k->channel_paper[i];
        if (k->has_root)
            invitation_sign(k->root.secret, k->channel[i].public_key, paper->number,
                            paper->signature);
        if (!invitation_signed(k->root.public_key, k->channel[i].public_key, paper->number,
                               paper->signature))
            return false;
    }
    return true;
}

static enum ocop_status lines_read(const char *path, struct server_keys *out,
                                   struct ocop_error *err)
{
    struct stat info;
    char line[LINE_MAX_LEN];
    bool good = true;
    memset(out, 0, sizeof *out);
    FILE *f = fopen(path, "re");
    if (!f)
        return err_set(err, errno == ENOENT ? OCOP_ENOTFOUND : OCOP_EIO, "%s: %m", path);
    setvbuf(f, NULL, _IONBF, 0); /* no copy of the secrets stays in a buffer */
    if (fstat(fileno(f), &info) != 0 || (info.st_mode & 077) != 0) {
        fclose(f);
        return err_set(err, OCOP_EPERM, "%s may be read by others; run: chmod 600 %s", path, path);
    }
    while (good && fgets(line, sizeof line, f))
        good = line_read(out, line);
    fclose(f);
    sodium_memzero(line, sizeof line);
    return good ? OCOP_OK : err_set(err, OCOP_EDAMAGED, "%s is not a key file of ocopd", path);
}

enum ocop_status keys_load(const char *path, struct server_keys *out, struct ocop_error *err)
{
    enum ocop_status st = lines_read(path, out, err);
    if (st == OCOP_OK && !keys_settle(out))
        st = err_set(err, OCOP_EDAMAGED, "%s is not a key file of ocopd", path);
    if (st != OCOP_OK)
        keys_wipe(out);
    return st;
}

enum ocop_status keys_load_root(const char *path, struct sign_key *out, struct ocop_error *err)
{
    struct server_keys k;
    enum ocop_status st = lines_read(path, &k, err);
    if (st == OCOP_OK && !k.has_root)
        st = err_set(err, OCOP_EDAMAGED, "%s does not hold a root key", path);
    *out = k.root;
    keys_wipe(&k);
    return st;
}

enum ocop_status keys_load_next(const char *path, struct server_keys *out, struct ocop_error *err)
{
    enum ocop_status st = lines_read(path, out, err);
    if (st == OCOP_OK && (!out->has_root || !roots_settle(out)))
        st = err_set(err, OCOP_EDAMAGED, "%s does not hold a root that others signed", path);
    if (st != OCOP_OK)
        keys_wipe(out);
    return st;
}

enum ocop_status keys_create(const char *path, const struct env *env, struct server_keys *out,
                             struct ocop_error *err)
{
    struct buf text;
    memset(out, 0, sizeof *out);
    sign_key_new(&out->root, env);
    out->has_root = true;
    channel_key_new(&out->channel[0], env);
    out->channel_count = 1;
    buf_init(&text, KEYS_TEXT_MAX);
    buf_reserve(&text, KEYS_TEXT_MAX);
    enum ocop_status st =
        keys_settle(out) ? OCOP_OK : err_set(err, OCOP_EBROKEN, "the new keys do not fit");
    keys_put(&text, out);
    enum ocop_status written = write_wiped(path, &text, false, st == OCOP_OK ? err : NULL);
    if (st == OCOP_OK)
        st = written;
    if (st != OCOP_OK)
        keys_wipe(out);
    return st;
}

void keys_keep_from_core(void)
{
    const struct rlimit none = {0, 0};

    /* The second is for cores that go to a program, which no limit stops. */
    (void)setrlimit(RLIMIT_CORE, &none);
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

void keys_wipe(struct server_keys *k)
{
    sodium_memzero(k, sizeof *k);
}

size_t keys_live(const struct server_keys *k, int64_t now_ms)
{
    size_t n = 0;
    while (n < k->channel_count &&
           (k->channel_paper[n].until_ms == 0 || now_ms < k->channel_paper[n].until_ms))
        n++;
    return n;
}

/* --- signing -------------------------------------------------------------------------------------
 */

static const char *const purposes[] = {
    [KEYS_CERTIFICATE] = "ocop certificate", [KEYS_LEDGER] = "ocop ledger"};

void keys_sign(const struct sign_key *key, enum keys_purpose purpose, struct span text,
               uint8_t signature[SIGNATURE_LEN])
{
    word_sign(purposes[purpose], text, key, signature);
}

/* The root, or a key that it signed. A root whose place was taken may be in wrong hands: its word
 * for a device is none any more, but only who has our disk can write to the ledger. */
static bool is_ours(const struct server_keys *k, enum keys_purpose purpose,
                    const uint8_t signer[SIGN_PUBLIC_LEN])
{
    if (purpose == KEYS_LEDGER && root_chain_leads(&k->roots, signer, signer))
        return true;
    if (memcmp(signer, k->sign.public_key, SIGN_PUBLIC_LEN) == 0 ||
        memcmp(signer, k->root.public_key, SIGN_PUBLIC_LEN) == 0)
        return true;
    for (size_t i = 0; i < k->retired_count; i++)
        if (memcmp(signer, k->retired[i].public_key, SIGN_PUBLIC_LEN) == 0 &&
            sign_key_vouched(k->root.public_key, signer, k->retired[i].paper.number,
                             k->retired[i].paper.signature))
            return true;
    return false;
}

bool keys_verify(const struct server_keys *k, enum keys_purpose purpose, struct span text,
                 const uint8_t signer[SIGN_PUBLIC_LEN], const uint8_t signature[SIGNATURE_LEN])
{
    return is_ours(k, purpose, signer) && word_holds(purposes[purpose], text, signer, signature);
}
