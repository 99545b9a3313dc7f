#!/bin/sh
# Run the Java tests as one program, in the words of cmocka. The checks of JNI are on: what they print
# is a failure too. A small heap, and a collector that moves all that lives. The compiler works at once and
# compiles nothing twice: what it allocates later would look like a leak. With arguments, only these classes.
set -u
build=$(dirname "${OCOPD_BIN:-build/ocopd}")
jars=/usr/share/java
out=$(mktemp)
trap 'rm -f "$out"' EXIT
export OCOPD_BIN="$build/ocopd"
# Java is not built for the address sanitizer: so it comes before it, and leaves Java its own signals.
if ldd "$build/libocop_jni.so" | grep libasan >/dev/null; then
    LD_PRELOAD=$(gcc -print-file-name=libasan.so)
    ASAN_OPTIONS=handle_segv=0:detect_leaks=0
    export LD_PRELOAD ASAN_OPTIONS
fi
LC_ALL=C.UTF-8 java -Xcheck:jni -Xmx64m -XX:+UseSerialGC -Xbatch -XX:TieredStopAtLevel=1 -Djava.library.path="$build" \
    -cp "$build/java/tests:$build/java/ocop-field.jar:$jars/protobuf.jar:$jars/junit4.jar:$jars/hamcrest.jar" \
    vn.ocop.field.Tests ${*:-@CLASSES@} >"$out" 2>&1
status=$?
cat "$out"
if grep -E 'WARNING in native method|^WARNING: JNI|FATAL ERROR in native' "$out" >/dev/null; then
    echo 'JNI was used wrongly'
    exit 1
fi
exit $status
