#!/bin/sh
# Pack an Android library: aar.sh LIBRARIES JAR OUT. LIBRARIES holds ABI/libocop_jni.so as `make android`
# leaves them; each that is there goes in. The same input gives the same bytes.
set -eu
libraries=$1 jar=$2 out=$3
here=$(dirname "$0")/aar
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
for so in "$libraries"/*/libocop_jni.so; do
    [ -e "$so" ] || { echo "aar: no ABI/libocop_jni.so in $libraries; make android first" >&2; exit 1; }
    abi=$(basename "$(dirname "$so")")
    mkdir -p "$tree/jni/$abi"
    cp "$so" "$tree/jni/$abi"
    printf 'aar\t%s\t%d bytes\n' "$abi" "$(stat -c %s "$so")"
done
cp "$here/AndroidManifest.xml" "$here/proguard.txt" "$tree"
cp "$jar" "$tree/classes.jar"
: >"$tree/R.txt" # no resources
find "$tree" -type d -empty -delete
(cd "$tree" && find . -type f | sed 's|^\./||' | LC_ALL=C sort >"$tree.list")
rm -f "$out"
(cd "$tree" && jar --create --no-manifest --date=1980-01-01T00:00:02Z --file="$tree.aar" "@$tree.list")
mv "$tree.aar" "$out"
rm -f "$tree.list"
printf 'aar\t%s\t%d bytes\n' "$(basename "$out")" "$(stat -c %s "$out")"
