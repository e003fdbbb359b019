SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
# Node 24 comes with the dependencies, so that a machine with an older Node needs nothing else.
export PATH := $(CURDIR)/node_modules/.bin:$(PATH)
export CCCAM_CACHE ?= $(HOME)/.cache/cccam-operator
TAG ?= cccam-operator:dev
export CCCAM_HAPROXY_3_0 ?= $(CCCAM_CACHE)/haproxy-3.0/haproxy

##@ Use
.PHONY: demo
demo: node_modules haproxy ## Serve a pool with simulated servers and clients, and change it while they watch
	node scripts/demo.ts

##@ Develop
.PHONY: setup
setup: node_modules haproxy haproxy-3.0 cluster-node promtool ## Install everything that the tests need

.PHONY: test
test: setup ## Run every check and every tier of tests
	node scripts/test.ts

.PHONY: test-unit
test-unit: node_modules ## Run the unit and architecture tests only
	vitest run --project unit

.PHONY: test-haproxy
test-haproxy: node_modules haproxy haproxy-3.0 ## Run the tests on real HAProxy only
	vitest run --project haproxy

.PHONY: test-api-server
test-api-server: node_modules haproxy haproxy-3.0 control-plane promtool ## Run the tests on a real Kubernetes API server only
	vitest run --project api-server

.PHONY: test-cluster
test-cluster: setup ## Run the tests on a real Kubernetes node only
	vitest run --project cluster

.PHONY: cluster-up
cluster-up: node_modules cluster-node ## Bring up a real Kubernetes node on this machine, with our image, to look around in
	node scripts/cluster.ts up

.PHONY: cluster-down
cluster-down: node_modules ## End that node and remove everything that it has left
	node scripts/cluster.ts down

.PHONY: check
check: node_modules ## Check types, style, generated files and prose
	tsc
	biome check .
	node scripts/generate.ts --check
	node scripts/prose.ts

.PHONY: fix
fix: node_modules ## Format the sources and repair what the linter can
	biome check --write .

.PHONY: generate
generate: node_modules ## Write the CRD and the reference from the sources
	node scripts/generate.ts

.PHONY: build
build: node_modules ## Bundle the program into dist/
	node scripts/build.ts

.PHONY: audit
audit: build ## Check licences, and ask the package registry for known vulnerabilities: ends with 2 where it cannot be asked
	node scripts/audit.ts

.PHONY: image
image: node_modules ## Build the container image: make image TAG=cccam-operator:dev; what it is made from is in dist/provenance.json
	CCCAM_PROVENANCE=$(CURDIR)/dist/provenance.json ./scripts/image.sh $(TAG)

.PHONY: bench
bench: setup ## Measure against the guide's HAProxy and nginx in the same run, and print a table
	./scripts/setup-nginx.sh
	node scripts/build.ts
	CCCAM_TEST_PROGRAM=dist/main.js node test/bench/main.ts
	CCCAM_TEST_PROGRAM=dist/main.js node test/bench/cluster.ts
	node test/bench/node.ts

.PHONY: bench-cluster
bench-cluster: setup ## Measure the operator on a real API server, and print a table
	node scripts/build.ts
	CCCAM_TEST_PROGRAM=dist/main.js node test/bench/cluster.ts

.PHONY: soak
soak: setup ## Take random walks, then change pools for an hour and see what is kept: make soak WALKS=32 MINUTES=60 SEED=7
	node scripts/build.ts
	CCCAM_TEST_PROGRAM=dist/main.js node test/soak/main.ts $(or $(WALKS),16) $(or $(MINUTES),60) $(SEED)

.PHONY: clean
clean: ## Remove what was built
	rm -rf dist coverage

node_modules: package.json package-lock.json
	npm ci --ignore-scripts --no-fund --no-audit --loglevel=error
	@touch node_modules

.PHONY: haproxy
haproxy:
	@./scripts/setup-haproxy.sh system

.PHONY: haproxy-3.0
haproxy-3.0:
	@./scripts/setup-haproxy.sh

.PHONY: control-plane
control-plane: node_modules
	@./scripts/setup-control-plane.sh

.PHONY: cluster-node
cluster-node: node_modules
	@./scripts/setup-cluster.sh

.PHONY: promtool
promtool:
	@./scripts/setup-promtool.sh

##@ Help
.PHONY: help
help: ## Show this list
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-zA-Z0-9_.-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
