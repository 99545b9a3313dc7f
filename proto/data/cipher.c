/* Encryption at rest: what the first bytes of a file say, and giving SQLite a key. Knows nothing of
 * what the tables hold. */
#include "cipher.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "bounds.h"
#include "migrate.h"
#include "row.h"

/* An encrypted file begins with a salt that stands in clear, and 8 bytes of SQLite's own header.
 * The first half of the salt is random. The second is a hash of it under the key: it tells the
 * right key from others, and since no write ever changes these bytes, no torn write can make it
 * lie. */
enum { SALT_LEN = 16, RANDOM_LEN = 8, HEAD_LEN = 24, RAW_LEN = 4 + CIPHER_KEY_LEN + SALT_LEN };

/* The passphrase's KDF is part of the stored format: Argon2id, these costs. */
enum { KDF_PASSES = 2, KDF_BYTES = 64 << 20 };

enum file_kind { FILE_EMPTY, FILE_PLAIN, FILE_ENCRYPTED, FILE_OTHER };

void cipher_key_wipe(struct cipher_key *key)
{
    sodium_memzero(key, sizeof *key);
}

enum ocop_status cipher_check(struct span secret, struct ocop_error *err)
{
    if (!secret.len)
        return OCOP_OK;
#ifndef OCOP_CIPHER
    return err_field(err, OCOP_EINVAL, "key",
                     "this libocop cannot encrypt; use one built with CIPHER=1, or give no key");
#else
    if (secret.len < CIPHER_SECRET_MIN || secret.len > CIPHER_SECRET_MAX)
        return err_field(err, OCOP_EINVAL, "key", "a key has %d to %d bytes, this one has %zu",
                         CIPHER_SECRET_MIN, CIPHER_SECRET_MAX, secret.len);
    return OCOP_OK;
#endif
}

const char *cipher_vfs(const char *vfs, char *out, size_t room)
{
    static const char prefix[] = "multipleciphers-";

    /* SQLite's default encrypts. */
    if (!vfs || strncmp(vfs, prefix, sizeof prefix - 1) == 0)
        return vfs;
    (void)snprintf(out, room, "%s%s", prefix, vfs);
    return out;
}

static enum ocop_status read_head(sqlite3 *db, const char *path, uint8_t *head,
                                  enum file_kind *kind, struct ocop_error *err)
{
    static const char plain[] = "SQLite format 3";
    static const uint8_t fractions[] = {64, 32, 32}; /* SQLite's header has no other */
    sqlite3_file *file = NULL;
    sqlite3_int64 size = 0;
    int code = SQLITE_OK;

    *kind = FILE_EMPTY;
    memset(head, 0, HEAD_LEN);
    (void)sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &file);
    if (!file || !file->pMethods) /* in memory */
        return OCOP_OK;
    code = file->pMethods->xFileSize(file, &size);
    if (code == SQLITE_OK && size > 0)
        code = file->pMethods->xRead(file, head, HEAD_LEN, 0);
    if (code != SQLITE_OK && code != SQLITE_IOERR_SHORT_READ)
        return err_set(err, OCOP_EDB, "opening %s: the disk failed (code %d); check it", path,
                       code);
    if (size == 0)
        return OCOP_OK;
    if (memcmp(head, plain, sizeof plain) == 0)
        *kind = FILE_PLAIN;
    else
        *kind = memcmp(head + HEAD_LEN - 3, fractions, 3) == 0 ? FILE_ENCRYPTED : FILE_OTHER;
    return OCOP_OK;
}

#ifdef OCOP_CIPHER

/* The second half of the salt. */
static void salt_finish(const struct cipher_key *key, uint8_t *salt)
{
    uint8_t hash[crypto_generichash_BYTES_MIN];

    (void)crypto_generichash(hash, sizeof hash, salt, RANDOM_LEN, key->b, sizeof key->b);
    memcpy(salt + RANDOM_LEN, hash, SALT_LEN - RANDOM_LEN);
}

static enum ocop_status key_derive(struct span secret, const uint8_t *salt, struct cipher_key *out,
                                   struct ocop_error *err)
{
    uint8_t padded[crypto_pwhash_SALTBYTES] = {0};

    if (secret.len == CIPHER_KEY_LEN) {
        memcpy(out->b, secret.p, CIPHER_KEY_LEN);
    } else {
        memcpy(padded, salt, RANDOM_LEN);
        if (sodium_init() < 0 ||
            crypto_pwhash(out->b, CIPHER_KEY_LEN, (const char *)secret.p, secret.len, padded,
                          KDF_PASSES, KDF_BYTES, crypto_pwhash_ALG_ARGON2ID13) != 0)
            return err_nomem(err);
    }
    out->set = true;
    return OCOP_OK;
}

/* SQLite takes "raw:", key and salt as they are, without a KDF of its own. The salt counts only
 * where the file has none yet. */
static int give_key(sqlite3 *db, const struct cipher_key *key, const uint8_t *salt,
                    int (*give)(sqlite3 *, const char *, const void *, int))
{
    uint8_t raw[RAW_LEN] = "raw:";
    int code;

    memcpy(raw + 4, key->b, CIPHER_KEY_LEN);
    memcpy(raw + 4 + CIPHER_KEY_LEN, salt, SALT_LEN);
    code = give(db, "main", raw, sizeof raw);
    sodium_memzero(raw, sizeof raw);
    return code;
}

static enum ocop_status new_key(struct span secret, struct cipher_key *key, uint8_t *salt,
                                struct ocop_error *err)
{
    enum ocop_status st;

    sqlite3_randomness(RANDOM_LEN, salt);
    st = key_derive(secret, salt, key, err);
    if (!st)
        salt_finish(key, salt);
    return st;
}

static enum ocop_status unlock(sqlite3 *db, enum file_kind kind, const char *path, uint8_t *head,
                               struct span secret, struct cipher_key *key, struct ocop_error *err)
{
    uint8_t expected[SALT_LEN];
    enum ocop_status st;

    if (kind == FILE_EMPTY) {
        st = new_key(secret, key, head, err);
    } else {
        st = key_derive(secret, head, key, err);
        memcpy(expected, head, sizeof expected);
        if (!st)
            salt_finish(key, expected);
        if (!st && sodium_memcmp(expected, head, sizeof expected) != 0)
            st = err_set(err, OCOP_EAUTH,
                         "the key is not that of %s; nothing was changed, try the right key", path);
    }
    if (!st && give_key(db, key, head, sqlite3_key_v2) != SQLITE_OK)
        st = db_error(db, err, "giving the key");
    if (st)
        cipher_key_wipe(key);
    return st;
}

#endif

enum ocop_status cipher_unlock(sqlite3 *db, const char *path, struct span secret,
                               struct cipher_key *key, struct ocop_error *err)
{
    uint8_t head[HEAD_LEN];
    enum file_kind kind;
    enum ocop_status st = read_head(db, path, head, &kind, err);

    cipher_key_wipe(key);
    if (st)
        return st;
    if (kind == FILE_ENCRYPTED && !secret.len)
        return err_set(err, OCOP_EAUTH,
                       "%s is encrypted; open it with its key, by a libocop built with CIPHER=1",
                       path);
    if (!secret.len)
        return OCOP_OK;
    if (kind == FILE_PLAIN)
        return err_set(err, OCOP_ESTATE,
                       "%s is not encrypted; open it without a key, then give it one by rekey",
                       path);
    if (kind == FILE_OTHER)
        return err_set(err, OCOP_EDAMAGED,
                       "opening %s: the file is damaged or not a database; restore it from a "
                       "backup",
                       path);
#ifdef OCOP_CIPHER
    return unlock(db, kind, path, head, secret, key, err);
#else
    return cipher_check(secret, err);
#endif
}

#ifdef OCOP_CIPHER

/* The same pages under another key, in place. The copy's journal would be of no use: when this
 * fails the copy is thrown away. */
static enum ocop_status change_key(sqlite3 *copy, struct span secret, struct ocop_error *err)
{
    struct cipher_key key = {0};
    uint8_t salt[SALT_LEN];
    enum ocop_status st = db_exec(copy, "PRAGMA journal_mode=OFF", err);

    if (!st)
        st = new_key(secret, &key, salt, err);
    if (!st && give_key(copy, &key, salt, sqlite3_rekey_v2) != SQLITE_OK)
        st = db_error(copy, err, "changing the key");
    cipher_key_wipe(&key);
    return st;
}

/* Every page is read again, and every page's seal checked. */
static enum ocop_status read_back(const char *path, const char *vfs, struct span secret,
                                  struct ocop_error *err)
{
    struct cipher_key key;
    sqlite3_stmt *stmt = NULL;
    sqlite3 *db;
    enum ocop_status st = db_open_keyed(path, false, false, vfs, secret, &key, &db, err);

    cipher_key_wipe(&key);
    if (st)
        return st;
    if (sqlite3_prepare_v2(db, "PRAGMA quick_check(1)", -1, &stmt, NULL) != SQLITE_OK ||
        sqlite3_step(stmt) != SQLITE_ROW)
        st = db_error(db, err, "reading the new file");
    else if (strcmp((const char *)sqlite3_column_text(stmt, 0), "ok") != 0)
        st = err_set(err, OCOP_EDAMAGED, "the store is damaged (%s); check it, or restore a backup",
                     (const char *)sqlite3_column_text(stmt, 0));
    (void)sqlite3_finalize(stmt);
    (void)sqlite3_close(db);
    return st;
}

enum ocop_status cipher_copy(sqlite3 *db, const struct cipher_key *key, const char *to,
                             const char *vfs, struct span secret, struct ocop_error *err)
{
    struct span old = span_of(key->b, key->set ? sizeof key->b : 0);
    struct cipher_key same;
    sqlite3_stmt *stmt = NULL;
    sqlite3 *copy = NULL;
    int reserve = 32; /* bytes of a page that hold its nonce and seal */
    char name[64];
    enum ocop_status st = OCOP_OK;

    /* The copy of an encrypted file has its key, that of a plain one none yet, but room for it. */
    (void)sqlite3_file_control(db, "main", SQLITE_FCNTL_RESERVE_BYTES, &reserve);
    if (sqlite3_prepare_v2(db, "VACUUM INTO ?1", -1, &stmt, NULL) != SQLITE_OK ||
        sqlite3_bind_text(stmt, 1, to, -1, SQLITE_STATIC) != SQLITE_OK ||
        sqlite3_step(stmt) != SQLITE_DONE)
        st = db_error(db, err, "copying the store");
    (void)sqlite3_finalize(stmt);
    if (st)
        return st;
    st = db_open_keyed(to, false, false, key->set ? vfs : cipher_vfs(vfs, name, sizeof name), old,
                       &same, &copy, err);
    cipher_key_wipe(&same);
    if (!st)
        st = change_key(copy, secret, err);
    (void)sqlite3_close(copy);
    return st ? st : read_back(to, vfs, secret, err);
}

#else

enum ocop_status cipher_copy(sqlite3 *db, const struct cipher_key *key, const char *to,
                             const char *vfs, struct span secret, struct ocop_error *err)
{
    (void)db, (void)key, (void)to, (void)vfs;
    return cipher_check(secret, err);
}

#endif
