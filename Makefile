# Everything a user or a developer does starts here; CI runs `make check` and `make test`.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check --progress-bar off

.PHONY: run demo test check fix bench soak env dev lock clean

run: env           ## the gateway for real, on embedded defaults (Ctrl-C stops it)
	$(BIN)/hongyan serve

demo: env          ## the self-contained demonstration; ends by itself
	$(BIN)/hongyan demo

test: dev          ## the whole test suite
	$(BIN)/pytest -n 2 --dist loadfile

check: dev         ## lint, types, import rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fix: dev           ## what the tools can mend by themselves
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.bench ## the base line: prints figures, asserts nothing
	$(BIN)/python -m tests.bench ground-floor
	$(BIN)/python -m tests.bench ground-floor --store postgres
	$(BIN)/python -m tests.bench

soak: dev          ## hours: 500 kills under load on each store, then all faults at once; KILLS=, MINUTES=
	$(BIN)/python -m tests.soak.kills --kills $(or $(KILLS),500)
	$(BIN)/python -m tests.soak.kills --kills $(or $(KILLS),500) --postgres
	$(BIN)/python -m tests.soak --minutes $(or $(MINUTES),30)

env: $(VENV)/.env
dev: $(VENV)/.dev

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "hongyan needs Python 3.11 or newer; try: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
	  { echo "cannot make a virtual environment; on Debian: apt install python3-venv"; exit 1; }

$(VENV)/.env: $(VENV)/bin/python requirements.lock pyproject.toml
	@echo "Installing what hongyan needs into $(VENV), at the versions of requirements.lock. This takes up to a minute, once."
	@$(PIP) --require-hashes -r requirements.lock
	@$(PIP) --no-deps --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.env requirements-dev.lock
	@echo "Installing what its tests need into $(VENV). This takes up to a minute, once."
	@$(PIP) --require-hashes -r requirements-dev.lock
	@touch $@

$(VENV)/.bench: $(VENV)/.dev requirements-bench.lock
	@$(PIP) --require-hashes -r requirements-bench.lock
	@touch $@

lock: dev          ## pin anew what pyproject.toml asks for (needs uv)
	uv pip compile -q --no-header --universal --python-version 3.11 --generate-hashes pyproject.toml -o requirements.lock
	uv pip compile -q --no-header --universal --python-version 3.11 --generate-hashes --group dev pyproject.toml -o requirements-dev.lock
	uv pip compile -q --no-header --universal --python-version 3.11 --generate-hashes --group bench pyproject.toml -o requirements-bench.lock

clean:
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
