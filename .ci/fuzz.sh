#!/bin/sh
# Fuzz every target, one after the other, FUZZ_SECONDS each, from its committed corpus. New inputs are
# kept under BUILD/corpus; with FUZZ_KEEP=1 the small ones that reach something new are copied to the
# committed corpus. Fails on the first finding and says how to replay it.
set -eu
build=$1
seconds=${FUZZ_SECONDS:-300}
targets=${FUZZ:-frame handshake changeset tight request reply files csv import json evidence exif picture png input}
KEEP_BYTES_MAX=2048 # of a file: a corpus is read by people too
ran=0
spent() { # CPU seconds of this shell's children: by wall time a busy machine tells nothing
    awk '{ t = ENVIRON["TICKS"]; print int(($16 + $17) / t) }' "/proc/$$/stat"
}
TICKS=$(getconf CLK_TCK)
export TICKS
# Freed memory is kept for a while to see its use; not for so long that every input has fresh pages.
export ASAN_OPTIONS="quarantine_size_mb=16:malloc_context_size=10${ASAN_OPTIONS:+:$ASAN_OPTIONS}"
for name in $targets; do
    seeds=tests/fuzz/corpus/$name
    found=$build/corpus/$name
    log=$build/$name.log
    mkdir -p "$found"
    [ -n "$(ls "$seeds")" ] || { echo "fuzz: $seeds is empty"; exit 1; }
    before=$(spent)
    "$build/fuzz/fuzz_$name" -max_total_time="$seconds" -max_len=16384 -timeout=20 \
        -rss_limit_mb=2048 -artifact_prefix="$build/$name-" -print_final_stats=1 \
        "$found" "$seeds" >"$log" 2>&1 || {
        tail -n 60 "$log"
        echo "fuzz: $name has found something: $build/fuzz/fuzz_$name $build/$name-*"
        exit 1
    }
    edges=$(grep -oE 'cov: [0-9]+' "$log" | tail -n 1)
    units=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    [ "${units:-0}" -gt 0 ] || { echo "fuzz: $name ran nothing"; exit 1; }
    if [ "${FUZZ_KEEP:-}" = 1 ]; then
        # merge into the seeds only what is small enough
        small=$build/small/$name
        mkdir -p "$small"
        find "$found" -type f -size -"${KEEP_BYTES_MAX}"c -exec cp {} "$small" \;
        "$build/fuzz/fuzz_$name" -set_cover_merge=1 "$seeds" "$small" >"$build/$name-merge.log" 2>&1
    fi
    echo "fuzz_$name: $(($(spent) - before)) CPU seconds, $units inputs run, ${edges:-cov: 0} edges, $(ls "$seeds" | wc -l) files in its corpus"
    ran=$((ran + 1))
done
[ "$ran" -gt 0 ]
