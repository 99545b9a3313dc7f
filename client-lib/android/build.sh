#!/bin/sh
# libocop, its SQLite that encrypts and its parts as one library for one ABI of Android:
# build/android/ABI/libocop_jni.so for Java where the binding is there, and libocop.so with the face of
# ocop.h. With NDK in the environment that NDK's clang and sysroot; else clang with TARGET and SYSROOT, by
# default Debian's of the same processor, which shows that all of it compiles, links and runs there.
set -eu
abi=$1
JOBS=${JOBS:-2}
API=24
PAGE_BYTES=16384 # what phones of 2025 load; those with 4 KiB load it too
out=build/android/$abi

fail() { echo "android: $abi: $*" >&2; exit 1; }

case $abi in
arm64-v8a) triple=aarch64-linux debian=aarch64-linux-gnu processor=aarch64 wide=1 ;;
armeabi-v7a) triple=armv7a-linux debian=arm-linux-gnueabihf processor=armhf wide= ;;
x86_64) triple=x86_64-linux debian=x86_64-linux-gnu processor=here wide=1 ;;
*) fail 'no such ABI; there are arm64-v8a, armeabi-v7a and x86_64' ;;
esac
if [ -n "${NDK:-}" ]; then
    tools=$(echo "$NDK"/toolchains/llvm/prebuilt/*/bin)
    [ -x "$tools/clang" ] || fail "no clang below $NDK/toolchains"
    case $abi in armeabi-v7a) suffix=androideabi$API ;; *) suffix=android$API ;; esac
    clang="$tools/clang --target=$triple-$suffix"
    ar=$tools/llvm-ar strip=$tools/llvm-strip nm=$tools/llvm-nm
else
    target=${TARGET:-$debian} sysroot=${SYSROOT:-}
    if [ -z "$sysroot" ] && [ "$processor" != here ]; then
        sysroot=$PWD/build/cross/$processor/sysroot
        sh .ci/cross.sh --sysroot "$processor"
    fi
    clang="clang --target=$target${sysroot:+ --sysroot=$sysroot}"
    ar=llvm-ar strip=llvm-strip nm=llvm-nm
fi
case $abi in armeabi-v7a) clang="$clang -march=armv7-a -mthumb" ;; esac
# Small before fast, and what is not called goes away. Tables for unwinding would be a tenth of it; none of
# it throws, and what a crash report needs besides stands in the libraries before they are stripped.
cc="$clang -ffunction-sections -fdata-sections -fno-unwind-tables -fno-asynchronous-unwind-tables"

mkdir -p "$out"
sh .ci/parts/fetch.sh build/parts
make -s -f .ci/parts/parts.mk -j "$JOBS" S=build/parts P="$out/parts" CC="$cc" AR="$ar" WIDE=$wide SMALL=1 PART_OPT=-Oz
jni=$(find client-lib/jni -name '*.c' 2>/dev/null | sort)
# shellcheck disable=SC2046,SC2086
make -s -j "$JOBS" B="$out/tree" CIPHER=1 OPT='-Oz -g' CC="$cc -isystem $PWD/$out/parts/include" AR="$ar" \
    ${NDK:+JDK=$PWD/$out} "$out/tree/libocop.a" "$out/tree/libproto.a" \
    $(for f in $jni; do echo "$out/tree/obj/${f%.c}.o"; done) ${jni:+"$out/tree/gen/border.pb-c.o"}

parts=$(for part in protobuf-c nanomsg z sodium jansson utf8proc jpeg; do echo "$out/parts/lib/lib$part.a"; done)
link() { # name symbols what-is-linked-whole...
    name=$1 symbols=$2
    shift 2
    echo "{ global: $symbols; local: *; };" >"$out/$name.map"
    # shellcheck disable=SC2086
    $clang -shared -fuse-ld=lld -o "$out/$name" -Wl,-soname,"$name" -Wl,--version-script="$out/$name.map" \
        -Wl,--gc-sections -Wl,--icf=safe -Wl,-O2 -Wl,-z,max-page-size=$PAGE_BYTES -Wl,-z,relro,-z,now,-z,defs,-z,noexecstack \
        -Wl,--build-id -Wl,--hash-style=gnu ${NDK:+-Wl,--pack-dyn-relocs=android} "$@" "$out/tree/libproto.a" $parts -lm ${NDK:--lpthread}
    cp "$out/$name" "$out/$name.debug"
    "$strip" --strip-unneeded "$out/$name"
    largest=$("$nm" -D --defined-only "$out/$name" | wc -l)
    pages=$(readelf -lW "$out/$name" | awk '$1 == "LOAD" { print $NF }' | sort -u | tr '\n' ' ')
    [ "$pages" = "0x4000 " ] || fail "$name has segments for pages of $pages"
    printf 'android\t%s\t%s\t%d bytes\t%d when packed\t%d symbols\tAPI %d\tpages of %d\n' "$abi" "$name" \
        "$(stat -c %s "$out/$name")" "$(gzip -9 -c "$out/$name" | wc -c)" "$largest" $API $PAGE_BYTES
}
link libocop.so 'ocop_*' -Wl,--whole-archive "$out/tree/libocop.a" -Wl,--no-whole-archive
if [ -n "$jni" ]; then
    # shellcheck disable=SC2046
    link libocop_jni.so JNI_OnLoad $(for f in $jni; do echo "$out/tree/obj/${f%.c}.o"; done) \
        "$out/tree/gen/border.pb-c.o" "$out/tree/libocop.a"
fi

# Every function it asks of libc, libm and libdl is in bionic of API 24.
for so in "$out"/libocop*.so; do
    sh client-lib/android/asks.sh "$nm" "$so" $API
done

# Without an NDK nothing here runs on a phone. What can be shown: the command ocop, linked to this very
# library, passes its tests against ocopd, on this processor or under qemu.
prove() {
    cli=$(find client-lib/cli -name '*.c' | sort)
    # shellcheck disable=SC2046,SC2086
    make -s -j "$JOBS" B="$out/tree" CIPHER=1 OPT='-Oz -g' CC="$cc -isystem $PWD/$out/parts/include" \
        $(for f in $cli; do echo "$out/tree/obj/${f%.c}.o"; done)
    mkdir -p "$out/run/tests"
    # shellcheck disable=SC2046
    $clang -fuse-ld=lld -o "$out/ocop" $(for f in $cli; do echo "$out/tree/obj/${f%.c}.o"; done) \
        "$out/libocop.so" "$out/parts/lib/libprotobuf-c.a" -Wl,-rpath,"$PWD/$out" \
        ${sysroot:+-Wl,--allow-shlib-undefined}
    case $abi in
    arm64-v8a) runner="qemu-aarch64 -L $sysroot" ;;
    armeabi-v7a) runner="qemu-arm -L $sysroot" ;;
    *) runner= ;;
    esac
    printf '#!/bin/sh\nexec %s "%s" "$@"\n' "$runner" "$PWD/$out/ocop" >"$out/run/ocop"
    chmod +x "$out/run/ocop"
    names='test_cli test_cli_output test_programs'
    programs=$(for name in $names; do echo "build/tests/integration/$name"; done)
    # shellcheck disable=SC2086
    make -s -j "$JOBS" build/ocopd $programs
    ln -sf "$PWD/build/ocopd" "$out/run/ocopd"
    # shellcheck disable=SC2086
    ln -f $programs "$out/run/tests"
    TESTS=$names sh .ci/run-tests.sh "$out/run" | sed "s/^/android: $abi: /" >"$out/prove.log"
    cat "$out/prove.log"
    grep -q ' passed, 0 failed$' "$out/prove.log"
}
# The tables of Unicode that were made narrower say what Debian's say, of every character.
same_unicode() {
    for of in small debian; do
        case $of in small) with="-DUTF8PROC_STATIC -I$out/parts/include $out/parts/lib/libutf8proc.a" ;; *) with=-lutf8proc ;; esac
        # shellcheck disable=SC2086
        $clang -std=c11 -Wall -Wextra -Werror -O1 -o "$out/unicode-$of" client-lib/android/unicode.c $with
        "$out/unicode-$of" >"$out/unicode-$of.said"
    done
    cmp "$out/unicode-small.said" "$out/unicode-debian.said" || fail 'its Unicode is not that of other programs'
    echo "android: $abi: Unicode $(cat "$out/unicode-small.said"), as Debian's"
}
if [ -z "${NDK:-}${SYSROOT:-}" ]; then
    prove
    [ "$processor" != here ] || same_unicode
fi
