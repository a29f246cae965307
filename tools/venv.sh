#!/usr/bin/env bash
# Makes .venv with the pinned packages and the project's two distributions.
set -euo pipefail
cd "$(dirname "$0")/.."
python=/usr/bin/python3.11 # readable by every Unix user, which a hub needs
command -v "$python" >/dev/null || python=$(command -v python3.11 || command -v python3)
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "Python 3.11 or later is needed; $python is older." >&2
    exit 2
}
[ -x .venv/bin/python ] || "$python" -m venv .venv
pip=(.venv/bin/python -m pip --quiet --disable-pip-version-check --no-input)
echo "Installing the pinned packages into .venv (a few minutes the first time)"
# torch first and by itself: its CPU build is taken where there is one.
"${pip[@]}" install -c requirements.lock torch==2.13.0 2> >(grep -v WARNING >&2)
"${pip[@]}" install -c requirements.lock -r requirements.txt setuptools 2> >(grep -v WARNING >&2)
"${pip[@]}" install --no-deps --no-build-isolation -e shared -e autograder 2> >(grep -v WARNING >&2)
touch .venv/.ready
