#!/bin/sh
# Bring the amalgamation of SQLite3 Multiple Ciphers into DIRECTORY: it ships inside an npm package, which
# is named here by its version and checksum, and nothing of which is kept but the two files we compile.
set -eu
package=better-sqlite3-multiple-ciphers
version=13.0.3
integrity=sha512-UYabM82r1J84TLWc/SszoHs6XopWpl/2HCg3Nui1JUaFXg/VLswzkPowYiRhK/4CftI8dgtikwyZQecMldrGxQ==
directory=$1

fail() { echo "CIPHER=1: $*" >&2; exit 1; }

command -v npm >/dev/null 2>&1 || fail 'npm is missing; run: make deps-cipher'
mkdir -p "$directory"
tmp=$(mktemp -d "$directory/fetch.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
archive=$(cd "$tmp" && npm pack --silent --fetch-retries=2 "$package@$version" 2>npm.log) || {
    tail -n 3 "$tmp/npm.log" >&2
    fail "$package@$version cannot be fetched; connect to the network once, it is kept in $directory"
}
wanted=$(printf '%s' "${integrity#sha512-}" | base64 -d | od -An -v -tx1 | tr -d ' \n')
echo "$wanted  $tmp/$archive" | sha512sum --check --status ||
    fail "$package@$version is not what it was: its checksum differs from the one in $0"
# -m: as new as today, not as old as in the archive.
tar -xzmf "$tmp/$archive" -C "$tmp" package/deps/sqlite3/sqlite3.c package/deps/sqlite3/sqlite3.h
mv "$tmp/package/deps/sqlite3/sqlite3.h" "$tmp/package/deps/sqlite3/sqlite3.c" "$directory"
