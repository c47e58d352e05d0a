#!/bin/sh
# Serves the chat in the foreground until Ctrl-C: what `make run` calls, with the server and the mode as arguments.
# Data is in var/ unless PARLEY_DB says otherwise.
# shellcheck disable=SC2086
set -eu
cd "$(dirname "$0")/.."
server=$1 mode=$2
case $server/$mode in
lighttpd/fastcgi | lighttpd/cgi | apache/fastcgi | apache/fcgid | apache/cgi) ;;
*) echo "make run knows SERVER=lighttpd with MODE=fastcgi or cgi, and SERVER=apache with MODE=fastcgi, fcgid or cgi." >&2; exit 2 ;;
esac

PARLEY_ROOT=$(pwd)
PARLEY_PROGRAM=${PARLEY_PROGRAM:-$PARLEY_ROOT/cgi-bin/chat.fcgi}
PARLEY_CGI=${PARLEY_CGI:-$PARLEY_ROOT/cgi-bin/chat.cgi}
PARLEY_MODE=$mode
home=$PARLEY_ROOT user=

# Apache does not serve as root. Then somebody else does everything: the owner of these files, or else Debian's user for web servers.
if [ "$server" = apache ] && [ "$(id -u)" = 0 ]; then
    user=$(stat -c %U .)
    if [ "$user" = root ]; then
        user=www-data
        PARLEY_VAR=${PARLEY_VAR:-/var/lib/parley}
    fi
fi
as= # before a command: runs it as that user
[ -z "$user" ] || as="setpriv --reuid=$user --regid=$(id -g "$user") --init-groups"
PARLEY_VAR=${PARLEY_VAR:-$PARLEY_ROOT/var}
mkdir -p "$PARLEY_VAR"

# Every setting and key that is set, in one file that only we can read: host servers hand on next to nothing of their environment.
made=$PARLEY_VAR/run.env
rm -f "$made"
(umask 077 && "$PARLEY_PROGRAM" --export >"$made")
if [ -n "$user" ]; then
    if ! $as test -r "$PARLEY_ROOT/www/index.html" || ! $as test -x "$PARLEY_PROGRAM"; then # a folder above is closed to that user: a copy of what is needed
        home=$PARLEY_VAR/root
        rm -rf "$home"
        mkdir -p "$home/cgi-bin"
        cp -R www apache.conf "$home"
        cp "$PARLEY_PROGRAM" "$home/cgi-bin/chat.fcgi"
        ln "$home/cgi-bin/chat.fcgi" "$home/cgi-bin/chat.cgi"
        PARLEY_PROGRAM=$home/cgi-bin/chat.fcgi PARLEY_CGI=$home/cgi-bin/chat.cgi
    fi
    json=$(sed -n 's/^PARLEY_JSON="\(.*\)"$/\1/p' "$made")
    if [ -n "$json" ] && ! $as test -r "$json"; then
        cp "$json" "$PARLEY_VAR/parley.json"
        sed -i "s|^PARLEY_JSON=.*|PARLEY_JSON=\"$PARLEY_VAR/parley.json\"|" "$made"
    fi
    # the database where it is by default would be closed to that user too
    [ "$PARLEY_VAR" = "$PARLEY_ROOT/var" ] || sed -i "s|^PARLEY_DB=\"$PARLEY_ROOT/var/|PARLEY_DB=\"$PARLEY_VAR/|" "$made"
    chown -R "$user:" "$PARLEY_VAR"
    echo "Apache runs as $user; data and settings are in $PARLEY_VAR."
fi
setting() { sed -n "s/^$1=\"\(.*\)\"\$/\1/p" "$made"; }
PARLEY_CONFIG=$made PARLEY_ROOT=$home
APP_HOST=$(setting APP_HOST) APP_PORT=$(setting APP_PORT) PARLEY_PREFIX=$(setting PARLEY_PREFIX)
APP_HOST=${APP_HOST:-127.0.0.1} APP_PORT=${APP_PORT:-8000}
PARLEY_MODULES=/usr/lib/apache2/modules PARLEY_LOG=/dev/stderr
export PARLEY_ROOT PARLEY_VAR PARLEY_PROGRAM PARLEY_CGI PARLEY_CONFIG PARLEY_MODE PARLEY_PREFIX PARLEY_MODULES PARLEY_LOG APP_HOST APP_PORT

find_command() { command -v "$1" || echo "/usr/sbin/$1"; }
hello() { echo "Parley is at http://$APP_HOST:$APP_PORT$PARLEY_PREFIX/ (Ctrl-C ends it)"; }
if [ "$server" = lighttpd ]; then
    hello
    exec "$(find_command lighttpd)" -D -f lighttpd.conf
fi

case $APP_HOST in *:*) APP_HOST="[$APP_HOST]" ;; esac
if ! $as sh -c ': >>/dev/fd/3' 3>&2 2>/dev/null; then # a terminal or file that is another user's
    PARLEY_LOG=$PARLEY_VAR/apache.log
    echo "Messages are in $PARLEY_LOG."
fi
defines="-D $(echo "$mode" | tr a-z A-Z)"
worker='' apache=''
# In sessions of their own, so that Ctrl-C is ours alone. Ends both, then waits for them: answers that run get their time (SHUTDOWN_SECONDS).
stop() {
    trap '' INT TERM
    kill $apache $worker 2>/dev/null || true
    wait
}
trap 'stop; exit 0' INT TERM
if [ "$mode" = fastcgi ]; then
    GLIBC_TUNABLES=glibc.malloc.tcache_max=128 setsid $as "$PARLEY_PROGRAM" --listen "unix:$PARLEY_VAR/chat-$APP_PORT.sock" &
    worker=$!
fi
setsid $as "$(find_command apache2)" -f "$PARLEY_ROOT/apache.conf" -DFOREGROUND $defines &
apache=$!
hello
# When one of the two ends by itself the other one is of no use.
while kill -0 "$apache" 2>/dev/null && { [ -z "$worker" ] || kill -0 "$worker" 2>/dev/null; }; do sleep 1 & wait $! || true; done
stop
exit 1
