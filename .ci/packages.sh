#!/bin/sh
# Install the Debian packages named, if any is missing: as root, or with sudo; else say how.
set -eu
missing=
for package in "$@"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' ||
        missing="$missing $package"
done
[ -z "$missing" ] && exit 0
as=
if [ "$(id -u)" -ne 0 ]; then
    if command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
        as=sudo
    else
        echo "Packages are missing. Run this as root, then try again:" >&2
        echo "    apt-get install -y --no-install-recommends$missing" >&2
        exit 1
    fi
fi
$as env DEBIAN_FRONTEND=noninteractive apt-get update -qq
# shellcheck disable=SC2086
$as env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing
