#!/bin/sh
# The lines of bench_phone, and the instructions that opening, saving and finding take, as callgrind counts
# them: the same on every machine. The bars are what a small phone does in 50 and 20 ms, at 1,000 million
# instructions a second.
set -eu
program=$1/bench/bench_phone
dir=$(mktemp -d "${BENCH_DIR:-/var/tmp}/ocop-phone-XXXXXX")
trap 'rm -rf "$dir"' EXIT
PROFILED=20 # as in bench_phone.c

"$program" make "$dir/phone.ocop"
for act in open:50 save:20 find:20; do
    bar=${act#*:} act=${act%:*}
    cp "$dir/phone.ocop" "$dir/work.ocop"
    # Opening for the first time is not counted in any but its own.
    valgrind --tool=callgrind --callgrind-out-file=/dev/null --collect-atstart=no \
        --toggle-collect="phone_$act" "$program" "$act" "$dir/work.ocop" >"$dir/said" 2>&1 || {
        cat "$dir/said" >&2
        exit 1
    }
    rm -f "$dir"/work.ocop*
    [ "$act" = open ] && times=$((PROFILED + 1)) || times=$PROFILED
    awk -v act="$act" -v times="$times" -v bar="$bar" '/Collected :/ {
        n = $NF / times / 1e6
        printf "phone_%s_minstr\t%.3f\tmillion instructions, mean of 20\t<=%d\t%s\n", act, n, bar, n <= bar ? "ok" : "short"
    }' "$dir/said"
done
