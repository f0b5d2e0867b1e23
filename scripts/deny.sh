#!/bin/sh
# deny.sh: what the dependencies may be (deny.toml). Advisories need their database, which not every place can reach.
set -eu
cd "$(dirname "$0")/.."
PATH="$PWD/.tools/cargo/bin:$PATH"

if ! command -v cargo-deny >/dev/null 2>&1; then
    echo "deny: skipped, as cargo-deny is not installed" >&2
    exit 0
fi
cargo deny check bans licenses sources
if cargo deny fetch db >/dev/null 2>&1; then
    cargo deny check --disable-fetch advisories
else
    echo "deny: advisories skipped, as their database cannot be reached" >&2
fi
