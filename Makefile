# The studio's commands, the same for people and for CI. `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
NODE   := frontend/node_modules
BUF    := $(NODE)/.bin/buf
# The environment's tools first, whether or not it is activated.
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: help
help: ## List these commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort | \
	  awk -F'\t' '{printf "  \033[36m%-14s\033[0m %s\n", $$1, $$2}'

## ---- main job ---------------------------------------------------------------------

.PHONY: run
run: setup-run ## Set up what is missing and start the studio
	$(BIN)/musicgen up

PROMPT ?= warm lofi hip hop, 82 bpm, rainy night
DURATION ?= 30
OUT ?= track.flac
.PHONY: track
track: setup-run ## Make one track and exit: make track PROMPT="…" DURATION=30 OUT=track.flac
	$(BIN)/musicgen up --quiet --exec musicgen generate "$(PROMPT)" --duration $(DURATION) -o "$(OUT)"

.PHONY: test
test: setup browser ## Set up what is missing and pass all tests
	$(MAKE) test-frontend
	$(MAKE) test-python

.PHONY: check
check: lint test ## Everything that CI checks

## ---- set-up -----------------------------------------------------------------------

.PHONY: setup setup-run
setup: $(VENV)/dev.stamp frontend/dist/index.html ## Set up everything into .venv and frontend/
setup-run: $(VENV)/run.stamp frontend/dist/index.html

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; set PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/run.stamp: requirements/run.txt pyproject.toml | $(BIN)/python
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/run.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

$(VENV)/dev.stamp: requirements/dev.txt pyproject.toml | $(BIN)/python
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@ $(VENV)/run.stamp

$(NODE)/.stamp: frontend/package.json frontend/package-lock.json
	@node -e 'process.exit(+(process.versions.node.split(".")[0] < 20))' || \
	  { echo "Node.js 20 or newer is needed: https://nodejs.org"; exit 1; }
	npm ci --prefix frontend --no-audit --no-fund --loglevel=error
	@touch $@

frontend/dist/index.html: $(NODE)/.stamp $(shell find frontend/src frontend/public frontend/index.html frontend/vite.config.ts -type f 2>/dev/null)
	npm run --prefix frontend --silent build

.PHONY: browser
browser: $(VENV)/dev.stamp
	$(BIN)/python -m tests.browser

## ---- contract ---------------------------------------------------------------------

GOOGLEAPIS := build/googleapis
.PHONY: protos-deps generate
protos-deps: $(VENV)/dev.stamp
	$(BIN)/python -c 'import google.api, google.rpc, pathlib, shutil; \
	  [(target.parent.mkdir(parents=True, exist_ok=True), shutil.copy(pathlib.Path(package.__path__[0]) / name, target)) \
	   for package, name in ((google.api, "annotations.proto"), (google.api, "http.proto"), \
	                         (google.rpc, "error_details.proto"), (google.rpc, "status.proto")) \
	   for target in [pathlib.Path("$(GOOGLEAPIS)") / package.__name__.replace(".", "/") / name]]'

generate: protos-deps $(NODE)/.stamp ## Generate Python and TypeScript from protos/
	find musicgen/api -name '*_pb2*' -delete 2>/dev/null || true
	$(BIN)/python -m grpc_tools.protoc -Iprotos -I$(GOOGLEAPIS) --python_out=. --mypy_out=quiet:. \
	  $$(find protos -name '*.proto' | sort)
	$(BIN)/python -m grpc_tools.protoc -Iprotos -I$(GOOGLEAPIS) --grpc_python_out=. --mypy_grpc_out=quiet:. \
	  $$(find protos -name '*_service.proto' | sort)
	$(BUF) generate
