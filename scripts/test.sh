#!/bin/sh
# test.sh [FILTER...]: runs every test and closes with one line that sums them up.
set -eu
cd "$(dirname "$0")/.."
log=$(mktemp)
trap 'rm -f "$log"' EXIT

status=0
{ cargo test --workspace --no-fail-fast -- "$@" 2>&1 || echo "tests: exit status $?"; } | tee "$log"
grep -q '^tests: exit status' "$log" && status=1
awk '/^test result:/ {
        for (i = 1; i < NF; i++) {
            if ($(i + 1) == "passed;") passed += $i
            if ($(i + 1) == "failed;") failed += $i
            if ($(i + 1) == "ignored;") ignored += $i
        }
    }
    END { printf "tests: %d passed, %d failed, %d ignored\n", passed, failed, ignored }' "$log"
exit $status
