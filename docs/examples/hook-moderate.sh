#!/bin/sh
# A hook for Parley (docs/hooks.md), to copy and change: refuses messages that hold certain words, tells the page that it has looked, and has the model answer briefly.
# Needs nothing but a POSIX shell, sed and grep. Try it:  echo '{"message":"hello"}' | ./hook-moderate.sh
set -eu
export LC_ALL=C # bytes: quick, and right for words of ASCII letters
words='lottery|casino' # an extended regular expression, in small or capital letters

# The message is the first member of the line; its quotes, backslashes and line ends are escaped (RFC 8259 section 7). What an escape stands for does not matter for finding words: a space will do.
message=$(sed -E -n 's/^[[:space:]]*\{[[:space:]]*"message"[[:space:]]*:[[:space:]]*"([^"\\]*(\\.[^"\\]*)*)".*/\1/p' | sed -E 's/\\u[0-9a-fA-F]{4}|\\./ /g')

if printf '%s\n' "$message" | grep -E -i -q "(^|[^[:alnum:]])($words)([^[:alnum:]]|\$)"; then
    echo '{"event":"moderation","content":{"allowed":false}}'
    echo '{"action":"refuse","text":"This chat does not talk about games of chance."}'
    exit 0
fi
echo '{"event":"moderation","content":{"allowed":true}}'
echo '{"action":"system","text":"Answer in a few sentences."}'
