/* See ini.h. */
#include "ini.h"

#include <string.h>

enum { LINE_MAX_BYTES = 4096 };

/* Without white space at both ends. */
static char *trimmed(char *s)
{
    size_t len = strlen(s);
    while (len > 0 && strchr(" \t\r\n", s[len - 1]))
        s[--len] = '\0';
    return s + strspn(s, " \t");
}

int ini_parse_file(FILE *file, ini_handler handler, void *user)
{
    char line[LINE_MAX_BYTES], section[LINE_MAX_BYTES] = "";
    int first_bad = 0;
    for (int n = 1; fgets(line, sizeof line, file); n++) {
        char *s = trimmed(line), *equals = strpbrk(s, "=:"), *end = strchr(s, ']');
        int good = 1;
        if (*s == '\0' || *s == ';' || *s == '#')
            continue;
        if (*s == '[' && end) {
            *end = '\0';
            strcpy(section, s + 1);
        } else if (equals) {
            *equals = '\0';
            char *comment = strstr(equals + 1, " ;");
            if (comment)
                *comment = '\0';
            good = handler(user, section, trimmed(s), trimmed(equals + 1));
        } else {
            good = 0;
        }
        if (!good && !first_bad)
            first_bad = n;
    }
    return first_bad;
}
