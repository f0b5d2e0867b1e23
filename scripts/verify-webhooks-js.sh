#!/bin/sh
# verify-webhooks-js.sh [COUNT]: lets the JavaScript library of Standard Webhooks verify COUNT (1000) random messages that we
# signed. Needs node and npm; installs the library into a temporary folder.
set -eu
cd "$(dirname "$0")/.."
export SQLX_OFFLINE=true
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

npm install --silent --no-audit --no-fund --prefix "$folder" standardwebhooks@1.1.1
cp tests/webhooks/verify.mjs "$folder/"
cargo build --quiet -p jobs --example sign
# Signatures are good for five minutes: made only now.
cargo run --quiet -p jobs --example sign -- "${1:-1000}" >"$folder/messages.jsonl"
node "$folder/verify.mjs" <"$folder/messages.jsonl"
