/* The file of the server's secrets: one line per key, mode 0600, written whole or not at all. */
#include "keys.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LINE_MAX_LEN = 256 };

static void root_from_seed(struct server_keys *k, const uint8_t *seed)
{
    crypto_sign_seed_keypair(k->root.public_key, k->root.secret, seed);
    k->sign = k->root;
}

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

/* A new file under another name, then a second name for it, which link() gives to nothing that is
 * there. What stands under the first name, from an attempt that was cut off or from somebody who
 * waits with a file of his own, is not written into. */
static enum ocop_status keys_write(const char *path, const char *text, struct ocop_error *err)
{
    char temporary[1100];
    snprintf(temporary, sizeof temporary, "%s.new", path);
    (void)unlink(temporary);
    int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_set(err, OCOP_EIO, "%s cannot be made: %m", temporary);
    enum ocop_status st = write_all(fd, text, strlen(text));
    if (close(fd) != 0)
        st = OCOP_EIO;
    if (st != OCOP_OK)
        st = err_set(err, OCOP_EIO, "%s cannot be written: %m", path);
    else if (link(temporary, path) != 0)
        st = errno == EEXIST
                 ? err_set(err, OCOP_ESTATE, "%s exists already; keys are never overwritten", path)
                 : err_set(err, OCOP_EIO, "%s cannot be written: %m", path);
    (void)unlink(temporary);
    return st;
}

enum ocop_status keys_create(const char *path, const struct env *env, struct server_keys *out,
                             struct ocop_error *err)
{
    uint8_t seed[crypto_sign_SEEDBYTES];
    char root[65], channel[65], text[LINE_MAX_LEN * 2];
    memset(out, 0, sizeof *out);
    env_random(env, seed, sizeof seed);
    root_from_seed(out, seed);
    channel_key_new(&out->channel[0], env);
    out->channel_count = 1;
    sodium_bin2hex(root, sizeof root, seed, sizeof seed);
    sodium_bin2hex(channel, sizeof channel, out->channel[0].secret, CHANNEL_KEY_LEN);
    snprintf(text, sizeof text, "root %s\nchannel %s\n", root, channel);
    enum ocop_status st = keys_write(path, text, err);
    sodium_memzero(seed, sizeof seed);
    sodium_memzero(root, sizeof root);
    sodium_memzero(channel, sizeof channel);
    sodium_memzero(text, sizeof text);
    if (st != OCOP_OK)
        keys_wipe(out);
    return st;
}

static bool line_read(struct server_keys *k, const char *name, const char *hex)
{
    uint8_t secret[32];
    size_t len;
    bool ok = sodium_hex2bin(secret, sizeof secret, hex, strlen(hex), NULL, &len, NULL) == 0 &&
              len == sizeof secret;
    if (ok && strcmp(name, "root") == 0)
        root_from_seed(k, secret);
    else if (ok && strcmp(name, "channel") == 0 && k->channel_count < SERVER_CHANNEL_KEYS_MAX)
        channel_key_from_secret(&k->channel[k->channel_count++], secret);
    else
        ok = false;
    sodium_memzero(secret, sizeof secret);
    return ok;
}

enum ocop_status keys_load(const char *path, struct server_keys *out, struct ocop_error *err)
{
    struct stat info;
    char name[16], hex[80];
    bool ok = true;
    memset(out, 0, sizeof *out);
    FILE *f = fopen(path, "re");
    if (!f)
        return err_set(err, errno == ENOENT ? OCOP_ENOTFOUND : OCOP_EIO, "%s: %m", path);
    setvbuf(f, NULL, _IONBF, 0); /* no copy of the secrets stays in a buffer */
    if (fstat(fileno(f), &info) != 0 || (info.st_mode & 077) != 0) {
        fclose(f);
        return err_set(err, OCOP_EPERM, "%s may be read by others; run: chmod 600 %s", path, path);
    }
    while (ok && fscanf(f, "%15s %79s", name, hex) == 2)
        ok = line_read(out, name, hex);
    fclose(f);
    sodium_memzero(hex, sizeof hex);
    static const uint8_t none[SIGN_PUBLIC_LEN];
    if (ok && out->channel_count && memcmp(out->root.public_key, none, sizeof none) != 0)
        return OCOP_OK;
    keys_wipe(out);
    return err_set(err, OCOP_EDAMAGED, "%s is not a key file of ocopd", path);
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

/* --- signing -------------------------------------------------------------------------------------
 */

static const char *const purposes[] = {
    [KEYS_CERTIFICATE] = "ocop certificate", [KEYS_LEDGER] = "ocop ledger"};

/* What is signed: the purpose, and the hash of the text. */
static void message_of(enum keys_purpose purpose, struct span text, uint8_t out[64 + HASH_LEN])
{
    memset(out, 0, 64);
    memcpy(out, purposes[purpose], strlen(purposes[purpose]));
    hash_bytes(text, out + 64);
}

void keys_sign(const struct sign_key *key, enum keys_purpose purpose, struct span text,
               uint8_t signature[SIGNATURE_LEN])
{
    uint8_t message[64 + HASH_LEN];
    message_of(purpose, text, message);
    crypto_sign_detached(signature, NULL, message, sizeof message, key->secret);
}

bool keys_verify(const struct server_keys *k, enum keys_purpose purpose, struct span text,
                 const uint8_t signer[SIGN_PUBLIC_LEN], const uint8_t signature[SIGNATURE_LEN])
{
    uint8_t message[64 + HASH_LEN];
    if (memcmp(signer, k->sign.public_key, SIGN_PUBLIC_LEN) != 0 &&
        memcmp(signer, k->root.public_key, SIGN_PUBLIC_LEN) != 0)
        return false;
    message_of(purpose, text, message);
    return crypto_sign_verify_detached(signature, message, sizeof message, signer) == 0;
}
