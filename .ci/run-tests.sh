#!/bin/sh
# Run every test program below BUILD/tests. Fails when one fails, and when there is none.
set -u
build=$1
passed=0
failed=0
for test in "$build"/tests/unit/test_* "$build"/tests/integration/test_*; do
    [ -x "$test" ] || continue
    log="$test.log"
    if OCOP_BIN="$build/ocop" OCOPD_BIN="$build/ocopd" "$test" >"$log" 2>&1; then
        passed=$((passed + 1))
        grep -E '^\[  PASSED  \]' "$log" | tail -n 1 | sed "s|^|$(basename "$test") |"
    else
        failed=$((failed + 1))
        echo "FAILED: $test"
        grep -vE '^\[ (RUN|      OK) ' "$log" | tail -n 40
    fi
done
for fuzz in "$build"/fuzz/fuzz_*; do
    [ -x "$fuzz" ] || continue
    corpus=tests/fuzz/corpus/$(basename "$fuzz" | sed 's/^fuzz_//')
    if "$fuzz" "$corpus"/*; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
done
# 300 runs of the simulator; it tells the seed of a failure and a short run that replays it.
if "$build/sim/sim" --seeds=300; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
