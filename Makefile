# Every target installs what it needs first (scripts/setup) and is silent where nothing is missing.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help

export HOME ?= $(shell getent passwd "$$(id -u)" | cut -d: -f6)
# rustup installs here; a cargo of the distribution must not win over it.
export PATH := $(or $(CARGO_HOME),$(HOME)/.cargo)/bin:$(PATH)
target_dir := $(or $(CARGO_TARGET_DIR),target)
static_target := $(shell uname -m)-unknown-linux-musl

.PHONY: help run test check bench bench-hostile bench-client bench-read load faults fuzz client catalogue sqlx-data

help: ## list the targets
	@sed -nE 's/^([a-z-]+):.*## (.*)/make \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 20

run: ## build the server and start it on http://127.0.0.1:8080
	@scripts/setup run
	@cargo build --release --locked
	@source scripts/dotenv; exec $(target_dir)/release/telemetry-server serve

test: ## run the whole test suite
	@scripts/setup test
	@cargo test --workspace --locked
	@shellcheck client/api.func client/measure deploy/haproxy/is-primary deploy/replica/setup deploy/replica/promote \
		load-tests/cost
	@bats client/tests

check: ## formatting, lints, documentation, unused dependencies
	@scripts/setup check
	@cargo fmt --all --check
	@cargo clippy --workspace --all-targets --locked -- -D warnings
	@RUSTDOCFLAGS=-Dwarnings cargo doc --workspace --no-deps --locked
	@cargo machete

bench: ## measure the ingest path and print the table of ratios
	@scripts/setup bench
	@cargo build --release --locked
	@cargo run --release --locked -p telemetry-load-tests --bin bench-ingest

load: ## play load scenarios of LOAD_SECONDS (20) each; reports in load-tests/reports
	@scripts/setup load
	@cargo build --release --locked -p telemetry-server -p telemetry-load-tests --bins
	@$(target_dir)/release/scenarios $(SCENARIOS)

faults: ## kill, stop, fill and cut off everything under load, FAULT_ROUNDS (3) times
	@scripts/setup faults
	@cargo test --locked --test faults --no-run
	@for round in $$(seq "$${FAULT_ROUNDS:-3}"); do \
		echo "round $$round"; \
		FAULTS=full cargo test --quiet --locked --test faults -- --test-threads=1 || exit 1; \
	done

fuzz: ## run every fuzz target for FUZZ_SECONDS (60)
	@scripts/setup fuzz
	@scripts/fuzz

client: ## build the command for hosts, small and static
	@scripts/setup client
	@cargo build --profile client --locked -p telemetry-client --target $(static_target)
	@ls -l $(target_dir)/$(static_target)/client/telemetry

bench-client: client ## measure what a report costs the script that makes it, with the server and the host in every state
	@cargo build --quiet --profile client --locked -p telemetry-client --target $(static_target) --example listener
	@client/measure $(target_dir)/$(static_target)/client/telemetry $(target_dir)/$(static_target)/client/examples/listener

catalogue: ## renew what is generated from the exit codes: client/api.func, docs/EXIT_CODES.md
	@scripts/setup catalogue
	@cargo run --quiet --locked -p telemetry-client --example write_catalogue

bench-hostile: ## measure what forged ids and addresses and 10,000 idle connections cost
	@scripts/setup bench
	@cargo build --release --locked
	@cargo run --release --locked -p telemetry-load-tests --bin bench-hostile

bench-read: ## measure aggregates, lists and exports on a seeded database (BENCH_READ_EXECUTIONS, BENCH_READ_DATA)
	@scripts/setup bench
	@cargo build --release --locked
	@cargo run --release --locked -p telemetry-load-tests --bin bench-read

sqlx-data: ## renew .sqlx, the data of the queries that are checked at compile time
	@scripts/setup sqlx-data
	@scripts/sqlx-data
