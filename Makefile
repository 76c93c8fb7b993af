# The one list of commands. `make help` prints it.
.DEFAULT_GOAL := help
.PHONY: help venv demo up down check test test-fast fmt lock wheel clean

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

help: ## what can be typed here
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

venv: $(STAMP) ## the virtual environment, from requirements.lock

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(not (3, 11) <= v <= (3, 13) and "Slipway needs Python 3.11, 3.12 or 3.13; this is %d.%d: set PYTHON=python3.11" % v)'
	@echo "venv: installing what requirements.lock names (about a minute the first time)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --require-hashes --requirement requirements.lock
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: venv ## the whole story on real parts; leaves them running
	@$(BIN)/python -m sandbox prepare
	@$(BIN)/python -m sandbox reset
	@$(BIN)/python -m sandbox up
	@$(BIN)/python -m sandbox.demo

up: venv ## the sandbox, without the story
	@$(BIN)/python -m sandbox prepare
	@$(BIN)/python -m sandbox up

down: ## end the sandbox
	@test ! -d .sandbox || $(BIN)/python -m sandbox down

check: venv ## format, lint, types, import rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: venv ## the whole suite
	$(BIN)/pytest

test-fast: venv ## everything that needs no sandbox
	$(BIN)/pytest -m 'not sandbox'

fmt: venv ## format, and mend what can be mended
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: ## write requirements.lock anew (needs uv)
	uv pip compile --universal --generate-hashes --no-emit-index-url --no-header \
	  --quiet --group dev --output-file requirements.lock pyproject.toml

wheel: venv ## the wheel: blocks, flows and slipway only
	$(BIN)/pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .

clean: ## remove what these commands made in the work tree
	rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
