#!/bin/sh
# Libocop, ocop, ocopd, their tests and some seeds of the simulator on each PROCESSOR named, under qemu's
# user mode; then the files that each of them left behind are opened on each other one and on this
# machine. The processor musl is this machine's with another C library, linked statically. With TESTS in the environment, only the test programs named there and the files.
set -eu
PACKAGES='libc6-dev libsqlite3-dev libprotobuf-c-dev libnanomsg-dev zlib1g-dev libsodium-dev libjansson-dev
    libutf8proc-dev libcsv-dev libinih-dev libqrencode-dev libjpeg62-turbo-dev libpng-dev libcmocka-dev'
# What says nothing of a processor: scripts, a host that is full or crowded, and a process whose rights the kernel
# takes, which qemu does not offer.
WITHOUT='test_faults test_scripts test_crowd test_host test_thumbs'
JOBS=${JOBS:-2}
dir=$PWD/build/cross

# processor: sets architecture (Debian's name), triple and qemu
known() {
    case $1 in
    aarch64) architecture=arm64 triple=aarch64-linux-gnu qemu=qemu-aarch64 ;;
    armhf) architecture=armhf triple=arm-linux-gnueabihf qemu=qemu-arm ;;
    s390x) architecture=s390x triple=s390x-linux-gnu qemu=qemu-s390x ;;
    musl) triple=musl qemu= ;;
    *)
        echo "cross: no such processor: $1" >&2
        exit 1
        ;;
    esac
}

sysroot() { # processor
    # shellcheck disable=SC2086
    sh .ci/sysroot.sh "$architecture" "$dir/$1/sysroot" $PACKAGES
}

# What it is linked with, from source: .ci/parts/.
musl_parts() {
    cipher=$(make -s cipher-directory)
    [ -e "$cipher/sqlite3.c" ] || sh .ci/fetch-cipher.sh "$cipher"
    sh .ci/parts/fetch.sh build/parts
    make -s -f .ci/parts/parts.mk -j "$JOBS" P="build/cross/musl/parts" CC=musl-gcc WIDE=1 CIPHER_DIR="$cipher" \
        CIPHER_FLAGS="$(make -s cipher-flags)" \
        WANT='sqlite3 protobuf-c nanomsg z sodium jansson utf8proc jpeg inih csv qrencode cmocka'
}

build() { # processor
    mkdir -p "$dir/$1"
    if [ "$1" = musl ]; then
        musl_parts >"$dir/$1/parts.log"
        cc="musl-gcc -static -isystem $dir/musl/parts/include -L$dir/musl/parts/lib"
        # No shared library: it is static. No maker of thumbnails, which is for glibc, and so no libpng.
        what='build/cross/musl/tree/ocop build/cross/musl/tree/ocopd tests FUZZ_OUT=tests/fuzz/fuzz_png.c'
    else
        sysroot "$1"
        cc="$triple-gcc --sysroot=$dir/$1/sysroot"
        what='all tests'
    fi
    # The Java binding's tests run in this machine's JVM.
    # shellcheck disable=SC2086
    make -s -j "$JOBS" B="build/cross/$1/tree" CC="$cc" JAVA_TEST= $what >"$dir/$1/build.log" 2>&1 || {
        grep -E 'error|undefined' "$dir/$1/build.log" | head -n 40
        echo "cross: $1: the build failed" >&2
        exit 1
    }
}

# Each program as a script that runs it there: so a program that starts another one needs not know.
wrap() { # processor
    rm -rf "$dir/$1/run"
    (cd "$dir/$1/tree" && find ocop ocopd tests fuzz sim -type f -perm -u+x) | while read -r program; do
        mkdir -p "$(dirname "$dir/$1/run/$program")"
        printf '#!/bin/sh\nexec %s "%s" "$@"\n' "${qemu:+$qemu -L '$dir/$1/sysroot'}" \
            "$dir/$1/tree/$program" >"$dir/$1/run/$program"
        chmod +x "$dir/$1/run/$program"
    done
}

upgrade() { # processor
    echo "$dir/$1/run/tests/integration/test_upgrade"
}

here() {
    make -s -j "$JOBS" build/tests/integration/test_upgrade
    mkdir -p "$dir/here/run/tests/integration"
    ln -sf "$PWD/build/tests/integration/test_upgrade" "$(upgrade here)"
}

leave_behind() { # processor
    rm -rf "$dir/$1/left"
    mkdir -p "$dir/$1/left"
    OCOP_RECORD=1 OCOP_GOLDEN="$dir/$1/left" "$(upgrade "$1")" >"$dir/$1/left.log" 2>&1 || {
        cat "$dir/$1/left.log"
        exit 1
    }
}

open_others() { # processor other
    OCOP_GOLDEN="$dir/$2/left" "$(upgrade "$1")" >"$dir/$1/opened.log" 2>&1 || {
        cat "$dir/$1/opened.log"
        echo "cross: $1 does not open what $2 left behind" >&2
        exit 1
    }
    echo "$1 opens what $2 left behind, replays it to the same registry, and syncs with it"
}

if [ "$1" = --sysroot ]; then
    known "$2"
    sysroot "$2"
    exit
fi
for processor in "$@"; do
    known "$processor"
    build "$processor"
    wrap "$processor"
    WITHOUT="$WITHOUT$([ "$processor" != musl ] || echo ' fuzz_png')" SECONDS_MAX=${SECONDS_MAX:-3600} SEEDS=${SEEDS:-20} sh .ci/run-tests.sh "build/cross/$processor/run" |
        sed "s/^/$processor: /" >"$dir/$processor/tests.log"
    cat "$dir/$processor/tests.log"
    grep -q ' passed, 0 failed$' "$dir/$processor/tests.log"
    leave_behind "$processor"
done
here
leave_behind here
for one in here "$@"; do
    for other in here "$@"; do
        if [ "$one" != "$other" ]; then open_others "$one" "$other"; fi
    done
done
