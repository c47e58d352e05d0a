#!/bin/sh
# Runs the tests that drive the program from outside: `run-tests.sh [NAME] [KIND]`.
# NAME: only tests whose name holds it. KIND: http (with the provider's own tests) or browser; without it, both.
set -eu
cd "$(dirname "$0")"
name=${1:-} kind=${2:-all}
files="provider/*.test.js http/*.test.js"
[ "$kind" = all ] && files="$files browser/*.test.js"
[ "$kind" = browser ] && files="browser/*.test.js"
# One file after the other: the many-streams test wants the machine for itself.
# shellcheck disable=SC2086
exec node --test --test-concurrency=1 ${name:+--test-name-pattern="$name"} $files
