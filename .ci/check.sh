#!/bin/sh
# The gates of docs/testing.md: all of them, or those named. Each says how much it looked at, fails
# when that is nothing, and .ci/selftest.sh has seen it fail.
set -eu

JOBS=${JOBS:-2}
FUNCTION_LINES_MAX=80 # style asks for about 70; what is longer is two functions
FILE_LINES_MAX=1000   # twenty screens: beyond it nobody reads a file as one subject
GATES='format lengths owners header docs planted cppcheck clang narrow symbols javadoc cipher tidy analyzer sanitizers cipher_sanitizers threads front cross android'

fail() { echo "$gate: $*" >&2; exit 1; }

# Print what was looked at; fewer than the floor means that the gate lost sight of the tree.
looked() { # count floor what
    [ "$1" -ge "$2" ] || fail "looked at $1 $3, expected at least $2"
    echo "$gate: $1 $3"
}

tracked() { # patterns of git ls-files; in an exported tree, of find
    if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
        git ls-files --cached --others --exclude-standard -- "$@" | while read -r f; do
            if [ -e "$f" ]; then echo "$f"; fi
        done
    else
        for p in "$@"; do
            find . -path './build*' -prune -o -path "./$p" -print | sed 's|^\./||'
        done
    fi
}

product() { tracked 'proto/*.c' 'client-lib/*.c' 'server/*.c'; }

build() { # directory make-arguments...; shows the log only when it fails
    dir=$1
    shift
    make -s -k -j "$JOBS" B="$dir" "$@" >"$tmp/build" 2>&1 || {
        grep -E 'error|warning|undefined' "$tmp/build" | head -n 40 || true
        tail -n 20 "$tmp/build"
        fail 'the build failed'
    }
}

gate_format() {
    files=$(tracked '*.c' '*.h')
    echo "$files" | xargs clang-format --dry-run -Werror || fail 'run clang-format -i on these'
    looked "$(echo "$files" | wc -l)" 150 files
}

# The formatter puts a function's braces at the start of a line, and so does nothing else.
gate_lengths() {
    tracked '*.c' '*.h' | xargs awk -v most="$FUNCTION_LINES_MAX" '
        FNR == 1 { begin = 0 }
        /^\{$/ { begin = FNR; name = before; count++ }
        /^\}/ && begin {
            if (FNR - begin + 1 > most) {
                printf "%s:%d: a function of %d lines: %s\n", FILENAME, begin, FNR - begin + 1, name
                bad = 1
            }
            begin = 0
        }
        { before = $0 }
        END { print count + 0 > "/dev/stderr"; exit bad }' 2>"$tmp/count" ||
        fail "functions of more than $FUNCTION_LINES_MAX lines"
    looked "$(cat "$tmp/count")" 1500 functions
    tracked '*.c' '*.h' '*.sh' | xargs wc -l | grep -v ' total$' >"$tmp/lines"
    awk -v most="$FILE_LINES_MAX" '$1 > most { print $2 ": " $1 " lines"; bad = 1 } END { exit bad }' \
        "$tmp/lines" || fail "files of more than $FILE_LINES_MAX lines"
    looked "$(wc -l <"$tmp/lines")" 150 files
}

# Lines of comments are not calls.
gate_owners() {
    tracked 'proto/*.[ch]' 'client-lib/*.[ch]' 'server/*.[ch]' >"$tmp/files"
    xargs awk -F '\t' '
        function pattern(glob) {
            gsub(/\./, "\\.", glob)
            gsub(/\*/, "[^/]*", glob)
            return "^" glob "$"
        }
        FILENAME == ".ci/owners" {
            if ($0 == "" || $0 ~ /^#/)
                next
            name[++n] = $1
            header[n] = "^#include <(" $2 ")>"
            calls[n] = "(^|[^a-zA-Z0-9_.>\"])(" $3 ")"
            owners[n] = $4
            next
        }
        FNR == 1 {
            for (i = 1; i <= n; i++) {
                mine[i] = 0
                count = split(owners[i], owner, " ")
                for (j = 1; j <= count; j++)
                    if (FILENAME ~ pattern(owner[j]))
                        mine[i] = 1
            }
        }
        /^ *(\*|\/\*)/ { next }
        {
            for (i = 1; i <= n; i++)
                if ($0 ~ header[i] || $0 ~ calls[i]) {
                    used[i] = 1
                    if (!mine[i]) {
                        printf "%s:%d: %s has another owner: %s\n", FILENAME, FNR, name[i], $0
                        bad = 1
                    }
                }
        }
        END {
            for (i = 1; i <= n; i++)
                if (!used[i]) {
                    printf "%s: nobody uses it; mend .ci/owners\n", name[i]
                    bad = 1
                }
            print n + 0 > "/dev/stderr"
            exit bad
        }' .ci/owners <"$tmp/files" 2>"$tmp/count" || {
        cat "$tmp/count"
        fail 'each foreign library has one owner'
    }
    looked "$(cat "$tmp/count")" 10 libraries
    looked "$(wc -l <"$tmp/files")" 100 files
}

# The public header alone, strictly, in both languages that will read it.
gate_header() {
    printf '#include "ocop.h"\nint main(void) { return OCOP_OK; }\n' >"$tmp/alone.c"
    cp "$tmp/alone.c" "$tmp/alone.cc"
    strict='-pedantic-errors -Wall -Wextra -Wundef -Werror -fsyntax-only -Iproto/base -Iclient-lib'
    # shellcheck disable=SC2086
    for compiler in 'gcc -std=c11' 'clang -std=c11' 'clang++ -std=c++11'; do
        case $compiler in *++*) file=$tmp/alone.cc ;; *) file=$tmp/alone.c ;; esac
        $compiler $strict "$file" || fail "$compiler refuses ocop.h"
    done
    looked "$(grep -cE '\bocop_[a-z_]+\(' client-lib/ocop.h)" 20 'lines that declare functions'
}

# Every test that docs/testing.md names is there and is run.
gate_docs() {
    grep -oE '\btest_[a-z_]+:[a-z0-9_]+' docs/testing.md | sort -u >"$tmp/named" || true
    while IFS=: read -r program name; do
        file=$(tracked "tests/unit/$program.c" "tests/integration/$program.c" "tests/procs/$program.c" \
            "tests/cipher/$program.c")
        [ -n "$file" ] || fail "docs/testing.md names $program, which is not there"
        [ "$(grep -cw "$name" "$file")" -ge 2 ] ||
            fail "docs/testing.md names $program:$name, which is not there or not run"
    done <"$tmp/named"
    looked "$(wc -l <"$tmp/named")" 30 'tests that docs/testing.md names'
    # No way in which others failed is without a test.
    awk '/^## / { on = /^## How others have failed/ } on && /^\| / && !/^\| what happened/' \
        docs/testing.md >"$tmp/failures"
    if grep -vE '\btest_[a-z_]+:' "$tmp/failures"; then
        fail 'these failures of others have no test'
    fi
    looked "$(wc -l <"$tmp/failures")" 39 'failures of others'
    # The scenario that it shows is one that runs.
    sed -n '/^    static void [a-z_]*(void \*\*state)$/,/^    }$/s/^    //p' docs/testing.md >"$tmp/shown"
    looked "$(wc -l <"$tmp/shown")" 10 'lines of a scenario'
    while IFS= read -r line; do
        grep -qxF "$line" tests/integration/test_scenario.c ||
            fail "tests/integration/test_scenario.c is not what docs/testing.md shows: $line"
    done <"$tmp/shown"
}

# Each bug of tests/sim/planted still goes where it was made for: patch(1), when it may guess, finds
# another place for it, and what is planted there is another bug.
gate_planted() {
    tracked 'tests/sim/planted/*.patch' >"$tmp/planted"
    while read -r bug; do
        patch --dry-run -s -p1 -F0 <"$bug" >"$tmp/patch" 2>&1 || {
            cat "$tmp/patch"
            fail "$bug does not apply; renew it"
        }
    done <"$tmp/planted"
    looked "$(wc -l <"$tmp/planted")" 40 'bugs to plant'
}

# What is not initialised is left to both compilers and the sanitizers: cppcheck does not see that a
# function fills what it is given a pointer to.
gate_cppcheck() {
    cppcheck --error-exitcode=1 --inline-suppr --suppress=missingIncludeSystem \
        --suppress=uninitvar --suppress=legacyUninitvar --suppress=uninitStructMember \
        --enable=warning,portability --std=c11 -Iproto/base -Iproto/schema -Iproto/change \
        -Iproto/data -Iproto/wire -Iproto/image -Iserver -Iclient-lib -j "$JOBS" proto server client-lib \
        >"$tmp/cppcheck" || fail 'cppcheck has found something'
    looked "$(grep -c '^Checking .*\.c \.\.\.$' "$tmp/cppcheck")" 65 files
}

objects() { find "$1/obj" -name '*.o' | wc -l; }

gate_clang() {
    build build-clang CC=clang all tests bench-build
    looked "$(objects build-clang)" 100 'files compiled'
}

# The same where a size has 32 bits, as on many phones: what is cut off shows here first.
gate_narrow() {
    build build-narrow OPT=-O1 \
        CC='arm-linux-gnueabihf-gcc -idirafter /usr/include -idirafter /usr/include/x86_64-linux-gnu' \
        build-narrow/libproto.a build-narrow/libocop.a build-narrow/libocopd.a
    looked "$(objects build-narrow)" 90 'files compiled'
}

# Only ocop_ leaves the library. The generated messages are ocop__.
only_ours() { # library
    nm -D --defined-only "$1" | awk '{ print $3 }' >"$tmp/symbols"
    if grep -v '^ocop_' "$tmp/symbols"; then fail 'libocop.so exports these'; fi
    # and each function of the header does
    grep -oE '\bocop_[a-z_]+\(' client-lib/ocop.h | tr -d '(' | sort -u >"$tmp/declared"
    sort -u "$tmp/symbols" | comm -23 "$tmp/declared" - >"$tmp/missing"
    [ ! -s "$tmp/missing" ] || fail "not exported: $(tr '\n' ' ' <"$tmp/missing")"
    looked "$(grep -c '^ocop_[a-z]' "$tmp/symbols")" 25 symbols
}

gate_symbols() {
    build build-clang CC=clang build-clang/libocop.so build-clang/libocop_jni.so
    only_ours build-clang/libocop.so
    exported=$(nm -D --defined-only build-clang/libocop_jni.so | awk '{ print $3 }')
    [ "$exported" = JNI_OnLoad ] || fail "libocop_jni.so exports more than JNI_OnLoad, or not that: $exported"
}

# Every public method of the Java binding says what it takes, gives and throws.
gate_javadoc() {
    make -s B=build-clang CC=clang javadoc >"$tmp/javadoc" 2>&1 || {
        cat "$tmp/javadoc"
        fail 'javadoc has found something'
    }
    looked "$(grep -cE '^    public .*\(' client-lib/java/vn/ocop/field/FieldStore.java)" 30 'public methods of FieldStore'
}

# The SQLite of CIPHER=1 stays inside: an app may have another one.
gate_cipher() {
    build build-cipher CIPHER=1 OPT=-O1 build-cipher/libocop.so
    only_ours build-cipher/libocop.so
    if nm -D --undefined-only build-cipher/libocop.so | grep sqlite3; then
        fail 'libocop.so asks for these of another SQLite'
    fi
}

gate_tidy() {
    make -s generated
    product | grep -E "${ONLY:-.}" >"$tmp/files" # ONLY: a pattern, for a quick look at one file
    make -s layers >"$tmp/layers"
    while read -r file; do
        flags=$(awk -F '\t' -v file="$file" 'index(file, $1 "/") == 1 { print $2; exit }' \
            "$tmp/layers")
        [ -n "$flags" ] || fail "no layer for $file"
        echo "$file -- -std=c11 -D_POSIX_C_SOURCE=200809L -DSTATIC_ANALYSIS $flags"
    done <"$tmp/files" >"$tmp/calls"
    xargs -P "$JOBS" -L 1 clang-tidy --quiet <"$tmp/calls" >"$tmp/tidy" 2>"$tmp/tidy.err" || {
        cat "$tmp/tidy"
        grep -v 'warnings generated' "$tmp/tidy.err" || true
        fail 'clang-tidy has found something'
    }
    looked "$(wc -l <"$tmp/calls")" 65 files
}

# -O1: without inlining gcc 12 follows fewer paths to their end.
gate_analyzer() {
    build build-analyzer OPT='-O1 -g' SAN='-fanalyzer -DSTATIC_ANALYSIS' compile
    looked "$(objects build-analyzer)" 65 'files analysed'
}

# docs/haproxy.cfg as it is shipped, with a real HAProxy.
gate_front() {
    build build-clang CC=clang all build-clang/tests/front/test_front
    OCOP_BIN=build-clang/ocop OCOPD_BIN=build-clang/ocopd build-clang/tests/front/test_front \
        >"$tmp/front" 2>&1 || {
        cat "$tmp/front"
        fail 'docs/haproxy.cfg does not do what it says'
    }
    looked "$(sed -n 's/^\[  PASSED  \] \([0-9]*\) .*/\1/p' "$tmp/front")" 6 'tests of docs/haproxy.cfg'
}

programs_of() { # directory test...: the programs to build
    dir=$1
    shift
    for name in "$@"; do
        case $name in
        fuzz_*) file=$(tracked "tests/fuzz/$name.c") program=fuzz/$name ;;
        *)
            file=$(tracked "tests/unit/$name.c" "tests/integration/$name.c" "tests/procs/$name.c")
            program=${file%.c}
            ;;
        esac
        [ -n "$file" ] || fail "there is no $name"
        echo "$dir/$program"
    done
}

# All tests; with TESTS in the environment, those.
gate_sanitizers() {
    # shellcheck disable=SC2046,SC2086
    build build-san OPT='-O1 -g' SAN='-fsanitize=address,undefined -fno-sanitize-recover=all' \
        $(if [ -n "${TESTS:-}" ]; then programs_of build-san $TESTS; else echo tests; fi) all
    # Three times as slow: fewer seeds and faults than without.
    ASAN_OPTIONS=allocator_may_return_null=1:quarantine_size_mb=8 \
        SEEDS="${SEEDS:-60}" FAULT_GROWTH="${FAULT_GROWTH:-60}" sh .ci/run-tests.sh build-san ||
        fail 'tests fail'
}

# The encrypted build, and the SQLite in it, by the tests of test-cipher; with CIPHER_TESTS in the
# environment, those.
gate_cipher_sanitizers() {
    # Not test_cipher itself: it tries so many keys that it would take a quarter of an hour here.
    names=${CIPHER_TESTS:-$(make -s cipher-tests | tr ' ' '\n' | grep -v '/test_cipher$')}
    # shellcheck disable=SC2046,SC2086
    build build-cipher-san CIPHER=1 OPT='-O1 -g' \
        SAN='-fsanitize=address,undefined -fno-sanitize-recover=all' all \
        $(for name in $names; do echo "build-cipher-san/tests/$name"; done)
    TESTS="$(for name in $names; do basename "$name"; done)" \
        sh .ci/run-tests.sh build-cipher-san || fail 'tests fail'
    looked "$(echo "$names" | wc -w)" 10 'programs of tests on encrypted stores'
}

# Where threads meet: every test that starts some, and those that use a store from callbacks of the
# link. Not test_link: nanomsg looks names up in threads of getaddrinfo_a, whose stacks are too small
# for what ThreadSanitizer puts there.
gate_threads() {
    with=$(tracked 'tests/unit/*.c' 'tests/integration/*.c' | xargs grep -l pthread_create |
        sed 's|.*/||; s|\.c$||' | grep -vx test_link)
    looked "$(echo "$with" | wc -w)" 1 'tests that start threads'
    # shellcheck disable=SC2046,SC2086
    build build-tsan OPT='-O1 -g' SAN='-fsanitize=thread' \
        $(programs_of build-tsan $with test_syncing)
    TESTS="$with test_syncing" TSAN_OPTIONS="halt_on_error=1 suppressions=$PWD/.ci/tsan.supp" \
        sh .ci/run-tests.sh build-tsan || fail 'tests fail'
}

# One other processor, the one that differs most: s390x is big-endian. `make cross` runs all tests, on all.
gate_cross() {
    TESTS=${TESTS:-'sim test_base test_changeset test_noise test_frame test_row test_json test_migrate test_apply
        test_recording test_syncing test_exchange test_recorded'} SEEDS=${SEEDS:-5} \
        sh .ci/cross.sh s390x >"$tmp/cross" 2>&1 || {
        cat "$tmp/cross"
        fail 'another processor does not do what this one does'
    }
    looked "$(sed -n 's/^s390x: \([0-9]*\) tests in .*/\1/p' "$tmp/cross")" 1 'tests on s390x'
    looked "$(grep -c ' opens what ' "$tmp/cross")" 2 'sets of files that one processor left and the other opened'
}

# For one ABI, that of this machine: what the library asks of bionic, and ocop on it.
gate_android() {
    sh client-lib/android/build.sh x86_64 >"$tmp/android" 2>&1 || {
        grep -v '^CC ' "$tmp/android"
        fail 'the library for Android is not as it should be'
    }
    looked "$(sed -n 's/^android: .* asks for \([0-9]*\) symbols.*/\1/p' "$tmp/android" | head -n 1)" 100 'symbols of bionic'
    looked "$(sed -n 's/^android: x86_64: \([0-9]*\) tests in .*/\1/p' "$tmp/android")" 20 'tests on that library'
}

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
for gate in ${*:-$GATES}; do
    case " $GATES " in *" $gate "*) ;; *) fail 'there is no such gate' ;; esac
    "gate_$gate"
done
