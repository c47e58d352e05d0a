#!/bin/sh
# Puts the table of settings, as the program prints it, into README.md: `make readme`.
set -eu
cd "$(dirname "$0")/.."
table=$(mktemp)
trap 'rm -f "$table"' EXIT
cgi-bin/chat.fcgi --settings >"$table"
sed -i -e "/^<!-- settings:/,/^<!-- end of settings/{/^<!-- settings:/{p;r $table
d};/^<!-- end of settings/p;d}" README.md
