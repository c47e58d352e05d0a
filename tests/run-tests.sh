#!/bin/sh
# Runs the tests that drive the program from outside: `run-tests.sh [NAME] [KIND]`.
# NAME: only tests whose name holds it. KIND: http (with the provider's own tests) or browser; without it, both.
# What the hosting hardly matters for runs once; what providers, clients and faces do runs as FastCGI and as plain CGI; the rest runs everywhere.
# The page is tested on lighttpd, and what the host has a part in on Apache too.
# HOSTING (environment): where the HTTP tests run, names from http/hosting.js or `all`. Without it: everywhere, but one test by its name and one
# kind alone run on lighttpd-fastcgi.
# shellcheck disable=SC2086
set -eu
cd "$(dirname "$0")"
name=${1:-} kind=${2:-all} hostings=${HOSTING:-}
[ -n "$hostings" ] || { [ -z "$name" ] && [ "$kind" = all ] && hostings=all; } || hostings=lighttpd-fastcgi
[ "$hostings" != all ] || hostings="lighttpd-fastcgi lighttpd-cgi apache-fastcgi apache-fcgid apache-cgi apache-cgi-prefork"

# One file after the other: several parts run at the same time as it is, and the many-streams test takes what it can get.
run() { node --test --test-concurrency=1 ${name:+--test-name-pattern="$name"} "$@"; }

case "$hostings" in *' '*) ;; *)
    # one hosting: everything in one run
    [ "$kind" = browser ] && files= || files="provider/*.test.js http/*.test.js"
    [ "$kind" = http ] || files="$files browser/*.test.js"
    PARLEY_TEST_HOSTING=$hostings
    export PARLEY_TEST_HOSTING
    run $files
    exit ;;
esac

# Several parts: a line for each, and at the end what failed. Three at a time, because tests wait more than they work; the longest begin first.
logs=$(mktemp -d)
parts=
trap 'rm -rf "$logs"' EXIT
trap 'kill $parts 2>/dev/null; exit 130' INT TERM
count() { sed -n "s/^# $1 //p" "$2"; }
part() {
    what=$1
    shift
    begun=$(date +%s)
    status=0
    run --test-reporter=tap "$@" >"$logs/$what" 2>&1 || status=$?
    printf '%-24s passed %4s  failed %3s  skipped %3s  %4s s\n' "$what" "$(count pass "$logs/$what")" "$(count fail "$logs/$what")" "$(count skipped "$logs/$what")" $(($(date +%s) - begun))
    [ "$status" = 0 ] || echo "$what" >>"$logs/failed"
}

# what does not depend on the hosting runs once
once="http/readme.test.js http/reliability.test.js http/site.test.js http/others.test.js http/models.test.js http/wires.test.js http/openapi.test.js http/theme.test.js http/addresses.test.js http/faults-provider.test.js http/access.test.js http/clock.test.js http/socket.test.js http/statements.test.js http/trouble.test.js"
twice="http/provider.test.js http/openai.test.js http/seeds.test.js http/ragbits.test.js http/examples.test.js http/hooks.test.js http/confirm.test.js http/faces.test.js http/upload.test.js http/limits.test.js http/continue.test.js http/regenerate.test.js http/repeat.test.js http/branches.test.js http/usage.test.js http/detach.test.js"
# of the page, what the host has a part in: streams, reloads, Stop, a server that is started again, addresses, caching, the policy in force
page="browser/install.test.js browser/xss.test.js browser/chat.test.js browser/stream.test.js"
hosted='the page opened at|shares is in the box|installation|a second visit|test of payloads|streams token by token|Stop (keeps|works)|a reload while|works under any prefix|opened at|a stream cut again|back-forward cache|takes its configuration anew|process that writes|a second page'
everywhere=
for file in http/*.test.js; do
    case " $once $twice " in *" $file "*) ;; *) everywhere="$everywhere $file" ;; esac
done

jobs=
if [ "$kind" != http ]; then
    jobs=browser
    case " $hostings " in *" apache-fastcgi "*) jobs="browser browser-apache-fastcgi" ;; esac
fi
if [ "$kind" != browser ]; then
    for hosting in $hostings; do jobs="$jobs $hosting"; done
    jobs="$jobs once clients-apache-cgi clients-lighttpd-fastcgi"
fi
# The page is made before anybody serves or copies it.
./page.sh
# Each of three takes the next one of the list as soon as it has ended with one.
next() {
    for job in $jobs; do
        mkdir "$logs/taken-$job" 2>/dev/null || continue
        case $job in
            browser) part browser browser/*.test.js ;;
            browser-*) (name=${name:-$hosted}; export PARLEY_TEST_HOSTING="${job#browser-}"; part "$job" $page) ;;
            once) part once provider/*.test.js $once ;;
            clients-*) PARLEY_TEST_HOSTING=${job#clients-} part "$job" $twice ;;
            *) PARLEY_TEST_HOSTING=$job part "$job" $everywhere ;;
        esac
    done
}
for lane in 1 2 3; do
    next &
    parts="$parts $!"
done
wait

failed=$(cat "$logs/failed" 2>/dev/null || true)
for what in $failed; do
    printf '\n--- failed: %s\n' "$what"
    # each failed test with what it says, without the files and suites around it
    awk '/^ *not ok /{block=$0; keep=1; wrap=0; next} keep{block=block "\n" $0} /subtestsFailed/{wrap=1} keep && /^ *\.\.\.$/{if(!wrap) print block; keep=0}' "$logs/$what"
done
if [ -n "$failed" ]; then
    printf '\nFAILED: %s\n' "$(echo $failed)"
    exit 1
fi
printf '\nAll passed.\n'
