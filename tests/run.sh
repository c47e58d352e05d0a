#!/bin/sh
# Serves the chat in the foreground until Ctrl-C: what `make run` calls, with the server and the mode as arguments.
# Data is in var/ unless PARLEY_DB says otherwise.
set -eu
cd "$(dirname "$0")/.."
server=$1 mode=$2
[ "$server" = lighttpd ] && [ "$mode" = fastcgi ] || { echo "make run knows SERVER=lighttpd MODE=fastcgi." >&2; exit 2; }

PARLEY_ROOT=$(pwd)
PARLEY_VAR=${PARLEY_VAR:-$PARLEY_ROOT/var}
PARLEY_PROGRAM=${PARLEY_PROGRAM:-$PARLEY_ROOT/cgi-bin/chat.fcgi}
mkdir -p "$PARLEY_VAR"
# Every setting and key that is set, in one file that only we can read: host servers hand on next to nothing of their environment.
rm -f "$PARLEY_VAR/run.env"
(umask 077 && "$PARLEY_PROGRAM" --export >"$PARLEY_VAR/run.env")
setting() { sed -n "s/^$1=\"\(.*\)\"\$/\1/p" "$PARLEY_VAR/run.env"; }
PARLEY_CONFIG=$PARLEY_VAR/run.env
APP_HOST=$(setting APP_HOST) APP_PORT=$(setting APP_PORT)
APP_HOST=${APP_HOST:-127.0.0.1} APP_PORT=${APP_PORT:-8000}
export PARLEY_ROOT PARLEY_VAR PARLEY_PROGRAM PARLEY_CONFIG APP_HOST APP_PORT

lighttpd=$(command -v lighttpd || echo /usr/sbin/lighttpd)
echo "Parley is at http://$APP_HOST:$APP_PORT/ (Ctrl-C ends it)"
exec "$lighttpd" -D -f lighttpd.conf
