# `make` without a target explains itself. Every target does its own set-up. Each is a door to a script
# or to cargo: no script calls make.
SHELL := /usr/bin/env bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# Cargo profile of the binaries in the images: release, or image (faster to build).
PROFILE ?= release

.PHONY: help
help: ## Show this help
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  make %-14s%s\n", $$1, $$2 }'

.PHONY: demo
demo: ## Load-test a Redis on this machine for half a minute, no cluster needed
	@.ci/packages demo
	@echo "building the command line (the first time takes minutes)"
	@cargo build --quiet --profile demo -p redyno
	@cargo run --quiet --profile demo -p redyno -- demo

.PHONY: test
test: ## Run every test, those on a real cluster included (KUBECONFIG names another cluster than the local one)
	@.ci/test

.PHONY: bench
bench: ## Measure the runner beside other tools and write docs/benchmarks.md (half an hour, wants a quiet machine)
	@.ci/packages demo
	@cargo build --quiet --release -p redyno-runner -p redyno-bench
	@cargo run --quiet --release -p redyno-bench -- --document docs/benchmarks.md

# The packages of the simulation's layers.
SIMULATION_1 = redyno-simulation
SIMULATION_2 = redyno-simulation-operator
SIMULATION_3 = redyno-simulation-wire
LAYER ?= 1
SEEDS ?= 1000
FROM ?= 0

.PHONY: simulate
simulate: ## Look for runs that break a law, on simulated time (LAYER=1, 2 or 3, SEEDS=N, FROM=K)
	@cargo run --quiet --profile simulate -p $(SIMULATION_$(LAYER)) -- --seeds $(SEEDS) --from $(FROM)

.PHONY: mutants
mutants: ## Measure the simulation: runs that each layer takes to find faults put into the product (half an hour)
	@tests/simulation/mutants/measure

.PHONY: causes
causes: ## Overload five servers in five ways, with and without I/O threads, and print which cause is named (ten minutes)
	@.ci/packages tests
	@tests/redis/servers
	@REDYNO_CAUSES=all cargo test --quiet --locked -p redyno-runner --test it -- --nocapture causes

.PHONY: check
check: ## Check format, lints, dependencies and scripts
	@.ci/check

.PHONY: setup
setup: ## Install and build everything that the other targets need, once
	@.ci/setup

.PHONY: images
images: ## Build the images into files, and into Docker where there is one (PROFILE=image is faster)
	REDYNO_PROFILE=$(PROFILE) docker/build

.PHONY: cluster
cluster: ## Start a real Kubernetes on this machine (Linux, as root)
	@tests/cluster/up
	@tests/cluster/image redis
	@tests/cluster/image valkey
	@tests/cluster/load-images --present

.PHONY: cluster-down
cluster-down: ## Take it down; nothing stays but the cache
	@tests/cluster/down

.PHONY: generate
generate: ## Write the files that are generated from the code
	REDYNO_GENERATE=1 cargo test --workspace --quiet generated_files
