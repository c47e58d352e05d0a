#!/bin/sh
# Puts what the page needs of other people's packages into www/vendor/: fetched by npm as www/package-lock.json says, with their licences, and compared
# with www/vendor.sha256 before anything is served. `vendor.sh --renew` writes that list instead. Without npm the page shows plain text, and that is said.
set -eu
cd "$(dirname "$0")/.."
npm=build/www-npm new=build/vendor
languages='bash c cpp csharp css diff dockerfile go ini java javascript json kotlin lua makefile markdown perl php powershell python ruby rust shell sql swift typescript xml yaml'

without() {
    echo "The page will show answers as plain text: $1 (make vendor tries again)."
    exit 0
}
command -v npm >/dev/null || without 'there is no npm to fetch www/vendor/ with'

rm -rf $npm $new
mkdir -p $npm $new/languages $new/fonts
cp www/package.json www/package-lock.json $npm
(cd $npm && npm ci --omit=dev --ignore-scripts --no-audit --no-fund --loglevel=error >npm.log 2>&1) || without "npm could not fetch www/vendor/, see $npm/npm.log"

# Named .js, because not every host knows .mjs.
from=$npm/node_modules
cp $from/markdown-it/dist/browser/markdown-it.esm.min.mjs $new/markdown-it.js
cp $from/@highlightjs/cdn-assets/es/core.min.js $new/highlight.js
for language in $languages; do
    cp "$from/@highlightjs/cdn-assets/es/languages/$language.min.js" "$new/languages/$language.js"
done
cp $from/katex/dist/katex.min.js $new/katex.js
cp $from/katex/dist/katex.min.css $new/katex.css
cp $from/katex/dist/fonts/*.woff2 $new/fonts
# markdown-it.js holds the packages it stands on
for package in markdown-it entities linkify-it mdurl punycode.js uc.micro katex @highlightjs/cdn-assets; do
    cat $from/$package/LICENSE* >"$new/LICENSE-$(basename "$package" | sed 's/cdn-assets/highlight.js/')"
done

sums() { (cd $new && find . -type f | LC_ALL=C sort | xargs sha256sum); }
if [ "${1:-}" = --renew ]; then
    { echo '# What tests/vendor.sh puts into www/vendor/. Made by make vendor-sums.'; sums; } >www/vendor.sha256
elif ! sums | diff -I '^#' www/vendor.sha256 - >&2; then
    echo "What npm fetched is not what www/vendor.sha256 says (left: what it says)." >&2
    exit 1
fi
rm -rf www/vendor
mv $new www/vendor
echo "  www/vendor"
