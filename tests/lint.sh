#!/bin/sh
# Static analysis: clang-tidy, cppcheck, gcc -fanalyzer. Says nothing when all is well. Each thing switched off says why.
set -eu
cd "$(dirname "$0")/.."
flags="-std=c11 -D_GNU_SOURCE -DPARLEY_VERSION=\"lint\" -Ibuild -Isrc $(pkg-config --cflags libcurl json-c sqlite3)"
files=$(find src cgi-bin docs/examples tests/apps -name '*.c' | sort)
status=0

# clang-tidy. Off:
#   easily-swappable-parameters   names tell them apart, and structs for every pair of strings would not
#   implicit-widening, narrowing  -Wconversion of gcc is on and stricter where it matters
#   DeprecatedOrUnsafeBufferHandling  asks for C11 Annex K, which glibc does not have
#   assignment-in-if-condition    the usual way of looping over a reader
#   branch-clone                  tables written as switch
#   reserved-identifier           _GNU_SOURCE
#   suspicious-include            schema.inc is data made by the Makefile
#   valist.Uninitialized          wrong when one run looks at several files (a known fault of clang-tidy 14)
#   no-recursion                  JSON is recursive; depth is bounded
#   multi-level-implicit-pointer-conversion  void pointers of callbacks
if command -v clang-tidy >/dev/null; then
    # shellcheck disable=SC2086
    clang-tidy --quiet --warnings-as-errors='*' \
        --checks='-*,clang-analyzer-*,bugprone-*,cert-*,misc-redundant-expression,misc-unused-parameters,performance-*,portability-*,-bugprone-easily-swappable-parameters,-bugprone-implicit-widening-of-multiplication-result,-bugprone-narrowing-conversions,-clang-analyzer-security.insecureAPI.DeprecatedOrUnsafeBufferHandling,-bugprone-assignment-in-if-condition,-bugprone-branch-clone,-bugprone-reserved-identifier,-cert-dcl37-c,-cert-dcl51-cpp,-bugprone-suspicious-include,-clang-analyzer-valist.Uninitialized,-cert-err33-c,-cert-err34-c' \
        $files -- $flags 2>/dev/null || status=1
fi

# cppcheck. Off: missingIncludeSystem (it need not read the system's headers), unusedFunction (units use them), variableScope and constParameter… (taste).
if command -v cppcheck >/dev/null; then
    cppcheck --quiet --std=c11 --enable=warning,performance,portability --inline-suppr --error-exitcode=1 \
        --suppress=missingIncludeSystem --suppress=unknownMacro -D_GNU_SOURCE -DPARLEY_VERSION='"lint"' -Ibuild -Isrc src cgi-bin docs/examples tests/apps || status=1
fi

# gcc -fanalyzer. Off: analyzer-malloc-leak and friends understand neither json-c's references nor callbacks that take ownership, ASan's leak check does;
# analyzer-fd-leak follows no descriptor into a struct.
for file in $files; do
    # shellcheck disable=SC2086
    gcc $flags -O1 -fanalyzer -Wno-analyzer-malloc-leak -Wno-analyzer-fd-leak -Werror -c -o /dev/null "$file" || status=1
done
exit $status
