# Every way into the project. Each target sets up what it needs; a machine with Python (3.11 or newer) and make
# is enough.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help demo test check format bench fuzz clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(STAMP): pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "headrace needs Python 3.11 or newer; name one with: make PYTHON=/path/to/python3"; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || \
		{ rm -rf $(VENV); echo "no virtual environment could be made; on Debian: apt install python3-venv"; exit 2; }
	$(BIN)/python -m pip install --quiet --constraint requirements.lock --editable '.[dev]'
	@touch $@

demo: $(STAMP) ## run a small network on this machine, and fetch through it
	$(BIN)/headrace demo $(ARGS)

test: $(STAMP) ## run the tests, on all cores; one at a time: make test ARGS="-n 0"
	$(BIN)/python -m pytest -n auto $(ARGS)

check: $(STAMP) ## format check, lint, types, layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/unit/test_layers.py

format: $(STAMP) ## format the sources, mend what can be mended
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(STAMP) ## measure against peers on this machine
	$(BIN)/python -m bench $(ARGS)

fuzz: $(STAMP) ## fuzz one parser: make fuzz ARGS="socks -max_total_time=60"
	$(BIN)/python tests/fuzz/run.py $(ARGS)

clean: ## remove what the targets made
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
