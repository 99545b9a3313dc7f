/* verify-evidence: reads the file, and says what the library found. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"

enum { KEY_BYTES = 32, READ_STEP = 1 << 20, FILE_BYTES_MAX = 80 << 20 };

/* The whole file. One that is too large is read no further: the library refuses it. */
static enum ocop_status read_stream(FILE *f, const char *path, struct out *o,
                                    struct ocop_error *err)
{
    char *step = malloc(READ_STEP);
    size_t n = 1;
    enum ocop_status st = OCOP_OK;

    if (!step)
        st = command_fail(err, OCOP_ENOMEM, NULL, "out of memory");
    while (!st && n && o->len < FILE_BYTES_MAX) {
        n = fread(step, 1, READ_STEP, f);
        out_put(o, step, n);
    }
    if (!st && ferror(f))
        st = command_fail(err, OCOP_EIO, NULL, "%s cannot be read: %m", path);
    if (!st && o->failed)
        st = command_fail(err, OCOP_ENOMEM, NULL, "out of memory");
    free(step);
    return st;
}

static enum ocop_status read_file(const char *path, struct out *o, struct ocop_error *err)
{
    enum ocop_status st;
    FILE *f;

    if (strcmp(path, "-") == 0)
        return read_stream(stdin, path, o, err);
    f = fopen(path, "rb");
    if (!f)
        return command_fail(err, errno == ENOENT ? OCOP_ENOTFOUND : OCOP_EIO, NULL, "%s: %m", path);
    st = read_stream(f, path, o, err);
    (void)fclose(f);
    return st;
}

static int digit(char c)
{
    const char *digits = "0123456789abcdefABCDEF", *at = c ? strchr(digits, c) : NULL;
    const int n = at ? (int)(at - digits) : -1;

    return n > 15 ? n - 6 : n;
}

/* Spaces, colons and hyphens between the digits are for the eye. */
static bool read_key(const char *hex, uint8_t key[KEY_BYTES])
{
    size_t n = 0;

    memset(key, 0, KEY_BYTES);
    for (; *hex; hex++) {
        if (*hex == ' ' || *hex == ':' || *hex == '-')
            continue;
        if (digit(*hex) < 0 || n == 2 * KEY_BYTES)
            return false;
        key[n / 2] = (uint8_t)(key[n / 2] << 4 | digit(*hex));
        n++;
    }
    return n == 2 * KEY_BYTES;
}

static void note_key(const struct ocop_evidence *e)
{
    char text[KEY_BYTES * 3] = "";
    size_t at = 0;

    for (size_t i = 0; i < KEY_BYTES; i++) {
        (void)snprintf(text + at, sizeof text - at, "%02x%s", e->root_key[i],
                       i % 2 && i + 1 < KEY_BYTES ? " " : "");
        at += strlen(text + at);
    }
    command_note(
        "no --root-key was given. All this proves nothing unless %s is the root key that the "
        "registry's office has published: compare it.",
        text);
}

enum ocop_status evidence_run(struct session *s, struct ocop_error *err)
{
    const char *hex = s->value[OPT_ROOT_KEY];
    struct ocop_evidence found;
    uint8_t key[KEY_BYTES];
    struct out file = {0};
    char *story = NULL;

    if (hex && !read_key(hex, key))
        return command_usage(s, err, "--root-key takes %d hexadecimal digits", 2 * KEY_BYTES);
    enum ocop_status st = read_file(s->words[0], &file, err);
    if (!st)
        st = ocop_verify_evidence(file.p, file.len, hex ? key : NULL, s->value[OPT_JSON] != NULL,
                                  &story, &found, err);
    if (!st) {
        out_str(&s->out, story);
        if (!hex)
            note_key(&found);
        if (!found.holds)
            st = command_fail(err, OCOP_EDAMAGED, NULL,
                              "%u things of this evidence do not hold, marked BAD", found.findings);
    }
    ocop_text_free(story);
    out_fini(&file);
    return st;
}
