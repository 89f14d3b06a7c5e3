# Every target first installs the programs that it needs and the machine lacks (scripts/setup).

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help

export HOME ?= $(shell getent passwd "$$(id -u)" | cut -d: -f6)
# The cargo of rustup is preferred to one of the distribution.
export PATH := $(or $(CARGO_HOME),$(HOME)/.cargo)/bin:$(PATH)
target_dir := $(or $(CARGO_TARGET_DIR),target)
static_target := $(shell uname -m)-unknown-linux-musl
packages := $(target_dir)/packages
version := $(shell sed -nE '/^\[workspace.package\]/,/^\[/s/^version = "(.*)"/\1/p' Cargo.toml)
shell_scripts := .ci/run client/api.func client/measure deploy/containers/test deploy/deb/build \
	deploy/deb/debian/telemetry-client.postrm deploy/deb/debian/telemetry-server.postinst \
	deploy/deb/debian/telemetry-server.postrm deploy/deb/wrapper deploy/haproxy/is-primary deploy/image/build \
	deploy/image/test deploy/proxmox/ct/telemetry-server.sh deploy/proxmox/install/telemetry-server-install.sh \
	deploy/replica/promote deploy/replica/setup deploy/try/machine deploy/try/packages deploy/try/proxmox \
	deploy/try/services load-tests/cost scripts/demo scripts/dotenv scripts/fuzz scripts/pg-bin \
	scripts/postgres-versions scripts/setup scripts/sqlx-data
load_tests := --release --locked -p telemetry-server -p telemetry-seed -p telemetry-load-tests

.PHONY: help run demo test check audit bench bench-hostile bench-client bench-read load faults failover fuzz client \
	catalogue sqlx-data screenshots deb image sbom try try-containers

help: ## list the targets
	@sed -nE 's/^([a-z-]+):.*## (.*)/make \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 20

run: ## build the server and start it on http://127.0.0.1:8080
	@scripts/setup run
	@cargo build --release --locked
	@source scripts/dotenv; exec $(target_dir)/release/telemetry-server serve

demo: ## start a server on a database with invented executions
	@scripts/setup demo
	@cargo build --release --locked -p telemetry-server -p telemetry-seed
	@exec scripts/demo

test: ## run all tests
	@scripts/setup test
	@cargo test --workspace --locked
	@shellcheck $(shell_scripts)
	@bats client/tests

check: ## check formatting, lints, documentation and dependencies
	@scripts/setup check
	@cargo fmt --all --check
	@cargo fmt --manifest-path load-tests/generator/Cargo.toml --check
	@cargo clippy --workspace --all-targets --locked -- -D warnings
	@RUSTDOCFLAGS=-Dwarnings cargo doc --workspace --exclude telemetry-load-tests --exclude telemetry-seed --no-deps --locked
	@cargo machete
	@cargo deny --locked --workspace --log-level error check bans licenses sources

audit: ## look for known vulnerabilities in dependencies (needs access to the RustSec database)
	@scripts/setup audit
	@cargo deny --locked --workspace check advisories

bench: ## measure ingest, and compare it with simpler servers
	@scripts/setup bench
	@cargo build $(load_tests)
	@$(target_dir)/release/bench-ingest

bench-hostile: ## measure the cost of forged ids, forged addresses and 10,000 idle connections
	@scripts/setup bench
	@cargo build $(load_tests)
	@$(target_dir)/release/bench-hostile

bench-read: ## measure aggregates, lists and exports on a seeded database (see load-tests/README.md)
	@scripts/setup bench
	@cargo build $(load_tests)
	@$(target_dir)/release/bench-read

bench-client: client ## measure the delay that a report causes in a script
	@cargo build --quiet --profile client --locked -p telemetry-client --target $(static_target) --example listener
	@client/measure $(target_dir)/$(static_target)/client/telemetry $(target_dir)/$(static_target)/client/examples/listener

load: ## play load scenarios for LOAD_SECONDS (20) each; the reports are in load-tests/reports
	@scripts/setup load
	@cargo build $(load_tests)
	@cargo build --release --locked --manifest-path load-tests/generator/Cargo.toml --target-dir $(target_dir)
	@$(target_dir)/release/scenarios $(SCENARIOS)

faults: ## kill, stop, fill up and disconnect the server and PostgreSQL under load, FAULT_ROUNDS (3) times
	@scripts/setup faults
	@cargo test --locked --test faults --no-run
	@for round in $$(seq "$${FAULT_ROUNDS:-3}"); do \
		echo "round $$round"; \
		FAULTS=full cargo test --quiet --locked --test faults -- --test-threads=1 || exit 1; \
	done

failover: ## kill the leader of three PostgreSQL under Patroni three times under load
	@scripts/setup failover
	@cargo test --locked --test faults -- --ignored --test-threads=1 patroni

fuzz: ## run every fuzz target for FUZZ_SECONDS (60)
	@scripts/setup fuzz
	@scripts/fuzz

client: ## build the command for hosts, small and static
	@scripts/setup client
	@cargo build --profile client --locked -p telemetry-client --target $(static_target)
	@ls -l $(target_dir)/$(static_target)/client/telemetry

deb: client ## pack the server and the host client as Debian packages, in target/packages
	@scripts/setup deb
	@cargo build --release --locked -p telemetry-server
	@rm -rf $(packages)/*.deb
	@deploy/deb/build $(target_dir)/release/telemetry-server $(target_dir)/$(static_target)/client/telemetry $(packages)
	@lintian --allow-root --fail-on error,warning $(packages)/*.deb
	@ls -l $(packages)/*.deb

image: deb ## build the container image from the package, as root, in target/packages
	@scripts/setup image
	@deploy/image/build $(packages)/telemetry-server_*.deb $(packages)/telemetry-server_$(version)_$(shell dpkg --print-architecture).tar
	@ls -l $(packages)/*.tar

sbom: ## list the components of the programs (CycloneDX), in target/packages
	@scripts/setup sbom
	@cargo cyclonedx --quiet --format json
	@mkdir -p $(packages)
	@mv telemetry-server.cdx.json client/telemetry-client.cdx.json $(packages)
	@rm -f protocol/*.cdx.json load-tests/*.cdx.json load-tests/seed/*.cdx.json

try: deb ## install, use, upgrade and remove the packages in an empty Debian with systemd, as root
	@scripts/setup try
	@deploy/deb/build $(target_dir)/release/telemetry-server $(target_dir)/$(static_target)/client/telemetry $(packages)/older 0.0.9
	@deploy/try/machine deploy/try/packages older=$(packages)/older newer=$(packages)
	@deploy/try/machine deploy/try/proxmox older=$(packages)/older newer=$(packages) scripts=deploy/proxmox
	@INCLUDE=postgresql,prometheus,prometheus-alertmanager,caddy \
		deploy/try/machine deploy/try/services newer=$(packages) deploy=deploy

try-containers: image ## run the container image with runc, and check the Compose and Quadlet files, as root
	@scripts/setup try-containers
	@deploy/containers/test
	@deploy/image/test $(packages)/telemetry-server_*.tar $(target_dir)/$(static_target)/client/telemetry

catalogue: ## regenerate client/api.func, docs/EXIT_CODES.md and docs/REASONS.md from their data
	@scripts/setup catalogue
	@cargo run --quiet --locked -p telemetry-client --example write_catalogue

sqlx-data: ## regenerate .sqlx, against which queries are checked at compile time
	@scripts/setup sqlx-data
	@scripts/sqlx-data

screenshots: ## draw the pictures of the pages in docs/images
	@scripts/setup screenshots
	@cargo test --quiet --locked -p telemetry-server --test it -- --ignored browser::screenshots
