#!/usr/bin/env bash
# Runs the installed hub in the foreground, with an environment of its own. HUB_URL is its address.
set -euo pipefail
prefix=${1:-/srv/sft2rl}
if [ "$(id -u)" -ne 0 ]; then
    echo "A hub starts servers under its users' accounts: run this as root." >&2
    exit 2
fi
if [ ! -x "$prefix/staff/bin/jupyterhub" ]; then
    echo "There is no hub in $prefix: install one with bash hub/install.sh $prefix" >&2
    exit 2
fi
cd "$prefix/hub"
# Held as long as the hub runs; a second one would end the proxy of the first, and then itself.
exec 9>running
if ! flock --nonblock 9; then
    echo "The hub in $prefix runs already; to start it anew, end it first" >&2
    echo "(systemctl stop sft2rl-hub, or Ctrl-C where it was started)." >&2
    exit 2
fi
# A hub that was killed leaves its proxy, and the ports with it.
if proxy=$(pgrep --pidfile proxy.pid --full configurable-http-proxy 2>/dev/null); then
    kill "$proxy"
    timeout 10 tail --pid="$proxy" -f /dev/null
fi
exec env -i PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin LANG=C.UTF-8 \
    HUB_URL="${HUB_URL:-http://127.0.0.1:8000}" \
    "$prefix/staff/bin/jupyterhub" -f "$prefix/project/hub/jupyterhub_config.py"
