#!/bin/sh
# What the border to Java costs: border.sh BUILD. A JVM as an app has it: no checks of JNI.
set -eu
jars=/usr/share/java
export OCOPD_BIN="$1/ocopd"
LC_ALL=C.UTF-8 exec java -Xmx256m -XX:+UseSerialGC -Djava.library.path="$1" \
    -cp "$1/java/tests:$1/java/ocop-field.jar:$jars/protobuf.jar:$jars/junit4.jar:$jars/hamcrest.jar" \
    vn.ocop.field.BorderBench
