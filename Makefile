# Everything is installed into .venv from the pinned requirements.lock; nothing outside this folder is touched.
PYTHON ?= python3
BIN := .venv/bin
TESTS ?= tests
# They wait for servers more than they compute: one worker more than two processors.
WORKERS ?= 3
# Of the faults: how many kills, and from which seed.
TIMES ?= 1000
SEED ?=

# Many processes are started, and each would compile everything that it imports.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help install demo up down test check faults bench lock clean

help:  ## Show the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  make %-9s %s\n", $$1, $$2 }'

install: .venv/installed  ## Set up .venv with everything that is pinned in requirements.lock

.venv/installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "$$(sed -nE 's/^(uv==[0-9.]+).*/\1/p' requirements.lock)"
	$(BIN)/uv pip sync --quiet --compile-bytecode --python $(BIN)/python --require-hashes requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

demo: install  ## Promote real documents dev -> stage on real engines, and prove it
	$(BIN)/wisqu demo

up: install  ## Start the embedded stack and the Dagster UI in the background
	$(BIN)/wisqu up --detach

down: install  ## Stop them
	$(BIN)/wisqu down

test: install  ## Run the tests
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup $(TESTS)

check: install  ## Lint, types, layers, links
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest tests/architecture

faults: install  ## Kill a worker 1,000 times, and break promotions in every other way as often (TIMES=100 SEED=7 for others)
	$(BIN)/python -m tests.faults $(TIMES) $(SEED)

bench: install  ## Measure against named rivals
	$(BIN)/python -m benchmarks

lock: install  ## Pin anew what pyproject.toml asks for
	$(BIN)/uv pip compile --quiet --universal --upgrade --generate-hashes --no-emit-index-url --no-annotate --no-header \
		--extra stack --group dev pyproject.toml --output-file requirements.lock

clean:  ## Remove .venv, the stack's data and caches
	test ! -x $(BIN)/wisqu || $(BIN)/wisqu down
	rm -rf .venv var .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
