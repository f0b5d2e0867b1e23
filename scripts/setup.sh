#!/bin/sh
# setup.sh WHAT...: installs what is missing of: compiler, postgres, pgbouncer, moto, lint. Says what it does; does nothing twice.
set -eu
cd "$(dirname "$0")/.."

say() { printf 'setup: %s\n' "$*" >&2; }
have() { command -v "$1" >/dev/null 2>&1; }

# packages DEBIAN BREW: installs with the system's package manager.
packages() {
    if have apt-get; then
        sudo=''
        if [ "$(id -u)" != 0 ]; then
            have sudo || { say "run as root: apt-get install $1"; exit 1; }
            sudo='sudo'
        fi
        say "apt-get install $1"
        # shellcheck disable=SC2086
        $sudo env DEBIAN_FRONTEND=noninteractive sh -c "apt-get install -y --no-install-recommends $1 >/dev/null 2>&1 ||
            { apt-get update -q && apt-get install -y --no-install-recommends $1; } >/dev/null"
    elif have brew; then
        say "brew install $2"
        # shellcheck disable=SC2086
        brew install --quiet $2
    else
        say "there is neither apt-get nor brew here; please install: $1"
        exit 1
    fi
}

compiler() {
    have cargo || { say "Rust is missing; install it from https://rustup.rs"; exit 1; }
    have cc || packages 'gcc libc6-dev' gcc
}

postgres() {
    [ -n "${PLUMBLINE_POSTGRES_BIN:-}" ] && return
    have initdb && return
    for place in /usr/lib/postgresql/*/bin /opt/homebrew/opt/postgresql@*/bin /usr/local/opt/postgresql@*/bin \
        /Applications/Postgres.app/Contents/Versions/*/bin; do
        [ -x "$place/initdb" ] && return
    done
    packages postgresql postgresql@17
}

# A pooler. Its tests are skipped without it, so a place that has no packages is no obstacle.
pgbouncer() {
    have pgbouncer || [ -x /usr/sbin/pgbouncer ] && return
    (packages pgbouncer pgbouncer) || say "pgbouncer could not be installed; its tests will be skipped"
}

# A double of AWS, and what judges our webhooks, in a virtual environment of the repository.
moto() {
    stamp=.tools/moto/.requirements
    wanted=tests/fixtures/tools/requirements.txt
    cmp -s "$wanted" "$stamp" && return
    have python3 || packages 'python3 python3-venv' python3
    say "installing moto and the webhooks' judges into .tools/moto"
    rm -rf .tools/moto
    mkdir -p .tools
    if ! python3 -m venv .tools/moto 2>/dev/null; then
        rm -rf .tools/moto
        packages python3-venv python3
        python3 -m venv .tools/moto
    fi
    .tools/moto/bin/python -m pip install --quiet --disable-pip-version-check -r "$wanted"
    cp "$wanted" "$stamp"
}

lint() {
    for component in rustfmt clippy; do
        have "cargo-${component#rust}" || rustup component add "$component" >&2
    done
    have cargo-deny || [ -x .tools/cargo/bin/cargo-deny ] && return
    say "installing cargo-deny into .tools/cargo"
    cargo install --quiet --locked --root .tools/cargo cargo-deny --version "$(cat scripts/cargo-deny.version)" ||
        say "cargo-deny could not be installed; its checks will be skipped"
}

for what in "$@"; do
    "$what"
done
