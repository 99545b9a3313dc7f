/* keys: what the registry is known by, and new ones in the place of old ones. All of it is the file
 * of keys; the registry itself is opened only to be told of a new root. A server that runs takes
 * the new file by itself.
 */
#include <string.h>

#include "backup.h"
#include "command.h"
#include "show.h"

enum { KEEP_DAYS = 400 };

/* The first bytes of a key's hash, to compare by eye. */
static void show_print(FILE *out, const uint8_t key[32])
{
    uint8_t hash[HASH_LEN];

    hash_bytes(span_of(key, 32), hash);
    for (int i = 0; i < 8; i++)
        fprintf(out, "%02x%s", hash[i], i % 2 && i < 7 ? "-" : "");
}

static void show_requests(const struct server_keys *k, FILE *out)
{
    struct buf text;

    buf_init(&text, KEYS_TEXT_MAX);
    keys_request(k, &text);
    if (text.failed)
        fputs("there is no memory to say what waits for the root\n", out);
    else if (text.len)
        fprintf(out,
                "waits for the root; run `ocopd keys sign \"LINE\" --root FILE` where it is, then "
                "`ocopd keys install \"ANSWER\"` here:\n%s",
                buf_cstr(&text));
    buf_fini(&text);
}

static void show_keys(const struct server_keys *k, int64_t now, FILE *out)
{
    const bool own = memcmp(k->sign.public_key, k->root.public_key, SIGN_PUBLIC_LEN) != 0;

    fputs("root\t", out);
    show_print(out, k->root.public_key);
    fputs(k->has_root ? "\tin this file" : "\tkept elsewhere", out);
    if (k->roots.count > 1)
        fprintf(out, "\tnumber %zu", k->roots.count - 1);
    fputc('\n', out);
    fputs("sign\t", out);
    show_print(out, k->sign.public_key);
    if (own)
        fprintf(out, "\tnumber %llu\n", (unsigned long long)k->sign_paper.number);
    else
        fputs("\tthe root itself\n", out);
    for (size_t i = 0; i < k->channel_count; i++) {
        const struct key_paper *p = &k->channel_paper[i];
        fputs("channel\t", out);
        show_print(out, k->channel[i].public_key);
        fprintf(out, "\tnumber %llu\t", (unsigned long long)p->number);
        if (i == 0)
            fputs("in use\n", out);
        else if (i < keys_live(k, now)) {
            fputs("accepted until ", out);
            show_moment(out, p->until_ms);
            fputc('\n', out);
        } else
            fputs("not accepted any more\n", out);
    }
    show_requests(k, out);
}

/* A root from elsewhere signs what waits, and stays nowhere here. */
static enum ocop_status root_signs(struct server_keys *k, const struct env *env, const char *path,
                                   int64_t keep_ms, struct ocop_error *err)
{
    struct sign_key root;
    struct buf requests, answer;
    char *at = NULL;

    enum ocop_status st = keys_load_root(path, &root, err);
    buf_init(&requests, KEYS_TEXT_MAX);
    buf_init(&answer, KEYS_TEXT_MAX);
    keys_request(k, &requests);
    if (st == OCOP_OK && requests.failed)
        st = err_nomem(err);
    char *text = (char *)(uintptr_t)buf_cstr(&requests);
    for (char *line = strtok_r(text, "\n", &at); st == OCOP_OK && line;
         line = strtok_r(NULL, "\n", &at)) {
        buf_clear(&answer);
        st = keys_answer(&root, line, &answer, err);
        if (st == OCOP_OK)
            st = keys_install(k, env, buf_cstr(&answer), keep_ms, err);
    }
    buf_fini(&requests);
    buf_fini(&answer);
    sign_key_wipe(&root);
    return st;
}

static enum ocop_status sign(const struct invocation *in, struct ocop_error *err)
{
    const char *path = command_value(in, "--root");
    struct sign_key root;
    struct buf answer;

    if (!path || in->operand_count != 2)
        return err_set(err, OCOP_EINVAL, "sign needs a line of `ocopd keys show` and --root FILE");
    enum ocop_status st = keys_load_root(path, &root, err);
    buf_init(&answer, KEYS_TEXT_MAX);
    if (st == OCOP_OK)
        st = keys_answer(&root, in->operands[1], &answer, err);
    if (st == OCOP_OK)
        fputs(buf_cstr(&answer), in->out);
    buf_fini(&answer);
    sign_key_wipe(&root);
    return st;
}

/* Make the next root, here or where the present one is kept. */
static enum ocop_status next_root(const struct invocation *in, const struct server_keys *k,
                                  struct ocop_error *err)
{
    const char *path = command_value(in, "--root");
    struct sign_key root = k->root;

    if (in->operand_count != 2)
        return err_set(err, OCOP_EINVAL, "next-root needs the file that it goes to");
    enum ocop_status st = OCOP_OK;
    if (!k->has_root)
        st = path ? keys_load_root(path, &root, err)
                  : err_set(err, OCOP_EINVAL, "the root is kept elsewhere; say --root FILE");
    if (st == OCOP_OK)
        st = keys_next_root(k, in->env, &root, in->operands[1], err);
    sign_key_wipe(&root);
    return st;
}

/* The log names the new root at once, so that evidence can be made with it. */
static enum ocop_status introduce(const struct invocation *in, const struct server_keys *k,
                                  struct ocop_error *err)
{
    struct registry *r = NULL;
    struct author self;
    enum ocop_status st = command_open(in, &r, err);

    if (st == OCOP_OK)
        st = registry_begin(r, err);
    if (st != OCOP_OK)
        goto out;
    st = author_registry(r, k, &self, err);
    author_end(&self);
    if (st == OCOP_OK)
        st = registry_commit(r, err);
    else
        registry_rollback(r);
out:
    registry_close(r);
    return st;
}

/* One change of the keys, in memory. *save: they are to be written. */
static enum ocop_status change(const struct invocation *in, struct server_keys *k, bool *save,
                               struct ocop_error *err)
{
    const char *what = in->operands[0], *root = command_value(in, "--root");
    uint64_t days;
    enum ocop_status st = command_number(in, "--keep", KEEP_DAYS, 1, 3650, &days, err);
    const int64_t keep_ms = (int64_t)days * 24 * 3600 * 1000;

    *save = strcmp(what, "show") != 0;
    if (st != OCOP_OK || !*save)
        return st;
    if (strcmp(what, "install") == 0)
        return in->operand_count == 2
                   ? keys_install(k, in->env, in->operands[1], keep_ms, err)
                   : err_set(err, OCOP_EINVAL, "install needs the answer of `ocopd keys sign`");
    if (strcmp(what, "next-root") == 0) {
        *save = false;
        return next_root(in, k, err);
    }
    if (strcmp(what, "take-root") == 0)
        return in->operand_count == 2
                   ? keys_take_root(k, in->env, in->operands[1], err)
                   : err_set(err, OCOP_EINVAL,
                             "take-root needs the file of `ocopd keys next-root`");
    if (strcmp(what, "detach") == 0) {
        if (!root)
            return err_set(err, OCOP_EINVAL, "detach needs --root: the file that the root goes to");
        if (!k->has_root)
            return err_set(err, OCOP_ESTATE, "the root is not in this file any more");
        st = keys_save_root(root, k, err); /* there before it is gone here */
        if (st == OCOP_OK)
            keys_detach(k, in->env);
        return st;
    }
    if (strcmp(what, "rotate") == 0)
        keys_new_channel(k, in->env, keep_ms);
    else if (strcmp(what, "rotate-sign") == 0)
        keys_new_sign(k, in->env);
    else
        return err_set(err, OCOP_EINVAL, "\"%.40s\" is nothing that can be done to keys", what);
    return root && !k->has_root ? root_signs(k, in->env, root, keep_ms, err) : OCOP_OK;
}

enum ocop_status command_keys_change(const struct invocation *in, struct ocop_error *err)
{
    char path[BACKUP_PATH_MAX];
    struct server_keys keys;
    bool save = false;

    if (strcmp(in->operands[0], "sign") == 0)
        return sign(in, err); /* on any machine */
    memset(&keys, 0, sizeof keys);
    enum ocop_status st = backup_beside(in->config.value[CONFIG_DB], ".keys", path, err);
    if (st == OCOP_OK)
        st = keys_load(path, &keys, err);
    if (st == OCOP_OK)
        st = change(in, &keys, &save, err);
    if (st == OCOP_OK && save)
        st = keys_save(path, &keys, err);
    if (st == OCOP_OK && strcmp(in->operands[0], "take-root") == 0)
        st = introduce(in, &keys, err);
    if (st == OCOP_OK)
        show_keys(&keys, env_now_ms(in->env), in->out);
    keys_wipe(&keys);
    return st;
}
