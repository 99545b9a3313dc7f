#!/bin/sh
# The gates of docs/testing.md. Each says how much it looked at and fails on nothing.
set -eu
files=$(git ls-files '*.c' '*.h' 2>/dev/null || true)
[ -n "$files" ] || files=$(find . -name '*.[ch]' -not -path './build*')
count=$(echo "$files" | wc -l)
[ "$count" -gt 50 ] || { echo "format: only $count files found"; exit 1; }
echo "format: $count files"
echo "$files" | xargs clang-format --dry-run -Werror
# What is not initialised is left to both compilers and the sanitizers: cppcheck does not see that a
# function fills what it is given a pointer to.
echo "cppcheck"
cppcheck --quiet --error-exitcode=1 --inline-suppr --suppress=missingIncludeSystem \
    --suppress=uninitvar --suppress=legacyUninitvar --suppress=uninitStructMember \
    --enable=warning,portability --std=c11 -Iproto/base -Iproto/schema -Iproto/change -Iproto/data \
    -Iproto/wire -Iserver -Iclient-lib -j 2 proto server client-lib
echo "clang"
make -s -j 2 B=build-clang CC=clang all >build-clang.log 2>&1 || { tail -n 30 build-clang.log; exit 1; }
rm -f build-clang.log
echo "sanitizers"
make -s -j 2 B=build-san OPT='-O1 -g' SAN='-fsanitize=address,undefined -fno-sanitize-recover=all' \
    all tests
sh .ci/run-tests.sh build-san
