#!/bin/sh
# The Java tests against the library that `make android` built for one ABI of ARM, in a JVM of that processor
# under qemu's user mode: Debian's runtime, and ocopd of this machine. All but BorderTest and AarTest, which
# need a library of their own beside it. A store of this library is encrypted: so KeyTest is among them.
set -eu
abi=$1
case $abi in
arm64-v8a) architecture=arm64 processor=aarch64 qemu=qemu-aarch64 ;;
armeabi-v7a) architecture=armhf processor=armhf qemu=qemu-arm ;;
*) echo "android-java: $abi is no ABI of ARM" >&2; exit 1 ;;
esac
root=$PWD/build/cross/$processor/jre
library=$PWD/build/android/$abi
[ -e "$library/libocop_jni.so" ] || { echo "android-java: make android ABIS=$abi comes first" >&2; exit 1; }
sh .ci/sysroot.sh "$architecture" "$root" openjdk-17-jre-headless
java=$(echo "$root"/usr/lib/jvm/java-17-*/bin/java)
jars=/usr/share/java
out=$library/java.log
# In memory: a 32-bit runtime cannot read folders whose entries have 64-bit places, as those of a disk have.
# It starts ocopd itself; its own helper for that is a program of the other processor.
temporary=$(mktemp -d /dev/shm/ocop-java-XXXXXX)
trap 'rm -rf "$temporary"' EXIT
status=0
OCOPD_BIN=$PWD/build/ocopd LC_ALL=C.UTF-8 "$qemu" -L "$root" "$java" -Xcheck:jni -Xmx64m -XX:+UseSerialGC -Xbatch \
    -XX:TieredStopAtLevel=1 -Djdk.lang.Process.launchMechanism=FORK -Djava.io.tmpdir="$temporary" \
    -Djava.library.path="$library" \
    -cp "build/java/tests:build/java/ocop-field.jar:$jars/protobuf.jar:$jars/junit4.jar:$jars/hamcrest.jar" \
    vn.ocop.field.Tests RecordTest SyncTest FileTest SampleTest KeyTest >"$out" 2>&1 || status=$?
if [ "$status" -ne 0 ] || grep -E 'WARNING in native method|^WARNING: JNI|FATAL ERROR in native' "$out" >/dev/null; then
    cat "$out"
    echo "android-java: $abi: failed" >&2
    exit 1
fi
echo "android-java: $abi: $(grep -E '^\[  PASSED  \] [1-9]' "$out") in a JVM of $architecture"
