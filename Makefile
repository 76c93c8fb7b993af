# The one list of commands. `make help` prints it.
.DEFAULT_GOAL := help
.PHONY: help python venv machine demo up down reset check test test-long test-fast bench simulate audits mutants soak \
  fmt lock wheel clean

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

help: ## what can be typed here
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

venv: $(STAMP) ## the virtual environment, from requirements.lock

python:
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(not (3, 11) <= v <= (3, 13) and "Slipway needs Python 3.11, 3.12 or 3.13; this is %d.%d: set PYTHON=python3.11" % v)'

$(STAMP): requirements.lock pyproject.toml | python
	@echo "venv: installing what requirements.lock names (about a minute the first time)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --require-hashes --requirement requirements.lock
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

machine: python ## what a person has to install here first, if anything
	@$(PYTHON) -m sandbox.prepare $(NEEDS)

demo: machine venv ## the whole story on real parts; leaves them running
	@$(BIN)/python -m sandbox up
	@$(BIN)/python -m sandbox.demo

up: machine venv ## the sandbox, without the story
	@$(BIN)/python -m sandbox up

down: ## end the sandbox
	@test ! -d .sandbox || { $(MAKE) --silent venv && $(BIN)/python -m sandbox down; }

reset: ## end the sandbox and forget it, its ledger too
	@test ! -d .sandbox || { $(MAKE) --silent venv && $(BIN)/python -m sandbox reset; }

check: venv ## format, lint, types, import rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: NEEDS := --tests
test: machine venv ## the whole suite
	@$(BIN)/python -m sandbox prepare $(NEEDS)
	$(BIN)/pytest

test-long: NEEDS := --tests
test-long: machine venv ## what takes too long for every run: broken systems audited, storms, runs interrupted
	@$(BIN)/python -m sandbox prepare $(NEEDS)
	$(BIN)/pytest -m long

test-fast: venv ## everything that needs no sandbox
	$(BIN)/pytest -m 'not sandbox and not long'

bench: NEEDS := --tests
bench: machine venv ## measure the promises; ONLY="startup publish" takes some of them
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --require-hashes \
	  --requirement benchmarks/requirements.lock
	@$(BIN)/python -m sandbox prepare $(NEEDS)
	@$(BIN)/python -m benchmarks $(ONLY)

simulate: venv ## N sagas of releases under faults, by seed (N=10000 FIRST=0; SEED=n tells one)
	$(BIN)/python -m tests.simulation --sagas $(or $(N),10000) --first $(or $(FIRST),0) $(if $(SEED),--seed $(SEED))

audits: venv ## N audits of quiet systems, and N in the middle of releases, by seed (N=1000 FIRST=0)
	$(BIN)/python -m tests.simulation.audits --audits $(or $(N),1000) --first $(or $(FIRST),0)

soak: NEEDS := --tests
soak: machine venv ## releases while their processes and parts are killed, N blows by SEED (N=200 SEED=1)
	@$(BIN)/python -m sandbox prepare $(NEEDS)
	$(BIN)/python -m tests.soak --blows $(or $(N),200) --seed $(or $(SEED),1)

mutants: venv ## plant each bug in a copy, and see that the tests notice it
	$(BIN)/python -m tests.mutants

fmt: venv ## format, and mend what can be mended
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: ## write the lock files anew (needs uv)
	uv pip compile --universal --generate-hashes --no-emit-index-url --no-header \
	  --quiet --group dev --output-file requirements.lock pyproject.toml
	uv pip compile --universal --generate-hashes --no-emit-index-url --no-header \
	  --quiet --group plots --constraint requirements.lock \
	  --output-file benchmarks/requirements.lock

wheel: venv ## the wheel: blocks, flows and slipway only
	$(BIN)/pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .

clean: ## remove what these commands made in the work tree
	rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
