#!/bin/sh
# Installs what is missing: `deps.sh run [SERVER [MODE]]` for building and serving, `deps.sh test` for the tests on all servers as well. Looks for commands, headers and
# pkg-config names, not for package names, because the same thing may have come from elsewhere (Node from another packager, say).
set -eu
cd "$(dirname "$0")/.."
server=${2:-lighttpd} mode=${3:-fastcgi}
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
has_library libcrypto || need libssl-dev
if [ "$1" = test ] || [ ! -e www/vendor/markdown-it.js ]; then
    has_command node || need nodejs
    has_command npm || need npm # fetches what the page needs
fi
if [ "$1" = test ] || [ "$server" = lighttpd ]; then
    has_command lighttpd || need "lighttpd lighttpd-mod-deflate"
    # without it everything works, only larger
    [ "$1" = run ] || [ -n "$(ls /usr/lib*/lighttpd/mod_deflate.so /usr/local/lib*/lighttpd/mod_deflate.so 2>/dev/null)" ] || need lighttpd-mod-deflate
fi
if [ "$1" = test ] || [ "$server" = apache ]; then
    has_command apache2 || need apache2-bin # without the service that the package apache2 would start on port 80
    if [ "$1" = test ] || [ "$mode" = fcgid ]; then
        [ -e /usr/lib/apache2/modules/mod_fcgid.so ] || need libapache2-mod-fcgid
    fi
fi
if [ "$1" = test ]; then
    has_command nginx || need nginx-light
    has_command caddy || need caddy
    has_library cmocka || need libcmocka-dev
    has_command sqlite3 || need sqlite3
    has_command curl || need curl
    has_command python3 || need python3 # other people's clients
    python3 -c 'import requests' 2>/dev/null || need python3-requests
    has_command chromium || [ -n "${CHROMIUM:-}" ] || need chromium
fi

# Debian starts a server when it is installed: not here, where it would take port 80. The usual way to say so is this file, for as long as the installing takes.
install='
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
    trap "rm -f $policy" EXIT
    printf "#!/bin/sh\nexit 101\n" >$policy
    chmod 755 $policy
fi
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
'
if [ -n "$missing" ]; then
    echo "Installing:$missing"
    sudo=
    [ "$(id -u)" = 0 ] || sudo=sudo
    # shellcheck disable=SC2086
    $sudo sh -eu -c "$install" install $missing
fi

if [ "$1" = test ] && [ ! tests/node_modules/.package-lock.json -nt tests/package-lock.json ]; then
    (cd tests && npm ci --no-audit --no-fund --loglevel=error)
    touch tests/node_modules/.package-lock.json
fi
