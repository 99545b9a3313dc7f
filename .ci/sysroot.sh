#!/bin/sh
# What one processor's programs are built against and run with: Debian's packages PACKAGE... of ARCHITECTURE
# and all that they need, unpacked into DIRECTORY. apt works in a directory of its own, as root or not: the
# host's packages, and which architectures it knows, stay as they are.
set -eu
architecture=$1 directory=$2
shift 2
stamp="$directory/made-of"
wanted="$architecture $*"
[ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ] && exit 0

rm -rf "$directory"
mkdir -p "$directory/apt/lists/partial" "$directory/apt/archives/partial"
apt=$(cd "$directory/apt" && pwd)
: >"$apt/status"
apt-get indextargets --format 'deb $(REPO_URI) $(RELEASE) $(COMPONENT)' \
    'Identifier: Packages' 'Origin: Debian' | sort -u >"$apt/sources.list"
[ -s "$apt/sources.list" ] || {
    echo "$0: this machine knows no mirror of Debian; run apt-get update" >&2
    exit 1
}
fetch() {
    apt-get -qq -o APT::Architecture="$architecture" -o APT::Architectures="$architecture" \
        -o Dir::State="$apt" -o Dir::State::status="$apt/status" -o Dir::Cache="$apt" \
        -o Dir::Etc::sourcelist="$apt/sources.list" -o Dir::Etc::sourceparts=/dev/null \
        -o Dir::Etc::trustedparts=/usr/share/keyrings -o APT::Sandbox::User="$(id -un)" \
        -o APT::Install-Recommends=0 -o Acquire::Languages=none -o Acquire::Retries=3 \
        -o Debug::NoLocking=1 "$@"
}
# One list that is missing for an hour, while a mirror is renewed, need not matter.
fetch update || echo "$0: not all lists of packages of $architecture are there" >&2
fetch install -y --download-only "$@"
for package in "$apt"/archives/*.deb; do
    dpkg-deb -x "$package" "$directory"
done
# What points to /lib means that of this directory.
find "$directory" -type l | while read -r link; do
    case $(readlink "$link") in /*) ln -sfnr "$directory$(readlink "$link")" "$link" ;; esac
done
rm -rf "$directory/apt" "$directory/usr/share/doc" "$directory/usr/share/man" "$directory/usr/share/locale"
echo "$wanted" >"$stamp"
