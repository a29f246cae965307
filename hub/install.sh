#!/usr/bin/env bash
# Installs the hub on one server, or brings it up to date: environments, folders, accounts.
# What a class has handed in and the gradebook are never touched. Run as root:
#
#     bash hub/install.sh [PREFIX]        (default: /srv/sft2rl)
set -euo pipefail
cd "$(dirname "$0")/.."
prefix=${1:-/srv/sft2rl}
prefix=${prefix%/}
# What pip finds elsewhere it would not install here.
unset PYTHONPATH
grader=grader-sft2rl staff=sft2rl-staff students=sft2rl-students

if [[ ! $prefix =~ ^/[A-Za-z0-9/._-]+$ || $# -gt 1 ]]; then
    echo "usage: bash hub/install.sh [PREFIX]" >&2
    echo "PREFIX is a folder for the hub alone, from / on, without spaces (default: /srv/sft2rl)." >&2
    exit 2
fi
# Modes and contents of what lies there are changed: so never in a folder that is anything else.
if [ ! -d "$prefix/proxy" ] && ls -A "$prefix" 2>/dev/null | grep -qvx hub; then
    echo "$prefix holds something that is no hub: name a folder that is new or empty." >&2
    exit 2
fi

if [ "$(id -u)" -ne 0 ]; then
    echo "A hub gives every user a Unix account's rights: run this as root (sudo make hub)." >&2
    exit 2
fi

bash tools/system-packages.sh python3-venv bubblewrap libseccomp2
if [ ! -x /usr/bin/python3.11 ]; then
    echo "There is no /usr/bin/python3.11 here: use Debian 12, or make one there." >&2
    exit 2
fi
command -v npm >/dev/null || bash tools/system-packages.sh nodejs npm

# Accounts. The course's own account keeps the gradebook; nobody logs in as it.
groupadd -f "$students"
groupadd -f "$staff"
id "$grader" >/dev/null 2>&1 || useradd -m -K HOME_MODE=0700 -g "$staff" -s /bin/bash "$grader"

mkdir -p "$prefix"/{project,hub,etc,proxy}
chmod 0755 "$prefix" "$prefix/etc"
chmod 0700 "$prefix/hub"
chown "root:$staff" "$prefix/project"
chmod 0750 "$prefix/project"
if ! runuser -u nobody -- test -x "$prefix"; then
    echo "Students cannot reach $prefix: open each folder above it (chmod o+x), or name another." >&2
    exit 2
fi

# The project, where the staff can read it and students cannot; and the same for this folder.
find "$prefix/project" -mindepth 1 -maxdepth 1 -exec rm -rf {} +
tar --exclude=__pycache__ --exclude='*.egg-info' --exclude=proxy/node_modules -cf - \
    assignments autograder course.toml hub requirements.txt requirements.lock shared solutions |
    tar -xf - --no-same-owner -C "$prefix/project"
chmod -R go=rX "$prefix/project" && chmod 0750 "$prefix/project"
chmod o-rwx .
cp -r hub/etc/. "$prefix/etc/"
chmod -R a+rX "$prefix/etc"

environment() { # FOLDER REQUIREMENTS...
    local folder=$1 mark
    shift
    mark=$(cat "$@" requirements.lock | sha256sum)
    [ "$(cat "$folder/.installed" 2>/dev/null)" = "$mark" ] && return
    echo "Installing $folder (a few minutes)"
    /usr/bin/python3.11 -m venv --clear "$folder"
    local pip=("$folder/bin/python" -m pip --quiet --disable-pip-version-check --no-input)
    # torch first and by itself: its CPU build is taken where there is one.
    "${pip[@]}" install -c requirements.lock torch==2.13.0 2> >(grep -v WARNING >&2)
    "${pip[@]}" install -c requirements.lock $(printf -- '-r %s ' "$@") 2> >(grep -v WARNING >&2)
    echo "$mark" >"$folder/.installed"
}

# Students: the public packages. Staff: these, the grader's, and this project.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
sed -n '/^# students/,/^$/p' requirements.txt >"$work/students.txt"
sed '/^# development/,$d' requirements.txt >"$work/staff.txt"
environment "$prefix/student" "$work/students.txt" hub/requirements.txt &
student=$!
environment "$prefix/staff" "$work/staff.txt" hub/requirements.txt
wait "$student"
quiet=(--quiet --disable-pip-version-check --no-deps)
"$prefix/staff/bin/python" -m pip install "${quiet[@]}" setuptools==84.2.1
"$prefix/staff/bin/python" -m pip wheel "${quiet[@]}" --no-build-isolation -w "$work" \
    "$prefix/project/shared"
"$prefix/student/bin/python" -m pip install "${quiet[@]}" --force-reinstall "$work"/sft2rl-*.whl
"$prefix/staff/bin/python" -m pip install "${quiet[@]}" --no-build-isolation \
    -e "$prefix/project/shared" -e "$prefix/project/autograder"
chown -R "root:$staff" "$prefix/staff"
chmod 0750 "$prefix/staff"
chmod -R a+rX "$prefix/student"

cp hub/proxy/package*.json "$prefix/proxy/"
[ -x "$prefix/proxy/node_modules/.bin/configurable-http-proxy" ] ||
    npm ci --loglevel=error --no-audit --no-fund --prefix "$prefix/proxy"

# The exchange: students may add to inbound/ but not list it, and remove nothing of others.
exchange=$prefix/exchange
install -d -o root -g root -m 1777 "$exchange"
install -d -o "$grader" -g "$staff" -m 0755 "$exchange/sft2rl" "$exchange/sft2rl/outbound"
install -d -o "$grader" -g "$staff" -m 3733 "$exchange/sft2rl/inbound"
install -d -o "$grader" -g "$staff" -m 0711 "$exchange/sft2rl/feedback"

# The course folder: submissions, gradebook, key.
install -d -o "$grader" -g "$staff" -m 0700 "$prefix/course"
if [ ! -e "$prefix/course/nbgrader_config.py" ]; then
    runuser -u "$grader" -- "$prefix/staff/bin/python" - "$prefix" <<'PYTHON'
import sys
from pathlib import Path

from autograder.course import open_course

prefix = Path(sys.argv[1])
course = open_course(prefix / "course")
with course.config_file.open("a", encoding="utf-8") as file:
    file.write(f"c.Exchange.root = {str(prefix / 'exchange')!r}\n")
PYTHON
fi
echo "The hub is installed in $prefix."
