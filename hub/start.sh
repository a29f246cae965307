#!/usr/bin/env bash
# Runs the installed hub in the foreground, with an environment of its own. HUB_URL is its address.
set -euo pipefail
prefix=${1:-/srv/sft2rl}
cd "$prefix/hub"
exec env -i PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin LANG=C.UTF-8 \
    HUB_URL="${HUB_URL:-http://127.0.0.1:8000}" \
    "$prefix/staff/bin/jupyterhub" -f "$prefix/project/hub/jupyterhub_config.py"
