#!/usr/bin/env bash
# Three people to try the hub with: `instructor`, and the students `ada` and `ben`. Prints their
# passwords, which are new each time. Run as root; accounts of other people are left alone.
set -euo pipefail
prefix=${1:?the folder of the hub}
mark="sample user of sft2rl"
umask 077
: >"$prefix/hub/sample-users"
for entry in instructor:sft2rl-staff ada:sft2rl-students ben:sft2rl-students; do
    name=${entry%%:*} group=${entry##*:}
    if ! id "$name" >/dev/null 2>&1; then
        useradd -m -K HOME_MODE=0700 -s /bin/bash -c "$mark" -G "$group" "$name"
    elif [[ "$(getent passwd "$name" | cut -d: -f5)" != "$mark"* ]]; then
        echo "There is an account $name on this machine already: it is not changed." >&2
        exit 2
    fi
    password=$(od -An -N9 -tx1 /dev/urandom | tr -d ' \n')
    echo "$name:$password" | chpasswd
    echo "$name $password" >>"$prefix/hub/sample-users"
done
