#!/bin/sh
# Every symbol that LIBRARY asks of others is one of client-lib/android/bionic, which API has. NM reads the library.
set -eu
nm=$1 library=$2 api=$3
symbols=$(mktemp)
trap 'rm -f "$symbols"' EXIT
"$nm" -D --undefined-only "$library" | awk '{ sub(/@.*/, "", $NF); print $NF }' | sort -u >"$symbols"
awk -v api="$api" -v library="$library" '
    FILENAME == "client-lib/android/bionic" {
        if ($0 ~ /^#/ || NF == 0)
            next
        since[$1] = $2
        for (i = 3; i <= NF; i++)
            since[$i] = $2 # as glibc or musl call it
        next
    }
    { asked++ }
    !($1 in since) { printf "%s asks for %s, which stands not in client-lib/android/bionic\n", library, $1; bad = 1; next }
    since[$1] > api { printf "%s asks for %s, which bionic has from API %d on\n", library, $1, since[$1]; bad = 1 }
    END {
        if (asked < 50) { printf "%s: only %d symbols seen\n", library, asked; bad = 1 }
        printf "android: %s asks for %d symbols, all in bionic of API %d\n", library, asked, api
        exit bad
    }' client-lib/android/bionic "$symbols"
