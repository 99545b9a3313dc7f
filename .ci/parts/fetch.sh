#!/bin/sh
# Bring the sources of .ci/parts/list into DIRECTORY, each below its package's name: fetched once by apt, which
# works in a directory of its own, and held against their checksums.
set -eu
directory=$1
list=.ci/parts/list
cmp -s "$list" "$directory/made-of" && exit 0
rm -rf "$directory"
mkdir -p "$directory/apt/lists/partial" "$directory/apt/archives/partial"
apt=$(cd "$directory/apt" && pwd)
: >"$apt/status"
apt-get indextargets --format 'deb-src $(REPO_URI) $(RELEASE) $(COMPONENT)' \
    'Identifier: Packages' 'Origin: Debian' | grep -v security | sort -u >"$apt/sources.list"
fetch() {
    (cd "$apt/archives" && apt-get -qq -o Dir::State="$apt" -o Dir::State::status="$apt/status" \
        -o Dir::Cache="$apt" -o Dir::Etc::sourcelist="$apt/sources.list" -o Dir::Etc::sourceparts=/dev/null \
        -o Dir::Etc::trustedparts=/usr/share/keyrings -o APT::Sandbox::User="$(id -un)" \
        -o Acquire::Languages=none -o Acquire::Retries=3 -o Debug::NoLocking=1 "$@")
}
fetch update

sed '/^#/d' "$list" | while read -r name version archive sum; do
    case $archive in *.debian.tar.*) only=--diff-only ;; *) only=--tar-only ;; esac
    fetch source --download-only $only "$name=${version}" >/dev/null </dev/null
    echo "$sum  $apt/archives/$archive" | sha256sum --check --status || {
        echo "$0: $archive is not what it was: its checksum differs from the one in $list" >&2
        exit 1
    }
    mkdir -p "$directory/$name"
    case $archive in
    *.debian.tar.*)
        tar -xf "$apt/archives/$archive" -C "$directory/$name"
        while read -r patch; do
            patch -s -p1 -d "$directory/$name" <"$directory/$name/debian/patches/$patch"
        done <"$directory/$name/debian/patches/series"
        ;;
    *) tar -xf "$apt/archives/$archive" -C "$directory/$name" --strip-components=1 ;;
    esac
done
rm -rf "$apt"
cp "$list" "$directory/made-of"
