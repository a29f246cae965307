#!/usr/bin/env bash
# A hub to try: installs it, adds four people (`instructor` and `tutor` of the staff, and the
# students `ada` and `ben`) with new passwords, and releases the first assignment. With --fresh, what
# they did before is removed; with --remove, they and the hub. GRADEBOOK, an address of SQLAlchemy,
# is where a new course keeps its gradebook; by default in a file of its own.
#
#     [GRADEBOOK=URL] bash hub/sample.sh PREFIX [--fresh | --remove]
set -euo pipefail
here=$(dirname "$0")
prefix=${1:?the folder of the hub}
mark="sample user of sft2rl" grader=grader-sft2rl users=$prefix/hub/sample-users

if [ -d "$prefix/course" ] && [ ! -e "$users" ]; then
    echo "$prefix is a real hub: its class is left alone." >&2
    exit 2
fi
if [ -e "$prefix/hub/running" ] && ! flock --nonblock "$prefix/hub/running" true; then
    echo "The hub in $prefix runs: end it first (Ctrl-C where it was started)." >&2
    exit 2
fi
is_ours() { [[ "$(getent passwd "$1" | cut -d: -f5)" == *"$mark" ]]; }

if [ "${2:-}" = --remove ] && [ ! -e "$users" ]; then
    echo "There is no sample hub in $prefix." >&2
    exit 2
fi
if [ -n "${2:-}" ]; then
    rm -rf "$prefix"/{course,exchange} "$prefix"/hub/{jupyterhub.sqlite,cookie_secret}
    for name in instructor tutor ada ben; do
        is_ours "$name" && userdel -rf "$name" 2>/dev/null
    done
fi
if [ "${2:-}" = --remove ]; then
    # What a hub that was killed has left.
    pkill --pidfile "$prefix/hub/proxy.pid" --full configurable-http-proxy 2>/dev/null || true
    rm -rf "$prefix"
    echo "The sample hub is removed. Its account $grader and its groups stay: a real hub has the same."
    exit 0
fi
mkdir -p "$prefix/hub"
(umask 077 && : >"$users")
bash "$here/install.sh" "$prefix"
touch "$prefix/etc/sample"

while IFS=: read -r name group full; do
    if ! id "$name" >/dev/null 2>&1; then
        useradd -m -K HOME_MODE=0700 -s /bin/bash -c "$full,,,,$mark" -G "$group" "$name"
    elif ! is_ours "$name"; then
        echo "There is an account $name on this machine already: it is not changed." >&2
        exit 2
    fi
    password=$(od -An -N9 -tx1 /dev/urandom | tr -d ' \n')
    echo "$name:$password" | chpasswd
    echo "$name $password" >>"$users"
done <<'PEOPLE'
instructor:sft2rl-staff:Ines Instructor
tutor:sft2rl-staff:Tom Tutor
ada:sft2rl-students:Ada Adler
ben:sft2rl-students:Ben Okafor
PEOPLE

if [ -n "${GRADEBOOK:-}" ] && ! grep -q db_url "$prefix/course/nbgrader_config.py"; then
    echo "c.CourseDirectory.db_url = '$GRADEBOOK'" >>"$prefix/course/nbgrader_config.py"
fi

# The first assignment, without the minutes of `course release`'s check.
if [ ! -e "$prefix/course/release/01_tokenizer" ]; then
    (cd "$prefix/course" && runuser -u "$grader" -- "$prefix/staff/bin/python" - "$prefix") <<'PYTHON'
import sys
from pathlib import Path

from autograder import classroom
from autograder.config import find_assignment
from autograder.course import open_course

classroom.release(open_course(Path(sys.argv[1], "course")), find_assignment("01_tokenizer"))
PYTHON
fi
echo "Log in with these names and passwords:"
while read -r name password; do
    printf '    %-12s%s\n' "$name" "$password"
done <"$users"
