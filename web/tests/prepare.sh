#!/usr/bin/env bash
# Sees to what the page needs to be built (`prepare.sh build`): Node.js, and what package-lock.json names; and to Debian's
# Chromium, for its tests in a browser (`prepare.sh`). What is there already is left as it is. Ends with 77, and one line
# that says why, where that can't be had.
set -uo pipefail
cd "$(dirname "$0")/.."

skip() {
    printf '%s\n' "$*"
    exit 77
}

# Installs Debian packages, where that is possible without asking anybody.
install() {
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 1
    export DEBIAN_FRONTEND=noninteractive
    local apt=(timeout 600 apt-get -q -o DPkg::Lock::Timeout=120)
    "${apt[@]}" install -y --no-install-recommends "$@" >&2 && return
    "${apt[@]}" update >&2 && "${apt[@]}" install -y --no-install-recommends "$@" >&2
}

if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
    install nodejs npm || skip 'Node.js and npm are missing; on Debian: apt-get install nodejs npm'
fi
major=$(node -p 'process.versions.node.split(".")[0]')
[ "$major" -ge 20 ] || skip "Node.js $major is too old: 20 or newer is needed"
if [ "${1:-}" != build ] && [ -z "${CHROMIUM:-}" ] && ! command -v chromium >/dev/null; then
    install chromium || skip 'Chromium is missing; on Debian: apt-get install chromium. Elsewhere name it: CHROMIUM=/path/to/it'
fi
# npm writes down what it has installed; another list means another install.
if ! [ node_modules/.package-lock.json -nt package-lock.json ]; then
    timeout 600 npm ci --ignore-scripts --no-audit --no-fund >&2 || skip 'npm could not install what web/package-lock.json names'
fi
