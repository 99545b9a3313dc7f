#!/bin/sh
# Plant each bug of tests/sim/planted in a copy of the tree and see the simulator catch it.
#     sh tests/sim/planted.sh BUILD [name ...]        SEEDS=n: runs it has for each, 1000 if not given
# Fails when one is not caught, does not apply or does not build, when the command that is told does not
# fail in the same way again, or the short one of the first, and when there are fewer than 14.
set -eu
build=$1
shift
tree=$build/planted
rm -rf "$tree"
mkdir -p "$tree/build"
cp -a Makefile proto client-lib server migrations tests bench .ci "$tree"
for part in obj gen; do [ ! -d "$build/$part" ] || cp -a "$build/$part" "$tree/build"; done
make -s -j2 -C "$tree" B=build build/sim/sim >"$tree/log" 2>&1 || { tail -n 20 "$tree/log"; exit 1; }

# The command that stands in the log, the n-th, fails by the same word.
again() { # n
    word=$(sed -n 's/^FAILED seed [0-9]*: F [0-9]* \([^ :]*\).*/\1/p' "$tree/log" | head -n 1)
    command=$(sed -n 's/^  replay: //p' "$tree/log" | sed -n "$1p")
    [ -n "$word" ] && [ -n "$command" ] || return 1
    # shellcheck disable=SC2086
    if (cd "$tree" && $command) >"$tree/again" 2>/dev/null; then return 1; fi
    [ "$word" = crashed ] || grep -qE "^F [0-9]+ $word" "$tree/again"
}

# The files that it has spoilt as they are: a patch taken back by patch(1) may find another place.
restore() { # patch
    sed -n 's|^+++ b/||p' "$1" | while read -r file; do cp "$file" "$tree/$file"; done
}

caught=0
missed=0
for patch in tests/sim/planted/*.patch; do
    name=$(basename "$patch" .patch)
    if [ $# -gt 0 ]; then case " $* " in *" $name "*) ;; *) continue ;; esac fi
    if ! patch -s -p1 -F0 -d "$tree" <"$patch" >"$tree/log" 2>&1; then
        echo "$name: does not apply; renew it"
        missed=$((missed + 1))
        restore "$patch"
        continue
    fi
    if ! make -s -j2 -C "$tree" build/sim/sim >"$tree/log" 2>&1; then
        echo "$name: does not build"
        grep error "$tree/log" | head -n 5
        missed=$((missed + 1))
    elif (cd "$tree" && build/sim/sim --seeds="${SEEDS:-1000}" --long) >"$tree/log" 2>&1; then
        echo "$name: NOT CAUGHT: $(tail -n 1 "$tree/log")"
        missed=$((missed + 1))
    elif ! again 1; then
        echo "$name: caught, and not by what replays it: $command"
        missed=$((missed + 1))
    else
        caught=$((caught + 1))
        grep -m 1 FAILED "$tree/log" | sed "s/^FAILED seed [0-9]*: F/$name: caught by seed/" | cut -c1-160
    fi
    if [ "$caught" -eq 1 ] && [ ! -e "$tree/short" ]; then
        seed=$(sed -n 's/^FAILED seed \([0-9]*\):.*/\1/p' "$tree/log" | head -n 1)
        (cd "$tree" && build/sim/sim --first="$seed" --seeds=1) >"$tree/log" 2>&1 || true
        grep '^  short' "$tree/log" >"$tree/short" || true
        if [ -s "$tree/short" ] && again 2; then
            sed 's/: F.*//; s/^ */and made /' "$tree/short" | cut -c1-160
        else
            echo "$name: not made short, or the short run does not fail: $command"
            missed=$((missed + 1))
        fi
    fi
    restore "$patch"
done
rm -rf "$tree"
echo "planted: $caught caught, $missed not"
[ "$missed" -eq 0 ] && { [ $# -gt 0 ] || [ "$caught" -ge 14 ]; }
