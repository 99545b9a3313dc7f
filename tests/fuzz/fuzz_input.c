/* What else is read that people, other programs and other machines wrote: settings, keys, the
 * ledger, what is carried to the root key and back, assignments, lists in their column, packed
 * records of a binding, and the first bytes of any file. The first byte of an input says which. */
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bounds.h"
#include "change.h"
#include "config.h"
#include "fixed_env.h"
#include "fuzz.h"
#include "json.h"
#include "ledger.h"
#include "media.h"
#include "rules.h"

static struct fixed_env env;
static struct server_keys keys, away; /* away: without its root, and with keys that wait for it */
static struct id_source ids;
static char path[32]; /* of a file that has no name */
static int file;

static void once(void)
{
    static bool done;
    char folder[] = "/tmp/ocop-fuzz-XXXXXX", name[40];

    if (done)
        return;
    done = true;
    kinds_init();
    fixed_env_init(&env, 1);
    id_source_init(&ids, &env.env);
    CHECK(mkdtemp(folder));
    snprintf(name, sizeof name, "%s/keys", folder);
    CHECK(keys_create(name, &env.env, &keys, NULL) == OCOP_OK);
    file = open(name, O_RDWR | O_CLOEXEC);
    CHECK(file >= 0 && unlink(name) == 0 && rmdir(folder) == 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    away = keys;
    keys_detach(&away, &env.env);
    keys_new_channel(&away, &env.env, 0);
    keys_new_sign(&away, &env.env);
}

static void put_file(struct span s)
{
    CHECK(ftruncate(file, 0) == 0 && pwrite(file, s.p, s.len, 0) == (ssize_t)s.len);
}

static void settings(struct span in, struct arena *a)
{
    struct config c;
    struct ocop_error err = {0};
    char storage[CONFIG_VALUE_MAX];
    const char *listen[CONFIG_LISTEN_MAX];

    (void)a;
    put_file(in);
    config_init(&c);
    if (config_read(&c, path, false, &err) != OCOP_OK) {
        CHECK(err.text[0]);
        return;
    }
    config_listen(&c, storage, listen);
    CHECK(config_batch(&c) >= 1 && config_queue(&c) > 0 && config_workers(&c) >= 0);
}

static void key_file(struct span in, struct arena *a)
{
    struct server_keys k;
    struct sign_key root;

    (void)a;
    put_file(in);
    if (keys_load(path, &k, NULL) == OCOP_OK)
        keys_wipe(&k);
    if (keys_load_root(path, &root, NULL) == OCOP_OK)
        sign_key_wipe(&root);
    if (keys_load_next(path, &k, NULL) == OCOP_OK)
        keys_wipe(&k);
}

/* As it is, and as a line that this registry signed. */
static void ledger(struct span in, struct arena *a)
{
    struct ledger l;
    struct buf line;
    uint8_t signature[SIGNATURE_LEN];
    char hex[2 * SIGNATURE_LEN + 1];

    (void)a;
    buf_init(&line, MIB(1));
    buf_put(&line, in.p, in.len);
    buf_byte(&line, '\n');
    for (size_t i = 0; i < in.len && in.p[i] != '\n'; i++)
        buf_byte(&line, in.p[i]);
    const size_t at = in.len + 1;
    buf_printf(&line, " %s",
               sodium_bin2hex(hex, sizeof hex, keys.root.public_key, SIGN_PUBLIC_LEN));
    keys_sign(&keys.root, KEYS_LEDGER, span_of(line.p + at, line.len - at), signature);
    buf_printf(&line, " %s\n", sodium_bin2hex(hex, sizeof hex, signature, sizeof signature));
    put_file(buf_span(&line));
    buf_fini(&line);
    ledger_init(&l);
    if (ledger_read(&l, path, NULL, &keys, NULL) == OCOP_OK)
        for (const struct ledger_entry *e = l.first; e; e = e->next)
            CHECK(e->reason && ledger_last(&l, &e->replica));
    ledger_fini(&l);
}

/* To the root and back. */
static void key_papers(struct span in, struct arena *a)
{
    struct server_keys k = away;
    struct buf out;
    const char *text = arena_dup(a, in.p, in.len);

    buf_init(&out, KIB(4));
    if (text && keys_answer(&keys.root, text, &out, NULL) == OCOP_OK) {
        buf_byte(&out, 0);
        (void)!keys_install(&k, &env.env, (const char *)out.p, 0, NULL);
    }
    if (text)
        (void)!keys_install(&k, &env.env, text, 0, NULL);
    buf_fini(&out);
}

static void assignment(struct span in, struct arena *a)
{
    const char *text = arena_dup(a, in.p, in.len);

    for (size_t i = 0; text && i < kind_count(); i++) {
        struct fields f = {0};
        struct ocop_error err = {0};
        if (json_set_text(kind_at(i), text, &ids, &env.env, a, &f, &err) == OCOP_OK)
            (void)!rules_check(kind_at(i), &f, RULES_DRAFT, NULL, NULL);
        else
            CHECK(err.text[0]);
        arena_reset(a);
        text = arena_dup(a, in.p, in.len);
    }
}

/* What is read is what this program writes, to the byte. */
static void list_column(struct span in, struct arena *a)
{
    for (size_t i = 0; i < kind_count(); i++)
        for (const struct field_rule *list = kind_at(i)->fields; list->number; list++) {
            struct fields f;
            struct buf out;
            if (!rule_is_list(list))
                continue;
            buf_init(&out, MIB(4));
            if (json_list_read(list, in, a, &f, NULL) == OCOP_OK)
                CHECK(json_list_write(list, f.v, f.count, &out, NULL) == OCOP_OK &&
                      span_eq(buf_span(&out), in));
            buf_fini(&out);
            arena_reset(a);
        }
}

/* A record as a binding packs it. What is read is written, and read to the same. */
static void packed(struct span in, struct arena *a)
{
    for (size_t i = 0; i < kind_count(); i++) {
        struct fields f, again;
        struct id id, id_again;
        struct buf out;
        buf_init(&out, MIB(4));
        if (record_unpack(kind_at(i), in, a, &id, &f, NULL) == OCOP_OK &&
            record_pack(&id, &f, &out, NULL) == OCOP_OK) {
            CHECK(record_unpack(kind_at(i), buf_span(&out), a, &id_again, &again, NULL) == OCOP_OK);
            CHECK(id_eq(&id, &id_again) && again.count == f.count);
        }
        buf_fini(&out);
        arena_reset(a);
    }
}

static void first_bytes(struct span in, struct arena *a)
{
    const char *type = media_type(in);

    (void)a;
    CHECK(type[0] && media_extension(type)[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const readers[])(struct span in, struct arena * a) = {
        settings, key_file, ledger, key_papers, assignment, packed, first_bytes, list_column};
    struct arena a;

    if (size == 0)
        return 0;
    once();
    arena_init(&a, MIB(16));
    readers[data[0] % (sizeof readers / sizeof *readers)](span_of(data + 1, size - 1), &a);
    arena_fini(&a);
    return 0;
}
