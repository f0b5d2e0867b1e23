# What people and CI call. `make help` lists it.

SHELL := /bin/sh
.DEFAULT_GOAL := help
# Queries are checked against .sqlx, so that a build needs no database.
export SQLX_OFFLINE := true

.PHONY: help
help: ## What can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: setup
setup: ## Install what is missing for the demo and the tests: a C compiler, Postgres, moto
	@scripts/setup.sh compiler postgres moto

.PHONY: demo
demo: setup ## A drifted AWS account before your eyes
	cargo run --quiet -- demo

.PHONY: test
test: setup ## Every test, on a Postgres of their own
	@scripts/setup.sh pgbouncer
	@scripts/test.sh

.PHONY: bench
bench: ## Measure the queue, webhooks, maintenance and drift of a large account, with a release build (docs/benchmarks.md has the numbers)
	@scripts/setup.sh compiler postgres
	cargo build --release --bin plumbline
	scripts/bench-queue.sh "$${CARGO_TARGET_DIR:-target}/release/plumbline"
	python3 scripts/bench.py "$${CARGO_TARGET_DIR:-target}/release/plumbline"

.PHONY: chaos
chaos: ## Kill workers and restart Postgres under load for ten minutes (CHAOS_SECONDS), and prove that no job is lost
	@scripts/setup.sh compiler postgres
	cargo run --quiet -- bench chaos --seconds "$${CHAOS_SECONDS:-600}"

.PHONY: lint
lint: ## Formatting, clippy, documentation, dependencies
	@scripts/setup.sh compiler lint
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps
	@scripts/deny.sh

.PHONY: sqlx
sqlx: ## Renew .sqlx after a query or a migration changed (needs sqlx-cli and a migrated DATABASE_URL)
	SQLX_OFFLINE=false cargo sqlx prepare --workspace -- --all-targets
