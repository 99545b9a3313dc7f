/* verify-evidence: opens the file, and says what the library found. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "command.h"

enum { KEY_BYTES = 32 };

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
    const char *hex = s->value[OPT_ROOT_KEY], *path = s->words[0];
    struct ocop_evidence found;
    uint8_t key[KEY_BYTES];
    char *story = NULL;
    enum ocop_status st;
    int fd;

    if (hex && !read_key(hex, key))
        return command_usage(s, err, "--root-key takes %d hexadecimal digits", 2 * KEY_BYTES);
    fd = strcmp(path, "-") == 0 ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return command_fail(err, errno == ENOENT ? OCOP_ENOTFOUND : OCOP_EIO, NULL, "%s: %m", path);
    st = ocop_verify_evidence_fd(fd, hex ? key : NULL, s->value[OPT_EXTRACT],
                                 s->value[OPT_JSON] != NULL, &story, &found, err);
    (void)close(fd);
    if (!st) {
        out_str(&s->out, story);
        if (!hex)
            note_key(&found);
        if (!found.holds)
            st = command_fail(err, OCOP_EDAMAGED, NULL,
                              "%u things of this evidence do not hold, marked BAD", found.findings);
    }
    ocop_text_free(story);
    return st;
}
