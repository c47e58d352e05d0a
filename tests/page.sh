#!/bin/sh
# Makes the page as it is served: `page.sh [WWW]`. The files that the page loads are copied, unchanged, to WWW/assets/VERSION/, where browsers may keep them for
# good; WWW/index.html is page.html with the addresses of that folder. VERSION is a hash of the files' names and contents, so nothing is written when nothing
# has changed. The version before stays, because pages that are open still load modules from it; older ones go.
# Neighbours: the Makefile calls it (all, install, site), and stand.js before browser tests. Leaves out: bundling, and diagnose.html, which keeps its plain addresses.
set -eu
cd "${1:-$(dirname "$0")/../www}"

folders=
for folder in css js vendor i18n icons; do
    [ ! -d $folder ] || folders="$folders $folder"
done
# shellcheck disable=SC2086
version=$(find $folders -type f -exec sha256sum {} + | LC_ALL=C sort -k 2 | sha256sum | cut -c 1-12)
assets=assets/$version

# Under other names first, then moved: whoever serves or makes the same meanwhile sees all of it or nothing.
folder=assets/.making.$$ index=.index.$$
trap 'rm -rf "$folder" "$index"' EXIT
trap 'exit 130' INT TERM
if [ ! -d "$assets" ]; then
    mkdir -p "$folder"
    # shellcheck disable=SC2086
    cp -R $folders "$folder"
    mv -T "$folder" "$assets" 2>/dev/null || [ -d "$assets" ]
fi

note='<!-- Made by tests/page.sh out of page.html: change that one. -->'
make_index() { sed -E -e "1a $note" -e "s#\\b(src|href)=\"(css|js|vendor|i18n|icons)/#\\1=\"$assets/\\2/#g" page.html; }
if ! make_index | cmp -s - index.html; then
    make_index >"$index"
    touch "$assets" # the newest, also when an earlier version has come back
    mv "$index" index.html
fi
for old in $(cd assets && ls -1t | tail -n +3); do
    rm -rf "assets/$old"
done
