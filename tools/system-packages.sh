#!/usr/bin/env bash
# Installs the named Debian packages that are missing: as root with apt; otherwise it names the
# one command to run.
set -euo pipefail
missing=()
for package in "$@"; do
    dpkg -s "$package" >/dev/null 2>&1 || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0
if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
else
    echo "Missing system packages. Run this, then try again:" >&2
    echo "    sudo apt-get install -y ${missing[*]}" >&2
    exit 2
fi
