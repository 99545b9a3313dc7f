/* Runs a fuzz target over files: the corpora as ordinary tests, and a finding under a debugger. */
#include <stdio.h>
#include <stdlib.h>

#include "fuzz.h"

enum { FILE_MAX = 1 << 20 };

int main(int argc, char **argv)
{
    static uint8_t bytes[FILE_MAX];
    for (int i = 1; i < argc; i++) {
        FILE *f = fopen(argv[i], "rb");
        if (!f) {
            perror(argv[i]);
            return 1;
        }
        size_t len = fread(bytes, 1, sizeof bytes, f);
        fclose(f);
        /* an exact copy, so that a sanitizer sees a read past its end */
        uint8_t *copy = malloc(len ? len : 1);
        if (!copy)
            return 1;
        for (size_t b = 0; b < len; b++)
            copy[b] = bytes[b];
        LLVMFuzzerTestOneInput(copy, len);
        free(copy);
    }
    printf("%s: %d inputs\n", argv[0], argc - 1);
    return argc > 1 ? 0 : 1;
}
