#!/bin/sh
# Installs what is missing: `deps.sh run` for building and serving, `deps.sh test` for the tests as well. Looks for commands, headers and pkg-config names,
# not for package names, because the same thing may have come from elsewhere (Node from another packager, say).
set -eu
cd "$(dirname "$0")/.."
missing=
need() { missing="$missing $1"; }
has_command() { command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ]; }
has_library() { pkg-config --exists "$1" 2>/dev/null; }

has_command cc || need gcc
[ -e /usr/include/stdio.h ] || need libc6-dev
has_command pkg-config || need pkg-config
has_library fcgi || [ -e /usr/include/fcgiapp.h ] || need libfcgi-dev
has_library libcurl || need libcurl4-openssl-dev
has_library json-c || need libjson-c-dev
has_library sqlite3 || need libsqlite3-dev
has_command lighttpd || need lighttpd
if [ "$1" = test ]; then
    has_library cmocka || need libcmocka-dev
    has_command sqlite3 || need sqlite3
    has_command curl || need curl
    has_command node || need nodejs
    has_command npm || need npm
    has_command chromium || [ -n "${CHROMIUM:-}" ] || need chromium
fi

if [ -n "$missing" ]; then
    echo "Installing:$missing"
    sudo=
    [ "$(id -u)" = 0 ] || sudo=sudo
    $sudo apt-get update -qq
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends $missing >/dev/null
fi

if [ "$1" = test ] && [ ! tests/node_modules/.package-lock.json -nt tests/package-lock.json ]; then
    (cd tests && npm ci --no-audit --no-fund --loglevel=error)
    touch tests/node_modules/.package-lock.json
fi
