#!/bin/sh
# Run every test program below BUILD/tests and replay every corpus, JOBS at a time; with TESTS in the
# environment, only the test programs named there; WITHOUT names some to leave out. Fails when one fails,
# is missing, or ran nothing.
set -u
build=$1
FUZZ='frame handshake changeset tight request reply files csv import json evidence exif picture png input'
PROGRAMS_MIN=23
SECONDS_MAX=${SECONDS_MAX:-900} # a program that takes longer hangs
results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT
export results build

one() { # a test program, or a fuzz target
    name=$(basename "$1")
    log="$results/$name.log"
    began=$(date +%s)
    case $name in
    test_faults) FAULT_GROWTH="${FAULT_GROWTH:-30}" timeout "$SECONDS_MAX" "$1" >"$log" 2>&1 ;;
    sim) timeout "$SECONDS_MAX" "$1" --jobs=1 --seeds="${SEEDS:-300}" >"$log" 2>&1 ;;
    fuzz_*) timeout "$SECONDS_MAX" "$1" tests/fuzz/corpus/"${name#fuzz_}"/* >"$log" 2>&1 ;;
    *) OCOP_BIN="$build/ocop" OCOPD_BIN="$build/ocopd" timeout "$SECONDS_MAX" "$1" >"$log" 2>&1 ;;
    esac
    status=$?
    case $name in
    sim) said=$(grep -aoE '[1-9][0-9]* seeds, 0 failed.*' "$log") ;;
    fuzz_*) said=$(grep -aoE '[0-9]+ inputs' "$log") ;;
    *) said=$(grep -aE '^\[  PASSED  \] [1-9]' "$log" | head -n 1) ;;
    esac
    if [ "$status" -eq 0 ] && [ -n "$said" ]; then
        echo "$name $said, $(($(date +%s) - began)) s"
        echo "$said" >"$results/$(echo "$1" | tr / _).passed"
    else
        echo "FAILED: $1 (exit $status)"
        grep -avE '^\[ (RUN|      OK) ' "$log" | tail -n 60
    fi
}

if [ "${2:-}" = --one ]; then
    results=$3
    trap - EXIT
    one "$4"
    exit
fi

if [ -n "${TESTS:-}" ]; then
    for name in $TESTS; do
        found=$(find "$build/tests" "$build/sim" "$build/fuzz" -name "$name" -type f 2>/dev/null)
        echo "${found:-$build/tests/$name}"
    done >"$results/list"
else
    printf '%s\n' "$build/sim/sim" "$build/tests/fault/test_faults" >"$results/list" # the longest first
    find "$build"/tests/unit "$build"/tests/integration "$build"/tests/procs -maxdepth 1 -name 'test_*' -type f -perm -u+x |
        sort >>"$results/list"
    [ "$(wc -l <"$results/list")" -ge "$PROGRAMS_MIN" ] || echo "$build/tests/ (too few)" >>"$results/list"
    for name in $FUZZ; do echo "$build/fuzz/fuzz_$name"; done >>"$results/list"
    for name in ${WITHOUT:-}; do sed -i "\\|/$name\$|d" "$results/list"; done
fi
tr '\n' '\0' <"$results/list" |
    xargs -0 -P "${JOBS:-2}" -n 1 sh "$0" "$build" --one "$results"
wanted=$(wc -l <"$results/list")
passed=$(find "$results" -name '*.passed' | wc -l)
tests=$(cat "$results"/*_test_*.passed 2>/dev/null | grep -oE '[0-9]+' | awk '{ n += $1 } END { print n + 0 }')
echo "$tests tests in $passed of $wanted programs"
echo "$passed passed, $((wanted - passed)) failed"
[ "$wanted" -gt 0 ] && [ "$passed" -eq "$wanted" ]
