#!/bin/sh
# See every gate fail: in a copy of the tree plant one breach after the other, run the gate that should
# find it, and ask that it fails for that reason. With arguments, only for the gates named.
set -eu
gates=${*:-}
from=$PWD
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
git ls-files --cached --others --exclude-standard | while read -r f; do
    if [ -e "$f" ]; then echo "$f"; fi
done | tar -cf - -T - | tar -xf - -C "$tree"
cd "$tree"
git init -q . && git add -A
mkdir build && cp -pr "$from"/build/multiple-ciphers-* build 2>/dev/null || true # not to fetch it again
mkdir -p build/cross/s390x && cp -pr "$from"/build/cross/s390x/sysroot build/cross/s390x 2>/dev/null || true
cp -pr "$from"/build/parts build 2>/dev/null || true
seen=0

# Put a file back as it was.
restore() { git checkout-index -f -- "$1"; }

# breach GATE REASON FILE COMMAND...: COMMAND spoils FILE; the gate must fail and give REASON.
breach() {
    gate=$1 reason=$2 file=$3
    shift 3
    case " ${gates:-$gate} " in *" $gate "*) ;; *) return 0 ;; esac
    "$@"
    git diff --quiet -- "$file" && [ -e "$file" ] && { echo "selftest: nothing was spoilt: $gate, $reason"; exit 1; }
    if sh .ci/check.sh "$gate" >said 2>&1; then
        cat said
        echo "selftest: $gate did not see: $reason"
        exit 1
    fi
    grep -qF -- "$reason" said || {
        cat said
        echo "selftest: $gate failed, but not for: $reason"
        exit 1
    }
    echo "$gate fails: $reason"
    seen=$((seen + 1))
    restore "$file"
}

add() { printf '%s\n' "$2" >>"$1"; }     # file line
swap() { sed -i "s|$2|$3|" "$1"; }       # file pattern text
lines() { # file count: a function of so many lines
    {
        printf 'int selftest_long(void);\nint selftest_long(void)\n{\n    int n = 0;\n'
        i=4
        while [ "$i" -lt "$2" ]; do
            echo '    n++;'
            i=$((i + 1))
        done
        printf '    return n;\n}\n'
    } >>"$1"
}
comments() { # file count
    i=0
    while [ "$i" -lt "$2" ]; do
        echo '/* line */' >>"$1"
        i=$((i + 1))
    done
}

breach format 'code should be clang-formatted' server/log.c add server/log.c 'int   x ;'
breach lengths 'a function of 89 lines' server/log.c lines server/log.c 89
breach lengths 'files of more than' server/qr.c comments server/qr.c 1000
breach owners 'zlib has another owner' server/log.c add server/log.c '#include <zlib.h>'
breach owners 'nanomsg has another owner' server/log.c add server/log.c 'int n = nn_socket(1, 2);'
breach owners 'clock and chance has another owner' server/log.c add server/log.c 'long n = time(NULL);'
breach owners 'nobody uses it' .ci/owners add .ci/owners "$(printf 'lua\tlua\\.h\tlua_[a-z]+ *\\(\tserver/lua.c')"
breach header 'gcc -std=c11 refuses' client-lib/ocop.h add client-lib/ocop.h 'struct ocop_empty {};'
breach header 'clang++ -std=c++11 refuses' client-lib/ocop.h add client-lib/ocop.h 'void ocop_x(int class);'
breach docs 'which is not there' docs/testing.md swap docs/testing.md ':a_bad_envelope_is_refused_whole_' ':a_bad_envelope_'
breach docs 'is not what docs/testing.md shows' docs/testing.md swap docs/testing.md 'drop_reply = 1' 'drop_reply = 2'
breach docs 'have no test' docs/testing.md \
    sed -i '/a slow clock loses/s/test_host:[a-z_]*//' docs/testing.md
breach planted 'acknowledge-before-commit.patch does not apply' server/exchange.c \
    swap server/exchange.c 'if (!committed) {' 'if (committed == false) {'
breach cppcheck 'cppcheck has found something' server/log.c \
    add server/log.c 'int f(void); int f(void) { int *p = 0; return *p; }'
breach clang 'no previous prototype' server/log.c add server/log.c 'int f(void) { return 1; }'
breach narrow 'may change value' proto/data/content.c \
    swap proto/data/content.c '(size_t)(at % FILE_CHUNK_BYTES)' 'at % FILE_CHUNK_BYTES'
breach symbols 'libocop.so exports these' client-lib/check.c add client-lib/check.c \
    '__attribute__((visibility("default"))) void leak(void); void leak(void) {}'
breach symbols 'exports more than JNI_OnLoad' client-lib/jni/exports.map \
    swap client-lib/jni/exports.map 'JNI_OnLoad;' 'JNI_OnLoad; ocop_open;'
breach javadoc 'no @throws for vn.ocop.field.OcopException' client-lib/java/vn/ocop/field/FieldStore.java \
    swap client-lib/java/vn/ocop/field/FieldStore.java ' @throws OcopException the store is closed' ''
breach symbols 'not exported: ocop_version' client-lib/ocop.h \
    swap client-lib/ocop.h '^OCOP_API const char \*ocop_version' 'const char *ocop_version'
breach cipher 'libocop.so exports these' Makefile \
    swap Makefile '-w -fPIC -fvisibility=hidden' '-w -fPIC'
export TESTS=test_base
breach cross 'does not open what' proto/data/sum.c swap proto/data/sum.c __ORDER_BIG_ENDIAN__ __ORDER_PDP_ENDIAN__
unset TESTS
breach android 'asks for getrandom, which bionic has from API 28 on' proto/base/env.c \
    swap proto/base/env.c '    randombytes_buf(out, len);' \
    '    extern long getrandom(void *, unsigned long, unsigned);\n    (void)getrandom(out, len, 0);'
breach front 'docs/haproxy.cfg does not do what it says' docs/haproxy.cfg \
    swap docs/haproxy.cfg 'sc0_conn_cur gt 200' 'sc0_conn_cur gt 2000'
export ONLY='^server/log'
breach tidy 'bugprone-integer-division' server/log.c \
    add server/log.c 'double f(int a); double f(int a) { return a / 2; }'
unset ONLY
breach analyzer 'analyzer-file-leak' server/keys.c add server/keys.c \
    'int f(void); int f(void) { FILE *a = fopen("a", "r"); return a ? fgetc(a) : 0; }'
export TESTS=test_base
breach sanitizers 'stack-buffer-overflow' proto/base/id.c \
    swap proto/base/id.c '^const char \*id_text(struct id id, char \*out)$' \
    'static const char *spoilt(struct id id, char *out);\nconst char *id_text(struct id id, char *out)\n{\n    out[ID_TEXT_LEN + 1] = 0;\n    return spoilt(id, out);\n}\nstatic const char *spoilt(struct id id, char *out)'
breach sanitizers 'signed integer overflow' proto/base/text.c \
    swap proto/base/text.c '^bool text_is_utf8(struct span s)$' \
    'static bool spoilt(struct span s);\nbool text_is_utf8(struct span s)\n{\n    int n = 2147483647 - (s.len > 0);\n    return n + 1 + (int)s.len > 0 \&\& spoilt(s);\n}\nstatic bool spoilt(struct span s)'
breach sanitizers 'misaligned address' proto/base/text.c \
    swap proto/base/text.c '^bool text_is_utf8(struct span s)$' \
    'static bool spoilt(struct span s);\nbool text_is_utf8(struct span s)\n{\n    _Alignas(8) uint8_t b[8] = {1};\n    return *(uint32_t *)(void *)(b + 1 + s.len / 4294967296) == 0 \&\& spoilt(s);\n}\nstatic bool spoilt(struct span s)'
unset TESTS
export CIPHER_TESTS=unit/test_migrate
breach cipher_sanitizers 'stack-buffer-overflow' proto/data/cipher.c \
    swap proto/data/cipher.c '^    memcpy(raw + 4, key->b, CIPHER_KEY_LEN);$' \
    '    raw[key->set ? RAW_LEN : 0] = 0;\n    memcpy(raw + 4, key->b, CIPHER_KEY_LEN);'
unset CIPHER_TESTS
breach threads 'ThreadSanitizer: data race' client-lib/client.c \
    swap client-lib/client.c 'pthread_mutex_[a-z]*lock(&s->lock)' 'pthread_equal(pthread_self(), (pthread_t)s->closing)'

# What runs the tests and the corpora is a gate too: programs of a line each stand for the tests.
runner() { # expected output or "" for success
    status=0
    sh .ci/run-tests.sh stub >said 2>&1 || status=$?
    if [ -z "$1" ]; then [ "$status" -eq 0 ]; else [ "$status" -ne 0 ] && grep -qF -- "$1" said; fi || {
        cat said
        echo "selftest: the runner of tests: ${1:-it fails without a reason}"
        exit 1
    }
    [ -z "$1" ] || { echo "tests fail: $1" && seen=$((seen + 1)); }
}
stub() { printf '#!/bin/sh\n%s\n' "$2" >"$1" && chmod +x "$1"; } # file command
case " ${gates:-tests} " in *' tests '*)
    mkdir -p stub/tests/unit stub/tests/integration stub/tests/procs stub/fuzz
    i=10
    while [ "$i" -lt 50 ]; do
        stub "stub/tests/unit/test_$i" 'echo "[  PASSED  ] 3 test(s)."'
        i=$((i + 1))
    done
    for name in frame handshake changeset tight request reply csv json evidence; do
        stub "stub/fuzz/fuzz_$name" 'echo "$0: $# inputs"; [ $# -gt 0 ]'
    done
    runner ''
    stub stub/tests/unit/test_10 'echo "[  PASSED  ] 2 test(s)."; exit 1'
    runner 'FAILED: stub/tests/unit/test_10'
    stub stub/tests/unit/test_10 'echo "[  PASSED  ] 0 test(s)."'
    runner 'FAILED: stub/tests/unit/test_10'
    stub stub/tests/unit/test_10 'echo "[  PASSED  ] 1 test(s)."'
    mv stub/fuzz/fuzz_json away
    runner 'FAILED: stub/fuzz/fuzz_json'
    # An empty corpus, replayed by the real program.
    make -s -j2 B=build-clang CC=clang build-clang/fuzz/fuzz_json >/dev/null
    cp build-clang/fuzz/fuzz_json stub/fuzz/
    runner ''
    rm tests/fuzz/corpus/json/*
    runner 'FAILED: stub/fuzz/fuzz_json'
    rm stub/tests/unit/*
    runner 'too few'
    ;;
esac
[ "$seen" -gt 0 ] || { echo 'selftest: looked at nothing'; exit 1; }
echo "$seen breaches seen"
