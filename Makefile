# Every target does its own set-up; `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.locked
CODE := controller dumpers tests benchmarks release
PYTEST_ARGS ?=
BENCH_ARGS ?=

.PHONY: help setup lock fmt lint unit integration faults test e2e recipes bench bench-start bench-clickhouse bench-search bench-controller bench-survey bench-retention bench-parallel bench-restore-sessions bench-storages demo demo-down images push chart values-table command krew clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## make the virtual environment from the lock

$(STAMP): locks/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed; set PYTHON to it" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "installing python3-venv"; apt-get update -qq && apt-get install -y -qq python3-venv; }
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r locks/dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

lock: setup ## renew the locks from pyproject.toml
	@for extra in dumper:signing controller:controller,notifications \
	  dev:controller,notifications,signing,dev; do \
	  $(BIN)/uv pip compile --quiet --upgrade --universal --generate-hashes --python-version 3.11 \
	    --no-annotate --no-header --no-emit-index-url \
	    $$(for name in $$(echo "$${extra#*:}" | tr , ' '); do echo --extra $$name; done) \
	    pyproject.toml -o "locks/$${extra%%:*}.txt" >/dev/null; \
	done

fmt: setup ## format the code
	$(BIN)/ruff format $(CODE)
	$(BIN)/ruff check --fix --quiet $(CODE)

lint: setup ## check style, types and the direction of imports
	$(BIN)/ruff format --check --quiet $(CODE)
	$(BIN)/ruff check $(CODE)
	$(BIN)/mypy
	$(BIN)/lint-imports

unit: setup ## run the tests that need nothing but Python
	$(BIN)/pytest tests/unit tests/golden tests/conformance $(PYTEST_ARGS)

integration: setup ## run the tests against real servers on loopback
	$(BIN)/pytest tests/integration $(PYTEST_ARGS)

faults: setup ## fail every request of a pass and of a dump in every way, end dumps and restores at any moment, lose a cluster, drill in every way; takes hours
	KSNAPSHOT_FAULTS=all $(BIN)/pytest tests/disaster tests/e2e/test_killed_restores.py tests/faults \
	  tests/integration/dumpers/*/test_restore_kills.py \
	  tests/integration/dumpers/*/test_drill_under_writes.py \
	  tests/integration/dumpers/copy \
	  tests/integration/dumpers/drill \
	  tests/integration/dumpers/retention/test_prune_kills.py \
	  tests/integration/dumpers/retention/test_processes.py $(PYTEST_ARGS)

e2e: setup ## run the tests in a real one-node cluster, or the one of KUBECONFIG
	$(BIN)/pytest tests/disaster tests/e2e $(PYTEST_ARGS)

recipes: setup ## back up a database of every recipe of docs/recipes in a real one-node cluster
	KSNAPSHOT_RECIPES=all $(BIN)/pytest tests/e2e/recipes $(PYTEST_ARGS)

test: setup ## run every test that this machine can run, two worlds of servers at a time
	$(BIN)/pytest --numprocesses=2 --no-loadscope-reorder $(PYTEST_ARGS)

bench: setup ## compare a dump with the bare dump tool, in one run
	$(BIN)/python -m benchmarks.dump

bench-start: setup ## measure what a dump takes before it reads its first byte
	$(BIN)/python -m benchmarks.start $(BENCH_ARGS)

bench-clickhouse: setup ## compare a ClickHouse dump with bare curl, in one run
	$(BIN)/python -m benchmarks.clickhouse $(BENCH_ARGS)

bench-search: setup ## compare a dump of OpenSearch with a bare reader and with elasticdump, in one run
	$(BIN)/python -m benchmarks.search $(BENCH_ARGS)

bench-controller: setup ## measure the controller in a busy cluster, in about ten minutes
	$(BIN)/python -m benchmarks.controller $(BENCH_ARGS)

bench-survey: setup ## compare what an engine asks before a dump with the dump, in one run
	$(BIN)/python -m benchmarks.survey $(BENCH_ARGS)

bench-retention: setup ## measure how long ten thousand records take to be judged
	$(BIN)/python -m benchmarks.retention $(BENCH_ARGS)

bench-parallel: setup ## compare dumps of PostgreSQL by one, two and four streams, in one run
	$(BIN)/python -m benchmarks.parallel $(BENCH_ARGS)

bench-restore-sessions: setup ## compare restores of PostgreSQL by one session and by several, in one run
	$(BIN)/python -m benchmarks.restore_sessions $(BENCH_ARGS)

bench-storages: setup ## compare a dump into two storages with one into one, and parts at a time
	$(BIN)/python -m benchmarks.storages $(BENCH_ARGS)

demo: setup ## back up and restore a database in a real cluster, from nothing
	$(BIN)/python -m tests.demo

demo-down: setup ## remove what the demo made
	$(BIN)/python -m tests.demo --down

images: setup ## build the container images as archives
	$(BIN)/python -m tests.demo.images

push: setup ## build the container images and push them to IMAGE_PREFIX, by their version
	$(BIN)/python -m tests.demo.images push

chart: setup ## check the chart and pack it into dist/
	$(BIN)/python -m tests.testbed.toolchain.tools helm
	@helm=$$($(BIN)/python -c 'from tests.testbed.toolchain.tools import tool; print(tool("helm"))'); \
	mkdir -p dist && "$$helm" lint --strict charts/ksnapshot && "$$helm" package charts/ksnapshot -d dist

values-table: setup ## write the table of values in the chart's README
	$(BIN)/python -m release.values_table

command: setup ## build the user's command as one file, dist/ksnapshot.pyz
	$(BIN)/python -m release.command

krew: setup ## pack the command for krew, kubectl's plugin manager, into dist/
	$(BIN)/python -m release.krew

clean: ## remove the virtual environment and caches of the work tree
	rm -rf $(VENV) dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
