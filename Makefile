# Entry points; `make help` lists them. Everything made from source is kept under ~/.cache/neuronspan (NEURONSPAN_CACHE
# moves it) by a key of what it was made from, so a second run finds it there and other checkouts share it.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# the first Python on PATH that we support; PYTHON=... chooses another one
SUPPORTED := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
    if $$p -c '$(SUPPORTED)' 2>/dev/null; then echo $$p; exit; fi; done; echo python3)
export PYTHON

# what mypy has found out serves every checkout, one at a time: it goes by content, and a fresh clone begins with it
CACHE := $(or $(NEURONSPAN_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/neuronspan)
CLUSTER := PYTHONPATH=tests $(PYTHON) -m cluster
BIN = $(shell $(CLUSTER) venv --path)/bin
RUN = PYTHONPATH=tests:deviceplugin:operator:runtime $(BIN)/python
PYTEST = $(BIN)/python -m pytest
SOURCES := deviceplugin operator runtime tests examples

# in this order, and only those that exist
UNIT := $(wildcard tests/unit tests/guides tests/programs tests/properties)
DEVICE := $(wildcard tests/device)
INTEGRATION := $(wildcard tests/integration)
ORACLE := $(wildcard tests/oracle)
STRESS := $(wildcard tests/stress)
CHART := $(wildcard tests/chart)
IMAGE := $(wildcard tests/image)
READERS := $(wildcard tests/readers)
E2E := $(wildcard tests/e2e)
INSTALL := $(wildcard tests/install)
E2E_CLUSTER ?= neuronspan-e2e
DEMO_CLUSTER ?= neuronspan-demo

.PHONY: help
help: ## this list
	@awk 'BEGIN { FS = ":.*## " } /^[a-z0-9-]+:.*## / { printf "  make %-21s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# --- checks -----------------------------------------------------------------------------------------------------------

.PHONY: try
try: venv ## the main job without a cluster: the six examples as local processes (TRY="manifests and options")
	PYTHONPATH=deviceplugin:operator:runtime $(BIN)/python -m neuronspan_embedded try $(TRY)

.PHONY: test test-unit test-device test-hidden-keys test-integration test-kubernetes test-admission test-oracle test-planner test-chart test-chart-values test-image test-readers test-e2e test-install test-stress test-sanitizers check-torch-versions test-performance growth mutants lint house format
test: ## everything: lint beside what the tests need, then all tests, those that compute beside those that wait for a cluster
	@$(MAKE) -j2 lint prepared
	$(RUN) -m lanes computing="$(UNIT) $(INTEGRATION)" \
	    waiting="--cluster-name $(E2E_CLUSTER) $(ORACLE) $(DEVICE) $(STRESS) $(CHART) $(IMAGE) $(READERS) $(E2E)"

.PHONY: prepared
prepared:
	@$(CLUSTER) prepare tests --name $(E2E_CLUSTER)

test-unit: venv ## unit and property tests: no cluster, no network
	$(PYTEST) $(UNIT)

test-device: venv ## every operator of torch's own database, on the device against the CPU
	$(PYTEST) $(DEVICE)

test-hidden-keys: export HIDDEN_KEYS_EVERY = 1
test-hidden-keys: venv ## every operator of the database as a compiled program, without autograd's keys and with them (an eighth in `make test-device`)
	$(PYTEST) tests/device/test_hidden_keys.py

test-integration: venv tools ## against a real API server, and a model of kubelet
	$(PYTEST) $(INTEGRATION)

test-kubernetes: venv tools ## the integration tests on another version of Kubernetes: VERSION=1.33 (its newest patch) or 1.33.13; all, or TESTS
	programs=$$($(CLUSTER) kubernetes "$(VERSION)"); NEURONSPAN_TOOLS=$$programs $(PYTEST) -rs $(or $(TESTS),$(INTEGRATION))

test-admission: export ADMISSION_REQUESTS = $(or $(REQUESTS),5000)
test-admission: venv tools ## admission of drawn requests, the API server beside the operator's functions: REQUESTS (5000; 300 in `make test`)
	$(PYTEST) tests/integration/admission/test_admission_agreement.py

test-oracle: export ORACLE_VERDICTS = $(or $(VERDICTS),100000)
test-oracle: export ORACLE_SEED = $(or $(SEED),1)
test-oracle: venv tools ## placement beside the real kube-scheduler: VERDICTS (100000; 5000 in `make test`), scenes from SEED
	$(PYTEST) $(ORACLE)

test-planner: export PLANNER_WORLDS = $(or $(WORLDS),100)
test-planner: venv ## the kept planner beside a new one after every change: WORLDS (100; 12 in `make test`) of ten seeds, 60 changes each
	$(PYTEST) tests/properties/test_kept_planner.py

test-chart: venv tools ## what the Helm chart renders and refuses
	$(PYTEST) $(CHART)

test-chart-values: export CHART_VALUES_EVERY = 1
test-chart-values: venv tools ## every value of the chart set to everything (a twentieth of it in `make test-chart`)
	$(PYTEST) tests/chart/test_sweep.py

test-image: venv images ## the runtime's tests inside the runtime's image
	$(PYTEST) $(IMAGE)

test-readers: venv readers ## what other people's programs make of the tree of every instance type
	$(PYTEST) $(READERS)

test-e2e: venv tools images readers cluster ## on a real cluster with the product installed
	$(PYTEST) --cluster-name $(E2E_CLUSTER) $(E2E)

test-install: release ## the installation pages as a reader follows them, from the files of `make release`, on a cluster of their own
	$(PYTEST) $(INSTALL)

test-stress: export STRESS_SECONDS ?= 600
test-stress: venv ## processes that use NeuronCores and are killed at random, for STRESS_SECONDS (600; 30 in `make test`)
	$(PYTEST) -s $(STRESS)

test-sanitizers: venv ## the runtime's unit tests with the C++ library under AddressSanitizer and UndefinedBehaviorSanitizer
	$(RUN) -m native sanitizers

check-torch-versions: venv ## the C++ library compiles without a warning against every supported torch (600 MB of headers)
	$(RUN) -m native versions

test-performance: venv tools ## speed and memory against their limits (RECORD=1 keeps the numbers, CASES="planner cluster" chooses)
	$(RUN) -m performance $(if $(RECORD),--record) $(CASES)

growth: venv ## measure how planning grows, play several planners, and write both into docs/growth.md (half an hour)
	$(RUN) -m performance.growth

mutants: venv ## small deliberate bugs, one at a time: the tests that are listed have to notice each (MUTANTS="c++:" those of the torch device in C++)
	$(RUN) -m mutants $(if $(MUTANTS),"$(MUTANTS)")

lint: venv lint-workflows ## style, formatting, types, and which module may import which
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	@mkdir -p $(CACHE)/mypy
	MYPY_CACHE_DIR=$(CACHE)/mypy flock $(CACHE)/mypy $(BIN)/python -m mypy $(SOURCES)
	PYTHONPATH=deviceplugin:operator:runtime $(BIN)/lint-imports

house: venv ## the structure of the packages: folders, modules, and the imports between them
	$(RUN) -m house

format: venv ## format, and fix what can be fixed without thinking
	$(BIN)/python -m ruff check --fix-only .
	$(BIN)/python -m ruff format .

# --- what the checks need ---------------------------------------------------------------------------------------------

.PHONY: venv lock tools images readers
venv: ## the Python environment, third-party packages only
	@$(CLUSTER) venv >/dev/null

lock: ## choose versions anew (constraints.txt), and name what is installed of them by hash: wheels, Debian's packages
	$(CLUSTER) lock
	@$(CLUSTER) venv >/dev/null
	PYTHONPATH=tests:deviceplugin:operator:runtime "$$($(CLUSTER) venv --path)/bin/python" -m releasing lock

tools: ## Kubernetes, etcd, kind, helm and containerd, built from Go modules
	@$(CLUSTER) tools >/dev/null

images: ## the product's container images
	@$(CLUSTER) images

readers: ## the image with other people's programs that read Neuron's files, for tests
	@$(CLUSTER) readers

# --- releases ---------------------------------------------------------------------------------------------------------

.PHONY: release wheels release-twice release-start push lint-workflows
release: venv tools ## images, chart, wheel, requirements, bills of materials, checksums and provenance into build/release
	$(RUN) -m releasing release

wheels: venv ## the Python packages as wheels in build/wheels, with the C++ library compiled for every supported torch (nine compilations)
	$(RUN) -m releasing wheels

release-twice: venv tools ## make the commit's release in two other checkouts and compare every byte
	$(RUN) -m releasing twice

release-start: venv ## start each image of build/release, for each architecture (others emulated by qemu-user-static)
	$(RUN) -m releasing start

push: named-registry venv tools ## put images and chart of build/release into REGISTRY=host/prefix (INSECURE=1 for plain HTTP)
	$(RUN) -m releasing push "$(REGISTRY)" $(if $(INSECURE),--insecure)

# said before anything is built
.PHONY: named-registry
named-registry:
	@test -n "$(REGISTRY)" || { echo "say where to: make push REGISTRY=host/prefix" >&2; exit 2; }

lint-workflows: venv ## the workflow files, against their schema and for what makes them unsafe
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yaml
	$(BIN)/zizmor --offline --quiet .github/workflows
	$$($(CLUSTER) actionlint)/actionlint .github/workflows/*.yaml

# --- clusters ---------------------------------------------------------------------------------------------------------

.PHONY: cluster cluster-down cluster-status cluster-logs load demo demo-down
cluster: ## the cluster of the end-to-end tests: three nodes, two of them with simulated Neuron devices
	@$(CLUSTER) up --name $(E2E_CLUSTER)

cluster-down: ## remove it
	@$(CLUSTER) down --name $(E2E_CLUSTER)

cluster-status: ## its nodes, pods and images
	@$(CLUSTER) status --name $(E2E_CLUSTER)

cluster-logs: ## journals, pod logs and objects into ./build/logs
	@$(CLUSTER) logs --name $(E2E_CLUSTER) build/logs

load: images cluster ## put the images on its nodes
	@$(CLUSTER) load --name $(E2E_CLUSTER)

demo: ## install the chart on a cluster of its own and run every example
	@$(CLUSTER) prepare demo --name $(DEMO_CLUSTER)
	PYTHONPATH=tests:deviceplugin:operator:runtime \
	    $$($(CLUSTER) venv --for demo --path)/bin/python examples/demo.py --cluster $(DEMO_CLUSTER)

demo-down: ## remove the demo's cluster
	@$(CLUSTER) down --name $(DEMO_CLUSTER)

# --- the checkout -----------------------------------------------------------------------------------------------------

.PHONY: generate verify clean
generate: venv ## what is made from other files: gRPC stubs, and the lists of the domain in chart and documentation
	$(RUN) -m neuronspan_deviceplugin.api.generate
	$(RUN) -m generate

verify: generate lint ## generated files are up to date and nothing is left to format
	git diff --exit-code
	test -z "$$(git status --porcelain)"

clean: ## remove what tools left in the checkout; the cache and clusters stay
	rm -rf build dist .pytest-kind
	find . -path ./.git -prune -o -type d '(' -name __pycache__ -o -name '.*_cache' -o -name .hypothesis ')' -prune \
	    -exec rm -rf {} +
